"""Neurons are found by their parameters' labels; folded, a network is a box a layer, or a diagram of circles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations

import pytest

import nn
from engine import Stepper, Value, draw, topological_order, total
from engine.pictures.dot import dot_source
from engine.pictures.labels import curve
from engine.pictures.layout import laid_out
from engine.pictures.neurons import layer_of, neurons_of
from engine.pictures.picture import size
from engine.text.names import number_text
from tests.pictures.reading import NAMESPACE, Drawn, deep_network, groups, notes, parsed, regression, two_samples


def boxes(E: Value, depth: str) -> dict[str, Drawn]:
    """Boxes by their names."""
    return {box.texts["name"]: box for box in groups(draw(E, depth=depth).svg(), "node").values()}


def mlp(sizes: list[int], activation: str = "relu") -> Value:
    E = nn.half_squared_error(nn.MLP(2, sizes, activation=activation)([0.7, -1.3]), [0.35] * sizes[-1])
    E.backward()
    return E


class Line(nn.Module):
    """A module of one's own: labels only, no nn.Neuron."""

    def __init__(self, inputs: int, neurons: int) -> None:
        self.units = [Unit(inputs, i) for i in range(neurons)]

    def __call__(self, x: list[float | Value]) -> list[Value]:  # type: ignore[override]
        return [y for unit in self.units for y in unit(x)]


class Unit(nn.Module):
    def __init__(self, inputs: int, i: int) -> None:
        self.w = [Value(0.3 * k - 0.4 * i + 0.25) for k in range(inputs)]
        self.b = Value(0.15 - i)

    def __call__(self, x: list[float | Value]) -> list[Value]:  # type: ignore[override]
        z = self.w[0] * x[0]
        for w, each in zip(self.w[1:], x[1:], strict=True):
            z = z + each * w
        return [(z + self.b).sigmoid()]


# -- which nodes are whose


def test_a_neuron_is_its_parameters_products_sum_and_activation() -> None:
    E = regression()
    neurons = neurons_of(topological_order(E))
    for i in range(4):
        members = [node for node in neurons if neurons[node] == f"hidden[{i}]"]
        assert sorted(node.op or "leaf" for node in members) == sorted(["leaf"] * 4 + ["mul"] * 3 + ["total", "tanh"])
    output = [node for node in neurons if neurons[node] == "output[0]"]
    assert sorted(node.op or "leaf" for node in output) == sorted(["leaf"] * 5 + ["mul"] * 4 + ["total"])
    assert sum(node.rule is not None for node in topological_order(E) if node not in neurons) == 3  # the loss


def test_what_is_made_of_outputs_is_no_neuron() -> None:
    [y] = nn.MLP(2, [3, 1])([0.7, -1.3])
    [a] = nn.Neuron(2, seed=3)([0.7, -1.3])
    for E in (y.exp(), -y, y * y, y + 1.5, a.tanh()):
        assert E not in neurons_of(topological_order(E))


def test_a_penalty_on_weights_is_no_neuron() -> None:
    model = nn.MLP(2, [2])
    squares = [w * w for w in model.parameters()]
    sizes = [abs(w) for w in model.parameters()]
    E = total(squares + sizes + model([0.7, -1.3]))
    outside = [node for node in topological_order(E) if node not in neurons_of(topological_order(E))]
    assert set(outside) == {*squares, *sizes, E}


@pytest.mark.parametrize(
    "path, layer",
    [("hidden[2]", "hidden"), ("layers[1][0]", "layers[1]"), ("[3]", "layer"), ("neuron", "neuron"), ("a.b[0]", "a.b")],
)
def test_the_layer_of_a_neuron(path: str, layer: str) -> None:
    assert layer_of(path) == layer


def test_the_whole_graph_has_clusters() -> None:
    svg = draw(regression()).svg()
    names = [each.text for each in parsed(svg).iter() if each.get("class") == "cluster-name"]
    assert sorted(names, key=str) == ["hidden", *(f"hidden[{i}]" for i in range(4)), "output", "output[0]"]
    texts = [box.texts["name"] for box in groups(svg, "node").values()]
    assert texts.count("w[0]") == 5 and texts.count("a = tanh(z)") == 4 and "v4 = w[0]·hidden[0].a" in texts


@pytest.mark.parametrize("make", [regression, deep_network, two_samples])
def test_lines_pass_no_box(make: Callable[[], Value]) -> None:
    picture = draw(make()).picture
    layout = laid_out(dot_source(picture, bare=True))
    for arrow in picture.arrows:
        for x, y in curve(layout.edges[arrow.id].points):
            for box in picture.boxes:
                (left, top), (width, height) = layout.nodes[box.id], size(box)
                inside = abs(x - left) < width / 2 - 2 and abs(y - top) < height / 2 - 2
                assert not inside or box.id in (arrow.tail, arrow.head), (arrow.id, box.name)


@pytest.mark.parametrize("make", [regression, deep_network])
def test_weights_stand_in_their_order(make: Callable[[], Value]) -> None:
    picture = draw(make()).picture
    layout = laid_out(dot_source(picture, bare=True))
    for group in {box.groups for box in picture.boxes if box.groups}:
        weights = [box for box in picture.boxes if box.groups == group and box.name.startswith("w[")]
        downwards = sorted(weights, key=lambda box: layout.nodes[box.id][1])
        assert [box.name for box in downwards] == sorted(box.name for box in weights)


def test_boxes_are_within_their_clusters_and_no_others() -> None:
    E = regression()
    order, svg = topological_order(E), draw(E).svg()
    rectangles = {}
    for group in parsed(svg).iter(f"{NAMESPACE}g"):
        if group.get("class") == "cluster":
            rectangles[group.findtext(f"{NAMESPACE}text")] = [
                float(group[0].get(name) or 0) for name in ("x", "y", "width", "height")
            ]
    for i, node in enumerate(order):
        box = groups(svg, "node")[f"n{i}"].shape("box")
        x, y = float(box["x"]) + float(box["width"]) / 2, float(box["y"]) + float(box["height"]) / 2
        around = {
            name
            for name, (left, top, width, height) in rectangles.items()
            if left < x < left + width and top < y < top + height
        }
        neuron = neurons_of(order).get(node)
        assert around == ({neuron, layer_of(neuron)} if neuron else set())


# -- by layer


@pytest.mark.parametrize("hidden", [1, 4, 50])
def test_a_layer_is_one_box_with_its_counts(hidden: int) -> None:
    E = regression(hidden)
    found = boxes(E, "layer")
    label = {
        box: [text.text or "" for text in found[box].element.iter() if text.get("class") == "count"]
        for box in ("hidden", "output")
    }
    assert label["hidden"] == [str(hidden), str(4 * hidden), str(9 * hidden)]
    assert label["output"] == ["1", str(hidden + 1), str(2 * hidden + 2)]
    assert found["x"].texts["count"] == "3 inputs" and len(found) == 3 + 3 + 3  # the loss, and its constants
    folded = sum(int(counts[2]) for counts in label.values())
    assert folded + 3 == len(topological_order(E))


def test_layers_follow_each_other() -> None:
    drawing = draw(mlp([4, 3, 2]), depth="layer")
    names = {box.id: box.name for box in drawing.picture.boxes}
    ways = [(names[arrow.tail], names[arrow.head], arrow.label) for arrow in drawing.picture.arrows]
    assert ways[:3] == [
        ("x", "layers[0]", ""), ("layers[0]", "layers[1]", "4 values"), ("layers[1]", "layers[2]", "3 values"),
    ]  # fmt: skip


@pytest.mark.filterwarnings("error")
def test_a_whole_network_folds_where_its_graph_is_refused() -> None:
    E = mlp([40, 30, 1])
    with pytest.raises(ValueError, match="depth='layer'"):
        draw(E)
    assert len(draw(E, depth="layer").picture.boxes) == 1 + 3 + 3 + 3


# -- by neuron


def test_the_diagram_has_a_circle_for_each_input_and_neuron() -> None:
    E = regression()
    found = boxes(E, "neuron")
    circles = [name for name, box in found.items() if "r" in box.shape("box")]
    assert circles == ["x[0]", "x[1]", "x[2]", *(f"hidden[{i}]" for i in range(4)), "output[0]"]
    nodes = {node.label: node for node in topological_order(E)}
    for i in range(4):
        texts = found[f"hidden[{i}]"].texts
        assert texts["activation"] == "tanh"
        assert texts["bias"] == f"b {number_text(nodes[f'hidden[{i}].b'].data)}"
        assert texts["data"] == f"a {number_text(nodes[f'hidden[{i}].a'].data)}"
    assert found["output[0]"].texts["activation"] == "Σ" and found["x[1]"].texts["data"] == "-1.3"


def test_each_weight_is_a_line_by_its_sign_and_size() -> None:
    E = regression()
    nodes = {node.label: node for node in topological_order(E)}
    drawing = draw(E, depth="neuron")
    names = {box.id: box.name for box in drawing.picture.boxes}
    lines = {(names[a.tail], names[a.head]): a for a in drawing.picture.arrows if "weight" in a.marks}
    weights = {(f"x[{k}]", f"hidden[{i}]"): nodes[f"hidden[{i}].w[{k}]"].data for i in range(4) for k in range(3)}
    weights |= {(f"hidden[{i}]", "output[0]"): nodes[f"output[0].w[{i}]"].data for i in range(4)}
    assert set(lines) == set(weights)
    largest = max(map(abs, weights.values()))
    for way, line in lines.items():
        assert line.label == number_text(weights[way]) and line.strength == abs(weights[way]) / largest
        assert line.colour == ("#0072b2" if weights[way] > 0 else "#d55e00")


@pytest.mark.parametrize("sizes", [[4, 1], [3, 3, 2], [2], [5, 2], [6, 3, 1]])
def test_layers_are_columns_in_order(sizes: list[int]) -> None:
    svg = draw(mlp(sizes), depth="neuron").svg()
    places = {}
    for box in groups(svg, "node").values():
        if "r" in box.shape("box"):
            places[box.texts["name"]] = float(box.shape("box")["cx"]), float(box.shape("box")["cy"])
    columns = [[f"x[{i}]" for i in range(2)]]
    columns += [[f"layers[{k}][{i}]" for i in range(size)] for k, size in enumerate(sizes)]
    lefts = []
    for column in columns:
        [x] = {places[name][0] for name in column}
        lefts.append(x)
        assert [places[name][1] for name in column] == sorted(places[name][1] for name in column)
    assert lefts == sorted(lefts) and len(set(lefts)) == len(lefts)


SIZES: list[list[int]] = [[4, 1], [3, 3, 2], [2], [5, 2], [6, 3, 1], [8, 2]]
NETWORKS: dict[str, Callable[[], Value]] = {str(sizes): partial(mlp, sizes) for sizes in SIZES}
NETWORKS["two samples"] = two_samples


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_no_weight_covers_another_or_a_circle(make: Callable[[], Value]) -> None:
    svg = draw(make(), depth="neuron").svg()
    labels = [group[0].attrib for group in parsed(svg).iter(f"{NAMESPACE}g") if group.get("class") == "on-line"]
    assert labels
    spans = [[float(label[name]) for name in ("x", "y", "width", "height")] for label in labels]
    for (x, y, width, height), (x2, y2, width2, height2) in combinations(spans, 2):
        assert x + width <= x2 or x2 + width2 <= x or y + height <= y2 + 2 or y2 + height2 <= y + 2
    for box in groups(svg, "node").values():
        if "r" not in (shape := box.shape("box")):
            left, top, wide, high = (float(shape[name]) for name in ("x", "y", "width", "height"))
            for x, y, width, height in spans:
                assert x + width <= left or left + wide <= x or y + height <= top or top + high <= y
        else:
            circle = shape
            cx, cy, r = (float(circle[name]) for name in ("cx", "cy", "r"))
            for x, y, width, height in spans:
                dx, dy = max(x - cx, 0, cx - x - width), max(y - cy, 0, cy - y - height)
                assert dx * dx + dy * dy >= (r - 4) ** 2


@pytest.mark.parametrize("hidden, least", [(3, 190), (12, 500), (20, 180)])
def test_columns_are_as_far_apart_as_the_numbers_between_them_need(hidden: int, least: float) -> None:
    svg = draw(regression(hidden), depth="neuron").svg()
    lefts = {box.texts["name"]: box.shape("box") for box in groups(svg, "node").values() if "r" in box.shape("box")}
    (x, r), (x2, r2) = ((float(lefts[name]["cx"]), float(lefts[name]["r"])) for name in ("x[0]", "hidden[0]"))
    assert least <= x2 - r2 - x - r < least + 60


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_circle_has_the_tint_of_its_output(activation: str) -> None:
    """That of the same node in the whole graph: by the sign of its gradient, and its size beside the largest."""
    E = mlp([3, 2, 1], activation)
    whole = groups(draw(E).svg(), "node")
    circles = [box for box in groups(draw(E, depth="neuron").svg(), "node").values() if "neuron" in box.classes]
    fills = [circle.shape("box")["fill"] for circle in circles]
    assert len(circles) == 6 and fills == [whole[circle.id].shape("box")["fill"] for circle in circles]
    assert len({*fills}) > 3


def test_many_weights_have_no_numbers() -> None:
    picture = draw(regression(hidden=20), depth="neuron").picture
    assert len([a for a in picture.arrows if "weight" in a.marks]) == 80 and not any(
        a.label for a in picture.arrows if "weight" in a.marks
    )


def test_two_samples_share_their_neurons() -> None:
    model = nn.RegressionMLP(inputs=2, hidden=2)
    E = nn.half_mean_squared_error([model([0.7, -1.3]), model([0.4, 0.9])], [[0.35], [0.1]])
    found = boxes(E, "neuron")
    assert found["hidden[0]"].texts["count"] == "2 outputs"
    assert len([box for box in groups(draw(E, depth="neuron").svg(), "node").values() if "neuron" in box.classes]) == 3


# -- networks that nn didn't make


@pytest.mark.parametrize("depth, circles", [("neuron", ["units[0]", "units[1]", "units[2]"]), ("layer", ["units"])])
def test_modules_of_ones_own_fold_by_their_labels(depth: str, circles: list[str]) -> None:
    x1, x2 = Value(0.7, label="x1"), Value(-1.3, label="x2")
    E = total(Line(2, 3)([x1, x2]))
    E.label = "E"
    assert sorted(box.name for box in draw(E, depth=depth).picture.boxes) == sorted(["x1", "x2", *circles, "E"])


def test_one_neuron_alone() -> None:
    [a] = nn.Neuron(2, activation="relu")([0.7, -1.3])
    assert list(boxes(a, "neuron")) == ["x[0]", "x[1]", "neuron"]
    assert list(boxes(a, "layer")) == ["x", "neuron"]


def test_a_layer_alone() -> None:
    E = total(nn.Layer(2, 3)([0.7, -1.3]))
    assert list(boxes(E, "neuron"))[:5] == ["x[0]", "x[1]", "[0]", "[1]", "[2]"]
    assert list(boxes(E, "layer"))[:2] == ["x", "layer"]


def test_a_stepper_is_drawn_folded_with_its_step() -> None:
    stepper = Stepper(regression()).step(3)
    assert notes(draw(stepper, depth="neuron").svg())[0].startswith(f"step 3 of {len(stepper)}: ")


def test_a_stale_network_is_said_to_be() -> None:
    model = nn.RegressionMLP(inputs=2, hidden=2)
    [y] = model([0.7, -1.3])
    model.hidden[0].w[0].data = 0.9
    assert notes(draw(y, depth="layer").svg())[0].startswith("stale: hidden[0].w[0] was set")


def test_a_neuron_that_reads_itself() -> None:
    cell = nn.Layer(2, 2)
    E = total(cell(cell([0.7, -1.3])))
    for depth in ("neuron", "layer"):
        assert (
            len([box for box in groups(draw(E, depth=depth).svg(), "node").values() if "constant" not in box.classes])
            >= 2
        )


def test_a_weight_without_its_neuron_is_no_neuron() -> None:
    w = Value(0.7, label="hidden[0].w[0]")
    assert not neurons_of(topological_order(w**2))
    with pytest.raises(ValueError, match="this graph has none"):
        draw(w**2, depth="neuron")
    assert "parameter" in groups(draw(w**2).svg(), "node")["n0"].classes
