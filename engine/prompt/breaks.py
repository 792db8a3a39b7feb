"""Breaks and watches: where continue and reverse stop.

Each is a line of text, `node w`, `op tanh`, `if contribution < 0` or `watch w`, and what it means in the graph that is
stepped through: whether it stops at a step. Where `set` or `undo` changes the graph, the text is looked up anew. Next:
views.py.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from engine.prompt.names import Names, Refused
from engine.prompt.shell import in_a_line
from engine.text.names import LISTED, shown

Stops = Callable[[int], bool]


class Break(NamedTuple):
    """A place to stop: what was typed, and whether the step with an index, just made, is such a place."""

    text: str
    stops: Stops


class Breaks:
    """The breaks and watches of a session, by number; a number is never given twice, as in pdb."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.made: dict[int, Break] = {}
        self.numbers = count(1)
        self.unanswered: dict[int, str] = {}  # conditions that raised on the way, with what they raised last

    def __str__(self) -> str:
        return "\n".join(map(self.line, self.made)) or "there are no breaks"

    def line(self, number: int) -> str:
        """A break as it is listed, such as `2: op tanh`."""
        return f"{number}: {shown(self.made[number].text)}"

    def add(self, text: str) -> int:
        """A new break or watch, and its number. Raises Refused for what isn't in the graph."""
        made = Break(text, self.meaning(text))
        number = next(self.numbers)
        self.made[number] = made
        return number

    def look_up(self) -> None:
        """Finds what is meant in another graph; what isn't in it stops nowhere."""
        for number, (text, _) in self.made.items():
            try:
                self.made[number] = Break(text, self.meaning(text))
            except (Refused, SyntaxError):  # x#2 that isn't there is a comment to Python
                self.made[number] = Break(text, lambda _: False)

    def stopping(self, index: int) -> list[int]:
        """The numbers of those that stop at the step with an index. A condition that raises doesn't: it is noted."""
        return [number for number in self.made if self._stops(number, index)]

    def _stops(self, number: int, index: int) -> bool:
        try:
            return self.made[number].stops(index)
        except Exception as error:
            self.unanswered[number] = f"{self.line(number)} had no answer at some steps: {in_a_line(error)}"
            return False

    def travel(self, direction: int) -> list[str]:
        """Moves the stepper to the next place that one stops at, or to an end; returns what there is to say about it.

        The stepper's notes are then the first few of those on the way.
        """
        stepper, notes, stopping = self.names.stepper, list[str](), list[int]()
        last = len(stepper) if direction > 0 else 0
        self.unanswered.clear()
        while not stopping:
            stepper.step(direction)
            notes += stepper.notes
            if stepper.position > 0:
                stopping = self.stopping(stepper.position - 1)
            if stepper.position == last:
                break
        stepper.notes = notes[:LISTED]
        return [*(f"stopped by {self.line(number)}" for number in stopping), *self.unanswered.values()]

    # -- what a text means

    def meaning(self, text: str) -> Stops:
        """Whether a break so written stops at the step with an index. Raises Refused for what isn't in the graph."""
        kind, _, what = text.partition(" ")
        kinds = {"node": self._node, "op": self._operation, "if": self._condition, "watch": self._watch}
        return kinds[kind](what.strip())

    def _node(self, text: str) -> Stops:
        """Where a node begins to pass its gradient on; a leaf, which doesn't, where its gradient is complete."""
        node, steps = self.names.node(text), self.names.stepper.record
        if node.rule is None:
            complete = steps.writes[node][-1] if steps.writes[node] else None
            return lambda index: index == complete
        return lambda index: steps.nodes[index] is node and self._begins(index)

    def _operation(self, name: str) -> Stops:
        """Where a node that it made begins to pass its gradient on."""
        stepper = self.names.stepper
        known = dict.fromkeys(node.op for node in stepper.order if node.op)
        if name not in known:
            raise Refused(f"no node here is made by {name!r}; there are {', '.join(known) or 'only leaves'}")
        return lambda index: stepper.record.nodes[index].op == name and self._begins(index)

    def _watch(self, text: str) -> Stops:
        """Where a node's gradient is written."""
        node, steps = self.names.node(text), self.names.stepper.record
        return lambda index: steps.target(index) is node

    def _condition(self, text: str) -> Stops:
        """Where an expression is true. It is tried at once, so that a name that isn't known shows."""
        if not text:
            raise Refused("b if takes a condition, such as b if abs(contribution) > 10")
        names = self.names
        code = names.compile(text, "eval")
        names.describe(names.latest() or names.stepper.steps[0])
        try:
            names.run(code)
        except NameError as error:
            raise Refused(in_a_line(error)) from None
        except Exception:  # no answer here; there may be one at other steps
            pass
        return lambda _: bool(names.evaluate(code))

    def _begins(self, index: int) -> bool:
        """Whether the step is the first one that its node makes (the seed, step 0, is made by none)."""
        nodes = self.names.stepper.record.nodes
        return index == 1 or (index > 1 and nodes[index] is not nodes[index - 1])
