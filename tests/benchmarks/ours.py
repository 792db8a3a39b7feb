"""stepgrad's ways to train: fit on the tape, fit on eager graphs, and a loop by hand over one graph of all samples."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.jobs import Job, Training, numbers_of, repeated


def stepgrad_model(job: Job) -> Any:
    import nn

    inputs, sizes = len(job.X[0]), [len(b) for _, b in job.layers]
    model: nn.Module = nn.MLP(inputs, sizes, job.activation)
    if len(sizes) == 2:
        model = nn.RegressionMLP(inputs, sizes[0], sizes[1], job.activation)
    for p, number in zip(model.parameters(), numbers_of(job), strict=True):
        p.data = number
    return model


def error_graph(model: Any, job: Job) -> Any:
    """E over all samples, in one graph."""
    import nn
    from engine import total

    loss = getattr(nn, job.loss)
    return total([loss(model(x), [t]) for x, t in zip(job.X, job.T, strict=True)]) * (1 / len(job.T))


def count_nodes(E: Any) -> int:
    from engine import topological_order

    return len(topological_order(E))


def stepgrad_graph(job: Job) -> Training:
    """One graph for all samples, and the loop written by hand."""
    import nn

    model = stepgrad_model(job)
    optimizer = nn.SGD(model, learning_rate=job.rate)

    def graph() -> Any:
        optimizer.zero_grad()
        E = error_graph(model, job)
        E.backward()
        return E

    def step() -> float:
        E = graph()
        optimizer.step()
        return float(E.data)

    return Training(repeated(step), graph, count_nodes)


def fit_with(job: Job, backend: str) -> Training:
    import nn

    model = stepgrad_model(job)
    optimizer = nn.SGD(model, learning_rate=job.rate)

    def run(steps: int) -> list[float]:
        history = nn.fit(
            model, job.X, job.T, epochs=steps, optimizer=optimizer, loss=job.loss, backend=backend, progress=False
        )
        return history.errors[:-1]

    return Training(run, lambda: error_graph(model, job), count_nodes)


def fit_tape(job: Job) -> Training:
    return fit_with(job, "tape")


def fit_eager(job: Job) -> Training:
    return fit_with(job, "eager")
