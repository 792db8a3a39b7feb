"""Exercise 3: one path, multiply."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, NamedTuple

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, gives, is_error
from demos.exercises.text import number
from engine import Value, label, tanh

FIRST = {"x": 1.4, "w": 0.7, "b": -1.3, "t": 0.2}
EXPRESSION = "s = w*x + b; z = tanh(s); E = (z - t)**2 / 2"
COUNT = 12


def points(seed: int = 3) -> list[dict[str, float]]:
    """FIRST, and others: no number is 0, ½, 1 or 2, and no factor nearly 1."""
    random, found = Random(seed), [FIRST]
    while len(found) < COUNT:
        point = {name: random.choice((-1, 1)) * random.randrange(31, 177) / 100 + 0.003 for name in "xwbt"}
        f = factors(point)
        if all(0.05 < abs(each) < 20 and abs(abs(each) - 1) > 0.05 for each in f) and abs(abs(f.s) - abs(f.z)) > 0.02:
            found.append(point)
    return found


class Factors(NamedTuple):
    """What the chain is made of at a point."""

    x: float
    w: float
    s: float
    z: float
    error: float  # ∂E/∂z = z - t
    slope: float  # ∂z/∂s


def graph(point: dict[str, float]) -> tuple[Value, dict[str, Value]]:
    names = {name: Value(number, name) for name, number in point.items()}
    s = names["w"] * names["x"] + names["b"]
    z = tanh(s)
    E = (z - names["t"]) ** 2 / 2.0
    label(s=s, z=z, E=E)
    return E, names | {"s": s, "z": z, "E": E}


def factors(point: dict[str, float]) -> Factors:
    _, names = graph(point)
    z = names["z"]
    slope = z.partials[0]
    assert slope is not None
    return Factors(point["x"], point["w"], names["s"].data, z.data, z.data - point["t"], slope)


def probes(seed: int) -> list[Probe]:
    return [
        {"part": part, "title": " ".join(f"{name} = {number:g}" for name, number in point.items()), "point": point}
        for part in ("dE_dw", "dE_dx")
        for point in cached()
    ]


@cache
def cached() -> list[dict[str, float]]:
    return points()


def expected(probe: Probe) -> Answer:
    E, names = graph(probe["point"])
    E.backward()
    return names["w" if probe["part"] == "dE_dw" else "x"].grad


def tanh_slope(x: float) -> float:
    slope = Value(x).tanh().partials[0]
    assert slope is not None
    return slope


# what is answered, by the factors and by u, the last local derivative: x for w, w for x
Model = Callable[[Factors, float], float]
MODELS: dict[str, Model] = {
    "stopped-at-s": lambda f, u: f.error * f.slope,
    "local-only": lambda f, u: u,
    "no-tanh": lambda f, u: f.error * u,
    "tanh-of-s": lambda f, u: f.error * (1 - f.s**2) * u,
    "tanh-of-z": lambda f, u: f.error * tanh_slope(f.z) * u,
    "wrong-operand": lambda f, u: f.error * f.slope * (f.w if u == f.x else f.x),
    "added": lambda f, u: f.error + f.slope + u,
    "no-half": lambda f, u: 2 * f.error * f.slope * u,
    "half-kept": lambda f, u: f.error * f.slope * u / 2,
    "sign": lambda f, u: -f.error * f.slope * u,
    "E-for-error": lambda f, u: f.error**2 / 2 * f.slope * u,
}


def modelled(name: str) -> Callable[[Probe], float]:
    def model(probe: Probe) -> float:
        f = factors(probe["point"])
        return MODELS[name](f, f.x if probe["part"] == "dE_dw" else f.w)

    return model


def of(probe: Probe) -> tuple[str, str]:
    """By what the derivative is, and the local derivative ∂s/∂that."""
    return ("w", "x") if probe["part"] == "dE_dw" else ("x", "w")


def yours(text: str) -> Callable[[Trial], str]:
    def says(trial: Trial) -> str:
        probe, answer = trial.first
        by, local = of(probe)
        return text.format(yours=number(answer), by=by, local=local, s=number(factors(probe["point"]).s))

    return says


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    title = f"s = w·x + b   z = tanh(s)   E = ½(z - t)²\n{probe['title']}"
    if is_error(answer):
        return title, []
    f = factors(probe["point"])
    by, local = of(probe)
    return title, [
        ("∂E/∂z", "", number(f.error), "z - t"),
        ("∂z/∂s", "", number(f.slope), "tanh' at s"),
        (f"∂s/∂{by}", "", number(f.x if local == "x" else f.w), local),
        (f"∂E/∂{by}", number(answer), number(expected(probe)), "the product of the three"),
    ]


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import explained

    probe: Probe = trial.first[0] if trial else {"part": "dE_dw", "point": FIRST}
    E, names = graph(probe["point"])
    return explained(E, names[of(probe)[0]])


def mistake(id: str, says: str) -> Mistake:
    return Mistake(id, yours(says), gives(modelled(id)))


EXERCISE = Exercise(
    name="chain",
    idea="one path: multiply",
    wanted=("dE_dw", "dE_dx"),
    probes=probes,
    expected=expected,
    tolerance=1e-12,
    unit="number",
    introduces="math.tanh",
    mistakes=[
        mistake("stopped-at-s", "{yours} is ∂E/∂s. One more factor: ∂s/∂{by}."),
        mistake("local-only", "{yours} is ∂s/∂{by}; E hasn't been asked."),
        mistake("no-tanh", "The factor of tanh, ∂z/∂s, is missing."),
        mistake("tanh-of-s", "1 - s² takes the square of tanh's input; it is the output that is squared: 1 - z²."),
        mistake("tanh-of-z", "tanh' is taken where tanh was: at s = {s}, not at z."),
        mistake("wrong-operand", "The last factor is ∂s/∂{by}, which is {local}: of a product, the other operand."),
        mistake("added", "Along a path the factors multiply; across paths they add. There is one path here."),
        mistake("no-half", "Twice too big: the ½ is there to cancel the 2."),
        mistake("half-kept", "Half of it: the 2 of the square has cancelled the ½ already."),
        mistake("sign", "The sign: E = ½(z - t)², and ∂E/∂z is z - t. In the post's letters, E = ½(y - ŷ)², the "
                        "minus appears: "
                "there the prediction is second."),
        mistake("E-for-error", "That has E where the error z - t belongs. It is the post's own slip: δ = E·f'(v) "
                               "calls the error "
                "y - ŷ 'E'."),
    ],
    hints=(
        "From w to E there is one path: w → s → z → E. How much does each station move the next one?",
        "Three local derivatives, multiplied: ∂E/∂z, ∂z/∂s, ∂s/∂w.",
        "∂E/∂z = z - t, ∂z/∂s = 1 - z², and ∂s/∂w = x; for ∂E/∂x the last factor is w.",
        "With s = w*x + b and z = math.tanh(s), one factor is blank:  (z - t) * (1 - z*z) * ____",
    ),
    after="A path is a product. Next: what if there are two paths? Read now: explain, which writes this chain "
          "for any graph, in "
    "engine/steps/explain.py.",
    rows=rows,
    see=see,
    see_text=f'stepgrad explain "{EXPRESSION}" x=1.4 w=0.7 b=-1.3 t=0.2 --wrt w',
)  # fmt: skip
