"""What the tests of the tape share: outcomes to compare, bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine import DomainError, Value, topological_order


def bits(numbers: Iterable[float]) -> list[str]:
    """The numbers so that two are equal only if all their bits are: 0.0 isn't -0.0."""
    return [float(number).hex() for number in numbers]


def outcome(compute: Callable[[], tuple[float, Iterable[float]]]) -> list[str] | str:
    """The bits of a value and a gradient, or the sentence of the DomainError that stands in their place."""
    try:
        value, gradient = compute()
        return bits([value, *gradient])
    except DomainError as error:
        return str(error)


def eager(E: Value, parameters: Iterable[Value]) -> tuple[float, list[float]]:
    """The value and the gradient by the engine; the graph is left without gradients."""
    try:
        E.backward()
        return E.data, [parameter.grad or 0.0 for parameter in parameters]
    finally:
        E.zero_grad()


def condition(E: Value) -> float:
    """How much E may change if every number on the way does by a part of itself: the sum over all nodes."""
    order = topological_order(E)
    return sum(abs(node.data) * size for node, size in zip(order, sizes(E, order), strict=True))


def sizes(E: Value, parameters: Iterable[Value]) -> list[float]:
    """Each parameter's gradient with the magnitudes of all contributions on the way: none cancels another."""
    found = {node: 0.0 for node in topological_order(E)} | {E: 1.0}
    for node in reversed(found):
        for operand, partial in zip(node.inputs, node.partials, strict=True):
            if type(operand) is Value and partial is not None and found[node]:
                found[operand] += found[node] * abs(partial)
    return [found[parameter] for parameter in parameters]
