"""The command: `stepgrad step|explain|check|draw|film EXPRESSION NAME=NUMBER …`, also as `python -m engine`.

Each subcommand is a row of COMMANDS. Whatever is wrong with the input is said on stderr in a sentence, with a caret
under the place where the expression is wrong; the exit status is 2 then. expression.py does the reading.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from io import TextIOWrapper
from itertools import islice
from textwrap import shorten
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from engine.domain import DomainError
from engine.nudge import gradcheck
from engine.prompt.expression import ExpressionError, read_assignment, read_expression
from engine.steps.passes import MISTAKES
from engine.value import Value
from engine.version import VERSION

if TYPE_CHECKING:
    from engine.pictures.draw import Drawing
    from engine.pictures.film import Film

USAGE = """\
usage: stepgrad COMMAND [OPTIONS] EXPRESSION NAME=NUMBER ...

for example: stepgrad step "s = w*x + b; z = tanh(s); (z - t)**2 / 2" x=1.4 w=0.7 b=-1.3 t=0.2

commands:
{commands}

An expression holds numbers, names, + - * / **, parentheses and the table's functions, such as tanh(x), maximum(x, y)
and total(x, y, w); `name = ...;` in front of the last part names a node. `stepgrad COMMAND --help` tells more.
"""
HELP_C = "run these instead of prompting, separated by ; (what is no verb is run as Python); may be given several times"
STATUSES = "Exit status: 0; 2 if the input is wrong or a derivative doesn't exist; 130 after Ctrl-C."


class UsageError(ValueError):
    """The arguments of the command are wrong."""


class Command(NamedTuple):
    """A subcommand: what runs it, returning the exit status, its help, and its options as argparse takes them."""

    run: Callable[[Value, dict[str, Value], argparse.Namespace], int]
    help: str
    options: dict[str, dict[str, Any]]


def step(E: Value, names: dict[str, Value], given: argparse.Namespace) -> int:
    from engine.prompt.debug import prompt_over

    prompt_over(E, given.c)  # None prompts; no variables of this program are known there
    return 0


def explain(E: Value, names: dict[str, Value], given: argparse.Namespace) -> int:
    from engine.steps.explain import explain

    for name in given.wrt or ():
        if name not in names:
            known = shorten(", ".join(names), 200, placeholder=" …")
            raise UsageError(f"--wrt {name[:100]!a}: the expression's names are {known}")
    wanted = [names[name] for name in given.wrt] if given.wrt else [node for node in names.values() if node is not E]
    texts = [explain(E, node) for node in wanted or [E]]
    print("\n\n".join(text.latex() if given.latex else repr(text) for text in texts))
    return 0


def check(E: Value, names: dict[str, Value], given: argparse.Namespace) -> int:
    report = gradcheck(E)
    print(report)
    return 0 if report.ok else 1


def draw(E: Value, names: dict[str, Value], given: argparse.Namespace) -> int:
    from engine.pictures.draw import draw

    if not given.forward:
        E.backward()
    return saved(lambda: draw(E, blanks=given.blanks), given.o)


def film(E: Value, names: dict[str, Value], given: argparse.Namespace) -> int:
    from engine.pictures.film import film
    from engine.steps.stepper import Stepper

    return saved(lambda: film(Stepper(E, given.mistake)), given.o)


def saved(make: Callable[[], Drawing | Film], path: str) -> int:
    """Makes a picture and writes it to a file."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            written = make().save(path)
        except (OSError, RuntimeError, ValueError) as error:  # each a sentence
            raise UsageError(error) from None
    for warning in told:
        print(f"stepgrad: {warning.message}", file=sys.stderr)
    print(f"wrote {written}")
    return 0


def output(default: str) -> dict[str, Any]:
    return {"metavar": "FILE", "default": default, "help": f"the file to write; {default} if it is left out"}


COMMANDS = {
    "step": Command(
        step,
        "go through backprop step by step, at a prompt",
        {"-c": {"action": "append", "metavar": "COMMANDS", "help": HELP_C}},
    ),
    "explain": Command(
        explain,
        "show the chain rule for the derivative by each name",
        {
            "--wrt": {"action": "append", "metavar": "NAME", "help": "by this name only; may be given several times"},
            "--latex": {"action": "store_true", "help": "as LaTeX"},
        },
    ),
    "check": Command(
        check,
        "compare every derivative with a numeric one; the exit status is 1 if one is wrong",
        {},
    ),
    "draw": Command(
        draw,
        "draw the graph with its gradients, as .svg, .png, .pdf or .dot",
        {
            "-o": output("graph.svg"),
            "--forward": {"action": "store_true", "help": "before backprop, without gradients"},
            "--blanks": {
                "choices": ["data", "grad", "local"],
                "help": "leave these numbers out, to be filled in by hand",
            },
        },
    ),
    "film": Command(
        film,
        "write a page that shows backprop step by step",
        {
            "-o": output("backprop.html"),
            "--mistake": {
                "choices": [*MISTAKES],
                "metavar": "NAME",
                "help": f"a classic wrong pass: {', '.join(MISTAKES)}",
            },
        },
    ),
}


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def print_help(self, file: Any = None) -> None:
        print(self.format_help(), end="", file=file)  # argparse's own passes over what can't be written


def parser(name: str) -> Parser:
    """The arguments of one subcommand."""
    made = Parser(f"stepgrad {name}", description=COMMANDS[name].help, epilog=STATUSES, allow_abbrev=False)
    for flag, keywords in COMMANDS[name].options.items():
        made.add_argument(flag, **keywords)
    made.add_argument("expression", metavar="EXPRESSION", help='such as "s = w*x + b; tanh(s)"')
    made.add_argument("numbers", metavar="NAME=NUMBER", nargs="*", help="such as w=0.7, one for each name")
    return made


def arranged(arguments: Iterable[str], options: dict[str, dict[str, Any]]) -> list[str]:
    """The same arguments, options first: an expression may begin with a minus sign, which argparse takes for an option.

    >>> arranged(["-x**2", "x=3", "--wrt", "x"], COMMANDS["explain"].options)
    ['--wrt', 'x', '--', '-x**2', 'x=3']
    """
    first: list[str] = []
    others: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        flag, joined, _ = argument.partition("=")
        if argument == "--":
            others += remaining
        elif argument in ("-h", "--help"):
            first.append(argument)
        elif argument in options or (joined and flag in options and flag.startswith("--")):
            first.append(argument)
            if not joined and options[flag].get("action") != "store_true":
                for value in islice(remaining, 1):
                    if value.startswith("-") and value not in options:  # argparse would take it for an option, too
                        first[-1] += f"={value}" if flag.startswith("--") else value
                    else:
                        first.append(value)
        else:
            others.append(argument)
    return [*first, "--", *others]


def run(arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help"):
        print(USAGE.format(commands="\n".join(f"  {name:9}{row.help}" for name, row in COMMANDS.items())), end="")
        return 0
    if name == "--version":
        print(f"stepgrad {VERSION}")
        return 0
    if name not in COMMANDS:
        wrong = "a command is missing" if not arguments else f"{name[:20]!a} is no command"
        raise UsageError(f"{wrong}: write stepgrad {'|'.join(COMMANDS)} EXPRESSION NAME=NUMBER ..., or stepgrad --help")
    given = parser(name).parse_args(arranged(arguments[1:], COMMANDS[name].options))
    numbers: dict[str, float] = {}
    for argument in given.numbers:
        key, number = read_assignment(argument)
        if key in numbers:
            raise UsageError(f"two numbers are given for {key}")
        numbers[key] = number
    E, names = read_expression(given.expression, numbers)
    return COMMANDS[name].run(E, names, given)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments (those of the process, if None) and returns its exit status.

    >>> main(["check", "tanh(w*x)", "w=0.7", "x=1.4"])
    gradcheck: 5 derivatives, all ok
    0
    """
    print_whatever_the_encoding()
    if sys.stdout is None:
        return failed("the output can't be written: standard output is closed")
    try:
        try:
            status = run(sys.argv[1:] if argv is None else argv)
        except SystemExit as done:  # argparse, after --help
            status = done.code if isinstance(done.code, int) else 0
        sys.stdout.flush()
        return status
    except (UsageError, ExpressionError, DomainError) as error:
        return failed(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who reads has read enough
        silence()
        return 0
    except OSError as error:
        silence()
        return failed(f"the output can't be written: {error.strerror}")


def print_whatever_the_encoding() -> None:
    """Makes stdout and stderr print a character that their encoding doesn't have, such as ∂, as its escape: \\u2202."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # no notebook's stream, nor None, as where there is no console
            stream.reconfigure(errors="backslashreplace")


def failed(problem: object) -> int:
    if sys.stderr:
        print(f"stepgrad: {problem}", file=sys.stderr)
    return 2


def silence() -> None:
    """Sends what stdout still holds nowhere, or Python would fail once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    raise SystemExit(main())
