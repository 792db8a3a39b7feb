"""Models handed over to PyTorch and taken back: the same weights in float64, the same numbers, the optimizer too.

The names in state_dict are our labels: `layers.0.weight[i, j]` is `layers[0][i].w[j]`. Activations are read from the
table, since torch's own lose the digits of their tails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import torch

from engine import Value
from engine.readings.arrays import read
from engine.rules import RULES, TABLE, Rule
from nn.module import Module
from nn.networks import MLP, Layer, Neuron, RegressionMLP
from nn.optimizers import SGD, Adam, AdamW, Optimizer
from nn.rates import is_scheduled

Tensor: TypeAlias = Any
Stage: TypeAlias = tuple[Any, str]  # a Linear, and the name of the activation after it


# -- activations, read from the table


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, torch.Tensor) else torch.tensor(x, dtype=torch.float64)


def _of_tensors(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *operands: function(*torch.broadcast_tensors(*map(_tensor, operands)))


NUMBERS: dict[str, Any] = {  # what the formulas of values call; autograd differentiates none of it
    rule.name: _of_tensors(getattr(torch, rule.name)) for rule in TABLE if hasattr(torch, rule.name)
}
NUMBERS |= {"complex": _of_tensors(torch.complex), "where": _of_tensors(torch.where), "pi": math.pi}


def value(rule: Rule, *operands: Tensor) -> Tensor:
    """The row's formula for its value, over tensors."""
    return read(rule.value, NUMBERS | dict(zip(rule.operands, operands, strict=True)))


NUMBERS |= {rule.name: partial(value, rule) for rule in TABLE if rule.value != rule.typed}


class Row(torch.autograd.Function):
    """A row of the table for autograd: its value, and the table's partials, which are made of rows again."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rule: Rule, *operands: Tensor) -> Tensor:
        return value(rule, *operands)

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        context.rule = inputs[0]
        context.save_for_backward(*inputs[1:], output)
        context.save_for_forward(*inputs[1:], output)

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        needed = context.needs_input_grad[1:]
        return None, *(
            upstream * slope() if need else None for slope, need in zip(_slopes(context), needed, strict=True)
        )

    @staticmethod
    def jvp(context: Any, _: None, *tangents: Tensor | None) -> Tensor:
        moved = zip(_slopes(context), tangents, strict=True)
        return sum(tangent * slope() for slope, tangent in moved if tangent is not None)


def _slopes(context: Any) -> list[Callable[[], Tensor]]:
    """The partials at the saved operands, each computed if it is asked for."""
    names = ROWS | dict(zip([*context.rule.operands, "z"], context.saved_tensors, strict=True))
    return [partial(read, formula, names) for formula in context.rule.partials]


def _row(name: str) -> Callable[..., Tensor]:
    return _of_tensors(lambda *operands: Row.apply(RULES[name], *operands))


ROWS: dict[str, Any] = {rule.name: _row(rule.name) for rule in TABLE if not rule.many}
ROWS |= {"Div": ROWS["div"], "pi": math.pi}


def activation(name: str, native: bool = False) -> Callable[[Tensor], Tensor]:
    """The activation as a function of tensors: the table's, or torch's own if there is one."""
    if name == "identity":
        return lambda x: x
    own = getattr(torch.nn.functional, name, getattr(torch, name, None)) if native else None
    found: Callable[[Tensor], Tensor] = own or ROWS[name]
    return found


# -- models


class Dense(torch.nn.Linear):
    """A layer of neurons: the activation of x·Wᵀ + b, for a tensor of rows."""

    def __init__(self, neurons: Sequence[Neuron], native: bool) -> None:
        self.activation = _one_of({neuron.activation for neuron in neurons}, "activations")
        bias = _one_of({neuron.b is not None for neuron in neurons}, "kinds, with a bias and without,")
        super().__init__(len(neurons[0].w), len(neurons), bias=bias, dtype=torch.float64)
        self.native = native
        for tensor, values in self.pairs(neurons):
            tensor.data = _table(values, lambda value: value.data)

    def forward(self, x: Tensor) -> Tensor:
        return activation(self.activation, self.native)(super().forward(x))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, activation={self.activation!r}, native={self.native}"

    def pairs(self, neurons: Sequence[Neuron]) -> Iterator[tuple[Tensor, list[Any]]]:
        """weight and bias, each with the Values that stand for its numbers, in lists of the same shape."""
        yield self.weight, [neuron.w for neuron in neurons]
        if self.bias is not None:
            yield self.bias, [neuron.b for neuron in neurons]


class Network(torch.nn.Module):
    """Layers one after another, under the names that they have in ours: layers, or hidden and output."""

    def __init__(self, model: MLP | RegressionMLP, native: bool) -> None:
        super().__init__()
        if isinstance(model, MLP):
            self.layers = torch.nn.ModuleList([Dense(layer.neurons, native) for layer in model.layers])
        else:
            self.hidden, self.output = (Dense(layer.neurons, native) for layer in model.layers)

    def forward(self, x: Tensor) -> Tensor:
        for dense in _denses(self):
            x = dense(x)
        return x


def to_torch(model: Module, optimizer: Optimizer | None = None, native: bool = False) -> Any:
    """The model as a torch.nn.Module of float64 with the same weights, from rows (M, D) to outputs (M, K).

    With an optimizer of it, SGD, Adam or AdamW, (module, torch's optimizer), with the state of ours: training goes on
    as it would have here. Activations are the table's; native=True takes torch's own, which are faster and lose the
    tails: the derivatives of tanh at 20 and of sigmoid at 40 become 0. Raises ValueError for a model of one's own,
    whose call torch can't know, for an optimizer that torch hasn't got, and for learning rates that are functions of
    the epoch, which torch keeps apart.

    >>> import nn
    >>> model = nn.RegressionMLP(inputs=2, hidden=3)
    >>> [tuple(tensor.shape) for tensor in to_torch(model).state_dict().values()]
    [(3, 2), (3,), (1, 3), (1,)]
    """
    if isinstance(model, (MLP, RegressionMLP)):
        module: Any = Network(model, native)
    elif isinstance(model, (Layer, Neuron)):
        module = Dense(_layers(model)[0], native)
    else:
        raise ValueError(f"to_torch takes nn's own models, MLP, RegressionMLP, Layer and Neuron; given was {model!r}")
    return module if optimizer is None else (module, _optimizer_to_torch(module, model, optimizer))


def from_torch(module: Any, optimizer: Any = None) -> Any:
    """The model that a module of torch stands for: what to_torch gave, a Linear, or a Sequential of Linear and Tanh, ….

    A Linear becomes a Layer, a Sequential an MLP. With an optimizer of torch, SGD, Adam or AdamW, (model, optimizer),
    with its state and its present learning rates: a scheduler stays behind. Raises ValueError for what has no
    counterpart here.

    >>> from_torch(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)))
    MLP(inputs=2, sizes=[3, 1], activation='tanh')
    """
    stages = list(_stages(module))
    if not stages:
        raise ValueError(f"from_torch needs at least one Linear; given was {module!r}")
    linears, activations = zip(*stages, strict=True)
    model = _of_shape(module, linears, activations)
    for linear, neurons in zip(linears, _layers(model), strict=True):
        for tensor, values in Dense.pairs(linear, neurons):
            _assign(values, tensor.detach().double().tolist())
    return model if optimizer is None else (model, _optimizer_from_torch(linears, model, optimizer))


def _layers(model: Module) -> list[list[Neuron]]:
    if isinstance(model, Neuron):
        return [[model]]
    return [layer.neurons for layer in ([model] if isinstance(model, Layer) else model.layers)]  # type: ignore[attr-defined]


def _denses(module: Any) -> list[Any]:
    return [each for each in module.modules() if isinstance(each, torch.nn.Linear)]


def _one_of(found: set[Any], what: str) -> Any:
    if len(found) > 1:
        raise ValueError(f"a layer of torch is of one kind; this one has neurons of {len(found)} {what}")
    return found.pop()


def _table(values: Any, number: Callable[[Value], float]) -> Tensor:
    rows = [[number(each) for each in row] if isinstance(row, list) else number(row) for row in values]
    return torch.tensor(rows, dtype=torch.float64)


def _assign(values: Any, numbers: Any) -> None:
    for each, number in zip(values, numbers, strict=True):
        if isinstance(each, list):
            _assign(each, number)
        else:
            each.data = number


# -- back from torch

COUNTERPARTS: dict[Any, tuple[str, dict[str, Any]]] = {  # with the settings for which it is the table's row
    torch.nn.Identity: ("identity", {}), torch.nn.Tanh: ("tanh", {}), torch.nn.Sigmoid: ("sigmoid", {}),
    torch.nn.ReLU: ("relu", {}), torch.nn.SiLU: ("silu", {}), torch.nn.GELU: ("gelu", {"approximate": "none"}),
    torch.nn.LeakyReLU: ("leaky_relu", {"negative_slope": 0.01}), torch.nn.Softplus: ("softplus", {"beta": 1}),
}  # fmt: skip


def _stages(module: Any) -> Iterator[Stage]:
    """Each Linear with the activation after it."""
    if isinstance(module, (Network, Dense)):
        yield from ((dense, dense.activation) for dense in _denses(module))
        return
    waiting: list[Any] = []
    for part in [*_flat(module), None]:
        if type(part) is torch.nn.Linear or part is None:
            yield from ((linear, "identity") for linear in waiting)
            waiting = [part]
        else:
            name, settings = COUNTERPARTS.get(type(part), ("", {}))
            if not name or any(getattr(part, setting) != wanted for setting, wanted in settings.items()):
                raise ValueError(f"{part!r} has no counterpart here: Linear and {', '.join(_known())} have one")
            if name != "identity":
                if not waiting:
                    raise ValueError(f"{part!r} has no Linear of its own before it, as activations have here")
                yield waiting.pop(), name


def _known() -> list[str]:
    return [kind.__name__ for kind in COUNTERPARTS]


def _flat(module: Any) -> Iterator[Any]:
    if isinstance(module, torch.nn.Sequential):
        for part in module:
            yield from _flat(part)
    else:
        yield module


def _of_shape(module: Any, linears: Sequence[Any], activations: Sequence[str]) -> Module:
    inputs, sizes = linears[0].in_features, [linear.out_features for linear in linears]
    bare = [linear for linear in linears if linear.bias is None]
    if isinstance(module, torch.nn.Linear):
        return Layer(inputs, sizes[0], activations[0], bias=not bare)
    if bare:
        raise ValueError(f"{bare[0]!r} has no bias; the layers of an MLP have one")
    if hasattr(module, "hidden"):
        return RegressionMLP(inputs, sizes[0], sizes[1], activations[0])
    return MLP(inputs, sizes, list(activations))


# -- optimizers: the same settings, and what they remember of each parameter


SHARED: dict[type[Optimizer], list[str]] = {  # the settings, of the same name on both sides
    SGD: ["momentum", "weight_decay", "nesterov"],
    Adam: ["betas", "eps", "weight_decay"],
    AdamW: ["betas", "eps", "weight_decay"],
}
THEIRS: dict[type[Optimizer], Any] = {SGD: torch.optim.SGD, Adam: torch.optim.Adam, AdamW: torch.optim.AdamW}


def _optimizer_to_torch(module: Any, model: Module, optimizer: Optimizer) -> Any:
    kind = type(optimizer)
    if kind not in THEIRS or set(optimizer.parameters()) != set(model.parameters()):
        raise ValueError(f"to_torch takes SGD, Adam or AdamW of the same model along; given was {optimizer!r}")
    if is_scheduled(optimizer.learning_rate):
        raise ValueError(
            f"torch keeps schedules apart from {kind.__name__}: set optimizer.learning_rate to a number, and give what "
            "to_torch returns to torch.optim.lr_scheduler.LambdaLR"
        )
    rates, layers = optimizer.rates(), list(zip(_denses(module), _layers(model), strict=True))
    groups = [{"params": list(dense.parameters()), "lr": rates[neurons[0].w[0]]} for dense, neurons in layers]
    theirs = THEIRS[kind](groups, **{name: getattr(optimizer, name) for name in SHARED[kind]})
    for dense, neurons in layers:
        for tensor, values in dense.pairs(neurons):
            theirs.state[tensor] = _memory(optimizer, tensor, _flat_list(values))
    return theirs


def _memory(optimizer: Optimizer, tensor: Tensor, parameters: list[Value]) -> dict[str, Tensor]:
    """What torch's optimizer remembers of a tensor, as ours does of these parameters; nothing before the first step."""
    remembered = [optimizer.state[each] for each in parameters if each in optimizer.state]
    if len(remembered) < len(parameters):
        return {}
    columns = [torch.tensor(column, dtype=torch.float64) for column in zip(*remembered, strict=True)]
    if isinstance(optimizer, SGD):
        return {"momentum_buffer": columns[0].reshape(tensor.shape)} if optimizer.momentum else {}
    steps, mean, size = columns  # of which size is the root of torch's
    return {
        "step": steps.max().float(),
        "exp_avg": mean.reshape(tensor.shape),
        "exp_avg_sq": (size**2).reshape(tensor.shape),
    }


def _optimizer_from_torch(linears: Sequence[Any], model: Module, theirs: Any) -> Optimizer:
    kind = next((ours for ours, known in THEIRS.items() if type(theirs) is known), None)
    unknown = ("dampening", "maximize", "amsgrad", *(["decoupled_weight_decay"] if kind is Adam else []))
    if kind is None or any(group.get(name) for group in theirs.param_groups for name in unknown):
        raise ValueError(
            "SGD, Adam and AdamW, without dampening, maximize, amsgrad and decoupled decay of Adam, have counterparts; "
            f"not {theirs!r}"
        )
    groups = {id(tensor): group for group in theirs.param_groups for tensor in group["params"]}
    if missing := [linear for linear in linears if any(id(tensor) not in groups for tensor in linear.parameters())]:
        raise ValueError(f"the optimizer is of another module: it doesn't move {missing[0]!r}")
    rates = [float(groups[id(linear.weight)]["lr"]) for linear in linears]
    settings: dict[str, Any] = {name: theirs.param_groups[0][name] for name in SHARED[kind]}
    alike = all(group[name] == given for group in theirs.param_groups for name, given in settings.items())
    if not alike or any(
        groups[id(tensor)]["lr"] != rate
        for linear, rate in zip(linears, rates, strict=True)
        for tensor in linear.parameters()
    ):
        raise ValueError("an optimizer here has one setting for all, and one learning rate for a layer or for all")
    optimizer = kind(model, learning_rate=rates[0] if len(set(rates)) == 1 else tuple(rates), **settings)
    for linear, neurons in zip(linears, _layers(model), strict=True):
        for tensor, values in Dense.pairs(linear, neurons):
            columns = _columns(theirs.state.get(tensor, {}), tensor)
            optimizer.state |= dict(
                zip(_flat_list(values), map(list, zip(*columns, strict=True)), strict=bool(columns))
            )
    return optimizer


def _flat_list(values: list[Any]) -> list[Value]:
    return [each for row in values for each in (row if isinstance(row, list) else [row])]


def _columns(memory: Mapping[str, Any], tensor: Tensor) -> list[list[float]]:
    """The optimizer's state, a list of numbers for each kind of it; none where there isn't any yet."""
    if memory.get("momentum_buffer") is not None:
        return [memory["momentum_buffer"].flatten().tolist()]
    if "exp_avg" in memory:
        size, count = memory["exp_avg_sq"].sqrt(), tensor.numel()
        return [[float(memory["step"])] * count, memory["exp_avg"].flatten().tolist(), size.flatten().tolist()]
    return []
