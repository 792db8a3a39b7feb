"""The commands as somebody types them: transcripts, progress, and consoles that can't print everything."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demos.exercises import picture
from demos.exercises.__main__ import main
from demos.exercises.course import course, exercise
from demos.exercises.progress import Progress
from demos.exercises.text import WIDTH, plain
from tests.exercises import ways
from tests.exercises.answers import SEED, solution, wrong
from tests.exercises.ways import inside, ran
from tests.pictures.test_readme_pictures import assert_current

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A learner's folder, in which the test stands."""
    with inside(tmp_path):
        ran("start", "mycourse")
    with inside(tmp_path / "mycourse"):
        yield tmp_path / "mycourse"


def assigned() -> str:
    return next(row.text() for row in wrong() if str(row) == "accumulate-assign")


def test_the_list_has_a_column_for_the_state_of_each(place: Path) -> None:
    (place / "e01_slope.py").write_text(solution(exercise("slope")), encoding="utf-8")
    ran("check", "1")
    rows = [line for line in ran("list").splitlines() if line[:2] == "  "]
    assert len(rows) == len(course()) and all(line[67:] in ("", "passed") and line[66:67] in ("", " ") for line in rows)
    assert rows[0][67:] == "passed"


@pytest.mark.parametrize("name", ways.WAYS)
def test_ways_through_the_course_are_as_kept(name: str) -> None:
    kept = (ways.KEPT / name).read_text(encoding="utf-8")
    assert ways.WAYS[name]() == kept


def test_nothing_is_wider_than_a_console() -> None:
    lines = (ways.KEPT / "stranger.txt").read_text(encoding="utf-8").splitlines()
    assert all(len(line) <= WIDTH + 1 for line in lines), max(lines, key=len)


def test_the_diagnosis_as_a_picture_is_current(tmp_path: Path) -> None:
    kept = (ROOT / "demos" / "exercises" / "pictures" / "diagnosis.svg").read_text(encoding="utf-8")
    drawn = picture.picture(tmp_path / "diagnosis.svg").read_text(encoding="utf-8")
    assert_current(kept, drawn)
    assert "first one off" in drawn and "+= is needed" in drawn


def test_a_question_first_then_the_name(place: Path) -> None:
    Path("e05_accumulate.py").write_text(assigned(), encoding="utf-8")
    first, second = ran("check", "5"), ran("check", "5")
    assert "How many of them does your 0.4358 count?" in first and "+= is needed" not in first
    assert "+= is needed" in second and second.rstrip().endswith("[exit status 1]")
    answer = json.loads(ran("check", "accumulate", "--json").split("\n")[1])
    assert answer["mistake"] == "assign" and "+= is needed" in answer["says"]


def test_exit_statuses(place: Path) -> None:
    assert main(["check", "3"]) == 3
    Path("e03_chain.py").write_text(solution(exercise("chain")), encoding="utf-8")
    assert main(["check", "3"]) == 0 and main(["check", "all"]) == 3
    Path("e05_accumulate.py").write_text(assigned(), encoding="utf-8")
    assert main(["check", "5"]) == 1 and main(["check", "all", "--json"]) == 1
    Path("e04_node.py").write_text("class Node", encoding="utf-8")
    assert main(["check", "4"]) == 2 and main(["check", "all"]) == 2 and main(["verify"]) == 2
    assert main(["check", "99"]) == 2 and main(["nonsense"]) == 2 and main([]) == 0


def test_check_without_a_number_takes_the_next_and_progress_notices_changes(place: Path) -> None:
    Path("e01_slope.py").write_text(solution(exercise("slope")), encoding="utf-8")
    assert "1 slope" in ran("check") and "2 rows" in ran("check")
    Path("e01_slope.py").write_text(solution(exercise("slope")) + "\n# better\n", encoding="utf-8")
    assert "1 slope has changed since it passed" in ran("status")
    entry = json.loads(Path("progress.json").read_text(encoding="utf-8"))["exercises"]["e01"]
    assert entry["state"] == "passed" and entry["mistakes"] == [] and len(entry["file"]) == 64


def test_progress_holds_nothing_personal(place: Path) -> None:
    ran("check", "all")
    found = json.loads(Path("progress.json").read_text(encoding="utf-8"))
    assert set(found) == {"format", "course", "seed", "exercises"} and found["seed"] == SEED
    for entry in found["exercises"].values():
        assert set(entry) == {"state", "file", "checks", "attempts", "hints", "revealed", "mistakes"}


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 9, "seed": 7, "exercises": {}}', '{"format": 1}',
                                  '{"format": 1, "seed": 1e999, "exercises": {}}', "[" * 100_000,
                                  '{"format": 1, "seed": 7, "exercises": {"e01": {"hints": "x"}}}',
                                  '{"format": 1, "seed": 7, "exercises": {"e01": {"hints": -9}}}',
                                  '{"format": 1, "seed": 7, "exercises": {"e01": {"mistakes": [[1]]}}}'])  # fmt: skip
def test_a_damaged_record_is_set_aside(text: str, place: Path) -> None:
    Path("progress.json").write_text(text, encoding="utf-8")
    assert "set aside" in ran("status")
    assert Path("progress.json.broken").read_text(encoding="utf-8") == text
    ran("check", "all")
    assert Progress.read(place).exercises


def test_what_a_record_says_of_other_exercises_is_left_out(place: Path) -> None:
    text = '{"format": 1, "seed": 9, "exercises": {"e99": {"mistakes": ["zzz"]}, "e01": {"hints": 2}}}'
    Path("progress.json").write_text(text, encoding="utf-8")
    assert "set aside" not in ran("status") and list(Progress.read(place).exercises) == ["e01"]


def test_hints_are_counted_and_end_at_four(place: Path) -> None:
    assert [ran("hint", "7").split("\n")[1] for _ in range(5)][2:] == [
        "7 order, hint 3 of 4", "7 order, hint 4 of 4", "7 order, hint 4 of 4"
    ]  # fmt: skip
    assert Progress.read(place).entry(exercise("order"))["hints"] == 4


def test_reset_keeps_what_was_written(place: Path) -> None:
    for i in (1, 2):
        Path("e05_accumulate.py").write_text(f"# {i}\n", encoding="utf-8")
        assert f"kept as e05_accumulate.py.{i}" in ran("reset", "5")
    assert Path("e05_accumulate.py.1").read_text(encoding="utf-8") == "# 1\n"
    assert "NotImplementedError" in Path("e05_accumulate.py").read_text(encoding="utf-8")


def test_reveal_is_recorded_and_right(place: Path) -> None:
    for name in ("hunt", "ready", "order"):
        Path(exercise(name).file).write_text(ran("reveal", name).partition("\n")[2], encoding="utf-8")
        assert main(["check", name]) == 0
        assert Progress.read(place).entry(exercise(name))["revealed"] is True


def test_show_writes_the_drawing(place: Path) -> None:
    Path("e05_accumulate.py").write_text(assigned(), encoding="utf-8")
    said = ran("show", "5")
    assert "mistake 'assign'" in said and "p.grad was 0.5649, and = replaced it by 0.4358" in said
    assert "<svg" in Path("out/e05.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [each.name for each in course()])
def test_show_says_something_for_each_exercise(name: str, place: Path) -> None:
    assert len(ran("show", name).splitlines()) > 4


def test_start_refuses_a_folder_that_has_them(place: Path) -> None:
    Path("e05_accumulate.py").write_text("mine", encoding="utf-8")
    with inside(place.parent):
        assert "has e01_slope.py already" in ran("start", "mycourse")
    assert Path("e05_accumulate.py").read_text(encoding="utf-8") == "mine"


def test_another_seed_has_other_numbers_and_another_hunt(tmp_path: Path) -> None:
    with inside(tmp_path):
        ran("start", "a", "--seed", "1")
        ran("start", "b", "--seed", "2")
    for name in ("e06_ready.py", "hunt1.py"):
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()
    with inside(tmp_path / "b"):
        Path("e06_ready.py").write_text(solution(exercise("ready"), seed=1), encoding="utf-8")
        assert main(["check", "6"]) == 1
        Path("e06_ready.py").write_text(solution(exercise("ready"), seed=2), encoding="utf-8")
        assert main(["check", "6"]) == 0


def test_verify_reads_no_progress(place: Path) -> None:
    before = Path("progress.json").read_bytes()
    lines = ran("verify").strip().split("\n")[1:-1]
    assert [json.loads(line)["exercise"] for line in lines] == list(range(1, 19))
    assert Path("progress.json").read_bytes() == before


def test_a_console_without_utf_8_gets_ascii(place: Path) -> None:
    for arguments in (["check", "5"], ["list"], ["hint", "5"]):
        Path("e05_accumulate.py").write_text(assigned(), encoding="utf-8")
        result = subprocess.run(
            [sys.executable, "-m", "demos.exercises", *arguments],
            capture_output=True, env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        text = result.stdout.decode("ascii")
        assert not result.stderr and "\\u" not in text and "?" not in text.replace("count?", "").replace("reach E?", "")


def test_every_letter_of_the_texts_has_a_plain_form() -> None:
    kept = "".join((ways.KEPT / name).read_text(encoding="utf-8") for name in ways.WAYS)
    texts = kept + "".join("".join(each.hints) + each.after for each in course())
    assert not {letter for letter in texts if not letter.isascii() and "?" in plain(letter)}


def test_watch_checks_what_is_saved_and_ends_with_q(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from demos.exercises import __main__ as command

    typed = iter(["-", "h", "n", "", "q"])

    def pressed(seconds: float) -> str:
        Path("e05_accumulate.py").write_text(assigned(), encoding="utf-8")
        return next(typed)

    monkeypatch.setattr(command, "pressed", pressed)
    monkeypatch.setattr(command, "stamp", lambda path: len(path.read_bytes()))
    said = ran("watch")
    assert said.count("5 accumulate") >= 1 and "hint 1 of 4" in said and "Watching" in said


def test_the_module_runs_by_its_name(place: Path) -> None:
    result = subprocess.run([sys.executable, "-m", "demos.exercises"], capture_output=True, text=True,
                            env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert result.returncode == 0 and "0 of 18 passed" in result.stdout


@pytest.mark.parametrize("mistake", ["assign", "no-seed", "swapped", "once"])
def test_the_prompt_after_show_stands_where_the_transcript_ends(mistake: str) -> None:
    see = exercise("accumulate").see
    assert see is not None
    view = see(None, mistake)
    assert view.walk is not None
    stepper = view.walk()
    assert stepper.way.name == mistake and repr(stepper).splitlines()[0] in view.text
    stepper.restore()
