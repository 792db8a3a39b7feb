"""A backward pass as the frames of a film, in words and numbers: first the operations forward, then each contribution.

Nodes and edges have a life besides, a list of moments from which on they look how. All of it is data, from the record
of the pass; film.py makes the page from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.pictures.marks import box_now, largest_gradient
from engine.pictures.nodes import NAME, NO_GRADIENT, Says, graph_picture
from engine.pictures.picture import Box, Picture, text_width
from engine.steps.passes import RIGHT, Edge
from engine.steps.step import Piece, Step, between, number_piece, text_of
from engine.steps.stepper import RecordedPass, close
from engine.text.names import grad_text, more, number_text, quotient, shortened
from engine.text.symbols import PRINTED, derivation
from engine.value import Value, edges

LISTED = 6  # leaves, or local derivatives, in a row
INDENT = 20  # characters

Row = tuple[str, list[Piece]]


class Frame(NamedTuple):
    """A step of the film: in one line, and in rows; the node in hand, the edges in use, the node that gets a number."""

    phase: str
    what: str
    line: str
    rows: list[Row]
    hand: Value | None = None
    edges: Sequence[Edge] = ()
    target: Value | None = None
    outcomes: Sequence[Outcome] = ()


class Outcome(NamedTuple):
    """How a gradient comes out of a wrong pass: what it is, what is right, and that in words."""

    final: float
    right: float
    text: str


class Script:
    """The frames of a recorded pass, in words and numbers."""

    equals = " = "  # between the sides of an equation

    def __init__(self, walk: RecordedPass) -> None:
        self.walk, self.way, self.order = walk, walk.way, walk.order
        self.names = {node: shortened(name, NAME) for node, name in walk.names.items()}
        operations = (node for node in self.order if node.rule)
        steps = (Step(walk, place, self.names) for place in range(len(walk)))
        self.frames = [self.start(), *map(self.forward, operations), *map(self.backward, steps), self.end()]

    def start(self) -> Frame:
        leaves = [Piece(f"{self.names[node]} = {number_text(node.data)}") for node in self.order if not node.rule]
        rows: list[Row] = [("numbers", listed(leaves))]
        start = self.walk.record.start.items()
        if held := [Piece(f"{self.names[node]} {number_text(grad)}") for node, grad in start if grad is not None]:
            rows.append(("from before", [*listed(held), Piece("; contributions add to these gradients", "note")]))
        return Frame("start", "The leaves have their numbers", "the leaves have their numbers", rows)

    def forward(self, node: Value) -> Frame:
        uses = [(node, slot) for slot, _, _ in edges(node)]
        formula, value, left = PRINTED.formula(node, self.names), number_piece(node.data), f"{self.names[node]} = "
        kept = [Piece(self.local(*edge), "partial") for edge in uses]
        rows: list[Row] = [
            ("operation", [Piece(left + formula)]),
            ("in numbers", [equals_below(left), Piece(PRINTED.numbers_in_formula(node))]),
            ("value", [equals_below(left), value]),
            ("kept for the way back", listed(kept)),
        ]
        line = f"{left}{formula} = {value.text}"
        return Frame("forward", f"{self.names[node]} is computed", line, rows, None, uses, node)

    def local(self, node: Value, slot: int) -> str:
        """The local derivative: its name, in symbols, with numbers put in, its value; as far as they differ."""
        return self.equals.join(derivation(node, slot, self.names, PRINTED))

    def backward(self, step: Step) -> Frame:
        name, told, rows, uses = self.names[step.input], step.pieces(NO_GRADIENT), list[Row](), list[Edge]()
        left = text_of(told.target)
        what = f"Backprop begins at {name}"
        if step.slot is not None:
            what, uses = f"{self.names[step.node]} passes its gradient on to {name}", [(step.node, step.slot)]
            rows.append(("local derivative", [Piece(self.local(step.node, step.slot), "partial")]))
        rows.append(("chain rule", [*told.target, *told.symbols]))
        if told.numbers:
            rows.append(("in numbers", [equals_below(left), *told.numbers]))
        rows.append(("product" if told.numbers else "value", [equals_below(left), *told.result]))
        rows += self.effect(step)
        computed = [told.numbers, told.result] if told.numbers else [told.result]
        return Frame("backward", what, left + " = ".join(map(text_of, computed)), rows, step.node, uses, step.input)

    def effect(self, step: Step) -> Iterator[Row]:
        """The gradient before and after, how many contributions are in, and what a mistake does here."""
        told = step.pieces(NO_GRADIENT)
        arrived = [Piece("   ", "note"), *told.arrived] if told.arrived else []
        yield f"{self.names[step.input]}.grad", [*told.change, *arrived]
        if told.lost:
            yield "mistake", told.lost

    def end(self) -> Frame:
        final, E = self.walk.record.final, self.names[self.walk.E]
        leaves = [node for node in self.order if not node.rule]
        gradients = [
            Piece(f"{quotient(E, self.names[node])} = {grad_text(final[node], NO_GRADIENT)}") for node in leaves
        ]
        rows: list[Row] = [("gradients", listed(gradients))]
        if self.way is RIGHT:
            return Frame("end", "All gradients are complete", "all gradients are complete", rows)
        outcomes = [*self.outcomes()]
        return Frame("end", "The pass is over", "the pass is over", rows + self.ending(outcomes), outcomes=outcomes)

    def ending(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """Which gradients are wrong at the end, what they are and what is right."""
        wrong = [Piece(each.text, "lost") for each in outcomes if not close(each.final, each.right)]
        if not wrong:
            return [("mistake", [Piece("all gradients are right all the same", "lost")])]
        return [("mistake", [Piece("not all gradients are right", "lost")]), ("wrong", listed(wrong))]

    def outcomes(self) -> Iterator[Outcome]:
        """How each gradient comes out, in the order of the right pass."""
        E = self.names[self.walk.E]
        for node in reversed(self.order):
            final, right = self.walk.record.final[node] or 0.0, self.walk.right.final[node] or 0.0
            gradient = quotient(E, self.names[node])
            yield Outcome(final, right, f"{gradient} is {number_text(right)}, here {number_text(final)}")


def equals_below(left: str) -> Piece:
    """An equals sign below the one that ends a line's left side, unless that is long."""
    return Piece("= ".rjust(len(left)) if len(left) < INDENT else "= ")


def listed(pieces: list[Piece]) -> list[Piece]:
    left_out = more(len(pieces) - LISTED)
    return between(pieces[:LISTED], ", ") + ([Piece(left_out)] if left_out else [])


# -- lives: from which frame on a node or an edge looks how


class Look(NamedTuple):
    """How a node looks from a frame on: its part in that, "later", "ready", "hand" or "current", and its box."""

    since: int
    state: str
    box: Box


class Lives:
    """The looks of each node from frame to frame, .nodes, and the picture of the end; computed from the record."""

    def __init__(self, script: Script, says: type[Says] = Says) -> None:
        self.walk, self.position = script.walk, 0
        self.largest = largest_gradient(self.walk)
        self.grads = dict(self.walk.record.start)
        self.says = says(self.walk.order, names=self.walk.names, grads=self.grads)
        self.computed = {node for node in self.walk.order if not node.rule}
        self.nodes = {node: [self.look(node, 0)] for node in self.walk.order}
        before: dict[Value, str] = {}
        for number, frame in enumerate(script.frames):
            self.advance(frame)
            parts = {frame.hand: "hand", frame.target: "current"}
            states = {node: state for node, state in parts.items() if node is not None}
            for node in before | states:
                self.nodes[node].append(self.look(node, number, states.get(node, "ready")))
            before = states
        self.picture = self.roomy(graph_picture(says(self.walk.order, names=self.walk.names, grads=self.grads)))

    def advance(self, frame: Frame) -> None:
        """What a frame computes: a node's number, or a gradient."""
        if frame.phase == "forward" and frame.target is not None:
            self.computed.add(frame.target)
        elif frame.phase == "backward" and frame.target is not None:
            self.grads[frame.target] = self.walk.record.afters[self.position]
            self.position += 1

    def look(self, node: Value, since: int, state: str = "ready") -> Look:
        box = box_now(self.says.box(node), node, self.says, self.walk, self.position, self.largest)
        if node not in self.computed:
            rows = tuple(row._replace(text="") if row.kind == "data" else row for row in box.rows)
            return Look(since, "later", box._replace(rows=rows, tooltip=box.name))
        return Look(since, state, box)

    def roomy(self, picture: Picture) -> Picture:
        """The picture with the boxes of the end, and room in them for the longest text that a row ever has."""
        ends = {}
        for life in self.nodes.values():
            columns = zip(*(look.box.rows for look in life), strict=True)
            rows = (column[-1]._replace(widest=max((row.text for row in column), key=text_width)) for column in columns)
            end = life[-1].box
            ends[end.id] = end._replace(rows=tuple(rows))
        boxes = [ends[box.id]._replace(marks=box.marks) if box.id in ends else box for box in picture.boxes]
        return picture._replace(boxes=boxes)


def edge_lives(script: Script) -> dict[Edge, list[tuple[int, str]]]:
    """For each edge, from which frame on it is "later", "ready" (its derivative is known), "current" and "done"."""
    lives: dict[Edge, list[tuple[int, str]]] = {}
    for number, frame in enumerate(script.frames):
        for edge in frame.edges:
            life = lives.setdefault(edge, [(0, "later")])
            life += (number, "current"), (number + 1, "ready" if frame.phase == "forward" else "done")
    return lives
