"""Lines typed at the prompt, kept apart from those of Python's own prompt, from one prompt to the next.

They are kept in a file of the user's, $XDG_STATE_HOME/stepgrad/history; where that can't be, they last for one prompt.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.files import write_atomically

KEPT = 1000  # lines


def path() -> Path:
    """The file, in the folder for what programs keep from one run to the next. Raises RuntimeError without a home."""
    folder = os.environ.get("XDG_STATE_HOME", "")
    return (Path(folder) if os.path.isabs(folder) else Path.home() / ".local" / "state") / "stepgrad" / "history"


def read() -> list[str]:
    """The lines kept, the latest last; none where they can't be read."""
    with suppress(OSError, RuntimeError, ValueError):
        return path().read_text(encoding="utf-8").splitlines()[-KEPT:]
    return []


def write(lines: list[str]) -> None:
    """Keeps the latest lines, if they can be written."""
    with suppress(OSError, RuntimeError, ValueError):
        write_atomically(path(), "".join(f"{line}\n" for line in lines[-KEPT:]))


@contextmanager
def own_history() -> Iterator[None]:
    """Where readline exists: hidden[2].w completes as one word, and Ctrl-P brings back lines of earlier prompts."""
    try:
        import readline
    except ImportError:
        yield
        return

    def replace(lines: list[str]) -> list[str]:
        """Puts these lines in the place of readline's, which are returned."""
        old = [readline.get_history_item(place) or "" for place in range(1, readline.get_current_history_length() + 1)]
        readline.clear_history()
        for line in lines:
            readline.add_history(line)
        return old

    delimiters, others = readline.get_completer_delims(), replace(read())
    readline.set_completer_delims("".join(c for c in delimiters if c not in "[]#"))
    try:
        yield
    finally:
        readline.set_completer_delims(delimiters)
        write(replace(others))
