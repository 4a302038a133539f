"""Without its marker nothing is written to a store; what is not of the set that the marker names is not restored."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyrage import x25519
from trial_database import red

from esteio.backup import Backups, EncryptionRequired, Manifest, ManifestError, Marker, ProblemCode, default_packing
from esteio.backup._marker import MARKER, MarkedStore
from esteio.backup.packing import Decryption, Encryption
from esteio.backup.store import AllStoresFailed, DirectoryMissing, StoreNotInitialised, Stores, open_store
from esteio.postgres import Dsn
from esteio.testing import ManualClock

IDENTITY = x25519.Identity.generate()


def at(*roots: Path, database: Dsn | None = None, secret: bool = False, **more) -> Backups:
    """Backups in directories, encrypted when they are `secret`."""
    if secret:
        encryption = Encryption.to([str(IDENTITY.to_public())])
        more["packing"] = lambda: replace(default_packing(), encryption=encryption)
        more["key"] = lambda _key_file: Decryption.of(str(IDENTITY))
    return Backups(database or Dsn(), Stores([open_store(str(root)) for root in roots]), **more)


def test_a_disk_that_is_not_mounted_is_an_error_and_no_folder(database: Dsn, tmp_path: Path) -> None:
    disk, mount = tmp_path / "disk", tmp_path / "mnt" / "backup"
    at(disk).init()
    mount.parent.mkdir()
    for there in (False, True):  # a mount point is an empty directory of the system's disk
        if there:
            mount.mkdir()
        for place in (mount, mount / "below"):
            backups = at(place, database=database)
            missing = pytest.raises(DirectoryMissing, match="the directory does not exist; mount the disk it is on")
            empty = pytest.raises(StoreNotInitialised, match="it has no marker; mount the disk that belongs there")
            with empty if place.exists() else missing:
                backups.run()
            with empty if place.exists() else missing:
                backups.archive()
            assert place.exists() or "the directory does not exist" in red(backups)  # `status` says the same
        assert list(mount.iterdir() if there else mount.parent.iterdir()) == []
    mount.rmdir()
    disk.rename(mount)
    assert at(mount, database=database).run().verification is not None


def test_one_that_goes_while_backups_are_made_is_left_out_and_told(database: Dsn, tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    backups = at(near, far, database=database)
    assert backups.init() == ((str(near), True), (str(far), True))
    assert backups.init() == ((str(near), False), (str(far), False))
    assert set(backups.run(verify=False).stores) == {str(near), str(far)}
    (far / MARKER).unlink()
    shutil.rmtree(far)
    far.mkdir()
    done = backups.run(verify=False)
    assert done.stores == (str(near),)
    assert [problem.code for problem in done.lacking] == [ProblemCode.COPY_NOT_MADE]
    assert list(far.iterdir()) == []
    assert f"is not in {far}" in red(backups)


def test_a_store_of_another_set_is_not_written_to(database: Dsn, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    at(ours).init()
    at(theirs).init()
    done = at(ours, theirs, database=database).run(verify=False)
    assert done.stores == (str(ours),)
    assert "belongs to another set of backups" in str(done.lacking[0])


def test_while_a_store_cannot_be_asked_no_second_set_is_begun(tmp_path: Path) -> None:
    """Its marker may be there, and a new one in the others would shut it out for good."""
    near, far = tmp_path / "near", tmp_path / "far"
    at(far).init()
    near.mkdir()
    kept = (far / MARKER).rename(far / "aside")
    (far / MARKER).write_text("{}")
    with pytest.raises(AllStoresFailed) as caught:
        at(near, far, self_init=True).prepare()
    assert "its marker cannot be read" in str(caught.value.failures[str(far)])
    assert "it has no marker" in str(caught.value.failures[str(near)])
    assert list(near.iterdir()) == []
    kept.replace(far / MARKER)
    at(near, far, self_init=True).prepare()
    assert at(near).marker() == at(far).marker()


def test_the_marker_is_read_back_as_it_was_written_and_refused_when_it_was_changed(tmp_path: Path) -> None:
    backups = at(tmp_path / "store")
    backups.init(encrypted=True)
    marker = backups.marker()
    assert marker is not None
    assert marker.encrypted
    assert Marker.from_json(marker.to_json()) == marker
    changed = marker.to_json().replace('"encrypted": true', '"encrypted": false')
    with pytest.raises(ValueError, match="its seal does not fit"):
        Marker.from_json(changed)
    (tmp_path / "store" / MARKER).write_text(changed)
    with pytest.raises(StoreNotInitialised, match="its marker cannot be read"):
        MarkedStore(open_store(str(tmp_path / "store"))).put("a", b"")


def test_the_first_run_of_our_own_directory_makes_the_marker(database: Dsn, tmp_path: Path) -> None:
    assert at(tmp_path / "own", database=database, self_init=True).run(verify=False).stores
    marker = at(tmp_path / "own").marker()
    assert marker is not None
    [entry] = at(tmp_path / "own").entries()
    assert entry.manifest is not None
    assert entry.manifest.details["repository"] == marker.repository


@pytest.mark.parametrize(("days", "adopted"), [(7, True), (9, False)])
def test_a_store_of_the_last_release_is_ours_if_it_has_a_fresh_backup(
    database: Dsn, taken: Path, tmp_path: Path, days: float, adopted: bool
) -> None:
    root = tmp_path / "old"
    shutil.copytree(taken, root / taken.name)
    old = root / taken.name / "manifest.json"
    manifest = Manifest.from_json(old.read_text())
    old.write_text(replace(manifest, details={}).to_json())  # that release knew no sets
    clock = ManualClock(time=(datetime.now(UTC) + timedelta(days=days)).timestamp())
    backups = at(root, database=database, clock=clock)
    if not adopted:
        with pytest.raises(StoreNotInitialised, match="it has no marker"):
            backups.run(verify=False)
        return
    backups.run(verify=False)
    marker = backups.marker()
    assert marker is not None
    assert not marker.encrypted
    assert [entry.complete for entry in backups.entries()] == [True, True]


def test_where_only_encrypted_backups_belong_a_plain_one_is_neither_made_nor_restored(
    database: Dsn, taken: Path, tmp_path: Path
) -> None:
    root = tmp_path / "secret"
    backups = at(root, database=database, secret=True)
    backups.init()
    good = backups.run().manifest.id
    with pytest.raises(EncryptionRequired, match="takes only encrypted backups"):
        at(root, database=database).run()
    planted(taken, root, "backup_20990101_000000")
    assert backups.catalogue.find("latest").id == good
    assert "backup_20990101_000000 is not encrypted" in red(backups)
    for act in (backups.verify, backups.reader, lambda name: backups.restore_into("não", name)):
        with pytest.raises(ManifestError, match="is not encrypted, and the store was made for encrypted backups"):
            act("backup_20990101_000000")
    backups.delete("backup_20990101_000000")
    assert backups.status().ok


def planted(taken: Path, root: Path, name: str) -> None:
    """A backup that somebody else made, under `name`."""
    shutil.copytree(taken, root / name)
    manifest = Manifest.from_json((root / name / "manifest.json").read_text())
    (root / name / "manifest.json").write_text(replace(manifest, id=name).to_json())


def test_a_backup_of_another_set_is_neither_tried_nor_restored(database: Dsn, taken: Path, tmp_path: Path) -> None:
    backups = at(tmp_path / "ours", database=database)
    backups.init()
    planted(taken, tmp_path / "ours", taken.name)
    [entry] = backups.entries()
    assert entry.problem is not None
    assert entry.problem.code is ProblemCode.FOREIGN
    with pytest.raises(ManifestError, match="was made by another set of backups"):
        backups.restore_into("não", taken.name)
