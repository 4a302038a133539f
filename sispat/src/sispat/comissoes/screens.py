"""The forms about commissions: name, correct, end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.comissoes import actions, rules
from sispat.comissoes.fields import Comissao, EncerramentoDeComissao
from sispat.comissoes.kinds import COMISSOES
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import Input
from sispat.kernel.permissions import Action
from sispat.kernel.records import historico, obter
from sispat.ui.fields import FormField, Section, typed
from sispat.ui.forms import Screen, version_of
from sispat.ui.pages import redirect

__all__ = ["Edicao", "Encerramento", "Nomeacao"]


class _CommissionForm(Screen):
    model: type[Input] = Comissao
    action: Action = rules.NOMEAR
    back = COMISSOES.path
    breadcrumbs: Sequence[tuple[str, str]] = ((COMISSOES.path, COMISSOES.title),)

    async def load(self, ctx: RequestContext) -> None:
        """For those who may."""
        ctx.access.require(self.action)

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """All fields."""
        del ctx, values
        return (Section("", tuple(self._fields())),)

    def _fields(self) -> list[FormField]:
        return [FormField.of(spec) for spec in specs(self.model).values()]

    def parsed(self, submission: Submission) -> Any:
        """What was typed, as `model`."""
        return self.model.parse(typed(self._fields(), submission.values))


class Nomeacao(_CommissionForm):
    """Name a commission."""

    title = lazy("Nomear comissão")
    submit = lazy("Nomear")

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What is mostly so."""
        return {**{field.name: field.default for field in self._fields() if field.default}, "inicio": str(ctx.today)}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Name it; then its card."""
        document = await actions.nomear(ctx, self.parsed(submission), ctx.service.settings.commission_members)
        return redirect(f"{COMISSOES.path}/{orjson.loads(document)['id']}", feito="criado")


class _OfOne(_CommissionForm):
    action = rules.EDITAR

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.back = f"{COMISSOES.path}/{id_}"
        self.stored: dict[str, Any] = {}

    async def load(self, ctx: RequestContext) -> None:
        """Load it."""
        await super().load(ctx)
        self.stored = orjson.loads(await obter(ctx, COMISSOES, self.id))
        self.subtitle = _("Portaria %(act)s", act=self.stored["portaria"])
        self.breadcrumbs = ((COMISSOES.path, COMISSOES.title), (self.back, self.stored["portaria"]))

    async def history(self, ctx: RequestContext) -> list[dict[str, Any]]:
        """What happened to it."""
        return await historico(ctx, COMISSOES, self.id)


class Edicao(_OfOne):
    """Correct a commission."""

    title = lazy("Editar comissão")
    versioned = True

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields; members by their matrículas."""
        matriculas = "\n".join(each["matricula"] for each in stored["membros"])
        return {field.name: field.text(stored.get(field.name)) for field in self._fields()} | {"matriculas": matriculas}

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What is stored."""
        del ctx
        return {**self.texts_of(self.stored), "versao": str(self.stored["versao"])}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Correct it; then its card."""
        ctx.access.require(self.action)
        fewest = ctx.service.settings.commission_members
        await actions.editar(ctx, self.id, self.parsed(submission), version_of(submission), fewest)
        return redirect(self.back, feito="salvo")


class Encerramento(_OfOne):
    """End a commission."""

    title = lazy("Encerrar comissão")
    submit = lazy("Encerrar")
    model = EncerramentoDeComissao

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """Today."""
        return {"encerrada_em": str(ctx.today)}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """End it; then its card."""
        ctx.access.require(self.action)
        await actions.encerrar(ctx, self.id, self.parsed(submission), ctx.today)
        return redirect(self.back, feito="comissao-encerrada")
