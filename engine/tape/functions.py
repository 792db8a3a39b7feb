"""The elementary functions: libm's for a single float, and some for lanes of floats, all lanes in one way.

Accuracy against the true value, in units of the last place: exp 0.8, tanh 1.4, sigmoid 1.4, softplus 1.5, hypot 1.1
(tests/tape/test_functions.py measures it). fused(x, y, z) is x y + z, rounded once where the machine can: elsewhere the
last bits may be others, and sigmoid's 1.8. A function without a text here is libm's, lane by lane. Next: machine.py.
"""

from __future__ import annotations

import ctypes
from functools import cache

# r**2 times this polynomial is exp(r) - 1 - r, for |r| up to ½ log 2: a Chebyshev fit of degree 9
_EXP = [
    2.5100377619606372e-08, 2.7620078203806394e-07, 2.7557268476553695e-06, 2.4801521317484083e-05,
    0.00019841269863042963, 0.0013888888917199863, 0.008333333333330063, 0.04166666666662416,
    0.16666666666666669, 0.5000000000000001,
]  # fmt: skip


def _polynomial(coefficients: list[float]) -> str:
    """The text of a polynomial in r, by pairs in r2, its square."""
    *terms, last = [
        f"fused(r, {high!r}, {low!r})" for low, high in zip(coefficients[::2], coefficients[1::2], strict=True)
    ]
    for term in reversed(terms):
        last = f"fused(r2, {last}, {term})"
    return last


ROUNDING = (
    "6755399441055744.0"  # 1.5 · 2**52: added and taken away again it leaves a whole number, now in the last bits
)
# exp(y) is 2**k exp(r), k whole and `shifted` with it in its last bits; exp(r) is 1 + high + rest
_REDUCED = f"""
    shifted = fused(y, 1.4426950408889634, {ROUNDING})
    k = shifted - {ROUNDING}
    high = fused(k, -0.6931471803691238, y)
    low = k * 1.9082149292705877e-10
    r = high - low
    r2 = r * r
    rest = fused(r2, {_polynomial(_EXP[::-1])}, -low)
"""
# z is exp(r) to 0.7 units of the last place: 1 + high, and what that lost
_EXACT = """
    sum = 1.0 + high
    z = sum + (((1.0 - sum) + high) + rest)
"""
LANES = {
    # 2**k in two factors, as the result may be subnormal
    "exp": f"""
def exp(x: lanes) -> lanes:
    y = select(x > -1000.0, x, -1000.0)
    y = select(y < 1000.0, y, 1000.0){_REDUCED}{_EXACT}
    half = k * 0.5 + {ROUNDING}
    rest = (k - (half - {ROUNDING})) + {ROUNDING}
    return z * floats((bits(half) << 52) + (1023 << 52)) * floats((bits(rest) << 52) + (1023 << 52))
""",
    # exp(-x) for x from 0 up; where 2**k may be subnormal, with 2**(k + 64) / 2**64
    "decay": f"""
def decay(x: lanes) -> lanes:
    y = select(x < 750.0, -x, -750.0){_REDUCED}{_EXACT}
    return z * floats((bits(shifted) << 52) + (1087 << 52)) * 5.421010862427522e-20
""",
    # n / (1 + e) for e from 0 to 1, rounded nearly once: with what the sum loses and what the division leaves, by no
    # more than 1 / (1 + e) to an eighth
    "ratio": """
def ratio(n: lanes, e: lanes) -> lanes:
    under = 1.0 + e
    lost = e - (under - 1.0)
    q = n / under
    left = fused(-q, under, n)
    return fused(fused(-q, lost, left), fused(e, -0.5, 1.0), q)
""",
    # |tanh(x)| near 0, x + x times a rational (Cephes); else what it lacks of 1, 2e / (1 + e), where e is exp(-2|x|)
    "tanh_part": f"""
def tanh_part(x: lanes) -> lanes:
    size = abs(x)
    y = -(size + size){_REDUCED}
    p = high + rest
    power = floats((bits(shifted) << 52) + (1023 << 52))
    e = fused(power, p, power)
    if any(y < -708.0):
        power = floats((bits(shifted) << 52) + (1087 << 52))
        e = select(y > -750.0, fused(power, p, power) * 5.421010862427522e-20, 0.0)
    s = x * x
    over = fused(fused(s, -0.964399179425052238628, -99.2877231001918586564), s, -1614.68768441708447952)
    under = fused(fused(s + 112.811678491632931402, s, 2235.48839060100448583), s, 4844.06305325125486048)
    near = size < 0.625
    v = select(near, s * over, e + e) / select(near, under, 1.0 + e)
    return select(near, fused(size, v, size), v)
""",
    "pow": """
def pow(x: lanes, y: lanes) -> lanes:
    if any(y != 2.0):
        if any(y != 1.0):
            return pow_by_lane(x, y)
        return x
    return x * x
""",
    "hypot": """
def hypot(x: lanes, y: lanes) -> lanes:
    larger = select(abs(x) > abs(y), abs(x), abs(y))
    size = select(larger == 0.0, 1.0, larger)
    if any(abs(size - 1.0) > 1e140):
        return hypot_by_lane(x, y)
    if any(size < 1e-140):
        return hypot_by_lane(x, y)
    return sqrt(x * x + y * y)
""",
}
# What libm has in another way: the remainder with Python's sign.
FLOATS = {
    "mod": """
def mod(x: float, y: float) -> float:
    r = fmod(x, y)
    if r == 0.0:
        return copysign(0.0, y)
    if y < 0.0:
        if r > 0.0:
            return r + y
        return r
    if r < 0.0:
        return r + y
    return r
""",
}
BY_LANE = """
def {name}({arguments}) -> lanes:
    z = x
    for i in unroll({width}):
        z = with_lane(z, i, {function}({lanes}))
    return z
"""


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
