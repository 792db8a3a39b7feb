"""Exercise 9: an engine of one's own, against the engine here."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from demos.exercises import drive, e08_twice, graphs
from demos.exercises.course import ENGINES, Answer, Exercise, Mistake, Probe, Trial, close, is_error, throughout
from demos.exercises.graphs import WAYS, Graph, walked
from demos.exercises.programs import (
    NUMBERS,
    OPERATIONS,
    Operate,
    Program,
    as_micrograd,
    built,
    deep,
    micrograd,
    randoms,
    replaced,
    wide,
)
from demos.exercises.text import number
from engine import Value

REPEATED = [7, 23, 41]  # random programs on which backward runs three times
FOREIGN = ["a + '1.5'", "None * a", "a / [1.5]", "'1.5' - a", "a ** '2'"]


@cache
def programs() -> list[tuple[str, Program]]:
    """Every program with its part; the deep one last."""
    return [
        *(("operations", each) for each in OPERATIONS),
        *(("numbers", each) for each in NUMBERS),
        ("expression", micrograd()),
        *(("graphs", each) for each in randoms()),
        ("wide", wide()),
        *(("repeated", randoms()[i]) for i in REPEATED),
        ("deep", deep()),
    ]


def probes(seed: int) -> list[Probe]:
    found: list[Probe] = [
        {"part": part, "title": each["title"], "place": i, "program": each, "passes": 3 if part == "repeated" else 1}
        for i, (part, each) in enumerate(programs())
    ]
    found.insert(
        len(OPERATIONS) + len(NUMBERS), {"part": "errors", "title": "operands that are no numbers", "place": -1}
    )
    return found


Walk = Callable[[Graph, dict[int, float], dict[int, float]], dict[int, float]]


def result(given: Program, passes: int, operate: Operate, walk: Walk, zero: str = "all") -> Answer:
    """What an engine made of this gives: E, and the leaves' gradients after each pass; the last after zero_grad."""
    graph = built(given, operate)
    held = dict.fromkeys(range(len(graph.data)), 0.0)
    snapshots = []
    leaves = range(len(given["leaves"]))
    for i in range(passes):
        if i == 2:
            held |= {leaf: 0.0 for leaf in leaves if zero == "all" or (zero == "first" and leaf == 0)}
        held = held | walk(graph, held, {})
        snapshots.append([held[leaf] for leaf in leaves])
    return {"E": graph.E.data, "gradients": snapshots}


@cache
def truth(place: int) -> Answer:
    part, given = programs()[place]
    return result(given, 3 if part == "repeated" else 1, drive.operate, e08_twice.right_pass)


def expected(probe: Probe) -> Answer:
    return ["TypeError"] * len(FOREIGN) if probe["part"] == "errors" else truth(probe["place"])


# -- the mistakes: an operation with another row, another walk back, another order

Variant = tuple[Operate, Walk, str]
RIGHT: Walk = e08_twice.right_pass


def rows_of(zero: str = "all", **rows: tuple[str, ...]) -> list[Variant]:
    operate = replaced(**rows)
    return [(operate, RIGHT, zero), (as_micrograd(operate), RIGHT, zero)]


def walks(*ways: Walk) -> list[Variant]:
    return [(operate, way, "all") for way in ways for operate in (drive.operate, as_micrograd(drive.operate))]


def pass_of(order: Callable[[Graph], list[int]] = graphs.RIGHT_ORDERS[0], **way: Any) -> Walk:
    """A walk in this order, with what differs in it; leaves keep what they have."""

    def walk(graph: Graph, held: dict[int, float], _: dict[int, float]) -> dict[int, float]:
        visits = order(graph)
        given = {leaf: held[leaf] for leaf in graph.leaves}
        if "own_seed" in way:
            return walked(graph, visits, held=given, seed=graph.E.data)
        return walked(graph, visits, held=given, **way)

    return walk


def last_alone(edges: list[tuple[int, float]]) -> list[tuple[int, float]]:
    return edges[-1:]


def last_each(edges: list[tuple[int, float]]) -> list[tuple[int, float]]:
    return edges[-1:] * len(edges)


def reflected(op: str) -> Operate:
    """2.5 - a computed as a - 2.5."""
    return lambda name, *operands: (
        drive.operate(name, *operands[::-1])
        if name == op and not isinstance(operands[0], Value)
        else drive.operate(name, *operands)
    )


def all_alike(name: str) -> Operate:
    """Functions made in a loop, all of them the last one."""
    return lambda op, *operands: drive.operate(name if op in ("exp", "log", "tanh", "relu") else op, *operands)


def whole_power(op: str, *operands: Any) -> Any:
    return drive.operate(op, operands[0], float(int(operands[1]))) if op == "pow" else drive.operate(op, *operands)


PRE = [graphs.preorder, lambda g: graphs.preorder(g, last_first=True), lambda g: graphs.preorder(g, at_push=True),
       lambda g: graphs.preorder(g, at_push=True, last_first=True)]  # fmt: skip
BREADTH = [graphs.breadth_first, lambda g: graphs.breadth_first(g, last_first=True)]
VARIANTS: dict[str, list[Variant]] = {
    "sub-sign": rows_of(sub=("x - y", "1", "1")),
    "rsub-swapped": [(reflected("sub"), RIGHT, "all")],
    "rdiv-swapped": [(reflected("div"), RIGHT, "all")],
    "pow-int-only": [(whole_power, RIGHT, "all")],
    "neg-dropped": [*rows_of(neg=("x", "1")), *rows_of(neg=("-x", "1"))],
    "div-no-square": [*rows_of(div=("x / y", "1 / y", "-x / y")), *rows_of(div=("x / y", "1 / y", "-1 / y"))],
    "mul-swapped": rows_of(mul=("x * y", "x", "y")),
    "exp-data": rows_of(exp=("exp(x)", "x")),
    "log-log": rows_of(log=("log(x)", "log(x)")),
    "tanh-x": rows_of(tanh=("tanh(x)", "1 - x**2")),
    "tanh-z": rows_of(tanh=("tanh(x)", "1 - z")),
    "relu-z": rows_of(relu=("x if x > 0 else 0", "z")),
    "closure-late": [*walks(pass_of(edges=last_alone), pass_of(edges=last_each)),
                     *[(all_alike(name), RIGHT, "all") for name in ("exp", "log", "tanh", "relu")]],
    "assign": walks(*[pass_of(order, **WAYS["assign"]) for order in graphs.RIGHT_ORDERS]),
    "first-only": walks(*[pass_of(order, **WAYS["first-only"]) for order in graphs.RIGHT_ORDERS]),
    "no-seed": walks(pass_of(**WAYS["no-seed"])),
    "seed-data": walks(pass_of(own_seed=True)),
    "no-upstream": walks(pass_of(**WAYS["no-upstream"])),
    "no-local": walks(pass_of(**WAYS["no-local"])),
    "added": walks(pass_of(**WAYS["added"])),
    "swapped": walks(pass_of(**WAYS["swapped"])),
    "once": walks(pass_of(**WAYS["once"]), pass_of(edges=graphs.once_last)),
    "preorder": walks(*[pass_of(order) for order in PRE]),
    "breadth-first": walks(*[pass_of(order) for order in BREADTH]),
    "not-reversed": walks(pass_of(lambda g: g.order[::-1])),
    "recursive-apply": walks(e08_twice.recursive_apply),
    "no-reset": walks(e08_twice.no_reset),
    "seed-added": walks(e08_twice.seed_added),
    "leaf-reset": walks(e08_twice.leaf_reset),
    "zero-nothing": rows_of(zero="none"),
    "zero-first": rows_of(zero="first"),
}  # fmt: skip
WITH_NUMBERS = ("swapped", "closure-late", "added")  # where a number, made into a node, changes what comes out


def agrees(id: str, variant: Variant, probe: Probe, answer: Answer) -> bool:
    part = probe["part"]
    if part == "errors" or (is_error(answer, "Unanswered")):
        return part != "errors" or bool(answer == expected(probe))
    if part in ("numbers", "expression") and id in WITH_NUMBERS and not is_error(answer):
        return True
    if part in ("deep", "wide") and id == "recursive-apply":
        return True  # it has no end there
    if id == "pow-int-only" and is_error(answer):
        return "**" in probe["title"] and not float(probe["title"].split("**")[1]).is_integer()
    operate, walk, zero = variant
    try:
        want = result(programs()[probe["place"]][1], probe["passes"], operate, walk, zero)
    except (ArithmeticError, ValueError):
        return True  # nothing ordinary comes of it
    return not is_error(answer) and close(answer, want, 1e-8)


def row(id: str, says: str, asks_of: int = 0) -> Mistake:
    def also(trial: Trial) -> bool:
        return throughout(trial, *(partial(agrees, id, variant) for variant in VARIANTS[id]))

    return Mistake(id, says + (f" (It was right in exercise {asks_of}.)" if asks_of else ""), lambda p, a: True, also)


def errors_in(part: str, *names: str, some: str = "") -> Callable[[Trial], bool]:
    """All that is wrong are errors of this kind in this part."""

    def also(trial: Trial) -> bool:
        off = [(trial.probes[i], trial.answers[i]) for i in trial.wrong if not is_error(trial.answers[i], "Unanswered")]
        return bool(off) and all(
            p["part"] in part.split() and is_error(a, *names) and re.search(some, a["says"]) for p, a in off
        )

    return also


def coerced(trial: Trial) -> bool:
    return [trial.probes[i]["part"] for i in trial.wrong] == ["errors"] and "no error" in trial.answer("errors")


def on_errors(id: str, says: str, also: Callable[[Trial], bool]) -> Mistake:
    return Mistake(id, says, lambda p, a: True, also)


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    if probe["part"] == "errors":
        i = next(i for i, each in enumerate(answer) if each != "TypeError")
        return f"{FOREIGN[i]} should be a TypeError; yours: {answer[i]}."
    want = expected(probe)
    what = str(probe["title"])
    if not close(answer["E"], want["E"]):
        return f"{what}: the value is {number(want['E'])}, yours is {number(answer['E'])}."
    for i, (mine, true) in enumerate(zip(answer["gradients"], want["gradients"], strict=True)):
        for name, a, t in zip("abcd", mine, true, strict=False):
            if not close(a, t):
                when = f" after pass {i + 1}" if probe["passes"] > 1 else ""
                return f"{what}: the value is right; {name}.grad is {number(t)}{when}, yours is {number(a)}."
    return what


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    if is_error(answer) or probe["part"] == "errors":
        return probe["title"], []
    want = expected(probe)
    table = [("E", number(answer["E"]), number(want["E"]), "")]
    last = next(
        (i for i, (m, t) in enumerate(zip(answer["gradients"], want["gradients"], strict=True)) if not close(m, t)), 0
    )
    for name, a, t in zip("abcd", answer["gradients"][last], want["gradients"][last], strict=False):
        table.append((f"{name}.grad", number(a), number(t), "ok" if close(a, t) else "off"))
    given = probe["program"]["leaves"]
    title = f"{probe['title']}, times c" if probe["part"] in ("operations", "numbers") else probe["title"]
    return f"{title}   {' '.join(f'{name} = {x:g}' for name, x in zip('abcd', given, strict=False))}", table


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import stepped

    return stepped(graphs.named()["P4"], id if id in ENGINES else None, trial)


EXERCISE = Exercise(
    name="engine",
    idea="an engine of your own",
    wanted=("Node", "zero_grad"),
    probes=probes,
    expected=expected,
    tolerance=1e-9,
    unit="law",
    introduces="modules, math.exp",
    mistakes=[
        row("sub-sign", "∂(a - b)/∂b is -1: out.grad is taken from b.grad. (A port shipped `other.grad += "
                        "out.grad`, and defended it.)"),
        row("rsub-swapped", "2.5 - a gives a - 2.5: __rsub__(self, other) means other - self."),
        row("rdiv-swapped", "2.5 / a gives a / 2.5: __rtruediv__(self, other) means other / self."),
        row("pow-int-only", "a ** 2.5 fails, or takes a whole exponent: any number will do, y · x^(y-1)."),
        row("neg-dropped", "-a lost its sign."),
        row("div-no-square", "∂(a / b)/∂b is -a / b²: one b is missing."),
        row("mul-swapped", "∂(a·b)/∂a is b: of a product, the other operand.", 4),
        row("exp-data", "e^x is its own slope: the output, not the input.", 2),
        row("log-log", "The slope of log x is 1 / x.", 2),
        row("tanh-x", "1 - z² has the square of tanh's output; yours has that of its input.", 2),
        row("tanh-z", "The square is missing: 1 - z².", 2),
        row("relu-z", "relu's slope is 1 or 0, not the value.", 2),
        row("closure-late", "Functions made in a loop see the loop's variable as it is at the end: the last "
                            "operand, or the last function, is used each "
            "time. Bind it: def push(u=u, …)."),
        row("assign", "= was written where += is needed: of several contributions the last alone remains.", 5),
        row("first-only", "The first contribution is kept, the others dropped.", 5),
        row("no-seed", "All gradients are zero: nothing says that ∂E/∂E = 1.", 5),
        row("seed-data", "Every gradient is E.data times too big: the pass begins with 1.", 5),
        row("no-upstream", "The local derivative alone is added: the upstream gradient is missing.", 5),
        row("no-local", "The upstream gradient alone is passed on: the local derivative is missing.", 5),
        row("added", "Along a path gradients multiply; yours adds upstream and local derivative.", 5),
        row("swapped", "Each operand gets the other's local derivative.", 5),
        row("once", "a + a has two edges: a set of inputs keeps one.", 4),
        row("preorder", "Depth first is not enough: a node passes on after all its consumers.", 7),
        row("breadth-first", "Level by level is not enough: a node passes on after all its consumers.", 7),
        row("not-reversed", "The nodes are walked inputs first; backprop begins at the root.", 7),
        row("recursive-apply", "The gradient is passed on down every path, while it is still being added to.", 7),
        row("no-reset", "The second pass starts from what the first left in the nodes between.", 8),
        row("seed-added", "∂E/∂E = 1 was added to what the root still held.", 8),
        row("leaf-reset", "backward resets the leaves, too: then two samples' errors can't add up.", 8),
        row("zero-nothing", "zero_grad zeroes nothing: == compares, = assigns.", 8),
        row("zero-first", "zero_grad zeroes the first leaf alone: a return inside of the loop?", 8),
        on_errors("no-radd", "2.5 + a: float doesn't know your Node, so Python asks Node for __radd__, __rmul__ "
                            "and the others. (Exercise 4.)",
                 errors_in("numbers expression", "TypeError", some=r"type\(s\) for [-+*/]+: '(float|int)' and")),
        on_errors("radd-loop", "You call yourself: in __radd__, other + self asks for __radd__ again. (Exercise 4.)",
                 errors_in("numbers expression", "RecursionError")),
        on_errors("recursion", "RecursionError on a chain of 5,000 nodes: keep a stack of your own, as in exercise 7.",
                 errors_in("deep wide", "RecursionError", "Ended")),
        on_errors("coerce-str", 'a + "1.5" should be refused: a text is no number. (Exercise 4.)', coerced),
    ],
    hints=(
        "Exercises 4, 5, 7 and 8 in one file. What is new? Four operations and three functions, and they are "
        "rows of exercise 2.",
        "a - b needs no derivative of its own if it is a + (-b); __rsub__(self, other) is other - self.",
        "Node: + - * / with numbers on either side, ** number, -a; exp, log, tanh, relu as methods; backward in "
        "the order of exercise 7, "
        "interior grads anew, leaves accumulate. Refuse what is no number with TypeError.",
        "One helper makes every node, with one blank:  return make(math.tanh(self.data), [self], [1 - ____ ** 2])",
    ),
    after="You have written micrograd. Read engine/value.py next to it: what do its forty more lines buy? "
          "Exercises 12 to 15 may now run on your own: "
    "from e09_engine import Node.",
    rows=rows,
    fallback=fallback,
    see=see,
    see_text='Stepper(E, mistake="assign")',
)  # fmt: skip
