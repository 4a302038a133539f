"""Write-offs: assets leave the books for a motive, with what the law asks of it; an administrator may take one back.

Promises: one write-off of an asset stands at most. What a motive asks for is asked here, field by field, and once more by the
database's constraints. Taken back, the asset is where it was before, and both stay in the audit.
"""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from sispat.comissoes.actions import acting
from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _, lazy
from sispat.kernel.situacoes import Situacao
from sispat.kernel.states import move
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import assets, away
from sispat.movimentacoes.fields import EstornoDeBaixa, NovaBaixa
from sispat.movimentacoes.kinds import BAIXAS
from sispat.patrimonios.custody import named

__all__ = ["CONSTRAINTS", "baixar", "estornar"]

CONSTRAINTS = {
    "baixa_comissao_id_fkey": ("comissao_id", lazy("A comissão escolhida não existe.")),
    "baixa_uma_efetiva": ("numeros", lazy("Um dos bens já está baixado.")),
    **{
        f"baixa_{motivo}_exige": ("motivo", lazy("Falta o que este motivo exige."))
        for motivo in rules.MotivoDaBaixa
        if rules.REQUIRED[motivo]
    },
}


async def baixar(ctx: Context, new: NovaBaixa, today: dt.date, fewest_members: int) -> list[str]:
    """Write assets off, all or none; the documents (JSON), one for each."""
    ctx.access.require(rules.BAIXAR)
    assets.require_past(new.data, today, "data")
    given = new.model_dump(exclude={"numeros"})
    if new.comissao_id is not None:
        given |= (await acting(ctx, new.comissao_id, FinalidadeDaComissao.BAIXA, new.data))._asdict()
    wrong = rules.missing_of_baixa(new.motivo, given, fewest_members)
    if wrong:
        raise InvalidData(wrong)
    async with ctx.conn.transaction():
        found = await assets.with_numbers(ctx, new.numeros)
        not_ours = [each.numero for each in found if not rules.may_leave_by(new.motivo, each.posse)]
        if not_ours:
            raise InvalidData(
                {"numeros": _("Não são da cidade, e ela não pode aliená-los: %(numbers)s.", numbers=named(not_ours))}
            )
        await move(ctx, [each.id for each in found], Situacao.BAIXADO, "baixar")
        shared = {**given, "registrada_por": ctx.actor}
        own = {each.id: {"valor": each.valor, "situacao_anterior": each.situacao} for each in found}
        return await away.open_for(ctx, BAIXAS, found, shared, "baixar", CONSTRAINTS, own)


async def estornar(ctx: Context, id_: UUID, undone: EstornoDeBaixa) -> str:
    """Take a write-off back: the asset is as it was before; the document (JSON)."""
    ctx.access.require(rules.ESTORNAR_BAIXA)
    async with ctx.conn.transaction():
        found = await away.locked(ctx, BAIXAS, id_, rules.EstadoDaBaixa.EFETIVA)
        before = Situacao(found["situacao_anterior"])
        await move(ctx, [found["patrimonio_id"]], before, "estornar_baixa", reversing=True)
        now = dt.datetime.now(dt.UTC)
        changes = {**undone.model_dump(), "estornada_em": now, "estornada_por": ctx.actor}
        return await away.close(ctx, BAIXAS, found, changes, "estornar_baixa", CONSTRAINTS)
