"""`sispat drill`: break a SISPAT of its own in many ways, and say what was lost, for how long, and what a year would be.

Promises: exit code 0 when every fault was valid and no planned one lost a request; 1 when not. Ctrl-C heals, ends the
service, and writes what is known by then. A second drill is compared with the first. What a drill that was killed left
running or mounted is removed by the next one.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sispat.drill.reports import Reports, compared
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

if TYPE_CHECKING:
    from esteio.drill import Fault, Rate
    from esteio.testing.redis import RedisServer, SentinelTrio
    from sispat.drill.load import City

__all__ = ["UnknownFault", "drill"]

_RATES = Path(__file__).with_name("rates.toml")
_CLUSTER_RATES = _RATES.with_name("rates_cluster.toml")
_TERMINATED = 128 + signal.SIGTERM
_ROUNDS = 3


class UnknownFault(SispatError):
    """No fault has that name."""

    code = "unknown-fault"

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        self.names, self.known = tuple(names), tuple(known)
        told = _(
            "Não há falha de nome %(names)s. As que há: %(known)s.", names=", ".join(names), known=", ".join(known)
        )
        super().__init__(told)


class NoMachines(SispatError):
    """What three machines need is not here."""

    code = "drill-no-machines"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(_("Aqui não se podem simular três máquinas: %(reason)s.", reason=reason))


def drill(
    faults: Annotated[list[str] | None, typer.Argument(help=_("Só estas falhas, por nome; sem nome, todas."))] = None,
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", min=1, max=1000, help=_("Quantas vezes cada uma; senão três, as demoradas menos.")),
    ] = None,
    short: Annotated[bool, typer.Option("--short", help=_("Só as oito mais baratas, uma vez cada."))] = False,
    size: Annotated[int, typer.Option("--size", min=100, max=1_000_000, help=_("Quantos bens a cidade tem."))] = 2000,
    output: Annotated[Path, typer.Option("--output", help=_("Pasta do relatório: drill.json e drill.html."))] = Path(
        "drill"
    ),
    rates: Annotated[
        Path, typer.Option("--rates", help=_("Quantas vezes por ano cada falha acontece, em TOML."))
    ] = _RATES,
    load: Annotated[int, typer.Option("--load", min=10, max=1000, help=_("Quantos pedidos por segundo."))] = 100,
    compare_with: Annotated[
        Path | None,
        typer.Option("--compare", help=_("Só compara o último simulado com este drill.json; saída 1 se algo mudou.")),
    ] = None,
    list_faults: Annotated[bool, typer.Option("--list", help=_("Mostra as falhas, e não faz nada."))] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help=_("Em três máquinas simuladas nesta (root, Linux), com as falhas delas."))
    ] = False,
) -> None:
    """Break a SISPAT of its own under load: what is lost, for how long, and what a year would be."""
    from sispat.drill.faults import FAULTS, SHORT
    from sispat.drill.faults.cluster import CLUSTER, SHORT_CLUSTER
    from sispat.drill.leftovers import own_folder

    possible: Sequence[Fault[Any]] = CLUSTER if cluster else FAULTS
    if cluster:
        output = Path("drill-cluster") if output == Path("drill") else output
        rates = _CLUSTER_RATES if rates == _RATES else rates
    if list_faults:
        for fault in possible:
            typer.echo(f"{fault.name:<20} {fault.title}")
        return
    if compare_with is not None:
        raise typer.Exit(compared(output / "drill.json", compare_with))
    shortest = SHORT_CLUSTER if cluster else SHORT
    names = list(shortest) if short and not faults else list(faults or [fault.name for fault in possible])
    known = {fault.name: fault for fault in possible}
    if unknown := [name for name in names if name not in known]:
        raise UnknownFault(unknown, list(known))
    output.mkdir(parents=True, exist_ok=True)
    # Who gives a number wants it of each; who gives none wants to be done in a quarter of an hour.
    chosen = [replace(known[name], rounds=None) if rounds else known[name] for name in names]
    made = Reports(chosen, 1 if short else rounds or _ROUNDS, _yearly(rates), output)
    made.second = 0.5 if short else 1.0
    try:
        if cluster:  # its machines know by themselves what a killed one left
            asyncio.run(_drill_cluster(made, size, load))
            raise typer.Exit(made.exit_code())
        with own_folder() as left:
            for each in left:
                typer.echo(_("Removido o que um simulado interrompido deixou: %(folder)s", folder=each))
            asyncio.run(_drill(made, size, load))
    except asyncio.CancelledError:  # SIGTERM: as Ctrl-C, everything is healed, ended and written by now
        raise typer.Exit(_TERMINATED) from None
    finally:
        if made.runs:
            made.write()
    raise typer.Exit(made.exit_code())


def _yearly(file: Path) -> tuple[Rate, ...]:
    """The rates of `file`; those that are as they were shipped are updated by what this machine lived."""
    from esteio.drill import read_rates, update
    from sispat.drill.lived import lived
    from sispat.operacao.alerts import alerts_of
    from sispat.settings import load_settings

    rates, shipped = read_rates(file), set(read_rates(_RATES))
    try:
        seen = lived(alerts_of(load_settings()))
    except SispatError:  # settings that no service could start with: nothing was lived here
        return rates
    return update(rates, seen.incidents, seen.years, keep=[each.name for each in rates if each not in shipped])


async def _drill(made: Reports, size: int, load: int) -> None:
    from sispat.drill.faults import OWN_SURROUNDINGS

    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    for apart in (False, True):
        faults = [fault for fault in made.faults if (fault.name in OWN_SURROUNDINGS) is apart]
        if not faults:
            continue
        began = time.monotonic()
        try:
            async with AsyncExitStack() as stack:
                city = await _city(stack, size, load, apart=apart)
                made.starting += time.monotonic() - began
                try:
                    await _drill_one_service(made, city, faults)
                finally:
                    began = time.monotonic()
        finally:
            made.starting += time.monotonic() - began


async def _drill_cluster(made: Reports, size: int, load: int) -> None:
    from sispat.drill.cluster import ClusterCity, ClusterService, why_not

    if (reason := why_not()) is not None:
        raise NoMachines(reason)
    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    typer.echo(_("Três máquinas estão sendo iniciadas, com um SISPAT em cada uma..."))
    began = time.monotonic()
    async with ClusterService(size=size) as service, ClusterCity(service, load=load) as city:
        made.starting += time.monotonic() - began
        await _drill_one_service(made, city, made.faults)


async def _drill_one_service(made: Reports, city: City, faults: Sequence[Fault[Any]]) -> None:
    from esteio.drill import Timing, drill
    from esteio.serve import Timeouts

    made.begin(city)
    possible = made.possible(city, faults)
    timing = Timing(calm=made.calm, proof=40.0, second=made.second, apart=Timeouts().stable_after)
    async for run in drill(city, possible, rounds=made.rounds, timing=timing, between=city.whole):
        made.add(run)


async def _city(stack: AsyncExitStack, size: int, load: int, *, apart: bool) -> City:
    """A service that is ready, and its people; with `apart` it has surroundings of its own, as far as this machine lets it."""
    from sispat.drill.front import Front
    from sispat.drill.load import City
    from sispat.drill.outside import AlertReceiver, FakeNames, FakeViacep
    from sispat.drill.service import DrilledService
    from sispat.drill.surroundings import NAMESERVER, OwnEtc

    typer.echo(_("O serviço do simulado está sendo iniciado, e sua primeira cópia, feita e provada..."))
    viacep = await stack.enter_async_context(FakeViacep())
    alerts = await stack.enter_async_context(AlertReceiver())
    surroundings = {"SISPAT_CEP_URL": viacep.url, "WEBHOOK_URL": alerts.url}
    etc = stack.enter_context(OwnEtc()) if apart else None
    names = None
    if etc is not None and etc.reason is None:
        with suppress(OSError):  # somebody else answers there
            names = await stack.enter_async_context(FakeNames(NAMESERVER))
            surroundings["SISPAT_CEP_URL"] = f"http://viacep.simulado.test:{viacep.port}"
    front = await stack.enter_async_context(Front(Path(tempfile.mkdtemp(prefix="tls-")))) if apart else None
    if front is not None:
        surroundings |= {"SISPAT_PUBLIC_URL": front.url, "SSL_CERT_FILE": str(front.authority)}
    redis = None if apart else _redis(stack)
    sentinels = _sentinels(stack) if apart else None
    if (limits := redis or sentinels) is not None:
        surroundings["REDIS_URL"] = limits.url
    service = await stack.enter_async_context(DrilledService(size=size, environment=surroundings, etc=etc))
    if front is not None:
        front.forward_to(service.port)
    city = City(service, viacep, alerts, redis, sentinels=sentinels, names=names, front=front, load=load)
    return await stack.enter_async_context(city)


def _redis(stack: AsyncExitStack) -> RedisServer | None:
    """A server of our own, where there is a program for it; else the workers count the limits in a file."""
    from esteio.testing.redis import RedisServer, RedisServerMissing

    try:
        return stack.enter_context(RedisServer())
    except RedisServerMissing:
        return None


def _sentinels(stack: AsyncExitStack) -> SentinelTrio | None:
    """The same, of two servers between which three Sentinels choose."""
    from esteio.testing.redis import RedisServerMissing, SentinelTrio

    try:
        return stack.enter_context(SentinelTrio())
    except RedisServerMissing:
        return None
