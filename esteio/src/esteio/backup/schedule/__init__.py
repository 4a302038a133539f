"""When backups are made: by ourselves, or by the system's own scheduler.

Promises: what was missed while nobody ran is made up for once; two never run at the same time; a clock that is set
forth or back, and the hours of summer time, neither lose a run nor start one again and again.
"""

from __future__ import annotations

from esteio.backup.schedule._cron import Cron, ScheduleError
from esteio.backup.schedule._decision import DAILY, EVERY_SIX_HOURS, Decision, Task, decide
from esteio.backup.schedule._events import TaskFailed, TaskFinished
from esteio.backup.schedule._export import cron_line, systemd_units, windows_task
from esteio.backup.schedule._scheduler import Scheduler

__all__ = [
    "DAILY",
    "EVERY_SIX_HOURS",
    "Cron",
    "Decision",
    "ScheduleError",
    "Scheduler",
    "Task",
    "TaskFailed",
    "TaskFinished",
    "cron_line",
    "decide",
    "systemd_units",
    "windows_task",
]
