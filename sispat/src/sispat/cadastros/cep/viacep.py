"""ViaCEP over HTTP: one GET, its bytes bounded.

Promises: whatever goes wrong is a `ViacepFailed`, with the seconds of `Retry-After` where ViaCEP named them. How long
a question may take is decided outside. This is the only file that knows the HTTP client.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx2

from esteio.clock import SYSTEM, Clock
from sispat import __version__
from sispat.cadastros.cep.address import PostalAddress, read
from sispat.cadastros.cep.errors import ViacepFailed

__all__ = ["Viacep"]

_LONGEST = 64 * 1024  # bytes of an answer; real ones have about 300
_PATIENCE = 5.0  # seconds; the policies around are stricter
_CONNECTIONS = httpx2.Limits(max_connections=30, max_keepalive_connections=4, keepalive_expiry=30.0)
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # so that the bytes counted are the bytes read
    "User-Agent": f"SISPAT/{__version__}",
}


class Viacep:
    """A client for the process; raises `ViacepFailed` where the address of the service makes no sense."""

    def __init__(self, url: str, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        try:
            self._client = httpx2.AsyncClient(
                base_url=url, headers=_HEADERS, limits=_CONNECTIONS, timeout=_PATIENCE, follow_redirects=False
            )
        except (httpx2.InvalidURL, ValueError, OSError) as error:  # also proxies and certificates of the environment
            raise ViacepFailed(f"o cliente HTTP não pôde ser montado: {error}") from error

    async def find(self, cep: str) -> PostalAddress | None:
        """The address of `cep` (8 digits), None where there is none."""
        try:
            async with self._client.stream("GET", f"/ws/{cep}/json/") as response:
                if response.status_code == 400:  # its way to say that this can be no CEP
                    return None
                if response.status_code != 200:
                    raise ViacepFailed(f"respondeu {response.status_code}", self._wait(response))
                body = await _body(response)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ViacepFailed(f"{type(error).__name__} {error}".strip()) from error
        return read(body, cep)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    def _wait(self, response: httpx2.Response) -> float | None:
        """Seconds of `Retry-After` (RFC 9110, 10.2.3), a number or a date; None where it is neither."""
        text = response.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock.time())
        except (ValueError, TypeError, OverflowError):
            return None


async def _body(response: httpx2.Response) -> bytes:
    received = bytearray()
    async for chunk in response.aiter_raw():
        received += chunk
        if len(received) > _LONGEST:
            raise ViacepFailed(f"a resposta passa de {_LONGEST // 1024} KiB")
    return bytes(received)
