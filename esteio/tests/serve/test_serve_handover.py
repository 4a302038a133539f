"""A supervisor that is killed while systemd holds its sockets: its workers serve on until those of the next one are ready."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from house import Load, alive, connect, get, gone

pytestmark = [pytest.mark.fault, pytest.mark.untimed]
SOON = {"graceful_shutdown": 0.5, "lifespan_shutdown": 0.5}


async def killed(house):
    """The workers of the supervisor, which is dead when this returns."""
    workers = [ready["pid"] for ready in await house.until("WorkerReady", 2)]
    house.signal(signal.SIGKILL)
    await asyncio.to_thread(house.process.wait, 60)
    return workers


async def under_way(port):
    """A connection with an answer that has begun and takes a second."""
    connection = await connect(port)
    connection.writer.write(b"GET /stream?1 HTTP/1.1\r\nhost: x\r\n\r\n")
    async with asyncio.timeout(60):
        await connection.reader.readuntil(b"\r\n\r\na")
    return connection


async def is_whole(connection):
    async with asyncio.timeout(60):
        rest = await connection.reader.readexactly(1)
    await connection.close()
    return rest == b"z"


async def killed_and_started_again(house):
    """The workers that a killed supervisor left, and those of the next one, which do not get ready."""
    port = house.port
    first = await killed(house)
    house.switch("unready")
    await asyncio.to_thread(house.start, port=port)
    return first, [started["pid"] for started in (await house.until("WorkerStarted", 4))[2:]]


async def test_a_killed_supervisor_costs_no_request_and_its_workers_end_once_others_are_ready(build, manager):
    house = build(manager=manager)
    await house.until("WorkerReady", 2)
    port = house.port
    slow = await under_way(port)
    async with Load(port, keep_alive=True) as kept, Load(port, keep_alive=False) as fresh:
        await asyncio.sleep(0.3)
        first = await killed(house)
        assert sorted(manager.stored) == sorted(["listener", *(f"worker-{pid}" for pid in first)])
        await asyncio.sleep(0.3)  # they serve alone
        await asyncio.to_thread(house.start, port=port)
        await house.until("WorkerStopped", 2, name="worker of a killed supervisor")
        await asyncio.sleep(0.3)  # the others serve alone
    second = {started["pid"] for started in house.seen("WorkerReady")} - set(first)
    assert await is_whole(slow)
    assert kept.lost == fresh.lost == []
    assert kept.pids <= {*first, *second}
    assert fresh.pids & set(first)
    assert fresh.pids & second
    assert house.port == port
    await gone(first)
    assert sorted(manager.stored) == sorted(["listener", *(f"worker-{pid}" for pid in second)])
    house.signal(signal.SIGTERM)
    assert await asyncio.to_thread(house.end) == 0
    assert manager.stored == [], "what ended in order left something to the next start"


async def test_who_connects_while_nobody_serves_waits_for_the_next_start(build, manager):
    house = build(manager=manager)
    port = house.port
    workers = await killed(house)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    await gone(workers)
    assert manager.stored == ["listener"], "the end of a worker is seen without a supervisor"
    waiting = asyncio.create_task(get(port))
    await asyncio.to_thread(house.start, port=port)
    assert (await waiting)[0] == 200


async def test_workers_end_in_order_when_the_unit_is_stopped_while_no_supervisor_lives(build, manager):
    house = build(manager=manager)
    workers = await killed(house)
    slow = await under_way(house.port)
    assert all(map(alive, workers))
    manager.drop()
    assert await is_whole(slow)
    await gone(workers)
    assert (house.switches / "order").read_text().split() == ["app", "app"]


async def test_a_stop_ends_the_predecessors_with_the_workers(build, manager):
    house = build(manager=manager)
    port = house.port
    first, second = await killed_and_started_again(house)
    slow = await under_way(port)
    assert all(map(alive, first)), "others are not ready"
    house.signal(signal.SIGTERM)
    assert await is_whole(slow)
    assert await asyncio.to_thread(house.end) == 0
    await gone([*first, *second])
    assert manager.stored == []


async def test_after_several_kills_those_that_are_ready_serve_on_and_the_others_end(build, manager):
    house = build(manager=manager)
    port = house.port
    first, second = await killed_and_started_again(house)
    house.signal(signal.SIGKILL)
    await asyncio.to_thread(house.process.wait, 60)
    await asyncio.to_thread(house.start, port=port)
    stopped = await house.until("WorkerStopped", 2, name="worker of a killed supervisor")
    assert {each["pid"] for each in stopped} == set(second)
    assert all(map(alive, first))
    assert (await get(port))[0] == 200


async def test_a_predecessor_that_does_not_end_is_killed(build, manager):
    house = build(manager=manager, timeouts=SOON)
    port = house.port
    first = await killed(house)
    os.kill(first[0], signal.SIGSTOP)
    await asyncio.to_thread(house.start, port=port, timeouts=SOON)
    stopped = await house.until("WorkerStopped", 2, name="worker of a killed supervisor")
    reasons = {each["pid"]: each["reason"] for each in stopped}
    assert reasons == {first[0]: "killed: did not end in time", first[1]: "told to end"}
    assert (await get(port))[0] == 200


async def test_predecessors_serve_on_while_the_application_cannot_be_imported(build, manager):
    house = build(manager=manager)
    port = house.port
    first = await killed(house)
    house.switch("broken")
    await asyncio.to_thread(house.start, port=port, backoff={"cap": 0.5})
    await house.until("WorkerDied", 3, exitcode=4)
    assert int((await get(port))[2].split()[0]) in first
    assert house.process.poll() is None
    house.switch("broken", on=False)
    await house.until("WorkerStopped", 2, name="worker of a killed supervisor")
    assert int((await get(port))[2].split()[0]) not in first


async def test_a_socket_of_another_address_is_closed_once_its_workers_have_ended(build, manager):
    house = build(manager=manager)
    before = house.port
    first = await killed(house)
    await asyncio.to_thread(house.start)
    assert house.port != before
    await house.until("WorkerStopped", 2, name="worker of a killed supervisor")
    await gone(first)
    assert manager.stored.count("listener") == 1
    with pytest.raises(ConnectionRefusedError):
        await connect(before)
    assert (await get(house.port))[0] == 200
