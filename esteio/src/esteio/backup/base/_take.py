"""The whole cluster, as pg_basebackup copies it: kinds `base` and `incremental`.

Promises: streamed through the packing into every store in bounded memory, with the log it needs to be consistent, so
each can be restored by itself. The log is held on the server by a slot that ends with our session. PostgreSQL's own
manifest of files is kept beside it: what an incremental backup starts from, and what a restore is checked with.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError
from esteio.backup._files import BackupWriter
from esteio.backup._manifest import Manifest
from esteio.backup._progress import Progress, silent
from esteio.backup._session import Connection, connect, one
from esteio.backup.base._pieces import BASE, INDEX, ORDER, TABLESPACE, TABLESPACE_INDEX, TABLESPACES, Pieces
from esteio.backup.base._protocol import FIRST_MAJOR, archives
from esteio.backup.base._tar import Picking
from esteio.backup.packing import Readable
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, Clock
from esteio.postgres import Dsn

__all__ = ["FILES", "NotPossible", "take_base"]

FILES = "backup_manifest"
_FIRST_INCREMENTAL = 17


class NotPossible(BackupError):
    """Such a backup can't be made of this server, or with these programs; nothing was written."""

    def __init__(self, kind: str, reason: str, advice: str) -> None:
        self.kind = kind
        self.reason = reason
        self.advice = advice
        super().__init__(f"backup of kind {kind!r} is not possible: {reason}; {advice}")


def take_base(
    writer: BackupWriter,
    toolbox: Toolbox,
    dsn: Dsn,
    progress: Progress = silent,
    *,
    parent: Manifest | None = None,
    parent_files: bytes = b"",
    rate: int | None = None,
    clock: Clock = SYSTEM,
) -> Manifest:
    """Write a base backup into `writer`, or what changed since `parent` (with its file list `parent_files`).

    `rate` is how many MB the server reads in a second at most (None: as many as it can).
    The manifest it returns is for `writer.finish`. NotPossible before anything is written; ToolFailed on the way.
    """
    began, started = clock.time(), clock.monotonic()
    kind = "incremental" if parent else "base"
    with connect(dsn) as conn:
        _refuse_impossible(conn, toolbox, kind, parent)
        size = 0 if parent else int(one(conn, "SELECT sum(pg_catalog.pg_database_size(oid))::int8 FROM pg_database"))
        told = partial(progress, "base")
        with _log_held(conn), _arguments(parent_files if parent else None) as arguments:
            if spaces := _tablespaces(conn):
                files, order = _stream_archives(writer, dsn, rate, spaces, told, size)
            else:
                limit = [] if rate is None else [f"--max-rate={rate}M"]
                files, order = _stream(writer, toolbox, dsn, kind, [*arguments, *limit], told, size)
        ended = one(conn, "SELECT pg_catalog.clock_timestamp()")
        about = _about(conn)
    writer.add(FILES, "files", io.BytesIO(files))
    log = json.loads(files)["WAL-Ranges"][-1]
    return Manifest(
        id=writer.id,
        kind=kind,
        began=datetime.fromtimestamp(began, UTC).isoformat(),
        duration=clock.monotonic() - started,
        server_version=about.pop("server_version"),
        tool_version=toolbox.version("pg_basebackup"),
        parts=writer.parts,
        encryption=writer.encryption,
        lsn=log["End-LSN"],
        details={
            **about,
            **order,
            "timeline": log["Timeline"],
            "start_lsn": log["Start-LSN"],
            "end_lsn": log["End-LSN"],
            "ended": ended.astimezone(UTC).isoformat(),
            "needs": [*parent.details["needs"], parent.id] if parent else [],
        },
        # An older release would restore it without its tablespaces: it says instead that the format is a later one.
        format=2 if TABLESPACES in order else 1,
    )


def _stream(
    writer: BackupWriter,
    toolbox: Toolbox,
    dsn: Dsn,
    kind: str,
    arguments: list[str],
    told: Callable[[int, int, str], object],
    size: int,
) -> tuple[bytes, dict[str, Any]]:
    """The list of files, and what the manifest says of the order of the pieces."""
    with toolbox.start("pg_basebackup", arguments, dsn=dsn, stdout=True) as running:
        source = Picking(_Told(running, told, size), FILES)
        names, content = _add_pieces(writer, kind, BASE, source)
    return bytes(source.found), _ordered(writer, names, content)


def _add_pieces(writer: BackupWriter, stem: str, role: str, source: Readable) -> tuple[list[str], list[list[str]]]:
    """Write a tar stream into `writer`; the names of its pieces, and what is in each."""
    pieces, names = Pieces(source), []
    for number, piece in enumerate(pieces, 1):
        name = f"{stem}.tar" if number == 1 else f"{stem}-{number:05d}.tar"
        names.append(writer.add(name, role, piece).name)
    return names, pieces.names


def _ordered(writer: BackupWriter, names: list[str], content: list[list[str]]) -> dict[str, Any]:
    if len(names) == 1:
        return {}
    writer.add("pieces.json", INDEX, io.BytesIO(json.dumps(content).encode()))
    return {ORDER: names}


def _stream_archives(
    writer: BackupWriter,
    dsn: Dsn,
    rate: int | None,
    spaces: Mapping[str, str],
    told: Callable[[int, int, str], object],
    size: int,
) -> tuple[bytes, dict[str, Any]]:
    """As `_stream`, with the tablespaces in `spaces`, their names by oid."""
    found, order, index = [], {}, {}
    with archives(dsn, label=writer.id, rate=rate) as streamed:
        source = _Told(streamed, told, size)
        for archive in streamed:
            if not (oid := archive.tablespace):
                order = _ordered(writer, *_add_pieces(writer, "base", BASE, source))
                continue
            names, index[oid] = _add_pieces(writer, f"tablespace-{oid}", TABLESPACE, source)
            about = {"oid": oid, "name": spaces.get(oid, ""), "location": archive.location, "pieces": names}
            found.append(about)
    if not found:  # the last one was dropped between our question and the start
        return streamed.files, order
    writer.add("tablespaces.json", TABLESPACE_INDEX, io.BytesIO(json.dumps(index).encode()))
    return streamed.files, {**order, TABLESPACES: found}


class _Told:
    """A source that tells how much of about `size` bytes went by."""

    def __init__(self, source: Readable, told: Callable[[int, int, str], object], size: int) -> None:
        self._source = source
        self._told = told
        self._size = size
        self._done = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        self._done += len(data)
        self._told(self._done, max(self._size, self._done) if self._size else 0, "bytes")
        return data


@contextmanager
def _arguments(parent_files: bytes | None) -> Iterator[list[str]]:
    given = ["--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast"]
    # Where PostgreSQL was built without OpenSSL its sha256 takes ten times as long as all the rest, on the service's
    # machine. The bytes of the stream are covered by our own, from here to the disk they are restored to.
    given += ["--manifest-checksums=CRC32C", "--no-password"]
    if parent_files is None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="esteio-backup-") as folder:
        path = Path(folder) / FILES
        path.write_bytes(parent_files)
        yield [*given, f"--incremental={path}"]


@contextmanager
def _log_held(conn: Connection) -> Iterator[None]:
    """While inside, the server removes none of the log from now on; a temporary slot, gone with the session."""
    name = f"esteio_base_{one(conn, 'SELECT pg_catalog.pg_backend_pid()')}"
    conn.execute("SELECT pg_catalog.pg_create_physical_replication_slot(%s, true, true)", [name])
    try:
        yield
    finally:
        conn.execute("SELECT pg_catalog.pg_drop_replication_slot(%s)", [name])


def _refuse_impossible(conn: Connection, toolbox: Toolbox, kind: str, parent: Manifest | None) -> None:
    toolbox.version("pg_basebackup")
    if spaces := _tablespaces(conn):
        reason = DetailCode.TABLESPACES(count=len(spaces), major=FIRST_MAJOR)
        if parent is not None:
            raise NotPossible(kind, reason, DetailCode.MAKE_BASES())
        if toolbox.major < FIRST_MAJOR:
            raise NotPossible(kind, reason, DetailCode.MAKE_DUMPS())
    if parent is None:
        return
    if toolbox.major < _FIRST_INCREMENTAL:
        raise NotPossible(kind, DetailCode.NO_INCREMENTALS(major=toolbox.major), DetailCode.MAKE_BASES())
    toolbox.version("pg_combinebackup")
    if one(conn, "SHOW summarize_wal") != "on":
        raise NotPossible(kind, DetailCode.SUMMARIZE_WAL_OFF(), DetailCode.SET_SUMMARIZE_WAL())
    about = _about(conn)
    if about["system_identifier"] != parent.details.get("system_identifier"):
        reason = DetailCode.BASE_OF_OTHER_CLUSTER(backup=parent.id)
        raise NotPossible(kind, reason, DetailCode.MAKE_KIND_BASE())


def _tablespaces(conn: Connection) -> dict[str, str]:
    """The names of those besides PostgreSQL's own, by oid."""
    statement = (
        "SELECT oid::text, spcname FROM pg_catalog.pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')"
    )
    return dict(conn.execute(statement).fetchall())


def _about(conn: Connection) -> dict[str, Any]:
    return {
        "server_version": str(one(conn, "SHOW server_version")).split()[0],
        **({"standby": True} if one(conn, "SELECT pg_catalog.pg_is_in_recovery()") else {}),
        "system_identifier": str(one(conn, "SELECT system_identifier FROM pg_catalog.pg_control_system()")),
        "checksums": one(conn, "SHOW data_checksums") == "on",
        "segment_size": one(conn, "SELECT bytes_per_wal_segment FROM pg_catalog.pg_control_init()"),
    }
