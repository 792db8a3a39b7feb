"""Lanes for Numba: a few floats side by side, one for each of as many samples, computed with at once.

Numba has no such type, and its loops over lanes are seldom turned into vector instructions, since two places of one
array may be the same. LLVM, which it compiles with, has vectors: these are they, with arithmetic, comparisons, abs()
and select(). kernel.py uses them for sums and for all formulas without functions of math.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

WORD, BIT, PLACE, FLOAT = ir.IntType(64), ir.IntType(1), ir.IntType(32), ir.DoubleType()


class Lanes(types.Type):
    """The type of `count` floats side by side; as a mask, of what comparing two such gives."""

    def __init__(self, count: int, mask: bool = False) -> None:
        self.count, self.mask = count, mask
        self.vector = ir.VectorType(BIT if mask else FLOAT, count)
        super().__init__(f"{'Mask' if mask else 'Lanes'}({count})")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, lanes.vector)


def _lanes_of(*kinds: Any) -> Lanes | None:
    """The type that floats and lanes have together; None if there are no lanes, or something else."""
    lanes = [kind for kind in kinds if isinstance(kind, Lanes) and not kind.mask]
    return lanes[0] if lanes and all(kind in (lanes[0], types.float64) for kind in kinds) else None


def _widened(builder: Any, kind: Lanes, number: Any) -> Any:
    """The number in all lanes, if it isn't lanes yet."""
    if number.type == kind.vector:
        return number
    nothing = ir.Constant(kind.vector, ir.Undefined)
    first = builder.insert_element(nothing, number, PLACE(0))
    return builder.shuffle_vector(first, nothing, _places(0, kind.count, step=0))


def _fabs(module: Any, vector: Any) -> Any:
    # llvmlite can name the intrinsics of floats only
    return module.declare_intrinsic(f"llvm.fabs.v{vector.count}f64", fnty=ir.FunctionType(vector, [vector]))


def _places(first: int, count: int, step: int = 1) -> Any:
    return ir.Constant(ir.VectorType(PLACE, count), [first + step * i for i in range(count)])


# -- operators: what they are called by LLVM, and whether they compare

INSTRUCTIONS: dict[Any, Callable[..., Any]] = {
    operator.add: lambda builder, x, y: builder.fadd(x, y),
    operator.sub: lambda builder, x, y: builder.fsub(x, y),
    operator.mul: lambda builder, x, y: builder.fmul(x, y),
    operator.truediv: lambda builder, x, y: builder.fdiv(x, y),
    operator.gt: lambda builder, x, y: builder.fcmp_ordered(">", x, y),
    operator.ge: lambda builder, x, y: builder.fcmp_ordered(">=", x, y),
    operator.lt: lambda builder, x, y: builder.fcmp_ordered("<", x, y),
    operator.le: lambda builder, x, y: builder.fcmp_ordered("<=", x, y),
    operator.eq: lambda builder, x, y: builder.fcmp_ordered("==", x, y),
    operator.ne: lambda builder, x, y: builder.fcmp_unordered("!=", x, y),
    operator.neg: lambda builder, x: builder.fneg(x),
    abs: lambda builder, x: builder.call(_fabs(builder.module, x.type), [x]),
}  # fmt: skip
COMPARISONS = (operator.gt, operator.ge, operator.lt, operator.le, operator.eq, operator.ne)


class LanesOperator(AbstractTemplate):
    key: Any  # the operator

    def generic(self, operands: Any, keywords: Any) -> Any:
        lanes = _lanes_of(*operands)
        return lanes and signature(Lanes(lanes.count, mask=self.key in COMPARISONS), *operands)


def _lowered(instruction: Callable[..., Any]) -> Callable[..., Any]:
    def lower(context: Any, builder: Any, signature: Any, operands: Any) -> Any:
        lanes = _lanes_of(*signature.args)
        return instruction(builder, *(_widened(builder, lanes, operand) for operand in operands))  # type: ignore[arg-type]

    return lower


for each, instruction in INSTRUCTIONS.items():
    infer_global(each)(type(f"Lanes_{each.__name__}", (LanesOperator,), {"key": each}))
    for operands in product((Lanes, types.Float), repeat=1 if each in (operator.neg, abs) else 2):
        if Lanes in operands:
            lower_builtin(each, *operands)(_lowered(instruction))


@intrinsic
def select(typing: Any, test: Any, chosen: Any, otherwise: Any) -> Any:
    """chosen where the test holds, else otherwise; of lanes, or of floats and a bool: both are computed."""
    if not isinstance(test, Lanes):
        floats = types.float64(test, types.float64, types.float64)
        return floats, lambda _context, builder, _signature, given: builder.select(*given)
    kind = Lanes(test.count)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.select(given[0], *(_widened(builder, kind, each) for each in given[1:]))

    return kind(test, chosen, otherwise), generate


@cache
def lanes(count: int) -> tuple[Callable[..., Any], ...]:
    """load(array, row), store(array, row, lanes), spread(number) and fold(lanes), for rows of `count` floats each.

    What is stored may be a float, for all lanes; fold adds the upper half of the lanes to the lower.
    """
    kind = Lanes(count)

    def place(context: Any, builder: Any, array_type: Any, array: Any, row: Any) -> Any:
        data = context.make_array(array_type)(context, builder, array).data
        first = builder.mul(builder.zext(row, WORD) if row.type.width < 64 else row, WORD(count))
        return builder.bitcast(builder.gep(data, [first]), kind.vector.as_pointer())

    @intrinsic
    def load(typing: Any, array: Any, row: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return builder.load(place(context, builder, signature.args[0], *given), align=8)

        return kind(array, row), generate

    @intrinsic
    def store(typing: Any, array: Any, row: Any, lanes: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            numbers = _widened(builder, kind, given[2])
            builder.store(numbers, place(context, builder, signature.args[0], *given[:2]), align=8)
            return context.get_dummy_value()

        return types.void(array, row, lanes), generate

    @intrinsic
    def spread(typing: Any, number: Any) -> Any:
        return kind(types.float64), lambda _c, builder, _s, given: _widened(builder, kind, given[0])

    @intrinsic
    def fold(typing: Any, lanes: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            nothing, half = ir.Constant(kind.vector, ir.Undefined), count // 2
            lower, upper = (builder.shuffle_vector(given[0], nothing, _places(i, half)) for i in (0, half))
            return builder.fadd(lower, upper)

        return Lanes(count // 2)(kind), generate

    return load, store, spread, fold
