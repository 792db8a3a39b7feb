"""The operations over Values, made from the rows of the table: operators, methods and functions, at import.

Each is a Python function, written out and compiled once: it computes the value, checks that it is finite, records the
partial for every operand that is a Value, and makes the node. Of plain numbers alone it makes a plain number.
"""

from __future__ import annotations

from engine.domain import number, settle
from engine.formulas import checked, float_functions, python_source
from engine.rules import TABLE, Rule
from engine.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# The function of a row, by its number of operands. Of a constant, x_ is x itself, and its dx is None; z - z is not 0
# only for inf and nan. What fails the quick way is computed again, with care, by settle().
TEMPLATES = {
    1: """
def {name}(x):
    if type(x) is Value: x_ = x; x = x._data
    else: x_ = x = number(x)
    try:
        z = {value}
        if z - z != 0.0: raise OverflowError
        dx = {dx} if x_ is not x else None
    except (ArithmeticError, ValueError):
        z, (dx,) = settle({name}_rule, (x_,), (x,))
    if dx is None: return z
    node = new(Value)
    node._data = z; node.grad = node._label = None; node.rule = {name}_rule
    node._x = x_; node._y = None; node._dx = dx; node._dy = None
    return node
""",
    2: """
def {name}(x, y):
    if type(x) is Value: x_ = x; x = x._data
    else: x_ = x = number(x)
    if type(y) is Value: y_ = y; y = y._data
    else: y_ = y = number(y)
    try:
        z = {value}
        if z - z != 0.0: raise OverflowError
        dx = {dx} if x_ is not x else None
        dy = {dy} if y_ is not y else None
    except (ArithmeticError, ValueError):
        z, (dx, dy) = settle({name}_rule, (x_, y_), (x, y))
    if dx is None and dy is None: return z
    node = new(Value)
    node._data = z; node.grad = node._label = None; node.rule = {name}_rule
    node._x = x_; node._y = y_; node._dx = dx; node._dy = dy
    return node
""",
    3: """
def {name}(x, y, c):
    if type(x) is Value: x_ = x; x = x._data
    else: x_ = x = number(x)
    if type(y) is Value: y_ = y; y = y._data
    else: y_ = y = number(y)
    if type(c) is Value: c_ = c; c = c._data
    else: c_ = c = number(c)
    try:
        z = {value}
        if z - z != 0.0: raise OverflowError
        dx = {dx} if x_ is not x else None
        dy = {dy} if y_ is not y else None
        dc = {dc} if c_ is not c else None
    except (ArithmeticError, ValueError):
        z, (dx, dy, dc) = settle({name}_rule, (x_, y_, c_), (x, y, c))
    if dx is None and dy is None and dc is None: return z
    node = new(Value)
    node._data = z; node.grad = node._label = None; node.rule = {name}_rule
    node._x = (x_, y_, c_); node._y = None; node._dx = (dx, dy, dc); node._dy = None
    return node
""",
    "many": """
def {name}(xs):
    try: inputs = tuple(xs)
    except TypeError: raise TypeError("{name} takes a list of operands: write {name}([x, y])") from None
    values = set(map(type, inputs)) == {{Value}}
    if values: xs = [item._data for item in inputs]
    elif not inputs: raise ValueError("{name} of nothing: it needs at least one operand")
    else:
        inputs = tuple([item if type(item) is Value else number(item) for item in inputs])
        xs = [item._data if type(item) is Value else item for item in inputs]
    try:
        z = {value}
        if z - z != 0.0: raise OverflowError
        partials = {dxs}
    except (ArithmeticError, ValueError):
        z, partials = settle({name}_rule, inputs, xs)
    if not values:
        if Value not in map(type, inputs): return z
        partials = [p if type(i) is Value else None for p, i in zip(partials, inputs)]
    node = new(Value)
    node._data = z; node.grad = node._label = None; node.rule = {name}_rule
    node._x = inputs; node._y = None; node._dx = tuple(partials); node._dy = None
    return node
""",
}
DOCSTRING = """{meaning}, of Values or of plain numbers.

{rule!r}
Raises DomainError where that has no finite value, TypeError for operands that are no real numbers.
"""


def source(rule: Rule) -> str:
    """The Python source of the function that a row describes, as it is compiled.

    >>> from engine.rules import RULES
    >>> print(source(RULES["mul"]))
    <BLANKLINE>
    def mul(x, y):
        if type(x) is Value: x_ = x; x = x._data
        else: x_ = x = number(x)
        if type(y) is Value: y_ = y; y = y._data
        else: y_ = y = number(y)
        try:
            z = (x * y)
            if z - z != 0.0: raise OverflowError
            dx = y if x_ is not x else None
            dy = x if y_ is not y else None
        except (ArithmeticError, ValueError):
            z, (dx, dy) = settle(mul_rule, (x_, y_), (x, y))
        if dx is None and dy is None: return z
        node = new(Value)
        node._data = z; node.grad = node._label = None; node.rule = mul_rule
        node._x = x_; node._y = y_; node._dx = dx; node._dy = dy
        return node
    <BLANKLINE>
    """
    partials = {f"d{x}": python_source(p) for x, p in zip(rule.operands, rule.partials, strict=True)}
    template = TEMPLATES["many" if rule.many else len(rule.operands)]
    return template.format(name=rule.name, value=python_source(rule.value), **partials)


def make(rules: list[Rule]) -> dict[str, Callable[..., Any]]:
    """The functions of these rows, by name, each also in its row's .function."""
    names = float_functions() | {"Value": Value, "new": object.__new__, "number": number, "settle": settle}
    functions: dict[str, Callable[..., Any]] = {}
    exec("\n".join(map(source, rules)), names | {f"{rule.name}_rule": rule for rule in rules}, functions)
    for rule in rules:
        rule.function = function = functions[rule.name]
        function.__module__, function.__doc__ = (
            "engine",
            DOCSTRING.format(rule=rule, meaning=f"{rule.typed}: {rule.says}" if rule.says else rule.typed),
        )
    return functions


def operation(name: str, formula: str, *partials: str, domain: str = "any") -> Callable[..., Any]:
    """A function of Values from one row of one's own: its name, z, and a partial for each operand x, y, c.

    Formulas may use the table's functions, and + - * / **; partials also z. Nothing is added to the table.
    Raises ValueError for a name or a formula that can't be used, and says why; nothing is left to fail at the call.

    >>> cube = operation("cube", "x**3", "3*x**2")
    >>> cube(Value(1.5)).partials
    (6.75,)
    """
    checked(name, formula, partials, domain)
    operands = ", ".join(("x", "y", "c")[: len(partials)])
    return make([Rule(name, f"{name}({operands})", formula, *partials, domain=domain)])[name]


FUNCTIONS = make(TABLE)


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: function(other, self)


for rule in TABLE:
    if len(rule.operands) == 1 and not rule.many:
        setattr(Value, rule.name, FUNCTIONS[rule.name])
OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv", "mod": "mod", "pow": "pow"}
for name, method in OPERATORS.items():
    setattr(Value, f"__{method}__", FUNCTIONS[name])
    setattr(Value, f"__r{method}__", _reflected(FUNCTIONS[name]))
for name in ("neg", "abs"):
    setattr(Value, f"__{name}__", FUNCTIONS[name])
