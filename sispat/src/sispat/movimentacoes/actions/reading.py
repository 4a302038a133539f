"""What is read of movements, the same for all kinds: one, a list, the history, an export."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.errors import NotFound
from sispat.movimentacoes.kinds import Kind
from sispat.movimentacoes.listing import ListaDeMovimentacoes, ListPage, cursor_at, place_of
from sispat.movimentacoes.rules import VER
from sispat.movimentacoes.sql import listing as sql

__all__ = ["exportar", "historico", "listar", "lote_exportado", "nomes", "obter", "query"]


async def obter(ctx: Context, kind: Kind, id_: UUID) -> str:
    """The document (JSON) of one movement within reach."""
    ctx.access.require(VER)
    document = await sql.ler(ctx.conn, kind.table, ctx.access.setores, id_)
    if document is None:
        raise NotFound(str(kind.entity.label), id_)
    return document


async def listar(ctx: Context, kind: Kind, asked: ListaDeMovimentacoes, today: dt.date) -> ListPage:
    """One page, newest first, walked by key; `today` decides what is late."""
    ctx.access.require(VER)
    below = place_of(kind.entity.name, asked.cursor)
    rows = await sql.listar(ctx.conn, kind.table, query(ctx, kind, asked, today, below, asked.limit + 1))
    shown = rows[: asked.limit]
    following = cursor_at(kind.entity.name, shown[-1].numero) if len(rows) > asked.limit else None
    return ListPage([row.document for row in shown], following)


def query(
    ctx: Context, kind: Kind, asked: ListaDeMovimentacoes, today: dt.date, below: int | None, limit: int
) -> sql.Query:
    """What `asked` means in SQL, within reach."""
    setores = ctx.access.setores
    if asked.setor is not None:  # one out of reach is walked as none
        setores = (asked.setor,) if ctx.access.reaches(asked.setor) else ()
    conditions: list[tuple[str, Any]] = []
    if kind.due is not None and asked.estado == kind.due[1]:
        # By the column and not by the state, as the index of what is open says it. Whether many are late, so that a page of
        # the newest is soon full, or few, which are then collected, is the planner's to know.
        conditions.append((f"m.{kind.due[2]} is null and m.previsao < %s", today))
    elif asked.estado is not None:
        conditions.append(("m.estado = %s", asked.estado))
    if asked.bem is not None:
        conditions.append((kind.table.of_asset, asked.bem))
    return sql.Query(setores, conditions, below, limit, few=asked.bem is not None)


async def historico(ctx: Context, kind: Kind, id_: UUID) -> list[dict[str, Any]]:
    """What happened to one movement within reach, newest first."""
    await obter(ctx, kind, id_)
    return await audit.history(ctx.conn, id_)


async def exportar(ctx: Context, kind: Kind, asked: ListaDeMovimentacoes) -> None:
    """Note in the audit that this person takes what `asked` finds out of the service, before the first line leaves."""
    ctx.access.require(VER)
    filters = {name: value for name, value in asked.model_dump(exclude_defaults=True).items() if value is not None}
    await audit.record(
        ctx.conn,
        actor=ctx.actor,
        key_id=ctx.key_id,
        request_id=ctx.request_id,
        entidade="usuario",
        entidade_id=ctx.actor,
        acao="exportar_movimentacoes",
        depois={"lista": kind.plural, **filters},
    )


async def lote_exportado(
    ctx: Context, kind: Kind, asked: ListaDeMovimentacoes, today: dt.date, below: int | None, size: int = 2000
) -> tuple[list[dict[str, Any]], int | None]:
    """The next movements of an export, and the number to go on below; None: these are the last."""
    ctx.access.require(VER)
    rows = await sql.listar(ctx.conn, kind.table, query(ctx, kind, asked, today, below, size))
    return [json.loads(row.document) for row in rows], rows[-1].numero if len(rows) == size else None


async def nomes(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The numbers of the movements among `ids`, which somebody's history names."""
    ctx.access.require(VER)
    return {id_: str(numero) for id_, numero in (await sql.numeros(ctx.conn, ids)).items()}
