"""What was typed outlives what went wrong.

Promises: a submission that met an expired session, a missing CSRF token or an absent database is carried on in
the page that says so; after signing in, the same form is shown again, filled, for review - nothing is saved without
a look at it, unless the same person just sends again what the database could not take. Secrets are never carried.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Message, Receive, Scope, Send

from sispat.identity import tokens
from sispat.pages._cabecalhos import PESSOAL
from sispat.pages._envio import Envio
from sispat.usecases.sessoes import Aberta
from sispat.web.cookies import gravar_cookies
from sispat.web.porta import COOKIE

__all__ = ["PREFIXO", "Reapresentacao", "caminho_local", "carregado", "formulario", "retomavel"]

PREFIXO = "retomada."  # of the hidden fields that carry a submission through signing in

_Rota = TypeVar("_Rota", bound=Callable[[Request], Awaitable[Response]])
_formularios: list[re.Pattern[str]] = []  # addresses that show a submission again when asked to


def formulario(rotas: APIRouter, caminho: str) -> Callable[[_Rota], _Rota]:
    """Register the POST of a form made with `receber`: only such a submission can be taken up again."""
    _formularios.append(compile_path(rotas.prefix + caminho)[0])
    registrar: Callable[[_Rota], _Rota] = rotas.post(caminho)
    return registrar


def caminho_local(caminho: str) -> str:
    """`caminho` if it leads to one of our pages, else the first page: nobody is sent elsewhere after signing in."""
    partes = urlsplit(caminho) if caminho.isprintable() and "\\" not in caminho else None
    if partes is None or partes.scheme or partes.netloc or not caminho.startswith("/") or caminho.startswith("//"):
        return "/"
    return "/" if partes.path in ("/entrar", "/sair") or partes.path.startswith("/api") else caminho


def carregado(envio: Envio) -> dict[str, str]:
    """The submission that a sign-in form carries."""
    return {n.removeprefix(PREFIXO): v for n, v in envio.valores.items() if n.startswith(PREFIXO)}


def retomavel(caminho: str) -> bool:
    """Whether a POST to `caminho` is a form that can be shown again."""
    return any(formulario.match(caminho) for formulario in _formularios)


class Reapresentacao(Response):
    """The form at `caminho`, filled with `valores`, for the person who has just signed in."""

    def __init__(self, request: Request, caminho: str, valores: dict[str, str], aberta: Aberta) -> None:
        super().__init__(headers=PESSOAL)
        gravar_cookies(request, self, aberta)
        self._caminho = caminho
        self._cookie = f"{COOKIE}={aberta.token}".encode()
        self._corpo = urlencode({**valores, "_csrf": tokens.csrf_para(aberta.token), "_rever": "1"}).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask our own form, and add the new session's cookie to its answer."""
        del receive  # the sign-in form has been read; what the form gets is `valores`
        proprios = {b"cookie", b"content-length", b"content-type", b"transfer-encoding", b"authorization"}
        cabecalhos = [par for par in scope["headers"] if par[0] not in proprios]
        cabecalhos += [
            (b"cookie", self._cookie),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", str(len(self._corpo)).encode()),
        ]
        interno = {
            "type": "http",
            **{n: scope[n] for n in ("asgi", "http_version", "scheme", "server", "client", "app") if n in scope},
            **{n: v for n, v in scope.items() if n.startswith(("starlette.", "fastapi_"))},
            "method": "POST",
            "path": self._caminho,
            "raw_path": self._caminho.encode(),
            "root_path": scope.get("root_path", ""),
            "query_string": b"",
            "headers": cabecalhos,
            "state": {**scope["state"], "envio": None},
        }
        sessao = [par for par in self.raw_headers if par[0] == b"set-cookie"]
        corpo = self._corpo

        async def receber() -> Message:
            return {"type": "http.request", "body": corpo, "more_body": False}

        async def enviar(mensagem: Message) -> None:
            if mensagem["type"] == "http.response.start":
                mensagem = {**mensagem, "headers": [*mensagem.get("headers", ()), *sessao]}
            await send(mensagem)

        await interno["app"].router(interno, receber, enviar)
