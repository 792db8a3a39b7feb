"""The commands of the course: `python -m demos.exercises start mycourse`, then in that folder check, show, hint, ….

Everything works without a terminal. Each command is a row of COMMANDS; the exit status is 0 if all is right, 1 if an
answer is wrong, 3 if one isn't written yet, 2 if something kept a check from running.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from demos.exercises.course import NAMES, PARTS, Exercise, course, exercise
from demos.exercises.judge import NOT_RUN, PASSED, UNWRITTEN, WRONG, Verdict, check, exit_status
from demos.exercises.progress import FILE, SEED, Progress
from demos.exercises.text import printable, wrapped
from demos.program import silence

PROGRAM = "python -m demos.exercises"
MARKS = {PASSED: "✓", WRONG: "x", UNWRITTEN: ".", NOT_RUN: "!", "changed since": "~", "": "."}


class UsageError(ValueError):
    """What was asked for can't be done: a sentence that says what to do instead."""


def say(text: str = "") -> None:
    for line in text.split("\n"):
        print(printable(line, getattr(sys.stdout, "encoding", None)))


def here() -> Path:
    """The learner's folder, which is the present one."""
    folder = Path.cwd()
    if not (folder / FILE).exists() and not any((folder / each.file).exists() for each in course()):
        raise UsageError(f"this folder has no exercises: {PROGRAM} start mycourse, then cd mycourse")
    return folder


def numbered(text: str) -> Exercise:
    try:
        return exercise(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def next_one(progress: Progress) -> Exercise | None:
    """The first that hasn't passed. 8 may stand before 7: it needs no new idea, and 7 is the peak."""
    return next((each for each in course() if progress.state(each) != PASSED), None)


# -- the commands


def start(given: argparse.Namespace) -> int:
    from demos.exercises.files import all_files
    from demos.exercises.notebook import write_notebook

    folder = Path(given.dir)
    files = all_files(given.seed)
    there = sorted(name for name in [*files, FILE] if (folder / name).exists())
    if there and not given.notebook:
        raise UsageError(f"{folder} has {there[0]} already: choose another folder, or `reset N` for one exercise")
    if given.notebook and (folder / "course.ipynb").exists():
        raise UsageError(f"{folder} has course.ipynb already: choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    if given.notebook:
        write_notebook(folder / "course.ipynb", given.seed)
    if not there:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        Progress(folder, given.seed).write()
    say(f"{len(course())} exercises are in {folder}: e01_slope.py to e18_hunt.py.")
    say()
    say("  To begin with a wrong thing: type `mistake assign`, then `end`. Which number")
    say('  is a lie?  stepgrad step "m = a*b; d = a - b*b; tanh(m) - d*m" a=0.9 b=0.9')
    say()
    say(f"  next     cd {folder}")
    say("  then     open course.ipynb in Jupyter" if given.notebook else f"  then     {PROGRAM}")
    return 0


def status(given: argparse.Namespace) -> int:
    progress = Progress.read(here())
    if progress.note:
        say("\n".join(wrapped(progress.note, "")))
    done = sum(progress.state(each) == PASSED for each in course())
    say(f"{done} of {len(course())} passed")
    for each in course():
        if progress.state(each) == "changed since":
            say(f"  {each.number} {each.name} has changed since it passed: check {each.number} looks again")
    if (current := next_one(progress)) is None:
        say("All of it. Whoever reads engine/value.py now reads something they have written themselves.")
        return 0
    say()
    say(f"  {current.number} {current.name}: {current.idea}")
    say()
    say(f"  write    {current.file}")
    say(f"  then     {PROGRAM} check {current.number}")
    say(f"  or       {PROGRAM} hint {current.number}")
    return 0


def list_all(given: argparse.Namespace) -> int:
    progress = Progress.read(here())
    for each in course():
        if each.number in PARTS:
            say(f"{PARTS[each.number]}")
        state = progress.state(each) or UNWRITTEN
        say(
            f"  {MARKS.get(state, ' ')} {each.number:>2} "
            f"{each.name:<12}{each.idea:<48}{state if state != UNWRITTEN else ''}".rstrip()
        )
    return 0


def run_check(given: argparse.Namespace) -> int:
    folder = here()
    progress = Progress.read(folder)
    if progress.note:
        print(printable(progress.note, sys.stderr.encoding), file=sys.stderr)
    if given.exercise == "all":
        wanted = course()
    elif given.exercise:
        wanted = [numbered(given.exercise)]
    else:
        wanted = [next_one(progress) or course()[-1]]
    verdicts = [looked_at(progress, each, given, short=len(wanted) > 1) for each in wanted]
    if len(wanted) == 1 and verdicts[0].ok and not given.json:
        congratulate(progress, given)
    return exit_status(verdicts)


def looked_at(progress: Progress, each: Exercise, given: argparse.Namespace, short: bool) -> Verdict:
    """Checks, records and prints."""
    verdict = check(each, progress.folder / each.file, progress.seed)
    before = progress.entry(each)["mistakes"].count(verdict.mistake)
    progress.record(verdict)
    progress.write()
    if given.json:
        print(json.dumps(verdict.json(), ensure_ascii=True))
    elif short:
        named = f"  {verdict.mistake}" if verdict.mistake else ""
        say(f"{MARKS[verdict.state]} {each.number:>2} {each.name:<12}{verdict.state}{named}")
    else:
        say(verdict.text(asking=before == 0))
    return verdict


def congratulate(progress: Progress, given: argparse.Namespace) -> None:
    """What comes next; after the last pass all are run again."""
    following = next_one(progress)
    if following is not None:
        say()
        say(f"  next     {following.number} {following.name}: {following.idea}")
        return
    again = [check(each, progress.folder / each.file, progress.seed) for each in course()]
    passed = sum(verdict.ok for verdict in again)
    say()
    say(f"  all {len(again)} run once more: {passed} passed")


def show(given: argparse.Namespace) -> int:
    folder = here()
    progress = Progress.read(folder)
    each = numbered(given.exercise)
    verdict = check(each, folder / each.file, progress.seed)
    trial = verdict.trial if verdict.state == WRONG else None
    assert each.see is not None
    view = each.see(trial, verdict.mistake)
    what = (
        f"{verdict.mistake or 'not one of the classics'}"
        if verdict.state == WRONG
        else f"{verdict.state}; this is how it should be"
    )
    say(f"{each.number} {each.name}: {what}")
    say()
    say(view.text)
    if view.drawing is not None:
        try:
            say()
            say(f"wrote {view.drawing.save(Path('out') / f'{each.key}.svg')}")
        except (OSError, RuntimeError) as error:
            say(f"The drawing is left out: {error}")
    if view.E is not None and sys.stdin.isatty() and sys.stdout.isatty():
        from engine import debug

        debug(view.walk() if view.walk else view.E)
    return 0


def hint(given: argparse.Namespace) -> int:
    progress = Progress.read(here())
    each = numbered(given.exercise) if given.exercise else next_one(progress) or course()[-1]
    entry = progress.entry(each)
    rung = min(entry["hints"], len(each.hints) - 1)
    entry["hints"] = min(entry["hints"] + 1, len(each.hints))
    progress.write()
    say(f"{each.number} {each.name}, hint {rung + 1} of {len(each.hints)}")
    say()
    say("\n".join(wrapped(each.hints[rung])))
    return 0


def watch(given: argparse.Namespace) -> int:
    """Looks twice a second which file has changed, and checks it; Enter checks again, n next, h hint, q quits."""
    folder = here()
    times = {each: stamp(folder / each.file) for each in course()}
    current = next_one(Progress.read(folder)) or course()[-1]
    say("Watching. Save a file, and it is checked. Enter checks again, n next, h hint, q quits.")
    while True:
        for each in course():
            if (now := stamp(folder / each.file)) != times[each]:
                times[each], current = now, each
                again(folder, current)
        match pressed(0.5):
            case "q" | None:
                return 0
            case "n":
                current = next_one(Progress.read(folder)) or current
                say(f"{current.number} {current.name}: {current.idea}")
            case "h":
                hint(argparse.Namespace(exercise=current.name))
            case "":
                again(folder, current)


def again(folder: Path, each: Exercise) -> None:
    looked_at(Progress.read(folder), each, argparse.Namespace(json=False), short=False)


def stamp(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def pressed(seconds: float) -> str | None:
    """A line that was typed within so many seconds; "-" if none was, None at the end of input."""
    import select

    try:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
    except (OSError, ValueError):  # a stdin that can't be waited for, as on Windows
        time.sleep(seconds)
        return "-"
    if not ready:
        return "-"
    line = sys.stdin.readline()
    return line.strip().lower() if line else None


def reset(given: argparse.Namespace) -> int:
    from demos.exercises.files import stub

    folder = here()
    progress = Progress.read(folder)
    each = numbered(given.exercise)
    path = folder / each.file
    kept = ""
    if path.exists():
        free = next(i for i in range(1, 10_000) if not path.with_name(f"{path.name}.{i}").exists())
        path.replace(path.with_name(f"{path.name}.{free}"))
        kept = f"; yours is kept as {path.name}.{free}"
    path.write_text(stub(each, progress.seed), encoding="utf-8")
    progress.entry(each)["state"] = ""
    progress.write()
    say(f"{path.name} is new{kept}")
    return 0


def reveal(given: argparse.Namespace) -> int:
    from demos.exercises.files import solution

    progress = Progress.read(here())
    each = numbered(given.exercise)
    text = solution(each, progress.seed)
    if text is None:
        raise UsageError("solutions come with the source alone, not with the installed course: hint N has four rungs")
    progress.entry(each)["revealed"] = True
    progress.write()
    say(text.rstrip())
    return 0


def report(given: argparse.Namespace) -> int:
    from demos.exercises.report import Report

    made = Report([Path(each) for each in given.dirs])
    if given.html:
        from engine.files import write_atomically

        write_atomically(given.html, made.html())
        say(f"wrote {given.html}")
    elif given.json:
        for learner in made.learners:
            print(json.dumps(learner.json(), ensure_ascii=True))
    else:
        say(made.csv() if given.csv else made.text())
    return 0


def verify(given: argparse.Namespace) -> int:
    """Everything from nothing, no progress read but for the seed, as JSON lines."""
    folder = here()
    seed = Progress.read(folder).seed if (folder / FILE).exists() else SEED
    verdicts = []
    for each in course():
        verdicts.append(check(each, folder / each.file, seed))
        print(json.dumps(verdicts[-1].json(), ensure_ascii=True), flush=True)
    return exit_status(verdicts)


def sheet(given: argparse.Namespace) -> int:
    from demos.exercises.sheet import page
    from engine.files import write_atomically

    each = numbered(given.exercise)
    try:
        text = page(each, given.seed, given.key)
    except ValueError as error:
        raise UsageError(str(error)) from None
    say(f"wrote {write_atomically(given.o or f'{each.key}-sheet.html', text)}")
    return 0


class Command(NamedTuple):
    run: Callable[[argparse.Namespace], int]
    help: str
    arguments: dict[str, dict[str, Any]]


ONE = {"metavar": "N", "help": f"a number from 1 to {len(NAMES)}, or a name"}
SEEDED = {
    "type": int,
    "default": SEED,
    "metavar": "K",
    "help": f"other numbers for another K; {SEED} if it is left out",
}
COMMANDS = {
    "start": Command(start, "write a folder with the exercises", {
        "dir": {"metavar": "DIR"}, "--seed": SEEDED,
        "--notebook": {"action": "store_true", "help": "write course.ipynb, too"},
    }),
    "status": Command(status, "where you are, and what comes next; the same as no command", {}),
    "check": Command(run_check, "check an exercise, the current one if none is named", {
        "exercise": {"nargs": "?", "metavar": "N|all"}, "--json": {"action": "store_true"},
    }),
    "show": Command(show, "your mistake, stepped and drawn", {"exercise": ONE}),
    "hint": Command(hint, "one more rung of four", {"exercise": {"nargs": "?", "metavar": "N"}}),
    "watch": Command(watch, "check each file when it is saved", {}),
    "list": Command(list_all, "all exercises, and how they stand", {}),
    "reset": Command(reset, "a new stub; what you wrote is kept", {"exercise": ONE}),
    "reveal": Command(reveal, "a right answer; that it was looked at is recorded", {"exercise": ONE}),
    "report": Command(report, "for the teacher: every folder, checked anew", {
        "dirs": {"nargs": "+", "metavar": "DIR"}, "--json": {"action": "store_true"}, "--csv": {"action": "store_true"},
        "--html": {"metavar": "FILE"},
    }),
    "verify": Command(verify, "check everything from nothing, as JSON lines", {"--json": {"action": "store_true"}}),
    "sheet": Command(sheet, "exercise 3, 5, 6 or 8 as a page to fill in, on screen or on paper", {
        "exercise": ONE, "--seed": SEEDED, "--key": {"action": "store_true", "help": "the teacher's copy"},
        "-o": {"metavar": "FILE"},
    }),
}  # fmt: skip


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(f"{message}; {self.prog} --help tells more")


def parser() -> Parser:
    made = Parser(
        PROGRAM, description="Eighteen exercises from a slope to a network, checked by name.", allow_abbrev=False
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, row in COMMANDS.items():
        one = commands.add_parser(name, help=row.help, description=row.help, allow_abbrev=False)
        for argument, options in row.arguments.items():
            one.add_argument(argument, **options)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments (those of the process, if None) and returns its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        given = parser().parse_args(sys.argv[1:] if argv is None else argv)
        command = COMMANDS[given.command or "status"].run(given)
        sys.stdout.flush()
        return command
    except (UsageError, ImportError, RuntimeError) as error:  # each a sentence
        print(f"exercises: {printable(str(error), sys.stderr.encoding)}", file=sys.stderr)
        return 2
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            silence()
            return 0
        print(f"exercises: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except SystemExit as done:  # argparse, after --help
        return done.code if isinstance(done.code, int) else 0


if __name__ == "__main__":
    raise SystemExit(main())
