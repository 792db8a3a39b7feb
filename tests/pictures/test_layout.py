"""Both layout engines give the same picture but for places; what goes wrong with them and with files is a sentence."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import graphviz
import pytest
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font, LoadFlags

import engine.pictures.layout
from engine import Value, draw
from engine.pictures.dot import dot_source
from engine.pictures.picture import SMALL, text_width
from tests.graphs import Built, each_graph
from tests.pictures.reading import groups, parsed, readme, regression

FORMATS = {".svg": b"<svg ", ".dot": b"digraph {", ".pdf": b"%PDF-", ".png": b"\x89PNG"}


@pytest.fixture
def dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Puts a program named dot, this shell script, on the PATH."""

    def put(script: str) -> None:
        program = tmp_path / "bin" / "dot"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return put


# -- two engines


def looks(svg: str) -> list[tuple[str, str, str | None]]:
    """All but where things are."""
    return [(each.tag, each.get("class") or "", each.text) for each in parsed(svg).iter()]


@each_graph
def test_both_engines_give_the_same_picture_but_for_places(
    make: Callable[[], Built], request: pytest.FixtureRequest
) -> None:
    E = make()[0]
    with_program = draw(E).svg()
    request.getfixturevalue("no_program")
    without = draw(E).svg()
    assert looks(without) == looks(with_program)
    for id, box in groups(without, "node").items():
        ours, other = box.shape("box"), groups(with_program, "node")[id].shape("box")
        assert all(ours[name] == other[name] for name in ("width", "height", "fill"))


def test_the_layout_program_reads_no_labels() -> None:
    E = readme()
    bare = dot_source(draw(E).picture, bare=True)
    assert "tanh" in draw(E).source and "tanh" not in bare and "0.9042" not in bare


def test_the_source_as_it_looks_is_laid_out_the_same() -> None:
    picture = draw(regression(hidden=2)).picture
    bare, whole = (engine.pictures.layout.laid_out(dot_source(picture, bare)) for bare in (True, False))
    for id, (x, y) in bare.nodes.items():
        assert whole.nodes[id] == pytest.approx((x, y), abs=1)


# -- room for texts


TEXTS = ["w·x + b", "-0.3095", "hidden[2].w[3]", "E = tanh(s)", "MWmw@%", "abcdefghijklmnopqrstuvwxyz", "0123456789"]
TEXTS += ["∂E/∂w = Σ(a, b, …) → 1.7e-17", "sigmoid", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ÄÖÜéß"]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_fit_in_the_broadest_of_the_usual_fonts(text: str) -> None:
    font = FT2Font(findfont("DejaVu Sans"))
    font.set_size(SMALL, 72)
    font.set_text(text, flags=LoadFlags.NO_HINTING)
    measured = font.get_width_height()[0] / 64
    assert measured <= text_width(text) < 1.5 * measured


@each_graph
def test_texts_fit_in_their_boxes(make: Callable[[], Built]) -> None:
    E = make()[0]
    E.backward()
    for box in groups(draw(E).svg(), "node").values():
        width = float(box.shape("box")["width"])
        name = box.texts["name"]
        assert text_width(name, 13) <= width
        for kind in ("data", "grad"):
            if kind in box.texts:
                assert text_width(kind) + text_width(box.texts[kind]) < width - 20


# -- errors of layout programs


def test_without_dot_pygraphviz_draws(no_program: None) -> None:
    assert set(groups(draw(readme()).svg(), "node")) == {f"n{i}" for i in range(6)}


def test_without_any_engine_one_sentence_names_both_fixes(no_engine: None, tmp_path: Path) -> None:
    drawing = draw(readme())
    for action in (drawing.svg, lambda: drawing.save(tmp_path / "graph.png")):
        with pytest.raises(
            RuntimeError, match=r"install Graphviz .* so that `dot` is on the PATH, or pip install pygraphviz"
        ):
            action()
    assert drawing.source.startswith("digraph {") and drawing.save(tmp_path / "graph.dot").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["graph.dot"]


def test_a_dot_that_hangs_is_stopped(
    dot: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dot(f"echo $$ > {tmp_path / 'pid'}; exec sleep 30")
    monkeypatch.setattr(engine.pictures.layout, "SECONDS", 0.2)
    with pytest.raises(RuntimeError, match=r"^`dot` was stopped because it took more than 0.2 s: draw less[^\n]*$"):
        draw(readme()).svg()
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_what_a_hanging_dot_has_started_ends_with_it(
    dot: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dot(f"sleep 30 & echo $! > {tmp_path}/child; wait")
    monkeypatch.setattr(engine.pictures.layout, "SECONDS", 1.0)
    with pytest.raises(RuntimeError, match="more than 1 s"):
        draw(readme()).svg()
    assert not is_running(int((tmp_path / "child").read_text()))


def test_a_dot_that_leaves_a_child_behind_is_not_waited_for_longer(
    dot: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dot(f"sleep 30 & echo $! > {tmp_path}/child; exit 3")  # which holds on to the pipes
    monkeypatch.setattr(engine.pictures.layout, "SECONDS", 1.0)
    with pytest.raises(RuntimeError):
        draw(readme()).svg()
    assert not is_running(int((tmp_path / "child").read_text()))


def is_running(process: int) -> bool:
    """Is it, a moment later? One that has ended may wait to be noticed."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True


def test_a_dot_that_writes_without_end_is_stopped(dot: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    dot("exec yes")
    monkeypatch.setattr(engine.pictures.layout, "LARGEST", 10**6)
    with pytest.raises(RuntimeError, match=r"^`dot` was stopped because it wrote more than 1,000,000 bytes: draw less"):
        draw(readme()).svg()


@pytest.mark.parametrize(
    "script, says",
    [
        ("echo 'syntax error' >&2; exit 3", "^`dot` failed with exit code 3: syntax error$"),
        ("printf 'one\\ntwo\\n' >&2; exit 1", "exit code 1: one two$"),
        ("exit 0", "exit code 0: it said nothing$"),
        ("kill -9 $$", r"^`dot` crashed \(signal 9\): draw a sub-expression, or pass depth=$"),
        ("printf '\\377\\376' >&2; exit 1", "exit code 1: .+$"),
    ],
)
def test_a_dot_that_fails_is_one_sentence(dot: Callable[[str], None], script: str, says: str) -> None:
    dot(f"cat > /dev/null; {script}")
    with pytest.raises(RuntimeError, match=says):
        draw(readme()).svg()


def one_leaf_along_a_chain(steps: int) -> Value:
    x = Value(0.3, "x")
    E = x
    for step in range(steps):
        E = (E * 0.9 + x).sin() if step % 2 else E + x
    return E


@pytest.mark.parametrize("steps, straight", [(6, False), (120, True)])
def test_arrows_over_many_ranks_are_straight(steps: int, straight: bool) -> None:
    """`dot` would take minutes to bend them."""
    drawing = draw(one_leaf_along_a_chain(steps))
    assert ("splines=line" in drawing.source) is straight
    assert len(parsed(drawing.svg())) > steps


def test_a_dot_that_is_no_program_is_one_sentence(
    dot: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dot("")
    (tmp_path / "bin" / "dot").write_bytes(b"\x7fELF")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(RuntimeError, match=r"^`dot` is on the PATH and can't be run: Exec format error$"):
        draw(readme()).svg()


def test_a_dot_that_answers_nonsense_is_one_sentence(dot: Callable[[str], None]) -> None:
    dot("cat > /dev/null; echo nonsense")
    with pytest.raises(RuntimeError, match=r"^Graphviz answered what can't be read as a layout: [^\n]+$"):
        draw(readme()).svg()


def test_a_pygraphviz_that_fails_is_one_sentence(no_program: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import pygraphviz

    def draw_(*_: object, **__: object) -> bytes:
        raise ValueError("Graphviz raised\na layout error")

    monkeypatch.setattr(pygraphviz.AGraph, "draw", draw_)
    with pytest.raises(
        RuntimeError, match=r"^pygraphviz failed to lay the drawing out: Graphviz raised a layout error$"
    ):
        draw(readme()).svg()


# -- files


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("program", [True, False], ids=["dot", "pygraphviz"])
def test_save_writes_exactly_one_file(
    suffix: str, program: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if not program:
        request.getfixturevalue("no_program")
    place = tmp_path / "new" / "folder" / f"graph{suffix}"
    assert draw(readme()).save(place) == place
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [place]
    assert place.read_bytes().startswith(FORMATS[suffix])


def test_save_takes_a_str_and_any_case(tmp_path: Path) -> None:
    draw(readme()).save(str(tmp_path / "graph.SVG"))
    parsed((tmp_path / "graph.SVG").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["graph.jpg", "graph", ".svg", "graph.svg.gz"])
def test_an_unknown_suffix(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^a drawing is saved as .svg, .dot, .pdf or .png; given was '[^\n]*'$"):
        draw(readme()).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_unwritable_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"graph.svg can't be written: (Not a directory|File exists)$"):
        draw(readme()).save(tmp_path / "file" / "graph.svg")
    (tmp_path / "graph.svg").mkdir()
    with pytest.raises(OSError, match=r"graph.svg can't be written: Is a directory$"):
        draw(readme()).save(tmp_path / "graph.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "graph.svg"]


# -- at the prompt and in Jupyter


def test_rich_display_is_inline_svg_with_tooltips_where_a_page_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = draw(readme())
    assert "text/html" not in drawing._repr_mimebundle_()
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    bundle = drawing._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/svg+xml", "image/png", "text/plain"}
    assert drawing.svg() in bundle["text/html"] and bundle["image/svg+xml"] == drawing.svg()
    assert bundle["text/plain"] == repr(drawing)


def test_displaying_never_raises(no_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    bundle = draw(Value(0.7, label="<b>").tanh())._repr_mimebundle_()
    assert "pip install pygraphviz" in bundle["text/plain"] and "image/svg+xml" not in bundle
    assert bundle["text/html"].startswith("<pre>") and bundle["text/html"].count("<") == 2


def test_repr_is_one_line() -> None:
    says = 'Drawing: Computation graph of E, 6 boxes, 5 arrows; .save("graph.svg"), .svg(), .source'
    assert repr(draw(readme())) == says


def test_a_value_does_not_draw_itself() -> None:
    assert not any(hasattr(readme(), f"_repr_{kind}_") for kind in ("html", "svg", "mimebundle", "png", "latex"))


def test_digraph_is_an_object_of_the_graphviz_package() -> None:
    drawing = draw(readme())
    assert isinstance(drawing.digraph, graphviz.Source) and drawing.digraph.source == drawing.source
    if shutil.which("dot"):
        assert b"tanh(s)" in drawing.digraph.pipe("svg")
