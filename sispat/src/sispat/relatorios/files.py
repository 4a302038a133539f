"""Reports that take long: asked for, made by a job, given out to whoever asked.

Promises: what a job makes is there whole or not at all, for a week, in the database, so that any machine gives it out; nobody
but who asked for it gets it, with what they could see when it was made; asking is audited.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from sispat.kernel.context import Context
from sispat.kernel.errors import NotFound
from sispat.kernel.i18n import _, lazy
from sispat.kernel.jobs.work import Job, JobContext, ask_for
from sispat.kernel.pdf import PdfRenderer, read_arms
from sispat.relatorios import actions
from sispat.relatorios.actions import Prepared
from sispat.relatorios.paper import PART, Drawn, Paper
from sispat.relatorios.rules import Formato
from sispat.relatorios.sql import files as sql
from sispat.relatorios.sql.files import File
from sispat.relatorios.table import BY_NAME

__all__ = ["FAZER_PDF", "CityPaper", "File", "faxina", "obter", "parte", "pedir"]

_DRAWERS = min(
    2, os.cpu_count() or 1
)  # each takes 100 MB and more, and people at their screens need the other processors
_KEPT_BY_A_DRAWER = 100 * 1024 * 1024  # bytes, after a part
_KEPT = dt.timedelta(days=7)


class CityPaper(NamedTuple):
    """What the papers of a city have in common: its name, the file of its arms, its clocks."""

    name: str
    arms: Path | None
    zone: str


async def pedir(ctx: Context, what: Prepared, city: CityPaper, today: dt.date) -> tuple[UUID, UUID]:
    """Ask for the PDF of a report; the ids of the job and of the file it makes."""
    await actions.exportar(ctx, what, Formato.PDF)
    name = f"{what.report.name}-{today:%Y-%m-%d}.pdf"
    file = await sql.inserir(ctx.conn, what.report.name, name, ctx.actor)
    asked = what.asked.model_dump(mode="json", exclude={"cursor", "limit"})
    job = await ask_for(
        ctx, FAZER_PDF,
        {
            "arquivo": str(file), "relatorio": what.report.name, "pedido": asked, "hoje": today.isoformat(),
            "cidade": city.name, "brasao": str(city.arms or ""), "fuso": city.zone,
        },
    )  # fmt: skip
    await sql.esperar(ctx.conn, file, job)
    return job, file


async def _make(ctx: JobContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Draw the report, part by part, and keep it."""
    renderers = [PdfRenderer(kept=_KEPT_BY_A_DRAWER) for _ in range(_DRAWERS)]
    try:
        await asyncio.gather(*(each.start() for each in renderers))  # they get ready while the database is asked
        drawn, lines = await _drawn(ctx, arguments, renderers)
    finally:
        await asyncio.gather(*(each.close() for each in renderers))  # their memory goes back before all is put together
    pdf = await asyncio.to_thread(drawn.whole)
    await ctx.job.progress("gravando", 0, None)
    await sql.gravar(ctx.conn, UUID(arguments["arquivo"]), pdf, lines)
    return {"arquivo": arguments["arquivo"], "linhas": lines, "tamanho": len(pdf)}


async def _drawn(ctx: JobContext, arguments: Mapping[str, Any], renderers: Sequence[PdfRenderer]) -> tuple[Drawn, int]:
    """The parts of the report, and how many lines it has."""
    report = BY_NAME[arguments["relatorio"]]
    asked = report.asked.parse(arguments["pedido"])
    what = await actions.preparar(ctx, report, asked, dt.date.fromisoformat(arguments["hoje"]))
    total = (await actions.somas(ctx, what))["linhas"]
    await ctx.job.progress("desenhando", 0, total)
    arms = read_arms(Path(arguments["brasao"])) if arguments["brasao"] else None
    paper = Paper(renderers, what, arguments["cidade"], arms, dt.datetime.now(dt.UTC), arguments["fuso"])
    done = 0

    async def told() -> AsyncIterator[list[actions.Row]]:
        nonlocal done
        async for rows in actions.todas(ctx, what, PART):
            yield rows
            done += len(rows)
            await ctx.job.progress("desenhando", done, total)

    return await paper.draw(told()), done


FAZER_PDF = Job(
    "relatorios.fazer_pdf",
    lazy("Relatório em PDF"),
    _make,
    {"desenhando": lazy("Desenhando as páginas"), "gravando": lazy("Gravando o arquivo")},
    lambda arguments: f"/relatorios/arquivos/{arguments['arquivo']}",
)


async def obter(ctx: Context, id_: UUID, *, ready: bool = False) -> File:
    """A report that this person asked for; raises `NotFound` for another's, one that has gone, or is not `ready`."""
    found = await sql.ler(ctx.conn, id_, ctx.actor)
    if found is None or (ready and found.pronto_em is None):
        raise NotFound(_("O relatório"), id_)
    return found


async def parte(ctx: Context, id_: UUID, number: int) -> bytes | None:
    """The piece of such a report with this number, counted from 0; None after the last."""
    return await sql.parte(ctx.conn, id_, ctx.actor, number)


async def faxina(conn: AsyncConnection[Any]) -> None:
    """Remove what was asked for long ago."""
    await sql.remover(conn, _KEPT)
