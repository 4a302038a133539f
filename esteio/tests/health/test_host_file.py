"""The file of a service is there for its workers, and goes with it."""

import os
from pathlib import Path

import pytest

from esteio.health import MEASUREMENTS, Measurements, _host_file, measuring
from esteio.limit import HostStore


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostStore, "place", staticmethod(lambda name: tmp_path / f"esteio-1-{name}.limits"))


def test_the_environment_names_the_file_while_the_service_runs(tmp_path: Path) -> None:
    with measuring("app:app-80", workers=1) as made:
        assert made is not None
        with Measurements.of_environment() as worker:
            assert worker.path == made.path
    assert MEASUREMENTS not in os.environ
    assert not list(tmp_path.iterdir())


def test_what_a_killed_service_left_is_removed_and_what_runs_stays(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(_host_file, "_YOUNG", -1.0)
    left = tmp_path / "esteio-1-left.measurements"
    with Measurements.create(left) as dead:
        dead._made_by = None
    with measuring("one", workers=1), measuring("two", workers=1) as two:
        assert two is not None
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "esteio-1-one.measurements", "esteio-1-two.measurements",
        ]  # fmt: skip


def test_where_the_file_cannot_be_made_workers_measure_for_themselves(monkeypatch, caplog) -> None:
    monkeypatch.setattr(HostStore, "place", staticmethod(lambda name: Path("/nowhere/at/all.limits")))
    with measuring("one", workers=1) as made:
        assert made is None
        assert not Measurements.of_environment().shared
    assert "measures for itself" in caplog.text
