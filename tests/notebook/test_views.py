"""What a notebook shows: reports in letters of one width, a stepper with its moment, a model with its network."""

from __future__ import annotations

import builtins
import html
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nn
from engine import Stepper, Value, compare, gradcheck, tanh
from engine.nudge import check_node
from engine.pictures import notebook
from engine.pictures.draw import draw
from engine.steps.stepper import ForwardStepper
from nn.diagram import diagram
from nn.training import History

ROOT = Path(__file__).parents[2]


def graph() -> Value:
    return tanh(Value(1.4, "x") * Value(0.7, "<w>"))


REPORTS: dict[str, Callable[[], Any]] = {
    "steps": lambda: Stepper(graph()).steps,
    "stepper": lambda: Stepper(graph()).step(2),
    "step": lambda: Stepper(graph())[1],
    "forward": lambda: ForwardStepper(graph()).step(3),
    "gradcheck": lambda: gradcheck(graph()),
    "check": lambda: check_node(E := graph(), E),
    "comparison": lambda: compare(graph(), {"<w>": 3.0}),
    "history": lambda: History([2.5, 0.125]),
}


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_is_its_text_in_letters_of_one_width(report: str) -> None:
    made = REPORTS[report]()
    shown = made._repr_html_()
    style, text = re.fullmatch(r'<pre style="([^"]*)">(.*)</pre>', shown, re.S).groups()  # type: ignore[union-attr]
    assert "monospace" in style and "white-space: pre;" in style
    assert html.unescape(text) == repr(made) and "<w>" not in text


def test_the_moment_is_the_text_and_the_drawing() -> None:
    stepper = Stepper(graph())
    for _ in range(len(stepper) + 1):
        shown = notebook.moment(stepper)
        assert shown.startswith(stepper._repr_html_()) and draw(stepper).svg() in shown
        stepper.step()


def test_outside_a_notebook_it_is_shown_as_anything_is() -> None:
    with pytest.raises(NotImplementedError):  # which tells IPython so
        Stepper(graph())._ipython_display_()


def test_a_large_graph_and_one_without_a_layout_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    E = Value(0.3, "x")
    for _ in range(80):
        E = E * 1.01
    assert "<svg" not in notebook.moment(Stepper(E)) and "step 0 of 81" in notebook.moment(Stepper(E))

    def fails(_: object) -> None:
        raise RuntimeError("no layout engine is there")

    monkeypatch.setattr(notebook, "draw", fails)
    assert "step 0 of 4" in notebook.moment(Stepper(graph())) and "<svg" not in notebook.moment(Stepper(graph()))


def test_without_the_extra_there_are_no_buttons(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *given: Any, **named: Any) -> Any:
        if name == "ipywidgets":
            raise ImportError(name)
        return imported(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    assert notebook.widget(Stepper(graph())) is None


def test_a_gradient_found_is_said_in_the_first_line_each_time_a_cell_is_run() -> None:
    E = graph()
    E.backward()
    for _ in range(2):
        first, last = repr(stepper := Stepper(E)).splitlines()[0], repr(stepper.run()).splitlines()[0]
        assert first.startswith("step 0 of 4   before the first step   adds to gradients from before: x ")
        assert first.endswith("; zero_grad() clears them")
        assert last.endswith("   1 of 1 contributions in   adds to gradients from before; zero_grad() clears them")
    E.zero_grad()
    assert repr(Stepper(E)).splitlines()[0] == "step 0 of 4   before the first step"


# -- in a kernel

CELLS = """
from engine import Stepper, Value, tanh
from engine.pictures.notebook import widget
w = Value(0.7, label="w")
E = tanh(w * Value(1.4, label="x"))
stepper = Stepper(E)
buttons, view = widget(stepper).children
first, back, next, last = buttons.children

def state():
    return stepper.position, w.grad, repr(stepper).splitlines()[0] in view.value, first.disabled, last.disabled

told = [state()]
for button in (next, next, next, next, back, last, first, next):
    button.click()
    told.append(state())
print(told)
---
stepper
---
import nn
model = nn.RegressionMLP(inputs=1, hidden=2)
history = nn.fit(model, [[0.5], [1.5]], [0.3, -0.7], epochs=3)
---
import sys
sys.modules["ipywidgets"] = None   # as if it weren't installed
stepper
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def cells() -> Any:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipywidgets")
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in CELLS.split("---\n")])
    nbclient.NotebookClient(made, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    return made.cells


def test_buttons_move_the_real_stepper_and_its_gradients(cells: Any) -> None:
    w = Value(0.7, "w")
    stepper = Stepper(tanh(w * Value(1.4, "x")))
    expected = []
    for place in (0, 1, 2, 3, 4, 3, 4, 0, 1):
        stepper.goto(place)
        expected.append((place, w.grad, True, place == 0, place == 4))
    assert cells[0].outputs[0].text.strip() == repr(expected)


def test_a_stepper_shows_itself_with_its_buttons_and_as_text_where_there_is_no_kernel(cells: Any) -> None:
    (output,) = cells[1].outputs
    assert output.data[WIDGET] and output.data["text/plain"].startswith("step 1 of 4")
    assert output.data["text/html"].startswith("<pre") and "<svg" not in output.data["text/html"]


def test_progress_is_a_widget_and_no_error(cells: Any) -> None:
    (output,) = cells[2].outputs
    assert output.output_type == "display_data" and output.data[WIDGET]


def test_without_the_extra_it_shows_its_text_and_the_picture(cells: Any) -> None:
    text, drawing = cells[3].outputs
    assert text.data["text/plain"].startswith("step 1 of 4") and WIDGET not in text.data
    assert drawing.data["text/plain"].startswith("Drawing: ") and "<svg" in drawing.data["image/svg+xml"]


# -- models and training


@pytest.mark.parametrize(
    ("model", "circles"),
    [(nn.MLP(2, [3, 2], seed=1), 7), (nn.RegressionMLP(3, 4), 8), (nn.Layer(3, 2), 5), (nn.RegressionMLP(1, 2), 4)],
)
def test_a_model_is_shown_as_its_network(model: nn.Module, circles: int) -> None:
    bundle = model._repr_mimebundle_()
    assert bundle["text/plain"] == repr(model) and "<svg" in bundle["image/svg+xml"]
    picture = diagram(model).picture
    assert len(picture.boxes) == circles and not any("Σ(" in box.formula for box in picture.boxes)
    assert {arrow.head for arrow in picture.arrows} | {arrow.tail for arrow in picture.arrows} == {
        box.id for box in picture.boxes
    }


def test_a_large_model_is_drawn_by_layers_and_a_larger_one_not_at_all() -> None:
    assert len(diagram(nn.MLP(20, [20, 10, 1])).picture.boxes) == 4
    large = nn.MLP(80, [80, 1])
    assert large._repr_mimebundle_() == {"text/plain": repr(large)}
    with pytest.raises(ValueError, match=r"a network of 6,561 parameters is too large to draw"):
        diagram(large)


def test_a_model_of_ones_own_is_shown_as_text() -> None:
    class Line(nn.Module):
        def __init__(self) -> None:
            self.slope = Value(0.7)

    assert Line()._repr_mimebundle_() == {"text/plain": "Line()"}
    with pytest.raises(ValueError, match="Line doesn't say in its arguments how many inputs it takes"):
        diagram(Line())


def test_a_history_has_a_length_and_a_curve() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    history = History([2.5, 0.125, 0.5])
    axes = history.plot()
    (line,) = axes.lines
    assert len(history) == 2 and [*line.get_xdata()] == [0, 1, 2] and [*line.get_ydata()] == history.errors
    assert (axes.get_yscale(), History([1.5, 0.0]).plot().get_yscale()) == ("log", "linear")
    assert history.plot(axes) is axes and len(axes.lines) == 2
    assert len(History([0.5])) == 0 and History([0.5])


def test_what_plots_and_shows_progress_is_imported_where_it_is_used() -> None:
    later = ["tqdm", "matplotlib", "IPython", "ipywidgets"]
    code = f"import sys, nn; print(*[name for name in {later} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""
