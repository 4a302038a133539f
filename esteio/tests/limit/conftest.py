"""What the tests of this folder share is imported by its plain name, in every import mode."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_configure(config: pytest.Config) -> None:
    """Where Esteio's wheel is tested alone, nothing else says what `fault` means."""
    config.addinivalue_line("markers", "fault: breaks a running system on purpose and counts what is lost")
