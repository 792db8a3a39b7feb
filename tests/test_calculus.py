"""The laws of calculus on graphs: reverse mode = forward mode = mpmath, derivatives of derivatives, replay, gradcheck.

Over the graphs with names and over random ones. An error is measured against the sum of the absolute contributions of
all paths from E to the leaf, which is what rounding acts on where paths cancel.
"""

from __future__ import annotations

import functools
import math
import random
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import combinations, combinations_with_replacement
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mpf

from engine import (
    DomainError,
    Value,
    atan2,
    clip,
    derivative,
    detach,
    exp,
    floor,
    gradcheck,
    gradient,
    greater,
    hessian,
    jvp,
    leaky_relu,
    log,
    maximum,
    minimum,
    operation,
    relu,
    replay,
    share,
    sin,
    tan,
    tanh,
    topological_order,
    total,
    unit,
)
from engine.operations import FUNCTIONS, make
from engine.rules import TABLE, Rule
from engine.text.names import display_names
from tests.graphs import GRAPHS, KINKED, SMOOTH, Built, Recipe, each_graph, each_smooth_graph, odd_numbers, recipes
from tests.oracle import ORACLES

laws = settings(max_examples=120, deadline=None, derandomize=True)
KINKED_ROWS = {"relu", "leaky_relu", "abs", "maximum", "minimum", "step", "sign", "greater"}
KINKED_ROWS |= {"elu", "clip", "floor", "mod"}


# -- the measures


def true_value(E: Value, point: dict[Value, Any]) -> Any:
    """The same graph in mpmath, 60 digits, by the oracles, with these numbers (or its own) for its leaves."""
    values: dict[Any, Any] = {}
    for node in topological_order(E):
        operands = [values[input] if type(input) is Value else mpf(input) for input in node.inputs]
        values[node] = ORACLES[node.op].value(operands) if node.op else point.get(node, mpf(node.data))
    return values[E]


def true_slope(E: Value, *by: Value) -> Any:
    """∂E/∂w or ∂²E/∂w∂v by central differences in 60 digits: right to more than 25."""
    step = mpf(10) ** -15

    def slope(point: dict[Value, Any], by: tuple[Value, ...]) -> Any:
        if not by:
            return true_value(E, point)
        w, *rest = by
        low, high = (point | {w: point.get(w, mpf(w.data)) + sign * step} for sign in (-1, 1))
        return (slope(high, tuple(rest)) - slope(low, tuple(rest))) / (2 * step)

    return slope({}, by)


def path_sizes(E: Value) -> dict[Any, float]:
    """For each node, the sum over all paths from E of |the product of the partials along it|."""
    order = topological_order(E)
    sizes: dict[Any, float] = dict.fromkeys(order, 0.0)
    sizes[E] = 1.0
    for node in reversed(order):
        for input, partial in zip(node.inputs, node.partials, strict=True):
            if partial is not None:
                sizes[input] += sizes[node] * abs(partial)
    return sizes


def assert_close(got: float, true: Any, size: float, tolerance: float = 1e-9) -> None:
    """The numbers differ by at most the tolerance, relative to size (and by what true_slope itself may be off)."""
    assert abs(mpf(got) - true) <= tolerance * size + 1e-25, f"got {got!r}, true {true}, of size {size!r}"


def reverse(E: Value, leaves: Sequence[Value]) -> list[float]:
    """The leaves' gradients by backward(); 0 where a leaf doesn't reach E, whose gradient stays None."""
    E.backward()
    return [leaf.grad or 0.0 for leaf in leaves]


def shape(E: Value) -> list[Any]:
    """Everything about a graph but the identity of its nodes."""
    order = topological_order(E)
    place: dict[Any, int] = {node: i for i, node in enumerate(order)}
    inputs = [[place[i] if type(i) is Value else ("constant", i) for i in node.inputs] for node in order]
    return [(node.op, node.label, node.data, node.grad, operands) for node, operands in zip(order, inputs, strict=True)]


def at_a_kink(E: Value, distance: float = 1e-9) -> bool:
    """Is a kinked row of the graph so near its kink that rounding (or a nudge) might decide on which side?"""
    for node in topological_order(E):
        if node.op in KINKED_ROWS:
            x, y, *c = [*(i.data if isinstance(i, Value) else i for i in node.inputs), 0.0]
            if node.op in ("floor", "mod"):  # at every whole quotient
                x, y = x / (y or 1.0), float(round(x / (y or 1.0)))
            if min(abs(p - q) for p, q in combinations([x, y, *c[:-1]], 2)) < distance:
                return True
    return False


def test_the_measures_can_fail() -> None:
    a, b = Value(1.4), Value(-0.3)
    with pytest.raises(AssertionError):
        assert_close(1.3 * (1 + 2e-9), mpf(1.3), 1.3)
    with pytest.raises(AssertionError):
        assert_close(1e-24, mpf(0), 0.0)
    with pytest.raises(AssertionError):
        assert_close(math.nan, mpf(1), 1.0)
    assert path_sizes(a * b - a * 0.5)[a] == 0.8
    assert abs(true_slope(a**3 * b, a, b) - 3 * mpf(1.4) ** 2) < 1e-25
    assert shape(a + b) != shape(b + a) and shape(a + 1.5) != shape(a + b)
    assert at_a_kink(relu(a - 1.4)) and not at_a_kink(relu(a))


# -- first derivatives


def check_first(E: Value, leaves: list[Value]) -> None:
    """Reverse mode, forward mode and the gradient as a graph are what mpmath finds."""
    sizes = path_sizes(E)
    by_graph = gradient(E, leaves)
    for leaf, backward, graph in zip(leaves, reverse(E, leaves), by_graph, strict=True):
        true, size = true_slope(E, leaf), sizes.get(leaf, 0.0)
        assert_close(backward, true, size)
        assert_close(jvp(E, {leaf: 1.0}), true, size)
        assert_close(graph.data, backward, size, 1e-12)


@each_smooth_graph
def test_reverse_is_forward_is_mpmath_on_graphs_with_names(make: Callable[[], Built]) -> None:
    check_first(*make())


@laws
@given(recipes())
def test_reverse_is_forward_is_mpmath(recipe: Recipe) -> None:
    E, leaves = recipe.build()
    assume(not at_a_kink(E))
    check_first(E, leaves)


def test_a_wrong_partial_is_found_out() -> None:
    E, [x, w] = GRAPHS["diamond"]()
    wrong: Any = next(node for node in topological_order(E) if node.op == "exp")
    wrong._dx *= 1 + 1e-8
    with pytest.raises(AssertionError):
        check_first(E, [x, w])


@laws
@given(recipes(), st.data())
def test_forward_mode_is_linear_in_its_tangents(recipe: Recipe, data: st.DataObject) -> None:
    E, leaves = recipe.build()
    tangents = data.draw(st.lists(odd_numbers, min_size=len(leaves), max_size=len(leaves)))
    sizes = path_sizes(E)
    expected = math.fsum(g * t for g, t in zip(reverse(E, leaves), tangents, strict=True))
    size = sum(sizes.get(leaf, 0.0) * abs(t) for leaf, t in zip(leaves, tangents, strict=True))
    assert_close(jvp(E, dict(zip(leaves, tangents, strict=True))), expected, size, 1e-12)


@each_graph
def test_the_kinks_too_have_one_derivative_in_every_mode(make: Callable[[], Built]) -> None:
    E, leaves = make()
    for leaf, backward, graph in zip(leaves, reverse(E, leaves), gradient(E, leaves), strict=True):
        assert_close(jvp(E, {leaf: 1.0}), backward, path_sizes(E)[leaf], 1e-12)
        assert_close(graph.data, backward, path_sizes(E)[leaf], 1e-12)


@pytest.mark.parametrize(
    "make, expected", [("kink_tie", [1.3 + 2.9 / 2 - 0.6 / 2, 2.9 / 2 - 0.6 / 2]), ("kink_at_zero", [-0.3, 0.3])]
)
def test_at_a_kink_the_convention_is_what_flows(make: str, expected: list[float]) -> None:
    E, leaves = KINKED[make]()
    assert reverse(E, leaves) == pytest.approx(expected, rel=1e-15)


@each_graph
def test_forward_mode_may_start_inside_the_graph(make: Callable[[], Built]) -> None:
    E, _ = make()
    E.backward()
    for node in topological_order(E):
        assert node.grad is not None
        assert_close(jvp(E, {node: 1.7}), 1.7 * node.grad, 1.7 * path_sizes(E)[node], 1e-12)
        assert_close(derivative(E, node).data, node.grad, path_sizes(E)[node], 1e-12)


@laws
@given(recipes())
def test_backward_twice_is_once_bit_by_bit(recipe: Recipe) -> None:
    E, _ = recipe.build()
    E.backward()
    once = [node.grad for node in topological_order(E)]
    E.zero_grad()
    assert all(node.grad is None for node in topological_order(E))
    E.backward()
    assert [node.grad for node in topological_order(E)] == once
    again, _ = recipe.build()
    again.backward()
    assert [node.grad for node in topological_order(again)] == once


# -- derivatives that do not reach


def test_what_does_not_reach_E_has_derivative_0() -> None:
    x, elsewhere = Value(1.3), Value(0.6)
    E = x * 2.1
    for w in (elsewhere, elsewhere * x, E * 1.5):
        zero = derivative(E, w)
        assert zero.data == 0 and jvp(E, {w: 1.7}) == 0
        assert derivative(zero, x).data == 0
    assert derivative(E, E).data == 1
    assert derivative(derivative(E, x), x).data == 0


def test_a_gradient_keeps_the_order_and_the_repetitions_it_was_asked_for() -> None:
    a, b, elsewhere = Value(1.3), Value(0.6), Value(9.9)
    assert [g.data for g in gradient(a * b, [b, a, elsewhere, b])] == [1.3, 0.6, 0.0, 1.3]
    assert gradient(a * b, []) == []


def test_taking_a_gradient_touches_no_grad() -> None:
    E, leaves = GRAPHS["neuron"]()
    leaves[0].grad = 4.2
    before = shape(E)
    hessian(E, leaves)
    jvp(E, {leaves[0]: 1.0})
    replay(E, {leaves[0]: 0.1})
    assert shape(E) == before


# -- derivatives of derivatives


def check_second(E: Value, leaves: list[Value]) -> None:
    """Each second derivative is mpmath's, and the matrix of them is symmetric."""
    firsts, matrix = gradient(E, leaves), hessian(E, leaves)
    sizes = [path_sizes(first) for first in firsts]
    for i, j in combinations_with_replacement(range(len(leaves)), 2):
        size = max(sizes[i].get(leaves[j], 0.0), sizes[j].get(leaves[i], 0.0))
        assert_close(matrix[i][j].data, true_slope(E, leaves[i], leaves[j]), size)
        assert_close(matrix[j][i].data, matrix[i][j].data, size, 1e-10)


@each_smooth_graph
def test_second_derivatives_are_mpmaths_on_graphs_with_names(make: Callable[[], Built]) -> None:
    check_second(*make())


@laws
@given(recipes(most=6))
def test_second_derivatives_are_mpmaths(recipe: Recipe) -> None:
    E, leaves = recipe.build()
    assume(not at_a_kink(E))
    check_second(E, leaves)


def test_a_wrong_second_derivative_is_found_out() -> None:
    wrong = operation("sin", "sin(x)", "1 - 0.5 * x**2")  # right at first, near enough to 0; its derivative isn't
    x = Value(1e-4)
    with pytest.raises(AssertionError):
        check_second(wrong(x) * 1.7, [x])


@pytest.mark.parametrize("order, expected", [(1, 5 * 1.3**4), (3, 60 * 1.3**2), (5, 120.0), (6, 0.0), (7, 0.0)])
def test_derivatives_go_on(order: int, expected: float) -> None:
    x = Value(1.3)
    y = x**5
    for _ in range(order):
        y = derivative(y, x)
    assert y.data == pytest.approx(expected, rel=1e-13)


def test_exp_is_its_own_derivative_and_sin_its_fourth() -> None:
    x = Value(0.7)
    y, z = exp(x), sin(x)
    for _ in range(4):
        y, z = derivative(y, x), derivative(z, x)
    assert (y.data, z.data) == pytest.approx((math.exp(0.7), math.sin(0.7)), rel=1e-15)


def test_backward_runs_through_a_gradient() -> None:
    """A loss may be made of a derivative: here |∂E/∂x|², by w."""
    x, w = Value(0.7), Value(-1.3)
    slope = derivative(tanh(x * w), x)
    (slope**2).backward()
    s = 1 - math.tanh(0.7 * -1.3) ** 2
    assert w.grad == pytest.approx(2 * (-1.3 * s) * (s - 2 * 0.7 * -1.3 * s * math.tanh(0.7 * -1.3)), rel=1e-12)


# -- replay


def check_replay(recipe: Recipe, numbers: tuple[float, ...]) -> None:
    """The graph replayed at other numbers is the graph built there, bit by bit, or both raise."""
    E, leaves = recipe.build()
    E.backward()
    before = shape(E)
    try:
        built, _ = recipe.build(numbers)
    except DomainError:
        with pytest.raises(DomainError):
            replay(E, dict(zip(leaves, numbers, strict=True)))
        return
    copy = replay(E, dict(zip(leaves, numbers, strict=True)))
    assert shape(copy) == shape(built)
    assert shape(E) == before
    assert not set(topological_order(copy)) & set(topological_order(E))


@laws
@given(recipes(), st.lists(odd_numbers, min_size=4, max_size=4))
def test_a_graph_replayed_elsewhere_is_the_graph_built_there(recipe: Recipe, numbers: list[float]) -> None:
    check_replay(recipe, tuple(numbers[: len(recipe.numbers)]))


@each_graph
def test_replay_without_changes_is_a_second_graph(make: Callable[[], Built]) -> None:
    E, _ = make()
    for i, node in enumerate(topological_order(E)):
        node.label = f"node {i}"
    assert shape(replay(E, {})) == shape(E)
    assert not set(topological_order(replay(E, {}))) & set(topological_order(E))


def test_replay_takes_the_leaves_present_data() -> None:
    x, w = Value(0.7), Value(-1.3)
    E = x * w
    x.data = 1.9
    assert replay(E, {}).data == 1.9 * -1.3
    assert replay(E, {w: 0.3}).data == 1.9 * 0.3


def test_a_value_put_in_by_replay_composes() -> None:
    x, u, v = Value(0.7), Value(1.9), Value(-0.4)
    E = sin(x) * x
    composed = replay(E, {x: u * v})
    assert composed.data == math.sin(1.9 * -0.4) * (1.9 * -0.4)
    inner, slope = 1.9 * -0.4, math.sin(1.9 * -0.4) + math.cos(1.9 * -0.4) * (1.9 * -0.4)
    assert reverse(composed, [u, v]) == pytest.approx([slope * -0.4, slope * 1.9], rel=1e-14)
    assert replay(E, {x: E}).data == math.sin(E.data) * E.data != inner
    assert x.grad is None


def test_replay_may_change_a_node_inside_and_then_needs_nothing_below_it() -> None:
    x, w = Value(0.7), Value(-1.3)
    s = x * w
    copy = replay(s.exp() + s, {s: 0.25})
    assert copy.data == math.exp(0.25) + 0.25
    assert [node.op for node in topological_order(copy)] == [None, "exp", "add"]


def test_replay_does_not_decide_a_python_if_again() -> None:
    x = Value(0.7)
    E = x * 3.1 if x > 0 else x * -9.9
    assert replay(E, {x: -0.7}).data == -0.7 * 3.1


@pytest.mark.parametrize("number", [0.0, -0.4])
def test_replay_outside_the_domain_is_the_error_of_building_there(number: float) -> None:
    x = Value(0.7, "x")
    with pytest.raises(DomainError, match=rf"log: log\(x\) is not defined at x = {number} \(x\); its domain: x > 0"):
        replay(log(x) * 2.5, {x: number})


# -- a derivative replayed is the derivative there


def moved(E: Value, changes: dict[Value, float]) -> Value:
    """The graph with those of the changes that it holds: a constant derivative holds no leaf."""
    nodes = set(topological_order(E))
    return replay(E, {node: number for node, number in changes.items() if node in nodes})


@pytest.mark.parametrize("start", [-0.7, 0.0, 0.7])
@pytest.mark.parametrize("end", [-1.9, 0.0, 1.9])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: relu(x) * sin(x),
        lambda x: relu(x) * 2.3,
        lambda x: abs(x) * exp(x) + abs(x),
        lambda x: leaky_relu(x * 1.1) ** 2,
        lambda x: maximum(x, 0.0) * x + maximum(x, -x),
        lambda x: minimum(x * x, x + 0.3) * 1.7,
        lambda x: relu(relu(x) - 0.4) * relu(-x + 1.0),
        lambda x: total([relu(x), -relu(-x), abs(x) * x]),
        lambda x: x**3 - 2.5 * x**2 + x * 0.5,
    ],
    ids=["relu·sin", "relu", "abs", "leaky_relu²", "maximum", "minimum", "relu(relu)", "total", "polynomial"],
)
def test_a_derivative_replayed_across_a_kink_is_the_derivative_there(
    f: Callable[[Value], Value], start: float, end: float
) -> None:
    x, there = Value(start), Value(end)
    first, first_there = derivative(f(x), x), derivative(f(there), there)
    assert moved(first, {x: end}).data == first_there.data
    assert moved(derivative(first, x), {x: end}).data == derivative(first_there, there).data


@laws
@given(recipes(most=6), st.lists(odd_numbers, min_size=4, max_size=4))
def test_a_derivative_replayed_elsewhere_is_the_derivative_there(recipe: Recipe, numbers: list[float]) -> None:
    E, leaves = recipe.build()
    point = tuple(numbers[: len(leaves)])
    firsts = gradient(E, leaves)
    try:
        built, there = recipe.build(point)
        expected = gradient(built, there)
    except DomainError:
        return
    for first, true in zip(firsts, expected, strict=True):
        assert moved(first, dict(zip(leaves, point, strict=True))).data == true.data


# -- what is refused


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda E, x: derivative(2.5, x), TypeError, "Value.*float"),  # type: ignore[arg-type]
        (lambda E, x: derivative(E, b"x"), TypeError, "Value.*bytes"),  # type: ignore[arg-type]
        (lambda E, x: gradient(E, x), TypeError, "list.*Value"),
        (lambda E, x: hessian(E, x), TypeError, "list.*Value"),
        (lambda E, x: jvp(E, {b"x": 1.5}), TypeError, "Value.*bytes"),  # type: ignore[arg-type]
        (lambda E, x: jvp(E, {x: "1.5"}), TypeError, "str.*number"),  # type: ignore[arg-type]
        (lambda E, x: jvp(E, {x: math.nan}), DomainError, "nan.*finite"),
        (lambda E, x: jvp(E, x), TypeError, "Value"),
        (lambda E, x: replay(E, {b"x": 1.5}), TypeError, "replay.*Value.*bytes"),  # type: ignore[arg-type]
        (lambda E, x: replay(E, {Value(0.3, "lost"): 1.5}), ValueError, "replay.*lost.*not in the graph"),
        (lambda E, x: replay(E, {E * 1.5: 1.5}), ValueError, "replay.*not in the graph"),
        (lambda E, x: replay(E, {x: "1.5"}), TypeError, "str.*number"),  # type: ignore[arg-type]
        (lambda E, x: replay(E, {x: math.inf}), DomainError, "inf.*finite"),
        (lambda E, x: gradcheck(2.5), TypeError, "Value.*float"),  # type: ignore[arg-type]
        (lambda E, x: topological_order([E]), TypeError, "Value.*list"),  # type: ignore[arg-type]
        (lambda E, x: topological_order(None), TypeError, "Value.*NoneType"),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_a_graph_is_refused_with_a_sentence(
    call: Callable[[Value, Value], Any], error: type[Exception], words: str
) -> None:
    x = Value(1.3, "x")
    with pytest.raises(error, match=words) as refusal:
        call(sin(x), x)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("at", [derivative, lambda E, x: jvp(E, {x: 1.0}), lambda E, x: E.backward()])
def test_an_infinite_local_derivative_is_an_error_in_every_mode(at: Callable[[Value, Value], Any]) -> None:
    x = Value(0.0, "x")
    with pytest.raises(DomainError, match=r"sqrt: dz/dx = 1 / \(2 \* z\) is infinite at x = 0.0 \(x\)"):
        at(x.sqrt() * 1.7, x)


FLAT: dict[str, Callable[[Value], Value]] = {
    "sqrt": lambda x: x.sqrt(), "pow": lambda x: x**0.5, "log0": lambda x: x.log0(),
    "variable exponent": lambda x: (-2.5) ** (x + 2),
}  # fmt: skip


@pytest.mark.parametrize("edge", FLAT)
@pytest.mark.parametrize("by_x", [None, 0.0])
def test_forward_mode_passes_an_infinite_local_derivative_that_nothing_moves(edge: str, by_x: float | None) -> None:
    x, w = Value(0.0), Value(1.3)
    tangents = {w: 1.7} | ({} if by_x is None else {x: by_x})
    assert jvp(FLAT[edge](x) * w + w * w, tangents) == pytest.approx((FLAT[edge](x).data + 2 * 1.3) * 1.7, rel=1e-15)


def test_a_partial_that_only_floats_can_reach_has_no_graph_and_says_so() -> None:
    """1 / exp(1000) is 0 with infinities on the way, and a graph holds none."""
    z = operation("flat", "x", "1 / exp(x)")(x := Value(1000.0, "x"))
    assert z.partials == (0.0,)
    with pytest.raises(DomainError, match=r"^flat: its local derivative has no graph here: exp: exp\(x\) is too large"):
        derivative(z, x)


EDGES: dict[str, Callable[[], Built]] = {
    "an infinite slope where nothing arrives": lambda: built(lambda z, x: z * x.sqrt(), 0.0, 0.0),
    "one beside a path that is open": lambda: built(lambda z, x: z * x.sqrt() + x * 1.7, 0.0, 0.0),
    "an undefined slope where nothing arrives": lambda: built(lambda z, x: z * x**z, 0.0, -2.0),
    "a slope too large": lambda: built(lambda d: d / 1e-310, 1e-5),
    "a product too large": lambda: built(lambda x: x * 1e200 * 1e200, 1e-200),
    "a sum too large": lambda: built(lambda x: (x * 1e308 + sin(x) * 1.3e308) * 1.0, 0.1),
    "an infinite slope": lambda: built(lambda x: x.sqrt() * 1.7, 0.0),
}


def built(f: Callable[..., Value], *numbers: float) -> Built:
    leaves = [Value(number, label) for number, label in zip(numbers, "xy", strict=False)]
    return f(*leaves), leaves


def said(call: Callable[[], Any]) -> Any:
    """What comes out, or the sentence."""
    try:
        return call()
    except DomainError as refusal:
        return str(refusal)


@pytest.mark.parametrize("make", EDGES.values(), ids=EDGES)
def test_where_a_slope_is_infinite_every_mode_gives_the_same_answer_or_the_same_sentence(
    make: Callable[[], Built],
) -> None:
    E, leaves = make()

    def backward() -> list[float | None]:
        E.backward()
        return [leaf.grad for leaf in leaves]

    expected = said(backward)
    assert said(lambda: [D.data for D in gradient(E, leaves)]) == expected
    assert said(lambda: [derivative(E, leaf).data for leaf in leaves]) == expected
    assert said(lambda: [jvp(E, {leaf: 1.0}) for leaf in leaves]) == expected


def test_a_derivative_through_a_path_that_was_shut_is_not_replayed_where_it_is_open() -> None:
    z, x = Value(0.0, "z"), Value(0.0, "x")
    first = derivative(z * x.sqrt(), x)
    assert replay(first, {}).data == 0.0
    with pytest.raises(DomainError, match="where the derivative was taken"):
        replay(first, {z: 2.0})


def test_forward_mode_names_a_tangent_that_grows_too_large() -> None:
    x = Value(1.3, "x")
    with pytest.raises(
        DomainError, match=r"^the tangent of mul is too large for a float .* comes 1e\+300 times its slope$"
    ):
        jvp(x * 1e10, {x: 1e300})


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("exponent, expected", [(2.0, 2.0), (2.5, 0.0), (3.0, 0.0)])
def test_a_power_has_its_second_derivatives_also_at_0(zero: float, exponent: float, expected: float) -> None:
    a, b = Value(zero), Value(exponent)
    assert [[D.data for D in row] for row in hessian(a**b, [a, b])] == [[expected, 0.0], [0.0, 0.0]]


def test_a_power_of_0_refuses_second_derivatives_that_are_infinite() -> None:
    a, b = Value(0.0), Value(1.0)
    with pytest.raises(DomainError, match="undefined"):
        hessian(a**b, [a, b])


# -- gradcheck


@each_graph
def test_gradcheck_finds_nothing_wrong_with_a_right_graph(make: Callable[[], Built]) -> None:
    E, _ = make()
    report = gradcheck(E)
    assert report.ok, report
    assert repr(report).splitlines()[1:] == [f"  {check!r}" for check in report.checks if check.verdict != "ok"]
    order = topological_order(E)
    edges = sum(type(input) is Value for node in order for input in node.inputs)
    assert len(report.checks) == edges + sum(node.rule is None for node in order)


@settings(laws, max_examples=40)
@given(recipes())
def test_gradcheck_finds_nothing_wrong_with_any_right_graph(recipe: Recipe) -> None:
    E, _ = recipe.build()
    assume(not at_a_kink(E, 0.01))
    report = gradcheck(E)
    assert report.ok, report


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 3e-6, 1e-6, 3e-7, 1e-8, 1e-10])
def test_a_kink_nearby_is_no_error(distance: float) -> None:
    for x, y in ((Value(0.37), Value(0.37 - distance)), (Value(0.37), Value(0.37 + distance))):
        report = gradcheck(maximum(x, y) * 1.7 + (y - x).relu() * x)
        assert report.ok, report


@pytest.mark.parametrize("name", [name for name in SMOOTH if name != "saturated"])
def test_gradcheck_is_sure_of_itself_on_smooth_graphs(name: str) -> None:
    report = gradcheck(SMOOTH[name]()[0])
    assert {check.verdict for check in report.checks} == {"ok"}, report


@pytest.mark.parametrize("distance", [0.03, 1e-3, 1e-5, 1e-6, 1e-7])
@pytest.mark.parametrize(
    ("name", "edge"),
    [("asin", 1.0), ("acos", -1.0), ("acosh", 1.0), ("atanh", 1.0), ("circ", -1.0), ("log1p", -1.0), ("sqrt", 0.0)],
)
def test_gradcheck_is_sure_of_itself_next_to_the_edge_of_a_domain(name: str, edge: float, distance: float) -> None:
    side = -1.0 if name in ("asin", "atanh") else 1.0
    report = gradcheck(FUNCTIONS[name](Value(edge + side * distance)) * 1.7)
    assert {check.verdict for check in report.checks} == {"ok"}, report


def test_gradcheck_says_so_where_nudging_is_too_coarse_to_tell() -> None:
    report = gradcheck(SMOOTH["saturated"]()[0])
    assert {check.verdict for check in report.checks} == {"ok", "undecided"}, report


@pytest.mark.parametrize("name", KINKED)
def test_gradcheck_tells_a_kink_from_an_error(name: str) -> None:
    report = gradcheck(KINKED[name]()[0])
    assert report.ok and "kink" in repr(report)
    assert {check.verdict for check in report.checks} == {"ok", "kink"}


@pytest.mark.parametrize("slope, verdict", [(-0.5, "wrong"), (0, "kink"), (0.3, "kink"), (1, "kink"), (1.01, "wrong")])
def test_at_a_kink_any_number_between_the_two_slopes_is_one_and_no_other(slope: float, verdict: str) -> None:
    report = gradcheck(operation("turn", "x if x > 0 else 0", f"{slope} * x**0")(Value(0.0, "x")))
    assert [check.verdict for check in report.checks] == [
        verdict
    ] * 2  # the leaf, though its gradient is 0, and the edge
    assert report.ok is (verdict == "kink")


@pytest.mark.parametrize(
    "formula, partials",
    [
        ("x**3", ["2*x**2"]),
        ("x**3", ["3.0001*x**2"]),
        ("x**3", ["-3*x**2"]),
        ("x**3", ["0"]),
        ("sin(x)", ["cos(x) + 0.00001"]),
        ("x * y", ["x", "y"]),
        ("x / y", ["1 / y", "x / y**2"]),
        ("x if x > 0 else 0", ["1"]),
        ("abs(x)", ["1"]),
    ],
)
def test_gradcheck_finds_a_wrong_row(formula: str, partials: list[str]) -> None:
    wrong = operation("wrong", formula, *partials)
    operands = [Value(-1.3, "a"), Value(0.7, "b")][: len(partials)]
    report = gradcheck(wrong(*operands) * 1.7)
    assert not report.ok
    assert "wrong" in {check.verdict for check in report.checks if re.match(r"edge \w+ = wrong\(", check.name)}
    assert re.search(r"edge \w+ = wrong.*, dz/d[xy] = .*, nudged .*: wrong", repr(report))


def off_by(rule: Rule, factor: float) -> Callable[..., Any]:
    """The row's function, its partials wrong by this factor."""
    factors = [f"[p * {factor!r} for p in {p}]" if rule.many else f"({p}) * {factor!r}" for p in rule.partials]
    wrong = Rule(rule.name, rule.typed, rule.value, *factors, domain=rule.domain)
    return make([wrong])[rule.name]


@pytest.mark.parametrize("rule", [rule for rule in TABLE if rule.name != "detach"], ids=lambda rule: rule.name)
def test_gradcheck_is_sure_of_every_row_at_ordinary_points(rule: Rule) -> None:
    """A partial off by half of the tolerance is ok, by twice as much it is wrong; nudging is right to 1e-10."""
    points = [(0.7, -1.3, 1.9), (-0.35, 0.8, -0.6), (1.9, 0.45, 2.3), (2.6, 1.7, -0.4)]
    size = 3 if rule.many else len(rule.operands)
    inside = [point[:size] for point in points if ORACLES[rule.name].inside([mpf(x) for x in point[:size]])]
    assert inside
    expected = {0.0: "ok", 5e-7: "ok", -5e-7: "ok", 2e-6: "wrong", -2e-6: "wrong", 1e-4: "wrong", -1e-4: "wrong"}
    for point in inside:
        for off, verdict in expected.items():
            function, operands = off_by(rule, 1 + off), [Value(x) for x in point]
            z = function(operands) if rule.many else function(*operands)
            edges = [check for check in gradcheck(z).checks if check.name.startswith("edge")]
            slots = [slot for slot, partial in enumerate(z.partials) if math.isfinite(partial)]
            for slot, check in zip(slots, edges, strict=True):
                true = sum(ORACLES[rule.name].first([mpf(x) for x in point], slot))
                assert abs(check.nudged - true) <= 1e-10 * abs(true), (point, check)
                near = abs(off) == 2e-6 and check.verdict == "undecided"  # where a slope is small beside its function
                assert near or check.verdict == (verdict if true else "ok"), (point, off, check)


def test_gradcheck_of_a_leaf_is_one_derivative() -> None:
    assert repr(gradcheck(Value(0.7, "x"))) == "gradcheck: 1 derivative, all ok"


def test_gradcheck_says_which_edge_is_wrong_and_passes_the_others() -> None:
    wrong = operation("wrong", "x * y", "y", "2 * x")
    a, b = Value(1.3, "a"), Value(0.7, "b")
    verdicts = {check.name: check.verdict for check in gradcheck(wrong(a, b)).checks}
    edge = "edge E = wrong(x, y), dz/d"
    assert verdicts == {"∂E/∂a": "ok", "∂E/∂b": "wrong", f"{edge}x": "ok", f"{edge}y": "wrong"}


@each_graph
def test_gradcheck_touches_no_gradient(make: Callable[[], Built]) -> None:
    E, leaves = make()
    leaves[0].grad = 4.2
    before = shape(E)
    gradcheck(E)
    assert shape(E) == before


def test_gradcheck_of_a_stale_graph_checks_the_present_point_and_says_so() -> None:
    x = Value(0.7, "x")
    E = x**3
    x.data = 1.9
    report = gradcheck(E)
    assert report.ok and "x was set to another number" in repr(report)
    assert report.checks[0].engine == pytest.approx(3 * 1.9**2, rel=1e-15)


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1e3, 1e9])
def test_gradcheck_is_as_sure_at_any_scale(size: float) -> None:
    rng = random.Random(7)
    a, b = Value(rng.uniform(1.1, 1.9) * size), Value(rng.uniform(-1.9, -1.1) * size)
    report = gradcheck((a * b + 1.3 * a * a) / (a - b))
    assert {check.verdict for check in report.checks} == {"ok"}, report


@pytest.mark.parametrize("at", [0.0, 1e-12, -1e-6, 1e-3, 1e3, -1e9])
@pytest.mark.parametrize(
    "f", [lambda x: x * x * 1.5, lambda x: abs(x) * x, relu, lambda x: tanh(x) * 2.3, lambda x: x.gauss()],
    ids=["x²", "|x|x", "relu", "tanh", "gauss"],
)  # fmt: skip
def test_gradcheck_finds_nothing_wrong_at_or_near_0_and_far_from_it(f: Callable[[Value], Value], at: float) -> None:
    report = gradcheck(f(Value(at, "x")))
    assert report.ok, report


# Numbers where derivatives are hard to measure: at a kink or a hair beside it, saturated, at the ends of the doubles
HARD = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.3,
    0.3 + 1e-7,
    1e-9,
    -1e-9,
    1e9,
    1e7,
    1.15e10,
    20.0,
    -745.0,
    1e-160,
    1e160,
    1e-300,
    5e-324,
]
DIFFICULT: dict[str, tuple[Callable[..., Value], tuple[float, ...]]] = {
    "a jump": (greater, (1.5, 1.5)),
    "the derivative of a kink": (lambda x, y: derivative(maximum(x, y), x), (0.7, 0.7)),
    "oscillation": (sin, (1e7,)),
    "poles": (tan, (1.15e10,)),
    "steps that go over a kink": (maximum, (0.3, 0.3 + 1e-7)),
    "a kink inside": (lambda x: x.relu().sigmoid(), (1e-9,)),
    "an angle next to the origin": (atan2, (0.0, 1e-9)),
    "a cosine next to the origin": (unit, (0.0, 1e-9)),
    "shares of huge numbers": (lambda x, y: share([x, y]), (1e9, 1e9)),
    "hardly a number": (exp, (-745.0,)),
    "the least number": (lambda x: x * 2, (5e-324,)),
    "a kink beside the least number": (relu, (-5e-324,)),
    "a value whose rounding is all": (lambda x: (x + 1e12) - 1e12, (0.7,)),
    "a spike that rounding hides": (lambda x: relu(x) - relu(x - 1e-20) + 1.0, (0.5e-20,)),
    "doubles that are all whole": (floor, (1e160,)),
    "a period that no double resolves": (sin, (1e160,)),
}


@pytest.mark.parametrize("case", DIFFICULT)
def test_gradcheck_calls_nothing_wrong_where_it_is_hard_to_tell(case: str) -> None:
    f, numbers = DIFFICULT[case]
    leaves = [Value(number, label) for number, label in zip(numbers, "xy", strict=False)]
    report = gradcheck(f(*leaves))
    assert report.ok, report


def test_gradcheck_says_what_is_a_jump_and_what_a_kink() -> None:
    x, y = Value(1.5), Value(1.5)
    for E in (greater(x, y), floor(x * 2), maximum(x, y), clip(x, 1.5, 2.0)):
        assert "kink" in {check.verdict for check in gradcheck(E).checks}


def hard_number(rng: random.Random) -> float:
    chosen = rng.choice([rng.uniform(-3, 3), 10 ** rng.uniform(-12, 12), float(rng.randint(-3, 3)), rng.choice(HARD)])
    return chosen * rng.choice((1, 1, -1))


def hard_program(rng: random.Random) -> Value:
    """A few rows on leaves with hard numbers, some of which tie or nearly do; what a row refuses is left out."""
    nodes = [Value(hard_number(rng), f"x{i}") for i in range(rng.randint(1, 4))]
    if rng.random() < 0.3:
        nodes.append(Value(nodes[0].data * (1 + rng.choice((0, 1e-7, 1e-12, -1e-9))), "beside"))
    for _ in range(rng.randint(1, 8)):
        rule = rng.choice(TABLE)
        size = rng.randint(1, 4) if rule.many else len(rule.operands)
        operands = [rng.choice(nodes[-4:]) if rng.random() < 0.8 else hard_number(rng) for _ in range(size)]
        with suppress(DomainError):
            nodes += [node for node in [rule.apply(operands)] if type(node) is Value]
    return nodes[-1]


def test_gradcheck_calls_no_right_derivative_wrong_in_any_program() -> None:
    checked = 0
    for seed in range(500):
        try:
            report = gradcheck(hard_program(random.Random(seed)))
        except DomainError:
            continue
        assert report.ok, f"seed {seed}: {report}"
        checked += len(report.checks)
    assert checked > 1500


ORDINARY: dict[int, list[tuple[float, ...]]] = {
    1: [(0.37,), (-0.6,), (1.9,)],
    2: [(0.37, -0.6), (1.9, 0.81), (-1.3, 2.0)],
    3: [(0.37, -0.6, 1.3), (1.6, 0.35, 0.9)],
}
SLOPED = [
    (rule, slot)
    for rule in TABLE
    for slot in range(len(rule.operands))
    if not set(rule.partials) <= {"0"} and (rule.name, slot) != ("clip", 1)
]


@pytest.mark.parametrize(("rule", "slot"), SLOPED, ids=lambda given: getattr(given, "name", None))
def test_gradcheck_finds_every_row_that_is_off_by_one_in_ten_thousand(rule: Rule, slot: int) -> None:
    partials = list(rule.partials)
    partials[slot] = f"[1.0001 * p for p in {partials[0]}]" if rule.many else f"1.0001 * ({partials[slot]})"
    wrong = Rule("wrong", rule.typed, rule.value, *partials, domain=rule.domain)
    make([wrong])
    found = 0
    for numbers in ORDINARY[3 if rule.many else len(rule.operands)]:
        leaves = [Value(x) for x in numbers]
        try:
            E = wrong.apply(leaves) * 1.7
            report = gradcheck(E)
        except DomainError:
            continue
        [node] = (input for input in E.inputs if type(input) is Value)
        chosen = slice(slot, None if rule.many else slot + 1)
        edges = [check for check in report.checks if f"= {rule.typed}, dz/d" in check.name][chosen]
        expected = ["wrong" if slope else "ok" for slope in node.partials[chosen]]
        assert [check.verdict for check in edges] == expected, report
        found += "wrong" in expected
    assert found


# -- by name


@each_graph
def test_a_name_stands_for_the_node_that_is_shown_by_it(make: Callable[[], Built]) -> None:
    E, leaves = make()
    names = display_names(topological_order(E))
    for leaf in (leaf for leaf in leaves if leaf in names):
        assert said(functools.partial(derivative_number, E, names[leaf])) == said(
            functools.partial(derivative_number, E, leaf)
        )
        assert said(functools.partial(jvp, E, {names[leaf]: 1.7})) == said(functools.partial(jvp, E, {leaf: 1.7}))


def numbers(rows: list[list[Value]]) -> list[list[float]]:
    return [[value.data for value in row] for row in rows]


def derivative_number(E: Value, w: Value | str) -> float:
    return derivative(E, w).data


def test_several_names_and_a_replay_by_name() -> None:
    x, w = Value(1.5, "x"), Value(-0.5, "w")
    E = x**2 * w
    assert [each.data for each in gradient(E, ["x", w])] == [each.data for each in gradient(E, [x, w])]
    assert numbers(hessian(E, ["x", "w"])) == numbers(hessian(E, [x, w]))
    assert replay(E, {"w": 0.7}).data == replay(E, {w: 0.7}).data == 1.5**2 * 0.7


@pytest.mark.parametrize(
    "call", [lambda E: derivative(E, "q"), lambda E: jvp(E, {"q": 1.0}), lambda E: replay(E, {"q": 1.0})]
)
def test_an_unknown_name_is_refused_with_those_there_are(call: Callable[[Value], object]) -> None:
    with pytest.raises(ValueError, match=r"^no node is named 'q'; there are x, E$"):
        call(Value(0.7, "x") * 1.3)


def test_a_nudge_goes_no_further_than_a_gradient_where_a_number_is_detached() -> None:
    x, w = Value(0.7, "x"), Value(-1.3, "w")
    report = gradcheck((x * w).tanh() * detach(x * w + x) + x)
    assert report.ok and {check.verdict for check in report.checks} == {"ok"}
