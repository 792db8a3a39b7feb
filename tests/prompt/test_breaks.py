"""Breaks and watches: where continue and reverse stop, on whichever way."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Stepper, Value
from tests.prompt.support import answer, answers, layered, neuron


def positions(E: Value, *commands: str) -> list[int]:
    return [int(found) for found in re.findall(r"^step (\d+) of", "\n".join(answers(E, *commands)), re.M)]


@pytest.mark.parametrize(
    ("stops", "forward"),
    [
        ("b E", [2, 8]),
        ("b v2", [4, 8]),
        ("b w", [7, 8]),  # a leaf: where its gradient is complete
        ("b op mul", [2, 7, 8]),
        ("b if contribution < 0", [3, 8]),
        ("b if input is w", [3, 7, 8]),
        ("b if node is s and before is None", [5, 6, 8]),
        ("watch w", [3, 7, 8]),
        ("watch E", [1, 8]),
    ],
)
def test_continue_stops_and_reverse_stops_at_the_same_steps(stops: str, forward: list[int]) -> None:
    E = neuron()
    assert positions(E, stops, *["c"] * len(forward)) == forward
    assert positions(E, stops, "end", *["cb"] * len(forward)) == [8, *reversed(forward[:-1]), 0]


def test_reverse_finds_the_last_writer() -> None:
    E = neuron()
    shown = answer(E, "watch w", "end", "cb")
    writer = Stepper(E).run().last_writer("w")
    assert writer is not None and f"step {writer.number} of" in shown
    assert shown.endswith("stopped by 1: watch w")


def test_at_the_start_nothing_has_stopped_it() -> None:
    last = Stepper(neuron()).steps[-1].input.label
    assert [text.splitlines()[-1] for text in answers(neuron(), f"watch {last}", "c", "cb")[1:]] == [
        "stopped by 1: watch x",
        "  · E.grad = ∂E/∂E = 1   None → 1",
    ]


def test_a_condition_without_an_answer_does_not_stop() -> None:
    shown = answer(neuron(), "b if before < 0", "c")
    assert "step 7 of 8" in shown  # the second contribution to w
    assert "1: if before < 0 had no answer at some steps: TypeError: '<' not supported" in shown
    again = answer(neuron(), "b if before < 0", "c", "sb", "c")  # from 6 to 7: of this move, not of the one before
    assert "step 7 of 8" in again and "no answer" not in again


def test_breaks_are_listed_and_cleared() -> None:
    shown = answers(neuron(), "b v2", "b op tanh", "watch x", "clear 2", "break", "clear", "break")
    assert shown[4].splitlines() == ["1: node v2", "3: watch x"]
    assert shown[3] == "cleared 2: op tanh"
    assert shown[6] == "there are no breaks"


def test_breaks_hold_after_set_and_mistake() -> None:
    E = neuron()
    assert positions(E, "watch w", "set w = 0.9", "c") == [0, 3]
    assert positions(E, "watch w", "mistake assign", "c") == [0, 3]
    assert positions(E, "watch x", "set s = 0.9", "c", "undo", "c") == [0, 4, 0, 8]  # x is not in the copy


@given(st.lists(st.sampled_from(["b w", "watch s", "b op mul", "b nope", "clear", "clear 1", "clear 2", "clear 3"])))
def test_a_number_is_never_given_twice(commands: list[str]) -> None:
    lines = "\n".join(answers(neuron(), *commands)).splitlines()
    given = [int(number) for number in re.findall(r"^(\d+): ", "\n".join(lines), re.M)]
    assert given == list(range(1, len(given) + 1))


def test_a_condition_on_a_node_that_is_cut_off_stops_nowhere() -> None:
    shown = answers(layered(), "b if abs(x#2.data) < 1", "set v4 = 0.9", "c", "undo", "c")
    assert "what if: E was" in shown[1] and "stopped" not in shown[2]
    assert shown[4].endswith("stopped by 1: if abs(x#2.data) < 1")


# -- conditions, and what else may be asked of a break


@pytest.mark.parametrize(
    ("stops", "forward"),
    [
        ("b s if s.grad > 0.6", [5, 8]),
        ("b s if s.grad > 1", [8]),
        ("b tanh", [4, 8]),
        ("b ta", [8]),  # no node, and no row's whole name
        ("b op tanh if s.grad is None", [8]),
        ("b op mul if number > 2", [7, 8]),
        ("watch s.grad", [4, 8]),
        ("watch w if position > 3", [7, 8]),
        ("watch w if w.grad > 0", [7, 8]),
        ("b if position == 5", [5, 8]),
        ("b if number in (2, 6)", [2, 6, 8]),
        ("break (E if 1 else s)", [2, 8]),
        ("b w if 1 if w.grad else 0", [7, 8]),
    ],
)
def test_a_place_may_have_a_condition(stops: str, forward: list[int]) -> None:
    assert positions(neuron(), stops, *["c"] * len(forward)) == forward


@pytest.mark.parametrize("kind", ["b", "tbreak", "watch"])
def test_the_listing_of_a_break_with_a_condition_is_what_was_typed(kind: str) -> None:
    shown = answers(neuron(), f"{kind} s if s.grad > 1", "info b")
    assert shown[0] == shown[1] == {
        "b": "1: node s if s.grad > 1",
        "tbreak": "1: node s if s.grad > 1   (once)",
        "watch": "1: watch s if s.grad > 1",
    }[kind]  # fmt: skip


def test_a_node_of_a_rows_name_is_the_node() -> None:
    assert answer((Value(1.4, "x") * 2.5).tanh() * Value(0.7, "tanh"), "b tanh") == "1: node tanh"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("b nope if 1", "no node is named 'nope'; there are w, x, v1, b, s, v2, E"),
        ("b s if nope > 1", "name 'nope' is not defined here; help break says what is"),
        ("b s if (", "'(' is no condition: '(' was never closed"),
        ("b if", "b if takes a condition, such as b if abs(contribution) > 10"),
        ("b op nope", "no node here is made by 'nope'; there are mul, add, tanh"),
        ("watch s.data", "no step changes s.data: a pass writes gradients, which watch NODE stops at"),
        ("watch op tanh", "watch takes a node: its name, or an expression; 'op tanh' isn't that"),
        ("tbreak", "tbreak takes a node, `op NAME` or `if CONDITION`; none was given"),
        ("ignore 1", "ignore takes the number of a break and a count; '1' isn't that"),
        ("ignore 7 2", "there is no break 7; b lists them"),
        ("condition 7 x", "there is no break 7; b lists them"),
        ("disable 7", "there is no break 7; b lists them"),
        ("commands 7", "there are no breaks"),
    ],
)
def test_what_is_no_break_is_told_in_a_sentence(line: str, said: str) -> None:
    assert answer(neuron(), line) == said


def test_a_tbreak_stops_once() -> None:
    assert positions(neuron(), "tbreak w", "watch w", *["c"] * 3, "start", *["c"] * 3) == [3, 7, 8, 0, 3, 7, 8]
    assert answer(neuron(), "tbreak w", "c", "info b") == "there are no breaks"


def test_disable_and_enable() -> None:
    E = neuron()
    assert positions(E, "watch w", "b s", "disable 1", "c", "c", "enable", "cb", "disable", "c") == [5, 8, 7, 8]
    shown = answers(E, "watch w", "b s", "disable 1 2", "enable 2")
    assert shown[2] == "1: watch w   (disabled)\n2: node s   (disabled)"
    assert shown[3] == "1: watch w   (disabled)\n2: node s"


def test_ignore_passes_a_break_by() -> None:
    shown = answers(neuron(), "watch w", "ignore 1 1", "info b", "c", "info b")
    assert shown[1:3] == ["1: watch w is passed by the next 1 time", "1: watch w   (the next 1 time ignored)"]
    assert shown[3].startswith("step 7 of 8") and shown[4] == "1: watch w   (met 2 times)"


def test_a_condition_may_come_later_and_go() -> None:
    shown = answers(neuron(), "watch w", "condition 1 w.grad > 0", "c", "condition 1", "start", "c")
    assert shown[1] == "1: watch w if w.grad > 0" and shown[3] == "1: watch w"
    assert shown[2].startswith("step 7 of 8") and shown[5].startswith("step 3 of 8")
    assert answer(neuron(), "watch w", "condition 1 nope", "info b") == "1: watch w"
    assert answer(neuron(), "b if number > 2", "condition 1").startswith("1 is nothing but its condition; clear 1 ")


def test_a_breaks_commands_run_where_it_stops() -> None:
    lines = ["watch w", "commands", "silent", "p w.grad", "c", "p 'not reached'", "end", "info b"]
    shown = answers(neuron(), *lines, "c")
    assert shown[-2] == "1: watch w   (runs silent; p w.grad; c; p 'not reached')"
    assert shown[-1].splitlines()[:2] == ["-0.3095069212126386", "0.5766144351944056"]
    assert shown[-1].splitlines()[2].startswith("step 8 of 8") and "not reached" not in shown[-1]
    one_line = answers(neuron(), "watch w; commands; p w.grad; end; c")[0]
    assert one_line.endswith("stopped by 1: watch w\n-0.3095069212126386")
    assert "-0.3095" not in answer(neuron(), "watch w", "commands", "p w.data", "end", "commands", "end", "info b")


def test_commands_of_many_stops_are_no_recursion() -> None:
    E = x = Value(0.3, "x")
    for _ in range(3_000):
        E = E * 1.0001 + x
    shown = answer(E, "watch x", "commands 1", "silent", "c", "end", "c")
    assert shown == "note: this is the end"  # where the last of 3,000 stops was, and went on from


def test_a_condition_holds_on_another_graph() -> None:
    assert positions(neuron(), "watch w if w.data > 0.8", "set w = 0.9", "c", "undo", "c") == [0, 3, 0, 8]
