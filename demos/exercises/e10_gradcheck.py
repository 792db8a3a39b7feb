"""Exercise 10: a check that can fail."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import engine
from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, is_error, throughout
from demos.exercises.text import number
from engine import Value

NAMES: dict[str, Any] = {name: getattr(engine, name) for name in ("sin", "exp", "tanh")} | {"abs": abs}


class Case(NamedTuple):
    """A function of three leaves, where, and what is claimed: by leaf, the true gradient or another."""

    name: str
    formula: str
    leaves: tuple[float, ...]
    wrong: Callable[[tuple[float, ...], list[float]], list[float]] | None = None


X = (0.7, -1.3, 0.45)
CASES = [
    Case("gradients of a million", "1e6 * (sin(x[0]) * x[1] + x[2] * x[0])", X),
    Case("gradients of 1e-9", "1e-9 * (sin(x[0]) * x[1] + x[2] * x[0])", X),
    Case("a kink 1e-3 away", "abs(x[0] - 0.699) + x[1] * x[2] + 0.3 * x[0]", X),
    Case("all linear", "1.7 * x[0] - 0.6 * x[1] + 2.3 * x[2]", X),
    Case("sub with the wrong sign", "x[0] * x[2] - 3.7 * x[1]", X, lambda x, g: [g[0], -g[1], g[2]]),
    Case("= for +=", "x[0] * x[1] + x[0] * x[0] * x[2]", X, lambda x, g: [g[0] - x[1], *g[1:]]),
    Case("tanh' as 1 - x²", "tanh(x[0]) * 2.7 + x[1] * x[2]", X, lambda x, g: [2.7 * (1 - x[0] ** 2), *g[1:]]),
    Case("one leaf off by 1e-4", "x[0] * sin(x[1]) + x[1] * x[2]", X, lambda x, g: [g[0], g[1] * 1.0001, g[2]]),
    Case("the last leaf", "sin(x[0]) + x[1] * sin(x[2])", X, lambda x, g: [*g[:2], g[2] * 0.83]),
    Case("zero for exp", "exp(x[0])", (-21.0,), lambda x, g: [0.0]),
]  # fmt: skip
OFF, EXP, MILLION = 7, 9, 0


@cache
def true_gradient(case: int) -> list[float]:
    leaves = [Value(x) for x in CASES[case].leaves]
    eval(CASES[case].formula, NAMES | {"x": leaves}).backward()
    return [leaf.grad or 0.0 for leaf in leaves]


def claimed(case: int) -> list[float]:
    wrong = CASES[case].wrong
    return wrong(CASES[case].leaves, true_gradient(case)) if wrong else true_gradient(case)


def probes(seed: int) -> list[Probe]:
    return [
        {
            "part": "check",
            "title": case.name,
            "case": i,
            "f": case.formula,
            "leaves": list(case.leaves),
            "gradients": claimed(i),
        }
        for i, case in enumerate(CASES)
    ]


def truth(case: int) -> bool:
    return CASES[case].wrong is None


def expected(probe: Probe) -> Answer:
    return {"accepts": truth(probe["case"]), "leaves": probe["leaves"]}


def right(probe: Probe, answer: Answer) -> bool:
    return verdict(answer) is truth(probe["case"]) and answer["leaves"] == probe["leaves"]


def verdict(answer: Answer) -> bool | None:
    if is_error(answer) or not isinstance(answer, dict):
        return None
    return answer["accepts"] if type(answer["accepts"]) is bool else None


# -- the mistakes: which of the ten are accepted


def accepts(*models: Callable[[int], bool | None]) -> dict[str, Any]:
    """Fits where one model gives all ten verdicts; None where either will do. The leaves are left as they were."""

    def model_fits(model: Callable[[int], bool | None], probe: Probe, answer: Answer) -> bool:
        said = verdict(answer)
        return said is not None and answer["leaves"] == probe["leaves"] and model(probe["case"]) in (said, None)

    tests = [partial(model_fits, model) for model in models]
    return {"fits": lambda p, a: any(test(p, a) for test in tests), "also": lambda trial: throughout(trial, *tests)}


def by_leaf(test: Callable[[float, float], bool]) -> Callable[[int], bool | None]:
    """Accepted if the test accepts every leaf: the true derivative, the claimed one."""
    return lambda case: all(map(test, true_gradient(case), claimed(case)))


def loose(case: int) -> bool:
    return truth(case) or case == OFF


def absolute(case: int) -> bool | None:
    return True if case == EXP else None if case in (MILLION, OFF) else truth(case)


def first_leaf(case: int) -> bool:
    return math.isclose(true_gradient(case)[0], claimed(case)[0], rel_tol=1e-9)


def sign_only(case: int) -> bool | None:
    return None if case == EXP else all(t * c > 0 for t, c in zip(true_gradient(case), claimed(case), strict=True))


def not_above(true: float, claim: float) -> bool:
    return claim - true <= 1e-9 * abs(true)


def not_below(true: float, claim: float) -> bool:
    return true - claim <= 1e-9 * abs(true)


def not_restored(probe: Probe, answer: Answer) -> bool:
    return verdict(answer) is truth(probe["case"])


def step(trial: Trial) -> float:
    """The largest step in the linear case, read off the points at which f was called."""
    answer = trial.answers[3]
    if is_error(answer):
        return 1.0
    return max(
        (abs(a - b) for point in answer["points"] for a, b in zip(point, CASES[3].leaves, strict=False)), default=1.0
    )


def noise(probe: Probe, answer: Answer) -> bool:
    return (
        verdict(answer) is not None
        and (truth(probe["case"]) or verdict(answer) is False)
        and answer["leaves"] == probe["leaves"]
    )


def changed(trial: Trial) -> str:
    for probe, answer in zip(trial.probes, trial.answers, strict=True):
        if not is_error(answer):
            for before, after in zip(probe["leaves"], answer["leaves"], strict=True):
                if before != after:
                    return (
                        f"x is {after!r} afterwards, and was {before!r}: adding h and taking it away again is "
                        "rounded twice. Put the stored number back."
                    )
    return ""


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    if verdict(answer) is None:
        return f"check returns True or False; yours returned {answer['accepts']!r} for {probe['title']}."
    if truth(probe["case"]) is verdict(answer):
        return changed(trial)
    if truth(probe["case"]):
        return f"Yours rejects gradients that are right: {probe['title']}."
    return f"Yours accepts gradients that are wrong: {probe['title']}."


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    said = {True: "accepted", False: "rejected", None: "error"}
    return "", [
        (
            probe["title"],
            said[verdict(answer)],
            said[truth(probe["case"])],
            "ok" if exercise_right(probe, answer) else "off",
        )
        for probe, answer in zip(trial.probes, trial.answers, strict=True)
    ]


def exercise_right(probe: Probe, answer: Answer) -> bool:
    return verdict(answer) is truth(probe["case"])


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import wrong_row

    return wrong_row()


EXERCISE = Exercise(
    name="gradcheck",
    idea="a check that can fail",
    wanted=("check",),
    probes=probes,
    expected=expected,
    right=right,
    unit="claim",
    introduces="bool checks",
    mistakes=[
        Mistake(
            "always-true",
            "Yours accepts everything. A check that can't fail is worse than none.",
            **accepts(lambda case: True),
        ),
        Mistake(
            "always-false",
            "Yours rejects everything, also the true gradients.",
            lambda p, a: verdict(a) is False,
            lambda t: step(t) >= 1e-8 and all(verdict(a) is False for a in t.answers),
        ),
        Mistake(
            "loose",
            "Yours accepts a gradient that is off by 1e-4; so do graders with a tolerance of 1e-2. "
            "Seven digits can be "
            "had: ask for five.",
            **accepts(loose),
        ),
        Mistake(
            "absolute",
            lambda t: (
                "Yours accepts 0 for exp at -21, where the slope is "
                f"{number(true_gradient(EXP)[0])}: a fixed tolerance "
                "means nothing beside a small number. Compare relative to the numeric one."
            ),
            **accepts(absolute),
        ),
        Mistake(
            "first-leaf",
            "Only the first leaf is checked: what is wrong in the others is accepted. Does the "
            "loop return in its first "
            "round?",
            **accepts(first_leaf),
        ),
        Mistake(
            "sign-only",
            "Only signs are compared: a gradient of the right sign and the wrong size is accepted.",
            **accepts(sign_only),
        ),
        Mistake(
            "no-abs",
            "Gradients that err in one direction are accepted: the difference is compared without abs().",
            **accepts(by_leaf(not_above), by_leaf(not_below)),
        ),
        Mistake("not-restored", changed, not_restored),
        Mistake(
            "noise",
            lambda t: (
                f"With a step of {number(step(t))} the difference of two nearly equal numbers "
                "is rounding noise, and true "
                "gradients are rejected."
            ),
            noise,
            lambda t: step(t) < 1e-8,
        ),
    ],
    hints=(
        "Exercise 1 measures a slope without any calculus. Here there are several leaves, and somebody's claim.",
        "Nudge one leaf at a time, the others as they are; compare the slope with the claim for that leaf.",
        "h = 6e-6 · max(1, |x|); numeric = (f up - f down) / (2h); |numeric - claim| at most 1e-5 of |numeric|; "
        "then the stored "
        "number back into its place.",
        "The comparison, with one blank:  if not abs(numeric - claim) <= 1e-5 * max(____, 1e-12): return False",
    ),
    after="The best-known graders accept wrong gradients; yours doesn't. Read now: gradcheck in engine/nudge.py, "
    "which checks each edge, "
    "too, and so says which row is wrong.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text="gradcheck(E)",
)
