"""The main job: a 2-layer network learns a table, by default how 442 diabetes patients fared a year later.

`python -m demos.regression` trains and reports; `python -m demos.regression mydata.csv --target price` does the same
for a file of one's own; `--predict new.csv --weights out/diabetes-weights.json` predicts raw data.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import nn
from demos.plots import BLUE, GREY, new_figure, save_figure
from demos.table import Table, TableError, read_table
from engine import DomainError
from engine.files import write_atomically
from nn.modules import ACTIVATIONS
from nn.saving import from_dict, read_json, to_dict

DIABETES = Path(__file__).parent / "data" / "diabetes.csv"
FEWEST_ROWS = 10
SPLIT_SEED = 7  # the split stays the same whatever --seed draws the weights

Row = list[float]


class Scale:
    """The mean and the standard deviation of one column: number → (number - mean) / deviation, and back."""

    def __init__(self, name: str, mean: float, deviation: float) -> None:
        self.name, self.mean, self.deviation = name, mean, deviation

    @classmethod
    def of(cls, name: str, column: Sequence[float]) -> Scale:
        mean = math.fsum(column) / len(column)
        return cls(name, mean, math.sqrt(math.fsum((x - mean) ** 2 for x in column) / len(column)))

    def standardise(self, x: float) -> float:
        return (x - self.mean) / self.deviation

    def restore(self, x: float) -> float:
        return x * self.deviation + self.mean


class Regression:
    """A network with the scales of its inputs and its target: what a weights file holds, and what predicts raw rows."""

    def __init__(self, model: nn.Module, inputs: list[Scale], target: Scale) -> None:
        self.model, self.inputs, self.target = model, inputs, target

    def standardise(self, rows: list[Row]) -> list[Row]:
        return [[scale.standardise(x) for scale, x in zip(self.inputs, row, strict=True)] for row in rows]

    def predict(self, rows: list[Row]) -> list[float]:
        """The target in its raw units, for raw rows."""
        return [self.target.restore(y) for [y] in self.model.predict(self.standardise(rows))]

    def save(self, path: Path) -> None:
        scales = {"inputs": [vars(scale) for scale in self.inputs], "target": vars(self.target)}
        write_atomically(path, json.dumps(to_dict(self.model) | scales, indent=1) + "\n")

    @classmethod
    def load(cls, path: str) -> Regression:
        """Raises ValueError, naming the file, where it isn't a whole weights file of this program."""
        try:
            data = read_json(Path(path).read_text(encoding="utf-8"))
            model = from_dict(data)
            inputs, target = [Scale(**scale) for scale in data["inputs"]], Scale(**data["target"])
            if not all(math.isfinite(s.mean) and s.deviation > 0 for s in [*inputs, target]):
                raise ValueError("a scale has no finite mean or no positive deviation")
        except (KeyError, TypeError, ValueError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ValueError(f"{path}: it is not a weights file of demos.regression: {reason}") from None
        return cls(model, inputs, target)


def split(count: int) -> tuple[list[int], list[int]]:
    """The numbers of the rows to train on and to test on: four fifths and one fifth, shuffled, always the same."""
    shuffled = list(range(count))
    Random(SPLIT_SEED).shuffle(shuffled)
    return sorted(shuffled[count // 5 :]), sorted(shuffled[: count // 5])


def r_squared(targets: Sequence[float], predictions: Sequence[float]) -> float:
    """1 - Σ(t - y)² / Σ(t - mean)²: 1 is perfect, 0 no better than the mean."""
    mean = math.fsum(targets) / len(targets)
    missed = math.fsum((t - y) ** 2 for t, y in zip(targets, predictions, strict=True))
    return 1 - missed / math.fsum((t - mean) ** 2 for t in targets)


def least_squares(train: list[Row], targets: Sequence[float], test: list[Row]) -> list[float]:
    """Ordinary least squares fitted on train: its predictions for test."""
    import numpy as np

    def with_constant(rows: list[Row]) -> Any:
        return np.hstack([np.ones((len(rows), 1)), np.array(rows)])

    solution = np.linalg.lstsq(with_constant(train), np.array(targets), rcond=None)[0]
    return [float(y) for y in with_constant(test) @ solution]


def train(options: argparse.Namespace) -> None:
    """Reads, checks, trains, reports, and writes the error curve and the weights."""
    table = read_table(options.file)
    if options.target not in table.columns:
        raise TableError(
            f"{options.file}: there is no column {options.target!r}; the columns are {', '.join(table.columns)}"
        )
    names = [name for name in table.columns if name != options.target]
    check_table(table, names)
    new_figure()  # without matplotlib, say so before the training and not after it
    train_rows, test_rows = split(len(table))
    inputs = [Scale.of(name, [table.columns[name][i] for i in train_rows]) for name in names]
    target = Scale.of(options.target, [table.columns[options.target][i] for i in train_rows])
    for scale in [*inputs, target]:
        if scale.deviation == 0:
            raise TableError(f"{table.path}, column {scale.name!r}: all rows of the training split hold {scale.mean:g}")
    model = nn.RegressionMLP(len(names), options.hidden, activation=options.activation, seed=options.seed)
    regression = Regression(model, inputs, target)
    rows, targets = table.rows(names), table.columns[options.target]

    def part(indices: list[int]) -> tuple[list[Row], list[float]]:
        return [rows[i] for i in indices], [targets[i] for i in indices]

    (X, T), (X_test, T_test) = part(train_rows), part(test_rows)
    history = nn.fit(
        model,
        regression.standardise(X),
        [target.standardise(t) for t in T],
        epochs=options.epochs,
        optimizer=nn.SGD(model, learning_rate=tuple(options.rates)),
    )
    folder, stem = Path(options.out), Path(options.file).stem
    weights, curve = folder / f"{stem}-weights.json", folder / f"{stem}-error.svg"
    print(f"{table.path.name}: {len(X)} rows to train on, {len(X_test)} to test on; {model!r}")
    print(f"E       {history.errors[0]:.6f} before, {history.errors[-1]:.6f} after {len(history.errors) - 1} epochs")
    for name, xs, ts in (("train", X, T), ("test", X_test, T_test)):
        linear = least_squares(regression.standardise(X), T, regression.standardise(xs))
        ours = r_squared(ts, regression.predict(xs))
        print(f"R² {name:<5} {ours:.4f} network, {r_squared(ts, linear):.4f} ordinary least squares")
    plot_errors(history.errors, curve)
    regression.save(weights)
    print(f"wrote   {curve} and {weights}")


def check_table(table: Table, names: list[str]) -> None:
    """TableError for a table too small to learn from, or a column that says nothing."""
    if not names:
        raise TableError(f"{table.path}: the target is its only column; at least one more is expected")
    if len(table) < FEWEST_ROWS:
        raise TableError(f"{table.path}: {len(table)} rows; at least {FEWEST_ROWS} are expected")
    for name, column in table.columns.items():
        if min(column) == max(column):
            raise TableError(
                f"{table.path}, column {name!r}: it is constant ({column[0]:g} in every row); leave it out"
            )


def plot_errors(errors: list[float], path: Path) -> None:
    """The error curve: E on the standardised training rows, against the epoch."""
    figure, axes = new_figure()
    axes.plot(errors, color=BLUE)
    axes.set(xlabel="epoch", ylabel="E, half mean squared error", ylim=(0, 1.05 * max(errors)))
    axes.grid(color=GREY, alpha=0.25)
    save_figure(figure, path)


def predict(options: argparse.Namespace) -> None:
    """Prints the target for each row of a file, as a CSV column."""
    regression = Regression.load(options.weights)
    names = [scale.name for scale in regression.inputs]
    rows = read_table(options.predict, only=names).rows(names)
    print(regression.target.name, *(f"{y:.6g}" for y in regression.predict(rows)), sep="\n")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demos.regression", description=__doc__.split("\n")[0])
    parser.add_argument(
        "file", nargs="?", default=str(DIABETES), help="CSV with a header (default: the diabetes study)"
    )
    parser.add_argument("--target", help="the column to predict (default: progression)", default="progression")
    parser.add_argument("--hidden", type=int, default=8, metavar="N", help="hidden neurons (default: 8)")
    parser.add_argument("--activation", choices=list(ACTIVATIONS), default="tanh", metavar="NAME",
                        help="of the hidden layer (default: tanh)")  # fmt: skip
    parser.add_argument("--epochs", type=int, default=200, metavar="N", help="steps over all rows (default: 200)")
    parser.add_argument("--rates", type=float, nargs=2, default=[0.1, 0.1], metavar=("ρ1", "ρ2"),
                        help="learning rates of the hidden and the output layer (default: 0.1 0.1)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="draws the first weights (default: 0)")
    parser.add_argument("--out", default="out", metavar="FOLDER", help="where files are written (default: out)")
    parser.add_argument("--predict", metavar="CSV", help="predict these rows; needs --weights")
    parser.add_argument("--weights", metavar="JSON", help="a weights file that a training run wrote")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; 0, or 2 with one line on standard error."""
    options = parser().parse_args(arguments)
    try:
        if (options.predict is None) != (options.weights is None):
            raise ValueError("--predict and --weights go together: the rows, and the network that predicts them")
        predict(options) if options.predict else train(options)
    except (ValueError, OSError, ImportError, DomainError) as error:
        print(f"regression: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nregression: stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
