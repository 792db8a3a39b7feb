"""Exercise 4: what has to be remembered when a graph is built."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, is_error, near
from demos.exercises.graphs import named

A, B, C = 1.7, -0.6, 2.5  # two nodes, and a plain number
X, LATER = 3.0, 10.0  # x·x, and what x is set to afterwards
EQUAL = 0.9
TESTS = {
    "leaf": "a leaf", "label": "a labelled leaf", "add": "a + b", "mul": "a * b", "twice": "a + a",
    "moment": f"x * x at {X:g}, x.data changed to {LATER:g} afterwards", "number right": "a + 2.5 and a * 2.5",
    "number left": "2.5 + a and 2.5 * a", "equal": "two leaves of 0.9", "foreign": 'a + "1.5", a * None, [1.5] + '
                                                                                   'a, "1.5" * a',
}  # fmt: skip


def probes(seed: int) -> list[Probe]:
    return [{"part": test, "title": title, "numbers": [A, B, C, X, LATER, EQUAL]} for test, title in TESTS.items()]


def node(data: float, op: str | None, inputs: list[Any], partials: list[Any], label: Any = None) -> dict[str, Any]:
    return {"data": data, "grad": None, "op": op, "inputs": inputs, "partials": partials, "label": label}


EXPECTED: dict[str, Any] = {
    "leaf": node(A, None, [], []),
    "label": node(A, None, [], [], "a"),
    "add": node(A + B, "add", ["a", "b"], [1.0, 1.0]),
    "mul": node(A * B, "mul", ["a", "b"], [B, A]),
    "twice": node(A + A, "add", ["a", "a"], [1.0, 1.0]),
    "moment": [X, X],
    "equal": {"equal": False, "keys": 2, "inputs": 2},
    "foreign": ["TypeError"] * 4,
}


def expected(probe: Probe) -> Answer:
    part = probe["part"]
    if part.startswith("number"):
        return [node(A + C, "add", ["a", C], [1.0, None]), node(A * C, "mul", ["a", C], [C, None])]
    return EXPECTED[part]


def right(probe: Probe, answer: Answer) -> bool:
    part, want = probe["part"], expected(probe)
    if is_error(answer):
        return False
    if part.startswith("number"):
        return isinstance(answer, list) and all(with_number(a, w) for a, w in zip(answer, want, strict=True))
    if isinstance(want, dict) and "op" in want:
        return same_node(answer, want)
    if part == "moment":
        return isinstance(answer, list) and len(answer) == 2 and all(near(each, X) for each in answer)
    return bool(answer == want)


def same_node(answer: Answer, want: dict[str, Any], *without: str) -> bool:
    ordered = "inputs" in without or answer.get("kind") in ("list", "tuple")
    return ordered and all(same(answer.get(key), each) for key, each in want.items() if key not in without)


def same(a: Any, w: Any) -> bool:
    if isinstance(w, float):
        return near(a, w)
    if isinstance(w, list):
        return isinstance(a, list) and len(a) == len(w) and all(map(same, a, w))
    return type(a) is type(w) and bool(a == w)


def with_number(answer: Answer, want: dict[str, Any], swapped: bool = False) -> bool:
    """A plain number is wrapped into a node, or stands in inputs with None in partials; in either order."""
    if is_error(answer) or not same_node(answer, want, "inputs", "partials"):
        return False
    inputs, partials = answer["inputs"], answer["partials"]
    if not (isinstance(inputs, list) and isinstance(partials, list) and len(inputs) == len(partials) == 2):
        return False
    by_a = want["partials"][0]
    if swapped and want["op"] == "mul":
        by_a = A
    wrapped = {"node": C}
    for at_a, at_c in ((0, 1), (1, 0)):
        if inputs[at_a] == "a" and near(partials[at_a], by_a):
            if inputs[at_c] == wrapped:
                by_c = {"add": (1.0,), "mul": (C, A) if swapped else (A,)}[want["op"]]
                return any(near(partials[at_c], each) for each in by_c) or partials[at_c] is None
            return near(inputs[at_c], C) and partials[at_c] is None
    return False


# -- the mistakes


def on(**fits: Callable[[Answer], bool]) -> Callable[[Probe, Answer], bool]:
    """By part (with _ for a blank), what the answer looks like; the other parts must be right."""
    return lambda probe, answer: (test := fits.get(probe["part"].replace(" ", "_"))) is not None and bool(test(answer))


def is_set(answer: Answer) -> bool:
    return not is_error(answer) and (len_of(answer) == 1 or answer.get("kind") in ("set", "frozenset"))


def len_of(answer: Answer) -> int:
    inputs = answer.get("inputs")
    return len(inputs) if isinstance(inputs, list) else -1


def as_set(answer: Answer) -> bool:
    """A node otherwise right whose inputs are a set."""
    return not is_error(answer) and answer.get("kind") in ("set", "frozenset")


def grad_0(answer: Answer) -> bool:
    return not is_error(answer) and near(answer.get("grad"), 0.0)


def swapped(answer: Answer) -> bool:
    return not is_error(answer) and same(answer.get("partials"), [A, B])


def each_is_error(*names: str) -> Callable[[Answer], bool]:
    return lambda answer: isinstance(answer, list) and any(is_error(each, *names) for each in answer)


def unwrapped(answer: Answer) -> bool:
    """A float among the inputs with a partial, or without a place for one; or .data asked of a float."""
    if not isinstance(answer, list):
        return False
    for each in answer:
        if is_error(each, "AttributeError") and "float" in each["says"]:
            return True
        if isinstance(each, dict) and isinstance(each.get("inputs"), list):
            plain = [i for i, input in enumerate(each["inputs"]) if isinstance(input, float)]
            partials = each["partials"] if isinstance(each["partials"], list) else []
            if any(i >= len(partials) or partials[i] is not None for i in plain):
                return True
    return False


def swapped_number(answer: Answer) -> bool:
    want = [node(A + C, "add", ["a", C], [1.0, None]), node(A * C, "mul", ["a", C], [C, None])]
    return isinstance(answer, list) and all(with_number(a, w, swapped=True) for a, w in zip(answer, want, strict=True))


def late(answer: Answer) -> bool:
    return isinstance(answer, list) and len(answer) == 2 and all(near(each, LATER) for each in answer)


def coerced(answer: Answer) -> bool:
    return isinstance(answer, list) and "no error" in answer


def float_first(says: str) -> bool:
    """Whether Python found no method for a float on the left."""
    return re.search(r"unsupported operand type\(s\) for [-+*/]+: '(float|int)' and", says) is not None


def equal(answer: Answer) -> bool:
    return is_error(answer, "TypeError") or (isinstance(answer, dict) and answer.get("equal") is True)


def sum_of(part: str, trial: Trial) -> str:
    return part.format(right=f"{2 * X:g}", wrong=f"{2 * LATER:g}", a=trial.exercise.number)


def left_error(trial: Trial) -> str:
    answer = trial.answer("number left")
    which = "2 + a" if is_error(answer[0]) else "2 * a"
    return (
        f"{which}: float doesn't know your Node, so Python asks the right side for "
        f"{'__radd__' if '+' in which else '__rmul__'}."
    )


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    want = expected(probe)
    if is_error(answer):
        where = f" ({answer['at']})" if answer["at"] else ""
        return f"{answer['error']} on {probe['title']}: {answer['says']}{where}."
    if probe["part"] == "foreign":
        i = next(i for i, each in enumerate(answer) if each != "TypeError")
        return f"{probe['title'].split(', ')[i]} should raise TypeError; yours: {answer[i]}."
    if isinstance(want, dict) and isinstance(answer, dict):
        key = next((key for key, each in want.items() if not same(answer.get(key), each)), "")
        return f"{probe['title']}: {key} is {answer.get(key)!r}, and {want.get(key)!r} is right."
    if probe["part"] == "moment":
        return (
            f"x·x at {X:g} has the partials [{X:g}, {X:g}], whatever x.data is set to afterwards; yours are {answer}."
        )
    found = next((a for a, w in zip(answer, want, strict=True) if not with_number(a, w)), answer)
    if is_error(found):
        return f"{found['error']} on {probe['title']}: {found['says']}."
    return (
        f"{probe['title']}: a plain number is wrapped into a Node, or stands in inputs with None in partials; "
        f"yours is {found}."
    )


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import stepped

    return stepped(named()["P4" if id == "eq" else "P2"], "once" if id == "set" else None, trial)


EXERCISE = Exercise(
    name="node",
    idea="what has to be remembered",
    wanted=("Node",),
    probes=probes,
    expected=expected,
    right=right,
    unit="property",
    introduces="class, operators",
    mistakes=[
        Mistake("set", "a + a has two edges; a set keeps one, and loses the order. ∂(a+a)/∂a comes out as 1.",
                on(twice=is_set, add=as_set, mul=as_set, leaf=as_set, label=as_set, equal=lambda a: False,
                   number_right=lambda a: True, number_left=lambda a: True),
                lambda t: any(t.probes[i]["part"] in ("twice", "add", "mul") for i in t.wrong)),
        Mistake("late", lambda t: sum_of("After a.data changed, your partial is that of a point which E was "
                                         "never computed at: {wrong} "
                "for {right} on x·x. Write the numbers down when the node is made.", t), on(moment=late)),
        Mistake("mul-swapped", "∂(a·b)/∂a is b: of a product, the other operand. Yours are the other way round.",
                on(mul=swapped, number_right=swapped_number, number_left=swapped_number)),
        Mistake("grad-0", "0 is an answer; 'not computed yet' is None.",
                on(leaf=grad_0, label=grad_0, add=grad_0, mul=grad_0, twice=grad_0, number_right=lambda a: grad_0(a[0]),
                   number_left=lambda a: grad_0(a[0]))),
        Mistake("no-radd", left_error, on(number_left=lambda a: isinstance(a, list) and any(
            is_error(each, "TypeError") and float_first(each["says"]) for each in a))),
        Mistake("radd-loop", "You call yourself: in __radd__, other + self asks for __radd__ again, for ever. "
                             "Write self + other.",
                on(number_left=each_is_error("RecursionError"))),
        Mistake("eq", "Two leaves of 0.9 became one (they do in P4, too): nodes are compared by their contents. "
                      "A node is equal "
                "to itself alone; of a dataclass, @dataclass(eq=False).", on(equal=equal)),
        Mistake("unwrapped", "A float was put among the inputs without a place in partials, and it has no .data: "
                             "wrap it into a "
                "Node, or write None for its partial.", on(number_right=unwrapped, number_left=unwrapped)),
        Mistake("coerce-str", 'a + "1.5" should be refused: float("1.5") turns a slip into a number. Take int '
                              'and float alone, '
                "and return NotImplemented for the rest.", on(foreign=coerced)),
    ],
    hints=(
        "Which numbers will backprop need once the forward pass is over? Those are what a node has to remember.",
        "A node remembers its operands in order, and for each of them ∂node/∂operand at this moment.",
        "a + b has the partials (1.0, 1.0); a * b has (b.data, a.data). float + Node asks Node for __radd__. Return "
        "NotImplemented for what is neither a Node nor a number.",
        "One helper makes all nodes; of a product:  made.partials = (other.data, self.data)",
    ),
    after="A graph is numbers and who they were made of. Read now: engine/value.py down to the operators; one "
          "line of the table makes "
    "each of them.",
    fallback=fallback,
    see=see,
    see_text="draw(E)",
)  # fmt: skip
