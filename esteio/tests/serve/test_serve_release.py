"""Which release new processes are of: what the link leads to when they are started."""

from __future__ import annotations

import logging
import os
import sys
from multiprocessing import spawn
from pathlib import Path

import pytest

from esteio.serve import Program, release_in_force
from esteio.serve._release import release_of_new_processes
from esteio.serve._service import ServiceMonitor
from esteio.serve._settings import RESTARTS

LIBRARY = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A link to the release 1; 2 is there, too; we are of 1."""
    for name in ("1", "2"):
        (tmp_path / name / LIBRARY / "site-packages").mkdir(parents=True)
        (tmp_path / name / "bin").mkdir()
        (tmp_path / name / "bin" / "python").symlink_to(sys.executable)
    found = tmp_path / "current"
    found.symlink_to(tmp_path / "1")
    monkeypatch.setenv("ESTEIO_RELEASE", str(found))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "1"))
    return found


def lay(link: Path, name: str) -> Path:
    link.unlink()
    link.symlink_to(link.with_name(name))
    return link.with_name(name)


def test_without_the_variable_it_is_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESTEIO_RELEASE", raising=False)
    assert release_in_force() == Path(sys.prefix)


def test_it_is_where_the_link_leads_now(link: Path) -> None:
    assert release_in_force() == link.with_name("1")
    new = lay(link, "2")
    assert release_in_force() == new


def test_a_link_to_nothing_that_this_python_can_run_is_told_and_ours_counts(
    link: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lay(link, "absent")
    with caplog.at_level(logging.ERROR, "esteio.serve"):
        assert release_in_force() == link.with_name("1")
    assert "is no environment of this Python" in caplog.text


def test_a_process_is_given_the_search_path_and_the_program_of_its_release(
    link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = str(link.with_name("1") / LIBRARY / "site-packages")
    monkeypatch.setattr(sys, "path", ["", ours, "/elsewhere"])
    before = spawn.get_executable()
    with release_of_new_processes():
        assert sys.path == ["", ours, "/elsewhere"]
    new = lay(link, "2")
    with release_of_new_processes():
        assert sys.path == ["", str(new / LIBRARY / "site-packages"), "/elsewhere"]
        assert os.fsdecode(spawn.get_executable()) == str(new / "bin" / "python")
    assert sys.path == ["", ours, "/elsewhere"]
    assert spawn.get_executable() == before


def test_a_program_of_ours_is_outdated_once_the_link_leads_elsewhere(link: Path) -> None:
    ours, other = Program("ours", [sys.executable, "-m", "this"]), Program("other", ["/bin/true"])
    assert not ours.outdated
    lay(link, "2")
    assert ours.outdated
    assert not other.outdated


class Kept:
    """A service that notes what is asked of it."""

    name = "kept"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def start(self) -> None:
        self.asked.append("start")

    def is_alive(self) -> bool:
        return True

    def stop(self, timeout: float) -> None:
        self.asked.append(f"stop {timeout:g}")


class Ended:
    """A call that is over."""

    done, error = True, None


def test_a_renewed_service_is_stopped_and_started_and_that_is_no_failure() -> None:
    service, notes = Kept(), []

    def launch(call):
        call()
        return Ended()

    monitor = ServiceMonitor(
        service, backoff=RESTARTS, stable_after=30.0, chance=lambda: 0.0, launch=launch, note=notes.append
    )
    monitor.renew(5.0, 0.0)
    assert service.asked == [], "one that is not up is left alone"
    for now in (1.0, 2.0):
        monitor.poll(now)
    monitor.renew(5.0, 3.0)
    for now in (4.0, 5.0, 6.0):
        monitor.poll(now)
    assert service.asked == ["start", "stop 5", "start"]
    assert monitor.state.up
    assert [type(note).__name__ for note in notes] == ["ServiceStarted", "ServiceRestarted"]
    monitor.stop(5.0, 7.0)
    monitor.stop(5.0, 8.0)
    assert monitor.stopped
