"""One connection: who asked is answered exactly once, whatever the receivers and the server do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

pytest.importorskip("hiredis")

import hiredis

from esteio.limit import Limit, RateLimiter
from esteio.limit.redis import RedisStore
from esteio.limit.redis._cluster import slot
from esteio.limit.redis._connection import Connection, Credentials, connected
from esteio.limit.redis._errors import RedisFailure
from esteio.limit.redis._script import packed, state_key

SOON = 60.0  # seconds that a busy machine may take


class Server:
    """Speaks Redis' protocol on a port of loopback and says whatever `reply` returns for a command."""

    def __init__(self, reply: Callable[[list[bytes]], bytes]) -> None:
        self.reply = reply
        self.connections = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        commands = hiredis.Reader()
        while data := await reader.read(65536):
            commands.feed(data)
            replies = []
            while command := commands.gets():
                replies.append(self.reply(command))
            writer.write(b"".join(replies))  # in one piece, as they came
        writer.close()

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def pong() -> AsyncIterator[Server]:
    server = Server(lambda command: b"+PONG\r\n")
    await server.start()
    yield server
    await server.stop()


async def connection_to(server: Server) -> Connection:
    return await connected(("127.0.0.1", server.port), Credentials(), SOON)


async def test_after_an_abort_in_a_receiver_the_others_hear_of_it_once(pong: Server) -> None:
    connection = await connection_to(pong)
    heard: list[list[Any]] = [[], [], []]
    lost = asyncio.Event()
    connection.on_lost = lambda error: lost.set()

    def first(answer: Any) -> None:
        heard[0].append(answer)
        connection.abort()

    connection.send(packed("PING") * 3, first)
    connection._receivers.extend([heard[1].append, heard[2].append])
    async with asyncio.timeout(SOON):
        await lost.wait()
    assert heard[0] == [b"PONG"]
    assert [len(each) for each in heard[1:]] == [1, 1]
    assert all(isinstance(each[0], RedisFailure) for each in heard[1:])


async def test_a_receiver_that_raises_ends_the_connection_and_keeps_nothing_from_the_others(
    pong: Server, caplog: pytest.LogCaptureFixture
) -> None:
    connection = await connection_to(pong)
    heard: list[Any] = []
    lost = asyncio.Event()
    connection.on_lost = lambda error: lost.set()

    def broken(answer: Any) -> None:
        raise LookupError(answer)

    connection.send(packed("PING") * 3, broken)
    connection._receivers.extend([broken, heard.append])
    async with asyncio.timeout(SOON):
        await lost.wait()
    assert [each.reason for each in heard] == ["corrupt"]
    assert "could not be handled" in caplog.text


@pytest.mark.parametrize("nonsense", [b"$-1\r\n", b"*0\r\n", b"+OK\r\n", b"*1\r\n$-1\r\n"])
async def test_after_a_heartbeat_with_a_nonsensical_answer_the_connection_is_made_anew(nonsense: bytes) -> None:
    lies = False

    def reply(command: list[bytes]) -> bytes:
        match command[0]:
            case b"ROLE":
                return b"*1\r\n$6\r\nmaster\r\n"
            case b"EVAL" if b"ZCARD" in command[1]:
                return nonsense if lies else b":1\r\n"
            case b"EVAL" | b"EVALSHA":  # one hit is allowed, and 9 are left
                return b"$25\r\n\x01" + (9).to_bytes(8, "little") + bytes(16) + b"\r\n"
        return b"+OK\r\n"

    server = Server(reply)
    await server.start()
    store = RedisStore(f"redis://127.0.0.1:{server.port}", budget=10.0, ttl=0.1, retry_after=0.01, retry_max=0.05)
    limiter, limit = RateLimiter(store), Limit(10, 60)

    async def reaches(connections: int, degraded: bool) -> None:
        end = asyncio.get_running_loop().time() + SOON
        while (await limiter.hit("ana", limit)).degraded is not degraded or server.connections < connections:
            assert asyncio.get_running_loop().time() < end, (connections, degraded)
            await asyncio.sleep(0.005)

    try:
        await reaches(1, degraded=False)
        lies = True
        await reaches(3, degraded=True)  # it tries again, more than once
        lies = False
        await reaches(3, degraded=False)  # that third one may have been told no lies
    finally:
        await store.close()
        await server.stop()


@pytest.mark.parametrize(
    "key", ["ana{", "ana", "{", "}", "{}", "}{", "a{b}c", "{ana}", "{}x{y}", "a}b", "é{", "}" * 300]
)
def test_all_limits_of_one_key_are_in_one_slot_of_a_cluster(key: str) -> None:
    limits = [Limit(10, 60, name=name) for name in ("read", "write", "a}b", "}", "{x}", "")]
    assert len({slot(state_key("esteio:limit:", key, limit)) for limit in limits}) == 1


def test_keys_with_one_hash_tag_are_in_one_slot_and_no_two_keys_share_what_was_used() -> None:
    limit = Limit(10, 60, name="x")
    keys = ["ana", "{ana}", "{ana}:write", "x{ana}", "ana{", "}ana", "{ana", "}", "{}", "{}ana"]
    names = [state_key("p:", key, limit) for key in keys]
    assert len(set(names)) == len(keys)
    assert len({slot(name) for name in names[:4]}) == 1
