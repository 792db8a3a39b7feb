"""What each box and each arrow says: names, formulas, numbers and tooltips, from the nodes of a graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping

from engine.pictures.neurons import inputs_of, is_parameter, layer_of, neurons_of
from engine.pictures.picture import MANY, Arrow, Box, Picture, Row, tint
from engine.steps.passes import Grad
from engine.text.names import (
    changing,
    counted,
    display_names,
    grad_text,
    joined,
    number_text,
    quotient,
    shortened,
)  # fmt: skip
from engine.text.symbols import PRINTED, TEXT, equation
from engine.value import Value, edges, operand

LABELLED = 300  # boxes; above it arrows have no labels
NAME, OPERAND, FORMULA, TOOLTIP = 28, 18, 46, 2000  # characters shown
LEAVES = 6  # named in a description
FEW = 3  # arrows from a box, above which all of them have a longer way
BLANK = "______"  # room for a number by hand
NO_GRADIENT = "–"


class Ids:
    """The ids of boxes and arrows in the picture of a graph, from its topological order."""

    def __init__(self, order: list[Value]) -> None:
        self.place = {node: i for i, node in enumerate(order)}

    def node(self, node: Value) -> str:
        return f"n{self.place[node]}"

    def constant(self, node: Value, slot: int) -> str:
        """The box of a constant operand."""
        return f"c{self.place[node]}-{slot}"

    def edge(self, node: Value, slot: int) -> str:
        return f"e{self.place[node]}-{slot}"


def graph_picture(says: Says) -> Picture:
    """The whole graph, a box for each node and each constant operand, an arrow for each operand."""
    boxes = []
    for node in says.order:
        box = says.box(node)
        boxes += [*(constant._replace(groups=box.groups) for constant in says.constants(node)), box]
    labelled = len(boxes) <= LABELLED
    arrows = [says.arrow(node, slot, labelled) for node in says.order for slot in range(len(node.inputs))]
    return Picture(boxes, arrows, f"Computation graph of {says.title}", says.description())


class Says:
    """The texts for the nodes of one graph, from its topological order; blanks are the kinds of numbers left out.

    grads are the gradients to show, if not those that the nodes hold; names are display_names(order), if they are made.
    """

    equals = " = "  # between the sides of an equation

    def __init__(
        self,
        order: list[Value],
        blanks: Collection[str] = (),
        names: dict[Value, str] | None = None,
        grads: Mapping[Value, Grad] | None = None,
    ) -> None:
        self.order, self.blanks, self._grads = order, blanks, grads
        self.names, self.ids = names or display_names(order), Ids(order)
        self.neurons = neurons_of(order)
        self.uses = Counter(given for node in order for _, given, _ in edges(node))
        self.within = inputs_of(order, self.neurons) | self.neurons
        self.largest = max(abs(self.grad(node) or 0.0) for node in order)
        sizes = (abs(self.contribution(node, partial)) for node in order for _, _, partial in edges(node))
        self.most = max(sizes, default=0.0)

    def grad(self, node: Value) -> Grad:
        return node.grad if self._grads is None else self._grads[node]

    @property
    def title(self) -> str:
        """The name of E."""
        return shortened(self.names[self.order[-1]], NAME)

    def contribution(self, node: Value, partial: float) -> float:
        """Upstream times local derivative, 0 where there is none yet."""
        upstream = self.grad(node)
        product = upstream * partial if upstream else 0.0
        return product if math.isfinite(product) else 0.0

    def description(self) -> str:
        """The picture in one sentence."""
        E, leaves = self.order[-1], [self.names[node] for node in self.order if node.rule is None]
        some = ", ".join(shortened(name, NAME) for name in leaves[:LEAVES]) + (", …" if len(leaves) > LEAVES else "")
        value = "" if "data" in self.blanks else f" = {number_text(E.data)}"
        gradient = "no gradients yet" if self.grad(E) is None else "its gradient"
        nodes = counted(len(self.order), "node")
        return f"{nodes}, from the leaves {some} to {self.title}{value}, each with its number and {gradient}."

    # -- boxes

    def box(self, node: Value) -> Box:
        neuron = self.neurons.get(node)
        kind = "operation" if node.rule else "parameter" if neuron or is_parameter(node) else "leaf"
        name = shortened(self.short(node, neuron), NAME)
        rows = self.data_row(node), self.grad_row(node)
        texts = name, self.formula(node), rows, self.colour(node), self.node_tooltip(node)
        marks, groups = self.root_mark(node), self.groups(node)
        return Box(self.ids.node(node), kind, *texts, marks, groups, len(node.inputs))

    def colour(self, node: Value) -> str:
        """White where its gradient is left out."""
        return self.fill(None if "grad" in self.blanks else self.grad(node), self.largest)

    def fill(self, grad: Grad, largest: float) -> str:
        """The colour for a gradient beside the largest."""
        return tint(grad, largest)

    def root_mark(self, node: Value) -> tuple[str, ...]:
        return ("root",) if node is self.order[-1] else ()

    def groups(self, node: Value) -> tuple[str, ...]:
        """The layer and the neuron around a node."""
        neuron = self.within.get(node)
        return tuple(dict.fromkeys((layer_of(neuron), neuron))) if neuron else ()

    def short(self, node: Value, neuron: str | None) -> str:
        """The node's name, within its own neuron without the neuron's."""
        name = self.names[node]
        return name.removeprefix(f"{neuron}.") if neuron and self.neurons.get(node) == neuron else name

    def formula(self, node: Value) -> str:
        if node.rule is None:
            return ""
        neuron = self.neurons.get(node)
        names = {each: shortened(self.short(each, neuron), OPERAND) for _, each, _ in edges(node)}
        return shortened(PRINTED.formula(node, names), FORMULA)

    def data_row(self, node: Value) -> Row:
        blank = "data" in self.blanks and node.rule is not None  # a leaf's number is given
        return Row("data", "data", BLANK if blank else number_text(node.data))

    def grad_row(self, node: Value) -> Row:
        if "grad" in self.blanks:
            return Row("grad", "grad", BLANK)
        return Row("grad", "grad", grad_text(self.grad(node), NO_GRADIENT))

    def node_tooltip(self, node: Value) -> str:
        lines = [equation(node, self.names)]
        if node.rule:
            lines.append(repr(node.rule).removeprefix("Rule(").removesuffix(")"))
        if "data" not in self.blanks or node.rule is None:
            lines.append(f"data {node.data!r}")
        if "grad" not in self.blanks:
            grad = self.grad(node)
            gradient = "not computed yet" if grad is None else repr(grad)
            lines.append(f"grad {quotient(self.names[self.order[-1]], self.names[node])} = {gradient}")
        return "\n".join(shortened(line, TOOLTIP) for line in lines)

    # -- constants and arrows

    def constants(self, node: Value) -> list[Box]:
        constants = [(slot, given) for slot, given in enumerate(node.inputs) if not isinstance(given, Value)]
        return [
            Box(self.ids.constant(node, slot), "constant", number_text(number), tooltip=f"constant {number!r}")
            for slot, number in constants
        ]

    def arrow(self, node: Value, slot: int, labelled: bool = True) -> Arrow:
        id, head, partial = self.ids.edge(node, slot), self.ids.node(node), node.partials[slot]
        if partial is None:
            return Arrow(id, self.ids.constant(node, slot), head, marks=("constant",))
        tail = operand(node, slot)
        number = BLANK if "local" in self.blanks else number_text(partial)
        told = self.most and not {"grad", "local"} & {*self.blanks}
        strength = abs(self.contribution(node, partial)) / self.most if told else 0.0
        label = f"∂ {number}" if labelled else ""
        many = len(node.inputs) >= MANY or self.uses[tail] > FEW
        apart = many or self.neurons.get(tail) not in (None, self.neurons.get(node))
        tooltip = self.arrow_tooltip(node, slot, partial)
        return Arrow(id, self.ids.node(tail), head, label, strength, tooltip, apart=apart)

    def arrow_tooltip(self, node: Value, slot: int, partial: float) -> str:
        E, top, bottom = (self.names[each] for each in (self.order[-1], node, operand(node, slot)))
        local, upstream = quotient(top, bottom), self.grad(node)
        sides = [local, TEXT.local_derivative(node, slot, self.names)[0]]
        if self.blanks:
            return shortened(self.equals.join(changing(sides)), TOOLTIP)
        lines = [self.equals.join(changing([*sides, repr(partial)]))]
        if upstream is not None:
            numbers = joined([repr(upstream), repr(partial)], " · ")
            lines.append(f"{quotient(E, top)} · {local} = {numbers} = {self.contribution(node, partial)!r}")
        return "\n".join(shortened(line, TOOLTIP) for line in lines)
