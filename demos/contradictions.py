"""Where the two source documents contradict themselves, with the engine as the referee.

Each row takes a formula at its word and computes it, beside the formula that was meant, beside the engine's number.
Some words give another number; some give none, because the shapes don't fit or there is no such index. The post is the
one behind worked_example.py, the derivation the one behind equations.py. Indices count from 1 in the texts.
"""
# ruff: noqa: E741 (l is what both documents call a layer)

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import nn
from demos import equations, gradient_descent, worked_example
from demos.equations import HERE, RHO, Nodes, Recorded
from demos.gradient_descent import slope
from demos.matrices import ShapeError, add, column, ones, product, scaled, subtract, times, transpose
from demos.program import program
from engine import Value, derivative, jvp, topological_order

Number: TypeAlias = Callable[[], float]


class Truth(NamedTuple):
    """A quantity: its name, the formula that was meant, and what the engine recorded."""

    name: str
    right: Number
    engine: Number


class Row(NamedTuple):
    """One contradiction. wrong() raises what `fails` names: ShapeError, LookupError where there is no such number."""

    where: str
    says: str
    meant: str
    truth: Truth
    wrong: Number
    fails: type[Exception] | None = None


FAILURES: dict[type[Exception], str] = {ShapeError: "shapes do not fit", LookupError: "no such number"}


def contradictions() -> dict[str, list[Row]]:
    """All rows, by part of the documents."""
    return {
        "The post, on gradient descent": rows_of_descent(),
        "The post, on backpropagation, and its 3-2-1 network": rows_of_the_example(),
        "The derivation, the forward pass": rows_of_the_forward_pass(),
        "The derivation, E and the updates": rows_of_the_error(),
        "The derivation, ∂E/∂w": rows_of_the_gradients(),
    }


# fmt: off
def rows_of_descent() -> list[Row]:
    """x, f and ε are those of gradient_descent.py."""
    f, F = gradient_descent.f, gradient_descent.f_of_many
    x, point, rate = 0.7, [-0.75, 2.6], gradient_descent.RATE
    gradient = column(gradient_descent.nabla(F, point))
    node, variables = Value(x), [Value(xi) for xi in point]
    f_x, F_x = f(node), F(variables)

    next_x1 = Truth("x'_1", lambda: subtract(column(point), scaled(rate, gradient))[0][0],
                    lambda: point[0] - rate * derivative(F_x, variables[0]).data)
    change = Truth("change of f", lambda: -rate * slope(f, x) ** 2,
                   lambda: jvp(f_x, {node: -rate * derivative(f_x, node).data}))
    return [
        Row("x, ∇f", "x is written as a row, ∇f(x) as a column", "x' = x - ε ∇f(x) needs both in one shape", next_x1,
            lambda: subtract([point], scaled(rate, gradient))[0][0], ShapeError),
        Row("ε", "a change in x, f(x + ε) ≈ f(x) + ε f'(x); then a rate",
            "the change in x is -ε f'(x), in f about -ε f'(x)²", change,
            lambda: rate * slope(f, x)),
    ]


def rows_of_the_example() -> list[Row]:
    """x, y and the weights are those of worked_example.py."""
    network, x, y, eta = worked_example.example(), worked_example.X, [worked_example.Y[0]], worked_example.ETA
    f, W_01, W_12 = network.f, worked_example.W_01, worked_example.W_12
    v_in, v_out = worked_example.forward_in_vectors(network, x)
    delta = worked_example.error_terms_in_vectors(network, v_in, v_out, y)
    updates = worked_example.weight_updates_in_vectors(v_out, delta, eta)
    recorded = worked_example.recorded_updates(network, x, y, eta)
    f_prime = {l: [[slope(f, h) for h in row] for row in v_in[l]] for l in v_in}
    written = product(product(W_12, delta[2]), transpose(f_prime[1]))
    e, hidden = y[0] - v_out[2][0][0], [v_out[1]]
    inputs = [Value(xi) for xi in x]
    E = nn.half_squared_error(network(inputs), y)
    nodes = {node.label: node for node in topological_order(E)}
    deeper, deeper_x, deeper_y = worked_example.deeper_example(), worked_example.DEEPER_X, worked_example.DEEPER_Y
    outputs = worked_example.forward(deeper, deeper_x)[1][4]
    squares = [(y - y_hat) ** 2 for y, y_hat in zip(deeper_y, outputs, strict=True)]

    def delta_recorded(path: str) -> float:
        return -derivative(E, nodes[path]).data

    v_in_1 = Truth("v_in,1^(1)", lambda: product(transpose(W_01), column(x))[0][0],
                   lambda: nodes["layers[0][0].z"].data)
    v_in_2 = Truth("v_in,1^(2)", lambda: product(transpose(W_12), v_out[1])[0][0],
                   lambda: nodes["layers[1][0].z"].data)
    v_out_1 = Truth("v_out,1^(1)", lambda: hidden[0][0][0], lambda: nodes["layers[0][0].a"].data)
    error = Truth("E", lambda: e**2 / 2, lambda: E.data)
    deeper_error = Truth("E", lambda: sum(squares) / 2, lambda: nn.half_squared_error(deeper(deeper_x), deeper_y).data)
    delta_out = Truth("δ_1^(2)", lambda: e * f_prime[2][0][0], lambda: delta_recorded("layers[1][0].z"))
    delta_1 = Truth("δ_1^(1)", lambda: W_12[0][0] * delta[2][0][0] * f_prime[1][0][0],
                    lambda: delta_recorded("layers[0][0].z"))
    delta_2 = Truth("δ_2^(1)", lambda: times(product(W_12, delta[2]), f_prime[1])[1][0],
                    lambda: delta_recorded("layers[0][1].z"))
    minus_dE_dx = Truth("-∂E/∂x_1", lambda: product(W_01, delta[1])[0][0], lambda: -derivative(E, inputs[0]).data)
    hidden_update = Truth("Δw_11^(1)", lambda: updates[1][0][0], lambda: recorded[1][0][0])
    output_update = Truth("Δw_11^(2)", lambda: updates[2][0][0], lambda: recorded[2][0][0])
    return [
        Row("W^(0→1)", "a 2x3 matrix", "3x2, as displayed: v_in = Wᵀ x", v_in_1,
            lambda: product(transpose(transpose(W_01)), column(x))[0][0], ShapeError),
        Row("W^(1→2)", "a 1x2 matrix", "2x1, as displayed: v_in = Wᵀ v_out", v_in_2,
            lambda: product(transpose(transpose(W_12)), v_out[1])[0][0], ShapeError),
        Row("δ^(1)", "(W δ^(2)) f'(v_in)ᵀ: 2x2, and its row 2 begins with",
            "(W δ^(2)) ∘ f'(v_in), element by element", delta_2, lambda: written[1][0]),
        Row("δ^(1)", "the same 2x2 matrix, in the update η v_out^(0) δ^(1)ᵀ", "δ^(1) is a column, 2x1", hidden_update,
            lambda: scaled(eta, product(v_out[0], transpose(written)))[0][0], ShapeError),
        Row("δ^(0)", "(W δ^(1)) f'(v_in^(0))ᵀ, an activation of the inputs",
            "none is there, none needed; W δ^(1) is -∂E/∂x", minus_dE_dx,
            lambda: product(W_01, delta[1])[0][0] * slope(f, v_in[0][0][0]), LookupError),
        Row("layers", "the second and first hidden layers", "there is one hidden layer", v_out_1,
            lambda: hidden[1][0][0], LookupError),
        Row("E", "E = y - ŷ, in the example", "that is the error e; E = ½(y - ŷ)²", error, lambda: e),
        Row("δ^(2)", "E · f'(v_in), where E was ½(y - ŷ)² before", "(y - ŷ) f'(v_in)", delta_out,
            lambda: e**2 / 2 * f_prime[2][0][0]),
        Row("E", "½(y - ŷ)² without a j; δ_j^out has one (4-5-3-6-2)", "½ Σ_j (y_j - ŷ_j)²", deeper_error,
            lambda: squares[0] / 2),
        Row("y", "y is the output, in the list: then ŷ is the target",
            "y is the target, as in the example; else E climbs", output_update,
            lambda: eta * -e * f_prime[2][0][0] * v_out[1][0][0]),
        Row("x_i", "the input of hidden unit i, in Δw_ij = η δ_j x_i: v_in",
            "what comes in along w_ij: v_out of the layer before", output_update,
            lambda: eta * delta[2][0][0] * v_in[1][0][0]),
        Row("x", "what moves, x' = x - ε ∇f, then the inputs: -η ∂E/∂x_1",
            "a network moves its weights, and x stays", hidden_update, lambda: eta * product(W_01, delta[1])[0][0]),
        Row("h", "h_i^(h): a layer's number and a pre-activation at once",
            "v_in,i^(l), which the sentence is there to explain", v_in_1,
            lambda: v_in[nodes["layers[0][0].z"].data][0][0], LookupError),  # type: ignore[index]
        Row("k", "w_ij^(k) counts layers, so Σ_k w_jk δ_k runs over both",
            "δ_k has its own k, the units of the next layer: one", delta_1,
            lambda: sum(W_12[0][k] * delta[2][k][0] * f_prime[1][0][0] for k in range(len(network.layers))),
            LookupError),
    ]


def _regression() -> tuple[Nodes, Recorded, equations.Pass]:
    model, (X, T) = equations.network(), equations.data()
    return Nodes(model, X, T), Recorded(model, X, T), equations.forward(model, X)


def rows_of_the_forward_pass() -> list[Row]:
    """(1) to (10)."""
    m, _, i, k = HERE
    by, en, (_, A) = _regression()
    B1, B2 = (product(column(b), ones(1, by.M)) for b in (by.b1, by.b2))
    columns_of_6, columns_of_7 = [*range(by.n), 0], [0, by.n - 1, by.n - 1]

    z = Truth("z_26[1]", lambda: by.z(i, m), lambda: en.z(i, m).data)
    z_last = Truth("z_27[1]", lambda: by.z(i, by.M - 1), lambda: en.z(i, by.M - 1).data)
    a = Truth("a_26[1]", lambda: by.a(i, m), lambda: en.a(i, m).data)
    a_last = Truth("a_27[1]", lambda: by.a(i, by.M - 1), lambda: en.a(i, by.M - 1).data)
    y = Truth("y_36", lambda: by.y(k, m), lambda: en.Y[m][k].data)
    return [
        Row("(3)", "Σ_d w_diᵀ x_d, the entry (d, i) of the n×D matrix Wᵀ", "w_di, and Wᵀ in matrices", z,
            lambda: sum(transpose(by.W1)[d][i] * by.X[d][m] for d in range(by.D)) + by.b1[i], LookupError),
        Row("(3)", "[1] is the layer that is computed from", "the layer that is computed", z, lambda: by.Y[i][m]),
        Row("(6)", "the columns run to n, then comes column 1 again", "they run to M", z_last,
            lambda: by.Z1[i][columns_of_6[-1]]),
        Row("(7)", "the columns end with column n", "they run to M", a_last, lambda: by.A1[i][columns_of_7[-1]]),
        Row("(7)", "the arrow below: n columns, in W[2]ᵀ A[1] + B[2]", "M columns", y,
            lambda: add(product(transpose(by.W2), [row[:by.n] for row in by.A1]), B2)[k][m], ShapeError),
        Row("(8)", "W A + B, where (3) and (10) have Wᵀ", "Wᵀ A + B", a,
            lambda: by.g(add(product(by.W1, A[0]), B1)[i][m]), ShapeError),
        Row("B", "a vector, added to the n×M matrix Wᵀ X", "M copies of it side by side", z,
            lambda: add(product(transpose(by.W1), by.X), column(by.b1))[i][m], ShapeError),
        Row("(10)", "⑩ is Y, and further down ∂y_k/∂w_ik", "⑩ is (10) here", y, lambda: by.dy_dw2(i, m)),
    ]


def rows_of_the_error() -> list[Row]:
    """(11) to (17), and the steps of gradient descent."""
    m, d, i, k = HERE
    by, en, _ = _regression()
    last, share = by.n - 1, 1 / (by.M * by.K)

    def after_step(name: str, path: str, right: Number) -> Truth:
        return Truth(name, right, lambda: en.updated[path])

    E = Truth("E", by.E, lambda: en.E.data)
    dE_m_dw2 = Truth("∂E_6/∂w_23[2]", lambda: by.dE_m_dw2(m, i, k), lambda: derivative(en.E_m[m], en.w2(i, k)).data)
    dE_dw1 = Truth("∂E/∂w_42[1]", lambda: by.dE_dw1(d, i), lambda: en.gradients[f"hidden[{i}].w[{d}]"])
    dE_dw2 = Truth("∂E/∂w_23[2]", lambda: by.dE_dw2(i, k), lambda: en.gradients[f"output[{k}].w[{i}]"])
    step = Truth("a step of w_23", lambda: RHO[1] * by.dE_dw2(i, k),
                 lambda: by.W2[i][k] - en.updated[f"output[{k}].w[{i}]"])
    w1 = after_step("new w_42[1]", f"hidden[{i}].w[{d}]", lambda: by.W1[d][i] - RHO[0] * by.dE_dw1(d, i))
    w1_low = after_step("new w_52[1]", f"hidden[{i}].w[4]", lambda: by.W1[4][i] - RHO[0] * by.dE_dw1(4, i))
    w1_last = after_step("new w_44[1]", f"hidden[{last}].w[{d}]", lambda: by.W1[d][last] - RHO[0] * by.dE_dw1(d, last))
    w2 = after_step("new w_23[2]", f"output[{k}].w[{i}]", lambda: by.W2[i][k] - RHO[1] * by.dE_dw2(i, k))
    b1 = after_step("new b_2[1]", f"hidden[{i}].b", lambda: by.b1[i] - RHO[0] * by.dE_db1(i))
    later = Truth("w_42, 3 steps", lambda: _after(3, equations.closed_form_update, f"hidden[{i}].w[{d}]"),
                  lambda: _after(3, equations.engine_update, f"hidden[{i}].w[{d}]"))
    return [
        Row("(11)", "½ Σ_m Σ_k (y - t)²", "1/M 1/K ½ Σ_m Σ_k: its derivatives are (27), (28)", E,
            lambda: sum(by.E_m(m) for m in range(by.M))),
        Row("(11)", "the terms under Σ_k carry no k: all are that of y_1", "(y_k - t_k)²", E,
            lambda: share * sum(by.K * (by.Y[0][m] - by.T[0][m]) ** 2 / 2 for m in range(by.M))),
        Row("(11)", "ŷ is the target; elsewhere it is the estimate, and then y is the target, a constant in (18)",
            "y_k is the estimate and t_k the target, as in (15)", dE_m_dw2,
            lambda: (by.Y[k][m] - by.T[k][m]) * derivative(Value(by.T[k][m]), en.w2(i, k)).data),
        Row("(11)", "minimizing ½E, to have a ½", "E has its ½ already", E, lambda: by.E() / 2),
        Row("(16)", "E = 1/M Σ_m E_m", "1/M 1/K, as (17) has it", E,
            lambda: sum(by.E_m(m) for m in range(by.M)) / by.M),
        Row("(16)", "(28) from (16): 1/M Σ_m ∂E_m/∂w", "1/M 1/K, as (28) has it", dE_dw2,
            lambda: sum(by.dE_m_dw2(m, i, k) for m in range(by.M)) / by.M),
        Row("(16)", "(27) from (16): 1/M Σ_m ∂E_m/∂w", "1/M 1/K, as (27) has it", dE_dw1,
            lambda: sum(by.dE_m_dw1(m, d, i) for m in range(by.M)) / by.M),
        Row("(12)", "w[l+1] = w[l] - ρ ∂E/∂w[l], where [l] is a layer", "the same layer, in the next iteration", w2,
            lambda: by.W1[i][k] - RHO[1] * by.dE_dw1(i, k)),
        Row("(13)", "the same for w_52[1]: it becomes w_52[2], of 4×3", "it stays in layer 1", w1_low,
            lambda: by.W2[4][i], LookupError),
        Row("(13)", "ρ_i, for node i = 2 the ρ2 of the output layer", "ρ1, one rate for the layer", w1,
            lambda: by.W1[d][i] - RHO[i] * by.dE_dw1(d, i)),
        Row("(13)", "ρ_i, for node i = 4: ρ_4", "ρ1, one rate for the layer", w1_last,
            lambda: by.W1[d][last] - RHO[last] * by.dE_dw1(d, last), LookupError),
        Row("(14)", "w[2] = w[2] - ρ2 ∂E/∂w[2]: no iteration, and no step",
            "the left side is the next iteration", step, lambda: by.W2[i][k] - by.W2[i][k]),
        Row("(15)", '"rewrite (14) as" (16), which is E', "it is (17) that rewrites (14)", w2, by.E),
        Row("3)", "update the weights", "and the biases, which 1) set at random, too", b1, lambda: by.b1[i]),
        Row("3)", "update until E is small, with no way back to 2)",
            "2) again for each update, else the slopes are old", later,
            lambda: by.W1[d][i] - 3 * RHO[0] * by.dE_dw1(d, i)),
    ]


def rows_of_the_gradients() -> list[Row]:
    """(18) to (28)."""
    m, d, i, k = HERE
    by, en, (Z, A) = _regression()
    last, share = by.n - 1, 1 / (by.M * by.K)
    y_node, a_node, z_node = en.Y[m][k], en.a(i, m), en.z(i, m)
    error = by.Y[k][m] - by.T[k][m]

    z = Truth("z_26[1]", lambda: by.z(i, m), lambda: z_node.data)
    y = Truth("y_36", lambda: by.y(k, m), lambda: y_node.data)
    dy_dw2 = Truth("∂y_3/∂w_23[2]", lambda: by.dy_dw2(i, m), lambda: derivative(y_node, en.w2(i, k)).data)
    dy_dw2_last = Truth("∂y_3/∂w_43[2]", lambda: by.dy_dw2(last, m), lambda: derivative(y_node, en.w2(last, k)).data)
    dE_m_dw2 = Truth("∂E_6/∂w_23[2]", lambda: by.dE_m_dw2(m, i, k), lambda: derivative(en.E_m[m], en.w2(i, k)).data)
    dE_m_dw1 = Truth("∂E_6/∂w_42[1]", lambda: by.dE_m_dw1(m, d, i), lambda: derivative(en.E_m[m], en.w1(d, i)).data)
    dy_dw1 = Truth("∂y_3/∂w_42[1]", lambda: by.dy_dw1(m, d, i, k), lambda: derivative(y_node, en.w1(d, i)).data)
    dy_da = Truth("∂y_3/∂a_2[1]", lambda: by.dy_da(i, k), lambda: derivative(y_node, a_node).data)
    da_dw1 = Truth("∂a_2/∂w_42[1]", lambda: by.da_dw1(m, d, i), lambda: derivative(a_node, en.w1(d, i)).data)
    da_dz = Truth("∂a_2/∂z_2", lambda: by.da_dz(i, m), lambda: derivative(a_node, z_node).data)
    dz_dw1 = Truth("∂z_2/∂w_42[1]", lambda: by.dz_dw1(d, m), lambda: derivative(z_node, en.w1(d, i)).data)
    dE_dw1 = Truth("∂E/∂w_42[1]", lambda: by.dE_dw1(d, i), lambda: en.gradients[f"hidden[{i}].w[{d}]"])
    dE_dw2 = Truth("∂E/∂w_23[2]", lambda: by.dE_dw2(i, k), lambda: en.gradients[f"output[{k}].w[{i}]"])
    dE_dw2_last = Truth("∂E/∂w_43[2]", lambda: by.dE_dw2(last, k), lambda: en.gradients[f"output[{k}].w[{last}]"])
    w1_new, w2_new = by.W1[d][i] - RHO[0] * by.dE_dw1(d, i), by.W2[i][k] - RHO[1] * by.dE_dw2(i, k)
    numbers: list[tuple[str, str, str, float, Truth]] = [  # that stand for two formulas; the first one's number
        ("⑪", "that of E", "∂E_m/∂w_ik", by.E(), dE_m_dw2),
        ("⑫", "that of an update", "∂E_m/∂w_di; only (20) to (24) are free for ⑩ to ⑯", w1_new, dE_m_dw1),
        ("⑬", "that of the update of w_di", "∂y_k/∂w_di", w1_new, dy_dw1),
        ("⑭", "that of the update of w_ik", "∂y_k/∂a_i", w2_new, dy_da),
        ("⑮", "that of E_m", "∂a_i/∂w_di", by.E_m(m), da_dw1),
        ("⑯", "that of E, once more", "∂a_i/∂z_i", by.E(), da_dz),
    ]

    def taken(number: float) -> Number:
        return lambda: number

    return [
        Row("(18)", "-(y_k - t_k) ∂y_k/∂w_ik", "no minus: E_m = ½ Σ_k (y_k - t_k)², and ⑪ has none", dE_m_dw2,
            lambda: -error * by.dy_dw2(i, m)),
        Row("⑫", "-Σ_k (y_k - t_k) ∂y_k/∂w_di", "no minus: (26) has none", dE_m_dw1,
            lambda: -sum((by.Y[k][m] - by.T[k][m]) * by.dy_dw1(m, d, i, k) for k in range(by.K))),
        Row("(19)", "w_nk a_nk: its k stands where a sample would", "a_nm, as in the terms before", y,
            lambda: by.y(k, m) + by.W2[last][k] * (by.A1[last][k] - by.A1[last][m])),
        Row("⑧", "the left side of ⑧, where (8) is A", "the left side of (18)", dE_m_dw2, lambda: A[1][i][m]),
        Row("⑩", "∂y_k/∂w_ik = a_i[2], and a[2] is Y", "a_i[1]", dy_dw2, lambda: A[2][i][m]),
        Row("⑩", "the same for i = 4, of K = 3", "a_i[1]", dy_dw2_last, lambda: A[2][last][m], LookupError),
        Row("⑪", "(y_k - t_k) a_i[2]", "a_i[1]", dE_m_dw2, lambda: error * A[2][i][m]),
        Row("⑪", "(y_i - t_k) a_i", "y_k, of the output that w_ik leads to", dE_m_dw2,
            lambda: (by.Y[i][m] - by.T[k][m]) * by.A1[i][m]),
        Row("⑬", '"the derivative in ⑬", which is ∂y_k/∂w_di', "the derivative in (13)", dE_dw1,
            lambda: by.dy_dw1(m, d, i, k)),
        *(Row(where, f"a number given before: {before}", meant, truth, taken(first))
          for where, before, meant, first, truth in numbers),
        Row("⑮", "∂a/∂z[0] ∂z[0]/∂w", "z[1]: (3) and (4) make no z[0]", da_dw1,
            lambda: slope(by.g, Z[0][i][m]) * by.X[d][m], LookupError),
        Row("⑯", "g(z)", "g'(z)", da_dz, lambda: by.g(Z[1][i][m])),
        Row("⑯", "g of z[0]", "of z[1]", da_dz, lambda: slope(by.g, Z[0][i][m]), LookupError),
        Row("(5)", '"using (5)", a stack of numbers z: no weight in it', "using (3)", dz_dw1,
            lambda: derivative(Value(Z[1][i][m]), en.w1(d, i)).data),
        Row("(25)", "before it: Σ_j of D equal sums, not differentiated", "∂/∂w_di of (3)", dz_dw1,
            lambda: sum(by.z(i, m) - by.b1[i] for _ in range(by.D))),
        Row("(25)", "the same, differentiated: D x_d", "(3) has one sum, Σ_d", dz_dw1,
            lambda: sum(by.X[d][m] for _ in range(by.D))),
        Row("(25)", "before it: a sum of d terms, and no b", "D terms, and b", z,
            lambda: sum(by.W1[row][i] * by.X[row][m] for row in range(d + 1))),
        Row("(28)", "Σ_m (y_k - t_k) q_i[2], for a_i[2], and a[2] is Y", "a_im[1]", dE_dw2,
            lambda: share * sum((by.Y[k][m] - by.T[k][m]) * A[2][i][m] for m in range(by.M))),
        Row("(28)", "the same for i = 4, of K = 3", "a_im[1]", dE_dw2_last,
            lambda: share * sum((by.Y[k][m] - by.T[k][m]) * A[2][last][m] for m in range(by.M)), LookupError),
        Row("(28)", "q_i without its sample, as if before Σ_m (sample 6)", "a_im[1]", dE_dw2,
            lambda: share * by.A1[i][m] * sum(by.Y[k][m] - by.T[k][m] for m in range(by.M))),
    ]
# fmt: on


def _after(steps: int, update: Callable[..., dict[str, float]], path: str) -> float:
    """One parameter after several steps, each with slopes of its own."""
    model, (X, T) = equations.network(), equations.data()
    parameters = model.named_parameters()
    for _ in range(steps):
        for name, number in update(model, X, T, RHO).items():
            parameters[name].data = number
    return parameters[path].data


# -- the report


def verdict(row: Row) -> str:
    """The number that the wrong form gives, or why it gives none."""
    try:
        return f"{row.wrong() + 0.0:.10f}"  # a 0 without a sign
    except tuple(FAILURES) as failure:
        return next(text for kind, text in FAILURES.items() if isinstance(failure, kind))


def print_contradictions() -> None:
    print("\nTaken at their word: what the documents say, → what is meant. Each with its number; the second is")
    print("the engine's. Where there is no first number, its computation was tried and failed.")
    for part, rows in contradictions().items():
        print(f"\n{part}")
        for row in rows:
            says = textwrap.wrap(row.says, 54)
            meant = textwrap.wrap(row.meant, 54, initial_indent="→ ", subsequent_indent="  ")
            numbers = {0: (row.truth.name, verdict(row)), len(says): ("engine", f"{row.truth.engine():.10f}")}
            for line, text in enumerate([*says, *meant]):
                name, number = numbers.get(line, ("", ""))
                print(f"{row.where if line == 0 else '':10}{text:56}{name:15}{number:>18}".rstrip())


if __name__ == "__main__":
    raise SystemExit(program(print_contradictions))
