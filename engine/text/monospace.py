"""A report in a notebook: its text in letters of one width, so that columns stand below each other.

A line that is too wide is scrolled to; as plain text a notebook would fold it.
"""

from __future__ import annotations

STYLE = "margin: 0; white-space: pre; overflow-x: auto; font-family: monospace; text-align: left; line-height: 1.4"


class Monospaced:
    """What has its readable text as repr, and shows it in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return monospaced(repr(self))


def monospaced(text: str) -> str:
    """The text as HTML.

    >>> monospaced("w <b").partition(">")[2]
    'w &lt;b</pre>'
    """
    from html import escape  # which takes as long to import as much of the engine

    return f'<pre style="{STYLE}">{escape(text)}</pre>'
