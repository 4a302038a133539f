"""The fixtures with real servers and a real browser, for the tests of both distributions."""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that: tests that interrupt a
# program would wait in vain. A handler of ours is no such inheritance.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["esteio.testing.pytest_plugin"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, as far as their time limits and their sizes tell: one that began last would run
    alone at the end, while the other processes have nothing left to do.
    """
    limit: dict[Path, float] = {}
    size = Counter(item.path for item in items)
    for item in items:
        mark = item.get_closest_marker("timeout")
        limit[item.path] = max(
            limit.get(item.path, 0.0), float(mark.args[0]) if mark is not None and mark.args else 0.0
        )
    items.sort(key=lambda item: (-limit[item.path], -size[item.path]))  # a file's tests stay together, in their order


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
