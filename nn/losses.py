"""Losses: what is to be made small, as functions of one sample's outputs and its target.

fit() takes their mean over the samples. Equation numbers are those of the derivation for the regression network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from engine import Value, logsumexp, relu, total

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
    return total([(y - t) ** 2 for y, t in zip(ys, ts, strict=True)]) * 0.5


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
    return total([half_squared_error(ys, ts) for ys, ts in zip(Y, T, strict=True)]) * (1 / (len(Y) * len(Y[0])))


def half_mean_over_outputs(ys: Sequence[Value], ts: Targets) -> Value:
    """(15) over K, the default of fit(): its mean over the samples is half_mean_squared_error. Raises as (15) does."""
    return half_squared_error(ys, ts) * (1 / len(ys))


def softmax_cross_entropy(ys: Sequence[Value], ts: Targets) -> Value:
    """-Σ_k t_k log(softmax(y)_k), for K outputs (logits) and a one-hot target, or K probabilities that sum to 1.

    Computed as logsumexp(y) - Σ t·y, which neither overflows nor cancels. Raises ValueError for other targets.

    >>> softmax_cross_entropy([Value(0.5), Value(0.5)], [0, 1]).data
    0.693147...
    """
    _check_same(ys, ts)
    if _are_numbers(ts) and (any(t < 0 for t in ts) or abs(sum(ts) - 1) > 1e-9):
        raise ValueError(f"softmax_cross_entropy takes a one-hot target, or probabilities of sum 1; given was {ts!r}")
    return logsumexp(ys) - total([y * t for y, t in zip(ys, ts, strict=True)])


def hinge(ys: Sequence[Value], t: float | Targets) -> Value:
    """max(0, 1 - t·y), for one output y and a target t of 1 or -1. Raises ValueError for anything else.

    >>> hinge([Value(0.25)], -1).data
    1.25
    """
    ts: list[Any] = list(t) if isinstance(t, (list, tuple)) and len(t) == 1 else [t]
    if len(ys) != 1 or (_are_numbers(ts) and ts[0] not in (1, -1)):
        raise ValueError(f"hinge takes one output and a target of 1 or -1; given were {len(ys)} outputs and {ts[0]!r}")
    margin: Value = 1 - ys[0] * ts[0]
    return relu(margin)


ANY_TARGETS = (half_squared_error, half_mean_over_outputs)  # take any numbers, one for each output
LOSSES: dict[str, Loss] = {
    loss.__name__: loss for loss in (half_squared_error, half_mean_over_outputs, softmax_cross_entropy, hinge)
}


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
