"""A training run: the data, the epoch it has come to, and the last good weights; advance() is the next epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from engine import Value, topological_order
from engine.domain import number
from nn.losses import Loss
from nn.module import Module, random_from, set_data
from nn.optimizers import Optimizer

Table: TypeAlias = list[list[float]]


class Run:
    """A training run. Good weights are those for which E over all samples was finite; an error goes back to the last.

    In each epoch it builds the graph of every sample anew; taped.py has the same run on a tape.
    """

    depends = False  # does the loss depend on the model? The first graph tells

    def __init__(
        self,
        model: Module,
        parameters: list[Value],
        optimizer: Optimizer,
        rates: dict[Value, float],
        loss: Loss,
        rows: Table,
        targets: Table,
        batch_size: int | None,
        seed: int,
    ) -> None:
        self.model, self.optimizer, self.loss, self.rows, self.targets = model, optimizer, loss, rows, targets
        self.batch_size, self.random = batch_size, random_from(seed)
        self.parameters, self.rates = list(dict.fromkeys([*parameters, *rates])), rates
        self.samples = list(range(len(rows)))
        self.orders: list[list[int]] = []
        self.epochs = 1  # in the next call of advance() at most
        self.epoch, self.place = 1, "the start"
        self.keep()

    def keep(self) -> None:
        """Takes the present weights, and the optimizer's memory and epoch, for good ones."""
        self.good = [parameter.data for parameter in self.parameters]
        self.good_state, self.good_epoch = dict(self.optimizer.state), self.optimizer.epoch

    def restore(self) -> None:
        """Puts the last good weights back, and the optimizer's memory and epoch."""
        set_data(self.parameters, self.good)
        self.optimizer.state, self.optimizer.epoch = self.good_state, self.good_epoch

    def begin(self, epochs: int) -> float:
        """E before the first epoch."""
        return self._measured(gradients=epochs > 0)

    def advance(self, most: int, until: float | None) -> list[float]:
        """Trains for one epoch, or on a tape for up to `most` of them, until E <= until; returns E after each."""
        if self.batch_size is None:
            self.step()
        else:
            [order] = self.shuffled(1)
            for start in range(0, len(order), self.batch_size):
                self.mean_error(order[start : start + self.batch_size], gradients=True)
                self.step()
            self.orders.pop(0)
        self.epoch += 1
        self.optimizer.epoch += 1
        return [self._measured(gradients=most > 1)]

    def finish(self) -> None:
        """Called after the last epoch: takes the gradients away, and checks the numbers."""
        self.zero_grad()
        self.check()

    def check(self) -> None:
        """Raises Parted unless the model gives the numbers that it is trained by. Here it gave them itself."""

    def zero_grad(self) -> None:
        """The gradients of all parameters, the model's and the optimizer's, back to None."""
        for parameter in self.parameters:
            parameter.grad = None

    def shuffled(self, epochs: int) -> list[list[int]]:
        """For each of the next epochs, the order in which it takes the samples; drawn once, kept until it is used."""
        while len(self.orders) < epochs:
            order = list(self.samples)
            self.random.shuffle(order)
            self.orders.append(order)
        return self.orders[:epochs]

    def _measured(self, gradients: bool) -> float:
        error = self.mean_error(self.samples, gradients=gradients and self.batch_size is None)
        self.keep()
        return error

    def mean_error(self, samples: list[int], gradients: bool) -> float:
        """E over these samples; with gradients, also ∂E/∂w into the parameters. One graph a sample, freed at once."""
        self.zero_grad()
        share, error = 1 / len(samples), 0.0
        for sample in samples:
            graph = self.loss_of(sample) * share
            error += graph.data
            if gradients:
                graph.backward()
        return number(error)

    def loss_of(self, sample: int) -> Value:
        """The graph of one sample's error."""
        self.place = f"sample {sample}"
        try:
            graph = loss_of(self.model, self.loss, self.rows[sample], self.targets[sample])
        except ValueError as mismatch:
            raise ValueError(f"{self.place}: {mismatch}") from None
        if not self.depends and not set(topological_order(graph)) & set(self.parameters):
            raise ValueError("the loss doesn't depend on the model: compute it from the outputs that it is given")
        self.depends = True
        return graph

    def step(self) -> None:
        """One step of the optimizer. Raises DomainError, and moves nothing, where a weight wouldn't stay finite."""
        self.place = "the step"
        self.optimizer.step()


def loss_of(model: Module, loss: Loss, row: Sequence[Any], targets: Sequence[Any]) -> Value:
    """The loss of the model's outputs for a row. Raises TypeError where the one or the other returns something else."""
    outputs = model(row)
    if not isinstance(outputs, list):
        raise TypeError(f"{model!r} returned {type(outputs).__name__}; a list of Values is expected of a model")
    error = loss(outputs, targets)
    if type(error) is not Value:
        raise TypeError(f"the loss returned {type(error).__name__}; a Value computed from the outputs is expected")
    return error


class Parted(ValueError):
    """A model that a tape can't stand for: its replay gives other numbers, or it can't be recorded."""
