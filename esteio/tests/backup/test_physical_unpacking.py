"""A base's tar stream on its way to the disk: taken apart, compared with its list, refused when it is not whole."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.backup import BackupDamaged, Manifest
from esteio.backup._files import BackupReader, BackupWriter
from esteio.backup.base._tar import NotTar, Picking
from esteio.backup.packing import Packing
from esteio.backup.restore._data_directory import Comparison, ThreadedWriter, problems, unpack_tar
from esteio.backup.store import Stores, open_store

FILES = {"PG_VERSION": b"18\n", "base/1/112": b"x" * 70_000, "base/1/113": b"", "global/pg_control": b"c" * 8192}


def tar(*members: tarfile.TarInfo, files: dict[str, bytes] = FILES) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as stream:
        for folder in ("base", "base/1", "global", "pg_wal"):
            entry = tarfile.TarInfo(folder)
            entry.type = tarfile.DIRTYPE
            stream.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            stream.addfile(entry, io.BytesIO(content))
        for member in members:
            stream.addfile(member)
    return made.getvalue()


def listing(files: dict[str, bytes] = FILES, algorithm: str = "SHA256") -> bytes:
    entries = [
        {"Path": name, "Size": len(c), "Checksum-Algorithm": algorithm, "Checksum": hashlib.sha256(c).hexdigest()}
        for name, c in files.items()
    ]
    head = json.dumps({"Files": entries})[:-1] + ",\n"
    return f'{head}"Manifest-Checksum": "{hashlib.sha256(head.encode()).hexdigest()}"}}\n'.encode()


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[..., list[str]]:
    """Unpacks a stream into `tmp_path / "new"` and says how it differs from a list."""

    def unpack(stream: bytes, files: bytes = listing()) -> list[str]:
        stores = Stores([open_store(str(tmp_path / "disk"))])
        draft = BackupWriter(stores, "b", Packing(level=1))
        part = draft.add("base.tar", "base", io.BytesIO(stream))
        manifest = Manifest("b", "base", "", 0.0, "18.4", "18.4", (part,))
        compared = Comparison(files)
        unpack_tar(BackupReader(stores, manifest, lambda _: None), [part], tmp_path / "new", compared, write_back=True)
        return compared.problems()

    return unpack


def test_what_was_streamed_is_there_readable_by_its_owner_alone(
    unpacked: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert unpacked(tar()) == []
    new = tmp_path / "new"
    assert {name: (new / name).read_bytes() for name in FILES} == FILES
    modes = {path.stat().st_mode & 0o777 for path in new.rglob("*")}
    assert modes == {0o700, 0o600}
    assert problems(new, listing()) == []


def test_every_difference_from_the_list_is_named(unpacked: Callable[..., list[str]], tmp_path: Path) -> None:
    came = {**FILES, "base/1/112": b"y" * 70_000, "base/1/9": b"", "pg_wal/1": b"log", "backup_label": b"l"}
    came["PG_VERSION"] = b"1"
    del came["global/pg_control"]
    said = [
        "global/pg_control: is missing",
        "PG_VERSION: 1 bytes, listed are 3",
        "base/1/112: its sha256 is not the listed one",
        "base/1/9: is not in the list of files",
    ]
    assert unpacked(tar(files=came)) == said
    assert sorted(problems(tmp_path / "new", listing())) == sorted(said)


def test_of_a_list_without_sha256_names_and_sizes_are_compared(unpacked: Callable[..., list[str]]) -> None:
    came = {**FILES, "base/1/112": b"y" * 70_000, "base/1/113": b"z"}
    assert unpacked(tar(files=came), listing(algorithm="CRC32C")) == ["base/1/113: 1 bytes, listed are 0"]


def test_a_changed_list_is_no_list(unpacked: Callable[..., list[str]]) -> None:
    assert unpacked(tar(), listing().replace(b"112", b"212")) == ["the list of files (backup_manifest) was changed"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("/etc/passwd", tarfile.REGTYPE), ("base/../../x", tarfile.REGTYPE), ("pg_tblspc/1", tarfile.SYMTYPE)],
)
def test_nothing_is_made_outside_and_no_link_either(
    unpacked: Callable[..., list[str]], tmp_path: Path, name: str, kind: bytes
) -> None:
    member = tarfile.TarInfo(name)
    member.type = kind
    with pytest.raises(BackupDamaged, match=r"base\.tar\.zst.*neither a file nor a directory"):
        unpacked(tar(member))
    assert {path.name for path in tmp_path.iterdir()} == {"disk", "new"}


@pytest.mark.parametrize("keep", [0, 100, 3000, 30_000, -20_000])
def test_a_stream_that_was_cut_short_before_it_was_stored_is_not_taken_for_whole(
    unpacked: Callable[..., list[str]], keep: int
) -> None:
    with pytest.raises(BackupDamaged, match="no whole tar file"):
        unpacked(tar()[:keep])


def test_what_is_no_tar_stream_is_said_so(unpacked: Callable[..., list[str]]) -> None:
    with pytest.raises(BackupDamaged, match="no number"):
        unpacked(b"x" * 2000)
    with pytest.raises(NotTar, match="checksum"):
        Picking(io.BytesIO(b"x" + tar()[1:]), "x").read()
    with pytest.raises(NotTar):
        Picking(io.BytesIO(b"x" * 512), "x").read()


def test_a_full_disk_ends_it_at_once(
    unpacked: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("esteio.backup.restore._data_directory.os", _Replaced(os, write=full))
    with pytest.raises(OSError, match="No space"):
        unpacked(tar())


class _Replaced:
    """A module of which some names are others."""

    def __init__(self, module: object, **others: object) -> None:
        self._module = module
        self.__dict__.update(others)

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)


@given(st.integers(1, 3000), st.binary(max_size=3000))
def test_one_file_is_picked_from_a_tar_stream_cut_anywhere(step: int, content: bytes) -> None:
    stream = tar(files={"a": b"x" * 700, "backup_manifest": content, "z": b""})
    picking = Picking(io.BytesIO(stream), "backup_manifest")
    assert b"".join(iter(lambda: picking.read(step), b"")) == stream
    assert bytes(picking.found) == content


def test_what_is_handed_over_arrives_in_order_and_little_of_it_waits() -> None:
    class Slow:
        def __init__(self) -> None:
            self.got = b""
            self.go = threading.Event()

        def write(self, data: bytes, /) -> int:
            self.go.wait(10)
            self.got += data[:1]
            return len(data)

    slow, written = Slow(), []

    def write() -> None:
        with ThreadedWriter(slow) as handing:
            for number in range(40):
                handing.write(bytes([number]) * (1 << 20))
                written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    assert len(written) <= 9
    slow.go.set()
    thread.join(10)
    assert slow.got == bytes(range(40))


@pytest.mark.parametrize("pieces", [1, 100])
def test_who_hands_over_is_told_when_the_sink_fails(pieces: int) -> None:
    class Broken:
        def write(self, data: bytes, /) -> int:
            raise OSError(5, "broken")

    def write() -> None:
        with ThreadedWriter(Broken()) as handing:
            for _ in range(pieces):
                handing.write(b"x" * (1 << 20))

    with pytest.raises(OSError, match="broken"):
        write()
