"""One neuron, E = tanh(w·x + b): its graph after backprop, above the steps that put the gradients there.

Both are one picture, out/neuron.svg; pictures/neuron.svg, in the README, is the same. Next: stepping.py, where such
steps answer questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from demos.program import program
from engine import Stepper, Value, draw, label, tanh
from engine.files import write_atomically
from engine.pictures.picture import GREY, INK, WHITE
from engine.steps.step import Step, text_of

PICTURE = Path("out/neuron.svg")
EDGE, GAP, PAD, BETWEEN = 6, 14, 18, 22  # around all, above the steps, around their lines, between columns
LINE, SIZE, LETTER = 22, 13, 7.9  # a line's height, the size of letters and the width of one, the same for each
FONT = f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="{SIZE}" fill="{INK}"'
LOOKS = (f' fill="{GREY}"', ' font-weight="bold"', "", "", "", "")  # of a step's cells


def neuron() -> Value:
    """E at x = 1.4, w = 0.7, b = -1.3, without gradients yet."""
    x, w, b = Value(1.4, label="x"), Value(0.7, label="w"), Value(-1.3, label="b")
    m = w * x
    s = m + b
    E = tanh(s)
    label(m=m, s=s, E=E)
    return E


def cells(step: Step) -> list[str]:
    """A step's text in columns: its number, the gradient, what is added in symbols, in numbers, and as one; the change.

    >>> cells(Stepper(neuron()).steps[4])
    ['5', 'w.grad', '+= ∂E/∂m · ∂m/∂w', '= 0.9042 · 1.4', '= 1.266', 'None → 1.266']
    """
    told = step.pieces()
    gradient, sign = text_of(told.target).split()
    numbers = f"= {text_of(told.numbers)}" if told.numbers else ""
    cells = [gradient, f"{sign} {text_of(told.symbols)}", numbers, f"= {text_of(told.result)}", text_of(told.change)]
    return [str(step.number), *cells]


def step_lines(steps: Sequence[Step], width: float, top: float) -> tuple[str, float]:
    """The steps, a line each, as SVG on a white ground of this width from this height down; and its own height."""
    rows = [cells(step) for step in steps]
    widths = [max(map(len, column)) * LETTER + BETWEEN for column in zip(*rows, strict=True)]
    left = EDGE + (width - sum(widths) + BETWEEN) / 2
    lefts = [left + sum(widths[:i]) for i in range(len(widths))]
    height = 2 * PAD + SIZE + (len(rows) - 1) * LINE
    lines = []
    for i, row in enumerate(rows):
        placed = zip(lefts, LOOKS, row, strict=True)
        texts = [f'<tspan x="{x:.1f}"{look}>{escape(cell)}</tspan>' for x, look, cell in placed if cell]
        lines.append(f'<text y="{top + PAD + SIZE - 2 + i * LINE}">{"".join(texts)}</text>')
    ground = f'<rect x="{EDGE}" y="{top}" width="{width}" height="{height}" rx="8" fill="{WHITE}" stroke="{GREY}"/>'
    return "\n".join([f"<g {FONT}>", ground, *lines, "</g>"]), height


def picture(path: str | Path = PICTURE) -> Path:
    """Draws the graph after backprop and the steps below it, as SVG; raises RuntimeError without Graphviz, OSError."""
    stepper = Stepper(neuron()).run()
    graph = draw(stepper.E).svg()
    width, height = (int(number) for number in re.findall(r'<svg[^>]* width="(\d+)" height="(\d+)"', graph)[0])
    lines, more = step_lines(stepper.steps, width - 2 * EDGE, height + GAP)
    size = f'width="{width}" height="{height + GAP + more + EDGE}"'
    return write_atomically(path, f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{graph}\n{lines}\n</svg>\n')


def main() -> None:
    for step in Stepper(neuron()).steps:
        print(step)
    try:
        print(f"\nThe graph, with these steps below it: {picture()}")
    except RuntimeError as error:
        print(f"\nLeft out, the picture: {error}")


if __name__ == "__main__":
    raise SystemExit(program(main, "out"))
