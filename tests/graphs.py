"""Graphs with names, and random ones: what many tests run over.

Each named graph is a function that makes it anew and returns (E, leaves). Its numbers are distinct and not whole, and
no upstream gradient is 1 where another would do, so that a factor, a slot or a contribution left out shows.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import pytest
from hypothesis import strategies as st

from engine import DomainError, Value, atan2, exp, hypot, log, logsumexp, maximum, minimum, sin, sqrt, total
from engine.rules import TABLE

Built: TypeAlias = tuple[Value, list[Value]]
ROWS = {rule.name: rule for rule in TABLE}


def leaves(**numbers: float) -> list[Value]:
    return [Value(number, label) for label, number in numbers.items()]


# -- smooth around their point


def diamond() -> Built:
    """Two ways from x to E."""
    x, w = leaves(x=0.7, w=-1.3)
    s = x * w
    return s.tanh() * s.exp() * 1.7, [x, w]


def twice() -> Built:
    """a + a: one operand in both slots."""
    (a,) = leaves(a=1.4)
    return (a + a) * 2.3, [a]


def square() -> Built:
    """a * a and a ** a: one operand in both slots, where the partials differ."""
    (a,) = leaves(a=1.4)
    return a * a - 0.3 * a**a, [a]


def fan_out() -> Built:
    """One node that many read."""
    a, b = leaves(a=0.83, b=-0.47)
    c = a * b
    return total([c * 1.9, c.sin(), c / a, b - c, c**2]), [a, b]


def chain() -> Built:
    """One operation after another."""
    (x,) = leaves(x=0.37)
    return (((x * 1.3).sin() + 0.6).log() - 0.2).exp().atan(), [x]


def neuron() -> Built:
    """g(Σ(w·x, b)) with three inputs, halfway into a squared error."""
    x1, x2, x3, w1, w2, w3, b = leaves(x1=0.6, x2=-1.1, x3=1.7, w1=0.45, w2=0.9, w3=-0.35, b=0.21)
    y = total([w1 * x1, w2 * x2, w3 * x3, b]).tanh()
    return (y - 0.8) ** 2 * 0.5, [x1, x2, x3, w1, w2, w3, b]


def constants() -> Built:
    """A plain number in every slot of every operator."""
    (x,) = leaves(x=1.6)
    parts = [2.5 + x, x + 2.5, 2.5 - x, x - 2.5, 2.5 * x, x * 2.5, 2.5 / x, x / 2.5, 2.5**x, x**2.5, -x]
    return total([part * (1.1 + i / 10) for i, part in enumerate(parts)]), [x]


def shared_product() -> Built:
    """Products of subexpressions that share theirs: the paths multiply."""
    a, b, c = leaves(a=0.9, b=1.7, c=-0.6)
    p = a * b + c
    q = p * p * a
    return q * (p - q) / (b + q), [a, b, c]


def log_sum_exp() -> Built:
    """n-ary, with one operand twice and a constant among them."""
    a, b, c = leaves(a=0.4, b=-1.2, c=2.1)
    return logsumexp([a, b * c, 0.7, a, c]) * 1.3, [a, b, c]


def polar() -> Built:
    """Rows with two operands and unlike partials."""
    a, b = leaves(a=1.9, b=-0.8)
    return hypot(a, b) * atan2(b, a) - a**b, [a, b]


def product_of_three() -> Built:
    """The row with three operands: c * x ** y."""
    x, y, c = leaves(x=1.3, y=2.4, c=-0.7)
    return ROWS["term"].apply([x, y, c]).sinh(), [x, y, c]


def beside_the_kinks() -> Built:
    """relu, abs, maximum, minimum, away from where they turn: some paths are shut."""
    a, b = leaves(a=1.2, b=-0.55)
    return total([a.relu() * 1.5, b.relu() * 7.1, abs(b) * 0.9, maximum(a, b) * b, minimum(a * b, -0.1)]), [a, b]


def saturated() -> Built:
    """Gradients many orders apart: nothing may be lost beside something large."""
    a, b = leaves(a=18.7, b=-31.3)
    return a.tanh() * 3e7 + b.sigmoid() * 1e9 + exp(b) * a, [a, b]


def two_leaves_one_label() -> Built:
    """Names may be used twice; nodes are told apart all the same."""
    a, b = Value(0.6, "x"), Value(1.9, "x")
    return log(a * b) + sqrt(b), [a, b]


def deep_sharing() -> Built:
    """2**20 paths over 20 nodes, each of which reads the one before twice: too many to walk one by one."""
    (x,) = leaves(x=0.3)
    node = x
    for i in range(20):
        node = node * 0.45 + sin(node) * (0.5 + i / 100)
    return node, [x]


SMOOTH: dict[str, Callable[[], Built]] = {
    graph.__name__: graph
    for graph in (
        diamond, twice, square, fan_out, chain, neuron, constants, shared_product, log_sum_exp, polar,
        product_of_three, beside_the_kinks, saturated, two_leaves_one_label, deep_sharing,
    )
}  # fmt: skip


# -- at a kink


def kink_tie() -> Built:
    """max(x, x) as two edges of ½ each, beside max of two leaves that tie."""
    x, y = leaves(x=0.7, y=0.7)
    return maximum(x, x) * 1.3 + maximum(x, y) * 2.9 - minimum(y, x) * 0.6, [x, y]


def kink_at_zero() -> Built:
    """relu and abs where they turn, on something computed."""
    a, b = leaves(a=0.3, b=-0.3)
    return (a + b).relu() * 4.1 + abs(a + b) * 2.3 + a * b, [a, b]


KINKED: dict[str, Callable[[], Built]] = {graph.__name__: graph for graph in (kink_tie, kink_at_zero)}
GRAPHS = SMOOTH | KINKED

each_graph = pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
each_smooth_graph = pytest.mark.parametrize("make", SMOOTH.values(), ids=SMOOTH)


# -- random ones


@dataclass(frozen=True)
class Recipe:
    """How to make a graph, from any numbers: each row is an operation on leaves, rows before it, and constants."""

    numbers: tuple[float, ...]
    rows: tuple[tuple[str, tuple[int | float, ...]], ...]

    def build(self, numbers: tuple[float, ...] | None = None) -> Built:
        """(E, leaves), where E is the sum of all that no row reads. Raises DomainError where a row does."""
        leaves = [Value(number, f"x{i}") for i, number in enumerate(numbers or self.numbers)]
        return total(self.sinks(self.replayed(list(leaves)))), leaves

    def replayed(self, nodes: list[Any]) -> list[Any]:
        for name, operands in self.rows:
            nodes.append(ROWS[name].apply([pick(nodes, operand) for operand in operands]))
        return nodes

    def sinks(self, nodes: list[Any]) -> list[Any]:
        read = {operand for _, operands in self.rows for operand in operands if type(operand) is int}
        return [node for i, node in enumerate(nodes) if i not in read]


def pick(nodes: list[Any], operand: int | float) -> Any:
    return nodes[operand] if type(operand) is int else operand


# Never a whole number nor 0, and never twice the same: n ↦ (n + 0.37) / 1009 is one to one.
odd_numbers = st.integers(-3000, 3000).map(lambda n: (n + 0.37) / 1009)


@st.composite
def recipes(draw: st.DrawFn, most: int = 9) -> Recipe:
    """Recipes with shared nodes over all rows, kept where numbers are ordinary.

    A row is left out where it is outside its domain, or makes a number or a partial that is large or near 0: rounding
    is then a matter of 1e-12, and a wrong derivative isn't.
    """
    numbers = tuple(draw(st.lists(odd_numbers, min_size=1, max_size=4, unique=True)))
    nodes: list[Value] = [Value(number) for number in numbers]
    rows: list[tuple[str, tuple[int | float, ...]]] = []
    for _ in range(draw(st.integers(1, most))):
        name = draw(st.sampled_from(sorted(ROWS.keys() - {"detach"})))  # whose partial isn't its slope
        rule = ROWS[name]
        size = draw(st.integers(1, 4)) if rule.many else len(rule.operands)
        # mostly a node near the end, so that graphs grow deep; sometimes a number
        an_operand = st.integers(1 - len(nodes), 0).map(partial(operator.add, len(nodes) - 1))
        first: list[int | float] = [draw(an_operand)]
        rest = [draw(an_operand | odd_numbers if slot % 2 else an_operand) for slot in range(1, size)]
        operands = tuple(draw(st.permutations(first + rest)))
        try:
            node = rule.apply([pick(list(nodes), operand) for operand in operands])
        except DomainError:
            continue
        sizes = [abs(slope) for slope in node.partials if slope is not None]
        if (node.data == 0 or 0.02 < abs(node.data) < 20) and all(size < 20 for size in sizes):
            nodes.append(node)
            rows.append((name, operands))
    return Recipe(numbers, tuple(rows))
