"""The shapes the API sends of people, sessions and blocks."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from sispat.kernel.fields import Shape
from sispat.kernel.permissions import Papel, Pending
from sispat.pessoas.fields import USUARIO

__all__ = [
    "Bloqueio", "Chave", "ChaveCriada", "CodigosDeRecuperacao", "FatorComecado", "PaginaDeChaves", "PaginaDeUsuarios",
    "Pessoa", "SenhaProvisoria", "Sessao", "SessaoAberta", "SessaoConfirmada", "SessoesEncerradas", "Usuario",
]  # fmt: skip


class Pessoa(Shape):
    """Who is signed in; `setores` null means the whole city. `csrf` goes into X-CSRF-Token of writes by cookie.

    `pendente`: what has to be done before anything else, such as changing a provisional password.
    """

    id: UUID
    nome: str
    email: str
    papel: Papel
    setores: list[UUID] | None
    csrf: str | None
    pendente: Pending | None


class SessaoAberta(Shape):
    """The session: also set as a cookie; `token` for `Authorization: Bearer`."""

    token: str
    usuario: Pessoa


Usuario: Any = USUARIO.document("Usuario")


class PaginaDeUsuarios(Shape):
    """Accounts by name; `next` and `previous` go into `cursor`, null where there is no such page."""

    items: list[Usuario]
    next: str | None
    previous: str | None


class Chave(Shape):
    """An API key without its secret, which begins with `inicio`.

    `usada_em` is written once a minute at most, `recusada_em` (used though it opens nothing any more) once an hour.
    """

    id: UUID
    nome: str
    inicio: str
    usuario_id: UUID
    integracao: str
    criado_em: dt.datetime
    criado_por: str | None
    expira_em: dt.datetime
    usada_em: dt.datetime | None
    recusada_em: dt.datetime | None
    revogada_em: dt.datetime | None
    estado: Literal["em_vigor", "vencida", "revogada", "desativada"]


class ChaveCriada(Shape):
    """A new key, and its secret, which is told this once: for `Authorization: Bearer`."""

    chave: Chave
    segredo: str


class PaginaDeChaves(Shape):
    """Keys by name; `next` and `previous` go into `cursor`, null where there is no such page."""

    items: list[Chave]
    next: str | None
    previous: str | None


class SenhaProvisoria(Shape):
    """A password that is told this once, and has to be changed before anything else."""

    senha: str


class FatorComecado(Shape):
    """A second factor that no code was given of yet: `endereco` is what a QR code would say."""

    chave: str
    endereco: str


class CodigosDeRecuperacao(Shape):
    """Codes for who has lost the second factor, each good once; told this once."""

    codigos: list[str]


class SessaoConfirmada(Shape):
    """The new token of the session, and its CSRF token for writes by cookie."""

    token: str
    csrf: str


class Sessao(Shape):
    """An open session; `atual` is the one of this request."""

    id: UUID
    criada_em: dt.datetime
    vista_em: dt.datetime
    expira_em: dt.datetime
    endereco: str | None
    navegador: str | None
    atual: bool


class SessoesEncerradas(Shape):
    """How many were ended."""

    encerradas: int


class Bloqueio(Shape):
    """Who may not try to sign in until `ate`; the person is null for an address or an account that does not exist."""

    id: UUID
    tipo: Literal["conta", "endereco", "navegador"]
    endereco: str | None
    usuario_id: UUID | None
    nome: str | None
    email: str | None
    desde: dt.datetime
    ate: dt.datetime
