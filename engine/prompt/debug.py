"""The prompt: pdb's manners over stepper.py. debug(E) steps through backprop, forward and back, and answers questions.

A verb is a method do_…, its docstring is its help, and @takes says which arguments are its own. A line that doesn't fit
is Python, because w, b and s are names of nodes as well. To add a verb is to add such a method. Next: __main__.py.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from cmd import Cmd
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from inspect import cleandoc, getdoc
from types import CodeType
from typing import IO, Any, NamedTuple, NoReturn, TypeVar
from unicodedata import normalize

import engine
from engine.calculus import replay
from engine.domain import number
from engine.nudge import Check, gradcheck, value_of
from engine.order import topological_order
from engine.steps.passes import MISTAKES, RIGHT
from engine.steps.step import Step
from engine.steps.stepper import Stepper
from engine.text.names import find_node, grad_text, number_text
from engine.text.symbols import formula_text
from engine.value import Value

Method = TypeVar("Method", bound=Callable[..., Any])
Fits = Callable[["Debugger", str], bool]

LONGEST = 10_000  # characters of a line: more than that is deeper than Python's own parser may go
WIDEST = 300  # characters of what is said about an error
AROUND = 4  # nodes before and after the one in hand, shown by where
LISTED = 5  # contributions, consumers, operands of a node in view
STEP_VARIABLES = ("contribution", "partial", "upstream", "before", "after", "node", "input")


def debug(
    E: Value,
    commands: Iterable[str] | None = None,
    *,
    stdin: IO[str] | None = None,
    stdout: IO[str] | None = None,
) -> None:
    """The prompt, paused before the first step of backprop over E; or a run of commands, a list or a text with `;`.

    In the end all gradients are as they were before. Raises TypeError for what isn't a Value or a command that isn't a
    str, DomainError where backward() does; nothing that is typed raises.

    >>> from engine import Value
    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> debug(x * w, commands="until w; p w.grad")
    step 0 of 3   before the first step
        E.grad = ∂E/∂E = 1   None → 1
    (grad) until w
    step 3 of 3   E = x * w   ∂E/∂E = 1   1 of 1 contributions in
        ∂E/∂x = w = 0.7
        x.grad += ∂E/∂E · ∂E/∂x = 1 · 0.7 = 0.7   None → 0.7
        ∂E/∂w = x = 1.4
      → w.grad += ∂E/∂E · ∂E/∂w = 1 · 1.4 = 1.4   None → 1.4
    (grad) p w.grad
    1.4
    """
    prompt = Debugger(E, stdin, stdout)
    try:
        if commands is None:
            prompt.say(f"{len(prompt.stepper.order)} nodes; help lists the verbs, q leaves")
        prompt.show()
        if commands is None:
            prompt.cmdloop()
        else:
            prompt.run(commands)
    finally:
        prompt.restore()


class Refused(Exception):
    """A sentence that answers what can't be done."""


class Break(NamedTuple):
    """A place to stop: what was typed, and whether the step at an index, just made, is such a place."""

    text: str
    stops: Callable[[int], bool]


def takes(fits: Fits, argument: str) -> Callable[[Method], Method]:
    """The arguments that are a verb's own, as a test and in words; where they aren't, the line may be Python."""

    def mark(method: Method) -> Method:
        method.fits, method.argument = fits, argument  # type: ignore[attr-defined]
        return method

    return mark


def _anything(prompt: Debugger, text: str) -> bool:
    return not text.startswith("=")


def _nothing(prompt: Debugger, text: str) -> bool:
    return not text


def _count(prompt: Debugger, text: str) -> bool:
    return re.fullmatch(r"\d*", text) is not None


def _position(prompt: Debugger, text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None


def _node(prompt: Debugger, text: str) -> bool:
    return text in prompt.nodes


def _maybe_node(prompt: Debugger, text: str) -> bool:
    return not text or text in prompt.nodes


def _expression(prompt: Debugger, text: str) -> bool:
    return text in prompt.nodes or prompt.compiled(text, "eval") is not None


def _maybe_expression(prompt: Debugger, text: str) -> bool:
    return not text or _expression(prompt, text)


def _place(prompt: Debugger, text: str) -> bool:
    kind, _, rest = text.partition(" ")
    condition = kind == "if" and prompt.compiled(rest, "eval") is not None
    return _maybe_node(prompt, text) or condition or (kind == "op" and rest.strip().isidentifier())


def _assignment(prompt: Debugger, text: str) -> bool:
    name, equals, expression = text.partition("=")
    return bool(equals and expression.strip()) and name.strip() in prompt.nodes


def _mistake(prompt: Debugger, text: str) -> bool:
    return text in MISTAKES or text in ("", "off")


def _file(prompt: Debugger, text: str) -> bool:
    return re.fullmatch(r"([^\s=]\S*\.\w+)?", text) is not None


def _verb(prompt: Debugger, text: str) -> bool:
    return not text or hasattr(prompt, f"do_{text}")


class Debugger(Cmd):
    """The prompt over one stepper; `set` puts another in its place, and keeps the first for `undo`."""

    prompt = "(grad) "

    def __init__(self, E: Value, stdin: IO[str] | None = None, stdout: IO[str] | None = None) -> None:
        super().__init__(stdin=stdin, stdout=stdout)
        self.use_rawinput = stdin is None and stdout is None
        self.colour = self.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.earlier: list[Stepper] = []  # before each `set`
        self.breaks: dict[int, Break] = {}
        self.cannot_tell: dict[int, str] = {}  # conditions that raised, with what they raised last
        self.question = False  # whether predict waits for a number
        self.told = set[str]()  # verbs that are names too, and were said to be
        self.variables: dict[str, Any] = {}  # made at the prompt
        self.namespace: dict[str, Any] = {}
        self.adopt(Stepper(E))

    def adopt(self, stepper: Stepper) -> None:
        """Makes this the stepper: its nodes are the names of the prompt, and breakpoints are looked up in its graph."""
        self.stepper = stepper
        self.focus: Value | None = None
        self.nodes = {name: node for node, name in stepper.names.items()}
        self.aliases: dict[str, str] = {}
        self.namespace.clear()
        self.namespace.update({name: getattr(engine, name) for name in engine.__all__})
        self.namespace.update(dict.fromkeys(STEP_VARIABLES), E=stepper.E, **PYTHON)
        self.namespace.update((normalize("NFKC", name), node) for name, node in self.nodes.items())
        self.namespace.update(self.variables)
        for key, (text, _) in list(self.breaks.items()):
            try:
                self.breaks[key] = Break(text, self.stopping(text))
            except Refused:  # its node is not in this graph
                self.breaks[key] = Break(text, lambda _: False)

    def restore(self) -> None:
        """All gradients as they were before the prompt began."""
        (self.earlier or [self.stepper])[0].restore()

    # -- lines in, lines out

    def say(self, text: str) -> None:
        """Prints lines; a character that the terminal's encoding doesn't have as its escape."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        self.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    def run(self, commands: Iterable[str]) -> None:
        """Runs commands, each shown after the prompt as if typed, until one of them leaves."""
        for command in _split(commands) if isinstance(commands, str) else commands:
            if not isinstance(command, str):
                raise TypeError(f"a command is a str, such as 'n', not {type(command).__name__}")
            for line in command.splitlines() or [""]:
                self.say(f"{self.prompt}{line}".rstrip())
                if self.onecmd(line):
                    return

    def cmdloop(self, intro: Any = None) -> None:
        """Reads and runs lines until one of them leaves, or there are no more."""
        with _own_history():
            while True:
                try:
                    return super().cmdloop(intro)
                except KeyboardInterrupt:
                    self.ask(False)
                    self.say("\nq leaves the prompt")
                except UnicodeDecodeError as error:
                    self.say(f"that line can't be read as {error.encoding} text")
                except (OSError, RuntimeError, ValueError):  # stdin is closed, or a notebook has none
                    return self.say("there is nothing to read from; a list of commands runs too: debug(E, commands=[])")

    def onecmd(self, line: str) -> bool:
        """Runs one line and says in one line what is wrong with it; True if it leaves."""
        try:
            if len(line) > LONGEST:
                raise Refused(f"a line has at most {LONGEST:,} characters, this one {len(line):,}")
            return self.run_line(line.strip())
        except BaseException as error:  # SystemExit and Ctrl-C too: only q and Ctrl-D leave
            self.say(in_a_line(error))
            return False

    def run_line(self, line: str) -> bool:
        if line == "EOF":
            self.say("")
            return True
        if line.startswith("#"):
            return False
        if self.question and (not line or self.read(line) is None):
            self.answer(line)
            return False
        self.ask(False)
        if not line:
            line = self.lastcmd
        self.lastcmd = line
        parts = _split(line)
        if len(parts) > 1 and self.read(parts[0]):
            leaves = any(self.run_line(part) for part in parts)
            self.lastcmd = line
            return leaves
        return self.run_part(line) if line else False

    def run_part(self, line: str) -> bool:
        if verb := self.read(line):
            word, argument = verb
            self.refuse_others(getattr(self, f"do_{word}"), argument)
            leaves = bool(getattr(self, f"do_{word}")(argument))
            if not argument and (word in self.nodes or word in self.variables) and word not in self.told:
                self.told.add(word)
                self.say(f"p {word} shows the {'name' if word in self.variables else 'node'}")
            return leaves
        self.python(line.removeprefix("!").strip())
        return False

    def refuse_others(self, method: Callable[[str], Any], argument: str) -> None:
        """Raises Refused for an argument that a verb doesn't take; an expression may mean a node all the same."""
        fits = getattr(method, "fits", _anything)
        if not fits(self, argument) and (not argument or fits in (_nothing, _count, _position)):
            name, expected = method.__name__.removeprefix("do_"), method.argument  # type: ignore[attr-defined]
            raise Refused(f"{name} takes {expected}; " + (f"{argument!r} isn't that" if argument else "none was given"))

    def read(self, line: str) -> tuple[str, str] | None:
        """The verb and its argument that a line means; None if it is Python."""
        line = re.sub(r"^\?\s*", "help ", line)
        word, argument = [*line.split(None, 1), "", ""][:2]
        method = getattr(self, f"do_{word}", None)
        if method is None:
            return None
        fits: Fits = getattr(method, "fits", _anything)
        if not fits(self, argument):
            expression = self.compiled(line, "eval")
            if word in self.namespace if expression else self.compiled(line, "exec"):
                return None
        return word, argument

    # -- Python

    def compiled(self, text: str, mode: str) -> CodeType | None:
        with suppress(Exception):
            return self.compile(text, mode)
        return None

    def compile(self, text: str, mode: str) -> CodeType:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(self.in_python(text.strip()), "<prompt>", mode)

    def in_python(self, text: str) -> str:
        """The text with a name of Python's in the place of each label that isn't one: hidden[2].w[3], x#2."""

        def replaced(found: re.Match[str]) -> str:
            path: str = found[0]
            if found["path"] is None or found["root"] in self.variables:
                return path
            for end in reversed([m.end() for m in re.finditer(r"\w+|\]|#\d+", path)]):
                name = path[:end]
                if name in self.nodes and not name.isidentifier():
                    alias = self.aliases.setdefault(name, f"__node{len(self.aliases)}")
                    self.namespace[alias] = self.nodes[name]
                    return alias + path[end:]
            return path

        return PATH.sub(replaced, text)

    def evaluate(self, text: str | CodeType) -> Any:
        """The value of an expression, over the nodes, the engine's functions and what the latest step was made of."""
        code = self.compile(text, "eval") if isinstance(text, str) else text
        self.set_step_variables(self.latest())
        with redirect_stdout(self.stdout):
            return eval(code, self.namespace)

    def set_step_variables(self, step: Step | None) -> None:
        for name in STEP_VARIABLES:
            if name not in self.nodes and name not in self.variables:
                self.namespace[name] = getattr(step, name) if step else None

    def python(self, line: str) -> None:
        """Evaluates an expression and shows its value, or runs a statement."""
        if self.compiled(line, "eval"):
            value = self.evaluate(line)
            if value is not None or not line.endswith(")"):  # as Python does, but for a gradient that is None
                self.say(repr(value))
            return
        code = self.compile(line, "exec")
        self.set_step_variables(self.latest())
        before = {name: self.namespace.get(name) for name in code.co_names}
        try:
            with redirect_stdout(self.stdout):
                exec(code, self.namespace)
        finally:
            self.keep_variables(before, line)

    def keep_variables(self, before: dict[str, Any], line: str) -> None:
        for name, old in before.items():
            if name not in self.namespace:  # del
                self.variables.pop(name, None)
                if name in self.nodes:
                    self.namespace[name] = self.nodes[name]
            elif self.namespace[name] is not old:
                self.variables[name] = self.namespace[name]
                if name in self.nodes:
                    given = line.partition("=")[2].strip() or "…"
                    self.say(f"{name} is now a name at this prompt; set {name} = {given} changes the node")

    # -- what arguments mean

    def count(self, argument: str) -> int:
        """How many steps or nodes: 1 where none is given, and no more than lead past an end."""
        return min(whole_number(argument), len(self.stepper) + 1)

    def node(self, text: str) -> Value:
        """The node that is meant by its name, or by an expression such as E.inputs[0]."""
        if text in self.nodes:
            return self.nodes[text]
        found = None
        with suppress(Exception):
            found = self.evaluate(text)
        if type(found) is Value and found in self.stepper.names:
            return found
        try:
            return find_node(self.stepper.names, text)
        except ValueError as error:
            raise Refused(str(error)) from None

    def looked_at(self) -> Value:
        return self.stepper.hand if self.focus is None else self.focus

    def latest(self) -> Step | None:
        place = self.stepper.position
        return self.stepper.steps[place - 1] if place else None

    def show(self, *lines: str) -> None:
        """Where the stepper is now."""
        self.focus = None
        self.say("\n".join([self.stepper.text(self.colour), *lines]))

    # -- verbs that move

    @takes(_count, "a number of steps")
    def do_step(self, argument: str) -> None:
        """step [COUNT]: one contribution forward, or COUNT of them."""
        self.stepper.step(self.count(argument))
        self.show()

    @takes(_count, "a number of steps")
    def do_back(self, argument: str) -> None:
        """back [COUNT]: one contribution back, or COUNT of them; gradients become again what they were."""
        self.stepper.back(self.count(argument))
        self.show()

    @takes(_count, "a number of nodes")
    def do_next(self, argument: str) -> None:
        """next [COUNT]: one node forward, to where it has made all its contributions; or COUNT nodes."""
        self.stepper.next(self.count(argument))
        self.show()

    @takes(_count, "a number of nodes")
    def do_previous(self, argument: str) -> None:
        """previous [COUNT]: one node back, to before its contributions; or COUNT nodes."""
        self.stepper.previous(self.count(argument))
        self.show()

    @takes(_nothing, "no argument")
    def do_continue(self, argument: str) -> None:
        """continue: forward to the next step that a break or a watch stops at, or to the end."""
        self.travel(+1)

    @takes(_nothing, "no argument")
    def do_reverse(self, argument: str) -> None:
        """reverse: back to the step before this one that a break or a watch stops at, or to the start.

        With `watch w` it finds the last writer of w.grad.
        """
        self.travel(-1)

    @takes(_node, "a node: its name, or an expression")
    def do_until(self, argument: str) -> None:
        """until NODE: forward to the step that completes the gradient of NODE."""
        self.stepper.until(self.node(argument))
        self.show()

    @takes(_position, "a position, a whole number from 0, the start")
    def do_goto(self, argument: str) -> None:
        """goto K: to where K steps are made, forward or back."""
        self.stepper.goto(whole_number(argument))
        self.show()

    @takes(_nothing, "no argument")
    def do_start(self, argument: str) -> None:
        """start: to the start, before the first step."""
        self.stepper.rewind()
        self.show()

    @takes(_nothing, "no argument")
    def do_end(self, argument: str) -> None:
        """end: to the end, past all breaks."""
        self.stepper.run()
        self.show()

    def travel(self, direction: int) -> None:
        stepper, notes, stopped = self.stepper, list[str](), list[str]()
        last = len(stepper) if direction > 0 else 0
        self.cannot_tell = {}
        while not stopped:
            stepper.step(direction)
            notes += stepper.notes
            stopped = [f"stopped by {key}: {each.text}" for key, each in self.breaks.items() if self.stops_here(key)]
            if stepper.position == last:
                break
        stepper.notes = notes[:LISTED]
        self.show(*stopped, *self.cannot_tell.values())

    def stops_here(self, key: int) -> bool:
        if self.stepper.position == 0:
            return False
        try:
            return self.breaks[key].stops(self.stepper.position - 1)
        except Exception as error:
            self.cannot_tell[key] = f"{key}: {self.breaks[key].text} had no answer at some steps: {in_a_line(error)}"
            return False

    # -- verbs that say where to stop

    @takes(_place, "a node, `op NAME` or `if CONDITION`")
    def do_break(self, argument: str) -> None:
        """break [NODE | op NAME | if CONDITION]: makes continue and reverse stop; alone, the list of what they stop at.

        On a node: where it begins to pass its gradient on (a leaf, which doesn't: where its gradient is complete).
        On an operation: where a node made by it does, as in `b op tanh`. On a condition: at every step where it is
        true, over contribution, partial, upstream, before, after, node, input and whatever else is known at the
        prompt: `b if abs(contribution) > 10`. clear takes one away.
        """
        if not argument:
            self.say("\n".join(f"{key}: {each.text}" for key, each in self.breaks.items()) or "there are no breaks")
        else:
            self.add_break(argument if re.match(r"(op|if)\b", argument) else f"node {argument}")

    @takes(_node, "a node: its name, or an expression")
    def do_watch(self, argument: str) -> None:
        """watch NODE: makes continue and reverse stop at every step that writes the gradient of NODE."""
        self.add_break(f"watch {argument}")

    @takes(_count, "the number of a break")
    def do_clear(self, argument: str) -> None:
        """clear [K]: takes away the break or watch numbered K; alone, all of them."""
        if not argument:
            self.breaks.clear()
            return self.say("there are no breaks")
        key = whole_number(argument)
        if key not in self.breaks:
            raise Refused(f"there is no break {argument}; b lists them")
        self.say(f"cleared {key}: {self.breaks.pop(key).text}")

    def add_break(self, text: str) -> None:
        made = Break(text, self.stopping(text))
        key = max(self.breaks, default=0) + 1
        self.breaks[key] = made
        self.say(f"{key}: {text}")

    def stopping(self, text: str) -> Callable[[int], bool]:
        """Whether a break so written stops at the step with an index."""
        steps = self.stepper.record
        kind, _, what = text.partition(" ")
        what = what.strip()
        if kind == "if":
            return self.condition(what)
        if kind == "op":
            operations = dict.fromkeys(node.op for node in self.stepper.order if node.op)
            if what not in operations:
                raise Refused(f"no node here is made by {what!r}; there are {', '.join(operations) or 'only leaves'}")
            return lambda i: steps.nodes[i].op == what and self.begins(i)
        node = self.node(what)
        if kind == "watch":
            return lambda i: steps.target(i) is node
        if node.rule is None:
            return lambda i: i == (steps.writes[node] or [-1])[-1]
        return lambda i: steps.nodes[i] is node and self.begins(i)

    def begins(self, index: int) -> bool:
        """Whether the step is the first one that its node makes (the seed, step 0, is made by none)."""
        nodes = self.stepper.record.nodes
        return index == 1 or (index > 1 and nodes[index] is not nodes[index - 1])

    def condition(self, text: str) -> Callable[[int], bool]:
        if not text:
            raise Refused("b if takes a condition, such as b if abs(contribution) > 10")
        code = self.compile(text, "eval")
        self.set_step_variables(self.latest() or self.stepper.steps[0])
        try:
            eval(code, self.namespace)
        except NameError as error:
            raise Refused(in_a_line(error)) from None
        except Exception:  # no answer here; there may be one at other steps
            pass
        return lambda _: bool(self.evaluate(code))

    # -- verbs that look

    @takes(_nothing, "no argument")
    def do_where(self, argument: str) -> None:
        """where: the order in which nodes pass their gradient on, around the one in hand, and what each has got so far.

        A node may pass its gradient on only when all its contributions are in.
        """
        visits = list(self.stepper.way.visits(self.stepper.order))
        hand = visits.index(self.stepper.hand)
        first = max(min(hand - AROUND, len(visits) - 2 * AROUND - 1), 0)
        shown = visits[first : first + 2 * AROUND + 1]
        rows = [self.row(node) for node in shown]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"      … {first} before"] if first else []
        for node, row in zip(shown, rows, strict=True):
            cells = "   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            lines.append(f"  {'-->' if node is self.stepper.hand else '   '} {cells}".rstrip())
        if left := len(visits) - first - len(shown):
            lines.append(f"      … {left} after")
        self.say("\n".join(lines))

    def row(self, node: Value) -> tuple[str, str, str, str]:
        """A node, its gradient, how many of its contributions are in, and these."""
        names, steps = self.stepper.names, self.stepper.record
        writes = steps.writes[node]
        made = [place for place in writes if place < self.stepper.position]
        texts = [f"{number_text(held)} from before"] if (held := steps.start[node]) else []
        texts += [number_text(steps.contributions[place]) for place in made[:LISTED]]
        texts += ["…"] * (len(made) > LISTED)
        gradient = f"{names[node]}.grad = {grad_text(node.grad)}"
        return self.equation(node), gradient, f"{len(made)} of {len(writes)} in", ", ".join(texts)

    def equation(self, node: Value) -> str:
        return f"{self.stepper.names[node]} = {formula_text(node, self.stepper.names)}"

    @takes(_count, "the number of a consumer")
    def do_up(self, argument: str) -> None:
        """up [K]: looks at the consumer of this node, or the K-th of them: contributions come from there."""
        self.look(argument, self.consumers(self.looked_at()), "consumer")

    @takes(_count, "the number of an operand")
    def do_down(self, argument: str) -> None:
        """down [K]: looks at the operand of this node, or the K-th of them: contributions go there."""
        operands = [each for each in (self.looked_at()).inputs if isinstance(each, Value)]
        self.look(argument, list(dict.fromkeys(operands)), "operand")

    def consumers(self, node: Value) -> list[Value]:
        steps = self.stepper.record
        return list(dict.fromkeys(steps.nodes[place] for place in steps.writes[node] if steps.slots[place] is not None))

    def look(self, argument: str, nodes: list[Value], kind: str) -> None:
        here = self.stepper.names[self.looked_at()]
        which = whole_number(argument)
        if not 0 < which <= len(nodes):
            count = f"{len(nodes)} {kind}{'s' * (len(nodes) != 1)}" if nodes else f"no {kind}"
            raise Refused(f"{here} has {count}" + (f", not {argument}" if nodes else ""))
        self.focus = node = nodes[which - 1]
        operands = list(dict.fromkeys(each for each in node.inputs if isinstance(each, Value)))
        lines = ["   ".join(self.row(node)[:3])]
        for letter, others in ("u", self.consumers(node)), ("d", operands):
            lines += [f"    {letter} {i}: {self.equation(other)}" for i, other in enumerate(others[:LISTED], start=1)]
            lines += [f"    and {len(others) - LISTED} more"] * (len(others) > LISTED)
        self.say("\n".join(lines))

    @takes(_expression, "an expression")
    def do_p(self, argument: str) -> None:
        """p EXPRESSION: the value of a Python expression, over the nodes by name and what the latest step is made of.

        The names are those of the nodes, such as w, v1 and hidden[2].w[3], E, the engine's functions, and of the latest
        step contribution, partial, upstream, before, after, node and input.
        """
        known = argument in self.nodes and argument not in self.variables
        self.say(repr(self.nodes[argument] if known else self.evaluate(argument)))

    @takes(_maybe_node, "a node: its name, or an expression")
    def do_why(self, argument: str) -> None:
        """why [NODE]: the chain rule for ∂E/∂NODE, in symbols and numbers; alone, for the node in hand."""
        from engine import explain

        node = self.node(argument) if argument else self.looked_at()
        self.say(str(explain(self.stepper.E, node)))

    @takes(_maybe_node, "a node: its name, or an expression")
    def do_check(self, argument: str) -> None:
        """check [NODE]: ∂E/∂NODE beside a numeric derivative, and "kink" where one is; alone, all of the graph."""
        stepper = self.stepper
        if not argument:
            return self.say(repr(gradcheck(stepper.E)))
        node = self.node(argument)
        E = replay(stepper.E, {})
        E.backward()
        order = topological_order(E)
        copy = order[stepper.order.index(node)]
        right = copy.grad or 0.0
        name = stepper.names[node]
        self.say(repr(Check(f"∂{stepper.names[stepper.E]}/∂{name}", right, value_of(E, order, copy), copy.data)))
        if node.grad is None or abs(node.grad - right) > 1e-12 * abs(right):
            mistake = "" if stepper.way is RIGHT else f", mistake {stepper.way.name!r}"
            arrived = self.row(node)[2].replace(" in", " contributions in")
            self.say(f"but {name}.grad is {grad_text(node.grad)} here, {arrived}{mistake}")

    @takes(_file, "a file name, such as graph.svg")
    def do_draw(self, argument: str) -> None:
        """draw [FILE]: the graph at this step as a picture, in graph.svg or another .svg, .png, .pdf or .dot file."""
        from engine import draw

        self.say(f"wrote {draw(self.stepper).save(argument or 'graph.svg')}")

    @takes(_file, "a file name, such as backprop.html")
    def do_film(self, argument: str) -> None:
        """film [FILE]: this backward pass, from its start to its end, as a page to step through: backprop.html."""
        from engine import film

        self.say(f"wrote {film(self.stepper).save(argument or 'backprop.html')}")

    # -- verbs that try something

    @takes(_assignment, "NODE = NUMBER")
    def do_set(self, argument: str) -> None:
        """set NODE = NUMBER: what if? A copy of the graph with this number, stepped from the start; undo leaves it.

        The graph itself is untouched. A node in the middle becomes a leaf of the copy.
        """
        name, equals, expression = (part.strip() for part in argument.partition("="))
        if not (name and equals and expression):
            raise Refused(f"set takes NODE = NUMBER; {argument!r} isn't that")
        node, old = self.node(name), self.stepper
        E = replay(old.E, {node: number(self.evaluate(expression))})
        _copy_names(old, E, node)
        mistake = None if old.way is RIGHT else old.way.name
        new = Stepper(E, mistake)
        self.earlier.append(old)
        self.adopt(new)
        root = old.names[old.E]
        self.show(f"what if: {root} was {number_text(old.E.data)} and is {number_text(E.data)}; undo goes back")

    @takes(_nothing, "no argument")
    def do_undo(self, argument: str) -> None:
        """undo: back to the graph before the last set, and to the step where it was left."""
        if not self.earlier:
            raise Refused("there is nothing to undo: no node was set")
        self.adopt(self.earlier.pop())
        self.show()

    @takes(_mistake, "the name of a mistake, or off")
    def do_mistake(self, argument: str) -> None:
        """mistake [NAME | off]: starts over with a classic wrong backward pass, to be watched; alone, their list."""
        if not argument:
            width = max(map(len, MISTAKES))
            return self.say("\n".join(f"{name:<{width}}   {each.says}" for name, each in MISTAKES.items()))
        if argument not in MISTAKES and argument != "off":
            raise Refused(f"there is no mistake {argument!r}; there are {', '.join(MISTAKES)}, and off")
        E, position, now = self.stepper.E, self.stepper.position, self.stepper.way
        self.stepper.restore()
        try:
            self.adopt(Stepper(E, None if argument == "off" else argument))
        except ArithmeticError:
            self.adopt(Stepper(E, None if now is RIGHT else now.name).goto(position))
            raise
        self.show()

    @takes(_maybe_expression, "no argument, or the number that you predict")
    def do_predict(self, argument: str) -> None:
        """predict [NUMBER]: asks for the next contribution, then shows it and says whether you were right.

        The next line is the answer, a number or an expression; an empty one just shows it.
        """
        if self.stepper.position == len(self.stepper):
            raise Refused("this is the end: there is no contribution to predict")
        step, names = self.stepper.steps[self.stepper.position], self.stepper.names
        if argument:
            return self.answer(argument)
        E, node, input = names[self.stepper.E], names[step.node], names[step.input]
        if step.slot is None:
            self.say(f"step {step.number}: what is ∂{E}/∂{E}?")
        else:
            arriving = f"∂{E}/∂{node} = {number_text(step.upstream)}"
            self.say(f"step {step.number}: what does {self.equation(step.node)} add to {input}.grad, with {arriving}?")
        self.ask(True)

    def ask(self, question: bool) -> None:
        self.question = question
        self.prompt = "(predict) " if question else Debugger.prompt

    def answer(self, text: str) -> None:
        step = self.stepper.steps[self.stepper.position]
        given = self.evaluate(text) if text else None
        judged = [self.judged(number(given.data if type(given) is Value else given), step)] if text else []
        self.ask(False)
        self.stepper.step()
        self.show(*judged)

    def judged(self, given: float, step: Step) -> str:
        """Whether a predicted contribution is right, to about three digits, and what else it is."""
        right = step.contribution

        def same(other: float | None) -> bool:
            return other is not None and abs(given - other) <= 0.005 * abs(other)

        if same(right):
            return f"right: {number_text(right)}"
        known = {
            "it has the wrong sign": -right,
            "that is the local derivative alone": step.partial,
            "that is the upstream gradient alone": step.upstream,
            "that is the gradient with this contribution added": step.after,
        }
        also = next((f"; {says}" for says, other in known.items() if same(other)), "")
        return f"off by {number_text(given - right)}: it is {number_text(right)}{also}"

    # -- help, and the end

    @takes(_verb, "a verb")
    def do_help(self, argument: str) -> None:
        """help [VERB]: what a verb does; alone, the list of verbs."""
        verbs = self.verbs()
        if argument:
            method = getattr(self, f"do_{argument}", None)
            if method is None:
                raise Refused(f"there is no verb {argument!r}; help lists them")
            return self.say(f"{', '.join(verbs.get(method.__name__, [argument]))}\n{getdoc(method) or ''}".rstrip())
        firsts = {name: (getdoc(getattr(self, name)) or "").partition("\n")[0] for name in verbs}
        letters = {name: min(names, key=len) if len(names) > 1 else "" for name, names in verbs.items()}
        lines = [f"{letters[name]:<2}  {first}" for name, first in firsts.items()]
        self.say("\n".join([*lines, cleandoc(MANNERS)]))

    @takes(_nothing, "no argument")
    def do_quit(self, argument: str) -> bool:
        """quit: leaves. So do Ctrl-D and the end of a list of commands; gradients are then as they were before."""
        return True

    do_s, do_sb, do_n, do_nb, do_c, do_cb = do_step, do_back, do_next, do_previous, do_continue, do_reverse
    do_b, do_w, do_u, do_d, do_h = do_break, do_where, do_up, do_down, do_help
    do_q = do_exit = do_quit

    def verbs(self) -> dict[str, list[str]]:
        """The names that call each verb's method, the full one first, in the order of this file."""
        found: dict[str, list[str]] = {}
        for cls in reversed(type(self).__mro__):
            if cls is Cmd:
                continue
            for name, method in vars(cls).items():
                if name.startswith("do_"):
                    found.setdefault(method.__name__, []).append(name.removeprefix("do_"))
        return found

    # -- completion

    def completenames(self, text: str, *_: Any) -> list[str]:
        """What may begin a line."""
        verbs = {name for names in self.verbs().values() for name in names}
        return sorted({name for name in verbs if name.startswith(text)} | set(self.names_from(text)))

    def completedefault(self, text: str, line: str, begidx: int, endidx: int) -> list[str]:
        """What may go on in a line: a mistake, an operation, a node, an attribute of a node, another name."""
        words = line[:begidx].split()
        if words == ["mistake"]:
            return [name for name in [*MISTAKES, "off"] if name.startswith(text)]
        if words in (["b", "op"], ["break", "op"]):
            return sorted({node.op for node in self.stepper.order if node.op and node.op.startswith(text)})
        return self.names_from(text)

    def names_from(self, text: str) -> list[str]:
        head, dot, tail = text.rpartition(".")
        found = {name for name in (*self.nodes, *self.namespace) if name.startswith(text) and not name.startswith("__")}
        thing = self.nodes.get(head, self.variables.get(head, self.namespace.get(head)))
        if dot and thing is not None:
            found |= {f"{head}.{name}" for name in dir(thing) if name.startswith(tail) and not name.startswith("_")}
        return sorted(found)


MANNERS = """
    An empty line repeats the last one, # begins a comment, `n; n; p w.grad` is three commands. Anything else is Python:
    w.grad, b*2 and s = 3 are no verbs, and !w is the node w. q, Ctrl-D and the end of a list of commands leave, and
    put all gradients back as they were.
"""

# A string, which stays as it is; or a name that isn't an attribute, with what hangs on it: hidden[2].w[3].grad.
PATH = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<![\w.)\]])(?P<path>(?P<root>[^\W\d]\w*)(?:\[\d+\]|\.[^\W\d]\w*|\#\d+)*)"""
)
SEPARATED = re.compile(r"""(?:[^;'"]|'[^']*'|"[^"]*"|['"])+""")


def _split(text: str) -> list[str]:
    """The commands in a text: its lines, and what is between the ; of a line; a comment is one."""
    lines = [[line] if line.lstrip().startswith("#") else SEPARATED.findall(line) for line in text.splitlines()]
    return [part.strip() for line in lines for part in line if part.strip()]


def whole_number(argument: str) -> int:
    """A whole number, 1 where none is given; one of more than 15 digits is as good as 10**15."""
    digits = argument.lstrip("-") or "1"
    size = int(digits) if len(digits) <= 15 else 10**15
    return -size if argument.startswith("-") else size


def _no_exit(*_: object) -> NoReturn:
    raise SystemExit("q leaves the prompt")  # Python's own exit would close stdin as well


PYTHON = {"exit": _no_exit, "quit": _no_exit, "inf": math.inf, "nan": math.nan, "pi": math.pi}


def _copy_names(old: Stepper, E: Value, cut: Value) -> None:
    """Gives the nodes of a copy the names that their originals are shown by, though some of these are gone."""
    stack: list[tuple[Any, Any]] = [(old.E, E)]
    seen = set[Value]()
    while stack:
        node, copy = stack.pop()
        if node not in seen:
            seen.add(node)
            copy.label = old.names[node]
            if node is not cut:
                pairs = zip(node.inputs, copy.inputs, strict=True)
                stack += [pair for pair in pairs if isinstance(pair[0], Value)]


def in_a_line(error: BaseException) -> str:
    """An exception as `TypeName: sentence`, whatever its message; a refusal as its sentence alone."""
    try:
        message = error.msg or "" if isinstance(error, SyntaxError) else str(error)
    except BaseException:
        message = ""
    message = " ".join(str(message).split())[: 2 * WIDEST]
    message = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in message)
    message = message if len(message) <= WIDEST else f"{message[:WIDEST]}…"
    return message if isinstance(error, Refused) else ": ".join(filter(None, [type(error).__name__, message]))


@contextmanager
def _own_history() -> Iterator[None]:
    """Where readline exists: hidden[2].w completes as one word, and the lines typed here are forgotten at the end."""
    try:
        import readline
    except ImportError:
        yield
        return
    lines, delimiters = readline.get_current_history_length(), readline.get_completer_delims()
    readline.set_completer_delims("".join(c for c in delimiters if c not in "[]#"))
    try:
        yield
    finally:
        readline.set_completer_delims(delimiters)
        for place in reversed(range(lines, readline.get_current_history_length())):
            readline.remove_history_item(place)
