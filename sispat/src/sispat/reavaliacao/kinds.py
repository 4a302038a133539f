"""Reports on values as lists, cards and exports see them (kernel.records)."""

from __future__ import annotations

from sispat.kernel.i18n import lazy
from sispat.kernel.record_sql import Table
from sispat.kernel.records import Kind
from sispat.reavaliacao import rules
from sispat.reavaliacao.fields import REAVALIACAO, ListaDeReavaliacoes

__all__ = ["REAVALIACOES"]

REAVALIACOES = Kind(
    table=Table(REAVALIACAO, reach=()),  # its assets are of any setor: only those who see them all read it
    plural="reavaliacoes",
    title=lazy("Reavaliações"),
    help=lazy("Reavaliação, redução ao valor recuperável e revisão da vida útil, por laudo de uma comissão."),
    new=lazy("Registrar laudo"),
    action=rules.REAVALIAR,
    view=rules.VER,
    exported="exportar_reavaliacoes",
    estados=rules.EstadoDaReavaliacao,
    asked=ListaDeReavaliacoes,
    columns=("tipo", "data", "laudo", "bens", "valor_antes", "valor_depois"),
    acts=((rules.EstadoDaReavaliacao.EFETIVA, "estornar", lazy("Estornar"), rules.ESTORNAR),),
)
