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
        "    E.grad = ∂E/∂E = 1   None → 1",
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
