"""A formula of the table, read in another notation: Python source over floats, or text with names put in.

The table's formulas are small Python expressions. Numbers follow three rules, the same in every reading, so that
compiled code can reproduce them bit for bit: literals are floats, x**2 and x**3 are products, any other power is pow().
Everything that shows a node (steps, explanations, the prompt) takes its text from here; latex.py writes for a handout.
"""

from __future__ import annotations

# The ast module itself would cost more to import than the whole engine; the node classes are built in.
from _ast import (
    AST,
    Add,
    BinOp,
    Call,
    Compare,
    Constant,
    Div,
    Expression,
    GeneratorExp,
    IfExp,
    List,
    ListComp,
    Load,
    Mult,
    Name,
    Pow,
    PyCF_ONLY_AST,
    Sub,
    Subscript,
    UnaryOp,
    USub,
    comprehension,
    expr,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.value import Value

SIGNS = {"Add": "+", "Sub": "-", "Mult": "*", "USub": "-", "UAdd": "+",
         "Gt": ">", "GtE": ">=", "Lt": "<", "LtE": "<=", "Eq": "==", "NotEq": "!="}  # fmt: skip


def parse(formula: str) -> expr:
    """The syntax tree of a formula. Raises ValueError, with the formula in it, if it isn't an expression."""
    try:
        tree = compile(formula, "<formula>", "eval", PyCF_ONLY_AST)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the formula {formula!r} can't be read: {error}") from None
    assert isinstance(tree, Expression)
    return tree.body


def product_source(factor: str, times: int) -> str:
    """The source of factor * factor (* factor), which computes the factor once."""
    if factor.isidentifier():
        return f"({' * '.join([factor] * times)})"
    return f"((t := {factor}){' * t' * (times - 1)})"


def python_source(
    formula: str,
    division: str = "({} / {})",
    product: Callable[[str, int], str] = product_source,
    literal: Callable[[str], str] = str,
    fallible: Callable[[str], str] = str,
    choice: str = "({1} if {0} else {2})",
) -> str:
    """The formula as Python source over floats, which is what the engine compiles.

    The others say how to write a division, a square or cube, a number, what may fail (a call, a division), a choice.
    Raises ValueError where the formula holds more than numbers, names, calls, + - * / **, `a if b else c` and, for
    rows over any number of operands, lists of these.

    >>> python_source("sech(x)**2 / y**0.5")
    '(((t := sech(x)) * t) / pow(y, 0.5))'
    """

    def read(tree: AST) -> str:
        match tree:
            case Constant(value=int() | float() as number) if not isinstance(number, bool):
                return literal(repr(float(number)))
            case Name(id=name):
                return name
            case UnaryOp(op=sign, operand=operand) if type(sign).__name__ in SIGNS:
                return f"({SIGNS[type(sign).__name__]}{read(operand)})"
            case BinOp(op=Pow(), left=base, right=Constant(value=2 | 3 as times)):
                return product(read(base), 2 if times == 2 else 3)
            case BinOp(op=Pow(), left=base, right=exponent):
                return fallible(f"pow({read(base)}, {read(exponent)})")
            case BinOp(op=Div(), left=left, right=right):
                return fallible(division.format(read(left), read(right)))
            case BinOp(op=sign, left=left, right=right) if type(sign).__name__ in SIGNS:
                return f"({read(left)} {SIGNS[type(sign).__name__]} {read(right)})"
            case Compare(left=left, ops=[sign], comparators=[right]) if type(sign).__name__ in SIGNS:
                return f"{read(left)} {SIGNS[type(sign).__name__]} {read(right)}"
            case IfExp(test=test, body=body, orelse=orelse):
                return choice.format(read(test), read(body), read(orelse))
            case Call(func=Name(id=name), args=arguments, keywords=[]):
                return fallible(f"{name}({', '.join(map(read, arguments))})")
            case List(elts=items):
                return f"[{', '.join(map(read, items))}]"
            case ListComp(elt=item, generators=loops) | GeneratorExp(elt=item, generators=loops):
                return f"[{read(item)} {' '.join(map(read, loops))}]"
            case comprehension(target=Name(id=name), iter=items, ifs=[]):
                return f"for {name} in {read(items)}"
        raise ValueError(
            f"the formula {formula!r} holds a {type(tree).__name__}: write it with numbers, names, calls and + - * / **"
        )

    return read(parse(formula))


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
    from engine.arithmetic import float_functions  # which is made with python_source

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
LOOSE, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)
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
