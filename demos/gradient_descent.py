"""Gradient descent, in one variable and in many: step against the derivative, down into a hollow.

The functions are written once and read twice, over floats to plot them and over Values to have their slopes.
The picture goes to out/gradient_descent.svg. Next: worked_example.py, where the function is a network's error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from demos.plots import BLUE, GREY, VERMILLION, new_figure, save_figure
from demos.program import program
from engine import Value, cos, derivative

X_START = (-0.95, 0.15)  # either side of the hill at -0.4
POINT_START = ([-0.75, 2.6], [-0.15, -2.3])
RATE = 0.13  # ε
STEPS, POINT_STEPS = 80, 500
PICTURE = Path("out/gradient_descent.svg")
END = {"marker": "o", "markersize": 8, "linestyle": ""}
START = END | {"fillstyle": "none", "markeredgewidth": 1.6}


def f(x: Any) -> Any:
    """A hilly function of one variable, of a float or of a Value."""
    return 0.14 * x**2 + cos(1.7 * x + 0.6)


def f_of_many(x: Sequence[Any]) -> Any:
    """f along a valley that bends: its hollows are f's, at x2 = 0.45 x1² - 0.8."""
    return f(x[0]) + 0.35 * (x[1] - 0.45 * x[0] ** 2 + 0.8) ** 2


# -- the derivative, and what it says about nearby points


def slope(f: Callable[[Any], Any], x: float) -> float:
    """f'(x), by the engine: the derivative of the graph of f(x), here as a number.

    >>> slope(lambda x: x**3, 1.5)
    6.75
    """
    node = Value(x)
    return derivative(f(node), node).data


def nabla(f: Callable[[Sequence[Any]], Any], x: Sequence[float]) -> list[float]:
    """∇f(x) = (∂f/∂x1, …, ∂f/∂xn), all by one backward pass; 0 where f doesn't depend on one.

    >>> nabla(lambda x: x[0] ** 2 * x[1], [1.5, 4.0])
    [12.0, 2.25]
    """
    point = [Value(xi) for xi in x]
    f(point).backward()
    return [xi.grad or 0.0 for xi in point]


def linear_approximation(f: Callable[[Any], Any], x: float, epsilon: float) -> float:
    """f(x) + ε f'(x) ≈ f(x + ε): the tangent. What it leaves out is about ½ ε² f''(x), a quarter when ε halves."""
    return float(f(x) + epsilon * slope(f, x))


def approximation_errors(f: Callable[[Any], Any], x: float, epsilons: Sequence[float]) -> list[float]:
    """f(x + ε) - (f(x) + ε f'(x)), for each ε."""
    return [float(f(x + epsilon)) - linear_approximation(f, x, epsilon) for epsilon in epsilons]


# -- descent: x' = x - ε ∇f(x), where ε is now the learning rate


def descend(f: Callable[[Any], Any], x: float, rate: float = RATE, steps: int = STEPS) -> list[float]:
    """The univariate case, x' = x - ε f'(x): the steps + 1 numbers from x down to (nearly) a local minimum."""
    path = [x]
    for _ in range(steps):
        path.append(path[-1] - rate * slope(f, path[-1]))
    return path


def descend_in_many(
    f: Callable[[Sequence[Any]], Any], x: Sequence[float], rate: float = RATE, steps: int = POINT_STEPS
) -> list[list[float]]:
    """The multivariate case, x' = x - ε ∇f(x): the steps + 1 points."""
    path = [list(x)]
    for _ in range(steps):
        gradient = nabla(f, path[-1])
        path.append([xi - rate * slope for xi, slope in zip(path[-1], gradient, strict=True)])
    return path


# -- the picture


def picture(path: str | Path = PICTURE) -> Path:
    """Draws both pairs of paths over their functions, as SVG. Raises ImportError without matplotlib, OSError."""
    figure, (line, plane) = new_figure(9.6, 4.0, ncols=2)
    grid = [i / 20 for i in range(-64, 65)]
    line.plot(grid, [f(x) for x in grid], color=GREY, linewidth=1.2)
    line.set(xlabel="x", ylabel="f(x)")
    heights = [[f_of_many([x, y]) for x in grid] for y in grid]
    lowest = min(map(min, heights))
    levels = [lowest + 0.05 + 0.012 * i**2 for i in range(20)]  # closer together at the bottom, as the hollows are flat
    plane.contour(grid, grid, heights, levels=levels, colors=GREY, linewidths=0.6, linestyles="solid", alpha=0.7)
    plane.set(xlabel="x1", ylabel="x2", aspect="equal")
    for name, look in (("start", START), ("minimum", END)):
        line.plot([], [], color=GREY, label=name, **look)
    line.legend(loc="upper center", ncols=2, frameon=False)
    for x, point, color in zip(X_START, POINT_START, (BLUE, VERMILLION), strict=True):
        xs = descend(f, x)
        _draw(line, xs, [f(x) for x in xs], color)
        x1s, x2s = zip(*descend_in_many(f_of_many, point), strict=True)
        _draw(plane, x1s, x2s, color)
    return save_figure(figure, path)


def _draw(axes: Any, xs: Sequence[float], ys: Sequence[float], color: str) -> None:
    axes.plot(xs, ys, color=color, linewidth=1.4, marker=".", markersize=5, markevery=slice(60))
    axes.plot(xs[0], ys[0], color=color, **START)
    axes.plot(xs[-1], ys[-1], color=color, **END)


# -- the report


def print_approximation(x: float = 0.7) -> None:
    print(f"f(x) = 0.14 x² + cos(1.7 x + 0.6), and its tangent at x = {x}: f(x + ε) ≈ f(x) + ε f'(x)\n")
    print(f"{'ε':>12}{'f(x + ε)':>14}{'the tangent':>14}{'its error':>16}{'falls by':>12}")
    epsilons = [0.6 / 2**i for i in range(9)]
    errors = approximation_errors(f, x, epsilons)
    for epsilon, error, before in zip(epsilons, errors, [None, *errors], strict=False):
        falls = f"{before / error:12.4f}" if before else ""
        print(f"{epsilon:12.7f}{f(x + epsilon):14.9f}{linear_approximation(f, x, epsilon):14.9f}{error:16.4e}{falls}")


def print_descent() -> None:
    print(f"\nx' = x - ε f'(x), ε = {RATE}, from either side of a hill\n")
    paths = [descend(f, x) for x in X_START]
    print(f"{'step':>8}" + f"{'x':>14}{'f(x)':>14}" * 2)
    for step in (0, 1, 2, 3, 5, 8, 13, 21, STEPS):
        print(f"{step:8}" + "".join(f"{path[step]:14.6f}{f(path[step]):14.6f}" for path in paths))
    flat = all(abs(slope(f, path[-1])) < 1e-12 for path in paths)
    print(f"\nTwo local minima; f' is 0 there, to 12 digits: {flat}")


def print_descent_in_many() -> None:
    print(f"\nx' = x - ε ∇f(x), for f(x1, x2) = f(x1) + 0.35 (x2 - 0.45 x1² + 0.8)², ε = {RATE}\n")
    paths = [descend_in_many(f_of_many, point) for point in POINT_START]
    print(f"{'step':>8}" + f"{'x1':>11}{'x2':>11}{'f(x)':>11}" * 2)
    for step in (0, 1, 2, 5, 10, 20, 50, 100, POINT_STEPS):
        points = [path[step] for path in paths]
        print(f"{step:8}" + "".join(f"{x1:11.6f}{x2:11.6f}{f_of_many([x1, x2]):11.6f}" for x1, x2 in points))


def main() -> None:
    print_approximation()
    print_descent()
    print_descent_in_many()
    try:
        print(f"\nBoth pairs of paths, drawn over their functions: {picture()}")
    except ImportError as error:
        print(f"\n{error}")


if __name__ == "__main__":
    raise SystemExit(program(main, "out"))
