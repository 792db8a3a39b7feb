"""A backward pass as the frames of a film, in words and numbers: first the operations forward, then each contribution.

Nodes and edges have a life besides, a list of moments from which on they look how. All of it is data; filming.py makes
the page from it, and stepper.py the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from engine.pictures.marks import box_now
from engine.pictures.nodes import NAME, Says, graph_picture, typeset
from engine.pictures.picture import Box, Picture, shortened, shown, text_width
from engine.steps.passes import RIGHT, Grad, record, went_wrong
from engine.steps.stepper import Step, Stepper
from engine.text.names import as_factor, changing, in_one_piece, number_text
from engine.text.symbols import formula_text, local_derivative_text
from engine.value import Value

Edge = tuple[Value, int]  # a node, and the slot of one of its operands

LISTED = 6  # leaves, or local derivatives, in a row
INDENT = 20  # characters


class Piece(NamedTuple):
    """A part of a line: its text, its kind (upstream, partial, result, note, lost), and the number it stands for."""

    text: str
    kind: str = ""
    number: Grad = None


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


class Script:
    """The frames of a stepper's pass, in words and numbers."""

    def __init__(self, stepper: Stepper) -> None:
        self.stepper, self.way, self.order = stepper, stepper.way, stepper.order
        self.names = {node: shortened(shown(name), NAME) for node, name in stepper.names.items()}
        self.right = stepper.recorded if self.way is RIGHT else record(self.order, RIGHT, stepper.found)
        operations = (node for node in self.order if node.rule)
        passes = *map(self.forward, operations), *map(self.backward, stepper.steps)
        self.frames = [self.start(), *passes, self.end()]

    def start(self) -> Frame:
        leaves = [Piece(f"{self.names[node]} = {number_text(node.data)}") for node in self.order if not node.rule]
        rows: list[Row] = [("numbers", listed(leaves))]
        start = self.stepper.recorded.start.items()
        if held := [Piece(f"{self.names[node]} {number_text(grad)}") for node, grad in start if grad is not None]:
            rows.append(("from before", [*listed(held), Piece("; contributions add to these gradients", "note")]))
        return Frame("start", "The leaves have their numbers", "the leaves have their numbers", rows)

    def forward(self, node: Value) -> Frame:
        edges = [(node, slot) for slot, partial in enumerate(node.partials) if partial is not None]
        numbers = {each: number_text(each.data) for each in node.inputs if isinstance(each, Value)}
        formula, put_in = self.formula(node), typeset(formula_text(node, numbers), [])
        value = number_piece(node.data)
        kept = [Piece(" = ".join(self.local(node, slot)), "partial") for _, slot in edges]
        left = f"{self.names[node]} = "
        rows: list[Row] = [
            ("operation", [Piece(left + formula)]),
            ("in numbers", [equals_below(left), Piece(put_in)]),
            ("value", [equals_below(left), value]),
            ("kept for the way back", listed(kept)),
        ]
        line = f"{left}{formula} = {value.text}"
        return Frame("forward", f"{self.names[node]} is computed", line, rows, None, edges, node)

    def typeset(self, formula: str, node: Value) -> str:
        return typeset(formula, [self.names[each] for each in (node, *node.inputs) if isinstance(each, Value)])

    def formula(self, node: Value) -> str:
        """What the node is computed as, in symbols."""
        return self.typeset(formula_text(node, self.names), node)

    def by(self, node: Value, input: Value) -> str:
        return f"∂{in_one_piece(self.names[node])}/∂{in_one_piece(self.names[input])}"

    def local(self, node: Value, slot: int) -> list[str]:
        """The local derivative: its name, in symbols, with numbers put in, its value; as far as they differ."""
        symbols, numbers = local_derivative_text(node, slot, self.names)
        name = self.by(node, node.inputs[slot])  # type: ignore[arg-type]  # only an operand that is a Value has one
        return changing(
            [name, self.typeset(symbols, node), typeset(numbers, []), number_text(node.partials[slot] or 0.0)]
        )

    def backward(self, step: Step) -> Frame:
        name, seed = self.names[step.input], step.slot is None
        left = f"{name}.grad {'=' if self.way.assigns or seed else '+='} "
        if step.slot is None:
            what, edges, rows = f"Backprop begins at {name}", list[Edge](), list[Row]()
            symbols, numbers = [Piece(self.by(step.node, step.node))], list[Piece]()
        else:
            what, edges = f"{self.names[step.node]} passes its gradient on to {name}", [(step.node, step.slot)]
            rows = [("local derivative", [Piece(" = ".join(self.local(step.node, step.slot)), "partial")])]
            symbols, numbers = self.factors(step)
        product = number_piece(step.contribution)
        rows.append(("chain rule", [Piece(left), *symbols]))
        if len(numbers) > 1:
            rows.append(("in numbers", [equals_below(left), *numbers]))
        rows.append(("product" if len(numbers) > 1 else "value", [equals_below(left), product]))
        rows += self.effect(step)
        computed = ["".join(piece.text for piece in numbers)] if len(numbers) > 1 else []
        return Frame("backward", what, left + " = ".join([*computed, product.text]), rows, step.node, edges, step.input)

    def effect(self, step: Step) -> Iterator[Row]:
        """The gradient before and after, how many contributions are in, and what a mistake does here."""
        arrived = [Piece(f"   {step.part} of {step.parts} contributions in", "note")] if step.parts > 1 else []
        change = [Piece(f"{grad_text(step.before)} → "), number_piece(step.after), *arrived]
        yield f"{self.names[step.input]}.grad", change
        if lost := went_wrong(self.way, self.stepper.recorded, self.right, step.number - 1, self.names):
            yield "mistake", [Piece(lost, "lost")]

    def factors(self, step: Step) -> tuple[list[Piece], list[Piece]]:
        """The product that a step adds, in symbols and in numbers; a wrong pass may leave out a factor."""
        root = self.stepper.E
        upstream = Piece(number_text(step.upstream), "upstream", step.upstream)
        partial = Piece(as_factor(number_text(step.partial)), "partial", step.partial)
        taken = [
            (Piece(self.by(root, step.node), "upstream"), upstream),
            (Piece(self.by(step.node, step.input), "partial"), partial),
        ]
        taken = taken[0 if self.way.upstream else 1 : 2 if self.way.partial else 1]
        symbols, numbers = (joined(pieces, " · ") for pieces in zip(*taken, strict=True))
        return symbols, numbers

    def end(self) -> Frame:
        final = self.stepper.recorded.final
        leaves = [node for node in self.order if not node.rule]
        gradients = [Piece(f"{self.by(self.stepper.E, node)} = {grad_text(final[node])}") for node in leaves]
        what = "All gradients are complete" if self.way is RIGHT else "The pass is over"
        rows: list[Row] = [("gradients", listed(gradients))]
        if self.way is not RIGHT:
            outcome = "all gradients are right all the same" if self.stepper.survives else "not all gradients are right"
            rows.append(("mistake", [Piece(outcome, "lost")]))
        return Frame("end", what, what.lower(), rows)


def number_piece(number: float) -> Piece:
    return Piece(number_text(number), "result", number)


def equals_below(left: str) -> Piece:
    """An equals sign below the one that ends a line's left side, unless that is long."""
    return Piece("= ".rjust(len(left)) if len(left) < INDENT else "= ")


def joined(pieces: Iterable[Piece], by: str) -> list[Piece]:
    return [each for piece in pieces for each in (Piece(by), piece)][1:]


def listed(pieces: list[Piece]) -> list[Piece]:
    more = [Piece(f" and {len(pieces) - LISTED} more")] if len(pieces) > LISTED else []
    return joined(pieces[:LISTED], ", ") + more


def grad_text(grad: Grad) -> str:
    return "–" if grad is None else number_text(grad)


# -- lives: from which frame on a node or an edge looks how


class Look(NamedTuple):
    """How a node looks from a frame on: its part in that, "future", "ready", "hand" or "now", and its box."""

    since: int
    state: str
    box: Box


class Nodes:
    """Runs a film's stepper from its start to its end: .lives has the looks of each node, .picture is the end."""

    def __init__(self, script: Script) -> None:
        self.stepper = stepper = script.stepper.rewind()
        self.largest = max(abs(grad) for grad in stepper.recorded.afters)
        self.says = Says(stepper.order)
        self.computed = {node for node in stepper.order if not node.rule}
        self.lives = {node: [self.look(node, 0)] for node in stepper.order}
        before: dict[Value, str] = {}
        for number, frame in enumerate(script.frames):
            if frame.phase == "forward" and frame.target is not None:
                self.computed.add(frame.target)
            elif frame.phase == "backward":
                stepper.step()
            states = {node: state for node, state in ((frame.hand, "hand"), (frame.target, "now")) if node is not None}
            for node in before | states:
                self.lives[node].append(self.look(node, number, states.get(node, "ready")))
            before = states
        self.picture = self.roomy(graph_picture(stepper.order))

    def look(self, node: Value, since: int, state: str = "ready") -> Look:
        box = box_now(self.says.box(node), node, self.stepper, self.largest)
        if node not in self.computed:
            rows = tuple(row._replace(text="") if row.kind == "data" else row for row in box.rows)
            return Look(since, "future", box._replace(rows=rows, tooltip=box.name))
        return Look(since, state, box)

    def roomy(self, picture: Picture) -> Picture:
        """The picture with the boxes of the end, and room in them for the longest text that a row ever has."""
        ends = {}
        for life in self.lives.values():
            columns = zip(*(look.box.rows for look in life), strict=True)
            rows = (column[-1]._replace(widest=max((row.text for row in column), key=text_width)) for column in columns)
            end = life[-1].box
            ends[end.id] = end._replace(rows=tuple(rows))
        boxes = [ends[box.id]._replace(marks=box.marks) if box.id in ends else box for box in picture.boxes]
        return picture._replace(boxes=boxes)


def edge_lives(script: Script) -> dict[Edge, list[tuple[int, str]]]:
    """For each edge, from which frame on it is "future", "ready" (its derivative is known), "now" and "done"."""
    lives: dict[Edge, list[tuple[int, str]]] = {}
    for number, frame in enumerate(script.frames):
        for edge in frame.edges:
            life = lives.setdefault(edge, [(0, "future")])
            life += (number, "now"), (number + 1, "ready" if frame.phase == "forward" else "done")
    return lives
