"""Backward passes over floats, recorded step by step: the right one, and the classic wrong ones, each a row of a table.

A row says in which small way a pass differs from the chain rule, and what that does at a step, in a sentence. record()
runs a pass on a graph without touching it; stepper.py walks it, compare.py recognises it. Value.backward() knows
nothing of all this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from engine.domain import contribution_error, sum_error
from engine.text.names import number_text, quotient
from engine.value import Value, edges, operand

Grad: TypeAlias = float | None  # None: not computed yet
Edge: TypeAlias = tuple[Value, int]  # a node, and the slot of one of its operands
Path: TypeAlias = list[Edge]  # from E down to a node


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

    def write(
        self, target: Value, node: Value, slot: int | None, upstream: float, contribution: float, assigns: bool
    ) -> None:
        """One step more."""
        before = self.final[target]
        after = contribution if assigns else (0.0 if before is None else before) + contribution
        if upstream == 0 and before is not None and not assigns:
            after = before  # as backward() leaves it, -0.0 too
        self.final[target] = after
        self.writes[target].append(len(self.nodes))
        self.nodes.append(node)
        self.slots.append(slot)
        self.upstreams.append(upstream)
        self.contributions.append(contribution)
        self.befores.append(before)
        self.afters.append(after)

    def target(self, step: int) -> Value:
        """The node that a step writes to."""
        slot = self.slots[step]
        return self.nodes[step] if slot is None else operand(self.nodes[step], slot)


class Moment(NamedTuple):
    """A step of a wrong pass, beside the right one: what a sentence about it is made of."""

    way: Pass
    steps: Record
    right: Record
    step: int
    names: Mapping[Value, str]

    @property
    def node(self) -> Value:
        return self.steps.nodes[self.step]

    @property
    def slot(self) -> int:
        slot = self.steps.slots[self.step]
        assert slot is not None
        return slot

    @property
    def target(self) -> Value:
        return self.steps.target(self.step)

    @property
    def partial(self) -> float:
        """The local derivative that the chain rule takes here."""
        partial = self.node.partials[self.slot]
        assert partial is not None
        return partial

    @property
    def here(self) -> str:
        return self.names[self.node]

    @property
    def there(self) -> str:
        return self.names[self.target]

    @property
    def upstream(self) -> str:
        return number_text(self.steps.upstreams[self.step])

    @property
    def before(self) -> Grad:
        return self.steps.befores[self.step]

    def gradient(self, node: Value) -> str:
        """∂E/∂node."""
        return quotient(self.names[self.right.nodes[0]], self.names[node])

    @property
    def local(self) -> str:
        """∂node/∂operand = its number."""
        return f"{quotient(self.here, self.there)} = {number_text(self.partial)}"


# -- the orders in which nodes may pass their gradient on


def preorder(order: list[Value]) -> Iterator[Value]:
    """Depth first from E, every node where it is met first."""
    stack, seen = [order[-1]], set[Value]()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            yield node
            stack += [found for _, found, _ in reversed([*edges(node)])]


def breadth_first(order: list[Value]) -> Iterator[Value]:
    """Level by level from E, every node where it is met first."""
    queue, seen = [order[-1]], {order[-1]}
    for node in queue:
        yield node
        for _, found, _ in edges(node):
            if found not in seen:
                seen.add(found)
                queue.append(found)


# -- the slots that a node contributes to, and the local derivative that is taken for one


def every_slot(node: Value) -> list[int]:
    return [slot for slot, partial in enumerate(node.partials) if partial is not None]


def first_slots(node: Value) -> list[int]:
    """The first slot of each operand."""
    slots: dict[Value, int] = {}
    for slot, found, _ in edges(node):
        slots.setdefault(found, slot)
    return list(slots.values())


def recorded(node: Value, slot: int) -> float:
    """As recorded when the node was made."""
    return node.partials[slot]  # type: ignore[return-value]


def without_minus(node: Value, slot: int) -> float:
    """The local derivative of a minus sign without it."""
    return abs(recorded(node, slot)) if node.op in ("sub", "neg") else recorded(node, slot)


def the_others(node: Value, slot: int) -> float:
    """That of the other operand, where there are two Values."""
    both = len(node.partials) == 2 and None not in node.partials
    return recorded(node, 1 - slot if both else slot)


# -- what is lost or wrong at a step, in a sentence with its numbers; None where nothing is


def unseeded(at: Moment) -> str:
    return f"{at.gradient(at.target)} = 1 was not set, so that all gradients are 0"


def badly_seeded(at: Moment) -> str | None:
    seed = at.steps.contributions[at.step]
    return None if seed == 1 else f"{at.gradient(at.target)} is 1, and {number_text(seed)} was set"


def replaced(at: Moment) -> str | None:
    if not at.before:
        return None
    after = number_text(at.steps.afters[at.step])
    return f"{at.there}.grad was {number_text(at.before)}, and = replaced it by {after}"


def too_early(at: Moment) -> str | None:
    late = _still_to_come(at)
    if at.steps.nodes[at.step - 1] is at.node or not late:  # said at the node's first step
        return None
    missing = " and ".join(f"{number_text(late[consumer])} through {at.names[consumer]}" for consumer in late)
    return f"{at.here} passed on {at.upstream} while {missing} was still to come"


def _still_to_come(at: Moment) -> dict[Value, float]:
    """What the right pass brings to the node in hand and this one hasn't brought yet, by consumer."""
    steps, right = at.steps, at.right
    brought = {(steps.nodes[i], steps.slots[i]) for i in steps.writes[at.node] if i < at.step}
    late: dict[Value, float] = {}
    for i in right.writes[at.node]:
        if (right.nodes[i], right.slots[i]) not in brought and right.contributions[i]:
            late[right.nodes[i]] = late.get(right.nodes[i], 0.0) + right.contributions[i]
    return late


def left_over(at: Moment) -> str | None:
    held = at.steps.start[at.target]
    if not held or at.step != at.steps.writes[at.target][0]:
        return None
    return f"{at.there}.grad still held {number_text(at.before or 0.0)} of the earlier pass"


def without_upstream(at: Moment) -> str | None:
    if at.steps.upstreams[at.step] == 1:
        return None
    return f"the upstream gradient {at.gradient(at.node)} = {at.upstream} was left out"


def without_local(at: Moment) -> str | None:
    return None if at.partial == 1 else f"the local derivative {at.local} was left out"


def taken_from_the_other(at: Moment) -> str | None:
    taken = at.way.partial(at.node, at.slot)
    return None if taken == at.partial else f"{at.local}, and {number_text(taken)}, the other operand's, was taken"


def minus_lost(at: Moment) -> str | None:
    return None if at.way.partial(at.node, at.slot) == at.partial else f"the minus sign of {at.local} was left out"


def counted_once(at: Moment) -> str | None:
    times = sum(found is at.target for _, found, _ in edges(at.node))
    return f"{at.here} uses {at.there} {times} times, and contributes to it once" if times > 1 else None


# -- the table


class Pass:
    """One way to run backprop: a name, what it does in words, and where it differs from the chain rule.

    lost says what is wrong at a step, seed_lost at the first, which sets ∂E/∂E.
    """

    def __init__(
        self,
        name: str,
        says: str,
        lost: Callable[[Moment], str | None] = lambda at: None,
        *,
        visits: Callable[[list[Value]], Iterable[Value]] = reversed,  # nodes, in the order in which they pass it on
        assigns: bool = False,  # operand.grad = contribution
        seed: Callable[[Value], float] = lambda E: 1.0,  # ∂E/∂E
        seed_lost: Callable[[Moment], str | None] = lambda at: None,
        keeps: str = "",  # gradients of an earlier pass, in "interior" nodes or in "leaves"
        factors: Collection[str] = ("upstream", "partial"),  # of a contribution
        slots: Callable[[Value], list[int]] = every_slot,  # that a node contributes to
        partial: Callable[[Value, int], float] = recorded,  # the local derivative that is taken for a slot
    ) -> None:
        self.name, self.says, self.lost, self.seed_lost = name, says, lost, seed_lost
        self.visits, self.assigns, self.seed, self.keeps = visits, assigns, seed, keeps
        self.factors, self.slots, self.partial = factors, slots, partial
        self._upstream, self._partial = "upstream" in factors, "partial" in factors

    def contribution(self, node: Value, slot: int, upstream: float) -> float:
        """What the node adds to the gradient of the operand in a slot; an upstream gradient of 0 adds 0."""
        if not self._upstream:
            upstream = 1.0
        return upstream * self.partial(node, slot) if upstream != 0 and self._partial else upstream


RIGHT = Pass("right", "the chain rule")
MISTAKES = {
    mistake.name: mistake
    for mistake in [
        Pass("assign", "= for +=, a later contribution replaces the earlier ones", replaced, assigns=True),
        Pass("preorder", "depth first, a node passes on before all its consumers have contributed", too_early,
             visits=preorder),
        Pass("breadth-first", "level by level, a node passes on before all its consumers have contributed", too_early,
             visits=breadth_first),
        Pass("no-reset", "interior gradients of an earlier pass are not reset", left_over, keeps="interior"),
        Pass("no-zero-grad", "leaves keep the gradients of an earlier pass", left_over, keeps="leaves"),
        Pass("no-seed", "∂E/∂E is not set to 1", seed=lambda E: 0.0, seed_lost=unseeded),
        Pass("seed-data", "∂E/∂E is set to the value of E", seed=lambda E: E.data, seed_lost=badly_seeded),
        Pass("sign", "every gradient has the wrong sign", seed=lambda E: -1.0, seed_lost=badly_seeded),
        Pass("half", "every gradient is half of the right one, as where a factor 2 is lost", seed=lambda E: 0.5,
             seed_lost=badly_seeded),
        Pass("double", "every gradient is twice the right one, as where a factor ½ is lost", seed=lambda E: 2.0,
             seed_lost=badly_seeded),
        Pass("no-upstream", "the local derivative alone, without the upstream gradient", without_upstream,
             factors=("partial",)),
        Pass("no-local", "the upstream gradient alone, without the local derivative", without_local,
             factors=("upstream",)),
        Pass("swapped", "each of two operands gets the other's local derivative", taken_from_the_other,
             partial=the_others),
        Pass("minus", "the local derivative of a minus sign is 1", minus_lost, partial=without_minus),
        Pass("once", "a node used twice by another, as in a + a, gets one contribution", counted_once,
             slots=first_slots),
    ]
}  # fmt: skip


def find_mistake(name: str) -> Pass:
    """The row of this name. Raises ValueError, saying which there are, for another."""
    if name not in MISTAKES:
        raise ValueError(f"mistake {name!r} is unknown; there are {', '.join(MISTAKES)}")
    return MISTAKES[name]


# -- running one


def record(
    order: list[Value],
    way: Pass = RIGHT,
    found: Mapping[Value, Grad] | None = None,
    within: Collection[Value] | None = None,
) -> Record:
    """The steps of a pass over these nodes, which are left as they are, a topological order.

    found are gradients that leaves hold already; within, if it is given, are the only nodes that get contributions.
    The sums are backward()'s, in its order, and so the same to the last bit. Raises DomainError as backward() does.
    """
    start: dict[Value, Grad] = {node: None if node.rule or not found else found[node] for node in order}
    if way.keeps:
        earlier = record(order).final
        start |= {node: earlier[node] for node in order if (way.keeps == "interior") == bool(node.rule)}
    steps, root = Record(start), order[-1]
    steps.write(root, root, None, 1.0, way.seed(root), assigns=way.keeps == "interior" and root.rule is not None)
    for node in way.visits(order):
        if within is not None and node not in within:
            continue
        upstream = steps.final[node] or 0.0
        if upstream - upstream != 0:  # inf or nan
            raise sum_error(node, upstream)
        operands: tuple[Any, ...] = node.inputs
        for slot in way.slots(node):
            target = operands[slot]
            if within is None or target in within:
                contribution = way.contribution(node, slot, upstream)
                if contribution - contribution != 0:
                    raise contribution_error(node, slot, upstream)
                steps.write(target, node, slot, upstream, contribution, way.assigns)
    return steps


def went_wrong(way: Pass, steps: Record, right: Record, step: int, names: Mapping[Value, str]) -> str | None:
    """What is lost or wrong at this step of a pass, in a sentence with its numbers; None where nothing is."""
    at = Moment(way, steps, right, step, names)
    return way.seed_lost(at) if steps.slots[step] is None else way.lost(at)


def product(path: Path) -> float:
    """The product of the local derivatives along a path; after a factor 0 it stays 0, whatever comes."""
    result = 1.0
    for edge in path:
        if result != 0:
            result *= recorded(*edge)
    return result
