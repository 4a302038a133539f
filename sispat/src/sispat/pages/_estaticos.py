"""Stylesheet and pictures.

Promises: all are in memory; their address holds a hash of the content, so that a browser keeps them for good
and a new version is asked for at once. An old address gets the present content, not to be kept.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sispat.pages._cabecalhos import SEGURANCA

__all__ = ["endereco", "rotas"]

_PASTA = Path(__file__).parent.parent / "static"
_TIPOS = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}


class _Arquivo(NamedTuple):
    conteudo: bytes
    resumo: str
    tipo: str


def _ler(arquivo: Path) -> _Arquivo:
    conteudo = arquivo.read_bytes()
    return _Arquivo(conteudo, blake2b(conteudo, digest_size=6).hexdigest(), _TIPOS[arquivo.suffix])


_ARQUIVOS = {arquivo.name: _ler(arquivo) for arquivo in sorted(_PASTA.iterdir()) if arquivo.suffix in _TIPOS}

rotas = APIRouter(prefix="/static", include_in_schema=False)


def endereco(nome: str) -> str:
    """Where `nome` is served, in its present version."""
    return f"/static/{_ARQUIVOS[nome].resumo}/{nome}"


@rotas.get("/{resumo}/{nome}")
async def servir(request: Request) -> Response:
    """One file, or 304 where the browser has it."""
    arquivo = _ARQUIVOS.get(request.path_params["nome"])
    if arquivo is None:
        raise HTTPException(404)
    etag = f'"{arquivo.resumo}"'
    atual = request.path_params["resumo"] == arquivo.resumo
    guardar = "public, max-age=31536000, immutable" if atual else "no-cache"
    cabecalhos = {**SEGURANCA, "Cache-Control": guardar, "ETag": etag, "Vary": "Accept-Encoding"}
    if arquivo.resumo in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=cabecalhos)
    return Response(arquivo.conteudo, headers=cabecalhos, media_type=arquivo.tipo)
