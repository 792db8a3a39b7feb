"""Lines that fit a terminal: folded between words, and a word that is wider than the line shortened in its middle."""

from __future__ import annotations

import re

from engine.text.names import shortened

INDENT = 4  # of what a line goes on with, besides its own
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def folded(line: str, width: int) -> list[str]:
    """The line in lines of at most width characters; between columns, three spaces, rather than between words.

    Where it doesn't fit, columns are closed up: they don't stand below others' any more.

    >>> folded("  → w.grad += 1 · 0.7 = 0.7   None → 0.7", 30)
    ['  → w.grad += 1 · 0.7 = 0.7', '      None → 0.7']
    >>> folded("p a_name_that_goes_on_and_on", 20)
    ['p', '    a_name_t…_and_on']
    """
    bold = line.startswith(BOLD)
    rest = line.removeprefix(BOLD).removesuffix(PLAIN) if bold else line
    if len(rest) > width:
        rest = re.sub(r"(?<=\S) {4,}", "   ", rest)
    indent = " " * min(len(rest) - len(rest.lstrip()) + INDENT, width // 2)
    made: list[str] = []
    while len(rest) > width:
        start = len(rest) - len(rest.lstrip())
        column, word = rest.rfind("   ", start, width + 1), rest.rfind(" ", start, width + 1)
        cut = column if column > max(start, width // 3) else word
        if cut <= start:  # one word is wider than the line
            head, space, tail = rest[start:].partition(" ")
            rest = rest[:start] + shortened(head, width - start) + space + tail
            if len(rest) <= width:
                break
            cut = start + len(shortened(head, width - start))
        made.append(rest[:cut].rstrip())
        rest = indent + rest[cut:].lstrip()
    made.append(rest)
    return [f"{BOLD}{each}{PLAIN}" for each in made] if bold else made
