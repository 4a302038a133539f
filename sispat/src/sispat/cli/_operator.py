"""`sispat operator`: makes the backups, watches the health and tells of what is wrong, beside the workers.

`sispat serve` keeps it running.

Promises: what is done and how is Esteio's (`esteio.cli.operating`); here is what the settings make of it. It starts no
database. With DATABASE_URL there may be other machines on it: one of them makes the backups.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from esteio.clock import SYSTEM
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.settings import Settings, load_settings

if TYPE_CHECKING:
    from contextlib import ExitStack

    from esteio.alert.monitor import BackupRecord
    from esteio.cli import Notices, Operation
    from esteio.postgres import Dsn
    from esteio.serve import Program

__all__ = ["REPLICATION", "NoService", "operation", "operator", "operator_service"]

REPLICATION = "BACKUP_DATABASE_URL"
_AT_TWO = "0 2 * * *"


class NoService(SispatError):
    """No service runs on the data directory."""

    code = "sem-servico"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(
            _(
                "Nenhum `sispat serve` usa a pasta de dados %(directory)s; ele inicia o operador sozinho. "
                "Inicie-o, ou defina DATABASE_URL.",
                directory=directory,
            )
        )


def operator() -> None:
    """Make the backups and measure the health until ended; `sispat serve` starts it by itself."""
    from contextlib import ExitStack

    from esteio.cli import operating
    from esteio.serve import ServiceRunner
    from sispat.cli._backup_words import COMMAND_WORDS, words_in
    from sispat.cli._backups import open_backups
    from sispat.cli._database import database_of_service, terminable
    from sispat.cli._notices import backup_notices
    from sispat.kernel import logs
    from sispat.kernel.i18n import LANGUAGES

    settings = load_settings()
    logs.configure(settings.log_level, settings.log_format)
    dsn = database_of_service(settings)
    if dsn is None:
        raise NoService(settings.data_dir)
    notices = backup_notices(settings)
    with terminable(), ExitStack() as stack:
        if settings.enable_health_monitor:
            # Threads beside the backups: these wait for the leader of several machines, each of which is watched.
            _watch(stack, settings, dsn, notices)
        if settings.backup:
            plan, words = operation(settings), COMMAND_WORDS.problem
            languages = {str(tag): words_in(tag).problem for tag in LANGUAGES}
            agent = stack.enter_context(operating(open_backups(settings, dsn), plan, notices, words, languages))
        else:
            agent = ServiceRunner(())
        agent.run()


def _watch(stack: ExitStack, settings: Settings, dsn: Dsn, notices: Notices) -> None:
    """Watch this machine, and tell, for as long as `stack` lasts."""
    from esteio.alert import Outbox
    from esteio.alert.journal import note_events
    from esteio.health import Measurements
    from esteio.serve import noted_deaths
    from sispat.operacao.alerts import alert_monitor
    from sispat.operacao.monitor import health_monitor, journal_of

    # An outbox of its own beside that of the backups, on the same files: those deliver only on the machine that leads.
    outbox = None if notices.outbox is None else Outbox(notices.outbox.directory, notices.outbox.channels)
    if outbox is not None:
        outbox.start()
        stack.callback(outbox.stop, 5.0)
    stack.callback(note_events(journal_of(settings)))
    measurements = stack.enter_context(Measurements.of_environment())
    stack.enter_context(noted_deaths(measurements.board.died))
    health = stack.enter_context(health_monitor(settings, dsn, measurements))
    stack.enter_context(
        alert_monitor(
            settings, health, outbox, notices.words, lambda: _problems(settings), lambda: _recent_backups(settings)
        )
    )


def _problems(settings: Settings) -> tuple[tuple[str, str], ...] | None:
    """What is wrong with the backups, by code, in the language of notices; None where nobody knows."""
    from esteio.backup.agent import read_state
    from sispat.cli._backup_words import words_in
    from sispat.http.backup_state import operator_state_file

    state = read_state(operator_state_file(settings))
    if state is None:
        return None
    if not state.active:  # another machine makes them, and tells
        return ()
    say = words_in(settings.lang).problem
    return tuple((each.code.name, say(each)) for each in (*state.found, *state.problems(SYSTEM.time())))


def _recent_backups(settings: Settings) -> list[BackupRecord]:
    """What is known of the backups of the last two months; nothing where another machine makes them."""
    from esteio.alert.monitor import BackupRecord
    from esteio.backup.agent import read_state
    from sispat.http.backup_state import operator_state_file

    state = read_state(operator_state_file(settings))
    return [BackupRecord(**each) for each in state.recent] if state is not None else []


def operator_service(settings: Settings) -> Program:
    """The command as a service of the supervisor."""
    from esteio.serve import Program

    # It finds our own database as any command does; an address would hide that the database is ours.
    environment = dict(os.environ)
    if settings.backup_database_url is not None:  # which the other processes do not get
        environment[REPLICATION] = settings.backup_database_url.url
    if settings.database_url is None:
        for name in ("DATABASE_URL", "SISPAT_DATABASE_APP_URL"):
            environment.pop(name, None)
    return Program("operator", [sys.executable, "-m", "sispat", "operator"], env=environment)


def operation(settings: Settings) -> Operation:
    """What the settings want done."""
    from esteio.cli import Operation, run_command, scheduled

    embedded = settings.database_url is None
    replicates = embedded or settings.backup_database_url is not None
    base = settings.backup_base if settings.backup_base != "auto" else _AT_TWO if replicates else "não"
    times = (base, settings.backup_dump, settings.backup_incremental)
    base, dump, incremental = ("" if time == "não" else time for time in times)
    return Operation(
        scheduled(base, dump, settings.timezone, incremental),
        run_command,
        archive=settings.backup_archive == "sim" or (settings.backup_archive == "auto" and replicates),
        alone=embedded,
        watched=not settings.enable_health_monitor,  # else the alerts tell of what lasts
    )
