"""The README runs: its prompts as one session, its source as it stands in the engine, its commands by .ci/run."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(prompts: bool) -> list[str]:
    found = re.findall(r"```python\n(.*?)```", README, re.S)
    return [block for block in found if (">>>" in block) == prompts]


def run_session(text: str) -> int:
    """The number of examples that failed, of the prompts in a text."""
    session = doctest.DocTestParser().get_doctest(text, {}, "README.md", "README.md", 0)
    return doctest.DocTestRunner().run(session).failed


def test_prompts_run_as_printed() -> None:
    assert run_session("\n".join(blocks(prompts=True))) == 0


def test_a_wrong_prompt_fails() -> None:
    assert run_session(">>> 0.1 + 0.2\n0.3\n") == 1


def test_printed_source_is_the_source() -> None:
    source = (ROOT / "engine" / "value.py").read_text(encoding="utf-8")
    for block in blocks(prompts=False):
        indented = "".join(f"{' ' * 12}{line}\n" for line in block.splitlines())
        assert indented in source


def test_backward_loop_is_under_15_lines() -> None:
    source = (ROOT / "engine" / "value.py").read_text(encoding="utf-8")
    body = source.split("def backward")[1].split('"""')[2].split("    def ")[0]
    loop = body.split("        try:\n")[1].split("        except")[0]
    assert len(loop.splitlines()) < 15


def test_three_files_hold_all_of_backprop_in_about_400_lines() -> None:
    lines = [len((ROOT / "engine" / name).read_text().splitlines()) for name in ("rules.py", "order.py", "value.py")]
    assert sum(lines) <= 400


def test_readme_is_about_a_hundred_lines() -> None:
    assert len(README.splitlines()) <= 133


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", README))
def test_linked_files_exist(target: str) -> None:
    assert (ROOT / target).is_file()


@pytest.mark.parametrize("path", re.findall(r"`((?:engine|nn|demos|tests)/[\w./]+)`", README))
def test_named_files_exist(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("command", re.findall(r"^    stepgrad (.*)$", README, re.M))
def test_shell_lines_run(command: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "engine", *shlex.split(command)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=ROOT,
    )  # fmt: skip
    assert result.returncode == 0 and result.stdout and not result.stderr


def test_two_commands_do_the_setting_up() -> None:
    commands = re.findall(r"^    (python3 .*)$", README, re.M)
    assert [command.split()[-1] for command in commands] == ["demos.regression", "pytest"]
