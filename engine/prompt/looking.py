"""Verbs that look at the graph and at this moment of the pass, and that answer questions; nothing is changed.

views.py writes what they say. Next: trying.py.
"""

from __future__ import annotations

from pprint import pformat

from engine.nudge import check_node, gradcheck
from engine.prompt.arguments import (
    EXPRESSION,
    FILE,
    MAYBE_EXPRESSION,
    MAYBE_NODE,
    NOTHING,
    NUMBERS,
    WORD,
    counting,
    takes,
)
from engine.prompt.moving import Moving
from engine.prompt.names import Refused, the_one
from engine.prompt.shell import whole_number
from engine.prompt.stopping import Stopping
from engine.prompt.views import around, code, computation, consumers, neighbours, operands, row, where, with_partials
from engine.steps.passes import RIGHT
from engine.text.names import counted, grad_text, listed, shown
from engine.value import Value


class Looking(Stopping, Moving):
    """The verbs that look and answer."""

    about = "Looking"

    @takes(NOTHING)
    def do_where(self, argument: str) -> None:
        """where: the order in which nodes pass their gradient on, around this one.

        With what each has got so far: a node may pass its gradient on only when all its contributions are in. It takes
        no argument.
        """
        self.say(where(self.stepper))

    @takes(NOTHING)
    def do_list(self, argument: str) -> None:
        """list: the graph around the node in hand, consumers above, operands below.

        After up and down, around the node that they led to. It takes no argument.
        """
        self.say(around(self.stepper, self.looked_at()))

    @takes(NOTHING)
    def do_longlist(self, argument: str) -> None:
        """longlist: the code of the pass, with the line that this step is.

        It is that of Value.backward(), which the steps are those of. It takes no argument.
        """
        self.say(code(self.stepper))

    @takes(NOTHING)
    def do_args(self, argument: str) -> None:
        """args: the operands of the node in hand, and its local derivatives.

        After up and down, those of the node that they led to. It takes no argument.
        """
        self.say(self.operands_told())

    def operands_told(self) -> str:
        node = self.looked_at()
        return with_partials(self.stepper, node) or f"{self.stepper.names[node]} is a leaf, without operands"

    @takes(counting("the number of a consumer"))
    def do_up(self, argument: str) -> None:
        """up [K]: looks at the consumer of this node, or the K-th of them.

        Contributions come from there. A K that no consumer has is refused; E has no consumers.
        """
        self.look(argument, consumers(self.stepper, self.looked_at()), "consumer")

    @takes(counting("the number of an operand"))
    def do_down(self, argument: str) -> None:
        """down [K]: looks at the operand of this node, or the K-th of them.

        Contributions go there. A K that no operand has is refused; a leaf has no operands.
        """
        self.look(argument, operands(self.looked_at()), "operand")

    def look(self, argument: str, nodes: list[Value], kind: str) -> None:
        which, here = whole_number(argument), self.stepper.names[self.looked_at()]
        if not nodes:
            raise Refused(f"{here} has no {kind}")
        if not 0 < which <= len(nodes):
            raise Refused(f"{here} has {counted(len(nodes), kind)}, not {argument}")
        self.focus = nodes[which - 1]
        self.say(neighbours(self.stepper, self.focus))

    @takes(EXPRESSION)
    def do_p(self, argument: str) -> None:
        """p EXPRESSION: the value of a Python expression, over the nodes by name.

        The names are those of the nodes, such as w, v1 and hidden[2].w[3], E, the engine's functions, the variables of
        the program that called debug(E), position, and of the latest step contribution, partial, upstream, before,
        after, node, input and number. What Python raises is shown in a line.
        """
        self.say(repr(self.names.value(argument)))

    @takes(EXPRESSION)
    def do_pp(self, argument: str) -> None:
        """pp EXPRESSION: the same, in lines where it is long.

        What Python raises is shown in a line.
        """
        self.say(pformat(self.names.value(argument), width=79))

    @takes(EXPRESSION)
    def do_whatis(self, argument: str) -> None:
        """whatis EXPRESSION: what kind of thing it is; of a node, how it was made.

        What Python raises is shown in a line.
        """
        value, names = self.names.value(argument), self.stepper.names
        if type(value) is not Value or value not in names:
            return self.say(type(value).__name__)
        made = f"made by {value.op}: {computation(self.stepper, value)}" if value.rule else "a leaf"
        self.say(f"Value {names[value]}, {made}")

    @takes(MAYBE_EXPRESSION)
    def do_display(self, argument: str) -> None:
        """display [EXPRESSION]: shows it now, and wherever the prompt stops.

        Alone, all that are displayed. undisplay takes one away.
        """
        if argument:
            self.names.value(argument)  # what has no value here is refused
            return self.say(self.displays.line(self.displays.add(argument)))
        self.say(str(self.displays))

    @takes(NUMBERS)
    def do_undisplay(self, argument: str) -> None:
        """undisplay [K]: no longer shows display K; alone, none of them.

        A number that none has is refused.
        """
        self.displays.remove([whole_number(number) for number in argument.split()])
        self.do_display("")

    @takes(WORD)
    def do_info(self, argument: str) -> None:
        """info [b | display | checkpoints | args | locals]: what there is.

        Alone, the first three. What is none of these is refused.
        """
        told = self.information()
        if not argument:
            return self.say("\n".join(list(told.values())[:3]))
        word = the_one(argument, told)
        if word is None:
            raise Refused(f"info tells of {', '.join(told)}; {argument!r} is none of them")
        self.say(told[word])

    def information(self) -> dict[str, str]:
        """What info tells, by what it may be asked for."""
        checkpoints = [f"checkpoint {name}: step {place}" for name, place in self.checkpoints.items()]
        nodes = listed(list(reversed(self.stepper.names.values())), most=12)
        made = listed([shown(name) for name in self.names.variables]) or "none"
        return {
            "breakpoints": str(self.breaks),
            "displays": str(self.displays),
            "checkpoints": "\n".join(checkpoints) or "there are no checkpoints",
            "watchpoints": str(self.breaks),
            "args": self.operands_told(),
            "locals": f"nodes: {nodes}\nnames made here: {made}",
        }

    @takes(MAYBE_NODE)
    def do_why(self, argument: str) -> None:
        """why [NODE]: the chain rule for ∂E/∂NODE, in symbols and numbers.

        Without a NODE, for the one in hand. A NODE that isn't in this graph is refused.
        """
        from engine.steps.explain import explain

        explanation = explain(self.stepper.E, self.node_or_hand(argument))
        explanation.names |= self.stepper.names
        self.say(str(explanation))

    @takes(MAYBE_NODE)
    def do_check(self, argument: str) -> None:
        """check [NODE]: ∂E/∂NODE beside a numeric derivative; alone, all of them.

        It says "kink" where one is, and where NODE.grad is another number at this step. A NODE that isn't in this graph
        is refused.
        """
        stepper = self.stepper
        if not argument:
            return self.say(repr(gradcheck(stepper.E, stepper.names)))
        node = self.names.node(argument)
        check = check_node(stepper.E, node, stepper.names)
        self.say(repr(check))
        if node.grad is None or abs(node.grad - check.engine) > 1e-12 * abs(check.engine):
            mistake = "" if stepper.way is RIGHT else f", mistake {stepper.way.name!r}"
            arrived = row(stepper, node)[2].replace(" in", " contributions in")
            self.say(f"but {stepper.names[node]}.grad is {grad_text(node.grad)} here, {arrived}{mistake}")

    @takes(FILE)
    def do_draw(self, argument: str) -> None:
        """draw [FILE]: the graph at this step as a picture, graph.svg.

        Or in another .svg, .png, .pdf or .dot file. Another kind of file is refused, and one that can't be written.
        """
        from engine.pictures.draw import draw

        self.say(f"wrote {draw(self.stepper).save(argument or 'graph.svg')}")

    @takes(FILE)
    def do_film(self, argument: str) -> None:
        """film [FILE]: this pass as a page to step through, backprop.html.

        From its start to its end. A file that isn't .html is refused, and one that can't be written.
        """
        from engine.pictures.film import film

        self.say(f"wrote {film(self.stepper).save(argument or 'backprop.html')}")
