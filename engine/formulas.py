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
    BitXor,
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
    from collections.abc import Callable, Sequence
    from types import CodeType
    from typing import Any

LARGEST = 1.7976931348623157e308
SIGNS = {"Add": "+", "Sub": "-", "Mult": "*", "USub": "-", "UAdd": "+",
         "Gt": ">", "GtE": ">=", "Lt": "<", "LtE": "<=", "Eq": "==", "NotEq": "!="}  # fmt: skip


def product_source(factor: str, times: int) -> str:
    """The source of factor * factor (* factor), which computes the factor once."""
    if factor.isidentifier():
        return f"({' * '.join([factor] * times)})"
    return f"((t := {factor}){' * t' * (times - 1)})"


class Dialect:
    """How Python source writes a division, a square or cube, a number, a choice, what may fail (calls, / and **), and
    a list made in a loop."""

    def __init__(
        self,
        division: str = "({} / {})",
        product: Callable[[str, int], str] = product_source,
        literal: Callable[[str], str] = str,
        fallible: Callable[[str], str] = str,
        choice: str = "({1} if {0} else {2})",
        listed: str = "[{}]",
    ) -> None:
        self.division, self.product, self.literal = division, product, literal
        self.fallible, self.choice, self.listed = fallible, choice, listed


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
                return dialect.listed.format(f"{read(item)} {' '.join(map(read, loops))}")
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


# -- a row that somebody else wrote

NUMBER, LIST, TRUTH = "a number", "a list", "a comparison"
OF_LISTS = {"sum": NUMBER, "first": NUMBER, "softmax": LIST, "rest": LIST}  # what they make of one


def checked(name: str, formula: str, partials: Sequence[str], domain: str) -> None:
    """ValueError, in a sentence, unless these make a row: whatever would fail at any call is found here."""
    from keyword import iskeyword
    from unicodedata import normalize

    for given in (name, formula, *partials, domain):
        if not isinstance(given, str):
            raise ValueError(f"operation takes a name and formulas, each a str, and was given {type(given).__name__}")
    if not name.isidentifier() or iskeyword(name) or name.startswith("__") or normalize("NFKC", name) != name:
        raise ValueError(f"operation was given the name {name!r}; a name like 'cube' is expected")
    if not 1 <= len(partials) <= 3:
        raise ValueError(f"operation {name!r} was given {len(partials)} partials; one for each of x, y, c is expected")
    operands = {"x", "y", "c"} if len(partials) == 3 else {"x", "y"} if len(partials) == 2 else {"x"}
    for text in (formula, *partials):
        try:
            found = _kind(parse(text), operands | ({"z"} if text is not formula else set()), choices=text is formula)
            compile(python_source(text), "<formula>", "eval")
            if found != NUMBER:
                raise ValueError(f"{text!r} is {found} where a number is expected")
        except (RecursionError, MemoryError, SyntaxError):
            raise ValueError(f"{name}: the formula {text[:40]!r}… is too long: make two operations of it") from None
        except ValueError as problem:
            said = str(problem).replace(text, text[:40] + "…") if len(text) > 80 else problem
            raise ValueError(f"{name}: {said}") from None


def _kind(tree: AST, names: set[str], choices: bool) -> str:
    """What a formula over these names comes to, if it can be computed; what isn't notation at all passes.

    Raises ValueError for unknown names, numbers of operands, and one kind where another is expected.
    """

    def expect(expected: str, *parts: AST) -> None:
        for part in parts:
            if (found := _kind(part, names, choices)) != expected:
                raise ValueError(f"it has {found} where {expected} is expected")

    match tree:
        case Constant(value=int() | float() as number):
            if abs(number) > LARGEST:
                raise ValueError("it holds a number that is too large for a float (beyond 1.8e308)")
        case Name(id=name):
            if name in arities() or name in OF_LISTS:
                raise ValueError(f"{name} is a function: say of what, as in {name}(x)")
            if name not in names and name != "pi":
                raise ValueError(f"it uses {name!r}; a formula knows {', '.join(sorted(names))}, pi and {_functions()}")
        case UnaryOp(operand=operand):
            expect(NUMBER, operand)
        case BinOp(op=BitXor()):
            raise ValueError("it holds a ^: write ** for a power")
        case BinOp(left=left, right=right):
            expect(NUMBER, left, right)
        case Compare(left=left, comparators=[right]):
            expect(NUMBER, left, right)
            return TRUTH
        case IfExp(test=test, body=body, orelse=orelse):
            if not choices:
                raise ValueError("a partial holds an if, which would freeze in a graph: use step()")
            expect(TRUTH, test)
            expect(NUMBER, body, orelse)
        case Call(func=Name(id=name), args=arguments, keywords=[]):
            return _kind_of_call(name, arguments, expect)
        case List(elts=items):
            expect(NUMBER, *items)
            return LIST
    return NUMBER


def _kind_of_call(name: str, arguments: list[expr], expect: Callable[..., None]) -> str:
    if name not in arities() and name not in OF_LISTS:
        raise ValueError(f"it uses {name!r}; a formula knows the functions {_functions()}")
    wanted = arities().get(name, 1)
    if len(arguments) != wanted:
        raise ValueError(f"{name} takes {wanted} operand{'s' * (wanted > 1)}, and {len(arguments)} are given")
    expect(LIST if name in OF_LISTS else NUMBER, *arguments)
    return OF_LISTS.get(name, NUMBER)


@cache
def arities() -> dict[str, int]:
    """How many operands each function in formulas takes; those of lists aside."""
    return {rule.name: len(rule.operands) for rule in TABLE if rule.name in float_functions()}


def _functions() -> str:
    return ", ".join(sorted(arities().keys() | OF_LISTS.keys()))
