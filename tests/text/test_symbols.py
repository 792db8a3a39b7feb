"""A formula reads the same as numbers, as source and as text."""

from __future__ import annotations

import pytest

from engine.formulas import float_functions, parse, python_source
from engine.rules import TABLE
from engine.text.symbols import TEXT

FORMULAS = sorted({text for rule in TABLE for text in (rule.value, *rule.partials, *rule.also)})


@pytest.mark.parametrize(
    ("formula", "source"),
    [
        ("x**2", "(x * x)"),
        ("(x + 1)**3", "((t := (x + 1.0)) * t * t)"),
        ("sech(x)**2**0.5", "pow(sech(x), pow(2.0, 0.5))"),
        ("x**2**2", "pow(x, ((t := 2.0) * t))"),
        ("-x**2", "(-(x * x))"),
        ("x ** y", "pow(x, y)"),
        ("1 if x >= 0 else -1", "(1.0 if x >= 0.0 else (-1.0))"),
        ("[1 for x in xs]", "[1.0 for x in xs]"),
    ],
)
def test_powers_are_products_and_literals_floats(formula: str, source: str) -> None:
    assert python_source(formula) == source


@pytest.mark.parametrize("formula", FORMULAS)
def test_source_means_what_the_formula_says(formula: str) -> None:
    """Python's own reading of the formula and the engine's give the same number."""
    names = float_functions() | {"x": 0.37, "y": 0.81, "c": -1.3, "z": 0.6, "xs": [0.4, -1.7, 0.9]}
    if "acosh" in formula or "x - 1" in formula or "x**2 - 1" in formula:
        names["x"] = 1.37
    expected, got = eval(formula, dict(names)), eval(python_source(formula), dict(names))
    assert got == pytest.approx(expected, rel=1e-15, abs=0)


@pytest.mark.parametrize(
    "formula",
    ["", "x +", "x; y", "x = 1", "x.real", "x[0]", "lambda: x", "'x'", "True", "x and y", "f(x)(y)", "f(x=1)", "x // 2",
     "~x", "1 < x < 2", "[x for x in xs if x]", "(" * 300 + "x" + ")" * 300, "x\0"],
)  # fmt: skip
def test_anything_else_is_refused_in_a_sentence(formula: str) -> None:
    with pytest.raises(ValueError, match=r"^the formula .* (can't be read: |holds a )"):
        python_source(formula)


@pytest.mark.parametrize(
    ("formula", "names", "text"),
    [
        ("sech(x)**2", {"x": "s"}, "sech(s)**2"),
        ("x**2 * y", {"x": "-1.5", "y": "a + b"}, "(-1.5)**2 * (a + b)"),
        ("-z / y", {"z": "u", "y": "hidden[2].w[3]"}, "-u / hidden[2].w[3]"),
        ("y", {"y": "the gain"}, "the gain"),
        ("2 * x", {"x": "0.25"}, "2 * 0.25"),
        ("x if x > 0 else 0", {"x": "w"}, "w if w > 0 else 0"),
    ],
)
def test_names_and_numbers_are_put_in_with_the_parentheses_they_need(
    formula: str, names: dict[str, str], text: str
) -> None:
    assert TEXT.written(parse(formula), names) == text
