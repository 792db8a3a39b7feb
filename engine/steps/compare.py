"""compare: gradients from elsewhere against the chain rule, and the classic mistake whose numbers they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from engine.domain import DomainError, number
from engine.order import check_root, topological_order
from engine.steps.passes import MISTAKES, Edge, Grad, Pass, Record, record
from engine.text.monospace import Monospaced
from engine.text.names import counted, display_names, find_node, number_text
from engine.value import Value

FEWEST, MOST = 3, 6  # digits that a rounded number is given with; one with more is compared by TOLERANCE
TOLERANCE = 1e-6
PARTS = 8  # contributions to one node, of which the lost ones are looked for


def rounds_to(true: float, given: float, tolerance: float | None = None) -> bool:
    """Whether a number that was given is the true one: rounded to as many digits as it was given with, three at least.

    A zero at the end can't be told from one that wasn't written, so 0.3 may stand for 0.300. Given with more than six
    digits, or with a tolerance, it has to be within 1e-6, or the tolerance, of the true one.

    >>> [rounds_to(1.26588, given) for given in (1.27, 1.266, 1.2659, 1.26, 1.2)]
    [True, True, True, False, False]
    """
    digits = len(repr(abs(given)).partition("e")[0].replace(".", "").strip("0"))
    if tolerance is not None or digits > MOST:
        return abs(given - true) <= (TOLERANCE if tolerance is None else tolerance) * abs(true)
    if true == 0 or true == given:
        return true == given
    exponent = int(f"{true:.16e}".partition("e")[2])  # of its leading digit
    half = 0.5 * 10.0 ** (exponent - max(digits, FEWEST) + 1)
    return abs(given - true) <= half * (1 + 1e-9)  # a tie may be rounded up or down


class Comparison(Monospaced):
    """The report of compare: .ok; .node, the first that is off, and .mistakes, the names whose numbers these are.

    .off has all that are off, in backward order, with the right number and the one that was given; .lost are the edges
    whose contributions to .node are missing, if what was given is the sum of the others.
    """

    def __init__(
        self, off: dict[Value, tuple[float, float]], mistakes: list[str], text: str, lost: Sequence[Edge] = ()
    ) -> None:
        self.off, self.mistakes, self.text, self.lost = off, mistakes, text, lost
        self.node = next(iter(off), None)
        self.ok = not off

    def __repr__(self) -> str:
        return self.text


def compare(
    E: Value, gradients: Mapping[Value, float] | Mapping[str, float], tolerance: float | None = None
) -> Comparison:
    """Gradients from elsewhere, by Value or name, against the chain rule: which mistake they are, or where they part.

    A number is right if it is the true one rounded to the digits that it has, three at least (see rounds_to), or with a
    tolerance, if it is within that, relative to the true one. A mistake is named if it explains every number given.
    Raises TypeError for what isn't a mapping to numbers, ValueError for a name or a Value that isn't in the graph.

    >>> a = Value(1.5, label="a")
    >>> compare((a * a).tanh() * a, {"a": 1.174})
    compare: the gradient is that of the chain rule
    >>> compare(a * a, {"a": 1.5})
    compare: a.grad is 3, and 1.5 was given
    this could be the mistake 'assign': = for +=, a later contribution replaces the earlier ones
    this could be the mistake 'half': every gradient is half of the right one, as where a factor 2 is lost
    this could be the mistake 'once': a node used twice by another, as in a + a, gets one contribution
    """
    if not hasattr(gradients, "items"):
        raise TypeError(f"compare takes a mapping from Values or names to numbers, not {type(gradients).__name__}")
    check_root(E, "compare")
    order = topological_order(E)
    names = display_names(order)
    given = {find_node(names, key): number(value) for key, value in gradients.items()}

    def off(finals: Mapping[Value, Grad]) -> list[Value]:
        """The nodes whose given number is another one, in backward order."""
        nodes = (node for node in reversed(order) if node in given)
        return [node for node in nodes if not rounds_to(finals[node] or 0.0, given[node], tolerance)]

    steps = record(order)
    right = steps.final
    wrong = {node: (right[node] or 0.0, given[node]) for node in off(right)}
    if not wrong:
        each = "the gradient is that" if len(given) == 1 else f"all {counted(len(given), 'gradient')} are those"
        return Comparison({}, [], f"compare: {each} of the chain rule")
    mistakes = [mistake for mistake in MISTAKES.values() if (finals := _final(order, mistake)) and not off(finals)]
    lines = [f"{names[node]}.grad is {_apart(*numbers)} was given" for node, numbers in wrong.items()]
    verb = "is" if len(given) > 1 and len(mistakes) == 1 else "could be"
    lines += [f"this {verb} the mistake {mistake.name!r}: {mistake.says}" for mistake in mistakes]
    if not mistakes and len(wrong) > 1:
        lines.append("no classic mistake has these numbers; the first is the first that is off, in backward order")
    first, (_, number_given) = next(iter(wrong.items()))
    lost = _lost(steps, first, number_given, tolerance)
    return Comparison(wrong, [mistake.name for mistake in mistakes], "compare: " + "\n".join(lines), lost)


def _lost(steps: Record, node: Value, given: float, tolerance: float | None) -> list[Edge]:
    """The edges that are left out where the given number is the sum of some contributions, and of one choice only."""
    parts: list[tuple[Edge, float]] = []
    for step in steps.writes[node]:
        slot = steps.slots[step]
        if slot is not None and steps.contributions[step]:
            parts.append(((steps.nodes[step], slot), steps.contributions[step]))
    if not 1 < len(parts) <= PARTS:
        return []
    kept = [
        chosen
        for count in range(1, len(parts))
        for chosen in combinations(parts, count)
        if rounds_to(sum(part for _, part in chosen), given, tolerance)
    ]
    return [edge for edge, part in parts if (edge, part) not in kept[0]] if len(kept) == 1 else []


def _final(order: list[Value], mistake: Pass) -> dict[Value, Grad] | None:
    """The gradients that a mistake ends with; None where it comes to no finite number."""
    try:
        return record(order, mistake).final
    except DomainError:
        return None


def _apart(right: float, given: float) -> str:
    """Two numbers as texts that differ."""
    texts = number_text(right), number_text(given)
    return ", and ".join(texts if texts[0] != texts[1] else (repr(right), repr(given)))
