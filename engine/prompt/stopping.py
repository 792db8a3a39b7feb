"""Verbs that go to where a break or a watch stops, and those that make, limit and take away these.

breaks.py knows what they mean. Next: looking.py.
"""

from __future__ import annotations

from functools import cached_property

from engine.prompt.arguments import COUNT, LIMIT, NOTHING, NUMBERS, PLACE, WATCHED, counting, takes
from engine.prompt.breaks import Breaks, place_and_condition
from engine.prompt.names import Refused
from engine.prompt.session import Session
from engine.prompt.shell import split, whole_number
from engine.text.names import counted, shown


class Stopping(Session):
    """The verbs that stop somewhere, and the breaks."""

    about = "Stopping"

    @cached_property
    def breaks(self) -> Breaks:
        """The breaks and watches."""
        return Breaks(self.names)

    @takes(NOTHING)
    def do_continue(self, argument: str) -> None:
        """continue: forward to the next step that a break or a watch stops at.

        That is the end where none does. It says what stopped it, and which conditions had no answer on the way. It
        takes no argument.
        """
        self.travel(+1)

    @takes(NOTHING)
    def do_reverse(self, argument: str) -> None:
        """reverse: back to the step before this one that a break stops at.

        That is the start where none does. With `watch w` it finds the last writer of w.grad. It takes no argument.
        """
        self.travel(-1)

    def travel(self, direction: int) -> None:
        """Goes to the next stop, shows it, and puts the commands of the break in line."""
        here = self.stepper.position
        said, stopped = self.breaks.travel(direction)
        commands = [command for each in stopped for command in each.commands]
        self.pending[:] = [command for command in commands if command != "silent"]
        if "silent" not in commands:
            self.show_move(here, *said)

    @takes(PLACE)
    def do_break(self, argument: str) -> None:
        """break [NODE | op NAME] [if CONDITION]: continue and reverse stop there.

        Alone, the list of breaks. On a node: where it begins to pass its gradient on (a leaf, which doesn't: where its
        gradient is complete). On an operation: where a node made by it does, as in `b op tanh`, or `b tanh` where no
        node has that name. With a condition, only where it is true; `b if CONDITION` at every step where it is. A
        condition is over contribution, partial, upstream, before, after, node, input, number, position and whatever
        else is known at the prompt: `b s if s.grad > 1`. A node, an operation or a name that isn't known here is
        refused. clear takes one away.
        """
        if not argument:
            return self.say(str(self.breaks))
        self.add_break(*place_and_condition(argument, self.names))

    @takes(PLACE._replace(optional=False))
    def do_tbreak(self, argument: str) -> None:
        """tbreak NODE | op NAME [if CONDITION]: a break that stops once.

        It is gone after that. What break refuses is refused.
        """
        self.add_break(*place_and_condition(argument, self.names), once=True)

    @takes(WATCHED)
    def do_watch(self, argument: str) -> None:
        """watch NODE [if CONDITION]: they stop where NODE.grad changes, too.

        That is every step that writes it; `watch w.grad` is the same. It is listed and numbered with the breaks. A NODE
        that isn't in this graph is refused, and its data, which no step changes.
        """
        place, condition = place_and_condition(argument, self.names)
        kind, _, name = place.partition(" ")
        if kind != "node":
            raise Refused(f"watch takes a node: its name, or an expression; {argument!r} isn't that")
        if name not in self.names.nodes:
            if name.endswith(".data"):
                raise Refused(f"no step changes {shown(name)}: a pass writes gradients, which watch NODE stops at")
            name = name.removesuffix(".grad")
        self.add_break(f"watch {name}", condition)

    def add_break(self, place: str, condition: str = "", once: bool = False) -> None:
        number = self.breaks.add(place, condition, once)
        self.say(f"{self.breaks.line(number)}{self.breaks[number].manners()}")

    @takes(NUMBERS)
    def do_clear(self, argument: str) -> None:
        """clear [K]: takes away the break or watch numbered K; alone, all of them.

        Several numbers may be given; one that none has is refused. Numbers are not given again.
        """
        if not argument:
            self.breaks.made.clear()
            return self.say(str(self.breaks))
        for number in self.numbers(argument):
            self.say(f"cleared {self.breaks.line(number)}")
            del self.breaks.made[number]

    @takes(NUMBERS)
    def do_disable(self, argument: str) -> None:
        """disable [K]: break K no longer stops, until enable; alone, none does.

        Several numbers may be given; one that none has is refused.
        """
        self.switch(argument, enabled=False)

    @takes(NUMBERS)
    def do_enable(self, argument: str) -> None:
        """enable [K]: break K stops again; alone, all of them.

        Several numbers may be given; one that none has is refused.
        """
        self.switch(argument, enabled=True)

    def switch(self, argument: str, enabled: bool) -> None:
        for number in self.numbers(argument):
            self.breaks[number].enabled = enabled
        self.say(str(self.breaks))

    @takes(COUNT)
    def do_ignore(self, argument: str) -> None:
        """ignore K COUNT: break K is passed by the next COUNT times.

        A number that no break has is refused.
        """
        number, times = map(whole_number, argument.split())
        self.breaks[number].ignored = times
        self.say(f"{self.breaks.line(number)} is passed by the next {counted(times, 'time')}")

    @takes(LIMIT)
    def do_condition(self, argument: str) -> None:
        """condition K [CONDITION]: break K stops only where this is true.

        Without one it always stops, as before. A number that no break has is refused, and a name not known here.
        """
        number, _, condition = argument.partition(" ")
        self.breaks.limit(whole_number(number), condition.strip())
        self.say(self.breaks.line(whole_number(number)))

    @takes(counting("the number of a break"))
    def do_commands(self, argument: str) -> None:
        """commands [K]: the lines that follow, up to `end`, run where break K stops.

        Without a number, the latest break. `silent` among them shows nothing else; continue among them goes on, and
        what follows it is left out. No line takes them away again. A number that none has is refused.
        """
        if not self.breaks.made:
            raise Refused("there are no breaks")
        number = whole_number(argument) if argument else max(self.breaks.made)
        made, lines = self.breaks[number], list[str]()

        def take(line: str) -> None:
            for command in split(line):
                if command == "end":
                    made.commands = lines
                    self.ask_nothing()
                    return self.say(f"{self.breaks.line(number)}{made.manners()}")
                lines.append(command)

        self.ask("(com) ", take, takes_verbs=True)

    def numbers(self, argument: str) -> list[int]:
        """The numbers given, each once, or all. Raises Refused for one that no break has."""
        numbers = list(dict.fromkeys(map(whole_number, argument.split()))) or list(self.breaks.made)
        for number in numbers:
            self.breaks[number]
        return numbers
