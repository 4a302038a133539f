"""Which server a session is on, in which life of it: asked once for each connection.

Promises: a server that does not answer these questions, or a proxy in front of it, costs nothing but certainty
about lost commits. `ORIGIN` and the reading of its answer are pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from esteio.postgres._outcome import Incarnation, Start
from esteio.postgres._replication import parse_lsn

__all__ = ["ORIGIN", "read_origin"]

# A checkpoint that begins where its redo begins was made while nobody wrote: by a shutdown, or at the end of recovery.
ORIGIN = """SELECT
    pg_backend_pid()::text,
    (SELECT system_identifier FROM pg_control_system())::text,
    CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END,
    pg_postmaster_start_time()::text,
    coalesce(pg_stat_get_bgwriter_stat_reset_time()::text, ''),
    checkpoint_lsn::text,
    redo_lsn::text,
    next_xid
FROM pg_control_checkpoint()"""


def read_origin(row: Sequence[Any]) -> tuple[int, Incarnation | None, Start | None]:
    """From the row of `ORIGIN`: the backend's process id, the server's life (None for a standby), its start if known."""
    pid, system, timeline, postmaster, reset, checkpoint, redo, next_xid = row
    if timeline is None:
        return int(pid), None, None
    life = Incarnation(int(system), int(timeline, 16), postmaster, reset)
    epoch, _, xid = next_xid.partition(":")
    start = Start(parse_lsn(checkpoint), int(epoch) << 32 | int(xid)) if checkpoint == redo else None
    return int(pid), life, start
