"""A formula of the table as text, with names or numbers put in.

Everything that shows a node (steps, explanations, the prompt) takes its text from here; latex.py writes for a handout.
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

from engine.formulas import SIGNS, float_functions, parse
from engine.text.names import ATOM, LOOSE, POWER, PRODUCT, SIGN, SUM, _binding, _one_line, number_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.value import Value


def formula_text(node: Value, names: Mapping[Value, str]) -> str:
    """What the node was computed as, over the names of its operands; a leaf's number.

    >>> from engine import Value, total
    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> [formula_text(node, {x: "x", w: "w"}) for node in (w, x * w, 2.5**x, total([x, w, 1.0]))]
    ['0.7', 'x * w', '2.5**x', 'Σ(x, w, 1)']
    """
    if node.rule is None:
        return number_text(node.data)
    texts = operand_texts(node, 0, lambda operand: names[operand], number_text)
    return written(parse(node.rule.typed), texts | {"total": "Σ"})


def local_derivative_text(node: Value, slot: int, names: Mapping[Value, str]) -> tuple[str, str]:
    """∂node/∂operand for the operand in this slot: in symbols, and the same with the nodes' present numbers put in.

    Raises ValueError for a leaf and for a constant operand, which have none.

    >>> from engine import Value
    >>> s = Value(-0.5, label="s"); z = s.tanh(); E = z**2
    >>> names = {s: "s", z: "z", E: "E"}
    >>> local_derivative_text(E, 0, names), local_derivative_text(z, 0, names)
    (('2 * z', '2 * (-0.4621)'), ('sech(s)**2', 'sech(-0.5)**2'))
    """
    tree = local_derivative(node, slot)
    symbols = operand_texts(node, slot, lambda operand: names[operand], number_text) | {"z": names[node]}
    return written(tree, symbols), written(tree, _numbers(node, slot))


def _numbers(node: Value, slot: int) -> dict[str, str]:
    return operand_texts(node, slot, lambda operand: number_text(operand.data), number_text) | {
        "z": number_text(node.data)
    }


SHOWN_OPERANDS = 4  # of a row over any number of operands; then an ellipsis
OWN_FORM_IS_KNOWN = {"tanh", "expm1"}  # other rows are shown by the form that textbooks print, where they have one


def local_derivative(node: Value, slot: int) -> expr:
    """The formula to show for ∂node/∂operand, over the names x, y, c, z or xs, with constant operands put in.

    It is the textbook form, the row's `also`, unless that has another value with the numbers as they are shown:
    z * (1 - z) reads 0 where z reads 1, and z * log(x) has no value at x = 0. Raises ValueError where there is none.
    """
    rule = node.rule
    if rule is None or node.partials[slot] is None:
        raise ValueError(f"{node!r} has no local derivative by operand {slot}: only an operand that is a Value has one")
    if rule.many:
        return _element(parse(rule.partials[0]), slot)
    constants = {x: given for x, given in zip(rule.operands, node.inputs, strict=True) if isinstance(given, float)}
    own = simplified(parse(rule.partials[slot]), constants)
    if rule.also and rule.name not in OWN_FORM_IS_KNOWN:
        also = simplified(parse(rule.also[slot]), constants)
        numbers = _numbers(node, slot)
        if _same_number(written(own, numbers), written(also, numbers)):
            return also
    return own


def _same_number(own: str, also: str) -> bool:

    try:
        expected, got = eval(own, float_functions()), eval(also, float_functions())
        return bool(abs(got - expected) <= 0.05 * abs(expected))  # 4 digits, and a subtraction, may cost that much
    except (ArithmeticError, ValueError):
        return False


def operand_texts(
    node: Value, slot: int, text: Callable[[Value], str], number: Callable[[float], str], ellipsis: str = "…"
) -> dict[str, str]:
    """What stands for x, y and c in the formulas of a node's row; for xs and xs[slot] in those of an n-ary row."""
    rule, inputs = node.rule, node.inputs
    assert rule is not None

    def operand(given: Value | float) -> str:
        return number(given) if isinstance(given, float) else text(given)

    if not rule.many:
        return {x: operand(given) for x, given in zip(rule.operands, inputs, strict=True)}
    first = [operand(given) for given in inputs[:SHOWN_OPERANDS]] + [ellipsis] * (len(inputs) > SHOWN_OPERANDS)
    return {"xs": ", ".join(first), f"xs[{slot}]": operand(inputs[slot])}


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


# How strongly each kind of text binds: what binds less than its place asks for is put in parentheses.
INFIX = {"Add": ("+", SUM), "Sub": ("-", SUM), "Mult": ("*", PRODUCT), "Div": ("/", PRODUCT)}


def written(tree: expr, texts: Mapping[str, str]) -> str:
    """The formula as text, with texts put in for names, in parentheses where they are needed.

    A text is a name whatever it looks like, be it `a + b`, `x#2` or `the gain`.

    >>> written(parse("-x / y ** 2 * (x - z)"), {"x": "-0.5", "y": "a + b", "z": "-2"})
    '-(-0.5) / (a + b)**2 * (-0.5 - (-2))'
    """
    return _written(tree, texts)[0]


def _written(tree: AST, texts: Mapping[str, str]) -> tuple[str, int]:
    def whole(tree: AST) -> str:
        return _written(tree, texts)[0]

    def within(tree: AST, level: int, first: bool = False) -> str:
        text, binds = _written(tree, texts)
        return text if binds >= level and (first or not text.startswith("-")) else f"({text})"

    match tree:
        case Name(id=name) if name in texts:
            return _one_line(texts[name]), _binding(texts[name])
        case Name(id=name):
            return name, ATOM
        case Constant(value=int() | float() as number):
            return number_text(number), _binding(number_text(number))
        case UnaryOp(operand=operand):
            return "-" + within(operand, SIGN), SIGN
        case BinOp(op=Pow(), left=base, right=exponent):
            return f"{within(base, ATOM)}**{within(exponent, ATOM)}", POWER
        case BinOp(left=left, op=sign, right=right):
            infix, binds = INFIX[type(sign).__name__]
            return f"{within(left, binds, True)} {infix} {within(right, binds + 1)}", binds
        case Compare(left=left, ops=[sign], comparators=[right]):
            return f"{whole(left)} {SIGNS[type(sign).__name__]} {whole(right)}", LOOSE
        case IfExp(test=test, body=body, orelse=orelse):
            return f"{whole(body)} if {whole(test)} else {whole(orelse)}", LOOSE
        case Call(func=Name(id=name), args=arguments):
            return f"{texts.get(name, name)}({', '.join(map(whole, arguments))})", ATOM
        case Subscript(value=value, slice=slot):
            return f"{within(value, ATOM)}[{whole(slot)}]", ATOM
        case List(elts=items):
            return f"[{', '.join(map(whole, items))}]", ATOM
        case ListComp(elt=item, generators=loops):
            return f"[{whole(item)} {' '.join(map(whole, loops))}]", ATOM
        case GeneratorExp(elt=item, generators=loops):
            return f"{whole(item)} {' '.join(map(whole, loops))}", LOOSE
        case comprehension(target=target, iter=items):
            return f"for {whole(target)} in {whole(items)}", LOOSE
    raise ValueError(f"a formula can't hold a {type(tree).__name__}")
