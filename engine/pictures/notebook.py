"""A stepper in a notebook: its text and the drawing of the moment, with buttons that move it where ipywidgets is there.

The buttons move the real stepper, and with it the gradients: first and last are its ends, back and next a contribution.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from engine.pictures.draw import Drawing, draw
from engine.steps.stepper import Stepper

MOVES: dict[str, Callable[[Stepper], object]] = {
    "first": Stepper.rewind,
    "back": Stepper.back,
    "next": Stepper.step,
    "last": Stepper.run,
}
SMALL = 60  # nodes, above which no picture is drawn at every step


def show(stepper: Stepper) -> None:
    """Shows a stepper in a notebook: the widget, or its text and the drawing.

    Raises NotImplementedError outside a notebook, where its text is shown as anything's is.
    """
    if not in_notebook():
        raise NotImplementedError
    display: Any = import_module("IPython.display").display
    text = {"text/plain": repr(stepper), "text/html": stepper._repr_html_()}
    if made := widget(stepper):
        display({**made._repr_mimebundle_(), **text}, raw=True)  # a page without a kernel shows the text
        return
    display(text, raw=True)
    if drawn := picture(stepper):
        display(drawn)


def in_notebook() -> bool:
    """Whether a kernel is there, to show things and to hear a button."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def moment(stepper: Stepper) -> str:
    """The text of the moment, and its drawing below; the text alone where the graph is large or can't be drawn."""
    drawn = picture(stepper)
    return stepper._repr_html_() + (f'<div style="overflow-x: auto">{drawn.svg()}</div>' if drawn else "")


def picture(stepper: Stepper) -> Drawing | None:
    """The drawing of the moment, laid out; None where there is none."""
    if len(stepper.order) > SMALL:
        return None
    try:
        drawn = draw(stepper)
        drawn.svg()
    except RuntimeError:  # no layout engine
        return None
    return drawn


def widget(stepper: Stepper) -> Any | None:
    """Buttons over the moment, as a widget; None without ipywidgets."""
    try:
        import ipywidgets
    except ImportError:
        return None
    buttons = {
        name: ipywidgets.Button(description=name, layout=ipywidgets.Layout(width="6em"), tooltip=f"{name} step")
        for name in MOVES
    }
    view = ipywidgets.HTML()

    def update() -> None:
        view.value = moment(stepper)
        for name in ("first", "back"):
            buttons[name].disabled = stepper.position == 0
        for name in ("next", "last"):
            buttons[name].disabled = stepper.position == len(stepper)

    def move(name: str, _: object) -> None:
        MOVES[name](stepper)
        update()

    for name, button in buttons.items():
        button.on_click(partial(move, name))
    update()
    return ipywidgets.VBox([ipywidgets.HBox(list(buttons.values())), view])
