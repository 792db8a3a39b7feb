"""What the tests of the tape share: outcomes to compare, bit by bit, and kernels for many graphs at once.

To compile takes seconds for each set of rules, so that a module of tests does it for all of its graphs together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from engine import DomainError, Value, topological_order
from engine.tape.program import Flat, Kind, flatten


def kinds_of(flats: Iterable[Flat]) -> list[Kind]:
    return [kind for flat in flats for kind in flat.kinds]


@contextmanager
def shared_kernel(one_lane: Iterable[Kind], lanes: Iterable[Kind]) -> Iterator[None]:
    """Tapes made here run in the loops for all of these kinds, if they need no others; else in loops of their own."""
    all_kinds = [
        sorted({kind.key: kind for kind in kinds}.values(), key=lambda k: k.key) for kinds in (one_lane, lanes)
    ]

    def widened(E: Value, inputs: Any = None) -> Flat:
        flat = flatten(E, inputs)
        kinds = all_kinds[inputs is not None]
        places = {kind.key: code for code, kind in enumerate(kinds, 1)}
        if not {kind.key for kind in flat.kinds} <= places.keys():
            return flat
        codes = np.array([0, *(places[kind.key] for kind in flat.kinds)], flat.program.code.dtype)
        program = flat.program._replace(code=codes[flat.program.code])
        return flat._replace(kinds=tuple(kinds), program=program)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.tape.tape.flatten", widened)
        yield


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


def sizes(E: Value, parameters: Iterable[Value]) -> list[float]:
    """Each parameter's gradient with the magnitudes of all contributions on the way: none cancels another."""
    found = {node: 0.0 for node in topological_order(E)} | {E: 1.0}
    for node in reversed(found):
        for operand, partial in zip(node.inputs, node.partials, strict=True):
            if type(operand) is Value and partial is not None and found[node]:
                found[operand] += found[node] * abs(partial)
    return [found[parameter] for parameter in parameters]
