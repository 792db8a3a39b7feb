"""Optimizers: from the parameters' gradients to their next numbers.

step() computes every new number before it sets the first, so that an overflow leaves the model as it was.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from numbers import Real
from typing import Any, ClassVar, TypeAlias

from engine import DomainError, Value
from engine.formulas import float_functions, python_source
from nn.module import Module, shortened

Rate: TypeAlias = float | Sequence[float]
State: TypeAlias = Sequence[float]
Formulas: TypeAlias = Mapping[str, str]


class Optimizer:
    """What optimizers share: the parameters, a learning rate for all or one per layer, and the step.

    An optimizer of one's own is a subclass with formulas in the notation of the table, line after line: those of `each`
    say what becomes of a parameter, by its `slope`, its state (which begins as `start`), the `settings` and what was
    computed before; the line "step" is the change for a learning rate of 1. What is the same for all parameters,
    such as a number of steps, is computed `once`. Or it is a subclass with a step() of its own.
    """

    start: ClassVar[Mapping[str, float]] = {}
    once: ClassVar[Formulas] = {}
    each: ClassVar[Formulas] = {"step": "slope"}

    @property
    def settings(self) -> dict[str, float]:
        """The numbers that the formulas use beside slope and state."""
        return {}

    def __init__(self, model: Module | Sequence[Value], learning_rate: Rate, weight_decay: float) -> None:
        check_movable(model)
        self.model, self.learning_rate = model, learning_rate
        self.state: dict[Value, State] = {}
        self.weight_decay = check_number("weight_decay", weight_decay)
        if not self.rates():
            raise ValueError(f"{model!r} has no parameters, and {type(self).__name__} needs at least one to move")
        if isinstance(learning_rate, Real):
            self.learning_rate = check_number("learning_rate", learning_rate)

    def __repr__(self) -> str:
        shown = {"learning_rate": self.learning_rate}
        shown |= {key: value for key, value in sorted(vars(self).items()) if key not in ("model", "state") and value}
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in shown.items())})"

    def parameters(self) -> list[Value]:
        return self.model.parameters() if isinstance(self.model, Module) else list(self.model)

    def rates(self) -> dict[Value, float]:
        """The learning rate of each parameter. Raises ValueError for rates that aren't positive, or too many or few."""
        if not isinstance(self.learning_rate, Sequence) or isinstance(self.learning_rate, str):
            return dict.fromkeys(self.parameters(), check_number("learning_rate", self.learning_rate, above_zero=True))
        layers = getattr(self.model, "layers", None)
        if not layers or len(layers) != len(self.learning_rate):
            count = f"{len(layers)} layers" if layers else "no .layers"
            raise ValueError(
                f"learning_rate: {len(self.learning_rate)} learning rates were given for a model of {count}"
            )
        numbers = [check_number("learning_rate", rate, above_zero=True) for rate in self.learning_rate]
        rates = {
            parameter: rate for layer, rate in zip(layers, numbers, strict=True) for parameter in layer.parameters()
        }
        for parameter in self.parameters():
            if parameter not in rates:
                raise ValueError(
                    f"learning_rate has one for each layer, and {parameter.label} is in none: give one for all"
                )
        return rates

    def zero_grad(self) -> None:
        """Every parameter's gradient back to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def step(self) -> None:
        """Moves every parameter that has a gradient, or none and raises DomainError if one would not stay finite."""
        numbers: dict[Value, float] = {}
        state, settings, change = dict(self.state), self.settings.values(), self.change()
        for parameter, rate in self.rates().items():
            if parameter.grad is not None:
                slope = parameter.grad + self.weight_decay * parameter.data
                step, *state[parameter] = change(slope, *self.state.get(parameter, self.start.values()), *settings)
                numbers[parameter] = parameter.data - rate * step
                if not math.isfinite(numbers[parameter]):
                    raise DomainError(
                        f"{type(self).__name__} would step from {parameter.data!r} to {numbers[parameter]} at "
                        f"{parameter.label} (gradient {parameter.grad!r}): take a smaller learning rate"
                    )
        for parameter, number in numbers.items():
            parameter.data = number
        self.state = state

    def change(self) -> Callable[..., State]:
        """The formulas as a function of floats: of the slope, the state and the settings."""
        state, count = list(self.start), len(self.start)
        given = (*state, *self.settings)
        if not self.once:
            return function(self.each, ("slope", *given), ("step", *state))
        own = function(self.each, ("slope", *given, *self.once), ("step", *state))
        common = [i for i, name in enumerate(state) if name in self.once]
        further = [i for i, name in enumerate(self.once) if name not in state]
        shared = cache(function(self.once, given, tuple(self.once)))  # most parameters have made as many steps

        def change(slope: float, *given: float) -> State:
            now = list(given)
            made = shared(*[x if i in common or i >= count else 0.0 for i, x in enumerate(given)])
            for i in common:
                now[i] = made[list(self.once).index(state[i])]
            return own(slope, *now, *[made[i] for i in further])

        return change


@cache
def _compiled(formulas: tuple[tuple[str, str], ...], names: tuple[str, ...], results: tuple[str, ...]) -> Any:
    lines = [f"    {name} = {python_source(formula)}" for name, formula in formulas]
    source = "\n".join([f"def change({', '.join(names)}):", *lines, f"    return ({', '.join(results)},)"])
    functions = float_functions() | {"hypot": math.hypot}
    exec(source, functions)
    return functions["change"]


def function(formulas: Formulas, names: tuple[str, ...], results: tuple[str, ...]) -> Callable[..., State]:
    """Formulas, line after line, as a function of floats, compiled once. Raises ValueError where one can't be read."""
    compiled: Callable[..., State] = _compiled(tuple(formulas.items()), tuple(dict.fromkeys(names)), results)
    return compiled


class SGD(Optimizer):
    """Gradient descent, w ← w - ρ ∂E/∂w, equations (12) to (14), with one rate for all or one per layer, ρ1, ρ2.

    With momentum m, the change is v ← m·v + ∂E/∂w (Polyak, 1964, in PyTorch's form); weight_decay λ adds λ·w to ∂E/∂w.
    Raises ValueError for numbers out of range.

    >>> w = Value(1.5)
    >>> sgd = SGD([w], learning_rate=0.1)
    >>> (w * w).backward(); sgd.step(); w.data
    1.2
    """

    start: ClassVar = {"velocity": 0.0}
    each: ClassVar = {"velocity": "momentum * velocity + slope", "step": "velocity"}

    def __init__(
        self,
        model: Module | Sequence[Value],
        learning_rate: Rate = 0.1,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(model, learning_rate, weight_decay)
        self.momentum = check_number("momentum", momentum)

    @property
    def settings(self) -> dict[str, float]:
        return {"momentum": self.momentum}


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015, algorithm 1, with their β1 = 0.9, β2 = 0.999, ε = 1e-8); weight_decay as in SGD.

    Raises ValueError for numbers out of range.

    >>> w = Value(1.5)
    >>> adam = Adam([w], learning_rate=0.1)
    >>> (w * w).backward(); adam.step(); round(w.data, 6)  # the first step is the rate, whatever the gradient
    1.4
    """

    start: ClassVar = {"steps": 0.0, "mean": 0.0, "size": 0.0}
    once: ClassVar = {
        "steps": "steps + 1",
        "of_mean": "1 - beta1**steps",
        "of_size": "sqrt(1 - beta2**steps)",
    }
    each: ClassVar = {
        "mean": "beta1 * mean + rest1 * slope",
        "size": "hypot(sqrt(beta2) * size, sqrt(rest2) * slope)",  # the root of the mean square, which may overflow
        "step": "mean / of_mean / (size / of_size + eps)",
    }
    betas, eps = (0.9, 0.999), 1e-8

    def __init__(self, model: Module | Sequence[Value], learning_rate: Rate = 0.001, weight_decay: float = 0.0) -> None:
        super().__init__(model, learning_rate, weight_decay)

    @property
    def settings(self) -> dict[str, float]:
        beta1, beta2 = self.betas
        rest1, rest2 = (float(1 - Fraction(str(beta))) for beta in self.betas)  # 1 - 0.9 isn't 0.1
        return {"beta1": beta1, "rest1": rest1, "beta2": beta2, "rest2": rest2, "eps": self.eps}


def check_movable(model: object) -> None:
    """ValueError unless this is a Module, or a list of leaves."""
    if isinstance(model, Module):
        return
    for given in model if isinstance(model, (list, tuple)) else [model]:
        if not isinstance(given, Value):
            raise ValueError(f"an optimizer moves a Module, or a list of leaves; given was {shortened(given)}")
        if given.rule is not None:
            raise ValueError(f"an optimizer moves leaves, and {given.label or 'a node'} was made by {given.op}")
    if isinstance(model, Value):
        raise ValueError("an optimizer moves a Module, or a list of leaves: write [w] for a single one")


def check_number(name: str, number: Any, above_zero: bool = False) -> float:
    """The number, NumPy's as a float. ValueError unless it is finite, and from 0 up or above 0."""
    good = isinstance(number, Real) and not isinstance(number, bool)
    good = good and abs(number if isinstance(number, int) else float(number)) <= sys.float_info.max
    if not good or number < 0 or (above_zero and number == 0):
        wanted = "above 0" if above_zero else "from 0 up"
        raise ValueError(f"{name} is a finite number {wanted}; given was {shortened(number)}")
    return number if type(number) in (int, float) else float(number)
