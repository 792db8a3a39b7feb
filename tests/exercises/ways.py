"""Two ways through the course, as transcripts: a stranger's, who makes each exercise's first mistakes before it is
right, and a teacher's, with a sheet, its key, and a report over five folders.

`python -m tests.exercises.ways` writes them anew; they are kept to be read, and compared by a test.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from demos.exercises.__main__ import PROGRAM, main
from demos.exercises.course import Exercise, course, exercise
from tests.exercises.answers import solution, wrong

KEPT = Path(__file__).parent / "transcripts"
FIRST = 3  # mistakes before the right answer
CLASS = {
    "anna": ["assign", "preorder", "no-K"],
    "bo": ["assign", "no-reset"],
    "chen": ["assign", "forward", "eq18-minus"],
    "dara": ["no-half", "once"],
    "eli": [],
}


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def ran(*arguments: str) -> str:
    """A command and what it prints, to stdout and to stderr, and its status if that isn't 0."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = main(arguments)
    said = "\n".join(line.rstrip() for line in out.getvalue().rstrip().split("\n"))
    ending = f"\n[exit status {status}]" if status else ""
    return f"$ {PROGRAM} {' '.join(arguments)}\n{said}{ending}\n".replace(f"{PROGRAM} \n", f"{PROGRAM}\n")


def stranger() -> str:
    """From `start` to the last exercise."""
    with TemporaryDirectory() as place, inside(Path(place)):
        said = [ran("start", "mycourse"), "$ cd mycourse\n"]
        with inside(Path("mycourse")):
            said += [ran(), ran("list")]
            for each in course():
                said += tried(each)
            said += [ran("list")]
    return "\n".join(said)


def tried(each: Exercise) -> list[str]:
    said = [f"# {each.number} {each.name}: {each.idea}\n", ran("hint", each.name)]
    rows = [row for row in wrong() if row.exercise == each.name][:FIRST]
    for row in rows:
        Path(each.file).write_text(row.text(), encoding="utf-8")
        said += [f"# a wrong answer: {row.mistake}\n", ran("check")]
        if any(mistake.id == row.mistake and mistake.asks for mistake in each.mistakes):
            said += [ran("check")]  # the question first, the name on the second try
    Path(each.file).write_text(solution(each), encoding="utf-8")
    return [*said, "# and the right one\n", ran("check")]


def teacher() -> str:
    """A sheet with its key, then five folders and the report."""
    with TemporaryDirectory() as place, inside(Path(place)):
        said = [
            ran("sheet", "5", "--seed", "3", "-o", "sheet.html"),
            ran("sheet", "5", "--seed", "3", "--key", "-o", "key.html"),
        ]
        for name, mistakes in CLASS.items():
            ran("start", name)
            with inside(Path(name)):
                learned(mistakes)
        said += [ran("report", *CLASS), ran("report", "--csv", "anna", "eli")]
    return "\n".join(said)


def learned(mistakes: list[str]) -> None:
    """A learner's folder: these mistakes made, then all but the last of them mended."""
    solved = ["slope", "rows", "chain", "node", "accumulate", "ready", "order", "twice"]
    for each in map(exercise, solved):
        Path(each.file).write_text(solution(each), encoding="utf-8")
    for mistake in mistakes:
        row = next(row for row in wrong() if row.mistake == mistake)
        each = exercise(row.exercise)
        Path(each.file).write_text(row.text(), encoding="utf-8")
        ran("check", each.name)
        if mistake != mistakes[-1]:
            Path(each.file).write_text(solution(each), encoding="utf-8")
            ran("check", each.name)


WAYS = {"stranger.txt": stranger, "teacher.txt": teacher}

if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for name, way in WAYS.items():
        (KEPT / name).write_text(way(), encoding="utf-8")
