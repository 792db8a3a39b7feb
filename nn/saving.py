"""Models read back from JSON: the shape, and every parameter by the expression that reaches it. module.py writes it."""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from engine import Value
from nn.module import FORMAT, Module
from nn.networks import MLP, Layer, Neuron, RegressionMLP
from nn.optimizers import Optimizer

FEW = 1000  # a file that asks for more parameters than these, and than it holds twice over, is not even tried
MODELS: dict[str, type[Module]] = {model.__name__: model for model in (Neuron, Layer, MLP, RegressionMLP)}


def from_dict(data: Any, into: Module | None = None) -> Module:
    """The model that as_dict() described, or a model of one's own with its parameters put in.

    Raises ValueError for another format or version, an unknown model, a parameter that is missing, unknown or not a
    finite number; `into` is changed only if all is well.
    """
    if not isinstance(data, dict) or data.get("stepgrad") != FORMAT:
        version = data.get("stepgrad") if isinstance(data, dict) else None
        raise ValueError(f"these are not weights of format version {FORMAT} ('stepgrad': {version!r})")
    name, arguments, numbers = (data.get(key) for key in ("model", "arguments", "parameters"))
    if not isinstance(arguments, dict) or not isinstance(numbers, dict):
        raise ValueError("weights have 'arguments' and 'parameters', each an object")
    if into is None:
        if not isinstance(name, str) or name not in MODELS:
            raise ValueError(f"model {name!r} is unknown ({', '.join(MODELS)}): give nn.load one to fill, into=model")
        try:
            if (size := _size(name, arguments)) > FEW + 2 * len(numbers):
                raise ValueError(f"{name} with these arguments has {size} parameters, and {len(numbers)} are given")
            into = MODELS[name](**arguments)
        except TypeError as error:
            raise ValueError(f"the arguments don't fit {name}: {error}") from None
    parameters = into.named_parameters()
    for kind, paths in {
        "missing": parameters.keys() - numbers.keys(),
        "unknown": numbers.keys() - parameters.keys(),
    }.items():
        if paths:
            raise ValueError(f"parameters are {kind}: {', '.join(sorted(paths)[:5])} ({len(paths)} in all)")
    for path, number in numbers.items():
        if not _is_finite(number):
            raise ValueError(f"parameter {path} is {repr(number)[:40]}; a finite number is expected")
    for path, parameter in parameters.items():
        parameter.data = numbers[path]
    return into


def _size(name: str, arguments: dict[str, Any]) -> int:
    """How many parameters a model has; 0 where that can't be counted, as the constructor says what is wrong then."""
    sizes = arguments.get("sizes", [arguments.get("neurons", 1)])
    if name == "RegressionMLP":
        sizes = [arguments.get("hidden"), arguments.get("outputs", 1)]
    sizes = [arguments.get("inputs"), *sizes] if isinstance(sizes, list) else [None]
    if not all(isinstance(size, int) for size in sizes):
        return 0
    return sum((before + 1) * size for before, size in pairwise(sizes))


def remembered(data: Any, model: Module, optimizer: Optimizer) -> tuple[dict[Value, list[float]], int]:
    """The state that save(path, optimizer) wrote, of the model's parameters, as Optimizer.state has it; and the epoch.

    Raises ValueError where there is none, or that of another kind of optimizer, of other settings or another shape.
    """
    kind = type(optimizer).__name__
    saved = data.get("optimizer")
    if not isinstance(saved, dict) or not isinstance(saved.get("state"), dict):
        raise ValueError(f"no optimizer was saved with these weights: write model.save(path, optimizer={kind.lower()})")
    if saved.get("kind") != kind:
        raise ValueError(f"the state saved is that of {saved.get('kind')!r}, and the optimizer given is {kind}")
    _check_settings(saved.get("settings", {}), optimizer)
    epoch, parameters = saved.get("epoch", 0), model.named_parameters()
    if type(epoch) is not int or epoch < 0:
        raise ValueError(f"the optimizer's epoch is {epoch!r}; a whole number from 0 up is expected")
    for path, numbers in saved["state"].items():
        if path not in parameters:
            raise ValueError(f"the optimizer's state holds {path!r}, which is no parameter of the model")
        if not isinstance(numbers, list) or len(numbers) != len(optimizer.start) or not all(map(_is_finite, numbers)):
            raise ValueError(
                f"the optimizer's state of {path} is {numbers!r}; {len(optimizer.start)} numbers are expected"
            )
    state = {parameters[path]: [float(number) for number in numbers] for path, numbers in saved["state"].items()}
    return state, epoch


def _check_settings(saved: Any, optimizer: Optimizer) -> None:
    """ValueError for a setting that isn't the one saved. Older files have none, and learning rates are no settings."""
    if not isinstance(saved, dict):
        raise ValueError("the optimizer's settings are an object of numbers")
    for name, number in optimizer.settings.items():
        if saved.get(name, number) != number:
            raise ValueError(
                f"the optimizer was saved with {name} = {saved[name]!r}, and the one given has {number!r}: give one "
                "with the same settings, and change them when it is loaded"
            )


def _is_finite(number: object) -> bool:
    return isinstance(number, (int, float)) and not isinstance(number, bool) and abs(number) <= sys.float_info.max


def load(path: str | os.PathLike[str], into: Module | None = None, optimizer: Optimizer | None = None) -> Module:
    """The model that model.save(path) wrote; a Module of one's own class is given as `into`, to be filled.

    To go on training, give the optimizer of that model, too, made with the same settings and any learning rate: it gets
    the state and the epoch that were saved. Raises OSError for a file that can't be read, ValueError for one that isn't
    whole or doesn't fit, naming the file.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     MLP(2, [3, 1]).save(f"{folder}/model.json")
    ...     load(f"{folder}/model.json")
    MLP(inputs=2, sizes=[3, 1], activation='relu')
    """
    try:
        data = read_json(Path(path).read_text(encoding="utf-8"))
        if optimizer is None:
            return from_dict(data, into)
        if into is None or not {*optimizer.parameters()} <= {*into.parameters()}:
            raise ValueError("an optimizer is loaded with its model: write nn.load(path, into=model, optimizer=…)")
        state, epoch = remembered(data, into, optimizer) if isinstance(data, dict) else ({}, 0)
        model = from_dict(data, into)
        optimizer.state, optimizer.epoch = dict(state), epoch
        return model
    except ValueError as error:  # a broken encoding is one too
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


def read_json(text: str) -> Any:
    """JSON with each key once and no NaN or Infinity; raises ValueError."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"the key {key!r} stands twice")
            found[key] = value
        return found

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no finite number")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"this is no whole JSON file: {error}") from None
