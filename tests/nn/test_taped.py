"""The laws of training on a tape: it is training without one, but faster; and where it can't be, it says so."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from random import Random
from typing import Any, ClassVar

import pytest
from tqdm import tqdm

import nn
import nn.taped
from engine import DomainError, Value, total
from engine.tape.machine import Loops
from nn.optimizers import Optimizer
from nn.run import Run

BACKENDS = ("eager", "tape")
each_backend = pytest.mark.parametrize("backend", BACKENDS)
each_size = pytest.mark.parametrize("batch_size", [None, 3])


def table(rows: int, columns: int, seed: int) -> list[list[float]]:
    rng = Random(seed)
    return [[rng.uniform(-1.7, 1.7) for _ in range(columns)] for _ in range(rows)]


M = 18  # more than a block of lanes, and no multiple of one
X, T = table(M, 3, seed=11), table(M, 2, seed=12)
SIGNS = [1.0 if x + y > 0 else -1.0 for x, y, _ in X]
CLASSES = [[float(k == sample % 3) for k in range(3)] for sample in range(M)]


# -- models and losses


class Curve(nn.Module):
    """A module of one's own, with a parameter that is used twice and one that isn't used."""

    def __init__(self) -> None:
        self.slope, self.layer, self.idle = Value(0.7), nn.Layer(3, 2, "sigmoid", seed=4), Value(0.3)

    def __call__(self, x: Any) -> list[Value]:
        return [self.slope * y + self.slope for y in self.layer(x)]


def quartic(ys: list[Value], ts: Any) -> Value:
    return total([(y - t) ** 4.0 for y, t in zip(ys, ts, strict=True)]) * 0.02


def regression() -> nn.Module:
    return nn.RegressionMLP(3, 4, 2, seed=3)


def classifier(outputs: int = 1) -> nn.Module:
    return nn.MLP(3, [5, outputs], "relu", seed=2)


Task = tuple[Callable[[], nn.Module], Any, Any]
TASKS: dict[str, Task] = {  # a model, targets, a loss
    "regression": (regression, T, None),
    "squares": (regression, T, "half_squared_error"),
    "hinge": (classifier, SIGNS, "hinge"),
    "classes": (lambda: classifier(3), CLASSES, "softmax_cross_entropy"),
    "a curve": (Curve, T, quartic),
}


class Half(Optimizer):
    """An optimizer of one's own, without state."""

    each: ClassVar = {"slope": "slope + weight_decay * w", "step": "sqrt(abs(slope)) * sign(slope) * 0.5"}


class Rprop(Optimizer):
    """With state and settings."""

    start: ClassVar = {"before": 0.0, "size": 1.0}

    @property
    def settings(self) -> dict[str, float]:
        return super().settings | {"up": 1.2, "down": 0.5}

    each: ClassVar = {
        "slope": "slope + weight_decay * w",
        "size": "size * (up if slope * before > 0 else down if slope * before < 0 else 1)",
        "before": "slope",
        "step": "size * tanh(slope)",
    }


class Warm(Optimizer):
    """Computes a part once for all parameters."""

    start: ClassVar = {"steps": 0.0, "mean": 0.0}
    once: ClassVar = {"steps": "steps + 1", "rate": "1 - 0.5**steps"}
    each: ClassVar = {"mean": "(mean + slope) / 2", "step": "mean / rate + weight_decay * w"}


class Halved(nn.SGD):
    """Changes what the formulas give."""

    def change(self) -> Any:
        change = super().change()
        return lambda *numbers: (change(*numbers)[0] * 0.5, *change(*numbers)[1:])


class Stepping(Optimizer):
    """Has a step of its own, and nothing else."""

    def step(self) -> None:
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.data -= 0.05 * parameter.grad


class Clipped(Optimizer):
    """Calls a function of Python's that no formula of the table knows, or not so."""

    each: ClassVar = {"step": "max(slope, -0.5) + weight_decay * w"}


class ClippedAbove(Optimizer):
    each: ClassVar = {"step": "min(slope, 0.5) + weight_decay * w"}


OPTIMIZERS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "SGD": lambda model: nn.SGD(model, 0.1),
    "momentum, decay": lambda model: nn.SGD(model, 0.05, momentum=0.7, weight_decay=0.02),
    "Adam": lambda model: nn.Adam(model, 0.02, weight_decay=0.01),
    "nesterov": lambda model: nn.SGD(model, 0.05, momentum=0.7, weight_decay=0.02, nesterov=True),
    "AdamW": lambda model: nn.AdamW(model, 0.02, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3),
    "a rate that falls": lambda model: nn.SGD(model, lambda epoch: 0.2 / (1 + 0.1 * epoch), momentum=0.5),
}
OWN: list[tuple[type[Optimizer], bool]] = [
    (Half, True),
    (Rprop, True),
    (Warm, True),
    (Halved, False),
    (Stepping, False),
    (Clipped, False),
    (ClippedAbove, False),
]


# -- the measure


class Result:
    """What fit leaves: errors and numbers, or the error that it raised."""

    def __init__(self, backend: str, model: nn.Module, optimizer: Optimizer, **options: Any) -> None:
        self.errors, self.sentence = [], ""
        try:
            options = {"epochs": 100, "progress": False, "X": X, **options}
            self.errors = nn.fit(model, optimizer=optimizer, backend=backend, **options).errors
        except (DomainError, ValueError) as error:
            self.sentence = f"{type(error).__name__}: {error}"
        self.weights = {path: parameter.data for path, parameter in model.named_parameters().items()}
        self.grads = [parameter.grad for parameter in model.parameters()]
        self.state = {parameter.label: list(numbers) for parameter, numbers in optimizer.state.items()}


def assert_same(got: Result, expected: Result, tolerance: float = 1e-9) -> None:
    assert got.sentence == expected.sentence
    assert got.errors == pytest.approx(expected.errors, rel=tolerance, abs=0)
    assert got.weights == pytest.approx(expected.weights, rel=tolerance, abs=tolerance * 1e-3)
    assert got.state.keys() == expected.state.keys()
    for name, numbers in expected.state.items():
        assert got.state[name] == pytest.approx(numbers, rel=1e-7, abs=1e-12), name
    if not expected.sentence:
        assert got.grads == expected.grads == [None] * len(got.grads)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_formula_with_an_unknown_name_is_an_error_on_either_backend(backend: str) -> None:
    class Unknown(Optimizer):
        each: ClassVar = {"step": "slope * speed"}

    model = Line()
    with pytest.raises(NameError, match="speed"):
        nn.fit(model, [[0.3]], [0.4], 3, Unknown(model, 0.1, 0.0), backend=backend, progress=False)
    assert model.slope.data == 1.0


def both(make: Callable[[], nn.Module], optimizer: Callable[[Any], Optimizer], **options: Any) -> tuple[Result, Result]:
    results = []
    for backend in BACKENDS:
        model = make()
        results.append(Result(backend, model, optimizer(model), **options))
    assert_same(results[1], results[0])
    return results[0], results[1]


@pytest.mark.parametrize("part", ["errors", "weights", "state", "grads", "sentence"])
def test_the_measure_can_fail(part: str) -> None:
    one, other = (Result("eager", model, nn.SGD(model), T=T, epochs=3) for model in (regression(), regression()))
    assert_same(one, other)
    wrong: Any = {
        "errors": [*other.errors[:-1], other.errors[-1] * (1 + 2e-9)],
        "weights": {name: number * (1 + 2e-9) for name, number in other.weights.items()},
        "state": {name: [v * (1 + 1e-6) for v in numbers] for name, numbers in other.state.items()},
        "grads": [0.0] * len(other.grads),
        "sentence": "DomainError: another",
    }
    vars(other)[part] = wrong[part]
    with pytest.raises(AssertionError):
        assert_same(one, other)


# -- the same numbers


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_history_is_the_same_to_1e_9_over_100_epochs(task: Task, optimizer: Callable[[Any], Optimizer]) -> None:
    make, targets, loss = task
    one, _ = both(make, optimizer, T=targets, loss=loss)
    assert not one.sentence and len(one.errors) == 101 and one.errors[-1] < one.errors[0]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_history_in_batches_is_the_same_too(task: Task) -> None:
    """With each optimizer, for a third of the epochs."""
    make, targets, loss = task
    for optimizer in OPTIMIZERS.values():
        one, _ = both(make, optimizer, T=targets, loss=loss, batch_size=6, seed=3, epochs=33)
        assert not one.sentence and len(one.errors) == 34 and one.errors[-1] < one.errors[0]


@pytest.mark.parametrize("kind", [nn.SGD, nn.Adam])
def test_a_rate_per_layer(kind: Any) -> None:
    one, _ = both(regression, lambda model: kind(model, (0.1, 0.003)), T=T)
    other, _ = both(regression, lambda model: kind(model, (0.003, 0.1)), T=T)
    assert one.errors[-1] != pytest.approx(other.errors[-1], rel=1e-6)


@pytest.mark.parametrize("kind, compiled", OWN)
def test_an_optimizer_of_ones_own_is_the_same(
    kind: type[Optimizer], compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[nn.taped.TapedRun] = []  # to the other run, epoch by epoch
    advance = Run.advance

    def seen(self: Run, most: int, until: float | None) -> list[float]:
        if isinstance(self, nn.taped.TapedRun):
            left.append(self)
        return advance(self, most, until)

    monkeypatch.setattr(Run, "advance", seen)
    rows, targets = [[x] for x, _, _ in X], [t for t, _ in T]
    for batch_size in (None, 6):
        options: dict[str, Any] = {"X": rows, "T": targets, "batch_size": batch_size, "epochs": 20}
        one, _ = both(Line, lambda model: kind(model, 0.03, 0.001), **options)
        assert one.errors[-1] < one.errors[0] and not one.sentence
    assert bool(nn.taped.epochs_of(kind(Line(), 0.03, 0.001))) == compiled
    assert len(left) == (0 if compiled else 40)


def test_a_step_that_was_put_in_its_place_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in BACKENDS:
        model = Line()
        seen: list[int] = []
        optimizer = nn.SGD(model)
        monkeypatch.setattr(optimizer, "step", lambda seen=seen: seen.append(0))
        before = [p.data for p in model.parameters()]
        nn.fit(model, [[0.3]], [0.4], epochs=3, optimizer=optimizer, backend=backend, progress=False)
        assert len(seen) == 3 and [p.data for p in model.parameters()] == before


@each_size
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_optimizers_memory_goes_on_over_two_fits(
    optimizer: Callable[[Any], Optimizer], batch_size: int | None
) -> None:
    results = []
    for first in BACKENDS:
        for second in BACKENDS:
            model = regression()
            memory = optimizer(model)
            Result(first, model, memory, T=T, epochs=7, batch_size=batch_size)
            results.append(Result(second, model, memory, T=T, epochs=9, batch_size=batch_size, seed=4))
    for result in results[1:]:
        assert_same(result, results[0])


@each_size
def test_an_optimizer_of_some_parameters_moves_those(batch_size: int | None) -> None:
    one, _ = both(
        regression, lambda model: nn.SGD(model.output.parameters(), 0.1, momentum=0.5), T=T, batch_size=batch_size
    )
    start = {path: parameter.data for path, parameter in regression().named_parameters().items()}
    assert {path for path in start if start[path] != one.weights[path]} == {p for p in start if p.startswith("output")}


@each_backend
def test_a_parameter_of_the_loss_is_trained_too(backend: str) -> None:
    model, scale = regression(), Value(0.5, "scale")

    def loss(ys: list[Value], ts: Any) -> Value:
        return nn.half_squared_error([y * scale for y in ys], ts)

    optimizer = nn.SGD([*model.parameters(), scale], 0.1)
    nn.fit(model, X, T, epochs=30, loss=loss, optimizer=optimizer, backend=backend, progress=False)
    assert scale.data == pytest.approx(0.4505, abs=0.05) and scale.data != 0.5 and scale.grad is None


@each_size
def test_until_stops_at_the_same_epoch(batch_size: int | None) -> None:
    model = regression()
    errors = Result("eager", model, nn.SGD(model), T=T, batch_size=batch_size, epochs=70).errors
    for at in (0, 1, 17, 60):
        until = errors[at] * (1 + 1e-12)
        expected = errors[: 1 + next(i for i, E in enumerate(errors) if until >= E)]
        model = regression()
        stopped = Result("tape", model, nn.SGD(model), T=T, batch_size=batch_size, epochs=70, until=until)
        assert len(stopped.errors) == len(expected) and stopped.errors == pytest.approx(expected, rel=1e-9)


@each_backend
@pytest.mark.parametrize("epochs", [0, 1, 250])
def test_the_progress_bar_counts_epochs(epochs: int, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr(tqdm, "update", lambda bar, made: counts.append(made))
    model = regression()
    history = nn.fit(model, X[:5], T[:5], epochs=epochs, backend=backend)
    assert sum(counts) == epochs == len(history.errors) - 1
    assert backend == "eager" or epochs < 250 or len(counts) < 250, "many epochs in one call of the loop"


# -- divergence, interruption


@each_size
@pytest.mark.parametrize("optimizer", ["SGD", "momentum"])
@pytest.mark.parametrize("name, rate", [("regression", 1e5), ("a curve", 1e4), ("squares", 1e200), ("classes", 1e308)])
def test_divergence_is_the_same_sentence_and_leaves_the_same_weights(
    name: str, rate: float, optimizer: str, batch_size: int | None
) -> None:
    make, targets, loss = TASKS[name]
    momentum = 0.9 if optimizer == "momentum" else 0.0
    results = []
    for backend in BACKENDS:
        model = make()
        sgd = nn.SGD(model, rate, momentum=momentum)
        results.append(Result(backend, model, sgd, T=targets, loss=loss, epochs=3000, batch_size=batch_size))
    one, other = results
    without_digits = [re.sub(r"-?\d+\.\d+(e[+-]\d+)?", "…", result.sentence) for result in results]
    assert without_digits[0] == without_digits[1] and "training diverged in epoch" in one.sentence
    # what is left of 16 digits where each epoch multiplies an error is little
    assert other.weights == pytest.approx(one.weights, rel=1e-6)
    assert other.state.keys() == one.state.keys()


def steep(ys: list[Value], ts: Any) -> Value:
    E: Value = (ys[0] - ts[0]).exp()
    return E


class Line(nn.Module):
    def __init__(self, slope: float = 1.0) -> None:
        self.slope = Value(slope)

    def __call__(self, x: Any) -> list[Value]:
        return [self.slope * x[0]]


class Uphill(nn.SGD):
    """Its step is its own, so that it isn't compiled."""

    def step(self) -> None:
        for parameter in self.parameters():
            parameter.data += 0.9


@each_backend
def test_divergence_names_the_epoch_the_sample_and_the_operation(backend: str) -> None:
    model = Line()
    rows, targets = [[0.1], [0.2], [300.0]], [0.3, 0.4, 0.5]
    with pytest.raises(DomainError, match=r"diverged in epoch 3, at sample 2: exp: exp\(x\) .* at x = 839\.5; "):
        nn.fit(model, rows, targets, 9, Uphill(model), steep, backend=backend, progress=False)
    assert model.slope.data == 1.9


@each_backend
def test_a_model_without_a_finite_error_at_the_start_says_so(backend: str) -> None:
    for rows, sample in (([[800.0], [0.1]], 0), ([[0.1], [0.2], [800.0]], 2)):
        model = Line()
        with pytest.raises(DomainError, match=rf"diverged in epoch 1, at sample {sample}: exp: exp\(x\) is too large"):
            nn.fit(model, rows, [0.5] * len(rows), loss=steep, backend=backend, progress=False)
        assert model.slope.data == 1.0


@each_size
@pytest.mark.parametrize("when", ["before", "after", "in the bar"])
def test_an_interruption_leaves_whole_weights(
    when: str, batch_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is heard between two calls of the compiled loop; then the weights are those of an epoch."""
    optimizer, compiled = OPTIMIZERS["momentum, decay"], Loops.__call__
    seen = [Result("eager", model, optimizer(model), T=T, epochs=k, batch_size=batch_size)
            for k in range(9) for model in [regression()]]  # fmt: skip
    calls = 0

    def call(self: Loops, function: str, *arguments: Any) -> Any:
        nonlocal calls
        calls += function == "train"
        if calls == 5 and when == "before":
            raise KeyboardInterrupt
        result = compiled(self, function, *arguments)
        if calls == 5 and when == "after":
            raise KeyboardInterrupt
        return result

    def update(bar: Any, made: int) -> None:
        if when == "in the bar" and calls == 5:
            raise KeyboardInterrupt

    model = regression()
    memory = optimizer(model)
    with monkeypatch.context() as patch:
        patch.setattr(Loops, "__call__", call)
        patch.setattr(tqdm, "update", update)
        patch.setattr(nn.taped, "A_WHILE", 0.0)
        with pytest.raises(KeyboardInterrupt):
            nn.fit(model, X, T, 50, memory, backend="tape", batch_size=batch_size)
    done = 5 if when == "in the bar" else 4
    weights = {path: parameter.data for path, parameter in model.named_parameters().items()}
    assert weights == pytest.approx(seen[done].weights, rel=1e-9)
    state = {parameter.label: list(numbers) for parameter, numbers in memory.state.items()}
    assert state == {name: pytest.approx(numbers, rel=1e-7) for name, numbers in seen[done].state.items()}
    assert memory.epoch == done


# -- what a tape can't stand for


class Branch(nn.Module):
    """Chooses by what a tape can't see, or by what it may not see."""

    def __init__(self, choose: Callable[[Value, Any], Any]) -> None:
        self.w, self.choose = Value(0.8), choose

    def __call__(self, x: Any) -> list[Value]:
        return [self.choose(self.w, x[0])]


def of_data(w: Value, x: Any) -> Any:
    y = w * x
    return y if y.data > 0 else y * 0.7


MODELS: dict[str, Callable[[Value, Any], Any]] = {
    "a choice between Values": lambda w, x: w * x if w * x > 0.2 else w * 0.7,
    "a maximum": lambda w, x: max(w * x, w * 0.7),
    "a choice by data": of_data,
    "a number from the weights": lambda w, x: w * x * w.data,
    "a number that changes later": lambda w, x: w * x * (1.0 if w.data > 0.5 else 0.4),
    "a number of the input": lambda w, x: w * float(x),
    "a list of numbers": lambda w, x: w * {0.1: 1.0}.get(x, 0.3),
    "math of the input": lambda w, x: w * math.sin(x),
    "an attribute of float": lambda w, x: w * (2.0 if x.is_integer() else 0.6),
    "an error with Values": lambda w, x: w * x if isinstance(x, float) else w * 0.1 / 0.0,
}  # fmt: skip
ROWS_1, TARGETS_1 = [[-0.9], [0.1], [0.5], [-0.3], [0.9], [1.1]], [0.1, 0.4, -0.2, 0.3, 0.1, 0.2]


def by_number(ys: list[Value], ts: Any) -> Value:
    return (ys[0] - (1.0 if int(ts[0] * 10) % 2 else 0.3)) ** 2.0 * 0.5


def same_as_eager(make: Callable[[], nn.Module], capfd: Any, **options: Any) -> None:
    """auto gives eager's result and says why in a line; tape refuses in a sentence, and the model is as it was."""
    results, start = {}, {path: parameter.data for path, parameter in make().named_parameters().items()}
    options = {"X": ROWS_1, "T": TARGETS_1, "epochs": 40, "seed": 2, **options}
    for backend in ("eager", "auto", "tape"):
        model = make()
        results[backend] = Result(backend, model, nn.SGD(model, 0.1, momentum=0.5), **options)
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) == (backend == "auto"), lines
        assert all(line.startswith("nn.fit: ") and line.endswith(" without a tape, slowly") for line in lines)
    one, auto, tape = results.values()
    assert vars(auto) == vars(one)
    assert tape.sentence.startswith("ValueError: ") and tape.sentence.endswith("a graph for each sample instead")
    assert "\n" not in tape.sentence and tape.weights == start and tape.state == {}


@each_size
@pytest.mark.parametrize("choose", MODELS.values(), ids=MODELS)
def test_a_model_that_has_no_tape_is_trained_without(
    choose: Callable[[Value, Any], Any], batch_size: int | None, capfd: Any
) -> None:
    same_as_eager(lambda: Branch(choose), capfd, batch_size=batch_size)


def test_a_loss_that_needs_plain_numbers_is_given_them(capfd: Any) -> None:
    same_as_eager(lambda: Line(0.8), capfd, loss=by_number)


class Whole(nn.Module):
    """Takes rows of any length."""

    def __init__(self) -> None:
        self.w = Value(0.8)

    def __call__(self, x: Any) -> list[Value]:
        return [total([self.w * each for each in x])]


def test_rows_of_different_lengths_have_no_tape(capfd: Any) -> None:
    same_as_eager(Whole, capfd, X=[[0.3], [0.4, 0.5], [0.6]], T=[0.1, 0.2, 0.3])
    same_as_eager(
        Whole, capfd, X=[[0.3], [0.4], [0.6]], T=[[0.1], [0.2, 0.5], [0.3]],
        loss=lambda ys, ts: total([(ys[0] - t) ** 2.0 for t in ts]),
    )  # fmt: skip


def test_a_wrong_tape_that_diverges_is_found_out_too(capfd: Any) -> None:
    """At the start the model is its tape, which then runs away; the model doesn't."""

    def choose(w: Value, x: Any) -> Any:
        return w * x if w.data < 1.0 else w * 0.0 + 0.3

    class Runaway(Branch):
        pass

    for backend in ("eager", "auto"):
        model = Runaway(choose)
        nn.fit(model, ROWS_1, TARGETS_1, 60, Uphill(model), steeper, backend=backend, progress=False)
        assert model.w.data == pytest.approx(0.8 + 60 * 0.9)
    assert "without a tape" in capfd.readouterr().err


def steeper(ys: list[Value], ts: Any) -> Value:
    E: Value = (ys[0] * 20.0 - ts[0]).exp()
    return E


@pytest.mark.parametrize(
    "task, target, words",
    [("hinge", 0.5, r"hinge takes one output and a target of 1 or -1; .* 0\.5"),
     ("classes", [0.4, 0.4, 0.4], r"softmax_cross_entropy takes a one-hot target, or probabilities of sum 1; .*"),
     ("classes", [1.5, -0.5, 0.0], r"softmax_cross_entropy takes a one-hot target, or probabilities of sum 1; .*"),
     ("regression", [0.3], r"2 outputs need 2 targets; given were 1")],
)  # fmt: skip
@pytest.mark.parametrize("backend", ["eager", "tape", "auto"])
@pytest.mark.parametrize("sample", [0, 13])
def test_a_target_that_the_loss_refuses_is_refused(
    task: str, target: Any, words: str, backend: str, sample: int, capfd: Any
) -> None:
    make, targets, loss = TASKS[task]
    wrong = [*targets[:sample], target, *targets[sample + 1 :]]
    model = make()
    before = [parameter.data for parameter in model.parameters()]
    with pytest.raises(ValueError, match=rf"^sample {sample}: {words}$"):
        nn.fit(model, X, wrong, loss=loss, backend=backend, progress=False)
    assert [parameter.data for parameter in model.parameters()] == before
    assert capfd.readouterr().err == ""


@each_backend
def test_an_error_of_the_loss_for_a_later_target_is_its_own(backend: str) -> None:
    def loss(ys: list[Value], ts: Any) -> Value:
        if isinstance(ts[0], float) and ts[0] == T[7][0]:
            raise LookupError("mine")
        return nn.half_squared_error(ys, ts)

    with pytest.raises(LookupError, match=r"^mine$"):
        nn.fit(regression(), X, T, loss=loss, backend=backend, progress=False)


# -- without NumPy or llvmlite


@pytest.mark.parametrize("missing", [["llvmlite"], ["numpy", "llvmlite"]], ids=str)
def test_without_the_fast_extra_training_is_eager_and_a_line_says_how_to_get_it(
    missing: list[str], monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(nn.training, "find_spec", lambda name: None if name in missing else object())
    model, expected = regression(), regression()
    errors = nn.fit(model, X, T, epochs=5, progress=False).errors
    line = capfd.readouterr().err
    assert errors == nn.fit(expected, X, T, epochs=5, backend="eager", progress=False).errors
    assert line.count("\n") == 1 and "pip install 'stepgrad[fast]'" in line and ", ".join(missing) in line
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match=r"^backend='tape': .* not installed; pip install 'stepgrad\[fast\]'"):
        nn.fit(model, X, T, epochs=5, backend="tape", progress=False)


BLOCKED = """
import sys
from importlib.machinery import PathFinder

class Blocker:
    def find_spec(name, path=None, target=None):
        if name == "llvmlite":
            raise ImportError("llvmlite needs another Python" if sys.argv[1] == "broken" else "no llvmlite")
        return None

if sys.argv[1] == "broken":
    import importlib.util
    sys.modules.pop("llvmlite", None)
    import nn.training
    nn.training.find_spec = lambda name: object()
    sys.meta_path.insert(0, Blocker)
else:
    for name in ("numpy", "llvmlite"):
        sys.modules[name] = None
    import nn.training
    nn.training.find_spec = lambda name: None
import nn
print(nn.fit(nn.RegressionMLP(1, 1), [[0.3]], [0.4], epochs=2, progress=False))
"""


@pytest.mark.parametrize("how", ["missing", "broken"])
def test_nothing_of_the_fast_extra_is_imported_where_it_cant_be(how: str) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED, how], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("History: E from")
    assert done.stderr.count("\n") == 1 and "pip install 'stepgrad[fast]'" in done.stderr
    assert how == "missing" or "llvmlite needs another Python" in done.stderr


class Jumping(nn.Module):
    """A single w, which steps of a rate of 1 move to a sample's target at once."""

    def __init__(self) -> None:
        self.w = Value(0.0, "w")

    def __call__(self, x: Any) -> list[Value]:
        steep, far = x
        return [(self.w - far) ** 2 * (0.5 - 0.5 * steep) + (self.w * (500.0 * steep)).exp() * 1e-9 * steep]


@pytest.mark.parametrize("seed", range(8))
def test_a_batch_that_fails_ends_the_epoch_though_the_next_would_mend_it(seed: int) -> None:
    """At w = 2, after the second sample, the first is too large; after the third all are well again."""
    rows, outcomes = [[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], []
    for backend in BACKENDS:
        model = Jumping()
        options: dict[str, Any] = {"loss": lambda ys, ts: ys[0], "batch_size": 1, "backend": backend, "seed": seed}
        try:
            history = nn.fit(model, rows, [0.0] * 3, 3, nn.SGD(model, 1.0), progress=False, **options)
            outcomes.append(str([f"{error:.9g}" for error in history.errors]))
        except DomainError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


def test_samples_in_several_blocks_are_all_read_in_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tape.tape.MOST_BYTES", 1)
    histories = []
    for backend in BACKENDS:
        model = regression()
        histories.append(nn.fit(model, X, T, 9, nn.SGD(model, 0.1), backend=backend, progress=False).errors)
    assert histories[1] == pytest.approx(histories[0], rel=1e-11)
