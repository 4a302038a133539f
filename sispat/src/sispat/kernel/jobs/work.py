"""What a kind of job is, and how one is done.

Promises: all that a job writes on `ctx.conn`, and that it is done, is one transaction: a process killed at any moment has
done it or has done nothing. Its work is done with the rights that whoever asked for it has at that time, in their
language. It says how far it is on a connection of its own, so that others see it before the commit.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any
from uuid import UUID

from esteio import EsteioError
from esteio.postgres import CommitUnknown, Database, DiskRoom, OutOfResources, is_retryable
from sispat.kernel.audit import SYSTEM
from sispat.kernel.context import Context
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import SOURCE, _, is_language, language, using
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.queue import Claim
from sispat.kernel.permissions import Access, Papel
from sispat.kernel.sessions import access_of_user

__all__ = [
    "Ending", "Job", "JobCancelled", "JobContext", "JobLost", "Running", "ask_for", "no_room", "perform", "spoken_to",
    "too_much_memory",
]  # fmt: skip

_EVERY = 0.5  # seconds between two writes of progress
_DISK_FULL = "53100"  # SQLSTATE
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_logger = logging.getLogger("sispat.tarefas")


class JobCancelled(Exception):
    """Somebody cancelled the job: its work ends here, and nothing of it remains."""


class JobLost(Exception):
    """Another process has the job: this one was not seen for too long."""


class Requester(SispatError):
    """Whoever asked for the job may no longer enter."""

    code = "pessoa-desativada"

    def __init__(self) -> None:
        super().__init__(_("Quem pediu a tarefa não tem mais acesso ao sistema. Nada foi feito."))


class Running:
    """A job under way, as its work sees it."""

    def __init__(self, db: Database, taken: Claim, room: DiskRoom | None = None) -> None:
        self.db, self.taken, self._room = db, taken, room
        self._written = float("-inf")

    async def progress(self, step: str, done: int = 0, total: int | None = None) -> None:
        """Say that `done` of `total` of the step is done; call it often, also to learn that the job was cancelled.

        Raises `JobCancelled`, `JobLost`, and `DiskNearlyFull` before it takes from our own server what that needs to live;
        the work lets them pass.
        """
        now = time.monotonic()
        if now - self._written < _EVERY and done != total:
            return
        self._written = now
        if self._room is not None:
            self._room.require()
        async with self.db.connection() as conn:
            told = await queue.progress(conn, self.taken, step, done, total)
        if told.cancelled:
            raise JobCancelled
        if not told.held:
            raise JobLost


@dataclass(frozen=True, slots=True)
class JobContext(Context):
    """What the work of a job is given: the transaction, whoever asked, and the job."""

    job: Running = None  # type: ignore[assignment]  # always given; it follows fields that have defaults


Work = Callable[[JobContext, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of job. `work` gets what was asked for, and returns what its page needs to tell; both are JSON.

    `steps` are the labels of what it says as progress. `path` is where its result can be looked at, made from what was
    asked for and, once it is done, from what it returned. It is tried `attempts` times where the database went away or its
    process died, and ends after `limit` seconds.
    """

    name: str
    label: str
    work: Work
    steps: Mapping[str, str]
    path: Callable[[Mapping[str, Any]], str] = lambda _: ""
    attempts: int = 5
    limit: int = 900
    unattended: bool = False
    """Whether the service itself may ask for it, by a schedule: it has all rights then, and is nobody in the audit."""


_SERVICE = Access(UUID(int=0), SYSTEM, "", Papel.ADMINISTRADOR)


async def ask_for(ctx: Context, job: Job, arguments: Mapping[str, Any]) -> UUID:
    """Put a job into the queue, in the transaction of `ctx`; its id. Whoever calls has asked for the permission."""
    return await queue.put(
        ctx.conn, job.name, arguments, ctx.author, language(), attempts=job.attempts, limit=job.limit
    )


def spoken_to(taken: Claim) -> AbstractContextManager[None]:
    """A block in which texts are in the language of whoever asked for the job."""
    return using(taken.language if is_language(taken.language) else SOURCE)


class Ending(IntEnum):
    """The exit codes of a job's process; the numbers are those of sysexits(3) where it has one."""

    ENDED = 0
    """What became of it is written in its row."""
    UNKNOWN_KIND = 69
    """This release does not know such jobs."""
    NO_ROOM = 74
    """A disk is full: of the server, or that of temporary files."""
    AGAIN = 75
    """The database went away, or another transaction was in the way."""


async def perform(db: Database, jobs: Mapping[str, Job], id_: UUID, turn: int, room: DiskRoom | None = None) -> Ending:
    """Do the job that was taken for the `turn`-th time; `room` is that of our own server's disk."""
    try:
        async with db.connection() as conn:
            taken = await queue.claimed(conn, id_, turn)
        if taken is None:
            return Ending.ENDED
        if taken.kind not in jobs:
            return Ending.UNKNOWN_KIND
        with spoken_to(taken):
            await _attempt(db, jobs[taken.kind], taken, room)
    except CommitUnknown:
        return Ending.AGAIN  # its row says what became of it: `settle` changes only what is not done
    except EsteioError as error:
        _logger.warning("tarefa %s: %s", id_, error)
        full = isinstance(error, OutOfResources) and error.sqlstate == _DISK_FULL
        return Ending.NO_ROOM if full else Ending.AGAIN
    except OSError as error:
        _logger.warning("tarefa %s: %s", id_, error)
        return Ending.NO_ROOM
    return Ending.ENDED


async def _attempt(db: Database, job: Job, taken: Claim, room: DiskRoom | None) -> None:
    try:
        await _do(db, job, taken, room)
    except (JobCancelled, JobLost):
        pass  # whoever looks after the process writes the one; the other is somebody else's
    except SispatError as error:
        await _failed(db, taken, error.code, error.message)
    except MemoryError:
        await _failed(db, taken, "memoria", too_much_memory())
    except Exception as error:
        if isinstance(error, EsteioError) or is_retryable(error) or getattr(error, "errno", None) in _NO_ROOM:
            raise
        _logger.exception("tarefa %s (%s) falhou", taken.id, taken.kind)
        await _failed(
            db, taken, "interno",
            _("Um erro inesperado interrompeu a tarefa; nada foi gravado. O registro do sistema diz mais."),
        )  # fmt: skip


def too_much_memory() -> str:
    """What a person reads about a job that needed more memory than it may."""
    return _("A tarefa precisou de mais memória do que pode usar (SISPAT_JOB_MEMORY); nada foi gravado.")


def no_room() -> str:
    """What a person reads about a job for which a disk had no room."""
    return _(
        "O disco do servidor está cheio: do banco, ou dos arquivos temporários. Nada foi gravado. Avise quem cuida do "
        "servidor; depois, peça a tarefa de novo."
    )


async def _do(db: Database, job: Job, taken: Claim, room: DiskRoom | None) -> None:
    running = Running(db, taken, room)
    async with db.transaction() as conn:
        by_schedule = taken.person is None and job.unattended
        access = _SERVICE if by_schedule else await access_of_user(conn, taken.person)
        if access is None:
            raise Requester
        ctx = JobContext(conn, replace(access, key_id=taken.key_id), taken.request_id, job=running)
        result = await job.work(ctx, taken.arguments)
        if not await queue.held(conn, taken):  # cancelled or lost while it worked: nothing of it remains
            raise JobLost
        await queue.finish(conn, taken, result)


async def _failed(db: Database, taken: Claim, code: str, message: str) -> None:
    async with db.connection() as conn:
        await queue.fail(conn, taken, code, message)
