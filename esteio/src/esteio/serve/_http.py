"""Which HTTP protocol a worker speaks; uvicorn is imported only when that is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from esteio.extras import needs
from esteio.serve._refusals import RefusalWords
from esteio.serve._settings import ConnectionLimits

__all__ = ["http_protocol"]


def http_protocol(
    limits: ConnectionLimits | None = None, *, trusted: str = "127.0.0.1,::1", words: RefusalWords | None = None
) -> Callable[..., Any]:
    """For `uvicorn.Config(http=...)` without our supervisor: HTTP/1.1 that keeps `limits`, counted in this process.

    `trusted`: addresses and networks of proxies, separated by commas. ExtraMissing without uvicorn or httptools.
    """
    with needs("serve"):
        from esteio.serve._http_protocol import Edge

    return Edge(limits or ConnectionLimits(), trusted, words).protocol
