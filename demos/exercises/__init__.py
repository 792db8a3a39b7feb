"""The exercise course: from a slope to a network, each wrong answer called by its name.

`python -m demos.exercises start mycourse` begins it; in a notebook, `from demos.exercises import check, hint, show`.
Read course.py for what an exercise is, e05_accumulate.py for one, judge.py for how answers are judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demos.exercises.notebook import check, hint, show

__all__ = ["check", "hint", "show"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'demos.exercises' has no attribute {name!r}")
    from demos.exercises import notebook

    return getattr(notebook, name)
