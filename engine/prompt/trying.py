"""Verbs that try something: another number, a wrong pass, a guess. Next: debug.py."""

from __future__ import annotations

from engine.calculus import replay
from engine.domain import number
from engine.prompt.arguments import ASSIGNMENT, MISTAKE, NOTHING, PREDICTION, takes
from engine.prompt.names import Refused, keep_names, the_one
from engine.prompt.quiz import Quiz, question, verdict
from engine.prompt.session import Session
from engine.steps.compare import rounds_to
from engine.steps.passes import MISTAKES, RIGHT
from engine.steps.stepper import Stepper
from engine.text.names import number_text, shown
from engine.value import Value


class Trying(Session):
    """The verbs that try something, and the score of predict."""

    about = "Trying"

    quiz: Quiz | None = None  # while predict asks

    @takes(ASSIGNMENT)
    def do_set(self, argument: str) -> None:
        """set NODE = NUMBER: what if? A copy of the graph with this number.

        It is stepped from the start; undo leaves it. The graph itself is untouched. A node in the middle becomes a leaf
        of the copy. A NODE that isn't in this graph is refused, and a NUMBER that isn't real or at which the graph has
        no value; nothing has changed then.
        """
        name, _, expression = (part.strip() for part in argument.partition("="))
        if not (name and expression):
            raise Refused(f"set takes NODE = NUMBER; {argument!r} isn't that")
        node, old = self.names.node(name), self.stepper
        E = replay(old.E, {node: number(self.names.value(expression))})
        keep_names(old, E, node)
        new = Stepper(E, None if old.way is RIGHT else old.way.name)
        self.earlier.append(old)
        self.adopt(new)
        root = old.names[old.E]
        self.show(f"what if: {root} was {number_text(old.E.data)} and is {number_text(E.data)}; undo goes back")

    @takes(NOTHING)
    def do_undo(self, argument: str) -> None:
        """undo: back to the graph before the last set, where it was left.

        It is refused where no set is left to undo. It takes no argument.
        """
        if not self.earlier:
            raise Refused("there is nothing to undo: no node was set")
        self.adopt(self.earlier.pop())
        self.show()

    @takes(MISTAKE)
    def do_mistake(self, argument: str) -> None:
        """mistake [NAME | off]: starts over with a classic wrong backward pass.

        Alone, their list. off starts over with the right pass. A NAME that isn't in the list is refused.
        """
        if not argument:
            width = max(map(len, MISTAKES))
            return self.say("\n".join(f"{name:<{width}}   {each.says}" for name, each in MISTAKES.items()))
        name = the_one(argument, [*MISTAKES, "off"])
        if name is None:
            raise Refused(f"there is no mistake {shown(argument)!r}; there are {', '.join(MISTAKES)}, and off")
        E, position, now = self.stepper.E, self.stepper.position, self.stepper.way
        self.stepper.restore()
        try:
            self.adopt(Stepper(E, None if name == "off" else name))
        except ArithmeticError:
            self.adopt(Stepper(E, None if now is RIGHT else now.name).goto(position))
            raise
        self.show()

    @takes(PREDICTION)
    def do_predict(self, argument: str) -> None:
        """predict [NUMBER]: asks for each contribution before it is shown.

        The next lines are answers, numbers or expressions, up to the end or to a verb; then comes the score. An empty
        one just shows it. What isn't a real number is refused, and the question stays. Three digits are enough to be
        right; another number is told by the mistake that makes it. With a NUMBER, it is the answer to one question. At
        the end there is nothing to predict.
        """
        if self.stepper.position == len(self.stepper):
            raise Refused("this is the end: there is no contribution to predict")
        if argument:
            given, step = self.prediction(argument), self.stepper.steps[self.stepper.position]
            self.stepper.step()
            return self.show(verdict(given, step))
        self.quiz, self.ahead = Quiz(), False
        self.ask_next()

    def ask_next(self) -> None:
        """The next question of predict."""
        self.say(question(self.stepper, self.stepper.steps[self.stepper.position]))
        self.ask("(predict) ", self.compare)

    def compare(self, text: str) -> None:
        """Takes an answer, shows the step and what is to be said of it, and asks for the next; "" is no answer."""
        assert self.quiz
        step = self.stepper.steps[self.stepper.position]
        given = self.prediction(text) if text else None
        self.quiz.count(None if given is None else rounds_to(step.contribution, given))
        self.stepper.step()
        self.show(*([] if given is None else [verdict(given, step)]))
        if self.stepper.position == len(self.stepper):
            self.ask_nothing()
        else:
            self.ask_next()

    def prediction(self, text: str) -> float:
        """The number that an answer means. Raises what Python raises, and TypeError for what isn't a number."""
        given = self.names.value(text)
        return number(given.data if type(given) is Value else given)

    def ask_nothing(self) -> None:
        """Drops the question; those of predict end with the score."""
        quiz, self.quiz, self.ahead = self.quiz, None, True
        super().ask_nothing()
        if quiz and quiz.asked:
            self.say(quiz.score())
