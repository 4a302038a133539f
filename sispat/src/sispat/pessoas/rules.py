"""Who may do what with people. Pure."""

from __future__ import annotations

from sispat.kernel.permissions import EVERYBODY, Action, Papel

__all__ = [
    "ACTIONS", "BLOQUEIO_LIBERAR", "BLOQUEIO_VER", "CHAVE_EDITAR", "CHAVE_VER", "CONTA_PROPRIA", "USUARIO_EDITAR",
    "USUARIO_VER",
]  # fmt: skip

_ADMINISTRADOR = frozenset({Papel.ADMINISTRADOR})

BLOQUEIO_VER = Action("bloqueio.ver", _ADMINISTRADOR)
BLOQUEIO_LIBERAR = Action("bloqueio.liberar", _ADMINISTRADOR)
USUARIO_VER = Action("usuario.ver", _ADMINISTRADOR)
USUARIO_EDITAR = Action("usuario.editar", _ADMINISTRADOR)
CHAVE_VER = Action("chave.ver", _ADMINISTRADOR)
CHAVE_EDITAR = Action("chave.editar", _ADMINISTRADOR)
CONTA_PROPRIA = Action("conta.propria", EVERYBODY, in_person=True)
ACTIONS = (BLOQUEIO_VER, BLOQUEIO_LIBERAR, USUARIO_VER, USUARIO_EDITAR, CHAVE_VER, CHAVE_EDITAR, CONTA_PROPRIA)
