"""stepgrad beside its peers: a training step, the main job, a big graph; and what its graphs, tapes and pictures cost.

    python tests/benchmarks/peers.py                        # everything, five minutes
    python tests/benchmarks/peers.py --quick                # fewer rounds, smaller graphs
    python tests/benchmarks/peers.py --only training        # a section (--help lists them)
    python tests/benchmarks/peers.py --only training --peers tape jax torch
    python tests/benchmarks/peers.py --markdown             # the tables as they stand in the README

A step is forward, gradient and SGD update of a 2-16-16-1 network with ReLU, hinge loss, its mean over 100 samples in
one batch, in float64. All start from the same weights and data, and the losses of the first 20 steps (micrograd's: 3)
have to agree to 1e-9: so they provably do the same work. What isn't installed is named and left out:

    pip install micrograd==0.1.0 casadi torch jax numpy
    pip install "stepgrad[fast]"

How it is measured, and why:
- CPU time of all threads together, on one thread: what other programs do meanwhile shouldn't count. Whoever uses more
  CPU time than the clock on the wall shows is named under the table.
- A process for each peer, or one pays for collecting another's garbage. Python's collector is left as it ships.
- The processes take turns of some tenths of a second, round after round, and ratios are taken within a round. What
  stands in the tables is the median over the rounds and, in parentheses, their range.
- A step of fit is the difference of a fit of many epochs and a fit of one, over the number of steps: so what a fit does
  before its first step is apart, in a line of its own. Every peer at its best; beside it, where that differs, as usual.
- A node is one of a peer's own graph, leaves included. For the same step the graphs differ: a neuron's sum is one Σ in
  stepgrad, and constants are no nodes; micrograd has a ladder of +, and constants are nodes; CasADi's are the
  instructions of E. stepgrad's rows all count the nodes of the one graph of all samples.
- Memory is the most that the process had, libraries included; bytes/node are what the graph (the tape's program) holds.

The sections are here; next: training.py, the table of peers; timing.py, how the processes take turns.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a file, from anywhere

from tests.benchmarks import digits, eager, tapes, training
from tests.benchmarks.jobs import ACTIVATIONS
from tests.benchmarks.tables import Table, short, spread
from tests.benchmarks.timing import Result, Worker, WorkerError, once, results
from tests.benchmarks.training import PEERS

Options: TypeAlias = argparse.Namespace
Blocks: TypeAlias = Iterator[Table | str]
Comparison: TypeAlias = dict[str, tuple[Result, list[Result]]]  # of each peer: its facts, and what each round found

TRAINING_TURN, EPOCHS, EAGER_EPOCHS = 0.2, 1000, 3


def title(name: str) -> str:
    """The peer with its version, where it has one."""
    peer = PEERS[name]
    package, comma, way = peer.name.partition(", ")
    try:
        return f"{package} {version(peer.modules[0])}{comma}{way}"
    except PackageNotFoundError:
        return peer.name


def missing(modules: tuple[str, ...]) -> list[str]:
    return [module for module in modules if not find_spec(module)]


def compare(names: list[str], start: Callable[[str], Worker], rounds: int) -> Iterator[str | Comparison]:
    """A line for each peer that is left out, and at last what the others found, in turns."""
    facts: dict[str, Result] = {}
    workers: dict[str, Worker] = {}
    try:
        for name in names:
            if lacking := missing(PEERS[name].modules):
                yield f"{PEERS[name].name} is left out: {', '.join(lacking)} isn't installed: {PEERS[name].install}"
                continue
            workers[name] = start(name)
            try:
                facts[name] = next(workers[name])
            except WorkerError as error:
                workers.pop(name).close()
                yield f"{PEERS[name].name} is left out: {error}"
        turns = [{name: next(worker) for name, worker in workers.items()} for _ in range(rounds)]
    finally:
        for worker in workers.values():
            worker.close()
    yield {name: (facts[name], [turn[name] for turn in turns]) for name in workers}


def ratios(found: Comparison, over: str, under: str) -> list[float]:
    """How many times as long `over` took as `under`, round by round."""
    return [a["cpu"] / b["cpu"] for a, b in zip(found[over][1], found[under][1], strict=True)]


def check_losses(found: Comparison, reference: str) -> str:
    """Raises AssertionError if a peer's losses aren't those of the reference; a line that says they are."""
    expected = found[reference][0]["losses"]
    for name, (facts, _) in found.items():
        same = all(abs(a - b) <= 1e-9 for a, b in zip(facts["losses"], expected, strict=False))
        assert same, f"{name} does other work: its losses are {facts['losses']}, those of {reference} {expected}"
    return f"losses equal to 1e-9 in all: {', '.join(f'{loss:.9f}' for loss in expected[:3])}, …"


def threads_line(found: Comparison) -> Iterator[str]:
    for name, (_, turns) in found.items():
        if (threads := median(turn["threads"] for turn in turns)) > 1.05:
            yield f"{PEERS[name].name} isn't on one thread: {threads:.2f} s of CPU time a second"


# -- the sections


def training_section(options: Options) -> Blocks:
    """The table of peers."""
    *left_out, found = compare(
        options.peers,
        lambda name: Worker(training.training_steps, name, "hinge_job", options.turn),
        options.rounds,
    )
    assert isinstance(found, dict)
    if found:
        reference = next(iter(found))
        same = check_losses(found, reference)
        base: float | None = None
        rows = []
        for name, (facts, turns) in found.items():
            times = [1e6 * turn["cpu"] for turn in turns]
            nodes = facts["nodes"]
            each = 1000 * median(times) / nodes if nodes else None
            base = base or each
            rows.append(
                [
                    title(name),
                    spread(times),
                    spread(ratios(found, name, reference)),
                    f"{nodes:,}" if nodes else "–",
                    short(each),
                    short(each / base if each and base else None),
                    short(bytes_per_node(name)),
                    short(max(turn["peak"] for turn in turns) / 1e6),
                ]
            )
        first = f"× {PEERS[reference].name}"
        yield Table(["one training step", "µs", first, "nodes", "ns/node", "× per node", "bytes/node", "MB"], rows)
        yield same
        if {"graph", "micrograd"} <= set(found):
            yield f"an eager graph here is {spread(ratios(found, 'micrograd', 'graph'))} times as fast as micrograd's"
        for name, (_, turns) in found.items():
            if PEERS[name].set_up:
                besides = spread([1e3 * turn["besides"] for turn in turns])
                yield f"{PEERS[name].name}: each call takes {besides} ms besides its steps"
        yield from threads_line(found)
    yield from map(str, left_out)


def bytes_per_node(name: str) -> float | None:
    """What a node of a peer's graph holds; None where that can't be seen."""
    if name == "tape":
        costs = once(tapes.tape_costs, 0)
        return float(costs["program"] / costs["nodes"])
    if name not in ("graph", "micrograd"):
        return None
    weighed = once(training.graph_memory, name)
    return float(weighed["bytes"] / weighed["nodes"])


def main_job_section(options: Options) -> Blocks:
    """1,000 epochs of the 10-8-1 network on the diabetes study."""
    epochs = dict.fromkeys(options.peers, EPOCHS) | {"eager": EAGER_EPOCHS, "graph": EAGER_EPOCHS}
    names = [name for name in ("tape", "eager", "torch", "torch-usual", "jax", "scan") if name in options.peers]
    *left_out, found = compare(
        names, lambda name: Worker(training.whole_training, name, "diabetes_job", epochs[name]), options.rounds
    )
    assert isinstance(found, dict)
    for name, (_, turns) in found.items():
        for turn in turns:
            turn["cpu"] *= EPOCHS / epochs[name]
    if found:
        reference = next(iter(found))
        same = check_losses(found, reference)
        rows = [
            [title(name), spread([turn["cpu"] for turn in turns]), spread(ratios(found, name, reference))]
            for name, (_, turns) in found.items()
        ]
        yield Table([f"{EPOCHS:,} epochs of 10-8-1 tanh, 442 samples", "s", f"× {PEERS[reference].name}"], rows)
        yield same
        if "eager" in found:
            yield f"eager: {EAGER_EPOCHS} epochs, times {EPOCHS / EAGER_EPOCHS:.0f}"
        yield from threads_line(found)
    yield from map(str, left_out)


def flat_section(options: Options) -> Blocks:
    """The graph of all samples, flat: value and gradient."""
    names = [name for name in tapes.REPLAYS if name in options.peers]
    *left_out, found = compare(names, lambda name: Worker(tapes.flat_replay, name, options.turn), options.rounds)
    assert isinstance(found, dict)
    if found:
        reference = next(iter(found))
        rows = []
        for name, (facts, turns) in found.items():
            times = [1e6 * turn["cpu"] for turn in turns]
            each = [1000 * time / facts["operations"] for time in times]
            way = "stepgrad, Tape(E)" if name == "tape" else title(name)
            cells = [spread(times), f"{facts['operations']:,}", spread(each), spread(ratios(found, name, reference))]
            rows.append([way, *cells])
        yield Table(["value and gradient of one big graph", "µs", "operations", "ns each", "× the first"], rows)
        yield "operations: leaves and scalar operations of E; a Σ of n is n - 1 additions"
    yield from map(str, left_out)


def tapes_section(options: Options) -> Blocks:
    """Making a tape, and linear growth."""
    if lacking := missing(PEERS["tape"].modules):
        yield f"the costs of a tape are left out: {', '.join(lacking)} isn't installed: {training.FAST}"
        return
    rows = []
    for size in [0, 10**4, 10**5, *([] if options.quick else [10**6]), *([10**7] if options.large else [])]:
        costs = once(tapes.tape_costs, size)
        nodes = costs["nodes"]
        rows.append(
            [
                f"chain of {size:,}" if size else "all samples in one graph",
                f"{nodes:,}",
                short(costs["ratio"]),
                short(1e9 * costs["made"] / nodes),
                short(1e9 * costs["replayed"] / nodes),
                short(costs["program"] / nodes),
                short(costs["held"] / nodes),
            ]
        )
    head = ["Tape(E)", "nodes", "÷ E.backward()", "ns/node to make", "to replay", "bytes/node", "with work space"]
    yield Table(head, rows)


def activations_section(options: Options) -> Blocks:
    """An epoch of the main job, with tanh and with other activations, beside JAX's scan."""
    rows = []
    for job in ("diabetes_job", *(f"{name}_job" for name in ACTIVATIONS)):
        *left_out, found = compare(
            [name for name in ("tape", "scan") if name in options.peers],
            lambda name, job=job: Worker(training.training_steps, name, job, options.turn),  # type: ignore[misc]
            options.rounds,
        )
        assert isinstance(found, dict)
        if len(found) == 2:
            check_losses(found, "scan")
            times = [spread([1e6 * turn["cpu"] for turn in found[name][1]]) for name in ("tape", "scan")]
            rows.append([job.partition("_")[0], *times, spread(ratios(found, "tape", "scan"))])
        yield from map(str, left_out)
    yield Table(["an epoch of 10-8-1, 442 samples (diabetes: tanh)", "fit, µs", "lax.scan, µs", "ratio"], rows)


def digits_section(options: Options) -> Blocks:
    """A step of 64-32-10 with softmax and Adam."""
    *left_out, found = compare(
        [name for name in digits.PEERS if name in options.peers],
        lambda name: Worker(digits.epochs, name, 40),
        options.rounds,
    )
    assert isinstance(found, dict)
    if found:
        reference = next(iter(found))
        same = check_losses(found, reference)
        rows = [
            [title(name), spread([1e6 * turn["cpu"] for turn in turns]), spread(ratios(found, name, reference))]
            for name, (_, turns) in found.items()
        ]
        yield Table(["64-32-10, softmax, batches of 64, Adam: a step", "µs", f"× {PEERS[reference].name}"], rows)
        yield same
    yield from map(str, left_out)


def first_call_section(options: Options) -> Blocks:
    """The first fit and the first tape of a new Python."""
    if lacking := missing(PEERS["tape"].modules):
        yield f"the first call of a tape is left out: {', '.join(lacking)} isn't installed: {training.FAST}"
        return
    rows, imports = [], []
    for job, shape in {"hinge_job": "2-16-16-1 ReLU, hinge", "diabetes_job": "10-8-1 tanh, squared error"}.items():
        found = [once(tapes.first_fit, job) for _ in range(options.rounds)]
        imports += [each["imports"] for each in found]
        rows.append([f"first fit, one epoch: {shape}", spread([each["cpu"] for each in found])])
    for count in (20, 100):
        for one_lane in (True, False):
            found = [once(tapes.first_tape, count, one_lane) for _ in range(options.rounds)]
            shape = f"{found[0]['rows']} kinds of rows, {'one lane' if one_lane else 'many lanes'}"
            rows.append([f"first replay: {shape}", spread([each["cpu"] for each in found])])
    yield Table(["in a new Python, nothing on disk", "s"], rows)
    yield f"importing NumPy, llvmlite and stepgrad is apart: {spread(imports)} s"
    memory = once(tapes.memory_of_many, 300)
    early, late = (memory[when] / 1e6 for when in ("early", "late"))
    yield f"resident after 50 tapes of different graphs {early:.0f} MB, after 300 {late:.0f} MB"


def drawing_section(options: Options) -> Blocks:
    """draw(E).svg() of networks."""
    if lacking := missing(("engine.pictures.draw", "graphviz")):
        yield f"drawings are left out: {', '.join(lacking)} isn't installed: pip install stepgrad"
        return
    rows = []
    for nodes in eager.NETWORKS:
        _, *drawn = results(eager.drawing, nodes, count=1 + options.rounds)  # the first one imports
        rows.append([f"{nodes} nodes", *(spread([found[key] for found in drawn]) for key in ("wall", "cpu"))])
    yield Table(["draw(E).svg()", "s on the wall", "s of CPU, dot's too"], rows)


def growth_section(options: Options) -> Blocks:
    """Eager graphs of growing size."""
    rows = []
    for shape, (_, sizes) in eager.SHAPES.items():
        for size in sizes:
            if size <= (10**5 if options.quick else 10**6):
                found = once(eager.growth, shape, size)
                each = [found[key] / found["nodes"] for key in ("used", "freed", "held")]
                used, freed, held = 1e9 * each[0], 1e9 * each[1], each[2]
                cells = [short(used), short(freed), short(held), f"{found['left']:,}"]
                rows.append([shape.format(size), f"{found['nodes']:,}", *cells])
    head = ["eager graphs that grow", "nodes", "ns/node to build + backward", "to free", "bytes/node", "left"]
    yield Table(head, rows)
    yield "left: nodes alive once the graph is dropped, with Python's garbage collector off"


def stepper_section(options: Options) -> Blocks:
    found = once(eager.stepping, 10**5)
    took = f"{found['ratio']:.1f} times E.backward(); a move {1e6 * found['move']:.1f} µs"
    yield f"Stepper of a chain of {10**5:,} nodes: {took}"


def import_section(options: Options) -> Blocks:
    extra = [1000 * found["cpu"] for found in results(eager.importing, count=5 if options.quick else 15)]
    yield f"import engine: {spread(extra)} ms on top of bare Python"


SECTIONS: dict[str, Callable[[Options], Blocks]] = {
    "training": training_section,
    "main-job": main_job_section,
    "activations": activations_section,
    "digits": digits_section,
    "flat": flat_section,
    "tapes": tapes_section,
    "first-call": first_call_section,
    "growth": growth_section,
    "drawing": drawing_section,
    "stepper": stepper_section,
    "import": import_section,
}


def machine() -> str:
    """The processor, the system, Python, and the day."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    processor = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    return f"{date.today()}, {processor}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def arguments() -> Options:
    parser = argparse.ArgumentParser(description="stepgrad beside its peers.")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--peers", nargs="+", choices=PEERS, metavar="PEER", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, help="turns of each peer (default 9; quick 3)")
    parser.add_argument("--turn", type=float, default=0.2, help="seconds of a turn, about (default 0.2)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no graph of a million nodes")
    parser.add_argument("--large", action="store_true", help="a tape of ten million nodes too: minutes, and 3 GB")
    parser.add_argument("--markdown", action="store_true", help="tables as Markdown")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 9)
    options.peers = [name for name in PEERS if not options.peers or name in options.peers]
    return options


def show(block: Table | str, markdown: bool) -> None:
    text = block if isinstance(block, str) else block.markdown() if markdown else block.text()
    print(text + ("\n" if markdown else ""), flush=True)


def main() -> None:
    options = arguments()
    show(f"{machine()}; CPU time, one thread, float64; median (range) of {options.rounds} rounds", options.markdown)
    for name, section in SECTIONS.items():
        if not options.only or name in options.only:
            print(end="" if options.markdown else "\n")
            try:
                for block in section(options):
                    show(block, options.markdown)
            except WorkerError as error:
                show(f"{name} is left out: {error}", options.markdown)


if __name__ == "__main__":
    main()
