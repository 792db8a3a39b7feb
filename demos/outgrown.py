"""Outgrown: one network trained four ways, with the same losses: here, in PyTorch, in JAX, and in JAX on all devices.

`python -m demos.outgrown` needs the extras jax and torch. To see eight devices on any machine:

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python -m demos.outgrown

On GPUs the same code runs as it is. Over several hosts each process begins with jax.distributed.initialize(), and gives
the samples that it has: jax.make_array_from_process_local_data(sharding, table) in the place of jax.device_put.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from random import Random
from typing import Any, NamedTuple, TypeAlias

import nn
from demos.program import program
from engine import Value
from nn.losses import half_mean_over_outputs

RATE, MOMENTUM = 0.05, 0.9
Rows: TypeAlias = list[list[float]]


class Trained(NamedTuple):
    """E before the first epoch and after each, the weights that it led to, and the seconds it took."""

    errors: list[float]
    weights: list[float]
    seconds: float


def samples(count: int, seed: int = 4) -> tuple[Rows, Rows]:
    """Points of the cube from -1 to 1, and a wavy function of each."""
    random = Random(seed)
    X = [[random.uniform(-1, 1) for _ in range(3)] for _ in range(count)]
    return X, [[math.sin(3 * x) * y + z * z] for x, y, z in X]


def by_fit(model: nn.MLP, X: Rows, T: Rows, epochs: int) -> Trained:
    """As ever: nn.fit, on the tape."""

    def fit(model: nn.MLP, epochs: int) -> nn.History:
        optimizer = nn.SGD(model, RATE, momentum=MOMENTUM)
        return nn.fit(model, X, T, epochs=epochs, optimizer=optimizer, progress=False)

    fit(deepcopy(model), 1)  # compiles the loops
    start = time.perf_counter()
    errors = fit(model, epochs).errors
    return Trained(errors, [parameter.data for parameter in model.parameters()], time.perf_counter() - start)


def by_torch(model: nn.MLP, X: Rows, T: Rows, epochs: int) -> Trained:
    """to_torch, with the optimizer, and the loop that PyTorch's users know; from_torch takes the weights back."""
    import torch

    module, optimizer = nn.to_torch(model, nn.SGD(model, RATE, momentum=MOMENTUM))
    x, t = torch.tensor(X, dtype=torch.float64), torch.tensor(T, dtype=torch.float64)
    module(x).sum().backward()  # the first call of each operation takes longer
    errors, start = [], time.perf_counter()
    for epoch in range(epochs + 1):
        error = 0.5 * torch.nn.functional.mse_loss(module(x), t)
        errors.append(error.item())
        if epoch < epochs:
            optimizer.zero_grad()  # takes those of the call above away, too
            error.backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    return Trained(errors, [parameter.data for parameter in nn.from_torch(module).parameters()], seconds)


def by_jax(model: nn.MLP, X: Rows, T: Rows, epochs: int, sharded: bool = False) -> Trained:
    """to_jax of one sample's loss, mapped over the samples and compiled; sharded, each device has its own samples."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import NamedSharding, PartitionSpec

    from engine import to_jax

    jax.config.update("jax_enable_x64", True)
    x: list[Value] = [Value(number) for number in X[0]]
    t: list[Any] = [Value(number) for number in T[0]]
    f = to_jax(half_mean_over_outputs(model(x), t), inputs=[*x, *t])
    table = jnp.array([x + t for x, t in zip(X, T, strict=True)])
    weights = jnp.array([parameter.data for parameter in f.parameters])
    if sharded:
        mesh = jax.sharding.Mesh(jax.devices(), ("samples",))
        table = jax.device_put(table, NamedSharding(mesh, PartitionSpec("samples")))
        weights = jax.device_put(weights, NamedSharding(mesh, PartitionSpec()))
        print(shards_text(table))

    def mean(weights: Any, table: Any) -> Any:
        return jax.vmap(f, in_axes=(None, 0))(weights, table).mean()

    def epoch(weights: Any, velocity: Any, table: Any) -> tuple[Any, Any, Any]:
        error, slopes = jax.value_and_grad(mean)(weights, table)
        velocity = MOMENTUM * velocity + slopes
        return weights - RATE * velocity, velocity, error

    velocity, errors = jnp.zeros_like(weights), []
    step, last = (jax.jit(each).lower(*given).compile() for each, given in (
        (epoch, (weights, velocity, table)), (mean, (weights, table))))  # fmt: skip
    start = time.perf_counter()
    for _ in range(epochs):
        weights, velocity, error = step(weights, velocity, table)
        errors.append(float(error))  # waits: where devices share a few cores, epochs under way at once block each other
    errors.append(float(last(weights, table)))
    seconds = time.perf_counter() - start
    for parameter, number in zip(f.parameters, weights.tolist(), strict=True):
        parameter.data = number
    return Trained(errors, [parameter.data for parameter in model.parameters()], seconds)


def shards_text(table: Any) -> str:
    """Which samples are on which device."""
    spans = [shard.index[0].indices(len(table)) for shard in table.addressable_shards]
    return f"{len(spans)} devices, with the samples " + ", ".join(f"{first} to {last - 1}" for first, last, _ in spans)


WAYS: dict[str, Callable[[nn.MLP, Rows, Rows, int], Trained]] = {
    "fit": by_fit,
    "to_torch": by_torch,
    "to_jax": by_jax,
    "to_jax, sharded": partial(by_jax, sharded=True),
}


def difference(trained: Trained, reference: Trained) -> float:
    """The largest difference from the reference, of an E relative to it, and of a weight."""
    errors = [abs(e - true) / true for e, true in zip(trained.errors, reference.errors, strict=True)]
    weights = [abs(w - true) for w, true in zip(trained.weights, reference.weights, strict=True)]
    return max(errors + weights)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--samples", type=int, default=4096, help="as many for each device: a multiple of their number")
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args(arguments)
    X, T = samples(options.samples)
    model = nn.MLP(3, [32, 32, 1], activation="tanh", seed=1)
    print(f"{model}, {len(model.parameters())} parameters, {options.samples} samples, {options.epochs} epochs")
    results = {}
    for name, way in WAYS.items():
        try:
            results[name] = way(deepcopy(model), X, T, options.epochs)
        except ImportError as missing:
            print(f"{name} is left out: {missing}")
    print(f"{'':16}{'samples a second':>18}{'loss':>14}{'largest difference':>20}")
    for name, trained in results.items():
        speed = options.samples * options.epochs / trained.seconds
        print(f"{name:16}{speed:18,.0f}{trained.errors[-1]:14.6g}{difference(trained, results['fit']):20.1e}")


if __name__ == "__main__":
    raise SystemExit(program(main))
