"""The derivation's equations for a 2-layer regression network, each computed per node, in matrices and by the engine.

D = 5 inputs, n = 4 hidden nodes, K = 3 outputs, M = 7 samples: sizes that tell a missing transpose, ½ or 1/K apart.
Numbers in parentheses are the document's; it is taken as it is meant. derivation.py prints what is here.
"""
# ruff: noqa: E741 (l is what both documents call a layer)

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple, TypeAlias

import nn
from demos.gradient_descent import slope
from demos.matrices import Matrix, add, column, elementwise, ones, product, scaled, subtract, times, transpose
from demos.worked_example import weight_matrix
from engine import Value, derivative, topological_order
from nn.networks import ACTIVATIONS

Rows: TypeAlias = Sequence[Sequence[float]]  # a row for each sample, as nn has them
Network: TypeAlias = nn.RegressionMLP | nn.MLP

D, N, K, M = 5, 4, 3, 7
RHO = (0.23, 0.17)  # ρ1, ρ2: a learning rate for each layer
HERE = (5, 3, 1, 2)  # sample m = 6, input d = 4, hidden node i = 2, output k = 3, counted from 0


def data(seed: int = 11) -> tuple[list[list[float]], list[list[float]]]:
    """X, M rows of D numbers, and T, M rows of K: drawn, so that no two are alike and none hides a factor."""
    random = Random(seed)
    drawn = random.sample(range(103, 1700, 7), M * (D + K))
    numbers = iter([random.choice((1, -1)) * number / 1000 for number in drawn])
    X = [[next(numbers) for _ in range(D)] for _ in range(M)]
    T = [[next(numbers) for _ in range(K)] for _ in range(M)]
    return X, T


def network(activation: str = "tanh", seed: int = 5) -> nn.RegressionMLP:
    """Step 1) of gradient descent: weights and biases at random."""
    return nn.RegressionMLP(inputs=D, hidden=N, outputs=K, activation=activation, seed=seed)


# -- per node


class Nodes:
    """One network and its data in the document's letters; a method for each formula, whose indices count from 0.

    (1), (2): X has the sample x_m in column m, so it is D×M; T and Y are K×M. W1 is D×n, W2 is n×K.
    """

    def __init__(self, model: nn.RegressionMLP, X: Rows, T: Rows) -> None:
        self.X, self.T = transpose([list(x) for x in X]), transpose([list(t) for t in T])
        self.W1, self.W2 = weight_matrix(model.hidden), weight_matrix(model.output)
        self.b1, self.b2 = biases(model.hidden), biases(model.output)
        self.g = activation_of(model.hidden)
        self.D, self.n, self.K, self.M = len(self.X), len(self.b1), len(self.b2), len(X)
        # (5), (6), (7): the nodes of a sample stacked in a column, the samples' columns side by side
        self.Z1 = [[self.z(i, m) for m in range(self.M)] for i in range(self.n)]
        self.A1 = [[self.a(i, m) for m in range(self.M)] for i in range(self.n)]
        self.Y = [[self.y(k, m) for m in range(self.M)] for k in range(self.K)]
        self.G1 = [[slope(self.g, z) for z in row] for row in self.Z1]  # g'(z)

    def z(self, i: int, m: int) -> float:
        """(3): z_im[1] = Σ_d w_di x_dm + b_i."""
        return sum(self.W1[d][i] * self.X[d][m] for d in range(self.D)) + self.b1[i]

    def a(self, i: int, m: int) -> float:
        """(4): a_im[1] = g(z_im[1])."""
        return float(self.g(self.Z1[i][m]))

    def y(self, k: int, m: int) -> float:
        """(19): y_k(x_m) = w_1k a_1m + … + w_nk a_nm + b_k."""
        return sum(self.W2[i][k] * self.A1[i][m] for i in range(self.n)) + self.b2[k]

    def E_m(self, m: int) -> float:
        """(15): E_m = ½ Σ_k (y_k(x_m) - t_km)²."""
        return sum((self.Y[k][m] - self.T[k][m]) ** 2 for k in range(self.K)) / 2

    def E(self) -> float:
        """(11), (16): E = 1/M 1/K Σ_m E_m, with the factors of which (27) and (28) are the derivatives."""
        return sum(self.E_m(m) for m in range(self.M)) / (self.M * self.K)

    def dy_dw2(self, i: int, m: int) -> float:
        """(20), ⑩ after (19): ∂y_k/∂w_ik[2] = a_im[1], as every other term of (19) is a constant."""
        return self.A1[i][m]

    def dE_m_dw2(self, m: int, i: int, k: int) -> float:
        """(18), ⑪: ∂E_m/∂w_ik[2] = (y_k - t_km) ∂y_k/∂w_ik; the ½ has gone with the square."""
        return (self.Y[k][m] - self.T[k][m]) * self.dy_dw2(i, m)

    def dy_da(self, i: int, k: int) -> float:
        """⑭: ∂y_k/∂a_i[1] = w_ik[2]."""
        return self.W2[i][k]

    def da_dz(self, i: int, m: int) -> float:
        """⑯: ∂a_im[1]/∂z_im[1] = g'(z_im[1])."""
        return self.G1[i][m]

    def dz_dw1(self, d: int, m: int) -> float:
        """(25): ∂z_im[1]/∂w_di[1] = x_dm, from (3)."""
        return self.X[d][m]

    def da_dw1(self, m: int, d: int, i: int) -> float:
        """⑮: ∂a_i/∂w_di = ∂a_i/∂z_i ∂z_i/∂w_di."""
        return self.da_dz(i, m) * self.dz_dw1(d, m)

    def dy_dw1(self, m: int, d: int, i: int, k: int) -> float:
        """⑬: ∂y_k/∂w_di = ∂y_k/∂a_i ∂a_i/∂w_di."""
        return self.dy_da(i, k) * self.da_dw1(m, d, i)

    def dE_m_dw1(self, m: int, d: int, i: int) -> float:
        """⑫, (26): ∂E_m/∂w_di[1] = Σ_k (y_k - t_km) w_ik[2] g'(z_im[1]) x_dm, the last three being ∂y_k/∂w_di."""
        return sum((self.Y[k][m] - self.T[k][m]) * self.dy_dw1(m, d, i, k) for k in range(self.K))

    def mean(self, of_sample: Callable[[int], float]) -> float:
        """1/M 1/K Σ_m, by which (27) and (28) come from (26) and ⑪."""
        return sum(of_sample(m) for m in range(self.M)) / (self.M * self.K)

    def dE_dw1(self, d: int, i: int) -> float:
        """(27): ∂E/∂w_di[1] = 1/M 1/K Σ_m Σ_k (y_k(x_m) - t_km) w_ik[2] g'(z_im[1]) x_dm."""
        return self.mean(lambda m: self.dE_m_dw1(m, d, i))

    def dE_dw2(self, i: int, k: int) -> float:
        """(28): ∂E/∂w_ik[2] = 1/M 1/K Σ_m (y_k(x_m) - t_km) a_im[1]."""
        return self.mean(lambda m: self.dE_m_dw2(m, i, k))

    def dE_db1(self, i: int) -> float:
        """Left undone in the document: ∂z_im/∂b_i is 1 where ∂z_im/∂w_di is x_dm, so (27) without x_dm."""
        return self.mean(
            lambda m: sum((self.Y[k][m] - self.T[k][m]) * self.dy_da(i, k) * self.da_dz(i, m) for k in range(self.K))
        )

    def dE_db2(self, k: int) -> float:
        """Left undone in the document: ∂y_k/∂b_k is 1 where ∂y_k/∂w_ik is a_im, so (28) without a_im."""
        return self.mean(lambda m: self.Y[k][m] - self.T[k][m])

    def gradients(self) -> dict[str, float]:
        """All of them, by the names that the parameters have in the model."""
        return dict(
            _named("hidden", [[self.dE_dw1(d, i) for d in range(self.D)] for i in range(self.n)], self.dE_db1)
        ) | dict(_named("output", [[self.dE_dw2(i, k) for i in range(self.n)] for k in range(self.K)], self.dE_db2))


def _named(path: str, by_neuron: Matrix, bias: Callable[[int], float]) -> Iterator[tuple[str, float]]:
    for i, numbers in enumerate(by_neuron):
        yield from ((f"{path}[{i}].w[{d}]", number) for d, number in enumerate(numbers))
        yield f"{path}[{i}].b", bias(i)


def biases(layer: nn.Layer) -> list[float]:
    """b_1, …, b_n."""
    return [neuron.b.data for neuron in layer.neurons if neuron.b is not None]


def activation_of(layer: nn.Layer) -> Callable[[Any], Any]:
    """g, as a function of floats or Values."""
    return ACTIVATIONS[layer[0].activation]


# -- in matrices, for any number of layers


class Pass(NamedTuple):
    """Z[l] and A[l] by layer, samples in columns; A[0] is X, A[L] is Y, and there is no Z[0]."""

    Z: dict[int, Matrix]
    A: dict[int, Matrix]


def forward(model: Network, X: Rows) -> Pass:
    """(8), meant with Wᵀ as in (10): A[l] = g(Z[l]), Z[l] = W[l]ᵀ A[l-1] + B[l], where B[l] repeats b[l] M times."""
    Z: dict[int, Matrix] = {}
    A = {0: transpose([list(x) for x in X])}
    for l, layer in enumerate(model.layers, start=1):
        B = product(column(biases(layer)), ones(1, len(X)))
        Z[l] = add(product(transpose(weight_matrix(layer)), A[l - 1]), B)
        A[l] = elementwise(activation_of(layer), Z[l])
    return Pass(Z, A)


class Gradients(NamedTuple):
    """∂E/∂W[l], of W's shape, and ∂E/∂b[l], a column, by layer."""

    W: dict[int, Matrix]
    b: dict[int, Matrix]


def backward(model: Network, X: Rows, T: Rows) -> Gradients:
    """(27), (28) and the two bias derivatives in matrices, ∂E/∂W[l] = A[l-1] Δ[l]ᵀ and ∂E/∂b[l] = Δ[l] 1, where

    Δ[L] = 1/M 1/K (Y - T) ∘ g'(Z[L]) and Δ[l] = (W[l+1] Δ[l+1]) ∘ g'(Z[l]) hold ∂E/∂z, a row for each node.
    """
    Z, A = forward(model, X)
    slopes = {l: _slopes(activation_of(layer), Z[l]) for l, layer in enumerate(model.layers, start=1)}
    last, share = len(Z), 1 / (len(T) * len(T[0]))
    delta = {last: scaled(share, times(subtract(A[last], transpose([list(t) for t in T])), slopes[last]))}
    for l in range(last - 1, 0, -1):
        delta[l] = times(product(weight_matrix(model.layers[l]), delta[l + 1]), slopes[l])
    return Gradients(
        {l: product(A[l - 1], transpose(delta[l])) for l in delta},
        {l: product(delta[l], ones(len(X), 1)) for l in delta},
    )


def _slopes(g: Callable[[Any], Any], Z: Matrix) -> Matrix:
    return elementwise(lambda z: slope(g, z), Z)


def updated(model: Network, X: Rows, T: Rows, rates: Sequence[float]) -> Gradients:
    """(12) to (14), (17) in matrices: W[l] - ρ_l ∂E/∂W[l] and b[l] - ρ_l ∂E/∂b[l], four rules for two layers."""
    slopes = backward(model, X, T)
    layers = dict(enumerate(model.layers, start=1))
    return Gradients(
        {l: subtract(weight_matrix(layers[l]), scaled(rates[l - 1], slopes.W[l])) for l in layers},
        {l: subtract(column(biases(layers[l])), scaled(rates[l - 1], slopes.b[l])) for l in layers},
    )


def by_path(model: Network, numbers: Gradients) -> dict[str, float]:
    """Matrices of the weights' and biases' shapes, taken apart: a number for each parameter, by its name."""
    paths = {parameter: path for path, parameter in model.named_parameters().items()}
    found: dict[str, float] = {}
    for l, layer in enumerate(model.layers, start=1):
        for j, neuron in enumerate(layer.neurons):
            found |= {paths[w]: numbers.W[l][i][j] for i, w in enumerate(neuron.w)}
            if neuron.b is not None:
                found[paths[neuron.b]] = numbers.b[l][j][0]
    return found


def closed_form_gradients(model: Network, X: Rows, T: Rows) -> dict[str, float]:
    """∂E/∂w and ∂E/∂b by the matrix formulas of backward(), for half_mean_squared_error: {"hidden[0].w[0]": …}.

    X: M rows of D numbers, T: M rows of K. Raises ShapeError where they don't fit the model.
    """
    return by_path(model, backward(model, X, T))


def closed_form_update(model: Network, X: Rows, T: Rows, rates: Sequence[float]) -> dict[str, float]:
    """The parameters after one step of gradient descent, a learning rate for each layer; the model is left as it is."""
    return by_path(model, updated(model, X, T, rates))


# -- by the engine


def engine_gradients(model: nn.Module, X: Rows, T: Rows) -> dict[str, float]:
    """∂E/∂w and ∂E/∂b by one backward pass through E."""
    model.zero_grad()
    nn.half_mean_squared_error([model(x) for x in X], T).backward()
    return {path: parameter.grad or 0.0 for path, parameter in model.named_parameters().items()}


def engine_update(model: nn.Module, X: Rows, T: Rows, rates: Sequence[float]) -> dict[str, float]:
    """The parameters after one step of nn.SGD; the model is put back as it was."""
    parameters = model.named_parameters()
    before = {path: parameter.data for path, parameter in parameters.items()}
    engine_gradients(model, X, T)
    nn.SGD(model, learning_rate=rates).step()
    after = {path: parameter.data for path, parameter in parameters.items()}
    for path, parameter in parameters.items():
        parameter.data = before[path]
    return after


class Recorded:
    """What the engine recorded for the whole data: E, E_m for each sample, and the nodes by sample and label."""

    def __init__(self, model: nn.RegressionMLP, X: Rows, T: Rows) -> None:
        self.model = model
        self.Y = [model(x) for x in X]  # Y[m][k]
        self.E = nn.half_mean_squared_error(self.Y, T)
        self.E_m = [nn.half_squared_error(ys, ts) for ys, ts in zip(self.Y, T, strict=True)]
        self.nodes = [{node.label: node for node in topological_order(E_m)} for E_m in self.E_m]
        self.gradients = engine_gradients(model, X, T)
        self.updated = engine_update(model, X, T, RHO)

    def z(self, i: int, m: int) -> Value:
        return self.nodes[m][f"hidden[{i}].z"]

    def a(self, i: int, m: int) -> Value:
        return self.nodes[m][f"hidden[{i}].a"]

    def w1(self, d: int, i: int) -> Value:
        return self.model.hidden[i].w[d]

    def w2(self, i: int, k: int) -> Value:
        return self.model.output[k].w[i]

    def x(self, d: int, i: int, m: int) -> float:
        """x_dm, as the product w_di x_dm holds it."""
        x = self.z(i, m).inputs[d].inputs[1]  # type: ignore[union-attr]
        return x.data if isinstance(x, Value) else x


# -- the equations, each computed per node, in matrices where there is a matrix form, and by the engine


class Equation(NamedTuple):
    number: str
    formula: str
    by_node: float
    in_matrices: float | None
    engine: float


def equations(model: nn.RegressionMLP, X: Rows, T: Rows, here: tuple[int, int, int, int] = HERE) -> list[Equation]:
    """Every equation at one sample m, input d, hidden node i and output k, which count from 0."""
    m, d, i, k = here
    by, en = Nodes(model, X, T), Recorded(model, X, T)
    (Z, A), slopes, new = forward(model, X), backward(model, X, T), updated(model, X, T, RHO)
    errors = subtract(A[2], transpose([list(t) for t in T]))
    E = sum(map(sum, times(errors, errors))) / 2 / by.M / by.K
    z, a, y, w1, w2 = en.z(i, m), en.a(i, m), en.Y[m][k], en.w1(d, i), en.w2(i, k)
    w1_new, w2_new = by.W1[d][i] - RHO[0] * by.dE_dw1(d, i), by.W2[i][k] - RHO[1] * by.dE_dw2(i, k)
    b1_new, b2_new = by.b1[i] - RHO[0] * by.dE_db1(i), by.b2[k] - RHO[1] * by.dE_db2(k)
    w_di, b_i, w_ik, b_k = f"hidden[{i}].w[{d}]", f"hidden[{i}].b", f"output[{k}].w[{i}]", f"output[{k}].b"
    recorded, stepped = en.gradients, en.updated

    def of(y: Value, w: Value) -> float:
        return derivative(y, w).data

    # fmt: off
    return [
        Equation("(1), (2)",   "X, x_m in column m",               X[m][d], A[0][d][m], en.x(d, i, m)),
        Equation("(3)",        "z = Σ_d w_di x_dm + b_i",          by.z(i, m), None, z.data),
        Equation("(4)",        "a = g(z)",                         by.a(i, m), None, a.data),
        Equation("(5), (6)",   "Z[1] = W[1]ᵀ X + B[1]",            by.Z1[i][m], Z[1][i][m], z.data),
        Equation("(7), (8)",   "A[1] = g(Z[1])",                   by.A1[i][m], A[1][i][m], a.data),
        Equation("(9), (10)",  "Y = W[2]ᵀ A[1] + B[2]",            by.Y[k][m], A[2][k][m], y.data),
        Equation("(19)",       "y_k = Σ_i w_ik a_im + b_k",        by.y(k, m), A[2][k][m], y.data),
        Equation("(15)",       "E_m = ½ Σ_k (y_k - t_km)²",        by.E_m(m), None, en.E_m[m].data),
        Equation("(11), (16)", "E = 1/M 1/K Σ_m E_m",              by.E(), E, en.E.data),
        Equation("(12), (13)", "w_di - ρ1 ∂E/∂w_di",               w1_new, new.W[1][d][i], stepped[w_di]),
        Equation("(14), (17)", "w_ik - ρ2 ∂E/∂w_ik",               w2_new, new.W[2][i][k], stepped[w_ik]),
        Equation("⑩, (20)",    "∂y_k/∂w_ik = a_im",                by.dy_dw2(i, m), None, of(y, w2)),
        Equation("(18), ⑪",    "∂E_m/∂w_ik = (y_k - t_km) a_im",   by.dE_m_dw2(m, i, k), None, of(en.E_m[m], w2)),
        Equation("⑭",          "∂y_k/∂a_i = w_ik",                 by.dy_da(i, k), None, of(y, a)),
        Equation("⑯",          "∂a_i/∂z_i = g'(z_i)",              by.da_dz(i, m), None, of(a, z)),
        Equation("(25)",       "∂z_i/∂w_di = x_dm",                by.dz_dw1(d, m), None, of(z, w1)),
        Equation("⑮",          "∂a_i/∂w_di = ⑯ · (25)",            by.da_dw1(m, d, i), None, of(a, w1)),
        Equation("⑬",          "∂y_k/∂w_di = ⑭ · ⑮",               by.dy_dw1(m, d, i, k), None, of(y, w1)),
        Equation("⑫, (26)",    "∂E_m/∂w_di = Σ_k (y_k - t_km) ⑬",  by.dE_m_dw1(m, d, i), None, of(en.E_m[m], w1)),
        Equation("(27)",       "∂E/∂W[1] = X Δ[1]ᵀ",               by.dE_dw1(d, i), slopes.W[1][d][i], recorded[w_di]),
        Equation("(28)",       "∂E/∂W[2] = A[1] Δ[2]ᵀ",            by.dE_dw2(i, k), slopes.W[2][i][k], recorded[w_ik]),
        Equation("undone",     "∂E/∂b[1] = Δ[1] 1",                by.dE_db1(i), slopes.b[1][i][0], recorded[b_i]),
        Equation("undone",     "∂E/∂b[2] = Δ[2] 1",                by.dE_db2(k), slopes.b[2][k][0], recorded[b_k]),
        Equation("undone",     "b_i - ρ1 ∂E/∂b_i",                 b1_new, new.b[1][i][0], stepped[b_i]),
        Equation("undone",     "b_k - ρ2 ∂E/∂b_k",                 b2_new, new.b[2][k][0], stepped[b_k]),
    ]
    # fmt: on
