"""The API's own documentation: OpenAPI, and a page to read and try it that needs no other server.

Promises: nothing is loaded from elsewhere - a city hall without internet reads it too. Both are in the language that `lang`
names, else in that of the request; schemas are described by the docstrings of our models, which are English.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from sispat.kernel import i18n
from sispat.kernel.fields import Shape
from sispat.kernel.i18n import Language

__all__ = [
    "IDEMPOTENT", "OF_VERSIONS", "RESPONSES", "SECURITY", "VERSIONED", "add_documentation", "texts_of", "with_components",
]  # fmt: skip

_SESSION, _KEY = "bearer", "chave"  # names of components are ASCII (OpenAPI 3.1, "Components Object")
_DOCUMENT = "/api/openapi.json"
_PAGE = "/api/docs"
_ASSETS = f"{_PAGE}/recursos"
_START_PATH = f"{_PAGE}/inicio.js"

# Swagger UI sets styles on its elements and carries its icons as data; scripts are files of ours alone.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_START = """SwaggerUIBundle({
  url: "/api/openapi.json" + location.search, dom_id: "#swagger-ui", deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""
_HTML = f"""<!doctype html>
<html lang="{{language}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>SISPAT: API</title><link rel="icon" href="{_ASSETS}/favicon-32x32.png">
<link rel="stylesheet" href="{_ASSETS}/swagger-ui.css"></head>
<body><main id="swagger-ui"></main>
<script src="{_ASSETS}/swagger-ui-bundle.js"></script><script src="{_START_PATH}"></script></body></html>
"""

SECURITY: dict[str, Any] = {"security": [{_SESSION: []}, {_KEY: []}]}
IN_PERSON: dict[str, Any] = {"security": [{_SESSION: []}]}
"""Of what only a person may do."""


_SCHEMES = {
    _SESSION: {
        "type": "http",
        "scheme": "bearer",
        "description": "O `token` de POST /api/auth/login; um navegador, o cookie da sessão.",
    },
    _KEY: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "sispat_...",
        "description": "A chave de uma integração, que um administrador cria em Chaves da API.",
    },
}


def _header(name: str, description: str, example: str, *, required: bool) -> dict[str, Any]:
    return {
        "name": name, "in": "header", "required": required, "description": description,
        "schema": {"type": "string"}, "example": example,
    }  # fmt: skip


# Headers that are read from the request.
IDEMPOTENT = {
    "parameters": [
        _header(
            "Idempotency-Key",
            "O mesmo pedido repetido vale uma vez só; de 1 a 200 caracteres visíveis",
            "b1946ac9-2f0e-4a1c-8d5e-6f3b9d1c7a20",
            required=False,
        )
    ]
}
VERSIONED = {"parameters": [_header("If-Match", 'A versão lida, como `"3"` ou o ETag inteiro', '"1"', required=True)]}


class FieldError(Shape):
    """A field, by the name it was sent under (`items.3.valor` in a list), and what is wrong with it."""

    field: str
    message: str


class Problem(Shape):
    """RFC 9457; `code` is stable, `title` and `detail` are for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldError] | None = None
    current: dict[str, Any] | None = Field(None, description="412: o que está gravado agora")
    sent: dict[str, Any] | None = Field(None, description="412: o que se tentou gravar")
    codigo: str = Field(deprecated=True, description="O mesmo que `code`; sai na próxima versão")
    requisicao: str = Field(deprecated=True, description="O mesmo que `request_id`; sai na próxima versão")


def _problem(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


RESPONSES: dict[int | str, dict[str, Any]] = {
    401: _problem("Ninguém entrou, ou a sessão terminou"),
    403: _problem("O papel não permite, ou falta o token CSRF"),
    404: _problem("Não existe ou não está ao alcance"),
    409: _problem("Em uso"),
    413: _problem("Corpo acima do limite"),
    422: _problem("Campos inválidos, cada um nomeado"),
    429: _problem("Pedidos demais; tente de novo após Retry-After (segundos)"),
    503: _problem("Banco de dados ou serviço externo indisponível; tente de novo após Retry-After"),
}


OF_VERSIONS: dict[int | str, dict[str, Any]] = {
    412: _problem("Alterado por outra pessoa: `current` é o que está gravado, `sent` o que se tentou gravar"),
    428: _problem("Falta o cabeçalho If-Match com a versão lida"),
}


def with_components(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with the security schemes and the shape of problems, which FastAPI does not know: their media type."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update({**schema.pop("$defs"), "Problem": schema})
    components.setdefault("securitySchemes", {}).update(_SCHEMES)
    return document


_SHOWN = ("description", "summary")  # of the document's members: the others are for programs


def texts_of(document: Any, in_schema: bool = False) -> Iterator[str]:
    """The texts for people in a document, without those of whole schemas: docstrings, which are English."""
    if isinstance(document, list):
        for each in document:
            yield from texts_of(each)
    elif isinstance(document, dict):
        for name, value in document.items():
            if name in _SHOWN and isinstance(value, str):
                if not in_schema:
                    yield value
            elif name == "schemas":
                for schema in value.values():
                    yield from texts_of(schema, in_schema=True)
            else:
                yield from texts_of(value)


def _translated(document: Any) -> Any:
    """`document` with its texts in the language in force."""
    if isinstance(document, list):
        return [_translated(each) for each in document]
    if not isinstance(document, dict):
        return document
    return {
        name: i18n._(value) if name in _SHOWN and isinstance(value, str) else _translated(value)
        for name, value in document.items()
    }


def _language_of(request: Request) -> Language:
    asked = request.query_params.get("lang", "")
    return asked if i18n.is_language(asked) else i18n.language()


def add_documentation(application: Starlette, describe: Callable[[], dict[str, Any]]) -> None:
    """Add the document that `describe` makes, the page, and what that is made of."""
    bodies: dict[Language, bytes] = {}
    one_at_a_time = asyncio.Lock()

    def made(language: Language) -> bytes:
        with i18n.using(language):
            return orjson.dumps(_translated(describe()))

    async def document(request: Request) -> Response:
        language = _language_of(request)
        if language not in bodies:  # made when it is asked for: most processes are never asked
            async with one_at_a_time:  # whoever waited for it finds it made
                if language not in bodies:
                    # In a thread: it takes a second or more, in which other requests are answered.
                    bodies[language] = await asyncio.to_thread(made, language)
        headers = {"Content-Language": language, "Vary": "Accept-Language, Cookie"}
        return Response(bodies[language], headers=headers, media_type="application/json")

    async def page(request: Request) -> HTMLResponse:
        language = _language_of(request)
        headers = {"Content-Security-Policy": _POLICY, "Content-Language": language}
        return HTMLResponse(_HTML.replace("{language}", language), headers=headers)

    async def start(_: Request) -> Response:
        return Response(_START, media_type="text/javascript")

    application.router.routes += [Route(_DOCUMENT, document), Route(_PAGE, page), Route(_START_PATH, start)]
    application.mount(_ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="documentacao")
