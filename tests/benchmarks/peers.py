"""One training step on stepgrad and on its peers; and what a node costs stepgrad in time and memory.

    python tests/benchmarks/peers.py                  # everything, two to three minutes
    python tests/benchmarks/peers.py --quick          # fewer rounds, smaller graphs
    python tests/benchmarks/peers.py --only stepgrad --only micrograd

A step is zero_grad, build, backward, update: the 2-16-16-1 ReLU network of micrograd's demo, hinge loss, its mean over
100 samples in one batch. Every peer starts from the same weights and data, and the losses of the first three steps have
to agree to 1e-9: so they provably do the same work, forward, backward and update. Peers that aren't installed are named
and left out:

    pip install micrograd==0.1.0    pip install numpy    pip install torch    pip install jax

How it is measured, and why:
- CPU time (time.process_time), one thread: what other programs do meanwhile shouldn't count.
- A process for each engine, or one pays for collecting another's garbage. Python's collector is left as it ships.
- The processes take turns, round after round, and ratios are taken within a round: when a machine slows down for a
  while, it slows all of them. What is reported is the median over the rounds.
- ns/node and bytes/node are per node of an engine's own graph, leaves included. For the same step the graphs differ: a
  neuron's sum is one Σ in stepgrad, and constants are no nodes; micrograd has a ladder of +, and constants are nodes.

To add an engine is to add a row to ENGINES.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SIZES = (2, 16, 16, 1)
SAMPLES = 100
RATE = 0.05
CHECKED = 3  # steps whose losses are compared
ONE_THREAD = {
    **dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"], "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}


class Problem(NamedTuple):
    """What every engine starts from: a neuron is its weights and its bias."""

    layers: list[list[tuple[list[float], float]]]
    X: list[list[float]]
    Y: list[float]  # ±1


class Training(NamedTuple):
    """An engine, ready to train: step() gives the loss, and its node, which holds the graph (None where hidden)."""

    step: Callable[[], tuple[float, Any]]
    count_nodes: Callable[[Any], int] | None = None


def problem() -> Problem:
    """Random weights, and points whose class is the sign of x1 * x2: the same on every machine."""
    rng = random.Random(0)

    def uniform(n: int) -> list[float]:
        return [rng.uniform(-1, 1) for _ in range(n)]

    layers = [
        [(uniform(inputs), rng.uniform(-0.1, 0.1)) for _ in range(outputs)] for inputs, outputs in pairwise(SIZES)
    ]
    X = [uniform(SIZES[0]) for _ in range(SAMPLES)]
    return Problem(layers, X, [1.0 if x1 * x2 > 0 else -1.0 for x1, x2 in X])


# -- the engines


def stepgrad(given: Problem) -> Training:
    from engine import Value, relu, topological_order, total

    *hidden, [output] = [[([Value(w) for w in ws], Value(b)) for ws, b in layer] for layer in given.layers]
    parameters: list[Any] = [p for layer in [*hidden, [output]] for ws, b in layer for p in [*ws, b]]

    def neuron(ws: list[Value], b: Value, xs: list[Any]) -> Any:
        return total([*[w * x for w, x in zip(ws, xs, strict=True)], b])

    def score(xs: list[Any]) -> Any:
        for layer in hidden:
            xs = [relu(neuron(ws, b, xs)) for ws, b in layer]
        return neuron(*output, xs)

    def step() -> tuple[float, Any]:
        for p in parameters:
            p.grad = None
        losses = [relu(1 + -y * score(x)) for x, y in zip(given.X, given.Y, strict=True)]
        E = total(losses) * (1 / len(losses))
        E.backward()
        for p in parameters:
            p.data -= RATE * p.grad
        return E.data, E

    return Training(step, lambda E: len(topological_order(E)))


def micrograd(given: Problem) -> Training:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    model = MLP(SIZES[0], list(SIZES[1:]))
    numbers = [number for layer in given.layers for ws, b in layer for number in [*ws, b]]
    for p, number in zip(model.parameters(), numbers, strict=True):
        p.data = number

    def step() -> tuple[float, Any]:
        model.zero_grad()
        scores = [model(list(map(Value, x))) for x in given.X]
        losses = [(1 + -y * score).relu() for score, y in zip(scores, given.Y, strict=True)]
        E = sum(losses) * (1 / len(losses))
        E.backward()
        for p in model.parameters():
            p.data -= RATE * p.grad
        return E.data, E

    def count_nodes(E: Any) -> int:
        seen, stack = {E}, [E]
        while stack:
            new = stack.pop()._prev - seen
            seen |= new
            stack += new
        return len(seen)

    return Training(step, count_nodes)


def pytorch(given: Problem) -> Training:
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    modules: list[Any] = []
    for layer in given.layers:
        linear = torch.nn.Linear(len(layer[0][0]), len(layer))
        linear.weight.data = torch.tensor([ws for ws, _ in layer])
        linear.bias.data = torch.tensor([b for _, b in layer])
        modules += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    X, Y = torch.tensor(given.X), torch.tensor(given.Y)

    def step() -> tuple[float, Any]:
        optimizer.zero_grad()
        E: Any = torch.relu(1 - Y * model(X).squeeze(1)).mean()
        E.backward()
        optimizer.step()
        return E.item(), None

    return Training(step)


def jax_jit(given: Problem) -> Training:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    X, Y = jnp.array(given.X), jnp.array(given.Y)
    parameters: Any = [(jnp.array([ws for ws, _ in layer]), jnp.array([b for _, b in layer])) for layer in given.layers]

    def loss(parameters: Any) -> Any:
        *hidden, (W, b) = parameters
        A = X
        for V, c in hidden:
            A = jax.nn.relu(A @ V.T + c)
        return jax.nn.relu(1 - Y * (A @ W.T + b)[:, 0]).mean()

    def update(parameters: Any) -> Any:
        E, slopes = jax.value_and_grad(loss)(parameters)
        return E, jax.tree_util.tree_map(lambda p, slope: p - RATE * slope, parameters, slopes)

    compiled = jax.jit(update)

    def step() -> tuple[float, Any]:
        nonlocal parameters
        E, parameters = jax.block_until_ready(compiled(parameters))
        return E.item(), None

    return Training(step)


def numpy_by_hand(given: Problem) -> Training:
    import numpy as np

    X, Y = np.array(given.X), np.array(given.Y)
    layers = [(np.array([ws for ws, _ in layer]), np.array([b for _, b in layer])) for layer in given.layers]

    def step() -> tuple[float, Any]:
        inputs = [X]
        for W, b in layers:
            inputs.append(np.maximum(inputs[-1] @ W.T + b, 0))
        inputs.pop()
        W, b = layers[-1]  # linear
        margins = 1 - Y * (inputs[-1] @ W.T + b)[:, 0]
        delta = (-Y * (margins > 0) / len(Y))[:, None]  # ∂E/∂(a layer's sums)
        for (W, b), A in zip(reversed(layers), reversed(inputs), strict=True):
            slopes = delta.T @ A, delta.sum(axis=0)
            delta = delta @ W * (A > 0)
            W -= RATE * slopes[0]
            b -= RATE * slopes[1]
        return float(np.maximum(margins, 0).mean()), None

    return Training(step)


class Engine(NamedTuple):
    """A row of the table: what it needs, how to get that, and how it is made ready."""

    module: str
    install: str
    prepare: Callable[[Problem], Training]


ENGINES = {
    "stepgrad": Engine("engine", "pip install stepgrad", stepgrad),
    "micrograd": Engine("micrograd", "pip install micrograd==0.1.0", micrograd),
    "PyTorch eager": Engine("torch", "pip install torch", pytorch),
    "JAX jit": Engine("jax", "pip install jax", jax_jit),
    "NumPy by hand": Engine("numpy", "pip install numpy", numpy_by_hand),
}


# -- what a worker measures, in a process of its own


def time_steps(name: str, steps: int) -> dict[str, Any]:
    """CPU seconds of each step, at least so many and for at least 0.5 s, after one (first of all, it may compile)."""
    step, count_nodes = ENGINES[name].prepare(problem())
    loss, graph = step()
    nodes = count_nodes(graph) if count_nodes else None
    del graph
    losses, seconds = [loss], list[float]()
    while len(seconds) < steps or sum(seconds) < 0.5:
        start = time.process_time()
        loss = step()[0]  # the graph is let go of here: freeing it is part of a step
        seconds.append(time.process_time() - start)
        losses.append(loss)
    return {"seconds": seconds, "losses": losses[:CHECKED], "nodes": nodes}


def graph_memory(name: str) -> dict[str, Any]:
    """Bytes that are held after a step by its graph."""
    step, count_nodes = ENGINES[name].prepare(problem())
    assert count_nodes, f"{name} has no nodes to count"
    step()
    gc.collect()
    tracemalloc.start()
    _, graph = step()
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    return {"bytes": held, "nodes": count_nodes(graph)}


def chain(size: int) -> Any:
    """1 - z over and over, as z * -1 + 1: numbers and gradients neither grow nor vanish."""
    from engine import Value

    z: Any = Value(0.25)
    for _ in range(size // 2):
        z = z * -1.0 + 1.0
    return z


def sum_of_products(size: int) -> Any:
    from engine import Value, total

    return total([Value(0.5) * 0.25 for _ in range(size)])


SHAPES: dict[str, tuple[Callable[[int], Any], list[int]]] = {
    "chain of {:,} nodes": (chain, [10**4, 10**5, 10**6]),
    "Σ over {:,} products": (sum_of_products, [10**3, 10**4, 10**5]),
}


def growth(shape: str, size: int) -> dict[str, Any]:
    """A graph of this size: CPU seconds to build it and run backward, and to free it; bytes held; nodes never freed."""
    from engine import Value, topological_order

    build, _ = SHAPES[shape]
    used, freed = [], []
    for _ in range(max(3, 10**5 // size)):
        start = time.process_time()
        E = build(size)
        E.backward()
        done = time.process_time()
        del E
        used.append(done - start)
        freed.append(time.process_time() - done)
    gc.disable()  # reference counting alone has to free it
    tracemalloc.start()
    E = build(size)
    E.backward()
    held = tracemalloc.get_traced_memory()[0]
    nodes = len(topological_order(E))
    del E
    left = sum(type(thing) is Value for thing in gc.get_objects())
    return {"used": median(used), "freed": median(freed), "held": held, "left": left, "nodes": nodes}


def stepping(size: int) -> dict[str, Any]:
    """CPU seconds of E.backward() and of Stepper(E) on the same chain, in turns, and of a step forward and back."""
    from engine import Stepper

    E = chain(size)
    pairs, move = [], 0.0
    for _ in range(5):
        start = time.process_time()
        E.backward()
        middle = time.process_time()
        stepper = Stepper(E)
        made = time.process_time()
        pairs.append((made - middle) / (middle - start))
        for _ in range(1000):
            stepper.step().back()
        move = (time.process_time() - made) / 2000
        stepper.restore()
    return {"ratio": median(pairs), "move": move}


WORKERS: dict[str, Callable[..., dict[str, Any]]] = {
    worker.__name__: worker for worker in (time_steps, graph_memory, growth, stepping)
}


def in_process(worker: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """The worker's measurements, from a new Python."""
    command = [sys.executable, __file__, "--worker", json.dumps([worker.__name__, *arguments])]
    answer = subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(answer.stdout)
    return result


# -- what is printed


def aligned(rows: Iterable[Iterable[str]]) -> str:
    """A table: first column to the left, the others to the right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    padded = [
        [cell.rjust(width) if i else cell.ljust(width) for cell in column]
        for i, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    return "\n".join(map("   ".join, zip(*padded, strict=True)))


def per_node(amount: float, nodes: int | None) -> str:
    return f"{amount / nodes:,.0f}" if nodes else "-"


def ratio(rounds: list[dict[str, dict[str, Any]]], over: str, under: str) -> list[float]:
    """How many times as long `over` took as `under`, round by round."""
    return [median(turn[over]["seconds"]) / median(turn[under]["seconds"]) for turn in rounds]


def title(name: str) -> str:
    try:
        return f"{name} {version(ENGINES[name].module)}"
    except PackageNotFoundError:
        return name


def steps_section(names: list[str], rounds: int, steps: int) -> list[str]:
    """Prints the table of peers; gives the names of those whose nodes can be counted."""
    turns = [{name: in_process(time_steps, name, steps) for name in names} for _ in range(rounds)]
    expected = turns[0][names[0]]["losses"]
    for turn in turns:
        for name, result in turn.items():
            same = all(abs(a - b) <= 1e-9 for a, b in zip(result["losses"], expected, strict=True))
            assert same, f"{name} does other work: its losses are {result['losses']}, those of {names[0]} {expected}"
    rows = [["one training step", "median ms", "min ms", "nodes", "ns/node", "x stepgrad's time"]]
    for name in names:
        best = [1000 * s for turn in turns for s in turn[name]["seconds"]]
        middle = median(1000 * median(turn[name]["seconds"]) for turn in turns)
        nodes = turns[0][name]["nodes"]
        times = median(ratio(turns, name, "stepgrad")) if "stepgrad" in names else None
        rows.append(
            [
                title(name),
                f"{middle:,.3f}",
                f"{min(best):,.3f}",
                f"{nodes:,}" if nodes else "-",
                per_node(1e6 * middle, nodes),
                f"{times:.4f}" if times else "-",
            ]
        )
    print(aligned(rows))
    print(f"losses of the first {CHECKED} steps, equal to 1e-9 in all: {', '.join(f'{loss:.9f}' for loss in expected)}")
    if {"stepgrad", "micrograd"} <= set(names):
        faster = ratio(turns, "micrograd", "stepgrad")
        print(f"stepgrad is {median(faster):.1f} times faster than micrograd", end=" ")
        print(f"(median of {rounds} rounds, {min(faster):.1f} to {max(faster):.1f})")
    return [name for name in names if turns[0][name]["nodes"]]


def memory_section(names: list[str]) -> None:
    rows = [["memory of that step's graph, after backward", "nodes", "MB", "bytes/node"]]
    for name in names:
        found = in_process(graph_memory, name)
        held, nodes = found["bytes"], found["nodes"]
        rows.append([title(name), f"{nodes:,}", f"{held / 1e6:.1f}", per_node(held, nodes)])
    print("\n" + aligned(rows))


def growth_section(largest: int) -> None:
    rows = [["stepgrad on graphs that grow", "nodes", "ns/node to build + backward", "to free", "bytes/node", "left"]]
    for shape, (_, sizes) in SHAPES.items():
        for size in sizes:
            if size <= largest:
                found = in_process(growth, shape, size)
                nodes = found["nodes"]
                rows.append(
                    [
                        shape.format(size),
                        f"{nodes:,}",
                        per_node(1e9 * found["used"], nodes),
                        per_node(1e9 * found["freed"], nodes),
                        per_node(found["held"], nodes),
                        f"{found['left']:,}",
                    ]
                )
    print("\n" + aligned(rows))
    print("left: nodes alive once the graph is dropped, with Python's garbage collector off")


def import_section(pairs: int) -> None:
    def seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    seconds("import engine")  # writes the bytecode
    extra = [1000 * (seconds("import engine") - seconds("pass")) for _ in range(pairs)]
    print(f"\nimport engine: {median(extra):.1f} ms on top of bare Python (median of {pairs} pairs)")


def main() -> None:
    parser = argparse.ArgumentParser(description="One training step on stepgrad and on its peers.")
    parser.add_argument("--rounds", type=int, help="processes per engine, taking turns (default 5; quick 2)")
    parser.add_argument("--steps", type=int, help="timed steps in each, at least (default 3; quick 2)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no graph of a million nodes")
    parser.add_argument("--only", action="append", choices=ENGINES, metavar="NAME", help=f"of {', '.join(ENGINES)}")
    options = parser.parse_args()

    wanted = [name for name in ENGINES if not options.only or name in options.only]
    names = [name for name in wanted if find_spec(ENGINES[name].module)]
    print(f"CPU time, one thread; Python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    rounds, steps, largest, pairs = (2, 2, 10**5, 5) if options.quick else (5, 3, 10**6, 15)
    counted = steps_section(names, options.rounds or rounds, options.steps or steps) if names else []
    for name in wanted:
        if name not in names:
            print(f"{name} isn't installed: {ENGINES[name].install}")
    if counted:
        memory_section(counted)
    if "stepgrad" in names:
        growth_section(largest)
        found = in_process(stepping, 10**5)
        took = f"{found['ratio']:.1f} times E.backward(); a move {1e6 * found['move']:.1f} µs"
        print(f"\nStepper of a chain of {10**5:,} nodes: {took}")
        import_section(pairs)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:2] == ["--worker"]:
        task, *given = json.loads(sys.argv[2])
        print(json.dumps(WORKERS[task](*given)))
    else:
        main()
