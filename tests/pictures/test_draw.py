"""A drawing says what the graph holds, looks as it should, and is the same every time, whatever the labels are.

The golden pictures are reviewed by eye; `python -m tests.pictures.test_draw` writes them anew. They are compared by the
byte where Graphviz is of the version that they were made with, and by all but their coordinates elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import nn
from demos.worked_example import X, Y, example
from engine import Stepper, Value, compare, draw, explain, topological_order
from engine.formulas import parse
from engine.pictures.dot import dot_source
from engine.pictures.draw import Drawing
from engine.pictures.labels import beside, curve
from engine.pictures.layout import laid_out, run
from engine.pictures.nodes import BLANK
from engine.pictures.picture import DEEPEST, GREY, HIGHLIGHT, INK, LOOKS, NEGATIVE, POSITIVE, size, text_width, tint
from engine.steps.compare import Comparison
from engine.steps.explain import Explanation
from engine.text.names import number_text
from engine.text.symbols import PRINTED
from tests.graphs import GRAPHS, Built, diamond, each_graph, neuron, shared_product, twice
from tests.pictures.reading import deep_network, groups, notes, parsed, readme, regression, two_samples

ROOT, GOLDEN = Path(__file__).parents[2], Path(__file__).parent / "golden"


def backward(make: Callable[[], Built]) -> Value:
    E = make()[0]
    E.backward()
    return E


# -- what it says


@each_graph
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_each_node_is_a_box_with_its_numbers(make: Callable[[], Built], after: bool) -> None:
    E = backward(make) if after else make()[0]
    order, boxes = topological_order(E), groups(draw(E).svg(), "node")
    assert len(boxes) == len(order) + sum(type(input) is float for node in order for input in node.inputs)
    for i, node in enumerate(order):
        texts = boxes[f"n{i}"].texts
        assert texts["data"] == number_text(node.data)
        assert texts["grad"] == ("–" if node.grad is None else number_text(node.grad))
        assert repr(node.data) in boxes[f"n{i}"].tooltip  # full precision
        assert (f"\n{node.op}: " if node.op else "") in boxes[f"n{i}"].tooltip
        assert ("root" in boxes[f"n{i}"].classes) == (node is E)


@each_graph
def test_each_operand_slot_is_an_arrow_with_its_local_derivative(make: Callable[[], Built]) -> None:
    E = backward(make)
    order, svg = topological_order(E), draw(E).svg()
    arrows, boxes = groups(svg, "edge"), groups(svg, "node")
    assert len(arrows) == sum(len(node.inputs) for node in order)
    for i, node in enumerate(order):
        for slot, (input, partial) in enumerate(zip(node.inputs, node.partials, strict=True)):
            arrow = arrows[f"e{i}-{slot}"]
            if partial is None:
                assert arrow.classes == {"constant"} and not arrow.texts
                assert boxes[f"c{i}-{slot}"].texts["name"] == number_text(input)  # type: ignore[arg-type]
            else:
                assert arrow.texts == {"local": f"∂ {number_text(partial)}"}
                assert repr(partial) in arrow.tooltip


def test_a_plus_a_has_two_arrows_between_the_same_boxes() -> None:
    source = draw(twice()[0]).source
    assert len(re.findall(r'"n0":e -> "n1":p\d:w', source)) == 2


def test_name_and_formula_are_on_top() -> None:
    names = [box.texts["name"] for box in groups(draw(readme()).svg(), "node").values()]
    assert names == ["w", "x", "m = w·x", "b", "s = m + b", "E = tanh(s)"]


@pytest.mark.parametrize(
    "formula, printed",
    [
        ("w * x + b", "w·x + b"), ("x**2", "x²"), ("(x + y)**3", "(x + y)³"), ("x**(-1)", "x⁻¹"), ("x**10", "x¹⁰"),
        ("x**2.5", "x**2.5"), ("2**x", "2**x"), ("2.5**x", "2.5**x"), ("x**y * (-2)", "x**y·(-2)"), ("x / y", "x / y"),
    ],
)  # fmt: skip
def test_formulas_are_typeset(formula: str, printed: str) -> None:
    assert PRINTED.written(parse(formula), {}) == printed


def test_a_label_that_looks_like_a_formula_is_left_alone() -> None:
    E = Value(1.5, label="a * b**2") * Value(0.7, label="c")
    assert groups(draw(E).svg(), "node")["n2"].texts["name"] == "E = (a * b**2)·c"


def test_arrows_are_as_wide_as_their_contributions() -> None:
    E = backward(diamond)
    order, arrows = topological_order(E), groups(draw(E).svg(), "edge")
    found = []
    for i, node in enumerate(order):
        for slot, partial in enumerate(node.partials):
            if partial is not None:
                width = float(arrows[f"e{i}-{slot}"].shape("line")["stroke-width"])
                found.append((abs((node.grad or 0.0) * partial), width))
    found.sort()
    assert [width for _, width in found] == sorted(width for _, width in found) and found[0][1] < found[-1][1] == 4
    for contribution, width in found:
        assert width == pytest.approx(1 + 3 * contribution / found[-1][0], abs=0.006)


def test_before_backward_no_box_is_tinted_and_all_arrows_are_thin() -> None:
    svg = draw(diamond()[0]).svg()
    assert {box.shape("box")["fill"] for box in groups(svg, "node").values()} == {"#ffffff"}
    assert {arrow.shape("line")["stroke-width"] for arrow in groups(svg, "edge").values()} == {"1", "0.75"}


def test_it_is_described_for_screen_readers() -> None:
    root = parsed(draw(readme()).svg())
    title, description = root[0], root[1]
    assert root.get("role") == "img" and root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text == "Computation graph of E"
    assert description.text == "6 nodes, from the leaves w, x, b to E = -0.3095, each with its number and its gradient."


def test_a_stale_graph_is_said_to_be() -> None:
    E, (x, _) = diamond()
    E.backward()
    assert not notes(draw(E).svg())
    x.data = 0.9
    assert notes(draw(E).svg()) == [
        "stale: x or w was set to another number after the graph was built; these are the numbers of the old graph"
    ]


def test_drawing_changes_no_gradient() -> None:
    E, _ = diamond()
    draw(E, highlight=explain(E, E)).svg()
    assert all(node.grad is None for node in topological_order(E))


# -- how it looks


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG21/#dfn-relative-luminance"""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio"""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_text_is_readable_on_every_tint(sign: int) -> None:
    for share in range(101):
        assert contrast(INK, tint(sign * share / 100, 1.0)) >= 4.5


@pytest.mark.parametrize("full, sign", [(POSITIVE, 1), (NEGATIVE, -1)])
def test_tint_is_at_most_three_quarters(full: str, sign: int) -> None:
    deepest = tint(sign, 1)
    shares = [
        (255 - int(deepest[i : i + 2], 16)) / (255 - int(full[i : i + 2], 16))
        for i in (1, 3, 5)
        if full[i : i + 2] != "ff"
    ]
    assert all(share == pytest.approx(DEEPEST, abs=0.02) for share in shares) and DEEPEST <= 0.75


@pytest.mark.parametrize("colour", [GREY, HIGHLIGHT])
@pytest.mark.parametrize("page", ["#ffffff", "#000000"])
def test_what_is_outside_of_boxes_is_readable_on_white_and_on_black(colour: str, page: str) -> None:
    assert contrast(colour, page) >= 4.3


def test_nothing_outside_of_boxes_has_another_colour() -> None:
    E = readme()
    svg = draw(E, highlight=explain(E, topological_order(E)[0])).svg()
    colours = {text.get("fill") for text in parsed(svg).iter() if text.get("class") in ("local", "note")}
    assert colours <= {GREY, HIGHLIGHT}


def test_fill_is_by_sign_and_size_of_the_gradient() -> None:
    E = backward(diamond)
    boxes = groups(draw(E).svg(), "node")
    largest = max(abs(node.grad or 0) for node in topological_order(E))
    for i, node in enumerate(topological_order(E)):
        fill = boxes[f"n{i}"].shape("box")["fill"]
        red, blue = int(fill[1:3], 16), int(fill[5:7], 16)
        assert (blue > red) == (node.grad is not None and node.grad > 0)
        assert fill == tint(node.grad, largest)


def test_kinds_of_boxes_are_told_apart_without_colour() -> None:
    E = regression()
    boxes = groups(draw(E).svg(), "node").values()
    looks = {}
    for box in boxes:
        shape = box.shape("box")
        kind = "root" if "root" in box.classes else next(kind for kind in LOOKS if kind in box.classes)
        doubled = any(each.get("class") == "rim" for each in box.element)
        looks[kind] = ("rx" in shape, shape["stroke-width"], "stroke-dasharray" in shape, doubled)
    looks["leaf"] = _look_of_a_leaf()
    assert set(looks) == {"root", "operation", "parameter", "constant", "leaf"}
    assert len(set(looks.values())) == len(looks)


def _look_of_a_leaf() -> tuple[bool, str, bool, bool]:
    box = groups(draw(readme()).svg(), "node")["n0"]
    shape = box.shape("box")
    return (
        "rx" in shape,
        shape["stroke-width"],
        "stroke-dasharray" in shape,
        any(e.get("class") == "rim" for e in box.element),
    )


def test_the_background_is_transparent() -> None:
    root = parsed(draw(readme()).svg())
    assert {element.tag.rpartition("}")[2] for element in root} == {"title", "desc", "g"}  # no rectangle behind


@each_graph
def test_no_two_boxes_overlap_and_none_is_cut(make: Callable[[], Built]) -> None:
    svg = draw(make()[0]).svg()
    x0, y0, width, height = map(float, (parsed(svg).get("viewBox") or "").split())
    rectangles = []
    for box in groups(svg, "node").values():
        x, y, w, h = (float(box.shape("box")[name]) for name in ("x", "y", "width", "height"))
        assert x0 < x and y0 < y and x + w < x0 + width and y + h < y0 + height
        rectangles.append((x, y, x + w, y + h))
    for i, (left, top, right, bottom) in enumerate(rectangles):
        for other in rectangles[:i]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


# -- the same every time


def test_twice_the_same_graph_is_the_same_bytes() -> None:
    assert draw(backward(shared_product)).svg() == draw(backward(shared_product)).svg()


def test_other_runs_give_the_same_bytes() -> None:
    code = """from tests.pictures.reading import *; from engine import draw
E = regression()
print(draw(E).source, draw(E).svg())"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT, capture_output=True, check=True,
        ).stdout
        for seed in ("0", "7")
    }  # fmt: skip
    assert len(outputs) == 1


def test_ids_differ_between_pictures() -> None:
    pictures = [draw(backward(make)).svg() for make in GRAPHS.values()]
    assert len({parsed(svg)[0].get("id") for svg in pictures}) == len(pictures)


def worked_example() -> Value:
    E = nn.half_squared_error(example()(X), Y)
    E.backward()
    return E


GOLDEN_GRAPHS: dict[str, Callable[[], Value]] = {
    "readme": readme,
    "diamond": lambda: backward(diamond),
    "twice": lambda: backward(twice),
    "neuron": lambda: backward(neuron),
    "worked_example": worked_example,
}
MADE_WITH = "graphviz version 2.43.0"


def version() -> str:
    try:
        return subprocess.run(["dot", "-V"], capture_output=True, text=True).stderr
    except FileNotFoundError:
        return ""


def without_coordinates(svg: str) -> str:
    svg = re.sub(r' (x|y|x1|x2|y1|y2|cx|cy|d|points|width|height|viewBox)="[^"]*"', "", svg)
    return re.sub(r"\bg[0-9a-f]{8}-", "g-", svg)


@pytest.mark.parametrize("name", GOLDEN_GRAPHS)
def test_golden_pictures(name: str) -> None:
    golden, drawn = (GOLDEN / f"{name}.svg").read_text(encoding="utf-8"), draw(GOLDEN_GRAPHS[name]()).svg() + "\n"
    assert without_coordinates(drawn) == without_coordinates(golden)
    if MADE_WITH in version():
        assert drawn == golden


NETWORKS: dict[str, Callable[[], Value]] = {"regression": regression, "deep": deep_network, "two samples": two_samples}
DRAWN = {name: lambda make=make: backward(make) for name, make in GRAPHS.items()} | GOLDEN_GRAPHS | NETWORKS


@pytest.mark.parametrize("make", DRAWN.values(), ids=DRAWN)
def test_no_label_is_on_a_box_a_border_a_line_or_another_label(make: Callable[[], Value]) -> None:
    picture = draw(make()).picture
    layout = laid_out(dot_source(picture, bare=True))
    places, areas = beside(picture, layout), list[tuple[float, ...]]()
    for arrow in picture.arrows:
        if layout.edges[arrow.id].label:
            x, y = places[arrow.id]
            width = text_width(arrow.label) / 1.2  # that width leaves room for broad fonts
            left, top, right, bottom = area = (x - width / 2, y - 5.0, x + width / 2, y + 5.0)
            for other in areas:
                assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            for line in picture.arrows:
                points = curve(layout.edges[line.id].points)
                assert not any(left < px < right and top < py < bottom for px, py in points), (arrow.id, line.id)
            for box in picture.boxes:
                (bx, by), (wide, high) = layout.nodes[box.id], size(box)
                assert abs(x - bx) >= (width + wide) / 2 or abs(y - by) >= (10 + high) / 2
            for (x0, y0), (x1, y1), _ in layout.clusters.values():
                within = x0 < left and right < x1 and y0 < top and bottom < y1
                assert within or right <= x0 or x1 <= left or bottom <= y0 or y1 <= top
            areas.append(area)


def test_another_number_is_not_the_golden_picture() -> None:
    E = Value(1.41, label="x").tanh()
    assert without_coordinates(draw(E).svg()) != without_coordinates(draw(Value(1.4, label="x").tanh()).svg())


# -- labels are data

HOSTILE = {
    "markup": "</text></svg><script>alert(1)</script>",
    "ampersand": "a & b &amp; &#60;script&#62;",
    "quotes": "\"'`",
    "backslash": "\\N \\G \\\\ \\l",
    "braces": "{a|b} <port> [label=x]",
    "dot": '"]; evil [label="x',
    "comment": "--> ]]> <!-- <?xml ?> <![CDATA[",
    "url": "javascript:alert(1)",
    "newlines": "a\nb\r\n\tc\x00\x0b\x7f\ufffe",
    "directions": "a\u202eb\u200f\u2066c",
    "surrogate": "\ud800",
    "wide": "日本語の変数 🎉",
    "hebrew": "שלום",
    "empty": "",
    "space": "  ",
    "weight": "<b>.w[0]",
    "many digits": f"a.w[{'9' * 5000}]",
    "long": "x" * 10_000,
    "long weight": "y" * 10_000 + ".w[3]",
    "dots": "." * 3_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_labels_are_data(text: str) -> None:
    x, w = Value(0.7, label=text), Value(-1.3, label="w")
    E = x * w + x
    E.label = text
    E.backward()
    stepper = Stepper(E).run()
    for drawing in (draw(E), draw(stepper), draw(E, highlight=explain(E, x)), draw(E, highlight=compare(E, {w: 5.0}))):
        svg = drawing.svg()
        assert set(groups(svg, "node")) == {"n0", "n1", "n2", "n3"} and len(groups(svg, "edge")) == 4
        assert float(parsed(svg).get("width") or 0) < 2_200 and len(svg) < 40_000
        assert all(char.isprintable() or char == "\n" for char in svg)
        looks = json.loads(run(drawing.source, "json0"))  # the source with its texts, read by Graphviz
        assert [each["name"] for each in looks["objects"] if "pos" in each] == ["n0", "n1", "n2", "n3"]
        assert len(looks["edges"]) == 4 and len(drawing.source) < 20_000


@pytest.mark.parametrize("text", ["</text><script>alert(1)</script>", "a & b", '"quoted"', "{a|b}", "שלום"])
def test_labels_are_shown_as_they_are(text: str) -> None:
    box = groups(draw(Value(0.7, label=text).tanh()).svg(), "node")["n0"]
    shown = box.texts["name"]
    assert shown == text or (shown.startswith(text[:10]) and "…" in shown and text in box.tooltip)


def test_a_label_with_hidden_letters_shows_them() -> None:
    assert groups(draw(Value(0.7, label="a\nb\u202ec").tanh()).svg(), "node")["n0"].texts["name"] == r"a\nb\u202ec"


def test_a_long_label_is_shortened_and_whole_in_the_tooltip() -> None:
    text = "".join(f"{i:04}" for i in range(400))
    box = groups(draw(Value(0.7, label=text).tanh()).svg(), "node")["n0"]
    assert "…" in box.texts["name"] and len(box.texts["name"]) < 40 and text in box.tooltip


def test_what_is_not_on_the_list_is_found() -> None:
    good = draw(readme()).svg()
    bad = ["<script/>", '<a href="x"/>', '<rect onclick="x"/>', '<g class="&lt;"/>', '<g id="a"/><g id="a"/>']
    for element in bad:
        with pytest.raises(AssertionError):
            parsed(good.replace("</svg>", f"{element}</svg>"))


# -- large graphs


def chain(length: int) -> Value:
    node = Value(0.37, label="x")
    for _ in range(length):
        node = -node
    return node


@pytest.mark.parametrize("boxes, labels", [(300, True), (301, False), (500, False)])
def test_many_boxes_have_arrows_without_labels(boxes: int, labels: bool) -> None:
    drawing = draw(chain(boxes - 1))
    assert len(drawing.picture.boxes) == boxes and any(arrow.label for arrow in drawing.picture.arrows) == labels
    assert "nslimit" not in drawing.source


def test_constants_count() -> None:
    E = Value(0.37)
    for _ in range(150):
        E = E + 1.3
    drawing = draw(E)
    assert len(drawing.picture.boxes) == 301 and not any(arrow.label for arrow in drawing.picture.arrows)


def test_more_than_500_boxes_bring_a_warning() -> None:
    with pytest.warns(UserWarning, match="a drawing of 501 boxes is slow to make and hard to read"):
        drawing = draw(chain(500))
    assert "nslimit=0.1" in drawing.source and set(groups(drawing.svg(), "node")) == {f"n{i}" for i in range(501)}


@pytest.mark.filterwarnings("ignore:a drawing of")
def test_more_than_2000_boxes_are_refused_unless_forced() -> None:
    assert len(draw(chain(1999)).picture.boxes) == 2000
    with pytest.raises(ValueError, match=r"more than 2,000 nodes and constants: pass depth='layer'.*sub-expression"):
        draw(chain(2000))
    assert len(draw(chain(2000), force=True).picture.boxes) == 2001


def test_too_large_a_graph_is_refused_without_a_walk() -> None:
    E = chain(200_000)
    start = time.process_time()
    with pytest.raises(ValueError, match="more than 2,000 nodes"):
        draw(E)
    refused = time.process_time()
    assert len(topological_order(E)) == 200_001
    assert 4 * (refused - start) < time.process_time() - refused


# -- blanks


@pytest.mark.parametrize("kind", ["grad", "data", "local"])
def test_a_worksheet_leaves_one_kind_of_numbers_out(kind: str) -> None:
    E = backward(shared_product)
    key, sheet = draw(E).svg(), draw(E, blanks=kind).svg()
    assert set(groups(key, "node")) == set(groups(sheet, "node")) and set(groups(key, "edge")) == set(
        groups(sheet, "edge")
    )
    order = topological_order(E)
    for i, node in enumerate(order):
        texts = groups(sheet, "node")[f"n{i}"].texts
        assert (texts["grad"] == BLANK) == (kind == "grad")
        assert (texts["data"] == BLANK) == (kind == "data" and node.rule is not None)  # leaves are given
    for arrow in groups(sheet, "edge").values():
        assert (arrow.texts["local"] == f"∂ {BLANK}") == (kind == "local")
    for picture, told in ((key, True), (sheet, False)):
        boxes, arrows = groups(picture, "node"), groups(picture, "edge")
        for i, node in enumerate(order):
            tooltip = boxes[f"n{i}"].tooltip
            if kind != "local" and (kind != "data" or node.rule):
                assert (repr(getattr(node, kind)) in tooltip) == told
            for slot, partial in enumerate(node.partials):
                assert partial in (1.0, -1.0) or (repr(partial) in arrows[f"e{i}-{slot}"].tooltip) == told


@pytest.mark.parametrize("blanks", ["grad", "data", "local", ["grad", "local"], ("grad", "data", "local")])
@pytest.mark.parametrize("depth", [None, "neuron", "layer"])
def test_the_key_has_the_worksheet_s_layout(blanks: str | list[str], depth: str | None) -> None:
    E = regression()
    sheet = draw(E, blanks=blanks, depth=depth)
    assert sheet.key is not None
    assert dot_source(sheet.picture, bare=True) == dot_source(sheet.key.picture, bare=True)
    numbers = [[text for box in groups(each.svg(), "node").values() for text in box.texts.values()]
               for each in (sheet, sheet.key)]  # fmt: skip
    assert not any(BLANK in text for text in numbers[1])
    assert any(BLANK in text for text in numbers[0]) == (blanks != "local")  # which stands on arrows


def sheet_size(drawing: Drawing) -> list[str]:
    return (parsed(drawing.svg()).get("viewBox") or "").split()


@pytest.mark.parametrize("what", ["compare", "explain", "stale"])
def test_the_key_is_laid_out_alike_also_where_something_is_noted(what: str) -> None:
    x, w = Value(1.4, "x"), Value(0.7, "w")
    E = (x * w).tanh()
    E.backward()
    if what == "stale":
        x.data = 2.5
    highlights: dict[str, Comparison | Explanation | None] = {
        "compare": compare(E, {"x": 1.25}),
        "explain": explain(E, x),
        "stale": None,
    }
    sheet = draw(E, blanks="local", highlight=highlights[what])
    assert sheet.key is not None and sheet_size(sheet) == sheet_size(sheet.key)
    assert sheet.picture.notes == sheet.key.picture.notes != ()


def test_the_moments_of_a_pass_over_gradients_from_before_are_of_one_size() -> None:
    a, b = Value(1.4, "a"), Value(-0.7, "b")
    F = (a * b) * a + a * b
    F.backward()
    stepper = Stepper(F, mistake="assign")
    sizes = [sheet_size(draw(stepper.goto(step)))[3] for step in range(1, len(stepper) + 1)]
    assert len(set(sizes)) == 1


def test_several_kinds_of_numbers_are_left_out() -> None:
    svg = draw(backward(diamond), blanks=["grad", "local"]).svg()
    assert all(box.texts.get("grad", BLANK) == BLANK for box in groups(svg, "node").values())
    assert all(BLANK in arrow.texts.get("local", BLANK) for arrow in groups(svg, "edge").values())
    assert BLANK not in {box.texts.get("data") for box in groups(svg, "node").values()}


def test_a_worksheet_of_gradients_has_no_tints_nor_widths() -> None:
    svg = draw(backward(diamond), blanks="grad").svg()
    assert {box.shape("box")["fill"] for box in groups(svg, "node").values()} == {"#ffffff"}
    assert {arrow.shape("line")["stroke-width"] for arrow in groups(svg, "edge").values()} == {"1", "0.75"}


# -- a moment, a path, a mistake


@each_graph
def test_a_stepper_draws_the_moment(make: Callable[[], Built]) -> None:
    stepper = Stepper(make()[0])
    order = stepper.order
    for position in range(0, len(stepper) + 1, max(1, len(stepper) // 6)):
        svg = draw(stepper.goto(position)).svg()
        boxes, arrows = groups(svg, "node"), groups(svg, "edge")
        marked = {
            mark: {box.id for box in boxes.values() if mark in box.classes} for mark in ("hand", "waiting", "done")
        }
        assert marked["hand"] == ({f"n{order.index(stepper.hand)}"} if position else set())
        assert marked["waiting"] == {f"n{order.index(node)}" for node in stepper.waiting}
        for node, (some, all_) in stepper.waiting.items():
            assert boxes[f"n{order.index(node)}"].texts["arrived"] == f"{some} of {all_} in"
        for i, node in enumerate(order):
            assert boxes[f"n{i}"].texts["grad"] == ("–" if node.grad is None else number_text(node.grad))
        later = {step.number for step in stepper.steps if step.slot is not None and step.number > position}
        assert sum("later" in arrow.classes for arrow in arrows.values()) == len(later)
        current = [arrow for arrow in arrows.values() if "current" in arrow.classes]
        if position > 1:
            step = stepper.steps[position - 1]
            assert [arrow.id for arrow in current] == [f"e{order.index(step.node)}-{step.slot}"]
            assert current[0].texts["local"].endswith(f" = {number_text(step.contribution)}")
            assert current[0].texts["local"].startswith(f"{number_text(step.upstream)} · ")
        assert notes(svg)[0].startswith(f"step {position} of {len(stepper)}: ")
    done = {box.id for box in groups(draw(stepper.run()).svg(), "node").values() if "done" in box.classes}
    assert done == {f"n{i}" for i in range(len(order))}


def test_a_wrong_pass_is_named() -> None:
    stepper = Stepper(twice()[0], mistake="assign").run()
    assert any("mistake 'assign'" in note for note in notes(draw(stepper).svg()))


def test_the_paths_of_one_derivative_are_highlighted() -> None:
    E = readme()
    w = topological_order(E)[0]
    svg = draw(E, highlight=explain(E, w)).svg()
    assert {box.id for box in groups(svg, "node").values() if "path" in box.classes} == {"n0", "n2", "n4", "n5"}
    assert {arrow.id for arrow in groups(svg, "edge").values() if "path" in arrow.classes} == {"e2-0", "e4-0", "e5-0"}
    assert notes(svg) == ["∂E/∂w = 1.266, by 1 path", "E → s → m → w: 0.9042 · 1 · 1.4 = 1.266"]


@each_graph
def test_highlighted_paths_are_those_of_the_explanation(make: Callable[[], Built]) -> None:
    E, leaves = make()
    order = topological_order(E)
    svg = draw(E, highlight=explain(E, leaves[0])).svg()
    reached = {leaves[0]}
    edges = set()
    for i, node in enumerate(order):  # from w up, where the explanation goes from E down
        for slot, input in enumerate(node.inputs):
            if isinstance(input, Value) and input in reached:
                reached.add(node)
                edges.add(f"e{i}-{slot}")
    assert {arrow.id for arrow in groups(svg, "edge").values() if "path" in arrow.classes} == edges


def test_the_first_gradient_that_is_off_is_painted() -> None:
    E, (a, b, _) = shared_product()
    E.backward()
    svg = draw(E, highlight=compare(E, {a: 1.0, b: b.grad or 0.0})).svg()
    assert [box.id for box in groups(svg, "node").values() if "off" in box.classes] == ["n0"]
    assert notes(svg)[0] == "compare: a.grad is -0.4758, and 1 was given"
    right = draw(E, highlight=compare(E, {a: a.grad or 0.0})).svg()
    assert not any("off" in box.classes for box in groups(right, "node").values())


# -- wrong arguments


@pytest.mark.parametrize(
    "arguments, error, says",
    [
        ({"depth": "node"}, ValueError, "depth is 'neuron' or 'layer'; given was 'node'"),
        ({"blanks": "all"}, ValueError, "blanks is 'grad' or 'data' or 'local', or a list of these; given was 'all'"),
        ({"blanks": []}, ValueError, "given was []"),
        ({"highlight": "w"}, TypeError, "highlight is what compare() or explain() returns, not a str"),
        ({"depth": "layer"}, ValueError, "and this graph has none: leave depth out"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)):
        draw(readme(), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [None, 0.7, [readme()], "E"])
def test_only_a_graph_can_be_drawn(given: object) -> None:
    with pytest.raises(TypeError, match="draw takes the Value at the end of a graph, or a Stepper, and was given a"):
        draw(given)  # type: ignore[arg-type]


@each_graph
def test_all_moments_of_a_stepper_have_one_layout(make: Callable[[], Built]) -> None:
    for mistake in (None, "assign"):
        stepper = Stepper(make()[0], mistake=mistake)
        sources = {dot_source(draw(stepper.goto(i)).picture, bare=True) for i in range(0, len(stepper) + 1, 5)}
        assert len(sources) == 1


def test_a_moment_is_no_worksheet() -> None:
    with pytest.raises(ValueError, match="worksheet"):
        draw(Stepper(readme()), blanks="grad")


def test_highlights_of_another_graph() -> None:
    E, _ = diamond()
    F, (b, _) = diamond()
    with pytest.raises(ValueError, match="another graph"):
        draw(E, highlight=explain(F, b))
    with pytest.raises(ValueError, match="another graph"):
        draw(E, highlight=compare(F, {b: 1.0}))


if __name__ == "__main__":
    for name, make in GOLDEN_GRAPHS.items():
        draw(make()).save(GOLDEN / f"{name}.svg")


def test_the_first_that_is_off_shows_what_was_given_and_the_edges_that_are_missing() -> None:
    a, b = Value(0.8, "a"), Value(-1.1, "b")
    p = a**2
    E = p.tanh() * p - b * p
    p.label = "p"
    svg = draw(E, highlight=compare(E, {"p": 0.4358})).svg()
    boxes, edges_ = groups(svg, "node"), groups(svg, "edge")
    [off] = [box for box in boxes.values() if "off" in box.classes]
    assert off.texts["yours"] == "0.4358"
    lost = {edge.id for edge in edges_.values() if "lost" in edge.classes}
    assert len(lost) == 2 and all(edges_[id].shape("line")["stroke-dasharray"] for id in lost)
