"""Expressions from outside: Python's reading of the same text is the oracle; what is wrong is shown in its place."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import Value, gradient, topological_order
from engine.prompt.expression import DEPTH, LENGTH, NODES, ExpressionError, read_assignment, read_expression
from engine.rules import TABLE, Rule
from tests.prompt.support import lines_run

NUMBERS = {"x": 1.4, "w": 0.7, "b": -1.3}
WORKED = "s = w*x + b; z = tanh(s); (z - t)**2 / 2"

# -- the oracle: Python parses, its operator and math modules compute, all that isn't finite is refused

FUNCTIONS: dict[str, Callable[..., float]] = {
    "tanh": math.tanh, "exp": math.exp, "sin": math.sin, "log": math.log, "sqrt": math.sqrt, "abs": abs,
    "atan2": math.atan2, "maximum": max, "minimum": min, "total": lambda *xs: sum_from_the_left(xs),
}  # fmt: skip
OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: math.pow,
}  # fmt: skip


def sum_from_the_left(xs: tuple[float, ...]) -> float:
    z = 0.0
    for x in xs:
        z += x
    return z


def calculate(tree: ast.AST, names: dict[str, float]) -> float:
    match tree:
        case ast.Expression(body=body):
            return calculate(body, names)
        case ast.Constant(value=number):
            result = float(number)  # type: ignore[arg-type]
        case ast.Name(id=name):
            result = names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            result = -calculate(operand, names)
        case ast.BinOp(op=sign, left=left, right=right):
            result = OPERATORS[type(sign)](calculate(left, names), calculate(right, names))
        case ast.Call(func=ast.Name(id=name), args=args):
            result = FUNCTIONS[name](*[calculate(arg, names) for arg in args])
        case _:
            raise AssertionError(ast.dump(tree))
    if not math.isfinite(result):
        raise OverflowError
    return result


def oracle(text: str, numbers: dict[str, float]) -> float:
    *named, last = text.split(";")
    names = dict(numbers)
    for part in named:
        name, formula = part.split("=")
        names[name.strip()] = calculate(ast.parse(formula.strip(), mode="eval"), names)
    return calculate(ast.parse(last.split("=")[-1].strip(), mode="eval"), names)


def joined(parts: list[str]) -> st.SearchStrategy[str]:
    """The parts with up to two spaces at each joint."""
    gaps = st.lists(st.sampled_from(["", " ", "  "]), min_size=len(parts), max_size=len(parts))
    return gaps.map(lambda gaps: "".join(part + gap for part, gap in zip(parts, gaps, strict=True)))


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Neither operand is put in parentheses, so that precedence decides how the whole is read."""
    unary, binary = st.sampled_from(["tanh", "exp", "sin", "log", "sqrt", "abs"]), st.sampled_from(["atan2", "maximum"])
    sign = st.sampled_from(["+", "-", "*", "/", "**", "**-", "- -"])
    return st.one_of(
        st.tuples(inner, sign, inner).flatmap(lambda p: joined([*p])),
        st.tuples(inner, sign, inner, sign, inner).flatmap(lambda p: joined([*p])),
        inner.map("-{}".format),
        inner.flatmap(lambda x: joined(["(", x, ")"])),
        st.tuples(unary, inner).flatmap(lambda p: joined([p[0], "(", p[1], ")"])),
        st.tuples(binary, inner, inner).flatmap(lambda p: joined([p[0], "(", p[1], ",", p[2], ")"])),
        st.lists(inner, min_size=1, max_size=4).map(lambda xs: f"total({', '.join(xs)})"),
    )


LITERALS = st.sampled_from(["2", "3", "0.5", "1.", ".25", "1e-1", "12.5E+1", "0", "7e2"])
EXPRESSIONS = st.recursive(st.one_of(st.sampled_from(["x", "w", "b"]), LITERALS), larger, max_leaves=12)
ALL_NAMES = " + 0*x + 0*w + 0*b"  # so that every number is used


def read_or_refuse(text: str) -> float | None:
    try:
        return read_expression(text, NUMBERS)[0].data
    except ExpressionError:
        return None


def compute_or_refuse(text: str) -> float | None:
    try:
        return oracle(text, NUMBERS)
    except (ArithmeticError, ValueError):
        return None


@settings(max_examples=600, deadline=None)
@given(EXPRESSIONS)
@example("-x**2")
@example("2**-x**2")
@example("2**-x*3")
@example("x**w**b")
@example("-x**-w**-2")
@example("x - w - b / x / w * b")
@example("--x**--2")
@example("- -x*-w")
def test_python_reads_the_same_number_bit_for_bit(text: str) -> None:
    assert read_or_refuse(text + ALL_NAMES) == compute_or_refuse(text + ALL_NAMES)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS)
def test_so_do_parts_with_names(first: str, second: str, last: str) -> None:
    text = f"p = 1*({first}); q = ({second}) * p ;E= {last} - q / p{ALL_NAMES}"
    assert read_or_refuse(text) == compute_or_refuse(text)


def test_the_oracle_knows_precedence_and_refuses() -> None:
    assert oracle("a = -x**2; 2**-a / 4", {"x": 2.0}) == 4.0
    assert compute_or_refuse("1 / (1e200 * 1e200)") is None and compute_or_refuse("(-2)**0.5") is None


# -- the graph


def test_leaves_and_parts_have_their_names() -> None:
    E, names = read_expression(WORKED, NUMBERS | {"t": 0.2})
    assert list(names) == ["w", "x", "b", "s", "z", "t"]
    assert all(node.label == name for name, node in names.items())
    assert (names["s"].op, names["z"].op, E.op, E.label) == ("add", "tanh", "div", None)
    assert [names[name].data for name in "xwbt"] == [1.4, 0.7, -1.3, 0.2]
    assert set(names.values()) <= set(topological_order(E))


def test_its_gradient_is_the_chain_rule() -> None:
    E, names = read_expression(WORKED, NUMBERS | {"t": 0.2})
    z = math.tanh(0.7 * 1.4 - 1.3)
    (slope,) = gradient(E, [names["w"]])
    assert slope.data == pytest.approx((z - 0.2) * (1 - z**2) * 1.4, rel=1e-12)


def test_the_last_part_may_have_a_name() -> None:
    E, names = read_expression("y = x*x; E = y + 1", {"x": 1.5})
    assert names["E"] is E and E.label == "E"
    again, names = read_expression("y = x*x; y", {"x": 1.5})
    assert names["y"] is again


def test_a_name_is_one_node_however_often_it_is_read() -> None:
    E, names = read_expression("s = x*x; s*s", {"x": 1.5})
    assert E.inputs == (names["s"], names["s"]) and len(topological_order(E)) == 3


def test_plain_numbers_are_computed_at_once_and_stay_constants() -> None:
    E, names = read_expression("2*3**2/4 * x + tanh(0.5)", {"x": 1.5})
    product, constant = E.inputs
    assert isinstance(product, Value) and product.inputs == (4.5, names["x"])
    assert constant == math.tanh(0.5) and type(constant) is float


def test_a_plain_number_with_a_name_is_a_leaf() -> None:
    E, names = read_expression("w = -7/10; x = 2; tanh(w*x)", {})
    assert E.data == math.tanh(-1.4) and names["w"] in topological_order(E)
    assert (names["w"].data, names["w"].label, names["w"].rule) == (-0.7, "w", None)


@pytest.mark.parametrize("rule", [rule for rule in TABLE if "(" in rule.typed], ids=lambda rule: rule.name)
def test_every_function_of_the_table_is_read(rule: Rule) -> None:
    operands = ["x", "y", "c"][: 3 if rule.many else len(rule.operands)]
    numbers = {"x": 1.25, "y": 0.3, "c": 0.8}
    if "x <" in rule.domain:
        numbers["x"] = 0.25
    numbers = {name: numbers[name] for name in operands}
    E, names = read_expression(f"{rule.name}({', '.join(operands)})", numbers)
    assert E.rule is rule and E.inputs == tuple(names[name] for name in operands)
    assert E.data == rule.apply(list(numbers.values()))


def test_greek_letters_digits_and_underscores_make_names() -> None:
    E, names = read_expression("Δw_1*ρ + x2", {"Δw_1": 2.0, "ρ": 0.5, "x2": 1.0})
    assert E.data == 2.0 and set(names) == {"Δw_1", "ρ", "x2"}


# -- what is wrong, and where

PLACES = [
    # text, the sentence or its beginning, the column of the caret
    ("", "the expression is empty", 0),
    ("   ", "the expression is empty", 3),
    (";", "a number, a name or ( is expected here, not ;", 0),
    ("x;", "a number, a name or ( is expected here", 2),
    ("x;;x", "a number, a name or ( is expected here, not ;", 2),
    ("y = ", "a number, a name or ( is expected here", 4),
    ("= x", "a number, a name or ( is expected here, not =", 0),
    ("x +", "a number, a name or ( is expected here", 3),
    ("x * / w", "a number, a name or ( is expected here, not /", 4),
    ("+x", "a number, a name or ( is expected here, not +", 0),
    ("()", "a number, a name or ( is expected here, not )", 1),
    ("total(x,)", "a number, a name or ( is expected here, not )", 8),
    ("y = z = x", "= gives a name to a part", 6),
    ("2 = x", "= gives a name to a part", 2),
    ("f(x) = 2", "f is not a function", 0),
    ("tanh(x) = 2", "= gives a name to a part", 8),
    ("(y = x)", "= gives a name to a part", 3),
    ("2x", "an operator is missing between 2 and x", 1),
    ("x y", "an operator is missing before y", 2),
    ("x 2", "an operator is missing before 2", 2),
    ("x (w)", "x is not a function: to multiply, write x*(…)", 0),
    ("2(x)", "an operator is missing before (", 1),
    ("x.5", "an operator is missing before .5", 1),
    ("1.2.3", "an operator is missing before .3", 3),
    ("1e", "an operator is missing between 1 and e", 1),
    ("1e999", "this number is too large for a float", 0),
    ("x + 1e999", "this number is too large for a float", 4),
    ("0x10", "numbers are decimal: 0x10 can't be read", 1),
    ("0b1 + x", "numbers are decimal: 0b1 can't be read", 1),
    ("1_000", "digits are written without _", 1),
    ("(x", "this ( is never closed", 0),
    ("tanh ((x)", "this ( is never closed", 5),
    ("(x; w", "this ( is never closed", 0),
    ("x)", "this ) closes nothing", 1),
    ("x, w", "a comma stands only between the operands of a function", 1),
    ("(x, w)", "a comma stands only between the operands of a function", 2),
    ("tanh", "tanh is a function: write tanh(x)", 0),
    ("x*total", "total is a function: write total(x, y)", 2),
    ("tanh()", "tanh takes 1 operand, none given here", 0),
    ("x + tanh (1, 2)", "tanh takes 1 operand, 2 given here", 4),
    ("hypot(x)", "hypot takes 2 operands, 1 given here", 0),
    ("total()", "total takes at least 1 operand, none given here", 0),
    ("f()", "f is not a function; there are total, sqrt, ", 0),
    ("print(x)", "print is not a function", 0),
    ("sigmod(x)", "sigmod is not a function; is sigmoid meant?", 0),
    ("ln(x)", "ln is not a function; is log meant?", 0),
    ("max(x, w)", "max is not a function; is maximum meant?", 0),
    ("add(x, w)", "add is an operation of the table: write x + y", 0),
    ("tanh = x; x", "tanh is an operation of the table: choose another name", 0),
    ("neg = x; x", "neg is an operation of the table: choose another name", 0),
    ("x.real", ". can't be read here: nothing has attributes here", 1),
    ("x.__class__", ". can't be read here: nothing has attributes here", 1),
    ("().__class__", ". can't be read here", 2),
    ("__import__('os')", "_ can't be read here: a name begins with a letter", 0),
    ("__name__", "_ can't be read here", 0),
    ("_x", "_ can't be read here", 0),
    ("lambda: x", "lambda is a word of Python's", 0),
    ("x if x else w", "if is a word of Python's", 2),
    ("[x for x in w]", "[ can't be read here: write ( instead", 0),
    ("(x for x in w)", "for is a word of Python's", 3),
    ("import os", "import is a word of Python's", 0),
    ("None", "None is a word of Python's", 0),
    ("'x'", "a quotation mark can't be read here: there are no strings here", 0),
    ('"x"', "a quotation mark can't be read here: there are no strings here", 0),
    ("x == w", "== can't be read here: nothing is compared here", 2),
    ("x := 2", ": can't be read here: write = to name a part", 2),
    ("x < w", "< can't be read here", 2),
    ("x // w", "// can't be read here: write / to divide", 2),
    ("x^2", "^ can't be read here: write ** for a power", 1),
    ("x % w", "% can't be read here", 2),
    ("{x}", "{ can't be read here", 0),
    ("\\x", "\\ can't be read here", 0),
    ("x × w", "× (MULTIPLICATION SIGN) can't be read here: write * to multiply", 2),
    ("x − w", "− (MINUS SIGN) can't be read here: write - for minus", 2),
    ("x²", "² (SUPERSCRIPT TWO) can't be read here: write **2", 1),
    ("é", "é (LATIN SMALL LETTER E WITH ACUTE) can't be read here", 0),
    ("y = x*x; y = w; y", "y names a part already", 9),
    ("x = 2; x", "x is named here, and given a number as well", 0),
    ("y = x; y", "y would be a second name of x", 0),
    ("y = x*x; z = (y); z", "z would be a second name of y", 9),
    ("y = x*x; x", "y is named here, but the last part, E, makes no use of it", 0),
    ("y = y + 1; y", "y is used before the part that it names has ended", 4),
    ("a = c; c = x; a", "c is used before the part that it names has ended", 4),
    ("2*3", "this has no name in it: a plain number", 0),
    ("y = 2; 3", "this has no name in it: a plain number", 7),
    ("E = tanh(1)", "this has no name in it: a plain number", 4),
    ("x*p + w*q - p", "no number was given for p and q", 2),
    ("x*(p + q*r)", "no number was given for p, q and r", 3),
    ("9**9**9", "pow: x ** y is too large for a float", 4 - 3),
    ("x + log(-w)", "log: log(x) is not defined at x = -0.7; its domain: x > 0", 4),
    ("w / (x - x)", "div: x / y is not defined at x = 0.7 (w), y = 0.0", 2),
    ("(0 - x)**w", "pow: x ** y is not defined", 7),
    ("exp(1e3*x)", "exp: exp(x) is too large for a float", 0),
]  # fmt: skip


def failure(text: str, numbers: dict[str, float] = NUMBERS) -> tuple[str, str, str]:
    """The sentence, the text as shown, and the line of the caret."""
    with pytest.raises(ExpressionError) as caught:
        read_expression(text, numbers)
    sentence, shown, caret = str(caught.value).split("\n")
    return sentence, shown, caret


@pytest.mark.parametrize(("text", "sentence", "column"), PLACES)
def test_an_error_is_a_sentence_with_a_caret_under_the_place(text: str, sentence: str, column: int) -> None:
    said, shown, caret = failure(text)
    assert said.startswith(sentence)
    assert shown == f"  {text}" and caret == f"  {' ' * column}^"


@pytest.mark.parametrize(
    ("text", "shown", "column"),
    [
        ("x\t+ w", "x\\t+ w", 1),
        ("x\n+ w", "x\\n+ w", 1),
        ("x\r", "x\\r", 1),
        ("x\0", "x\\x00", 1),
        ("x\x1b[31m", "x\\x1b[31m", 1),
        ("x\u200f + w", "x\\u200f + w", 1),
        ("\u202ex", "\\u202ex", 0),
        ("x\xa0+ w", "x\\xa0+ w", 1),
        ("x\u0301", "x\\u0301", 1),
        ("\ud800", "\\ud800", 0),
        ("שx", "\\u05e9x", 0),
        ("٣*x", "\\u0663*x", 0),
        ("ｘ + 1", "ｘ + 1", 0),
        ("2 + ｔａｎｈ(x)", "2 + ｔａｎｈ(x)", 4),
        ("x + 😀", "x + 😀", 4),
    ],
)  # fmt: skip
def test_what_has_no_width_of_its_own_is_shown_as_its_escape(text: str, shown: str, column: int) -> None:
    sentence, line, caret = failure(text)
    assert " can't be read here: " in sentence and sentence.isprintable()
    assert line == f"  {shown}" and caret == f"  {' ' * column}^"


@pytest.mark.parametrize("wide", "ｘ😀")
def test_a_caret_after_wide_characters_counts_two_columns_for_each(wide: str) -> None:
    _, shown, caret = failure(wide * (LENGTH + 1))
    before = shown[: shown.index(wide)] + wide * 18  # the window begins 36 columns before the place
    assert shown == f"{before}{wide}" and caret.index("^") == len(before) + 18


def test_look_alikes_are_named_with_what_to_write() -> None:
    assert failure("ｘ")[0] == "ｘ (FULLWIDTH LATIN SMALL LETTER X) can't be read here: write x"
    assert failure("１")[0].endswith("write 1")


def test_of_a_long_text_a_window_is_shown() -> None:
    text = "x + " * 500 + "x ? x" + " + x" * 500
    _, shown, caret = failure(text)
    column = caret.index("^")
    assert shown[column] == "?" and shown[2] == shown[-1] == "…" and len(shown) < 80


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"q": 1.0}, "a number was given for q, which"),
        ({"q": 1.0, "tanh": 2.0}, "a number was given for q and tanh, which"),
        ({"q\n\u202e": 1.0}, "a number was given for q\\n\\u202e, which"),
        ({f"q{i}": 1.0 for i in range(500)}, "a number was given for q0, q1, q2, q3, q4, q5, q6, q7, q8 and 491 more"),
    ],
)
def test_a_number_that_no_name_takes_is_an_error(numbers: dict[str, float], sentence: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read_expression("tanh(x)", {"x": 1.0} | numbers)
    assert str(caught.value).startswith(sentence) and "\n" not in str(caught.value)


def test_only_finite_real_numbers_and_texts() -> None:
    assert failure("w*x", {"x": math.inf, "w": 1.0})[0].startswith("x: inf given where a finite number is expected")
    with pytest.raises(TypeError, match=r"^str given where a Value or a real number"):
        read_expression("x", {"x": "1"})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match=r"^an expression is a str, not bytes"):
        read_expression(b"x", {})  # type: ignore[arg-type]


# -- limits, and time

LIMITS = [
    ("-" * 10**5 + "x", f"the text has 100,001 characters, more than {LENGTH:,}"),
    ("(" * 10**4, f"more than {DEPTH} operators and parentheses are open here"),
    ("(" * 4999 + "x" + ")" * 4999, f"more than {DEPTH} operators and parentheses are open here"),
    ("-" * 9999 + "x", f"more than {DEPTH} operators and parentheses are open here"),
    ("x" + "**x" * 3000, f"more than {DEPTH} operators and parentheses are open here"),
    ("tanh(" * 1999 + "x", f"more than {DEPTH} operators and parentheses are open here"),
    ("2" + "+2*(2" * 1999, f"more than {DEPTH} operators and parentheses are open here"),
    ("x" + "+x" * 4999, f"the graph has more than {NODES:,} nodes"),
    ("".join(f"n{i}=1;" for i in range(1200)), f"the graph has more than {NODES:,} nodes"),
    ("9**9**9*x", "pow: x ** y is too large for a float"),
    ("x*" + "9" * 9990, "this number is too large for a float"),
    ("1" * 9990 + "x", "an operator is missing between 11111111111111111111… and x"),
    ("a" * 9990, "a name has at most 100 characters, this one 9,990"),
    ("x." * 5000, ". can't be read here"),
    ("x " * 5000, "an operator is missing before x"),
    ("f()" * 3000, "f is not a function"),
    ("+".join(f"n{i}" for i in range(1500)), "no number was given for n0, n1, n2"),
    ("\u202e" * 9000, "\\u202e (RIGHT-TO-LEFT OVERRIDE) can't be read here"),
    ("😀" * 9000, "😀 (GRINNING FACE) can't be read here"),
    (";" * 9000, "a number, a name or ( is expected here, not ;"),
    ("x = " * 2500, "x is named here"),
    ("1" + "," * 9000, "a comma stands only"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), LIMITS, ids=[text[:12] for text, _ in LIMITS])
def test_hostile_texts_are_refused_in_time_that_grows_with_their_length(text: str, sentence: str) -> None:
    failures: list[tuple[str, str, str]] = []
    work = lines_run(lambda: failures.append(failure(text)))
    ((said, shown, _),) = failures
    assert work < 10_000 + 100 * len(text)  # of the length, not of its square
    assert said.startswith(sentence) and len(said) < 400 and len(shown) < 100


def test_just_within_the_limits_a_text_is_read() -> None:
    deep = DEPTH * "(" + "x" + DEPTH * ")"
    assert read_expression(deep, {"x": 1.5})[0].data == 1.5
    assert failure(f"-{deep}", {"x": 1.5})[2].index("^") == 2 + 1 + 36
    chain = "x" + "+x" * (NODES - 1)
    assert len(topological_order(read_expression(chain, {"x": 1.5})[0])) == NODES
    assert failure(f"{chain}+x", {"x": 1.5})[0] == f"the graph has more than {NODES:,} nodes"
    wide = f"total({'x,' * 4995}x)"
    assert len(read_expression(wide, {"x": 1.5})[0].inputs) == 4996
    assert read_expression("x".ljust(LENGTH), {"x": 1.5})[0].data == 1.5


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text(alphabet="xw12.e+-*/()=;, _^\t\n\0😀ｘ\u202e\u0301'", max_size=40)))
def test_any_text_is_read_or_refused_in_two_lines_and_a_caret(text: str) -> None:
    try:
        E, _ = read_expression(text, {})
        assert math.isfinite(E.data)
    except ExpressionError as error:
        sentence, shown, caret = str(error).split("\n")
        assert sentence.isprintable() and shown.isprintable() and caret.strip() == "^"


# -- NAME=NUMBER


@pytest.mark.parametrize(
    ("text", "name", "number"),
    [("w=0.7", "w", 0.7), ("b=-1.3", "b", -1.3), ("w = +2", "w", 2.0), ("ρ1=1e-3", "ρ1", 1e-3), ("x=.5", "x", 0.5)],
)
def test_a_name_and_its_number(text: str, name: str, number: float) -> None:
    assert read_assignment(text) == (name, number)


@pytest.mark.parametrize(
    ("text", "sentence", "column"),
    [
        ("", "NAME=NUMBER is expected", 0),
        ("w", "NAME=NUMBER is expected", 0),
        ("=2", "NAME=NUMBER is expected", 0),
        ("2=w", "NAME=NUMBER is expected", 0),
        ("-w=2", "NAME=NUMBER is expected", 0),
        ("w=", "a number is expected after =", 2),
        ("w=x", "a number is expected after =", 2),
        ("w=nan", "a number is expected after =", 2),
        ("w=-inf", "a number is expected after =", 2),
        ("w=1/3", "a number is expected after =", 2),
        ("w=--1", "a number is expected after =", 2),
        ("w=1 2", "a number is expected after =", 2),
        ("w=1e999", "this number is too large for a float", 2),
        ("w=0x10", "numbers are decimal", 3),
        ("w=1_000", "digits are written without _", 3),
        ("tanh=1", "tanh is an operation of the table", 0),
        ("lambda=1", "lambda is a word of Python's", 0),
        ("__w=1", "_ can't be read here", 0),
    ],
)  # fmt: skip
def test_anything_else_is_no_assignment(text: str, sentence: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        read_assignment(text)
    said, shown, caret = str(caught.value).split("\n")
    assert said.startswith(sentence) and (shown, caret) == (f"  {text}", f"  {' ' * column}^")
