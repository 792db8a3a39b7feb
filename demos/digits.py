"""Handwritten digits, the real thing at the edge of what scalars can do: 1,797 images of 8 by 8, a network of 64-32-10.

`python -m demos.digits` trains on the tape, shows how a held-out fifth is read and what was misread, and writes to out/
what each hidden unit sees, and a film of the worst decision. Its graph has 4,865 nodes: the film folds all hidden units
but one, and every number in it is that of the whole graph.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import nn
from demos.program import program
from demos.regression import split
from engine import Value, film, label, logsumexp, tanh, topological_order, total
from engine.files import write_atomically
from engine.pictures.picture import GREY, tint

DIGITS = Path(__file__).parent / "data" / "digits.csv.gz"
CLASSES, SIDE, WHITE = range(10), 8, 16  # an image has 8 rows of 8 pixels, from 0 to 16
SHADES = " ░▒▓█"
UNITS, DECISION = Path("out/digits-units.svg"), Path("out/digits-decision.html")
CELL, GAP, TEXT, ACROSS = 10, 16, 12, 8  # of the picture: a weight, between units, below them, units in a row
Image = list[float]  # its pixels, row by row, from 0 to 1


def read_digits(path: Path = DIGITS) -> tuple[list[Image], list[int]]:
    """The images, and the digit that each shows."""
    with gzip.open(path, "rt", newline="", encoding="ascii") as file:
        rows = [[int(cell) for cell in row] for row in csv.reader(file)]
    return [[pixel / WHITE for pixel in row[:-1]] for row in rows], [row[-1] for row in rows]


def train(images: list[Image], digits: list[int], epochs: int = 30, seed: int = 0) -> tuple[nn.MLP, nn.History]:
    """A network of 64-32-10, by Adam on batches of 32."""
    model = nn.MLP(SIDE * SIDE, [32, len(CLASSES)], activation="tanh", seed=seed)
    return model, nn.fit(
        model, images, digits, epochs=epochs, batch_size=32, seed=seed,
        optimizer=nn.Adam(model, learning_rate=0.01, weight_decay=3e-4), loss=nn.softmax_cross_entropy,
    )  # fmt: skip


def best(ys: Sequence[float], but: int | None = None) -> int:
    """The class of the largest output, but for one that is left out."""
    return max((k for k in CLASSES if k != but), key=lambda k: ys[k])


# -- what is printed


def confusion(digits: list[int], read: list[int]) -> str:
    """How often each digit, a line, was read as each, a column."""
    counts = Counter(zip(digits, read, strict=True))
    lines = [f"{'':6}" + "".join(f"{k:5}" for k in CLASSES)]
    lines += [f"{digit:6}" + "".join(f"{counts[digit, k] or '·':>5}" for k in CLASSES) for digit in CLASSES]
    return "\n".join(lines)


def in_letters(image: Image) -> list[str]:
    """The image as 8 lines, a pixel two letters wide."""
    letters = [2 * SHADES[round(pixel * (len(SHADES) - 1))] for pixel in image]
    return ["".join(letters[i : i + SIDE]) for i in range(0, len(letters), SIDE)]


def side_by_side(images: list[Image], titles: list[str], across: int = 5) -> str:
    """The images in letters, each below its title."""
    blocks = [[f"{title:{2 * SIDE}}", *in_letters(image)] for title, image in zip(titles, images, strict=True)]
    rows = [zip(*blocks[i : i + across], strict=True) for i in range(0, len(blocks), across)]
    return "\n\n".join("\n".join("   ".join(line).rstrip() for line in row) for row in rows)


# -- what is written


def unit_pictures(model: nn.MLP) -> str:
    """The 64 weights of each hidden unit as a picture, blue for positive and orange for negative, as SVG.

    Below it are the digits whose outputs it raises and lowers most where it is positive.
    """
    hidden, output = model.layers
    largest = max(abs(w.data) for unit in hidden for w in unit.w)
    step, high = SIDE * CELL + GAP, SIDE * CELL + TEXT + GAP
    pictures = []
    for j, unit in enumerate(hidden):
        votes = [output[k].w[j].data for k in CLASSES]
        said = f"{j}: {best(votes)}, not {best([-vote for vote in votes])}"
        cells = [
            f'<rect x="{i % SIDE * CELL}" y="{i // SIDE * CELL}" width="{CELL}" height="{CELL}" '
            f'fill="{tint(w.data, largest)}"><title>w[{i}] = {w.data:.4g}</title></rect>'
            for i, w in enumerate(unit.w)
        ]
        place = f"translate({GAP + j % ACROSS * step} {GAP + j // ACROSS * high})"
        text = f'<text y="{SIDE * CELL + TEXT}">{said}</text>'
        pictures.append(f'<g transform="{place}">\n' + "\n".join([*cells, text]) + "\n</g>")
    size = f'width="{GAP + ACROSS * step}" height="{GAP + -(-len(hidden) // ACROSS) * high}"'
    look = f'font-family="sans-serif" font-size="{TEXT - 1}" fill="{GREY}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>\n' + "\n".join(pictures) + "\n</svg>\n"


def loudest(model: nn.MLP, image: Image, digit: int) -> int:
    """The hidden unit that speaks most for another digit, the likeliest, and against this one."""
    hidden, output = model.layers
    [ys], [a] = model.predict([image]), hidden.predict([image])
    rival = best(ys, but=digit)
    return max(range(len(a)), key=lambda j: (output[rival].w[j].data - output[digit].w[j].data) * a[j])


def folded(model: nn.MLP, image: Image, digit: int, j: int) -> Value:
    """The softmax cross-entropy of one image, with one hidden unit in sight: its z and a, its weights, the outputs y.

    What the other units and the bias give to an output is one plain number. E is that of the whole graph, and so is
    every gradient.
    """
    hidden, output = model.layers
    [ys], [unit] = model.predict([image]), hidden[j](image)
    *_, before, _ = topological_order(unit)
    z = Value(before.data, "z")
    a, outputs = tanh(z), []
    label(a=a)
    for k, neuron in enumerate(output):
        w = Value(neuron.w[j].data, f"w{k}")
        m = w * a
        y = total([m, ys[k] - m.data])
        label({f"m{k}": m, f"y{k}": y})
        outputs.append(y)
    return logsumexp(outputs) - outputs[digit]


# -- the program


def report(model: nn.MLP, images: list[Image], digits: list[int]) -> None:
    """How these images are read: a line, a table, and the misread ones."""
    read = [best(ys) for ys in model.predict(images)]
    wrong = [i for i, digit in enumerate(digits) if read[i] != digit]
    right = len(digits) - len(wrong)
    print(f"read    {right} of {len(digits)} held-out images, {right / len(digits):.1%}")
    print(f"\nEach line is a digit, each column what it was read as.\n{confusion(digits, read)}\n")
    print(side_by_side([images[i] for i in wrong], [f"{digits[i]} read as {read[i]}" for i in wrong]))


def write_files(model: nn.MLP, images: list[Image], digits: list[int]) -> None:
    """The pictures of the units, and a film of the decision with the largest E."""
    print(f"\nwrote   {write_atomically(UNITS, unit_pictures(model))}, what each hidden unit sees")
    errors = [
        nn.softmax_cross_entropy(list(map(Value, ys)), digit).data
        for ys, digit in zip(model.predict(images), digits, strict=True)
    ]
    worst = errors.index(max(errors))
    image, digit = images[worst], digits[worst]
    read, j = best(model.predict([image])[0]), loudest(model, image, digit)
    try:
        film(folded(model, image, digit, j)).save(DECISION)
    except RuntimeError as error:  # no Graphviz
        print(f"without {DECISION}: {error}")
    else:
        print(f"wrote   {DECISION}, backprop on a {digit} read as {read}, through hidden unit {j}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m demos.digits", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--epochs", type=int, default=30, metavar="N", help="over all images to train on (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="draws the first weights and the batches (default: 0)")
    options = parser.parse_args(arguments)
    images, digits = read_digits()
    to_train, to_test = (([images[i] for i in part], [digits[i] for i in part]) for part in split(len(images)))
    start = time.process_time()
    try:
        model, history = train(*to_train, options.epochs, options.seed)
    except ValueError as error:
        parser.error(str(error))
    seconds = time.process_time() - start
    print(f"{len(to_train[0]):,} images to train on, {len(to_test[0])} held out; {model!r}, "
          f"{len(model.parameters()):,} parameters")  # fmt: skip
    print(f"E       {history.errors[0]:.4f} before, {history.errors[-1]:.4f} after {len(history)} epochs, "
          f"{seconds:.1f} s of CPU time")  # fmt: skip
    report(model, *to_test)
    write_files(model, *to_test)


if __name__ == "__main__":
    raise SystemExit(program(main, "out"))
