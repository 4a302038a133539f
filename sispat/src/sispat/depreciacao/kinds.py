"""Closed months as lists, cards and exports see them (kernel.records)."""

from __future__ import annotations

from sispat.depreciacao import rules
from sispat.depreciacao.fields import FECHAMENTO, ListaDeFechamentos
from sispat.kernel.i18n import lazy
from sispat.kernel.record_sql import Table
from sispat.kernel.records import Kind

__all__ = ["FECHAMENTOS"]

FECHAMENTOS = Kind(
    table=Table(FECHAMENTO, reach=()),  # of the whole city: only those who see it all read them
    plural="fechamentos",
    title=lazy("Fechamento dos meses"),
    help=lazy("A depreciação de cada mês, fechada sobre todos os bens. Um mês fechado não muda mais."),
    new=lazy("Fechar o mês"),
    action=rules.FECHAR,
    view=rules.VER,
    exported="exportar_fechamentos",
    estados=rules.EstadoDoFechamento,
    asked=ListaDeFechamentos,
    columns=("competencia", "bens", "bruto", "depreciacao", "ajuste", "liquido"),
    acts=((rules.EstadoDoFechamento.FECHADO, "reabrir", lazy("Reabrir o mês"), rules.REABRIR),),
    made_at="novo",
)
