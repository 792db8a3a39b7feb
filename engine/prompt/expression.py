"""An expression from outside, such as "s = w*x + b; tanh(s)", read safely into a graph.

A small parser reads numbers, names, + - * / **, parentheses and the table's functions, with Python's precedence, and
builds the graph as it goes; nothing is evaluated as Python. It doesn't recurse, so no text is too deep for it.
What is wrong is shown with a caret under the place. Next: __main__.py, which takes what is read here.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import NamedTuple

from engine.domain import DomainError
from engine.order import topological_order
from engine.rules import RULES, TABLE
from engine.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.rules import Rule

LENGTH = 10_000  # characters of a text
DEPTH = 100  # operators and parentheses that wait for their end at one place
NODES = 1_000  # of a graph: more than anybody follows step by step
NAME = 100  # characters of a name
AROUND = 36  # columns shown on either side of a place

BINARY = {  # how tightly an operator binds, and its row; between * and ** comes the minus sign
    "+": (1, RULES["add"]),
    "-": (1, RULES["sub"]),
    "*": (2, RULES["mul"]),
    "/": (2, RULES["div"]),
    "**": (4, RULES["pow"]),
}
MINUS = 3

# Greek letters are names as well (ρ, Δw); other letters beyond ASCII have doubles that look the same.
LETTERS = "A-Za-zΑ-Ωα-ω"
TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    rf"|(?P<name>[{LETTERS}][{LETTERS}0-9_]*)"
    r"|(?P<refused>==|//)"
    r"|(?P<symbol>\*\*|[-+*/()=,;])"
    r"| +"
)
CONTINUES = re.compile(rf"[{LETTERS}0-9_]+")

INSTEAD = {  # what to write instead of what can't be read
    "^": "write ** for a power", "²": "write **2", "³": "write **3", "//": "write / to divide", "\t": "write a space",
    "−": "write - for minus", "–": "write - for minus", "×": "write * to multiply", "·": "write * to multiply",
    "÷": "write / to divide", "==": "nothing is compared here, and one = names a part", "\n": "write ; between parts",
    ":": "write = to name a part", "[": "write ( instead", "]": "write ) instead", "{": "write ( instead",
    "}": "write ) instead", ".": "nothing has attributes here", "_": "a name begins with a letter",
    "'": "there are no strings here", '"': "there are no strings here",
}  # fmt: skip
MISPLACED = "= gives a name to a part, at the start of it: name = …; …"
SPOKEN = {"\t": "a tab", "\n": "a line break", "\r": "a line break", "'": "a quotation mark", '"': "a quotation mark"}
FUNCTIONS_INSTEAD = {"ln": "log", "sum": "total", "max": "maximum", "min": "minimum"}


class ExpressionError(ValueError):
    """A text that can't be read: one sentence, then, where a place can be told, the text with a caret under it."""


def read_expression(text: str, numbers: Mapping[str, float]) -> tuple[Value, dict[str, Value]]:
    """E, the graph that a text describes, and its named nodes, with the names' numbers at its leaves.

    Parts are separated by `;`; `name = …` names a part, a node then, and the last part, named or not, is E. Numbers
    are floats at once, and operations on them alone are carried out; a number with a name, as in `c = 2; …`, is a leaf.
    Raises ExpressionError where the text can't be read or computed, or names and numbers don't match; TypeError for a
    text that isn't a str and numbers that aren't real.

    >>> E, names = read_expression("s = w*x + b; tanh(s)", {"w": 0.7, "x": 1.4, "b": -1.3})
    >>> E.data == names["s"].tanh().data
    True
    >>> names["s"]
    Value(data=-0.3200000000000002, grad=None, label='s')
    >>> read_expression("tanh(w*x", {"w": 0.7, "x": 1.4})
    Traceback (most recent call last):
    engine.prompt.expression.ExpressionError: this ( is never closed
      tanh(w*x
          ^
    """
    if not isinstance(text, str):
        raise TypeError(f"an expression is a str, not {type(text).__name__}")
    reader = _Reader(text, numbers)
    E = reader.read()
    used = set(topological_order(E))
    for token in reader.assigned:
        if reader.names[token.text] not in used:
            raise _error(f"{token.text} is named here, but the last part, E, makes no use of it", text, token.at)
    if unused := [name for name in numbers if name not in reader.names]:
        raise ExpressionError(f"a number was given for {_listed(unused)}, which the expression doesn't hold")
    return E, reader.names


def read_assignment(text: str) -> tuple[str, float]:
    """The name and the number of `NAME=NUMBER`. Raises ExpressionError for anything else.

    >>> read_assignment("b=-1.3")
    ('b', -1.3)
    """
    tokens = _tokens(text)
    if tokens[0].kind not in ("name", "function") or tokens[1].kind != "=":
        raise _error("NAME=NUMBER is expected after the expression, such as w=0.7", text, 0)
    _check_free(tokens[0], text)
    number = tokens[2:-1]
    sign = -1.0 if number and number[0].kind == "-" else 1.0
    if number and number[0].kind in ("-", "+"):
        del number[0]
    if [token.kind for token in number] != ["number"]:
        raise _error("a number is expected after =, such as 0.7 or -1e-3", text, tokens[2].at)
    return tokens[0].text, sign * _number(number[0], text)


class Token(NamedTuple):
    """A word of the text. Its kind is "number", "name", "function", the symbol itself, or "" at the end."""

    kind: str
    text: str
    at: int


class Waiting(NamedTuple):
    """An operator; or an opening parenthesis, which binds 0, with the function that it calls, if it calls one."""

    binds: int
    rule: Rule | None
    token: Token
    below: int  # how many operands there are before its own
    called: Token | None = None  # the function's name


class _Reader:
    """One text being read, by Dijkstra's shunting yard: operators wait on a stack for one that binds no tighter."""

    def __init__(self, text: str, numbers: Mapping[str, float]) -> None:
        self.text, self.numbers = text, numbers
        self.tokens = _tokens(text)
        self.position = 0
        self.operands: list[Value | float] = []
        self.waiting: list[Waiting] = []
        self.names: dict[str, Value] = {}
        self.assigned: list[Token] = []
        self.nodes = 0

    def read(self) -> Value:
        while True:
            name = self.name_of_part()
            first = self.tokens[self.position]
            result = self.part()
            last = self.tokens[self.position - 1].kind == ""
            if last and isinstance(result, float):
                raise self.error("this has no name in it: a plain number, with nothing to differentiate by", first)
            if name is not None:
                self.give_name(name, result)
            if last:
                assert isinstance(result, Value)
                return result

    def name_of_part(self) -> Token | None:
        name, equals = self.tokens[self.position], self.tokens[self.position + 1 : self.position + 2]
        if not equals or equals[0].kind != "=" or name.kind not in ("name", "function"):
            return None
        _check_free(name, self.text)
        if name.text in self.numbers:
            raise self.error(f"{name.text} is named here, and given a number as well: leave out one", name)
        if name.text in self.names:
            raise self.error(f"{name.text} names a part already: choose another name", name)
        self.position += 2
        return name

    def give_name(self, name: Token, result: Value | float) -> None:
        if isinstance(result, float):
            result = self.counted(Value(result), name)
        elif result.label is not None:
            raise self.error(f"{name.text} would be a second name of {result.label}: use that one", name)
        result.label = name.text
        self.names[name.text] = result
        self.assigned.append(name)

    def part(self) -> Value | float:
        """One part, up to the ; or the end that follows it."""
        self.operand()
        while self.operator():
            self.operand()
        return self.operands.pop()

    def operand(self) -> None:
        """A number or a name; minus signs and opening parentheses before it wait."""
        while (token := self.take()).kind in ("-", "(", "function"):
            if token.kind == "-":
                self.wait(MINUS, RULES["neg"], token)
            elif token.kind == "(":
                self.wait(0, None, token)
            else:
                self.call(token)
        if token.kind == "number":
            self.operands.append(_number(token, self.text))
        elif token.kind == "name":
            self.operands.append(self.node(token))
        else:
            if not self.text.strip():
                raise self.error("the expression is empty", token)
            found = f", not {token.text}" if token.kind else ""
            raise self.error(f"a number, a name or ( is expected here{found}", token)

    def operator(self) -> bool:
        """What follows an operand: closing parentheses, then an operator or a comma; False at the end of the part."""
        while (token := self.take()).kind == ")":
            self.close(token)
        if token.kind in BINARY:
            binds, rule = BINARY[token.kind]
            self.apply_waiting(binds + 1 if token.kind == "**" else binds)  # ** binds to the right
            self.wait(binds, rule, token)
        elif token.kind == ",":
            self.apply_waiting(1)
            if not self.waiting or self.waiting[-1].rule is None:
                raise self.error("a comma stands only between the operands of a function", token)
        elif token.kind in (";", ""):
            self.apply_waiting(1)
            if self.waiting:
                raise self.error("this ( is never closed", self.waiting[-1].token)
            return False
        elif token.kind == "=":
            raise self.error(MISPLACED, token)
        else:
            raise self.error(f"an operator is missing before {token.text}", token)
        return True

    def call(self, token: Token) -> None:
        rule, opening = RULES[token.text], self.take()
        if "(" not in rule.typed:
            raise self.error(f"{token.text} is an operation of the table: write {rule.typed}", token)
        if opening.kind != "(":
            raise self.error(f"{token.text} is a function: write {rule.typed.replace('xs', 'x, y')}", token)
        if self.tokens[self.position].kind == ")":
            raise self.error(_operands_expected(rule, 0), token)
        self.wait(0, rule, opening, called=token)

    def close(self, token: Token) -> None:
        self.apply_waiting(1)
        if not self.waiting:
            raise self.error("this ) closes nothing", token)
        opened = self.waiting.pop()
        if opened.rule and opened.called:
            given = len(self.operands) - opened.below
            if not opened.rule.many and given != len(opened.rule.operands):
                raise self.error(_operands_expected(opened.rule, given), opened.called)
            self.apply(opened.rule, opened.called, opened.below)

    def wait(self, binds: int, rule: Rule | None, token: Token, called: Token | None = None) -> None:
        if len(self.waiting) == DEPTH:
            sentence = f"more than {DEPTH} operators and parentheses are open here: name inner parts, with = and ;"
            raise self.error(sentence, token)
        left = 1 if token.kind in BINARY and binds != MINUS else 0  # the operand that is read already
        self.waiting.append(Waiting(binds, rule, token, len(self.operands) - left, called))

    def apply_waiting(self, binds: int) -> None:
        """Applies the operators that wait and bind at least so tightly; parentheses bind 0 and stay."""
        while self.waiting and self.waiting[-1].binds >= binds:
            waiting = self.waiting.pop()
            assert waiting.rule is not None
            self.apply(waiting.rule, waiting.token, waiting.below)

    def apply(self, rule: Rule, token: Token, below: int) -> None:
        given = self.operands[below:]
        try:
            result = rule.apply(given)
        except DomainError as error:
            raise self.error(str(error), token) from None
        self.operands[below:] = [self.counted(result, token) if isinstance(result, Value) else result]

    def node(self, token: Token) -> Value:
        name, then = token.text, self.tokens[self.position]
        if then.kind == "=":
            raise self.error(MISPLACED, then)
        if then.kind == "(":
            raise self.error(f"{name} is not a function{_advice(name, name in self.numbers)}", token)
        if name not in self.names:
            if name not in self.numbers:
                raise self.error(self.without_number(name), token)
            try:
                self.names[name] = self.counted(Value(self.numbers[name], name), token)
            except DomainError as error:
                raise self.error(f"{name}: {error}", token) from None
        return self.names[name]

    def without_number(self, name: str) -> str:
        later = {token.text for token, equals in zip(self.tokens, self.tokens[1:], strict=False) if equals.kind == "="}
        if name in later:
            return f"{name} is used before the part that it names has ended"
        missing = {
            token.text: None  # a dict keeps their order
            for token, then in zip(self.tokens, self.tokens[1:], strict=False)
            if token.kind == "name" and token.text not in later and token.text not in self.numbers and then.kind != "("
        }
        return f"no number was given for {_listed(list(missing))}"

    def counted(self, node: Value, token: Token) -> Value:
        self.nodes += 1
        if self.nodes > NODES:
            raise self.error(f"the graph has more than {NODES:,} nodes", token)
        return node

    def take(self) -> Token:
        self.position += 1
        return self.tokens[self.position - 1]

    def error(self, sentence: str, token: Token) -> ExpressionError:
        return _error(sentence, self.text, token.at)


def _tokens(text: str) -> list[Token]:
    if len(text) > LENGTH:
        raise _error(f"the text has {len(text):,} characters, more than {LENGTH:,}", text, LENGTH)
    tokens, at = [], 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found or found.lastgroup == "refused":
            raise _error(_unreadable(found.group() if found else text[at]), text, at)
        word, kind = found.group(), found.lastgroup
        if kind == "name":
            _check_name(word, text, at)
            tokens.append(Token("function" if word in RULES else "name", word, at))
        elif kind:
            tokens.append(Token(word if kind == "symbol" else kind, word, at))
        at = found.end()
        if kind == "number" and (glued := CONTINUES.match(text, at)):
            raise _error(_glued(word, glued.group()), text, at)
    return [*tokens, Token("", "", len(text))]


def _check_name(word: str, text: str, at: int) -> None:
    if len(word) > NAME:
        raise _error(f"a name has at most {NAME} characters, this one {len(word):,}", text, at)
    if keyword.iskeyword(word):
        raise _error(f"{word} is a word of Python's: only arithmetic is read here", text, at)


def _check_free(name: Token, text: str) -> None:
    if name.text in RULES:
        raise _error(f"{name.text} is an operation of the table: choose another name", text, name.at)


def _number(token: Token, text: str) -> float:
    number = float(token.text)
    if number - number != 0:
        raise _error("this number is too large for a float (beyond 1.8e308)", text, token.at)
    return number


def _glued(number: str, rest: str) -> str:
    if number == "0" and rest[0] in "xXbBoO":
        return f"numbers are decimal: {number}{_short(rest)} can't be read"
    if rest.startswith("_"):
        return "digits are written without _ between them"
    return f"an operator is missing between {_short(number)} and {_short(rest)}"


def _operands_expected(rule: Rule, given: int) -> str:
    expected = "at least 1" if rule.many else str(len(rule.operands))
    return f"{rule.name} takes {expected} operand{'' if expected.endswith('1') else 's'}, {given or 'none'} given here"


def _advice(name: str, number: bool) -> str:
    if number:
        return f": to multiply, write {name}*(…)"
    from difflib import get_close_matches

    known = [rule.name for rule in TABLE if "(" in rule.typed]
    meant = FUNCTIONS_INSTEAD.get(name) or next(iter(get_close_matches(name, known, n=1)), None)
    return f"; is {meant} meant?" if meant else f"; there are {', '.join(known)}"


def _unreadable(found: str) -> str:
    """The sentence for a character, or two, that no expression holds."""
    plain = unicodedata.normalize("NFKC", found)
    if found.isascii():
        what = SPOKEN.get(found, _shown(found[0]) + found[1:])
    else:
        what = f"{_shown(found)} ({unicodedata.name(found, 'no character')})"
    if plain != found and TOKEN.fullmatch(plain) and not plain.isspace():  # full-width letters and the like
        advice = f"write {plain}"
    else:
        advice = "write numbers, names, functions, + - * / ** and parentheses"
    return f"{what} can't be read here: {INSTEAD.get(found, advice)}"


def _error(sentence: str, text: str, at: int) -> ExpressionError:
    """The error, with the text around a place and a caret under it."""
    start, before = at, ""
    while start > 0 and _columns(before) < AROUND:
        start -= 1
        before = _shown(text[start]) + before
    stop, after = at, ""
    while stop < len(text) and _columns(after) < AROUND:
        after += _shown(text[stop])
        stop += 1
    before = "…" * (start > 0) + before
    return ExpressionError(f"{sentence}\n  {before}{after}{'…' * (stop < len(text))}\n  {' ' * _columns(before)}^")


def _shown(character: str) -> str:
    """A character as it can stand above a caret: what has no width, or turns the line around, as its escape."""
    alone = character.isprintable() and not unicodedata.category(character).startswith("M")
    if alone and unicodedata.bidirectional(character) not in ("R", "AL", "AN"):
        return character
    return character.encode("unicode_escape").decode("ascii")


def _columns(shown: str) -> int:
    return len(shown) + sum(unicodedata.east_asian_width(character) in "WF" for character in shown)


def _short(word: str) -> str:
    return word if len(word) <= 20 else f"{word[:20]}…"


def _listed(names: Sequence[str]) -> str:
    names = [_short("".join(map(_shown, str(name)))) for name in names]
    names = names if len(names) <= 10 else [*names[:9], f"{len(names) - 9:,} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
