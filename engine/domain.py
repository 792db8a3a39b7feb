"""What may enter a graph, and what is said where something may not.

Only finite real numbers enter. An operation that would make a NaN or an infinity raises DomainError; a local
derivative may be infinite (that of sqrt at 0), and then a pass that needs it raises.
"""

from __future__ import annotations

import math
from contextvars import ContextVar

from engine.formulas import evaluated
from engine.rules import RULES
from engine.text.names import LISTED, listed, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from engine.rules import Rule
    from engine.value import Value

INSTEAD = {  # what to write instead, by the type that was given
    "bool": "write 1.0 or 0.0",
    "str": "write float(...) around it",
    "complex": "the engine is real, so take its .real, .imag or abs()",
    "NoneType": "did a function forget to return?",
    "list": "apply the operation to each element, or total() to all",
    "tuple": "apply the operation to each element, or total() to all",
    "ndarray": "apply the operation to each element, e.g. of array.tolist()",
    "Value": "write .data for its number",
}
RECORDING = ContextVar("RECORDING", default=False)  # is a tape being recorded? It can't follow a Python `if`
UNDEFINED, TOO_LARGE = "not defined", "too large for a float (beyond 1.8e308)"


class DomainError(ArithmeticError):
    """An operation, a leaf or a backward pass would have put a NaN or an infinity into the graph."""


def number(given: object) -> float:
    """The operand as a float; int, float and other real numbers (NumPy's scalars) will do.

    Raises TypeError for anything else, saying what to write; DomainError for an infinity, a NaN, an int too large.
    """
    if type(given) is not float and type(given) is not int:
        from numbers import Real

        if isinstance(given, bool) or not isinstance(given, Real):
            kind = type(given).__name__
            advice = INSTEAD.get(kind, "write float(...) around it, if it is a number")
            raise TypeError(f"{kind} given where a Value or a real number is expected: {advice}")
    try:
        result = float(given)
    except OverflowError:
        raise DomainError(f"an int given is {TOO_LARGE}") from None
    if result - result != 0:  # only inf and nan
        raise DomainError(f"{result} given where a finite number is expected: check where it comes from")
    return result


NUMPY = {  # its names for rows of the table
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "absolute": "abs", "fabs": "abs", "negative": "neg",
}  # fmt: skip


def numpy_instead(name: str) -> str:
    """What to write instead of NumPy's function of this name, of a Value."""
    ours = NUMPY.get(name, name)
    if ours not in RULES:
        return f"numpy.{name} can't take a Value: write x.data for its number, or make it of the table's functions"
    typed = RULES[ours].typed
    return f"numpy.{name} of a Value would cut the graph: write {f'engine.{typed}' if '(' in typed else typed}"


def comparand(other: Value | float) -> float:
    """The number that a Value is compared with. Raises TypeError while a tape is recorded, which can't choose again."""
    if RECORDING.get():
        raise TypeError("a tape can't replay a choice between Values: write maximum, minimum, relu, abs or step")
    data: float | None = getattr(other, "_data", None)
    return number(other) if data is None else data


class recording:
    """While a graph is built here for a tape, comparing two Values is a TypeError."""

    def __enter__(self) -> None:
        self.before = RECORDING.set(True)

    def __exit__(self, *_: object) -> None:
        RECORDING.reset(self.before)


def frozen() -> float:
    """Raises TypeError: a number read while a tape is recorded would be the same in each of its replays."""
    raise TypeError(
        "a tape would keep the .data read here for ever: write detach(x) for its number, or maximum, relu, …"
    )


def settle(rule: Rule, operands: Sequence[Value | float], numbers: Sequence[float]) -> tuple[float, list[float | None]]:
    """The value and the partials, computed with care where the quick way failed: a partial may be inf or nan.

    Raises DomainError, with the operation, its formula, the operands and the domain, where the value isn't finite.
    """
    variables: dict[str, Any] = {"xs": numbers} if rule.many else dict(zip(rule.operands, numbers, strict=True))
    try:
        z = variables["z"] = evaluated(rule.value, variables)
        if not math.isfinite(z):
            raise OverflowError
    except (ArithmeticError, ValueError) as error:
        problem = TOO_LARGE if isinstance(error, OverflowError) else UNDEFINED
        raise domain_error(rule, operands, problem) from None
    partials = [evaluated(partial, variables, ieee=True) for partial in rule.partials]
    if rule.many:
        [partials] = partials
    return z, [None if isinstance(x, float) else partial for x, partial in zip(operands, partials, strict=True)]


def domain_error(rule: Rule, operands: Sequence[Value | float], problem: str) -> DomainError:
    """The error for a value that is UNDEFINED or TOO_LARGE."""
    domain = "any number" if rule.domain == "any" else rule.domain
    return DomainError(
        f"{rule.name}: {rule.typed} is {problem} at {operands_text(rule, operands)}; its domain: {domain}"
    )


# -- a pass that comes to no finite number


def gradient_error(node: Value, order: Sequence[Value]) -> DomainError:
    """The error for a gradient that came out infinite or undefined: it names the edge that made it so."""
    for consumer in reversed(order):
        for slot, (operand, partial) in enumerate(zip(consumer.inputs, consumer.partials, strict=True)):
            if operand is node and partial is not None and consumer.grad:
                contribution = consumer.grad * partial
                if contribution - contribution != 0:
                    return contribution_error(consumer, slot, consumer.grad)
    return sum_error(node, node.grad)


def sum_error(node: Value, gradient: float | None) -> DomainError:
    """The error for a gradient whose contributions are finite and whose sum isn't."""
    named = shown(node.label) if node.label is not None else node.op or "a leaf"
    return DomainError(f"the gradient of {named} is {gradient}: what it held and what was added exceed 1.8e308")


def contribution_error(node: Value, slot: int, upstream: float) -> DomainError:
    """The error for an upstream gradient times a local derivative that is infinite, undefined or gives too much."""
    rule, partial = node.rule, node.partials[slot]
    assert rule is not None and partial is not None
    formula, operand = (rule.partials[0], "x") if rule.many else (rule.partials[slot], rule.operands[slot])
    if partial != partial:
        wrong = "undefined"
    elif partial - partial != 0:
        wrong = "infinite"
    else:
        wrong = f"{partial!r}, {TOO_LARGE} times that"
    return DomainError(
        f"{rule.name}: dz/d{operand} = {formula} is {wrong} at {operands_text(rule, node.inputs)}, "
        f"and the pass needs it: the gradient arriving there is {upstream!r}"
    )


def operand_name(rule: Rule, slot: int) -> str:
    """x, y or c; xs[3] in a row over many."""
    return f"xs[{slot}]" if rule.many else rule.operands[slot]


def operands_text(rule: Rule, operands: Sequence[Value | float]) -> str:
    """Operands as `x = -0.5 (w), y = 3.0`."""
    texts = []
    for slot, operand in enumerate(operands[:LISTED]):
        number, label = (operand, None) if isinstance(operand, float) else (operand._data, operand.label)
        texts.append(f"{operand_name(rule, slot)} = {number!r}" + (f" ({shown(label)})" if label else ""))
    return listed(texts, len(operands))
