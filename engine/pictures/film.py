"""Backprop as one self-contained page to step through in a browser: the graph, and each step in symbols and numbers.

frames.py computes all that it says and shows; film.html is the page with film.css, and film.js looks up what holds at
a step and shows it. The picture is draw.py's, as it is at the end: that is the page without JavaScript, too.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, TypeAlias

from engine.order import check_root
from engine.pictures.dot import CROWDED
from engine.pictures.draw import Drawing, refuse_large, written
from engine.pictures.frames import LISTED, Frame, Lives, Look, Script, edge_lives
from engine.pictures.frontend import bundle
from engine.pictures.live import Live
from engine.pictures.picture import (
    DEEPEST,
    NEGATIVE,
    POSITIVE,
    WHITE,
    Arrow,
    Box,
    Picture,
    text_width,
    with_room,
)
from engine.pictures.svg import laid_out_alike, laid_out_svg, prefix_of
from engine.pictures.texts import Texts, texts
from engine.readings.javascript import numbers
from engine.steps.compare import FEWEST, MOST, TOLERANCE
from engine.steps.passes import MISTAKES, RIGHT, Edge
from engine.steps.stepper import RecordedPass, Stepper
from engine.text.names import shortened
from engine.value import Value, operand, stale_note

IN_SCRIPT = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&"})  # a <script> ends at </script>, also in a string
HEIGHT = 640  # pixels, in Jupyter
NOTE = 110  # characters
Run: TypeAlias = Sequence[Sequence[float]]
LIVE = 150  # nodes whose numbers can be turned
WIDEST = "-1.234e-308"


def film(
    graph: Value | Stepper, *, live: bool | None = None, quiz: bool = False, run: Run | None = None, force: bool = False
) -> Film:
    """Backprop over the graph of E as a page to step through: .save("backprop.html"); in Jupyter it shows itself.

    It begins without gradients, whatever .grad holds, and no gradient is changed. A Stepper is filmed from its start
    to its end, a wrong pass too: film(Stepper(E, mistake="assign")). On a live page the numbers of the leaves can be
    turned, and all follows: that is so up to 150 nodes, unless live=False, and not for leaves changed since. With
    quiz=True each product is hidden until it is typed; run has the numbers of all leaves, in topological order, at each
    epoch of a training run, to be scrubbed. As draw does, it warns above 500 boxes, and raises ValueError
    above 2,000 unless force=True. Raises TypeError for what isn't a graph, DomainError as backward() does.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> film((w * x).tanh())
    Film of E: 7 steps; .save("backprop.html"), .html(), .frames
    """
    E = graph.E if isinstance(graph, Stepper) else graph
    check_root(E, "film", ", or a Stepper")
    if not force:
        refuse_large(E, "film a sub-expression, such as one neuron")
    return Film(graph if isinstance(graph, Stepper) else RecordedPass(graph), live, quiz, run)


class Film:
    """A recorded pass: .frames is what each step says, as data; .html() the page, .save(path) writes it."""

    def __init__(
        self, walk: RecordedPass, live: bool | None = None, quiz: bool = False, run: Run | None = None
    ) -> None:
        self.quiz, self.script = quiz, Script(walk)
        self.frames = self.script.frames
        self.told = list(_told(walk))
        lives = Lives(self.script)
        self.says, self._ids, self._lives = texts(self.script, lives), lives.says.ids, lives.nodes
        stale = stale_note(walk.order) is not None
        self.live = Live(walk) if not stale and (len(walk.order) <= LIVE if live is None else live) else None
        self.picture = roomy(lives.picture) if self.live else lives.picture
        self.run = run
        if run is not None and self.live is None:
            raise ValueError(f"a run needs a live page, up to {LIVE} nodes: this graph has {len(walk.order)}")
        if len(self.picture.boxes) > CROWDED:
            warnings.warn(f"a film of {len(self.picture.boxes)} boxes is slow to make and hard to read", stacklevel=3)

    def html(self) -> str:
        """The page. Raises RuntimeError, in one sentence, where no layout engine is found or it fails."""
        return self._html

    @cached_property
    def _html(self) -> str:
        svg = laid_out_svg(self.picture)
        width = re.search(r'width="(\d+)"', svg)
        assert width
        style = f":root {{ --width: {width[1]}px }}\n{_asset('film.css')}"
        program = "\n".join(self._scripts())
        policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(program)}; base-uri 'none'"
        last = len(self.frames) - 1
        return Template(_asset("film.html")).substitute(
            policy=policy,
            title=escape(f"Backprop through {self.script.names[self.script.walk.E]}"),
            style=style,
            heading=escape(self.says["heading"]),
            told="".join(f'<p class="told">{escape(sentence)}</p>\n' for sentence in self.told),
            svg=svg,
            last=last,
            steps="\n".join(_item(frame, number, last) for number, frame in enumerate(self.says["frames"])),
            film=json.dumps(self._data(), separators=(",", ":")).translate(IN_SCRIPT),
            script=program,
        )

    def _scripts(self) -> Iterator[str]:
        yield '"use strict";'
        if self.live:
            yield from (numbers(), f"const table = {self.live.functions};")
        yield from map(_asset, ("view.js", *(["live.js"] if self.live else []), "quiz.js", "film.js"))

    def _data(self) -> dict[str, Any]:
        """How each node and edge looks since which step, or how that is computed; what has to be in sight."""
        frames = [{"line": frame["line"], "ask": frame["ask"]} for frame in self.says["frames"]]
        says = {"nodes": self.says["nodes"], "edges": self.says["edges"], "frames": frames}
        sight = [list(map(self._id, self._sight(frame))) for frame in self.frames]
        shared = {
            "prefix": self._prefix,
            "sight": sight,
            "guess": self.quiz,
            "digits": {"fewest": FEWEST, "most": MOST, "tolerance": TOLERANCE},
            "mistakes": {mistake.name: mistake.says for mistake in MISTAKES.values()},
        }
        if self.live is None:
            return shared | {"says": says}
        colours = {"positive": POSITIVE, "negative": NEGATIVE, "none": WHITE, "deepest": DEEPEST}
        return shared | {"live": self.live.data, "colours": colours, "listed": LISTED, "run": self.run}

    @cached_property
    def _prefix(self) -> str:
        return prefix_of(self.picture)

    def _id(self, place: str) -> str:
        return f"{self._prefix}-{place}"

    def _sight(self, frame: Frame) -> list[str]:
        """The boxes and the arrows of a step."""
        nodes = [frame.hand, frame.target, *(operand(*edge) for edge in frame.edges)]
        boxes = dict.fromkeys(self._ids.node(node) for node in nodes if node is not None)
        return [*boxes, *(self._ids.edge(*edge) for edge in frame.edges)]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page, one file, and makes the folders above it; returns its path.

        Raises ValueError for a suffix other than .html, OSError where it can't be written, RuntimeError as html().
        """
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"a film is saved as .html; given was {str(path)!r}")
        return written(path, self.html())

    def moments(self) -> list[Picture]:
        """The picture at each step, all of one size and with everything in one place."""
        edges = edge_lives(self.script)
        found = [self._moment(number, frame, edges) for number, frame in enumerate(self.frames)]
        room = (max((note for picture in found for note in picture.notes), key=text_width),) * 2
        return [picture._replace(room=room) for picture in with_room(*found)]

    def _moment(self, number: int, frame: Frame, edges: Mapping[Edge, list[tuple[int, str]]]) -> Picture:
        states = {
            self._ids.edge(*edge): [state for since, state in life if since <= number][-1]
            for edge, life in edges.items()
        }
        looks = {
            self._ids.node(node): [each for each in life if each.since <= number][-1]
            for node, life in self._lives.items()
        }
        boxes = [_look(box, looks[box.id]) if box.id in looks else box for box in self.picture.boxes]
        arrows = [_state(arrow, states[arrow.id]) if arrow.id in states else arrow for arrow in self.picture.arrows]
        notes = (f"step {number} of {len(self.frames) - 1}: {frame.what}", frame.line)
        return self.picture._replace(boxes=boxes, arrows=arrows, notes=tuple(shortened(note, NOTE) for note in notes))

    def save_frames(self, folder: str | os.PathLike[str], format: str = "svg", scale: float = 1.0) -> list[Path]:
        """Writes each step as a picture, 00.svg, 01.svg, …, all of one size; returns their paths.

        format is "svg", "pdf" or "png", scale that of Drawing.save. Raises ValueError for another, OSError and
        RuntimeError as save() does.
        """
        if format not in ("svg", "pdf", "png"):
            raise ValueError(f"frames are saved as svg, pdf or png; given was {format!r}")
        pictures = self.moments()
        digits = max(2, len(str(len(pictures) - 1)))
        paths = [Path(folder) / f"{number:0{digits}}.{format}" for number in range(len(pictures))]
        if format == "svg":
            for path, svg in zip(paths, laid_out_alike(pictures), strict=True):
                written(path, svg + "\n")
        else:
            for path, picture in zip(paths, pictures, strict=True):
                Drawing(picture).save(path, scale)
        return paths

    def __repr__(self) -> str:
        what = self.script.names[self.script.walk.E]
        return f'Film of {what}: {len(self.frames) - 1} steps; .save("backprop.html"), .html(), .frames'

    def player(self) -> str:
        """The page in a frame of its own, as HTML, so that neither styles nor ids meet those of a notebook."""
        return (
            f'<iframe srcdoc="{escape(self.html())}" sandbox="allow-scripts" title="backprop, step by step" '
            f'width="100%" height="{HEIGHT}" style="border: 0"></iframe>'
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        last = Drawing(self.picture)
        return bundle(repr(self), last.svg, last.png, self.player)


def _state(arrow: Arrow, state: str) -> Arrow:
    """An arrow of the last picture in a state: broad once its contribution is made."""
    return arrow._replace(marks=(*arrow.marks, state), strength=arrow.strength if state == "done" else 0.0)


def _look(box: Box, look: Look) -> Box:
    """A box of the last picture as it looks at a step."""
    marks = (*box.marks, *([look.state] if look.state in ("hand", "current", "later") else []))
    rows = [given._replace(text=shown.text) for given, shown in zip(box.rows, look.box.rows, strict=True)]
    return box._replace(rows=tuple(rows), fill=look.box.fill, tooltip=look.box.tooltip, marks=marks)


def _told(walk: RecordedPass) -> Iterator[str]:
    if walk.way is not RIGHT:
        yield f"mistake {walk.way.name!r}: {walk.way.says}"
    if stale := stale_note(walk.order):
        yield stale


def _asset(name: str) -> str:
    return files("engine.pictures").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _item(frame: Texts, number: int, last: int) -> str:
    rows = "".join(
        f"<dt>{escape(label)}</dt><dd>{''.join(map(_piece, pieces))}</dd>" for label, pieces in frame["rows"]
    )
    return (
        f'<li data-phase="{frame["phase"]}"><p class="short">{escape(frame["line"])}</p><div class="detail">'
        f'<p class="phase">{frame["phase"]} · step {number} of {last}</p><p class="what">{escape(frame["what"])}</p>'
        f"<dl>{rows}</dl></div></li>"
    )


def _piece(piece: list[str]) -> str:
    text, kind, number = map(escape, piece)
    if number:
        return f'<data class="{kind}" value="{number}" title="{number}">{text}</data>'
    return f'<span class="{kind}">{text}</span>' if kind else text


def roomy(picture: Picture) -> Picture:
    """The picture with room for any number in the place of each that may change."""
    boxes = [
        box._replace(rows=tuple(row._replace(widest=WIDEST if row.kind in ("data", "grad") else row.widest)
                                for row in box.rows))
        for box in picture.boxes
    ]  # fmt: skip
    arrows = [arrow._replace(widest=f"∂ {WIDEST}") if arrow.label else arrow for arrow in picture.arrows]
    return picture._replace(boxes=boxes, arrows=arrows)
