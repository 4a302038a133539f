"""One's own mails: the page with the form and what would be sent now, and the same for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from esteio.clock import SYSTEM
from sispat.avisos import actions
from sispat.avisos.fields import Avisos, EscolhaDeAvisos
from sispat.avisos.sending import City
from sispat.http.responses import json_response
from sispat.http.route import Routes
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _, lazy
from sispat.ui.fields import FormField, Section, typed
from sispat.ui.forms import Screen, form
from sispat.ui.pages import redirect

__all__ = ["route"]

route = Routes()

_API, _PAGE = "/api/avisos", "/meus-avisos"
_FIELDS = tuple(FormField.of(spec) for spec in specs(EscolhaDeAvisos).values())


async def _own(ctx: RequestContext) -> Avisos:
    settings = ctx.service.settings
    return await actions.obter(ctx, City.of(settings), sends=settings.mail_url is not None, now=SYSTEM.time())


async def _choose(ctx: RequestContext, chosen: EscolhaDeAvisos) -> None:
    await actions.escolher(ctx, City.of(ctx.service.settings), chosen, SYSTEM.time())


@route("GET", _API, tag="avisos", response=Avisos, summary="Os próprios avisos por e-mail")
async def obter_avisos(ctx: RequestContext) -> Response:
    """O que a pessoa escolheu, e o resumo como seria enviado agora."""
    return json_response((await _own(ctx)).model_dump(mode="json"), 200, **{"Cache-Control": "no-store"})


@route("PUT", _API, tag="avisos", response=Avisos, summary="Escolher os próprios avisos por e-mail")
async def escolher_avisos(ctx: RequestContext, escolha: EscolhaDeAvisos) -> Response:
    """Nunca, uma vez por dia, ou também na hora em que algo precisar da resposta da pessoa."""
    await _choose(ctx, escolha)
    return await obter_avisos(ctx)


class MeusAvisos(Screen):
    """Choose, and see what would be sent."""

    template = "avisos/meus.html"
    title = lazy("Avisos por e-mail")
    back = "/conta"
    breadcrumbs: Sequence[tuple[str, str]] = (("/conta", lazy("Minha conta")),)

    def __init__(self) -> None:
        self.own: Avisos | None = None

    async def load(self, ctx: RequestContext) -> None:
        """Load how it stands."""
        self.own = await _own(ctx)
        self.subtitle = _("O que espera por você, em %(email)s.", email=self.own.email)

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Both fields."""
        del ctx, values
        return (Section("", _FIELDS),)

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What was chosen."""
        del ctx
        return self.texts_of(self.own.model_dump() if self.own else {})

    def texts_of(self, stored: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        return {field.name: field.text(stored.get(field.name)) for field in _FIELDS}

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Keep it."""
        await _choose(ctx, EscolhaDeAvisos.parse(typed(list(_FIELDS), submission.values)))
        return redirect(_PAGE, feito="avisos_escolhidos")


form(route, _PAGE, MeusAvisos)
