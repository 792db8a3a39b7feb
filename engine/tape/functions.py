"""The elementary functions: libm's for a single float, and some for lanes of floats, all lanes in one way.

Accuracy against the true value, in units of the last place: exp 0.8, tanh 1.4, sigmoid 1.4, softplus 1.5, hypot 1.1
(tests/tape/test_functions.py measures it). A product in fused() is rounded once with its sum where the machine can:
elsewhere the last bits may be others, and sigmoid's 1.8. A function that isn't here is libm's, lane by lane.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, reduce
from typing import Any

# r**2 times this polynomial is exp(r) - 1 - r, for |r| up to ½ log 2: a Chebyshev fit of degree 9, highest power first
EXP = [
    2.5100377619606372e-08, 2.7620078203806394e-07, 2.7557268476553695e-06, 2.4801521317484083e-05,
    0.00019841269863042963, 0.0013888888917199863, 0.008333333333330063, 0.04166666666662416,
    0.16666666666666669, 0.5000000000000001,
]  # fmt: skip
ROUNDING = 6755399441055744.0  # 1.5 · 2**52: added, and taken away again, it leaves a whole number in the last bits
TINY = 5.421010862427522e-20  # 2**-64


def fused(x: Any, y: Any, z: Any) -> Any:
    """x y + z, rounded once where the machine can."""
    return x.body.intrinsic("fmuladd", x, y, z)


def select(test: Any, x: Any, y: Any) -> Any:
    return test.body.select(test, x, y)


def power_of_two(k: Any, bias: int) -> Any:
    """2**(k + bias - 1023), k being in the last bits of a number."""
    return k.body.converted("bitcast", (k.body.bits(k) << 52) + (bias << 52), k.kind)


def reduced(y: Any) -> tuple[Any, Any, Any, Any]:
    """exp(y) is 2**k exp(r), k whole, also in the last bits of `shifted`; exp(r) is 1 + high + rest."""
    shifted = fused(y, 1.4426950408889634, ROUNDING)
    k = shifted - ROUNDING
    high = fused(k, -0.6931471803691238, y)
    low = k * 1.9082149292705877e-10
    r = high - low
    pairs = (fused(r, odd, even) for odd, even in zip(EXP[::2], EXP[1::2], strict=True))  # one by one: few registers
    square = r * r
    polynomial = reduce(lambda sum, pair: fused(square, sum, pair), pairs)
    return shifted, k, high, fused(square, polynomial, -low)


def exact(high: Any, rest: Any) -> Any:
    """exp(r) to 0.7 units of the last place: 1 + high, and what that lost."""
    sum = 1.0 + high
    return sum + (((1.0 - sum) + high) + rest)


def exp(x: Any) -> Any:
    y = select(x > -1000.0, x, -1000.0)
    _, k, high, rest = reduced(select(y < 1000.0, y, 1000.0))
    half = k * 0.5 + ROUNDING  # 2**k in two factors, as the result may be subnormal
    other = (k - (half - ROUNDING)) + ROUNDING
    return exact(high, rest) * power_of_two(half, 1023) * power_of_two(other, 1023)


def decay(x: Any) -> Any:
    """exp(-x) for x from 0 up; where 2**k may be subnormal, with 2**(k + 64) / 2**64."""
    shifted, _, high, rest = reduced(select(x < 750.0, -x, -750.0))
    return exact(high, rest) * power_of_two(shifted, 1087) * TINY


def ratio(n: Any, e: Any) -> Any:
    """n / (1 + e) for e from 0 to 1, rounded nearly once.

    With what the sum loses and what the division leaves, by no more than 1 / (1 + e) to an eighth.
    """
    under = 1.0 + e
    lost = e - (under - 1.0)
    q = n / under
    left = fused(-q, under, n)
    return fused(fused(-q, lost, left), fused(e, -0.5, 1.0), q)


def tanh_part(x: Any) -> Any:
    """|tanh(x)| near 0, x + x times a rational (Cephes); else what it lacks of 1, 2e / (1 + e), e = exp(-2|x|)."""
    size = abs(x)
    y = -(size + size)
    shifted, _, high, rest = reduced(y)
    p = high + rest
    power = power_of_two(shifted, 1023)
    e = x.body.variable(fused(power, p, power))
    with x.body.when(x.body.any(y < -708.0)):
        power = power_of_two(shifted, 1087)
        e.set(select(y > -750.0, fused(power, p, power) * TINY, 0.0))
    e = e.now()
    s = x * x
    over = fused(fused(s, -0.964399179425052238628, -99.2877231001918586564), s, -1614.68768441708447952)
    under = fused(fused(s + 112.811678491632931402, s, 2235.48839060100448583), s, 4844.06305325125486048)
    near = size < 0.625
    v = select(near, s * over, e + e) / select(near, under, 1.0 + e)
    return select(near, fused(size, v, size), v)


def pow(x: Any, y: Any) -> Any:
    """By multiplication where all are squares."""
    body = y.body
    z = body.variable(x * x, body.lanes_kind)
    with body.when(body.any(y != 2.0)):
        z.set(x)
        with body.when(body.any(y != 1.0)):
            z.set(body.libm("pow", x, y))
    return z.now()


def hypot(x: Any, y: Any) -> Any:
    body = y.body
    larger = select(abs(x) > abs(y), abs(x), abs(y))
    size = select(larger == 0.0, 1.0, larger)
    z = body.variable(body.called("sqrt", x * x + y * y))
    with body.when(body.any((abs(size - 1.0) > 1e140) | (size < 1e-140))):
        z.set(body.libm("hypot", x, y))
    return z.now()


def mod(x: Any, y: Any) -> Any:
    """libm's remainder, with Python's sign."""
    body = y.body
    r = body.libm("fmod", x, y)
    return select(r == 0.0, body.intrinsic("copysign", 0.0, y), select((y < 0.0) ^ (r < 0.0), r + y, r))


OF_LANES: dict[str, Callable[..., Any]] = {
    "exp": exp, "decay": decay, "ratio": ratio, "tanh_part": tanh_part, "pow": pow, "hypot": hypot,
}  # fmt: skip
OF_ANY: dict[str, Callable[..., Any]] = {"mod": mod}


@cache
def libm(name: str) -> int:
    """The address of a function of libm. Raises ImportError where there is no libm."""
    for library in (None, "libm.so.6", "ucrtbase"):
        try:
            function = getattr(ctypes.CDLL(library), name)
        except (OSError, TypeError, AttributeError):
            continue
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    raise ImportError(f"libm's {name} isn't found")
