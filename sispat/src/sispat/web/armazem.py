"""Where the limits are counted, and what a setting means as a limit.

Promises: with Redis all machines count together; without it the processes that `sispat serve` started count
together, in a file it made; a process alone counts for itself. Making the store connects to nothing.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from esteio.limit import HostStore, HostStoreError, Limit, MemoryStore, RateLimiter
from sispat.domain.erros import SispatError
from sispat.settings import Cota, Settings

if TYPE_CHECKING:
    from esteio.limit.redis import RedisStore

__all__ = ["ARQUIVO", "Armazem", "armazem", "encerrar", "iniciar", "limite", "redis"]

ARQUIVO = "ESTEIO_HOST_LIMITS"  # the environment's name for the file; from `sispat serve` to its workers

Armazem: TypeAlias = "MemoryStore | HostStore | RedisStore"

_logger = logging.getLogger("sispat.limites")


def armazem(settings: Settings) -> Armazem:
    """The store that these settings and this process' parent ask for."""
    if settings.redis_url is not None:
        from esteio.limit.redis import RedisStore

        senha = settings.redis_password.get_secret_value() if settings.redis_password else None
        return RedisStore(
            settings.redis_url.get_secret_value(), password=senha, prefix="sispat:limite:", instances=settings.workers
        )
    caminho = os.environ.get(ARQUIVO)
    if caminho:
        try:
            return HostStore(caminho)
        except HostStoreError as erro:
            _logger.warning("este processo conta os limites sozinho: %s", erro)
    return MemoryStore()


class SemRedis(SispatError):
    """Redis decides nothing for now; `motivo` says why."""

    codigo = "sem-redis"

    def __init__(self, motivo: str) -> None:
        self.motivo = motivo
        super().__init__(f"o Redis não responde ({motivo}); cada processo permite a sua parte dos limites")


def redis(limitador: RateLimiter) -> Callable[[], Awaitable[float]]:
    """A probe: milliseconds that Redis takes for a decision; raises `SemRedis`."""
    sonda = Limit(1, 1, name="health")

    async def medir() -> float:
        inicio = time.perf_counter()
        decisao = await limitador.peek("health", sonda)
        if decisao.degraded:
            raise SemRedis(decisao.reason)
        return (time.perf_counter() - inicio) * 1000

    return medir


async def iniciar(store: Armazem) -> None:
    """Begin to connect, so that the first decision does not have to wait for it."""
    if not isinstance(store, MemoryStore | HostStore):
        await store.start()


async def encerrar(store: Armazem) -> None:
    """Let go of connections or of the file."""
    if isinstance(store, HostStore):
        store.close()
    elif not isinstance(store, MemoryStore):
        await store.close()


def limite(nome: str, cota: Cota) -> Limit:
    """`cota` as a limit; while Redis is away each process keeps to its part."""
    return Limit(cota.quantos, cota.segundos, name=nome, on_failure="local")
