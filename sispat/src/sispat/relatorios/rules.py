"""Who may read which reports, and the words they are grouped by. Pure."""

from __future__ import annotations

from enum import StrEnum

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import EVERYBODY, SEES_ALL, Action

__all__ = ["ACTIONS", "VER_BENS", "VER_CONTABEIS", "FaixaDeIdade", "Formato", "Garantia", "Grupo"]

VER_BENS = Action("relatorio.bens", gettext_noop("ver relatórios de bens"), EVERYBODY)
VER_CONTABEIS = Action("relatorio.contabeis", gettext_noop("ver relatórios contábeis"), frozenset(SEES_ALL))
"""Of a closed month, which is of the whole city."""
ACTIONS = (VER_BENS, VER_CONTABEIS)


class Grupo(Labelled):
    """What assets are put together by."""

    SETOR = "setor", "Setor"
    AGENTE = "agente", "Agente responsável"
    CLASSE = "classe", "Classe"
    CONTA = "conta", "Conta contábil"
    FONTE = "fonte", "Fonte de recursos"
    GARANTIA = "garantia", "Garantia"
    IDADE = "idade", "Idade"


class Garantia(Labelled):
    """How the warranty of an asset stands on the day of the report."""

    SEM = "sem", "Sem garantia"
    VENCIDA = "vencida", "Garantia vencida"
    VIGENTE = "vigente", "Na garantia"


class FaixaDeIdade(Labelled):
    """Whole years since the acquisition, as `sql.reports` counts them."""

    MENOS_DE_UM = "0", "Menos de 1 ano"
    DE_UM = "1", "De 1 a 4 anos"
    DE_CINCO = "2", "De 5 a 9 anos"
    DE_DEZ = "3", "De 10 a 19 anos"
    DE_VINTE = "4", "20 anos ou mais"


class Formato(StrEnum):
    """What a report leaves the service as."""

    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"
