"""The forms of a register: create, correct, remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.responses import Response

from sispat.cadastros import actions
from sispat.cadastros.cep import CepLookup
from sispat.cadastros.cep.form import fill_in
from sispat.cadastros.fields import ENTITIES
from sispat.cadastros.registers import Register, fields, sections
from sispat.http.service import Service
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.context import Context
from sispat.kernel.i18n import lazy
from sispat.ui.fields import Section, typed
from sispat.ui.forms import Form, Screen, version_of
from sispat.ui.pages import redirect

__all__ = ["Edicao", "Exclusao", "Novo"]


class _RegisterScreen(Screen):
    def __init__(self, cadastro: Register, id_: UUID | None = None) -> None:
        self.cadastro = cadastro
        self.id = id_
        self.row: dict[str, Any] = {}
        self.back = f"/{cadastro.plural}" + (f"/{id_}" if id_ else "")
        self.breadcrumbs = ((cadastro.path, cadastro.title),)

    async def load(self, ctx: Context) -> None:
        """Load the row, where there is one."""
        ctx.access.require(self.cadastro.action)
        if self.id is not None:
            self.row = await actions.obter(ctx, self.cadastro.kind, self.id)
            self.subtitle = self.row["nome"]
            self.breadcrumbs = (*self.breadcrumbs, (self.back, self.row["nome"]))

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """The fields of the register."""
        cep = ctx.service.resource(CepLookup)
        return await sections(ctx, self.cadastro.kind, values, self.id, buttons=cep.is_on)

    async def history(self, ctx: RequestContext) -> list[dict[str, Any]]:
        """What happened to the row."""
        return await actions.historico(ctx, self.cadastro.kind, self.id) if self.id else []

    async def complete(self, service: Service, action: str, form: Form) -> None:
        """Find the address of a CEP."""
        if action == "cep":
            await fill_in(service.resource(CepLookup), form)

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        return {c.name: c.text(stored[c.name]) for c in fields(self.cadastro.kind, new=self.id is None)}

    async def initial(self, ctx: Context) -> dict[str, str]:
        """What is stored, or what is mostly so."""
        del ctx
        if self.id is None:
            return {field.name: field.default for field in fields(self.cadastro.kind, new=True) if field.default}
        return {**self.texts_of(self.row), "versao": str(self.row["versao"])}

    def read_from(self, submission: Submission) -> dict[str, Any]:
        """What was typed, as the use cases read it."""
        return typed(fields(self.cadastro.kind, new=self.id is None), submission.values)


class Novo(_RegisterScreen):
    """Add a row."""

    submit = lazy("Cadastrar")

    def __init__(self, cadastro: Register) -> None:
        super().__init__(cadastro)
        self.title = cadastro.new

    async def save(self, ctx: Context, submission: Submission) -> Response:
        """Add it; then its page."""
        kind = self.cadastro.kind
        row = await actions.criar(ctx, kind, ENTITIES[kind].typed[0].parse(self.read_from(submission)))
        return redirect(f"{self.back}/{row['id']}", feito="criado")


class Edicao(_RegisterScreen):
    """Correct a row."""

    versioned = True

    def __init__(self, cadastro: Register, id_: UUID) -> None:
        super().__init__(cadastro, id_)
        self.title = cadastro.edit

    async def save(self, ctx: Context, submission: Submission) -> Response:
        """Correct it; then its page."""
        assert self.id is not None
        ctx.access.require(self.cadastro.action)  # before anything is looked up
        kind, data = self.cadastro.kind, self.read_from(submission)
        if kind == "local":  # its setor is no field of the form
            data["setor_id"] = (await actions.obter(ctx, kind, self.id))["setor_id"]
        await actions.editar(ctx, kind, self.id, ENTITIES[kind].typed[0].parse(data), version_of(submission))
        return redirect(self.back, feito="salvo")


class Exclusao(_RegisterScreen):
    """Remove a row, after a second thought."""

    template = "cadastros/excluir.html"
    versioned = True
    submit = lazy("Excluir")

    def __init__(self, cadastro: Register, id_: UUID) -> None:
        super().__init__(cadastro, id_)
        self.title = cadastro.remove

    async def sections(self, ctx: Context, values: dict[str, str]) -> Sequence[Section]:
        """Nothing to fill in."""
        del ctx, values
        return ()

    async def save(self, ctx: Context, submission: Submission) -> Response:
        """Remove it; then the list."""
        assert self.id is not None
        await actions.excluir(ctx, self.cadastro.kind, self.id, version_of(submission))
        return redirect(self.cadastro.path, feito="excluido")
