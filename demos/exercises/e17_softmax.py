"""Exercise 17: g[2] for classification, which the derivation saves for later."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import engine
from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, close, is_error, near
from demos.exercises.text import number
from engine import Value, logsumexp

CASES: list[tuple[list[float], int]] = [
    ([1.2, -0.7, 0.4], 2), ([0.3, 1.7, -0.9, 0.85], 0), ([-1.4, 0.6, 2.3], 1), ([2.1, -0.35, 0.7, -1.6, 0.95], 3),
    ([1000.0, 1001.3, 998.6], 0), ([-1000.0, -1001.3, -998.6], 1), ([1000.0, -5.0, 3.0], 2),
]  # fmt: skip


def probes(seed: int) -> list[Probe]:
    return [
        {"part": part, "title": f"outputs {outputs}, target {target}", "outputs": outputs, "target": target, "place": i}
        for part in ("softmax_cross_entropy", "gradient")
        for i, (outputs, target) in enumerate(CASES)
    ]


def of(outputs: list[float], target: int) -> tuple[float, list[float]]:
    """The loss and its gradient, by the engine."""
    leaves = [Value(o, f"o{i + 1}") for i, o in enumerate(outputs)]
    E = logsumexp(leaves) - leaves[target]
    E.backward()
    return E.data, [leaf.grad or 0.0 for leaf in leaves]


def expected(probe: Probe) -> Answer:
    loss, gradient = of(probe["outputs"], probe["target"])
    return loss if probe["part"] == "softmax_cross_entropy" else gradient


def right(probe: Probe, answer: Answer) -> bool:
    if is_error(answer):
        return False
    true = expected(probe)
    if probe["part"] == "gradient":
        return (
            isinstance(answer, list)
            and len(answer) == len(true)
            and all(near(a, t, 1e-11, 1e-300) for a, t in zip(answer, true, strict=True))
        )
    return near(answer, true, 1e-11)


# -- the mistakes: what the loss would be, and the gradient

Loss = Callable[[list[float], int], float]
Gradient = Callable[[list[float], int], list[float]]


def softmax(o: list[float]) -> list[float]:
    exps = [math.exp(x - max(o)) for x in o]
    return [e / sum(exps) for e in exps]


def true_loss(o: list[float], t: int) -> float:
    return of(o, t)[0]


def true_gradient(o: list[float], t: int) -> list[float]:
    return of(o, t)[1]


def binary(o: list[float], t: int) -> float:
    p = softmax(o)
    return -math.log(p[t]) - sum(math.log(1 - each) for k, each in enumerate(p) if k != t)


def unnormalised(o: list[float], t: int) -> list[float]:
    return [math.exp(x) - (k == t) for k, x in enumerate(o)]


def shifted_only(o: list[float], t: int) -> list[float]:
    return [math.exp(x - max(o)) - (k == t) for k, x in enumerate(o)]


def beside(o: list[float], t: int) -> list[float]:
    """p - onehot(t), where there may be no such class."""
    return [p - (k == t) for k, p in enumerate(softmax(o))]


def next_loss(o: list[float], t: int) -> float:
    return true_loss(o, (t + 1) % len(o))


def next_gradient(o: list[float], t: int) -> list[float]:
    return beside(o, t + 1)


BEYOND: tuple[Any, ...] = (next_loss, next_gradient)  # which have no index for the last class


def model(*losses: Loss, gradients: tuple[Gradient, ...] = ()) -> dict[str, Any]:
    """One of these losses, of these gradients, each throughout or right; where the model fails, so may the answer."""

    def fits_one(function: Any, probe: Probe, answer: Answer) -> bool:
        if is_error(answer, "IndexError") and probe["target"] == len(probe["outputs"]) - 1:
            return function in BEYOND
        if is_error(answer):
            return bool(max(map(abs, probe["outputs"])) > 100)
        try:
            return close(answer, function(probe["outputs"], probe["target"]), 1e-9)
        except (ArithmeticError, ValueError):
            return True  # what comes of infinities is not looked at

    rows = {"softmax_cross_entropy": losses, "gradient": gradients}

    def fits(probe: Probe, answer: Answer) -> bool:
        return any(fits_one(function, probe, answer) for function in rows[probe["part"]])

    def also(trial: Trial) -> bool:
        for part, functions in rows.items():
            pairs = [(p, a) for p, a in zip(trial.probes, trial.answers, strict=True) if p["part"] == part]
            off = any(trial.probes[i]["part"] == part for i in trial.wrong)
            if off and not any(all(fits_one(function, p, a) for p, a in pairs) for function in functions):
                return False
        return any(not is_error(a) and not right(p, a) for p, a in zip(trial.probes, trial.answers, strict=True))

    return {"fits": fits, "also": also}


def overflow(probe: Probe, answer: Answer) -> bool:
    large = max(map(abs, probe["outputs"])) > 100
    odd = is_error(answer, "OverflowError", "ZeroDivisionError", "ValueError") or not finite(answer)
    return right(probe, answer) or (large and odd)


def finite(answer: Answer) -> bool:
    numbers = answer if isinstance(answer, list) else [answer]
    return all(type(x) in (int, float) and math.isfinite(x) for x in numbers)


def overflows(trial: Trial) -> bool:
    shifted = [i for i, p in enumerate(trial.probes) if p["place"] == 4]
    return any(i in trial.wrong for i in shifted) or any(is_error(a, "OverflowError") for a in trial.answers)


def log_of_0(probe: Probe, answer: Answer) -> bool:
    last = probe["place"] == len(CASES) - 1 and probe["part"] == "softmax_cross_entropy"
    undefined = is_error(answer, "ValueError") or not (is_error(answer) or finite(answer))
    return right(probe, answer) or (last and undefined)


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    true = expected(probe)
    if isinstance(true, list) and isinstance(answer, list):
        return probe["title"], [
            (f"∂E/∂o{i + 1}", number(a), number(t), "") for i, (a, t) in enumerate(zip(answer, true, strict=False))
        ]
    return probe["title"], [("E", number(answer), number(true), "")]


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import explained

    leaves = [Value(o, f"o{i + 1}") for i, o in enumerate(CASES[0][0])]
    E = -(engine.share([leaves[2], leaves[0], leaves[1]]).log())
    return explained(E, leaves[1])


EXERCISE = Exercise(
    name="softmax",
    idea="g[2] for classification",
    wanted=("softmax_cross_entropy", "gradient"),
    probes=probes,
    expected=expected,
    right=right,
    unit="number",
    introduces="nothing new",
    mistakes=[
        Mistake(
            "overflow",
            "exp(1000) is beyond the doubles. Subtract the largest output from all of them "
            "first: the probabilities are "
            "the same.",
            overflow,
            overflows,
        ),
        Mistake(
            "log-of-0",
            "The probability of the target is rounded to 0 there, and log(0) is undefined; the "
            "loss is 997. "
            "-log p is log Σ exp(o) - o_target: no quotient, no log of it.",
            log_of_0,
            lambda t: not overflows(t),
        ),
        Mistake(
            "no-log",
            "That is the probability itself, or one minus it; the loss is -log of the target's probability.",
            **model(lambda o, t: softmax(o)[t], lambda o, t: -softmax(o)[t], lambda o, t: 1 - softmax(o)[t]),
        ),
        Mistake(
            "sign",
            "The sign: log of a probability is negative, the loss is minus that; and its gradient is p - onehot.",
            **model(lambda o, t: -true_loss(o, t), gradients=(lambda o, t: [-g for g in true_gradient(o, t)],)),
        ),
        Mistake(
            "unnormalised",
            "exp(o) is not yet a probability: divide by the sum over all outputs.",
            **model(lambda o, t: -o[t], lambda o, t: max(o) - o[t], gradients=(unnormalised, shifted_only)),
        ),
        Mistake(
            "first-class",
            "The target is not looked at: the first class is taken each time.",
            **model(lambda o, t: true_loss(o, 0), gradients=(lambda o, t: true_gradient(o, 0),)),
        ),
        Mistake(
            "binary",
            "That adds -log(1 - p) of the other classes: the loss of K separate yes-no questions. "
            "Softmax asks one question; "
            "only the target's probability counts.",
            **model(binary),
        ),
        Mistake(
            "mean-over-classes",
            lambda t: (
                "Divided by the number of classes, "
                f"{'a third of it here' if t.probes[t.wrong[0]]['place'] == 0 else 'too small'}: it is one "
                "question, however many answers it has."
            ),
            **model(
                lambda o, t: true_loss(o, t) / len(o),
                gradients=(lambda o, t: [g / len(o) for g in true_gradient(o, t)],),
            ),
        ),
        Mistake(
            "shift-half",
            "The largest output was subtracted inside the sum alone: subtract it from "
            "o_target, too, or add it to the log.",
            **model(lambda o, t: true_loss(o, t) - max(o), lambda o, t: true_loss(o, t) + max(o)),
        ),
        Mistake(
            "log2",
            "That is in bits: log2. The loss, whose gradient is p - onehot, has the natural log.",
            **model(
                lambda o, t: true_loss(o, t) / math.log(2),
                gradients=(lambda o, t: [g / math.log(2) for g in true_gradient(o, t)],),
            ),
        ),
        Mistake(
            "onehot-off-by-one",
            "The class beside the target is taken: targets count from 0.",
            **model(
                lambda o, t: true_loss(o, t - 1),
                next_loss,
                gradients=(
                    lambda o, t: true_gradient(o, (t - 1) % len(o)),
                    lambda o, t: true_gradient(o, (t + 1) % len(o)),
                    lambda o, t: beside(o, t - 1),
                    next_gradient,
                ),
            ),
        ),
    ],
    hints=(
        "Turn outputs into probabilities: positive, and their sum is 1. How surprised is somebody who gave the "
        "target p?",
        "p_k = exp(o_k) / Σ exp(o); the loss is -log p_target; subtracting one number from all outputs changes no p.",
        "With m = max(o): the loss is m + log Σ exp(o - m) - o_target; its gradient is p, minus 1 at the target.",
        "The gradient, with one blank:  [p - (1.0 if k == ____ else 0.0) for k, p in enumerate(probabilities)]",
    ),
    after="These are the details that the derivation saves for later. Read now: logsumexp and share in "
    "engine/rules.py, and "
    "nn/losses.py, whose softmax_cross_entropy takes a one-hot target.",
    rows=rows,
    see=see,
    see_text="explain(E, o2)",
)
