"""The table of peers, and the workers that train with one: what a step takes, what a whole training takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.benchmarks import ours, theirs
from tests.benchmarks.jobs import JOBS, Job, Training, hinge_job
from tests.benchmarks.timing import Result, clock, time_steps


class Peer(NamedTuple):
    """A row of the table: its name, the modules it needs, how to get them, and how it is made ready."""

    name: str
    modules: tuple[str, ...]
    install: str
    prepare: Callable[[Job], Training]
    checked: int = 20  # steps whose losses are compared; micrograd takes seconds for each
    set_up: bool = False  # a run starts with work that isn't a step


TAPE = ("engine.tape.tape", "llvmlite", "numpy")
FAST = 'pip install "stepgrad[fast]"'
PEERS = {
    "tape": Peer("stepgrad fit, tape", TAPE, FAST, ours.fit_tape, set_up=True),
    "eager": Peer("stepgrad fit, eager", ("engine",), "pip install stepgrad", ours.fit_eager, set_up=True),
    "graph": Peer("stepgrad, one eager graph", ("engine",), "pip install stepgrad", ours.stepgrad_graph),
    "micrograd": Peer("micrograd", ("micrograd",), "pip install micrograd==0.1.0", theirs.micrograd, checked=3),
    "casadi": Peer("CasADi SX", ("casadi", "numpy"), "pip install casadi", theirs.casadi),
    "torch": Peer("PyTorch eager, tuned", ("torch",), "pip install torch", theirs.torch_tuned),
    "torch-usual": Peer("PyTorch eager, as usual", ("torch",), "pip install torch", theirs.torch_usual),
    "jax": Peer("JAX jit, tuned", ("jax",), "pip install jax", theirs.jax_tuned),
    "jax-usual": Peer("JAX jit, as usual", ("jax",), "pip install jax", theirs.jax_usual),
    "scan": Peer("JAX lax.scan", ("jax",), "pip install jax", theirs.jax_scan),
    "numpy": Peer("NumPy by hand, tuned", ("numpy",), "pip install numpy", theirs.numpy_tuned),
    "numpy-usual": Peer("NumPy by hand, as usual", ("numpy",), "pip install numpy", theirs.numpy_usual),
}


# -- workers


def training_steps(name: str, job: str, turn: float) -> Iterator[Result]:
    """First the losses and the number of nodes, then what a step takes, turn after turn."""
    peer = PEERS[name]
    training = peer.prepare(JOBS[job]())
    losses = [float(loss) for loss in training.run(peer.checked)]
    yield {"losses": losses, "nodes": training.nodes(training.graph()) if training.graph and training.nodes else None}
    yield from time_steps(training.run, turn, peer.set_up)


def whole_training(name: str, job: str, epochs: int) -> Iterator[Result]:
    """First the losses of all epochs, then what that many epochs take, set-up and all, turn after turn."""
    run = PEERS[name].prepare(JOBS[job]()).run
    yield {"losses": [float(loss) for loss in run(epochs)]}
    while True:
        spent = clock(run, epochs)
        yield {"cpu": spent["cpu"], "threads": spent["cpu"] / spent["wall"]}


def graph_memory(name: str) -> Iterator[Result]:
    """Bytes held by the graph of a step, after backward."""
    training = PEERS[name].prepare(hinge_job())
    assert training.graph and training.nodes, f"{name} has no graph to weigh"
    training.run(1)
    gc.collect()
    tracemalloc.start()
    graph = training.graph()
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    yield {"bytes": held, "nodes": training.nodes(graph)}
