"""A training run as a film: a slider over its epochs, the error's curve, and backprop through E at each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine import Value, topological_order
from nn.losses import half_mean_squared_error
from nn.module import Module, set_data
from nn.optimizers import SGD, Optimizer

if TYPE_CHECKING:
    from engine.pictures.film import Film


def film_training(
    model: Module,
    X: Sequence[Sequence[float]],
    T: Sequence[Sequence[float]],
    optimizer: Optimizer | None = None,
    epochs: int = 50,
) -> Film:
    """Trains a small network on all samples at once, and films it: half the mean squared error E, epoch by epoch.

    The optimizer is SGD(model) if none is given. The page shows backprop through E, with the parameters of any epoch.
    Raises ValueError where the graph of E is too large to be turned, and as half_mean_squared_error does.

    >>> import nn
    >>> nn.film_training(nn.MLP(1, [1], seed=0), [[0.5], [-1.5]], [[1.0], [0.3]], epochs=20)
    Film of E: 29 steps; .save("backprop.html"), .html(), .frames
    """
    from engine import film

    optimizer = SGD(model) if optimizer is None else optimizer
    leaves: list[Value] = []
    run: list[list[float]] = []
    for epoch in range(epochs + 1):
        E = half_mean_squared_error([model(x) for x in X], T)
        leaves = leaves or [node for node in topological_order(E) if node.rule is None]
        run.append([leaf.data for leaf in leaves])
        if epoch < epochs:
            optimizer.zero_grad()
            E.backward()
            optimizer.step()
            optimizer.epoch += 1
    try:
        set_data(leaves, run[0])  # the film begins with the first epoch
        return film(half_mean_squared_error([model(x) for x in X], T), run=run)
    finally:
        set_data(leaves, run[-1])
