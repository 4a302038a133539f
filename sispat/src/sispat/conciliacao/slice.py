"""Reconciliations, as the application sees them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sispat.conciliacao import rules
from sispat.conciliacao.fields import CONCILIACAO, NovaConciliacao, SaldoContabil
from sispat.conciliacao.kinds import CONCILIACOES
from sispat.conciliacao.routes import route
from sispat.http.slices import Slice
from sispat.kernel.context import Context
from sispat.kernel.fields import labels_of
from sispat.kernel.i18n import lazy
from sispat.kernel.records import numbers_of
from sispat.ui.records import exports_of

__all__ = ["SLICE"]


async def _numbers(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    return await numbers_of(ctx, [CONCILIACOES], ids) if ctx.access.may(rules.VER) else {}


SLICE = Slice(
    name="conciliacao",
    routes=route,
    actions=rules.ACTIONS,
    entities=[CONCILIACAO],
    labels=labels_of(NovaConciliacao, SaldoContabil),
    verbs={
        "conciliar": lazy("Conciliou com a contabilidade"),
        "exportar_conciliacoes": lazy("Exportou conciliações"),
    },
    notices={"conciliado": lazy("Conciliação registrada.")},
    names=_numbers,
    reports=exports_of(CONCILIACOES),
)
