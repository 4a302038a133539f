"""Who may do what with people. Pure."""

from __future__ import annotations

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.permissions import EVERYBODY, Action, Papel

__all__ = [
    "ACTIONS", "BLOQUEIO_LIBERAR", "BLOQUEIO_VER", "CHAVE_EDITAR", "CHAVE_VER", "CONTA_PROPRIA", "USUARIO_EDITAR",
    "USUARIO_VER",
]  # fmt: skip

_ADMINISTRADOR = frozenset({Papel.ADMINISTRADOR})

BLOQUEIO_VER = Action("bloqueio.ver", gettext_noop("ver os bloqueios"), _ADMINISTRADOR)
BLOQUEIO_LIBERAR = Action("bloqueio.liberar", gettext_noop("liberar bloqueios"), _ADMINISTRADOR)
USUARIO_VER = Action("usuario.ver", gettext_noop("ver as pessoas que entram no sistema"), _ADMINISTRADOR)
USUARIO_EDITAR = Action("usuario.editar", gettext_noop("mudar as pessoas que entram no sistema"), _ADMINISTRADOR)
CHAVE_VER = Action("chave.ver", gettext_noop("ver as chaves da API"), _ADMINISTRADOR)
CHAVE_EDITAR = Action("chave.editar", gettext_noop("mudar as chaves da API"), _ADMINISTRADOR)
CONTA_PROPRIA = Action("conta.propria", gettext_noop("mudar a própria conta"), EVERYBODY, in_person=True)
ACTIONS = (BLOQUEIO_VER, BLOQUEIO_LIBERAR, USUARIO_VER, USUARIO_EDITAR, CHAVE_VER, CHAVE_EDITAR, CONTA_PROPRIA)
