"""What the prompt says of a stepper, as text: the table of `where`, a node and its neighbours, predict's question.

Each is a function of the stepper and changes nothing; stepper.py shows the step itself. Next: debug.py.
"""

from __future__ import annotations

from engine.steps.compare import rounds_to
from engine.steps.step import Step
from engine.steps.stepper import Stepper
from engine.text.names import LISTED, grad_text, more, number_text, quotient
from engine.text.symbols import TEXT
from engine.value import Value

AROUND = 4  # nodes before and after the one in hand


def where(stepper: Stepper) -> str:
    """The nodes around the one in hand, in the order in which they pass their gradient on, a row each."""
    visits = list(stepper.way.visits(stepper.order))
    hand = visits.index(stepper.hand)
    first = max(min(hand - AROUND, len(visits) - 2 * AROUND - 1), 0)
    shown = visits[first : first + 2 * AROUND + 1]
    rows = [row(stepper, node) for node in shown]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"      … {first} before"] if first else []
    for node, cells in zip(shown, rows, strict=True):
        mark = "-->" if node is stepper.hand else "   "
        padded = "   ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"  {mark} {padded}".rstrip())
    if left := len(visits) - first - len(shown):
        lines.append(f"      … {left} after")
    return "\n".join(lines)


def row(stepper: Stepper, node: Value) -> tuple[str, str, str, str]:
    """A node, its gradient, how many of its contributions are in, and these."""
    steps, writes = stepper.record, stepper.record.writes[node]
    made = [place for place in writes if place < stepper.position]
    texts = [f"{number_text(held)} from before"] if (held := steps.start[node]) else []
    texts += [number_text(steps.contributions[place]) for place in made[:LISTED]]
    texts += ["…"] if len(made) > LISTED else []
    gradient = f"{stepper.names[node]}.grad = {grad_text(node.grad)}"
    return computation(stepper, node), gradient, f"{len(made)} of {len(writes)} in", ", ".join(texts)


def computation(stepper: Stepper, node: Value) -> str:
    """What a node was computed as, such as `s = w * x`."""
    return f"{stepper.names[node]} = {TEXT.formula(node, stepper.names)}"


def neighbours(stepper: Stepper, node: Value) -> str:
    """A node, and where `u` and `d` lead from it, with their numbers."""
    lines = ["   ".join(row(stepper, node)[:3])]
    for letter, others in ("u", consumers(stepper, node)), ("d", operands(node)):
        lines += [f"    {letter} {i}: {computation(stepper, each)}" for i, each in enumerate(others[:LISTED], start=1)]
        if len(others) > LISTED:
            lines.append(f"   {more(len(others) - LISTED)}")
    return "\n".join(lines)


def consumers(stepper: Stepper, node: Value) -> list[Value]:
    """The nodes that contribute to a node in this pass, each once, in their order."""
    steps = stepper.record
    return list(dict.fromkeys(steps.nodes[place] for place in steps.writes[node] if steps.slots[place] is not None))


def operands(node: Value) -> list[Value]:
    """The nodes that a node was computed from, each once, in their order."""
    return list(dict.fromkeys(each for each in node.inputs if isinstance(each, Value)))


def question(stepper: Stepper, step: Step) -> str:
    """What the contribution of a step is, asked without saying it."""
    names = stepper.names
    upstream = quotient(names[stepper.E], names[step.node])
    if step.slot is None:
        return f"step {step.number}: what is {upstream}?"
    added = f"what does {computation(stepper, step.node)} add to {names[step.input]}.grad"
    return f"step {step.number}: {added}, with {upstream} = {number_text(step.upstream)}?"


def verdict(given: float, step: Step) -> str:
    """Whether a predicted contribution is right, rounded to the digits that it was given with, and what else it is."""
    right = step.contribution
    if rounds_to(right, given):
        return f"right: {number_text(right)}"
    known = {
        "it has the wrong sign": -right,
        "that is the local derivative alone": step.partial,
        "that is the upstream gradient alone": step.upstream,
        "that is the gradient with this contribution added": step.after,
    }
    also = next((f"; {says}" for says, other in known.items() if rounds_to(other, given)), "")
    return f"off by {number_text(given - right)}: it is {number_text(right)}{also}"
