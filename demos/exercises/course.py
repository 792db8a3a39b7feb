"""What an exercise is, what a mistake is, and the list of the eighteen in order.

An exercise is data: probes, the right answers, and a row for each classic mistake, which says what somebody who makes
it would answer. judge.py compares, run.py has the answers made by the learner's file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from math import isfinite
from typing import Any, TypeAlias

Probe: TypeAlias = dict[
    str, Any
]  # what is asked: "part", the function it is about, "title", and what it is called with
Answer: TypeAlias = Any  # numbers and texts in lists and dicts; {"error": …} for an exception
Fits: TypeAlias = Callable[[Probe, Answer], bool]

VERSION = "1.0"
NAMES = ["slope", "rows", "chain", "node", "accumulate", "ready", "order", "twice", "engine", "gradcheck", "stable",
         "neuron", "layers", "error", "descent", "derivation", "softmax", "hunt"]  # fmt: skip
# mistakes that the engine can walk with, too: Stepper(E, mistake=…)
ENGINES = ("assign", "preorder", "breadth-first", "no-reset", "no-zero-grad", "no-seed", "no-upstream", "no-local",
           "swapped", "once")  # fmt: skip
PARTS = {1: "One number", 4: "The graph", 10: "Trust", 12: "The network", 17: "For the quick"}


@dataclass(frozen=True)
class Trial:
    """What came back: an answer for each probe, and which of them are wrong."""

    exercise: Exercise
    probes: list[Probe]
    answers: list[Answer]
    wrong: list[int]

    @property
    def first(self) -> tuple[Probe, Answer]:
        """The first probe that is off, or the one that shows most, and its answer."""
        telling = (i for i in self.exercise.telling if i in self.wrong and not is_error(self.answers[i]))
        place = next(telling, self.wrong[0])
        return self.probes[place], self.answers[place]

    def answer(self, part: str) -> Answer:
        """The answer to the first probe of a part."""
        return next(a for p, a in zip(self.probes, self.answers, strict=True) if p["part"] == part)


Says: TypeAlias = str | Callable[[Trial], str]


@dataclass(frozen=True)
class Mistake:
    """A row: a name, whether an answer is what somebody who makes it would get, and what is said."""

    id: str
    says: Says
    fits: Fits
    also: Callable[[Trial], bool] = lambda trial: True  # what must hold of all the answers together
    asks: Says = ""  # the same as a question, for the first time that it is met

    def sentence(self, trial: Trial) -> str:
        return self.says if isinstance(self.says, str) else self.says(trial)

    def question(self, trial: Trial) -> str:
        return self.asks if isinstance(self.asks, str) else self.asks(trial)


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise, as data; see() is what `show` does with a wrong answer."""

    name: str
    idea: str
    wanted: tuple[str, ...]  # what the learner's file must hold
    probes: Callable[[int], list[Probe]]  # by seed
    expected: Callable[[Probe], Answer]
    mistakes: Sequence[Mistake]
    hints: tuple[str, str, str, str]
    after: str
    introduces: str
    right: Fits | None = None  # where more than one answer is right
    tolerance: float = 1e-9
    rows: Callable[[Trial], tuple[str, list[tuple[str, str, str, str]]]] | None = None  # the table of a wrong answer
    fallback: Callable[[Trial], str] | None = None  # the sentence where no row fits
    see: Callable[[Trial | None, str | None], Any] | None = None
    see_text: str = ""
    allows: tuple[str, ...] = ()  # what of the project may be imported
    unit: str = "answer"  # what a probe is called
    grouped: Callable[[str], str] = field(default=lambda part: part)  # parts of one group are diagnosed together
    note: Callable[[Trial], str] = lambda trial: ""  # said after a pass
    telling: tuple[int, ...] = ()  # the probes that a mistake is best seen on, by place

    @property
    def number(self) -> int:
        return NAMES.index(self.name) + 1

    @property
    def key(self) -> str:
        return f"e{self.number:02}"

    @property
    def file(self) -> str:
        return f"{self.key}_{self.name}.py"

    def is_right(self, probe: Probe, answer: Answer) -> bool:
        if isinstance(answer, dict) and "error" in answer and self.right is None:
            return False
        if self.right is not None:
            return self.right(probe, answer)
        return close(answer, self.expected(probe), self.tolerance)


@cache
def exercise(name: str | int) -> Exercise:
    """By number or name; raises ValueError, saying which there are."""
    text = str(name).removesuffix(".py")
    for number, each in enumerate(NAMES, 1):
        if text.lower() in (str(number), each, f"e{number:02}", f"e{number:02}_{each}", f"{number:02}"):
            return import_module(f"demos.exercises.e{number:02}_{each}").EXERCISE  # type: ignore[no-any-return]
    raise ValueError(
        f"{text[:40]!r} is no exercise: give a number from 1 to {len(NAMES)}, or one of {', '.join(NAMES)}"
    )


def course() -> list[Exercise]:
    return [exercise(name) for name in NAMES]


def number_of(x: object) -> float | None:
    """A number that came back, else None: a bool is none."""
    return float(x) if type(x) in (int, float) else None  # type: ignore[arg-type]


def near(x: object, y: float, tolerance: float = 1e-9, least: float = 0.0) -> bool:
    number = number_of(x)
    if number is None or not isfinite(number):
        return False
    return abs(number - y) <= max(tolerance * abs(y), least)


def close(answer: Answer, expected: Answer, tolerance: float = 1e-9) -> bool:
    """Equal, numbers up to a relative tolerance; a list may come for a dict's values, never another length."""
    if type(expected) in (int, float):
        return near(answer, expected, tolerance)
    if isinstance(expected, dict):
        return (
            isinstance(answer, dict)
            and answer.keys() == expected.keys()
            and all(close(answer[key], each, tolerance) for key, each in expected.items())
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(answer, list)
            and len(answer) == len(expected)
            and all(close(a, e, tolerance) for a, e in zip(answer, expected, strict=True))
        )
    return type(answer) is type(expected) and bool(answer == expected)


def is_error(answer: Answer, *names: str) -> bool:
    """Whether an answer is an exception, one of these if some are named."""
    return isinstance(answer, dict) and "error" in answer and (not names or answer["error"] in names)


def gives(model: Callable[[Probe], Answer], tolerance: float = 1e-9) -> Fits:
    """Fits where the answer is that of the model; a model may give up with an exception, and then nothing fits."""

    def fits(probe: Probe, answer: Answer) -> bool:
        try:
            return close(answer, model(probe), tolerance)
        except (ArithmeticError, ValueError, LookupError, TypeError):
            return False

    return fits


def throughout(trial: Trial, *models: Fits) -> bool:
    """Whether one of the models fits all the answers."""
    pairs = list(zip(trial.probes, trial.answers, strict=True))
    return any(all(model(probe, answer) for probe, answer in pairs) for model in models)
