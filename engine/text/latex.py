"""A formula of the table as LaTeX, for a handout: fractions, powers, roots, and names with subscripts.

The templates of symbols.py's one walk, for LaTeX's math mode. Whatever a label holds, the LaTeX stays valid.
"""

from __future__ import annotations

from _ast import AST, BinOp, Call, Constant, GeneratorExp, Name, Pow

from engine.formulas import parse
from engine.text.names import number_text
from engine.text.symbols import ATOM, IN_TEXT, LOOSE, POWER, PRODUCT, SHOWN_OPERANDS, SIGN, SUM, Notation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.text.symbols import Templates, Texts
    from engine.value import Value

GREEK = {name: f"\\{name}" for name in (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi", "pi",
    "rho", "sigma", "tau", "phi", "chi", "psi", "omega")}  # fmt: skip
GREEK |= dict(zip("αβγδεζηθκλμνξπρστφχψω", GREEK.values(), strict=True))
SYMBOLS = {"\\": r"\backslash ", "~": r"\sim ", "^": r"\wedge ", "<": "<", ">": ">", "|": "|"}
SYMBOLS |= {"∂": r"\partial ", "Σ": r"\Sigma ", "·": r"\cdot ", "×": r"\times "}
SYMBOLS |= {c: f"\\{c}" for c in "_#$%&{}"}  # math mode knows these everywhere; in text mode, MathJax doesn't
OPERATORS = {name: f"\\{name}" for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh")}
OPERATORS |= {
    "total": r"\Sigma",
    "sum": r"\Sigma",
    "asin": r"\arcsin",
    "acos": r"\arccos",
    "atan": r"\arctan",
    "sigmoid": r"\sigma",
}
OPERATORS |= {"maximum": r"\max", "minimum": r"\min", "max": r"\max", "min": r"\min"}


SPECIAL = ("sqrt", "exp", "abs")  # functions with a way of their own


IN_LATEX: Templates = {
    **IN_TEXT,
    "Mult": (r"{} \cdot {}", PRODUCT, (PRODUCT, SIGN)),
    "Div": (r"\frac{{{}}}{{{}}}", POWER, (LOOSE, LOOSE)),
    "Pow": ("{}^{{{}}}", POWER, (ATOM, LOOSE)),
    "Call": (r"{}\left({}\right)", ATOM, (LOOSE, LOOSE)),
    "Subscript": ("{}_{{{}}}", ATOM, (ATOM, LOOSE)),
    "List": (r"\left[{}\right]", ATOM, (LOOSE,)),
    "ListComp": (r"\left[{} : {}\right]", ATOM, (LOOSE, LOOSE)),
    "comprehension": (r"{} \in {}", LOOSE, (LOOSE, LOOSE)),
    "IfExp": (r"{1} \text{{ if }} {0} \text{{ else }} {2}", LOOSE, (LOOSE, LOOSE, LOOSE)),
    "GtE": (r"{} \geq {}", LOOSE, (LOOSE, LOOSE)),
    "LtE": (r"{} \leq {}", LOOSE, (LOOSE, LOOSE)),
    "Eq": ("{} = {}", LOOSE, (LOOSE, LOOSE)),
    "NotEq": (r"{} \neq {}", LOOSE, (LOOSE, LOOSE)),
    "sqrt": (r"\sqrt{{{}}}", ATOM, (LOOSE,)),
    "exp": ("e^{{{}}}", POWER, (LOOSE,)),
    "abs": (r"\left|{}\right|", ATOM, (LOOSE,)),
    "power of a call": (r"{}^{{{}}}\left({}\right)", POWER, (LOOSE, LOOSE, LOOSE)),
    "sum over": (r"\sum_{{{}}} {}", SUM, (LOOSE, PRODUCT)),
}


class Latex(Notation):
    """As LaTeX."""

    templates = IN_LATEX
    parentheses, ellipsis, between_loops = r"\left({}\right)", r"\ldots", ", "

    def number(self, number: float) -> str:
        return latex_number(number)

    def name(self, name: str) -> str:
        return latex_name(name)

    def function(self, name: str) -> str:
        return OPERATORS.get(name) or rf"\operatorname{{{name.replace('_', chr(92) + '_')}}}"

    def binding(self, text: str) -> int:
        if text.startswith("-"):
            return SIGN
        if r"\text" in text or r"\#" in text:
            return LOOSE
        return PRODUCT if r"\cdot" in text else POWER if "^" in text else ATOM

    def apart(self, tree: AST, texts: Texts) -> tuple[str, list[AST | str]]:
        match tree:
            case Call(func=Name(id="sqrt" | "exp" | "abs" as name), args=[operand]):
                return name, [operand]
            case BinOp(
                left=Call(func=Name(id=name), args=arguments), op=Pow(), right=Constant(value=2 | 3) as power
            ) if name not in SPECIAL:
                return "power of a call", [self.function(name), power, self.row(arguments, texts)]
            case Call(func=Name(id="sum"), args=[GeneratorExp(elt=item, generators=loops)]):
                return "sum over", [self.row(loops, texts, self.between_loops), item]
        return super().apart(tree, texts)

    def formula(self, node: Value, names: Mapping[Value, str]) -> str:
        """What the node was computed as, or a leaf's number; an n-ary sum has plus signs."""
        if node.rule is None or node.rule.name != "total":
            return super().formula(node, names)
        operands = [self.number(each) if isinstance(each, float) else self.name(names[each]) for each in node.inputs]
        shown = operands[:SHOWN_OPERANDS]
        terms = [self.fenced(text, self.binding(text), PRODUCT, first=i == 0) for i, text in enumerate(shown)]
        return " + ".join([*terms, r"\cdots"] if len(operands) > len(shown) else terms)


LATEX = Latex()


def latex_formula(formula: str, texts: Texts | None = None) -> str:
    """A formula as LaTeX (math mode), with LaTeX put in for its names; other names as latex_name writes them.

    Raises ValueError where it holds more than the table's notation.

    >>> print(latex_formula("-x / y**2 * sech(s)**2"))
    \\frac{-x}{y^{2}} \\cdot \\operatorname{sech}^{2}\\left(s\\right)
    """
    return LATEX.written(parse(formula), texts or {})


def latex_number(x: float) -> str:
    """The number with 4 significant digits, as in number_text, with a power of ten: 1.7 \\cdot 10^{-17}."""
    text = number_text(x)
    if text in ("inf", "-inf", "nan"):
        return text.replace("inf", r"\infty").replace("nan", r"\text{nan}")
    digits, _, exponent = text.partition("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}" if exponent else digits


def latex_name(name: str) -> str:
    """A label as LaTeX (math mode): a letter, a word upright, a number after it or in brackets as a subscript.

    >>> print(*map(latex_name, ("w", "v12", "theta", "hidden[2].w[3]", "learning_rate", "50%", "x#2")))
    w v_{12} \\theta \\mathrm{hidden}_{2}.w_{3} \\mathrm{learning\\_rate} \\text{50}\\% x\\#2
    """
    label, _, use = name.rpartition("#")
    if label and use.isdecimal() and use.isascii():  # the second of a label, as display_names counts them
        return rf"{latex_name(label)}\#{use}"
    parts = [_part(part) for part in name.split(".")]
    if all(parts):
        return ".".join(parts)  # type: ignore[arg-type]
    return latex_text(name)


def latex_text(label: str) -> str:
    """Any text as LaTeX (math mode): runs of \\text, and symbols for what is special to LaTeX."""
    pieces, run = [], ""
    for c in label + "\\":  # a last one, to end the run
        if c not in SYMBOLS:
            run += c if c.isprintable() else " "
            continue
        if run:
            pieces.append(rf"\text{{{run}}}")
        pieces.append(SYMBOLS[c])
        run = ""
    return "".join(pieces[:-1]).strip() or r"\text{''}"


def _part(part: str) -> str | None:
    """hidden[2] or w3 as LaTeX; None if it is of no such form."""
    word, *brackets = part.split("[")
    if not all(index.endswith("]") and index[:-1].isdecimal() and index.isascii() for index in brackets):
        return None
    indices = [index[:-1] for index in brackets]
    stem = word.rstrip("0123456789")
    if stem != word and stem and (stem[-1] != "_" or len(stem) > 1):
        indices.insert(0, word[len(stem) :])
        word = stem.removesuffix("_")
    if word in GREEK:
        base = GREEK[word]
    elif word.isidentifier() and word.isascii():
        base = word if len(word) == 1 and word != "_" else rf"\mathrm{{{word.replace('_', chr(92) + '_')}}}"
    else:
        return None
    return base + (f"_{{{','.join(indices)}}}" if indices else "")
