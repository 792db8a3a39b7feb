"""A diagnosis as a picture, for the README: what a check says, above the graph in which the contribution was lost.

`python -m demos.exercises.picture` writes out/diagnosis.svg.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from xml.etree import ElementTree

from demos.exercises import e05_accumulate as five
from demos.exercises.graphs import WAYS, walked
from demos.exercises.judge import judge
from demos.exercises.run import Outcome
from demos.exercises.views import View
from engine.files import write_atomically

NAMESPACE = "http://www.w3.org/2000/svg"
GREY, INK, WHITE = "#797979", "#1a1a1a", "#ffffff"  # as in the engine's drawings
SIZE, LINE, PAD = 13.0, 18.0, 14.0
LETTER = SIZE * 0.602  # of a monospaced font


def diagnosis() -> tuple[list[str], View]:
    """The text of a check of somebody who wrote = for +=, and what is shown of it."""
    probes = five.probes(0)
    answers = [
        [found[node] for node in graph.order]
        for graph in five.graphs()
        for found in [walked(graph, graph.order, **WAYS["assign"])]
    ]
    verdict = judge(five.EXERCISE, probes, Outcome(answers=answers))
    assert verdict.trial is not None
    return verdict.text().split("\n\n  see it")[0].splitlines(), five.see(verdict.trial, verdict.mistake)


def picture(path: Path) -> Path:
    """The text over the drawing, as one SVG."""
    lines, view = diagnosis()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawing = ElementTree.fromstring(view.drawing.svg())
    ElementTree.register_namespace("", NAMESPACE)
    height = 2 * PAD + LINE * len(lines)
    width = max(float(drawing.get("width", 0)), max(map(len, lines)) * LETTER + 2 * PAD)
    whole = height + float(drawing.get("height", 0))
    root = ElementTree.Element(f"{{{NAMESPACE}}}svg", {
        "width": f"{width:g}", "height": f"{whole:g}", "viewBox": f"0 0 {width:g} {whole:g}", "role": "img",
        "aria-label": " ".join(" ".join(lines).split()),
    })  # fmt: skip
    ground = {"x": "0", "y": "0", "width": f"{width:g}", "height": f"{whole:g}", "fill": WHITE}
    ElementTree.SubElement(root, f"{{{NAMESPACE}}}rect", ground)
    style = {
        "font-family": "ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace",
        "font-size": f"{SIZE:g}",
        "fill": INK,
    }
    text = ElementTree.SubElement(root, f"{{{NAMESPACE}}}g", style)
    for i, line in enumerate(lines):
        if line.strip():
            place = {"x": f"{PAD:g}", "y": f"{PAD + LINE * (i + 0.7):g}", "xml:space": "preserve"}
            place |= (
                {"font-weight": "bold"} if "first one off" in line else {"fill": GREY} if "ok" in line.split() else {}
            )
            ElementTree.SubElement(text, f"{{{NAMESPACE}}}text", place).text = line
    drawing.set("y", f"{height:g}")
    root.append(drawing)
    return write_atomically(path, ElementTree.tostring(root, encoding="unicode") + "\n")


def main() -> None:
    print("\n".join(diagnosis()[0]))
    print(f"\nwrote {picture(Path('out/diagnosis.svg'))}")


if __name__ == "__main__":
    main()
