"""What every peer has to do: two training jobs, with the same first weights and data for all of them.

A peer makes itself ready for a Job and gives a Training. Next: ours.py and theirs.py, the peers; training.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple


class Job(NamedTuple):
    """What every peer starts from: a layer is its weights, a row a neuron, and its biases; the last is linear."""

    layers: list[tuple[list[list[float]], list[float]]]
    activation: str  # relu or tanh
    loss: str  # hinge or half_squared_error; E is its mean over the samples
    rate: float
    X: list[list[float]]
    T: list[float]


class Training(NamedTuple):
    """A peer, ready: run(steps) trains on and gives the loss before each step; graph() is E, as a step makes it."""

    run: Callable[[int], Sequence[Any]]
    graph: Callable[[], Any] | None = None
    nodes: Callable[[Any], int] | None = None  # how many there are in such a graph


def repeated(step: Callable[[], Any]) -> Callable[[int], list[Any]]:
    return lambda steps: [step() for _ in range(steps)]


def random_layers(sizes: Sequence[int], source: random.Random) -> Any:
    def uniform(n: int, bound: float) -> list[float]:
        return [source.uniform(-bound, bound) for _ in range(n)]

    return [
        ([uniform(inputs, (3 / inputs) ** 0.5) for _ in range(neurons)], uniform(neurons, 0.1))
        for inputs, neurons in pairwise(sizes)
    ]


def numbers_of(job: Job) -> list[float]:
    """Neuron by neuron, its weights and its bias: the order of stepgrad's and micrograd's parameters."""
    return [x for W, b in job.layers for ws, bias in zip(W, b, strict=True) for x in [*ws, bias]]


def hinge_job() -> Job:
    """2-16-16-1 with ReLU, hinge loss, 100 points whose class is the sign of x1·x2."""
    source = random.Random(0)
    layers = random_layers([2, 16, 16, 1], source)
    X = [[source.uniform(-1, 1), source.uniform(-1, 1)] for _ in range(100)]
    return Job(layers, "relu", "hinge", 0.05, X, [1.0 if x1 * x2 > 0 else -1.0 for x1, x2 in X])


def diabetes_job() -> Job:
    """The main job: 10-8-1 with tanh, half the squared error, the 442 rows of the diabetes study, standardised."""
    from demos.regression import DIABETES, Scale
    from demos.table import read_table

    columns = {
        name: [Scale.of(name, column).standardise(x) for x in column]
        for name, column in read_table(str(DIABETES)).columns.items()
    }
    T = columns.pop("progression")
    X = [list(row) for row in zip(*columns.values(), strict=True)]
    return Job(random_layers([10, 8, 1], random.Random(0)), "tanh", "half_squared_error", 0.1, X, T)


def other_activation(activation: str) -> Job:
    """The main job with another activation."""
    return diabetes_job()._replace(activation=activation, rate=0.02)


ACTIVATIONS = ("relu", "sigmoid", "softplus", "silu", "gelu")
JOBS: dict[str, Callable[[], Job]] = {f"{name}_job": partial(other_activation, name) for name in ACTIVATIONS}
JOBS |= {job.__name__: job for job in (hinge_job, diabetes_job)}
