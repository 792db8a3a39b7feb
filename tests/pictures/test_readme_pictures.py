"""The pictures in the README are what the demos draw now, readable on white and on black, with nothing from outside.

Those of the page are two looks at it in Chromium, before and after a number is turned; its fonts are the machine's.

`python -m tests.pictures.test_readme_pictures` draws them anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import pytest

from demos import neuron
from demos.neuron import cells
from engine import Stepper, Value, film, topological_order
from engine.pictures.picture import GREY, INK, WHITE
from engine.text.names import number_text
from tests.conftest import chromium
from tests.pictures.reading import NAMESPACE, groups
from tests.pictures.test_draw import MADE_WITH, contrast, version, without_coordinates

ROOT = Path(__file__).parents[2]
KEPT, README = ROOT / "demos" / "pictures", (ROOT / "README.md").read_text(encoding="utf-8")
PICTURES: dict[str, Callable[[Path], Path]] = {"neuron.svg": neuron.picture}
TURNED = {"page.png": 0.7, "page-turned.png": 1.6}  # w in each
LARGEST = 40_000  # bytes


def assert_current(kept: str, drawn: str) -> None:
    """The same bytes, from the same version of Graphviz; from another one, the same but for coordinates."""
    assert without_coordinates(drawn) == without_coordinates(kept)
    assert MADE_WITH not in version() or drawn == kept


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_current(name: str, tmp_path: Path) -> None:
    kept = (KEPT / name).read_text(encoding="utf-8")
    drawn = PICTURES[name](tmp_path / name).read_text(encoding="utf-8")
    assert_current(kept, drawn)
    for word in ("1.266", "x.grad"):
        with pytest.raises(AssertionError):
            assert_current(kept.replace(word, "another"), drawn)


def test_all_that_is_kept_is_drawn_by_a_demo_and_shown() -> None:
    assert {path.name for path in KEPT.iterdir()} == {*PICTURES, *TURNED}
    assert all(f"](demos/pictures/{name})" in README for name in (*PICTURES, *TURNED))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_need_nothing_from_outside(name: str) -> None:
    root = ElementTree.fromstring((KEPT / name).read_text(encoding="utf-8"))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "image", "foreignObject", "a", "iframe", "link"}
    for element in root.iter():
        for attribute, text in element.attrib.items():
            address = attribute.endswith("href") or "url(" in text
            assert not address or text.startswith(("#", "url(#")), (attribute, text)


# -- the page


def looks_at_the_page(browser: Any, folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """The step of w.grad with each number of w: the file's name, what the step says, and a picture of the page."""
    page = browser.new_page(viewport={"width": 1040, "height": 560})
    page.goto(film(neuron.neuron()).save(folder / "film.html").as_uri())
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    for name, w in TURNED.items():
        page.get_by_label("w, as a number").fill(str(w))
        yield name, page.inner_text("#step"), page.screenshot()
    page.close()


def test_the_page_is_shown_before_and_after_a_number_is_turned(browser: Any, tmp_path: Path) -> None:
    for name, says, _ in looks_at_the_page(browser, tmp_path):
        E = neuron.neuron()
        x, w = (next(node for node in topological_order(E) if node.label == label) for label in "xw")
        gradient = x.data / math.cosh(TURNED[name] * x.data - 1.3) ** 2
        assert w.data == 0.7 and number_text(gradient) in says, (name, says)
        kept = (KEPT / name).read_bytes()
        assert kept.startswith(b"\x89PNG") and len(kept) <= LARGEST


def look_anew(browser: Any) -> None:
    """Writes what is kept, in 64 colours."""
    from PIL import Image

    with TemporaryDirectory() as folder:
        for name, _, picture in looks_at_the_page(browser, Path(folder)):
            Image.open(BytesIO(picture)).convert("RGB").quantize(64).save(KEPT / name, optimize=True)


# -- the neuron


def lines() -> list[list[ElementTree.Element]]:
    """The cells of the step lines, from the kept picture."""
    root = ElementTree.fromstring((KEPT / "neuron.svg").read_text(encoding="utf-8"))
    return [list(text) for text in root.findall(f"{NAMESPACE}g/{NAMESPACE}text")]


def test_the_neuron_is_that_of_the_readme() -> None:
    E = neuron.neuron()
    assert E.data == pytest.approx(math.tanh(0.7 * 1.4 - 1.3), rel=1e-15)
    assert all(step.columns()[0] in README for step in Stepper(E).steps[4:])


def test_the_graph_is_drawn_after_backprop() -> None:
    whole = (KEPT / "neuron.svg").read_text(encoding="utf-8")
    boxes = groups(whole[whole.index("<svg", 4) : whole.index("</svg>") + 6], "node").values()
    E = neuron.neuron()
    E.backward()
    slope = 1 / math.cosh(0.7 * 1.4 - 1.3) ** 2
    gradients = {"w": slope * 1.4, "x": slope * 0.7, "m": slope, "b": slope, "s": slope, "E": 1}
    assert {box.texts["name"].partition(" ")[0]: box.texts["grad"] for box in boxes} == {
        name: f"{gradient:.4g}" for name, gradient in gradients.items()
    }


def test_each_step_is_a_line_with_all_of_its_text() -> None:
    steps = Stepper(neuron.neuron()).steps
    assert len(lines()) == len(steps) == 6
    for step, line in zip(steps, lines(), strict=True):
        number, *rest = [cell.text or "" for cell in line]
        assert number == str(step.number) and " ".join(rest) == " ".join(repr(step).split())


@pytest.mark.parametrize("mistake", [None, "assign", "no-local", "no-upstream"])
def test_cells_leave_nothing_of_a_step_out(mistake: str | None) -> None:
    a = Value(1.7, label="a")
    for step in Stepper(a * a.tanh() + 2.3 * a, mistake=mistake).steps:
        row = cells(step)
        assert len(row) == 6 and " ".join(" ".join(row[1:]).split()) == " ".join(repr(step).split())


def test_columns_are_aligned_and_have_room() -> None:
    columns: dict[str, list[str]] = {}
    for line in lines():
        for cell in line:
            columns.setdefault(cell.get("x") or "", []).append(cell.text or "")
    assert len(columns) == 6
    lefts = {float(x): max(map(len, column)) * neuron.LETTER for x, column in columns.items()}
    for (left, width), (right, _) in pairwise(sorted(lefts.items())):
        assert left + width + 10 < right


def test_nothing_is_cut_and_the_steps_are_below_the_graph() -> None:
    root = ElementTree.fromstring((KEPT / "neuron.svg").read_text(encoding="utf-8"))
    width, height = (float(root.get(side) or 0) for side in ("width", "height"))
    graph, steps = root
    ground = {name: float(steps[0].get(name) or 0) for name in ("x", "y", "width", "height")}
    assert float(graph.get("width") or 0) == width and float(graph.get("height") or 0) < ground["y"]
    assert ground["x"] > 0 and ground["x"] + ground["width"] < width and ground["y"] + ground["height"] < height
    heights = [float(text.get("y") or 0) for text in steps[1:]]
    assert heights == sorted(set(heights))
    assert ground["y"] + neuron.SIZE < heights[0] and heights[-1] + neuron.SIZE / 2 < ground["y"] + ground["height"]
    last = max(float(cell.get("x") or 0) + len(cell.text or "") * neuron.LETTER for line in lines() for cell in line)
    assert ground["x"] + 10 < float(lines()[0][0].get("x") or 0) and last + 10 < ground["x"] + ground["width"]


def test_steps_are_readable_whatever_the_page_is() -> None:
    root = ElementTree.fromstring((KEPT / "neuron.svg").read_text(encoding="utf-8"))
    ground = root[1][0]
    assert ground.get("fill") == WHITE and root[1].get("fill") == INK
    assert contrast(INK, WHITE) > 7 and contrast(GREY, WHITE) > 4.3
    assert {cell.get("fill") for line in lines() for cell in line[1:]} == {None}


def test_neuron_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    neuron.main()
    assert (tmp_path / "out" / "neuron.svg").read_bytes() == neuron.picture(tmp_path / "again.svg").read_bytes()
    report = capsys.readouterr().out
    assert "w.grad += ∂E/∂m · ∂m/∂w = 0.9042 · 1.4 = 1.266" in report and "out/neuron.svg" in report


def test_without_graphviz_the_steps_are_printed(
    tmp_path: Path, no_engine: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    neuron.main()
    report = capsys.readouterr().out
    assert report.count(".grad") == 6 and "Left out, the picture: nothing is there to lay out a drawing" in report
    assert not list(tmp_path.iterdir())


if __name__ == "__main__":
    for name, picture in PICTURES.items():
        picture(KEPT / name)
    with chromium() as launched:
        look_anew(launched)
