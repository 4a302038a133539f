"""A stopped server's directory made as a base was by rewriting what differs: by size and checksum, never by date."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from esteio.backup import Backups, RestoreRefused
from esteio.backup._files import BackupReader
from esteio.backup._manifest import Part
from esteio.backup.base import _pieces
from esteio.backup.base._pieces import Pieces
from esteio.backup.base._tar import member_of
from esteio.backup.store import Stores, open_store
from esteio.postgres.embedded import Embedded, StartFailed

pytestmark = [pytest.mark.untimed, pytest.mark.timeout(300)]


@pytest.fixture
def home() -> Iterator[Path]:
    """A place the server's account can reach."""
    made = Path(tempfile.mkdtemp(prefix="esteio-test-delta-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def run(server: Embedded, *statements: str) -> list[Any]:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        return [
            cursor.fetchone() if (cursor := conn.execute(each.encode())).description else None for each in statements
        ]


@pytest.mark.fault
def test_only_what_differs_is_read_and_rewritten_and_an_interrupt_leaves_nothing_that_starts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pieces, "LEAST", 2 << 20)
    data, server = home / "data", Embedded(home / "data", settings={"shared_buffers": "64MB"})
    server.start()
    backups = Backups(server.dsn(), Stores([open_store(str(home / "cópias"))]), self_init=True)
    try:
        large = "SELECT g, repeat(md5(g::text), 10) t FROM generate_series(1, 20000) g"
        run(server, f"CREATE TABLE same AS {large}", f"CREATE TABLE torn AS {large}", "CREATE TABLE small (n int)")
        run(server, "INSERT INTO small VALUES (1)", "CHECKPOINT")
        same, torn = (
            data / path for (path,) in run(server, *(f"SELECT pg_relation_filepath('{t}')" for t in ("same", "torn")))
        )
        base = backups.run(kind="base").manifest  # verified: pieces are joined by a usual restore too
        assert len([part for part in base.parts if part.role == "base"]) > 3
        assert base.details["pieces"][0] == "base.tar.zst"
        run(server, "UPDATE small SET n = 2", "DROP TABLE torn", f"CREATE TABLE later AS {large}", "CHECKPOINT")
    finally:
        server.stop()
    with torn.open("wb") as file:  # a file of the size and the date that the base has, with another content
        file.truncate(next(p.stat().st_size for p in (same,)))
    before = same.stat()

    with pytest.raises(RestoreRefused, match="it is no data directory"):
        backups.recover_in_place(home / "nothing", lambda _: True, delta=True)

    def interrupt(step: str, *_about: Any) -> None:
        if step == "unpack":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backups.recover_in_place(data, lambda _: True, None, interrupt, delta=True)
    left = home / "data.restoring-delta"
    assert (data.exists(), (left / "global/pg_control").exists()) == (False, False)
    with pytest.raises(StartFailed):
        Embedded(left, create=False).start()

    read: list[str] = []
    usual = BackupReader.read

    def reading(self: BackupReader, part: Part, sink: Any) -> None:
        read.append(part.name)
        usual(self, part, sink)

    monkeypatch.setattr(BackupReader, "read", reading)
    done, kept = backups.recover_in_place(data, lambda _: True, delta=True)
    assert (done.directory, kept, left.exists()) == (data, None, False)
    pieces = [name for name in read if name.startswith("base")]
    assert 0 < len(pieces) < len(base.details["pieces"])
    assert (same.stat().st_ino, same.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    server.start()
    try:
        counted = "SELECT count(*), count(DISTINCT t) FROM "
        assert run(
            server, "SELECT n FROM small", counted + "same", counted + "torn", "SELECT to_regclass('later')"
        ) == [
            (1,),
            (20000, 20000),
            (20000, 20000),
            (None,),
        ]
        with pytest.raises(RestoreRefused, match="a server runs on it"):
            backups.recover_in_place(data, lambda _: True, delta=True)
    finally:
        server.stop()
    os.utime(same, ns=(before.st_atime_ns, before.st_mtime_ns))
    with same.open("r+b") as file:  # one bit, and neither size nor date tell of it
        file.seek(12345)
        byte = file.read(1)
        file.seek(12345)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(same, ns=(before.st_atime_ns, before.st_mtime_ns))
    damaged = same.read_bytes()
    backups.recover_in_place(data, lambda _: True, delta=True)
    assert same.read_bytes() != damaged


class Slow:
    """A source that hands out `step` bytes at a time."""

    def __init__(self, content: bytes, step: int) -> None:
        self._rest = io.BytesIO(content)
        self._step = step

    def read(self, size: int = -1, /) -> bytes:
        return self._rest.read(self._step if size < 0 else min(self._step, size))


def test_pieces_are_the_stream_and_each_is_known_by_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pieces, "LEAST", 3000)
    sizes = {"backup_label": 200, "base/1/112": 8192, "base/1/113": 0, "base/1/2600": 1024, "global/pg_control": 8192}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folder = tarfile.TarInfo("base")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, size in sizes.items():
            entry = tarfile.TarInfo(name)
            entry.size = size
            tar.addfile(entry, io.BytesIO(os.urandom(size)))
    content = stream.getvalue()
    for step in (1, 511, 513, 10**6):
        pieces = Pieces(Slow(content, step))
        found = [b"".join(iter(lambda piece=piece: piece.read(700), b"")) for piece in pieces]  # type: ignore[misc]
        assert b"".join(found) == content
        assert pieces.names == [
            ["base/", "backup_label", "base/1/112"],
            ["base/1/113", "base/1/2600", "global/pg_control"],
        ]
        assert [member_of(piece[:512]).path.rstrip("/") for piece in found] == ["base", "base/1/113"]
