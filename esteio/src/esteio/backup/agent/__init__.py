"""What keeps backups being made without anybody: beside the scheduler and the archive, in a process of its own.

`ChildRun` makes a scheduled backup in a process of its own, `Reporter` writes how everything is where others can read it
(`read_state`), `LeaderLock` lets one of several machines
make them, `Deferred` is a service that is made when it starts.
"""

from __future__ import annotations

from esteio.backup._lock import LeaderLock, leading
from esteio.backup.agent._reporter import AgentState, Reporter, read_state
from esteio.backup.agent._services import ChildRun, Deferred, ScheduledRunFailed

__all__ = [
    "AgentState",
    "ChildRun",
    "Deferred",
    "LeaderLock",
    "Reporter",
    "ScheduledRunFailed",
    "leading",
    "read_state",
]
