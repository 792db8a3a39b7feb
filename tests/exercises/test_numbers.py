"""Every number in the course's texts and contracts, computed by another way; and the planted bugs of the hunt."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from itertools import combinations

import mpmath
import pytest

from demos.exercises import (
    e03_chain,
    e05_accumulate,
    e09_engine,
    e11_stable,
    e14_error,
    e15_descent,
    e16_derivation,
    e17_softmax,
    e18_hunt,
    hunt,
)
from demos.exercises.course import close, course
from demos.exercises.graphs import WAYS, Graph, named, walked
from engine import Stepper, Value, gradcheck, topological_order

mpmath.mp.dps = 60


def test_chain() -> None:
    first = [e03_chain.expected(probe) for probe in e03_chain.probes(7)[::12]]
    assert [round(x, 7) for x in first] == [-0.6449785, -0.3224893]
    for point in e03_chain.points():
        s = point["w"] * point["x"] + point["b"]
        delta = (math.tanh(s) - point["t"]) / math.cosh(s) ** 2
        probe = {"part": "dE_dw", "point": point}
        assert e03_chain.expected(probe) == pytest.approx(delta * point["x"], rel=1e-12)


def test_p4_separates_all_number_models() -> None:
    graph = named()["P4"]
    found = {name: [*walked(graph, graph.order, **way).values()] for name, way in WAYS.items()}
    found |= {"right": [*graph.gradients.values()]}
    for (a, x), (b, y) in combinations(found.items(), 2):
        assert not close(x, y, 1e-3) or {a, b} == {"swapped", "right"}, (a, b)


@pytest.mark.parametrize("graph", e05_accumulate.graphs(), ids=lambda graph: graph.title[:30])
def test_gradients_of_the_probes_are_those_of_nudging(graph: Graph) -> None:
    assert gradcheck(graph.E).ok
    graph.E.zero_grad()
    graph.E.backward()
    assert all(graph.gradients[i] == pytest.approx(graph.values[i].grad, rel=1e-12) for i in graph.order)


def test_micrograds_expression() -> None:
    place = next(i for i, (part, _) in enumerate(e09_engine.programs()) if part == "expression")
    found = e09_engine.truth(place)
    assert found["E"] == pytest.approx(float(Fraction(2421, 98)), rel=1e-14)
    expected = [float(Fraction(47620, 343)), float(Fraction(221433, 343))]
    assert found["gradients"] == [pytest.approx(expected, rel=1e-12)]


@pytest.mark.parametrize("part", e11_stable.WANTED)
def test_constants_to_fifty_digits(part: str) -> None:
    functions = {
        "tanh": mpmath.tanh, "dtanh": lambda x: mpmath.sech(x) ** 2, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
        "dsigmoid": lambda x: mpmath.exp(-x) / (1 + mpmath.exp(-x)) ** 2,
        "softplus": lambda x: mpmath.log1p(mpmath.exp(x)), "dsoftplus": lambda x: 1 / (1 + mpmath.exp(-x)),
    }  # fmt: skip
    for x, text in zip(e11_stable.POINTS, e11_stable.TRUTH[part], strict=True):
        true = functions[part](mpmath.mpf(x))
        assert abs(mpmath.mpf(text) / true - 1) < 1e-40
        assert float(text) == 0 or abs(float(text)) > 2.3e-308  # no probe's truth is subnormal


def test_errors_of_the_table() -> None:
    said = {
        "right": 0.1147967, "no-half": 0.2295933, "no-K": 0.3443900, "no-M": 0.5739833, "neither": 1.7219500,
        "half-forgotten-no-K": 0.6887800, "flat": 0.3178313,
    }  # fmt: skip
    assert {name: round(e14_error.answers(name)[0]["E"], 7) for name in said} == said


def test_three_steps_of_descent() -> None:
    steps = [e15_descent.at(i, "right") for i in range(3)]
    assert steps == [["0.673708", "-0.525578"], ["0.542506", "-0.462956"], ["0.407981", "-0.412703"]]
    assert e15_descent.at(1, "no-zero-grad")[0][:6] == "0.4162"


@pytest.mark.parametrize("case", range(len(e16_derivation.CASES)))
def test_the_engines_matrices_are_those_of_the_formulas(case: int) -> None:
    net = e16_derivation.Net(case)
    for part, numbers in net.all().items():
        assert e16_derivation.same(numbers, e16_derivation.truth(case)[part], 1e-11)


def test_softmax() -> None:
    assert round(e17_softmax.true_loss([1.2, -0.7, 0.4], 2), 6) == 1.269314
    for outputs, target in e17_softmax.CASES:
        exact = mpmath.log(sum(mpmath.exp(mpmath.mpf(o)) for o in outputs)) - outputs[target]
        assert e17_softmax.true_loss(outputs, target) == pytest.approx(float(exact), rel=1e-12)
        assert sum(e17_softmax.true_gradient(outputs, target)) == pytest.approx(0, abs=1e-12)


def test_sizes_are_told_apart() -> None:
    D, n, K, M = e16_derivation.CASES[0][1:]
    assert (D, n, K, M) == (5, 4, 3, 7) and len({D, n, K, M, D * n, n * K, M * K}) == 7


def test_texts_are_short_and_whole() -> None:
    for each in course():
        assert each.after.endswith(".") and 10 < len(each.after.split()) < 60
        assert each.see_text and each.idea and len(each.mistakes) == len({mistake.id for mistake in each.mistakes})


# -- the hunt


@pytest.mark.parametrize("seed", range(12))
def test_three_different_causes(seed: int) -> None:
    key = hunt.key(seed)
    assert len(key) == 5 and len({cause for _, cause, _ in key}) == 3
    assert [e18_hunt.expected(probe) for probe in e18_hunt.probes(seed)] == [list(row) for row in key]


@pytest.mark.parametrize("cause", hunt.CAUSES)
def test_each_planted_bug_is_visible_at_its_step(cause: str) -> None:
    """The stepper's text at the named step speaks of the node, and shows what gives the cause away."""
    programs = [broken for seed in range(40) for broken in hunt.programs(seed) if broken.key[1] == cause]
    assert len(programs) > 10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for broken in programs:
            node, _, step = broken.key
            stepper = Stepper(hunt.run(broken.text))
            beginning = repr(stepper)
            text, meant = repr(stepper.goto(step)), repr(Stepper(hunt.run(broken.meant)).goto(step))
            gradient = next(each.grad for each in topological_order(stepper.E) if each.label == node)
            data = next(each.data for each in topological_order(stepper.E) if each.label == node)
            gives_away = {
                "dead-relu": gradient == 0 and data < 0, "kink": gradient == 0 and data == 0,
                "stale": "stale: w" in text,
                "shared": f"{node}.grad +=" in text and "2 of 2" not in text and (gradient or 0) != 0,
                "no-zero-grad": "gradients from before" in beginning and f"{node} " in beginning,
                "data-cut": "h.data" in broken.text and f"→ {node}.grad" in meant,
                "detached": "Value(h.data)" in broken.text and f"→ {node}.grad" in meant,
            }  # fmt: skip
            assert gives_away[cause], (cause, text)


def test_programs_are_short_and_run_by_themselves() -> None:
    for cause in hunt.CAUSES:
        for broken in (b for seed in range(20) for b in hunt.programs(seed) if b.key[1] == cause):
            assert len(broken.text.splitlines()) <= 22 and isinstance(hunt.run(broken.text), Value)
