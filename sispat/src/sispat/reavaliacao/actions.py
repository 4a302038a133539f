"""Reports on values: registered, taken back.

Promises: all assets of a report or none; each depreciates anew from its month on, and what it was worth before stays written
beside what it is worth after. Only of a month that is open: what was closed never changes. Taken back by an administrator
while its month is open, the assets are worth what they were.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from psycopg import errors

from sispat.comissoes.actions import acting
from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.depreciacao import actions as depreciacao
from sispat.depreciacao.rules import Balance, Regra, month_of, value_before
from sispat.kernel import formats, record_sql
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.i18n import _, lazy
from sispat.kernel.paging import Place, cursor_at, place_of
from sispat.kernel.records import obter, record
from sispat.kernel.situacoes import Posse
from sispat.patrimonios.custody import named
from sispat.reavaliacao import rules, sql
from sispat.reavaliacao.fields import EstornoDeReavaliacao, ListaDeItens, NovaReavaliacao
from sispat.reavaliacao.kinds import REAVALIACOES
from sispat.reavaliacao.rules import Outcome

__all__ = ["CONSTRAINTS", "estornar", "itens", "reavaliar"]

CONSTRAINTS = {
    "reavaliacao_comissao_id_fkey": ("comissao_id", lazy("A comissão escolhida não existe.")),
    "reavaliacao_uma_vez_no_mes": (
        "bens",
        lazy("Um dos bens já tem um laudo neste mês. Estorne-o antes, ou espere o seguinte."),
    ),
}


async def reavaliar(ctx: Context, new: NovaReavaliacao, today: dt.date) -> str:
    """Register a report; its document (JSON)."""
    ctx.access.require(rules.REAVALIAR)
    if new.data > today:
        raise InvalidData({"data": _("Este dia ainda não chegou.")})
    await _require_open(ctx, new.data, "data")
    commission = await acting(ctx, new.comissao_id, FinalidadeDaComissao.AVALIACAO, new.data)
    async with ctx.conn.transaction():
        found = await _locked(ctx, new)
        written = await _written(ctx, new, found, await depreciacao.regra_em_vigor(ctx))
        shared: dict[str, Any] = {
            **{name: getattr(new, name) for name in ("tipo", "data", "laudo", "comissao_id", "justificativa")},
            **commission._asdict(),
            "bens": len(written),
            "valor_antes": sum(before.liquido for _, before, _ in written),
            "valor_depois": sum(each.after.liquido for _, _, each in written),
            "registrada_por": ctx.actor,
        }
        try:
            (id_,) = await record_sql.inserir(ctx.conn, REAVALIACOES.table, shared, [{}])
            await sql.inserir_itens(ctx.conn, id_, new.tipo, new.data, written, ctx.author)
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error
        await record(ctx, REAVALIACOES, id_, "registrar_laudo", None, shared)
        return await obter(ctx, REAVALIACOES, id_)


async def _require_open(ctx: Context, day: dt.date, field: str) -> None:
    last = await depreciacao.ultimo(ctx)
    if last is not None and month_of(day) <= month_of(last.competencia):
        month = formats.month(last.competencia)
        raise InvalidData({field: _("Os meses até %(month)s estão fechados e não mudam mais.", month=month)})


async def _locked(ctx: Context, new: NovaReavaliacao) -> list[sql.Locked]:
    found = await sql.travar(ctx.conn, [each.numero for each in new.bens], new.classe_id, rules.DE_UMA_VEZ + 1)
    if new.classe_id is not None:
        if not found:
            raise InvalidData({"classe_id": _("Esta classe não tem bens da cidade.")})
        if len(found) > rules.DE_UMA_VEZ:
            most = formats.decimal(rules.DE_UMA_VEZ)
            raise InvalidData({"classe_id": _("São mais de %(most)s bens. Informe os números, em partes.", most=most)})
    missing = sorted({each.numero for each in new.bens} - {each.numero for each in found})
    if missing:
        raise InvalidData({"bens": _("Não existem ou estão baixados: %(numbers)s.", numbers=named(missing))})
    others = sorted(each.numero for each in found if each.posse != Posse.PROPRIO)
    if others:
        raise InvalidData({"bens": _("Não são da cidade: %(numbers)s.", numbers=named(others))})
    return found


async def _written(
    ctx: Context, new: NovaReavaliacao, found: Sequence[sql.Locked], rule: Regra
) -> list[tuple[UUID, Balance, Outcome]]:
    values = {each.numero: each.valor for each in new.bens}
    facts = await depreciacao.fatos(ctx, [each.id for each in found])
    month = month_of(new.data) + rule.shift
    written, early = [], []
    for each in found:
        asset = facts[each.id]
        if asset.acquired > new.data or any(month_of(r.day) > month_of(new.data) for r in asset.revaluations):
            early.append(each.numero)
            continue
        before = value_before(asset, new.data, rule)
        value = values.get(each.numero)
        if new.percentual is not None:
            value = (before.liquido * new.percentual / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
        made = rules.outcome(
            new.tipo, before, asset.plan(month - 1, rule), month, value, new.vida_util_meses, new.residual_pct
        )
        if wrong := rules.wrong_outcome(new.tipo, before, made):
            raise InvalidData({f: _("Bem %(number)s: %(what)s", number=formats.plate_number(each.numero), what=text)
                               for f, text in wrong.items()})  # fmt: skip
        written.append((each.id, before, made))
    if early:
        text = _("Foram adquiridos ou reavaliados depois desta data: %(numbers)s.", numbers=named(early))
        raise InvalidData({"data": text})
    return written


async def estornar(ctx: Context, id_: UUID, undone: EstornoDeReavaliacao) -> str:
    """Take a report back while its month is open; its document (JSON)."""
    ctx.access.require(rules.ESTORNAR)
    async with ctx.conn.transaction():
        found = await record_sql.travar(ctx.conn, REAVALIACOES.table, None, id_)
        if found is None:
            raise NotFound(_("A reavaliação"), id_)
        if found["estornada_em"] is not None:
            raise InvalidData({"estado": _("Este laudo já foi estornado.")})
        await _require_open(ctx, found["data"], "estado")
        changes = {**undone.model_dump(), "estornada_em": dt.datetime.now(dt.UTC), "estornada_por": ctx.actor}
        await record_sql.atualizar(ctx.conn, REAVALIACOES.table, id_, changes)
        await sql.estornar_itens(ctx.conn, id_, ctx.author)
        await record(ctx, REAVALIACOES, id_, "estornar_laudo", {name: found[name] for name in changes}, changes)
        return await obter(ctx, REAVALIACOES, id_)


async def itens(ctx: Context, id_: UUID, asked: ListaDeItens) -> tuple[list[dict[str, Any]], str | None]:
    """A page of the assets of a report, and where the next one begins."""
    stored = json.loads(await obter(ctx, REAVALIACOES, id_))
    name = f"reavaliacao {stored['numero']}"
    place = place_of(name, asked.cursor)
    found = await sql.itens(ctx.conn, id_, 0 if place is None else place.numero, asked.limit + 1)
    shown = found[: asked.limit]
    following = cursor_at(name, Place("0", shown[-1]["numero"])) if len(found) > asked.limit else None
    return shown, following
