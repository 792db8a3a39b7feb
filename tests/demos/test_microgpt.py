"""The GPT in scalars: the tape gives what backprop gives, it learns, and its weights come back from a file."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pytest

import nn
from demos.microgpt import GPT, NAMES, RATE, eager, main, read_names, taped, train

Matrix: TypeAlias = Any  # of NumPy
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def tiny(seed: int = 1, blocks: int = 1) -> GPT:
    return GPT(LETTERS, 5, width=4, heads=2, blocks=blocks, seed=seed)


def reference_loss(model: GPT, name: str) -> float:
    """The model in NumPy, all tokens at once, with a mask where the demo goes token by token."""
    weights = {path: parameter.data for path, parameter in model.named_parameters().items()}

    def matrix(path: str, rows: int, columns: int) -> Matrix:
        form = f"{path}[{{}}][{{}}]" if path == "positions" else f"{path}[{{}}].w[{{}}]"
        return np.array([[weights[form.format(i, j)] for j in range(columns)] for i in range(rows)])

    def norm(x: Matrix) -> Matrix:
        return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5)

    def shares(x: Matrix) -> Matrix:
        powers = np.exp(x - x.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    tokens = [26, *model.encode(name), 26]
    count, width, size = len(name) + 1, 4, 2
    x = norm(matrix("tokens", width, 27).T[tokens[:-1]] + matrix("positions", count, width))
    future = np.triu(np.full((count, count), -np.inf), 1)
    for b in range(len(model.blocks)):
        q, k, v = (
            norm(x) @ matrix(f"blocks[{b}].attention.{part}", width, width).T for part in ("query", "key", "value")
        )
        heads = [slice(0, 2), slice(2, 4)]
        found = np.hstack([shares(q[:, h] @ k[:, h].T / math.sqrt(size) + future) @ v[:, h] for h in heads])
        x = x + found @ matrix(f"blocks[{b}].attention.output", width, width).T
        up = np.maximum(norm(x) @ matrix(f"blocks[{b}].up", 4 * width, width).T, 0)
        x = x + up @ matrix(f"blocks[{b}].down", width, 4 * width).T
    likely = shares(x @ matrix("output", 27, width).T)
    return -float(np.mean(np.log(likely[range(count), tokens[1:]])))


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("name", ["a", "zoe", "clara"])
def test_the_loss_is_that_of_a_gpt_in_matrices(name: str, blocks: int) -> None:
    model = tiny(blocks=blocks)
    assert model.loss(model.encode(name)).data == pytest.approx(reference_loss(model, name), rel=1e-12)


def test_a_tape_for_each_length_gives_the_losses_and_gradients_of_backprop() -> None:
    """Of names of one length by one tape, too, and with weights that have changed since it was recorded."""
    model, other = tiny(), tiny()
    backward, expected = taped(model), eager(other)
    for name in ("zoe", "clara", "ann", "a", "zoe"):
        assert backward(name) == pytest.approx(expected(name), rel=1e-12)
        for parameter, true in zip(model.parameters(), other.parameters(), strict=True):
            assert (parameter.grad or 0.0) == pytest.approx(true.grad or 0.0, abs=1e-13, rel=1e-12)
            parameter.data = true.data = true.data * 1.07


def test_it_learns_the_same_either_way() -> None:
    names = ["anna", "hanna", "nan"]
    said: list[str] = []
    (model, losses), (_, others) = (
        (model, train(model, names, 60, backend, said.append))
        for model, backend in ((tiny(), "tape"), (tiny(), "eager"))
    )
    assert losses == pytest.approx(others, rel=1e-9)
    assert sum(losses[:3]) / 3 > 3.2 and sum(losses[-3:]) / 3 < 1.5
    assert len(said) == 20 and said[9].startswith(f"step    60   loss {sum(losses[-6:]) / 6:.4f}   ")
    random = Random(3)
    made_up = "".join(model.sample(random) for _ in range(10))
    assert made_up.count("n") + made_up.count("a") > 0.8 * len(made_up) > 10


def test_a_step_is_adams_with_the_gradient_0_for_what_a_name_doesnt_reach() -> None:
    """So the weights of a position that only the first name has move on at the second, by their means so far."""
    model = tiny()
    far = model.positions[4][0]
    numbers = [far.data]
    train(model, ["clara", "zoe"], 2, "eager", lambda line: numbers.append(far.data))
    first, second = (after - before for before, after in pairwise(numbers))
    mean, size = 0.85 * 0.15 / (1 - 0.85**2), math.sqrt(0.99 * 0.01 / (1 - 0.99**2))
    assert abs(first) == pytest.approx(RATE, rel=1e-3)
    assert second == pytest.approx(first / 2 * mean / size, rel=1e-3)


def test_a_name_ends_by_itself_or_where_the_positions_do() -> None:
    model = tiny()
    drawn = [2, 11, 26]
    random = SimpleNamespace(choices=lambda population, weights: [drawn.pop(0)])
    assert model.sample(random) == "cl"  # type: ignore[arg-type]
    drawn = [0] * 9
    assert model.sample(random) == "a" * 6  # type: ignore[arg-type]


def test_the_weights_come_back_from_a_file(tmp_path: Path) -> None:
    model, again = tiny(seed=1), tiny(seed=2)
    path = str(tmp_path / "gpt.json")
    model.save(path)
    assert nn.load(path, into=again) is again
    assert again.loss(again.encode("zoe")).data == model.loss(model.encode("zoe")).data
    assert "blocks[0].attention.query[3].w[2]" in model.named_parameters()


def test_the_names_are_as_their_readme_says() -> None:
    lines = NAMES.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 495 and lines == sorted(lines)
    assert set("".join(lines)) == set(LETTERS)
    assert sorted(read_names(NAMES)) == lines != read_names(NAMES)


def test_as_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.txt").write_text("Ann\n\n Bo \n")
    main([str(tmp_path / "names.txt"), "--steps", "3", "--samples", "4"])
    first, *steps, speed, made_up = capsys.readouterr().out.splitlines()
    assert first == f"2 names, {2 * 5 * 16 + 4 * 16 + 12 * 256} parameters; guessing, loss {math.log(5):.4f}"
    assert [line[:10] for line in steps] == ["step     1", "step     2", "step     3"]
    assert speed.startswith("tape: ") and speed.endswith(" ms a step, Adam's part included")
    assert made_up.startswith("made up: ") and made_up.count(",") == 3 and set(made_up[9:]) <= set("ABno, ")


@pytest.mark.parametrize(
    ("content", "said"), [(b" \n", "holds no names"), (b"\xff\xfe", "in UTF-8: 'utf-8' codec"), (None, "No such file")]
)
def test_a_file_without_names_is_said_in_a_sentence(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OSError, match=said):
        main([str(path)])


def test_fewer_steps_than_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--steps", "0"])
    assert "--steps is a whole number from 1 up; given was 0" in capsys.readouterr().err
