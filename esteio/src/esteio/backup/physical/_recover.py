"""A cluster brought back to a moment: in a new directory, started, looked at, and only then put in place.

Promises: nothing that exists is touched. Versions, space, keys and the reachable window are checked before anything is
written. PostgreSQL itself says when the log ends before the moment; then the new directory is removed and nothing has
changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from esteio.backup._errors import RestoreRefused
from esteio.backup._progress import Progress, silent
from esteio.backup.documents import Returned
from esteio.backup.physical._chain import unpack_chain
from esteio.backup.physical._clusters import system_of
from esteio.backup.physical._place import Key, place_log
from esteio.backup.physical._plan import Plan
from esteio.backup.physical._replay import Look, replay
from esteio.backup.store import Stores
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, Clock

__all__ = ["Recovered", "recover", "refuse_early"]

_SPARE = 1.1


@dataclass(frozen=True, slots=True)
class Recovered:
    """A data directory that was started and looked at; `seconds` is all the time it took."""

    directory: Path
    plan: Plan
    seconds: float
    last_commit: datetime | None
    """When the last transaction in it was committed, where its log says so."""
    documents: Returned | None = None


def recover(
    plan: Plan,
    directory: Path,
    stores: Stores,
    toolbox: Toolbox,
    key: Key,
    *,
    durable: bool = True,
    look_at_files: Callable[[Path], None] | None = None,
    look_at_server: Look | None = None,
    progress: Progress = silent,
    start_timeout: float = 3600.0,
    clock: Clock = SYSTEM,
) -> Recovered:
    """Make `directory` from `plan` and leave it stopped, ready to be swapped in.

    With `durable`, all of it is on the disk when this returns; a trial need not wait for that, nor make the service
    wait for its disk. `look_at_files` is called with the directory before a server ever ran on it, `look_at_server`
    with the server when all is replayed. RestoreRefused before anything is written, or when the log turns out to end
    too early; BackupDamaged, VerificationFailed and whatever the stores raise on the way. In every such case
    `directory` is removed again.
    """
    began = clock.monotonic()
    refuse_early(plan, directory, toolbox)
    try:
        unpack_chain(plan.chain, directory, stores, toolbox, key, progress, durable=durable)
        if look_at_files is not None:
            look_at_files(directory)
        for name, text in plan.histories.items():
            (directory / "pg_wal" / name).write_text(text)
        place_log(plan.log, directory / "pg_wal", stores, key, progress, system=system_of(plan.base))
        progress("restore", 0, 0, "")
        last = replay(plan, directory, toolbox, start_timeout=start_timeout, durable=durable, look=look_at_server)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return Recovered(directory, plan, clock.monotonic() - began, last)


def refuse_early(plan: Plan, directory: Path, toolbox: Toolbox) -> None:
    """RestoreRefused when `plan` can't become `directory`: version, programs, name, room. Nothing is touched."""
    name = str(directory)
    if toolbox.major != plan.base.major:
        reason = f"the backup is of PostgreSQL {plan.base.major}, the programs are of {toolbox.major}"
        raise RestoreRefused(name, reason, f"install PostgreSQL {plan.base.major}; a dump can change the major")
    if len(plan.chain) > 1:
        toolbox.version("pg_combinebackup")
    if directory.exists():
        raise RestoreRefused(name, "it exists", "name a new directory")
    free, needed = shutil.disk_usage(directory.parent).free, int(plan.size * _SPARE)
    if free < needed:
        raise RestoreRefused(name, f"{needed >> 20} MiB are needed, {free >> 20} are free", "make room")
