"""stepgrad's networks: modules, losses, optimizers and fit, all of Values that can be named, stepped and drawn."""

from nn.losses import half_mean_squared_error, half_squared_error, hinge, softmax_cross_entropy
from nn.module import Module
from nn.networks import MLP, Layer, Neuron, RegressionMLP
from nn.optimizers import SGD, Adam
from nn.saving import load
from nn.training import History, fit

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "History",
    "Layer",
    "Module",
    "Neuron",
    "RegressionMLP",
    "fit",
    "half_mean_squared_error",
    "half_squared_error",
    "hinge",
    "load",
    "softmax_cross_entropy",
]
