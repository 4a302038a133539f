"""Counts, as the application sees them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sispat.http.service import Service
from sispat.http.slices import MenuEntry, Slice
from sispat.inventario import rules
from sispat.inventario.actions import deciding, opening
from sispat.inventario.fields import (
    INVENTARIO,
    ITEM,
    DecisaoDeItem,
    ListaDeInventarios,
    ListaDeItens,
    LoteDeLeituras,
    NovaLeitura,
)
from sispat.inventario.kinds import INVENTARIOS, ITENS
from sispat.inventario.progress import ProgressFeed
from sispat.inventario.routes import route
from sispat.kernel.context import Context
from sispat.kernel.fields import labels_of
from sispat.kernel.files import Attachable
from sispat.kernel.i18n import lazy
from sispat.kernel.records import numbers_of, obter
from sispat.ui.records import exports_of

__all__ = ["SLICE"]


async def _numbers(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    return await numbers_of(ctx, [INVENTARIOS, ITENS], ids)


async def _see(ctx: Context, id_: UUID) -> str:
    return await obter(ctx, ITENS, id_)


def _feed(service: Service) -> ProgressFeed:
    return ProgressFeed(service.db.connection)


SLICE = Slice(
    name="inventario",
    routes=route,
    menu=[MenuEntry(22, INVENTARIOS.path, INVENTARIOS.title)],
    actions=rules.ACTIONS,
    constraints=opening.CONSTRAINTS,
    entities=[INVENTARIO, ITEM],
    labels=labels_of(NovaLeitura, LoteDeLeituras, DecisaoDeItem, ListaDeInventarios, ListaDeItens),
    verbs={
        "abrir_inventario": lazy("Abriu o inventário"),
        "iniciar_contagem": lazy("Começou a contagem"),
        "concluir_contagem": lazy("Concluiu a contagem"),
        "reabrir_contagem": lazy("Voltou a contar"),
        "encerrar_inventario": lazy("Encerrou o inventário"),
        "decidir_divergencia": lazy("Decidiu a divergência"),
        "exportar_inventario": lazy("Exportou um inventário"),
    },
    notices={
        "inventario-aberto": lazy("Inventário aberto: a lista do que se espera achar está fixada."),
        "contagem-iniciada": lazy("A contagem começou."),
        "contagem-concluida": lazy("Contagem concluída: decida agora cada divergência."),
        "contagem-reaberta": lazy("A contagem continua."),
        "inventario-encerrado": lazy("Inventário encerrado."),
        "divergencia-decidida": lazy("Divergência decidida."),
        "leitura": lazy("Leitura guardada."),
    },
    attachables=[
        Attachable(entity=ITEM, see=_see, action=rules.CONTAR, change=deciding.require_changing),
    ],
    names=_numbers,
    reports=exports_of(INVENTARIOS, ITENS),
    frequent=["/contar", "/inventarios/codigo", "/fotos"],
    streams=["/eventos"],
    resources=[_feed],
)
