"""Backprop as a list of steps, one an edge, and a cursor over them that goes both ways.

The pass is recorded when the stepper is made (mistakes.py: the right one, or a wrong one to watch). A move then sets
the real .grad of nodes to the recorded number, so that going back is exact. debugger.py is the prompt over all this.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from html import escape
from typing import Self, overload

from engine.order import topological_order
from engine.steps.passes import RIGHT, Grad, find_mistake, find_node, record, went_wrong
from engine.text.names import as_factor, changing, display_names, number_text
from engine.text.symbols import formula_text, local_derivative_text
from engine.value import Value, first_stale

SHOWN = 7  # contributions of one node in view


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


class Step:
    """One contribution, input.grad += upstream · partial, from a node to the operand in one of its slots.

    number is its place in the pass, from 1; before and after are input.grad; part of parts says which of the
    contributions to input it is. The first step, the seed, puts ∂E/∂E = 1 into E: its node is E too, its slot None.
    """

    __slots__ = ("_names", "_root", "_way", "after", "before", "contribution", "input", "node", "number", "part",
                 "partial", "parts", "slot", "upstream")  # fmt: skip

    def __init__(self, stepper: Stepper, index: int) -> None:
        steps = stepper.recorded
        self._names, self._root, self._way = stepper.names, stepper.E, stepper.way
        self.number, self.node, self.slot = index + 1, steps.nodes[index], steps.slots[index]
        self.input = steps.input(index)
        self.partial: float = 1.0 if self.slot is None else stepper.way.partial_of(self.node, self.slot)
        self.upstream, self.contribution = steps.upstreams[index], steps.contributions[index]
        self.before, self.after = steps.befores[index], steps.afters[index]
        writes = steps.writes[self.input]
        self.part, self.parts = bisect_left(writes, index) + 1, len(writes)

    def columns(self) -> tuple[str, str]:
        """The computation, in symbols and numbers; and the gradient before and after."""
        E, node, input = (self._names[each] for each in (self._root, self.node, self.input))
        change = f"{grad_text(self.before)} → {grad_text(self.after)}"
        if self.slot is None:
            return f"{input}.grad = ∂{E}/∂{E} = {number_text(self.contribution)}", change
        factors = [(f"∂{E}/∂{node}", number_text(self.upstream))] * self._way.upstream
        partial = number_text(self.partial)
        factors += [(f"∂{node}/∂{input}", as_factor(partial) if factors else partial)] * self._way.partial
        symbols, numbers = (" · ".join(texts) for texts in zip(*factors, strict=True))
        result = f" = {number_text(self.contribution)}" if len(factors) > 1 else ""
        return f"{input}.grad {'=' if self._way.assigns else '+='} {symbols} = {numbers}{result}", change

    def __repr__(self) -> str:
        return "   ".join(self.columns())


class Steps(Sequence[Step]):
    """The steps of a stepper, each made when it is asked for."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def __len__(self) -> int:
        return len(self._stepper)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        places = range(len(self))[index]
        return Step(self._stepper, places) if isinstance(places, int) else [Step(self._stepper, i) for i in places]


class Stepper(Cursor):
    """Backprop over the graph of E, paused before its first step; every move shows where it is.

    It starts from what backward() would find (interior gradients None, leaves as they are) and ends bitwise where
    backward() ends. restore() puts all gradients back as they were before the stepper was made. `mistake` names one of
    the wrong passes in mistakes.py. Raises TypeError for what isn't a Value, ValueError for an unknown mistake, and
    DomainError as backward() does; then no gradient has been touched.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> Stepper((x * w).tanh()).step(2)
    step 2 of 4   E = tanh(v1)   ∂E/∂E = 1   1 of 1 contributions in
        ∂E/∂v1 = sech(v1)**2 = sech(0.98)**2 = 0.4329
      → v1.grad += ∂E/∂E · ∂E/∂v1 = 1 · 0.4329 = 0.4329   None → 0.4329
    """

    def __init__(self, E: Value, mistake: str | None = None) -> None:
        self.E, self.way = E, RIGHT if mistake is None else find_mistake(mistake)
        self.order = topological_order(E)
        self.found: dict[Value, Grad] = {node: node.grad for node in self.order}
        self.recorded = record(self.order, self.way, self.found)
        self._right = self.recorded if mistake is None else record(self.order, RIGHT, self.found)
        self._arrived = dict.fromkeys(self.order, 0)
        self.waiting: dict[Value, tuple[int, int]] = {}  # nodes with some of their contributions in: 1 of 2
        self.notes: list[str] = []
        for node, grad in self.recorded.start.items():
            node.grad = grad

    @cached_property
    def names(self) -> dict[Value, str]:
        """The name that each node is shown by."""
        return display_names(self.order)

    @property
    def steps(self) -> Steps:
        """The list of all steps, run or not."""
        return Steps(self)

    def __len__(self) -> int:
        return len(self.recorded.nodes)

    # -- moving

    def _forward(self) -> None:
        self._set(self.recorded.befores, self.recorded.afters, +1)

    def _backward(self) -> None:
        self._set(self.recorded.afters, self.recorded.befores, -1)

    def _set(self, expected: Sequence[Grad], wanted: Sequence[Grad], arriving: int) -> None:
        node, place = self.recorded.input(self.position), self.position
        if node.grad != expected[place]:
            was, now = grad_text(expected[place]), grad_text(node.grad)
            self.notes.append(f"{self.names[node]}.grad was changed from outside, from {was} to {now}")
        node.grad = wanted[place]
        self._arrived[node] = arrived = self._arrived[node] + arriving
        parts = len(self.recorded.writes[node])
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
        nodes, place = self.recorded.nodes, self.position
        for _ in range(count):
            place += direction
            while 1 < place < len(self) and nodes[place] is nodes[place - 1]:
                place += direction
        return self.goto(place)

    def until(self, node: Value | str) -> Self:
        """Forward to the step that completes a node's gradient; ValueError if it isn't in the graph."""
        writes = self.recorded.writes[found := find_node(self.order, self.names, node)]
        if writes and self.position <= writes[-1]:
            return self.goto(writes[-1] + 1)
        done = f"is complete since step {writes[-1] + 1}" if writes else "is never written in this pass"
        self.notes = [f"{self.names[found]}.grad {done}"]
        return self

    def restore(self) -> None:
        """All gradients as they were before the stepper was made; the stepper back at its start."""
        self.rewind()
        for node, grad in self.found.items():
            node.grad = grad

    # -- looking

    def last_writer(self, node: Value | str) -> Step | None:
        """The latest step so far that wrote to a node's gradient; None if none has."""
        writes = self.recorded.writes[find_node(self.order, self.names, node)]
        count = bisect_left(writes, self.position)
        return self.steps[writes[count - 1]] if count else None

    @property
    def hand(self) -> Value:
        """The node in hand: the one whose contribution was made last (E at the start)."""
        return self.recorded.nodes[max(self.position - 1, 0)]

    def hand_steps(self) -> range:
        """The steps of the node in hand, those still to come too, as places in .steps."""
        nodes, first = self.recorded.nodes, max(self.position - 1, 0)
        last = first + 1
        if first:  # the seed stands alone
            while first > 1 and nodes[first - 1] is nodes[first]:
                first -= 1
            while last < len(nodes) and nodes[last] is nodes[first]:
                last += 1
        return range(first, last)

    @cached_property
    def survives(self) -> bool:
        """Whether all the gradients at the end of a wrong pass are right all the same."""
        right = self._right.final
        return all(close(grad, right[node]) for node, grad in self.recorded.final.items())

    def header(self) -> str:
        node, name = self.hand, self.names
        into = len(self.recorded.writes[node])
        text = f"{name[node]} = {formula_text(node, name)}" if node.rule else f"{name[node]}"
        gradient = f"∂{name[self.E]}/∂{name[node]} = {grad_text(node.grad)}"
        arrived = f"{self._arrived[node]} of {into} contributions in"
        return f"step {self.position} of {len(self)}   {text}   {gradient}   {arrived}"

    def told(self) -> list[str]:
        """What there is to say besides the numbers: notes of the last move, what went wrong, who waits, stale data."""
        lines = [f"note: {note}" for note in self.notes]
        if self.position == 0:
            held = [
                f"{self.names[node]} {number_text(grad)}"
                for node, grad in self.recorded.start.items()
                if grad is not None
            ]
            if held:
                lines.append(f"gradients from before, which contributions add to: {shortened(held)}")
        if self.way is not RIGHT:
            lines.append(f"mistake {self.way.name!r}: {self.way.says}")
            if self.survives:
                lines.append("this graph survives it: every gradient comes out right all the same")
            if self.position:
                lost = went_wrong(self.way, self.recorded, self._right, self.position - 1, self.names)
                lines += [f"here: {lost}"] if lost else []
        if self.waiting:
            waiting = [f"{self.names[node]} ({some} of {all_} in)" for node, (some, all_) in self.waiting.items()]
            lines.append(f"waiting: {shortened(waiting)}")
        if stale := first_stale(self.order, at_most=1000):
            lines.append(f"stale: {stale}; these are the numbers of the old graph")
        return lines

    def contributions(self) -> list[tuple[bool, str | None, str, str]]:
        """For each contribution of the node in hand (SHOWN at most): is it the latest, its partial, its two columns."""
        places = self.hand_steps()
        latest = self.position - 1
        first = min(max(latest - SHOWN // 2, places.start), max(places.stop - SHOWN, places.start))
        rows = []
        for place in range(first, min(first + SHOWN, places.stop)):
            step = self.steps[place]
            partial = None
            if step.slot is not None and self.way.partial:
                symbols, numbers = local_derivative_text(step.node, step.slot, self.names)
                value = number_text(step.node.partials[step.slot] or 0.0)
                if symbols != value:
                    left = f"∂{self.names[step.node]}/∂{self.names[step.input]}"
                    partial = " = ".join(changing([left, symbols, numbers, value]))
            rows.append((place == latest, partial, *step.columns()))
        return rows

    def __repr__(self) -> str:
        return self.text()

    def text(self, colour: bool = False) -> str:
        """Where it is: the node in hand, its contributions with the latest marked, and what else there is to say."""
        rows = self.contributions()
        width = max(len(computed) for _, _, computed, _ in rows)
        lines = [self.header() if self.position else f"step 0 of {len(self)}   before the first step"]
        for latest, partial, computed, change in rows:
            if partial:
                lines.append(f"    {partial}")
            line = f"  {'→' if latest else ' '} {computed:<{width}}   {change}"
            lines.append(f"\x1b[1m{line}\x1b[0m" if latest and colour else line)
        left_out = len(self.hand_steps()) - len(rows)
        return "\n".join([*lines, *([f"    and {left_out} more"] if left_out else []), *self.told()])

    def _repr_html_(self) -> str:
        def row(latest: bool, *cells: str | None) -> str:
            cell = "<th style='text-align:left'>" if latest else "<td style='text-align:left'>"
            return "<tr>" + "".join(f"{cell}{escape(text or '')}" for text in ("→" if latest else "", *cells)) + "</tr>"

        rows = "".join(row(*contribution) for contribution in self.contributions())
        told = "".join(f"<div>{escape(line)}</div>" for line in self.told())
        return f"<div>{escape(self.header())}</div><table>{rows}</table>{told}"


class ForwardStepper(Cursor):
    """The forward pass, walked with the same moves: a step is one node and its value, inputs before what uses them.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> ForwardStepper((x * w).tanh()).step(4)
    step 4 of 4   forward
        w = 0.7
        v1 = x * w = 1.4 * 0.7 = 0.98
      → E = tanh(v1) = tanh(0.98) = 0.7531
    """

    def __init__(self, E: Value) -> None:
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
        return self.goto(self.order.index(find_node(self.order, self.names, node)) + 1)

    def line(self, place: int) -> str:
        node = self.order[place]
        texts = [self.names[node]]
        if node.rule:
            numbers = {each: number_text(each.data) for each in (node, *node.inputs) if isinstance(each, Value)}
            texts += [formula_text(node, self.names), formula_text(node, numbers)]
        return " = ".join([*texts, number_text(node.data)])

    def __repr__(self) -> str:
        first = max(self.position - 3, 0)
        lines = [
            f"  {'→' if place == self.position - 1 else ' '} {self.line(place)}"
            for place in range(first, self.position)
        ]
        notes = [f"note: {note}" for note in self.notes]
        if stale := first_stale(self.order, at_most=1000):
            notes.append(f"stale: {stale}; these are the numbers of the old graph")
        return "\n".join([f"step {self.position} of {len(self)}   forward", *lines, *notes])


def grad_text(grad: Grad) -> str:
    return "None" if grad is None else number_text(grad)


def close(x: Grad, y: Grad) -> bool:
    return abs((x or 0.0) - (y or 0.0)) <= 1e-12 * abs(y or 0.0)


def shortened(texts: list[str]) -> str:
    return ", ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")
