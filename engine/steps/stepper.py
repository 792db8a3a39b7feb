"""Backprop as a list of steps, one an edge, and a cursor over them that goes both ways.

The pass is recorded when the stepper is made (passes.py: the right one, or a wrong one to watch). A move then sets the
real .grad of nodes to the recorded number, so that going back is exact. The prompt stands on all this.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib import import_module
from typing import Self, overload

from engine.order import check_root, topological_order
from engine.steps.passes import RIGHT, Grad, find_mistake, record
from engine.steps.step import Step
from engine.text.monospace import Monospaced
from engine.text.names import LISTED, display_names, find_node, grad_text, listed, more, number_text, quotient
from engine.text.symbols import TEXT, derivation, equation
from engine.value import Value, stale_note

SHOWN = 7  # contributions of one node in view
LISTED_STEPS = 50  # of a list of all
SEARCHED = 1000  # operations, for one that is stale


class Cursor:
    """A place in a list of steps, from 0, before the first, to len(self): every move returns the cursor itself."""

    position = 0

    def __len__(self) -> int:
        raise NotImplementedError

    def _forward(self) -> None:
        """Runs the step at the position."""

    def _backward(self) -> None:
        """Takes back the step before the position."""

    def goto(self, position: int) -> Self:
        """To a position, a whole number from 0 to the number of steps; past either end it says so and stays there."""
        self.notes: list[str] = []
        if not isinstance(position, int) or isinstance(position, bool):
            raise TypeError(f"a position is a whole number from 0 to {len(self)}; given was {position!r}")
        place = min(max(position, 0), len(self))
        if place != position:
            self.notes.append("this is the end" if position > 0 else "this is the start")
        return self._move(place)

    def _move(self, position: int) -> Self:
        while self.position < position:
            self._forward()
            self.position += 1
        while self.position > position:
            self.position -= 1
            self._backward()
        return self

    def step(self, count: int = 1) -> Self:
        """One step forward, or count."""
        return self.goto(self.position + count)

    def back(self, count: int = 1) -> Self:
        """One step back, or count."""
        return self.goto(self.position - count)

    def run(self) -> Self:
        """To the end."""
        return self.goto(len(self))

    def rewind(self) -> Self:
        """To the start."""
        return self.goto(0)


class RecordedPass:
    """A backward pass over the graph of E, the right one or a mistake, run beforehand; no gradient is touched.

    .record holds its numbers, .right those of the right pass, .steps tells them; found are gradients that leaves hold
    already. Raises ValueError for an unknown mistake, and DomainError as backward() does.
    """

    def __init__(self, E: Value, mistake: str | None = None, found: dict[Value, Grad] | None = None) -> None:
        self.E, self.way, self.order = E, RIGHT if mistake is None else find_mistake(mistake), topological_order(E)
        self.record = record(self.order, self.way, found)
        self.right = self.record if mistake is None else record(self.order, RIGHT, found)

    @cached_property
    def names(self) -> dict[Value, str]:
        """The name that each node is shown by."""
        return display_names(self.order)

    def __len__(self) -> int:
        return len(self.record.nodes)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        return self.steps[index]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    @property
    def steps(self) -> Steps:
        """The list of all steps, run or not."""
        return Steps(self)

    @cached_property
    def survives(self) -> bool:
        """Whether all the gradients at the end of a wrong pass are right all the same."""
        right = self.right.final
        return all(close(grad, right[node]) for node, grad in self.record.final.items())


class Steps(Monospaced, Sequence[Step]):
    """The steps of a pass, each made when it is asked for."""

    def __init__(self, walk: RecordedPass) -> None:
        self._walk = walk

    def __len__(self) -> int:
        return len(self._walk)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        places = range(len(self))[index]
        return Step(self._walk, places) if isinstance(places, int) else [Step(self._walk, i) for i in places]

    def __repr__(self) -> str:
        columns = [step.columns() for step in self[:LISTED_STEPS]]
        width, digits = max(len(computed) for computed, _ in columns), len(str(len(self)))
        lines = [f"{i:>{digits}}   {text:<{width}}   {change}" for i, (text, change) in enumerate(columns, start=1)]
        left_out = more(len(self) - len(columns))
        return "\n".join([*lines, left_out.strip()] if left_out else lines)


class Stepper(Monospaced, RecordedPass, Cursor):
    """Backprop over the graph of E, paused before its first step; every move shows where it is.

    It starts from what backward() would find (interior gradients None, leaves as they are) and ends bitwise where
    backward() ends. restore() puts all gradients back as they were before the stepper was made. `mistake` names one of
    the wrong passes in passes.py. Iterating over it gives its steps, and an index one of them. Raises TypeError for
    what isn't a Value, ValueError for an unknown mistake, and DomainError as backward() does; then no gradient has been
    touched.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> Stepper((x * w).tanh()).step(2)
    step 2 of 4   E = tanh(v1)   ∂E/∂E = 1   1 of 1 contributions in
        ∂E/∂v1 = sech(v1)**2 = sech(0.98)**2 = 0.4329
      → v1.grad += ∂E/∂E · ∂E/∂v1 = 1 · 0.4329 = 0.4329   None → 0.4329
    """

    def __init__(self, E: Value, mistake: str | None = None) -> None:
        check_root(E, "Stepper")
        self.found: dict[Value, Grad] = {node: node.grad for node in topological_order(E)}
        super().__init__(E, mistake, self.found)
        self._arrived = dict.fromkeys(self.order, 0)
        self.waiting: dict[Value, tuple[int, int]] = {}  # nodes with some of their contributions in: 1 of 2
        self.notes: list[str] = []
        for node, grad in self.record.start.items():
            node.grad = grad

    # -- moving

    def _forward(self) -> None:
        self._set(self.record.befores, self.record.afters, +1)

    def _backward(self) -> None:
        self._set(self.record.afters, self.record.befores, -1)

    def _set(self, expected: Sequence[Grad], wanted: Sequence[Grad], arriving: int) -> None:
        node, place = self.record.target(self.position), self.position
        if node.grad != expected[place]:
            was, now = grad_text(expected[place]), grad_text(node.grad)
            self.notes.append(f"{self.names[node]}.grad was changed from outside, from {was} to {now}")
        node.grad = wanted[place]
        self._arrived[node] = arrived = self._arrived[node] + arriving
        parts = len(self.record.writes[node])
        if 0 < arrived < parts:
            self.waiting[node] = arrived, parts
        else:
            self.waiting.pop(node, None)

    def next(self, count: int = 1) -> Self:
        """To the end of the contributions of the node in hand, of the next if they are made; or count nodes on."""
        return self._over_nodes(count, +1)

    def previous(self, count: int = 1) -> Self:
        """To before the contributions of the node in hand; or count nodes back."""
        return self._over_nodes(count, -1)

    def _over_nodes(self, count: int, direction: int) -> Self:
        nodes, place = self.record.nodes, self.position
        for _ in range(count):
            place += direction
            while 1 < place < len(self) and nodes[place] is nodes[place - 1]:
                place += direction
        return self.goto(place)

    def until(self, node: Value | str) -> Self:
        """To the step that completes a node's gradient, forward or back; ValueError if it isn't in the graph."""
        writes = self.record.writes[found := find_node(self.names, node)]
        if not writes:
            self.notes = [f"{self.names[found]}.grad is never written in this pass"]
            return self
        complete, here = writes[-1] + 1, self.position
        self.goto(complete)
        if here >= complete:
            self.notes.append(f"{self.names[found]}.grad is complete since step {complete}")
        return self

    def restore(self) -> None:
        """All gradients as they were before the stepper was made; the stepper back at its start."""
        self.rewind()
        for node, grad in self.found.items():
            node.grad = grad

    # -- looking

    def last_writer(self, node: Value | str) -> Step | None:
        """The latest step so far that wrote to a node's gradient; None if none has."""
        writes = self.record.writes[find_node(self.names, node)]
        count = bisect_left(writes, self.position)
        return self.steps[writes[count - 1]] if count else None

    @property
    def hand(self) -> Value:
        """The node in hand: the one whose contribution was made last (E at the start)."""
        return self.record.nodes[max(self.position - 1, 0)]

    def hand_steps(self) -> range:
        """The steps of the node in hand, those still to come too, as places in .steps."""
        nodes, first = self.record.nodes, max(self.position - 1, 0)
        last = first + 1
        if first:  # the seed stands alone
            while first > 1 and nodes[first - 1] is nodes[first]:
                first -= 1
            while last < len(nodes) and nodes[last] is nodes[first]:
                last += 1
        return range(first, last)

    def header(self) -> str:
        """The step, the node in hand, its gradient, and how many of its contributions are in."""
        if self.position == 0:
            return f"step 0 of {len(self)}   before the first step"
        node, names = self.hand, self.names
        gradient = f"{quotient(names[self.E], names[node])} = {grad_text(node.grad)}"
        arrived = f"{self._arrived[node]} of {len(self.record.writes[node])} contributions in"
        return f"step {self.position} of {len(self)}   {equation(node, names)}   {gradient}   {arrived}"

    @cached_property
    def held(self) -> list[Value]:
        """The nodes that hold a gradient of an earlier pass, which this one adds to."""
        return [node for node, grad in self.record.start.items() if grad is not None]

    def from_before(self) -> str:
        """That this pass adds to gradients of an earlier one, at its start to which."""
        texts = [f"{self.names[node]} {number_text(self.record.start[node] or 0.0)}" for node in self.held[:LISTED]]
        which = "" if self.position else f": {listed(texts, len(self.held))}"
        return f"adds to gradients from before{which}; zero_grad() clears them"

    def told(self) -> list[str]:
        """What there is to say besides the numbers.

        Which gradients it adds to, notes of the last move, what went wrong, who waits, stale data.
        """
        names = self.names
        lines = [self.from_before()] if self.held else []
        lines += [f"note: {note}" for note in self.notes]
        if self.way is not RIGHT:
            lines.append(f"mistake {self.way.name!r}: {self.way.says}")
            if self.survives:
                lines.append("this graph survives it: every gradient comes out right all the same")
            if self.position:
                lines += [f"here: {piece.text}" for piece in self.steps[self.position - 1].pieces().lost]
        if self.waiting:
            waiting = [f"{names[node]} ({some} of {all_} in)" for node, (some, all_) in self.waiting.items()]
            lines.append(f"waiting: {listed(waiting)}")
        if stale := stale_note(self.order, SEARCHED):
            lines.append(stale)
        return lines

    def contributions(self) -> list[Step]:
        """The contributions of the node in hand, those still to come too: SHOWN of them, around the latest."""
        places = self.hand_steps()
        first = min(max(self.position - 1 - SHOWN // 2, places.start), max(places.stop - SHOWN, places.start))
        return self.steps[first : min(first + SHOWN, places.stop)]

    def mark(self, step: Step) -> str:
        """→ for the latest contribution, · for one still to come, nothing for one made before."""
        return "→" if step.number == self.position else "·" if step.number > self.position else " "

    def local(self, step: Step) -> str | None:
        """The local derivative of a step, in symbols and numbers, where that is more than its number."""
        if step.slot is None or "partial" not in self.way.factors:
            return None
        sides = derivation(step.node, step.slot, self.names)
        return " = ".join(sides) if len(sides) > 2 else None

    def __repr__(self) -> str:
        return self.text()

    def text(self, colour: bool = False, ahead: bool = True) -> str:
        """Where it is: the node in hand, its contributions, and what else there is to say.

        The latest contribution is marked →, those still to come ·; where ahead is False, these are left out.
        """
        steps, lines, told = self.contributions(), [self.header()], self.told()
        if self.held:  # a cell of a notebook that is run again should say so where it is seen
            lines[0] += f"   {told.pop(0)}"
        if not ahead:
            steps = [step for step in steps if step.number <= self.position]
        columns = [step.columns() for step in steps]
        width = max((len(computed) for computed, _ in columns), default=0)
        for step, (computed, change) in zip(steps, columns, strict=True):
            if local := self.local(step):
                lines.append(f"    {local}")
            line = f"  {self.mark(step)} {computed:<{width}}   {change}"
            lines.append(f"\x1b[1m{line}\x1b[0m" if step.number == self.position and colour else line)
        if ahead and (left_out := more(len(self.hand_steps()) - len(steps))):
            lines.append(f"   {left_out}")
        return "\n".join([*lines, *told])

    def _ipython_display_(self) -> None:
        # a notebook's view stands on pictures, a room above this one, and is imported where a notebook asks for it
        import_module("engine.pictures.notebook").show(self)


class ForwardStepper(Monospaced, Cursor):
    """The forward pass, walked with the same moves: a step is one node and its value, inputs before what uses them.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> ForwardStepper((x * w).tanh()).step(4)
    step 4 of 4   forward
        w = 0.7
        v1 = x * w = 1.4 * 0.7 = 0.98
      → E = tanh(v1) = tanh(0.98) = 0.7531
    """

    def __init__(self, E: Value) -> None:
        check_root(E, "ForwardStepper")
        self.E, self.order, self.notes = E, topological_order(E), list[str]()
        self.names = display_names(self.order)

    def __len__(self) -> int:
        return len(self.order)

    @property
    def hand(self) -> Value:
        """The node computed last (the first one at the start)."""
        return self.order[max(self.position - 1, 0)]

    def until(self, node: Value | str) -> Self:
        """To where a node has just been computed; ValueError if it isn't there."""
        return self.goto(self.order.index(find_node(self.names, node)) + 1)

    def line(self, place: int) -> str:
        """A node's name, what it is computed as, in symbols and in numbers, and its value."""
        node = self.order[place]
        sides = [self.names[node]]
        if node.rule:
            sides += [TEXT.formula(node, self.names), TEXT.numbers_in_formula(node)]
        return " = ".join([*sides, number_text(node.data)])

    def __repr__(self) -> str:
        first = max(self.position - 3, 0)
        lines = [
            f"  {'→' if place == self.position - 1 else ' '} {self.line(place)}"
            for place in range(first, self.position)
        ]
        notes = [f"note: {note}" for note in self.notes]
        if stale := stale_note(self.order, SEARCHED):
            notes.append(stale)
        return "\n".join([f"step {self.position} of {len(self)}   forward", *lines, *notes])


def close(x: Grad, y: Grad) -> bool:
    """Whether two gradients are the same to 12 digits."""
    return abs((x or 0.0) - (y or 0.0)) <= 1e-12 * abs(y or 0.0)
