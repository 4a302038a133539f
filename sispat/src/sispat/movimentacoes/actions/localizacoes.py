"""Assets that nobody finds where they should stand, and those that are there again.

Promises: all assets or none; only what is missing is found: an asset that is lent or in maintenance comes back by the record
that says so, never by this.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from psycopg import errors

from sispat.cadastros import actions as cadastros
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.kernel.situacoes import Situacao
from sispat.kernel.states import Custody, move
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import assets, away
from sispat.movimentacoes.found import BensEncontrados, BensQueFaltam
from sispat.movimentacoes.kinds import LOCALIZACOES
from sispat.movimentacoes.rules import EstadoDaLocalizacao
from sispat.patrimonios.actions import CONSTRAINTS as OF_ASSETS
from sispat.patrimonios.custody import named

__all__ = ["encontrar", "notar_falta"]


async def notar_falta(ctx: Context, new: BensQueFaltam, today: dt.date) -> list[str]:
    """Note that assets are missing, all or none; the documents (JSON), one for each."""
    ctx.access.require(rules.LOCALIZAR)
    assets.require_past(new.data, today, "data")
    async with ctx.conn.transaction():
        found = await assets.with_numbers(ctx, new.numeros)
        await move(ctx, [each.id for each in found], Situacao.NAO_LOCALIZADO, "notar_falta")
        return await _noted(ctx, found, new, EstadoDaLocalizacao.NAO_LOCALIZADO, "notar_falta")


async def encontrar(ctx: Context, new: BensEncontrados, today: dt.date) -> list[str]:
    """Note that missing assets are there again, all or none, and where; the documents (JSON), one for each."""
    ctx.access.require(rules.LOCALIZAR)
    assets.require_past(new.data, today, "data")
    setor_id = await _setor_of(ctx, new.local_id)
    if new.agente_id is not None:
        await assets.require_in_reach(ctx, "agente", new.agente_id, "agente_id")
    async with ctx.conn.transaction():
        found = await assets.with_numbers(ctx, new.numeros)
        # Asked here and not of the table of transitions, which opens the way to “em uso” from other states, too.
        others = [each.numero for each in found if each.situacao != Situacao.NAO_LOCALIZADO]
        if others:
            raise InvalidData({"numeros": _("Não estão “Não localizado”: %(numbers)s.", numbers=named(others))})
        custody = Custody(setor_id, new.local_id, new.agente_id)
        try:
            await move(ctx, [each.id for each in found], Situacao.EM_USO, "encontrar", custody=custody)
        except errors.IntegrityError as error:
            raise explained(error, OF_ASSETS) from error
        return await _noted(ctx, found, new, EstadoDaLocalizacao.LOCALIZADO, "encontrar")


async def _noted(
    ctx: Context,
    found: Sequence[assets.Asset],
    new: BensQueFaltam | BensEncontrados,
    estado: EstadoDaLocalizacao,
    action: str,
) -> list[str]:
    shared = {"data": new.data, "circunstancia": new.circunstancia, "estado": estado, "registrada_por": ctx.actor}
    return await away.open_for(ctx, LOCALIZACOES, found, shared, action, {})


async def _setor_of(ctx: Context, local_id: UUID | None) -> UUID | None:
    """The setor of the local in reach and in use where they stand now."""
    if local_id is None:
        return None
    await assets.require_in_reach(ctx, "local", local_id, "local_id")
    setor_id: UUID = (await cadastros.obter(ctx, "local", local_id))["setor_id"]
    return setor_id
