"""Debian's Prometheus and Alertmanager, as `.ci/debian` brings them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Where it is: installed, or unpacked beside the environment; the test is skipped where it is neither."""
    for place in (shutil.which(name), Path(sys.prefix) / "debian/usr/bin" / name):
        if place and Path(place).exists():
            return str(place)
    pytest.skip(f"{name} is not here (.ci/debian brings it)")
