"""The course in a notebook: check in a cell, graded cells, and the course as one .ipynb, executed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import nbclient
import nbformat
import pytest

from demos.exercises import check, hint, show
from demos.exercises.course import course, exercise
from demos.exercises.files import stub
from demos.exercises.judge import check as check_file
from demos.exercises.run import given_text
from tests.exercises.answers import SEED, folder, solution, wrong
from tests.exercises.ways import inside, ran


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    folder(tmp_path)
    given = ModuleType("given")
    exec(given_text(), vars(given))
    sys.path.insert(0, str(tmp_path))
    sys.modules["given"] = given
    with inside(tmp_path):
        yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name == "given" or name[:3] in {each.key for each in course()}]:
        del sys.modules[name]


def objects(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "cell"}
    exec(text, names)
    return names


def assign() -> Any:
    return objects(next(row.text() for row in wrong() if str(row) == "accumulate-assign"))["backprop"]


@pytest.mark.parametrize("name", [each.name for each in course()])
def test_solutions_pass_in_a_cell(name: str, place: Path) -> None:
    one, names = exercise(name), objects(solution(exercise(name)))
    found = check(name, **{wanted: names[wanted] for wanted in one.wanted})
    assert found.ok and found.state == "passed" and found.mistake is None


def test_a_wrong_answer_prints_what_the_command_prints(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = check("accumulate", assign())
    assert (found.ok, found.state, found.mistake) == (False, "wrong", "assign")
    Path("e05_accumulate.py").write_text(
        next(r.text() for r in wrong() if str(r) == "accumulate-assign"), encoding="utf-8"
    )
    assert capsys.readouterr().out == check_file(exercise(5), Path("e05_accumulate.py"), SEED).text() + "\n"
    bundle = found._repr_mimebundle_()
    assert "<svg" in bundle["text/html"] and bundle["text/plain"] == "<accumulate: wrong, assign>"


def test_objects_by_position_by_keyword_and_in_a_dict(place: Path) -> None:
    names = objects(solution(exercise("chain")))
    w, x = names["dE_dw"], names["dE_dx"]
    assert check(3, w, x).ok and check(3, x, w).ok and check("chain", dE_dw=w, dE_dx=x).ok
    assert check("chain", {"dE_dw": w, "dE_dx": x}).ok and check("rows", objects(solution(exercise("rows")))["ROWS"]).ok
    with pytest.raises(TypeError, match="dE_dx is missing"):
        check("chain", w)
    with pytest.raises(ValueError, match="is no exercise"):
        check("nothing", w)


def test_a_graded_cell_raises_with_the_diagnosis(place: Path) -> None:
    with pytest.raises(AssertionError, match=r"accumulate: wrong \(assign\)\. .*\+= is needed"):
        check("accumulate", assign(), grade=True)
    assert check("accumulate", objects(solution(exercise("accumulate")))["backprop"], grade=True).ok


def test_an_endless_loop_ends(place: Path) -> None:
    def backprop(order: list[Any]) -> None:
        while True:
            pass

    began = time.monotonic()
    found = check("accumulate", backprop, seconds=0.3)
    assert found.state == "wrong" and "No answer after 0.3 s" in found.says and time.monotonic() - began < 5


def test_hints_and_what_is_shown(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hint("descent")
    hint(15)
    assert "hint 1 of 4" in (said := capsys.readouterr().out) and "hint 2 of 4" in said
    check("accumulate", assign())
    assert "mistake 'assign'" in repr(show("accumulate"))


def test_the_notebook_is_made_of_the_stubs_and_runs(tmp_path: Path) -> None:
    """Every check cell says "not written"; with a right answer put into its cell it passes."""
    with inside(tmp_path):
        ran("start", "mycourse", "--notebook")
    place = tmp_path / "mycourse"
    read = nbformat.read(place / "course.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(read)
    sources = [cell.source for cell in read.cells if cell.cell_type == "code"]
    for each in course():
        body = stub(each, SEED).rpartition('"""')[2].strip()
        assert any(body.split("\n\n\n")[-1] in source for source in sources), each.name
    solved = solution(exercise("accumulate"))
    read.cells.append(nbformat.v4.new_code_cell(f'{solved}\nexercises.check("accumulate", backprop)'))  # type: ignore[no-untyped-call]
    client = nbclient.NotebookClient(
        read, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(place)}}
    )
    client.execute()
    printed = [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in read.cells
        if cell.cell_type == "code" and "exercises.check(" in cell.source
    ]
    assert len(printed) == len(course()) + 1 and "passed" in printed.pop()
    for each, text in zip(course(), printed, strict=True):
        assert text.startswith(f"{each.number} {each.name}") and "not written" in text


def test_without_nbformat_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nbformat", None)
    with inside(tmp_path):
        said = ran("start", "mycourse", "--notebook")
    assert "pip install 'stepgrad[notebook]'" in said and "[exit status 2]" in said
