"""The final picture as SVG: the boxes and arrows of picture.py at the places that layout.py found.

Written element by element from data, so that a label is text whatever stands in it, and the bytes are always the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from hashlib import sha256
from xml.etree.ElementTree import Element, SubElement, tostring

from engine.pictures.dot import clusters, dot_source
from engine.pictures.labels import beside, on_lines
from engine.pictures.layout import Layout, Point, Route, laid_out
from engine.pictures.picture import (
    FONT,
    GREY,
    HIGHLIGHTED,
    INK,
    LINE,
    LOOKS,
    PAD,
    SIZE,
    SMALL,
    WHITE,
    Arrow,
    Box,
    Picture,
    Row,
    border,
    cluster_label,
    line,
    notes_size,
    size,
    text_height,
    text_width,
)

MARGIN = 6.0
DROP = 0.36  # from the middle of a line down to where letters stand, in their size
RIM = 4.0  # between the two borders of the root


def laid_out_svg(picture: Picture) -> str:
    """The picture as one <svg> element. Ids begin with what prefix_of says; raises RuntimeError as laid_out does."""
    return _svg(picture, laid_out(dot_source(picture, bare=True)), prefix_of(picture))


def laid_out_alike(pictures: Sequence[Picture]) -> Iterator[str]:
    """Pictures of the same boxes and arrows, with the same room in them, in one layout."""
    layout = laid_out(dot_source(pictures[0], bare=True))
    for picture in pictures:
        yield _svg(picture, layout, prefix_of(picture))


def prefix_of(picture: Picture) -> str:
    """The start of every id in a picture: made from its content, so that ids of two pictures on a page don't meet."""
    return "g" + sha256(dot_source(picture).encode()).hexdigest()[:8]


def _svg(picture: Picture, layout: Layout, prefix: str) -> str:
    width, height = math.ceil(layout.width + 2 * MARGIN), math.ceil(layout.height + 2 * MARGIN)
    root = Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "width": _n(width), "height": _n(height),
        "viewBox": f"{-MARGIN:g} {-MARGIN:g} {width} {height}", "role": "img",
        "aria-labelledby": f"{prefix}-title {prefix}-desc", "font-family": f"{FONT}, Arial, sans-serif",
        "font-size": _n(SMALL), "fill": INK,
    })  # fmt: skip
    _add(root, "title", id=f"{prefix}-title").text = picture.title
    _add(root, "desc", id=f"{prefix}-desc").text = picture.description
    if layout.label:
        _notes(root, picture, layout.label)
    for path, cluster in clusters(picture.boxes).items():
        _cluster(root, cluster_label(path), *layout.clusters[cluster])
    places = {} if picture.columns else beside(picture, layout)
    for arrow in picture.arrows:
        _arrow(root, arrow, layout.edges[arrow.id], places.get(arrow.id), prefix)
    if picture.columns:
        for label, middle in on_lines(picture, layout):  # above all lines
            _label_on_line(root, label, middle)
    for box in picture.boxes:
        _box(root, box, layout.nodes[box.id], prefix)
    return tostring(root, encoding="unicode")


def _n(number: float) -> str:
    return f"{round(number, 2):g}" if abs(number) < 1e5 else f"{number:.2f}"


def _add(parent: Element, tag: str, kind: str = "", **attributes: str | float) -> Element:
    named = {name.replace("_", "-"): each if isinstance(each, str) else _n(each) for name, each in attributes.items()}
    return SubElement(parent, tag, ({"class": kind} if kind else {}) | named)


def _text(parent: Element, kind: str, text: str, x: float, middle: float, size: float = SMALL, **more: str) -> Element:
    """A line of text around this height."""
    element = _add(parent, "text", kind, x=x, y=middle + DROP * size, **more)
    element.text = text
    return element


def _notes(root: Element, picture: Picture, middle: Point) -> None:
    lines, width = notes_size(picture)
    for i, note in enumerate(picture.notes):
        _text(root, "note", note, middle[0] - width / 2, middle[1] + (i + 0.5 - lines / 2) * LINE, fill=GREY)


def _cluster(root: Element, name: str, upper: Point, lower: Point, middle: Point) -> None:
    group = _add(root, "g", "cluster")
    width, height = lower[0] - upper[0], lower[1] - upper[1]
    _add(group, "rect", x=upper[0], y=upper[1], width=width, height=height, rx=8.0, fill="none", stroke=GREY)
    _text(group, "cluster-name", name, upper[0] + PAD, middle[1], fill=GREY)


def _arrow(root: Element, arrow: Arrow, route: Route, label: Point | None, prefix: str) -> None:
    group = _add(root, "g", " ".join(("edge", *arrow.marks)), id=f"{prefix}-{arrow.id}")
    if arrow.tooltip:
        _add(group, "title").text = arrow.tooltip
    width, colour = line(arrow)
    start, *rest = (f"{_n(x)},{_n(y)}" for x, y in route.points)
    dashes = {"stroke_dasharray": "4 3"} if {"later", "lost"} & {*arrow.marks} else {}
    curve = f"M{start} C{' '.join(rest)}"
    _add(group, "path", "line", d=curve, fill="none", stroke=colour, stroke_width=width, **dashes)
    _add(group, "polygon", "head", points=_head(route, width), fill=colour)
    if label:
        text = _text(group, "local", arrow.label, label[0], label[1] - 1, fill=colour, text_anchor="middle")
        if HIGHLIGHTED & {*arrow.marks}:
            text.set("font-weight", "bold")


def _head(route: Route, width: float) -> str:
    """A triangle from where the spline ends to the tip."""
    (x, y), (tip_x, tip_y) = route.points[-1], route.tip
    length = math.hypot(tip_x - x, tip_y - y) or 1.0
    half = (2.5 + width / 2) / length
    across_x, across_y = -(tip_y - y) * half, (tip_x - x) * half
    corners = [(x + across_x, y + across_y), (tip_x, tip_y), (x - across_x, y - across_y)]
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)


def _label_on_line(root: Element, label: str, middle: Point) -> None:
    """On a light ground that hides the lines below it."""
    (x, y), width = middle, text_width(label)
    group = _add(root, "g", "on-line")
    _add(group, "rect", x=x - width / 2, y=y - LINE / 2, width=width, height=LINE, rx=LINE / 2, fill=WHITE)
    _text(group, "local", label, x, y, text_anchor="middle")


# -- boxes


def _box(root: Element, box: Box, middle: Point, prefix: str) -> None:
    group = _add(root, "g", " ".join(("node", box.kind, *box.marks)), id=f"{prefix}-{box.id}")
    if box.tooltip:
        _add(group, "title").text = box.tooltip
    _outline(group, box, middle)
    if LOOKS[box.kind].shape == "circle" or not box.rows:
        _centred(group, box, middle)
    else:
        _tabulated(group, box, middle)


def _outline(group: Element, box: Box, middle: Point) -> None:
    (x, y), (width, height), (thick, colour) = middle, size(box), border(box)
    dashes = {"stroke_dasharray": "3 2"} if LOOKS[box.kind].dashed else {}
    rim = [("rim", RIM, "none")] if "root" in box.marks else []
    for kind, out, fill in [*rim, ("box", 0.0, box.fill)]:
        style: dict[str, str | float] = {"fill": fill, "stroke": colour, "stroke_width": thick, **dashes}
        if LOOKS[box.kind].shape == "circle":
            _add(group, "circle", kind, cx=x, cy=y, r=width / 2 + out, **style)
        else:
            left, top = x - width / 2 - out, y - height / 2 - out
            corner = {"rx": 8 + out} if LOOKS[box.kind].shape == "rounded" else {}
            _add(group, "rect", kind, x=left, y=top, width=width + 2 * out, height=height + 2 * out, **corner, **style)


def _head_text(group: Element, box: Box, x: float, middle: float) -> None:
    head = _text(group, "name", "", x, middle, SIZE, text_anchor="middle", font_size=_n(SIZE))
    name = _add(head, "tspan", font_weight="bold")
    name.text, name.tail = box.name, f" = {box.formula}" if box.formula else None


def _centred(group: Element, box: Box, middle: Point) -> None:
    x, y = middle[0], middle[1] - len(box.rows) * LINE / 2
    _head_text(group, box, x, y)
    for i, row in enumerate(box.rows, start=1):
        text = f"{row.label} {row.text}".strip()
        _text(group, row.kind, text, x, y + i * LINE, text_anchor="middle")


def _tabulated(group: Element, box: Box, middle: Point) -> None:
    width, _ = size(box)
    left, right, top = middle[0] - width / 2 + PAD, middle[0] + width / 2 - PAD, middle[1] - text_height(box) / 2
    _head_text(group, box, middle[0], top + 4 + LINE / 2)
    rule = top + LINE + 7
    _add(group, "line", "rule", x1=left, x2=right, y1=rule, y2=rule, stroke=GREY, stroke_width=0.5)
    for i, row in enumerate(box.rows):
        _row(group, row, left, right, rule + 4 + (i + 0.5) * LINE)


def _row(group: Element, row: Row, left: float, right: float, middle: float) -> None:
    if row.label:
        _text(group, "label", row.label, left, middle)
    _text(group, row.kind, row.text, right, middle, text_anchor="end")
