"""Answers: JSON that is already bytes, validators for caches, conditions on versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sispat.domain.erros import DadosInvalidos
from sispat.usecases.patrimonios import Pagina

__all__ = ["com_etag", "json_de", "json_pagina", "versao_exigida"]

_JSON = "application/json"
_PRIVADO = "private, no-cache"  # may be kept by the person's own browser, asked again each time


def json_pagina(pagina: Pagina) -> bytes:
    """A page of documents that PostgreSQL already built."""
    return b'{"itens":[%b],"proxima":%b,"anterior":%b}' % (
        ",".join(pagina.documentos).encode(),
        orjson.dumps(pagina.proxima),
        orjson.dumps(pagina.anterior),
    )


def json_de(valor: object, estado: int = 200, **cabecalhos: str) -> Response:
    """Any value as JSON; dates ISO, decimals as strings so that no cent is lost."""
    return Response(orjson.dumps(valor, default=str), estado, cabecalhos, _JSON)


def com_etag(request: Request, corpo: bytes, versao: int | None = None) -> Response:
    """200 with an ETag, or 304 when the client has just this. With `versao`, the tag also serves If-Match."""
    resumo = blake2b(corpo, digest_size=8).hexdigest()
    etag = f'W/"{resumo}"' if versao is None else f'"{versao}.{resumo}"'
    cabecalhos = {"ETag": etag, "Cache-Control": _PRIVADO, "Vary": "Accept-Encoding, Authorization, Cookie"}
    if _tem(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=cabecalhos)
    return Response(corpo, 200, cabecalhos, _JSON)


def _tem(enviado: str, etag: str) -> bool:
    """Weak comparison (RFC 9110, 8.8.3.2): a compressed answer keeps its validator."""
    return bool(enviado) and (enviado == "*" or etag.removeprefix("W/") in _partes(enviado))


def _partes(enviado: str) -> Iterable[str]:
    return [parte.strip().removeprefix("W/") for parte in enviado.split(",")]


def versao_exigida(request: Request) -> int:
    """The version named by If-Match (`"3"` or the whole ETag); raises `DadosInvalidos` without one."""
    achado = re.fullmatch(r'(?:W/)?"?(\d{1,9})(?:\.[0-9a-f]+)?"?', request.headers.get("if-match", "").strip())
    if achado is None:
        raise DadosInvalidos({"If-Match": 'Envie o cabeçalho If-Match com a versão que você leu, como "3".'})
    return int(achado[1])
