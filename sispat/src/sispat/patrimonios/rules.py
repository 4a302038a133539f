"""Who may do what with assets, and what may be done in which state. Pure."""

from __future__ import annotations

from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _, gettext_noop
from sispat.kernel.permissions import EVERYBODY, GESTAO, Action, Papel
from sispat.kernel.situacoes import Situacao

__all__ = ["ACTIONS", "CRIAR", "EDITAR", "LOTE_MAXIMO", "TROCAR_CARGA", "VER", "require_alterable"]

VER = Action("patrimonio.ver", gettext_noop("ver bens"), EVERYBODY)
CRIAR = Action("patrimonio.criar", gettext_noop("cadastrar bens"), GESTAO)
EDITAR = Action("patrimonio.editar", gettext_noop("corrigir bens"), GESTAO)
TROCAR_CARGA = Action("patrimonio.trocar_carga", gettext_noop("trocar a carga de bens"), GESTAO | {Papel.RESPONSAVEL})
ACTIONS = (VER, CRIAR, EDITAR, TROCAR_CARGA)

LOTE_MAXIMO = 500  # equal assets registered at once


def require_alterable(situacao: str) -> None:
    """Raise `InvalidData` for an asset that was written off: nothing of it changes any more."""
    if situacao == Situacao.BAIXADO:
        raise InvalidData({"situacao": _("O bem está baixado e não pode mais ser alterado.")})
