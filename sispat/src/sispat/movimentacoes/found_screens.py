"""The forms about what is missing, found again, or found without a plate."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from starlette.responses import Response

from sispat.comissoes.rules import FinalidadeDaComissao
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.i18n import lazy
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import localizacoes, regularizacoes
from sispat.movimentacoes.away_screens import Leaving
from sispat.movimentacoes.found import SECTIONS, BensEncontrados, BensQueFaltam, NovaRegularizacao
from sispat.movimentacoes.kinds import LOCALIZACOES, REGULARIZACOES
from sispat.ui.fields import Section, by_name, in_sections
from sispat.ui.pages import redirect

__all__ = ["Encontro", "Falta", "Regularizacao"]


class Falta(Leaving):
    """Note that assets are missing."""

    title = lazy("Registrar bem não localizado")
    submit = lazy("Registrar")
    kind, dated, model, action = LOCALIZACOES, "data", BensQueFaltam, rules.LOCALIZAR

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Note; then the card."""
        return self.made(await localizacoes.notar_falta(ctx, self.parsed(submission.values), ctx.today), "falta-notada")


class Encontro(Leaving):
    """Note that missing assets are there again."""

    title = lazy("Registrar bem encontrado")
    submit = lazy("Registrar")
    kind, dated, model, action = LOCALIZACOES, "data", BensEncontrados, rules.LOCALIZAR

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Note; then the card."""
        return self.made(await localizacoes.encontrar(ctx, self.parsed(submission.values), ctx.today), "encontrado")


class Regularizacao(Leaving):
    """Register an asset that was found without a plate."""

    title = lazy("Regularizar bem sem plaqueta")
    submit = lazy("Regularizar")
    subtitle = lazy("O bem recebe o próximo número e entra no patrimônio com o valor da avaliação.")
    kind, dated, model, action = REGULARIZACOES, "encontrado_em", NovaRegularizacao, rules.REGULARIZAR
    commission = FinalidadeDaComissao.AVALIACAO

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """All fields, in the order in which things happen."""
        return in_sections(by_name(await super().sections(ctx, values)).values(), SECTIONS)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Register; then the card of the asset."""
        made = orjson.loads(await regularizacoes.regularizar(ctx, self.parsed(submission.values), ctx.today))
        return redirect(f"/patrimonios/{made['patrimonio']['id']}", feito="regularizado")
