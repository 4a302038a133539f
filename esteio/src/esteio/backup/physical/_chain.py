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
from esteio.backup.physical._log import Key
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
    if len(chain) == 1:
        progress("unpack", 0, 1, "backups")
        _unpack_one(chain[0], directory, stores, key, durable=durable)
        return
    pieces = directory.with_name(directory.name + ".parts")
    pieces.mkdir(mode=0o700)
    try:
        for number, backup in enumerate(chain):
            progress("unpack", number, len(chain), "backups")
            _unpack_one(backup, pieces / backup.id, stores, key, durable=False)
        # The server synchronises all of a restored directory before it replays anything.
        given = ["--no-sync", "--manifest-checksums=SHA256", f"--output={directory}"]
        given += ["--link"] if toolbox.major >= _FIRST_LINKING else []
        toolbox.run("pg_combinebackup", [*given, *(str(pieces / backup.id) for backup in chain)])
    finally:
        shutil.rmtree(pieces, ignore_errors=True)
    _require_none(problems(directory, (directory / FILES).read_bytes()), chain[-1])


def _unpack_one(backup: Manifest, directory: Path, stores: Stores, key: Key, *, durable: bool) -> None:
    folder = Folder(stores, backup, key)
    compared = Comparison(folder.text("files").encode())
    unpack_tar(folder, backup.part("base"), directory, compared, write_back=durable)
    _require_none(compared.problems(), backup)


def _require_none(problems: list[str], backup: Manifest) -> None:
    if problems:
        raise VerificationFailed(backup.id, tuple(problems))
