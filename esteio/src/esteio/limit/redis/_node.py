"""The client of one server: its connection, what happens without one, and the way back.

Promises: while the connection is open, Redis decides; from its first failure on decisions are made here at once, and
nobody waits for the connection. One task tries to come back, when the circuit breaker lets it. Before it is open again
Redis knows what it may have lost, the instances that shared the limits have had their time to come back too, and all
that was let pass meanwhile has been charged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from random import random
from typing import Any, TypeVar

from esteio import events
from esteio.limit._decision import Decision
from esteio.limit._events import LimitsDegraded, LimitsRestored
from esteio.limit.redis._batch import Batches
from esteio.limit.redis._connection import Connection, answered, check_primary
from esteio.limit.redis._errors import RedisFailure, classify
from esteio.limit.redis._local import Epoch, PendingCharge
from esteio.limit.redis._membership import Membership, heartbeat, leave
from esteio.limit.redis._script import Unit, answers, call
from esteio.limit.redis._shared import NodeSnapshot, Shared, Tuning, decide_locally, run_forever
from esteio.policy import CircuitBreaker, CircuitOpen, Exponential, Pipeline

__all__ = ["NodeClient"]

T = TypeVar("T")

_logger = logging.getLogger("esteio.limit")
_CARRIED = 256  # charges or restorations of one call
_STEADY = 1.0  # seconds after which a connection is held for good
_ANSWER_TIMEOUT = 1.0  # seconds for one answer when nobody waits for it


class NodeClient:
    """Decides by one server, reached by `connect`; `owns` says which state keys are its.

    `on_moved` takes units that belong to another node; `verify` raises RedisFailure when this is not the right server
    any more, whatever it believes itself.
    """

    def __init__(
        self,
        label: str,
        connect: Callable[[], Awaitable[Connection]],
        shared: Shared,
        tuning: Tuning,
        *,
        owns: Callable[[str], bool],
        presence_key: Callable[[], str],
        on_moved: Callable[[list[Unit]], None] | None = None,
        verify: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._label = label
        self._connect = connect
        self._shared = shared
        self._tuning = tuning
        self._owns = owns
        self._presence_key = presence_key
        self._on_moved = on_moved
        self._verify = verify
        self._loop = asyncio.get_running_loop()
        self._batches = Batches(
            shared.memory,
            shared.now_us,
            self._on_lost,
            self._moved,
            self._late,
            most=tuning.batch,
            wait=tuning.wait,
            declared=shared.declared,
        )
        self._circuit = Pipeline(
            f"limits {label}",
            CircuitBreaker(
                failures=2,
                successes=1,
                open_for=tuning.retry_after,
                open_growth=2.0,
                open_max=tuning.retry_max,
                jitter=0.5,
                probe_lease=60.0,
            ),
            registry=None,
        ).circuit
        self._pauses = Exponential(tuning.retry_after, 2.0, tuning.retry_max)
        self._membership = Membership(tuning.instances, tuning.ttl)
        self._joining = True  # callers may wait for the connection, since none has failed yet
        self._down = asyncio.Event()
        self._run_id = ""
        self._failure = RedisFailure("gone", "not connected yet")
        self._away_since: float | None = None
        self._epoch = Epoch()
        self._carried = self._flaps = 0
        self._outages = self._local_decisions = 0
        self._reconnect_task = self._loop.create_task(
            run_forever(
                f"limits of {shared.name}: the connection to {label}", self._connect_and_serve, tuning.retry_after
            ),
            name=f"limits {label}: reconnect",
        )

    # -- deciding

    @property
    def open(self) -> bool:
        """Whether Redis decides."""
        return self._batches.connection is not None

    def submit(self, unit: Unit) -> asyncio.Future[list[Decision]] | list[Decision]:
        """Decide a unit: at once here, or a future when Redis is asked."""
        if self._batches.connection is None and not self._joining:
            return self._decide_locally(unit, self._failure.reason)
        if len(self._batches) >= self._tuning.waiting:
            return self._decide_locally(unit, "busy")
        if unit.future is None:
            unit.future = self._loop.create_future()
        self._batches.add(unit)
        return unit.future

    def resubmit(self, unit: Unit) -> None:
        """Decide a unit that another client could not, and whose caller waits."""
        answer = self.submit(unit)
        if isinstance(answer, list):
            unit.settle(answer)

    def _late(self, unit: Unit) -> None:
        """Decide here a unit that waited too long behind others, while the server answers."""
        if unit.waits():
            unit.settle(self._decide_locally(unit, "busy"))

    def _decide_locally(self, unit: Unit, reason: str) -> list[Decision]:
        self._local_decisions += 1
        return decide_locally(unit, self._shared, reason, self._membership.count, self._epoch)

    # -- losing

    def _on_lost(self, error: RedisFailure) -> None:
        """Give up the connection, and decide here what waits for an answer."""
        # First: what is decided below must not be sent over it, and abort() calls back here.
        connection, self._batches.connection = self._batches.connection, None
        units = self._batches.drain()
        if connection is None and error.reason == "slow":
            error = RedisFailure("gone", "not connected yet")
        if units:
            self._mark_down(error)
            for unit in units:
                unit.settle(self._decide_locally(unit, error.reason))
        elif connection is not None:
            self._joining = True  # nobody saw it: whoever comes now may wait for the next connection
        if connection is not None:
            connection.abort()
        self._down.set()

    def _moved(self, units: list[Unit]) -> None:
        """Some of their keys are not at this node; each may try another one, once."""
        again = []
        for unit in units:
            if unit.moved or self._on_moved is None:
                unit.settle(self._decide_locally(unit, "moved"))
            else:
                unit.moved = True
                again.append(unit)
        if again and self._on_moved is not None:
            self._on_moved(again)

    def _mark_down(self, error: RedisFailure) -> None:
        """Decide here from now on, until a connection is open again."""
        self._joining = False
        self._failure = error
        for unit in self._batches.drain():
            unit.settle(self._decide_locally(unit, error.reason))
        if self._away_since is None:
            self._away_since = self._loop.time()
            self._outages += 1
            _logger.warning("limits of %s: %s is %s; on_failure decides", self._shared.name, self._label, error)
            events.emit(LimitsDegraded(self._shared.name, error.reason))

    # -- coming back

    async def _connect_and_serve(self) -> None:
        """Connect, when the circuit breaker lets it, and serve until the connection is lost."""
        try:
            permit = self._circuit.permit()
        except CircuitOpen as refusal:
            await asyncio.sleep((refusal.retry_after or self._tuning.retry_after) + 0.001)
            return
        try:
            connection = await self._connect_and_sync()
        except Exception as error:  # noqa: BLE001 - whatever it is, attempts go on
            permit.failure(error)
            self._mark_down(classify(error))
            await asyncio.sleep(0.02 * random())  # noqa: S311 - jitter
            return
        except BaseException:  # cancelled by close(): says nothing of the server
            permit.ignore()
            raise
        permit.success()
        opened = self._loop.time()
        try:
            await self._serve(connection)
        finally:
            connection.on_lost = None
            connection.abort()
        if self._away_since is not None:
            self._circuit.permit().failure(self._failure)
            await asyncio.sleep(self._backoff_delay(self._loop.time() - opened))

    def _backoff_delay(self, lasted: float) -> float:
        """Seconds until the next attempt: none to speak of, but ever more after connections that did not last."""
        self._flaps = self._flaps + 1 if lasted < _STEADY else 0
        pause = self._pauses.step(self._flaps - 2) if self._flaps > 1 else 0.02
        return pause * (0.5 + random())  # noqa: S311 - jitter

    async def _connect_and_sync(self) -> Connection:
        """A connection over which Redis decides from now on."""
        connection = await self._connect()
        try:
            run_id = await check_primary(connection, _ANSWER_TIMEOUT)
            await answered(connection.ask("PING"), self._tuning.wait)
            # Another run of the server, or another server: it may have lost what the one before knew.
            if not run_id or run_id != self._run_id:
                await self._restore(connection)
            await self._await_members(connection)
            await self._flush_charges(connection)
        except BaseException:
            connection.abort()
            raise
        self._run_id = run_id
        self._open(connection)
        return connection

    async def _restore(self, connection: Connection) -> None:
        """Tell a server that may have lost it what it said last."""
        shared = self._shared
        for some in _chunks(shared.memory.restorations(self._owns, shared.now_us)):
            await self._send_units(connection, some)

    async def _await_members(self, connection: Connection) -> None:
        """Wait for the others, so that what they let pass is known before anybody is asked."""
        end = self._loop.time() + self._tuning.ttl
        while True:
            seen = await self._heartbeat(connection)
            if seen >= self._membership.count or self._loop.time() >= end:
                return
            await asyncio.sleep(self._tuning.ttl / 20 * (0.5 + random()))  # noqa: S311 - jitter

    async def _flush_charges(self, connection: Connection) -> None:
        """Charge what was let pass here until now."""
        for some in _chunks(self._shared.local.charges(self._owns)):
            try:
                await self._send_units(connection, self._charge_units(some))
            except BaseException:  # cancelled while on its way, too: whether it was charged is unknown, so it is owed
                self._take_back(some)
                raise
            self._carried += sum(charge.cost for charge in some)

    def _open(self, connection: Connection) -> None:
        """Redis decides; what was let pass while the rest was charged goes first over the same connection."""
        for some in _chunks(self._shared.local.charges(self._owns)):
            self._carried += sum(charge.cost for charge in some)
            connection.send(self._call(self._charge_units(some)), partial(self._charges_answered, some))
        # No await from here to the flush: a decision between the two would be made here, after Redis was told all.
        self._joining = False
        self._down.clear()
        connection.on_lost = lambda error: self._on_lost(classify(error))
        self._batches.connection = connection
        self._batches.flush()
        if self._away_since is not None:
            away, self._away_since = self._loop.time() - self._away_since, None
            carried, self._carried = self._carried, 0
            _logger.warning("limits of %s: %s is back after %.2f s", self._shared.name, self._label, away)
            events.emit(LimitsRestored(self._shared.name, away, carried))

    async def _serve(self, connection: Connection) -> None:
        """Send heartbeats until the connection is lost."""
        if connection.error is not None:
            self._on_lost(classify(connection.error))
        while True:
            await self._sweep()
            pause = self._tuning.ttl / 3 * (0.75 + 0.25 * random())  # noqa: S311 - jitter
            try:
                async with asyncio.timeout(pause):
                    await self._down.wait()
                return
            except TimeoutError:
                pass
            try:
                if self._verify is not None:
                    await self._verify()
                await self._heartbeat(connection)
                await self._flush_charges(connection)
            except Exception as error:  # noqa: BLE001 - also what a reply that makes no sense leads to
                if self._batches.connection is connection:
                    self._on_lost(classify(error))
                return

    async def _sweep(self) -> None:
        """A new epoch, since Redis knows everything; the keys of the old one go, a few at a time."""
        old, self._epoch = self._epoch, Epoch()
        for _ in self._shared.local.sweep(old):
            await asyncio.sleep(0)

    # -- telling Redis

    async def _heartbeat(self, connection: Connection) -> int:
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            answer = await connection.ask_packed(heartbeat(self._presence_key(), self._shared.me, self._tuning.ttl))
        return self._membership.heard(answer, self._loop.time())

    def _charge_units(self, charges: Sequence[PendingCharge]) -> list[Unit]:
        now = self._shared.now_us()
        return [unit for charge in charges for unit in charge.units(now)]

    def _call(self, units: Sequence[Unit]) -> bytes:
        return call(units, declared=self._shared.declared, source=True)

    async def _send_units(self, connection: Connection, units: Sequence[Unit]) -> None:
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            answer = await connection.ask_packed(self._call(units))
        self._remember(units, answer)

    def _remember(self, units: Sequence[Unit], answer: bytes) -> None:
        now, known = self._shared.now_us(), self._shared.memory.young
        for unit, row in zip(units, answers(answer), strict=True):
            known[unit.names[0]] = (unit.hits[0][1], row[1], row[2], now)

    def _charges_answered(self, charges: Sequence[PendingCharge], answer: Any) -> None:
        try:
            self._remember(self._charge_units(charges), answer)
        except (TypeError, ValueError):  # an error, or no answer of the script
            self._take_back(charges)

    def _take_back(self, charges: Iterable[PendingCharge]) -> None:
        now = self._shared.now_us()
        for charge in charges:
            self._shared.local.take_back(charge, now, self._epoch)

    # -- ending

    async def close(self) -> None:
        """Leave the members, end the connection, and decide here what still waits."""
        try:
            await self._leave()
        finally:  # also when who closes is cancelled
            self._reconnect_task.cancel()
            self._batches.connection = None
            self._joining, self._failure = False, RedisFailure("closed")
            for unit in self._batches.drain():
                unit.settle(self._decide_locally(unit, self._failure.reason))
        await asyncio.gather(self._reconnect_task, return_exceptions=True)

    async def _leave(self) -> None:
        """Charge what was let pass here, and be counted no longer."""
        connection = self._batches.connection
        if connection is None:
            return
        connection.on_lost = None
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                await self._flush_charges(connection)
                await connection.ask_packed(leave(self._presence_key(), self._shared.me))
        except Exception as error:  # noqa: BLE001 - it is missed after `ttl` seconds, too
            _logger.info("limits of %s: %s was left without a word to it: %s", self._shared.name, self._label, error)

    def snapshot(self) -> NodeSnapshot:
        """The numbers of this moment."""
        return NodeSnapshot(
            label=self._label,
            open=self.open,
            reason="" if self.open or self._joining else self._failure.reason,
            away=0.0 if self._away_since is None else self._loop.time() - self._away_since,
            instances=self._membership.count,
            waiting=len(self._batches),
            batches=self._batches.batches,
            units=self._batches.units,
            local=self._local_decisions,
            outages=self._outages,
            circuit=str(self._circuit.state),
        )


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, _CARRIED)):
        yield some
