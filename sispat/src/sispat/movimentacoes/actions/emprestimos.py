"""Loans: assets leave for a while, to somebody of the city hall or from outside, and come back one by one."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from sispat.kernel import formats
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _, lazy
from sispat.kernel.situacoes import Situacao
from sispat.kernel.states import move
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import assets, away
from sispat.movimentacoes.fields import DevolucaoDeEmprestimo, NovoEmprestimo, ProrrogacaoDeEmprestimo
from sispat.movimentacoes.kinds import EMPRESTIMOS

__all__ = ["CONSTRAINTS", "devolver", "emprestar", "prorrogar"]

CONSTRAINTS = {
    "emprestimo_agente_id_fkey": ("agente_id", lazy("O agente escolhido não existe.")),
    "emprestimo_um_aberto": ("numeros", lazy("Um dos bens já está emprestado.")),
    "emprestimo_devolvido_apos_saida": (
        "devolvido_em",
        lazy("A data deve ser igual ou posterior à do empréstimo."),
    ),
}


async def emprestar(ctx: Context, new: NovoEmprestimo, today: dt.date) -> list[str]:
    """Lend assets, all or none; the documents (JSON) of the loans, one for each."""
    ctx.access.require(rules.EMPRESTAR)
    assets.require_past(new.saida, today, "saida")
    if new.agente_id is not None:
        await assets.require_in_reach(ctx, "agente", new.agente_id, "agente_id")
    async with ctx.conn.transaction():
        found = await assets.with_numbers(ctx, new.numeros)
        await move(ctx, [each.id for each in found], Situacao.EMPRESTADO, "emprestar")
        shared = {**new.model_dump(exclude={"numeros"}), "registrado_por": ctx.actor}
        return await away.open_for(ctx, EMPRESTIMOS, found, shared, "emprestar", CONSTRAINTS)


async def devolver(ctx: Context, id_: UUID, returned: DevolucaoDeEmprestimo, today: dt.date) -> str:
    """Note that a lent asset came back; the document (JSON) of the loan."""
    ctx.access.require(rules.DEVOLVER)
    assets.require_past(returned.devolvido_em, today, "devolvido_em")
    async with ctx.conn.transaction():
        found = await away.locked(ctx, EMPRESTIMOS, id_, rules.EstadoDoEmprestimo.ABERTO)
        await move(ctx, [found["patrimonio_id"]], Situacao.EM_USO, "devolver_emprestimo")
        return await away.close(ctx, EMPRESTIMOS, found, returned.model_dump(), "devolver_emprestimo", CONSTRAINTS)


async def prorrogar(ctx: Context, id_: UUID, extended: ProrrogacaoDeEmprestimo, today: dt.date) -> str:
    """Give a loan a later day, after which it is late; the document (JSON). Each time is audited, with who and why."""
    ctx.access.require(rules.PRORROGAR)
    async with ctx.conn.transaction():
        found = await away.locked(ctx, EMPRESTIMOS, id_, rules.EstadoDoEmprestimo.ABERTO)
        if extended.previsao <= found["previsao"]:
            told = formats.date(found["previsao"])
            raise InvalidData({"previsao": _("O novo dia vem depois do que estava marcado, %(date)s.", date=told)})
        if extended.previsao < today:
            raise InvalidData({"previsao": _("Este dia já passou: o empréstimo continuaria atrasado.")})
        changes = {
            "previsao": extended.previsao,
            "prorrogacoes": found["prorrogacoes"] + 1,
            "prorrogacao": extended.motivo,
            "prorrogado_por": ctx.actor,
        }
        return await away.close(ctx, EMPRESTIMOS, found, changes, "prorrogar_emprestimo", CONSTRAINTS)
