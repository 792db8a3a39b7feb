"""Where the two source documents contradict themselves, with the engine as the referee.

Each row takes a formula at its word and computes it, beside the formula that was meant, beside what the engine recorded.
Some words give another number; some give none, because the shapes don't fit or there is no such index. "The post" is the
one behind worked_example.py, "the derivation" the one behind derivation.py. Indices in the text count from 1.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import nn
from demos import derivation, gradient_descent, worked_example
from demos.derivation import RHO, Nodes, Recorded
from demos.gradient_descent import slope
from demos.matrices import Matrix, ShapeError, add, column, ones, product, scaled, shape, subtract, times, transpose
from engine import Value, derivative, jvp, topological_order

Number: TypeAlias = Callable[[], float]


class Row(NamedTuple):
    """One contradiction. wrong() raises what `fails` names: ShapeError, or LookupError where there is no such number."""

    where: str
    says: str
    meant: str
    wrong: Number
    right: Number
    engine: Number
    fails: type[Exception] | None = None


FAILURES: dict[type[Exception] | None, str] = {ShapeError: "shapes do not fit", LookupError: "no such number"}


def contradictions() -> dict[str, list[Row]]:
    """All rows, by document."""
    return {
        "The post: gradient descent": rows_of_descent(),
        "The post: the 3-2-1 network": rows_of_the_example(),
        "The derivation: forward": rows_of_the_forward_pass(),
        "The derivation: E and the updates": rows_of_the_error(),
        "The derivation: ∂E/∂w": rows_of_the_gradients(),
    }


def rows_of_descent() -> list[Row]:
    """In the part on gradient descent: x, f and ε of gradient_descent.py."""
    f, F = gradient_descent.f, gradient_descent.f_of_many
    x, point, rate = 0.7, [-0.75, 2.6], gradient_descent.RATE
    gradient = gradient_descent.nabla(F, point)
    node = Value(x)
    recorded = f(node)
    variables = [Value(xi) for xi in point]
    dF_dx1 = derivative(F(variables), variables[0])
    return [
        Row(
            "x, ∇f",
            "x is a row and ∇f(x) a column, in x' = x - ε ∇f(x)",
            "both the same; here x'_1",
            lambda: subtract([point], scaled(rate, column(gradient)))[0][0],
            lambda: subtract(column(point), scaled(rate, column(gradient)))[0][0],
            lambda: point[0] - rate * dF_dx1.data,
            fails=ShapeError,
        ),
        Row(
            "ε",
            "ε is a change in x, f(x + ε) ≈ f(x) + ε f'(x), and then the learning rate",
            "the change in x is -ε f'(x), so that in f is about -ε f'(x)²",
            lambda: rate * slope(f, x),
            lambda: -rate * slope(f, x) ** 2,
            lambda: jvp(recorded, {node: -rate * derivative(recorded, node).data}),
        ),
    ]


def rows_of_the_example() -> list[Row]:
    """In the part on backpropagation and in the example: the numbers of worked_example.py."""
    network, x, y, eta = worked_example.example(), worked_example.X, worked_example.Y[0], worked_example.ETA
    f, W_01, W_12 = network.f, worked_example.W_01, worked_example.W_12
    v_in, v_out = worked_example.forward_in_vectors(network, x)
    delta = worked_example.error_terms_in_vectors(network, v_in, v_out, [y])
    e = y - v_out[2][0][0]
    slopes = {l: [[slope(f, h[0])] for h in v_in[l]] for l in v_in}
    as_written = product(product(W_12, delta[2]), transpose(slopes[1]))
    inputs = [Value(xi) for xi in x]
    E = nn.half_squared_error(network(inputs), [y])
    nodes = {node.label: node for node in topological_order(E)}
    updates = worked_example.recorded_updates(network, x, [y], eta)

    def by_node(l: int) -> Matrix:
        return worked_example.weight_updates(
            {i: [number[0] for number in v_out[i]] for i in v_out}, {l: [number[0] for number in delta[l]]}, eta
        )[l]

    several, deep = worked_example.deeper_example(), (worked_example.DEEPER_X, worked_example.DEEPER_Y)
    y_hats = worked_example.forward(several, deep[0])[1][4]
    squares = [(y - y_hat) ** 2 for y, y_hat in zip(deep[1], y_hats, strict=True)]

    return [
        Row(
            "W^(0→1)",
            "a 2x3 matrix; v_in = Wᵀ x",
            "3x2, as it is displayed; here v_in,1^(1)",
            lambda: product(transpose(transpose(W_01)), column(x))[0][0],
            lambda: product(transpose(W_01), column(x))[0][0],
            lambda: nodes["layers[0][0].z"].data,
            fails=ShapeError,
        ),
        Row(
            "W^(1→2)",
            "a 1x2 matrix; v_in = Wᵀ v_out",
            "2x1, as it is displayed; here v_in,1^(2)",
            lambda: product(transpose(transpose(W_12)), v_out[1])[0][0],
            lambda: product(transpose(W_12), v_out[1])[0][0],
            lambda: nodes["layers[1][0].z"].data,
            fails=ShapeError,
        ),
        Row(
            "δ^(1)",
            "(W δ^(2)) f'(v_in)ᵀ: a column times a row, 2×2, so that row 2 begins with",
            "(W δ^(2)) ∘ f'(v_in), element by element; here δ_2",
            lambda: as_written[1][0],
            lambda: times(product(W_12, delta[2]), slopes[1])[1][0],
            lambda: -derivative(E, nodes["layers[0][1].z"]).data,
        ),
        Row(
            "δ^(1)",
            "the same 2×2 in the weight update, η v_out^(0) δ^(1)ᵀ",
            "δ^(1) is a column; here Δw_11^(1)",
            lambda: scaled(eta, product(v_out[0], transpose(as_written)))[0][0],
            lambda: scaled(eta, product(v_out[0], transpose(delta[1])))[0][0],
            lambda: updates[1][0][0],
            fails=ShapeError,
        ),
        Row(
            "δ^(0)",
            "(W δ^(1)) f'(v_in^(0))ᵀ: an input layer with an activation",
            "there is no v_in^(0), and no weight needs a δ^(0); W δ^(1) is -∂E/∂x",
            lambda: slope(f, v_in[0][0][0]) * product(W_01, delta[1])[0][0],
            lambda: product(W_01, delta[1])[0][0],
            lambda: -derivative(E, inputs[0]).data,
            fails=LookupError,
        ),
        Row(
            "layers",
            "the second and first hidden layers",
            "there is one hidden layer; here its v_out,1",
            lambda: [v_out[l] for l in v_out if 0 < l < len(network.layers)][1][0][0],
            lambda: [v_out[l] for l in v_out if 0 < l < len(network.layers)][0][0][0],
            lambda: nodes["layers[0][0].a"].data,
            fails=LookupError,
        ),
        Row(
            "E",
            "E = y - ŷ, in the example",
            "that is the error e; E = ½(y - ŷ)²",
            lambda: e,
            lambda: e**2 / 2,
            lambda: E.data,
        ),
        Row(
            "δ^(2)",
            "E · f'(v_in), with the E = ½(y - ŷ)² of the section before",
            "(y - ŷ) f'(v_in)",
            lambda: e**2 / 2 * slopes[2][0][0],
            lambda: e * slopes[2][0][0],
            lambda: -derivative(E, nodes["layers[1][0].z"]).data,
        ),
        Row(
            "E",
            "½(y - ŷ)² has one output, δ_j^out has one for each j (here on the 4-5-3-6-2 network)",
            "½ Σ_j (y_j - ŷ_j)²",
            lambda: squares[0] / 2,
            lambda: sum(squares) / 2,
            lambda: nn.half_squared_error(several(deep[0]), deep[1]).data,
        ),
        Row(
            "y",
            "y is the output, in δ^out = (y - ŷ) f': the network's output, so ŷ would be the target",
            "y is the target, as the example has it; here Δw_11^(2) = η δ v_1",
            lambda: eta * -e * slopes[2][0][0] * v_out[1][0][0],
            lambda: by_node(2)[0][0],
            lambda: updates[2][0][0],
        ),
        Row(
            "x_i",
            "the input of hidden unit i, in Δw_ij = η δ_j x_i: v_in",
            "what comes in by w_ij: v_out of the layer before; here Δw_11^(2)",
            lambda: eta * delta[2][0][0] * v_in[1][0][0],
            lambda: by_node(2)[0][0],
            lambda: updates[2][0][0],
        ),
        Row(
            "x",
            "x is what descends, x' = x - ε ∇f(x), and then the inputs: -η ∂E/∂x_1",
            "the weights descend; here Δw_11^(1) = -η ∂E/∂w_11",
            lambda: eta * product(W_01, delta[1])[0][0],
            lambda: by_node(1)[0][0],
            lambda: updates[1][0][0],
        ),
        Row(
            "h",
            "h_i^(h): h is the pre-activation and the layer's index at once",
            "v_in,i^(l); here v_in,1^(1), which this sentence explains by the name of h",
            lambda: v_in[v_in[1][0][0]][0][0],  # type: ignore[index]
            lambda: product(transpose(W_01), column(x))[0][0],
            lambda: nodes["layers[0][0].z"].data,
            fails=LookupError,
        ),
        Row(
            "k",
            "w_ij^(k): k is a layer, 1 or 2; w_jk δ_k: k is a unit of the next layer, so also 2",
            "there the sum runs over the one output; here δ_1^(1)",
            lambda: sum(W_12[0][k - 1] * delta[2][k - 1][0] * slopes[1][0][0] for k in (1, 2)),
            lambda: sum(W_12[0][k - 1] * delta[2][k - 1][0] * slopes[1][0][0] for k in (1,)),
            lambda: -derivative(E, nodes["layers[0][0].z"]).data,
            fails=LookupError,
        ),
    ]
