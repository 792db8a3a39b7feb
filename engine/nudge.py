"""gradcheck: every derivative in a graph beside the number that nudging gives, without any calculus.

A wrong row shows here, be it the table's or one's own made with operation(). Kinks are told apart from errors.
"""

from __future__ import annotations

import math
from math import isfinite

from engine.calculus import dependents, replay
from engine.domain import operand_name
from engine.order import check_root, topological_order
from engine.text.monospace import Monospaced
from engine.text.names import counted, display_names, find_node, quotient
from engine.value import Value, edges, first_stale

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

HELD = "detach"  # what a nudge doesn't go through, as no gradient does
TOLERANCE = 1e-6  # of the larger of the two numbers
Slopes = tuple[float, ...]  # to the left, to the right, across; what of them may be the last rounding, and all rounding
EPSILON, TINIEST = 2.0**-50, 5e-324  # what a rounding costs (and a little more), relative, and next to 0


class Check(Monospaced):
    """One derivative: its name, the engine's number, the nudged number, and a verdict: ok, kink, wrong or undecided.

    noise is what rounding may come to in the function's values, blur in the engine's number. A step larger than scale,
    the least of the numbers that count, may go over more than a nudge should, and calls nothing wrong.
    """

    __slots__ = ("engine", "name", "nudged", "verdict")

    def __init__(
        self, name: str, engine: float, function: Callable[[float], float], at: float,
        noise: float = 0.0, blur: float = 0.0, scale: float = 1.0,
    ) -> None:  # fmt: skip
        self.name, self.engine = name, engine
        self.nudged, self.verdict = verdict(engine, nudges(function, at, noise, blur, scale))

    def __repr__(self) -> str:
        return f"{self.name} = {self.engine:.10g}, nudged {self.nudged:.10g}: {self.verdict}"


class GradCheck(Monospaced):
    """The report of gradcheck: .checks, .ok where none is wrong, and a readable repr."""

    def __init__(self, checks: list[Check], stale: str | None) -> None:
        self.checks, self.stale = checks, stale
        self.ok = all(check.verdict != "wrong" for check in checks)

    def __repr__(self) -> str:
        verdicts = [check.verdict for check in self.checks]
        told = ", ".join(f"{verdicts.count(v)} {v}" for v in ("kink", "wrong", "undecided") if v in verdicts)
        lines = [f"gradcheck: {counted(len(self.checks), 'derivative')}, {told or 'all ok'}"]
        lines += [f"  {check!r}" for check in self.checks if check.verdict != "ok"]
        return "\n".join(lines + ([f"  note: {self.stale}"] if self.stale else []))


def gradcheck(E: Value, names: Mapping[Value, str] | None = None) -> GradCheck:
    """Every ∂E/∂leaf, and the local derivative on every edge, beside a numeric derivative; no gradient is touched.

    Leaves are nudged at their present data and the graph is replayed, one to four dozen times each: the time is that of
    (leaves × nodes). undecided is said where rounding, or steps that go over too much, leave nothing to see. names are
    those that nodes are shown by, if not by their labels. Raises TypeError for what isn't a Value, DomainError as
    backward() does.

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
    check_root(E, "gradcheck")
    found = topological_order(E)
    stale, order = first_stale(found), _with_gradients(E)
    names = _names(found, order, names)
    open_ = (node for node in order if node.op != HELD)
    slots = ((node, slot) for node in open_ for slot, _, partial in edges(node) if isfinite(partial))
    nodes = [(node, check_edge(node, slot, names[node])) for node, slot in slots]
    doubtful = {node for node, check in nodes if check.verdict in ("kink", "undecided")}
    leaves = [leaf for leaf in order if leaf.rule is None and leaf.grad is not None]
    checks = [_check(order, names, leaf) for leaf in leaves]
    for leaf, check in zip(leaves, checks, strict=True):
        if check.verdict == "wrong" and doubtful & dependents(order, [leaf]):
            check.verdict = "undecided"  # it is made of what couldn't be told
    return GradCheck(checks + [check for _, check in nodes], stale)


def check_node(E: Value, node: Value, names: Mapping[Value, str] | None = None) -> Check:
    """∂E/∂node, for one node in the graph of E, a leaf or not, beside a numeric derivative; no gradient is touched.

    names are as in gradcheck. Raises ValueError for a node that isn't in the graph, DomainError as backward() does.

    >>> x, w = Value(1.5, label="x"), Value(-0.5, label="w")
    >>> s = x * w
    >>> check_node(s.exp(), s)
    ∂E/∂v1 = 0.4723665527, nudged 0.4723665527: ok
    """
    found = topological_order(E)
    place = found.index(find_node(display_names(found), node))
    order = _with_gradients(E)
    return _check(order, _names(found, order, names), order[place])


def _names(found: list[Value], order: list[Value], names: Mapping[Value, str] | None) -> Mapping[Value, str]:
    """The names of the nodes of a copy: their labels, or the names that were given for the nodes found."""
    if names is None:
        return display_names(order)
    return {copy: names[node] for node, copy in zip(found, order, strict=True)}


def _with_gradients(E: Value) -> list[Value]:
    """The nodes of a copy of the graph at its leaves' present data, after backward()."""
    E = replay(E, {})
    E.backward()
    return topological_order(E)


def _check(order: list[Value], names: Mapping[Value, str], node: Value) -> Check:
    """The derivative of the last node by one before it."""
    E, at = order[-1], node.data
    noise, blurs = rounding(order)
    name, function = quotient(names[E], names[node]), value_of(E, order, node)
    return Check(name, node.grad or 0.0, function, at, noise, blurs[node], abs(at) or 1.0)


def check_edge(node: Value, slot: int, name: str) -> Check:
    """A node's local derivative by the operand in a slot, with the others held."""
    numbers = [given if isinstance(given, float) else given.data for given in node.inputs]
    rule, partial = node.rule, node.partials[slot]
    assert rule is not None and partial is not None

    def value(at: float) -> float:
        return float(rule.apply([*numbers[:slot], at, *numbers[slot + 1 :]]))

    name = f"edge {name} = {rule.typed}, dz/d{operand_name(rule, slot)}"
    pairs = zip(node.partials, numbers, strict=True)
    noise = EPSILON * sum((abs(slope * x) for slope, x in pairs if slope and isfinite(slope)), _inside(node))
    return Check(name, partial, value, numbers[slot], noise, scale=min(abs(x) or 1.0 for x in numbers))


def rounding(order: list[Value]) -> tuple[float, dict[Value, float]]:
    """What rounding may come to in the last node's number, and in its derivative by each node."""
    reach = dict.fromkeys(order, 0.0)  # Σ |partial · partial · …| over all paths: rounding stays where they cancel
    reach[order[-1]] = 1.0
    for node in reversed(order):
        for _, operand, partial in edges(node):
            if partial and isfinite(partial) and reach[node]:
                reach[operand] += reach[node] * abs(partial)
    noise = sum(reach[node] * (EPSILON * (abs(node.data) + _inside(node)) + TINIEST) for node in order)
    return noise, {node: EPSILON * size for node, size in reach.items()}


def _inside(node: Value) -> float:
    # exp(x - m) is 1 for the largest operand of logsumexp and share, whose own number may be much less
    return 1.0 if node.rule and node.rule.many else 0.0


def value_of(E: Value, order: list[Value], leaf: Value) -> Callable[[float], float]:
    """E's number as a function of the number of one of its nodes."""
    depends = dependents(order, [leaf])
    affected = [node for node in order if node in depends and node is not leaf and node.op != HELD]

    def value(at: float) -> float:
        numbers = {leaf: at}
        for node in affected:
            assert node.rule is not None
            given = (numbers.get(each, each.data) if isinstance(each, Value) else each for each in node.inputs)
            numbers[node] = node.rule.apply(list(given))
        return numbers.get(E, E.data)

    return value


class Nudge:
    """Slopes over one step and over a quarter of it: what they come to, how sure that is, and how they differ."""

    __slots__ = ("error", "jumps", "kinked", "left", "noise", "right", "settled", "slope", "spread")

    def __init__(self, wide: Slopes, narrow: Slopes, within: bool, before: Nudge | None) -> None:
        (left, right, across, _, _), (self.left, self.right, slope, grain, self.noise) = wide, narrow
        # what is left of the error falls with the square of the step (L. F. Richardson, Phil. Trans. A 210, 1911)
        self.slope = slope + (slope - across) / 15
        self.error = abs(slope - across) + self.noise
        self.spread = abs(self.slope - before.slope) + self.noise if before else self.error  # from nudge to nudge
        # the slopes to the two sides of a curve close in on each other, those of a kink don't; at a jump they grow
        self.kinked = abs(self.right - self.left) > max(abs(right - left) / 2, 10 * self.noise)
        self.jumps = abs(slope) > max(3 * abs(across), 10 * self.noise)
        self.settled = within and abs(slope - across) <= 0.1 * abs(slope) + 2 * grain

    def is_sure(self) -> bool:
        """Is this a slope, and sure enough?"""
        size = max(abs(self.left), abs(self.right))
        level = self.error <= 2 * self.noise <= 1e-3 * size or size == 0  # a slope of 0, as at the top of a hill
        return (self.error <= 1e-4 * abs(self.slope) or level) and not self.kinked

    def agrees(self, engine: float) -> bool:
        """Is the engine's number this slope?"""
        return abs(engine - self.slope) <= TOLERANCE * max(abs(engine), abs(self.slope))

    def tells(self, engine: float) -> bool:
        """Is there more to see than rounding?"""
        return self.kinked or self.jumps or abs(engine - self.slope) >= 50 * self.noise

    def refutes(self, engine: float) -> bool:
        """Is this sure enough, and another number?"""
        reach = 10 * self.error
        return self.settled and not min(self.left, self.right) - reach <= engine <= max(self.left, self.right) + reach


def verdict(engine: float, nudges: Iterable[Nudge]) -> tuple[float, str]:
    """The nudged derivative, and what is to be said of the engine's number.

    ok, where it is that of the surest nudge. Otherwise the two smallest that tell anything decide: wrong, where both
    refute the number; a kink, where one has two slopes and the number between them, or jumps.
    """
    tried = list(nudges)
    sure = [nudge for nudge in tried if nudge.is_sure()]
    if sure and (best := min(sure, key=lambda nudge: nudge.spread)).agrees(engine):
        return best.slope, "ok"
    last = [nudge for nudge in tried if nudge.tells(engine)][-2:]
    if len(last) == 2 and all(nudge.refutes(engine) for nudge in last):
        return _surest(sure or last), "wrong"
    if any(nudge.kinked or nudge.jumps for nudge in last):
        return (last[-1].left + last[-1].right) / 2, "kink"
    return _surest(tried), "undecided"


def _surest(nudges: list[Nudge]) -> float:
    return min(nudges, key=lambda nudge: nudge.spread).slope if nudges else math.nan


def nudges(function: Callable[[float], float], at: float, noise: float, blur: float, scale: float) -> Iterator[Nudge]:
    """Nudges over ever smaller steps, from a tenth of the number, or of 1, down to where rounding is all there is.

    A step out of the function's domain is left out.
    """
    here, wide, step = function(at), None, 0.1 * max(1.0, abs(at))
    nudge: Nudge | None = None
    while at + step - (at - step) > 1.9 * step and step > 1e-17 * (abs(at) or 1.0):
        try:
            low, high = at - step, at + step
            before, after = function(low), function(high)
            grain = EPSILON * max(abs(before), abs(after)) + TINIEST  # of the last rounding
            narrow = (
                (here - before) / (at - low), (after - here) / (high - at), (after - before) / (high - low),
                grain / step, max(noise, grain) / step + blur,
            )  # fmt: skip
            if wide:
                nudge = Nudge(wide, narrow, step <= min(1.0, scale), nudge)
                yield nudge
            wide = narrow
        except ArithmeticError:
            pass
        step /= 4
