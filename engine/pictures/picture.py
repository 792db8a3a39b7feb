"""A picture as data: boxes, arrows between them, how they look, and how much room their texts need.

nodes.py and folding.py make these from a graph; dot.py writes them as DOT for the layout, svg.py as the picture.
Sizes are computed here, not by the layout program: its fonts differ from one machine to the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple
from unicodedata import combining, east_asian_width

from engine.text.names import shortened, shown

INK, GREY, HIGHLIGHT = "#1a1a1a", "#797979", "#9955cc"  # grey and highlight are readable on white and on black
POSITIVE, NEGATIVE, WHITE = "#0072b2", "#d55e00", "#ffffff"  # told apart by the colour-blind, too
DEEPEST = 0.6  # tint of the largest number; up to 0.75, INK on it is readable
FONT, SIZE, SMALL = "Helvetica", 13.0, 12.0
LINE, PAD, CIRCLE, RIM = 16.0, 10.0, 92.0, 10.0
MANY, PORT = 6, 20.0  # arrows into a box, from which on each has so much of its side


class Row(NamedTuple):
    """A line in a box: its kind ("data", "grad", …), a label, a text, and the widest text it will ever have."""

    kind: str
    label: str
    text: str
    widest: str = ""


class Box(NamedTuple):
    """What stands for a node, or for several; kind is a row of LOOKS."""

    id: str
    kind: str
    name: str
    formula: str = ""
    rows: tuple[Row, ...] = ()
    fill: str = WHITE
    tooltip: str = ""
    marks: tuple[str, ...] = ()  # "root", "hand", "done", "waiting", "path", "off": classes in the SVG, too
    groups: tuple[str, ...] = ()  # the clusters around it, outermost first
    entries: int = 0  # how many arrows lead into it


class Arrow(NamedTuple):
    """An edge between boxes, by their ids; strength, from 0 to 1, is its width. Those into a box keep their order."""

    id: str
    tail: str
    head: str
    label: str = ""
    strength: float = 0.0
    tooltip: str = ""
    marks: tuple[str, ...] = ()  # "constant", "weight", "current", "path", "lost", "later": classes in the SVG, too
    colour: str = GREY
    widest: str = ""  # the longest label that it may get
    apart: bool = False  # it leads from one cluster to another, or is one of many: it needs a longer way


class Column(NamedTuple):
    """Boxes that stand below each other, by their ids, and how far they keep from the column before."""

    ids: tuple[str, ...]
    distance: float = 0.0


class Picture(NamedTuple):
    """All that is drawn; title and description are for screen readers, notes are sentences above the picture."""

    boxes: list[Box]
    arrows: list[Arrow]
    title: str
    description: str
    notes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()  # of a network, from the left; then all lines are straight
    room: tuple[str, ...] = ()  # the notes to leave room for, if they are more or longer


def notes_size(picture: Picture) -> tuple[int, float]:
    """How many lines the notes have room for, and the width of the longest."""
    return max(len(picture.notes), len(picture.room)), max(map(text_width, picture.notes + picture.room), default=0.0)


class Look(NamedTuple):
    """How a kind of box is drawn: its shape, the width of its border, and whether that is dashed."""

    shape: str  # "rounded", "square", "circle"
    border: float = 1.0
    dashed: bool = False


LOOKS = {
    "operation": Look("rounded"),
    "leaf": Look("square"),
    "parameter": Look("square", border=2.5),
    "constant": Look("square", dashed=True),
    "layer": Look("rounded", border=2.5),
    "neuron": Look("circle"),
    "input": Look("circle", dashed=True),
    "inputs": Look("square", dashed=True),
}
HIGHLIGHTED = {"hand", "path", "off", "lost", "current"}


def border(box: Box) -> tuple[float, str]:
    """The width and the colour of a box's border."""
    return (3.0, HIGHLIGHT) if HIGHLIGHTED & {*box.marks} else (LOOKS[box.kind].border, GREY)


def line(arrow: Arrow) -> tuple[float, str]:
    """The width and the colour of an arrow."""
    width = 0.75 if "constant" in arrow.marks else round(1 + 3 * arrow.strength, 2)
    return (max(width, 2.5), HIGHLIGHT) if HIGHLIGHTED & {*arrow.marks} else (width, arrow.colour)


def tint(number: float | None, largest: float) -> str:
    """The fill for a number: by its sign, and by its size beside the largest; white for 0 and for none.

    >>> tint(0.0, 2.0), tint(-2.0, 2.0), tint(0.5, 2.0)
    ('#ffffff', '#e69e66', '#b2d5e8')
    """
    if not number or not largest:
        return WHITE
    full, share = POSITIVE if number > 0 else NEGATIVE, DEEPEST * (abs(number) / largest) ** 0.5
    parts = (int(full[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in parts)


def with_room(*pictures: Picture) -> list[Picture]:
    """Pictures of the same boxes and arrows, with room in each for the longest text of all: they are laid out alike."""

    def widest(texts: Iterable[str]) -> str:
        return max(texts, key=text_width)

    alike = []
    boxes, arrows = (zip(*parts, strict=True) for parts in ([p.boxes for p in pictures], [p.arrows for p in pictures]))
    rows = [[widest(row.text for row in same) for same in zip(*(b.rows for b in box), strict=True)] for box in boxes]
    labels = [widest(arrow.label for arrow in same) for same in arrows]
    for each in pictures:
        roomy = [box._replace(rows=tuple(row._replace(widest=text) for row, text in zip(box.rows, texts, strict=True)))
                 for box, texts in zip(each.boxes, rows, strict=True)]  # fmt: skip
        wide = [arrow._replace(widest=label) for arrow, label in zip(each.arrows, labels, strict=True)]
        alike.append(each._replace(boxes=roomy, arrows=wide))
    return alike


# -- room for texts

NARROW, BROAD = {*" !'()[]{}|.,:;/-\\`\"Iijlfrt·"}, {*"MWmw@%+<=>~∂Σ→…"}


def text_width(text: str, size: float = SMALL) -> float:
    """A width that the text fits in, whichever of the usual sans-serif fonts is there."""
    return size * sum(map(_letter_width, text))


def _letter_width(letter: str) -> float:
    if letter in NARROW:
        return 0.4
    if letter in BROAD:
        return 0.96
    if letter.isascii():
        return 0.76 if letter.isupper() else 0.64
    return 0.0 if combining(letter) else 1.05 if east_asian_width(letter) in "WF" else 0.85


def cluster_label(path: tuple[str, ...]) -> str:
    """The label of a cluster, by the groups that lead to it."""
    return shortened(shown(path[-1]), 40)


def size(box: Box) -> tuple[float, float]:
    """Width and height of a box."""
    head = text_width(box.name, SIZE) * 1.08  # bold
    head += text_width(f" = {box.formula}", SIZE) if box.formula else 0
    if LOOKS[box.kind].shape == "circle":
        return _diameter(box, head), _diameter(box, head)
    if not box.rows:
        return round(max(head + 10, 26)), LINE + 6
    rows = [
        text_width(row.label) + 10 * bool(row.label) + max(text_width(row.text), text_width(row.widest))
        for row in box.rows
    ]
    height = text_height(box) if box.entries < MANY else max(text_height(box), box.entries * PORT)
    return round(max(64.0, head, *rows) + 2 * PAD), round(height)


def text_height(box: Box) -> float:
    """Of the lines in a box."""
    return (1 + len(box.rows)) * LINE + PAD + 8


def _diameter(box: Box, head: float) -> float:
    """Of a circle around the name and the rows."""
    texts = (max(row.text, row.widest, key=text_width) for row in box.rows)
    labels = (f"{row.label} {text}".strip() for row, text in zip(box.rows, texts, strict=True))
    widths = [head, *map(text_width, labels)]
    middle = (len(widths) - 1) / 2
    corners = (math.hypot(width / 2, (abs(i - middle) + 0.4) * LINE) for i, width in enumerate(widths))
    return round(max(2 * max(corners) + RIM, CIRCLE))


def label_size(arrow: Arrow) -> tuple[float, float] | None:
    """Width and height of an arrow's label, if it has one."""
    widest = max(arrow.label, arrow.widest, key=text_width)
    return (round(text_width(widest) + 6), LINE + 4) if widest else None
