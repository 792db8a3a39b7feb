"""The 3-2-1 network of the post on backpropagation, with numbers: node by node, in vectors, and by the engine.

E = ½(y - ŷ)² with y the target; error terms δ run from the output back, and Δw = η δ x is -η ∂E/∂w, which is
checked. The letters are the post's; layer 0 is the inputs. The network diagram that the post lost goes to out/, beside
the whole graph. Next: derivation.py, for many samples and with biases.
"""
# ruff: noqa: E741 (l is what both documents call a layer)

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import nn
from demos.gradient_descent import slope
from demos.matrices import Matrix, column, elementwise, product, scaled, shape, subtract, times, transpose
from demos.program import program
from engine import Value, draw, topological_order
from nn.networks import ACTIVATIONS

ByLayer: TypeAlias = dict[int, list[float]]  # a number for each unit, by the layer's number
MatrixByLayer: TypeAlias = dict[int, Matrix]

X = [0.7, -1.3, 0.45]  # x
Y = [0.35]  # y, the target
ETA = 0.6  # η, the learning rate
W_01 = [[0.85, -0.15], [-0.55, 0.65], [0.25, 1.45]]  # W^(0→1): a row for each input, a column for each hidden unit
W_12 = [[1.15], [-0.95]]

DEEPER_X, DEEPER_Y = [*X, 1.6], [*Y, 0.15]


class Network(nn.Module):
    """Layers without biases, and with the activation f on the output, too; made from its matrices W^(l-1→l).

    Raises ValueError (from nn) for an unknown activation or an empty matrix.
    """

    def __init__(self, matrices: Sequence[Matrix], activation: str = "sigmoid") -> None:
        self.f: Callable[[Any], Any] = ACTIVATIONS[activation]
        self.layers = [nn.Layer(*shape(W), activation=activation, bias=False) for W in matrices]
        for layer, W in zip(self.layers, matrices, strict=True):
            for neuron, weights in zip(layer.neurons, transpose(W), strict=True):
                for w, number in zip(neuron.w, weights, strict=True):
                    w.data = number

    def __call__(self, x: Any) -> list[Value]:
        outputs = self.layers[0](x)
        for layer in self.layers[1:]:
            outputs = layer(outputs)
        return outputs


def example() -> Network:
    """The post's network, 3-2-1."""
    return Network([W_01, W_12])


def deeper_example() -> Network:
    """Three hidden layers, and no two layers of the same width: 4-5-3-6-2."""
    random, widths = Random(3), (4, 5, 3, 6, 2)
    sizes = pairwise(widths)
    return Network([[[random.uniform(-1.4, 1.4) for _ in range(n)] for _ in range(m)] for m, n in sizes])


def weight_matrix(layer: nn.Layer) -> Matrix:
    """W^(l-1→l): w_ij, in row i and column j, leads from unit i of the layer before to unit j of this one."""
    return transpose([[w.data for w in neuron.w] for neuron in layer.neurons])


# -- node by node


def forward(network: Network, x: Sequence[float]) -> tuple[ByLayer, ByLayer]:
    """h_j^(l) = Σ_i w_ij^(l) v_i^(l-1) and v_j^(l) = f(h_j^(l)), by layer; v^(0) is x, and there is no h^(0)."""
    h: ByLayer = {}
    v: ByLayer = {0: list(x)}
    for l, layer in enumerate(network.layers, start=1):
        W = weight_matrix(layer)
        h[l] = [sum(W[i][j] * v[l - 1][i] for i in range(len(W))) for j in range(len(layer))]
        v[l] = [network.f(h_j) for h_j in h[l]]
    return h, v


def error_terms(network: Network, h: ByLayer, v: ByLayer, y: Sequence[float]) -> ByLayer:
    """δ_j^out = (y_j - ŷ_j) f'(h_j), then δ_j^h = Σ_k w_jk δ_k^(h+1) f'(h_j) for each hidden layer, last one first."""
    f, last = network.f, len(network.layers)
    delta = {last: [(y[j] - v[last][j]) * slope(f, h[last][j]) for j in range(len(y))]}
    for l in range(last - 1, 0, -1):
        W = weight_matrix(network.layers[l])  # the layers count from 0 here: this one leads from l to l + 1
        delta[l] = [
            sum(W[j][k] * delta[l + 1][k] for k in range(len(delta[l + 1]))) * slope(f, h[l][j])
            for j in range(len(h[l]))
        ]
    return delta


def weight_updates(v: ByLayer, delta: ByLayer, eta: float) -> MatrixByLayer:
    """Δw_ij = η δ_j x_i, where x_i is what comes in by this weight: v_i of the layer before."""
    return {l: [[eta * delta_j * x_i for delta_j in delta[l]] for x_i in v[l - 1]] for l in delta}


# -- in vectors: columns, n×1


def forward_in_vectors(network: Network, x: Sequence[float]) -> tuple[MatrixByLayer, MatrixByLayer]:
    """v_in^(l) = Wᵀ v_out^(l-1) and v_out^(l) = f(v_in^(l))."""
    v_in: MatrixByLayer = {}
    v_out = {0: column(x)}
    for l, layer in enumerate(network.layers, start=1):
        v_in[l] = product(transpose(weight_matrix(layer)), v_out[l - 1])
        v_out[l] = elementwise(network.f, v_in[l])
    return v_in, v_out


def error_terms_in_vectors(
    network: Network, v_in: MatrixByLayer, v_out: MatrixByLayer, y: Sequence[float]
) -> MatrixByLayer:
    """δ^(L) = (y - ŷ) ∘ f'(v_in^(L)) and δ^(l) = (W^(l→l+1) δ^(l+1)) ∘ f'(v_in^(l)), ∘ element by element."""
    slopes = {l: elementwise(lambda h: slope(network.f, h), v_in[l]) for l in v_in}
    last = len(network.layers)
    delta = {last: times(subtract(column(y), v_out[last]), slopes[last])}
    for l in range(last - 1, 0, -1):
        delta[l] = times(product(weight_matrix(network.layers[l]), delta[l + 1]), slopes[l])
    return delta


def weight_updates_in_vectors(v_out: MatrixByLayer, delta: MatrixByLayer, eta: float) -> MatrixByLayer:
    """ΔW^(l) = η v_out^(l-1) δ^(l)ᵀ, the line before which the post breaks off: a column by a row, as W is."""
    return {l: scaled(eta, product(v_out[l - 1], transpose(delta[l]))) for l in delta}


# -- by the engine


def recorded_updates(network: Network, x: Sequence[float], y: Sequence[float], eta: float) -> MatrixByLayer:
    """-η ∂E/∂w for every weight, from one backward pass through E = ½ Σ_j (y_j - ŷ_j)²."""
    network.zero_grad()
    nn.half_squared_error(network(x), y).backward()
    gradients = [[[w.grad or 0.0 for w in neuron.w] for neuron in layer.neurons] for layer in network.layers]
    return {l: scaled(-eta, transpose(dE_dW)) for l, dE_dW in enumerate(gradients, start=1)}


def update(network: Network, updates: MatrixByLayer) -> None:
    """w ← w + Δw."""
    for l, layer in enumerate(network.layers, start=1):
        for neuron, changes in zip(layer.neurons, transpose(updates[l]), strict=True):
            for w, change in zip(neuron.w, changes, strict=True):
                w.data += change


# -- the three side by side


def by_node(network: Network, x: Sequence[float], y: Sequence[float], eta: float) -> dict[str, float]:
    """Every h, v, δ and Δw of a pass forward and back, by its name."""
    h, v = forward(network, x)
    delta = error_terms(network, h, v, y)
    outputs = {l: v[l] for l in h}
    return _units("h", h) | _units("v", outputs) | _units("δ", delta) | _weights(weight_updates(v, delta, eta))


def in_vectors(network: Network, x: Sequence[float], y: Sequence[float], eta: float) -> dict[str, float]:
    """The same numbers, in vectors."""
    v_in, v_out = forward_in_vectors(network, x)
    delta = error_terms_in_vectors(network, v_in, v_out, y)
    columns = {"h": v_in, "v": {l: v_out[l] for l in v_in}, "δ": delta}
    numbers: dict[str, float] = {}
    for letter, vectors in columns.items():
        numbers |= _units(letter, {l: transpose(vector)[0] for l, vector in vectors.items()})
    return numbers | _weights(weight_updates_in_vectors(v_out, delta, eta))


def by_engine(network: Network, x: Sequence[float], y: Sequence[float], eta: float) -> dict[str, float]:
    """The same numbers, as recorded: z.data, a.data, δ = -∂E/∂z and -η ∂E/∂w."""
    updates = _weights(recorded_updates(network, x, y, eta))
    E = nn.half_squared_error(network(x), y)
    E.backward()
    nodes = {node.label: node for node in topological_order(E)}
    layers = dict(enumerate(network.layers, start=1))
    a = {l: [nodes[f"{neuron.path}.a"] for neuron in layer.neurons] for l, layer in layers.items()}
    # where f is the identity, z and a are one node
    z = {
        l: [nodes.get(f"{neuron.path}.z", node) for neuron, node in zip(layers[l].neurons, a[l], strict=True)]
        for l in a
    }
    numbers = _units("h", {l: [node.data for node in z[l]] for l in z})
    numbers |= _units("v", {l: [node.data for node in a[l]] for l in a})
    return numbers | _units("δ", {l: [-(node.grad or 0.0) for node in z[l]] for l in reversed(z)}) | updates


def _units(letter: str, by_layer: ByLayer) -> dict[str, float]:
    return {f"{letter}_{j}^({l})": number for l in by_layer for j, number in enumerate(by_layer[l], start=1)}


def _weights(updates: MatrixByLayer) -> dict[str, float]:
    return {
        f"Δw_{i}{j}^({l})": change
        for l in sorted(updates)
        for i, row in enumerate(updates[l], start=1)
        for j, change in enumerate(row, start=1)
    }


def largest_difference(ours: dict[str, float], engine: dict[str, float]) -> float:
    """The largest relative difference, |a - b| / max(|a|, |b|); both must name the same numbers, else ValueError."""
    if ours.keys() != engine.keys():
        raise ValueError(f"only one of the two has {', '.join(sorted(ours.keys() ^ engine.keys()))}")
    pairs = [(ours[name], engine[name]) for name in ours]
    return max(abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0 for a, b in pairs)


# -- the pictures


def pictures(folder: str | Path = "out") -> list[Path]:
    """Draws the 3-2-1 network after backprop: a circle for each neuron, as the post did, and all nodes of its graph.

    Raises RuntimeError without Graphviz, OSError.
    """
    E = nn.half_squared_error(example()(X), Y)
    E.backward()
    drawings = {"network": draw(E, depth="neuron"), "graph": draw(E)}
    return [drawing.save(Path(folder) / f"worked_example-{name}.svg") for name, drawing in drawings.items()]


# -- the report


def print_example() -> None:
    print(f"A 3-2-1 network without biases, f the sigmoid; x = {X}, y = {Y[0]}, η = {ETA}\n")
    print(f"{'':12}{'node by node':>18}{'in vectors':>18}{'engine':>18}")
    columns = [way(example(), X, Y, ETA) for way in (by_node, in_vectors, by_engine)]
    for name in columns[0]:
        print(f"{name:12}" + "".join(f"{numbers[name]:18.12f}" for numbers in columns))
    differences = [largest_difference(by_hand, columns[-1]) for by_hand in columns[:-1]]
    print(f"\nLargest relative difference: {max(differences):.0e}. In the engine's column Δw is -η ∂E/∂w.")


def print_update() -> None:
    network = example()
    before = nn.half_squared_error(network(X), Y).data
    update(network, recorded_updates(network, X, Y, ETA))
    after = nn.half_squared_error(network(X), Y).data
    print(f"\nw ← w + Δw takes E = ½(y - ŷ)² from {before:.9f} to {after:.9f}.")


def print_deeper_example() -> None:
    given = (deeper_example(), DEEPER_X, DEEPER_Y, ETA)
    engine = by_engine(*given)
    difference = max(largest_difference(way(*given), engine) for way in (by_node, in_vectors))
    print("\nRepeated for each hidden layer of a 4-5-3-6-2 network:")
    print(f"{len(engine)} numbers by node and in vectors, largest relative difference {difference:.0e}.")


def main() -> None:
    print_example()
    print_update()
    print_deeper_example()
    try:
        print("\nDrawn: {}, and the whole graph, {}".format(*pictures()))
    except RuntimeError as error:
        print(f"\nLeft out, the pictures: {error}")


if __name__ == "__main__":
    raise SystemExit(program(main, "out"))
