"""The laws of demos/digits.py: held-out digits are read, and a folded decision has the numbers of the whole one."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import nn
from demos import digits as demo
from demos.digits import Image, best, folded, loudest, read_digits
from demos.regression import split
from engine import Value, topological_order
from engine.pictures.picture import tint
from engine.text.names import number_text
from tests.pictures.reading import NAMESPACE

# how many there are of each digit, as the data's own notes say
COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
Data = tuple[list[Image], list[int]]


def in_arrays(model: nn.MLP, image: Image) -> tuple[Any, ...]:
    """The weights of both layers, the hidden activations and the outputs, by NumPy."""
    numbers = [np.array([[p.data for p in unit.parameters()] for unit in layer]) for layer in model.layers]
    (W1, b1), (W2, b2) = ((layer[:, :-1], layer[:, -1]) for layer in numbers)
    a = np.tanh(W1 @ image + b1)
    return W1, W2, a, W2 @ a + b2


@pytest.fixture(scope="module")
def parts() -> tuple[Data, Data]:
    images, digits = read_digits()
    train, test = (([images[i] for i in part], [digits[i] for i in part]) for part in split(len(images)))
    return train, test


@pytest.fixture(scope="module")
def model(parts: tuple[Data, Data]) -> nn.MLP:
    return demo.train(*parts[0])[0]


# -- the data, and how well they are read


def test_the_data_are_all_there() -> None:
    images, digits = read_digits()
    assert [Counter(digits)[k] for k in range(10)] == COUNTS
    assert {len(image) for image in images} == {64}
    assert {pixel * 16 for image in images for pixel in image} == set(range(17))


def test_97_of_100_held_out_digits_are_read(model: nn.MLP, parts: tuple[Data, Data]) -> None:
    (seen, _), (images, digits) = parts
    assert (len(seen), len(images)) == (1438, 359) and not {*map(tuple, seen)} & {*map(tuple, images)}
    outputs = np.array([in_arrays(model, image)[3] for image in images])
    assert np.mean(outputs.argmax(axis=1) == digits) >= 0.97


# -- what is printed


def test_a_table_counts_what_was_read_as_what() -> None:
    lines = [line.split() for line in demo.confusion([7, 7, 7, 2], [7, 1, 7, 2]).splitlines()]
    assert lines[0] == list("0123456789")
    assert lines[8] == ["7", "·", "1", "·", "·", "·", "·", "·", "2", "·", "·"]
    assert lines[3] == ["2", "·", "·", "1", *["·"] * 7] and lines[1] == ["0", *["·"] * 10]


def test_images_stand_side_by_side_each_below_its_title() -> None:
    ramp, blank = [i / 63 for i in range(64)], [0.0] * 64
    assert demo.in_letters(ramp)[0] == " " * 16 and demo.in_letters(ramp)[7][-2:] == "██"
    text = demo.side_by_side([blank, ramp, ramp], ["a", "b", "c"], across=2).split("\n")
    assert text[0].split() == ["a", "b"] and text[10] == "c" and len(text) == 9 + 1 + 9
    assert text[8] == " " * 19 + demo.in_letters(ramp)[7] and text[18] == demo.in_letters(ramp)[7]


# -- what is written


def test_what_a_unit_sees_is_its_weights(model: nn.MLP) -> None:
    W1, W2, *_ = in_arrays(model, [0.0] * 64)
    units = ElementTree.fromstring(demo.unit_pictures(model)).findall(f"{NAMESPACE}g")
    assert len(units) == 32 and len({unit.get("transform") for unit in units}) == 32
    for j, unit in enumerate(units):
        cells = unit.findall(f"{NAMESPACE}rect")
        assert {(cell.get("x"), cell.get("y")) for cell in cells} == {
            (f"{10 * x}", f"{10 * y}") for x in range(8) for y in range(8)
        }
        for cell in cells:
            i = (int(cell.attrib["y"]) * 8 + int(cell.attrib["x"])) // 10
            assert cell.get("fill") == tint(W1[j, i], np.abs(W1).max())
            assert cell.findtext(f"{NAMESPACE}title") == f"w[{i}] = {W1[j, i]:.4g}"
        assert unit.findtext(f"{NAMESPACE}text") == f"{j}: {W2[:, j].argmax()}, not {W2[:, j].argmin()}"


@pytest.mark.parametrize("sample", [0, 1, 17, 120, 358])
@pytest.mark.parametrize("j", [0, 11, 28, 31])
def test_a_folded_decision_has_the_numbers_of_the_whole(
    model: nn.MLP, parts: tuple[Data, Data], sample: int, j: int
) -> None:
    image, digit = parts[1][0][sample], parts[1][1][sample]
    E, few = nn.softmax_cross_entropy(model(image), digit), folded(model, image, digit, j)
    assert few.data == pytest.approx(E.data, rel=1e-9, abs=1e-13)  # near 0 the loss is a difference of two logits
    for graph in (E, few):
        graph.zero_grad()
        graph.backward()
    whole, found = ({node.label: node for node in topological_order(graph)} for graph in (E, few))
    pairs = {"z": f"layers[0][{j}].z", "a": f"layers[0][{j}].a"}
    pairs |= {f"y{k}": f"layers[1][{k}].a" for k in range(10)} | {f"w{k}": f"layers[1][{k}].w[{j}]" for k in range(10)}
    for ours, theirs in pairs.items():
        assert found[ours].data == pytest.approx(whole[theirs].data, rel=1e-12)
        assert found[ours].grad == pytest.approx(whole[theirs].grad, rel=1e-9, abs=1e-13)
    assert len(found) <= 40


def test_without_the_loudest_unit_the_rival_loses_most(model: nn.MLP, parts: tuple[Data, Data]) -> None:
    for image, digit in list(zip(*parts[1], strict=True))[::20]:
        _, W2, a, ys = in_arrays(model, image)
        rival = max(set(range(10)) - {digit}, key=lambda k: ys[k])

        def lead(off: int, a: Any = a, W2: Any = W2, rival: int = rival, digit: int = digit) -> float:
            left = W2 @ np.where(np.arange(32) == off, 0.0, a)
            return float(left[rival] - left[digit])

        assert loudest(model, image, digit) == min(range(32), key=lead)
        assert best(ys, but=digit) == rival


def test_it_reports_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    demo.main(["--epochs", "3"])
    said = capsys.readouterr().out
    assert "after 3 epochs" in said and " read as " in said and max(map(len, said.splitlines())) <= 110
    assert sorted(path.name for path in Path("out").iterdir()) == [demo.DECISION.name, demo.UNITS.name]
    assert demo.DECISION.stat().st_size < 400_000 and demo.UNITS.stat().st_size < 250_000


def test_the_film_is_of_the_decision_that_went_most_wrong(
    model: nn.MLP, parts: tuple[Data, Data], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    errors = [nn.softmax_cross_entropy([*map(Value, in_arrays(model, image)[3])], digit).data
              for image, digit in zip(*parts[1], strict=True)]  # fmt: skip
    demo.write_files(model, *parts[1])
    heading = re.search(r">Backprop through E = v1 - y(.) = (.*)</h1>", demo.DECISION.read_text(encoding="utf-8"))
    worst = int(np.argmax(errors))
    assert heading and heading.groups() == (str(parts[1][1][worst]), number_text(errors[worst]))
    read = in_arrays(model, parts[1][0][worst])[3].argmax()
    assert f"{demo.DECISION}, backprop on a {heading[1]} read as {read}, " in capsys.readouterr().out


def test_without_a_layout_engine_the_film_is_left_out(
    no_engine: None, model: nn.MLP, parts: tuple[Data, Data], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    demo.write_files(model, *parts[1])
    assert f"without {demo.DECISION}: " in capsys.readouterr().out
    assert demo.UNITS.exists() and not demo.DECISION.exists()


def test_what_cant_be_trained_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        demo.main(["--epochs", "-1"])
    assert stopped.value.code == 2 and "epochs" in capsys.readouterr().err.splitlines()[-1]
