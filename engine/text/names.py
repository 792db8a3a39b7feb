"""What nodes and numbers are called wherever they are shown: in errors, steps, explanations, pictures and pages.

A label is any text that a user chose, so it passes through shown() before it is printed. Next: symbols.py.
"""

from __future__ import annotations

from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.value import Value

LISTED = 5  # of what is listed in one sentence or one place


def display_names(nodes: Iterable[Value], called: Mapping[Value, str] | None = None) -> dict[Value, str]:
    """A name for each node of a topological order: its label (with #2, … if used before), else v1, v2, …; E the last.

    called holds names for nodes that have no label; one that is another's label is left.

    >>> from engine import Value, topological_order
    >>> x = Value(2.0, label="x")
    >>> list(display_names(topological_order(x * x + Value(1.5, label="x"))).values())
    ['x', 'v1', 'x#2', 'E']
    """
    nodes = list(nodes)
    labels = {node: shown(node.label) for node in nodes if node.label is not None}
    taken = set(labels.values())
    if called:
        others = {node: shown(called[node]) for node in nodes if node not in labels and node in called}
        labels |= {node: name for node, name in others.items() if name not in taken}
        taken |= {*labels.values()}
    spare = (name for name in map("v{}".format, count(1)) if name not in taken)
    used, uses = set[str](), dict[str, int]()
    names: dict[Value, str] = {}
    for node in nodes:
        if node not in labels:
            names[node] = "E" if node is nodes[-1] and "E" not in taken else next(spare)
            continue
        name = label = labels[node]
        while name in used:
            uses[label] = uses.get(label, 1) + 1
            name = f"{label}#{uses[label]}"
        used.add(name)
        names[node] = name
    return names


def find_node(names: dict[Value, str], key: Value | str) -> Value:
    """The node of a graph that is meant by itself, by its name or by its label. Raises ValueError if it isn't there.

    names are the graph's, as display_names makes them: the last is that of E.
    """
    if not isinstance(key, str):
        if key in names:
            return key
        raise ValueError(f"{key!r} is not in the graph of {list(names.values())[-1]}")
    for node, name in names.items():
        if name == key:
            return node
    for node in names:
        if node.label == key:
            return node
    raise ValueError(f"no node is named '{shown(key)}'; there are {listed(list(names.values()), most=12)}")


def shown(label: str) -> str:
    r"""The label on one line: what can't be printed, breaks lines or turns the direction of writing, as an escape.

    >>> print(shown("a\nb\u202e"), shown(""))
    a\nb\u202e ''
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in label) or "''"


def shortened(text: str, most: int) -> str:
    """The text with its middle left out, if it is longer than most characters."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - half]}…{text[-half:]}"


def in_one_piece(name: str) -> str:
    """The name, in parentheses if it would be misread after a ∂: w, hidden[2].w[3], (a + b)."""
    return name if is_one_piece(name) else f"({name})"


def is_one_piece(name: str) -> bool:
    """Names such as hidden[2].w[3], x#2 and 1.7e-17 are of one piece; other labels, and negative numbers, are not."""
    try:
        return not float(name) < 0
    except ValueError:
        return "".join(c for c in name if c not in "_.[]#'").isalnum()


def quotient(top: str, bottom: str) -> str:
    """∂top/∂bottom, of two names.

    >>> quotient("p/q", "a + b")
    '∂(p/q)/∂(a + b)'
    """
    return f"∂{in_one_piece(top)}/∂{in_one_piece(bottom)}"


def number_text(x: float) -> str:
    """The number with 4 significant digits; a whole number below a million in full; -0.0 as 0.

    >>> [number_text(x) for x in (-0.63291, 2.0, -0.0, 12345.0, 1.7e-17)]
    ['-0.6329', '2', '0', '12345', '1.7e-17']
    """
    return str(int(x)) if abs(x) < 1e6 and x == int(x) else f"{x:.4g}"


def grad_text(grad: float | None, missing: str = "None") -> str:
    """A gradient as a number's text; None, or what stands for it in a picture, where it isn't computed yet."""
    return missing if grad is None else number_text(grad)


SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def raised(exponent: str) -> str:
    """A whole number's text as an exponent, such as ⁻²; empty for any other text."""
    digits = exponent.removeprefix("-")
    return exponent.translate(SUPERSCRIPTS) if digits.isdecimal() and digits.isascii() else ""


def as_factor(text: str) -> str:
    """A number's text as a later factor or term: in parentheses if it is negative."""
    return f"({text})" if text.startswith("-") else text


def joined(texts: Iterable[str], sign: str) -> str:
    """The texts of a sum or product, negative numbers after the first in parentheses: joined(["2", "-3"], " · ")."""
    return sign.join(as_factor(text) if i else text for i, text in enumerate(texts))


def changing(sides: Sequence[str]) -> list[str]:
    """The sides of an equation, each that reads as the one before it left out."""
    return [side for i, side in enumerate(sides) if i == 0 or side != sides[i - 1]]


def counted(count: int, what: str) -> str:
    """1 neuron, 2 neurons."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def more(left_out: int) -> str:
    """What to say of things that are left out: nothing, or " and 3 more"."""
    return f" and {left_out:,} more" if left_out > 0 else ""


def listed(texts: Sequence[str], whole: int | None = None, most: int = LISTED) -> str:
    """The first of the texts in a row, and how many there are besides; whole is their number if not all were made.

    >>> listed(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    first = texts[:most]
    return ", ".join(first) + more((len(texts) if whole is None else whole) - len(first))
