"""A film whose numbers can be turned: what its page computes with, and all that it says, as templates.

A graph of Slots is filmed as any other, and so every text about it is a template made by its owner. The arithmetic
is the table's, read as JavaScript.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from engine.domain import TOO_LARGE, UNDEFINED, contribution_error, domain_error, sum_error
from engine.pictures.frames import Lives, Outcome, Row, Script
from engine.pictures.nodes import Says
from engine.pictures.templates import GENERIC, SAME, Slot, Slots, plain, templates
from engine.pictures.texts import Texts, texts
from engine.readings.javascript import functions
from engine.rules import Rule
from engine.steps.passes import RIGHT, Grad
from engine.steps.step import Step
from engine.steps.stepper import RecordedPass
from engine.text.names import shortened
from engine.value import Value, edges

PROBLEMS = {"not defined": UNDEFINED, "too large": TOO_LARGE}
LONGEST = 200  # characters of a name
KINDS = {"undefined": float("nan"), "infinite": float("inf"), "large": GENERIC}  # of a local derivative


class Live:
    """A pass over a graph of Slots: .data is what the page computes with, and all that it says, as templates.

    Raises ValueError where a text can't be made a template.
    """

    def __init__(self, walk: RecordedPass) -> None:
        self.walk, self.order = walk, walk.order
        self.places = {node: i for i, node in enumerate(walk.order)}
        self.slots = Slots([*walk.names.values()])
        self._passed: list[int] = []
        for node in self.order:  # before all that is computed in a pass, by the engine's order
            self.slots.place("data", self.places[node])
            for slot, _, _ in edges(node):
                self.slots.place("partial", self.places[node], slot)
        self.rows: dict[str, Rule] = {}
        self.keys: dict[Value, str] = {}
        for node in self.order:
            if node.rule:
                self.keys[node] = self._key(node.rule)
        written = [self._written(textbook, negative) for textbook in (False, True) for negative in (False, True)]
        partials = {place: step[1:] for step, place in self.slots.places.items() if step[0] == "partial"}
        says = templates(self.slots, written, partials)
        self.data: Texts = {"says": says, "nodes": [*self._nodes()], "errors": self._errors()}
        self.data["afters"] = [self.slots.index(each) for each in self._record.afters]
        self.data |= {"passed": self._passed[0], "steps": self.slots.steps}
        self.functions = functions(self.rows)

    def _key(self, rule: Rule) -> str:
        key, number = rule.name, 2
        while self.rows.setdefault(key, rule) is not rule:  # two operations of a user's may have one name
            key, number = f"{rule.name}#{number}", number + 1
        return key

    def _written(self, textbook: bool, negative: bool) -> Texts:
        self.slots.negative = negative
        copies = self.copies(textbook)
        found = {copies[node]: grad for node, grad in self.walk.right.start.items()}
        mistake = None if self.walk.way is RIGHT else self.walk.way.name
        walk = RecordedPass(copies[self.walk.E], mistake, found)
        walk.names = {copy: shortened(name, LONGEST) for copy, name in walk.names.items()}  # so that no text is cut
        self._passed.append(len(self.slots.steps))
        script = LiveScript(walk, self.slots)
        lives = Lives(script, LiveSays)
        made = texts(script, lives)
        self._sizes(made, lives)
        for frame, made_frame, unless in zip(script.frames, made["frames"], script.unless, strict=True):
            made_frame["unless"] = unless
            made_frame["outcomes"] = [[repr(x) for x in each[:2]] + [each.text] for each in frame.outcomes]
        self._record = walk.record
        return made

    def _sizes(self, made: Texts, lives: Lives) -> None:
        """What colours and widths are made of: the gradient of a node at a moment, the contribution over an edge."""
        says = lives.says
        for node in lives.walk.order:
            for slot, _, partial in edges(node):
                made["edges"][says.ids.edge(node, slot)]["width"] = repr(says.contribution(node, partial))

    def copies(self, textbook: bool = False) -> dict[Value, Value]:
        """A Value for each, in order, whose data and partials are Slots; its row may have the textbook's partials."""
        copies: dict[Value, Value] = {}
        forms = {rule: Form(rule, textbook) for rule in self.rows.values()}
        for node in self.order:
            copy: Any = object.__new__(Value)
            copies[node] = copy
            copy.label, copy.grad, copy.rule = node.label, None, forms[node.rule] if node.rule else None
            place, given = self.places[node], node.inputs
            copy._data = self.slots.slot("data", place)
            copy._x, copy._y, copy._dy = tuple(copies[x] if isinstance(x, Value) else x for x in given), None, None
            copy._dx = tuple(
                None if partial is None else self.slots.slot("partial", place, slot)
                for slot, partial in enumerate(node.partials)
            )
        return copies

    # -- what is computed, and what may go wrong

    def _nodes(self) -> Iterator[Texts]:
        for node in self.order:
            place = self.places[node]
            if node.rule is None:
                yield {"name": self.walk.names[node], "value": node.data, "data": self.slots.place("data", place)}
                continue
            partials = [
                None if partial is None else self.slots.place("partial", place, slot)
                for slot, partial in enumerate(node.partials)
            ]
            given = [x if isinstance(x, float) else [self.slots.place("data", self.places[x])] for x in node.inputs]
            data = self.slots.place("data", place)
            yield {"row": self.keys[node], "operands": given, "data": data, "partials": partials}

    def _errors(self) -> Texts:
        """The engine's sentences: by node and problem, by local derivative and what it is, by gradient."""
        self.slots.negative = False
        upstream, nodes = self.slots.slot("upstream"), [*enumerate(self.copies().values())]
        record = self._record
        return {
            "values": {place: self._of_value(node, node.rule) for place, node in nodes if node.rule},
            "contributions": {
                self.slots.place("partial", place, slot): self._of_contribution(node, place, slot, upstream)
                for place, node in nodes
                for slot, _, _ in edges(node)
            },
            "sums": {
                self.slots.index(after): self._sentence(sum_error(record.target(step), after))
                for step, after in enumerate(record.afters)
                if isinstance(after, Slot)
            },
            "upstream": self.slots.index(upstream),
        }

    def _of_value(self, node: Value, rule: Rule) -> Texts:
        return {kind: self._sentence(domain_error(rule, node.inputs, problem)) for kind, problem in PROBLEMS.items()}

    def _of_contribution(self, node: Any, place: int, slot: int, upstream: Slot) -> Texts:
        said, kept = Texts(), node._dx
        for kind, value in KINDS.items():
            node._dx = (*kept[:slot], Slot(self.slots, ("partial", place, slot), value), *kept[slot + 1 :])
            said[kind] = self._sentence(contribution_error(node, slot, upstream))
        node._dx = kept
        return said

    def _sentence(self, error: Exception) -> dict[str, list[Any]]:
        return {"t": plain(self.slots, str(error))}


class Form(Rule):
    """A row whose partials are the ones to show, be they the textbook's or those that are computed with."""

    __slots__ = ("row",)

    def __init__(self, row: Rule, textbook: bool) -> None:
        partials = row.shown if textbook else row.partials
        super().__init__(row.name, row.typed, row.value, *partials, domain=row.domain, says=row.says)
        self.row = row

    def __repr__(self) -> str:
        return repr(self.row)


class LiveScript(Script):
    """Frames in templates; .unless has for each the pairs of numbers that differ where a mistake does something."""

    equals = SAME

    def __init__(self, walk: RecordedPass, slots: Slots) -> None:
        self.slots, self.unless = slots, list[list[tuple[int, int | float]]]()
        super().__init__(walk)
        ahead = len(self.frames) - 1 - len(self.unless)
        self.unless = [*([] for _ in range(ahead)), *self.unless, []]

    def effect(self, step: Step) -> Iterator[Row]:
        self.slots.asked.clear()
        yield from super().effect(step)
        self.unless.append([*self.slots.asked])

    def ending(self, outcomes: Sequence[Outcome]) -> list[Row]:
        return []  # the page says it, for it depends on the numbers


class LiveSays(Says):
    equals = SAME

    def fill(self, grad: Grad, largest: float) -> str:
        """The gradient, which decides the colour."""
        return "" if grad is None else repr(grad)
