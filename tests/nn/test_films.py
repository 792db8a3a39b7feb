"""A training run as a film: the page has at each epoch the numbers and the error of the same run made by hand."""

from __future__ import annotations

import pytest

import nn
from tests.pictures.test_live import turned

X, T = [[0.5, -1.1]], [[0.9]]


def by_hand(model: nn.MLP, epochs: int) -> list[float]:
    """The error at each epoch."""
    sgd, errors = nn.SGD(model, learning_rate=0.2), []
    for _ in range(epochs + 1):
        E = nn.half_mean_squared_error([model(x) for x in X], T)
        errors.append(E.data)
        sgd.zero_grad()
        E.backward()
        if len(errors) <= epochs:
            sgd.step()
    return errors


def test_each_epoch_has_the_error_of_the_run_and_the_model_is_trained() -> None:
    model, other = (nn.MLP(2, [2, 1], activation="tanh", seed=3) for _ in range(2))
    made = nn.film_training(model, X, T, nn.SGD(model, learning_rate=0.2), epochs=12)
    assert made.run is not None and made.live is not None
    root = made.live.data["nodes"][-1]["data"]
    errors = [got["V"][root] for got in turned(made, [[*numbers] for numbers in made.run])]
    assert errors == pytest.approx(by_hand(other, 12), rel=1e-12) and errors[-1] < errors[0] / 4
    assert [w.data for w in model.parameters()] == [w.data for w in other.parameters()]


def test_a_run_needs_a_graph_that_can_be_turned() -> None:
    with pytest.raises(ValueError, match="a run needs a live page, up to 150 nodes: this graph has"):
        nn.film_training(nn.MLP(2, [30, 1], seed=0), X, T, epochs=1)
