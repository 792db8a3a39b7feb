"""The order of a graph: every node after all its inputs.

Backprop needs this order: a node may pass its gradient on only when every consumer has contributed to it.
Read rules.py before, value.py after.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.value import Value


def check_root(given: object, function: str, also: str = "") -> None:
    """TypeError, naming the function that was called, for what isn't the Value at the end of a graph."""
    if hasattr(given, "partials"):
        return
    if isinstance(given, (list, tuple)):
        advice = "pick one of its Values, or write [y] = model(x) where a model has one output"
    elif hasattr(given, "parameters"):
        advice = "call the model first, [y] = model(x)"
    else:
        advice = "compute it from Values"
    raise TypeError(
        f"{function} takes the Value at the end of a graph{also}, and was given a {type(given).__name__}: {advice}"
    )


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
    check_root(root, "topological_order")
    order: list[Value] = []
    seen: set[Value] = set()
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if node is None:  # all that the next node on the stack was computed from is in the order
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            x = node._x  # the slots themselves: building node.inputs would take half of the time
            if type(x) is not tuple:
                stack += (node, None)
                if node._dy is not None:
                    stack.append(node._y)
                if node._dx is not None:
                    stack.append(x)
            elif x:
                stack += (node, None)
                stack += [operand for operand in reversed(x) if type(operand) is not float]
            else:  # a leaf
                order.append(node)
    return order
