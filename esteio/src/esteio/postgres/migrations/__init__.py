"""Schema changes beside a running service: one migrator, no queue behind it, nothing big blocked unsaid."""

from __future__ import annotations

from esteio.extras import needs

with needs("postgres"):
    import psycopg  # noqa: F401 - whether it is there

from esteio.postgres.migrations._contract import Contraction, contractions
from esteio.postgres.migrations._errors import (
    MigrationBlocked,
    MigrationError,
    MigrationInProgress,
    MigrationTooLong,
    UnsafeMigration,
)
from esteio.postgres.migrations._guard import blocking
from esteio.postgres.migrations._patience import KEY
from esteio.postgres.migrations._plain import Migration, migrate
from esteio.postgres.migrations._rules import MigrationRules

__all__ = [
    "KEY",
    "Contraction",
    "Migration",
    "MigrationBlocked",
    "MigrationError",
    "MigrationInProgress",
    "MigrationRules",
    "MigrationTooLong",
    "UnsafeMigration",
    "blocking",
    "contractions",
    "migrate",
]
