"""demos/tour.ipynb run anew: `python -m tests.notebook.tour` writes it with its outputs, which a test compares."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOUR = ROOT / "demos" / "tour.ipynb"
WIDGET = "application/vnd.jupyter.widget-view+json"  # without a kernel there is nothing behind its buttons


def executed(notebook: Any) -> Any:
    """The notebook with the outputs of a fresh kernel; those of widgets as text and pictures."""
    from nbclient import NotebookClient

    NotebookClient(notebook, timeout=120, record_timing=False, resources={"metadata": {"path": str(ROOT)}}).execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    for output in outputs(notebook):
        output.get("data", {}).pop(WIDGET, None)
    return notebook


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def texts(notebook: Any) -> list[str]:
    """What each output says as plain text."""
    return [
        output.get("text") or output.get("data", {}).get("text/plain", output.output_type)
        for output in outputs(notebook)
    ]


def main() -> None:
    notebook: Any = import_module("nbformat")
    notebook.write(executed(notebook.read(TOUR, as_version=4)), TOUR)


if __name__ == "__main__":
    main()
