"""Losses: what is to be made small, as functions of one sample's outputs and its target.

fit() takes their mean over the samples. Equation numbers are those of the derivation for the regression network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from engine import Value, logsumexp, relu, softplus, total
from nn.module import total_of

Targets: TypeAlias = Sequence[float]
Loss: TypeAlias = Callable[[list[Value], Any], Value]


def half_squared_error(ys: Sequence[Value], ts: Targets) -> Value:
    """½ Σ_k (y_k - t_k)², equation (15), of one sample's K outputs and K targets. Raises ValueError if K differs.

    >>> half_squared_error([Value(1.5), Value(-0.5)], [1.0, 0.5]).data
    0.625
    """
    _check_same(ys, ts)
    if not len(ys):
        raise ValueError("the error of no outputs is undefined: at least one output is expected")
    return total_of([(y - t) ** 2 for y, t in zip(ys, ts, strict=True)]) * 0.5


def half_mean_squared_error(Y: Sequence[Sequence[Value]], T: Sequence[Targets]) -> Value:
    """1/(M·K) Σ_m ½ Σ_k (y_k - t_k)²: the E whose derivatives (27) and (28) are; half of PyTorch's MSE.

    Y and T are M rows of K. Raises ValueError if the shapes differ or there is no row.
    """
    _check_same(Y, T, "rows")
    if not len(Y):
        raise ValueError("the mean over no rows is undefined: give at least one")
    for row in Y:
        if len(row) != len(Y[0]):
            raise ValueError(
                f"rows of one length are expected; given were rows of {len(Y[0])} and of {len(row)} outputs"
            )
    return total_of([half_squared_error(ys, ts) for ys, ts in zip(Y, T, strict=True)]) * (1 / (len(Y) * len(Y[0])))


def half_mean_over_outputs(ys: Sequence[Value], ts: Targets) -> Value:
    """(15) over K, the default of fit(): its mean over the samples is half_mean_squared_error. Raises as (15) does."""
    return half_squared_error(ys, ts) * (1 / len(ys))


def mean_squared_error(ys: Sequence[Value], ts: Targets) -> Value:
    """1/K Σ_k (y_k - t_k)², PyTorch's MSELoss: twice the default of fit(), as are its derivatives. Raises as (15) does.

    >>> mean_squared_error([Value(1.5), Value(-0.5)], [1.0, 0.5]).data
    0.625
    """
    return half_squared_error(ys, ts) * (2 / len(ys))


def softmax_cross_entropy(ys: Sequence[Value], ts: float | Targets) -> Value:
    """-Σ_k t_k log(softmax(y)_k), for K outputs (logits) and a target: a class from 0 to K - 1, or K probabilities.

    Computed as logsumexp(y) - Σ t·y, which neither overflows nor cancels. Raises ValueError for other targets.

    >>> softmax_cross_entropy([Value(0.5), Value(0.5)], [0, 1]).data
    0.693147...
    >>> softmax_cross_entropy([Value(0.5), Value(0.5)], 1).data
    0.693147...
    """
    ts = one_hot(ts, len(ys))
    _check_same(ys, ts)
    if _are_numbers(ts) and (any(t < 0 for t in ts) or abs(sum(ts) - 1) > 1e-9):
        raise ValueError(f"softmax_cross_entropy takes a one-hot target, or probabilities of sum 1; given was {ts!r}")
    return logsumexp(ys) - total_of([y * t for y, t in zip(ys, ts, strict=True)])


def binary_cross_entropy(ys: Sequence[Value], ts: Targets) -> Value:
    """-1/K Σ_k (t log σ(y) + (1 - t) log σ(-y)), for K logits and K probabilities, mostly 0 or 1.

    Of logits, as PyTorch's BCEWithLogitsLoss, by softplus: -log σ(y) is softplus(-y), which keeps its digits. Raises
    ValueError for targets outside of 0 to 1, or if K differs.

    >>> binary_cross_entropy([Value(0.0)], [1]).data
    0.693147...
    """
    _check_same(ys, ts)
    if not len(ys) or (_are_numbers(ts) and not all(0 <= t <= 1 for t in ts)):
        raise ValueError(f"binary_cross_entropy takes a target from 0 to 1 for each output; given was {ts!r}")
    terms = [softplus(-y) * t + softplus(y) * (1 - t) for y, t in zip(ys, ts, strict=True)]
    return total_of(terms) * (1 / len(ys))


def hinge(ys: Sequence[Value], t: float | Targets) -> Value:
    """max(0, 1 - t·y), for one output y and a target t of 1 or -1.

    For K outputs and a class c from 0 to K - 1, or one-hot: 1/K Σ_{k≠c} max(0, 1 - y_c + y_k), which is PyTorch's
    MultiMarginLoss (Weston and Watkins, 1999). Raises ValueError for anything else.

    >>> hinge([Value(0.25)], -1).data, hinge([Value(0.25), Value(0.5)], 0).data
    (1.25, 0.625)
    """
    ts = one_hot(t, len(ys))
    if not ys or len(ts) != len(ys) or (_are_numbers(ts) and not _is_margin(ts)):
        raise ValueError(
            f"hinge takes one output and a target of 1 or -1; or several, and a class: given were {len(ys)} outputs "
            f"and {(ts[0] if len(ts) == 1 else t)!r}"
        )
    if len(ys) == 1:
        margin: Value = 1 - ys[0] * ts[0]
        return relu(margin)
    right = total([y * t for y, t in zip(ys, ts, strict=True)])
    return total([relu(1 - right + y) * (1 - t) for y, t in zip(ys, ts, strict=True)]) * (1 / len(ys))


def _is_margin(ts: Sequence[float]) -> bool:
    return ts[0] in (1, -1) if len(ts) == 1 else sorted(ts) == [0.0] * (len(ts) - 1) + [1.0]


# -- targets that name a class: fit() writes them out before it trains, as a tape can't choose by a number


def one_hot(t: float | Targets, classes: int) -> Targets:
    """A class, alone or in a list, as numbers of which one is 1; other targets as they are. Raises ValueError.

    >>> one_hot(2, 3)
    [0.0, 0.0, 1.0]
    """
    ts: list[Any] = list(t) if isinstance(t, (list, tuple)) else [t]
    if classes < 2 or len(ts) != 1 or not _are_numbers(ts):
        return ts
    if isinstance(ts[0], bool) or ts[0] not in range(classes):
        raise ValueError(f"a class of {classes} is a whole number from 0 to {classes - 1}; given was {ts[0]!r}")
    return [float(k == ts[0]) for k in range(classes)]


ANY_TARGETS = (half_squared_error, half_mean_over_outputs)  # take any numbers, one for each output
LOSSES: dict[str, Loss] = {
    loss.__name__: loss
    for loss in (
        half_squared_error, half_mean_over_outputs, mean_squared_error, softmax_cross_entropy, binary_cross_entropy,
        hinge,
    )
}  # fmt: skip
LOSSES |= {"mse": mean_squared_error, "cross_entropy": softmax_cross_entropy, "bce": binary_cross_entropy}
BY_CLASS = (softmax_cross_entropy, hinge)


def _are_numbers(ts: Sequence[Any]) -> bool:
    """Values, for a tape, stand for any targets; fit() shows the loss the numbers too."""
    return not any(isinstance(t, Value) for t in ts)


def _check_same(ys: Sequence[Any], ts: Any, what: str = "outputs") -> None:
    try:
        count = len(ts)
    except TypeError:
        raise ValueError(f"{len(ys)} {what} need {len(ys)} targets in a list; given was {ts!r}") from None
    if len(ys) != count:
        raise ValueError(f"{len(ys)} {what} need {len(ys)} targets; given were {count}")
