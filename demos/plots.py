"""How the demos plot: matplotlib, imported when a picture is made, and the same bytes from the same numbers."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from engine.files import write_atomically

BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#797979"  # told apart by the colour-blind; on white and on black


def new_figure(width: float = 6.4, height: float = 4.0, **options: Any) -> tuple[Any, Any]:
    """A matplotlib figure and its axes, in inches. Raises ImportError as find_pyplot() does."""
    return find_pyplot().subplots(figsize=(width, height), layout="constrained", **options)  # type: ignore[no-any-return]


def find_pyplot() -> Any:
    """matplotlib's pyplot, in our looks. Raises ImportError, saying what to install, without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "stepgrad[plot]"') from None
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "stepgrad", "svg.fonttype": "none", "axes.spines.top": False,
                                "axes.spines.right": False, "axes.edgecolor": GREY, "xtick.color": GREY,
                                "ytick.color": GREY, "axes.labelcolor": GREY, "text.color": GREY,
                                "font.family": "sans-serif"})  # fmt: skip
    from matplotlib import pyplot

    return pyplot


def save_figure(figure: Any, path: str | Path) -> Path:
    """Writes the figure as SVG, atomically and without a date; raises OSError where that can't be done."""
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    find_pyplot().close(figure)
    return write_atomically(path, buffer.getvalue())
