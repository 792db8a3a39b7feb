"""What holds for all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("stepgrad", deadline=None)  # a busy machine is no error
settings.load_profile("stepgrad")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium to show pages in, one for a whole session; where CI is set it has to be there."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        assert not os.environ.get("CI"), "there is no Chromium on the PATH"
        pytest.skip("there is no Chromium on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()
