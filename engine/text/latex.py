"""A formula of the table as LaTeX, for a handout: fractions, powers, roots, and names with subscripts.

The same trees that notation.py writes as text, walked once more. Whatever a label holds, the LaTeX stays valid.
"""

from __future__ import annotations

from _ast import (
    AST,
    BinOp,
    Call,
    Compare,
    Constant,
    Div,
    GeneratorExp,
    IfExp,
    List,
    ListComp,
    Name,
    Pow,
    Subscript,
    UnaryOp,
    comprehension,
)  # fmt: skip

from engine.formulas import parse
from engine.text.names import ATOM, LOOSE, POWER, PRODUCT, SIGN, SUM, number_text
from engine.text.symbols import INFIX, SHOWN_OPERANDS, local_derivative, operand_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
FENCED = {"sqrt": (r"\sqrt{{{}}}", ATOM), "exp": ("e^{{{}}}", POWER), "abs": (r"\left|{}\right|", ATOM)}
COMPARED = {"Gt": ">", "GtE": r"\geq", "Lt": "<", "LtE": r"\leq", "Eq": "=", "NotEq": r"\neq"}


def latex_formula(formula: str | AST, texts: Mapping[str, str] | None = None) -> str:
    """A formula as LaTeX (math mode), with LaTeX put in for its names; other names as latex_name writes them.

    Raises ValueError where it holds more than the table's notation.

    >>> print(latex_formula("-x / y**2 * sech(s)**2"))
    \\frac{-x}{y^{2}} \\cdot \\operatorname{sech}^{2}\\left(s\\right)
    """
    return _written(parse(formula) if isinstance(formula, str) else formula, texts or {})[0]


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


def formula_latex(node: Value, names: Mapping[Value, str]) -> str:
    """formula_text as LaTeX: what the node was computed as, or a leaf's number; an n-ary sum has plus signs."""
    if node.rule is None:
        return latex_number(node.data)
    if node.rule.name == "total":
        shown = range(min(len(node.inputs), SHOWN_OPERANDS))
        terms = [_fenced(_texts(node, slot, names)[f"xs[{slot}]"], SUM + 1, first=slot == 0) for slot in shown]
        return " + ".join(terms + [r"\cdots"] * (len(node.inputs) > len(terms)))
    return latex_formula(node.rule.typed, _texts(node, 0, names))


def local_derivative_latex(node: Value, slot: int, names: Mapping[Value, str]) -> tuple[str, str]:
    """local_derivative_text as LaTeX: in symbols, and with numbers put in; raises as that does."""
    tree = local_derivative(node, slot)
    numbers = operand_texts(node, slot, lambda operand: latex_number(operand.data), latex_number, r"\ldots")
    symbols = _texts(node, slot, names) | {"z": latex_name(names[node])}
    return latex_formula(tree, symbols), latex_formula(tree, numbers | {"z": latex_number(node.data)})


def _texts(node: Value, slot: int, names: Mapping[Value, str]) -> dict[str, str]:
    return operand_texts(node, slot, lambda operand: latex_name(names[operand]), latex_number, r"\ldots")


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


def _written(tree: AST, texts: Mapping[str, str]) -> tuple[str, int]:
    def whole(tree: AST) -> str:
        return _written(tree, texts)[0]

    def within(tree: AST, level: int, first: bool = False) -> str:
        return _fenced(whole(tree), level, _written(tree, texts)[1], first)

    match tree:
        case Name(id=name):
            text = texts[name] if name in texts else latex_name(name)
            return text, _binding(text)
        case Constant(value=int() | float() as number):
            return latex_number(number), _binding(latex_number(number))
        case UnaryOp(operand=operand):
            return "-" + within(operand, SIGN), SIGN
        case BinOp(left=Call(func=Name(id=name), args=arguments), op=Pow(), right=Constant(value=2 | 3 as power)) if (
            name not in FENCED
        ):
            return f"{_operator(name)}^{{{power}}}{_arguments(map(whole, arguments))}", POWER
        case BinOp(left=base, op=Pow(), right=exponent):
            return f"{within(base, ATOM)}^{{{whole(exponent)}}}", POWER
        case BinOp(left=left, op=Div(), right=right):
            return rf"\frac{{{whole(left)}}}{{{whole(right)}}}", POWER
        case BinOp(left=left, op=sign, right=right):
            infix, binds = INFIX[type(sign).__name__]
            infix = r"\cdot" if infix == "*" else infix
            return f"{within(left, binds, True)} {infix} {within(right, binds + 1)}", binds
        case Compare(left=left, ops=[sign], comparators=[right]):
            return f"{whole(left)} {COMPARED[type(sign).__name__]} {whole(right)}", LOOSE
        case IfExp(test=test, body=body, orelse=orelse):
            return rf"{whole(body)} \text{{ if }} {whole(test)} \text{{ else }} {whole(orelse)}", LOOSE
        case Call(func=Name(id="sum"), args=[GeneratorExp(elt=item, generators=loops)]):
            return rf"\sum_{{{', '.join(map(whole, loops))}}} {within(item, PRODUCT)}", SUM
        case Call(func=Name(id=name), args=[operand]) if name in FENCED:
            return FENCED[name][0].format(whole(operand)), FENCED[name][1]
        case Call(func=Name(id=name), args=arguments):
            return _operator(name) + _arguments(map(whole, arguments)), ATOM
        case Subscript(value=value, slice=slot):
            return f"{within(value, ATOM)}_{{{whole(slot)}}}", ATOM
        case List(elts=items):
            return rf"\left[{', '.join(map(whole, items))}\right]", ATOM
        case ListComp(elt=item, generators=loops):
            return rf"\left[{whole(item)} : {', '.join(map(whole, loops))}\right]", ATOM
        case comprehension(target=target, iter=items):
            return rf"{whole(target)} \in {whole(items)}", LOOSE
    raise ValueError(f"a formula can't hold a {type(tree).__name__}")


def _operator(name: str) -> str:
    return OPERATORS.get(name) or rf"\operatorname{{{name.replace('_', chr(92) + '_')}}}"


def _arguments(arguments: Iterable[str]) -> str:
    return rf"\left({', '.join(arguments)}\right)"


def _fenced(text: str, level: int, binds: int | None = None, first: bool = False) -> str:
    binds = _binding(text) if binds is None else binds
    return text if binds >= level and (first or not text.startswith("-")) else rf"\left({text}\right)"


def _binding(text: str) -> int:
    """Of what is put in for a name: how strongly it binds."""
    if text.startswith("-"):
        return SIGN
    if r"\text" in text or r"\#" in text:
        return LOOSE
    return PRODUCT if r"\cdot" in text else POWER if "^" in text else ATOM
