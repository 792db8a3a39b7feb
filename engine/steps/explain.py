"""explain: the chain rule for one gradient, every path from E to w as a product of local derivatives, and their sum.

Where paths are too many to list (they can double at every node) the same number is found node by node, which is what
backward() does. Here is what is found; explained.py writes it, as text and as LaTeX.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from engine.calculus import dependents
from engine.order import check_root, topological_order
from engine.steps.explained import as_latex, as_text, why_zero
from engine.steps.passes import Edge, Path, product, record
from engine.text.names import display_names, find_node, shown
from engine.value import Value, edges, operand

MOST_PATHS, MOST_FACTORS = 12, 60  # what a person still reads as a list
ENDS = 3  # nodes shown at either end, where not all are
COUNTED = 10**100  # beyond it, paths are no longer counted: exact counts would take memory quadratic in the depth


def explain(E: Value, w: Value | str) -> Explanation:
    """The chain rule for ∂E/∂w: printable at a prompt, with .value, .latex() for a handout, and a view in Jupyter.

    Lists all paths from E to w if they are few, else goes node by node, in time linear in the graph. No gradient is
    touched. The derivatives are those recorded when the graph was built; if a leaf was set since, it says so.
    w is a Value, or the name that it is shown by. Raises TypeError for what isn't one, ValueError for a name that isn't
    in the graph, DomainError where a local derivative on the way is infinite or undefined.

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

    def __init__(self, E: Value, w: Value | str) -> None:
        check_root(E, "explain")
        self.order = topological_order(E)
        self.names = display_names(self.order)
        if isinstance(w, str):
            w = find_node(self.names, w)
        if type(w) is not Value:
            raise TypeError(f"explain takes w of ∂E/∂w as a Value or by its name, and was given a {type(w).__name__}")
        self.E, self.w = E, w
        self.names.setdefault(w, shown(w.label or "w"))
        depends = dependents(self.order, [w])
        self.nodes = [node for node in reversed(self.order) if node in depends]  # from E to w, and between them
        final = record(self.order, within=depends).final
        self.gradients = {node: final[node] or 0.0 for node in self.nodes}  # ∂E/∂node
        self.value = self.gradients.get(w, 0.0)
        self.count, factors = self._count()
        self.paths: list[Path] | None = None
        self.unlisted = ""  # why paths aren't listed
        if self.count > MOST_PATHS:
            self.unlisted = ", too many to list"
        elif factors > MOST_FACTORS:
            self.unlisted = ", too long to list"
        else:
            self.paths = self._paths()
            if not all(math.isfinite(product(path)) for path in self.paths):
                # contributions cancel, or the upstream gradient is 0, before a factor that is infinite
                self.paths, self.unlisted = None, ", whose products are not all finite"

    def edges(self, node: Value) -> list[Edge]:
        """The node's edges towards w."""
        return [(node, slot) for slot, operand, _ in edges(node) if operand in self.gradients]

    def _count(self) -> tuple[float, float]:
        """How many paths lead from E to w, and how many factors they have in all."""
        paths: dict[Value, float] = {self.w: 1}
        factors: dict[Value, float] = {self.w: 0}
        for node in reversed(self.nodes[:-1]):
            operands = [operand(*edge) for edge in self.edges(node)]
            paths[node] = sum(paths[each] for each in operands)
            factors[node] = sum(factors[each] + paths[each] for each in operands)
            if paths[node] > COUNTED:
                paths[node] = factors[node] = math.inf
        return paths.get(self.E, 0), factors.get(self.E, 0)

    def _paths(self) -> list[Path]:
        paths: list[Path] = []
        stack: list[tuple[Value, Path]] = [(self.E, [])] if self.nodes else []
        while stack:
            node, path = stack.pop()
            if node is self.w:
                paths.append(path)
            else:
                stack += [(operand(*edge), [*path, edge]) for edge in reversed(self.edges(node))]
        return paths

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
        if len(nodes) <= 2 * ENDS + 1:
            return nodes, 0, []
        return nodes[:ENDS], len(nodes) - 2 * ENDS, nodes[-ENDS:]

    def zero(self) -> str | None:
        """Why the gradient is exactly 0, in a sentence, if it is."""
        return why_zero(self)

    def __repr__(self) -> str:
        return as_text(self)

    def latex(self) -> str:
        """The explanation as one LaTeX `aligned` environment, to be put between dollar signs."""
        return as_latex(self)

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"
