"""A bigger job: 64-32-10 with tanh, softmax, mini-batches of 64, Adam; 1,797 samples, the size of UCI's digits.

Every epoch is 29 steps on a shuffle that is the same for all peers, and E over all samples at its end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks.jobs import random_layers
from tests.benchmarks.timing import Result, clock

SAMPLES, SIZE, RATE, SEED = 1797, 64, 0.003, 0
Train = Callable[[int], Any]


def data() -> tuple[Any, Any, Any]:
    """Layers, rows and one-hot targets: ten blobs of pixels from 0 to 1."""
    source = random.Random(1)
    middles = [[source.random() for _ in range(64)] for _ in range(10)]
    classes = [source.randrange(10) for _ in range(SAMPLES)]
    X = [[min(1.0, max(0.0, source.gauss(pixel, 0.3))) for pixel in middles[k]] for k in classes]
    return random_layers([64, 32, 10], source), X, [[float(k == j) for j in range(10)] for k in classes]


def stepgrad() -> Train:
    import nn

    layers, X, T = data()
    model = nn.MLP(64, [32, 10], "tanh")
    for layer, (W, b) in zip(model.layers, layers, strict=True):
        for neuron, ws, bias in zip(layer, W, b, strict=True):
            for parameter, number in zip([*neuron.w, neuron.b], [*ws, bias], strict=True):
                parameter.data = number  # type: ignore[union-attr]
    optimizer = nn.Adam(model, RATE)

    def run(epochs: int) -> Any:
        return nn.fit(
            model, X, T, epochs, optimizer, "softmax_cross_entropy", SIZE, backend="tape", progress=False, seed=SEED
        ).errors[1:]

    return run


def jax_scan() -> Train:
    import jax
    import jax.flatten_util
    import jax.numpy as jnp
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    layers, X, T = data()
    xs, ts = jnp.array(X), jnp.array(T)
    p, restore = jax.flatten_util.ravel_pytree([(jnp.array(W).T, jnp.array(b)) for W, b in layers])
    state = (p, jnp.zeros_like(p), jnp.zeros_like(p), 0.0)

    def error(p: Any, xs: Any, ts: Any) -> Any:
        (W1, b1), (W2, b2) = restore(p)
        Y = jnp.tanh(xs @ W1 + b1) @ W2 + b2
        return (jax.nn.logsumexp(Y, axis=1) - (Y * ts).sum(axis=1)).mean()

    def step(state: Any, which: Any) -> tuple[Any, None]:
        p, mean, square, n = state
        slope = jax.grad(error)(p, xs[which], ts[which])
        n, mean, square = n + 1, 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        change = mean / (1 - 0.9**n) / (jnp.sqrt(square / (1 - 0.999**n)) + 1e-8)
        return (p - RATE * change, mean, square, n), None

    def epoch(state: Any, order: Any) -> tuple[Any, Any]:
        whole = len(order) // SIZE * SIZE
        state, _ = jax.lax.scan(step, state, order[:whole].reshape(-1, SIZE))
        state, _ = step(state, order[whole:])
        return state, error(state[0], xs, ts)

    epochs_of = jax.jit(lambda state, orders: jax.lax.scan(epoch, state, orders))

    def run(epochs: int) -> Any:
        nonlocal state
        shuffle = random.Random(SEED)
        orders = []
        for _ in range(epochs):
            orders.append(list(range(SAMPLES)))
            shuffle.shuffle(orders[-1])
        state, errors = jax.block_until_ready(epochs_of(state, np.array(orders)))
        return errors

    return run


def torch_loop() -> Train:
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    layers, X, T = data()
    parts = []
    for W, b in layers:
        linear = torch.nn.Linear(len(W[0]), len(W))
        linear.weight.data, linear.bias.data = torch.tensor(W), torch.tensor(b)
        parts += [linear, torch.nn.Tanh()]
    model = torch.nn.Sequential(*parts[:-1])
    optimizer = torch.optim.Adam(model.parameters(), RATE, foreach=True)
    xs, ts = torch.tensor(X), torch.tensor(T)

    def run(epochs: int) -> Any:
        shuffle, errors = random.Random(SEED), []
        for _ in range(epochs):
            order = list(range(SAMPLES))
            shuffle.shuffle(order)
            for which in torch.tensor(order).split(SIZE):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(xs[which]), ts[which]).backward()
                optimizer.step()
            with torch.no_grad():
                errors.append(torch.nn.functional.cross_entropy(model(xs), ts).item())
        return errors

    return run


PEERS: dict[str, Callable[[], Train]] = {"tape": stepgrad, "scan": jax_scan, "torch": torch_loop}


def epochs(name: str, count: int) -> Iterator[Result]:
    """First the errors of three epochs, then CPU seconds of a step (a 29th of an epoch), turn after turn."""
    run = PEERS[name]()
    yield {"losses": [float(error) for error in run(3)]}
    for warm in (count + 1, 1, count + 1):  # JAX compiles for each number of epochs
        run(warm)
    while True:
        many, one = clock(run, count + 1), clock(run, 1)
        yield {"cpu": (many["cpu"] - one["cpu"]) / count / 29, "threads": many["cpu"] / many["wall"]}
