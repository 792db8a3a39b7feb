"""Exercise 6: who may go next."""

from __future__ import annotations

from collections import Counter
from functools import cache, partial
from random import Random
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, is_error, near
from demos.exercises.graphs import Graph, graph, named, paths, randoms
from demos.exercises.text import amount, number

QUESTIONS = 8


@cache
def graphs() -> list[Graph]:
    return [*(named()[f"P{i}"] for i in (1, 2, 3, 4, 5, 6, 9, 7)), *randoms(12), named()["P8"]]


def probes(seed: int) -> list[Probe]:
    questions = [
        {
            "part": f"answer {i + 1}",
            "title": f"question {i + 1}: {edge}, after {', '.join(done)}",
            "place": i,
            "seed": seed,
        }
        for i, (edge, done) in enumerate(own(seed)[2])
    ]
    # the diamonds last: with a count of paths, no answer comes from there
    return [
        *questions,
        *({"part": "expected", "title": g.title, "place": i, "graph": g.spec()} for i, g in enumerate(graphs())),
    ]


# -- the graph of one's own


@cache
def own(seed: int) -> tuple[str, dict[str, float], list[tuple[str, list[str]]], list[Any]]:
    """GRAPH, NUMBERS, QUESTIONS and the answers, for a seed."""
    random = Random(1000 + seed)
    while True:
        text, numbers = drawn(random)
        try:
            made = graph(text, **numbers)
        except ArithmeticError:
            continue
        gradients = made.gradients
        used = all(len(made.consumers(i)) for i in range(len(made.data)) if i != made.root)
        ordinary = all(0.05 < abs(each) < 20 for each in (*made.data, *gradients.values()))
        shared = sum(len(made.consumers(i)) > 1 for i in made.order)
        questions = asked(made, random) if used and ordinary and shared >= 4 else None
        if questions:
            return text, numbers, *questions


def drawn(random: Random) -> tuple[str, dict[str, float]]:
    """Nine lines over three leaves, each of two different nodes or a tanh."""
    numbers = {name: random.choice((-1, 1)) * random.randrange(31, 177) / 100 for name in "abc"}
    names, lines = list(numbers), list[str]()
    for name in "pqrstuvwE":
        x, y = random.sample(names[-5:], 2)
        form = random.choice(["{x}*{y}", "{x}*{y}", "{x} + {y}", "{x} - {y}", "tanh({x})"])
        lines.append(f"{name} = {form.format(x=x, y=y)}")
        names.append(name)
    return "; ".join(lines), numbers


def asked(made: Graph, random: Random) -> tuple[list[tuple[str, list[str]]], list[Any]] | None:
    """Eight questions, five or six of them with a number, and their answers."""
    moments: list[tuple[str, list[str], Any]] = []
    for count in range(1, len(made.order)):
        done = made.order[:count]
        for q in made.order:
            if q in done or not made.inputs[q]:
                continue
            uses = [c for c, _ in made.consumers(q)]
            have = sum(c in done for c in uses)
            for p, slope in made.edges(q):
                if made.inputs[q].count(p) > 1:
                    continue
                answer = made.gradients[q] * slope if have == len(uses) else f"{have} of {len(uses)}"
                moments.append((f"{made.label[q]} -> {made.label[p]}", [made.label[i] for i in done], answer))
    random.shuffle(moments)
    ready = [m for m in moments if isinstance(m[2], float)]
    waiting = [m for m in moments if not isinstance(m[2], float) and not m[2].startswith("0")]
    chosen = list({m[0]: m for m in ready}.values())[:5] + list({m[2] + m[0]: m for m in waiting}.values())[:3]
    if len(chosen) < QUESTIONS:
        return None
    chosen.sort(key=lambda moment: len(moment[1]))
    return [(edge, done) for edge, done, _ in chosen], [answer for *_, answer in chosen]


def expected(probe: Probe) -> Answer:
    if probe["part"] != "expected":
        return own(probe["seed"])[3][probe["place"]]
    return counts(graphs()[probe["place"]])


def counts(g: Graph) -> list[int]:
    count = Counter(i for node in g.order for i in g.inputs[node])
    return [count[node] for node in g.order]


def right(probe: Probe, answer: Answer) -> bool:
    want = expected(probe)
    if is_error(answer):
        return False
    if probe["part"] != "expected":
        return near(answer, want, 5.1e-3) if isinstance(want, float) else squeezed(answer) == squeezed(want)
    return answer == want or (isinstance(answer, list) and answer[:1] == [None] and answer[1:] == want[1:])


def squeezed(answer: Answer) -> str:
    return " ".join(answer.lower().split()) if isinstance(answer, str) else ""


# -- the mistakes


def whole(model: Any, probe: Probe, answer: Answer) -> bool:
    """The counts are those of the model; the root may be missing, as everywhere."""
    if probe["part"] != "expected":
        return False
    g = graphs()[probe["place"]]
    if (
        model is number_of_paths
        and g.title == named()["P8"].title
        and is_error(answer, "TimeLimit", "MemoryError", "Ended", "Unanswered")
    ):
        return True
    if is_error(answer, "RecursionError") and g is named()["P7"]:
        return True  # whatever is counted, recursion has no way through there
    want = model(g)
    return isinstance(answer, list) and (answer == want or (answer[:1] == [None] and answer[1:] == want[1:]))


def nodes_not_edges(g: Graph) -> list[int]:
    count = Counter(i for node in g.order for i in set(g.inputs[node]))
    return [count[node] for node in g.order]


def edges_everywhere(g: Graph) -> list[int]:
    count = Counter(i for inputs in g.inputs for i in inputs)
    return [count[node] for node in g.order]


def consumers_everywhere(g: Graph) -> list[int]:
    count = Counter(i for inputs in g.inputs for i in set(inputs))
    return [count[node] for node in g.order]


def number_of_inputs(g: Graph) -> list[int]:
    return [len(g.inputs[node]) for node in g.order]


def root_1(g: Graph) -> list[int]:
    return [1, *counts(g)[1:]]


def number_of_paths(g: Graph) -> list[int]:
    found = paths(g)
    return [0, *(found[node] for node in g.order[1:])]


def by_value(g: Graph) -> list[int]:
    count = Counter[float]()
    for node, uses in zip(g.order, counts(g), strict=True):
        count[g.data[node]] += uses
    return [count[g.data[node]] for node in g.order]


def of(id: str, says: Any, *models: Any) -> Mistake:
    def fits(probe: Probe, answer: Answer) -> bool:
        return any(whole(model, probe, answer) for model in models)

    def also(trial: Trial) -> bool:  # one of the models throughout
        asked = [i for i, p in enumerate(trial.probes) if p["part"] == "expected"]
        return any(all(whole(model, trial.probes[i], trial.answers[i]) for i in asked) for model in models)

    return Mistake(id, says, fits, also)


def first_off(trial: Trial) -> tuple[Graph, int, Any, int]:
    probe, answer = trial.first
    g, want = graphs()[probe["place"]], expected(probe)
    same = not isinstance(answer, list) or len(answer) != len(want)
    i = 0 if same else next(i for i, each in enumerate(want) if answer[i] != each and (i or answer[i] is not None))
    return g, g.order[i], answer[i] if isinstance(answer, list) else answer, want[i]


def about(text: str, trial: Trial) -> str:
    g, node, yours, want = first_off(trial)
    return text.format(
        node=g.label[node],
        yours=number(yours),
        expects=amount(int(yours or 0), "contribution"),
        want=want,
        E=g.label[g.root],
        of=f"0 of {yours}",
    )


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    if probe["part"] != "expected":
        want = expected(probe)
        i = probe["place"] + 1
        if isinstance(want, str):
            return f'Question {i}: not every contribution to that node is in yet; the answer has the form "k of n".'
        if isinstance(answer, str):
            return (
                f"Question {i}: every contribution to that node is in, so a number flows: its gradient times "
                "the local derivative."
            )
        return f"Question {i}: what flows is the node's whole gradient times the local derivative on the edge."
    return about(
        "{node} gets {want} contributions on this graph; you expect {yours}. Count the edges of {E}'s graph that "
        "lead up from it.",
        trial,
    )


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    if probe["part"] != "expected":
        return f"{own(probe['seed'])[0].replace('; ', '   ')}\n{probe['title']}", []
    g, want = graphs()[probe["place"]], expected(probe)
    if not isinstance(answer, list) or len(want) > 40:
        return g.title, []
    return g.title, [
        (g.label[node], number(a), number(w), "ok" if a == w or (a is None and not i) else "off")
        for i, (node, a, w) in enumerate(zip(g.order, answer, want, strict=True))
    ][:10]


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import stepped

    return stepped(named()["P9" if id == "all-consumers" else "P2" if id == "nodes-not-edges" else "P3"], None, trial)


EXERCISE = Exercise(
    name="ready",
    idea="who may go next",
    wanted=("expected", "ANSWERS"),
    probes=probes,
    expected=expected,
    right=right,
    unit="question",
    telling=(QUESTIONS + 6, QUESTIONS + 1),  # P9 and P2
    introduces="dict, given.nodes, the stepper",
    grouped=lambda part: "expected" if part == "expected" else "answers",
    mistakes=[
        of("nodes-not-edges", partial(about, "{node} is used twice by one node: that is two edges, and two "
                                             "contributions. Yours "
           "counts consumers, {yours}; count edges, {want}."), nodes_not_edges),
        of("all-consumers", partial(about, "{node} would wait for ever for a node outside of {E}: yours expects "
           "{expects}, and {want} will come. Count edges of nodes that {E} is computed from."),
           edges_everywhere, consumers_everywhere),
        of("inputs-for-consumers", partial(about, "{yours} is the number of inputs of {node}, which it passes on "
                                                  "to; what it waits "
           "for comes from its consumers, {want}."), number_of_inputs),
        of("root-1", partial(about, "The root gets nothing from a consumer: ∂{E}/∂{E} = 1 is set before the "
                                    "first step. It expects 0."),
           root_1),
        of("paths", partial(about, "{yours} is the number of paths to {node}; a contribution comes once for each "
                                   "edge, {want}. On 40 "
           "diamonds there are 2^40 paths."), number_of_paths),
        of("by-value", partial(about, "{node} shares its count with a node of the same value: a dict by data "
                                      "mixes the two up. "
           "The node itself is a key."), by_value),
    ],
    hints=(
        "A node may pass its gradient on when nothing more will be added to it. How does it know?",
        "One contribution comes over each edge, so count how often a node stands among the inputs of the others.",
        "expected[node] = the number of times that node occurs in the inputs of nodes of the graph; "
        "given.nodes(root) has them "
        "all. A question: is every consumer among those that have passed on? Then grad · ∂q/∂p, else \"k of n\".",
        "For each node of given.nodes(root) and each of its inputs:  count[u] = count.get(u, 0) + 1",
    ),
    after='A node may pass its gradient on when it is complete. That is all that "topological order" says. Read '
          'now: the prompt\'s `w` '
    "(where), which counts `p  2 of 3 in`: engine/steps/stepper.py.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text="debug(E), then w",
)  # fmt: skip
