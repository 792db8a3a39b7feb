"""stepgrad's networks: modules, losses, optimizers and fit, all of Values that can be named, stepped and drawn."""

from nn.films import film_training
from nn.losses import (
    binary_cross_entropy,
    half_mean_squared_error,
    half_squared_error,
    hinge,
    mean_squared_error,
    one_hot,
    softmax_cross_entropy,
)
from nn.module import Module
from nn.networks import MLP, Layer, Neuron, RegressionMLP
from nn.optimizers import SGD, Adam, AdamW
from nn.saving import load
from nn.training import History, fit

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "AdamW",
    "History",
    "Layer",
    "Module",
    "Neuron",
    "RegressionMLP",
    "binary_cross_entropy",
    "film_training",
    "fit",
    "half_mean_squared_error",
    "half_squared_error",
    "hinge",
    "load",
    "mean_squared_error",
    "one_hot",
    "softmax_cross_entropy",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nn.pytorch import from_torch as from_torch
    from nn.pytorch import to_torch as to_torch

_LATER = ("from_torch", "to_torch")  # these need the extra `torch`


def __dir__() -> list[str]:
    from importlib.util import find_spec

    return sorted({*globals(), *(_LATER if find_spec("torch") else ())})


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'nn' has no attribute {name!r}")
    try:
        from nn import pytorch
    except ModuleNotFoundError as missing:
        raise ImportError(f"nn.{name} needs {missing.name}: pip install 'stepgrad[torch]' mends it") from None
    return getattr(pytorch, name)
