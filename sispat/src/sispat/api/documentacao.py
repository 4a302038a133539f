"""The API's own documentation: OpenAPI, and a page to read and try it that needs no other server.

Promises: nothing is loaded from elsewhere - a city hall without internet reads it too.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from sispat.api.rota import ESQUEMA

__all__ = ["documentar"]

_PAGINA = "/api/docs"
_RECURSOS = f"{_PAGINA}/recursos"


def documentar(aplicacao: FastAPI) -> None:
    """Add the page, what it is made of, and the security scheme of the document."""
    gerar = aplicacao.openapi

    def com_sessao() -> dict[str, Any]:
        documento = gerar()
        esquemas = documento.setdefault("components", {}).setdefault("securitySchemes", {})
        esquemas[ESQUEMA] = {
            "type": "http",
            "scheme": "bearer",
            "description": "O `token` de POST /api/auth/login; um navegador pode usar o cookie da sessão.",
        }
        return documento

    async def pagina() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=str(aplicacao.openapi_url),
            title="SISPAT: API",
            swagger_js_url=f"{_RECURSOS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_RECURSOS}/swagger-ui.css",
            swagger_favicon_url=f"{_RECURSOS}/favicon-32x32.png",
        )

    aplicacao.openapi = com_sessao  # type: ignore[method-assign]
    aplicacao.add_api_route(_PAGINA, pagina, include_in_schema=False)
    aplicacao.mount(_RECURSOS, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="documentacao")
