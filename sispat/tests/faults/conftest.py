"""Wheels of both distributions, built once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pacotes import Made


@pytest.fixture(scope="session")
def made() -> Iterator[Made]:
    """Both wheels, and what they need."""
    directory = Path(tempfile.mkdtemp(prefix="sispat-releases-"))
    directory.chmod(0o755)
    try:
        yield Made.below(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
