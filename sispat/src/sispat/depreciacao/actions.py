"""Closing months: asked for, done by a job, reopened; and what an asset is worth.

Promises: a month is closed over all assets in one transaction, once or not at all; months are closed one after the other, and
the database changes nothing of a closed one. What changes afterwards (a late invoice, a write-off dated back) is an adjustment
in the next month that is closed. Only the last can be reopened, by an administrator, with a reason; what it said stays.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import errors

from sispat.depreciacao import rules, sql
from sispat.depreciacao.fields import ListaDeLinhas, NovoFechamento, ReaberturaDeMes, Simulacao
from sispat.depreciacao.kinds import FECHAMENTOS
from sispat.depreciacao.rules import Asset, Regra
from sispat.imoveis import actions as imoveis
from sispat.kernel import formats, record_sql
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.i18n import _, lazy
from sispat.kernel.jobs.work import Job, JobContext, ask_for
from sispat.kernel.paging import Place, cursor_at, place_of
from sispat.kernel.records import obter, record
from sispat.patrimonios import actions as patrimonios

__all__ = [
    "CONSTRAINTS", "FECHAR_MES", "conciliacao", "contas", "do_bem", "do_imovel", "exportar_linhas", "fatos", "fatos_do_bem",
    "fechar", "linhas", "reabrir", "regra_em_vigor", "sem_classe", "simular", "ultimo",
]  # fmt: skip

CONSTRAINTS = {
    "fechamento_uma_vez": ("competencia", lazy("Este mês já está fechado.")),
    "fechamento_em_ordem": ("competencia", lazy("Os meses se fecham um depois do outro, sem pular nenhum.")),
    "fechamento_mesma_regra": ("regra", lazy("Todos os meses seguem a regra do primeiro fechamento.")),
    "fechamento_so_o_ultimo": ("estado", lazy("Só o último mês fechado pode ser reaberto.")),
    "patrimonio_em_mes_fechado": (
        "bens",
        lazy("O bem está em um mês fechado e não pode mais ser excluído. Dê baixa nele."),
    ),
}
_MOST_MONTHS = 600  # of an asset, on its page: fifty years
_MOST_ENTRIES = 1000


async def ultimo(ctx: Context) -> sql.Closed | None:
    """The last closed month, for those who may see it."""
    ctx.access.require(rules.VER)
    return await sql.ultimo(ctx.conn)


async def sem_classe(ctx: Context) -> int:
    """How many imóveis of the city no closing takes in, because their land or their building has no class."""
    ctx.access.require(rules.VER)
    return await sql.sem_classe(ctx.conn)


async def regra_em_vigor(ctx: Context) -> Regra:
    """The rule of the months that are closed; the usual one, where none is."""
    last = await sql.ultimo(ctx.conn)
    return Regra.MES if last is None else Regra(last.regra)


async def fechar(ctx: Context, new: NovoFechamento, today: dt.date) -> UUID:
    """Ask for the job that closes a month; its id."""
    ctx.access.require(rules.FECHAR)
    last = await sql.ultimo(ctx.conn)
    if last is not None and new.competencia != rules.next_month(last.competencia):
        following = formats.month(rules.next_month(last.competencia))
        raise InvalidData({"competencia": _("O próximo mês a fechar é %(month)s.", month=following)})
    if last is not None and new.regra not in (None, last.regra):
        raise InvalidData(dict([CONSTRAINTS["fechamento_mesma_regra"]]))
    if not rules.is_over(new.competencia, today):
        text = _("O mês %(month)s ainda não terminou.", month=formats.month(new.competencia))
        raise InvalidData({"competencia": text})
    if await sql.pendente(ctx.conn, FECHAR_MES.name):
        raise InvalidData(
            {"competencia": _("Um fechamento está em andamento. Espere por ele, ou cancele-o em Tarefas.")}
        )
    rule = new.regra or (Regra.MES if last is None else Regra(last.regra))
    return await ask_for(ctx, FECHAR_MES, {"competencia": new.competencia.isoformat(), "regra": rule.value})


async def _close(ctx: JobContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Close the month: one statement over all assets."""
    ctx.access.require(rules.FECHAR)
    month = dt.date.fromisoformat(arguments["competencia"])
    await ctx.job.progress("calculando", 0, None)
    try:
        id_ = await sql.fechar(ctx.conn, month, Regra(arguments["regra"]), ctx.actor)
    except errors.IntegrityError as error:
        raise explained(error, CONSTRAINTS) from error
    stored = json.loads(await obter(ctx, FECHAMENTOS, id_))
    await ctx.job.progress("gravando", stored["bens"], stored["bens"])
    told = ("competencia", "regra", "bens", "bruto", "depreciacao", "ajuste", "liquido")
    await record(ctx, FECHAMENTOS, id_, "fechar_mes", None, {name: stored[name] for name in told})
    return {"fechamento": str(id_), **{name: stored[name] for name in told}}


FECHAR_MES = Job(
    "depreciacao.fechar_mes",
    lazy("Fechar o mês"),
    _close,
    {"calculando": lazy("Calculando a depreciação de todos os bens"), "gravando": lazy("Gravando o fechamento")},
    lambda known: f"{FECHAMENTOS.path}/{known['fechamento']}" if "fechamento" in known else FECHAMENTOS.path,
)


async def reabrir(ctx: Context, id_: UUID, why: ReaberturaDeMes) -> str:
    """Open the last closed month again; its document (JSON). What was closed stays readable."""
    ctx.access.require(rules.REABRIR)
    async with ctx.conn.transaction():
        found = await record_sql.travar(ctx.conn, FECHAMENTOS.table, None, id_)
        if found is None:
            raise NotFound(_("O fechamento"), id_)
        if found["reaberto_em"] is not None:
            raise InvalidData({"estado": _("Este fechamento já foi reaberto.")})
        changes = {"reaberto_em": dt.datetime.now(dt.UTC), "reaberto_por": ctx.actor, "motivo": why.motivo}
        try:
            await record_sql.atualizar(ctx.conn, FECHAMENTOS.table, id_, changes)
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error
        await record(ctx, FECHAMENTOS, id_, "reabrir_mes", {name: found[name] for name in changes}, changes)
        return await obter(ctx, FECHAMENTOS, id_)


async def simular(ctx: Context, asked: Simulacao, today: dt.date) -> tuple[dt.date, list[dict[str, Any]]]:
    """The month that it starts after, and what each account depreciates in each year from there, if nothing changes."""
    ctx.access.require(rules.VER)
    last = await sql.ultimo(ctx.conn)
    since = rules.month_of(today) - 1 if last is None else rules.month_of(last.competencia)
    rule = Regra.MES if last is None else Regra(last.regra)
    found = await sql.simular(ctx.conn, since, asked.anos, rule, asked.classe, asked.setor)
    return rules.first_day(since), found


async def contas(ctx: Context, numero: int) -> list[dict[str, Any]]:
    """What a closing comes to, account by account."""
    ctx.access.require(rules.VER)
    return await sql.contas(ctx.conn, numero)


async def conciliacao(ctx: Context, numero: int) -> dict[str, Any] | None:
    """How a closing was reconciled with accounting, the last time; None: it was not."""
    ctx.access.require(rules.VER)
    return await sql.conciliacao(ctx.conn, numero)


async def linhas(
    ctx: Context, id_: UUID, asked: ListaDeLinhas, size: int | None = None
) -> tuple[list[Any], str | None]:
    """A page of the assets of a closing, and where the next one begins; `size` of an export's lots."""
    stored = json.loads(await obter(ctx, FECHAMENTOS, id_))
    limit = size or asked.limit
    name = f"fechamento {stored['numero']}"
    place = place_of(name, asked.cursor)
    found = await sql.linhas(ctx.conn, stored["numero"], 0 if place is None else place.numero, limit + 1)
    following = cursor_at(name, Place("0", found[limit - 1]["lugar"])) if len(found) > limit else None
    return [{name: value for name, value in row.items() if name != "lugar"} for row in found[:limit]], following


async def exportar_linhas(ctx: Context, id_: UUID) -> dt.date:
    """Note in the audit that this person takes the lines of a closing out of the service; its month."""
    stored = json.loads(await obter(ctx, FECHAMENTOS, id_))
    await record(ctx, FECHAMENTOS, id_, "exportar_fechamento", None, {"competencia": stored["competencia"]})
    return dt.date.fromisoformat(stored["competencia"])


async def fatos(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, Asset]:
    """What the rule needs to know of assets that a use case has locked within reach."""
    return await sql.fatos(ctx.conn, ids)


async def fatos_do_bem(ctx: Context, id_: UUID) -> Asset:
    """What the rule needs to know of an asset within reach."""
    await patrimonios.obter(ctx, id_)
    return (await sql.fatos(ctx.conn, [id_]))[id_]


async def do_bem(ctx: Context, id_: UUID) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The closed months of an asset within reach, and their movements; newest first."""
    await patrimonios.obter(ctx, id_)
    return await sql.do_bem(ctx.conn, id_, _MOST_MONTHS), await sql.lancamentos_do_bem(ctx.conn, id_, _MOST_ENTRIES)


async def do_imovel(ctx: Context, id_: UUID) -> list[dict[str, Any]]:
    """The closed months of an imóvel within reach, newest first: of each its land and its building."""
    await imoveis.ver(ctx, id_)
    return await sql.do_imovel(ctx.conn, id_, 2 * _MOST_MONTHS)
