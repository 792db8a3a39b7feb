"""Training on a tape: one sample's graph is recorded once, and whole epochs run in a compiled loop.

The loop is made of the tape's replay and of the optimizer's formulas. Whatever the loop can't do (a number that isn't
finite, an optimizer with a step of its own) is left to the run it was made from.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from engine import DomainError, Value
from engine.tape.loops import WIDTH, Loops
from engine.tape.tape import Tape, address, recording
from nn.losses import ANY_TARGETS
from nn.optimizers import Optimizer
from nn.rates import is_scheduled, upcoming
from nn.run import Parted, Run, loss_of

UPDATE = """
def update(w_: floats, slopes_: floats, rates_: floats, settings_: floats, state_: floats, row_: int,
           count_: int) -> float:
    {settings}
    {common}
    {once}
    wrong_ = spread(0.0)
    for q_ in range(0, count_, WIDTH):
        {state}
        w = load(w_, q_)
        slope = load(slopes_, q_)
        before_ = w
        {each}
        moved_ = load(rates_, q_) != 0.0
        after_ = select(moved_, before_ - load(rates_, q_) * step, before_)
        store(w_, q_, after_)
        wrong_ = wrong_ + (after_ - after_)
        {kept}
    total_ = 0.0
    for j_ in unroll(WIDTH):
        total_ = total_ + lane(wrong_, j_)
    return total_
"""
TRAIN = """
def copied(numbers: floats, to: floats, count: int):
    for i in range(0, count, WIDTH):
        store(to, i, load(numbers, i))

def train(replay: int, p: program, w: floats, m: floats, columns: floats, stride: int, count: int, lanes: int,
          orders: words, size: int, batch_lanes: int, epochs: int, until: float, values: floats, sums: floats,
          gradient: floats, rates: floats, rates_stride: int, settings: floats, state: floats, state_stride: int,
          states: int, kept: floats, errors: floats) -> float:
    there = 0
    for epoch in range(epochs):
        copied(w, past(kept, states * state_stride), state_stride)
        copied(state, kept, states * state_stride)
        bad = 0.0
        if size == 0:
            bad = update(w, gradient, past(rates, epoch * rates_stride), settings, state, state_stride, p.parameters)
            error = nan
            if bad == 0.0:
                error = at(replay, p, w, m, columns, stride, orders, there, count, lanes, values, sums, gradient, 1)
                if count <= lanes:
                    there = 2
        else:
            start = 0
            while both(start < count, bad == 0.0):
                some = count - start
                if some > size:
                    some = size
                mean = at(replay, p, w, m, columns, stride, past(orders, epoch * count + start), 1, some, batch_lanes,
                          values, sums, gradient, 1)
                bad = mean - mean
                if bad == 0.0:
                    bad = update(w, gradient, past(rates, epoch * rates_stride), settings, state, state_stride,
                                 p.parameters)
                start = start + size
            error = nan
            if bad == 0.0:
                error = at(replay, p, w, m, columns, stride, orders, 0, count, lanes, values, sums, gradient, 0)
        errors[epoch] = error
        if error - error != 0.0:
            copied(past(kept, states * state_stride), w, state_stride)
            copied(kept, state, states * state_stride)
            return number(epoch)
        if error <= until:
            return number(epoch + 1)
    return number(epochs)
"""
A_WHILE = 0.1  # seconds in the compiled loop: so long Ctrl-C and the progress bar wait
AHEAD = 1000  # epochs, for which a schedule is asked at once
COMPARED, AT_LAST = 5, 3  # samples


class TapedRun(Run):
    """A training run on the tape of one sample; the numbers are those of the run that it is made from.

    Raises Parted if the tape can't be recorded, or gives other numbers than the model on a few samples.
    """

    def __init__(self, run: Run) -> None:
        vars(self).update(vars(run))
        self.tape = self._recorded()
        self.depends = not set(self.parameters).isdisjoint(self.tape.parameters)
        self.loop = epochs_of(self.optimizer)
        self.table = np.array([row + ts for row, ts in zip(self.rows, self.targets, strict=True)], np.float64)
        self.lanes = self.tape.lanes(len(self.table))
        self.columns = self.tape.columns(self.table, self.lanes)
        self.values, self.gradient = (
            np.zeros(self.columns.shape[1] + 2 * self.lanes),
            np.zeros(len(self.tape.parameters) + WIDTH),
        )
        self.own = set(self.parameters)
        self.epochs = 1  # in the next call of the compiled loop
        self.check(COMPARED)

    def begin(self, epochs: int) -> float:
        start = time.perf_counter()
        error = super().begin(epochs)
        if self.batch_size is None:  # an epoch takes no longer than this
            self.epochs = max(1, int(A_WHILE / (time.perf_counter() - start)))
        return error

    def advance(self, most: int, until: float | None) -> list[float]:
        if self.loop is None or (state := self._state()) is None:
            return super().advance(most, until)
        optimizer, parameters = self.optimizer, self.tape.ordered
        rates, epochs = self._rates(min(most, self.epochs), state.shape[1])
        orders = np.array(self.shuffled(epochs) if self.batch_size else [[]], np.int64)
        errors, kept, start = np.zeros(epochs), np.zeros(state.size + state.shape[1]), time.perf_counter()
        settings = np.array([*optimizer.settings.values(), 0.0], np.float64)
        self.gradient[: len(parameters)] = [parameter.grad or 0.0 for parameter in parameters]
        self.tape.load()
        lanes = self.tape.lanes(min(self.batch_size or 1, len(self.table)))
        done = int(self.loop(
            "train", self.tape.loops.address("replay"), *self.tape.state(max(self.lanes, lanes)),
            *self._data(), *map(address, (orders,)), self.batch_size or 0, lanes, epochs,
            -math.inf if until is None else float(until), *map(address, (self.values, self.tape.sums, self.gradient)),
            address(rates), state.shape[1] if len(rates) > 1 else 0, *map(address, (settings, state)), state.shape[1],
            len(state), address(kept), address(errors),
        ))  # fmt: skip
        if not done:  # a number that isn't finite: the other run says which
            return super().advance(most, until)
        self.epochs = max(1, int(epochs * A_WHILE / (time.perf_counter() - start)))
        del self.orders[:done]
        self.epoch += done
        optimizer.epoch += done
        for parameter, number, slope, numbers in zip(
            parameters, self.tape.scalars.tolist(), self.gradient.tolist(), state.T.tolist(), strict=False
        ):
            if parameter in self.rates:
                parameter.data, parameter.grad = number, slope
                optimizer.state[parameter] = numbers
        self.keep()
        if done < epochs and not self.batch_size:  # the gradient is that of the epoch that failed
            self.mean_error(self.samples, gradients=True)
        return errors[:done].tolist()  # type: ignore[no-any-return]

    def _data(self) -> tuple[int, ...]:
        return address(self.columns), self.columns.shape[1], len(self.table), self.lanes

    def _rates(self, epochs: int, width: int) -> tuple[Any, int]:
        """The learning rates, a row for each of the next epochs or one for all of these; and how many they are."""
        parameters = self.tape.ordered
        if not is_scheduled(self.optimizer.learning_rate):
            table = np.zeros((1, width))
            table[0, : len(parameters)] = [self.rates.get(each, 0.0) for each in parameters]
            return table, epochs
        groups = self.optimizer.groups()
        rows = np.array(upcoming([rate for rate, _ in groups], self.optimizer.epoch, min(epochs, AHEAD)))
        table, place = np.zeros((len(rows), width)), {each: q for q, each in enumerate(parameters)}
        for column, (_, members) in zip(rows.T, groups, strict=True):
            table[:, [place[each] for each in members if each in place]] = column[:, None]
        return table, len(rows)

    def _state(self) -> Any:
        """The parameters' state, a row for each number of it; None if what is computed once isn't the same for all."""
        start, parameters = self.optimizer.start, self.tape.ordered
        numbers = chain.from_iterable(self.optimizer.state.get(each, start.values()) for each in parameters)
        state = np.zeros((len(start), -(-len(parameters) // WIDTH) * WIDTH))
        state[:, : len(parameters)] = np.fromiter(numbers, np.float64).reshape(len(parameters), len(start)).T
        common = [i for i, name in enumerate(start) if name in self.optimizer.once]
        mine = [q for q, each in enumerate(parameters) if each in self.rates]
        same = (state[common][:, mine] == state[common][:, mine[:1]]).all()
        state[common] = state[common][:, mine[:1]] if mine else 0.0
        return state if same and mine else None

    def mean_error(self, samples: list[int], gradients: bool) -> float:
        tape, parameters = self.tape, len(self.tape.parameters)
        tape.load()
        whole = samples is self.samples
        lanes = self.lanes if whole else tape.lanes(len(samples))
        listed = None if whole else np.array(samples)
        gradient = self.gradient if gradients else self.gradient[:0]
        mean = tape.loops(
            "replay", *tape.state(lanes), *tape.run(self.columns, listed, len(samples), lanes, self.values, gradient)
        )
        if np.isnan(mean):
            return super().mean_error(samples, gradients)
        self.zero_grad()
        if gradients:
            for parameter, slope in zip(tape.ordered, gradient[:parameters].tolist(), strict=True):
                if parameter in self.own:
                    parameter.grad = slope
        return mean

    def _recorded(self) -> Tape:
        xs = [Value(x, f"x[{i}]") for i, x in enumerate(self.rows[0])]
        ts = [Value(t, f"t[{i}]") for i, t in enumerate(self.targets[0])]
        try:
            with recording():
                graph = loss_of(self.model, self.loss, xs, ts)
            tape = Tape(graph, xs + ts)
        except Exception as error:  # of numbers it may make a graph
            self.loss_of(0)
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Parted(f"{self.model!r} with its loss has no tape: {reason}") from None
        self._check_all()
        return tape

    def _check_all(self) -> None:
        """Raises what the other run would raise for any row and target; the loss is shown each target once."""
        if len(set(map(len, self.rows))) == 1 == len(set(map(len, self.targets))) and self.loss in ANY_TARGETS:
            return
        outputs: Any = None
        shown = {tuple(self.targets[0])}
        for sample in self.samples:
            targets = tuple(self.targets[sample])
            if len(self.rows[sample]) != len(self.rows[0]) or len(targets) != len(self.targets[0]):
                self.loss_of(sample)
                raise Parted(f"{self.model!r} takes rows of different lengths, and a tape can't")
            if targets not in shown and self.loss not in ANY_TARGETS:
                shown.add(targets)
                outputs = outputs or self.model(self.rows[0])
                try:
                    self.loss(outputs, self.targets[sample])
                except Exception:  # with the outputs for its own row it may go well
                    self.loss_of(sample)

    def check(self, count: int = AT_LAST) -> None:
        """Raises Parted unless the tape and the model give the same for a few samples; both may raise DomainError."""
        samples = sorted({len(self.samples) * i // count for i in range(count)})
        try:
            values = self.tape.values(self.table[samples]).tolist()
        except DomainError:
            values = [self._value(sample) for sample in samples]
        for sample, replayed in zip(samples, values, strict=True):
            expected = math.nan
            with suppress(DomainError):
                expected = self.loss_of(sample).data
            both = math.isnan(replayed) and math.isnan(expected)
            if not both and not math.isclose(replayed, expected, rel_tol=1e-9, abs_tol=1e-13):
                raise Parted(
                    f"the tape of {self.model!r} gives {replayed:.6g} for sample {sample} where the model gives "
                    f"{expected:.6g}: a Python `if` or a number depends on the data there"
                )

    def _value(self, sample: int) -> float:
        with suppress(DomainError):
            return float(self.tape.values(self.table[[sample]])[0])
        return math.nan


def epochs_of(optimizer: Optimizer) -> Loops | None:
    """The compiled loop over epochs with this optimizer; None if it has methods of its own, or formulas of no use."""
    if not optimizer.keeps("step", "groups", "rates", "change"):
        return None
    formulas = (tuple(each.items()) for each in (optimizer.once, optimizer.each))
    try:
        return _compiled(*formulas, tuple(optimizer.start), tuple(optimizer.settings))
    except (KeyError, ValueError):  # a name or an expression that no formula has: the step says so
        return None


@lru_cache(maxsize=16)
def _compiled(once: Any, each: Any, start: tuple[str, ...], settings: tuple[str, ...]) -> Loops:
    common = {name for name, _ in once}

    def lines(indent: int, texts: Any) -> str:
        return ("\n" + " " * indent).join(texts) or "0"

    update = UPDATE.format(
        settings=lines(4, [f"{name} = settings_[{i}]" for i, name in enumerate(settings)]),
        common=lines(4, [f"{name} = state_[{i} * row_]" for i, name in enumerate(start) if name in common]),
        once=lines(4, [f"{name} = formula({text!r})" for name, text in once]),
        state=lines(8, [f"{x} = load(state_, {i} * row_ + q_)" for i, x in enumerate(start) if x not in common]),
        each=lines(8, [f"{name} = formula({text!r})" for name, text in each]),
        kept=lines(8, [f"store(state_, {i} * row_ + q_, {name})" for i, name in enumerate(start)]),
    )  # fmt: skip
    return Loops(WIDTH, update + TRAIN)
