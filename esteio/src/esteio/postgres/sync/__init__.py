"""The database for threads: the same decisions as `Database`, waited for by blocking."""

from __future__ import annotations

from esteio.extras import needs

with needs("postgres"):
    import psycopg  # noqa: F401 - whether it is there

from esteio.postgres.sync._connection import SyncConnection
from esteio.postgres.sync._database import SyncDatabase

__all__ = ["SyncConnection", "SyncDatabase"]
