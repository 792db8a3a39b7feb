"""Exercise 7: topological order, the way backprop walks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, is_error, throughout
from demos.exercises.graphs import Graph, breadth_first, count_down, named, paths, preorder, randoms, too_early, walked
from demos.exercises.text import amount, number

COPIES = 6  # of each graph, to see whether the order is the same every time


@cache
def graphs() -> list[Graph]:
    """The line and the diamonds last: with recursion, or a visit for every path, no answer comes from there."""
    return [*(named()[f"P{i}"] for i in (5, 6, 1, 2, 3, 4, 9)), *randoms(), named()["P7"], named()["P8"]]


LINE, DIAMONDS = -2, -1


def probes(seed: int) -> list[Probe]:
    whole = len(graphs())
    return [
        {
            "part": "backward_order", "title": g.title, "place": i - whole, "graph": g.spec(),
            "copies": COPIES if len(g.data) < 100 else 1, "calls": 2 if len(g.data) < 100 else 1,
        }
        for i, g in enumerate(graphs())
    ]  # fmt: skip


def on(probe: Probe) -> Graph:
    return graphs()[probe["place"]]


def expected(probe: Probe) -> Answer:
    return on(probe).order


def valid(graph: Graph, order: Any) -> bool:
    """Root first, every node once, each before its inputs."""
    if (
        not isinstance(order, list)
        or len(order) != len(graph.order)
        or set(map(str, order)) != set(map(str, graph.order))
    ):
        return False
    place = {node: i for i, node in enumerate(order)}
    return order[0] == graph.root and all(place[node] < place[i] for node in graph.order for i in graph.inputs[node])


def right(probe: Probe, answer: Answer) -> bool:
    if is_error(answer) or not isinstance(answer, dict):
        return False
    orders, graph = answer["orders"], on(probe)
    return (
        not answer["changed"] and all(valid(graph, order) for order in orders) and all(o == orders[0] for o in orders)
    )


def first_order(answer: Answer) -> list[int] | None:
    if is_error(answer) or not isinstance(answer, dict) or not answer["orders"]:
        return None
    order = answer["orders"][0]
    return order if isinstance(order, list) else None


# -- the mistakes: each a test of the order on one graph, which must hold on all of them

NO_END = ("TimeLimit", "MemoryError", "Ended", "Unanswered", "RecursionError")


def where(
    test: Callable[[Graph, list[int]], bool], unanswered: tuple[int, ...] = (LINE,)
) -> Callable[[Probe, Answer], bool]:
    """Fits where the order passes the test; at these places no answer fits, too: recursion, or no end."""

    def fits(probe: Probe, answer: Answer) -> bool:
        order = first_order(answer)
        if order is None:
            return probe["place"] in unanswered and is_error(answer, *NO_END)
        return all(test(on(probe), o) for o in answer["orders"] if isinstance(o, list))

    return fits


def in_order(id: str, says: Any, *models: Callable[[Graph], list[int]]) -> Mistake:
    """A row of wrong order: the order is that of one of the models, on all graphs."""
    tests = [where(lambda graph, order, model=model: order == model(graph)) for model in models]  # type: ignore[misc]

    return Mistake(id, says, lambda p, a: any(test(p, a) for test in tests), lambda trial: throughout(trial, *tests))


def by_value(graph: Graph, order: list[int]) -> bool:
    """Valid but for nodes left out that share their value with another one."""
    missing = graph.inside - set(order)
    twins = all(any(graph.data[node] == graph.data[other] for other in order) for node in missing if twin(graph, node))
    return ordered(graph, order) and twins and all(twin(graph, node) or below(graph, node, missing) for node in missing)


def twin(graph: Graph, node: int) -> bool:
    return sum(graph.data[other] == graph.data[node] for other in graph.inside) > 1


def below(graph: Graph, node: int, missing: set[int]) -> bool:
    return all(c in missing for c, _ in graph.consumers(node))


def ordered(graph: Graph, order: list[int]) -> bool:
    """Each node once and before its inputs, though some may be missing."""
    place = {node: i for i, node in enumerate(order)}
    return (
        len(place) == len(order)
        and set(order) <= graph.inside
        and all(place[node] < place[i] for node in order for i in graph.inputs[node] if i in place)
    )


def never_ready(graph: Graph) -> set[int]:
    """The nodes that wait for ever if consumers outside of the graph are counted."""
    outside = {i for node in range(len(graph.data)) if node not in graph.inside for i in graph.inputs[node]}
    stuck, grown = outside & graph.inside, True
    while grown:
        more = {i for node in stuck for i in graph.inputs[node]} - stuck
        stuck, grown = stuck | more, bool(more)
    return stuck


def kahn_outside(graph: Graph, order: list[int]) -> bool:
    stuck = never_ready(graph)
    if order in (counted_down(graph), counted_down(graph, newest=True)):
        return True
    return set(order) == graph.inside - stuck and ordered(graph, order)


def counted_down(graph: Graph, newest: bool = False) -> list[int]:
    """Kahn's algorithm with all consumers counted, each once, also those outside; each edge takes one off."""
    return count_down(graph, Counter(input for inputs in graph.inputs for input in set(inputs)), newest)


def drops_leaves(graph: Graph, order: list[int]) -> bool:
    return set(order) == graph.inside - set(graph.leaves) and ordered(graph, order)


def not_reversed(graph: Graph, order: list[int]) -> bool:
    return valid(graph, order[::-1])


def no_seen(graph: Graph, order: list[int]) -> bool:
    """Every node once for each path, and not in pre-order."""
    found = paths(graph)
    return all(order.count(node) == found[node] for node in graph.order) and len(order) == sum(found.values())


def no_seen_also(trial: Trial) -> bool:
    return repeated(trial) and not recursive_apply_also(trial)


def repeated(trial: Trial) -> bool:
    return any(len(set(o)) < len(o) for a in trial.answers if (o := first_order(a)) is not None)


def recursive_apply(graph: Graph, order: list[int]) -> bool:
    return order == preorder(graph, per_path=True)


def recursive_apply_also(trial: Trial) -> bool:
    fits = where(recursive_apply, (LINE, DIAMONDS))
    return repeated(trial) and all(fits(p, a) for p, a in zip(trial.probes, trial.answers, strict=True))


def recursive(probe: Probe, answer: Answer) -> bool:
    return (probe["place"] == LINE and is_error(answer, "RecursionError", "Ended")) or (
        probe["place"] != LINE and (right(probe, answer) or is_error(answer, "Unanswered"))
    )


def set_order(probe: Probe, answer: Answer) -> bool:
    if probe["place"] == LINE and is_error(answer, "RecursionError"):
        return True
    return not is_error(answer) and not answer["changed"] and all(valid(on(probe), order) for order in answer["orders"])


def differ(trial: Trial) -> bool:
    """Some graph got more than one order."""
    return any(not is_error(answer) and len(answer["orders"]) > 1 for answer in trial.answers)


def marks(probe: Probe, answer: Answer) -> bool:
    if is_error(answer):
        return probe["place"] == LINE and is_error(answer, "RecursionError")
    return bool(answer["changed"]) and valid(on(probe), answer["orders"][0])


# -- sentences


def early(text: str, trial: Trial) -> str:
    """The node that went too early: what it passed on, and what was still to come."""
    for probe, answer in zip(trial.probes, trial.answers, strict=True):
        order, graph = first_order(answer), on(probe)
        found = too_early(graph, order) if order and set(order) == graph.inside else None
        if found:
            node, late = found
            have = walked(graph, order[: order.index(node)])[node] if order else 0.0
            still = {
                c: sum(graph.gradients[c] * p for consumer, p in graph.consumers(node) if consumer == c) for c in late
            }
            missing = " and ".join(f"{number(value)} via {graph.label[c]}" for c, value in still.items())
            name = graph.label[node]
            where = "" if probe is trial.first[0] else f"On {equations(graph)}: "
            return f"{where}{name} passed on {number(have)} while {missing} was still to come. {text}"
    return text


def equations(graph: Graph) -> str:
    return ", ".join(
        part for part in graph.title.split("   ") if "=" in part and not part.split("= ")[1][:1].isdigit()
    )[:60]


def is_stuck(trial: Trial) -> bool:
    """On the graph with nodes outside of E some are missing."""
    pairs = zip(trial.probes, trial.answers, strict=True)
    return any(
        graph is named()["P9"] and set(order) < graph.inside
        for graph, order in ((on(p), first_order(a)) for p, a in pairs)
        if order is not None
    )


def stuck(trial: Trial) -> str:
    graph = named()["P9"]
    return (
        f"{amount(len(never_ready(graph)), 'node')} never become ready: consumers outside of E were counted, and "
        "they never "
        f"pass anything on. Count only what E is computed from."
    )


def lost(trial: Trial) -> list[str]:
    """The nodes that are missing in the first order that is off."""
    probe, answer = trial.first
    graph, order = on(probe), first_order(answer) or []
    return [graph.label[node] for node in sorted(graph.inside - set(order))]


def missing(trial: Trial) -> str:
    graph, names = on(trial.first[0]), lost(trial)
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing on {equations(graph) or graph.title}: "


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    graph, order = on(probe), first_order(answer)
    if order is None:
        return "backward_order returns a list of nodes; yours returns something else."
    if answer["changed"]:
        return f"The nodes were changed ({', '.join(answer['changed'])}): an order is found without touching them."
    if -1 in order:
        return "The list holds something that is no node of the graph."
    if len(set(order)) < len(order):
        twice = next(node for node in order if order.count(node) > 1)
        return f"{graph.label[twice]} stands in the list {order.count(twice)} times; each node stands there once."
    if graph.inside - set(order):
        return missing(trial) + "every node that E is computed from is in the order, E too."
    return early("A node goes after all its consumers.", trial)


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    graph, order = on(probe), first_order(answer)
    if order is None or len(order) > 40:
        return graph.title, []
    names = " ".join(graph.label[node] if 0 <= node < len(graph.label) else "?" for node in order)
    return f"{graph.title}\nyours: {names}", []


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import stepped

    ways = {"preorder": "preorder", "breadth-first": "breadth-first", "recursive-apply": "preorder"}
    return stepped(named()["P5"], ways.get(id or ""), trial)


EXERCISE = Exercise(
    name="order",
    idea="topological order, the way backprop walks it",
    wanted=("backward_order",),
    probes=probes,
    expected=expected,
    right=right,
    unit="graph",
    introduces="while, own stack",
    mistakes=[
        in_order("preorder", partial(early, "Depth first is not enough: a node goes after all its consumers."),
                 preorder, partial(preorder, last_first=True), partial(preorder, at_push=True),
                 partial(preorder, at_push=True, last_first=True)),
        in_order("breadth-first", partial(early, "Level by level is not enough: a node goes after all its "
                                                 "consumers, also those "
                 "farther down."), breadth_first, partial(breadth_first, last_first=True)),
        Mistake("not-reversed", "Inputs first is the forward order; backprop walks it from the root. Turn the "
                                "list round.",
                where(not_reversed)),
        Mistake("recursive-apply", "A node stands in the list once for each path to it, and passes its gradient "
                                   "on each time: on "
                "c = a + a, E = c·c, c does so twice. Each node goes once, when it is complete.",
                where(recursive_apply, (LINE, DIAMONDS)), recursive_apply_also),
        Mistake("no-seen", "A node is visited once per path: on 40 diamonds that is 2^40 visits. Remember which "
                           "nodes have been seen.",
                where(no_seen, (LINE, DIAMONDS)), no_seen_also),
        Mistake("recursive", "RecursionError on the line of 5,000 nodes: Python's stack is about 1,000 calls "
                             "deep. Keep a stack of "
                "your own, a list.", recursive),
        Mistake("by-value", lambda t: missing(t) + "a node of the same value was there already. What has been "
                                                   "seen is the node, not "
                "its data.", where(by_value), lambda t: not is_error(t.first[1]) and bool(lost(t))),
        Mistake("kahn-outside", stuck, where(kahn_outside), is_stuck),
        Mistake("marks", "Something was left on the nodes: the second call finds its own marks and returns "
                         "another list. Keep what "
                "has been seen in a set of your own.", marks),
        Mistake("set-order", "The order is right, and different from run to run: a set has no order. Iterate "
                             "over lists, and use the "
                "set to ask what has been seen.", set_order, differ),
        Mistake("drops-leaves", lambda t: missing(t) + "leaves are nodes too, and it is their gradients that we want.",
                where(drops_leaves)),
    ],
    hints=(
        "Socks before shoes: which of two nodes has to go first, and who decides it?",
        "When may a node go? When all its consumers have gone: exercise 6. Or find, depth first, what lies below "
        "a node, and "
        "write the node down after that.",
        "A node is written down after everything reachable below it; then the list is turned round. With a stack "
        "of one's own, each "
        "entry is a node and the inputs that are still to be visited.",
        "The loop, with one blank:  while stack: node, rest = stack[-1]; for u in rest: if u not in seen: seen.add(u); "
        "stack.append((u, iter(u.inputs))); break; else: ____; return order[::-1]",
    ),
    after="The most asked question about backprop; with P5 you can answer it. Read now: topological_order in "
          "engine/order.py.",
    rows=rows,
    fallback=fallback,
    note=lambda trial: "By the time of birth: newest first. Why does that work?" if by_birth(trial) else "",
    see=see,
    see_text='Stepper(E, mistake="preorder")',
)  # fmt: skip


def by_birth(trial: Trial) -> bool:
    found = [(p, first_order(a)) for p, a in zip(trial.probes, trial.answers, strict=True)]
    return all(order == sorted(on(p).order, reverse=True) for p, order in found)
