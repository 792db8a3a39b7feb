"""An explanation adds up to the gradient, says why a gradient is 0, and is readable however large the graph."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import assume, given

from engine import DomainError, Value, derivative, log, operation, sin, tanh, topological_order, total
from engine.formulas import float_functions, parse
from engine.rules import TABLE, Rule
from engine.steps.explain import MOST_FACTORS, MOST_PATHS, Explanation, explain
from engine.steps.passes import product
from engine.text.names import display_names, in_one_piece, number_text, shown
from engine.text.symbols import TEXT
from tests.graphs import GRAPHS, Built, Recipe, each_graph, leaves, recipes

SHOWN_NUMBER = r"-?\d+\.?\d*(?:e[+-]\d+)?"


def gradients(E: Value) -> dict[Value, float]:
    order = topological_order(E)
    E.zero_grad()
    E.backward()
    found = {node: node.grad for node in order}
    E.zero_grad()
    return {node: grad for node, grad in found.items() if grad is not None}


def check_adds_up(explanation: Explanation, gradient: float) -> None:
    """Its value is backward's to the last bit; the products of the paths listed add up to it; no path is missing."""
    assert explanation.value == gradient
    if explanation.paths is None:
        assert explanation.count > MOST_PATHS or explanation.count * len(explanation.order) > MOST_FACTORS
        return
    assert len(explanation.paths) == explanation.count == len(set(map(tuple, explanation.paths)))
    products = [product(path) for path in explanation.paths]
    assert math.fsum(products) == pytest.approx(gradient, rel=1e-12, abs=1e-12 * math.fsum(map(abs, products)))
    for path in explanation.paths:
        assert [node for node, _ in path][:1] in ([explanation.E], [])
        reached = [node.inputs[slot] for node, slot in path]
        assert reached[-1:] in ([explanation.w], []) and reached[:-1] == [node for node, _ in path][1:]


def last_number(explanation: Explanation) -> float:
    line = [line for line in repr(explanation).splitlines() if " = " in line and not line.startswith("  it is 0")][-1]
    return float(line.rpartition("= ")[2])


@each_graph
def test_every_gradient_of_every_graph_is_explained(make: Callable[[], Built]) -> None:
    E, _ = make()
    for node, gradient in gradients(E).items():
        explanation = explain(E, node)
        check_adds_up(explanation, gradient)
        assert node is E or last_number(explanation) == pytest.approx(gradient, rel=1e-9, abs=1e-300)
        assert explanation.latex().count(r"\begin{aligned}") == 1


@given(recipes())
def test_the_sum_over_paths_is_the_gradient_on_random_graphs(recipe: Recipe) -> None:
    E, leaves = recipe.build()
    assume(E.rule is not None)
    try:
        expected = gradients(E)
    except DomainError:
        assume(False)
    for leaf in leaves:
        explanation = explain(E, leaf)
        check_adds_up(explanation, expected.get(leaf, 0.0))
        assert repr(explanation) and explanation.latex()


@pytest.mark.parametrize("factor", [1 + 1e-11, 0.5, -1.0])
def test_the_check_can_fail(factor: float) -> None:
    E, (x, _) = GRAPHS["diamond"]()
    explanation = explain(E, x)
    check_adds_up(explanation, explanation.value)
    with pytest.raises(AssertionError):
        check_adds_up(explanation, explanation.value * factor)
    assert explanation.paths is not None
    explanation.paths.pop()
    with pytest.raises(AssertionError):
        check_adds_up(explanation, explanation.value)


# -- as it is read


def test_one_path_reads_as_in_a_textbook() -> None:
    x, w, b, t = leaves(x=1.4, w=-1.3, b=1.5, t=0.2)
    m = w * x
    s = m + b
    z = s.tanh()
    m.label, s.label, z.label = "m", "s", "z"
    E = (z - t) ** 2 / 2
    assert (
        repr(explain(E, w))
        == """\
∂E/∂w, by the chain rule: 1 path from E to w

  E = v2 / 2    ∂E/∂v2  = 1 / 2 = 0.5
  v2 = v1**2    ∂v2/∂v1 = 2 * v1 = 2 * (-0.5095) = -1.019
  v1 = z - t    ∂v1/∂z  = 1
  z = tanh(s)   ∂z/∂s   = sech(s)**2 = sech(-0.32)**2 = 0.9042
  s = m + b     ∂s/∂m   = 1
  m = w * x     ∂m/∂w   = x = 1.4

  path 1: E → v2 → v1 → z → s → m → w
    ∂E/∂v2 · ∂v2/∂v1 · ∂v1/∂z · ∂z/∂s · ∂s/∂m · ∂m/∂w
      = 0.5 · (-1.019) · 1 · 0.9042 · 1 · 1.4
      = -0.645

  ∂E/∂w = -0.6449785202"""
    )


def test_an_operand_read_twice_by_one_node_is_two_paths_told_apart() -> None:
    (a,) = leaves(a=1.4)
    E = a**a
    assert (
        repr(explain(E, a))
        == """\
∂E/∂a, by the chain rule: 2 paths from E to a

  E = a**a   ∂E/∂a⁽¹⁾ = a * a**(a - 1) = 1.4 * 1.4**(1.4 - 1) = 1.602
             ∂E/∂a⁽²⁾ = E * log(a) = 1.602 * log(1.4) = 0.5389

  ⁽¹⁾ ⁽²⁾: by its first, by its second operand, where a node reads another twice

  path 1: E → a
    ∂E/∂a⁽¹⁾ = 1.602
  path 2: E → a
    ∂E/∂a⁽²⁾ = 0.5389

  ∂E/∂a = path 1 + path 2 = 1.602 + 0.5389 = 2.14061809"""
    )


def test_latex_is_one_aligned_environment_and_jupyter_shows_it() -> None:
    x, w = leaves(x=0.5, w=-3.0)
    explanation = explain((w * x).exp(), w)
    assert (
        explanation.latex()
        == r"""\begin{aligned}
E &= e^{v_{1}} \\[6pt]
\frac{\partial E}{\partial v_{1}} &= E = 0.2231 \\[6pt]
v_{1} &= w \cdot x \\[6pt]
\frac{\partial v_{1}}{\partial w} &= x = 0.5 \\[6pt]
\frac{\partial E}{\partial w} &= \frac{\partial E}{\partial v_{1}} \cdot \frac{\partial v_{1}}{\partial w} \\[6pt]
&= 0.2231 \cdot 0.5 \\[6pt]
&= 0.1116
\end{aligned}"""
    )
    assert explanation._repr_latex_() == f"$$\n{explanation.latex()}\n$$"


@each_graph
def test_lines_fit_a_terminal(make: Callable[[], Built]) -> None:
    E, inputs = make()
    for w in inputs:
        assert max(map(len, repr(explain(E, w)).splitlines())) <= 80


def test_no_gradient_is_touched_and_nothing_is_random() -> None:
    E, inputs = GRAPHS["shared_product"]()
    first = [repr(explain(E, w)) for w in inputs]
    assert all(node.grad is None for node in topological_order(E))
    E, inputs = GRAPHS["shared_product"]()
    assert [repr(explain(E, w)) for w in inputs] == first


# -- too many paths to list


def ladder(levels: int) -> Built:
    (x,) = leaves(x=0.3)
    node = x
    for _ in range(levels):
        node = node * 0.45 + sin(node)
    return node, [x]


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 17, 60])
def test_paths_are_counted_exactly(levels: int) -> None:
    E, (x,) = ladder(levels)
    explanation = explain(E, x)
    assert explanation.count == 2**levels
    assert (explanation.paths is not None) == (levels <= 3)
    assert f"{2**levels:,} paths" in repr(explanation)
    assert explanation.value == gradients(E)[x]


@pytest.mark.parametrize("paths", range(10, 17))
def test_twelve_paths_are_listed_and_thirteen_are_not(paths: int) -> None:
    (x,) = leaves(x=0.3)
    explanation = explain(total([x * (i + 0.7) for i in range(paths)]), x)
    assert explanation.count == paths and (explanation.paths is not None) is (paths <= 12)
    assert (f"path {paths}: E → " in repr(explanation)) is (paths <= 12)
    assert ("too many to list" in repr(explanation)) is (paths > 12)


@pytest.mark.parametrize("length", [59, 60, 61])
def test_sixty_factors_are_listed_and_sixty_one_are_not(length: int) -> None:
    (x,) = leaves(x=0.3)
    E = x
    for i in range(length):
        E = E * (1.0 + i / 100)
    explanation = explain(E, x)
    assert (explanation.paths is not None) is (length <= 60)
    assert ("too long to list" in repr(explanation)) is (length > 60)


def test_a_60_level_diamond_goes_node_by_node_and_says_so() -> None:
    E, (x,) = ladder(60)
    text = repr(explain(E, x))
    assert "1,152,921,504,606,846,976 paths from E to x, too many\n   to list\nnode by node: ∂E/∂v = Σ" in text
    assert "… 174 nodes left out …" in text and len(text.splitlines()) < 40
    assert text.endswith(f" = {gradients(E)[x]:.10g}")
    assert r"\vdots" in explain(E, x).latex()


def test_time_is_linear_in_the_graph() -> None:
    times = []
    for levels in (2_000, 20_000):
        E, (x,) = ladder(levels)
        start = time.process_time()
        explanation = explain(E, x)
        assert repr(explanation) and explanation.latex() and explanation.count > 10**100
        times.append(time.process_time() - start)
        assert "more than 10^100 paths" in repr(explanation)
    assert times[1] < 40 * times[0]


def test_a_long_chain_needs_no_recursion() -> None:
    (x,) = leaves(x=0.5)
    E = x
    for _ in range(100 * sys.getrecursionlimit()):
        E = E + 0.25
    explanation = explain(E, x)
    assert explanation.count == 1 and explanation.paths is None and explanation.value == 1.0
    assert "1 path from E to x, too long to list" in repr(explanation)
    assert f"… {100 * sys.getrecursionlimit() - 6:,} nodes left out …" in repr(explanation)
    assert len(explanation.latex().splitlines()) < 50


def test_a_weight_that_thousands_read_shows_a_few_of_them() -> None:
    (w,) = leaves(w=0.5)
    E = total([w * (i / 7 + 0.1) for i in range(3000)])
    text = repr(explain(E, w))
    assert "… (2,997 more)" in text and len(text.splitlines()) < 60
    assert float(text.rpartition("= ")[2]) == pytest.approx(gradients(E)[w], rel=1e-9)


# -- why it is 0


def test_zero_because_w_is_elsewhere() -> None:
    a, b = leaves(a=1.5, b=2.5)
    E = a * 2
    assert explain(E, b).value == 0 and explain(E, b).count == 0 and explain(E, b).paths == []
    assert repr(explain(E, b)) == "∂E/∂b = 0: b is not in the graph of E: E was not computed from it"
    assert repr(explain(a, E)) == "∂a/∂w = 0: w is not in the graph of a: w was computed from a, not a from w"
    assert repr(explain(E, Value(1.5, label="a"))).replace("\n  ", "") == (
        "∂E/∂a = 0: a is not in the graph of E: E was not computed from it; another node with the label a is"
    )
    assert "not in the graph of E" in explain(E, b).latex().replace(r"}\Sigma\text{", "")


def test_zero_because_a_relu_is_dead() -> None:
    a, b = leaves(a=1.5, b=-2.5)
    h = (a * b).relu()
    h.label = "h"
    text = repr(explain(h * 3.5 + b, a)).replace("\n    ", "")
    assert text.endswith("every path has a local derivative that is exactly 0: ∂h/∂v1 = step(v1) = step(-3.75) = 0")
    assert explain(h * 3.5 + b, b).zero() is None


def test_zero_because_every_one_of_many_paths_is_shut() -> None:
    (a,) = leaves(a=-1.5)
    reason = explain(total([(a * (i + 1.5)).relu() for i in range(40)]), a).zero()
    assert reason is not None and reason.endswith("and 37 more") and reason.count("step") == 6


def test_zero_because_contributions_cancel() -> None:
    (a,) = leaves(a=1.5)
    c = a * 3.0 - a * 3.0
    c.label = "c"
    assert "the contributions to a cancel: their sum is exactly 0" in repr(explain(c, a))
    # what cancels may stand above w
    (b,) = leaves(b=2.5)
    s = tanh(b)
    s.label = "s"
    assert "the contributions to s cancel" in repr(explain(s * 1.25 - s * 1.25, b))


def test_zero_because_the_product_is_too_small() -> None:
    (a,) = leaves(a=1.5)
    assert "too small for a float" in repr(explain(a * 1e-200 * 1e-200, a))


def test_one_because_w_is_E() -> None:
    (a,) = leaves(a=1.5)
    for E in (a, a * 2):
        assert explain(E, E).value == 1 and repr(explain(E, E)).endswith("= 1: a node changes just as fast as itself")


# -- not finite


def test_an_infinite_local_derivative_is_an_error_as_in_backward() -> None:
    (q,) = leaves(q=0.0)
    E = q.sqrt() * 3.5
    with pytest.raises(DomainError) as expected:
        E.backward()
    with pytest.raises(DomainError) as raised:
        explain(E, q)
    assert str(raised.value) == str(expected.value) and "\n" not in str(raised.value)


def test_an_infinite_local_derivative_elsewhere_is_none_of_our_business() -> None:
    q, x = leaves(q=0.0, x=1.5)
    assert explain(q.sqrt() + x * 2.5, x).value == 2.5


def test_after_an_upstream_zero_a_local_derivative_may_be_anything() -> None:
    (q,) = leaves(q=0.0)
    explanation = explain(q.sqrt() * 0.0, q)
    assert explanation.value == 0 and "0 · inf = 0" in repr(explanation)
    assert "an upstream gradient of 0 contributes 0, whatever" in repr(explanation)
    assert r"\infty" in explanation.latex() and "nan" not in repr(explanation) + explanation.latex()


def test_contributions_that_cancel_before_an_infinite_one() -> None:
    (q,) = leaves(q=0.0)
    root = q.sqrt()
    explanation = explain(root - root, q)
    assert explanation.value == 0 == gradients(root - root)[q]
    assert explanation.paths is None and "whose products are not all finite" in repr(explanation)


def test_a_product_too_large_is_an_error_as_in_backward() -> None:
    (a,) = leaves(a=1e-200)
    E = a * 1e200 * 1e200
    with pytest.raises(DomainError) as expected:
        E.backward()
    with pytest.raises(DomainError) as raised:
        explain(E, a)
    assert str(raised.value) == str(expected.value)


def test_a_sum_too_large_is_an_error_too() -> None:
    (a,) = leaves(a=1e-10)
    with pytest.raises(
        DomainError, match=r"^the gradient of a is inf: what it held and what was added exceed 1\.8e308$"
    ):
        explain(total([a * 1.2e308, a * 1.2e308]), a)


@pytest.mark.parametrize(
    ("E", "w", "words"),
    [
        (1.0, Value(1.0), "explain takes the Value at the end of a graph, and was given a float: compute it"),
        ([Value(1.0)], Value(1.0), r"was given a list: pick one of its Values, or write \[y\] = model\(x\)"),
        (Value(1.0), None, "explain takes w of ∂E/∂w as a Value or by its name, and was given a NoneType"),
    ],
)
def test_what_is_no_value_is_refused(E: object, w: object, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        explain(E, w)  # type: ignore[arg-type]


# -- a leaf set after the graph was built


def test_a_stale_graph_is_explained_at_the_recorded_point_and_says_so() -> None:
    x, w = leaves(x=1.4, w=0.7)
    E = (x * w).tanh()
    before = explain(E, w)
    fresh = repr(before)
    assert "was set" not in fresh
    x.data = 99.5
    for explanation in (before, explain(E, w)):
        assert explanation.value == before.value
        text = repr(explanation).replace("\n  ", "")
        assert "x or w was set to another number after the graph was built; the derivatives are those" in text
        assert "99.5" not in text and "∂v1/∂w = x = 1.4" in text
        assert "was set to another number" in explanation.latex() and "99.5" not in explanation.latex()
    x.data = 1.4
    assert repr(before) == fresh


# -- the text of a node


def node_of(rule_name: str, *numbers: float) -> tuple[Value, dict[Value, str]]:
    rule = {rule.name: rule for rule in TABLE}[rule_name]
    node = rule.apply([Value(number, "abc"[i]) for i, number in enumerate(numbers)])
    node.label = "u"
    return node, display_names(topological_order(node))


ORDINARY = {"acosh": (1.37,), "term": (0.37, 2.4, -1.3), "total": (0.4, -1.7, 0.9), "logsumexp": (0.4, -1.7, 0.9)}
ORDINARY |= {"share": (0.4, -1.7, 0.9), "clip": (0.4, -1.7, 0.9)}


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: rule.name)
def test_symbols_numbers_and_the_recorded_derivative_agree(rule: Rule) -> None:
    """What is shown, read by Python, is the number on the edge (to the digits that are shown)."""
    name = rule.name
    numbers = ORDINARY.get(name, (0.37, 0.81)[: len(rule.partials)])
    node, names = node_of(name, *numbers)
    known = float_functions() | {names[node]: node.data} | dict(zip("abc", numbers, strict=False))
    known["softmax"] = lambda *xs: float_functions()["softmax"](list(xs))
    for slot, recorded in enumerate(node.partials):
        symbols, put_in = TEXT.local_derivative(node, slot, names)
        assert recorded is not None
        assert eval(symbols, dict(known)) == pytest.approx(recorded, rel=1e-12)
        assert eval(put_in, dict(known)) == pytest.approx(recorded, rel=5e-3)
    if name != "total":
        known |= {"logsumexp": lambda *xs: node.data, "share": lambda *xs: node.data}
        assert eval(TEXT.formula(node, names), dict(known)) == pytest.approx(node.data, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "numbers", "slot", "expected"),
    [
        ("tanh", (-0.5,), 0, ("sech(a)**2", "sech(-0.5)**2")),
        ("div", (-0.5, 2.0), 1, ("-a / b**2", "-(-0.5) / 2**2")),
        ("pow", (1.5, 2.5), 0, ("b * a**(b - 1)", "2.5 * 1.5**(2.5 - 1)")),
        ("pow", (0.0, 2.5), 1, ("u * log0(a)", "0 * log0(0)")),  # log(0) has no value
        ("sigmoid", (0.5,), 0, ("u * (1 - u)", "0.6225 * (1 - 0.6225)")),
        ("sigmoid", (30.0,), 0, ("sech(a / 2)**2 / 4", "sech(30 / 2)**2 / 4")),  # 1 * (1 - 1) would read 0
        ("hypot", (0.0, 0.0), 0, ("unit(a, b)", "unit(0, 0)")),
        ("total", (0.5, 0.25), 1, ("1", "1")),
        ("logsumexp", (0.5, 0.25), 1, ("softmax(a, b)[1]", "softmax(0.5, 0.25)[1]")),
        ("share", (0.5, 0.25, 1.5), 2, ("-u * softmax(a, b, c)[2]", "-0.2224 * softmax(0.5, 0.25, 1.5)[2]")),
    ],
)
def test_the_form_that_is_shown(name: str, numbers: tuple[float, ...], slot: int, expected: tuple[str, str]) -> None:
    node, names = node_of(name, *numbers)
    assert TEXT.local_derivative(node, slot, names) == expected


@pytest.mark.parametrize(
    ("make", "formula", "symbols"),
    [
        (lambda x: x**2, "x**2", "2 * x"),
        (lambda x: x**1, "x**1", "1"),
        (lambda x: x**0, "x**0", "0"),
        (lambda x: x**3.5, "x**3.5", "3.5 * x**2.5"),
        (lambda x: x**-1, "x**(-1)", "-1 * x**(-2)"),
        (lambda x: x / 4, "x / 4", "1 / 4"),
        (lambda x: x / 1, "x / 1", "1"),
        (lambda x: x - -2.0, "x - (-2)", "1"),
        (lambda x: total([x, -2.0, 3.0, 4.0, 5.0, 6.0]), "Σ(x, -2, 3, 4, …)", "1"),
        (lambda x: operation("cube", "x**3", "3*x**2")(x), "cube(x)", "3 * x**2"),
        (lambda x: -x, "-x", "-1"),
    ],
)
def test_constants_are_put_in_and_done_with(make: Callable[[Value], Value], formula: str, symbols: str) -> None:
    x = Value(1.25, label="x")
    node = make(x)
    names = display_names(topological_order(node))
    assert TEXT.formula(node, names) == formula
    assert TEXT.local_derivative(node, 0, names)[0] == symbols


@pytest.mark.parametrize(
    ("label", "square", "alone"),
    [
        ("w", "w**2", "w"),
        ("hidden[2].w[3]", "hidden[2].w[3]**2", "hidden[2].w[3]"),
        ("x#2", "x#2**2", "x#2"),
        ("a + b", "(a + b)**2", "(a + b)"),
        ("the gain", "(the gain)**2", "(the gain)"),
        ("λ", "λ**2", "λ"),
        ("a\nb", "(a\\nb)**2", "(a\\nb)"),
        ("", "('')**2", "('')"),
        ("-x", "(-x)**2", "(-x)"),
        ("3 apples", "(3 apples)**2", "(3 apples)"),
    ],
)
def test_any_label_stands_in_a_formula_as_one_thing(label: str, square: str, alone: str) -> None:
    name = shown(label)
    assert TEXT.written(parse("x**2"), {"x": name}) == square and in_one_piece(name) == alone


@pytest.mark.parametrize(
    "formula",
    ["x - (y - z)", "(x + y) * z", "-(x + y)", "(-x)**2", "-x**2", "(x**y)**z", "x**y**z", "x / (y * z)", "x / y * z",
     "x - y + z", "2 * -x", "-x * y", "x if y > z else -z"],
)  # fmt: skip
def test_written_means_what_the_formula_says(formula: str) -> None:
    known = {"x": -0.37, "y": 2.0, "z": 3.0}
    text = TEXT.written(parse(formula), {})
    assert eval(text, dict(known)) == eval(formula, dict(known))
    numbers = {name: number_text(number) for name, number in known.items()}
    assert eval(TEXT.written(parse(formula), numbers)) == eval(formula, dict(known))


@pytest.mark.parametrize(
    ("x", "text"),
    [(0.0, "0"), (-0.0, "0"), (2.0, "2"), (-3.0, "-3"), (12345.0, "12345"), (1234567.0, "1.235e+06"),
     (123456.0, "123456"), (999999.0, "999999"), (-999999.0, "-999999"), (1e6, "1e+06"), (-1e6, "-1e+06"),
     (0.123456, "0.1235"), (1e-300, "1e-300"), (math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan"),
     (99999.9, "1e+05")],
)  # fmt: skip
def test_numbers(x: float, text: str) -> None:
    assert number_text(x) == text


@pytest.mark.parametrize("x", [i / 4 for i in range(-40, 80)])
def test_the_textbooks_form_is_shown_only_where_its_numbers_give_the_derivative(x: float) -> None:
    """z · (1 - z) with z to 4 digits, as long as 1 - z has enough of them; then the form that loses none."""
    node, names = node_of("sigmoid", x)
    symbols, numbers = TEXT.local_derivative(node, 0, names)
    z, [slope] = float(number_text(node.data)), node.partials
    assert slope is not None
    assert symbols == ("u * (1 - u)" if abs(z * (1 - z) - slope) <= 0.05 * slope else "sech(a / 2)**2 / 4")
    assert eval(numbers, float_functions()) == pytest.approx(slope, rel=0.05)


def test_a_constant_and_a_leaf_have_no_local_derivative() -> None:
    x = Value(1.5, label="x")
    for node, slot in ((x * 2.0, 1), (2.0 - x, 0)):
        with pytest.raises(ValueError, match="only an operand that is a Value has one"):
            TEXT.local_derivative(node, slot, display_names(topological_order(node)))


def test_an_explained_derivative_is_explained_again() -> None:
    x = Value(0.6, label="x")
    first = derivative(log(x) * x, x)
    check_adds_up(explain(first, x), gradients(first)[x])
    assert re.search(rf"= {SHOWN_NUMBER}$", repr(explain(first, x)))


@each_graph
def test_a_name_stands_for_its_node(make: Callable[[], Built]) -> None:
    E, _ = make()
    for node, name in display_names(topological_order(E)).items():
        if node.partials or node.rule is None:
            assert repr(explain(E, name)) == repr(explain(E, node))


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"^no node is named 'q'; there are x, E$"):
        explain(Value(0.7, "x") * 1.3, "q")
