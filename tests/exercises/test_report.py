"""The teacher's report: every file checked anew, whatever the record says; and the page that shows it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from demos.exercises.course import course
from demos.exercises.report import ALOUD, Report, aloud
from tests.exercises.answers import folder, wrong
from tests.exercises.ways import inside, ran


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """anna has all right; <b> is stuck at 5; both have met assign."""
    place = tmp_path_factory.mktemp("class")
    assign = next(row.text() for row in wrong() if str(row) == "accumulate-assign")
    for name in ("anna", "<b>"):
        with inside(place):
            ran("start", name)
        with inside(place / name):
            Path("e05_accumulate.py").write_text(assign, encoding="utf-8")
            ran("check", "5")
            ran("hint", "5")
    folder(place / "anna")
    record = json.loads((place / "<b>" / "progress.json").read_text(encoding="utf-8"))
    record["exercises"]["e03"] = record["exercises"]["e05"] | {"state": "passed", "mistakes": []}
    (place / "<b>" / "progress.json").write_text(json.dumps(record), encoding="utf-8")
    return Report([place / "anna", place / "<b>"])


def test_what_is_right_is_found_out_anew(report: Report) -> None:
    anna, b = (learner.json() for learner in report.learners)
    assert (anna["learner"], anna["score"]) == ("anna", 18) and b["score"] == 0
    assert b["exercises"]["e03"]["state"] == "not written"  # whatever its record claims
    assert b["exercises"]["e05"] == {
        "name": "accumulate", "state": "wrong", "mistake": "assign", "attempts": 1, "hints": 1, "revealed": False,
        "mistakes": ["assign"],
    }  # fmt: skip


def test_misconceptions_are_counted_by_learner(report: Report) -> None:
    assert report.met() == [("e05", "assign", 2)]
    assert [(one.name, count, last) for one, count, last in report.stuck()] == [("accumulate", 1, [("assign", 1)])]
    text = report.text()
    assert "most met:  e05 assign 2 of 2" in text and "still stuck: e05 (1 of 2), last diagnosis: assign 1" in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_three_sentences_to_say_aloud(report: Report) -> None:
    for sentence in aloud("e05", "assign"):
        assert sentence.split()[0] in report.text()
    for each in course():
        for mistake in each.mistakes:
            sentences = aloud(each.key, mistake.id)
            assert len(sentences) == 3 and all(sentence.strip() for sentence in sentences)
    assert set(ALOUD) <= {mistake.id for each in course() for mistake in each.mistakes}


def test_csv_has_a_row_for_each_learner(report: Report) -> None:
    rows = list(csv.reader(report.csv().splitlines()))
    assert len(rows) == 3 and {len(row) for row in rows} == {22}
    assert rows[1][:3] == ["anna", "18", "passed"] and rows[2][6] == "wrong"


def test_html_is_one_page_that_loads_nothing_and_escapes_names(report: Report) -> None:
    page = report.html()
    assert "&lt;b&gt;" in page and "<b>" not in page and "default-src 'none'" in page
    assert page.count("<tr>") == 3 and "{{" not in page and "<script" not in page


def test_a_folder_that_is_none_is_not_run(tmp_path: Path) -> None:
    (learner,) = Report([tmp_path / "nobody"]).learners
    assert learner.score == 0 and {verdict.state for verdict in learner.verdicts} == {"not run"}
