"""Commissions, as the application sees them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sispat.comissoes import actions, rules
from sispat.comissoes.fields import COMISSAO, Comissao, EncerramentoDeComissao, ListaDeComissoes
from sispat.comissoes.kinds import COMISSOES
from sispat.comissoes.routes import route
from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.context import Context
from sispat.kernel.fields import labels_of
from sispat.kernel.i18n import lazy
from sispat.kernel.records import numbers_of
from sispat.ui.records import exports_of

__all__ = ["SLICE"]


async def _numbers(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    return await numbers_of(ctx, [COMISSOES], ids)


SLICE = Slice(
    name="comissoes",
    routes=route,
    menu=[MenuEntry(25, COMISSOES.path, COMISSOES.title)],
    actions=rules.ACTIONS,
    constraints=actions.CONSTRAINTS,
    entities=[COMISSAO],
    labels=labels_of(Comissao, EncerramentoDeComissao, ListaDeComissoes),
    verbs={
        "nomear_comissao": lazy("Nomeou a comissão"),
        "encerrar_comissao": lazy("Encerrou a comissão"),
        "exportar_comissoes": lazy("Exportou comissões"),
    },
    notices={"comissao-encerrada": lazy("Comissão encerrada.")},
    names=_numbers,
    reports=exports_of(COMISSOES),
)
