"""Exercise 15: w ← w - ρ ∂E/∂w, steps 1) to 3) of the derivation."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import nn
from demos.exercises import drive
from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, close, is_error, throughout
from demos.exercises.text import number
from engine import Value, total

SMALL = {"net": "1-1-1", "weights": [0.8, -0.6], "X": [[1.3]], "T": [[0.9]], "rates": [0.3, 0.07]}
LARGE = {
    "net": "2-4-1",
    "rates": [0.23, 0.17],
    "weights": [
        0.62,
        -0.41,
        0.13,
        -0.85,
        0.37,
        -0.22,
        0.29,
        0.74,
        0.08,
        -0.53,
        -0.67,
        0.31,
        0.47,
        -0.71,
        0.93,
        0.26,
        -0.15,
    ],
    "X": [[0.7, -1.1], [-0.4, 0.6], [1.3, 0.9]],
    "T": [[0.8], [-0.35], [0.55]],
}


def probes(seed: int) -> list[Probe]:
    small = [
        {
            "part": "train",
            "title": f"the 1-1-1 net, {epochs} {'step' if epochs == 1 else 'steps'}",
            "epochs": epochs,
            **SMALL,
        }
        for epochs in (1, 2, 3)
    ]
    return [
        *small,
        {"part": "train", "title": "the 2-4-1 net, 3 epochs", "epochs": 3, **LARGE},
        {"part": "train", "title": "the 2-4-1 net, 50 epochs", "epochs": 50, **LARGE},
    ]


# -- training, and in which small ways it differs

Net = Any


def error(model: Net, probe: Probe) -> Value:
    rows = [
        (y - t) ** 2 for x, ts in zip(probe["X"], probe["T"], strict=True) for y, t in zip(model(x), ts, strict=True)
    ]
    return total(rows) * (0.5 / len(rows))


class Way:
    """One way to train; each mistake replaces a method, or some words."""

    zeroes = True
    rebuilds = True
    biases = True

    def rate(self, rates: list[float], layer: int) -> float:
        return rates[layer]

    def change(self, rate: float, gradient: float) -> float:
        return -rate * gradient

    def update(self, model: Net, rates: list[float], probe: Probe) -> None:
        for place, layer in enumerate(model.layers):
            for w in self.updated(layer):
                w.data += self.change(self.rate(rates, place), w.grad or 0.0)

    def updated(self, layer: Any) -> list[Value]:
        return [w for w in layer.parameters() if self.biases or not (w.label or "").endswith(".b")]

    def train(self, probe: Probe) -> dict[str, Any]:
        model = drive.network(probe["net"], probe["weights"], nn)
        E = error(model, probe)
        errors = [E.data]
        for _ in range(probe["epochs"]):
            if self.zeroes:
                model.zero_grad()
            self.backward(E)
            self.update(model, probe["rates"], probe)
            if self.rebuilds:
                E = error(model, probe)
            errors.append(E.data)
        return {"errors": errors, "parameters": [w.data for layer in model.layers for w in layer.parameters()]}

    def backward(self, E: Value) -> None:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            E.backward()


class OneAtATime(Way):
    def __init__(self, by_layer: bool) -> None:
        self.by_layer = by_layer

    def update(self, model: Net, rates: list[float], probe: Probe) -> None:
        for place, layer in enumerate(model.layers):
            groups = [layer.parameters()] if self.by_layer else [[w] for w in layer.parameters()]
            for group in groups:
                model.zero_grad()
                error(model, probe).backward()
                for w in group:
                    w.data -= rates[place] * (w.grad or 0.0)


class Superscripts(Way):
    def __init__(self, shift: int) -> None:
        self.shift = shift

    def update(self, model: Net, rates: list[float], probe: Probe) -> None:
        for place in range(len(model.layers) - 1):
            pairs = zip(model.layers[place].parameters(), model.layers[place + 1].parameters(), strict=False)
            for w, above in pairs:
                above.data = w.data - rates[place + self.shift] * (w.grad or 0.0)


def way(base: type[Way] = Way, **changed: Any) -> Way:
    made = base()
    for name, value in changed.items():
        setattr(made, name, value)
    return made


WAYS: dict[str, list[Way]] = {
    "right": [Way()],
    "ascent": [way(change=lambda rate, g: rate * g)],
    "no-zero-grad": [way(zeroes=False)],
    "stale": [way(rebuilds=False)],
    "stale-and-no-zero": [way(rebuilds=False, zeroes=False)],
    "rates-swapped": [way(rate=lambda rates, place: rates[-1 - place])],
    "one-rate": [way(rate=lambda rates, place: rates[0]), way(rate=lambda rates, place: rates[1])],
    "no-rate": [way(rate=lambda rates, place: 1.0)],
    "one-at-a-time": [OneAtATime(False), OneAtATime(True)],
    "superscripts": [Superscripts(0), Superscripts(1)],
    "sign-only": [way(change=lambda rate, g: -rate * (1 if g > 0 else -1 if g < 0 else 0))],
    "no-biases": [way(biases=False), way(updated=lambda layer: layer.parameters()[:-1])],
}


@cache
def trained(name: str, variant: int, place: int) -> dict[str, Any] | None:
    """What comes of a way on a probe; None where it diverges."""
    try:
        return WAYS[name][variant].train(probes(0)[place])
    except ArithmeticError:
        return None


def place_of(probe: Probe) -> int:
    return [(p["net"], p["epochs"]) for p in probes(0)].index((probe["net"], probe["epochs"]))


def expected(probe: Probe) -> Answer:
    return trained("right", 0, place_of(probe))


def right(probe: Probe, answer: Answer) -> bool:
    want = expected(probe)
    return not is_error(answer) and close({key: answer.get(key) for key in want}, want)


# -- the mistakes


def as_way(id: str, says: Any) -> Mistake:
    def one(variant: int, probe: Probe, answer: Answer) -> bool:
        model = trained(id, variant, place_of(probe))
        if id == "superscripts" and probe["net"] == "2-4-1":
            return True  # 12 weights for 5: whatever comes of that
        if model is None or is_error(answer):
            return model is None and (is_error(answer) or probe["epochs"] > 3)
        errors = close(answer["errors"], model["errors"]) or id.startswith("stale") or id == "superscripts"
        return bool(errors and close(answer["parameters"], model["parameters"], 1e-8))

    tests = [partial(one, variant) for variant in range(len(WAYS[id]))]
    return Mistake(id, says, lambda p, a: any(test(p, a) for test in tests), lambda trial: throughout(trial, *tests))


def unmoved(probe: Probe, answer: Answer) -> bool:
    if is_error(answer) or not isinstance(answer["errors"], list):
        return False
    first = expected(probe)["errors"][0]
    return close(answer["parameters"], probe["weights"]) and all(close(error, first) for error in answer["errors"])


def zero_between(probe: Probe, answer: Answer) -> bool:
    return is_error(answer, "TypeError") and "NoneType" in answer["says"]


def errors_after(probe: Probe, answer: Answer) -> bool:
    want = expected(probe)
    return (
        not is_error(answer)
        and close(answer["errors"], want["errors"][1:])
        and close(answer["parameters"], want["parameters"])
    )


def at(place: int, name: str, variant: int = 0) -> list[str]:
    found = trained(name, variant, place)
    return [f"{w:.6f}" for w in found["parameters"]] if found else []


def second_step(trial: Trial) -> str:
    yours, right = at(1, "no-zero-grad"), at(1, "right")
    return (
        f"Step 2 used the gradients of steps 1 and 2 together: w1 is {yours[0][:6]} after it, and "
        f"{right[0][:6]} is right. zero_grad before each backward."
    )


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    want = expected(probe)
    if not isinstance(answer["errors"], list) or len(answer["errors"]) != len(want["errors"]):
        return f"errors has epochs + 1 entries, {len(want['errors'])} here: before training, and after each epoch."
    if close(answer["parameters"], want["parameters"]):
        return "The weights are right; an entry of errors isn't: E before training, then after each epoch."
    return (
        f"After {probe['title'].split(', ')[1]} the weights are off: w ← w - ρ_l ∂E/∂w for all of them at "
        "once, E as in exercise 14."
    )


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    if is_error(answer):
        return probe["title"], []
    want = expected(probe)
    names = ["w1", "w2"] if probe["net"] == "1-1-1" else [f"parameter {i + 1}" for i in range(len(want["parameters"]))]
    table = [
        (name, number(a), number(t), "ok" if close(a, t) else "off")
        for name, a, t in zip(names, answer["parameters"], want["parameters"], strict=True)
    ]
    off = next((i for i, row in enumerate(table) if row[3] == "off"), 0)
    return f"{probe['title']}, x = 1.3, t = 0.9, ρ = 0.3, 0.07" if probe["net"] == "1-1-1" else probe["title"], table[
        : off + 2
    ][:6]


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import training

    return training(stale=bool(id and id.startswith("stale")))


EXERCISE = Exercise(
    name="descent",
    idea="w ← w - ρ ∂E/∂w",
    wanted=("train",),
    probes=probes,
    expected=expected,
    right=right,
    unit="training",
    introduces="zero_grad",
    allows=("engine",),
    mistakes=[
        as_way("ascent", "Uphill: the gradient points where E grows; go against it, with a minus."),
        as_way("no-zero-grad", second_step),
        Mistake("zero-between", "zero_grad between backward and the update: the gradients are None before "
                                "anybody used them. Zero at either end of "
                "the loop.", zero_between),
        as_way("stale", "Three equal steps: E is built once, outside of the loop, and the forward pass is never "
                        "done again (step 2 of the "
               "derivation!)."),
        as_way("stale-and-no-zero", "E is built once, outside of the loop, and the gradients of all steps add "
                                    "up: each step is one gradient longer. "
               "Forward pass and zero_grad belong into the loop."),
        as_way("rates-swapped", "The rates are swapped: ρ1 belongs to the hidden layer, ρ2 to the output."),
        as_way("one-rate", "One rate is used for all layers; there is one for each, ρ1 and ρ2."),
        as_way("no-rate", "The learning rate is missing: the whole gradient is one step."),
        Mistake("rebinding", "Nothing moves: w = w - ρ·w.grad makes a new name, and the model's w is as it was; "
                             "with Values the graph even grows by "
                "the update. Write to w.data.", unmoved),
        as_way("one-at-a-time", "A later weight was updated at the new values of the earlier ones: first all "
                                "gradients, then all updates."),
        as_way("superscripts", "A layer was updated from the one below, as (12) is printed: w[l+1] from w[l]. "
                               "Its superscript counts layers on the "
               "right and iterations on the left."),
        as_way("sign-only", "Only the sign of the gradient is used: far from the minimum a step should be longer."),
        Mistake("errors-after", "The first entry is missing: E before training. errors has epochs + 1 "
                                "entries.", errors_after),
        as_way("no-biases", "The weights learn, and the biases don't: parameters() has them, too."),
    ],
    hints=(
        "Steps 1) to 3) of the derivation: forward, backward, one small step downhill; and forward again.",
        "Each epoch: zero_grad, E built anew, backward, then every parameter of every layer goes against its gradient.",
        "w.data -= rates[place] * (w.grad or 0.0) for each w of model.layers[place].parameters(); E as in exercise 14; "
        "errors begins before the first "
        "epoch.",
        "The loop over the layers, with one blank:  for layer, rate in zip(____, rates): for w in layer.parameters(): "
        "w.data -= rate * w.grad",
    ),
    after="That is all of training; the rest is speed. Read now: nn/training.py, whose fit does this on a tape, "
          "and nn/optimizers.py.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text="draw(E) with the stale mark",
)  # fmt: skip
