"""Exercise 2: a rule is a row of the table."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, close, near
from demos.exercises.table import FUNCTIONS
from demos.exercises.text import number
from engine import Value

POINTS = [(1.4, -0.6), (-0.8, 1.7), (0.5, 2.3), (-1.3, -0.45), (2.6, 0.9), (-0.37, 1.2)]
POSITIVE = [(1.4, -0.6), (0.8, 1.7), (0.5, 2.3), (1.3, -0.45), (2.6, 0.9), (0.37, -1.2)]
ROWS = {"sub": 2, "mul": 2, "div": 2, "pow": 2, "exp": 1, "log": 1, "tanh": 1, "relu": 1}  # and their operands
CELLS = ["z", "∂z/∂x", "∂z/∂y"]
OPERATE: dict[str, Callable[[Any, Any], Any]] = {
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "exp": lambda x, y: x.exp(),
    "log": lambda x, y: x.log(),
    "tanh": lambda x, y: x.tanh(),
    "relu": lambda x, y: x.relu(),
}
ALLOWED = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Call,
    ast.Name,
    ast.Load,
    ast.Constant,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Pow,
    ast.USub,
    ast.UAdd,
    ast.IfExp,
    ast.Compare,
    ast.Gt,
    ast.GtE,
    ast.Lt,
    ast.LtE,
    ast.Eq,
)


class Unreadable(ValueError):
    """A cell that isn't in the table's notation; says where."""

    def __init__(self, says: str, text: str, column: int) -> None:
        super().__init__(says)
        self.caret = f"{text}\n{' ' * column}^"


@cache
def read(text: str) -> Any:
    """The cell as compiled code. Raises Unreadable."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise Unreadable(error.msg, text.strip(), max((error.offset or 1) - 1, 0)) from None
    for node in ast.walk(tree):
        column = getattr(node, "col_offset", 0)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
            raise Unreadable("a power is written **", text.strip(), text.strip().find("^"))
        if not isinstance(node, ALLOWED) or (isinstance(node, ast.Constant) and type(node.value) not in (int, float)):
            raise Unreadable(
                "the table's notation has numbers, x, y, z, + - * / ** and functions", text.strip(), column
            )
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
            raise Unreadable("that is no function of the table", text.strip(), column)
        if isinstance(node, ast.Name) and node.id not in ("x", "y", "z", *FUNCTIONS):
            raise Unreadable(f"{node.id} is no name here; there are x, y and z", text.strip(), column)
    return compile(tree, "<cell>", "eval")


def values(name: str, text: str) -> list[float | None]:
    """A cell at the points of its row; None where it has no number."""
    code, found = read(text), list[float | None]()
    for x, y in points(name):
        z = OPERATE[name](Value(x), y).data
        try:
            value = eval(code, FUNCTIONS | {"x": x, "y": y, "z": z, "__builtins__": {}})
            found.append(float(value) if type(value) in (int, float) and math.isfinite(value) else None)
        except (ArithmeticError, ValueError, TypeError):
            found.append(None)
    return found


def points(name: str) -> list[tuple[float, float]]:
    return POSITIVE if name in ("log", "pow") else [*POINTS, (0.0, 1.1)] if name == "relu" else POINTS


def probes(seed: int) -> list[Probe]:
    return [
        {"part": f"{name}.{cell}", "title": f"row {name}, {CELLS[cell]}", "row": name, "cell": cell}
        for name, operands in ROWS.items()
        for cell in range(operands + 1)
    ]


@cache
def truth(name: str, cell: int) -> list[float]:
    found = []
    for x, y in points(name):
        z = OPERATE[name](Value(x), Value(y))
        found.append(z.data if cell == 0 else z.partials[cell - 1])
    return found


def expected(probe: Probe) -> Answer:
    return truth(probe["row"], probe["cell"])


def numbers(probe: Probe, answer: Answer) -> list[float | None] | None:
    try:
        return values(probe["row"], answer) if isinstance(answer, str) else None
    except (Unreadable, RecursionError, MemoryError):
        return None


def right(probe: Probe, answer: Answer) -> bool:
    found = numbers(probe, answer)
    if found is None:
        return False
    true = expected(probe)
    if probe["row"] == "relu" and probe["cell"] == 1:  # at 0 both 0 and 1 are slopes
        return close(found[:-1], true[:-1], 1e-12) and found[-1] is not None and 0 <= found[-1] <= 1
    return all(near(f, t, 1e-12) for f, t in zip(found, true, strict=True))


def as_row(name: str, cells: dict[int, tuple[str, ...]], probe: Probe, answer: Answer) -> bool:
    """Whether a cell has the values of one of these texts."""
    if probe["row"] != name or probe["cell"] not in cells:
        return False
    found = numbers(probe, answer)
    return found is not None and any(same(found, values(name, text)) for text in cells[probe["cell"]])


def same(found: list[float | None], model: list[float | None]) -> bool:
    return all(
        f is None if m is None else f is not None and abs(f - m) <= 1e-9 * abs(m)
        for f, m in zip(found, model, strict=True)
    ) and any(m is not None for m in model)


def row(id: str, name: str, cells: dict[int, tuple[str, ...]], says: Any) -> Mistake:
    return Mistake(id, says, partial(as_row, name, cells))


def at(name: str, cell: int, x: float, text: str) -> tuple[str, str]:
    """The number of a text, and the right one, at x."""
    z = OPERATE[name](Value(x), Value(1.0))
    code = read(text)
    yours = eval(code, FUNCTIONS | {"x": x, "z": z.data, "__builtins__": {}})
    return number(yours), number(z.partials[cell - 1])


def fallback(trial: Trial) -> str:
    probe, answer = trial.first
    others = len({trial.probes[i]["row"] for i in trial.wrong}) - 1
    more = f" {others} more of the rows {'is' if others == 1 else 'are'} off." if others else ""
    name, cell = probe["row"], CELLS[probe["cell"]]
    if not isinstance(answer, str):
        return f'Row {name}: {cell} is to be a text such as "-z / y"; yours is {number(answer)}.{more}'
    try:
        found = values(name, answer)
    except (Unreadable, RecursionError, MemoryError) as error:
        caret = error.caret if isinstance(error, Unreadable) else answer
        return f"Row {name}: {cell} can't be read: {error}.\n{caret}{more}"
    for (x, y), f, t in zip(points(name), found, expected(probe), strict=True):
        if f is None or not near(f, t, 1e-12):
            where = f"x = {x:g}" + (f", y = {y:g}" if ROWS[name] == 2 else "")
            yours = "no number" if f is None else number(f)
            return f"Row {name}: at {where} your {cell} = {answer} is {yours}; the slope is {number(t)}.{more}"
    return f"Row {name}: {cell} is off.{more}"


def rows(trial: Trial) -> tuple[str, list[tuple[str, str, str, str]]]:
    probe, answer = trial.first
    found = numbers(probe, answer)
    if found is None:
        return probe["title"], []
    two = ROWS[probe["row"]] == 2
    table = []
    for (x, y), f, t in zip(points(probe["row"]), found, expected(probe), strict=True):
        where = f"x = {x:g}" + (f", y = {y:g}" if two else "")
        table.append(
            (
                where,
                "none" if f is None else number(f),
                number(t),
                "ok" if f is not None and near(f, t, 1e-9) else "off",
            )
        )
    return f"{probe['title']} = {answer}", table


def note(trial: Trial) -> str:
    relu = next(a for p, a in zip(trial.probes, trial.answers, strict=True) if p["part"] == "relu.1")
    if values("relu", relu)[-1] != 0:
        return "relu at 0: both 0 and 1 are right away from 0; at 0 this project (and PyTorch) says 0."
    return ""


def see(trial: Trial | None, id: str | None) -> Any:
    from demos.exercises.views import stepped_expression

    name = trial.first[0]["row"] if trial else "div"
    text = {"sub": "x - y", "mul": "x * y", "div": "x / y", "pow": "x ** y"}.get(name, f"{name}(x)")
    return stepped_expression(text, {"x": 1.4, "y": -0.6} if ROWS[name] == 2 else {"x": 0.5})


TANH = at("tanh", 1, 0.5, "1 - x**2")
EXERCISE = Exercise(
    name="rows",
    idea="a rule is a row",
    wanted=("ROWS",),
    probes=probes,
    expected=expected,
    right=right,
    unit="cell",
    introduces="the notation",
    grouped=lambda part: part.partition(".")[0],
    mistakes=[
        row("sub-sign", "sub", {2: ("1",)}, "If y grows by a little, x - y falls by it: ∂(x - y)/∂y is -1."),
        row("mul-swapped", "mul", {1: ("x",), 2: ("y",)}, "∂(x·y)/∂x asks: if x grows by 1, how much does the "
                                                          "product? By y."),
        row("div-sign", "div", {2: ("x / y**2",)}, "The sign: if y grows, x / y comes nearer to 0. x·y⁻¹ has the "
                                                   "slope -x·y⁻² by y."),
        row("div-one-y", "div", {2: ("-x / y", "x / y")}, "One y is missing: x·y⁻¹ has the slope -x·y⁻², which "
                                                          "is -z / y."),
        row("pow-off", "pow", {1: ("y * x**y",)}, "The exponent drops by one: y · x^(y-1)."),
        row("pow-no-y", "pow", {1: ("x**(y - 1)",)}, "The exponent comes down as a factor: y is missing."),
        row("pow-log-y", "pow", {2: ("z * log(y)",)}, "x^y is e^(y·log x): by y, its slope is z times the log of "
                                                      "the base, x."),
        row("exp-data", "exp", {1: ("x",)}, "e^x is its own slope: z, not x."),
        row("log-log", "log", {1: ("log(x)", "1 / z")}, "log x grows ever more slowly: its slope is 1 / x, not "
                                                        "the value."),
        row("tanh-x", "tanh", {1: ("1 - x**2",)}, f"The square of the output: at x = 0.5 yours is {TANH[0]}, the "
                                                  f"slope {TANH[1]}."),
        row("tanh-z", "tanh", {1: ("1 - z",)}, "The square is missing: 1 - z²."),
        row("relu-z", "relu", {1: ("z", "x")}, "relu's slope is 1 or 0, not the value: step(x)."),
    ],
    hints=(
        "Each cell asks: if this operand grows by a little, by how many times that does z grow? Hold the other still.",
        "The quotient is x·y⁻¹; the power rule holds x ** y with y constant; exp is its own slope.",
        "d(x·y⁻¹)/dy = -x·y⁻², which is also -z / y. d(xʸ)/dx = y·xʸ⁻¹, and d(xʸ)/dy = z·log(x). tanh: one minus "
        "the square "
        "of the output.",
        'The row of pow, with one blank:  ("x ** y", "y * x ** (y - 1)", "z * log(_)")',
    ),
    after="The engine's page of some forty such rows is all the calculus in the project. Read now: "
          "engine/rules.py. Why does its "
    "tanh say sech(x)**2? Exercise 11 tells.",
    rows=rows,
    fallback=fallback,
    note=note,
    see=see,
    see_text='stepgrad step "x / y" x=1.4 y=-0.6',
)  # fmt: skip
