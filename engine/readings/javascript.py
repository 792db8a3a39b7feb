"""The table read as JavaScript: the rows that a graph uses, as functions of numbers.

Like every reading it is a walk over a formula's tree with a table of templates. The functions compute as the engine's
do: sums from the left, x**2 a product, hypot by complex numbers. numbers.js has what JavaScript's Math lacks.
"""

from __future__ import annotations

from _ast import (
    AST,
    Add,
    BinOp,
    Call,
    Compare,
    Constant,
    GeneratorExp,
    IfExp,
    List,
    ListComp,
    Name,
    Pow,
    UnaryOp,
    comprehension,
)  # fmt: skip
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

from engine.formulas import parse
from engine.rules import RULES, Rule

# For each kind of node in a formula's tree, a template with a place for each of its parts.
TEMPLATES = {
    "Add": "({} + {})", "Sub": "({} - {})", "Mult": "({} * {})", "Div": "M.divide({}, {})", "Pow": "M.pow({}, {})",
    "USub": "(-{})", "UAdd": "(+{})", "IfExp": "({} ? {} : {})",
    "Gt": "{} > {}", "GtE": "{} >= {}", "Lt": "{} < {}", "LtE": "{} <= {}", "Eq": "{} === {}", "NotEq": "{} !== {}",
    "square": "M.square({})", "cube": "M.cube({})", "joined": "[...{}, ...{}]",
    "hypot": "M.hypot({}, {})", "List": "[{}]", "loop": "{}.map({} => {})", "outer loop": "{}.flatMap({} => {})",
}  # fmt: skip


def numbers() -> str:
    """The arithmetic that the functions rest on, as JavaScript."""
    return files("engine.readings").joinpath("numbers.js").read_text(encoding="utf-8")


def javascript(formula: str, called: dict[str, Rule] | None = None) -> str:
    """The formula as a JavaScript expression; the rows that it calls are added to called.

    Raises ValueError where the formula holds what python_source in formulas.py refuses, too.

    >>> javascript("sech(x)**2 / y**0.5")
    'M.divide(M.square(R.sech(x)), M.pow(y, 0.5))'
    >>> javascript("max(xs) + log(sum(exp(x - m) for m in [max(xs)] for x in xs))")
    '(M.max(xs) + M.log(M.sum([M.max(xs)].flatMap(m => xs.map(x => M.exp((x - m)))))))'
    """
    called = {} if called is None else called

    def read(tree: AST) -> str:
        match tree:
            case Constant(value=int() | float() as number) if not isinstance(number, bool):
                return repr(float(number)).removesuffix(".0")
            case Name(id="pi"):
                return "Math.PI"
            case Name(id=name):
                return name
            case UnaryOp(op=sign, operand=operand):
                return fill(sign, operand)
            case BinOp(op=Pow(), left=base, right=Constant(value=2)):
                return fill("square", base)
            case BinOp(op=Pow(), left=base, right=Constant(value=3)):
                return fill("cube", base)
            case BinOp(op=Add(), left=List() | ListComp() as left, right=right):
                return fill("joined", left, right)
            case BinOp(left=left, op=sign, right=right) | Compare(left=left, ops=[sign], comparators=[right]):
                return fill(sign, left, right)
            case IfExp(test=test, body=body, orelse=orelse):
                return fill(tree, test, body, orelse)
            case Call(func=Name(id="abs"), args=[Call(func=Name(id="complex"), args=[x, y])]):
                return fill("hypot", x, y)
            case Call(func=Name(id=name), args=arguments, keywords=[]):
                return f"{owner(name)}.{name}({', '.join(map(read, arguments))})"
            case List(elts=items):
                return TEMPLATES["List"].format(", ".join(map(read, items)))
            case ListComp(elt=item, generators=loops) | GeneratorExp(elt=item, generators=loops):
                return looped(read(item), loops)
        raise unreadable(type(tree).__name__)

    def fill(kind: str | AST, *parts: AST) -> str:
        name = kind if isinstance(kind, str) else type(kind).__name__
        if name not in TEMPLATES:
            raise unreadable(name)
        return TEMPLATES[name].format(*map(read, parts))

    def owner(name: str) -> str:
        """R has the rows that are made of others, M the rest."""
        rule = RULES.get(name)
        if rule is None or rule.value == rule.typed:
            return "M"
        called[name] = rule
        return "R"

    def looped(item: str, loops: list[comprehension]) -> str:
        for place, loop in enumerate(reversed(loops)):
            if not isinstance(loop.target, Name) or loop.ifs:
                raise unreadable(type(loop).__name__)
            item = TEMPLATES["outer loop" if place else "loop"].format(read(loop.iter), loop.target.id, item)
        return item

    def unreadable(what: str) -> ValueError:
        return ValueError(f"the formula {formula!r} holds a {what}: write it with numbers, names, calls, + - * / **")

    return read(parse(formula))


def functions(rules: Mapping[str, Rule]) -> str:
    """These rows and those that they call, as the source of `M => ({...})`: by its key, for each row an object.

    value is a function of the list of operands; partials, and shown (the forms that textbooks print, where those
    differ), are lists of functions of the operands and z, but in a row over any number of operands one that makes a
    list. M is the arithmetic; R.name(x) is the value of a row that a formula calls.

    >>> print(functions({"root": RULES["sqrt"]}))
    M => { const R = {};
    return {"root": {value: ([x]) => M.sqrt(x), partials: [([x], z) => M.divide(1, (2 * z))]}}; }
    """
    called: dict[str, Rule] = {}
    made = [f"{quoted(key)}: {{{', '.join(_parts(rule, called))}}}" for key, rule in rules.items()]
    rows = _with_all_they_call(called)
    return f"M => {{ const R = {{{', '.join(rows)}}};\nreturn {{{', '.join(made)}}}; }}"


def _parts(rule: Rule, called: dict[str, Rule]) -> Iterator[str]:
    operands = "xs" if rule.many else f"[{', '.join(rule.operands)}]"

    def slopes(formulas: Iterable[str]) -> str:
        each = [f"({operands}, z) => {javascript(formula, called)}" for formula in formulas]
        return each[0] if rule.many else f"[{', '.join(each)}]"

    yield f"value: ({operands}) => {javascript(rule.value, called)}"
    yield f"partials: {slopes(rule.partials)}"
    if rule.shown != rule.partials:
        yield f"shown: {slopes(rule.shown)}"


def _with_all_they_call(called: dict[str, Rule]) -> list[str]:
    """A member of R for each of these rows, and for those that their values call in their turn."""
    rows, waiting = dict[str, str](), list(called.values())
    for rule in waiting:
        if rule.name not in rows:
            more: dict[str, Rule] = {}
            rows[rule.name] = f"{rule.name}: ({', '.join(rule.operands)}) => {javascript(rule.value, more)}"
            waiting += more.values()
    return list(rows.values())


def quoted(text: str) -> str:
    """A text as it stands in JavaScript and inside a page."""
    import json

    return json.dumps(text).replace("<", "\\u003c")
