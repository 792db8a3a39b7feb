"""The table read for JAX: a graph as a pure function of arrays, to be jitted, mapped, differentiated and sharded.

Every row becomes a function of arrays that carries the table's own partials, so that derivatives of every order are
the table's too. Nodes of one row and one depth are computed side by side, as one array.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial, reduce
from itertools import groupby
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from engine.calculus import distinct_leaves
from engine.formulas import parse
from engine.order import topological_order
from engine.readings.arrays import read
from engine.rules import RULES, TABLE, Rule
from engine.value import Value

Array: TypeAlias = Any  # of JAX, or one that it traces
Place: TypeAlias = tuple[int, int]  # in which array, and where there
CONSTANTS, PARAMETERS, ROW = -1, 0, 1  # the first arrays; the others hold a group of nodes each
HUGE = np.finfo(np.float64).max


def to_jax(E: Value, inputs: Sequence[Value] = ()) -> JaxFunction:
    """The graph of E as a pure function f(parameters, row) of JAX arrays of float64, which gives E as an array ().

    row holds a number for each of inputs, leaves that change from sample to sample; all other leaves are f.parameters,
    in the order of Tape(E, inputs).parameters. f gives the engine's numbers, NaN where the engine raises DomainError,
    and derivatives of any order, made of the table's partials; one that the engine refuses is infinite or NaN. jax.jit,
    jax.grad, jax.vmap and shardings apply. f takes as many steps as the graph is deep, however wide it is.

    Raises RuntimeError unless jax_enable_x64 is on; ValueError for inputs that aren't leaves or are given twice, and in
    f for arrays of another shape.

    >>> jax.config.update("jax_enable_x64", True)
    >>> x, w = Value(1.4, "x"), Value(0.7, "w")
    >>> f = to_jax((x * w).tanh(), inputs=[x])
    >>> [slope] = jax.grad(f)(jnp.array([0.7]), jnp.array([1.4]))
    >>> f"{slope:.6f}"
    '0.606048'
    """
    check_x64()
    return JaxFunction(E, inputs)


def check_x64() -> None:
    """RuntimeError unless JAX computes in double precision."""
    if not jax.config.jax_enable_x64:
        raise RuntimeError(
            "JAX computes in single precision here, which would lose half of the engine's digits: "
            "write jax.config.update('jax_enable_x64', True) first"
        )


# -- rows as functions of arrays


def _softmax(xs: Array) -> Array:
    powers = jnp.exp(xs - jnp.max(xs, axis=0))
    return powers / jnp.sum(powers, axis=0)


def _spread(item: Array, items: Array) -> Array:
    return jnp.broadcast_to(item, jnp.broadcast_shapes(jnp.shape(item), jnp.shape(items)))


LISTS: dict[str, Any] = {  # what formulas do with lists
    "sum": partial(jnp.sum, axis=0), "first": lambda xs: xs[0], "rest": lambda xs: xs[1:],
    "stack": jnp.stack, "join": jnp.concatenate, "spread": _spread, "pi": math.pi,
}  # fmt: skip
NUMBERS: dict[str, Any] = {  # what the formulas of values call; JAX differentiates none of it
    **LISTS, **{rule.name: getattr(jnp, rule.name) for rule in TABLE if hasattr(jnp, rule.name)},
    "erf": jax.lax.erf, "erfc": jax.lax.erfc, "max": partial(jnp.max, axis=0), "softmax": _softmax,
    "complex": lambda x, y: jax.lax.complex(*jnp.broadcast_arrays(x, y)), "where": jnp.where,
}  # fmt: skip


def value(rule: Rule, *operands: Array) -> Array:
    """The row's formula for its value, over arrays."""
    return read(rule.value, NUMBERS | dict(zip(rule.operands, operands, strict=True)))


NUMBERS |= {rule.name: partial(value, rule) for rule in TABLE if rule.value != rule.typed}


@cache
def function(rule: Rule) -> Callable[..., Array]:
    """The row as a function of arrays that JAX differentiates by the table's partials, as often as one likes.

    Its number is NaN where it, or an operand, isn't finite. A list of operands is an array along its first axis.
    """

    @jax.custom_jvp
    def checked(*operands: Array) -> Array:
        z = value(rule, *operands)
        good = jnp.isfinite(z)
        for operand in operands if forgets(rule.value) else ():
            good &= jnp.isfinite(operand).all(axis=0) if rule.many else jnp.isfinite(operand)
        return jnp.where(good, z, jnp.nan)

    @partial(checked.defjvp, symbolic_zeros=True)
    def moved(operands: Sequence[Array], tangents: Sequence[Any]) -> tuple[Array, Array]:
        z = checked(*operands)
        names = ROWS | dict(zip(rule.operands, operands, strict=True)) | {"z": z}
        products = [
            contribution(tangent, read(formula, names))
            for formula, tangent in zip(rule.partials, tangents, strict=True)
            if not isinstance(tangent, SymbolicZero)  # that of a constant
        ]
        return z, products[0].sum(axis=0) if rule.many else reduce(operator.add, products)

    return checked  # type: ignore[no-any-return]


@cache
def forgets(formula: str) -> bool:
    """Can the formula give a number where an operand is NaN: by a choice, or by a power, as x**0 is 1?"""
    for node in ast.walk(parse(formula)):
        if isinstance(node, (ast.IfExp, ast.Pow)):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RULES:
            inner = RULES[node.func.id]
            if inner.value != inner.typed and forgets(inner.value):
                return True
    return False


def contribution(tangent: Array, slope: Array) -> Array:
    """Their product, but 0 where the tangent is 0, whatever the slope: a pass asks nothing of it there.

    JAX can run it backward, as it is a product of the tangent; it is infinite where the slope isn't finite.
    """
    if isinstance(slope, float):
        return tangent * slope
    return tangent * _bounded(slope) * jnp.where(jnp.isfinite(slope), 1.0, HUGE)


@jax.custom_jvp
def _bounded(slope: Array) -> Array:
    return jnp.where(jnp.isfinite(slope), slope, HUGE)


@_bounded.defjvp
def _bounded_moved(primals: Sequence[Array], tangents: Sequence[Array]) -> tuple[Array, Array]:
    return _bounded(*primals), tangents[0]  # so that a derivative of what isn't finite isn't finite either


@jax.custom_jvp
def _shares(xs: Array) -> Array:
    return _softmax(xs)


@_shares.defjvp
def _shares_moved(primals: Sequence[Array], tangents: Sequence[Array]) -> tuple[Array, Array]:
    count = len(primals[0])
    firsts = np.array([[i, *range(i), *range(i + 1, count)] for i in range(count)]).T
    share = function(RULES["share"])
    return jax.jvp(lambda xs: share(xs[firsts]), primals, tangents)  # type: ignore[no-any-return]


def _row(name: str) -> Callable[..., Array]:
    return lambda *operands: function(RULES[name])(*operands)


# What the formulas of partials call: rows again, with derivatives of their own. A division is one, too.
ROWS: dict[str, Any] = LISTS | {name: _row(name) for name in RULES} | {"Div": _row("div"), "softmax": _shares}


# -- graphs as functions of arrays


class JaxFunction:
    """What to_jax gives: f(parameters, row), with f.parameters, the leaves that parameters stand for, in order."""

    def __init__(self, E: Value, inputs: Sequence[Value]) -> None:
        order, self.inputs = topological_order(E), distinct_leaves(inputs)
        self.parameters = [node for node in order if node.rule is None and node not in set(self.inputs)]
        places: dict[Value, Place] = {}
        sizes: dict[int, int] = {}
        constants: list[float] = []
        self.groups: list[Group] = []
        for number, nodes in enumerate([self.parameters, self.inputs, *side_by_side(order)]):
            if number > ROW:
                self.groups.append(Group(nodes, places, sizes, constants))
            places |= {node: (number, i) for i, node in enumerate(nodes)}
            sizes[number] = len(nodes)
        self.constants = np.array(constants, np.float64)
        self.result = places[E]

    def __repr__(self) -> str:
        sizes = f"{len(self.parameters)} parameters, a row of {len(self.inputs)}"
        return f"JaxFunction: {sizes}, {len(self.groups)} steps"

    def __call__(self, parameters: Array, row: Array = ()) -> Array:
        check_x64()
        arrays = {
            CONSTANTS: self.constants,
            PARAMETERS: _array("parameters", parameters, self.parameters),
            ROW: _array("row", row, self.inputs),
        }
        for number, group in enumerate(self.groups, ROW + 1):
            arrays[number] = group.computed(arrays)
        source, i = self.result
        E = arrays[source][i]
        return E * jnp.where(jnp.isfinite(E), 1.0, jnp.nan)  # a factor, so that its derivatives are NaN as well


def side_by_side(order: Sequence[Value]) -> list[list[Value]]:
    """The nodes in groups of one row and one depth, each group after all that its nodes are computed from."""
    depth: dict[Value, int] = {}
    groups: dict[Any, list[Value]] = {}
    for node in order:
        depth[node] = 1 + max((depth[operand] for operand in node.inputs if type(operand) is Value), default=-1)
        if node.rule:
            # a constant beside a Value in one slot would be differentiated as well
            kind = len(node.inputs) if node.rule.many else tuple(type(operand) for operand in node.inputs)
            groups.setdefault((depth[node], node.rule, kind), []).append(node)
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


class Group:
    """Nodes of one row that are computed side by side: the row, and where the numbers of each operand come from."""

    def __init__(
        self, nodes: Sequence[Value], places: Mapping[Value, Place], sizes: Mapping[int, int], constants: list[float]
    ) -> None:
        def place(operand: Value | float) -> Place:
            if isinstance(operand, Value):
                return places[operand]
            constants.append(operand)
            return CONSTANTS, len(constants) - 1

        assert nodes[0].rule is not None
        self.rule = nodes[0].rule
        slots = [[place(operand) for operand in slot] for slot in zip(*(node.inputs for node in nodes), strict=True)]
        self.operands = [parts(slots, sizes)] if self.rule.many else [parts([slot], sizes) for slot in slots]

    def computed(self, arrays: Mapping[int, Array]) -> Array:
        """The numbers of its nodes."""
        operands = [jnp.concatenate([part.taken(arrays) for part in operand]) for operand in self.operands]
        return function(self.rule)(*(operands if self.rule.many else [operand[0] for operand in operands]))


class Part:
    """Some slots of a group that are read from the same arrays: which arrays, and where in them, a row for a slot."""

    def __init__(self, sources: Sequence[int], slots: Sequence[Sequence[Place]], sizes: Mapping[int, int]) -> None:
        self.sources, start, starts = sources, 0, {}
        for source in sources:  # the constants, which are being collected, come last
            starts[source], start = start, start + sizes.get(source, 0)
        self.at = np.array([[starts[source] + i for source, i in slot] for slot in slots])

    def taken(self, arrays: Mapping[int, Array]) -> Array:
        """The numbers, of the shape of .at: slices where they do, as JAX needn't scatter to run these backward."""
        chosen = [arrays[source] for source in self.sources]
        whole, at = chosen[0] if len(chosen) == 1 else jnp.concatenate(chosen), self.at
        run = length_of_run(at.ravel())
        first = slice(at[0, 0], at[0, 0] + run)
        if (at.reshape(-1, run) == at.ravel()[:run]).all() if at.size % run == 0 else False:  # again and again
            return jnp.broadcast_to(whole[first], (at.size // run, run)).reshape(at.shape)
        if length_of_run(at.T.ravel()) == at.size:  # node by node
            return whole[at[0, 0] : at[0, 0] + at.size].reshape(at.T.shape).T
        return whole[at]


def parts(slots: Sequence[Sequence[Place]], sizes: Mapping[int, int]) -> list[Part]:
    """Slots that are read from the same arrays as the one before go into one part."""
    by_source = groupby(slots, key=lambda slot: sorted({source for source, _ in slot}, reverse=True))
    return [Part(sources, list(run), sizes) for sources, run in by_source]


def length_of_run(at: Any) -> int:
    """How many places follow one another from the first on."""
    breaks = np.flatnonzero(np.diff(at) != 1)
    return int(breaks[0]) + 1 if len(breaks) else len(at)


def _array(name: str, given: Any, leaves: Sequence[Value]) -> Array:
    numbers = jnp.asarray(given, jnp.float64)
    if numbers.shape != (len(leaves),):
        raise ValueError(f"{name} is an array of {len(leaves)} numbers, one for each leaf; given was {numbers.shape}")
    return jnp.where(jnp.isfinite(numbers), numbers, jnp.nan)
