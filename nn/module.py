"""Module: anything with parameters, each labelled by the expression that reaches it, such as hidden[2].w[3].

Next: networks.py, then losses.py, rates.py, optimizers.py, run.py and training.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from numbers import Integral
from random import Random
from typing import Any, TypeAlias

from engine import Value, total
from engine.files import write_atomically

Operand: TypeAlias = Value | float
Rows: TypeAlias = Any  # M rows of numbers: a list of lists, or a NumPy array
FORMAT = 1  # of saved weights


class Module:
    """Anything with parameters: the leaves among its attributes, in Modules and in lists there too.

    >>> class Line(Module):
    ...     def __init__(self) -> None:
    ...         self.slope, self.offset = Value(0.7), Value(-1.3)
    ...     def __call__(self, x: list[float]) -> list[Value]:
    ...         return [self.slope * x[0] + self.offset]
    >>> Line().parameters()
    [Value(data=0.7, grad=None, label='slope'), Value(data=-1.3, grad=None, label='offset')]
    """

    path = ""  # the expression that reaches this module from its model; the model's own is empty
    indexed = ""  # the attribute whose members module[i] reaches, if there is one

    def __setattr__(self, name: str, member: object) -> None:
        object.__setattr__(self, name, member)
        if isinstance(member, (Value, Module, list, tuple)):
            self.named_parameters()

    def named_parameters(self) -> dict[str, Value]:
        """Every parameter once, by the expression that reaches it from here: {"hidden[2].w[3]": Value(…), …}.

        Labels are set on the way, each time: a list may have grown since it was assigned.
        """
        found = {}
        for path, member in _walk(self, self.path):
            if isinstance(member, Value):
                member.label = path
                found[path[len(self.path) :].lstrip(".") if self.path else path] = member
            else:
                object.__setattr__(member, "path", path)
        return found

    def parameters(self) -> list[Value]:
        """Every parameter once, P Values in the order of the attributes."""
        return list(self.named_parameters().values())

    def zero_grad(self) -> None:
        """Every parameter's gradient back to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def __call__(self, x: Sequence[Operand]) -> list[Value]:
        """The outputs, K Values, for one sample x, a row of D numbers or Values.

        nn's own models raise ValueError for a row of another length, and DomainError where an output isn't finite.
        """
        raise NotImplementedError(
            f"{type(self).__name__} needs a method __call__(self, x) that returns a list of Values"
        )

    def predict(self, X: Rows) -> list[list[float]]:
        """The outputs for every row of X (M rows of D numbers), M rows of K plain numbers; raises as the call does."""
        return [[y.data for y in self(row)] for row in X]

    @property
    def arguments(self) -> dict[str, Any]:
        """What the constructor needs to build a model of this shape again; save() keeps it."""
        return {}

    def save(self, path: str, optimizer: Any = None) -> None:
        """Writes the weights and the shape as JSON, for nn.load; the file is whole or not there. Raises OSError.

        With an optimizer of this model, its settings, its epoch and what it remembers of each parameter go along:
        training can be resumed.
        """
        data = self.as_dict()
        if optimizer is not None:
            remembered = {
                path: list(optimizer.state[parameter])
                for path, parameter in self.named_parameters().items()
                if parameter in optimizer.state
            }
            data["optimizer"] = {
                "kind": type(optimizer).__name__,
                "settings": {name: float(number) for name, number in optimizer.settings.items()},
                "epoch": optimizer.epoch,
                "state": remembered,
            }
        write_atomically(path, json.dumps(data, indent=1) + "\n")

    def as_dict(self) -> dict[str, Any]:
        """The model as plain data: format version, class, shape, parameters; nn.saving.from_dict reads it."""
        return {
            "stepgrad": FORMAT,
            "model": type(self).__name__,
            "arguments": self.arguments,
            "parameters": {path: parameter.data for path, parameter in self.named_parameters().items()},
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """In a notebook: the network diagram, where there is one; else the text."""
        from nn.diagram import diagram

        try:
            shown = diagram(self)._repr_mimebundle_(include, exclude)
        except Exception:  # a model of one's own may be anything, and a display that raises shows a page of traceback
            shown = {}
        return {**shown, "text/plain": repr(self)}

    def __repr__(self) -> str:
        shape = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{type(self).__name__}({shape})"


def _walk(root: object, path: str) -> Iterator[tuple[str, Value | Module]]:
    """The leaves and Modules in a module, itself the first, each once, with the expression that reaches them."""
    seen: set[int] = set()
    waiting = [(path, root)]
    while waiting:
        path, member = waiting.pop()
        if id(member) in seen:
            continue
        seen.add(id(member))
        if isinstance(member, Value):
            if member.rule is None:
                yield path, member
        elif isinstance(member, (list, tuple)):
            waiting += [(f"{path}[{i}]", each) for i, each in enumerate(member)][::-1]
        elif isinstance(member, Module):
            yield path, member
            own = path if not path else f"{path}."
            waiting += [(path if name == member.indexed else own + name, each) for name, each in vars(member).items()][
                ::-1
            ]


def total_of(terms: Sequence[Value]) -> Value:
    """Σ of the terms; of a single one that itself, as a node of its own would say nothing.

    >>> total_of([Value(0.7)])
    Value(data=0.7, grad=None, label=None)
    """
    return terms[0] if len(terms) == 1 else total(terms)


def set_data(leaves: Sequence[Value], numbers: Sequence[float]) -> None:
    """Gives each leaf its number."""
    for leaf, number in zip(leaves, numbers, strict=True):
        leaf.data = number


def check_size(name: str, size: object, least: int = 1) -> None:
    """ValueError unless this is a whole number (NumPy's too), least or larger, that a machine can count to."""
    if not isinstance(size, Integral) or isinstance(size, bool) or not least <= int(size) <= sys.maxsize:
        raise ValueError(f"{name} is a whole number from {least} up; given was {shortened(size)}")


def random_from(seed: int | Random) -> Random:
    """The source of random numbers that a seed stands for. Raises ValueError for what is no seed."""
    try:
        return seed if isinstance(seed, Random) else Random(int(seed) if isinstance(seed, Integral) else seed)
    except TypeError:
        raise ValueError(f"seed is an int, or a random.Random to go on with; given was {shortened(seed)}") from None


def shortened(given: object) -> str:
    """What was given as it is typed, and no more of it than a sentence bears."""
    try:
        text = repr(given)
    except ValueError:  # Python writes no int of more than 4300 digits
        return "an int of thousands of digits"
    return text if len(text) <= 60 else f"{text[:40]}…"


def as_lists(given: Any) -> Any:
    """A NumPy array as lists of numbers, or as a number; anything else as it is."""
    return given.tolist() if hasattr(given, "tolist") else given


def check_row(module: Module, x: Any, inputs: int) -> Sequence[Operand]:
    """One sample's row as a list; ValueError if it hasn't as many numbers as the module has inputs."""
    row = as_lists(x)
    if not isinstance(row, (list, tuple)) or len(row) != inputs:
        given = f"{len(row)} of them" if isinstance(row, (list, tuple)) else f"{type(x).__name__}"
        where = f" at {module.path}" if module.path else ""
        raise ValueError(f"{type(module).__name__}{where} takes a row of {inputs} numbers; given was {given}")
    return row
