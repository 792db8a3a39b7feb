"""The names in the table's formulas as functions of floats: Python's math, and the table's own rows.

In two arithmetics: as Python computes, raising where there is no finite result; and as IEEE 754 does, with infinities
and NaN, for the one place that may hold them, a local derivative at the edge of a domain.
"""

from __future__ import annotations

import math
from functools import cache

from engine.notation import python_source
from engine.rules import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


@cache
def float_functions(ieee: bool = False) -> dict[str, Any]:
    """Each name in formulas as a function of floats, in Python's arithmetic or IEEE 754's: not to change."""
    functions: dict[str, Any] = {"abs": abs}
    functions |= {rule.name: vars(math)[rule.name] for rule in TABLE if rule.name in vars(math)}
    if ieee:
        functions = {name: _unraising(function) for name, function in functions.items()}
    functions |= {"pi": math.pi, "sum": _sum, "softmax": _softmax, "first": _first, "rest": _rest, "divide": _divide}
    made = [rule for rule in TABLE if rule.value != rule.typed and not rule.many]
    division = "divide({}, {})" if ieee else "({} / {})"
    exec("\n".join(f"def {r.name}({', '.join(r.operands)}): return {python_source(r.value, division)}" for r in made),
         functions)  # fmt: skip
    return functions


def _sum(xs: list[float]) -> float:
    # from left to right, where the builtin compensates for rounding since Python 3.12: other bits
    z = 0.0
    for x in xs:
        z += x
    return z


def _softmax(xs: list[float]) -> list[float]:
    largest = max(xs)  # shifted by it, nothing overflows
    powers = [math.exp(x - largest) for x in xs]
    whole = _sum(powers)
    return [power / whole for power in powers]


def _first(xs: list[Any]) -> Any:
    return xs[0]


def _rest(xs: list[Any]) -> list[Any]:
    return xs[1:]


def _divide(x: float, y: float) -> float:
    if y != 0:
        return x / y
    return math.nan if x == 0 or x != x else math.copysign(math.inf, x) * math.copysign(1, y)


POLES = {(math.log, 0.0): -math.inf, (math.log1p, -1.0): -math.inf, (math.atanh, 1.0): math.inf,
         (math.atanh, -1.0): -math.inf}  # fmt: skip


def _unraising(function: Callable[..., float]) -> Callable[..., float]:
    def extended(x: float, *others: float) -> float:
        try:
            return function(x, *others)
        except OverflowError:
            odd = function is math.sinh or (function is math.pow and others[0] % 2 == 1)
        except ValueError:
            if function is not math.pow or x != 0:
                return POLES.get((function, x), math.nan)
            odd = others[0] % 2 == 1
        return math.copysign(math.inf, x) if odd else math.inf

    return extended
