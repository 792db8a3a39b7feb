"""Training on a tape: one sample's graph is recorded once, and whole epochs run in a compiled loop.

The loop is made of the tape's replay and of the optimizer's own change(), whose source is compiled with it. Whatever
the loop can't do (a number that isn't finite, an optimizer with a step of its own) is left to the run it was made from.
"""

from __future__ import annotations

import dis
import inspect
import math
import textwrap
import time
from contextlib import suppress
from types import CodeType
from typing import Any

import numpy as np

from engine import DomainError, Value
from engine.tape.tape import FEW, MANY, Tape, recording
from nn.optimizers import Optimizer
from nn.run import Parted, Run, loss_of

EPOCHS = '''

change = compiled(change)


@compiled
def copy(numbers, to):  # an assignment of slices would compile the text of its error messages, for seconds
    for i in range(to.size):
        to[i] = numbers[i]


@compiled
def update(w, gradient, rates, decay, settings, state):
    good = 0.0
    for q in range(gradient.size):
        {results} = change(gradient[q] + decay * w[q]{given})
        w[q] -= rates[q] * step
        good += w[q] - w[q]
    return good == 0.0


@njit(error_model="numpy", cache={cached})
def train(p, w, m, literals, inputs, orders, size, until, values, sums, gradient, rates, decay, settings, state, E):
    """Epochs until E, a number for each, is full or E <= until: how many went well, with finite numbers."""
    everything, no_gradient = np.arange(inputs.shape[0]), np.empty(0)
    kept, kept_state = np.empty(gradient.size), np.empty(state.size)
    for epoch in range(E.size):
        copy(w, kept)
        copy(state, kept_state)
        if size == 0:
            good = update(w, gradient, rates, decay, settings, state)
            E[epoch] = replay(p, w, m, literals, inputs, everything, values, sums, gradient) if good else np.nan
        else:
            good = True
            for start in range(0, everything.size, size):
                samples = orders[epoch, start : start + size]
                mean = replay(p, w, m, literals, inputs, samples, values, sums, gradient) if good else np.nan
                good = mean == mean and update(w, gradient, rates, decay, settings, state)
            E[epoch] = replay(p, w, m, literals, inputs, everything, values, sums, no_gradient) if good else np.nan
        if E[epoch] != E[epoch]:
            for q in range(kept.size):
                w[q] = kept[q]
            copy(kept_state, state)
            return epoch
        if E[epoch] <= until:
            return epoch + 1
    return E.size
'''
A_WHILE = 0.1  # seconds in the compiled loop: so long Ctrl-C and the progress bar wait
COMPARED = 5  # samples


class TapedRun(Run):
    """A training run on the tape of one sample; the numbers are those of the run that it is made from.

    Raises Parted if the tape can't be recorded, or gives other numbers than the model on a few samples.
    """

    def __init__(self, run: Run) -> None:
        vars(self).update(vars(run))
        self.loop = _loop(self.optimizer)
        self.tape = self._recorded()
        self.table = np.array([row + ts for row, ts in zip(self.rows, self.targets, strict=True)], np.float64)
        self.values, self.gradient = np.zeros(len(self.table)), np.zeros(len(self.tape.parameters))
        self.own = set(self.parameters)
        self.epochs = 1  # in the next call of the compiled loop
        self.check()

    def advance(self, most: int, until: float | None) -> list[float]:
        if not self.loop:
            return super().advance(most, until)
        optimizer, parameters, rates = self.optimizer, self.tape.parameters, self.optimizer.rates()
        epochs = min(most, self.epochs)
        orders = np.array(self.shuffled(epochs) if self.batch_size else [[]], np.int64)
        gradient = np.array([parameter.grad or 0.0 for parameter in parameters])
        state = np.array([list(optimizer.state.get(each, optimizer.start)) for each in parameters], np.float64)
        states = state.reshape(-1)  # of which state is a view
        errors, start = np.zeros(epochs), time.perf_counter()
        self.tape.load()
        try:
            done = self.tape.kernel(
                "train", *self.tape.state, self.table, orders, self.batch_size or 0,
                -np.inf if until is None else float(until), self.values, self.tape.sums, gradient,
                np.array([rates.get(each, 0.0) for each in parameters], np.float64), float(optimizer.weight_decay),
                np.array(optimizer.settings, np.float64), states, errors,
            )  # fmt: skip
        except Exception:  # change() raised, as it will again in Python, or holds what Numba can't compile
            self.loop = ""
            return super().advance(most, until)
        if not done:  # a number that isn't finite: the other run says which
            return super().advance(most, until)
        self.epochs = max(1, int(epochs * A_WHILE / (time.perf_counter() - start)))
        del self.orders[:done]
        self.epoch += done
        for parameter, number, slope, numbers in zip(
            parameters, self.tape.scalars.tolist(), gradient.tolist(), state.tolist(), strict=False
        ):
            if parameter in rates:
                parameter.data, parameter.grad = number, slope
                optimizer.state[parameter] = numbers
        self.keep()
        if done < epochs and not self.batch_size:  # the gradient is that of the epoch that failed
            self.mean_error(self.samples, gradients=True)
        return errors[:done].tolist()  # type: ignore[no-any-return]

    def mean_error(self, samples: list[int], gradients: bool) -> float:
        tape, gradient = self.tape, self.gradient if gradients else np.zeros(0)
        tape.load()
        mean = tape.kernel("replay", *tape.state, self.table, np.array(samples), self.values, tape.sums, gradient)
        if np.isnan(mean):
            return super().mean_error(samples, gradients)
        self.zero_grad()
        if gradients:
            for parameter, slope in zip(tape.parameters, gradient.tolist(), strict=True):
                if parameter in self.own:
                    parameter.grad = slope
        return float(mean)

    def _recorded(self) -> Tape:
        graph = self.loss_of(0)  # raises what the other run would raise
        self._check_others()
        xs = [Value(x, f"x[{i}]") for i, x in enumerate(self.rows[0])]
        ts = [Value(t, f"t[{i}]") for i, t in enumerate(self.targets[0])]
        try:
            with recording():
                graph = loss_of(self.model, self.loss, xs, ts)
        except Exception as error:  # of numbers it made a graph
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Parted(f"{self.model!r} with its loss has no tape: {reason}") from None
        lanes = MANY if (self.batch_size or len(self.rows)) > MANY // 2 else FEW
        return Tape(graph, xs + ts, lanes, self.loop)

    def _check_others(self) -> None:
        """Raises what the other run would raise for later rows and targets; the loss is shown each target once."""
        outputs = self.model(self.rows[0])
        shown = {tuple(self.targets[0])}
        for sample in self.samples:
            targets = tuple(self.targets[sample])
            if len(self.rows[sample]) != len(self.rows[0]) or len(targets) != len(self.targets[0]):
                self.loss_of(sample)
                raise Parted(f"{self.model!r} takes rows of different lengths, and a tape can't")
            if targets not in shown:
                shown.add(targets)
                try:
                    self.loss(outputs, self.targets[sample])
                except Exception:  # with the outputs for its own row it may go well
                    self.loss_of(sample)

    def check(self) -> None:
        """Raises Parted unless the tape and the model give the same for a few samples; both may raise DomainError."""
        for sample in sorted({len(self.samples) * i // COMPARED for i in range(COMPARED)}):
            replayed, expected = math.nan, math.nan
            with suppress(DomainError):
                replayed = float(self.tape.values(self.table[[sample]])[0])
            with suppress(DomainError):
                expected = self.loss_of(sample).data
            both = math.isnan(replayed) and math.isnan(expected)
            if not both and not math.isclose(replayed, expected, rel_tol=1e-9, abs_tol=1e-13):
                raise Parted(
                    f"the tape of {self.model!r} gives {replayed:.6g} for sample {sample} where the model gives "
                    f"{expected:.6g}: a Python `if` or a number depends on the data there"
                )


def _loop(optimizer: Optimizer) -> str:
    """The source of the epochs' loop with this optimizer; empty if it has a step or rates of its own, or no source."""
    change = inspect.getattr_static(optimizer, "change", None)
    own = [
        method
        for method in ("step", "rates")
        if getattr(getattr(optimizer, method), "__func__", None) is not vars(Optimizer)[method]
    ]
    source = "" if own or not isinstance(change, staticmethod) else _source(change.__func__)
    if not source:
        return ""
    states = [f"state[q * {len(optimizer.start)} + {i}]" for i in range(len(optimizer.start))]
    given = states + [f"settings[{i}]" for i in range(len(optimizer.settings))]
    results = "".join(f"{result}, " for result in ["step", *states]).strip()
    return f"\n\n{source}" + EPOCHS.replace("{results}", results).replace(
        "{given}", "".join(f", {text}" for text in given)
    )


def _source(change: Any) -> str:
    """The source of a function change() that takes nothing but math from outside; else, or if it is lost, nothing."""
    try:
        source = textwrap.dedent(inspect.getsource(change)).replace("@staticmethod\n", "").strip()
        again = compile(f"import math\n{source}", "", "exec", flags=annotations.compiler_flag, dont_inherit=True)
    except (OSError, TypeError, SyntaxError):
        return ""
    code, known = change.__code__, change.__globals__
    outside = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"} & known.keys()
    if code.co_freevars or any(name != "math" or known[name] is not math for name in outside):
        return ""
    # what is compiled is what would run: one plain function, in a file that wasn't edited since it was imported
    read = [each for each in again.co_consts if isinstance(each, CodeType)]
    parts = [(each.co_name, each.co_code, each.co_consts, each.co_names) for each in (code, *read)]
    return source if again.co_names == ("math", "change") and parts[1:] == parts[:1] else ""
