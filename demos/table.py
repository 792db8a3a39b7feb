"""Tables of numbers from CSV files: read strictly, so that a bad cell is named by file, row and column.

The demos' data come through here, and so does a user's own file.
"""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path


class TableError(ValueError):
    """What is wrong with a file, where, and what was expected."""


class Table:
    """Columns of finite floats by name, all of the same length."""

    def __init__(self, path: Path, columns: dict[str, list[float]]) -> None:
        self.path, self.columns = path, columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def rows(self, names: list[str]) -> list[list[float]]:
        """The rows over these columns, M lists of floats. Raises TableError for a column that isn't there."""
        for name in names:
            if name not in self.columns:
                raise TableError(f"{self.path}: there is no column {name!r}; the columns are {', '.join(self.columns)}")
        return [list(row) for row in zip(*(self.columns[name] for name in names), strict=True)]


def read_table(path: str | Path, only: list[str] | None = None) -> Table:
    """The table in a CSV file with a header line; every cell (of the columns `only`) must be a finite number.

    Raises TableError, in one line with file, row and column, for a file that can't be read, no header, a name that
    stands twice, a row too long or short, or a cell that is empty or not a number.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True, delimiter=separator(file.readline()))
            file.seek(0)
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TableError(f"{path}: it can't be read as a CSV file in UTF-8: {reason}") from None
    if not lines:
        raise TableError(f"{path}: it is empty; a header line with the columns' names is expected")
    header = [name.strip() for name in lines[0][1]]
    for name in header:
        if not name or header.count(name) > 1:
            problem = f"the column name {name!r} stands twice" if name else "a column has no name"
            raise TableError(f"{path}, row 1: {problem} in the header")
    columns: dict[str, list[float]] = {name: [] for name in header if only is None or name in only}
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            raise TableError(f"{path}, row {line}: {len(cells)} cells where the header has {len(header)}")
        for name, cell in zip(header, cells, strict=True):
            if name in columns:
                columns[name].append(_number(cell, f"{path}, row {line}, column {name!r}"))
    return Table(path, columns)


def separator(header: str) -> str:
    """What separates the columns, by the header: a comma, or the semicolon or tab that stands there more often."""
    bare = re.sub('"[^"]*"', "", header)
    return max(",;\t", key=bare.count)


def _number(cell: str, where: str) -> float:
    try:
        number = float(cell.replace("_", "?"))  # Python would read 1_000 as a number
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TableError(f"{where}: " + (f"{cell!r} is not a finite number" if cell.strip() else "the cell is empty"))
    return number
