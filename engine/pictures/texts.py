"""All that a film's page says about a recorded pass, as nests of texts.

live.py makes templates of the same nests, and film.js and film.py make the page of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.domain import DomainError
from engine.pictures.frames import Frame, Lives, Look, Script, edge_lives
from engine.pictures.picture import Arrow, line
from engine.steps.passes import MISTAKES, Edge, Record, record
from engine.steps.step import Piece
from engine.text.names import changing, number_text
from engine.text.symbols import PRINTED
from engine.value import Value

Texts = dict[str, Any]


def texts(script: Script, lives: Lives) -> Texts:
    """What is said about a recorded pass: the heading, each frame, and each node and edge of the picture."""
    ids, root, arrows = lives.says.ids, script.walk.E, {arrow.id: arrow for arrow in lives.picture.arrows}
    heading = changing([script.names[root], PRINTED.formula(root, script.names), number_text(root.data)])
    return {
        "heading": script.equals.join(heading),
        "description": lives.picture.description,
        "frames": [*map(frame_texts, script.frames, questions(script))],
        "nodes": {ids.node(node): [moment(look) for look in life] for node, life in lives.nodes.items()},
        "edges": {
            ids.edge(*edge): edge_texts(arrows[ids.edge(*edge)])
            | {"life": [{"since": since, "state": state} for since, state in life]}
            for edge, life in edge_lives(script).items()
        },
    }


def frame_texts(frame: Frame, ask: Texts | None) -> Texts:
    rows = [[label, [piece_texts(piece) for piece in pieces]] for label, pieces in frame.rows]
    return {"phase": frame.phase, "what": frame.what, "line": frame.line, "rows": rows, "ask": ask}


def questions(script: Script) -> Iterator[Texts | None]:
    """For each frame that multiplies, the product, and what the classic mistakes have in its place."""
    walk = script.walk
    wrong = {name: made for name in MISTAKES if (made := contributions(walk.order, name))}
    products = zip(edges_of(walk.record), walk.record.contributions, strict=True)
    for frame in script.frames:
        edge, product = next(products) if frame.phase == "backward" else (None, 0.0)
        if edge is None:
            yield None
            continue
        mistakes = [[name, repr(made[edge])] for name, made in wrong.items() if edge in made]
        yield {"answer": repr(product), "wrong": mistakes}


def contributions(order: list[Value], mistake: str) -> dict[Edge | None, float]:
    """What a wrong pass adds over each edge; nothing where it comes to no finite number."""
    try:
        made = record(order, MISTAKES[mistake])
    except DomainError:
        return {}
    return dict(zip(edges_of(made), made.contributions, strict=True))


def edges_of(made: Record) -> list[Edge | None]:
    """The edge of each step; None for the seed."""
    return [None if slot is None else (node, slot) for node, slot in zip(made.nodes, made.slots, strict=True)]


def piece_texts(piece: Piece) -> list[str]:
    """The text, its kind, and the number that it stands for."""
    return [piece.text, piece.kind, "" if piece.number is None else repr(piece.number)]


def moment(look: Look) -> Texts:
    shown = {row.kind: row.text for row in look.box.rows}
    return {"since": look.since, "state": look.state, "texts": shown, "fill": look.box.fill, "title": look.box.tooltip}


def edge_texts(arrow: Arrow) -> Texts:
    return {"texts": {"local": arrow.label}, "title": arrow.tooltip, "width": f"{line(arrow)[0]:g}"}
