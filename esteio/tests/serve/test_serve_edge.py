"""What a client that is slow, endless or one of many costs the others: counted on the running service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path

import psutil
import pytest
from house import Load, ask, connect, get

pytestmark = pytest.mark.fault

HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n"


async def answer(connection, seconds=20.0):
    """(status, headers, body) of what comes, until the server closes."""
    async with asyncio.timeout(seconds):
        whole = await connection.reader.read()
    head, _, body = whole.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body.decode()


async def send(connection, data):
    """Whether the server took it."""
    try:
        connection.writer.write(data)
        await connection.writer.drain()
    except OSError:
        return False
    return not connection.writer.is_closing()


async def from_address(port, address, count):
    return [await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0)) for _ in range(count)]


@contextlib.asynccontextmanager
async def slow_clients(port, count, addresses):
    """A process that holds slow connections; a list whose last item is how many it opened so far."""
    script = str(Path(__file__).with_name("slow_clients.py"))
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, str(port), str(count), str(addresses), **pipes
    )
    opened = [0]

    async def follow():
        while line := await process.stdout.readline():
            opened.append(int(line))

    following = asyncio.create_task(follow())
    try:
        yield opened
    finally:
        process.stdin.close()
        await process.wait()
        await following


@pytest.mark.untimed
@pytest.mark.parametrize("before", [HEAD + b"x: ", HEAD, b"GET /"])
async def test_an_endless_head_is_refused_at_64_kib_and_costs_nothing(build, figure, before):
    house = build(workers=1)
    pid = (await house.until("WorkerReady"))[0]["pid"]
    memory = psutil.Process(pid).memory_info().rss
    connection = await connect(house.port)
    await send(connection, before)
    piece = b"a: b\r\n" * 2048 if before == HEAD else b"y" * 12288
    sent = 0
    began = time.monotonic()
    while sent < 400_000_000 and await send(connection, piece):
        sent += len(piece)
        if sent > 80_000:
            await asyncio.sleep(0)
            if connection.reader._buffer:
                break
    status, headers, body = await answer(connection)
    grown = psutil.Process(pid).memory_info().rss - memory
    figure(
        f"endless head: {status} after {sent // 1024} KiB, {time.monotonic() - began:.3f} s; memory {grown >> 10} KiB"
    )
    assert status == 431
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert json.loads(body)["status"] == 431
    assert sent < 20_000_000  # what the sockets' buffers hold
    assert grown < 16_000_000
    assert (await get(house.port))[0] == 200
    await connection.close()


@pytest.mark.untimed
async def test_a_head_of_60_kib_is_served_and_one_of_70_kib_is_not(build):
    house = build(workers=1)
    await house.until("WorkerReady")
    for size, wanted in ((60_000, 200), (70_000, 431)):
        connection = await connect(house.port)
        await send(connection, HEAD + b"connection: close\r\nx: " + b"y" * size + b"\r\n\r\n")
        assert (await answer(connection))[0] == wanted
        await connection.close()


async def test_a_head_that_does_not_end_is_refused_in_time_and_a_silent_connection_closed(build):
    house = build(workers=1, limits={"head_timeout": 1.0})
    await house.until("WorkerReady")
    slow, silent, kept = [await connect(house.port) for _ in range(3)]
    assert (await ask(kept))[0] == 200
    await send(slow, HEAD + b"accept: text/html\r\nx: ")
    status, headers, body = await answer(slow)
    assert (status, headers["content-type"]) == (408, "text/html; charset=utf-8")
    assert int(headers["retry-after"]) in (1, 2)
    assert "did not arrive in time" in body
    assert await silent.reader.read() == b""
    assert (await ask(kept))[0] == 200  # idle between two requests is another matter
    await send(kept, HEAD)
    assert (await answer(kept))[0] == 408
    for connection in (slow, silent, kept):
        await connection.close()


async def test_a_body_that_does_not_come_is_refused_and_one_that_is_slow_but_steady_is_not(build):
    house = build(workers=1, limits={"body_timeout": 1.0, "body_rate": 200})
    await house.until("WorkerReady")
    starved, steady = await connect(house.port), await connect(house.port)
    for connection in (starved, steady):
        await send(connection, b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 1500\r\nconnection: close\r\n\r\n")

    async def steadily():
        for _ in range(15):
            assert await send(steady, b"x" * 100)
            await asyncio.sleep(0.2)

    sending = asyncio.create_task(steadily())
    assert (await answer(starved))[0] == 408
    await sending
    status, _, body = await answer(steady)
    assert (status, body.split()[-1]) == (200, "1500")
    for connection in (starved, steady):
        await connection.close()


async def test_an_application_that_does_not_read_is_not_the_clients_slowness(build):
    house = build(workers=1, limits={"body_timeout": 1.0})
    await house.until("WorkerReady")
    full, waiting = await connect(house.port), await connect(house.port)
    await send(full, b"POST /read?3 HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\nconnection: close\r\n\r\n")
    full.writer.write(b"x" * 900_000)
    head = b"POST /read?3 HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\nconnection: close\r\n\r\n"
    await send(waiting, head)
    assert await waiting.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await send(waiting, b"123456789")
    assert [(await answer(each))[0] for each in (full, waiting)] == [200, 200]
    for connection in (full, waiting):
        await connection.close()


@pytest.mark.untimed
async def test_a_request_answered_before_its_body_came_leaves_the_connection_usable(build):
    house = build(workers=1)
    await house.until("WorkerReady")
    connection = await connect(house.port)
    await send(connection, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n")
    head = await connection.reader.readuntil(b"\r\n\r\n")
    await connection.reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    await send(connection, b"12345")
    assert (await ask(connection))[0] == 200
    await connection.close()


@pytest.mark.untimed
async def test_a_client_that_takes_no_answer_is_cut(build):
    house = build(workers=1, limits={"send_timeout": 1.0})
    await house.until("WorkerReady")
    connection = await connect(house.port)
    connection.writer.transport.pause_reading()
    await send(connection, b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n")
    await until_logged(house, "client took nothing for 1 s")
    connection.writer.transport.resume_reading()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await connection.reader.readexactly(20_000_000)
    await connection.close()


async def until_logged(house, words, seconds=60.0):
    end = time.monotonic() + seconds
    while words not in house.log():
        assert time.monotonic() < end, house.log()
        await asyncio.sleep(0.05)


@pytest.mark.untimed
async def test_garbage_after_a_request_does_not_take_its_answer(build):
    house = build(workers=1)
    await house.until("WorkerReady")
    connection = await connect(house.port)
    await send(connection, b"GET /slow?0.5 HTTP/1.1\r\nhost: x\r\n\r\n\x00garbage\r\n\r\n")
    status, headers, _ = await answer(connection)
    assert (status, headers["connection"]) == (200, "close")
    await connection.close()
    connection = await connect(house.port)
    await send(connection, b"\x00garbage\r\n\r\n")
    status, headers, body = await answer(connection)
    assert (status, json.loads(body)["type"]) == (400, "urn:esteio:problem:bad-request")
    await connection.close()


async def test_beyond_the_limit_of_requests_others_are_told_when_to_come_and_probes_are_answered(build):
    house = build(workers=1, limits={"requests": 3})
    await house.until("WorkerReady")
    busy = [asyncio.create_task(get(house.port, "/slow?2")) for _ in range(3)]
    await asyncio.sleep(0.5)
    status, headers, body = await get(house.port)
    assert (status, json.loads(body)["type"]) == (503, "urn:esteio:problem:overloaded")
    assert int(headers["retry-after"]) in (2, 3, 4)
    assert (await get(house.port, "/health/live"))[0] == 200
    assert [answer[0] for answer in await asyncio.gather(*busy)] == [200, 200, 200]
    assert (await get(house.port))[0] == 200


@pytest.mark.untimed
async def test_an_address_with_too_many_connections_loses_only_its_own(build):
    house = build(workers=1, limits={"per_address": 20})
    await house.until("WorkerReady")
    others = await from_address(house.port, "127.0.0.3", 5)
    many = await from_address(house.port, "127.0.0.2", 50)
    async with asyncio.timeout(10):
        gone = [await reader.read() for reader, _ in many[:30]]
    assert gone == [b""] * 30
    for reader, writer in [*others, *many[30:]]:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
    for _, writer in [*others, *many]:
        writer.close()


@pytest.mark.untimed
@pytest.mark.timeout(180)
@pytest.mark.parametrize("addresses", [1, 100], ids=["one address", "a hundred addresses"])
async def test_five_thousand_slow_connections_cost_the_others_no_request(build, figure, addresses):
    house = build()
    pids = [r["pid"] for r in await house.until("WorkerReady", 2)]
    probes, most = [], 0
    async with (
        Load(house.port, keep_alive=True, rate=50) as kept,
        Load(house.port, keep_alive=False, rate=50) as fresh,
        slow_clients(house.port, 5000, addresses) as opened,
    ):
        end = time.monotonic() + 20.0
        while time.monotonic() < end or opened[-1] < 5000:
            probes.append((await get(house.port, "/health/ready"))[0])
            most = max(most, *(psutil.Process(pid).num_fds() for pid in pids))
            await asyncio.sleep(0.2)
    figure(
        f"5,000 slow connections from {addresses} address(es), {opened[-1]} opened: lost {len(kept.lost)} of {kept.sent} "
        f"keep-alive, {len(fresh.lost)} of {fresh.sent} fresh, {probes.count(200)} of {len(probes)} probes answered; "
        f"log {len(house.log().splitlines())} lines; at most {most} open files in a worker"
    )
    assert kept.lost == []
    assert fresh.lost == []
    assert set(probes) == {200}
    assert house.seen("WorkerDied") == []
    assert len(house.log().splitlines()) < 30
