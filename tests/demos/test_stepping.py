"""The lesson of demos/stepping.py, to the character, and that it answers each question with the right numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from demos import stepping
from demos.stepping import LESSON, Part

ROOT = Path(__file__).parents[2]
KEPT = (ROOT / "demos" / "stepping.txt").read_text(encoding="utf-8")


def test_what_it_prints_is_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    stepping.main()
    assert capsys.readouterr().out == KEPT


def test_it_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-X", "utf8", "-m", "demos.stepping"], capture_output=True, cwd=ROOT)
    assert (done.stdout.decode().replace("\r\n", "\n"), done.stderr) == (KEPT, b"")


@pytest.mark.parametrize("part", LESSON, ids=[part.question for part in LESSON])
def test_every_command_of_a_part_is_in_the_text_after_its_question(part: Part) -> None:
    text = KEPT.partition(part.question)[2]
    for command in part.commands:
        _, found, text = text.partition(f"(grad) {command}\n")
        assert found, command


@pytest.mark.parametrize(
    "line",
    [
        "waiting: s (1 of 2 in)",
        "here: s passed on 0.7531 while 0.4242 through v1 was still to come",
        "here: s.grad was 0.7531, and = replaced it by 0.4242",
        "step 0 of 6   before the first step   "
        "adds to gradients from before: w 1.648, x 0.8241; zero_grad() clears them",
        "but w.grad is 3.296 here, 1 of 1 contributions in",
    ],
)
def test_each_question_is_answered_on_sight(line: str) -> None:
    assert line in KEPT.splitlines()


def test_numbers_are_those_of_calculus() -> None:
    E = stepping.graph()
    E.backward()
    s = E.inputs[0]
    assert not isinstance(s, float) and s.grad is not None
    assert f"{s.grad:.10g}" == "1.177299813" == f"{0.7530659048695519 + 0.4242339080645428:.10g}"
    assert "∂E/∂s = 1.177299813, nudged 1.177299813: ok" in KEPT
