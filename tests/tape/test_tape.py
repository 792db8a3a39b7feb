"""The laws of the tape: the engine's numbers, bit by bit, or the engine's error; and what is compiled, once."""

from __future__ import annotations

import contextvars
import math
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from engine import (
    DomainError,
    Value,
    derivative,
    detach,
    hessian,
    hypot,
    log,
    maximum,
    operation,
    replay,
    sqrt,
    topological_order,
    total,
)
from engine.domain import RECORDING, recording
from engine.rules import Rule
from engine.tape import loops
from engine.tape.emitter import Body, Number
from engine.tape.plan import flatten
from engine.tape.tape import Tape, trace
from tests.graphs import GRAPHS, ROWS, Built, Recipe, each_graph, leaves, recipes
from tests.tape.support import bits, condition, eager, outcome, sizes
from tests.test_rules import EDGES, OUTSIDE, TOO_LARGE, Point, points


def own(name: str, formula: str, *partials: str) -> Rule:
    rule: Rule = operation(name, formula, *partials)(*[Value(0.3)] * len(partials)).rule
    return rule


OWN = {
    "literal exponents": own("powers", "x**0.5 + 2**x + x**-1.5 + x**2 - x**3", "x**-0.5 / 2 + 3 * x**2"),
    "a literal exponent": own("root", "x**0.5", "1 / (2 * z)"),
    "pow by its name": own("doubling", "pow(2, x)", "z * log(2)"),
    "a power in another row": own("halves", "term(x, 0.5, 1)", "1 / (2 * z)"),
    "three operands": own("line", "c * x + y**2", "c", "2 * y", "x"),
    "the name of a row": own("mul", "x * y + 1", "y * 2", "x"),
    "the name of another": own("tanh", "tanh(x) + x", "sech(x)**2 + 1"),
    "the same name": own("tanh", "tanh(x) - x", "sech(x)**2 - 1"),
    "a hidden overflow": own("fermi", "1 / (1 + exp(x))", "-z * (1 - z)"),
    "a hidden overflow in a row": own("cosine", "unit(x, y) + 1", "x", "y"),
    "a hidden overflow in a choice": own("chosen", "2 if exp(x) > 3 else x", "1"),
    "lists": own("weighted", "first(softmax([x, y])) + sum([x * x, y])", "2 * x", "1"),
    "over two lines": own("lines", "(x +\n 1.5) * x", "(2 * x +\n 1.5)"),
}
each_own = pytest.mark.parametrize("rule", OWN.values(), ids=OWN)

# Rows that a batch is tried on: all that are made of + - * / and choices, and some of each other form.
BATCHED = """add sub mul div neg abs relu leaky_relu maximum minimum step sign greater
             pow exp log sqrt sin tanh sigmoid hypot unit logsumexp share term""".split()  # noqa: SIM905


APART = """exp tanh sigmoid logsigmoid softplus logaddexp silu sech gauss hypot unit logsumexp share pow term atan
           atan2 asinh erf erfc gelu""".split()  # noqa: SIM905
EXACT = [ROWS[name] for name in ROWS if name not in APART]

WITH_CONSTANTS = (
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "hypot",
    "maximum",
    "minimum",
    "greater",
)  # the rows that are tried with them


def same_as_eager(E: Value) -> None:
    """Value and gradient of E's tape are those of the engine, or its DomainError is."""
    tape = Tape(E)
    expected = outcome(lambda: eager(E, tape.parameters))
    assert outcome(tape.value_and_gradient) == expected
    assert type(expected) is str or bits(tape.values()) == expected[:1]


def test_the_measure_can_fail() -> None:
    (x,) = leaves(x=0.7)
    E = x.sin()
    same_as_eager(E)
    E._dx = E.partials[0] * (1 + 2**-52)  # type: ignore[operator, assignment]
    with pytest.raises(AssertionError):
        same_as_eager(E)
    E = x.sin()
    E._data += 2**-53
    with pytest.raises(AssertionError):
        same_as_eager(E)
    assert bits([0.0]) != bits([-0.0])
    assert sizes(x * 3 - x * 2.5, [x]) == [5.5]


# -- one lane: bit by bit


@each_graph
def test_a_tape_is_bitwise_the_engine(make: Callable[[], Built]) -> None:
    same_as_eager(make()[0])


@given(recipe=recipes() | recipes(most=40))
@settings(max_examples=150, deadline=None)
def test_a_tape_of_any_graph_is_bitwise_the_engine(recipe: Recipe) -> None:
    nodes: list[Any] = [Value(number) for number in recipe.numbers]
    for name, operands in recipe.rows:
        constant = float if name in WITH_CONSTANTS or ROWS[name].many else Value
        nodes.append(ROWS[name].apply([nodes[x] if type(x) is int else constant(x) for x in operands]))
    same_as_eager(total(recipe.sinks(nodes)))


@pytest.mark.parametrize("name", ROWS)
def test_every_row_on_a_tape_is_bitwise_the_engine(name: str) -> None:
    """At ordinary and extreme operands, outside the domain and at its edge; the error too is the engine's."""
    others: list[tuple[Any, ...]] = [*OUTSIDE, *TOO_LARGE, *EDGES]
    where: list[Point] = [*points(name), *(point for row, point, *_ in others if row == name)]
    for size in {len(point) for point in where}:
        operands = [Value(0.3 if name not in ("acosh",) else 1.3, f"x{i}") for i in range(size)]
        tape = Tape(ROWS[name].apply(operands) * 0.37)
        for point in where:
            if len(point) == size:
                for operand, x in zip(operands, point, strict=True):
                    operand.data = x
                fresh = [Value(x, f"x{i}") for i, x in enumerate(point)]
                expected = outcome(partial(lambda fresh: eager(ROWS[name].apply(fresh) * 0.37, fresh), fresh))
                assert outcome(tape.value_and_gradient) == expected, f"{name}{point}"


def weighted_sums() -> Built:
    """Σ of products in every form: shared, nested, of one operand twice, of two computed nodes, with constants."""
    a, b, c = leaves(a=0.83, b=-1.7, c=0.29)
    p, s = a * b, total([a * b, c * 2.5, 0.3 * b, a * a, b])
    inner = total([s * a, p, p * c, 1.5, c.sin() * b.cos()])
    return total([inner * s, s * s, p, a * inner, total([a, b]) * 0.7, total([a * 0.1]), inner]), [a, b, c]


def negative_zeros() -> Built:
    a, b = leaves(a=-0.0, b=0.0)
    return total([a * 3.5, b * -2.0, a / 2.0]) * -1.0 + (-0.0 + a) * -0.0 - abs(a) * 1.5, [a, b]


def nothing_but_negative_zero() -> Built:
    (a,) = leaves(a=-0.0)
    return a * 1.5, [a]


def zeros_of_both_signs() -> Built:
    a, b = leaves(a=0.0, b=-0.0)
    return maximum(a, b) + maximum(b, a) * 2.0 + a**0.0 + hypot_of(a, b), [a, b]


def hypot_of(a: Value, b: Value) -> Value:
    return ROWS["hypot"].apply([a, b])  # type: ignore[no-any-return]


def a_leaf() -> Built:
    (a,) = leaves(a=1.7)
    return a, [a]


OTHERS = {
    make.__name__: make
    for make in (weighted_sums, negative_zeros, nothing_but_negative_zero, zeros_of_both_signs, a_leaf)
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_other_graphs_on_a_tape_are_bitwise_the_engine(make: Callable[[], Built]) -> None:
    same_as_eager(make()[0])


@each_own
def test_an_operation_of_ones_own_works_on_a_tape(rule: Rule) -> None:
    rng, inputs, w = Random(rule.value), [Value(0.61, name) for name in rule.operands], Value(1.0, "w")

    def graph(xs: list[Value]) -> Value:
        return rule.apply([x * w for x in xs]) * 0.7  # type: ignore[no-any-return]

    tape, raised = Tape(graph(inputs), inputs), 0
    for i in range(200):
        size = (0.5, 3.0, 40.0, 800.0, 1.7e308)[i % 5]
        xs = [Value(size * rng.uniform(-1, 1), name) for name in rule.operands]
        expected = outcome(partial(lambda xs: eager(graph(xs), [w]), xs))
        if type(expected) is str:
            raised += 1
            assert outcome(partial(tape.value_and_gradient, [[x.data for x in xs]])) == f"sample 0: {expected}"
        else:
            same_in_batches(tape, np.array([[x.data for x in xs]]))
    assert raised < 150


@pytest.mark.parametrize("name", ["a literal exponent", "pow by its name", "a power in another row"])
def test_a_power_is_pow_and_not_what_a_compiler_makes_of_it(name: str) -> None:
    """Once in a thousand, sqrt(x) is another double than pow(x, 0.5), and exp2(x) another than pow(2.0, x)."""
    rng, x, w = Random(7), Value(0.61), Value(1.0)
    numbers = [rng.uniform(0.1, 40) for _ in range(50_000)]
    tell = [[x] for x in numbers if math.sqrt(x) != math.pow(x, 0.5) or 2.0**x != math.exp(x * math.log(2))]
    expected = [OWN[name].apply([number]) for [number] in tell]
    assert bits(Tape(OWN[name].apply([x * w]), [x]).values(tell)) == bits(expected)


def test_two_operations_of_one_name_are_two() -> None:
    x, w = Value(0.7), Value(1.0)
    three = [rule.apply([x * w]) for rule in (OWN["the name of another"], OWN["the same name"], ROWS["tanh"])]
    assert Tape(total(three), [x]).values([[0.7]])[0] == pytest.approx(total(three).data, rel=1e-15)
    assert len({bits(Tape(E, [x]).values([[0.7]]))[0] for E in three}) == 3


def test_a_branch_that_isnt_taken_may_be_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """In lanes all branches are computed: the logarithm of -0.3, too, in a choice within the other branch."""
    rule = own("nested", "x if x < 0 else log(x) if x < 0.7 else 1 / (1 + exp(-x))", "step(x)")
    x, w = Value(0.5), Value(1.0)
    tape, numbers = Tape(rule.apply([x * w]), [x]), [-0.3, -800.0, 0.4, 0.9, 3.0]
    monkeypatch.setattr(tape, "_eagerly", None)  # which would mend it
    expected = [rule.apply([number]) for number in numbers]
    assert tape.values([[number] for number in numbers]) == pytest.approx(expected, rel=1e-15)


@each_graph
def test_a_tape_of_a_derivative_is_only_another_graph(make: Callable[[], Built]) -> None:
    E, variables = make()
    same_as_eager(derivative(E, variables[0]) * 0.7)


def test_a_tape_of_a_second_derivative() -> None:
    E, variables = GRAPHS["neuron"]()
    for row in hessian(E, variables[:4]):
        for entry in row:
            same_as_eager(entry)


def test_a_tape_of_a_million_paths_and_of_a_long_chain() -> None:
    x = Value(0.3, "x")
    node = x
    for i in range(20_000):
        node = node * 0.999 + (i % 7) * 0.001
    same_as_eager(node.sin())


# -- many lanes

SIZES = [1, 2, 15, 16, 17, 100]


def batch_of(leaves: list[Value], size: int, seed: int = 5) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Samples around the leaves' data, the first exactly there: of them all, most are in the graph's domain."""
    rng = Random(seed)
    rows = [[leaf.data * (1 + 0.2 * rng.uniform(-1, 1) * (i > 0)) for leaf in leaves] for i in range(size)]
    return np.array(rows)


def one_by_one(tape: Tape, batch: Any) -> list[Any]:
    """The graph of each sample, made by the engine: of the tape's own parameters, and of its inputs as constants."""
    made: list[Any] = []
    for row in batch.tolist():
        nodes: dict[Any, Any] = dict(zip(tape.inputs, row, strict=True))
        for node in topological_order(tape.E):
            if node.rule is None:
                nodes.setdefault(node, node)
            else:
                nodes[node] = node.rule.apply([nodes[i] if type(i) is Value else i for i in node.inputs])
        made.append(nodes[tape.E])
    return made


def is_exact(E: Value) -> bool:
    """Is E made of what is the engine's in a batch too, bit by bit?"""
    return all(node.rule in (None, *EXACT) for node in topological_order(E))


def mean_of(numbers: Any) -> Any:
    """Of the first axis; the sum of the numbers themselves may be too large."""
    return (np.array(numbers) / len(numbers)).sum(axis=0)


def same_in_batches(tape: Tape, batch: Any) -> None:
    """Values and slopes to 1e-12 of the sum of what is added up in them, exact values bit by bit; or none, if the
    engine raises."""
    try:
        graphs = one_by_one(tape, batch)
    except DomainError as error:
        with pytest.raises(DomainError, match=r"^sample \d+: " + re.escape(str(error)[:20])):
            tape.values(batch)
        return
    expected = np.array([E.data if type(E) is Value else E for E in graphs])
    values = tape.values(batch)
    rounding = [condition(E) if type(E) is Value else 0.0 for E in graphs]
    assert is_exact(tape.E) <= (bits(values) == bits(expected))
    far = np.abs(values - expected) > 1e-12 * np.array(rounding)  # which is NaN beside a kink of a derivative
    assert not far.any(), (values, expected)
    if not tape.parameters:
        assert tape.value_and_gradient(batch)[1].shape == (0,)
        return
    try:
        slopes = [eager(E, tape.parameters)[1] for E in graphs]
        largest = mean_of([sizes(E, tape.parameters) for E in graphs])
    except DomainError:
        with pytest.raises(DomainError, match=r"^sample \d+: "):
            tape.value_and_gradient(batch)
        return
    mean, gradient = tape.value_and_gradient(batch)
    assert mean == pytest.approx(mean_of(expected), rel=1e-14, abs=1e-12 * float(mean_of(rounding)))
    assert np.all(np.abs(gradient - mean_of(slopes)) <= 1e-12 * largest), (gradient, slopes)
    each = tape.gradients(batch)
    assert np.all(np.abs(each - slopes) <= 1e-12 * np.array([sizes(E, tape.parameters) for E in graphs]))
    for i in range(0, len(batch), 7):
        assert bits(each[i]) == bits(tape.value_and_gradient(batch[i : i + 1])[1]), "none depends on the others"


def test_the_measure_for_batches_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    E, (x, _) = GRAPHS["diamond"]()
    tape = Tape(E, [x])
    same_in_batches(tape, batch_of([x], 3))
    true = tape.value_and_gradient
    monkeypatch.setattr(tape, "value_and_gradient", lambda batch: (true(batch)[0], true(batch)[1] * (1 + 1e-11)))
    with pytest.raises(AssertionError):
        same_in_batches(tape, batch_of([x], 3))
    monkeypatch.setattr(tape, "values", lambda batch, true=tape.values: true(batch) * (1 + 2**-52))
    with pytest.raises(AssertionError):
        same_in_batches(tape, batch_of([x], 3))


def mixed() -> Built:
    """Both inputs a factor, both parameters a factor, one shared; parts that no parameter is in, and none but."""
    x, y, w, b = leaves(x=0.83, y=-1.7, w=0.29, b=0.55)
    neuron = total([w * x, b * y, b]).tanh()
    s = total([x * y, w * b, neuron * w, x * 0.3, 2.5 * w, b * b, x * x, 1.5, (x * y).sin(), (x * y).sin() * w, y, w])
    return total([s * s, relu_of(s) * w, abs(x) * b, neuron]), [x, y]


def relu_of(a: Value) -> Value:
    return ROWS["relu"].apply([a])  # type: ignore[no-any-return]


def kinks() -> Built:
    """A batch around 0 meets every kink on either side, and at it."""
    x, y, w = leaves(x=0.5, y=-0.5, w=1.0)
    u, v = x * w, y * w
    parts = [ROWS[name].apply([u]) for name in ("relu", "abs", "step", "sign", "leaky_relu")]
    parts += [ROWS[name].apply([u, v]) for name in ("maximum", "minimum", "greater")]
    return total([part * (0.3 + i) for i, part in enumerate(parts)]) + maximum(u, u) * 0.9, [x, y]


def own_in_batches() -> Built:
    x, y, w = leaves(x=0.5, y=0.6, w=1.0)
    operands = [x * w, y * w, y * w * w]
    return total([rule.apply(operands[: len(rule.operands)]) for rule in OWN.values()]), [x, y]


def without_parameters() -> Built:
    x, y = leaves(x=0.5, y=-0.5)
    return x * y, [x, y]


def an_input() -> Built:
    x, w = leaves(x=0.5, w=0.3)
    return x + w * 0.0, [x]


def without_its_input() -> Built:
    """E doesn't depend on x, nor on all of the inputs."""
    x, w = leaves(x=0.5, w=-0.5)
    return w * 1.7, [x]


BATCHES: dict[str, Callable[[], Built]] = {
    make.__name__: make
    for make in (mixed, kinks, own_in_batches, without_parameters, an_input, without_its_input, GRAPHS["neuron"])
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", BATCHES.values(), ids=BATCHES)
def test_a_batch_is_its_samples(make: Callable[[], Built], size: int) -> None:
    E, inputs = make()
    batch = batch_of(inputs, size)
    if make is kinks:
        batch = np.array([[x, y] for x, y in product((-0.0, 0.3, 0.0, -0.3, 0.7), repeat=2)] * 4)[:size]
    same_in_batches(Tape(E, inputs[:3]), batch[:, :3])


@pytest.mark.parametrize("name", ROWS)
def test_every_row_in_a_batch_is_its_samples(name: str) -> None:
    where = points(name)
    if name == "silu":  # apart from the zero of its slope, and from where sigmoid is subnormal
        where = [(x,) for (x,) in where if x > -700 and abs(x + 1.278464542761074) > 1e-3]
    for size in {len(point) for point in where}:
        batch = [point for point in where if len(point) == size]
        inputs = [Value(x, f"x{i}") for i, x in enumerate(batch[0])]
        operands = [x * Value(1.0, f"w{i}") for i, x in enumerate(inputs)]
        same_in_batches(Tape(ROWS[name].apply(operands) * 0.37, inputs), np.array(batch, float))


def in_batches(recipe: Recipe) -> Built:
    """The recipe's graph with rows that a batch is tried on, and E's dependence on a parameter w."""
    by_size = {n: [name for name in BATCHED if len(ROWS[name].operands) == n and not ROWS[name].many] for n in (1, 2)}
    inputs, w = [Value(x, f"x{i}") for i, x in enumerate(recipe.numbers)], Value(1.0, "w")
    nodes: list[Any] = [x * w for x in inputs]
    for i, (name, operands) in enumerate(recipe.rows):
        fixed = by_size.get(0 if ROWS[name].many else len(operands))
        taken = ROWS[name if name in BATCHED or name == "total" else fixed[i % len(fixed)] if fixed else "term"]
        nodes.append(taken.apply([nodes[each] if type(each) is int else each * w for each in operands]))
    return total(recipe.sinks(nodes)), inputs


@given(recipe=recipes(most=15))
@settings(max_examples=100, deadline=None)
def test_a_batch_of_any_graph_is_its_samples(recipe: Recipe) -> None:
    try:
        E, inputs = in_batches(recipe)
    except DomainError:
        return
    tape = Tape(E, inputs)
    batch = batch_of(inputs, 19)
    for sample in range(len(batch)):  # one by one, too: a DomainError of one is none of the others
        same_in_batches(tape, batch[sample : sample + 1])
    same_in_batches(tape, batch)


def test_some_leaves_in_one_lane_are_bitwise_the_engine() -> None:
    for make in (mixed, own_in_batches):
        E, inputs = make()
        tape = Tape(E, inputs)
        expected = eager(E, tape.parameters)
        mean, gradient = tape.value_and_gradient([[x.data for x in inputs]])
        assert (bits([mean]), bits(gradient)) == (bits([expected[0]]), bits(expected[1]))


def test_inputs_that_arent_in_the_graph_change_nothing() -> None:
    x, y, w = leaves(x=0.3, y=0.4, w=1.7)
    tape = Tape((x * w).sin(), [y, x])
    assert bits(tape.values([[9.0, 0.3], [7.0, 0.5]])) == bits([(x * w).sin().data, (0.5 * w).sin().data])


# -- never a silently wrong replay

BRANCHES: dict[str, Callable[[Value, Value], Any]] = {
    "<": lambda x, y: x if x < y else y,
    "<=": lambda x, y: x if x <= 0.5 else y,
    ">": lambda x, y: x if x > y else y,
    ">=": lambda x, y: x if x <= 0.5 else y,
    "max": lambda x, y: max(x, y),
    "min": lambda x, y: min([x, y]),
    "sorted": lambda x, y: sorted([x, y])[0],
    "between": lambda x, y: x if -1 < x < 1 else y,
}


@pytest.mark.parametrize("f", BRANCHES.values(), ids=BRANCHES)
def test_a_choice_between_values_cant_be_recorded(f: Callable[..., Any]) -> None:
    assert type(f(Value(0.3), Value(0.4))) is Value
    with pytest.raises(TypeError, match=r"^a tape can't replay a choice between Values: write maximum, .*relu"):
        trace(f, [0.3, 0.4])
    assert not RECORDING.get() and Value(0.3) < Value(0.4), "nothing is left recording"


def test_a_value_has_no_truth_while_recording_either() -> None:
    with pytest.raises(TypeError, match="neither true nor false"):
        trace(lambda x, y: x if x else y, [0.3, 0.4])
    assert not RECORDING.get()


def test_an_error_of_the_function_leaves_nothing_recording() -> None:
    def f(x: Value) -> Value:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match=r"^mine$"):
        trace(f, [0.3])
    assert not RECORDING.get()
    with pytest.raises(KeyError), recording(), recording():
        raise KeyError
    assert not RECORDING.get()


def test_recording_is_nobody_elses_concern() -> None:
    seen: list[bool] = []
    with recording():
        thread = threading.Thread(target=lambda: seen.append(Value(0.3) < Value(0.4)))
        thread.start()
        thread.join()
        contextvars.Context().run(lambda: seen.append(Value(0.3) < Value(0.4)))
        with pytest.raises(TypeError):
            _ = Value(0.3) < Value(0.4)
    assert seen == [True, True]


def test_trace_takes_a_function_of_numbers_or_of_one_list() -> None:
    w = Value(0.7, "w")
    assert bits(trace(lambda x, y: w * x + y, [0.3, 0.4]).values([[0.5, 0.6]])) == bits([0.7 * 0.5 + 0.6])
    assert bits(trace(lambda xs: w * xs[0] + xs[1], [0.3, 0.4]).values([[0.5, 0.6]])) == bits([0.7 * 0.5 + 0.6])
    assert bits(trace(lambda *xs: w * xs[0] + xs[1], [0.3, 0.4]).values([[0.5, 0.6]])) == bits([0.7 * 0.5 + 0.6])
    with pytest.raises(TypeError, match=r"^the function to trace returned float; a Value .* is expected$"):
        trace(lambda x: 0.5, [0.3])  # type: ignore[arg-type, return-value]


FAILS: dict[str, tuple[Callable[[Value, Value], Value], float, float]] = {  # f(x, w); w; an x where it fails
    "log of a negative": (lambda x, w: log(x * w), 1.0, -0.5),
    "an overflow": (lambda x, w: (x * w).exp() * 0.5, 1.0, 800.0),
    "a division by 0": (lambda x, w: w / x, 1.0, 0.0),
    "the root's slope at 0": (lambda x, w: sqrt(x * w) * 3.0, 1.0, 0.0),
    "a gradient too large": (lambda x, w: (w * 1e200) * x, 1e-200, 1e150),
    "a sum too large": (lambda x, w: total([w * x, w * x * 1.0, x]), 1.0, 1.5e308),
    "an infinity less another": (lambda x, w: total([w * x * 1.0, -(w * x) * 1.0, x, w * x]), 2.0, 1.5e308),
    "an overflow then 1/inf": (lambda x, w: 1 / (1 + (x * w).exp()), 1.0, 800.0),
    "an overflow behind relu": (lambda x, w: (-(x * w).exp()).relu() + w, 1.0, 800.0),
    "an overflow times 0": (lambda x, w: (x * w * w) * 0.0 + w, 1e200, 1e200),
    "a product behind a maximum": (lambda x, w: maximum(-(x * w), w) * 0.5, 1e200, 1e200),
    "a quotient behind a step": (lambda x, w: ROWS["step"].apply([w / x]) + w, 1.0, 0.0),
    "unit of far away": (lambda x, w: ROWS["unit"].apply([x * w, x * w]), 1.0, 1.5e308),
    "hypot of far away": (lambda x, w: ROWS["hypot"].apply([x * w, x * w]), 1.0, 1.5e308),
    "an operation of one's own": (lambda x, w: OWN["a hidden overflow"].apply([x * w]), 1.0, 800.0),
    "one that uses a row": (lambda x, w: OWN["a hidden overflow in a row"].apply([x * w, x * w]), 1.0, 1.5e308),
    "one that compares": (lambda x, w: OWN["a hidden overflow in a choice"].apply([x * w]), 1.0, 800.0),
}


@pytest.mark.parametrize("at", [0, 15, 16, 20])
@pytest.mark.parametrize("f, weight, where", FAILS.values(), ids=FAILS)
def test_a_replay_that_fails_raises_the_engines_error(
    f: Callable[[Value, Value], Value], weight: float, where: float, at: int
) -> None:
    w = Value(weight, "w")
    with pytest.raises(DomainError) as expected:
        f(Value(where, "x"), w).backward()
    fine = 0.7 / max(weight, 1.0)
    x = Value(fine, "x")
    tape = Tape(f(x, w), [x])
    batch = np.full((21, 1), fine)
    batch[at] = where
    with pytest.raises(DomainError) as raised:
        tape.value_and_gradient(batch)
    assert str(raised.value) == f"sample {at}: {expected.value}"
    try:
        f(Value(where, "x"), w)
    except DomainError:
        with pytest.raises(DomainError, match=re.escape(str(raised.value))):
            tape.values(batch)
    else:
        assert np.isfinite(tape.values(batch)).all(), "only the gradient fails"
    assert np.isfinite(tape.values(np.delete(batch, at, axis=0))).all(), "nothing is left of it"


def test_an_infinite_partial_that_isnt_needed_is_none() -> None:
    """Upstream is 0 in one sample: the engine doesn't raise, and the numbers are its numbers."""
    x, y, w, v = leaves(x=0.5, y=0.7, w=1.3, v=0.9)
    tape = Tape(sqrt(x * w) * y + v * x, [x, y])
    same_in_batches(tape, np.array([[0.5, 0.7], [0.0, 0.0], [0.3, 0.0], [0.25, -0.3]]))
    with pytest.raises(DomainError, match=r"^sample 2: sqrt: dz/dx = "):
        tape.value_and_gradient([[0.5, 0.7], [0.0, 0.0], [0.0, 0.2], [0.25, -0.3]])


def test_what_the_derivatives_by_inputs_would_be_doesnt_matter() -> None:
    """The root's slope at x = 0 isn't needed for ∂E/∂w, whether or not another sample fails."""
    x, w = leaves(x=0.5, w=1.3)
    tape = Tape(sqrt(x) * log(w + x), [x])
    assert tape.value_and_gradient([[0.0], [0.5]])[1] == pytest.approx([0.5**0.5 / 1.8 / 2], rel=1e-12)
    with pytest.raises(DomainError, match=r"^sample 1: log: "):
        Tape(sqrt(x) * w + log(0.7 - x * w), [x]).value_and_gradient([[0.0], [0.6]])
    y = Value(0.5, "y")
    tape = Tape(sqrt(x) * w + sqrt(y * w) * 0.0, [x, y])
    mean, gradient = tape.value_and_gradient([[0.0, 0.0], [0.25, 0.3]])
    assert (mean, gradient.tolist()) == (0.25 * 1.3, [0.25])


@pytest.mark.parametrize("largest", [sys.float_info.max, -sys.float_info.max])
@pytest.mark.parametrize("size, fits", [(5, True), (16, True), (11, False)])
def test_a_mean_that_is_too_large_is_an_error(size: int, fits: bool, largest: float) -> None:
    """Of the largest float, size times a share of it is that float or, rounded up, an infinity."""
    x, w = leaves(x=0.5, w=1.0)
    tape = Tape(x * w, [x])
    assert math.isfinite(sum([largest * (1 / size)] * size)) == fits
    if fits:
        assert tape.value_and_gradient([[largest]] * size)[0] == pytest.approx(largest, rel=1e-15)
    else:
        with pytest.raises(DomainError, match=r"^a mean over the batch is too large for a float"):
            tape.value_and_gradient([[largest]] * size)


def test_nothing_is_asked_of_an_infinite_partial_behind_a_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the tape alone, for a node's gradient and for a parameter's: 0 times infinity would be NaN."""
    x, y, w, v = leaves(x=0.0, y=0.0, w=1.3, v=0.0)
    E = sqrt(x * w) * y + sqrt(v) * y + v * x + w
    expected = eager(E, [w, v])[1]
    tape, whole = Tape(E, [x, y]), Tape(E)
    for each in (tape, whole):
        monkeypatch.setattr(each, "_eagerly", None)
    assert tape.parameters == [w, v]
    assert bits(tape.value_and_gradient([[0.0, 0.0]])[1]) == bits(expected)
    assert bits(whole.value_and_gradient()[1]) == bits(eager(E, whole.parameters)[1])


# -- batches, inputs, and what a replay leaves alone


@pytest.mark.parametrize(
    "batch, given",
    [
        (None, "NoneType"), ([], "list"), ([0.3, 0.4], "list"), ([[0.3]], "list"), ([[0.3, 0.4, 0.5]], "list"),
        ([[0.3, 0.4], [0.3]], "list"), (0.5, "float"), ("ab", "str"), ([["a", "b"]], "list"), ([[{}, 0.3]], "list"),
        ([[[0.3, 0.4]]], "list"), (np.zeros((0, 2)), r"shape \(0, 2\)"), (np.zeros((4, 3)), r"shape \(4, 3\)"),
        (np.zeros(2), r"shape \(2,\)"), ([[Value(0.3), Value(0.4)]], "list"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_batch_of_another_shape_is_refused_in_one_sentence(batch: Any, given: str) -> None:
    x, y, w = leaves(x=0.3, y=0.4, w=1.7)
    tape = Tape((x * w) * y, [x, y])
    for compute in (tape.values, tape.value_and_gradient, tape.gradients):
        with pytest.raises(ValueError, match=rf"^a batch is an array of M rows of 2 numbers each; given was {given}"):
            compute(batch)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_batch_that_isnt_finite_is_refused_with_the_sample(wrong: float) -> None:
    x, w = leaves(x=0.3, w=1.7)
    with pytest.raises(DomainError, match=rf"^sample 2 .* {wrong} where"):
        Tape(x * w, [x]).values([[0.3], [0.4], [wrong], [0.5]])


def test_any_array_of_the_shape_is_a_batch() -> None:
    x, y, w = leaves(x=0.3, y=0.4, w=1.7)
    tape = Tape((x * w) * y, [x, y])
    expected = bits(tape.values([[1, 2], [3, 4], [5, 6]]))
    rows = np.array([[1, 2], [3, 4], [5, 6]])
    constant = rows.astype(float)
    constant.flags.writeable = False
    for batch in (rows, rows.astype(np.float32), np.asfortranarray(constant), constant, np.repeat(rows, 2, 0)[::2]):
        assert bits(tape.values(batch)) == expected


@pytest.mark.parametrize(
    "inputs", [[0.3], ["x"], [None], 0.3, "x", [Value(0.3) * 2], [[Value(0.3)]], "computed", "twice"], ids=repr
)
def test_inputs_are_different_leaves(inputs: Any) -> None:
    x, w = leaves(x=0.3, w=1.7)
    E = x * w
    named: dict[Any, Any] = {"computed": [E], "twice": [x, w, x]}
    given = named.get(inputs, inputs) if isinstance(inputs, str) else inputs
    with pytest.raises(ValueError, match=r"^inputs are (different leaves; .* twice|leaves, .*given was .*)$"):
        Tape(E, given)


def test_only_a_graph_has_a_tape() -> None:
    with pytest.raises(TypeError):
        Tape(0.5)  # type: ignore[arg-type]


def test_a_replay_takes_the_parameters_present_data() -> None:
    x, w = leaves(x=0.3, w=1.7)
    tape, whole = Tape((x * w).sin(), [x]), Tape((x * w).sin())
    w.data = -0.4
    assert bits(tape.values([[0.3]])) == bits(whole.values()) == bits([(x * w).sin().data])
    x.data = 1.1
    assert bits(whole.values()) == bits([(x * w).sin().data]) != bits(tape.values([[0.3]]))
    mean, gradient = tape.value_and_gradient([[1.1]])
    E = (x * w).sin()
    E.backward()
    assert (mean, gradient.tolist()) == (E.data, [w.grad])


def test_a_replay_leaves_the_graph_alone() -> None:
    E, variables = GRAPHS["neuron"]()
    E.backward()
    before = [(node.data, node.grad, node.partials) for node in topological_order(E)]
    tape = Tape(E, variables[:3])
    tape.value_and_gradient([[0.9, 0.8, 0.7]])
    with pytest.raises(DomainError):
        tape.value_and_gradient([[-1.7e308, -1.7e308, 1.7e308]])
    Tape(E).value_and_gradient()
    assert [(node.data, node.grad, node.partials) for node in topological_order(E)] == before


def test_two_replays_are_the_same_and_arrays_are_the_callers() -> None:
    E, inputs = mixed()
    tape, batch = Tape(E, inputs), batch_of(inputs, 33)
    kept = batch.copy()
    values, (mean, gradient) = tape.values(batch), tape.value_and_gradient(batch)
    first = [*bits(values), *bits([mean]), *bits(gradient)]
    values[:] = gradient[:] = 7.0
    assert [*bits(tape.values(batch)), *bits([tape.value_and_gradient(batch)[0]])] == first[:34]
    assert bits(tape.value_and_gradient(batch)[1]) == first[34:]
    assert np.array_equal(batch, kept)


def test_a_tape_says_what_it_is() -> None:
    E, variables = GRAPHS["neuron"]()
    assert re.fullmatch(r"Tape: 4 parameters, 3 inputs, \d+ instructions, \d+ bytes", repr(Tape(E, variables[:3])))
    tape = Tape(E, variables[:3])
    assert [parameter.label for parameter in tape.parameters] == ["w1", "w2", "w3", "b"]
    assert tape.parameters == variables[3:] and tape.inputs == variables[:3] and tape.E is E
    assert Tape(E, []).parameters == [x for x in topological_order(E) if x.rule is None]


def test_a_program_is_small_and_linear() -> None:
    """At most 40 bytes a node, for the graph of many samples in one."""

    def size(count: int) -> tuple[int, int]:
        w = [Value(0.1 * i) for i in range(3)]
        E = total([total([w[0] * (0.3 + i), w[1], w[2] * 0.7]).relu() * 0.5 for i in range(count)])
        program = flatten(E).program
        return program.bytes, len(topological_order(E))

    (small, nodes), (large, many) = size(300), size(3000)
    assert large / many <= 40 and large / small == pytest.approx(many / nodes, rel=0.01)


# -- numbers read while a tape is recorded

READS: dict[str, Callable[[Value, Value], Any]] = {
    "of an input": lambda x, w: x * x.data,
    "of a computed node": lambda x, w: x if (x * w).data > 0 else -x,
    "of a parameter": lambda x, w: x * w.data,
    "by jvp": lambda x, w: x * replay(x * w, {}),
}


@pytest.mark.parametrize("f", READS.values(), ids=READS)
def test_a_number_read_while_recording_is_refused(f: Callable[[Value, Value], Any]) -> None:
    w = Value(0.7)
    with pytest.raises(TypeError, match=r"^a tape would keep the \.data read here for ever: write detach\(x\)"):
        trace(lambda x: f(x, w), [0.3])
    assert w.data == 0.7 and type(f(Value(0.3), w)) is Value


def test_showing_a_number_while_recording_is_no_reading() -> None:
    w, shown = Value(0.7, "w"), []

    def f(x: Value) -> Value:
        y = x * w
        shown.extend([f"{y:.3f}", repr(w), f"{x}"])
        return y

    assert trace(f, [0.5]).values([[2.0]]).tolist() == [1.4]
    assert shown == ["0.350", "Value(data=0.7, grad=None, label='w')", "Value(data=0.5, grad=None, label='x[0]')"]


def test_an_error_while_recording_is_the_engines() -> None:
    with pytest.raises(DomainError, match=r"^log: log\(x\) is not defined at x = -0\.3 \(x\[0\]\)"):
        trace(lambda x: log(x), [-0.3])


def test_detach_is_computed_afresh_and_passes_nothing_back() -> None:
    w = Value(0.7)
    tape = trace(lambda x: x * w * detach(w) + detach(x), [0.3])
    for number in (0.7, -1.3):
        w.data = number
        assert tape.values([[2.0], [3.0]]).tolist() == [2.0 * number * number + 2.0, 3.0 * number * number + 3.0]
        assert tape.gradients([[2.0]]).tolist() == [[2.0 * number]]


# -- each sample's own gradient, and what tapes share


def test_gradients_are_backwards_own() -> None:
    E, inputs = mixed()
    tape, batch = Tape(E, inputs), batch_of(inputs, 37)
    expected = [eager(graph, tape.parameters)[1] for graph in one_by_one(tape, batch)]
    assert tape.gradients(batch) == pytest.approx(np.array(expected), rel=1e-12)
    assert tape.gradients(batch).mean(axis=0) == pytest.approx(tape.value_and_gradient(batch)[1], rel=1e-12)
    assert Tape(E).gradients().tolist() == [Tape(E).value_and_gradient()[1].tolist()]


def test_backward_is_the_engines_for_the_mean_and_accumulates() -> None:
    E, inputs = mixed()
    tape, batch = Tape(E, inputs), batch_of(inputs, 37)
    mean, gradient = tape.value_and_gradient(batch)
    for times in (1, 2):
        assert tape.backward(batch) == mean
        assert [each.grad for each in tape.parameters] == pytest.approx((times * gradient).tolist(), rel=1e-15)
    assert [leaf.grad for leaf in inputs] == [None] * len(inputs)


def test_a_backward_that_fails_leaves_the_gradients_as_they_were() -> None:
    x, w = leaves(x=0.5, w=1.0)
    w.grad = 1.7e308
    with pytest.raises(DomainError, match=r"^a gradient, added to what was found before, is too large"):
        Tape(x * w, [x]).backward([[1.6e308]])
    with pytest.raises(DomainError, match=r"^sample 1: sqrt"):
        Tape(sqrt(x * w), [x]).backward([[0.3], [-0.3]])
    assert w.grad == 1.7e308


def test_a_value_that_is_too_large_has_no_gradients() -> None:
    x, w = leaves(x=0.5, w=1.0)
    with pytest.raises(DomainError, match=r"^sample 1: "):
        Tape(x * w + 1e308, [x]).gradients([[0.3], [1.7e308]])


def test_gradients_of_a_sample_that_fails_are_the_engines_error() -> None:
    x, w = leaves(x=0.5, w=1.0)
    with pytest.raises(DomainError, match=r"^sample 5: sqrt: dz/dx = "):
        Tape(sqrt(x * w), [x]).gradients([[0.3]] * 5 + [[0.0]] + [[0.4]] * 9)


def test_blocks_of_samples_change_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    E, inputs = mixed()
    batch = batch_of(inputs, 150)
    seen, gradients = set(), []
    for most in (1, 2**14, 2**30):
        monkeypatch.setattr("engine.tape.tape.MOST_BYTES", most)
        tape = Tape(E, inputs)
        mean, gradient = tape.value_and_gradient(batch)
        gradients.append(gradient)
        seen.add((tape.lanes(150), *bits([mean, *tape.values(batch), *tape.gradients(batch).ravel()])))
    assert len(seen) == 3 and len({numbers[1:] for numbers in seen}) == 1
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-13) == gradients[2], "sums of the same numbers"


def layers_and_more() -> Built:
    """Two layers one after another, one that is used twice, and weights that something else reads too."""
    rng = Random(3)
    x = [Value(rng.uniform(-1, 1), f"x{i}") for i in range(3)]
    w = iter([Value(rng.uniform(-1, 1), f"w{i}") for i in range(60)])
    first = [[next(w) for _ in range(3)] + [next(w)] for _ in range(5)]
    second = [[next(w) for _ in range(5)] for _ in range(3)]
    other = [[next(w) for _ in range(3)] for _ in range(2)]

    def layer(weights: list[list[Value]], rows: list[Value]) -> list[Value]:
        return [total([*(v * r for v, r in zip(ws, rows, strict=False)), *ws[len(rows) :]]) for ws in weights]

    hidden = layer(second, [z.tanh() for z in layer(first, x)])
    again = layer(second, [z.sin() for z in layer(first, [h * 0.5 for h in hidden])])
    outputs = layer(other, again)
    return total([*outputs, outputs[0] * other[0][0], again[1], *[z.relu() for z in hidden]]).sigmoid(), x


def test_layers_are_bitwise_the_engine_in_one_lane_and_themselves_in_batches() -> None:
    E, inputs = layers_and_more()
    same_as_eager(E)
    same_in_batches(Tape(E, inputs), batch_of(inputs, 21))


COUNT = 13  # neurons: eight, four and one


def one_layer() -> tuple[list[Value], list[Value], list[Value], list[Value]]:
    """The inputs; two weights for each of some neurons, and a weight of its output; and the neurons' sums."""
    x, y = leaves(x=0.83, y=-0.4)
    w = [Value(0.3 + 0.017 * i, f"w{i}") for i in range(2 * COUNT)]
    v = [Value(0.9 - 0.031 * i, f"v{i}") for i in range(COUNT)]
    return [x, y], w, v, [total([w[2 * i] * x, w[2 * i + 1] * y]) for i in range(COUNT)]


def weighted(v: list[Value], made: list[Value]) -> Value:
    return total([a * b for a, b in zip(v, made, strict=True)])


@pytest.mark.parametrize("bias", [False, True])
def test_a_layer_gives_the_gradients_of_its_rows_in_one_go(bias: bool) -> None:
    """No term is left but that of the seed, that of the output and a layer's turn; nor one of a parameter's."""
    inputs, _, v, sums = one_layer()
    output = total([*(a * z.tanh() for a, z in zip(v, sums, strict=True)), *[Value(0.2, "b")][:bias]])
    program = Tape(output.sin(), inputs).program
    assert (program.upstreams == 0).sum() == 1 and len(program.upstreams) == 3 and program.terms == 0


def test_gradients_meet_slopes_that_dont_lie_side_by_side() -> None:
    inputs, _, v, sums = one_layer()
    E = weighted(v, [z.tanh() for z in sums])
    beside = weighted(v, [hypot(z, Value(0.7 + 0.1 * i, f"p{i}")) for i, z in enumerate(sums)])
    for graph in (E, E + sums[1].sin(), E + sums[0] * sums[7], weighted(v, [z * z.tanh() for z in sums]), beside):
        same_as_eager(graph)
        same_in_batches(Tape(graph, inputs), batch_of(inputs, 21))


@pytest.mark.parametrize("zero", [[4], [12], range(COUNT)])
def test_a_layer_asks_nothing_of_an_infinite_slope_behind_a_zero(
    zero: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, w, v, _ = one_layer()
    for i in zero:
        w[2 * i].data = w[2 * i + 1].data = v[i].data = 0.0  # the sum is 0, and its weight, too
    sums = [total([w[2 * i] * inputs[0], w[2 * i + 1] * inputs[1]]) for i in range(COUNT)]
    tape, batch = Tape(weighted(v, [sqrt(z) for z in sums]), inputs), np.array([[0.83, 0.4], [1.2, 0.9]])
    expected = [eager(graph, tape.parameters)[1] for graph in one_by_one(tape, batch)]
    monkeypatch.setattr(tape, "_eagerly", None)
    assert tape.gradients(batch) == pytest.approx(np.array(expected), rel=1e-12)
    assert tape.value_and_gradient(batch)[1] == pytest.approx(mean_of(expected), rel=1e-12)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("bias", [False, True])
def test_layers_over_constants_are_bitwise_the_engine(samples: int, bias: bool) -> None:
    """As in a graph of several samples, each with numbers of its own, through which the weights are shared."""
    w = [[Value(0.3 + 0.17 * n - 0.11 * k, f"w{n}{k}") for k in range(4)] for n in range(COUNT)]
    v, rng, errors = [Value(0.9 - 0.07 * n, f"v{n}") for n in range(COUNT)], Random(9), []
    for _ in range(samples):
        row = [rng.uniform(-1, 1) for _ in range(3)]
        sums = [total([*(a * x for a, x in zip(ws, row, strict=False)), *ws[3 : 3 + bias]]) for ws in w]
        errors.append((weighted(v, [z.tanh() for z in sums]) - rng.uniform(-1, 1)) ** 2)
    same_as_eager(total(errors) * 0.5)


def test_a_row_that_something_else_reads_is_pulled_and_not_given_by_its_layer() -> None:
    """As where a layer's inputs are added to its outputs (He et al., 2016)."""
    inputs, _, v, sums = one_layer()
    hidden = [z.tanh() for z in sums]
    u = [[Value(0.2 - 0.013 * (n + k), f"u{n},{k}") for k in range(COUNT)] for n in range(COUNT)]
    added = [h + weighted(line, hidden).sin() for h, line in zip(hidden, u, strict=True)]
    graph = weighted(v, added)
    same_as_eager(graph)
    same_in_batches(Tape(graph, inputs), batch_of(inputs, 21))


def test_weights_whose_layers_are_read_in_another_order_are_added_up_in_that() -> None:
    rng, another = Random(4), (3, 0, 4, 1, 2)
    w = [[Value(rng.uniform(-1, 1), f"w{n}{k}") for k in range(3)] for n in range(2)]
    rows = [[Value(rng.uniform(-1, 1)) for _ in range(3)] for _ in another]
    first, second = ([(weighted(ws, row) * 0.7).sin() for row in rows] for ws in w)
    same_as_eager(total([*first, *(second[i] for i in another)]))


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("name", ["logsumexp", "share", "total"])
def test_lists_of_any_length_are_the_engines(name: str, count: int) -> None:
    x, w = leaves(x=0.4, w=1.3)
    parts = [(0.1 + 0.7 * ((7 * i) % 11)) * x * w for i in range(count)]
    graph = ROWS[name].apply(parts) * 0.7
    same_as_eager(graph)
    same_in_batches(Tape(graph, [x]), batch_of([x], 17))
    same_as_eager(derivative(graph, w))


def test_kinds_that_are_no_longer_kept_are_made_again_and_tapes_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "MOST_KINDS", 2)
    x, w = Value(0.4), Value(1.3)
    graphs = [(x * w).sin(), (x * w).exp() + w, (x * w).tanh() * w / (x + 2.0), (x * w).sin()]
    tapes = [Tape(graph, [x]) for graph in graphs]
    assert len(loops.MADE) == 2
    for graph, tape in zip(graphs, tapes, strict=True):
        assert tape.values([[0.4]]) == pytest.approx([graph.data], rel=1e-14)


def test_a_number_in_machine_code_has_no_truth_in_python() -> None:
    """An `if` on it would choose once, while the code is written."""
    number = Number(Body(1, {}), "double", "%a0")
    for compute in (lambda: bool(number), lambda: 1.0 if number > 0.5 else 0.0, lambda: 0.0 < number < 1.0):
        with pytest.raises(TypeError, match="neither true nor false while the code is written"):
            compute()


def test_a_tape_writes_nothing_and_reads_no_code(tmp_path: Path) -> None:
    code = "from engine import *; from engine import Tape; x = Value(0.3); print(Tape(x.tanh(), [x]).values([[3.4]]))"
    environment = os.environ | {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR")}
    done = subprocess.run([sys.executable, "-Bc", code], capture_output=True, text=True, env=environment)
    assert done.stdout == f"[{math.tanh(3.4):.8f}]\n" and done.stderr == "" and not any(tmp_path.iterdir())


def test_tapes_may_be_made_in_threads() -> None:
    seen: list[Any] = []

    def work(seed: int) -> None:
        E, inputs = mixed()
        seen.append(bits(Tape(E, inputs).values(batch_of(inputs, 20, seed))))

    threads = [threading.Thread(target=work, args=(5,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4 and all(numbers == seen[0] for numbers in seen)
