"""The laws that any tape keeps, however it is made: stated by what Tape gives, beside what the engine gives."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from engine import Tape, Value, operation, total

TWINS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {  # rows of one name, alike but for a formula
    "their partials": (operation("twin", "0.7 * x**2", "1.4 * x"), operation("twin", "0.7 * x**2", "1.3 * x")),
    "one partial": (operation("pair", "x * y", "y", "x"), operation("pair", "x * y", "y", "1.5 * x")),
    "their values": (operation("kin", "2.5 * x", "0.3"), operation("kin", "3.5 * x", "0.3")),
}
OPERANDS = {"their partials": 1, "one partial": 2, "their values": 1}


def bits(*numbers: float) -> list[str]:
    """The numbers so that two are equal only if all their bits are: 0.0 isn't -0.0."""
    return [float(number).hex() for number in numbers]


def eager(E: Value, leaves: list[Value]) -> list[str]:
    """E and its derivatives by the leaves, as backward() leaves them."""
    E.zero_grad()
    E.backward()
    return bits(E.data, *(leaf.grad if leaf.grad is not None else 0.0 for leaf in leaves))


def taped(tape: Tape, batch: Any = None) -> list[str]:
    mean, gradient = tape.value_and_gradient(batch)
    return bits(mean, *gradient)


# -- two rows are two


def twins(x: Value, w: Value) -> list[Value]:
    """Both of each pair, at operands that depend on x and w."""
    return [row(*[w * x, w * 0.9][: OPERANDS[differ]]) for differ, pair in TWINS.items() for row in pair]


def test_twins_differ_by_what_they_are_named_for() -> None:
    slopes = [eager(node, [w]) for x, w in [(Value(1.7), Value(0.8))] for node in twins(x, w)]
    for (value, slope), (other_value, other_slope) in zip(slopes[::2], slopes[1::2], strict=True):
        assert (value != other_value) ^ (slope != other_slope)


def test_rows_that_differ_in_any_formula_share_no_code() -> None:
    """In one graph, where they stand side by side, for one sample and for many."""
    x, w = Value(1.7), Value(0.8)
    E = total(twins(x, w))
    tape = Tape(E, [x])
    assert taped(tape, [[1.7]]) == eager(E, tape.parameters)
    whole = Tape(E)
    assert taped(whole) == eager(E, whole.parameters)


def test_a_tape_is_its_own_row_whatever_tape_there_was_before() -> None:
    for row in TWINS["their partials"]:
        x, w = Value(1.7), Value(0.8)
        E = row(w * x)
        assert taped(Tape(E, [x]), [[1.7]]) == eager(E, [w])


# -- zeros of either sign

ZEROS: dict[str, Callable[[Value, Value, Value], Value]] = {
    "products": lambda a, b, c: a * -0.0 * b * 0.0 * c,
    "sums": lambda a, b, c: total([a * b, 0.5 * c]) * -1.5,
}


@pytest.mark.parametrize("make", ZEROS.values(), ids=ZEROS)
def test_a_tape_keeps_the_sign_of_a_zero_as_the_engine_does(make: Callable[[Value, Value, Value], Value]) -> None:
    """E, its mean and its gradient, at every choice of 0.0, -0.0 and a number for the three leaves."""
    a, b, c = leaves = [Value(1.5, name) for name in "abc"]
    E = make(a, b, c)
    whole, tape = Tape(E), Tape(E, [b, c])
    for point in product((0.0, -0.0, 1.5), repeat=3):
        for leaf, number in zip(leaves, point, strict=True):
            leaf.data = number
        E = make(a, b, c)
        assert taped(whole) == eager(E, whole.parameters), point
        assert taped(tape, [point[1:]]) == eager(E, tape.parameters), point
        assert bits(*tape.values([point[1:]] * 3)) == bits(E.data) * 3, point
