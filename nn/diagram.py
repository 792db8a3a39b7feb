"""A model as its network diagram, at an input of zeros: what a notebook shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import total

if TYPE_CHECKING:
    from engine.pictures.draw import Drawing
    from nn.module import Module

NEURONS, LAYERS = 200, 5_000  # parameters, above which layers are drawn and no neurons, and above which nothing is


def diagram(model: Module) -> Drawing:
    """The network of a model, by neurons, or by layers where they are many.

    Raises ValueError where the model doesn't say how many inputs it takes, or where it is too large to draw.
    """
    from engine.pictures.draw import Drawing, draw

    inputs, size = model.arguments.get("inputs"), len(model.parameters())
    if not isinstance(inputs, int):
        raise ValueError(f"{type(model).__name__} doesn't say in its arguments how many inputs it takes")
    if size > LAYERS:
        raise ValueError(f"a network of {size:,} parameters is too large to draw; a layer of it is a model, too")
    outputs, depth = model([0.0] * inputs), "neuron" if size <= NEURONS else "layer"
    if len(outputs) == 1:
        return draw(outputs[0], depth=depth)
    picture = draw(total(outputs), depth=depth).picture  # a sum makes one graph of them, and isn't drawn
    root = next(box.id for box in picture.boxes if "root" in box.marks)
    return Drawing(
        picture._replace(
            boxes=[box for box in picture.boxes if box.id != root],
            arrows=[arrow for arrow in picture.arrows if arrow.head != root],
            title=f"Network of {len(outputs)} outputs, by {depth}",
        )
    )
