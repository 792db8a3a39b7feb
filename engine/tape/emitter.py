"""Formulas and loops as LLVM IR: one reading of Python's syntax, for single floats and for lanes of them.

The table's formulas are read as operations.py reads them, in the same order and without contraction; the loops around
them (loops.py) are written in the same syntax, with `for`, `while`, `if`, and arrays. Lanes are a vector of floats,
one for each of as many samples. Next: functions.py, machine.py.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from llvmlite import ir

from engine.formulas import parse
from engine.rules import RULES, Rule

Number: TypeAlias = Any  # an ir.Value: a float, lanes, an int, or the outcome of a comparison

FLOAT, WORD, BIT = ir.DoubleType(), ir.IntType(64), ir.IntType(1)
ARRAYS = {"floats": FLOAT, "indices": ir.IntType(32), "codes": ir.IntType(16), "words": WORD}
SIGNS: dict[type, str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "fdiv", ast.LShift: "shl", ast.BitAnd: "and_",
    ast.BitOr: "or_", ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


class Items:
    """A list in a formula, in parts: how many items each has, and the item at an index."""

    def __init__(self, parts: list[tuple[Any, Callable[[Any], Number]]]) -> None:
        self.parts = parts

    def mapped(self, change: Callable[[Number], Number]) -> Items:
        def changed(item: Callable[[Any], Number]) -> Callable[[Any], Number]:
            return lambda i: change(item(i))

        return Items([(count, changed(item)) for count, item in self.parts])


class Emitter:
    """The body of one function in the making: its builder and the names in it."""

    def __init__(self, module: Any, function: Any, names: dict[str, Any]) -> None:
        self.module, self.width, self.names = module, module.width, names
        self.builder: Any = ir.IRBuilder(function.append_basic_block())
        self.is_formula = False
        self.note: Any = None  # where NaN is kept once something wasn't finite on the way to a value

    # -- statements

    def run(self, body: list[ast.stmt]) -> None:
        for statement in body:
            getattr(self, f"run_{type(statement).__name__.lower()}")(statement)

    def run_assign(self, statement: Any) -> None:
        [target] = statement.targets
        self.assign(target, self.read(statement.value))

    def assign(self, target: Any, number: Number) -> None:
        if isinstance(target, ast.Subscript) and self._array(target.value):
            self.builder.store(number, self._place(target))
            return
        name = self._name(target)
        if isinstance(number, Items):
            self.names[name] = number
            return
        if name not in self.names:
            self.names[name] = self.variable(number.type)
        place = self.names[name]
        self.builder.store(self.widened(number, place.type.pointee), place)

    def variable(self, kind: Any) -> Any:
        with self.builder.goto_entry_block():
            return self.builder.alloca(kind)

    def run_expr(self, statement: Any) -> None:
        self.read(statement.value)

    def run_return(self, statement: Any) -> None:
        self.builder.ret(self.read(statement.value))

    def run_if(self, statement: Any) -> None:
        if not statement.orelse:
            with self.builder.if_then(self.read(statement.test)):
                self.run(statement.body)
            return
        with self.builder.if_else(self.read(statement.test)) as (then, otherwise):
            with then:
                self.run(statement.body)
            with otherwise:
                self.run(statement.orelse)

    def run_while(self, statement: Any) -> None:
        with self.loop(lambda: self.read(statement.test)):
            self.run(statement.body)

    def run_for(self, statement: Any) -> None:
        name, bounds = statement.target.id, [self.read(bound) for bound in statement.iter.args]
        if statement.iter.func.id == "unroll":
            for i in range(bounds[0].constant):
                self.names[name] = WORD(i)
                self.run(statement.body)
            return
        start, stop, step = {1: [WORD(0), *bounds, WORD(1)], 2: [*bounds, WORD(1)]}.get(len(bounds), bounds)
        with self.counted(start, stop, step) as i:
            self.names[name] = i
            self.run(statement.body)

    @contextmanager
    def loop(self, holds: Callable[[], Number]) -> Iterator[None]:
        head, body, end = (self.builder.append_basic_block() for _ in range(3))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(holds(), body, end)
        self.builder.position_at_end(body)
        yield
        self.builder.branch(head)
        self.builder.position_at_end(end)

    @contextmanager
    def counted(self, start: Number, stop: Number, step: Number) -> Iterator[Number]:
        """A loop over the ints from start to before stop."""
        place = self.variable(WORD)
        self.builder.store(start, place)
        with self.loop(lambda: self.builder.icmp_signed("<", self.builder.load(place), stop)):
            i = self.builder.load(place)
            yield i
            self.builder.store(self.builder.add(i, step), place)

    # -- expressions

    def read(self, tree: Any, heard: bool = True) -> Any:
        """The number, or list, of an expression; heard: what isn't finite in it makes the whole formula so."""
        match tree:
            case ast.Constant(value=int() | float() as number):
                return FLOAT(float(number)) if self.is_formula or type(number) is float else WORD(number)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._named(tree)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.negative(self.read(operand, heard))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, heard)
            case ast.BinOp(op=ast.Pow(), left=base, right=ast.Constant(value=2 | 3 as times)):
                factor = self.read(base, heard)
                square = self.builder.fmul(factor, factor)
                return square if times == 2 else self.builder.fmul(square, factor)
            case ast.BinOp(op=ast.Pow(), left=base, right=exponent):
                return self.fallible(self.called("pow", [self.read(base, False), self.read(exponent, False)]), heard)
            case ast.BinOp(op=ast.Div(), left=left, right=right):
                return self.fallible(self.binary("fdiv", self.read(left, heard), self.read(right, False)), heard)
            case ast.BinOp(op=sign, left=left, right=right):
                return self.binary(SIGNS[type(sign)], self.read(left, heard), self.read(right, heard))
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                return self.compared(SIGNS[type(sign)], self.read(left, False), self.read(right, False))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.choice(self.read(test, False), body, orelse, heard)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, arguments, heard)
            case ast.List(elts=items):
                return Items([(1, partial(_same, self.read(item, heard))) for item in items])
            case ast.ListComp(elt=item, generators=loops) | ast.GeneratorExp(elt=item, generators=loops):
                return self.items(item, loops, heard)
        raise ValueError(f"a {type(tree).__name__} can't be compiled: {ast.unparse(tree)}")

    def _named(self, tree: Any) -> Any:
        if isinstance(tree, ast.Subscript) and self._array(tree.value):
            number = self.builder.load(self._place(tree))
            return number if number.type == FLOAT else self.builder.zext(number, WORD)
        number = self.names[self._name(tree)]
        return self.builder.load(number) if isinstance(number, ir.AllocaInstr) else number

    def _array(self, tree: Any) -> Any:
        array = self.names.get(self._name(tree)) if isinstance(tree, (ast.Name, ast.Attribute)) else None
        return array if array is not None and not isinstance(array, ir.AllocaInstr) else None

    def _place(self, tree: Any) -> Any:
        return self.builder.gep(self._array(tree.value), [self.read(tree.slice)])

    def _name(self, tree: Any) -> str:
        """x; p.x, a field; t[1], where t is no array, a variable of its own."""
        match tree:
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Tuple(elts=places)):
                return f"{name}{[self.read(place).constant for place in places]}"
            case ast.Subscript(value=ast.Name(id=name), slice=place):
                return f"{name}{[self.read(place).constant]}"
        return ast.unparse(tree)

    def formula(self, text: str, note: Any = None) -> Any:
        """A formula of the table, with the names as they are here; NaN comes to note where the engine would raise."""
        before, self.is_formula, self.note = (self.is_formula, self.note), True, note
        try:
            return self.read(parse(text))
        finally:
            self.is_formula, self.note = before

    def careful(self, text: str) -> Number:
        """The value of a formula, NaN where something on the way to it isn't finite."""
        note = self.variable(self.lanes_type)
        self.builder.store(self.spread(FLOAT(0.0)), note)
        z = self.spread(self.formula(text, note))
        noted = self.builder.load(note)
        return self.builder.select(
            self.builder.fcmp_ordered("==", noted, self.spread(FLOAT(0.0))), z, self.spread(FLOAT(float("nan")))
        )

    def fallible(self, number: Number, heard: bool) -> Number:
        if self.note is not None and not heard:
            wrong = self.spread(self.builder.fsub(number, number))  # 0 or NaN
            self.builder.store(self.builder.fadd(self.builder.load(self.note), wrong), self.note)
        return number

    def binary(self, sign: str, x: Any, y: Any) -> Any:
        if isinstance(x, Items):
            return Items(x.parts + y.parts)
        x, y = self.alike(x, y)
        sign = f"f{sign}" if sign in ("add", "sub", "mul") and is_float(x.type) else sign
        return getattr(self.builder, sign)(x, y)

    def negative(self, x: Number) -> Number:
        if isinstance(x, ir.Constant):
            return x.type(-x.constant)
        return self.builder.fneg(x) if is_float(x.type) else self.builder.neg(x)

    def compared(self, sign: str, x: Number, y: Number) -> Number:
        x, y = self.alike(x, y)
        if not is_float(x.type):
            return self.builder.icmp_signed(sign, x, y)
        return (self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered)(sign, x, y)

    def choice(self, test: Number, body: Any, orelse: Any, heard: bool) -> Number:
        """One branch alone for a single sample; both for lanes, and of each what belongs to it."""
        if test.type == BIT and self.width == 1:
            results = []
            with self.builder.if_else(test) as branches:
                for branch, tree in zip(branches, (body, orelse), strict=True):
                    with branch:
                        number = self.read(tree, heard)
                        results.append((number, self.builder.block))
            joined = self.builder.phi(results[0][0].type)
            for number, block in results:
                joined.add_incoming(number, block)
            return joined
        (x, first), (y, second) = (self._noted(tree, heard) for tree in (body, orelse))
        if first is not None:
            wrong = self.builder.select(test, *self.alike(first, second))
            self.builder.store(self.builder.fadd(self.builder.load(self.note), wrong), self.note)
        x, y = self.alike(x, y)
        return self.builder.select(test, *(self.spread(n) if test.type != BIT else n for n in (x, y)))

    def _noted(self, tree: Any, heard: bool) -> tuple[Number, Any]:
        """A branch, and what it would note."""
        if self.note is None:
            return self.read(tree, heard), None
        note, self.note = self.note, self.variable(self.lanes_type)
        self.builder.store(self.spread(FLOAT(0.0)), self.note)
        number, wrong = self.read(tree, heard), self.builder.load(self.note)
        self.note = note
        return number, wrong

    # -- calls

    def call(self, name: str, arguments: list[Any], heard: bool) -> Any:
        if (own := getattr(self, f"call_{name}", None)) and not self.is_formula:
            return own(*arguments)
        if name == "abs" and isinstance(arguments[0], ast.Call) and ast.unparse(arguments[0].func) == "complex":
            name, arguments = "hypot", arguments[0].args
        if name in ("sum", "max", "softmax", "first", "rest"):
            return getattr(self, f"list_{name}")(self.read(arguments[0], heard and name == "sum"))
        numbers = [self.read(argument, False) for argument in arguments]
        if self.is_formula and name in RULES and (text := self.inlined(RULES[name])):
            return self.inline(RULES[name], text, numbers, heard)
        return self.fallible(self.called(name, numbers), heard or name in ("abs", "copysign"))

    def inlined(self, rule: Rule) -> str:
        """The formula of a row that is written in others; empty for what the machine or libm has."""
        if self.width > 1 and rule.shared:
            return rule.shared[1]
        return rule.value if rule.value != rule.typed and rule.name not in ("hypot", "abs") and not rule.many else ""

    def inline(self, rule: Rule, text: str, numbers: list[Number], heard: bool) -> Number:
        outer, self.names = self.names, dict(zip(rule.operands, numbers, strict=True)) | {"pi": self.names.get("pi")}
        self.share(rule)
        number = self.read(parse(text), heard)
        self.names = outer
        return number

    def share(self, rule: Rule) -> None:
        """Names what the value and the partials of a row share, in lanes."""
        if self.width > 1 and rule.shared:
            for part in rule.shared[0].split(";"):
                name, _, text = part.partition("=")
                before, self.is_formula = self.is_formula, True
                self.names[name.strip()] = self.read(parse(text.strip()))
                self.is_formula = before

    def called(self, name: str, numbers: list[Number]) -> Number:
        if isinstance(numbers[0].type, ir.VectorType) or any(isinstance(n.type, ir.VectorType) for n in numbers):
            numbers = [self.spread(number) for number in numbers]
        function = self.module.function(name, numbers[0].type, len(numbers))
        return self.builder.call(function, numbers)

    def list_sum(self, xs: Items) -> Number:
        return self.folded(xs, FLOAT(0.0), lambda z, x: self.builder.fadd(z, x))

    def list_max(self, xs: Items) -> Number:
        def larger(z: Number, x: Number) -> Number:
            return self.builder.select(self.builder.fcmp_ordered(">", x, z), x, z)

        return self.folded(xs, FLOAT(float("-inf")), larger)

    def folded(self, xs: Items, start: Number, fold: Callable[[Number, Number], Number]) -> Number:
        total = self.variable(self.lanes_type)
        self.builder.store(self.spread(start), total)
        self.each(xs, lambda i, x: self.builder.store(fold(self.builder.load(total), self.spread(x)), total))
        return self.builder.load(total)

    def list_softmax(self, xs: Items) -> Items:
        largest = self.list_max(xs)
        powers = xs.mapped(lambda x: self.called("exp", [self.binary("sub", x, largest)]))
        whole = self.list_sum(powers)
        return powers.mapped(lambda power: self.builder.fdiv(power, whole))

    def list_first(self, xs: Items) -> Number:
        return xs.parts[0][1](WORD(0))

    def list_rest(self, xs: Items) -> Items:
        (count, item), *others = xs.parts
        if count == 1:
            return Items(others)
        count = self.builder.sub(WORD(count) if type(count) is int else count, WORD(1))
        return Items([(count, lambda i: item(self.builder.add(i, WORD(1)))), *others])

    def items(self, item: Any, loops: list[Any], heard: bool) -> Items:
        """A comprehension; of several loops all but the last are over single items."""
        name, source, scope = loops[0].target.id, self.read(loops[0].iter, heard), self.names

        def bound(number: Number) -> Any:  # also later, when other names are known
            outer, self.names = self.names, scope | {name: number}
            try:
                return self.items(item, loops[1:], heard) if loops[1:] else self.read(item, heard)
            finally:
                self.names = outer

        if not loops[1:]:
            mapped: Items = source.mapped(bound)
            return mapped
        return Items(
            [part for count, each in source.parts for i in range(count) for part in bound(each(WORD(i))).parts]
        )

    def each(self, xs: Items, do: Callable[[Number, Number], Any]) -> None:
        """Something with the number of each item and the item."""
        before: Number = WORD(0)
        for count, item in xs.parts:
            if type(count) is int and count == 1:
                do(before, item(WORD(0)))
                before = self.builder.add(before, WORD(1))
                continue
            with self.counted(WORD(0), count, WORD(1)) as i:
                do(self.builder.add(before, i), item(i))
            before = self.builder.add(before, count)

    # -- the loops' own functions

    def call_load(self, array: Any, place: Any, count: Any = None) -> Number:
        """Lanes from an array, at a place in it."""
        kind = vector(self.read(count).constant if count else self.width)
        where = self.builder.gep(self.read(array), [self.read(place)])
        return self.builder.load(self.builder.bitcast(where, kind.as_pointer()), align=8)

    def call_store(self, array: Any, place: Any, given: Any, count: Any = None) -> None:
        kind = vector(self.read(count).constant if count else self.width)
        number = self.widened(self.read(given), kind)
        where = self.builder.gep(self.read(array), [self.read(place)])
        self.builder.store(number, self.builder.bitcast(where, kind.as_pointer()), align=8)

    def call_spread(self, number: Any, count: Any = None) -> Number:
        return self.widened(self.read(number), vector(self.read(count).constant if count else self.width))

    def call_lane(self, lanes: Any, place: Any) -> Number:
        number = self.read(lanes)
        return number if number.type == FLOAT else self.builder.extract_element(number, self.read(place))

    def call_with_lane(self, lanes: Any, place: Any, number: Any) -> Number:
        return self.builder.insert_element(self.read(lanes), self.read(number), self.read(place))

    def call_select(self, test: Any, x: Any, y: Any) -> Number:
        return self.builder.select(self.read(test), *self.alike(self.read(x), self.read(y)))

    def call_fused(self, x: Any, y: Any, z: Any) -> Number:
        """x y + z, rounded once where the machine can."""
        numbers = [self.spread(self.read(each)) for each in (x, y, z)]
        kind = ir.FunctionType(self.lanes_type, [self.lanes_type] * 3)
        name = f"llvm.fmuladd.v{self.width}f64"
        return self.builder.call(self.module.ir.declare_intrinsic(name, fnty=kind), numbers)

    def call_both(self, x: Any, y: Any) -> Number:
        return self.builder.and_(self.read(x), self.read(y))

    def call_bits(self, x: Any) -> Number:
        number = self.read(x)
        kind = ir.VectorType(WORD, number.type.count) if isinstance(number.type, ir.VectorType) else WORD
        return self.builder.bitcast(number, kind)

    def call_floats(self, x: Any) -> Number:
        number = self.read(x)
        return self.builder.bitcast(number, vector(getattr(number.type, "count", 1)))

    def call_number(self, x: Any) -> Number:
        return self.builder.sitofp(self.read(x), FLOAT)

    def call_any(self, test: Any) -> Number:
        bits = self.read(test)
        if bits.type == BIT:
            return bits
        whole = self.builder.bitcast(bits, ir.IntType(bits.type.count))
        return self.builder.icmp_unsigned("!=", whole, whole.type(0))

    def call_formula(self, text: Any) -> Number:
        return self.formula(text.value)

    def call_careful(self, text: Any) -> Number:
        return self.careful(text.value)

    def call_shared(self, name: Any) -> None:
        self.share(self.module.rows[name.value])

    def call_items(self, m: Any, rows: Any, start: Any, stop: Any, lane: Any) -> Items:
        """A list: the lanes at each of a range of rows."""
        memory, numbers, first, at = (self.read(each) for each in (m, rows, start, lane))
        count = self.builder.sub(self.read(stop), first)

        def item(i: Number) -> Number:
            row = self.builder.load(self.builder.gep(numbers, [self.builder.add(first, i)]))
            place = self.builder.mul(self.builder.zext(row, WORD), self._named(ast.Name("lanes")))
            where = self.builder.gep(memory, [self.builder.add(place, at)])
            return self.builder.load(self.builder.bitcast(where, self.lanes_type.as_pointer()), align=8)

        return Items([(count, item)])

    def call_store_each(self, m: Any, row: Any, lane: Any, text: Any) -> None:
        """Each item of a formula's list into a row of its own."""
        memory, first, at = (self.read(each) for each in (m, row, lane))

        def put(i: Number, x: Number) -> None:
            place = self.builder.mul(self.builder.add(first, i), self._named(ast.Name("lanes")))
            where = self.builder.gep(memory, [self.builder.add(place, at)])
            self.builder.store(self.spread(x), self.builder.bitcast(where, self.lanes_type.as_pointer()), align=8)

        self.each(self.formula(text.value), put)

    def call_at(self, place: Any, *arguments: Any) -> Number:
        """Calls the function at an address, which returns a float."""
        numbers = [self.read(argument) for argument in arguments]
        kind = ir.FunctionType(FLOAT, [number.type for number in numbers]).as_pointer()
        return self.builder.call(self.builder.inttoptr(self.read(place), kind), numbers)

    def call_past(self, array: Any, place: Any) -> Number:
        """An array from a place on."""
        return self.builder.gep(self.read(array), [self.read(place)])

    # -- types

    @property
    def lanes_type(self) -> Any:
        return vector(self.width)

    def spread(self, number: Number) -> Number:
        return self.widened(number, self.lanes_type)

    def alike(self, x: Number, y: Number) -> tuple[Number, Number]:
        if isinstance(x.type, ir.VectorType):
            return x, self.widened(y, x.type)
        return self.widened(x, y.type), y

    def widened(self, number: Number, kind: Any) -> Number:
        """The number in all lanes of a type, if it isn't lanes yet."""
        if number.type == kind or not isinstance(kind, ir.VectorType):
            return number
        if isinstance(number, ir.Constant):
            return ir.Constant(kind, [number.constant] * kind.count)
        nothing = ir.Constant(ir.VectorType(number.type, kind.count), ir.Undefined)
        first = self.builder.insert_element(nothing, number, ir.IntType(32)(0))
        places = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count)
        return self.builder.shuffle_vector(first, nothing, places)


def _same(item: Number, _: Any) -> Number:
    return item


def vector(count: int) -> Any:
    return ir.VectorType(FLOAT, count) if count > 1 else FLOAT


def is_float(kind: Any) -> bool:
    return bool((kind.element if isinstance(kind, ir.VectorType) else kind) == FLOAT)
