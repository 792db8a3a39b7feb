"""What the prompt says of a stepper, as text: the table of `where`, a node and its neighbours, the code of the pass.

Each is a function of the stepper and changes nothing; stepper.py shows the step itself. Next: displays.py.
"""

from __future__ import annotations

from inspect import getsource
from textwrap import dedent

from engine.steps.passes import RIGHT
from engine.steps.stepper import Stepper
from engine.text.names import LISTED, grad_text, more, number_text
from engine.text.symbols import TEXT, derivation
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


def around(stepper: Stepper, node: Value) -> str:
    """The graph around a node: its consumers, itself, its operands and theirs, each further in than what it feeds."""
    found = [(0, each) for each in consumers(stepper, node)[:LISTED]] + [(1, node)]
    for each in operands(node)[:LISTED]:
        found += [(2, each), *((3, inner) for inner in operands(each)[:LISTED])]
    cells = [(f"{'  ' * depth}{value(stepper, each)}", *row(stepper, each)[1:3]) for depth, each in found]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for (_, each), texts in zip(found, cells, strict=True):
        padded = "   ".join(f"{text:<{width}}" for text, width in zip(texts, widths, strict=True))
        lines.append(f"  {'-->' if each is node else '   '} {padded}".rstrip())
    left_out = sum(max(len(others) - LISTED, 0) for others in (consumers(stepper, node), operands(node)))
    return "\n".join(lines + ([f"     {more(left_out)}"] if left_out else []))


def value(stepper: Stepper, node: Value) -> str:
    """A node, what it was computed as, and its number: `s = w * x = 0.98`."""
    sides = [computation(stepper, node), number_text(node.data)]
    return " = ".join(sides if node.rule else sides[:1])


def with_partials(stepper: Stepper, node: Value) -> str:
    """The operands of a node, a line each, with the local derivative; empty for a leaf."""
    lines, names = list[tuple[str, str]](), stepper.names
    for slot, each in enumerate(node.inputs):
        if isinstance(each, Value):
            lines.append((f"{names[each]} = {number_text(each.data)}", " = ".join(derivation(node, slot, names))))
        else:
            lines.append((number_text(each), "a constant"))
    width = max((len(text) for text, _ in lines), default=0)
    return "\n".join(f"{text:<{width}}   {local}" for text, local in lines)


SEED, ADDS = "order[-1].grad += 1.0", "operand.grad += upstream * partial"


def code(stepper: Stepper) -> str:
    """The code of the pass, Value.backward's, with the line that the latest step is, and what its names mean there."""
    head, _, rest = dedent(getsource(Value.backward)).partition('"""')
    place, names = stepper.position, stepper.names
    here = {0: "", 1: SEED}.get(place, ADDS)
    lines = [*head.rstrip().splitlines(), *rest.partition('"""')[2].strip("\n").splitlines()]
    shown = [f"  {'-->' if here and here in line else '   '} {line}".rstrip() for line in lines]
    if place > 1:
        step = stepper.steps[place - 1]
        numbers = f"upstream {number_text(step.upstream)}, partial {number_text(step.partial)}"
        shown.append(f"node is {names[step.node]}, operand {names[step.input]}, {numbers}")
    if stepper.way is not RIGHT:
        shown.append(f"mistake {stepper.way.name!r} differs from it: {stepper.way.says}")
    return "\n".join(shown)
