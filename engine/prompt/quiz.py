"""predict's questions, what is said of an answer, and the score. Next: session.py."""

from __future__ import annotations

from engine.prompt.views import computation
from engine.steps.compare import rounds_to
from engine.steps.passes import MISTAKES, Pass
from engine.steps.step import Step
from engine.steps.stepper import Stepper
from engine.text.names import number_text, quotient


class Quiz:
    """How many contributions were asked for, answered and told right."""

    def __init__(self) -> None:
        self.asked = self.answered = self.right = 0

    def count(self, right: bool | None) -> None:
        """One question more: answered rightly or not, or not at all (None)."""
        self.asked += 1
        self.answered += right is not None
        self.right += right is True

    def score(self) -> str:
        """What there is to say at the end."""
        left_out = self.asked - self.answered
        return f"score: {self.right} of {self.asked} right" + (f", {left_out} without an answer" if left_out else "")


def question(stepper: Stepper, step: Step) -> str:
    """What the contribution of a step is, asked without saying it."""
    names = stepper.names
    upstream = quotient(names[stepper.E], names[step.node])
    if step.slot is None:
        return f"step {step.number}: what is {upstream}?"
    added = f"what does {computation(stepper, step.node)} add to {names[step.input]}.grad"
    return f"step {step.number}: {added}, with {upstream} = {number_text(step.upstream)}?"


def verdict(given: float, step: Step) -> str:
    """Whether a predicted contribution is right, rounded to the digits that it was given with; else whose it is.

    That is a classic mistake's, by its name, as compare says it, or the gradient after the step.
    """
    right = step.contribution
    if rounds_to(right, given):
        return f"right: {number_text(right)}"
    lines = [f"off by {number_text(given - right)}: it is {number_text(right)}"]
    if step.slot is not None and rounds_to(step.after, given):
        lines.append("that is the gradient with this contribution added")
    lines += [
        f"this could be the mistake {way.name!r}: {way.says}"
        for way in MISTAKES.values()
        if (wrong := mistaken(way, step)) is not None and rounds_to(wrong, given)
    ]
    return "\n".join(lines)


def mistaken(way: Pass, step: Step) -> float | None:
    """The contribution that a mistake makes of a step, with the upstream gradient given; None if it makes none here.

    All that a pass adds is proportional to its seed.
    """
    seed = way.seed(step.root)
    if step.slot is None:
        return seed
    if step.slot not in way.slots(step.node):
        return None
    return seed * way.contribution(step.node, step.slot, step.upstream)
