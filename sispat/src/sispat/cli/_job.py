"""`sispat job ID TURN`: does one job that `sispat jobs` has taken, in a process of its own; not for people.

Promises: what it loads is the kind of job and the database, and neither the service nor the other commands, because whoever
asked for the job waits for it. Ends as `kernel.jobs.work.Ending` says, or as any command where it did not get so far.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from uuid import UUID

from esteio.postgres import Database
from sispat.cli._failures import report_failures
from sispat.http.database import NoDatabase, address_and_role, room_of, session_settings
from sispat.kernel import logs
from sispat.kernel.jobs.work import Job, perform
from sispat.settings import Settings, load_settings

__all__ = ["JOBS", "database", "run"]

_STATEMENT = 120_000  # milliseconds that a statement of a job may take: nobody waits for it at a screen
_LOCK_WAIT = 10_000
_IDLE = 120_000  # that its transaction may wait for what is no statement: the pages of a report of 100,000 lines put together
_PLACES = {
    "dados_abertos.publicar": "sispat.dados_abertos.actions:PUBLICAR",
    "depreciacao.fechar_mes": "sispat.depreciacao.actions:FECHAR_MES",
    "importacao.conferir": "sispat.importacao.work:CONFERIR",
    "importacao.desfazer": "sispat.importacao.work:DESFAZER",
    "importacao.gravar": "sispat.importacao.work:GRAVAR",
    "relatorios.fazer_pdf": "sispat.relatorios.files:FAZER_PDF",
}


class _Jobs(Mapping[str, Job]):
    """The kinds of jobs that there are, each loaded when it is asked for. The same as `Site.jobs` (a test compares them)."""

    def __getitem__(self, kind: str) -> Job:
        module, _, name = _PLACES[kind].partition(":")
        job: Job = getattr(import_module(module), name)
        return job

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


JOBS = _Jobs()


def run() -> None:
    """Do the job of `sys.argv` and exit."""
    if len(sys.argv) != 4:
        sys.exit(2)
    with report_failures():
        sys.exit(_do(UUID(sys.argv[2]), int(sys.argv[3])))


def _do(id_: UUID, turn: int) -> int:
    settings = load_settings()
    _limit_memory(settings.job_memory)
    logs.configure(settings.log_level, settings.log_format)

    async def done() -> int:
        async with database(settings, "sispat tarefa", connections=3) as db:
            return await perform(db, JOBS, id_, turn, room_of(settings, db.dsn))

    return asyncio.run(done())


def _limit_memory(most: int) -> None:
    """What is more fails here, as MemoryError, before the machine has none left for others."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def database(settings: Settings, name: str, *, connections: int) -> Database:
    """The pool of a process of jobs."""
    address, role = address_and_role(settings)
    if address is None:
        raise NoDatabase
    return Database(
        address.with_(connection_limit=connections, statement_timeout=_STATEMENT),
        name="tarefas",
        application_name=name,
        min_size=1,
        settings=session_settings(
            address, **role, lock_timeout=str(_LOCK_WAIT), idle_in_transaction_session_timeout=str(_IDLE)
        ),
        leak_after=None,  # a job is one transaction, however long
        slow_warn=None,
        slow_alert=None,
    )
