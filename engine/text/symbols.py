"""A formula of the table as text, with names or numbers put in.

One walk over a formula's tree writes it in any notation that is a table of templates: here as text and as it is
printed in pictures, in latex.py for a handout. Everything that shows a node takes its formulas from here.
"""

from __future__ import annotations

from _ast import (
    AST,
    Add,
    BinOp,
    Call,
    Compare,
    Constant,
    Div,
    GeneratorExp,
    IfExp,
    List,
    ListComp,
    Load,
    Mult,
    Name,
    Pow,
    Sub,
    Subscript,
    UnaryOp,
    USub,
    comprehension,
    expr,
)  # fmt: skip

from engine.formulas import evaluated, parse
from engine.text.names import changing, is_one_piece, number_text, quotient, raised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.value import Value

    Texts = Mapping[str, str]  # what stands for the names in a formula
    Templates = Mapping[str, tuple[str, int, tuple[int, ...]]]

# How strongly a text binds. One that binds less than its place asks for is put in parentheses; so is one that begins
# with a minus sign, but at the start of a template and where the place asks for nothing.
LOOSE, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)
SHOWN_OPERANDS = 4  # of a row over any number of operands; then an ellipsis


# For each kind of node in a formula's tree: a template with a place for each part, how strongly the whole binds, and
# how strongly each part has to.
IN_TEXT: Templates = {
    "Add": ("{} + {}", SUM, (SUM, PRODUCT)),
    "Sub": ("{} - {}", SUM, (SUM, PRODUCT)),
    "Mult": ("{} * {}", PRODUCT, (PRODUCT, SIGN)),
    "Div": ("{} / {}", PRODUCT, (PRODUCT, SIGN)),
    "Pow": ("{}**{}", POWER, (ATOM, ATOM)),
    "USub": ("-{}", SIGN, (SIGN,)),
    "Call": ("{}({})", ATOM, (LOOSE, LOOSE)),
    "Subscript": ("{}[{}]", ATOM, (ATOM, LOOSE)),
    "List": ("[{}]", ATOM, (LOOSE,)),
    "ListComp": ("[{} {}]", ATOM, (LOOSE, LOOSE)),
    "GeneratorExp": ("{} {}", LOOSE, (LOOSE, LOOSE)),
    "comprehension": ("for {} in {}", LOOSE, (LOOSE, LOOSE)),
    "IfExp": ("{1} if {0} else {2}", LOOSE, (LOOSE, LOOSE, LOOSE)),
    "Gt": ("{} > {}", LOOSE, (LOOSE, LOOSE)),
    "GtE": ("{} >= {}", LOOSE, (LOOSE, LOOSE)),
    "Lt": ("{} < {}", LOOSE, (LOOSE, LOOSE)),
    "LtE": ("{} <= {}", LOOSE, (LOOSE, LOOSE)),
    "Eq": ("{} == {}", LOOSE, (LOOSE, LOOSE)),
    "NotEq": ("{} != {}", LOOSE, (LOOSE, LOOSE)),
}


class Notation:
    """How formulas are written: as text, in a subclass in another way."""

    templates: Templates = IN_TEXT
    parentheses, ellipsis, between_loops = "({})", "…", " "

    def number(self, number: float) -> str:
        return number_text(number)

    def name(self, name: str) -> str:
        """What a node's name, or a name in a formula, looks like."""
        return name

    def function(self, name: str) -> str:
        return "Σ" if name == "total" else name

    def binding(self, text: str) -> int:
        """How strongly the text of a number or a name binds."""
        return ATOM if is_one_piece(text) else SIGN if is_one_piece(text.removeprefix("-")) else LOOSE

    # -- a formula

    def written(self, tree: AST, texts: Texts) -> str:
        """The formula, with texts put in for names.

        A text is a name whatever it looks like, be it `a + b`, `x#2` or `the gain`.

        >>> TEXT.written(parse("-x / y ** 2 * (x - z)"), {"x": "-0.5", "y": "a + b", "z": "-2"})
        '-(-0.5) / (a + b)**2 * (-0.5 - (-2))'
        """
        return self._written(tree, texts)[0]

    def _written(self, tree: AST, texts: Texts) -> tuple[str, int]:
        match tree:
            case Name(id=name):
                text = texts[name] if name in texts else self.name(name)
                return text, self.binding(text)
            case Constant(value=int() | float() as number):
                text = self.number(number)
                return text, self.binding(text)
        kind, parts = self.apart(tree, texts)
        template, binds, levels = self.templates[kind]
        places = enumerate(zip(parts, levels, strict=True))
        filled = [self.part(part, texts, level, not place and template[0] == "{") for place, (part, level) in places]
        return template.format(*filled), binds

    def part(self, part: AST | str, texts: Texts, level: int, first: bool = False) -> str:
        """A part of a formula as its place asks for it; a text stays as it is."""
        return part if isinstance(part, str) else self.fenced(*self._written(part, texts), level, first)

    def fenced(self, text: str, binds: int, level: int, first: bool = False) -> str:
        """The text, in parentheses where its place asks for more."""
        begins_well = first or level == LOOSE or not text.startswith("-")
        return text if binds >= level and begins_well else self.parentheses.format(text)

    def apart(self, tree: AST, texts: Texts) -> tuple[str, list[AST | str]]:
        """The kind of a node of a formula's tree, and its parts; lists of parts are joined to one already."""
        match tree:
            case UnaryOp(op=sign, operand=operand):
                return type(sign).__name__, [operand]
            case BinOp(left=left, op=sign, right=right) | Compare(left=left, ops=[sign], comparators=[right]):
                return type(sign).__name__, [left, right]
            case Call(func=Name(id=name), args=arguments):
                return "Call", [self.function(name), self.row(arguments, texts)]
            case IfExp(test=test, body=body, orelse=orelse):
                return "IfExp", [test, body, orelse]
            case Subscript(value=value, slice=slot):
                return "Subscript", [value, slot]
            case List(elts=items):
                return "List", [self.row(items, texts)]
            case ListComp(elt=item, generators=loops) | GeneratorExp(elt=item, generators=loops):
                return type(tree).__name__, [item, self.row(loops, texts, self.between_loops)]
            case comprehension(target=target, iter=items):
                return "comprehension", [target, items]
        raise ValueError(f"a formula can't hold a {type(tree).__name__}")

    def row(self, parts: list[expr] | list[comprehension], texts: Texts, between: str = ", ") -> str:
        return between.join(self.written(part, texts) for part in parts)

    # -- a node

    def formula(self, node: Value, names: Mapping[Value, str]) -> str:
        """What the node was computed as, over the names of its operands; a leaf's number.

        >>> from engine import Value, total
        >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
        >>> [TEXT.formula(node, {x: "x", w: "w"}) for node in (w, x * w, 2.5**x, total([x, w, 1.0]))]
        ['0.7', 'x * w', '2.5**x', 'Σ(x, w, 1)']
        """
        if node.rule is None:
            return self.number(node.data)
        return self.written(parse(node.rule.typed), self.named(node, 0, names))

    def numbers_in_formula(self, node: Value) -> str:
        """What the node was computed as, over the present numbers of its operands."""
        return (
            self.number(node.data) if node.rule is None else self.written(parse(node.rule.typed), self.numbered(node))
        )

    def local_derivative(self, node: Value, slot: int, names: Mapping[Value, str]) -> tuple[str, str]:
        """∂node/∂operand for the operand in this slot: in symbols, and the same with the present numbers put in.

        Raises ValueError for a leaf and for a constant operand, which have none.

        >>> from engine import Value
        >>> s = Value(-0.5, label="s"); z = s.tanh(); E = z**2
        >>> names = {s: "s", z: "z", E: "E"}
        >>> TEXT.local_derivative(E, 0, names), TEXT.local_derivative(z, 0, names)
        (('2 * z', '2 * (-0.4621)'), ('sech(s)**2', 'sech(-0.5)**2'))
        """
        tree = shown_derivative(node, slot)
        symbols = self.named(node, slot, names) | {"z": self.name(names[node])}
        return self.written(tree, symbols), self.written(tree, self.numbered(node, slot))

    def named(self, node: Value, slot: int, names: Mapping[Value, str]) -> dict[str, str]:
        """The names of operands for x, y and c in the formulas of a node's row, for xs and xs[slot] in an n-ary one."""
        return self._operands(node, slot, lambda operand: self.name(names[operand]))

    def numbered(self, node: Value, slot: int = 0) -> dict[str, str]:
        """The same with the operands' numbers, and z's."""
        return self._operands(node, slot, lambda operand: self.number(operand.data)) | {"z": self.number(node.data)}

    def _operands(self, node: Value, slot: int, text: Callable[[Value], str]) -> dict[str, str]:
        def written(given: Value | float) -> str:
            return self.number(given) if isinstance(given, float) else text(given)

        rule, operands = node.rule, node.inputs
        assert rule is not None
        if not rule.many:
            return dict(zip(rule.operands, map(written, operands), strict=True))
        ellipsis = [self.ellipsis] if len(operands) > SHOWN_OPERANDS else []
        first = [*map(written, operands[:SHOWN_OPERANDS]), *ellipsis]
        return {"xs": ", ".join(first), f"xs[{slot}]": written(operands[slot])}


IN_PRINT: Templates = {
    **IN_TEXT,
    "Mult": ("{}·{}", PRODUCT, (PRODUCT, SIGN)),
    "raised": ("{}{}", POWER, (ATOM, ATOM)),
}


class Printed(Notation):
    """As text, but as it is printed: w·x, x²."""

    templates = IN_PRINT

    def apart(self, tree: AST, texts: Texts) -> tuple[str, list[AST | str]]:
        match tree:
            case BinOp(left=base, op=Pow(), right=exponent):
                if raised_exponent := raised(self.written(exponent, texts)):
                    return "raised", [base, raised_exponent]
        return super().apart(tree, texts)


TEXT, PRINTED = Notation(), Printed()


def equation(node: Value, names: Mapping[Value, str]) -> str:
    """m = w * x; of a leaf, its name alone."""
    return f"{names[node]} = {TEXT.formula(node, names)}" if node.rule else names[node]


def derivation(
    node: Value, slot: int, names: Mapping[Value, str], notation: Notation = TEXT, numbers: bool = True
) -> list[str]:
    """The local derivative as the sides of an equation, each where it differs from the one before.

    They are ∂node/∂operand, its formula in symbols, the formula with the present numbers (unless they are left out),
    and the number that was recorded.
    """
    operand, recorded = node.inputs[slot], node.partials[slot]
    assert not isinstance(operand, float) and recorded is not None
    symbols, put_in = notation.local_derivative(node, slot, names)
    sides = [quotient(names[node], names[operand]), symbols, *([put_in] if numbers else []), notation.number(recorded)]
    return changing(sides)


# -- which formula to show


def shown_derivative(node: Value, slot: int) -> expr:
    """The formula to show for ∂node/∂operand, over the names x, y, c, z or xs, with constant operands put in.

    It is the one that the row shows, but not where that reads wrong with the numbers as they are shown: z * (1 - z) is
    0 where z reads 1. Raises ValueError where there is no derivative.
    """
    rule = node.rule
    if rule is None or node.partials[slot] is None:
        raise ValueError(f"{node!r} has no local derivative by operand {slot}: only an operand that is a Value has one")
    if rule.many:
        return _element(parse(rule.partials[0]), slot)
    constants = {x: given for x, given in zip(rule.operands, node.inputs, strict=True) if isinstance(given, float)}
    return simplified(parse((rule.shown if _reads_right(node, slot) else rule.partials)[slot]), constants)


def _reads_right(node: Value, slot: int) -> bool:
    """Whether the form to show has the value of the one to compute with, with all numbers as they are shown."""
    rule = node.rule
    assert rule is not None
    if rule.shown == rule.partials:
        return True
    numbers = {name: float(text) for name, text in TEXT.numbered(node).items()}
    try:
        expected, got = evaluated(rule.partials[slot], numbers), evaluated(rule.shown[slot], numbers)
    except (ArithmeticError, ValueError):
        return False
    return bool(abs(got - expected) <= 0.05 * abs(expected))  # 4 digits, and a subtraction, may cost that much


def _element(tree: expr, slot: int) -> expr:
    """The item in this slot of a formula that makes a list."""
    match tree:
        case Name(id=name):
            return Name(id=f"{name}[{slot}]", ctx=Load())
        case List(elts=items):
            return items[slot]
        case BinOp(left=List(elts=items) as first, op=Add(), right=others):
            return _element(first, slot) if slot < len(items) else _element(others, slot - len(items))
        case ListComp(elt=item, generators=[comprehension(target=Name(id=name), iter=items)]):
            return simplified(item, {name: _element(items, slot)})
        case Call(func=Name(id="rest"), args=[items]):
            return _element(items, slot + 1)
    return Subscript(value=tree, slice=Constant(value=slot), ctx=Load())


def simplified(tree: expr, known: Mapping[str, float | expr]) -> expr:
    """The formula with what is known put in, and what pupils would do in their heads done: 2 - 1, x**1, 0 * x."""
    match tree:
        case Name(id=name) if name in known:
            given = known[name]
            return Constant(value=given) if isinstance(given, float) else given
        case Call(func=function, args=arguments):
            return Call(func=function, args=[simplified(argument, known) for argument in arguments], keywords=[])
        case UnaryOp(op=USub(), operand=operand):
            operand = simplified(operand, known)
            if isinstance(operand, Constant) and known:
                return Constant(value=-operand.value)  # type: ignore[operator]
            return UnaryOp(op=USub(), operand=operand)
        case BinOp(left=left, op=sign, right=right):
            return _done(BinOp(left=simplified(left, known), op=sign, right=simplified(right, known)))
    return tree


def _done(tree: BinOp) -> expr:
    left = tree.left.value if isinstance(tree.left, Constant) else None
    right = tree.right.value if isinstance(tree.right, Constant) else None
    match tree.op, left, right:
        case ((Add() | Sub()), int() | float(), int() | float()):
            return Constant(value=left + right if isinstance(tree.op, Add) else left - right)
        case Mult(), 0, _:
            return Constant(value=0)
        case (Mult(), 1, _):
            return tree.right
        case (Mult() | Div() | Pow(), _, 1):
            return tree.left
        case (Pow(), _, 0):
            return Constant(value=1)
    return tree
