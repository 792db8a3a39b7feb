"""Training on a tape: one sample's graph is recorded once, and whole epochs run in a compiled loop.

The loop is made of the tape's replay and of the optimizer's formulas. Whatever the loop can't do (a number that isn't
finite, an optimizer with a step of its own) is left to the run it was made from.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from engine import DomainError, Value
from engine.domain import recording
from engine.tape.emitter import Body, Fields, Float, Floats, Int, Words
from engine.tape.loops import MEAN, PROGRAM, VALUES, WIDTH
from engine.tape.machine import Loops
from engine.tape.tape import Tape, address
from nn.losses import ANY_TARGETS
from nn.optimizers import Optimizer
from nn.rates import is_scheduled, upcoming
from nn.run import Parted, Run, loss_of


def copied(body: Body, numbers: Any, to: Any, count: Any) -> None:
    for i in body.count(0, count, WIDTH):
        to.put(i, numbers.lanes(i))


def loop_over_epochs(
    once: Formulas, each: Formulas, start: Sequence[str], settings: Sequence[str]
) -> Callable[..., Any]:
    """The loop over epochs, with the formulas of an optimizer."""

    def update(
        body: Body, w: Floats, gradient: Floats, rates: Floats, settings_: Floats, state: Floats, row: Int, count: Int
    ) -> Float:
        """The parameters' next numbers; NaN where one isn't finite."""
        names = {name: settings_[i] for i, name in enumerate(settings)}
        common = {name for name, _ in once}
        names |= {name: state[i * row] for i, name in enumerate(start) if name in common}
        for name, text in once:
            names[name] = body.formula(text, names)
        note = body.blank()
        for q in body.count(0, count, WIDTH):
            before = w.lanes(q)
            here = names | {name: state.lanes(i * row + q) for i, name in enumerate(start) if name not in common}
            here |= {"w": before, "slope": gradient.lanes(q)}
            for name, text in each:
                here[name] = body.formula(text, here)
            rate = rates.lanes(q)
            after = body.select(rate != 0.0, before - rate * here["step"], before)
            w.put(q, after)
            body.look_at(after, note)
            for i, name in enumerate(start):
                state.put(i * row + q, here[name])
        return body.select(body.any(note != 0), math.nan, 0.0)

    def train(
        body: Body, replay: Int, p: Fields, w: Floats, m: Floats, columns: Floats, stride: Int, count: Int, lanes: Int,
        orders: Words, size: Int, batch_lanes: Int, epochs: Int, until: Float, values: Floats, sums: Floats,
        gradient: Floats, rates: Floats, rates_stride: Int, settings: Floats, state: Floats, state_stride: Int,
        states: Int, kept: Floats, errors: Floats,
    ) -> Float:  # fmt: skip
        there = body.variable(0)
        for epoch in body.count(0, epochs):
            copied(body, w, kept.past(states * state_stride), state_stride)
            copied(body, state, kept, states * state_stride)
            bad, error = body.variable(0.0), body.variable(math.nan)

            def step(bad: Any = bad, epoch: Any = epoch) -> None:
                now = rates.past(epoch * rates_stride)
                bad.set(update(body, w, gradient, now, settings, state, state_stride, p.parameters))

            def replayed(place: Any, listed: Any, some: Any, lanes: Any, slopes: int) -> Any:
                return body.invoke_at(replay, p, w, m, columns, stride, orders.past(place), listed, some, lanes, values,
                                    sums, gradient, slopes)  # fmt: skip

            with body.when(size == 0):
                step()
                with body.when(bad == 0.0):
                    error.set(replayed(0, there.now(), count, lanes, MEAN))
                    with body.when(count <= lanes):
                        there.set(2)
            with body.when(size > 0):
                done = body.variable(0)
                for stop_if in body.repeat():
                    stop_if(done >= count)
                    stop_if(bad != 0.0)
                    some = body.select(count - done > size, size, count - done)
                    mean = replayed(epoch * count + done, 1, some, batch_lanes, MEAN)
                    bad.set(mean - mean)
                    with body.when(bad == 0.0):
                        step()
                    done += size
                with body.when(bad == 0.0):
                    error.set(replayed(0, 0, count, lanes, VALUES))
            errors.put(epoch, error, 1)
            with body.when(error - error != 0.0):
                copied(body, kept.past(states * state_stride), w, state_stride)
                copied(body, kept, state, states * state_stride)
                body.leave(body.float(epoch))
            with body.when(error <= until):
                body.leave(body.float(epoch + 1))
        return body.float(epochs)

    return train


Formulas: TypeAlias = tuple[tuple[str, str], ...]
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
        columns = self.tape.scalars.tolist(), self.gradient.tolist(), state.T.tolist()
        moved = dict(zip(parameters, zip(*columns, strict=False), strict=False))
        for parameter in self.rates:
            if parameter in moved:
                parameter.data, parameter.grad, optimizer.state[parameter] = moved[parameter]
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
        whole = samples is self.samples
        lanes, listed = (self.lanes, None) if whole else (tape.lanes(len(samples)), np.array(samples))
        slopes = MEAN if gradients else VALUES
        mean = tape.run(self.columns, listed, len(samples), lanes, self.values, self.gradient, slopes)
        if np.isnan(mean):
            return super().mean_error(samples, gradients)
        self.zero_grad()
        if gradients:
            for parameter, slope in zip(tape.ordered, self.gradient[:parameters].tolist(), strict=True):
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
    except (NameError, TypeError, ValueError):  # what no formula has: the step is taken, or says so
        return None


@lru_cache(maxsize=16)
def _compiled(once: Formulas, each: Formulas, start: tuple[str, ...], settings: tuple[str, ...]) -> Loops:
    return Loops(WIDTH, PROGRAM, loop_over_epochs(once, each, start, settings))
