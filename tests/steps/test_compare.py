"""The classic wrong passes: each shows where it goes wrong, or says that the graph survives it; compare knows them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine import Value, label, topological_order
from engine.steps.compare import compare
from engine.steps.passes import MISTAKES, record
from engine.steps.stepper import Stepper
from tests.graphs import GRAPHS, Built, each_graph

each_mistake = pytest.mark.parametrize("mistake", MISTAKES)


def shared() -> Built:
    """u reaches E on two ways, one of them through v; a is used twice by one node."""
    a, u = Value(1.7, "a"), Value(0.6, "u")
    v = u * 2.9
    p = u * v
    d = a + a
    E = (p + v * 0.4) * d * 1.3
    label(v=v, p=p, d=d, E=E)
    return E, [a, u]


def walk(E: Value, mistake: str) -> tuple[Stepper, list[str]]:
    """The stepper at its end, and what it said was wrong on the way."""
    stepper, said = Stepper(E, mistake=mistake), []
    while stepper.position < len(stepper):
        said += [line.removeprefix("here: ") for line in stepper.step().told() if line.startswith("here: ")]
    return stepper, said


SAID = {
    "assign": "v.grad was 1.768, and = replaced it by 2.652",
    "preorder": "v passed on 2.652 while 1.768 through v1 was still to come",
    "breadth-first": None,
    "no-reset": "d.grad still held 2.262 of the earlier pass",
    "no-zero-grad": "a.grad still held 4.524 of the earlier pass",
    "no-seed": "∂E/∂E = 1 was not set, so that all gradients are 0",
    "no-upstream": "the upstream gradient ∂E/∂",
    "no-local": "the local derivative ∂",
    "swapped": ", the other operand's, was taken",
    "once": "d uses a 2 times, and contributes to it once",
}


@each_mistake
def test_a_mistake_makes_gradients_wrong_or_says_that_the_graph_survives(mistake: str) -> None:
    for make in (shared, *GRAPHS.values()):
        E, _ = make()
        right = record(topological_order(E)).final
        stepper, said = walk(E, mistake)
        told = "this graph survives it" in repr(stepper)
        grads = [node.grad or 0.0 for node in stepper.order]
        assert told == (grads == pytest.approx([right[node] or 0.0 for node in stepper.order], rel=1e-12, abs=0))
        assert told or said  # where it goes wrong, a step says so


@pytest.mark.parametrize(("mistake", "sentence"), SAID.items())
def test_the_step_that_goes_wrong_says_what_was_lost(mistake: str, sentence: str | None) -> None:
    _, said = walk(shared()[0], mistake)
    if sentence:
        assert any(sentence in line for line in said), said


def test_a_chain_survives_what_needs_sharing_to_show() -> None:
    E = (Value(0.7, "w") * 1.3).tanh()
    for mistake in ("assign", "preorder", "breadth-first", "once"):
        assert "this graph survives it" in repr(Stepper(E, mistake=mistake))


@each_mistake
def test_a_wrong_pass_walks_back_to_where_it_started(mistake: str) -> None:
    E, _ = shared()
    start = [node.grad for node in Stepper(E, mistake=mistake).order]
    stepper, _ = walk(E, mistake)
    stepper.rewind()
    assert [node.grad for node in stepper.order] == start


@each_mistake
def test_compare_names_the_mistake_whose_numbers_they_are(mistake: str) -> None:
    E, _ = shared()
    stepper = Stepper(E, mistake=mistake).run()
    theirs = {node: node.grad or 0.0 for node in stepper.order}
    stepper.restore()
    report = compare(E, theirs)
    assert report.ok == stepper.survives
    assert report.ok or mistake in report.mistakes
    assert report.ok or f"this is the mistake {mistake!r}: {MISTAKES[mistake].says}" in repr(report)
    assert [node.grad for node in stepper.order] == [None] * len(stepper.order)


@each_graph
def test_the_right_gradients_compare_equal(make: Callable[[], Built]) -> None:
    E, leaves = make()
    final = record(topological_order(E)).final
    assert compare(E, {leaf: final[leaf] or 0.0 for leaf in leaves}).ok


def test_else_compare_names_the_first_node_in_backward_order_that_is_off() -> None:
    E, _ = shared()
    final = record(topological_order(E)).final
    names = {node.label: node for node in final if node.label}
    theirs = {name: (final[node] or 0.0) * (1.0 if name in ("E", "d", "a") else 1.01) for name, node in names.items()}
    report = compare(E, theirs)
    assert report.node is names["p"] and not report.mistakes
    assert repr(report).endswith("it is the first that is off, in backward order; 2 more are")


@pytest.mark.parametrize(
    ("gradients", "error", "words"),
    [
        ({"nobody": 1.5}, ValueError, "no node is named 'nobody'; there are u, v, p"),
        ({Value(0.3): 1.5}, ValueError, "is not in the graph of E"),
        ({"a": "1.5"}, TypeError, "str given where a Value or a real number is expected"),
        ([1.5], TypeError, "compare takes a mapping"),
    ],
)
def test_what_compare_cannot_use_is_refused(gradients: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        compare(shared()[0], gradients)  # type: ignore[arg-type]


def test_an_unknown_mistake_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="mistake 'plus' is unknown; there are assign, preorder"):
        Stepper(shared()[0], mistake="plus")
