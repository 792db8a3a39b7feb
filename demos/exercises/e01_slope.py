"""Exercise 1: f(x + ε) ≈ f(x) + ε f'(x), the first equation of the post on gradient descent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import engine
from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, is_error, near, number_of
from demos.exercises.text import number
from engine import Value

POINTS = [("x**3 - 2*x", 0.7), ("sin(3*x)", -1.1), ("exp(x)", -30.0), ("x**2", 1e6), ("x**2", 0.0)]
CUBIC, LARGE, BOTTOM = 0, 3, 4  # places among them
EPSILONS = (0.04, 0.02)
CALLS = 4
NAMES: dict[str, Any] = {"sin": engine.sin, "exp": engine.exp}


def probes(seed: int) -> list[Probe]:
    slopes = [{"part": "slope", "title": f"{f} at x = {x:g}", "f": f, "x": x} for f, x in POINTS]
    f, x = POINTS[CUBIC]
    return [*slopes, {"part": "guess", "title": f"{f} at x = {x:g}", "f": f, "x": x, "eps": EPSILONS}]


def at(formula: str, x: float) -> Value:
    """The formula's value, over an x that is .inputs' leaf called x."""
    return eval(formula, NAMES | {"x": Value(x, "x")})  # type: ignore[no-any-return]


def true_slope(formula: str, x: float) -> float:
    leaf = Value(x)
    eval(formula, NAMES | {"x": leaf}).backward()
    assert leaf.grad is not None
    return leaf.grad


def expected(probe: Probe) -> Answer:
    slope = true_slope(probe["f"], probe["x"])
    if probe["part"] == "slope":
        return slope
    return [at(probe["f"], probe["x"]).data + eps * slope for eps in probe["eps"]]


def right(probe: Probe, answer: Answer) -> bool:
    if is_error(answer) or not isinstance(answer, dict):
        return False
    if probe["part"] == "slope":
        return near(answer["value"], expected(probe), 1e-7, 1e-12) and len(answer["points"]) <= CALLS
    errors = guess_errors(probe, answer)
    return errors is not None and errors[1] != 0 and 3.9 < errors[0] / errors[1] < 4.1


def guess_errors(probe: Probe, answer: Answer) -> list[float] | None:
    numbers = [number_of(value) for value in answer["value"]] if isinstance(answer["value"], list) else []
    if len(numbers) != 2 or None in numbers:
        return None
    return [g - at(probe["f"], probe["x"] + eps).data for g, eps in zip(numbers, probe["eps"], strict=True)]  # type: ignore[operator]


# -- the mistakes, read off the points at which f was called


class Method:
    """How a slope was computed: the points, and the difference quotients that can be made of them."""

    def __init__(self, probe: Probe, answer: Answer) -> None:
        self.x, self.value = probe["x"], number_of(answer.get("value"))
        self.points = [(p, f) for p, f in answer.get("points", []) if number_of(p) is not None]
        self.h = max((abs(p - self.x) for p, _ in self.points), default=0.0)
        self.one_sided = (
            any(p == self.x for p, _ in self.points) and self.h > 0 and len({p for p, _ in self.points}) == 2
        )

    @property
    def both_sides(self) -> bool:
        return bool(self.points) and min(self.points)[0] < self.x < max(self.points)[0]

    def forward(self) -> float:
        (f0,) = {f for p, f in self.points if p == self.x}
        p, f1 = next((p, f) for p, f in self.points if p != self.x)
        return float((f1 - f0) / (p - self.x))

    def central(self) -> float:
        low, high = min(self.points), max(self.points)
        return float((high[1] - low[1]) / (high[0] - low[0])) if high[0] != low[0] else 0.0


def methods(trial: Trial) -> list[Method]:
    found = []
    for probe, answer in zip(trial.probes, trial.answers, strict=True):
        if probe["part"] == "slope" and isinstance(answer, dict) and "points" in answer:
            found.append(Method(probe, answer))
    return found


def of_slope(test: Callable[[list[Method]], bool]) -> dict[str, Any]:
    """A row about slope: any answer of slope may be off; a guess is made of the slope that it calls."""

    def fits(probe: Probe, answer: Answer) -> bool:
        return not is_error(answer)

    def also(trial: Trial) -> bool:
        found = methods(trial)
        off = {trial.probes[i]["part"] for i in trial.wrong}
        if "slope" not in off or len(found) != len(POINTS) or any(each.value is None for each in found):
            return False
        return test(found) and ("guess" not in off or guess_follows(trial, found[CUBIC].value or 0.0))

    return {"fits": fits, "also": also}


def guess_follows(trial: Trial, slope: float) -> bool:
    probe, answer = trial.probes[-1], trial.answers[-1]
    f = at(probe["f"], probe["x"]).data
    return all(near(g, f + eps * slope, 1e-6) for g, eps in zip(answer["value"], probe["eps"], strict=True))


def agree(x: float, y: float, tolerance: float = 0.02) -> bool:
    return abs(x - y) <= tolerance * max(abs(x), abs(y)) + 1e-12


def forward(found: list[Method]) -> bool:
    return found[BOTTOM].one_sided and all(agree(m.value or 0, m.forward()) for m in found if m.one_sided)


def no_2(found: list[Method]) -> bool:
    first = found[CUBIC]
    return first.both_sides and first.h > 1e-9 and agree(first.value or 0, 2 * first.central())


def two_sided(m: Method) -> bool:
    return (m.both_sides or m.h < 1e-12) and (
        m.h < 1e-12 or agree(m.value or 0, m.central(), 0.3 if m.h < 1e-9 else 0.02)
    )


def wide(found: list[Method]) -> bool:
    return two_sided(found[CUBIC]) and found[CUBIC].h > 1e-4 and not near(found[CUBIC].value, -0.53, 1e-7)


def narrow(found: list[Method]) -> bool:
    return two_sided(found[CUBIC]) and found[CUBIC].h < 3e-9 and not found[BOTTOM].one_sided


def unscaled(found: list[Method]) -> bool:
    small, large = found[CUBIC], found[LARGE]
    same = abs(small.h - large.h) < 0.1 * small.h
    return (
        two_sided(small) and small.h >= 3e-9 and near(small.value, -0.53, 1e-7) and same
        and not near(large.value, 2e6, 1e-7)
    )  # fmt: skip


def no_f(probe: Probe, answer: Answer) -> bool:
    if probe["part"] != "guess" or is_error(answer):
        return False
    slope = true_slope(probe["f"], probe["x"])
    values = answer["value"]
    return isinstance(values, list) and all(
        near(g, eps * slope, 1e-5) for g, eps in zip(values, probe["eps"], strict=True)
    )


def peeked(probe: Probe, answer: Answer) -> bool:
    return probe["part"] == "guess" and not is_error(answer) and guess_errors(probe, answer) == [0.0, 0.0]


# -- sentences


def h_at(place: int, trial: Trial) -> str:
    return number(methods(trial)[place].h)


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    if is_error(answer):
        return probe["title"], []
    if probe["part"] == "guess":
        pairs = zip(answer["value"], expected(probe), probe["eps"], strict=True)
        return probe["title"], [(f"guess at ε = {eps}", number(a), number(e), "") for a, e, eps in pairs]
    value, true = answer["value"], expected(probe)
    off = f"off by {abs(value - true):.1e}" if number_of(value) is not None else "no number"
    table = [(f"slope of {probe['title']}", f"{value!r:.12}", f"{true:.10g}", off)]
    return "", table


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    if probe["part"] == "slope" and len(answer["points"]) > CALLS:
        return f"f was called {len(answer['points'])} times; {CALLS} calls suffice for seven digits."
    if probe["part"] == "guess":
        return (
            "Halve ε, and the error of the guess should fall by four; yours doesn't. The right side is f(x) + ε f'(x)."
        )
    return f"The slope of {probe['title']} is {number(expected(probe))}; yours is {number(answer['value'])}."


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import tangent

    return tangent()


EXERCISE = Exercise(
    name="slope",
    idea="f(x + ε) ≈ f(x) + ε f'(x), for small ε",
    wanted=("slope", "guess"),
    probes=probes,
    expected=expected,
    right=right,
    unit="probe",
    introduces="functions",
    mistakes=[
        Mistake("forward", lambda t: "At the bottom of x² the slope is 0; yours is "
                                     f"{number(methods(t)[BOTTOM].value)}, your h. "
                "One side only: use both, f(x+h) - f(x-h).", **of_slope(forward)),
        Mistake("no-2", "Twice too big: the two points are 2h apart.", **of_slope(no_2)),
        Mistake("wide", lambda t: f"x³ - 2x at 0.7: off by {abs((methods(t)[CUBIC].value or 0) + 0.53):.1e}, "
                                  "which is your h² "
                f"with h = {h_at(CUBIC, t)}. h is too wide.", **of_slope(wide)),
        Mistake("narrow", lambda t: f"With h = {h_at(CUBIC, t)}, x + h and x are nearly the same double; the "
                                    "difference is rounding "
                "noise.", **of_slope(narrow)),
        Mistake("unscaled", lambda t: f"Near x = 10⁶ the doubles x² are {math.ulp(1e12):.0e} apart, and x + h "
                                      "itself is rounded: "
                f"with h = {h_at(LARGE, t)} {abs((methods(t)[LARGE].value or 0) / 2e6 - 1):.0e} of the slope is "
                "noise. Let h grow with x.",
                **of_slope(unscaled)),
        Mistake("no-f", "That is the change, ε f'(x); the value is f(x) plus it.", no_f),
        Mistake("peeked", "The error of your guess is exactly 0: it calls f at x + ε. A guess knows only f and "
                          "its slope at x.",
                peeked),
    ],
    hints=(
        "Rise over run: how much does f change, for a small change of x?",
        "Look both ways, a step h to the right and one to the left: the errors of the two sides cancel.",
        "slope is (f(x+h) - f(x-h)) / (2h), with an h that is neither wide nor lost in rounding; guess is f(x) + "
        "ε f'(x).",
        "A good step is about the cube root of the double's precision:  h = 6e-6 * max(1.0, abs(x))",
    ),
    after="This is the oracle for everything below: slow, never quite exact, never wrong by a sign. Read now: "
          "gradcheck in "
    "engine/nudge.py, which nudges every leaf of a graph like this.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text='stepgrad check "x**3 - 2*x" x=0.7',
)  # fmt: skip
