"""stepgrad's engine: scalar reverse-mode automatic differentiation that can be read, stepped, drawn and replayed.

Value(2.0, label="x") is a leaf of a graph; each row of the table of derivatives is a function here: exp, tanh, total.
E.backward() fills .grad; Stepper(E) and debug(E) go through it step by step, explain(E, w) says why, draw(E) and
film(E) show it, gradcheck(E) and compare(E, {"w": 0.3}) check it. derivative, gradient, hessian, jvp and replay work on
graphs; operation makes a row of one's own; Tape and trace replay a graph fast, and to_jax hands it over to JAX.

To read: rules.py (the table), order.py, value.py, formulas.py, domain.py, operations.py and calculus.py.
"""

from engine.calculus import derivative, gradient, hessian, jvp, replay
from engine.domain import DomainError
from engine.operations import FUNCTIONS, operation
from engine.order import topological_order
from engine.value import Value, label
from engine.version import VERSION

__version__ = VERSION
__all__ = [
    "DomainError",
    "ForwardStepper",
    "Stepper",
    "Value",
    "compare",
    "debug",
    "derivative",
    "draw",
    "explain",
    "film",
    "gradcheck",
    "gradient",
    "hessian",
    "jvp",
    "label",
    "operation",
    "replay",
    "topological_order",
]
__all__ += [name for name in FUNCTIONS if name not in ("abs", "pow")]  # these two would hide Python's own

# What only looks at graphs is imported when it is asked for: who trains doesn't pay for it. Tape and trace need the
# extra `fast`, to_jax the extra `jax`, and so `from engine import *` leaves them out.
_LATER = {
    "ForwardStepper": "engine.steps.stepper",
    "Stepper": "engine.steps.stepper",
    "Tape": "engine.tape.tape",
    "compare": "engine.steps.compare",
    "debug": "engine.prompt.debug",
    "draw": "engine.pictures.draw",
    "explain": "engine.steps.explain",
    "film": "engine.pictures.film",
    "gradcheck": "engine.nudge",
    "to_jax": "engine.readings.jax",
    "trace": "engine.tape.tape",
}

TYPE_CHECKING = False
if TYPE_CHECKING:  # what the loop below defines, for type checkers and editors; a test compares it with the table
    from collections.abc import Iterable
    from typing import overload

    from engine.nudge import gradcheck
    from engine.pictures.draw import draw
    from engine.pictures.film import film
    from engine.prompt.debug import debug
    from engine.readings.jax import to_jax as to_jax
    from engine.steps.compare import compare
    from engine.steps.explain import explain
    from engine.steps.stepper import ForwardStepper, Stepper
    from engine.tape.tape import Tape as Tape
    from engine.tape.tape import trace as trace

    @overload
    def _unary(x: Value, /) -> Value: ...
    @overload
    def _unary(x: float, /) -> float: ...
    def _unary(x: Value | float, /) -> Value | float: ...
    @overload
    def _binary(x: Value, y: Value | float, /) -> Value: ...
    @overload
    def _binary(x: float, y: Value, /) -> Value: ...
    @overload
    def _binary(x: float, y: float, /) -> float: ...
    def _binary(x: Value | float, y: Value | float, /) -> Value | float: ...
    def _many(xs: Iterable[Value | float], /) -> Value: ...

    @overload
    def clip(x: float, low: float, high: float, /) -> float: ...
    @overload
    def clip(x: Value, low: Value | float, high: Value | float, /) -> Value: ...
    def clip(x: Value | float, low: Value | float, high: Value | float, /) -> Value | float: ...

    neg = floor = sqrt = exp = exp2 = expm1 = log = log2 = log10 = log1p = _unary
    sin = cos = tan = asin = acos = atan = _unary
    sinh = cosh = tanh = asinh = acosh = atanh = sech = circ = gauss = erf = erfc = log0 = _unary
    sigmoid = logsigmoid = softplus = relu = leaky_relu = elu = silu = gelu = step = sign = detach = _unary
    add = sub = mul = div = mod = logaddexp = atan2 = hypot = maximum = minimum = greater = unit = _binary
    total = logsumexp = share = _many

globals().update(FUNCTIONS)


def __dir__() -> list[str]:
    from importlib.util import find_spec

    own = {name for name in globals() if name.startswith("__")}
    lacking = set() if find_spec("jax") else {"to_jax"}  # help() asks for all there is
    return sorted({*__all__, *_LATER, "abs", "pow", *own} - lacking)


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    from importlib import import_module

    try:
        module = import_module(_LATER[name])
    except ModuleNotFoundError as missing:
        extra = "jax" if name == "to_jax" else "fast"
        raise ImportError(f"{name} needs {missing.name}: pip install 'stepgrad[{extra}]' mends it") from None
    found = globals()[name] = getattr(module, name)
    return found
