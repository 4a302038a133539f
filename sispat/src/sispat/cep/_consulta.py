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
from sispat.cep._endereco import Endereco
from sispat.cep._erros import CepIndisponivel, FalhaDoViacep
from sispat.domain.enderecos import CEP_INVALIDO, cep_normal
from sispat.domain.erros import DadosInvalidos

__all__ = ["ConsultaCep", "Fonte"]

_FALHAS = (FalhaDoViacep, PolicyError)
_DIA = 86_400.0
_POLITICAS = (
    Cache(stale=30 * _DIA, fresh=_DIA, size=4096, on=_FALHAS),  # streets seldom move
    Deadline(0.9),
    Retry(2, 0.05, idempotent=True, on=_FALHAS),
    CircuitBreaker(failures=5, successes=1, open_for=30.0),
    Bulkhead(20),
    Timeout(0.4),
)
_MAIS_TARDE = 5.0  # seconds to come back after, where nobody said

_logger = logging.getLogger("sispat.cep")


class Fonte(Protocol):
    """Who is asked; raises `FalhaDoViacep`."""

    async def buscar(self, cep: str) -> Endereco | None:
        """The address of `cep`, None where there is none."""
        ...

    async def fechar(self) -> None:
        """Let go of what it holds."""
        ...


class ConsultaCep:
    """One per process. `abrir` makes the source when somebody first asks; None: the look-up is switched off."""

    def __init__(self, abrir: Callable[[], Coroutine[Any, Any, Fonte]] | None, clock: Clock = SYSTEM) -> None:
        self._abrir = abrir
        self._abertura: asyncio.Task[Fonte] | None = None
        self.pipeline = Pipeline("viacep", *_POLITICAS, clock=clock)
        self._procurar = self.pipeline(self._buscar)

    @classmethod
    def montar(cls, url: str | None) -> Self:
        """A look-up at the ViaCEP of `url`; nothing connects yet."""
        return cls(None if url is None else partial(_abrir_viacep, url))

    @property
    def ligada(self) -> bool:
        """Whether there is anybody to ask."""
        return self._abrir is not None

    async def consultar(self, cep: str) -> Endereco | None:
        """The address of `cep`, None where there is none.

        Raises `DadosInvalidos` for what is no CEP and `CepIndisponivel`, within 0.9 s, where nobody can say.
        """
        normal = cep_normal(cep)
        if normal is None:
            raise DadosInvalidos({"cep": CEP_INVALIDO})
        if self._abrir is None:
            raise CepIndisponivel("está desligada nesta instalação")
        try:
            return await self._procurar(normal)
        except _FALHAS as erro:
            _logger.warning("CEP %s sem resposta: %s", normal, erro)
            raise CepIndisponivel("não respondeu", erro.retry_after or _MAIS_TARDE) from erro

    async def fechar(self) -> None:
        """Close the source, if it was ever opened."""
        if self._abertura is None:
            return
        (fonte,) = await asyncio.gather(self._abertura, return_exceptions=True)
        self._abertura = None
        if not isinstance(fonte, BaseException):
            await fonte.fechar()

    async def _buscar(self, cep: str) -> Endereco | None:
        fonte = await asyncio.shield(self._aberta())  # who gives up waiting does not undo it for the next
        return await fonte.buscar(cep)

    def _aberta(self) -> asyncio.Task[Fonte]:
        assert self._abrir is not None
        if self._abertura is None or (self._abertura.done() and self._abertura.exception() is not None):
            self._abertura = asyncio.create_task(self._abrir())
        return self._abertura


async def _abrir_viacep(url: str) -> Fonte:
    """In a thread: importing the client and reading the certificates takes longer than the event loop may stand still."""
    return await asyncio.to_thread(_novo_viacep, url)


def _novo_viacep(url: str) -> Fonte:
    from sispat.cep._viacep import Viacep  # here, so that a process that is never asked carries no HTTP client

    return Viacep(url)
