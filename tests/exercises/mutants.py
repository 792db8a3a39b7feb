"""Mutants made by a machine: one operator, constant, index or comparison of a right answer changed at a time.

And checking in the test's own process: no child is started, so that hundreds can be tried in seconds.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from demos.exercises import notebook
from demos.exercises.course import Exercise
from demos.exercises.judge import Verdict, judge
from demos.exercises.run import Outcome, given_text
from tests.exercises.answers import SEED

BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip
COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


class Mutant(NamedTuple):
    """A changed answer, and what was changed: `line 4: += becomes -=`, by the text of the line before and after."""

    text: str
    change: str


def changes(node: ast.AST) -> Iterator[tuple[str, Any, Any]]:
    """(field, new value, old value) for each way to change this node a little."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in BINARY:
            yield "op", BINARY[type(op)](), op
        case ast.Compare(ops=[op]) if type(op) in COMPARE:
            yield "ops", [COMPARE[type(op)]()], [op]
        case ast.UnaryOp(op=ast.USub()):
            yield "op", ast.UAdd(), node.op
        case ast.UnaryOp(op=ast.Not()):
            yield "op", ast.UAdd(), node.op
        case ast.BoolOp(op=op):
            yield "op", ast.And() if isinstance(op, ast.Or) else ast.Or(), op
        case ast.Constant(value=bool() as value):
            yield "value", not value, value
        case ast.Constant(value=int() | float() as value):
            yield "value", value + 1, value
            if value:
                yield "value", 0 * value, value


def mutants(text: str) -> Iterator[Mutant]:
    """Every change of an answer, one at a time; formulas in texts are changed, too."""
    tree = ast.parse(text)
    for node in list(ast.walk(tree)):
        for field, new, old in changes(node):
            before = ast.unparse(tree).splitlines()
            setattr(node, field, new)
            after = ast.unparse(tree)
            setattr(node, field, old)
            lines = [(b, a) for b, a in zip(before, after.splitlines(), strict=True) if b != a]
            if lines:
                yield Mutant(after, f"{lines[0][0].strip()}  ->  {lines[0][1].strip()}")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "z" in text and "ROWS" in text:
            yield from formula_mutants(tree, node)


def formula_mutants(tree: ast.Module, node: ast.Constant) -> Iterator[Mutant]:
    formula = str(node.value)
    try:
        inner = ast.parse(formula, mode="eval")
    except SyntaxError:
        return
    for part in ast.walk(inner):
        for field, new, old in changes(part):
            setattr(part, field, new)
            node.value = ast.unparse(inner)
            setattr(part, field, old)
            yield Mutant(ast.unparse(tree), f"{formula}  ->  {node.value}")
            node.value = formula


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """The learner's other files can be imported, and are forgotten afterwards."""
    before = set(sys.modules)
    module = ModuleType("given")
    exec(given_text(), vars(module))
    sys.path.insert(0, str(folder))
    sys.modules["given"] = module
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before | {"given"}:
            if name == "given" or name.startswith("e0") or name.startswith("e1"):
                del sys.modules[name]


def verdict(each: Exercise, text: str, folder: Path, seconds: float = 1.0) -> Verdict:
    """The verdict on a text, which runs here; the folder has the other answers."""
    probes = each.probes(SEED)
    with importable(folder):
        learner: dict[str, Any] = {"__name__": each.file.removesuffix(".py")}
        try:
            exec(compile(text, each.file, "exec"), learner)
        except Exception as error:
            failed = {"error": type(error).__name__, "says": str(error), "at": ""}
            return judge(each, probes, Outcome(answers=[], failed=failed))
        return judge(each, probes, notebook.answered(each, learner, probes, seconds))
