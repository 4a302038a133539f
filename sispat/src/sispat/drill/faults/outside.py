"""What is not ours: the service of addresses, and Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import psutil

from esteio.drill import Fault
from sispat.drill.load import City
from sispat.kernel.i18n import _, lazy

if TYPE_CHECKING:
    from esteio.testing.redis import RedisServer

__all__ = ["FAULTS"]


def _becomes(mode: str) -> Callable[[City], Awaitable[None]]:
    async def inject(city: City) -> None:
        city.viacep.mode, city.viacep.asked = mode, 0

    return inject


async def _was_asked(city: City) -> bool:
    return city.viacep.asked > 0


async def _well(city: City) -> None:
    city.viacep.mode = "well"


def _no_redis(city: City) -> str | None:
    return None if city.redis is not None else _("não há redis-server nesta máquina")


def _redis(city: City) -> RedisServer:
    assert city.redis is not None, "`needs` was asked before"
    return city.redis


async def _kill_redis(city: City) -> None:
    _redis(city).kill()


async def _redis_silent(city: City) -> bool:
    return not await asyncio.to_thread(_redis(city).answers)


async def _restart_redis(city: City) -> None:
    await asyncio.to_thread(_redis(city).restart)


async def _freeze_redis(city: City) -> None:
    _redis(city).pause()


async def _redis_stopped(city: City) -> bool:
    return bool(psutil.Process(_redis(city).pid).status() == psutil.STATUS_STOPPED)


async def _thaw_redis(city: City) -> None:
    _redis(city).resume()


async def _flush_redis(city: City) -> None:
    with _redis(city).client() as client:
        city.kept["keys"] = client.dbsize()
        client.flushall()


async def _redis_had_keys(city: City) -> bool:
    """There were counts to lose, so the limits did go through it."""
    return bool(city.kept["keys"] > 0)


_CEP: tuple[Fault[City], ...] = tuple(
    Fault(name, title, _becomes(mode), _was_asked, _well, lasts=5.0)
    for name, mode, title in (
        ("cep-away", "away", lazy("O ViaCEP recusa por 5 s")),
        ("cep-hangs", "hangs", lazy("O ViaCEP não responde por 5 s")),
        ("cep-garbage", "garbage", lazy("O ViaCEP responde lixo por 5 s")),
    )
)
_REDIS: tuple[Fault[City], ...] = tuple(
    Fault(name, title, inject, proves, heal, needs=_no_redis, lasts=0.0 if heal is _well else 5.0)
    for name, title, inject, proves, heal in (
        ("redis-killed", lazy("O Redis é morto, e volta vazio após 5 s"), _kill_redis, _redis_silent, _restart_redis),
        ("redis-frozen", lazy("O Redis congela por 5 s"), _freeze_redis, _redis_stopped, _thaw_redis),
        ("redis-flushed", lazy("O Redis é esvaziado"), _flush_redis, _redis_had_keys, _well),
    )
)
FAULTS = (*_CEP, *_REDIS)
