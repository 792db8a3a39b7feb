"""The laws of demos/gradient_descent.py: what a derivative says about nearby points, and where descent ends."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from demos import gradient_descent as demo
from demos.gradient_descent import approximation_errors, descend, descend_in_many, f, f_of_many, nabla, slope
from engine import Value

POINTS = (-2.9, -1.3, -0.41, 0.37, 1.36, 2.7)
PLACES = ((-2.3, 1.7), (0.45, -1.9), (1.85, 0.65))


# -- the oracle: f and its derivatives by hand, in NumPy


def oracle(x: float) -> tuple[float, float, float]:
    """f, f' and f'' at x."""
    angle = 1.7 * x + 0.6
    return (
        0.14 * x**2 + np.cos(angle),
        0.28 * x - 1.7 * np.sin(angle),
        0.28 - 1.7**2 * np.cos(angle),
    )


def oracle_of_many(x: float, y: float) -> tuple[float, np.ndarray[Any, Any]]:
    """f(x1, x2) and its gradient."""
    value, first, _ = oracle(x)
    off = y - 0.45 * x**2 + 0.8
    return value + 0.35 * off**2, np.array([first - 0.7 * off * 0.9 * x, 0.7 * off])


def root(low: float, high: float) -> float:
    """Where f' is 0, by bisection."""
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if oracle(middle)[1] > 0 else (middle, high)
    return low


MINIMA = (root(-2.5, -1.5), root(1.0, 2.0))


# -- functions and slopes


@pytest.mark.parametrize("x", POINTS)
def test_f_is_one_function_over_floats_and_values(x: float) -> None:
    assert type(f(x)) is float
    assert f(Value(x)).data == f(x) == pytest.approx(oracle(x)[0], rel=1e-14)


@pytest.mark.parametrize("x", POINTS)
def test_slope_is_the_derivative(x: float) -> None:
    assert slope(f, x) == pytest.approx(oracle(x)[1], rel=1e-12)


@pytest.mark.parametrize("place", PLACES)
def test_nabla_is_the_gradient(place: tuple[float, float]) -> None:
    value, gradient = oracle_of_many(*place)
    assert f_of_many(place) == pytest.approx(value, rel=1e-14)
    assert nabla(f_of_many, place) == pytest.approx(gradient, rel=1e-12)


def test_nabla_is_0_along_a_variable_that_does_not_matter() -> None:
    assert nabla(lambda x: x[0] ** 3, [1.5, 7.3]) == [6.75, 0.0]


# -- the linear approximation


@pytest.mark.parametrize("x", POINTS)
def test_a_quadratic_leaves_its_square_term_exactly(x: float) -> None:
    epsilons = [1.6, 0.8, 0.4, 0.2]
    errors = approximation_errors(lambda x: 1.7 * x**2 - 2.3 * x + 0.9, x, epsilons)
    assert errors == pytest.approx([1.7 * epsilon**2 for epsilon in epsilons], rel=1e-12)
    assert [a / b for a, b in pairwise(errors)] == pytest.approx([4.0] * 3, rel=1e-12)


@pytest.mark.parametrize("x", POINTS)
def test_the_error_is_half_epsilon_squared_times_the_second_derivative(x: float) -> None:
    for epsilon in (0.3, 0.03, 0.003, -0.03):
        [error] = approximation_errors(f, x, [epsilon])
        rest = abs(error - epsilon**2 / 2 * oracle(x)[2])
        assert rest <= 1.7**3 / 6 * abs(epsilon) ** 3 + 1e-15  # Taylor's bound: |f'''| <= 1.7³


def test_the_printed_errors_fall_by_four(capsys: pytest.CaptureFixture[str]) -> None:
    demo.print_approximation()
    ratios = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()[4:]]
    distances = [ratio - 4 for ratio in ratios]
    assert len(ratios) == 8 and 0 < distances[-1] < 0.02
    for before, after in pairwise(distances[-4:]):
        assert before / after == pytest.approx(2, rel=0.05)  # what is above 4 is in proportion to ε


# -- descent


@pytest.mark.parametrize(("start", "end"), list(zip(demo.X_START, MINIMA, strict=True)))
def test_descent_takes_the_oracles_steps_down_to_a_local_minimum(start: float, end: float) -> None:
    path = descend(f, start)
    by_hand = [start]
    for _ in range(demo.STEPS):
        by_hand.append(by_hand[-1] - demo.RATE * oracle(by_hand[-1])[1])
    assert path == pytest.approx(by_hand, rel=1e-12)
    assert path[-1] == pytest.approx(end, rel=1e-12)
    assert oracle(end)[2] > 0
    heights = [f(x) for x in path]
    assert all(after <= before + 1e-15 for before, after in pairwise(heights))


@pytest.mark.parametrize(("start", "x1"), list(zip(demo.POINT_START, MINIMA, strict=True)))
def test_descent_in_many_variables_takes_the_oracles_steps_down_to_a_local_minimum(
    start: list[float], x1: float
) -> None:
    path = descend_in_many(f_of_many, start)
    point = np.array(start)
    for place in path:
        assert place == pytest.approx(point, rel=1e-12, abs=1e-13)
        point = point - demo.RATE * oracle_of_many(*point)[1]
    assert path[0] == start and len(path) == demo.POINT_STEPS + 1
    assert path[-1] == pytest.approx([x1, 0.45 * x1**2 - 0.8], rel=1e-9)
    heights = [f_of_many(place) for place in path]
    assert all(after <= before + 1e-15 for before, after in pairwise(heights))


def test_the_two_starts_end_in_two_minima() -> None:
    assert MINIMA[1] - MINIMA[0] > 3
    assert f(MINIMA[1]) < f(MINIMA[0]) - 0.3


def test_the_other_direction_climbs() -> None:
    path = descend(f, demo.X_START[0], rate=-demo.RATE, steps=3)
    assert [f(x) for x in path] == sorted(f(x) for x in path)


# -- the picture


def test_picture_is_the_same_svg_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, second = (demo.picture(tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second
    ElementTree.fromstring(first)
    text = first.decode().lower()
    assert "#0072b2" in text and "#d55e00" in text and "dc:date" not in text and "#ffffff" not in text


def test_report_is_narrow_and_makes_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    demo.main()
    assert (tmp_path / "out" / "gradient_descent.svg").is_file()
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_without_matplotlib_the_rest_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    demo.main()
    report = capsys.readouterr().out
    assert "Two local minima" in report and 'pip install "stepgrad[plot]"' in report
    assert not (tmp_path / "out").exists()
