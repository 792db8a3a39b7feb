"""The prompt: pdb's manners over stepper.py. debug(E) steps through backprop, forward and back, and answers questions.

Here its verbs come together: moving.py, stopping.py, looking.py and trying.py have them; shell.py reads the lines that
call them, verbs.py has their letters, names.py says what is meant by w, b and s. To add a verb is to add a method do_…
with a docstring, its help. Next: expression.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any

from engine.order import check_root
from engine.prompt.arguments import NOTHING, VERB, takes
from engine.prompt.breaks import operations
from engine.prompt.looking import Looking
from engine.prompt.names import variables_of
from engine.prompt.trying import Trying
from engine.steps.passes import MISTAKES
from engine.steps.stepper import Stepper
from engine.value import Value


def debug(
    graph: Value | Stepper,
    commands: Iterable[str] | None = None,
    *,
    stdin: IO[str] | None = None,
    stdout: IO[str] | None = None,
) -> None:
    """The prompt, paused before the first step of backprop over E; or a run of commands: a list, a file or a text.

    A Stepper is taken as it stands, a wrong pass too. The variables of the program that calls it are known, as in pdb;
    a Value without a label is shown by the name of its variable. In the end all gradients are as they were before.
    Raises TypeError for what isn't a Value or a command that isn't a str, DomainError where backward() does; nothing
    that is typed raises.

    >>> from engine import Value
    >>> x, w = Value(1.4), Value(0.7)
    >>> debug(x * w, commands="until w; p w.grad")
    step 0 of 3   before the first step
      · E.grad = ∂E/∂E = 1   None → 1
    (grad) until w
    step 3 of 3   E = x * w   ∂E/∂E = 1   1 of 1 contributions in
        ∂E/∂x = w = 0.7
        x.grad += ∂E/∂E · ∂E/∂x = 1 · 0.7 = 0.7   None → 0.7
        ∂E/∂w = x = 1.4
      → w.grad += ∂E/∂E · ∂E/∂w = 1 · 1.4 = 1.4   None → 1.4
    (grad) p w.grad
    1.4
    """
    prompt_over(graph, commands, stdin, stdout, variables_of(sys._getframe(1)))


def prompt_over(
    graph: Value | Stepper,
    commands: Iterable[str] | None = None,
    stdin: IO[str] | None = None,
    stdout: IO[str] | None = None,
    caller: Mapping[str, Any] | None = None,
) -> None:
    """debug(), with the variables that are given, and no others."""
    if not isinstance(graph, Stepper):
        check_root(graph, "debug", ", or a Stepper")
    prompt = Debugger(graph, stdin, stdout, caller)
    try:
        if commands is None:
            prompt.say(f"{len(prompt.stepper.order)} nodes; help lists the verbs, q leaves")
        prompt.show()
        if commands is None:
            prompt.cmdloop()
        else:
            prompt.run(commands)
            prompt.ask_nothing()
    finally:
        prompt.restore()


class Debugger(Trying, Looking):
    """The prompt, with all its verbs."""

    about = "Besides"

    @takes(VERB)
    def do_help(self, argument: str) -> None:
        """help [VERB]: what a verb does; alone, the list of verbs.

        A verb's letter will do, as in `help n`. What is no verb is refused.
        """
        self.say(self.help_of(argument) if argument else self.list_of_verbs())

    @takes(NOTHING)
    def do_quit(self, argument: str) -> bool:
        """quit: leaves; gradients are then as they were before.

        So do Ctrl-D and the end of a list of commands. It takes no argument.
        """
        return True

    def completedefault(self, text: str, line: str, begidx: int, endidx: int) -> list[str]:
        """What may go on in a line: a mistake, an operation, a node, an attribute of a node, another name."""
        words = line[:begidx].split()
        if words in (["h"], ["help"]):
            return self.verbs_beginning(text)
        if words == ["mistake"]:
            return [name for name in [*MISTAKES, "off"] if name.startswith(text)]
        if words in (["b", "op"], ["break", "op"], ["tbreak", "op"]):
            return sorted(name for name in operations(self.stepper) if name.startswith(text))
        found = self.names.completions(text)
        if words and self.verb(words[0]) in (self.do_jump, self.do_start):
            found += [name for name in self.checkpoints if name.startswith(text)]
        return found
