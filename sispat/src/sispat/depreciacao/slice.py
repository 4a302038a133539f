"""Depreciation and the closing of months, as the application sees them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sispat.depreciacao import actions, rules
from sispat.depreciacao.fields import (
    FECHAMENTO,
    LANCAMENTO,
    LINHA,
    SOMA,
    ListaDeLancamentos,
    NovoFechamento,
    ReaberturaDeMes,
)
from sispat.depreciacao.kinds import FECHAMENTOS
from sispat.depreciacao.routes import route
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.context import Context
from sispat.kernel.fields import labels_of
from sispat.kernel.i18n import lazy
from sispat.kernel.records import numbers_of
from sispat.ui.records import exports_of

__all__ = ["SLICE"]


async def _numbers(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    return await numbers_of(ctx, [FECHAMENTOS], ids) if ctx.access.may(rules.VER) else {}


SLICE = Slice(
    name="depreciacao",
    routes=route,
    menu=[MenuEntry(27, FECHAMENTOS.path, lazy("Fechamentos"), rules.VER)],
    actions=rules.ACTIONS,
    constraints=actions.CONSTRAINTS,
    entities=[FECHAMENTO],
    labels=labels_of(NovoFechamento, ReaberturaDeMes, ListaDeLancamentos)
    | {n: s.ui.label for each in (SOMA, LANCAMENTO, LINHA) for n, s in each.fields.items()},
    verbs={
        "fechar_mes": lazy("Fechou o mês"),
        "reabrir_mes": lazy("Reabriu o mês"),
        "exportar_fechamentos": lazy("Exportou fechamentos"),
        "exportar_fechamento": lazy("Exportou os bens de um mês"),
        "exportar_lancamentos": lazy("Exportou os lançamentos de um mês"),
    },
    notices={"mes-reaberto": lazy("Mês reaberto. Corrija o que for preciso e feche-o de novo.")},
    names=_numbers,
    reports=exports_of(FECHAMENTOS),
    jobs=[actions.FECHAR_MES],
)
