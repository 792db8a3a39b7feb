"""Displays: expressions that are shown wherever the prompt stops, each with its number, as in gdb. Next: quiz.py."""

from __future__ import annotations

from itertools import count

from engine.prompt.names import Names, Refused
from engine.prompt.shell import in_a_line
from engine.text.names import shown


class Displays:
    """The displays of a session, by number; a number is never given twice."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.made: dict[int, str] = {}
        self.numbers = count(1)

    def add(self, text: str) -> int:
        """A new display, and its number."""
        number = next(self.numbers)
        self.made[number] = text
        return number

    def remove(self, numbers: list[int]) -> None:
        """Takes these away, all where none is given. Raises Refused for a number that none has."""
        for number in numbers:
            if number not in self.made:
                raise Refused(f"there is no display {number}; info display lists them")
        for number in numbers or list(self.made):
            del self.made[number]

    def line(self, number: int) -> str:
        """One of them now, such as `1: w.grad = 0.7`; what Python raises in the place of a value."""
        text = self.made[number]
        try:
            value = repr(self.names.value(text))
        except Exception as error:
            value = in_a_line(error)
        return f"{number}: {shown(text)} = {value}"

    def __str__(self) -> str:
        return "\n".join(self.lines()) or "nothing is displayed"

    def lines(self) -> list[str]:
        """All of them now."""
        return [self.line(number) for number in self.made]
