"""Reading pictures: an SVG as XML, with nothing in it that isn't on a list; what its boxes and arrows say."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import nn
from engine import Value, label, tanh

NAMESPACE = "{http://www.w3.org/2000/svg}"
SHAPE = {"fill", "stroke", "stroke-width", "stroke-dasharray", "class"}
ALLOWED = {
    "svg": {"width", "height", "viewBox", "role", "aria-labelledby", "font-family", "font-size", "fill"},
    "title": {"id"},
    "desc": {"id"},
    "g": {"id", "class"},
    "rect": SHAPE | {"x", "y", "width", "height", "rx"},
    "circle": SHAPE | {"cx", "cy", "r"},
    "line": SHAPE | {"x1", "y1", "x2", "y2"},
    "path": SHAPE | {"d"},
    "polygon": SHAPE | {"points"},
    "text": {"x", "y", "class", "fill", "text-anchor", "font-size", "font-weight"},
    "tspan": {"font-weight"},
}
PLAIN = re.compile(r"[\w\s.,:#()-]*")  # what stands in attributes: nothing that came from a label


class Drawn(NamedTuple):
    """One <g> of a picture: its id without the prefix, its classes, and its texts by their class."""

    id: str
    classes: set[str]
    texts: dict[str, str]
    tooltip: str
    element: Element

    def shape(self, kind: str) -> dict[str, str]:
        """The attributes of the shape of this class."""
        return dict(next(each for each in self.element if each.get("class") == kind).attrib)


def parsed(svg: str) -> Element:
    """The root of an SVG. AssertionError for an element or an attribute that isn't allowed, or an id used twice."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        tag = element.tag.removeprefix(NAMESPACE)
        assert tag in ALLOWED, f"<{tag}> is not allowed"
        assert set(element.attrib) <= ALLOWED[tag], f"<{tag} {set(element.attrib) - ALLOWED[tag]}> is not allowed"
        assert all(PLAIN.fullmatch(value) for value in element.attrib.values()), element.attrib
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    return root


def groups(svg: str, kind: str) -> dict[str, Drawn]:
    """The boxes ("node") or the arrows ("edge") of an SVG, by their ids without the prefix."""
    found = {}
    for element in parsed(svg).iter(f"{NAMESPACE}g"):
        classes = (element.get("class") or "").split()
        if kind in classes:
            id = (element.get("id") or "").partition("-")[2]
            texts = {text.get("class") or "": "".join(text.itertext()) for text in element.iter(f"{NAMESPACE}text")}
            tooltip = element.findtext(f"{NAMESPACE}title") or ""
            found[id] = Drawn(id, {*classes} - {kind}, texts, tooltip, element)
    return found


def notes(svg: str) -> list[str]:
    """The sentences above the picture."""
    return [element.text or "" for element in parsed(svg).iter() if element.get("class") == "note"]


def readme() -> Value:
    """tanh(w·x + b), as in the README, after backward."""
    x, w, b = Value(1.4, label="x"), Value(0.7, label="w"), Value(-1.3, label="b")
    m = w * x
    s = m + b
    E = tanh(s)
    label(m=m, s=s, E=E)
    E.backward()
    return E


def regression(hidden: int = 4, backward: bool = True) -> Value:
    """The error of a network with three inputs on one sample."""
    E = nn.half_squared_error(nn.RegressionMLP(inputs=3, hidden=hidden)([0.7, -1.3, 0.45]), [0.35])
    if backward:
        E.backward()
    return E


def two_samples() -> Value:
    """Six inputs, three for each sample, and two neurons."""
    model = nn.RegressionMLP(3, 2, 2)
    return nn.half_mean_squared_error([model(x) for x in ([0.1, 0.2, 0.3], [0.4, -0.5, 0.6])], [[0.3, 0.1]] * 2)


def deep_network() -> Value:
    """Three layers over leaves that the whole first layer reads."""
    inputs = [Value(0.3, "p"), Value(-0.2, "q"), Value(0.6, "r")]
    return nn.half_squared_error(nn.MLP(3, [4, 3, 2], seed=1)(inputs), [1.1, -0.9])
