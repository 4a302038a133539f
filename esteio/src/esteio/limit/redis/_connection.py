"""A connection of redis-py on which several commands are on their way at once.

Promises: commands go out at once, answers come back in the same order, and every receiver is called exactly once - with
the answer, or with the error that ended the connection. An answer nobody asked for ends it, since then no answer can
be trusted. What `connected` returns is authenticated and on the right database; what `check_primary` accepts takes
writes and knows the script. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio.connection import AbstractConnection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import Connection as TcpConnection
from redis.exceptions import ResponseError

from esteio.limit.redis._address import Address, Node
from esteio.limit.redis._errors import RedisFailure, classify
from esteio.limit.redis._script import SOURCE, packed

__all__ = ["TICKS", "Connection", "Credentials", "Receiver", "answered", "check_primary", "connected"]

Receiver = Callable[[Any], None]
"""Takes an answer, or an exception: an error answer (`redis.exceptions.ResponseError`) or why the connection ended."""

TICKS = 8  # looks at the clock in the time an answer may take; what one is late is time for which the loop did not run
_logger = logging.getLogger("esteio.limit")


class _Unwaited(AbstractConnection):
    """What redis-py's connections lack: to send without waiting, and to end without waiting."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # no CLIENT SETINFO: it is a round trip of its own, and callers wait for this connection
        self.driver_info = None
        self.lib_name = self.lib_version = None  # what redis-py 6 and 7 call it

    def write(self, payload: bytes) -> None:
        """Send what is packed already. The caller bounds what is on its way, so nothing waits for the buffer."""
        assert self._writer is not None  # it is only taken away by abort()
        self._writer.write(payload)

    def abort(self) -> None:
        """End the connection without sending what is buffered: a server that reads nothing would never let it end."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


class _Tcp(_Unwaited, TcpConnection):
    pass


class _Tls(_Unwaited, SSLConnection):
    pass


class _Unix(_Unwaited, UnixDomainSocketConnection):
    pass


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to be let in; `tls` makes a context for a connection, so that certificates that were replaced count for the next."""

    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    tls: Callable[[], ssl.SSLContext | None] = lambda: None

    @classmethod
    def of(cls, address: Address, tls: ssl.SSLContext | None) -> Credentials:
        """What `address` says about being let in; `tls` takes the place of what it says about files."""
        files = bool(address.authority or address.certificate)
        once = tls if tls or files else address.context()  # whom the system believes is many files, and changes rarely
        return cls(address.username, address.password, address.database, (lambda: once) if once else address.context)

    def settings(self, timeout: float) -> dict[str, Any]:
        """Keyword arguments of redis-py; `timeout` in seconds for the connection, since we time answers ourselves."""
        return {
            "username": self.username or None,
            "password": self.password or None,
            "db": self.database,
            "protocol": 2,
            "socket_timeout": None,
            "socket_connect_timeout": timeout,
        }


def _unconnected(node: Node, credentials: Credentials, timeout: float) -> _Unwaited:
    host, port = node
    settings = credentials.settings(timeout)
    if not port:
        return _Unix(path=host, **settings)
    context = credentials.tls()
    if context is None:
        return _Tcp(host=host, port=port, **settings)
    connection = _Tls(host=host, port=port, **settings)
    connection.ssl_context.context = context  # the context it would make of its own settings
    return connection


async def connected(node: Node, credentials: Credentials, timeout: float) -> Connection:
    """A connection to `node` that is let in; RedisFailure when there is none within `timeout` seconds."""
    try:
        connection = _unconnected(node, credentials, timeout)
    except OSError as error:  # a file of the certificate, as it is being replaced or for good
        raise RedisFailure("refused", f"its certificate cannot be used: {error}") from error
    try:
        async with asyncio.timeout(timeout):  # redis-py bounds the connect, not AUTH and SELECT
            await connection.connect()  # type: ignore[no-untyped-call]
    except Exception as error:
        connection.abort()
        found = classify(error)
        raise RedisFailure("gone" if found.reason == "slow" else found.reason, found.detail) from error
    except BaseException:  # cancelled in the middle of AUTH: the answers that are still to come are nobody's
        connection.abort()
        raise
    return Connection(connection)


class Connection:
    """An open connection to one server; `on_lost` hears why it ended."""

    def __init__(self, connection: _Unwaited) -> None:
        self._connection = connection
        self._receivers: deque[Receiver] = deque()
        self.on_lost: Callable[[RedisFailure], None] | None = None
        self.error: RedisFailure | None = None
        self._reading = asyncio.get_running_loop().create_task(self._read())

    def send(self, payload: bytes, receive: Receiver) -> None:
        """Send a packed command; `receive` hears of the answer."""
        if self.error is not None:
            receive(self.error)
            return
        self._receivers.append(receive)
        self._connection.write(payload)

    def ask(self, *arguments: Any) -> asyncio.Future[Any]:
        """Send a command; the future fails when the answer is an error."""
        return self.ask_packed(packed(*arguments))

    def ask_packed(self, payload: bytes) -> asyncio.Future[Any]:
        """The same for a packed command."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def receive(answer: Any) -> None:
            if future.done():
                return
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        self.send(payload, receive)
        return future

    def abort(self) -> None:
        """End the connection at once."""
        self._end(RedisFailure("gone", "closed on this side"))

    async def _read(self) -> None:
        """Hand out answers until the connection ends."""
        connection, receivers = self._connection, self._receivers
        while self.error is None:
            try:
                answer = await connection.read_response(disable_decoding=True, disconnect_on_error=False)
            except ResponseError as error:
                answer = error
            except Exception as error:  # noqa: BLE001 - whatever redis-py makes of a broken or garbled stream
                self._end(classify(error))
                return
            if not receivers:
                self._end(RedisFailure("corrupt", f"an answer nobody asked for: {answer!r:.80}"))
                return
            self._hand_out(receivers.popleft(), answer)

    def _hand_out(self, receive: Receiver, answer: Any) -> None:
        """If a receiver raises, the others and `on_lost` are still called; what comes next can't be trusted."""
        try:
            receive(answer)
        except Exception as error:
            _logger.exception("an answer of Redis could not be handled: %.80r", answer)
            self._end(RedisFailure("corrupt", repr(error)))

    def _end(self, error: RedisFailure) -> None:
        if self.error is not None:
            return
        self.error = error  # first: a receiver may call abort() or send()
        self._connection.abort()
        self._reading.cancel()
        while self._receivers:
            self._hand_out(self._receivers.popleft(), error)
        if self.on_lost is not None:
            self.on_lost(error)


async def answered(answer: asyncio.Future[Any], wait: float) -> Any:
    """Wait for an answer for `wait` seconds in which the event loop runs; TimeoutError.

    Counts short waits, not time: what one of them takes longer is time for which the loop stood still, and the answer
    may have lain there unread.
    """
    try:
        for _ in range(TICKS + 1):
            done, _ = await asyncio.wait((answer,), timeout=wait / TICKS)
            if done:
                return answer.result()
    finally:
        answer.cancel()  # so that nobody is told of an error that nobody waits for
    raise TimeoutError(f"no answer within {wait * 1000:.0f} ms")


async def check_primary(connection: Connection, timeout: float) -> str:
    """Load the script into a server that takes writes; its run id, empty when it does not tell. RedisFailure if not."""
    async with asyncio.timeout(timeout):
        role, info, loaded = await _together(connection, [("ROLE",), ("INFO", "server"), ("SCRIPT", "LOAD", SOURCE)])
    for answer in (loaded, role):
        if isinstance(answer, Exception) and not (answer is role and classify(answer).reason == "refused"):
            raise classify(answer)
    if isinstance(role, list) and role and role[0] != b"master":
        raise RedisFailure("readonly", f"its role is {role[0].decode(errors='replace')}")
    return _run_id(info)


async def _together(connection: Connection, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The answers to all `commands`, sent at once; errors are among them."""
    return await asyncio.gather(*(connection.ask(*command) for command in commands), return_exceptions=True)


def _run_id(info: Any) -> str:
    if not isinstance(info, bytes):
        return ""
    lines = (line.partition(b":") for line in info.splitlines())
    return next((value.decode() for name, _, value in lines if name == b"run_id"), "")
