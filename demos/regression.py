"""The main job: a 2-layer network learns a table, by default how 442 diabetes patients fared a year later.

`python -m demos.regression` trains, reports and draws; `python -m demos.regression mydata.csv --target price` does the
same for a file of one's own; `--predict new.csv --weights out/diabetes-weights.json` predicts raw data.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import nn
from demos.plots import BLUE, GREY, VERMILLION, find_pyplot, new_figure, save_figure
from demos.program import silence, try_folder
from demos.table import Table, TableError, read_table
from engine import DomainError, Value, draw, film
from engine.files import write_atomically
from engine.pictures.draw import Drawing
from engine.pictures.film import Film
from nn.networks import ACTIVATIONS
from nn.saving import from_dict, read_json

DIABETES = Path(__file__).parent / "data" / "diabetes.csv"
FEWEST_ROWS = 10
LARGEST = 1e150  # mean or deviation, whose squares are added up
SPLIT_SEED = 7  # the split stays the same whatever --seed draws the weights

Row: TypeAlias = list[float]
Part: TypeAlias = tuple[list[Row], list[float]]  # raw rows and their targets


class Scale:
    """The mean and the standard deviation of one column: number → (number - mean) / deviation, and back."""

    def __init__(self, name: str, mean: float, deviation: float) -> None:
        self.name, self.mean, self.deviation = name, mean, deviation

    @classmethod
    def of(cls, name: str, column: Sequence[float]) -> Scale:
        try:
            mean = math.fsum(column) / len(column)
            deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in column) / len(column))
        except OverflowError:
            deviation = math.inf
        if deviation > LARGEST:
            raise TableError(f"column {name!r}: numbers up to {max(map(abs, column)):g} can't be standardised")
        return cls(name, mean, deviation)

    @classmethod
    def read(cls, given: Any) -> Scale:
        """From a weights file. Raises ValueError for what is no scale."""
        if not isinstance(given, dict) or given.keys() != {"name", "mean", "deviation"}:
            raise ValueError("a scale is an object with a name, a mean and a deviation")
        mean, deviation = given["mean"], given["deviation"]
        for x in (mean, deviation):
            if isinstance(x, bool) or not isinstance(x, (int, float)) or not abs(x) <= LARGEST:
                raise ValueError(f"the scale of {given['name']!r} has no finite mean or deviation")
        if deviation <= 0:
            raise ValueError(f"the scale of {given['name']!r} has no positive deviation")
        return cls(str(given["name"]), float(mean), float(deviation))

    def standardise(self, x: float) -> float:
        return (x - self.mean) / self.deviation

    def restore(self, x: float) -> float:
        return x * self.deviation + self.mean


class Regression:
    """A network with the scales of its inputs and its target: what a weights file holds, and what predicts raw rows."""

    def __init__(self, model: nn.RegressionMLP, inputs: list[Scale], target: Scale) -> None:
        self.model, self.inputs, self.target = model, inputs, target

    def standardise(self, rows: list[Row]) -> list[Row]:
        return [[scale.standardise(x) for scale, x in zip(self.inputs, row, strict=True)] for row in rows]

    def predict(self, rows: list[Row]) -> list[float]:
        """The target in its raw units, for raw rows."""
        return [self.target.restore(y) for [y] in self.model.predict(self.standardise(rows))]

    def save(self, path: Path) -> None:
        scales = {"inputs": [vars(scale) for scale in self.inputs], "target": vars(self.target)}
        write_atomically(path, json.dumps(self.model.as_dict() | scales, indent=1) + "\n")

    @classmethod
    def load(cls, path: str) -> Regression:
        """Raises ValueError, naming the file, where it isn't a whole weights file of this program."""
        try:
            data = read_json(Path(path).read_text(encoding="utf-8"))
            model = from_dict(data)
            if not isinstance(model, nn.RegressionMLP):
                raise ValueError(f"it holds {model!r} and not a RegressionMLP")
            inputs, target = [Scale.read(scale) for scale in data["inputs"]], Scale.read(data["target"])
            if len(inputs) != model.arguments["inputs"]:
                raise ValueError(f"it holds {len(inputs)} scales for the inputs of {model!r}")
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
    """1 - Σ(t - y)² / Σ(t - mean)²: 1 is perfect, 0 no better than the mean; NaN where all targets are the same."""
    mean = math.fsum(targets) / len(targets)
    missed = math.fsum((t - y) ** 2 for t, y in zip(targets, predictions, strict=True))
    spread = math.fsum((t - mean) ** 2 for t in targets)
    return 1 - missed / spread if spread else math.nan


def least_squares(train: list[Row], targets: Sequence[float], test: list[Row]) -> list[float]:
    """Ordinary least squares fitted on train: its predictions for test."""
    import numpy as np

    def with_constant(rows: list[Row]) -> Any:
        return np.hstack([np.ones((len(rows), 1)), np.array(rows)])

    solution = np.linalg.lstsq(with_constant(train), np.array(targets), rcond=None)[0]
    return [float(y) for y in with_constant(test) @ solution]


def train(options: argparse.Namespace) -> None:
    """Reads, checks, trains, reports, and writes the weights and the pictures."""
    table = read_table(options.file)
    if options.target not in table.columns:
        raise TableError(
            f"{options.file}: there is no column {options.target!r} to predict; "
            f"name one with --target: {', '.join(table.columns)}"
        )
    names = [name for name in table.columns if name != options.target]
    check_table(table, names)
    find_pyplot()  # without matplotlib, or a folder to write to, say so before the training and not after it
    try_folder(options.out)
    train_rows, test_rows = split(len(table))
    inputs = [Scale.of(name, [table.columns[name][i] for i in train_rows]) for name in names]
    target = Scale.of(options.target, [table.columns[options.target][i] for i in train_rows])
    for scale in [*inputs, target]:
        if scale.deviation == 0:
            raise TableError(f"{table.path}, column {scale.name!r}: all rows of the training split hold {scale.mean:g}")
    model = nn.RegressionMLP(len(names), options.hidden, activation=options.activation, seed=options.seed)
    regression = Regression(model, inputs, target)
    rows, targets = table.rows(names), table.columns[options.target]
    parts = {
        name: ([rows[i] for i in indices], [targets[i] for i in indices])
        for name, indices in (("train", train_rows), ("test", test_rows))
    }
    X, T = parts["train"]
    history = nn.fit(
        model,
        regression.standardise(X),
        [target.standardise(t) for t in T],
        epochs=options.epochs,
        optimizer=nn.SGD(model, learning_rate=tuple(options.rates)),
    )
    print(f"{table.path.name}: {len(X)} rows to train on, {len(test_rows)} to test on; {model!r}")
    report(regression, history, parts)
    write_files(regression, history, parts, Path(options.out), Path(options.file).stem)


def report(regression: Regression, history: nn.History, parts: Mapping[str, Part]) -> None:
    """Prints E before and after, and how good the fit is, beside that of a straight line."""
    X, T = parts["train"]
    print(f"E       {history.errors[0]:.6f} before, {history.errors[-1]:.6f} after {len(history.errors) - 1} epochs")
    for name, (xs, ts) in parts.items():
        if len(set(ts)) == 1:
            print(f"R² {name:<5} undefined: every target of these rows is {ts[0]:g}")
            continue
        linear = least_squares(regression.standardise(X), T, regression.standardise(xs))
        ours = r_squared(ts, regression.predict(xs))
        print(f"R² {name:<5} {ours:.4f} network, {r_squared(ts, linear):.4f} ordinary least squares")


def write_files(
    regression: Regression, history: nn.History, parts: Mapping[str, Part], folder: Path, stem: str
) -> None:
    """Writes the weights and the pictures, and prints what they are, or why one is left out."""
    (row, *_), (t, *_) = parts["test"]
    files: dict[str, tuple[str, Callable[[Path], object]]] = {
        "weights.json": ("for --predict", regression.save),
        "error.svg": ("E, epoch by epoch", lambda path: plot_errors(history.errors, path)),
        "predicted.svg": ("predicted against actual", lambda path: plot_predictions(regression, parts, path)),
        "network.svg": ("the graph of one test row, by layer", lambda path: network(regression, row, t).save(path)),
        "neuron.html": ("hidden[0] on that row, step by step", lambda path: neuron(regression, row).save(path)),
    }
    left_out: dict[str, list[str]] = {}
    for name, (what, write) in files.items():
        path = folder / f"{stem}-{name}"
        try:
            write(path)
        except (RuntimeError, ValueError) as error:  # no Graphviz; more nodes than can be drawn
            left_out.setdefault(str(error), []).append(str(path))
        else:
            print(f"wrote   {path}, {what}")
    for reason, paths in left_out.items():
        print(f"without {' and '.join(paths)}: {reason}")


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


# -- the pictures


def plot_errors(errors: list[float], path: Path) -> None:
    """The error curve: E on the standardised training rows, against the epoch."""
    figure, axes = new_figure()
    axes.plot(errors, color=BLUE)
    axes.set(xlabel="epoch", ylabel="E, half mean squared error", ylim=(0, 1.05 * max(errors)))
    axes.grid(color=GREY, alpha=0.25)
    save_figure(figure, path)


def plot_predictions(regression: Regression, parts: Mapping[str, Part], path: Path) -> None:
    """Predicted against actual, in raw units: a point for each row, on the diagonal where the network is right."""
    figure, axes = new_figure(5.2, 5.2)
    lines = {"train": {"marker": "o", "color": BLUE, "fillstyle": "none"}, "test": {"marker": "D", "color": VERMILLION}}
    for name, (xs, ts) in parts.items():
        ys = regression.predict(xs)
        fit = f"{name}, R² = {r_squared(ts, ys):.2f}" if len(set(ts)) > 1 else name
        axes.plot(ts, ys, linestyle="", markersize=4, markeredgewidth=0.8, label=fit, **lines[name])
    ends = [min(axes.get_xlim()[0], axes.get_ylim()[0]), max(axes.get_xlim()[1], axes.get_ylim()[1])]
    axes.plot(ends, ends, color=GREY, linewidth=0.8, zorder=1)
    target = regression.target.name.replace("$", r"\$")  # matplotlib reads a formula between two of them
    axes.set(xlabel=f"{target}, actual", ylabel=f"{target}, predicted", xlim=ends, ylim=ends, aspect="equal")
    axes.legend(loc="upper left", frameon=False)
    save_figure(figure, path)


def network(regression: Regression, row: Row, t: float) -> Drawing:
    """The graph of one raw row and its error after backprop, a box for each layer; saving it needs Graphviz."""
    regression.model.zero_grad()
    [x] = regression.standardise([row])
    E = nn.half_squared_error(regression.model(x), [regression.target.standardise(t)])
    E.backward()
    return draw(E, depth="layer")


def neuron(regression: Regression, row: Row) -> Film:
    """Backprop through the first hidden neuron on one raw row, its inputs named as the table's columns.

    Raises ValueError where these are too many for a film; saving it needs Graphviz.
    """
    regression.model.zero_grad()
    [x] = regression.standardise([row])
    named = [Value(number, label=scale.name) for number, scale in zip(x, regression.inputs, strict=True)]
    [a] = regression.model.hidden[0](named)
    return film(a)


# -- the program


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
        sys.stdout.flush()
    except BrokenPipeError:
        silence()
    except (ValueError, OSError, ImportError, DomainError) as error:
        print(f"regression: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nregression: stopped before everything was written", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
