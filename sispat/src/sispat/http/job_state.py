"""Whether jobs are being done, as health asks it."""

from __future__ import annotations

from esteio.health import Check
from esteio.postgres import Database
from sispat.kernel.jobs import queue

__all__ = ["jobs_waiting"]

_TOO_LONG = 120.0  # seconds; two imports of the greatest size end in that


def jobs_waiting(database: Database) -> Check:
    """Seconds for which a job could have been worked on by some machine, and was not; WARN above two minutes."""

    async def probe() -> float:
        async with database.connection(timeout=0.6) as conn:
            return await queue.overdue(conn)

    return Check("jobs:waiting", probe, unit="s", cache=5.0, warn_above=_TOO_LONG, essential=False)
