"""Names: a label reaches a reader as one printable line, wherever it is shown; ∂ and lists read the same everywhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest

from engine import (
    DomainError,
    ForwardStepper,
    Stepper,
    Value,
    compare,
    derivative,
    draw,
    explain,
    film,
    gradcheck,
    log,
    sqrt,
    topological_order,
)
from engine.steps.passes import MISTAKES
from engine.text.names import LISTED, display_names, find_node, listed, number_text, quotient, shown
from engine.value import operand

HOSTILE = "a\nb\x1b[31m\u202e"


def graph() -> tuple[Value, Value]:
    """E over a leaf that is used twice, both with the hostile label."""
    a = Value(0.7, label=HOSTILE)
    E = (a * a).tanh() * a
    E.label = HOSTILE
    return E, a


def stale() -> tuple[Value, Value]:
    E, a = graph()
    a.data = 0.9
    return E, a


def refused(make: Callable[[Value], object]) -> str:
    with pytest.raises((DomainError, ValueError)) as caught:
        make(Value(0.0, label=HOSTILE))
    return str(caught.value)


def warned() -> str:
    E, _ = stale()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        E.backward()
    return str(caught[0].message)


def every_step(stepper: Stepper) -> str:
    return "\n".join(repr(stepper.goto(place)) for place in range(len(stepper) + 1))


VIEWS = {
    "stepper": lambda: every_step(Stepper(graph()[0])),
    "stepper, stale": lambda: repr(Stepper(stale()[0])),
    "stepper, html": lambda: Stepper(graph()[0]).step(3)._repr_html_(),
    "forward stepper": lambda: repr(ForwardStepper(graph()[0]).run()),
    "a gradient from before": lambda: repr(Stepper(_with_gradient()).rewind()),
    "compare": lambda: repr(compare(graph()[0], {HOSTILE: 0.1})),
    "gradcheck": lambda: repr(gradcheck(stale()[0])),
    "explain": lambda: repr(explain(*graph())),
    "explain, zero": lambda: repr(explain(graph()[0], Value(1.5, label=HOSTILE))),
    "latex": lambda: explain(*graph()).latex(),
    "draw": lambda: draw(graph()[0]).source,
    "draw a moment": lambda: draw(Stepper(stale()[0]).step(2)).source,
    "draw a comparison": lambda: draw((pair := graph())[0], highlight=compare(pair[0], {HOSTILE: 0.1})).source,
    "film": lambda: film(stale()[0]).html(),
    "the domain": lambda: refused(log),
    "a gradient": lambda: refused(lambda x: (sqrt(x) * 2.5).backward()),
    "a derivative": lambda: refused(lambda x: derivative(sqrt(x) * 2.5, x)),
    "an unknown name": lambda: refused(lambda x: compare(x + 1.5, {"no\x1b": 0.1})),
    "a warning": warned,
} | {f"mistake {name}": lambda name=name: every_step(Stepper(graph()[0], mistake=name)) for name in MISTAKES}


def _with_gradient() -> Value:
    E, a = graph()
    a.grad = 0.3
    return E


@pytest.mark.parametrize("view", VIEWS)
def test_a_label_is_shown_as_one_printable_line(view: str) -> None:
    text = VIEWS[view]()
    assert all(line.isprintable() for line in text.split("\n"))
    assert shown(HOSTILE) in text or "no\\x1b" in text or "backslash" in text


def test_a_hostile_label_is_found_as_it_was_given_and_as_it_is_shown() -> None:
    E, a = graph()
    names = display_names(topological_order(E))
    assert find_node(names, HOSTILE) is find_node(names, shown(HOSTILE)) is a


def test_labels_that_look_alike_once_shown_are_told_apart() -> None:
    E = Value(0.7, label="a\n") * Value(1.9, label="a\\n") * Value(-0.3, label="a\n")
    assert [name for name in display_names(topological_order(E)).values() if "a" in name] == [
        "a\\n",
        "a\\n#2",
        "a\\n#3",
    ]


@pytest.mark.parametrize("count", [0, 1, LISTED, LISTED + 1, 1000 + LISTED])
def test_a_list_says_how_many_are_left_out(count: int) -> None:
    texts = [f"x{i}" for i in range(count)]
    first, _, rest = listed(texts).partition(" and ")
    left_out = int(rest.replace(",", "").removesuffix(" more") or 0)
    assert len(first.split(", ") if first else []) + left_out == count and left_out == max(count - LISTED, 0)


@pytest.mark.parametrize("number, text", [(123456.0, "123456"), (-999999.0, "-999999"), (1e6, "1e+06"), (0.5, "0.5")])
def test_whole_numbers_below_a_million_are_shown_in_full(number: float, text: str) -> None:
    assert number_text(number) == text


@pytest.mark.parametrize("view", ["step", "explanation", "tooltip", "film"])
def test_a_derivative_reads_the_same_in_every_view(view: str) -> None:
    p, q, w = Value(0.7, label="a + b"), Value(-1.3, label="q"), Value(0.4, label="w")
    E = p / q * w
    operand(E, 0).label = "p/q"
    texts = {
        "step": lambda: repr(Stepper(E).run()),
        "explanation": lambda: repr(explain(E, p)),
        "tooltip": lambda: draw(E).svg(),
        "film": lambda: film(E).html(),
    }
    assert quotient("p/q", "a + b") == "∂(p/q)/∂(a + b)"
    assert "∂(p/q)/∂(a + b)" in texts[view]()


def test_a_stepper_at_its_start_says_so_in_a_notebook_too() -> None:
    E, _ = graph()
    stepper = Stepper(E)
    assert "step 0 of 6   before the first step" in stepper._repr_html_() and "None" not in stepper.header()


def test_an_overflowing_gradient_has_one_sentence_wherever_it_is_met() -> None:
    def overflowing() -> tuple[Value, Value]:
        x = Value(1.5e-10)
        return x * 1.2e308 + x * 1.1e308, x

    said = []
    for meet in (lambda E, x: E.backward(), lambda E, x: Stepper(E), lambda E, x: explain(E, x)):
        with pytest.raises(DomainError) as caught:
            meet(*overflowing())
        said.append(str(caught.value))
    assert said == ["the gradient of a leaf is inf: what it held and what was added exceed 1.8e308"] * 3
