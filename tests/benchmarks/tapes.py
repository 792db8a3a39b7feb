"""What a tape costs: the replay of a big graph beside CasADi's, making one, its memory, and the first call of all."""

from __future__ import annotations

import gc
import operator
import resource
import tracemalloc
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, TypeAlias

from tests.benchmarks.eager import chain
from tests.benchmarks.jobs import JOBS, hinge_job
from tests.benchmarks.ours import error_graph, stepgrad_model
from tests.benchmarks.timing import Result, clock, time_steps

Replay: TypeAlias = Callable[[], tuple[float, Any]]  # E, and ∂E/∂leaf for the leaves in topological order


def leaves(E: Any) -> list[Any]:
    from engine import topological_order

    return [node for node in topological_order(E) if node.rule is None]


def tape_replay(E: Any) -> Replay:
    from engine.tape.tape import Tape

    tape = Tape(E)
    if [id(p) for p in tape.parameters] == [id(leaf) for leaf in leaves(E)]:
        return tape.value_and_gradient
    place = {p: i for i, p in enumerate(tape.parameters)}
    order = [place[leaf] for leaf in leaves(E)]

    def replay() -> tuple[float, Any]:
        value, gradient = tape.value_and_gradient()
        return value, gradient[order]

    return replay


def casadi_replay(E: Any) -> Replay:
    """The recorded graph, node by node as SX; its value and gradient run by CasADi's virtual machine on our buffers."""
    import casadi as ca
    import numpy as np

    from engine import Value, topological_order

    operations: dict[str, Callable[..., Any]] = {
        "add": operator.add,
        "sub": operator.sub,
        "mul": operator.mul,
        "neg": operator.neg,
        "relu": lambda x: ca.fmax(x, 0),
        "total": lambda *xs: sum(xs[1:], xs[0]),
    }
    symbol: dict[Any, Any] = {leaf: ca.SX.sym(f"x{i}") for i, leaf in enumerate(leaves(E))}
    x = ca.vertcat(*symbol.values())
    for node in topological_order(E):
        if node.rule is not None:
            operands = [symbol[input] if isinstance(input, Value) else input for input in node.inputs]
            symbol[node] = operations[node.rule.name](*operands)
    function = ca.Function("E", [x], [symbol[E], ca.gradient(symbol[E], x)])
    numbers: Any = np.array([leaf.data for leaf in leaves(E)])
    value: Any = np.zeros(1)
    gradient: Any = np.zeros_like(numbers)
    buffer, evaluate = function.buffer()
    buffer.set_arg(0, memoryview(numbers))
    buffer.set_res(0, memoryview(value))
    buffer.set_res(1, memoryview(gradient))

    def replay(_: Any = (function, buffer, numbers)) -> tuple[float, Any]:  # evaluate alone keeps none of them alive
        evaluate()
        return value[0], gradient

    return replay


REPLAYS = {"tape": tape_replay, "casadi": casadi_replay}


def scalar_operations(E: Any) -> int:
    """Nodes, where a Σ of n counts as the n - 1 additions it stands for: the measure that other engines share."""
    from engine import topological_order

    return sum(len(node.inputs) - 1 if node.op == "total" else 1 for node in topological_order(E))


def flat_replay(name: str, turn: float) -> Iterator[Result]:
    """All samples in one graph: first its nodes, its numbers checked against eager; then a replay, turn after turn."""
    job = hinge_job()
    E = error_graph(stepgrad_model(job), job)
    replay = REPLAYS[name](E)
    value, gradient = replay()
    E.zero_grad()
    E.backward()
    expected = [E.data, *(leaf.grad for leaf in leaves(E))]
    for number, true in zip([value, *gradient], expected, strict=True):
        assert abs(number - true) <= 1e-9, f"{name} replays the graph to {number}, where eager has {true}"
    yield {"operations": scalar_operations(E)}
    yield from time_steps(lambda times: [replay() for _ in range(times)], turn, set_up=False)


def tape_costs(size: int) -> Iterator[Result]:
    """Tape(E) of a chain (size 0: of all samples in one graph): CPU seconds beside E.backward()'s; a replay; bytes."""
    from engine import topological_order
    from engine.tape.tape import Tape

    job = hinge_job()
    E = chain(size) if size else error_graph(stepgrad_model(job), job)
    Tape(E).value_and_gradient()  # compiles
    pairs, made, replayed = [], [], []
    for _ in range(1 if size > 10**6 else 3):
        backward = clock(E.backward)["cpu"]
        made.append(clock(Tape, E)["cpu"])
        pairs.append(made[-1] / backward)
    tape = Tape(E)
    tape.value_and_gradient()
    replayed = [clock(tape.value_and_gradient)["cpu"] for _ in range(5)]
    del tape
    gc.collect()
    tracemalloc.start()
    tape = Tape(E)
    gc.collect()
    program = tracemalloc.get_traced_memory()[0]
    tape.value_and_gradient()
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    yield {
        "nodes": len(topological_order(E)),
        "ratio": median(pairs),
        "made": median(made),
        "replayed": median(replayed),
        "program": program,
        "held": held,
    }


def first_fit(job: str) -> Iterator[Result]:
    """CPU seconds of importing NumPy, llvmlite and stepgrad, and then of one epoch of fit, model and all."""

    def imports() -> None:
        import nn.taped  # noqa: F401

    def fit() -> None:
        import nn

        model = stepgrad_model(given)
        nn.fit(model, given.X, given.T, epochs=1, loss=given.loss, backend="tape", progress=False)

    imported = clock(imports)
    given = JOBS[job]()
    yield {"imports": imported["cpu"], **clock(fit)}


def first_tape(rows: int, one_lane: bool) -> Iterator[Result]:
    """CPU seconds of making a tape with so many kinds of rows and of its first replay, imports apart."""
    from engine import Value, total
    from engine.rules import TABLE
    from engine.tape.tape import Tape

    x, w = Value(0.3), Value(1.0)
    parts = []
    for rule in TABLE[:rows]:
        start = x * w + (1.0 if rule.name == "acosh" else 0.0)
        parts.append(rule.apply([start + 0.01 * i for i in range(3 if rule.many else len(rule.operands))]))
    E = total(parts)

    def replay() -> None:
        tape = Tape(E, None if one_lane else [x])
        tape.value_and_gradient(None if one_lane else [[0.3]])

    yield {"rows": len(parts), **clock(replay)}


def memory_of_many(count: int) -> Iterator[Result]:
    """Bytes of resident memory after the first fifty tapes of different graphs, and after so many."""
    from random import Random

    from engine import Value
    from engine.rules import TABLE
    from engine.tape.tape import Tape

    rows, rng, resident = [rule for rule in TABLE if rule.operands == ("x",) and rule.domain == "any"], Random(0), []
    for _ in range(count):
        x, w = Value(0.3), Value(0.7)
        E = x * w
        for _ in range(rng.randint(5, 40)):
            E = rng.choice(rows).apply([E * 0.01 + 0.6])
        Tape(E, [x]).value_and_gradient([[0.3]])
        gc.collect()
        with open("/proc/self/statm") as statm:
            resident.append(int(statm.read().split()[1]) * resource.getpagesize())
    yield {"early": resident[49], "late": resident[-1]}
