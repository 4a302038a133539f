"""What makes backups without anybody: the archive and the schedule in one process, until told to end.

Promises: none of them keeps another from running. A scheduled backup is a process of its own, the same command that a
person would give. Of several machines that ask the same database, one makes the backups and another takes over. How
everything is stands in a file that `backup status` reads. This is the one place that lists what an operator does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from esteio import events
from esteio.clock import SYSTEM
from esteio.errors import EsteioError
from esteio.events import Event

if TYPE_CHECKING:
    from esteio.alert import Outbox
    from esteio.backup import Backups, Problem
    from esteio.backup.agent import Deferred
    from esteio.backup.archive import WalArchive
    from esteio.backup.schedule import Errand, Task
    from esteio.cli._notify import Notices
    from esteio.serve import Service, ServiceRunner

__all__ = ["Operation", "operating"]

_FLOWS = 90.0  # seconds a base that is wanted waits for the archive, so that the log goes on where it ends
_STOP = 20.0
_logger = logging.getLogger("esteio.backup")


@dataclass(frozen=True, slots=True)
class Operation:
    """What is to be done: `tasks` by `command(kind)`, and the log received where `archive` says so.

    `alone`: no other machine makes backups of this database, so none has to be asked. `watched`: notices are told when
    the backups turn bad, or well again; False where the alerts of `esteio.alert.monitor` tell of it.
    """

    tasks: Sequence[Task]
    command: Callable[[str], Sequence[str]]
    archive: bool = True
    alone: bool = False
    watched: bool = True


@contextmanager
def operating(
    backups: Backups, operation: Operation, notices: Notices | None = None, said: Callable[[Problem], str] = str,
    languages: Mapping[str, Callable[[Problem], str]] | None = None,
) -> Iterator[ServiceRunner]:  # fmt: skip
    """What `operation` says, ready to `run()`; how it is can be read from `backups.agent_file` within the block.

    How each backup ended is told by the process that makes it; `notices` are told when the backups turn bad, or well
    again, as `said`, and what could not be delivered is delivered from here. The file has problems in the `languages` too, by
    their tags, for pages.
    """
    from esteio.backup.agent import LeaderLock, Reporter
    from esteio.serve import ServiceDied, ServiceFailed, ServiceRestarted, ServiceRunner

    try:
        backups.prepare()
    except EsteioError as error:  # said at once; what can be done without that store is done
        _logger.error("backups: %s", error)
    archive = _archive(backups) if operation.archive else None
    outbox = notices.outbox if notices else None
    with ExitStack() as stack:
        stack.callback(events.subscribe(_log))
        if notices is not None and outbox is not None:
            stack.callback(events.subscribe(_telling(notices, outbox)))
        mine: Callable[[], bool] = lambda: True  # noqa: E731 - replaced where there is somebody to ask
        if not operation.alone:
            mine = stack.enter_context(LeaderLock(backups.dsn, "backups")).held
        runner = ServiceRunner(_services(backups, operation, archive, outbox, said), stop_timeout=_STOP, may_run=mine)
        if (path := backups.agent_file) is not None:
            reporter = Reporter(path, backups, archive, _complaints(runner), active=mine, languages=languages)
            changes = (ServiceDied, ServiceFailed, ServiceRestarted)
            reporter.start()
            stack.callback(reporter.stop, _STOP)
            stack.callback(events.subscribe(lambda event: reporter.soon() if isinstance(event, changes) else None))
        yield runner


def _services(
    backups: Backups,
    operation: Operation,
    archive: Deferred[WalArchive] | None,
    outbox: Outbox | None,
    said: Callable[[Problem], str],
) -> list[Service]:
    """All that runs, in the order in which it starts; the outbox ends last, with what the others had to tell."""
    from esteio.backup.agent import ChildRun

    run = ChildRun(operation.command, backups.directory or Path("the stores"))
    wanted = _wanted(backups, operation, archive)
    schedule = backups.scheduler(operation.tasks, run, wanted=wanted, interrupt=run.interrupt)
    if archive is not None:
        archive.started = schedule.ask  # another history of the cluster may have begun while it was away
    services: tuple[Service | None, ...] = (
        outbox,
        archive,
        schedule,
        backups.watch(said=said) if outbox and operation.watched else None,
    )
    return [service for service in services if service is not None]


def _archive(backups: Backups) -> Deferred[WalArchive] | None:
    from esteio.backup.agent import Deferred

    if backups.directory is None:
        _logger.warning("the log is not archived: it is received into a directory, and no store is one; set BACKUP_DIR")
        return None
    return Deferred("wal archive", backups.archive)


def _wanted(
    backups: Backups, operation: Operation, archive: Deferred[WalArchive] | None
) -> Callable[[], Errand | None]:
    """What should be made at once: a base where bases are made, or needed to make use of the log; else a first dump."""
    from esteio.backup.schedule import Errand

    began = SYSTEM.monotonic()

    def wanted_base() -> Errand | None:
        if archive is not None and not archive.is_alive() and SYSTEM.monotonic() - began < _FLOWS:
            return None
        reason = backups.cluster.base_backup_due()
        return Errand("wanted-base", "base", reason) if reason else None

    def wanted_dump() -> Errand | None:
        if any(entry.complete for entry in backups.entries()):
            return None
        return Errand("wanted-dump", "dump", "there is no backup")

    if archive is not None or any(task.kind == "base" for task in operation.tasks):
        return wanted_base
    return wanted_dump if operation.tasks else lambda: None


def _telling(notices: Notices, outbox: Outbox) -> events.Hook:
    from esteio.alert import backup_notice

    def hook(event: Event) -> None:
        if (notice := backup_notice(event, notices.words)) is not None:
            outbox.put(notice)

    return hook


def _complaints(runner: ServiceRunner) -> Callable[[], Mapping[str, str]]:
    """What is wrong with each service; empty where nothing is."""

    def complaints() -> Mapping[str, str]:
        return {
            each.name: "" if each.up or not each.failures else each.error or f"it died {each.failures} times in a row"
            for each in runner.states()
        }

    return complaints


def _log(event: Event) -> None:
    """What no service logs by itself."""
    from esteio.backup.archive import WalGap, WalMended, WalNotShipped
    from esteio.backup.schedule import TaskBegun, TaskFinished

    if isinstance(event, WalGap | WalMended | WalNotShipped):
        _logger.warning("%s", event)
    elif isinstance(event, TaskBegun | TaskFinished):
        _logger.info("%s", event)
