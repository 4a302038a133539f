"""The shapes the API sends of people, sessions and blocks."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from sispat.kernel.permissions import Papel

__all__ = ["Bloqueio", "Pessoa", "SessaoAberta"]


class Pessoa(BaseModel):
    """Who is signed in; `setores` null means the whole city. `csrf` goes into X-CSRF-Token of writes by cookie."""

    id: UUID
    nome: str
    email: str
    papel: Papel
    setores: list[UUID] | None
    csrf: str | None


class SessaoAberta(BaseModel):
    """The session: also set as a cookie; `token` for `Authorization: Bearer`."""

    token: str
    usuario: Pessoa


class Bloqueio(BaseModel):
    """Who may not try to sign in until `ate`; the person is null for an address or an account that does not exist."""

    id: UUID
    tipo: Literal["conta", "endereco", "navegador"]
    endereco: str | None
    usuario_id: UUID | None
    nome: str | None
    email: str | None
    desde: dt.datetime
    ate: dt.datetime
