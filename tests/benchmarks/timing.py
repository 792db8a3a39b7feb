"""Workers: measurements that run in Pythons of their own and take turns, on one thread each, in CPU time.

A worker is a generator of results (dicts). It stands still until its next one is asked for, so those of a comparison
can go round, all of them loaded and warm: when the machine slows down for a while, it slows all of them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parents[2]
THREADS = ["OMP", "OPENBLAS", "MKL", "VECLIB", "NUMEXPR", "NUMBA"]
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in THREADS} | {
    "VECLIB_MAXIMUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}

Result: TypeAlias = dict[str, Any]
Run: TypeAlias = Callable[[int], Any]


class WorkerError(Exception):
    """A worker raised; the text is its error."""


class Worker:
    """A generator function, by its module and name, in a new Python: each next() is its next result."""

    def __init__(self, measure: Callable[..., Iterator[Result]], *arguments: Any, **environment: str) -> None:
        task = json.dumps([measure.__module__, measure.__name__, *arguments])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.timing", task],
            cwd=ROOT,
            env=os.environ | ONE_THREAD | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __next__(self) -> Result:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("next\n")
        self.process.stdin.flush()
        result: Result = json.loads(self.process.stdout.readline() or '{"error": "its process ended"}')
        if "error" in result:
            raise WorkerError(result["error"])
        return result

    def close(self) -> None:
        self.process.communicate()


def results(measure: Callable[..., Iterator[Result]], *arguments: Any, count: int, **environment: str) -> list[Result]:
    """The first so many results of a worker that has no one to take turns with."""
    worker = Worker(measure, *arguments, **environment)
    try:
        return [next(worker) for _ in range(count)]
    finally:
        worker.close()


def once(measure: Callable[..., Iterator[Result]], *arguments: Any, **environment: str) -> Result:
    [result] = results(measure, *arguments, count=1, **environment)
    return result


def clock(run: Callable[..., Any], *arguments: Any) -> Result:
    """CPU seconds of a call, of all threads together, and the seconds on the wall."""
    wall, cpu = time.perf_counter(), time.process_time()
    run(*arguments)
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def time_steps(run: Run, turn: float, set_up: bool) -> Iterator[Result]:
    """CPU and wall seconds of one of the steps that run(steps) takes, for ever; each result takes about a turn (in s).

    With set_up, run has other things to do besides, as often as it is called: a step is then the difference of a run of
    many steps and a run of one, over the steps.
    """
    run(1)
    long_enough = (n for n in one_two_five() if all(clock(run, n)["cpu"] > turn / 2 for _ in "12"))  # 1st: may compile
    steps = next(long_enough)
    while True:
        many, one = clock(run, steps + set_up), clock(run, 1) if set_up else {"cpu": 0.0, "wall": 0.0}
        yield {
            "cpu": (many["cpu"] - one["cpu"]) / steps,
            "threads": many["cpu"] / many["wall"],
            "besides": one["cpu"] - (many["cpu"] - one["cpu"]) / steps,
            "peak": peak_memory(),
        }


def one_two_five() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, …"""
    n = 1
    while True:
        yield from (n, 2 * n, 5 * n)
        n *= 10


def peak_memory() -> int:
    """Bytes of memory this process has had at most, libraries included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def work(module: str, name: str, *arguments: Any) -> None:
    """A worker's side: a line in, a result out. What libraries print goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    results = getattr(import_module(module), name)(*arguments)
    for _ in sys.stdin:
        try:
            result = next(results)
        except Exception as error:  # whatever it is, the table has to say so and go on
            result = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(result), file=answers, flush=True)


if __name__ == "__main__":
    work(*json.loads(sys.argv[1]))
