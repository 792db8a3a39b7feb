"""Both halves of the classification demo learn what they are shown."""

from __future__ import annotations

from pathlib import Path

from demos.classification import accuracy, arms, moons, plot_regions, train_arms, train_moons


def test_moons_train_in_a_hundred_steps() -> None:
    said: list[str] = []
    model, errors = train_moons(report=said.append)
    assert len(errors) == 100 and errors[-1] < 0.02 < 0.5 < errors[0]
    assert accuracy(model, *moons()) >= 0.99
    assert len(model.parameters()) == 337 and len(said) == 11


def test_three_arms_train_by_softmax_cross_entropy(tmp_path: Path) -> None:
    model, history = train_arms(epochs=80)
    assert accuracy(model, *arms()) >= 0.98 and history.errors[-1] < 0.1 < 1 < history.errors[0]
    plot_regions(model, *arms(), tmp_path / "arms.svg")
    assert "<svg" in (tmp_path / "arms.svg").read_text()
