"""Reconciliations as lists, cards and exports see them (kernel.records)."""

from __future__ import annotations

from sispat.conciliacao import rules
from sispat.conciliacao.fields import CONCILIACAO, ListaDeConciliacoes
from sispat.kernel.i18n import lazy
from sispat.kernel.record_sql import Table
from sispat.kernel.records import Kind

__all__ = ["CONCILIACOES"]

CONCILIACOES = Kind(
    table=Table(CONCILIACAO, reach=()),  # of the whole city: only those who see it all read them
    plural="conciliacoes",
    title=lazy("Conciliações"),
    help=lazy("O saldo de cada conta no patrimônio e na contabilidade, no fim de um mês fechado."),
    new=lazy("Conciliar um mês"),
    action=rules.CONCILIAR,
    view=rules.VER,
    exported="exportar_conciliacoes",
    estados=rules.EstadoDaConciliacao,
    asked=ListaDeConciliacoes,
    columns=("competencia", "contas", "diferencas", "diferenca_bruto", "diferenca_acumulada"),
)
