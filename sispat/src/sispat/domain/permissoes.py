"""Who may do what: the whole matrix, in one place.

Promises: every use case asks `Acesso.exigir` before it touches anything; what is not in the matrix is
denied. Outside their setores people neither see nor change anything, unless the role says so
(`VE_TUDO`); the store filters by `Acesso.setores` in SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sispat.domain.erros import SemPermissao

__all__ = ["MATRIZ", "VE_TUDO", "Acao", "Acesso", "Papel"]


class Papel(StrEnum):
    """Roles, from domain rules: what a person is in the city hall, not what a screen shows."""

    ADMINISTRADOR = "administrador"
    GESTOR = "gestor"
    RESPONSAVEL = "responsavel"
    CONSULTA = "consulta"


class Acao(StrEnum):
    """What can be asked for; the value is what logs and messages name."""

    PATRIMONIO_VER = "patrimonio.ver"
    PATRIMONIO_CRIAR = "patrimonio.criar"
    PATRIMONIO_EDITAR = "patrimonio.editar"
    PATRIMONIO_TROCAR_CARGA = "patrimonio.trocar_carga"
    CADASTRO_VER = "cadastro.ver"
    CADASTRO_EDITAR = "cadastro.editar"
    CLASSE_EDITAR = "classe.editar"
    AUDITORIA_VER = "auditoria.ver"
    BLOQUEIO_VER = "bloqueio.ver"
    BLOQUEIO_LIBERAR = "bloqueio.liberar"


_TODOS = frozenset(Papel)
_GESTAO = frozenset({Papel.ADMINISTRADOR, Papel.GESTOR})

MATRIZ: dict[Acao, frozenset[Papel]] = {
    Acao.PATRIMONIO_VER: _TODOS,
    Acao.PATRIMONIO_CRIAR: _GESTAO,
    Acao.PATRIMONIO_EDITAR: _GESTAO,
    Acao.PATRIMONIO_TROCAR_CARGA: _GESTAO | {Papel.RESPONSAVEL},
    Acao.CADASTRO_VER: _TODOS,
    Acao.CADASTRO_EDITAR: _GESTAO,
    Acao.CLASSE_EDITAR: frozenset({Papel.ADMINISTRADOR}),
    Acao.AUDITORIA_VER: _GESTAO | {Papel.CONSULTA},
    Acao.BLOQUEIO_VER: frozenset({Papel.ADMINISTRADOR}),
    Acao.BLOQUEIO_LIBERAR: frozenset({Papel.ADMINISTRADOR}),
}

# An auditor (consulta) reads the whole city; a responsavel sees the setores assigned to them.
VE_TUDO = _GESTAO | {Papel.CONSULTA}


@dataclass(frozen=True, slots=True)
class Acesso:
    """The signed-in person, as far as permissions are concerned."""

    usuario_id: UUID
    nome: str
    email: str
    papel: Papel
    setores_atribuidos: tuple[UUID, ...] = ()

    @property
    def setores(self) -> tuple[UUID, ...] | None:
        """The setores to filter by, or None for the whole city."""
        return None if self.papel in VE_TUDO else self.setores_atribuidos

    def pode(self, acao: Acao) -> bool:
        """Whether the role allows `acao`."""
        return self.papel in MATRIZ[acao]

    def alcanca(self, setor_id: UUID) -> bool:
        """Whether `setor_id` is within this person's reach."""
        return self.papel in VE_TUDO or setor_id in self.setores_atribuidos

    def exigir(self, acao: Acao) -> None:
        """Raise `SemPermissao` unless the role allows `acao`."""
        if self.papel not in MATRIZ[acao]:
            raise SemPermissao(acao=acao, papel=self.papel)
