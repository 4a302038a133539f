"""A cluster and its documents, brought back together or not at all.

Promises: both are complete and compared before either is put in place; the documents change places just before the
cluster does, and back when that fails or is interrupted. Neither is left half-made.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from esteio.backup._progress import Progress
from esteio.backup._session import undisturbed
from esteio.backup.documents import Untouched
from esteio.backup.physical._cluster import ClusterBackups
from esteio.backup.physical._recover import Recovered
from esteio.backup.physical._swap import swap
from esteio.backup.physical._target import Target
from esteio.clock import SYSTEM, Clock

__all__ = ["recover_beside", "recover_in_place", "swap_together"]


def recover_beside(
    cluster: ClusterBackups,
    directory: Path,
    target: datetime | Target | None,
    documents: Untouched,
    progress: Progress,
    *,
    which: str | None = None,
) -> Recovered:
    """Make the new data directory `directory` as of `target`, and bring `documents` where they are to lie.

    `which` is the system identifier of the cluster, where the stores hold several.
    """
    with documents:
        done = cluster.recover(directory, target, progress, cluster=which)
        try:
            documents.fetch(progress)
            documents.swap()
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
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
    clock: Clock = SYSTEM,
) -> tuple[Recovered, Path | None]:
    """As `recover_beside`, in the place of `data_dir`, whose server is stopped; and where the old directory is now."""
    now = clock.time()
    new = data_dir.with_name(f"{data_dir.name}.restoring-{datetime.fromtimestamp(now, UTC):%Y%m%d_%H%M%S}")
    with documents:
        try:
            done = cluster.recover(new, target, progress, cluster=which)
            documents.fetch(progress)
            kept = swap_together(new, data_dir, documents, progress, now=now)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    return replace(done, directory=data_dir, documents=documents.returned), kept


def swap_together(new: Path, data_dir: Path, documents: Untouched, progress: Progress, *, now: float) -> Path | None:
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
