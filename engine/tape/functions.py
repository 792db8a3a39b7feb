"""The elementary functions: libm's for a single float, and some for lanes of floats, without a branch.

Accuracy against the true value, in units of the last place: exp 0.8, tanh 1.4, sigmoid 2.2, hypot 1.1
(tests/tape/test_functions.py measures it). A function without a text here is libm's, lane by lane. Next: machine.py.
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


def _polynomial(coefficients: list[float], power: int = 1) -> str:
    """The text of a polynomial in r, with r2, r4, r8 for its powers: pairs are done sooner than Horner's."""
    terms = [repr(c) for c in coefficients]
    while len(terms) > 1:
        r = "r" if power == 1 else f"r{power}"
        pairs = [f"({low} + {r} * {high})" for low, high in zip(terms[::2], terms[1::2], strict=False)]
        terms, power = pairs + terms[len(pairs) * 2 :], 2 * power
    return terms[0]


ROUNDING = (
    "6755399441055744.0"  # 1.5 · 2**52: added and taken away again it leaves a whole number, now in the last bits
)
# exp(y) is 2**k exp(r), k whole and `shifted` with it in its last bits; 1 + r loses nothing: z is exp(r) to 0.6
_REDUCED = f"""
    shifted = y * 1.4426950408889634 + {ROUNDING}
    k = shifted - {ROUNDING}
    high = y - k * 0.6931471803691238
    low = k * 1.9082149292705877e-10
    r = high - low
    r2 = r * r
    r4 = r2 * r2
    r8 = r4 * r4
    sum = 1.0 + high
    lost = (1.0 - sum) + high
    z = sum + (lost + (r2 * {_polynomial(_EXP[::-1])} - low))
"""
LANES = {
    # 2**k in two factors, as the result may be subnormal
    "exp": f"""
def exp(x: lanes) -> lanes:
    y = select(x > -1000.0, x, -1000.0)
    y = select(y < 1000.0, y, 1000.0){_REDUCED}
    half = k * 0.5 + {ROUNDING}
    rest = (k - (half - {ROUNDING})) + {ROUNDING}
    return z * floats((bits(half) << 52) + (1023 << 52)) * floats((bits(rest) << 52) + (1023 << 52))
""",
    # exp(-x) for x from 0 up, with 2**(k + 64) / 2**64
    "decay": f"""
def decay(x: lanes) -> lanes:
    y = select(x < 750.0, -x, -750.0){_REDUCED}
    return z * floats((bits(shifted) << 52) + (1087 << 52)) * 5.421010862427522e-20
""",
    # near 0, tanh(x) / x - 1 as a rational (Cephes); else 1 - |tanh(x)| = 2e / (1 + e), where e is exp(-2|x|)
    "tanh_rest": """
def tanh_rest(x: lanes) -> lanes:
    e = decay(2.0 * abs(x))
    s = x * x
    over = (-0.964399179425052238628 * s - 99.2877231001918586564) * s - 1614.68768441708447952
    under = ((s + 112.811678491632931402) * s + 2235.48839060100448583) * s + 4844.06305325125486048
    near = abs(x) < 0.625
    return select(near, s * over, 2.0 * e) / select(near, under, 1.0 + e)
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
