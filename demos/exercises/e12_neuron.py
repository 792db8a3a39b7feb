"""Exercise 12: Σ w·x + b, and an activation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, close, is_error
from demos.exercises.text import number

X, W, B = [0.6, -1.1, 1.7], [0.45, 0.9, -0.35], 0.21


def probes(seed: int) -> list[Probe]:
    numbers = {"x": X, "parameters": [*W, B]}
    return [
        {"part": "value", "title": f"a neuron with w = {W}, b = {B} at x = {X}", **numbers},
        {"part": "refuses", "title": "2 inputs for 3 weights", "x": X[:2]},
        {"part": "random", "title": "two neurons from one Random(3), and another from a new one"},
    ]


def after(activated: bool = True, bias: bool = True) -> tuple[float, list[float]]:
    s = sum(w * x for w, x in zip(W, X, strict=True)) + B * bias
    z = math.tanh(s) if activated else s
    slope = 1 - z * z if activated else 1.0
    return z, [*(slope * x for x in X), *([slope] if bias else [])]


def expected(probe: Probe) -> Answer:
    if probe["part"] == "value":
        value, gradients = after()
        return {"count": 4, "distinct": 4, "hidden": 0, "value": value, "gradients": gradients}
    return None


def right(probe: Probe, answer: Answer) -> bool:
    if is_error(answer):
        return False
    match probe["part"]:
        case "value":
            return close(answer, expected(probe), 1e-12)
        case "refuses":
            return refused(answer)
        case _:
            return not equal_weights(answer) and answer[0] == answer[2]


def refused(answer: Answer) -> bool:
    return (
        isinstance(answer, dict)
        and answer["refused"] not in ("", "NotImplementedError")
        and "2" in answer["says"]
        and "3" in answer["says"]
    )


def equal_weights(answer: Answer) -> bool:
    """All weights of a neuron the same, or those of both neurons."""
    first, second = answer[0][:3], answer[1][:3]
    return len(set(map(str, first))) == 1 or first == second


def value(test: Callable[[dict[str, Any]], bool], also_random: bool = False) -> Callable[[Probe, Answer], bool]:
    def fits(probe: Probe, answer: Answer) -> bool:
        if probe["part"] == "random":
            return also_random
        return probe["part"] == "value" and not is_error(answer) and test(answer)

    return fits


def no_bias(answer: dict[str, Any]) -> bool:
    if not close(answer["value"], after(bias=False)[0]):
        return False
    return bool((answer["count"] == 3 and answer["hidden"] == 0) or answer["count"] == answer["distinct"] == 4)


def bias_not_listed(answer: dict[str, Any]) -> bool:
    return answer["count"] == answer["distinct"] == 3 and not no_bias(answer)


def aliased(answer: dict[str, Any]) -> bool:
    return bool(answer["distinct"] < answer["count"])


def is_aliased(answer: Answer) -> bool:
    return not is_error(answer) and aliased(answer)


def data_cut(answer: dict[str, Any]) -> bool:
    return (
        answer["count"] == answer["distinct"] == 4
        and close(answer["value"], after()[0])
        and None in answer["gradients"][:3]
    )


def no_activation(answer: dict[str, Any]) -> bool:
    value, gradients = after(activated=False)
    return close(answer["value"], value) and close(answer["gradients"], gradients)


def zip_short(probe: Probe, answer: Answer) -> bool:
    return probe["part"] == "refuses" and isinstance(answer, dict) and answer.get("refused") == ""


def same_seed(probe: Probe, answer: Answer) -> bool:
    return probe["part"] == "random" and not is_error(answer) and equal_weights(answer)


def aliased_gradient(trial: Trial) -> str:
    answer = trial.answer("value")
    slope = answer["gradients"][0] if not is_error(answer) else None
    return (
        f"w1, w2, w3 are one node: ∂E/∂w1 comes out as the sum, {number(slope)}. [Value(…)] * n has n times "
        "the same Value."
    )


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    if probe["part"] == "refuses":
        return f"2 inputs for 3 weights are refused, with both numbers in the message; yours says {answer['says']!r}."
    if probe["part"] == "random":
        return "The same Random gives the same weights: draw them from the one that is passed, each anew."
    names = {"count": "parameters() has", "value": "the value is"}
    key = next(k for k, v in expected(probe).items() if not close(answer.get(k), v, 1e-12))
    if key == "gradients":
        return "The value is right; a gradient isn't. parameters() gives w1, w2, w3, b in this order."
    return f"First off, {names.get(key, key)} {number(answer.get(key))}; right is {number(expected(probe)[key])}."


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import neuron

    return neuron(aliased=id == "aliased")


EXERCISE = Exercise(
    name="neuron",
    idea="Σ w·x + b",
    wanted=("Neuron",),
    probes=probes,
    expected=expected,
    right=right,
    unit="property",
    introduces="Value, random, total",
    allows=("engine",),
    mistakes=[
        Mistake(
            "zip",
            "3 weights, 2 inputs: zip stops at the shorter, and a weight is dropped without a word. "
            "Raise a ValueError with both "
            "numbers.",
            zip_short,
        ),
        Mistake(
            "no-bias", "The bias is missing: at x = 0 such a neuron can say nothing but activation(0).", value(no_bias)
        ),
        Mistake(
            "bias-not-listed",
            "parameters() leaves the bias out: nobody updates it, and after training b is what it was.",
            value(bias_not_listed),
        ),
        Mistake("aliased", aliased_gradient, value(aliased, also_random=True), lambda t: is_aliased(t.answer("value"))),
        Mistake(
            "data-cut",
            "The number is right, and the graph ends at the neuron: ∂E/∂w is None. w.data is a "
            "plain number; write w * x.",
            value(data_cut),
        ),
        Mistake("no-activation", "That is Σ w·x + b; the activation comes after it.", value(no_activation)),
        Mistake(
            "same-seed",
            "All weights are equal: the generator is seeded anew for each. Draw them one after "
            "another from the one that is "
            "passed.",
            same_seed,
        ),
    ],
    hints=(
        "A neuron holds one weight for each input and a bias: leaves of a graph that is built anew at each call.",
        "Draw each weight from `random`; calling the neuron makes Σ w·x + b with the engine's total, then the "
        "activation.",
        "Each w is a Value of its own; zip(self.w, x) stops at the shorter, so compare the lengths first; "
        "parameters() is "
        "w1, w2, w3, b.",
        "The sum, before the activation:  total([w * xi for w, xi in zip(self.w, x)] + [self.b])",
    ),
    after="nn's Neuron returns a list and takes the activation's name. Read now: Neuron in nn/networks.py, and "
    "why its weights are drawn "
    "from ±√(3/inputs).",
    fallback=fallback,
    see=see,
    see_text="draw(neuron([…]))",
)
