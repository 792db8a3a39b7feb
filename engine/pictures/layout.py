"""Where everything goes: DOT laid out by the program `dot`, or, where that is missing, by pygraphviz in this process.

Both are Graphviz. Only positions are taken from it, as JSON, and svg.py draws; for PDF and PNG Graphviz draws, too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from typing import Any, NamedTuple

from engine.text.names import shortened

SECONDS = 60.0  # what the program may take

Point = tuple[float, float]


class Route(NamedTuple):
    """The way of an edge: the points of a cubic spline, where its arrow ends, and the middle of its label."""

    points: list[Point]
    tip: Point
    label: Point | None


class Layout(NamedTuple):
    """Positions in points, y downwards: the middles of boxes and labels, the corners of clusters, the edges' ways."""

    width: float
    height: float
    nodes: dict[str, Point]
    clusters: dict[str, tuple[Point, Point, Point]]  # upper left, lower right, middle of the label
    edges: dict[str, Route]  # by the edge's id
    label: Point | None  # of the whole picture


def laid_out(source: str) -> Layout:
    """Positions for DOT source. Raises RuntimeError, in one sentence, where there is no layout engine or it fails."""
    try:
        return _read(json.loads(run(source, "json0")))
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"Graphviz answered what can't be read as a layout: {_one_line(repr(error))}") from None


def _read(found: dict[str, Any]) -> Layout:
    _, _, width, height = _numbers(found["bb"])

    def point(x: float, y: float) -> Point:
        return round(x, 2), round(height - y, 2)

    objects = found.get("objects", [])
    edges = [edge for edge in found.get("edges", []) if "id" in edge]  # the others only keep the order of a column
    return Layout(
        width,
        height,
        {each["name"]: point(*_numbers(each["pos"])) for each in objects if "pos" in each},
        {each["name"]: _cluster(each, point) for each in objects if "bb" in each},
        {edge["id"]: _route(edge, point) for edge in edges},
        point(*_numbers(found["lp"])) if "lp" in found else None,
    )


def _cluster(given: dict[str, str], point: Callable[[float, float], Point]) -> tuple[Point, Point, Point]:
    left, bottom, right, top = _numbers(given["bb"])
    return point(left, top), point(right, bottom), point(*_numbers(given["lp"]))


def _route(edge: dict[str, str], point: Callable[[float, float], Point]) -> Route:
    tip, *points = (point(*_numbers(each)) for each in edge["pos"].removeprefix("e,").split())
    return Route(points, tip, point(*_numbers(edge["lp"])) if "lp" in edge else None)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def run(source: str, format: str) -> bytes:
    """What Graphviz makes of DOT source in one of its formats. Raises RuntimeError, in one sentence."""
    from graphviz import DOT_BINARY

    if shutil.which(str(DOT_BINARY)):
        return _by_program([str(DOT_BINARY), "-Kdot", f"-T{format}"], source)
    try:
        import pygraphviz
    except ImportError:
        raise RuntimeError(
            "nothing is there to lay out a drawing: install Graphviz (apt install graphviz, brew install graphviz), "
            "so that `dot` is on the PATH, or pip install pygraphviz; .source works without"
        ) from None
    try:
        with redirect_stderr(StringIO()):  # it warns of long layouts, as draw() does
            drawn: bytes = pygraphviz.AGraph(string=source).draw(format=format, prog="dot")
    except Exception as error:  # whatever its C code reports
        raise RuntimeError(f"pygraphviz failed to lay the drawing out: {_one_line(str(error))}") from None
    return drawn


def _by_program(command: list[str], source: str) -> bytes:
    # what Digraph.pipe runs, which has no time limit
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise RuntimeError(
            f"`dot` was stopped because it took more than {SECONDS:g} s: draw less, or pass depth= for a network"
        ) from None
    except OSError as error:
        raise RuntimeError(f"`dot` is on the PATH and can't be run: {error.strerror}") from None
    if done.returncode < 0:  # a stack of its own overflows in deep graphs
        raise RuntimeError(f"`dot` crashed (signal {-done.returncode}): draw a sub-expression, or pass depth=")
    if done.returncode or not done.stdout:
        said = _one_line(done.stderr.decode(errors="replace")) or "it said nothing"
        raise RuntimeError(f"`dot` failed with exit code {done.returncode}: {said}")
    return done.stdout


def _one_line(text: str) -> str:
    return shortened(" ".join(text.split()), 300)
