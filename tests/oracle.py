"""What each row of the table should give: the value, first and second derivatives, written by hand for mpmath.

Nothing here is read from the table. Each derivative is a closed form that cancels nowhere but where the true one does,
worked out to 60 digits; a law of its own differentiates the values numerically and compares. A derivative with roots
is a tuple, the terms of its sum: near a root the error is measured against the largest term.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import mpmath
from mpmath import acos, acosh, asin, asinh, atan, atan2, atanh, cos, erf, log, log1p, sign, sin, sqrt, tan, tanh

mp, mpf, inf, nan, pi = mpmath.mp, mpmath.mpf, mpmath.inf, mpmath.nan, mpmath.pi
mp.dps = 60

Operands = Sequence[Any]
Terms = tuple[Any, ...]


class Oracle(NamedTuple):
    """The truth about one row, as functions of the operands (mpmath numbers) and of the operands' slots."""

    value: Callable[[Operands], Any]
    first: Callable[[Operands, int], Terms]
    second: Callable[[Operands, int, int], Terms]
    inside: Callable[[Operands], bool]  # is this point in the domain?
    scale: Callable[[Operands], Any]  # a value that cancels is measured against this, where it is larger


def _terms(given: Any) -> Terms:
    return given if isinstance(given, tuple) else (given,)


def law(
    value: Callable[..., Any], *first: Callable[..., Any], inside: Callable[..., bool] = lambda *o: True, **second: Any
) -> Oracle:
    """The oracle of a row with fixed operands; second derivatives by their letters, xx, xy, …; left out means 0."""

    def of_second(o: Operands, i: int, j: int) -> Terms:
        given = second.get("".join("xyc"[slot] for slot in sorted((i, j))), 0)
        return _terms(given(*o) if callable(given) else mpf(given))

    return Oracle(
        lambda o: value(*o), lambda o, i: _terms(first[i](*o)), of_second, lambda o: inside(*o), lambda o: mpf(0)
    )


def within(x: Any) -> Any:
    """x, but at most a million: the exponential is far beyond the doubles there, and costs mpmath more and more."""
    return min(max(x, mpf(-(10**6))), mpf(10**6))


def exp(x: Any) -> Any:
    return mpmath.exp(within(x))


def expm1(x: Any) -> Any:
    return mpmath.expm1(within(x))


def sinh(x: Any) -> Any:
    return mpmath.sinh(within(x))


def cosh(x: Any) -> Any:
    return mpmath.cosh(within(x))


def sech(x: Any) -> Any:
    return mpmath.sech(within(x))


def erfc(x: Any) -> Any:
    return mpmath.erfc(within(x))


def sigma(x: Any) -> Any:
    return 1 / (1 + exp(-x))


def phi(x: Any) -> Any:
    """The density of the normal distribution, gelu's."""
    return exp(-x * x / 2) / sqrt(2 * pi)


def length(x: Any, y: Any) -> Any:
    return sqrt(x * x + y * y)


def unit(x: Any, y: Any) -> Any:
    return x / length(x, y) if x or y else mpf(0)


def power(x: Any, y: Any) -> Any:
    if x == 0:
        return mpf(1) if y == 0 else mpf(0) if y > 0 else inf
    return x**y if x > 0 or y == int(y) else nan


def log_or_0(x: Any) -> Any:
    """The convention at 0**y: its derivative by y is 0."""
    return log(x) if x > 0 else mpf(0) if x == 0 else nan


def coefficient(c: Any, x: Any, y: Any) -> Any:
    """c x**y, nothing where c = 0."""
    return c * power(x, y) if c != 0 else mpf(0)


def has_power(x: Any, y: Any) -> bool:
    return bool(x > 0 or (x == 0 and y >= 0) or (x < 0 and y == int(y)))


def is_double(x: Any) -> bool:
    return bool(x == 0 or mpf(10) ** -307 < abs(x) < mpf(10) ** 308)


def step(x: Any) -> Any:
    return mpf(1) if x > 0 else mpf(0)


def greater(x: Any, y: Any) -> Any:
    return mpf(1) if x > y else mpf(1) / 2 if x == y else mpf(0)


def above(x: Any, y: Any) -> Any:
    """Is x > y? At a tie it isn't."""
    return mpf(1) if x > y else mpf(0)


def constant(number: float) -> Callable[..., Any]:
    return lambda *o: mpf(number)


# -- rows over any number of operands


def _log_sum(xs: Operands) -> Any:
    at = max(range(len(xs)), key=xs.__getitem__)
    return xs[at] + log1p(sum((exp(x - xs[at]) for i, x in enumerate(xs) if i != at), mpf(0)))


def _shares(xs: Operands) -> list[Any]:
    return _shares_of(tuple(xs))


@lru_cache(maxsize=8)
def _shares_of(xs: tuple[Any, ...]) -> list[Any]:
    powers = [exp(x - max(xs)) for x in xs]
    whole = sum(powers)
    return [p / whole for p in powers]


def _others(p: Sequence[Any], i: int) -> Any:
    """1 - p[i], which would cancel."""
    return sum((q for j, q in enumerate(p) if j != i), mpf(0))


def _share_slope(p: Sequence[Any], i: int, j: int) -> Any:
    return p[i] * _others(p, i) if i == j else -p[i] * p[j]


def _share_second(xs: Operands, i: int, j: int) -> Terms:
    p = _shares(xs)

    def toward(k: int) -> Any:  # (d/dx_k of log p_0)
        return _others(p, 0) if k == 0 else -p[k]

    return p[0] * toward(i) * toward(j), -p[0] * _share_slope(p, i, j)


def largest_operand(xs: Operands) -> Any:
    return max(map(abs, xs))


def anywhere(o: Operands) -> bool:
    return True


ORACLES: dict[str, Oracle] = {
    # -- arithmetic
    "add": law(lambda x, y: x + y, constant(1), constant(1)),
    "sub": law(lambda x, y: x - y, constant(1), constant(-1)),
    "mul": law(lambda x, y: x * y, lambda x, y: y, lambda x, y: x, xy=1),
    "div": law(
        lambda x, y: x / y, lambda x, y: 1 / y, lambda x, y: -x / y**2,
        xy=lambda x, y: -1 / y**2, yy=lambda x, y: 2 * x / y**3, inside=lambda x, y: y != 0,
    ),
    "mod": law(  # mpmath's % is exact, and has the sign of y
        lambda x, y: x % y, constant(1), lambda x, y: -mpmath.floor(x / y), inside=lambda x, y: y != 0,
    ),
    "neg": law(lambda x: -x, constant(-1)),
    # a sum of many rounds at each step, by an amount that the largest operand sets
    "total": Oracle(lambda xs: sum(xs, mpf(0)), lambda xs, i: (mpf(1),), lambda xs, i, j: (mpf(0),), anywhere,
                    largest_operand),
    # -- powers, exponentials, logarithms
    "pow": law(
        power, lambda x, y: coefficient(y, x, y - 1), lambda x, y: power(x, y) * log_or_0(x),
        xx=lambda x, y: coefficient(y * (y - 1), x, y - 2),
        xy=lambda x, y: (power(x, y - 1), coefficient(y, x, y - 1) * log(x)) if x else nan,
        yy=lambda x, y: power(x, y) * log_or_0(x) ** 2, inside=has_power,
    ),
    "sqrt": law(sqrt, lambda x: 1 / (2 * sqrt(x)) if x else inf, xx=lambda x: -1 / (4 * x * sqrt(x)) if x else -inf,
                inside=lambda x: x >= 0),
    "exp": law(exp, exp, xx=exp),
    "exp2": law(lambda x: mpf(2) ** within(x), lambda x: mpf(2) ** within(x) * log(mpf(2)),
                xx=lambda x: mpf(2) ** within(x) * log(mpf(2)) ** 2),
    "expm1": law(expm1, exp, xx=exp),
    "log2": law(lambda x: log(x) / log(mpf(2)), lambda x: 1 / (x * log(mpf(2))), xx=lambda x: -1 / (x**2 * log(mpf(2))),
                inside=lambda x: x > 0),
    "log10": law(lambda x: log(x) / log(mpf(10)), lambda x: 1 / (x * log(mpf(10))),
                 xx=lambda x: -1 / (x**2 * log(mpf(10))), inside=lambda x: x > 0),
    "log": law(log, lambda x: 1 / x, xx=lambda x: -1 / x**2, inside=lambda x: x > 0),
    "log1p": law(log1p, lambda x: 1 / (1 + x), xx=lambda x: -1 / (1 + x) ** 2, inside=lambda x: x > -1),
    # log(exp(x) + exp(y)) has roots, and where one operand is 0 it rounds as 1 + exp(y) does
    "logaddexp": law(
        lambda x, y: max(x, y) + log1p(exp(-abs(x - y))), lambda x, y: sigma(x - y), lambda x, y: sigma(y - x),
        xx=lambda x, y: sigma(x - y) * sigma(y - x), xy=lambda x, y: -sigma(x - y) * sigma(y - x),
        yy=lambda x, y: sigma(x - y) * sigma(y - x),
    )._replace(scale=largest_operand),
    "logsumexp": Oracle(_log_sum, lambda xs, i: (_shares(xs)[i],), lambda xs, i, j: (_share_slope(_shares(xs), i, j),),
                        anywhere, largest_operand),
    # -- trigonometry
    "sin": law(sin, cos, xx=lambda x: -sin(x)),
    "cos": law(cos, lambda x: -sin(x), xx=lambda x: -cos(x)),
    "tan": law(tan, lambda x: 1 / cos(x) ** 2, xx=lambda x: 2 * sin(x) / cos(x) ** 3),
    "asin": law(asin, lambda x: 1 / sqrt((1 - x) * (1 + x)) if abs(x) != 1 else inf,
                xx=lambda x: x / sqrt((1 - x) * (1 + x)) ** 3 if abs(x) != 1 else x * inf,
                inside=lambda x: abs(x) <= 1),
    "acos": law(acos, lambda x: -1 / sqrt((1 - x) * (1 + x)) if abs(x) != 1 else -inf,
                xx=lambda x: -x / sqrt((1 - x) * (1 + x)) ** 3 if abs(x) != 1 else -x * inf,
                inside=lambda x: abs(x) <= 1),
    "atan": law(atan, lambda x: 1 / (1 + x**2), xx=lambda x: -2 * x / (1 + x**2) ** 2),
    "atan2": law(  # undefined at the origin
        atan2, lambda x, y: y / (x**2 + y**2) if x or y else nan, lambda x, y: -x / (x**2 + y**2) if x or y else nan,
        xx=lambda x, y: -2 * x * y / (x**2 + y**2) ** 2, yy=lambda x, y: 2 * x * y / (x**2 + y**2) ** 2,
        xy=lambda x, y: (x**2 / (x**2 + y**2) ** 2, -(y**2) / (x**2 + y**2) ** 2),
    ),
    "hypot": law(  # at the origin, a kink, the subgradient of least norm
        length, unit, lambda x, y: unit(y, x),
        xx=lambda x, y: y**2 / length(x, y) ** 3 if x or y else nan,
        xy=lambda x, y: -x * y / length(x, y) ** 3 if x or y else nan,
        yy=lambda x, y: x**2 / length(x, y) ** 3 if x or y else nan,
    ),
    # -- hyperbolic functions
    "sinh": law(sinh, cosh, xx=sinh),
    "cosh": law(cosh, sinh, xx=cosh),
    "tanh": law(tanh, lambda x: sech(x) ** 2, xx=lambda x: -2 * tanh(x) * sech(x) ** 2),
    "asinh": law(asinh, lambda x: 1 / sqrt(1 + x**2), xx=lambda x: -x / sqrt(1 + x**2) ** 3),
    "acosh": law(acosh, lambda x: 1 / sqrt((x - 1) * (x + 1)) if x != 1 else inf,
                 xx=lambda x: -x / sqrt((x - 1) * (x + 1)) ** 3 if x != 1 else -inf, inside=lambda x: x >= 1),
    "atanh": law(atanh, lambda x: 1 / ((1 - x) * (1 + x)), xx=lambda x: 2 * x / ((1 - x) * (1 + x)) ** 2,
                 inside=lambda x: abs(x) < 1),
    # -- activations, and the error function
    "sigmoid": law(sigma, lambda x: sigma(x) * sigma(-x), xx=lambda x: -sigma(x) * sigma(-x) * tanh(x / 2)),
    "softplus": law(lambda x: log1p(exp(x)) if x < 0 else x + log1p(exp(-x)), sigma, xx=lambda x: sigma(x) * sigma(-x)),
    "logsigmoid": law(lambda x: x - log1p(exp(x)) if x < 0 else -log1p(exp(-x)), lambda x: sigma(-x),
                      xx=lambda x: -sigma(x) * sigma(-x)),
    "elu": law(lambda x: x if x > 0 else expm1(x), lambda x: mpf(1) if x > 0 else exp(x),
               xx=lambda x: exp(x) if x < 0 else mpf(0)),
    "relu": law(lambda x: max(x, mpf(0)), step),
    "leaky_relu": law(lambda x: x if x > 0 else x / 100, lambda x: mpf(1) if x > 0 else mpf(1) / 100),
    "silu": law(lambda x: x * sigma(x), lambda x: (sigma(x), x * sigma(x) * sigma(-x)),
                xx=lambda x: (2 * sigma(x) * sigma(-x), -x * sigma(x) * sigma(-x) * tanh(x / 2))),
    "gelu": law(lambda x: x * erfc(-x / sqrt(2)) / 2, lambda x: (erfc(-x / sqrt(2)) / 2, x * phi(x)),
                xx=lambda x: (2 * phi(x), -(x**2) * phi(x))),
    "erf": law(erf, lambda x: 2 * exp(-(x**2)) / sqrt(pi), xx=lambda x: -4 * x * exp(-(x**2)) / sqrt(pi)),
    "erfc": law(erfc, lambda x: -2 * exp(-(x**2)) / sqrt(pi), xx=lambda x: 4 * x * exp(-(x**2)) / sqrt(pi)),
    # -- kinks, by the stated convention: the subgradient of least norm
    "abs": law(abs, sign),
    "maximum": law(lambda x, y: max(x, y), greater, lambda x, y: greater(y, x)),
    "minimum": law(lambda x, y: min(x, y), lambda x, y: greater(y, x), greater),
    "clip": law(
        lambda x, y, c: min(max(x, y), c), lambda x, y, c: above(x, y) * above(c, x),
        lambda x, y, c: above(c, y) * (1 - above(x, y)), lambda x, y, c: 1 - above(c, max(x, y)),
    ),
    "floor": law(mpmath.floor, constant(0)),
    # -- rows that the partials are made of
    "step": law(step, constant(0)),
    "sign": law(sign, constant(0)),
    "detach": law(lambda x: x, constant(0)),
    "greater": law(greater, constant(0), constant(0)),
    "sech": law(sech, lambda x: -sech(x) * tanh(x), xx=lambda x: (sech(x) * tanh(x) ** 2, -(sech(x) ** 3))),
    "circ": law(lambda x: sqrt((1 - x) * (1 + x)), lambda x: -x / sqrt((1 - x) * (1 + x)) if abs(x) != 1 else -x * inf,
                xx=lambda x: -1 / sqrt((1 - x) * (1 + x)) ** 3 if abs(x) != 1 else -inf, inside=lambda x: abs(x) <= 1),
    "gauss": law(lambda x: exp(-(x**2)), lambda x: -2 * x * exp(-(x**2)),
                 xx=lambda x: (4 * x**2 * exp(-(x**2)), -2 * exp(-(x**2)))),
    "unit": law(
        unit, lambda x, y: y**2 / length(x, y) ** 3 if x or y else nan,
        lambda x, y: -x * y / length(x, y) ** 3 if x or y else nan,
        xx=lambda x, y: -3 * x * y**2 / length(x, y) ** 5 if x or y else nan,
        xy=lambda x, y: (2 * x**2 * y / length(x, y) ** 5, -(y**3) / length(x, y) ** 5) if x or y else nan,
        yy=lambda x, y: (2 * x * y**2 / length(x, y) ** 5, -(x**3) / length(x, y) ** 5) if x or y else nan,
    ),
    "log0": law(log_or_0, lambda x: 1 / x if x else inf, xx=lambda x: -1 / x**2 if x else -inf,
                inside=lambda x: x >= 0),
    # c x**y is made of c and x**y, and its derivatives likewise: those factors too must be doubles
    "term": law(
        lambda x, y, c: coefficient(c, x, y), lambda x, y, c: coefficient(c * y, x, y - 1),
        lambda x, y, c: coefficient(c, x, y) * log(x) if x > 0 else nan if coefficient(c, x, y) else mpf(0),
        lambda x, y, c: power(x, y),
        xx=lambda x, y, c: coefficient(c * y * (y - 1), x, y - 2),
        xy=lambda x, y, c: (coefficient(c, x, y - 1), coefficient(c * y, x, y - 1) * log(x)) if x and c else nan,
        yy=lambda x, y, c: coefficient(c, x, y) * log(x) ** 2 if x > 0 else nan if coefficient(c, x, y) else mpf(0),
        xc=lambda x, y, c: coefficient(y, x, y - 1), yc=lambda x, y, c: power(x, y) * log_or_0(x),
        inside=lambda x, y, c: has_power(x, y) and is_double(c * y * (y - 1)) and all(
            is_double(power(x, y - k)) for k in range(3)
        ),
    ),
    "share": Oracle(lambda xs: _shares(xs)[0], lambda xs, i: (_share_slope(_shares(xs), 0, i),), _share_second,
                    anywhere, lambda xs: mpf(0)),
}  # fmt: skip
