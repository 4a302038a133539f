"""A switch that a person leaves on, and that a process can't leave on by dying."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from esteio.maintenance import Maintenance, MaintenanceError, MaintenanceHeld, Notice
from esteio.testing import ManualClock

_HOLDER = """
import sys, time
from pathlib import Path
from esteio.maintenance import Maintenance
with Maintenance(Path(sys.argv[1]), every=0.0).held("restoring"):
    print("on", flush=True)
    time.sleep(60)
"""


def test_what_a_person_turned_on_stays_until_it_is_turned_off(tmp_path: Path) -> None:
    switch = Maintenance(tmp_path / "new" / "closed")
    assert switch.look() is None
    until = datetime(2026, 3, 1, 15, tzinfo=UTC)
    made = switch.turn_on("new disk", until)
    found = Maintenance(switch.path).look()
    assert found is not None
    assert (found.reason, found.until, found.pid) == ("new disk", until, None)
    assert found.since == made.since.replace(microsecond=0)
    assert switch.turn_off()
    assert switch.look() is None
    assert not switch.turn_off()
    assert os.listdir(switch.path.parent) == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_what_a_process_holds_ends_with_it(tmp_path: Path, end: signal.Signals) -> None:
    switch = Maintenance(tmp_path / "closed")
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(switch.path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"on\n"
        found = switch.look()
        assert found is not None
        assert (found.reason, found.pid) == ("restoring", holder.pid)
        with pytest.raises(MaintenanceHeld, match=f"process {holder.pid} of"), switch.held("too"):
            pytest.fail("two at once")
        with pytest.raises(MaintenanceHeld, match="wait until that has ended"):
            switch.turn_off()
    finally:
        holder.send_signal(end)
        holder.communicate()
    assert switch.look() is None
    with switch.held("again"):
        assert switch.look() is not None
    assert switch.look() is None


def test_the_service_may_run_under_another_account(tmp_path: Path) -> None:
    switch = Maintenance(tmp_path / "closed", every=0.0)
    before = os.umask(0o077)
    try:
        switch.turn_on()
        with switch.held():
            assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}
    finally:
        os.umask(before)


def test_what_a_person_turned_on_outlives_what_a_process_holds(tmp_path: Path) -> None:
    switch = Maintenance(tmp_path / "closed", every=0.0)
    switch.turn_on("mine")
    with switch.held("its"):
        assert (now := switch.look()) is not None
        assert now.reason == "its"
    assert (now := switch.look()) is not None
    assert now.reason == "mine"


def test_it_is_looked_at_now_and_then_only_and_everybody_has_seen_it_when_the_block_begins(tmp_path: Path) -> None:
    clock = ManualClock()
    switch, other = (Maintenance(tmp_path / "closed", every=0.2, clock=clock) for _ in range(2))
    assert other.state() is None
    switch.turn_on("x")
    clock.advance(0.1)
    assert other.state() is None
    clock.advance(0.11)
    assert other.state() is not None
    switch.turn_off()
    began = clock.monotonic()
    with switch.held("y"):
        assert clock.monotonic() - began >= 0.5 - 1e-9
        assert (seen := other.state()) is not None
        assert seen.reason == "y"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"since": "yesterday", "pid": "x", "until": 3}', "\xff"])
def test_a_notice_that_is_damaged_still_closes(tmp_path: Path, text: str) -> None:
    (tmp_path / "closed").write_text(text, "latin-1")
    found = Maintenance(tmp_path / "closed").look()
    assert found is not None
    assert (found.reason, found.until, found.pid) == ("", None, None)
    assert abs((datetime.now(UTC) - found.since).total_seconds()) < 60


def test_where_it_cannot_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MaintenanceError, match="let this account write to"):
        Maintenance(tmp_path / "file" / "closed").turn_on()
    assert Maintenance(tmp_path / "file" / "closed").look() is None


@pytest.mark.parametrize(("left", "seconds"), [(None, 10), (-30, 5), (20, 20), (3600, 60)])
def test_asking_again_is_worth_it_soon(left: int | None, seconds: int) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    until = None if left is None else now + timedelta(seconds=left)
    assert Notice("", now, until, "", None).retry_after(now.timestamp()) == seconds
