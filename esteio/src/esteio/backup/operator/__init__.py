"""What keeps backups being made without anybody: beside the scheduler and the archive, in a process of its own.

`ChildRun` makes a scheduled backup in a process of its own, `Reporter` writes how everything is where others can read it
(`read_state`), `LeaderLock` lets one of several machines
make them, `Deferred` is a service that is made when it starts.
"""

from __future__ import annotations

from esteio.backup.operator._child import ChildRun, ScheduledRunFailed
from esteio.backup.operator._deferred import Deferred
from esteio.backup.operator._leader import LeaderLock, leading
from esteio.backup.operator._reporter import Reporter
from esteio.backup.operator._state import OperatorState, read_state

__all__ = [
    "ChildRun",
    "Deferred",
    "LeaderLock",
    "OperatorState",
    "Reporter",
    "ScheduledRunFailed",
    "leading",
    "read_state",
]
