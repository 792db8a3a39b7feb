"""fit: the training loop. Forward, backward, update, over and over, until E is small enough or the epochs are over."""

from __future__ import annotations

from random import Random
from typing import Any

from tqdm import tqdm

from engine import DomainError, Value
from engine.domain import number
from nn.losses import LOSSES, Loss, half_mean_over_outputs
from nn.modules import Module, Rows, check_size
from nn.optimizers import SGD, Optimizer, check_number

BACKENDS = ("auto", "eager")


class History:
    """What a training run did: .errors, E over all the data at the start and after each epoch (epochs + 1 floats)."""

    def __init__(self, errors: list[float]) -> None:
        self.errors = errors

    def __repr__(self) -> str:
        return f"History: E from {self.errors[0]:.6g} to {self.errors[-1]:.6g} in {len(self.errors) - 1} epochs"


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
) -> History:
    """Trains a model on M samples, X of M rows of D numbers and T of M rows of K targets (flat where K = 1).

    E is the mean over the samples of `loss`, a function of one sample's outputs and its list of targets, or its name
    (default: half the squared error over K, so that E is half_mean_squared_error). An epoch is one step of the
    optimizer (default: SGD at 0.1) on all samples, or with batch_size a step on each batch of a new shuffle (drawn from
    seed); the E of the history then costs an extra forward pass an epoch. Stops early once E <= until.
    Raises ValueError for data, names or numbers that don't fit, before anything is trained. Training that diverges
    raises DomainError with the epoch, the sample and the operation; then, and on Ctrl-C, the model keeps the last
    weights for which E over all samples was finite.
    """
    rows, targets = _check_data(X, T)
    _check_options(epochs, batch_size, until, backend)
    optimizer = SGD(model) if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer) or not set(optimizer.parameters()) & set(model.parameters()):
        raise ValueError(f"an optimizer of this model is expected, such as nn.SGD(model); given was {optimizer!r}")
    run = _Run(model, optimizer, _find_loss(loss), rows, targets)
    samples = list(range(len(rows)))
    random = Random(seed)
    errors: list[float] = []
    try:
        with tqdm(total=epochs, disable=not progress, desc="training", unit=" epochs") as bar:
            while True:
                run.epoch = len(errors)
                last = len(errors) == epochs
                errors.append(run.mean_error(samples, gradients=batch_size is None and not last))
                run.keep()
                bar.set_postfix_str(f"E = {errors[-1]:.6g}", refresh=False)
                if last or (until is not None and errors[-1] <= until):
                    return History(errors)
                if batch_size is None:
                    run.step()
                else:
                    random.shuffle(samples)
                    for start in range(0, len(samples), batch_size):
                        run.mean_error(samples[start : start + batch_size], gradients=True)
                        run.step()
                    samples.sort()
                bar.update()
    except BaseException as error:
        run.restore()
        if isinstance(error, DomainError):
            raise DomainError(
                f"training diverged in epoch {run.epoch + 1}, at {run.place}: {error}; "
                "the model keeps its last good weights: try a smaller learning rate"
            ) from None
        raise


class _Run:
    """A training run: the data, where it is, and the last weights for which E over all samples was finite."""

    def __init__(self, model: Module, optimizer: Optimizer, loss: Loss, rows: list[Any], targets: list[Any]) -> None:
        self.model, self.optimizer, self.loss, self.rows, self.targets = model, optimizer, loss, rows, targets
        self.parameters = model.parameters()
        self.epoch, self.place = 0, "the start"
        self.keep()

    def keep(self) -> None:
        self.good = [parameter.data for parameter in self.parameters]
        self.good_state = dict(self.optimizer.state)

    def restore(self) -> None:
        for parameter, data in zip(self.parameters, self.good, strict=True):
            parameter.data = data
        self.optimizer.state = self.good_state

    def mean_error(self, samples: list[int], gradients: bool) -> float:
        """E over these samples; with gradients, also ∂E/∂w into the parameters. One graph a sample, freed at once."""
        self.optimizer.zero_grad()
        share, error = 1 / len(samples), 0.0
        for sample in samples:
            self.place = f"sample {sample}"
            try:
                graph = self.loss_of(sample) * share
            except ValueError as mismatch:
                raise ValueError(f"{self.place}: {mismatch}") from None
            error += graph.data
            if gradients:
                graph.backward()
        return number(error)

    def loss_of(self, sample: int) -> Value:
        outputs = self.model(self.rows[sample])
        if not isinstance(outputs, list):
            raise TypeError(
                f"{self.model!r} returned {type(outputs).__name__}; a list of Values is expected of a model"
            )
        loss = self.loss(outputs, self.targets[sample])
        if type(loss) is not Value:
            raise TypeError(f"the loss returned {type(loss).__name__}; a Value computed from the outputs is expected")
        return loss

    def step(self) -> None:
        self.place = "the step"
        self.optimizer.step()


def _check_data(X: Any, T: Any) -> tuple[list[list[float]], list[list[float]]]:
    rows, targets = _table("X", X), _table("T", T)
    if len(rows) != len(targets):
        raise ValueError(f"X has {len(rows)} rows and T has {len(targets)}: one target row for each sample is expected")
    if not rows:
        raise ValueError("X has no rows: at least one sample is expected")
    return rows, targets


def _table(name: str, given: Any) -> list[list[float]]:
    table = given.tolist() if hasattr(given, "tolist") else given
    if not isinstance(table, (list, tuple)):
        raise ValueError(f"{name} is a list of rows or a NumPy array; given was {type(given).__name__}")
    rows = []
    for i, row in enumerate(table):
        row = row.tolist() if hasattr(row, "tolist") else row
        try:
            rows.append([number(cell) for cell in (row if isinstance(row, (list, tuple)) else [row])])
        except (TypeError, DomainError) as error:
            raise ValueError(f"row {i} of {name}: {error}") from None
    return rows


def _check_options(epochs: int, batch_size: int | None, until: float | None, backend: str) -> None:
    check_size("epochs", epochs, least=0)
    if batch_size is not None:
        check_size("batch_size", batch_size)
    if until is not None:
        check_number("until", until)
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} is unknown; there are {', '.join(BACKENDS)}")


def _find_loss(loss: Loss | str | None) -> Loss:
    if isinstance(loss, str) and loss not in LOSSES:
        raise ValueError(
            f"loss {loss!r} is unknown; there are {', '.join(LOSSES)}, or a function of outputs and target"
        )
    if not (loss is None or isinstance(loss, str) or callable(loss)):
        raise ValueError(f"a loss is a name or a function of one sample's outputs and targets; given was {loss!r}")
    return LOSSES[loss] if isinstance(loss, str) else loss or half_mean_over_outputs
