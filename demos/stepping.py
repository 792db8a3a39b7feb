"""The four questions that backprop raises, each answered by stepping: the prompt's commands and what it shows.

`python -m demos.stepping` runs the commands. What it printed is kept in stepping.txt, to be read without running it;
a test compares the two. To go on from here: `python -m engine step "s = w*x; s * tanh(s)" w=0.7 x=1.4`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import NamedTuple

from demos.program import program
from engine import Value, tanh
from engine.prompt.debug import debug


class Part(NamedTuple):
    """One question: the answer in a few sentences, the commands that show it, and what is done with E before them."""

    question: str
    answer: str
    commands: list[str]
    before: Callable[[Value], None] | None = None


def graph() -> Value:
    """E = s * tanh(s) with s = w * x: s is used twice, so that two contributions arrive at s.grad."""
    w, x = Value(0.7, label="w"), Value(1.4, label="x")
    s = w * x
    s.label = "s"
    return s * tanh(s)


LESSON = [
    Part(
        "Which nodes still wait for contributions?",
        """s has two consumers, E and v1, so two contributions arrive at s.grad. After the first of them s waits: the
        line `waiting` says so, and w shows for every node how many are in. What s holds is no derivative yet.""",
        ["s 2", "w", "check s", "until s", "check s"],
    ),
    Part(
        "Why in topological order?",
        """A node multiplies its own gradient by its local derivatives, so that gradient must be complete first: every
        consumer before the node. Depth first without that care, s passes on what E gave it, and what v1 brings later
        never reaches w and x. `check` compares with a derivative found by nudging w.""",
        ["mistake preorder", "until w", "end", "check w", "mistake off", "until w", "check w"],
    ),
    Part(
        "Why += and not =?",
        """E depends on s in two ways, and the two effects add up: that is the chain rule for several variables. With =
        the later contribution replaces the earlier one. A watch stops at each writer of s.grad; cb finds the last.""",
        ["watch s", "c", "c", "mistake assign", "c", "c", "end", "cb", "p before, contribution, after"],
    ),
    Part(
        "Why does a second backward() double the gradients?",
        """Leaves keep their gradients, and += adds to what is there. That is wanted where the gradients of several
        samples are summed, and it is why zero_grad() comes before each pass of a training loop. Here E.backward() was
        called before the prompt, and the pass begins with what that left behind.""",
        ["p w.grad", "until w", "check w", "q"],
        Value.backward,
    ),
]


def run(part: Part) -> None:
    print(f"{part.question}\n{'=' * len(part.question)}")
    print(textwrap.fill(" ".join(part.answer.split()), 100), end="\n\n")
    E = graph()
    if part.before:
        part.before(E)
    debug(E, part.commands)


def main() -> None:
    for number, part in enumerate(LESSON):
        print(end="\n\n" if number else "")
        run(part)


if __name__ == "__main__":
    raise SystemExit(program(main))
