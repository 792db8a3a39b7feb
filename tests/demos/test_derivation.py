"""The laws of equations.py, derivation.py and contradictions.py: by hand, in matrices, engine, NumPy; the referee."""
# ruff: noqa: E741 (l is what both documents call a layer)

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, pairwise, product
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pytest

import nn
from demos import contradictions, derivation, equations
from demos.contradictions import FAILURES, Row, Truth
from demos.equations import RHO, D, Equation, K, M, N, Nodes, Recorded, closed_form_gradients, closed_form_update
from demos.matrices import ShapeError
from engine.text.names import number_text
from nn.networks import ACTIVATIONS
from tests.pictures.reading import Drawn, groups

Array: TypeAlias = np.ndarray[Any, Any]
Numbers: TypeAlias = dict[str, float]

X, T = equations.data()
G: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {  # g and g' in NumPy, by hand
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "softplus": (lambda z: np.log(1 + np.exp(z)), lambda z: 1 / (1 + np.exp(-z))),
    "silu": (lambda z: z / (1 + np.exp(-z)), lambda z: (1 + np.exp(-z) * (1 + z)) / (1 + np.exp(-z)) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "atan": (np.arctan, lambda z: 1 / (1 + z**2)),
    "sin": (np.sin, np.cos),
    "gauss": (lambda z: np.exp(-(z**2)), lambda z: -2 * z * np.exp(-(z**2))),
    "identity": (lambda z: z, np.ones_like),
}
each_g = pytest.mark.parametrize("g", G)


class Oracle(NamedTuple):
    """NumPy's forward and backward pass; samples in rows, weights a row for each neuron: the demo's are transposed."""

    Z: list[Array]
    A: list[Array]
    E: float
    gradients: Numbers


def oracle(model: nn.RegressionMLP | nn.MLP, activation: str) -> Oracle:
    layers = model.layers
    names = (
        ["hidden", "output"] if isinstance(model, nn.RegressionMLP) else [f"layers[{l}]" for l in range(len(layers))]
    )
    weights = [np.array([[w.data for w in neuron.w] for neuron in layer.neurons]) for layer in layers]
    offsets = [np.array([neuron.b.data for neuron in layer.neurons if neuron.b is not None]) for layer in layers]
    functions = [G[activation]] * (len(layers) - 1) + [G["identity"]]
    A, Z = [np.array(X)], []
    for W, b, (g, _) in zip(weights, offsets, functions, strict=True):
        Z.append(np.einsum("md,id->mi", A[-1], W) + b)
        A.append(g(Z[-1]))
    dE_dA = (A[-1] - np.array(T)) / A[-1].size
    gradients: Numbers = {}
    for l in reversed(range(len(layers))):
        dE_dZ = dE_dA * functions[l][1](Z[l])
        dE_dW, dE_db = np.einsum("mi,md->id", dE_dZ, A[l]), dE_dZ.sum(axis=0)
        for i, row in enumerate(dE_dW):
            gradients |= {f"{names[l]}[{i}].w[{d}]": slope for d, slope in enumerate(row)}
            gradients[f"{names[l]}[{i}].b"] = dE_db[i]
        dE_dA = np.einsum("mi,id->md", dE_dZ, weights[l])
    return Oracle(Z, A, float(((A[-1] - np.array(T)) ** 2).mean() / 2), gradients)


def assert_same(ours: Numbers, truth: Numbers) -> None:
    """Every number to 1e-12 of itself; a sum that nearly cancels, to 1e-15 of the sizes around 1 that it is made of."""
    assert ours.keys() == truth.keys()
    for path, number in ours.items():
        assert number == pytest.approx(truth[path], rel=1e-12, abs=1e-15), path


def stepped(model: nn.Module, gradients: Numbers, rate: Callable[[str], float]) -> Numbers:
    return {path: w.data - rate(path) * gradients[path] for path, w in model.named_parameters().items()}


def rho(path: str) -> float:
    return RHO[0] if path.startswith("hidden") else RHO[1]


# -- the sizes and the data


def test_no_two_sizes_and_no_two_numbers_are_alike() -> None:
    numbers = [abs(number) for number in [*chain(*X, *T), *RHO]]
    assert len({D, N, K, M}) == 4
    assert (len(X), len(X[0]), len(T), len(T[0])) == (M, D, M, K)
    assert len(set(numbers)) == len(numbers) and not set(numbers) & {0.0, 0.5, 1.0, 2.0}


def test_step_1_draws_the_biases_too() -> None:
    parameters = equations.network().named_parameters()
    numbers = [parameter.data for parameter in parameters.values()]
    assert len(numbers) == (D + 1) * N + (N + 1) * K == len(set(numbers)) and 0.0 not in numbers
    assert sum(path.endswith(".b") for path in parameters) == N + K


def test_a_gradient_that_is_off_is_seen() -> None:
    model = equations.network()
    numbers = closed_form_gradients(model, X, T)
    for path in numbers:
        with pytest.raises(AssertionError):
            assert_same(numbers | {path: numbers[path] * (1 + 1e-10)}, numbers)
    with pytest.raises(AssertionError):
        assert_same({}, numbers)
    with pytest.raises(AssertionError):
        assert_same(numbers, closed_form_gradients(equations.network(seed=6), X, T))


# -- forward: (1) to (10)


@each_g
def test_the_forward_pass_per_node_and_in_matrices(g: str) -> None:
    model = equations.network(g)
    truth, by, (Z, A) = oracle(model, g), Nodes(model, X, T), equations.forward(model, X)
    pairs = [(by.Z1, truth.Z[0]), (by.A1, truth.A[1]), (by.Y, truth.A[2]), (A[0], truth.A[0])]
    pairs += [(Z[1], truth.Z[0]), (A[1], truth.A[1]), (Z[2], truth.Z[1]), (A[2], truth.A[2])]
    for ours, numpy in pairs:
        np.testing.assert_allclose(np.array(ours), numpy.T, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(model.predict(X), truth.A[2], rtol=1e-12, atol=1e-15)


@each_g
def test_8_for_four_layers(g: str) -> None:
    model = nn.MLP(D, [6, N, 8, K], activation=g, seed=3)
    truth, (Z, A) = oracle(model, g), equations.forward(model, X)
    assert sorted(Z) == [1, 2, 3, 4] and sorted(A) == [0, 1, 2, 3, 4]
    for l in A:
        np.testing.assert_allclose(np.array(A[l]), truth.A[l].T, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(model.predict(X), truth.A[4], rtol=1e-12, atol=1e-15)


# -- E and its derivatives: (11), (15) to (28), and what the document leaves undone


@each_g
def test_the_error(g: str) -> None:
    model = equations.network(g)
    recorded = nn.half_mean_squared_error([model(x) for x in X], T).data
    assert Nodes(model, X, T).E() == pytest.approx(recorded, rel=1e-12) == pytest.approx(oracle(model, g).E, rel=1e-12)


@each_g
@pytest.mark.parametrize(
    "way", [lambda *given: Nodes(*given).gradients(), closed_form_gradients, equations.engine_gradients]
)
def test_every_gradient(way: Callable[..., Numbers], g: str) -> None:
    model = equations.network(g)
    assert_same(way(model, X, T), oracle(model, g).gradients)


@each_g
def test_every_gradient_of_four_layers(g: str) -> None:
    model = nn.MLP(D, [6, N, 8, K], activation=g, seed=3)
    truth = oracle(model, g).gradients
    assert_same(closed_form_gradients(model, X, T), truth)
    assert_same(equations.engine_gradients(model, X, T), truth)


@pytest.mark.parametrize("g", sorted(set(derivation.SEVERAL) | {"step", "sign", "cos", "expm1", "asinh", "neg"}))
def test_every_gradient_for_other_activations(g: str) -> None:
    assert g in ACTIVATIONS
    model = equations.network(g)
    recorded = equations.engine_gradients(model, X, T)
    assert_same(Nodes(model, X, T).gradients(), recorded)
    assert_same(closed_form_gradients(model, X, T), recorded)


@each_g
@pytest.mark.parametrize("way", [closed_form_update, equations.engine_update])
def test_the_four_updates(way: Callable[..., Numbers], g: str) -> None:
    model = equations.network(g)
    before = {path: w.data for path, w in model.named_parameters().items()}
    assert_same(way(model, X, T, RHO), stepped(model, oracle(model, g).gradients, rho))
    assert {path: w.data for path, w in model.named_parameters().items()} == before


def test_updates_with_a_rate_for_each_of_four_layers() -> None:
    model, rates = nn.MLP(D, [6, N, 8, K], activation="tanh", seed=3), (0.23, 0.17, 0.31, 0.07)
    truth = stepped(model, oracle(model, "tanh").gradients, lambda path: rates[int(path[len("layers[")])])
    assert_same(closed_form_update(model, X, T, rates), truth)
    assert_same(equations.engine_update(model, X, T, rates), truth)


def test_data_of_another_shape_do_not_fit() -> None:
    model = equations.network()
    with pytest.raises(ShapeError):
        closed_form_gradients(model, [row[:-1] for row in X], T)
    with pytest.raises(ShapeError):
        closed_form_gradients(model, X, [row[:-1] for row in T])


# -- the equations one by one

PLACES = [equations.HERE, *Random(1).sample(list(product(range(M), range(D), range(N), range(K))), 12)]
EQUATIONS = [row for here in PLACES for row in equations.equations(equations.network("sigmoid"), X, T, here)]


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: f"{equation.number} {equation.formula}")
def test_each_equation(equation: Equation) -> None:
    assert equation.by_node == pytest.approx(equation.engine, rel=1e-12, abs=1e-15)
    if equation.in_matrices is not None:
        assert equation.in_matrices == pytest.approx(equation.engine, rel=1e-12, abs=1e-15)


def test_every_number_of_the_document_is_there() -> None:
    named = " ".join(equation.number for equation in equations.equations(equations.network(), X, T))
    plain = [f"({number})" for number in [*range(1, 20), *range(25, 29)]]
    assert not [number for number in [*plain, *"⑩⑪⑫⑬⑭⑮⑯"] if number not in named]


def test_the_engine_records_the_inputs_on_the_edges() -> None:
    recorded = Recorded(equations.network(), X, T)
    assert [[recorded.x(d, 2, m) for d in range(D)] for m in range(M)] == X


# -- steps 1), 2), 3)


def test_descent_stops_once_the_error_is_small_enough() -> None:
    errors = derivation.descend(until=0.01).errors
    assert errors[-1] <= 0.01 < errors[-2]
    assert all(after < before for before, after in pairwise(errors))


def test_descent_takes_the_closed_forms_steps() -> None:
    errors = derivation.descend(until=0.3).errors
    model = equations.network()
    parameters = model.named_parameters()
    for error in errors:
        assert Nodes(model, X, T).E() == pytest.approx(error, rel=1e-12)
        for path, number in closed_form_update(model, X, T, RHO).items():
            parameters[path].data = number


# -- the referee

ROWS = [row for rows in contradictions.contradictions().values() for row in rows]
POST, DERIVATION = ROWS[:16], ROWS[16:]


def check(row: Row) -> None:
    """The mended form is the engine's number; the words give clearly another one, or really fail."""
    right, engine = row.truth.right(), row.truth.engine()
    assert right == pytest.approx(engine, rel=1e-12)
    if row.fails is None:
        assert abs(row.wrong() - right) > 1e-6 * max(abs(right), abs(row.wrong()))
    else:
        with pytest.raises(row.fails):
            row.wrong()
        assert contradictions.verdict(row) == FAILURES[row.fails]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.where} {row.says}")
def test_each_contradiction(row: Row) -> None:
    check(row)


@pytest.mark.parametrize("row", [
    Row("", "what is right", "", Truth("", lambda: 0.7, lambda: 0.7), lambda: 0.7 * (1 + 1e-9)),
    Row("", "a mended form that is wrong", "", Truth("", lambda: 0.7 * (1 + 1e-10), lambda: 0.7), lambda: 1.3),
], ids=lambda row: row.says)  # fmt: skip
def test_a_row_that_shows_nothing_is_seen(row: Row) -> None:
    with pytest.raises(AssertionError):
        check(row)


@pytest.mark.parametrize("failure", FAILURES)
def test_an_impossible_row_that_is_possible_is_seen(failure: type[Exception]) -> None:
    with pytest.raises(pytest.fail.Exception):
        check(Row("", "", "", Truth("", lambda: 0.7, lambda: 0.7), lambda: 1.3, failure))


def test_all_that_is_known_to_be_wrong_has_a_row() -> None:
    post = {"W^(0→1)", "W^(1→2)", "δ^(1)", "δ^(0)", "layers", "E", "δ^(2)", "x_i", "h", "x, ∇f", "ε", "y", "x", "k"}
    other = {
        "(3)",
        "(5)",
        "(6)",
        "(7)",
        "(8)",
        "B",
        "(10)",
        "(11)",
        "(12)",
        "(13)",
        "(14)",
        "(15)",
        "(16)",
        "3)",
        "(18)",
    }
    assert {row.where for row in POST} == post
    assert {row.where for row in DERIVATION} == other | {"(19)", "⑧", *"⑩⑪⑫⑬⑭⑮⑯", "(25)", "(28)"}
    assert len({(row.where, row.says) for row in ROWS}) == len(ROWS)


# -- the picture


def drawn(path: Path, kind: str, marks: set[str]) -> list[Drawn]:
    found = groups(derivation.picture(path).read_text(encoding="utf-8"), kind).values()
    return [each for each in found if marks & each.classes]


def test_the_network_diagram_has_d_n_and_k_circles(tmp_path: Path) -> None:
    circles = drawn(tmp_path / "network.svg", "node", {"input", "neuron"})
    model, m = equations.network(), equations.HERE[0]
    W1, W2 = (np.array([[w.data for w in neuron.w] for neuron in layer]) for layer in model.layers)
    b1, b2 = (np.array(equations.biases(layer)) for layer in model.layers)
    a = np.tanh(W1 @ X[m] + b1)
    layers = {"x": X[m], "hidden": a, "output": W2 @ a + b2}
    assert {name: len(numbers) for name, numbers in layers.items()} == {"x": D, "hidden": N, "output": K}
    assert {circle.texts["name"]: circle.texts["data"].removeprefix("a ") for circle in circles} == {
        f"{name}[{i}]": number_text(float(number))
        for name, numbers in layers.items()
        for i, number in enumerate(numbers)
    }
    assert {circle.texts["name"]: circle.texts["bias"] for circle in circles if "bias" in circle.texts} == {
        f"{name}[{i}]": f"b {number:.4g}" for name, b in (("hidden", b1), ("output", b2)) for i, number in enumerate(b)
    }


def test_the_network_diagram_has_a_line_for_each_weight_with_its_gradient(tmp_path: Path) -> None:
    lines = drawn(tmp_path / "network.svg", "edge", {"weight"})
    m, by = equations.HERE[0], Nodes(equations.network(), X, T)
    slopes = {f"hidden[{i}].w[{d}]": by.dE_m_dw1(m, d, i) for d in range(D) for i in range(N)}
    slopes |= {f"output[{k}].w[{i}]": by.dE_m_dw2(m, i, k) for i in range(N) for k in range(K)}
    tooltips = [line.tooltip.splitlines() for line in lines]
    found = {tooltip[0]: float(tooltip[-1].partition(" = ")[2]) for tooltip in tooltips}
    assert len(lines) == len(found) == D * N + N * K
    assert_same(found, slopes)


def test_without_graphviz_the_picture_is_left_out(
    tmp_path: Path, no_engine: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    derivation.print_picture()
    assert "Left out, the picture of the D-n-K network: nothing is there" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


# -- the report


def test_report_is_narrow_and_ends_with_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    derivation.main()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert (tmp_path / "out" / "derivation-network.svg").is_file()
    assert any(line.endswith("out/derivation-network.svg") for line in lines)
    table = next(number for number, line in enumerate(lines) if line.startswith("Taken at their word"))
    assert sum("engine  " in line for line in lines[table:]) == len(ROWS)
    for text in FAILURES.values():
        wanted = [row for row in ROWS if row.fails and FAILURES[row.fails] == text]
        assert sum(line.endswith(text) for line in lines[table:]) == len(wanted) > 5
