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
    place, _, condition = (part.strip() for part in f" {text} ".partition(" if "))
    if condition and not names.compiled(condition, "eval"):
        return False
    known = is_node(names, place) or re.fullmatch(r"op\s+\w+", place) is not None
    return is_node(names, text) or (known if place else bool(condition))


def is_gradient(names: Names, text: str) -> bool:
    return is_node(names, text) or is_node(names, text.removesuffix(".grad"))


# -- the table


def counting(says: str) -> Kind:
    """A whole number of what is said, 1 where there is none."""
    return Kind(says, like(r"\d+"), optional=True, strict=True)


ANYTHING = Kind("anything", like(r"[^=].*"), optional=True)
NOTHING = Kind("no argument", lambda names, text: False, optional=True, strict=True)
POSITION = Kind("a position, a whole number from 0, the start, or a checkpoint", like(r"-?\d+|\w+"), strict=True)
NUMBERS = Kind("numbers of what is listed", like(r"\d+(\s+\d+)*"), optional=True, strict=True)
COUNT = Kind("the number of a break and a count", like(r"\d+\s+\d+"), strict=True)
LIMIT = Kind("the number of a break, and a condition or none", like(r"\d+(\s.*)?"), strict=True)
WORD = Kind("a word", like(r"\w+"), optional=True, strict=True)
NODE = Kind("a node: its name, or an expression", is_node)
MAYBE_NODE = NODE._replace(optional=True)
WATCHED = Kind("a node: its name, or an expression; and `if CONDITION`", is_gradient)
PLACE = Kind("a node, `op NAME` or `if CONDITION`", is_place, optional=True)
EXPRESSION = Kind("an expression", is_expression)
MAYBE_EXPRESSION = EXPRESSION._replace(optional=True)
PREDICTION = Kind("no argument, or the number that you predict", is_expression, optional=True)
ASSIGNMENT = Kind("NODE = NUMBER", is_assignment)
MISTAKE = Kind("the name of a mistake, or off", lambda names, text: text in (*MISTAKES, "off"), optional=True)
FILE = Kind("a file name, such as graph.svg", like(r"[^\s=]\S*\.\w+"), optional=True)
VERB = Kind("a verb", like(r"[\w-]+"), optional=True)
