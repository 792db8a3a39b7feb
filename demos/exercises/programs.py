"""Small programs over nodes, run on anybody's engine: what exercise 9 is checked with, and on the engine in wrong ways.

A program is its leaves, and rows of an operation with its operands: places of earlier nodes, or {"number": 2.5}.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, TypeAlias

from demos.exercises import drive
from demos.exercises.graphs import Graph
from engine import DomainError, Value, operation

Program: TypeAlias = dict[str, Any]


def program(title: str, leaves: list[float], rows: list[tuple[str, list[Any]]]) -> Program:
    return {"title": title, "leaves": leaves, "rows": [[op, operands] for op, operands in rows]}


def n(number: float) -> dict[str, float]:
    return {"number": number}


def single(op: str, *operands: Any, title: str, leaves: tuple[float, ...] = (1.7, -0.6, 1.3)) -> Program:
    """One operation, times c, so that the upstream gradient isn't 1."""
    return program(title, list(leaves), [(op, list(operands)), ("mul", [3, 2])])


OPERATIONS = [
    single("add", 0, 1, title="a + b"), single("sub", 0, 1, title="a - b"), single("mul", 0, 1, title="a * b"),
    single("div", 0, 1, title="a / b"), single("neg", 0, title="-a"), single("exp", 0, title="a.exp()"),
    single("log", 0, title="a.log()"), single("tanh", 0, title="a.tanh()"), single("relu", 0, title="a.relu()"),
    single("relu", 1, title="b.relu(), b < 0"), single("pow", 0, n(3), title="a ** 3"),
    single("pow", 0, n(2.5), title="a ** 2.5"), single("pow", 0, n(-1.5), title="a ** -1.5"),
    single("add", 0, 0, title="a + a"), single("mul", 0, 0, title="a * a"),
]  # fmt: skip
NUMBERS = [
    single("add", 0, n(2.5), title="a + 2.5"), single("add", n(2.5), 0, title="2.5 + a"),
    single("mul", 0, n(2.5), title="a * 2.5"), single("mul", n(2.5), 0, title="2.5 * a"),
    single("sub", 0, n(2.5), title="a - 2.5"), single("sub", n(2.5), 0, title="2.5 - a"),
    single("div", 0, n(2.5), title="a / 2.5"), single("div", n(2.5), 0, title="2.5 / a"),
]  # fmt: skip


def micrograd() -> Program:
    """The expression of micrograd's README: 2421/98, and the gradients 47620/343 and 221433/343."""
    a, b = 0, 1
    rows: list[tuple[str, list[Any]]] = []

    def row(op: str, *operands: Any) -> int:
        rows.append((op, list(operands)))
        return len(rows) + 1

    c = row("add", a, b)
    d = row("add", row("mul", a, b), row("pow", b, n(3)))
    c = row("add", c, row("add", c, n(1)))
    c = row("add", c, row("add", row("add", n(1), c), row("neg", a)))
    d = row("add", d, row("add", row("mul", d, n(2)), row("relu", row("add", b, a))))
    d = row("add", d, row("add", row("mul", n(3), d), row("relu", row("sub", b, a))))
    f = row("pow", row("sub", c, d), n(2))
    row("add", row("div", f, n(2)), row("div", n(10), f))
    return program("micrograd's README", [-4.0, 2.0], rows)


def deep(length: int = 2500) -> Program:
    rows: list[tuple[str, list[Any]]] = [("tanh", [0])]
    while len(rows) < 2 * length:
        rows += [("add", [len(rows) + 1, 1]), ("tanh", [len(rows) + 2])]
    return program("a chain of 5,000 nodes", [0.7, 0.31], rows)


def wide(count: int = 300) -> Program:
    rows: list[tuple[str, list[Any]]] = [("mul", [0, 1])]
    for i in range(count):
        rows += [("mul", [2, 0 if i % 2 else 1]), ("add", [len(rows) + 1, len(rows) + 2])]
    return program(f"one node that {count} others use", [0.13, 0.29], rows)


RANDOM = ["add", "sub", "sub", "mul", "mul", "div", "neg", "exp", "log", "tanh", "relu", "square"]


def drawn(seed: int) -> Program:
    """A program without numbers, over distinct leaves, all used, with ordinary values and gradients."""
    random = Random(seed)
    while True:
        leaves = [
            random.choice((-1, 1)) * (random.randrange(30, 190) / 100 + 0.003) for _ in range(random.randint(2, 4))
        ]
        rows: list[tuple[str, list[Any]]] = []
        nodes = [Value(x) for x in leaves]
        while len(rows) < random.randint(4, 14):
            op = random.choice(RANDOM)
            places = [random.randrange(max(len(nodes) - 5, 0), len(nodes)), random.randrange(len(nodes))]
            operands: list[Any] = places[: 2 if op in ("add", "sub", "mul", "div") else 1]
            if op == "square":
                op, operands = "pow", [operands[0], n(2)]
            if not append(nodes, op, operands):
                continue
            rows.append((op, operands))
        used = {each for node in nodes for each in node.inputs}
        for i in range(len(nodes) - 1):
            if nodes[i] not in used and append(nodes, "add", [len(nodes) - 1, i]):
                rows.append(("add", [len(nodes) - 2, i]))
        nodes[-1].backward()
        grads = [node.grad for node in nodes]
        if all(g is not None and 0.01 < abs(g) < 50 for g in grads[: len(leaves)]):
            return program(f"random graph {seed}", leaves, rows)


def append(nodes: list[Any], op: str, operands: list[Any]) -> bool:
    """Adds a node, if its number and its partials are ordinary."""
    try:
        node = drive.operate(op, *(drive.operand(nodes, each) for each in operands))
    except DomainError:
        return False
    if not 0.02 < abs(node.data) < 12 or any(p is not None and not 0.02 < abs(p) < 12 for p in node.partials):
        return False
    nodes.append(node)
    return True


@cache
def randoms(count: int = 200) -> list[Program]:
    return [drawn(seed) for seed in range(count)]


# -- on the engine, in wrong ways: an operation replaced by a row of one's own, another way of walking back

Operate: TypeAlias = Callable[..., Any]


def replaced(**rows: tuple[str, ...]) -> Operate:
    """The operations, with these rows for some: `replaced(sub=("x - y", "1", "1"))`."""
    made = {name: operation(name, *row) for name, row in rows.items()}

    def operate(op: str, *operands: Any) -> Any:
        if op in made and all(isinstance(each, Value) for each in operands):
            return made[op](*operands)
        if op in made and len(operands) == 2:
            return made[op](*operands)
        return drive.operate(op, *operands)

    return operate


def as_micrograd(operate: Operate) -> Operate:
    """a - b as a + (-b), -a as a * -1, a / b as a * b ** -1."""

    def again(op: str, *operands: Any) -> Any:
        if op == "neg":
            return operate("mul", operands[0], -1.0)
        if op == "sub":
            y = operands[1]
            return operate("add", operands[0], again("neg", y) if isinstance(y, Value) else -y)
        if op == "div":
            y = operands[1]
            return operate("mul", operands[0], operate("pow", y, -1.0) if isinstance(y, Value) else 1 / y)
        return operate(op, *operands)

    return again


def built(given: Program, operate: Operate = drive.operate) -> Graph:
    """The graph of a program."""
    nodes: list[Value] = [Value(x, name) for x, name in zip(given["leaves"], "abcd", strict=False)]
    values = list(nodes)  # all nodes in the order of their birth, those inside of an operation, too
    born = set(values)
    for op, operands in given["rows"]:
        nodes.append(operate(op, *(drive.operand(nodes, each) for each in operands)))
        values += newborn(nodes[-1], born)
    return Graph(given["title"], values, len(values) - 1)


def newborn(node: Value, born: set[Value]) -> list[Value]:
    found, stack = list[Value](), [node]
    while stack:
        each = stack.pop()
        if each not in born:
            born.add(each)
            found.append(each)
            stack += [input for input in each.inputs if isinstance(input, Value)]
    return found[::-1]
