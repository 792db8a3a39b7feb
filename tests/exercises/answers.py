"""Right and wrong answers, as files: two solutions for each exercise, and the wrong ones as edits of the first.

folder() makes a learner's folder in which all is solved; solution() and mutants() are texts to put into it.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from demos.exercises import e06_ready, hunt
from demos.exercises.course import NAMES, Exercise, exercise
from demos.exercises.judge import Verdict, check

HERE = Path(__file__).parent
SEED = 7


def solution(each: Exercise, which: str = "a", seed: int = SEED) -> str:
    """One of the two right answers, with what depends on the learner's seed filled in."""
    text = (HERE / "solutions" / f"{each.file.removesuffix('.py')}_{which}.py.txt").read_text(encoding="utf-8")
    answers = ", ".join(map(repr, e06_ready.own(seed)[3]))
    return text.replace("{answers}", answers).replace("{hunt}", repr(hunt.key(seed)))


def folder(place: Path, seed: int = SEED) -> Path:
    for name in NAMES:
        each = exercise(name)
        (place / each.file).write_text(solution(each, "a", seed), encoding="utf-8")
    return place


class Wrong(NamedTuple):
    """A row of wrong.toml: the first solution, edited, and what the mistake must be called."""

    exercise: str
    mistake: str
    edits: tuple[tuple[str, str], ...]

    def text(self, of: str | None = None) -> str:
        text = solution(exercise(self.exercise)) if of is None else of
        for find, replace in self.edits:
            assert text.count(find) == 1, (self.exercise, self.mistake, find, text.count(find))
            text = text.replace(find, replace)
        return text

    def __str__(self) -> str:
        return f"{self.exercise}-{self.mistake}"


@cache
def wrong() -> list[Wrong]:
    rows = tomllib.loads((HERE / "wrong.toml").read_text(encoding="utf-8"))["wrong"]
    found = []
    for row in rows:
        finds, replaces = row["find"], row["replace"]
        pairs = [(finds, replaces)] if isinstance(finds, str) else list(zip(finds, replaces, strict=True))
        found.append(Wrong(row["exercise"], row["mistake"], tuple(pairs)))
    return found


def checked(each: Exercise, text: str, place: Path, seconds: float = 5.0) -> Verdict:
    """The verdict on a text, in a folder in which all else is solved."""
    path = place / each.file
    kept = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(text, encoding="utf-8")
    try:
        return check(each, path, SEED, seconds)
    finally:
        if kept is not None:
            path.write_text(kept, encoding="utf-8")


@cache
def dressed() -> list[tuple[str, str, str]]:
    """(exercise, mistake, text) of the rows of dressed.toml."""
    rows = tomllib.loads((HERE / "dressed.toml").read_text(encoding="utf-8"))["wrong"]
    found = []
    for row in rows:
        if "text" in row:
            text = row["text"]
        else:
            base = solution(exercise(row["exercise"]), row["of"])
            assert base.count(row["find"]) == 1, row
            text = base.replace(row["find"], row["replace"])
        found.append((row["exercise"], row["mistake"], text))
    return found
