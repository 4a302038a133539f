"""A directory as a store: whole or absent, and nothing outside of it."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from esteio.backup._lock import Lock
from esteio.backup.store import (
    InvalidKeyName,
    ObjectMissing,
    StoreDenied,
    StoreFull,
    Stores,
    StoreUnavailable,
    StoreUrlError,
    open_store,
    stores_from_settings,
)
from esteio.backup.store._directory import DirectoryStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "cópias de segurança")


def test_an_object_is_there_after_the_commit_and_not_before(store: DirectoryStore) -> None:
    with store.open("id/part.zst") as upload:
        upload.write(b"half")
        assert store.head("id/part.zst") is None
        assert store.list() == []
        upload.write(b" and half")
        stored = upload.commit()
    assert (stored.key, stored.size) == ("id/part.zst", 13)
    assert store.list() == store.list("id") == [stored]
    with store.get("id/part.zst") as download:
        assert (download.read(4), download.read()) == (b"half", b" and half")


def test_a_block_left_without_commit_leaves_nothing(store: DirectoryStore) -> None:
    store.put("kept", b"1")
    with store.open("a/b/c") as upload:
        upload.write(b"x")
    assert [path.name for path in store.root.rglob("*") if path.is_file()] == ["kept"]


def test_what_was_there_stays_until_the_new_one_is_whole(store: DirectoryStore) -> None:
    store.put("key", b"old")
    with store.open("key") as upload:
        upload.write(b"new and cut")
    with store.get("key") as download:
        assert download.read() == b"old"


def test_file_and_directories_are_synchronised_around_the_rename(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def spied(handle: int) -> None:
        done.append("fsync " + Path(f"/proc/self/fd/{handle}").readlink().name.partition("-")[0])
        fsync(handle)

    monkeypatch.setattr(os, "fsync", spied)
    monkeypatch.setattr(Path, "replace", lambda self, target: (done.append("rename"), replace(self, target))[1])
    store.put("id/part", b"x")
    assert done == ["fsync .unfinished", "rename", "fsync id", f"fsync {store.root.name}"]


def test_what_a_killed_upload_left_is_swept_away_and_nothing_else(store: DirectoryStore) -> None:
    store.put("whole/part", b"1")
    for folder, age in (("old", 2 * 86400), ("whole", 2 * 86400), ("new", 60)):
        left = store.root / folder / ".unfinished-x"
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(b"half")
        os.utime(left, (time.time() - age,) * 2)
    Stores([store]).sweep(time.time() - 86400)
    assert sorted(path.relative_to(store.root).parts[0] for path in store.root.rglob("*") if path.is_file()) == [
        "new",
        "whole",
    ]
    assert not (store.root / "old").exists()


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".hidden", "a\\b", "a\nb", "é" * 101]
)
def test_names_that_could_leave_the_store_are_refused(store: DirectoryStore, key: str) -> None:
    with pytest.raises(InvalidKeyName, match="cannot be used"):
        store.put(key, b"x")


def test_names_with_spaces_and_accents_are_fine(store: DirectoryStore, tmp_path: Path) -> None:
    source = tmp_path / "fonte"
    source.write_bytes(b"x" * 1000)
    assert store.put("cópia um/patrimônio çã.zst", source).size == 1000
    store.delete("cópia um/patrimônio çã.zst")
    assert store.list() == []
    store.delete("cópia um/patrimônio çã.zst")


def test_a_drive_that_is_not_mounted_is_not_made_up(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "not mounted" / "backup")
    with pytest.raises(StoreUnavailable, match="not mounted"):
        store.put("x", b"1")
    with pytest.raises(StoreUnavailable):
        store.list()
    assert not (tmp_path / "not mounted").exists()


def test_a_share_that_cannot_synchronise_directories_takes_uploads(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync
    refusal = [errno.EINVAL]

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(refusal[0], os.strerror(refusal[0]))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    assert store.put("a/b", b"content").size == 7
    refusal[0] = errno.EIO
    with pytest.raises(StoreUnavailable):
        store.put("a/c", b"content")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_the_account_of_the_directory(tmp_path: Path) -> None:
    home = tmp_path / "serviço"
    home.mkdir()
    os.chown(home, 12345, 12345)
    store = DirectoryStore(home / "cópias")
    store.put("a/b", b"content")
    with Lock(home / "cópias" / ".lock"):
        pass
    made = [home / "cópias", *(home / "cópias").rglob("*")]
    assert {path.name for path in made} == {"cópias", "a", "b", ".lock"}
    assert {path.stat().st_uid for path in made} == {12345}


def test_what_is_missing_is_named(store: DirectoryStore) -> None:
    store.put("x", b"1")
    assert store.list("y") == []
    with pytest.raises(ObjectMissing, match="'y'"), store.get("y"):
        pass


def test_a_read_only_place_is_named_so(store: DirectoryStore) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    store.put("x", b"1")
    store.root.chmod(0o500)
    with pytest.raises(StoreDenied, match="permissions"):
        store.put("y", b"1")


@pytest.mark.fault
@pytest.mark.untimed
def test_a_full_disk_is_named_and_leaves_no_half_file(small_disk: Path) -> None:
    store = DirectoryStore(small_disk)
    store.put("kept", b"1")
    with pytest.raises(StoreFull, match="make room"):
        store.put("big", bytes(3_000_000))
    assert [path.name for path in small_disk.rglob("*")] == ["kept"]


def test_addresses_are_understood_or_refused(tmp_path: Path) -> None:
    assert open_store(str(tmp_path)).name == open_store(f"file://{tmp_path}").name == str(tmp_path)
    for url, part in {
        "ftp://x/y": "scheme",
        "s3://": "bucket",
        "s3://key:secret@bucket": "credentials",
        "s3://bucket?color=red": "color",
        "s3://bucket?checksum=md5": "checksum",
        "gs://bucket?region=x": "region",
    }.items():
        with pytest.raises(StoreUrlError, match=part) as refused:
            open_store(url)
        assert "secret" not in str(refused.value)


def test_every_kind_of_store_is_made_from_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")
    urls = ["s3://bucket/folder?region=sa-east-1&endpoint=http://127.0.0.1:9&checksum=none", "gs://bucket/folder"]
    urls.append("az://account/container/folder")
    assert [open_store(url).name for url in urls] == [
        "s3://bucket/folder",
        "gs://bucket/folder",
        "az://account/container/folder",
    ]


def test_the_settings_name_several_stores(tmp_path: Path) -> None:
    found = stores_from_settings(
        {"BACKUP_DIR": str(tmp_path), "AWS_S3_BUCKET": "city", "BACKUP_STORES": "gs://far/away s3://city"}
    )
    assert [store.name for store in found] == [str(tmp_path), "s3://city", "gs://far/away"]
    assert stores_from_settings({}) == ()
