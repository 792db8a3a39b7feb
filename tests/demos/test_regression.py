"""The main job on the real study and on files of one's own: what it reports, what it writes, what it refuses."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeAlias
from xml.etree import ElementTree

import numpy as np
import pytest

import demos.regression
import nn
from demos.regression import DIABETES, Regression, Scale, main, neuron, r_squared, split
from demos.table import read_table
from engine.text.names import number_text
from tests.pictures.reading import NAMESPACE, groups

Array: TypeAlias = np.ndarray[Any, Any]
Text = str
PICTURES = ("network.svg", "neuron.html")
WRITTEN = ("error.svg", "predicted.svg", "weights.json", *PICTURES)


def write(path: Path, text: Text) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def houses(rows: int = 24) -> Text:
    """A small table with a quoted name, and a price that depends on the rest."""
    random = Random(11)
    lines = ['size,"rooms, all",price']
    for _ in range(rows):
        size, rooms = random.uniform(40, 160), random.randint(1, 7)
        lines.append(f"{size:.3f},{rooms},{1.7 * size + 3.1 * rooms + random.gauss(0, 2):.4f}")
    return "\n".join(lines) + "\n"


def run(*arguments: str, folder: Path) -> int:
    return main([*arguments, "--out", str(folder / "out")])


def test_main_job_on_the_diabetes_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--epochs", "12", folder=tmp_path) == 0
    report = capsys.readouterr().out
    assert "354 rows to train on, 88 to test on" in report and "ordinary least squares" in report
    written = {f"diabetes-{name}" for name in WRITTEN}
    assert {path.name for path in (tmp_path / "out").iterdir()} == written
    assert set(re.findall(r"^wrote   (\S+),", report, re.M)) == {str(tmp_path / "out" / name) for name in written}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on the small table: houses.csv, and what was written into out/."""
    folder = tmp_path_factory.mktemp("regression")
    source = write(folder / "houses.csv", houses())
    assert run(source, "--target", "price", "--epochs", "30", folder=folder) == 0
    return folder


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the weights matter, no time is spent on the rest."""

    def left_out(*_: object) -> None:
        raise RuntimeError("left out")

    for name in ("plot_errors", "plot_predictions", "network", "neuron"):
        monkeypatch.setattr(demos.regression, name, left_out)


def predictions(folder: Path) -> tuple[Array, Array]:
    """Actual and predicted prices of all rows, by NumPy from the table and the weights file."""
    data = np.loadtxt(folder / "houses.csv", delimiter=",", skiprows=1)
    saved = json.loads((folder / "out" / "houses-weights.json").read_text())
    parameters, (size, rooms), price = saved["parameters"], saved["inputs"], saved["target"]
    X = (data[:, :2] - [size["mean"], rooms["mean"]]) / [size["deviation"], rooms["deviation"]]
    W = np.array([[parameters[f"hidden[{i}].w[{d}]"] for d in range(2)] for i in range(8)])
    b = np.array([parameters[f"hidden[{i}].b"] for i in range(8)])
    v = np.array([parameters[f"output[0].w[{i}]"] for i in range(8)])
    y = np.tanh(X @ W.T + b) @ v + parameters["output[0].b"]
    return data[:, 2], y * price["deviation"] + price["mean"]


def marks(svg: Path) -> dict[int, Array]:
    """The points of each series in a plot, where more than one, by how many there are; y upwards."""
    series = {}
    for group in ElementTree.parse(svg).iter(f"{NAMESPACE}g"):
        points = [(float(use.get("x") or 0), -float(use.get("y") or 0)) for use in group.findall(f"{NAMESPACE}use")]
        if len(points) > 1:
            series[len(points)] = np.array(points)
    return series


def texts(svg: Path) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.parse(svg).iter(f"{NAMESPACE}text")]


def test_predicted_against_actual_is_plotted_for_both_parts(trained: Path) -> None:
    actual, predicted = predictions(trained)
    train, test = split(len(actual))
    series = marks(trained / "out" / "houses-predicted.svg")
    assert {len(train), len(test)} == {20, 4} <= set(series)
    points = np.concatenate([series[20], series[4]])
    truth = np.column_stack([actual, predicted])[train + test]
    scale = np.ptp(points[:, 0]) / np.ptp(truth[:, 0])  # both axes have the same one, as the diagonal is a square's
    middle = truth - truth.mean(0), points - points.mean(0)
    np.testing.assert_allclose(middle[1], middle[0] * scale, atol=1e-3)
    fits = [f"{name}, R² = {r_squared(actual[part].tolist(), predicted[part].tolist()):.2f}"
            for name, part in (("train", train), ("test", test))]  # fmt: skip
    assert {*fits, "price, actual", "price, predicted"} <= set(texts(trained / "out" / "houses-predicted.svg"))


def test_the_network_of_one_test_row_is_drawn_by_layer(trained: Path) -> None:
    actual, predicted = predictions(trained)
    first = split(len(actual))[1][0]
    deviation = json.loads((trained / "out" / "houses-weights.json").read_text())["target"]["deviation"]
    svg = (trained / "out" / "houses-network.svg").read_text(encoding="utf-8")
    boxes = {box.texts["name"].partition(" ")[0]: box for box in groups(svg, "node").values()}
    assert {"x", "hidden", "output", "E"} <= set(boxes)
    E = ((actual[first] - predicted[first]) / deviation) ** 2 / 2
    assert boxes["E"].texts["data"] == number_text(float(E)) and boxes["E"].texts["grad"] == "1"
    counts = {name: "".join(boxes[name].element.itertext()) for name in ("hidden", "output")}
    assert "neurons8parameters24" in counts["hidden"] and "neurons1parameters9" in counts["output"]


def test_the_film_steps_through_the_first_hidden_neuron_on_that_row(trained: Path) -> None:
    weights = trained / "out" / "houses-weights.json"
    parameters = json.loads(weights.read_text())["parameters"]
    regression, row = Regression.load(str(weights)), np.loadtxt(trained / "houses.csv", delimiter=",", skiprows=1)
    x = row[split(len(row))[1][0]][:2].tolist()
    page = (trained / "out" / "houses-neuron.html").read_text(encoding="utf-8")
    assert page == neuron(regression, x).html()
    w, b = [parameters[f"hidden[0].w[{d}]"] for d in range(2)], parameters["hidden[0].b"]
    [[size, rooms]] = regression.standardise([x])
    a = math.tanh(w[0] * size + w[1] * rooms + b)
    assert f"tanh(hidden[0].z) = {a:.4g}" in page and "hidden[0].w[1] * (rooms, all)" in page
    gradients = dict(re.findall(r'<p class="short">(\S+)\.grad \+= .*= (\S+)</p>', page))
    slope = 1 - a**2
    assert gradients["hidden[0].w[0]"] == number_text(slope * size)
    assert gradients["size"] == number_text(slope * w[0])


@pytest.mark.parametrize("name", ['$a$ _{ <t> & "q"', "hidden[0].w[1]", "hidden[0].b", "b"])
def test_any_column_name_can_be_drawn(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quoted = name.replace('"', '""')
    source = write(tmp_path / "houses.csv", houses().replace("rooms, all", quoted))
    for target in ("price", name):
        assert run(source, "--target", target, "--epochs", "1", folder=tmp_path) == 0
        assert capsys.readouterr().out.count("wrote   ") == len(WRITTEN)
        assert f"{target}, actual" in texts(tmp_path / "out" / "houses-predicted.svg")


def test_without_graphviz_one_line_says_what_is_left_out(
    tmp_path: Path, no_engine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "houses.csv", houses())
    assert run(source, "--target", "price", "--epochs", "1", folder=tmp_path) == 0
    report = capsys.readouterr().out
    left_out = [line for line in report.splitlines() if line.startswith("without ")]
    assert len(left_out) == 1 and "install Graphviz" in left_out[0] and "pip install pygraphviz" in left_out[0]
    assert all(f"houses-{name}" in left_out[0] for name in PICTURES)
    written = {f"houses-{name}" for name in WRITTEN if name not in PICTURES}
    assert {path.name for path in (tmp_path / "out").iterdir()} == written and report.count("wrote   ") == len(written)


def test_a_table_too_wide_for_a_film_has_all_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.pictures.draw.MOST", 20)  # a neuron with 8 inputs has 27 nodes
    rows = [[(i * 7 + column * 13) % 97 + 0.5 for column in range(9)] for i in range(12)]
    source = write(tmp_path / "wide.csv", "\n".join(",".join(map(str, row)) for row in ["abcdefghi", *rows]))
    assert run(source, "--target", "i", "--epochs", "1", folder=tmp_path) == 0
    report = capsys.readouterr().out
    assert re.search(r"^without \S+wide-neuron.html: the graph has more than 20 nodes", report, re.M)
    assert report.count("wrote   ") == len(WRITTEN) - 1


def test_study_is_the_published_one() -> None:
    table = read_table(DIABETES)
    assert len(table) == 442 and list(table.columns)[-1] == "progression"
    assert (sum(table.columns["progression"]), table.columns["bmi"][0]) == (67243.0, 32.1)


def test_reported_fit_is_that_of_numpy(tmp_path: Path, no_pictures: None, capsys: pytest.CaptureFixture[str]) -> None:
    """R² of the network and of least squares, computed again from the files that the run wrote."""
    source = write(tmp_path / "houses.csv", houses())
    assert run(source, "--target", "price", "--epochs", "30", folder=tmp_path) == 0
    report = capsys.readouterr().out
    data = np.loadtxt(source, delimiter=",", skiprows=1)
    saved = json.loads((tmp_path / "out" / "houses-weights.json").read_text())
    W = np.array([[saved["parameters"][f"hidden[{i}].w[{d}]"] for d in range(2)] for i in range(8)])
    b = np.array([saved["parameters"][f"hidden[{i}].b"] for i in range(8)])
    v = np.array([saved["parameters"][f"output[0].w[{i}]"] for i in range(8)])
    train, test = split(len(data))
    X, T = data[:, :2], data[:, 2]
    mean, scale = X[train].mean(0), X[train].std(0)
    y = np.tanh((X - mean) / scale @ W.T + b) @ v + saved["parameters"]["output[0].b"]
    y = y * T[train].std() + T[train].mean()
    line = np.linalg.lstsq(np.c_[np.ones(len(train)), X[train]], T[train], rcond=None)[0]
    for name, part in (("train", train), ("test", test)):
        spread = ((T[part] - T[part].mean()) ** 2).sum()
        network = 1 - ((T[part] - y[part]) ** 2).sum() / spread
        linear = 1 - ((T[part] - np.c_[np.ones(len(part)), X[part]] @ line) ** 2).sum() / spread
        assert f"R² {name:<5} {network:.4f} network, {linear:.4f} ordinary" in report


def test_predict_gives_raw_units_for_raw_rows(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(trained / "out" / "houses-weights.json")
    fresh = write(tmp_path / "new.csv", 'garden,"rooms, all",size\nyes,3,85.5\nno,6,120.25\n')
    assert main(["--predict", fresh, "--weights", weights]) == 0
    printed = capsys.readouterr().out.split()
    expected = Regression.load(weights).predict([[85.5, 3.0], [120.25, 6.0]])
    assert printed == ["price", *(f"{y:.6g}" for y in expected)]


def test_same_seed_same_weights(tmp_path: Path, no_pictures: None) -> None:
    source = write(tmp_path / "houses.csv", houses())
    files = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        main([source, "--target", "price", "--epochs", "2", "--seed", seed, "--out", str(tmp_path / name)])
        files.append((tmp_path / name / "houses-weights.json").read_bytes())
    assert files[0] == files[1] != files[2]


def test_rates_reach_their_layers(tmp_path: Path, no_pictures: None) -> None:
    source = write(tmp_path / "houses.csv", houses())

    def hidden_and_output(*rates: str) -> tuple[float, float]:
        run(source, "--target", "price", "--epochs", "1", "--rates", *rates, folder=tmp_path)
        numbers = json.loads((tmp_path / "out" / "houses-weights.json").read_text())["parameters"]
        return numbers["hidden[2].w[1]"], numbers["output[0].w[2]"]

    (w, v), (w1, v1), (w2, v2) = (
        hidden_and_output(*rates) for rates in (("1e-300",) * 2, ("0.3", "1e-300"), ("1e-300", "0.3"))
    )
    assert w1 != w and v1 == v and w2 == w and v2 != v


CELLS = houses().splitlines()
BAD_TABLES = {
    "no such target": (houses(), "cost", "'cost' to predict; name one with --target: size, rooms, all, price"),
    "too large": (
        "a,price\n" + "\n".join(f"{i}e160,{i}" for i in range(12)),
        "price",
        "numbers up to 1e+161 can't be",
    ),
    "huge": (
        "a,price\n" + "\n".join(f"{i / 10}e308,{i}" for i in range(12)),
        "price",
        "numbers up to 1e+308 can't be",
    ),
    "empty cell": ("\n".join([*CELLS[:5], "101.5,,200"]), "price", "row 6, column 'rooms, all': the cell is empty"),
    "word": ("\n".join([*CELLS[:5], "101.5,many,200"]), "price", "row 6, column 'rooms, all': 'many' is not a finite"),
    "nan": ("\n".join([*CELLS[:5], "nan,3,200"]), "price", "row 6, column 'size': 'nan' is not a finite number"),
    "infinity": ("\n".join([*CELLS[:5], "1e999,3,200"]), "price", "row 6, column 'size': '1e999' is not a finite"),
    "underscore": ("\n".join([*CELLS[:5], "1_0,3,200"]), "price", "row 6, column 'size': '1_0' is not a finite"),
    "long row": ("\n".join([*CELLS[:5], "1,2,3,4"]), "price", "row 6: 4 cells where the header has 3"),
    "constant": (
        "a,b,price\n" + "\n".join(f"{i}.5,7,{i}.25" for i in range(12)),
        "price",
        "column 'b': it is constant",
    ),
    "constant target": (
        "a,price\n" + "\n".join(f"{i}.5,7" for i in range(12)),
        "price",
        "column 'price': it is constant",
    ),
    "few rows": ("\n".join(CELLS[:8]), "price", "7 rows; at least 10 are expected"),
    "only the target": ("price\n" + "\n".join(f"{i}.5" for i in range(12)), "price", "the target is its only column"),
    "twice": ("a,a,price\n1,2,3\n", "price", "the column name 'a' stands twice"),
    "nameless": ("a,,price\n1,2,3\n", "price", "a column has no name"),
    "empty": ("", "price", "it is empty"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_table_is_one_line_and_nothing_is_written(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, target, expected = BAD_TABLES[case]
    source = write(tmp_path / "table.csv", text)
    assert run(source, "--target", target, folder=tmp_path) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert (source in printed.err or "can't be" in expected) and expected in printed.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_and_tabs_separate_too(separator: str, tmp_path: Path) -> None:
    text = f'a{separator}"b, in m"{separator}price\n1{separator}2{separator}3.5\n'
    assert read_table(write(tmp_path / "t.csv", text)).columns == {"a": [1.0], "b, in m": [2.0], "price": [3.5]}


def test_a_constant_target_in_the_test_split_leaves_r_squared_undefined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, tested = split(12)
    rows = [f"{i}.5,{7 if i in tested else i}" for i in range(12)]
    source = write(tmp_path / "table.csv", "\n".join(["a,price", *rows]))
    assert run(source, "--target", "price", "--epochs", "2", folder=tmp_path) == 0
    assert "R² test  undefined: every target of these rows is 7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        ([1], "a scale is an object"),
        ({"name": "a", "mean": 0.5}, "a scale is an object"),
        ({"name": "a", "mean": 0.5, "deviation": 10**400}, "no finite mean or deviation"),
        ({"name": "a", "mean": -(10**400), "deviation": 1}, "no finite mean or deviation"),
        ({"name": "a", "mean": 0.5, "deviation": True}, "no finite mean or deviation"),
        ({"name": "a", "mean": 0.5, "deviation": 0}, "no positive deviation"),
    ],
)
def test_weights_with_a_scale_that_is_none_are_refused_in_a_line(scale: object, words: str, tmp_path: Path) -> None:
    model = nn.RegressionMLP(1, 1)
    good = {"name": "price", "mean": 0.5, "deviation": 1.5}
    for inputs, target in (([scale], good), ([good], scale), ([], good), ([good, good], good)):
        path = tmp_path / "w.json"
        path.write_text(json.dumps(model.as_dict() | {"inputs": inputs, "target": target}))
        with pytest.raises(
            ValueError, match=words if scale in (*inputs, target) else "scales for the inputs"
        ) as refusal:
            Regression.load(str(path))
        assert "\n" not in str(refusal.value)


BAD_OPTIONS = [
    (["nowhere.csv"], "nowhere.csv: it can't be read"),
    (["--hidden", "0"], "hidden is a whole number from 1 up; given was 0"),
    (["--epochs", "-3"], "epochs is a whole number from 0 up; given was -3"),
    (["--rates", "0.1", "nan"], "learning_rate is a finite number above 0; given was nan"),
    (["--rates", "1e6", "1e6"], "training diverged in epoch"),
    (["--predict", "new.csv"], "--predict and --weights go together"),
    (["--activation", "tanhh"], "invalid choice: 'tanhh'"),
]


@pytest.mark.parametrize(("arguments", "expected"), BAD_OPTIONS)
def test_bad_option_is_refused(
    arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = run(*arguments, folder=tmp_path)
    except SystemExit as refusal:  # argparse's
        code = refusal.code
    assert code == 2 and expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_shell_is_told_so_without_a_traceback(tmp_path: Path) -> None:
    arguments, expected = BAD_OPTIONS[1]
    result = subprocess.run(
        [sys.executable, "-m", "demos.regression", *arguments, "--out", str(tmp_path / "out")],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert result.returncode == 2
    assert expected in result.stderr and "Traceback" not in result.stderr and result.stderr.count("\n") == 1


BROKEN_WEIGHTS: dict[str, Callable[[str], str]] = {
    "half": lambda text: text[: len(text) // 2],
    "no scale": lambda text: text.replace('"mean"', '"average"'),
    "flat scale": lambda text: text.replace('"deviation": ', '"deviation": -'),
    "another model": lambda text: text.replace('"model": "RegressionMLP"', '"model": "MLP"'),
    "not ours": lambda text: "[1, 2]",
}


@pytest.mark.parametrize("how", BROKEN_WEIGHTS)
def test_broken_weights_file_is_refused(
    how: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, weights = (trained / "out" / "houses-weights.json").read_text(), tmp_path / "weights.json"
    write(weights, BROKEN_WEIGHTS[how](whole))
    assert weights.read_text() != whole
    assert main(["--predict", str(trained / "houses.csv"), "--weights", str(weights)]) == 2
    assert f"{weights}: it is not a weights file" in capsys.readouterr().err


def test_split_is_fixed_and_leaves_no_row_out() -> None:
    train, test = split(442)
    assert sorted(train + test) == list(range(442)) and len(test) == 88
    assert split(442) == (train, test)


def test_scale_and_r_squared_against_numpy() -> None:
    column = [1.7, -2.3, 0.45, 3.9]
    scale = Scale.of("a", column)
    assert math.isclose(scale.mean, np.mean(column), rel_tol=1e-14) and math.isclose(scale.deviation, np.std(column))
    assert math.isclose(scale.restore(scale.standardise(0.77)), 0.77, rel_tol=1e-14)
    assert math.isclose(r_squared(column, [1.5, -2.0, 0.5, 3.5]), 1 - 0.2925 / np.var(column) / 4, rel_tol=1e-12)
