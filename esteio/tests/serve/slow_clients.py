"""Holds connections that send a byte of a header each few seconds and come again when they are closed.

Run by test_serve_edge.py as a process of its own, so that what it costs is not charged to the clients that are measured.
Arguments: port, number of connections, number of addresses they come from. Says how many it opened, each half second; ends
when its input is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading


async def main(port: int, count: int, addresses: int) -> None:
    ended, opened = asyncio.Event(), 0
    loop = asyncio.get_running_loop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()

    async def ended_within(seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), seconds)
        return ended.is_set()

    async def one(address: str) -> None:
        nonlocal opened
        while not ended.is_set():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
            except OSError:
                await ended_within(0.5)
                continue
            opened += 1
            with contextlib.suppress(OSError):
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx: ")
                while not writer.is_closing() and not await ended_within(3.0):
                    writer.write(b"y")
                    await writer.drain()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    tasks = [asyncio.create_task(one(f"127.0.1.{1 + number % addresses}")) for number in range(count)]
    while not await ended_within(0.5):
        print(opened, flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
