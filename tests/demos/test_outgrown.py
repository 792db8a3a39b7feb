"""The way out, four ways: one network, the same losses, on eight devices that the machine pretends to have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demos.outgrown import Trained, difference, samples

ROOT = Path(__file__).parent.parent.parent


def test_difference_is_that_of_the_worst_loss_or_weight() -> None:
    reference = Trained([2.0, 1.0], [0.3, -0.7], 1.0)
    assert difference(reference, reference) == 0
    assert difference(Trained([2.0, 1.25], [0.3, -0.7], 1.0), reference) == 0.25
    assert difference(Trained([2.5, 1.0], [0.3, -1.2], 1.0), reference) == pytest.approx(0.5)


def test_samples_are_the_same_each_time_and_differ_from_each_other() -> None:
    X, T = samples(20)
    assert samples(20) == (X, T) and len(set(map(tuple, X))) == len({t for [t] in T}) == 20


def test_four_ways_have_the_same_losses_and_each_device_its_own_samples() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    said = subprocess.run(
        [sys.executable, "-m", "demos.outgrown", "--samples", "64", "--epochs", "6"],
        capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ | flags,
    ).stdout  # fmt: skip
    spans = re.search(r"^8 devices, with the samples (.*)$", said, re.M)
    assert spans and spans[1] == ", ".join(f"{first} to {first + 7}" for first in range(0, 64, 8))
    table = re.findall(r"^(\w+(?:, sharded)?) +([\d,]+) +([\d.e-]+) +([\d.e+-]+)$", said, re.M)
    assert [row[0] for row in table] == ["fit", "to_torch", "to_jax", "to_jax, sharded"]
    assert len({row[2] for row in table}) == 1
    assert all(float(row[3]) < 1e-12 for row in table) and any(float(row[3]) > 0 for row in table)
