"""Right or wrong, and under which name: answers are compared with the right ones, then with those of every mistake."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demos.exercises.course import Answer, Exercise, Mistake, Probe, Trial, is_error
from demos.exercises.run import SECONDS, UNANSWERED, Outcome, run
from demos.exercises.text import amount, number, wrapped

PASSED, WRONG, UNWRITTEN, NOT_RUN = "passed", "wrong", "not written", "not run"
STATUS = {PASSED: 0, WRONG: 1, UNWRITTEN: 3, NOT_RUN: 2}
MOST = 20  # lines of a diagnosis


@dataclass
class Verdict:
    """What a check found; .text() is what is printed, .json() what --json prints."""

    exercise: Exercise
    state: str
    mistake: str | None = None
    says: str = ""
    asks: str = ""
    trial: Trial | None = None
    outcome: Outcome | None = None
    fitting: list[str] = field(default_factory=list)  # every row that fits; a gate wants one at most

    @property
    def ok(self) -> bool:
        return self.state == PASSED

    @property
    def see(self) -> str:
        if self.state == WRONG:
            return f"python -m demos.exercises show {self.exercise.number}"
        return f"python -m demos.exercises hint {self.exercise.number}" if self.state == UNWRITTEN else ""

    def json(self) -> dict[str, Any]:
        return {
            "exercise": self.exercise.number, "name": self.exercise.name, "state": self.state,
            "mistake": self.mistake, "says": self.says, "see": self.see,
        }  # fmt: skip

    def text(self, asking: bool = False) -> str:
        return "\n".join(lines(self, asking))

    def __repr__(self) -> str:
        return self.text()


def check(exercise: Exercise, path: Path, seed: int, seconds: float = SECONDS) -> Verdict:
    """Runs the learner's file and judges what comes back."""
    probes = exercise.probes(seed)
    return judge(exercise, probes, run(exercise, path, probes, seconds))


def judge(exercise: Exercise, probes: list[Probe], outcome: Outcome) -> Verdict:
    if outcome.problem:
        return Verdict(exercise, NOT_RUN, says=outcome.problem, outcome=outcome)
    if outcome.failed:
        state = UNWRITTEN if outcome.failed["error"] == "NotImplementedError" else NOT_RUN
        return Verdict(exercise, state, says=load_sentence(outcome), outcome=outcome)
    answers = outcome.answers
    if not answers or all(answer is UNANSWERED for answer in answers):
        return Verdict(exercise, WRONG, says="Nothing was checked: no answer came back.", outcome=outcome)
    unwritten = {i for i, answer in enumerate(answers) if is_error(answer, "NotImplementedError")}
    silent = {i for i, answer in enumerate(answers) if answer is UNANSWERED}
    wrong = [
        i
        for i, (probe, answer) in enumerate(zip(probes, answers, strict=True))
        if i not in unwritten and (i in silent or not exercise.is_right(probe, answer))
    ]
    if wrong and set(wrong) <= silent:
        wrong = []
    trial = Trial(exercise, probes, answers, wrong)
    if not wrong:
        if unwritten:
            return Verdict(exercise, UNWRITTEN, says=unwritten_sentence(trial, unwritten), trial=trial, outcome=outcome)
        return Verdict(exercise, PASSED, says=exercise.note(trial), trial=trial, outcome=outcome)
    found = matching(trial, unwritten | silent)
    says = found[0].sentence(trial) if found else fallback(trial)
    if outcome.noted and is_error(trial.first[1], "NotAllowed"):
        found, says = [], sentence(outcome.noted[0])
    return Verdict(
        exercise,
        WRONG,
        found[0].id if found else None,
        says,
        found[0].question(trial) if found else "",
        trial,
        outcome,
        [row.id for row in found],
    )


def matching(trial: Trial, open_: set[int]) -> list[Mistake]:
    """The rows that explain the answers: each part is right throughout or as the row says throughout, one as it says.

    Where parts form groups, the first group that is off is explained by itself.
    """
    exercise = trial.exercise
    group = exercise.grouped(trial.first[0]["part"])
    parts: dict[str, list[int]] = {}
    for i, probe in enumerate(trial.probes):
        if i not in open_ and exercise.grouped(probe["part"]) == group:
            parts.setdefault(probe["part"], []).append(i)
    off = {trial.probes[i]["part"] for i in trial.wrong} & set(parts)

    def explains(row: Mistake) -> bool:
        return all(row.fits(trial.probes[i], trial.answers[i]) for part in off for i in parts[part]) and row.also(trial)

    return [row for row in exercise.mistakes if explains(row)]


# -- sentences


def sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def load_sentence(outcome: Outcome) -> str:
    failed = outcome.failed or {}
    where = f" ({failed['at']})" if failed.get("at") else ""
    if outcome.noted:
        return sentence(outcome.noted[0])
    if failed["error"] == "SystemExit":
        return f"The file ends the program while it is being loaded{where}: take the exit() out."
    if failed["error"] == "MemoryError":
        return f"The file asks for more than 1 GB while it is being loaded{where}."
    if failed["error"] == "NotImplementedError":
        return "Nothing is written yet."
    if failed["error"] in ("ImportError", "NotAllowed"):
        return sentence(failed["says"])
    return f"The file can't be loaded: {failed['error']}: {failed['says']}{where}."


def unwritten_sentence(trial: Trial, unwritten: set[int]) -> str:
    parts = list(dict.fromkeys(probe["part"] for probe in trial.probes))
    left = list(dict.fromkeys(trial.probes[i]["part"] for i in sorted(unwritten)))
    if len(left) == len(parts):
        return "Nothing is written yet."
    return f"What is written is right. Still to be written: {', '.join(left)}."


def error_sentence(probe: Probe, answer: Answer) -> str:
    """An exception while a probe ran."""
    where = f" ({answer['at']})" if answer.get("at") else ""
    on = f"on {probe['title']}" if probe.get("title") else f"in {probe['part']}"
    match answer["error"]:
        case "TimeLimit":
            return f"{sentence(answer['says'])[:-1]} {on}: does the loop end, and is every node visited once?"
        case "Ended":
            return f"{sentence(answer['says'])[:-1]}, {on}."
        case "SystemExit":
            return f"Your code ends the program {on}{where}: take the exit() out."
        case "MemoryError":
            return f"Your code asks for more than 1 GB {on}{where}."
        case "RecursionError":
            return f"RecursionError {on}{where}: Python's stack is about 1,000 calls deep."
        case "NotAllowed" | "ImportError":
            return sentence(answer["says"])
        case name:
            return f"{name} {on}: {answer['says']}{where}."


def fallback(trial: Trial) -> str:
    """Where no row fits: the first that is off."""
    probe, answer = trial.first
    if is_error(answer):
        return error_sentence(probe, answer)
    if trial.exercise.fallback:
        return trial.exercise.fallback(trial)
    where = first_difference(answer, trial.exercise.expected(probe))
    return f"First off, {where}, {probe['title']}." if probe.get("title") else f"First off, {where}."


def first_difference(answer: Answer, expected: Answer, name: str = "") -> str:
    """Where two answers part, with both."""
    if isinstance(expected, dict) and isinstance(answer, dict):
        for key, each in expected.items():
            if number(answer.get(key)) != number(each):
                return first_difference(answer.get(key), each, f"{name} {key}".strip())
    if isinstance(expected, list | tuple) and isinstance(answer, list):
        if len(answer) != len(expected):
            return f"{name or 'the list'} has {amount(len(answer), 'entry')}, and {len(expected)} are right".strip()
        for i, (a, e) in enumerate(zip(answer, expected, strict=True)):
            if number(a) != number(e):
                return first_difference(a, e, f"{name}[{i}]")
    return f"{name + ': ' if name else ''}yours is {number(answer)}, right is {number(expected)}"


# -- the text of a check


def lines(verdict: Verdict, asking: bool = False) -> list[str]:
    exercise, head = verdict.exercise, f"{verdict.exercise.number} {verdict.exercise.name}"
    if verdict.state == PASSED:
        said = [f"{head:<20}passed: {verdict.trial and count_of(verdict.trial)}", ""]
        return [
            *said,
            *wrapped(exercise.after),
            *(["", *wrapped(verdict.says)] if verdict.says else []),
            *extras(verdict),
        ]
    if verdict.state in (UNWRITTEN, NOT_RUN):
        more = ["", f"  next     {verdict.see}"] if verdict.state == UNWRITTEN else []
        return [f"{head:<20}{verdict.state}", "", *wrapped(verdict.says), *more, *extras(verdict)]
    text = [f"{head:<20}{score(verdict.trial) if verdict.trial else 'nothing was checked'}", ""]
    if verdict.trial and verdict.trial.wrong:
        text += table(verdict.trial)
    says = verdict.asks if asking and verdict.asks else verdict.says
    text += [*wrapped(says), "", f"  see it   {verdict.see}"]
    return [*text, *extras(verdict)]


def count_of(trial: Trial) -> str:
    return f"{amount(len(trial.probes), trial.exercise.unit)}, all right"


def score(trial: Trial) -> str:
    wrong, whole = len(trial.wrong), len(trial.probes)
    right = sum(1 for i, answer in enumerate(trial.answers) if i not in trial.wrong and not is_error(answer))
    return f"{wrong} of {amount(whole, trial.exercise.unit)} wrong" + (f", {right} right" if right else "")


def table(trial: Trial) -> list[str]:
    """The first probe that is off, and the numbers up to the first that is off."""
    probe, answer = trial.first
    if trial.exercise.rows:
        title, rows = trial.exercise.rows(trial)
    elif is_error(answer) or trial.exercise.right is not None:
        return [*wrapped(probe["title"]), ""] if probe.get("title") else []
    else:
        title, rows = probe.get("title", ""), compared(trial)
    head = [*wrapped(title), ""] if title else []
    if not rows:
        return head
    rows = [("", "yours", "right", ""), *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    body = [
        f"  {name:<{widths[0]}}  {yours:<{widths[1]}}  {right:<{widths[2]}}  {note}".rstrip()
        for name, yours, right, note in rows
    ]
    return [*head, *body[: MOST - 8], ""]


def compared(trial: Trial) -> list[tuple[str, str, str, str]]:
    """yours and right for the first probe that is off, flattened; those after the first that is off only counted."""
    probe, answer = trial.first
    expected = trial.exercise.expected(probe)
    if isinstance(expected, dict) and isinstance(answer, dict):
        pairs = [(key, answer.get(key), each) for key, each in expected.items()]
    elif isinstance(expected, list) and isinstance(answer, list) and len(expected) == len(answer):
        pairs = [(f"[{i}]", a, e) for i, (a, e) in enumerate(zip(answer, expected, strict=True))]
    else:
        pairs = [(probe["part"], answer, expected)]
    rows = []
    for name, yours, right in pairs:
        if isinstance(right, dict | list):
            continue
        same = number(yours) == number(right)
        rows.append((name, number(yours), number(right), "ok" if same else "off"))
    first = next((i for i, row in enumerate(rows) if row[3] == "off"), len(rows))
    return rows[: first + 1] if len(rows) > 6 else rows


def extras(verdict: Verdict) -> list[str]:
    """What else there is to say: what was printed, what was replaced."""
    outcome, text = verdict.outcome, list[str]()
    if outcome is None:
        return text
    if outcome.patched and verdict.state != PASSED:
        names = ", ".join(f"math.{name}" for name in outcome.patched)
        text += ["", *wrapped(f"Your file replaced {names}. What is right is decided elsewhere, with numbers.")]
    if outcome.noted and verdict.state == WRONG and outcome.noted[0].lower() not in verdict.says.lower():
        text += ["", *wrapped(sentence(outcome.noted[0]))]
    if outcome.printed.strip():
        printed = outcome.printed.strip().splitlines()
        shown = [f"    {line[:74]}" for line in printed[:5]] + (["    …"] if len(printed) > 5 else [])
        text += ["", "  your file printed", *shown]
        if verdict.state != PASSED and "pass" in outcome.printed.lower():
            text += wrapped("What is printed doesn't count; the numbers that come back do.")
    return text


def exit_status(verdicts: list[Verdict]) -> int:
    """The exit status of several checks: the first that applies of 2, 1, 3, 0."""
    statuses = {STATUS[verdict.state] for verdict in verdicts}
    return next((status for status in (2, 1, 3) if status in statuses), 0)
