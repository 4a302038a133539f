"""Three machines: etcd, which decides who leads, Redis, which counts for all, and the clocks."""

from __future__ import annotations

import asyncio
import signal
import time

import psycopg

from esteio.cluster.operate import switch_over
from esteio.drill import Fault
from esteio.testing.cluster import Watchdog
from sispat.drill.cluster import ClusterCity
from sispat.drill.faults.cluster_machines import FAILOVER, another_leads, give_back, gone, is_gone, lead_apart, leads
from sispat.kernel.i18n import lazy

__all__ = ["ENGINES"]

_AHEAD = 300
"""Seconds by which the clock of the primary's machine is ahead."""


async def _arm(city: ClusterCity) -> None:
    """The leader's Patroni has a watchdog, and has told it how long it may be silent."""
    await lead_apart(city)
    watchdog = city.kept["watchdog"] = Watchdog(await leads(city))
    await asyncio.to_thread(watchdog.start)
    if not await asyncio.to_thread(watchdog.armed.wait, FAILOVER):
        raise TimeoutError(f"Patroni of {watchdog.machine.name} does not use its watchdog")


async def _freeze_patroni(city: ClusterCity) -> None:
    await asyncio.to_thread(city.kept["watchdog"].machine.freeze, "esteio-patroni")


async def _was_reset(city: ClusterCity) -> bool:
    return city.kept["watchdog"].fired.is_set() and await another_leads(city)


async def _start_what_was_reset(city: ClusterCity) -> None:
    watchdog = city.kept.pop("watchdog")
    await asyncio.to_thread(watchdog.stop)
    if watchdog.fired.is_set():
        await asyncio.to_thread(city.machines.boot, watchdog.machine)
    else:
        watchdog.machine.freeze("esteio-patroni", signal.SIGCONT)


async def _end_etcd(city: ClusterCity) -> None:
    await leads(city)
    for machine in city.trio.machines.values():
        await asyncio.to_thread(machine.end, "esteio-etcd")


async def _nobody_votes(city: ClusterCity) -> bool:
    status = await asyncio.to_thread(city.trio.status)
    return not any(each.votes for each in status.members)


async def _start_etcd(city: ClusterCity) -> None:
    for machine in city.trio.machines.values():
        await asyncio.to_thread(machine.start_again, "esteio-etcd")


async def _kill_redis(city: ClusterCity) -> None:
    primary = await asyncio.to_thread(city.trio.redis_primary)
    assert primary is not None
    city.kept["redis"] = primary
    await asyncio.to_thread(primary.end, "esteio-redis")


async def _another_counts(city: ClusterCity) -> bool:
    primary = await asyncio.to_thread(city.trio.redis_primary)
    return primary is not None and primary is not city.kept["redis"]


async def _start_redis(city: ClusterCity) -> None:
    await asyncio.to_thread(city.kept["redis"].start_again, "esteio-redis")


async def _freeze_redis(city: ClusterCity) -> None:
    primary = await asyncio.to_thread(city.trio.redis_primary)
    assert primary is not None
    city.kept["redis"] = primary
    await asyncio.to_thread(primary.end, "esteio-redis", signal.SIGSTOP)


async def _thaw_redis(city: ClusterCity) -> None:
    """It still takes itself for the primary, until a Sentinel tells it otherwise."""
    await asyncio.to_thread(city.kept["redis"].end, "esteio-redis", signal.SIGCONT)


async def _fail_redis_over(city: ClusterCity) -> None:
    city.kept["redis"] = await asyncio.to_thread(city.trio.redis_primary)
    await asyncio.to_thread(city.trio.fail_redis_over)


async def _etcd_apart(city: ClusterCity) -> None:
    """Let etcd's leader be a machine that neither has the primary nor the shared address, so that it is lost by itself."""
    leader, holder = await leads(city), await asyncio.to_thread(city.trio.holder)
    other = next(each for each in city.trio.machines.values() if each not in (leader, holder))
    await asyncio.to_thread(city.trio.let_etcd_lead, other)


async def _etcd_leader_vanishes(city: ClusterCity) -> None:
    await gone(city, await asyncio.to_thread(city.trio.etcd_leader))


def _no_clock(city: ClusterCity) -> str | None:
    return city.machines.no_clock


async def _set_ahead(city: ClusterCity) -> None:
    """The primary's clock is ahead; then another machine leads, whose times are earlier."""
    leader = await leads(city)
    city.machines.leap(leader, _AHEAD)
    city.kept["ahead"] = await asyncio.to_thread(_ahead, city)
    await asyncio.to_thread(switch_over, city.trio.plan)


def _ahead(city: ClusterCity) -> float:
    """Seconds by which the primary's own processes are."""
    with psycopg.connect(city.machines.owner().conninfo) as conn:
        row = conn.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
    return row[0] - time.time() if row else 0.0


async def _was_ahead(city: ClusterCity) -> bool:
    return city.kept["ahead"] > _AHEAD / 2 and await another_leads(city)


async def _set_right(city: ClusterCity) -> None:
    city.machines.leap(city.kept["old"], 0)


async def _renew(city: ClusterCity) -> None:
    city.kept["serials"] = await asyncio.to_thread(city.trio.serials)
    await asyncio.to_thread(city.trio.renew_certificates)


async def _all_renewed(city: ClusterCity) -> bool:
    """Whether no program shows what it showed before."""
    shown = await asyncio.to_thread(city.trio.serials)
    return all(serial not in ("", city.kept["serials"][where]) for where, serial in shown.items())


ENGINES: tuple[Fault[ClusterCity], ...] = (
    Fault(
        "sentinel-failover",
        lazy("O Redis primário é morto, e as Sentinels escolhem outro"),
        _kill_redis,
        _another_counts,
        _start_redis,
        patience=20,
        proof=FAILOVER,
    ),
    Fault(
        "patroni-frozen",
        lazy("O Patroni do primário congela; o watchdog reinicia a máquina antes que outra mande"),
        _freeze_patroni,
        _was_reset,
        _start_what_was_reset,
        _arm,
        lasts=3,
        patience=60,
        proof=FAILOVER,
    ),
    Fault(
        "etcd-gone",
        lazy("O etcd para em todas as máquinas por 40 s; o primário continua"),
        _end_etcd,
        _nobody_votes,
        _start_etcd,
        lasts=40,
        patience=60,
    ),
    Fault(
        "etcd-leader-vanished",
        lazy("A máquina cujo etcd decide some; depois volta"),
        _etcd_leader_vanishes,
        is_gone,
        give_back,
        _etcd_apart,
        lasts=10,
        patience=60,
        proof=FAILOVER,
    ),
    Fault(
        "sentinel-switch",
        lazy("As Sentinels escolhem outro Redis, de propósito; o antigo continua vivo"),
        _fail_redis_over,
        _another_counts,
        patience=20,
        proof=FAILOVER,
        planned=True,
    ),
    Fault(
        "redis-frozen",
        lazy("O Redis primário congela, outro é escolhido, e ele volta a si, ultrapassado"),
        _freeze_redis,
        _another_counts,
        _thaw_redis,
        lasts=5,
        patience=20,
        proof=FAILOVER,
    ),
    Fault(
        "clock-skew",
        lazy("O relógio do primário fica 5 min adiantado; outra máquina passa a mandar"),
        _set_ahead,
        _was_ahead,
        _set_right,
        needs=_no_clock,
        lasts=10,
        patience=40,
        proof=FAILOVER,
    ),
    Fault(
        "certificates-renewed",
        lazy("Os certificados de todas as máquinas são renovados, com tudo no ar"),
        _renew,
        _all_renewed,
        patience=60,
        planned=True,
    ),
)
"""Those of the programs that all machines share."""
