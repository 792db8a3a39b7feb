"""The derivation of backpropagation for a 2-layer regression network, equation by equation, as running code.

equations.py computes each equation per node, in matrices and by the engine; here they are printed side by side, for
any activation and on the way down. Where the document contradicts itself, contradictions.py lets the engine decide;
that table is the last part of `python -m demos.derivation`.
"""

from __future__ import annotations

from pathlib import Path

import nn
from demos.contradictions import print_contradictions
from demos.equations import (
    HERE,
    RHO,
    D,
    K,
    M,
    N,
    Nodes,
    closed_form_gradients,
    closed_form_update,
    data,
    engine_gradients,
    engine_update,
    equations,
    network,
)
from demos.program import program
from demos.worked_example import largest_difference
from engine import draw, label

PICTURE = Path("out/derivation-network.svg")
SEVERAL = ("tanh", "sigmoid", "softplus", "silu", "gelu", "relu", "leaky_relu", "atan", "sin", "erf")


def descend(until: float, epochs: int = 4000) -> nn.History:
    """Steps 1) random parameters, 2) a forward pass, 3) the updates, 2) again, until E is sufficiently minimized."""
    model = network()
    X, T = data()
    sgd = nn.SGD(model, learning_rate=RHO)
    return nn.fit(model, X, T, epochs=epochs, optimizer=sgd, until=until, progress=False)


# -- the picture


def picture(path: str | Path = PICTURE) -> Path:
    """Draws the D-n-K network that the document lost, and E_m, at sample m of HERE, after backprop.

    Raises RuntimeError without Graphviz, OSError.
    """
    X, T = data()
    E_m = nn.half_squared_error(network()(X[HERE[0]]), T[HERE[0]])
    label(E_m=E_m)
    E_m.backward()
    return draw(E_m, depth="neuron").save(path)


# -- the report


def print_equations() -> None:
    print(f"D = {D}, n = {N}, K = {K}, M = {M}; g is tanh.")
    print("At sample m = 6, input d = 4, hidden node i = 2, output k = 3:\n")
    print(f"{'':12}{'':36}{'per node':>16}{'in matrices':>16}{'engine':>16}")
    for row in equations(network(), *data()):
        numbers = [row.by_node, row.in_matrices, row.engine]
        cells = "".join(f"{'' if number is None else f'{number:.10f}':>16}" for number in numbers)
        print(f"{row.number:12}{row.formula:36}{cells}")
    print("\nΔ[2] = 1/M 1/K (Y - T) and Δ[1] = (W[2] Δ[2]) ∘ g'(Z[1]) hold ∂E/∂z; ∘ is element by element.")


def print_activations() -> None:
    print("\nThe largest relative difference from the engine, over all parameters, for any g:\n")
    print(f"{'g':12}{'∂E per node':>16}{'∂E in matrices':>16}{'four updates':>16}{'L = 4 layers':>16}")
    X, T = data()
    for g in SEVERAL:
        model, deep = network(g), nn.MLP(D, [6, N, 8, K], activation=g, seed=3)
        recorded = engine_gradients(model, X, T)
        differences = [
            largest_difference(Nodes(model, X, T).gradients(), recorded),
            largest_difference(closed_form_gradients(model, X, T), recorded),
            largest_difference(closed_form_update(model, X, T, RHO), engine_update(model, X, T, RHO)),
            largest_difference(closed_form_gradients(deep, X, T), engine_gradients(deep, X, T)),
        ]
        print(f"{g:12}" + "".join(f"{difference:16.1g}" for difference in differences))


def print_descent(until: float = 0.01) -> None:
    errors = descend(until).errors
    print(f"\nSteps 1), 2), 3), 2), … until E ≤ {until}, ρ1 = {RHO[0]}, ρ2 = {RHO[1]}:\n")
    for epoch in (0, 1, 10, 100, len(errors) - 1):
        print(f"{epoch:8} epochs{errors[epoch]:16.10f}")


def print_picture() -> None:
    try:
        print(f"\nThe D-n-K network at sample m = 6, after backprop: {picture()}")
    except RuntimeError as error:
        print(f"\nLeft out, the picture of the D-n-K network: {error}")


def main() -> None:
    print_equations()
    print_activations()
    print_descent()
    print_picture()
    print_contradictions()


if __name__ == "__main__":
    raise SystemExit(program(main, "out"))
