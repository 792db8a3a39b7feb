"""The README runs: its prompts as one session, its source as it stands in the engine, its commands by .ci/run."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import indent

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
        assert any(indent(block, " " * 4 * depth) in source for depth in range(6))


def test_backward_loop_is_under_15_lines() -> None:
    [loop] = blocks(prompts=False)
    assert loop.startswith("for node in reversed(order)") and len(loop.splitlines()) < 15


def test_as_many_lines_as_the_readme_says_are_all_of_the_engine() -> None:
    section = README.split("## Reading it")[1].split("Around them")[0]
    files = re.findall(r"\]\((engine/\w+\.py)\)", section)
    lines = sum(len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in files)
    said = re.search(r"(\w+) files, some (\d+) lines", section)
    assert said and said[1] == "seven" and len(files) == 7 and round(lines, -2) == int(said[2])


def test_the_files_that_the_readme_calls_the_engine_are_all_that_an_operation_needs() -> None:
    lines = "import sys", "from engine import Value, derivative", "E = Value(0.7) * 1.3", "derivative(E, E)"
    code = "; ".join([*lines, "print(*sys.modules)"])
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    loaded = {name for name in modules.split() if name.startswith("engine.")}
    section = README.split("## Reading it")[1].split("Around them")[0]
    named = {f"engine.{name}" for name in re.findall(r"\]\(engine/(\w+)\.py\)", section)}
    assert loaded == named | {"engine.text", "engine.text.names", "engine.version"}  # what things are called in errors


def test_readme_has_at_most_120_lines_besides_code_and_tables() -> None:
    prose = re.sub(r"```.*?```", "", README, flags=re.S)
    assert len([line for line in prose.splitlines() if not line.startswith(("|", "    "))]) <= 120


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", README))
def test_linked_files_exist(target: str) -> None:
    assert (ROOT / target).exists()


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
