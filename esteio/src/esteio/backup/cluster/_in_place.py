"""A cluster brought back in the place of a stopped server's, or of an embedded server's, which may run.

Promises: the cluster and its documents are complete and compared before either is put in place; the documents change
places just before the cluster does, and back when that fails or is interrupted. It is one rename, two where there is an
old directory, which is kept; when the second fails the first is taken back.

Of an embedded server, which may be kept up by a supervisor: what can't be reached or has no room is refused before the
service is closed. Then a new directory is made and looked at while the old server goes on; where the last moment is
restored, nobody writes to it meanwhile. Only then is it stopped, held back, and replaced by renaming. An error, an
interrupt or a kill at any moment leaves the old directory or the new one in place, whole, and whoever keeps the server up
starts it again at once. What a killed restore left behind is removed by the next.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from esteio.backup._details import DetailCode
from esteio.backup._errors import NotConfirmed, RestoreRefused
from esteio.backup._progress import Progress, silent
from esteio.backup._session import undisturbed
from esteio.backup.cluster._cluster import ClusterBackups
from esteio.backup.cluster._standstill import APPLICATION, caught_up, standstill
from esteio.backup.documents import Untouched
from esteio.backup.restore._clusters import system_of
from esteio.backup.restore._plan import Target
from esteio.backup.restore._recover import Recovered
from esteio.backup.restore._tablespaces import everything, relink, remove_mapped
from esteio.clock import SYSTEM, Clock
from esteio.postgres.embedded import Embedded, Hold, server_runs
from esteio.system import sync_directory

__all__ = [
    "recover_beside",
    "recover_in_place",
    "recover_server",
    "require_stopped",
    "rewrite_in_place",
    "swap",
    "swap_both",
]


def swap(new: Path, data_dir: Path, *, now: float) -> Path | None:
    """Put `new` in the place of `data_dir`, whose server is stopped; where the old one is now, None without one.

    RestoreRefused while a server runs on `data_dir`. The old directory keeps its name with `.before-` and the time.
    """
    data_dir = data_dir.resolve()
    require_stopped(data_dir)
    kept = None
    relink(new, data_dir)
    if data_dir.exists():
        kept = data_dir.with_name(f"{data_dir.name}.before-{datetime.fromtimestamp(now, UTC):%Y%m%d_%H%M%S}")
        data_dir.rename(kept)
        relink(kept, kept)  # else a server that is started on it would write into the tablespaces of the new one
    try:
        new.rename(data_dir)
    except OSError:
        if kept is not None:
            relink(kept, data_dir)
            kept.rename(data_dir)
        raise
    sync_directory(data_dir.parent)
    return kept


def require_stopped(data_dir: Path) -> None:
    """RestoreRefused while a server runs on `data_dir`."""
    if server_runs(data_dir.resolve()):
        raise RestoreRefused(str(data_dir), DetailCode.SERVER_RUNS(), DetailCode.STOP_SERVICE())


class _Made:
    """A directory that a restore makes, with the tablespaces of `mapping`; removed unless the block settles it."""

    def __init__(self, directory: Path, mapping: Mapping[str, Path] | None) -> None:
        self._directory = directory
        self._mapping = mapping or {}
        self._made: list[Path] = []
        self._whole = self._settled = False

    def __enter__(self) -> Self:
        self._made = [place for place in self._mapping.values() if not place.exists()]
        return self

    def keep(self, done: Recovered) -> Recovered:
        """From now on the tablespaces are ours: before, what is in them may be anybody's, and `recover` removes its own."""
        self._whole = True
        return done

    def settle(self) -> None:
        """Let it stay."""
        self._settled = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        # Once it has another name it is in place, and in use: an interrupt came too late.
        if not self._settled and self._whole and self._directory.exists():
            shutil.rmtree(self._directory, ignore_errors=True)
            remove_mapped(self._mapping, self._made)


def recover_beside(
    cluster: ClusterBackups,
    directory: Path,
    target: datetime | Target | None,
    documents: Untouched,
    progress: Progress,
    *,
    which: str | None = None,
    mapping: Mapping[str, Path] | None = None,
) -> Recovered:
    """Make the new data directory `directory` as of `target`, and bring `documents` where they are to lie.

    `which` is the system identifier of the cluster, where the stores hold several; `mapping` that of `recover`.
    """
    with documents, _Made(directory, mapping) as made:
        done = made.keep(cluster.recover(directory, target, progress, cluster=which, mapping=mapping))
        documents.fetch(progress)
        documents.swap()
        made.settle()
        documents.settle()
        return replace(done, documents=documents.returned)


def recover_in_place(
    cluster: ClusterBackups,
    data_dir: Path,
    target: datetime | Target | None,
    documents: Untouched,
    progress: Progress,
    *,
    which: str | None = None,
    mapping: Mapping[str, Path] | None = None,
    clock: Clock = SYSTEM,
) -> tuple[Recovered, Path | None]:
    """As `recover_beside`, in the place of `data_dir`, whose server is stopped; and where the old directory is now."""
    now = clock.time()
    new = data_dir.with_name(f"{data_dir.name}.restoring-{datetime.fromtimestamp(now, UTC):%Y%m%d_%H%M%S}")
    with documents, _Made(new, mapping) as made:
        done = made.keep(cluster.recover(new, target, progress, cluster=which, mapping=mapping))
        documents.fetch(progress)
        kept = swap_both(new, data_dir, documents, progress, now=now)
        made.settle()
    return replace(done, directory=data_dir, documents=documents.returned), kept


def rewrite_in_place(
    cluster: ClusterBackups,
    data_dir: Path,
    target: datetime | Target | None,
    documents: Untouched,
    progress: Progress,
    *,
    which: str | None = None,
) -> Recovered:
    """Rewrite what differs in `data_dir`, whose server is stopped. Nothing of before is kept.

    Meanwhile it has another name, `NAME.restoring-delta`, and no pg_control: where this is interrupted, no server starts on
    it, and the next attempt goes on. RestoreRefused before anything changed.
    """
    under_way = data_dir.with_name(f"{data_dir.name}.restoring-delta")
    if data_dir.exists() and under_way.exists():
        reason = DetailCode.DELTA_UNFINISHED(path=str(under_way))
        raise RestoreRefused(str(data_dir), reason, DetailCode.REMOVE_ONE_OF_THEM())
    require_stopped(under_way)
    cluster.require_rewritable(under_way if under_way.exists() else data_dir, target, cluster=which)
    with documents:
        documents.fetch(progress)
        if data_dir.exists():
            data_dir.rename(under_way)
            sync_directory(data_dir.parent)
        relink(under_way, under_way)
        done = cluster.recover(under_way, target, progress, cluster=which, delta=True)
        documents.swap()
        relink(under_way, data_dir)
        under_way.rename(data_dir)
        sync_directory(data_dir.parent)
        documents.settle()
    return replace(done, directory=data_dir, documents=documents.returned)


def swap_both(new: Path, data_dir: Path, documents: Untouched, progress: Progress, *, now: float) -> Path | None:
    """Put `new` in the place of `data_dir`, and `documents` in theirs; where the old directory is now.

    An error or an interrupt before `new` has taken its place leaves it to the block of `documents` to put those back.
    """
    documents.swap()
    progress("swap", 0, 0, "")
    kept: list[Path | None] = []
    try:
        undisturbed(lambda: kept.append(swap(new, data_dir, now=now)))
    finally:
        if kept:  # also when an interrupt came too late
            documents.settle()
    return kept[0]


_PATIENCE = 5.0  # seconds for what is under way when the service has become quiet
_POLL = 0.05
_REASON = "a restore puts another directory in its place"
# Who waits for a lock may wait for ours, until the server ends.
_AT_WORK = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_catalog.pg_backend_pid()
    AND wait_event_type IS DISTINCT FROM 'Lock' AND application_name <> %s
)"""


def recover_server(
    cluster: ClusterBackups,
    server: Embedded,
    confirm: Callable[[str], bool],
    target: datetime | Target | None = None,
    progress: Progress = silent,
    *,
    which: str | None = None,
    documents: Untouched | None = None,
    quiet: AbstractContextManager[object] | None = None,
    mapping: Mapping[str, Path] | None = None,
    clock: Clock = SYSTEM,
) -> tuple[Recovered, Path | None]:
    """Bring `server` to `target` (None: the last moment), within `quiet`; and where its old directory is now.

    `documents` take their place together with it; `which` is the system identifier of the cluster, where the stores hold
    several.

    `confirm` is asked with the name of the data directory when there is one: NotConfirmed. RestoreRefused before
    anything is written, or when the log turns out to end too early.
    """
    data_dir = server.locate()
    if data_dir.is_mount():
        raise RestoreRefused(str(data_dir), DetailCode.MOUNT_POINT(), DetailCode.USE_BELOW())
    with Hold(data_dir, _REASON, clock=clock):
        pass  # a replacement that was cut off is complete now: what it made is no leftover
    _require_reachable(cluster, server, data_dir, target, which, mapping, clock)
    if data_dir.exists() and not confirm(data_dir.name):
        raise NotConfirmed(data_dir.name)
    with quiet or nullcontext(), documents or Untouched() as beside:
        now = clock.time()
        _remove_leftovers(server, data_dir)
        new = data_dir.with_name(f"{data_dir.name}.restoring-{datetime.fromtimestamp(now, UTC):%Y%m%d_%H%M%S}")
        with _Made(new, mapping) as made, _nothing_lost(cluster, server, target, which, clock):
            done = made.keep(cluster.recover(new, target, progress, cluster=which, mapping=mapping))
            _hand_over(server, new)
            beside.fetch(progress)
            relink(new, data_dir)  # before the hold: whoever finds that left behind renames, and nothing else
            kept = _put_in_place(server, new, data_dir, beside, progress, now, clock)
            made.settle()
    return replace(done, directory=data_dir, documents=beside.returned), kept


def _require_reachable(
    cluster: ClusterBackups, server: Embedded, data_dir: Path, target: datetime | Target | None, which: str | None,
    mapping: Mapping[str, Path] | None, clock: Clock,
) -> None:  # fmt: skip
    def require() -> None:
        cluster.require_reachable(data_dir, target, major=server.binaries.major, cluster=which, mapping=mapping)

    moment = target.time if isinstance(target, Target) else target
    try:
        require()
    except RestoreRefused:
        # The archive may be seconds behind a server that still runs, and has written what is asked for.
        if moment is None or moment.tzinfo is None or moment.timestamp() > clock.time():
            raise
        system = system_of(cluster.reach(str(data_dir), None, which))
        if not caught_up(cluster, server, str(data_dir), system, clock):
            raise
        require()


def _nothing_lost(
    cluster: ClusterBackups, server: Embedded, target: datetime | Target | None, which: str | None, clock: Clock
) -> AbstractContextManager[None]:
    """Of a restore to the last moment: whoever names an earlier one wants to be without what came after it."""
    if target is not None and target != Target():
        return nullcontext()
    name = str(server.locate())
    return standstill(cluster, server, name, system_of(cluster.reach(name, target, which)), clock)


def _put_in_place(
    server: Embedded, new: Path, data_dir: Path, beside: Untouched, progress: Progress, now: float, clock: Clock
) -> Path | None:
    with Hold(data_dir, _REASON, clock=clock) as hold:
        try:
            progress("stop", 0, 0, "")
            _stop(server, data_dir, clock)
        except PermissionError as error:
            raise RestoreRefused(str(data_dir), DetailCode.OTHER_ACCOUNT(), DetailCode.RUN_AS_ACCOUNT()) from error
        hold.replacing(new)
        return swap_both(new, data_dir, beside, progress, now=now)


def _stop(server: Embedded, data_dir: Path, clock: Clock) -> None:
    """End the server that runs, if one does: broken or not, it needn't answer."""
    if not server.adopt():
        return
    with suppress(psycopg.Error), psycopg.connect(server.dsn().conninfo, autocommit=True, connect_timeout=2) as conn:
        deadline = clock.monotonic() + _PATIENCE
        while clock.monotonic() < deadline and conn.execute(_AT_WORK, [APPLICATION]).fetchone() == (True,):
            clock.sleep(_POLL)
    server.stop()
    if not server.adopt():  # cut off, it left its lock file behind
        (data_dir / "postmaster.pid").unlink(missing_ok=True)


def _hand_over(server: Embedded, directory: Path) -> None:
    """To the account its server runs under, which need not be the one that it was tried under."""
    if directory.stat().st_uid != server.account.uid:
        for path in everything(directory):
            server.account.own(path)


def _remove_leftovers(server: Embedded, data_dir: Path) -> None:
    """What a killed restore was making, and the server it looked at it with."""
    for path in data_dir.parent.glob(f"{data_dir.name}.restoring-*"):
        left = Embedded(path, major=server.binaries.major, binaries=server.binaries.directory)
        if left.adopt():
            left.stop(0.0)
        shutil.rmtree(path, ignore_errors=True)
    for path in data_dir.parent.glob(f".{data_dir.name}.restoring-*.hold"):
        with suppress(OSError):
            os.unlink(path)
