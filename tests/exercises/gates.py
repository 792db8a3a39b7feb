"""The gates' figures: `python -m tests.exercises.gates` prints them, as figures.txt keeps them.

Kill rate and diagnosis rate of the named wrong answers, the machine-made mutants with their survivors, the right
answers, and the baseline: how many of the same wrong answers pass a check that is content with two digits, or with any
number.
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from demos.exercises import notebook
from demos.exercises.course import Exercise, course, exercise, is_error
from demos.exercises.judge import Verdict, check
from tests.exercises.answers import HERE, SEED, Wrong, folder, solution, wrong
from tests.exercises.mutants import Mutant, importable, mutants, verdict

FIGURES = HERE / "figures.txt"
NUMBERS = [
    "slope",
    "chain",
    "accumulate",
    "twice",
    "engine",
    "stable",
    "neuron",
    "error",
    "descent",
    "derivation",
    "softmax",
]


class Named(NamedTuple):
    row: Wrong
    verdict: Verdict


def in_folder(place: Path, each: Exercise, text: str, seconds: float) -> Verdict:
    """The verdict on a text in a folder of its own, in which all else is solved."""
    folder(place)
    (place / each.file).write_text(text, encoding="utf-8")
    return check(each, place / each.file, SEED, seconds)


@cache
def named() -> list[Named]:
    """Every row of wrong.toml, through the child process, two at a time."""

    def one(row: Wrong) -> Named:
        each = exercise(row.exercise)
        endless = row.mistake in ("paths", "no-seen", "recursive-apply")  # which take all the time that they get
        with TemporaryDirectory() as place:
            return Named(row, in_folder(Path(place), each, row.text(), 1.5 if endless else 5.0))

    for each in course():
        each.probes(SEED)  # made once, before there are two threads
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, wrong()))


class Made(NamedTuple):
    exercise: str
    mutant: Mutant
    survives: bool


@cache
def made() -> list[Made]:
    """The machine's mutants of every first solution; the answers to questions and to the hunt aren't code."""
    found = []
    with TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder(Path(place))
        for each in course():
            for mutant in mutants(solution(each)) if each.name != "hunt" else ():
                if "ANSWERS" not in mutant.change:
                    found.append(Made(each.name, mutant, verdict(each, mutant.text, Path(place), 0.7).ok))
    return found


@cache
def reasons() -> list[tuple[str, str, str]]:
    """(exercise, how the change begins, why it is no mistake)."""
    rows = tomllib.loads((HERE / "survivors.toml").read_text(encoding="utf-8"))["survivor"]
    return [(row["exercise"], change, row["reason"]) for row in rows for change in row["changes"]]


def reason(one: Made) -> str | None:
    """Why this survivor is no mistake, if that is known."""
    own = [(change, why) for name, change, why in reasons() if name == one.exercise]
    return next((why for change, why in own if one.mutant.change.startswith(change)), None)


@cache
def odd() -> list[tuple[str, str, str]]:
    """(exercise, why it is odd, text) of the right answers that look odd."""
    rows = tomllib.loads((HERE / "odd.toml").read_text(encoding="utf-8"))["odd"]
    answers = ", ".join(map(repr, notebook_answers()))
    return [(row["exercise"], row["why"], row["text"].replace("{answers}", answers)) for row in rows]


def notebook_answers() -> list[Any]:
    from demos.exercises import e06_ready

    return e06_ready.own(SEED)[3]


# -- the baseline


def numbers_in(answer: Any) -> Iterator[Any]:
    if isinstance(answer, dict):
        for name, each in answer.items():
            if name != "points":  # where f was called
                yield from numbers_in(each)
    elif isinstance(answer, list):
        for each in answer:
            yield from numbers_in(each)
    else:
        yield answer


def two_digits(answer: Any, right: Any) -> bool:
    """Equal up to 0.01, absolutely or relatively, as widely used checks ask."""
    pairs = zip(numbers_in(answer), numbers_in(right), strict=False)
    return not is_error(answer) and all(
        not isinstance(r, float) or (isinstance(a, int | float) and abs(a - r) <= 0.01 + 0.01 * abs(r))
        for a, r in pairs
    )


@cache
def baseline() -> tuple[int, int, int]:
    """Of the wrong answers that are numbers: how many, how many pass with two digits, how many with any number."""
    count = loose = any_number = 0
    with TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder(Path(place))
        for name in NUMBERS:
            each = exercise(name)
            right = answers_of(each, solution(each), Path(place))
            for row in (row for row in wrong() if row.exercise == name):
                found = answers_of(each, row.text(), Path(place))
                pairs = list(zip(found, right, strict=True))
                count += 1
                loose += all(two_digits(a, r) for a, r in pairs)
                any_number += all(not is_error(a) and None not in numbers_in(a) for a, _ in pairs)
    return count, loose, any_number


def answers_of(each: Exercise, text: str, place: Path) -> list[Any]:
    with importable(place):
        learner: dict[str, Any] = {"__name__": "learner"}
        exec(compile(text, each.file, "exec"), learner)
        return notebook.answered(each, learner, each.probes(SEED), 30.0).answers


# -- the figures


def figures() -> str:
    rows, machine = named(), made()
    killed = sum(not row.verdict.ok for row in rows)
    called = sum(row.verdict.mistake == row.row.mistake and len(row.verdict.fitting) == 1 for row in rows)
    survivors = [one for one in machine if one.survives]
    count, loose, any_number = baseline()
    lines = [
        f"named wrong answers   {len(rows)} of {len({row.row.exercise for row in rows})} exercises",
        f"kill rate             {killed / len(rows):.1%}",
        f"diagnosis rate        {called / len(rows):.1%}, each by its own name and no other's",
        f"right answers         {2 * len(course())} solutions, {len(odd())} odd ones: all pass",
        f"machine-made mutants  {len(machine)}, of which {len(machine) - len(survivors)} are killed and "
        f"{len(survivors)} are no mistakes:",
        *(f"    {one.exercise:<11}{one.mutant.change[:100]}\n{'':15}{reason(one)}" for one in survivors),
        f"baseline              of the {count} named wrong answers that are numbers {loose} pass with a "
        "tolerance of 1e-2,",
        f"                      and {any_number} where a gradient need only not be None",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = figures()
    FIGURES.write_text(text, encoding="utf-8")
    print(text, end="")
