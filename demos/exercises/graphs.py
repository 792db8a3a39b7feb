"""The graphs that exercises 5 to 9 are checked on, and backprop over them in many wrong ways, each a few words long.

A graph is made by the engine from a line of text, and handed to the learner as numbers: operations, inputs, partials.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, MutableMapping
from functools import cache, cached_property, partial
from random import Random
from typing import Any

import engine
from engine import Value, operation, topological_order

square = operation("square", "x**2", "2 * x")
half_square = operation("half_square", "x**2 / 2", "x")
NAMES: dict[str, Any] = {"square": square, "half_square": half_square, "tanh": engine.tanh, "sin": engine.sin}


class Graph:
    """A graph by places: node i has op[i], data[i], inputs[i] (places), partials[i] and label[i]; root is a place.

    Values are in .values, made by the engine; nodes that the root isn't computed from are there, too.
    """

    def __init__(self, title: str, values: list[Value], root: int) -> None:
        place = {value: i for i, value in enumerate(values)}
        self.title, self.values, self.root = title, values, root
        self.op = [value.op for value in values]
        self.data = [value.data for value in values]
        self.inputs = [[place[each] for each in value.inputs if isinstance(each, Value)] for value in values]
        self.partials = [[float(each) for each in value.partials if each is not None] for value in values]
        self.label = [value.label or f"v{i}" for i, value in enumerate(values)]
        self.E = values[root]
        self.order = [place[value] for value in reversed(topological_order(self.E))]  # root first
        self.inside = set(self.order)
        self.leaves = [i for i in sorted(self.inside) if not self.inputs[i]]

    def spec(self) -> dict[str, Any]:
        """What the child process builds the graph from."""
        nodes = list(zip(self.op, self.data, self.inputs, self.partials, self.label, strict=True))
        return {"nodes": nodes, "root": self.root, "order": self.order, "leaves": self.leaves}

    def edges(self, node: int) -> list[tuple[int, float]]:
        return list(zip(self.inputs[node], self.partials[node], strict=True))

    @cached_property
    def _consumers(self) -> dict[int, list[tuple[int, float]]]:
        found: dict[int, list[tuple[int, float]]] = {node: [] for node in self.order}
        for consumer in self.order:
            for input, slope in self.edges(consumer):
                found[input].append((consumer, slope))
        return found

    def consumers(self, node: int) -> list[tuple[int, float]]:
        """(consumer, partial) for each edge inside of E that leaves the node upwards."""
        return self._consumers.get(node, [])

    @cached_property
    def gradients(self) -> dict[int, float]:
        return walked(self, self.order)


def graph(text: str, **numbers: float) -> Graph:
    """`graph("c = a + a; E = c*c", a=1.3)`: every node is named, the last one is the root, or the one called E."""
    named: dict[str, Value] = {name: Value(number, name) for name, number in numbers.items()}
    values = list(named.values())
    for line in text.split(";"):
        name, _, formula = (part.strip() for part in line.partition("="))
        value = eval(re.sub(r"(\w+)²", r"square(\1)", formula), NAMES | named)
        value.label = name
        named[name] = value
        values.append(value)
    title = f"{text.replace('; ', '   ')}   {' '.join(f'{name} = {number}' for name, number in numbers.items())}"
    return Graph(title, values, values.index(named.get("E", values[-1])))


def line(length: int = 5000) -> Graph:
    values = [Value(0.9, "a")]
    while len(values) < length:
        values.append(engine.tanh(values[-1]))
        values[-1].label = f"t{len(values) - 1}"
    return Graph(f"a line of {length:,} nodes", values, length - 1)


def diamonds(count: int = 40) -> Graph:
    a, k = Value(0.9, "a"), Value(0.45, "k")
    values, d = [a, k], a
    for i in range(1, count + 1):
        left, right = engine.tanh(d), d * k
        d = left + right
        for value, name in ((left, f"l{i}"), (right, f"r{i}"), (d, f"d{i}")):
            value.label = name
            values.append(value)
    return Graph(f"{count} diamonds in a row", values, len(values) - 1)


def random_graph(seed: int, small: bool = False) -> Graph:
    """5 to 30 nodes over 2 to 4 leaves with distinct numbers, all of them used; no gradient is a small difference."""
    random = Random(seed)
    while True:
        values = [Value(random.choice((-1, 1)) * random.randrange(30, 170) / 100 + 0.003, name) for name in "abcd"]
        values = values[: random.randint(2, 4)]
        leaves = len(values)
        for i in range(random.randint(4, 10 if small else 22)):
            x, y = random.choice(values[-4:]), random.choice(values)
            choice = random.choice(["add", "sub", "mul", "mul", "tanh", "square", "sin"])
            if choice in ("tanh", "sin", "square"):
                value = NAMES[choice](x)
            else:
                value = {"add": x + y, "sub": x - y, "mul": x * y}[choice]
            value.label = f"v{i + 1}"
            values.append(value)
        used = {each for value in values for each in value.inputs}
        E = values[-1]
        for value in values[:-1]:
            if value not in used:
                E = E * value if random.random() < 0.5 else value - E
                E.label = f"e{len(values)}"
                values.append(E)
        E.label = "E"
        made = Graph(f"random graph {seed}", values, len(values) - 1)
        if ordinary(made, leaves):
            return made


def ordinary(graph: Graph, leaves: int) -> bool:
    if not all(0.02 < abs(data) < 30 for data in graph.data) or len({abs(data) for data in graph.data}) < len(
        graph.data
    ):
        return False
    gradients = graph.gradients
    for node in graph.order:
        parts = [abs(gradients[c] * partial) for c, partial in graph.consumers(node)]
        if not 0.01 < abs(gradients[node]) < 100 or (parts and abs(gradients[node]) < 0.1 * sum(parts)):
            return False
    return len(graph.leaves) == leaves and len(graph.order) == len(graph.data)


@cache
def named() -> dict[str, Graph]:
    """P1 to P9, by name."""
    return {
        "P1": graph("m = a*b; t = tanh(m); E = t*a", a=1.7, b=-0.6),
        "P2": graph("c = a + a; E = c*c", a=1.3),
        "P3": graph("p = a²; q = tanh(p); r = p*q; s = b*p; E = r - s", a=0.8, b=-1.1),
        "P4": graph("m = a*b; u = tanh(m); n = b*b; d = a - n; v = d*m; E = u - v", a=0.9, b=0.9),
        "P5": graph("u = w*x; v = tanh(u); z = tanh(v); E = u*z", w=0.7, x=-1.4),
        "P6": graph("u = w*x; v = tanh(u); z = tanh(v); E = z*u", w=0.7, x=-1.4),
        "P9": graph("m = a*b; k = tanh(m); E = k*a; o = k*b; p = o + m", a=1.7, b=-0.6),
        "P7": line(),
        "P8": diamonds(),
    }


@cache
def randoms(count: int = 20, first: int = 100) -> list[Graph]:
    return [random_graph(seed) for seed in range(first, first + count)]


# -- backprop, in as many ways as there are words below

Flow = Callable[[float, float], float]


def walked(
    graph: Graph,
    order: Iterable[int],
    flow: Flow = lambda upstream, partial: upstream * partial,
    seed: float = 1.0,
    write: Callable[[float, float, bool], float] = lambda held, flow, first: held + flow,
    edges: Callable[[list[tuple[int, float]]], list[tuple[int, float]]] = list,
    held: dict[int, float] | None = None,
) -> dict[int, float]:
    """The gradients of a pass that visits the nodes in this order; held are those that nodes have before it."""
    gradients = dict.fromkeys(graph.order, 0.0) | (held or {})
    gradients[graph.root] = seed
    written = set[int]()
    for node in order:
        for input, slope in edges(graph.edges(node)):
            passed = flow(gradients[node], slope)
            gradients[input] = write(gradients[input], passed, input not in written)
            written.add(input)
    return gradients


def reversed_partials(edges: list[tuple[int, float]]) -> list[tuple[int, float]]:
    return [(i, p) for (i, _), (_, p) in zip(edges, reversed(edges), strict=True)]


def once(edges: list[tuple[int, float]]) -> list[tuple[int, float]]:
    return list({i: (i, p) for i, p in reversed(edges)}.values())[::-1]


def once_last(edges: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """As once, with the last slot's partial: what a dict keeps."""
    return list(dict(edges).items())


WAYS: dict[str, dict[str, Any]] = {
    "assign": {"write": lambda held, flow, first: flow},
    "no-seed": {"seed": 0.0},
    "no-upstream": {"flow": lambda upstream, partial: partial},
    "no-local": {"flow": lambda upstream, partial: upstream},
    "added": {"flow": lambda upstream, partial: upstream + partial},
    "swapped": {"edges": reversed_partials},
    "once": {"edges": once},
    "first-only": {"write": lambda held, flow, first: flow if first else held},
}


# -- orders, the wrong ones too


def preorder(graph: Graph, last_first: bool = False, at_push: bool = False, per_path: bool = False) -> list[int]:
    """Depth first, each node where it is met first; at_push marks it when it is put on the stack. One per path: all."""
    stack, seen, order = [graph.root], {graph.root}, list[int]()
    done = set[int]()
    while stack:
        node = stack.pop()
        if not at_push and not per_path:
            if node in done:
                continue
            done.add(node)
        order.append(node)
        if len(order) > 100_000:
            return []
        inputs = graph.inputs[node] if last_first else graph.inputs[node][::-1]
        for input in inputs:
            if not at_push or per_path or input not in seen:
                seen.add(input)
                stack.append(input)
    return order


def breadth_first(graph: Graph, last_first: bool = False) -> list[int]:
    queue, seen = [graph.root], {graph.root}
    for node in queue:
        for input in graph.inputs[node][::-1] if last_first else graph.inputs[node]:
            if input not in seen:
                seen.add(input)
                queue.append(input)
    return queue


def postorder(graph: Graph, last_first: bool = False) -> list[int]:
    """Root first: the reverse of depth-first postorder."""
    order, seen, stack = list[int](), {graph.root}, [(graph.root, iter(_inputs(graph, graph.root, last_first)))]
    while stack:
        node, rest = stack[-1]
        for input in rest:
            if input not in seen:
                seen.add(input)
                stack.append((input, iter(_inputs(graph, input, last_first))))
                break
        else:
            stack.pop()
            order.append(node)
    return order[::-1]


def _inputs(graph: Graph, node: int, last_first: bool) -> list[int]:
    return graph.inputs[node][::-1] if last_first else graph.inputs[node]


def kahn(graph: Graph, newest: bool = False) -> list[int]:
    return count_down(graph, {node: len(graph.consumers(node)) for node in graph.order}, newest)


def count_down(graph: Graph, missing: MutableMapping[int, int], newest: bool = False) -> list[int]:
    """Kahn's algorithm: each edge takes one off the consumers that its input misses; at 0 it is ready."""
    ready, order = [graph.root], list[int]()
    while ready:
        node = ready.pop() if newest else ready.pop(0)
        order.append(node)
        for input in graph.inputs[node]:
            missing[input] -= 1
            if not missing[input]:
                ready.append(input)
    return order


def by_birth(graph: Graph) -> list[int]:
    return sorted(graph.order, reverse=True)


# some of the right orders, as people write them
RIGHT_ORDERS: list[Callable[[Graph], list[int]]] = [
    lambda graph: graph.order,
    postorder,
    partial(postorder, last_first=True),
    by_birth,
    kahn,
    partial(kahn, newest=True),
]


def too_early(graph: Graph, order: list[int]) -> tuple[int, list[int]] | None:
    """The first node that stands before one of its consumers, and these consumers."""
    done = set[int]()
    for node in order:
        late = [c for c, _ in graph.consumers(node) if c not in done]
        if late:
            return node, sorted(set(late))
        done.add(node)
    return None


def paths(graph: Graph) -> dict[int, int]:
    """The number of paths from the root to each node."""
    count = dict.fromkeys(graph.order, 0)
    count[graph.root] = 1
    for node in graph.order:
        for input in graph.inputs[node]:
            count[input] += count[node]
    return count
