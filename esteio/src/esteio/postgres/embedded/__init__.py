"""PostgreSQL as a part of the service: made, started, adopted and stopped by it, on a private socket."""

from __future__ import annotations

from esteio.extras import needs

with needs("embedded"):
    import psycopg  # noqa: F401 - whether it is there

from esteio.postgres.embedded._binaries import Binaries, find_binaries
from esteio.postgres.embedded._data_dir import has_cluster
from esteio.postgres.embedded._errors import (
    AccountError,
    BinariesMissing,
    DataDirectoryError,
    DataDirectoryHeld,
    DataDirectoryVanished,
    EmbeddedError,
    MajorMismatch,
    NotStarted,
    SocketDirectoryError,
    StartFailed,
)
from esteio.postgres.embedded._hold import Hold
from esteio.postgres.embedded._process import server_runs
from esteio.postgres.embedded._server import Embedded

__all__ = [
    "AccountError",
    "Binaries",
    "BinariesMissing",
    "DataDirectoryError",
    "DataDirectoryHeld",
    "DataDirectoryVanished",
    "Embedded",
    "EmbeddedError",
    "Hold",
    "MajorMismatch",
    "NotStarted",
    "SocketDirectoryError",
    "StartFailed",
    "find_binaries",
    "has_cluster",
    "server_runs",
]
