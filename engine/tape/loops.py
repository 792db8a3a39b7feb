"""The loops over a tape's program, written in the emitter's Python, and a function for each kind of instruction.

The arithmetic of the kinds is the table's: an instruction computes its value and, where a gradient is wanted, at once
its local derivatives, as the engine records them. plan.py says what the arrays hold; tape.py runs these loops.
"""

from __future__ import annotations

import ctypes
from functools import cache, lru_cache
from typing import Any, get_type_hints

from engine.rules import Rule
from engine.tape.emitter import FLOAT, WORD
from engine.tape.layers import FIELDS
from engine.tape.machine import Code, Module, has_many_registers
from engine.tape.plan import CODES, Kind, Program, ranged

MANY, WIDTH = 16, 8  # lanes in a vector, for functions and for sums
SUMS = 4  # a parameter's gradient is added up in so many parts, by sample, always

SUMS_OF_PRODUCTS = """
def totals(w: floats, m: floats, scalars: indices, rows: indices, begin: int, stop: int, to: int, lanes: int):
    for lane in range(0, lanes, WIDTH):
        z = spread(0.0)
        for k in range(begin, stop):
            z = z + w[scalars[k]] * load(m, rows[k] * lanes + lane)
        store(m, to + lane, z)
"""
# Of so many neurons at once, for which each row is loaded once. Sums begin at 0.0, the bias comes last.
NEURONS = """
def neurons_{count}(p: program, w: floats, m: floats, rows: int, inputs: int, to: int, weights: int, across: int,
                    along: int, bias: int, times: int, lanes: int):
    for lane in range(0, lanes, WIDTH):
        at = weights
        for j in unroll({count}):
            z[j] = spread(0.0)
        for k in range(inputs):
            x = load(m, p.lists[rows + k] * lanes + lane)
            for j in unroll({count}):
                z[j] = z[j] + w[at + j * across] * x
            at = at + along
        if bias > 0:
            for j in unroll({count}):
                z[j] = z[j] + w[at + j * across]
        if times > 0:
            for j in unroll({count}):
                z[j] = select(z[j] != 0.0, z[j] * load(m, to + j * lanes + lane), 0.0)
        for j in unroll({count}):
            store(m, to + j * lanes + lane, z[j])
"""
NEURON = """
def neuron(p: program, w: floats, m: floats, rows: int, inputs: int, to: int, weights: int, along: int, bias: int,
           times: int, lanes: int):
    whole = lanes - 3 * WIDTH
    lane = 0
    while lane < lanes:
        if lane < whole:
            {four}
            lane = lane + 4 * WIDTH
        else:
            {one}
            lane = lane + WIDTH
"""
BLOCKS = """
            for j in unroll({count}):
                z[j] = spread(0.0)
            at = weights
            for k in range(inputs):
                x = p.lists[rows + k] * lanes + lane
                weight = w[at]
                at = at + along
                for j in unroll({count}):
                    z[j] = z[j] + weight * load(m, x + j * WIDTH)
            if bias > 0:
                for j in unroll({count}):
                    z[j] = z[j] + w[at]
            if times > 0:
                for j in unroll({count}):
                    z[j] = select(z[j] != 0.0, z[j] * load(m, to + lane + j * WIDTH), 0.0)
            for j in unroll({count}):
                store(m, to + lane + j * WIDTH, z[j])
"""
LAYER = """
def layer(p: program, w: floats, m: floats, rows: int, inputs: int, outputs: int, to: int, weights: int, across: int,
          along: int, bias: int, times: int, lanes: int):
    n = 0
    while n + WIDE <= outputs:
        neurons_WIDE(p, w, m, rows, inputs, to + n * lanes, weights + n * across, across, along, bias, times, lanes)
        n = n + WIDE
    while n + 4 <= outputs:
        neurons_4(p, w, m, rows, inputs, to + n * lanes, weights + n * across, across, along, bias, times, lanes)
        n = n + 4
    while n < outputs:
        neuron(p, w, m, rows, inputs, to + n * lanes, weights + n * across, along, bias, times, lanes)
        n = n + 1
"""
# The gradients of so many weights of so many neurons: for each, its upstream gradient times its input, over the lanes.
WEIGHTS = """
def weights_{neurons}_{inputs}(p: program, m: floats, sums: floats, rows: int, u: int, to: int, stride: int,
                               lanes: int):
    for j in unroll({inputs}):
        x[j] = p.lists[rows + j] * lanes
        for i in unroll({neurons}):
            z[i, j] = load(sums, (to + i * stride + j) * SUMS, SUMS)
    for lane in range(0, lanes, SUMS):
        for i in unroll({neurons}):
            v[i] = load(m, u + i * lanes + lane, SUMS)
        for j in unroll({inputs}):
            y = load(m, x[j] + lane, SUMS)
            for i in unroll({neurons}):
                z[i, j] = z[i, j] + v[i] * y
    for j in unroll({inputs}):
        for i in unroll({neurons}):
            store(sums, (to + i * stride + j) * SUMS, z[i, j], SUMS)
"""
WEIGHTS_OF_A_LAYER = """
def all_weights_{neurons}(p: program, m: floats, sums: floats, rows: int, inputs: int, u: int, to: int, stride: int,
                          lanes: int):
    k = 0
    while k + 4 <= inputs:
        weights_{neurons}_4(p, m, sums, rows + k, u, to + k, stride, lanes)
        k = k + 4
    while k + 2 <= inputs:
        weights_{neurons}_2(p, m, sums, rows + k, u, to + k, stride, lanes)
        k = k + 2
    while k < inputs:
        weights_{neurons}_1(p, m, sums, rows + k, u, to + k, stride, lanes)
        k = k + 1
"""
# The gradients of so many biases, which are sums of upstream gradients: together, as an addition waits for the last.
BIASES = """
def biases_{neurons}(m: floats, sums: floats, u: int, to: int, stride: int, lanes: int):
    for i in unroll({neurons}):
        z[i] = load(sums, (to + i * stride) * SUMS, SUMS)
    for lane in range(0, lanes, SUMS):
        for i in unroll({neurons}):
            z[i] = z[i] + load(m, u + i * lanes + lane, SUMS)
    for i in unroll({neurons}):
        store(sums, (to + i * stride) * SUMS, z[i], SUMS)
"""
OUTER = """
def outer(p: program, m: floats, sums: floats, line: int, u: int, lanes: int):
    inputs = p.layers[line + inputs_]
    outputs = p.layers[line + outputs_]
    rows = p.layers[line + rows_]
    stride = p.layers[line + stride_]
    to = p.layers[line + weights_]
    bias = p.layers[line + bias_]
    n = 0
    while n + TILE <= outputs:
        all_weights_TILE(p, m, sums, rows, inputs, u + n * lanes, to + n * stride, stride, lanes)
        if bias > 0:
            biases_TILE(m, sums, u + n * lanes, to + n * stride + inputs, stride, lanes)
        n = n + TILE
    while n < outputs:
        all_weights_1(p, m, sums, rows, inputs, u + n * lanes, to + n * stride, stride, lanes)
        if bias > 0:
            biases_1(m, sums, u + n * lanes, to + n * stride + inputs, stride, lanes)
        n = n + 1
"""
# In a single lane, eight neighbours at a time: inputs of a neuron, or neurons whose weights for an input lie together.
OUTER_OF_ONE = """
def outer(p: program, m: floats, sums: floats, line: int, u: int, lanes: int):
    inputs = p.layers[line + inputs_]
    rows = p.layers[line + rows_]
    stride = p.layers[line + stride_]
    for n in range(p.layers[line + outputs_]):
        upstream = m[u + n]
        to = p.layers[line + weights_] + n * stride
        k = 0
        if p.layers[line + adjacent_] > 0:
            x = p.lists[rows]
            while k + 8 <= inputs:
                store(sums, to + k, load(sums, to + k, 8) + upstream * load(m, x + k, 8), 8)
                k = k + 8
        while k < inputs:
            sums[to + k] = sums[to + k] + upstream * m[p.lists[rows + k]]
            k = k + 1
        if p.layers[line + bias_] > 0:
            sums[to + inputs] = sums[to + inputs] + upstream
"""
LAYER_OF_ONE = """
def layer(p: program, w: floats, m: floats, rows: int, inputs: int, outputs: int, to: int, weights: int, across: int,
          along: int, bias: int, times: int, lanes: int):
    n = 0
    if across == 1:
        while n + 8 <= outputs:
            z = spread(0.0, 8)
            for k in range(inputs):
                z = z + load(w, weights + n + k * along, 8) * m[p.lists[rows + k]]
            if times > 0:
                z = select(z != spread(0.0, 8), z * load(m, to + n, 8), spread(0.0, 8))
            store(m, to + n, z, 8)
            n = n + 8
    while n + 4 <= outputs:
        neurons_4(p, w, m, rows, inputs, to + n, weights + n * across, across, along, bias, times, 1)
        n = n + 4
    while n < outputs:
        neurons_1(p, w, m, rows, inputs, to + n, weights + n * across, across, along, bias, times, 1)
        n = n + 1
"""
PASSING = ("add", "sub", "mul", "neg", "total")  # not finite where an operand isn't
LOOPS = """
def multiply(m: floats, u: int, to: int, lanes: int):
    for lane in range(0, lanes, WIDTH):
        upstream = load(m, u + lane)
        store(m, to + lane, select(upstream != 0.0, upstream * load(m, to + lane), 0.0))

def forward(p: program, w: floats, m: floats, lanes: int, slopes: int) -> float:
    wrong = 0.0
    i = 0
    while i < p.instructions:
        code = p.code[i]
        stop = i + 1
        if code == SUM:
            totals(w, m, p.scalars, p.rows, p.x[i], p.y[i], (p.first + i) * lanes, lanes)
        else:
            if code == LAYER:
                line = p.x[i] * FIELDS
                outputs = p.layers[line + outputs_]
                layer(p, w, m, p.layers[line + rows_], p.layers[line + inputs_], outputs, (p.first + i) * lanes,
                      p.layers[line + weights_], p.layers[line + stride_], 1, p.layers[line + bias_], 0, lanes)
                stop = i + outputs
            else:
                while both(stop < p.instructions, p.code[stop] == code):
                    stop = stop + 1
                wrong = wrong + at(p.kinds[code - FIRST_KIND], p, m, i, stop, lanes, slopes)
        i = stop
    for lane in range(0, lanes, WIDTH):
        E = load(m, p.root * lanes + lane)
        if any(E - E != 0.0):
            wrong = nan
    return wrong

def backward(p: program, w: floats, m: floats, sums: floats, lanes: int):
    i = p.instructions
    while i > 0:
        i = i - 1
        u = (p.first_gradient + i) * lanes
        code = p.code[i]
        if p.back[i] > 0:
            line = (p.back[i] - 1) * FIELDS
            stride = p.layers[line + stride_]
            inputs = p.layers[line + inputs_]
            outputs = p.layers[line + outputs_]
            times = p.layers[line + times_]
            layer(p, w, m, p.layers[line + upstream_], outputs, inputs, p.layers[line + target_] * lanes,
                  p.layers[line + weights_] + (outputs - 1) * stride, 1, -stride, 0, times, lanes)
            if times > 0:
                i = i - inputs + 1
                code = MEMBER
        else:
            if p.pulls[i] < p.pulls[i + 1]:
                totals(w, m, p.pull_scalars, p.pull_rows, p.pulls[i], p.pulls[i + 1], u, lanes)
        if code == LAYER:
            outer(p, m, sums, p.x[i] * FIELDS, u, lanes)
        if both(code >= FIRST_KIND, p.dx[i] + p.dy[i] > 0):
            if code < p.ranged:
                if p.dx[i] > 0:
                    multiply(m, u, p.dx[i] * lanes, lanes)
                if p.dy[i] > 0:
                    multiply(m, u, p.dy[i] * lanes, lanes)
            else:
                for row in range(p.dx[i], p.dy[i]):
                    multiply(m, u, row * lanes, lanes)
    for run in range(p.run_count):
        u = p.run_rows[run] * lanes
        for k in range(p.runs[run], p.runs[run + 1]):
            x = p.run_factors[k] * lanes
            z = load(sums, p.run_targets[k] * SUMS, SUMS)
            for lane in range(0, lanes, SUMS):
                z = z + load(m, x + lane, SUMS) * load(m, u + lane, SUMS)
            store(sums, p.run_targets[k] * SUMS, z, SUMS)

def begin(p: program, w: floats, m: floats, lanes: int):
    for row in range(p.spread_count):
        for lane in range(0, lanes, WIDTH):
            store(m, row * lanes + lane, w[p.spread[row]])

def fill(p: program, m: floats, columns: floats, stride: int, samples: words, listed: int, start: int, count: int,
         lanes: int):
    for i in range(p.inputs):
        to = (p.first_input + i) * lanes
        if listed == 0:
            for lane in range(0, lanes, WIDTH):
                store(m, to + lane, load(columns, i * stride + start + lane))
        else:
            for lane in range(lanes):
                sample = start + lane
                if sample >= count:
                    sample = count - 1
                m[to + lane] = columns[i * stride + samples[sample]]

def seeded(p: program, m: floats, share: float, start: int, count: int, lanes: int):
    for lane in range(0, lanes, WIDTH):
        store(m, p.seed * lanes + lane, share)
    for lane in range(count - start, lanes):
        m[p.seed * lanes + lane] = 0.0

def cleared(p: program, sums: floats):
    for i in range(0, p.parameters * SUMS, SUMS):
        store(sums, i, 0.0, SUMS)

def mean_of(values: floats, count: int) -> float:
    share = 1.0 / number(count)
    whole = count - (count & (SUMS - 1))
    parts = spread(-0.0, SUMS)
    for i in range(0, whole, SUMS):
        parts = parts + load(values, i, SUMS) * share
    mean = -0.0
    for j in unroll(SUMS):
        mean = mean + lane(parts, j)
    for i in range(whole, count):
        mean = mean + values[i] * share
    return mean

def gathered(p: program, sums: floats, gradient: floats) -> float:
    wrong = 0.0
    for q in range(p.parameters):
        slope = 0.0
        for j in unroll(SUMS):
            slope = slope + sums[q * SUMS + j]
        gradient[q] = slope
        wrong = wrong + (slope - slope)
    return wrong

def replay(p: program, w: floats, m: floats, columns: floats, stride: int, samples: words, listed: int, count: int,
           lanes: int, values: floats, sums: floats, gradient: floats, slopes: int) -> float:
    begin(p, w, m, lanes)
    cleared(p, sums)
    for start in range(0, count, lanes):
        if listed < 2:
            fill(p, m, columns, stride, samples, listed, start, count, lanes)
        if forward(p, w, m, lanes, slopes) != 0.0:
            return nan
        for lane in range(0, lanes, WIDTH):
            store(values, start + lane, load(m, p.root * lanes + lane))
        if slopes > 0:
            seeded(p, m, 1.0 / number(count), start, count, lanes)
            backward(p, w, m, sums, lanes)
    mean = mean_of(values, count)
    bad = mean - mean
    if slopes > 0:
        bad = bad + gathered(p, sums, gradient)
    if bad != 0.0:
        return nan
    return mean

def each_gradient(p: program, w: floats, m: floats, columns: floats, stride: int, samples: words, count: int,
                  lanes: int, sums: floats, gradients: floats) -> float:
    begin(p, w, m, lanes)
    for start in range(0, count, SUMS):
        stop = start + SUMS
        if stop > count:
            stop = count
        fill(p, m, columns, stride, samples, 1, start, stop, lanes)
        if forward(p, w, m, lanes, 1) != 0.0:
            return nan
        seeded(p, m, 1.0, start, stop, lanes)
        cleared(p, sums)
        backward(p, w, m, sums, lanes)
        for sample in range(start, stop):
            for q in range(p.parameters):
                slope = 0.0 + sums[q * SUMS + (sample - start)]
                if slope - slope != 0.0:
                    return nan
                gradients[sample * p.parameters + q] = slope
    return 0.0
"""
# 0.0, or NaN where an operand isn't finite: relu, say, would hide it.
KIND = """
def run(p: program, m: floats, first: int, stop: int, lanes: int, slopes: int) -> float:
    wrong_ = spread(0.0)
    for i_ in range(first, stop):
        z_ = (p.first + i_) * lanes
        {places}
        for block_ in range(0, lanes, WIDTH):
            lane_ = select(block_ > lanes - WIDTH, lanes - WIDTH, block_)
            {operands}
            wrong_ = wrong_ + formula({zero!r})
            shared('rule')
            z = careful({value!r})
            store(m, z_ + lane_, z)
            if slopes > 0:
                {slopes}
    if any(wrong_ != 0.0):
        return nan
    return 0.0
"""


def kind_text(kind: Kind, width: int) -> str:
    """The loop over instructions of one kind, from i = first to before stop."""
    rule = kind.rule
    value, *partials = rule.shared[1:] if rule.shared and width > 1 else (rule.value, *rule.partials)
    if ranged(rule):
        places = ["d_ = p.dx[i_]"]
        operands = ["xs = items(m, p.rows, p.x[i_], p.y[i_], lane_)"]
        if not rule.many:
            operands = [f"{x} = load(m, p.rows[p.x[i_] + {j}] * lanes + lane_)" for j, x in enumerate(rule.operands)]
        rows = [f"(d_ + {j}) * lanes" for j in range(len(rule.operands))]
        wanted = kind.wanted * len(rule.operands)
    else:
        places = [f"{x}_ = p.{x}[i_] * lanes; d{x}_ = p.d{x}[i_] * lanes" for x in rule.operands]
        operands = [f"{x} = load(m, {x}_ + lane_)" for x in rule.operands]
        rows, wanted = [f"d{x}_" for x in rule.operands], kind.wanted
    zero = "sum([x - x for x in xs])" if rule.many else " + ".join(f"({x} - {x})" for x in rule.operands)
    store = "store(m, {0} + lane_, formula({1!r}))" if not rule.many else "store_each(m, d_, lane_, {1!r})"
    slopes = [store.format(row, text) for row, text, want in zip(rows, partials, wanted, strict=True) if want]
    return KIND.format(
        value=value,
        zero="0" if rule.name in PASSING else zero,
        places="; ".join(places),
        operands="; ".join(operands),
        slopes="; ".join(slopes or ["0"]),
    )


class Loops:
    """Compiled loops, to be called by name."""

    def __init__(self, width: int, *texts: str, **rows: Rule) -> None:
        one_lane = width == 1
        sums = 1 if one_lane else SUMS
        numbers = {"WIDTH": width, "SUMS": sums, "FIELDS": len(FIELDS)}
        numbers |= CODES
        numbers |= {f"{name}_": place for place, name in enumerate(FIELDS)} | ({"lanes": 1} if one_lane else {})
        constants = {name: WORD(n) for name, n in numbers.items()} | {"nan": FLOAT(float("nan"))}
        module = Module(width, _fields(), constants, rows)
        for text in texts:
            module.define(text)
        self.code = Code(module, effort=1 if rows else 2)
        self.functions: dict[str, Any] = {}
        self.kinds = {name: function.ftype.args for name, function in module.functions.items()}

    def address(self, name: str) -> int:
        """Where a loop is, which is there as long as this object."""
        return self.code.engine.get_function_address(name)  # type: ignore[no-any-return]

    def __call__(self, name: str, *arguments: Any) -> float:
        if name not in self.functions:
            kinds = [ctypes.c_double if kind == FLOAT else ctypes.c_int64 for kind in self.kinds[name]]
            self.functions[name] = self.code.function(name, *kinds, returns=ctypes.c_double)
        result: float = self.functions[name](*arguments)
        return result


@cache
def driver(one_lane: bool) -> Loops:
    """The loops that all tapes share, for a single lane or for many."""
    if one_lane:
        each = [NEURONS.format(count=count) for count in (4, 1)]
        return Loops(1, SUMS_OF_PRODUCTS, *each, LAYER_OF_ONE, OUTER_OF_ONE, LOOPS)
    wide, tile = (8, 4) if has_many_registers() else (4, 2)
    blocks = {name: BLOCKS.format(count=count).strip() for name, count in (("four", 4), ("one", 1))}
    texts = [NEURONS.format(count=count) for count in {wide, 4}]
    for neurons in (tile, 1):
        texts += [WEIGHTS.format(neurons=neurons, inputs=inputs) for inputs in (4, 2, 1)]
        texts += [WEIGHTS_OF_A_LAYER.format(neurons=neurons), BIASES.format(neurons=neurons)]
    texts += [NEURON.format(**blocks), LAYER.replace("WIDE", str(wide)), OUTER.replace("TILE", str(tile))]
    return Loops(WIDTH, SUMS_OF_PRODUCTS, *texts, LOOPS)


@lru_cache(maxsize=128)
def loop_of(kind: Kind, one_lane: bool) -> Loops:
    """The loop over instructions of one kind, under the name run."""
    width = 1 if one_lane else MANY
    return Loops(width, kind_text(kind, width), rule=kind.rule)


def _fields() -> dict[str, str]:
    """What a program's fields are for the loops."""
    kinds = {"code": "codes", "kinds": "words"}
    return {
        name: kinds.get(name, "indices") if kind is not int else "int" for name, kind in get_type_hints(Program).items()
    }
