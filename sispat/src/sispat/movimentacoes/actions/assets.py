"""The assets that a movement is about, found and locked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from sispat.cadastros import actions as cadastros
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.formats import decimal
from sispat.kernel.i18n import _
from sispat.movimentacoes.rules import CARGA_MAXIMA, DE_UMA_VEZ
from sispat.movimentacoes.sql.assets import Asset, take_time, travar
from sispat.patrimonios.custody import named

__all__ = ["Asset", "all_of", "require_in_reach", "require_past", "require_setor", "with_numbers"]


async def with_numbers(ctx: Context, numeros: Sequence[int]) -> list[Asset]:
    """Lock the assets with these numbers; raises `InvalidData` for those that are not there, out of reach or written off."""
    if not numeros:
        raise InvalidData({"numeros": _("Informe o número de pelo menos um bem.")})
    found = await travar(ctx.conn, ctx.access.setores, numeros=numeros, most=DE_UMA_VEZ)
    missing = sorted(set(numeros) - {each.numero for each in found})
    if missing:
        raise InvalidData(
            {
                "numeros": _(
                    "Não existem, estão baixados ou não estão ao seu alcance: %(numbers)s.", numbers=named(missing)
                )
            }
        )
    return found


async def all_of(ctx: Context, agente_id: UUID, field: str) -> list[Asset]:
    """Lock all assets within reach that an agente has; `field` is the one that named the agente."""
    await take_time(ctx.conn)
    found = await travar(ctx.conn, ctx.access.setores, agente_id=agente_id, most=CARGA_MAXIMA + 1)
    if not found:
        raise InvalidData({field: _("Esta pessoa não tem bens ao seu alcance.")})
    if len(found) > CARGA_MAXIMA:
        raise InvalidData(
            {field: _("São mais de %(most)s bens. Informe os números, em partes.", most=decimal(CARGA_MAXIMA))}
        )
    return found


async def require_in_reach(ctx: Context, kind: str, id_: UUID, field: str, setor_id: UUID | None = None) -> None:
    """Raise `InvalidData` unless the register `kind` has this row in use and within reach, in `setor_id` if given."""
    try:
        row = await cadastros.obter(ctx, kind, id_)
    except NotFound:
        row = {"ativo": False}
    if not row["ativo"] or (setor_id is not None and row["setor_id"] != setor_id):
        raise InvalidData({field: _("Escolha um item da lista.")})


async def require_setor(ctx: Context, id_: UUID, field: str) -> None:
    """Raise `InvalidData` unless this setor is in use: also one out of reach, to which something is handed over."""
    setor = await cadastros.escolha(ctx, "setor", id_, whole_city=True)
    if setor is None or not setor.ativo:
        raise InvalidData({field: _("Escolha um item da lista.")})


def require_past(date: dt.date, today: dt.date, field: str) -> None:
    """Raise `InvalidData` for a day that has not come yet: what is noted has happened."""
    if date > today:
        raise InvalidData({field: _("Este dia ainda não chegou.")})
