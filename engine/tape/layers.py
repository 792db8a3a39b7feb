"""The layers in a graph: sums of weights × rows, all over the same rows, each with weights of its own.

A layer's sums lie side by side, and its weights too, neuron by neuron, so that loops run through them in blocks. The
gradients of its inputs are such a layer again, with the weights turned, if nothing else reads them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

# of a layer's line in a program: how many rows it reads and makes, and where its others begin
FIELDS = ("inputs", "outputs", "rows", "weights", "stride", "bias", "target", "times", "upstream", "adjacent")


class Layer(NamedTuple):
    """Its sums; the rows that each of them reads; its weights and biases, a line for each sum; all by their nodes."""

    sums: list[int]
    rows: Any
    weights: Any
    readers: Any  # of each weight: the product, or of a bias the sum
    bias: bool


class Layers:
    """The layers that a layout has, found before there are rows."""

    def __init__(self, layout: Any) -> None:
        graph = layout.graph
        self.of = np.full(graph.nodes, -1, np.int64)  # each node's layer, -1 for none
        self.found = [layer for same in _grouped(_candidates(layout)).values() for layer in _kept(layout, same)]
        for number, layer in enumerate(self.found):
            self.of[layer.sums] = number
        self.firsts = np.array([layer.sums[0] for layer in self.found], np.int64)

    def order(self, made: Any) -> Any:
        """The instructions in their order, but a layer's sums all come where its first one is."""
        when = made.copy()
        mine = self.of[made] >= 0
        when[mine] = self.firsts[self.of[made][mine]]
        return made[np.argsort(when, kind="stable")]

    def places(self, graph: Any) -> Any:
        """The place of each parameter and constant among the scalars: a layer's weights, line by line, come first."""
        blocks: dict[int, Any] = {int(layer.weights[0, 0]): layer.weights.ravel() for layer in self.found}
        scalars = np.flatnonzero(graph.scalar)
        in_layers = np.concatenate([*blocks.values(), np.empty(0, np.int64)])
        place = np.zeros(graph.size, np.int64)
        place[np.concatenate([in_layers, np.setdiff1d(scalars, in_layers)])] = np.arange(len(scalars))
        return place

    def look_at_rows(self, layout: Any) -> None:
        """Finds of which layers the gradients of the inputs are computed in one go, as soon as there are rows."""
        self.pulls = [
            bool(
                layout.instruction[layer.rows[layer.rows < layout.graph.nodes]].sum() == len(layer.rows)
                and (layout.uses[layer.rows] == len(layer.sums)).all()
                and (np.diff(layout.row[layer.rows]) == 1).all()
            )
            for layer in self.found
        ]

    def pulled(self, layout: Any) -> Any:
        """For each edge: is its contribution added up by a layer?"""
        graph, padded = layout.graph, np.append(self.of, -1)
        consumer = graph.consumer
        layer = padded[np.where(layout.term[consumer], layout.reader[consumer], consumer)]
        weight = np.zeros(graph.size, bool)
        for each in self.found:
            weight[each.weights] = True
        return (layer >= 0) & (weight[graph.operand] | np.array([*self.pulls, False])[layer])

    def records(self, layout: Any) -> tuple[Any, Any, Any]:
        """A line of numbers for each layer, the lists of rows that they name, and where which gradients are due."""
        lines, lists, back = [], [0], np.zeros(len(layout.made), np.uint32)
        for number, (layer, pulls) in enumerate(zip(self.found, self.pulls, strict=True)):
            rows, outputs = layout.row[layer.rows], layout.row[layer.sums]
            upstream = layout.gradient[layer.sums][::-1] if pulls else outputs[:0]
            slopes = self._slopes(layout, layer) if pulls else outputs[:0]
            target = int(slopes[0] if len(slopes) else layout.gradient[layer.rows[0]]) if pulls else 0
            weights, stride = int(layout.place[layer.weights[0, 0]]), layer.weights.shape[1]
            first = (len(rows), len(outputs), len(lists), weights, stride, int(layer.bias))
            adjacent = int((np.diff(rows) == 1).all())
            lines += [*first, target, int(len(slopes) > 0), len(lists) + len(rows), adjacent]
            lists += [*rows.tolist(), *upstream.tolist()]
            if pulls:
                back[rows[-1] - layout.first] = number + 1
        return np.array(lines, np.uint32), np.array(lists, np.uint32), back

    def _slopes(self, layout: Any, layer: Layer) -> Any:
        """The rows of the local derivatives of its inputs, if each has one, side by side: an activation's, say.

        The inputs' gradients are then multiplied by these, and put there, as soon as they are there.
        """
        graph = layout.graph
        slopes = layout.contribution[graph.start[layer.rows]]
        single = (graph.count[layer.rows] == 1) & (slopes > 0)
        return slopes if single.all() and (np.diff(slopes) == 1).all() else slopes[:0]


def _candidates(layout: Any) -> list[Layer]:
    """Sums whose scalars are all different parameters, those over the same rows together."""
    graph = layout.graph
    stop = np.cumsum(np.where(layout.ranged, graph.count, 0))
    start = stop - graph.count
    parameter = np.zeros(graph.size, bool)
    parameter[graph.parameter] = True
    wrong = np.concatenate([[0], np.cumsum(~parameter[layout.term_scalar])])
    sums = np.flatnonzero(layout.total & layout.instruction & (graph.count > 1))
    sums = sums[wrong[stop[sums]] == wrong[start[sums]]]
    together: dict[bytes, list[int]] = {}
    for node in sums.tolist():
        together.setdefault(layout.term_row[start[node] : stop[node]].tobytes(), []).append(node)
    return [_layer(layout, same, start) for same in together.values()]


def _layer(layout: Any, sums: list[int], start: Any) -> Layer:
    graph = layout.graph
    terms = start[sums][:, None] + np.arange(graph.count[sums[0]])
    rows, weights = layout.term_row[terms[0]], layout.term_scalar[terms].astype(np.int64)
    operands = graph.operand[graph.start[sums][:, None] + np.arange(graph.count[sums[0]])]
    readers = np.where(operands == weights, np.array(sums)[:, None], operands)
    bias = bool(rows[-1] == graph.one)
    return Layer(sums, rows[:-1].astype(np.int64) if bias else rows.astype(np.int64), weights, readers, bias)


def _grouped(layers: list[Layer]) -> dict[int, list[Layer]]:
    """Those that share their first weight."""
    groups: dict[int, list[Layer]] = {}
    for layer in layers:
        groups.setdefault(int(layer.weights[0, 0]), []).append(layer)
    return groups


def _kept(layout: Any, same: list[Layer]) -> list[Layer]:
    """These layers, if they share all their weights, nothing else reads these, and all are read in one order.

    A parameter's gradient is then a sum over the layers, in the order in which backward() adds.
    """
    weights = same[0].weights
    alike = all(layer.weights.shape == weights.shape and (layer.weights == weights).all() for layer in same)
    distinct = len(np.unique(weights)) == weights.size and (layout.uses[weights] == len(same)).all()
    one = layout.graph.one
    if not (alike and distinct and not any((layer.rows == one).any() for layer in same)):
        return []
    ordered = sorted(same, key=lambda layer: layer.sums[0])
    readers = np.array([layer.readers for layer in ordered])
    return ordered if (np.diff(readers, axis=0) > 0).all() else []
