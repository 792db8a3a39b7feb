"""Optimizers: from the parameters' gradients to their next numbers.

step() computes every new number before it sets the first, so that an overflow leaves the model as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from numbers import Real
from typing import Any, ClassVar, TypeAlias

from engine import DomainError, Value
from engine.formulas import float_functions, python_source
from nn.module import Module, shortened
from nn.rates import Rate, Rates, check_number, is_per_layer, listed, rate_at, typed

State: TypeAlias = Sequence[float]
Formulas: TypeAlias = Mapping[str, str]
Lines: TypeAlias = tuple[tuple[str, str], ...]


class Optimizer:
    """What optimizers share: the parameters, a learning rate for all or one per layer, and the step.

    A learning rate is a number, or a function of the epoch, such as lambda epoch: 0.1 * 0.9**epoch; as in PyTorch's
    LambdaLR the first epoch is 0. The present one is .epoch: fit counts it on, also from one call to the next, and a
    loop written by hand does so itself, optimizer.epoch += 1.

    An optimizer of one's own is a subclass with formulas in the notation of the table, line after line: those of `each`
    say what becomes of a parameter w, by `w`, its `slope`, its state (which begins as `start`), the `settings` and what
    was computed before; the line "step" is the change for a learning rate of 1. What is the same for all parameters,
    such as a number of steps, is computed `once`. Or it is a subclass with a step() of its own.
    """

    start: ClassVar[Mapping[str, float]] = {}
    once: ClassVar[Formulas] = {}
    each: ClassVar[Formulas] = {"slope": "slope + weight_decay * w", "step": "slope"}

    @property
    def settings(self) -> dict[str, float]:
        """The numbers that the formulas use beside w, slope and state."""
        return {"weight_decay": self.weight_decay}

    def __init__(self, model: Module | Sequence[Value], learning_rate: Rates, weight_decay: float = 0.0) -> None:
        check_movable(model)
        self.model, self.learning_rate, self.epoch = model, learning_rate, 0
        self.state: dict[Value, State] = {}
        self.weight_decay = check_number("weight_decay", weight_decay)
        if weight_decay and not any("weight_decay" in formula for formula in self.each.values()):
            kind = type(self).__name__
            raise ValueError(f"{kind} takes no weight_decay: its formulas have no slope + weight_decay * w")
        if not self.rates():
            raise ValueError(f"{model!r} has no parameters, and {type(self).__name__} needs at least one to move")
        if isinstance(learning_rate, Real):
            self.learning_rate = check_number("learning_rate", learning_rate)

    def __repr__(self) -> str:
        from inspect import signature

        texts = [f"learning_rate={typed(self.learning_rate)}"]
        for name, each in signature(type(self)).parameters.items():
            given = vars(self).get(name, each.default)
            if name not in ("model", "learning_rate") and given != each.default:
                texts.append(f"{name}={given!r}")
        return f"{type(self).__name__}({', '.join(texts)})"

    def keeps(self, *methods: str) -> bool:
        """Are these methods as they are here, and none is one's own?"""
        return all(getattr(getattr(self, name), "__func__", None) is vars(Optimizer)[name] for name in methods)

    def parameters(self) -> list[Value]:
        return self.model.parameters() if isinstance(self.model, Module) else list(self.model)

    def groups(self) -> list[tuple[Rate, list[Value]]]:
        """Each learning rate with its parameters: one for all, or one for each layer. ValueError if they don't fit."""
        rates = listed(self.learning_rate)
        if not is_per_layer(self.learning_rate):
            return [(rates[0], self.parameters())]
        layers = getattr(self.model, "layers", None)
        if not layers or len(layers) != len(rates):
            count = f"{len(layers)} layers" if layers else "no .layers"
            raise ValueError(f"learning_rate: {len(rates)} learning rates were given for a model of {count}")
        found = [(rate, layer.parameters()) for rate, layer in zip(rates, layers, strict=True)]
        inside = {parameter for _, parameters in found for parameter in parameters}
        for parameter in self.parameters():
            if parameter not in inside:
                raise ValueError(
                    f"learning_rate has one for each layer, and {parameter.label} is in none: give one for all"
                )
        return found

    def rates(self) -> dict[Value, float]:
        """Each parameter's learning rate in the present epoch. ValueError for one that isn't above 0, or too many."""
        rates: dict[Value, float] = {}
        for rate, parameters in self.groups():
            rates |= dict.fromkeys(parameters, rate_at(rate, self.epoch))
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
                memory = self.state.get(parameter, self.start.values())
                step, *state[parameter] = change(parameter.grad, parameter.data, *memory, *settings)
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
        """The formulas as a function of floats: of the slope, w, the state and the settings."""
        once, each = (tuple(formulas.items()) for formulas in (self.once, self.each))
        return _compiled(once, each, tuple(self.start), tuple(self.settings))


@cache
def _compiled(once: Lines, each: Lines, state: tuple[str, ...], settings: tuple[str, ...]) -> Callable[..., State]:
    """Formulas, line after line, compiled once; what is computed once is kept, as most parameters made as many steps.

    Raises ValueError where one can't be read.
    """
    shared, names = [name for name, _ in once], tuple(dict.fromkeys([*state, *settings]))
    given = [name for name in names if name in shared or name not in state]
    first, then = ([f"    {name} = {python_source(formula)}" for name, formula in lines] for lines in (once, each))
    kept = [f"    ({', '.join(shared)},) = shared_({', '.join(given)})"] if once else []
    taken, made = ", ".join(["slope", "w", *names]), ", ".join(["step", *state])
    source = "\n".join([
        "@keep_", f"def shared_({', '.join(given)}):", *first, f"    return [{', '.join(shared)}]",
        f"def change_({taken}):", *kept, *then, f"    return [{made}]",
    ])  # fmt: skip
    functions = float_functions() | {"hypot": math.hypot, "keep_": lru_cache(maxsize=16)}
    exec(source, functions)
    change: Callable[..., State] = functions["change_"]
    return change


class SGD(Optimizer):
    """Gradient descent, w ← w - ρ ∂E/∂w, equations (12) to (14), with one rate for all or one per layer, ρ1, ρ2.

    With momentum m, the change is v ← m·v + ∂E/∂w (Polyak, 1964), and with nesterov ∂E/∂w + m·v after that (Nesterov,
    1983), both in PyTorch's form (Sutskever et al., 2013); weight_decay λ adds λ·w to ∂E/∂w. A rate may be a function
    of the epoch, from 0: see Optimizer. Raises ValueError for numbers out of range, and for nesterov without momentum.

    >>> w = Value(1.5)
    >>> sgd = SGD([w], learning_rate=0.1)
    >>> (w * w).backward(); sgd.step(); w.data
    1.2
    >>> SGD([w], lambda epoch: 0.1 * 0.9**epoch, momentum=0.9, nesterov=True)
    SGD(learning_rate=<lambda>, momentum=0.9, nesterov=True)
    """

    start: ClassVar = {"velocity": 0.0}
    each: ClassVar = {
        "slope": "slope + weight_decay * w",
        "velocity": "momentum * velocity + slope",
        "step": "slope + momentum * velocity if nesterov > 0 else velocity",
    }

    def __init__(
        self,
        model: Module | Sequence[Value],
        learning_rate: Rates = 0.1,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(model, learning_rate, weight_decay)
        self.momentum, self.nesterov = check_number("momentum", momentum), bool(nesterov)
        if nesterov not in (True, False) or (nesterov and not momentum):
            raise ValueError(
                "nesterov is True or False, and looks ahead by a momentum, such as momentum=0.9; given were "
                f"nesterov={nesterov!r} and momentum={momentum!r}"
            )

    @property
    def settings(self) -> dict[str, float]:
        return super().settings | {"momentum": self.momentum, "nesterov": float(self.nesterov)}


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015, algorithm 1): betas are their β1 and β2, eps their ε.

    Learning rates and weight_decay are as in SGD. Raises ValueError for numbers out of range.

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
        "slope": "slope + weight_decay * w",
        "mean": "beta1 * mean + rest1 * slope",
        "size": "hypot(sqrt(beta2) * size, sqrt(rest2) * slope)",  # the root of the mean square, which may overflow
        "step": "mean / of_mean / (size / of_size + eps)",
    }

    def __init__(
        self,
        model: Module | Sequence[Value],
        learning_rate: Rates = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(model, learning_rate, weight_decay)
        self.betas, self.eps = check_betas(betas), check_number("eps", eps, above_zero=True)

    @property
    def settings(self) -> dict[str, float]:
        beta1, beta2 = self.betas
        rest1, rest2 = (float(1 - Fraction(str(beta))) for beta in self.betas)  # 1 - 0.9 isn't 0.1
        return super().settings | {"beta1": beta1, "rest1": rest1, "beta2": beta2, "rest2": rest2, "eps": self.eps}


class AdamW(Adam):
    """Adam with decoupled decay, w ← w - ρ (adam's step + λ·w) (Loshchilov and Hutter, 2019, algorithm 2, as PyTorch).

    The decay λ, weight_decay, is no part of the slope, so that it isn't divided by its size. Raises as Adam does.

    >>> w = Value(1.5)
    >>> w.grad = 0.0  # what is left is the decay, by 0.1 * 0.2 of w
    >>> AdamW([w], learning_rate=0.1, weight_decay=0.2).step(); round(w.data, 6)
    1.47
    """

    each: ClassVar = {**Adam.each, "slope": "slope", "step": f"{Adam.each['step']} + weight_decay * w"}

    def __init__(
        self,
        model: Module | Sequence[Value],
        learning_rate: Rates = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(model, learning_rate, betas, eps, weight_decay)


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


def check_betas(betas: Any) -> tuple[float, float]:
    """Two numbers from 0 to below 1, as a tuple. Raises ValueError for anything else."""
    try:
        beta1, beta2 = (check_number("a beta", beta) for beta in betas)
        if beta1 < 1 and beta2 < 1:
            return beta1, beta2
    except (TypeError, ValueError):
        pass
    raise ValueError(f"betas are two numbers from 0 to below 1, such as (0.9, 0.999); given was {shortened(betas)}")
