"""A tape: a recorded graph, flattened to arrays once, and replayed in compiled loops for many samples at a time.

Every node stays a scalar with a name; the tape is a second way to run the same graph, with the same numbers, bit for
bit. program.py flattens the graph and kernel.py makes the loops from the table; here is what one calls.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import numpy as np

from engine.calculus import rebuilt
from engine.domain import RECORDING, TOO_LARGE, DomainError
from engine.order import topological_order
from engine.tape.kernel import kernel
from engine.tape.program import Floats, flatten
from engine.value import Value

FEW, MANY = 16, 64  # samples side by side: many take less time each, if there are so many


class Tape:
    """The graph of E, to be replayed with other numbers; E itself and its nodes stay as they are.

    inputs are the leaves that change from sample to sample; all others are .parameters, in topological order, and every
    replay takes their present data. Without inputs the tape replays the graph as it stands. Constants are constants,
    and a Python `if` that chose while E was built isn't decided again (trace() refuses one). lanes, a power of two, is
    how many samples are computed side by side: 64 is faster than 16 for batches of more than some 50.
    Raises TypeError for what isn't a Value, ValueError for inputs that aren't leaves or are named twice, and for lanes.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> tape = Tape((x * w).tanh(), inputs=[x])
    >>> mean, gradient = tape.value_and_gradient([[1.4], [-0.3]])
    >>> f"{mean:.6f}", [f"{slope:.6f}" for slope in gradient]
    ('0.273050', ['0.159449'])
    """

    def __init__(self, E: Value, inputs: Sequence[Value] | None = None, lanes: int = FEW, further: str = "") -> None:
        self.E, self.inputs = E, _checked(inputs)
        if not isinstance(lanes, int) or lanes < 1 or lanes & (lanes - 1):
            raise ValueError(f"lanes is a power of two, such as 16 or 64; given was {lanes!r}")
        flat = flatten(E, self.inputs or None)
        self.program, self.parameters = flat.program, flat.parameters
        lanes = lanes if self.inputs else 1
        self.kernel = kernel(flat.kinds, lanes, further)
        self.memory = _aligned(flat.program.end * lanes)
        scalars = len(flat.parameters) + len(flat.constants)
        self.scalars = np.zeros(scalars) if self.inputs else self.memory[:scalars]
        self.scalars[len(flat.parameters) :] = flat.constants
        self.sums = _aligned(len(flat.parameters) * min(lanes, 4))
        self.literals = np.array(self.kernel.literals, np.float64)

    def __repr__(self) -> str:
        sizes = f"{len(self.parameters)} parameters, {len(self.inputs)} inputs"
        return f"Tape: {sizes}, {len(self.program.code)} instructions, {self.program.bytes} bytes"

    def values(self, batch: Any = None) -> Floats:
        """E for each of M samples: a batch of shape (M, inputs) gives M numbers; raises as value_and_gradient does."""
        batch = self._checked(batch)
        values = np.zeros(len(batch))
        if np.isnan(self._replay(batch, values, np.zeros(0))):
            values[:] = [value for value, _ in self._eagerly(batch, gradients=False)]
        return values

    def value_and_gradient(self, batch: Any = None) -> tuple[float, Floats]:
        """The mean of E over M samples, and its derivatives by the parameters: a batch of shape (M, inputs).

        Without inputs, E and its derivatives. Raises ValueError for a batch of another shape; DomainError, as the
        engine does and naming the sample, where a value or a gradient isn't finite.
        """
        batch = self._checked(batch)
        gradient = np.zeros(len(self.parameters))
        mean = self._replay(batch, np.zeros(len(batch)), gradient)
        if np.isnan(mean):
            gradient[:] = 0.0
            mean, share = -0.0, 1 / len(batch)
            for value, slopes in self._eagerly(batch, gradients=True):
                mean += value * share
                with np.errstate(over="ignore"):
                    gradient += np.array(slopes) * share
            if not np.isfinite([mean, *gradient]).all():
                raise DomainError(f"a mean over the batch is {TOO_LARGE}")
        return float(mean), gradient

    def load(self) -> None:
        """Takes the parameters' present data."""
        self.scalars[: len(self.parameters)] = list(map(attrgetter("_data"), self.parameters))

    def _replay(self, batch: Floats, values: Floats, gradient: Floats) -> float:
        self.load()
        samples = np.arange(len(batch))
        mean: float = self.kernel("replay", *self.state, batch, samples, values, self.sums, gradient)
        return mean

    @property
    def state(self) -> tuple[Any, ...]:
        """What every compiled loop is given first."""
        return self.program, self.scalars, self.memory, self.literals

    def _checked(self, batch: Any) -> Floats:
        if batch is None and not self.inputs:
            return np.zeros((1, 0))
        try:
            rows = np.require(batch, np.float64, ["C", "W"])  # a type of array that the loops are compiled for
        except (TypeError, ValueError):
            rows = np.zeros(0)
        if rows.ndim != 2 or rows.shape[1] != len(self.inputs) or not len(rows):
            given = f"shape {rows.shape}" if isinstance(batch, np.ndarray) else type(batch).__name__
            raise ValueError(f"a batch is an array of M rows of {len(self.inputs)} numbers each; given was {given}")
        if not np.isfinite(rows).all():
            sample, column = np.argwhere(~np.isfinite(rows))[0]
            raise DomainError(f"sample {sample} of the batch holds {rows[sample, column]} where numbers are expected")
        return rows

    def _eagerly(self, batch: Floats, gradients: bool) -> Iterator[tuple[float, list[float]]]:
        """E and its derivatives for each sample by the engine itself, which says what is wrong, and where."""
        order = topological_order(self.E)
        for sample, row in enumerate(batch.tolist()):
            try:
                yield self._sample(order, row, gradients)
            except DomainError as error:
                raise DomainError(f"sample {sample}: {error}" if self.inputs else str(error)) from None

    def _sample(self, order: list[Value], row: list[float], gradients: bool) -> tuple[float, list[float]]:
        inputs = {leaf: Value(x, leaf.label) for leaf, x in zip(self.inputs, row, strict=True)}
        copies = rebuilt(order, inputs)
        E = copies[self.E].data
        if gradients and self.parameters:
            try:
                copies[self.E].backward()
            except DomainError as error:
                copies = rebuilt(
                    order, dict(zip(self.inputs, row, strict=True))
                )  # constants, since the derivatives by the inputs aren't asked for
                try:
                    copies[self.E].backward()
                except DomainError:
                    raise error from None
        return E, [copies[parameter].grad or 0.0 for parameter in self.parameters]


def trace(f: Callable[..., Value], point: Sequence[float]) -> Tape:
    """The tape of f, recorded at a point: f takes as many Values as that has numbers, or one list of them.

    The leaves that f uses beside these are the tape's parameters. Raises TypeError where f compares Values, which a
    tape couldn't decide again, or doesn't return a Value; DomainError where f has no finite value at the point.

    >>> w = Value(0.7, label="w")
    >>> trace(lambda x, y: w * x + y**2, [0.3, -0.4]).values([[0.3, -0.4], [1.5, 2.0]])
    array([0.37, 5.05])
    """
    inputs = [Value(number, f"x[{i}]") for i, number in enumerate(point)]
    try:
        inspect.signature(f).bind(*inputs)
        given: Sequence[Any] = inputs
    except (TypeError, ValueError):  # it takes another number of arguments, or isn't written in Python
        given = [inputs]
    with recording():
        E = f(*given)
    if type(E) is not Value:
        raise TypeError(f"the function to trace returned {type(E).__name__}; a Value made of its operands is expected")
    return Tape(E, inputs)


@contextmanager
def recording() -> Iterator[None]:
    """While a graph is built here for a tape, comparing two Values is a TypeError."""
    token = RECORDING.set(True)
    try:
        yield
    finally:
        RECORDING.reset(token)


def _aligned(count: int) -> Floats:
    """So many zeros, from the start of a cache line: a row that crosses two takes twice as long."""
    zeros = np.zeros(count + 8)
    first = -zeros.ctypes.data % 64 // 8
    return zeros[first : first + count]


def _checked(inputs: Sequence[Value] | None) -> list[Value]:
    try:
        leaves: list[Any] = [] if inputs is None else list(inputs)
    except TypeError:
        leaves = [inputs]
    for leaf in leaves:
        if type(leaf) is not Value or leaf.rule is not None:
            raise ValueError(f"a tape's inputs are leaves, such as x = Value(0.3); given was {leaf!r}")
    if len(set(leaves)) < len(leaves):
        raise ValueError("a tape's inputs are different leaves; one was given twice")
    return leaves
