"""Errors as HTTP: one table from error to status, problem+json (RFC 9457) for the API.

Promises: everything the service raises on purpose has a row here; what it does not is a 500 that names
the request and nothing else - the server logs the rest.
"""

from __future__ import annotations

import logging
import math
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from esteio import EsteioError
from esteio.limit.headers import PROBLEM_TYPE, duration, exhausted_field, language, policy_field, problem
from esteio.outage_log import OutageLog, OutageWords
from esteio.postgres import CommitUnknown, LockTimeout, StatementTimeout
from esteio.web import BodyTooLarge
from esteio.web.limits import Denial
from sispat.cep import CepDesconhecido, CepIndisponivel
from sispat.domain import erros
from sispat.usecases.entradas import campos_invalidos
from sispat.usecases.tentativas import MuitasTentativas
from sispat.web.manutencao import EmManutencao
from sispat.web.porta import id_da_requisicao

__all__ = ["Problema", "problema_de", "problema_do_limite", "resposta_problema"]

_logger = logging.getLogger("sispat.erros")
# An outage of the database hits every request: the log counts them instead of a line for each.
_indisponivel = OutageLog(
    _logger,
    words=OutageWords(
        begin="{kind}: {message}; os seguintes são contados",
        during="{kind}: mais {count}, {total} em {seconds:.0f} s; o último: {message}",
        end="{kind}: passou depois de {seconds:.0f} s, {total} pedidos ao todo",
    ),
)

# The status of each of our errors, and the title of the page that shows it.
ESTADOS: dict[type[erros.SispatError], tuple[int, str]] = {
    erros.NaoAutenticado: (401, "Entre para continuar"),
    erros.SemPermissao: (403, "Sem permissão"),
    erros.PedidoForjado: (403, "Pedido não confirmado"),
    erros.NaoEncontrado: (404, "Não encontrado"),
    erros.Conflito: (409, "Alterado por outra pessoa"),
    erros.EmUso: (409, "Em uso"),
    erros.ChaveReutilizada: (422, "Chave já usada"),
    erros.DadosInvalidos: (422, "Confira os dados"),
    CepDesconhecido: (404, "CEP não encontrado"),
    CepIndisponivel: (503, "Consulta de CEP indisponível"),
    MuitasTentativas: (429, "Muitas tentativas"),
    EmManutencao: (503, "Em manutenção"),
}
_DO_HTTP = {
    400: ("pedido-malformado", "Pedido malformado", "O pedido não pôde ser entendido."),
    404: ("nao-encontrado", "Página não encontrada", "Este endereço não existe. Confira-o ou volte ao início."),
    405: ("metodo-nao-aceito", "Método não aceito", "Este endereço não aceita esse método."),
    413: ("grande-demais", "Grande demais", "O que foi enviado passa do limite."),
}


class Problema:
    """What went wrong, ready to be shown: to programs as problem+json, to people as a page.

    `ingles`: title and message for programs that ask for English. `tipo`: a registered problem type.
    """

    __slots__ = ("cabecalhos", "codigo", "estado", "extras", "ingles", "mensagem", "tipo", "titulo")

    def __init__(
        self, estado: int, codigo: str, titulo: str, mensagem: str, *,
        extras: dict[str, Any] | None = None, cabecalhos: dict[str, str] | None = None,
        ingles: tuple[str, str] | None = None, tipo: str = "",
    ) -> None:  # fmt: skip
        self.estado = estado
        self.codigo = codigo
        self.titulo = titulo
        self.mensagem = mensagem
        self.extras = extras or {}
        self.cabecalhos = cabecalhos or {}
        self.ingles = ingles
        self.tipo = tipo or f"urn:sispat:erro:{codigo}"


def problema_de(erro: Exception) -> Problema:
    """`erro` as a `Problema`; the unexpected is logged here."""
    if isinstance(erro, erros.SispatError):
        if isinstance(erro, EmManutencao):
            return _manutencao(erro)
        return _tentativas(erro) if isinstance(erro, MuitasTentativas) else _nosso(erro)
    if isinstance(erro, RequestValidationError):
        return _nosso(erros.DadosInvalidos(campos_invalidos(erro.errors())))
    if isinstance(erro, BodyTooLarge):
        limite = f"{erro.limit // 1024} KiB"
        return Problema(413, "grande-demais", "Grande demais", f"O que foi enviado passa do limite de {limite}.")
    if isinstance(erro, EsteioError):
        return _do_banco(erro)
    if isinstance(erro, HTTPException) and isinstance(erro.__cause__, EsteioError | UnicodeDecodeError):
        return problema_de(erro.__cause__)  # FastAPI says "error parsing the body" to whatever reading it raised
    if isinstance(erro, ClientDisconnect):
        return Problema(400, "desconectado", "Conexão interrompida", "O pedido não chegou inteiro; nada foi gravado.")
    if isinstance(erro, UnicodeDecodeError):
        return _nosso(erros.DadosInvalidos({"corpo": "O conteúdo enviado não é UTF-8 válido."}))
    if isinstance(erro, HTTPException):
        codigo, titulo, mensagem = _DO_HTTP.get(erro.status_code, ("erro-http", "Não deu certo", str(erro.detail)))
        return Problema(erro.status_code, codigo, titulo, mensagem, cabecalhos=dict(erro.headers or {}))
    return Problema(
        500, "erro-interno", "Algo falhou do nosso lado",
        "O erro foi registrado. Tente de novo; se continuar, informe o número da requisição ao suporte.",
    )  # fmt: skip


def _do_banco(erro: EsteioError) -> Problema:
    if isinstance(erro, StatementTimeout):
        return Problema(
            503, "demorou-demais", "Demorou demais",
            "O banco de dados levou tempo demais e a consulta foi interrompida. Refine a busca ou tente de novo.",
            cabecalhos={"Retry-After": "5"},
        )  # fmt: skip
    if isinstance(erro, CommitUnknown):
        _logger.error("gravação incerta: %s", erro)
        return Problema(
            503, "gravacao-incerta", "Confira antes de repetir",
            "A conexão com o banco de dados caiu na hora de gravar. Confira se a alteração foi feita antes de repeti-la.",
        )  # fmt: skip
    if isinstance(erro, LockTimeout):
        return Problema(
            503, "em-uso-agora", "Em uso neste instante",
            "Outra pessoa está alterando o mesmo registro. Nada foi gravado: tente de novo em instantes.",
            cabecalhos={"Retry-After": "1"},
        )  # fmt: skip
    _indisponivel.failed("indisponível", erro)
    return Problema(
        503, "indisponivel", "Um momento, por favor",
        "O banco de dados não está respondendo. Nada se perdeu: tente de novo em instantes.",
        cabecalhos={"Retry-After": str(max(1, round(erro.retry_after or 1)))},
    )  # fmt: skip


def _nosso(erro: erros.SispatError) -> Problema:
    estado, titulo = ESTADOS.get(type(erro), (400, "Não deu certo"))
    extras: dict[str, Any] = {}
    cabecalhos: dict[str, str] = {}
    if isinstance(erro, erros.DadosInvalidos):
        extras["erros"] = [{"campo": campo, "mensagem": mensagem} for campo, mensagem in erro.campos.items()]
    elif isinstance(erro, erros.Conflito):
        extras |= {"atual": erro.atual, "enviado": erro.enviado}
    elif isinstance(erro, erros.NaoAutenticado):
        cabecalhos["WWW-Authenticate"] = "Bearer"
    elif isinstance(erro, CepIndisponivel) and erro.retry_after is not None:
        cabecalhos["Retry-After"] = str(max(1, math.ceil(erro.retry_after)))
    return Problema(estado, erro.codigo, titulo, erro.mensagem, extras=extras, cabecalhos=cabecalhos)


def problema_do_limite(recusa: Denial) -> Problema:
    """A request that the limits let not pass; who answers adds the fields that tell of them."""
    portugues, ingles = (problem(recusa.denied, recusa.retry_after, lingua) for lingua in ("pt", "en"))
    return Problema(
        429, "limite-excedido", portugues["title"], portugues["detail"],
        extras={nome: portugues[nome] for nome in ("violated-policies", "retry-after") if nome in portugues},
        ingles=(ingles["title"], ingles["detail"]), tipo=PROBLEM_TYPE,
    )  # fmt: skip


def _tentativas(erro: MuitasTentativas) -> Problema:
    estado, titulo = ESTADOS[MuitasTentativas]
    return Problema(
        estado, erro.codigo, titulo, erro.mensagem,
        extras={"violated-policies": [limite.name for limite in erro.limites], "retry-after": erro.espera},
        cabecalhos={
            "Retry-After": str(erro.espera),
            "RateLimit-Policy": ", ".join(map(policy_field, erro.limites)),
            "RateLimit": ", ".join(exhausted_field(limite, erro.espera) for limite in erro.limites),
        },
        ingles=("Too many attempts", f"Too many sign-ins failed. Wait {duration(erro.espera, 'en')} before you try again."),
        tipo=PROBLEM_TYPE,
    )  # fmt: skip


def _manutencao(erro: EmManutencao) -> Problema:
    return Problema(
        503, erro.codigo, ESTADOS[EmManutencao][1], erro.mensagem,
        extras={"desde": erro.desde, "ate": erro.ate, "motivo": erro.motivo},
        cabecalhos={"Retry-After": str(erro.espera)},
        ingles=("Under maintenance", "SISPAT is under maintenance. Nothing was saved: try again in a moment."),
    )  # fmt: skip


def resposta_problema(request: Request, problema: Problema) -> Response:
    """`problema` as application/problem+json."""
    titulo, mensagem = problema.titulo, problema.mensagem
    if problema.ingles and language(request.headers.get("accept-language", ""), "pt") == "en":
        titulo, mensagem = problema.ingles
    corpo = {
        "type": problema.tipo,
        "title": titulo,
        "status": problema.estado,
        "detail": mensagem,
        "instance": request.url.path,
        "codigo": problema.codigo,
        "requisicao": id_da_requisicao(request),
        **problema.extras,
    }
    return Response(
        orjson.dumps(corpo, default=str), problema.estado, {**problema.cabecalhos, "Cache-Control": "no-store"},
        "application/problem+json",
    )  # fmt: skip
