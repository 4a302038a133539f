"""Schema changes, in order. Each one is SQL, a transaction of its own, and is never edited once released.

What has to be built beside those who write (`create index concurrently`) stands alone in a revision, in an
`autocommit_block`. The indexes of the revisions up to 0013 are built the blocking way: readers go on, writers wait, for
the seconds an index of a million assets takes.
"""

from __future__ import annotations

from esteio.postgres.migrations.alembic import execute as executar

__all__ = ["executar"]
