"""fit: the training loop. Forward, backward, update, over and over, until E is small enough or the epochs are over."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from typing import Any

from engine import DomainError
from engine.domain import number
from engine.text.monospace import Monospaced
from nn.losses import BY_CLASS, LOSSES, Loss, half_mean_over_outputs, one_hot
from nn.module import Module, Rows, as_lists, check_size, set_data
from nn.optimizers import SGD, Optimizer
from nn.rates import check_number, is_scheduled, shown
from nn.run import Parted, Run, Table

BACKENDS = ("auto", "tape", "eager")
NEEDED = ("numpy", "llvmlite")  # for a tape: the extra `fast`


class History(Monospaced):
    """What a training run did: .errors, E over all the data at the start and after each epoch (epochs + 1 floats).

    Its length is the number of epochs; .plot() draws the curves.

    .validation has as many, E over the data that were only watched; None without such.
    """

    def __init__(self, errors: list[float], validation: list[float] | None = None) -> None:
        self.errors, self.validation = errors, validation

    def __len__(self) -> int:
        return len(self.errors) - 1

    def __bool__(self) -> bool:
        return True  # a run of no epochs is a run

    def plot(self, axes: Any = None) -> Any:
        """E over the epochs, on these axes of matplotlib's or on new ones, which are returned.

        Raises ImportError, saying what to install, without matplotlib.
        """
        if axes is None:
            try:
                from matplotlib import pyplot
            except ImportError:
                raise ImportError("history.plot() needs matplotlib: pip install 'stepgrad[plot]' mends it") from None
            _, axes = pyplot.subplots(layout="constrained")
        axes.plot(range(len(self.errors)), self.errors, label="training")
        if self.validation:
            axes.plot(range(len(self.validation)), self.validation, label="validation")
            axes.legend()
        axes.set(xlabel="epoch", ylabel="E", yscale="log" if min(self.errors) > 0 else "linear")
        return axes

    def __repr__(self) -> str:
        text = f"History: E from {self.errors[0]:.6g} to {self.errors[-1]:.6g} in {len(self.errors) - 1} epochs"
        if not self.validation:
            return text
        least = min(self.validation)
        return f"{text}; in validation {least:.6g} at best, after epoch {self.validation.index(least)}"


class Watched:
    """Data that training doesn't see: E over them after each epoch, and the weights for which it was least."""

    def __init__(self, run: Run, patience: int | None) -> None:
        self.run, self.patience = run, patience
        self.errors: list[float] = []

    def measure(self) -> float:
        """E over the data now; the gradients stay as they are."""
        gradients = [parameter.grad for parameter in self.run.parameters]
        self.errors.append(self.run.mean_error(self.run.samples, gradients=False))
        for parameter, gradient in zip(self.run.parameters, gradients, strict=True):
            parameter.grad = gradient
        if self.errors[-1] <= min(self.errors):
            self.best = [parameter.data for parameter in self.run.parameters]
        return self.errors[-1]

    def is_over(self) -> bool:
        """Has E not fallen below its least for `patience` epochs?"""
        since = len(self.errors) - 1 - self.errors.index(min(self.errors))
        return self.patience is not None and since >= self.patience

    def finish(self) -> None:
        """With patience, puts the best weights back."""
        if self.patience is not None:
            set_data(self.run.parameters, self.best)


def fit(
    model: Module,
    X: Rows,
    T: Rows,
    epochs: int = 100,
    optimizer: Optimizer | None = None,
    loss: Loss | str | None = None,
    batch_size: int | None = None,
    until: float | None = None,
    backend: str = "auto",
    progress: bool = True,
    seed: int = 0,
    validation: tuple[Rows, Rows] | None = None,
    patience: int | None = None,
) -> History:
    """Trains a model on M samples, X of M rows of D numbers and T of M rows of K targets (flat where K = 1).

    E is the mean over the samples of `loss`, a function of one sample's outputs and its list of targets, or its name
    (default: half the squared error over K, so that E is half_mean_squared_error; "mse" is twice that, PyTorch's). For
    softmax_cross_entropy and hinge a target may be a class, from 0 to K - 1. An epoch is one step of the
    optimizer (default: SGD at 0.1) on all samples, or with batch_size a step on each batch of a new shuffle (drawn from
    seed); the E of the history then costs an extra forward pass an epoch. Stops early once E <= until. A learning rate
    that is a function of the epoch is that of optimizer.epoch, which goes on from fit to fit, and stands in the bar.

    backend="tape" replays the graph of one sample in compiled loops, "eager" builds one for each sample in each epoch:
    the same history to 1e-9, where training doesn't magnify rounding, thousands of times slower. "auto" takes the
    tape, and says so where it can't: NumPy or llvmlite isn't installed, or the model decides by its numbers in Python,
    which a tape can't (a few samples are compared).

    With validation=(X, T), E over these samples is measured as well, at the start and after each epoch. patience stops
    once it hasn't fallen below its least for so many epochs, and the model gets the weights of the least.

    Raises ValueError for data, names or numbers that don't fit, before anything is trained, and TypeError for a model
    or a loss that returns something else than Values. Training that diverges raises DomainError with the epoch, the
    sample and the operation; then, on Ctrl-C, and where a schedule gives an epoch no rate above 0 (ValueError), the
    model keeps the last weights for which E was finite.

    >>> import nn
    >>> model = nn.RegressionMLP(inputs=1, hidden=4, seed=0)
    >>> X, T = [[-1.0], [-0.5], [0.0], [0.5], [1.0]], [1.0, 0.25, 0.0, 0.25, 1.0]
    >>> nn.fit(model, X, T, epochs=400, optimizer=nn.SGD(model, 0.2, momentum=0.9), progress=False)
    History: E from 0.515749 to 2.51599e-05 in 400 epochs
    >>> [round(y, 2) for [y] in model.predict(X)]
    [1.0, 0.26, -0.01, 0.26, 1.0]
    """
    rows, targets = _check_data(X, T)
    _check_options(epochs, batch_size, until, backend)
    optimizer = SGD(model) if optimizer is None else optimizer
    rates = optimizer.rates() if isinstance(optimizer, Optimizer) else {}
    known = rates and optimizer.model is model and optimizer.keeps("parameters", "groups", "rates")
    parameters = list(rates) if known else model.parameters()  # a walk through the model takes as long as its call
    if not rates.keys() & set(parameters):
        raise ValueError(f"an optimizer of this model is expected, such as nn.SGD(model); given was {optimizer!r}")
    epochs, batch_size = int(epochs), batch_size if batch_size is None else int(batch_size)  # NumPy's as Python's
    watched = _check_validation(validation, patience)
    loss = _find_loss(loss)

    def run_over(rows: Table, targets: Table, batch_size: int | None) -> Run:
        numbers = _as_numbers(model, loss, rows, targets)
        return Run(model, parameters, optimizer, rates, loss, rows, numbers, batch_size, seed)

    def trained(backend: str) -> History:
        run = run_over(rows, targets, batch_size)
        try:
            watch = Watched(_faster(run_over(*watched, None), backend), patience) if watched else None
            return _trained(_faster(run, backend), epochs, until, progress, watch)
        except Parted:
            run.restore()
            raise

    try:
        return trained(backend)
    except Parted as parted:  # the tape isn't this model
        if backend == "tape":
            raise ValueError(f"{parted}; backend='eager' builds a graph for each sample instead") from None
        print(f"nn.fit: {parted}, so training goes on without a tape, slowly", file=sys.stderr)
        return trained("eager")


def _trained(run: Run, epochs: int, until: float | None, progress: bool, watch: Watched | None) -> History:
    errors: list[float] = []
    tqdm, rates = _progress_bar(), run.optimizer.learning_rate
    try:
        with tqdm(total=epochs, disable=not progress, desc="training", unit=" epochs") as bar:
            errors = [run.begin(epochs)]
            while True:
                said, rate = f"E = {errors[-1]:.6g}", ""
                if progress and len(errors) > 1 and is_scheduled(rates):
                    rate = f", learning rate {shown(rates, run.optimizer.epoch - 1)}"
                bar.set_postfix_str(said + rate, refresh=False)
                if watch:
                    bar.set_postfix_str(f"{said}, in validation {watch.measure():.6g}{rate}", refresh=False)
                over = len(errors) > epochs or (until is not None and errors[-1] <= until)
                if over or (watch and watch.is_over()):
                    run.finish()
                    if watch:
                        watch.finish()
                    return History(errors, watch.errors if watch else None)
                if watch:
                    run.epochs = 1  # at a time
                made = run.advance(epochs + 1 - len(errors), until)
                errors += made
                bar.update(len(made))
    except BaseException as error:
        run.restore()
        if isinstance(error, DomainError):
            diverged = DomainError(
                f"training diverged in epoch {run.epoch}, at {run.place}: {error}; "
                "the model keeps its last good weights: try a smaller learning rate"
            )
            run.check()
            raise diverged from None
        raise


def _progress_bar() -> Any:
    """tqdm's, which in a notebook is a widget, if there are widgets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are none
        from tqdm.auto import tqdm
    return tqdm


def _faster(run: Run, backend: str) -> Run:
    """The run on a tape, if that is wanted and there is what it takes."""
    if backend == "eager":
        return run
    if lacking := _lacking():
        if backend == "tape":
            raise ValueError(f"backend='tape': {lacking}; pip install 'stepgrad[fast]' mends it")
        print(f"nn.fit: {lacking}, so this is slow; pip install 'stepgrad[fast]' makes it fast", file=sys.stderr)
        return run
    from nn.taped import TapedRun

    try:
        return TapedRun(run)
    except DomainError:  # the model's own: the run will meet it, and say where
        return run


def _lacking() -> str:
    """What keeps this Python from making a tape; empty if nothing does."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
    try:
        import_module("nn.taped")
    except ImportError as error:  # of versions that don't fit together
        return f"a tape can't be made here ({str(error).strip().partition(chr(10))[0]})"
    return ""


def _check_data(X: Any, T: Any) -> tuple[list[list[float]], list[list[float]]]:
    rows, targets = _table("X", X), _table("T", T)
    if len(rows) != len(targets):
        raise ValueError(f"X has {len(rows)} rows and T has {len(targets)}: one target row for each sample is expected")
    if not rows:
        raise ValueError("X has no rows: at least one sample is expected")
    return rows, targets


def _check_validation(validation: Any, patience: int | None) -> tuple[list[list[float]], list[list[float]]] | None:
    if patience is not None:
        check_size("patience", patience)
    if validation is None:
        if patience is not None:
            raise ValueError("patience waits for validation: give validation=(X, T), samples that aren't trained on")
        return None
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise ValueError(f"validation is (X, T), as for training; given was {type(validation).__name__}")
    try:
        return _check_data(*validation)
    except ValueError as mismatch:
        raise ValueError(f"validation: {mismatch}") from None


def _as_numbers(model: Module, loss: Loss, rows: list[list[float]], targets: list[list[float]]) -> list[list[float]]:
    """Targets that are classes written out, for losses that take such: a tape can't choose by a number."""
    if loss not in BY_CLASS or any(len(ts) != 1 for ts in targets):
        return targets
    try:
        outputs = len(model(rows[0]))
    except Exception:  # the run will meet it, and say where
        return targets
    written = []
    for sample, ts in enumerate(targets):
        try:
            written.append(list(one_hot(ts, outputs)))
        except ValueError as error:
            raise ValueError(f"sample {sample}: {error}") from None
    return written


def _table(name: str, given: Any) -> list[list[float]]:
    table = as_lists(given)
    if not isinstance(table, (list, tuple)):
        raise ValueError(f"{name} is a list of rows or a NumPy array; given was {type(given).__name__}")
    if _are_floats(table):
        return [[cell] for cell in table]
    if set(map(type, table)) == {list} and _are_floats(list(chain.from_iterable(table))):
        return [list(row) for row in table]
    return [_row(f"row {i} of {name}", as_lists(row)) for i, row in enumerate(table)]


def _are_floats(cells: Sequence[Any]) -> bool:
    """Are these, as most tables are, plain floats, and finite?"""
    return set(map(type, cells)) == {float} and math.isfinite(sum(cells))


def _row(name: str, given: Any) -> list[float]:
    """One sample's numbers; a number by itself is a row of one."""
    cells = given if isinstance(given, (list, tuple)) else [given]
    try:
        return [number(cell) for cell in cells]
    except (TypeError, DomainError) as error:
        raise ValueError(f"{name}: {error}") from None


def _check_options(epochs: int, batch_size: int | None, until: float | None, backend: str) -> None:
    check_size("epochs", epochs, least=0)
    if batch_size is not None:
        check_size("batch_size", batch_size)
    if until is not None:
        check_number("until", until)
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} is unknown; there are {', '.join(BACKENDS)}")


def _find_loss(loss: Loss | str | None) -> Loss:
    if loss is None:
        return half_mean_over_outputs
    if isinstance(loss, str):
        if loss not in LOSSES:
            known = ", ".join(LOSSES)
            raise ValueError(f"loss {loss!r} is unknown; there are {known}, or a function of outputs and target")
        return LOSSES[loss]
    if not callable(loss):
        raise ValueError(f"a loss is a name or a function of one sample's outputs and targets; given was {loss!r}")
    return loss
