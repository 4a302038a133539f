"""Jobs of the tests, and their processes: `job_process.py DSN` looks after jobs, `job_process.py DSN ID TURN` does one."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from esteio.policy import Exponential
from esteio.postgres import Database
from esteio.system import die_with_parent
from sispat.kernel import audit
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.kernel.jobs.runner import JobRunner
from sispat.kernel.jobs.work import Job, JobContext, perform


async def half_and_half(ctx: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Write half, wait until the file `gate` is there, write the other half."""
    await _write(ctx, 1)
    await ctx.job.progress("metade", 1, 2)
    if "pid" in arguments:
        _note_pid(arguments["pid"])
    while not os.path.exists(arguments["gate"]):  # noqa: ASYNC240
        await ctx.job.progress("metade", 1, 2)
        await asyncio.sleep(0.02)
    await _write(ctx, 2)
    await ctx.job.progress("tudo", 2, 2)
    return {"escritos": 2}


def _note_pid(path: str) -> None:
    Path(path).write_text(str(os.getpid()), "utf-8")


async def _write(ctx: JobContext, part: int) -> None:
    await audit.record(
        ctx.conn, **ctx.author._asdict(), entidade="teste", entidade_id=ctx.job.taken.id, acao="escrever",
        depois={"parte": part},
    )  # fmt: skip


async def fall(_ctx: JobContext, arguments: Mapping[str, Any]) -> dict[str, Any]:
    if arguments["how"] == "dados":
        raise InvalidData({"valor": _("Preencha este campo.")})
    if arguments["how"] == "memoria":
        raise MemoryError
    if arguments["how"] == "abort":  # as native code that gets no memory
        ctypes.CDLL(None).abort()
    raise ZeroDivisionError


HALF = Job("teste.metade", "Metade", half_and_half, {"metade": "Pela metade"}, attempts=3)
FALL = Job("teste.cair", "Cair", fall, {}, attempts=2)
BRIEF = Job("teste.breve", "Breve", half_and_half, {}, limit=1)
JOBS = {job.name: job for job in (HALF, FALL, BRIEF)}
RETRIES = Exponential(initial=0.05, cap=0.2)


def command(url: str, *more: str) -> list[str]:
    return [sys.executable, __file__, url, *more]


def database(url: str) -> Database:
    return Database(url, min_size=1, settings={"role": "sispat_app"}, leak_after=None)


async def look_after(url: str, stop: asyncio.Event) -> None:
    async def launch(taken: Any) -> Any:
        return await asyncio.create_subprocess_exec(
            *die_with_parent(command(url, str(taken.id), str(taken.turn)), number=signal.SIGKILL)
        )

    async with database(url) as db:
        await JobRunner(db, launch, name="teste", at_once=1, retries=RETRIES).run(stop)


async def main(url: str, *one: str) -> int:
    if not one:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await look_after(url, stop)
        return 0
    async with database(url) as db:
        return await perform(db, JOBS, UUID(one[0]), int(one[1]))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
