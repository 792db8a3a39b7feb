"""Lines in and out: a prompt that tells verbs from Python, and that no line breaks: what is wrong is said in one.

A verb is a method do_…, its docstring is its help, and its kind says which arguments are its own. A line that doesn't
fit is Python, because w, b and s are names of nodes as well. Next: breaks.py.
"""

from __future__ import annotations

import builtins
import os
import re
from cmd import Cmd
from collections.abc import Callable, Iterable
from contextlib import nullcontext, redirect_stdout
from inspect import cleandoc, getdoc
from io import TextIOBase
from keyword import iskeyword
from shutil import get_terminal_size
from textwrap import fill
from typing import IO, Any

from engine.prompt.arguments import kind_of
from engine.prompt.history import own_history
from engine.prompt.lines import folded
from engine.prompt.names import Names, Refused
from engine.prompt.verbs import ALIASES, INSTEAD, YIELDING
from engine.text.names import listed, shown

LONGEST = 10_000  # characters of a line: more than that is deeper than Python's own parser may go
WIDEST = 300  # characters of what is said about an error

WIDTH = 79  # of help
WORD = re.compile(r"[^\W\d][\w-]*")  # what a verb may look like

MANNERS = """
    In a step, → is the contribution made last, · one still to come, and what has no mark was made before. Verbs, nodes
    and mistakes may be cut short where no other begins so. An empty line repeats the last one, # begins a comment,
    `n; n; p w.grad` is three commands. Anything else is Python: w.grad, b*2 and s = 3 are no verbs, and !w is the node
    w. The variables of the program that called debug(E) are known, and stay as they are. q, Ctrl-D and the end of a
    list of commands leave, and put all gradients back as they were. `help VERB` tells more.
"""
SEPARATED = re.compile(r"""(?:[^;'"]|'[^']*'|"[^"]*"|['"])+""")


class Shell(Cmd):
    """A prompt for verbs, the methods do_…, and for Python over its names."""

    prompt = "(grad) "

    def __init__(self, names: Names, stdin: IO[str] | None = None, stdout: IO[str] | None = None) -> None:
        super().__init__(stdin=stdin, stdout=stdout)
        self.names = names
        self.use_rawinput = stdin is None and stdout is None
        self.colour = self.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.answer: Callable[[str], None] | None = None  # takes the next line, if a question waits for it
        self.takes_verbs = False  # whether a line that is a verb is an answer too
        self.pending: list[str] = []  # lines to run before the next one is read
        self.told = set[str]()  # verbs that are names too, and were said to be

    # -- lines out

    def say(self, text: str) -> None:
        """Prints lines, folded at a terminal's width; a character that its encoding doesn't have as its escape."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        if self.stdout.isatty():
            width = max(get_terminal_size().columns, 20)
            text = "\n".join(part for line in text.split("\n") for part in folded(line, width))
        self.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    def ask(self, prompt: str, answer: Callable[[str], None], takes_verbs: bool = False) -> None:
        """Makes the next line an answer, under a prompt that says so; a verb is one only where these are taken."""
        self.prompt, self.answer, self.takes_verbs = prompt, answer, takes_verbs

    def ask_nothing(self) -> None:
        """Drops the question that waits for an answer."""
        self.prompt, self.answer, self.takes_verbs = Shell.prompt, None, False

    # -- lines in

    def run(self, commands: Iterable[str]) -> None:
        """Runs commands, each shown after the prompt as if typed, until one of them leaves.

        An open file is read as a text. Raises TypeError for a command that isn't a str.
        """
        if isinstance(commands, TextIOBase):
            commands = commands.read()
        for command in split(commands) if isinstance(commands, str) else commands:
            if not isinstance(command, str):
                raise TypeError(f"a command is a str, such as 'n', not {type(command).__name__}")
            for line in command.splitlines() or [""]:
                typed = shown(line.rstrip()) if line.strip() else ""
                self.say(f"{self.prompt}{typed}".rstrip())
                if self.onecmd(line):
                    return

    def cmdloop(self, intro: Any = None) -> None:
        """Reads and runs lines until one of them leaves, or there are no more."""
        with own_history() if self.use_rawinput and self.stdin.isatty() else nullcontext():
            while True:
                try:
                    return super().cmdloop(intro)
                except KeyboardInterrupt:
                    self.ask_nothing()
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
            with redirect_stdout(self.stdout):
                leaves = self.run_line(line.strip())
                while self.pending and not leaves:
                    leaves = self.run_command(self.pending.pop(0))
                return leaves
        except BaseException as error:  # SystemExit and Ctrl-C too: only q and Ctrl-D leave
            self.pending.clear()
            self.say(in_a_line(error))
            return False

    def run_line(self, line: str) -> bool:
        """Runs what is typed: an answer, a comment, one command or several; an empty line is the last one again."""
        if line == "EOF":
            self.say("")
            self.ask_nothing()
            return True
        if line.startswith("#"):
            return False
        if self.answer and (self.takes_verbs or not line or self.read(line) is None):
            self.answer(line)
            return False
        self.ask_nothing()
        line = self.lastcmd = line or self.lastcmd
        commands = split(line)
        if len(commands) < 2 or not self.read(commands[0]):
            return self.run_command(line) if line else False
        leaves = any(self.run_line(command) for command in commands)
        self.lastcmd = line
        return leaves

    def run_command(self, line: str) -> bool:
        """Runs a verb, or Python."""
        read, names = self.read(line), self.names
        if not read:
            self.check_known(line)
            self.python(line.removeprefix("!").strip())
            return False
        word, argument = read
        verb = self.verb(word)
        assert verb
        self.check_argument(verb, argument)
        leaves = bool(verb(argument))
        hides = word in names.nodes or word in names.variables or word in names.caller
        if hides and not argument and not leaves and word not in self.told:
            self.told.add(word)
            self.say(f"p {word} shows the {'node' if word in names.nodes and word not in names.variables else 'name'}")
        return leaves

    def read(self, line: str) -> tuple[str, str] | None:
        """The verb and its argument that a line means; None if it is Python.

        An argument that a verb doesn't take makes the line Python if it is an expression about what the verb's word
        names here, as `b *2` is where b is a node, or a statement, as `n = 3`.
        """
        line = re.sub(r"^\?\s*", "help ", line)
        word, argument = [*line.split(None, 1), "", ""][:2]
        verb = self.verb(word)
        if verb is None:
            begun = self.begun(word, line)
            return (begun, argument) if begun else None
        named = word in self.names.nodes or word in self.names.variables
        if named and word in YIELDING and self.names.compiled(line, "exec"):
            return None
        if not kind_of(verb).takes(self.names, argument):
            if self.names.compiled(line, "eval"):
                python = self.names.known(word)
            else:
                python = self.names.compiled(line, "exec") is not None
            if python:
                return None
        return word, argument

    def begun(self, word: str, line: str) -> str | None:
        """The verb that a word begins and no other does, where it means nothing else. Raises Refused for several."""
        if not self.is_word(word) or (self.names.compiled(line, "exec") and not self.names.compiled(line, "eval")):
            return None
        verbs = self.verbs().values()
        found = [names[0] for names in verbs if any(name.startswith(word) for name in names)]
        if len(found) > 1:
            raise Refused(f"{word!r} could be {listed(found, most=12)}")
        return found[0] if found else None

    def is_word(self, word: str) -> bool:
        """Whether this may be a verb, and means nothing in Python or among the names known here."""
        meant = self.names.known(word) or hasattr(builtins, word) or iskeyword(word) or word in self.names.nodes
        return WORD.fullmatch(word) is not None and not meant

    def check_known(self, line: str) -> None:
        """Raises Refused, with what to do, for a line that is no Python and begins with no verb or name known here."""
        word = [*line.split(), "!"][0]
        if line == "!":
            raise Refused("after ! comes Python: !w is the node w")
        if not self.names.compiled(line, "exec"):
            verb, slash, _ = word.partition("/")
            if slash and (self.verb(verb) or verb in INSTEAD):
                raise Refused(f"{word} is a format of gdb's; here p f'{{E.data:.3f}}' makes a text of a number")
            if word in INSTEAD:
                raise Refused(INSTEAD[word])
        if not self.is_word(word) or (line != word and self.names.compiled(line, "exec")):
            return
        raise Refused(INSTEAD.get(word, f"there is no verb or name {word!r} here; help lists the verbs"))

    def check_argument(self, verb: Callable[[str], Any], argument: str) -> None:
        """Raises Refused where a verb's argument is missing, and where it can't be what the verb takes.

        Where a node is expected, an expression may mean one: whether it does, the verb finds out.
        """
        kind = kind_of(verb)
        if kind.takes(self.names, argument) or (argument and not kind.strict):
            return
        given = f"{argument!r} isn't that" if argument else "none was given"
        raise Refused(f"{verb.__name__.removeprefix('do_')} takes {kind.says}; {given}")

    def python(self, line: str) -> None:
        """Evaluates an expression and shows its value, or runs a statement."""
        names = self.names
        if names.compiled(line, "eval"):
            value = names.evaluate(line)
            if value is not None or not line.endswith(")"):  # as Python does, but for a gradient that is None
                self.say(repr(value))
            return
        code = names.compile(line, "exec")
        before = names.meanings(code)
        try:
            names.run(code)
        finally:
            given = line.partition("=")[2].strip() or "…"
            for name in names.keep(before):
                hidden = f"set {name} = {given} changes the node" if name in names.nodes else "your program's stays"
                self.say(f"{name} is now a name at this prompt; {hidden}")

    # -- verbs

    def verb(self, word: str) -> Callable[[str], Any] | None:
        """The method that a word calls, if it is a verb."""
        method: Callable[[str], Any] | None = getattr(self, f"do_{ALIASES.get(word, word)}", None)
        return method

    def families(self) -> dict[str, list[str]]:
        """The full names of the verbs, by what their class is about, in the order of the classes."""
        found: dict[str, list[str]] = {}
        for cls in reversed(type(self).__mro__):
            if cls is not Cmd:
                names = [name.removeprefix("do_") for name in vars(cls) if name.startswith("do_")]
                found.setdefault(getattr(cls, "about", ""), []).extend(names)
        return {about: names for about, names in found.items() if names}

    def verbs(self) -> dict[str, list[str]]:
        """For each verb, by its method's name, all that may be typed for it, the full name first."""
        names = [name for family in self.families().values() for name in family]
        return {f"do_{name}": [name, *(alias for alias, verb in ALIASES.items() if verb == name)] for name in names}

    def help_of(self, word: str) -> str:
        """The names of a verb, and its docstring. Raises Refused for what is no verb."""
        word = word if self.verb(word) else self.begun(word, word) or word
        verb = self.verb(word)
        if verb is None:
            raise Refused(INSTEAD.get(word, f"there is no verb {shown(word)!r}; help lists them"))
        names = self.verbs().get(verb.__name__, [word])
        title, _, rest = (getdoc(verb) or "").partition("\n\n")
        parts = [", ".join(names), title, *([""] if rest else []), rest]
        return "\n".join(part and fill(part, WIDTH) for part in parts).rstrip()

    def list_of_verbs(self) -> str:
        """The first line of each verb's docstring, after its letter; and how lines are read."""
        lines, names = list[str](), self.verbs()
        for about, family in self.families().items():
            lines += [f"{about}:"] if about else []
            for verb in family:
                others = [name for name in names[f"do_{verb}"][1:] if len(name) < 3]
                title, _, _ = (getdoc(getattr(self, f"do_{verb}")) or "").partition("\n")
                lines.append(f"{others[0] if others else '':<3} {title}")
        return "\n".join([*lines, fill(cleandoc(MANNERS), WIDTH)])

    def completenames(self, text: str, *_: Any) -> list[str]:
        """What may begin a line."""
        return sorted({*self.verbs_beginning(text), *self.names.completions(text)})

    def verbs_beginning(self, text: str) -> list[str]:
        return sorted({name for names in self.verbs().values() for name in names if name.startswith(text)})

    def complete_help(self, text: str, *_: Any) -> list[str]:
        """What may follow help: a verb."""
        return self.verbs_beginning(text)


def split(text: str) -> list[str]:
    """The commands in a text: its lines, and what is between the ; of a line; a comment is one.

    >>> split("n; p ';'\\n# a comment; of one line")
    ['n', "p ';'", '# a comment; of one line']
    """
    lines = [[line] if line.lstrip().startswith("#") else SEPARATED.findall(line) for line in text.splitlines()]
    return [part.strip() for line in lines for part in line if part.strip()]


def whole_number(argument: str) -> int:
    """A whole number, 1 where none is given; one of more than 15 digits is as good as 10**15.

    >>> [whole_number(argument) for argument in ("", "-3", "9" * 5_000)]
    [1, -3, 1000000000000000]
    """
    digits = argument.lstrip("-") or "1"
    size = int(digits) if len(digits) <= 15 else 10**15
    return -size if argument.startswith("-") else size


def in_a_line(error: BaseException) -> str:
    """An exception as `TypeName: sentence`, whatever its message; a refusal as its sentence alone.

    >>> in_a_line(ValueError("a\\n  b")), in_a_line(Refused("there is nothing to undo"))
    ('ValueError: a b', 'there is nothing to undo')
    """
    try:
        message = str(error.msg or "") if isinstance(error, SyntaxError) else str(error)
    except BaseException:
        message = ""
    message = " ".join(message.split())[: 2 * WIDEST]
    if message:
        message = shown(message)
    if len(message) > WIDEST:
        message = f"{message[:WIDEST]}…"
    return message if isinstance(error, Refused) else ": ".join(filter(None, [type(error).__name__, message]))
