"""Who may do what with commissions, and what each is for. Pure."""

from __future__ import annotations

import datetime as dt

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import EVERYBODY, GESTAO, Action

__all__ = ["ACTIONS", "EDITAR", "NOMEAR", "VER", "EstadoDaComissao", "FinalidadeDaComissao", "acts_on"]

VER = Action("comissao.ver", gettext_noop("ver as comissões"), EVERYBODY)
NOMEAR = Action("comissao.nomear", gettext_noop("nomear comissões"), GESTAO)
EDITAR = Action("comissao.editar", gettext_noop("mudar comissões"), GESTAO)
ACTIONS = (VER, NOMEAR, EDITAR)


class FinalidadeDaComissao(Labelled):
    """What a commission was named for."""

    GERAL = "geral", "Qualquer finalidade"
    BAIXA = "baixa", "Baixa e alienação"
    AVALIACAO = "avaliacao", "Avaliação e regularização"
    INVENTARIO = "inventario", "Inventário"


class EstadoDaComissao(Labelled):
    """Whether a commission still acts; `vencida` is shown and never stored: it is `vigente` after its last day."""

    VIGENTE = "vigente", "Vigente"
    VENCIDA = "vencida", "Vencida"
    ENCERRADA = "encerrada", "Encerrada"


def acts_on(
    named_for: str,
    wanted: FinalidadeDaComissao,
    inicio: dt.date,
    fim: dt.date | None,
    ended: dt.date | None,
    day: dt.date,
) -> bool:
    """Whether a commission named for this may do what is wanted on this day, its first and last included."""
    last = min((each for each in (fim, ended) if each is not None), default=day)
    return named_for in (FinalidadeDaComissao.GERAL, wanted) and inicio <= day <= last
