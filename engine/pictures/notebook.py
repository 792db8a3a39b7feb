"""A stepper in a notebook: its text and the drawing of the moment, with buttons that move it where ipywidgets is there.

The buttons move the real stepper, and with it the gradients: first and last are its ends, back and next a contribution.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from engine.pictures.draw import draw
from engine.steps.stepper import Stepper
from engine.text.monospace import monospaced

MOVES: dict[str, Callable[[Stepper], object]] = {
    "first": Stepper.rewind,
    "back": Stepper.back,
    "next": Stepper.step,
    "last": Stepper.run,
}
SMALL = 60  # nodes, above which no picture is drawn at every step


def bundle(stepper: Stepper) -> dict[str, Any]:
    """What a notebook shows of a stepper, by type, the widget among it if there is one."""
    shown = {"text/plain": repr(stepper), "text/html": moment(stepper)}
    made = widget(stepper)
    return shown if made is None else {**made._repr_mimebundle_(), **shown}


def moment(stepper: Stepper) -> str:
    """The text of the moment, and its drawing below; the text alone where the graph is large or can't be drawn."""
    return f"{monospaced(repr(stepper))}\n{picture(stepper)}".rstrip()


def picture(stepper: Stepper) -> str:
    """The drawing of the moment as HTML; empty where there is none."""
    if len(stepper.order) > SMALL:
        return ""
    try:
        return f'<div style="overflow-x: auto">{draw(stepper).svg()}</div>'
    except RuntimeError:  # no layout engine
        return ""


def widget(stepper: Stepper) -> Any | None:
    """Buttons over the moment, as a widget; None without ipywidgets, or outside a notebook."""
    try:
        import ipywidgets
        from IPython import get_ipython
    except ImportError:
        return None
    if get_ipython() is None or not hasattr(get_ipython(), "kernel"):  # nobody would hear a button
        return None
    buttons = {
        name: ipywidgets.Button(description=name, layout=ipywidgets.Layout(width="6em"), tooltip=f"{name} step")
        for name in MOVES
    }
    view = ipywidgets.HTML()

    def show() -> None:
        view.value = moment(stepper)
        for name in ("first", "back"):
            buttons[name].disabled = stepper.position == 0
        for name in ("next", "last"):
            buttons[name].disabled = stepper.position == len(stepper)

    def move(name: str, _: object) -> None:
        MOVES[name](stepper)
        show()

    for name, button in buttons.items():
        button.on_click(partial(move, name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        show()
        return ipywidgets.VBox([ipywidgets.HBox(list(buttons.values())), view])
