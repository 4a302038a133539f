"""`sispat drill`: break a SISPAT of its own in many ways, and say what was lost, for how long, and what a year would be.

Promises: exit code 0 when every fault was valid and no planned one lost a request; 1 when not. Ctrl-C heals, ends the
service, and writes what is known by then. A second drill is compared with the first.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import platform
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from esteio.system import atomic_write
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _, language

if TYPE_CHECKING:
    from esteio.drill import Fault, FaultReport, Report, Run
    from esteio.testing.redis import RedisServer, SentinelTrio
    from sispat.drill.load import City

__all__ = ["UnknownFault", "drill"]

_RATES = Path(__file__).with_name("rates.toml")
_TERMINATED = 128 + signal.SIGTERM
_TIMEZONE = ZoneInfo("America/Sao_Paulo")


class UnknownFault(SispatError):
    """No fault has that name."""

    code = "unknown-fault"

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        self.names, self.known = tuple(names), tuple(known)
        told = _(
            "Não há falha de nome %(names)s. As que há: %(known)s.", names=", ".join(names), known=", ".join(known)
        )
        super().__init__(told)


def drill(
    faults: Annotated[list[str] | None, typer.Argument(help=_("Só estas falhas, por nome; sem nome, todas."))] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=1000, help=_("Quantas vezes cada uma."))] = 3,
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
) -> None:
    """Break a SISPAT of its own under load: what is lost, for how long, and what a year would be."""
    from esteio.drill import read_rates
    from sispat.drill.faults import FAULTS, SHORT

    if list_faults:
        for fault in FAULTS:
            typer.echo(f"{fault.name:<20} {fault.title}")
        return
    if compare_with is not None:
        raise typer.Exit(_compared(output / "drill.json", compare_with))
    names = list(SHORT) if short and not faults else list(faults or [fault.name for fault in FAULTS])
    known = {fault.name: fault for fault in FAULTS}
    if unknown := [name for name in names if name not in known]:
        raise UnknownFault(unknown, list(known))
    output.mkdir(parents=True, exist_ok=True)
    yearly = read_rates(rates)
    made = _Reports([known[name] for name in names], 1 if short else rounds, yearly, output)
    made.second = 0.5 if short else 1.0
    try:
        asyncio.run(_drill(made, size, load))
    except asyncio.CancelledError:  # SIGTERM: as Ctrl-C, everything is healed, ended and written by now
        raise typer.Exit(_TERMINATED) from None
    finally:
        if made.runs:
            made.write()
    raise typer.Exit(made.exit_code())


async def _drill(made: _Reports, size: int, load: int) -> None:
    from sispat.drill.faults import OWN_SURROUNDINGS

    me = asyncio.current_task()
    assert me is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    for apart in (False, True):
        faults = [fault for fault in made.faults if (fault.name in OWN_SURROUNDINGS) is apart]
        if faults:
            async with AsyncExitStack() as stack:
                await _drill_one_service(made, await _city(stack, size, load, apart=apart), faults)


async def _drill_one_service(made: _Reports, city: City, faults: Sequence[Fault[City]]) -> None:
    from esteio.drill import Timing, drill

    made.begin(city)
    possible = made.possible(city, faults)
    timing = Timing(calm=made.calm, proof=40.0, second=made.second)
    async for run in drill(city, possible, rounds=made.rounds, timing=timing, between=city.whole):
        made.add(run)


async def _city(stack: AsyncExitStack, size: int, load: int, *, apart: bool) -> City:
    """A service that is ready, and its people; with `apart` it has surroundings of its own, as far as this machine lets it."""
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
    redis = None if apart else _redis(stack)
    sentinels = _sentinels(stack) if apart else None
    if (limits := redis or sentinels) is not None:
        surroundings["REDIS_URL"] = limits.url
    service = await stack.enter_async_context(DrilledService(size=size, environment=surroundings, etc=etc))
    city = City(service, viacep, alerts, redis, sentinels=sentinels, names=names, load=load)
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


class _Reports:
    """What was seen so far, on the terminal and in the two files."""

    def __init__(self, faults: Sequence[Fault[City]], rounds: int, rates: Any, output: Path) -> None:
        self.rounds = rounds
        self.calm = 2.0 if rounds == 1 else 4.0  # seconds of load before each fault
        self.second = 1.0  # of the five good ones in a row; half of one in a short drill
        self.runs: list[Run] = []
        self.faults = faults
        self._rates = rates
        self._output = output
        self._skipped: dict[str, str] = {}
        self._at = datetime.now(_TIMEZONE).isoformat(timespec="seconds")
        self._rate = 0.0

    def begin(self, city: City) -> None:
        """The service is ready; the head of the table, once."""
        if self._rate:
            return
        self._rate = sum(route.rate for route in city.routes())
        head = ("", _("oferecidos"), _("perdidos"), _("pausa"), "MTTR", _("página"), _("aviso"))
        typer.echo(f"{head[0]:<22}" + "".join(f"{word:>12}" for word in head[1:]))

    def possible(self, city: City, faults: Sequence[Fault[City]]) -> list[Fault[City]]:
        """The faults that can be done here; the others are said, with the reason."""
        for fault in faults:
            if reason := fault.needs(city):
                self._skipped[fault.name] = reason
                typer.echo(f"{fault.name:<22}{reason}")
        return [fault for fault in faults if fault.name not in self._skipped]

    def add(self, run: Run) -> None:
        """A run is over: one line."""
        self.runs.append(run)
        typer.echo(_line(run))
        if run.facts:
            typer.echo(f"{'':<22}" + ", ".join(f"{name} {value:g}" for name, value in run.facts.items()))

    def exit_code(self) -> int:
        """0 where everything was valid and nothing planned lost anything."""
        reports = self._reports()
        bad = [each for each in reports if not each.skipped and (not each.valid or (each.planned and each.lost))]
        return 1 if bad or len(self.runs) < self.rounds * (len(reports) - len(self._skipped)) else 0

    def write(self) -> None:
        """The two files, compared with those of the drill before, and the year on the terminal."""
        from esteio.drill import compare, page

        file = self._output / "drill.json"
        told = self._report().as_json()
        moved = compare(told, _read(file))
        text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
        file.write_text(text, "utf-8")
        self.publish(text)
        words = report_words()
        html = page(told, moved, gettext=lambda text: words.get(text, text), language=language())
        (self._output / "drill.html").write_text(html, "utf-8")
        _show_year(told["prediction"])
        _show_moved(moved)
        typer.echo(_("Relatório: %(file)s", file=self._output / "drill.html"))

    def publish(self, text: str) -> None:
        """A drill of all faults is shown on the operations page of this machine's service, where there is one."""
        from sispat.drill.faults import FAULTS
        from sispat.settings import load_settings

        if len(self.faults) < len(FAULTS):
            return
        try:
            data = load_settings().data_dir
            if data.is_dir():
                (data / "drill").mkdir(exist_ok=True)
                atomic_write(data / "drill" / "drill.json", text.encode())
        except (OSError, SispatError) as error:
            typer.echo(_("A página de operação não mostrará este simulado: %(error)s", error=error), err=True)

    def _report(self) -> Report:
        from esteio.drill import Report

        machine: Mapping[str, Any] = {
            "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(), "rounds": self.rounds,
        }  # fmt: skip
        return Report(self._at, tuple(self._reports()), self._rate, machine, self._rates)

    def _reports(self) -> list[FaultReport]:
        from esteio.drill import FaultReport

        return [
            FaultReport(
                fault.name,
                str(fault.title),
                fault.planned,
                tuple(run for run in self.runs if run.fault == fault.name),
                self._skipped.get(fault.name, ""),
            )
            for fault in self.faults
            if fault.name in self._skipped or any(run.fault == fault.name for run in self.runs)
        ]


def _line(run: Run) -> str:
    measured = run.measured
    if measured is None or not run.valid:
        return f"{run.fault:<22}" + _("inválido: %(reasons)s %(why)s", reasons=", ".join(run.invalid), why=run.why)
    times = (measured.worst_gap, measured.mttr, run.page_after, run.alert_after)
    cells = (str(measured.offered), str(measured.lost), *map(_s, times))
    return f"{run.fault:<22}" + "".join(f"{cell:>12}" for cell in cells)


def _s(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return _("não voltou") if math.isinf(seconds) else f"{seconds:.2f} s"


def _show_year(prediction: Mapping[str, Any]) -> None:
    typer.echo(_("Num ano, em minutos fora (mediana; 90 % entre; probabilidade de 99,9 % e de 99,99 %):"))
    for name, key in (
        (_("só o software"), "software"),
        (_("com as mudanças: versões, reinícios, enganos"), "with_changes"),
        (_("com o lugar: máquina, energia"), "with_site"),
    ):
        total = prediction[key]
        typer.echo(
            f"  {name:<46}{total['median']:9.1f} ({total['low']:.1f} – {total['high']:.1f})"
            f"{total['p_99_9']:9.1%}{total['p_99_99']:9.1%}"
        )
    if prediction["left_out"]:
        typer.echo(f"  {_('Fora destes números, porque nada diz quanto duram')}: {', '.join(prediction['left_out'])}")


def _show_moved(moved: Sequence[tuple[str, float | None, float | None]]) -> None:
    for name, before, now in moved:
        told = _("Mudou desde o último: %(name)s, MTTR %(before)s → %(now)s", name=name, before=_s(before), now=_s(now))
        typer.echo(told)


def _compared(newest: Path, other: Path) -> int:
    """Say what differs by more than a fifth between two drills; 1 where something does, or one of them is none."""
    from esteio.drill import compare

    now, before = _read(newest), _read(other)
    for file, told in ((newest, now), (other, before)):
        if not told.get("faults"):
            typer.echo(_("%(file)s não é o drill.json de um simulado.", file=file), err=True)
            return 1
    moved = compare(now, before)
    _show_moved(moved)
    both = {fault["name"] for fault in now["faults"]} & {fault["name"] for fault in before["faults"]}
    typer.echo(_("%(same)s de %(both)s falhas iguais, até um quinto.", same=len(both) - len(moved), both=len(both)))
    return 1 if moved else 0


def _read(file: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):  # the first drill, or a file that somebody else wrote
        return {}
    return told if isinstance(told, dict) else {}


def report_words() -> Mapping[str, str]:
    """The words of `esteio.drill.page` in the language of the command."""
    return {
        "Drill": _("Simulado de falhas"),
        "requests/s": _("pedidos/s"),
        "The year": _("O ano"),
        "Faults": _("Falhas"),
        "Fault": _("Falha"),
        "valid": _("válida"),
        "offered": _("oferecidos"),
        "lost": _("perdidos"),
        "unknown": _("sem resposta"),
        "longest gap": _("maior pausa"),
        "MTTR": "MTTR",
        "page": _("página"),
        "alert": _("aviso"),
        "yes": _("sim"),
        "invalid": _("inválida"),
        "not recovered": _("não voltou"),
        "Software alone": _("Só o software"),
        "With changes: releases, reboots, mistakes": _("Com as mudanças: versões, reinícios, enganos"),
        "With the site: machine, power": _("Com o lugar: máquina, energia"),
        "Predicted minutes away in a year": _("Minutos fora previstos num ano"),
        "median": _("mediana"),
        "90 % interval": _("intervalo de 90 %"),
        "P(99.9 %)": "P(99,9 %)" if language() != "en" else "P(99.9 %)",
        "P(99.99 %)": "P(99,99 %)" if language() != "en" else "P(99.99 %)",
        "Not in these figures, because nothing says how long they last": _(
            "Fora destes números, porque nada diz quanto duram"
        ),
        "Moved since the drill before (MTTR)": _("Mudou desde o último simulado (MTTR)"),
        "Requests around each fault": _("Pedidos em volta de cada falha"),
        "What the year is made of": _("De que o ano é feito"),
        "minutes a year": _("minutos por ano"),
        "share": _("parte"),
        "how long it lasts": _("quanto dura"),
        "how often: source": _("quantas vezes: fonte"),
        "measured here": _("medido aqui"),
        "assumed": _("suposto"),
    }
