"""Files that are whole or not there: a new one is written beside its place, then moved into it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Writes a file, and the folders above it; what stood there stays whole until the new one is.

    A file that stood there keeps its mode; where a link stands, what it points to is written; a device or a pipe is
    written to, as nothing can take its place. Raises OSError where the place can't be written, and leaves nothing.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    mode = place.stat().st_mode if place.exists() else None
    if mode is not None and not S_ISREG(mode):
        place.write_bytes(data)
        return path
    # a name that nobody can guess, and that mustn't be there yet: two writers don't meet, and no link is followed
    beside = place.with_name(f".{os.urandom(12).hex()}.part")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600 if mode else 0o666)
    try:
        with open(file, "wb") as new:
            new.write(data)
        if mode is not None:
            beside.chmod(S_IMODE(mode))
        beside.replace(place)
    except BaseException:
        with suppress(FileNotFoundError):
            beside.unlink()
        raise
    return path
