"""Networks folded: a box for each layer, or the diagram of the textbooks with circles and weighted lines.

What belongs to a neuron is found by neurons.py; other nodes, such as the loss, stay boxes of their own.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from engine.pictures.neurons import is_weight, layer_of, weight_index
from engine.pictures.nodes import BLANK, NAME, Says
from engine.pictures.picture import CIRCLE, NEGATIVE, POSITIVE, RIM, Arrow, Box, Column, Picture, Row, tint
from engine.text.names import counted, number_text, shortened, shown
from engine.value import Value, edges

LABELLED, LABEL = 48, 54.0  # weights, above which their lines have no numbers; the width of one of these


class Edge(NamedTuple):
    """An operand of a node, and the boxes that the two are in."""

    tail: str
    head: str
    node: Value
    slot: int


def folded(says: Says, depth: str) -> Picture:
    """The network of a graph folded into boxes by "neuron" or by "layer".

    Raises ValueError where no parameter has the label of a neuron's.
    """
    if not says.neurons:
        raise ValueError(
            f"depth={depth!r} folds neurons, known by labels such as hidden[2].w[3], and this graph has none: "
            "leave depth out"
        )
    fold = (_Neurons if depth == "neuron" else _Layers)(says)
    boxes = [box for node in says.order for box in fold.boxes(node)]
    arrows = [fold.arrow(edges) for edges in fold.bundles().values()]
    title = f"Network of {says.title}, by {depth}"
    return Picture([*fold.inputs.values(), *boxes], arrows, title, fold.description(), columns=fold.columns())


class _Fold:
    """Folded boxes: members lists the nodes of each, by its path; inputs are the numbers that go into the network."""

    def __init__(self, says: Says) -> None:
        self.says = says
        self.path = {node: self.folds_to(says.neurons[node]) for node in says.order if node in says.neurons}
        self.members: dict[str, list[Value]] = {}
        for node, path in self.path.items():
            self.members.setdefault(path, []).append(node)
        self.inputs: dict[tuple[object, ...], Box] = {}
        self._edges = self._between_boxes()

    def folds_to(self, neuron: str) -> str:
        raise NotImplementedError

    def folded_box(self, path: str) -> Box:
        raise NotImplementedError

    def arrow(self, edges: list[Edge]) -> Arrow:
        raise NotImplementedError

    def entry(self, node: Value, slot: int) -> tuple[tuple[object, ...], Box] | None:
        """The box of a constant that goes into the network, and what tells it from others; None if it isn't drawn."""
        raise NotImplementedError

    def id(self, node: Value) -> str:
        return self.says.ids.node(self.members[self.path[node]][-1] if node in self.path else node)

    def boxes(self, node: Value) -> list[Box]:
        """The boxes to draw where this node stands in the order; a folded one stands where its last node does."""
        path = self.path.get(node)
        if path is None:
            return [*self.says.constants(node), self.says.box(node)._replace(groups=())]
        return [self.folded_box(path)] if node is self.members[path][-1] else []

    def _between_boxes(self) -> list[Edge]:
        edges = []
        for node in self.says.order:
            for slot, given in enumerate(node.inputs):
                tail = self.id(given) if isinstance(given, Value) else self._constant(node, slot)
                if tail is not None and tail != self.id(node):
                    edges.append(Edge(tail, self.id(node), node, slot))
        return edges

    def _constant(self, node: Value, slot: int) -> str | None:
        if node not in self.path:
            return self.says.ids.constant(node, slot)
        found = self.entry(node, slot)
        if found is None:
            return None
        key, box = found
        return self.inputs.setdefault(key, box).id

    def columns(self) -> tuple[Column, ...]:
        """The boxes to put below each other, from the left."""
        return ()

    def bundles(self) -> dict[tuple[object, ...], list[Edge]]:
        """The edges that share an arrow; between boxes that are single nodes each has its own."""
        bundles: dict[tuple[object, ...], list[Edge]] = {}
        for edge in self._edges:
            single = edge.node not in self.path and edge.tail == self.tail_id(edge)
            key = (edge.tail, edge.head, edge.node, edge.slot) if single else (edge.tail, edge.head)
            bundles.setdefault(key, []).append(edge)
        return bundles

    def tail_id(self, edge: Edge) -> str | None:
        """The id of the operand's own box, if it isn't folded."""
        given = edge.node.inputs[edge.slot]
        if not isinstance(given, Value):
            return edge.tail
        return None if given in self.path else self.says.ids.node(given)

    def plain(self, edge: Edge) -> Arrow:
        """The arrow of one edge, as in the whole graph, between folded boxes."""
        return self.says.arrow(edge.node, edge.slot)._replace(tail=edge.tail, head=edge.head, apart=False)

    def outputs(self, path: str) -> list[Value]:
        """The nodes of a folded box that none of the others reads."""
        read = {operand for node in self.members[path] for _, operand, _ in edges(node)}
        return [node for node in self.members[path] if node.rule and node not in read]

    def description(self) -> str:
        neurons = {*self.says.neurons.values()}
        layers = {layer_of(neuron) for neuron in neurons}
        size = f"{counted(len(neurons), 'neuron')} in {counted(len(layers), 'layer')}"
        parameters = counted(sum(node.rule is None for node in self.path), "parameter")
        return f"A network of {size} with {parameters}, and what else {self.says.title} is made of."


def _weight(node: Value) -> Value | None:
    """The weight of a product w·x."""
    weights = [operand for _, operand, _ in edges(node) if is_weight(operand)]
    return weights[0] if node.rule and node.rule.name == "mul" and len(weights) == 1 else None


class _Neurons(_Fold):
    def __init__(self, says: Says) -> None:
        super().__init__(says)
        lines = {(edge.tail, edge.head): weight for edge in self._edges if (weight := _weight(edge.node)) is not None}
        self.largest, self.labelled = max([abs(w.data) for w in lines.values()], default=0.0), len(lines) <= LABELLED

    def columns(self) -> tuple[Column, ...]:
        layers: dict[str, list[str]] = {}
        for path in sorted(self.members, key=lambda path: self.says.ids.place[self.members[path][-1]]):
            layers.setdefault(layer_of(path), []).append(self.id(self.members[path][0]))
        columns = [tuple(box.id for box in self.inputs.values()), *map(tuple, layers.values())]
        apart = (Column(ids, self._distance(len(before), len(ids))) for before, ids in pairwise(columns))
        return (Column(columns[0]), *apart)

    def _distance(self, before: int, neurons: int) -> float:
        """From the column before: so that the labels of lines from or into one circle find room below each other."""
        if not self.labelled:
            return 2 * CIRCLE + RIM
        lines = max(before, neurons) if neurons > 1 else 1
        return min((CIRCLE + LABEL) / 2 * (1 + lines) - CIRCLE, 6 * CIRCLE)

    def folds_to(self, neuron: str) -> str:
        return neuron

    def entry(self, node: Value, slot: int) -> tuple[tuple[object, ...], Box] | None:
        weight, number = _weight(node), node.inputs[slot]
        if weight is None or isinstance(number, Value):
            return None
        i = weight_index(weight)
        rows = (Row("data", "", number_text(number)),)
        box = Box(f"i{len(self.inputs)}", "input", f"x[{i}]", "", rows, tooltip=f"x[{i}] = {number!r}")
        return (layer_of(self.path[node]), i, number), box

    def folded_box(self, path: str) -> Box:
        members, outputs = self.members[path], self.outputs(path)
        biases = [node for node in members if node.rule is None and not is_weight(node)]
        a = outputs[0]
        assert a.rule is not None
        rows = [Row("activation", "", a.rule.name if a.rule.operands == ("x",) else "Σ")]
        rows += [Row("bias", "b", number_text(b.data)) for b in biases]
        several = Row("count", "", counted(len(outputs), "output"))
        rows.append(
            Row("data", "a", BLANK if "data" in self.says.blanks else number_text(a.data))
            if len(outputs) == 1
            else several
        )
        tooltips = [self.says.node_tooltip(node) for node in (*biases, *outputs[:6])]
        marks = self.says.root_mark(members[-1])
        name = shortened(shown(path), NAME)
        fill = self.says.colour(a) if len(outputs) == 1 else tint(None, 0)
        return Box(self.id(a), "neuron", name, "", tuple(rows), fill, "\n".join(tooltips), marks)

    def arrow(self, edges: list[Edge]) -> Arrow:
        arrow, weight = self.plain(edges[0]), _weight(edges[0].node)
        if weight is None or edges[0].node not in self.path:
            return arrow if len(edges) == 1 else arrow._replace(label="", tooltip=counted(len(edges), "value"))
        tooltip = self.says.node_tooltip(weight)
        strength = abs(weight.data) / self.largest if self.largest else 0.0
        colour = POSITIVE if weight.data >= 0 else NEGATIVE
        label = number_text(weight.data) if self.labelled else ""
        return arrow._replace(label=label, strength=strength, tooltip=tooltip, marks=("weight",), colour=colour)


class _Layers(_Fold):
    def __init__(self, says: Says) -> None:
        self.counts: dict[str, int] = {}  # of the constants that go into a layer
        super().__init__(says)

    def folds_to(self, neuron: str) -> str:
        return layer_of(neuron)

    def entry(self, node: Value, slot: int) -> tuple[tuple[object, ...], Box] | None:
        if _weight(node) is None:
            return None
        layer = self.path[node]
        if layer not in self.counts:
            products = [each for each in self.members[layer] if not all(isinstance(x, Value) for x in each.inputs)]
            weights = [weight for each in products if (weight := _weight(each)) is not None]
            self.counts[layer] = len({weight_index(weight) for weight in weights})
        rows = (Row("count", "", counted(self.counts[layer], "input")),)
        box = Box(f"i{len(self.inputs)}", "inputs", "x", "", rows)
        return (layer,), box

    def folded_box(self, path: str) -> Box:
        members = self.members[path]
        counts = {
            "neuron": len({self.says.neurons[node] for node in members}),
            "parameter": sum(node.rule is None for node in members),
            "node": len(members),
        }
        rows = tuple(Row("count", f"{kind}s", f"{count:,}") for kind, count in counts.items())
        outputs = [self.says.node_tooltip(node).partition("\n")[0] for node in self.outputs(path)[:12]]
        marks = self.says.root_mark(members[-1])
        name = shortened(shown(path), NAME)
        return Box(self.id(members[-1]), "layer", name, rows=rows, tooltip="\n".join(outputs), marks=marks)

    def arrow(self, edges: list[Edge]) -> Arrow:
        arrow = self.plain(edges[0])._replace(marks=())
        if len(edges) == 1:
            return arrow if edges[0].node not in self.path else arrow._replace(label="")
        values = {edge.node.inputs[edge.slot] for edge in edges}
        constants = edges[0].tail.startswith("i")
        return arrow._replace(label="" if constants else counted(len(values), "value"), tooltip="", strength=0.0)
