"""A restored data directory put in the place of the old one.

Promises: one rename, two where there is an old directory, which is kept; when the second fails the first is taken back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from esteio.backup._errors import RestoreRefused
from esteio.postgres.embedded import server_runs
from esteio.system import sync_directory

__all__ = ["require_stopped", "swap"]


def swap(new: Path, data_dir: Path, *, now: float) -> Path | None:
    """Put `new` in the place of `data_dir`, whose server is stopped; where the old one is now, None without one.

    RestoreRefused while a server runs on `data_dir`. The old directory keeps its name with `.before-` and the time.
    """
    data_dir = data_dir.resolve()
    require_stopped(data_dir)
    kept = None
    if data_dir.exists():
        kept = data_dir.with_name(f"{data_dir.name}.before-{datetime.fromtimestamp(now, UTC):%Y%m%d_%H%M%S}")
        data_dir.rename(kept)
    try:
        new.rename(data_dir)
    except OSError:
        if kept is not None:
            kept.rename(data_dir)
        raise
    sync_directory(data_dir.parent)
    return kept


def require_stopped(data_dir: Path) -> None:
    """RestoreRefused while a server runs on `data_dir`."""
    if server_runs(data_dir.resolve()):
        raise RestoreRefused(str(data_dir), "a server runs on it", "stop the service first")
