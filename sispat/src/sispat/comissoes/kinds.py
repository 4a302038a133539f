"""Commissions as lists, cards and exports see them (kernel.records)."""

from __future__ import annotations

from sispat.comissoes import rules
from sispat.comissoes.fields import COMISSAO, ListaDeComissoes
from sispat.comissoes.sql import MEMBERS
from sispat.kernel.i18n import lazy
from sispat.kernel.record_sql import Table
from sispat.kernel.records import Due, Kind

__all__ = ["COMISSOES"]

COMISSOES = Kind(
    table=Table(COMISSAO, reach=(), own={"membros": MEMBERS}),  # an act is public: everybody sees them
    plural="comissoes",
    title=lazy("Comissões"),
    help=lazy("Quem avalia, dá baixa e regulariza bens: a portaria, os membros e até quando vale."),
    new=lazy("Nomear comissão"),
    action=rules.NOMEAR,
    view=rules.VER,
    exported="exportar_comissoes",
    estados=rules.EstadoDaComissao,
    asked=ListaDeComissoes,
    columns=("portaria", "finalidade", "inicio", "fim", "membros"),
    due=Due(rules.EstadoDaComissao.VIGENTE, rules.EstadoDaComissao.VENCIDA, "encerrada_em", "fim"),
    acts=(
        (rules.EstadoDaComissao.VIGENTE, "editar", lazy("Editar"), rules.EDITAR),
        (rules.EstadoDaComissao.VIGENTE, "encerrar", lazy("Encerrar"), rules.EDITAR),
    ),
)
