"""compare: gradients from elsewhere against the chain rule, and the classic mistake whose numbers they are."""

from __future__ import annotations

from collections.abc import Mapping

from engine.domain import DomainError, number
from engine.order import topological_order
from engine.steps.passes import MISTAKES, Grad, record
from engine.text.names import display_names, find_node, number_text
from engine.value import Value


class Comparison:
    """The report of compare: .ok; .node, the first that is off, and .mistakes, the names whose numbers these are."""

    def __init__(self, node: Value | None, mistakes: list[str], text: str) -> None:
        self.node, self.mistakes, self.text = node, mistakes, text
        self.ok = node is None

    def __repr__(self) -> str:
        return self.text


def compare(E: Value, gradients: Mapping[Value, float] | Mapping[str, float], tolerance: float = 1e-6) -> Comparison:
    """Gradients from elsewhere, by Value or name, against the chain rule: which mistake they are, or where they part.

    Equal means within tolerance, relative to the right number. Raises TypeError for what isn't a mapping to numbers,
    ValueError for a name or a Value that isn't in the graph.

    >>> a = Value(1.5, label="a")
    >>> compare(a * a, {"a": 1.5})
    compare: a.grad is 3, and 1.5 was given
    this is the mistake 'assign': = for +=, a later contribution replaces the earlier ones
    this is the mistake 'once': a node used twice by another, as in a + a, gets one contribution
    """
    if not hasattr(gradients, "items"):
        raise TypeError(f"compare takes a mapping from Values or names to numbers, not {type(gradients).__name__}")
    order = topological_order(E)
    names = display_names(order)
    given = {find_node(names, key): number(value) for key, value in gradients.items()}

    def off(finals: Mapping[Value, Grad]) -> list[Value]:
        """The nodes whose given number is another one, in backward order."""
        return [
            node
            for node in reversed(order)
            if node in given and abs(given[node] - (finals[node] or 0.0)) > tolerance * abs(finals[node] or 0.0)
        ]

    right = record(order).final
    wrong = off(right)
    if not wrong:
        return Comparison(None, [], f"compare: all {len(given)} gradients are those of the chain rule")
    node, mistakes = wrong[0], []
    for mistake in MISTAKES.values():
        try:
            finals = record(order, mistake).final
        except DomainError:
            continue
        if not off(finals):
            mistakes.append(mistake)
    lines = [
        f"compare: {names[node]}.grad is {number_text(right[node] or 0.0)}, and {number_text(given[node])} was given"
    ]
    lines += [f"this is the mistake {mistake.name!r}: {mistake.says}" for mistake in mistakes]
    if not mistakes and len(wrong) > 1:
        lines.append(f"it is the first that is off, in backward order; {len(wrong) - 1} more are")
    return Comparison(node, [mistake.name for mistake in mistakes], "\n".join(lines))
