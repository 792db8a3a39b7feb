"""LaTeX of a formula is valid, and means what the formula means; labels are data, whatever they hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Value, explain, topological_order, total
from engine.formulas import float_functions
from engine.rules import TABLE
from engine.text.latex import LATEX, OPERATORS, latex_formula, latex_name, latex_number, latex_text
from engine.text.names import display_names

FORMULAS = sorted({text for rule in TABLE for text in (rule.typed, rule.value, *rule.partials, *rule.also)})
READABLE = [text for text in FORMULAS if "xs" not in text and " if " not in text and "complex" not in text]
HOSTILE = [
    "", " ", "_", "__a", "a_b_c", "#", "x#2", "#2", "50%", "a & b", "{", "}", "}{", "\\", "\\end{aligned}", "$",
    "$$", "~", "^", "a^2", "x^", "a + b", "a - b", "<b>", "a|b", "x'", "\"", "a\nb", "a\n\nb", "\0", "\ud800",
    "été", "日本", "λ", "∂E/∂w", "w·x", "hidden[2].w[3]", "hidden[2].w[3]#2", "layers[1][0].b", "x[", "x]",
    "x[a]", "x[-1]", "a..b", ".", "3", "3x", "x1", "w_1", "%comment", "\\\\", "\\left(", "[", "]", ",", "a, b",
    "٣", "x٣", "theta", "lambda", "E", "alpha_1",
]  # fmt: skip
HOSTILE_FOR_MATHTEXT = [label for label in HOSTILE if "&" not in label]  # it lacks \& alone


def check_balanced(latex: str) -> None:
    """Braces, \\left and environments pair up; nothing that is special to LaTeX stands bare."""
    depth = 0
    for piece in re.findall(r"\\[a-zA-Z]+|\\.|[^\\]", latex, re.S):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        assert depth >= 0, latex
        assert piece not in ("#", "$", "%", "~"), latex
    assert depth == 0 and not latex.endswith("\\"), latex
    assert len(re.findall(r"\\left(?![a-z])", latex)) == len(re.findall(r"\\right(?![a-z])", latex)), latex
    assert latex.isprintable()


@pytest.mark.parametrize("wrong", ["{", "}", "}{", "a#", "$x$", "50%", "a\\", r"\left( x", "~"])
def test_the_check_can_fail(wrong: str) -> None:
    with pytest.raises(AssertionError):
        check_balanced(wrong)


@pytest.fixture(scope="session")
def render() -> Callable[[str], object]:
    """Matplotlib's own reader of LaTeX, which refuses what it can't read."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("path")
    return lambda latex: parser.parse(f"${latex}$")


@pytest.mark.parametrize("wrong", [r"\frac{1}", "x^{2}^{3}", "x_{1}_{2}", r"\nosuchthing", r"\left( x", "{x"])
def test_the_renderer_can_fail(wrong: str, render: Callable[[str], object]) -> None:
    with pytest.raises(ValueError):
        render(wrong)


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_formula_of_the_table_renders(formula: str, render: Callable[[str], object]) -> None:
    latex = latex_formula(formula)
    check_balanced(latex)
    render(latex)


@pytest.mark.parametrize("label", HOSTILE)
def test_every_label_is_valid(label: str) -> None:
    for latex in (latex_name(label), latex_text(label)):
        check_balanced(latex)
        latex.encode()
        assert "\n" not in latex and not re.search(r"(?<!\\)[&#$%~]", latex)


@pytest.mark.filterwarnings("ignore:.*")  # glyphs that the font lacks
@pytest.mark.parametrize("label", HOSTILE_FOR_MATHTEXT)
def test_every_label_renders_alone_and_inside_formulas(label: str, render: Callable[[str], object]) -> None:
    name = latex_name(label)
    render(name)
    render(rf"\frac{{\partial E}}{{\partial {name}}}")
    for formula in ("x**2", "-x / y**x", "sech(x)**2 * x", "x**x", "term(x, y - 1, x)"):
        render(latex_formula(formula, {"x": name}))


@given(st.text())
def test_any_text_is_balanced(label: str) -> None:
    check_balanced(latex_name(label))
    check_balanced(latex_text(label))


def test_labels_keep_what_they_say() -> None:
    assert latex_text("a_b & 50%") == r"\text{a}\_\text{b }\&\text{ 50}\%"
    labels = [label for label in HOSTILE if label.isprintable() and label.strip()]
    assert len({latex_name(label) for label in labels if label not in ("λ", "w_1")}) == len(labels) - 2


@pytest.mark.parametrize(
    ("x", "latex"),
    [(0.25, "0.25"), (-2.0, "-2"), (1.7e-17, r"1.7 \cdot 10^{-17}"), (-3e200, r"-3 \cdot 10^{200}"),
     (math.inf, r"\infty"), (-math.inf, r"-\infty"), (math.nan, r"\text{nan}")],
)  # fmt: skip
def test_numbers(x: float, latex: str) -> None:
    assert latex_number(x) == latex


def read(latex: str, names: dict[str, Any]) -> float:
    """The number that a LaTeX formula stands for, as a person would read it: a reader written apart from the writer."""
    tokens = re.findall(r"\\operatorname\{[a-z0-9\\_]+\}|\\[a-z]+|\d+\.?\d*|[a-zA-Z]|\S", latex)
    functions = {latex: names.get({"maximum": "max", "minimum": "min"}.get(name, name)) for name, latex in
                 OPERATORS.items() if name not in ("max", "min", "total", "sum")}  # fmt: skip
    functions |= {r"\max": max, r"\min": min}

    def take(expected: str) -> None:
        assert tokens and tokens[0] == expected, f"{expected} expected before {tokens} in {latex}"
        tokens.pop(0)

    def group() -> float:
        take("{")
        result = whole()
        take("}")
        return result

    def arguments() -> list[float]:
        take(r"\left")
        take("(")
        results = [whole()]
        while tokens[0] == ",":
            tokens.pop(0)
            results.append(whole())
        take(r"\right")
        take(")")
        return results

    def power_of_function() -> float:
        if tokens[0] != "^":
            return 1.0
        tokens.pop(0)
        return group()

    def atom() -> float:
        token = tokens.pop(0)
        if token == r"\frac":
            top = group()
            return top / group()
        if token == r"\sqrt":
            return math.sqrt(group())
        if token == "e" and tokens[:1] == ["^"]:
            tokens.pop(0)
            return math.exp(group())
        if token == r"\left" and tokens[0] == "|":
            tokens.pop(0)
            inner = whole()
            take(r"\right")
            take("|")
            return abs(inner)
        if token == r"\left":
            tokens.insert(0, token)
            (inner,) = arguments()
            return inner
        if token in functions or token.startswith(r"\operatorname"):
            function = functions.get(token) or names[token[14:-1].replace("\\", "")]
            exponent = power_of_function()
            return float(function(*arguments()) ** exponent)
        return float(token) if token[0].isdigit() else float(names[token.lstrip("\\")])

    def power() -> float:
        base = atom()
        if tokens[:1] != ["^"]:
            return base
        tokens.pop(0)
        return float(base ** group())

    def signed() -> float:
        if tokens[0] != "-":
            return power()
        tokens.pop(0)
        return -signed()

    def product() -> float:
        result = signed()
        while tokens[:1] == [r"\cdot"]:
            tokens.pop(0)
            result *= signed()
        return result

    def whole() -> float:
        result = product()
        while tokens[:1] in (["+"], ["-"]):
            result += product() if tokens.pop(0) == "+" else -product()
        return result

    result = whole()
    assert not tokens, f"{tokens} left over in {latex}"
    return result


NESTED = ["x - (y - z)", "x / (y / z)", "(-x)**2", "-x**2", "(x + y)**3 * (x - y)", "x**y**2", "(x**y)**2", "exp(x)**2",
          "(x / y)**2", "x * (-y)", "x - -y", "-(x - y)", "-(x * y)", "sech(x)**y", "abs(x - y)**3"]  # fmt: skip


@pytest.mark.parametrize("formula", READABLE + NESTED)
def test_latex_means_what_the_formula_means(formula: str) -> None:
    names = float_functions() | {"x": 0.37, "y": 0.81, "c": -1.3, "z": 0.6}
    if "acosh" in formula or "x - 1)" in formula or "x**2 - 1" in formula:
        names["x"] = 1.37
    assert read(latex_formula(formula), names) == pytest.approx(eval(formula, dict(names)), rel=1e-14)


def test_numbers_put_in_mean_the_same() -> None:
    names = float_functions() | {"x": -0.37, "y": 2.0}
    for formula in ("x**2", "y**x", "-x", "y - x", "y * x", "y / x - x", "x**3 * -x"):
        put_in = latex_formula(formula, {"x": "-0.37", "y": "2"})
        assert read(put_in, names) == pytest.approx(eval(formula, dict(names)), rel=1e-14)
    assert read(latex_formula("x**2", {"x": latex_number(3e-7)}), names) == pytest.approx(9e-14)


def test_the_reader_can_tell_formulas_apart() -> None:
    names: dict[str, Any] = float_functions() | {"x": 0.37, "y": 0.81, "z": 0.6}
    assert read(r"x - y - z", names) != pytest.approx(read(r"x - \left(y - z\right)", names))
    assert read(r"-x^{2}", names) == pytest.approx(-(0.37**2))
    with pytest.raises(AssertionError):
        read(r"\frac{x}{y} z", names)


def test_an_n_ary_sum_is_written_with_plus_signs_and_parentheses_where_needed() -> None:
    a, b = Value(0.5, label="a"), Value(0.7, label="b, c")
    E = total([a, b, -2.0])
    assert LATEX.formula(E, display_names(topological_order(E))) == (r"a + \left(\text{b, c}\right) + \left(-2\right)")
    many = total([a] * 9)
    assert LATEX.formula(many, display_names(topological_order(many))) == r"a + a + a + a + \cdots"


@pytest.mark.parametrize("label", HOSTILE)
def test_an_explanation_with_any_label_is_one_aligned_environment(label: str) -> None:
    x, w = Value(0.4, label=label), Value(-1.3, label="w")
    E = (x * w).tanh() * x
    latex = explain(E, x).latex()
    inside = latex.removeprefix("\\begin{aligned}\n").removesuffix("\n\\end{aligned}")
    assert len(latex) - len(inside) == len("\\begin{aligned}\n\n\\end{aligned}")
    for row in inside.split(" \\\\[6pt]\n"):
        check_balanced(row)
        assert len(re.findall(r"(?<!\\)&", row)) == 1
