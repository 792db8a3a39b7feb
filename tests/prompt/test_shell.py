"""Lines in and out: what is a verb and what is Python, and that no line whatever breaks the prompt."""

from __future__ import annotations

import io
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Value, debug
from engine.order import topological_order
from engine.prompt.debug import Debugger
from engine.prompt.shell import in_a_line
from tests.prompt.support import answer, answers, commands_of, gradients, neuron, output

ROOT = Path(__file__).parents[2]


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


def test_an_empty_line_repeats() -> None:
    assert "step 3 of 8" in answer(neuron(), "s", "", "")
    assert answer(neuron(), "", "") == ""


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
    ("n -3", "next takes a number of nodes; '-3' isn't that"),
    ("n x", "next takes a number of nodes; 'x' isn't that"),
    ("c (3)", "continue takes no argument; '(3)' isn't that"),
    ("goto", "jump takes a position, a whole number from 0, the start, or a checkpoint; none was given"),
    ("until", "until takes a node: its name, or an expression; none was given"),
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
    assert "Besides:\n" in shown.replace("    size: how many nodes there are.\n", "") != shown


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


# -- in a terminal

SCRIPT = """
from engine import Value, debug, tanh
x, w, b = Value(1.4, label="x"), Value(0.7, label="w"), Value(-1.3, label="hidden[0].b")
debug(tanh(w * x + b))
print("left with", w.grad)
"""


class Session:
    """A Python that runs SCRIPT in a pseudo-terminal; every wait has a limit."""

    LIMIT = 60.0

    def __init__(self, script: str = SCRIPT, **more: str) -> None:
        pty = pytest.importorskip("pty")
        environment = (
            os.environ | {"TERM": "dumb", "INPUTRC": os.devnull, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)} | more
        )
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-c", script], environment)
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
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(XDG_STATE_HOME=str(tmp_path))
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
    session.send("print(6 * 7) or any(i for i in iter(int, 1))\r")  # prints, and goes on for ever
    session.until("\n42\n")
    session.send("\x03")  # Ctrl-C
    session.until("KeyboardInterrupt\n(grad) ")
    session.send("exit()\r")
    assert session.until("(grad) ") == "exit()\nSystemExit: q leaves the prompt\n"
    session.send("half a li")
    session.until("half a li")
    session.send("\x03\r")  # Python notices Ctrl-C at once, or, if it wasn't waiting yet, at the end of the line
    session.until("q leaves the prompt\n(grad) ")
    session.send("'noti' 'ced'\r")
    session.until("\n'noticed'\n(grad) ")
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
