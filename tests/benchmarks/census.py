"""Who is right: the largest error of each row's value and derivative, by us here and there, and by JAX and PyTorch.

`python -m tests.benchmarks.census` needs the extras jax and torch. The points and the truth are those of the tests; the
others compute a row by their own function of its name, where they have one. An error of 1e+00 is a number that is 0
or not finite where it shouldn't be, or another convention at a kink.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import torch
from mpmath import mpf

from engine import Value
from engine.readings.jax import to_jax
from nn.pytorch import activation
from tests.oracle import ORACLES
from tests.test_rules import ROWS, error_of, exact, fits, points

Numbers = list[tuple[float, float]]  # a value and a derivative for each point
UNARY = [name for name, rule in ROWS.items() if rule.operands == ("x",)]


def normal(x: Any) -> bool:
    return bool(x == 0 or abs(x) > 1e-304) and fits(x)


def ours(name: str, xs: list[float]) -> Numbers:
    nodes = [ROWS[name].apply([Value(x)]) for x in xs]
    return [(node.data, node.partials[0]) for node in nodes]


def by_to_jax(name: str, xs: list[float]) -> Numbers:
    x = Value(0.5 if name != "acosh" else 1.5)
    f = to_jax(ROWS[name].apply([x]), [x])
    return _by_jax(lambda number: f([], number[None]), xs)


def by_jax(name: str, xs: list[float]) -> Numbers | None:
    homes = (jax.numpy, jax.nn, jax.scipy.special)
    own = next((getattr(home, name) for home in homes if hasattr(home, name)), None)
    if name == "gelu":
        return _by_jax(lambda x: jax.nn.gelu(x, approximate=False), xs)
    return own and _by_jax(own, xs)


def _by_jax(f: Callable[[Any], Any], xs: list[float]) -> Numbers:
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(f)))(jax.numpy.array(xs))
    return list(zip(values.tolist(), slopes.tolist(), strict=True))


def by_to_torch(name: str, xs: list[float]) -> Numbers:
    return _by_torch(activation(name), xs)


def by_torch(name: str, xs: list[float]) -> Numbers | None:
    own = getattr(torch.nn.functional, name, getattr(torch, name, None))
    return own and _by_torch(own, xs)


def _by_torch(own: Callable[[Any], Any], xs: list[float]) -> Numbers:
    x = torch.tensor(xs, dtype=torch.float64, requires_grad=True)
    z = own(x)
    [slopes] = torch.autograd.grad(z.sum(), x)
    return list(zip(z.tolist(), slopes.tolist(), strict=True))


def worst(name: str, xs: list[float], numbers: Numbers | None) -> str:
    """The largest error of the values and of the derivatives."""
    if not numbers:
        return f"{'–':>10}{'–':>9}"
    oracle, errors = ORACLES[name], [0.0, 0.0]
    for x, (value, slope) in zip(xs, numbers, strict=True):
        o = [mpf(x)]
        true, (first, largest) = oracle.value(o), exact(oracle.first(o, 0))
        errors[0] = max(errors[0], min(error_of(value, true, max(abs(true), oracle.scale(o)), 1e-12), 1.0))
        if normal(first) and not math.isinf(first):
            errors[1] = max(errors[1], min(error_of(slope, first, largest, 1e-12), 1.0))
    return f"{errors[0]:10.0e}{errors[1]:9.0e}"


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    columns = {"engine": ours, "to_jax": by_to_jax, "JAX": by_jax, "to_torch": by_to_torch, "PyTorch": by_torch}
    print(f"{'z and dz/dx by':12}" + "".join(f"{column:>19}" for column in columns))
    for name in UNARY:
        oracle = ORACLES[name]
        xs = [x for (x,) in points(name) if normal(mpf(x)) and normal(oracle.value([mpf(x)]))]
        print(f"{name:14}" + "".join(worst(name, xs, column(name, xs)) for column in columns.values()))


if __name__ == "__main__":
    main()
