"""The peers' ways to train, one function each. Where a library has a way everybody writes and a faster one, both.

To add a peer is to add a function here and a row to PEERS in training.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.jobs import Job, Training, numbers_of, repeated

CHUNK = 1000  # steps in one lax.scan


def micrograd(job: Job) -> Training:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    assert job.loss == "hinge", "micrograd's networks are ReLU"
    model = MLP(len(job.X[0]), [len(b) for _, b in job.layers])
    for p, number in zip(model.parameters(), numbers_of(job), strict=True):
        p.data = number

    def graph() -> Any:
        model.zero_grad()
        losses = [(1 + -t * model(list(map(Value, x)))).relu() for x, t in zip(job.X, job.T, strict=True)]
        E = sum(losses) * (1 / len(losses))
        E.backward()
        return E

    def step() -> float:
        E = graph()
        for p in model.parameters():
            p.data -= job.rate * p.grad
        return float(E.data)

    def count(E: Any) -> int:
        seen, stack = {E}, [E]
        while stack:
            new = stack.pop()._prev - seen
            seen |= new
            stack += new
        return len(seen)

    return Training(repeated(step), graph, count)


def casadi(job: Job) -> Training:
    """All samples in one SX graph, run by CasADi's virtual machine on buffers of ours.

    One sample's function mapped over the batch (map, serial) takes 5 to 30 % longer, if_else for the kink 50 %.
    """
    import casadi as ca
    import numpy as np

    assert job.loss == "hinge"
    layers = [(ca.SX.sym("W", len(W), len(W[0])), ca.SX.sym("b", len(b))) for W, b in job.layers]

    def loss(x: list[float], t: float) -> Any:
        A = ca.DM(x)
        for W, b in layers[:-1]:
            A = ca.fmax(W @ A + b, 0)
        W, b = layers[-1]
        return ca.fmax(1 - t * (W @ A + b), 0)

    E = sum(loss(x, t) for x, t in zip(job.X, job.T, strict=True)) / len(job.T)
    p = ca.vertcat(*(ca.vec(part) for layer in layers for part in layer))
    update = ca.Function("update", [p], [E, p - job.rate * ca.gradient(E, p)])
    numbers: Any = np.concatenate([np.ravel(part, order="F") for layer in job.layers for part in layer])
    error: Any = np.zeros(1)
    buffer, evaluate = update.buffer()
    buffer.set_arg(0, memoryview(numbers))
    buffer.set_res(0, memoryview(error))
    buffer.set_res(1, memoryview(numbers))  # the step is in place

    def step(_: Any = (update, buffer, numbers)) -> Any:  # evaluate alone keeps none of them alive
        evaluate()
        return error[0]

    return Training(repeated(step), lambda: E, lambda E: int(ca.Function("E", [p], [E]).n_instructions()))


def torch_usual(job: Job) -> Training:
    """nn.Linear layers in nn.Sequential, and optim.SGD."""
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    modules: list[Any] = []
    for W, b in job.layers:
        linear = torch.nn.Linear(len(W[0]), len(W))
        linear.weight.data, linear.bias.data = torch.tensor(W), torch.tensor(b)
        modules += [linear, {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[job.activation]()]
    model = torch.nn.Sequential(*modules[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=job.rate)
    X, T = torch.tensor(job.X), torch.tensor(job.T)

    def loss(Y: Any) -> Any:
        return torch.relu(1 - T * Y).mean() if job.loss == "hinge" else torch.nn.functional.mse_loss(Y, T) / 2

    def step() -> Any:
        optimizer.zero_grad()
        E = loss(model(X).squeeze(1))
        E.backward()
        optimizer.step()
        return E.detach()

    return Training(repeated(step))


def torch_tuned(job: Job) -> Training:
    """addmm on weights that lie transposed, activations in place, autograd.grad, one foreach for the update.

    Slower here: F.linear, a loop of add_ for the update, .backward(), all parameters in one tensor, inference_mode.
    """
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    layers = [(torch.tensor(W).T.contiguous(), torch.tensor(b)) for W, b in job.layers]
    parameters = [p.requires_grad_() for layer in layers for p in layer]
    X, T, one = torch.tensor(job.X), torch.tensor(job.T)[:, None], torch.ones(())
    minus_T = -T
    activate = {"relu": torch.relu_, "tanh": torch.tanh_}[job.activation]

    def loss(Y: Any) -> Any:
        if job.loss == "hinge":
            return torch.addcmul(one, minus_T, Y).relu_().mean()
        return torch.nn.functional.mse_loss(Y, T) * 0.5

    def step() -> Any:
        A = X
        for W, b in layers[:-1]:
            A = activate(torch.addmm(b, A, W))
        W, b = layers[-1]
        E = loss(torch.addmm(b, A, W))
        slopes = torch.autograd.grad(E, parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, slopes, alpha=-job.rate)
        return E.detach()

    return Training(repeated(step))


def jax_update(job: Job, tuned: bool) -> tuple[Callable[[Any], Any], Any]:
    """A step: parameters → parameters, E; and the first parameters.

    Tuned, the parameters are one vector, and a column is a sample. Dispatch is synchronous: the asynchronous one
    computes on a second thread, which costs 1.5 times as long on the clock here, and twice in CPU time.
    """
    import jax
    import jax.flatten_util
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    X, T = jnp.array(job.X), jnp.array(job.T)
    exact = {"gelu": lambda x: jax.nn.gelu(x, approximate=False)}
    activate = exact.get(job.activation) or getattr(jax.nn, job.activation)

    def forward(layers: Any) -> Any:
        A = X.T if tuned else X
        for i, (W, b) in enumerate(layers):
            Z = W @ A + b[:, None] if tuned else A @ W.T + b
            A = activate(Z) if i < len(layers) - 1 else Z
        return A.reshape(-1)

    def error(parameters: Any) -> Any:
        Y = forward(restore(parameters) if tuned else parameters)
        return jax.nn.relu(1 - T * Y).mean() if job.loss == "hinge" else ((Y - T) ** 2).mean() / 2

    def update(parameters: Any) -> tuple[Any, Any]:
        E, slopes = jax.value_and_grad(error)(parameters)
        return jax.tree_util.tree_map(lambda p, slope: p - job.rate * slope, parameters, slopes), E

    layers = [(jnp.array(W), jnp.array(b)) for W, b in job.layers]
    vector, restore = jax.flatten_util.ravel_pytree(layers)
    return update, vector if tuned else layers


def jax_jitted(job: Job, tuned: bool) -> Training:
    import jax

    update, parameters = jax_update(job, tuned)
    compiled = jax.jit(update, donate_argnums=0 if tuned else ())

    def step() -> Any:
        nonlocal parameters
        parameters, E = compiled(parameters)
        jax.block_until_ready(parameters)
        return E

    return Training(repeated(step))


def jax_usual(job: Job) -> Training:
    return jax_jitted(job, tuned=False)


def jax_tuned(job: Job) -> Training:
    return jax_jitted(job, tuned=True)


def jax_scan(job: Job) -> Training:
    """Up to a thousand steps in one call."""
    import jax
    import numpy as np

    update, parameters = jax_update(job, tuned=True)

    def many(parameters: Any, length: int) -> Any:
        return jax.lax.scan(lambda p, _: update(p), parameters, length=length)

    compiled = jax.jit(many, static_argnums=1, donate_argnums=0)

    def run(steps: int) -> Any:
        nonlocal parameters
        errors = []
        for start in range(0, steps, CHUNK):
            parameters, E = jax.block_until_ready(compiled(parameters, min(CHUNK, steps - start)))
            errors.append(E)
        return np.concatenate(errors)

    return Training(run)


def numpy_usual(job: Job) -> Training:
    """As one writes it down."""
    import numpy as np

    assert job.loss == "hinge"
    X, T = np.array(job.X), np.array(job.T)
    layers = [(np.array(W), np.array(b)) for W, b in job.layers]

    def step() -> Any:
        inputs = [X]
        for W, b in layers:
            inputs.append(np.maximum(inputs[-1] @ W.T + b, 0))
        inputs.pop()
        W, b = layers[-1]  # linear
        margins = 1 - T * (inputs[-1] @ W.T + b)[:, 0]
        delta = (-T * (margins > 0) / len(T))[:, None]  # ∂E/∂(a layer's sums)
        for (W, b), A in zip(reversed(layers), reversed(inputs), strict=True):
            slopes = delta.T @ A, delta.sum(axis=0)
            delta = delta @ W * (A > 0)
            W -= job.rate * slopes[0]
            b -= job.rate * slopes[1]
        return np.maximum(margins, 0).mean()

    return Training(repeated(step))


def numpy_tuned(job: Job) -> Training:
    """Nothing is allocated, and a neuron's bias is one more weight, of an input that is always 1.

    A column is a sample, so that the ones are a last row and the other rows lie together, as out= needs them.
    """
    import numpy as np

    assert job.loss == "hinge"
    [(n1, _), (n2, n1_), (_, n2_)] = shapes = [np.shape(W) for W, _ in job.layers]
    assert (n1, n2) == (n1_, n2_), "three layers"
    p = np.concatenate([np.column_stack(layer).ravel() for layer in job.layers])
    change = np.empty_like(p)
    ends = np.cumsum([n * (inputs + 1) for n, inputs in shapes])[:-1]
    W1, W2, W3 = (part.reshape(len(b), -1) for part, (_, b) in zip(np.split(p, ends), job.layers, strict=True))
    C1, C2, C3 = (part.reshape(len(b), -1) for part, (_, b) in zip(np.split(change, ends), job.layers, strict=True))
    M = len(job.T)
    X = np.vstack([np.transpose(job.X), np.ones(M)])
    A1, A2 = np.ones((n1 + 1, M)), np.ones((n2 + 1, M))
    H1, H2 = A1[:-1], A2[:-1]  # without the ones
    V2, V3 = W2[:, :-1].T, W3[:, :-1].T  # without the biases
    XT, A1T, A2T = X.T, A1.T, A2.T
    D1, D2, D3 = np.empty((n1, M)), np.empty((n2, M)), np.empty((1, M))
    on1, on2, on3 = np.empty((n1, M)), np.empty((n2, M)), np.empty((1, M))
    margins, minus_T = np.empty((1, M)), -np.array([job.T])
    share = minus_T * (-job.rate / M)
    zeros1, zeros2, zeros3, ones3 = np.zeros((n1, M)), np.zeros((n2, M)), np.zeros((1, M)), np.ones((1, M))
    dot, multiply, maximum, greater, add = np.dot, np.multiply, np.maximum, np.greater, np.add

    def step() -> Any:
        dot(W1, X, out=H1)
        maximum(H1, zeros1, out=H1)
        dot(W2, A1, out=H2)
        maximum(H2, zeros2, out=H2)
        dot(W3, A2, out=margins)
        multiply(margins, minus_T, out=margins)
        add(margins, ones3, out=margins)
        greater(margins, zeros3, out=on3)
        error = np.vdot(margins, on3) / M
        multiply(on3, share, out=D3)  # from here on, gradients times -rate
        dot(D3, A2T, out=C3)
        dot(V3, D3, out=D2)
        greater(H2, zeros2, out=on2)
        multiply(D2, on2, out=D2)
        dot(D2, A1T, out=C2)
        dot(V2, D2, out=D1)
        greater(H1, zeros1, out=on1)
        multiply(D1, on1, out=D1)
        dot(D1, XT, out=C1)
        add(p, change, out=p)
        return error

    return Training(repeated(step))
