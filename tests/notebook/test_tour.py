"""The tour: run from top to bottom by a fresh kernel, it says what is stored with it."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from tests.notebook.tour import TOUR, executed, outputs, texts  # noqa: E402


def stored() -> Any:
    return nbformat.read(TOUR, as_version=4)


def test_what_it_says_is_what_is_stored() -> None:
    assert texts(executed(stored())) == texts(stored())


def test_it_is_a_valid_notebook_that_was_run_from_top_to_bottom() -> None:
    notebook = stored()
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not any("error" in output.output_type for output in outputs(notebook))


def test_it_goes_through_the_five_minutes() -> None:
    notebook = stored()
    headings = re.findall(r"^## (.*)$", "\n".join(cell.source for cell in notebook.cells), re.M)
    assert headings == ["Build", "Step", "Explain", "Draw", "Film", "A wrong pass", "Train"]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
            assert max(map(len, cell.source.splitlines())) <= 100


def test_a_page_that_only_shows_it_has_the_pictures() -> None:
    kinds = [set(output.get("data", ())) for output in outputs(stored())]
    pictures = [kind for kind in kinds if "image/svg+xml" in kind]
    assert pictures == [{"image/svg+xml", "image/png", "text/plain"}] * 4  # no HTML: it may be shown as source
    assert not any("widget" in name for kind in kinds for name in kind)
    assert str(TOUR.parents[1]) not in TOUR.read_text(encoding="utf-8")


def test_exported_with_its_html_sanitised_it_has_the_pictures_and_no_source() -> None:
    exporters = pytest.importorskip("nbconvert.exporters")
    page, _ = exporters.HTMLExporter(sanitize_html=True).from_notebook_node(stored())
    assert len(re.findall(r'<img [^>]*src="data:image/', page)) == 5
    assert not re.search("&lt;(svg|iframe|pre|script)", page)
