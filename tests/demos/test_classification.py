"""Both halves of the classification demo learn what they are shown."""

from __future__ import annotations

from pathlib import Path

from demos.classification import accuracy, arms, moons, plot_regions, train_arms, train_moons


def test_moons_train_in_half_as_many_steps_on_a_fifth_of_the_points() -> None:
    """And the rest of the points, which it hasn't seen, are where they belong too."""
    said: list[str] = []
    model, errors = train_moons(50, 20, said.append)
    assert len(errors) == 50 and errors[-1] < 0.05 < 0.5 < errors[0]
    assert accuracy(model, *moons()) >= 0.99
    assert len(model.parameters()) == 337 and [line[:8] for line in said[::5]] == ["step   0", "step  49"]


def test_three_arms_train_by_softmax_cross_entropy(tmp_path: Path) -> None:
    model, history = train_arms(epochs=80)
    assert accuracy(model, *arms()) >= 0.98 and history.errors[-1] < 0.1 < 1 < history.errors[0]
    plot_regions(model, *arms(), tmp_path / "arms.svg", across=15)
    assert "<svg" in (tmp_path / "arms.svg").read_text()
