"""Three machines: one of them, its programs, or the network between them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from esteio.cluster.operate import switch_over
from esteio.drill import Fault
from esteio.testing.cluster import Machine
from sispat.drill.cluster import ClusterCity
from sispat.kernel.i18n import lazy

__all__ = ["CLUSTER", "SHORT_CLUSTER"]

_SILENT = 1.0
"""Seconds between a machine's last packet and the end of its processes, which alone would reset its connections."""
_FAILOVER = 60.0
"""Seconds within which another machine has to lead, before the run says that the fault did not take."""


async def _leads(city: ClusterCity) -> Machine:
    leader = await asyncio.to_thread(city.trio.leader)
    if leader is None:
        raise LookupError("nobody leads")
    city.kept["old"] = leader
    return leader


async def _another_leads(city: ClusterCity) -> bool:
    leader = await asyncio.to_thread(city.trio.leader)
    return leader is not None and leader is not city.kept["old"]


async def _lead_apart(city: ClusterCity) -> None:
    """Let the leader and the holder of the shared address be two machines, so that each is lost by itself."""
    leader, holder = await _leads(city), await asyncio.to_thread(city.trio.holder)
    if leader is not holder:
        return
    others = [each.name for each in city.trio.machines.values() if each is not holder]
    await asyncio.to_thread(switch_over, city.trio.plan, others[0])
    await city.machines.until_ready()


async def _switch_over(city: ClusterCity) -> None:
    await _leads(city)
    await asyncio.to_thread(switch_over, city.trio.plan)


async def _kill_postmaster(city: ClusterCity) -> None:
    leader = await _leads(city)
    city.kept["pid"] = city.trio.postmaster(leader)
    city.trio.kill_postmaster(leader)


async def _server_is_another(city: ClusterCity) -> bool:
    """The killed one has a successor: where it was, or on another machine."""
    leader = await asyncio.to_thread(city.trio.leader)
    return leader is not None and city.trio.postmaster(leader) not in (0, city.kept["pid"])


async def _vanish(city: ClusterCity) -> None:
    await _gone(city, await _leads(city))


async def _gone(city: ClusterCity, machine: Machine) -> None:
    city.kept["gone"] = machine
    await asyncio.to_thread(machine.vanish)
    await asyncio.sleep(_SILENT)
    await asyncio.to_thread(machine.kill)


async def _vanish_standby(city: ClusterCity) -> None:
    leader = await _leads(city)
    holder = await asyncio.to_thread(city.trio.holder)
    await _gone(city, next(each for each in city.trio.machines.values() if each not in (leader, holder)))


async def _vanish_holder(city: ClusterCity) -> None:
    holder = await asyncio.to_thread(city.trio.holder)
    await _leads(city)
    assert holder is not None
    await _gone(city, holder)


async def _is_gone(city: ClusterCity) -> bool:
    status = await asyncio.to_thread(city.trio.status)
    return any(each.node.name == city.kept["gone"].name and not each.votes for each in status.members)


async def _return(city: ClusterCity) -> None:
    """The machine is switched on again, with the data it had."""
    await asyncio.to_thread(city.machines.boot, city.kept.pop("gone"))


def _cut(*, incoming: bool, outgoing: bool) -> Callable[[ClusterCity], Awaitable[None]]:
    async def inject(city: ClusterCity) -> None:
        leader = await _leads(city)
        others = [each.address for each in city.trio.machines.values() if each is not leader]
        await asyncio.to_thread(leader.cut_off, others, incoming=incoming, outgoing=outgoing)

    return inject


async def _mend(city: ClusterCity) -> None:
    await asyncio.to_thread(city.kept["old"].appear)


async def _end_etcd(city: ClusterCity) -> None:
    await _leads(city)
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


async def _upgrade(city: ClusterCity) -> None:
    """A new SISPAT on each machine, one after the other; each is drained first."""
    for machine in city.trio.machines.values():
        await asyncio.to_thread(machine.end, "service", signal.SIGTERM)
        city.machines.serve(machine)
        await city.machines.until_ready()


async def _reboot(city: ClusterCity) -> None:
    """All machines, one after the other; who leads hands over first."""
    for machine in city.trio.machines.values():
        if await _leads(city) is machine:
            await asyncio.to_thread(switch_over, city.trio.plan)
        await asyncio.to_thread(machine.end, "service", signal.SIGTERM)
        await asyncio.to_thread(machine.kill)
        await asyncio.to_thread(city.machines.boot, machine)
        await city.machines.until_ready()


async def _slow(city: ClusterCity) -> None:
    await asyncio.to_thread((await _leads(city)).slow_down)


async def _fast(city: ClusterCity) -> None:
    await asyncio.to_thread(city.kept["old"].speed_up)


async def _done(_: ClusterCity) -> bool:
    """What people do has taken its effect when it is over."""
    return True


CLUSTER: tuple[Fault[ClusterCity], ...] = (
    Fault(
        "switchover",
        lazy("Outra máquina passa a mandar, de propósito"),
        _switch_over,
        _another_leads,
        patience=30,
        planned=True,
    ),
    Fault(
        "primary-killed",
        lazy("O PostgreSQL primário é morto"),
        _kill_postmaster,
        _server_is_another,
        patience=40,
        proof=_FAILOVER,
    ),
    Fault(
        "primary-vanished",
        lazy("A máquina do primário some da rede e para; depois volta"),
        _vanish,
        _another_leads,
        _return,
        _lead_apart,
        lasts=3,
        patience=60,
        proof=_FAILOVER,
    ),
    Fault(
        "sentinel-failover",
        lazy("O Redis primário é morto, e as Sentinels escolhem outro"),
        _kill_redis,
        _another_counts,
        _start_redis,
        patience=20,
        proof=_FAILOVER,
    ),
    Fault(
        "standby-vanished",
        lazy("A máquina de um reserva some; depois volta"),
        _vanish_standby,
        _is_gone,
        _return,
        lasts=10,
        patience=60,
        proof=_FAILOVER,
    ),
    Fault(
        "address-vanished",
        lazy("A máquina com o endereço comum some; depois volta"),
        _vanish_holder,
        _is_gone,
        _return,
        lasts=10,
        patience=60,
        proof=_FAILOVER,
    ),
    Fault(
        "primary-cut-off",
        lazy("O primário fica sem rede para os outros; depois volta, ultrapassado"),
        _cut(incoming=True, outgoing=True),
        _another_leads,
        _mend,
        _lead_apart,
        lasts=5,
        patience=60,
        proof=_FAILOVER,
    ),
    Fault(
        "primary-unheard",
        lazy("Os outros não ouvem o primário, que os ouve"),
        _cut(incoming=False, outgoing=True),
        _another_leads,
        _mend,
        _lead_apart,
        lasts=5,
        patience=60,
        proof=_FAILOVER,
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
    Fault("slow-link", lazy("A rede do primário fica lenta por 20 s"), _slow, _done, _fast, lasts=20, patience=60),
    Fault("rolling-upgrade", lazy("Uma versão nova, máquina por máquina"), _upgrade, _done, patience=60, planned=True),
    Fault("rolling-reboot", lazy("As três máquinas reiniciam, uma por vez"), _reboot, _done, patience=60, planned=True),
)
"""`sispat drill --cluster`, in the order in which they are drilled."""

SHORT_CLUSTER = ("switchover", "primary-killed", "primary-vanished", "sentinel-failover")
"""What the test does."""
