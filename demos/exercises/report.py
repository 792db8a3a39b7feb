"""The teacher's report: every folder checked anew; attempts, hints and mistakes as recorded.

A learner is called by the folder's name. Nothing that progress.json says about right and wrong is believed.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from demos.exercises.course import Exercise, course, exercise
from demos.exercises.judge import NOT_RUN, PASSED, UNWRITTEN, WRONG, Verdict, check
from demos.exercises.progress import Progress
from demos.exercises.text import amount, filled, wrapped

MARKS = {PASSED: "✓", WRONG: "x", UNWRITTEN: ".", NOT_RUN: "!"}
MOST_MET = 5
# Three sentences to say aloud; for a mistake that isn't here they are made of the exercise's own texts.
ALOUD = {
    "assign": (
        "A number that is used twice moves E twice.",
        "Each use sends back its own contribution, and the contributions add up: that is why it is +=.",
        "Nudge a by a little on the board, follow both arrows, and add.",
    ),
    "once": (
        "a + a has two arrows, although both come from a.",
        "Each arrow carries a contribution; a set of inputs keeps one arrow.",
        "Ask for the slope of a + a before anybody computes: everybody says two.",
    ),
    "preorder": (
        "A node that passes its gradient on before it is complete passes on too little.",
        "The rest comes later, and nobody carries it down.",
        "Let the class be the graph: you may sit down only when everybody who points at you has handed you a note.",
    ),
    "no-reset": (
        "What stands in a node between belongs to one pass.",
        "Only leaves may add up over several passes, because several samples' errors should.",
        "Run backward twice on (x·x)·x and compare with pencil.",
    ),
    "no-zero-grad": (
        "backward adds; nobody takes away but zero_grad.",
        "Without it step two walks with the gradients of steps one and two together.",
        "Print w.grad in every step of a loop, once with zero_grad and once without.",
    ),
    "no-K": (
        "The document has three different E, and they differ by 1/M and 1/K.",
        "Only the one with both has (27) and (28) as its derivatives.",
        "Let each row of the class compute one of them on the same table.",
    ),
    "eq18-minus": (
        "The minus in (18) belongs to the other letter: t - y, not y - t.",
        "In one document y is the target, in the other the estimate.",
        "Take the derivative of ½(y - t)² by y on the board; there is no minus.",
    ),
    "mul-swapped": (
        "If one side of a rectangle grows, the area grows by the other side.",
        "So the slope of a·b by a is b.",
        "Draw the rectangle.",
    ),
}


def aloud(key: str, mistake: str) -> tuple[str, ...]:
    if mistake in ALOUD:
        return ALOUD[mistake]
    one = exercise(key)
    return (f"The idea is: {one.idea}.", one.hints[1], f"Show it: {one.see_text}.")


@dataclass
class Learner:
    """One folder: the verdicts of now, and the record."""

    name: str
    verdicts: list[Verdict]
    progress: Progress

    @property
    def score(self) -> int:
        return sum(verdict.ok for verdict in self.verdicts)

    def recorded(self, one: Exercise) -> dict[str, Any]:
        return self.progress.exercises.get(one.key, {"attempts": 0, "hints": 0, "revealed": False, "mistakes": []})

    @property
    def hints(self) -> int:
        return sum(each["hints"] for each in self.progress.exercises.values())

    def json(self) -> dict[str, Any]:
        exercises = {}
        for verdict in self.verdicts:
            recorded = self.recorded(verdict.exercise)
            exercises[verdict.exercise.key] = {
                "name": verdict.exercise.name, "state": verdict.state, "mistake": verdict.mistake,
                "attempts": recorded["attempts"], "hints": recorded["hints"], "revealed": recorded["revealed"],
                "mistakes": recorded["mistakes"],
            }  # fmt: skip
        return {"learner": self.name, "score": self.score, "exercises": exercises}


class Report:
    """Of one or several folders; .text(), .csv(), .html(), and .learners with their .json()."""

    def __init__(self, folders: list[Path]) -> None:
        self.learners = [self.look(folder) for folder in folders]

    def look(self, folder: Path) -> Learner:
        path = folder / "progress.json"
        progress = Progress(folder)
        if path.exists():
            try:
                progress = Progress.read(folder)
            except OSError:
                progress.note = "the record can't be read"
        verdicts = [check(one, folder / one.file, progress.seed) for one in course()]
        return Learner(folder.resolve().name, verdicts, progress)

    def met(self) -> list[tuple[str, str, int]]:
        """(exercise, mistake, learners who have met it), the commonest first: as recorded, and those of now."""
        count: Counter[tuple[str, str]] = Counter()
        for learner in self.learners:
            here = {
                (key, m) for key, each in learner.progress.exercises.items() for m in each["mistakes"] if m != "unnamed"
            }
            here |= {(v.exercise.key, v.mistake) for v in learner.verdicts if v.mistake}
            count.update(here)
        return [(key, mistake, n) for (key, mistake), n in sorted(count.items(), key=lambda each: (-each[1], each[0]))]

    def stuck(self) -> list[tuple[Exercise, int, list[tuple[str, int]]]]:
        """Exercises that are wrong now: how many are stuck there, and on what."""
        found = []
        for place, one in enumerate(course()):
            wrong = [learner.verdicts[place] for learner in self.learners if learner.verdicts[place].state == WRONG]
            if wrong:
                last = Counter(verdict.mistake or "no classic" for verdict in wrong)
                found.append((one, len(wrong), sorted(last.items(), key=lambda each: (-each[1], each[0]))))
        return sorted(found, key=lambda each: (-each[1], each[0].number))

    def text(self) -> str:
        whole = len(self.learners)
        width = max([16, *(len(learner.name) for learner in self.learners)])
        numbers = " ".join(f"{one.number:02}" for one in course())
        lines = [f"{f'class of {whole}' if whole > 1 else '':<{width}}  {numbers}  hints"]
        for learner in self.learners:
            marks = " ".join(f"{MARKS[verdict.state]:>2}" for verdict in learner.verdicts)
            lines.append(f"{learner.name:<{width}}  {marks}  {learner.hints:>5}")
        lines += ["", "✓ passed   x wrong   . not written   ! not run; checked now. Hints and mistakes as recorded."]
        if met := self.met()[:MOST_MET]:
            said = " · ".join(f"{key} {mistake} {n} of {whole}" for key, mistake, n in met)
            lines += ["", *wrapped(f"most met:  {said}", "")]
        for one, count, last in self.stuck()[:3]:
            said = ", ".join(f"{mistake} {n}" for mistake, n in last)
            lines += wrapped(f"still stuck: {one.key} ({count} of {whole}), last diagnosis: {said}", "")
        if met:
            key, mistake, _ = met[0]
            lines += [
                "",
                f"To say aloud about {mistake}:",
                *[line for each in aloud(key, mistake) for line in wrapped(each)],
            ]
        return "\n".join(lines)

    def csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["learner", "score", *(one.key for one in course()), "hints", "mistakes"])
        for learner in self.learners:
            met = sum(len(each["mistakes"]) for each in learner.progress.exercises.values())
            name = f"'{learner.name}" if learner.name[:1] in "=+-@" else learner.name  # no formula in a spreadsheet
            writer.writerow([name, learner.score, *(v.state for v in learner.verdicts), learner.hints, met])
        return out.getvalue().rstrip("\n")

    def html(self) -> str:
        whole = len(self.learners)
        heads = "".join(f'<th scope="col" title="{escape(one.name)}">{one.number}</th>' for one in course())
        rows = "".join(
            f'<tr><th scope="row">{escape(learner.name)}</th>{"".join(map(cell, learner.verdicts))}'
            f"<td>{learner.score}</td><td>{learner.hints}</td></tr>"
            for learner in self.learners
        )
        met = "".join(
            f"<section><h2>{escape(mistake)}, exercise {int(key[1:])}: met by {n} of {whole}</h2>"
            "<p>To say "
            f"aloud:</p><ul>{''.join(f'<li>{escape(each)}</li>' for each in aloud(key, mistake))}</ul></section>"
            for key, mistake, n in self.met()[:MOST_MET]
        )
        stuck = "".join(
            f"<li>{one.number} {escape(one.name)}: {amount(count, 'learner')}, "
            f"{escape(', '.join(f'{mistake} {n}' for mistake, n in last))}</li>"
            for one, count, last in self.stuck()
        )
        parts = {
            "whole": amount(whole, "learner"),
            "heads": heads,
            "rows": rows,
            "met": met or "<p>No mistakes are recorded.</p>",
            "stuck": f"<h2>Still stuck</h2><ul>{stuck}</ul>" if stuck else "",
        }
        text = (Path(__file__).parent / "report.html").read_text(encoding="utf-8")
        return filled(text, parts)


def cell(verdict: Verdict) -> str:
    kind = verdict.state.replace(" ", "-")
    said = f"{verdict.state}{f', {verdict.mistake}' if verdict.mistake else ''}"
    return f'<td class="{kind}" title="{escape(verdict.exercise.name)}: {escape(said)}">{MARKS[verdict.state]}</td>'
