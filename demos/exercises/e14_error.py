"""Exercise 14: E = 1/(M K) Σ_m ½ Σ_k (y_k - t_k)², from (11), (15) and (16) of the derivation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, close, is_error, near
from demos.exercises.text import number
from engine import Value, total

Y = [[0.31, -0.47, 0.83], [-0.62, 0.19, 0.54], [0.77, -0.28, -0.91], [0.43, 0.66, -0.13], [-0.85, 0.37, 0.22]]
T = [[0.58, -0.11, 0.34], [-0.26, 0.71, 0.97], [0.15, -0.83, -0.52], [0.89, 0.24, -0.67], [-0.33, -0.18, 0.79]]
M, K = len(T), len(T[0])


def probes(seed: int) -> list[Probe]:
    return [
        {"part": "error", "title": f"{M} samples of {K}", "Y": Y, "T": T},
        {"part": "shapes", "title": "5 samples and 4 targets", "Y": Y, "T": T[:-1]},
        {"part": "shapes", "title": "3 outputs and 2 targets", "Y": Y, "T": [row[:2] for row in T]},
    ]


# -- each a formula over Values, so that its gradients are known, too

Rows = list[list[Value]]


def halves(Y: Rows) -> list[list[Value]]:
    return [[(y - t) ** 2 * 0.5 for y, t in zip(ys, ts, strict=True)] for ys, ts in zip(Y, T, strict=True)]


def sums(Y: Rows) -> list[Value]:
    return [total(row) for row in halves(Y)]


def mean(Y: Rows) -> Value:
    return total(sums(Y)) * (1 / (M * K))


def scaled(factor: float) -> Callable[[Rows], Value]:
    return lambda Y: mean(Y) * factor


def differences(Y: Rows) -> list[list[Value]]:
    return [[y - t for y, t in zip(ys, ts, strict=True)] for ys, ts in zip(Y, T, strict=True)]


def over_all(power: Callable[[Value], Value], factor: float) -> Callable[[Rows], Value]:
    return lambda Y: total([power(d) for row in differences(Y) for d in row]) * (factor / (M * K))


def flat(Y: Rows) -> Value:
    every, targets = [y for row in Y for y in row], [t for row in T for t in row]
    return total([(y - t) ** 2 for y in every for t in targets]) * (0.5 / len(every) ** 2)


def one_sample(place: int) -> list[Callable[[Rows], Value]]:
    return [lambda Y, f=f: sums(Y)[place] * f for f in (1 / (M * K), 1 / K, 1 / M, 1.0)]  # type: ignore[misc]


FORMULAS: dict[str, list[Callable[[Rows], Value]]] = {
    "right": [mean],
    "no-half": [scaled(2)],
    "no-K": [scaled(K)],
    "no-M": [scaled(M)],
    "neither": [scaled(M * K)],
    "half-forgotten-no-K": [scaled(2 * K)],
    "no-square": [over_all(lambda d: d, 0.5), over_all(lambda d: d, 1.0), over_all(lambda d: -d, 0.5)],
    "abs": [over_all(abs, 0.5), over_all(abs, 1.0)],
    "square-of-sum": [
        lambda Y: total([total(row) ** 2 for row in differences(Y)]) * (0.5 / (M * K)),
        lambda Y: total([total(row) ** 2 for row in differences(Y)]) * (0.5 / M),
        lambda Y: total([d for row in differences(Y) for d in row]) ** 2 * (0.5 / (M * K)),
    ],
    "first-sample": one_sample(0),
    "last-sample": [
        *one_sample(-1),
        *[lambda Y, f=f: total([r[-1] for r in halves(Y)]) * f for f in (1 / (M * K), 1 / M)],
    ],
    "first-output": [lambda Y, f=f: total([r[0] for r in halves(Y)]) * f for f in (1 / (M * K), 1 / M, 1 / K, 1.0)],  # type: ignore[misc]
    "root": [lambda Y: mean(Y).sqrt(), lambda Y: (mean(Y) * 2).sqrt(), lambda Y: (mean(Y) * 2).sqrt() * 0.5],
    "flat": [flat, lambda Y: flat(Y) * (M * K), lambda Y: flat(Y) * 2],
}


@cache
def answers(name: str) -> list[dict[str, Any]]:
    found = []
    for formula in FORMULAS[name]:
        leaves = [[Value(y) for y in row] for row in Y]
        E = formula(leaves)
        E.backward()
        found.append({"E": E.data, "gradients": [[y.grad for y in row] for row in leaves]})
    return found


def expected(probe: Probe) -> Answer:
    return answers("right")[0] if probe["part"] == "error" else None


def right(probe: Probe, answer: Answer) -> bool:
    if probe["part"] == "shapes":
        return not is_error(answer) and answer["refused"] == "ValueError"
    return not is_error(answer) and close(answer, expected(probe), 1e-12)


def formula(id: str, says: str) -> Mistake:
    def fits(probe: Probe, answer: Answer) -> bool:
        if probe["part"] == "shapes":
            return id == "flat" and not is_error(answer)  # all pairs need no shape
        return not is_error(answer) and any(close(answer, each) for each in answers(id))

    numbers = {"right": number(answers("right")[0]["E"]), "yours": number(answers(id)[0]["E"])}
    return Mistake(id, says.format(**numbers), fits, lambda t: t.probes[t.wrong[0]]["part"] == "error")


def data_cut(probe: Probe, answer: Answer) -> bool:
    if probe["part"] != "error" or is_error(answer):
        return False
    return near(answer["E"], answers("right")[0]["E"]) and all(g is None for row in answer["gradients"] for g in row)


def zip_short(probe: Probe, answer: Answer) -> bool:
    return probe["part"] == "shapes" and not is_error(answer)


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    if probe["part"] == "shapes":
        return f"{probe['title']} are refused with a ValueError; yours: {answer['refused'] or 'no error'}."
    want = expected(probe)
    if not close(answer["E"], want["E"]):
        return (
            f"E is {want['E']:.7f}; yours is {number(answer['E'])}. ½ of the squares, over the samples and "
            "over the outputs."
        )
    return "E is right, and its gradient isn't: ∂E/∂y is (y - t) / (M·K)."


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    if is_error(answer) or probe["part"] != "error":
        return probe["title"], []
    want = expected(probe)
    return probe["title"], [
        ("E", f"{answer['E']:.7f}" if type(answer["E"]) is float else str(answer["E"]), f"{want['E']:.7f}", ""),
        ("∂E/∂y11", number(answer["gradients"][0][0]), number(want["gradients"][0][0]), ""),
    ]


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import three_errors

    return three_errors()


EXERCISE = Exercise(
    name="error",
    idea="E = 1/(M·K) Σ_m ½ Σ_k (y_k - t_k)²",
    wanted=("error",),
    probes=probes,
    expected=expected,
    right=right,
    unit="property",
    introduces="nothing new",
    allows=("engine",),
    mistakes=[
        formula("no-half", "Twice too big, {yours} for {right}: the ½ is missing."),
        formula("no-K", "The 1/K is missing: that is (16), {yours} for {right}. Only with 1/K are (27) and (28) "
                        "its derivatives."),
        formula("no-M", "The 1/M is missing: E is the mean over the samples, and doesn't grow with their number."),
        formula("neither", "1/M and 1/K are both missing: that is (11), {yours} for {right}."),
        formula("half-forgotten-no-K", "Two things: the ½ and the 1/K are missing, {yours} for {right}."),
        formula("no-square", "The square is missing: errors of different signs cancel."),
        formula("abs", "That is the absolute error; (15) squares it. Its slope jumps at 0."),
        formula("square-of-sum", "First square, then sum: (Σ_k …)² lets the outputs' errors cancel each other."),
        formula("first-sample", "Only the first sample counts: is there a return inside of the loop?"),
        formula("last-sample", "Only the last one counts: = for += in the sum."),
        formula("first-output", "Only the first output counts: Σ_k goes over all K of them."),
        formula("root", "The root is not in it: E is the mean of the squares itself."),
        formula("flat", "Every output was paired with every target, also with those of other samples, {yours} "
                        "for {right}: (M,) against (M, 1) does "
                "that without a word."),
        Mistake("data-cut", "The number is right, and no gradient arrives: y.data cuts the graph. Compute with "
                            "the Values.", data_cut),
        Mistake("zip-short", "4 targets for 5 samples pass without a word: zip stops at the shorter. Compare the "
                             "lengths, or zip(…, strict=True).",
                zip_short),
    ],
    hints=(
        "For one sample: half the sum of the squared differences. Over the samples: a mean.",
        "(15) is ½ Σ_k (y - t)²; (16) divides by M; so that (27) and (28) are its derivatives, divide by K, too.",
        "total([(y - t) ** 2 for all samples and outputs]) / (2·M·K), with a look at the shapes first.",
        "The inner sum, with one blank:  total([(y - t) ** 2 for y, t in zip(ys, ts, strict=____)])",
    ),
    after="The document has three different E; demos/derivation shows them side by side, and which of them has "
          "(27) and (28) as its derivatives. "
    "Read now: nn/losses.py.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text="python -m demos.derivation",
)  # fmt: skip
