"""The laws of the table of derivatives, each for every row: numbers against mpmath, formulas against sympy.

The oracles stand in oracle.py, written by hand. Points cover the whole range of doubles; what a law says holds wherever
operands and the true result are normal doubles (or 0); what doesn't fit a double is an error or an infinity.
"""

from __future__ import annotations

import ast
import math
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import product
from typing import Any

import mpmath
import pytest
import sympy
from mpmath import mp, mpf

from engine import DomainError, Value, derivative, operation
from engine.formulas import float_functions
from engine.operations import FUNCTIONS, make
from engine.rules import TABLE, Rule
from tests.oracle import ORACLES, Oracle, law

Point = tuple[float, ...]
ROWS = {rule.name: rule for rule in TABLE}
FIXED = [name for name, rule in ROWS.items() if not rule.many]
MANY = [name for name, rule in ROWS.items() if rule.many]
KINKED = {"relu", "leaky_relu", "abs", "maximum", "minimum", "clip", "floor", "mod", "step", "sign", "greater"}
CUT = "detach"  # whose partial is 0 by intention, whatever its value does
CHOOSING = KINKED | {CUT, "elu", "logaddexp"}  # by comparing symbols, which sympy can't: the numbers have to do
LARGEST, SMALLEST = mpf(sys.float_info.max), mpf(sys.float_info.min)  # of the normal doubles
HAIR = mpf(10) ** -12

each_row = pytest.mark.parametrize("name", ROWS)
each_many = pytest.mark.parametrize("name", MANY)


# -- where: the points


def both(numbers: Iterable[float]) -> list[float]:
    return [signed for x in numbers for signed in (x, -x)]


# the edges of domains and of exp, where tanh, sigmoid, erf and gelu saturate, where squares overflow or vanish
MODERATE = [
    1e-5, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999, 1 - 2**-30, 1 - 2**-53, 1.0, 1 + 2**-52, 1 + 2**-30, 1.001,
    1.2784645427610738, math.sqrt(2), math.pi / 2, 1.7, 2.0, 2.3993572805154, 2.5, 3.0, math.pi, 4.4, 5.9, 8.3, 10.0,
    15.0, 18.7, 19.1, 20.0, 22.0, 26.2, 26.6, 30.0, 36.7, 37.5, 38.4, 40.0, 100.5, 350.0, 354.8, 372.5,
]  # fmt: skip
EXTREME = [
    sys.float_info.min, 3e-308, 1e-300, 1e-200, 1.5e-154, 1e-103, 1e-60, 1e-20, 1e-16, 1.1e-16, 1e-8, 700.0, 708.3,
    709.7, 709.79, 710.4, 711.0, 744.4, 746.0, 1e5, 1e8, 3e15, 1e16, 1e20, 1e77, 1.3e154, 1.4e154, 1e200, 1e300,
    1e307, 1.7e308,
]  # fmt: skip


def magnitude(rng: random.Random, decades: float) -> float:
    return rng.choice((1, -1)) * 10 ** rng.uniform(-decades, decades)


@cache
def points(name: str) -> list[Point]:
    """Points inside the row's domain: one operand, pairs, triples, or lists of several sizes."""
    rule, rng = ROWS[name], random.Random(name)
    if rule.many:
        found = lists(rng)
    elif len(rule.operands) == 1:
        found = [(x,) for x in both([0.0, *MODERATE, *EXTREME])]
        found += [(magnitude(rng, decades),) for decades in (307, 12, 3, 1) for _ in range(60)]
        found += [(sign * (1 - 10 ** rng.uniform(-16, 0)),) for sign in (1, -1) for _ in range(20)]
    else:
        axis = both([0.0, 1e-300, 1e-160, 1e-8, 0.3, 1.0, 1 + 2**-30, 2.0, 2.5, 7.0, 300.0, 1e8, 1e160, 1e300])
        spread = [both([0.0, 0.3, 1.0, 3.0, 1e-9, 1e100])] * (len(rule.operands) - 2)
        found = list(product(axis, axis, *spread))
        if len(rule.operands) == 3:
            found = rng.sample(found, 600)
        found += [tuple(magnitude(rng, d) for _ in rule.operands) for d in (307, 100, 12, 3, 1) for _ in range(60)]
        found += [(abs(magnitude(rng, 300)), *(magnitude(rng, 1) for _ in rule.operands[1:])) for _ in range(100)]
        near = [magnitude(rng, 3) for _ in range(60)]  # nearly equal operands
        found += [(x, x * (1 + magnitude(rng, 15) * 1e-16), *(0.7 for _ in rule.operands[2:])) for x in near]
    return [point for point in dict.fromkeys(found) if ORACLES[name].inside([mpf(x) for x in point])]


def lists(rng: random.Random) -> list[Point]:
    """1 to 40 operands: ordinary, saturated (one outweighs the others), huge with small differences, tied."""
    found: list[Point] = [(0.0,), (1e300,), (0.3, 0.3), (0.0, -40.0), (0.0, -700.0), (1e8, 1e8 + 1e-3)]
    found.append((-1e8, 1.0, 1e8))
    for size in (1, 2, 5, 40):
        for width in (1e-6, 1.0, 30.0, 800.0, 1e8):
            found.append(tuple(rng.uniform(-width, width) for _ in range(size)))
        found += [tuple(1e8 + rng.uniform(-3, 3) for _ in range(size)), (0.7,) * size]
    return found


# -- what is right: the measures


def exact(terms: tuple[Any, ...]) -> tuple[Any, Any]:
    """The sum of the terms, and the largest of them: what an error near a root is measured against."""
    return sum(terms, mpf(0)), max(map(abs, terms))


def fits(x: Any) -> bool:
    """Is x in the range of doubles, and defined?"""
    return bool(abs(x) <= LARGEST)


def error_of(got: float, true: Any, largest: Any, tolerance: float) -> float:
    """The relative error; 0 where a true number too small for a double came out as small as that."""
    if not math.isfinite(got):
        return math.inf
    if true != 0 and abs(true) < SMALLEST:
        return 0.0 if abs(got) <= SMALLEST * (1 + tolerance) else math.inf
    error = abs(mpf(got) - true)
    return 0.0 if error == 0 else float(error / largest) if largest else math.inf


def report(wrong: list[tuple[float, str]]) -> None:
    assert not wrong, f"{len(wrong)} wrong, the worst of them:\n" + "\n".join(
        text for _, text in sorted(wrong, reverse=True)[:6]
    )


def check_values(rule: Rule, oracle: Oracle, where: Iterable[Point]) -> None:
    """The row's value is the oracle's to 1e-12, and DomainError where that is too large for a double."""
    wrong = []
    for point in where:
        o = [mpf(x) for x in point]
        true = oracle.value(o)
        if LARGEST * (1 - HAIR) <= abs(true) <= LARGEST * (1 + HAIR):
            continue  # either will do
        try:
            got = rule.apply([Value(x) for x in point]).data
        except DomainError as refusal:
            if abs(true) < LARGEST:
                wrong.append((math.inf, f"{rule.name}{point} is {mp.nstr(true, 17)}, but {refusal}"))
            continue
        if abs(true) > LARGEST:
            wrong.append((math.inf, f"{rule.name}{point} is too large for a double, but gave {got!r}"))
            continue
        error = error_of(got, true, max(abs(true), oracle.scale(o)), 1e-12)
        if error > 1e-12:
            wrong.append((error, f"{rule.name}{point} = {got!r}, true {mp.nstr(true, 17)}: {error:.1e}"))
    report(wrong)


def check_partials(rule: Rule, oracle: Oracle, where: Iterable[Point]) -> None:
    """Every partial, and its graph, is the oracle's to 1e-12; infinite where that is too large, NaN where undefined."""
    wrong = []
    for point in where:
        o = [mpf(x) for x in point]
        if not fits(oracle.value(o)):
            continue
        operands = [Value(x) for x in point]
        try:
            z = rule.apply(operands)
        except DomainError as refusal:
            wrong.append((math.inf, str(refusal)))
            continue
        for slot, (operand, got) in enumerate(zip(operands, z.partials, strict=True)):
            true, largest = exact(oracle.first(o, slot))
            at = f"{rule.name}{point} by operand {slot}: {got!r}, true {mp.nstr(true, 17)}"
            if not abs(true) <= LARGEST:  # or it is undefined
                if abs(true) > LARGEST * (1 + HAIR) and got != (math.inf if true > 0 else -math.inf):
                    wrong.append((math.inf, at))
                if mpmath.isnan(true) and not math.isnan(got):
                    wrong.append((math.inf, at))
                continue
            error = error_of(got, true, largest, 1e-12)
            if error > 1e-12:
                wrong.append((error, f"{at}: {error:.1e}"))
                continue
            try:
                graph = derivative(z, operand).data
            except DomainError as refusal:
                wrong.append((math.inf, f"{at}, but as a graph: {refusal}"))
                continue
            # rows over many operands add up in an order of their own there
            if graph != got and not (rule.many and error_of(graph, true, largest, 1e-12) <= 1e-12):
                wrong.append((1.0, f"{at}, but as a graph {graph!r}"))
    report(wrong)


def check_second(
    rule: Rule, oracle: Oracle, where: Iterable[Point], tolerance: float = 1e-9, or_raises: bool = False
) -> None:
    """The derivative of the derivative, for every pair of operands in both orders, is the oracle's to 1e-9."""
    wrong = []
    for point in where:
        o, slots = [mpf(x) for x in point], range(len(point))
        # a value too small for a double has lost digits that a second derivative may need
        true = oracle.value(o)
        if 0 < abs(true) < SMALLEST or not all(map(fits, (true, *(exact(oracle.first(o, i))[0] for i in slots)))):
            continue
        operands = [Value(x) for x in point]
        try:
            z = rule.apply(operands)
        except DomainError as refusal:
            wrong.append((math.inf, str(refusal)))
            continue
        for i, j in product(slots, slots) if len(point) <= 5 else [(0, 0), (0, 1), (1, 0), (2, 1), (1, 1)]:
            true, largest = exact(oracle.second(o, i, j))
            if mpmath.isnan(true):
                continue
            at = f"{rule.name}{point} by operands {i}, {j}: true {mp.nstr(true, 17)}"
            try:
                got = derivative(derivative(z, operands[i]), operands[j]).data
            except DomainError as refusal:
                if abs(true) <= LARGEST and not or_raises:
                    wrong.append((math.inf, f"{at}, but {refusal}"))
                continue
            error = error_of(got, true, largest, tolerance)
            if error > tolerance:
                wrong.append((error, f"{at}, got {got!r}: {error:.1e}"))
    report(wrong)


# -- numbers: every row against its oracle


def test_every_row_has_an_oracle() -> None:
    assert ORACLES.keys() == ROWS.keys()


@pytest.mark.parametrize("name", [name for name in ROWS if name != CUT])
def test_the_oracle_agrees_with_itself(name: str) -> None:
    """Its closed forms are the numerical derivatives of its values, in 60 digits."""
    oracle, rule, rng = ORACLES[name], ROWS[name], random.Random(name)
    size = 3 if rule.many else len(rule.operands)
    candidates = [tuple(mpf(magnitude(rng, 0.4)) for _ in range(size)) for _ in range(60)]
    inside = [o for o in candidates if oracle.inside(o) and (name not in ("pow", "log0", "term") or o[0] > 0)][:5]
    for o in inside:
        for i in range(size):
            true = mpmath.diff(lambda *o: oracle.value(o), o, _orders(size, i))
            assert mpmath.almosteq(true, sum(oracle.first(o, i)), 1e-25, 1e-25)
            for j in range(size):
                true = mpmath.diff(lambda *o, i=i: sum(oracle.first(o, i)), o, _orders(size, j))
                assert mpmath.almosteq(true, sum(oracle.second(o, i, j)), 1e-25, 1e-25)
    assert len(inside) >= 3


def _orders(size: int, slot: int) -> tuple[int, ...]:
    return tuple(int(k == slot) for k in range(size))


@each_row
def test_values_are_right_to_1e_12(name: str) -> None:
    check_values(ROWS[name], ORACLES[name], points(name))


@each_row
def test_partials_are_right_to_1e_12(name: str) -> None:
    check_partials(ROWS[name], ORACLES[name], points(name))


def is_ordinary(point: Point) -> bool:
    return all(x == 0 or 1e-100 < abs(x) < 1e100 for x in point)


@each_row
def test_second_derivatives_are_right_to_1e_9(name: str) -> None:
    check_second(ROWS[name], ORACLES[name], filter(is_ordinary, points(name)))


# Where a factor of the second derivative is too large for a double though the product isn't (1 / h² of atan2 at an h of
# 1e-160, x**(y - 2) of x**y), these refuse with a DomainError. They are never silently wrong.
REFUSE_AT_THE_ENDS = {"pow", "atan2", "unit"}


@each_row
def test_second_derivatives_are_right_at_the_ends_of_the_doubles(name: str) -> None:
    ends = (point for point in points(name) if not is_ordinary(point))
    check_second(ROWS[name], ORACLES[name], ends, or_raises=name in REFUSE_AT_THE_ENDS)


@each_row
def test_third_derivatives_are_right_to_1e_9(name: str) -> None:
    """Against mpmath's numerical derivative of the second; near a root, relative to the second and the first."""
    rule, oracle, wrong = ROWS[name], ORACLES[name], []
    size = 3 if rule.many else len(rule.operands)
    near = [(0.37, -0.6, 1.3), (0.81, 1.9, -0.7), (-0.45, 2.0, 0.4), (1.6, 0.35, 0.9), (2.7, -1.4, 2.2)]
    tried = 0
    for point in (p[:size] for p in near):
        o = [mpf(x) for x in point]
        if not oracle.inside(o):
            continue
        tried += 1
        operands = [Value(x) for x in point]
        for slots in product(range(size), repeat=3):
            i, j, k = slots
            if name in ("pow", "term") and point[0] < 0 and 1 in slots:
                continue  # by the exponent of a negative base: undefined
            second = exact(oracle.second(o, i, j))
            true = mpmath.diff(lambda *o, i=i, j=j: exact(oracle.second(o, i, j))[0], o, _orders(size, k))
            third = rule.apply(operands)
            for slot in slots:
                third = derivative(third, operands[slot])
            error = error_of(third.data, true, max(abs(true), second[1], exact(oracle.first(o, i))[1]), 1e-9)
            if error > 1e-9:
                text = f"{name}{point} by {slots}: {third.data!r}, true {mp.nstr(true, 17)}: {error:.1e}"
                wrong.append((error, text))
    report(wrong)
    assert tried


def test_silu_has_its_third_derivative_also_next_to_0() -> None:
    x = Value(1e-160)
    assert derivative(derivative(derivative(x.silu(), x), x), x).data == pytest.approx(-5e-161, rel=1e-9)


def test_a_term_that_is_0_has_all_its_derivatives_whatever_its_base() -> None:
    x, y, c = Value(-2.0), Value(0.5), Value(0.0)
    with pytest.raises(DomainError):
        ROWS["term"].apply([x, y, 1.5])
    x, y = Value(-2.0), Value(3.0)
    z = ROWS["term"].apply([x, y, c])
    assert z.partials == (0.0, 0.0, -8.0) and derivative(z, y).data == 0.0
    assert math.isnan(ROWS["term"].apply([x, y, 1.5]).partials[1])


# -- symbols: every formula against calculus


def _sum(xs: Iterable[Any]) -> Any:
    return sympy.Add(*xs)


def _softmax(xs: list[Any]) -> list[Any]:
    return [sympy.exp(x) / _sum(map(sympy.exp, xs)) for x in xs]


OWN = [
    sympy.sqrt, sympy.exp, sympy.log, sympy.sin, sympy.cos, sympy.tan, sympy.asin, sympy.acos, sympy.atan, sympy.atan2,
    sympy.sinh, sympy.cosh, sympy.tanh, sympy.asinh, sympy.acosh, sympy.atanh, sympy.erf, sympy.erfc, sympy.sech,
]  # fmt: skip
SYMBOLIC: dict[str, Any] = (
    {function.__name__: function for function in OWN}
    | {
        "pi": sympy.pi,
        "abs": sympy.Abs,
        "complex": lambda x, y: x + sympy.I * y,
        "expm1": lambda x: sympy.exp(x) - 1,
        "log1p": lambda x: sympy.log(1 + x),
        "hypot": lambda x, y: sympy.sqrt(x**2 + y**2),
        "unit": lambda x, y: x / sympy.sqrt(x**2 + y**2),
        "circ": lambda x: sympy.sqrt((1 - x) * (1 + x)),
        "gauss": lambda x: sympy.exp(-(x**2)),
        "log0": sympy.log,
        "log2": lambda x: sympy.log(x) / sympy.log(2),
        "log10": lambda x: sympy.log(x) / sympy.log(10),
        "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
        "relu": lambda x: sympy.Max(x, 0),
        "step": lambda x: sympy.Integer(1),  # that of x and |z| in term, where x is positive
        "term": lambda x, y, c: c * x**y,
        "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
        "max": lambda xs: sympy.Symbol("m", real=True),  # logsumexp is the same whatever it is shifted by
        "sum": _sum,
        "softmax": _softmax,
        "first": lambda xs: xs[0],
        "rest": lambda xs: xs[1:],
    }
)


class Rational(ast.NodeTransformer):
    """Numbers in a formula as exact ones."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        call = ast.Call(ast.Name("Number", ast.Load()), [ast.Constant(repr(node.value))], [])
        return ast.copy_location(ast.fix_missing_locations(call), node)


def symbolic(formula: str, names: dict[str, Any]) -> Any:
    tree = Rational().visit(ast.parse(formula, mode="eval"))
    return eval(compile(tree, formula, "eval"), {**SYMBOLIC, "Number": sympy.Rational, **names})


def settings(rule: Rule) -> Iterator[dict[str, Any]]:
    """Symbols for the operands, once for each part of the domain, so that branches and |x| are decided there."""
    x, y, c = sympy.Symbol("x", positive=True), sympy.Symbol("y", real=True), sympy.Symbol("c", real=True, nonzero=True)
    if rule.many:
        yield {"xs": list(sympy.symbols("x:3", real=True))}
        return
    rest = [mpf(1) / 2] * (len(rule.operands) - 1)
    for sample, symbol in ((0.3, x), (1.3, 1 + x), (-0.3, sympy.Symbol("x", negative=True))):
        if ORACLES[rule.name].inside([mpf(sample), *rest]):
            yield dict(zip(rule.operands, (symbol, y, c), strict=False))


def prove_zero(difference: Any) -> None:
    attempts: list[Callable[[Any], Any]] = [lambda e: e, sympy.simplify, lambda e: sympy.simplify(e.rewrite(sympy.exp))]
    assert any(attempt(difference) == 0 for attempt in attempts), f"{difference} isn't 0"


def prove(rule: Rule, formulas: Iterable[str]) -> None:
    """The formulas, one for each operand, are what sympy makes of the derivatives of the row's value."""
    proved = 0
    for names in settings(rule):
        z = symbolic(rule.value, names)
        operands = names["xs"] if rule.many else [names[x] for x in rule.operands]
        slopes = [symbolic(formula, names | {"z": z}) for formula in formulas]
        for operand, slope in zip(operands, slopes[0] if rule.many else slopes, strict=True):
            (symbol,) = operand.free_symbols
            prove_zero(sympy.diff(z, symbol) - slope)
            proved += 1
    assert proved


@pytest.mark.parametrize("name", [name for name in ROWS if name not in CHOOSING])
def test_partials_are_the_derivatives_of_the_value(name: str) -> None:
    prove(ROWS[name], ROWS[name].partials)


@pytest.mark.parametrize("name", [name for name, rule in ROWS.items() if rule.also and name not in CHOOSING])
def test_the_textbook_forms_are_the_same_derivatives(name: str) -> None:
    prove(ROWS[name], ROWS[name].also)


# -- kinks: one convention at each


def slopes(name: str, *point: float) -> tuple[float | None, ...]:
    return tuple(FUNCTIONS[name](*map(Value, point)).partials)


@pytest.mark.parametrize(
    ("name", "point", "convention"),
    [
        ("relu", (0.0,), (0.0,)),
        ("relu", (-0.0,), (0.0,)),
        ("abs", (0.0,), (0.0,)),
        ("abs", (-0.0,), (0.0,)),
        ("leaky_relu", (0.0,), (0.01,)),
        ("maximum", (1.5, 1.5), (0.5, 0.5)),
        ("minimum", (-2.5, -2.5), (0.5, 0.5)),
        ("maximum", (0.0, -0.0), (0.5, 0.5)),
        ("greater", (1.5, 1.5), (0.0, 0.0)),
        ("clip", (1.5, 1.5, 2.5), (0.0, 1.0, 0.0)),
        ("clip", (2.5, 1.5, 2.5), (0.0, 0.0, 1.0)),
        ("clip", (1.5, 1.5, 1.5), (0.0, 0.0, 1.0)),
        ("clip", (1.5, 3.0, -3.0), (0.0, 0.0, 1.0)),
        ("floor", (2.0,), (0.0,)),
        ("mod", (6.0, 3.0), (1.0, -2.0)),
        ("mod", (6.0, 0.1), (1.0, -59.0)),  # 6 / 0.1 rounds to 60, and 0.1 is a hair more than a tenth
        ("elu", (0.0,), (1.0,)),
        ("step", (0.0,), (0.0,)),
        ("sign", (0.0,), (0.0,)),
        ("pow", (0.0, 0.0), (0.0, 0.0)),
        ("pow", (0.0, 1.0), (1.0, 0.0)),
        ("pow", (0.0, 2.5), (0.0, 0.0)),
    ],
)
def test_each_kink_has_its_convention(name: str, point: Point, convention: Point) -> None:
    assert slopes(name, *point) == convention


def test_the_value_at_a_tie_or_a_jump() -> None:
    assert FUNCTIONS["floor"](2.0) == FUNCTIONS["floor"](2.5) == 2.0 and FUNCTIONS["floor"](-0.5) == -1.0
    assert FUNCTIONS["clip"](1.5, 3.0, -3.0) == -3.0
    assert FUNCTIONS["pow"](0.0, 0.0) == FUNCTIONS["maximum"](1, 1) == FUNCTIONS["minimum"](1, 1) == 1.0
    assert FUNCTIONS["step"](0.0) == FUNCTIONS["sign"](0.0) == 0.0
    assert FUNCTIONS["greater"](1.5, 1.5) == 0.5


@pytest.mark.parametrize("name", sorted(KINKED))
def test_a_kinked_row_is_straight_on_either_side(name: str) -> None:
    x, y, c = Value(1.5), Value(-0.5), Value(2.5)
    operands = [x, y, c][: len(ROWS[name].operands)]
    first = derivative(ROWS[name].apply(operands), x)
    assert [derivative(first, operand).data for operand in operands] == [0.0] * len(operands)


@pytest.mark.parametrize("variable", [False, True], ids=["constant exponent", "variable exponent"])
@pytest.mark.parametrize("n", range(7))
@pytest.mark.parametrize("at", [0.0, -0.0, 1.5, -2.0])
def test_whole_powers_have_all_their_derivatives_also_at_0(n: int, at: float, variable: bool) -> None:
    x = Value(at)
    D = x ** (Value(n) if variable else n)
    for order in range(6):
        assert D.data == pytest.approx(math.perm(n, order) * at ** (n - order) if n >= order else 0.0, rel=1e-14)
        D = derivative(D, x)


def test_0_to_a_positive_variable_has_derivative_0_by_it() -> None:
    x, y = Value(0.0), Value(2.0)
    z = x**y
    assert z.partials == (0.0, 0.0)
    assert derivative(z, y).data == derivative(derivative(z, y), y).data == 0.0


# -- domains: no NaN, no infinity, and a sentence that says why

OUTSIDE: list[tuple[str, Point]] = [
    ("mod", (1.5, 0.0)), ("log2", (0.0,)), ("log2", (-1.5,)), ("log10", (0.0,)), ("log10", (-1.5,)),
    ("div", (1.5, 0.0)), ("div", (0.0, 0.0)), ("div", (1.5, -0.0)), ("pow", (0.0, -1.0)), ("pow", (-2.0, 0.5)),
    ("pow", (0.0, -0.5)), ("sqrt", (-1.5,)), ("log", (0.0,)), ("log", (-2.0,)), ("log1p", (-1.0,)), ("log1p", (-2.5,)),
    ("asin", (1 + 2**-52,)), ("asin", (-2.0,)), ("acos", (1.5,)), ("acos", (-1 - 2**-52,)), ("acosh", (1 - 2**-53,)),
    ("acosh", (-2.0,)), ("atanh", (1.0,)), ("atanh", (-1.0,)), ("atanh", (2.0,)), ("circ", (1.5,)), ("circ", (-1.5,)),
    ("log0", (-1.0,)), ("term", (-2.0, 0.5, 1.0)), ("term", (0.0, -1.0, 1.0)),
]  # fmt: skip
TOO_LARGE: list[tuple[str, Point]] = [
    ("add", (1e308, 1e308)), ("sub", (1e308, -1e308)), ("mul", (1e200, 1e200)), ("div", (1e200, 1e-200)),
    ("total", (1e308, 1e308, 1.0)), ("pow", (10.0, 400.0)), ("pow", (-10.0, 401.0)), ("pow", (0.1, -400.0)),
    ("exp", (1000.0,)), ("exp", (1e308,)), ("exp2", (1024.0,)), ("expm1", (710.0,)), ("sinh", (-711.0,)),
    ("cosh", (711.0,)),
    ("hypot", (1.5e308, 1.5e308)), ("term", (10.0, 300.0, 1e10)), ("pow", (1e200, 2.0)), ("pow", (1e200, 3.0)),
]  # fmt: skip


def test_every_row_with_a_domain_is_tried_outside_it() -> None:
    assert {name for name, _ in OUTSIDE} == {name for name, rule in ROWS.items() if rule.domain != "any"}
    assert not any(ORACLES[name].inside([mpf(x) for x in point]) for name, point in OUTSIDE)


WORDS = {
    "x > 0; x = 0 and y >= 0; x < 0 and a whole y": "x > 0 or x == 0 and y >= 0 or x < 0 and y == int(y)",
    "any": "True",
}
AXIS = sorted({side for edge in (-1.0, 0.0, 1.0) for side in (math.nextafter(edge, -9), edge, math.nextafter(edge, 9))})


@pytest.mark.parametrize("name", [name for name in FIXED if name != "term"])
def test_the_domain_in_words_is_the_domain(name: str) -> None:
    rule = ROWS[name]
    for point in product([*AXIS, -2.5, 1.7], repeat=len(rule.operands)):
        words = eval(WORDS.get(rule.domain, rule.domain), dict(zip(rule.operands, point, strict=True)))
        assert words == ORACLES[name].inside([mpf(x) for x in point]), point


@pytest.mark.parametrize(("name", "point"), OUTSIDE + TOO_LARGE, ids=str)
def test_outside_the_domain_is_an_error_that_says_everything(name: str, point: Point) -> None:
    rule = ROWS[name]
    labelled = [Value(x, label=f"operand{slot}") for slot, x in enumerate(point)]
    with pytest.raises(DomainError) as caught:
        rule.apply(labelled)
    message = str(caught.value)
    assert message.startswith(f"{name}: {rule.typed} is ")
    assert all(f"= {x.data!r} ({x.label})" in message for x in labelled)
    assert message.endswith(f"its domain: {'any number' if rule.domain == 'any' else rule.domain}")
    assert ("not defined" if (name, point) in OUTSIDE else "too large for a float") in message


@pytest.mark.parametrize(("name", "point"), OUTSIDE + TOO_LARGE, ids=str)
def test_plain_numbers_meet_the_same_error(name: str, point: Point) -> None:
    with pytest.raises(DomainError, match=f"^{name}: "):
        ROWS[name].apply(point)


EDGES: list[tuple[str, Point, Point]] = [
    ("sqrt", (0.0,), (math.inf,)),
    ("sqrt", (-0.0,), (-math.inf,)),
    ("asin", (1.0,), (math.inf,)),
    ("asin", (-1.0,), (math.inf,)),
    ("acos", (1.0,), (-math.inf,)),
    ("acos", (-1.0,), (-math.inf,)),
    ("acosh", (1.0,), (math.inf,)),
    ("circ", (1.0,), (-math.inf,)),
    ("circ", (-1.0,), (math.inf,)),
    ("log0", (0.0,), (math.inf,)),
    ("log0", (-0.0,), (-math.inf,)),
    ("pow", (0.0, 0.5), (math.inf, 0.0)),
    ("pow", (-2.0, 3.0), (12.0, math.nan)),
    ("unit", (0.0, 0.0), (math.nan, math.nan)),
    ("atan2", (0.0, 0.0), (math.nan, math.nan)),
]


@pytest.mark.parametrize(("name", "point", "partials"), EDGES, ids=str)
def test_at_the_edge_of_a_domain_partials_are_infinite_or_nan(name: str, point: Point, partials: Point) -> None:
    assert slopes(name, *point) == pytest.approx(partials, rel=1e-15, nan_ok=True)


@pytest.mark.parametrize(("name", "point", "partials"), EDGES, ids=str)
def test_a_pass_that_needs_such_an_edge_raises_and_leaves_the_leaves(name: str, point: Point, partials: Point) -> None:
    operands = [Value(x, label="operand") for x in point]
    for operand in operands:
        operand.grad = 0.25
    E = 3.0 * ROWS[name].apply(operands)
    with pytest.raises(DomainError, match=rf"^{name}: dz/d.* = .* is (infinite|undefined) .*\(operand\).* is 3\.0$"):
        E.backward()
    assert [operand.grad for operand in operands] == [0.25] * len(point)
    slot = next(slot for slot, partial in enumerate(partials) if not math.isfinite(partial))
    with pytest.raises(DomainError, match=f"^{name}: dz/d{'xyc'[slot]} = "):
        derivative(E, operands[slot])


@pytest.mark.parametrize(("name", "point", "partials"), EDGES, ids=str)
def test_an_upstream_of_0_contributes_0_whatever_the_edge(name: str, point: Point, partials: Point) -> None:
    operands = [Value(x) for x in point]
    (0.0 * ROWS[name].apply(operands)).backward()
    assert [operand.grad for operand in operands] == [0.0] * len(point)


def test_an_edge_that_no_value_stands_on_is_not_needed() -> None:
    x = Value(-2.0)
    z = x**3.0
    z.backward()
    assert z.partials == (12.0, None) and x.grad == 12.0


@each_row
def test_a_row_says_what_it_is_and_its_function_too(name: str) -> None:
    rule = ROWS[name]
    slopes = [f"dz/d{x} = {partial}" for x, partial in zip(rule.operands, rule.partials, strict=True)]
    assert all(words in repr(rule) for words in (rule.name, rule.typed, *slopes, rule.domain))
    assert rule.typed in (FUNCTIONS[name].__doc__ or "") and FUNCTIONS[name].__module__ == "engine"


# -- rows over any number of operands


@each_many
@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_constants_among_the_operands_have_no_partial_and_change_no_other(name: str, size: int) -> None:
    xs = [random.Random(size).gauss(0, 2) for _ in range(size)]
    all_values = ROWS[name].apply([Value(x) for x in xs])
    mixed = ROWS[name].apply([Value(x) if slot % 2 == 0 else x for slot, x in enumerate(xs)])
    assert mixed.data == all_values.data == ROWS[name].apply(xs)
    assert mixed.partials == tuple(p if slot % 2 == 0 else None for slot, p in enumerate(all_values.partials))
    assert mixed.inputs[1::2] == tuple(xs[1::2])


@pytest.mark.parametrize("point", lists(random.Random(0)), ids=lambda point: f"{len(point)} from {point[0]:.3g}")
def test_shares_make_a_whole(point: Point) -> None:
    assert sum(FUNCTIONS["logsumexp"]([Value(x) for x in point]).partials) == pytest.approx(1.0, abs=1e-12)
    assert sum(FUNCTIONS["share"]([Value(x) for x in point]).partials) == pytest.approx(0.0, abs=1e-12)


@each_many
def test_a_sum_of_nothing_is_refused_and_a_generator_is_not(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} of nothing"):
        FUNCTIONS[name]([])
    assert FUNCTIONS[name](Value(x) for x in (0.3, -0.5)).data == FUNCTIONS[name]([0.3, -0.5])


def test_one_operand_is_all_there_is() -> None:
    assert [FUNCTIONS[name]([Value(1.5)]).data for name in ("total", "logsumexp", "share")] == [1.5, 1.5, 1.0]
    assert [FUNCTIONS[name]([Value(1.5)]).partials for name in ("total", "logsumexp", "share")] == [(1,), (1,), (0,)]


@each_many
def test_the_same_operand_twice_is_two_edges(name: str) -> None:
    x = Value(0.7)
    z = FUNCTIONS[name]([x, x, -0.2])
    z.backward()
    assert len(z.partials) == 3
    assert x.grad == z.partials[0] + z.partials[1]


# -- the laws can fail: wrong rows, each found out

Check = Callable[[Rule, Oracle, Iterable[Point]], None]
WRONG: list[tuple[Check, Rule, list[Point]]] = [
    (check_values, Rule("exp", "exp(x)", "exp(x) * (1 + 3e-12)", "z"), [(1.5,)]),
    (check_values, Rule("sigmoid", "sigmoid(x)", "1 - 1 / (1 + exp(x))", "sech(x / 2)**2 / 4"), [(-30.0,)]),
    (check_values, Rule("mul", "x * y", "x * y if abs(x) < 1e200 else 1e300", "y", "x"), [(1e300, 1e300)]),
    (check_values, Rule("log1p", "log1p(x)", "log(1 + x)", "1 / (1 + x)"), [(1e-8,)]),
    (check_values, Rule("hypot", "hypot(x, y)", "sqrt(x**2 + y**2)", "x / z", "y / z"), [(1e200, 1e200)]),
    (check_partials, Rule("tanh", "tanh(x)", "tanh(x)", "1 - z**2"), [(20.0,)]),
    (check_partials, Rule("tanh", "tanh(x)", "tanh(x)", "sech(x)**2 * (1 + 1e-9)"), [(0.3,)]),
    (check_partials, Rule("sigmoid", "sigmoid(x)", "sigmoid(x)", "z * (1 - z)"), [(36.0,)]),
    (check_partials, Rule("div", "x / y", "x / y", "-z / y", "1 / y"), [(1.5, -0.7)]),
    (check_partials, Rule("atan", "atan(x)", "atan(x)", "1 / (1 + 1e-11 + x**2)"), [(0.3,)]),
    (check_partials, Rule("maximum", "maximum(x, y)", "maximum(x, y)", "step(x - y)", "step(y - x)"), [(1.5, 1.5)]),
    (check_partials, Rule("sqrt", "sqrt(x)", "sqrt(x)", "1 / (2 * z + 1e-300)"), [(0.0,)]),
    (check_partials, Rule("acos", "acos(x)", "acos(x)", "1 / circ(x)"), [(1.0,)]),
    (check_partials, Rule("silu", "silu(x)", "silu(x)", "sigmoid(x) + x * sigmoid(x)"), [(-1.2784645427610738,)]),
    (check_partials, Rule("logsumexp", "logsumexp(xs)", "max(xs)", "[1 for x in xs]"), [(1.5, 0.2)]),
    (check_second, Rule("tanh", "tanh(x)", "tanh(x)", "sech(x)**2 * (1 + 3e-9)"), [(0.3,)]),
    (check_second, Rule("asin", "asin(x)", "asin(x)", "1 / sqrt(1 - x**2)"), [(1 - 5e-9,)]),
    (check_second, Rule("relu", "relu(x)", "relu(x)", "step(x) * x / (x + 1e-9)"), [(1.5,)]),
    (check_second, Rule("mul", "x * y", "x * y", "y", "2 * x"), [(1.5, -0.7)]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "wrong", "where"), WRONG, ids=lambda given: getattr(given, "__name__", None))
def test_a_wrong_row_is_found_out(check: Check, wrong: Rule, where: list[Point]) -> None:
    make([wrong])
    check(ROWS[wrong.name], ORACLES[wrong.name], where)
    with pytest.raises(AssertionError, match="wrong, the worst of them"):
        check(wrong, ORACLES[wrong.name], where)


@pytest.mark.parametrize("partials", [["-sech(x)**2"], ["sech(x)**2 + 1e-30"], ["1 - z"], ["1 - z**2 / (1 + 1e-20)"]])
def test_a_wrong_formula_is_not_proved(partials: list[str]) -> None:
    with pytest.raises(AssertionError, match="isn't 0"):
        prove(Rule("tanh", "tanh(x)", "tanh(x)", *partials), partials)


def test_swapped_partials_are_not_proved() -> None:
    with pytest.raises(AssertionError, match="isn't 0"):
        prove(ROWS["div"], reversed(ROWS["div"].partials))


# -- rows of one's own


def test_an_operation_of_ones_own_is_differentiated_as_the_tables_are() -> None:
    cube = operation("cube", "x**3", "3*x**2")
    x = Value(1.5, label="x")
    z = cube(x)
    assert (z.op, z.data, z.partials, cube(2)) == ("cube", 3.375, (6.75,), 8.0)
    assert derivative(derivative(z, x), x).data == 9.0
    assert derivative(derivative(derivative(z, x), x), x).data == 6.0
    assert "cube" not in FUNCTIONS and "cube" not in ROWS and not hasattr(Value, "cube")


def test_an_operation_of_ones_own_may_have_three_operands_and_a_domain() -> None:
    blend = operation("blend", "c * x + (1 - c) * log(y)", "c", "(1 - c) / y", "x - log(y)", domain="y > 0")
    truth = law(
        lambda x, y, c: c * x + (1 - c) * mpmath.log(y),
        lambda x, y, c: c, lambda x, y, c: (1 - c) / y, lambda x, y, c: x - mpmath.log(y),
        xc=1, yy=lambda x, y, c: (c - 1) / y**2, yc=lambda x, y, c: -1 / y,
    )  # fmt: skip
    row = blend(Value(1.0), 2.0, 3.0).rule
    for check in (check_values, check_partials, check_second):
        check(row, truth, [(0.7, 2.5, -0.3), (1e8, 1e-5, 0.9)])
    with pytest.raises(DomainError, match=r"^blend: blend\(x, y, c\) is not defined at .* its domain: y > 0$"):
        blend(1.5, -1.0, Value(0.5))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("not a name", "x", "1"), "the name 'not a name'"),
        (("lambda", "x", "1"), "the name 'lambda'"),
        (("cube", "x**3"), "0 partials"),
        (("cube", "x * y", "y", "x", "1", "1"), "4 partials"),
        (("cube", "x**3", "3 * w**2"), "uses 'w'"),
        (("cube", "x * y", "y"), "uses 'y'"),
        (("cube", "z**3", "3 * x**2"), "uses 'z'"),
        (("cube", "__import__(x)", "1"), "uses '__import__'"),
        (("cube", "x.real", "1"), "Attribute"),
        (("cube", "x**3", "3*x**2 if x > 0 else 0"), "holds an if"),
        (("cube", "divide(x, 2)", "1"), "uses 'divide'"),
        (("cube", "x**", "1"), "can't be read"),
        (("cube", "x**3", "3*"), "can't be read"),
        (("cube", "x = 3", "1"), "can't be read"),
        (("cube", "x @ x", "1"), "holds a BinOp"),
        (("cube", "'x'", "1"), "holds a Constant"),
        (("cube", "x" + "+x" * 250, "250"), "is too long"),
        (("cube", "x" + "+x" * 100_000, "250"), "can't be read"),
        (("cube", "(" * 300 + "x" + ")" * 300, "1"), "can't be read"),
        (("cube", "x", "x" + "*x" * 250), "is too long"),
        (("cube", "9" * 400 + "*x", "1"), "too large for a float"),
        (("cube", "9" * 5000 + "*x", "1"), "can't be read"),
        (("cube", "1e999*x", "1"), "too large for a float"),
        (("ﬁ", "x", "1"), "the name 'ﬁ'"),
        (("µ", "x", "1"), "the name 'µ'"),
        (("__debug__", "x", "1"), "the name '__debug__'"),
        ((3, "x", "1"), "each a str, and was given int"),
        (("cube", None, "1"), "each a str, and was given NoneType"),
        (("cube", "x", 1.0), "each a str, and was given float"),
        (("cube", "x", b"1"), "each a str, and was given bytes"),
        (("cube", "x<x", "1"), "is a comparison where a number is expected"),
        (("cube", "[x]", "1"), "is a list where a number is expected"),
        (("cube", "x + [x]", "1"), "a list where a number is expected"),
        (("cube", "x if x else 0", "1"), "a number where a comparison is expected"),
        (("cube", "sum(x)", "1"), "a number where a list is expected"),
        (("cube", "abs", "1"), "abs is a function: say of what"),
        (("cube", "exp(x, x)", "1"), "exp takes 1 operand, and 2 are given"),
        (("cube", "hypot(x)", "1"), "hypot takes 2 operands, and 1 are given"),
        (("cube", "sum([x], [x])", "1"), "sum takes 1 operand, and 2 are given"),
        (("cube", "x^3", "3*x**2"), "write ** for a power"),
        (("cube", "__builtins__", "1"), "uses '__builtins__'"),
        (("cube", "divide(x, x)", "1"), "uses 'divide'"),
        (("cube", "exp(x=x)", "1"), "holds a Call"),
        (("cube", "exp(*[x])", "1"), "holds a Starred"),
    ],
)
def test_a_row_that_cant_be_is_refused_with_a_reason(arguments: tuple[Any, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)) as refusal:
        operation(*arguments)
    assert "\n" not in str(refusal.value) and "__builtins__, " not in str(refusal.value)
    assert len(str(refusal.value)) < 600


def test_a_domain_is_text() -> None:
    with pytest.raises(ValueError, match="was given bool"):
        operation("cube", "x**3", "3*x**2", domain=True)  # type: ignore[arg-type]


def test_what_formulas_may_use_is_theirs_alone() -> None:
    assert not [name for ieee in (False, True) for name in float_functions(ieee) if name.startswith("_")]
    softer = operation("softer", "first(softmax([x, y, 0.5])) + sum([pi, x])", "1", "0")
    assert softer(0.5, 0.5) == pytest.approx(1 / 3 + math.pi + 0.5)
