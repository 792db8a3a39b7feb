"""The laws of to_torch and from_torch: the same numbers, and the digits of tails that torch's own functions lose."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
from mpmath import mpf

import nn
from engine import Value, derivative
from nn.networks import ACTIVATIONS
from tests.oracle import ORACLES
from tests.test_rules import ROWS, error_of, exact, fits, points, report

torch = pytest.importorskip("torch")

from nn import pytorch  # noqa: E402

X = [[0.31, -1.27, 0.83], [1.46, 0.52, -0.64], [-0.95, 0.18, 1.13], [0.07, -0.38, -1.71]]
T = [[0.6, -0.3], [1.1, 0.4], [-0.7, 0.9], [0.2, -1.2]]
INSIDE = {name for name in ACTIVATIONS if name not in ("sqrt", "log", "log1p", "asin", "acos", "acosh", "atanh", "circ",
                                                      "log0", "tan", "step", "sign", "log2", "log10", "floor",
                                                      "detach")}  # fmt: skip
MODELS = {
    "RegressionMLP": lambda: nn.RegressionMLP(3, 4, 2, seed=1),
    "MLP": lambda: nn.MLP(3, [4, 3, 2], activation=["gelu", "softplus"], seed=2),
    "output": lambda: nn.MLP(3, [4, 2], activation=["silu", "tanh"], seed=3),
    "Layer": lambda: nn.Layer(3, 2, activation="sigmoid", seed=4),
    "unbiased": lambda: nn.Layer(3, 2, bias=False, seed=5),
}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def rows(numbers: Any) -> Any:
    return torch.tensor(numbers, dtype=torch.float64)


def loss(module: Any) -> Any:
    """half_mean_squared_error over X and T, as torch has it."""
    return 0.5 * torch.nn.functional.mse_loss(module(rows(X)), rows(T))


def our_name(name: str, index: tuple[int, ...]) -> str:
    """layers.0.weight and (2, 1) as layers[0][2].w[1]."""
    *path, kind = name.split(".")
    where = "".join(f"[{part}]" if part.isdigit() else part for part in path) + f"[{index[0]}]"
    return f"{where}.w[{index[1]}]" if kind == "weight" else f"{where}.b"


def by_our_names(tensors: dict[str, Any]) -> dict[str, float]:
    return {
        our_name(name, index): tensor[index].item()
        for name, tensor in tensors.items()
        for index in product(*map(range, tensor.shape))
    }


@each_model
def test_every_weight_is_there_under_the_name_that_maps_to_ours(make: Any) -> None:
    model = make()
    expected = {name: parameter.data for name, parameter in model.named_parameters().items()}
    module = nn.to_torch(model)
    assert by_our_names(module.state_dict()) == expected
    assert all(tensor.dtype == torch.float64 for tensor in module.parameters())


@each_model
def test_outputs_and_gradients_are_ours_to_1e_12(make: Any) -> None:
    model = make()
    module = nn.to_torch(model)
    outputs = module(rows(X))
    assert outputs.tolist() == [pytest.approx(row, rel=1e-12) for row in model.predict(X)]
    loss(module).backward()
    nn.half_mean_squared_error([model(x) for x in X], T).backward()
    slopes = by_our_names({name: tensor.grad for name, tensor in module.named_parameters()})
    for name, parameter in model.named_parameters().items():
        assert slopes[name] == pytest.approx(parameter.grad, rel=1e-12, abs=1e-15), name


@each_model
def test_there_and_back_is_the_same_model(make: Any) -> None:
    model = make()
    again = nn.from_torch(nn.to_torch(model))
    assert repr(again) == repr(model) and again.predict(X) == model.predict(X)
    assert [p.data for p in again.parameters()] == [p.data for p in model.parameters()]


@pytest.mark.parametrize("name", sorted(INSIDE - {"identity"}))
@pytest.mark.parametrize("at", [-6.3, -0.7, 0.45, 2.6])
def test_every_activation_has_the_tables_derivatives(name: str, at: float) -> None:
    x = rows([at]).requires_grad_()
    z = pytorch.activation(name)(x)
    [slope] = torch.autograd.grad(z.sum(), x, create_graph=True)
    ours = Value(at)
    E = ROWS[name].apply([ours])
    first = derivative(E, ours)
    assert z.item() == pytest.approx(E.data, rel=1e-12)
    assert slope.item() == pytest.approx(first.data, rel=1e-12)
    if slope.requires_grad:
        [second] = torch.autograd.grad(slope.sum(), x)
        assert second.item() == pytest.approx(derivative(first, ours).data, rel=1e-9)


# torch's own sinh and cosh, of which these are made, overflow at 709.8, where e^x does
REACH = {"sinh": 709.7, "cosh": 709.7}


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS} - {"identity", "detach"}))  # whose 0 is by intention
def test_the_census_passes_through_torch(name: str) -> None:
    """Value and derivative to 1e-12, at all points where they and the operand are normal doubles."""
    oracle = ORACLES[name]
    xs = [x for (x,) in points(name) if abs(x) < REACH.get(name, math.inf) and is_normal(x, oracle.value([mpf(x)]))]
    operand = rows(xs).requires_grad_()
    z = pytorch.activation(name)(operand)
    [slopes] = torch.autograd.grad(z.sum(), operand)
    wrong = []
    for x, value, slope in zip(xs, z.tolist(), slopes.tolist(), strict=True):
        true, (first, largest) = oracle.value([mpf(x)]), exact(oracle.first([mpf(x)], 0))
        errors = [error_of(value, true, max(abs(true), oracle.scale([mpf(x)])), 1e-12)]
        if is_normal(first):
            errors.append(error_of(slope, first, largest, 1e-12))
        if max(errors) > 1e-12:
            wrong.append((max(errors), f"{name}({x}): {value!r}, {slope!r}, true {float(true)!r}, {float(first)!r}"))
    report(wrong)


def is_normal(*numbers: Any) -> bool:
    return all(x == 0 or abs(x) > 1e-304 for x in numbers) and all(map(fits, numbers))


TAILS = [("tanh", 20.0), ("tanh", -25.0), ("sigmoid", 40.0), ("softplus", -38.0), ("gelu", -6.0), ("gelu", -12.0)]


@pytest.mark.parametrize(("name", "at"), TAILS)
def test_the_tails_keep_their_digits_unless_native(name: str, at: float) -> None:
    def slope(native: bool) -> float:
        x = rows([at]).requires_grad_()
        [found] = torch.autograd.grad(pytorch.activation(name, native)(x).sum(), x)
        return float(found)

    true = sum(ORACLES[name].first([mpf(at)], 0))
    assert abs(slope(False) / true - 1) < 1e-12
    lost = {("softplus", -38.0)}
    assert (abs(slope(True) / true - 1) > 1e-12) == ((name, at) not in lost)


def test_native_is_torchs_own() -> None:
    model = nn.MLP(3, [4, 2], activation="tanh", seed=2)
    module = nn.to_torch(model, native=True)
    assert type(module(rows(X)).grad_fn).__name__ == "AddmmBackward0"
    assert pytorch.activation("tanh", native=True) in (torch.tanh, torch.nn.functional.tanh)
    assert module(rows(X)).tolist() == [pytest.approx(row, rel=1e-12) for row in model.predict(X)]
    assert pytorch.activation("sech", native=True) is pytorch.ROWS["sech"]


def test_torchs_transformations_of_functions_apply() -> None:
    f = pytorch.activation("gelu")
    hessian = torch.func.hessian(lambda x: f(x).sum())(rows([0.4, -1.1]))
    x = [Value(0.4), Value(-1.1)]
    seconds = [derivative(derivative(each.gelu(), each), each).data for each in x]
    assert torch.diag(hessian).tolist() == pytest.approx(seconds, rel=1e-9)


# -- from torch


def test_a_sequential_is_an_mlp() -> None:
    modules = torch.nn
    module = modules.Sequential(
        modules.Linear(3, 5), modules.Tanh(), modules.Sequential(modules.Linear(5, 4), modules.ReLU()),
        modules.Linear(4, 4), modules.Linear(4, 2), modules.Identity(),
    )  # fmt: skip
    model = nn.from_torch(module)
    assert repr(model) == "MLP(inputs=3, sizes=[5, 4, 4, 2], activation=['tanh', 'relu', 'identity'])"
    outputs = module.double()(rows(X)).tolist()
    assert model.predict(X) == [pytest.approx(row, rel=1e-12) for row in outputs]
    assert isinstance(nn.from_torch(modules.Linear(3, 2, bias=False)), nn.Layer)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda m: m.Sequential(m.Linear(2, 3), m.Dropout(), m.Linear(3, 1)), "Dropout.* has no counterpart"),
        (lambda m: m.Sequential(m.Linear(2, 3), m.GELU("tanh")), "GELU.* has no counterpart"),
        (lambda m: m.Sequential(m.Linear(2, 3), m.LeakyReLU(0.2)), "LeakyReLU.* has no counterpart"),
        (lambda m: m.Sequential(m.Linear(2, 3), m.Tanh(), m.Tanh()), "no Linear of its own"),
        (lambda m: m.Sequential(m.Tanh(), m.Linear(2, 3)), "no Linear of its own"),
        (lambda m: m.Sequential(m.Linear(2, 3), m.Linear(3, 1, bias=False)), "has no bias"),
        (lambda m: m.Sequential(), "at least one Linear"),
        (lambda m: m.Conv1d(2, 3, 1), "Conv1d.* has no counterpart"),
    ],
)
def test_what_has_no_counterpart_is_a_sentence(make: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        nn.from_torch(make(torch.nn))


def test_a_model_of_ones_own_cant_go() -> None:
    class Line(nn.Module):
        def __init__(self) -> None:
            self.slope = Value(0.7)

    with pytest.raises(ValueError, match=r"to_torch takes nn's own models"):
        nn.to_torch(Line())
    model = nn.MLP(3, [2])
    with pytest.raises(ValueError, match="SGD, Adam or AdamW of the same model"):
        nn.to_torch(model, nn.SGD(nn.MLP(3, [2])))
    two_layers = nn.RegressionMLP(3, 4)
    with pytest.raises(ValueError, match="SGD, Adam or AdamW of the same model"):
        nn.to_torch(two_layers, nn.SGD(two_layers.hidden))


# -- optimizers go along


OPTIMIZERS: dict[str, Any] = {
    "plain": lambda model: nn.SGD(model, 0.05),
    "momentum": lambda model: nn.SGD(model, 0.05, momentum=0.9, weight_decay=0.01),
    "a rate a layer": lambda model: nn.SGD(model, (0.05, 0.02), momentum=0.5),
    "adam": lambda model: nn.Adam(model, 0.01),
    "adam with decay": lambda model: nn.Adam(model, 0.01, weight_decay=0.02),
    "nesterov": lambda model: nn.SGD(model, 0.05, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam with other means": lambda model: nn.Adam(model, 0.01, betas=(0.8, 0.95), eps=1e-4),
    "adamw": lambda model: nn.AdamW(model, (0.01, 0.02), betas=(0.85, 0.99), weight_decay=0.2),
}
each_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def go_on(module: Any, optimizer: Any, epochs: int) -> list[float]:
    errors = []
    for _ in range(epochs):
        optimizer.zero_grad()
        error = loss(module)
        errors.append(error.item())
        error.backward()
        optimizer.step()
    return [*errors, loss(module).item()]


@pytest.mark.parametrize("before", [0, 7])
@each_optimizer
def test_training_goes_on_in_torch_and_back_here_with_the_same_history(make: Any, before: int) -> None:
    def trained() -> tuple[nn.Module, Any]:
        model = nn.RegressionMLP(3, 4, 2, seed=6)
        optimizer = make(model)
        nn.fit(model, X, T, epochs=before, optimizer=optimizer, backend="eager", progress=False)
        return model, optimizer

    model, optimizer = trained()
    module, theirs = nn.to_torch(model, optimizer)
    expected = nn.fit(model, X, T, epochs=60, optimizer=optimizer, backend="eager", progress=False).errors
    assert go_on(module, theirs, 30) == pytest.approx(expected[:31], rel=1e-9)
    back, ours = nn.from_torch(module, theirs)
    errors = nn.fit(back, X, T, epochs=30, optimizer=ours, backend="eager", progress=False).errors
    assert errors == pytest.approx(expected[30:], rel=1e-9)
    assert repr(ours) == repr(optimizer)


def test_optimizers_without_a_counterpart_are_a_sentence() -> None:
    module = torch.nn.Linear(2, 1)
    for theirs in (
        torch.optim.RMSprop(module.parameters()),
        torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.5, dampening=0.1),
        torch.optim.Adam(module.parameters(), amsgrad=True),
        torch.optim.Adam(module.parameters(), decoupled_weight_decay=True),
        torch.optim.Adam(torch.nn.Linear(2, 1).parameters()),
        torch.optim.SGD([module.weight], lr=0.1),
        torch.optim.SGD([{"params": [module.weight]}, {"params": [module.bias], "lr": 0.3}], lr=0.1),
        torch.optim.SGD([{"params": [module.weight]}, {"params": [module.bias], "weight_decay": 0.3}], lr=0.1),
    ):
        with pytest.raises(ValueError, match=r"have counterparts|of another module|one setting for all"):
            nn.from_torch(module, theirs)
    with pytest.raises(ValueError, match="eps is a finite number above 0"):
        nn.from_torch(module, torch.optim.Adam(module.parameters(), eps=0.0))


def test_a_schedule_stays_behind_on_either_side() -> None:
    model = nn.RegressionMLP(3, 4, 2, seed=6)
    falling = nn.SGD(model, (0.05, lambda epoch: 0.05 * 0.9**epoch))
    with pytest.raises(ValueError, match=r"^torch keeps schedules apart .* torch.optim.lr_scheduler.LambdaLR$"):
        nn.to_torch(model, falling)
    module, theirs = nn.to_torch(model, nn.AdamW(model, 0.05))
    scheduler = torch.optim.lr_scheduler.ExponentialLR(theirs, 0.5)
    theirs.step()
    scheduler.step()
    _, ours = nn.from_torch(module, theirs)
    assert repr(ours) == "AdamW(learning_rate=0.025)" and ours.epoch == 0


# -- the same trajectories


def falling(epoch: int) -> float:
    return 0.08 / (1 + 0.1 * epoch)


def halved(epoch: int) -> float:
    return 0.03 * 0.5 ** (epoch // 20)


TRAJECTORIES: dict[str, tuple[str, dict[str, Any], Any]] = {  # ours and torch's, settings, how torch's rate changes
    "SGD": ("SGD", {"learning_rate": 0.11}, None),
    "momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.8}, None),
    "nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True}, None),
    "weight decay": ("SGD", {"learning_rate": 0.07, "weight_decay": 0.03}, None),
    "all of it": ("SGD", {"learning_rate": 0.04, "momentum": 0.7, "nesterov": True, "weight_decay": 0.02}, None),
    "a rate a layer": ("SGD", {"learning_rate": (0.09, 0.02), "momentum": 0.5}, None),
    "Adam": ("Adam", {"learning_rate": 0.02}, None),
    "other betas": ("Adam", {"learning_rate": 0.01, "betas": (0.7, 0.99)}, None),
    "other eps": ("Adam", {"learning_rate": 0.02, "betas": (0.0, 0.9), "eps": 0.05}, None),
    "Adam, weight decay": ("Adam", {"learning_rate": 0.02, "weight_decay": 0.03}, None),
    "AdamW": ("AdamW", {"learning_rate": 0.02}, None),
    "AdamW, all of it": (
        "AdamW",
        {"learning_rate": 0.01, "betas": (0.8, 0.99), "eps": 1e-5, "weight_decay": 0.4},
        None,
    ),
    "LambdaLR": ("SGD", {"learning_rate": falling, "momentum": 0.6}, [falling]),
    "LambdaLR a layer": ("AdamW", {"learning_rate": (falling, halved)}, [falling, halved]),
    "ExponentialLR": ("Adam", {"learning_rate": lambda epoch: 0.03 * 0.97**epoch}, (0.03, 0.97)),
}


def torchs(kind: str, settings: dict[str, Any], schedule: Any, module: Any) -> tuple[Any, Any]:
    """torch's own optimizer and scheduler, made by hand."""
    given = dict(settings)
    rate = given.pop("learning_rate")
    scheduler = torch.optim.lr_scheduler
    if isinstance(schedule, tuple):
        theirs = getattr(torch.optim, kind)(module.parameters(), lr=schedule[0], **given)
        return theirs, scheduler.ExponentialLR(theirs, schedule[1])
    rates = [1.0] * len(schedule) if schedule else rate if isinstance(rate, tuple) else [rate]
    layers = [module.hidden, module.output] if len(rates) == 2 else [module]
    groups = [{"params": layer.parameters(), "lr": lr} for layer, lr in zip(layers, rates, strict=True)]
    theirs = getattr(torch.optim, kind)(groups, **given)
    return theirs, scheduler.LambdaLR(theirs, schedule) if schedule else None


@pytest.mark.parametrize("run", TRAJECTORIES)
def test_the_trajectory_over_100_epochs_is_torchs(run: str) -> None:
    """Every weight after each epoch to 1e-12 eagerly; the history and the last weights to 1e-9 on a tape.

    The rates are such that no run magnifies rounding: Adam divides a slope near 0 by its size.
    """
    kind, settings, schedule = TRAJECTORIES[run]
    eager, taped = nn.RegressionMLP(3, 4, 2, seed=6), nn.RegressionMLP(3, 4, 2, seed=6)
    module = nn.to_torch(eager)
    theirs, scheduler = torchs(kind, settings, schedule, module)
    ours, errors = getattr(nn, kind)(eager, **settings), []
    for _ in range(100):
        errors += go_on(module, theirs, 1)[:1]
        if scheduler:
            scheduler.step()
        made = nn.fit(eager, X, T, epochs=1, optimizer=ours, backend="eager", progress=False).errors
        assert made[0] == pytest.approx(errors[-1], rel=1e-12)
        weights = {name: parameter.data for name, parameter in eager.named_parameters().items()}
        assert weights == pytest.approx(by_our_names(module.state_dict()), rel=1e-12, abs=1e-13)
    optimizer = getattr(nn, kind)(taped, **settings)
    history = nn.fit(taped, X, T, epochs=100, optimizer=optimizer, backend="tape", progress=False)
    assert history.errors == pytest.approx([*errors, loss(module).item()], rel=1e-9)
    assert {name: parameter.data for name, parameter in taped.named_parameters().items()} == pytest.approx(
        by_our_names(module.state_dict()), rel=1e-9
    )
