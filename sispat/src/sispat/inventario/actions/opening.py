"""Counts opened, and moved on from state to state.

Promises: what is expected is frozen in the transaction that opens; nothing else moves a count from state to state; none goes
on while something of it is open, and the refusal says what; closed, it never changes again (the database refuses, too).
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from uuid import UUID

from psycopg import errors

from sispat.cadastros import actions as cadastros
from sispat.comissoes.actions import acting
from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.inventario import rules, sql
from sispat.inventario.fields import NovoInventario
from sispat.inventario.kinds import INVENTARIOS
from sispat.inventario.rules import EstadoDoInventario
from sispat.kernel import record_sql
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.formats import decimal
from sispat.kernel.i18n import _, lazy, ngettext
from sispat.kernel.records import obter, record
from sispat.movimentacoes.actions.assets import require_in_reach

__all__ = ["CONSTRAINTS", "abrir", "mudar_estado", "progresso"]

CONSTRAINTS = {
    **{
        f"inventario_{name}_id_fkey": (f"{name}_id", lazy("Escolha um item da lista."))
        for name in ("setor", "local", "agente", "classe", "comissao")
    },
    "inventario_encerrado": ("estado", lazy("O inventário está encerrado, e nada dele muda mais.")),
}
_VERBS = {
    (EstadoDoInventario.ABERTO, EstadoDoInventario.CONTANDO): "iniciar_contagem",
    (EstadoDoInventario.CONTANDO, EstadoDoInventario.DECIDINDO): "concluir_contagem",
    (EstadoDoInventario.DECIDINDO, EstadoDoInventario.CONTANDO): "reabrir_contagem",
    (EstadoDoInventario.DECIDINDO, EstadoDoInventario.ENCERRADO): "encerrar_inventario",
}


async def abrir(ctx: Context, new: NovoInventario, today: dt.date) -> str:
    """Open a count and freeze what it expects; its document (JSON)."""
    ctx.access.require(rules.ABRIR)
    commission = await acting(ctx, new.comissao_id, FinalidadeDaComissao.INVENTARIO, today)
    setor_id = await _setor_of(ctx, new)
    values = {**new.model_dump(), "setor_id": setor_id, **commission._asdict(), "aberto_por": ctx.actor}
    async with ctx.conn.transaction():
        try:
            (id_,) = await record_sql.inserir(ctx.conn, INVENTARIOS.table, values, [{}])
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error
        expected = await sql.congelar(ctx.conn, id_, new.escopo)
        if not expected:
            raise InvalidData({"escopo": _("Não há nenhum bem no que se quer contar.")})
        await record(ctx, INVENTARIOS, id_, "abrir_inventario", None, {**values, "esperados": expected})
        return await obter(ctx, INVENTARIOS, id_)


async def _setor_of(ctx: Context, new: NovoInventario) -> UUID | None:
    """Whose people see it; raises `InvalidData` for what is not there or not in use."""
    for kind in ("setor", "local", "agente", "classe"):
        id_: UUID | None = getattr(new, f"{kind}_id")
        if id_ is not None:
            await require_in_reach(ctx, kind, id_, f"{kind}_id")
            if kind in ("local", "agente"):
                found: UUID = (await cadastros.obter(ctx, kind, id_))["setor_id"]
                return found
    return new.setor_id


async def mudar_estado(ctx: Context, id_: UUID, to: EstadoDoInventario) -> str:
    """Move a count on; its document (JSON)."""
    ctx.access.require(rules.ENCERRAR)
    async with ctx.conn.transaction():
        found = await record_sql.travar(ctx.conn, INVENTARIOS.table, ctx.access.setores, id_)
        if found is None:
            raise NotFound(str(INVENTARIOS.entity.label), id_)
        now = EstadoDoInventario(found["estado"])
        rules.require_open(found["numero"], now, to)
        if to in (EstadoDoInventario.DECIDINDO, EstadoDoInventario.ENCERRADO):
            await _require_nothing_open(ctx, id_, decisions=to is EstadoDoInventario.ENCERRADO)
        changes: dict[str, Any] = {"estado": to}
        if to is EstadoDoInventario.ENCERRADO:
            changes |= {"encerrado_em": dt.datetime.now(dt.UTC), "encerrado_por": ctx.actor}
        await record_sql.atualizar(ctx.conn, INVENTARIOS.table, id_, changes)
        await record(ctx, INVENTARIOS, id_, _VERBS[now, to], {"estado": now}, {"estado": to})
        return await obter(ctx, INVENTARIOS, id_)


async def _require_nothing_open(ctx: Context, id_: UUID, *, decisions: bool) -> None:
    open_ = await sql.pendencias(ctx.conn, id_, decisions=decisions)
    told = []
    if open_.nao_verificados:
        number = open_.nao_verificados
        told.append(ngettext("%(num)s bem não foi verificado", "%(num)s bens não foram verificados", number,
                             num=decimal(number)))  # fmt: skip
    if open_.sem_decisao:
        number = open_.sem_decisao
        told.append(ngettext("%(num)s divergência está sem decisão", "%(num)s divergências estão sem decisão", number,
                             num=decimal(number)))  # fmt: skip
    if told:
        raise InvalidData(
            {
                "estado": _(
                    "Ainda não: %(open)s. Entre eles: %(some)s.", open="; ".join(told), some=", ".join(open_.quais)
                )
            }
        )


async def progresso(ctx: Context, id_: UUID) -> dict[str, int]:
    """How many items of a count within reach are in each state, and `sem_decisao`."""
    stored = json.loads(await obter(ctx, INVENTARIOS, id_))
    return (await sql.progresso(ctx.conn, [UUID(stored["id"])]))[id_]
