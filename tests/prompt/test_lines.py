"""Lines that fit a terminal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Value, debug, tanh, total
from engine.prompt import history
from engine.prompt.lines import BOLD, PLAIN, folded
from tests.prompt.test_shell import Session, Terminal

words = st.lists(st.text("abc∂→.[]0", min_size=1, max_size=60), min_size=1, max_size=12)


@given(words, st.sampled_from([" ", "   "]), st.integers(0, 8), st.integers(20, 110), st.booleans())
def test_a_folded_line_fits_and_keeps_every_word_that_does(
    texts: list[str], gap: str, indent: int, width: int, bold: bool
) -> None:
    line = " " * indent + gap.join(texts)
    lines = folded(f"{BOLD}{line}{PLAIN}" if bold else line, width)
    plain = [each.removeprefix(BOLD).removesuffix(PLAIN) for each in lines]
    assert max(map(len, plain)) <= width and all(each.startswith(BOLD) == bold for each in lines)
    kept = " ".join(plain).split()
    assert len(kept) == len(texts)
    for word, text in zip(kept, texts, strict=True):  # a word is shortened in its middle only where it must be
        assert word == text or ("…" in word and len(text) > width - indent - 4 and word[0] == text[0])
    if len(line) <= width:
        assert plain == [line]


def test_lines_are_folded_between_columns() -> None:
    line = "  → hidden[2].w[3].grad += ∂E/∂v12 · ∂v12/∂hidden[2].w[3] = 0.6329 · 1.4 = 0.886   None → 0.886"
    assert folded(line, 90) == [line[: line.index("   None")], "      None → 0.886"]
    assert folded(line, 110) == [line]


def test_columns_are_closed_up_before_a_line_is_folded() -> None:
    line = "  -->   v1 = w * x = 0.2531" + " " * 30 + "v1.grad = -1.285   1 of 1 in"
    assert folded(line, 80) == ["  -->   v1 = w * x = 0.2531   v1.grad = -1.285   1 of 1 in"]
    assert folded(line, 100) == [line]


@pytest.mark.parametrize("width", [80, 110])
def test_a_terminal_gets_no_line_wider_than_itself(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((width, 24)))
    monkeypatch.setattr("engine.prompt.shell.get_terminal_size", lambda: os.terminal_size((width, 24)))
    monkeypatch.setenv("NO_COLOR", "1")
    E = tanh(total(Value(i + 0.5, f"hidden[{i}].weights_of_the_layer[{i}]") * Value(0.3, f"x[{i}]") for i in range(9)))
    stdout = Terminal()
    debug(
        E,
        ["w", "l", "ll", "end", "w", "help", "a", "why", "b if position > 3 and " + "x" * 200 + " > 3"],
        stdout=stdout,
    )
    text = stdout.getvalue()
    typed = [line for line in text.splitlines() if line.startswith("(grad)")]
    assert max(len(line) for line in text.splitlines() if line not in typed) <= width
    assert "hidden[3].weights_of_the_layer[3]" in text  # whole, as it fits


def test_what_is_not_a_terminal_gets_lines_as_they_are() -> None:
    import io

    E = Value(0.5, "hidden[0].weights_of_the_layer[0]") * Value(0.7, "hidden[0].inputs_of_the_layer[0]")
    stdout = io.StringIO()
    debug(E, ["s 2"], stdout=stdout)
    assert max(map(len, stdout.getvalue().splitlines())) > 110


# -- history

SCRIPT = """
import readline
readline.add_history("of Python's own")
from engine import Value, debug
for _ in range(2):
    debug(Value(1.4, label="x").tanh())
print("left", [readline.get_history_item(1 + i) for i in range(readline.get_current_history_length())])
"""


def typed_in_a_session(state: Path, *lines: str) -> str:
    session = Session(SCRIPT, XDG_STATE_HOME=str(state))
    try:
        session.until("(grad) ")
        for line in lines:
            session.send(line + "\r")
            if line != "q":
                session.until("(grad) ")
        shown = session.until("left ")
        return shown + session.until("]")
    finally:
        os.close(session.terminal)
        if session.pid:
            session.close()


def test_history_lasts_over_prompts_and_over_sessions(tmp_path: Path) -> None:
    pytest.importorskip("readline")
    said = typed_in_a_session(tmp_path, "p 'the ' 'first'", "q", "\x10\x10", "q")  # Ctrl-P: the line before q
    assert said.endswith('["of Python\'s own"')
    kept = (tmp_path / "stepgrad" / "history").read_text(encoding="utf-8").splitlines()
    assert kept[:2] == ["p 'the ' 'first'", "q"] and "of Python's own" not in kept
    again = typed_in_a_session(tmp_path, "q", "q")
    assert "of Python's own" in again
    assert (tmp_path / "stepgrad" / "history").read_text(encoding="utf-8").splitlines()[: len(kept)] == kept


@pytest.mark.parametrize("place", ["a file", "/dev/null/x"])
def test_a_history_that_cannot_be_kept_is_none(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / place))
    history.write(["n"])
    assert history.read() == []


def test_the_latest_lines_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history.write([f"goto {i}" for i in range(1_500)])
    assert history.read() == [f"goto {i}" for i in range(500, 1_500)]
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert history.path() == tmp_path / ".local" / "state" / "stepgrad" / "history"
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))
    history.write(["n"])
    assert history.read() == []
