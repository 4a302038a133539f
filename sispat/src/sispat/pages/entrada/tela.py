"""The sign-in page: also what an ended session shows, carrying what was typed."""

from __future__ import annotations

import datetime as dt

from starlette.requests import Request
from starlette.responses import Response

from sispat.identity import tokens
from sispat.pages._envio import enviado
from sispat.pages._modelos import pagina
from sispat.pages._retomada import PREFIXO, caminho_local, carregado, retomavel
from sispat.pages._rotulos import CAMPOS
from sispat.web.cookies import seguro
from sispat.web.erros import Problema

__all__ = ["PRE_SESSAO", "tela_de_entrada"]

PRE_SESSAO = "sispat_entrada"  # cookie that ties a sign-in form to the browser it was shown to


def tela_de_entrada(request: Request, *, problema: Problema | None = None, carregar: bool = False) -> Response:
    """The form. `problema` is what keeps the person out; with `carregar` the submission of this request is carried."""
    envio = enviado(request)
    if carregar and envio is not None and retomavel(request.url.path):
        proximo, ocultos = request.url.path, {**envio.digitado(), **_chave(envio.chave)}
    elif envio is not None and not carregar:  # a sign-in that failed
        proximo, ocultos = envio.valores.get("proximo", "/"), carregado(envio)
    else:
        proximo, ocultos = request.query_params.get("proximo", "/"), {}
    pre_sessao = request.cookies.get(PRE_SESSAO) or tokens.novo_token()
    erros = {e["campo"]: e["mensagem"] for e in problema.extras.get("erros", ())} if problema else {}
    resposta = pagina(
        request,
        "entrada/entrar.html",
        problema.estado if problema else 200,
        problema.cabecalhos if problema else None,
        problema=problema,
        de_novo_em=_de_novo_em(problema),
        erros={CAMPOS.get(campo, campo): mensagem for campo, mensagem in erros.items()},
        email=envio.valores.get("email", "") if envio and not carregar else "",
        proximo=caminho_local(proximo),
        ocultos={PREFIXO + nome: valor for nome, valor in ocultos.items()},
        csrf_da_entrada=tokens.csrf_para(pre_sessao),
    )
    resposta.set_cookie(PRE_SESSAO, pre_sessao, httponly=True, samesite="lax", secure=seguro(request), path="/")
    return resposta


def _de_novo_em(problema: Problema | None) -> dt.datetime | None:
    """When a person who has to wait may try again, a minute later rather than earlier."""
    if problema is None or problema.estado != 429:
        return None
    espera = int(problema.cabecalhos["Retry-After"])
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=espera + 59)


def _chave(chave: str) -> dict[str, str]:
    return {"_chave": chave} if chave else {}
