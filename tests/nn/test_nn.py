"""The laws of the networks: names, numbers against NumPy written by hand, training, saving, and what is refused."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar, TypeAlias

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

import nn
from engine import DomainError, Value, topological_order, total
from nn.losses import LOSSES
from nn.networks import ACTIVATIONS

Array: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = dict[str, Array]  # the four parameters of a RegressionMLP: W1 (n×D), B1, W2 (K×n), B2

each_backend = pytest.mark.parametrize("backend", ["eager", "tape"])  # test_taped.py compares the two
D, n, K, M = 3, 4, 2, 5  # all different, so that a missing transpose or factor shows


def table(rows: int, columns: int, seed: int, low: float = -1.7, high: float = 1.7) -> list[list[float]]:
    rng = Random(seed)
    return [[rng.uniform(low, high) for _ in range(columns)] for _ in range(rows)]


X, T = table(M, D, seed=11), table(M, K, seed=12)


def regression(activation: str = "tanh", seed: int = 3) -> nn.RegressionMLP:
    return nn.RegressionMLP(inputs=D, hidden=n, outputs=K, activation=activation, seed=seed)


def numbers(model: nn.RegressionMLP, read: Callable[[Value], float | None] = lambda p: p.data) -> Numbers:
    """The parameters (or what is read of them) as arrays."""

    def bias(layer: nn.Layer) -> Array:
        return np.array([read(neuron.b) for neuron in layer.neurons if neuron.b is not None])

    return {
        "W1": np.array([[read(w) for w in neuron.w] for neuron in model.hidden.neurons]),
        "B1": bias(model.hidden),
        "W2": np.array([[read(w) for w in neuron.w] for neuron in model.output.neurons]),
        "B2": bias(model.output),
    }


def weights(model: nn.Module) -> list[float]:
    return [parameter.data for parameter in model.parameters()]


def E_of(model: nn.Module, X: Any = X, T: Any = T) -> Value:
    return nn.half_mean_squared_error([model(x) for x in X], T)


def assert_near(got: Any, true: Any, size: Any = None, tolerance: float = 1e-9) -> None:
    """Equal within the tolerance, relative to size (or to the true numbers, but not below 1e-3 of the largest)."""
    got, true = np.asarray(got, dtype=float), np.asarray(true, dtype=float)
    assert got.shape == true.shape
    size = np.maximum(np.abs(true), 1e-3 * np.max(np.abs(true))) if size is None else size
    worst = np.max(np.abs(got - true) - tolerance * size)
    assert worst <= 0, f"got {got}, true {true}"


def one_sentence(error: BaseException, *words: str) -> None:
    text = str(error)
    assert text and "\n" not in text and len(text) < 400, text
    for word in words:
        assert word in text, f"{word!r} isn't in {text!r}"


def test_the_measures_can_fail() -> None:
    for got in ([1.3, 2.6 * (1 + 2e-9)], [1.3], [math.nan, 2.6]):
        with pytest.raises(AssertionError):
            assert_near(got, [1.3, 2.6])
    with pytest.raises(AssertionError):
        one_sentence(ValueError("inputs is 3"), "inputs", "4")
    assert numbers(regression())["W1"].shape == (n, D) and numbers(regression())["W2"].shape == (K, n)


# -- names and shapes


def test_parameters_are_labelled_by_the_expression_that_reaches_them() -> None:
    model = regression()
    for path, parameter in model.named_parameters().items():
        assert eval(f"model.{path}", {"model": model}) is parameter
        assert parameter.label == path
    assert model.hidden[2].w[1].label == "hidden[2].w[1]"
    assert model.output[0].b is not None and model.output[0].b.label == "output[0].b"
    paths = list(model.named_parameters())
    assert paths[:5] == ["hidden[0].w[0]", "hidden[0].w[1]", "hidden[0].w[2]", "hidden[0].b", "hidden[1].w[0]"]
    assert paths[-2:] == ["output[1].w[3]", "output[1].b"]


@pytest.mark.parametrize(
    "model, path",
    [
        (nn.Neuron(D), "w[2]"),
        (nn.Neuron(D), "b"),
        (nn.Layer(D, n), "[3].w[2]"),
        (nn.MLP(D, [n, K]), "layers[1][0].b"),
        (nn.MLP(D, [n, K]), "layers[0][3].w[2]"),
    ],
)
def test_every_kind_of_model_labels_its_parameters(model: nn.Module, path: str) -> None:
    dot = "" if path.startswith("[") else "."
    assert eval(f"model{dot}{path}", {"model": model}).label == path
    assert path in model.named_parameters()


def test_a_neurons_nodes_are_labelled_too() -> None:
    model = regression()
    labels = {node.label: node.op for node in topological_order(E_of(model, X[:1], T[:1]))}
    assert (labels["hidden[2].z"], labels["hidden[2].a"]) == ("total", "tanh")
    assert labels["output[1].a"] == "total"
    assert {f"hidden[{i}].{node}" for i in range(n) for node in "za"} <= labels.keys()


def test_the_nodes_of_a_neuron_that_is_all_of_the_model_have_no_labels() -> None:
    [a] = nn.Neuron(D)([0.3, -0.7, 1.1])
    assert [node.label for node in topological_order(a) if node.rule] == [None] * (D + 2)


@pytest.mark.parametrize("size", [1, 3])
def test_a_model_has_the_shape_that_was_asked_for(size: int) -> None:
    for model, count, outputs in (
        (nn.Neuron(D), D + 1, 1),
        (nn.Neuron(D, bias=False), D, 1),
        (nn.Layer(D, size), (D + 1) * size, size),
        (nn.Layer(D, size, bias=False), D * size, size),
        (nn.MLP(D, [size]), (D + 1) * size, size),
        (nn.MLP(D, [n, 5, size]), (D + 1) * n + (n + 1) * 5 + 6 * size, size),
        (nn.RegressionMLP(D, n, size), (D + 1) * n + (n + 1) * size, size),
    ):
        assert len(model.parameters()) == len(set(model.parameters())) == count
        ys = model([0.3, -0.7, 1.1])
        assert isinstance(ys, list) and len(ys) == outputs and all(type(y) is Value for y in ys)
        assert model.predict([[0.3, -0.7, 1.1]] * 2) == [[y.data for y in ys]] * 2


@pytest.mark.parametrize("model", [nn.MLP(D, [n, 5, K], "tanh"), nn.RegressionMLP(D, n, K)], ids=repr)
def test_all_layers_but_the_last_have_the_activation(model: Any) -> None:
    x: Any = [0.3, -0.7, 1.1]
    ops = []
    for layer in model.layers:
        x = layer(x)
        ops.append({a.op for a in x})
    assert ops == [{"tanh"}] * (len(model.layers) - 1) + [{"total"}]
    assert [y.data for y in x] == [y.data for y in model([0.3, -0.7, 1.1])]


@pytest.mark.parametrize("row", [[0.3, -0.7, 1.1], (0.3, -0.7, 1.1), np.array([0.3, -0.7, 1.1])])
def test_a_row_may_be_a_list_a_tuple_or_an_array(row: Any) -> None:
    assert [y.data for y in regression()(row)] == [y.data for y in regression()([0.3, -0.7, 1.1])]
    rows: Any = np.array([row, row])
    assert regression().predict(rows) == regression().predict([list(row)] * 2)


def test_a_row_of_values_lets_the_gradient_reach_the_inputs() -> None:
    xs = [Value(x) for x in X[0]]
    (regression()(xs)[0] * 1.7).backward()
    assert all(x.grad for x in xs)


def draws(model: Any) -> list[float]:
    """What was drawn for each parameter, as a share of its bound: no two of one seed are alike."""
    found = []
    for layer in model.layers:
        for neuron in layer:
            size = len(neuron.w)
            spread = math.sqrt((6 if is_a_rectifier(neuron.activation) else 3) / size)
            found += [round(w.data / spread, 9) for w in neuron.w] + [round(neuron.b.data * math.sqrt(size), 9)]
    return found


def test_seeds_decide_all_the_weights() -> None:
    for make in (lambda seed: regression(seed=seed), lambda seed: nn.MLP(D, [n, K], seed=seed)):
        assert weights(make(3)) == weights(make(3)) != weights(make(4))
        assert len(set(draws(make(3)))) == len(weights(make(3)))
    assert weights(nn.Neuron(2, seed=0)) == weights(nn.Neuron(2, seed=Random(0)))
    assert weights(nn.Neuron(1, seed=0))[0] == math.sqrt(3) * (2 * 0.8444218515250481 - 1), "the same on any machine"


def is_a_rectifier(activation: str) -> bool:
    """Does it pass on what is positive, and next to nothing of the rest?"""
    g = ACTIVATIONS[activation]
    try:
        return bool(abs(g(0.0)) == 0 and abs(g(30.0) - 30.0) < 1e-9 and abs(g(-30.0)) < 1.0)
    except DomainError:
        return False


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_weights_are_spread_evenly_over_their_bounds(activation: str) -> None:
    """±√(3/inputs); before a rectifier √2 times as far, ±√(6/inputs)."""
    bound = math.sqrt((6 if is_a_rectifier(activation) else 3) / 20)
    found = [w.data for neuron in nn.Layer(20, 100, activation, seed=5).neurons for w in neuron.w]
    assert 0.99 * bound < max(found) <= bound and -bound <= min(found) < -0.99 * bound
    assert sum(w * w for w in found) / len(found) == pytest.approx(bound**2 / 3, rel=0.05)


def test_the_rectifiers_are_those_that_a_student_would_name() -> None:
    assert {name for name in ACTIVATIONS if is_a_rectifier(name)} == {"relu", "leaky_relu", "elu", "silu", "gelu"}


@pytest.mark.parametrize("inputs", [1, 3, 16])
def test_biases_are_spread_evenly_over_theirs(inputs: int) -> None:
    """±1/√inputs, over many seeds."""
    bound = 1 / math.sqrt(inputs)
    neurons = [nn.Neuron(inputs, seed=seed) for seed in range(1000)]
    found = [neuron.b.data for neuron in neurons if neuron.b is not None]
    assert 0.99 * bound < max(found) <= bound and -bound <= min(found) < -0.99 * bound
    assert sum(b * b for b in found) / len(found) == pytest.approx(bound**2 / 3, rel=0.1)


class Line(nn.Module):
    def __init__(self, slope: float = 0.7) -> None:
        self.slope, self.offset = Value(slope), Value(-1.3)
        self.name, self.count = "a line", 2

    def __call__(self, x: Sequence[Any]) -> list[Value]:
        return [self.slope * x[0] + self.offset]


class Assembly(nn.Module):
    """Values, Modules, lists and tuples of them, and lists in lists."""

    def __init__(self) -> None:
        self.scale = Value(1.9)
        self.lines = [Line(0.3), Line(0.4)]
        self.grid = [[Value(0.1), Value(0.2)], (Value(0.35), 4.5)]
        self.net = nn.Layer(1, 2, "tanh")
        self.none = None
        self.computed = self.scale * 2.5


def test_a_module_of_ones_own_finds_its_values_modules_and_lists() -> None:
    model = Assembly()
    assert list(model.named_parameters()) == [
        "scale", "lines[0].slope", "lines[0].offset", "lines[1].slope", "lines[1].offset",
        "grid[0][0]", "grid[0][1]", "grid[1][0]", "net[0].w[0]", "net[0].b", "net[1].w[0]", "net[1].b",
    ]  # fmt: skip
    assert [p.label for p in model.parameters()] == list(model.named_parameters())
    assert model.net([0.5])[1].label == "net[1].a"


def test_zero_grad_is_none_everywhere() -> None:
    model = regression()
    E_of(model).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def tied() -> Any:
    """One parameter under two names, and one module under two names."""
    model: Any = nn.Module()
    model.first, model.line = Value(0.7), Line()
    model.second, model.again = model.first, [model.line]
    return model


def grown() -> nn.Module:
    """A parameter put in the place of another, and one added to a list."""
    model = regression()
    model.hidden[0].b = Value(0.37)
    model.output[1].w.append(Value(0.41))
    return model


def test_a_shared_parameter_is_found_once() -> None:
    assert len(tied().parameters()) == 3
    assert list(tied().named_parameters()) == ["first", "line.slope", "line.offset"]


@pytest.mark.parametrize("make", [tied, grown, Assembly])
def test_a_label_is_the_path_that_the_parameter_is_saved_under(make: Callable[[], nn.Module]) -> None:
    assert {path: p.label for path, p in make().named_parameters().items()} == {
        path: path for path in make().named_parameters()
    }


def test_a_module_without_a_call_says_what_it_needs() -> None:
    with pytest.raises(NotImplementedError, match=r"Module needs a method __call__\(self, x\)"):
        nn.Module()([0.5])


@pytest.mark.parametrize(
    "model, text",
    [
        (nn.Neuron(2, "relu", bias=False), "Neuron(inputs=2, activation='relu', bias=False)"),
        (nn.Layer(3, 2), "Layer(inputs=3, neurons=2, activation='tanh', bias=True)"),
        (nn.MLP(2, [3, 1]), "MLP(inputs=2, sizes=[3, 1], activation='relu')"),
        (nn.RegressionMLP(3, 2), "RegressionMLP(inputs=3, hidden=2, outputs=1, activation='tanh')"),
    ],
)
def test_repr_is_what_one_would_type(model: nn.Module, text: str) -> None:
    assert repr(model) == text
    assert repr(eval(f"nn.{text}")) == text


# -- every activation against NumPy, by hand

erf = np.vectorize(math.erf)
SQRT_PI = math.sqrt(math.pi)


def sigma(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


BY_HAND: dict[str, tuple[Callable[[Array], Any], Callable[[Array], Any]]] = {
    "identity": (lambda z: z, lambda z: z**0),
    "neg": (lambda z: -z, lambda z: -(z**0)),
    "sqrt": (np.sqrt, lambda z: 0.5 / np.sqrt(z)),
    "exp": (np.exp, np.exp),
    "exp2": (np.exp2, lambda z: np.exp2(z) * math.log(2)),
    "expm1": (lambda z: np.exp(z) - 1, np.exp),
    "log": (np.log, lambda z: 1 / z),
    "log2": (np.log2, lambda z: 1 / z / math.log(2)),
    "log10": (np.log10, lambda z: 1 / z / math.log(10)),
    "log1p": (lambda z: np.log(1 + z), lambda z: 1 / (1 + z)),
    "log0": (np.log, lambda z: 1 / z),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda z: -np.sin(z)),
    "tan": (np.tan, lambda z: 1 / np.cos(z) ** 2),
    "asin": (np.arcsin, lambda z: 1 / np.sqrt(1 - z**2)),
    "acos": (np.arccos, lambda z: -1 / np.sqrt(1 - z**2)),
    "atan": (np.arctan, lambda z: 1 / (1 + z**2)),
    "sinh": (np.sinh, np.cosh),
    "cosh": (np.cosh, np.sinh),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "asinh": (np.arcsinh, lambda z: 1 / np.sqrt(1 + z**2)),
    "acosh": (np.arccosh, lambda z: 1 / np.sqrt(z**2 - 1)),
    "atanh": (np.arctanh, lambda z: 1 / (1 - z**2)),
    "sigmoid": (sigma, lambda z: sigma(z) * (1 - sigma(z))),
    "softplus": (lambda z: np.log(1 + np.exp(z)), sigma),
    "logsigmoid": (lambda z: -np.log(1 + np.exp(-z)), lambda z: sigma(-z)),
    "elu": (lambda z: np.where(z > 0, z, np.exp(z) - 1), lambda z: np.where(z > 0, 1, np.exp(z))),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "silu": (lambda z: z * sigma(z), lambda z: sigma(z) + z * sigma(z) * (1 - sigma(z))),
    "gelu": (
        lambda z: z * (1 + erf(z / math.sqrt(2))) / 2,
        lambda z: (1 + erf(z / math.sqrt(2))) / 2 + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "erf": (erf, lambda z: 2 / SQRT_PI * np.exp(-(z**2))),
    "erfc": (lambda z: 1 - erf(z), lambda z: -2 / SQRT_PI * np.exp(-(z**2))),
    "abs": (np.abs, np.sign),
    "floor": (np.floor, lambda z: 0 * z),
    "step": (lambda z: (z > 0) * 1.0, lambda z: 0 * z),
    "sign": (np.sign, lambda z: 0 * z),
    "detach": (lambda z: z, lambda z: 0 * z),
    "sech": (lambda z: 1 / np.cosh(z), lambda z: -np.tanh(z) / np.cosh(z)),
    "circ": (lambda z: np.sqrt(1 - z**2), lambda z: -z / np.sqrt(1 - z**2)),
    "gauss": (lambda z: np.exp(-(z**2)), lambda z: -2 * z * np.exp(-(z**2))),
}
# how far to the right of 0 their z must lie
POSITIVE = {"sqrt": 0.3, "log": 0.3, "log2": 0.3, "log10": 0.3, "log0": 0.3, "acosh": 1.3}


def forward(p: Numbers, g: Callable[[Array], Any], X: Any) -> tuple[Array, Array, Array]:
    """Z, A (n×M) and Y (K×M): equations (1) to (10)."""
    Z = p["W1"] @ np.asarray(X).T + p["B1"][:, None]
    return Z, g(Z), p["W2"] @ g(Z) + p["B2"][:, None]


def backprop(p: Numbers, activation: str, X: Any, T: Any, absolute: bool = False) -> tuple[float, Numbers]:
    """E and its derivatives, equations (17) to (28) and the biases'; or those with every term's absolute value."""
    g, slope = BY_HAND[activation]
    Z, A, Y = forward(p, g, X)
    size: Callable[[Array], Array] = np.abs if absolute else lambda array: array
    off = Y - np.asarray(T).T
    delta2 = size(off) / off.size
    delta1 = (size(p["W2"]).T @ delta2) * size(slope(Z))
    return float(np.sum(off**2) / 2 / off.size), {
        "W1": delta1 @ size(np.asarray(X)), "B1": delta1.sum(1), "W2": delta2 @ size(A).T, "B2": delta2.sum(1),
    }  # fmt: skip


def test_every_activation_is_worked_out_by_hand() -> None:
    assert BY_HAND.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_of_the_whole_E_are_those_worked_out_by_hand(activation: str) -> None:
    model, rng = regression(activation), Random(activation)
    for i, neuron in enumerate(model.hidden.neurons):
        for w in neuron.w:
            w.data = rng.uniform(-0.1, 0.1)
        assert neuron.b is not None
        neuron.b.data = POSITIVE.get(activation, (0.41, -0.37, 0.53, -0.29)[i]) + 0.1
    inputs = table(M, D, seed=21, low=-0.3, high=0.3)
    p = numbers(model)
    E, true = backprop(p, activation, inputs, T)
    _, size = backprop(p, activation, inputs, T, absolute=True)
    graph = E_of(model, inputs, T)
    graph.backward()
    assert graph.data == pytest.approx(E, rel=1e-12)
    for name, gradient in numbers(model, lambda p: p.grad).items():
        assert_near(gradient, true[name], size[name], 1e-12)


def test_a_wrong_slope_by_hand_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BY_HAND, "sin", (np.sin, lambda z: np.cos(z) * (1 + 1e-11)))
    with pytest.raises(AssertionError):
        test_gradients_of_the_whole_E_are_those_worked_out_by_hand("sin")


# -- training against NumPy, by hand

RUNS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "plain": ("tanh", "SGD", {"learning_rate": 0.13}),
    "small": ("sigmoid", "SGD", {"learning_rate": 0.013}),
    "momentum": ("sin", "SGD", {"learning_rate": 0.07, "momentum": 0.8}),
    "weight decay": ("softplus", "SGD", {"learning_rate": 0.11, "weight_decay": 0.03}),
    "a rate per layer": ("gelu", "SGD", {"learning_rate": (0.17, 0.05)}),
    "all of it": ("relu", "SGD", {"learning_rate": (0.05, 0.02), "momentum": 0.6, "weight_decay": 0.01}),
    "adam": ("tanh", "Adam", {"learning_rate": 0.017}),
    "adam, weight decay": ("silu", "Adam", {"learning_rate": 0.023, "weight_decay": 0.04}),
    "adam, a rate per layer": ("leaky_relu", "Adam", {"learning_rate": (0.011, 0.031)}),
    "adam, other means": ("tanh", "Adam", {"learning_rate": 0.019, "betas": (0.7, 0.93), "eps": 0.003}),
    "adam, of the last slope": ("sin", "Adam", {"learning_rate": 0.007, "betas": (0.0, 0.5), "eps": 0.2}),
    "adamw": ("silu", "AdamW", {"learning_rate": 0.023, "weight_decay": 0.4}),
    "adamw, all of it": ("gelu", "AdamW", {"learning_rate": (0.02, 0.01), "betas": (0.8, 0.95), "eps": 1e-4}),
    "nesterov": ("sin", "SGD", {"learning_rate": 0.07, "momentum": 0.8, "nesterov": True}),
    "nesterov, weight decay": (
        "tanh",
        "SGD",
        {"learning_rate": (0.03, 0.05), "momentum": 0.6, "nesterov": True, "weight_decay": 0.02},
    ),
    "a rate that falls": ("tanh", "SGD", {"learning_rate": lambda epoch: 0.2 / (1 + epoch), "momentum": 0.5}),
    "a rate that falls, of a layer": ("gelu", "Adam", {"learning_rate": (lambda epoch: 0.02 * 0.97**epoch, 0.013)}),
    "rates of their own": (
        "softplus",
        "AdamW",
        {"learning_rate": [lambda epoch: 0.02 + 0.01 * math.cos(epoch), lambda epoch: 0.01 if epoch < 37 else 0.003]},
    ),
}


def by_hand(
    p: Numbers, activation: str, optimizer: str, epochs: int, learning_rate: Any, momentum: float = 0.0,
    weight_decay: float | None = None, nesterov: bool = False, betas: Any = (0.9, 0.999), eps: float = 1e-8,
) -> Iterator[tuple[float, Numbers]]:  # fmt: skip
    """E before each step, and the parameters after it."""
    given = learning_rate if isinstance(learning_rate, (tuple, list)) else (learning_rate, learning_rate)
    decay = (0.01 if optimizer == "AdamW" else 0.0) if weight_decay is None else weight_decay
    v = {name: np.zeros_like(W) for name, W in p.items()}
    m = dict(v)
    for t in range(1, epochs + 1):
        E, gradients = backprop(p, activation, X, T)
        rates = [rate(t - 1) if callable(rate) else rate for rate in given]
        for name, rate in zip(("W1", "B1", "W2", "B2"), (rates[0], rates[0], rates[1], rates[1]), strict=True):
            slope = gradients[name]
            if optimizer == "AdamW":
                p = p | {name: p[name] * (1 - rate * decay)}
            else:
                slope = slope + decay * p[name]
            if optimizer == "SGD":
                v[name] = momentum * v[name] + slope
                change = slope + momentum * v[name] if nesterov else v[name]
            else:
                m[name] = betas[0] * m[name] + (1 - betas[0]) * slope
                v[name] = betas[1] * v[name] + (1 - betas[1]) * slope**2
                change = (m[name] / (1 - betas[0] ** t)) / (np.sqrt(v[name] / (1 - betas[1] ** t)) + eps)
            p = p | {name: p[name] - rate * change}
        yield E, p


def watched(optimizer: Any, model: nn.Module) -> tuple[Any, list[list[float]]]:
    """The optimizer, and a list that gets the weights as they are at first and after each of its steps."""
    seen, step = [weights(model)], optimizer.step

    def step_and_look() -> None:
        step()
        seen.append(weights(model))

    optimizer.step = step_and_look
    return optimizer, seen


@pytest.mark.parametrize("run", RUNS)
def test_a_training_run_is_the_one_written_with_numpy(run: str) -> None:
    activation, kind, options = RUNS[run]
    model = regression(activation)
    start = numbers(model)
    optimizer, seen = watched(getattr(nn, kind)(model, **options), model)
    history = nn.fit(model, X, T, epochs=100, optimizer=optimizer, backend="eager", progress=False)
    assert len(history.errors) == 101 and len(seen) == 101
    for step, (E, p) in enumerate(by_hand(start, activation, kind, 100, **options)):
        assert history.errors[step] == pytest.approx(E, rel=1e-9)
        rows = [np.column_stack([p[f"W{layer}"], p[f"B{layer}"]]).ravel() for layer in (1, 2)]
        assert_near(seen[step + 1], np.concatenate(rows))
    assert history.errors[100] == pytest.approx(backprop(p, activation, X, T)[0], rel=1e-9)
    assert history.errors[100] < history.errors[0]


@pytest.mark.parametrize("run", RUNS)
def test_a_training_run_on_a_tape_is_the_one_written_with_numpy(run: str) -> None:
    activation, kind, options = RUNS[run]
    model = regression(activation)
    start, optimizer = numbers(model), getattr(nn, kind)(model, **options)
    history = nn.fit(model, X, T, epochs=100, optimizer=optimizer, backend="tape", progress=False)
    *_, (_, p) = by_hand(start, activation, kind, 100, **options)
    expected = [E for E, _ in by_hand(start, activation, kind, 101, **options)]
    assert history.errors == pytest.approx(expected, rel=1e-9)
    rows = [np.column_stack([p[f"W{layer}"], p[f"B{layer}"]]).ravel() for layer in (1, 2)]
    assert_near(weights(model), np.concatenate(rows))
    assert optimizer.epoch == 100


def test_another_rate_is_another_run() -> None:
    activation, kind, options = RUNS["momentum"]
    history = nn.fit(regression(activation), X, T, epochs=3, backend="eager", progress=False)
    E, _ = list(by_hand(numbers(regression(activation)), activation, kind, 3, **options))[-1]
    assert history.errors[2] != pytest.approx(E, rel=1e-9)


@each_backend
def test_a_loop_written_by_hand_is_fit(backend: str) -> None:
    fitted, model = regression(), regression()
    history = nn.fit(fitted, X, T, epochs=20, optimizer=nn.SGD(fitted, 0.2), backend=backend, progress=False)
    sgd = nn.SGD(model, learning_rate=0.2)
    for epoch in range(20):
        E = E_of(model)
        assert E.data == pytest.approx(history.errors[epoch], rel=1e-12)
        sgd.zero_grad()
        E.backward()
        sgd.step()
    assert_near(weights(model), weights(fitted), tolerance=1e-12)


@each_backend
@pytest.mark.parametrize("shape", ["lists", "arrays", "tuples", "flat"])
def test_data_may_come_in_any_of_these_shapes(shape: str, backend: str) -> None:
    rows, targets = X, [t[:1] for t in T]
    data: Any = {
        "lists": (rows, targets),
        "arrays": (np.array(rows), np.array(targets)),
        "tuples": (tuple(map(tuple, rows)), tuple(map(tuple, targets))),
        "flat": (rows, [t for [t] in targets]),
    }[shape]
    model, expected = nn.RegressionMLP(D, n), nn.RegressionMLP(D, n)
    given, wanted = data
    nn.fit(model, given, wanted, epochs=3, backend=backend, progress=False)
    nn.fit(expected, rows, targets, epochs=3, backend=backend, progress=False)
    assert weights(model) == weights(expected)


@each_backend
def test_fit_moves_nothing_but_the_model(backend: str) -> None:
    x, t = copy.deepcopy(X), copy.deepcopy(T)
    nn.fit(regression(), x, t, epochs=3, batch_size=2, backend=backend, progress=False)
    assert (x, t) == (X, T)


# -- mini-batches, stopping, the history


@each_backend
def test_shuffles_are_reproducible_and_seeded(backend: str) -> None:
    def run(seed: int) -> tuple[list[float], list[float]]:
        model = regression()
        return nn.fit(model, X, T, epochs=8, batch_size=2, seed=seed, backend=backend, progress=False).errors, weights(
            model
        )

    assert run(5) == run(5)
    assert run(5) != run(6)


@pytest.mark.parametrize("batch_size, batches", [(1, 5), (2, 3), (4, 2), (5, 1), (99, 1)])
def test_an_epoch_sees_each_sample_once_in_batches(batch_size: int, batches: int) -> None:
    log: list[Any] = []

    def loss(ys: list[Value], t: list[float]) -> Value:
        log.append(t[0])
        return nn.half_squared_error(ys, t)

    model = regression()
    optimizer, seen = watched(nn.SGD(model, 0.01), model)
    nn.fit(
        model, X, T, epochs=2, batch_size=batch_size, loss=loss, optimizer=optimizer, backend="eager", progress=False
    )
    firsts = [t[0] for t in T]
    epochs = [log[i : i + M] for i in range(0, len(log), M)]  # E at the start, then batches and E for each epoch
    assert len(epochs) == 5 and len(seen) - 1 == 2 * batches
    assert [epochs[i] for i in (0, 2, 4)] == [firsts] * 3
    assert sorted(epochs[1]) == sorted(epochs[3]) == sorted(firsts)
    assert len({tuple(epoch) for epoch in epochs}) == 3, "a new shuffle each epoch"


@each_backend
def test_one_batch_of_all_samples_is_a_full_step(backend: str) -> None:
    full, batch = regression(), regression()
    one = nn.fit(full, X, T, epochs=10, backend=backend, progress=False).errors
    other = nn.fit(batch, X, T, epochs=10, batch_size=M, backend=backend, progress=False).errors
    assert_near(one, other, tolerance=1e-12)
    assert_near(weights(full), weights(batch), tolerance=1e-12)


@each_backend
def test_a_batch_steps_down_the_mean_over_the_batch(backend: str) -> None:
    model = regression()
    start = numbers(model)
    samples = list(range(M))
    Random(9).shuffle(samples)
    nn.fit(model, X, T, epochs=1, batch_size=2, seed=9, optimizer=nn.SGD(model, 0.3), backend=backend, progress=False)
    for batch in (samples[:2], samples[2:4], samples[4:]):
        _, gradients = backprop(start, "tanh", [X[i] for i in batch], [T[i] for i in batch])
        start = {name: W - 0.3 * gradients[name] for name, W in start.items()}
    assert_near(numbers(model)["W1"], start["W1"])
    assert_near(numbers(model)["B2"], start["B2"])


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("epochs", [0, 1, 6])
@each_backend
def test_the_history_is_E_at_the_start_and_after_each_epoch(epochs: int, batch_size: int | None, backend: str) -> None:
    model = regression()
    start = E_of(model).data
    history = nn.fit(model, X, T, epochs=epochs, batch_size=batch_size, backend=backend, progress=False)
    assert len(history.errors) == epochs + 1 and all(type(E) is float for E in history.errors)
    assert history.errors[0] == pytest.approx(start, rel=1e-14)
    assert history.errors[-1] == pytest.approx(E_of(model).data, rel=1e-14)
    assert f"{history.errors[-1]:.6g} in {epochs} epochs" in repr(history)


@pytest.mark.parametrize("batch_size", [None, 2])
@each_backend
def test_until_stops_as_soon_as_E_is_small_enough(batch_size: int | None, backend: str) -> None:
    long, short = regression(), regression()
    errors = nn.fit(long, X, T, epochs=30, batch_size=batch_size, backend=backend, progress=False).errors
    stop = next(i for i, E in enumerate(errors) if errors[12] >= E)
    history = nn.fit(short, X, T, epochs=30, batch_size=batch_size, until=errors[12], backend=backend, progress=False)
    assert history.errors == errors[: stop + 1] and 0 < stop < 30
    assert E_of(short).data == pytest.approx(history.errors[-1], rel=1e-14)
    assert len(nn.fit(short, X, T, epochs=30, until=1e9, backend=backend, progress=False).errors) == 1


@each_backend
def test_progress_is_shown_only_if_asked_for(backend: str, capfd: pytest.CaptureFixture[str]) -> None:
    nn.fit(regression(), X, T, epochs=2, backend=backend, progress=False)
    assert capfd.readouterr() == ("", "")
    nn.fit(regression(), X, T, epochs=2, backend=backend, progress=True)
    out, err = capfd.readouterr()
    assert out == "" and "training" in err and "E = " in err


def test_training_raises_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.fit(regression("relu"), X, T, epochs=3, batch_size=2, backend="eager", progress=False)


# -- losses


def values(row: Sequence[float]) -> list[Value]:
    return [Value(y) for y in row]


def test_squared_errors_are_numpys() -> None:
    Y = table(M, K, seed=31)
    off = np.array(Y) - np.array(T)
    assert nn.half_squared_error(values(Y[0]), T[0]).data == pytest.approx(0.5 * np.sum(off[0] ** 2), rel=1e-14)
    E = nn.half_mean_squared_error(list(map(values, Y)), T)
    assert E.data == pytest.approx(0.5 * np.mean(off**2), rel=1e-14)
    assert nn.half_mean_squared_error(list(map(values, Y)), np.array(T)).data == E.data  # type: ignore[arg-type]


LOGITS = [[0.7, -1.3, 2.1], [1000.0, -1000.0, 0.3], [-1000.0, -999.5, -1000.7], [1e-9, 0.0, -1e-9], [30.5, -9.4, 2.2]]


@pytest.mark.parametrize("logits", LOGITS, ids=str)
@pytest.mark.parametrize("target", [[1, 0, 0], [0, 1, 0], [0.0, 0.0, 1.0], [0.2, 0.5, 0.3]], ids=str)
def test_softmax_cross_entropy_is_mpmaths(logits: list[float], target: list[float]) -> None:
    with mpmath.workdps(900):
        powers = [mpmath.exp(y) for y in logits]
        shares = [power / sum(powers) for power in powers]
        true = -sum(mpmath.mpf(t) * mpmath.log(p) for t, p in zip(target, shares, strict=True) if t)
        slopes = [float(p - mpmath.mpf(t)) for t, p in zip(target, shares, strict=True)]
        expected = float(true)
    ys = values(logits)
    E = nn.softmax_cross_entropy(ys, target)
    assert E.data == pytest.approx(expected, rel=1e-12, abs=1e-12 * max(map(abs, logits)))
    E.backward()
    assert [y.grad for y in ys] == pytest.approx(slopes, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("off", [0.2, 5e-3, -5e-3, 1e-6, -1e-8])
def test_softmax_cross_entropy_takes_only_probabilities_that_sum_to_1(off: float) -> None:
    with pytest.raises(ValueError) as refusal:
        nn.softmax_cross_entropy(values([0.3, 0.4, -0.2]), [0.25, 0.45, 0.3 + off])
    one_sentence(refusal.value, "softmax_cross_entropy", "sum 1", f"{0.3 + off!r}")
    nearly = [0.3, 0.3, 0.4 - 1e-16]  # misses 1 also where sum() keeps what it rounds off, as from Python 3.12 on
    assert sum(nearly) < 1 < nn.softmax_cross_entropy(values([0.3] * 3), nearly).data, "rounding is forgiven"


@pytest.mark.parametrize("y, t, E, slope", [(0.3, 1, 0.7, -1), (0.3, -1, 1.3, 1), (1.7, 1, 0, 0), (-1.7, [-1.0], 0, 0)])
def test_hinge(y: float, t: Any, E: float, slope: float) -> None:
    ys = values([y])
    loss = nn.hinge(ys, t)
    loss.backward()
    assert (loss.data, ys[0].grad) == pytest.approx((E, slope), rel=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_by_its_name_is_the_function(name: str) -> None:
    one, other = nn.RegressionMLP(D, n, 1, seed=3), nn.RegressionMLP(D, n, 1, seed=3)
    targets = [1.0, -1.0, 1.0, -1.0, 1.0] if name == "hinge" else [1.0] * M
    by_name = nn.fit(one, X, targets, epochs=3, loss=name, backend="eager", progress=False).errors
    assert by_name == nn.fit(other, X, targets, epochs=3, loss=LOSSES[name], backend="eager", progress=False).errors


def test_a_classifier_learns_with_softmax_cross_entropy() -> None:
    model = nn.MLP(D, [6, 3], "tanh", seed=2)
    classes = [0, 1, 2, 1, 0]
    one_hot = [[float(k == c) for k in range(3)] for c in classes]
    nn.fit(
        model,
        X,
        one_hot,
        epochs=200,
        loss="softmax_cross_entropy",
        optimizer=nn.Adam(model, 0.05),
        backend="eager",
        progress=False,
    )
    assert [max(range(3), key=ys.__getitem__) for ys in model.predict(X)] == classes


# -- optimizers


def test_sgd_by_hand() -> None:
    w, b, unused = Value(1.7), Value(-0.4), Value(0.9)
    sgd = nn.SGD([w, b, unused], learning_rate=0.3, momentum=0.5, weight_decay=0.1)
    expected, velocity = [1.7, -0.4], [0.0, 0.0]
    for _ in range(3):
        sgd.zero_grad()
        (w**2 * 0.7 + b * w).backward()
        slopes = [1.4 * expected[0] + expected[1], expected[0]]
        for i, slope in enumerate(slopes):
            velocity[i] = 0.5 * velocity[i] + slope + 0.1 * expected[i]
        expected = [p - 0.3 * v for p, v in zip(expected, velocity, strict=True)]
        sgd.step()
        assert [w.data, b.data, unused.data] == pytest.approx([*expected, 0.9], rel=1e-13)


@pytest.mark.parametrize("slope", [1e-3, -0.7, 1e9, -1e150, 1e160, -1e200, 1e300])
def test_adams_first_step_is_the_rate_whatever_the_size_of_the_gradient(slope: float) -> None:
    """mean / √square is ±1 at first; where the square would overflow, an error, but no parameter frozen in silence."""
    w = Value(0.4, "w")
    adam = nn.Adam([w], learning_rate=0.01)
    w.grad = slope
    try:
        adam.step()
    except DomainError as refusal:
        one_sentence(refusal, "Adam", "w")
        assert (w.data, adam.state) == (0.4, {})
    else:
        assert w.data == pytest.approx(0.4 - math.copysign(0.01, slope), rel=1e-6)


@pytest.mark.parametrize("kind", [nn.SGD, nn.Adam])
def test_a_step_that_overflows_moves_nothing(kind: Any) -> None:
    model = regression()
    optimizer = kind(model, learning_rate=1e300)
    for parameter in model.parameters():
        parameter.grad = 0.37
    if kind is nn.SGD:
        optimizer.momentum = 0.9
    else:
        optimizer.learning_rate = 1.5e308
        for parameter in model.parameters():
            parameter.data = math.copysign(1e308, parameter.data)
    before, state = weights(model), dict(optimizer.state)
    if kind is nn.SGD:
        model.parameters()[-1].grad = 1e10
    with pytest.raises(DomainError) as refusal:
        optimizer.step()
    one_sentence(refusal.value, kind.__name__, "step", "learning rate", "gradient")
    assert weights(model) == before and optimizer.state == state


def test_rates_per_layer_are_for_the_parameters_of_their_layer() -> None:
    model = nn.MLP(D, [n, 2, K])
    before = weights(model)
    for parameter in model.parameters():
        parameter.grad = 1.0
    nn.SGD(model, learning_rate=(0.1, 0.02, 0.003)).step()
    steps = [old - new for old, new in zip(before, weights(model), strict=True)]
    assert steps == pytest.approx([0.1] * 16 + [0.02] * 10 + [0.003] * 6, rel=1e-12)


def test_a_parameter_outside_the_layers_has_a_rate_too_or_is_refused() -> None:
    model: Any = regression()
    model.scale = Value(0.7)
    model.scale.grad = 1.5
    with pytest.raises(ValueError) as refusal:
        nn.SGD(model, learning_rate=(0.1, 0.02)).step()
    one_sentence(refusal.value, "scale")


# -- bad input

one_hot_loss = nn.softmax_cross_entropy
BAD: list[tuple[str, Callable[[], Any], list[str]]] = [
    ("too few inputs", lambda: regression()([0.1, 0.2]), ["Layer at hidden", "3", "2"]),
    ("too many inputs", lambda: nn.MLP(3, [2])([0.1] * 4), ["layers[0]", "3", "4"]),
    ("too many inputs of a neuron", lambda: nn.Neuron(3)([0.1] * 4), ["Neuron takes", "3", "4"]),
    ("a number for a row", lambda: nn.Layer(1, 2)(0.5), ["Layer", "row of 1", "float"]),  # type: ignore[arg-type]
    ("a flat predict", lambda: regression().predict([0.1, 0.2, 0.3]), ["3", "float"]),
    ("activation", lambda: nn.Layer(3, 2, activation="tahn"), ["activation", "'tahn'", "tanh", "relu"]),
    ("activation of an MLP", lambda: nn.MLP(3, [2, 1], activation="Relu"), ["'Relu'", "relu"]),
    ("activation, a function", lambda: nn.Neuron(3, activation=math.tanh), ["activation", "tanh"]),  # type: ignore[arg-type]
    ("no inputs", lambda: nn.Neuron(0), ["inputs", "0", "from 1 up"]),
    ("inputs, True", lambda: nn.Neuron(True), ["inputs", "True", "whole"]),
    ("inputs, a float", lambda: nn.Layer(2.0, 3), ["inputs", "2.0", "whole"]),  # type: ignore[arg-type]
    ("no neurons", lambda: nn.Layer(3, 0), ["neurons", "0", "from 1 up"]),
    ("neurons below 0", lambda: nn.Layer(3, -2), ["neurons", "-2"]),
    ("no hidden", lambda: nn.RegressionMLP(3, 0), ["hidden", "0", "from 1 up"]),
    ("hidden, True", lambda: nn.RegressionMLP(3, True), ["hidden", "True", "whole"]),
    ("no outputs", lambda: nn.RegressionMLP(3, 2, 0), ["outputs", "0", "from 1 up"]),
    ("no inputs to a network", lambda: nn.RegressionMLP(0, 2), ["inputs", "0"]),
    ("sizes, a number", lambda: nn.MLP(3, 4), ["sizes", "list", "4"]),  # type: ignore[arg-type]
    ("sizes, none", lambda: nn.MLP(3, []), ["sizes", "list", "[]"]),
    ("sizes, None", lambda: nn.MLP(3, None), ["sizes", "list", "None"]),  # type: ignore[arg-type]
    ("sizes with 0", lambda: nn.MLP(3, [4, 0]), ["0", "from 1 up"]),
    ("sizes with True", lambda: nn.MLP(3, [4, True]), ["True", "whole"]),
    ("rates, too many", lambda: nn.SGD(regression(), (0.1, 0.2, 0.3)), ["3 learning rates", "2 layers"]),
    ("rates, too few", lambda: nn.Adam(nn.MLP(3, [4, 2]), [0.1]), ["1 learning rate", "2 layers"]),
    ("rates, without layers", lambda: nn.SGD(Line(), (0.1, 0.2)), ["2 learning rates", "layers"]),
    ("rate of 0", lambda: nn.SGD(regression(), 0.0), ["learning_rate", "0.0", "above 0"]),
    ("rate below 0", lambda: nn.SGD(regression(), (0.1, -0.2)), ["learning_rate", "-0.2", "above 0"]),
    ("rate, nan", lambda: nn.Adam(regression(), math.nan), ["learning_rate", "nan", "finite"]),
    ("rate, True", lambda: nn.SGD(regression(), True), ["learning_rate", "True"]),
    ("rate, None", lambda: nn.SGD(regression(), None), ["learning_rate", "None"]),  # type: ignore[arg-type]
    ("rate, text", lambda: nn.SGD(regression(), "0.1"), ["learning_rate", "'0.1'"]),  # type: ignore[arg-type]
    ("momentum below 0", lambda: nn.SGD(regression(), momentum=-0.1), ["momentum", "-0.1", "from 0 up"]),
    ("weight_decay, inf", lambda: nn.Adam(regression(), weight_decay=math.inf), ["weight_decay", "inf"]),
    ("nothing to optimize", lambda: nn.SGD(nn.Module()), ["parameter"]),
    ("hinge, target 0", lambda: nn.hinge(values([0.3]), 0), ["hinge", "1 or -1", "0"]),
    ("hinge, a half", lambda: nn.hinge(values([0.3]), [0.5]), ["hinge", "1 or -1", "0.5"]),
    ("hinge, two outputs", lambda: nn.hinge(values([0.3, 0.4]), [1, 1]), ["hinge", "one output", "2"]),
    ("hinge, a class too many", lambda: nn.hinge(values([0.3, 0.4]), 2), ["class", "0 to 1", "2"]),
    ("a class that is none", lambda: nn.softmax_cross_entropy(values([0.3, 0.4]), 0.5), ["class", "0 to 1", "0.5"]),
    ("logits, a target of 2", lambda: nn.binary_cross_entropy(values([0.3]), [2]), ["from 0 to 1", "2"]),
    ("hinge, two targets", lambda: nn.hinge(values([0.3]), [1, -1]), ["hinge", "[1, -1]"]),
    ("not one-hot", lambda: one_hot_loss(values([0.3, 0.4]), [1, 1]), ["one-hot", "[1, 1]"]),
    ("all cold", lambda: one_hot_loss(values([0.3, 0.4]), [0, 0]), ["one-hot", "[0, 0]"]),
    ("below 0", lambda: one_hot_loss(values([0.3, 0.4]), [1.5, -0.5]), ["one-hot", "-0.5"]),
    ("a class too many", lambda: one_hot_loss(values([0.3, 0.4]), 2), ["0 to 1", "2"]),
    ("short one-hot", lambda: one_hot_loss(values([0.3, 0.4, 0.5]), [1, 0]), ["3", "2"]),
    ("targets of a loss", lambda: nn.half_squared_error(values([0.3]), [0.1, 0.2]), ["1 outputs", "2"]),
    ("rows of a loss", lambda: nn.half_mean_squared_error([values([0.3])], []), ["1 rows", "0"]),
    ("no rows of a loss", lambda: nn.half_mean_squared_error([], []), ["no rows", "one"]),
    ("ragged rows of a loss",
     lambda: nn.half_mean_squared_error([values([0.3]), values([0.1, 0.2])], [[0.4], [0.6, 0.7]]), ["1", "2"]),
    ("no outputs of a loss", lambda: nn.half_mean_squared_error([[]], [[]]), ["output"]),
]  # fmt: skip


@pytest.mark.parametrize("call, words", [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_is_refused_in_one_sentence(call: Callable[[], Any], words: list[str]) -> None:
    with pytest.raises((ValueError, TypeError)) as refusal:
        call()
    one_sentence(refusal.value, *words)


class Bare(Line):
    def __call__(self, x: Sequence[Any]) -> Any:
        return self.slope * x[0]


BAD_FOR_FIT: list[tuple[str, dict[str, Any], list[str]]] = [
    ("ragged X", {"X": [*X[:4], X[4][:2]]}, ["sample 4", "3", "2"]),
    ("rows without targets", {"T": T[:4]}, ["X has 5", "T has 4"]),
    ("targets without rows", {"X": X[:4]}, ["X has 4", "T has 5"]),
    ("targets", {"T": [[*t, 0.5] for t in T]}, ["sample 0", "2", "3"]),
    ("one ragged target", {"T": [*T[:3], T[3][:1], T[4]]}, ["sample 3", "2", "1"]),
    ("flat targets of two outputs", {"T": [t[0] for t in T]}, ["2", "1"]),
    ("no data", {"X": [], "T": []}, ["X", "no rows", "at least one"]),
    ("no data, as an array", {"X": np.zeros((0, D)), "T": np.zeros((0, K))}, ["X", "no rows"]),
    ("empty rows", {"X": [[]] * M}, ["3", "0"]),
    ("X is None", {"X": None}, ["X", "list", "NoneType"]),
    ("T is a number", {"T": 0.5}, ["T", "list", "float"]),
    ("nan in X", {"X": [*X[:2], [0.1, math.nan, 0.3], *X[3:]]}, ["row 2 of X", "nan", "finite"]),
    ("inf in T", {"T": [*T[:4], [math.inf, 0.1]]}, ["row 4 of T", "inf", "finite"]),
    ("nan in an array", {"X": np.full((M, D), np.nan)}, ["row 0 of X", "nan", "finite"]),
    ("text in X", {"X": [["0.1", "0.2", "0.3"]] * M}, ["row 0 of X", "str", "number"]),
    ("a bool in T", {"T": [[True, False]] * M}, ["row 0 of T", "bool", "number"]),
    ("None in X", {"X": [[0.1, None, 0.3]] * M}, ["row 0 of X", "NoneType", "number"]),
    ("nested X", {"X": [[[0.1], 0.2, 0.3]] * M}, ["row 0 of X", "list", "number"]),
    ("loss", {"loss": "mae"}, ["loss", "'mae'", "half_squared_error", "function"]),
    ("loss, a number", {"loss": 0.5}, ["loss", "0.5", "function"]),
    ("loss that returns a number", {"loss": lambda ys, ts: 0.5}, ["loss", "Value", "float"]),
    ("loss that returns nothing", {"loss": lambda ys, ts: None}, ["loss", "Value", "NoneType"]),
    ("backend", {"backend": "cuda"}, ["backend", "'cuda'", "auto", "eager"]),
    ("optimizer, the class", {"optimizer": nn.SGD}, ["optimizer", "SGD(model"]),
    ("optimizer of another model", {"optimizer": nn.SGD(regression())}, ["optimizer", "model"]),
    ("epochs below 0", {"epochs": -3}, ["epochs", "-3", "whole number from 0 up"]),
    ("epochs, a float", {"epochs": 2.5}, ["epochs", "2.5", "whole"]),
    ("epochs, True", {"epochs": True}, ["epochs", "True", "whole"]),
    ("epochs, False", {"epochs": False}, ["epochs", "False", "whole"]),
    ("batch_size of 0", {"batch_size": 0}, ["batch_size", "0", "1"]),
    ("batch_size, True", {"batch_size": True}, ["batch_size", "True", "whole"]),
    ("batch_size, a float", {"batch_size": 2.0}, ["batch_size", "2.0", "whole"]),
    ("until, nan", {"until": math.nan}, ["until", "nan", "finite"]),
    ("until, text", {"until": "0.1"}, ["until", "'0.1'"]),
    ("hinge, in fit", {"T": [0.0] * M, "model": nn.MLP(D, [1]), "loss": "hinge"}, ["sample 0", "hinge", "0.0"]),
    ("a model that returns a Value", {"model": Bare(), "X": [[0.1]], "T": [0.2]}, ["list of Values"]),
]  # fmt: skip


@each_backend
@pytest.mark.parametrize("options, words", [case[1:] for case in BAD_FOR_FIT], ids=[case[0] for case in BAD_FOR_FIT])
def test_what_fit_cant_take_it_refuses_in_one_sentence(options: dict[str, Any], words: list[str], backend: str) -> None:
    good: dict[str, Any] = {"model": regression(), "X": X, "T": T, "epochs": 2, "backend": backend, "progress": False}
    with pytest.raises((ValueError, TypeError)) as refusal:
        nn.fit(**good | options)
    one_sentence(refusal.value, *words)


def test_bad_data_is_refused_before_anything_is_trained() -> None:
    model = regression()
    before = weights(model)
    with pytest.raises(ValueError):
        nn.fit(model, X, [*T[:4], T[4][:1]], epochs=5, batch_size=1, backend="eager", progress=False)
    assert weights(model) == before


# -- saving

MODELS: list[Callable[[int], nn.Module]] = [
    lambda seed: nn.Neuron(D, "gelu", seed=seed),
    lambda seed: nn.Layer(D, n, "relu", bias=False, seed=seed),
    lambda seed: nn.MLP(D, [n, 5, K], "sigmoid", seed=seed),
    lambda seed: nn.MLP(D, [1], seed=seed),
    lambda seed: regression("silu", seed=seed),
]
each_model = pytest.mark.parametrize("make", MODELS, ids=[type(make(0)).__name__ for make in MODELS])


@each_model
def test_a_model_comes_back_bit_by_bit(make: Callable[[int], nn.Module], tmp_path: Path) -> None:
    model, path = make(7), tmp_path / "in" / "folders" / "model.json"
    extremes = [5e-324, -0.0, 1.7976931348623157e308, 0.1 + 0.2, -1 / 3]
    for parameter, number in zip(model.parameters(), extremes, strict=False):
        parameter.data = number
    model.save(str(path))
    again = nn.load(path)
    assert type(again) is type(model) and repr(again) == repr(model)
    assert [w.hex() for w in weights(again)] == [w.hex() for w in weights(model)]
    assert list(again.named_parameters()) == [p.label for p in again.parameters()]
    for parameter in (*model.parameters(), *again.parameters()):
        parameter.data = parameter.data if abs(parameter.data) < 1e3 else 0.3
    assert again.predict(X) == model.predict(X)


def test_weights_go_into_a_model_of_ones_own(tmp_path: Path) -> None:
    model, path = Assembly(), tmp_path / "model.json"
    for parameter in model.parameters():
        parameter.data *= 1.7
    model.save(str(path))
    mine = Assembly()
    assert nn.load(path, into=mine) is mine
    assert weights(mine) == weights(model)
    with pytest.raises(ValueError, match=r"Assembly.*into=model"):
        nn.load(path)
    with pytest.raises(ValueError, match="parameters are missing: "):
        nn.load(path, into=regression())


def test_tied_parameters_stay_tied(tmp_path: Path) -> None:
    tied().save(str(tmp_path / "model.json"))
    mine: Any = nn.load(tmp_path / "model.json", into=tied())
    assert mine.first is mine.second


@each_model
def test_half_a_file_is_refused(make: Callable[[int], nn.Module], tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    make(7).save(str(path))
    whole = path.read_bytes()
    for end in [*range(0, len(whole) - 2, 7), len(whole) - 2]:
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError) as refusal:
            nn.load(path)
        one_sentence(refusal.value, str(path))


def edited(tmp_path: Path, old: str, new: str) -> Path:
    path = tmp_path / "model.json"
    nn.RegressionMLP(2, 3, seed=7).save(str(path))
    text, found = re.subn(old, lambda match: new, path.read_text(encoding="utf-8"), count=1)
    assert found
    path.write_text(text, encoding="utf-8")
    return path


FIRST = '"hidden[0].w[0]": '
NUMBER = re.escape(FIRST) + r"[-0-9.e]+"
EDITS: dict[str, tuple[str, str, list[str]]] = {
    "NaN": (NUMBER, FIRST + "NaN", ["NaN"]),
    "Infinity": (NUMBER, FIRST + "Infinity", ["Infinity"]),
    "-Infinity": (NUMBER, FIRST + "-Infinity", ["Infinity"]),
    "too large a float": (NUMBER, FIRST + "1e999", ["hidden[0].w[0]", "inf", "finite"]),
    "too large an int": (NUMBER, FIRST + "1" + "0" * 400, ["hidden[0].w[0]", "finite"]),
    "text": (NUMBER, FIRST + '"0.5"', ["hidden[0].w[0]", "'0.5'", "finite"]),
    "true": (NUMBER, FIRST + "true", ["hidden[0].w[0]", "True", "finite"]),
    "null": (NUMBER, FIRST + "null", ["hidden[0].w[0]", "None", "finite"]),
    "a list": (NUMBER, FIRST + "[0.5]", ["hidden[0].w[0]", "[0.5]", "finite"]),
    "a key twice": (NUMBER, FIRST + "0.5, " + FIRST + "0.7", ["hidden[0].w[0]", "twice"]),
    "a section twice": ('"parameters":', '"parameters": {}, "parameters":', ["'parameters'", "twice"]),
    "a key missing": (NUMBER, '"hidden[0].w[7]": 0.5', ["missing", "hidden[0].w[0]"]),
    "a key too many": (NUMBER, '"hidden[9].b": 0.5, ' + FIRST + "0.7", ["unknown", "hidden[9].b"]),
    "another shape": ('"hidden": 3', '"hidden": 4', ["missing", "hidden[3]"]),
    "a smaller shape": ('"hidden": 3', '"hidden": 2', ["unknown", "hidden[2]"]),
    "a shape below 1": ('"hidden": 3', '"hidden": 0', ["0", "from 1 up"]),
    "a shape in words": ('"hidden": 3', '"hidden": "3"', ["'3'", "whole number"]),
    "an argument too many": ('"hidden": 3', '"hidden": 3, "depth": 2', ["arguments", "depth"]),
    "an argument missing": ('"hidden": 3,', "", ["arguments", "hidden"]),
    "another activation": ('"tanh"', '"tahn"', ["'tahn'"]),
    "another version": ('"stepgrad": 1', '"stepgrad": 2', ["version 1", "2"]),
    "no version": ('"stepgrad": 1,', "", ["version 1", "None"]),
    "another model": ('"RegressionMLP"', '"Transformer"', ["'Transformer'", "into=model"]),
    "a list of parameters": ('"parameters": \\{', '"parameters": [], "x": {', ["parameters", "object"]),
    "no object": (r"\{", "[{", ["JSON"]),
    "more behind": (r"\}\s*\}\s*$", "}}}", ["JSON"]),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_a_damaged_file_is_refused_with_its_name_and_the_reason(edit: str, tmp_path: Path) -> None:
    old, new, words = EDITS[edit]
    path = edited(tmp_path, old, new)
    with pytest.raises(ValueError) as refusal:
        nn.load(path)
    one_sentence(refusal.value, str(path), *words)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"1.5", b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 50_000])
def test_what_is_no_model_at_all_is_refused_with_its_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(content)
    with pytest.raises(ValueError) as refusal:
        nn.load(path)
    one_sentence(refusal.value, str(path))


def test_of_many_paths_that_dont_fit_five_are_listed(tmp_path: Path) -> None:
    nn.RegressionMLP(2, 3).save(str(tmp_path / "model.json"))
    with pytest.raises(ValueError) as refusal:
        nn.load(tmp_path / "model.json", into=nn.RegressionMLP(2, 9))
    assert len(re.findall(r"(hidden|output)\[", str(refusal.value))) == 5
    one_sentence(refusal.value, "missing", "(24 in all)")


def test_a_refused_file_leaves_the_model_to_fill_as_it_was(tmp_path: Path) -> None:
    for old, new in ((NUMBER, FIRST + "null"), (r"output\[0\]\.b", "output[0].c")):
        model = nn.RegressionMLP(2, 3, seed=8)
        before = weights(model)
        with pytest.raises(ValueError):
            nn.load(edited(tmp_path, old, new), into=model)
        assert weights(model) == before


def test_no_file_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / "none.json")
    with pytest.raises(OSError):
        regression().save(str(tmp_path))


@pytest.mark.parametrize("fails", ["chmod", "replace"])
@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_old_file_whole_and_nothing_beside_it(
    fails: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.json"
    regression(seed=1).save(str(path))
    old = path.read_bytes()

    def fail(self: Path, *_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path, fails, fail)
        with pytest.raises(type(error)):
            regression(seed=2).save(str(path))
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
    regression(seed=2).save(str(path))
    assert weights(nn.load(path)) == weights(regression(seed=2))


def test_a_saved_model_is_plain_json(tmp_path: Path) -> None:
    model = nn.RegressionMLP(2, 3, seed=7)
    model.save(str(tmp_path / "model.json"))
    data = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert data["model"] == "RegressionMLP" and data["stepgrad"] == 1
    assert data["parameters"]["output[0].b"] == model.parameters()[-1].data


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copied_model_is_the_same_and_independent(copier: Callable[[Any], Any]) -> None:
    model = regression()
    E_of(model).backward()
    twin = copier(model)
    assert weights(twin) == weights(model) and repr(twin) == repr(model)
    assert [p.label for p in twin.parameters()] == list(model.named_parameters())
    assert [p.grad for p in twin.parameters()] == [p.grad for p in model.parameters()]
    assert twin.predict(X) == model.predict(X) and twin.hidden[1].path == "hidden[1]"
    before = weights(model)
    nn.fit(twin, X, T, epochs=2, backend="eager", progress=False)
    assert weights(model) == before != weights(twin)
    assert not set(model.parameters()) & set(twin.parameters())
    tie = copier(tied())
    assert tie.first is tie.second and tie.line is tie.again[0]


# -- training that goes wrong


def assert_whole(model: nn.Module, seen: list[list[float]], X: Any = X, T: Any = T) -> int:
    """The weights are those of a completed step, all of them, and E is finite there. Returns which step."""
    assert weights(model) in seen
    assert math.isfinite(E_of(model, X, T).data)
    return seen.index(weights(model))


def test_half_a_step_is_not_whole() -> None:
    model = regression()
    _, seen = watched(nn.SGD(model), model)
    model.parameters()[0].data += 1e-12
    with pytest.raises(AssertionError):
        assert_whole(model, seen)


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("activation, rate", [("relu", 1e4), ("identity", 30.0), ("softplus", 1e80), ("expm1", 3.0)])
def test_divergence_is_an_error_and_leaves_the_last_good_weights(
    activation: str, rate: float, batch_size: int | None
) -> None:
    model = regression(activation)
    optimizer, seen = watched(nn.SGD(model, rate, momentum=0.5), model)
    with pytest.raises(
        DomainError, match=r"training diverged in epoch \d+, at (sample \d|the step): \w+.*: "
    ) as refusal:
        nn.fit(model, X, T, epochs=3000, optimizer=optimizer, batch_size=batch_size, backend="eager", progress=False)
    one_sentence(refusal.value, "last good weights", "smaller learning rate")
    assert_whole(model, seen)
    assert len(seen) > 1


def test_divergence_names_the_epoch_the_sample_and_the_operation() -> None:
    model = Line(1.0)
    model.offset.data = 0.5

    def loss(ys: list[Value], t: list[float]) -> Value:
        return (ys[0] - t[0]).exp()

    with pytest.raises(DomainError, match=r"diverged in epoch 2, at sample 1: exp: exp\(x\) is too large .*at x = "):
        nn.fit(
            model,
            [[0.1], [800.0]],
            [0.3, 880.0],
            epochs=9,
            loss=loss,
            optimizer=Back(model, 1.0),
            backend="eager",
            progress=False,
        )
    assert (model.slope.data, model.offset.data) == (1.0, 0.5)


@each_backend
def test_a_step_that_overflows_is_divergence_at_the_step(backend: str) -> None:
    model = Line()
    with pytest.raises(DomainError, match=r"^training diverged in epoch 1, at the step: SGD would step from .* slope "):
        nn.fit(model, [[1e9]], [1e10], optimizer=nn.SGD(model, 1e300), backend=backend, progress=False)
    assert weights(model) == weights(Line())


def test_a_mean_over_the_samples_that_overflows_is_divergence() -> None:
    """Each sample's error is finite, and eleven times an eleventh is rounded up; no gradient is anything but 0."""
    model, largest = Line(), sys.float_info.max
    assert sum([largest * (1 / 11)] * 11) == math.inf

    def loss(ys: list[Value], ts: Any) -> Value:
        return total([ys[0] * 0.0, ts[0]])

    with pytest.raises(DomainError, match=r"^training diverged in epoch 1, at sample 10: "):
        nn.fit(model, [[0.3]] * 11, [largest] * 11, loss=loss, backend="eager", progress=False)


class Back(nn.SGD):
    """Uphill, by 1 a step."""

    each: ClassVar = {"step": "-1"}


class Steep(nn.Module):
    def __init__(self) -> None:
        self.w = Value(1.0)

    def __call__(self, x: Sequence[Any]) -> list[Value]:
        return [(self.w * x[0]).exp()]


@pytest.mark.parametrize("seed", range(8))
def test_after_divergence_in_batches_E_is_finite_over_all_samples(seed: int) -> None:
    """Two samples raise w until the third, which needs it small, is too large; whichever comes first."""
    model, rows, targets = Steep(), [[0.5], [0.55], [300.0]], [[4.1], [4.7], [0.3]]
    try:
        nn.fit(
            model,
            rows,
            targets,
            epochs=1,
            batch_size=1,
            optimizer=nn.SGD(model, 0.2),
            seed=seed,
            backend="eager",
            progress=False,
        )
    except DomainError as refusal:
        one_sentence(refusal, "diverged in epoch 1", "sample 2")
    assert math.isfinite(E_of(model, rows, targets).data)


class Stop:
    """Raises KeyboardInterrupt at the call that was named."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("at", [1, 3, 5, 6, 17, 30])
def test_an_interruption_in_the_loss_leaves_the_model_whole(at: int, batch_size: int | None) -> None:
    stop, model = Stop(at), regression()

    def loss(ys: list[Value], t: list[float]) -> Value:
        stop()
        return nn.half_squared_error(ys, t)

    optimizer, seen = watched(nn.SGD(model, 0.2, momentum=0.9), model)
    with pytest.raises(KeyboardInterrupt):
        nn.fit(
            model,
            X,
            T,
            epochs=9,
            loss=loss,
            optimizer=optimizer,
            batch_size=batch_size,
            backend="eager",
            progress=False,
        )
    step = assert_whole(model, seen)
    assert batch_size or step >= len(seen) - 2, "at most one step is lost"


class Half(nn.SGD):
    """Is interrupted in the third step, half of which is done."""

    left = 3

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            for parameter in self.parameters()[:7]:
                parameter.data += 0.5
            raise KeyboardInterrupt
        super().step()


class Torn(nn.SGD):
    """Is interrupted while it computes the third step."""

    left = 3 * 26 - 9

    def change(self) -> Any:
        change = super().change()

        def torn(*numbers: float) -> Any:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return change(*numbers)

        return torn


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("kind", [Half, Torn])
def test_an_interruption_in_the_optimizer_leaves_the_model_whole(kind: type[nn.SGD], batch_size: int | None) -> None:
    model = regression()
    assert len(model.parameters()) == 26
    optimizer, seen = watched(kind(model, 0.2, momentum=0.9), model)
    with pytest.raises(KeyboardInterrupt):
        nn.fit(model, X, T, epochs=9, optimizer=optimizer, batch_size=batch_size, backend="eager", progress=False)
    step = assert_whole(model, seen)
    assert len(seen) == 3 and (batch_size or step == 2), "nothing of the third step, all of the second"


@pytest.mark.parametrize("kind", [nn.SGD, nn.Adam])
@pytest.mark.parametrize("at", [12, 15, 18])
def test_training_goes_on_from_an_interruption_as_if_there_had_been_none(kind: Any, at: int) -> None:
    """The optimizer's memory goes back with the weights."""

    def run(model: nn.Module, optimizer: Any, epochs: int, stop: Stop) -> None:
        def loss(ys: list[Value], t: list[float]) -> Value:
            stop()
            return nn.half_squared_error(ys, t)

        nn.fit(model, X, T, epochs=epochs, loss=loss, optimizer=optimizer, backend="eager", progress=False)

    straight, broken = regression(), regression()
    run(straight, kind(straight, 0.05), 9, Stop(0))
    optimizer, seen = watched(kind(broken, 0.05), broken)
    with pytest.raises(KeyboardInterrupt):
        run(broken, optimizer, 9, Stop(at))
    run(broken, optimizer, 9 - assert_whole(broken, seen), Stop(0))
    assert weights(broken) == weights(straight)


def test_an_error_in_a_loss_of_ones_own_leaves_the_model_whole() -> None:
    model, calls = regression(), Stop(13)

    def loss(ys: list[Value], t: list[float]) -> Value:
        try:
            calls()
        except KeyboardInterrupt:
            raise RuntimeError("mine") from None
        return total(ys) * t[0]

    optimizer, seen = watched(nn.SGD(model, 0.1), model)
    with pytest.raises(RuntimeError, match=r"^mine$"):
        nn.fit(model, X, T, epochs=9, loss=loss, optimizer=optimizer, backend="eager", progress=False)
    assert_whole(model, seen)


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("outputs, bias", [(1, True), (1, False), (3, True)])
def test_no_sum_has_a_single_operand(loss: str, outputs: int, bias: bool) -> None:
    layer = nn.Layer(1, outputs, bias=bias)
    target = [1.0] if outputs == 1 else [0.0, 1.0, 0.0]
    E = LOSSES[loss](layer([0.7]), target)
    for node in topological_order(nn.half_mean_squared_error([[E]], [[0.35]])):
        assert node.op != "total" or len(node.inputs) > 1
