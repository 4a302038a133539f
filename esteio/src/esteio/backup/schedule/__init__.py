"""When backups are made: by ourselves, or by the system's own scheduler.

Promises: what was missed while nobody ran is made up for once; two never run at the same time; what failed is
tried again before its next moment; a clock that is set forth or back, and the hours of summer time, neither lose a run
nor start one again and again.
"""

from __future__ import annotations

from esteio.backup.schedule._cron import DAILY, EVERY_SIX_HOURS, Cron, Errand, Job, ScheduleError, Task
from esteio.backup.schedule._export import (
    InstallFailed,
    cron_line,
    install_cron,
    install_systemd,
    install_windows,
    systemd_units,
    windows_task,
)
from esteio.backup.schedule._scheduler import Scheduler, TaskBegun, TaskFailed, TaskFinished, TaskRefused

__all__ = [
    "DAILY",
    "EVERY_SIX_HOURS",
    "Cron",
    "Errand",
    "InstallFailed",
    "Job",
    "ScheduleError",
    "Scheduler",
    "Task",
    "TaskBegun",
    "TaskFailed",
    "TaskFinished",
    "TaskRefused",
    "cron_line",
    "install_cron",
    "install_systemd",
    "install_windows",
    "systemd_units",
    "windows_task",
]
