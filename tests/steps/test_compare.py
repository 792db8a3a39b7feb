"""The classic wrong passes: each shows where it goes wrong, or says that the graph survives it; compare knows them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from engine import Value, label, topological_order
from engine.steps.compare import compare, rounds_to
from engine.steps.passes import MISTAKES, Pass, record
from engine.steps.stepper import Stepper
from engine.text.names import number_text
from engine.value import operand
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


def early() -> Built:
    """h is read near E and far from it: by depth it passes on before the near one, by level before the far one."""
    x = Value(0.35, "x")
    h = x * 2.9
    far, near = (h.sin() * 0.7).exp(), h * 1.3
    E = far + near
    label(h=h, far=far, near=near, E=E)
    return E, [x]


def twice_late() -> Built:
    """The second reader of h reads it twice."""
    x = Value(0.35, "x")
    h = x * 2.9
    q = h * h
    E = h.exp() + q * 0.7
    label(h=h, q=q, E=E)
    return E, [x]


def differences() -> Built:
    a, b = Value(1.7, "a"), Value(-0.6, "b")
    E = a * 2.9 - b
    E.label = "E"
    return E, [a, b]


SAID: list[tuple[str, Callable[[], Built], str]] = [
    ("assign", shared, "v.grad was 1.768, and = replaced it by 2.652"),
    ("preorder", shared, "v passed on 2.652 while 1.768 through v1 was still to come"),
    ("preorder", early, "h passed on 0.6694 while 1.3 through near was still to come"),
    ("preorder", twice_late, "h passed on 2.759 while 1.421 through q was still to come"),
    ("breadth-first", early, "h passed on 1.3 while 0.6694 through v1 was still to come"),
    ("no-reset", shared, "d.grad still held 2.262 of the earlier pass"),
    ("no-zero-grad", shared, "a.grad still held 4.524 of the earlier pass"),
    ("seed-data", shared, "∂E/∂E is 1, and 7.691 was set"),
    ("sign", shared, "∂E/∂E is 1, and -1 was set"),
    ("half", shared, "∂E/∂E is 1, and 0.5 was set"),
    ("double", shared, "∂E/∂E is 1, and 2 was set"),
    ("minus", differences, "the minus sign of ∂E/∂b = -1 was left out"),
    ("no-seed", shared, "∂E/∂E = 1 was not set, so that all gradients are 0"),
    ("no-upstream", shared, "the upstream gradient ∂E/∂d = 1.74 was left out"),
    ("no-local", shared, "the local derivative ∂v1/∂v = 0.4 was left out"),
    ("swapped", shared, "∂p/∂u = 1.74, and 0.6, the other operand's, was taken"),
    ("once", shared, "d uses a 2 times, and contributes to it once"),
]


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


def test_every_mistake_is_heard() -> None:
    assert {mistake for mistake, _, _ in SAID} == set(MISTAKES)


@pytest.mark.parametrize(("mistake", "make", "sentence"), SAID)
def test_the_step_that_goes_wrong_says_what_was_lost(mistake: str, make: Callable[[], Built], sentence: str) -> None:
    _, said = walk(make()[0], mistake)
    assert sentence in said


def by_depth(node: Value, seen: dict[Value, None]) -> list[Value]:
    """Depth first, as one would write it down."""
    if node not in seen:
        seen[node] = None
        for input in node.inputs:
            if isinstance(input, Value):
                by_depth(input, seen)
    return list(seen)


def by_level(E: Value) -> list[Value]:
    """E, then its inputs, then those of their inputs that are new, and so on."""
    level, seen = [E], {E: None}
    while level:
        below = [input for node in level for input in node.inputs if isinstance(input, Value)]
        level = [node for node in dict.fromkeys(below) if node not in seen]
        seen |= dict.fromkeys(level)
    return list(seen)


@pytest.mark.parametrize("make", [*GRAPHS.values(), shared, early])
def test_each_order_is_the_one_that_it_is_called_by(make: Callable[[], Built]) -> None:
    E, _ = make()
    orders = {"preorder": by_depth(E, {}), "breadth-first": by_level(E)}
    for mistake, expected in orders.items():
        visited = list(dict.fromkeys(step.node for step in Stepper(E, mistake=mistake).steps))
        assert visited == [node for node in expected if node.rule]


def closed_late() -> Built:
    """What h gets from its second reader is 0, whenever it comes."""
    x = Value(0.35, "x")
    h = x * 2.9
    near = h * 1.3
    E = near + (h.sin() * 0.0).exp()
    label(h=h, near=near, E=E)
    return E, [x]


@pytest.mark.parametrize("mistake", ["preorder", "breadth-first"])
@pytest.mark.parametrize("make", [*GRAPHS.values(), shared, early, closed_late])
def test_what_is_still_to_come_is_told_where_it_is_missed_and_nowhere_else(
    mistake: str, make: Callable[[], Built]
) -> None:
    E, _ = make()
    stepper, said = walk(E, mistake)
    assert stepper.survives is not any("still to come" in line for line in said), said


@each_graph
def test_only_of_two_operands_does_each_get_the_others_derivative(make: Callable[[], Built]) -> None:
    for step in Stepper(make()[0], mistake="swapped").steps[1:]:
        assert step.slot is not None
        partials = step.node.partials
        two = len(partials) == 2 and None not in partials
        assert step.partial == partials[1 - step.slot if two else step.slot]


def test_a_chain_survives_what_needs_sharing_to_show() -> None:
    E = (Value(0.7, "w") * 1.3).tanh()
    for mistake in ("assign", "preorder", "breadth-first", "once"):
        assert "this graph survives it" in repr(Stepper(E, mistake=mistake))


@each_graph
def test_a_factor_is_missed_where_it_is_not_1_and_nowhere_else(make: Callable[[], Built]) -> None:
    for mistake in ("no-upstream", "no-local", "swapped"):
        stepper = Stepper(make()[0], mistake=mistake).step()
        for step in stepper.steps[1:]:
            assert step.slot is not None
            right = step.node.partials[step.slot]
            missed = {"no-upstream": step.upstream != 1, "no-local": right != 1, "swapped": step.partial != right}
            assert any(line.startswith("here: ") for line in stepper.step().told()) is missed[mistake], step


@each_graph
def test_once_is_by_the_first_slot(make: Callable[[], Built]) -> None:
    E, _ = make()
    first: dict[tuple[Value, Value], int] = {}
    for node in topological_order(E):
        for slot, input in enumerate(node.inputs):
            if isinstance(input, Value):
                first.setdefault((node, input), slot)
    steps = Stepper(E, mistake="once").steps[1:]
    assert {(step.node, step.input): step.slot for step in steps} == first and len(steps) == len(first)


@each_mistake
@each_graph
def test_a_pass_starts_from_what_its_mistake_leaves(make: Callable[[], Built], mistake: str) -> None:
    """Nothing, but that no-reset leaves the interior gradients of an earlier pass, and no-zero-grad the leaves'."""
    E, _ = make()
    stepper = Stepper(E, mistake=mistake)
    started = {node: node.grad for node in stepper.order if node.grad is not None}
    stepper.restore()
    E.backward()
    left = {"no-reset": True, "no-zero-grad": False}.get(mistake)
    assert started == {node: node.grad for node in stepper.order if (node.rule is not None) is left}


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
    verb = "is" if len(report.mistakes) == 1 else "could be"
    assert report.ok or f"this {verb} the mistake {mistake!r}: {MISTAKES[mistake].says}" in repr(report)
    assert [node.grad for node in stepper.order] == [None] * len(stepper.order)


@each_graph
def test_the_right_gradients_compare_equal(make: Callable[[], Built]) -> None:
    E, leaves = make()
    final = record(topological_order(E)).final
    assert compare(E, {leaf: final[leaf] or 0.0 for leaf in leaves}).ok


@pytest.mark.parametrize("tolerance", [None, 1e-9, 1e-6, 1e-3])
def test_equal_means_within_the_tolerance_of_the_right_number(tolerance: float | None) -> None:
    E, _ = early()
    for mistake in (None, *MISTAKES):  # a mistake's numbers are recognised as closely
        stepper = Stepper(E, mistake=mistake).run()
        theirs = {node: node.grad or 0.0 for node in stepper.order}
        survives = stepper.survives
        stepper.restore()
        for share, equal in ((0.9, True), (1.1, False)):
            given = {node: grad * (1 + share * (tolerance or 1e-6)) for node, grad in theirs.items()}
            report = compare(E, given) if tolerance is None else compare(E, given, tolerance=tolerance)
            if mistake is None or survives:
                assert report.ok is equal
            elif any(theirs.values()):
                assert (mistake in report.mistakes) is equal


# -- what a pupil's numbers meet


@each_graph
def test_the_numbers_that_every_view_prints_are_right(make: Callable[[], Built]) -> None:
    E, _ = make()
    final = record(topological_order(E)).final
    assert compare(E, {node: float(number_text(grad or 0.0)) for node, grad in final.items()}).ok


@each_mistake
@pytest.mark.parametrize("digits", [3, 4, 5, 6, 17])
def test_a_mistake_is_recognised_from_rounded_numbers(mistake: str, digits: int) -> None:
    E, _ = shared()
    final = record(topological_order(E), MISTAKES[mistake]).final
    report = compare(E, {node: float(f"{grad or 0.0:.{digits - 1}e}") for node, grad in final.items()})
    assert report.ok or mistake in report.mistakes


@pytest.mark.parametrize("true", [1.2658, -0.63291, 9.9967, 0.99995, 12345.678, 1.7e-17, -4.4e300, 2.5e-310])
@pytest.mark.parametrize("digits", [3, 4, 5, 6])
def test_a_number_is_right_if_it_is_the_true_one_rounded(true: float, digits: int) -> None:
    rounded = Decimal(f"{true:.{digits - 1}e}")
    unit = Decimal(1).scaleb(rounded.adjusted() - digits + 1)
    assert rounds_to(true, float(rounded))
    for off in (-1, 1):
        near = rounded + off * unit
        if len(near.normalize().as_tuple().digits) == digits:  # else it may have been given with fewer
            assert rounds_to(true, float(near)) == (abs(near - Decimal(true)) <= unit / 2)


@pytest.mark.parametrize("true, given, right", [
    (1.2658, 1.3, False), (1.2658, 1.27, True), (0.3001, 0.3, True), (0.3009, 0.3, False), (5.0, 5.0, True),
    (1.0, 1.0000011, False), (1.0, 1.0000009, True), (1.234567, 1.2345678, True), (1.234567, 1.234578, False),
    (0.0, 0.0, True), (0.0, 1e-9, False), (1e-9, 0.0, False), (1.2345, 1.234, True), (1.2345, 1.235, True),
    (0.7, -0.7, False), (0.99999999, 0.996, False), (0.99999999, 0.9996, False), (-9.9999999, -9.96, False),
    (0.99999999, 1.0, True),
])  # fmt: skip
def test_how_many_digits_a_number_was_given_with(true: float, given: float, right: bool) -> None:
    assert rounds_to(true, given) == right


def test_a_single_number_could_be_any_mistake_that_fits_and_a_whole_pass_is_one() -> None:
    E, (a, _) = shared()
    half = (record(topological_order(E)).final[a] or 0.0) / 2
    report = compare(E, {a: half})
    assert {"half", "once", "assign"} <= {*report.mistakes} and "this is the mistake" not in repr(report)
    final = record(topological_order(E), MISTAKES["half"]).final
    report = compare(E, {node: grad or 0.0 for node, grad in final.items()})
    assert report.mistakes == ["half"] and "this is the mistake 'half'" in repr(report)


def test_a_mistake_that_explains_only_some_of_the_numbers_is_not_named() -> None:
    E, (a, u) = shared()
    final, right = record(topological_order(E), MISTAKES["assign"]).final, record(topological_order(E)).final
    report = compare(E, {a: final[a] or 0.0, u: (right[u] or 0.0) * 1.37})
    assert not report.mistakes and set(report.off) == {a, u}


def test_else_compare_names_the_first_node_in_backward_order_that_is_off() -> None:
    E, _ = shared()
    final = record(topological_order(E)).final
    names = {node.label: node for node in final if node.label}
    theirs = {name: (final[node] or 0.0) * (1.0 if name in ("E", "d", "a") else 1.01) for name, node in names.items()}
    report = compare(E, theirs)
    assert report.node is names["p"] and not report.mistakes
    off = [name for name in ("p", "v", "u") if name in names]
    assert [node.label for node in report.off] == off  # all that are off, in backward order
    assert [line.split(".grad")[0].removeprefix("compare: ") for line in repr(report).splitlines()[:-1]] == off
    assert "no classic mistake has these numbers" in repr(report)
    alone = compare(E, {**{name: final[node] or 0.0 for name, node in names.items()}, "p": 1.5})
    assert alone.node is names["p"] and repr(alone).endswith(" and 1.5 was given")


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


# -- what exactly is said


def differing() -> Built:
    """Gradients that no classic mistake has in common: 0 by z, and numbers that agree to four digits."""
    a, b, z = Value(1.7, "a"), Value(-0.6, "b"), Value(0.9, "z")
    E = (a * b).tanh() * a + z * 0.0
    E.label = "E"
    return E, [a, b, z]


@pytest.mark.parametrize(
    ("make", "given", "lines"),
    [
        (differing, {"z": 0.0}, ["compare: the gradient is that of the chain rule"]),
        (differing, {"z": 0.0, "E": 1}, ["compare: all 2 gradients are those of the chain rule"]),
        (differing, {"z": 0.3}, ["compare: z.grad is 0, and 0.3 was given"]),
        (differing, {"z": 0.3, "E": 1}, ["compare: z.grad is 0, and 0.3 was given"]),
        (
            differing,
            {"z": 0.3, "a": 0.7},
            [
                "compare: z.grad is 0, and 0.3 was given",
                "a.grad is -1.185, and 0.7 was given",
                "no classic mistake has these numbers; the first is the first that is off, in backward order",
            ],
        ),
        (differing, {"E": 1.00004}, ["compare: E.grad is 1.0, and 1.00004 was given"]),
    ],
    ids=lambda given: given.__name__ if callable(given) else None,
)
def test_a_comparison_says_exactly_this(make: Callable[[], Built], given: dict[str, float], lines: list[str]) -> None:
    assert repr(compare(make()[0], given)).splitlines() == lines


@pytest.mark.parametrize("way", MISTAKES.values(), ids=MISTAKES)
@each_graph
def test_every_order_visits_every_node_once(make: Callable[[], Built], way: Pass) -> None:
    order = topological_order(make()[0])
    visited = list(way.visits(order))
    assert len(visited) == len(order) and set(visited) == set(order)


@each_graph
def test_without_a_seed_every_gradient_is_0(make: Callable[[], Built]) -> None:
    final = record(topological_order(make()[0]), MISTAKES["no-seed"]).final
    assert not any(final.values())


def test_what_an_earlier_pass_left_at_the_root() -> None:
    E, x = shared()[0], Value(0.7)
    assert Stepper(E, mistake="no-reset").run().E.grad == 1.0  # ∂E/∂E is set, not added to
    for name in ("no-reset", "no-zero-grad"):
        x.grad = 0.3
        stepper = Stepper(x, mistake=name).run()
        assert x.grad == (1.3 if name == "no-reset" else 2.0)  # a leaf that is a root of its own adds
        stepper.restore()


def test_a_mistake_is_silent_where_it_loses_nothing() -> None:
    once = (Value(0.7, "w") * 1.3).tanh()
    assert walk(once, "once")[1] == []
    one = Value(2.0, "w") * 0.5
    assert walk(one, "seed-data")[1] == []


def test_each_loss_is_told_once() -> None:
    for name, times in (("no-reset", 6), ("preorder", 1), ("no-zero-grad", 2)):
        _, said = walk(shared()[0], name)
        assert len(said) == len(set(said)) == times, said


@pytest.mark.parametrize("given, tolerance, right", [(1.5, 0.5, True), (0.5, 0.5, True), (1.6, 0.5, False)])
def test_a_tolerance_includes_its_bound(given: float, tolerance: float, right: bool) -> None:
    assert rounds_to(1.0, given, tolerance) == right
    assert rounds_to(1.2345674, 1.234568)  # of seven digits one may be off, within a millionth


@pytest.mark.parametrize("given", ["r", "q", "s", "rq", "rs", "qs", "rqs"])
@pytest.mark.parametrize("digits", [4, 17])
def test_the_contributions_that_are_missing_are_named_by_their_edges(given: str, digits: int) -> None:
    a, b = Value(0.8, "a"), Value(-1.1, "b")
    p = a**2
    q = p.tanh()
    r, s = p * q, b * p
    E = r - s
    label(p=p, q=q, r=r, s=s, E=E)
    brought = {"r": q.data, "s": -b.data, "q": p.data * (1 - q.data**2)}
    theirs = float(f"{sum(brought[name] for name in given):.{digits}g}")
    report = compare(E, {"p": theirs})
    assert {node.label for node, _ in report.lost} == set("rqs") - set(given)
    assert all(operand(node, slot) is p for node, slot in report.lost)


def test_where_several_choices_give_the_number_none_is_named() -> None:
    a = Value(1.3, "a")
    assert compare(a * a, {"a": 1.3}).lost == []
