"""The loops over a tape's program, and one for each kind of instruction: Python that writes machine code.

The arithmetic of the kinds is the table's: an instruction computes its value and, where a gradient is wanted, at once
its local derivatives, as the engine records them. plan.py says what the arrays hold; tape.py runs these loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock
from typing import Any, get_type_hints

from engine.tape.emitter import Body, Fields, Float, Floats, Int, Items, Number, Words, vector
from engine.tape.layers import FIELDS
from engine.tape.machine import Loops, has_many_registers
from engine.tape.plan import FIRST_KIND, LAYER, Kind, Program

MANY, WIDTH = 16, 8  # lanes in a vector, for functions and for sums
SUMS = 4  # a parameter's gradient is added up in so many parts, by sample, always
VALUES, MEAN, EACH = range(3)  # what is asked for: no gradient, the mean's, each sample's
PASSING = ("add", "sub", "mul", "neg", "total")  # not finite where an operand isn't
NAN = float("nan")


class Pass:
    """A pass over the program, forward or backward, for one block of samples."""

    def __init__(self, body: Body, p: Any, w: Any, m: Any, sums: Any, lanes: Any) -> None:
        self.body, self.p, self.w, self.m, self.sums = body, p, w, m, sums
        self.lanes = lanes if body.width > 1 else 1
        self.parts = SUMS if body.width > 1 else 1

    def apart(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a method as a function of its own in the code."""

        def made(body: Body, p: Any, w: Any, m: Any, sums: Any, lanes: Any, *given: Any) -> Any:
            return method(Pass(body, p, w, m, sums, lanes), *given)

        made.__name__ = method.__name__
        return self.body.call(made, self.p, self.w, self.m, self.sums, self.lanes, *arguments)

    def each_vector(self) -> Any:
        return self.body.count(0, self.lanes, self.body.width)

    def begin(self) -> None:
        """Scalars that are read as rows."""
        for row in self.body.count(0, self.p.spread_count):
            for lane in self.each_vector():
                self.m.put(row * self.lanes + lane, self.w[self.p.spread[row]])

    def fill(self, columns: Any, stride: Any, samples: Any, listed: Any, start: Any, count: Any) -> None:
        """The inputs of samples from start on: those side by side, or those listed, the last of them to the end."""
        body, m = self.body, self.m
        for i in body.count(0, self.p.inputs):
            to, column = (self.p.first_input + i) * self.lanes, i * stride
            with body.when(listed == 0):
                for lane in self.each_vector():
                    m.put(to + lane, columns.lanes(column + start + lane))
            with body.when(listed == 1):
                for lane in body.count(0, self.lanes):
                    sample = body.select(start + lane < count, start + lane, count - 1)
                    m.put(to + lane, columns[column + samples[sample]], 1)

    def forward(self, slopes: Any) -> Any:
        """Each instruction's value; returns 0.0, or NaN where an operand isn't finite."""
        body, p = self.body, self.p
        wrong, i = body.variable(0.0), body.variable(0)
        for stop_if in body.repeat():
            stop_if(i >= p.instructions)
            code, first = p.code[i], i.now()
            i += 1
            with body.when(code == LAYER):
                inputs, outputs, _, rows, weights, *_ = self.layer(p.rows[p.start[first]])
                self.apart(Pass.products, rows, inputs, outputs, p.first + first, weights, 1, outputs, 0)
                i.set(first + outputs)
            with body.when(code >= FIRST_KIND):
                for stop_if in body.repeat():
                    stop_if(i >= p.instructions)
                    stop_if(p.code[i] != code)
                    i += 1
                wrong += body.invoke_at(p.kinds[code - FIRST_KIND], p, self.m, first, i, self.lanes, slopes)
        return wrong

    def layer(self, number: Any) -> list[Any]:
        return [self.p.layers[number * len(FIELDS) + place] for place in range(len(FIELDS))]

    def products(
        self, rows: Any, inputs: Any, outputs: Any, to: Any, weights: Any, across: Any, along: Any, times: Any
    ) -> None:
        """A layer's sums, or the gradients of its rows, times slopes if there are any."""
        for neurons, n in self.body.tiles(outputs, (8, 4, 1) if has_many_registers() else (4, 1)):
            slopes = self.body.select(times > 0, times + n, 0)
            self.tile(neurons, rows, inputs, to + n, weights + n * across, across, along, slopes)

    def tile(
        self, neurons: int, rows: Any, inputs: Any, to: Any, weights: Any, across: Any, along: Any, slopes: Any
    ) -> None:
        """The sums of so many neurons, for which each row is loaded once, begun at 0.0; of one, in four vectors."""
        body, p, w, m, lanes, width = self.body, self.p, self.w, self.m, self.lanes, self.body.width
        for size, lane in body.tiles(lanes, (4 * width, width) if neurons == 1 and width > 1 else (width,)):
            each = [(n, b) for n in range(neurons) for b in range(0, size, width)]
            sums, at = {place: body.variable(0.0, body.lanes_kind) for place in each}, body.variable(weights)
            for k in body.count(0, inputs):
                x = p.lists[rows + k] * lanes + lane
                xs = [m.lanes(x + b) for b in range(0, size, width)]
                for n in range(neurons):
                    weight = w[at + n * across]
                    for b in range(0, size, width):
                        sums[n, b] += weight * xs[b // width]
                at += along
            with body.when(slopes > 0):
                for n, b in each:
                    z, slope = sums[n, b], m.lanes((slopes + n) * lanes + lane + b)
                    z.set(body.select(z != 0.0, z * slope, 0.0))
            for n, b in each:
                m.put((to + n) * lanes + lane + b, sums[n, b])

    def backward(self, share: Any, start: Any, count: Any) -> None:
        """Adds the parameters' gradients, in parts, to sums; ∂E/∂E is the share, and 0 after the last sample."""
        body, p, m, lanes = self.body, self.p, self.m, self.lanes
        for lane in self.each_vector():
            m.put(p.seed * lanes + lane, share)
        for lane in body.count(count - start, lanes):
            m.put(p.seed * lanes + lane, 0.0, 1)
        for backwards in body.count(0, p.instructions):
            i = p.instructions - 1 - backwards
            u, first, stop = p.first_gradient + i, p.pulls[i], p.pulls[i + 1]
            with body.when(first < stop):
                due = p.upstreams[first] == 0
                with body.when(due):
                    inputs, outputs, own, rows, weights, target, times = self.layer(p.factors[first])
                    last = weights + outputs - 1
                    self.apart(Pass.products, rows + inputs, outputs, own, target, last, outputs, -1, times)
                with body.when(due ^ True):
                    self.pull(u, first, stop)
            with body.when(p.code[i] == LAYER):
                outer = Pass.outer if body.width > 1 else Pass.outer_of_one
                self.apart(outer, u, *self.layer(p.rows[p.start[i]]))
        for k in body.count(0, p.terms):
            z = body.variable(self.sums.lanes(p.targets[k] * self.parts, self.parts))
            for _, term in self.terms(p.target_factors[k], p.target_upstreams[k], self.parts):
                z += term
            self.sums.put(p.targets[k] * self.parts, z, self.parts)

    def pull(self, u: Any, first: Any, stop: Any) -> None:
        """A gradient, as a sum of terms; a single number is kept in a register."""
        body, p, m, lanes = self.body, self.p, self.m, self.lanes
        z = body.variable(0.0, body.lanes_kind)
        for k in body.count(first, stop):
            before = body.select(k == first, p.zero, u) * lanes
            for lane, term in self.terms(p.factors[k], p.upstreams[k]):
                if body.width > 1:
                    m.put(u * lanes + lane, m.lanes(before + lane) + term)
                else:
                    z += term
        if body.width == 1:
            m.put(u, z)

    def terms(self, factor: Any, upstream: Any, width: int = 0) -> Any:
        """Upstream × local derivative, vector by vector; where nothing comes from above, nothing is asked."""
        body, lanes, end = self.body, self.lanes, self.p.end
        for is_row in (True, False) if body.width > 1 else (True,):
            with body.when((factor < end) if is_row else (factor >= end)):
                scalar = 0.0 if is_row else self.w[factor - end]
                for lane in body.count(0, lanes, width or body.width):
                    u = self.m.lanes(upstream * lanes + lane, width)
                    slope = self.m.lanes(factor * lanes + lane, width) if is_row else scalar
                    yield lane, body.select(u != 0.0, u * slope, 0.0)

    def outer(self, u: Any, inputs: Any, outputs: Any, _: Any, rows: Any, weights: Any, *__: Any) -> None:
        """The gradients of a layer's weights: over the lanes, upstream × input."""
        for neurons, n in self.body.tiles(outputs, (4 if has_many_registers() else 2, 1)):
            for size, k in self.body.tiles(inputs, (4, 2, 1)):
                self.outer_tile(neurons, size, u + n, rows + k, weights + k * outputs + n, outputs)

    def outer_tile(self, neurons: int, inputs: int, u: Any, rows: Any, weights: Any, stride: Any) -> None:
        places = {(n, k): (weights + k * stride + n) * SUMS for n in range(neurons) for k in range(inputs)}
        z = {each: self.body.variable(self.sums.lanes(place, SUMS)) for each, place in places.items()}
        x = [self.p.lists[rows + k] * self.lanes for k in range(inputs)]
        for lane in self.body.count(0, self.lanes, SUMS):
            us = [self.m.lanes((u + n) * self.lanes + lane, SUMS) for n in range(neurons)]
            xs = [self.m.lanes(x[k] + lane, SUMS) for k in range(inputs)]
            for n, k in places:
                z[n, k] += us[n] * xs[k]
        for each, place in places.items():
            self.sums.put(place, z[each], SUMS)

    def outer_of_one(self, u: Any, inputs: Any, outputs: Any, _: Any, rows: Any, weights: Any, *__: Any) -> None:
        """In a single lane, for eight neurons at a time."""
        for k in self.body.count(0, inputs):
            x = self.m[self.p.lists[rows + k]]
            for size, n in self.body.tiles(outputs, (8, 1)):
                place = weights + k * outputs + n
                self.sums.put(place, self.sums.lanes(place, size) + self.m.lanes(u + n, size) * x, size)


def replay(
    body: Body, p: Fields, w: Floats, m: Floats, columns: Floats, stride: Int, samples: Words, listed: Int, count: Int,
    lanes: Int, values: Floats, sums: Floats, gradient: Floats, slopes: Int,
) -> Float:  # fmt: skip
    """The mean of E, its values, and its gradient, or each sample's, if asked for; NaN where a number isn't finite."""
    one = Pass(body, p, w, m, sums, lanes)
    lanes = one.lanes
    parts, bad, share = one.parts, body.variable(0.0), 1.0 / body.float(count)
    one.begin()
    for start in body.count(0, count, body.select(slopes == EACH, parts, lanes)):  # E itself is looked at in the mean
        one.fill(columns, stride, samples, listed, start, count)
        with body.when(one.apart(Pass.forward, slopes) != 0.0):
            body.leave(NAN)
        for lane in one.each_vector():
            values.put(start + lane, m.lanes(p.root * lanes + lane))
        with body.when(slopes > 0):
            with body.when((slopes == EACH) | (start == 0)):
                for i in body.count(0, p.parameters * parts, parts):
                    sums.put(i, 0.0, parts)
            stop = body.select(slopes == EACH, start + parts, count)
            stop = body.select(stop < count, stop, count)
            one.apart(Pass.backward, body.select(slopes == EACH, 1.0, share), start, stop)
            with body.when(slopes == EACH):
                for sample in body.count(start, stop):
                    for q in body.count(0, p.parameters):
                        slope = sums[q * parts + (sample - start)]
                        gradient.put(sample * p.parameters + q, slope, 1)
                        bad += slope - slope
    with body.when(slopes == MEAN):
        for q in body.count(0, p.parameters):
            slope = body.variable(0.0)
            for part in range(parts):
                slope += sums[q * parts + part]
            gradient.put(q, slope, 1)
            bad += slope - slope
    mean = mean_of(body, values, count, share, parts)
    return body.select(bad + (mean - mean) != 0.0, NAN, mean)


def mean_of(body: Body, values: Floats, count: Int, share: Float, parts: int) -> Number:
    """The sum of each value's share, in so many parts."""
    whole = count - (count & (parts - 1))
    sums = body.variable(-0.0, vector(parts))
    for i in body.count(0, whole, parts):
        sums += values.lanes(i, parts) * share
    mean = body.variable(-0.0)
    for part in range(parts):
        mean += body.lane(sums, part)
    for i in body.count(whole, count):
        mean += values[i] * share
    return mean.now()


def loop_over(kind: Kind, name: str) -> Callable[..., Any]:
    """The loop over instructions of one kind, from first to before stop, under this name."""
    many = kind.operands == ("xs",)
    partials = [text for place, text in enumerate(kind.partials) if kind.stored >> place & 1]

    def run(body: Body, p: Fields, m: Floats, first: Int, stop: Int, lanes: Int, slopes: Int) -> Float:
        lanes, note = (lanes if body.width > 1 else 1), body.blank()
        for i in body.count(first, stop):
            start, end = p.start[i], p.start[i + 1] - (1 if kind.stored else 0)
            rows = [p.rows[start + place] * lanes for place in range(0 if many else len(kind.operands))]
            to, stored = (p.first + i) * lanes, p.rows[end] if kind.stored else 0
            for block in body.count(0, lanes, body.width):
                lane = body.select(block > lanes - body.width, lanes - body.width, block)

                def item(k: Any, lane: Any = lane) -> Any:
                    return m.lanes(p.rows[k] * lanes + lane)

                xs: Any = Items(body, start, end, item) if many else [m.lanes(row + lane) for row in rows]
                for x in xs if kind.name not in PASSING else []:
                    body.look_at(x, note)  # relu, say, would hide it
                names = body.shared(kind.shared, {"xs": xs} if many else dict(zip(kind.operands, xs, strict=True)))
                names["z"] = z = body.lanes(body.formula(kind.value, names, note))
                m.put(to + lane, z)
                with body.when(slopes > 0):
                    row = body.variable(stored) if many else stored
                    for text in partials:
                        partial = body.formula(text, names)
                        for slope in partial if many else [partial]:
                            m.put(row * lanes + lane, slope)
                            row += 1
        return body.select(body.any(note != 0), NAN, 0.0)

    run.__name__ = name
    return run


@cache
def driver(one_lane: bool) -> Loops:
    """The loop that all tapes share, for a single lane or for many."""
    return Loops(1 if one_lane else WIDTH, PROGRAM, replay)


def loops_of(kinds: Sequence[Kind], one_lane: bool) -> list[tuple[Loops, str]]:
    """The loops over instructions of these kinds, each by its name among some that were compiled together.

    One by one they would all begin at the same place of a page, and processors mistake one for another: a chain of
    alternating kinds took up to three times as long.
    """
    with ONE_AT_A_TIME:
        missing = [kind for kind in kinds if (kind, one_lane) not in MADE]
        functions = [loop_over(kind, f"run{place}") for place, kind in enumerate(missing)]
        if missing:
            made = Loops(1 if one_lane else MANY, PROGRAM, *functions, effort=1)
            MADE.update({(kind, one_lane): (made, f.__name__) for kind, f in zip(missing, functions, strict=True)})
        found = [MADE[kind, one_lane] for kind in kinds]
        for kind in list(MADE)[: max(len(MADE) - MOST_KINDS, 0)]:
            del MADE[kind]
        return found


MADE: dict[tuple[Kind, bool], tuple[Loops, str]] = {}  # the last ones, for as many tapes as need them
MOST_KINDS, ONE_AT_A_TIME = 128, Lock()
# what a program's fields are for the loops
PROGRAM = {
    name: "Int" if kind is int else {"code": "Codes", "kinds": "Words"}.get(name, "Indices")
    for name, kind in get_type_hints(Program).items()
}
