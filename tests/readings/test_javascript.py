"""The table as JavaScript, run by Node, against the engine; numbers as text, digit for digit."""

from __future__ import annotations

import math
import struct
from random import Random
from typing import Any

import pytest

from engine.domain import DomainError
from engine.formulas import evaluated
from engine.operations import operation
from engine.readings.javascript import functions, javascript, numbers
from engine.rules import RULES, TABLE, Rule
from engine.text.names import number_text
from tests.readings.node import run

POINTS = {
    "asin": (-1, 1), "acos": (-1, 1), "atanh": (-1, 1), "circ": (-1, 1), "acosh": (1, 9), "log": (0, 9), "log2": (0, 9),
    "log10": (0, 9), "log0": (0, 9), "sqrt": (0, 9), "log1p": (-1, 9), "pow": (0, 4), "term": (0, 4),
}  # fmt: skip


def points(rule: Rule, count: int = 100) -> list[list[float]]:
    random, (low, high) = Random(rule.name), POINTS.get(rule.name, (-6, 6))
    operands = 3 if rule.many else len(rule.operands)
    return [[random.uniform(low, high) for _ in range(operands)] for _ in range(count)]


def engine(rule: Rule, operands: list[float]) -> list[float]:
    """The value and every partial."""
    variables: dict[str, Any] = {"xs": operands} if rule.many else dict(zip(rule.operands, operands, strict=True))
    z = variables["z"] = evaluated(rule.value, variables)
    partials = [evaluated(partial, variables, ieee=True) for partial in rule.partials]
    return [z, *(partials[0] if rule.many else partials)]


EACH = """
const row = table(IEEE).row;
return given.map(xs => {
    const z = row.value(xs), { partials } = row;
    return [z, ...(Array.isArray(partials) ? partials.map(partial => partial(xs, z)) : partials(xs, z))];
});"""


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: rule.name)
def test_each_row_computes_what_the_engine_computes(rule: Rule) -> None:
    script = f"{numbers()}; const table = {functions({'row': rule})}; {EACH}"
    given = points(rule)
    for operands, got in zip(given, run(script, given), strict=True):
        for x, expected in zip(got, engine(rule, operands), strict=True):
            assert math.isclose(x, expected, rel_tol=1e-12, abs_tol=1e-15), (operands, x, expected)


def test_only_the_rows_that_are_used_and_what_they_call() -> None:
    source = functions({"gelu": RULES["gelu"]})
    assert "R = {gauss: " in source and "sech" not in source and "tanh" not in source


def test_an_operation_of_one_s_own_is_read() -> None:
    row = operation("cube", "x**3", "3*x**2")(1.5)
    assert row == 3.375
    assert javascript("3*x**2 if x > 0 else -1") == "(x > 0 ? (3 * M.square(x)) : (-1))"


@pytest.mark.parametrize(
    "formula", ["x % 2", "x // 2", "x.real", "lambda: x", "x < y < z", "[p for p in x if p]", "True"]
)
def test_what_the_engine_refuses_is_refused(formula: str) -> None:
    with pytest.raises(ValueError, match=r"the formula .* holds a"):
        javascript(formula)


def census(count: int = 10_000) -> list[float]:
    """Numbers of every size and kind: whole, ties of the fourth digit, the smallest and the largest, random bits."""
    random = Random(5)
    found = [
        0.0,
        -0.0,
        1e-5,
        12345.678,
        0.5,
        1e6,
        999999.0,
        999999.5,
        1e22,
        5e-324,
        1.7976931348623157e308,
        1e16,
        0.0001,
    ]
    found += [random.randrange(-20_000, 20_000) + 0.5 for _ in range(1500)]
    found += [random.randrange(20_000) / 2.0 ** random.randrange(14) for _ in range(1500)]
    found += [random.uniform(-10, 10) * 10.0 ** random.randrange(-12, 12) for _ in range(4000)]
    while len(found) < count:
        [x] = struct.unpack("d", random.randbytes(8))
        found += [x] if math.isfinite(x) else []
    return found


def test_ten_thousand_numbers_read_alike() -> None:
    given = census()
    got = run(f"{numbers()}; return given.map(x => [numberText(x), pythonText(x)]);", given)
    assert got[1] == ["0", "0.0"] or got[1] == ["0", "-0.0"]
    wrong = [(x, texts) for x, texts in zip(given, got, strict=True) if texts != [number_text(x), repr(x)]]
    assert wrong == []


def test_error_functions_keep_their_digits_in_the_tails() -> None:
    given = [i / 37 for i in range(-220, 980)]
    got = run(f"{numbers()}; return given.map(x => [erf(x), erfc(x)]);", given)
    for x, (one, other) in zip(given, got, strict=True):
        assert math.isclose(one, math.erf(x), rel_tol=4e-15)
        assert math.isclose(other, math.erfc(x), rel_tol=3e-13)


RAISED = """
const { row } = table(PYTHON);
return given.map(xs => { try { return row.value(xs); } catch (problem) { return problem; } });"""


@pytest.mark.parametrize(
    ("name", "operands"),
    [("log", [0.0]), ("log", [-1.0]), ("div", [1.0, 0.0]), ("exp", [1000.0]), ("pow", [0.0, -1.0]),
     ("pow", [-2.0, 0.5]), ("pow", [1e200, 2.5]), ("sqrt", [-1.0]), ("asin", [1.5]), ("atanh", [1.0]),
     ("acosh", [0.5]), ("cosh", [800.0]), ("log1p", [-1.0]), ("hypot", [1.7e308, 1.7e308])],
)  # fmt: skip
def test_what_raises_in_the_engine_raises_the_same(name: str, operands: list[float]) -> None:
    [got] = run(f"{numbers()}; const table = {functions({'row': RULES[name]})}; {RAISED}", [operands])
    with pytest.raises(DomainError) as error:
        RULES[name].apply(operands)
    assert f"is {got}" in str(error.value)
