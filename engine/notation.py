"""A formula of the table, read in another notation: Python source over floats, or text with names put in.

The table's formulas are small Python expressions. Numbers follow three rules, the same in every reading, so that
compiled code can reproduce them bit for bit: literals are floats, x**2 and x**3 are products, any other power is pow().
"""

from __future__ import annotations

# The ast module itself would cost more to import than the whole engine; the node classes are built in.
from _ast import (
    AST,
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
    Name,
    Pow,
    PyCF_ONLY_AST,
    UnaryOp,
    comprehension,
    expr,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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


def python_source(formula: str, division: str = "({} / {})") -> str:
    """The formula as Python source over floats, which is what the engine compiles; division as the template says.

    Raises ValueError where the formula holds more than numbers, names, calls, + - * / **, `a if b else c` and, for
    rows over any number of operands, lists of these.

    >>> python_source("sech(x)**2 / y**0.5")
    '(((t := sech(x)) * t) / pow(y, 0.5))'
    """

    def read(tree: AST) -> str:
        match tree:
            case Constant(value=int() | float() as number) if not isinstance(number, bool):
                return repr(float(number))
            case Name(id=name):
                return name
            case UnaryOp(op=sign, operand=operand) if type(sign).__name__ in SIGNS:
                return f"({SIGNS[type(sign).__name__]}{read(operand)})"
            case BinOp(op=Pow(), left=base, right=exponent):
                return _power(read(base), read(exponent))
            case BinOp(op=Div(), left=left, right=right):
                return division.format(read(left), read(right))
            case BinOp(op=sign, left=left, right=right) if type(sign).__name__ in SIGNS:
                return f"({read(left)} {SIGNS[type(sign).__name__]} {read(right)})"
            case Compare(left=left, ops=[sign], comparators=[right]) if type(sign).__name__ in SIGNS:
                return f"{read(left)} {SIGNS[type(sign).__name__]} {read(right)}"
            case IfExp(test=test, body=body, orelse=orelse):
                return f"({read(body)} if {read(test)} else {read(orelse)})"
            case Call(func=Name(id=name), args=arguments, keywords=[]):
                return f"{name}({', '.join(map(read, arguments))})"
            case List(elts=items):
                return f"[{', '.join(map(read, items))}]"
            case ListComp(elt=item, generators=loops):
                return f"[{read(item)} {' '.join(map(read, loops))}]"
            case GeneratorExp(elt=item, generators=loops):
                return f"({read(item)} {' '.join(map(read, loops))})"
            case comprehension(target=Name(id=name), iter=items, ifs=[]):
                return f"for {name} in {read(items)}"
        raise ValueError(
            f"the formula {formula!r} holds a {type(tree).__name__}: write it with numbers, names, calls and + - * / **"
        )

    return read(parse(formula))


def _power(base: str, exponent: str) -> str:
    if exponent not in ("2.0", "3.0"):
        return f"pow({base}, {exponent})"
    times = int(exponent[0])
    if base.isidentifier():
        return f"({' * '.join([base] * times)})"
    return f"((t := {base}){' * t' * (times - 1)})"


def with_names(formula: str, names: Mapping[str, str]) -> str:
    """The formula as text, with what stands for x, y, z, … put in, in parentheses where they are needed.

    >>> with_names("-z / y**2", {"z": "u", "y": "-1.5"})
    '-u / (-1.5) ** 2'
    """
    import ast

    class PutIn(ast.NodeTransformer):
        def visit_Name(self, node: Name) -> expr:
            if node.id not in names:
                return node
            try:
                return parse(names[node.id])
            except ValueError:  # a label such as "gain (dB)" is no expression: it stands as it is
                return Name(id=names[node.id], ctx=node.ctx)

    return ast.unparse(PutIn().visit(parse(formula)))
