"""PostgreSQL: its processes, its connections, its locks."""

from __future__ import annotations

import contextlib
import signal

import psycopg

from esteio.drill import Fault
from sispat.drill.faults.processes import gone, kill
from sispat.drill.load import City
from sispat.kernel.i18n import lazy

__all__ = ["FAULTS"]

_HELD = 5.0  # seconds that a stranger keeps a lock or the connections


async def _kill_backend(city: City) -> None:
    backends = [each for each in city.service.postgres() if "sispat_app" in " ".join(each.cmdline())]
    kill(city, *backends[:1])


async def _kill_postmaster(city: City) -> None:
    kill(city, *city.service.postgres()[:1])


async def _restart(city: City) -> None:
    kill(city, *city.service.postgres()[:1], by=signal.SIGINT)  # a fast shutdown


async def _freeze(city: City) -> None:
    kill(city, *city.service.postgres(), by=signal.SIGSTOP)


async def _frozen_one_replaced(city: City) -> bool:
    """The silence has begun as soon as they are stopped; whether that was noticed is what is measured."""
    return all(each.status() == "stopped" for each in city.kept["hit"] if each.is_running())


async def _lock(city: City) -> None:
    stranger = await psycopg.AsyncConnection.connect(city.service.owner().conninfo)
    city.kept["strangers"] = [stranger]
    await stranger.execute("lock table patrimonio in access exclusive mode")


async def _take_connections(city: City) -> None:
    """All that ordinary people may have: those for superusers stay, as a reserve."""
    own = city.service.owner().with_(user="sispat_app").conninfo
    city.kept["strangers"] = []
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            city.kept["strangers"].append(await psycopg.AsyncConnection.connect(own, autocommit=True))


async def _are_there(city: City) -> bool:
    return bool(city.kept["strangers"])


async def _leave(city: City) -> None:
    for stranger in city.kept.pop("strangers", []):
        await stranger.close()


FAULTS: tuple[Fault[City], ...] = (
    Fault("backend-killed", lazy("Uma conexão do banco é morta"), _kill_backend, gone),
    Fault("postgres-killed", lazy("O PostgreSQL é morto"), _kill_postmaster, gone),
    Fault("postgres-restarted", lazy("O PostgreSQL é reiniciado"), _restart, gone),
    Fault("postgres-frozen", lazy("O PostgreSQL congela"), _freeze, _frozen_one_replaced, patience=60),
    Fault(
        "table-locked",
        lazy("Um estranho tranca a tabela de bens por 5 s"),
        _lock,
        _are_there,
        _leave,
        lasts=_HELD,
        patience=30,
    ),
    Fault(
        "connections-taken",
        lazy("Um estranho toma todas as conexões do banco por 5 s"),
        _take_connections,
        _are_there,
        _leave,
        lasts=_HELD,
        patience=30,
    ),
)
