"""Exercise 5: several paths add."""

from __future__ import annotations

from functools import partial
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, close, is_error
from demos.exercises.graphs import WAYS, Graph, named, randoms, walked
from demos.exercises.text import number


def graphs() -> list[Graph]:
    return [*(named()[f"P{i}"] for i in range(1, 7)), *randoms()]


def probes(seed: int) -> list[Probe]:
    return [{"part": "backprop", "title": g.title, "place": i, "graph": g.spec()} for i, g in enumerate(graphs())]


def on(probe: Probe) -> Graph:
    return graphs()[probe["place"]]


def in_order(graph: Graph, gradients: dict[int, float]) -> list[float]:
    return [gradients[node] for node in graph.order]


def expected(probe: Probe) -> Answer:
    return in_order(on(probe), on(probe).gradients)


def as_way(name: str, probe: Probe, answer: Answer) -> bool:
    graph = on(probe)
    return close(answer, in_order(graph, walked(graph, graph.order, **WAYS[name])))


def seed_data(probe: Probe, answer: Answer) -> bool:
    graph = on(probe)
    return close(answer, in_order(graph, walked(graph, graph.order, seed=graph.E.data)))


def leaf_only(probe: Probe, answer: Answer) -> bool:
    graph, right = on(probe), expected(probe)
    inner = [i for i, node in enumerate(graph.order) if graph.inputs[node] and i]
    return close(answer, [0.0 if i in inner else right[i] for i in range(len(right))]) or close(
        answer, [0.0 if i in (0, *inner) else right[i] for i in range(len(right))]
    )


def first_off(trial: Trial) -> tuple[Graph, int, Any]:
    """The graph that is off first, the first node that is off in backward order, and the gradient that came back."""
    probe, answer = trial.first
    graph, right = on(probe), expected(probe)
    i = next(i for i, each in enumerate(right) if not close(answer[i], each, trial.exercise.tolerance))
    return graph, graph.order[i], answer[i]


def by_consumers(graph: Graph, node: int) -> str:
    parts = [f"by {graph.label[c]} ({graph.gradients[c] * partial:+.4g})" for c, partial in graph.consumers(node)]
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}
TIMES = {1: "once", 2: "twice", 3: "three times", 4: "four times", 5: "five times"}


def times(count: int) -> str:
    return TIMES.get(count, f"{count} times")


def keeps(which: str, why: str, trial: Trial) -> str:
    graph, node, _ = first_off(trial)
    uses = len(graph.consumers(node))
    label = graph.label[node]
    return (
        f"{label} is used {times(uses)}: {by_consumers(graph, node)}. Yours is the {which} of the "
        f"{COUNTS.get(uses, uses)} alone: {why}"
    )


def on_edge(text: str, trial: Trial) -> str:
    """A sentence about the first node that is off and one of its consumers."""
    graph, node, yours = first_off(trial)
    consumer, partial = graph.consumers(node)[0] if graph.consumers(node) else (node, 1.0)
    return text.format(
        node=graph.label[node], consumer=graph.label[consumer], partial=number(partial), yours=number(yours),
        upstream=number(graph.gradients[consumer]), E=graph.label[graph.root], data=number(graph.E.data),
    )  # fmt: skip


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    graph, right = on(probe), expected(probe)
    title = probe["title"]
    if is_error(answer) or not isinstance(answer, list):
        return title, []
    table, off = [], None
    for node, yours, truth in zip(graph.order, answer, right, strict=True):
        if close(yours, truth):
            note = "ok"
        else:
            note = "first one off" if off is None else f"follows from {off}"
            off = off or graph.label[node]
        table.append((f"{graph.label[node]}.grad", number(yours), number(truth), note))
    return title, table


def fallback(trial: Trial) -> str:
    graph, node, yours = first_off(trial)
    before = graph.order[: graph.order.index(node)]
    right = f"All is right down to {graph.label[before[-1]]}; " if before else ""
    uses = by_consumers(graph, node)
    return (
        f"{right}{graph.label[node]} is the first that is off: used {uses or 'by nobody, as the root'}, yours "
        f"is {number(yours)}."
    )


def mistake(id: str, says: Any, asks: Any = "") -> Mistake:
    return Mistake(id, says, partial(as_way, id), asks=asks)


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import stepped

    return stepped(on(trial.first[0]) if trial else named()["P3"], id, trial)


EXERCISE = Exercise(
    name="accumulate",
    idea="several paths: add",
    wanted=("backprop",),
    probes=probes,
    expected=expected,
    tolerance=1e-12,
    unit="graph",
    telling=(2,),  # P3 has three uses, at different depths
    introduces="zip",
    mistakes=[
        mistake("assign", partial(keeps, "last", "= was written where += is needed."),
                partial(on_edge, "{node} has several consumers. How many of them does your {yours} count?")),
        mistake("no-seed", partial(on_edge, "All gradients are zero: nothing tells {E} that ∂{E}/∂{E} = 1.")),
        Mistake("seed-data", partial(on_edge, "Every gradient is multiplied by {E}.data = {data}: the pass begins with "
                                     "∂{E}/∂{E} = 1, not with the value of {E}."), seed_data),
        mistake("no-upstream", partial(on_edge, "Right for the nodes next to {E}; from there on the upstream factor is "
                                       "missing: {node} gets {partial} from {consumer}, times nothing.")),
        mistake("no-local", partial(on_edge, "The gradient of {consumer} is passed on as it is: the local derivative "
                                    "∂{consumer}/∂{node} = {partial} is missing.")),
        mistake("added", partial(on_edge, "Along a path gradients multiply: {upstream} · {partial} for "
                                 "{consumer} → {node}. Yours adds the two.")),
        mistake("swapped", partial(on_edge, "Each operand got the other's local derivative: ∂{consumer}/∂{node} is "
                                   "{partial}. inputs and partials go in the same order.")),
        mistake("once", partial(on_edge, "{consumer} uses {node} twice, so there are two edges and two "
                                         "contributions; a "
                                "set, or a dict, keeps one of them.")),
        mistake("first-only", partial(keeps, "first", "the other contributions were dropped.")),
        Mistake("leaf-only", "The leaves are right, and the nodes between were left as they were: every node has a "
                "gradient, and the next exercises read it.", leaf_only),
    ],
    hints=(
        "How does a small change of p reach E? Along every path from p to E, and the changes add up.",
        "One contribution for each edge: go through the nodes in the given order, and let each node contribute to each "
        "of its inputs. The root begins with ∂E/∂E = 1.",
        "p.grad = Σ over the consumers of p: consumer.grad · ∂consumer/∂p. zip(node.inputs, node.partials) gives the "
        "edges of a node.",
        "After order[0].grad = 1.0, for each node and each of its edges:  u.grad += node.grad * partial",
    ),
    after="The multivariate chain rule is the + of +=: what a node passes on is multiplied along a path and "
          "added where "
    "paths meet. Read now: backward() in engine/value.py, whose loop is yours with a look at infinities.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text='Stepper(E, mistake="assign")',
)  # fmt: skip
