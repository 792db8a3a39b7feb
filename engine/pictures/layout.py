"""Where everything goes: DOT laid out by the program `dot`, or, where that is missing, by pygraphviz in this process.

Both are Graphviz, though seldom of one version: boxes, texts and arrows are the same, and where they stand may differ,
by a few points in a small graph and by a neuron's place in a network. Only positions are taken from it, as JSON, and
svg.py draws; for PDF and PNG Graphviz draws, too.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from io import StringIO
from subprocess import PIPE, Popen, TimeoutExpired
from threading import Thread
from time import monotonic
from typing import IO, Any, NamedTuple

from engine.pictures.dot import GATE
from engine.text.names import shortened

SECONDS = 15.0  # what the program may take
LARGEST = 10**8  # bytes that it may write

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
        _whole({edge["id"]: _route(edge, point) for edge in edges}),
        point(*_numbers(found["lp"])) if "lp" in found else None,
    )


def _cluster(given: dict[str, str], point: Callable[[float, float], Point]) -> tuple[Point, Point, Point]:
    left, bottom, right, top = _numbers(given["bb"])
    return point(left, top), point(right, bottom), point(*_numbers(given["lp"]))


def _route(edge: dict[str, str], point: Callable[[float, float], Point]) -> Route:
    points = [point(*_numbers(each)) for each in edge["pos"].removeprefix("e,").split()]
    tip = points.pop(0) if edge["pos"].startswith("e,") else points[-1]  # the part before a gate has no arrow
    return Route(points, tip, point(*_numbers(edge["lp"])) if "lp" in edge else None)


def _whole(routes: dict[str, Route]) -> dict[str, Route]:
    """Routes with their parts before and after a gate put together."""
    for id in [id for id in routes if id.endswith(GATE)]:
        after, before = routes.pop(id), routes[id.removesuffix(GATE)]
        routes[id.removesuffix(GATE)] = Route(before.points + after.points[1:], after.tip, before.label)
    return routes


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def run(source: str, format: str, dpi: float = 0.0) -> bytes:
    """What Graphviz makes of DOT source in one of its formats. Raises RuntimeError, in one sentence."""
    if format == "png" and dpi:
        source = source.replace("{", f"{{ graph [dpi={dpi:g}]", 1)
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
    # what Digraph.pipe runs, which has no limits
    try:
        program = Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True)
    except OSError as error:
        raise RuntimeError(f"`dot` is on the PATH and can't be run: {error.strerror}") from None
    streams = _Streams(program, source.encode())
    try:
        if not streams.finished(SECONDS):
            said = f"took more than {SECONDS:g} s" if streams.size <= LARGEST else f"wrote more than {LARGEST:,} bytes"
            raise RuntimeError(f"`dot` was stopped because it {said}: draw less, or pass depth= for a network")
    finally:
        _end(program)
        streams.close()
    done, answer, complaint = program.wait(), bytes(streams.read[0]), streams.read[1].decode(errors="replace")
    if done < 0:  # a stack of its own overflows in deep graphs
        raise RuntimeError(f"`dot` crashed (signal {-done}): draw a sub-expression, or pass depth=")
    if done or not answer:
        raise RuntimeError(f"`dot` failed with exit code {done}: {_one_line(complaint) or 'it said nothing'}")
    return answer


class _Streams:
    """What a program is given and what it answers, all at the same time, as pipes hold little."""

    def __init__(self, program: Popen[bytes], given: bytes) -> None:
        self.program, self.read = program, (bytearray(), bytearray())
        self.threads = [Thread(target=self._write, args=[given], daemon=True)]
        for stream, into in zip((program.stdout, program.stderr), self.read, strict=True):
            self.threads.append(Thread(target=self._read, args=[stream, into], daemon=True))
        for thread in self.threads:
            thread.start()

    @property
    def size(self) -> int:
        return sum(map(len, self.read))

    def finished(self, seconds: float) -> bool:
        """Waits for the program; has it ended within the limits?"""
        deadline = monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, deadline - monotonic()))
        with suppress(TimeoutExpired):
            self.program.wait(max(0.0, deadline - monotonic()))
            return self.size <= LARGEST and not any(thread.is_alive() for thread in self.threads)
        return False

    def close(self) -> None:
        """Closes the pipes, once the program and those that read and write have ended."""
        for thread in self.threads:
            thread.join(1.0)
        for stream in (self.program.stdout, self.program.stderr):
            assert stream
            stream.close()

    def _write(self, given: bytes) -> None:
        assert self.program.stdin
        with suppress(OSError):  # it doesn't want it all
            self.program.stdin.write(given)
        with suppress(OSError):
            self.program.stdin.close()

    def _read(self, stream: IO[bytes], into: bytearray) -> None:
        while (piece := os.read(stream.fileno(), 2**16)) and self.size <= LARGEST:
            into += piece
        if piece:
            _end(self.program)


def _end(program: Popen[bytes]) -> None:
    """Ends a program and all that it has started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, signal.SIGKILL)
    else:
        program.kill()


def _one_line(text: str) -> str:
    return shortened(" ".join(text.split()), 300)
