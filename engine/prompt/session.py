"""What the verbs of a prompt share: the stepper, the node looked at, what is displayed at every stop.

moving.py, stopping.py, looking.py and trying.py are the families of verbs; debug.py puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from engine.prompt.displays import Displays
from engine.prompt.names import Names
from engine.prompt.shell import Shell, whole_number
from engine.steps.stepper import Stepper
from engine.value import Value


class Session(Shell):
    """A prompt over one stepper; `set` puts another in its place, and keeps the first for `undo`.

    Raises TypeError and DomainError as debug() does. restore() puts the gradients back.
    """

    def __init__(
        self,
        graph: Value | Stepper,
        stdin: IO[str] | None = None,
        stdout: IO[str] | None = None,
        caller: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(Names(caller), stdin, stdout)
        self.displays = Displays(self.names)
        self.earlier: list[Stepper] = []  # before each `set`
        self.ahead = True  # whether contributions still to come are shown
        self.adopt(graph if isinstance(graph, Stepper) else Stepper(graph))

    def adopt(self, stepper: Stepper) -> None:
        """Makes this the stepper, and its graph the one that names are looked up in."""
        self.stepper = stepper
        self.focus: Value | None = None  # the node that up and down led to
        self.names.adopt(stepper)

    def restore(self) -> None:
        """All gradients as they were before the prompt began."""
        (self.earlier or [self.stepper])[0].restore()

    def show(self, *lines: str) -> None:
        """Where the stepper is now, with what is displayed."""
        self.focus = None
        self.say("\n".join([self.stepper.text(self.colour, self.ahead), *self.displays.lines(), *lines]))

    def show_move(self, before: int, *lines: str) -> None:
        """The same after a move; where it led nowhere, only why."""
        notes = self.stepper.notes
        if before == self.stepper.position and notes:
            return self.say("\n".join([*(f"note: {note}" for note in notes), *lines]))
        self.show(*lines)

    def looked_at(self) -> Value:
        """The node that up and down led to, or the one in hand."""
        return self.stepper.hand if self.focus is None else self.focus

    def node_or_hand(self, argument: str) -> Value:
        """The node of this name, or looked at where none is given."""
        return self.names.node(argument) if argument else self.looked_at()

    def count(self, argument: str) -> int:
        """How many steps or nodes are meant: 1 where none is given. Any number beyond the last step leads past it."""
        return min(whole_number(argument), len(self.stepper) + 1)
