"""Any problem as a page: what happened, what to do, the way back, and what was typed.

Promises: the page itself needs no database. Somebody who is not signed in is led to signing in, with what they had
typed. Trying again sends the same submission with the same key, so that it is never done twice.
"""

from __future__ import annotations

from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from esteio import EsteioError
from sispat.domain.erros import SispatError
from sispat.pages._envio import Envio, enviado, ler_envio
from sispat.pages._modelos import ir_para, pagina
from sispat.pages._rotulos import CAMPOS
from sispat.pages.entrada.tela import tela_de_entrada
from sispat.web.erros import Problema
from sispat.web.manutencao import EmManutencao

__all__ = ["pagina_de_erro"]

_ENTRAR = "/entrar"


async def pagina_de_erro(request: Request, problema: Problema) -> Response:
    """`problema` as a page."""
    envio = enviado(request)
    manutencao = problema.codigo == EmManutencao.codigo
    if (problema.estado == 429 or manutencao) and envio is None and request.method == "POST":
        envio = await _lido(request)  # refused before anybody read it
    if request.url.path == _ENTRAR and request.method == "POST":
        return tela_de_entrada(request, problema=problema)
    if problema.estado == 401 and envio is None:
        if request.method == "POST":
            return tela_de_entrada(request, problema=problema)
        return ir_para(_ENTRAR, proximo=_onde(request))
    if problema.estado == 401:
        return tela_de_entrada(request, problema=problema, carregar=True)
    digitado = envio.digitado() if envio else {}
    return pagina(
        request,
        "erro/manutencao.html" if manutencao else "erro/erro.html",
        problema.estado,
        problema.cabecalhos,
        problema=problema,
        campos=[(CAMPOS.get(e["campo"], e["campo"]), e["mensagem"]) for e in problema.extras.get("erros", ())],
        digitado={CAMPOS[n]: v for n, v in digitado.items() if n in CAMPOS and v and not n.endswith("_id")},
        refazer=_refazer(request, problema),
        de_novo=_onde(request)
        if request.method == "GET" and (problema.estado >= 500 or problema.estado == 429)
        else "",
    )


async def _lido(request: Request) -> Envio | None:
    with suppress(SispatError, EsteioError, ClientDisconnect):
        return await ler_envio(request)
    return None


def _onde(request: Request) -> str:
    consulta = request.url.query
    return f"{request.url.path}?{consulta}" if consulta else request.url.path


def _refazer(request: Request, problema: Problema) -> dict[str, str]:
    """The hidden fields of "try again"; empty where that cannot help."""
    envio = enviado(request)
    if envio is None or not (problema.estado >= 500 or problema.estado == 429 or problema.codigo == "csrf"):
        return {}
    ocultos = envio.digitado() | ({"_chave": envio.chave} if envio.chave else {})
    # Whoever came without our token is shown the form before anything is saved: it may not be their doing.
    return ocultos | ({"_rever": "1"} if problema.codigo == "csrf" or envio.rever else {})
