"""The main job on the real study and on files of one's own: what it reports, what it writes, what it refuses."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

from demos.regression import DIABETES, Regression, Scale, main, r_squared, split
from demos.table import read_table

Text = str


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
    assert "<svg" in (tmp_path / "out" / "diabetes-error.svg").read_text()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["diabetes-error.svg", "diabetes-weights.json"]


def test_study_is_the_published_one() -> None:
    table = read_table(DIABETES)
    assert len(table) == 442 and list(table.columns)[-1] == "progression"
    assert (sum(table.columns["progression"]), table.columns["bmi"][0]) == (67243.0, 32.1)


def test_reported_fit_is_that_of_numpy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_predict_gives_raw_units_for_raw_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "houses.csv", houses())
    run(source, "--target", "price", "--epochs", "5", folder=tmp_path)
    capsys.readouterr()
    weights = str(tmp_path / "out" / "houses-weights.json")
    fresh = write(tmp_path / "new.csv", 'garden,"rooms, all",size\nyes,3,85.5\nno,6,120.25\n')
    assert main(["--predict", fresh, "--weights", weights]) == 0
    printed = capsys.readouterr().out.split()
    expected = Regression.load(weights).predict([[85.5, 3.0], [120.25, 6.0]])
    assert printed == ["price", *(f"{y:.6g}" for y in expected)]


def test_same_seed_same_weights(tmp_path: Path) -> None:
    source = write(tmp_path / "houses.csv", houses())
    files = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        main([source, "--target", "price", "--epochs", "2", "--seed", seed, "--out", str(tmp_path / name)])
        files.append((tmp_path / name / "houses-weights.json").read_bytes())
    assert files[0] == files[1] != files[2]


def test_rates_reach_their_layers(tmp_path: Path) -> None:
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
    "no such target": (houses(), "cost", "no column 'cost'; the columns are size, rooms, all, price"),
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
    assert source in printed.err and expected in printed.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.csv"], "nowhere.csv: it can't be read"),
        (["--hidden", "0"], "hidden is a whole number from 1 up; given was 0"),
        (["--epochs", "-3"], "epochs is a whole number from 0 up; given was -3"),
        (["--rates", "0.1", "nan"], "learning_rate is a finite number above 0; given was nan"),
        (["--rates", "1e6", "1e6"], "training diverged in epoch"),
        (["--predict", "new.csv"], "--predict and --weights go together"),
        (["--activation", "tanhh"], "invalid choice: 'tanhh'"),
    ],
)
def test_bad_option_is_refused_without_a_traceback(arguments: list[str], expected: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "demos.regression", *arguments, "--out", str(tmp_path / "out")],
        capture_output=True, text=True, cwd=Path(__file__).parent.parent, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert result.returncode == 2
    assert expected in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


BROKEN_WEIGHTS: dict[str, Callable[[str], str]] = {
    "half": lambda text: text[: len(text) // 2],
    "no scale": lambda text: text.replace('"mean"', '"average"'),
    "flat scale": lambda text: text.replace('"deviation": ', '"deviation": -'),
    "not ours": lambda text: "[1, 2]",
}


@pytest.mark.parametrize("how", BROKEN_WEIGHTS)
def test_broken_weights_file_is_refused(how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "houses.csv", houses())
    run(source, "--target", "price", "--epochs", "1", folder=tmp_path)
    weights = tmp_path / "out" / "houses-weights.json"
    write(weights, BROKEN_WEIGHTS[how](weights.read_text()))
    assert main(["--predict", source, "--weights", str(weights)]) == 2
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
