"""The laws of fit on any backend: a tape is the model to the last few digits or is refused; an optimizer is obeyed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import nn
from engine import Value

BACKENDS = ("eager", "tape")
X = [[0.4], [-0.7], [1.1], [-0.3], [0.9], [-1.2]]
T = [0.9, 0.3, -0.2, 0.8, 0.5, 1.3]


class Line(nn.Module):
    def __init__(self) -> None:
        self.slope, self.offset = Value(0.8), Value(-0.3)

    def __call__(self, x: Any) -> list[Value]:
        return [self.slope * x[0] + self.offset]


def weights(model: nn.Module) -> list[float]:
    return [parameter.data for parameter in model.parameters()]


# -- a tape that isn't the model


class Bent(Line):
    """A line that is bent where its rule says so, which looks at numbers and so is no part of the graph."""

    def __init__(self, bent: Callable[[Value, Value], bool], by: float) -> None:
        super().__init__()
        self.bent, self.by = bent, by

    def __call__(self, x: Any) -> list[Value]:
        [y] = super().__call__(x)
        return [y * (1.0 + self.by if self.bent(y, self.slope) else 1.0)]


def number(x: Value) -> float:
    """Its number as an f-string shows it, which a tape being recorded can't notice: .data it refuses."""
    return float(f"{x:.17g}")


RULES: dict[str, Callable[[Value, Value], bool]] = {
    "by the data": lambda y, slope: number(y) < -0.3,  # which the first sample isn't
    "by the weights, later": lambda y, slope: number(slope) < 0.4,  # which they aren't at first
}
each_rule = pytest.mark.parametrize("bent", RULES.values(), ids=RULES)


@each_rule
@pytest.mark.parametrize("by", [0.5, 1e-3, -1e-5, 1e-7])
def test_a_tape_that_is_off_is_refused_however_little(
    bent: Callable[[Value, Value], bool], by: float, capfd: pytest.CaptureFixture[str]
) -> None:
    model, eager, auto = (Bent(bent, by) for _ in range(3))
    before = weights(model)
    with pytest.raises(ValueError, match=r"^the tape of .* where the model gives .*; backend='eager' builds a graph"):
        nn.fit(model, X, T, epochs=60, backend="tape", progress=False)
    assert weights(model) == before
    expected = nn.fit(eager, X, T, epochs=60, backend="eager", progress=False).errors
    assert nn.fit(auto, X, T, epochs=60, backend="auto", progress=False).errors == expected
    assert weights(auto) == weights(eager)
    assert "so training goes on without a tape" in capfd.readouterr().err


@each_rule
def test_a_choice_that_changes_no_number_keeps_its_tape(
    bent: Callable[[Value, Value], bool], capfd: pytest.CaptureFixture[str]
) -> None:
    nn.fit(Bent(bent, 0.0), X, T, epochs=60, backend="auto", progress=False)
    assert "without a tape" not in capfd.readouterr().err


class Content(Line):
    """Climbs, and is content where its slope has passed 1: there it is flat."""

    def __call__(self, x: Any) -> list[Value]:
        return [self.slope * x[0] if self.slope.data < 1 else self.slope * 0.0 + 0.3]


def test_a_tape_that_diverges_where_the_model_doesnt_is_found_out(capfd: pytest.CaptureFixture[str]) -> None:
    """The tape climbs on, until a step would leave the floats."""
    found = []
    for backend in ("eager", "auto"):
        model = Content()
        found.append(nn.fit(model, [[0.5], [0.9]], [0.0, 0.0], epochs=60, optimizer=nn.SGD(model, 1e307),
                            loss=lambda ys, ts: ts[0] - ys[0], backend=backend, progress=False).errors)  # fmt: skip
    assert found[0] == found[1] and found[0][-1] == -0.3
    assert "so training goes on without a tape" in capfd.readouterr().err


# -- an optimizer with rules of its own


class Falling(nn.SGD):
    """Its rates fall from step to step, and are others for each parameter."""

    taken = 0

    def rates(self) -> dict[Value, float]:
        self.taken += 1
        return {p: rate / (i + self.taken) for i, (p, rate) in enumerate(super().rates().items())}


class Clipped(nn.SGD):
    """Its step cuts the slopes first."""

    def step(self) -> None:
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = max(-0.1, min(0.1, parameter.grad))
        super().step()


class Frozen(nn.Adam):
    """Its rates are those of some parameters only, from the tenth step on."""

    def rates(self) -> dict[Value, float]:
        rates = super().rates()
        begun = max((int(state[0]) for state in self.state.values()), default=0)
        return dict(list(rates.items())[1:]) if begun >= 10 else rates


class Grouped(nn.SGD):
    """Its rates are one for the first parameter, and a falling one for the others."""

    def groups(self) -> list[Any]:
        [(rate, parameters)] = super().groups()
        return [(rate, parameters[:1]), (lambda epoch: 0.2 / (1 + epoch), parameters[1:])]


def rescheduled(model: nn.Module) -> nn.SGD:
    """A plain optimizer whose rates were put in their place."""
    sgd = nn.SGD(model, 0.1, momentum=0.5)
    rates, taken = sgd.rates(), [0]

    def falling() -> dict[Value, float]:
        taken[0] += 1
        return {parameter: rate / taken[0] for parameter, rate in rates.items()}

    sgd.rates = falling  # type: ignore[method-assign]
    return sgd


OPTIMIZERS: dict[str, Callable[[nn.Module], Any]] = {
    "rates that fall": lambda model: Falling(model, 0.4, momentum=0.5),
    "a step that clips": lambda model: Clipped(model, 0.3, weight_decay=0.1),
    "rates of some": lambda model: Frozen(model, 0.05),
    "rates put in place": rescheduled,
    "groups of its own": lambda model: Grouped(model, 0.15, momentum=0.5),
}


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_optimizers_own_rates_and_step_are_taken_at_every_step(
    optimizer: Callable[[nn.Module], Any], batch_size: int | None
) -> None:
    found: dict[str, Any] = {}
    for backend in BACKENDS:
        model = Line()
        options: dict[str, Any] = {"epochs": 40, "batch_size": batch_size, "backend": backend, "progress": False}
        found[backend] = nn.fit(model, X, T, optimizer=optimizer(model), **options).errors, weights(model)
    (errors, numbers), (of_tape, numbers_of_tape) = found.values()
    assert of_tape == pytest.approx(errors, rel=1e-12)
    assert numbers_of_tape == pytest.approx(numbers, rel=1e-12)
    plain = Line()
    others = nn.fit(plain, X, T, epochs=40, optimizer=nn.SGD(plain, 0.1), batch_size=batch_size, backend="eager",
                    progress=False).errors  # fmt: skip
    assert others != pytest.approx(errors, rel=1e-3)
