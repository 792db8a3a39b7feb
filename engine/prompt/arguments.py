"""The kinds of argument that the prompt's verbs take: a table, by which a line is told from Python.

shell.py asks a verb's kind whether it takes what follows; debug.py marks each verb with its own. Next: shell.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from engine.prompt.names import Names
from engine.steps.passes import MISTAKES

Fits = Callable[[Names, str], bool]
Verb = TypeVar("Verb", bound=Callable[..., Any])


class Kind(NamedTuple):
    """A kind of argument: in words; which texts are one; whether there may be none; whether others are refused at once.

    What isn't refused at once may be Python, or an expression; if it is neither, the verb says what is wrong with it.
    """

    says: str
    fits: Fits
    optional: bool = False
    strict: bool = False

    def takes(self, names: Names, argument: str) -> bool:
        """Whether the argument of a verb, "" for none, is of this kind."""
        return self.fits(names, argument) if argument else self.optional


def takes(kind: Kind) -> Callable[[Verb], Verb]:
    """Marks a verb with the kind of argument that it takes; one that isn't marked takes anything."""

    def mark(verb: Verb) -> Verb:
        verb.kind = kind  # type: ignore[attr-defined]
        return verb

    return mark


def kind_of(verb: Callable[[str], Any]) -> Kind:
    kind: Kind = getattr(verb, "kind", ANYTHING)
    return kind


# -- which texts fit


def like(pattern: str) -> Fits:
    """Those that a regular expression matches as a whole."""
    return lambda names, text: re.fullmatch(pattern, text) is not None


def is_node(names: Names, text: str) -> bool:
    return text in names.nodes


def is_expression(names: Names, text: str) -> bool:
    return is_node(names, text) or names.compiled(text, "eval") is not None


def is_assignment(names: Names, text: str) -> bool:
    name, equals, expression = text.partition("=")
    return bool(equals and expression.strip()) and is_node(names, name.strip())


def is_place(names: Names, text: str) -> bool:
    kind, _, rest = text.partition(" ")
    if kind == "if" and names.compiled(rest, "eval"):
        return True
    return is_node(names, text) or (kind == "op" and rest.strip().isidentifier())


# -- the table


def counting(says: str) -> Kind:
    """A whole number of what is said, 1 where there is none."""
    return Kind(says, like(r"\d+"), optional=True, strict=True)


ANYTHING = Kind("anything", like(r"[^=].*"), optional=True)
NOTHING = Kind("no argument", lambda names, text: False, optional=True, strict=True)
POSITION = Kind("a position, a whole number from 0, the start", like(r"-?\d+"), strict=True)
NODE = Kind("a node: its name, or an expression", is_node)
MAYBE_NODE = NODE._replace(optional=True)
PLACE = Kind("a node, `op NAME` or `if CONDITION`", is_place, optional=True)
EXPRESSION = Kind("an expression", is_expression)
PREDICTION = Kind("no argument, or the number that you predict", is_expression, optional=True)
ASSIGNMENT = Kind("NODE = NUMBER", is_assignment)
MISTAKE = Kind("the name of a mistake, or off", lambda names, text: text in (*MISTAKES, "off"), optional=True)
FILE = Kind("a file name, such as graph.svg", like(r"[^\s=]\S*\.\w+"), optional=True)
VERB = Kind("a verb", like(r"\w+"), optional=True)
