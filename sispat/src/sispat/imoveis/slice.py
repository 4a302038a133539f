"""Imóveis, as the application sees them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sispat.documentos.rules import ANEXAR
from sispat.http.slices import MenuEntry, Slice
from sispat.imoveis import actions, rules
from sispat.imoveis.fields import IMOVEL, NovoImovel
from sispat.imoveis.kinds import IMOVEIS, KINDS, ListaDeImoveis
from sispat.imoveis.movements import EstornoDeBaixaDeImovel, NovaBaixaDeImovel, NovaDestinacao
from sispat.imoveis.routes import route
from sispat.kernel.context import Context
from sispat.kernel.fields import labels_of
from sispat.kernel.files import Attachable
from sispat.kernel.i18n import lazy
from sispat.kernel.records import numbers_of
from sispat.ui.records import exports_of

__all__ = ["SLICE"]


async def _numbers(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    return await numbers_of(ctx, KINDS, ids)


SLICE = Slice(
    name="imoveis",
    routes=route,
    menu=[MenuEntry(12, IMOVEIS.path, IMOVEIS.title)],
    actions=rules.ACTIONS,
    constraints=actions.CONSTRAINTS,
    entities=[kind.entity for kind in KINDS],
    labels=labels_of(NovoImovel, NovaDestinacao, NovaBaixaDeImovel, EstornoDeBaixaDeImovel, ListaDeImoveis),
    verbs={
        "destinar_imovel": lazy("Mudou a destinação"),
        "exportar_imoveis": lazy("Exportou imóveis"),
    },
    notices={
        "destinado": lazy("Destinação mudada."),
        "imovel-estornado": lazy("Baixa desfeita: o imóvel voltou ao patrimônio."),
    },
    attachables=[
        Attachable(entity=IMOVEL, see=actions.ver, action=ANEXAR, change=actions.require_alterable),
    ],
    names=_numbers,
    reports=exports_of(*KINDS),
)
