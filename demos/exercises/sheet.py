"""Exercises 3, 5, 6 and 8 as one self-contained page: the drawing with boxes to fill in, checked offline; or printed.

The right numbers, and those of every mistake, are computed by the engine beforehand; the page only compares. A seed
gives each pupil other numbers. Nothing is loaded, and the page's policy allows nothing but its own script and style.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html import escape
from pathlib import Path
from random import Random
from typing import NamedTuple
from xml.etree import ElementTree

from demos.exercises import e03_chain, e06_ready, e08_twice
from demos.exercises.course import Exercise, Trial
from demos.exercises.graphs import WAYS, Graph, graph, walked
from demos.exercises.text import filled, number
from engine import draw

HERE = Path(__file__).resolve().parent
SVG = "{http://www.w3.org/2000/svg}"
MARGIN = 6  # of the drawing, around its origin


class Box(NamedTuple):
    """A number to fill in: what it is called, and the node in whose place in the drawing it stands, if it does."""

    label: str
    truth: float
    node: str = ""


class Mistake(NamedTuple):
    """A wrong way to fill in all the boxes, and what is said."""

    id: str
    says: str
    numbers: list[float]


class Sheet(NamedTuple):
    """All that is on a sheet; boxes in backward order."""

    title: str
    task: str
    graph: Graph
    boxes: list[Box]
    mistakes: list[Mistake]


def drawn(random: Random) -> float:
    return random.choice((-1, 1)) * random.choice([3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18]) / 10


# -- 3: one path


def chain(random: Random) -> Sheet:
    point = {name: drawn(random) for name in "xwbt"}
    made = graph("m = w*x; s = m + b; z = tanh(s); e = z - t; E = half_square(e)", **point)
    f = e03_chain.factors(point)
    delta = f.error * f.slope
    boxes = [
        Box("∂E/∂z", f.error, "z"),
        Box("∂E/∂s", delta, "s"),
        Box("∂E/∂w", delta * f.x, "w"),
        Box("∂E/∂x", delta * f.w, "x"),
    ]
    first = {"no-half": 2 * f.error, "half-kept": f.error / 2, "sign": -f.error, "E-for-error": f.error**2 / 2}
    second = {"no-tanh": f.error, "tanh-of-s": f.error * (1 - f.s**2), "tanh-of-z": f.error * e03_chain.tanh_slope(f.z)}
    mistakes = []
    for row in e03_chain.EXERCISE.mistakes:
        by_z = first.get(row.id, f.error)
        by_s = second.get(row.id, by_z * f.slope)
        ends = [e03_chain.MODELS[row.id](f, u) for u in (f.x, f.w)]
        probe = {"part": "dE_dw", "title": "", "point": point}
        says = row.sentence(Trial(e03_chain.EXERCISE, [probe], [ends[0]], [0]))
        mistakes.append(Mistake(row.id, says, [by_z, by_s, *ends]))
    task = "s = w·x + b, z = tanh(s), E = ½(z - t)². Fill in the derivatives of E, from z back to w and x."
    return Sheet("One path: multiply", task, made, boxes, mistakes)


# -- 5: several paths

SAYS = {
    "assign": "Of several contributions only the last is there: they add up, += and not =.",
    "no-seed": "All zero: it begins with ∂E/∂E = 1.",
    "seed-data": "It begins with ∂E/∂E = 1, not with the value of E.",
    "no-upstream": "These are local derivatives: each is multiplied by the gradient that comes from above.",
    "no-local": "The gradient from above was passed on as it is: the local derivative is missing.",
    "added": "Along a path the factors multiply; you added them.",
    "swapped": "Each of two operands got the other's local derivative.",
    "once": "A node that is used twice by another has two arrows, and two contributions.",
    "first-only": "Only the first contribution is there: all of them add up.",
    "nodes-not-edges": "Two arrows between the same two nodes bring two contributions: count arrows, not nodes.",
    "inputs-for-consumers": "You counted the arrows that come in from the left; contributions come back from "
    "the right.",
    "root-1": "E gets none: ∂E/∂E = 1 is where it begins.",
    "paths": "You counted paths; a contribution comes once for each arrow.",
    "by-value": "Two nodes with the same number are still two nodes.",
    "no-reset": "The second pass started from what the first left in m. Only leaves keep what they have.",
    "seed-added": "∂y/∂y = 1 was added to what y still held; it starts at 1 each time.",
    "leaf-reset": "A leaf keeps what it has, and the second pass adds to it: only zero_grad makes a new start.",
    "zero-nothing": "zero_grad puts the leaf back to 0 before the third pass.",
}


def accumulate(random: Random) -> Sheet:
    made = graph("m = a*b; u = tanh(m); n = b*b; d = a - n; v = d*m; E = u - v", a=drawn(random), b=drawn(random))
    boxes = [Box(f"∂E/∂{made.label[i]}", made.gradients[i], made.label[i]) for i in made.order]
    ways = WAYS | {"seed-data": {"seed": made.E.data}}
    mistakes = []
    for id, way in ways.items():
        found = walked(made, made.order, **way)
        mistakes.append(Mistake(id, SAYS[id], [found[node] for node in made.order]))
    return Sheet(
        "Several paths: add", "Fill in ∂E/∂node for every node, from E back to a and b.", made, boxes, mistakes
    )


# -- 6: who may go next


def ready(random: Random) -> Sheet:
    same = drawn(random)
    made = graph("m = a*b; u = m + m; v = tanh(m); r = u*v; E = r - a", a=same, b=same)
    counts = e06_ready.counts(made)
    boxes = [Box(f"contributions to {made.label[node]}", float(n)) for node, n in zip(made.order, counts, strict=True)]
    models = {
        "nodes-not-edges": e06_ready.nodes_not_edges,
        "inputs-for-consumers": e06_ready.number_of_inputs,
        "root-1": e06_ready.root_1,
        "paths": e06_ready.number_of_paths,
        "by-value": e06_ready.by_value,
    }
    mistakes = [Mistake(id, SAYS[id], [float(n) for n in model(made)]) for id, model in models.items()]
    return Sheet(
        "Who may go next",
        "How many contributions will each node get before it may pass on its own?",
        made,
        boxes,
        mistakes,
    )


# -- 8: backward twice


def twice(random: Random) -> Sheet:
    made = graph("m = x*x; y = m*x", x=drawn(random))
    probe = {"place": 0, "roots": [made.root] * 2, "preset": None, "inner": None}

    def snapshots(one: e08_twice.Pass) -> list[float]:
        held = dict.fromkeys(range(len(made.data)), 0.0)
        found = []
        for _ in probe["roots"]:  # type: ignore[attr-defined]
            held |= one(made, held, {})
            found.append(held[made.leaves[0]])
        held[made.leaves[0]] = 0.0
        held |= one(made, held, {})
        return [*found, held[made.leaves[0]]]

    right = snapshots(e08_twice.right_pass)
    labels = ["x.grad after y.backward()", "after a second y.backward()", "after zero_grad and a third one"]
    boxes = [Box(label, truth) for label, truth in zip(labels, right, strict=True)]
    passes = {"no-reset": e08_twice.no_reset, "seed-added": e08_twice.seed_added, "leaf-reset": e08_twice.leaf_reset}
    mistakes = [Mistake(id, SAYS[id], snapshots(one)) for id, one in passes.items()]
    mistakes.append(Mistake("zero-nothing", SAYS["zero-nothing"], [*right[:2], right[0] + right[1]]))
    return Sheet(
        "Backward twice",
        "Interior gradients start anew at each pass, leaves add up until zero_grad. Fill in x.grad.",
        made,
        boxes,
        mistakes,
    )


SHEETS: dict[str, Callable[[Random], Sheet]] = {
    "chain": chain,
    "accumulate": accumulate,
    "ready": ready,
    "twice": twice,
}


# -- which numbers will do


def rounds_to(x: float, y: float) -> bool:
    """Whether x is y to three significant digits, as the page compares."""
    return abs(x - y) <= tolerance(y)


def tolerance(y: float) -> float:
    from math import floor, log10

    return 0.5001 * 10.0 ** (floor(log10(abs(y))) - 2) if y else 1e-9


def distinct(sheet: Sheet) -> bool:
    """No two mistakes, nor a mistake and the truth, look the same when rounded; no number is too small to write."""
    rows = [[box.truth for box in sheet.boxes], *(mistake.numbers for mistake in sheet.mistakes)]
    plain = all(x == 0 or 0.02 <= abs(x) < 100 for row in rows for x in row)
    pairs = [(a, b) for i, a in enumerate(rows) for b in rows[:i]]
    return plain and not any(all(abs(x - y) <= 4 * tolerance(y) for x, y in zip(a, b, strict=True)) for a, b in pairs)


def made(exercise: Exercise, seed: int) -> Sheet:
    """The sheet of an exercise for a seed. Raises ValueError for one that has none."""
    if exercise.name not in SHEETS:
        known = ", ".join(str(n) for n in (3, 5, 6, 8))
        raise ValueError(
            f"exercise {exercise.number} has no sheet: those that are numbers on a graph have one, {known}"
        )
    random = Random(9000 + seed)
    while True:
        try:
            sheet = SHEETS[exercise.name](random)
        except (ArithmeticError, ZeroDivisionError):
            continue
        if distinct(sheet):
            return sheet


# -- the page


def places(svg: str) -> dict[str, tuple[float, float]]:
    """Where the gradient of each node is left blank in the drawing: the right end of its line, and its height."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if "node" in (group.get("class") or "").split():
            name = next((span.text for span in group.iter(f"{SVG}tspan") if span.text), "")
            for text in group.iter(f"{SVG}text"):
                if text.get("class") == "grad":
                    found[name or ""] = (float(text.get("x", 0)) + MARGIN, float(text.get("y", 0)) + MARGIN)
    return found


def page(exercise: Exercise, seed: int, key: bool = False) -> str:
    """The page as HTML. Raises ValueError for an exercise without a sheet, RuntimeError where no layout engine is."""
    sheet = made(exercise, seed)
    drawn = any(box.node for box in sheet.boxes)  # in the drawing, else in a list below it
    svg = draw(sheet.graph.E, blanks="grad" if drawn else None).svg()
    where = places(svg)
    inside = [(i, box) for i, box in enumerate(sheet.boxes) if box.node in where]
    below = [(i, box) for i, box in enumerate(sheet.boxes) if box.node not in where]
    style = (HERE / "sheet.css").read_text(encoding="utf-8") + "".join(
        f"#box{i} {{ left: {where[box.node][0] - 51:.0f}px; top: {where[box.node][1] - 14:.0f}px }}\n"
        for i, box in inside
    )
    data = json.dumps(
        {
            "labels": [box.label for box in sheet.boxes],
            "truths": [box.truth for box in sheet.boxes],
            "mistakes": [mistake._asdict() for mistake in sheet.mistakes],
        },
        ensure_ascii=True,
    ).replace("</", "<\\/")
    script = (HERE / "sheet.js").read_text(encoding="utf-8")
    text = (HERE / "sheet.html").read_text(encoding="utf-8")
    parts = {
        "policy": f"default-src 'none'; style-src '{hashed(style)}'; script-src '{hashed(script)}'",
        "style": style,
        "script": script,
        "data": data,
        "drawing": svg,
        "title": escape(f"{exercise.number} {sheet.title}"),
        "task": escape(sheet.task),
        "seed": str(seed),
        "numbers": escape(
            "   ".join(f"{sheet.graph.label[leaf]} = {sheet.graph.data[leaf]:g}" for leaf in sheet.graph.leaves)
        ),
        "inside": "".join(field(i, box, key) for i, box in inside),
        "below": "".join(
            f'<li><label for="box{i}">{escape(box.label)}</label> {field(i, box, key)}</li>' for i, box in below
        ),
        "teacher": '<p class="teacher">The teacher\'s copy.</p>' if key else "",
    }
    return filled(text, parts)


def field(i: int, box: Box, key: bool) -> str:
    value = f' value="{number(box.truth)}" readonly' if key else ""
    return f'<input id="box{i}" inputmode="text" autocomplete="off" aria-label="{escape(box.label)}"{value}>'


def hashed(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
