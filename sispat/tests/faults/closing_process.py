"""Does one job of closing a month: `closing_process.py DSN ID TURN`; says on its output when it begins to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from esteio.postgres import Database
from sispat.depreciacao.actions import FECHAR_MES
from sispat.kernel.jobs.work import JobContext, perform


async def told(ctx: JobContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    print("begins", flush=True)
    return await FECHAR_MES.work(ctx, arguments)


async def main(url: str, id_: str, turn: str) -> int:
    async with Database(url, min_size=1, settings={"role": "sispat_app"}, leak_after=None) as db:
        return await perform(db, {FECHAR_MES.name: replace(FECHAR_MES, work=told)}, UUID(id_), int(turn))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
