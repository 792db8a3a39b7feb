"""The functions that a tape computes for many samples at once, against mpmath over a census of the doubles."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from engine import Value
from engine.tape.tape import Tape
from tests.graphs import ROWS

EDGES = [0.0, 5e-324, 1e-310, 2**-1022, 1e-160, 1e-9, 0.3465, 0.347, 0.62499, 0.625, 1.0, 2.0, 18.7, 20.0, 36.0, 40.0,
         354.0, 355.1, 371.9, 372.5, 375.0, 700.0, 707.9, 708.5, 709.7, 740.0, 744.0, 745.1, 746.0, 1e3, 1e8, 1e100,
         1e300, 1.7e308]  # fmt: skip


def census(seed: str, count: int = 3000) -> list[float]:
    """Doubles of all sizes and both signs, most where functions turn, and the edges."""
    rng = Random(seed)
    sizes = [10 ** rng.uniform(-320, 308) for _ in range(count // 4)] + [rng.uniform(0, 3) for _ in range(count // 2)]
    sizes += [rng.uniform(0, 760) for _ in range(count // 4)] + EDGES
    return [sign * size for size in sizes for sign in (1, -1)]


def sigma(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x))


Law = tuple[Callable[[mpf], Any], float, Callable[[mpf], Any], float]
LAWS: dict[str, Law] = {  # the value, how many units of the last place it may be off; the slope, and how many it may
    "exp": (mpmath.exp, 1.0, mpmath.exp, 1.0),
    "tanh": (mpmath.tanh, 1.6, lambda x: mpmath.sech(x) ** 2, 5.0),
    "sigmoid": (sigma, 1.6, lambda x: sigma(x) * sigma(-x), 5.0),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)) if x < 0 else x + mpmath.log1p(mpmath.exp(-x)), 1.6, sigma, 1.6),
    "silu": (lambda x: x * sigma(x), 2.5, lambda x: (sigma(x), x * sigma(x) * sigma(-x)), 5.0),
}


def off(got: float, true: Any) -> float:
    """By how many units of the last place of what is true, or of the largest of its terms."""
    terms = true if isinstance(true, tuple) else (true,)
    unit = math.ulp(float(max(map(abs, terms))))
    return abs(float((mpf(got) - sum(terms)) / mpf(unit)))


@pytest.mark.parametrize("name", LAWS)
def test_a_function_is_right_to_the_last_places(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, of_value, slope, of_slope = LAWS[name]
    x, w = Value(0.5, "x"), Value(-0.0, "w")  # w + x is x, and the slope by w is the function's
    tape = Tape(ROWS[name].apply([w + x]), [x])
    monkeypatch.setattr(tape, "_eagerly", None)  # which would mend what isn't finite
    with mpmath.workprec(200):
        inside = [number for number in census(name) if abs(value(mpf(number))) < 1.79e308]
        if name == "silu":  # x times a subnormal sigmoid, here as in the engine
            inside = [number for number in inside if number > -700]
        batch = np.array(inside)[:, None]
        values, slopes = tape.values(batch), tape.gradients(batch)[:, 0]
        for number, got, steep in zip(inside, values.tolist(), slopes.tolist(), strict=True):
            assert off(got, value(mpf(number))) <= of_value, number
            assert off(steep, slope(mpf(number))) <= of_slope, number
            if got == 0.0 and number == 0.0:
                assert math.copysign(1.0, got) == math.copysign(1.0, ROWS[name].apply([number]))


def test_the_measure_can_fail() -> None:
    assert off(1.0 + 2**-51, mpf(1)) == 2.0
    assert off(1.0, (mpf(2), mpf(-1))) == 0.0 and off(1.5, (mpf(2), mpf(-1))) == 0.5 / 2**-51


@pytest.mark.parametrize("seed", range(3))
def test_a_length_is_right_to_the_last_places_however_large(seed: int) -> None:
    x, y, w = Value(0.5), Value(0.7), Value(1.0)
    tape, rng = Tape(ROWS["hypot"].apply([x, y]) * w, [x, y]), Random(seed)
    batch = [[10 ** rng.uniform(-320, 307) for _ in "xy"] for _ in range(500)]
    batch += [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(500)] + [[0.0, 0.0], [5e-324, 5e-324], [0.0, -1e308]]
    with mpmath.workprec(200):
        for (a, b), length in zip(batch, tape.values(batch).tolist(), strict=True):
            assert off(length, mpmath.hypot(mpf(a), mpf(b))) <= 1.6, (a, b)


def test_a_square_is_exact_and_other_powers_are_libms() -> None:
    x, w = Value(0.5), Value(1.0)
    numbers = [Random(4).uniform(-30, 30) for _ in range(100)] + [-0.0, 1e160 * 0.5]
    for power in (2.0, 1.0, 3.0, 4.0, -1.0):
        inside = [[number] for number in numbers if power > 0 or number != 0.0]
        inside = [row for row in inside if abs(row[0]) < 31]
        assert Tape(x**power * w, [x]).values(inside).tolist() == [math.pow(number, power) for [number] in inside]
