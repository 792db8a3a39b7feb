"""gradcheck: every derivative in a graph beside the number that nudging gives, without any calculus.

A wrong row shows here, be it the table's or one's own made with operation(). Kinks are told apart from errors.
"""

from __future__ import annotations

import math

from engine.calculus import dependents, replay
from engine.domain import operand_name
from engine.order import topological_order
from engine.text.names import display_names, find_node, quotient
from engine.value import Value, first_stale

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOLERANCE = 1e-6  # of the larger of the two numbers


class Check:
    """One derivative: its name, the engine's number, the nudged number, and a verdict: ok, kink, wrong or undecided."""

    __slots__ = ("engine", "name", "nudged", "verdict")

    def __init__(self, name: str, engine: float, function: Callable[[float], float], at: float) -> None:
        self.name, self.engine = name, engine
        self.nudged, uncertainty, left, right = nudge(function, at)
        off = abs(engine - self.nudged)
        bound = TOLERANCE * max(abs(engine), abs(self.nudged))
        if left != right:
            between = min(left, right) - bound <= engine <= max(left, right) + bound
            self.verdict = "kink" if between else "wrong"
        elif off <= bound:
            self.verdict = "ok"
        else:  # nudging itself may be too coarse to tell
            self.verdict = "undecided" if math.isnan(off) or off <= 10 * uncertainty else "wrong"

    def __repr__(self) -> str:
        return f"{self.name} = {self.engine:.10g}, nudged {self.nudged:.10g}: {self.verdict}"


class GradCheck:
    """The report of gradcheck: .checks, .ok where none is wrong, and a readable repr."""

    def __init__(self, checks: list[Check], stale: str | None) -> None:
        self.checks, self.stale = checks, stale
        self.ok = all(check.verdict != "wrong" for check in checks)

    def __repr__(self) -> str:
        verdicts = [check.verdict for check in self.checks]
        told = ", ".join(f"{verdicts.count(v)} {v}" for v in ("kink", "wrong", "undecided") if v in verdicts)
        count = f"{len(self.checks)} derivative{'s' if len(self.checks) != 1 else ''}"
        lines = [f"gradcheck: {count}, {told or 'all ok'}"]
        lines += [f"  {check!r}" for check in self.checks if check.verdict != "ok"]
        return "\n".join(lines + ([f"  note: {self.stale}"] if self.stale else []))


def gradcheck(E: Value) -> GradCheck:
    """Every ∂E/∂leaf, and the local derivative on every edge, beside a numeric derivative; no gradient is touched.

    Leaves are nudged at their present data and the graph is replayed, once or twice a dozen times each: the time is
    that of (leaves × nodes). Raises TypeError for what isn't a Value, DomainError as backward() does.

    >>> x, w = Value(1.5, label="x"), Value(-0.5, label="w")
    >>> gradcheck((x * w).tanh())
    gradcheck: 5 derivatives, all ok
    >>> from engine import operation
    >>> wrong = operation("wrong", "x**3", "2*x**2")
    >>> gradcheck(wrong(x))
    gradcheck: 2 derivatives, 2 wrong
      ∂E/∂x = 4.5, nudged 6.75: wrong
      edge E = wrong(x), dz/dx = 4.5, nudged 6.75: wrong
    """
    stale = first_stale(topological_order(E))
    order = _with_gradients(E)
    names = display_names(order)
    checks = [_check(order, names, leaf) for leaf in order if leaf.rule is None and leaf.grad is not None]
    for node in order:
        for slot, (input, partial) in enumerate(zip(node.inputs, node.partials, strict=True)):
            if type(input) is Value and partial is not None and math.isfinite(partial):
                assert node.rule is not None
                name = f"edge {names[node]} = {node.rule.typed}, dz/d{operand_name(node.rule, slot)}"
                checks.append(Check(name, partial, _operation_of(node, slot), input.data))
    return GradCheck(checks, stale)


def check_node(E: Value, node: Value) -> Check:
    """∂E/∂node, for one node in the graph of E, a leaf or not, beside a numeric derivative; no gradient is touched.

    Raises ValueError for a node that isn't in the graph, DomainError as backward() does.

    >>> x, w = Value(1.5, label="x"), Value(-0.5, label="w")
    >>> s = x * w
    >>> check_node(s.exp(), s)
    ∂E/∂v1 = 0.4723665527, nudged 0.4723665527: ok
    """
    found = topological_order(E)
    place = found.index(find_node(display_names(found), node))
    order = _with_gradients(E)
    return _check(order, display_names(order), order[place])


def _with_gradients(E: Value) -> list[Value]:
    """The nodes of a copy of the graph at its leaves' present data, after backward()."""
    E = replay(E, {})
    E.backward()
    return topological_order(E)


def _check(order: list[Value], names: Mapping[Value, str], node: Value) -> Check:
    E = order[-1]
    return Check(quotient(names[E], names[node]), node.grad or 0.0, value_of(E, order, node), node.data)


def value_of(E: Value, order: list[Value], leaf: Value) -> Callable[[float], float]:
    """E's number as a function of the number of one of its nodes."""
    depends = dependents(order, [leaf])
    affected = [node for node in order if node in depends and node is not leaf]

    def value(at: float) -> float:
        numbers = {leaf: at}
        for node in affected:
            numbers[node] = node.rule.apply(  # type: ignore[union-attr]
                [input if isinstance(input, float) else numbers.get(input, input.data) for input in node.inputs]
            )
        return numbers[E]

    return value


def _operation_of(node: Value, slot: int) -> Callable[[float], float]:
    numbers = [input if isinstance(input, float) else input.data for input in node.inputs]

    def value(at: float) -> float:
        assert node.rule is not None
        return float(node.rule.apply([*numbers[:slot], at, *numbers[slot + 1 :]]))

    return value


def nudge(function: Callable[[float], float], at: float) -> tuple[float, float, float, float]:
    """A numeric derivative, its uncertainty, and, at a kink, the slopes to its left and right (else 0, 0).

    Central differences over ever smaller steps, extrapolated to step 0 (C. J. F. Ridders, Accurate computation of F'(x)
    and F'(x)F''(x), Advances in Engineering Software 4, 1982); over one tiny step where a kink lies near. nan where the
    function has no value on either side.
    """

    def slope(low: float, high: float) -> tuple[float, float]:
        try:
            ends = function(at + low), function(at + high)
            width = (at + high) - (at + low)
            return (ends[1] - ends[0]) / width, 1e-15 * max(map(abs, ends)) / width
        except ArithmeticError:  # out of the function's domain, or nowhere to go
            return math.nan, math.nan

    scale = abs(at) or 1.0
    best, uncertainty = _extrapolated(lambda step: slope(-step, step), scale)
    tiny = 1e-6 * scale
    (left, noise), (right, _) = slope(-tiny, 0.0), slope(0.0, tiny)
    (nearer_left, nearer_noise), (nearer_right, _) = slope(-tiny / 10, 0.0), slope(0.0, tiny / 10)
    middle = (left + right) / 2
    if abs(nearer_right - nearer_left) > max(abs(right - left) / 2, 10 * nearer_noise):
        return middle, noise, left, right  # a curve's two slopes close in on each other, a kink's don't
    spread = 10 * noise + abs(right - left) + abs(middle - (nearer_left + nearer_right) / 2)
    if abs(middle - best) > spread + 1e-3 * abs(best):  # the wider steps went over a kink
        return middle, spread, 0.0, 0.0
    return best, uncertainty, 0.0, 0.0


def _extrapolated(slope: Callable[[float], tuple[float, float]], scale: float) -> tuple[float, float]:
    best, uncertainty, least = math.nan, math.nan, math.inf
    for widest in (1.0, scale, 1e-4 * scale, 1e-8 * scale):
        if widest < min(1.0, scale) and not math.isnan(best):
            break  # the tiny steps are for a point that lies next to the edge of the domain
        row: list[float] = []
        for level in range(14):
            central, noise = slope(0.1 * widest / 2**level)
            previous, row = row, [central]
            for order, old in enumerate(previous, start=1):
                row.append(row[-1] + (row[-1] - old) / (4**order - 1))
                error = max(abs(row[-1] - row[-2]), abs(row[-1] - old)) + noise
                share = error / abs(row[-1]) if row[-1] else math.inf
                if share < least or math.isnan(best):
                    best, uncertainty, least = row[-1], error, share
    return best, uncertainty
