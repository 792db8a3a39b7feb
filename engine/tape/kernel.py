"""Compiled loops over a tape's program, made from the rows of the table that the program uses.

The arithmetic is the table's: each formula is read as Python source over floats, as operations.py reads it, and Numba
compiles that in a loop over lanes. What is compiled is kept in the user's cache folder, as a module named by the hash
of its source, so that nothing is compiled twice. program.py says what the arrays hold; tape.py runs these loops.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import platformdirs
from tqdm import tqdm

import engine.formulas
import engine.tape.lanes
from engine.files import write_atomically
from engine.formulas import Dialect, parse, python_source
from engine.rules import TABLE, Rule
from engine.tape.program import Kind, ranged

LOOPS = '''\
"""Loops over a tape, which stepgrad made from rows of its table of derivatives: {names}."""

from __future__ import annotations

import math
from math import {math}, pi

import numpy as np
from numba import njit

from engine.tape.lanes import lanes, select

LANES, WIDTH = {lanes}, np.uint64({lanes})  # unsigned, an index isn't asked whether it counts from the end
LARGEST = 1.7976931348623157e308
load, store, spread, fold = lanes(LANES)
load_sum, store_sum, _, _ = lanes({sum_lanes})
compiled = njit(error_model="numpy")  # with infinities and NaN as in IEEE 754; finite() finds them


@compiled
def squared(x):
    return x * x


@compiled
def cubed(x):
    return x * x * x


@compiled
def noted(x, m, place):
    m[place] += x - x  # NaN for ever after an infinity
    return x


{functions}


@compiled
def forward(p, w, m, literals):
    for i in range(p.code.size):
        code = p.code[i]
        if code == 0:  # Σ of scalar × row
            total = spread(0.0)
            for k in range(p.x[i], p.y[i]):
                total = total + spread(w[p.scalars[k]]) * load(m, p.rows[k])
            store(m, p.first + i, total)
            continue
        start, stop = p.x[i], p.y[i]
        zs = np.uint64(p.first + i) * WIDTH
{values}

@compiled
def backward(p, w, m, literals):
    for i in range(p.code.size - 1, -1, -1):
        if p.pulls[i] < p.pulls[i + 1]:
            total = spread(0.0)
            for k in range(p.pulls[i], p.pulls[i + 1]):
                total = total + spread(w[p.pull_scalars[k]]) * load(m, p.pull_rows[k])
            store(m, p.first_gradient + i, total)
        code = p.code[i]
        if code == 0:
            continue
        start, stop = p.x[i], p.y[i]
        us, zs = np.uint64(p.first_gradient + i) * WIDTH, np.uint64(p.first + i) * WIDTH
        dxs, dys = np.uint64(p.dx[i]) * WIDTH, np.uint64(p.dy[i]) * WIDTH
{contributions}

@compiled
def gather(p, m, sums):
    for i in range(p.run_rows.size):
        row = load(m, p.run_rows[i])
        for k in range(p.runs[i], p.runs[i + 1]):
            target = p.run_targets[k]
            store_sum(sums, target, load_sum(sums, target) + {fold})


@compiled
def all_finite(p, m):
    wrong = spread(0.0)
    for k in range(p.checked.size):
        row = load(m, p.checked[k])
        wrong = wrong + (row - row)  # 0, or NaN
    store(m, p.seed, wrong)
    return finite(m, p.seed * LANES, (p.seed + 1) * LANES)


@compiled
def finite(numbers, start, stop):
    wrong = 0
    for i in range(np.uint64(start), np.uint64(stop)):
        wrong |= np.int64(0) if numbers[i] - numbers[i] == 0.0 else np.int64(1)  # in a form that becomes vector code
    return wrong == 0


@njit(error_model="numpy", cache={cached})
def replay(p, w, m, literals, inputs, samples, values, sums, gradient):
    """The mean of E over these samples and, if gradient isn't empty, of its derivatives; NaN if one isn't finite."""
    count = samples.size
    share, mean = 1.0 / count, -0.0  # which added to -0.0 stays what it is
    for row in p.spread:
        for lane in range(LANES):
            m[row * LANES + lane] = w[row]
    for i in range(sums.size):
        sums[i] = 0.0
    for start in range(0, count, LANES):
        for lane in range(LANES):  # a lane too many repeats the last sample, with ∂E/∂E = 0 below
            sample = samples[min(start + lane, count - 1)]
            for i in range(p.inputs):
                m[(p.first_input + i) * LANES + lane] = inputs[sample, i]
        forward(p, w, m, literals)
        if not all_finite(p, m):
            return np.nan
        for lane in range(min(LANES, count - start)):
            values[start + lane] = m[p.root * LANES + lane]
            mean += values[start + lane] * share
        if gradient.size:  # what isn't finite here ends in the gradient, as no product with 0 makes it finite again
            for lane in range(LANES):
                m[p.seed * LANES + lane] = share if start + lane < count else 0.0
            backward(p, w, m, literals)
            gather(p, m, sums)
    for q in range(gradient.size):
        gradient[q] = 0.0
        for lane in range({sum_lanes}):
            gradient[q] += sums[q * {sum_lanes} + lane]
    return mean if mean - mean == 0.0 and finite(gradient, 0, gradient.size) else np.nan
'''

VALUE = """
        if code == {code}:  # {name}: {formula}
            {operands}
            store(m, p.first + i, {value})
"""
VALUE_BY_LANE = """
        if code == {code}:  # {name}: {formula}
            for lane in range(WIDTH):
                {operands}
                {value}
                m[zs + lane] = z
"""
CONTRIBUTIONS = """
        if code == {code}:  # {name}: {formulas}
            u, z = load(m, p.first_gradient + i), load(m, p.first + i)
            {operands}
            {contributions}
"""
CONTRIBUTIONS_BY_LANE = """
        if code == {code}:  # {name}: {formulas}
            for lane in range(WIDTH):
                u, z = m[us + lane], m[zs + lane]
                {operands}
                {contributions}
"""
EACH_CONTRIBUTION = """\
for j, slope in enumerate({partials}):
                    m[dxs + np.uint64(j) * WIDTH + lane] = u * slope if u != 0.0 else 0.0"""


@cache
def kernel(kinds: tuple[Kind, ...], lanes: int, further: str = "") -> Kernel:
    """The loops for these kinds of instructions, compiled when they are first called, and further source after them."""
    return Kernel(kinds, lanes, further)


class Kernel:
    """A module of compiled loops, and the literals of formulas that it reads as data."""

    def __init__(self, kinds: tuple[Kind, ...], lanes: int, further: str) -> None:
        self.literals: list[float] = []
        self.names = sorted({kind.rule.name for kind in kinds})
        source = self._source(kinds, lanes) + further
        digest = sha256((source + inspect.getsource(engine.tape.lanes)).encode()).hexdigest()[:20]
        self.module = _imported(f"stepgrad_{digest}", source)

    def __call__(self, function: str, *arguments: Any) -> Any:
        """Calls one of the compiled loops; the first time ever, says that it is being compiled."""
        loop = getattr(self.module, function)
        if not loop.signatures and not self._is_kept(function):
            rows = ", ".join(self.names[:6]) + (", …" if len(self.names) > 6 else "")
            tqdm.write(f"stepgrad: compiling {function} for Σ, {rows} (once)", file=sys.stderr)  # above a bar
        return loop(*arguments)

    def _is_kept(self, function: str) -> bool:
        path = Path(getattr(self.module, "__file__", ""))
        version = f"py{sys.version_info.major}{sys.version_info.minor}"
        return any((path.parent / "__pycache__").glob(f"{path.stem}.{function}-*.{version}.nbi"))

    def _source(self, kinds: tuple[Kind, ...], lanes: int) -> str:
        sum_lanes = min(lanes, 4)
        fold, folding = "load(m, p.run_factors[k]) * row", []
        for width in range(lanes.bit_length() - 1, sum_lanes.bit_length() - 1, -1):
            folding.append(f"fold_{2**width} = lanes({2**width})[3]")
            fold = f"fold_{2**width}({fold})"
        functions = [*folding, *_helpers(), *(self._many(code, kind.rule) for code, kind in enumerate(kinds, 1))]
        return LOOPS.format(
            names=", ".join(self.names), math=", ".join(sorted(MATH)), lanes=lanes, sum_lanes=sum_lanes, fold=fold,
            functions="\n\n".join(filter(None, functions)),
            values="".join(self._value(code, kind.rule) for code, kind in enumerate(kinds, 1)),
            contributions="".join(self._contributions(code, kind) for code, kind in enumerate(kinds, 1)),
            cached="{cached}",
        )  # fmt: skip

    def _read(self, formula: str, fallible: Callable[[str], str] = str) -> str:
        return source(formula, self._literal if any(power in formula for power in POWERS) else str, fallible)

    def _literal(self, text: str) -> str:
        # LLVM makes sqrt(x) of pow(x, 0.5), and exp2(y) of pow(2.0, y), with other last bits; it can't with data
        self.literals.append(float(text))
        return f"literals[{len(self.literals) - 1}]"

    def _value(self, code: int, rule: Rule) -> str:
        by_lane = rule.many or not (is_plain(rule.value) and tells(rule.value))
        if rule.many:
            value = f"z = value_{code}(xs_)"
        elif not by_lane:
            value = self._read(rule.value)
        elif tells(rule.value):
            value = f"z = {self._read(rule.value)}"
        else:
            # what makes an infinity on the way raises in the engine, even where z would be finite again
            careful = self._read(rule.value, _noted)
            value = f"m[zs + lane] = 0.0; z = {careful}; z = z if m[zs + lane] == 0.0 else np.nan"
        template, operands = VALUE_BY_LANE if by_lane else VALUE, _operands(rule, by_lane)
        return template.format(code=code, name=rule.name, formula=_one_line(rule.value), operands=operands, value=value)

    def _contributions(self, code: int, kind: Kind) -> str:
        rule, wanted = kind
        if not any(wanted):
            return ""
        by_lane = rule.many or not all(map(is_plain, rule.partials))
        if rule.many:
            lines = [EACH_CONTRIBUTION.format(partials=f"partials_{code}(xs_, z)")]
        else:
            flags = wanted * len(rule.operands) if ranged(rule) else wanted
            slots = [slot for slot, flag in enumerate(flags) if flag]
            lines = [self._contribution(rule, slot, by_lane) for slot in slots]
        template, indent = (CONTRIBUTIONS_BY_LANE, 16) if by_lane else (CONTRIBUTIONS, 12)
        return template.format(
            code=code, name=rule.name, formulas=_one_line(", ".join(rule.partials)), operands=_operands(rule, by_lane),
            contributions=("\n" + " " * indent).join(lines),
        )  # fmt: skip

    def _contribution(self, rule: Rule, slot: int, by_lane: bool) -> str:
        slope = self._read(rule.partials[slot])
        if by_lane:
            row = f"dxs + np.uint64({slot}) * WIDTH" if ranged(rule) else ("dxs", "dys")[slot]
            return f"slope = {slope}; m[{row} + lane] = u * slope if u != 0.0 else 0.0"
        row = f"p.dx[i] + {slot}" if ranged(rule) else ("p.dx[i]", "p.dy[i]")[slot]
        return f"store(m, {row}, select(u != 0.0, u * {slope}, 0.0))"

    def _many(self, code: int, rule: Rule) -> str:
        if not rule.many:
            return ""
        value, partials = self._read(rule.value), self._read(rule.partials[0])
        heads = {f"value_{code}(xs)": value, f"partials_{code}(xs, z)": partials}
        return "\n\n".join(f"@compiled\ndef {head}:\n    return {text}" for head, text in heads.items())


MADE = {rule.name: rule for rule in TABLE if rule.value != rule.typed and not rule.many}
NO_FLOATS = ("complex", "softmax", "rest")  # return something else, which can't be looked at
POWERS = ("**", "pow", "term")
MATH = {rule.name for rule in TABLE if rule.name in vars(math)} - {"hypot", "floor"}


@cache
def is_plain(formula: str) -> bool:
    """Is it made of + - * / and choices alone, also in the rows that it uses? Then all lanes are computed at once."""
    for node in ast.walk(parse(formula)):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                if name != "abs" and not (name in MADE and is_plain(MADE[name].value)):
                    return False
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=2 | 3)):
                pass
            case ast.BinOp(op=ast.Pow()) | ast.List() | ast.ListComp():
                return False
    return True


def source(formula: str, literal: Callable[[str], str] = str, fallible: Callable[[str], str] = str) -> str:
    """The formula as the kernel computes it: where it is plain, for lanes as for a float."""
    plain = is_plain(formula) and fallible is str
    choice = "select({0}, {1}, {2})" if plain else "({1} if {0} else {2})"
    return python_source(formula, Dialect(product=_product, literal=literal, fallible=fallible, choice=choice))


@cache
def tells(formula: str) -> bool:
    """Is z itself infinite or NaN wherever something in its formula is?"""
    value, careful = source(formula), source(formula, fallible=_noted)
    return careful in (value, f"noted({value}, m, zs + lane)") or "noted" not in careful


def _noted(text: str) -> str:
    name = text.partition("(")[0]
    if name in NO_FLOATS:
        return text
    if name in MADE and not tells(MADE[name].value):
        text = f"careful_{text[:-1]}, m, zs, lane)"
    return f"noted({text}, m, zs + lane)"


def _one_line(formula: str) -> str:
    return " ".join(formula.split())


def _product(factor: str, times: int) -> str:
    return f"{'squared' if times == 2 else 'cubed'}({factor})"


def _operands(rule: Rule, by_lane: bool) -> str:
    """The assignments of the operands, for a lane or for all."""
    if rule.many:
        return "xs_ = [m[np.uint64(p.rows[k]) * WIDTH + lane] for k in range(start, stop)]"
    rows = [f"p.rows[start + {j}]" for j in range(len(rule.operands))] if ranged(rule) else ["start", "stop"]
    read = "m[np.uint64({}) * WIDTH + lane]" if by_lane else "load(m, {})"
    return "; ".join(f"{x} = {read.format(row)}" for x, row in zip(rule.operands, rows, strict=False))


def _helpers() -> list[str]:
    """The functions in formulas: those over lists, and the table's own rows, as arithmetic.py defines them."""
    functions: dict[str, Callable[..., Any]] = {
        "divide": engine.formulas._divide,
        "floor": engine.formulas._floor,
        "mod": engine.formulas._mod,
        "sum": engine.formulas._sum,
        "softmax": engine.formulas._softmax,
        "first": engine.formulas._first,
        "rest": engine.formulas._rest,
    }
    texts = [inspect.getsource(function) for function in functions.values()]
    texts = [f"@compiled\n{text.strip()}" for text in texts] + [f"{name} = _{name}" for name in functions]
    for name, rule in MADE.items():
        operands = ", ".join(rule.operands)
        texts.append(f"@compiled\ndef {name}({operands}):\n    return {source(rule.value)}")
        if not tells(rule.value):
            text = source(rule.value, fallible=_noted)
            texts.append(f"@compiled\ndef careful_{name}({operands}, m, zs, lane):\n    return {text}")
    return texts


def _imported(name: str, source: str) -> ModuleType:
    """The module of this source, from a file in the user's cache folder; not kept if that can't be written."""
    path = Path(platformdirs.user_cache_dir("stepgrad")) / f"{name}.py"
    content = source.replace("{cached}", "True").encode()
    try:
        if not path.exists() or path.read_bytes() != content:
            write_atomically(path, content)
        spec = spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(module)
    except (OSError, RuntimeError):  # Numba's, where it may not write beside the file
        module = ModuleType(name)
        exec(compile(source.replace("{cached}", "False"), f"<{name}>", "exec"), vars(module))
    return module
