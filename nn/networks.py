"""Networks of Values: a neuron is g(Σ(w·x, b)), a layer a row of neurons, an MLP layers one after another.

Everything stays a scalar with a name: parameters, and the nodes z and a of each neuron, are labelled by the expression
that reaches them from the model, such as hidden[2].w[3]. Next: losses.py, optimizers.py, training.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from engine import Value
from engine.operations import FUNCTIONS
from engine.rules import TABLE
from nn.module import Module, Operand, check_row, check_size, random_from, total_of

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"identity": lambda z: z} | {
    rule.name: FUNCTIONS[rule.name] for rule in TABLE if rule.operands == ("x",)
}
RECTIFIERS = ("relu", "leaky_relu", "elu", "silu", "gelu")  # they pass on half of what comes


class Neuron(Module):
    """One neuron, a = g(z), z = Σ(w·x, b): .w its weights in input order, .b its bias (None without).

    Weights are drawn evenly from ±√(3/inputs), times √2 before a rectifier; biases from ±1/√inputs (LeCun et al.,
    Efficient BackProp, 1998; He et al., Delving deep into rectifiers, 2015). seed is an int, or a random.Random to go
    on with. Raises ValueError for a size below 1 or an unknown activation.
    """

    def __init__(self, inputs: int, activation: str = "tanh", bias: bool = True, seed: int | Random = 0) -> None:
        check_size("inputs", inputs)
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            raise ValueError(f"activation {activation!r} is unknown; there are {', '.join(ACTIVATIONS)}")
        random = random_from(seed)
        bound = math.sqrt((6 if activation in RECTIFIERS else 3) / inputs)
        self.w = [Value(random.uniform(-bound, bound)) for _ in range(inputs)]
        self.b = Value(random.uniform(-1, 1) / math.sqrt(inputs)) if bias else None
        self.activation = activation

    def __call__(self, x: Sequence[Operand]) -> list[Value]:
        return [self.activate(check_row(self, x, len(self.w)))]

    def activate(self, x: Sequence[Operand]) -> Value:
        """The output for a row that has been checked."""
        products = [w * xi for w, xi in zip(self.w, x, strict=True)]
        z = total_of(products if self.b is None else [*products, self.b])
        a: Value = ACTIVATIONS[self.activation](z)
        if self.path:
            z.label = f"{self.path}.z"
            a.label = f"{self.path}.a"  # of a linear neuron, where a is z, this is the name
        return a

    @property
    def arguments(self) -> dict[str, Any]:
        return {"inputs": len(self.w), "activation": self.activation, "bias": self.b is not None}


class Layer(Module):
    """A row of neurons over the same inputs, D numbers in and a number from each neuron; layer[i] is the i-th.

    seed is Neuron's, for all of them in turn. Raises ValueError as Neuron does.

    >>> [y.label for y in Layer(3, 2)([0.7, -1.3, 0.4])]
    ['[0].a', '[1].a']
    """

    indexed = "neurons"

    def __init__(
        self, inputs: int, neurons: int, activation: str = "tanh", bias: bool = True, seed: int | Random = 0
    ) -> None:
        check_size("neurons", neurons)
        random = random_from(seed)
        self.neurons = [Neuron(inputs, activation, bias, random) for _ in range(neurons)]

    def __call__(self, x: Sequence[Operand]) -> list[Value]:
        x = check_row(self, x, len(self.neurons[0].w))
        return [neuron.activate(x) for neuron in self.neurons]

    def __getitem__(self, i: int) -> Neuron:
        return self.neurons[i]

    def __len__(self) -> int:
        return len(self.neurons)

    def __iter__(self) -> Iterator[Neuron]:
        return iter(self.neurons)

    @property
    def arguments(self) -> dict[str, Any]:
        inputs, activation, bias = self.neurons[0].arguments.values()
        return {"inputs": inputs, "neurons": len(self), "activation": activation, "bias": bias}


class MLP(Module):
    """Layers one after another (equation (8) of the derivation), the last one linear: .layers.

    D inputs, sizes[0] neurons in the first layer, …, K = sizes[-1] outputs. activation is one for all hidden layers, or
    a list: one for each hidden layer, or for each layer, and then the last one's needn't be "identity". Raises
    ValueError for sizes that aren't a list of whole numbers from 1 up, an unknown activation, or too many or too few.

    >>> model = MLP(2, [3, 1], seed=4)
    >>> [y] = model([0.5, -1.5])
    >>> len(model.parameters()), model.layers[1][0].b.label
    (13, 'layers[1][0].b')
    """

    def __init__(
        self, inputs: int, sizes: Sequence[int], activation: str | Sequence[str] = "relu", seed: int | Random = 0
    ) -> None:
        if not isinstance(sizes, (list, tuple)) or not sizes:
            raise ValueError(f"sizes is the list of the layers' neurons, such as [16, 16, 1]; given was {sizes!r}")
        random = random_from(seed)
        hidden = len(sizes) - 1
        activations = [activation] * hidden if isinstance(activation, str) else list(activation)
        if len(activations) not in (hidden, hidden + 1):
            raise ValueError(
                f"{len(activations)} activations were given for {hidden} hidden layers: one for each of these is "
                "expected, or one for each layer"
            )
        self.layers = [
            Layer(inputs, neurons, activation, seed=random)
            for inputs, neurons, activation in zip([inputs, *sizes], sizes, [*activations, "identity"], strict=False)
        ]

    def __call__(self, x: Sequence[Operand]) -> list[Value]:
        outputs = self.layers[0](x)
        for layer in self.layers[1:]:
            outputs = layer(outputs)
        return outputs

    @property
    def arguments(self) -> dict[str, Any]:
        *hidden, last = activations = [layer.arguments["activation"] for layer in self.layers]
        given = activations if last != "identity" else hidden if len(set(hidden)) > 1 else activations[0]
        inputs = self.layers[0].arguments["inputs"]
        return {"inputs": inputs, "sizes": [len(layer) for layer in self.layers], "activation": given}


class RegressionMLP(Module):
    """The 2-layer regression network of the derivation, equations (1) to (10): Y = W2ᵀ g(W1ᵀ X + B1) + B2.

    D inputs, n hidden neurons with activation g, K linear outputs: .hidden and .output are its two layers.
    Raises ValueError for a size below 1 or an unknown activation.

    >>> model = RegressionMLP(inputs=2, hidden=1, seed=7)
    >>> model
    RegressionMLP(inputs=2, hidden=1, outputs=1, activation='tanh')
    >>> [parameter.label for parameter in model.parameters()]
    ['hidden[0].w[0]', 'hidden[0].w[1]', 'hidden[0].b', 'output[0].w[0]', 'output[0].b']
    >>> [y] = model([0.5, -1.5])
    >>> y.label, round(y.data, 6)
    ('output[0].a', -1.197016)
    """

    def __init__(
        self, inputs: int, hidden: int, outputs: int = 1, activation: str = "tanh", seed: int | Random = 0
    ) -> None:
        check_size("hidden", hidden)
        check_size("outputs", outputs)
        random = random_from(seed)
        self.hidden = Layer(inputs, hidden, activation, seed=random)
        self.output = Layer(hidden, outputs, "identity", seed=random)

    @property
    def layers(self) -> list[Layer]:
        return [self.hidden, self.output]

    def __call__(self, x: Sequence[Operand]) -> list[Value]:
        return self.output(self.hidden(x))

    @property
    def arguments(self) -> dict[str, Any]:
        inputs, hidden, activation, _ = self.hidden.arguments.values()
        return {"inputs": inputs, "hidden": hidden, "outputs": len(self.output), "activation": activation}
