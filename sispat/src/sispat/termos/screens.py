"""The forms about termos: issue one, annul one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sispat.http.service import service_of
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _, lazy
from sispat.kernel.pdf import read_arms
from sispat.termos import actions, rules
from sispat.termos.content import title_of
from sispat.termos.fields import AnulacaoDeTermo, NovoTermo
from sispat.ui.fields import FormField, Section, typed
from sispat.ui.forms import Screen
from sispat.ui.pages import base_of, redirect

__all__ = ["Anulacao", "Emissao", "city_of"]


async def city_of(request: Request) -> actions.City:
    """What the papers of this city have in common."""
    settings = service_of(request).settings
    return actions.City(settings.city_name, await asyncio.to_thread(read_arms, settings.city_arms), base_of(request))


class Emissao(Screen):
    """Issue a termo. The button on a card sends it at once; the form is there for what has to be decided."""

    title = lazy("Emitir termo")
    submit = lazy("Emitir")
    subtitle = lazy("O termo guarda o que vale agora e não muda mais.")
    back = "/termos"
    breadcrumbs = (("/termos", lazy("Termos")),)

    async def load(self, ctx: RequestContext) -> None:
        """For those who may."""
        ctx.access.require(rules.EMITIR)

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What the address names; whoever comes from the termo that counts wants to replace it."""
        asked = ctx.request.query_params
        replaces = "true" if asked.get("substitui") == "true" else "false"
        return {"substitui": replaces, **{name: asked.get(name, "") for name in ("tipo", "assunto_id")}}

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Whether it replaces another; what it is made of is carried along."""
        del ctx
        self.hidden = {name: values.get(name, "") for name in ("tipo", "assunto_id")}
        if self.hidden["tipo"] in set(rules.TipoDeTermo):
            self.title = _("Emitir: %(kind)s", kind=rules.TipoDeTermo(self.hidden["tipo"]).label)
        return [Section("", (FormField.of(specs(NovoTermo)["substitui"]),))]

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Issue; then its card."""
        given = {name: submission.values.get(name, "") for name in ("tipo", "assunto_id")}
        new = NovoTermo.parse({**given, "substitui": submission.values.get("substitui", "false")})
        document = await actions.emitir(ctx, new, await city_of(ctx.request), ctx.today)
        return redirect(f"/termos/{orjson.loads(document)['id']}", feito="termo-emitido")


class Anulacao(Screen):
    """Annul a termo."""

    title = lazy("Anular termo")
    submit = lazy("Anular o termo")
    subtitle = lazy("O papel já impresso continua a existir; quem o confere fica sabendo que não vale.")

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.back = f"/termos/{id_}"

    async def load(self, ctx: RequestContext) -> None:
        """For those who may, about a termo that is there."""
        ctx.access.require(rules.ANULAR)
        stored: dict[str, Any] = orjson.loads(await actions.obter(ctx, self.id))
        title = title_of(stored["tipo"], stored["numero"], stored["exercicio"])
        self.breadcrumbs = (("/termos", _("Termos")), (self.back, title))

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Why."""
        del ctx, values
        return [Section("", (FormField.of(specs(AnulacaoDeTermo)["anulacao"]),))]

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Annul; then the card."""
        fields = [FormField.of(spec) for spec in specs(AnulacaoDeTermo).values()]
        await actions.anular(ctx, self.id, AnulacaoDeTermo.parse(typed(fields, submission.values)))
        return redirect(self.back, feito="termo-anulado")
