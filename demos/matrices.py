"""Matrices as lists of rows, in plain Python, for the demos that repeat a derivation in vectors.

A sum or a product of shapes that don't fit is a ShapeError. NumPy would stretch a row or a column over the other
operand without a word (broadcasting), and so hide just the mistakes that contradictions.py is there to show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeAlias

Matrix: TypeAlias = list[list[float]]


class ShapeError(ValueError):
    """Matrices that can't be added or multiplied, with their shapes."""


def shape(A: Matrix) -> tuple[int, int]:
    """Rows and columns."""
    return len(A), len(A[0])


def column(numbers: Sequence[float]) -> Matrix:
    """A vector: n numbers as an n×1 matrix."""
    return [[number] for number in numbers]


def transpose(A: Matrix) -> Matrix:
    """Aᵀ."""
    return [list(numbers) for numbers in zip(*A, strict=True)]


def product(*matrices: Matrix) -> Matrix:
    """A B …, from left to right. Raises ShapeError unless each has as many rows as the one before has columns.

    >>> product([[1.5, -2.5]], column([3.0, 4.0]))
    [[-5.5]]
    """
    return reduce(_product, matrices)


def _product(A: Matrix, B: Matrix) -> Matrix:
    if shape(A)[1] != shape(B)[0]:
        raise ShapeError(f"{_size(A)} by {_size(B)}")
    return [[sum(a * b for a, b in zip(row, numbers, strict=True)) for numbers in zip(*B, strict=True)] for row in A]


def elementwise(function: Callable[..., float], *matrices: Matrix) -> Matrix:
    """The function of the numbers that stand at the same place. Raises ShapeError unless all shapes are the same.

    >>> elementwise(max, [[1.5, -2.5]], [[0.5, 3.5]])
    [[1.5, 3.5]]
    """
    if len({shape(A) for A in matrices}) > 1:
        raise ShapeError(" with ".join(map(_size, matrices)))
    return [[function(*numbers) for numbers in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]


def add(*matrices: Matrix) -> Matrix:
    """A + B + …; raises ShapeError."""
    return elementwise(lambda *numbers: sum(numbers), *matrices)


def subtract(A: Matrix, B: Matrix) -> Matrix:
    """A - B; raises ShapeError."""
    return elementwise(lambda a, b: a - b, A, B)


def times(A: Matrix, B: Matrix) -> Matrix:
    """A ∘ B, the product element by element; raises ShapeError."""
    return elementwise(lambda a, b: a * b, A, B)


def scaled(factor: float, A: Matrix) -> Matrix:
    """factor · A."""
    return elementwise(lambda a: factor * a, A)


def ones(rows: int, columns: int) -> Matrix:
    """A matrix of ones: A times a column of them is the sums over A's rows."""
    return [[1.0] * columns for _ in range(rows)]


def _size(A: Matrix) -> str:
    return "×".join(map(str, shape(A)))
