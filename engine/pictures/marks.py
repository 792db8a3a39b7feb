"""Marks on the picture of a graph: a moment of backprop, the paths of one derivative, the first gradient off."""

from __future__ import annotations

from bisect import bisect_left
from textwrap import wrap

from engine.pictures.picture import Box, Picture, Row, shortened, shown, tint
from engine.steps.explain import Explanation, operand, partial, product
from engine.steps.passes import Comparison
from engine.steps.stepper import Stepper
from engine.text.names import as_factor, number_text
from engine.value import Value

WIDTH, LONGEST = 110, 440  # characters on one line, of one note
LISTED = 4  # paths


def noted(picture: Picture, *notes: str) -> Picture:
    """The picture with sentences above it."""
    lines = [line for note in notes for line in wrap(shortened(shown(note), LONGEST), WIDTH)]
    return picture._replace(notes=(*picture.notes, *lines))


def step_notes(stepper: Stepper) -> list[str]:
    """The latest step in a sentence, and what else there is to say."""
    latest = ", ".join(stepper.steps[stepper.position - 1].columns()) if stepper.position else "before the first step"
    told = [line for line in stepper.told() if not line.startswith("waiting")]  # the boxes say that
    return [f"step {stepper.position} of {len(stepper)}: {latest}", *told]


def at_moment(picture: Picture, stepper: Stepper) -> Picture:
    """Nodes done, in hand, and waiting for contributions; the edge of the latest step with its product."""
    place = {f"n{i}": node for i, node in enumerate(stepper.order)}
    latest = stepper.steps[stepper.position - 1] if stepper.position else None
    made = _made(stepper)
    current = f"e{stepper.order.index(latest.node)}-{latest.slot}" if latest and latest.slot is not None else None
    largest = max([abs(grad) for grad in stepper.recorded.afters], default=0.0)
    boxes = [box_now(box, place[box.id], stepper, largest) if box.id in place else box for box in picture.boxes]
    arrows = []
    for arrow in picture.arrows:
        if arrow.id == current and latest:
            partial = number_text(latest.partial)
            label = f"{number_text(latest.upstream)} · {as_factor(partial)} = {number_text(latest.contribution)}"
            arrow = arrow._replace(label=label if arrow.label else "", marks=(*arrow.marks, "current"))
        elif arrow.id not in made and "constant" not in arrow.marks:
            arrow = arrow._replace(marks=(*arrow.marks, "later"))
        arrows.append(arrow)
    return noted(picture._replace(boxes=boxes, arrows=arrows), *step_notes(stepper))


def _made(stepper: Stepper) -> set[str]:
    """The ids of the arrows whose contribution has been made."""
    place = {node: i for i, node in enumerate(stepper.order)}
    steps = zip(stepper.recorded.nodes[: stepper.position], stepper.recorded.slots, strict=False)
    return {f"e{place[node]}-{slot}" for node, slot in steps}


def box_now(box: Box, node: Value, stepper: Stepper, largest: float) -> Box:
    """The box of a node at the moment that the stepper is at; largest is the largest gradient of the whole pass."""
    writes = stepper.recorded.writes[node]
    arrived = bisect_left(writes, stepper.position)
    marks = box.marks
    if arrived:
        marks += ("done" if arrived == len(writes) else "waiting",)
    if node is stepper.hand and stepper.position:
        marks += ("hand",)
    rows = box.rows
    if len(writes) > 1:
        rows += (Row("arrived", "", f"{arrived} of {len(writes)} in"),)
    return box._replace(rows=rows, marks=marks, fill=tint(node.grad, largest))


def on_paths(picture: Picture, explanation: Explanation) -> Picture:
    """The paths of one derivative, and above the picture their products."""
    place = {node: i for i, node in enumerate(explanation.order)}
    nodes = {f"n{place[node]}" for node in explanation.nodes}
    edges = {f"e{place[node]}-{slot}" for node in explanation.nodes for node, slot in explanation.edges(node)}
    arrows = [arrow._replace(marks=(*arrow.marks, "path")) if arrow.id in edges else arrow for arrow in picture.arrows]
    boxes = [box._replace(marks=(*box.marks, "path")) if box.id in nodes else box for box in picture.boxes]
    return noted(picture._replace(boxes=boxes, arrows=arrows), *_products(explanation))


def _products(explanation: Explanation) -> list[str]:
    gradient = explanation.quotient(explanation.E, explanation.w)
    if zero := explanation.zero():
        return [f"{gradient} = 0: {zero}"]
    paths = explanation.paths or []
    lines = [f"{gradient} = {number_text(explanation.value)}, by {len(paths) or 'many'} path" + "s" * (len(paths) != 1)]
    for path in paths[:LISTED]:
        stations = [explanation.names[explanation.E], *(explanation.names[operand(*edge)] for edge in path)]
        factors = [number_text(partial(*edge)) for edge in path]
        numbers = " · ".join(as_factor(factor) if i else factor for i, factor in enumerate(factors))
        result = f" = {number_text(product(path))}" if len(path) > 1 else ""
        lines.append(f"{' → '.join(stations)}: {numbers}{result}")
    return [*lines, f"and {len(paths) - LISTED} more"] if len(paths) > LISTED else lines


def where_off(picture: Picture, comparison: Comparison, order: list[Value]) -> Picture:
    """The first node, in backward order, whose gradient is off. Raises ValueError if it isn't in this graph."""
    node = comparison.node
    if node is not None:
        if node not in order:
            raise ValueError("the comparison to highlight is of another graph: compare(E, …) with the E that is drawn")
        off = f"n{order.index(node)}"
        boxes = [box._replace(marks=(*box.marks, "off")) if box.id == off else box for box in picture.boxes]
        picture = picture._replace(boxes=boxes)
    return noted(picture, *comparison.text.splitlines())
