from __future__ import annotations

import pytest
from house import House

from esteio.testing.service_manager import ServiceManager

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def build(tmp_path):
    """Starts supervisors that end with the test."""
    built = []

    def start(**arguments):
        built.append(House(tmp_path, **arguments))
        return built[-1]

    yield start
    for house in built:
        house.close()


@pytest.fixture
def manager(tmp_path):
    """What systemd does for supervisors that are built with it."""
    with ServiceManager(tmp_path) as manager:
        yield manager


@pytest.fixture
def figure(request):
    """Notes what was measured; shown after the run."""
    return request.config.stash.setdefault(_FIGURES, []).append


def pytest_terminal_summary(terminalreporter, config):
    figures = config.stash.get(_FIGURES, [])
    if figures:
        terminalreporter.section("measured")
    for each in figures:
        terminalreporter.write_line(each)
