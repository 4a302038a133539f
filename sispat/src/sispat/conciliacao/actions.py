"""Reconciling a closed month with accounting.

Promises: every account that has a balance is answered for, and what only accounting has is kept too; the office's balances are
those of the closing, read and kept in one transaction, in which the month cannot be reopened. What was recorded is never
changed: done again, it is another reconciliation, and the last one of a closing counts.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

from sispat.conciliacao import rules, sql
from sispat.conciliacao.fields import NovaConciliacao
from sispat.conciliacao.kinds import CONCILIACOES
from sispat.conciliacao.sql import Balance, Written
from sispat.kernel import formats, record_sql
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.kernel.records import obter, record

__all__ = ["conciliar", "contas", "saldos"]


async def conciliar(ctx: Context, new: NovaConciliacao) -> str:
    """Record the balances of accounting beside the office's; its document (JSON)."""
    ctx.access.require(rules.CONCILIAR)
    async with ctx.conn.transaction():
        closing = await _closing(ctx, new.competencia)
        written = await _written(ctx, new, await sql.saldos(ctx.conn, closing))
        gross = [each.contabil_bruto - each.bruto for each in written]
        taken = [each.contabil_acumulada - each.acumulada for each in written]
        row: dict[str, Any] = {
            "fechamento": closing, "competencia": new.competencia, "observacao": new.observacao, "contas": len(written),
            "diferencas": sum(bool(a or b) for a, b in zip(gross, taken, strict=True)),
            "diferenca_bruto": sum(gross, Decimal(0)), "diferenca_acumulada": sum(taken, Decimal(0)),
            "registrada_por": ctx.actor,
        }  # fmt: skip
        (id_,) = await record_sql.inserir(ctx.conn, CONCILIACOES.table, row, [{}])
        await sql.inserir_contas(ctx.conn, id_, written)
        await record(ctx, CONCILIACOES, id_, "conciliar", None, row)
        return await obter(ctx, CONCILIACOES, id_)


async def _closing(ctx: Context, month: dt.date) -> int:
    closing = await sql.travar_fechamento(ctx.conn, month)
    if closing is None:
        text = _("O mês %(month)s não está fechado: feche-o antes de conciliar.", month=formats.month(month))
        raise InvalidData({"competencia": text})
    return closing


async def _written(ctx: Context, new: NovaConciliacao, balances: list[Balance]) -> list[Written]:
    twice = [conta for conta, times in Counter(each.conta for each in new.contas).items() if times > 1]
    if twice:
        raise InvalidData({"contas": _("A conta %(account)s está mais de uma vez na lista.", account=twice[0])})
    given = {each.conta: each for each in new.contas}
    missing = [each.conta for each in balances if each.conta not in given]
    if missing:
        raise InvalidData(
            {"contas": _("Falta o saldo contábil destas contas: %(accounts)s.", accounts=", ".join(missing))}
        )
    ours = {each.conta: each for each in balances}
    names = await sql.nomes(ctx.conn, [conta for conta in given if conta not in ours])
    nothing = Decimal(0)
    written = []
    for conta, typed in sorted(given.items()):
        own = ours.get(conta) or Balance(conta, names.get(conta, conta), nothing, nothing)
        written.append(Written(*own, typed.bruto, typed.acumulada, typed.justificativa))
    return written


async def saldos(ctx: Context, month: dt.date) -> list[Balance]:
    """The office's balances at the end of a closed month; raises `InvalidData` for one that is not closed."""
    ctx.access.require(rules.VER)
    return await sql.saldos(ctx.conn, await _closing(ctx, month))


async def contas(ctx: Context, id_: UUID) -> list[dict[str, Any]]:
    """The accounts of a reconciliation, those that differ first."""
    await obter(ctx, CONCILIACOES, id_)
    return await sql.contas(ctx.conn, id_)
