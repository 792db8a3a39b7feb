"""How a demo runs as a program: what can't be written is said before it computes, and it is quiet when nobody reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile


def program(main: Callable[[], object], folder: str | None = None) -> int:
    """Runs a demo whose pictures go into a folder; its exit status. What goes wrong with files is a line on stderr."""
    try:
        if folder is not None:
            try_folder(folder)
        main()
        sys.stdout.flush()
    except BrokenPipeError:
        silence()
    except OSError as error:
        print(f"{Path(sys.argv[0]).stem}: {error}", file=sys.stderr)
        return 2
    return 0


def silence() -> None:
    """For who reads has read enough: what is still to be printed goes nowhere, or Python would complain as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def try_folder(folder: str | Path) -> None:
    """Raises OSError, in a sentence, where nothing can be written into a folder, or where it can't be made."""
    place = Path(folder)
    try:
        while not place.exists() and place != place.parent:
            place = place.parent
        with TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise OSError(f"the folder {folder} can't be written: {error.strerror}") from None
