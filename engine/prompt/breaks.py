"""Breaks and watches: where continue and reverse stop.

Each is a place, `node w`, `op tanh` or `watch w`, a condition, or both, and what they mean in the graph that is stepped
through: whether it stops at a step. Where `set` or `undo` changes the graph, the texts are looked up anew. Next:
views.py.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from engine.prompt.names import Names, Refused, the_one
from engine.prompt.shell import in_a_line
from engine.steps.stepper import Stepper
from engine.text.names import LISTED, counted, listed, shown

Stops = Callable[[int], bool]


class Break:
    """A place to stop, a condition for it, or both; how often it was met, and what is asked of it besides."""

    def __init__(self, place: str, condition: str = "", once: bool = False) -> None:
        self.place, self.condition, self.once = place, condition, once
        self.stops: Stops = lambda index: False  # whether the step with an index, just made, is such a place
        self.enabled, self.ignored, self.met = True, 0, 0
        self.commands: list[str] = []

    def __str__(self) -> str:
        return shown(" if ".join(filter(None, [self.place, self.condition])) if self.place else f"if {self.condition}")

    def manners(self) -> str:
        """What there is to say of it besides its place."""
        said = ["once"] if self.once else []
        said += [] if self.enabled else ["disabled"]
        said += [f"the next {counted(self.ignored, 'time')} ignored"] if self.ignored else []
        said += [f"met {counted(self.met, 'time')}"] if self.met else []
        said += [f"runs {shown('; '.join(self.commands))}"] if self.commands else []
        return f"   ({', '.join(said)})" if said else ""


class Breaks:
    """The breaks and watches of a session, by number; a number is never given twice, as in pdb."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.made: dict[int, Break] = {}
        self.numbers = count(1)
        self.stepper: Stepper | None = None  # in whose graph the texts were looked up
        self.unanswered: dict[int, str] = {}  # conditions that raised on the way, with what they raised last

    def __str__(self) -> str:
        lines = [f"{self.line(number)}{each.manners()}" for number, each in self.made.items()]
        return "\n".join(lines) or "there are no breaks"

    def line(self, number: int) -> str:
        """A break as it is listed, such as `2: op tanh`."""
        return f"{number}: {self.made[number]}"

    def __getitem__(self, number: int) -> Break:
        """Raises Refused for a number that none has."""
        if number not in self.made:
            raise Refused(f"there is no break {number}; b lists them")
        return self.made[number]

    def add(self, place: str, condition: str = "", once: bool = False) -> int:
        """A new break or watch, and its number. Raises Refused for what isn't in the graph."""
        made = Break(place, condition, once)
        made.stops = self.meaning(made)
        number = next(self.numbers)
        self.made[number] = made
        return number

    def limit(self, number: int, condition: str) -> None:
        """Gives a break another condition, or none. Raises Refused for one that isn't known here."""
        made = self[number]
        if not (condition or made.place):
            raise Refused(f"{number} is nothing but its condition; clear {number} takes it away")
        new = Break(made.place, condition)
        made.stops, made.condition = self.meaning(new), condition

    def look_up(self) -> None:
        """Finds what is meant in another graph; what isn't in it stops nowhere."""
        self.stepper = self.names.stepper
        for made in self.made.values():
            try:
                made.stops = self.meaning(made)
            except (Refused, SyntaxError):  # x#2 that isn't there is a comment to Python
                made.stops = lambda _: False

    def stopping(self, index: int) -> list[int]:
        """The numbers of those that stop at the step with an index. A condition that raises doesn't: it is noted."""
        return [number for number, made in self.made.items() if made.enabled and self._stops(number, made, index)]

    def _stops(self, number: int, made: Break, index: int) -> bool:
        try:
            if not made.stops(index):
                return False
        except Exception as error:
            self.unanswered[number] = f"{self.line(number)} had no answer at some steps: {in_a_line(error)}"
            return False
        made.met += 1
        if made.ignored:
            made.ignored -= 1
            return False
        return True

    def travel(self, direction: int) -> tuple[list[str], list[Break]]:
        """Moves the stepper to the next place that one stops at, or to an end; what there is to say, and who stopped.

        The stepper's notes are then the first few of those on the way.
        """
        stepper, notes, stopping = self.names.stepper, list[str](), list[int]()
        if self.stepper is not stepper:
            self.look_up()
        last = len(stepper) if direction > 0 else 0
        self.unanswered.clear()
        while not stopping:
            here = stepper.position
            stepper.step(direction)
            notes += stepper.notes
            if stepper.position not in (0, here):
                stopping = self.stopping(stepper.position - 1)
            if stepper.position == last:
                break
        stepper.notes = notes[:LISTED]
        said = [*(f"stopped by {self.line(number)}" for number in stopping), *self.unanswered.values()]
        stopped = [self.made[number] for number in stopping]
        self.made = {number: made for number, made in self.made.items() if not (made.once and made in stopped)}
        return said, stopped

    # -- what a text means

    def meaning(self, made: Break) -> Stops:
        """Whether a break stops at the step with an index. Raises Refused for what isn't in the graph."""
        kind, _, what = made.place.partition(" ")
        kinds = {"node": self._node, "op": self._operation, "watch": self._watch}
        there = kinds[kind](what.strip()) if made.place else None
        true = self._condition(made.condition) if made.condition or not made.place else None
        return lambda index: (there is None or there(index)) and (true is None or true())

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
        known = operations(stepper)
        if name not in known:
            raise Refused(f"no node here is made by {name!r}; there are {listed(known, most=12) or 'only leaves'}")
        return lambda index: stepper.record.nodes[index].op == name and self._begins(index)

    def _watch(self, text: str) -> Stops:
        """Where a node's gradient is written."""
        node, steps = self.names.node(text), self.names.stepper.record
        return lambda index: steps.target(index) is node

    def _condition(self, text: str) -> Callable[[], bool]:
        """Whether an expression is true. It is tried at once, so that a name that isn't known shows."""
        if not text:
            raise Refused("b if takes a condition, such as b if abs(contribution) > 10")
        names = self.names
        try:
            code = names.compile(text, "eval")
        except SyntaxError as error:
            raise Refused(f"{shown(text)!r} is no condition: {error.msg}") from None
        names.describe(names.latest() or names.stepper.steps[0])
        try:
            names.run(code)
        except NameError as error:
            raise Refused(f"{error} here; help break says what is") from None
        except Exception:  # no answer here; there may be one at other steps
            pass
        return lambda: bool(names.evaluate(code))

    def _begins(self, index: int) -> bool:
        """Whether the step is the first one that its node makes (the seed, step 0, is made by none)."""
        nodes = self.names.stepper.record.nodes
        return index == 1 or (index > 1 and nodes[index] is not nodes[index - 1])


def operations(stepper: Stepper) -> list[str]:
    """The rows of the table that made nodes of this graph, by name."""
    return list(dict.fromkeys(node.op for node in stepper.order if node.op))


def place_and_condition(text: str, names: Names) -> tuple[str, str]:
    """What stands before and after `if` in what is typed for a break; an expression with an if of its own stays whole.

    A word that is no node and a row's name, or begins one alone, is an operation: `tanh` as `op tanh`.
    """
    if text in names.nodes or names.compiled(text, "eval"):
        place, condition = text, ""
    else:
        place, _, condition = (part.strip() for part in f" {text} ".partition(" if "))
    if place.startswith("op ") or not place:
        kind, _, name = place.partition(" ")
        return f"op {the_one(name.strip(), operations(names.stepper)) or name.strip()}" if kind else "", condition
    known = place in names.nodes or place in names.variables
    if not known and place.isidentifier() and place in operations(names.stepper):
        return f"op {place}", condition
    return f"node {place}", condition
