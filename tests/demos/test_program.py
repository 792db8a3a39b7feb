"""Every demo as a program: what it can't write is said before it computes, and it is quiet when nobody reads on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import demos

ROOT = Path(demos.__file__).parents[1]
WRITING = ["classification", "derivation", "digits", "gradient_descent", "neuron", "regression", "worked_example"]
PRINTING = ["contradictions", "stepping"]


def started(name: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"demos.{name}"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("name", WRITING)
def test_a_folder_that_cant_be_written_is_said_in_a_line_before_anything_else(name: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file stands where the folder should")
    program = started(name, tmp_path)
    printed, complaint = program.communicate()
    assert (program.returncode, printed) == (2, "")
    assert complaint == f"{name}: the folder out can't be written: Not a directory\n"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("name", [*PRINTING, "neuron"])
def test_a_demo_whose_reader_goes_away_is_quiet(name: str, tmp_path: Path) -> None:
    program = started(name, tmp_path)
    assert program.stdout and program.stderr
    program.stdout.close()
    assert program.wait() == 0 and program.stderr.read() == ""
    program.stderr.close()


def test_every_demo_that_runs_is_tried() -> None:
    runs = {path.stem for path in (ROOT / "demos").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert runs == {*WRITING, *PRINTING, "microgpt", "outgrown"}  # which have tests of their own
