"""Calls what a learner has written, one probe at a time, and gives back plain numbers and texts. Runs in the child.

A function for each exercise: (the learner's names, the probe) -> answer. Right and wrong are not known here.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Sequence
from random import Random
from types import ModuleType
from typing import Any

Learner = dict[str, Any]
Probe = dict[str, Any]
given: Any = None  # the module that exercises 5 to 8 are given, a copy of the check's own
exp, sin, cos, tanh, log1p = math.exp, math.sin, math.cos, math.tanh, math.log1p  # before a learner's file is loaded


def prepare(exercise: str, given_text: str, importable: bool = True) -> None:
    """Makes the module `given`, and imports what the exercise's driver needs of the project."""
    global given
    given = ModuleType("given")
    exec(compile(given_text, "given.py", "exec"), vars(given))
    if importable:
        sys.modules["given"] = given
    if exercise in NEEDS:
        NEEDS[exercise]()


def answer(exercise: str, learner: Learner, probe: Probe) -> Any:
    """The answer to a probe, as what JSON can hold."""
    return plain(DRIVERS[exercise](learner, probe))


def plain(x: Any) -> Any:
    """Numbers by their exact type: a subclass of float that is equal to everything is the number it holds."""
    if x is None or type(x) in (bool, str):
        return x if type(x) is not str else x[:500]
    if isinstance(x, bool):
        return bool(x)
    if isinstance(x, float):
        return float.__add__(x, 0.0)
    if isinstance(x, int):
        return int.__add__(x, 0) if abs(int.__add__(x, 0)) < 1 << 1000 else {"odd": "a huge int"}
    if type(x).__module__ == "numpy" and hasattr(x, "tolist"):
        return plain(x.tolist())
    if isinstance(x, list | tuple):
        return [plain(each) for each in x[:20000]]
    if isinstance(x, dict):
        return {str(key)[:100]: plain(each) for key, each in list(x.items())[:20000]}
    return {"odd": type(x).__name__}


# -- 5 to 8: on the graphs of given.Node


def built(spec: dict[str, Any], grad: Any = 0.0) -> list[Any]:
    nodes: list[Any] = []
    for born, (op, data, inputs, partials, label) in enumerate(spec["nodes"]):
        nodes.append(given.Node(data, op, [nodes[i] for i in inputs], partials, label, born))
        nodes[-1].grad = grad
    return nodes


def accumulate(learner: Learner, probe: Probe) -> Any:
    nodes = built(probe["graph"])
    order = [nodes[i] for i in probe["graph"]["order"]]
    learner["backprop"](list(order))
    return [node.grad for node in order]


def ready(learner: Learner, probe: Probe) -> Any:
    if probe["part"] != "expected":
        filled = learner["ANSWERS"][probe["place"]]
        if isinstance(filled, str) and filled.strip() == "?":
            raise NotImplementedError
        return filled
    nodes = built(probe["graph"])
    count = learner["expected"](nodes[probe["graph"]["root"]])
    return [count.get(nodes[i]) for i in probe["graph"]["order"]]


def order(learner: Learner, probe: Probe) -> Any:
    orders: list[Any] = []
    changed: set[str] = set()
    copies: list[Any] = []
    for _ in range(probe["copies"]):
        nodes = built(probe["graph"])
        copies.append((nodes, [object() for _ in range(len(copies) + 1)]))  # elsewhere in memory each time
        place = {node: i for i, node in enumerate(nodes)}
        before = [dict(vars(node)) for node in nodes]
        for _ in range(probe["calls"]):
            found = learner["backward_order"](nodes[probe["graph"]["root"]])
            found = list(found) if type(found) not in (list, str, type(None), dict) else found
            listed = [place.get(node, -1) for node in found] if isinstance(found, list) else None
            orders.append(listed)
        for node, was in zip(nodes, before, strict=True):
            now = vars(node)
            changed |= {name for name in now.keys() | was.keys() if now.get(name, place) is not was.get(name, place)}
    same = [each for i, each in enumerate(orders) if i == 0 or each != orders[0]]
    return {"orders": same, "changed": sorted(changed)}


def twice(learner: Learner, probe: Probe) -> Any:
    nodes = built(probe["graph"])
    leaves = [nodes[i] for i in probe["graph"]["leaves"]]
    if probe["part"] == "zero_grad":
        for leaf in leaves:
            leaf.grad = 0.37
        learner["zero_grad"](list(leaves))
        return {"grads": [leaf.grad for leaf in leaves], "data": [leaf.data for leaf in leaves]}
    for node in nodes:
        node.grad = probe["inner"] if node.inputs else probe["preset"]
    snapshots = []
    for root in probe["roots"]:
        learner["backward"](nodes[root])
        snapshots.append([leaf.grad if leaf.grad is not None else 0.0 for leaf in leaves])
    return snapshots


# -- 4: the learner's own Node


def described(made: Any, names: dict[int, str]) -> Any:
    """A node as data: inputs by the names of nodes, as a number, or as a wrapped number."""

    def named(operand: Any) -> Any:
        if id(operand) in names:
            return names[id(operand)]
        return {"node": plain(operand.data)} if hasattr(operand, "data") else plain(operand)

    inputs = made.inputs
    kind = type(inputs).__name__
    listed = [named(each) for each in inputs] if kind in ("list", "tuple", "set", "frozenset") else kind
    return {
        "data": made.data, "grad": made.grad, "op": made.op, "label": made.label, "kind": kind,
        "inputs": sorted(listed, key=str) if "set" in kind else listed,  # a set has no order
        "partials": numbers_of(made.partials),
    }  # fmt: skip


def numbers_of(partials: Any) -> list[Any]:
    """Partials as numbers: one that is a function, to be called later, is called."""
    return [each() if callable(each) else each for each in partials]


def attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except NotImplementedError:
        raise
    except Exception as error:
        return {"error": type(error).__name__, "says": str(error)[:200], "at": ""}


def node(learner: Learner, probe: Probe) -> Any:
    Node = learner["Node"]
    a_, b_, c_, x_, later, equal = probe["numbers"]
    a, b = Node(a_), Node(b_)
    names = {id(a): "a", id(b): "b"}
    match probe["part"]:
        case "leaf":
            return described(Node(a_), names)
        case "label":
            return described(Node(a_, label="a"), names)
        case "add":
            return described(a + b, names)
        case "mul":
            return described(a * b, names)
        case "twice":
            return described(a + a, names)
        case "moment":
            x = Node(x_)
            z = x * x
            x.data = later
            return numbers_of(z.partials)
        case "number right":
            return [attempt(lambda: described(a + c_, names)), attempt(lambda: described(a * c_, names))]
        case "number left":
            return [attempt(lambda: described(c_ + a, names)), attempt(lambda: described(c_ * a, names))]
        case "equal":
            first, second = Node(equal), Node(equal)
            return {
                "equal": bool(first == second),
                "keys": len({first, second}),
                "inputs": len(list((first * second).inputs)),
            }
        case _:
            few = [1.5]
            calls = [lambda: a + "1.5", lambda: a * None, lambda: operator.add(few, a), lambda: "1.5" * a]
            found = [attempt(call) for call in calls]
            return [each["error"] if isinstance(each, dict) else "no error" for each in found]


# -- 1 to 3: numbers and texts


def slope(learner: Learner, probe: Probe) -> Any:
    code = compile(probe["f"], "f", "eval")
    points: list[Any] = []

    def f(x: Any) -> Any:
        y = eval(code, {"x": x, "sin": sin, "exp": exp})
        points.append((x, y))
        return y

    if "eps" in probe:
        value: Any = [learner["guess"](f, probe["x"], eps) for eps in probe["eps"]]
    else:
        value = learner["slope"](f, probe["x"])
    return {"value": value, "points": points[:50]}


def rows(learner: Learner, probe: Probe) -> Any:
    cell = learner["ROWS"][probe["row"]][probe["cell"]]
    if isinstance(cell, str) and cell.strip() == "?":
        raise NotImplementedError
    return cell


def chain(learner: Learner, probe: Probe) -> Any:
    point = probe["point"]
    return learner[probe["part"]](point["x"], point["w"], point["b"], point["t"])


# -- 9: small programs, on any engine's nodes

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
}  # fmt: skip


def operate(op: str, *operands: Any) -> Any:
    if op in OPERATORS:
        return OPERATORS[op](*operands)
    return -operands[0] if op == "neg" else getattr(operands[0], op)()


def operand(nodes: list[Any], each: Any) -> Any:
    return each["number"] if isinstance(each, dict) else nodes[each]


def own_engine(learner: Learner, probe: Probe) -> Any:
    Node, zero_grad = learner["Node"], learner["zero_grad"]
    if probe["part"] == "errors":
        a = Node(1.7)
        calls = [lambda: a + "1.5", lambda: None * a, lambda: a / [1.5], lambda: "1.5" - a, lambda: a ** "2"]
        return [found["error"] if isinstance(found := attempt(call), dict) else "no error" for call in calls]
    leaves = [Node(x) for x in probe["program"]["leaves"]]
    nodes = list(leaves)
    for op, operands in probe["program"]["rows"]:
        nodes.append(operate(op, *(operand(nodes, each) for each in operands)))
    E, snapshots = nodes[-1], []
    for i in range(probe["passes"]):
        if i == 2:
            zero_grad(list(leaves))
        E.backward()
        snapshots.append([leaf.grad if leaf.grad is not None else 0.0 for leaf in leaves])
    return {"E": E.data, "gradients": snapshots}


# -- 10, 11, 17: functions of numbers


def gradcheck(learner: Learner, probe: Probe) -> Any:
    code, points, leaves = compile(probe["f"], "f", "eval"), list[Any](), list(probe["leaves"])

    def f(x: Sequence[Any]) -> Any:
        points.append(list(x))
        return eval(code, {"x": x, "sin": sin, "exp": exp, "tanh": tanh, "abs": abs})

    accepts = learner["check"](f, leaves, list(probe["gradients"]))
    return {"accepts": accepts, "leaves": leaves, "points": points[:50]}


def stable(learner: Learner, probe: Probe) -> Any:
    return learner[probe["part"]](probe["x"])


def softmax(learner: Learner, probe: Probe) -> Any:
    return learner[probe["part"]](list(probe["outputs"]), probe["target"])


# -- 12 to 15: networks, on the engine's Values or on nodes of the learner's own


def import_engine() -> None:
    global engine, nn
    import engine
    import nn


engine: Any = None
nn: Any = None


def activation(z: Any) -> Any:
    return z.tanh() if hasattr(z, "tanh") else engine.tanh(z)


def flat(parameters: Any) -> list[Any]:
    found: list[Any] = []
    for each in parameters:
        found += flat(each) if isinstance(each, list | tuple) else [each]
    return found


def refusal(call: Callable[[], Any]) -> dict[str, str]:
    """The exception that a call raises, as its name and what it says; empty if there is none."""
    try:
        call()
    except NotImplementedError:
        raise
    except Exception as error:
        return {"refused": type(error).__name__, "says": str(error)[:300]}
    return {"refused": "", "says": ""}


def leaves_of(root: Any) -> list[Any]:
    found, stack, seen = [], [root], {id(root)}
    while stack:
        node = stack.pop()
        inputs = [each for each in getattr(node, "inputs", ()) if hasattr(each, "data")]
        found += [] if inputs else [node]
        for each in inputs:
            if id(each) not in seen:
                seen.add(id(each))
                stack.append(each)
    return found


def neuron(learner: Learner, probe: Probe) -> Any:
    Neuron = learner["Neuron"]
    if probe["part"] == "refuses":
        made = Neuron(3, activation, Random(3))
        return refusal(lambda: made(list(probe["x"])))
    if probe["part"] == "random":
        random = Random(3)
        neurons = [Neuron(3, activation, random), Neuron(3, activation, random), Neuron(3, activation, Random(3))]
        return [[p.data for p in flat(each.parameters())] for each in neurons]
    made = Neuron(3, activation, Random(3))
    parameters = flat(made.parameters())
    for parameter, data in zip(parameters, probe["parameters"], strict=False):
        parameter.data = data
    out = made(list(probe["x"]))
    listed = {id(parameter) for parameter in parameters}
    if hasattr(out, "backward"):
        out.backward()
        hidden = (
            sum(id(leaf) not in listed for leaf in leaves_of(out) if leaf is not out) if hasattr(out, "inputs") else 0
        )
    else:
        hidden = 0
    return {
        "count": len(parameters), "distinct": len(listed), "hidden": 0 if len(parameters) == 4 else hidden,
        "value": getattr(out, "data", out), "gradients": [parameter.grad for parameter in parameters],
    }  # fmt: skip


def layers(learner: Learner, probe: Probe) -> Any:
    part, x = probe["part"], list(probe["x"])
    if part in ("layer", "single"):
        made = learner["Layer"](probe["inputs"], probe["neurons"], activation, Random(3))
    else:
        sizes = list(probe["sizes"])
        made = learner["MLP"](3, sizes, activation, Random(3))
    if part == "refuses":
        return refusal(lambda: made(x))
    if part == "untouched":
        made(x)
        return {"x": x, "sizes": sizes}
    given_ = made.parameters()
    parameters = flat(given_)
    for parameter, data in zip(parameters, probe["numbers"], strict=False):
        parameter.data = data
    out = attempt(lambda: made(x))
    failed = isinstance(out, dict)
    outputs = out if isinstance(out, list | tuple) else [out]
    return {
        "count": len(parameters), "distinct": len({id(each) for each in parameters}), "failed": out if failed else None,
        "nested": any(isinstance(each, list | tuple) for each in given_),
        "kind": "error" if failed else "list" if isinstance(out, list | tuple) else "scalar",
        "values": [] if failed else [getattr(each, "data", each) for each in outputs],
    }  # fmt: skip


def error(learner: Learner, probe: Probe) -> Any:
    Y = [[engine.Value(y) for y in row] for row in probe["Y"]]
    T = [list(row) for row in probe["T"]]
    if probe["part"] == "shapes":
        return refusal(lambda: learner["error"](Y, T))
    E = learner["error"](Y, T)
    if hasattr(E, "backward"):
        E.backward()
    return {"E": getattr(E, "data", E), "gradients": [[y.grad for y in row] for row in Y]}


def network(kind: str, weights: Sequence[float], nn: Any) -> Any:
    """A net of nn's layers with these parameters: 1-1-1 without biases, or 2-4-1."""
    if kind == "2-4-1":
        model = nn.MLP(2, [4, 1], activation="tanh")
    else:

        class Net(nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                self.layers = [nn.Layer(1, 1, "tanh", bias=False), nn.Layer(1, 1, "identity", bias=False)]

            def __call__(self, x: Any) -> Any:
                return self.layers[1](self.layers[0](x))

        model = Net()
    for parameter, data in zip(model.parameters(), weights, strict=True):
        parameter.data = data
    return model


def descent(learner: Learner, probe: Probe) -> Any:
    import warnings

    warnings.simplefilter("ignore")  # a stale graph is for the check to find
    model = network(probe["net"], probe["weights"], nn)
    X, T = [list(x) for x in probe["X"]], [list(t) for t in probe["T"]]
    parameters = [w for layer in model.layers for w in layer.parameters()]
    errors = learner["train"](model, X, T, probe["epochs"], list(probe["rates"]))
    errors = [getattr(each, "data", each) for each in errors] if isinstance(errors, list | tuple) else errors
    return {"errors": errors, "parameters": [w.data for w in parameters]}


# -- 16: plain numbers

G: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "tanh": (lambda z: tanh(z), lambda z: 4 * exp(-2 * abs(z)) / (1 + exp(-2 * abs(z))) ** 2),
    "softplus": (lambda z: max(z, 0.0) + log1p(exp(-abs(z))), lambda z: 1 / (1 + exp(-z))),
}


def derivation(learner: Learner, probe: Probe) -> Any:
    names = ("X", "T", "W1", "b1", "W2", "b2")
    copies = [[list(row) if isinstance(row, list) else row for row in probe[name]] for name in names]
    if probe["part"] == "matrices":
        if "matrices" not in learner:
            return {"written": False}
        try:
            return list(learner["matrices"](*copies, *G[probe["g"]]))
        except NotImplementedError:
            return {"written": False}
    return learner[probe["part"]](*copies, *G[probe["g"]])


def hunt(learner: Learner, probe: Probe) -> Any:
    found = learner["HUNT"][probe["place"]]
    if "?" in found:
        raise NotImplementedError
    return list(found)


NEEDS: dict[str, Callable[[], None]] = dict.fromkeys(("neuron", "layers", "error", "descent"), import_engine)
DRIVERS: dict[str, Callable[[Learner, Probe], Any]] = {
    "slope": slope,
    "rows": rows,
    "chain": chain,
    "node": node,
    "accumulate": accumulate,
    "ready": ready,
    "order": order,
    "twice": twice,
    "engine": own_engine,
    "gradcheck": gradcheck,
    "neuron": neuron,
    "layers": layers,
    "error": error,
    "descent": descent,
    "derivation": derivation,
    "stable": stable,
    "softmax": softmax,
    "hunt": hunt,
}
