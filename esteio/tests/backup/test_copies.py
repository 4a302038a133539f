"""Every store has its own copy: what one lacks or garbles is named, and brought from one that has it right."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from trial_database import query, red

from esteio.backup import BackupDamaged, Backups, CopyDefect, ProblemCode, RestoreRefused, Verification
from esteio.backup._manifest import Manifest
from esteio.backup.packing import Decryption, Encryption, Packing
from esteio.backup.restore import first_segment
from esteio.backup.store import Stores, open_store
from esteio.cli import ENGLISH
from esteio.cli._copies import bring_copies, read_copies
from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer

PHRASE = "correto cavalo"
LOCK = Encryption.passphrase(PHRASE)  # once: a passphrase takes a second


@dataclass
class Two:
    """A backup in two directories."""

    backups: Backups
    near: Path
    far: Path
    id: str

    def file(self, where: Path, name: str) -> Path:
        return where / self.id / name

    def found(self) -> dict[tuple[str, str], CopyDefect]:
        return {(Path(defect.store).name, defect.file): defect for defect in self.backups.check_copies(self.id).defects}


def opened(dsn: Dsn, *places: Path) -> Backups:
    return Backups(
        dsn,
        Stores([open_store(str(place)) for place in places]),
        packing=lambda: Packing(level=1, encryption=LOCK),
        key=lambda key_file: Decryption.passphrase(PHRASE, key_file or b""),
        self_init=True,
    )


def proven(backups: Backups, backup: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    backups.catalogue.keep_verification(Verification(backup, now, 1.0, 1.0, "18.0", 3, ("restore",)))


@pytest.fixture(scope="module")
def original(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Dsn, Path]]:
    """The database, and one encrypted backup of it, made once."""
    root = tmp_path_factory.mktemp("feita uma vez") / "cópias"
    dsn = postgres_server.create_database("duas cópias")
    query(dsn, "create table bem as select generate_series(1, 3) id")
    backups = opened(dsn, root)
    proven(backups, backups.run(verify=False).manifest.id)
    yield dsn, root
    postgres_server.drop_database("duas cópias")


@pytest.fixture
def two(original: tuple[Dsn, Path], tmp_path: Path) -> Two:
    dsn, root = original
    near, far = (Path(shutil.copytree(root, tmp_path / name)) for name in ("perto", "longe"))
    backups = opened(dsn, near, far)
    return Two(backups, near, far, backups.entries()[0].id)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_whole_copies_have_no_flaw(two: Two) -> None:
    found = two.backups.check_copies()
    assert found.ok
    assert found.whole == (str(two.near), str(two.far))
    assert two.backups.status().ok
    assert two.backups.copy().files == ()


def test_one_wrong_byte_of_any_file_in_any_store_is_found_and_who_has_it_right_is_said(two: Two) -> None:
    files = sorted(path.name for path in (two.near / two.id).iterdir())
    assert files == ["database.dump.zst.age", "globals.sql.zst.age", "key.age", "manifest.json", "proof.json"]
    for name in files:
        for here, there in ((two.near, two.far), (two.far, two.near)):
            whole = two.file(here, name).read_bytes()
            flip(two.file(here, name))
            [defect] = two.backups.check_copies().defects
            assert (defect.store, defect.file, defect.right) == (str(here), name, (str(there),))
            assert defect.problem.code is ProblemCode.COPY_CHANGED
            assert two.file(here, name).read_bytes() != whole  # nothing was mended
            two.file(here, name).write_bytes(whole)


def test_a_damaged_manifest_in_the_nearest_store_does_not_hide_the_backup(two: Two) -> None:
    flip(two.file(two.near, "manifest.json"))
    [entry] = two.backups.entries()
    assert entry.verified
    assert entry.stores == (str(two.far),)
    assert f"{two.id} in {two.near} is damaged: manifest.json is not as it was written" in red(two.backups)
    assert two.backups.copy().files == (("manifest.json", str(two.near)),)
    assert two.backups.status().ok


def test_a_later_trial_that_failed_counts_even_when_the_nearest_store_missed_it(two: Two) -> None:
    day_before = time.time() - 86400
    os.utime(two.file(two.near, "proof.json"), (day_before, day_before))
    failed = Verification(two.id, datetime.now(UTC).isoformat(), 1.0, 1.0, "18.0", 3, ("restore",), ("bem is missing",))
    two.file(two.far, "proof.json").write_text(failed.to_json())
    assert not two.backups.entries()[0].verified
    assert f"{two.id} failed its verification: bem is missing" in red(two.backups)
    assert two.backups.copy(read=True).files == (("proof.json", str(two.near)),)
    assert two.file(two.near, "proof.json").read_text() == failed.to_json()


def test_what_is_missing_or_cut_short_is_red_at_once_and_brought_back(two: Two) -> None:
    database = two.file(two.near, "database.dump.zst.age")
    database.write_bytes(database.read_bytes()[:-1])
    two.file(two.far, "globals.sql.zst.age").unlink()
    said = red(two.backups)
    assert f"{two.id} in {two.near} is damaged: database.dump.zst.age has" in said
    assert f"{two.id} in {two.far} is damaged: globals.sql.zst.age is missing" in said
    assert two.backups.entries()[0].stores == ()
    assert set(two.backups.copy().files) == {
        ("database.dump.zst.age", str(two.near)),
        ("globals.sql.zst.age", str(two.far)),
    }
    assert two.backups.check_copies().ok


def test_changed_bytes_are_brought_back_after_reading_and_damage_is_never_spread(two: Two) -> None:
    flip(two.file(two.near, "database.dump.zst.age"))
    flip(two.file(two.far, "globals.sql.zst.age"))
    assert two.backups.copy().files == ()  # sizes are right
    assert len(two.backups.copy(read=True).files) == 2
    assert two.backups.check_copies().ok
    for place in (two.near, two.far):
        flip(two.file(place, "database.dump.zst.age"))
    before = [two.file(place, "database.dump.zst.age").read_bytes() for place in (two.near, two.far)]
    done = two.backups.copy(read=True)
    assert done.files == ()
    assert {defect.file for defect in done.left} == {"database.dump.zst.age"}
    assert [two.file(place, "database.dump.zst.age").read_bytes() for place in (two.near, two.far)] == before


def test_a_file_that_is_wrong_at_its_origin_is_not_copied_and_no_manifest_follows_it(two: Two) -> None:
    shutil.rmtree(two.far / two.id)
    flip(two.file(two.near, "database.dump.zst.age"))
    done = two.backups.copy()
    assert [defect.file for defect in done.left] == ["database.dump.zst.age"]
    assert f"database.dump.zst.age in {two.near} is not as it was written" in str(done.left[0].problem)
    assert not two.file(two.far, "manifest.json").exists()


def test_a_store_without_any_of_it_gets_all_even_after_an_interrupt(two: Two) -> None:
    shutil.rmtree(two.far / two.id)
    assert f"{two.id} is not in {two.far}: bring it there with `backup sync {two.id}`" in red(two.backups)

    def interrupt(step: str, done: int, total: int, unit: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        two.backups.copy(progress=interrupt)
    assert not two.file(two.far, "manifest.json").exists()
    assert {store for _, store in two.backups.copy().files} == {str(two.far)}
    assert two.backups.check_copies().ok
    assert two.file(two.far, "proof.json").exists()


def test_a_catalogue_that_is_asked_again_reads_only_what_is_new(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    from esteio.backup.store._directory import DirectoryStore

    long_ago = time.time() - 3600
    for path in (*two.near.rglob("*.json"), *two.far.rglob("*.json")):
        os.utime(path, (long_ago, long_ago))
    read: list[str] = []
    get = DirectoryStore.get
    monkeypatch.setattr(DirectoryStore, "get", lambda self, key: (read.append(key), get(self, key))[1])
    assert two.backups.catalogue.entries() == two.backups.catalogue.entries()
    assert sorted(read) == [f"{two.id}/manifest.json", f"{two.id}/proof.json"]
    flip(two.file(two.near, "manifest.json"))
    assert two.backups.catalogue.entries()[0].defects
    shutil.rmtree(two.near / two.id)
    shutil.rmtree(two.far / two.id)
    assert two.backups.catalogue.entries() == []


def test_a_store_that_is_away_is_red_and_the_others_are_looked_at(two: Two) -> None:
    two.far.rename(two.far.with_name("desligado"))
    said = red(two.backups)
    assert said.startswith(f"it is not known what is in {two.far}: the directory does not exist; mount the disk")
    assert [entry.verified for entry in two.backups.entries()] == [True]
    found = two.backups.check_copies()
    assert found.whole == (str(two.near),)
    assert [defect.problem.code for defect in found.defects] == [ProblemCode.COPY_UNREADABLE]
    assert two.backups.copy().left
    two.near.rename(two.near.with_name("também"))
    assert [problem.code for problem in two.backups.status().problems] == [ProblemCode.STORE_SILENT] * 2


def test_an_old_backup_may_be_absent_from_a_store_that_was_added_later(two: Two, tmp_path: Path) -> None:
    more = opened(two.backups.dsn, two.near, two.far, tmp_path / "nova")
    (tmp_path / "nova").mkdir()
    proven(more, more.run(verify=False).manifest.id)
    assert more.status().ok
    assert len(more.entries()[0].defects) == 1


def test_a_run_looks_at_what_arrived_and_fails_when_nothing_whole_did(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    from esteio.backup._files import BackupWriter

    finish = BackupWriter.finish

    def lost(draft: BackupWriter, manifest: Manifest) -> tuple[str, ...]:
        names = finish(draft, manifest)
        for place in gone:
            (place / draft.id / "globals.sql.zst.age").unlink()
        return names

    monkeypatch.setattr(BackupWriter, "finish", lost)
    gone = [two.far]
    done = two.backups.run(verify=False)
    assert done.stores == (str(two.near),)
    assert [(problem.code, problem.fields["store"]) for problem in done.lacking] == [
        (ProblemCode.COPY_LACKS_FILE, str(two.far))
    ]
    gone = [two.near, two.far]
    with pytest.raises(BackupDamaged, match=r"globals\.sql\.zst\.age: it is not in the stores as it was sent"):
        two.backups.run(verify=False)
    assert [entry.id for entry in two.backups.entries()] == [two.id, done.manifest.id]


def test_the_commands_say_each_copy_and_end_with_one_while_something_is_wrong(
    two: Two, capsys: pytest.CaptureFixture[str]
) -> None:
    from esteio.cli._bar import Bar

    bar = Bar(ENGLISH)
    flip(two.file(two.far, "key.age"))
    assert read_copies(two.backups, "latest", bar, ENGLISH) == 1
    said = capsys.readouterr()
    assert f"{two.id} in {two.near}: every file is as it was written." in said.out
    assert f"{two.id} in {two.far} is damaged: key.age is not as it was written (right in {two.near})" in said.err
    assert bring_copies(two.backups, "all", bar, ENGLISH, read=True) == 0
    assert f"{two.id}/key.age brought to {two.far}." in capsys.readouterr().out
    assert bring_copies(two.backups, two.id, bar, ENGLISH, read=False) == 0
    assert "no store lacks anything of it" in capsys.readouterr().out
    shutil.rmtree(two.far)
    assert bring_copies(two.backups, two.id, bar, ENGLISH, read=False) == 1


# The log


def test_a_missing_segment_is_red_and_a_damaged_one_is_named_with_its_store(two: Two) -> None:
    """Segments as the archive ships them, beside a base backup that is only a manifest."""
    base = as_base(two)
    first = first_segment(base)
    third = first.next.next
    packed = io.BytesIO()
    Packing(level=1).pack(io.BytesIO(b"log" * 1000), packed)
    log = [f"wal/00000001/{segment.name}.zst" for segment in (first, third)]
    for key in log:
        for place in (two.near, two.far):
            open_store(str(place)).put(key, packed.getvalue())
    assert f"WAL is missing from {first.next.name} to {first.next.name}: make a base backup" in red(two.backups)
    assert two.backups.check_copies(two.id).ok
    with pytest.raises(RestoreRefused, match=f"segment {first.next.name} is missing; what can be reached is"):
        two.backups.recover(two.near.with_name("de volta"), datetime.now(UTC) + timedelta(hours=1))
    flip(two.near / log[0])
    (two.far / log[1]).unlink()
    found = two.found()
    assert found["perto", log[0]].problem.code is ProblemCode.LOG_DAMAGED
    assert found["perto", log[0]].right == (str(two.far),)
    assert found["longe", log[1]].problem.code is ProblemCode.LOG_ABSENT
    assert [(each.file, each.store, each.problem) for each in two.backups.copy_log()] == [(log[1], str(two.far), None)]
    assert set(two.found()) == {("perto", log[0])}
    assert [each.store for each in two.backups.copy_log(read=True)] == [str(two.near)]
    assert not two.found()


def as_base(two: Two) -> Manifest:
    manifest = two.backups.entries()[0].manifest
    assert manifest is not None
    ended = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    details = {
        "repository": manifest.details["repository"],
        "system_identifier": "7",
        "segment_size": 1 << 24,
        "timeline": 1,
        "end_lsn": "0/3000100",
        "ended": ended,
        "needs": [],
    }
    base = replace(manifest, kind="base", details=details)
    for place in (two.near, two.far):
        two.file(place, "manifest.json").write_text(base.to_json())
    return base
