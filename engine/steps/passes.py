"""Backward passes, recorded step by step: the right one, and the classic wrong ones, each a row of a table.

A row says in which small way a pass differs; record() runs it on a graph without touching it; stepper.py walks it.
compare() recognises the mistake behind somebody's gradients. Value.backward() knows nothing of all this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from engine.domain import DomainError, contribution_error, number
from engine.order import topological_order
from engine.text.names import display_names, number_text
from engine.value import Value

Grad = float | None
Visits = Callable[[list[Value]], Iterable[Value]]


class Pass:
    """One way to run backprop: a name, what it does in words, and where it differs from the chain rule."""

    def __init__(
        self,
        name: str,
        says: str,
        *,
        visits: Visits = reversed,  # the nodes, in the order in which they pass their gradient on
        assigns: bool = False,  # input.grad = contribution
        seeds: bool = True,  # ∂E/∂E = 1
        resets: bool = True,  # an earlier pass leaves nothing in the interior nodes
        restarts: bool = True,  # nor in the leaves
        upstream: bool = True,  # a contribution has this factor
        partial: bool = True,  # and this one
        swaps: bool = False,  # of two operands, each gets the other's partial
        once: bool = False,  # an operand used twice by a node gets one contribution
    ) -> None:
        self.name, self.says, self.visits, self.assigns, self.seeds = name, says, visits, assigns, seeds
        self.resets, self.restarts, self.upstream, self.partial = resets, restarts, upstream, partial
        self.swaps, self.once = swaps, once

    def slots(self, node: Value) -> list[int]:
        """The operand slots that the node contributes to."""
        slots = [slot for slot, partial in enumerate(node.partials) if partial is not None]
        if self.once:
            slots = [slot for slot in slots if not any(node.inputs[slot] is earlier for earlier in node.inputs[:slot])]
        return slots

    def partial_of(self, node: Value, slot: int) -> float:
        """The local derivative that the pass takes for this slot."""
        partials = node.partials
        if self.swaps and len(partials) == 2 and None not in partials:
            slot = 1 - slot
        return partials[slot]  # type: ignore[return-value]


def preorder(order: list[Value]) -> Iterator[Value]:
    """Depth first from E, every node where it is met first."""
    stack, seen = [order[-1]], set[Value]()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            yield node
            stack += [input for input in reversed(node.inputs) if isinstance(input, Value)]


def breadth_first(order: list[Value]) -> Iterator[Value]:
    """Level by level from E, every node where it is met first."""
    queue, seen = [order[-1]], {order[-1]}
    for node in queue:
        yield node
        for input in node.inputs:
            if isinstance(input, Value) and input not in seen:
                seen.add(input)
                queue.append(input)


RIGHT = Pass("right", "the chain rule")
MISTAKES = {
    mistake.name: mistake
    for mistake in [
        Pass("assign", "= for +=, a later contribution replaces the earlier ones", assigns=True),
        Pass("preorder", "depth first, a node passes on before all its consumers have contributed", visits=preorder),
        Pass("breadth-first", "level by level, a node passes on before all its consumers have contributed",
             visits=breadth_first),
        Pass("no-reset", "interior gradients of an earlier pass are not reset", resets=False),
        Pass("no-zero-grad", "leaves keep the gradients of an earlier pass", restarts=False),
        Pass("no-seed", "∂E/∂E is not set to 1", seeds=False),
        Pass("no-upstream", "the local derivative alone, without the upstream gradient", upstream=False),
        Pass("no-local", "the upstream gradient alone, without the local derivative", partial=False),
        Pass("swapped", "each of two operands gets the other's local derivative", swaps=True),
        Pass("once", "a node used twice by another, as in a + a, gets one contribution", once=True),
    ]
}  # fmt: skip


def find_mistake(name: str) -> Pass:
    """The row of this name. Raises ValueError, saying which there are, for another."""
    if name not in MISTAKES:
        raise ValueError(f"mistake {name!r} is unknown; there are {', '.join(MISTAKES)}")
    return MISTAKES[name]


class Record:
    """What a pass writes, a place in each list for each step: from which node, in which slot, and the numbers.

    The first step is the seed: node E, slot None. start is every gradient before it, final every one after the last;
    writes lists for each node the steps that write its gradient.
    """

    def __init__(self, start: dict[Value, Grad]) -> None:
        self.start, self.final = start, dict(start)
        self.nodes: list[Value] = []
        self.slots: list[int | None] = []
        self.upstreams: list[float] = []
        self.contributions: list[float] = []
        self.befores: list[Grad] = []
        self.afters: list[float] = []
        self.writes: dict[Value, list[int]] = {node: [] for node in start}

    def write(self, node: Value, slot: int | None, upstream: float, contribution: float, assigns: bool) -> None:
        input: Any = node if slot is None else node.inputs[slot]
        before = self.final[input]
        after = contribution if assigns else (before or 0.0) + contribution
        if upstream == 0 and before is not None and not assigns:
            after = before  # as backward() leaves it, -0.0 too
        self.final[input] = after
        self.writes[input].append(len(self.nodes))
        self.nodes.append(node)
        self.slots.append(slot)
        self.upstreams.append(upstream)
        self.contributions.append(contribution)
        self.befores.append(before)
        self.afters.append(after)

    def input(self, step: int) -> Value:
        """The node that a step writes to."""
        slot = self.slots[step]
        return self.nodes[step] if slot is None else self.nodes[step].inputs[slot]  # type: ignore[return-value]


def record(order: list[Value], way: Pass = RIGHT, found: Mapping[Value, Grad] | None = None) -> Record:
    """The steps of a pass over these nodes, which are left as they are; found are gradients that leaves hold already.

    Raises DomainError as backward() does.
    """
    start: dict[Value, Grad] = {node: None if node.rule or not found else found[node] for node in order}
    if not (way.resets and way.restarts):
        earlier = record(order).final
        start |= {node: earlier[node] for node in order if (not way.resets if node.rule else not way.restarts)}
    steps, root = Record(start), order[-1]
    steps.write(root, None, 1.0, 1.0 if way.seeds else 0.0, assigns=not way.resets and root.rule is not None)
    for node in way.visits(order):
        upstream = steps.final[node] or 0.0
        if upstream - upstream != 0:  # inf or nan
            raise DomainError(f"the contributions to the gradient of {node.label or node.op} add up beyond 1.8e308")
        for slot in way.slots(node):
            contribution = 0.0
            if upstream != 0 or not way.upstream:
                contribution = (upstream if way.upstream else 1.0) * (
                    way.partial_of(node, slot) if way.partial else 1.0
                )
            if contribution - contribution != 0:
                raise contribution_error(node, slot, upstream)
            steps.write(node, slot, upstream, contribution, way.assigns)
    return steps


def went_wrong(way: Pass, steps: Record, right: Record, step: int, names: Mapping[Value, str]) -> str | None:
    """What is lost or wrong at this step of a pass, in a sentence with its numbers; None where nothing is."""
    node, slot, input = steps.nodes[step], steps.slots[step], steps.input(step)
    before, upstream = steps.befores[step], steps.upstreams[step]
    E, here, there = names[right.nodes[0]], names[node], names[input]
    if slot is None:
        return None if way.seeds else f"∂{E}/∂{E} = 1 was not set, so that all gradients are 0"
    partial = node.partials[slot]
    assert partial is not None
    if way.assigns and before:
        return f"{there}.grad was {number_text(before)}, and = replaced it by {number_text(steps.afters[step])}"
    if way.visits is not reversed and steps.nodes[step - 1] is not node:
        late = _still_to_come(steps, right, step)
        if late:
            missing = " and ".join(f"{number_text(late[consumer])} through {names[consumer]}" for consumer in late)
            return f"{here} passed on {number_text(upstream)} while {missing} was still to come"
    if not (way.resets and way.restarts) and step == steps.writes[input][0] and steps.start[input]:
        return f"{there}.grad still held {number_text(before or 0.0)} of the earlier pass"
    if not way.upstream and upstream != 1:
        return f"the upstream gradient ∂{E}/∂{here} = {number_text(upstream)} was left out"
    if not way.partial and partial != 1:
        return f"the local derivative ∂{here}/∂{there} = {number_text(partial)} was left out"
    if way.swaps and way.partial_of(node, slot) != partial:
        taken = number_text(way.partial_of(node, slot))
        return f"∂{here}/∂{there} = {number_text(partial)}, and {taken}, the other operand's, was taken"
    twins = sum(other is input for other in node.inputs)
    if way.once and twins > 1:
        return f"{here} uses {there} {twins} times, and contributes to it once"
    return None


def _still_to_come(steps: Record, right: Record, step: int) -> dict[Value, float]:
    """What the right pass brings to the node in hand and this one hasn't brought yet, by consumer."""
    node = steps.nodes[step]
    brought = {(steps.nodes[i], steps.slots[i]) for i in steps.writes[node] if i < step}
    late: dict[Value, float] = {}
    for i in right.writes[node]:
        if (right.nodes[i], right.slots[i]) not in brought and right.contributions[i]:
            late[right.nodes[i]] = late.get(right.nodes[i], 0.0) + right.contributions[i]
    return late


class Comparison:
    """The report of compare: .ok; .node, the first that is off, and .mistakes, the names whose numbers these are."""

    def __init__(self, node: Value | None, mistakes: list[str], text: str) -> None:
        self.node, self.mistakes, self.text = node, mistakes, text
        self.ok = node is None

    def __repr__(self) -> str:
        return self.text


def compare(E: Value, gradients: Mapping[Any, float], tolerance: float = 1e-6) -> Comparison:
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
    given = {find_node(order, names, key): number(value) for key, value in gradients.items()}
    right = record(order).final

    def off(finals: Mapping[Value, Grad]) -> list[Value]:
        return [
            node
            for node in reversed(order)
            if node in given and abs(given[node] - (finals[node] or 0.0)) > tolerance * abs(finals[node] or 0.0)
        ]

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


def find_node(order: list[Value], names: Mapping[Value, str], key: Value | str) -> Value:
    """The node of a graph that is meant by itself or by its name. Raises ValueError if it isn't there."""
    if isinstance(key, Value):
        if key in names:
            return key
        raise ValueError(f"{key!r} is not in the graph of {names[order[-1]]}")
    for node, name in names.items():
        if name == key:
            return node
    known = ", ".join(list(names.values())[:12])
    raise ValueError(f"no node is named {key!r}; there are {known}" + (", …" if len(names) > 12 else ""))
