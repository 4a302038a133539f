"""The forms about imóveis: register, correct, change the use, write off, take a write-off back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.cadastros.cep import CepLookup
from sispat.cadastros.cep.form import fill_in
from sispat.cadastros.pickers import fields_of
from sispat.comissoes.actions import opcoes
from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.http.service import Service
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.imoveis import actions, rules
from sispat.imoveis.fields import IMOVEL, EdicaoDeImovel, NovoImovel
from sispat.imoveis.kinds import BAIXAS, IMOVEIS
from sispat.imoveis.movements import EstornoDeBaixaDeImovel, NovaBaixaDeImovel, NovaDestinacao
from sispat.imoveis.rules import MotivoDaBaixaDeImovel
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import Input
from sispat.kernel.permissions import Action
from sispat.kernel.records import Kind, historico, obter
from sispat.ui.fields import FormField, Section, choices, stored_texts, typed
from sispat.ui.forms import Form, Screen, ask_about_dates, version_of
from sispat.ui.pages import redirect

__all__ = ["Baixa", "Edicao", "Estorno", "MudancaDeDestinacao", "Novo"]


class _ImovelForm(Screen):
    """A form made from `model`; whoever may do `action` sees it."""

    model: type[Input]
    action: Action
    back = IMOVEIS.path
    breadcrumbs: Sequence[tuple[str, str]] = ((IMOVEIS.path, IMOVEIS.title),)

    async def load(self, ctx: RequestContext) -> None:
        """For those who may."""
        ctx.access.require(self.action)

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """All fields, their choices loaded; the button beside the CEP only where somebody answers."""
        made = await pickers.sections_of(ctx, self.model, IMOVEL.sections, values)
        if ctx.service.resource(CepLookup).is_on:
            return made
        return [replace(each, fields=tuple(replace(field, button="") for field in each.fields)) for each in made]

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What is mostly so."""
        del ctx
        return {field.name: field.default for field in fields_of(self.model) if field.default}

    async def complete(self, service: Service, action: str, form: Form) -> None:
        """Find the address of a CEP."""
        if action == "cep":
            await fill_in(service.resource(CepLookup), form)

    def parsed(self, submission: Submission) -> Any:
        """What was typed, as `model`."""
        return self.model.parse(typed(fields_of(self.model), submission.values))


class Novo(_ImovelForm):
    """Register an imóvel."""

    title = lazy("Cadastrar imóvel")
    submit = lazy("Cadastrar")
    model, action = NovoImovel, rules.CRIAR

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Register; then the card."""
        ctx.access.require(self.action)
        new = self.parsed(submission)
        ask_about_dates(ctx, submission, {"data_aquisicao": new.data_aquisicao})
        return redirect(f"{IMOVEIS.path}/{orjson.loads(await actions.criar(ctx, new))['id']}", feito="criado")


class _OfOne(_ImovelForm):
    """A form about a record of a kind that exists."""

    kind: Kind = IMOVEIS

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.back = f"{self.kind.path}/{id_}"
        self.stored: dict[str, Any] = {}

    async def load(self, ctx: RequestContext) -> None:
        """Load it."""
        await super().load(ctx)
        self.stored = orjson.loads(await obter(ctx, self.kind, self.id))
        number = _("Nº %(number)s", number=self.stored["numero"])
        of = self.stored["imovel"]["nome"] if "imovel" in self.stored else self.stored["nome"]
        self.subtitle = f"{number} · {of}"
        self.breadcrumbs = ((self.kind.path, self.kind.title), (self.back, number))

    async def history(self, ctx: RequestContext) -> list[dict[str, Any]]:
        """What happened to it."""
        return await historico(ctx, self.kind, self.id)


class Edicao(_OfOne):
    """Correct what describes an imóvel."""

    title = lazy("Editar imóvel")
    versioned = True
    model, action = EdicaoDeImovel, rules.EDITAR

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        return stored_texts(specs(EdicaoDeImovel).values(), stored)

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What is stored."""
        del ctx
        return {**self.texts_of(self.stored), "versao": str(self.stored["versao"])}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Correct; then the card."""
        ctx.access.require(self.action)
        edited = self.parsed(submission)
        ask_about_dates(ctx, submission, {"data_aquisicao": edited.data_aquisicao})
        await actions.editar(ctx, self.id, edited, version_of(submission))
        return redirect(self.back, feito="salvo")


class MudancaDeDestinacao(_OfOne):
    """Dedicate an imóvel to a use, or free it."""

    title = lazy("Mudar a destinação")
    submit = lazy("Mudar a destinação")
    model, action = NovaDestinacao, rules.DESTINAR

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """All fields, without the use that it has."""
        del ctx, values
        now = self.stored.get("destinacao")
        offered = {use: label for use, label in rules.Destinacao.labels().items() if use != now}
        fields = [
            replace(field, groups=choices(offered)) if field.name == "para" else field
            for field in fields_of(self.model)
        ]
        return (Section("", tuple(fields)),)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Change; then the card."""
        ctx.access.require(self.action)
        await actions.destinar(ctx, self.id, self.parsed(submission), ctx.today)
        return redirect(self.back, feito="destinado")


class Baixa(_OfOne):
    """Write off, by one motive: only what that one asks for is there to be filled in."""

    submit = lazy("Dar baixa")
    model, action = NovaBaixaDeImovel, rules.BAIXAR

    def __init__(self, id_: UUID, motivo: str) -> None:
        super().__init__(id_)
        if motivo not in set(MotivoDaBaixaDeImovel):
            raise HTTPException(404)
        self.motivo = MotivoDaBaixaDeImovel(motivo)
        self.title = _("Dar baixa: %(motive)s", motive=self.motivo.label)

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """What every write-off has, and what this motive asks for."""
        del values
        asked = {"data", "justificativa", *rules.REQUIRED[self.motivo]}
        if "laudo" in asked:
            asked.add("comissao_id")
        offered = await opcoes(ctx, FinalidadeDaComissao.AVALIACAO, ctx.today)
        fields = [self._field(field, offered) for field in fields_of(self.model) if field.name in asked]
        return (Section("", tuple(fields)),)

    def _field(self, field: FormField, commissions: dict[str, str]) -> FormField:
        needed = field.name in rules.REQUIRED[self.motivo]
        groups = choices(commissions) if field.name == "comissao_id" else field.groups
        return replace(field, groups=groups, optional=field.optional and not needed)

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """Today."""
        return {"data": str(ctx.today)}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Write off; then its card."""
        ctx.access.require(self.action)
        new = self.model.parse({**typed(fields_of(self.model), submission.values), "motivo": self.motivo})
        document = await actions.baixar(ctx, self.id, new, ctx.today)
        return redirect(f"{BAIXAS.path}/{orjson.loads(document)['id']}", feito="baixado")


class Estorno(_OfOne):
    """Take a write-off back."""

    title = lazy("Desfazer a baixa")
    submit = lazy("Desfazer a baixa")
    kind, model, action = BAIXAS, EstornoDeBaixaDeImovel, rules.ESTORNAR

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Why."""
        del ctx, values
        return (Section("", tuple(fields_of(self.model))),)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Take back; then its card."""
        ctx.access.require(self.action)
        await actions.estornar(ctx, self.id, self.parsed(submission))
        return redirect(self.back, feito="imovel-estornado")
