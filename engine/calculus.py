"""Calculus on graphs: derivatives that are graphs again, forward mode, the graph at another point, and a check.

Everything rests on the table: a derivative as a graph is a partial's formula read over Values instead of floats.
"""

from __future__ import annotations

import math

from engine.domain import TOO_LARGE, DomainError, contribution_error, number, sum_error
from engine.formulas import code, float_functions
from engine.operations import FUNCTIONS, make
from engine.order import check_root, topological_order
from engine.rules import Rule
from engine.text.names import display_names, find_node, shown
from engine.value import Value, edges, operand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any


def derivative(E: Value, w: Value | str) -> Value:
    """∂E/∂w as a Value, a graph over the same nodes, which can be differentiated again; 0 where w doesn't reach E.

    w is a Value, or the name that it is shown by. Raises TypeError for what isn't one, ValueError for a name that isn't
    in the graph, DomainError where a local derivative on the way is infinite or undefined.

    >>> x = Value(1.5, label="x")
    >>> derivative(derivative(x**3, x), "x").data
    9.0
    """
    check_root(E, "derivative")
    return gradient(E, [w])[0]


def gradient(E: Value, wrt: Sequence[Value | str]) -> list[Value]:
    """[∂E/∂w for w in wrt], each a Value, by one backward pass over the graph; raises as derivative() does.

    >>> x, w = Value(1.5, label="x"), Value(-0.5, label="w")
    >>> [slope.data for slope in gradient(x * w, [x, "w"])]
    [-0.5, 1.5]
    """
    check_root(E, "gradient")
    order = topological_order(E)
    if not isinstance(wrt, (list, tuple)):
        raise TypeError(f"gradients are with respect to a list of Values, such as [w, b], not {type(wrt).__name__}")
    meant = _meant(order, wrt)
    depends = dependents(order, meant)
    contributions: dict[Value, list[Value | float]] = {node: [] for node in depends}
    contributions.get(E, []).append(1.0)
    gradients: dict[Value, Value | float] = {}
    for node in reversed(order):
        if node in depends:
            gradients[node] = upstream = _sum(node, contributions[node])
            slots = [slot for slot, found, _ in edges(node) if found in depends]
            if not _is_float(upstream, 0.0) and slots:
                for slot, contribution in zip(slots, _contributions(node, slots, upstream), strict=True):
                    if not _is_float(contribution, 0.0):
                        contributions[operand(node, slot)].append(contribution)
    results = [gradients.get(w, 0.0) for w in meant]
    return [Value(result) if isinstance(result, float) else result for result in results]


def hessian(E: Value, wrt: Sequence[Value | str]) -> list[list[Value]]:
    """The second derivatives ∂²E/∂w∂v, a row for each w in wrt, each a Value; raises as derivative() does.

    >>> x, y = Value(1.5), Value(-0.5)
    >>> [[value.data for value in row] for row in hessian(x**2 * y, [x, y])]
    [[-1.0, 3.0], [3.0, 0.0]]
    """
    check_root(E, "hessian")
    firsts = gradient(E, wrt)
    meant = _meant(topological_order(E), wrt)
    return [gradient(first, meant) for first in firsts]


def _meant(order: list[Value], given: Iterable[Value | str]) -> list[Value]:
    """The Values that are given, or the nodes of this graph that are shown by these names."""
    found, names = list[Value](), dict[Value, str]()
    for w in given:
        if isinstance(w, str):
            names = names or display_names(order)
            w = find_node(names, w)
        elif type(w) is not Value:
            raise TypeError(f"a derivative is with respect to a Value, not {type(w).__name__}")
        found.append(w)
    return found


def _meant_by(name: str, order: list[Value], given: Any) -> dict[Value, Any]:
    """A mapping from Values or names as one from Values."""
    if not hasattr(given, "items"):
        raise TypeError(
            f"{name} takes a mapping from Values to numbers, such as {{w: 0.7}}, not {type(given).__name__}"
        )
    for node in given:
        if not isinstance(node, (Value, str)):
            raise TypeError(f"{name} takes Values, a number for each, and was given {node!r} ({type(node).__name__})")
    return dict(zip(_meant(order, given), given.values(), strict=True))


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


def _sum(node: Value, terms: list[Value | float]) -> Value | float:
    try:
        return _total(terms)
    except DomainError:
        raise sum_error(node, sum(map(_number, terms))) from None


def _product(x: Value | float, y: Value | float) -> Value | float:
    return y if _is_float(x, 1.0) else x if _is_float(y, 1.0) else x * y


def _number(x: Value | float) -> float:
    return x if isinstance(x, float) else x.data


# A gradient of 0 contributes 0 whatever the local derivative, as in backward(). Where that is infinite it has no graph:
# this stands for the product, and refuses to be replayed, or differentiated, where it wouldn't be 0.
SHUT = Rule("shut", "shut(x)", "x if x == 0 else log(-1)", "1 / z", domain="x = 0, where the derivative was taken")
_shut = make([SHUT])["shut"]


def _contributions(node: Value, slots: list[int], upstream: Value | float) -> list[Value | float]:
    """upstream times ∂node/∂operand, for each of these slots. Raises DomainError as backward() does there."""
    arriving = _number(upstream)
    for slot in slots:
        contribution = arriving * (node.partials[slot] or 0.0)
        if arriving != 0 and contribution - contribution != 0:  # inf or nan
            raise contribution_error(node, slot, arriving)
    try:
        return [_product(upstream, partial) for partial in local_derivatives(node, slots)]
    except DomainError:
        if arriving != 0:
            raise
    if len(slots) > 1:
        return [contribution for slot in slots for contribution in _contributions(node, [slot], upstream)]
    return [_shut(upstream)]


# -- the third reading of a formula: over Values


def _total(terms: list[Value | float]) -> Value | float:
    return FUNCTIONS["total"](terms) if len(terms) > 1 else terms[0] if terms else 0.0


def _shares(xs: list[Any]) -> list[Any]:
    return [FUNCTIONS["share"]([x, *xs[:i], *xs[i + 1 :]]) for i, x in enumerate(xs)]


GRAPH_FUNCTIONS: dict[str, Any] = {**float_functions(), **FUNCTIONS, "sum": _total, "softmax": _shares}


def local_derivatives(node: Value, slots: Sequence[int]) -> list[Value | float]:
    """∂node/∂operand for these operand slots, as graphs: the table's formulas read over Values.

    Raises DomainError where one is infinite or undefined, or made of what is.
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
            raise DomainError(f"{rule.name}: its local derivative has no graph here: {error}") from None
        if rule.many:
            return [partials[slot] for slot in slots]
        results.append(partials)
    return results


# -- forward mode


def jvp(E: Value, tangents: Mapping[Value, float] | Mapping[str, float]) -> float:
    """The directional derivative Σ ∂E/∂w · tangent(w), by forward mode: one pass from the leaves to E.

    Tangents are numbers per Value, leaf or not (0 where none is given). Raises TypeError for a key that isn't a Value,
    DomainError where a local derivative that is needed is infinite or undefined.

    >>> x, w = Value(1.5), Value(-0.5)
    >>> jvp(x * w, {x: 1.0, w: 10.0})
    14.5
    """
    check_root(E, "jvp")
    order = topological_order(E)
    given = {node: number(tangent) for node, tangent in _meant_by("jvp", order, tangents).items()}
    speed = dict(given)
    for node in order:
        if node not in given:
            whole = 0.0
            for slot, found, partial in edges(node):
                if speed[found] != 0:
                    whole += speed[found] * partial
                    if not math.isfinite(whole):
                        whole = _unneeded(E, node, slot, speed[found], given)
                        break
            speed[node] = whole
    return speed[E]


def _unneeded(E: Value, node: Value, slot: int, tangent: float, tangents: Iterable[Value]) -> float:
    """0 for the tangent of a node that E doesn't feel, as in backward(); raises what that raises, where E does."""
    arriving, *_ = gradient(E, [node, *tangents])
    if arriving.data != 0:
        named = shown(node.label) if node.label else node.op
        raise DomainError(f"the tangent of {named} is {TOO_LARGE}: by operand {slot} comes {tangent!r} times its slope")
    return 0.0


# -- the same graph at another point


def replay(E: Value, changes: Mapping[Value, Value | float] | Mapping[str, Value | float]) -> Value:
    """The recorded graph with other numbers (or other Values) for some of its nodes: a new graph, the first untouched.

    The other leaves are copied with their present data. A Python `if` that chose while E was built isn't decided again.
    Raises ValueError for a node that isn't in the graph; DomainError where an operation has no finite value there.

    >>> x, w = Value(1.5, label="x"), Value(-0.5, label="w")
    >>> replay(x * w, {w: 2.0}).data
    3.0
    """
    check_root(E, "replay")
    order = topological_order(E)
    nodes, meant = set(order), _meant_by("replay", order, changes)
    for node in meant:
        if node not in nodes:
            raise ValueError(f"replay was given {node!r}, which is not in the graph of {E!r}")
    given = {node: new if type(new) is Value else Value(new, node.label) for node, new in meant.items()}
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


def distinct_leaves(given: Sequence[Value] | None) -> list[Value]:
    """The inputs of a graph that is to be computed for other numbers. ValueError unless these are different leaves."""
    try:
        leaves: list[Any] = [] if given is None else list(given)
    except TypeError:
        leaves = [given]
    for leaf in leaves:
        if type(leaf) is not Value or leaf.rule is not None:
            raise ValueError(f"inputs are leaves, such as x = Value(0.3); given was {leaf!r}")
    if len(set(leaves)) < len(leaves):
        raise ValueError("inputs are different leaves; one was given twice")
    return leaves
