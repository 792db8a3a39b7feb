"""The laws of to_jax: the same numbers as the engine's, and the census of the table's rows through JAX.

Points, oracles and measures are those of the table's own laws, in test_rules.py. JAX's machine code takes numbers
below the normal doubles for 0, so that operands, values and partials are normal ones here, or 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from mpmath import mp, mpf

from engine import DomainError, Value, derivative, hessian, operation, sqrt, topological_order, total
from tests.graphs import GRAPHS, Recipe, each_graph, recipes
from tests.oracle import ORACLES
from tests.tape.support import sizes
from tests.test_rules import (
    EDGES,
    OUTSIDE,
    ROWS,
    TOO_LARGE,
    Point,
    each_row,
    error_of,
    exact,
    fits,
    is_ordinary,
    points,
    report,
)

jax = pytest.importorskip("jax")
jnp = jax.numpy

from engine.readings.jax import to_jax  # noqa: E402

LEAST = 1e-304


@pytest.fixture(autouse=True, scope="module")
def double_precision() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def row_function(name: str, point: Point) -> Any:
    """The row's graph for JAX, a function of the operands."""
    rule, operands = ROWS[name], [Value(x) for x in point]
    return lambda numbers: to_jax(rule.apply(operands), inputs=operands)([], numbers)


def by_size(where: list[Point]) -> list[list[Point]]:
    sizes = sorted({len(point) for point in where})
    return [[point for point in where if len(point) == size] for size in sizes]


def computed(name: str, where: list[Point], transform: Callable[[Any], Any] = lambda f: f) -> dict[Point, Any]:
    """What the transformed function gives at each of the points, all in one call for those of one length."""
    found: dict[Point, Any] = {}
    for alike in by_size(where):
        # a graph is recorded where the engine has a value
        at = next(p for p in (*alike, *[(0.3,) * len(alike[0])]) if all(x == 0 or 1e-3 < abs(x) < 10 for x in p))
        results = jax.jit(jax.vmap(transform(row_function(name, at))))(jnp.array(alike))
        found |= dict(zip(alike, np.asarray(results).tolist(), strict=True))
    return found


def normal(x: Any) -> bool:
    """Is this 0, or a double from 1e-304 up, so that the factors it is made of aren't below the normal ones?"""
    return bool(x == 0 or abs(x) > LEAST) and fits(x)


def at_normal(name: str) -> list[Point]:
    """The census's points where operands and value are normal doubles."""
    oracle = ORACLES[name]
    operands = [(point, [mpf(x) for x in point]) for point in points(name)]
    return [point for point, o in operands if all(map(normal, o)) and normal(oracle.value(o))]


@each_row
def test_values_are_right_to_1e_12(name: str) -> None:
    oracle, wrong = ORACLES[name], []
    for point, got in computed(name, at_normal(name)).items():
        o = [mpf(x) for x in point]
        true = oracle.value(o)
        error = error_of(got, true, max(abs(true), oracle.scale(o)), 1e-12)
        if error > 1e-12:
            wrong.append((error, f"{name}{point} = {got!r}, true {mp.nstr(true, 17)}: {error:.1e}"))
    report(wrong)


@each_row
def test_partials_are_right_to_1e_12(name: str) -> None:
    oracle, wrong = ORACLES[name], []
    for point, slopes in computed(name, at_normal(name), jax.grad).items():
        o = [mpf(x) for x in point]
        for slot, got in enumerate(slopes):
            true, largest = exact(oracle.first(o, slot))
            at = f"{name}{point} by operand {slot}: {got!r}, true {mp.nstr(true, 17)}"
            if not abs(true) <= 1.7e308:
                if math.isfinite(got):
                    wrong.append((math.inf, at))
            elif normal(true):
                error = error_of(got, true, largest, 1e-12)
                if error > 1e-12:
                    wrong.append((error, f"{at}: {error:.1e}"))
    report(wrong)


@each_row
def test_second_derivatives_are_right_to_1e_9(name: str) -> None:
    oracle, wrong = ORACLES[name], []
    where = [point for point in at_normal(name) if is_ordinary(point) and len(point) <= 5]
    for point, rows in computed(name, where, jax.hessian).items():
        o, slots = [mpf(x) for x in point], range(len(point))
        firsts = [exact(oracle.first(o, i))[0] for i in slots]
        for i, j in product(slots, slots):
            true, largest = exact(oracle.second(o, i, j)) if all(map(normal, firsts)) else (mp.nan, 0)
            if normal(true):
                error = error_of(rows[i][j], true, largest, 1e-9)
                if error > 1e-9:
                    wrong.append((error, f"{name}{point} by {i}, {j}: {rows[i][j]!r}, true {mp.nstr(true, 17)}"))
    report(wrong)


THIRD: dict[str, list[Point]] = {
    "pow": [(0.8, 1.7), (2.3, -0.6)],
    "term": [(0.8, 1.7, -0.4)],
    "acosh": [(1.6,), (2.7,)],
}


@each_row
def test_third_derivatives_are_the_engines_to_1e_9(name: str) -> None:
    size = 3 if ROWS[name].many else len(ROWS[name].operands)
    where = THIRD.get(name, [point[:size] for point in ((0.37, -0.6, 1.3), (0.81, 1.9, -0.7))])
    thirds = computed(name, where, lambda f: jax.jacfwd(jax.hessian(f)))
    for point, got in thirds.items():
        operands = [Value(x) for x in point]
        z = ROWS[name].apply(operands)
        for i, second_rows in enumerate(hessian(z, operands)):
            for j, second in enumerate(second_rows):
                expected = [derivative(second, operand).data for operand in operands]
                assert got[i][j] == pytest.approx(expected, rel=1e-9, abs=1e-12), (point, i, j)


# -- graphs


def at_point(leaves: list[Value]) -> Any:
    return jnp.array([leaf.data for leaf in leaves])


def check_graph(E: Value, leaves: list[Value]) -> None:
    """Value to 1e-12 and gradient to 1e-9, each times its condition; the leaves are a row."""
    order = topological_order(E)
    reached = [leaf for leaf in leaves if leaf in order]
    f = to_jax(E, reached)
    value, slopes = jax.value_and_grad(f, argnums=1)(jnp.zeros(0), at_point(reached))
    E.zero_grad()
    E.backward()
    condition = sum(size * abs(node.data) for node, size in zip(order, sizes(E, order), strict=True))
    assert abs(float(value) - E.data) <= 1e-12 * condition
    for slope, leaf, size in zip(slopes.tolist(), reached, sizes(E, reached), strict=True):
        assert abs(slope - leaf.grad) <= 1e-9 * size, leaf


@each_graph
def test_graphs_have_the_engines_value_and_gradient(make: Callable[[], tuple[Value, list[Value]]]) -> None:
    check_graph(*make())


@given(recipes())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_random_graphs_have_the_engines_value_and_gradient(recipe: Recipe) -> None:
    try:
        E, leaves = recipe.build()
        E.backward()
    except DomainError:
        return
    check_graph(E, leaves)


@pytest.mark.parametrize("name", ["diamond", "square", "log_sum_exp", "polar", "product_of_three", "beside_the_kinks"])
def test_hessians_of_graphs_are_the_engines(name: str) -> None:
    E = GRAPHS[name]()[0]
    got = jax.jit(jax.hessian(to_jax(E)))(at_point(to_jax(E).parameters))
    expected = [[second.data for second in row] for row in hessian(E, to_jax(E).parameters)]
    assert np.asarray(got) == pytest.approx(np.array(expected), rel=1e-9, abs=1e-12)


def test_parameters_are_those_of_the_tape_and_rows_in_the_order_given() -> None:
    from engine import Tape

    E, leaves = GRAPHS["neuron"]()
    inputs = [leaves[2], leaves[0]]
    f, tape = to_jax(E, inputs), Tape(E, inputs)
    assert f.parameters == tape.parameters
    batch = np.array([[0.3, -0.8], [1.9, 0.4], [-0.2, 0.7]])

    def mean(parameters: Any) -> Any:
        return jax.vmap(f, (None, 0))(parameters, batch).mean()

    value, slopes = jax.jit(jax.value_and_grad(mean))(at_point(f.parameters))
    expected, gradient = tape.value_and_gradient(batch)
    assert float(value) == pytest.approx(expected, rel=1e-12)
    assert np.asarray(slopes) == pytest.approx(gradient, rel=1e-12)


def test_a_constant_exponent_is_not_differentiated_beside_a_variable_one() -> None:
    """By the exponent of a negative base there is no derivative, and none is asked for."""
    x, y = Value(0.7, "x"), Value(1.4, "y")
    E = (-1.3 * x) ** 3.0 + (1.1 * x) ** y
    f = to_jax(E)
    got = jax.hessian(f)(at_point(f.parameters))
    expected = [[second.data for second in row] for row in hessian(E, f.parameters)]
    assert np.asarray(got) == pytest.approx(np.array(expected), rel=1e-9)


def test_a_leaf_alone_and_a_graph_of_constants_and_one_leaf() -> None:
    x = Value(0.7)
    assert float(to_jax(x)([0.4])) == float(to_jax(x, [x])([], [0.4])) == 0.4
    assert float(to_jax(2.5**x - x / 0.3)([0.4])) == pytest.approx(2.5**0.4 - 0.4 / 0.3, rel=1e-15)


def test_an_operation_of_ones_own_is_read_as_the_tables_are() -> None:
    lean = operation("lean", "relu(x) + 0.3 * tanh(x)**2", "step(x) + 0.6 * tanh(x) * sech(x)**2")
    x = Value(0.7)
    E = lean(x * 1.3)
    f = to_jax(E)
    for order in range(4):
        assert float(f(jnp.array([0.7])) if order == 0 else f(0.7)) == pytest.approx(E.data, rel=1e-12)
        E = derivative(E, x)
        f = jax.grad(f if order else lambda x, f=f: f(jnp.array([x])))
    assert math.isnan(to_jax(lean(sqrt(x)))([-0.7]))  # relu doesn't hide it


def test_a_wide_graph_takes_as_many_steps_as_it_is_deep() -> None:
    def steps(width: int) -> int:
        xs = [Value(0.3 + i / 100) for i in range(width)]
        hidden = [total([x * (0.2 + j / 10) for x in xs]).tanh() for j in range(width)]
        return len(to_jax(total(hidden), xs).groups)

    assert steps(3) == steps(30) == 4


def test_one_graph_can_be_mapped_over_parameters_too() -> None:
    E = GRAPHS["diamond"]()[0]
    f = to_jax(E)
    grid = jnp.array([[0.7, -1.3], [0.2, 0.9]])
    assert np.asarray(jax.vmap(f)(grid)) == pytest.approx([float(f(point)) for point in grid], rel=1e-15)


# -- outside a domain, and at its edge


@pytest.mark.parametrize(("name", "point"), OUTSIDE + TOO_LARGE, ids=str)
def test_outside_a_domain_a_graph_is_nan_and_no_derivative_is_a_number(name: str, point: Point) -> None:
    inside = {"acosh": (1.5,), "asin": (0.5,), "acos": (0.5,), "atanh": (0.5,), "circ": (0.5,)}
    f = row_function(name, inside.get(name, (0.6, 0.7, 0.8)[: len(point)]))
    numbers = jnp.array(point)
    assert math.isnan(f(numbers))
    assert not np.isfinite(jax.grad(f)(numbers)).any()


@each_row
def test_nan_comes_through_every_row(name: str) -> None:
    """So that a graph is NaN wherever a node is, whatever choices follow."""
    size = 3 if ROWS[name].many else len(ROWS[name].operands)
    f = row_function(name, (1.0,) * size if name != "atanh" else (0.5,))
    for slot in range(size):
        for other in (0.0, 1.0):
            for wrong in (math.nan, math.inf):
                assert math.isnan(f(jnp.full(size, other).at[slot].set(wrong)))


@pytest.mark.parametrize(("name", "point", "partials"), EDGES, ids=str)
def test_at_the_edge_of_a_domain_only_a_pass_that_needs_it_isnt_finite(
    name: str, point: Point, partials: Point
) -> None:
    operands = [Value(x) for x in point]
    E = ROWS[name].apply(operands)
    slopes = jax.grad(to_jax(3.0 * E))(jnp.array(point))
    assert [bool(np.isfinite(slope)) for slope in slopes] == [math.isfinite(partial) for partial in partials]
    assert jax.grad(to_jax(0.0 * E))(jnp.array(point)).tolist() == [0.0] * len(point)


def test_the_side_not_taken_is_not_asked_for_its_derivative() -> None:
    x, y = Value(0.0), Value(0.5)
    for E in (sqrt(x).relu() * 0.0 + y, 0.3 * (sqrt(x) - 1).relu() + y):
        assert jax.grad(to_jax(E))(at_point(to_jax(E).parameters)).tolist() == [
            0.0 if leaf is x else 1.0 for leaf in to_jax(E).parameters
        ]


# -- what is refused


def test_single_precision_is_refused_when_the_function_is_made_and_when_it_is_called() -> None:
    x = Value(0.7)
    f = to_jax(x * x)
    jax.config.update("jax_enable_x64", False)
    try:
        for refused in (lambda: to_jax(x * x), lambda: f([0.7])):
            with pytest.raises(RuntimeError, match="jax_enable_x64"):
                refused()
        assert not jax.config.jax_enable_x64
    finally:
        jax.config.update("jax_enable_x64", True)


def test_inputs_and_arrays_that_dont_fit_are_refused() -> None:
    x, w = Value(0.7, "x"), Value(1.3, "w")
    for inputs, complaint in (([x * w], "leaves"), ([x, x], "twice"), ([0.7], "leaves")):
        with pytest.raises(ValueError, match=complaint):
            to_jax(x * w, inputs)  # type: ignore[arg-type]
    f = to_jax(x * w, [x])
    assert repr(f) == "JaxFunction: 1 parameters, a row of 1, 1 steps"
    with pytest.raises(ValueError, match="parameters is an array of 1 numbers"):
        f([0.7, 0.8], [0.3])
    with pytest.raises(ValueError, match="row is an array of 1 numbers"):
        f([0.7])
    with pytest.raises(TypeError, match="float"):
        to_jax(0.7)  # type: ignore[arg-type]
