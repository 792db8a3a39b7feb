"""The live page: what JavaScript computes and says with other numbers is what the engine computes and says there.

The page's own scripts run in Node, and every text, colour and width is compared with a film of the replayed graph.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as configured

from engine import DomainError, Stepper, Value, film, operation, replay
from engine.calculus import gradient
from engine.order import topological_order
from engine.pictures.film import Film, _asset
from engine.readings.javascript import numbers
from engine.steps.compare import FEWEST, MOST, TOLERANCE, rounds_to
from engine.steps.passes import MISTAKES
from tests.graphs import GRAPHS, Built, Recipe, each_graph, fan_out, neuron, recipes
from tests.readings.node import run

NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e[-+]\d+)?|inf\b|nan\b)|[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
TURN = """
return given.settings.map(leaves => {
    try { computed(leaves); } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return { error: error.message };
    }
    return { says: says(), V };
});"""


def turned(made: Film, settings: list[list[float]]) -> Any:
    """What the page says at each setting of the leaves, in topological order."""
    assert made.live is not None
    scripts = [numbers(), f"const table = {made.live.functions};", "const film = given.film;", _asset("live.js"), TURN]
    return run("\n".join(scripts), {"film": json.loads(json.dumps(made._data())), "settings": settings})


def leaves(E: Value) -> list[Value]:
    return [node for node in topological_order(E) if node.rule is None]


def settings(E: Value, count: int, seed: int = 0) -> list[list[float]]:
    """Near the leaves' numbers, of other signs, whole, and zero."""
    random, now = Random(seed), [leaf.data for leaf in leaves(E)]
    found = [now, [0.0] * len(now), [1.0] * len(now), [-2.0] * len(now)]
    found += [[x * random.uniform(0.5, 1.5) for x in now] for _ in range(count // 2)]
    return found + [[x + random.choice([-3, -0.7, 0, 0.4, 2.5]) for x in now] for _ in range(count - len(found))]


def alike(got: Any, expected: Any, where: str = "") -> None:
    """The same nest of texts, but for the last digits of numbers written in full."""
    if isinstance(expected, dict):
        for key in expected:
            alike(got[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list | tuple):
        assert len(got) == len(expected), (where, got, expected)
        for i, each in enumerate(expected):
            alike(got[i], each, f"{where}[{i}]")
    elif isinstance(expected, str) and got != expected and not where.endswith("fill"):
        assert NUMBER.sub("#", got) == NUMBER.sub("#", expected), (where, got, expected)
        for one, other in zip(NUMBER.findall(got), NUMBER.findall(expected), strict=True):
            close = math.isclose(float(one), float(other), rel_tol=1e-9, abs_tol=1e-12)
            assert one == other or (len(other) > 8 and close) or where.endswith("width"), (where, got, expected)
    elif where.endswith("fill"):
        parts = [[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in (got, expected)]
        assert all(abs(a - b) <= 1 for a, b in zip(*parts, strict=True)), (where, got, expected)
    else:
        assert got == expected, (where, got, expected)


def check(make: Callable[[], Value], mistake: str | None, count: int) -> int:
    """Each setting in both; how many of them the engine could compute."""
    E = make()
    points = settings(E, count)
    made = film(Stepper(E, mistake=mistake) if mistake else E, live=True)
    good = 0
    for point, got in zip(points, turned(made, points), strict=True):
        try:
            there = replay(E, dict(zip(leaves(E), point, strict=True)))
            said = film(Stepper(there, mistake=mistake) if mistake else there, live=False).says
        except DomainError as error:
            assert got.get("error") == str(error), point
            continue
        assert "error" not in got, (point, got)
        for page, frame in zip(got["says"]["frames"], said["frames"], strict=True):
            keep_common_mistakes(page["ask"], frame["ask"])
        alike(got["says"], said)
        good += 1
    return good


def keep_common_mistakes(page: Any, said: Any) -> None:
    """A mistake that comes to no finite number anywhere is left out by the engine, and by the page where it does."""
    for ask, other in ((page, said), (said, page)):
        if ask:
            names = {name for name, _ in other["wrong"]}
            ask["wrong"] = [pair for pair in ask["wrong"] if pair[0] in names]


@each_graph
def test_every_text_is_the_engine_s_at_every_setting(make: Callable[[], Built]) -> None:
    assert check(lambda: make()[0], None, 12) > 1


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_pass_is_replayed(mistake: str) -> None:
    assert check(lambda: fan_out()[0], mistake, 8) > 3
    assert check(lambda: neuron()[0], mistake, 5) > 3


def test_an_operation_of_one_s_own_is_turned() -> None:
    cube, other = operation("cube", "x**3", "3*x**2"), operation("cube", "x**3 + x", "3*x**2 + 1")
    assert check(lambda: other(cube(Value(1.2, "x"))), None, 20) > 10


@each_graph
def test_a_hundred_settings_to_twelve_digits(make: Callable[[], Built]) -> None:
    agrees(make()[0])


@given(recipes())
@configured(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_hundred_settings_of_random_graphs_to_twelve_digits(recipe: Recipe) -> None:
    agrees(recipe.build()[0])


def agrees(E: Value) -> None:
    """To 1e-12 times the condition: how much a relative change of the leaves changes a number, beside the number."""
    points = settings(E, 100, seed=1)
    made = film(E, live=True)
    assert made.live is not None
    ends = {i: node["data"] for i, node in enumerate(made.live.data["nodes"])}
    for point, got in zip(points, turned(made, points), strict=True):
        try:
            there = replay(E, dict(zip(leaves(E), point, strict=True)))
            there.backward()
        except DomainError:
            continue
        for i, node in enumerate(topological_order(there)):
            assert abs(got["V"][ends[i]] - node.data) <= 1e-12 * (abs(node.data) + condition(node)), (point, i)
        gradients = final_gradients(made, got["V"])
        for w, got_gradient in zip(leaves(there), gradients, strict=True):
            scale = bending(there, w)
            assert abs(got_gradient - (w.grad or 0.0)) <= 1e-12 * (abs(w.grad or 0.0) + scale), (point, w)


ROUND = """
return given.pairs.map(([exact, typed]) => roundsTo(exact, typed));"""


def test_a_number_that_is_typed_is_right_where_compare_says_so() -> None:
    random = Random(3)
    exact = [random.uniform(-10, 10) * 10.0 ** random.randrange(-6, 7) for _ in range(400)] + [0.0, 1.0, -2.5, 0.3]
    pairs = [
        (x, float(f"{x * (1 + off):.{digits}g}")) for x in exact for digits in range(1, 9) for off in (0, 2e-3, 2e-4)
    ]
    pairs += [(0.99999999, 0.996), (-9.9999999, -9.96)]  # next to where the digits begin one place further left
    film = {"guess": False, "digits": {"fewest": FEWEST, "most": MOST, "tolerance": TOLERANCE}}
    got = run(f"const film = given.film;\n{_asset('quiz.js')}\n{ROUND}", {"film": film, "pairs": pairs})
    assert got == [rounds_to(*pair) for pair in pairs]
    assert 0.2 < sum(got) / len(got) < 0.8


def final_gradients(made: Film, V: list[float]) -> list[float]:
    """What the last step to write to each leaf leaves there."""
    assert made.live is not None
    walk = made.script.walk
    last = {walk.record.target(step): V[index] for step, index in enumerate(made.live.data["afters"])}
    return [last[leaf] for leaf in walk.order if leaf.rule is None]


def bending(E: Value, w: Value) -> float:
    """The condition of ∂E/∂w."""
    try:
        [slope] = gradient(E, [w])
    except DomainError:
        return math.inf
    return condition(slope) if isinstance(slope, Value) else 0.0


def condition(node: Value) -> float:
    """How much a relative change of its leaves changes a number."""
    found = leaves(node)
    try:
        slopes = gradient(node, found) if node.rule else []
    except DomainError:
        return math.inf
    numbers = [slope.data if isinstance(slope, Value) else slope for slope in slopes]
    return sum(abs(leaf.data * slope) for leaf, slope in zip(found, numbers, strict=False))


def test_names_with_marks_and_unbalanced_parentheses_are_turned() -> None:
    def make() -> Value:
        a, b = Value(1.5, "a)\U00013000("), Value(-0.5, "** -(b")
        return a * b - 2.5 * a

    assert check(make, None, 12) > 5


def test_the_page_at_its_own_numbers_says_what_it_says_without_javascript() -> None:
    for name in GRAPHS:
        E, _ = GRAPHS[name]()
        made = film(E, live=True)
        [got] = turned(made, [[leaf.data for leaf in leaves(E)]])
        alike(got["says"], made.says)
        assert all(len(frame["ask"]["wrong"]) > 5 for frame in got["says"]["frames"] if frame["ask"])


@pytest.mark.parametrize(
    ("make", "point"),
    [
        (lambda x: x.exp() * 2.0, 800.0),
        (lambda x: x.log() * 2.0, 0.0),
        (lambda x: 1.5 / x, 0.0),
        (lambda x: x * x * 1e300, 1e150),
        (lambda x: x.sqrt() * 2.5, 0.0),
        (lambda x: (x * 1e-300).sqrt() * (x * 1e10), -1.0),
        (lambda x: (x.sqrt() * 1e150) * 1e5, 1e-320),
    ],
)
def test_what_can_t_be_is_said_in_the_engine_s_sentence(make: Callable[[Value], Value], point: float) -> None:
    E = make(Value(0.7, "x"))
    [got] = turned(film(E, live=True), [[point]])
    with pytest.raises(DomainError) as error:
        film(replay(E, {leaves(E)[0]: point}))
    assert got["error"] == str(error.value)
