"""nn at its edges: what can't be is refused in one sentence, before anything is built or moved."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import nn
from engine import Value
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
        ({"arguments": {"inputs": 2, "sizes": [1], "seed": []}}, "seed is an int"),
        ({"arguments": {"inputs": 2, "sizes": [1], "a\nb": 1}}, "the arguments don't fit MLP"),
        ({"arguments": {"inputs": 2, "sizes": [3, 1], "activation": []}}, "0 activations were given"),
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


# -- what moves, and how far


def model() -> nn.MLP:
    return nn.MLP(1, [2, 1], seed=3)


HUGE = 10**400
loose: Any = nn  # to be given what type checkers refuse


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: loose.SGD(m, HUGE), "learning_rate is a finite number above 0; given was 1000000"),
        (lambda m: loose.SGD(m, 10**5000), "learning_rate is a finite number above 0; given was an int of thousands"),
        (lambda m: loose.SGD(m, (0.1, HUGE)), "learning_rate is a finite number above 0"),
        (lambda m: loose.SGD(m, 0.1, momentum=HUGE), "momentum is a finite number from 0 up"),
        (lambda m: loose.SGD(m, 0.1, weight_decay=numpy.float64("nan")), "weight_decay is a finite number from 0 up"),
        (lambda m: loose.SGD(m, numpy.bool_(True)), "learning_rate is a finite number above 0"),
        (lambda m: loose.SGD(None), "a Module, or a list of leaves; given was None"),
        (lambda m: loose.SGD("model"), "a Module, or a list of leaves; given was 'model'"),
        (lambda m: loose.SGD([1.0]), "a list of leaves; given was 1.0"),
        (lambda m: loose.SGD([None]), "a list of leaves; given was None"),
        (lambda m: loose.SGD([Value(1.0) * 2]), "moves leaves, and a node was made by mul"),
        (lambda m: loose.SGD(Value(1.0)), "write [w]"),
        (lambda m: loose.Adam([Value(1.0).exp()]), "moves leaves, and a node was made by exp"),
        (lambda m: fit(m, epochs=HUGE), "epochs is a whole number from 0 up; given was 1000000"),
        (lambda m: fit(m, epochs=3.0), "epochs is a whole number from 0 up; given was 3.0"),
        (lambda m: fit(m, epochs=numpy.float64(3)), "epochs is a whole number from 0 up"),
        (lambda m: fit(m, batch_size=HUGE), "batch_size is a whole number from 1 up"),
        (lambda m: fit(m, seed=[]), "seed is an int, or a random.Random to go on with; given was []"),
        (lambda m: loose.MLP(1, [2], seed=[]), "seed is an int, or a random.Random to go on with; given was []"),
        (lambda m: loose.Neuron(1, seed={}), "seed is an int, or a random.Random to go on with; given was {}"),
        (lambda m: loose.MLP(1, [2, 1], activation=["a"]), "activation 'a' is unknown"),
        (lambda m: loose.Neuron(1, activation=None), "activation None is unknown"),
        (lambda m: loose.Layer(1, HUGE), "neurons is a whole number from 1 up"),
        (lambda m: fit(m, loss=lambda y, t: Value(1.0)), "the loss doesn't depend on the model"),
        (
            lambda m: fit(m, loss=lambda y, t: Value(1.0) * t[0], backend="eager"),
            "the loss doesn't depend on the model",
        ),
    ],
)
def test_what_nn_cant_do_is_a_sentence_before_anything_moves(call: Callable[[nn.MLP], Any], words: str) -> None:
    given = model()
    with pytest.raises(ValueError) as refusal:
        call(given)
    assert words in str(refusal.value) and "\n" not in str(refusal.value) and len(str(refusal.value)) < 600
    assert [p.data for p in given.parameters()] == [p.data for p in model().parameters()]


def fit(model: nn.MLP, **options: Any) -> nn.History:
    options = {"epochs": 2, "progress": False} | options
    return nn.fit(model, [[0.3], [-0.7]], [0.5, 0.9], **options)


def test_numpys_scalars_are_numbers() -> None:
    np: Any = numpy
    ours, theirs = model(), nn.MLP(np.int64(1), [np.int32(2), 1], seed=np.int64(3))
    fit(ours, epochs=3, batch_size=1, seed=4, optimizer=nn.SGD(ours, 0.125, momentum=0.5, weight_decay=0.25))
    sgd = nn.SGD(theirs, np.float32(0.125), momentum=np.float16(0.5), weight_decay=np.float64(0.25))
    fit(theirs, epochs=np.int64(3), batch_size=np.uint8(1), seed=np.int16(4), optimizer=sgd)
    assert [p.data for p in ours.parameters()] == [p.data for p in theirs.parameters()]
    assert repr(sgd) == "SGD(learning_rate=0.125, momentum=0.5, weight_decay=0.25)"


def test_an_optimizers_repr_shows_all_that_was_set() -> None:
    m = model()
    assert repr(nn.SGD(m, 0.05)) == "SGD(learning_rate=0.05)"
    assert (
        repr(nn.SGD(m, 0.05, momentum=0.9, weight_decay=0.1))
        == "SGD(learning_rate=0.05, momentum=0.9, weight_decay=0.1)"
    )
    assert repr(nn.SGD(m, (0.1, 0.2))) == "SGD(learning_rate=(0.1, 0.2))"
    assert repr(nn.SGD(m, 0.1, 0.9, nesterov=True)) == "SGD(learning_rate=0.1, momentum=0.9, nesterov=True)"
    assert repr(nn.Adam(m, betas=[0.8, 0.99], eps=0.1)) == "Adam(learning_rate=0.001, betas=(0.8, 0.99), eps=0.1)"  # type: ignore[arg-type]
    assert repr(nn.AdamW(m)) == "AdamW(learning_rate=0.001)"
    assert repr(nn.AdamW(m, weight_decay=0.0)) == "AdamW(learning_rate=0.001, weight_decay=0.0)"
    assert repr(nn.SGD(m, [0.1, math.exp])) == "SGD(learning_rate=(0.1, exp))"
    assert repr(nn.Adam(m, weight_decay=0.1)) == "Adam(learning_rate=0.001, weight_decay=0.1)"
