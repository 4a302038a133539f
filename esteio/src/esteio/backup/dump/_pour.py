"""The archives of a dump poured into an empty database.

Promises: the schema, then the rows of all archives at the same time, then indexes, constraints and triggers, several
at the same time. Of the content nothing is written to this machine's disk but the schema, which only this account can
read and which is removed again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from esteio.backup._folder import Folder
from esteio.backup._manifest import Part
from esteio.backup._progress import Progress
from esteio.backup.dump._archives import DATA, SCHEMA, WHOLE
from esteio.backup.dump._together import Counting, Halt, together
from esteio.backup.tools import Toolbox
from esteio.postgres import Dsn

__all__ = ["pour"]


def pour(target: Dsn, folder: Folder, toolbox: Toolbox, progress: Progress, jobs: int) -> None:
    """Restore the archives in `folder` into the database `target`, `jobs` things at the same time.

    ToolFailed, BackupDamaged, or ManifestError when there are none.
    """
    manifest = folder.manifest
    arguments = ["--exit-on-error", "--no-password", f"--dbname={_conninfo(target)}"]
    if all(part.role != SCHEMA for part in manifest.parts):
        _stream(target, folder, toolbox, arguments, progress, [manifest.part(WHOLE)], 1)
        return
    with _unpacked(folder, manifest.part(SCHEMA)) as schema:
        toolbox.run("pg_restore", [*arguments, "--section=pre-data", schema], dsn=target)
        data = [part for part in manifest.parts if part.role == DATA]
        _stream(target, folder, toolbox, arguments, progress, data, jobs)
        progress("indexes", 0, 0, "")
        toolbox.run("pg_restore", [*arguments, "--section=post-data", f"--jobs={jobs}", schema], dsn=target)


def _stream(
    target: Dsn,
    folder: Folder,
    toolbox: Toolbox,
    arguments: Sequence[str],
    progress: Progress,
    parts: Sequence[Part],
    jobs: int,
) -> None:
    told = Counting(progress, "restore", sum(part.size for part in parts))

    def one(part: Part, halt: Halt) -> None:
        with toolbox.start("pg_restore", arguments, dsn=target, stdin=True) as running, halt.ends(running.end):

            class Counted:
                def write(self, data: bytes, /) -> int:
                    told.more(len(data))
                    return running.write(data)

            folder.read(part, Counted())
            running.finish()

    largest_first = sorted(parts, key=lambda part: -part.size)
    together([partial(one, part) for part in largest_first], jobs)


@contextmanager
def _unpacked(folder: Folder, part: Part) -> Iterator[str]:
    """A file that can be read from any place, as pg_restore wants it for several jobs."""
    with tempfile.TemporaryDirectory(prefix="esteio-restore-") as directory:
        path = Path(directory) / SCHEMA
        with path.open("xb") as file:
            folder.read(part, file)
        yield str(path)


def _conninfo(target: Dsn) -> str:
    """The database's name alone, as pg_restore reads it; the rest goes by the environment."""
    name = (target.database or "").replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{name}'"
