"""What a notebook is given to show: a picture and a line of text anywhere, and a page where one is known to be shown.

A notebook that is exported with its HTML sanitised, or put on a web site, shows a page as its source, and then not the
picture beside it. So there is text/html only for a frontend that runs the kernel at this moment and shows it.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from html import escape

# What these set for the kernels that they start: Jupyter's server (for its lab and its notebook), VS Code, Colab.
SHOW_PAGES = "JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG"


def bundle(text: str, svg: Callable[[], str], png: Callable[[], bytes], page: Callable[[], str]) -> dict[str, str]:
    """By MIME type what to show. It never raises: a display that does shows a page of traceback."""
    shows_pages = any(name in os.environ for name in SHOW_PAGES)
    try:
        made = {"image/svg+xml": svg(), "image/png": b64encode(png()).decode(), "text/plain": text}
        return {"text/html": page(), **made} if shows_pages else made
    except Exception as error:
        sentence = f"{text}\nIt can't be shown: {error}"
        return {"text/plain": sentence, **({"text/html": f"<pre>{escape(sentence)}</pre>"} if shows_pages else {})}
