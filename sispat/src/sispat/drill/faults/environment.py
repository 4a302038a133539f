"""What surrounds a machine: names, the clock, Sentinels that choose another Redis."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import psycopg

from esteio.drill import Fault, Group
from sispat.drill.load import City
from sispat.kernel.i18n import _, lazy

if TYPE_CHECKING:
    from esteio.testing.redis import SentinelTrio
    from sispat.drill.front import Front
    from sispat.drill.outside import FakeNames

__all__ = ["FAULTS"]

_LEAP = 3600  # seconds


def _no_names(city: City) -> str | None:
    if city.names is not None:
        return None
    return (city.service.etc and city.service.etc.reason) or _("nenhum servidor de nomes próprio aqui")


def _names(city: City) -> FakeNames:
    assert city.names is not None, "`needs` was asked before"
    return city.names


def _resolver(mode: str) -> Callable[[City], Awaitable[None]]:
    async def inject(city: City) -> None:
        _names(city).mode, _names(city).asked = mode, 0

    return inject


async def _name_was_asked(city: City) -> bool:
    return _names(city).asked > 0


def _no_clock(city: City) -> str | None:
    return city.service.etc.no_clock if city.service.etc is not None else _("nenhum relógio próprio aqui")


async def _leap(city: City) -> None:
    assert city.service.etc is not None
    city.service.etc.leap(_LEAP)


async def _has_leapt(city: City) -> bool:
    """In the database's own processes, started with an empty environment."""
    async with await psycopg.AsyncConnection.connect(city.service.owner().conninfo) as conn:
        row = await (await conn.execute("select extract(epoch from clock_timestamp())::float8")).fetchone()
    return row is not None and row[0] - time.time() > _LEAP / 2


async def _set_right(city: City) -> None:
    if city.service.etc is not None:
        city.service.etc.leap(0)


def _no_sentinels(city: City) -> str | None:
    return None if city.sentinels is not None else _("não há redis-server nesta máquina")


def _sentinels(city: City) -> SentinelTrio:
    assert city.sentinels is not None, "`needs` was asked before"
    return city.sentinels


async def _kill_primary(city: City) -> None:
    city.kept["primary"] = primary = await asyncio.to_thread(lambda: _sentinels(city).primary)
    primary.kill()


async def _failed_over(city: City) -> bool:
    return await asyncio.to_thread(_sentinels(city).failed_over, city.kept["primary"])


async def _old_one_back(city: City) -> None:
    """The Sentinels make it a replica of the new one."""
    if "primary" in city.kept:
        with contextlib.suppress(RuntimeError):
            await asyncio.to_thread(city.kept.pop("primary").restart)


def _no_front(city: City) -> str | None:
    return None if city.front is not None else _("o serviço não está atrás de TLS")


def _front(city: City) -> Front:
    assert city.front is not None, "`needs` was asked before"
    return city.front


async def _expire(city: City) -> None:
    city.kept |= {"about": ("tls:refused", "tls:certificate"), "expired": time.monotonic()}
    await asyncio.to_thread(_front(city).expire)


async def _is_refused(city: City) -> bool:
    try:
        await _front(city).visit("/api/health/live")
    except ssl.SSLCertVerificationError as error:
        return "expired" in error.verify_message
    return False


async def _somebody_was_told(city: City) -> bool:
    return await city.told(city.kept["expired"]) is not None


async def _renew(city: City) -> None:
    await asyncio.to_thread(_front(city).renew)


FAULTS: tuple[Fault[City], ...] = (
    *(
        Fault(name, title, _resolver(mode), _name_was_asked, _resolver("well"), needs=_no_names, lasts=8.0)
        for name, mode, title in (
            ("dns-away", "away", lazy("O servidor de nomes falha por 8 s")),
            ("dns-hangs", "hangs", lazy("O servidor de nomes não responde por 8 s")),
        )
    ),
    Fault(
        "redis-failed-over", lazy("O Redis principal é morto; os Sentinels escolhem o outro"), _kill_primary, _failed_over,
        _old_one_back, needs=_no_sentinels, lasts=3.0,
    ),
    Fault(
        "clock-leaps", lazy("O relógio da máquina salta uma hora adiante, e volta após 10 s"), _leap, _has_leapt, _set_right,
        needs=_no_clock, lasts=10.0, patience=30,
    ),
    Fault(
        "certificate-expired", lazy("O certificado vence; quem é avisado põe outro no lugar, sem reiniciar"), _expire,
        _is_refused, _renew, needs=_no_front, lasts=240.0, until=_somebody_was_told, group=Group.CHANGES,
    ),
)  # fmt: skip
