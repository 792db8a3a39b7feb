"""What explain() found, written: as text for a prompt, and as LaTeX for a handout."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.order import topological_order
from engine.steps.passes import Edge, product, recorded
from engine.text.latex import LATEX, latex_name, latex_number, latex_text
from engine.text.names import as_factor, changing, in_one_piece, joined, listed, number_text, quotient, raised
from engine.text.symbols import derivation, equation
from engine.value import Value, first_stale, operand

if TYPE_CHECKING:
    from engine.steps.explain import Explanation

WIDTH = 80
SHOWN = 3  # consumers of one node, causes of a zero


def stale(told: Explanation) -> str | None:
    """A sentence, where a leaf was set to another number since the graph was built."""
    sentence = first_stale(told.order)
    return sentence and f"{sentence}; the derivatives are those of the numbers it was built with"


def why_zero(told: Explanation) -> str | None:
    """Why the gradient is exactly 0, if it is."""
    w, E = told.names[told.w], told.names[told.E]
    if told.value != 0:
        return None
    if not told.nodes:
        if told.E in set(topological_order(told.w)):
            return f"{w} is not in the graph of {E}: {w} was computed from {E}, not {E} from {w}"
        twin = told.w.label is not None and any(node.label == told.w.label for node in told.order)
        another = f"; another node with the label {w} is" if twin else ""
        return f"{w} is not in the graph of {E}: {E} was not computed from it{another}"
    return _shut(told) or _cancelled(told) or "the product of the local derivatives is too small for a float"


def _shut(told: Explanation) -> str | None:
    reached, shut = {told.E}, []
    for node in told.nodes:
        for edge in told.edges(node) if node in reached else ():
            if recorded(*edge) != 0:
                reached.add(operand(*edge))
            else:
                shut.append(edge)
    if told.w in reached:
        return None
    numbers = stale(told) is None
    causes = [" = ".join([symbol(told, edge), *_derivation(told, edge, numbers)]) for edge in shut[:SHOWN]]
    return f"every path has a local derivative that is exactly 0: {listed(causes, len(shut))}"


def _cancelled(told: Explanation) -> str | None:
    sizes = dict.fromkeys(told.nodes, 0.0)
    for node in told.nodes:
        for edge in told.edges(node) if told.gradients[node] else ():
            sizes[operand(*edge)] += abs(told.gradients[node] * recorded(*edge))
    cancelled = [told.names[node] for node in told.nodes if sizes[node] > 0 and told.gradients[node] == 0]
    if not cancelled:
        return None
    return f"the contributions to {listed(cancelled, most=SHOWN)} cancel: their sum is exactly 0"


# -- as text


def as_text(told: Explanation) -> str:
    """The explanation in lines no wider than a terminal."""
    E, w, zero = told.names[told.E], told.names[told.w], why_zero(told)
    gradient = quotient(E, w)
    if not told.nodes:
        return "\n".join(_wrapped(f"{gradient} = 0:", _words(zero or ""), 2))
    if told.w is told.E:
        return f"{gradient} = 1: a node changes just as fast as itself"
    note = stale(told)
    head = f"{_paths(told.count)} from {E} to {w}{told.unlisted}"
    lines = _wrapped(f"{gradient}, by the chain rule:", _words(head), 2)
    lines += _wrapped("note:", _words(note), 2) if note else []
    lines += (_by_paths if told.paths else _by_nodes)(told, numbers=note is None)
    lines += _wrapped("  it is 0 because", _words(zero), 4) if zero else []
    return "\n".join(lines)


def symbol(told: Explanation, edge: Edge) -> str:
    """∂z/∂x; with a number where z reads x more than once, ∂z/∂x⁽²⁾ by its second operand."""
    twice = f"⁽{raised(str(edge[1] + 1))}⁾" if _is_twice(edge) else ""
    return f"{quotient(told.names[edge[0]], told.names[operand(*edge)])}{twice}"


def _derivation(told: Explanation, edge: Edge, numbers: bool) -> list[str]:
    """The sides after ∂z/∂x; once a leaf was set, its new number does not give the recorded derivative."""
    return derivation(*edge, told.names, numbers=numbers)[1:]


def _table(told: Explanation, edges: Sequence[Edge], numbers: bool) -> list[str]:
    """A line for each edge: its node's formula, where it is the first, and the local derivative."""
    lefts = [equation(node, told.names) if _is_new(edges, i) else "" for i, (node, _) in enumerate(edges)]
    names = [symbol(told, edge) for edge in edges]
    width = max([len(left) for left in lefts if len(left) <= 32], default=0)
    wide = max([len(name) for name in names if len(name) <= 20], default=0)
    lines = []
    for left, name, edge in zip(lefts, names, edges, strict=True):
        sides = [f" = {side}" for side in _derivation(told, edge, numbers)]
        start = f"  {left:{width}}   {name:{wide}}"
        if len(left) > width or len(start) + max(map(len, sides)) > WIDTH:
            lines += [f"  {left}"] if left else []
            start = f"    {name:{wide}}"
        lines += _wrapped(start, sides, len(start))
    return lines


def _by_paths(told: Explanation, numbers: bool) -> list[str]:
    assert told.paths
    edges = _used(told)
    lines = ["", *_table(told, edges, numbers)]
    if any(map(_is_twice, edges)):
        lines += ["", "  ⁽¹⁾ ⁽²⁾: by its first, by its second operand, where a node reads another twice"]
    if not all(math.isfinite(recorded(*edge)) for edge in edges):
        lines += ["", "  an upstream gradient of 0 contributes 0, whatever the local derivatives after it"]
    lines += [""]
    for i, path in enumerate(told.paths, start=1):
        stations = [f" → {told.names[operand(*edge)]}" for edge in path]
        lines += _wrapped(f"  path {i}: {told.names[told.E]}", stations, 6)
        symbols = _terms([symbol(told, edge) for edge in path], " · ")
        factors = _terms([number_text(recorded(*edge)) for edge in path], " · ")
        lines += _equation("    ", [symbols, factors, [number_text(product(path))]], 6)
    return [*lines, "", *_sum(told)]


def _sum(told: Explanation) -> list[str]:
    assert told.paths
    start, result = f"  {quotient(told.names[told.E], told.names[told.w])}", [_precise(told.value)]
    if len(told.paths) == 1:
        return _equation(start, [[], result], 4)
    paths = _terms([f"path {i}" for i in range(1, len(told.paths) + 1)], " + ")
    numbers = _terms([number_text(product(path)) for path in told.paths], " + ")
    return _equation(start, [[], paths, numbers, result], 4)


def _by_nodes(told: Explanation, numbers: bool) -> list[str]:
    E = in_one_piece(told.names[told.E])
    rule = f"∂{E}/∂v = Σ ∂{E}/∂u · ∂u/∂v over the nodes u that read v"
    first, left_out, last = told.excerpt()
    consumers = told.consumers(first + last)
    lines = _wrapped("node by node:", _words(rule), 2)
    for node in first:
        lines += _node(told, node, consumers[node], numbers)
    if left_out:
        lines += ["", f"  … {left_out:,} nodes left out …"]
    for node in last:
        lines += _node(told, node, consumers[node], numbers)
    return lines


def _node(told: Explanation, node: Value, edges: list[Edge], numbers: bool) -> list[str]:
    shown, E = edges[:SHOWN], told.names[told.E]
    left_out = [f" + … ({len(edges) - SHOWN:,} more)"] if len(edges) > SHOWN else []
    symbols = [f"{quotient(E, told.names[edge[0]])} · {symbol(told, edge)}" for edge in shown]
    products = [joined([number_text(told.gradients[edge[0]]), number_text(recorded(*edge))], " · ") for edge in shown]
    result = _precise(told.gradients[node]) if node is told.w else number_text(told.gradients[node])
    start = f"  {quotient(E, told.names[node])}"
    sides = [[], _terms(symbols, " + ") + left_out, _terms(products, " + ") + left_out, [result]]
    return ["", *_table(told, shown, numbers), *_equation(start, sides, min(len(start), 10))]


def _paths(count: float) -> str:
    if count == 1:
        return "1 path"
    if count == math.inf:
        return "more than 10^100 paths"
    return f"{count:,} paths" if count < 1e24 else f"about {float(count):.3g} paths"


def _precise(x: float) -> str:
    return f"{x + 0.0:.10g}"  # + 0.0 makes a 0 of -0.0


# -- lines


def _terms(texts: Iterable[str], sign: str) -> list[str]:
    """The parts of a sum or product, the sign before each but the first, negative numbers in parentheses."""
    return [sign + as_factor(text) if i else text for i, text in enumerate(texts)]


def _words(text: str) -> list[str]:
    return [f" {word}" for word in text.split(" ")]


def _equation(start: str, sides: list[list[str]], indent: int) -> list[str]:
    """The start, and the sides with = between them where they differ; on a line each if one line is too short."""
    texts = ["".join(side) for side in sides]
    sides = [side for i, side in enumerate(sides) if i == 0 or texts[i] != texts[i - 1]]
    whole = start + " = ".join(changing(texts))
    if len(whole) <= WIDTH:
        return [whole]
    lines = _wrapped(start, sides[0], indent)
    for side in sides[1:]:
        rest = _wrapped(" =", [f" {side[0]}", *side[1:]], 3)
        room = len(rest) == 1 and not lines[-1].strip().startswith("=") and len(lines[-1]) + len(rest[0]) <= WIDTH
        if room:
            lines[-1] += rest[0]
        else:
            lines += _wrapped(" " * indent + "=", [f" {side[0]}", *side[1:]], indent + 2)
    return lines


def _wrapped(start: str, parts: Iterable[str], indent: int) -> list[str]:
    """Start and the parts on lines no wider than a terminal, where the parts allow it; a line breaks before a part."""
    lines = [start]
    for part in parts:
        if len(lines[-1]) + len(part.rstrip()) > WIDTH and lines[-1].strip() not in ("", "="):
            lines.append(" " * indent)
        lines[-1] += part
    return lines


# -- as LaTeX

BELOW = " \\\\[6pt]\n"  # ends a row, with room for the fractions below it


def as_latex(told: Explanation) -> str:
    """The explanation as one `aligned` environment."""
    note = stale(told)
    if not told.nodes or told.w is told.E:
        rows = [f"{_latex_gradient(told, told.w)} &= {latex_number(told.value)}"]
    else:
        rows = (_latex_by_paths if told.paths else _latex_by_nodes)(told, numbers=note is None)
    rows += [rf"&\quad {latex_text(sentence)}" for sentence in (why_zero(told), note) if sentence]
    return "\\begin{aligned}\n" + BELOW.join(rows) + "\n\\end{aligned}"


def _latex_quotient(top: str, bottom: str, power: str = "") -> str:
    return rf"\frac{{\partial {latex_name(top)}}}{{\partial {latex_name(bottom)}{power}}}"


def _latex_gradient(told: Explanation, node: Value) -> str:
    return _latex_quotient(told.names[told.E], told.names[node])


def _latex_symbol(told: Explanation, edge: Edge) -> str:
    twice = f"^{{({edge[1] + 1})}}" if _is_twice(edge) else ""
    return _latex_quotient(told.names[edge[0]], told.names[operand(*edge)], twice)


def _latex_table(told: Explanation, edges: Sequence[Edge], numbers: bool) -> list[str]:
    rows = []
    for i, edge in enumerate(edges):
        if _is_new(edges, i):
            rows.append(f"{latex_name(told.names[edge[0]])} &= {LATEX.formula(edge[0], told.names)}")
        sides = derivation(*edge, told.names, LATEX, numbers)[1:]
        rows.append(f"{_latex_symbol(told, edge)} &= {' = '.join(sides)}")
    return rows


def _latex_by_paths(told: Explanation, numbers: bool) -> list[str]:
    assert told.paths
    rows = _latex_table(told, _used(told), numbers)
    products = [r" \cdot ".join(_latex_symbol(told, edge) for edge in path) for path in told.paths]
    factors = [joined([latex_number(recorded(*edge)) for edge in path], r" \cdot ") for path in told.paths]
    results = joined([latex_number(product(path)) for path in told.paths], " + ")
    rows.append(f"{_latex_gradient(told, told.w)} &= " + f"{BELOW}&\\quad + ".join(products))
    rows += ["&= " + f"{BELOW}&\\quad + ".join(factors)]
    return rows + [f"&= {side}" for side in changing([results, latex_number(told.value)])]


def _latex_by_nodes(told: Explanation, numbers: bool) -> list[str]:
    first, left_out, last = told.excerpt()
    consumers = told.consumers(first + last)
    rows = [_latex_node(told, node, consumers[node], numbers) for node in first]
    rows += [[r"&\ \,\vdots"]] if left_out else []
    rows += [_latex_node(told, node, consumers[node], numbers) for node in last]
    return [row for block in rows for row in block]


def _latex_node(told: Explanation, node: Value, edges: list[Edge], numbers: bool) -> list[str]:
    shown, left_out = edges[:SHOWN], r" + \cdots" if len(edges) > SHOWN else ""
    symbols = [rf"{_latex_gradient(told, edge[0])} \cdot {_latex_symbol(told, edge)}" for edge in shown]
    products = [
        joined([latex_number(told.gradients[edge[0]]), latex_number(recorded(*edge))], r" \cdot ") for edge in shown
    ]
    rows = [*_latex_table(told, shown, numbers), f"{_latex_gradient(told, node)} &= {' + '.join(symbols)}{left_out}"]
    sides = changing([joined(products, " + ") + left_out, latex_number(told.gradients[node])])
    return rows + [f"&= {side}" for side in sides]


# -- edges


def _used(told: Explanation) -> list[Edge]:
    """The edges of all paths, each once, from E down."""
    used = {edge for path in told.paths or [] for edge in path}
    return [edge for node in told.nodes for edge in told.edges(node) if edge in used]


def _is_new(edges: Sequence[Edge], i: int) -> bool:
    """Whether an edge is the first of its node."""
    return i == 0 or edges[i - 1][0] is not edges[i][0]


def _is_twice(edge: Edge) -> bool:
    return sum(each is operand(*edge) for each in edge[0].inputs) > 1
