"""Runs a learner's file, in a process of its own: `python -I child.py`, with what to do as JSON on stdin.

It writes JSON lines to a file that the parent reads: how far it came, and the answers as plain numbers and texts. It
knows nothing of right and wrong. This is no security boundary; what decides is what comes back.
"""

from __future__ import annotations

import builtins
import importlib.util
import json
import math
import os
import sys
import traceback
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PRINTED = 100_000  # characters a learner's file may print
WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


class NotAllowed(RuntimeError):
    """Something that a check doesn't do: the sentence is for the learner."""


class Told:
    """The lines that the parent reads."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "w", encoding="utf-8")  # noqa: SIM115 (open as long as the process lives)

    def say(self, **line: Any) -> None:
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()


class Printed:
    """What stands in for stdout and stderr: it keeps the beginning, and refuses a flood."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text, self.size = "", 0

    def write(self, text: str) -> int:
        self.text += text[: max(2000 - len(self.text), 0)]
        self.size += len(text)
        if self.size > PRINTED:
            raise NotAllowed(f"more than {PRINTED:,} characters were printed: take the print out of the loop")
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


class Blocker:
    """An importer that refuses the project, and other engines: what is checked is the learner's own."""

    def __init__(self, refused: list[str]) -> None:
        self.refused = refused

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in self.refused:
            raise ImportError(f"{name} can't be imported in this exercise: what is checked is what you write yourself")


def watch(noted: list[str]) -> None:
    """Refuses, with a sentence, what a check has no use for: other processes, files written, the check's own files."""

    def refuse(sentence: str) -> None:
        noted.append(sentence)
        raise NotAllowed(sentence)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in (
            "os.fork",
            "os.forkpty",
            "os.exec",
            "os.posix_spawn",
            "os.system",
            "subprocess.Popen",
            "pty.spawn",
        ):
            refuse("another process was to be started: a check runs your file alone; take that out")
        elif event == "socket.connect":
            refuse("the network was to be used: a check needs none; take that out")
        elif event in ("os.kill", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "shutil.rmtree"):
            refuse(f"{event} was called: a check leaves files and processes alone; take that out")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path, mode, flags = (*arguments, None, 0)[:3]
            place = os.fsdecode(path)
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITING):
                refuse(f"the file {os.path.basename(place)} was to be written: a check leaves no files; take that out")
            if os.path.abspath(place).startswith(str(HERE)):
                refuse("the check's own file was to be read: there are no answers in it")

    sys.addaudithook(hook)


def limit_memory(size: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ImportError, ValueError, OSError):
        pass  # a platform without it


def error_of(error: BaseException, folder: str) -> dict[str, Any]:
    """An exception as data: its type, its sentence, and the learner's own lines of the traceback."""
    frames = [
        f"line {number} of {os.path.basename(frame.f_code.co_filename)}, in {frame.f_code.co_name}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.startswith(folder)
    ]
    if isinstance(error, SyntaxError) and error.lineno:
        frames = [f"line {error.lineno} of {os.path.basename(error.filename or '')}"]
    says = str(error) if not isinstance(error, SyntaxError) else error.msg
    return {"error": type(error).__name__, "says": says[:300], "at": frames[-1] if frames else ""}


def load(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def prepare(task: dict[str, Any]) -> Any:
    """Imports what the drivers need, then shuts the door; returns the module of drivers."""
    sys.dont_write_bytecode = True
    if task["root"]:
        sys.path.insert(0, task["root"])
    drive = load("course_drive", HERE / "drive.py")
    drive.prepare(task["exercise"], task["given"])
    if task["root"]:
        sys.path.remove(task["root"])
    for name in [name for name in sys.modules if name.partition(".")[0] in task["refused"]]:
        del sys.modules[name]
    sys.meta_path.insert(0, Blocker(task["refused"]))
    sys.path.insert(0, os.path.dirname(task["file"]))
    return drive


def no_input(*_: object) -> str:
    raise NotAllowed("input() waits for somebody to type, and in a check nobody does: take it out")


def run(task: dict[str, Any], told: Told) -> None:
    folder, printed, noted = os.path.dirname(task["file"]), Printed(), list[str]()
    drive = prepare(task)
    mathematics = dict(vars(math))
    builtins.input = no_input
    sys.stdout = sys.stderr = printed
    limit_memory(task["memory"])
    watch(noted)

    def finish(**line: Any) -> None:
        changed = [name for name, each in mathematics.items() if vars(math).get(name) is not each]
        told.say(**line, printed=printed.text, noted=noted[:1], patched=changed[:3])

    name = os.path.splitext(os.path.basename(task["file"]))[0]
    try:
        module = load(name, Path(task["file"]))
    except BaseException as error:  # SystemExit, too
        return finish(failed=error_of(error, folder))
    missing = [wanted for wanted in task["names"] if not hasattr(module, wanted)]
    if missing:
        return finish(missing=missing)
    told.say(loaded=True)
    learner = vars(module)
    for place, probe in enumerate(task["probes"]):
        told.say(started=place)
        try:
            answer = drive.answer(task["exercise"], learner, probe)
        except BaseException as error:
            answer = error_of(error, folder)
        told.say(place=place, answer=answer)
    return finish(done=True)


def main() -> None:
    task = json.loads(sys.stdin.buffer.read())
    told = Told(task["out"])
    run(task, told)
    told.file.flush()
    os._exit(0)  # whatever the learner's file left to be done at exit


if __name__ == "__main__":
    main()
