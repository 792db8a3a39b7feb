"""A recorded graph as a program: arrays of instructions and of row numbers, which the loops of loops.py run through.

A tape's memory is rows of numbers, each a number for every lane (sample). Scalars (parameters, constants) are shared by
all lanes: those that are read as rows come first; then the inputs; a row for each instruction; a gradient row for each
instruction; the seed ∂E/∂E; and a row for each local derivative that isn't itself a row: x and y, say, of a product.

Gradients are pulled: each is a sum of upstream gradient × local derivative over the consumers of its node, in the order
in which backward() adds them. Sums over the same rows, with weights of their own, are a layer (layers.py finds them),
which is computed in one go, and so are the gradients of its weights, and of its rows if nothing else reads these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.order import topological_order
from engine.rules import Rule
from engine.tape.layers import Layers
from engine.value import Value

Integers = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

LAYER, MEMBER, FIRST_KIND = range(3)  # codes of instructions: MEMBER is a layer's further neuron
ZERO, ONE, MINUS, Z, STORED, OPERAND = range(6)  # where a local derivative stands; OPERAND and what follows: an operand
PLACES = {
    "0": ZERO,
    "1": ONE,
    "[1 for x in xs]": ONE,
    "-1": MINUS,
    "z": Z,
    "x": OPERAND,
    "y": OPERAND + 1,
    "c": OPERAND + 2,
}


class Kind(NamedTuple):
    """A kind of instruction: a row's formulas, and which local derivatives it stores; of two alike there is one."""

    operands: tuple[str, ...]
    value: str
    partials: tuple[str, ...]
    name: str
    stored: int  # a bit for each operand; of a list, any
    shared: tuple[str, ...]


class Program(NamedTuple):
    """What the loops read: arrays of row numbers, and the numbers of a few rows."""

    code: Integers  # for each instruction: LAYER, MEMBER, or FIRST_KIND and the place of its kind
    start: Integers  # from start[i] to start[i + 1]:
    rows: Integers  # those of its operands, then the first of the local derivatives that it stores; a layer's number
    pulls: Integers  # the terms of its gradient, none if it is needless or given by a layer: pulls[i] to pulls[i + 1],
    factors: Integers  # each factor × upstream; from .end on a factor is a scalar
    upstreams: Integers  # 0 where a layer is due, which gives it and others: that number
    targets: Integers  # the terms of the parameters' gradients: to which parameter, factor × upstream
    target_factors: Integers
    target_upstreams: Integers
    layers: Integers  # see layers.py: a line of numbers for each
    lists: Integers  # the rows that layers read
    spread: Integers  # the scalars that are read as rows
    kinds: Integers  # the address of each kind's loop; tape.py fills it in
    instructions: int  # how many
    terms: int  # of the parameters' gradients
    spread_count: int
    parameters: int
    inputs: int
    first_input: int  # the row of the first
    first: int  # the row of the first instruction
    first_gradient: int
    seed: int
    root: int  # E's row
    zero: int  # the row of 0.0
    end: int  # the number of rows

    @property
    def bytes(self) -> int:
        """The size of the program itself, without the memory that it works in."""
        return sum(part.nbytes for part in self if isinstance(part, np.ndarray))


class Flat(NamedTuple):
    """A flattened graph: the program, its kinds of instructions, and what the scalars are."""

    program: Program
    kinds: list[Kind]
    parameters: list[Value]  # in topological order
    place: Integers  # of each among the scalars
    constants: Floats


class Graph:
    """The graph as arrays. Nodes are numbered in topological order, then constants; edges by consumer, then slot."""

    def __init__(self, E: Value, inputs: Sequence[Value] | None) -> None:
        order = topological_order(E)
        number: dict[Any, int] = dict(zip(order, range(len(order)), strict=True))
        constants = [0.0, 1.0, -1.0]

        def numbered(constant: float) -> int:
            constants.append(constant)
            return 1 - len(constants)  # below 0

        # without lists beside the order, which would take more memory than all else
        read = (numbered(x) if type(x) is float else number[x] for node in order for x in node.inputs)
        signed = np.fromiter(read, np.int32)
        self.input = np.array([number.get(leaf, -1) for leaf in inputs or ()], np.int64)  # -1 isn't in the graph
        number.clear()
        self.count = np.fromiter((len(node.inputs) for node in order), np.int32, len(order))
        places: dict[Rule | None, int] = {None: -1}
        self.rule = np.fromiter((places.setdefault(node.rule, len(places) - 1) for node in order), np.int32, len(order))
        self.nodes, self.one_lane, self.rules = len(order), inputs is None, [rule for rule in places if rule]
        self.start = np.cumsum(self.count, dtype=np.int32) - self.count
        bits, which = np.unique(np.array(constants).view(np.int64), return_inverse=True)  # 0.0 and -0.0 are two
        self.constants, self.signs = bits.view(np.float64), (self.nodes + which[:3]).tolist()
        self.one, self.size = self.signs[1], self.nodes + len(self.constants)
        self.operand = np.where(signed < 0, self.nodes + which.astype(np.int32)[np.maximum(-signed, 0)], signed)
        self.consumer = np.repeat(np.arange(self.nodes, dtype=np.int32), self.count)
        self.slot = np.arange(len(signed), dtype=np.int32) - self.start[self.consumer]
        leaf = self.rule < 0
        leaf[self.input[self.input >= 0]] = False
        self.parameter = np.flatnonzero(leaf)
        self.parameters = [order[place] for place in self.parameter.tolist()]
        self.scalar = self.flags(self.parameter)
        self.scalar[self.nodes :] = True
        self.uses = np.bincount(self.operand, minlength=self.size).astype(np.int32)
        self.reader = np.zeros(self.size, np.int32)
        self.reader[self.operand] = self.consumer  # the only one, where there is one use
        self.active = self.flags(slice(None)) if self.one_lane else self._active()

    def flags(self, where: Any) -> Flags:
        """True for some of the nodes and constants."""
        flags = np.zeros(self.size, bool)
        flags[: self.nodes][where] = True
        return flags

    def made_by(self, holds: Callable[[Rule], bool]) -> Flags:
        """For each node and constant: does this hold for its rule? For no leaf."""
        return self.flags(np.array([*map(holds, self.rules), False], bool)[self.rule])

    def _active(self) -> Flags:
        """For each node and constant: does it depend on a parameter?"""
        found, operands = self.flags(self.parameter).tolist(), self.operand.tolist()
        made = np.flatnonzero(self.rule >= 0)
        starts, counts = self.start[made].tolist(), self.count[made].tolist()
        for node, start, count in zip(made.tolist(), starts, counts, strict=True):
            found[node] = True in [found[operand] for operand in operands[start : start + count]]
        return np.array(found)


def flatten(E: Value, inputs: Sequence[Value] | None = None) -> Flat:
    """The program of a graph; with inputs, the leaves that differ from lane to lane, else for a single lane.

    Time and memory are linear in the edges.
    """
    layout = Layout(Graph(E, inputs))
    graph, made = layout.graph, layout.made
    kinds, code = layout.kinds()
    arrays = (*layout.operands(), *layout.gradients(), *layout.layers.records(layout), layout.spread)
    sizes = (len(made), len(layout.targets), 0 if graph.one_lane else len(layout.spread), len(graph.parameters))
    rows = (len(layout.spread), layout.first, layout.first_gradient, layout.seed)
    ends = (*layout.row[[graph.nodes - 1, graph.signs[0]]].tolist(), layout.end)
    words = (each.astype(np.int32, copy=False).view(np.uint32) for each in arrays)
    addresses = np.zeros(len(kinds), np.int64)
    program = Program._make((code, *words, addresses, *sizes, len(graph.input), *rows, *ends))
    return Flat(program, kinds, graph.parameters, layout.place[graph.parameter], graph.constants)


class Layout:
    """Which nodes are instructions, in which order; where local derivatives stand; and the row of every number."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.layers = graph, Layers(graph)
        self.made = self.layers.order(np.flatnonzero(graph.flags(graph.rule >= 0) & ~self.layers.term).astype(np.int32))
        self.plain = graph.flags(self.made) & (self.layers.of < 0)  # an instruction of its own
        self.place = self.layers.places(graph)  # of each parameter and constant among the scalars
        self.position = np.full(graph.size, -1, np.int32)
        self.position[self.made] = np.arange(len(self.made))
        self._edges()
        self._rows()

    def _edges(self) -> None:
        """Where the local derivative of each edge stands, and whether it is pulled."""
        graph, consumer, operand = self.graph, self.graph.consumer, self.graph.operand
        table = [(formulas(rule, graph.one_lane)[1] * 3)[:3] for rule in graph.rules]
        places = [[PLACES.get(text, STORED) for text in texts] for texts in table] + [[STORED] * 3]
        standing = np.array(places, np.int8)[graph.rule[consumer], np.minimum(graph.slot, 2)]
        many = graph.made_by(lambda rule: rule.many) & graph.active
        self.stored = (standing == STORED) & self.plain[consumer] & (graph.active[operand] | many[consumer])
        self.pulled = graph.active[operand] & ~self.layers.given(self)
        beside = operand[graph.start[consumer] + np.maximum(standing - OPERAND, 0)]
        standing = np.minimum(standing, OPERAND)
        self.factor = np.choose(standing, [*map(np.int32, graph.signs), consumer, np.int32(graph.one), beside])

    def _rows(self) -> None:
        graph, made = self.graph, len(self.made)
        scalars = len(graph.parameters) + len(graph.constants)
        read = np.append(graph.operand[self.plain[graph.consumer]], [graph.signs[0], graph.one, graph.nodes - 1])
        used = np.arange(graph.size) if graph.one_lane else read
        self.spread = np.unique(self.place[used[graph.scalar[used]]])  # those read as rows; all, in a single lane
        self.first = len(self.spread) + len(graph.input)
        self.first_gradient = self.first + made
        self.seed = self.first_gradient + made
        self.row = np.zeros(graph.size, np.int32)
        rows = np.zeros(scalars, np.int32)
        rows[self.spread] = np.arange(len(self.spread))
        self.row[graph.scalar] = rows[self.place[graph.scalar]]
        here = graph.input >= 0
        self.row[graph.input[here]] = len(self.spread) + np.flatnonzero(here)
        self.row[self.made] = self.first + np.arange(made)
        self.slope = self.seed + np.cumsum(self.stored, dtype=np.int32)  # of an edge that stores its local derivative
        self.end = self.seed + 1 + int(self.stored.sum())
        self.scaling = self.row if graph.one_lane else np.where(graph.scalar, self.end + self.place, self.row)

    def kinds(self) -> tuple[list[Kind], Integers]:
        """The kinds of instructions, and the code of each instruction."""
        graph, made = self.graph, self.made
        stored = np.zeros(graph.nodes, np.int32)
        np.bitwise_or.at(stored, graph.consumer[self.stored], 1 << np.minimum(graph.slot[self.stored], 2))
        plain = self.plain[made]
        mine = made[plain]
        present, which = np.unique(8 * graph.rule[mine] + stored[mine], return_inverse=True)
        kinds: dict[Kind, int] = {}
        codes = []
        for number in present.tolist():
            rule = graph.rules[number // 8]
            kind = Kind(rule.operands, *formulas(rule, graph.one_lane), rule.name, number % 8, rule.shared)
            codes.append(FIRST_KIND + kinds.setdefault(kind, len(kinds)))
        code = np.full(len(made), MEMBER, np.uint16)
        code[plain] = np.array(codes, np.uint16)[which.reshape(-1)]
        code[self.position[self.layers.firsts]] = LAYER
        return list(kinds), code

    def operands(self) -> tuple[Integers, Integers]:
        """Where what each instruction reads begins, and the rows."""
        graph, firsts = self.graph, self.position[self.layers.firsts]
        stores = np.zeros(len(self.made), bool)
        stores[self.position[graph.consumer[self.stored]]] = True
        count = np.where(self.plain[self.made], graph.count[self.made] + stores, 0)
        count[firsts] = 1
        start = np.concatenate([[0], np.cumsum(count)])
        rows, edge = np.zeros(start[-1], np.int64), self.plain[graph.consumer]
        storing = np.flatnonzero(self.stored)[::-1]
        rows[start[self.position[graph.consumer[edge]]] + graph.slot[edge]] = self.row[graph.operand[edge]]
        rows[start[self.position[graph.consumer[storing]] + 1] - 1] = self.slope[storing]  # the first remains
        rows[start[firsts]] = np.arange(len(firsts))
        return start, rows

    def gradients(self) -> tuple[Integers, ...]:
        """The terms of the instructions' gradients and those of the parameters', for each in backward()'s order."""
        graph = self.graph
        reverse = np.empty(len(graph.operand), np.int32)  # consumers backwards, the slots of each forwards
        reverse[len(reverse) - (graph.start + graph.count)[graph.consumer] + graph.slot] = np.arange(len(reverse))
        edge = reverse[self.pulled[reverse]]
        target, consumer = graph.operand[edge], graph.consumer[edge]
        factor = np.where(self.stored[edge], self.slope[edge], self.scaling[self.factor[edge]])
        upstream = np.where(self.layers.term[consumer], graph.reader[consumer], consumer)
        upstream = self.first_gradient + self.position[upstream]
        if graph.active[graph.nodes - 1]:
            target = np.append(np.int32(graph.nodes - 1), target)
            factor, upstream = np.append(self.scaling[graph.one], factor), np.append(np.int32(self.seed), upstream)
        inner = ~graph.scalar[target]
        self.targets = self.place[target[~inner]]
        sums = self.targets, factor[~inner], upstream[~inner]
        numbers, last = self.layers.due()
        where = self.position[np.append(target[inner], last)]
        factor, upstream = np.append(factor[inner], numbers), np.append(upstream[inner], np.zeros_like(numbers))
        by_target = np.argsort(where, kind="stable")
        begin = np.append(np.int32(0), np.cumsum(np.bincount(where, minlength=len(self.made)), dtype=np.int32))
        return begin, factor[by_target], upstream[by_target], *sums


def formulas(rule: Rule, one_lane: bool) -> tuple[str, tuple[str, ...]]:
    """A row's value and partials as a tape computes them, in a single lane or in many."""
    value, *partials = rule.shared[1:] if rule.shared and not one_lane else (rule.value, *rule.partials)
    return value, tuple(partials)
