"""One step of backprop, and how it tells itself: in pieces, which a terminal, a page or a picture joins.

stepper.py makes the steps from a record of passes.py.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from engine.steps.passes import Grad, went_wrong
from engine.text.monospace import Monospaced
from engine.text.names import as_factor, grad_text, number_text, quotient
from engine.value import Value

if TYPE_CHECKING:
    from engine.steps.stepper import RecordedPass


class Piece(NamedTuple):
    """A part of a line: its text, its kind (upstream, partial, result, note, lost), and the number it stands for."""

    text: str
    kind: str = ""
    number: Grad = None


class Pieces(NamedTuple):
    """A step in pieces: what gets what, in symbols, in numbers (none where there is but one factor), and as one number.

    change is the gradient before and after, arrived how many of its contributions are in, if they are several; lost is
    what a mistake does here.
    """

    target: list[Piece]
    symbols: list[Piece]
    numbers: list[Piece]
    result: list[Piece]
    change: list[Piece]
    arrived: list[Piece]
    lost: list[Piece]


def text_of(pieces: Iterable[Piece]) -> str:
    """The pieces as plain text."""
    return "".join(piece.text for piece in pieces)


def between(pieces: Iterable[Piece], sign: str) -> list[Piece]:
    """The pieces with a sign between them."""
    return [each for piece in pieces for each in (Piece(sign), piece)][1:]


def number_piece(number: float) -> Piece:
    """A number that is a result."""
    return Piece(number_text(number), "result", number)


class Step(Monospaced):
    """One contribution, input.grad += upstream · partial, from a node to the operand in one of its slots.

    number is its place in the pass, from 1; before and after are input.grad; part of parts says which of the
    contributions to input it is. The first step, the seed, puts ∂E/∂E = 1 into E: its node is E too, its slot None.
    """

    __slots__ = ("_names", "_walk", "after", "before", "contribution", "input", "node", "number", "part",
                 "partial", "parts", "slot", "upstream")  # fmt: skip

    def __init__(self, walk: RecordedPass, place: int, names: Mapping[Value, str] | None = None) -> None:
        record = walk.record
        self._walk, self._names = walk, names or walk.names
        self.number, self.node, self.slot = place + 1, record.nodes[place], record.slots[place]
        self.input = record.target(place)
        self.partial: float = 1.0 if self.slot is None else walk.way.partial(self.node, self.slot)
        self.upstream, self.contribution = record.upstreams[place], record.contributions[place]
        self.before, self.after = record.befores[place], record.afters[place]
        writes = record.writes[self.input]
        self.part, self.parts = bisect_left(writes, place) + 1, len(writes)

    @property
    def root(self) -> Value:
        """E, which the pass starts from."""
        return self._walk.E

    def pieces(self, missing: str = "None") -> Pieces:
        """What the step says, in pieces to be joined; missing is how a gradient looks that isn't computed yet."""
        way, names = self._walk.way, self._names
        sign = "=" if way.assigns or self.slot is None else "+="
        target, result = Piece(f"{names[self.input]}.grad {sign} "), number_piece(self.contribution)
        symbols, numbers = self._factors()
        change = [Piece(f"{grad_text(self.before, missing)} → "), number_piece(self.after)]
        arrived = [Piece(f"{self.part} of {self.parts} contributions in", "note")] if self.parts > 1 else []
        lost = went_wrong(way, self._walk.record, self._walk.right, self.number - 1, names)
        return Pieces([target], symbols, numbers, [result], change, arrived, [Piece(lost, "lost")] if lost else [])

    def _factors(self) -> tuple[list[Piece], list[Piece]]:
        """The product that is added, in symbols and in numbers; a wrong pass may leave out a factor."""
        E, node, operand = (self._names[each] for each in (self._walk.E, self.node, self.input))
        upstream = Piece(quotient(E, node), "upstream"), Piece(number_text(self.upstream), "upstream", self.upstream)
        if self.slot is None:
            return [upstream[0]], []
        partial = Piece(quotient(node, operand), "partial"), Piece(number_text(self.partial), "partial", self.partial)
        factors = {"upstream": upstream, "partial": partial}
        taken = [factors[factor] for factor in self._walk.way.factors]
        symbols, numbers = ([pair[i] for pair in taken] for i in (0, 1))
        if len(taken) == 1:
            return symbols, []
        numbers[1] = numbers[1]._replace(text=as_factor(numbers[1].text))
        return between(symbols, " · "), between(numbers, " · ")

    def columns(self) -> tuple[str, str]:
        """As text: the computation, in symbols and numbers; and the gradient before and after."""
        told = self.pieces()
        sides = [told.symbols, *([told.numbers] if told.numbers else []), told.result]
        return text_of(told.target) + " = ".join(map(text_of, sides)), text_of(told.change)

    def __repr__(self) -> str:
        return "   ".join(self.columns())
