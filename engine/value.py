"""Value, the node of a computation graph: a number that remembers its operation, its operands and their partials.

backward() is here, and it is all of backprop: in reverse topological order every node hands each of its inputs
its own gradient times the local derivative recorded on that edge. operations.py makes the operations.
"""

from __future__ import annotations

import warnings
from _thread import RLock  # threading would take longer to import than the engine
from itertools import islice
from operator import add, attrgetter, eq, ge, gt, le, lt, mod, mul, ne, sub, truediv

from engine.domain import RECORDING, DomainError, comparand, frozen, gradient_error, number, numpy_instead
from engine.order import topological_order
from engine.text.names import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, ClassVar

    from engine.rules import Rule

ONE_PASS = RLock()  # which costs nothing: Python runs one thread at a time anyway


def _refuse(instead: str) -> Callable[..., Any]:
    def method(self: Value, *_: object, **__: object) -> Any:
        raise TypeError(instead)

    return method


class Value:
    """A node: `Value(2.0, label="x")` is a leaf; operators and functions of Values make the others.

    data is the number, grad the ∂E/∂node of the last E.backward() (None before), label a name to show. rule is the row
    of the table that made the node (None for a leaf). Values are equal only to themselves; < and > read the number.
    Raises TypeError for data that isn't a real number or a label that isn't a str; DomainError for an infinity or NaN.

    >>> x, w = Value(1.4, label="x"), Value(0.7, label="w")
    >>> E = (x * w).tanh()
    >>> E.backward(); w.grad
    0.606048440092204
    """

    # One or two operands have slots of their own, other numbers of them tuples in _x and _dx: what a node costs is
    # the garbage collector's work, and a tuple would double it.
    __slots__ = ("_data", "_dx", "_dy", "_label", "_x", "_y", "grad", "rule")

    # How many assignments to leaves there were. A leaf, which has no partials, keeps in _dy the number of its last one,
    # by which the latest are found: a slot more would cost a tenth of the time that large graphs take.
    assignments: ClassVar[list[int]] = [0]

    grad: float | None
    rule: Rule | None
    if TYPE_CHECKING:  # what operations.py makes from the table; a test compares the two

        def _unary(self) -> Value: ...
        def _binary(self, other: Value | float) -> Value: ...

        __neg__ = __abs__ = _unary
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _binary
        __truediv__ = __rtruediv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _binary
        neg = abs = floor = sqrt = exp = exp2 = expm1 = log = log2 = log10 = log1p = _unary
        sin = cos = tan = asin = acos = atan = _unary
        sinh = cosh = tanh = asinh = acosh = atanh = sech = circ = gauss = erf = erfc = log0 = _unary
        sigmoid = logsigmoid = softplus = relu = leaky_relu = elu = silu = gelu = step = sign = detach = _unary

    def __init__(self, data: float, label: str | None = None) -> None:
        self.label = label
        self._data = number(data)
        self.grad, self.rule = None, None
        self._x, self._y, self._dx, self._dy = (), None, (), 0

    @property
    def label(self) -> str | None:
        """A name to show; None where there is none."""
        return self._label

    @label.setter
    def label(self, label: str | None) -> None:
        if not (label is None or isinstance(label, str)):
            raise TypeError(f"a label is a str such as 'w', or None, not {type(label).__name__}: {label!r:.50}")
        self._label = label

    @property
    def data(self) -> float:
        """The number. Only a leaf's can be assigned: what is computed from it is of the moment it was computed.

        Raises TypeError while a tape is recorded, in which the number would stay as it is now.
        """
        return self._data if not RECORDING.get() else frozen()

    @data.setter
    def data(self, data: float) -> None:
        if self.rule is not None:
            raise AttributeError(
                f"the data of a node made by {self.op} can't be assigned: set a leaf's and build again"
            )
        self._data = number(data)
        self.assignments[0] += 1
        self._dy = self.assignments[0]

    @property
    def op(self) -> str | None:
        """The name of the rule that made this node, None for a leaf."""
        return self.rule.name if self.rule else None

    @property
    def inputs(self) -> tuple[Value | float, ...]:
        """The operands in order: Values, and plain floats for constants."""
        x: Any = self._x
        if type(x) is tuple:
            return x
        return (x,) if self._y is None else (x, self._y)

    @property
    def partials(self) -> tuple[float | None, ...]:
        """∂node/∂operand for each of inputs, as recorded when the node was made; None for a constant."""
        dx: Any = self._dx
        if type(dx) is tuple:
            return dx
        return (dx,) if self._y is None else (dx, self._dy)

    def backward(self) -> None:
        """∂self/∂node into node.grad, for every node that self was computed from; leaves accumulate, as in PyTorch.

        Raises DomainError, and leaves the leaves' gradients as they were, where a gradient isn't finite. Threads take
        turns, a pass each: on one graph too leaves add up, and what is inside holds the gradients of the last pass.
        """
        with ONE_PASS:
            order: list[Any] = topological_order(self)
            leaves = [(node, node.grad) for node in order if node.rule is None]
            if stale := first_stale(_doubtful(order, leaves)):
                warnings.warn(f"{stale}: these gradients are those of the old numbers; build it again", stacklevel=2)
            for node in order:
                if node.rule is not None or node.grad is None:
                    node.grad = 0.0
            order[-1].grad += 1.0  # ∂E/∂E
            try:
                for node in reversed(order):  # all consumers of node have contributed: its gradient is complete
                    upstream = node.grad
                    if upstream - upstream != 0:  # inf or nan
                        raise gradient_error(node, order)
                    if upstream != 0:
                        for operand, partial in zip(node.inputs, node.partials, strict=True):
                            if partial is not None:  # a constant has none
                                operand.grad += upstream * partial
            except BaseException:
                for leaf, grad in leaves:
                    leaf.grad = grad
                raise

    def zero_grad(self) -> None:
        """Every gradient in the graph back to None, "not computed yet"."""
        for node in topological_order(self):
            node.grad = None

    def __repr__(self) -> str:
        return f"Value(data={self._data!r}, grad={self.grad!r}, label={self.label!r})"

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else repr(self)

    # -- as a Python object: equal only to itself, ordered by its number, never silently turned into a plain one
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if type(other) is Value:
            return self is other
        instead = "x is None" if other is None else f"x.data == {other!r}, to compare the number"
        raise TypeError(f"a Value is equal only to itself: write {instead}")

    def __lt__(self, other: Value | float) -> bool:
        return self._data < comparand(other)

    def __le__(self, other: Value | float) -> bool:
        return self._data <= comparand(other)

    def __gt__(self, other: Value | float) -> bool:
        return self._data > comparand(other)

    def __ge__(self, other: Value | float) -> bool:
        return self._data >= comparand(other)

    __bool__ = _refuse("a Value is neither true nor false: write x.data != 0, or x is not None")
    __float__ = _refuse("float() or math.f() of a Value would cut the graph: use engine.f(x), or x.data for the number")
    __int__ = __index__ = _refuse("int() of a Value would cut the graph: write int(x.data) for the number")
    __array__ = _refuse(
        "a NumPy array of Values would cut the graph: write x.data for the number, engine.exp(x) for numpy.exp(x)"
    )

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **_: Any) -> Any:
        """NumPy's scalars are operands as floats are; its arrays and its functions are refused."""
        operation = OPERATORS.get(ufunc.__name__) if method == "__call__" else None
        if operation is None:
            raise TypeError(numpy_instead(ufunc.__name__))
        if operation in (lt, le, gt, ge, eq, ne):  # for these NumPy makes an array of a scalar
            operands = tuple(operand[()] if getattr(operand, "ndim", None) == 0 else operand for operand in operands)
        return operation(*[operand if isinstance(operand, Value) else number(operand) for operand in operands])

    __floor__ = __trunc__ = _refuse("math.floor() of a Value would cut the graph: use engine.floor(x), or x.data")
    __ceil__ = _refuse("math.ceil() of a Value would cut the graph: write -engine.floor(-x), or x.data for the number")
    __round__ = _refuse("round() of a Value would cut the graph: write engine.floor(x + 0.5), or round(x.data, 2)")
    __floordiv__ = __rfloordiv__ = _refuse("a // b isn't an operation here: write engine.floor(a / b)")
    __divmod__ = __rdivmod__ = _refuse("divmod() isn't an operation here: write engine.floor(a / b) and a % b")

    def __reduce__(self) -> tuple[Any, ...]:
        if self.rule is not None:
            raise TypeError("a node of a graph can't be copied or pickled: replay(E, {}) makes a second graph")
        return Value, (self._data, self.label), (None, {"grad": self.grad})


def label(*mappings: Mapping[str, object], **named: Value) -> None:
    """Gives several nodes their names at once: `label(x=x, w=w)`, or `label(vars())` for all that have none yet.

    Raises TypeError for a named argument that isn't a Value. Other entries of a mapping, and names that begin
    with an underscore, are passed over.

    >>> x, w = Value(1.4), Value(0.7)
    >>> label(x=x, w=w); x
    Value(data=1.4, grad=None, label='x')
    """
    for name, node in named.items():
        if type(node) is not Value:
            raise TypeError(f"label({name}=…) takes a Value, not {type(node).__name__}")
        node.label = name
    for mapping in mappings:
        if not hasattr(mapping, "items"):
            raise TypeError(f"label takes a mapping such as vars(), or names as in label(x=x), not {mapping!r}")
        for name, given in mapping.items():
            if type(given) is Value and given.label is None and not name.startswith("_"):
                given.label = name


# What NumPy calls the operators of Python: in numpy.float64(2.0) * x it is NumPy that is asked first.
OPERATORS: dict[str, Callable[..., Any]] = {
    "add": add, "subtract": sub, "multiply": mul, "divide": truediv, "true_divide": truediv, "power": pow,
    "remainder": mod,
    "less": lt, "less_equal": le, "greater": gt, "greater_equal": ge, "equal": eq, "not_equal": ne,
}  # fmt: skip


# -- looking at a graph


def operand(node: Value, slot: int) -> Value:
    """What stands in this slot of the node, which must hold a Value."""
    found = node.inputs[slot]
    assert type(found) is Value
    return found


def edges(node: Value) -> Iterator[tuple[int, Value, float]]:
    """Each operand that is a Value: its slot, itself, and the partial recorded for it."""
    for slot, (found, partial) in enumerate(zip(node.inputs, node.partials, strict=True)):
        if type(found) is Value and partial is not None:
            yield slot, found, partial


def _doubtful(order: list[Any], leaves: list[tuple[Any, float | None]], most: int = 16) -> list[Any]:
    """An operation that reads it, for each of the leaves assigned last, where it may have been made before that."""
    since = Value.assignments[0] - most
    latest = [leaf for leaf, _ in leaves if leaf._dy > since]
    if len(latest) < most:  # other leaves were assigned in between
        latest = sorted([leaf for leaf, _ in leaves if leaf._dy], key=attrgetter("_dy"))[-most:]
    unread, doubtful = set(latest), []
    for node in order if unread else ():
        x, y = node._x, node._y
        many = type(x) is tuple
        if not unread.isdisjoint(x) if many else x in unread or y in unread:
            # a product has the very number of one operand as its partial by the other
            if type(y) is float and node._dx is y:
                kept = x._data * y == node._data
            else:
                kept = (
                    not many and (x not in unread or node._dy is x._data) and (y not in unread or node._dx is y._data)
                )
            if not kept:
                doubtful.append(node)
            unread.difference_update(x if many else (x, y))
            if not unread:
                break
    return doubtful


def first_stale(order: list[Any], at_most: int | None = None) -> str | None:
    """What to say if the operations (or the first at_most) aren't those of their leaves' present data, else None."""
    for node in islice((node for node in order if node.rule), at_most):
        numbers = [given if type(given) is float else given._data for given in node.inputs]
        try:
            stale = node.rule.apply(numbers) != node._data
        except DomainError:
            stale = True
        if stale:
            leaves = [shown(leaf.label or "a leaf") for leaf in node.inputs if type(leaf) is Value and not leaf.rule]
            return f"{' or '.join(leaves)} was set to another number after the graph was built"
    return None


def stale_note(order: list[Any], at_most: int | None = None) -> str | None:
    """What to say under numbers that are no longer those of the leaves; None where they are."""
    stale = first_stale(order, at_most)
    return stale and f"stale: {stale}; these are the numbers of the old graph"
