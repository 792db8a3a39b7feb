"""What nodes and numbers are called wherever they are shown."""

from __future__ import annotations

from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.value import Value


LOOSE, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)  # how strongly a text binds


def display_names(nodes: Iterable[Value]) -> dict[Value, str]:
    """A name for each node of a topological order: its label (with #2, … if used before), else v1, v2, …; E the last.

    >>> from engine import Value, topological_order
    >>> x = Value(2.0, label="x")
    >>> list(display_names(topological_order(x * x + Value(1.5, label="x"))).values())
    ['x', 'v1', 'x#2', 'E']
    """
    nodes = list(nodes)
    taken = {node.label for node in nodes}
    spare = (name for name in map("v{}".format, count(1)) if name not in taken)
    used, uses = set[str](), dict[str, int]()
    names: dict[Value, str] = {}
    for node in nodes:
        if node.label is None:
            names[node] = "E" if node is nodes[-1] and "E" not in taken else next(spare)
        else:
            names[node] = node.label
            while names[node] in used:
                uses[node.label] = uses.get(node.label, 1) + 1
                names[node] = f"{node.label}#{uses[node.label]}"
            used.add(names[node])
    return names


def number_text(x: float) -> str:
    """The number with 4 significant digits; a whole number below a million in full; -0.0 as 0.

    >>> [number_text(x) for x in (-0.63291, 2.0, -0.0, 12345.0, 1.7e-17)]
    ['-0.6329', '2', '0', '12345', '1.7e-17']
    """
    return str(int(x)) if abs(x) < 1e6 and x == int(x) else f"{x:.4g}"


def as_factor(text: str) -> str:
    """A number's text as a later factor or term: in parentheses if it is negative."""
    return f"({text})" if text.startswith("-") else text


def changing(parts: Sequence[str]) -> list[str]:
    """The sides of an equation, each that reads as the one before it left out."""
    return [part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]


def in_one_piece(name: str) -> str:
    """The name, in parentheses if it would be misread after a ∂: w, hidden[2].w[3], (a + b)."""
    return _one_line(name) if _binding(name) == ATOM else f"({_one_line(name)})"


def _binding(text: str) -> int:
    """Names such as hidden[2].w[3], x#2 and 1.7e-17 are of one piece, other labels are not."""
    try:
        return SIGN if float(text) < 0 else ATOM
    except ValueError:
        return ATOM if "".join(c for c in text if c not in "_.[]#'").isalnum() else LOOSE


def _one_line(text: str) -> str:
    return text if text.isprintable() and text else repr(text)
