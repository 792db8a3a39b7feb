"""The runner and the judge: files that can't be loaded, that cheat, that don't end; each gets its own sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demos.exercises.course import exercise
from demos.exercises.judge import NOT_RUN, PASSED, UNWRITTEN, WRONG, check
from tests.exercises.answers import SEED, checked, folder, solution

RIGHT = solution(exercise("accumulate"))
LOADING = {
    "exit": ("import sys\nsys.exit(0)\n" + RIGHT, "ends the program while it is being loaded"),
    "empty": ("", "backprop isn't defined"),
    "syntax": ("def backprop(order)\n    pass\n", "SyntaxError"),
    "engine": ("from engine import Value\n" + RIGHT, "engine can't be imported in this exercise"),
    "demos": ("import demos.exercises.e05_accumulate\n" + RIGHT, "demos can't be imported"),
    "torch": ("import torch\n" + RIGHT, "torch can't be imported"),
    "input": ("input()\n" + RIGHT, "waits for somebody to type"),
    "fork": ("import os\nos.fork()\n" + RIGHT, "another process was to be started"),
    "shell": ("import os\nos.system('true')\n" + RIGHT, "another process was to be started"),
    "written": ("open('x.txt', 'w').write('x')\n" + RIGHT, "x.txt was to be written"),
    "caught": ("try:\n    open('x.txt', 'w')\nexcept Exception:\n    raise SystemExit\n" + RIGHT, "was to be written"),
    "memory": ("x = bytearray(10 * 2**30)\n" + RIGHT, "more than 1 GB"),
    "endless": ("while True: pass\n" + RIGHT, "no answer after"),
    "killed": ("import os\nos._exit(0)\n" + RIGHT, "the process ended"),
    "printing": ("while True: print('PASS' * 1000)\n" + RIGHT, "characters were printed"),
}
RUNNING = {
    "exit": ("    raise SystemExit(0)", "ends the program"),
    "memory": ("    bytearray(10 * 2**30)", "more than 1 GB"),
    "endless": ("    while True: pass", "No answer after"),
    "recursion": ("    backprop(order)", "RecursionError"),
    "input": ("    input()", "waits for somebody to type"),
    "killed": ("    import os; os._exit(0)", "ended in the middle"),
    "written": ("    open('PASS', 'w')", "was to be written"),
    "fork": ("    import os; os.fork()", "another process"),
    "printed": ("    print('x' * 200_000)", "characters were printed"),
    "answers": ("    import sys; open(sys.modules['__main__'].__file__).read()", "there are no answers in it"),
    "error": ("    order[99]", "IndexError"),
    "engine": ("    import engine", "can't be imported"),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return folder(tmp_path)


@pytest.mark.parametrize("name", LOADING)
def test_what_keeps_a_file_from_being_loaded(name: str, place: Path) -> None:
    text, sentence = LOADING[name]
    found = checked(exercise("accumulate"), text, place, seconds=1.0)
    assert found.state == NOT_RUN and sentence.lower() in found.says.lower(), found.text()
    assert not (place / "x.txt").exists()


@pytest.mark.parametrize("name", RUNNING)
def test_what_happens_while_a_probe_runs(name: str, place: Path) -> None:
    line, sentence = RUNNING[name]
    found = checked(exercise("accumulate"), f"def backprop(order):\n{line}\n", place, seconds=1.0)
    assert found.state == WRONG and found.mistake is None, found.text()
    assert sentence.lower() in found.says.lower()
    assert not (place / "PASS").exists()


def test_sentences_are_each_others_own() -> None:
    assert len({sentence for _, sentence in LOADING.values()}) >= len(LOADING) - 3


def test_printing_pass_does_not_pass(place: Path) -> None:
    found = checked(exercise("accumulate"), "print('PASS')\n\ndef backprop(order):\n    print('all right')\n", place)
    assert found.state == WRONG and found.mistake == "no-seed"
    assert "What is printed doesn't count" in found.text() and "all right" in found.text()


def test_patched_mathematics_is_said_and_decides_nothing(place: Path) -> None:
    text = "import math\nmath.isclose = lambda *a, **k: True\n\ndef backprop(order):\n    pass\n"
    found = checked(exercise("accumulate"), text, place)
    assert found.state == WRONG and "math.isclose" in found.text()


def test_a_number_that_is_equal_to_everything_is_the_number_it_holds(place: Path) -> None:
    text = (
        "class Equal(float):\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\n"
        "    def __sub__(self, other): return 0.0\n\n\ndef backprop(order):\n    for node in order:\n        "
        "node.grad = Equal(1.0)\n"
    )
    assert checked(exercise("accumulate"), text, place).state == WRONG


def test_a_changed_copy_of_given_changes_nothing(place: Path) -> None:
    (place / "given.py").write_text("raise SystemExit\n", encoding="utf-8")
    assert check(exercise("ready"), place / "e06_ready.py", SEED).state == PASSED


def test_one_function_written_and_one_not(place: Path) -> None:
    text = solution(exercise("chain")).replace("    return (z - t) * (1 - z * z) * w", "    raise NotImplementedError")
    found = checked(exercise("chain"), text, place)
    assert (found.state, found.says) == (UNWRITTEN, "What is written is right. Still to be written: dE_dx.")
    off = checked(exercise("chain"), text.replace("by_z = z - t", "by_z = t - z"), place)
    assert (off.state, off.mistake) == (WRONG, "sign")


def test_what_is_still_to_be_written_is_listed_in_order(place: Path) -> None:
    text = "import math\n\n\ndef tanh(x):\n    return math.tanh(x)\n"
    open_ = ("dtanh", "sigmoid", "dsigmoid", "softplus", "dsoftplus")
    stubs = "".join(f"\n\ndef {name}(x):\n    raise NotImplementedError\n" for name in open_)
    found = checked(exercise("stable"), text + stubs, place)
    assert (found.state, found.says) == (
        UNWRITTEN,
        "What is written is right. Still to be written: dtanh, sigmoid, dsigmoid, softplus, dsoftplus.",
    )


def test_rows_with_open_cells_are_told_what_is_wrong_already(place: Path) -> None:
    text = solution(exercise("rows")).replace('"1 / x"', '"?"')
    assert checked(exercise("rows"), text, place).state == UNWRITTEN
    wrong = text.replace('"exp(x)", "z"', '"exp(x)", "x"')
    assert checked(exercise("rows"), wrong, place).mistake == "exp-data"


@pytest.mark.parametrize(("cell", "column"), [("x ^ 2", 2), ("x * foo", 4), ("__import__('os')", 0), ("1 +* x", 3)])
def test_a_cell_that_cannot_be_read_is_shown_with_a_caret(cell: str, column: int, place: Path) -> None:
    text = solution(exercise("rows")).replace('"1 / x"', json.dumps(cell))
    found = checked(exercise("rows"), text, place)
    assert found.state == WRONG and found.mistake is None
    assert f"{cell}\n{' ' * column}^" in found.says


def test_the_json_of_a_verdict(place: Path) -> None:
    text = RIGHT.replace("u.grad += node", "u.grad = node")
    found = checked(exercise("accumulate"), text, place).json()
    assert list(found) == ["exercise", "name", "state", "mistake", "says", "see"]
    assert (found["exercise"], found["name"], found["state"], found["mistake"]) == (5, "accumulate", "wrong", "assign")
    assert found["see"] == "python -m demos.exercises show 5"
