"""What each box and each arrow says: names, formulas, numbers and tooltips, from the nodes of a graph."""

from __future__ import annotations

import math
import re

from engine.pictures.neurons import inputs_of, is_parameter, layer_of, neurons_of
from engine.pictures.picture import Arrow, Box, Picture, Row, shortened, shown, tint
from engine.text.names import as_factor, changing, display_names, in_one_piece, number_text
from engine.text.symbols import formula_text, local_derivative_text
from engine.value import Value

LABELLED = 300  # boxes; above it arrows have no labels
NAME, OPERAND, FORMULA, TOOLTIP = 28, 18, 46, 2000  # characters shown
BLANK = "______"  # room for a number by hand
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def graph_picture(order: list[Value], blanks: str | None = None) -> Picture:
    """The whole graph, from its topological order: box n{i} is order[i], c{i}-{slot} a constant operand of it."""
    says = Says(order, blanks)
    boxes = []
    for node in order:
        box = says.box(node)
        boxes += [*(constant._replace(groups=box.groups) for constant in says.constants(node)), box]
    labelled = len(boxes) <= LABELLED
    arrows = [says.arrow(node, slot, labelled) for node in order for slot in range(len(node.inputs))]
    return Picture(boxes, arrows, f"Computation graph of {says.title}", says.description())


class Says:
    """The texts for the nodes of one graph, from its topological order; blanks is the kind of number left out."""

    def __init__(self, order: list[Value], blanks: str | None = None) -> None:
        self.order, self.blanks = order, blanks
        self.names = display_names(order)
        self.place = {node: i for i, node in enumerate(order)}
        self.neurons = neurons_of(order)
        self.within = inputs_of(order, self.neurons) | self.neurons
        self.largest = max(abs(node.grad or 0.0) for node in order)
        sizes = (abs(self.contribution(node, slot)) for node in order for slot in range(len(node.inputs)))
        self.most = max(sizes, default=0.0)

    @property
    def title(self) -> str:
        """The name of E."""
        return shortened(shown(self.names[self.order[-1]]), NAME)

    def contribution(self, node: Value, slot: int) -> float:
        """Upstream times local derivative, 0 where there is none yet."""
        partial = node.partials[slot]
        product = (node.grad or 0.0) * (partial or 0.0) if node.grad else 0.0
        return product if math.isfinite(product) else 0.0

    def id(self, node: Value) -> str:
        return f"n{self.place[node]}"

    def description(self) -> str:
        """The picture in one sentence."""
        E, leaves = self.order[-1], [self.names[node] for node in self.order if node.rule is None]
        some = ", ".join(shortened(shown(name), NAME) for name in leaves[:6]) + ", …" * (len(leaves) > 6)
        value = "" if self.blanks == "data" else f" = {number_text(E.data)}"
        gradient = "no gradients yet" if E.grad is None else "its gradient"
        nodes = f"{len(self.order):,} node{'s' * (len(self.order) != 1)}"
        return f"{nodes}, from the leaves {some} to {self.title}{value}, each with its number and {gradient}."

    # -- boxes

    def box(self, node: Value) -> Box:
        neuron = self.neurons.get(node)
        kind = "operation" if node.rule else "parameter" if neuron or is_parameter(node) else "leaf"
        name = shortened(shown(self.short(node, neuron)), NAME)
        rows = self.data_row(node), self.grad_row(node)
        fill = tint(None if self.blanks == "grad" else node.grad, self.largest)
        marks = ("root",) * (node is self.order[-1])
        texts = name, self.formula(node), rows, fill, self.node_tooltip(node)
        return Box(self.id(node), kind, *texts, marks, self.groups(node))

    def groups(self, node: Value) -> tuple[str, ...]:
        """The layer and the neuron around a node."""
        neuron = self.within.get(node)
        return tuple(dict.fromkeys((layer_of(neuron), neuron))) if neuron else ()

    def short(self, node: Value, neuron: str | None) -> str:
        """The node's name, within its own neuron without the neuron's."""
        name = self.names[node] or "''"
        return name.removeprefix(f"{neuron}.") if neuron and self.neurons.get(node) == neuron else name

    def formula(self, node: Value) -> str:
        if node.rule is None:
            return ""
        neuron = self.neurons.get(node)
        names = {
            input: shortened(shown(self.short(input, neuron)), OPERAND)
            for input in node.inputs
            if isinstance(input, Value)
        }
        return shortened(typeset(formula_text(node, names), list(names.values())), FORMULA)

    def data_row(self, node: Value) -> Row:
        blank = self.blanks == "data" and node.rule is not None  # a leaf's number is given
        return Row("data", "data", BLANK if blank else number_text(node.data))

    def grad_row(self, node: Value) -> Row:
        if self.blanks == "grad":
            return Row("grad", "grad", BLANK)
        return Row("grad", "grad", "–" if node.grad is None else number_text(node.grad))

    def node_tooltip(self, node: Value) -> str:
        name = shown(self.names[node])
        lines = [f"{name} = {formula_text(node, self.names)}" if node.rule else name]
        if node.rule:
            lines.append(repr(node.rule).removeprefix("Rule(").removesuffix(")"))
        if self.blanks != "data" or node.rule is None:
            lines.append(f"data {node.data!r}")
        if self.blanks != "grad":
            E = in_one_piece(self.names[self.order[-1]])
            gradient = "not computed yet" if node.grad is None else repr(node.grad)
            lines.append(f"grad ∂{E}/∂{in_one_piece(self.names[node])} = {gradient}")
        return "\n".join(shortened(line, TOOLTIP) for line in lines)

    # -- constants and arrows

    def constants(self, node: Value) -> list[Box]:
        constants = [(slot, input) for slot, input in enumerate(node.inputs) if not isinstance(input, Value)]
        return [
            Box(f"c{self.place[node]}-{slot}", "constant", number_text(number), tooltip=f"constant {number!r}")
            for slot, number in constants
        ]

    def arrow(self, node: Value, slot: int, labelled: bool = True) -> Arrow:
        i, input, partial = self.place[node], node.inputs[slot], node.partials[slot]
        if not isinstance(input, Value) or partial is None:
            return Arrow(f"e{i}-{slot}", f"c{i}-{slot}", self.id(node), marks=("constant",))
        number = BLANK if self.blanks == "local" else number_text(partial)
        told = self.most and self.blanks not in ("grad", "local")
        strength = abs(self.contribution(node, slot)) / self.most if told else 0.0
        label = f"∂ {number}" if labelled else ""
        tooltip, apart = self.arrow_tooltip(node, slot), self.neurons.get(input) not in (None, self.neurons.get(node))
        return Arrow(f"e{i}-{slot}", self.id(input), self.id(node), label, strength, tooltip, apart=apart)

    def arrow_tooltip(self, node: Value, slot: int) -> str:
        input, partial = node.inputs[slot], node.partials[slot]
        assert isinstance(input, Value)
        top, bottom, E = (in_one_piece(self.names[each]) for each in (node, input, self.order[-1]))
        numbers = [] if self.blanks else [repr(partial)]
        symbols = local_derivative_text(node, slot, self.names)[0]
        lines = [" = ".join(changing([f"∂{top}/∂{bottom}", symbols, *numbers]))]
        if node.grad is not None and partial is not None and not self.blanks:
            factors = f"{node.grad!r} · {as_factor(repr(partial))}"
            lines.append(f"∂{E}/∂{top} · ∂{top}/∂{bottom} = {factors} = {self.contribution(node, slot)!r}")
        return "\n".join(shortened(line, TOOLTIP) for line in lines)


def typeset(formula: str, names: list[str]) -> str:
    """A formula as it is printed: · for *, x² for x**2; as it is, where a name may hold these signs itself.

    >>> typeset("w * x + y**2 - 2**t", ["w", "x", "y", "t"])
    'w·x + y² - 2**t'
    """
    if any(in_one_piece(name) != name for name in names):
        return formula
    powers = re.compile(r"\*\*(?:(\d+)|\((-\d+)\))(?![\w.\[(])")
    return powers.sub(lambda found: (found[1] or found[2]).translate(SUPERSCRIPTS), formula.replace(" * ", "·"))
