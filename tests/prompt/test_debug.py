"""The prompt: what is a verb and what is Python, what each verb does, and that no line whatever breaks it."""

from __future__ import annotations

import io
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import DomainError, Stepper, Value, debug, film, tanh, total
from engine.order import topological_order
from engine.pictures.draw import draw
from engine.prompt.debug import Debugger, in_a_line
from engine.steps.passes import MISTAKES
from tests.graphs import Built, each_graph

ROOT = Path(__file__).parents[2]


def neuron() -> Value:
    """E = tanh(s) * w with s = w * x + b: the names are those of verbs, and w is used twice."""
    x, w, b = Value(1.4, "x"), Value(0.7, "w"), Value(-1.3, "b")
    s = w * x + b
    s.label = "s"
    return tanh(s) * w


def layered() -> Value:
    """Labels that are paths, a label used twice, and one that is no name at all."""
    w, z = Value(0.7, "hidden[2].w[3]"), Value(1.4, "hidden[0].z")
    first, second, gain = Value(1.9, "x"), Value(-0.3, "x"), Value(2.5, "the gain")
    return tanh(w * z) * first * second * gain


def output(E: Value, *commands: str) -> str:
    """What a run of commands prints."""
    stdout = io.StringIO()
    debug(E, commands, stdout=stdout)
    return stdout.getvalue()


def answers(E: Value, *commands: str) -> list[str]:
    """What each command prints, without the prompt."""
    shown = re.split(r"^\((?:grad|predict)\).*\n", output(E, *commands), flags=re.M)[1:]
    assert len(shown) == len(commands)
    return [answer.rstrip("\n") for answer in shown]


def answer(E: Value, *commands: str) -> str:
    """What the last command prints."""
    return answers(E, *commands)[-1]


def gradients(E: Value) -> list[float | None]:
    return [node.grad for node in topological_order(E)]


# -- a session, to the character

SESSION = """\
step 0 of 8   before the first step
    E.grad = ∂E/∂E = 1   None → 1
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
    b.grad += ∂E/∂s · ∂s/∂b = 0.6329 · 1 = 0.6329     None → 0.6329
waiting: w (1 of 2 in)
off by 0.3671: it is 0.6329; that is the local derivative alone
(grad) q
"""


def commands_of(session: str) -> list[str]:
    return re.findall(r"^\((?:grad|predict)\) ?(.*)$", session, re.M)


def test_a_session_to_the_character() -> None:
    assert output(neuron(), *commands_of(SESSION)) == SESSION


def test_a_session_is_the_same_every_time() -> None:
    assert len({output(neuron(), *commands_of(SESSION)) for _ in range(3)}) == 1


def test_commands_may_be_one_text() -> None:
    stdout = io.StringIO()
    debug(neuron(), "n; n # no comment here\n# a comment; of one line\np ';' + 'a'", stdout=stdout)
    assert commands_of(stdout.getvalue()) == ["n", "n # no comment here", "# a comment; of one line", "p ';' + 'a'"]
    assert stdout.getvalue().endswith("';a'\n")


def test_typed_lines_may_hold_several_commands() -> None:
    assert answer(neuron(), "n; n; p w.grad").endswith("\n-0.3095069212126386")
    assert "step 5 of 8" in answer(neuron(), "s; s", "", "s")
    assert answers(neuron(), "k = 3; m = 4", "p k + m") == ["", "7"]
    assert commands_of(output(neuron(), "n; q; n", "n")) == ["n; q; n"]


# -- verbs and Python

VERBS_OR_PYTHON: list[tuple[str, str]] = [
    ("w.grad", "None"),
    ("b*2", "Value(data=-2.6, grad=None, label=None)"),
    ("b * 2", "Value(data=-2.6, grad=None, label=None)"),
    ("b -1", "Value(data=-2.3, grad=None, label=None)"),
    ("w is w", "True"),
    ("w, s = 1, 2", "w is now a name at this prompt; set w = 1, 2 changes the node\n"
                    "s is now a name at this prompt; set s = 1, 2 changes the node"),
    ("s = 3", "s is now a name at this prompt; set s = 3 changes the node"),
    ("n = 3", ""),
    ("p = 3", ""),
    ("help = 3", ""),
    ("c = [w, b]", ""),
    ("!w", "Value(data=0.7, grad=None, label='w')"),
    ("p w", "Value(data=0.7, grad=None, label='w')"),
    ("p (w.data)", "0.7"),
    ("p w.data, b.data", "(0.7, -1.3)"),
    ("p -w.data", "-0.7"),
    ("p contribution", "None"),
    ("p w.grad", "None"),
    ("b w", "1: node w"),
    ("b v1", "1: node v1"),
    ("b if abs(contribution) > 10", "1: if abs(contribution) > 10"),
    ("b op mul", "1: op mul"),
    ("watch w", "1: watch w"),
    ("tanh(0.0)", "0.0"),
    ("round(derivative(E, x).data, 9)", str(round(0.7**2 / math.cosh(0.32) ** 2, 9))),
    ("w if w.data > 0 else b", "Value(data=0.7, grad=None, label='w')"),
    ("print(w.data)", "0.7"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "shown"), VERBS_OR_PYTHON, ids=[line for line, _ in VERBS_OR_PYTHON])
def test_a_verb_is_a_verb_only_with_an_argument_that_fits(line: str, shown: str) -> None:
    assert answer(neuron(), line) == shown


@pytest.mark.parametrize("line", ["s", "s 2", "step 2", "n", "w", "b", "c", "until s", "goto 3", "? w", "?"])
def test_a_verb_may_have_the_name_of_a_node(line: str) -> None:
    def renamed() -> Value:
        E = neuron()
        for node, name in zip(topological_order(E), ["w", "s", "n", "b", "c", "until", "u"], strict=True):
            node.label = name
        return E

    word = line.split()[0]
    shown = answers(renamed(), line, line)
    assert (f"p {word} shows the node" in shown[0]) == (line == word and word != "?")
    assert "shows the node" not in shown[1]  # said once
    assert "Value" not in shown[0]


def test_a_name_of_the_prompt_hides_a_node_until_it_is_deleted() -> None:
    E = neuron()
    assert answers(E, "s = 3", "p s", "s", "p s + 1", "del s", "p s.data", "until s")[1::2] == [
        "3",
        "4",
        "-0.32000000000000006" if E.data == 0 else str(E.inputs[0].inputs[0].data),  # type: ignore[union-attr]
    ]


def test_names_of_the_prompt_outlive_a_set() -> None:
    assert answer(neuron(), "k = 3", "def double(v): return 2 * v", "set w = 0.9", "p double(k)") == "6"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("p hidden[2].w[3]", "Value(data=0.7, grad=None, label='hidden[2].w[3]')"),
        ("p hidden[2].w[3].data * 2", "1.4"),
        ("hidden[2].w[3].data + hidden[0].z.data", "2.0999999999999996"),
        ("p [hidden[2].w[3].data for _ in range(2)]", "[0.7, 0.7]"),
        ("p 'hidden[2].w[3]'", "'hidden[2].w[3]'"),
        ("p x.data, x#2.data", "(1.9, -0.3)"),
        ("p the gain", "Value(data=2.5, grad=None, label='the gain')"),
        ("hidden[7].w[3]", "NameError: name 'hidden' is not defined"),
        ("b if hidden[2].w[3].grad", "1: if hidden[2].w[3].grad"),
        ("watch the gain", "1: watch the gain"),
    ],
)
def test_labels_that_are_no_names_are_understood(line: str, shown: str) -> None:
    assert answer(layered(), line) == shown


@pytest.mark.parametrize("node", ["hidden[0].z", "hidden[2].w[3]", "x#2", "the gain", "E.inputs[0].inputs[1]"])
def test_until_takes_any_label_and_an_expression(node: str) -> None:
    assert re.search(r"  → .* None → ", answer(layered(), f"until {node}"))


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
        move(stepper)
        assert text.removesuffix("\np s shows the node") == repr(stepper)


def test_an_empty_line_repeats() -> None:
    assert "step 3 of 8" in answer(neuron(), "s", "", "")
    assert answer(neuron(), "", "") == ""


# -- stopping


def positions(E: Value, *commands: str) -> list[int]:
    return [int(found) for found in re.findall(r"^step (\d+) of", "\n".join(answers(E, *commands)), re.M)]


@pytest.mark.parametrize(
    ("stops", "forward"),
    [
        ("b E", [2, 8]),
        ("b v2", [4, 8]),
        ("b w", [7, 8]),  # a leaf: where its gradient is complete
        ("b op mul", [2, 7, 8]),
        ("b if contribution < 0", [3, 8]),
        ("b if input is w", [3, 7, 8]),
        ("b if node is s and before is None", [5, 6, 8]),
        ("watch w", [3, 7, 8]),
        ("watch E", [1, 8]),
    ],
)
def test_continue_stops_and_reverse_stops_at_the_same_steps(stops: str, forward: list[int]) -> None:
    E = neuron()
    assert positions(E, stops, *["c"] * len(forward)) == forward
    assert positions(E, stops, "end", *["cb"] * len(forward)) == [8, *reversed(forward[:-1]), 0]


def test_reverse_finds_the_last_writer() -> None:
    E = neuron()
    shown = answer(E, "watch w", "end", "cb")
    writer = Stepper(E).run().last_writer("w")
    assert writer is not None and f"step {writer.number} of" in shown
    assert shown.endswith("stopped by 1: watch w")


def test_a_condition_without_an_answer_does_not_stop() -> None:
    shown = answer(neuron(), "b if before < 0", "c")
    assert "step 7 of 8" in shown  # the second contribution to w
    assert "1: if before < 0 had no answer at some steps: TypeError: '<' not supported" in shown


def test_breaks_are_listed_and_cleared() -> None:
    shown = answers(neuron(), "b v2", "b op tanh", "watch x", "clear 2", "break", "clear", "break")
    assert shown[4].splitlines() == ["1: node v2", "3: watch x"]
    assert shown[3] == "cleared 2: op tanh"
    assert shown[6] == "there are no breaks"


def test_breaks_hold_after_set_and_mistake() -> None:
    E = neuron()
    assert positions(E, "watch w", "set w = 0.9", "c") == [0, 3]
    assert positions(E, "watch w", "mistake assign", "c") == [0, 3]
    assert positions(E, "watch x", "set s = 0.9", "c", "undo", "c") == [0, 4, 0, 8]  # x is not in the copy


# -- looking


@each_graph
def test_where_shows_every_gradient_in_the_order_of_the_pass(make: Callable[[], Built]) -> None:
    E, _ = make()
    stepper = Stepper(E)
    if len(stepper.order) <= 9:
        rows = answer(E, "end", "where").splitlines()
        names = [row[6:].split(" = ")[0] for row in rows]
        assert names == [stepper.names[node] for node in reversed(stepper.order)]
        assert not re.search(r"= None", "\n".join(rows))


def test_up_and_down_lead_along_the_edges_and_say_where_they_end() -> None:
    shown = answers(neuron(), "d 2", "u 2", "u", "d", "d 3", "u 9", "n", "u")
    assert [text.split(" ")[0] for text in shown] == ["w", "v1", "s", "v1", "v1", "v1", "step", "E"]
    assert shown[4:6] == ["v1 has 2 operands, not 3", "v1 has 1 consumer, not 9"]
    assert shown[7] == "E has no consumer"  # a move goes back to the node in hand


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
        ("-0.6329", "off by -1.266: it is 0.6329; it has the wrong sign"),
        ("0.9042", "off by 0.2713: it is 0.6329; that is the local derivative alone"),
        ("w", None),
        ("0.5", "off by -0.1329: it is 0.6329"),
        ("w * 1", "off by 0.06706: it is 0.6329; that is the upstream gradient alone"),
    ],
)
def test_predict_says_right_or_by_how_much_off(line: str, judged: str | None) -> None:
    shown = answers(neuron(), "goto 3", "predict", line)
    assert shown[1] == "step 4: what does v2 = tanh(s) add to s.grad, with ∂E/∂v2 = 0.7?"
    if judged is None:  # a verb is a verb, and the question is dropped
        assert "-->" in shown[2]
    else:
        assert "step 4 of 8" in shown[2] and shown[2].splitlines()[-1] == judged


def test_predict_asks_again_after_nonsense_and_shows_on_an_empty_line() -> None:
    shown = answers(neuron(), "predict", "nonsense", "1/0", "True", "# well", "")
    assert shown[1:4] == [
        "NameError: name 'nonsense' is not defined",
        "ZeroDivisionError: division by zero",
        "TypeError: bool given where a Value or a real number is expected: write 1.0 or 0.0",
    ]
    assert "step 1 of 8" in shown[5] and "right" not in shown[5]
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


# -- help, verbs of one's own, completion


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


def test_the_letters_are_those_of_pdb_and_their_opposites() -> None:
    letters = {min(names, key=len) for names in Debugger(neuron()).verbs().values() if len(names) > 1}
    assert letters == {*"sncbwudhq", "sb", "nb", "cb"}


def test_a_verb_is_a_method_with_a_docstring() -> None:
    class Mine(Debugger):
        def do_size(self, argument: str) -> None:
            """size: how many nodes there are."""
            self.say(f"{len(self.stepper.order)} nodes {argument}".rstrip())

    stdout = io.StringIO()
    Mine(neuron(), stdout=stdout).run(["size", "size of it", "help size", "size = 3", "help"])
    shown = stdout.getvalue()
    assert "(grad) size\n7 nodes\n(grad) size of it\n7 nodes of it\n" in shown
    assert "(grad) help size\nsize\nsize: how many nodes there are.\n(grad) size = 3\n(grad)" in shown
    assert shown.splitlines()[-4].strip() == "size: how many nodes there are."


@pytest.mark.parametrize(
    ("text", "line", "completed"),
    [
        ("unt", "unt", ["until"]),
        ("mis", "mis", ["mistake"]),
        ("hid", "until hid", ["hidden[0].z", "hidden[2].w[3]"]),
        ("hidden[2]", "p hidden[2]", ["hidden[2].w[3]"]),
        ("x.gr", "p x.gr", ["x.grad"]),
        ("hidden[2].w[3].par", "p hidden[2].w[3].par", ["hidden[2].w[3].partials"]),
        ("no-s", "mistake no-s", ["no-seed"]),
        ("t", "b op t", ["tanh"]),
        ("contr", "b if contr", ["contribution"]),
        ("ta", "p ta", ["tan", "tanh"]),
        ("nope", "p nope", []),
    ],
)
def test_completion(text: str, line: str, completed: list[str]) -> None:
    prompt = Debugger(layered())
    start = len(line) - len(text)
    found = prompt.completedefault(text, line, start, len(line)) if start else prompt.completenames(text)
    assert found == completed


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


# -- whatever is typed

HOSTILE = """\
( | ) | p ( | p | goto | goto x | goto 1.5 | until | until nope | b if | b if ( | b if nope > 1 | b if if | b op
b op nope | b nope | b 3 | set w = nan | set w = inf | set w = | set | set w | set w = 1e999 | set w = x
set w = True | set w = 'a' | set w == 3 | set nope = 3 | set w = 10**400 | s -3 | n 1e3 | n ² | clear 99
clear x | clear 1e9 | help nope | mistake nope | watch | watch nope | u 99 | d 0 | u | 1/0 | nope | é | 😀
\u202e | a\u0301 | !! | p # | EOFF | '\\ud800' + nope | raise ValueError('\\ud800\\x00\\x1b[31m')
raise ValueError('a\\nb\\n\\nc') | raise Exception | exit() | quit(3) | raise SystemExit
raise KeyboardInterrupt | raise GeneratorExit | import nope | x == 2 | if x: pass | float(x) | undo
predict x + nope | predict nan | p p | w 3 | c 3 | q 1 | quit now | (lambda f: f(f))(lambda f: f(f))
x.data = 'a' | w.data = 1e400 | E.data = 3 | del nope | s = | p w. | p .w | p w..grad | p hidden[2].w | why nope
why 1/0 | check nope | 1 if | await x | yield 3 | return 3 | p 10**5000 | 9**9**9**9 if
raise type('E', (Exception,), {'__str__': 3}) | ?nope | p type('R', (), {'__repr__': lambda self: 1/0})()
lambda:
"""
LONG = {
    "a long name": "a" * 9_999,
    "100,000 characters": "a" * 100_000,
    "a long verb": "until " + "a" * 9_000,
    "parentheses": "(" * 9_000,
    "signs": "-" * 9_000 + "1",
    "attributes": "w" + ".a" * 4_000,
    "sums": "1" + "+1" * 4_900,
    "quotes": "'" * 5_001,
    "escaped quotes": "\"\\'" * 3_000,
    "a long message": "raise ValueError('a' * 10**6)",
    "NUL": "\0",
    "p NUL": "p \0",
    "digits": "p " + "9" * 9_000,
}
hostile = [line for row in HOSTILE.splitlines() for line in row.split(" | ") if line.strip()]


@pytest.mark.parametrize("line", [*hostile, *LONG.values()], ids=[*hostile, *LONG])
def test_a_hostile_line_is_answered_in_one_line(line: str) -> None:
    first, after = answers(neuron(), line, "p 'still here'")
    assert after == "'still here'"
    assert len(first.splitlines()) == 1 and len(first) <= 400 and "Traceback" not in first
    assert first.replace("…", "").strip().isprintable()


@pytest.mark.parametrize(
    ("digits", "move"), [("9" * 5_000, "goto {}"), ("9" * 5_000, "s {}"), ("9" * 15, "n {}"), ("9" * 15, "nb {}")]
)
def test_huge_counts_lead_to_an_end(digits: str, move: str) -> None:
    assert re.search(r"^note: this is the (start|end)$", answer(neuron(), move.format(digits)), re.M)


words = """
    until goto set if op = == ( ) [ ] . .grad .data 0.5 3 ; # ' tanh watch clear predict check mistake assign undo \\ ?
    ! lambda : , é x v1 s w b n c u d p q h E
"""
pieces = st.sampled_from([*words.split(), " ", " ", " ", "\t"])


@given(st.lists(st.lists(pieces, max_size=8).map("".join), max_size=6))
@settings(max_examples=150, deadline=None)
def test_no_lines_whatever_break_the_prompt(lines: list[str]) -> None:
    E = neuron()
    debug(E, lines, stdout=io.StringIO())
    assert gradients(E) == [None] * 7


def test_messages_of_errors_are_one_line() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert in_a_line(Odd()) == "Odd"
    assert in_a_line(ValueError("a\n  b\r\n\tc")) == "ValueError: a b c"
    assert in_a_line(KeyError("k")) == "KeyError: 'k'"
    assert in_a_line(SyntaxError("odd", ("f", 1, 1, "text"))) == "SyntaxError: odd"
    assert len(in_a_line(ValueError("a" * 10**6))) < 400


def test_python_exit_does_not_close_stdin() -> None:
    assert answer(neuron(), "exit()") == "SystemExit: q leaves the prompt"
    assert not sys.stdin.closed


class Typed(io.StringIO):
    """Lines as typed at a terminal: an exception is raised where a line says so."""

    raises: BaseException

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        line = super().readline()
        if line == "raise\n":
            raise self.raises
        return line


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (KeyboardInterrupt(), "\nq leaves the prompt\n(grad) 3\n"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"), "that line can't be read as utf-8 text\n(predict) "),
    ],
)
def test_what_happens_between_lines_does_not_end_it(raised: BaseException, said: str) -> None:
    stdout = io.StringIO()
    stdin = Typed("predict\nraise\np 3\n")
    stdin.raises = raised
    debug(neuron(), stdin=stdin, stdout=stdout)
    assert said in stdout.getvalue()


def test_nothing_to_read_from_ends_it_with_a_sentence() -> None:
    stdin, stdout, E = io.StringIO(), io.StringIO(), neuron()
    stdin.close()
    debug(E, stdin=stdin, stdout=stdout)
    assert stdout.getvalue().splitlines()[-1].endswith("a list of commands runs too: debug(E, commands=[])")
    assert gradients(E) == [None] * 7


def test_a_terminal_without_the_characters_gets_their_escapes() -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    debug(neuron(), ["p 'é'"], stdout=stdout)
    stdout.seek(0)
    assert "\\u2202E/\\u2202E = 1" in stdout.read()


# -- colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "stdout", "coloured"),
    [
        ({}, Terminal(), True),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"TERM": "dumb"}, Terminal(), False),
        ({}, io.StringIO(), False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    environment: dict[str, str], stdout: io.StringIO, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    debug(neuron(), ["s"], stdout=stdout)
    assert ("\x1b[1m" in stdout.getvalue()) == coloured


# -- large graphs


def deep(size: int) -> Value:
    node, w = Value(0.5, "x"), Value(0.9, "hidden[2].w[3]")
    for _ in range(size // 2):
        node = (node * w).sin()
    return node


def wide(size: int) -> Value:
    return total([Value(i / size, f"x[{i}]") * 1.5 for i in range(size // 2)]).tanh()


@pytest.mark.parametrize("make", [deep, wide])
def test_a_large_graph_starts_and_moves_at_once(make: Callable[[int], Value]) -> None:
    E = make(100_000)
    start = time.perf_counter()
    prompt = Debugger(E, stdout=io.StringIO())
    prompt.show()
    assert time.perf_counter() - start < 5
    prompt.onecmd("end")
    for command in [
        "sb",
        "s",
        "goto 3",
        "n",
        "nb",
        "s 5",
        "u",
        "d",
        "p E.grad",
        "nope",
        "watch v7",
        "clear",
        "predict 1",
    ]:
        start = time.perf_counter()
        prompt.onecmd(command)
        assert time.perf_counter() - start < (2 if command == "goto 3" else 0.5), command
    prompt.restore()


# -- in a terminal

SCRIPT = """
from engine import Value, debug, tanh
x, w, b = Value(1.4, label="x"), Value(0.7, label="w"), Value(-1.3, label="hidden[0].b")
debug(tanh(w * x + b))
print("left with", w.grad)
"""


class Session:
    """A Python that runs SCRIPT in a pseudo-terminal; every wait has a limit."""

    LIMIT = 20.0

    def __init__(self) -> None:
        pty = pytest.importorskip("pty")
        environment = os.environ | {"TERM": "dumb", "INPUTRC": os.devnull, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-c", SCRIPT], environment)
        self.unread = ""

    def send(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def until(self, end: str) -> str:
        """What is printed up to a text, without what makes a terminal ring."""
        from select import select

        deadline = time.monotonic() + self.LIMIT
        pending = b""
        while end not in self.unread:
            ready, _, _ = select([self.terminal], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{end!r} did not come: {self.unread!r}"
            try:
                pending += os.read(self.terminal, 4096)
            except OSError:  # Linux: the other end is closed
                raise AssertionError(f"{end!r} did not come before the end: {self.unread!r}") from None
            with_whole_characters = pending.decode(errors="ignore")
            if with_whole_characters.encode() == pending:
                self.unread += with_whole_characters.replace("\r\n", "\n").replace("\x07", "")
                pending = b""
        shown, _, self.unread = self.unread.partition(end)
        return shown

    def close(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    os.close(session.terminal)
    if session.pid:  # the test failed before its end
        os.kill(session.pid, 9)
        session.close()


def test_a_real_terminal(session: Session) -> None:
    assert session.until("(grad) ").startswith("6 nodes; help lists the verbs, q leaves\nstep 0 of 6")
    session.send("n\r")
    assert "step 1 of 6   E = tanh(v2)" in session.until("(grad) ")
    session.send("\r")
    assert "step 2 of 6" in session.until("(grad) ")
    session.send("p w.grad\r")
    assert session.until("(grad) ") == "p w.grad\nNone\n"
    session.send("nonsense(\r")
    assert session.until("(grad) ") == "nonsense(\nSyntaxError: '(' was never closed\n"
    session.send("while True: pass\r")
    time.sleep(0.5)
    session.send("\x03")
    assert "KeyboardInterrupt" in session.until("(grad) ")
    session.send("half a li")
    session.until("half a li")
    time.sleep(0.3)  # Python notices Ctrl-C only once it waits for the next key
    session.send("\x03")
    assert "q leaves the prompt" in session.until("(grad) ")
    session.send("exit()\r")
    assert session.until("(grad) ") == "exit()\nSystemExit: q leaves the prompt\n"
    session.send("until w\r")
    assert "step 5 of 6" in session.until("(grad) ")
    session.send("\x04")  # Ctrl-D
    session.until("left with None\n")
    assert session.close() == 0


def test_completion_and_history_in_a_terminal(session: Session) -> None:
    pytest.importorskip("readline")
    session.until("(grad) ")
    session.send("unt\t hid\t\r")
    assert "until hidden[0].b" in (shown := session.until("(grad) ")) and "step 4 of 6" in shown
    session.send("start\r")
    session.until("(grad) ")
    session.send("\x10\x10\r")  # Ctrl-P twice: the line before the last
    assert "step 4 of 6" in session.until("(grad) ")
    session.send("q\r")
    session.until("left with None\n")
    assert session.close() == 0
