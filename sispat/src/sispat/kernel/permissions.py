"""Who may do what.

Promises: an `Action` names the roles that may do it, so that what nobody was allowed is denied; each slice lists its
actions, and a test shows the whole matrix. Every use case asks `Access.require` before it touches anything. Outside
their setores people neither see nor change anything, unless the role says so (`SEES_ALL`); SQL filters by
`Access.setores`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

from sispat.kernel.errors import NotPermitted
from sispat.kernel.i18n import _
from sispat.kernel.labelled import Labelled

__all__ = ["ANY_STEP", "EVERYBODY", "GESTAO", "READERS", "SEES_ALL", "Access", "Action", "Papel", "Pending"]


class Papel(Labelled):
    """Roles, from domain rules: what a person is in the city hall, not what a screen shows."""

    ADMINISTRADOR = "administrador", "Administrador"
    GESTOR = "gestor", "Gestor"
    RESPONSAVEL = "responsavel", "Responsável"
    CONSULTA = "consulta", "Consulta"
    AUDITOR = "auditor", "Auditor"


EVERYBODY = frozenset(Papel)
GESTAO = frozenset({Papel.ADMINISTRADOR, Papel.GESTOR})

# An auditor, from outside and for a time, reads what consulta reads, the whole city; a responsavel sees their setores.
READERS = frozenset({Papel.CONSULTA, Papel.AUDITOR})
SEES_ALL = GESTAO | READERS


@dataclass(frozen=True, slots=True)
class Action:
    """What can be asked for: `name` is what logs and templates call it, `papeis` are the roles that may.

    `label`: what it is, as an infinitive in the source language, for messages. `in_person`: no integration may, whatever its
    role.
    """

    name: str
    label: str
    papeis: frozenset[Papel]
    in_person: bool = False


Pending = Literal["senha", "codigo", "fator"]
"""`codigo`: give a code of the second factor; `senha`: change a password somebody else gave; `fator`: enrol a second one."""
ANY_STEP: tuple[Pending, ...] = get_args(Pending)


@dataclass(frozen=True, slots=True)
class Access:
    """The signed-in person, as far as permissions are concerned."""

    usuario_id: UUID
    nome: str
    email: str
    papel: Papel
    setores_atribuidos: tuple[UUID, ...] = ()
    pending: Pending | None = None
    """What the person has to do before anything else; until then only that can be asked for."""
    key_id: UUID | None = None
    """The API key that an integration asks with; None: a person, by a session."""

    @property
    def setores(self) -> tuple[UUID, ...] | None:
        """The setores to filter by, or None for the whole city."""
        return None if self.papel in SEES_ALL else self.setores_atribuidos

    def may(self, action: Action) -> bool:
        """Whether the role allows `action`."""
        return self.papel in action.papeis and not (action.in_person and self.key_id)

    def reaches(self, setor_id: UUID) -> bool:
        """Whether `setor_id` is within this person's reach."""
        return self.papel in SEES_ALL or setor_id in self.setores_atribuidos

    def refused(self, action: Action) -> NotPermitted:
        """That `action` is not for this person, or not for this record."""
        by_role = self.papel not in action.papeis or self.key_id is None
        return NotPermitted(
            acao=action.name, what=_(action.label), papel=self.papel.label if by_role else _("integração")
        )

    def require(self, action: Action) -> None:
        """Raise `NotPermitted` unless the role allows `action`."""
        if not self.may(action):
            raise self.refused(action)
