"""Maintenance: assets are sent to be repaired or looked after, and come back with what was done and what it cost."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from sispat.kernel.context import Context
from sispat.kernel.i18n import lazy
from sispat.kernel.situacoes import Situacao
from sispat.kernel.states import move
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import assets, away
from sispat.movimentacoes.fields import ConclusaoDeManutencao, NovaManutencao
from sispat.movimentacoes.kinds import MANUTENCOES

__all__ = ["CONSTRAINTS", "concluir", "enviar"]

CONSTRAINTS = {
    "manutencao_uma_aberta": ("numeros", lazy("Um dos bens já está em manutenção.")),
    "manutencao_concluida_apos_envio": ("concluido_em", lazy("A data deve ser igual ou posterior à do envio.")),
}


async def enviar(ctx: Context, new: NovaManutencao, today: dt.date) -> list[str]:
    """Send assets to maintenance, all or none; the documents (JSON), one for each."""
    ctx.access.require(rules.ENVIAR_PARA_MANUTENCAO)
    assets.require_past(new.enviado_em, today, "enviado_em")
    async with ctx.conn.transaction():
        found = await assets.with_numbers(ctx, new.numeros)
        await move(ctx, [each.id for each in found], Situacao.EM_MANUTENCAO, "enviar_para_manutencao")
        shared = {**new.model_dump(exclude={"numeros"}), "registrada_por": ctx.actor}
        return await away.open_for(ctx, MANUTENCOES, found, shared, "enviar_para_manutencao", CONSTRAINTS)


async def concluir(ctx: Context, id_: UUID, ended: ConclusaoDeManutencao, today: dt.date) -> str:
    """Note that an asset is back from maintenance; the document (JSON)."""
    ctx.access.require(rules.CONCLUIR_MANUTENCAO)
    assets.require_past(ended.concluido_em, today, "concluido_em")
    async with ctx.conn.transaction():
        found = await away.locked(ctx, MANUTENCOES, id_, rules.EstadoDaManutencao.ABERTA)
        await move(ctx, [found["patrimonio_id"]], Situacao.EM_USO, "concluir_manutencao")
        return await away.close(ctx, MANUTENCOES, found, ended.model_dump(), "concluir_manutencao", CONSTRAINTS)
