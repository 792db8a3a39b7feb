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
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from engine.files import write_atomically
from engine.order import check_root
from engine.pictures.dot import CROWDED
from engine.pictures.draw import refuse_large
from engine.pictures.frames import Frame, Lives, Look, Script, edge_lives
from engine.pictures.svg import laid_out_svg, prefix_of
from engine.steps.passes import RIGHT
from engine.steps.step import Piece
from engine.steps.stepper import RecordedPass, Stepper
from engine.text.names import changing, number_text
from engine.text.symbols import PRINTED
from engine.value import Value, stale_note

IN_SCRIPT = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&"})  # a <script> ends at </script>, also in a string
HEIGHT = 640  # pixels, in Jupyter


def film(graph: Value | Stepper, *, force: bool = False) -> Film:
    """Backprop over the graph of E as a page to step through: .save("backprop.html"); in Jupyter it shows itself.

    It begins without gradients, whatever .grad holds, and no gradient is changed. A Stepper is filmed from its start
    to its end, a wrong pass too: film(Stepper(E, mistake="assign")). As draw does, it warns above 500 boxes, and raises
    ValueError above 2,000 unless force=True. Raises TypeError for what isn't a graph, DomainError as backward() does.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> film((w * x).tanh())
    Film of E: 7 steps; .save("backprop.html"), .html(), .frames
    """
    E = graph.E if isinstance(graph, Stepper) else graph
    check_root(E, "film", ", or a Stepper")
    if not force:
        refuse_large(E, "film a sub-expression, such as one neuron")
    return Film(graph if isinstance(graph, Stepper) else RecordedPass(graph))


class Film:
    """A recorded pass: .frames is what each step says, as data; .html() the page, .save(path) writes it."""

    def __init__(self, walk: RecordedPass) -> None:
        self.script = Script(walk)
        self.frames = self.script.frames
        self.told = list(_told(walk))
        lives = Lives(self.script)
        self.picture, self._ids, self._lives = lives.picture, lives.says.ids, lives.nodes
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
        style, program = f":root {{ --width: {width[1]}px }}\n{_asset('film.css')}", _asset("film.js")
        policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(program)}; base-uri 'none'"
        last = len(self.frames) - 1
        root, script = self.script.walk.E, self.script
        heading = changing([script.names[root], PRINTED.formula(root, script.names), number_text(root.data)])
        return Template(_asset("film.html")).substitute(
            policy=policy,
            title=escape(f"Backprop through {script.names[root]}"),
            style=style,
            heading=escape(" = ".join(heading)),
            told="".join(f'<p class="told">{escape(sentence)}</p>\n' for sentence in self.told),
            svg=svg,
            last=last,
            steps="\n".join(_item(frame, number, last) for number, frame in enumerate(self.frames)),
            film=json.dumps(self._moments(), separators=(",", ":")).translate(IN_SCRIPT),
            script=program,
        )

    def _moments(self) -> dict[str, list[dict[str, object]]]:
        """By the ids of nodes and edges in the picture: how each looks, and since which step."""
        prefix, ids = prefix_of(self.picture), self._ids
        nodes = {f"{prefix}-{ids.node(node)}": [_moment(look) for look in life] for node, life in self._lives.items()}
        edges = {
            f"{prefix}-{ids.edge(*edge)}": [{"since": since, "state": state} for since, state in life]
            for edge, life in edge_lives(self.script).items()
        }
        return nodes | edges

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page, one file, and makes the folders above it; returns its path.

        Raises ValueError for a suffix other than .html, OSError where it can't be written, RuntimeError as html().
        """
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"a film is saved as .html; given was {str(path)!r}")
        page = self.html()
        try:
            return write_atomically(path, page)
        except OSError as error:
            raise type(error)(f"{path} can't be written: {error.strerror or error}") from None

    def __repr__(self) -> str:
        what = self.script.names[self.script.walk.E]
        return f'Film of {what}: {len(self.frames) - 1} steps; .save("backprop.html"), .html(), .frames'

    def _repr_html_(self) -> str:
        try:
            page = self.html()
        except Exception as error:  # a display that raises shows a page of traceback
            return f"<pre>{escape(f'{self!r}: {error}')}</pre>"
        # a page of its own, so that neither styles nor ids meet those of the notebook
        return (
            f'<iframe srcdoc="{escape(page)}" sandbox="allow-scripts" title="backprop, step by step" '
            f'width="100%" height="{HEIGHT}" style="border: 0"></iframe>'
        )


def _told(walk: RecordedPass) -> Iterator[str]:
    if walk.way is not RIGHT:
        yield f"mistake {walk.way.name!r}: {walk.way.says}"
    if stale := stale_note(walk.order):
        yield stale


def _asset(name: str) -> str:
    return files("engine.pictures").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _moment(look: Look) -> dict[str, object]:
    texts = {row.kind: row.text for row in look.box.rows}
    return {"since": look.since, "state": look.state, "texts": texts, "fill": look.box.fill, "title": look.box.tooltip}


def _item(frame: Frame, number: int, last: int) -> str:
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{''.join(map(_piece, pieces))}</dd>" for label, pieces in frame.rows)
    return (
        f'<li data-phase="{frame.phase}"><p class="short">{escape(frame.line)}</p><div class="detail">'
        f'<p class="phase">{frame.phase} · step {number} of {last}</p><p class="what">{escape(frame.what)}</p>'
        f"<dl>{rows}</dl></div></li>"
    )


def _piece(piece: Piece) -> str:
    text = escape(piece.text)
    if piece.number is not None:
        return f'<data class="{piece.kind}" value="{piece.number!r}" title="{piece.number!r}">{text}</data>'
    return f'<span class="{piece.kind}">{text}</span>' if piece.kind else text
