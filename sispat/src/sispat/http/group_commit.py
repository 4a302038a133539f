"""Writes of one kind that wait at the same time are committed together (group commit).

Promises: while one group is at the database, the requests that arrive form the next one; a group is one transaction, so
that its round trips, its wait for the counter row and its commit are paid once. Each request's session, permission and
Idempotency-Key are checked in that transaction, and its answer leaves after the COMMIT. What one request does never
becomes another's failure: whoever is refused, is repeated, or has sent what the database does not take, is told to go
alone, and does so in the ordinary way (`open_context`); when the transaction of a group fails, nothing of it is written
and each of its requests goes alone. Of a lost COMMIT nobody could look up, each is told that it is unknown.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from esteio.postgres import (
    CommitUnknown,
    DatabaseUnavailable,
    LockTimeout,
    OutOfResources,
    PoolExhausted,
    StatementTimeout,
    tagged,
)
from sispat.http import idempotency
from sispat.http.service import Service, service_of
from sispat.http.session import RequestContext, admitted, credentials_of, request_id_of, route_name
from sispat.kernel import sessions
from sispat.kernel.errors import SispatError
from sispat.kernel.numbering import NumberTurn
from sispat.kernel.permissions import Access

__all__ = ["GroupCommit", "Grouped", "group_of"]

_LARGEST = 64  # requests: a group holds the counter row, so the other processes wait for all of it
# What would happen again to each alone, after a second wait of the same length.
_OF_ALL = (CommitUnknown, DatabaseUnavailable, PoolExhausted, LockTimeout, OutOfResources, StatementTimeout)

_logger = logging.getLogger("sispat.http")

Grouped = Callable[[Sequence[tuple[RequestContext, Any]]], Awaitable[Sequence[Response | None]]]
"""Does what each request asks, all in one transaction, in the order of the arguments; None where it did nothing at all
for a request that has to go alone. What it raises undoes the whole group."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request that waits for its group; `answer` becomes None when it has to go alone."""

    request: Request
    data: Any
    key: str
    digest: bytes
    answer: asyncio.Future[Response | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, answer: Response | None) -> None:
        if not self.answer.done():  # its client's task may have been cancelled meanwhile
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            own = copy.copy(error)  # an exception raised in many tasks would gather the tracebacks of all
            own.__cause__ = error
            self.answer.set_exception(own)


class GroupCommit:
    """The groups of one route in this process; `do` is what its requests ask for."""

    def __init__(self, service: Service, do: Grouped) -> None:
        self._service = service
        self._do = do
        self._waiting: deque[_Waiting] = deque()
        self._working: asyncio.Task[None] | None = None

    async def answer(self, request: Request, data: Any, key: str, digest: bytes) -> Response | None:
        """The answer to a request, after the COMMIT; None: nothing was done for it, and it has to go alone."""
        self._service.require_open()
        waiting = _Waiting(request, data, key, digest)
        self._waiting.append(waiting)
        if self._working is None:
            # In a context of its own: a deadline of whoever happens to come first must not be everybody's.
            self._working = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())
        return await waiting.answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(_LARGEST, len(self._waiting)))]
                await self._settle([each for each in taken if not each.answer.done()])
        finally:
            self._working = None
            while self._waiting:  # only when this task is cancelled: the process ends
                self._waiting.popleft().answer.cancel()

    async def _settle(self, group: Sequence[_Waiting]) -> None:
        try:
            answers = await self._commit(group)
        except _OF_ALL as error:
            for each in group:
                each.fail(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is rolled back, and alone it becomes its own answer
            if not isinstance(error, psycopg.IntegrityError):
                _logger.warning("%d pedidos juntos falharam e seguem um a um: %r", len(group), error)
            for each in group:
                each.settle(None)
        except BaseException:
            for each in group:
                each.answer.cancel()
            raise
        else:
            for each in group:
                each.settle(answers.get(each))

    async def _commit(self, group: Sequence[_Waiting]) -> dict[_Waiting, Response | None]:
        """The answers, once they are committed, of those that need not go alone."""
        if not group:
            return {}
        self._service.require_room()
        turn = NumberTurn(self._service.number_queue)
        try:
            with tagged(route_name(group[0].request)):
                async with self._service.db.transaction() as conn:
                    asked = await self._asked(conn, group, turn)
                    if not asked:
                        return {}
                    answers = await self._do([(ctx, each.data) for each, ctx in asked.items()])
                    done = dict(zip(asked, answers, strict=True))
                    keyed = [(asked[each].actor, each.key, answer) for each, answer in done.items() if each.key]
                    await idempotency.store_all(conn, [(a, k, answer) for a, k, answer in keyed if answer is not None])
                    await idempotency.release(conn, [(actor, key) for actor, key, answer in keyed if answer is None])
        finally:
            turn.give_back()  # after the COMMIT, as in `open_context`
        return done

    async def _asked(
        self, conn: AsyncConnection[Any], group: Sequence[_Waiting], turn: NumberTurn
    ) -> dict[_Waiting, RequestContext]:
        """The requests that are let in, each with its own context, and were not done before under their key."""
        # In one order in every process: a session that is noted as seen is locked until the COMMIT.
        tokens = sorted({credentials_of(each.request.scope).token for each in group})
        found = {token: await sessions.access_of(conn, token, self._service.lifetime) for token in tokens}
        contexts = {
            each: RequestContext(conn, access, request_id_of(each.request), turn, each.request)
            for each in group
            if (access := _let_in(each.request, found)) is not None
        }
        first = _first_of_each_key(contexts)
        keyed = [(ctx.actor, each.key, each.digest) for each, ctx in first.items() if each.key]
        ours = await idempotency.claim(conn, keyed)
        return {each: ctx for each, ctx in first.items() if not each.key or (ctx.actor, each.key) in ours}


def group_of(request: Request, do: Grouped) -> GroupCommit:
    """What commits together the requests of this process that ask for `do`."""
    service = service_of(request)
    found = service.groups.get(do)
    if not isinstance(found, GroupCommit):
        found = service.groups[do] = GroupCommit(service, do)
    return found


def _let_in(request: Request, found: dict[str, Access | None]) -> Access | None:
    access = found[credentials_of(request.scope).token]
    if access is None:
        return None
    try:
        admitted(request, access)
    except SispatError:  # told again, and to the client, when it goes alone
        return None
    return access


def _first_of_each_key(contexts: dict[_Waiting, RequestContext]) -> dict[_Waiting, RequestContext]:
    """Without those who repeat a key of this very group: they find its answer once it is committed."""
    taken: set[Hashable] = set()
    first = {}
    for each, ctx in contexts.items():
        if each.key and (ctx.actor, each.key) in taken:
            continue
        taken.add((ctx.actor, each.key))
        first[each] = ctx
    return first
