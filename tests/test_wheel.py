"""The wheel: all of the engine, nn and the demos, nothing else, and it runs where only the required packages are."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from configparser import ConfigParser
from email import message_from_string
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

from engine.version import VERSION

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = ("graphviz", "tqdm")
INFO = f"stepgrad-{VERSION}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [path] = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    return message_from_string(ZipFile(wheel).read(f"{INFO}/METADATA").decode())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment: the wheel is installed in it, and of other packages only the required."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, symlinks=os.name != "nt")
    programs = place / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--no-index", "--no-deps"]
    done = subprocess.run([*pip, str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [packages] = {path.parent for path in place.rglob("engine") if path.is_dir()}
    for name in REQUIRED:  # copied: there may be no network
        [source] = importlib.import_module(name).__path__
        shutil.copytree(source, packages / name)
    return programs


def ran(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What an installed program did in a folder, with nothing that leads to the repository or to other packages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    program, *rest = arguments
    return subprocess.run(
        [installed / program, *rest],
        cwd=folder, env=environment | {"PYTHONIOENCODING": "utf-8"}, stdin=subprocess.DEVNULL,
        capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip


def test_it_holds_each_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    files = [path for room in ("engine", "nn", "demos") for path in (ROOT / room).rglob("*") if path.is_file()]
    expected = {path.relative_to(ROOT) for path in files if not {"__pycache__", ".ipynb_checkpoints"} & {*path.parts}}
    with ZipFile(wheel) as archive:
        names = {Path(name) for name in archive.namelist() if not name.startswith(INFO)}
        assert names == expected
        assert all(archive.read(str(name)) == (ROOT / name).read_bytes() for name in names)
        assert archive.read(f"{INFO}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert {name.suffix for name in names} >= {".py", ".typed", ".html", ".css", ".js", ".txt", ".csv", ".gz", ".ipynb"}
    assert sum(path.name == "py.typed" for path in names) == 2


def test_its_metadata_are_the_projects(wheel: Path, metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("stepgrad", VERSION)
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert metadata.get_all("Classifier") == sorted(PROJECT["classifiers"])
    assert metadata.get_all("Provides-Extra") == sorted(PROJECT["optional-dependencies"])
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert sorted(needed) == sorted(PROJECT["dependencies"]) == sorted(REQUIRED)
    entries = ConfigParser()
    entries.read_string(ZipFile(wheel).read(f"{INFO}/entry_points.txt").decode())
    assert dict(entries["console_scripts"]) == PROJECT["scripts"] and entries.sections() == ["console_scripts"]


def test_what_is_imported_is_the_standard_library_and_this(installed: Path, tmp_path: Path) -> None:
    code = """
import sys
before = set(sys.modules)
import engine, nn
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(tops - set(sys.stdlib_module_names)), engine.__file__, engine.__version__, sep="\\n")
"""
    done = ran(installed, tmp_path, "python", "-c", code)
    assert done.stderr == ""
    *tops, place, version = done.stdout.split()
    assert tops == ["engine", "nn"] and version == VERSION
    assert Path(place).is_relative_to(installed.parent)


@pytest.mark.parametrize(
    ("arguments", "says"),
    {
        "stepgrad --version": VERSION,
        "stepgrad check tanh(w*x) w=0.7 x=1.4": "ok",
        "stepgrad step tanh(w*x) w=0.7 x=1.4 -c n": "∂E",
        "stepgrad film tanh(w*x) w=0.7 x=1.4 -o E.html": "wrote E.html",
        "stepgrad-exercises start mine": "mine",
        "stepgrad-exercises --help": "Eighteen exercises",
        "python -m engine explain tanh(w*x) w=0.7 x=1.4": "∂E/∂w",
        "python -m demos.stepping": "grad",
        "python -m demos.neuron": "out/neuron.svg",
        "python -m demos.digits --help": "--epochs",
    }.items(),
)
def test_what_is_installed_runs_anywhere(installed: Path, tmp_path: Path, arguments: str, says: str) -> None:
    done = ran(installed, tmp_path, *arguments.split())
    assert (done.returncode, done.stderr) == (0, "") and says in done.stdout


def test_data_and_training_come_with_it(installed: Path, tmp_path: Path) -> None:
    code = """
import nn
from demos.digits import read_digits
images, digits = read_digits()
model = nn.MLP(64, [3, 10], activation="tanh", seed=0)
history = nn.fit(model, images[:20], digits[:20], epochs=2, loss="softmax_cross_entropy", progress=False)
print(len(images), history.errors[-1] < history.errors[0])
"""
    done = ran(installed, tmp_path, "python", "-c", code)
    assert done.stdout == "1797 True\n" and "pip install 'stepgrad[fast]'" in done.stderr
