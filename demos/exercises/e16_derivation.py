"""Exercise 16: (26) to (28), the biases, the matrix form: what the derivation leaves undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

import engine
from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, close, is_error
from demos.exercises.text import number
from engine import Value, total

Matrix = list[list[float]]
PARTS = ("dW1", "dW2", "db1", "db2")
# The sizes D, n, K, M tell mistakes apart; in the last case W and Wᵀ have one shape, and y_4 exists.
CASES = [("tanh", 5, 4, 3, 7), ("softplus", 5, 4, 3, 7), ("tanh", 4, 4, 4, 7)]
G: dict[str, Callable[[Any], Any]] = {"tanh": engine.tanh, "softplus": engine.softplus}


@cache
def data(case: int) -> dict[str, Any]:
    """X is D×M, T K×M, W1 D×n, W2 n×K; b1 and b2 have n and K numbers; all distinct."""
    g, D, n, K, M = CASES[case]
    random = Random(41 + case)
    drawn = iter(random.sample(range(101, 1700, 3), D * M + K * M + D * n + n * K + n + K))

    def numbers(rows: int, columns: int, scale: float = 1000.0) -> Matrix:
        return [[random.choice((1, -1)) * next(drawn) / scale for _ in range(columns)] for _ in range(rows)]

    return {
        "X": numbers(D, M), "T": numbers(K, M), "W1": numbers(D, n, 2000.0), "b1": numbers(1, n)[0],
        "W2": numbers(n, K), "b2": numbers(1, K)[0], "g": g,
    }  # fmt: skip


def probes(seed: int) -> list[Probe]:
    found = []
    for part in (*PARTS, "matrices"):
        for case, (g, D, n, K, M) in enumerate(CASES):
            title = f"{part} with g = {g}, D = {D}, n = {n}, K = {K}, M = {M}"
            found.append({"part": part, "title": title, "case": case, **data(case)})
    return found


@cache
def truth(case: int) -> dict[str, Any]:
    """The four gradients, by the engine."""
    p, (g, D, n, K, M) = data(case), CASES[case]
    W1, W2 = [[[Value(w) for w in row] for row in p[name]] for name in ("W1", "W2")]
    b1, b2 = [[Value(b) for b in p[name]] for name in ("b1", "b2")]
    parts = []
    for m in range(M):
        a = [G[g](total([*(W1[d][i] * p["X"][d][m] for d in range(D)), b1[i]])) for i in range(n)]
        y = [total([*(W2[i][k] * a[i] for i in range(n)), b2[k]]) for k in range(K)]
        parts += [(y[k] - p["T"][k][m]) ** 2 for k in range(K)]
    (total(parts) * (0.5 / (M * K))).backward()
    return {
        "dW1": [[w.grad for w in row] for row in W1], "dW2": [[w.grad for w in row] for row in W2],
        "db1": [b.grad for b in b1], "db2": [b.grad for b in b2],
    }  # fmt: skip


def expected(probe: Probe) -> Answer:
    right = truth(probe["case"])
    return [right[part] for part in PARTS] if probe["part"] == "matrices" else right[probe["part"]]


def same(answer: Answer, want: Any, tolerance: float = 1e-12) -> bool:
    """The numbers of one gradient; a bias may be a row or a column."""
    if isinstance(answer, list) and want and not isinstance(want[0], list):
        answer = [x for each in answer for x in (each if isinstance(each, list) else [each])]
    return close(answer, want, tolerance)


def right(probe: Probe, answer: Answer) -> bool:
    if is_error(answer):
        return False
    if probe["part"] != "matrices":
        return same(answer, expected(probe))
    if isinstance(answer, dict):
        return True  # the extra isn't written
    return isinstance(answer, list) and len(answer) == 4 and all(map(same, answer, expected(probe)))


# -- the mistakes: each a formula for some of the four


class Net:
    """The derivation's letters for one case; the forward pass, and δ."""

    def __init__(self, case: int, W1_as_it_is: bool = False, W2_as_it_is: bool = False) -> None:
        p, (g, self.D, self.n, self.K, self.M) = data(case), CASES[case]
        self.X, self.T, self.W2 = p["X"], p["T"], p["W2"]
        self.Z = [[self.z(p, i, m, W1_as_it_is) for m in range(self.M)] for i in range(self.n)]
        self.A = [[G[g](z) for z in row] for row in self.Z]
        self.dG = [[slope(g, z) for z in row] for row in self.Z]
        self.Y = [[self.y(p, k, m, W2_as_it_is) for m in range(self.M)] for k in range(self.K)]
        self.c = 1 / (self.M * self.K)

    def z(self, p: dict[str, Any], i: int, m: int, as_it_is: bool) -> float:
        W = p["W1"]
        return float(sum((W[i][d] if as_it_is else W[d][i]) * self.X[d][m] for d in range(self.D)) + p["b1"][i])

    def y(self, p: dict[str, Any], k: int, m: int, as_it_is: bool) -> float:
        W = p["W2"]
        return float(sum((W[k][i] if as_it_is else W[i][k]) * self.A[i][m] for i in range(self.n)) + p["b2"][k])

    def delta(self, k: int, m: int) -> float:
        return float(self.Y[k][m] - self.T[k][m])

    def hidden(self, i: int, m: int, by: Any = None, weight: Callable[[int, int], float] | None = None) -> float:
        w = weight or (lambda i, k: float(self.W2[i][k]))
        return float(sum(self.delta(k, m) * w(i, k) for k in range(self.K)) * (by or self.dG)[i][m])

    def dW1(self, **how: Any) -> Matrix:
        return [[self.c * sum(self.hidden(i, m, **how) * self.X[d][m] for m in range(self.M)) for i in range(self.n)]
                for d in range(self.D)]  # fmt: skip

    def db1(self, **how: Any) -> list[float]:
        return [self.c * sum(self.hidden(i, m, **how) for m in range(self.M)) for i in range(self.n)]

    def dW2(self, term: Callable[[int, int, int], float] | None = None) -> Matrix:
        one = term or (lambda i, k, m: self.delta(k, m) * self.A[i][m])
        return [[self.c * sum(one(i, k, m) for m in range(self.M)) for k in range(self.K)] for i in range(self.n)]

    def db2(self) -> list[float]:
        return [self.c * sum(self.delta(k, m) for m in range(self.M)) for k in range(self.K)]

    def all(self) -> dict[str, Any]:
        return {"dW1": self.dW1(), "dW2": self.dW2(), "db1": self.db1(), "db2": self.db2()}


def slope(g: str, z: float) -> float:
    partial = G[g](Value(z)).partials[0]
    assert partial is not None
    return float(partial)


def scaled(x: Any, factor: float) -> Any:
    return [scaled(each, factor) for each in x] if isinstance(x, list) else x * factor


Models = dict[str, list[Any]]  # by part, what may come out


def negated(case: int, *parts: str) -> Models:
    return {part: [scaled(truth(case)[part], -1)] for part in parts}


def times(case: int, factor: float, parts: Sequence[str] = PARTS) -> Models:
    return {part: [scaled(truth(case)[part], factor)] for part in parts}


def eq18(case: int) -> Models:
    return negated(case, "dW2", "db2", "dW1", "db1")


def a2(case: int) -> Models:
    net = Net(case)
    square_ = [
        [net.c * sum(net.delta(k, m) * net.Y[i][m] for m in range(net.M)) for k in range(net.K)] for i in range(net.K)
    ]
    return {"dW2": [square_]}


def no_m(case: int) -> Models:
    net = Net(case)

    def of_one(sample: int) -> Matrix:
        return net.dW2(lambda i, k, m: net.delta(k, m) * net.A[i][sample])

    return {"dW2": [of_one(net.M - 1), of_one(0)]}


def yi(case: int) -> Models:
    net = Net(case)
    if net.n > net.K:
        return {"dW2": []}
    return {"dW2": [net.dW2(lambda i, k, m: (net.Y[i][m] - net.T[k][m]) * net.A[i][m])]}


def g_for_slope(case: int) -> Models:
    net = Net(case)
    return {"dW1": [net.dW1(by=net.A)], "db1": [net.db1(by=net.A)]}


def no_w2(case: int) -> Models:
    net = Net(case)
    one: dict[str, Any] = {"weight": lambda i, k: 1.0}
    return {"db1": [net.db1(**one)]}


def mean_twice(case: int) -> Models:
    M = CASES[case][-1]
    return times(case, 1 / M, ("db2", "db1"))


def transposed_w2(case: int) -> Models:
    net = Net(case)
    if net.n != net.K:
        return {"dW1": [], "db1": [], "dW2": []}
    one: dict[str, Any] = {"weight": lambda i, k: float(net.W2[k][i])}
    return {"dW1": [net.dW1(**one)], "db1": [net.db1(**one)], "dW2": []}


def not_transposed(case: int) -> Models:
    _, D, n, K, _ = CASES[case]
    if n != D:
        return {part: [] for part in PARTS}
    nets = [Net(case, True, False)] + ([Net(case, True, True), Net(case, False, True)] if n == K else [])
    return {part: [net.all()[part] for net in nets] for part in PARTS}


def row(id: str, says: Any, models: Callable[[int], Models], failing: tuple[str, ...] = ()) -> Mistake:
    """Parts right or as the models say; an exception fits too, where the parts are named and the shapes can't fit."""

    def one(case: int, part: str, answer: Answer) -> bool:
        if is_error(answer):
            return (
                part in failing
                and is_error(answer, "IndexError", "ValueError")
                and (CASES[case][1] != CASES[case][2] or id == "matrix-no-T")
            )
        found = models(case).get(part, [])
        return any(same(answer, model, 1e-9) for model in found)

    def fits(probe: Probe, answer: Answer) -> bool:
        case, part = probe["case"], probe["part"]
        if right(probe, answer):
            return True  # where the shapes happen to fit
        if part != "matrices":
            return one(case, part, answer)
        if is_error(answer):
            return failing == PARTS and is_error(answer, "IndexError", "ValueError")
        want = truth(case)
        return (
            isinstance(answer, list)
            and len(answer) == 4
            and all(same(a, want[p]) or one(case, p, a) for p, a in zip(PARTS, answer, strict=True))
        )

    return Mistake(id, says, fits, lambda trial: needs(id, trial))


def needs(id: str, trial: Trial) -> bool:
    """Of the two signs, the layer that is named is off; of a shape, the numbers where shapes fit."""
    off = {trial.probes[i]["part"] for i in trial.wrong}
    if id in ("eq18-minus", "eq12c-minus"):
        inside = [
            a
            for p, a in zip(trial.probes, trial.answers, strict=True)
            if p["part"] == "matrices" and isinstance(a, list)
        ]
        upper = any(not same(a[i], truth(0)[PARTS[i]]) for a in inside[:1] if len(a) == 4 for i in (1, 3))
        return ({"dW2", "db2"} & off != set() or ("matrices" in off and upper)) is (id == "eq18-minus")
    if id == "matrix-no-T":
        return any(is_error(trial.answers[i], "ValueError", "IndexError") for i in trial.wrong)
    if id == "eq8-WA":
        return any(not is_error(trial.answers[i]) for i in trial.wrong)
    if id == "eq28-a2":
        return any(not is_error(trial.answers[i]) or "match" in trial.answers[i]["says"] for i in trial.wrong)
    return True


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    want = expected(probe)
    if probe["part"] == "matrices":
        return "matrices gives dW1, dW2, db1 and db2, the same numbers as the four functions."
    shapes = f"{len(want)}×{len(want[0])}" if isinstance(want[0], list) else f"{len(want)} numbers"
    if not isinstance(answer, list) or len(answer) != len(want):
        return f"{probe['title']}: the shape is {shapes}."
    first = want[0][0] if isinstance(want[0], list) else want[0]
    mine = answer[0][0] if isinstance(answer[0], list) and answer[0] else answer[0]
    return f"{probe['title']}: the first entry is {number(first)}, yours is {number(mine)}."


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    want = expected(probe)
    if is_error(answer) or probe["part"] == "matrices" or not isinstance(answer, list) or not answer:
        return probe["title"], []
    mine, true = (each[0] if isinstance(each[0], list) else each for each in (answer, want))
    table = [
        (f"{probe['part']}[{'0, ' if isinstance(want[0], list) else ''}{i}]", number(a), number(t), "")
        for i, (a, t) in enumerate(zip(mine, true, strict=False))
    ]
    return probe["title"], table


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import contradictions

    return contradictions()


EXERCISE = Exercise(
    name="derivation",
    idea="(26) to (28), the biases, the matrix form",
    wanted=PARTS,
    probes=probes,
    expected=expected,
    right=right,
    unit="gradient",
    introduces="matrices",
    mistakes=[
        row(
            "eq18-minus",
            "The sign: (18) carries a minus that doesn't come of E_m = ½ Σ (y - t)². It belongs to "
            "(t - y), which in the post's letters, "
            "where y is the target, is the same thing.",
            eq18,
        ),
        row(
            "eq12c-minus",
            "The sign: ⑫ carries a minus that (26) has lost, rightly. It belongs to (t - y), "
            "which is the post's letter for the same "
            "thing.",
            lambda case: negated(case, "dW1", "db1"),
        ),
        row(
            "eq28-a2",
            "a[2] for a[1]: that is y_i, and for i = 4 there is none, as K = 3. In (28) it is the "
            "hidden layer's output.",
            a2,
            ("dW2",),
        ),
        row("eq28-no-m", "(28) drops the sample of a: each sample has its own. a_i stands inside of Σ_m.", no_m),
        row(
            "eq11c-yi", "⑪ has y_i for y_k: the error of output k belongs to weight w_ik, whatever i is.", yi, ("dW2",)
        ),
        row("eq16c-g", "⑯ has lost the prime: g for g'. The derivative of a = g(z) is g'(z).", g_for_slope),
        row(
            "line-before-25",
            "The line before (25): Σ_j over terms without j counts them D times, "
            f"{CASES[0][1]} times too much. Only the term with "
            "w_di remains.",
            lambda case: times(case, CASES[case][1], ("dW1",)),
        ),
        row("eq16-no-K", "(16) has 1/M alone; (27) and (28) have 1/K, too.", lambda case: times(case, CASES[case][3])),
        row(
            "eq11-no-MK",
            "(11) has neither 1/M nor 1/K; (27) and (28) have both.",
            lambda case: times(case, CASES[case][3] * CASES[case][4]),
        ),
        row(
            "b1-no-w2",
            "The error goes back to the hidden layer through W2, for a bias as for a weight: Σ_k "
            "(y_k - t_k) w_ik g'(z_i).",
            no_w2,
        ),
        row("b2-mean", "Divided by M twice: 1/(M·K) is there already, and then comes a sum, no mean.", mean_twice),
        row(
            "eq8-WA",
            "(8) has W where (3) and (10) have Wᵀ. The shapes say so, unless D = n: then it is silently wrong.",
            not_transposed,
            PARTS,
        ),
        row(
            "matrix-no-T",
            "A transpose is missing, and the shapes say so: dW2 = A (Y - T)ᵀ / (M·K), and W2 (Y - "
            "T) goes back, not W2ᵀ.",
            transposed_w2,
            PARTS,
        ),
    ],
    hints=(
        "(27) and (28) are sums over samples. What is the derivative of z_i by its bias?",
        "δ_km = y_km - t_km goes back through W2 and g'(z_im) to the hidden layer; there it meets x_dm.",
        "dW2_ik = 1/(MK) Σ_m δ_km a_im; db2_k the same without a; dW1_di = 1/(MK) Σ_m Σ_k δ_km w_ik g'(z_im) "
        "x_dm; db1_i the same "
        "without x.",
        "As matrices, with one blank, where ∘ is entry by entry:  H = (W2 @ delta) * dg(Z); dW1 = X @ ____ / (M * K)",
    ),
    after="That is what the document leaves undone. Read now: demos/derivation.py, and the table of its "
    "contradictions, each with what the engine says.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text="python -m demos.derivation",
)
