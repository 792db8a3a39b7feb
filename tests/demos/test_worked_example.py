"""The laws of demos/worked_example.py: by node, in vectors, by the engine and by NumPy, the same numbers."""
# ruff: noqa: E741 (l is what both documents call a layer)

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import numpy as np
import pytest

import nn
from demos import worked_example as demo
from demos.matrices import Matrix, ShapeError, add, column, elementwise, ones, product, scaled, subtract, transpose
from demos.worked_example import Network, by_engine, by_node, in_vectors, largest_difference
from engine.text.names import number_text
from tests.pictures.reading import groups, parsed

Array: TypeAlias = np.ndarray[Any, Any]
Case: TypeAlias = tuple[Network, list[float], list[float], float]

SLOPES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {  # f and f' in NumPy, by hand
    "sigmoid": (lambda h: 1 / (1 + np.exp(-h)), lambda h: np.exp(-h) / (1 + np.exp(-h)) ** 2),
    "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    "sin": (np.sin, np.cos),
    "softplus": (lambda h: np.log(1 + np.exp(h)), lambda h: 1 / (1 + np.exp(-h))),
    "identity": (lambda h: h, np.ones_like),
    "atan": (np.arctan, lambda h: 1 / (1 + h**2)),
}


def case(name: str, activation: str) -> Case:
    if name == "3-2-1":
        return Network([demo.W_01, demo.W_12], activation), demo.X, [demo.Y[0]], demo.ETA
    matrices = [demo.weight_matrix(layer) for layer in demo.deeper_example().layers]
    return Network(matrices, activation), demo.DEEPER_X, demo.DEEPER_Y, demo.ETA


CASES = {(name, f): case(name, f) for name in ("3-2-1", "4-5-3-6-2") for f in SLOPES}
each_case = pytest.mark.parametrize("which", CASES, ids=" ".join)


def oracle(given: Case, f: str) -> dict[str, float]:
    """The same numbers by NumPy, from the chain rule with Jacobians rather than from error terms."""
    network, x, y, eta = given
    value, derivative = SLOPES[f]
    Ws = [np.array(demo.weight_matrix(layer)) for layer in network.layers]
    hs: list[Array] = []
    vs = [np.array(x)]
    for W in Ws:
        hs.append(W.T @ vs[-1])
        vs.append(value(hs[-1]))
    numbers: dict[str, float] = {}
    for l, (W, h) in enumerate(zip(Ws, hs, strict=True), start=1):
        jacobian = np.diag(derivative(h))  # ∂v^(l)/∂h^(l), then on to the outputs
        for later, h_later in zip(Ws[l:], hs[l:], strict=True):
            jacobian = np.diag(derivative(h_later)) @ later.T @ jacobian
        dE_dh = (vs[-1] - np.array(y)) @ jacobian
        for j in range(W.shape[1]):
            numbers |= {f"h_{j + 1}^({l})": h[j], f"v_{j + 1}^({l})": vs[l][j], f"δ_{j + 1}^({l})": -dE_dh[j]}
            for i in range(W.shape[0]):
                numbers[f"Δw_{i + 1}{j + 1}^({l})"] = -eta * dE_dh[j] * vs[l - 1][i]
    return numbers


def assert_same(ours: dict[str, float], truth: dict[str, float]) -> None:
    assert ours.keys() == truth.keys()
    for name, number in ours.items():
        assert number == pytest.approx(truth[name], rel=1e-12, abs=1e-15), name


def test_a_number_that_is_off_is_seen() -> None:
    numbers = by_node(*CASES["3-2-1", "sigmoid"])
    for name in numbers:
        with pytest.raises(AssertionError):
            assert_same(numbers | {name: numbers[name] * (1 + 1e-11)}, numbers)
        assert largest_difference(numbers | {name: numbers[name] * (1 + 1e-11)}, numbers) > 9e-12
    with pytest.raises(AssertionError):
        assert_same({}, numbers)
    with pytest.raises(ValueError, match="h_1"):
        largest_difference({}, {"h_1^(1)": 0.7})


# -- by node = in vectors = by the engine = by NumPy


@each_case
@pytest.mark.parametrize("way", [by_node, in_vectors, by_engine])
def test_each_way_gives_the_oracles_numbers(way: Callable[..., dict[str, float]], which: tuple[str, str]) -> None:
    assert_same(way(*CASES[which]), oracle(CASES[which], which[1]))


@each_case
def test_the_weight_update_is_minus_eta_times_the_gradient(which: tuple[str, str]) -> None:
    network, x, y, eta = CASES[which]
    h, v = demo.forward(network, x)
    updates = demo.weight_updates(v, demo.error_terms(network, h, v, y), eta)
    network.zero_grad()
    nn.half_squared_error(network(x), y).backward()
    for l, layer in enumerate(network.layers, start=1):
        for j, neuron in enumerate(layer.neurons):
            for i, w in enumerate(neuron.w):
                assert w.grad is not None
                assert updates[l][i][j] == pytest.approx(-eta * w.grad, rel=1e-12, abs=1e-15), w.label


def test_every_unit_and_weight_is_compared() -> None:
    assert len(by_engine(*CASES["3-2-1", "sigmoid"])) == 3 * (2 + 1) + 3 * 2 + 2 * 1
    assert len(by_engine(*CASES["4-5-3-6-2", "sigmoid"])) == 3 * (5 + 3 + 6 + 2) + 4 * 5 + 5 * 3 + 3 * 6 + 6 * 2


def test_three_hidden_layers_of_different_widths() -> None:
    network = demo.deeper_example()
    widths = [len(network.layers[0][0].w), *map(len, network.layers)]
    assert len(widths) - 2 == 3 and len(set(widths)) == len(widths)


def test_no_number_of_the_example_hides_a_factor() -> None:
    numbers = [*demo.X, *demo.Y, demo.ETA, *chain(*demo.W_01, *demo.W_12)]
    assert len({abs(number) for number in numbers}) == len(numbers)
    assert not {abs(number) for number in numbers} & {0.0, 0.5, 1.0, 2.0}


def test_no_biases_and_an_activation_on_the_output() -> None:
    network = demo.example()
    assert all(neuron.b is None for layer in network.layers for neuron in layer.neurons)
    assert [layer[0].activation for layer in network.layers] == ["sigmoid", "sigmoid"]


def test_the_update_moves_the_weights_and_lowers_the_error() -> None:
    network, x, y, eta = case("3-2-1", "sigmoid")
    updates = demo.recorded_updates(network, x, y, eta)
    before = nn.half_squared_error(network(x), y).data
    demo.update(network, updates)
    W_01, W_12 = np.array(demo.W_01) + np.array(updates[1]), np.array(demo.W_12) + np.array(updates[2])
    f = SLOPES["sigmoid"][0]
    after = float((y[0] - f(W_12.T @ f(W_01.T @ np.array(x)))[0]) ** 2 / 2)
    assert nn.half_squared_error(network(x), y).data == pytest.approx(after, rel=1e-12)
    assert after < before


# -- the pictures


def numbers_of(tooltip: str) -> list[float]:
    """The data and the gradient that a tooltip gives in full."""
    data, grad = tooltip.splitlines()[-2:]
    return [float(data.removeprefix("data ")), float(grad.partition(" = ")[2])]


def test_the_network_diagram_shows_each_neuron_and_each_weight(tmp_path: Path) -> None:
    diagram = demo.pictures(tmp_path)[0].read_text(encoding="utf-8")
    truth = oracle(CASES["3-2-1", "sigmoid"], "sigmoid")
    circles = {box.texts["name"]: box for box in groups(diagram, "node").values() if {"input", "neuron"} & box.classes}
    assert {name: circle.texts["data"] for name, circle in circles.items()} == {
        **{f"x[{i}]": number_text(x) for i, x in enumerate(demo.X)},
        **{f"layers[{l}][{j}]": f"a {truth[f'v_{j + 1}^({l + 1})']:.4g}" for l, j in ((0, 0), (0, 1), (1, 0))},
    }
    ids = {name: circle.id for name, circle in circles.items()}
    lines = [arrow for arrow in groups(diagram, "edge").values() if "weight" in arrow.classes]
    found = {arrow.tooltip.partition("\n")[0]: numbers_of(arrow.tooltip) for arrow in lines}
    expected = {}
    for l, W in enumerate((demo.W_01, demo.W_12)):
        for i, row in enumerate(W):
            for j, w in enumerate(row):
                slope = -truth[f"Δw_{i + 1}{j + 1}^({l + 1})"] / demo.ETA
                expected[f"layers[{l}][{j}].w[{i}]"] = pytest.approx([w, slope], rel=1e-12)
    assert len(ids) == 3 + 2 + 1 and len(lines) == len(expected) == 3 * 2 + 2 * 1
    assert found == expected
    labels = [each[1].text for each in parsed(diagram).iter() if each.get("class") == "on-line"]
    assert {number_text(w) for w in chain(*demo.W_01, *demo.W_12)} <= set(labels)


def test_the_whole_graph_shows_every_weight_with_its_gradient(tmp_path: Path) -> None:
    _, whole = demo.pictures(tmp_path)
    boxes = groups(whole.read_text(encoding="utf-8"), "node").values()
    truth = oracle(CASES["3-2-1", "sigmoid"], "sigmoid")
    slopes = sorted(-change / demo.ETA for name, change in truth.items() if name.startswith("Δw"))
    found = sorted(numbers_of(box.tooltip)[1] for box in boxes if "parameter" in box.classes)
    assert found == pytest.approx(slopes, rel=1e-12)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "worked_example-graph.svg",
        "worked_example-network.svg",
    ]


# -- the report


def test_report_is_narrow_and_shows_the_three_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    demo.main()
    report = capsys.readouterr().out
    assert "Δw_32^(1)" in report and "4-5-3-6-2" in report
    assert max(map(len, report.splitlines())) <= 100
    for path in (tmp_path / "out").iterdir():
        assert f"out/{path.name}" in report


def test_without_graphviz_the_rest_still_runs(
    tmp_path: Path, no_engine: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    demo.main()
    report = capsys.readouterr().out
    assert "4-5-3-6-2" in report and "Left out, the pictures: nothing is there to lay out a drawing" in report
    assert not list(tmp_path.iterdir())


# -- matrices.py


def matrix(random: Random, rows: int, columns: int) -> Matrix:
    return [[random.uniform(-2.3, 2.3) for _ in range(columns)] for _ in range(rows)]


@pytest.mark.parametrize("seed", range(5))
def test_matrices_agree_with_numpy(seed: int) -> None:
    random = Random(seed)
    sizes = random.sample(range(1, 8), 4)
    A, B, C = (matrix(random, rows, columns) for rows, columns in pairwise(sizes))
    a, b, c = map(np.array, (A, B, C))
    other = matrix(random, sizes[0], sizes[1])
    pairs = [
        (product(A, B, C), a @ b @ c),
        (transpose(A), a.T),
        (add(A, other), a + np.array(other)),
        (subtract(A, other), a - np.array(other)),
        (elementwise(lambda x, y: x * y, A, other), a * np.array(other)),
        (scaled(-1.7, A), -1.7 * a),
        (product(A, ones(sizes[1], 1)), a.sum(axis=1, keepdims=True)),
        (column(A[0]), a[0].reshape(-1, 1)),
    ]
    for ours, numpy in pairs:
        np.testing.assert_allclose(np.array(ours), numpy, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("operation", [add, subtract, product])
def test_shapes_that_do_not_fit_are_named(operation: Callable[..., Matrix]) -> None:
    with pytest.raises(ShapeError, match=r"3×2 (by|with) 3×1"):
        operation(matrix(Random(2), 3, 2), matrix(Random(3), 3, 1))
