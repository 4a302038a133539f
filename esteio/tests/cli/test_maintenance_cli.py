"""`esteio maintenance`: the switch by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from esteio.cli._main import _app
from esteio.cli._maintenance import closed_for_restore
from esteio.maintenance import Maintenance


def esteio(*arguments: str, code: int = 0) -> str:
    done = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "200"}).invoke(_app, ["maintenance", *arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maintenance:
    monkeypatch.setenv("MAINTENANCE_FILE", str(tmp_path / "closed"))
    return Maintenance(tmp_path / "closed")


def test_it_is_closed_shown_and_opened_by_hand(switch: Maintenance) -> None:
    assert esteio("state") == "The service is open.\n"
    said = esteio("on", "--reason", "new disk", "--until", "2026-03-01T15:30:00-03:00")
    assert "expected back at 2026-03-01 15:30-03:00: new disk." in said
    assert esteio("state") == said
    assert esteio("off") == "The service is open.\n"
    assert esteio("off") == "The service was open already.\n"


def test_a_restore_holds_the_same_switch(switch: Maintenance) -> None:
    closed = closed_for_restore()
    assert closed is not None
    with closed:
        assert "by process" in esteio("state")
        assert "a backup is being restored" in esteio("state")
    assert switch.look() is None


def test_what_it_needs_is_said(monkeypatch: pytest.MonkeyPatch, switch: Maintenance) -> None:
    assert "with its timezone" in esteio("on", "--until", "2026-03-01T15:30:00", code=2)
    monkeypatch.delenv("MAINTENANCE_FILE")
    assert "MAINTENANCE_FILE is not set" in esteio("state", code=2)
    assert closed_for_restore() is None
