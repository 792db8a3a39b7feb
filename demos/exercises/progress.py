"""progress.json in the learner's folder: what has passed, and how often which mistake was met. Nothing personal.

Written whole or not at all; a damaged one is set aside as progress.json.broken, and `check all` builds it anew.
"""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from demos.exercises.course import VERSION, Exercise, course
from demos.exercises.judge import PASSED, WRONG, Verdict
from engine.files import write_atomically

FORMAT = 1
FILE = "progress.json"
SEED = 7
HERE = Path(__file__).resolve().parent


@cache
def checks_hash(key: str) -> str:
    """Of the files that decide about an exercise."""
    files = [
        *sorted(HERE.glob(f"{key}_*.py")),
        HERE / "drive.py",
        HERE / "graphs.py",
        HERE / "programs.py",
        HERE / "hunt.py",
    ]
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def file_hash(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


class Progress:
    """The record of one folder."""

    def __init__(self, folder: Path, seed: int = SEED) -> None:
        self.folder, self.seed = folder, seed
        self.exercises: dict[str, dict[str, Any]] = {}
        self.note = ""

    @classmethod
    def read(cls, folder: Path) -> Progress:
        made = cls(folder)
        path = folder / FILE
        if not path.exists():
            return made
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise ValueError
            made.seed = int(found["seed"])
            known = {each.key for each in course()}
            made.exercises = {key: entry_of(each) for key, each in found["exercises"].items() if key in known}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            broken = path.with_name(f"{FILE}.broken")
            path.replace(broken)
            made.exercises = {}
            made.note = f"{FILE} could not be read, and was set aside as {broken.name}: `check all` builds a new one."
        return made

    def entry(self, exercise: Exercise) -> dict[str, Any]:
        return self.exercises.setdefault(exercise.key, entry_of({}))

    def write(self) -> None:
        record = {"format": FORMAT, "course": VERSION, "seed": self.seed, "exercises": self.exercises}
        write_atomically(self.folder / FILE, json.dumps(record, indent=1, sort_keys=True) + "\n")

    def record(self, verdict: Verdict) -> None:
        """Notes a check: every attempt with its mistake, and what passed with the hashes of what was checked."""
        entry, exercise = self.entry(verdict.exercise), verdict.exercise
        entry["state"] = verdict.state
        if verdict.state == WRONG:
            entry["attempts"] += 1
            entry["mistakes"].append(verdict.mistake or "unnamed")
        elif verdict.state == PASSED:
            if entry["file"] != file_hash(self.folder / exercise.file):
                entry["attempts"] += 1
            entry["file"], entry["checks"] = file_hash(self.folder / exercise.file), checks_hash(exercise.key)

    def state(self, exercise: Exercise) -> str:
        """passed, changed since, or what the latest check said; "" if there was none."""
        entry = self.exercises.get(exercise.key)
        if not entry:
            return ""
        if entry["state"] != PASSED:
            return str(entry["state"])
        same = entry["file"] == file_hash(self.folder / exercise.file) and entry["checks"] == checks_hash(exercise.key)
        return PASSED if same else "changed since"


def entry_of(found: dict[str, Any]) -> dict[str, Any]:
    """An entry with all its fields, each of its type. Raises TypeError or ValueError."""
    empty: dict[str, Any] = {
        "state": "",
        "file": "",
        "checks": "",
        "attempts": 0,
        "hints": 0,
        "revealed": False,
        "mistakes": [],
    }
    for key, each in found.items():
        if key in empty:
            if type(each) is not type(empty[key]):
                raise TypeError(key)
            if (type(each) is int and each < 0) or (key == "mistakes" and not all(type(one) is str for one in each)):
                raise ValueError(key)
            empty[key] = each
    return empty
