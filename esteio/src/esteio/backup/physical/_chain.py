"""A base backup with its incrementals back into one data directory.

Promises: what comes out was compared with PostgreSQL's own list of its files; a difference is a `VerificationFailed` that
names the file.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from esteio.backup._errors import VerificationFailed
from esteio.backup._folder import Folder
from esteio.backup._manifest import Manifest
from esteio.backup._progress import Progress
from esteio.backup.physical._base import FILES
from esteio.backup.physical._files import Comparison, problems
from esteio.backup.physical._place import Key
from esteio.backup.physical._unpacking import unpack_tar
from esteio.backup.store import Stores
from esteio.backup.tools import Toolbox

__all__ = ["unpack_chain"]

_FIRST_LINKING = 18  # the major whose pg_combinebackup can


def unpack_chain(
    chain: Sequence[Manifest],
    directory: Path,
    stores: Stores,
    toolbox: Toolbox,
    key: Key,
    progress: Progress,
    *,
    durable: bool,
) -> None:
    """Make `directory` from `chain`: a base, then each incremental in order. `durable`: it is to be on the disk soon.

    BackupDamaged, VerificationFailed, ToolFailed, and whatever the stores raise. What was written stays.
    """
    unpacking = _Unpacking(chain, stores, key, progress)
    if len(chain) == 1:
        unpacking.unpack(chain[0], directory, durable=durable)
        return
    pieces = directory.with_name(directory.name + ".parts")
    pieces.mkdir(mode=0o700)
    try:
        for backup in chain:
            unpacking.unpack(backup, pieces / backup.id, durable=False)
        # The server synchronises all of a restored directory before it replays anything.
        given = ["--no-sync", "--manifest-checksums=CRC32C", f"--output={directory}"]
        given += ["--link"] if toolbox.major >= _FIRST_LINKING else []
        toolbox.run("pg_combinebackup", [*given, *(str(pieces / backup.id) for backup in chain)])
    finally:
        shutil.rmtree(pieces, ignore_errors=True)
    _require_none(problems(directory, (directory / FILES).read_bytes()), chain[-1])


class _Unpacking:
    """Of all backups in a chain, one after another; tells how much of all of them is done."""

    def __init__(self, chain: Sequence[Manifest], stores: Stores, key: Key, progress: Progress) -> None:
        self._stores = stores
        self._key = key
        self._progress = progress
        self._done = 0
        self._total = sum(backup.part("base").size for backup in chain)

    def unpack(self, backup: Manifest, directory: Path, *, durable: bool) -> None:
        """Make `directory` from one."""
        folder = Folder(self._stores, backup, self._key)
        compared = Comparison(folder.text("files").encode())
        unpack_tar(folder, backup.part("base"), directory, compared, write_back=durable, tell=self._tell)
        _require_none(compared.problems(), backup)

    def _tell(self, size: int) -> None:
        self._done += size
        self._progress("unpack", self._done, self._total, "bytes")


def _require_none(problems: list[str], backup: Manifest) -> None:
    if problems:
        raise VerificationFailed(backup.id, tuple(problems))
