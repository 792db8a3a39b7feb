"""Marks on the picture of a graph: a moment of backprop, the paths of one derivative, the first gradient off."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from textwrap import wrap

from engine.pictures.nodes import NO_GRADIENT, Ids, Says
from engine.pictures.picture import Arrow, Box, Picture, Row, text_width
from engine.steps.compare import Comparison
from engine.steps.explain import Explanation
from engine.steps.passes import product, recorded
from engine.steps.step import Step, text_of
from engine.steps.stepper import RecordedPass, Stepper
from engine.text.names import counted, joined, more, number_text, quotient, shortened, shown
from engine.value import Value, operand

WIDTH, LONGEST = 110, 440  # characters on one line, of one note
LISTED = 4  # paths


def noted(picture: Picture, *notes: str) -> Picture:
    """The picture with sentences above it."""
    return picture._replace(notes=(*picture.notes, *note_lines(notes)))


def note_lines(notes: Iterable[str]) -> list[str]:
    return [line for note in notes for line in wrap(shortened(shown(note), LONGEST), WIDTH)]


def marked(box: Box, mark: str) -> Box:
    return box._replace(marks=(*box.marks, mark))


# -- a moment


def step_notes(stepper: Stepper) -> list[str]:
    """The latest step in a sentence, and what else there is to say."""
    latest = ", ".join(stepper.steps[stepper.position - 1].columns()) if stepper.position else "before the first step"
    told = [line for line in stepper.told() if not line.startswith("waiting")]  # the boxes say that
    return [f"step {stepper.position} of {len(stepper)}: {latest}", *told]


def at_moment(picture: Picture, says: Says, stepper: Stepper) -> Picture:
    """Nodes done, in hand, and waiting for contributions; the edge of the latest step with its product."""
    ids, largest = says.ids, largest_gradient(stepper)
    nodes = {ids.node(node): node for node in says.order}
    boxes = [
        box_now(box, nodes[box.id], says, stepper, stepper.position, largest) if box.id in nodes else box
        for box in picture.boxes
    ]
    made = {ids.edge(step.node, step.slot) for step in stepper.steps[: stepper.position] if step.slot is not None}
    arrows = [arrow if arrow.id in made or "constant" in arrow.marks else _later(arrow) for arrow in picture.arrows]
    if stepper.position:
        arrows = [_current(arrow, ids, stepper) for arrow in arrows]
    return roomy(noted(picture._replace(boxes=boxes, arrows=arrows), *step_notes(stepper)), ids, stepper)


def roomy(picture: Picture, ids: Ids, stepper: Stepper) -> Picture:
    """The picture of a moment with room for what any other says, so that all are laid out alike."""
    record, steps = stepper.record, stepper.steps
    grads = {ids.node(node): [NO_GRADIENT, *(number_text(record.afters[i]) for i in record.writes[node])]
             for node in stepper.order}  # fmt: skip
    products = {ids.edge(step.node, step.slot): _product(step) for step in steps if step.slot is not None}
    boxes = [
        box._replace(rows=tuple(_widest(row, grads[box.id]) if row.kind == "grad" else row for row in box.rows))
        if box.id in grads
        else box
        for box in picture.boxes
    ]
    arrows = [arrow._replace(widest=products.get(arrow.id, "") if arrow.label else "") for arrow in picture.arrows]
    arrows = [
        arrow._replace(widest=max(arrow.widest, plain.label, key=text_width))
        for arrow, plain in zip(arrows, picture.arrows, strict=True)
    ]
    return picture._replace(boxes=boxes, arrows=arrows, room=_room(stepper))


def _widest(row: Row, texts: list[str]) -> Row:
    return row._replace(widest=max([row.text, *texts], key=text_width))


def _room(stepper: Stepper) -> tuple[str, ...]:
    """As many lines as the notes of any step need, each as wide as the widest."""
    said = [[f"step {len(stepper)} of {len(stepper)}: {', '.join(step.columns())}", *lost_at(step)] for step in stepper]
    always = [line for line in stepper.told() if not line.startswith(("waiting", "note:", "here:"))]
    lines = [note_lines([*notes, *always]) for notes in said]
    longest = max((line for notes in lines for line in notes), key=text_width)
    return (longest,) * max(map(len, lines))


def lost_at(step: Step) -> list[str]:
    return [f"here: {piece.text}" for piece in step.pieces().lost]


def _product(step: Step) -> str:
    """What stands on the arrow of the latest step."""
    partial = joined([number_text(step.upstream), number_text(step.partial)], " · ")
    return f"{partial} = {text_of(step.pieces().result)}"


def _later(arrow: Arrow) -> Arrow:
    return arrow._replace(marks=(*arrow.marks, "later"))


def _current(arrow: Arrow, ids: Ids, stepper: Stepper) -> Arrow:
    """The arrow; that of the latest step with the product in the place of the local derivative."""
    latest = stepper.steps[stepper.position - 1]
    if latest.slot is None or arrow.id != ids.edge(latest.node, latest.slot):
        return arrow
    label = _product(latest)
    return arrow._replace(label=label if arrow.label else "", marks=(*arrow.marks, "current"))


def largest_gradient(walk: RecordedPass) -> float:
    """Of the whole pass, which the tints are measured by."""
    return max(abs(grad) for grad in walk.record.afters)


def box_now(box: Box, node: Value, says: Says, walk: RecordedPass, position: int, largest: float) -> Box:
    """The box of a node once this many steps are made; largest is the largest gradient of the whole pass."""
    writes = walk.record.writes[node]
    arrived = bisect_left(writes, position)
    if arrived:
        box = marked(box, "done" if arrived == len(writes) else "waiting")
    if position and node is walk.record.nodes[position - 1]:
        box = marked(box, "hand")
    if len(writes) > 1:
        box = box._replace(rows=(*box.rows, Row("arrived", "", f"{arrived} of {len(writes)} in")))
    return box._replace(fill=says.fill(says.grad(node), largest))


# -- what explain() and compare() found


def on_paths(picture: Picture, ids: Ids, explanation: Explanation) -> Picture:
    """The paths of one derivative, and above the picture their products."""
    nodes = {ids.node(node) for node in explanation.nodes}
    edges = {ids.edge(*edge) for node in explanation.nodes for edge in explanation.edges(node)}
    arrows = [arrow._replace(marks=(*arrow.marks, "path")) if arrow.id in edges else arrow for arrow in picture.arrows]
    boxes = [marked(box, "path") if box.id in nodes else box for box in picture.boxes]
    return noted(picture._replace(boxes=boxes, arrows=arrows), *_products(explanation))


def _products(explanation: Explanation) -> list[str]:
    names = explanation.names
    gradient = quotient(names[explanation.E], names[explanation.w])
    if zero := explanation.zero():
        return [f"{gradient} = 0: {zero}"]
    paths = explanation.paths or []
    several = counted(len(paths), "path") if paths else "many paths"
    lines = [f"{gradient} = {number_text(explanation.value)}, by {several}"]
    for path in paths[:LISTED]:
        stations = [names[explanation.E], *(names[operand(*edge)] for edge in path)]
        numbers = joined([number_text(recorded(*edge)) for edge in path], " · ")
        result = f" = {number_text(product(path))}" if len(path) > 1 else ""
        lines.append(f"{' → '.join(stations)}: {numbers}{result}")
    left_out = more(len(paths) - LISTED)
    return [*lines, left_out.strip()] if left_out else lines


def where_off(picture: Picture, ids: Ids, comparison: Comparison) -> Picture:
    """The first node, in backward order, whose gradient is off, with what was given, and the edges that are missing.

    Raises ValueError if it isn't in this graph.
    """
    if comparison.node is not None:
        if comparison.node not in ids.place:
            raise ValueError("the comparison to highlight is of another graph: compare(E, …) with the E that is drawn")
        off, lost = ids.node(comparison.node), {ids.edge(*edge) for edge in comparison.lost}
        given = Row("yours", "yours", number_text(comparison.off[comparison.node][1]))
        boxes = [
            marked(box, "off")._replace(rows=(*box.rows, given)) if box.id == off else box for box in picture.boxes
        ]
        arrows = [
            arrow._replace(marks=(*arrow.marks, "lost")) if arrow.id in lost else arrow for arrow in picture.arrows
        ]
        picture = picture._replace(boxes=boxes, arrows=arrows)
    return noted(picture, *comparison.text.splitlines())
