"""Has a learner's file answer the probes of an exercise, in a child process with a time limit and a memory limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demos.exercises.course import Answer, Exercise, Probe

HERE = Path(__file__).resolve().parent
SECONDS = 5.0
MEMORY = 1 << 30
REFUSED = (
    "engine",
    "nn",
    "demos",
    "tests",
    "torch",
    "jax",
    "tensorflow",
    "autograd",
    "micrograd",
    "tinygrad",
    "casadi",
)
UNANSWERED = {"error": "Unanswered", "says": "", "at": ""}


@dataclass
class Outcome:
    """What came back from the child: the answers, or why there are none."""

    answers: list[Answer] = field(default_factory=list)
    problem: str = ""  # why the file could not be run
    failed: dict[str, Any] | None = None  # the exception while it was loaded
    printed: str = ""
    noted: list[str] = field(default_factory=list)  # what it tried that a check doesn't do
    patched: list[str] = field(default_factory=list)  # names of math that it replaced


def given_text() -> str:
    return (HERE / "stubs" / "given.py.txt").read_text(encoding="utf-8")


def run(exercise: Exercise, path: Path, probes: list[Probe], seconds: float = SECONDS) -> Outcome:
    """The answers of the file at this path. Never raises for what the file does."""
    if not path.is_file():
        return Outcome(
            problem=f"{path.name} isn't there: `start` writes it, and `reset {exercise.number}` writes it anew"
        )
    with tempfile.TemporaryDirectory(prefix="exercise") as place:
        out = Path(place, "answers")
        task = {
            "file": str(path.resolve()), "exercise": exercise.name, "names": exercise.wanted, "probes": probes,
            "refused": [name for name in REFUSED if name not in exercise.allows], "out": str(out), "memory": MEMORY,
            "given": given_text(), "root": str(HERE.parents[1]) if exercise.allows else None,
        }  # fmt: skip
        ended = _process(json.dumps(task).encode(), seconds)
        lines = _lines(out)
    return _outcome(path, probes, lines, ended, seconds)


def _process(task: bytes, seconds: float) -> str:
    """Runs the child; how it ended: "", "time", or what it printed last where Python itself could not go on."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    child = subprocess.Popen(
        [sys.executable, "-I", "-X", "utf8", str(HERE / "child.py")],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment, start_new_session=os.name == "posix",
    )  # fmt: skip
    try:
        child.communicate(task, timeout=seconds)
        return ""
    except subprocess.TimeoutExpired:
        return "time"
    finally:
        if os.name == "posix" and child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.kill()
        child.wait()


def _lines(out: Path) -> list[dict[str, Any]]:
    """The whole lines that the child wrote; what isn't one is left out."""
    try:
        text = out.read_text(encoding="utf-8")
    except OSError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            read = json.loads(line)
        except ValueError:
            continue
        if isinstance(read, dict):
            lines.append(read)
    return lines


def _outcome(path: Path, probes: list[Probe], lines: list[dict[str, Any]], ended: str, seconds: float) -> Outcome:
    outcome = Outcome(answers=[UNANSWERED] * len(probes))
    said: dict[str, Any] = {}
    started = None
    for line in lines:
        said |= line
        started = line.get("started", started)
        if line.get("place") is not None and 0 <= line["place"] < len(probes):
            outcome.answers[line["place"]] = line.get("answer")
    outcome.printed, outcome.noted = said.get("printed", ""), said.get("noted", [])
    outcome.patched = said.get("patched", [])
    if said.get("missing"):
        outcome.problem = (
            f"{' and '.join(said['missing'])} isn't defined in {path.name}: give it back the name of the stub"
        )
    elif said.get("failed"):
        outcome.failed = said["failed"]
    elif not said.get("loaded"):
        why = f"no answer after {seconds:g} s" if ended == "time" else "the process ended"
        outcome.problem = f"{why} while {path.name} was being loaded: what stands outside of functions runs at once"
    elif not said.get("done") and started is not None and outcome.answers[started] is UNANSWERED:
        why = f"no answer after {seconds:g} s" if ended == "time" else "the process ended in the middle of it"
        outcome.answers[started] = {"error": "TimeLimit" if ended == "time" else "Ended", "says": why, "at": ""}
    return outcome
