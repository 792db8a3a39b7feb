"""What `show` shows: a wrong pass, stepped with the engine, and the drawing; each exercise's `see` is made of these."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import nn
from demos.exercises.course import ENGINES, Trial, number_of
from demos.exercises.graphs import Graph
from demos.exercises.table import FUNCTIONS
from engine import Stepper, Value, compare, debug, draw, explain, gradcheck, label, operation, topological_order, total


@dataclass
class View:
    """A transcript, a drawing if there is one; for the prompt the graph, or the walk to where the transcript ends."""

    text: str
    drawing: Any = None
    E: Value | None = None
    walk: Callable[[], Stepper] | None = None

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        bundle = {"text/plain": self.text}
        if self.drawing is not None:
            bundle["image/svg+xml"] = self.drawing.svg()
        return bundle


def prompted(E: Value, *commands: str) -> str:
    out = io.StringIO()
    debug(E, commands=list(commands), stdout=out)
    return out.getvalue().rstrip()


def fresh(E: Value) -> None:
    E.zero_grad()


def stepped(graph: Graph, mistake: str | None, trial: Trial | None = None, twice: bool = False) -> View:
    """The walk with the mistake up to the first node that it puts off, or the right one up to the learner's."""
    off: Any
    E, names = graph.E, {value.label: value for value in graph.values}
    inside = set(topological_order(E))
    fresh(E)
    given = gradients_of(graph, trial)
    name = mistake if mistake in ENGINES else None
    if name:
        if twice:
            E.backward()
        Stepper(E, name).run()
        finals = {label: value.grad or 0.0 for label, value in names.items() if label and value in inside}
        off = compare(E, given or finals)
        node = off.node if off.node is not None else names[graph.label[graph.order[-1]]]
        fresh(E)
        if twice:
            E.backward()
        commands = [f"mistake {name}", f"until {node.label}"]
    else:
        off = compare(E, given) if given else None
        node = off.node if off is not None and off.node is not None else names[graph.label[graph.order[-1]]]
        commands = [f"until {node.label}", "w"]
    text = prompted(E, *commands)
    E.backward()  # the drawing shows the right gradients beside what is off
    drawing = draw(E, highlight=off) if off is not None and not off.ok else draw(E)
    fresh(E)

    def walk() -> Stepper:
        if twice:
            E.backward()
        return Stepper(E, name).until(node)

    return View(text, drawing, E, walk)


def gradients_of(graph: Graph, trial: Trial | None) -> dict[str, float]:
    """The gradients that came back for this graph, by label, if the exercise hands back gradients."""
    if trial is None or not trial.wrong or trial.exercise.name != "accumulate":
        return {}
    answer = trial.first[1]
    if not isinstance(answer, list) or len(answer) != len(graph.order):
        return {}
    pairs = zip(graph.order, answer, strict=True)
    return {graph.label[node]: x for node, each in pairs if (x := number_of(each)) is not None and math.isfinite(x)}


def stepped_expression(text: str, numbers: dict[str, float], both: bool = False) -> View:
    """One operation, stepped; both prints what the textbook form of its slope gives, too."""
    names = {name: Value(number, name) for name, number in numbers.items()}
    E = eval(text, FUNCTIONS | names)
    shown = [prompted(E, *(f"until {name}" for name in names))]
    if both and E.rule.also:
        x, z = numbers["x"], E.data
        textbook = eval(E.rule.also[0], FUNCTIONS | {"x": x, "z": z})
        shown.append(f"{E.rule.also[0]} gives {textbook!r}; {E.rule.partials[0]} gives {E.partials[0]!r}")
    return View("\n".join(shown), draw(E), E)


def explained(E: Value, w: Value) -> View:
    return View(repr(explain(E, w)), draw(E, highlight=explain(E, w)), E)


def tangent() -> View:
    """x³ - 2x at 0.7: chords of ever smaller h beside the tangent, and a check by the engine."""
    x = Value(0.7, "x")
    E = x**3 - 2.0 * x
    lines = ["x³ - 2x at x = 0.7: the slope of the chord from x to x + h, and of the one from x - h to x + h", ""]

    def f(t: float) -> float:
        return t**3 - 2 * t

    lines += [
        f"  h = {h:<7g} {(f(0.7 + h) - f(0.7)) / h:< 12.8f} {(f(0.7 + h) - f(0.7 - h)) / (2 * h):< 12.8f}"
        for h in (0.1, 0.01, 0.001, 0.0001)
    ]
    E.backward()
    lines += ["", f"the tangent's slope is {x.grad:.8f}", "", repr(gradcheck(E))]
    return View("\n".join(lines), draw(E), E)


def wrong_row() -> View:
    """An operation whose row is wrong: gradcheck says on which edge."""
    tanh_wrong = operation("tanh_wrong", "tanh(x)", "1 - x**2")
    a, b = Value(0.7, "a"), Value(-1.3, "b")
    E = tanh_wrong(a) * 2.7 + a * b
    return View(f'operation("tanh_wrong", "tanh(x)", "1 - x**2")\n\n{gradcheck(E)!r}', draw(E), E)


def neuron(aliased: bool = False) -> View:
    x = [Value(0.6, "x1"), Value(-1.1, "x2"), Value(1.7, "x3")]
    one = Value(0.45, "w1")
    w = [one, one, one] if aliased else [one, Value(0.9, "w2"), Value(-0.35, "w3")]
    b = Value(0.21, "b")
    s = total([*(wi * xi for wi, xi in zip(w, x, strict=True)), b])
    E = s.tanh()
    label(s=s, E=E)
    E.backward()
    view = View(repr(explain(E, one)), draw(E), E)
    return view


def network() -> View:
    model = nn.MLP(3, [4, 2, 1], activation="tanh", seed=3)
    [y] = model([0.6, -1.1, 1.7])
    y.backward()
    text = f"{len(model.parameters())} parameters: {', '.join(str(p.label) for p in model.parameters()[:5])}, …"
    return View(text, draw(y, depth="neuron"), y)


def three_errors() -> View:
    """The three E of the derivation, side by side on the table of exercise 14."""
    from demos.exercises.e14_error import answers

    rows = [("(15), (16)", "no-K", "1/M Σ_m ½ Σ_k (y - t)²"), ("(11)", "neither", "½ Σ_m Σ_k (y - t)²"),
            ("(27), (28)", "right", "1/(M·K) Σ_m ½ Σ_k (y - t)²")]  # fmt: skip
    lines = [f"  {where:<12}{formula:<30}{answers(name)[0]['E']:.7f}" for where, name, formula in rows]
    return View("\n".join(["The derivation's three E, on one table:", "", *lines]))


def training(stale: bool = False) -> View:
    x, t, w1, w2 = 1.3, 0.9, Value(0.8, "w1"), Value(-0.6, "w2")
    y = w2 * (w1 * x).tanh()
    E = (y - t) ** 2 * 0.5
    label(y=y, E=E)
    E.backward()
    if stale:
        w1.data -= 0.3 * (w1.grad or 0)
        w2.data -= 0.07 * (w2.grad or 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return View(prompted(E, "until w2", "until w1"), draw(E), E)


def contradictions() -> View:
    from demos.contradictions import print_contradictions

    out = io.StringIO()
    with redirect_stdout(out):
        print_contradictions()
    return View(out.getvalue().rstrip())


def hunted(trial: Trial | None) -> View:
    from demos.exercises import hunt

    seed = trial.probes[0]["seed"] if trial else 7
    place = trial.first[0]["place"] if trial and trial.wrong else 0
    broken = hunt.programs(seed)[place]
    E = hunt.run(broken.text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return View(f"{broken.name}.py\n\n{hunt.readable(broken.text)}\n\n{prompted(E, 'n', 'n')}", draw(E), E)
