"""The engine's face: what it exports is the table, for people, for type checkers and for the import clock."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import math
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.formulas import float_functions
from engine.operations import FUNCTIONS
from engine.rules import TABLE

ENGINE = Path(engine.__file__).parent


def declared(path: Path, marker: str) -> set[str]:
    """The names in the chained assignments to `marker`, which stand for what is made from the table."""
    chains = re.findall(rf"^ +((?:\w+ = )+){marker}$", path.read_text(encoding="utf-8"), re.M)
    return set("".join(chains).replace(" ", "").strip("=").split("="))


def rows(operands: int, many: bool = False) -> set[str]:
    return {rule.name for rule in TABLE if len(rule.operands) == operands and rule.many == many}


def test_every_row_is_a_function_of_the_engine() -> None:
    assert all(getattr(engine, rule.name) is FUNCTIONS[rule.name] is rule.function for rule in TABLE)


def test_every_unary_row_is_a_method_and_no_other() -> None:
    assert all(getattr(engine.Value, name) is FUNCTIONS[name] for name in rows(1))
    assert {name for name in FUNCTIONS if hasattr(engine.Value, name)} == rows(1)


def test_declared_types_name_the_table_rows() -> None:
    init, value = ENGINE / "__init__.py", ENGINE / "value.py"
    assert declared(init, "_unary") | {"abs"} == rows(1)
    assert declared(init, "_binary") | {"pow"} == rows(2)
    assert declared(init, "_many") == rows(1, many=True)
    assert {name for name in declared(value, "_unary") if "__" not in name} == rows(1)


def test_star_import_hides_no_builtin() -> None:
    names: dict[str, object] = {}
    exec("from engine import *", names)
    assert names["tanh"] is FUNCTIONS["tanh"] and not {"abs", "pow", "sum", "max"} & names.keys()


def test_without_llvmlite_a_tape_is_one_sentence_and_the_rest_is_there() -> None:
    code = "import sys; sys.modules['llvmlite'] = None; from engine import *; import engine; print(draw); engine.Tape"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ENGINE.parent)
    assert done.returncode == 1 and "function draw" in done.stdout
    assert done.stderr.splitlines()[-1] == "ImportError: Tape needs llvmlite: pip install 'stepgrad[fast]' mends it"


@pytest.mark.parametrize(
    "name, operands, expected",
    [
        ("log", (0.0,), -math.inf), ("log", (-1.3,), math.nan), ("log1p", (-1.0,), -math.inf),
        ("atanh", (1.0,), math.inf), ("atanh", (-1.0,), -math.inf), ("atanh", (1.3,), math.nan),
        ("exp", (1e3,), math.inf), ("sinh", (-1e3,), -math.inf), ("cosh", (-1e3,), math.inf),
        ("pow", (-10.0, 309.0), -math.inf), ("pow", (-10.0, 310.0), math.inf), ("pow", (-0.0, -3.0), -math.inf),
        ("pow", (0.0, -0.5), math.inf), ("pow", (-1.3, 0.5), math.nan), ("divide", (-1.5, 0.0), -math.inf),
        ("divide", (-1.5, -0.0), math.inf), ("divide", (1.5, 0.0), math.inf), ("divide", (1.5, -0.0), -math.inf),
        ("divide", (0.0, 0.0), math.nan), ("divide", (-0.0, 0.0), math.nan), ("divide", (math.nan, 0.0), math.nan),
        ("mod", (1.5, 0.0), math.nan), ("floor", (-math.inf,), -math.inf),
    ],
)  # fmt: skip
def test_ieee_arithmetic_is_that_of_numpy(name: str, operands: tuple[float, ...], expected: float) -> None:
    given = float_functions(ieee=True)[name](*operands)
    peer = {"pow": "power", "atanh": "arctanh"}.get(name, name)
    with np.errstate(all="ignore"):
        assert str(given) == str(expected) == str(float(getattr(np, peer)(*operands)))


def imports_of_the_root(path: Path) -> list[int]:
    """The lines on which a room imports from the package's own root, inside functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(name.name == "engine" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module == "engine" or node.level))
    ]


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: str(path.relative_to(ENGINE)))
def test_no_room_imports_from_the_root(path: Path) -> None:
    """Through it the order of the rooms, which import-linter holds, would be kept vacuously."""
    assert path == ENGINE / "__init__.py" or imports_of_the_root(path) == []


def test_an_import_from_the_root_is_found_wherever_it_stands(tmp_path: Path) -> None:
    room = tmp_path / "room.py"
    room.write_text(
        "import engine\nfrom engine.value import Value\nimport engine.rules\n"
        "def f() -> None:\n    from engine import draw\n    from .. import order\n",
        encoding="utf-8",
    )
    assert imports_of_the_root(room) == [1, 5, 6]


def test_import_pulls_in_the_standard_library_only_and_no_slow_part_of_it() -> None:
    code = "import sys; bare = set(sys.modules); import engine; print(*sorted(set(sys.modules) - bare))"
    modules = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=ENGINE.parent
    ).stdout.split()
    assert {name.split(".")[0] for name in modules} <= {"engine", *sys.stdlib_module_names}
    assert not {"ast", "typing", "dataclasses", "inspect", "re"} & set(modules)


def test_all_that_there_is_can_be_discovered_and_nothing_else() -> None:
    named = {"Stepper", "draw", "film", "explain", "compare", "debug", "gradcheck", "Tape", "trace", "__version__"}
    shown = dir(engine)
    assert named | {*engine.__all__} <= {*shown} and not any(name.startswith("_LATER") for name in shown)
    assert not {"rules", "TYPE_CHECKING", "annotations", "steps"} & {*shown}
    assert all(hasattr(engine, name) for name in shown)
    assert ("to_jax" in shown) == (importlib.util.find_spec("jax") is not None)


@pytest.mark.skipif(importlib.util.find_spec("jax") is not None, reason="JAX is installed")
def test_without_jax_to_jax_says_how_to_get_it() -> None:
    with pytest.raises(ImportError, match=r"to_jax needs jax: pip install 'stepgrad\[jax\]' mends it"):
        engine.to_jax  # noqa: B018


@pytest.mark.parametrize("name", ["Stepper", "draw", "explain", "gradcheck", "tanh"])
def test_help_shows_it(name: str) -> None:
    assert re.search(rf"\b{name}\(", pydoc.plain(pydoc.render_doc(engine)))


def test_help_of_a_row_says_what_it_is() -> None:
    assert (engine.gelu.__doc__ or "").startswith("gelu(x): Gaussian error linear unit")


def test_the_version_is_the_distributions() -> None:
    assert engine.__version__ == importlib.metadata.version("stepgrad")
