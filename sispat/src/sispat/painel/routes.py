"""What waits for a person, where things stand, the way to what they do most, what came in last.

Promises: the totals are exact and read, not counted (`patrimonios.totals`), so the page costs the same in a city of a million.
"""

from __future__ import annotations

import datetime as dt

import orjson

from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.movimentacoes.actions.pending import CEILING, waiting
from sispat.patrimonios import actions as patrimonios
from sispat.patrimonios.listing import ListaDePatrimonios
from sispat.patrimonios.totals import totais
from sispat.termos import actions as termos
from sispat.ui.pages import page

__all__ = ["route"]

route = Routes()
WARRANTY_ENDS_SOON = dt.timedelta(days=30)
_SHOWN = 5


@route("GET", "/")
async def first_page(ctx: RequestContext) -> Reply:
    """The first page."""
    until = ctx.today + WARRANTY_ENDS_SOON
    newest = await patrimonios.listar(ctx, ListaDePatrimonios(sort="-numero", limit=5))
    return page(
        "painel/painel.html",
        totais=await totais(ctx),
        waiting=await waiting(ctx, ctx.today),
        to_sign=await termos.esperando(ctx, CEILING) if ctx.service.settings.click_signing else [],
        warranties=await patrimonios.garantias(ctx, ctx.today, until, _SHOWN),
        ceiling=CEILING,
        today=ctx.today,
        novos=[orjson.loads(document) for document in newest.documents],
    )
