"""What names mean at the prompt: labels that are no names, variables, the engine's functions; and completion."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

import engine
from engine.prompt.debug import Debugger
from tests.prompt.support import answer, answers, layered, neuron


def test_a_name_of_the_prompt_hides_a_node_until_it_is_deleted() -> None:
    made = answers(neuron(), "s = 3", "p s", "p s + 1", "s", "del s", "p s", "p s.data", "until s")
    s = 0.7 * 1.4 - 1.3
    assert made[1:3] == ["3", "4"]
    assert made[3].startswith("step 1 of 8") and made[3].endswith("\np s shows the name")
    assert made[5:7] == [f"Value(data={s!r}, grad=None, label='s')", repr(s)]
    assert made[7].startswith("step 4 of 8")


def test_names_of_the_prompt_outlive_a_set() -> None:
    assert answer(neuron(), "k = 3", "def double(v): return 2 * v", "set w = 0.9", "p double(k)") == "6"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("p hidden[2].w[3]", "Value(data=0.7, grad=None, label='hidden[2].w[3]')"),
        ("p hidden[2].w[3].data * 2", "1.4"),
        ("hidden[2].w[3].data + hidden[0].z.data", "2.0999999999999996"),
        ("p [hidden[2].w[3].data for _ in range(2)]", "[0.7, 0.7]"),
        ("p 'hidden[2].w[3]'", "'hidden[2].w[3]'"),
        ("p x.data, x#2.data", "(1.9, -0.3)"),
        ("p the gain", "Value(data=2.5, grad=None, label='the gain')"),
        ("hidden[7].w[3]", "NameError: name 'hidden' is not defined"),
        ("b if hidden[2].w[3].grad", "1: if hidden[2].w[3].grad"),
        ("watch the gain", "1: watch the gain"),
    ],
)
def test_labels_that_are_no_names_are_understood(line: str, shown: str) -> None:
    assert answer(layered(), line) == shown


@pytest.mark.parametrize("node", ["hidden[0].z", "hidden[2].w[3]", "x#2", "the gain", "E.inputs[0].inputs[1]"])
def test_until_takes_any_label_and_an_expression(node: str) -> None:
    assert re.search(r"  → .* None → ", answer(layered(), f"until {node}"))


@pytest.mark.parametrize(
    ("text", "line", "completed"),
    [
        ("unt", "unt", ["until"]),
        ("mis", "mis", ["mistake"]),
        ("hid", "until hid", ["hidden[0].z", "hidden[2].w[3]"]),
        ("hidden[2]", "p hidden[2]", ["hidden[2].w[3]"]),
        ("x.gr", "p x.gr", ["x.grad"]),
        ("hidden[2].w[3].par", "p hidden[2].w[3].par", ["hidden[2].w[3].partials"]),
        ("no-s", "mistake no-s", ["no-seed"]),
        ("t", "b op t", ["tanh"]),
        ("contr", "b if contr", ["contribution"]),
        ("ta", "p ta", ["tan", "tanh"]),
        ("nope", "p nope", []),
    ],
)
def test_completion(text: str, line: str, completed: list[str]) -> None:
    prompt = Debugger(layered())
    start = len(line) - len(text)
    found = prompt.completedefault(text, line, start, len(line)) if start else prompt.completenames(text)
    assert found == completed


@pytest.mark.parametrize("word", ["help", "h"])
def test_help_is_completed_by_verbs_alone(word: str) -> None:
    prompt = Debugger(layered())
    complete = getattr(prompt, f"complete_{word}", prompt.completedefault)
    line, start = f"{word} ", len(word) + 1
    assert complete("", line, start, start) == sorted(name for names in prompt.verbs().values() for name in names)
    assert complete("wh", f"{line}wh", start, start + 2) == ["whatis", "where", "who", "why"]


def test_a_checkpoint_is_completed() -> None:
    prompt = Debugger(layered(), stdout=io.StringIO())
    prompt.run(["checkpoint spot"])
    assert prompt.completedefault("sp", "jump sp", 5, 7) == ["spot"]


# -- the engine's functions

ROOT = Path(__file__).parents[2]


def test_the_prompt_knows_what_the_engine_exports() -> None:
    shown = answers(neuron(), *[f"p {name}" for name in engine.__all__])
    assert shown == [repr(getattr(engine, name)) for name in engine.__all__]


@pytest.mark.parametrize(
    "commands",
    [
        ["p draw"],
        ["p [draw for _ in [1]][0]"],
        ["p [[draw for _ in [1]] for _ in [1]][0][0]"],
        ["p {draw for _ in [1]}.pop()"],
        ["p next(draw for _ in [1])"],
        ["(lambda: draw)()"],
        ["(lambda drawn=draw: drawn)()"],
        ["def f(): return [draw for _ in [1]][0]", "f()"],
        ["class C: drawn = draw", "p C.drawn"],
        ["del draw", "p draw"],
        ["b if draw", "set w = 0.9", "p draw"],
    ],
    ids=lambda commands: commands[0],
)
def test_what_is_imported_later_is_known_wherever_python_looks_names_up(commands: list[str]) -> None:
    from engine.pictures.draw import draw

    assert answer(neuron(), *commands) == repr(draw)


def test_what_is_imported_is_no_variable() -> None:
    prompt = Debugger(neuron(), stdout=io.StringIO())
    prompt.run(["for k in [3]: draw", "p film"])
    assert prompt.names.variables == {"k": 3}


@pytest.mark.parametrize("commands", ["n", "help; w; d; check; n; predict 1; p w.grad; set w = 0.9; c; q"])
def test_what_draws_is_imported_for_nobody_who_only_steps(commands: str) -> None:
    code = f"""
import io, sys
from engine import Value, debug
debug(Value(2.0, "w") * 3.0, commands={commands!r}, stdout=io.StringIO())
print(*sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    modules = done.stdout.split()
    assert "engine.prompt.debug" in modules
    assert [name for name in modules if name.startswith(("engine.pictures", "engine.tape"))] == []


@pytest.mark.parametrize("path", [*(ROOT / "engine" / "prompt").glob("*.py"), ROOT / "engine" / "__main__.py"])
def test_no_room_of_the_prompt_imports_from_the_root(path: Path) -> None:
    assert not re.search(r"^\s*(from engine import|import engine$)", path.read_text(encoding="utf-8"), re.M)
