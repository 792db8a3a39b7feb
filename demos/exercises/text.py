"""How the course writes numbers and sentences: 79 columns, and ASCII where a console can't print more."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

WIDTH = 79
PLAIN = {
    "ʸ⁻¹": "^(y-1)", "⁻¹": "^-1", "⁻²": "^-2", "ʸ": "^y", "⁻": "^-", "√": "sqrt", "±": "+-", "≈": "~", "∘": "o",
    "∂": "d", "Σ": "sum ", "½": "1/2", "²": "^2", "³": "^3", "·": "*", "→": "->", "←": "<-", "✓": "+", "…": "...",
         "δ": "delta", "ρ": "rho", "σ": "sigma", "ε": "eps", "−": "-", "⑫": "(12)", "ᵀ": "^T", "ŷ": "y^",
         "⑪": "(11)", "⑯": "(16)", "–": "-", "×": "x", "¹": "^1", "⁶": "^6", "≤": "<=", "é": "e"}  # fmt: skip


def filled(page: str, parts: Mapping[str, str]) -> str:
    """A page with its {{parts}}, each put in as it is.

    >>> filled("{{a}} and {{b}}", {"a": "{{b}}", "b": "2"})
    '{{b}} and 2'
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts.get(place[1], place[0]), page)


def number(x: Any) -> str:
    """Four significant digits, a whole number in full; what is no number as it is.

    >>> [number(x) for x in (0.43581, 2.0, -1e-17, None, "1 of 2", [1.5, 2])]
    ['0.4358', '2', '-1e-17', 'None', '1 of 2', '[1.5, 2]']
    """
    if type(x) is float or type(x) is int:
        if x != x or x in (float("inf"), float("-inf")):
            return str(x)
        return str(int(x)) if abs(x) < 1e6 and x == int(x) else f"{x:.4g}"
    if isinstance(x, list | tuple):
        text = ", ".join(number(each) for each in x[:4])
        return f"[{text}{', …' if len(x) > 4 else ''}]"
    if isinstance(x, dict) and "error" in x:
        return str(x["error"])
    return str(x)


def amount(count: int, noun: str) -> str:
    """
    >>> amount(1, "graph"), amount(3, "entry")
    ('1 graph', '3 entries')
    """
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count} {noun if count == 1 else plural}"


def wrapped(text: str, indent: str = "  ") -> list[str]:
    """A text in lines of at most WIDTH columns; its own line breaks stay."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += textwrap.wrap(
            paragraph, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False,
            break_long_words=False,
        ) or [""]  # fmt: skip
    return lines


def plain(text: str) -> str:
    """The text in ASCII.

    >>> plain("∂E/∂w = ½ · x²")
    'dE/dw = 1/2 * x^2'
    """
    for letter, instead in PLAIN.items():
        text = text.replace(letter, instead)
    return text.encode("ascii", "replace").decode()


def printable(text: str, encoding: str | None) -> str:
    """The text as it is where the console's encoding can write it, else in ASCII."""
    try:
        text.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return plain(text)
    return text
