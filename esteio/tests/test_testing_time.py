"""What `esteio.testing` offers: virtual time, failures on cue, recorded events, no waits."""

import asyncio
import time

import pytest

from esteio import Event, events
from esteio.testing import VirtualClock, flaky, recorded_events, run_virtual


def test_hours_pass_in_milliseconds_and_in_order() -> None:
    order: list[tuple[str, float]] = []

    async def main(clock: VirtualClock) -> str:
        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep_async(seconds)
            order.append((name, clock.monotonic()))

        await asyncio.gather(sleeper("late", 7200), sleeper("early", 60))
        clock.sleep(5)
        assert clock.time() - 1_700_000_000 == pytest.approx(7205)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return "done"

    began = time.perf_counter()
    assert run_virtual(main) == "done"
    assert time.perf_counter() - began < 2
    assert order == [("early", pytest.approx(60)), ("late", pytest.approx(7200))]


def test_real_io_works_in_virtual_time() -> None:
    async def main(_clock: VirtualClock) -> bytes:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read(3))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"abc")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        return answer

    assert run_virtual(main) == b"abc"


async def test_flaky_plays_its_script() -> None:
    script = flaky(OSError, ValueError("x"), 1, 2)
    with pytest.raises(OSError):  # noqa: PT011
        script()
    with pytest.raises(ValueError, match="x"):
        await script.asynchronous()
    assert [script(), script("any", argument=1), script()] == [1, 2, 2]
    assert script.calls == 5
    with pytest.raises(ValueError, match="no script"):
        flaky()


def test_recorded_events_end_with_their_block() -> None:
    with recorded_events() as seen:
        events.emit(Event("in"))
    events.emit(Event("out"))
    assert seen == [Event("in")]
