"""The look-up itself: ViaCEP behind policies.

The order is the one the policies' reference recommends, the cache outermost: it also answers when the deadline has
passed. Two attempts of 0.4 s end before the deadline, so that a ViaCEP that hangs is counted by the breaker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol, Self

from esteio.clock import SYSTEM, Clock
from esteio.policy import Bulkhead, Cache, CircuitBreaker, Deadline, Pipeline, PolicyError, Retry, Timeout
from sispat.cadastros.cep.address import PostalAddress
from sispat.cadastros.cep.errors import CepUnavailable, ViacepFailed
from sispat.kernel.brazil import INVALID_CEP, normal_cep
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _

__all__ = ["CepLookup", "Source"]

_FAILURES = (ViacepFailed, PolicyError)
_DAY = 86_400.0
_POLICIES = (
    Cache(stale=30 * _DAY, fresh=_DAY, size=4096, on=_FAILURES),  # streets seldom move
    Deadline(0.9),
    Retry(2, 0.05, idempotent=True, on=_FAILURES),
    CircuitBreaker(failures=5, successes=1, open_for=30.0),
    Bulkhead(20),
    Timeout(0.4),
)
_LATER = 5.0  # seconds to come back after, where nobody said

_logger = logging.getLogger("sispat.cep")


class Source(Protocol):
    """Who is asked; raises `ViacepFailed`."""

    async def find(self, cep: str) -> PostalAddress | None:
        """The address of `cep`, None where there is none."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class CepLookup:
    """One per process. `open_` makes the source when somebody first asks; None: the look-up is switched off."""

    def __init__(self, open_: Callable[[], Coroutine[Any, Any, Source]] | None, clock: Clock = SYSTEM) -> None:
        self._open = open_
        self._opening: asyncio.Task[Source] | None = None
        self.pipeline = Pipeline("viacep", *_POLICIES, clock=clock)
        self._search = self.pipeline(self._ask)

    @classmethod
    def build(cls, url: str | None) -> Self:
        """A look-up at the ViaCEP of `url`; nothing connects yet."""
        return cls(None if url is None else partial(_open_viacep, url))

    @property
    def is_on(self) -> bool:
        """Whether there is anybody to ask."""
        return self._open is not None

    async def find(self, cep: str) -> PostalAddress | None:
        """The address of `cep`, None where there is none.

        Raises `InvalidData` for what is no CEP and `CepUnavailable`, within 0.9 s, where nobody can say.
        """
        normal = normal_cep(cep)
        if normal is None:
            raise InvalidData({"cep": INVALID_CEP})
        if self._open is None:
            raise CepUnavailable(_("A consulta de CEP está desligada nesta instalação."))
        try:
            return await self._search(normal)
        except _FAILURES as error:
            _logger.warning("CEP %s sem resposta: %s", normal, error)
            raise CepUnavailable(_("A consulta de CEP não respondeu."), error.retry_after or _LATER) from error

    async def close(self) -> None:
        """Close the source, if it was ever opened."""
        if self._opening is None:
            return
        (source,) = await asyncio.gather(self._opening, return_exceptions=True)
        self._opening = None
        if not isinstance(source, BaseException):
            await source.close()

    async def _ask(self, cep: str) -> PostalAddress | None:
        source = await asyncio.shield(self._opened())  # who gives up waiting does not undo it for the next
        return await source.find(cep)

    def _opened(self) -> asyncio.Task[Source]:
        assert self._open is not None
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(self._open())
        return self._opening


async def _open_viacep(url: str) -> Source:
    """In a thread: importing the client and reading the certificates takes longer than the event loop may stand still."""
    return await asyncio.to_thread(_new_viacep, url)


def _new_viacep(url: str) -> Source:
    from sispat.cadastros.cep.viacep import Viacep  # here, so that a process that is never asked carries no HTTP client

    return Viacep(url)
