"""Looks after jobs that are due: each is done by a process of its own, started, watched and ended from here.

Promises: a process that dies, hangs past the job's limit, or uses too much memory ends itself and nothing else; the job is
tried again, later each time, or failed with a reason in words. While the database is away nothing is taken, and what ended
meanwhile is written down when it is back. Told to stop, the processes under way are ended, and their jobs go back into the
queue as if they had not been taken.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from psycopg import AsyncConnection

from esteio import EsteioError
from esteio.policy import Exponential
from esteio.postgres import Database
from sispat.kernel.i18n import _
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.queue import Claim, Estado, Heartbeat, Settled
from sispat.kernel.jobs.work import Ending, no_room, spoken_to, too_much_memory

__all__ = ["Child", "JobRunner", "settled"]

_logger = logging.getLogger("sispat.tarefas")

_POLL = 1.0  # seconds between two looks for a job that is due; one statement by an index of what is open
_HEARTBEAT = 2.0  # seconds; a seventh of the lease
_GRACE = 5.0  # seconds that a process has to end by itself
_UNKNOWN_WAIT = 10.0  # seconds until a machine with another release may know the kind
_RETRIES = Exponential(initial=2.0, cap=300.0)
_DATABASE_AWAY = Exponential(initial=0.5, cap=5.0)

_R = TypeVar("_R")


class Child(Protocol):
    """A job's process."""

    @property
    def returncode(self) -> int | None:
        """As `subprocess` has it: negative is a signal."""
        ...

    async def wait(self) -> int:
        """Until it has ended; its exit code."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


Launch = Callable[[Claim], Awaitable[Child]]


def settled(
    taken: Claim, code: int, *, late: bool = False, stopped: bool = False, retries: Exponential = _RETRIES
) -> Settled:
    """What becomes of a job whose process ended with `code`, if its row does not say. Pure.

    `late`: it was ended because its time was over; `stopped`: because we end. `retries` are the waits between attempts.
    """
    if late:
        text = _("A tarefa passou de %(limit)s s e foi interrompida; nada foi gravado.", limit=taken.limit)
        return Settled(Estado.FALHOU, failed=True, code="tempo", message=text)
    if stopped:
        return Settled(Estado.PENDENTE)
    if code == Ending.UNKNOWN_KIND:
        return Settled(Estado.PENDENTE, wait=_UNKNOWN_WAIT)
    if code == -signal.SIGABRT:  # what native code does that gets no memory
        return Settled(Estado.FALHOU, failed=True, code="memoria", message=too_much_memory())
    if code == Ending.NO_ROOM:  # tried again at once, it would fill the disk again
        return Settled(Estado.FALHOU, failed=True, code="disco-cheio", message=no_room())
    if taken.failures + 1 < taken.attempts:
        return Settled(Estado.PENDENTE, wait=retries.step(taken.failures), failed=True)
    text = _(
        "A tarefa foi interrompida %(times)s vezes, porque o banco ou o processo dela caiu; nada foi gravado. "
        "Peça-a de novo.",
        times=taken.attempts,
    )
    return Settled(Estado.FALHOU, failed=True, code="interrompida", message=text)


class JobRunner:
    """Does at most `at_once` jobs at a time; `name` is what the table calls this machine."""

    def __init__(
        self, db: Database, launch: Launch, *, name: str, at_once: int = 2, retries: Exponential = _RETRIES
    ) -> None:
        self._db, self._launch, self._name = db, launch, name
        self._at_once, self._retries = at_once, retries
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        async with asyncio.TaskGroup() as lanes:
            for _lane in range(self._at_once):
                lanes.create_task(self._work(stop))

    async def _work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            taken = await self._ask(lambda conn: queue.claim(conn, self._name))
            if taken is None:
                await _pause(stop, _POLL * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            elif taken.failures >= taken.attempts:  # its process was not seen any more, for the last time
                await self._settle(taken, 1, stop)
            else:
                await self._attend(taken, stop)

    async def _attend(self, taken: Claim, stop: asyncio.Event) -> None:
        """Start a process for the job, watch it to its end, and write down what became of it."""
        try:
            child = await self._launch(taken)
        except OSError:
            _logger.exception("o processo da tarefa %s não iniciou", taken.id)
            await self._settle(taken, 1, stop)
            return
        late = False
        try:
            late = await self._watch(child, taken, stop)
        finally:
            if child.returncode is None:  # whatever ended the watch: no process goes on without one
                child.kill()
                await child.wait()
        code = child.returncode or 0
        if code not in (Ending.ENDED, Ending.AGAIN):
            _logger.warning("o processo da tarefa %s (%s) terminou com %s", taken.id, taken.kind, code)
        await self._settle(taken, code, stop, late=late)

    async def _watch(self, child: Child, taken: Claim, stop: asyncio.Event) -> bool:
        """Until the process has ended; whether it was ended because its time was over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + taken.limit
        ended, stopped = asyncio.ensure_future(child.wait()), asyncio.ensure_future(stop.wait())
        try:
            while not ended.done():
                await asyncio.wait([ended, stopped], timeout=_HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    break
                late = loop.time() >= until
                if late or stopped.done() or await self._is_unwanted(taken):
                    await _end(child)
                    return late
        finally:
            stopped.cancel()
            with suppress(asyncio.CancelledError):
                await stopped
        return False

    async def _is_unwanted(self, taken: Claim) -> bool:
        told: Heartbeat | None = await self._ask(lambda conn: queue.heartbeat(conn, taken))
        return told is not None and (told.cancelled or not told.held)

    async def _settle(self, taken: Claim, code: int, stop: asyncio.Event, *, late: bool = False) -> None:
        """Write down what becomes of it, however long the database is away; told to stop, the lease does it."""
        with spoken_to(taken):
            what = settled(taken, code, late=late, stopped=stop.is_set(), retries=self._retries)
        for attempt in range(1_000_000):
            try:
                async with self._db.connection() as conn:
                    await queue.settle(conn, taken, what)
                return
            except EsteioError:
                if stop.is_set():
                    return
            await _pause(stop, _DATABASE_AWAY.step(attempt))

    async def _ask(self, question: Callable[[AsyncConnection[object]], Awaitable[_R]]) -> _R | None:
        """What the database answers; None while it is away, which is logged once."""
        try:
            async with self._db.connection() as conn:
                answer = await question(conn)
        except EsteioError as error:
            if not self._away:
                _logger.warning("tarefas esperam pelo banco: %s", error)
            self._away = True
            return None
        if self._away:
            _logger.info("o banco voltou: tarefas seguem")
        self._away = False
        return answer


async def _end(child: Child) -> None:
    """Ask it to end; after a while, end it."""
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(_GRACE):
            await child.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
