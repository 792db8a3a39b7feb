"""A recorded graph as a program: arrays of instructions and of row numbers, which the loops of loops.py run through.

A tape's memory is rows of numbers, each a number for every lane (sample). Scalars (parameters, constants) are shared by
all lanes: those that are read as rows come first; then the inputs; a row for each instruction; a gradient row for each
instruction; the seed ∂E/∂E; and a row for each local derivative that waits for its upstream gradient.

Σ is an instruction: a sum of scalar × row. A product of such two that only a Σ reads is a term of it and needs no row.
The gradient of a node is a sum of this kind too, over its consumers in the order in which backward() adds them. Sums
over the same rows, with weights of their own, are a layer (layers.py finds them), which is computed in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.order import topological_order
from engine.rules import RULES, Rule
from engine.tape.layers import Layers
from engine.value import Value

Integers = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

SUM, LAYER, MEMBER, FIRST_KIND = range(4)  # codes of instructions: MEMBER is a layer's further neuron
CODES = {"SUM": SUM, "LAYER": LAYER, "MEMBER": MEMBER, "FIRST_KIND": FIRST_KIND}  # by their names in the loops


class Kind(NamedTuple):
    """A kind of instruction: a row of the table, and for which operands it hands a contribution back."""

    rule: Rule
    wanted: tuple[bool, ...]  # one for all operands, where these are a range

    @property
    def key(self) -> tuple[Any, ...]:
        """Two kinds of one key compute the same; those whose operands are a range come last."""
        return ranged(self.rule), self.rule.name, self.rule.value, self.rule.partials, self.wanted


def ranged(rule: Rule) -> bool:
    """Are the operands of its instructions a range of terms, x to y, rather than the rows x and y?"""
    return rule.many or len(rule.operands) > 2


class Program(NamedTuple):
    """What the loops read: arrays of row numbers, and the numbers of a few rows."""

    code: Integers  # for each instruction: SUM, LAYER, MEMBER, or FIRST_KIND and the place of its kind
    x: Integers  # the rows of its operands, or the range of its terms; the layer
    y: Integers
    dx: Integers  # the rows of its local derivatives, 0 for none; for a range, those from dx to before dy
    dy: Integers
    back: Integers  # the layer whose inputs' gradients are due, and 1; 0 for none
    scalars: Integers  # a term of a Σ is scalar × row
    rows: Integers
    pulls: Integers  # the gradient of instruction i: the terms pulls[i] to pulls[i + 1]; none where it is put there
    pull_scalars: Integers
    pull_rows: Integers
    runs: Integers  # run i: the terms runs[i] to runs[i + 1] of the parameters' gradients, each row × row,
    run_rows: Integers  # with this row in all
    run_factors: Integers  # and another in each,
    run_targets: Integers  # which goes to this parameter
    layers: Integers  # see layers.py: a line of numbers for each
    lists: Integers  # the rows that layers read
    spread: Integers  # the scalars that are read as rows
    kinds: Integers  # the address of each kind's loop; tape.py fills it in
    instructions: int  # how many
    run_count: int
    spread_count: int
    parameters: int  # how many
    inputs: int
    first_input: int  # and the row of the first
    first: int  # the row of the first instruction
    first_gradient: int
    seed: int
    root: int  # E's row
    ranged: int  # the first code of kinds whose operands are a range
    end: int  # the number of rows

    @property
    def bytes(self) -> int:
        """The size of the program itself, without the memory that it works in."""
        return sum(part.nbytes for part in self if isinstance(part, np.ndarray))


class Flat(NamedTuple):
    """A flattened graph: the program, its kinds of instructions, and what the scalars are."""

    program: Program
    kinds: tuple[Kind, ...]
    parameters: list[Value]  # in topological order
    place: Integers  # of each among the scalars
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
    found = layout.layers
    lines, lists, back = found.records(layout)
    arrays = (
        code,
        x,
        y,
        dx,
        dy,
        back,
        *terms,
        *pulls,
        *sums,
        lines,
        lists,
        layout.spread,
        np.zeros(len(kinds), np.int64),
    )
    counts = (len(code), len(sums[1]), 0 if graph.one_lane else len(layout.spread))
    rows = (layout.scalars, layout.first, layout.first_gradient, layout.seed, int(layout.row[graph.nodes - 1]))
    first_ranged = FIRST_KIND + sum(not ranged(kind.rule) for kind in kinds)
    sizes = (*counts, len(graph.parameters), len(graph.input))
    program = Program._make((*arrays, *sizes, *rows, first_ranged, layout.end))
    return Flat(program, kinds, graph.parameters, layout.place[graph.parameter], graph.constants)


class Graph:
    """The graph as arrays. Nodes are numbered in topological order, then constants; edges by consumer, then slot."""

    def __init__(self, E: Value, inputs: Sequence[Value] | None) -> None:
        order = topological_order(E)
        number: dict[Any, int] = dict(zip(order, range(len(order)), strict=True))
        constants = [1.0]

        def numbered(constant: float) -> int:
            constants.append(constant)
            return 1 - len(constants)

        # without lists beside the order, which would take more memory than all else
        read = (numbered(x) if type(x) is float else number[x] for node in order for x in node.inputs)
        signed = np.fromiter(read, np.int64)
        self.count = np.fromiter((len(node.inputs) for node in order), np.int32, len(order))
        places: dict[Rule | None, int] = {None: -1}
        self.rule = np.fromiter((places.setdefault(node.rule, len(places) - 1) for node in order), np.int32, len(order))
        self.nodes, self.one_lane, self.rules = len(order), inputs is None, [rule for rule in places if rule]
        self.start = np.cumsum(self.count) - self.count
        bits, which = np.unique(np.array(constants).view(np.int64), return_inverse=True)  # 0.0 and -0.0 are two
        self.constants, self.one = bits.view(np.float64), self.nodes + int(which[0])
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
        self.active = self._active()

    def made_by(self, holds: Callable[[Rule], bool]) -> Flags:
        """For each node: does this hold for its rule? For no leaf."""
        return np.array([*map(holds, self.rules), False], bool)[self.rule]

    def _active(self) -> Flags:
        """For each node and constant: does it depend on a parameter?"""
        active = np.zeros(self.size, bool)
        active[self.parameter] = True
        if self.one_lane:
            active[: self.nodes] = True
            return active
        made = np.flatnonzero(self.rule >= 0)
        found, operands = active.tolist(), self.operand.tolist()
        start, stop = self.start[made], self.start[made] + self.count[made]
        for node, begin, end in zip(made.tolist(), start.tolist(), stop.tolist(), strict=True):
            found[node] = True in [found[operand] for operand in operands[begin:end]]
        return np.array(found)

    def ends(self) -> tuple[Integers, Integers]:
        """The first and the last of each node's first two operands; anything for a leaf."""
        last = max(len(self.operand) - 1, 0)
        padded = self.operand if len(self.operand) else np.zeros(1, np.int32)
        left = padded[np.minimum(self.start, last)]
        return left, np.where(self.count > 1, padded[np.minimum(self.start + 1, last)], left)


class Layout:
    """Which nodes are instructions, in which order, and the row of every number."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        nodes = graph.nodes
        self.total = graph.made_by(lambda rule: rule is RULES["total"])
        self.ranged = graph.made_by(ranged)
        self.uses = np.bincount(graph.operand, minlength=graph.size)
        self.reader = np.zeros(graph.size, np.int32)
        self.reader[graph.operand] = graph.consumer  # the only one, where there is one use
        self.left, self.right = graph.ends()
        product = graph.made_by(lambda rule: rule is RULES["mul"])
        self.term = product & (self.uses[:nodes] == 1) & self.total[self.reader[:nodes]]
        if not graph.one_lane:
            self.term &= graph.scalar[self.left] != graph.scalar[self.right]
        self.instruction = (graph.rule >= 0) & ~self.term
        self.term_scalar, self.term_row = self._terms()
        self.layers = Layers(self)
        self.made = self.layers.order(np.flatnonzero(self.instruction))
        self.place = self.layers.places(graph)  # of each parameter and constant among the scalars
        self.spread = self._spread()
        self._rows_of_all()
        self.layers.look_at_rows(self)

    def _rows_of_all(self) -> None:
        graph, inputs, made = self.graph, len(self.graph.input), len(self.made)
        self.scalars = len(self.spread)
        self.first = self.scalars + inputs
        self.first_gradient = self.first + made
        self.seed = self.first_gradient + made
        self.row = np.zeros(graph.size, np.int64)
        scalars = np.zeros(len(graph.parameters) + len(graph.constants), np.int64)
        scalars[self.spread] = np.arange(self.scalars)
        self.row[graph.scalar] = scalars[self.place[graph.scalar]]
        here = graph.input >= 0
        self.row[graph.input[here]] = self.scalars + np.flatnonzero(here)
        self.row[self.made] = self.first + np.arange(made)
        self.gradient = self.row + made  # of an instruction

        # an edge of another instruction than Σ: its local derivative has a row, that of its operand's whole gradient
        # if it is the only one there, else of its own
        target, consumer = graph.operand, graph.consumer
        plain = ~(self.total | self.term)[consumer]
        wanted = graph.active[target] & plain
        whole = wanted & (self._of_node(self.instruction, target)) & ~self.ranged[consumer]
        self.whole = whole & (self.uses[target] == 1)
        own = (wanted & ~self.whole) | (plain & self.ranged[consumer] & graph.active[consumer])
        self.contribution = np.where(self.whole, self.gradient[target], self.seed + np.cumsum(own))
        self.contribution[~(self.whole | own)] = 0
        self.end = self.seed + 1 + int(own.sum())

    def _of_node(self, flags: Flags, which: Integers) -> Flags:
        return np.append(flags, np.zeros(self.graph.size - self.graph.nodes, bool))[which]

    def _terms(self) -> tuple[Integers, Integers]:
        """The scalar and the row of each term of the ranged instructions, by their nodes."""
        graph = self.graph
        mine = self.ranged[graph.consumer]
        operand = graph.operand[mine]
        scalar, row = np.full(len(operand), graph.one, np.int32), operand.copy()
        plain = graph.scalar[operand] & self.total[graph.consumer[mine]]  # b itself is b × 1
        scalar[plain], row[plain] = operand[plain], graph.one
        product = self._of_node(self.term, operand)
        left, right = self.left[operand[product]], self.right[operand[product]]
        swap = ~graph.scalar[left]  # whichever way round it was typed
        scalar[product], row[product] = np.where(swap, right, left), np.where(swap, left, right)
        return scalar, row

    def _spread(self) -> Integers:
        """The scalars that are read as rows, by their place; in a single lane each is a row."""
        graph = self.graph
        if graph.one_lane:
            return np.arange(len(graph.parameters) + len(graph.constants), dtype=np.uint32)
        plain = graph.operand[~(self.total | self.term)[graph.consumer]]
        read = np.concatenate([plain, self.term_row, [graph.one, graph.nodes - 1]])
        return np.unique(self.place[read[graph.scalar[read]]]).astype(np.uint32)

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
        others = {kind.key: kind for kind in kinds.values() if kind.rule is not RULES["total"]}
        keys = sorted(others)
        codes = [SUM if k.rule is RULES["total"] else FIRST_KIND + keys.index(k.key) for k in kinds.values()]
        code = np.array(codes, np.uint16)[which.reshape(-1)]
        code[self.layers.of[made] >= 0] = MEMBER
        code[self.row[self.layers.firsts] - self.first] = LAYER
        return tuple(others[key] for key in keys), code

    def terms(self) -> tuple[tuple[Integers, Integers], Integers]:
        """The scalars and the rows of all terms of ranged instructions, and where the terms of each node end."""
        return (self._weights(self.term_scalar), self._rows(self.term_row)), np.cumsum(
            np.where(self.ranged, self.graph.count, 0)
        )

    def operands(self, stop: Integers) -> tuple[Integers, Integers]:
        """x and y of each instruction."""
        made, ranged = self.made, self.ranged[self.made]
        x = np.where(ranged, (stop - self.graph.count)[made], self.row[self.left[made]])
        y = np.where(ranged, stop[made], self.row[self.right[made]])
        layer = self.layers.of[made]
        return np.where(layer >= 0, layer, x).astype(np.uint32), y.astype(np.uint32)

    def contributed(self) -> tuple[Integers, Integers]:
        """dx and dy of each instruction."""
        last = max(len(self.contribution) - 1, 0)
        padded = self.contribution if len(self.contribution) else np.zeros(1, np.int64)
        start, count = self.graph.start[self.made], self.graph.count[self.made]
        dx = padded[np.minimum(start, last)]
        dy = np.where(count > 1, padded[np.minimum(start + 1, last)], 0)
        dy = np.where(self.ranged[self.made], np.where(dx > 0, dx + count, 0), dy)
        return dx.astype(np.uint32), dy.astype(np.uint32)

    def gradients(self) -> tuple[tuple[Integers, ...], tuple[Integers, ...]]:
        """The terms of the instructions' gradients and those of the parameters', for each in backward()'s order."""
        graph = self.graph
        reverse = np.empty(len(graph.operand), np.int64)  # consumers backwards, the slots of each forwards
        reverse[len(reverse) - (graph.start + graph.count)[graph.consumer] + graph.slot] = np.arange(len(reverse))
        counted = graph.active[graph.operand] & ~self._of_node(self.term, graph.operand) & ~self.whole
        edge = reverse[(counted & ~self.layers.pulled(self))[reverse]]
        target, consumer = graph.operand[edge], graph.consumer[edge]
        product = self.term[consumer]
        factor = np.where(graph.slot[edge] == 0, self.right[consumer], self.left[consumer])
        factor = np.where(product, factor, graph.one)
        upstream = self.gradient[np.where(product, self.reader[consumer], consumer)]
        upstream = np.where(product | self.total[consumer], upstream, self.contribution[edge])
        if graph.active[graph.nodes - 1]:
            target = np.append(graph.nodes - 1, target)
            factor, upstream = np.append(graph.one, factor), np.append(self.seed, upstream)
        inner = ~graph.scalar[target]
        return (
            _listed(
                self.row[target[inner]] - self.first, len(self.made), self._weights(factor[inner]), upstream[inner]
            ),
            _in_runs(self.place[target[~inner]], self._rows(factor[~inner]), upstream[~inner]),
        )

    def _weights(self, which: Any) -> Integers:
        """The places of scalars; in a single lane, where these are the first rows, any row will do."""
        places: Integers = (self.row if self.graph.one_lane else self.place)[which].astype(np.uint32)
        return places

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
