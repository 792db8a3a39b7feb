"""A tape: a recorded graph, flattened to arrays once, and replayed in machine code for many samples at a time.

Every node stays a scalar with a name; the tape is a second way to run the same graph. Without inputs it gives the
engine's numbers, bit for bit. In a batch, exp, tanh and what is made of them are computed for many samples at once, to
1.6 units of the last place; all else is as in the engine. plan.py flattens the graph and loops.py makes the loops from
the table; here is what one calls.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np

from engine.calculus import distinct_leaves, rebuilt
from engine.domain import TOO_LARGE, DomainError, recording
from engine.order import topological_order
from engine.tape.loops import EACH, MANY, MEAN, SUMS, VALUES, WIDTH, driver, loops_of
from engine.tape.plan import Floats, Integers, flatten
from engine.value import Value

SHARED = 17  # 1 MB
MOST_BYTES = 2**18  # of a tape's memory, about, in which it works at once


class Tape:
    """The graph of E, to be replayed with other numbers; E itself and its nodes stay as they are.

    inputs are the leaves that change from sample to sample; all others are .parameters, in topological order, and every
    replay takes their present data. Without inputs the tape replays the graph as it stands. Constants are constants: a
    number that was read as x.data while E was built is one, and a Python `if` that chose then isn't decided again. A
    finished graph can't know; trace() records a function, and refuses both.
    Raises TypeError for what isn't a Value, ValueError for inputs that aren't leaves or are named twice.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> tape = Tape((x * w).tanh(), inputs=[x])
    >>> mean, gradient = tape.value_and_gradient([[1.4], [-0.3]])
    >>> f"{mean:.6f}", [f"{slope:.6f}" for slope in gradient]
    ('0.273050', ['0.159449'])
    """

    def __init__(self, E: Value, inputs: Sequence[Value] | None = None) -> None:
        self.E, self.inputs = E, distinct_leaves(inputs)
        flat = flatten(E, self.inputs or None)
        self.program, self.parameters, self.place = flat.program, flat.parameters, flat.place
        self.ordered = [flat.parameters[q] for q in np.argsort(flat.place)]  # as among the scalars
        self.loops = driver(one_lane=not self.inputs)
        self.kinds = loops_of(flat.kinds, not self.inputs)
        flat.program.kinds[:] = [loops.address(name) for loops, name in self.kinds]
        self.words = np.array([part if isinstance(part, int) else address(part) for part in flat.program], np.int64)
        self.memory = _aligned(flat.program.end) if not self.inputs else np.zeros(0)
        self.scalars = self.memory if not self.inputs else np.zeros(len(flat.place) + len(flat.constants) + WIDTH)
        self.scalars[len(flat.place) :][: len(flat.constants)] = flat.constants
        self.sums = _aligned(len(flat.place) * (SUMS if self.inputs else 1))

    def __repr__(self) -> str:
        sizes = f"{len(self.parameters)} parameters, {len(self.inputs)} inputs"
        return f"Tape: {sizes}, {len(self.program.code)} instructions, {self.program.bytes} bytes"

    def values(self, batch: Any = None) -> Floats:
        """E for each of M samples: a batch of shape (M, inputs) gives M numbers; raises as value_and_gradient does."""
        batch = self._checked(batch)
        mean, values, _ = self._replayed(batch, VALUES)
        return values if mean == mean else np.array([value for value, _ in self._eagerly(batch, gradients=False)])

    def value_and_gradient(self, batch: Any = None) -> tuple[float, Floats]:
        """The mean of E over M samples, and its derivatives by the parameters: a batch of shape (M, inputs).

        Without inputs, E and its derivatives. Raises ValueError for a batch of another shape; DomainError, as the
        engine does and naming the sample, where a value or a gradient isn't finite.
        """
        batch = self._checked(batch)
        mean, _, [gradient] = self._replayed(batch, MEAN)
        if mean == mean:
            return mean, gradient
        gradient[:] = 0.0
        mean, share = -0.0, 1 / len(batch)
        for value, slopes in self._eagerly(batch, gradients=True):
            mean += value * share
            with np.errstate(over="ignore"):
                gradient += np.array(slopes) * share
        if not np.isfinite([mean, *gradient]).all():
            raise DomainError(f"a mean over the batch is {TOO_LARGE}")
        return float(mean), gradient

    def backward(self, batch: Any = None) -> float:
        """As E.backward(), for the mean of E over M samples, which it returns: the parameters' gradients accumulate.

        Only the parameters have any. Raises as value_and_gradient does, and leaves the gradients as they were.

        >>> x, w = Value(1.4), Value(0.7)
        >>> mean = Tape((x * w) ** 2, inputs=[x]).backward([[1.0], [-0.5]])
        >>> f"{mean:.5f} {w.grad:.5f}"
        '0.30625 0.87500'
        """
        mean, gradient = self.value_and_gradient(batch)
        sums = [
            (parameter.grad or 0.0) + slope for parameter, slope in zip(self.parameters, gradient.tolist(), strict=True)
        ]
        if not np.isfinite(sums).all():
            raise DomainError(f"a gradient, added to what was found before, is {TOO_LARGE}")
        for parameter, grad in zip(self.parameters, sums, strict=True):
            parameter.grad = grad
        return mean

    def gradients(self, batch: Any = None) -> Floats:
        """The derivatives of E by the parameters for each of M samples, (M, parameters); raises as the others do.

        >>> x, w = Value(1.4), Value(0.7)
        >>> Tape((x * w) ** 2, inputs=[x]).gradients([[1.0], [-0.5]])
        array([[1.4 ],
               [0.35]])
        """
        batch = self._checked(batch)
        mean, _, gradients = self._replayed(batch, EACH)
        return gradients if mean == mean else np.array([each for _, each in self._eagerly(batch, gradients=True)])

    def _replayed(self, batch: Floats, slopes: int) -> tuple[float, Floats, Floats]:
        """The mean, which is NaN where the engine is to say why; the values; and a gradient, or one for each sample."""
        lanes, listed = self.lanes(len(batch)), None
        if slopes == EACH:
            lanes, listed = self.lanes(1), np.arange(len(batch))
        columns = self.columns(batch, lanes)
        values = np.zeros(columns.shape[1] + lanes)
        gradients = np.zeros((len(batch) if slopes == EACH else 1, len(self.parameters)))
        mean = self.run(columns, listed, len(batch), lanes, values, gradients, slopes)
        return mean, values[: len(batch)], gradients[:, self.place]

    def run(
        self, columns: Floats, samples: Integers | None, count: int, lanes: int, values: Floats, gradient: Floats,
        slopes: int,
    ) -> float:  # fmt: skip
        """Replays these samples, all if None, with the parameters' present data; there is room for the last block."""
        self.load()
        listed = (0, 0) if samples is None else (address(samples), 1)
        given = (address(columns), columns.shape[1], *listed, count, lanes)
        return self.loops("replay", *self.state(lanes), *given, *map(address, (values, self.sums, gradient)), slopes)

    def load(self) -> None:
        """Takes the parameters' present data."""
        count = len(self.ordered)
        self.scalars[:count] = np.fromiter(map(attrgetter("_data"), self.ordered), np.float64, count)

    def lanes(self, samples: int) -> int:
        """How many samples are computed side by side, in blocks of about one size."""
        if not self.inputs:
            return 1
        most = max(MANY, MOST_BYTES // (8 * self.program.end) // WIDTH * WIDTH)
        blocks = -(-samples // most)
        return max(MANY, -(-samples // blocks // WIDTH) * WIDTH)

    def columns(self, batch: Floats, lanes: int) -> Floats:
        """The batch with a row for each input, its last sample repeated till the last block is full."""
        padded = -(-len(batch) // lanes) * lanes
        columns = np.empty((batch.shape[1], padded))
        columns[:, : len(batch)] = batch.T
        columns[:, len(batch) :] = batch[-1:].T
        return columns

    def state(self, lanes: int) -> tuple[int, int, int]:
        """What every compiled loop is given first; there is memory for so many lanes then."""
        if len(self.memory) < self.program.end * lanes:
            size = (self.program.end * lanes - 1).bit_length()
            self.memory = _shared(size) if size <= SHARED else _aligned(self.program.end * lanes)
        return address(self.words), address(self.scalars), address(self.memory)

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
        given: list[Any] = [Value(x, leaf.label) for leaf, x in zip(self.inputs, row, strict=True)]
        copies = rebuilt(order, dict(zip(self.inputs, given, strict=True)))
        if gradients and self.parameters:
            try:
                copies[self.E].backward()
            except DomainError as error:  # of a derivative by an input, perhaps, and these aren't asked for
                copies = rebuilt(order, dict(zip(self.inputs, row, strict=True)))
                try:
                    copies[self.E].backward()
                except DomainError:
                    raise error from None
        return getattr(copies[self.E], "data", copies[self.E]), [copies[each].grad or 0.0 for each in self.parameters]


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


def address(array: Any) -> int:
    """The address of an array's numbers."""
    return array.ctypes.data  # type: ignore[no-any-return]


@cache
def _shared(size: int) -> Floats:
    """Room for 2**size numbers that all tapes work in, one after another: new memory takes longer than an epoch."""
    return _aligned(2**size)


def _aligned(count: int) -> Floats:
    """So many zeros, from the start of a cache line: a row that crosses two takes twice as long."""
    zeros = np.zeros(count + 8)
    first = -zeros.ctypes.data % 64 // 8
    return zeros[first : first + count]
