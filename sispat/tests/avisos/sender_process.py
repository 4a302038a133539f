"""One round of mails in a process of its own: `sender_process.py DSN PORT SECONDS_SINCE_THE_EPOCH`; exits when it is done."""

from __future__ import annotations

import asyncio
import sys

from correio import postos

from esteio.postgres import Dsn
from esteio.testing import ManualClock


async def main(url: str, port: str, at: str) -> None:
    async with postos(Dsn.parse(url), int(port), ManualClock(time=float(at))) as sender:
        await sender.round(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
