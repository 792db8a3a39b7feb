"""The prompt: pdb's manners over stepper.py. debug(E) steps through backprop, forward and back, and answers questions.

Here are its verbs; shell.py reads the lines that call them, names.py says what is meant by w, b and s, breaks.py where
continue stops. To add a verb is to add a method do_… with a docstring, its help. Next: expression.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import IO

from engine.calculus import replay
from engine.domain import number
from engine.nudge import check_node, gradcheck
from engine.prompt.arguments import (
    ASSIGNMENT,
    EXPRESSION,
    FILE,
    MAYBE_NODE,
    MISTAKE,
    NODE,
    NOTHING,
    PLACE,
    POSITION,
    PREDICTION,
    VERB,
    counting,
    takes,
)
from engine.prompt.breaks import Breaks
from engine.prompt.names import Names, Refused, keep_names
from engine.prompt.shell import Shell, whole_number
from engine.prompt.views import consumers, neighbours, operands, question, row, verdict, where
from engine.steps.passes import MISTAKES, RIGHT
from engine.steps.stepper import Stepper
from engine.text.names import grad_text, number_text
from engine.value import Value


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


class Debugger(Shell):
    """The prompt over one stepper; `set` puts another in its place, and keeps the first for `undo`.

    Raises TypeError and DomainError as debug() does. restore() puts the gradients back.
    """

    def __init__(self, E: Value, stdin: IO[str] | None = None, stdout: IO[str] | None = None) -> None:
        super().__init__(Names({"debug": debug}), stdin, stdout)
        self.breaks = Breaks(self.names)
        self.earlier: list[Stepper] = []  # before each `set`
        self.adopt(Stepper(E))

    def adopt(self, stepper: Stepper) -> None:
        """Makes this the stepper, and its graph the one that names and breaks are looked up in."""
        self.stepper = stepper
        self.focus: Value | None = None  # the node that up and down led to
        self.names.adopt(stepper)
        self.breaks.look_up()

    def restore(self) -> None:
        """All gradients as they were before the prompt began."""
        (self.earlier or [self.stepper])[0].restore()

    def show(self, *lines: str) -> None:
        """Where the stepper is now."""
        self.focus = None
        self.say("\n".join([self.stepper.text(self.colour), *lines]))

    # -- verbs that move

    @takes(counting("a number of steps"))
    def do_step(self, argument: str) -> None:
        """step [COUNT]: one contribution forward, or COUNT of them.

        Past the end it says so and stays there. A COUNT that is no whole number is refused.
        """
        self.stepper.step(self.count(argument))
        self.show()

    @takes(counting("a number of steps"))
    def do_back(self, argument: str) -> None:
        """back [COUNT]: one contribution back, or COUNT of them; gradients become again what they were.

        Past the start it says so and stays there. A COUNT that is no whole number is refused.
        """
        self.stepper.back(self.count(argument))
        self.show()

    @takes(counting("a number of nodes"))
    def do_next(self, argument: str) -> None:
        """next [COUNT]: one node forward, to where it has made all its contributions; or COUNT nodes.

        Past the end it says so and stays there. A COUNT that is no whole number is refused.
        """
        self.stepper.next(self.count(argument))
        self.show()

    @takes(counting("a number of nodes"))
    def do_previous(self, argument: str) -> None:
        """previous [COUNT]: one node back, to before its contributions; or COUNT nodes.

        Past the start it says so and stays there. A COUNT that is no whole number is refused.
        """
        self.stepper.previous(self.count(argument))
        self.show()

    @takes(NOTHING)
    def do_continue(self, argument: str) -> None:
        """continue: forward to the next step that a break or a watch stops at, or to the end.

        It says what stopped it, and which conditions had no answer on the way. It takes no argument.
        """
        self.show(*self.breaks.travel(+1))

    @takes(NOTHING)
    def do_reverse(self, argument: str) -> None:
        """reverse: back to the step before this one that a break or a watch stops at, or to the start.

        With `watch w` it finds the last writer of w.grad. It takes no argument.
        """
        self.show(*self.breaks.travel(-1))

    @takes(NODE)
    def do_until(self, argument: str) -> None:
        """until NODE: forward to the step that completes the gradient of NODE.

        Where that step is made already, it says which it was, and stays. A NODE that isn't in this graph is refused.
        """
        self.stepper.until(self.names.node(argument))
        self.show()

    @takes(POSITION)
    def do_goto(self, argument: str) -> None:
        """goto K: to where K steps are made, forward or back.

        Before the start or past the end it says so and stays there. A K that is no whole number is refused.
        """
        self.stepper.goto(whole_number(argument))
        self.show()

    @takes(NOTHING)
    def do_start(self, argument: str) -> None:
        """start: to the start, before the first step.

        Gradients are then those that the pass begins with. It takes no argument.
        """
        self.stepper.rewind()
        self.show()

    @takes(NOTHING)
    def do_end(self, argument: str) -> None:
        """end: to the end, past all breaks.

        Gradients are then those that the pass ends with. It takes no argument.
        """
        self.stepper.run()
        self.show()

    def count(self, argument: str) -> int:
        """How many steps or nodes are meant: 1 where none is given. Any number beyond the last step leads past it."""
        return min(whole_number(argument), len(self.stepper) + 1)

    # -- verbs that say where to stop

    @takes(PLACE)
    def do_break(self, argument: str) -> None:
        """break [NODE | op NAME | if CONDITION]: makes continue and reverse stop; alone, the list of what they stop at.

        On a node: where it begins to pass its gradient on (a leaf, which doesn't: where its gradient is complete).
        On an operation: where a node made by it does, as in `b op tanh`. On a condition: at every step where it is
        true, over contribution, partial, upstream, before, after, node, input and whatever else is known at the
        prompt: `b if abs(contribution) > 10`. A node, an operation or a name that isn't known here is refused. clear
        takes one away.
        """
        if not argument:
            return self.say(str(self.breaks))
        self.add_break(argument if re.match(r"(op|if)\b", argument) else f"node {argument}")

    @takes(NODE)
    def do_watch(self, argument: str) -> None:
        """watch NODE: makes continue and reverse stop at every step that writes the gradient of NODE.

        It is listed and numbered with the breaks. A NODE that isn't in this graph is refused.
        """
        self.add_break(f"watch {argument}")

    @takes(counting("the number of a break"))
    def do_clear(self, argument: str) -> None:
        """clear [K]: takes away the break or watch numbered K; alone, all of them.

        A number that none has is refused. Numbers are not given again.
        """
        breaks, number = self.breaks, whole_number(argument)
        if not argument:
            breaks.made.clear()
            return self.say(str(breaks))
        if number not in breaks.made:
            raise Refused(f"there is no break {argument}; b lists them")
        self.say(f"cleared {breaks.line(number)}")
        del breaks.made[number]

    def add_break(self, text: str) -> None:
        self.say(self.breaks.line(self.breaks.add(text)))

    # -- verbs that look

    @takes(NOTHING)
    def do_where(self, argument: str) -> None:
        """where: the order in which nodes pass their gradient on, around the one in hand, and what each has got so far.

        A node may pass its gradient on only when all its contributions are in. It takes no argument.
        """
        self.say(where(self.stepper))

    @takes(counting("the number of a consumer"))
    def do_up(self, argument: str) -> None:
        """up [K]: looks at the consumer of this node, or the K-th of them: contributions come from there.

        A K that no consumer has is refused; E has no consumers.
        """
        self.look(argument, consumers(self.stepper, self.looked_at()), "consumer")

    @takes(counting("the number of an operand"))
    def do_down(self, argument: str) -> None:
        """down [K]: looks at the operand of this node, or the K-th of them: contributions go there.

        A K that no operand has is refused; a leaf has no operands.
        """
        self.look(argument, operands(self.looked_at()), "operand")

    def look(self, argument: str, nodes: list[Value], kind: str) -> None:
        which, here = whole_number(argument), self.stepper.names[self.looked_at()]
        if not nodes:
            raise Refused(f"{here} has no {kind}")
        if not 0 < which <= len(nodes):
            raise Refused(f"{here} has {len(nodes)} {kind}{'s' * (len(nodes) > 1)}, not {argument}")
        self.focus = nodes[which - 1]
        self.say(neighbours(self.stepper, self.focus))

    def looked_at(self) -> Value:
        return self.stepper.hand if self.focus is None else self.focus

    # -- verbs that answer

    @takes(EXPRESSION)
    def do_p(self, argument: str) -> None:
        """p EXPRESSION: the value of a Python expression, over the nodes by name and what the latest step is made of.

        The names are those of the nodes, such as w, v1 and hidden[2].w[3], E, the engine's functions, and of the latest
        step contribution, partial, upstream, before, after, node and input. What Python raises is shown in a line.
        """
        names = self.names
        is_name = argument in names.nodes and argument not in names.variables
        self.say(repr(names.nodes[argument] if is_name else names.evaluate(argument)))

    @takes(MAYBE_NODE)
    def do_why(self, argument: str) -> None:
        """why [NODE]: the chain rule for ∂E/∂NODE, in symbols and numbers; alone, for the node in hand.

        A NODE that isn't in this graph is refused.
        """
        from engine.steps.explain import explain

        node = self.names.node(argument) if argument else self.looked_at()
        self.say(str(explain(self.stepper.E, node)))

    @takes(MAYBE_NODE)
    def do_check(self, argument: str) -> None:
        """check [NODE]: ∂E/∂NODE beside a numeric derivative, and "kink" where one is; alone, all of the graph.

        It says so where NODE.grad is another number at this step. A NODE that isn't in this graph is refused.
        """
        stepper = self.stepper
        if not argument:
            return self.say(repr(gradcheck(stepper.E)))
        node = self.names.node(argument)
        check = check_node(stepper.E, node)
        self.say(repr(check))
        if node.grad is None or abs(node.grad - check.engine) > 1e-12 * abs(check.engine):
            mistake = "" if stepper.way is RIGHT else f", mistake {stepper.way.name!r}"
            arrived = row(stepper, node)[2].replace(" in", " contributions in")
            self.say(f"but {stepper.names[node]}.grad is {grad_text(node.grad)} here, {arrived}{mistake}")

    @takes(FILE)
    def do_draw(self, argument: str) -> None:
        """draw [FILE]: the graph at this step as a picture, in graph.svg or another .svg, .png, .pdf or .dot file.

        Another kind of file is refused, and one that can't be written.
        """
        from engine.pictures.draw import draw

        self.say(f"wrote {draw(self.stepper).save(argument or 'graph.svg')}")

    @takes(FILE)
    def do_film(self, argument: str) -> None:
        """film [FILE]: this backward pass, from its start to its end, as a page to step through: backprop.html.

        A file that isn't .html is refused, and one that can't be written.
        """
        from engine.pictures.film import film

        self.say(f"wrote {film(self.stepper).save(argument or 'backprop.html')}")

    # -- verbs that try something

    @takes(ASSIGNMENT)
    def do_set(self, argument: str) -> None:
        """set NODE = NUMBER: what if? A copy of the graph with this number, stepped from the start; undo leaves it.

        The graph itself is untouched. A node in the middle becomes a leaf of the copy. A NODE that isn't in this graph
        is refused, and a NUMBER that isn't real or at which the graph has no value; nothing has changed then.
        """
        name, _, expression = (part.strip() for part in argument.partition("="))
        if not (name and expression):
            raise Refused(f"set takes NODE = NUMBER; {argument!r} isn't that")
        node, old = self.names.node(name), self.stepper
        E = replay(old.E, {node: number(self.names.evaluate(expression))})
        keep_names(old, E, node)
        new = Stepper(E, None if old.way is RIGHT else old.way.name)
        self.earlier.append(old)
        self.adopt(new)
        root = old.names[old.E]
        self.show(f"what if: {root} was {number_text(old.E.data)} and is {number_text(E.data)}; undo goes back")

    @takes(NOTHING)
    def do_undo(self, argument: str) -> None:
        """undo: back to the graph before the last set, and to the step where it was left.

        It is refused where no set is left to undo. It takes no argument.
        """
        if not self.earlier:
            raise Refused("there is nothing to undo: no node was set")
        self.adopt(self.earlier.pop())
        self.show()

    @takes(MISTAKE)
    def do_mistake(self, argument: str) -> None:
        """mistake [NAME | off]: starts over with a classic wrong backward pass, to be watched; alone, their list.

        off starts over with the right pass. A NAME that isn't in the list is refused.
        """
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

    @takes(PREDICTION)
    def do_predict(self, argument: str) -> None:
        """predict [NUMBER]: asks for the next contribution, then shows it and says whether you were right.

        The next line is the answer, a number or an expression; an empty one just shows it. What isn't a real number is
        refused, and the question stays; at the end there is nothing to predict. Three digits are enough to be right.
        """
        if self.stepper.position == len(self.stepper):
            raise Refused("this is the end: there is no contribution to predict")
        if argument:
            return self.compare(argument)
        self.say(question(self.stepper, self.stepper.steps[self.stepper.position]))
        self.ask("(predict) ", self.compare)

    def compare(self, text: str) -> None:
        """Takes the next step, and says how a prediction compares with it; an empty one isn't compared."""
        step = self.stepper.steps[self.stepper.position]
        judged = []
        if text:
            given = self.names.evaluate(text)
            judged = [verdict(number(given.data if type(given) is Value else given), step)]
        self.ask_nothing()
        self.stepper.step()
        self.show(*judged)

    # -- help, and the end

    @takes(VERB)
    def do_help(self, argument: str) -> None:
        """help [VERB]: what a verb does; alone, the list of verbs.

        A verb's letter will do, as in `help n`. What is no verb is refused.
        """
        self.say(self.help_of(argument) if argument else self.list_of_verbs())

    @takes(NOTHING)
    def do_quit(self, argument: str) -> bool:
        """quit: leaves. So do Ctrl-D and the end of a list of commands; gradients are then as they were before.

        It takes no argument.
        """
        return True

    do_s, do_sb, do_n, do_nb, do_c, do_cb = do_step, do_back, do_next, do_previous, do_continue, do_reverse
    do_b, do_w, do_u, do_d, do_h = do_break, do_where, do_up, do_down, do_help
    do_q = do_exit = do_quit

    def completedefault(self, text: str, line: str, begidx: int, endidx: int) -> list[str]:
        """What may go on in a line: a mistake, an operation, a node, an attribute of a node, another name."""
        words = line[:begidx].split()
        if words == ["mistake"]:
            return [name for name in [*MISTAKES, "off"] if name.startswith(text)]
        if words in (["b", "op"], ["break", "op"]):
            return sorted({node.op for node in self.stepper.order if node.op and node.op.startswith(text)})
        return self.names.completions(text)
