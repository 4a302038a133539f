"""The fixtures with real servers and a real browser, for the tests of both distributions."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that: tests that interrupt a
# program would wait in vain. A handler of ours is no such inheritance.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["esteio.testing.pytest_plugin"]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; without it the test is skipped, and in CI fails."""
    found = shutil.which("chromium")
    if found is None:
        reason = "chromium is not installed (apt-get install chromium)"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def debian_program() -> Callable[[str], str]:
    """The path of a program of Debian's by its name (`.ci/debian`); without it the test is skipped, and in CI fails."""

    def found(name: str) -> str:
        unpacked = Path(__file__).parent / ".venv" / "debian" / "usr"
        for path in (unpacked / "sbin" / name, unpacked / "bin" / name):
            if path.exists():
                return str(path)
        installed = shutil.which(name)
        if installed is None:
            reason = f"{name} is not here (.ci/debian)"
            if os.environ.get("CI", "").lower() in ("1", "true"):
                pytest.fail(reason)
            pytest.skip(reason)
        return installed

    return found
