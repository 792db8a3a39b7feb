"""A picture as DOT, the language of Graphviz: once as it should look, and once as bare sizes for the layout alone.

Nodes are named by the ids of their boxes, and every text goes through one function, which makes it harmless.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from engine.pictures.picture import (
    CIRCLE,
    FONT,
    GREY,
    HIGHLIGHT,
    HIGHLIGHTED,
    INK,
    LINE,
    LOOKS,
    SIZE,
    SMALL,
    Arrow,
    Box,
    Column,
    Picture,
    border,
    cluster_label,
    label_size,
    line,
    notes_size,
    size,
    text_width,
)

APART = 80.0  # between the columns of a network, at least
GATE = "-in"  # ends the id of what an arrow is after its gate
CROWDED = 500  # boxes: above it the layout takes a short cut
MANY = 1000  # ranks that arrows pass over: above it they are straight, too
TABLE = '<table border="0" cellborder="0" cellspacing="0" cellpadding="0">'
PADDING = "&#160;&#160;"
Ports = dict[str, list[Arrow]]  # the arrows into a box, from the top down
Names = dict[tuple[str, ...], str]  # of clusters in DOT, by the groups that lead to each


def dot_source(picture: Picture, bare: bool = False) -> str:
    """The DOT source; bare keeps sizes and leaves out texts and colours: no label reaches the layout program."""
    return "\n".join(["digraph {", *(f"  {line}" for line in _statements(picture, bare)), "}", ""])


def _statements(picture: Picture, bare: bool) -> Iterator[str]:
    ports: Ports = {}
    for arrow in picture.arrows:
        ports.setdefault(arrow.head, []).append(arrow)
    yield _graph(picture)
    font = {"fontname": FONT, "fontsize": f"{SMALL:g}"}
    yield f"node [{_joined(font | {'shape': 'box', 'fixedsize': 'true', 'margin': '0', 'fontcolor': _quoted(INK)})}]"
    yield f"edge [{_joined(font | {'arrowsize': '0.7', 'fontcolor': _quoted(GREY)})}]"
    if picture.notes:
        lines, width = notes_size(picture)
        label = _sized([*picture.notes, *[""] * (lines - len(picture.notes))], width, LINE, bare)
        yield f"graph [label={label} labelloc=t labeljust=l]"
    yield from _nodes(picture.boxes, ports, bare)
    yield from _arrows(picture, ports, bare)
    yield from _columns(picture.columns)


def _graph(picture: Picture) -> str:
    attributes = {"rankdir": "LR", "nodesep": "0.25", "ranksep": "0.45", "bgcolor": "transparent"}
    attributes |= {"fontname": FONT, "fontsize": f"{SMALL:g}", "fontcolor": _quoted(GREY)}
    if picture.columns:
        attributes |= {"splines": "line", "ranksep": f"{APART / 72:.2f}"}
    elif ranks_crossed(picture) > MANY:
        attributes |= {"splines": "line", "nslimit": "0.1"}
    if len(picture.boxes) > CROWDED:
        attributes["nslimit"] = "0.1"
    return f"graph [{_joined(attributes)}]"


def ranks_crossed(picture: Picture) -> int:
    """How many ranks the arrows pass over, about: dot makes a node of each such place and takes minutes over many.

    A weight that is read at every step of a long chain has such arrows. Boxes come after those they are made of.
    """
    rank = dict.fromkeys((box.id for box in picture.boxes), 0)
    for arrow in picture.arrows:  # in the order of their heads
        rank[arrow.head] = max(rank[arrow.head], rank[arrow.tail] + 1)
    heads = {arrow.head for arrow in picture.arrows}
    nearest: dict[str, int] = {}
    for arrow in picture.arrows:
        nearest[arrow.tail] = min(nearest.get(arrow.tail, rank[arrow.head]), rank[arrow.head])
    start = {box: rank[box] if box in heads else nearest.get(box, 1) - 1 for box in rank}
    return sum(rank[arrow.head] - start[arrow.tail] - 1 for arrow in picture.arrows)


def _columns(columns: Sequence[Column]) -> Iterator[str]:
    """Invisible edges keep the order in a column; an invisible broad node at its foot keeps the one before away.

    An edge over several ranks would do so, too, but dot makes a node of each rank that it crosses.
    """
    broader = 0.0
    for number, (ids, distance) in enumerate(columns):
        broader = max(0.0, distance - APART - broader) if number else 0.0
        foot = [_quoted(f"foot{number}")] if broader > 0 else []
        if foot:
            width = 2 * (broader + CIRCLE / 2) / 72
            yield f'{foot[0]} [style=invis width={width:.2f} height=0.01 label=""]'
        if len(ids) + len(foot) > 1:
            yield f"{{ graph [rank=same]; {' -> '.join([*map(_quoted, ids), *foot])} [style=invis] }}"


def clusters(boxes: list[Box]) -> Names:
    """The name in DOT of each cluster, by the groups that lead to it; outer ones first."""
    paths = dict.fromkeys(box.groups[:depth] for box in boxes for depth in range(1, len(box.groups) + 1))
    return {path: f"cluster_{number}" for number, path in enumerate(paths)}


def _nodes(boxes: list[Box], ports: Ports, bare: bool) -> Iterator[str]:
    """A line for each cluster, then one for each box inside its clusters: in DOT a cluster may be written in parts.

    Before a box come the gates of the arrows that lead to it from outside: so dot begins with their order.
    """
    names = clusters(boxes)
    for path in names:
        label = _sized([cluster_label(path)], text_width(cluster_label(path)), LINE, bare)
        yield _within(names, path, f"graph [label={label} labeljust=l margin=10 style=rounded color={_quoted(GREY)}]")
    groups = {box.id: box.groups for box in boxes}
    for box in boxes:
        for arrow in ports.get(box.id, []):
            if _by_gate(arrow, groups):
                look = _joined(_gate_attributes(arrow, bare))
                yield _within(names, box.groups, f"{_quoted(arrow.id + GATE)} [{look}]")
        attributes = _box_attributes(box, ports.get(box.id, []), bare)
        yield _within(names, box.groups, f"{_quoted(box.id)} [{_joined(attributes)}]")


def _within(names: Names, path: tuple[str, ...], line: str) -> str:
    """A line inside of clusters."""
    for depth in range(len(path), 0, -1):
        line = f"subgraph {names[path[:depth]]} {{ {line} }}"
    return line


def _box_attributes(box: Box, into: list[Arrow], bare: bool) -> dict[str, str]:
    look, (width, height) = LOOKS[box.kind], size(box)
    inches = [(points + 0.01) / 72 for points in (width, height)]  # more than the label, however it is rounded
    attributes = {"width": f"{inches[0]:.5f}", "height": f"{inches[1]:.5f}"}
    if look.shape == "circle":
        attributes["shape"] = "circle"
    if "root" in box.marks:
        attributes["peripheries"] = "2"
    attributes["label"] = _table(box, into, bare)
    if not bare:
        styles = {"filled": True, "rounded": look.shape == "rounded", "dashed": look.dashed}
        thick, colour = border(box)
        attributes |= {
            "style": _quoted(",".join(style for style, on in styles.items() if on)),
            "fillcolor": _quoted(box.fill), "color": _quoted(colour), "penwidth": f"{thick:g}",
        }  # fmt: skip
    return attributes


def _table(box: Box, into: list[Arrow], bare: bool) -> str:
    """A label as large as the box, with a port at the left for each arrow.

    Only empty cells have a fixed size: a text too long for one of these stops some versions of dot.
    """
    width, height = size(box)
    if LOOKS[box.kind].shape == "circle":
        return '""' if bare else f"<{_texts(box, 0)}>"
    heights = _port_heights(into, height)
    ports = "".join(f'<tr><td {port} fixedsize="true" width="1" height="{high:g}"></td></tr>' for port, high in heights)
    left = f"<td>{TABLE}{ports}</table></td>" if ports else ""
    inside = "" if bare else _texts(box, width - 1)
    room = f'<td width="{width - 1:g}" height="{height:g}">{inside}</td>'
    return f"<{TABLE}<tr>{left}{room}</tr></table>>"


def _port_heights(into: list[Arrow], height: float) -> list[tuple[str, float]]:
    """Cells that divide the left side: among constants, the one arrow that carries a gradient keeps the middle."""
    carrying = [place for place, arrow in enumerate(into) if "constant" not in arrow.marks]
    if len(carrying) != 1 or len(into) == 1:
        return [(f'port="p{place}"', height / len(into)) for place in range(len(into))]
    [middle] = carrying
    cells = [(f'port="p{place}"', height / 4) for place in range(len(into))]
    cells[middle] = cells[middle][0], height / 2
    before, after = middle, len(into) - 1 - middle
    cells[:before] = [(port, height / 4 / before) for port, _ in cells[:before]]
    cells[middle + 1 :] = [(port, height / 4 / after) for port, _ in cells[middle + 1 :]]
    room = ("", height / 4)
    return [*([] if before else [room]), *cells, *([] if after else [room])]


def _texts(box: Box, width: float) -> str:
    head = f'<font point-size="{SIZE:g}"><b>{escape(box.name)}</b>'
    head += f" = {escape(box.formula)}</font>" if box.formula else "</font>"
    rows = [f'<tr><td colspan="2">{head}</td></tr>'] if box.name else []
    for row in box.rows:
        if width and row.label:
            left, right = (f'<td align="{side}" width="{width / 2:g}">' for side in ("left", "right"))
            rows.append(f"<tr>{left}{PADDING}{escape(row.label)}</td>{right}{escape(row.text)}{PADDING}</td></tr>")
        else:
            rows.append(f'<tr><td colspan="2">{escape(f"{row.label} {row.text}".strip())}</td></tr>')
    return f"{TABLE}{''.join(rows)}</table>"


def _gate_attributes(arrow: Arrow, bare: bool) -> dict[str, str]:
    """A dash of the arrow's own look, which joins its two parts."""
    width, colour = line(arrow)
    look = {"style": "invis"} if bare else {"penwidth": f"{width:g}", "color": _quoted(colour)}
    return {"width": "0.05", "height": "0.01", "label": '""', **look}


def _by_gate(arrow: Arrow, groups: dict[str, tuple[str, ...]]) -> bool:
    """Whether it leads into a cluster. Where there are no labels there are too many arrows for it."""
    tail, head = groups[arrow.tail], groups[arrow.head]
    return bool(arrow.label) and head != tail[: len(head)]


def _arrows(picture: Picture, ports: Ports, bare: bool) -> Iterator[str]:
    """A line for each arrow; two for one into a cluster, which goes by a gate of its own in the column before its head.

    For dot keeps the boxes of a cluster together in each column, and leads around them what isn't of the cluster.
    """
    places = {arrow.id: place for arrows in ports.values() for place, arrow in enumerate(arrows)}
    groups = {box.id: box.groups for box in picture.boxes}
    circles = {box.id for box in picture.boxes if LOOKS[box.kind].shape == "circle"}
    for arrow in picture.arrows:
        start = _quoted(arrow.tail) + ("" if arrow.tail in circles else ":e")
        end = _quoted(arrow.head) + ("" if arrow.head in circles else f":p{places[arrow.id]}:w")
        attributes = _arrow_attributes(arrow, bool(picture.columns), bare)
        if _by_gate(arrow, groups):
            at, rest = _quoted(arrow.id + GATE), attributes | {"label": '""', "minlen": "1"}
            yield f"{start} -> {at}:w [{_joined(attributes | {'minlen': '2', 'dir': 'none'})}]"
            yield f"{at}:e -> {end} [{_joined(rest | {'id': at})}]"
        else:
            yield f"{start} -> {end} [{_joined(attributes)}]"


def _arrow_attributes(arrow: Arrow, straight: bool, bare: bool) -> dict[str, str]:
    attributes = {"id": _quoted(arrow.id), "weight": "1" if "constant" in arrow.marks else "4"}
    if arrow.apart:  # so the clusters stand side by side, and the label between them
        attributes["minlen"] = "3"
    if (room := label_size(arrow)) and not straight:
        attributes["label"] = _sized([arrow.label], *room, bare)
    elif room and not bare:
        attributes |= {"taillabel": f"<{escape(arrow.label)}>", "labeldistance": "4"}
    if not bare:
        width, colour = line(arrow)
        attributes |= {"penwidth": f"{width:g}", "color": _quoted(colour)}
        if HIGHLIGHTED & {*arrow.marks}:
            attributes["fontcolor"] = _quoted(HIGHLIGHT)
        if {"later", "lost"} & {*arrow.marks}:
            attributes["style"] = "dashed"
    return attributes


def _sized(lines: Sequence[str], width: float, height: float, bare: bool) -> str:
    """A label of a fixed size."""
    cell = f'<tr><td fixedsize="true" align="left" width="{width:.0f}" height="{height:.0f}">'
    rows = "".join(f"{cell}{'' if bare else escape(line)}</td></tr>" for line in lines)
    return f"<{TABLE}{rows}</table>>"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _joined(attributes: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in attributes.items())
