"""Calculus on graphs: derivatives that are graphs again, forward mode, the graph at another point, and a check.

Everything rests on the table: a derivative as a graph is a partial's formula read over Values instead of floats.
"""

from __future__ import annotations

import math

from engine.domain import DomainError, contribution_error, number
from engine.formulas import code, float_functions
from engine.operations import FUNCTIONS
from engine.order import topological_order
from engine.value import Value, edges, operand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def derivative(E: Value, w: Value) -> Value:
    """∂E/∂w as a Value, a graph over the same nodes, which can be differentiated again; 0 where w doesn't reach E.

    Raises TypeError for what isn't a Value; DomainError where a local derivative on the way is infinite or undefined.

    >>> x = Value(1.5, label="x")
    >>> derivative(derivative(x**3, x), x).data
    9.0
    """
    return gradient(E, [w])[0]


def gradient(E: Value, wrt: Sequence[Value]) -> list[Value]:
    """[∂E/∂w for w in wrt], each a Value, by one backward pass over the graph; raises as derivative() does."""
    order = topological_order(E)
    if not isinstance(wrt, (list, tuple)):
        raise TypeError(f"gradients are with respect to a list of Values, such as [w, b], not {type(wrt).__name__}")
    for w in wrt:
        _check_value(w)
    depends = dependents(order, wrt)
    contributions: dict[Value, list[Value | float]] = {node: [] for node in depends}
    contributions.get(E, []).append(1.0)
    gradients: dict[Value, Value | float] = {}
    for node in reversed(order):
        if node in depends:
            gradients[node] = upstream = _sum(contributions[node])
            slots = [slot for slot, operand, _ in edges(node) if operand in depends]
            if not _is_float(upstream, 0.0) and slots:
                for slot, partial in zip(slots, local_derivatives(node, slots), strict=True):
                    if not _is_float(partial, 0.0):
                        contributions[operand(node, slot)].append(_product(upstream, partial))
    results = [gradients.get(w, 0.0) for w in wrt]
    return [Value(result) if isinstance(result, float) else result for result in results]


def hessian(E: Value, wrt: Sequence[Value]) -> list[list[Value]]:
    """The second derivatives ∂²E/∂w∂v, a row for each w in wrt, each a Value; raises as derivative() does.

    >>> x, y = Value(1.5), Value(-0.5)
    >>> [[value.data for value in row] for row in hessian(x**2 * y, [x, y])]
    [[-1.0, 3.0], [3.0, 0.0]]
    """
    return [gradient(first, wrt) for first in gradient(E, wrt)]


def _check_value(given: object) -> None:
    if type(given) is not Value:
        raise TypeError(f"a derivative is with respect to a Value, not {type(given).__name__}")


def _check_mapping(name: str, given: object) -> None:
    if not hasattr(given, "items"):
        raise TypeError(
            f"{name} takes a mapping from Values to numbers, such as {{w: 0.7}}, not {type(given).__name__}"
        )
    for node in given:  # type: ignore[attr-defined]
        if type(node) is not Value:
            raise TypeError(f"{name} takes Values, a number for each, and was given {node!r} ({type(node).__name__})")


def dependents(order: list[Value], roots: Sequence[Value]) -> set[Value]:
    """Those of the nodes that are computed from one of the roots, and the roots among them."""
    found = set(roots) & set(order)
    for node in order:
        if any(operand in found for _, operand, _ in edges(node)):
            found.add(node)
    return found


# A float among these terms and factors was written in a formula or is a constant of the graph, never the number of a
# node: leaving out a term 0 or a factor 1 freezes nothing that a replay would have to compute again.
def _is_float(term: Value | float, number: float) -> bool:
    return type(term) is float and term == number


def _sum(terms: list[Value | float]) -> Value | float:
    return FUNCTIONS["total"](terms) if len(terms) > 1 else terms[0] if terms else 0.0


def _product(x: Value | float, y: Value | float) -> Value | float:
    return y if _is_float(x, 1.0) else x if _is_float(y, 1.0) else x * y


# -- the third reading of a formula: over Values


def _shares(xs: list[Any]) -> list[Any]:
    return [FUNCTIONS["share"]([x, *xs[:i], *xs[i + 1 :]]) for i, x in enumerate(xs)]


GRAPH_FUNCTIONS: dict[str, Any] = {**float_functions(), **FUNCTIONS, "sum": _sum, "softmax": _shares}


def local_derivatives(node: Value, slots: Sequence[int]) -> list[Value | float]:
    """∂node/∂operand for these operand slots, as graphs: the table's formulas read over Values.

    Raises DomainError where one is infinite or undefined.
    """
    rule = node.rule
    assert rule is not None
    names = {"xs": list(node.inputs)} if rule.many else dict(zip(rule.operands, node.inputs, strict=True))
    names = GRAPH_FUNCTIONS | names | {"z": node}
    results = []
    for slot in slots:
        try:
            partials = eval(code(rule.partials[0 if rule.many else slot]), names)
        except ArithmeticError as error:
            partial = node.partials[slot]
            if partial is not None and math.isfinite(partial):
                raise DomainError(f"{rule.name}: its local derivative has no graph here: {error}") from None
            raise contribution_error(node, slot, 1.0) from None
        if rule.many:
            return [partials[slot] for slot in slots]
        results.append(partials)
    return results


# -- forward mode


def jvp(E: Value, tangents: Mapping[Value, float]) -> float:
    """The directional derivative Σ ∂E/∂w · tangent(w), by forward mode: one pass from the leaves to E.

    Tangents are numbers per Value, leaf or not (0 where none is given). Raises TypeError for a key that isn't a Value,
    DomainError where a local derivative that is needed is infinite or undefined.

    >>> x, w = Value(1.5), Value(-0.5)
    >>> jvp(x * w, {x: 1.0, w: 10.0})
    14.5
    """
    _check_mapping("jvp", tangents)
    speed = {node: number(tangent) for node, tangent in tangents.items()}
    for node in topological_order(E):
        if node not in tangents:
            whole = 0.0
            for slot, operand, partial in edges(node):
                if speed[operand] != 0:
                    whole += speed[operand] * partial
                    if not math.isfinite(whole):
                        raise contribution_error(node, slot, speed[operand])
            speed[node] = whole
    return speed[E]


# -- the same graph at another point


def replay(E: Value, changes: Mapping[Value, Value | float]) -> Value:
    """The recorded graph with other numbers (or other Values) for some of its nodes: a new graph, the first untouched.

    The other leaves are copied with their present data. A Python `if` that chose while E was built isn't decided again.
    Raises ValueError for a node that isn't in the graph; DomainError where an operation has no finite value there.

    >>> x, w = Value(1.5, label="x"), Value(-0.5, label="w")
    >>> replay(x * w, {w: 2.0}).data
    3.0
    """
    order = topological_order(E)
    nodes = set(order)
    _check_mapping("replay", changes)
    for node in changes:
        if node not in nodes:
            raise ValueError(f"replay was given {node!r}, which is not in the graph of {E!r}")
    given = {
        node: new if type(new) is Value else Value(new, node.label)  # type: ignore[arg-type]
        for node, new in changes.items()
    }
    copies: dict[Value, Value] = rebuilt(order, given)
    return copies[E]


def rebuilt(order: list[Value], given: Mapping[Value, Value | float]) -> dict[Value, Any]:
    """A copy of each node, with what is given in the place of some; other leaves have their present data."""
    copies: dict[Value, Any] = dict(given)
    for node in order:
        if node not in copies and node.rule is None:
            copies[node] = Value(node.data, node.label)
        elif node not in copies:
            copies[node] = copy = node.rule.apply([copies[i] if type(i) is Value else i for i in node.inputs])  # type: ignore[union-attr]
            if type(copy) is Value:  # of numbers alone, it is one
                copy.label = node.label
    return copies
