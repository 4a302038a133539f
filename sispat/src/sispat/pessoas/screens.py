"""The forms of an account: create, correct."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from starlette.responses import Response

from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.context import Context
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _, lazy
from sispat.pessoas import accounts, rules
from sispat.pessoas.fields import USUARIO, DadosDeUsuario, NovoUsuario
from sispat.ui.fields import FormField, Section, typed
from sispat.ui.forms import Screen, version_of
from sispat.ui.pages import redirect

__all__ = ["Cadastro", "EdicaoDeUsuario"]

_FIELDS = tuple(FormField.of(USUARIO.fields[name]) for name in USUARIO.columns)
_LISTED = "setores"  # codes, typed one after the other
FIELDS = tuple(replace(each, optional=True, default="") if each.name == _LISTED else each for each in _FIELDS)


class _AccountScreen(Screen):
    fields = FIELDS
    model: type[DadosDeUsuario] = DadosDeUsuario

    def __init__(self, id_: UUID | None = None) -> None:
        self.id = id_
        self.row: dict[str, Any] = {}
        self.back = f"/usuarios/{id_}" if id_ else "/usuarios"
        self.breadcrumbs = (("/usuarios", _("Usuários")),)

    async def load(self, ctx: Context) -> None:
        """Load the account, where there is one."""
        ctx.access.require(rules.USUARIO_EDITAR)
        if self.id is not None:
            self.row = await accounts.obter(ctx, self.id)
            self.subtitle = self.row["nome"]
            self.breadcrumbs = (*self.breadcrumbs, (self.back, self.row["nome"]))

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """The fields."""
        del ctx, values
        return (Section("", self.fields),)

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        return {each.name: each.text(stored[each.name]) for each in _FIELDS} | {_LISTED: ", ".join(stored[_LISTED])}

    async def initial(self, ctx: Context) -> dict[str, str]:
        """What is stored."""
        del ctx
        return {**self.texts_of(self.row), "versao": str(self.row["versao"])} if self.row else {}

    def read_from(self, submission: Submission) -> DadosDeUsuario:
        """What was typed; raises `InvalidData`."""
        values: dict[str, Any] = typed(self.fields, submission.values)
        codes = re.split(r"[,;\s]+", values.get(_LISTED, "").upper())
        return self.model.parse({**values, _LISTED: [code for code in codes if code]})


class Cadastro(_AccountScreen):
    """Add an account."""

    fields = (*FIELDS, FormField.of(specs(NovoUsuario)["integracao"]))
    model = NovoUsuario

    title = lazy("Novo usuário")
    subtitle = lazy("A senha do primeiro acesso é gerada depois, na página da pessoa.")
    submit = lazy("Cadastrar")

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Add it; then its page."""
        data = self.read_from(submission)
        assert isinstance(data, NovoUsuario)
        row = await accounts.criar(ctx, data, ctx.service.settings.timezone)
        return redirect(f"/usuarios/{row['id']}", feito="integracao_criada" if data.integracao else "usuario_criado")


class EdicaoDeUsuario(_AccountScreen):
    """Correct an account."""

    title = lazy("Editar usuário")
    versioned = True

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Correct it; then its page."""
        assert self.id is not None
        zone = ctx.service.settings.timezone
        await accounts.editar(ctx, self.id, self.read_from(submission), version_of(submission), zone)
        return redirect(self.back, feito="usuario_salvo")
