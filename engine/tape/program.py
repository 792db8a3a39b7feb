"""A recorded graph as a program: arrays of instructions and of row numbers, which kernel.py's loops run through.

A tape's memory is rows of numbers, each a number for every lane (sample): first the scalars (parameters, then
constants), which all lanes share; the inputs; one row for each instruction, in topological order; then a gradient row
for each instruction, the seed ∂E/∂E, and a row for each contribution that waits to be added.

Σ is an instruction: a sum of scalar × row. A product of such two that only a Σ reads is a term of it and needs no row.
The gradient of a node is a sum of this kind too, over its consumers in the order in which backward() adds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.order import topological_order
from engine.rules import TABLE, Rule
from engine.value import Value

Integers = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Kind(NamedTuple):
    """A kind of instruction: a row of the table, and for which operands it hands a contribution back."""

    rule: Rule
    wanted: tuple[bool, ...]  # one for all operands, where these are a range

    @property
    def key(self) -> tuple[Any, ...]:
        """Two kinds of one key compute the same."""
        return self.rule.name, self.rule.value, self.rule.partials, self.wanted


def ranged(rule: Rule) -> bool:
    """Are the operands of its instructions a range of terms, x to y, rather than the rows x and y?"""
    return rule.many or len(rule.operands) > 2


class Program(NamedTuple):
    """What the kernel's loops read: arrays of row numbers, and the numbers of a few rows."""

    code: Integers  # for each instruction: 0 is Σ, k the kind k - 1
    x: Integers  # the rows of its operands, or the range of its terms
    y: Integers
    dx: Integers  # the rows that its contributions go to; those of a range are dx, dx + 1, …
    dy: Integers
    scalars: Integers  # a term of a Σ is scalar × row
    rows: Integers
    pulls: Integers  # the gradient of instruction i: the terms pulls[i] to pulls[i + 1]; none where it is put there
    pull_scalars: Integers
    pull_rows: Integers
    runs: Integers  # run i: the terms runs[i] to runs[i + 1] of the parameters' gradients, each row × row,
    run_rows: Integers  # with this row in all
    run_factors: Integers  # and another in each,
    run_targets: Integers  # which goes to this parameter
    spread: Integers  # the scalars that are read as rows
    checked: Integers  # the rows that show whether every value is finite
    inputs: int  # how many
    first_input: int  # and the row of the first
    first: int  # the row of the first instruction
    first_gradient: int
    seed: int
    root: int  # E's row
    end: int  # the number of rows

    @property
    def bytes(self) -> int:
        """The size of the program itself, without the memory that it works in."""
        return sum(part.nbytes for part in self if isinstance(part, np.ndarray))


class Flat(NamedTuple):
    """A flattened graph: the program, its kinds of instructions, and what the scalars are."""

    program: Program
    kinds: tuple[Kind, ...]
    parameters: list[Value]
    constants: Floats


def flatten(E: Value, inputs: Sequence[Value] | None = None) -> Flat:
    """The program of a graph; with inputs, the leaves that differ from lane to lane, else for a single lane.

    Time and memory are linear in the edges.
    """
    graph = Graph(E, inputs)
    layout = Layout(graph)
    kinds, code = layout.kinds()
    terms, stop = layout.terms()
    pulls, sums = layout.gradients()
    (x, y), (dx, dy) = layout.operands(stop), layout.contributed()
    arrays = (code, x, y, dx, dy, *terms, *pulls, *sums, layout.spread(x, y, terms, sums), layout.checked())
    rows = (layout.scalars, layout.first, layout.first_gradient, layout.seed, int(layout.row[graph.nodes - 1]))
    program = Program._make((*arrays, len(graph.input), *rows, layout.end))
    return Flat(program, kinds, graph.parameters, graph.constants)


class Graph:
    """The graph as arrays. Nodes are numbered in topological order, then constants; edges by consumer, then slot."""

    def __init__(self, E: Value, inputs: Sequence[Value] | None) -> None:
        order = topological_order(E)
        number: dict[Any, int] = dict(zip(order, range(len(order)), strict=True))
        places: dict[Rule | None, int] = {None: 0}
        constants, operands, counts, rules = [1.0], [], [], []
        for node in order:
            rules.append(places.setdefault(node.rule, len(places)))
            given = node.inputs
            counts.append(len(given))
            for operand in given:
                if type(operand) is float:
                    operands.append(-len(constants))
                    constants.append(operand)
                else:
                    operands.append(number[operand])
        self.nodes, self.one_lane = len(order), inputs is None
        self.rules = [rule for rule in places if rule is not None]
        self.rule = np.array(rules, np.int32) - 1  # of each node, a place in rules; a leaf's is -1
        self.count = np.array(counts, np.int32)
        self.start = np.cumsum(self.count) - self.count
        bits, which = np.unique(np.array(constants).view(np.int64), return_inverse=True)  # 0.0 and -0.0 are two
        self.constants, self.one = bits.view(np.float64), self.nodes + int(which[0])
        signed = np.array(operands, np.int64)
        self.operand = np.where(signed < 0, self.nodes + which[np.maximum(-signed, 0)], signed).astype(np.int32)
        self.consumer = np.repeat(np.arange(self.nodes, dtype=np.int32), self.count)
        self.slot = np.arange(len(signed), dtype=np.int32) - self.start[self.consumer]
        self.input = np.array([number.get(leaf, -1) for leaf in inputs or ()], np.int64)  # -1 isn't in the graph
        given_later = set(self.input.tolist())
        self.parameters = [node for node in order if node.rule is None and number[node] not in given_later]
        self.parameter = np.array([number[leaf] for leaf in self.parameters], np.int64)
        self.size = self.nodes + len(self.constants)
        self.scalar = np.zeros(self.size, bool)
        self.scalar[self.parameter] = self.scalar[self.nodes :] = True

    def made_by(self, holds: Callable[[Rule], bool]) -> Flags:
        """For each node: does this hold for its rule? For no leaf."""
        return np.array([*map(holds, self.rules), False], bool)[self.rule]

    @cached_property
    def active(self) -> Flags:
        """For each node and constant: does it depend on a parameter?"""
        found = np.zeros(self.size, bool)
        found[self.parameter] = True
        if self.one_lane:
            found[: self.nodes] = True
        else:
            operands = np.split(self.operand, self.start[1:])
            for node in np.flatnonzero(self.rule >= 0):
                found[node] = found[operands[node]].any()
        return found

    def ends(self) -> tuple[Integers, Integers]:
        """The first and the last of each node's first two operands; anything for a leaf."""
        last = max(len(self.operand) - 1, 0)
        padded = self.operand if len(self.operand) else np.zeros(1, np.int32)
        left = padded[np.minimum(self.start, last)]
        return left, np.where(self.count > 1, padded[np.minimum(self.start + 1, last)], left)


class Layout:
    """Which nodes are instructions, and the row of every number."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        nodes = graph.nodes
        self.total = graph.made_by(lambda rule: rule is ROWS["total"])
        self.ranged = graph.made_by(ranged)
        self.uses = np.bincount(graph.operand, minlength=graph.size)[:nodes]
        self.reader = np.zeros(graph.size, np.int32)
        self.reader[graph.operand] = graph.consumer  # the only one, where there is one use
        self.left, self.right = graph.ends()
        product = graph.made_by(lambda rule: rule is ROWS["mul"])
        self.term = product & (self.uses == 1) & self.total[self.reader[:nodes]]
        if not graph.one_lane:
            self.term &= graph.scalar[self.left] != graph.scalar[self.right]
        self.instruction = (graph.rule >= 0) & ~self.term
        self.made = np.flatnonzero(self.instruction)

        parameters, constants, inputs, made = (
            len(each) for each in (graph.parameters, graph.constants, graph.input, self.made)
        )
        self.scalars = parameters + constants
        self.first = self.scalars + inputs
        self.first_gradient = self.first + made
        self.seed = self.first_gradient + made
        self.row = np.zeros(graph.size, np.int64)
        self.row[graph.parameter] = np.arange(parameters)
        self.row[nodes:] = parameters + np.arange(constants)
        here = graph.input >= 0
        self.row[graph.input[here]] = self.scalars + np.flatnonzero(here)
        self.row[self.made] = self.first + np.arange(made)
        self.gradient = self.row + made  # of an instruction

        # an edge of another instruction than Σ: its contribution has a row, of its own unless it is the whole gradient
        target, consumer = graph.operand, graph.consumer
        plain = ~(self.total | self.term)[consumer]
        wanted = graph.active[target] & plain
        whole = wanted & (self._of_node(self.instruction, target)) & ~self.ranged[consumer]
        self.whole = whole & (np.append(self.uses, np.zeros(graph.size - nodes, np.int64))[target] == 1)
        own = (wanted & ~self.whole) | (plain & self.ranged[consumer] & graph.active[consumer])
        self.contribution = np.where(self.whole, self.gradient[target], self.seed + np.cumsum(own))
        self.end = self.seed + 1 + int(own.sum())

    def _of_node(self, flags: Flags, which: Integers) -> Flags:
        return np.append(flags, np.zeros(self.graph.size - self.graph.nodes, bool))[which]

    def kinds(self) -> tuple[tuple[Kind, ...], Integers]:
        """The kinds of instructions, and the code of each instruction."""
        graph, made = self.graph, self.made
        left = graph.active[self.left[made]]
        right = graph.active[self.right[made]] & (graph.count[made] > 1)
        wanted = np.where(self.ranged[made], graph.active[made], left + 2 * right)
        present, which = np.unique(4 * graph.rule[made].astype(np.int64) + wanted, return_inverse=True)
        kinds = {}
        for number in present.tolist():
            rule = graph.rules[number // 4]
            flags = (bool(number & 1), bool(number & 2))[: 1 if ranged(rule) else len(rule.operands)]
            kinds[number] = Kind(rule, flags)
        others = {kind.key: kind for kind in kinds.values() if kind.rule is not ROWS["total"]}
        keys = sorted(others)
        codes = [0 if kind.rule is ROWS["total"] else 1 + keys.index(kind.key) for kind in kinds.values()]
        return tuple(others[key] for key in keys), np.array(codes, np.uint16)[which.reshape(-1)]

    def terms(self) -> tuple[tuple[Integers, Integers], Integers]:
        """The scalars and the rows of all terms of ranged instructions, and where the terms of each node end."""
        graph = self.graph
        mine = self.ranged[graph.consumer]
        operand = graph.operand[mine]
        scalar, row = np.full(len(operand), graph.one, np.int32), operand.copy()
        if not graph.one_lane:  # b itself is b × 1
            plain = graph.scalar[operand] & self.total[graph.consumer[mine]]
            scalar[plain], row[plain] = operand[plain], graph.one
        product = self._of_node(self.term, operand)
        left, right = self.left[operand[product]], self.right[operand[product]]
        swap = ~graph.scalar[left]  # whichever way round it was typed
        scalar[product], row[product] = np.where(swap, right, left), np.where(swap, left, right)
        return (self._rows(scalar), self._rows(row)), np.cumsum(np.where(self.ranged, graph.count, 0))

    def operands(self, stop: Integers) -> tuple[Integers, Integers]:
        """x and y of each instruction."""
        made, ranged = self.made, self.ranged[self.made]
        x = np.where(ranged, (stop - self.graph.count)[made], self.row[self.left[made]])
        y = np.where(ranged, stop[made], self.row[self.right[made]])
        return x.astype(np.uint32), y.astype(np.uint32)

    def contributed(self) -> tuple[Integers, Integers]:
        """dx and dy of each instruction."""
        last = max(len(self.contribution) - 1, 0)
        padded = self.contribution if len(self.contribution) else np.zeros(1, np.int64)
        start = self.graph.start[self.made]
        dx, dy = (padded[np.minimum(start + i, last)].astype(np.uint32) for i in (0, 1))
        return dx, dy

    def gradients(self) -> tuple[tuple[Integers, ...], tuple[Integers, ...]]:
        """The terms of the instructions' gradients and those of the parameters', for each in backward()'s order."""
        graph = self.graph
        reverse = np.empty(len(graph.operand), np.int64)  # consumers backwards, the slots of each forwards
        reverse[len(reverse) - (graph.start + graph.count)[graph.consumer] + graph.slot] = np.arange(len(reverse))
        edge = reverse[(graph.active[graph.operand] & ~self._of_node(self.term, graph.operand) & ~self.whole)[reverse]]
        target, consumer = graph.operand[edge], graph.consumer[edge]
        product = self.term[consumer]
        factor = np.where(graph.slot[edge] == 0, self.right[consumer], self.left[consumer])
        factor = self._rows(np.where(product, factor, graph.one))
        upstream = self.gradient[np.where(product, self.reader[consumer], consumer)]
        upstream = np.where(product | self.total[consumer], upstream, self.contribution[edge])
        if graph.active[graph.nodes - 1]:
            target = np.append(graph.nodes - 1, target)
            factor, upstream = np.append(self._rows(graph.one), factor), np.append(self.seed, upstream)
        inner = ~graph.scalar[target]
        return (
            _listed(self.row[target[inner]] - self.first, len(self.made), factor[inner], upstream[inner]),
            _in_runs(self.row[target[~inner]], factor[~inner], upstream[~inner]),
        )

    def spread(self, x: Integers, y: Integers, terms: Any, sums: Any) -> Integers:
        """The scalars that are read as rows; in a single lane a scalar is a row."""
        if self.graph.one_lane:
            return np.empty(0, np.uint32)
        rows = ~self.ranged[self.made]
        read = np.concatenate([x[rows], y[rows], terms[1], sums[2], self.row[[self.graph.nodes - 1, self.graph.one]]])
        return np.unique(read[read < self.scalars]).astype(np.uint32)

    def checked(self) -> Integers:
        """The rows that show an infinity or NaN, wherever it came up: E's, and those that others than PASSING read.

        A sum, difference or product of one isn't finite either; relu, say, may hide it.
        """
        graph = self.graph
        passing = graph.made_by(lambda rule: rule in PASSING)
        read = np.zeros(graph.size, bool)
        read[graph.operand[~passing[graph.consumer]]] = True
        read[graph.nodes - 1] = True
        return self._rows(self.made[read[self.made]])

    def _rows(self, which: Any) -> Integers:
        rows: Integers = self.row[which].astype(np.uint32)
        return rows


def _listed(target: Integers, targets: int, factor: Integers, upstream: Integers) -> tuple[Integers, ...]:
    """The terms sorted by target, each target's in their order, and where those of each begin."""
    by_target = np.argsort(target, kind="stable")
    begin = np.concatenate([[0], np.cumsum(np.bincount(target, minlength=targets))])
    return tuple(each.astype(np.uint32) for each in (begin, factor[by_target], upstream[by_target]))


def _in_runs(target: Integers, factor: Integers, upstream: Integers) -> tuple[Integers, ...]:
    """The terms in their order: where runs with one upstream row begin, these rows, then factor and target of each."""
    begin = np.concatenate([[0], np.flatnonzero(np.diff(upstream)) + 1])[: len(upstream)]
    parts = (np.append(begin, len(upstream)), upstream[begin], factor, target)
    return tuple(each.astype(np.uint32) for each in parts)


ROWS = {rule.name: rule for rule in TABLE}
PASSING = [ROWS[name] for name in ("add", "sub", "mul", "neg", "total")]  # not finite where an operand isn't
