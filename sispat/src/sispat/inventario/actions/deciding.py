"""Divergences decided, one by one.

Promises: what a decision does to the asset is the movement's own use case, with its permission and its refusals, in the
transaction of the decision; each is decided once, while the count is `decidindo`; nothing is lost or moved by itself.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sispat.cadastros import actions as cadastros
from sispat.inventario import rules, sql
from sispat.inventario.fields import DecisaoDeItem
from sispat.inventario.kinds import INVENTARIOS, ITENS
from sispat.inventario.rules import Decisao, EstadoDoInventario
from sispat.kernel import record_sql
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.i18n import _
from sispat.kernel.records import obter, record
from sispat.movimentacoes.actions import localizacoes, regularizacoes, transferencias
from sispat.movimentacoes.fields import NovaTransferencia
from sispat.movimentacoes.found import BensEncontrados, BensQueFaltam, NovaRegularizacao

__all__ = ["decidir", "possible", "regularizar", "require_changing"]


def possible(item: Mapping[str, Any]) -> tuple[Decisao, ...]:
    """What may be decided of an item, by its row or its document."""
    seen, expected = (item[name] if (name := f"{each}_id") in item else item[each] for each in ("local_visto", "local"))
    return rules.decisions(item["estado"], item["situacao"], elsewhere=seen is not None and seen != expected)


async def decidir(ctx: Context, item_id: UUID, decision: DecisaoDeItem, today: dt.date) -> str:
    """Decide a divergence and do what that means; the item's document (JSON)."""
    ctx.access.require(rules.DECIDIR)
    async with ctx.conn.transaction():
        item = await _locked(ctx, item_id)
        if decision.decisao is Decisao.REGULARIZAR:
            raise InvalidData({"decisao": _("Regularize o bem pela ficha do item: é preciso dizer o que ele é.")})
        _require_possible(item, decision.decisao)
        made = await _DONE[decision.decisao](ctx, item, decision, today)
        return await _write_down(ctx, item, decision.decisao, decision.justificativa, made)


async def regularizar(ctx: Context, item_id: UUID, new: NovaRegularizacao, today: dt.date) -> str:
    """Register what was found without a plate; the item's document (JSON)."""
    ctx.access.require(rules.DECIDIR)
    async with ctx.conn.transaction():
        item = await _locked(ctx, item_id)
        _require_possible(item, Decisao.REGULARIZAR)
        made = json.loads(await regularizacoes.regularizar(ctx, new, today))
        return await _write_down(
            ctx, item, Decisao.REGULARIZAR, new.circunstancia[:500], f"/regularizacoes/{made['id']}"
        )


async def _locked(ctx: Context, item_id: UUID) -> dict[str, Any]:
    """The item, locked, of a count in which decisions are made now."""
    item = await record_sql.travar(ctx.conn, ITENS.table, ctx.access.setores, item_id)
    if item is None:
        raise NotFound(str(ITENS.entity.label), item_id)
    counted = await sql.para_contar(ctx.conn, ctx.access.setores, item["inventario_id"])
    assert counted is not None  # an item within reach is of a count within reach
    if counted.estado != EstadoDoInventario.DECIDINDO:
        state = EstadoDoInventario(counted.estado).label
        raise InvalidData(
            {
                "estado": _(
                    "O inventário %(number)s está “%(state)s”; as divergências são decididas quando ele está em decisão.",
                    number=counted.numero,
                    state=state,
                )
            }
        )
    return item


def _require_possible(item: Mapping[str, Any], decision: Decisao) -> None:
    if item["decisao"] is not None:
        raise InvalidData({"decisao": _("Já foi decidido: “%(decision)s”.", decision=Decisao(item["decisao"]).label)})
    open_ = possible(item)
    if decision not in open_:
        ways = ", ".join(f"“{each.label}”" for each in open_) or _("nenhuma")
        raise InvalidData({"decisao": _("Não serve para este item; permitido: %(ways)s.", ways=ways)})


async def _transfer(ctx: Context, item: Mapping[str, Any], decision: DecisaoDeItem, today: dt.date) -> str:
    del today
    destino_id = (await cadastros.obter(ctx, "local", item["local_visto_id"]))["setor_id"]
    asked = NovaTransferencia(
        numeros=(item["plaqueta"],),
        destino_id=destino_id,
        local_id=item["local_visto_id"],
        agente_id=decision.agente_id,
        motivo=decision.justificativa,
    )
    (made,) = await transferencias.pedir(ctx, asked)
    return f"/transferencias/{json.loads(made)['id']}"


async def _miss(ctx: Context, item: Mapping[str, Any], decision: DecisaoDeItem, today: dt.date) -> str:
    noted = BensQueFaltam(numeros=(item["plaqueta"],), data=today, circunstancia=decision.justificativa)
    (made,) = await localizacoes.notar_falta(ctx, noted, today)
    return f"/localizacoes/{json.loads(made)['id']}"


async def _find(ctx: Context, item: Mapping[str, Any], decision: DecisaoDeItem, today: dt.date) -> str:
    noted = BensEncontrados(
        numeros=(item["plaqueta"],),
        data=today,
        circunstancia=decision.justificativa,
        local_id=item["local_visto_id"],
        agente_id=decision.agente_id,
    )
    (made,) = await localizacoes.encontrar(ctx, noted, today)
    return f"/localizacoes/{json.loads(made)['id']}"


async def _keep(ctx: Context, item: Mapping[str, Any], decision: DecisaoDeItem, today: dt.date) -> str:
    del ctx, item, decision, today
    return ""


_DONE = {
    Decisao.TRANSFERIR: _transfer,
    Decisao.NAO_LOCALIZAR: _miss,
    Decisao.REENCONTRAR: _find,
    Decisao.MANTER: _keep,
}


async def _write_down(ctx: Context, item: Mapping[str, Any], decision: Decisao, why: str, made: str) -> str:
    changes = {
        "decisao": decision, "justificativa": why, "movimento": made, "decidido_por": ctx.actor,
        "decidido_em": dt.datetime.now(dt.UTC),
    }  # fmt: skip
    await record_sql.atualizar(ctx.conn, ITENS.table, item["id"], changes)
    told = {"decisao": decision, "justificativa": why, "movimento": made}
    await record(ctx, ITENS, item["id"], "decidir_divergencia", {"decisao": None}, told)
    return await obter(ctx, ITENS, item["id"])


async def require_changing(ctx: Context, item_id: UUID) -> None:
    """Raise `InvalidData` for an item of a closed count: no photo is attached to it any more."""
    item = json.loads(await obter(ctx, ITENS, item_id))
    counted = await sql.para_contar(ctx.conn, ctx.access.setores, UUID(item["inventario"]["id"]))
    if counted is not None and counted.estado == EstadoDoInventario.ENCERRADO:
        raise InvalidData({INVENTARIOS.entity.name: _("O inventário está encerrado, e nada dele muda mais.")})
