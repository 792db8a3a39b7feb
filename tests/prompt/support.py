"""What the tests of the prompt share: two graphs, a run of commands with what each answers, and a count of work."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from engine import Value, debug, tanh
from engine.order import topological_order


def neuron() -> Value:
    """E = tanh(s) * w with s = w * x + b: the names are those of verbs, and w is used twice."""
    x, w, b = Value(1.4, "x"), Value(0.7, "w"), Value(-1.3, "b")
    s = w * x + b
    s.label = "s"
    return tanh(s) * w


def layered() -> Value:
    """Labels that are paths, a label used twice, and one that is no name at all."""
    w, z = Value(0.7, "hidden[2].w[3]"), Value(1.4, "hidden[0].z")
    first, second, gain = Value(1.9, "x"), Value(-0.3, "x"), Value(2.5, "the gain")
    return tanh(w * z) * first * second * gain


def output(E: Value, *commands: str) -> str:
    """What a run of commands prints."""
    stdout = io.StringIO()
    debug(E, commands, stdout=stdout)
    return stdout.getvalue()


def answers(E: Value, *commands: str) -> list[str]:
    """What each command prints, without the prompt."""
    shown = re.split(r"^\((?:grad|predict|com)\).*\n", output(E, *commands), flags=re.M)[1:]
    assert len(shown) == len(commands)
    return [answer.rstrip("\n") for answer in shown]


def answer(E: Value, *commands: str) -> str:
    """What the last command prints."""
    return answers(E, *commands)[-1]


def gradients(E: Value) -> list[float | None]:
    return [node.grad for node in topological_order(E)]


def commands_of(session: str) -> list[str]:
    return re.findall(r"^\((?:grad|predict|com)\) ?(.*)$", session, re.M)


def lines_run(run: Callable[[], object]) -> int:
    """How many lines of Python run, each turn of a comprehension too: a count of work that no busy machine changes."""
    count, tracer = 0, sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(tracer)
    return count
