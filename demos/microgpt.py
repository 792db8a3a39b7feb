"""A GPT in scalars learns to make up names, after Andrej Karpathy's microgpt (2026): his model, on this engine.

The idea is his: a whole GPT, down to each product, in one file that can be read in a sitting. Here a name's gradients
come from a graph that is built anew for it, as there (`--backend eager`), or from a tape, of which there is one for
each length of names. The numbers are the same: from the original's weights, its losses to 1e-15. On one machine, an AMD
EPYC, a name's gradients took 235 ms in the original, 60 to 85 here in a graph and 1 on a tape; `python -m
demos.microgpt` prints what they take, and learns from names of one's own if it is given a file, a name a line.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import cycle, pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import nn
from demos.program import program
from engine import Value, exp, logsumexp, total

if TYPE_CHECKING:
    from engine import Tape

NAMES = Path(__file__).parent / "data" / "names.txt"
RATE, BETAS, TEMPERATURE = 0.01, (0.85, 0.99), 0.5
Vector: TypeAlias = list[Value]
Past: TypeAlias = list[tuple[Vector, Vector]]  # the keys and values of the tokens so far
Token: TypeAlias = Any  # its number, or its one-hot row: a list of Values
Backward: TypeAlias = Callable[[str], float]  # the loss of a name, its gradients added to the parameters'


# -- the model


def add(x: Vector, y: Vector) -> Vector:
    return [a + b for a, b in zip(x, y, strict=True)]


def dot(x: Sequence[Value], y: Sequence[Value]) -> Value:
    return total([a * b for a, b in zip(x, y, strict=True)])


def rms_norm(x: Vector) -> Vector:
    """x over the root of its mean square: the next layer gets numbers of one size."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [a * scale for a in x]


def softmax(x: Vector) -> Vector:
    """exp(x) over its sum. By logsumexp, which can't overflow, where the original reads max(x).data: no tape could."""
    whole = logsumexp(x)
    return [exp(a - whole) for a in x]


def linear(inputs: int, outputs: int, activation: str = "identity") -> nn.Layer:
    return nn.Layer(inputs, outputs, activation, bias=False)


class Attention(nn.Module):
    """Each head looks at the tokens so far, most at those whose keys suit its query, and brings their values."""

    def __init__(self, width: int, heads: int) -> None:
        self.query, self.key, self.value, self.output = (linear(width, width) for _ in range(4))
        self.heads = [slice(i * width // heads, (i + 1) * width // heads) for i in range(heads)]

    def look(self, x: Vector, past: Past) -> Vector:
        """What the token at x finds among those so far, itself included: it joins the past."""
        past.append((self.key(x), self.value(x)))
        query, found = self.query(x), []
        for head in self.heads:
            scores = [dot(query[head], key[head]) / math.sqrt(len(query[head])) for key, _ in past]
            weights = softmax(scores)
            found += [dot(weights, column) for column in zip(*(value[head] for _, value in past), strict=True)]
        return self.output(found)


class Block(nn.Module):
    """Attention, then two layers; each adds to what it was given."""

    def __init__(self, width: int, heads: int) -> None:
        self.attention = Attention(width, heads)
        self.up, self.down = linear(width, 4 * width, "relu"), linear(4 * width, width)

    def transform(self, x: Vector, past: Past) -> Vector:
        x = add(x, self.attention.look(rms_norm(x), past))
        return add(x, self.down(self.up(rms_norm(x))))


class GPT(nn.Module):
    """From the tokens so far to the logits of the next: the letters, and one token that begins and ends every name.

    longest is how many letters a name has at most.
    """

    def __init__(
        self, letters: str, longest: int, width: int = 16, heads: int = 4, blocks: int = 1, seed: int = 0
    ) -> None:
        self.letters, self.end, self.vocabulary = letters, len(letters), len(letters) + 1
        self.tokens = linear(self.vocabulary, width)  # of a one-hot row: a column of weights for each token
        self.positions = [[Value(0.0) for _ in range(width)] for _ in range(longest + 1)]
        self.blocks = [Block(width, heads) for _ in range(blocks)]
        self.output = linear(width, self.vocabulary)
        random = Random(seed)
        for parameter in self.parameters():
            parameter.data = random.gauss(0, 0.08)

    def encode(self, name: str) -> list[int]:
        return [self.letters.index(letter) for letter in name]

    def begin(self) -> list[Past]:
        """The past of each block before the first token."""
        return [[] for _ in self.blocks]

    def logits(self, token: Token, pasts: list[Past]) -> Vector:
        """For each token, how likely it is to come next; the pasts grow by this one."""
        embedding = [neuron.w[token] for neuron in self.tokens] if isinstance(token, int) else self.tokens(token)
        x = rms_norm(add(embedding, self.positions[len(pasts[0])]))
        for block, past in zip(self.blocks, pasts, strict=True):
            x = block.transform(x, past)
        return self.output(x)

    def loss(self, name: Sequence[Token]) -> Value:
        """The mean of -log p over a name's letters and its end, each foretold from those before it."""
        tokens, pasts = [self.end, *name, self.end], self.begin()
        losses = [nn.softmax_cross_entropy(self.logits(now, pasts), then) for now, then in pairwise(tokens)]
        return total(losses) / len(losses)

    def sample(self, random: Random, temperature: float = TEMPERATURE) -> str:
        """A name, letter by letter; the lower the temperature, the more often the likeliest letter."""
        name, token, pasts = "", self.end, self.begin()
        while len(name) < len(self.positions):
            shares = softmax([y / temperature for y in self.logits(token, pasts)])
            [token] = random.choices(range(self.vocabulary), [share.data for share in shares])
            if token == self.end:
                break
            name += self.letters[token]
        return name


# -- training


def eager(model: GPT) -> Backward:
    """A graph for each name, and backprop through it."""

    def backward(name: str) -> float:
        E = model.loss(model.encode(name))
        E.backward()
        return E.data

    return backward


def taped(model: GPT) -> Backward:
    """A tape for each length of names; its inputs are the letters as one-hot rows, one after another."""
    from engine import trace

    width = model.vocabulary

    @cache
    def tape(length: int) -> Tape:
        def loss(x: Vector) -> Value:
            return model.loss([x[start : start + width] for start in range(0, len(x), width)])

        return trace(loss, [0.0] * (length * width))

    def backward(name: str) -> float:
        row = [number for token in model.encode(name) for number in nn.one_hot(token, width)]
        return tape(len(name)).backward([row])

    return backward


BACKENDS = {"eager": eager, "tape": taped}


def train(
    model: GPT, names: Sequence[str], steps: int, backend: str = "tape", report: Callable[[str], object] = print
) -> list[float]:
    """A step of Adam for each name in turn, at a rate that falls to 0; the losses, each before its step."""
    parameters, backward, losses = model.parameters(), BACKENDS[backend](model), []
    adam = nn.Adam(parameters, lambda step: RATE * (1 - step / steps), BETAS)
    every, spent = max(1, steps // 10), 0.0
    for step, name in zip(range(steps), cycle(names), strict=False):
        for parameter in parameters:
            parameter.grad = 0.0  # and not None: Adam's means fade for a position that this name doesn't reach, too
        start = time.perf_counter()
        losses.append(backward(name))
        spent += time.perf_counter() - start
        adam.step()
        adam.epoch += 1
        if (step + 1) % every == 0:
            mean, milliseconds, spent = sum(losses[-every:]) / every, 1000 * spent / every, 0.0
            report(f"step {step + 1:5}   loss {mean:.4f}   {milliseconds:6.2f} ms a gradient")
    return losses


def read_names(path: str | Path) -> list[str]:
    """The names of a file, a line each, shuffled, always in the same way. Raises OSError where there are none."""
    try:
        names = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OSError(f"{path}: it can't be read as a text file in UTF-8: {reason}") from None
    if not names:
        raise OSError(f"{path}: it holds no names; a line with a name is expected, or several")
    Random(0).shuffle(names)
    return names


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m demos.microgpt", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="?", default=NAMES, help="a file, a name a line (default: 495 first names)")
    parser.add_argument("--steps", type=int, default=1000, metavar="N", help="names to learn from (default: 1000)")
    parser.add_argument("--samples", type=int, default=10, metavar="N", help="names to make up (default: 10)")
    parser.add_argument("--backend", choices=list(BACKENDS), default="tape", help="of gradients (default: tape)")
    parser.add_argument("--seed", type=int, default=0, help="draws the first weights and the samples (default: 0)")
    options = parser.parse_args(arguments)
    if options.steps < 1:
        parser.error(f"--steps is a whole number from 1 up; given was {options.steps}")
    names = read_names(options.names)
    model = GPT("".join(sorted(set("".join(names)))), max(map(len, names)), seed=options.seed)
    print(f"{len(names)} names, {len(model.parameters())} parameters; guessing, loss {math.log(model.vocabulary):.4f}")
    start = time.perf_counter()
    try:
        losses = train(model, names, options.steps, options.backend)
    except ImportError as missing:
        parser.error(f"{missing}; --backend eager does without")
    print(
        f"{options.backend}: {1000 * (time.perf_counter() - start) / len(losses):.1f} ms a step, Adam's part included"
    )
    random = Random(options.seed)
    print("made up:", ", ".join(model.sample(random) for _ in range(options.samples)))


if __name__ == "__main__":
    raise SystemExit(program(main))
