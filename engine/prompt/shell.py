"""Lines in and out: a prompt that tells verbs from Python, and that no line breaks: what is wrong is said in one.

A verb is a method do_…, its docstring is its help, and its kind says which arguments are its own. A line that doesn't
fit is Python, because w, b and s are names of nodes as well. Next: breaks.py.
"""

from __future__ import annotations

import os
import re
from cmd import Cmd
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from inspect import cleandoc, getdoc
from typing import IO, Any

from engine.prompt.arguments import kind_of
from engine.prompt.names import Names, Refused
from engine.text.names import shown

LONGEST = 10_000  # characters of a line: more than that is deeper than Python's own parser may go
WIDEST = 300  # characters of what is said about an error

MANNERS = """
    An empty line repeats the last one, # begins a comment, `n; n; p w.grad` is three commands. Anything else is Python:
    w.grad, b*2 and s = 3 are no verbs, and !w is the node w. q, Ctrl-D and the end of a list of commands leave, and
    put all gradients back as they were.
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
        self.told = set[str]()  # verbs that are names too, and were said to be

    # -- lines out

    def say(self, text: str) -> None:
        """Prints lines; a character that the terminal's encoding doesn't have as its escape."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        self.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")

    def ask(self, prompt: str, answer: Callable[[str], None]) -> None:
        """Makes the next line an answer, unless it is a verb, and shows a prompt that says so."""
        self.prompt, self.answer = prompt, answer

    def ask_nothing(self) -> None:
        self.prompt, self.answer = Shell.prompt, None

    # -- lines in

    def run(self, commands: Iterable[str]) -> None:
        """Runs commands, each shown after the prompt as if typed, until one of them leaves.

        Raises TypeError for a command that isn't a str.
        """
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
        with _own_history():
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
                return self.run_line(line.strip())
        except BaseException as error:  # SystemExit and Ctrl-C too: only q and Ctrl-D leave
            self.say(in_a_line(error))
            return False

    def run_line(self, line: str) -> bool:
        """Runs what is typed: an answer, a comment, one command or several; an empty line is the last one again."""
        if line == "EOF":
            self.say("")
            return True
        if line.startswith("#"):
            return False
        if self.answer and (not line or self.read(line) is None):
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
        read = self.read(line)
        if not read:
            self.python(line.removeprefix("!").strip())
            return False
        word, argument = read
        verb = self.verb(word)
        assert verb
        self.check_argument(verb, argument)
        leaves = bool(verb(argument))
        if not argument and word not in self.told and (word in self.names.nodes or word in self.names.variables):
            self.told.add(word)
            self.say(f"p {word} shows the {'name' if word in self.names.variables else 'node'}")
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
            return None
        if not kind_of(verb).takes(self.names, argument):
            if self.names.compiled(line, "eval"):
                python = self.names.known(word)
            else:
                python = self.names.compiled(line, "exec") is not None
            if python:
                return None
        return word, argument

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
                self.say(f"{name} is now a name at this prompt; set {name} = {given} changes the node")

    # -- verbs

    def verb(self, word: str) -> Callable[[str], Any] | None:
        """The method that a word calls, if it is a verb."""
        method: Callable[[str], Any] | None = getattr(self, f"do_{word}", None)
        return method

    def verbs(self) -> dict[str, list[str]]:
        """The names that call each verb's method, the full one first, in the order of their classes."""
        found: dict[str, list[str]] = {}
        for cls in reversed(type(self).__mro__):
            if cls is Cmd:
                continue
            for name, method in vars(cls).items():
                if name.startswith("do_"):
                    found.setdefault(method.__name__, []).append(name.removeprefix("do_"))
        return found

    def help_of(self, word: str) -> str:
        """The names of a verb, and its docstring. Raises Refused for what is no verb."""
        verb = self.verb(word)
        if verb is None:
            raise Refused(f"there is no verb {word!r}; help lists them")
        names = self.verbs().get(verb.__name__, [word])
        return f"{', '.join(names)}\n{getdoc(verb) or ''}".rstrip()

    def list_of_verbs(self) -> str:
        """The first line of each verb's docstring, after its letter; and how lines are read."""
        lines = []
        for method, names in self.verbs().items():
            letter = min(names, key=len) if len(names) > 1 else ""
            first, _, _ = (getdoc(getattr(self, method)) or "").partition("\n")
            lines.append(f"{letter:<2}  {first}")
        return "\n".join([*lines, cleandoc(MANNERS)])

    def completenames(self, text: str, *_: Any) -> list[str]:
        """What may begin a line."""
        verbs = {name for names in self.verbs().values() for name in names}
        return sorted({name for name in verbs if name.startswith(text)} | set(self.names.completions(text)))


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
