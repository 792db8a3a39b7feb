"""Exercise 8: backward twice, and zero_grad."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, close, is_error, near
from demos.exercises.graphs import Graph, graph, named, randoms, walked
from demos.exercises.text import number

PRESET = 0.37
Held = dict[int, float]


@cache
def graphs() -> list[Graph]:
    """The cube, then others; the last two have a second root: two losses that share nodes."""
    return [
        graph("m = x*x; y = m*x", x=1.7),
        *(named()[f"P{i}"] for i in range(1, 7)),
        *randoms(6),
        graph("m = a*b; q = tanh(m); F = q*a; G = m*q; E = F + G", a=1.7, b=-0.6),
        graph("p = a*c; q = b*c; F = tanh(p); G = q*b; E = F*G", a=0.7, b=-1.4, c=1.3),
    ]


def probes(seed: int) -> list[Probe]:
    found: list[Probe] = []
    for i, g in enumerate(graphs()):
        roots = [g.label.index(name) for name in ("F", "G")] if "F" in g.label else [g.root] * 3
        title = g.title + (", backward of F, then of G" if "F" in g.label else ", backward three times")
        probe = {
            "part": "backward",
            "title": title,
            "place": i,
            "graph": g.spec(),
            "roots": roots,
            "preset": None,
            "inner": None,
        }
        found.append(probe)
        if 0 < i < 7:
            found.append(probe | {"preset": PRESET, "inner": PRESET, "title": f"{title}, every grad {PRESET} before"})
    places = (0, 1, 5)
    found += [
        {
            "part": "zero_grad",
            "title": f"zero_grad of the leaves of {graphs()[i].title}",
            "place": i,
            "graph": graphs()[i].spec(),
        }
        for i in places
    ]
    return found


def below(g: Graph, root: int) -> Graph:
    return g if root == g.root else Graph(g.title, g.values, root)


# -- what stands in the leaves after each pass

Pass = Callable[[Graph, Held, Held], Held]  # graph, what all nodes hold, leaves that are kept -> what all nodes hold


def passes(one: Pass, probe: Probe) -> list[list[float]]:
    g = graphs()[probe["place"]]
    held: Held = {i: (probe["inner"] if g.inputs[i] else probe["preset"]) or 0.0 for i in range(len(g.data))}
    snapshots = []
    for root in probe["roots"]:
        held = held | one(below(g, root), held, {})
        snapshots.append([held[leaf] for leaf in g.leaves])
    return snapshots


def right_pass(g: Graph, held: Held, _: Held) -> Held:
    return walked(g, g.order, held={leaf: held[leaf] for leaf in g.leaves})


def no_reset(g: Graph, held: Held, _: Held) -> Held:
    return walked(g, g.order, held={node: held[node] for node in g.order})


def seed_added(g: Graph, held: Held, _: Held) -> Held:
    return walked(g, g.order, held={node: held[node] for node in g.order}, seed=held[g.root] + 1)


def leaf_reset(g: Graph, held: Held, _: Held) -> Held:
    return walked(g, g.order)


def recursive_apply(g: Graph, held: Held, _: Held) -> Held:
    """Recursion that passes the accumulated gradient on down every path."""
    found = {node: held[node] if not g.inputs[node] else 0.0 for node in g.order}
    found[g.root] = 1.0
    stack = [(g.root, iter(g.edges(g.root)))]
    for _count in range(20_000):
        if not stack:
            return found
        node, rest = stack[-1]
        edge = next(rest, None)
        if edge is None:
            stack.pop()
            continue
        found[edge[0]] += found[node] * edge[1]
        stack.append((edge[0], iter(g.edges(edge[0]))))
    raise OverflowError


def expected(probe: Probe) -> Answer:
    if probe["part"] == "backward":
        return passes(right_pass, probe)
    g = graphs()[probe["place"]]
    return {"grads": [0.0] * len(g.leaves), "data": [g.data[leaf] for leaf in g.leaves]}


def right(probe: Probe, answer: Answer) -> bool:
    if is_error(answer):
        return False
    if probe["part"] == "backward":
        return close(answer, expected(probe))
    return all(zeroed(grad) for grad in answer["grads"]) and close(answer["data"], expected(probe)["data"])


def zeroed(grad: Any) -> bool:
    return grad is None or near(grad, 0.0)


# -- the mistakes


def as_pass(one: Pass) -> Callable[[Probe, Answer], bool]:
    def fits(probe: Probe, answer: Answer) -> bool:
        none_left = probe.get("roots") and probe["inner"] is None and is_error(answer, "TypeError")
        if one in (no_reset, seed_added) and none_left and "NoneType" in answer["says"]:
            return True  # nothing is reset, and so None stays; the presets tell
        try:
            return probe["part"] == "backward" and close(answer, passes(one, probe))
        except OverflowError:
            return False

    return fits


def of_zero(test: Callable[[list[Any], list[Any], list[float]], bool]) -> Callable[[Probe, Answer], bool]:
    def fits(probe: Probe, answer: Answer) -> bool:
        if probe["part"] != "zero_grad" or is_error(answer):
            return False
        return test(answer["grads"], answer["data"], expected(probe)["data"])

    return fits


def zero_nothing(grads: list[Any], data: list[Any], true: list[float]) -> bool:
    return all(near(grad, PRESET) for grad in grads) and close(data, true)


def zero_first(grads: list[Any], data: list[Any], true: list[float]) -> bool:
    return zeroed(grads[0]) and all(near(grad, PRESET) for grad in grads[1:]) and close(data, true)


def zero_data(grads: list[Any], data: list[Any], true: list[float]) -> bool:
    return all(each is None or near(each, 0.0) for each in data)


def cube(one: Pass) -> list[str]:
    """x.grad of y = (x·x)·x after each of three passes."""
    return [number(snapshot[0]) for snapshot in passes(one, probes(0)[0])]


def about_cube(text: str, one: Pass, trial: Trial) -> str:
    a, b, _ = cube(one)
    right = cube(right_pass)
    g = graphs()[0]
    m = number(g.gradients[g.label.index("m")])
    return text.format(first=a, second=b, right=right[1], m=m)


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    g = graphs()[probe["place"]]
    if is_error(answer):
        return probe["title"], []
    names = [g.label[leaf] for leaf in g.leaves]
    if probe["part"] == "zero_grad":
        return probe["title"], [
            (f"{name}.grad, {name}.data", f"{number(a)}, {number(d)}", f"0 or None, {number(t)}", "")
            for name, a, d, t in zip(names, answer["grads"], answer["data"], expected(probe)["data"], strict=True)
        ]
    table, off = [], False
    if not isinstance(answer, list):
        return probe["title"], []
    for i, (mine, true) in enumerate(zip(answer, expected(probe), strict=True)):
        for name, a, t in zip(names, mine, true, strict=True):
            note = "ok" if close(a, t) else "" if off else "first one off"
            off = off or note == "first one off"
            table.append((f"{name}.grad, pass {i + 1}", number(a), number(t), note))
    return probe["title"], table


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    if probe["part"] == "zero_grad":
        return "After zero_grad(leaves) every leaf's grad is 0.0 or None, and its data is as it was."
    for i, (mine, true) in enumerate(zip(answer, expected(probe), strict=True)):
        if not close(mine, true):
            when = "The first pass is off already" if i == 0 else f"Pass {i + 1} is the first that is off"
            return (
                f"{when}: leaves should have {', '.join(map(number, true))}, yours have {', '.join(map(number, mine))}."
            )
    return ""


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import stepped

    return stepped(graphs()[0], "no-reset" if id in ("no-reset", "seed-added") else None, trial, twice=True)


EXERCISE = Exercise(
    name="twice",
    idea="backward twice, and zero_grad",
    wanted=("backward", "zero_grad"),
    probes=probes,
    expected=expected,
    right=right,
    unit="graph",
    introduces="nothing new: 5 and 7 together",
    mistakes=[
        Mistake(
            "no-reset",
            partial(
                about_cube,
                "The second pass starts from m.grad = {m} left by the first: "
                "{first}, then {second}. PyTorch "
                "and pencil say {right}. Only leaves keep what they have.",
                no_reset,
            ),
            as_pass(no_reset),
        ),
        Mistake(
            "seed-added",
            partial(
                about_cube,
                "∂E/∂E = 1 was added to what the root still held: {first}, "
                "then {second}, and "
                "{right} is right. The root starts at 1 each time.",
                seed_added,
            ),
            as_pass(seed_added),
        ),
        Mistake(
            "leaf-reset",
            partial(
                about_cube,
                "{first}, then {second} again: the leaves were reset. Then "
                "what would zero_grad be for? Two "
                "samples' errors must be able to add up: {right}.",
                leaf_reset,
            ),
            as_pass(leaf_reset),
        ),
        Mistake(
            "recursive-apply",
            "The gradient is passed on down every path as it stands, not yet complete, "
            "and again later: a "
            "node passes on once, after all its consumers (exercise 7).",
            as_pass(recursive_apply),
        ),
        Mistake(
            "zero-nothing",
            f"Nothing is zeroed: every grad is {PRESET} as before. == compares, = assigns.",
            of_zero(zero_nothing),
        ),
        Mistake(
            "zero-first",
            "Only the first leaf is zeroed: the loop ends after it. Is there a return inside of it?",
            of_zero(zero_first),
        ),
        Mistake(
            "zero-data", "The parameter itself is gone: it is grad that starts anew, not data.", of_zero(zero_data)
        ),
    ],
    hints=(
        "Two samples' errors add up in a weight; does anything need to add up in the nodes between?",
        "Nodes with inputs start anew at every pass; leaves keep what they have, until zero_grad.",
        "Before the pass: 0.0 for every node with inputs, and for a leaf whose grad is None; then 1.0 for the "
        "root; then exercise 5 "
        "over the order of exercise 7.",
        "One line of it:  if node.inputs or node.grad is None: node.grad = 0.0",
    ),
    after="That is why PyTorch makes you call zero_grad, and when accumulating is a feature: the errors of a "
    "batch. Read now: "
    "backward() and zero_grad() in engine/value.py.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text='Stepper(E, mistake="no-reset")',
)
