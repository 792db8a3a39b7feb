"""The graph of E as a picture: a box for each Value with its operation, data and gradient, an arrow for each operand.

nodes.py writes what they say, folding.py puts neurons and layers into one, marks.py marks a moment of backprop,
a path or a mistake. The picture is data (picture.py), laid out by Graphviz (dot.py, layout.py), written by svg.py.
"""

from __future__ import annotations

import os
import warnings
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from engine.files import write_atomically
from engine.order import check_root, topological_order
from engine.pictures.dot import CROWDED, dot_source
from engine.pictures.folding import folded
from engine.pictures.layout import run
from engine.pictures.marks import at_moment, noted, on_paths, step_notes, where_off
from engine.pictures.nodes import Says, graph_picture
from engine.pictures.picture import Picture
from engine.pictures.svg import laid_out_svg
from engine.steps.compare import Comparison
from engine.steps.explain import Explanation
from engine.steps.stepper import Stepper
from engine.value import Value, stale_note

MOST = 2000  # boxes; above it a drawing is refused


def draw(
    graph: Value | Stepper,
    *,
    depth: str | None = None,
    blanks: str | None = None,
    highlight: Comparison | Explanation | None = None,
    force: bool = False,
) -> Drawing:
    """The computation graph of E, or the moment that a stepper is at, as a picture.

    depth="neuron" draws a network of circles and weighted lines, depth="layer" a box a layer; both find neurons by
    their parameters' labels, such as hidden[2].w[3]. blanks="grad" ("data", "local") leaves these numbers out: a
    worksheet. highlight is what compare() or explain() found. Rounded boxes are operations, square ones leaves, thick
    ones parameters, dashed ones constants, and E has two borders. Above 500 boxes it warns; raises ValueError above
    2,000, unless force=True, and for an unknown depth or blanks; TypeError for what isn't a graph.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> draw((x * w).tanh())
    Drawing: Computation graph of E, 4 boxes, 3 arrows; .save("graph.svg"), .svg(), .source
    """
    E = graph.E if isinstance(graph, Stepper) else graph
    _check(E, depth, blanks, highlight)
    if not force and depth is None:
        refuse_large(E, "pass depth='layer' for a network, draw a sub-expression")
    says = Says(topological_order(E), blanks, graph.names if isinstance(graph, Stepper) else None)
    picture = folded(says, depth) if depth else graph_picture(says)
    if not force and len(picture.boxes) > MOST:
        raise ValueError(f"this drawing has {len(picture.boxes):,} boxes: draw a sub-expression, or pass force=True")
    if isinstance(graph, Stepper):
        if blanks:
            raise ValueError("a moment shows numbers that blanks would leave out: draw(E, blanks=…) is the worksheet")
        picture = noted(picture, *step_notes(graph)) if depth else at_moment(picture, says, graph)
    elif stale := stale_note(says.order):
        picture = noted(picture, stale)
    if isinstance(highlight, Explanation):
        picture = on_paths(picture, says.ids, highlight)
    elif highlight is not None:
        picture = where_off(picture, says.ids, highlight)
    if len(picture.boxes) > CROWDED:
        warnings.warn(f"a drawing of {len(picture.boxes)} boxes is slow to make and hard to read", stacklevel=2)
    return Drawing(picture)


def _check(E: Any, depth: object, blanks: object, highlight: object) -> None:
    check_root(E, "draw", ", or a Stepper")
    for name, given, known in (("depth", depth, ("neuron", "layer")), ("blanks", blanks, ("grad", "data", "local"))):
        if given is not None and given not in known:
            raise ValueError(f"{name} is {' or '.join(map(repr, known))}; given was {given!r}")
    if not isinstance(highlight, Comparison | Explanation | None):
        raise TypeError(f"highlight is what compare() or explain() returns, not a {type(highlight).__name__}")
    if depth is not None and (blanks is not None or highlight is not None):
        raise ValueError("blanks and highlight need every node: leave depth out")
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


class Drawing:
    """A picture of a graph: .source is DOT, .svg() the SVG as text, .save(path) writes a file; Jupyter shows it."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

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

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes exactly one file, in the format of its suffix: .svg, .dot, .pdf or .png; makes the folders above it.

        Raises ValueError for another suffix, OSError where the file can't be written, RuntimeError as svg() does.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in (".svg", ".dot", ".pdf", ".png"):
            raise ValueError(f"a drawing is saved as .svg, .dot, .pdf or .png; given was {str(path)!r}")
        if suffix == ".svg":
            content: str | bytes = self.svg() + "\n"
        else:
            content = self.source if suffix == ".dot" else run(self.source, suffix[1:])
        try:
            return write_atomically(path, content)
        except OSError as error:
            raise type(error)(f"{path} can't be written: {error.strerror or error}") from None

    def __repr__(self) -> str:
        boxes, arrows = len(self.picture.boxes), len(self.picture.arrows)
        return f'Drawing: {self.picture.title}, {boxes} boxes, {arrows} arrows; .save("graph.svg"), .svg(), .source'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        try:
            svg = self.svg()
        except Exception as error:  # a display that raises shows a page of traceback
            sentence = f"{self!r}\nIt can't be shown: {error}"
            return {"text/plain": sentence, "text/html": f"<pre>{escape(sentence)}</pre>"}
        # Jupyter shows image/svg+xml as an <img>, which has no tooltips
        html = f'<div style="overflow-x:auto">{svg}</div>'
        return {"text/html": html, "image/svg+xml": svg, "text/plain": repr(self)}
