"""The engine's face: what it exports is the table, for people, for type checkers and for the import clock."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import engine
from engine.functions import FUNCTIONS
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


def test_every_unary_row_is_a_method() -> None:
    assert all(getattr(engine.Value, name) is FUNCTIONS[name] for name in rows(1))


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


def test_import_pulls_in_the_standard_library_only_and_no_slow_part_of_it() -> None:
    code = "import sys; bare = set(sys.modules); import engine; print(*sorted(set(sys.modules) - bare))"
    modules = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=ENGINE.parent
    ).stdout.split()
    assert {name.split(".")[0] for name in modules} <= {"engine", *sys.stdlib_module_names}
    assert not {"ast", "typing", "dataclasses", "inspect", "re"} & set(modules)
