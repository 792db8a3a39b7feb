"""What names mean at the prompt: nodes by what they are called, the engine's functions, and variables made by typing.

Python that is typed is compiled and run over all of these. A label that is no name of Python's, such as hidden[2].w[3]
or x#2, is put into it as a name that is one, its alias. Next: verbs.py.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from types import CodeType, FrameType
from typing import Any, NoReturn
from unicodedata import normalize

from engine.calculus import derivative, gradient, hessian, jvp, replay
from engine.domain import DomainError
from engine.nudge import gradcheck
from engine.operations import FUNCTIONS, operation
from engine.order import topological_order
from engine.steps.compare import compare
from engine.steps.step import Step
from engine.steps.stepper import ForwardStepper, Stepper
from engine.text.names import display_names, find_node, listed, shown
from engine.value import Value, label


def _no_exit(*_: object) -> NoReturn:
    raise SystemExit("q leaves the prompt")  # Python's own exit would close stdin as well


PYTHON = {"exit": _no_exit, "quit": _no_exit, "inf": math.inf, "nan": math.nan, "pi": math.pi}
CLASSES = (DomainError, ForwardStepper, Stepper, Value)
TOOLS = (compare, derivative, gradcheck, gradient, hessian, jvp, label, operation, replay, topological_order)
PUBLIC: dict[str, Any] = {each.__name__: each for each in (*CLASSES, *TOOLS)}
PUBLIC |= {name: each for name, each in FUNCTIONS.items() if name not in ("abs", "pow")}  # Python's own know Values
LATER = {  # imported when what is typed uses them: what draws takes longer to import than all that a step needs
    "debug": "engine.prompt.debug",
    "draw": "engine.pictures.draw",
    "explain": "engine.steps.explain",
    "film": "engine.pictures.film",
}
STEP_VARIABLES = ("contribution", "partial", "upstream", "before", "after", "node", "input", "number")

# A string, which stays as it is; or a name that isn't an attribute, with what hangs on it: hidden[2].w[3].grad.
PATH = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<![\w.)\]])(?P<path>(?P<root>[^\W\d]\w*)(?:\[\d+\]|\.[^\W\d]\w*|\#\d+)*)"""
)


class Refused(Exception):
    """What can't be done at the prompt, as the sentence that answers it: it is shown without the exception's name."""


class Names:
    """The names known at a prompt over a stepper, and Python over them.

    nodes holds the graph's nodes by what may be typed for them, the names that they are shown by and their labels;
    variables what was made at the prompt, which hides nodes of the same name and outlives a change of stepper; caller
    the variables of the program that the prompt was called from, which stay as they are.
    """

    stepper: Stepper

    def __init__(self, caller: Mapping[str, Any] | None = None) -> None:
        self.caller = dict(caller or {})
        self.public = {**PUBLIC, **self.caller}
        self.nodes: dict[str, Value] = {}
        self.variables: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.namespace: dict[str, Any] = {}

    def adopt(self, stepper: Stepper) -> None:
        """Makes the nodes of this stepper's graph those that are meant."""
        self.stepper = stepper
        if self.caller:
            stepper.names = display_names(stepper.order, called=called(self.caller))
        self.nodes = {node.label: node for node in reversed(stepper.order) if node.label}
        self.nodes |= {name: node for node, name in stepper.names.items()}
        self.aliases.clear()
        self.namespace.clear()
        self.namespace |= self.public | dict.fromkeys(STEP_VARIABLES) | {"E": stepper.E} | PYTHON
        self.namespace |= {normalize("NFKC", name): node for name, node in self.nodes.items()}
        self.namespace |= self.variables

    def known(self, name: str) -> bool:
        """Whether a name means anything here."""
        return name in self.namespace or name in LATER

    def node(self, text: str) -> Value:
        """The node that is meant by its name, what it begins with, or an expression such as E.inputs[0].

        Raises Refused for none of these.
        """
        if text in self.nodes:
            return self.nodes[text]
        found = None
        with suppress(Exception):
            found = self.evaluate(text)
        if type(found) is Value and found in self.stepper.names:
            return found
        if name := the_one(text, self.stepper.names.values()):
            return self.nodes[name]
        try:
            return find_node(self.stepper.names, text)
        except ValueError as error:
            raise Refused(str(error)) from None

    # -- Python

    def compiled(self, text: str, mode: str) -> CodeType | None:
        """The code of an expression ("eval") or of statements ("exec"); None for a text that is no such thing."""
        with suppress(Exception):
            return self.compile(text, mode)
        return None

    def compile(self, text: str, mode: str) -> CodeType:
        """The same, but raises what Python raises: SyntaxError, as a rule."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(self.in_python(text.strip()), "<prompt>", mode)

    def in_python(self, text: str) -> str:
        """The text with an alias in the place of each label that isn't a name of Python's: hidden[2].w[3], x#2."""

        def replaced(found: re.Match[str]) -> str:
            path: str = found[0]
            if found["path"] is None or found["root"] in self.variables:
                return path
            for end in reversed([part.end() for part in re.finditer(r"\w+|\]|#\d+", path)]):
                name = path[:end]
                if name in self.nodes and not name.isidentifier():
                    return self.alias(name) + path[end:]
            return path

        return PATH.sub(replaced, text)

    def alias(self, name: str) -> str:
        alias = self.aliases.setdefault(name, f"__node{len(self.aliases)}")
        self.namespace[alias] = self.nodes[name]
        return alias

    def evaluate(self, text: str | CodeType) -> Any:
        """The value of an expression, over the nodes, the engine's functions and what the latest step is made of."""
        code = self.compile(text, "eval") if isinstance(text, str) else text
        self.describe(self.latest())
        return self.run(code)

    def value(self, text: str) -> Any:
        """The same, for a verb: a node by any name that it is shown by, too; Refused for a name that isn't known."""
        if text in self.nodes and text not in self.variables:
            return self.nodes[text]
        try:
            return self.evaluate(text)
        except NameError as error:
            raise Refused(f"{error} here; info locals lists names") from None
        except SyntaxError as error:
            raise Refused(f"{shown(text)!r} is no expression: {error.msg}") from None

    def run(self, code: CodeType) -> Any:
        """Runs code over the names as they are; the value, if it is that of an expression."""
        self.import_used(code)
        return eval(code, self.namespace)

    def import_used(self, code: CodeType) -> None:
        """Imports those names of LATER that code uses, and that mean nothing else by now."""
        for name in LATER.keys() & names_in(code) - self.namespace.keys():
            self.namespace[name] = getattr(import_module(LATER[name]), name)

    def latest(self) -> Step | None:
        """The step made last; None at the start."""
        place = self.stepper.position
        return self.stepper.steps[place - 1] if place else None

    def describe(self, step: Step | None) -> None:
        """Makes contribution, partial and the like those of a step, but for names that mean something else here."""
        known = {name: getattr(step, name) if step else None for name in STEP_VARIABLES}
        for name, meaning in (known | {"position": self.stepper.position}).items():
            if name not in self.nodes and name not in self.variables:
                self.namespace[name] = meaning

    # -- variables

    def meanings(self, code: CodeType) -> dict[str, Any]:
        """What each name in statements means before they run."""
        self.describe(self.latest())
        self.import_used(code)
        return {name: self.namespace.get(name) for name in code.co_names}

    def keep(self, before: Mapping[str, Any]) -> list[str]:
        """Makes variables of the names that mean something else than before; returns those that hide something now.

        A name that is gone, by `del`, is its node's again, or the caller's.
        """
        hiding = []
        for name, old in before.items():
            if name not in self.namespace:
                self.variables.pop(name, None)
                for owner in self.nodes, self.caller:
                    if name in owner:
                        self.namespace[name] = owner[name]
                        break
            elif self.namespace[name] is not old:
                self.variables[name] = self.namespace[name]
                if name in self.nodes or name in self.caller:
                    hiding.append(name)
        return hiding

    # -- completion

    def completions(self, text: str) -> list[str]:
        """The names that begin so; and the attributes, where what is before the last dot is known."""
        head, dot, tail = text.rpartition(".")
        names = (*self.nodes, *self.namespace, *LATER)
        found = {name for name in names if name.startswith(text) and not name.startswith("__") and name.isprintable()}
        thing = self.nodes.get(head, self.variables.get(head, self.namespace.get(head)))
        if dot and thing is not None:
            found |= {f"{head}.{name}" for name in dir(thing) if name.startswith(tail) and not name.startswith("_")}
        return sorted(found)


def the_one(text: str, known: Iterable[str]) -> str | None:
    """The one of the known that is the text, or begins with it; None where none does. Raises Refused for several.

    >>> the_one("ass", ["assign", "minus"]), the_one("half", ["half", "halves"]), the_one("x", ["half"])
    ('assign', 'half', None)
    """
    found = [each for each in known if text and each.startswith(text)]
    if text in found or len(found) == 1:
        return text if text in found else found[0]
    if found:
        raise Refused(f"{shown(text)!r} could be {listed(found, most=12)}")
    return None


def variables_of(frame: FrameType) -> dict[str, Any]:
    """The variables that a program sees where it is, local ones first, as pdb knows them; a copy.

    >>> def program(x: float) -> list[str]:
    ...     y = 2 * x
    ...     return list(variables_of(sys._getframe()))[:2]
    >>> import sys; program(1.5)
    ['x', 'y']
    """
    local = frame.f_locals
    seen = {**local, **{name: each for name, each in frame.f_globals.items() if name not in local}}
    return {name: each for name, each in seen.items() if not name.startswith("__")}


def called(variables: Mapping[str, Any]) -> dict[Value, str]:
    """What the program calls its Values: by the first of its variables that holds one."""
    names: dict[Value, str] = {}
    for name, each in variables.items():
        if type(each) is Value and not name.startswith("_"):
            names.setdefault(each, name)
    return names


def names_in(code: CodeType) -> set[str]:
    """The names that code uses, those in its functions, lambdas and classes too.

    >>> sorted(names_in(compile("[draw(x) for x in (lambda: film)()]", "", "eval")))
    ['draw', 'film']
    """
    inner = [names_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def keep_names(old: Stepper, E: Value, cut: Value) -> None:
    """Gives the nodes of a copy the names that their originals are shown by, though some of these are gone.

    E is the copy's root; cut the node of the original at which it ends.
    """
    stack: list[tuple[Value, Value]] = [(old.E, E)]
    seen = set[Value]()
    while stack:
        node, copy = stack.pop()
        if node not in seen:
            seen.add(node)
            copy.label = old.names[node]
            if node is not cut:
                pairs = zip(node.inputs, copy.inputs, strict=True)
                stack += [(one, other) for one, other in pairs if type(one) is Value and type(other) is Value]
