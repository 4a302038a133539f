"""Where things stand, the way to what a person does most, what came in last.

Promises: no count looks at more than `TETO` assets of a kind, so the page costs the same in a city of a million.
"""

from __future__ import annotations

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sispat.domain.situacoes import Situacao
from sispat.pages._modelos import pagina
from sispat.usecases import patrimonios
from sispat.usecases.patrimonios import ListaDePatrimonios
from sispat.web.de_novo import RotaQueInsiste
from sispat.web.porta import Atendimento

__all__ = ["TETO", "rotas"]

TETO = 1000  # counted no further: "mais de 1.000"

rotas = APIRouter(route_class=RotaQueInsiste)


@rotas.get("/")
async def mostrar(request: Request) -> Response:
    """The first page."""
    async with Atendimento(request) as ctx:
        request.state.acesso = ctx.acesso
        total = await patrimonios.contar(ctx, ListaDePatrimonios(), TETO)
        contagens = {
            situacao.value: await patrimonios.contar(ctx, ListaDePatrimonios(situacao=situacao), TETO)
            for situacao in Situacao
        }
        novos = await patrimonios.listar(ctx, ListaDePatrimonios(sort="-numero", limite=5))
    return pagina(
        request,
        "painel/painel.html",
        total=total,
        contagens=contagens,
        teto=TETO,
        novos=[orjson.loads(documento) for documento in novos.documentos],
    )
