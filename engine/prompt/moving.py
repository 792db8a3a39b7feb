"""Verbs that move, by steps and by nodes, to a place or to a checkpoint. Next: stopping.py."""

from __future__ import annotations

from functools import cached_property

from engine.prompt.arguments import MAYBE_NODE, NODE, NOTHING, POSITION, WORD, counting, takes
from engine.prompt.names import Refused, the_one
from engine.prompt.session import Session
from engine.prompt.shell import whole_number
from engine.text.names import listed

HERE = "here"  # the name of a checkpoint that is given none


class Moving(Session):
    """The verbs that move, and the checkpoints: positions by name."""

    about = "Moving"

    @cached_property
    def checkpoints(self) -> dict[str, int]:
        """Positions by name."""
        return {}

    @takes(counting("a number of steps"))
    def do_step(self, argument: str) -> None:
        """step [COUNT]: one contribution forward, or COUNT of them.

        Past the end it says so and stays there. A COUNT that is no whole number is refused.
        """
        here = self.stepper.position
        self.stepper.step(self.count(argument))
        self.show_move(here)

    @takes(counting("a number of steps"))
    def do_back(self, argument: str) -> None:
        """back [COUNT]: one contribution back, or COUNT of them.

        Gradients become again what they were. Past the start it says so and stays there. A COUNT that is no whole
        number is refused.
        """
        here = self.stepper.position
        self.stepper.back(self.count(argument))
        self.show_move(here)

    @takes(counting("a number of nodes"))
    def do_next(self, argument: str) -> None:
        """next [COUNT]: one node forward, to where it has made all contributions.

        With a COUNT as many nodes. Past the end it says so and stays there. A COUNT that is no whole number is refused.
        """
        here = self.stepper.position
        self.stepper.next(self.count(argument))
        self.show_move(here)

    @takes(counting("a number of nodes"))
    def do_previous(self, argument: str) -> None:
        """previous [COUNT]: one node back, to before its contributions.

        With a COUNT as many nodes. Past the start it says so and stays there. A COUNT that is no whole number is
        refused.
        """
        here = self.stepper.position
        self.stepper.previous(self.count(argument))
        self.show_move(here)

    @takes(NOTHING)
    def do_finish(self, argument: str) -> None:
        """finish: to where the node in hand has made all its contributions.

        Where it has, it says so and stays; next goes on. It takes no argument.
        """
        stepper = self.stepper
        nodes, here = stepper.record.nodes, stepper.position
        place = max(here, 1)
        while place < len(nodes) and nodes[place] is stepper.hand:
            place += 1
        if place == here:
            stepper.notes = [f"{stepper.names[stepper.hand]} has made all its contributions; next goes on"]
        else:
            stepper.goto(place)
        self.show_move(here)

    @takes(NODE)
    def do_until(self, argument: str) -> None:
        """until NODE: to the step that completes the gradient of NODE.

        That is forward, or back where it is complete already. A NODE that isn't in this graph is refused.
        """
        here = self.stepper.position
        self.stepper.until(self.names.node(argument))
        self.show_move(here)

    @takes(MAYBE_NODE)
    def do_who(self, argument: str) -> None:
        """who [NODE]: back to the step that last changed the gradient of NODE.

        Without a NODE, of the one in hand. It says how to come back; where no step has written it yet, it stays. A NODE
        that isn't in this graph is refused.
        """
        stepper, here = self.stepper, self.stepper.position
        node = self.node_or_hand(argument.removesuffix(".grad") if argument not in self.names.nodes else argument)
        writer, gradient = stepper.last_writer(node), f"{stepper.names[node]}.grad"
        if writer is None:
            return self.say(f"no step so far has changed {gradient}")
        if writer.number == here:
            return self.say(f"{gradient} was changed by step {here}, the one just made")
        stepper.goto(writer.number)
        self.show(f"{gradient} was last changed here; jump {here} goes back to where you were")

    @takes(POSITION)
    def do_jump(self, argument: str) -> None:
        """jump K: to where K steps are made, or to a checkpoint by its name.

        All steps on the way are made, or taken back, so gradients are those of that place. Before the start or past the
        end it says so and stays there. What is no whole number and no checkpoint is refused.
        """
        here = self.stepper.position
        number = argument.removeprefix("-")
        self.stepper.goto(whole_number(argument) if number.isdecimal() else self.checkpoint(argument))
        self.show_move(here)

    @takes(WORD)
    def do_checkpoint(self, argument: str) -> None:
        """checkpoint [NAME]: remembers this place; jump NAME goes there.

        restart NAME does, too. The name is `here` where none is given. info checkpoints lists them.
        """
        name, place = argument or HERE, self.stepper.position
        if name.isdecimal():
            raise Refused(f"a checkpoint's name begins with a letter, or jump {name} would mean step {name}")
        self.checkpoints[name] = place
        self.say(f"checkpoint {name}: step {place}")

    @takes(WORD)
    def do_start(self, argument: str) -> None:
        """start [NAME]: to the start, or to a checkpoint.

        At the start gradients are those that the pass begins with. A NAME that no checkpoint has is refused.
        """
        self.stepper.goto(self.checkpoint(argument) if argument else 0)
        self.show()

    @takes(NOTHING)
    def do_end(self, argument: str) -> None:
        """end: to the end, past all breaks.

        Gradients are then those that the pass ends with. It takes no argument.
        """
        self.stepper.run()
        self.show()

    @takes(NOTHING)
    def do_run(self, argument: str) -> None:
        """run: to the end, as Stepper.run() goes; restart goes to the start.

        It is the same as end, and stops at no break. It takes no argument.
        """
        self.stepper.run()
        self.show("run goes to the end, past all breaks; restart goes to the start")

    def checkpoint(self, name: str) -> int:
        """The position of a checkpoint. Raises Refused for a name that none has."""
        found = the_one(name, self.checkpoints)
        if found is None:
            known = f"there are {listed(list(self.checkpoints))}" if self.checkpoints else "checkpoint NAME makes one"
            raise Refused(f"there is no checkpoint {name!r}; {known}")
        return self.checkpoints[found]
