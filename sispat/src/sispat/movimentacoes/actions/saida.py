"""An agente leaves: everything in their custody goes to somebody else at once.

Promises: all of it or nothing, assets and imóveis, also what is lent, in maintenance or in transfer; each is audited, and so
is the handover, with both names. Nobody who still has any, or has borrowed an asset, is retired (constraints of the register).
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sispat.cadastros import actions as cadastros
from sispat.cadastros.fields import Agente
from sispat.imoveis import actions as imoveis
from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.kernel.patches import patch_of
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import assets
from sispat.movimentacoes.fields import SaidaDeAgente
from sispat.movimentacoes.sql.assets import take_time
from sispat.patrimonios.custody import passar_toda_a_carga

__all__ = ["Passados", "passar_carga"]

_RETIRED = patch_of("AgenteQueSai", Agente).model_validate({"ativo": False})


class Passados(NamedTuple):
    """How many changed hands."""

    bens: int
    imoveis: int


async def passar_carga(ctx: Context, id_: UUID, leaving: SaidaDeAgente) -> Passados:
    """Hand everything of an agente over, and retire them if so asked; how much changed hands."""
    ctx.access.require(rules.PASSAR_CARGA)
    if leaving.sucessor_id == id_:
        raise InvalidData({"sucessor_id": _("Escolha outra pessoa: é a que sai.")})
    await assets.require_in_reach(ctx, "agente", leaving.sucessor_id, "sucessor_id")
    async with ctx.conn.transaction():
        agente = await cadastros.obter(ctx, "agente", id_)
        successor = await cadastros.obter(ctx, "agente", leaving.sucessor_id)
        await take_time(ctx.conn)
        number = Passados(
            await passar_toda_a_carga(ctx, id_, leaving.sucessor_id),
            await imoveis.passar_toda_a_carga(ctx, id_, leaving.sucessor_id),
        )
        await audit.record(
            ctx.conn, actor=ctx.actor, key_id=ctx.key_id, request_id=ctx.request_id, entidade="agente", entidade_id=id_,
            acao="passar_carga",
            depois={"sucessor": successor["nome"], **number._asdict(), "motivo": leaving.motivo},
        )  # fmt: skip
        if leaving.desativar and agente["ativo"]:
            await cadastros.corrigir(ctx, "agente", id_, _RETIRED, agente["versao"])
        return number
