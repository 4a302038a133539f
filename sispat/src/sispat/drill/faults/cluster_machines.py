"""Three machines: the primary, a machine, or the network between them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import psutil
import psycopg

from esteio.cluster.operate import restart, switch_over
from esteio.drill import Fault
from esteio.testing.cluster import Machine
from sispat.drill.cluster import ClusterCity
from sispat.kernel.i18n import lazy

__all__ = ["FAILOVER", "MACHINES", "another_leads", "give_back", "gone", "is_gone", "lead_apart", "leads"]

_SILENT = 1.0
"""Seconds between a machine's last packet and the end of its processes, which alone would reset its connections."""
FAILOVER = 60.0
"""Seconds within which another machine has to lead, before the run says that the fault did not take."""
_LOOK = 0.5
"""Seconds between two looks: each asks all Patronis and etcds, which have a failover to decide meanwhile."""


async def leads(city: ClusterCity) -> Machine:
    """Who takes writes now; `another_leads` compares with it."""
    leader = await asyncio.to_thread(city.trio.leader)
    if leader is None:
        raise LookupError("nobody leads")
    city.kept["old"] = leader
    return leader


async def another_leads(city: ClusterCity) -> bool:
    """Whether somebody else does."""
    await asyncio.sleep(_LOOK)
    leader = await asyncio.to_thread(city.trio.leader)
    return leader is not None and leader is not city.kept["old"]


async def lead_apart(city: ClusterCity) -> None:
    """Let the leader and the holder of the shared address be two machines, so that each is lost by itself."""
    leader, holder = await leads(city), await asyncio.to_thread(city.trio.holder)
    if leader is not holder:
        return
    others = [each.name for each in city.trio.machines.values() if each is not holder]
    await asyncio.to_thread(switch_over, city.trio.plan, others[0])
    await city.machines.until_ready()


async def _switch_over(city: ClusterCity) -> None:
    await leads(city)
    await asyncio.to_thread(switch_over, city.trio.plan)


async def _kill_postmaster(city: ClusterCity) -> None:
    leader = await leads(city)
    city.kept["pid"] = city.trio.postmaster(leader)
    city.trio.kill_postmaster(leader)


async def _server_died(city: ClusterCity) -> bool:
    """The pid file names another one, or there is no process of that number."""
    return city.trio.postmaster(city.kept["old"]) != city.kept["pid"] or not psutil.pid_exists(city.kept["pid"])


async def _vanish(city: ClusterCity) -> None:
    await gone(city, await leads(city))


async def gone(city: ClusterCity, machine: Machine) -> None:
    """That machine vanishes: first no packet comes or goes, then it stops."""
    city.kept["gone"] = machine
    await asyncio.to_thread(machine.vanish)
    await asyncio.sleep(_SILENT)
    await asyncio.to_thread(machine.kill)


async def _vanish_standby(city: ClusterCity) -> None:
    leader = await leads(city)
    holder = await asyncio.to_thread(city.trio.holder)
    await gone(city, next(each for each in city.trio.machines.values() if each not in (leader, holder)))


async def _vanish_holder(city: ClusterCity) -> None:
    holder = await asyncio.to_thread(city.trio.holder)
    await leads(city)
    assert holder is not None
    await gone(city, holder)


async def is_gone(city: ClusterCity) -> bool:
    """Whether the others see that it is."""
    await asyncio.sleep(_LOOK)
    status = await asyncio.to_thread(city.trio.status)
    return any(each.node.name == city.kept["gone"].name and not each.votes for each in status.members)


async def give_back(city: ClusterCity) -> None:
    """The machine is switched on again, with the data it had."""
    await asyncio.to_thread(city.machines.boot, city.kept.pop("gone"))


def _cut(*, incoming: bool, outgoing: bool) -> Callable[[ClusterCity], Awaitable[None]]:
    async def inject(city: ClusterCity) -> None:
        leader = await leads(city)
        others = [each.address for each in city.trio.machines.values() if each is not leader]
        await asyncio.to_thread(leader.cut_off, others, incoming=incoming, outgoing=outgoing)

    return inject


async def _mend(city: ClusterCity) -> None:
    await asyncio.to_thread(city.kept["old"].appear)


async def _upgrade(city: ClusterCity) -> None:
    """A new SISPAT on each machine, one after the other; each is drained first."""
    for machine in city.trio.machines.values():
        await asyncio.to_thread(machine.end, "service", signal.SIGTERM)
        city.machines.serve(machine)
        await city.machines.until_ready()


async def _reboot(city: ClusterCity) -> None:
    """All machines, one after the other; who leads hands over first."""
    for machine in city.trio.machines.values():
        if await leads(city) is machine:
            await asyncio.to_thread(switch_over, city.trio.plan)
        await asyncio.to_thread(machine.stop_unit, "esteio-keepalived")
        await asyncio.to_thread(machine.end, "service", signal.SIGTERM)
        await asyncio.to_thread(machine.kill)
        await asyncio.to_thread(city.machines.boot, machine)
        await city.machines.until_ready()


async def _minor_upgrade(city: ClusterCity) -> None:
    """Other programs of PostgreSQL on each machine, standbys first; who leads hands over before its own turn."""
    leader = await leads(city)
    city.kept["versions"] = await asyncio.to_thread(_server_versions, city)
    standbys = [each for each in city.trio.machines.values() if each is not leader]
    for machine in (*standbys, leader):
        if machine is leader:
            await asyncio.to_thread(switch_over, city.trio.plan)
            await city.machines.until_ready()
        await asyncio.to_thread(city.trio.renew_postgres, machine)
        await asyncio.to_thread(restart, city.trio.plan, machine.name)
        await city.machines.until_ready()


def _server_versions(city: ClusterCity) -> list[str]:
    """What each server says that it is, such as 15.18."""
    found, port = [], city.trio.plan.ports.postgres
    for machine in city.trio.machines.values():
        alone = city.trio.dsn().with_(hosts=((machine.address, port),))
        with psycopg.connect(alone.conninfo, connect_timeout=5) as conn:
            found += [str(row[0]).split()[0] for row in conn.execute("show server_version")]
    return found


async def _renewed(city: ClusterCity) -> bool:
    """Whether each server runs the programs that its machine has now, and says so itself; and another one leads."""
    machines = city.trio.machines.values()
    said: list[str] = []
    with suppress(psycopg.OperationalError):
        said = await asyncio.to_thread(_server_versions, city)
    now = [city.trio.postgres_version(each) for each in machines]
    return said == now and all(map(city.trio.renewed, machines)) and await another_leads(city)


async def _minor_versions(city: ClusterCity) -> Mapping[str, float]:
    """From which to which; or that there was only one to be had."""
    first = next(iter(city.trio.machines.values()))
    before, after = city.kept["versions"][0], city.trio.postgres_version(first)
    if before == after:
        return {"same_binaries": 1.0}
    return {name: float(each.partition(".")[2]) for name, each in (("minor_before", before), ("minor_after", after))}


async def _slow(city: ClusterCity) -> None:
    await asyncio.to_thread((await leads(city)).slow_down)


async def _fast(city: ClusterCity) -> None:
    await asyncio.to_thread(city.kept["old"].speed_up)


async def _done(_: ClusterCity) -> bool:
    """What people do has taken its effect when it is over."""
    return True


MACHINES: tuple[Fault[ClusterCity], ...] = (
    Fault(
        "switchover",
        lazy("Outra máquina passa a mandar, de propósito"),
        _switch_over,
        another_leads,
        patience=30,
        planned=True,
    ),
    Fault(
        "primary-killed",
        lazy("O PostgreSQL primário é morto"),
        _kill_postmaster,
        _server_died,
        patience=40,
    ),
    Fault(
        "primary-vanished",
        lazy("A máquina do primário some da rede e para; depois volta"),
        _vanish,
        another_leads,
        give_back,
        lead_apart,
        lasts=3,
        patience=60,
        proof=FAILOVER,
    ),
    Fault(
        "standby-vanished",
        lazy("A máquina de um reserva some; depois volta"),
        _vanish_standby,
        is_gone,
        give_back,
        lasts=10,
        patience=60,
        proof=FAILOVER,
    ),
    Fault(
        "address-vanished",
        lazy("A máquina com o endereço comum some; depois volta"),
        _vanish_holder,
        is_gone,
        give_back,
        lasts=10,
        patience=60,
        proof=FAILOVER,
    ),
    Fault(
        "primary-cut-off",
        lazy("O primário fica sem rede para os outros; depois volta, ultrapassado"),
        _cut(incoming=True, outgoing=True),
        another_leads,
        _mend,
        lead_apart,
        lasts=5,
        patience=60,
        proof=FAILOVER,
    ),
    Fault(
        "primary-unheard",
        lazy("Os outros não ouvem o primário, que os ouve"),
        _cut(incoming=False, outgoing=True),
        another_leads,
        _mend,
        lead_apart,
        lasts=5,
        patience=60,
        proof=FAILOVER,
    ),
    Fault("slow-link", lazy("A rede do primário fica lenta por 20 s"), _slow, _done, _fast, lasts=20, patience=60),
    Fault("rolling-upgrade", lazy("Uma versão nova, máquina por máquina"), _upgrade, _done, patience=60, planned=True),
    Fault(
        "minor-upgrade",
        lazy("Uma correção do PostgreSQL, reserva por reserva, o primário por último"),
        _minor_upgrade,
        _renewed,
        tells=_minor_versions,
        patience=60,
        planned=True,
    ),
    Fault("rolling-reboot", lazy("As três máquinas reiniciam, uma por vez"), _reboot, _done, patience=60, planned=True),
)
