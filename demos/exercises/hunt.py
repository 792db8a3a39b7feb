"""The five broken programs of exercise 18, drawn from the learner's seed, and where each goes wrong.

Each cause is a template of a script: what it is meant to compute, and the one line that breaks it. The key is found by
the stepper: the broken graph's pass beside that of the graph that was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, NamedTuple

from engine import Stepper, Value, topological_order

COUNT = 5


class Cause(NamedTuple):
    """A way to break a program: what it was to do, its lines, these as they were meant, and how the key is found."""

    purpose: str
    broken: str
    meant: str  # the same lines, unbroken
    found: Callable[[Value, Value], tuple[str, int]]


HEAD = '''"""{name}: {purpose}."""

from engine import Value, debug, label, relu, tanh

{lines}
label(vars())

if __name__ == "__main__":
    debug(E)
'''


def completed(E: Value, node: str) -> int:
    """The step that completes a node's gradient."""
    return Stepper(E).until(node).position


def first_off(E: Value, meant: Value) -> tuple[str, int]:
    """The first node, in backward order, whose gradient isn't the one that was meant, and the step that completes it.

    If an edge is missing, the last step of the right pass's consumer that no longer leads there.
    """
    Stepper(E).run()
    right = Stepper(meant).run()
    broken: dict[str | None, Value] = {node.label: node for node in topological_order(E) if node.label}
    for node in reversed(topological_order(meant)):
        name = node.label
        if name and name in broken and broken[name].grad != node.grad:
            lost = [c for c in topological_order(meant) if uses(c, name) and not uses(broken.get(c.label), name)]
            if lost:
                return name, max(i for i, step in enumerate(right.steps, 1) if step.node is lost[-1])
            return name, completed(E, name)
    raise ValueError("nothing is off")


def uses(consumer: Value | None, name: str) -> bool:
    return consumer is not None and any(isinstance(i, Value) and i.label == name for i in consumer.inputs)


def at(name: str) -> Callable[[Value, Value], tuple[str, int]]:
    """The node is known: what stands before the kink, or before the unit that is dead."""
    return lambda E, meant: (name, completed(E, name))


CAUSES = {
    "dead-relu": Cause(
        "the hidden unit h is to learn from this sample",
        "x, w, b, v, t = Value({p}), Value(-{q}), Value(-{r}), Value({s}), 0.4\ns = w * x + b\nh = relu(s)\ny = "
        "v * h + x * {u}\nd = y - t\nE = d * d",
        "", at("s"),
    ),
    "kink": Cause(
        "h is to be pulled where it makes the error small",
        "x, w, v, t = Value({p}), Value({q}), Value({s}), 0.4\nm = w * x\ns = m - {p} * {q}\nh = relu(s)\ny = v "
        "* h + m * {u}\nd = y - t\nE = d * d",
        "", at("s"),
    ),
    "data-cut": Cause(
        "the two ways from h to E are to be learned from",
        "x, w, v = Value({p}), Value({q}), Value(-{s})\nm = w * x\nh = tanh(m)\ng = v * h.data\nk = h * {u}\nE = g * k",
        "x, w, v = Value({p}), Value({q}), Value(-{s})\nm = w * x\nh = tanh(m)\ng = v * h\nk = h * {u}\nE = g * k",
        first_off,
    ),
    "detached": Cause(
        "the output goes on from the hidden value h",
        "x, w, v = Value({p}), Value(-{q}), Value({s})\nm = w * x\nh = tanh(m)\nc = Value(h.data)\ng = v * c\nk "
        "= h * {u}\nE = g * k",
        "x, w, v = Value({p}), Value(-{q}), Value({s})\nm = w * x\nh = tanh(m)\ng = v * h\nk = h * {u}\nE = g * k",
        first_off,
    ),
    "stale": Cause(
        "one step of descent, and the gradient at the new w",
        "x, w, b, t = Value({p}), Value({q}), Value(-{r}), 0.4\nm = w * x\ns = m + b\ny = tanh(s)\nd = y - t\nE "
        "= d * d\nw.data = w.data - {u}",
        "x, w, b, t = Value({p}), Value({q}), Value(-{r}), 0.4\nw.data = w.data - {u}\nm = w * x\ns = m + b\ny = "
        "tanh(s)\nd = y - t\nE = d * d",
        first_off,
    ),
    "shared": Cause(
        "two neurons, each with a weight of its own that starts at the same number",
        "x, w1, t = Value({p}), Value({q}), 0.4\nw2 = w1\nm = w1 * x\nh = tanh(m)\ny = w2 * h\nd = y - t\nE = d * d",
        "x, w1, t = Value({p}), Value({q}), 0.4\nw2 = Value(w1.data)\nm = w1 * x\nh = tanh(m)\ny = w2 * h\nd = y "
        "- t\nE = d * d",
        first_off,
    ),
    "no-zero-grad": Cause(
        "the gradient at the second sample",
        "w, b, x1, x2, t = Value({q}), Value(-{r}), {p}, {s}, 0.4\nfirst = tanh(w * x1 + b) - t\nfirst = first * "
        "first\nfirst.backward()\n"
        "m = w * x2\ns = m + b\ny = tanh(s)\nd = y - t\nE = d * d",
        "w, b, x1, x2, t = Value({q}), Value(-{r}), {p}, {s}, 0.4\nm = w * x2\ns = m + b\ny = tanh(s)\nd = y - "
        "t\nE = d * d",
        first_off,
    ),
}  # fmt: skip


class Broken(NamedTuple):
    """One program: its name, its text, what it was meant to be, and the answer."""

    name: str
    text: str
    meant: str
    key: tuple[str, str, int]


@cache
def programs(seed: int) -> list[Broken]:
    """Five programs with three different causes among them."""
    random = Random(5000 + seed)
    three = random.sample(list(CAUSES), 3)
    causes = [*three, *random.choices(three, k=COUNT - 3)]
    random.shuffle(causes)
    return [drawn(f"hunt{i + 1}", cause, random) for i, cause in enumerate(causes)]


def drawn(name: str, id: str, random: Random) -> Broken:
    cause = CAUSES[id]
    numbers = {letter: n / 100 + 0.003 for letter, n in zip("pqrsu", random.sample(range(31, 177), 5), strict=True)}
    text = HEAD.format(name=name, purpose=cause.purpose, lines=cause.broken.format(**numbers))
    meant = HEAD.format(name=name, purpose=cause.purpose, lines=(cause.meant or cause.broken).format(**numbers))
    node, step = cause.found(run(text), run(meant))
    return Broken(name, text, meant, (node, id, step))


def run(text: str) -> Value:
    """The E of a program."""
    names: dict[str, Any] = {"__name__": "hunted"}
    exec(text, names)
    E: Value = names["E"]
    return E


def key(seed: int) -> list[tuple[str, str, int]]:
    return [program.key for program in programs(seed)]


def readable(text: str) -> str:
    """A program's own lines."""
    return re.sub(r'^""".*?"""\n\nfrom engine[^\n]*\n\n', "", text, flags=re.S).partition("\nlabel(vars())")[0]
