"""Where the labels of arrows stand: beside their own line where no other runs through them, or, in a network, on it.

The layout keeps labels off boxes and off each other, and doesn't look where lines go.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import chain
from operator import mul

from engine.pictures.layout import Layout, Point
from engine.pictures.picture import LINE, LOOKS, SMALL, Arrow, Picture, label_size, size, text_width

Line = tuple[str, Point, Point]  # a label, and the ends of the line that it is on
Area = tuple[float, float, float, float]  # left, top, right, bottom
PIECES = 16  # of a curve between two of its points
HEAD = 8.0  # the length of an arrow's head
AWAY = 4.0  # from a line to the label beside it


# -- beside curves


def beside(picture: Picture, layout: Layout) -> dict[str, Point]:
    """The middle of each label, by its arrow: the layout's, or the nearest clear of all by its own line, if need be."""
    curves = {arrow.id: [*curve(layout.edges[arrow.id].points)] for arrow in picture.arrows}
    places = {arrow.id: middle for arrow in picture.arrows if (middle := layout.edges[arrow.id].label)}
    around = {id: _around(points) for id, points in curves.items()}
    boxes = [_area(layout.nodes[box.id], *size(box)) for box in picture.boxes]

    def struck(area: Area, besides: str = "") -> bool:
        """Whether a line runs through it."""
        near = (id for id in curves if id != besides and _meet(area, around[id]))
        return any(_meet(area, (x, y, x, y)) for id in near for x, y in curves[id])

    def clear(arrow: Arrow, middle: Point) -> bool:
        area = _label_area(arrow, middle)
        others = (_label_area(each, places[each.id]) for each in picture.arrows if each.id in places and each != arrow)
        corners = ((*upper, *lower) for upper, lower, _ in layout.clusters.values())
        borders = any(_meet(area, each) and not _inside(area, each) for each in corners)
        return not (borders or any(_meet(area, each) for each in chain(boxes, others)) or struck(area))

    for arrow in picture.arrows:
        middle = places.get(arrow.id)
        if middle and struck(_label_area(arrow, middle), arrow.id):
            found = (place for place in _beside(arrow, curves[arrow.id]) if clear(arrow, place))
            places[arrow.id] = min(found, key=partial(_distance, middle), default=middle)
    return places


def curve(points: list[Point]) -> Iterator[Point]:
    """Points along a cubic spline."""
    for i in range(0, len(points) - 3, 3):
        for piece in range(PIECES + 1):
            t = piece / PIECES
            shares = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
            x, y = (sum(map(mul, shares, each)) for each in zip(*points[i : i + 4], strict=True))
            yield x, y


def _beside(arrow: Arrow, points: list[Point]) -> Iterator[Point]:
    """Places above, below, left and right of a line."""
    width, height = _label_size(arrow)
    for x, y in points:
        yield from ((x, y + side * (height / 2 + AWAY)) for side in (-1, 1))
        yield from ((x + side * (width / 2 + AWAY), y) for side in (-1, 1))


def _distance(one: Point, other: Point) -> float:
    return round(abs(one[0] - other[0]) + abs(one[1] - other[1]), 2)


def _label_size(arrow: Arrow) -> Point:
    """Width and height of the letters."""
    room = label_size(arrow)
    return (room[0] if room else 0.0), SMALL


def _label_area(arrow: Arrow, middle: Point) -> Area:
    return _area(middle, *_label_size(arrow))


def _area(middle: Point, width: float, height: float) -> Area:
    x, y = middle
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _around(points: list[Point]) -> Area:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _meet(one: Area, other: Area) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _inside(one: Area, other: Area) -> bool:
    return other[0] <= one[0] and one[2] <= other[2] and other[1] <= one[1] and one[3] <= other[3]


# -- on the straight lines of a network


def on_lines(picture: Picture, layout: Layout) -> Iterator[tuple[str, Point]]:
    """Each label, and the place on its line where it stands."""
    between: dict[tuple[bool, float, float], list[Line]] = {}  # weights or not, from one column to another
    for arrow in picture.arrows:
        route, tail, head = layout.edges[arrow.id], layout.nodes[arrow.tail], layout.nodes[arrow.head]
        weight = "weight" in arrow.marks
        ends = (tail, head) if weight else (route.points[0], route.tip)
        if arrow.label:
            between.setdefault((weight, tail[0], head[0]), []).append((arrow.label, *ends))
    circles = [size(box)[0] / 2 for box in picture.boxes if LOOKS[box.kind].shape == "circle"]
    for (weights, _, _), lines in between.items():
        for each, part in zip(lines, _clear_parts(lines, max(circles) if weights else 0.0), strict=True):
            yield each[0], _along(each, part)


def _clear_parts(lines: list[Line], radius: float) -> list[float]:
    """The part of the way at which each label stands: clear of circles and other labels, away from other lines."""
    distance, width = lines[0][2][0] - lines[0][1][0], max(text_width(label) for label, _, _ in lines)
    least = min((radius + HEAD + width / 2) / distance, 0.5) if distance > 0 else 0.5  # not to the right: it feeds back
    parts = [least + (1 - 2 * least) * step / 24 for step in range(25)]
    placed: list[Point] = []

    def clearness(given: Line, part: float) -> tuple[bool, float]:
        x, y = _along(given, part)
        labels = (max(abs(x - other_x) / (width + 4), abs(y - other_y) / LINE) for other_x, other_y in placed)
        across = (abs(y - _height_at(other, x)) for other in lines if other is not given)
        apart = min([2.0, *labels])
        return apart >= 1, round(apart / 2 + 2 * min([LINE, *across]) / LINE - abs(part - 0.5) / 10, 6)

    chosen: list[float] = []
    for each in lines:
        chosen.append(max(parts, key=partial(clearness, each)))
        placed.append(_along(each, chosen[-1]))
    return chosen


def _along(line: Line, part: float) -> Point:
    _, (x, y), (to_x, to_y) = line
    return x + (to_x - x) * part, y + (to_y - y) * part


def _height_at(line: Line, x: float) -> float:
    """Where a line is at this place across."""
    _, (from_x, y), (to_x, to_y) = line
    return y + (to_y - y) * (x - from_x) / (to_x - from_x) if to_x != from_x else math.inf
