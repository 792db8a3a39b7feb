"""Texts with places for numbers, made by those who write the texts with numbers.

A Slot passes for a number: what is computed with it is noted down, and what is written with it has a mark in its
place. So whatever writes about a graph writes a template about a graph of Slots. A number's sign decides on
parentheses: a text is written twice, as for positive and as for negative numbers, and where the two differ a fence is
noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Any, TypeAlias

Part: TypeAlias = Any  # of a template: a text, the index of a number, or a list that begins with what it is
GENERIC = 1500000.5  # what a Slot is as a float: no whole number, and large, so that no text depends on it
SAME = "\ue000"  # an equals sign between sides of which each that reads as the one before is left out
LETTERS = 0x13000  # marks count as letters, which labels hardly use: those from here on that none does


class Slots:
    """The numbers of a page, by index, and how each is computed: `steps` of ["+", i, j], ["*", i, j], ["c", number]."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        used = {*"".join(texts)}
        self.marks = "".join(islice((c for c in map(chr, count(LETTERS)) if c not in used), 3))
        self.token = re.compile("([{}{}])(\\d+){}".format(*self.marks))
        self.steps: list[tuple[Any, ...]] = []
        self.places: dict[tuple[Any, ...], int] = {}
        self.negative = False  # whether numbers are written as negative ones
        self.asked: list[tuple[int, int | float]] = []  # pairs that were found to differ

    def place(self, *step: Any) -> int:
        """The index of a number that is computed so."""
        if step not in self.places:
            self.places[step] = len(self.steps)
            self.steps.append(step)
        return self.places[step]

    def slot(self, *step: Any, value: float = GENERIC) -> Slot:
        return Slot(self, step, value)

    def index(self, number: float) -> int:
        return self.place(*number.step) if isinstance(number, Slot) else self.place("c", float(number))

    def computed(self, sign: str, x: float, y: float) -> Slot:
        step = (sign, self.index(x), self.index(y))
        self.place(*step)
        return Slot(self, step)


class Slot(float):
    """A number to be put in."""

    slots: Slots
    step: tuple[Any, ...]

    def __new__(cls, slots: Slots, step: tuple[Any, ...], value: float = GENERIC) -> Slot:
        made = super().__new__(cls, value)
        made.slots, made.step = slots, step
        return made

    def __format__(self, spec: str) -> str:
        return self._mark(0) if spec else repr(self)

    def __repr__(self) -> str:
        return self._mark(1)

    def _mark(self, kind: int) -> str:
        marks = self.slots.marks
        return f"{'-' * self.slots.negative}{marks[kind]}{self.slots.index(self)}{marks[2]}"

    def __add__(self, other: float) -> Slot:
        return self.slots.computed("+", self, other)

    def __radd__(self, other: float) -> Slot:
        return self.slots.computed("+", other, self)

    def __mul__(self, other: float) -> Slot:
        return self.slots.computed("*", self, other)

    def __rmul__(self, other: float) -> Slot:
        return self.slots.computed("*", other, self)

    def __abs__(self) -> Slot:
        return Slot(self.slots, ("abs", self.slots.index(self)), abs(float(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, float | int):
            return NotImplemented
        pair = self.slots.index(self), self.slots.index(other)
        if pair[0] == pair[1]:
            return float(self) == float(self)
        self.slots.asked.append(pair)
        return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __bool__(self) -> bool:
        return self != 0.0

    __hash__ = float.__hash__


def templates(slots: Slots, written: Sequence[Any], partials: dict[int, tuple[int, int]]) -> Any:
    """What was written four times (positive, negative; the same with textbook forms), as one, with templates for texts.

    written are four nests of lists and dicts of one shape; partials has the node and the slot of each number that is a
    local derivative, which says whether its textbook form reads right.
    """
    first = written[0]
    if isinstance(first, str):
        return template(slots, written, partials)
    if isinstance(first, dict):
        return {key: templates(slots, [each[key] for each in written], partials) for key in first}
    if isinstance(first, list | tuple):
        return [templates(slots, each, partials) for each in zip(*written, strict=True)]
    return first


def template(slots: Slots, written: Sequence[str], partials: dict[int, tuple[int, int]]) -> str | dict[str, list[Part]]:
    """{"t": the parts of a text}; where there are no numbers, the text."""
    computed, shown = _lines(slots, *written[:2]), _lines(slots, *written[2:])
    if computed == shown:
        alone = len(computed) == 1 and isinstance(computed[0], str)
        return computed[0] if alone else {"t": computed} if computed else ""
    places = (partials.get(int(found[2])) for found in slots.token.finditer(written[0]))
    return {"t": [["?", *next(filter(None, places)), shown, computed]]}


def _lines(slots: Slots, positive: str, negative: str) -> list[Part]:
    parts: list[Part] = []
    for number, (line, other) in enumerate(zip(positive.split("\n"), negative.split("\n"), strict=True)):
        sides = [_parts(slots, *each) for each in zip(line.split(SAME), other.split(SAME), strict=True)]
        parts += ["\n"] * (number > 0)
        parts += [["=", *sides]] if len(sides) > 1 else sides[0]
    return _joined(parts)


def _parts(slots: Slots, positive: str, negative: str) -> list[Part]:
    """One side: its numbers, and a fence around what has parentheses only where numbers are negative."""
    open_lists: list[list[Part]] = [[]]
    added: list[bool] = []  # for each open parenthesis, whether it is a fence
    i = j = 0
    while j < len(negative):
        token, sign = slots.token.match(positive, i), negative[j]
        if token and sign == "-":
            open_lists[-1].append(int(token[2]) if token[1] == slots.marks[0] else ["r", int(token[2])])
            i, j = token.end(), j + 1 + len(token[0])
            continue
        same = i < len(positive) and positive[i] == sign and not token
        if sign == ")" and added and added.pop():
            fenced = open_lists.pop()
            open_lists[-1].append(["f", *_joined(fenced)])
        elif same:
            added += [False] * (sign == "(")
            open_lists[-1].append(sign)
            i += 1
        elif sign == "(":
            added.append(True)
            open_lists.append([])
        else:
            raise ValueError(f"these texts differ by more than parentheses: {positive!r}, {negative!r}")
        j += 1
    return _joined(open_lists[0])


def _joined(parts: list[Part]) -> list[Part]:
    """Neighbouring texts made one; a number after ** as an exponent."""
    made: list[Part] = []
    for part in parts:
        if made and isinstance(part, str) and isinstance(made[-1], str):
            made[-1] += part
        elif made and not isinstance(part, str) and isinstance(made[-1], str) and made[-1].endswith("**"):
            made[-1] = made[-1][:-2]
            made.append(["^", part])
        else:
            made.append(part)
    return [part for part in made if part != ""]


def plain(slots: Slots, text: str) -> list[Part]:
    """The parts of a text without parentheses that depend on a sign."""
    return _joined(list(_read(slots, text)))


def _read(slots: Slots, text: str) -> Iterator[Part]:
    at = 0
    for token in slots.token.finditer(text):
        yield text[at : token.start()]
        yield int(token[2]) if token[1] == slots.marks[0] else ["r", int(token[2])]
        at = token.end()
    yield text[at:]
