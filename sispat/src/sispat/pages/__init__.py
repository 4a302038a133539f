"""Server-rendered screens, in Portuguese, working without JavaScript."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sispat.web.erros import Problema

__all__ = ["montar", "pagina_de_erro"]


def montar(aplicacao: FastAPI) -> None:
    """Add the screens to the application."""
    del aplicacao


async def pagina_de_erro(request: Request, problema: Problema) -> Response:
    """`problema` as a page."""
    del request
    return HTMLResponse(problema.mensagem, problema.estado, problema.cabecalhos)
