"""What backups tell becomes a notice with everything in it that one needs at night, and nothing that is secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from receivers import http_receiver

from esteio import events
from esteio.alert import ENGLISH, Channels, Heartbeat, Outbox, backup_notice, backup_notices
from esteio.backup import (
    AlreadyRunning,
    BackupMade,
    BackupRunEnded,
    Decision,
    Manifest,
    Part,
    ToolFailed,
    Verification,
    VerificationFailed,
    Why,
)
from esteio.backup.watch import BackupsGreen, BackupsRed

AT = 1_790_000_000.0
MANIFEST = Manifest(
    id="city_20260921_140000",
    kind="dump",
    began="2026-09-21T14:00:00+00:00",
    duration=312.4,
    server_version="18.1",
    tool_version="18.1",
    parts=(Part("database.dump.zst", "database", 1_234_567_890, 345_678_901, ""),),
)
VERIFICATION = Verification(
    "city_20260921_140000", "2026-09-21T14:10:00+00:00", 41.26, 50.0, "18.1", 123456, ("restore", "amcheck")
)
MADE = BackupRunEnded(
    "city_20260921_140000",
    "dump",
    "city",
    manifest=MANIFEST,
    verification=VERIFICATION,
    stores=("/mnt/backup",),
    decisions=(
        Decision("city_20260921_140000", True, Why.YOUNG, "30"),
        Decision("city_20260801_140000", False, Why.OLD, "30"),
        Decision("wal", False, Why.LOG, "12"),
        Decision("documents", False, Why.DOCUMENTS, "3"),
    ),
    newest_verified="city_20260921_140000",
    newest_verified_age=60.0,
)
FAILED = BackupRunEnded(
    "city",
    "base",
    "city",
    error=ToolFailed("pg_basebackup", 1, "no space"),
    newest_verified="city_1",
    newest_verified_age=19_000.0,
)


def test_a_success_tells_size_duration_proof_and_what_was_removed() -> None:
    notice = backup_notice(MADE, at=AT)
    assert notice is not None
    assert (notice.subject, notice.level, notice.at) == ("Backup city_20260921_140000: made and proven", "success", AT)
    first, *rest = notice.body.splitlines()
    assert first.startswith("dump of city on ")
    assert first.endswith(", 2026-09-21 14:13 UTC: 1.2 GB in 5.2 min, 345.7 MB stored.")
    assert rest == [
        "It is in /mnt/backup.",
        "Restored to verify it in 41.3 s: 123456 rows as they should be (restore, amcheck).",
        "Removed: city_20260801_140000, 12 segments of log, 3 documents that no backup needs any more.",
    ]


def test_what_is_not_in_every_store_or_not_proven_is_a_warning() -> None:
    lacking = backup_notice(replace(MADE, missing=("s3://bucket",)), at=AT)
    assert lacking is not None
    assert (lacking.level, lacking.subject) == ("warning", "Backup city_20260921_140000: not in every store")
    assert "It is missing in s3://bucket." in lacking.body
    unproven = backup_notice(replace(MADE, verification=None, decisions=()), at=AT)
    assert unproven is not None
    assert (unproven.level, unproven.subject) == (
        "warning",
        "Backup city_20260921_140000: made, not verified",
    )
    assert "nothing old was removed" in unproven.body
    assert "Removed" not in unproven.body


def test_a_failure_tells_why_and_how_old_the_newest_good_one_is() -> None:
    notice = backup_notice(FAILED, at=AT)
    assert notice is not None
    assert (notice.level, notice.subject) == ("failure", "Backup of city FAILED")
    assert "pg_basebackup failed with exit code 1: no space" in notice.body
    assert "The newest backup that can be counted on is city_1, 5.3 h old." in notice.body
    none = backup_notice(replace(FAILED, newest_verified=None, newest_verified_age=None), at=AT)
    assert none is not None
    assert "No backup is known that can be counted on." in none.body
    found = VerificationFailed(MANIFEST.id, ("table conta: 4999 rows, {manifest}: 5000",))
    trial = backup_notice(replace(MADE, error=found), at=AT)
    assert trial is not None
    assert (trial.level, "{manifest}: 5000" in trial.body) == ("failure", True)


def test_red_and_green_are_told_with_each_problem() -> None:
    red = backup_notice(BackupsRed("city", ("no log is received", "too old")), at=AT)
    green = backup_notice(BackupsGreen("city"), at=AT)
    assert red is not None
    assert green is not None
    assert (red.level, red.subject) == ("failure", "Backups need somebody: no log is received")
    assert red.body.endswith("\n- no log is received\n- too old\nLook with `esteio backup status`.")
    assert (green.level, green.subject) == ("success", "Backups are well again")


@pytest.mark.parametrize(
    "event",
    [
        replace(FAILED, error=AlreadyRunning(Path("/b/.lock"), 7)),
        replace(FAILED, error=KeyboardInterrupt()),
        BackupMade("city_1", "dump", 1, 1, 1.0, ("/b",)),
    ],
)
def test_what_needs_nobody_makes_no_notice(event: events.Event) -> None:
    assert backup_notice(event, at=AT) is None


def test_sizes_durations_and_moments_are_written_as_the_language_does() -> None:
    words = replace(ENGLISH, decimal=",", hours="{amount} horas", timezone="America/Sao_Paulo", moment="%d/%m/%Y %H:%M")
    assert [words.size(each) for each in (0, 999, 1000, 999_999, 10**15)] == [
        *("0 B", "999 B", "1,0 kB", "1,0 MB"),
        "1000,0 TB",
    ]
    assert [words.duration(each) for each in (0.04, 119.9, 120, 19_000, 864_000)] == [
        *("0,0 s", "119,9 s", "2,0 min", "5,3 horas"),
        "10,0 days",
    ]
    assert words.when(AT) == "21/09/2026 11:13"


def test_events_within_the_block_arrive_and_those_after_it_do_not(tmp_path: Path) -> None:
    with http_receiver() as receiver, http_receiver() as monitor:
        outbox = Outbox(tmp_path / "notices", Channels([receiver.url]))
        with backup_notices(outbox, heartbeat=Heartbeat(monitor.url)):
            events.emit(FAILED)
            assert outbox.owed() == 1  # nobody is told while the block is at work
            events.emit(BackupsGreen("city"))
            events.emit(MADE)
        events.emit(FAILED)
        assert outbox.owed() == 0
        assert receiver.subjects == [
            "Backup of city FAILED",
            "Backups are well again",
            "Backup city_20260921_140000: made and proven",
        ]
        assert [(method, path[-5:]) for method, path, _ in monitor.requests] == [("POST", "/fail"), ("GET", "ancho")]
        assert b"no space" in monitor.requests[0][2]


def test_who_is_interrupted_ends_at_once_and_the_notice_is_kept(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        outbox = Outbox(tmp_path / "notices", Channels([receiver.url]))

        def interrupted() -> None:
            with backup_notices(outbox):
                events.emit(replace(FAILED, error=SystemExit()))
                raise SystemExit

        with pytest.raises(SystemExit):
            interrupted()
        assert (receiver.requests, outbox.owed()) == ([], 1)
        assert not events.active()
