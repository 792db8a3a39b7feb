"""Exercise 13: Layer, MLP."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, close, is_error

X, SIZES = [0.6, -1.1, 1.7], [4, 2, 1]
COUNT = sum((inputs + 1) * neurons for inputs, neurons in zip([3, *SIZES], SIZES, strict=False))
DISTINCT = sum(inputs + 1 for inputs in [3, *SIZES][:-1])  # if each layer has one neuron, several times


def numbers(count: int) -> list[float]:
    """What the parameters are set to: distinct, between -1 and 1."""
    return [((i * 37) % 61 - 30) / 31.7 for i in range(count)]


def probes(seed: int) -> list[Probe]:
    return [
        {"part": "layer", "title": "Layer(3, 2)", "inputs": 3, "neurons": 2, "x": X, "numbers": numbers(8)},
        {"part": "single", "title": "Layer(3, 1)", "inputs": 3, "neurons": 1, "x": X, "numbers": numbers(4)},
        {"part": "mlp", "title": "MLP(3, [4, 2, 1])", "sizes": SIZES, "x": X, "numbers": numbers(COUNT)},
        {"part": "refuses", "title": "a row of 2 for MLP(3, [4, 2, 1])", "sizes": SIZES, "x": X[:2]},
        {"part": "untouched", "title": "the lists that were passed", "sizes": SIZES, "x": X},
    ]


def layer(x: list[float], neurons: int, theta: list[float], activated: bool = True) -> list[float]:
    width = len(x) + 1
    rows = [theta[i * width : (i + 1) * width] for i in range(neurons)]
    sums = [sum(w * xi for w, xi in zip(row, [*x, 1.0], strict=True)) for row in rows]
    return [math.tanh(s) if activated else s for s in sums]


def mlp(activated: tuple[bool, ...] = (True, True, False)) -> list[float]:
    x, theta = X, numbers(COUNT)
    for neurons, on in zip(SIZES, activated, strict=True):
        used = (len(x) + 1) * neurons
        x, theta = layer(x, neurons, theta[:used], on), theta[used:]
    return x


def expected(probe: Probe) -> Answer:
    match probe["part"]:
        case "layer":
            return shape(8, layer(X, 2, numbers(8)))
        case "single":
            return shape(4, layer(X, 1, numbers(4)))
        case "mlp":
            return shape(COUNT, mlp())
        case "untouched":
            return {"x": X, "sizes": SIZES}
    return None


def shape(count: int, values: list[float]) -> dict[str, Any]:
    return {"count": count, "distinct": count, "failed": None, "nested": False, "kind": "list", "values": values}


def right(probe: Probe, answer: Answer) -> bool:
    if is_error(answer):
        return False
    if probe["part"] == "refuses":
        return answer["refused"] == "ValueError" and all(each in answer["says"] for each in ("layer 1", "2", "3"))
    return close(answer, expected(probe), 1e-12)


# -- the mistakes


def on(**tests: Callable[[Answer], bool]) -> Callable[[Probe, Answer], bool]:
    return lambda probe, answer: probe["part"] in tests and bool(tests[probe["part"]](answer))


def but(part: str, **changed: Any) -> Callable[[Answer], bool]:
    """An answer that is right but for these."""
    probe = next(probe for probe in probes(0) if probe["part"] == part)
    return lambda answer: close(answer, expected(probe) | changed, 1e-9)


def shared(count: int, distinct: int) -> Callable[[Answer], bool]:
    return lambda answer: (
        not is_error(answer) and answer["distinct"] == distinct and answer["count"] in (count, distinct)
    )


def anything(answer: Answer) -> bool:
    return True


def off_sizes(answer: Answer) -> bool:
    if is_error(answer):
        return False
    return answer["count"] != COUNT and answer["count"] == answer["distinct"] and not answer["nested"]


def scalar(part: str) -> Callable[[Answer], bool]:
    probe = next(probe for probe in probes(0) if probe["part"] == part)
    return lambda answer: (
        not is_error(answer) and answer["kind"] == "scalar" and close(answer["values"], expected(probe)["values"])
    )


def nested(answer: Answer) -> bool:
    return not is_error(answer) and answer["nested"] is True and answer["count"] == answer["distinct"]


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    if probe["part"] == "refuses":
        said = f"yours says {answer['says']!r}" if answer["refused"] else "yours says nothing"
        return f"A row of 2 for 3 inputs is a ValueError with 'layer 1', 3 and 2 in it; {said}."
    want = expected(probe)
    if answer.get("failed"):
        return f"{answer['failed']['error']} on {probe['title']} of a row of 3: {answer['failed']['says']}."
    key = next(k for k, v in want.items() if not close(answer.get(k), v, 1e-12))
    names = {
        "count": "the number of parameters",
        "distinct": "the number of different parameters",
        "values": "the outputs",
    }
    return f"{probe['title']}: {names.get(key, key)} is {answer.get(key)!r:.80}, and {want[key]!r:.80} is right."


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import network

    return network()


EXERCISE = Exercise(
    name="layers",
    idea="Layer, MLP",
    wanted=("Layer", "MLP"),
    probes=probes,
    expected=expected,
    right=right,
    unit="property",
    introduces="lists of objects",
    allows=("engine",),
    mistakes=[
        Mistake("aliased-neurons", f"The four hidden neurons are one: {DISTINCT} different parameters, not "
                                   f"{COUNT}. [Neuron(…)] * n has n times "
                "the same neuron.", on(layer=shared(8, 4), mlp=shared(COUNT, DISTINCT))),
        Mistake("last-activated", "The last layer is activated, too: a tanh on the output can't say 3.7. It is linear.",
                on(mlp=but("mlp", values=mlp((True, True, True))))),
        Mistake("none-activated", "Without activations three layers are one: E is linear in x.",
                on(mlp=but("mlp", values=mlp((False,) * 3)), layer=but("layer", values=layer(X, 2, numbers(8), False)),
                   single=but("single", values=layer(X, 1, numbers(4), False)))),
        Mistake("scalar-for-1", "A layer of one neuron returns a list, of one: what comes next shouldn't have to ask.",
                on(single=scalar("single"), mlp=scalar("mlp"))),
        Mistake("shared-input-list", "A list that was passed is changed afterwards: work on a list of your own.",
                on(untouched=anything)),
        Mistake("parameters-nested", f"parameters() is a list of lists: one flat list of {COUNT} is wanted, so "
                                     "that one loop updates them all.",
                on(layer=nested, single=nested, mlp=nested)),
        Mistake("sizes-off", "The sizes are paired wrongly: each layer's inputs are the outputs of the one "
                             "before, 3 → 4 → 2 → 1: "
                "zip([inputs] + sizes, sizes).", on(mlp=off_sizes, refuses=anything, untouched=anything),
                lambda t: "mlp" in {t.probes[i]["part"] for i in t.wrong}),
    ],
    hints=(
        "A layer is a list of neurons over the same inputs; an MLP is layers, each fed by the one before.",
        "Layer: one output for each neuron, in a list. MLP: the outputs of a layer are the inputs of the next; "
        "the last is linear.",
        "The inputs of the layers are [inputs] + sizes without the last; the last activation is lambda s: s; "
        "parameters() joins the lists of "
        "the parts.",
        "The layers' sizes, with one blank:  for before, neurons in zip([____] + sizes, sizes)",
    ),
    after="Read now: Layer and MLP in nn/networks.py, and Module in nn/module.py, which finds the parameters by "
          "itself and names them.",
    fallback=fallback,
    see=see,
    see_text='draw(E, depth="neuron")',
)  # fmt: skip
