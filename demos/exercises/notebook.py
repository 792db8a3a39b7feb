"""The course in a notebook: check("accumulate", backprop) in a cell, and the course as one .ipynb.

The learner's object runs in the kernel, with a time limit. The notebook is made of the same stubs as the files.
"""

from __future__ import annotations

import ast
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demos.exercises import drive
from demos.exercises.course import PARTS, Answer, Exercise, Probe, Trial, course, exercise
from demos.exercises.files import stub
from demos.exercises.judge import WRONG, Verdict, judge
from demos.exercises.progress import FILE, SEED, Progress
from demos.exercises.run import SECONDS, UNANSWERED, Outcome, given_text
from demos.exercises.text import wrapped

LATEST: dict[str, Verdict] = {}  # what the latest check of each exercise found, for show
HINTS: dict[str, int] = {}  # rungs shown


class Checked:
    """What check returns: .ok, .state, .mistake, .says; in a notebook it shows the drawing."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.ok, self.state, self.mistake, self.says = verdict.ok, verdict.state, verdict.mistake, verdict.says

    def __repr__(self) -> str:
        return f"<{self.verdict.exercise.name}: {self.state}{f', {self.mistake}' if self.mistake else ''}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        bundle = {"text/plain": repr(self)}
        if self.state == WRONG and self.verdict.trial and self.verdict.exercise.see:
            try:
                view = self.verdict.exercise.see(self.verdict.trial, self.mistake)
                if view.drawing is not None:
                    bundle["text/html"] = f'<div style="overflow-x:auto">{view.drawing.svg()}</div>'
            except Exception as error:  # a picture that can't be drawn is no reason to lose the text
                bundle["text/plain"] += f"\nThe drawing is left out: {error}"
        return bundle


def check(name: str | int, *objects: Any, grade: bool = False, seconds: float = SECONDS, **named: Any) -> Checked:
    """Checks the learner's object for an exercise: a function, a class or a dict, or several by keyword.

    Prints what `python -m demos.exercises check` prints. With grade=True a wrong answer raises AssertionError with the
    diagnosis, for pytest, nbgrader and Otter. Raises TypeError if an object that the exercise needs isn't given.
    """
    one = exercise(name)
    learner = by_name(one, objects, named)
    probes = one.probes(own_seed())
    verdict = judge(one, probes, answered(one, learner, probes, seconds))
    LATEST[one.name] = verdict
    if grade:
        if not verdict.ok:
            raise AssertionError(
                f"{one.name}: {verdict.state}{f' ({verdict.mistake})' if verdict.mistake else ''}. {verdict.says}"
            )
        return Checked(verdict)
    print(verdict.text())
    return Checked(verdict)


def show(name: str | int) -> Any:
    """The mistake that the latest check of this exercise found, stepped and drawn; or the pass as it should be."""
    one = exercise(name)
    verdict = LATEST.get(one.name)
    trial: Trial | None = verdict.trial if verdict is not None and verdict.state == WRONG else None
    assert one.see is not None
    return one.see(trial, verdict.mistake if verdict else None)


def hint(name: str | int) -> None:
    """One more rung of the exercise's four hints."""
    one = exercise(name)
    rung = min(HINTS.get(one.name, 0), 3)
    HINTS[one.name] = rung + 1
    print(f"{one.number} {one.name}, hint {rung + 1} of 4\n\n" + "\n".join(wrapped(one.hints[rung])))


def own_seed() -> int:
    return Progress.read(Path.cwd()).seed if Path(FILE).exists() else SEED


def by_name(one: Exercise, objects: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """The learner's objects by the names of the exercise."""
    given = dict(named)
    if len(objects) == 1 and isinstance(objects[0], dict) and set(one.wanted) & set(objects[0]):
        given |= objects[0]
        objects = ()
    for each in objects:
        called = getattr(each, "__name__", None)
        free = [wanted for wanted in one.wanted if wanted not in given]
        given[called if called in free else free[0] if free else str(called)] = each
    missing = [wanted for wanted in one.wanted if wanted not in given]
    if missing:
        raise TypeError(
            f'check("{one.name}", {", ".join(f"{w}={w}" for w in one.wanted)}): {" and ".join(missing)} is missing'
        )
    return given


def answered(one: Exercise, learner: dict[str, Any], probes: list[Probe], seconds: float) -> Outcome:
    drive.prepare(one.name, given_text(), importable=False)
    answers: list[Answer] = [UNANSWERED] * len(probes)

    def answer(place: int) -> None:
        try:
            answers[place] = drive.answer(one.name, learner, probes[place])
        except OutOfTime:
            raise
        except Exception as error:
            answers[place] = {"error": type(error).__name__, "says": str(error)[:300], "at": ""}

    place = limited(answer, len(probes), seconds)
    if place is not None:
        answers[place] = {"error": "TimeLimit", "says": f"no answer after {seconds:g} s", "at": ""}
    return Outcome(answers=answers)


class OutOfTime(BaseException):
    """The time is up; not an Exception, so that the learner's code doesn't catch it."""


def limited(call: Callable[[int], None], count: int, seconds: float) -> int | None:
    """Calls with 0, 1, … below count; the place at which the time was up, if it was."""
    now = 0

    def all_of_them() -> None:
        nonlocal now
        for now in range(count):
            call(now)

    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():

        def stop(*_: object) -> None:
            raise OutOfTime

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            all_of_them()
        except OutOfTime:
            return now
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return None
    thread = threading.Thread(target=all_of_them, daemon=True)
    thread.start()
    thread.join(seconds)
    return now if thread.is_alive() else None


# -- the course as a notebook

SETUP = "from demos import exercises"  # not check itself: exercise 10 is to write a function of that name


def cells(seed: int) -> list[tuple[str, str]]:
    """Every cell as (kind, text), from the stubs."""
    found = [("markdown", "# The exercise course\n\nEighteen exercises from a slope to a network. Write a cell, "
                          "then run the check below it; "
              "`exercises.hint(\"slope\")` has four rungs, `exercises.show(\"slope\")` shows the mistake that "
              "was found."), ("code", SETUP)]  # fmt: skip
    for one in course():
        if one.number in PARTS:
            found.append(("markdown", f"## {PARTS[one.number]}"))
        docstring, code = split(stub(one, seed))
        title, _, text = docstring.partition("\n")
        found.append(("markdown", f"### {title.rstrip('.')}\n\n{as_markdown(text)}"))
        found.append(("code", code))
        found.append(("code", f'exercises.check("{one.name}", {", ".join(arguments(one))})'))
    return found


def arguments(one: Exercise) -> list[str]:
    return [one.wanted[0]] if len(one.wanted) == 1 else [f"{name}={name}" for name in one.wanted]


def split(text: str) -> tuple[str, str]:
    """A stub's docstring, and the rest without imports of the learner's other files: in a notebook these are cells."""
    docstring = ast.get_docstring(ast.parse(text)) or ""
    code = text[text.index('"""', 3) + 3 :].strip()
    return docstring, re.sub(r"^from e\d\d_\w+ import .*\n+", "", code, flags=re.M)


def as_markdown(text: str) -> str:
    """Indented lines stay as they are, in a block of code."""
    return re.sub(r"((?:^    .*\n?)+)", lambda block: f"\n{block.group(0).rstrip()}\n", text.strip(), flags=re.M)


def write_notebook(path: Path, seed: int) -> Path:
    """The course as an .ipynb. Raises ImportError, in a sentence, where nbformat isn't installed."""
    try:
        import nbformat
        from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
    except ImportError:
        raise ImportError("a notebook needs nbformat: pip install 'stepgrad[notebook]' mends it") from None
    made = [
        (new_markdown_cell if kind == "markdown" else new_code_cell)(text, id=f"cell-{i}")  # type: ignore[no-untyped-call]
        for i, (kind, text) in enumerate(cells(seed))
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new_notebook(cells=made, metadata=metadata)  # type: ignore[no-untyped-call]
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return path
