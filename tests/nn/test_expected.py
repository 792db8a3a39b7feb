"""What people expect of nn: losses by their usual names, classes as targets, validation, training that is resumed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import nn
from engine import Value
from nn.losses import LOSSES

X = [[0.31, -1.27], [1.46, 0.52], [-0.95, 0.18], [0.07, -0.38], [-1.2, 1.1], [0.66, 0.94]]
T = [[0.6], [1.1], [-0.7], [0.2], [-1.0], [0.4]]
CLASSES = [0, 1, 2, 1, 2, 0]
each_backend = pytest.mark.parametrize("backend", ["eager", "tape"])


def values(numbers: list[float]) -> list[Value]:
    return [Value(number) for number in numbers]


def fit(model: nn.Module, targets: Any = T, **options: Any) -> nn.History:
    return nn.fit(model, X, targets, **{"epochs": 30, "progress": False} | options)


# -- losses


def test_mse_is_pytorchs_and_twice_the_default() -> None:
    ys, ts = [0.3, -1.7, 0.9], [0.1, 0.4, -0.2]
    assert nn.mean_squared_error(values(ys), ts).data == pytest.approx((0.2**2 + 2.1**2 + 1.1**2) / 3, rel=1e-15)
    models = nn.MLP(2, [3, 1]), nn.MLP(2, [3, 1])
    default, mse = fit(models[0], epochs=0).errors[0], fit(models[1], epochs=0, loss="mse").errors[0]
    assert mse == pytest.approx(2 * default, rel=1e-15)
    assert "twice" in (nn.mean_squared_error.__doc__ or "") and LOSSES["mse"] is nn.mean_squared_error


@pytest.mark.parametrize(("y", "t"), [(0.7, 1), (-1.9, 1), (0.7, 0.0), (2.3, 0.25), (40.0, 1), (-40.0, 0), (800.0, 0)])
def test_binary_cross_entropy_of_logits_keeps_its_digits(y: float, t: float) -> None:
    from mpmath import exp, log1p, mpf

    true = float(t * log1p(exp(-mpf(y))) + (1 - t) * log1p(exp(mpf(y))))
    slope = float(1 / (1 + exp(-mpf(y))) - t) if (y, t) not in ((40.0, 1), (-40.0, 0)) else (t or -1) * -math.exp(-40.0)
    y_ = values([y, 0.0])
    E = nn.binary_cross_entropy(y_, [t, 0.5]) * 2 - math.log(2)
    E.backward()
    assert E.data == pytest.approx(true, rel=1e-12, abs=1e-15)
    assert y_[0].grad == pytest.approx(slope, rel=1e-9)


def test_hinge_of_classes_is_the_sum_over_margins() -> None:
    ys = values([0.3, 1.1, -0.4])
    E = nn.hinge(ys, 0)
    E.backward()
    assert E.data == pytest.approx(((1 - 0.3 + 1.1) + (1 - 0.3 - 0.4)) / 3, rel=1e-15)
    assert [y.grad for y in ys] == pytest.approx([-2 / 3, 1 / 3, 1 / 3], rel=1e-15)
    assert nn.hinge(values([0.3, 1.1, -0.4]), [1, 0, 0]).data == E.data


@each_backend
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "cross_entropy", "hinge"])
def test_a_class_is_its_one_hot_row(loss: str, backend: str) -> None:
    one_hot = [[float(k == c) for k in range(3)] for c in CLASSES]
    models = [nn.MLP(2, [4, 3], "tanh", seed=2) for _ in range(3)]
    classes, column, rows = (
        fit(model, targets, loss=loss, backend=backend).errors
        for model, targets in zip(models, (CLASSES, [[c] for c in CLASSES], one_hot), strict=True)
    )
    assert classes == column == rows and rows[-1] < rows[0]


def test_a_class_out_of_range_names_its_sample() -> None:
    with pytest.raises(ValueError, match=r"^sample 2: a class of 3 is a whole number from 0 to 2; given was 3\.0$"):
        fit(nn.MLP(2, [4, 3]), [0, 1, 3, 1, 2, 0], loss="cross_entropy")


# -- activations for each layer


def test_activations_are_one_for_each_hidden_layer_or_for_each_layer() -> None:
    def of(model: nn.MLP) -> list[str]:
        return [layer[0].activation for layer in model.layers]

    assert of(nn.MLP(2, [3, 4, 1], "tanh")) == ["tanh", "tanh", "identity"]
    assert of(nn.MLP(2, [3, 4, 1], ["tanh", "relu"])) == ["tanh", "relu", "identity"]
    assert of(nn.MLP(2, [3, 4, 1], ["tanh", "relu", "sigmoid"])) == ["tanh", "relu", "sigmoid"]
    for wrong in (["tanh"], ["tanh"] * 4):
        with pytest.raises(ValueError, match=f"{len(wrong)} activations were given for 2 hidden layers"):
            nn.MLP(2, [3, 4, 1], wrong)
    with pytest.raises(ValueError, match="'cube' is unknown"):
        nn.MLP(2, [3, 1], ["cube"])


@pytest.mark.parametrize("activation", ["relu", ["tanh", "relu"], ["tanh", "tanh", "sigmoid"], ["tanh", "tanh"]])
def test_activations_are_saved_with_the_model(activation: Any, tmp_path: Path) -> None:
    model = nn.MLP(2, [3, 4, 1], activation, seed=3)
    model.save(str(tmp_path / "model.json"))
    again = nn.load(tmp_path / "model.json")
    assert repr(again) == repr(model) and again.predict(X) == model.predict(X)


# -- validation


@each_backend
@pytest.mark.parametrize("batch_size", [None, 2])
def test_watching_changes_nothing_and_tells_the_error_after_each_epoch(backend: str, batch_size: int | None) -> None:
    options: dict[str, Any] = {"backend": backend, "batch_size": batch_size}
    alone, watched = nn.MLP(2, [4, 1], "tanh", seed=2), nn.MLP(2, [4, 1], "tanh", seed=2)
    expected = fit(alone, epochs=12, **options)
    history = fit(watched, epochs=12, validation=(X[:3], T[:3]), **options)
    assert history.errors == expected.errors and expected.validation is None
    assert [p.data for p in watched.parameters()] == [p.data for p in alone.parameters()]
    validation = history.validation or []
    assert len(validation) == 13
    measured = []
    for epochs in (0, 5, 12):
        model = nn.MLP(2, [4, 1], "tanh", seed=2)
        fit(model, epochs=epochs, **options)
        measured.append(nn.half_mean_squared_error([model(x) for x in X[:3]], T[:3]).data)
    assert [validation[epochs] for epochs in (0, 5, 12)] == pytest.approx(measured, rel=1e-12)
    assert all(parameter.grad is None for parameter in watched.parameters())


@each_backend
def test_patience_stops_and_goes_back_to_the_best(backend: str) -> None:
    model = nn.MLP(2, [8, 1], "tanh", seed=4)
    apart = ([[0.5, 0.5], [-0.4, 0.9]], [[-0.9], [0.8]])  # which the others don't agree with
    optimizer = nn.SGD(model, 0.2)
    history = fit(model, epochs=500, validation=apart, patience=7, backend=backend, optimizer=optimizer)
    validation = history.validation or []
    best = validation.index(min(validation))
    assert len(history.errors) == len(validation) == best + 8 < 500
    assert nn.half_mean_squared_error([model(x) for x in apart[0]], apart[1]).data == pytest.approx(min(validation))
    assert repr(history).endswith(f"; in validation {min(validation):.6g} at best, after epoch {best}")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"validation": X}, r"validation is \(X, T\)"),
        ({"validation": 0.3}, "given was float"),
        ({"validation": (X, T[:2])}, "validation: X has 6 rows and T has 2"),
        ({"patience": 3}, "patience waits for validation"),
        ({"validation": (X, T), "patience": 0}, "patience is a whole number from 1 up"),
    ],
)
def test_validation_that_doesnt_fit_is_a_sentence(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        fit(nn.MLP(2, [3, 1]), **options)


# -- training that is resumed


@pytest.mark.parametrize(
    "make", [lambda m: nn.SGD(m, 0.1, momentum=0.9), lambda m: nn.Adam(m, 0.05)], ids=["SGD", "Adam"]
)
def test_training_resumed_from_a_file_is_training_that_went_on(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    model = nn.MLP(2, [4, 1], "tanh", seed=2)
    whole = fit(model, epochs=20, optimizer=make(model), backend="eager").errors
    model = nn.MLP(2, [4, 1], "tanh", seed=2)
    optimizer = make(model)
    fit(model, epochs=8, optimizer=optimizer, backend="eager")
    model.save(str(path), optimizer=optimizer)
    again = nn.MLP(2, [4, 1], "tanh", seed=9)
    theirs = make(again)
    assert nn.load(path, into=again, optimizer=theirs) is again
    assert fit(again, epochs=12, optimizer=theirs, backend="eager").errors == whole[8:]
    assert repr(nn.load(path)) == repr(model)  # weights alone can be read from it, too


def test_a_state_that_doesnt_fit_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    model = nn.MLP(2, [1], seed=2)
    sgd = nn.SGD(model, 0.1, momentum=0.9)
    fit(model, epochs=3, optimizer=sgd)
    model.save(str(path), optimizer=sgd)
    data = json.loads(path.read_text())
    other = nn.MLP(2, [1], seed=5)
    before = [parameter.data for parameter in other.parameters()]

    def refused(data: Any, optimizer: nn.SGD | nn.Adam, complaint: str, into: nn.Module | None = other) -> None:
        path.write_text(json.dumps(data))
        with pytest.raises(ValueError, match=complaint):
            nn.load(path, into=into, optimizer=optimizer)
        assert [parameter.data for parameter in other.parameters()] == before and not optimizer.state

    refused(data, nn.Adam(other), "state saved is that of 'SGD'")
    refused(data | {"optimizer": None}, nn.SGD(other), "no optimizer was saved")
    for state, complaint in (({"w": [0.1]}, "'w', which is no parameter"), ({"layers[0][0].b": [0.1, 2]}, "1 numbers")):
        refused(data | {"optimizer": {"kind": "SGD", "state": state}}, nn.SGD(other), complaint)
    refused(data | {"parameters": {}}, nn.SGD(other, momentum=0.9), "missing")
    refused(data, nn.SGD(other), "with its model", into=None)
    refused(data, nn.SGD(other), "with its model", into=model)
