"""Stepping: every walk ends bitwise where backward() does, and what is shown is what was computed."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import DomainError, Value, label, topological_order, total
from engine.steps.stepper import ForwardStepper, Stepper
from tests.graphs import GRAPHS, Built, Recipe, each_graph, recipes


def bits(E: Value) -> list[bytes | None]:
    """Every gradient of the graph, bit for bit."""
    return [None if node.grad is None else struct.pack("d", node.grad) for node in topological_order(E)]


def by_backward(E: Value) -> list[bytes | None]:
    """The gradients that backward() leaves, from those that the graph holds now, which are put back."""
    order = topological_order(E)
    held = [node.grad for node in order]
    E.backward()
    result = bits(E)
    for node, grad in zip(order, held, strict=True):
        node.grad = grad
    return result


MOVES = {
    "step": lambda s, k: s.step(k), "back": lambda s, k: s.back(k), "next": lambda s, k: s.next(),
    "previous": lambda s, k: s.previous(), "goto": lambda s, k: s.goto(k * 7 % (len(s) + 1)),
    "until": lambda s, k: s.until(s.order[k % len(s.order)]), "rewind": lambda s, k: s.rewind(),
}  # fmt: skip
walks = st.lists(st.tuples(st.sampled_from(sorted(MOVES)), st.integers(0, 9)), max_size=12)


@settings(derandomize=True, deadline=None)
@given(recipes(), walks, st.booleans())
def test_any_walk_ends_bitwise_where_backward_ends(recipe: Recipe, walk: list[tuple[str, int]], held: bool) -> None:
    E, leaves = recipe.build()
    if held:
        for i, leaf in enumerate(leaves):
            leaf.grad = 0.37 - i
    start = [node.grad if node.rule is None else None for node in topological_order(E)]
    expected = by_backward(E)
    stepper = Stepper(E)
    for move, k in walk:
        assert MOVES[move](stepper, k) is stepper and not any("outside" in note for note in stepper.notes)
    stepper.run()
    assert bits(E) == expected
    stepper.rewind()
    assert [node.grad for node in topological_order(E)] == start


@each_graph
def test_every_step_is_partial_times_upstream(make: Callable[[], Built]) -> None:
    E, _ = make()
    stepper = Stepper(E)
    arrived: dict[Value, int] = {}
    for number, step in enumerate(stepper.steps, start=1):
        assert step.number == number and step.contribution == step.partial * step.upstream
        assert step.after == (step.before or 0.0) + step.contribution
        arrived[step.input] = arrived.get(step.input, 0) + 1
        assert step.part == arrived[step.input] <= step.parts
        if step.slot is not None:
            assert step.input is step.node.inputs[step.slot] and step.partial == step.node.partials[step.slot]
    assert len(stepper) == 1 + sum(p is not None for node in topological_order(E) for p in node.partials)


@each_graph
def test_a_node_passes_on_only_what_is_complete(make: Callable[[], Built]) -> None:
    E, _ = make()
    stepper = Stepper(E).run()
    complete = {node: node.grad for node in stepper.order}
    assert all(step.upstream == complete[step.node] for step in stepper.steps if step.slot is not None)
    assert not stepper.waiting


def test_waiting_nodes_are_those_with_some_contributions_in() -> None:
    a = Value(1.5, "a")
    E = a * a.sin() + a.exp()
    label(E=E)
    stepper = Stepper(E)
    seen = [dict(stepper.step().waiting) for _ in range(len(stepper))]
    counts = [waiting.get(a) for waiting in seen]
    assert counts[-1] is None and [count for count in counts if count] == sorted(count for count in counts if count)
    assert {count[1] for count in counts if count} == {3}
    assert "waiting: a (1 of 3 in)" in repr(stepper.goto(counts.index((1, 3)) + 1))


def test_the_real_gradients_move() -> None:
    w, x = Value(0.7, "w"), Value(1.4, "x")
    stepper = Stepper(w * x * 3.1)
    assert (w.grad, stepper.step(3).position) == (None, 3)
    assert w.grad == 3.1 * 1.4 and x.grad is None
    stepper.back()
    assert w.grad is None


def test_past_either_end_a_move_does_nothing_and_says_so() -> None:
    stepper = Stepper(Value(0.7, "w").tanh())
    assert stepper.back(3).position == 0 and "note: this is the start" in repr(stepper)
    assert stepper.run().step().position == len(stepper) and "note: this is the end" in repr(stepper)
    assert "note" not in repr(stepper.back())


def test_restore_brings_back_what_was_found() -> None:
    w = Value(0.7, "w")
    m = w * 1.9
    E = m.tanh()
    E.backward()
    found = [(node, node.grad) for node in (w, m, E)]
    stepper = Stepper(E)
    assert m.grad is None and w.grad == found[0][1] and "gradients from before" in repr(stepper)
    first = (
        f"step 0 of 3   before the first step   adds to gradients from before: w {w.grad:.4g}; zero_grad() clears them"
    )
    assert repr(stepper).splitlines()[0] == first
    stepper.step(2).restore()
    assert [(node, node.grad) for node in (w, m, E)] == found
    assert stepper.position == 0 and stepper.last_writer(E) is None


@pytest.mark.parametrize("held", [None, 0.0, -0.0, 0.25])
@pytest.mark.parametrize("factor", [0.0, -0.0, 1.3])
@pytest.mark.parametrize("upstream", [0.0, -0.0, -1.7])
def test_a_zero_ends_with_the_sign_that_backward_gives_it(held: float | None, factor: float, upstream: float) -> None:
    w = Value(0.7, "w")
    w.grad = held
    E = w * factor * upstream
    expected = by_backward(E)
    Stepper(E).run()
    assert bits(E) == expected


def test_changes_from_outside_are_told() -> None:
    w = Value(0.7, "w")
    stepper = Stepper(w * w * 1.3)
    stepper.step(3)
    w.grad = 5.5
    assert "note: w.grad was changed from outside, from 0.91 to 5.5" in repr(stepper.step())
    assert "note" not in repr(stepper.back(2).step(2))


def test_data_changed_from_outside_is_told() -> None:
    w = Value(0.7, "w")
    stepper = Stepper((w * 1.3).tanh())
    w.data = 0.9
    assert "stale: w was set to another number after the graph was built" in repr(stepper.step())


def test_until_goes_to_the_step_that_completes_a_gradient() -> None:
    E, _ = GRAPHS["diamond"]()
    final_of = {step.input: step.after for step in Stepper(E).steps}
    for node, final in final_of.items():
        stepper = Stepper(E).until(node)
        assert node.grad == final and stepper.steps[stepper.position - 1].input is node
        stepper.restore()
    for node, final in final_of.items():  # and back to it
        stepper.run().until(node)
        assert node.grad == final and stepper.steps[stepper.position - 1].input is node
        assert "is complete since step" in repr(stepper)
    for bad in ("nobody", Value(1.0)):
        with pytest.raises(ValueError, match=r"no node is named 'nobody'|is not in the graph"):
            stepper.until(bad)


def test_last_writer_is_the_latest_step_so_far() -> None:
    for make in (GRAPHS["diamond"], GRAPHS["square"], GRAPHS["fan_out"], neuron):
        stepper = Stepper(make()[0])
        latest: dict[Value, int] = {}
        for step in stepper.steps:
            stepper.step()
            latest[step.input] = step.number
            for node in stepper.order:
                writer = stepper.last_writer(node)
                assert (writer.number if writer else None) == latest.get(node)
                assert node.grad == (writer.after if writer else None)
    assert stepper.rewind().last_writer("w") is None


@pytest.mark.parametrize("move", ["next", "previous"])
def test_next_and_previous_stop_at_the_borders_of_a_node(move: str) -> None:
    E, _ = GRAPHS["neuron"]()
    stepper = Stepper(E) if move == "next" else Stepper(E).run()
    borders = []
    while not stepper.notes:
        getattr(stepper, move)()
        borders.append(stepper.position)
    nodes = [step.node for step in stepper.steps]
    for place in borders:
        assert place in (0, 1, len(nodes)) or nodes[place] is not nodes[place - 1]


@each_graph
def test_a_move_by_a_count_is_as_many_moves(make: Callable[[], Built]) -> None:
    E, _ = make()
    for move in ("step", "next", "back", "previous"):
        one, many = (Stepper(E) if move in ("step", "next") else Stepper(E).run() for _ in range(2))
        for count in (1, 2, 3):
            for _ in range(count):
                getattr(one, move)()
            assert getattr(many, move)(count).position == one.position


def test_an_infinite_local_derivative_raises_and_touches_nothing() -> None:
    w = Value(0.0, "w")
    w.grad = 0.25
    E = w.sqrt() * 1.7
    with pytest.raises(DomainError, match=r"sqrt: dz/dx = 1 / \(2 \* z\) is infinite at x = 0.0 \(w\)"):
        Stepper(E)
    assert w.grad == 0.25 and E.grad is None


@pytest.mark.parametrize("inside", [False, True])
def test_contributions_that_add_up_beyond_the_doubles_raise_as_in_backward_and_touch_nothing(inside: bool) -> None:
    x = Value(1e-300, "x")
    x.grad = 0.25
    h = x * 1.5 if inside else x
    E = h * 1.7e308 + h * 1.6e308
    for attempt in (E.backward, lambda: Stepper(E)):
        with pytest.raises(DomainError, match=r"1\.8e308"):
            attempt()
        assert x.grad == 0.25


@pytest.mark.parametrize("position", ["3", 1.5, None, True])
def test_a_position_is_a_whole_number(position: object) -> None:
    with pytest.raises(TypeError, match="a position is a whole number from 0 to 2; given was"):
        Stepper(Value(0.7).tanh()).goto(position)  # type: ignore[arg-type]


def test_a_leaf_can_be_stepped_too() -> None:
    w = Value(0.7, "w")
    w.grad = 0.25
    Stepper(w).run()
    assert w.grad == 1.25


def neuron() -> Built:
    x, w, b = Value(1.4, "x"), Value(0.7, "w"), Value(-1.3, "b")
    m = w * x
    s = m + b
    label(m=m, s=s, E=(E := s.tanh()))
    return E, [x, w, b]


TRANSCRIPT = """\
step 0 of 6   before the first step
  · E.grad = ∂E/∂E = 1   None → 1
step 2 of 6   E = tanh(s)   ∂E/∂E = 1   1 of 1 contributions in
    ∂E/∂s = sech(s)**2 = sech(-0.32)**2 = 0.9042
  → s.grad += ∂E/∂E · ∂E/∂s = 1 · 0.9042 = 0.9042   None → 0.9042
step 4 of 6   s = m + b   ∂E/∂s = 0.9042   1 of 1 contributions in
    m.grad += ∂E/∂s · ∂s/∂m = 0.9042 · 1 = 0.9042   None → 0.9042
  → b.grad += ∂E/∂s · ∂s/∂b = 0.9042 · 1 = 0.9042   None → 0.9042
step 6 of 6   m = w * x   ∂E/∂m = 0.9042   1 of 1 contributions in
    ∂m/∂w = x = 1.4
    w.grad += ∂E/∂m · ∂m/∂w = 0.9042 · 1.4 = 1.266    None → 1.266
    ∂m/∂x = w = 0.7
  → x.grad += ∂E/∂m · ∂m/∂x = 0.9042 · 0.7 = 0.6329   None → 0.6329
note: this is the end"""


def test_what_a_person_sees() -> None:
    stepper = Stepper(neuron()[0])
    seen = [repr(stepper), *(repr(stepper.step(2)) for _ in range(3))]
    assert "\n".join([*seen, "note: this is the end"]) == TRANSCRIPT
    assert max(map(len, TRANSCRIPT.splitlines())) <= 80
    assert repr(stepper.step()).endswith("note: this is the end")
    assert "\x1b" not in repr(stepper) and "\x1b[1m" in stepper.text(colour=True)


@each_graph
def test_columns_stand_apart_and_below_each_other(make: Callable[[], Built]) -> None:
    stepper = Stepper(make()[0])
    for step in stepper.steps:
        shown = repr(stepper.step()).splitlines()
        changes = [match for line in shown if (match := re.search(r"(?<=\S) {3,}(?=\S+ → \S+$)", line))]
        assert changes and len({match.end() for match in changes}) == 1
        assert re.fullmatch(r"\S+\.grad \+?= \S.*\S {3,}\S+ → \S+", repr(step))
        assert re.sub(" {3,}", "   ", next(line for line in shown if "→ " in line[:4])[4:]) == repr(step)


def test_jupyter_gets_the_text_with_labels_as_data() -> None:
    w = Value(0.7, "<b>&w")
    html = Stepper(w.tanh()).step(2)._repr_html_()
    assert "<pre" in html and "&lt;b&gt;&amp;w" in html and "<b>" not in html


def test_a_wide_sum_shows_a_window() -> None:
    E = total(Value(i + 0.5, f"x{i}") * 1.5 for i in range(1000))
    text = repr(Stepper(E).goto(500))
    assert len(text.splitlines()) < 12 and "and 993 more" in text and "→ v499.grad" in text


def test_the_forward_pass_is_walked_with_the_same_moves() -> None:
    E, _ = neuron()
    stepper = ForwardStepper(E)
    assert len(stepper) == 6 and stepper.hand.label == "w"
    assert stepper.until("s").hand is E.inputs[0]
    assert "s = m + b = 0.98 + (-1.3) = -0.32" in repr(stepper)
    assert "→ E = tanh(s) = tanh(-0.32) = -0.3095" in repr(stepper.run()) and stepper.hand is E
    assert "note: this is the end" in repr(stepper.step())


def test_a_step_costs_as_much_in_a_long_chain_as_in_a_short_one() -> None:
    def cost(length: int) -> float:
        x = E = Value(0.3, "x")
        for _ in range(length):
            E = E * 1.0000001
        stepper = Stepper(E)
        assert x.grad is None and len(stepper) == length + 1
        times = []
        for _ in range(5):
            start = time.process_time()
            for _ in range(200):
                stepper.step().back()
            times.append(time.process_time() - start)
        return min(times)

    assert cost(30_000) < 8 * cost(300)  # a walk of the graph for each step would cost a hundred times as much


@each_graph
def test_a_stepper_is_a_sequence_of_its_steps(make: Callable[[], Built]) -> None:
    E, _ = make()
    stepper = Stepper(E)
    assert [repr(step) for step in stepper] == [repr(step) for step in stepper.steps]
    assert repr(stepper[0]) == repr(stepper.steps[0]) and repr(stepper[-1]) == repr(stepper.steps[-1])
    assert list(map(repr, stepper[1:3])) == list(map(repr, stepper.steps[1:3])) and stepper.position == 0


def test_the_list_of_steps_is_read_as_a_table() -> None:
    steps = Stepper(neuron()[0]).steps
    lines = repr(steps).splitlines()
    assert len(lines) == 6 and len({line.rindex(" → ") - len(line.split()[-3]) for line in lines}) == 1
    assert lines[1].split("   ")[:2] == ["2", "s.grad += ∂E/∂E · ∂E/∂s = 1 · 0.9042 = 0.9042"]
    many = Stepper(total(Value(i + 0.5) * 1.5 for i in range(40)))
    assert repr(many.steps).splitlines()[-1] == f"and {len(many) - 50} more"
