"""The table of derivatives: one row per operation, in a student's notation.

Nothing else in the project states a derivative. Each formula is read as numbers (the value, and the local derivative
on each edge), as a graph (the same formula over Values can be differentiated again) and as text. To add an operation is
to add a row. Next: order.py, then value.py; functions.py makes functions of the rows.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself would take longer to import than the table
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class Rule:
    """One operation: its name, how it is typed, the value z, the partials dz/dx, dz/dy, dz/dc, and its domain.

    Operands are called x, y, c in order; z is the value. Branches stand in value formulas only: in a partial an
    `if` would freeze into the graph, so partials take their kinks from rows such as step or sign, whose own partial
    is 0. A row over any number of operands, xs, has one formula for the list of its partials.
    `also` holds the forms that textbooks print, which lose digits somewhere: shown, never used.
    """

    __slots__ = ("also", "domain", "function", "many", "name", "operands", "partials", "typed", "value")

    def __init__(
        self, name: str, typed: str, value: str, *partials: str, domain: str = "any", also: tuple[str, ...] = ()
    ) -> None:
        self.name, self.typed, self.value, self.domain = name, typed, value, domain
        self.partials, self.also, self.many = partials, also, "xs" in typed
        self.operands = ("xs",) if self.many else ("x", "y", "c")[: len(partials)]
        self.function: Callable[..., Any]  # over Values and numbers; made from the row by functions.py

    def apply(self, operands: Sequence[Any]) -> Any:
        """z, from all the operands in one sequence: a Value if one of them is, else a number."""
        return self.function(operands) if self.many else self.function(*operands)

    def __repr__(self) -> str:
        slopes = ", ".join(f"dz/d{x} = {partial}" for x, partial in zip(self.operands, self.partials, strict=True))
        return f"Rule({self.name}: z = {self.typed}; {slopes}; domain: {self.domain})"


# fmt: off
TABLE = [
    # name        typed as          value z                                     partials dz/dx, dz/dy
    # -- arithmetic
    Rule("add",   "x + y",          "x + y",                                    "1", "1"),
    Rule("sub",   "x - y",          "x - y",                                    "1", "-1"),
    Rule("mul",   "x * y",          "x * y",                                    "y", "x"),
    Rule("div",   "x / y",          "x / y",                                    "1 / y", "-z / y",
         domain="y != 0", also=("1 / y", "-x / y**2")),
    Rule("neg",   "-x",             "-x",                                       "-1"),
    Rule("total", "total(xs)",      "sum(xs)",                                  "[1 for x in xs]"),
    # -- powers, exponentials, logarithms
    Rule("pow",   "x ** y",         "x ** y",                                   "term(x, y - 1, y)", "z * log0(x)",
         domain="x > 0; x = 0 and y >= 0; x < 0 and a whole y", also=("y * x ** (y - 1)", "z * log(x)")),
    Rule("sqrt",  "sqrt(x)",        "sqrt(x)",                                  "1 / (2 * z)",      domain="x >= 0"),
    Rule("exp",   "exp(x)",         "exp(x)",                                   "z"),
    Rule("expm1", "expm1(x)",       "expm1(x)",                                 "exp(x)", also=("z + 1",)),
    Rule("log",   "log(x)",         "log(x)",                                   "1 / x",            domain="x > 0"),
    Rule("log1p", "log1p(x)",       "log1p(x)",                                 "1 / (1 + x)",      domain="x > -1"),
    Rule("logsumexp", "logsumexp(xs)", "max(xs) + log(sum(exp(x - m) for m in [max(xs)] for x in xs))", "softmax(xs)"),
    # -- trigonometry
    Rule("sin",   "sin(x)",         "sin(x)",                                   "cos(x)"),
    Rule("cos",   "cos(x)",         "cos(x)",                                   "-sin(x)"),
    Rule("tan",   "tan(x)",         "tan(x)",                                   "1 + z**2", also=("1 / cos(x)**2",)),
    Rule("asin",  "asin(x)",        "asin(x)",                                  "1 / circ(x)",
         domain="-1 <= x <= 1", also=("1 / sqrt(1 - x**2)",)),
    Rule("acos",  "acos(x)",        "acos(x)",                                  "-1 / circ(x)",
         domain="-1 <= x <= 1", also=("-1 / sqrt(1 - x**2)",)),
    Rule("atan",  "atan(x)",        "atan(x)",                                  "(1 / hypot(1, x))**2",
         also=("1 / (1 + x**2)",)),
    Rule("atan2", "atan2(x, y)",    "atan2(x, y)",          # the angle of the point whose height is x
         "unit(y, x) / hypot(x, y)", "-unit(x, y) / hypot(x, y)", also=("y / (x**2 + y**2)", "-x / (x**2 + y**2)")),
    # -- hyperbolic functions
    Rule("sinh",  "sinh(x)",        "sinh(x)",                                  "cosh(x)"),
    Rule("cosh",  "cosh(x)",        "cosh(x)",                                  "sinh(x)"),
    Rule("tanh",  "tanh(x)",        "tanh(x)",                                  "sech(x)**2", also=("1 - z**2",)),
    Rule("asinh", "asinh(x)",       "asinh(x)",                                 "1 / hypot(1, x)",
         also=("1 / sqrt(1 + x**2)",)),
    Rule("acosh", "acosh(x)",       "acosh(x)",                                 "1 / (sqrt(x - 1) * sqrt(x + 1))",
         domain="x >= 1", also=("1 / sqrt(x**2 - 1)",)),
    Rule("atanh", "atanh(x)",       "atanh(x)",                                 "1 / circ(x)**2",
         domain="-1 < x < 1", also=("1 / (1 - x**2)",)),
    # -- activations, and the error function
    Rule("sigmoid", "sigmoid(x)",   "1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))", "sech(x / 2)**2 / 4",
         also=("z * (1 - z)",)),
    Rule("softplus", "softplus(x)", "(x if x > 0 else 0) + log1p(exp(-abs(x)))", "sigmoid(x)"),
    Rule("relu",  "relu(x)",        "x if x > 0 else 0",                        "step(x)"),
    Rule("leaky_relu", "leaky_relu(x)", "x if x > 0 else 0.01 * x",             "0.01 + 0.99 * step(x)"),
    Rule("silu",  "silu(x)",        "x * sigmoid(x)",                           "sigmoid(x) * (1 + x * sigmoid(-x))"),
    Rule("gelu",  "gelu(x)",        "x * (erfc(-x / sqrt(2)) / 2)",
         "erfc(-x / sqrt(2)) / 2 + x * gauss(x / sqrt(2)) / sqrt(2 * pi)"),
    Rule("erf",   "erf(x)",         "erf(x)",                                   "2 / sqrt(pi) * gauss(x)"),
    Rule("erfc",  "erfc(x)",        "erfc(x)",                                  "-2 / sqrt(pi) * gauss(x)"),
    # -- kinks: at each the subgradient of least norm
    Rule("hypot", "hypot(x, y)",    "abs(complex(x, y))",                       "unit(x, y)", "unit(y, x)",
         also=("x / z", "y / z")),
    Rule("abs",   "abs(x)",         "abs(x)",                                   "sign(x)"),
    Rule("maximum", "maximum(x, y)", "x if x >= y else y",                      "greater(x, y)", "greater(y, x)"),
    Rule("minimum", "minimum(x, y)", "x if x <= y else y",                      "greater(y, x)", "greater(x, y)"),
    # -- rows that the partials above are made of
    Rule("step",  "step(x)",        "1 if x > 0 else 0",                        "0"),
    Rule("sign",  "sign(x)",        "1 if x > 0 else -1 if x < 0 else 0",       "0"),
    Rule("greater", "greater(x, y)", "1 if x > y else 0.5 if x == y else 0",    "0", "0"),
    Rule("sech",  "sech(x)",        "2 * exp(-abs(x)) / (1 + exp(-abs(x))**2)", "-z * tanh(x)"),
    Rule("circ",  "circ(x)",        "sqrt((1 - x) * (1 + x))",                  "-x / z",     domain="-1 <= x <= 1"),
    Rule("gauss", "gauss(x)",       "exp(-x**2)",                               "-2 * (x * z)"),
    # x / hypot(x, y), the cosine of an angle; x / z in hypot's row would cancel in second derivatives
    Rule("unit",  "unit(x, y)",     "x / hypot(x, y) if hypot(x, y) > 0 else 0",
         "unit(y, x) / hypot(x, y) * unit(y, x)", "-z / hypot(x, y) * unit(y, x)"),
    Rule("log0",  "log0(x)",        "log(x) if x != 0 else 0",                  "1 / x",            domain="x >= 0"),
    # c * x**y, a term of a polynomial: 0 once c is 0, so that x**2 has all its derivatives at x = 0
    Rule("term",  "term(x, y, c)",  "c * x ** y if c != 0 else 0",
         "term(x, y - 1, c * y)", "z * log0(x)", "x ** y", domain="c = 0, or x ** y in its own domain"),
    # the first operand's share of the whole, exp(x) / sum of exp(xs); z * (1 - z) would cancel
    Rule("share", "share(xs)",      "first(softmax(xs))",
         "[z * sum(rest(softmax(xs)))] + [-z * p for p in rest(softmax(xs))]"),
]
# fmt: on
