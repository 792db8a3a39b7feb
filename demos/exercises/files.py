"""The learner's files: the stubs, with what depends on the seed filled in."""

from __future__ import annotations

from pathlib import Path

from demos.exercises import e06_ready, hunt
from demos.exercises.course import Exercise, course
from demos.exercises.run import given_text

HERE = Path(__file__).resolve().parent
SOLUTIONS = HERE.parents[1] / "tests" / "exercises" / "solutions"


def stub(exercise: Exercise, seed: int) -> str:
    text = (HERE / "stubs" / f"{exercise.file}.txt").read_text(encoding="utf-8")
    if exercise.name == "ready":
        graph, numbers, questions, _ = e06_ready.own(seed)
        rows = "\n".join(f'    ("{edge}", [{", ".join(f"{name!r}" for name in done)}]),' for edge, done in questions)
        text = text.replace("{graph}", graph).replace("{numbers}", repr(numbers))
        text = text.replace("{questions}", rows.replace("'", '"'))
    return text


def all_files(seed: int) -> dict[str, str]:
    """Every file that `start` writes, by name."""
    files = {exercise.file: stub(exercise, seed) for exercise in course()}
    files["given.py"] = given_text()
    return files | {f"{broken.name}.py": broken.text for broken in hunt.programs(seed)}


def solution(exercise: Exercise, seed: int) -> str | None:
    """A right answer where the tests are at hand, else None; that of 18 is computed."""
    if exercise.name == "hunt":
        rows = "\n".join(f"    {row}," for row in hunt.key(seed))
        return f"HUNT = [\n{rows}\n]\n".replace("'", '"')
    path = SOLUTIONS / f"{exercise.file.removesuffix('.py')}_a.py.txt"
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    return text.replace("{answers}", ", ".join(map(repr, e06_ready.own(seed)[3])))
