"""A backup is believed when it was restored and compared; one wrong byte is found and its file named."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from trial_database import query, red

from esteio import events
from esteio.backup import (
    BackupDamaged,
    BackupError,
    BackupMade,
    BackupNotFound,
    BackupRunEnded,
    Backups,
    BackupVerified,
    ManifestError,
    RestoreRefused,
    Retention,
    Verification,
    VerificationFailed,
)
from esteio.backup._files import BackupReader
from esteio.backup._manifest import backup_id
from esteio.backup.verify import Scratch
from esteio.postgres import Dsn
from esteio.testing import ManualClock


def flip(path: Path, at: int) -> None:
    """Change one bit in the byte at `at` (from the end when negative)."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def middle(path: Path) -> int:
    return path.stat().st_size // 2


def test_a_run_ends_with_a_proof_and_tells_it(backups: Backups, tmp_path: Path) -> None:
    told: list[events.Event] = []
    end = events.subscribe(told.append)
    try:
        done = backups.run()
    finally:
        end()
    assert done.verification is not None
    assert done.verification.rows == 5105
    assert done.verification.restore_seconds > 0
    assert "number of rows of each table" in done.verification.checked
    assert [type(event) for event in told] == [BackupMade, BackupVerified, BackupRunEnded]
    [entry] = backups.entries()
    assert entry.verified
    assert entry.verification == done.verification
    assert backups.status().ok
    assert not list(tmp_path.glob("esteio-trial-*"))


@pytest.mark.parametrize("name", ["database.dump.zst", "globals.sql.zst"])
def test_one_wrong_byte_is_found_and_the_file_named(backups: Backups, folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    for at in (0, middle(path), -1):
        flip(path, at)
        with pytest.raises(VerificationFailed, match=rf"{name}: its sha256 is not the manifest's"):
            backups.verify()
        assert "failed its verification" in red(backups)
        with pytest.raises(BackupDamaged, match=rf"damaged: {name}: its sha256"):
            backups.restore_into("não chega a existir", folder.name)
        path.write_bytes(whole)


def test_a_file_that_is_cut_short_or_missing_is_found(backups: Backups, folder: Path) -> None:
    path = folder / "database.dump.zst"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(VerificationFailed, match=f"database.dump.zst: {len(whole) - 1} bytes, the manifest says"):
        backups.verify()
    path.unlink()
    with pytest.raises(VerificationFailed, match=r"database\.dump\.zst: it is missing"):
        backups.verify()
    assert "database.dump.zst is missing" in red(backups)


def test_every_byte_of_the_manifest_counts(backups: Backups, folder: Path) -> None:
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for at in [*range(0, len(whole), 97), len(whole) - 2, len(whole) - 1]:
        flip(path, at)
        with pytest.raises(ManifestError):
            backups.verify(folder.name)
        path.write_bytes(whole)
    flip(path, 50)
    assert "damaged" in red(backups)
    assert all(decision.keep for decision in backups.prune())


def test_every_byte_of_a_proof_counts() -> None:
    whole = Verification("x", "2026-01-02T03:04:05+00:00", 1.0, 2.0, "18.4", 3, ("a",)).to_json()
    assert Verification.from_json(whole).ok
    for at in range(len(whole)):
        changed = whole[:at] + chr(ord(whole[at]) ^ 1) + whole[at + 1 :]
        with pytest.raises(ValueError, match=r"seal|Expecting|delimiter"):
            Verification.from_json(changed)


def test_a_damaged_proof_proves_nothing(backups: Backups, folder: Path) -> None:
    backups.verify()
    flip(folder / "proof.json", 40)
    [entry] = backups.entries()
    assert not entry.verified
    assert not backups.status().ok


def test_damage_within_a_file_that_has_the_right_sum_is_found_too(backups: Backups, folder: Path) -> None:
    manifest = backups.entries()[0].manifest
    assert manifest is not None
    parts = tuple(replace(part, sha256="0" * 64) for part in manifest.parts)

    class Nowhere:
        def write(self, data: bytes) -> int:
            return len(data)

    changed = BackupReader(backups.catalogue._stores, replace(manifest, parts=parts), lambda _key_file: None)
    with pytest.raises(BackupDamaged, match=r"database\.dump\.zst"):
        changed.read(parts[0], Nowhere())


def test_an_extension_that_is_not_installed_here_is_no_fault_of_the_backup(backups: Backups, folder: Path) -> None:
    manifest = backups.entries()[0].manifest
    assert manifest is not None
    strange = replace(manifest, extensions={"plpgsql": "1.0", "postgis": "3.5"})
    (folder / "manifest.json").write_text(strange.to_json())
    with pytest.raises(RestoreRefused, match="lacks the extensions postgis; install them"):
        backups.verify()
    assert backups.entries()[0].verification is None


def test_a_trial_without_space_is_not_held(backups: Backups, folder: Path) -> None:
    manifest = backups.entries()[0].manifest
    assert manifest is not None
    assert manifest.database is not None
    huge = replace(manifest, database=replace(manifest.database, size=1 << 60))
    (folder / "manifest.json").write_text(huge.to_json())
    with pytest.raises(BackupError, match=r"cannot be verified: .* MB free"):
        backups.verify()
    with pytest.raises(RestoreRefused, match="MB are needed; make room"):
        backups.restore_into("grande demais")


def test_a_scratch_server_leaves_nothing(tmp_path: Path) -> None:
    with suppress(ZeroDivisionError), Scratch(18, directory=tmp_path) as scratch:
        assert query(scratch.dsn, "select 1") == [(1,)]
        assert len(list(tmp_path.iterdir())) == 1
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


# What the catalogue, the status and the prune make of it


def test_the_newest_is_found_by_name_or_as_latest_and_others_are_not(backups: Backups) -> None:
    backups.init()
    with pytest.raises(BackupNotFound, match="none yet: make one"):
        backups.verify()
    names = [backups.run(verify=False).manifest.id for _ in range(2)]
    assert names[0] < names[1]
    assert backups.reader("latest").manifest.id == names[1]
    assert backups.reader(names[0]).manifest.id == names[0]
    with pytest.raises(BackupNotFound, match=f"'outra' is not in /.*{names[1]}"):
        backups.reader("outra")


def test_the_status_says_every_reason_to_get_up(backups: Backups, tmp_path: Path) -> None:
    backups.init()
    assert red(backups) == "there is no backup"
    backups.run(verify=False)
    assert red(backups) == "no backup was ever verified"
    backups.verify()
    assert backups.status().ok
    assert "is 0.0 h old; allowed: 0.0 h" in str(backups.status(timedelta(0)).problems[0])


def test_old_backups_are_removed_only_after_a_verified_run(database: Dsn, backups: Backups, tmp_path: Path) -> None:
    root = tmp_path / "cópias"
    clock = ManualClock(1_800_000_000.0)
    stores = backups.catalogue._stores
    long_ago = Backups(database, stores, clock=clock, self_init=True)
    old = [long_ago.run(verify=False).manifest for _ in range(3)]
    clock.advance(40 * 86400)
    now = Backups(database, stores, clock=clock, retention=Retention(days=30, verified=1), self_init=True)
    now.run(verify=False)
    assert len(list(root.glob("backup_*"))) == 4
    flip(root / old[0].id / "database.dump.zst", 100)
    with pytest.raises(VerificationFailed):
        now.verify(old[0].id)
    dry = now.prune(dry_run=True)
    assert all(decision.keep for decision in dry)  # not one is verified
    done = now.run()
    gone = {decision.id for decision in done.decisions if not decision.keep}
    assert gone == {manifest.id for manifest in old}
    assert len(list(root.glob("backup_*"))) == 2


def test_other_peoples_files_are_left_alone(backups: Backups, folder: Path) -> None:
    root = folder.parent
    (root / "wal").mkdir()
    (root / "wal" / "000000010000000000000001").write_text("x")
    (root / "sispat_backup_20200101_000000").mkdir()
    (root / "sispat_backup_20200101_000000" / "manifest.json").write_text("{}")
    unfinished = root / backup_id("backup", 1_000_000_000)
    unfinished.mkdir()
    (unfinished / "database.dump.zst").write_text("x")
    assert [entry.complete for entry in backups.entries()] == [False, True]
    backups.verify()
    assert [decision.id for decision in backups.prune() if not decision.keep] == [unfinished.name]
    assert not unfinished.exists()
    assert (root / "wal" / "000000010000000000000001").exists()
    assert (root / "sispat_backup_20200101_000000").exists()


def test_a_lock_that_is_a_link_to_somewhere_else_is_refused(backups: Backups, tmp_path: Path) -> None:
    precious = tmp_path / "precioso"
    precious.write_text("x")
    backups.init()
    backups._local.file("lock").symlink_to(precious)
    with pytest.raises(BackupError, match=r"lock .*\.lock: .*; let this account write to that directory"):
        backups.run()
    assert precious.read_text() == "x"
