"""The engine's functions by name, for formulas that a learner types."""

from __future__ import annotations

from typing import Any

import engine

FUNCTIONS: dict[str, Any] = {name: getattr(engine, name) for name in engine.__all__ if name.islower()}
FUNCTIONS = {name: each for name, each in FUNCTIONS.items() if (each.__doc__ or "").startswith(f"{name}(")} | {
    "abs": abs
}
