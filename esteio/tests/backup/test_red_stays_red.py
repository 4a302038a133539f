"""What was red stays red until a good backup of the same kind was made, or a person accepted it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from trial_database import red

from esteio.backup import (
    BackupNotFound,
    Backups,
    DeleteRefused,
    Entry,
    Manifest,
    Marks,
    ProblemCode,
    RestoreRefused,
    Retention,
    Verification,
    VerificationFailed,
)
from esteio.backup._manifest import backup_id
from esteio.backup._status import judge
from esteio.backup.store import ObjectLocked, Stores, open_store
from esteio.postgres import Dsn
from esteio.testing import ManualClock

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def entry(age: timedelta, kind: str = "dump", *, verification: bool | None = True, **details: object) -> Entry:
    """One that began `age` ago; its verification ended well (True), badly (False), or was not held."""
    began = NOW - age
    name = backup_id("backup", began.timestamp())
    manifest = Manifest(name, kind, began.isoformat(), 1.0, "18.0", "18.0", (), details=details)
    found = None
    if verification is not None:
        found = Verification(
            name, began.isoformat(), 1.0, 1.0, "18.0", 1, ("restore",), () if verification else ("a row is missing",)
        )
    return Entry(name, began, ("manifest.json",), ("here",), manifest, found)


def codes(*entries: Entry, max_age: timedelta = 26 * HOUR) -> list[ProblemCode]:
    ordered = sorted(entries, key=lambda each: each.began)
    return [problem.code for problem in judge(ordered, {}, NOW, max_age).problems]


def accepted(what: Entry, code: ProblemCode, at: datetime = NOW) -> Entry:
    return replace(what, marks=Marks(what.id).accept([code.name], at))


def test_dumps_that_stopped_are_not_hidden_by_fresh_bases() -> None:
    dumps = [entry(30 * HOUR + number * 6 * HOUR) for number in range(4)]
    base = entry(HOUR, "base")
    assert codes(*dumps, base) == [ProblemCode.KIND_TOO_OLD]
    assert codes(*dumps, entry(2 * HOUR), base) == []
    assert codes(accepted(dumps[0], ProblemCode.KIND_TOO_OLD), *dumps[1:], base) == []


def test_a_kind_that_is_made_less_often_is_late_by_its_own_rhythm() -> None:
    weekly = [entry(2 * DAY + number * 7 * DAY, "base") for number in range(3)]
    assert codes(*weekly, entry(HOUR)) == []
    late = [entry(15 * DAY + number * 7 * DAY, "base") for number in range(3)]
    assert codes(*late, entry(HOUR)) == [ProblemCode.KIND_TOO_OLD]
    assert codes(entry(40 * DAY, "base"), entry(HOUR)) == []


def test_a_failed_trial_is_red_until_a_later_one_of_its_kind_is_good() -> None:
    failed = entry(5 * HOUR, verification=False)
    fine = entry(9 * HOUR)
    assert codes(fine, failed) == [ProblemCode.VERIFICATION_FAILED]
    assert codes(fine, failed, entry(HOUR, verification=None)) == [ProblemCode.VERIFICATION_FAILED]
    assert codes(fine, failed, entry(HOUR, "base")) == [ProblemCode.VERIFICATION_FAILED]
    assert codes(fine, failed, entry(HOUR)) == []
    assert codes(fine, accepted(failed, ProblemCode.VERIFICATION_FAILED)) == []
    assert codes(fine, accepted(failed, ProblemCode.VERIFICATION_FAILED, NOW - 6 * HOUR)) == [
        ProblemCode.VERIFICATION_FAILED
    ]


def test_vanished_documents_are_red_until_they_are_back_or_accepted() -> None:
    fine = entry(9 * HOUR)
    gone = entry(5 * HOUR, verification=False, documents={"gone": 7})
    assert codes(fine, gone) == [ProblemCode.DOCUMENTS_VANISHED]
    assert codes(fine, accepted(gone, ProblemCode.DOCUMENTS_VANISHED)) == []
    assert gone.verification is not None
    worse = replace(gone, verification=replace(gone.verification, problems=("documents", "a row is missing")))
    assert codes(fine, worse) == [ProblemCode.DOCUMENTS_VANISHED, ProblemCode.VERIFICATION_FAILED]


def test_a_backup_from_the_future_is_red_and_hides_nothing() -> None:
    ahead = entry(-3 * 365 * DAY)
    assert codes(ahead, entry(HOUR)) == [ProblemCode.IN_THE_FUTURE]
    assert codes(ahead, entry(30 * HOUR)) == [ProblemCode.IN_THE_FUTURE, ProblemCode.TOO_OLD]
    assert codes(ahead, entry(30 * HOUR, verification=None)) == [ProblemCode.IN_THE_FUTURE, ProblemCode.NEVER_VERIFIED]
    status = judge([entry(HOUR), ahead], {}, NOW, 26 * HOUR)
    assert status.verified == entry(HOUR).id


@pytest.fixture
def uploaded(tmp_path: Path) -> Path:
    place = tmp_path / "documentos"
    place.mkdir()
    for number in range(20):
        (place / f"{number}.pdf").write_text(f"conteúdo {number}")
    return place


@pytest.fixture
def small(postgres_server, tmp_path: Path, uploaded: Path) -> Callable[[float], Backups]:
    """Backups of an empty database with documents, by a clock so many seconds ahead."""
    name = f"vermelho {tmp_path.name}"[:60]
    dsn = postgres_server.create_database(name)

    def at(seconds: float = 0.0) -> Backups:
        clock = ManualClock(time=datetime.now(UTC).timestamp() + seconds)
        stores = Stores([open_store(str(tmp_path / "cópias"))])
        return Backups(dsn, stores, documents=uploaded, retention=Retention(days=30), clock=clock, self_init=True)

    yield at
    postgres_server.drop_database(name)


@pytest.mark.parametrize("left", [0, 3])
def test_every_run_without_the_documents_fails_until_a_person_accepts(small, uploaded: Path, left: int) -> None:
    assert small().run().verification is not None
    for path in sorted(uploaded.iterdir())[left:]:
        path.unlink()
    for seconds in (10.0, 20.0):
        with pytest.raises(VerificationFailed, match="where the backup before had 20"):
            small(seconds).run()
        assert f"has {left} documents, the one before had 20" in red(small(seconds))
    newest = small(30.0).catalogue.find("newest").id
    assert ProblemCode.DOCUMENTS_VANISHED in [each.code for each in small(30.0).accept(newest)]
    assert "documents" not in red(small(30.0)).replace(newest, "")
    assert small(40.0).run().verification is not None
    assert small(50.0).status().ok


def test_documents_that_vanished_are_not_released_by_retention(small, uploaded: Path, tmp_path: Path) -> None:
    small().run()
    small(10.0).run()
    shutil.rmtree(uploaded)
    for day in (1, 31, 62):
        with suppress(VerificationFailed):
            small(day * 86400.0).run()
        small(day * 86400.0 + 10).prune()
    objects = [path for path in (tmp_path / "cópias" / "documents").rglob("*") if path.is_file()]
    assert len(objects) == 20


def test_a_run_by_a_clock_years_ahead_removes_nothing_and_is_not_latest(small) -> None:
    made = [small(seconds).run().manifest.id for seconds in (0.0, 60.0, 120.0)]
    years = 3 * 365 * 86400.0
    ahead = [small(years + seconds).run() for seconds in (0.0, 60.0, 120.0)]
    assert all(decision.keep for run in ahead for decision in run.decisions)
    assert all(decision.keep for decision in small(years + 180.0).prune())
    assert [each.id for each in small().entries()] == [*made, *(run.manifest.id for run in ahead)]
    assert small(180.0).catalogue.find("latest").id == made[-1]
    assert "was begun in the future" in red(small(180.0))
    assert "days after the one before: nothing is removed" in red(small(years + 180.0))


def test_when_the_clock_was_right_a_person_says_so_and_pruning_goes_on(small) -> None:
    for seconds in (0.0, 60.0):
        small(seconds).run()
    years = 3 * 365 * 86400.0
    first = small(years).run().manifest.id
    small(years + 60.0).accept(first)
    assert small(years + 60.0).status().ok
    assert [each.keep for each in small(years + 120.0).run().decisions] == [False, False, True, True]


def test_a_prune_by_a_clock_years_ahead_removes_nothing(small) -> None:
    for seconds in (0.0, 60.0, 120.0):
        small(seconds).run(verify=True)
    decisions = small(3 * 365 * 86400.0).prune()
    assert [each.keep for each in decisions] == [True] * 3
    assert decisions[0].reason == "the clock may have leapt ahead after it"


def test_latest_is_never_one_that_failed_its_trial(backups: Backups, folder: Path, tmp_path: Path) -> None:
    good = backups.run().manifest.id
    newer = damaged_copy(tmp_path / "cópias", good, hours=1)
    with pytest.raises(VerificationFailed):
        backups.verify(newer)
    assert backups.catalogue.find("latest").id == good
    assert backups.catalogue.find("newest").id == newer
    backups.delete(good)
    backups.delete(folder.name)
    with pytest.raises(BackupNotFound, match=rf"failed its verification or lies in the future: {newer}; to use it"):
        backups.restore_into("não chega a existir")


def damaged_copy(root: Path, backup: str, hours: float) -> str:
    """A copy of `backup`, begun so much later (or earlier), with one byte of its content changed; its name."""
    manifest = Manifest.from_json((root / backup / "manifest.json").read_text())
    at = datetime.fromisoformat(manifest.began) + timedelta(minutes=hours)
    name = backup_id("backup", at.timestamp())
    shutil.copytree(root / backup, root / name)
    (root / name / "manifest.json").write_text(replace(manifest, id=name, began=at.isoformat()).to_json())
    (root / name / "proof.json").unlink(missing_ok=True)
    data = next((root / name).glob("*.dump.zst"))
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    return name


def test_in_place_finds_a_bad_backup_before_the_service_is_closed(backups: Backups, folder: Path) -> None:
    closed: list[str] = []

    @contextmanager
    def quiet():
        closed.append("closed")
        yield

    data = folder / "database.dump.zst"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(Exception, match="is damaged"):
        backups.restore_in_place(lambda _name: True, folder.name, quiet=quiet())
    with pytest.raises(VerificationFailed):
        backups.verify()
    with pytest.raises(RestoreRefused, match="failed its verification; restore `latest`"):
        backups.restore_in_place(lambda _name: True, folder.name, quiet=quiet())
    assert closed == []


def test_a_manifest_that_no_store_can_read_stops_pruning_and_says_so(backups: Backups, folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")
    backups.run()
    assert f"what {folder.name} needs is not known" in red(backups)
    assert ("wal", f"what {folder.name} needs of it is not known") in [(e.id, e.reason) for e in backups.prune()]
    backups.delete(folder.name)
    assert backups.status().ok
    assert "wal" not in [each.id for each in backups.prune()]


def test_data_stays_where_the_manifest_cannot_be_deleted(
    database: Dsn, folder: Path, tmp_path: Path, monkeypatch
) -> None:
    near = open_store(str(tmp_path / "cópias"))
    delete = near.delete

    def locked(key: str) -> None:
        if key.endswith("manifest.json"):
            raise ObjectLocked(near.name, key, "it is retained by the store")
        delete(key)

    monkeypatch.setattr(near, "delete", locked)
    before = sorted(path.name for path in folder.iterdir())
    decision = Backups(database, Stores([near]), self_init=True).delete(folder.name)
    assert decision.keep
    assert sorted(path.name for path in folder.iterdir()) == before


def test_what_somebody_keeps_is_neither_pruned_nor_deleted(backups: Backups, folder: Path) -> None:
    assert backups.keep(folder.name) == folder.name
    assert backups.entries()[0].pinned
    with pytest.raises(DeleteRefused, match="is to be kept"):
        backups.delete(folder.name)
    (folder / "marks.json").write_text("{}")  # what cannot be read may have said so
    assert backups.entries()[0].pinned
    backups.keep(folder.name, keep=False)
    backups.annotate(folder.name, "antes da migração")
    [found] = backups.entries()
    assert found.marks == Marks(folder.name, note="antes da migração")
    assert not backups.delete(folder.name).keep
    assert backups.entries() == []
