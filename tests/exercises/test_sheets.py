"""The sheets: numbers by the engine, and the page in a real browser, on screen, on a phone, on paper.

Without Chromium the browser's tests are skipped, but not where CI is set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demos.exercises.course import exercise
from demos.exercises.sheet import SHEETS, distinct, made, page, rounds_to
from engine import topological_order
from tests.exercises.ways import inside, ran

OVERLAPS = """() => {
    const of = selector => [...document.querySelectorAll(selector)].map(each => each.getBoundingClientRect());
    const boxes = of("input"), texts = of("svg .name, svg .label, svg .data");
    const beside = (a, b) => a.left >= b.right - 1 || b.left >= a.right - 1;
    const meet = (a, b) => !beside(a, b) && a.top < b.bottom - 3 && b.top < a.bottom - 3;
    return boxes.filter((a, i) => texts.some(b => meet(a, b)) || boxes.some((b, j) => i !== j && meet(a, b))).length;
}"""
each_sheet = pytest.mark.parametrize("name", SHEETS)


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens a sheet; anything that is loaded or goes wrong on the page fails the test."""
    problems: list[str] = []
    tab = browser.new_page(viewport={"width": 1100, "height": 800})
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.on("request", lambda request: problems.append(request.url) if not request.url.startswith("file:") else None)

    def open_(name: str, seed: int = 7, key: bool = False) -> Any:
        path = tmp_path / f"{name}.html"
        path.write_text(page(exercise(name), seed, key), encoding="utf-8")
        tab.goto(path.as_uri())
        return tab

    yield open_
    tab.close()
    assert not problems


def fill(tab: Any, numbers: list[Any]) -> str:
    for i, number in enumerate(numbers):
        tab.fill(f"#box{i}", str(number))
    tab.click("text=Check")
    return str(tab.inner_text("#said"))


# -- the numbers


@each_sheet
def test_right_numbers_are_the_engines(name: str) -> None:
    sheet = made(exercise(name), 4)
    E = sheet.graph.E
    E.zero_grad()
    E.backward()
    truths = {node.label: node.grad for node in topological_order(E)}
    if name == "accumulate":
        assert {box.node: box.truth for box in sheet.boxes} == pytest.approx(truths, rel=1e-12)
    elif name == "chain":
        assert {b.node: b.truth for b in sheet.boxes} == pytest.approx({b.node: truths[b.node] for b in sheet.boxes})
    elif name == "twice":
        assert [box.truth for box in sheet.boxes] == pytest.approx([truths["x"], 2 * (truths["x"] or 0), truths["x"]])
    else:
        counts = [
            sum(i is node for c in topological_order(E) for i in c.inputs) for node in reversed(topological_order(E))
        ]
        assert [box.truth for box in sheet.boxes] == counts


@each_sheet
def test_no_two_mistakes_look_alike_whatever_the_seed(name: str) -> None:
    sheets = [made(exercise(name), seed) for seed in range(25)]
    assert all(map(distinct, sheets))
    numbers = {tuple(sheet.graph.data) for sheet in sheets}
    assert len(numbers) > 5


def test_rounding_to_three_digits_is_right_and_to_two_is_not() -> None:
    assert rounds_to(0.436, 0.43581) and rounds_to(-2.1, -2.101) and rounds_to(23.1, 23.12) and rounds_to(0, 0)
    assert not rounds_to(0.44, 0.43581) and not rounds_to(2.11, 2.101) and not rounds_to(1e-3, 0)


def test_which_exercises_have_a_sheet(tmp_path: Path) -> None:
    with inside(tmp_path):
        assert "has no sheet: those that are numbers on a graph have one, 3, 5, 6, 8" in ran("sheet", "7")
        assert "wrote e05-sheet.html" in ran("sheet", "5")


@each_sheet
def test_nothing_comes_from_outside(name: str) -> None:
    text = page(exercise(name), 7)
    assert "default-src 'none'" in text and not re.search(r"""(?:src|href)=["'](?!#)""", text)
    assert not re.search(r"\{\{\w+\}\}", text) and json.loads(text.split('id="data">')[1].split("</script>")[0])


# -- the page


@each_sheet
def test_right_answers_rounded_to_three_digits_are_right(name: str, opened: Any) -> None:
    sheet = made(exercise(name), 7)
    assert fill(opened(name), [f"{box.truth:.3g}" for box in sheet.boxes]) == "All right."


@each_sheet
def test_each_mistake_is_named(name: str, opened: Any) -> None:
    tab = opened(name)
    for mistake in made(exercise(name), 7).mistakes:
        said = fill(tab, [f"{number:.4g}" for number in mistake.numbers])
        assert said == f"{mistake.says} ({mistake.id})"


def test_the_first_that_is_off_a_number_that_is_none_and_what_is_left(opened: Any) -> None:
    sheet, tab = made(exercise("accumulate"), 7), opened("accumulate")
    right = [f"{box.truth:.4g}" for box in sheet.boxes]
    first, third = sheet.boxes[1].label, sheet.boxes[2].label
    assert fill(tab, [""] * len(right)) == "Nothing is filled in yet."
    assert fill(tab, right[:2]) == f"What is there is right; {len(right) - 2} to go."
    assert (
        fill(tab, [*right[:2], "17", *right[3:]]) == f"All is right down to {first}; {third} is the first that is off."
    )
    assert "is no number" in fill(tab, [*right[:2], "one", *right[3:]])
    assert fill(tab, [text.replace(".", ",").replace("-", "−") for text in right]) == "All right."


def test_the_key_and_the_teachers_copy(opened: Any) -> None:
    sheet, tab = made(exercise("accumulate"), 3), opened("accumulate", 3)
    tab.click("text=Show the key")
    tab.click("text=Check")
    assert tab.inner_text("#said") == "All right."
    tab = opened("accumulate", 3, key=True)
    shown = [tab.input_value(f"#box{i}") for i in range(len(sheet.boxes))]
    assert [float(text) for text in shown] == pytest.approx([box.truth for box in sheet.boxes], rel=1e-3)


@each_sheet
def test_boxes_stand_in_the_drawing_and_hide_nothing(name: str, opened: Any) -> None:
    tab = opened(name)
    overlaps = tab.evaluate(OVERLAPS)
    assert overlaps == 0


@each_sheet
def test_a_phone_scrolls_the_drawing_and_not_the_page(name: str, opened: Any) -> None:
    tab = opened(name)
    tab.set_viewport_size({"width": 360, "height": 740})
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_paper_buttons_are_left_out(opened: Any) -> None:
    tab = opened("accumulate")
    tab.emulate_media(media="print")
    assert not tab.is_visible("text=Check") and tab.is_visible("#box0") and tab.is_visible("text=Name:")
