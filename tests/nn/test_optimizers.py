"""The laws of optimizers on either backend: rates by the epoch, settings out of range, memory that goes to a file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from tqdm import tqdm

import nn
import nn.taped
from engine import DomainError, Value
from nn.optimizers import Optimizer

X = [[0.31, -1.27], [1.46, 0.52], [-0.95, 0.18], [0.07, -0.38], [-1.2, 1.1], [0.66, 0.94]]
T = [0.6, 1.1, -0.7, 0.2, -1.0, 0.4]
Make = Callable[..., Optimizer]
OPTIMIZERS: dict[str, Make] = {  # of a model, with these learning rates
    "SGD": nn.SGD,
    "momentum": lambda model, rate: nn.SGD(model, rate, momentum=0.8, weight_decay=0.03),
    "nesterov": lambda model, rate: nn.SGD(model, rate, momentum=0.8, nesterov=True),
    "Adam": lambda model, rate: nn.Adam(model, rate, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.02),
    "AdamW": lambda model, rate: nn.AdamW(model, rate, weight_decay=0.2),
}
each_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
each_backend = pytest.mark.parametrize("backend", ["eager", "tape"])
each_size = pytest.mark.parametrize("batch_size", [None, 4])


def network() -> nn.MLP:
    return nn.MLP(2, [4, 1], "tanh", seed=2)


def weights(model: nn.Module) -> list[float]:
    return [parameter.data for parameter in model.parameters()]


def fit(model: nn.Module, optimizer: Optimizer, **options: Any) -> nn.History:
    options = {"epochs": 30, "progress": False} | options
    return nn.fit(model, X, T, optimizer=optimizer, **options)


def falling(epoch: int) -> float:
    return 0.07 / (1 + 0.2 * epoch)


def stepped(epoch: int) -> float:
    return 0.05 if epoch < 7 else 0.013


# -- learning rates by the epoch


@each_size
@each_backend
@each_optimizer
@pytest.mark.parametrize("rates", [falling, (stepped, falling), (0.03, stepped)], ids=["one", "two", "half"])
def test_a_schedule_is_its_rates_set_by_hand_before_each_epoch(
    rates: Any, make: Make, backend: str, batch_size: int | None
) -> None:
    options: dict[str, Any] = {"batch_size": batch_size, "backend": backend}
    model, by_hand = network(), network()
    optimizer = make(model, rates)
    errors = fit(model, optimizer, epochs=20, **options, seed=5).errors
    assert optimizer.epoch == 20

    def at(epoch: int) -> Any:
        found = [rate(epoch) if callable(rate) else rate for rate in (rates if isinstance(rates, tuple) else [rates])]
        return tuple(found) if len(found) > 1 else found[0]

    other, random = make(by_hand, at(0)), Random(5)
    expected = []
    for epoch in range(20):
        other.learning_rate = at(epoch)
        made = fit(by_hand, other, epochs=1, **options | {"backend": "eager"}, seed=random).errors
        expected += made if not epoch else made[1:]
    assert errors == pytest.approx(expected, rel=1e-12 if backend == "eager" else 1e-9)
    assert weights(model) == pytest.approx(weights(by_hand), rel=1e-9)


@each_optimizer
def test_the_epoch_goes_on_from_fit_to_fit_and_backend_to_backend(make: Make) -> None:
    whole = network()
    errors = fit(whole, make(whole, falling), backend="eager").errors
    for backends in (("eager", "tape", "eager"), ("tape", "eager", "tape")):
        model = network()
        optimizer, found = make(model, falling), errors[:1]
        for backend, epochs in zip(backends, (7, 1, 22), strict=True):
            found += fit(model, optimizer, epochs=epochs, backend=backend).errors[1:]
        assert found == pytest.approx(errors, rel=1e-9) and optimizer.epoch == 30


@each_optimizer
def test_a_loop_by_hand_counts_the_epochs_itself(make: Make) -> None:
    fitted, model = network(), network()
    fit(fitted, make(fitted, falling), backend="eager", epochs=12)
    optimizer = make(model, falling)
    for _ in range(12):
        optimizer.zero_grad()
        nn.half_mean_squared_error([model(x) for x in X], [[t] for t in T]).backward()
        optimizer.step()
        optimizer.epoch += 1
    assert weights(model) == pytest.approx(weights(fitted), rel=1e-12)


@each_size
def test_a_tape_asks_a_schedule_for_some_epochs_at_once(
    batch_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.taped, "AHEAD", 4)
    eager, model = network(), network()
    ahead: list[int] = []

    def watched(epoch: int) -> float:
        ahead.append(epoch - optimizer.epoch)
        return falling(epoch)

    optimizer = nn.SGD(model, falling)
    optimizer.learning_rate = watched
    errors = fit(model, optimizer, epochs=50, batch_size=batch_size, backend="tape").errors
    expected = fit(eager, nn.SGD(eager, falling), epochs=50, batch_size=batch_size, backend="eager").errors
    assert errors == pytest.approx(expected, rel=1e-9)
    assert max(ahead) == 3 and 50 <= len(ahead) <= 52


@each_size
@each_backend
def test_training_that_diverges_goes_back_to_the_last_good_epoch(backend: str, batch_size: int | None) -> None:
    whole, model = network(), network()
    options: dict[str, Any] = {"batch_size": batch_size, "backend": backend}
    fit(whole, nn.SGD(whole, 0.05), epochs=4, **options)
    optimizer = nn.SGD(model, lambda epoch: 0.05 if epoch < 4 else 1e200)
    with pytest.raises(DomainError, match=r"^training diverged in epoch [56], .* try a smaller learning rate$"):
        fit(model, optimizer, **options)
    assert optimizer.epoch == 4 and weights(model) == pytest.approx(weights(whole), rel=1e-12)


def test_a_film_counts_the_epochs() -> None:
    fitted, filmed = network(), network()
    data: Any = {"X": X[:2], "T": [[t] for t in T[:2]], "epochs": 12}
    nn.fit(fitted, **data, optimizer=nn.Adam(fitted, falling), backend="eager", progress=False)
    nn.film_training(filmed, **data, optimizer=nn.Adam(filmed, falling))
    assert weights(filmed) == pytest.approx(weights(fitted), rel=1e-12)


@each_backend
def test_a_list_of_rates_lasts_as_many_epochs(backend: str) -> None:
    rates = [falling(epoch) for epoch in range(9)]
    model, other = network(), network()
    optimizer = nn.SGD(model, rates.__getitem__)
    assert fit(model, optimizer, epochs=9, backend=backend, progress=True).errors == pytest.approx(
        fit(other, nn.SGD(other, falling), epochs=9, backend=backend).errors, rel=1e-12
    )
    before = weights(model)
    with pytest.raises(ValueError, match=r"^learning_rate, as a function of the epoch, failed for epoch 9: IndexError"):
        fit(model, optimizer, backend=backend)
    assert weights(model) == before


@each_backend
def test_until_and_a_schedule_stop_together(backend: str) -> None:
    model, whole = network(), network()
    errors = fit(whole, nn.SGD(whole, falling), backend="eager").errors
    optimizer = nn.SGD(model, falling)
    assert len(fit(model, optimizer, backend=backend, until=errors[11] * (1 + 1e-12))) == optimizer.epoch == 11


@each_backend
def test_a_schedule_of_some_parameters_moves_those(backend: str) -> None:
    model = network()
    start, [hidden, output] = weights(model), model.layers
    fit(model, nn.SGD(output.parameters(), falling), backend=backend)
    moved = [old != new for old, new in zip(start, weights(model), strict=True)]
    assert moved == [False] * len(hidden.parameters()) + [True] * len(output.parameters())


def failing(epoch: int) -> float:
    if epoch == 6:
        raise OverflowError("too late,\nby far")
    return falling(epoch)


FAULTS: dict[str, tuple[Any, str]] = {
    "raises": (failing, "as a function of the epoch, failed for epoch 6: OverflowError: too late, by far"),
    "0": (lambda epoch: 0.06 - 0.01 * epoch if epoch < 6 else 0.0, "for epoch 6 is a finite number above 0; given was"),
    "below 0": (lambda epoch: 0.05 * (5.5 - epoch), "for epoch 6 is a finite number above 0; given was -0.02"),
    "nan": (lambda epoch: 0.05 if epoch < 6 else math.nan, "for epoch 6 is a finite number above 0; given was nan"),
    "inf": (lambda epoch: 0.05 if epoch < 6 else math.inf, "for epoch 6 is a finite number above 0; given was inf"),
    "nothing": (lambda epoch: 0.05 if epoch < 6 else None, "for epoch 6 is a finite number above 0; given was None"),
    "a Value": (lambda epoch: 0.05 if epoch < 6 else Value(0.1), "for epoch 6 is a finite number above 0; given was V"),
}


@each_size
@each_backend
@pytest.mark.parametrize("per_layer", [False, True], ids=["one", "per layer"])
@pytest.mark.parametrize("rate, complaint", FAULTS.values(), ids=FAULTS)
def test_a_schedule_that_fails_keeps_the_epochs_before_it(
    rate: Any, complaint: str, per_layer: bool, backend: str, batch_size: int | None
) -> None:
    whole, model = network(), network()
    options: dict[str, Any] = {"batch_size": batch_size, "backend": backend}
    reference = nn.SGD(whole, (rate, falling) if per_layer else rate, momentum=0.6)
    fit(whole, reference, epochs=6, **options)
    optimizer = nn.SGD(model, (rate, falling) if per_layer else rate, momentum=0.6)
    with pytest.raises(ValueError) as refusal:
        fit(model, optimizer, epochs=30, **options)
    assert complaint in str(refusal.value) and "\n" not in str(refusal.value)
    assert weights(model) == pytest.approx(weights(whole), rel=1e-12) and weights(model) != weights(network())
    assert optimizer.epoch == reference.epoch == 6
    expected = [numbers for numbers in reference.state.values()]
    assert [list(numbers) for numbers in optimizer.state.values()] == [pytest.approx(list(each)) for each in expected]


@pytest.mark.parametrize("epochs", [1, 1500])
@each_backend
def test_the_bar_shows_the_rates_of_the_epoch_it_has_come_to(
    epochs: int, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "eager":
        epochs = min(epochs, 3)
    for rates, constant in (((0.03, falling), False), (0.03, True)):
        shown: list[str] = []
        monkeypatch.setattr(tqdm, "set_postfix_str", lambda bar, text, refresh, shown=shown: shown.append(text))
        model = network()
        history = fit(model, nn.SGD(model, rates), epochs=epochs, backend=backend, progress=True)
        rate = "" if constant else f", learning rate 0.03, {falling(epochs - 1):.4g}"
        assert shown[0] == f"E = {history.errors[0]:.6g}" and shown[-1] == f"E = {history.errors[-1]:.6g}{rate}"
        history = fit(model, nn.SGD(model, rates), epochs=epochs, backend=backend, progress=True, validation=(X, T))
        assert shown[-1].endswith(f", in validation {history.errors[-1]:.6g}{rate}")


# -- settings

BAD: list[tuple[Callable[[nn.Module], Any], str]] = [
    (lambda m: nn.SGD(m, nesterov=True), "looks ahead by a momentum, such as momentum=0.9; given were nesterov=True"),
    (lambda m: nn.SGD(m, momentum=0.5, nesterov=3), "nesterov is True or False"),  # type: ignore[arg-type]
    (lambda m: nn.SGD(m, momentum=0.5, nesterov="no"), "nesterov is True or False"),  # type: ignore[arg-type]
    (lambda m: nn.Adam(m, betas=(1.0, 0.9)), r"betas are two numbers from 0 to below 1, such as (0.9, 0.999); given"),
    (lambda m: nn.Adam(m, betas=(0.9, -0.1)), "given was (0.9, -0.1)"),
    (lambda m: nn.Adam(m, betas=(0.9, math.nan)), "given was (0.9, nan)"),
    (lambda m: nn.Adam(m, betas=(0.9,)), "given was (0.9,)"),  # type: ignore[arg-type]
    (lambda m: nn.AdamW(m, betas=0.9), "given was 0.9"),  # type: ignore[arg-type]
    (lambda m: nn.AdamW(m, betas="ab"), "given was 'ab'"),  # type: ignore[arg-type]
    (lambda m: nn.Adam(m, eps=0.0), "eps is a finite number above 0; given was 0.0"),
    (lambda m: nn.Adam(m, eps=None), "eps is a finite number above 0; given was None"),  # type: ignore[arg-type]
    (lambda m: nn.AdamW(m, weight_decay=-0.1), "weight_decay is a finite number from 0 up; given was -0.1"),
    (lambda m: nn.SGD(m, {0: 0.1}), "learning_rate is a finite number above 0, or a function of the epoch; given was"),  # type: ignore[arg-type]
    (lambda m: nn.SGD(m, (0.1, "0.2")), "or a function of the epoch; given was '0.2'"),  # type: ignore[arg-type]
    (lambda m: nn.SGD(m, lambda epoch: -epoch), "learning_rate for epoch 0 is a finite number above 0; given was 0"),
    (lambda m: nn.SGD(m, lambda: 0.1), "failed for epoch 0: TypeError: "),  # type: ignore[arg-type]
    (lambda m: nn.SGD(m, [falling] * 3), "3 learning rates were given for a model of 2 layers"),
    (
        lambda m: Undecayed(m, 0.1, 0.1),
        "Undecayed takes no weight_decay: its formulas have no slope + weight_decay * w",
    ),
]


class Undecayed(Optimizer):
    each: ClassVar = {"step": "tanh(slope)"}


@pytest.mark.parametrize("make, complaint", BAD)
def test_settings_out_of_range_are_one_sentence(make: Callable[[nn.Module], Any], complaint: str) -> None:
    with pytest.raises(ValueError) as refusal:
        make(network())
    assert complaint in str(refusal.value) and "\n" not in str(refusal.value)


@each_backend
@each_optimizer
def test_a_setting_that_is_changed_later_counts_from_then_on(make: Make, backend: str) -> None:
    models = network(), network()
    for model, changed in zip(models, (False, True), strict=True):
        optimizer: Any = make(model, 0.05)
        fit(model, optimizer, epochs=3, backend=backend)
        if changed:
            optimizer.weight_decay = 0.5
        fit(model, optimizer, epochs=3, backend=backend)
    assert weights(models[0]) != pytest.approx(weights(models[1]), rel=1e-3)


def test_decoupled_decay_is_no_part_of_the_slope() -> None:
    """Where Adam divides the decay by its own size, AdamW takes λ of w."""
    moved = []
    for kind in (nn.Adam, nn.AdamW):
        w = Value(0.8)
        w.grad = 0.0
        kind([w], 0.1, weight_decay=0.25).step()
        moved.append(w.data)
    assert moved == pytest.approx([0.8 - 0.1, 0.8 * (1 - 0.1 * 0.25)], rel=1e-6)


@pytest.mark.parametrize("name", ["gradient", "rates", "state", "stride", "count", "moved", "after", "total", "q"])
def test_formulas_may_use_any_name(name: str) -> None:
    class Slow(Optimizer):
        start: ClassVar = {name: 0.0}
        each: ClassVar = {name: f"0.5 * {name} + tanh(slope)", "step": f"{name} + 0.1 * w"}

    found = []
    for backend in ("eager", "tape"):
        model = network()
        optimizer = Slow(model, 0.05)
        found.append(fit(model, optimizer, backend=backend).errors)
    assert nn.taped.epochs_of(optimizer)
    assert found[1] == pytest.approx(found[0], rel=1e-9) and found[0][-1] < found[0][0]


# -- memory in a file


@each_backend
@each_optimizer
def test_training_resumed_from_a_file_is_training_that_went_on(make: Make, backend: str, tmp_path: Path) -> None:
    path = str(tmp_path / "model.json")
    whole, model, again = network(), network(), nn.MLP(2, [4, 1], "tanh", seed=9)
    errors = fit(whole, make(whole, falling), epochs=20, backend="eager").errors
    optimizer, resumed = make(model, falling), make(again, falling)
    fit(model, optimizer, epochs=8, backend=backend)
    model.save(path, optimizer=optimizer)
    nn.load(path, into=again, optimizer=resumed)
    assert resumed.epoch == 8
    assert fit(again, resumed, epochs=12, backend=backend).errors == pytest.approx(errors[8:], rel=1e-9)
    assert resumed.epoch == 20


def test_a_file_without_settings_and_epoch_is_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    model = network()
    adam = nn.Adam(model, 0.05)
    fit(model, adam, epochs=5)
    model.save(str(path), optimizer=adam)
    data = json.loads(path.read_text())
    assert data["stepgrad"] == 1 and set(data["optimizer"]) == {"kind", "settings", "epoch", "state"}
    del data["optimizer"]["settings"], data["optimizer"]["epoch"]
    path.write_text(json.dumps(data))
    again = network()
    resumed = nn.Adam(again, 0.05)
    nn.load(path, into=again, optimizer=resumed)
    assert [*resumed.state.values()] == [*adam.state.values()] and resumed.epoch == 0
    assert weights(again) == weights(model)


def test_another_setting_than_the_one_saved_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    model = network()
    adam = nn.Adam(model, 0.05, betas=(0.8, 0.95))
    fit(model, adam, epochs=5)
    model.save(str(path), optimizer=adam)
    data, other = json.loads(path.read_text()), nn.MLP(2, [4, 1], "tanh", seed=9)
    before = weights(other)

    def refused(optimizer: Optimizer, complaint: str) -> None:
        with pytest.raises(ValueError) as refusal:
            nn.load(path, into=other, optimizer=optimizer)
        assert complaint in str(refusal.value) and "\n" not in str(refusal.value)
        assert weights(other) == before and not optimizer.state and optimizer.epoch == 0

    refused(nn.Adam(other, 0.05), "saved with beta1 = 0.8, and the one given has 0.9: give one with the same settings")
    refused(nn.Adam(other, betas=(0.8, 0.95), weight_decay=0.1), "saved with weight_decay = 0.0, and the one given has")
    refused(nn.AdamW(other, betas=(0.8, 0.95), weight_decay=0.0), "the state saved is that of 'Adam'")
    alike = nn.Adam(other, lambda epoch: 0.03, betas=(0.8, 0.95))
    for name, wrong, complaint in (
        ("epoch", -1, "the optimizer's epoch is -1; a whole number from 0 up is expected"),
        ("epoch", 2.5, "the optimizer's epoch is 2.5"),
        ("settings", [0.8], "settings are an object of numbers"),
    ):
        path.write_text(json.dumps(data | {"optimizer": data["optimizer"] | {name: wrong}}))
        refused(alike, complaint)
    path.write_text(json.dumps(data))
    assert nn.load(path, into=other, optimizer=alike) is other and alike.epoch == 5  # the rate may be another


class LastLayer(nn.SGD):
    """It moves the last layer alone."""

    def rates(self) -> dict[Value, float]:
        last = set(self.model.layers[-1].parameters())  # type: ignore[union-attr]
        return {parameter: rate for parameter, rate in super().rates().items() if parameter in last}


@pytest.mark.parametrize("backend", ["eager", "tape"])
def test_a_parameter_that_isnt_moved_has_no_gradient_left(backend: str) -> None:
    model = nn.MLP(2, [3, 1], seed=4)
    first, last = ([each.data for each in layer.parameters()] for layer in model.layers)
    nn.fit(model, [[0.3, -0.7]], [0.4], 3, LastLayer(model, 0.1), backend=backend, progress=False)
    assert [each.grad for each in model.parameters()] == [None] * 13
    assert [each.data for each in model.layers[0].parameters()] == first
    assert all(each.data != before for each, before in zip(model.layers[1].parameters(), last, strict=True))
