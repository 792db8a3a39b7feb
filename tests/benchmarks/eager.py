"""What stepgrad's eager graphs cost as they grow: to build, run backward, free, step through and draw."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from tests.benchmarks.timing import ROOT, Result, clock


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


def growth(shape: str, size: int) -> Iterator[Result]:
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
    yield {"used": median(used), "freed": median(freed), "held": held, "left": left, "nodes": nodes}


def stepping(size: int) -> Iterator[Result]:
    """E.backward() and Stepper(E) on a chain, in turns: their ratio; and CPU seconds of a step forward or back."""
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
    yield {"ratio": median(pairs), "move": move}


def cpu_of_programs() -> float:
    """CPU seconds of the programs that this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


NETWORKS = {  # nodes of one sample's error: inputs, layers, loss
    40: (2, [2, 2, 1], "half_squared_error"),
    435: (3, [9, 15, 1], "half_squared_error"),
    986: (6, [20, 15, 1], "hinge"),
}


def drawing(nodes: int) -> Iterator[Result]:
    """draw(E).svg() of a network, again and again: seconds on the wall, and of CPU with those of the program dot."""
    import nn
    from engine import Value, label, topological_order
    from engine.pictures.draw import draw

    inputs, sizes, loss = NETWORKS[nodes]
    x = [Value(0.3 + 0.1 * i) for i in range(inputs)]
    label(**{f"x{i}": node for i, node in enumerate(x)})
    E = getattr(nn, loss)(nn.MLP(inputs, sizes, "tanh")(x), [1.0])
    E.backward()
    assert len(topological_order(E)) == nodes
    warnings.simplefilter("ignore")  # that a large drawing is slow to make: that's what is measured
    while True:
        before = cpu_of_programs()
        spent = clock(lambda: draw(E).svg())
        yield {"wall": spent["wall"], "cpu": spent["cpu"] + cpu_of_programs() - before}


def importing() -> Iterator[Result]:
    """CPU seconds of `import engine` in a new Python, less those of a bare one, pair after pair."""

    def seconds(code: str) -> float:
        before = cpu_of_programs()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        return cpu_of_programs() - before

    seconds("import engine")  # writes the bytecode
    while True:
        yield {"cpu": seconds("import engine") - seconds("pass")}
