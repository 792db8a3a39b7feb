"""The order of a graph: every node after all its inputs; and the names that its nodes are shown by.

Backprop needs this order: a node may pass its gradient on only when every consumer has contributed to it.
Read rules.py before, value.py after.
"""

from __future__ import annotations

from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from engine.value import Value


def topological_order(root: Value) -> list[Value]:
    """The nodes that root was computed from, root last, each after all its inputs.

    Depth first and in operand order, so the order is that in which Python would evaluate the expression; with a stack
    of its own, so that no graph is too deep. Time and memory are linear in the edges.
    Raises TypeError if root isn't a Value.

    >>> from engine import Value
    >>> x, w = Value(2.0, label="x"), Value(3.0, label="w")
    >>> [node.label or node.op for node in topological_order(x * w + x)]
    ['x', 'w', 'mul', 'add']
    """
    if not hasattr(root, "inputs"):
        raise TypeError(f"topological_order takes the Value at the end of a graph, not {type(root).__name__}")
    order: list[Value] = []
    seen: set[Value] = set()
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if node is None:  # all that the next node on the stack was computed from is in the order
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            if type(node._x) is tuple:  # the slots themselves: building node.inputs would take half of the time
                stack += [input for input in reversed(node._x) if type(input) is not float]
            else:
                if node._dy is not None:
                    stack.append(node._y)
                if node._dx is not None:
                    stack.append(node._x)
    return order


def display_names(nodes: Iterable[Value]) -> dict[Value, str]:
    """A name for each node of a topological order: its label (with #2, … if used before), else v1, v2, …; E the last.

    >>> from engine import Value
    >>> x = Value(2.0, label="x")
    >>> list(display_names(topological_order(x * x + Value(1.5, label="x"))).values())
    ['x', 'v1', 'x#2', 'E']
    """
    nodes = list(nodes)
    taken = {node.label for node in nodes}
    spare = (name for name in map("v{}".format, count(1)) if name not in taken)
    used, uses = set[str](), dict[str, int]()
    names: dict[Value, str] = {}
    for node in nodes:
        if node.label is None:
            names[node] = "E" if node is nodes[-1] and "E" not in taken else next(spare)
        else:
            names[node] = node.label
            while names[node] in used:
                uses[node.label] = uses.get(node.label, 1) + 1
                names[node] = f"{node.label}#{uses[node.label]}"
            used.add(names[node])
    return names
