"""The film: its frames against the engine, and the page in a real browser, driven by every control and compared.

The browser is the system's Chromium. Where there is none these tests are skipped, but not where CI is set.
"""

from __future__ import annotations

import json
import re
import struct
from base64 import b64decode
from collections.abc import Callable, Iterator
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine import Stepper, Value, draw, film, label, replay, tanh, total
from engine.order import topological_order
from engine.pictures.film import Film
from engine.pictures.frontend import SHOW_PAGES
from engine.rules import TABLE
from engine.steps.passes import MISTAKES
from engine.text.names import display_names, number_text
from tests.graphs import GRAPHS, Built, diamond, each_graph, fan_out, neuron
from tests.pictures.reading import groups, notes

ROOT = Path(__file__).parents[2]
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
HOSTILE = [
    '</script><script>document.title = "pwned"</script>',
    '"><img src=https://example.com/x onerror="document.title = 1">',
    "javascript:alert(1)",
    "\u202e\u2066turned\u2028\u2029$style",
    "<!--<script>{{7*7}}\\u003c'",
    "W" * 10_000,
]


def example() -> Value:
    x, w, b = Value(1.4), Value(0.7), Value(-1.3)
    m = w * x
    s = m + b
    E = tanh(s)
    label(vars())
    return E


def hostile() -> Value:
    leaves = [Value(0.3 + i / 7, text) for i, text in enumerate(HOSTILE)]
    E = total([a * b for a, b in pairwise(leaves)]).tanh()
    E.label = HOSTILE[0] + " E"
    return E


def gradients(E: Value) -> list[float | None]:
    return [node.grad for node in topological_order(E)]


def numbers(made: Film, kind: str) -> list[list[float | None]]:
    """The numbers of a kind in the rows of each frame."""
    return [[p.number for _, row in frame.rows for p in row if p.kind == kind] for frame in made.frames]


# -- frames


@each_graph
def test_forward_frames_are_the_operations_in_order(make: Callable[[], Built]) -> None:
    E, _ = make()
    operations = [node for node in topological_order(E) if node.rule]
    frames = [frame for frame in film(E).frames if frame.phase == "forward"]
    assert [frame.target for frame in frames] == operations
    assert [frame.rows[2][1][-1].number for frame in frames] == [node.data for node in operations]


@each_graph
def test_backward_frames_are_the_steps(make: Callable[[], Built]) -> None:
    E, _ = make()
    made = film(E)
    frames = [frame for frame in made.frames if frame.phase == "backward"]
    steps = Stepper(E).steps
    assert [(frame.hand, frame.target) for frame in frames] == [(step.node, step.input) for step in steps]
    assert [tuple(frame.edges) for frame in frames] == [
        () if step.slot is None else ((step.node, step.slot),) for step in steps
    ]
    shown = [row for frame, row in zip(made.frames, numbers(made, "result"), strict=True) if frame.phase == "backward"]
    assert shown == [[step.contribution, step.after] for step in steps]


def test_a_step_in_symbols_in_numbers_and_in_one_line() -> None:
    frame = next(frame for frame in film(example()).frames if frame.line.startswith("w.grad"))
    assert frame.line == "w.grad += 0.9042 · 1.4 = 1.266"
    assert [(name, "".join(piece.text for piece in row)) for name, row in frame.rows] == [
        ("local derivative", "∂m/∂w = x = 1.4"),
        ("chain rule", "w.grad += ∂E/∂m · ∂m/∂w"),
        ("in numbers", "        = 0.9042 · 1.4"),
        ("product", "        = 1.266"),
        ("w.grad", "– → 1.266"),
    ]


def test_contributions_are_counted() -> None:
    E, (a, _) = fan_out()
    frames = [frame for frame in film(E).frames if frame.phase == "backward" and frame.target is a]
    assert [row[1][-1].text.strip() for frame in frames for row in frame.rows[-1:]] == [
        "1 of 2 contributions in",
        "2 of 2 contributions in",
    ]


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_can_be_filmed(name: str) -> None:
    E, _ = fan_out()
    stepper = Stepper(E, mistake=name).step(3)
    at = gradients(E)
    made = film(stepper)
    assert (stepper.position, gradients(E)) == (3, at)
    steps = stepper.steps
    shown = [row for frame, row in zip(made.frames, numbers(made, "result"), strict=True) if frame.phase == "backward"]
    assert shown == [[step.contribution, step.after] for step in steps]
    says = [line for line in stepper.run().told() if line.startswith("mistake")]
    assert made.told == says and escaped(says[0]) in made.html()


def test_a_wrong_step_says_what_is_lost() -> None:
    E, _ = fan_out()
    rows = [row for frame in film(Stepper(E, mistake="assign")).frames for row in frame.rows]
    lost = ["".join(piece.text for piece in row) for name, row in rows if name == "mistake"]
    assert "replaced it by" in lost[0] and lost[-1] == "not all gradients are right"


# -- gradients, and other states of the graph


@pytest.mark.parametrize("before", [None, 7.25])
def test_no_gradient_is_changed_and_none_is_counted_in(before: float | None) -> None:
    E = example()
    clean = film(E).html()
    for node in topological_order(E):
        node.grad = before
    made = film(E)
    assert gradients(E) == [before] * 6 and made.html() == clean


def test_gradients_changed_by_hand_at_a_stepper_stay() -> None:
    stepper = Stepper(example()).step(2)
    stepper.order[0].grad = 3.5
    film(stepper)
    assert stepper.order[0].grad == 3.5 and stepper.notes == []


def test_a_stepper_films_gradients_from_before() -> None:
    E = example()
    E.backward()
    page = film(Stepper(E)).html()
    assert "contributions add to these gradients" in page and "2.532" in page  # twice 1.266


def test_a_stale_graph_says_so() -> None:
    E = example()
    assert film(E).told == []
    topological_order(E)[0].data = 0.9
    made = film(E)
    assert "set to another number after the graph was built" in made.told[0] and made.told[0] in made.html()


def test_a_leaf_alone_is_filmed() -> None:
    assert [frame.phase for frame in film(Value(1.5, "x")).frames] == ["start", "backward", "end"]


# -- the page as data


def escaped(text: str) -> str:
    return text.replace("'", "&#x27;")


def data(page: str) -> dict[str, Any]:
    """The page's data."""
    found = re.search(r'<script type="application/json" id="film">(.*?)</script>', page, re.S)
    assert found
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


@each_graph
def test_every_node_and_edge_has_its_life_and_its_place_in_the_picture(make: Callable[[], Built]) -> None:
    E, _ = make()
    order = topological_order(E)
    page = film(E, live=False).html()
    found = data(page)
    nodes, edges = found["says"]["nodes"], found["says"]["edges"]
    assert len(nodes) == len(order)
    assert len(edges) == sum(partial is not None for node in order for partial in node.partials)
    assert all(page.count(f'id="{found["prefix"]}-{part}"') == 1 for part in nodes | edges)
    for life in [*nodes.values(), *(edge["life"] for edge in edges.values())]:
        assert [each["since"] for each in life] == sorted(each["since"] for each in life)


@each_graph
def test_the_same_graph_makes_the_same_bytes(make: Callable[[], Built]) -> None:
    assert film(make()[0]).html() == film(make()[0]).html()


def test_the_page_needs_nothing_from_outside() -> None:
    page = film(example()).html()
    assert re.findall(r"https?://[^\"' )]+", page) == ["http://www.w3.org/2000/svg"]  # the name of SVG
    assert not re.search(r"\b(src|href|srcset|action)\s*=|@import|url\(", page)
    assert "default-src 'none'" in page


def test_no_formula_of_calculus_is_written_by_hand_in_javascript() -> None:
    """The page's own scripts name no function of the table; what they compute with is made from its rows."""
    scripts = [(ROOT / "engine" / "pictures" / f"{name}.js").read_text("utf-8") for name in ("live", "film")]
    called = {name for script in scripts for name in re.findall(r"Math\.(\w+)", script)}
    assert called <= {"min", "max", "abs", "round", "ceil", "floor", "sqrt"}  # of places, colours and widths
    functions = {rule.name for rule in TABLE if "(" in rule.typed}
    assert not functions & {name for script in scripts for name in re.findall(r"(?<![.\w])(\w+)\(", script)}


def test_a_page_that_isn_t_live_computes_nothing() -> None:
    script = film(example(), live=False).html().partition("<script>")[2]
    assert not any(part in script for part in ("function numberText", "const table", "sech("))


def test_hostile_labels_are_text() -> None:
    page = film(hostile()).html()
    assert page.count("<script") == 2 and "<img" not in page and "\u202e" not in page
    assert len(page) < 400_000  # ten thousand characters aren't repeated in every line


def test_a_film_of_300_nodes_is_a_page_of_a_few_megabytes() -> None:
    import nn

    model = nn.RegressionMLP(10, 11, 1, seed=0)
    E = nn.half_squared_error(model([Value(i / 7 - 0.6, f"x[{i}]") for i in range(10)]), [0.3])
    made = film(E)
    assert len(topological_order(E)) > 280 and len(made.frames) > 500
    assert len(made.html().encode()) < 3_000_000


# -- files, Jupyter, refusals


def test_save_writes_exactly_the_page_and_makes_folders(tmp_path: Path) -> None:
    made = film(example())
    path = made.save(tmp_path / "a" / "b" / "backprop.html")
    assert path.read_text(encoding="utf-8") == made.html()
    assert [each.name for each in path.parent.iterdir()] == ["backprop.html"]


@pytest.mark.parametrize("name", ["film", "film.svg", "film.html.txt"])
def test_another_suffix_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a film is saved as \.html; given was"):
        film(example()).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_unwritable_path_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"backprop\.html can't be written: \w") as raised:
        film(example()).save(tmp_path / "file" / "backprop.html")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("wrong", [3.0, None, "E", [Value(1.0)]])
def test_what_is_no_graph_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="film takes the Value at the end of a graph, or a Stepper"):
        film(wrong)


def test_large_graphs_warn_and_larger_ones_are_refused_at_once() -> None:
    node = x = Value(0.5, "x")
    for _ in range(100_000):
        node = node + x
    with pytest.raises(ValueError, match="2,000"):
        film(node)
    assert node.grad is None
    chain = x
    for _ in range(501):
        chain = chain.sin()
    with pytest.warns(UserWarning, match="boxes"):
        film(chain)


def test_jupyter_shows_the_page_in_a_frame_of_its_own() -> None:
    made = film(hostile())
    shown = made.player()
    found = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts"[^<>]*></iframe>', shown)
    assert found and unescape(found[1]) == made.html()


def test_jupyter_shows_a_sentence_where_there_is_no_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> str:
        raise RuntimeError("no <layout> engine is there")

    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    monkeypatch.setattr("engine.pictures.film.laid_out_svg", fails)
    assert "no &lt;layout&gt; engine is there" in film(example())._repr_mimebundle_()["text/html"]


def test_a_page_is_published_only_where_it_is_known_to_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SHOW_PAGES:
        monkeypatch.delenv(name, raising=False)
    made = film(example())
    bundle = made._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "image/png", "text/plain"}
    assert b64decode(bundle["image/png"]).startswith(b"\x89PNG") and bundle["text/plain"] == repr(made)
    for name in SHOW_PAGES:
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            assert made._repr_mimebundle_() == bundle | {"text/html": made.player()}
    assert not hasattr(made, "_repr_html_")  # which IPython would publish, too


def test_frames_are_saved_as_pictures_of_one_size(tmp_path: Path) -> None:
    made = film(Stepper(fan_out()[0], mistake="assign"))
    paths = made.save_frames(tmp_path / "steps")
    assert [path.name for path in paths] == [f"{i:02}.svg" for i in range(len(made.frames))]
    pictures = [path.read_text(encoding="utf-8") for path in paths]
    places = [
        re.findall(r'<(?:rect|path|circle) class="(?:box|line)"[^>]* (?:d|x|y|cx|cy)="[^"]*"', p) for p in pictures
    ]
    assert len({re.search(r'viewBox="[^"]*"', picture)[0] for picture in pictures}) == 1  # type: ignore[index]
    assert len({len(each) for each in places}) == 1
    for frame, picture in zip(made.frames, pictures, strict=True):
        assert len(groups(picture, "edge")) and notes(picture)[1] == frame.line
        marked = {id for id, edge in groups(picture, "edge").items() if "current" in edge.classes}
        assert marked == {made._ids.edge(*edge) for edge in frame.edges}
    with pytest.raises(ValueError, match="frames are saved as svg, pdf or png; given was 'gif'"):
        made.save_frames(tmp_path, "gif")


def test_a_png_may_be_larger(tmp_path: Path) -> None:
    drawing = draw(example())
    sizes = [drawing.save(tmp_path / "g.png", scale=scale).read_bytes()[16:24] for scale in (1, 2)]
    (wide, _), (wider, _) = (struct.unpack(">II", size) for size in sizes)
    assert abs(wider - 2 * wide) <= 2
    with pytest.raises(ValueError, match="scale is a number above 0"):
        drawing.save(tmp_path / "g.png", scale=0)


def test_repr() -> None:
    assert repr(film(example())) == 'Film of E: 10 steps; .save("backprop.html"), .html(), .frames'


# -- in the browser


class Screen:
    """A page in the browser, which is watched: it may say nothing on the console and ask for nothing."""

    def __init__(self, browser: Any, made: Film, path: Path, **options: Any) -> None:
        options = {"viewport": DESKTOP, "reduced_motion": "reduce"} | options
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.complaints.append(request.url))
        url = made.save(path / "backprop.html").as_uri()
        self.context.route(lambda each: each != url, lambda route: route.abort())
        self.page.goto(url)
        assert self.complaints.pop(0) == url  # requests are noticed
        self.last = len(made.frames) - 1

    def run(self, script: str, *argument: Any) -> Any:
        return self.page.evaluate(script, *argument)

    def press(self, key: str) -> int:
        self.page.keyboard.press(key)
        return self.now

    def click(self, name: str) -> int:
        self.page.get_by_role("button", name=name, exact=True).click(force=True)  # also where aria-disabled
        return self.now

    @property
    def now(self) -> int:
        """The step that everything on the page agrees on."""
        slider, place, current, phase = self.run("""() => [
            document.getElementById("slider").value,
            document.getElementById("place").textContent,
            [...document.querySelectorAll("#steps > li")].findIndex(each => each.ariaCurrent === "step"),
            document.querySelector("#step .phase").textContent]""")
        assert place == f"{slider} / {self.last}" and f"step {slider} of {self.last}" in phase
        assert current == int(slider)
        return int(slider)


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Screen]]:
    screens: list[Screen] = []

    def open_page(made: Film, **options: Any) -> Screen:
        screens.append(Screen(browser, made, tmp_path, **options))
        return screens[-1]

    yield open_page
    for screen in screens:
        screen.context.close()
        assert screen.complaints == []


def test_a_complaint_is_noticed(browser: Any, tmp_path: Path) -> None:
    screen = Screen(browser, film(example()), tmp_path)
    screen.run("console.error('wrong'); fetch('https://example.com/').catch(() => 0)")
    screen.page.wait_for_timeout(50)
    assert "wrong" in screen.complaints and any("example.com" in each for each in screen.complaints)
    screen.context.close()


def test_every_control(show: Callable[..., Screen]) -> None:
    screen = show(film(example()))
    assert screen.now == 0 and screen.last == 10
    assert [screen.click("forward") for _ in range(3)] == [1, 2, 3]
    assert [screen.click(name) for name in ("back", "last step", "forward", "back")] == [2, 10, 10, 9]
    assert [screen.click(name) for name in ("first step", "back")] == [0, 0]
    slider = screen.page.get_by_role("slider", name="step")
    slider.fill("7")
    assert screen.now == 7 and slider.get_attribute("aria-valuetext") == "step 7 of 10: b.grad += 0.9042 · 1 = 0.9042"
    screen.page.get_by_text("w.grad += 0.9042 · 1.4 = 1.266").click()
    assert screen.now == 8


def test_play_runs_to_the_end_at_the_chosen_speed_and_pauses(show: Callable[..., Screen]) -> None:
    screen = show(film(example()))
    screen.page.clock.install()
    screen.page.get_by_label("speed").select_option("fast")
    screen.click("play")
    screen.page.clock.run_for(1250)
    assert screen.now == 3
    assert screen.click("pause") == 3
    screen.page.clock.run_for(5000)
    assert screen.now == 3
    screen.page.get_by_label("speed").select_option("slow")
    screen.click("play")
    screen.page.clock.run_for(2500)
    assert screen.now == 4
    screen.page.clock.run_for(60_000)
    assert screen.now == 10
    screen.click("play")  # from the start again, for this is the end
    assert screen.now == 0
    assert screen.click("forward") == 1  # and any move pauses
    assert screen.page.get_by_role("button", name="play").is_visible()


def test_the_keyboard_alone_is_enough(show: Callable[..., Screen]) -> None:
    screen = show(film(example()))
    moves = [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 10), ("ArrowRight", 10), ("Home", 0)]
    assert [(key, screen.press(key)) for key, _ in moves] == moves
    screen.page.get_by_role("slider", name="step").focus()
    assert [(key, screen.press(key)) for key, _ in moves] == moves  # one step there, too, not two
    assert screen.press("Alt+ArrowRight") <= 1  # which are the browser's
    screen.press("Home")
    screen.page.clock.install()
    screen.press(" ")
    screen.page.clock.run_for(1300)
    assert screen.now == 1 and screen.page.get_by_role("button", name="pause").is_visible()
    assert screen.press(" ") == 1 and screen.page.get_by_role("button", name="play").is_visible()


def test_tab_reaches_every_control_and_the_focus_is_seen(show: Callable[..., Screen]) -> None:
    screen = show(film(example()))
    reached = []
    for _ in range(10):
        screen.press("Tab")
        reached.append(screen.run("document.activeElement.id"))
        assert screen.run("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        if reached[-1] == "slider":
            break
    assert reached == ["graph", "first", "back", "play", "forward", "last", "speed", "slider"]
    screen.page.focus("#forward")
    assert screen.press("Enter") == 1
    assert screen.press(" ") == 2  # presses the button, and doesn't play
    assert screen.page.get_by_role("button", name="play").is_visible()


def test_screen_readers_are_told_each_step_but_not_while_it_plays(show: Callable[..., Screen]) -> None:
    screen = show(film(example()))
    said = screen.page.get_by_role("status")
    screen.press("End")
    assert said.text_content() == "All gradients are complete: all gradients are complete"
    screen.press("ArrowLeft")
    assert said.text_content() == "m passes its gradient on to x: x.grad += 0.9042 · 0.7 = 0.6329"
    screen.press("Home")
    screen.page.clock.install()
    before = said.text_content()
    screen.click("play")
    screen.page.clock.run_for(3000)
    assert screen.now == 2 and said.text_content() == before
    screen.click("pause")
    assert said.text_content() == "s is computed: s = m + b = -0.32"


SHOWN = """() => Object.fromEntries([...document.querySelectorAll(".node[data-state]")].map(node => [
    node.querySelector(".name tspan").textContent,
    [node.dataset.state, ...["data", "grad", "arrived"].map(kind => node.querySelector("." + kind)?.textContent ?? ""),
     node.querySelector("title").textContent, node.querySelector(".box").getAttribute("fill")]]))"""
PANEL = '() => [...document.querySelectorAll("#step data")].map(each => [each.className, each.value, each.textContent])'
MARKED = '() => [...document.querySelectorAll(".edge[data-state=current]")].map(each => each.id.split("-e")[1])'


@pytest.mark.parametrize("name", ["diamond", "fan_out", "twice", "neuron"])
def test_numbers_on_the_page_are_the_engine_s_at_every_step(show: Callable[..., Screen], name: str) -> None:
    screen = show(film(GRAPHS[name]()[0]))
    E, _ = GRAPHS[name]()
    stepper = Stepper(E)
    names, order = display_names(stepper.order), stepper.order
    forward = [node for node in order if node.rule]
    for step in range(screen.last + 1):
        assert screen.now == step
        made = None
        if len(forward) < step < screen.last:
            stepper.step()
            made = stepper.steps[stepper.position - 1]
        known = {node for node in order if not node.rule} | {*forward[:step]}
        nodes = screen.run(SHOWN)
        for node in order:
            state, data, grad, arrived, title, fill = nodes[names[node]]
            writes = stepper.record.writes[node]
            here = sum(place < stepper.position for place in writes)
            assert data == (number_text(node.data) if node in known else "")
            assert grad == ("–" if node.grad is None else number_text(node.grad))
            assert arrived == (f"{here} of {len(writes)} in" if len(writes) > 1 else "")
            assert (state == "later") == (node not in known)
            assert node not in known or f"data {node.data!r}" in title
            assert node.grad is None or repr(node.grad) in title
            red, blue = int(fill[1:3], 16), int(fill[5:7], 16)
            assert (blue > red) - (red > blue) == ((node.grad or 0) > 0) - ((node.grad or 0) < 0)
        marked = screen.run(MARKED)
        if made is not None:
            assert nodes[names[made.input]][0] == "current"
            assert marked == ([] if made.slot is None else [f"{order.index(made.node)}-{made.slot}"])
            values = [("result", made.contribution), ("result", made.after)]
            if made.slot is not None:
                values = [("upstream", made.upstream), ("partial", made.partial), *values]
            assert [(kind, float(value)) for kind, value, _ in screen.run(PANEL)] == values
        elif 0 < step < screen.last:
            node = forward[step - 1]
            i = order.index(node)
            assert marked == [f"{i}-{slot}" for slot, partial in enumerate(node.partials) if partial is not None]
            assert [float(value) for _, value, _ in screen.run(PANEL)] == [node.data]
        screen.press("ArrowRight")
    assert stepper.position == len(stepper)


def test_going_back_shows_what_was_there(show: Callable[..., Screen]) -> None:
    screen = show(film(diamond()[0]))
    states = '() => [document.getElementById("graph").innerHTML, document.getElementById("step").innerHTML]'
    there = []
    for _ in range(screen.last + 1):
        there.append(screen.run(states))
        screen.press("ArrowRight")
    assert len({graph for graph, _ in there}) == len(there)
    back = []
    for _ in range(screen.last + 1):
        back.append(screen.run(states))
        screen.press("ArrowLeft")
    assert back[::-1] == there


def texts(screen: Screen) -> Any:
    return screen.run('() => [...document.querySelectorAll("#graph text")].map(each => each.textContent)')


def test_without_javascript_the_final_state_and_all_steps_are_there(show: Callable[..., Screen]) -> None:
    made = film(fan_out()[0])
    plain, played = show(made, java_script_enabled=False), show(made)
    played.press("End")
    assert plain.page.locator("noscript p").is_visible()
    assert not plain.page.get_by_role("button").count() and plain.page.locator("#graph .line").first.is_visible()
    assert plain.page.locator("#graph text").all_text_contents() == texts(played)
    fills = [page.locator("#graph .box") for page in (plain.page, played.page)]
    assert len({tuple(each.get_attribute("fill") for each in boxes.all()) for boxes in fills}) == 1
    assert plain.page.locator("#steps .what").last.is_visible()
    assert plain.page.locator("#steps dl").count() == len(made.frames)


def test_paper_shows_the_final_state(show: Callable[..., Screen]) -> None:
    screen = show(film(example()))
    screen.press("ArrowRight")
    screen.run("dispatchEvent(new Event('beforeprint'))")
    screen.page.emulate_media(media="print")
    assert screen.run("document.getElementById('slider').value") == "10"
    assert not screen.page.locator("#controls").is_visible() and screen.page.locator("#steps dl").first.is_visible()
    screen.page.emulate_media(media="screen")
    screen.run("dispatchEvent(new Event('afterprint'))")
    assert screen.now == 1


FITS = """() => document.documentElement.scrollWidth <= innerWidth
    && [...document.querySelectorAll("#controls button, select, #slider")].every(each => {
        const box = each.getBoundingClientRect();
        return box.width >= 40 && box.height >= 40 && box.left >= 0 && box.right <= innerWidth
            && box.top >= 0 && box.bottom <= innerHeight; })"""
IN_VIEW = """() => {
    const edge = document.querySelector(".edge[data-state=current]"), part = edge?.getBoundingClientRect();
    const box = document.getElementById("graph").getBoundingClientRect();
    const middle = part && [(part.left + part.right) / 2, (part.top + part.bottom) / 2];
    return !part || box.left <= middle[0] && middle[0] <= box.right && box.top <= middle[1] && middle[1] <= box.bottom;
}"""


@pytest.mark.parametrize("make", [example, lambda: neuron()[0], hostile], ids=["example", "neuron", "hostile"])
def test_a_phone_shows_controls_and_the_edge_in_use(show: Callable[..., Screen], make: Callable[[], Value]) -> None:
    screen = show(film(make()), viewport=PHONE, is_mobile=True, has_touch=True)
    for _ in range(screen.last + 1):
        assert screen.run(FITS) and screen.run(IN_VIEW), screen.now
        screen.press("ArrowRight")
    screen.page.get_by_role("button", name="back").tap()
    assert screen.now == screen.last - 1


# Every text against the background behind it, by the formula of WCAG 2, in the page's own colours.
CONTRASTS = """() => {
    const rgb = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = each => {
        for (let at = each; at; at = at.parentElement) {
            const box = at.matches(".node") && at.querySelector(".box");
            if (box) return getComputedStyle(box).fill;
            const colour = getComputedStyle(at).backgroundColor;
            if (rgb(colour)[3] !== 0) return colour;
        }
    };
    const found = [];
    for (const each of document.querySelectorAll("h1, p, dt, dd, dd *, .short, select, #place, svg text")) {
        const style = getComputedStyle(each), drawn = each.closest("#graph");
        if (!each.checkVisibility({ visibilityProperty: true }) || !each.textContent.trim()) continue;
        const [front, back] = [light(rgb(drawn ? style.fill : style.color)), light(rgb(behind(each)))];
        found.push([(Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05), each.textContent]);
    }
    return found;
}"""


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_text_is_readable_in_light_and_in_dark(show: Callable[..., Screen], colours: str) -> None:
    screen = show(film(Stepper(fan_out()[0], mistake="assign")), color_scheme=colours)
    background = screen.run("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 150) == (colours == "dark")
    for step in (0, 3, 12, screen.last):
        screen.page.get_by_role("slider", name="step").fill(str(step))
        contrasts = screen.run(CONTRASTS)
        assert len(contrasts) > 60
        assert [each for each in contrasts if each[0] < 4.5] == []


def test_motion_is_for_who_wants_it(show: Callable[..., Screen]) -> None:
    moving = "() => getComputedStyle(document.querySelector('.edge[data-state=current] .line')).animationName"
    for motion, name in (("no-preference", "march"), ("reduce", "none")):
        screen = show(film(example()), reduced_motion=motion)
        screen.press("ArrowRight")
        assert screen.run(moving) == name


def test_hostile_labels_neither_break_the_page_nor_run(show: Callable[..., Screen]) -> None:
    screen = show(film(hostile()))
    for _ in range(screen.last + 1):
        screen.press("ArrowRight")
    assert screen.now == screen.last and screen.page.title().startswith("Backprop through </script><scr")
    assert screen.run("[document.scripts.length, document.images.length, document.links.length]") == [2, 0, 0]
    tooltips = screen.page.locator("#graph .node > title").all_text_contents()
    assert any(text.startswith(HOSTILE[1]) for text in tooltips)


def test_the_frame_in_jupyter_plays(browser: Any) -> None:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.set_content(f"<body>{film(example()).player()}</body>")
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="forward").click()
    assert frame.locator("#place").text_content() == "1 / 10"
    assert complaints == []
    context.close()


# -- the step in sight, the view


SIZES = [(1300, 900), (800, 600), (390, 844)]
OUT_OF_SIGHT = """() => {
    const panel = document.getElementById("graph").getBoundingClientRect(), map = document.getElementById("overview");
    const over = map.style.display === "none" ? null : map.getBoundingClientRect();
    return film.sight[now].filter(id => {
        const part = document.getElementById(id).getBoundingClientRect();
        const hidden = over && part.left < over.right && part.right > over.left && part.top < over.bottom
            && part.bottom > over.top && !id.includes("-e");
        return hidden || part.left < panel.left || part.top < panel.top || part.right > panel.right
            || part.bottom > panel.bottom || part.width + part.height < 4;
    });
}"""


def regression_neuron() -> Value:
    """The neuron that `python -m demos.regression` films: ten inputs by name."""
    import nn

    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    model = nn.RegressionMLP(10, 8, 1, seed=0)
    [a] = model.hidden[0]([Value(i / 7 - 0.61, name) for i, name in enumerate(names)])
    a.label = "hidden[0].a"
    return a


def out_of_sight(screen: Screen) -> dict[int, Any]:
    lost = {}
    for step in range(screen.last + 1):
        if found := screen.run(OUT_OF_SIGHT):
            lost[step] = found
        screen.press("ArrowRight")
    return lost


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", [*GRAPHS, "regression_neuron", "hostile"])
def test_both_nodes_and_the_edge_of_every_step_are_wholly_in_sight(
    show: Callable[..., Screen], name: str, size: tuple[int, int]
) -> None:
    E = GRAPHS[name]()[0] if name in GRAPHS else regression_neuron() if name.startswith("regression") else hostile()
    screen = show(film(E), viewport={"width": size[0], "height": size[1]})
    assert out_of_sight(screen) == {}


@pytest.mark.parametrize("width", [1300, 800, 390])
def test_every_step_is_in_sight_in_jupyter_s_frame(browser: Any, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_content(f"<body>{film(regression_neuron()).player()}</body>")
    frame = page.frames[-1]
    frame.wait_for_function("() => typeof last !== 'undefined' && document.getElementById('graph').clientWidth > 0")
    for _ in range(frame.evaluate("last") + 1):
        assert frame.evaluate(OUT_OF_SIGHT) == []
        frame.evaluate("moves.forward()")
    context.close()


SCALE = "() => view.scale"


def test_zoom_by_buttons_keys_and_wheel_and_fit(show: Callable[..., Screen]) -> None:
    screen = show(film(regression_neuron()))
    start = screen.run(SCALE)
    screen.click("larger")
    assert screen.run(SCALE) == pytest.approx(start * 1.25)
    screen.press("-")
    screen.press("-")
    assert screen.run(SCALE) == pytest.approx(start * 0.8)
    screen.press("0")
    assert screen.run(
        "() => whole.width * view.scale <= room().width + 1 && whole.height * view.scale <= room().height + 1"
    )
    screen.page.mouse.move(300, 300)
    at = "() => [view.x + (300 - graph.getBoundingClientRect().left) / view.scale, view.scale]"
    before, small = screen.run(at)
    screen.page.mouse.wheel(0, -400)
    after, large = screen.run(at)
    assert large > 2 * small and after == pytest.approx(before, abs=0.5)  # what is under the mouse stays there


def test_dragging_and_shift_with_arrows_move_the_graph(show: Callable[..., Screen]) -> None:
    screen = show(film(regression_neuron()))
    x, y, scale = screen.run("() => [view.x, view.y, view.scale]")
    screen.page.mouse.move(300, 300)
    screen.page.mouse.down()
    screen.page.mouse.move(250, 320)
    screen.page.mouse.up()
    assert screen.run("() => [view.x, view.y]") == pytest.approx([x + 50 / scale, y - 20 / scale])
    assert screen.press("Shift+ArrowDown") == 0  # no step
    assert screen.run("() => view.y") == pytest.approx(y + 40 / scale)


def test_two_fingers_zoom(show: Callable[..., Screen]) -> None:
    screen = show(film(regression_neuron()), viewport=PHONE, is_mobile=True, has_touch=True)
    start = screen.run(SCALE)
    touch = screen.context.new_cdp_session(screen.page)
    for kind, apart in (("touchStart", 40), ("touchMove", 60), ("touchMove", 80), ("touchEnd", None)):
        points = [] if apart is None else [{"x": 180 - apart, "y": 200, "id": 1}, {"x": 180 + apart, "y": 200, "id": 2}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert screen.run(SCALE) == pytest.approx(2 * start, rel=0.2)


def test_an_overview_shows_what_is_in_sight_and_takes_one_there(show: Callable[..., Screen]) -> None:
    screen = show(film(regression_neuron()))
    overview = screen.page.locator("#overview")
    assert overview.is_visible() and overview.locator(".small").count() == screen.page.locator("#graph .box").count()
    box = overview.bounding_box()
    assert box
    for share in (0.1, 0.9):
        screen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * share)
        screen.page.mouse.down()
        screen.page.mouse.up()
        middle = screen.run("() => (view.y + room().height / view.scale / 2 - whole.y) / whole.height")
        assert middle == pytest.approx(share, abs=0.02)
    screen.press("0")
    assert not overview.is_visible()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_no_text_overflows_or_is_cut_off(show: Callable[..., Screen], size: tuple[int, int]) -> None:
    screen = show(film(regression_neuron()), viewport={"width": size[0], "height": size[1]})
    cut = """() => [document.getElementById("step"), ...document.querySelectorAll("#step dt, #step dd, .short")]
        .filter(each => each.scrollWidth > each.clientWidth + 1 && each.clientWidth).map(each => each.textContent)"""
    too_high = (
        """() => { const step = document.getElementById("step"); return step.scrollHeight - step.clientHeight; }"""
    )
    for _ in range(screen.last + 1):
        assert screen.run(cut) == [] and screen.run(too_high) <= 1
        screen.press("ArrowRight")


# -- the numbers turned


def test_turning_a_number_turns_everything_at_once(show: Callable[..., Screen]) -> None:
    made, other = film(example()), example()
    screen = show(made)
    screen.page.get_by_role("slider", name="step").fill("8")
    screen.page.get_by_label("w, as a number").fill("-1.25")
    there = film(replayed(other, w=-1.25))
    frame = there.says["frames"][8]
    assert screen.page.locator("#heading").text_content() == f"Backprop through {there.says['heading']}"
    assert screen.page.locator("#steps .short").all_text_contents() == [each["line"] for each in there.says["frames"]]
    told = screen.page.locator("#step dd").all_text_contents()
    assert told == ["".join(piece[0] for piece in row) for _, row in frame["rows"]]
    w = screen.run(SHOWN)["w"]
    assert w[:3] == ["current", "-1.25", "0.0125"]
    screen.page.get_by_role("slider", name="w", exact=True).fill("0.7")
    screen.click("reset")
    assert screen.page.locator("#steps .short").all_text_contents() == [frame.line for frame in made.frames]


def replayed(E: Value, **numbers: float) -> Value:
    return replay(E, {node: numbers[node.label] for node in topological_order(E) if node.label in numbers})


def test_outside_a_domain_the_page_says_why_and_keeps_the_last_numbers(show: Callable[..., Screen]) -> None:
    x = Value(0.7, "x")
    screen = show(film(x.log() * 2.0))
    box = screen.page.get_by_label("x, as a number")
    box.fill("1.9")
    before = texts(screen)
    box.fill("-1")
    alert = screen.page.locator("#wrong[role=alert]")
    sentence = "log: log(x) is not defined at x = -1.0 (x); its domain: x > 0"
    assert alert.text_content() == f"{sentence}. Shown are the last numbers that can be."
    assert texts(screen) == before
    box.fill("2.5")
    assert alert.text_content() == "" and texts(screen) != before


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_numbers_can_be_turned_on_every_screen(show: Callable[..., Screen], size: tuple[int, int]) -> None:
    screen = show(film(example()), viewport={"width": size[0], "height": size[1]})
    turn = screen.page.get_by_role("button", name="numbers")
    if turn.is_visible():
        turn.click()
    box = screen.page.get_by_label("w, as a number")
    box.press("End")
    box.press_sequentially("5")  # 0.75
    assert "w.grad += 0.94 · 1.4 = 1.316" in screen.page.locator("#steps .short").all_text_contents()
    assert screen.now == 0  # what is typed moves no step


@pytest.mark.parametrize("size", [*SIZES, (860, 640), (700, 600)], ids=str)
def test_the_numbers_cover_no_control(show: Callable[..., Screen], size: tuple[int, int]) -> None:
    page = show(film(example()), viewport={"width": size[0], "height": size[1]}).page
    if page.is_visible("#turn"):
        page.click("#turn")
        page.wait_for_function("document.documentElement.style.getPropertyValue('--controls')")
    covered = """() => [...document.querySelectorAll("#controls :is(button, input, select)")].filter(each => {
        const { left, top, width, height } = each.getBoundingClientRect();
        return width && !each.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    }).map(each => each.id)"""
    assert page.evaluate(covered) == []


def test_a_live_neuron_is_small_and_needs_no_room_that_it_lacks(show: Callable[..., Screen]) -> None:
    made = film(regression_neuron())
    assert len(made.html().encode()) < 400_000
    screen = show(made)
    screen.page.get_by_label("bmi, as a number").fill("-0.00012345678")
    wide = """() => [...document.querySelectorAll("#graph .node")].filter(node => {
        const box = node.querySelector(".box").getBBox();
        return [...node.querySelectorAll("text")].filter(text => text.textContent).some(text => {
            const { x, width } = text.getBBox(); return x < box.x - 1 || x + width > box.x + box.width + 1; }); })
        .map(node => node.textContent)"""
    assert screen.run(wide) == []


def test_live_is_for_small_graphs_and_can_be_left_out() -> None:
    assert film(example()).live and film(example(), live=False).live is None
    node = Value(0.5, "x")
    for _ in range(200):
        node = node.sin()
    assert film(node).live is None
    E = example()
    topological_order(E)[0].data = 0.9
    assert film(E).live is None  # its numbers are those of the old graph


def test_a_training_run_is_scrubbed(show: Callable[..., Screen]) -> None:
    import nn

    made = nn.film_training(nn.MLP(1, [1], seed=0), [[0.5], [-1.5]], [[1.0], [0.3]], epochs=20)
    screen = show(made)
    said = screen.page.locator("#epochs")
    first = said.text_content() or ""
    screen.page.get_by_role("slider", name="epoch").fill("20")
    last = said.text_content() or ""
    assert (
        first.startswith("epoch 0 of 20: E = ") and last.startswith("epoch 20 of 20: E = ") and first[-5:] != last[-5:]
    )
    assert (screen.page.locator("#heading").text_content() or "").endswith(last.partition(": E")[2])
    assert len((screen.page.locator("#training polyline").get_attribute("points") or "").split()) == 21


# -- guess first


def test_guess_first_hides_each_product_until_it_is_typed(show: Callable[..., Screen]) -> None:
    screen = show(film(example(), quiz=True))
    assert screen.run("() => (go(99), now)") == 5  # no further than the first question
    page = screen.page.locator("body").inner_text()
    assert "E passes its gradient on to s" in page and "s.grad += 1" not in page
    assert screen.run(SHOWN)["s"][2] == "–"
    field, reply = screen.page.locator("#step input"), screen.page.locator("#step output")
    assert field.get_attribute("aria-invalid") is None
    screen.page.wait_for_function("document.activeElement.tagName === 'INPUT'")
    field.fill("0.9")
    field.press("Enter")
    assert reply.text_content() == "Not this number, and no classic mistake has it."
    field.fill("-0.904")
    field.press("Enter")
    assert "'sign': every gradient has the wrong sign" in (reply.text_content() or "")
    field.fill("0.904")
    field.press("Enter")
    assert "– → 0.9042" in screen.page.locator("#step").inner_text() and screen.run(SHOWN)["s"][2] == "0.9042"
    assert "0 right at once, 1 of 5 done" in (screen.page.locator("#step .phase").text_content() or "")
    screen.page.keyboard.press("Enter")  # the focus is on "forward"
    screen.page.keyboard.type("0.9042")
    screen.page.keyboard.press("Enter")
    assert "1 right at once, 2 of 5 done" in (screen.page.locator("#step .phase").text_content() or "")


def test_a_hint_shows_the_factors_and_another_the_product(show: Callable[..., Screen]) -> None:
    screen = show(film(example()))
    screen.click("guess first")
    screen.run("go(8)")
    assert screen.run("now") == 5
    screen.page.get_by_role("button", name="hint").click()
    shown = screen.page.locator("#step dl").inner_text()
    assert "1 · 0.9042" in shown and "product" not in shown
    screen.page.get_by_role("button", name="hint").click()
    assert "product" in screen.page.locator("#step dl").inner_text()
    screen.click("guess first")
    assert screen.press("End") == 10  # nothing is asked any more


def test_a_film_of_a_wrong_pass_ends_with_what_is_wrong_and_what_is_right() -> None:
    E, _ = fan_out()
    stepper = Stepper(E, mistake="assign")
    rows = dict(film(stepper).frames[-1].rows)
    E.backward()
    right = {node: node.grad for node in stepper.order}
    names = stepper.names
    told = "".join(piece.text for piece in rows["wrong"])
    for node, grad in stepper.record.final.items():
        said = f"∂E/∂{names[node]} is {number_text(right[node] or 0)}, here {number_text(grad or 0)}"
        assert (said in told) == (grad != right[node])
