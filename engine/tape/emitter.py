"""Machine code by running Python once: arithmetic that writes LLVM's language down instead of computing.

A Number stands for a float, lanes, an int or a truth in the code; Python's own numbers are its constants. Lanes are a
vector of floats, one for each of as many samples. What Python does with Numbers is written into the body of a function:
the loops around the table's formulas (loops.py) are Python, and a formula is read as the engine reads it, in the same
order and without contraction. Read functions.py before, machine.py next.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property, partial
from itertools import chain
from types import CodeType
from typing import Any, TypeAlias

from engine.formulas import Dialect, float_functions, python_source
from engine.rules import RULES, TABLE
from engine.tape.functions import OF_ANY, OF_LANES

Int: TypeAlias = Any  # what the arguments of a function in machine code are, by their annotations
Float: TypeAlias = Any
Floats: TypeAlias = Any
Words: TypeAlias = Any
Fields: TypeAlias = Any
ITEMS = {"Floats": "double", "Words": "i64", "Indices": "i32", "Codes": "i16"}  # of arrays


def _operator(instruction: str, swapped: bool = False) -> Any:
    def apply(x: Number, y: Any) -> Number:
        kind = x.body.kind(x, y)
        left, right = (y, x) if swapped else (x, y)
        name = f"f{instruction}" if "double" in kind else instruction
        return x.body.new(kind, f"{name} {kind} {x.body.text(left, kind)}, {x.body.text(right, kind)}")

    return apply


def _comparison(floats: str, ints: str) -> Any:
    def apply(x: Number, y: Any) -> Number:
        kind = x.body.kind(x, y)
        name = f"fcmp {floats}" if "double" in kind else f"icmp {ints}"
        truth = f"{kind.rsplit(maxsplit=1)[0]} i1>" if "x" in kind else "i1"
        return x.body.new(truth, f"{name} {kind} {x.body.text(x, kind)}, {x.body.text(y, kind)}")

    return apply


class Number:
    """A float, lanes of floats, an int or a truth: its kind, and the name that it has in the code."""

    def __init__(self, body: Body, kind: str, name: str) -> None:
        self.body, self.kind, self.name = body, kind, name

    def read(self) -> str:
        return self.name

    def inside(self, body: Body, name: str) -> Number:
        """The same as an argument of another function."""
        return Number(body, self.kind, name)

    __add__ = __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("sub"), _operator("sub", swapped=True)
    __mul__ = __rmul__ = _operator("mul")
    __truediv__, __rtruediv__ = _operator("div"), _operator("div", swapped=True)
    __lshift__, __and__, __or__, __xor__ = map(_operator, ("shl", "and", "or", "xor"))
    __lt__, __le__ = _comparison("olt", "slt"), _comparison("ole", "sle")
    __gt__, __ge__ = _comparison("ogt", "sgt"), _comparison("oge", "sge")
    __eq__, __ne__, __hash__ = _comparison("oeq", "eq"), _comparison("une", "ne"), None  # type: ignore[assignment]

    def __neg__(self) -> Any:
        return self.body.new(self.kind, f"fneg {self.kind} {self.read()}") if "double" in self.kind else 0 - self

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self.body.called("abs", self)

    def __bool__(self) -> bool:
        raise TypeError("a number in machine code is neither true nor false while the code is written")


class Variable(Number):
    """A number that changes: its name is a place in memory."""

    def read(self) -> str:
        return self.body.new(self.kind, f"load {self.kind}, ptr {self.name}").name

    def now(self) -> Number:
        return Number(self.body, self.kind, self.read())

    def set(self, number: Any) -> None:
        self.body.do(f"store {self.kind} {self.body.text(number, self.kind)}, ptr {self.name}")

    def __iadd__(self, number: Any) -> Any:  # type: ignore[misc]
        self.set(self + number)
        return self


class Array(Number):
    """Numbers side by side in memory: array[i] is one, and array.lanes(i) as many as there are lanes."""

    def __init__(self, body: Body, items: str, name: str) -> None:
        super().__init__(body, "ptr", name)
        self.items = items

    def inside(self, body: Body, name: str) -> Number:
        return Array(body, self.items, name)

    def past(self, place: Any) -> Array:
        """The array from a place on."""
        line = f"getelementptr {self.items}, ptr {self.name}, i64 {self.body.text(place, 'i64')}"
        return Array(self.body, self.items, self.body.new("ptr", line).name)

    def __getitem__(self, place: Any) -> Number:
        number = self.body.new(self.items, f"load {self.items}, ptr {self.past(place).name}")
        return number if self.items in ("double", "i64") else self.body.converted("zext", number, "i64")

    def lanes(self, place: Any, count: int = 0) -> Number:
        kind = vector(count or self.body.width)
        return self.body.new(kind, f"load {kind}, ptr {self.past(place).name}, align 8")

    def put(self, place: Any, number: Any, count: int = 0) -> None:
        kind = vector(count or self.body.width)
        self.body.do(f"store {kind} {self.body.text(number, kind)}, ptr {self.past(place).name}, align 8")


class Record(Number):
    """Arrays and ints: their addresses and numbers lie side by side, and are read at the beginning of the function."""

    def __init__(self, body: Body, name: str, fields: dict[str, str]) -> None:
        super().__init__(body, "ptr", name)
        self.fields, self.words = fields, Array(body, "i64", name)

    def inside(self, body: Body, name: str) -> Number:
        return Record(body, name, self.fields)

    def __getattr__(self, field: str) -> Any:
        body = self.body
        outside, body.lines = body.lines, body.entry
        vars(self)[field] = body.argument(self.fields[field], self.words[list(self.fields).index(field)])
        body.lines = outside
        return vars(self)[field]


class Items:
    """A list in a formula whose length the code alone knows: it is gone through in a loop."""

    def __init__(self, body: Body, start: Any, stop: Any, item: Callable[[Any], Any]) -> None:
        self.body, self.start, self.stop, self.item = body, start, stop, item

    def __iter__(self) -> Iterator[Any]:
        return map(self.item, self.body.count(self.start, self.stop))

    def __getitem__(self, place: Any) -> Any:  # [0] or [1:]
        return self.item(self.start) if place == 0 else Items(self.body, self.start + 1, self.stop, self.item)


class Listed(chain[Any]):
    """What a formula makes in a loop, to be gone through once."""

    def __radd__(self, before: list[Any]) -> Iterable[Any]:
        return chain(before, self)


class Body:
    """The body of one function in the making; functions are the others that it calls, by their names."""

    def __init__(self, width: int, functions: dict[str, str]) -> None:
        self.width, self.functions, self.names = width, functions, 0
        self.lanes_kind = vector(width)
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.note: Any = None  # where it is noted that something isn't finite on the way to a value
        self.mask: Any = None  # where what is computed now is asked for

    def do(self, line: str) -> None:
        self.lines.append(line)

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    def new(self, kind: str, line: str) -> Number:
        number = Number(self, kind, f"%{self.name()}")
        self.lines.append(f"{number.name} = {line}")
        return number

    # -- kinds of numbers

    def kind(self, *numbers: Any) -> str:
        """The kind that these have in common: a vector if one of them is."""
        constant = "i64" if all(type(number) is int for number in numbers) else "double"
        return max((number.kind for number in numbers if isinstance(number, Number)), key=len, default=constant)

    def text(self, number: Any, kind: str) -> str:
        """The number as an operand of this kind, in all lanes if it isn't lanes yet."""
        if not isinstance(number, Number):
            item = kind.split()[-1].rstrip(">")
            constant = f"0x{struct.pack('>d', number).hex()}" if item == "double" else str(int(number))
            return f"splat ({item} {constant})" if item != kind else constant
        if number.kind == kind:
            return number.read()
        first = self.new(kind, f"insertelement {kind} poison, {number.kind} {number.read()}, i64 0")
        count = kind[1:].split()[0]
        return self.new(kind, f"shufflevector {kind} {first.name}, {kind} poison, <{count} x i32> zeroinitializer").name

    def lanes(self, number: Any) -> Number:
        return Number(self, self.lanes_kind, self.text(number, self.lanes_kind))

    def lane(self, lanes: Number, place: int) -> Any:
        if "x" not in lanes.kind:
            return lanes
        return self.new("double", f"extractelement {lanes.kind} {lanes.read()}, i64 {place}")

    def converted(self, instruction: str, number: Number, kind: str) -> Number:
        return self.new(kind, f"{instruction} {number.kind} {number.read()} to {kind}")

    def float(self, number: Number) -> Number:
        """The float of an int."""
        return self.converted("sitofp", number, "double")

    def bits(self, number: Number) -> Number:
        """The bits of floats, as ints."""
        return self.converted("bitcast", number, number.kind.replace("double", "i64"))

    def select(self, test: Any, x: Any, y: Any) -> Any:
        if not isinstance(test, Number):
            return x if test else y
        kind = test.kind.replace("i1", "double") if "x" in test.kind else self.kind(x, y)
        given = ", ".join(f"{kind} {self.text(number, kind)}" for number in (x, y))
        return self.new(kind, f"select {test.kind} {test.read()}, {given}")

    def any(self, test: Number) -> Any:
        """Does it hold in any lane?"""
        if test.kind == "i1":
            return test
        return self.converted("bitcast", test, f"i{test.kind[1:].split()[0]}") != 0

    # -- statements

    def variable(self, number: Any, kind: str = "") -> Variable:
        kind = kind or self.kind(number)
        made = Variable(self, kind, f"%{self.name()}")
        self.entry.append(f"{made.name} = alloca {kind}")
        made.set(number)
        return made

    def repeat(self) -> Iterator[Callable[[Any], None]]:
        """A loop, whose body Python runs through once; it ends where what it yields is called with what holds."""
        head, end = self.name(), self.name()

        def stop_if(test: Number) -> None:
            inside = self.name()
            self.do(f"br i1 {test.read()}, label %{end}, label %{inside}\n{inside}:")

        self.do(f"br label %{head}\n{head}:")
        yield stop_if
        self.do(f"br label %{head}\n{end}:")

    def count(self, start: Any, stop: Any, step: Any = 1) -> Iterator[Number]:
        """A loop over the ints from start to before stop."""
        i = self.variable(start, "i64")
        for stop_if in self.repeat():
            stop_if(i >= stop)
            yield i.now()
            i += step

    def tiles(self, count: Any, sizes: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """The ints from 0 to before count in steps of these sizes, the largest first, each with its size."""
        done = self.variable(0)
        for size in sizes:
            for first in self.count(done, count - (size - 1), size):
                yield size, first
                done.set(first + size)

    @contextmanager
    def when(self, test: Any) -> Iterator[None]:
        inside, end = self.name(), self.name()
        self.do(f"br i1 {self.text(test, 'i1')}, label %{inside}, label %{end}\n{inside}:")
        yield
        self.do(f"br label %{end}\n{end}:")

    def leave(self, number: Any) -> None:
        """Returns a float; what is written after this is never reached."""
        self.do(f"ret double {self.text(number, 'double')}\n{self.name()}:")

    # -- functions

    def argument(self, annotation: str, given: Number, fields: dict[str, str] | None = None) -> Any:
        """What stands for an argument, or a field of a record."""
        if fields and annotation == "Fields":
            return Record(self, given.name, fields)
        if annotation not in ITEMS:
            return given
        where = given if given.kind == "ptr" else self.converted("inttoptr", given, "ptr")
        return Array(self, ITEMS[annotation], where.name)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function of its own in the code, which is made with the first call; without a result it returns 0."""
        name = function.__name__
        given = [x if isinstance(x, Number) else Number(self, "i64", str(x)) for x in arguments]
        if name not in self.functions:
            body = Body(self.width, self.functions)
            result = function(body, *(x.inside(body, f"%a{i}") for i, x in enumerate(given)))
            body.define(name, [x.kind for x in given], 0.0 if result is None else result)
        return self.invoke("double", f"@{name}", [x.kind for x in given], given)

    def invoke(self, returned: str, function: str, kinds: Sequence[str], arguments: Sequence[Any]) -> Number:
        given = ", ".join(f"{kind} {self.text(x, kind)}" for kind, x in zip(kinds, arguments, strict=True))
        return self.new(returned, f"call {returned} {function}({given})")

    def invoke_at(self, address: Any, *arguments: Any) -> Number:
        """Calls the function at an address, which returns a float."""
        kinds = [getattr(x, "kind", "i64") for x in arguments]
        return self.invoke("double", self.converted("inttoptr", address, "ptr").name, kinds, arguments)

    def define(
        self,
        name: str,
        kinds: Sequence[str],
        result: Any,
        returned: str = "double",
        pure: bool = False,
        linkage: str = "internal",
    ) -> None:
        """Ends the function, which takes %a0, %a1, …"""
        self.do(f"ret {returned} {self.text(result, returned)}")
        arguments = ", ".join(f"{kind} %a{i}" for i, kind in enumerate(kinds))
        how = "nounwind memory(none)" if pure else "nounwind"
        lines = "\n".join([*self.entry, "br label %start\nstart:", *self.lines])
        self.functions[name] = f'define {linkage} {returned} @"{name}"({arguments}) {how} {{\n{lines}\n}}'

    def pure(self, name: str, numbers: Sequence[Any], kind: str) -> Number:
        """Calls a function from elsewhere that does nothing but compute."""
        kinds = [kind] * len(numbers)
        self.functions[name] = f"declare {kind} @{name}({', '.join(kinds)}) nounwind memory(none)"
        return self.invoke(kind, f"@{name}", kinds, numbers)

    def intrinsic(self, name: str, *numbers: Any) -> Number:
        kind = self.kind(*numbers)
        return self.pure(f"llvm.{name}.{'f64' if kind == 'double' else f'v{self.width}f64'}", numbers, kind)

    def libm(self, name: str, *numbers: Any) -> Number:
        """libm's, lane by lane, under a name of our own: LLVM changes calls that it knows, pow(2, x) to exp2(x)."""
        kind, full = self.lanes_kind, f"{name} of lanes"
        if kind == "double":
            return self.pure(f"stepgrad_{name}", numbers, kind)
        if full not in self.functions:
            inside = Body(self.width, self.functions)
            z, given = Number(inside, kind, "poison"), [Number(inside, kind, f"%a{i}") for i in range(len(numbers))]
            for lane in range(self.width):
                one = inside.pure(f"stepgrad_{name}", [inside.lane(x, lane) for x in given], "double")
                z = inside.new(kind, f"insertelement {kind} {z.name}, double {one.name}, i64 {lane}")
            inside.define(full, [kind] * len(numbers), z, kind, pure=True)
        return self.invoke(kind, f'@"{full}"', [kind] * len(numbers), numbers)

    # -- formulas of the table

    def formula(self, text: str, names: dict[str, Any], note: Any = None) -> Any:
        """The number, or the list, of a formula; note is set where the engine would raise on the way to it."""
        before, self.note = self.note, note
        number = eval(_compiled(text), self.notation | names)
        self.note = before
        return number

    def shared(self, parts: tuple[str, ...], names: dict[str, Any]) -> dict[str, Any]:
        """The names with what the value and the partials of a row share, in lanes."""
        for part in parts[0].split(";") if parts and self.width > 1 else ():
            name, _, text = part.partition("=")
            names = names | {name.strip(): self.formula(text.strip(), names)}
        return names

    def called(self, name: str, *numbers: Any) -> Any:
        """A function in formulas: an instruction, a row that is written in others, ours, or libm's."""
        rule, lanes = RULES.get(name), self.width > 1
        if not any(isinstance(number, Number) for number in numbers):
            return float_functions()[name](*numbers)
        if name in INTRINSIC:
            return self.intrinsic(INTRINSIC[name], *numbers)
        if rule and rule.value != rule.typed and name != "hypot":
            names = self.shared(rule.shared, dict(zip(rule.operands, numbers, strict=True)))
            return self.formula(rule.shared[1] if rule.shared and lanes else rule.value, names, self.note)
        own = (OF_ANY | OF_LANES if lanes else OF_ANY).get(name, partial(self.libm, name))
        return own(*map(self.lanes, numbers))

    def blank(self) -> Variable:
        """A note for look_at, of nothing yet."""
        return self.variable(0, self.lanes_kind.replace("double", "i64"))

    def look_at(self, number: Any, note: Variable) -> None:
        """Sets bits of the note, which is 0 else, where a number isn't finite, as then number - number isn't 0."""
        wrong = number - number
        wrong = wrong if self.mask is None else self.select(self.mask, wrong, 0.0)
        note.set(note | self.bits(wrong))

    def checked(self, number: Any) -> Any:
        """What may not be finite: a call, a quotient, a power."""
        if self.note is not None and isinstance(number, Number):
            self.look_at(number, self.note)
        return number

    def choice(self, test: Any, body: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
        """Both branches are computed, and of each what belongs to it is taken."""
        if not isinstance(test, Number):
            return body() if test else orelse()
        outer, numbers = self.mask, []
        for branch, holds in ((body, test), (orelse, test ^ True)):
            self.mask = holds if outer is None else outer & holds
            numbers.append(branch())
        self.mask = outer
        return self.select(test, *numbers)

    def sum(self, xs: Iterable[Any]) -> Any:
        total = self.variable(0.0, self.lanes_kind)
        for x in xs:
            total += x
        return total.now()

    def max(self, xs: Iterable[Any]) -> Any:
        largest = self.variable(-math.inf, self.lanes_kind)
        for x in xs:
            largest.set(self.select(x > largest, x, largest))
        return largest.now()

    def softmax(self, xs: Any) -> Any:
        def mapped(change: Callable[[Any], Any], xs: Any) -> Any:
            if not isinstance(xs, Items):
                return [change(x) for x in xs]
            return Items(self, xs.start, xs.stop, lambda k: change(xs.item(k)))

        largest = self.max(xs)
        powers = mapped(lambda x: self.called("exp", x - largest), xs)
        whole = self.sum(powers)
        return mapped(lambda power: power / whole, powers)

    @cached_property
    def notation(self) -> dict[str, Any]:
        """What the names in formulas stand for, and those in the text that a dialect makes of one."""
        names: dict[str, Any] = {
            name: partial(self.called, name) for name in [rule.name for rule in TABLE] + [*INTRINSIC, *OF_LANES]
        }
        names |= {name: getattr(self, name) for name in ("sum", "max", "softmax", "checked", "choice")}
        names["abs"] = lambda x: self.called(*(("hypot", *x) if type(x) is tuple else ("abs", x)))
        return names | NOTATION


FORMULA = Dialect(
    product=lambda factor, times: f"power({factor}, {times})",
    fallible=lambda text: text if text.startswith(("abs(", "copysign(")) else f"checked({text})",
    choice="choice({0}, lambda: {1}, lambda: {2})",
    listed="listed(({}))",
)
INTRINSIC = {"sqrt": "sqrt", "abs": "fabs", "copysign": "copysign", "floor": "floor"}
NOTATION: dict[str, Any] = {
    "__builtins__": {},
    "pi": math.pi, "complex": lambda x, y: (x, y), "power": lambda x, times: x * x if times == 2 else x * x * x,
    "first": lambda xs: xs[0], "rest": lambda xs: xs[1:], "listed": Listed,
}  # fmt: skip


@cache
def _compiled(formula: str) -> CodeType:
    return compile(python_source(formula, FORMULA), f"<{formula}>", "eval")


def vector(count: int) -> str:
    return f"<{count} x double>" if count > 1 else "double"
