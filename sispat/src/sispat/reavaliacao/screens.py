"""The forms about reports on values: register, take back."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.documentos.rules import TipoDeDocumento
from sispat.documentos.screens import attach_to_each, file_fields
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.i18n import _, lazy
from sispat.movimentacoes.screens import MovementForm, OfOneMovement
from sispat.reavaliacao import actions, rules
from sispat.reavaliacao.fields import EstornoDeReavaliacao, NovaReavaliacao
from sispat.reavaliacao.kinds import REAVALIACOES
from sispat.ui.fields import Section
from sispat.ui.pages import redirect

__all__ = ["Estorno", "Laudo"]


class Laudo(MovementForm):
    """Register a report, with its paper."""

    title = lazy("Registrar laudo de reavaliação")
    submit = lazy("Registrar o laudo")
    model, action, commission = NovaReavaliacao, rules.REAVALIAR, FinalidadeDaComissao.AVALIACAO
    back = REAVALIACOES.path
    breadcrumbs = ((REAVALIACOES.path, REAVALIACOES.title),)
    sends_files = True

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """Today, and the assets that were chosen in a list."""
        values = await super().initial(ctx)
        return {"data": str(ctx.today), **values, "bens": values.get("numeros", "").replace(", ", "\n")}

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """What the report says, and its paper."""
        typed = await super().sections(ctx, values)
        return [*typed, Section(_("Papéis"), file_fields(_("O laudo assinado: foto ou PDF.")))]

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Register; then its card."""
        document = await actions.reavaliar(ctx, self.parsed(submission.values), ctx.today)
        id_ = UUID(orjson.loads(document)["id"])
        await attach_to_each(ctx, REAVALIACOES.entity.name, [id_], submission, TipoDeDocumento.LAUDO)
        return redirect(f"{REAVALIACOES.path}/{id_}", feito="laudo-registrado")


class Estorno(OfOneMovement):
    """Take a report back."""

    title = lazy("Estornar o laudo")
    submit = lazy("Estornar o laudo")
    subtitle = lazy("Os bens voltam a valer o que valiam. Só enquanto o mês do laudo está aberto.")
    kind, model, action = REAVALIACOES, EstornoDeReavaliacao, rules.ESTORNAR

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Take back; then the card."""
        await actions.estornar(ctx, self.id, self.parsed(submission.values))
        return redirect(self.back, feito="laudo-estornado")
