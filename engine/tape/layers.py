"""The layers in a graph: sums of weights × rows, all over the same rows, each with weights of its own.

A layer's sums lie side by side, and its weights too, a line for each row that it reads and the biases last, so that
loops run through them in blocks. The gradients of its rows are such a layer again, with the weights turned, if nothing
else reads them; and if these are functions of one number each, activations say, those of these numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from engine.rules import RULES

# of a layer's line in a program: how many rows it reads and makes, how many of those aren't the bias's; where in .lists
# the rows begin, where its weights; the rows of the gradients that it gives, and of slopes to multiply these by, or 0
FIELDS = ("inputs", "outputs", "own", "rows", "weights", "target", "times")


class Layer(NamedTuple):
    """Its sums; the rows that each of them reads, a bias's is that of 1.0; a line of weights for each; all by nodes."""

    sums: Any
    rows: Any
    own: Any  # those without the bias's
    weights: Any
    readers: Any  # of each weight: the product, or of a bias the sum


class Layers:
    """The layers of a graph."""

    def __init__(self, graph: Any) -> None:
        together: dict[int, list[Layer]] = {}  # those that share their first weight
        for layer in _candidates(graph):
            together.setdefault(int(layer.weights[0, 0]), []).append(layer)
        kept = [same for same in together.values() if _fit(graph, same)]
        self.found = [layer for same in kept for layer in same]
        self.weights = np.concatenate([*(same[0].weights.T.ravel() for same in kept), np.empty(0, np.int64)])
        self.firsts = np.array([layer.sums[0] for layer in self.found], np.int64)
        self.of = np.full(graph.size, -1, np.int32)  # each node's layer, -1 for none
        for number, layer in enumerate(self.found):
            self.of[layer.sums] = number
        mine = graph.operand[self.of[graph.consumer] >= 0]
        self.term = graph.flags(mine[~graph.scalar[mine]])  # products that only a layer reads, and that need no row

    def order(self, made: Any) -> Any:
        """The instructions in their order, but a layer's sums all come where its first one is."""
        when = np.where(self.of[made] >= 0, np.append(self.firsts, 0)[self.of[made]], made)
        return made[np.argsort(when, kind="stable")]

    def places(self, graph: Any) -> Any:
        """The place of each parameter and constant among the scalars: the layers' weights come first."""
        place = np.zeros(graph.size, np.int32)
        others = np.setdiff1d(np.flatnonzero(graph.scalar), self.weights)
        place[np.concatenate([self.weights, others])] = np.arange(graph.scalar.sum())
        return place

    def given(self, layout: Any) -> Any:
        """For each edge: is its contribution added up by a layer?"""
        graph, weight = layout.graph, np.zeros(layout.graph.size, bool)
        weight[self.weights] = True
        self.pulls = [self._pulls(layout, layer) for layer in self.found]
        self.passes = [
            pulls and self._passes(layout, layer) for pulls, layer in zip(self.pulls, self.found, strict=True)
        ]
        reads = np.where(self.term, self.of[graph.reader], -1)[graph.consumer]  # the layer of which it is a row
        given = weight[graph.operand] | self.term[graph.operand] | np.array([*self.pulls, False])[reads]
        for layer, passes in zip(self.found, self.passes, strict=True):
            if passes:
                given[graph.start[layer.own]] = True
        return given

    def _pulls(self, layout: Any, layer: Layer) -> bool:
        """Are the gradients of its rows its own alone, and side by side?"""
        graph, own = layout.graph, layer.own
        inside = (graph.uses[own] == len(layer.sums)) & graph.active[own]
        return bool(inside.all() and _adjacent(layout.position[own]))

    def _passes(self, layout: Any, layer: Layer) -> bool:
        """Has each of its rows one operand that nothing else reads, and stores its local derivative?"""
        graph, own = layout.graph, layer.own
        start = graph.start[own]
        single = (graph.count[own] == 1) & layout.stored[start] & (graph.uses[graph.operand[start]] == 1)
        return bool(single.all() and _adjacent(layout.position[graph.operand[start]]))

    def records(self, layout: Any) -> tuple[Any, Any]:
        """A line of numbers for each layer, and the lists of rows that they name."""
        graph, gradient = layout.graph, layout.first_gradient + layout.position
        lines, lists = [], [0]
        for layer, pulls, passes in zip(self.found, self.pulls, self.passes, strict=True):
            own, target, times = layer.own, 0, 0
            if pulls:
                edges = graph.start[own]
                target = gradient[graph.operand[edges[0]] if passes else own[0]]
                times = layout.slope[edges[0]] if passes else 0
            weights = layout.place[layer.weights[0, 0]]
            lines += [len(layer.rows), len(layer.sums), len(own), len(lists), weights, target, times]
            lists += [*layout.row[layer.rows], *gradient[layer.sums[::-1]]]
        return np.array(lines, np.int32), np.array(lists, np.int32)

    def due(self) -> tuple[Any, Any]:
        """The layers that give the gradients of their rows, and the last of these, where they are due."""
        numbers = np.flatnonzero(self.pulls).astype(np.int32)
        return numbers, np.array([self.found[number].own[-1] for number in numbers], np.int32)


def _adjacent(positions: Any) -> Any:
    return positions[0] >= 0 and (np.diff(positions) == 1).all()


def _candidates(graph: Any) -> list[Layer]:
    """Sums whose scalars are all parameters, those over the same rows together."""
    product = graph.made_by(lambda rule: rule is RULES["mul"]) & (graph.uses == 1)
    inside = product[graph.operand]
    weight, row = graph.operand.copy(), np.full_like(graph.operand, graph.one)  # b itself is b × 1
    place = graph.start[graph.operand[inside]]
    left, right = graph.operand[place], graph.operand[place + 1]
    swap = ~graph.scalar[left]  # whichever way round it was typed
    weight[inside], row[inside] = np.where(swap, right, left), np.where(swap, left, right)
    parameter = graph.flags(graph.parameter)
    wrong = ~parameter[weight] | (inside & ((row == graph.one) if graph.one_lane else graph.scalar[row]))
    wrong |= ~inside & (graph.slot < graph.count[graph.consumer] - 1)  # a bias comes last
    before = np.concatenate([[0], np.cumsum(wrong)])
    stop = graph.start + graph.count
    total = graph.made_by(lambda rule: rule is RULES["total"])[: graph.nodes]
    fit = total & (graph.count > 1) & (before[stop] == before[graph.start])
    together: dict[bytes, list[int]] = {}
    for node in np.flatnonzero(fit).tolist():
        together.setdefault(row[graph.start[node] : stop[node]].tobytes(), []).append(node)
    found = []
    for same in together.values():
        sums = np.array(same)
        terms = graph.start[sums][:, None] + np.arange(graph.count[same[0]])
        readers = np.where(inside[terms], graph.operand[terms], sums[:, None])
        rows = row[terms[0]]
        found.append(Layer(sums, rows, rows[rows != graph.one], weight[terms].astype(np.int64), readers))
    return found


def _fit(graph: Any, same: list[Layer]) -> bool:
    """Do these layers share all their weights, does nothing else read these, and are all read in one order?

    A parameter's gradient is then a sum over the layers, in the order in which backward() adds.
    """
    weights = same[0].weights
    if not all(np.array_equal(layer.weights, weights) for layer in same):
        return False
    distinct = len(np.unique(weights)) == weights.size and (graph.uses[weights] == len(same)).all()
    return bool(distinct and (np.diff([layer.readers for layer in same], axis=0) > 0).all())
