"""Learning rates, for all parameters or one per layer: a number, or a schedule, which is a function of the epoch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, TypeAlias

from nn.module import shortened

Schedule: TypeAlias = Callable[[int], float]
Rate: TypeAlias = float | Schedule
Rates: TypeAlias = Rate | Sequence[Rate]


def listed(rates: Rates) -> list[Rate]:
    """Rates per layer as a list; one for all as a list of one."""
    return list(rates) if is_per_layer(rates) else [rates]  # type: ignore[arg-type, list-item]


def is_per_layer(rates: Rates) -> bool:
    return isinstance(rates, Sequence) and not isinstance(rates, str)


def is_scheduled(rates: Rates) -> bool:
    """Is there a function of the epoch among them?"""
    return any(map(callable, listed(rates)))


def rate_at(rate: Rate, epoch: int) -> float:
    """The learning rate in an epoch. Raises ValueError where it isn't above 0, or where a schedule raises.

    >>> rate_at(lambda epoch: 0.5 / (epoch + 1), epoch=4)
    0.1
    """
    if not callable(rate):
        if not isinstance(rate, Real):
            raise ValueError(
                f"learning_rate is a finite number above 0, or a function of the epoch; given was {shortened(rate)}"
            )
        return check_number("learning_rate", rate, above_zero=True)
    try:
        number = rate(epoch)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"learning_rate, as a function of the epoch, failed for epoch {epoch}: {said}") from error
    return check_number(f"learning_rate for epoch {epoch}", number, above_zero=True)


def upcoming(rates: Sequence[Rate], first: int, count: int) -> list[list[float]]:
    """The rates of the next epochs, a list for each; no further than to an epoch for which a schedule has none.

    Raises ValueError, as rate_at does, where that is the first.
    """
    found: list[list[float]] = []
    for epoch in range(first, first + count):
        try:
            found.append([rate_at(rate, epoch) for rate in rates])
        except ValueError:
            if not found:
                raise
            break
    return found


def shown(rates: Rates, epoch: int) -> str:
    """The rates of an epoch, as a progress bar shows them."""
    return ", ".join(f"{rate_at(rate, epoch):.4g}" for rate in listed(rates))


def typed(rates: Rates) -> str:
    """The rates as they might be typed: a function by its name, not by where it is in memory."""
    if is_per_layer(rates):
        texts = [typed(rate) for rate in listed(rates)]
        return repr(rates) if not is_scheduled(rates) else f"({', '.join(texts)}{',' * (len(texts) == 1)})"
    return str(getattr(rates, "__name__", repr(rates)))


def check_number(name: str, number: Any, above_zero: bool = False) -> float:
    """The number, NumPy's as a float. ValueError unless it is finite, and from 0 up or above 0."""
    good = isinstance(number, Real) and not isinstance(number, bool)
    good = good and abs(number if isinstance(number, int) else float(number)) <= sys.float_info.max
    if not good or number < 0 or (above_zero and number == 0):
        wanted = "above 0" if above_zero else "from 0 up"
        raise ValueError(f"{name} is a finite number {wanted}; given was {shortened(number)}")
    return number if type(number) in (int, float) else float(number)
