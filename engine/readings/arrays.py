"""A formula read over arrays, one number for each of many nodes or samples: what JAX's and PyTorch's readings share."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from engine.formulas import parse

OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv, "USub": operator.neg,
    "Gt": operator.gt, "GtE": operator.ge, "Lt": operator.lt, "LtE": operator.le, "Eq": operator.eq,
    "NotEq": operator.ne,
}  # fmt: skip


def read(formula: str, names: Mapping[str, Any]) -> Any:
    """The formula's array, from arrays and functions of arrays by name.

    A list of the formula is an array along its first axis. Beside the functions that formulas call, names hold where
    (a choice), pow, and for rows over many operands stack, join and spread; "Div", if it is there, is the division.
    Squares and cubes are products, as in every reading.

    >>> read("x**3 - y / 4", {"x": 1.5, "y": 0.5})
    3.25
    """
    names = {**OPERATORS, **names}

    def walk(tree: ast.AST, names: Mapping[str, Any]) -> Any:
        match tree:
            case ast.Constant(value=number):
                return float(number)  # type: ignore[arg-type]
            case ast.Name(id=name):
                return names[name]
            case ast.UnaryOp(op=sign, operand=operand):
                return names[type(sign).__name__](walk(operand, names))
            case ast.BinOp(op=ast.Pow(), left=base, right=ast.Constant(value=2 | 3 as times)):
                return reduce(operator.mul, [walk(base, names)] * (2 if times == 2 else 3))
            case ast.BinOp(op=ast.Pow(), left=base, right=exponent):
                return names["pow"](walk(base, names), walk(exponent, names))
            case ast.BinOp(op=ast.Add(), left=ast.List() | ast.ListComp() as left, right=right):
                return names["join"]([walk(left, names), walk(right, names)])
            case ast.BinOp(op=sign, left=left, right=right) | ast.Compare(left=left, ops=[sign], comparators=[right]):
                return names[type(sign).__name__](walk(left, names), walk(right, names))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return names["where"](*(walk(part, names) for part in (test, body, orelse)))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return names[name](*(walk(argument, names) for argument in arguments))
            case ast.List(elts=items):
                return names["stack"]([walk(item, names) for item in items])
            case ast.ListComp(elt=item, generators=loops) | ast.GeneratorExp(elt=item, generators=loops):
                for loop in loops:
                    items = walk(loop.iter, names)
                    names = {**names, loop.target.id: items}  # type: ignore[attr-defined]
                return names["spread"](walk(item, names), items)
        raise ValueError(f"the formula {formula!r} holds a {type(tree).__name__}, which isn't read over arrays")

    return walk(parse(formula), names)
