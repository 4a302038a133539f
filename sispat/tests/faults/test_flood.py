"""What asks for ten times too much: each request is counted once, as what became of it, and takes no core of the service."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import psutil
import pytest

from sispat.drill import cores
from sispat.drill.flood import Kind, flood

REQUEST = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def asked(kind: Kind, answers: dict[int, bytes], otherwise: bytes = b"") -> dict[str, int]:
    """What became of requests at a server that answers the first, second ... of each connection so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            if answer := answers.get(number, otherwise):
                writer.write(answer)
            number += 1
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        told = await flood(server.sockets[0].getsockname()[1], [kind], 0.2)
    seen: dict[str, int] = told["kinds"][kind.name]
    assert seen["offered"] == sum(count for name, count in seen.items() if name != "offered")
    assert 0 <= told["busy"] <= 1.5
    return seen


def answer(status: int) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % status


async def test_each_request_counts_as_good_refused_failed_or_unsent() -> None:
    seen = await asked(Kind("all", REQUEST, 0.0, 3), {0: answer(503), 1: answer(429), 2: answer(500)}, answer(200))
    assert (seen["refused"], seen["failed"], seen["unsent"], seen["late"]) == (6, 3, 0, 0)
    assert seen["good"] > 0


async def test_what_is_due_while_all_connections_wait_is_unsent_and_what_gets_no_answer_failed() -> None:
    seen = await asked(Kind("silent", REQUEST, 500.0, 2, deadline=0.05), {})
    assert (seen["good"], seen["failed"]) == (0, 2)
    assert seen["unsent"] > 0
    assert seen["offered"] == seen["unsent"] + 2


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not tell processes where to run")
def test_whoever_asks_gets_one_core_and_the_service_the_others_until_all_have_all_again() -> None:
    every = os.sched_getaffinity(0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        service = [psutil.Process(child.pid)]
        try:
            divided = cores.divide(service)
            ours, theirs = os.sched_getaffinity(0), os.sched_getaffinity(child.pid)
        finally:
            cores.unite(service)
        assert (os.sched_getaffinity(0), os.sched_getaffinity(child.pid)) == (every, every)
        child.communicate(b"\n")
    assert divided is (len(every) > 1)
    if divided:
        assert len(ours) == 1
        assert theirs == every - ours
