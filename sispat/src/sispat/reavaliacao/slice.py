"""Reports on values, as the application sees them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.context import Context
from sispat.kernel.fields import labels_of
from sispat.kernel.files import Attachable
from sispat.kernel.i18n import lazy
from sispat.kernel.records import numbers_of, obter
from sispat.reavaliacao import actions, rules
from sispat.reavaliacao.fields import ITEM, REAVALIACAO, EstornoDeReavaliacao, NovaReavaliacao
from sispat.reavaliacao.kinds import REAVALIACOES
from sispat.reavaliacao.routes import route
from sispat.ui.records import exports_of

__all__ = ["SLICE"]


async def _numbers(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    return await numbers_of(ctx, [REAVALIACOES], ids) if ctx.access.may(rules.VER) else {}


async def _see(ctx: Context, id_: UUID) -> str:
    return await obter(ctx, REAVALIACOES, id_)


SLICE = Slice(
    name="reavaliacao",
    routes=route,
    menu=[MenuEntry(28, REAVALIACOES.path, REAVALIACOES.title, rules.VER)],
    actions=rules.ACTIONS,
    constraints=actions.CONSTRAINTS,
    entities=[REAVALIACAO],
    labels={**labels_of(NovaReavaliacao, EstornoDeReavaliacao), "residual": ITEM.fields["residual"].ui.label},
    verbs={
        "registrar_laudo": lazy("Registrou o laudo"),
        "estornar_laudo": lazy("Estornou o laudo"),
        "reavaliar": lazy("Mudou o valor por laudo"),
        "estornar_reavaliacao": lazy("Desfez a mudança de valor"),
        "exportar_reavaliacoes": lazy("Exportou reavaliações"),
    },
    notices={
        "laudo-registrado": lazy("Laudo registrado: os bens depreciam de novo a partir daquele mês."),
        "laudo-estornado": lazy("Laudo estornado: os bens valem o que valiam."),
    },
    attachables=[Attachable(entity=REAVALIACAO, see=_see, action=rules.REAVALIAR)],
    names=_numbers,
    reports=exports_of(REAVALIACOES),
)
