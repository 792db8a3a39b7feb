"""The caller's names: what a program calls its Values is known at its prompt, and stays as it is."""

from __future__ import annotations

import io

import pytest

import nn
from engine import Value, debug, tanh
from engine.__main__ import main
from engine.order import topological_order
from tests.prompt.support import answer

GAIN = 2.5


def shown(debugged: str) -> list[str]:
    return debugged.split("(grad) ")


def test_a_value_without_a_label_is_shown_by_its_variables_name_and_nothing_is_written() -> None:
    stdout = io.StringIO()
    x, w, bias = Value(1.4), Value(0.7), Value(-1.3, "b")
    s = x * w + bias
    loss = tanh(s)
    debug(loss, "n 2; until w; b s; why w; check w; set w = 0.9; undo", stdout=stdout)
    text = stdout.getvalue()
    assert "loss = tanh(s)   ∂loss/∂loss = 1" in text and "v1 = x * w" in text and "s = v1 + b" in text
    assert "→ w.grad += ∂loss/∂v1 · ∂v1/∂w" in text and "∂loss/∂w, by the chain rule" in text
    assert "what if: loss was -0.3095 and is -0.03998; undo goes back" in text
    assert [node.label for node in topological_order(loss)] == [None, None, None, "b", None, None]
    assert [node.grad for node in topological_order(loss)] == [None] * 6


def test_variables_print_and_can_be_broken_on() -> None:
    stdout = io.StringIO()
    model = nn.MLP(2, [2, 1], activation="tanh", seed=0)
    rate, [y] = 0.25, model([0.3, -0.4])  # noqa: F841
    debug(y, "p rate; p GAIN * rate; p model; model.layers[0][0].w[0].data; b model.layers[0][0].w[0]; "
             "b y; watch model.layers[1][0].b; c; c", stdout=stdout)  # fmt: skip
    said = [text.partition("\n")[2].rstrip("\n") for text in shown(stdout.getvalue())[1:]]
    assert said[:3] == ["0.25", "0.625", repr(model)]
    assert said[3] == repr(model.layers[0][0].w[0].data)
    assert said[4:7] == ["1: node model.layers[0][0].w[0]", "2: node y", "3: watch model.layers[1][0].b"]
    assert said[7].endswith("stopped by 2: node y") and "stopped by" in said[8]


def test_names_are_read_only() -> None:
    stdout = io.StringIO()
    x, rate = Value(1.4), 0.25
    E = x * 3.5
    debug(E, "rate = 3; x = 4; p rate, x; del rate, x; p rate, x.data; for each in [7]: rate = each", stdout=stdout)
    said = stdout.getvalue()
    assert (rate, x.data) == (0.25, 1.4)
    assert "rate is now a name at this prompt; your program's stays" in said
    assert "x is now a name at this prompt; set x = 4 changes the node" in said
    assert "\n(3, 4)\n" in said and "\n(0.25, 1.4)\n" in said


def test_local_names_come_before_those_of_the_module_and_labels_before_both() -> None:
    GAIN = 7.5
    stdout = io.StringIO()
    x = [1, 2]
    E = Value(1.4, "x") * GAIN
    debug(E, "p GAIN; p x", stdout=stdout)
    assert "\n7.5\n" in stdout.getvalue() and "label='x')" in stdout.getvalue() and x == [1, 2]


def test_a_label_is_never_given_to_another_node() -> None:
    stdout = io.StringIO()
    x, y = Value(1.4), Value(0.7, "x")
    E = x * y
    debug(E, "w; p x", stdout=stdout)
    assert "E = v1 * x" in stdout.getvalue() and "label='x')" in stdout.getvalue()
    assert x.label is None and y.label == "x"


def test_check_shows_the_same_names() -> None:
    stdout = io.StringIO()
    a, loud = Value(0.0), Value(2.5)
    E = a.relu() * loud
    debug(E, "end; check a; check", stdout=stdout)
    assert "∂E/∂a = 0, nudged 1.25: kink" in stdout.getvalue()
    assert (
        stdout.getvalue().count("∂E/∂a") == 2
        and "v1" not in stdout.getvalue().partition("(grad) check\n")[2].splitlines()[1]
    )


@pytest.mark.parametrize("name", ["n", "w", "c"])
def test_a_variable_of_a_verbs_name_leaves_the_verb_and_is_told_of(name: str) -> None:
    stdout = io.StringIO()
    run: dict[str, object] = {name: 3, "E": Value(1.4, "x") * 2.5, "debug": debug, "stdout": stdout}
    exec(f"debug(E, ['{name}', 'p {name}'], stdout=stdout)", run)
    assert f"p {name} shows the name\n" in stdout.getvalue() and stdout.getvalue().endswith("\n3\n")


def test_a_frame_is_no_longer_held_when_the_prompt_is_left() -> None:
    import weakref

    class Held:
        pass

    def program() -> weakref.ref[Held]:
        held = Held()
        debug(Value(1.4, "x") * 2.5, "n", stdout=io.StringIO())
        return weakref.ref(held)

    assert program()() is None


def test_the_command_lines_expressions_know_no_program(capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            "step",
            "x*w",
            "x=1.4",
            "w=0.7",
            "-c",
            "p given",
            "-c",
            "p names",
            "-c",
            "p argv",
            "-c",
            "p sys",
            "-c",
            "p E.data",
        ]
    )
    said = capsys.readouterr().out
    assert [f"name {name!r} is not defined" in said for name in ("given", "names", "argv", "sys")] == [True] * 4
    assert "\n0.98" in said or "0.9799999999999999" in said


def test_variables_of_a_step_are_the_steps() -> None:
    assert answer(Value(1.4, "x") * 2.5, "s 2", "p number, position") == "(2, 2)"
