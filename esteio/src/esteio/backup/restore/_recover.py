"""A cluster brought back to a target: in a new directory, started, looked at, and only then put in place.

Promises: nothing that exists is touched. Versions, space, keys and the reachable window are checked before anything is
written. The files of a base, with its incrementals, are compared with PostgreSQL's own list of them: a difference is a
`VerificationFailed` that names the file. PostgreSQL itself says when WAL ends before the target; then the new directory is
removed and nothing has changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from esteio.backup._details import DetailCode
from esteio.backup._errors import RestoreRefused, VerificationFailed
from esteio.backup._files import BackupReader
from esteio.backup._manifest import Manifest, Part
from esteio.backup._progress import Progress, silent
from esteio.backup.archive._fetch import Key, place_log
from esteio.backup.base._pieces import ordered
from esteio.backup.base._take import FILES
from esteio.backup.documents import Returned
from esteio.backup.restore._clusters import system_of
from esteio.backup.restore._data_directory import Comparison, problems, unpack_tar
from esteio.backup.restore._delta import (
    invalidate,
    kept_files,
    needed_of_tablespace,
    needed_pieces,
    refuse_delta,
)
from esteio.backup.restore._plan import Plan
from esteio.backup.restore._replay import Look, replay
from esteio.backup.restore._tablespaces import (
    LINKS,
    Tablespace,
    link,
    linked,
    places,
    remove_mapped,
    sync_all,
    tablespaces,
)
from esteio.backup.store import Stores
from esteio.backup.tools import Toolbox
from esteio.clock import SYSTEM, Clock

__all__ = ["Recovered", "recover", "refuse_early"]

_SPARE = 1.1
_FIRST_LINKING = 18  # the major whose pg_combinebackup can


@dataclass(frozen=True, slots=True)
class Recovered:
    """A data directory that was started and looked at; `seconds` is all the time it took."""

    directory: Path
    plan: Plan
    seconds: float
    last_commit: datetime | None
    """When the last transaction in it was committed, where its log says so."""
    documents: Returned | None = None
    mapped: Mapping[str, Path] = field(default_factory=dict)
    """By where they were, the tablespaces that were put elsewhere."""


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
    delta: bool = False,
    mapping: Mapping[str, Path] | None = None,
    clock: Clock = SYSTEM,
) -> Recovered:
    """Make `directory` from `plan` and leave it stopped, ready to be swapped in.

    With `delta` it is there, and only what differs from the base is written; after an error it stays, and no server starts
    on it. Tablespaces go where `mapping` says, by where they were; the others into `directory` itself, or with `delta` where
    they are.

    With `durable`, all of it is on the disk when this returns; a verification need not wait for that, nor make the service
    wait for its disk. `look_at_files` is called with the directory before a server ever ran on it, `look_at_server`
    with the server when all is replayed. RestoreRefused before anything is written, or when the log turns out to end
    too early; BackupDamaged, VerificationFailed and whatever the stores raise on the way. In every such case
    `directory` is removed again.
    """
    began = clock.monotonic()
    mapping = dict(mapping or {})
    refuse_early(plan, directory, toolbox, delta=delta, mapping=mapping)
    made = [place for place in mapping.values() if not place.exists()]
    try:
        if delta:
            _Unpacking(plan.chain, stores, key, progress).rewrite(plan.base, directory)
        else:
            unpack_chain(plan.chain, directory, stores, toolbox, key, progress, durable=durable, mapping=mapping)
        if look_at_files is not None:
            look_at_files(directory)
        for name, text in plan.histories.items():
            (directory / "pg_wal" / name).write_text(text)
        place_log(plan.log, directory / "pg_wal", stores, key, progress, system=system_of(plan.base))
        progress("restore", 0, 0, "")
        last = replay(plan, directory, toolbox, start_timeout=start_timeout, look=look_at_server)
        if durable:
            sync_all(directory)
    except BaseException:
        if delta:
            invalidate(directory)
        else:
            shutil.rmtree(directory, ignore_errors=True)
            remove_mapped(mapping, made)
        raise
    return Recovered(directory, plan, clock.monotonic() - began, last, mapped=mapping)


def refuse_early(
    plan: Plan,
    directory: Path,
    toolbox: Toolbox,
    *,
    delta: bool = False,
    mapping: Mapping[str, Path] | None = None,
) -> None:
    """RestoreRefused when `plan` can't become `directory`: version, programs, name, room. Nothing is touched."""
    name = str(directory)
    if toolbox.major != plan.base.major:
        reason = DetailCode.PROGRAMS_DIFFER(backup=plan.base.major, programs=toolbox.major)
        raise RestoreRefused(name, reason, DetailCode.INSTALL_MAJOR(major=plan.base.major))
    if len(plan.chain) > 1:
        toolbox.version("pg_combinebackup")
    if delta:
        refuse_delta(directory, plan.chain)
        return
    if directory.exists():
        raise RestoreRefused(name, DetailCode.EXISTS(), DetailCode.NAME_NEW_DIRECTORY())
    mapping = mapping or {}
    places(plan.base, directory, mapping)
    elsewhere = sum(each.size for each in tablespaces(plan.base) if each.location in mapping)
    free, needed = shutil.disk_usage(directory.parent).free, int((plan.size - elsewhere) * _SPARE)
    if free < needed:
        reason = DetailCode.DISK_FULL(needed=needed >> 20, free=free >> 20)
        raise RestoreRefused(name, reason, DetailCode.MAKE_ROOM())


def unpack_chain(
    chain: Sequence[Manifest],
    directory: Path,
    stores: Stores,
    toolbox: Toolbox,
    key: Key,
    progress: Progress,
    *,
    durable: bool,
    mapping: Mapping[str, Path] | None = None,
) -> None:
    """Make `directory` from `chain`: a base, then each incremental in order. `durable`: it is to be on the disk soon.

    Only a base alone has tablespaces; `mapping` is that of `recover`.

    BackupDamaged, VerificationFailed, ToolFailed, and whatever the stores raise. What was written stays.
    """
    unpacking = _Unpacking(chain, stores, key, progress)
    if len(chain) == 1:
        unpacking.unpack(chain[0], directory, durable=durable, mapping=mapping)
        return
    pieces = directory.with_name(directory.name + ".parts")
    pieces.mkdir(mode=0o700)
    try:
        for backup in chain:
            unpacking.unpack(backup, pieces / backup.id, durable=False)
        # All of it is made durable after the replay.
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
        spaces = (part for backup in chain for each in tablespaces(backup) for part in each.parts)
        self._total = sum(part.size for backup in chain for part in (*ordered(backup), *spaces))

    def unpack(
        self, backup: Manifest, directory: Path, *, durable: bool, mapping: Mapping[str, Path] | None = None
    ) -> None:
        """Make `directory` from one."""
        folder = BackupReader(self._stores, backup, self._key)
        compared = Comparison(folder.text("files").encode())
        placed = places(backup, directory, mapping or {})
        unpack_tar(folder, ordered(backup), directory, compared, write_back=durable, tell=self._tell)
        for each in tablespaces(backup):
            self._unpack_tablespace(folder, each, each.parts, placed[each.oid], compared, write_back=durable)
        link(directory, placed)
        _require_none(compared.problems(), backup)

    def _unpack_tablespace(
        self,
        folder: BackupReader,
        which: Tablespace,
        parts: Sequence[Part],
        place: Path,
        compared: Comparison,
        *,
        write_back: bool,
        kept: Collection[str] = (),
    ) -> None:
        below = f"{LINKS}/{which.oid}/"
        unpack_tar(folder, parts, place, compared, write_back=write_back, kept=kept, below=below, tell=self._tell)

    def rewrite(self, backup: Manifest, directory: Path) -> None:
        """Make `directory`, which is there, as one was; what can't be opened is found out before anything changes."""
        folder = BackupReader(self._stores, backup, self._key)
        compared = Comparison(folder.text("files").encode())
        _require_none([] if compared.listed() else compared.problems(), backup)
        invalidate(directory)
        there, spaces = linked(directory), tablespaces(backup)
        placed = {oid: there.get(oid, place) for oid, place in places(backup, directory, {}).items()}
        for oid in there.keys() - placed.keys():  # of a tablespace made after the base: it stays where it is, unused
            (directory / LINKS / oid).unlink()
        kept = kept_files(directory, compared, self._progress, placed, backup.major)
        parts, folders = needed_pieces(folder, kept)
        needed = {each.oid: needed_of_tablespace(folder, each.oid, each.parts, kept) for each in spaces}
        self._total = sum(part.size for some in (parts, *(some for some, _ in needed.values())) for part in some)
        _make(directory, folders)
        unpack_tar(folder, parts, directory, compared, write_back=True, kept=kept or ("",), tell=self._tell)
        for each in spaces:
            some, folders = needed[each.oid]
            _make(placed[each.oid], folders)
            self._unpack_tablespace(folder, each, some, placed[each.oid], compared, write_back=True, kept=kept)
        link(directory, placed)
        _require_none(compared.problems(), backup)

    def _tell(self, size: int) -> None:
        self._done += size
        self._progress("unpack", self._done, self._total, "bytes")


def _make(directory: Path, folders: Sequence[str]) -> None:
    for name in folders:
        (directory / name).mkdir(mode=0o700, parents=True, exist_ok=True)


def _require_none(problems: list[str], backup: Manifest) -> None:
    if problems:
        raise VerificationFailed(backup.id, tuple(problems))
