"""Who may call at all: asked before a body is looked at, and shown in the documentation."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from sispat.web.porta import token_de

__all__ = ["RotaComSessao", "documentar"]

_ESQUEMA = "Sessão"


class RotaComSessao(APIRoute):
    """Refuses a request that brings no session token; whose it is, and whether it still holds, the use case asks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["openapi_extra"] = {"security": [{_ESQUEMA: []}], **(kwargs.get("openapi_extra") or {})}
        super().__init__(*args, **kwargs)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the question for a token."""
        atender = super().get_route_handler()

        async def perguntar(request: Request) -> Response:
            token_de(request)
            return await atender(request)

        return perguntar


def documentar(aplicacao: FastAPI) -> None:
    """Add the security scheme to the OpenAPI document."""
    gerar = aplicacao.openapi

    def com_sessao() -> dict[str, Any]:
        documento = gerar()
        esquemas = documento.setdefault("components", {}).setdefault("securitySchemes", {})
        esquemas[_ESQUEMA] = {
            "type": "http",
            "scheme": "bearer",
            "description": "O `token` de POST /api/auth/login; um navegador pode usar o cookie da sessão.",
        }
        return documento

    aplicacao.openapi = com_sessao  # type: ignore[method-assign]
