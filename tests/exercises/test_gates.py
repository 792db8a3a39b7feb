"""The gates of the course: every classic wrong answer fails under its own name, every right one passes.

The figures are printed by `python -m tests.exercises.gates`, which also keeps them in figures.txt.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from demos.exercises import __main__ as command
from demos.exercises.course import Exercise, course, exercise
from demos.exercises.files import stub
from demos.exercises.judge import PASSED, UNWRITTEN, WRONG, check
from tests.exercises import gates
from tests.exercises.answers import SEED, checked, dressed, folder, solution, wrong

ROOT = Path(__file__).parents[2]
each_exercise = pytest.mark.parametrize("each", course(), ids=lambda each: each.name)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return folder(tmp_path)


# -- 1, 2: stubs and solutions


@each_exercise
def test_a_stub_is_not_written(each: Exercise, tmp_path: Path) -> None:
    for other in course():
        (tmp_path / other.file).write_text(stub(other, SEED), encoding="utf-8")
    found = check(each, tmp_path / each.file, SEED)
    assert (found.state, found.mistake) == (UNWRITTEN, None)


@pytest.mark.parametrize("which", "ab")
@each_exercise
def test_solutions_pass(each: Exercise, which: str, place: Path) -> None:
    found = checked(each, solution(each, which), place)
    assert found.state == PASSED, found.text()


@pytest.mark.parametrize(("name", "why", "text"), gates.odd(), ids=lambda part: part[:40])
def test_right_answers_that_look_odd_pass(name: str, why: str, text: str, place: Path) -> None:
    found = checked(exercise(name), text, place)
    assert found.state == PASSED, f"{why}\n{found.text()}"


@each_exercise
def test_solutions_differ_in_kind(each: Exercise) -> None:
    bodies = [
        {
            "\n".join(map(ast.unparse, node.body))
            for node in ast.walk(ast.parse(solution(each, which)))
            if isinstance(node, ast.FunctionDef)
        }
        for which in "ab"
    ]
    assert not {body for body in bodies[0] & bodies[1] if body.count("\n") > 2}
    assert ast.dump(ast.parse(solution(each, "a"))) != ast.dump(ast.parse(solution(each, "b")))


# -- 3, 4: the named wrong answers


@pytest.mark.parametrize("row", wrong(), ids=str)
def test_each_wrong_answer_is_called_by_its_name_and_no_other(row: Any) -> None:
    found = next(one.verdict for one in gates.named() if one.row == row)
    assert found.state == WRONG
    assert found.fitting == [row.mistake] and found.mistake == row.mistake, found.text()
    assert found.says.strip() and "{" not in found.says and len(found.text().splitlines()) <= 24


@pytest.mark.parametrize(("name", "mistake", "text"), dressed(), ids=lambda part: part[:30].split("\n")[0])
def test_the_same_mistakes_in_other_dress(name: str, mistake: str, text: str, place: Path) -> None:
    found = checked(exercise(name), text, place, seconds=2.0)
    assert (found.state, found.mistake) == (WRONG, mistake), found.text()


def test_every_row_of_every_exercise_has_a_wrong_answer() -> None:
    rows = {(each.name, mistake.id) for each in course() for mistake in each.mistakes}
    assert rows == {(row.exercise, row.mistake) for row in wrong()}


@each_exercise
def test_what_there_is_to_see_can_be_seen(each: Exercise) -> None:
    """`show` works without a mistake, and with each of the exercise's."""
    assert each.see is not None and repr(each.see(None, None)).strip()
    for one in gates.named():
        if one.row.exercise == each.name and each.name not in ("derivation", "layers", "error"):
            assert repr(each.see(one.verdict.trial, one.verdict.mistake)).strip()


def test_an_answer_without_a_row_gets_the_first_divergence_and_no_name(place: Path) -> None:
    text = solution(exercise("accumulate")).replace("node.grad * partial", "node.grad * partial * 1.1")
    found = checked(exercise("accumulate"), text, place)
    assert found.state == WRONG and found.mistake is None and "the first that is off" in found.says


# -- 5, 6: the machine's mutants, and the figures


def test_what_survives_is_no_mistake() -> None:
    survivors = [one for one in gates.made() if one.survives]
    assert not [f"{one.exercise}: {one.mutant.change}" for one in survivors if not gates.reason(one)]
    used = {gates.reason(one) for one in survivors}
    assert used == {reason for _, _, reason in gates.reasons()}


def test_the_figures_are_current() -> None:
    assert gates.figures() == gates.FIGURES.read_text(encoding="utf-8")


# -- 7, 8: hints, and what is introduced when


@each_exercise
def test_four_hints(each: Exercise) -> None:
    lines = {line.strip() for which in "ab" for line in solution(each, which).splitlines() if len(line.strip()) > 12}
    for rung, hint in enumerate(each.hints, 1):
        assert hint.strip() and len(hint.split()) <= 60
        assert rung == 4 or not any(line in hint for line in lines), hint


INTRODUCED: list[tuple[type[ast.AST] | str, int]] = [
    (ast.ClassDef, 4), ("zip", 5), (ast.Dict, 6), (ast.While, 5), (ast.DictComp, 6), ("exp", 9), ("cosh", 11),
    ("Value", 12), ("total", 12), ("zero_grad", 8),
]  # fmt: skip


@each_exercise
def test_a_solution_uses_nothing_before_it_is_introduced(each: Exercise) -> None:
    """Of the first solution of each; the second ones are for those who know more."""
    tree = ast.parse(solution(each))
    for idea, first in INTRODUCED:
        if each.number >= first or each.name == "rows":
            continue
        for node in ast.walk(tree):
            named = getattr(node, "id", getattr(node, "attr", None))
            assert not (isinstance(node, idea) if isinstance(idea, type) else named == idea), (each.name, idea)
    assert each.introduces


# -- 9: nothing that is installed holds a solution


def test_no_solution_is_installed() -> None:
    texts = [
        path.read_text(encoding="utf-8")
        for path in (ROOT / "demos").rglob("*")
        if path.suffix in (".py", ".txt", ".md")
    ]
    for each in course():
        for which in "ab":
            for node in ast.walk(ast.parse(solution(each, which))):
                if isinstance(node, ast.FunctionDef):
                    body = "\n".join(map(ast.unparse, node.body))
                    assert body.count("\n") < 3 or not any(body in plain(text) for text in texts), (
                        each.name,
                        node.name,
                    )
    assert not any("solutions" in str(path) for path in (ROOT / "demos").rglob("*"))


def plain(text: str) -> str:
    return re.sub(r"^ +", "", text, flags=re.M)


def test_demos_are_packaged_and_tests_are_not() -> None:
    import tomllib

    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert build["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["engine", "nn", "demos"]
    assert build["project"]["scripts"]["stepgrad-exercises"] == "demos.exercises.__main__:main"
    assert callable(command.main)


def test_the_wheel_holds_the_course_and_no_answer() -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    files = {file.distribution_path for file in wheel.WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {"demos/exercises/__main__.py", "demos/exercises/stubs/given.py.txt", "demos/exercises/sheet.js"} <= files
    assert not [path for path in files if path.startswith("tests/") or "solution" in path]


# -- every number in the texts


def test_confusion_on_the_probes() -> None:
    """No two wrong answers of an exercise fit each other's row: see `fitting` above, which is each row's alone."""
    for one in gates.named():
        assert len(one.verdict.fitting) == 1, one.row


def test_mistakes_that_the_engine_has_too_give_the_engines_numbers() -> None:
    from demos.exercises import e05_accumulate as five
    from demos.exercises.graphs import WAYS, walked
    from engine import Stepper

    for name, way in WAYS.items():
        if name in ("added", "first-only"):
            continue
        for graph in five.graphs():
            graph.E.zero_grad()
            Stepper(graph.E, name).run()
            mine = walked(graph, graph.order, **way)
            if name == "no-upstream" and 0.0 in mine.values():
                continue  # there the engine's pass adds nothing, and a learner's loop does
            assert all(
                mine[i] == pytest.approx(graph.values[i].grad or 0.0, rel=1e-9, abs=1e-12) for i in graph.order
            ), (name, graph.title)
