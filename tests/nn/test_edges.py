"""nn at its edges: what can't be is refused in one sentence, before anything is built or moved."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import nn
from nn.module import Module

# -- files from elsewhere

WHOLE = {"stepgrad": 1, "model": "MLP", "arguments": {"inputs": 1, "sizes": [1]}, "parameters": {}}


def refused(path: Path, **changes: Any) -> str:
    """The sentence that nn.load has for a file with these entries; nothing may be built for it."""
    path.write_text(json.dumps(WHOLE | changes))
    with pytest.raises(ValueError) as refusal:
        nn.load(path)
    assert str(refusal.value).startswith(f"{path}: ") and "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": []}, "model [] is unknown"),
        ({"model": {}}, "model {} is unknown"),
        ({"model": None}, "model None is unknown"),
        ({"arguments": []}, "each an object"),
        ({"parameters": 3}, "each an object"),
        ({"arguments": {}}, "missing 2 required"),
        ({"arguments": {"inputs": [], "sizes": 3}}, "sizes is the list"),
        ({"arguments": {"inputs": 2, "sizes": ["a"]}}, "given was 'a'"),
        ({"arguments": {"inputs": 2, "sizes": "ab"}}, "given was 'ab'"),
        ({"arguments": {"inputs": 2, "sizes": [1], "seed": []}}, "the arguments don't fit MLP"),
        ({"arguments": {"inputs": 2, "sizes": [1], "a\nb": 1}}, "the arguments don't fit MLP"),
        ({"arguments": {"inputs": 2, "sizes": [3, 1], "activation": []}}, "fit MLP"),
        ({"parameters": {"layers[0][0].w[0]": 1, "layers[0][0].b": 1, "a\nb": 1}}, "unknown: a b"),
        ({"stepgrad": "1\n"}, "format version"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_a_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    assert words in refused(tmp_path / "w.json", **changes)


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        ("MLP", {"inputs": 10, "sizes": [200_000, 1]}),
        ("MLP", {"inputs": 10**200, "sizes": [1]}),
        ("Layer", {"inputs": 10**6, "neurons": 10**6}),
        ("Neuron", {"inputs": 10**9, "bias": False}),
        ("RegressionMLP", {"inputs": 10, "hidden": 10**7}),
    ],
)
def test_a_small_file_that_asks_for_a_large_model_is_refused_before_one_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, arguments: dict[str, Any]
) -> None:
    def build(*_: object, **__: object) -> None:
        raise AssertionError("a neuron was built")

    monkeypatch.setattr("nn.networks.Neuron.__init__", build)
    assert "and 0 are given" in refused(tmp_path / "w.json", model=model, arguments=arguments)


def lines_of_load(tmp_path: Path, neurons: int) -> int:
    """How many lines of this project run while a model is loaded."""
    path, count = tmp_path / "w.json", 0

    def count_lines(frame: Any, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return count_lines

    nn.MLP(3, [neurons, 1]).save(str(path))
    before = sys.gettrace()
    sys.settrace(count_lines)
    try:
        nn.load(path)
    finally:
        sys.settrace(before)
    return count


def test_the_work_of_loading_grows_with_the_parameters(tmp_path: Path) -> None:
    assert lines_of_load(tmp_path, 400) < 4.5 * lines_of_load(tmp_path, 100)


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text('{"stepgrad": 1, "model": "MLP", "model": "MLP"}')
    with pytest.raises(ValueError, match="the key 'model' stands twice"):
        nn.load(path)


# -- modules


def test_a_list_that_contains_itself_has_each_parameter_once() -> None:
    class Ring(Module):
        def __init__(self) -> None:
            self.links: list[Any] = [nn.Neuron(2)]
            self.links.append(self.links)

    ring = Ring()
    assert list(ring.named_parameters()) == ["links[0].w[0]", "links[0].w[1]", "links[0].b"]
