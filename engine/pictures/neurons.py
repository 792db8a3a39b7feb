"""Which nodes of a graph make up a neuron: found by the parameters' labels, hidden[2].w[3] and hidden[2].b.

Any network with such labels will do, not only those of nn: this looks at the graph alone.
"""

from __future__ import annotations

import re

from engine.value import Value, edges

WEIGHT, BIAS = re.compile(r"(?:(.+)\.)?w\[(\d{1,9})\]"), re.compile(r"(.+)\.b")


def neurons_of(order: list[Value]) -> dict[Value, str]:
    """The neuron of each node that belongs to one, by its path, such as hidden[2]; a neuron on its own is "neuron".

    That is its parameters, their products with its inputs, the sum of these, and the function of one operand on top.
    """
    neurons: dict[Value, str] = {}
    for node in order:
        if node.rule is None and (found := WEIGHT.fullmatch(node.label or "")):
            neurons[node] = found[1] or "neuron"
    known = set(neurons.values())
    for node in order:
        if node.rule is None and node.label and (found := BIAS.fullmatch(node.label)) and found[1] in known:
            neurons[node] = found[1]
        elif node.rule is None and node.label == "b" and "neuron" in known:
            neurons[node] = "neuron"
    active: set[Value] = set()  # the outputs of neurons: what is made of these is no longer part of them
    for node in order:
        if node.rule is not None and (path := _joins(node, neurons, active)):
            neurons[node] = path
            if node.label == f"{path}.a" or node.rule.operands == ("x",):
                active.add(node)
    used = {neurons[node] for node in neurons if node.rule is not None}
    return {node: path for node, path in neurons.items() if path in used}


def inputs_of(order: list[Value], neurons: dict[Value, str]) -> dict[Value, str]:
    """The leaves that only one neuron reads, with its path: they are drawn beside its weights."""
    readers: dict[Value, set[str | None]] = {}
    for node in order:
        for _, leaf, _ in edges(node):
            if leaf.rule is None:
                readers.setdefault(leaf, set()).add(neurons.get(node))
    return {
        leaf: path for leaf, paths in readers.items() if len(paths) == 1 and (path := next(iter(paths))) is not None
    }


def _joins(node: Value, neurons: dict[Value, str], active: set[Value]) -> str | None:
    inputs = [each for _, each, _ in edges(node)]
    paths = [neurons.get(each) for each in inputs if each not in active]
    assert node.rule is not None
    if node.rule.name == "mul":
        weights = [neurons[each] for each in inputs if is_weight(each) and each in neurons]
        return weights[0] if len(weights) == 1 else None
    if node.rule.name in ("add", "total"):
        return paths[0] if len(paths) == len(inputs) and len(set(paths)) == 1 else None
    if node.rule.operands == ("x",) and node.rule.name != "neg" and not is_parameter(inputs[0]):
        return paths[0] if paths else None
    return None


def is_weight(node: Value) -> bool:
    return node.rule is None and bool(WEIGHT.fullmatch(node.label or ""))


def is_parameter(node: Value) -> bool:
    return node.rule is None and bool(WEIGHT.fullmatch(node.label or "") or BIAS.fullmatch(node.label or ""))


def weight_index(node: Value) -> int:
    """3 for hidden[2].w[3]."""
    found = WEIGHT.fullmatch(node.label or "")
    assert found
    return int(found[2])


def layer_of(path: str) -> str:
    """The layer of a neuron, by its path: layers[1] for layers[1][0]; a layer on its own is "layer"."""
    return path.rpartition("[")[0] or ("layer" if path.startswith("[") else path)
