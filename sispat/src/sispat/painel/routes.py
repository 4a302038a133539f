"""Where things stand, the way to what a person does most, what came in last.

Promises: no count looks at more than `CEILING` assets of a kind, so the page costs the same in a city of a million.
"""

from __future__ import annotations

import orjson

from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.kernel.situacoes import Situacao
from sispat.patrimonios import actions as patrimonios
from sispat.patrimonios.listing import ListaDePatrimonios
from sispat.ui.pages import page

__all__ = ["CEILING", "route"]

CEILING = 1000  # counted no further: "mais de 1.000"

route = Routes()


@route("GET", "/")
async def first_page(ctx: RequestContext) -> Reply:
    """The first page."""
    total = await patrimonios.contar(ctx, ListaDePatrimonios(), CEILING)
    counts = [
        (situacao, await patrimonios.contar(ctx, ListaDePatrimonios(situacao=situacao), CEILING))
        for situacao in Situacao
    ]
    newest = await patrimonios.listar(ctx, ListaDePatrimonios(sort="-numero", limite=5))
    return page(
        "painel/painel.html",
        total=total,
        counts=counts,
        ceiling=CEILING,
        novos=[orjson.loads(document) for document in newest.documents],
    )
