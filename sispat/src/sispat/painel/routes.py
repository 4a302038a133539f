"""What waits for a person, where things stand, the way to what they do most, what came in last.

Promises: the totals are exact and read, not counted (`patrimonios.totals`), so the page costs the same in a city of a million.
"""

from __future__ import annotations

import orjson

from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.painel.pending import pending
from sispat.patrimonios import actions as patrimonios
from sispat.patrimonios.listing import ListaDePatrimonios
from sispat.patrimonios.totals import totais
from sispat.ui.pages import page

__all__ = ["route"]

route = Routes()


@route("GET", "/")
async def first_page(ctx: RequestContext) -> Reply:
    """The first page."""
    newest = await patrimonios.listar(ctx, ListaDePatrimonios(sort="-numero", limit=5))
    return page(
        "painel/painel.html",
        totais=await totais(ctx),
        pending=await pending(ctx, ctx.today, click_signing=ctx.service.settings.click_signing),
        novos=[orjson.loads(document) for document in newest.documents],
    )
