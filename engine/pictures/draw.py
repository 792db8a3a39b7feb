"""The graph of E as a picture: a box for each Value with its operation, data and gradient, an arrow for each operand.

nodes.py writes what they say, folding.py puts neurons and layers into one, marks.py marks a moment of backprop,
a path or a mistake. The picture is data (picture.py), laid out by Graphviz (dot.py, layout.py), written by svg.py.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.files import write_atomically
from engine.order import check_root, topological_order
from engine.pictures.dot import CROWDED, dot_source
from engine.pictures.folding import folded
from engine.pictures.frontend import bundle
from engine.pictures.layout import run
from engine.pictures.marks import at_moment, noted, on_paths, step_notes, where_off
from engine.pictures.nodes import Says, graph_picture
from engine.pictures.picture import Picture, with_room
from engine.pictures.svg import laid_out_svg
from engine.steps.compare import Comparison
from engine.steps.explain import Explanation
from engine.steps.stepper import Stepper
from engine.value import Value, stale_note

DPI = 96.0  # points of a PNG to an inch
MOST = 2000  # boxes; above it a drawing is refused


def draw(
    graph: Value | Stepper,
    *,
    depth: str | None = None,
    blanks: str | Sequence[str] | None = None,
    highlight: Comparison | Explanation | None = None,
    force: bool = False,
) -> Drawing:
    """The computation graph of E, or the moment that a stepper is at, as a picture.

    depth="neuron" draws a network of circles and weighted lines, depth="layer" a box a layer; both find neurons by
    their parameters' labels, such as hidden[2].w[3]. blanks="grad" ("data", "local", or a list of these) leaves these
    numbers out: a worksheet, and its .key has the same layout. highlight is what compare() or explain() found. Rounded
    boxes are operations, square ones leaves, thick ones parameters, dashed ones constants, and E has two borders. Above
    500 boxes it warns; raises ValueError above 2,000, unless force=True, and for an unknown depth or blanks; TypeError
    for what isn't a graph.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> draw((x * w).tanh())
    Drawing: Computation graph of E, 4 boxes, 3 arrows; .save("graph.svg"), .svg(), .source
    """
    E = graph.E if isinstance(graph, Stepper) else graph
    _check(E, depth, blanks, highlight)
    if not force and depth is None:
        refuse_large(E, "pass depth='layer' for a network, draw a sub-expression")
    order = topological_order(E)
    if isinstance(graph, Stepper) and blanks:
        raise ValueError("a moment shows numbers that blanks would leave out: draw(E, blanks=…) is the worksheet")

    def made(says: Says) -> Picture:
        picture = folded(says, depth) if depth else graph_picture(says)
        if isinstance(graph, Stepper):
            picture = noted(picture, *step_notes(graph)) if depth else at_moment(picture, says, graph)
        elif stale := stale_note(order):
            picture = noted(picture, stale)
        if isinstance(highlight, Explanation):
            return on_paths(picture, says.ids, highlight)
        return picture if highlight is None else where_off(picture, says.ids, highlight)

    picture = made(Says(order, left_out(blanks), graph.names if isinstance(graph, Stepper) else None))
    if not force and len(picture.boxes) > MOST:
        raise ValueError(f"this drawing has {len(picture.boxes):,} boxes: draw a sub-expression, or pass force=True")
    if len(picture.boxes) > CROWDED:
        warnings.warn(f"a drawing of {len(picture.boxes)} boxes is slow to make and hard to read", stacklevel=2)
    if not blanks:
        return Drawing(picture)
    sheet, key = with_room(picture, made(Says(order)))
    return Drawing(sheet, Drawing(key))


def left_out(blanks: str | Sequence[str] | None) -> tuple[str, ...]:
    """The kinds of numbers to leave out."""
    return () if blanks is None else (blanks,) if isinstance(blanks, str) else tuple(blanks)


def _check(E: Any, depth: object, blanks: object, highlight: object) -> None:
    check_root(E, "draw", ", or a Stepper")
    if depth is not None and depth not in ("neuron", "layer"):
        raise ValueError(f"depth is 'neuron' or 'layer'; given was {depth!r}")
    several = blanks if isinstance(blanks, list | tuple) else [] if blanks is None else [blanks]
    if blanks is not None and not (several and all(kind in ("grad", "data", "local") for kind in several)):
        raise ValueError(f"blanks is 'grad' or 'data' or 'local', or a list of these; given was {blanks!r}")
    if not isinstance(highlight, Comparison | Explanation | None):
        raise TypeError(f"highlight is what compare() or explain() returns, not a {type(highlight).__name__}")
    if depth is not None and highlight is not None:
        raise ValueError("highlight needs every node: leave depth out")
    if isinstance(highlight, Explanation) and highlight.E is not E:
        raise ValueError("the explanation to highlight is of another graph: explain(E, w) with the E that is drawn")


def refuse_large(E: Value, instead: str) -> None:
    """ValueError, with what to do instead, as soon as more boxes than MOST are found, however large the graph is."""
    seen, stack, boxes = {E}, [E], 1
    while stack:
        for operand in stack.pop().inputs:
            if isinstance(operand, Value):
                if operand in seen:
                    continue
                seen.add(operand)
                stack.append(operand)
            boxes += 1
            if boxes > MOST:
                raise ValueError(f"the graph has more than {MOST:,} nodes and constants: {instead}, or pass force=True")


def written(path: Path, content: str | bytes) -> Path:
    """The path, with this in it. Raises OSError, in one sentence, where it can't be written."""
    try:
        return write_atomically(path, content)
    except OSError as error:
        raise type(error)(f"{path} can't be written: {error.strerror or error}") from None


class Drawing:
    """A picture of a graph: .source is DOT, .svg() the SVG as text, .save(path) writes a file; Jupyter shows it."""

    def __init__(self, picture: Picture, key: Drawing | None = None) -> None:
        self.picture = picture
        self.key = key  # of a worksheet: the same with its numbers

    @cached_property
    def source(self) -> str:
        """The picture as DOT, with its looks; needs no layout engine."""
        return dot_source(self.picture)

    @property
    def digraph(self) -> Any:
        """The picture as an object of the graphviz package."""
        import graphviz

        return graphviz.Source(self.source)

    @cached_property
    def _svg(self) -> str:
        return laid_out_svg(self.picture)

    def svg(self) -> str:
        """The picture as SVG. Raises RuntimeError, in one sentence, where no layout engine is found or it fails."""
        return self._svg

    def save(self, path: str | os.PathLike[str], scale: float = 1.0) -> Path:
        """Writes exactly one file, in the format of its suffix: .svg, .dot, .pdf or .png; makes the folders above it.

        scale is for .png: with 2 it has twice as many points each way. Raises ValueError for another suffix, OSError
        where the file can't be written, RuntimeError as svg() does.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in (".svg", ".dot", ".pdf", ".png"):
            raise ValueError(f"a drawing is saved as .svg, .dot, .pdf or .png; given was {str(path)!r}")
        if not 0 < scale <= 20:
            raise ValueError(f"scale is a number above 0 and up to 20; given was {scale!r}")
        if suffix == ".svg":
            content: str | bytes = self.svg() + "\n"
        else:
            content = self.source if suffix == ".dot" else run(self.source, suffix[1:], DPI * scale)
        return written(path, content)

    def __repr__(self) -> str:
        boxes, arrows = len(self.picture.boxes), len(self.picture.arrows)
        return f'Drawing: {self.picture.title}, {boxes} boxes, {arrows} arrows; .save("graph.svg"), .svg(), .source'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return bundle(repr(self), self.svg, self.png, lambda: f'<div style="overflow-x:auto">{self.svg()}</div>')

    def png(self, scale: float = 1.0) -> bytes:
        """The picture as PNG. Raises RuntimeError as svg() does."""
        return run(self.source, "png", DPI * scale)
