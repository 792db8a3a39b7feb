"""JavaScript run by Node, for tests that need no browser; skipped where there is none, but not where CI is set."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest


def run(script: str, given: Any = None) -> Any:
    """What the function body returns, with `given` in it; numbers that aren't finite come back as None."""
    found = shutil.which("node")
    if found is None:
        assert not os.environ.get("CI"), "there is no node on the PATH"
        pytest.skip("there is no node on the PATH")
    program = (
        'const given = JSON.parse(require("fs").readFileSync(0, "utf8"));\n'
        f"process.stdout.write(JSON.stringify((() => {{ {script}\n}})()));"
    )
    done = subprocess.run([found, "-e", program], input=json.dumps(given), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
