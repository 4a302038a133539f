"""Counts and their items as lists, cards and exports see them (kernel.records)."""

from __future__ import annotations

from sispat.inventario import rules
from sispat.inventario.fields import INVENTARIO, ITEM, ListaDeInventarios, ListaDeItens
from sispat.inventario.rules import EstadoDoInventario, EstadoDoItem
from sispat.kernel.i18n import lazy
from sispat.kernel.record_sql import Table
from sispat.kernel.records import Kind

__all__ = ["INVENTARIOS", "ITENS"]

_EXPORTED = "exportar_inventario"
_E = EstadoDoInventario

INVENTARIOS = Kind(
    table=Table(INVENTARIO, shared=True),
    plural="inventarios",
    title=lazy("Inventários"),
    help=lazy("A contagem dos bens: o que se espera achar, o que foi achado e o que se decidiu de cada diferença."),
    new=lazy("Abrir inventário"),
    action=rules.ABRIR,
    view=rules.VER,
    exported=_EXPORTED,
    estados=EstadoDoInventario,
    asked=ListaDeInventarios,
    columns=("escopo", "setor_id", "data_base", "portaria", "esperados"),
    acts=(
        (_E.ABERTO, "iniciar", lazy("Começar a contagem"), rules.ENCERRAR),
        (_E.CONTANDO, "contar", lazy("Contar"), rules.CONTAR),
        (_E.CONTANDO, "concluir", lazy("Concluir a contagem"), rules.ENCERRAR),
        (_E.DECIDINDO, "reabrir", lazy("Voltar a contar"), rules.ENCERRAR),
        (_E.DECIDINDO, "encerrar", lazy("Encerrar o inventário"), rules.ENCERRAR),
    ),
    made_at="novo",
)
ITENS = Kind(
    table=Table(ITEM),
    plural="inventario-itens",
    title=lazy("Itens de inventários"),
    help=lazy("Cada bem que se esperava achar, e os que foram achados sem estar na lista."),
    new="",
    action=rules.DECIDIR,
    view=rules.VER,
    exported=_EXPORTED,
    estados=EstadoDoItem,
    asked=ListaDeItens,
    columns=("plaqueta", "descricao", "setor_id", "local_id", "decisao"),
    made_at="",
)
