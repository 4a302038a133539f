"""The command BASE_BACKUP of the replication protocol, for clusters with tablespaces: pg_basebackup streams only one.

Promises: the archives come one after another over one connection, the tablespaces first, each as a tar stream of its own; then
PostgreSQL's list of all files. What is not as https://www.postgresql.org/docs/current/protocol-replication.html has it is a
`BackupError`, what the server refuses a `DatabaseRefused`. Nothing is held back but what the server sent in one message.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import pq

from esteio.backup._details import DetailCode
from esteio.backup._errors import BackupError, DatabaseRefused
from esteio.postgres import DatabaseUnavailable, Dsn

__all__ = ["FIRST_MAJOR", "Archive", "Archives", "archives"]

FIRST_MAJOR = 15
"""Before it each archive was a COPY of its own."""
_PATIENCE = 600.0  # seconds of silence: the server's checkpoint comes before the first byte


@dataclass(frozen=True, slots=True)
class Archive:
    """One tar stream: of the tablespace with the oid `tablespace` at `location`, or of the data directory (both empty)."""

    tablespace: str
    location: str
    source: Archives

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes of it; none at its end."""
        return self.source.read(size)


class Archives:
    """What the server streams; iterate over it, and read each archive to its end before the next. Then `files` is there."""

    def __init__(self, conn: pq.abc.PGconn, name: str) -> None:
        self._conn = conn
        self._name = name
        self._kind, self._data = b"", b""
        self.files = b""
        """PostgreSQL's list of all files."""

    def __iter__(self) -> Iterator[Archive]:
        self._next()
        while self._kind == b"n":
            name, location = self._data.split(b"\0")[:2]
            self._data = b""
            self._next()
            yield Archive(name.decode().removesuffix(".tar") if location else "", location.decode(), self)
            assert self._kind != b"d", "each archive is read to its end before the next"
        collected = bytearray()
        if self._kind == b"m":
            self._next()
            while self._kind == b"d":
                collected += self._data
                self._next()
        if self._kind or not collected:
            raise self._unexpected()
        self.files = bytes(collected)

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes of the archive that was begun; a message at most."""
        if self._kind != b"d":
            return b""
        if 0 <= size < len(self._data):
            data, self._data = self._data[:size], self._data[size:]
            return data
        data = self._data
        self._next()
        return data

    def _next(self) -> None:
        """The next message that is no report of progress; kind and data are empty at the end of all."""
        while True:
            message = self._message()
            if message is None:
                self._kind, self._data = b"", b""
                return
            self._kind, self._data = message[:1], message[1:]
            if self._kind == b"d" and not self._data:
                continue
            if self._kind in (b"n", b"d", b"m"):
                return
            if self._kind != b"p":
                raise self._unexpected()

    def _message(self) -> bytes | None:
        while True:
            size, data = self._conn.get_copy_data(1)
            if size > 0:
                return bytes(data)
            if size < 0:
                return None
            self._wait()

    def _wait(self) -> None:
        # Not in libpq, which would hear of no Ctrl-C before the next message.
        if not select.select([self._conn.socket], [], [], _PATIENCE)[0]:
            raise DatabaseUnavailable(self._name, DetailCode.NOTHING_RECEIVED(seconds=_PATIENCE), retry_after=None)
        self._conn.consume_input()

    def result(self) -> pq.abc.PGresult | None:
        """The next result of the command."""
        while self._conn.is_busy():
            self._wait()
        found = self._conn.get_result()
        if found is not None and found.status == pq.ExecStatus.FATAL_ERROR:
            raise DatabaseRefused(self._name, " ".join(found.error_message.decode(errors="replace").split()))
        return found

    def _unexpected(self) -> BackupError:
        return BackupError(DetailCode.BASE_STREAM_UNKNOWN(kind=self._kind.decode(errors="replace")))


@contextmanager
def archives(dsn: Dsn, *, label: str, rate: int | None) -> Iterator[Archives]:
    """Begin a base backup of the server at `dsn`, read at `rate` MB a second at most; what it streams.

    DatabaseUnavailable without a connection, DatabaseRefused when the server does not begin, or ends, the backup.
    """
    parameters = dict(dsn.parameters) | {"replication": "true", "application_name": "esteio backup"}
    parameters.setdefault("connect_timeout", "10")
    conninfo = dsn.with_(parameters=tuple(parameters.items())).conninfo
    conn = pq.PGconn.connect(conninfo.encode())
    try:
        if conn.status != pq.ConnStatus.OK:
            reason = " ".join(conn.error_message.decode(errors="replace").split())
            raise DatabaseUnavailable(dsn.masked, reason, retry_after=None)
        found = Archives(conn, dsn.masked)
        conn.send_query(_command({"LABEL": f"'{label}'", "MAX_RATE": str(rate << 10) if rate else None}))
        for _ in range(2):  # where it began, and the list of tablespaces
            found.result()
        found.result()  # that a COPY begins
        yield found
        while found.result() is not None:  # where it ended, and whether all went well
            pass
    except BaseException:
        # The server ends the backup with the connection: nothing of it is left there.
        conn.finish()
        raise
    conn.finish()


def _command(more: Mapping[str, str | None]) -> bytes:
    options = {
        "CHECKPOINT": "'fast'",
        "WAL": "true",
        "TABLESPACE_MAP": "true",
        "MANIFEST": "'yes'",
        "MANIFEST_CHECKSUMS": "'CRC32C'",
        **more,
    }
    return f"BASE_BACKUP ({', '.join(f'{name} {value}' for name, value in options.items() if value)})".encode()
