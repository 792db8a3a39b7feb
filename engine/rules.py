"""The table of derivatives: one row per operation, in a student's notation.

Nothing else in the project states a derivative. Each formula is read as numbers (the value, and the local derivative
on each edge), as a graph (the same formula over Values can be differentiated again) and as text. To add an operation is
to add a row. Next: order.py, then value.py; operations.py makes functions of the rows.
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
    Where textbooks print other forms, which lose digits somewhere, the row names them and they are never computed with:
    `shown` in the place of its own, or `also` beside them. `says` is what isn't school knowledge, with its source.
    `shared` is for a tape that computes many samples at once: what value and partials share, then these by it. decay(x)
    is exp(-x) for x >= 0, ratio(n, e) n / (1 + e), tanh_part(x) what tanh needs (tape/functions.py).
    """

    __slots__ = (
        "also", "domain", "function", "many", "name", "operands", "partials", "says", "shared", "shown",
        "typed", "value",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        typed: str,
        value: str,
        *partials: str,
        domain: str = "any",
        shown: tuple[str, ...] = (),
        also: tuple[str, ...] = (),
        says: str = "",
        shared: tuple[str, ...] = (),
    ) -> None:
        self.name, self.typed, self.value, self.domain, self.says = name, typed, value, domain, says
        self.partials, self.shown, self.also = partials, shown or partials, also or shown
        self.shared, self.many = shared, "xs" in typed
        self.operands = ("xs",) if self.many else ("x", "y", "c")[: len(partials)]
        self.function: Callable[..., Any]  # over Values and numbers; made from the row by operations.py

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
         domain="y != 0", shown=("1 / y", "-x / y**2")),
    Rule("neg",   "-x",             "-x",                                       "-1"),
    Rule("total", "total(xs)",      "sum(xs)",                                  "[1 for x in xs]"),
    # -- powers, exponentials, logarithms
    Rule("pow",   "x ** y",         "x ** y",                                   "term(x, y - 1, y)", "z * log0(x)",
         domain="x > 0; x = 0 and y >= 0; x < 0 and a whole y", shown=("y * x ** (y - 1)", "z * log(x)")),
    Rule("sqrt",  "sqrt(x)",        "sqrt(x)",                                  "1 / (2 * z)",      domain="x >= 0"),
    Rule("exp",   "exp(x)",         "exp(x)",                                   "z"),
    Rule("exp2",  "exp2(x)",        "2 ** x",                                   "z * log(2)"),
    Rule("expm1", "expm1(x)",       "expm1(x)",                                 "exp(x)", also=("z + 1",),
         says="exp(x) - 1, which doesn't cancel near 0"),
    Rule("log",   "log(x)",         "log(x)",                                   "1 / x",            domain="x > 0"),
    Rule("log2",  "log2(x)",        "log2(x)",                                  "1 / log(2) / x",   domain="x > 0"),
    Rule("log10", "log10(x)",       "log10(x)",                                 "1 / log(10) / x",  domain="x > 0"),
    Rule("log1p", "log1p(x)",       "log1p(x)",                                 "1 / (1 + x)",      domain="x > -1",
         says="log(1 + x), which is exact near 0"),
    Rule("logaddexp", "logaddexp(x, y)", "maximum(x, y) + log1p(exp(-abs(x - y)))", "sigmoid(x - y)", "sigmoid(y - x)",
         says="log(exp(x) + exp(y)), shifted by the larger"),
    Rule("logsumexp", "logsumexp(xs)", "max(xs) + log(sum(exp(x - m) for m in [max(xs)] for x in xs))", "softmax(xs)",
         says="log of the sum of exp over xs, shifted by the largest (Blanchard, Higham and Higham, 2021)"),
    # -- trigonometry
    Rule("sin",   "sin(x)",         "sin(x)",                                   "cos(x)"),
    Rule("cos",   "cos(x)",         "cos(x)",                                   "-sin(x)"),
    Rule("tan",   "tan(x)",         "tan(x)",                                   "1 + z**2", shown=("1 / cos(x)**2",)),
    Rule("asin",  "asin(x)",        "asin(x)",                                  "1 / circ(x)",
         domain="-1 <= x <= 1", shown=("1 / sqrt(1 - x**2)",)),
    Rule("acos",  "acos(x)",        "acos(x)",                                  "-1 / circ(x)",
         domain="-1 <= x <= 1", shown=("-1 / sqrt(1 - x**2)",)),
    Rule("atan",  "atan(x)",        "atan(x)",                                  "(1 / hypot(1, x))**2",
         shown=("1 / (1 + x**2)",)),
    Rule("atan2", "atan2(x, y)",    "atan2(x, y)",          # the angle of the point whose height is x
         "unit(y, x) / hypot(x, y)", "-unit(x, y) / hypot(x, y)", shown=("y / (x**2 + y**2)", "-x / (x**2 + y**2)")),
    # -- hyperbolic functions
    Rule("sinh",  "sinh(x)",        "sinh(x)",                                  "cosh(x)"),
    Rule("cosh",  "cosh(x)",        "cosh(x)",                                  "sinh(x)"),
    Rule("tanh",  "tanh(x)",        "tanh(x)",                                  "sech(x)**2", also=("1 - z**2",),
         shared=("v = tanh_part(x); w = 1 - v if abs(x) < 0.625 else v",
                 "copysign(v if abs(x) < 0.625 else 1 - v, x)", "w * (2 - w)")),
    Rule("asinh", "asinh(x)",       "asinh(x)",                                 "1 / hypot(1, x)",
         shown=("1 / sqrt(1 + x**2)",)),
    Rule("acosh", "acosh(x)",       "acosh(x)",                                 "1 / (sqrt(x - 1) * sqrt(x + 1))",
         domain="x >= 1", shown=("1 / sqrt(x**2 - 1)",)),
    Rule("atanh", "atanh(x)",       "atanh(x)",                                 "1 / circ(x)**2",
         domain="-1 < x < 1", shown=("1 / (1 - x**2)",)),
    # -- activations, and the error function
    Rule("sigmoid", "sigmoid(x)",   "1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))", "sech(x / 2)**2 / 4",
         shown=("z * (1 - z)",), says="the logistic function, 1 / (1 + exp(-x))",
         shared=("e = decay(abs(x))", "ratio(1 if x >= 0 else e, e)", "z * (e * z if x >= 0 else 1 - z)")),
    Rule("logsigmoid", "logsigmoid(x)", "-softplus(-x)",                        "sigmoid(-x)",
         says="log(sigmoid(x)), which doesn't underflow"),
    Rule("softplus", "softplus(x)", "(x if x > 0 else 0) + log1p(exp(-abs(x)))", "sigmoid(x)",
         says="log(1 + exp(x)), a relu without a kink (Dugas et al., 2000)",
         shared=("e = decay(abs(x))", "(x if x > 0 else 0) + log1p(e)", "ratio(1 if x >= 0 else e, e)")),
    Rule("relu",  "relu(x)",        "x if x > 0 else 0",                        "step(x)",
         says="the rectified linear unit (Nair and Hinton, 2010)"),
    Rule("leaky_relu", "leaky_relu(x)", "x if x > 0 else 0.01 * x",             "0.01 + 0.99 * step(x)",
         says="a relu with a slope of 0.01 below 0 (Maas, Hannun and Ng, 2013)"),
    Rule("elu",   "elu(x)",         "x if x > 0 else expm1(x)",                 "exp(-relu(-x))",
         says="the exponential linear unit, with α = 1 (Clevert, Unterthiner and Hochreiter, 2016)"),
    Rule("silu",  "silu(x)",        "x * sigmoid(x)",                           "sigmoid(x) + x * sech(x / 2)**2 / 4",
         shown=("sigmoid(x) * (1 + x * sigmoid(-x))",),
         says="the sigmoid linear unit, or swish (Elfwing, Uchibe and Doya, 2018)",
         shared=("e = decay(abs(x)); s = ratio(1 if x >= 0 else e, e)", "x * s",
                 "s * (1 + x * (e * s if x >= 0 else 1 - s))")),
    Rule("gelu",  "gelu(x)",        "x * (erfc(-x / sqrt(2)) / 2)",
         "erfc(-x / sqrt(2)) / 2 + x * gauss(x / sqrt(2)) / sqrt(2 * pi)",
         says="Gaussian error linear unit: x times the share of normal numbers below x (Hendrycks and Gimpel, 2016)"),
    Rule("erf",   "erf(x)",         "erf(x)",                                   "2 / sqrt(pi) * gauss(x)",
         says="the error function, 2/√π times the integral of exp(-t²) from 0 to x (Abramowitz and Stegun, 7.1.1)"),
    Rule("erfc",  "erfc(x)",        "erfc(x)",                                  "-2 / sqrt(pi) * gauss(x)",
         says="1 - erf(x), which keeps its digits where erf is near 1 (Abramowitz and Stegun, 7.1.2)"),
    # -- kinks: at each the subgradient of least norm, the convention that PyTorch states (notes on autograd mechanics)
    Rule("hypot", "hypot(x, y)",    "abs(complex(x, y))",                       "unit(x, y)", "unit(y, x)",
         shown=("x / z", "y / z")),
    Rule("abs",   "abs(x)",         "abs(x)",                                   "sign(x)"),
    Rule("maximum", "maximum(x, y)", "x if x >= y else y",                      "greater(x, y)", "greater(y, x)"),
    Rule("minimum", "minimum(x, y)", "x if x <= y else y",                      "greater(y, x)", "greater(x, y)"),
    # Called clip(x, low, high). At a bound 0, which is least (PyTorch has 1 there); floor takes the ½ of a tie to 0.
    # Where low > high it is high, as in NumPy.
    Rule("clip",  "clip(x, y, c)",  "minimum(maximum(x, y), c)",
         "floor(greater(x, y)) * floor(greater(c, x))",
         "floor(greater(c, y)) * (1 - floor(greater(x, y)))",
         "1 - floor(greater(c, maximum(x, y)))"),
    Rule("floor", "floor(x)",       "floor(x)",                                 "0"),
    # a jump, too: the remainder with the sign of y, as Python's %; the quotient (x - z) / y is whole but for rounding
    Rule("mod",   "mod(x, y)",      "mod(x, y)",                                "1", "-floor((x - z) / y + 0.5)",
         domain="y != 0", also=("1", "-floor(x / y)")),
    # -- rows that the partials above are made of
    Rule("step",  "step(x)",        "1 if x > 0 else 0",                        "0"),
    Rule("sign",  "sign(x)",        "1 if x > 0 else -1 if x < 0 else 0",       "0"),
    Rule("greater", "greater(x, y)", "1 if x > y else 0.5 if x == y else 0",    "0", "0"),
    Rule("detach", "detach(x)",     "x",                                        "0"),
    Rule("sech",  "sech(x)",        "2 * exp(-abs(x)) / (1 + exp(-abs(x))**2)", "-z * tanh(x)"),
    Rule("circ",  "circ(x)",        "sqrt((1 - x) * (1 + x))",                  "-x / z",     domain="-1 <= x <= 1"),
    Rule("gauss", "gauss(x)",       "exp(-x**2)",                               "-2 * (x * z)"),
    # x / z in hypot's row would cancel in second derivatives
    Rule("unit",  "unit(x, y)",     "x / hypot(x, y) if hypot(x, y) > 0 else 0",
         "unit(y, x) / hypot(x, y) * unit(y, x)", "-z / hypot(x, y) * unit(y, x)",
         says="x / hypot(x, y), the cosine of an angle"),
    Rule("log0",  "log0(x)",        "log(x) if x != 0 else 0",                  "1 / x",            domain="x >= 0"),
    # by y a term has no derivative at x < 0, nor at 0**0, unless c is 0
    Rule("term",  "term(x, y, c)",  "c * x ** y if c != 0 else 0",
         "term(x, y - 1, c * y)", "z * log0(relu(x)) / (1 - step(abs(z)) * (1 - step(x)))", "x ** y",
         domain="c = 0, or x ** y in its own domain", shown=("term(x, y - 1, c * y)", "z * log0(x)", "x ** y"),
         says="c * x**y, a term of a polynomial: 0 once c is 0, so that x**2 has all its derivatives at x = 0"),
    # the first operand's share of the whole, exp(x) / sum of exp(xs); z * (1 - z) would cancel
    Rule("share", "share(xs)",      "first(softmax(xs))",
         "[z * sum(rest(softmax(xs)))] + [-z * p for p in rest(softmax(xs))]",
         says="the first operand's share of the whole, exp(x) / sum of exp over xs"),
]
# fmt: on

RULES = {rule.name: rule for rule in TABLE}
