"""The verbs of pdb and gdb: each does what its users expect, or says in a sentence what does it here."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest

from engine import Stepper, Value, debug, tanh, total
from engine.prompt.verbs import ALIASES, INSTEAD, YIELDING
from engine.steps.passes import MISTAKES
from tests.graphs import Built, each_graph
from tests.prompt.support import answer, answers, commands_of, neuron

KNOWN = """
    a alias args b bt break c cl clear commands condition cont continue d debug disable display down enable exit h help
    ignore interact j jump l list ll longlist n next p pp q quit r restart return retval run rv s source step tbreak u
    unalias undisplay until up w whatis where ! advance backtrace call delete finish frame info inspect kill ni nexti
    print ptype rc reverse-continue reverse-finish reverse-next reverse-step rn rs record show si start stepi tb watch
    when x checkpoint set undo
"""


@pytest.mark.parametrize("verb", KNOWN.split())
@pytest.mark.parametrize("argument", ["", " 1", " s", " 1 2"])
def test_a_verb_of_pdb_or_gdb_never_ends_in_an_error_of_pythons(verb: str, argument: str) -> None:
    x, w = Value(1.4, "u1"), Value(0.7, "u2")
    ends = verb in ("q", "exit", "quit") and not argument
    said = answers((x * w).tanh(), "b tanh", "display 1", "'before'" if ends else verb + argument)[-1]
    python = verb == "!" and argument in (" s", " 1 2")  # that was asked for
    assert bool(re.search(r"(Name|Syntax)Error", said)) == python


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_its_verb(alias: str) -> None:
    verb = ALIASES[alias]
    for argument in ["", " 2", " s"]:
        lines = [["n 2", f"{word}{argument}"] for word in (alias, verb)]
        one, other = (answer(neuron(), *each) for each in lines)
        assert re.sub(r"\np \w+ shows the node$", "", one) == re.sub(r"\np \w+ shows the node$", "", other)
    assert alias in answer(neuron(), f"help {verb}").splitlines()[0].split(", ")


@pytest.mark.parametrize("word", INSTEAD)
def test_a_verb_that_is_not_here_says_what_is(word: str) -> None:
    E = Value(2.5, "u1") * 1.5
    assert answer(E, f"{word} 1 2") == INSTEAD[word]
    assert word == "debug" or answer(E, word) == INSTEAD[word]  # debug is a function that is known here


@pytest.mark.parametrize("line", ["nope", "nope 3", "nope w.grad", "nope-nope 1", "nopé"])
def test_an_unknown_word_says_help(line: str) -> None:
    word = line.split()[0]
    assert answer(neuron(), line) == f"there is no verb or name {word!r} here; help lists the verbs"


def test_those_that_give_way_to_a_node_are_the_short_names_that_came_last() -> None:
    first = {*"sncbwudhq", "sb", "nb", "cb"}  # which stay verbs
    assert {name for name in [*ALIASES, "pp"] if len(name) <= 3} - first == YIELDING


@pytest.mark.parametrize("line", ["p/x w", "x/4 w", "p/x 3", "info/s w"])
def test_formats_of_gdb_are_told_of(line: str) -> None:
    assert answer(Value(1.4, "u1") * 1.5, line).startswith(f"{line.split()[0]} is a format of gdb's; here p f'")


@pytest.mark.parametrize("name", sorted(YIELDING))
def test_a_node_of_a_new_verbs_name_wins_and_the_long_name_works(name: str) -> None:
    x, named = Value(1.4, "x"), Value(0.7, name)
    said = answers(tanh(x * named), name, f"{name}.data + 1", f"{name} + x", "args", "list", "finish", "jump 2")
    assert said[:2] == [f"Value(data=0.7, grad=None, label={name!r})", "1.7"]
    assert said[2] == "Value(data=2.0999999999999996, grad=None, label=None)"
    assert said[3].startswith("v1 = 0.98   ∂E/∂v1 = ") and "-->" in said[4]
    assert "step 2 of 4" in said[5] and "step 2 of 4" in said[6]


@pytest.mark.parametrize("name", ["w", "b", "s", "n", "c"])
def test_the_old_letters_stay_verbs_and_say_how_to_see_the_node(name: str) -> None:
    assert answer(tanh(Value(1.4, "x") * Value(0.7, name)), name).endswith(f"p {name} shows the node")


# -- prefixes

PREFIXES = [
    ("fini", "finish"), ("und", None), ("undo", "undo"), ("cont", "continue"), ("con", None),
    ("mis ass", "mistake assign"),
    ("mistake no-s", "mistake no-seed"), ("mistake no", None), ("wher", "where"), ("b op ta", "b op tanh"),
    ("whati w", "whatis w"), ("info br", "info b"), ("info disp", "info display"), ("longl", "longlist"),
    ("mistake s", None), ("mistake sig", "mistake sign"), ("help whati", "help whatis"), ("reverse-c", "reverse"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "whole"), PREFIXES)
def test_what_begins_one_thing_alone_is_that_thing(line: str, whole: str | None) -> None:
    said = answer(neuron(), line)
    assert said == answer(neuron(), whole) if whole else " could be " in said


def test_a_node_may_be_cut_short_where_one_alone_begins_so() -> None:
    E = tanh(Value(0.7, "hidden[2].w[3]") * Value(1.4, "hidden[0].z")) * Value(2.5, "gain")
    assert answer(E, "until hidden[2]") == answer(E, "until hidden[2].w[3]")
    assert answer(E, "b ga") == "1: node ga" and answer(E, "until hid") == "'hid' could be hidden[2].w[3], hidden[0].z"


def test_a_prefix_is_no_verb_where_python_is_meant() -> None:
    assert answer(neuron(), "whe = 3", "whe") == "3"
    assert answer(neuron(), "max") == "<built-in function max>"


# -- looking


@each_graph
def test_args_are_the_operands_with_their_local_derivatives(make: Callable[[], Built]) -> None:
    E, _ = make()
    stepper = Stepper(E).step(2)
    lines = answer(E, "s 2", "args").splitlines()
    assert len(lines) == len(stepper.hand.inputs)
    for line, each, partial in zip(lines, stepper.hand.inputs, stepper.hand.partials, strict=True):
        name = stepper.names[each] if isinstance(each, Value) else f"{each:g}"
        assert line.startswith(name) and (partial is not None) == ("∂" in line)


def test_args_of_a_leaf_and_list_after_down() -> None:
    said = answers(neuron(), "d 2", "a", "l", "u 2", "a")
    assert said[1] == "w is a leaf, without operands"
    assert [line for line in said[2].splitlines() if "-->" in line] == [
        "  -->   w = 0.7              w.grad = None    0 of 2 in"
    ]
    assert said[4].splitlines() == ["w = 0.7   ∂v1/∂w = x = 1.4", "x = 1.4   ∂v1/∂x = w = 0.7"]


def test_list_is_the_graph_around_the_node_in_hand() -> None:
    assert answer(neuron(), "s 4", "l").splitlines() == [
        "      E = v2 * w = -0.2167       E.grad = 1        1 of 1 in",
        "  -->   v2 = tanh(s) = -0.3095   v2.grad = 0.7     1 of 1 in",
        "          s = v1 + b = -0.32     s.grad = 0.6329   1 of 1 in",
        "            v1 = w * x = 0.98    v1.grad = None    0 of 1 in",
        "            b = -1.3             b.grad = None     0 of 1 in",
    ]
    many = total([Value(i + 0.5, f"x{i}") * 1.5 for i in range(8)])
    assert answer(many, "l").splitlines()[-1] == "      and 3 more"


@pytest.mark.parametrize(
    ("position", "line"),
    [(0, None), (1, "order[-1].grad += 1.0  # ∂E/∂E"), (4, "operand.grad += upstream * partial")],
)
def test_longlist_is_the_code_of_backward_with_the_line_of_the_step(position: int, line: str | None) -> None:
    said = answer(neuron(), f"goto {position}", "ll").splitlines()
    assert "def backward(self) -> None:" in said[0] and not any("PyTorch" in each for each in said)
    assert [each[6:].strip() for each in said if "-->" in each] == [line] * bool(line)
    assert (said[-1] == "node is v2, operand s, upstream 0.7, partial 0.9042") == (position == 4)
    assert answer(neuron(), "mistake assign", "ll").splitlines()[-1].endswith(MISTAKES["assign"].says)


def test_whatis_and_pp() -> None:
    said = answers(neuron(), "whatis w", "whatis v1", "whatis w.data", "whatis tanh", "pp list(range(60))", "pp w.data")
    assert said[:4] == ["Value w, a leaf", "Value v1, made by mul: v1 = w * x", "float", "function"]
    assert len(said[4].splitlines()) > 1 and max(map(len, said[4].splitlines())) < 80 and said[5] == "0.7"


def test_displays_are_shown_at_every_stop() -> None:
    said = answers(
        neuron(), "display w.grad", "display w.grad * 2", "end", "display", "undisplay 1", "sb", "undisplay 9"
    )
    grad = 0.5766144351944056
    assert said[0] == "1: w.grad = None" and said[1].startswith("TypeError: unsupported operand")
    assert said[2].endswith(f"\n1: w.grad = {grad!r}") and said[3] == f"1: w.grad = {grad!r}"
    assert said[4] == "nothing is displayed" and "w.grad = None" not in said[5]
    assert said[6] == "there is no display 9; info display lists them"


def test_a_display_without_a_value_at_some_place_says_so() -> None:
    said = answers(neuron(), "end", "display w.grad * 2", "start", "undisplay", "s", "display w")
    assert said[2].endswith("1: w.grad * 2 = TypeError: unsupported operand type(s) for *: 'NoneType' and 'int'")
    assert "1:" not in said[4] and said[5].startswith("2: w = Value(")


def test_info_lists_what_there_is() -> None:
    said = answers(neuron(), "info", "b s", "display 1+1", "checkpoint", "info", "info locals", "k = 3", "info locals")
    assert said[0].splitlines() == ["there are no breaks", "nothing is displayed", "there are no checkpoints"]
    assert said[4].splitlines() == ["1: node s", "1: 1+1 = 2", "checkpoint here: step 0"]
    assert said[5].splitlines() == ["nodes: E, v2, s, b, v1, x, w", "names made here: none"]
    assert said[7].endswith("names made here: k")
    assert answer(neuron(), "info nope").endswith("'nope' is none of them")


# -- moving


def test_finish_goes_to_where_the_node_in_hand_has_contributed() -> None:
    said = answers(neuron(), "r", "r", "s", "r", "goto 5", "r", "r", "nb", "s", "finish")
    assert [text.splitlines()[0][:11] for text in said] == [
        "step 3 of 8", "note: E has", "step 4 of 8", "note: v2 ha", "step 5 of 8", "step 6 of 8", "note: s has",
        "step 4 of 8", "step 5 of 8", "step 6 of 8",
    ]  # fmt: skip


@each_graph
def test_who_goes_to_the_last_writer_and_says_how_to_come_back(make: Callable[[], Built]) -> None:
    E, _ = make()
    stepper = Stepper(E).run()
    for node, name in stepper.names.items():
        writer = stepper.last_writer(node)
        assert writer
        there, back = answers(E, "end", f"who {name}", f"jump {len(stepper)}")[1:]
        if writer.number == len(stepper):
            assert there == f"{name}.grad was changed by step {writer.number}, the one just made"
        else:
            assert there.startswith(f"step {writer.number} of ")
            assert there.endswith(f"{name}.grad was last changed here; jump {len(stepper)} goes back to where you were")
            assert back.startswith(f"step {len(stepper)} of ")
    stepper.restore()
    assert answer(E, f"who {stepper.names[E]}") == f"no step so far has changed {stepper.names[E]}.grad"


def test_until_goes_back_too() -> None:
    said = answers(neuron(), "end", "until s", "until s", "until w")
    assert said[1].startswith("step 4 of 8") and "note: s.grad is complete since step 4" in said[1]
    assert said[2] == "note: s.grad is complete since step 4" and said[3].startswith("step 7 of 8")


def test_checkpoints_have_names() -> None:
    said = answers(neuron(), "s 3", "checkpoint", "end", "checkpoint last", "j here", "j la", "restart he", "goto nope",
                   "checkpoint 3", "restart")  # fmt: skip
    assert [said[1], said[3]] == ["checkpoint here: step 3", "checkpoint last: step 8"]
    assert [said[i].split(" of")[0] for i in (4, 5, 6, 9)] == ["step 3", "step 8", "step 3", "step 0"]
    assert said[7] == "there is no checkpoint 'nope'; there are here, last"
    assert said[8] == "a checkpoint's name begins with a letter, or jump 3 would mean step 3"
    assert answer(neuron(), "j nope") == "there is no checkpoint 'nope'; checkpoint NAME makes one"


def test_run_goes_to_the_end_and_says_so() -> None:
    said = answer(neuron(), "b s", "run")
    assert said == f"{Stepper(neuron()).run()!r}\nrun goes to the end, past all breaks; restart goes to the start"


@pytest.mark.parametrize("move", ["c", "s", "n", "s 3", "goto 99", "until x"])
def test_at_the_end_a_move_does_not_repeat_what_is_there(move: str) -> None:
    end = {"until x": "x.grad is complete since step 8"}.get(move, "this is the end")
    assert [text.removesuffix("\np s shows the node") for text in answers(neuron(), "end", move, move)[1:]] == [
        f"note: {end}"
    ] * 2


def test_the_start_and_the_first_step_do_not_look_alike() -> None:
    start, first = answers(neuron(), "start", "step")
    assert [line[:4] for line in start.splitlines()][1:] == ["  · "]
    assert [line[:4] for line in first.splitlines()][1:] == ["  → "]


def test_what_is_still_to_come_is_marked_and_help_says_how() -> None:
    marks = {i: [line[:4] for line in answer(neuron(), f"goto {i}").splitlines() if ".grad +=" in line] for i in (5, 6)}
    assert marks == {5: ["  → ", "  · "], 6: ["    ", "  → "]}
    assert "→ is the contribution made last, · one still to come, and what has no mark" in " ".join(
        answer(neuron(), "help").split()
    )


# -- commands from a file


def test_a_file_is_run_as_its_text_is() -> None:
    text = "n\n\n# why?\n  \nn; p w.grad\n\nq\nn\n"
    one, other = io.StringIO(), io.StringIO()
    debug(neuron(), text, stdout=one)
    debug(neuron(), io.StringIO(text), stdout=other)
    assert one.getvalue() == other.getvalue()
    assert commands_of(one.getvalue()) == ["n", "# why?", "n", "p w.grad", "q"]
