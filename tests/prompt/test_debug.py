"""The prompt: a session to the character, and what each verb does."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import DomainError, Stepper, Value, debug, film, tanh, total
from engine.order import topological_order
from engine.pictures.draw import draw
from engine.prompt.debug import Debugger
from engine.steps.passes import MISTAKES, RIGHT
from engine.text.names import number_text, shown
from engine.text.symbols import TEXT
from tests.graphs import Built, each_graph
from tests.prompt.support import answer, answers, commands_of, gradients, lines_run, neuron, output

# -- a session, to the character

SESSION = """\
step 0 of 8   before the first step
  · E.grad = ∂E/∂E = 1   None → 1
(grad) n; n
step 1 of 8   E = v2 * w   ∂E/∂E = 1   1 of 1 contributions in
  → E.grad = ∂E/∂E = 1   None → 1
step 3 of 8   E = v2 * w   ∂E/∂E = 1   1 of 1 contributions in
    ∂E/∂v2 = w = 0.7
    v2.grad += ∂E/∂E · ∂E/∂v2 = 1 · 0.7 = 0.7           None → 0.7
    ∂E/∂w = v2 = -0.3095
  → w.grad += ∂E/∂E · ∂E/∂w = 1 · (-0.3095) = -0.3095   None → -0.3095
waiting: w (1 of 2 in)
(grad) w
  --> E = v2 * w     E.grad = 1         1 of 1 in   1
      v2 = tanh(s)   v2.grad = 0.7      1 of 1 in   0.7
      s = v1 + b     s.grad = None      0 of 1 in
      b = -1.3       b.grad = None      0 of 1 in
      v1 = w * x     v1.grad = None     0 of 1 in
      x = 1.4        x.grad = None      0 of 1 in
      w = 0.7        w.grad = -0.3095   1 of 2 in   -0.3095
p w shows the node
(grad) d
v2 = tanh(s)   v2.grad = 0.7   1 of 1 in
    u 1: E = v2 * w
    d 1: s = v1 + b
(grad)
s = v1 + b   s.grad = None   0 of 1 in
    u 1: v2 = tanh(s)
    d 1: v1 = w * x
    d 2: b = -1.3
(grad) # a comment
(grad) b op tanh
1: op tanh
(grad) c
step 4 of 8   v2 = tanh(s)   ∂E/∂v2 = 0.7   1 of 1 contributions in
    ∂v2/∂s = sech(s)**2 = sech(-0.32)**2 = 0.9042
  → s.grad += ∂E/∂v2 · ∂v2/∂s = 0.7 · 0.9042 = 0.6329   None → 0.6329
waiting: w (1 of 2 in)
stopped by 1: op tanh
(grad) w.grad
-0.3095069212126386
(grad) predict
step 5: what does s = v1 + b add to v1.grad, with ∂E/∂s = 0.6329?
(predict) 1
step 5 of 8   s = v1 + b   ∂E/∂s = 0.6329   1 of 1 contributions in
  → v1.grad += ∂E/∂s · ∂s/∂v1 = 0.6329 · 1 = 0.6329   None → 0.6329
waiting: w (1 of 2 in)
off by 0.3671: it is 0.6329
this could be the mistake 'no-upstream': the local derivative alone, without the upstream gradient
step 6: what does s = v1 + b add to b.grad, with ∂E/∂s = 0.6329?
(predict) 0.633
step 6 of 8   s = v1 + b   ∂E/∂s = 0.6329   1 of 1 contributions in
    v1.grad += ∂E/∂s · ∂s/∂v1 = 0.6329 · 1 = 0.6329   None → 0.6329
  → b.grad += ∂E/∂s · ∂s/∂b = 0.6329 · 1 = 0.6329     None → 0.6329
waiting: w (1 of 2 in)
right: 0.6329
step 7: what does v1 = w * x add to w.grad, with ∂E/∂v1 = 0.6329?
(predict) q
score: 1 of 2 right
"""


def test_a_session_to_the_character() -> None:
    assert output(neuron(), *commands_of(SESSION)) == SESSION


def test_a_session_is_the_same_every_time() -> None:
    assert len({output(neuron(), *commands_of(SESSION)) for _ in range(3)}) == 1


# -- moving

MOVES: list[tuple[str, Callable[[Stepper], object]]] = [
    ("s", lambda s: s.step()),
    ("step 3", lambda s: s.step(3)),
    ("sb", lambda s: s.back()),
    ("back 2", lambda s: s.back(2)),
    ("n", lambda s: s.next()),
    ("next 2", lambda s: s.next(2)),
    ("nb", lambda s: s.previous()),
    ("previous 3", lambda s: s.previous(3)),
    ("start", lambda s: s.rewind()),
    ("end", lambda s: s.run()),
    ("c", lambda s: s.run() if s.position < len(s) else s.step()),
    ("cb", lambda s: s.rewind() if s.position else s.back()),
    ("goto 3", lambda s: s.goto(3)),
    ("goto -1", lambda s: s.goto(-1)),
    ("goto 99999999999999999999", lambda s: s.goto(10**9)),
    ("until w", lambda s: s.until("w")),
]
moves = st.sampled_from(MOVES)


@given(st.lists(moves, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_moves_are_those_of_the_stepper(chosen: list[tuple[str, Callable[[Stepper], object]]]) -> None:
    E = neuron()
    shown = answers(E, *[command for command, _ in chosen])
    stepper = Stepper(E)
    for (_, move), text in zip(chosen, shown, strict=True):
        here = stepper.position
        move(stepper)
        stays = stepper.position == here and stepper.notes
        said = "\n".join(f"note: {note}" for note in stepper.notes) if stays else repr(stepper)
        assert text.removesuffix("\np s shows the node") == said


@pytest.mark.parametrize(
    ("digits", "move"), [("9" * 5_000, "goto {}"), ("9" * 5_000, "s {}"), ("9" * 15, "n {}"), ("9" * 15, "nb {}")]
)
def test_huge_counts_lead_to_an_end(digits: str, move: str) -> None:
    assert re.search(r"^note: this is the (start|end)$", answer(neuron(), move.format(digits)), re.M)


# -- looking


@each_graph
@pytest.mark.parametrize("share", [0, 0.3, 0.7, 1])
def test_where_is_a_table_around_the_node_in_hand_in_the_order_of_the_pass(
    make: Callable[[], Built], share: float
) -> None:
    E, _ = make()
    position = int(share * len(Stepper(E)))
    lines = answer(E, f"goto {position}", "where").splitlines()
    stepper = Stepper(E).goto(position)
    order, names = list(reversed(stepper.order)), stepper.names
    hand = order.index(stepper.hand)
    first, last = max(min(hand - 4, len(order) - 9), 0), min(max(hand + 5, 9), len(order))
    before, after = [f"      … {first} before"] * (first > 0), [f"      … {len(order) - last} after"]
    assert lines[: len(before)] == before and (last == len(order) or lines[-1:] == after)
    rows = lines[len(before) : len(before) + last - first]
    assert len(lines) == len(before) + len(rows) + (last < len(order))
    assert [row[:6] for row in rows] == ["  --> " if i == hand else "      " for i in range(first, last)]
    for node, row in zip(order[first:last], rows, strict=True):
        made = [number_text(step.contribution) for step in stepper.steps[:position] if step.input is node]
        every = sum(step.input is node for step in stepper.steps)
        grad = "None" if node.grad is None else number_text(node.grad)
        cells = [f"{names[node]} = {TEXT.formula(node, names)}", f"{names[node]}.grad = {grad}"]
        cells += [f"{len(made)} of {every} in", ", ".join(made[:5] + ["…"] * (len(made) > 5))]
        assert re.split(" {3,}", row[6:]) == [cell for cell in cells if cell]
    starts = [[gap.end() for gap in re.finditer(" {3,}", row[6:])] for row in rows]
    assert all(columns == max(starts, key=len)[: len(columns)] for columns in starts)  # one under the other


def test_up_and_down_lead_along_the_edges_and_say_where_they_end() -> None:
    shown = answers(neuron(), "d 2", "u 2", "u", "d", "d 3", "u 9", "n", "u")
    assert [text.split(" ")[0] for text in shown] == ["w", "v1", "s", "v1", "v1", "v1", "step", "E"]
    assert shown[4:6] == ["v1 has 2 operands, not 3", "v1 has 1 consumer, not 9"]
    assert shown[7] == "E has no consumer"  # a move goes back to the node in hand


@pytest.mark.parametrize("count", [4, 5, 6, 8])
def test_five_of_many_are_listed(count: int) -> None:
    def many() -> Value:
        x = Value(1.3, "x")
        return total([x * (i + 0.7) for i in range(count)])

    equations = [f"v{i + 1} = x * {i}.7" for i in range(count)]
    more = [f"    and {count - 5} more"] * (count > 5)
    operands = answer(many(), "d", "u").splitlines()[1:]
    assert operands == [f"    d {i}: {text}" for i, text in enumerate(equations[:5], start=1)] + more
    consumers = answer(many(), "d", "d").splitlines()[1:]
    assert consumers == [f"    u {i}: {text}" for i, text in enumerate(equations[::-1][:5], start=1)] + more
    contributions = answer(many(), "end", "where").splitlines()[-1].split("   ")[-1].split(", ")
    assert contributions == [f"{i}.7" for i in reversed(range(count))][:5] + ["…"] * (count > 5)
    notes = answer(many(), "for each in E.inputs: each.grad = 9.0", "c").splitlines()
    assert sum("was changed from outside" in line for line in notes) == min(count, 5)


def test_why_explains() -> None:
    from engine import explain

    E = neuron()
    w = topological_order(E)[0]
    assert answer(E, "why w") == repr(explain(E, w))
    assert answer(E, "n", "d", "why") == repr(explain(E, topological_order(E)[-2]))


def test_check_stands_beside_a_nudge_and_knows_a_kink() -> None:
    E = neuron()
    assert answer(E, "end", "check w") == "∂E/∂w = 0.5766144352, nudged 0.5766144352: ok"
    right = f"{0.7 / math.cosh(0.32) ** 2:.10g}"
    assert answer(E, "end", "check v1") == f"∂E/∂v1 = {right}, nudged {right}: ok"
    assert answer(E, "check") == "gradcheck: 10 derivatives, all ok"
    assert "but w.grad is -0.3095 here, 1 of 2 contributions in" in answer(E, "n 2", "check w")
    assert "but w.grad is 0.8861 here, 2 of 2 contributions in, mistake 'assign'" in answer(
        E, "mistake assign", "end", "check w"
    )
    kinked = Value(0.0, "a").relu() * 3.5
    assert answer(kinked, "end", "check a") == "∂E/∂a = 0, nudged 1.75: kink"


@each_graph
@pytest.mark.parametrize("off", [1e-3, 1e-9, -1e-9, 1e-11])
def test_check_says_so_where_a_gradient_is_off_by_however_little(make: Callable[[], Built], off: float) -> None:
    E, leaves = make()
    names = Stepper(E).names
    for leaf in leaves:
        leaf.grad = None
        name = names[leaf]
        right, changed = answers(E, "end", f"check {name}", f"{name}.grad *= 1 + {off}", f"check {name}")[1::2]
        said = [f"but {name}.grad is" in text for text in (right, changed)]
        assert said == [False, not re.match(f"∂E/∂{re.escape(name)} = 0, ", right)]


# -- what if


def test_set_is_a_what_if_on_a_copy() -> None:
    E = neuron()
    before = [(node.data, node.grad) for node in topological_order(E)]
    shown = answers(E, "s 3", "set w = 2 * w.data", "p E.data", "until x", "undo", "p w.data")
    w = 1.4
    value = Value(w * 1.4 - 1.3).tanh().data * w
    assert shown[1].endswith(f"what if: E was -0.2167 and is {value:.4g}; undo goes back")
    assert shown[2] == str(value)
    assert "step 3 of 8" in shown[4] and shown[5] == "0.7"  # undo goes back to the step that was left
    assert [(node.data, node.grad) for node in topological_order(E)] == before


def test_a_node_in_the_middle_becomes_a_leaf_and_the_others_keep_their_names() -> None:
    E = (Value(0.3, "a") * 2.0).sin() * (Value(0.7, "b") * 3.0).cos()
    names = {line.split(" = ")[0].strip(" ->") for line in answer(E, "set v2 = 0.5", "where").splitlines()}
    assert names == {"E", "v4", "v3", "b", "v2"}


def test_set_twice_and_undo_twice() -> None:
    shown = answers(
        neuron(), "set w = 1", "set x = 2", "p w.data, x.data", "undo", "p w.data, x.data", "undo", "p w.data"
    )
    assert (shown[2], shown[4], shown[6]) == ("(1.0, 2.0)", "(1.0, 1.4)", "0.7")
    assert answer(neuron(), "undo") == "there is nothing to undo: no node was set"


def test_set_outside_the_domain_changes_nothing() -> None:
    E = Value(2.0, "h").log()
    shown = answers(E, "s", "set h = -1", "p h.data", "s")
    assert shown[1].startswith("DomainError: log: log(x) is not defined at x = -1.0 (h)")
    assert shown[2] == "2.0" and "step 2 of 2" in shown[3]


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_can_be_stepped_and_left(name: str) -> None:
    E = neuron()
    shown = answers(E, "n 2", f"mistake {name}", "end", "mistake off", "end")
    mistaken = Stepper(E, mistake=name)
    assert shown[1] == repr(mistaken) and shown[2] == repr(mistaken.run())
    mistaken.restore()
    assert shown[4] == repr(Stepper(E).run())


# -- predicting


@pytest.mark.parametrize(
    ("line", "judged"),
    [
        ("0.6329", "right: 0.6329"),
        ("0.633", "right: 0.6329"),
        ("0.7 * (1 - tanh(s.data)**2)", "right: 0.6329"),
        ("-0.6329", "off by -1.266: it is 0.6329\nthis could be the mistake 'sign': every gradient has the wrong sign"),
        ("0.9042", "off by 0.2713: it is 0.6329\nthis could be the mistake 'no-upstream': the local derivative alone, "
                   "without the upstream gradient"),
        ("w", None),
        ("0.5", "off by -0.1329: it is 0.6329"),
        ("w * 1", "off by 0.06706: it is 0.6329\nthis could be the mistake 'no-local': the upstream gradient alone, "
                  "without the local derivative"),
        ("0.316", "off by -0.3169: it is 0.6329\nthis could be the mistake 'half': every gradient is half of the right "
                  "one, as where a factor 2 is lost"),
    ],
)  # fmt: skip
def test_predict_says_right_or_by_how_much_off(line: str, judged: str | None) -> None:
    shown = answers(neuron(), "goto 3", "predict", line)
    assert shown[1] == "step 4: what does v2 = tanh(s) add to s.grad, with ∂E/∂v2 = 0.7?"
    if judged is None:  # a verb is a verb, and the question is dropped
        assert "-->" in shown[2]
    else:
        step, _, rest = shown[2].partition("waiting: w (1 of 2 in)\n")
        said, _, question = rest.partition("\nstep 5: ")
        assert "step 4 of 8" in step and said == judged
        assert question.startswith("what does s = v1 + b add to v1.grad, with ∂E/∂s = 0.6329?\nscore: ")


def test_predict_asks_for_each_contribution_before_any_answer_and_ends_with_the_score() -> None:
    E = neuron()
    steps = Stepper(E).steps
    given = [f"{step.contribution:.4g}" for step in steps]
    given[2], given[4] = "17.5", ""
    said = answers(E, "predict", *given)
    for i, (text, step) in enumerate(zip(said[1:], steps, strict=True), start=1):
        shown, _, question = text.partition(f"\nstep {i + 1}: what ")
        assert shown.startswith(f"step {i} of 8") and not re.search("^  · ", shown, re.M)
        made = [line for line in shown.splitlines() if re.search(r"\.grad \+?= ", line)]
        assert made[-1].startswith("  → ") and made[-1][4:].startswith(repr(step).partition("   ")[0])
        assert bool(question) == (i < 8)
        assert number_text(step.contribution) not in question.partition(", with")[0]
    assert said[8].endswith("\nright: 0.4431\nscore: 6 of 8 right, 1 without an answer")
    assert "· w.grad" not in said[7] and "  · x.grad" in answer(E, "goto 7")  # ahead is shown again elsewhere


def test_a_prediction_cannot_ask_for_the_answer() -> None:
    assert answer(neuron(), "goto 3", "predict contribution").splitlines()[-1].startswith("off by ")


@pytest.mark.parametrize("digits", [2, 3, 4, 5, 6, 17])
def test_a_prediction_is_right_if_it_is_rounded_to_three_digits_or_more(digits: int) -> None:
    right = Stepper(neuron()).steps[3].contribution  # 0.632943…
    given = f"{right:.{digits}g}"
    judged = answer(neuron(), "goto 3", f"predict {given}").splitlines()[4]
    off = number_text(float(given) - right)
    assert judged.startswith("right: 0.6329" if digits > 2 else f"off by {off}: it is 0.6329")


@pytest.mark.parametrize("given", ["0.634", "0.6328", "0.63292", "0.6329300001"])
def test_a_prediction_that_is_not_the_rounded_number_is_off(given: str) -> None:
    assert answer(neuron(), "goto 3", f"predict {given}").splitlines()[-1].startswith("off by ")


def test_predict_asks_again_after_nonsense_and_shows_on_an_empty_line() -> None:
    shown = answers(neuron(), "predict", "nonsense", "1/0", "True", "# well", "")
    assert shown[1:4] == [
        "name 'nonsense' is not defined here; info locals lists names",
        "ZeroDivisionError: division by zero",
        "TypeError: bool given where a Value or a real number is expected: write 1.0 or 0.0",
    ]
    assert "step 1 of 8" in shown[5] and shown[5].endswith("\nscore: 0 of 1 right, 1 without an answer")
    assert answer(neuron(), "end", "predict") == "this is the end: there is no contribution to predict"
    assert answer(neuron(), "predict 1").endswith("right: 1")


# -- pictures


def test_draw_writes_this_moment_and_film_the_whole_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = answers(neuron(), "n 3; mistake assign; n 3", "draw", "draw a/b.dot", "film", "film b.html", "w.grad")
    assert said[1:5] == ["wrote graph.svg", "wrote a/b.dot", "wrote backprop.html", "wrote b.html"]
    stepper = Stepper(neuron(), mistake="assign").next(3)
    assert Path("graph.svg").read_text(encoding="utf-8").strip() == draw(stepper).svg()
    assert Path("a/b.dot").read_text(encoding="utf-8") == draw(stepper).source
    assert Path("b.html").read_text(encoding="utf-8") == film(stepper).html()
    assert Path("backprop.html").read_bytes() == Path("b.html").read_bytes()
    assert said[5] == repr(stepper.order[0].grad) != "None"  # the prompt stays where it was


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("draw graph.jpeg", "ValueError: a drawing is saved as .svg, .dot, .pdf or .png; given was 'graph.jpeg'"),
        ("film page", "ValueError: a film is saved as .html; given was 'page'"),
        ("film /dev/null/film.html", "FileExistsError: /dev/null/film.html can't be written: "),
        ("film(E)", 'Film of E: 13 steps; .save("backprop.html"), .html(), .frames'),
        ("draw = 3", "3"),
    ],
)
def test_pictures_that_cannot_be_are_one_line_and_python_stays_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, shown: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = answers(neuron(), line, "p draw")[line.startswith("draw =")]
    assert said.startswith(shown) and not list(tmp_path.iterdir())


# -- help


def test_every_verb_has_help_of_its_own() -> None:
    verbs = Debugger(neuron()).verbs()
    listed = answer(neuron(), "help")
    for names in verbs.values():
        for name in names:
            shown = answer(neuron(), f"help {name}")
            assert shown.splitlines()[0] == ", ".join(names)
            assert shown.splitlines()[1] in listed
            assert re.match(rf"{names[0]}[ :]", shown.splitlines()[1])
    assert answer(neuron(), "help nope") == "there is no verb 'nope'; help lists them"


def test_letters_are_those_of_pdb_and_their_opposites() -> None:
    letters = {names[1] for names in Debugger(neuron()).verbs().values() if len(names) > 1}
    assert letters == {
        *"sncbwudhqrjla",
        "sb",
        "nb",
        "cb",
        "ll",
        "tb",
        "cp",
        "advance",
        "restart",
        "delete",
        "print",
        "ptype",
    }


# -- the end: gradients are as they were

ENDINGS = {
    "q": ["n 3", "q", "p 'not reached'"],
    "quit": ["end", "quit", "p 'not reached'"],
    "exit": ["end", "exit", "p 'not reached'"],
    "EOF": ["end", "EOF", "p 'not reached'"],
    "the end of the list": ["n 3"],
    "in a what-if": ["n 3", "set w = 0.9", "n", "set x = 1", "end"],
    "in a mistake": ["n", "mistake no-zero-grad", "end"],
    "in a question": ["n", "predict", "q"],
}


@pytest.mark.parametrize("commands", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("earlier", [False, True])
def test_gradients_are_restored(commands: list[str], earlier: bool) -> None:
    E = neuron()
    if earlier:
        E.backward()
    before = gradients(E)
    assert "not reached" not in "".join(answers(E, *commands[:3]) if len(commands) < 3 else [output(E, *commands)])
    assert gradients(E) == before


@pytest.mark.parametrize("commands", ENDINGS.values(), ids=ENDINGS)
def test_after_that_the_pass_is_at_its_start_and_can_be_stepped_again(commands: list[str]) -> None:
    prompt = Debugger(neuron(), stdout=io.StringIO())
    prompt.run(commands)
    prompt.restore()
    stepper = (prompt.earlier or [prompt.stepper])[0]
    assert stepper.position == 0
    assert repr(stepper.step()) == repr(Stepper(neuron(), None if stepper.way is RIGHT else stepper.way.name).step())


def test_at_the_end_of_lines_read_from_a_stream() -> None:
    E, stdout = neuron(), io.StringIO()
    debug(E, stdin=io.StringIO("n 2\r\n\nw.grad\n"), stdout=stdout)
    assert stdout.getvalue().startswith("7 nodes; help lists the verbs, q leaves\nstep 0 of 8")
    assert stdout.getvalue().endswith("(grad) -0.3095069212126386\n(grad) \n")
    assert gradients(E) == [None] * 7


@pytest.mark.parametrize("wrong", [None, 3.0, "E"])
def test_what_is_no_value_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="Value"):
        debug(wrong, [])


def test_a_command_that_is_no_text_is_refused_and_gradients_are_restored() -> None:
    E = neuron()
    with pytest.raises(TypeError, match="a command is a str, such as 'n', not int"):
        debug(E, ["n", 3], stdout=io.StringIO())  # type: ignore[list-item]
    assert gradients(E) == [None] * 7


def test_a_graph_that_has_no_gradient_is_refused() -> None:
    with pytest.raises(DomainError):
        debug(Value(0.0, "x").sqrt(), [])


# -- large graphs


def deep(size: int) -> Value:
    node, w = Value(0.5, "x"), Value(0.9, "hidden[2].w[3]")
    for _ in range(size // 2):
        node = (node * w).sin()
    return node


def wide(size: int) -> Value:
    return total([Value(i / size, f"x[{i}]") * 1.5 for i in range(size // 2)]).tanh()


MOVES_ON = ["sb", "s", "goto 3", "n", "nb", "s 5", "u", "d", "p E.grad", "nope", "watch v7", "clear", "predict 1"]


def work(make: Callable[[int], Value], size: int) -> dict[str, int]:
    """The lines that run when the prompt starts, and for each command after that."""
    prompts: list[Debugger] = []
    E = make(size)
    done = {"start": lines_run(lambda: prompts.append(Debugger(E, stdout=io.StringIO())))}
    (prompt,) = prompts
    done["show"] = lines_run(prompt.show)
    for command in ["end", *MOVES_ON]:
        done[command] = lines_run(lambda command=command: prompt.onecmd(command))  # type: ignore[misc]
    prompt.restore()
    return done


@pytest.mark.parametrize("make", [deep, wide])
def test_work_grows_no_faster_than_the_graph(make: Callable[[int], Value]) -> None:
    small, large = work(make, 2_000), work(make, 20_000)
    assert [command for command in small if large[command] > 11 * small[command]] == []
    assert min(large["start"], large["end"]) > 20_000  # they do walk the graph, so the count counts


def test_a_move_in_a_deep_graph_is_no_more_work_than_in_a_small_one() -> None:
    small, large = work(deep, 2_000), work(deep, 20_000)
    assert [command for command in MOVES_ON if command != "goto 3" and large[command] > 1.1 * small[command]] == []


# -- labels that would do something to a terminal

HOSTILE_LABEL = "a\nb\x1b[31m"
NAME = shown(HOSTILE_LABEL)
SAID = {  # lines for each verb, run one after another
    "step": ["s", "s 2", "s 9"],
    "back": ["end", "sb", "sb 3"],
    "next": ["n", "n", "n 9"],
    "previous": ["end", "nb", "nb 9"],
    "continue": [f"b {NAME}", "b E.inputs[0].inputs[0]", f"watch {NAME}#2", "b if 1/0", "c", "c"],
    "reverse": [f"watch {NAME}", "end", "cb", "cb"],
    "until": [f"until {NAME}", f"until {NAME}", f"until {NAME}#2", f"until {NAME}#9"],
    "finish": ["r", "r"],
    "who": [f"who {NAME}#2", "end", "who", f"who {NAME}", f"who {NAME}.grad"],
    "jump": ["goto 3", "goto -1", "jump here"],
    "checkpoint": ["checkpoint", "checkpoint a\x1b", "info checkpoints"],
    "start": ["start", "start here"],
    "run": ["run"],
    "end": ["E.inputs[1].grad = 9.0", "end"],
    "break": [f"b {NAME}", f"b if {NAME} > 1", "b a\x1b[31m", "b"],
    "watch": [f"watch {NAME}", "watch a\x1b[31m", "b"],
    "clear": [f"b {NAME}", "clear 1", "clear"],
    "tbreak": [f"tbreak {NAME}", "tbreak tanh if a\x1b", "c"],
    "disable": [f"b {NAME}", "disable", "disable 1", "c"],
    "enable": [f"b {NAME}", "disable", "enable 1", "c"],
    "ignore": [f"b {NAME}", "ignore 1 2", "c", "b"],
    "condition": [f"b {NAME}", f"condition 1 {NAME}.grad > 1", "condition 1"],
    "commands": [f"b {NAME}", "commands", f"p {NAME}", "p 'a\x1b[31m'", "end", "b", "c"],
    "where": ["where", "end", "where"],
    "list": ["l", "end", "l", "d", "l"],
    "longlist": ["ll", "s", "ll", "end", "ll", "mistake assign", "ll"],
    "args": ["a", "end", "a", "d", "a"],
    "pp": [f"pp {NAME}", "pp [E, E, E, E]"],
    "whatis": [f"whatis {NAME}", "whatis E", f"whatis {NAME}#2", "whatis 3"],
    "display": [f"display {NAME}.grad", "display 'a\x1b[31m'", "display 1/0", "s", "display"],
    "undisplay": [f"display {NAME}.grad", "undisplay 1", "undisplay 1", "undisplay"],
    "info": ["info", "info b", "info args", "info locals", "info nope", "info a\x1b"],
    "up": ["end", "u", "u", "u 9"],
    "down": ["d", "d 2", "d 1", "d 9"],
    "p": [f"p {NAME}", "p E", "p node", "p E.inputs[1].label"],
    "why": ["why", f"why {NAME}", f"why {NAME}#2"],
    "check": ["check", f"check {NAME}", f"check {NAME}#2", "n", f"check {NAME}"],
    "draw": ["draw graph.dot"],
    "film": ["film"],
    "set": [f"set {NAME} = 0.3", f"set {NAME}#2 = 0.3", f"set {NAME} = 1e999", "where", "check"],
    "undo": [f"set {NAME} = 0.3", "end", "undo", "undo"],
    "mistake": [f"mistake {name}; s; s; s; s; end" for name in MISTAKES],
    "predict": ["predict", "1", "predict", "0.3", "predict", "-0.3", f"predict {NAME}", "predict", "", "predict", ""],
    "help": ["help", "help s", f"help {NAME}"],
    "quit": ["q"],
}


def hostile() -> Value:
    """E = tanh(a') * a with a' = w * a, where a and a' have one label: a new line, and the colour red."""
    a, w = Value(1.4, HOSTILE_LABEL), Value(0.7, "w")
    s = w * a
    s.label = HOSTILE_LABEL
    return tanh(s) * a


def test_every_verb_is_among_them() -> None:
    assert SAID.keys() == {names[0] for names in Debugger(neuron()).verbs().values()}


@pytest.mark.parametrize("line", ["help", *(f"help {verb}" for verb in SAID)])
def test_help_fits_80_columns(line: str) -> None:
    assert max(map(len, answer(neuron(), line).splitlines())) < 80


@pytest.mark.parametrize("verb", SAID)
@pytest.mark.parametrize("backward", [False, True])
def test_what_a_verb_says_of_a_hostile_label_can_be_printed_line_by_line(
    verb: str, backward: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    E = hostile()
    if backward:
        E.backward()
    said = "\n".join(answers(E, *SAID[verb]))
    assert [line for line in said.split("\n") if not line.isprintable()] == []
    assert "a\nb" not in said


def test_a_hostile_label_is_typed_as_it_is_shown() -> None:
    rows = answer(hostile(), "where").splitlines()
    assert [row[6:].split(" = ")[0] for row in rows] == ["E", "v1", f"{NAME}#2", NAME, "w"]
    assert "step 6 of 6" in answer(hostile(), f"until {NAME}")
    assert answer(hostile(), f"p {NAME}") == f"Value(data=1.4, grad=None, label={HOSTILE_LABEL!r})"


def test_a_hostile_label_may_be_typed_as_it_is_and_is_never_printed_so() -> None:
    E, label = Value(1.4, "a\x1b[31m") * 2.5, "a\x1b[31m"
    assert answer(E, f"p {label}") == "Value(data=1.4, grad=None, label='a\\x1b[31m')"
    said = output(E, f"b {label}", f"watch {label}", f"until {label}", "start", "c", "b", "clear 1")
    assert all(line.isprintable() for line in said.split("\n"))
    assert "1: node a\\x1b[31m\n" in said and "stopped by 2: watch a\\x1b[31m\n" in said
    offered = Debugger(E).completenames("a")
    assert "a\\x1b[31m" in offered and all(name.isprintable() for name in offered)


def test_a_stepper_is_taken_as_it_stands_and_put_back_in_the_end() -> None:
    E = neuron()
    found = {node: node.grad for node in topological_order(E)}
    stepper, out = Stepper(E, mistake="assign").goto(3), io.StringIO()
    debug(stepper, commands=["s"], stdout=out)
    assert out.getvalue().startswith(repr(Stepper(neuron(), mistake="assign").goto(3)).splitlines()[0])
    assert "step 4 of 8" in out.getvalue() and {node: node.grad for node in topological_order(E)} == found
