"""When backups are made: by ourselves, or by the system's own scheduler.

Promises: what was missed while nobody ran is made up for once; two never run at the same time; what failed is
tried again before its next moment; a clock that is set forth or back, and the hours of summer time, neither lose a run
nor start one again and again.
"""

from __future__ import annotations

from esteio.backup.schedule._cron import Cron, ScheduleError
from esteio.backup.schedule._decision import DAILY, EVERY_SIX_HOURS, Errand, Job, Task
from esteio.backup.schedule._events import TaskBegun, TaskFailed, TaskFinished, TaskRefused
from esteio.backup.schedule._export import cron_line, systemd_units, windows_task
from esteio.backup.schedule._install import InstallFailed, install_cron, install_systemd, install_windows
from esteio.backup.schedule._scheduler import Scheduler

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
