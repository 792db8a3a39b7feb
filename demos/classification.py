"""Classification, in two halves: two moons with a hinge loss, as micrograd's demo has it; three arms with a softmax.

The first half writes the training loop by hand, node for node what backprop needs; the second leaves it to nn.fit.
"When we modify our net for classification", the derivation says of its g[2], it takes a softmax: this is it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import nn
from demos.plots import BLUE, GREY, VERMILLION, new_figure, save_figure
from demos.program import program
from engine import total

GREEN = "#009E73"
Point = list[float]


def moons(samples: int = 100, noise: float = 0.1, seed: int = 3) -> tuple[list[Point], list[list[float]]]:
    """Two half circles that reach into each other, with normal noise: points of the plane, and targets 1 and -1."""
    random = Random(seed)
    points, targets = [], []
    for i in range(samples):
        angle, upper = math.pi * (i // 2) / (samples // 2 - 1), i % 2 == 0
        x, y = (math.cos(angle), math.sin(angle)) if upper else (1 - math.cos(angle), 0.5 - math.sin(angle))
        points.append([x + random.gauss(0, noise), y + random.gauss(0, noise)])
        targets.append([-1.0 if upper else 1.0])
    return points, targets


def arms(samples: int = 90, noise: float = 0.05, seed: int = 5) -> tuple[list[Point], list[list[float]]]:
    """Three arms of a spiral: points of the plane, and one-hot targets for three classes."""
    random = Random(seed)
    points, targets = [], []
    for i in range(samples):
        arm, radius = i % 3, 0.2 + 0.8 * (i // 3) / (samples // 3 - 1)
        angle = 2 * math.pi * arm / 3 + 2.5 * radius + random.gauss(0, noise)
        points.append([radius * math.cos(angle), radius * math.sin(angle)])
        targets.append([float(arm == k) for k in range(3)])
    return points, targets


def accuracy(model: nn.Module, points: list[Point], targets: list[list[float]]) -> float:
    """The share of the points whose class, the sign of one output or the largest of several, is the target's."""
    outputs = model.predict(points)
    return sum(class_of(ys) == class_of(ts) for ys, ts in zip(outputs, targets, strict=True)) / len(points)


def class_of(ys: Sequence[float]) -> int:
    return int(ys[0] > 0) if len(ys) == 1 else max(range(len(ys)), key=lambda k: ys[k])


def train_moons(
    steps: int = 100, samples: int = 100, report: Callable[[str], None] = print
) -> tuple[nn.MLP, list[float]]:
    """The mean hinge loss plus 1e-4 Σ w², with a learning rate that falls from 1 to 0.1; the errors, a step each."""
    points, targets = moons(samples)
    model = nn.MLP(2, [16, 16, 1], activation="relu", seed=1)
    errors = []
    for step in range(steps):
        hinge = total(nn.hinge(model(x), t) for x, t in zip(points, targets, strict=True)) / len(points)
        E = hinge + 1e-4 * total(w * w for w in model.parameters())
        model.zero_grad()
        E.backward()
        nn.SGD(model, learning_rate=1.0 - 0.9 * step / steps).step()
        errors.append(E.data)
        if step % 10 == 0 or step == steps - 1:
            report(f"step {step:3}   E = {E.data:.6f}   accuracy {accuracy(model, points, targets):.0%}")
    return model, errors


def train_arms(epochs: int = 200) -> tuple[nn.MLP, nn.History]:
    """Softmax cross-entropy on three classes, by nn.fit with Adam."""
    points, targets = arms()
    model = nn.MLP(2, [16, 3], activation="tanh", seed=1)
    optimizer = nn.Adam(model, learning_rate=0.05)
    return model, nn.fit(model, points, targets, epochs=epochs, optimizer=optimizer, loss=nn.softmax_cross_entropy)


def plot_regions(
    model: nn.Module, points: list[Point], targets: list[list[float]], path: Path, across: int = 60
) -> None:
    """The points, over the regions of the plane that the model gives to each class, by so many points across."""
    figure, axes = new_figure(5, 4.4)
    colours = [VERMILLION, BLUE, GREEN]
    (left, right), (low, high) = ((min(axis) - 0.4, max(axis) + 0.4) for axis in zip(*points, strict=True))
    xs, ys = (
        [start + (stop - start) * i / (across - 1) for i in range(across)]
        for start, stop in ((left, right), (low, high))
    )
    regions = [[class_of(row) for row in model.predict([[x, y] for x in xs])] for y in ys]
    for k in {k for row in regions for k in row}:  # each by itself: between 0 and 2 a contour would find a band of 1
        within = [[float(found == k) for found in row] for row in regions]
        axes.contourf(xs, ys, within, levels=[0.5, 1.5], colors=[colours[k]], alpha=0.25)
    for k, (colour, marker) in enumerate(zip(colours, "osD", strict=True)):
        of_class = [p for p, t in zip(points, targets, strict=True) if class_of(t) == k]
        if of_class:
            axes.scatter(*zip(*of_class, strict=True), color=colour, marker=marker, edgecolor=GREY, s=28)
    axes.set_aspect("equal")
    save_figure(figure, path)
    print(f"wrote {path}")


def main() -> None:
    print("Two moons: 2-16-16-1, ReLU, hinge loss with L2")
    model, _ = train_moons()
    plot(model, *moons(), "moons.svg")
    print("\nThree arms: 2-16-3, tanh, softmax cross-entropy")
    model, history = train_arms()
    print(f"{history!r}, accuracy {accuracy(model, *arms()):.0%}")
    plot(model, *arms(), "arms.svg")


def plot(model: nn.Module, points: list[Point], targets: list[list[float]], name: str) -> None:
    try:
        plot_regions(model, points, targets, Path("out") / name)
    except ImportError as error:
        print(error)


if __name__ == "__main__":
    raise SystemExit(program(main, "out"))
