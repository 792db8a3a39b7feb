"""A table as text or as Markdown, and how numbers are written in it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Table(NamedTuple):
    """A head and rows of cells: the first column to the left, the others to the right."""

    head: list[str]
    rows: list[list[str]]

    def text(self) -> str:
        columns = list(zip(self.head, *self.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        return "\n".join(
            "   ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(cells))
            for cells in (list(zip(row, widths, strict=True)) for row in [self.head, *self.rows])
        )

    def markdown(self) -> str:
        rule = ["---"] + ["--:"] * (len(self.head) - 1)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in [self.head, rule, *self.rows])


def short(number: float | None) -> str:
    """Three digits or more: 0.0123, 1.23, 12.3, 123, 1,234; – for what there isn't."""
    if number is None:
        return "–"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:#.3g}".rstrip(".")


def spread(numbers: Sequence[float]) -> str:
    """The median of the rounds, and their range."""
    return f"{short(median(numbers))} ({short(min(numbers))} to {short(max(numbers))})"
