"""The chain rule for one gradient: every path from E to w as a product of local derivatives, and their sum.

Where paths are too many to list (they can double at every node) the same number is found node by node, which is what
backward() does. The formulas are the table's, through notation.py, and through latex.py for a handout.
"""

from __future__ import annotations

import math

from engine.calculus import dependents
from engine.domain import DomainError, contribution_error
from engine.order import topological_order
from engine.text.latex import formula_latex, latex_name, latex_number, latex_text, local_derivative_latex
from engine.text.names import as_factor, changing, display_names, in_one_piece, number_text
from engine.text.symbols import formula_text, local_derivative_text
from engine.value import Value, first_stale

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Edge = tuple[Value, int]  # a node, and the slot of one of its operands
    Path = list[Edge]  # from E down to w

WIDTH = 80
MOST_PATHS, MOST_FACTORS = 12, 60  # what a person still reads as a list
SHOWN = 3  # nodes at either end, consumers of one node, causes of a zero
COUNTED = 10**100  # beyond it, paths are no longer counted: exact counts would take memory quadratic in the depth


def explain(E: Value, w: Value) -> Explanation:
    """The chain rule for ∂E/∂w: printable at a prompt, with .value, .latex() for a handout, and a view in Jupyter.

    Lists all paths from E to w if they are few, else goes node by node, in time linear in the graph. No gradient is
    touched. The derivatives are those recorded when the graph was built; if a leaf was set since, it says so.
    Raises TypeError for what isn't a Value; DomainError where a local derivative on the way is infinite or undefined.

    >>> x, w, b = Value(1.4, label="x"), Value(0.7, label="w"), Value(-0.3, label="b")
    >>> explain((w * x + b).tanh(), w)
    ∂E/∂w, by the chain rule: 1 path from E to w
    <BLANKLINE>
      E = tanh(v2)   ∂E/∂v2  = sech(v2)**2 = sech(0.68)**2 = 0.6501
      v2 = v1 + b    ∂v2/∂v1 = 1
      v1 = w * x     ∂v1/∂w  = x = 1.4
    <BLANKLINE>
      path 1: E → v2 → v1 → w
        ∂E/∂v2 · ∂v2/∂v1 · ∂v1/∂w = 0.6501 · 1 · 1.4 = 0.9101
    <BLANKLINE>
      ∂E/∂w = 0.9101467268
    """
    return Explanation(E, w)


class Explanation:
    """What explain() returns: .value is ∂E/∂w, .count the number of paths (inf beyond 10**100), .paths those listed.

    .paths is a list of paths, each a list of edges (node, operand slot) from E down to w; None if they are too many.
    """

    def __init__(self, E: Value, w: Value) -> None:
        for given in (E, w):
            if type(given) is not Value:
                raise TypeError(f"explain takes two Values, E and w of ∂E/∂w, and was given a {type(given).__name__}")
        self.E, self.w = E, w
        self.order = topological_order(E)
        names = display_names(self.order)
        names.setdefault(w, w.label or "w")
        self.names = {node: name if name.isprintable() and name else repr(name) for node, name in names.items()}
        depends = dependents(self.order, [w])
        self.nodes = [node for node in reversed(self.order) if node in depends]  # from E to w, and between them
        self.gradients = dict.fromkeys(self.nodes, 0.0)
        self._backward()
        self.value = self.gradients.get(w, 0.0)
        self.count, self._factors = self._count()
        self.paths = self._paths() if self.count <= MOST_PATHS and self._factors <= MOST_FACTORS else None

    def edges(self, node: Value) -> list[Edge]:
        """The node's edges towards w."""
        inputs = enumerate(node.inputs)
        return [(node, slot) for slot, input in inputs if type(input) is Value and input in self.gradients]

    def _backward(self) -> None:
        # the sums of Value.backward(), in its order, and so the same to the last bit
        if self.nodes:
            self.gradients[self.E] = 1.0
        for node in self.nodes:
            upstream = self.gradients[node]
            if not math.isfinite(upstream):
                raise DomainError(f"the gradient of {self.names[node]} is {upstream}: what was added exceeds 1.8e308")
            if upstream != 0:
                for _, slot in self.edges(node):
                    contribution = upstream * partial(node, slot)
                    if not math.isfinite(contribution):
                        raise contribution_error(node, slot, upstream)
                    self.gradients[operand(node, slot)] += contribution

    def _count(self) -> tuple[float, float]:
        """How many paths lead from E to w, and how many factors they have in all."""
        paths: dict[Value, float] = {self.w: 1}
        factors: dict[Value, float] = {self.w: 0}
        for node in reversed(self.nodes[:-1]):
            inputs = [operand(*edge) for edge in self.edges(node)]
            paths[node] = sum(paths[input] for input in inputs)
            factors[node] = sum(factors[input] + paths[input] for input in inputs)
            if paths[node] > COUNTED:
                paths[node] = factors[node] = math.inf
        return paths.get(self.E, 0), factors.get(self.E, 0)

    def _paths(self) -> list[Path] | None:
        paths: list[Path] = []
        stack: list[tuple[Value, Path]] = [(self.E, [])] if self.nodes else []
        while stack:
            node, path = stack.pop()
            if node is self.w:
                paths.append(path)
            else:
                stack += [(operand(*edge), [*path, edge]) for edge in reversed(self.edges(node))]
        # contributions may cancel, or the upstream gradient be 0, before a factor that is infinite
        return paths if all(math.isfinite(product(path)) for path in paths) else None

    def consumers(self, nodes: Iterable[Value]) -> dict[Value, list[Edge]]:
        """For each of these nodes, the edges on the way from E that end in it, in the order of the backward pass."""
        found: dict[Value, list[Edge]] = {node: [] for node in nodes}
        for node in self.nodes:
            for edge in self.edges(node):
                if operand(*edge) in found:
                    found[operand(*edge)].append(edge)
        return found

    def excerpt(self) -> tuple[list[Value], int, list[Value]]:
        """The nodes to show after E where not all paths are listed: the first, how many are left out, the last."""
        nodes = self.nodes[1:]
        if len(nodes) <= 2 * SHOWN + 1:
            return nodes, 0, []
        return nodes[:SHOWN], len(nodes) - 2 * SHOWN, nodes[-SHOWN:]

    def stale(self) -> str | None:
        """A sentence, where a leaf was set to another number since the graph was built."""
        if stale := first_stale(self.order):
            return f"{stale}; the derivatives are those of the numbers it was built with"
        return None

    def zero(self) -> str | None:
        """Why the gradient is exactly 0, if it is."""
        w, E = self.names[self.w], self.names[self.E]
        if self.value != 0:
            return None
        if not self.nodes:
            if self.E in set(topological_order(self.w)):
                return f"{w} is not in the graph of {E}: {w} was computed from {E}, not {E} from {w}"
            twin = self.w.label is not None and any(node.label == self.w.label for node in self.order)
            another = f"; another node with the label {w} is" if twin else ""
            return f"{w} is not in the graph of {E}: {E} was not computed from it{another}"
        return self._shut() or self._cancelled() or "the product of the local derivatives is too small for a float"

    def _shut(self) -> str | None:
        reached, shut = {self.E}, []
        for node in self.nodes:
            for edge in self.edges(node) if node in reached else ():
                if partial(*edge) != 0:
                    reached.add(operand(*edge))
                else:
                    shut.append(edge)
        if self.w in reached:
            return None
        stale = self.stale() is not None
        causes = [" = ".join([self.symbol(edge), *self.derivation(edge, stale)]) for edge in shut[:SHOWN]]
        return f"every path has a local derivative that is exactly 0: {_listed(causes, len(shut))}"

    def _cancelled(self) -> str | None:
        sizes = dict.fromkeys(self.nodes, 0.0)
        for node in self.nodes:
            for edge in self.edges(node) if self.gradients[node] else ():
                sizes[operand(*edge)] += abs(self.gradients[node] * partial(*edge))
        cancelled = [self.names[node] for node in self.nodes if sizes[node] > 0 and self.gradients[node] == 0]
        if not cancelled:
            return None
        return f"the contributions to {_listed(cancelled[:SHOWN], len(cancelled))} cancel: their sum is exactly 0"

    # -- as text

    def symbol(self, edge: Edge) -> str:
        """∂z/∂x; with a number where z reads x more than once, ∂z/∂x⁽²⁾ by its second operand."""
        twice = f"⁽{str(edge[1] + 1).translate(SUPERSCRIPTS)}⁾" if _is_twice(edge) else ""
        return f"{self.quotient(edge[0], operand(*edge))}{twice}"

    def quotient(self, top: Value, bottom: Value) -> str:
        """∂top/∂bottom."""
        return f"∂{in_one_piece(self.names[top])}/∂{in_one_piece(self.names[bottom])}"

    def derivation(self, edge: Edge, stale: bool) -> list[str]:
        """The local derivative in symbols, with numbers, and the number: each where it differs from the one before."""
        symbols, numbers = local_derivative_text(*edge, self.names)
        # once a leaf was set, its new number does not give the recorded derivative
        return changing([symbols, *([] if stale else [numbers]), number_text(partial(*edge))])

    def table(self, edges: Sequence[Edge], stale: bool) -> list[str]:
        """A line for each edge: its node's formula, where it is the first, and the local derivative."""
        lefts: list[str] = []
        for i, (node, _) in enumerate(edges):
            new = i == 0 or edges[i - 1][0] is not node
            lefts.append(f"{self.names[node]} = {formula_text(node, self.names)}" if new else "")
        width = max([len(left) for left in lefts if len(left) <= 32], default=0)
        symbols = max([len(self.symbol(edge)) for edge in edges if len(self.symbol(edge)) <= 20], default=0)
        lines = []
        for left, edge in zip(lefts, edges, strict=True):
            symbol, parts = f"{self.symbol(edge):{symbols}}", [f" = {part}" for part in self.derivation(edge, stale)]
            start = f"  {left:{width}}   {symbol}"
            if len(left) > width or len(start) + max(map(len, parts)) > WIDTH:
                lines += [f"  {left}"] if left else []
                start = f"    {symbol}"
            lines += _wrapped(start, parts, len(start))
        return lines

    def __repr__(self) -> str:
        E, w, zero = self.names[self.E], self.names[self.w], self.zero()
        gradient = self.quotient(self.E, self.w)
        if not self.nodes:
            return "\n".join(_wrapped(f"{gradient} = 0:", _words(zero or ""), 2))
        if self.w is self.E:
            return f"{gradient} = 1: a node changes just as fast as itself"
        stale = self.stale()
        head = f"{_counted(self.count)} from {E} to {w}{self._why_not_listed()}"
        lines = _wrapped(f"{gradient}, by the chain rule:", _words(head), 2)
        lines += _wrapped("note:", _words(stale), 2) if stale else []
        lines += self._by_paths(stale is not None) if self.paths else self._by_nodes(stale is not None)
        lines += _wrapped("  it is 0 because", _words(zero), 4) if zero else []
        return "\n".join(lines)

    def _by_paths(self, stale: bool) -> list[str]:
        assert self.paths
        used = {edge for path in self.paths for edge in path}
        edges = [edge for node in self.nodes for edge in self.edges(node) if edge in used]
        lines = ["", *self.table(edges, stale)]
        if any(map(_is_twice, edges)):
            lines += ["", "  ⁽¹⁾ ⁽²⁾: by its first, by its second operand, where a node reads another twice"]
        if not all(math.isfinite(partial(*edge)) for edge in edges):
            lines += ["", "  an upstream gradient of 0 contributes 0, whatever the local derivatives after it"]
        lines += [""]
        for i, path in enumerate(self.paths, start=1):
            stations = [f" → {self.names[operand(*edge)]}" for edge in path]
            lines += _wrapped(f"  path {i}: {self.names[self.E]}", stations, 6)
            symbols, numbers = map(self.symbol, path), (number_text(partial(*edge)) for edge in path)
            sides = [_joined(symbols, " · "), _joined(numbers, " · "), [number_text(product(path))]]
            lines += _equation("    ", sides, 6)
        return [*lines, "", *self._sum()]

    def _sum(self) -> list[str]:
        assert self.paths
        start, result = f"  {self.quotient(self.E, self.w)}", [_precise(self.value)]
        if len(self.paths) == 1:
            return _equation(start, [[], result], 4)
        paths = _joined([f"path {i}" for i in range(1, len(self.paths) + 1)], " + ")
        numbers = _joined([number_text(product(path)) for path in self.paths], " + ")
        return _equation(start, [[], paths, numbers, result], 4)

    def _why_not_listed(self) -> str:
        if self.paths:
            return ""
        if self.count > MOST_PATHS:
            return ", too many to list"
        return ", too long to list" if self._factors > MOST_FACTORS else ", whose products are not all finite"

    def _by_nodes(self, stale: bool) -> list[str]:
        E = in_one_piece(self.names[self.E])
        rule = f"∂{E}/∂v = Σ ∂{E}/∂u · ∂u/∂v over the nodes u that read v"
        first, left_out, last = self.excerpt()
        consumers = self.consumers(first + last)
        lines = _wrapped("node by node:", _words(rule), 2)
        for node in first:
            lines += self._node(node, consumers[node], stale)
        if left_out:
            lines += ["", f"  … {left_out:,} nodes left out …"]
        for node in last:
            lines += self._node(node, consumers[node], stale)
        return lines

    def _node(self, node: Value, edges: list[Edge], stale: bool) -> list[str]:
        shown = edges[:SHOWN]
        more = [f" + … ({len(edges) - SHOWN:,} more)"] if len(edges) > SHOWN else []
        symbols = [f"{self.quotient(self.E, edge[0])} · {self.symbol(edge)}" for edge in shown]
        numbers = [
            f"{number_text(self.gradients[edge[0]])} · {as_factor(number_text(partial(*edge)))}" for edge in shown
        ]
        result = _precise(self.gradients[node]) if node is self.w else number_text(self.gradients[node])
        start = f"  {self.quotient(self.E, node)}"
        sides = [[], _joined(symbols, " + ") + more, _joined(numbers, " + ") + more, [result]]
        return ["", *self.table(shown, stale), *_equation(start, sides, min(len(start), 10))]

    # -- as LaTeX

    def latex(self) -> str:
        """The explanation as one LaTeX `aligned` environment, to be put between dollar signs."""
        rows, zero, stale = [], self.zero(), self.stale()
        gradient = self._gradient(self.w)
        if not self.nodes or self.w is self.E:
            rows = [f"{gradient} &= {latex_number(self.value)}"]
        elif self.paths:
            rows = self._latex_by_paths(stale is not None)
        else:
            rows = self._latex_by_nodes(stale is not None)
        rows += [rf"&\quad {latex_text(note)}" for note in (zero, stale) if note]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def _gradient(self, node: Value) -> str:
        return rf"\frac{{\partial {latex_name(self.names[self.E])}}}{{\partial {latex_name(self.names[node])}}}"

    def _latex_symbol(self, edge: Edge) -> str:
        top, bottom = latex_name(self.names[edge[0]]), latex_name(self.names[operand(*edge)])
        twice = f"^{{({edge[1] + 1})}}" if _is_twice(edge) else ""
        return rf"\frac{{\partial {top}}}{{\partial {bottom}{twice}}}"

    def _latex_table(self, edges: Sequence[Edge], stale: bool) -> list[str]:
        rows = []
        for i, edge in enumerate(edges):
            if i == 0 or edges[i - 1][0] is not edge[0]:
                rows.append(f"{latex_name(self.names[edge[0]])} &= {formula_latex(edge[0], self.names)}")
            symbols, numbers = local_derivative_latex(*edge, self.names)
            parts = changing([symbols, *([] if stale else [numbers]), latex_number(partial(*edge))])
            rows.append(f"{self._latex_symbol(edge)} &= {' = '.join(parts)}")
        return rows

    def _latex_by_paths(self, stale: bool) -> list[str]:
        assert self.paths
        used = {edge for path in self.paths for edge in path}
        rows = self._latex_table([edge for node in self.nodes for edge in self.edges(node) if edge in used], stale)
        products = [r" \cdot ".join(map(self._latex_symbol, path)) for path in self.paths]
        numbers = ["".join(_joined([latex_number(partial(*edge)) for edge in path], r" \cdot ")) for path in self.paths]
        results = ["".join(_joined([latex_number(product(path)) for path in self.paths], " + "))]
        rows.append(f"{self._gradient(self.w)} &= " + " \\\\\n&\\quad + ".join(products))
        rows += ["&= " + " \\\\\n&\\quad + ".join(numbers)]
        return rows + [f"&= {part}" for part in changing([*results, latex_number(self.value)])]

    def _latex_by_nodes(self, stale: bool) -> list[str]:
        first, left_out, last = self.excerpt()
        consumers = self.consumers(first + last)
        rows = [self._latex_node(node, consumers[node], stale) for node in first]
        rows += [[r"&\ \,\vdots"]] if left_out else []
        rows += [self._latex_node(node, consumers[node], stale) for node in last]
        return [row for block in rows for row in block]

    def _latex_node(self, node: Value, edges: list[Edge], stale: bool) -> list[str]:
        shown, more = edges[:SHOWN], r" + \cdots" if len(edges) > SHOWN else ""
        symbols = [rf"{self._gradient(edge[0])} \cdot {self._latex_symbol(edge)}" for edge in shown]
        numbers = [
            rf"{latex_number(self.gradients[edge[0]])} \cdot {as_factor(latex_number(partial(*edge)))}"
            for edge in shown
        ]
        rows = [*self._latex_table(shown, stale), f"{self._gradient(node)} &= {' + '.join(symbols)}{more}"]
        numbers = ["".join(_joined(numbers, " + ")) + more, latex_number(self.gradients[node])]
        return rows + [f"&= {part}" for part in changing(numbers)]


SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def operand(node: Value, slot: int) -> Value:
    """What stands in this slot of the node, which must hold a Value."""
    input = node.inputs[slot]
    assert type(input) is Value
    return input


def partial(node: Value, slot: int) -> float:
    """The local derivative recorded on an edge."""
    recorded = node.partials[slot]
    assert recorded is not None
    return recorded


def product(path: Path) -> float:
    """The product of the local derivatives along a path from E down; after a factor 0 it stays 0, whatever comes."""
    result = 1.0
    for edge in path:
        if result != 0:
            result *= partial(*edge)
    return result


def _is_twice(edge: Edge) -> bool:
    return sum(input is operand(*edge) for input in edge[0].inputs) > 1


def _counted(count: float) -> str:
    if count == 1:
        return "1 path"
    if count == math.inf:
        return "more than 10^100 paths"
    return f"{count:,} paths" if count < 1e24 else f"about {float(count):.3g} paths"


def _precise(x: float) -> str:
    return f"{x + 0.0:.10g}"  # + 0.0 makes a 0 of -0.0


def _joined(parts: Iterable[str], sign: str) -> list[str]:
    """The parts of a sum or product, the sign before each but the first, negative numbers in parentheses."""
    return [sign + as_factor(part) if i else part for i, part in enumerate(parts)]


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


def _listed(parts: list[str], whole: int) -> str:
    return ", ".join(parts) + (f" and {whole - len(parts):,} more" if whole > len(parts) else "")


def _wrapped(start: str, parts: Iterable[str], indent: int) -> list[str]:
    """Start and the parts on lines no wider than a terminal, where the parts allow it; a line breaks before a part."""
    lines = [start]
    for part in parts:
        if len(lines[-1]) + len(part.rstrip()) > WIDTH and lines[-1].strip() not in ("", "="):
            lines.append(" " * indent)
        lines[-1] += part
    return lines
