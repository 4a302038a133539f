"""ViaCEP over HTTP: one GET, its bytes bounded.

Promises: whatever goes wrong is a `FalhaDoViacep`, with the seconds of `Retry-After` where ViaCEP named them. How long
a question may take is decided outside. This is the only file that knows the HTTP client.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx

from esteio.clock import SYSTEM, Clock
from sispat import __version__
from sispat.cep._endereco import Endereco, ler
from sispat.cep._erros import FalhaDoViacep

__all__ = ["Viacep"]

_MAXIMO = 64 * 1024  # bytes of an answer; real ones have about 300
_PACIENCIA = 5.0  # seconds; the policies around are stricter
_LIGACOES = httpx.Limits(max_connections=30, max_keepalive_connections=4, keepalive_expiry=30.0)
_CABECALHOS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # so that the bytes counted are the bytes read
    "User-Agent": f"SISPAT/{__version__}",
}


class Viacep:
    """A client for the process; raises `FalhaDoViacep` where the address of the service makes no sense."""

    def __init__(self, url: str, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        try:
            self._cliente = httpx.AsyncClient(
                base_url=url, headers=_CABECALHOS, limits=_LIGACOES, timeout=_PACIENCIA, follow_redirects=False
            )
        except (httpx.InvalidURL, ValueError, OSError) as erro:  # also proxies and certificates of the environment
            raise FalhaDoViacep(f"o cliente HTTP não pôde ser montado: {erro}") from erro

    async def buscar(self, cep: str) -> Endereco | None:
        """The address of `cep` (8 digits), None where there is none."""
        try:
            async with self._cliente.stream("GET", f"/ws/{cep}/json/") as resposta:
                if resposta.status_code == 400:  # its way to say that this can be no CEP
                    return None
                if resposta.status_code != 200:
                    raise FalhaDoViacep(f"respondeu {resposta.status_code}", self._espera(resposta))
                corpo = await _corpo(resposta)
        except (httpx.HTTPError, httpx.InvalidURL) as erro:
            raise FalhaDoViacep(f"{type(erro).__name__} {erro}".strip()) from erro
        return ler(corpo, cep)

    async def fechar(self) -> None:
        """Close its connections."""
        await self._cliente.aclose()

    def _espera(self, resposta: httpx.Response) -> float | None:
        """Seconds of `Retry-After` (RFC 9110, 10.2.3), a number or a date; None where it is neither."""
        texto = resposta.headers.get("Retry-After", "").strip()
        if texto.isascii() and texto.isdigit() and len(texto) < 10:
            return float(texto)
        try:
            return max(0.0, parsedate_to_datetime(texto).timestamp() - self._clock.time())
        except (ValueError, TypeError, OverflowError):
            return None


async def _corpo(resposta: httpx.Response) -> bytes:
    lido = bytearray()
    async for pedaco in resposta.aiter_raw():
        lido += pedaco
        if len(lido) > _MAXIMO:
            raise FalhaDoViacep(f"a resposta passa de {_MAXIMO // 1024} KiB")
    return bytes(lido)
