"""A formula of the table: parsed once, as Python source over floats, and its names as functions of floats.

The table's formulas are small Python expressions. Numbers follow three rules, the same in every reading, so that
compiled code can reproduce them bit for bit: literals are floats, x**2 and x**3 are products, any other power is pow().
There are two arithmetics: as Python computes, raising where there is no finite result; and as IEEE 754 does, with
infinities and NaN, for the one place that may hold them, a local derivative at the edge of a domain.
"""

from __future__ import annotations

import math

# The ast module itself would cost more to import than the whole engine; the node classes are built in.
from _ast import (
    AST,
    BinOp,
    Call,
    Compare,
    Constant,
    Div,
    Expression,
    GeneratorExp,
    IfExp,
    List,
    ListComp,
    Name,
    Pow,
    PyCF_ONLY_AST,
    UnaryOp,
    comprehension,
    expr,
)  # fmt: skip
from functools import cache

from engine.rules import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

SIGNS = {"Add": "+", "Sub": "-", "Mult": "*", "USub": "-", "UAdd": "+",
         "Gt": ">", "GtE": ">=", "Lt": "<", "LtE": "<=", "Eq": "==", "NotEq": "!="}  # fmt: skip


def product_source(factor: str, times: int) -> str:
    """The source of factor * factor (* factor), which computes the factor once."""
    if factor.isidentifier():
        return f"({' * '.join([factor] * times)})"
    return f"((t := {factor}){' * t' * (times - 1)})"


class Dialect:
    """How Python source writes a division, a square or cube, a number, a choice, what may fail (calls, / and **)."""

    def __init__(
        self,
        division: str = "({} / {})",
        product: Callable[[str, int], str] = product_source,
        literal: Callable[[str], str] = str,
        fallible: Callable[[str], str] = str,
        choice: str = "({1} if {0} else {2})",
    ) -> None:
        self.division, self.product, self.literal = division, product, literal
        self.fallible, self.choice = fallible, choice


PYTHON = Dialect()
IEEE = Dialect(division="divide({}, {})")


@cache
def parse(formula: str) -> expr:
    """The syntax tree of a formula. Raises ValueError, with the formula in it, if it isn't an expression."""
    try:
        tree = compile(formula, "<formula>", "eval", PyCF_ONLY_AST)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the formula {formula!r} can't be read: {error}") from None
    assert isinstance(tree, Expression)
    return tree.body


def python_source(formula: str, dialect: Dialect = PYTHON) -> str:
    """The formula as Python source over floats, which is what the engine compiles.

    Raises ValueError where the formula holds more than numbers, names, calls, + - * / **, `a if b else c` and, for
    rows over any number of operands, lists of these.

    >>> python_source("sech(x)**2 / y**0.5")
    '(((t := sech(x)) * t) / pow(y, 0.5))'
    """

    def read(tree: AST) -> str:
        match tree:
            case Constant(value=int() | float() as number) if not isinstance(number, bool):
                return dialect.literal(repr(float(number)))
            case Name(id=name):
                return name
            case UnaryOp(op=sign, operand=operand) if type(sign).__name__ in SIGNS:
                return f"({SIGNS[type(sign).__name__]}{read(operand)})"
            case BinOp(op=Pow(), left=base, right=Constant(value=2 | 3 as times)):
                return dialect.product(read(base), 2 if times == 2 else 3)
            case BinOp(op=Pow(), left=base, right=exponent):
                return dialect.fallible(f"pow({read(base)}, {read(exponent)})")
            case BinOp(op=Div(), left=left, right=right):
                return dialect.fallible(dialect.division.format(read(left), read(right)))
            case BinOp(op=sign, left=left, right=right) if type(sign).__name__ in SIGNS:
                return f"({read(left)} {SIGNS[type(sign).__name__]} {read(right)})"
            case Compare(left=left, ops=[sign], comparators=[right]) if type(sign).__name__ in SIGNS:
                return f"{read(left)} {SIGNS[type(sign).__name__]} {read(right)}"
            case IfExp(test=test, body=body, orelse=orelse):
                return dialect.choice.format(read(test), read(body), read(orelse))
            case Call(func=Name(id=name), args=arguments, keywords=[]):
                return dialect.fallible(f"{name}({', '.join(map(read, arguments))})")
            case List(elts=items):
                return f"[{', '.join(map(read, items))}]"
            case ListComp(elt=item, generators=loops) | GeneratorExp(elt=item, generators=loops):
                return f"[{read(item)} {' '.join(map(read, loops))}]"
            case comprehension(target=Name(id=name), iter=items, ifs=[]):
                return f"for {name} in {read(items)}"
        raise ValueError(
            f"the formula {formula!r} holds a {type(tree).__name__}: write it with numbers, names, calls and + - * / **"
        )

    return read(parse(formula))


@cache
def code(formula: str, ieee: bool = False) -> CodeType:
    """The formula, compiled over the names in float_functions(ieee)."""
    return compile(python_source(formula, IEEE if ieee else PYTHON), f"<{formula}>", "eval")


def evaluated(formula: str, variables: dict[str, Any], ieee: bool = False) -> Any:
    """The formula's number, or list of numbers, with these numbers for its variables.

    Raises what Python's arithmetic raises (ArithmeticError, ValueError), but with ieee.

    >>> evaluated("x / y + 1", {"x": 3.0, "y": 0.0}, ieee=True)
    inf
    """
    return eval(code(formula, ieee), float_functions(ieee) | variables)


@cache
def float_functions(ieee: bool = False) -> dict[str, Any]:
    """Each name in formulas as a function of floats, in Python's arithmetic or IEEE 754's: not to change."""
    functions: dict[str, Any] = {"abs": abs}
    functions |= {rule.name: vars(math)[rule.name] for rule in TABLE if rule.name in vars(math)}
    functions |= {"floor": _floor, "mod": _mod}
    if ieee:
        functions = {name: _unraising(function) for name, function in functions.items()}
    functions |= {"pi": math.pi, "sum": _sum, "softmax": _softmax, "first": _first, "rest": _rest, "divide": _divide}
    made = [rule for rule in TABLE if rule.value != rule.typed and not rule.many]
    dialect = IEEE if ieee else PYTHON
    exec("\n".join(f"def {r.name}({', '.join(r.operands)}): return {python_source(r.value, dialect)}" for r in made),
         functions)  # fmt: skip
    del functions["__builtins__"]  # which exec put there
    return functions


def _floor(x: float) -> float:
    # math's makes an int, and none of an infinity; from 2**52 on every double is whole
    return x // 1.0 if abs(x) < 4503599627370496.0 else x


def _mod(x: float, y: float) -> float:
    return x % y


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
        except (ValueError, ZeroDivisionError):
            if function is not math.pow or x != 0:
                return POLES.get((function, x), math.nan)
            odd = others[0] % 2 == 1
        return math.copysign(math.inf, x) if odd else math.inf

    return extended
