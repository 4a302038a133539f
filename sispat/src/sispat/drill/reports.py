"""What a drill has seen so far: on the terminal, in `drill.json` and `drill.html`, and on the operations page.

Promises: what was seen is written also where the drill ends early; a drill of all faults replaces the one that the operations
page of this machine's service shows, whole or not at all.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from esteio.system import atomic_write
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _, language

if TYPE_CHECKING:
    from esteio.drill import Fault, FaultReport, Moved, OtherVersion, Rate, Report, Run
    from sispat.drill.load import City

__all__ = ["Reports", "compared", "report_words"]

_TIMEZONE = ZoneInfo("America/Sao_Paulo")


class Reports:
    """What was seen so far, on the terminal and in the two files."""

    def __init__(self, faults: Sequence[Fault[City]], rounds: int, rates: Sequence[Rate], output: Path) -> None:
        self.rounds = rounds
        self.calm = 2.0 if rounds == 1 else 4.0  # seconds of load before each fault
        self.second = 1.0  # of the five good ones in a row; half of one in a short drill
        self.starting = 0.0  # seconds until the services were ready, and ended
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
            facts = run.facts | ({} if run.after_heal is None else {"after_heal_s": round(run.after_heal, 2)})
            typer.echo(f"{'':<22}" + ", ".join(f"{name} {value:g}" for name, value in facts.items()))

    def exit_code(self) -> int:
        """0 where everything was valid and nothing planned lost anything."""
        reports = self._reports()
        bad = [each for each in reports if not each.skipped and (not each.valid or (each.planned and each.lost))]
        wanted = [
            min(self.rounds, each.rounds or self.rounds) for each in self.faults if each.name not in self._skipped
        ]
        return 1 if bad or len(self.runs) < sum(wanted) else 0

    def write(self) -> None:
        """The two files, compared with those of the drill before, and the year on the terminal."""
        from esteio.drill import OtherVersion, compare, page

        file = self._output / "drill.json"
        told = self._report().as_json()
        moved: tuple[Moved, ...] = ()
        try:
            moved = compare(told, _read(file)).moved
        except OtherVersion as error:  # a new version drills where the one before it did
            typer.echo(_of_other_version(file, error), err=True)
        text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
        words = report_words()
        html = page(told, moved, gettext=lambda text: words.get(text, text), language=language())
        for name, content in (("drill.json", text), ("drill.html", html)):
            (self._output / name).write_text(content, "utf-8")
        self.publish({"drill.html": html, "drill.json": text})
        _show_year(told["prediction"])
        _show_lived(self._rates)
        _show_time(told["steps_s"])
        _show_moved(moved)
        typer.echo(_("Relatório: %(file)s", file=self._output / "drill.html"))

    def publish(self, files: Mapping[str, str]) -> None:
        """A drill of all faults is shown on the operations page of this machine's service, where there is one."""
        from sispat.drill.faults import FAULTS
        from sispat.settings import load_settings

        if len(self.faults) < len(FAULTS):
            return
        try:
            data = load_settings().data_dir
            if data.is_dir():
                (data / "drill").mkdir(exist_ok=True)
                for name, content in files.items():
                    atomic_write(data / "drill" / name, content.encode())
        except (OSError, SispatError) as error:
            typer.echo(_("A página de operação não mostrará este simulado: %(error)s", error=error), err=True)

    def _report(self) -> Report:
        from esteio.drill import Report

        machine: Mapping[str, Any] = {
            "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(), "rounds": self.rounds,
        }  # fmt: skip
        return Report(self._at, tuple(self._reports()), self._rate, machine, tuple(self._rates), self.starting)

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
    for why, names in (
        (_("Fora destes números, porque nada diz quanto duram"), prediction["left_out"]),
        (_("Fora destes números, porque nenhuma taxa diz quantas vezes vêm"), prediction["unrated"]),
    ):
        if names:
            typer.echo(f"  {why}: {', '.join(names)}")


def _show_lived(rates: Sequence[Rate]) -> None:
    """Which rates the incidents of this machine changed; those that a person counted are in the person's file."""
    for rate in rates:
        if rate.lived:
            told = _("Taxa corrigida pelas ocorrências desta máquina: %(name)s, %(mean)s por ano (%(source)s)",
                     name=rate.name, mean=f"{rate.mean:.2g}", source=rate.source)  # fmt: skip
            typer.echo(told)


def _show_time(steps: Mapping[str, float]) -> None:
    words = step_words()
    parts = ", ".join(f"{words.get(step, step)} {seconds:.0f} s" for step, seconds in steps.items() if seconds >= 1)
    typer.echo(_("Durou %(minutes)s min: %(parts)s", minutes=f"{sum(steps.values()) / 60:.1f}", parts=parts))


def _show_moved(moved: Sequence[Moved]) -> None:
    for each in moved:
        if each.what == "lost":
            told = _("Mudou desde o último: %(name)s, perdidos por rodada %(before)s → %(now)s",
                     name=each.fault, before=f"{each.before:g}", now=f"{each.now:g}")  # fmt: skip
        else:
            told = _("Mudou desde o último: %(name)s, MTTR %(before)s → %(now)s",
                     name=each.fault, before=_s(each.before), now=_s(each.now))  # fmt: skip
        typer.echo(told)


def compared(newest: Path, other: Path) -> int:
    """Say what differs by more than a fifth between two drills, and what cannot be compared.

    1 where something differs, where nothing can be compared, or where one of them is no drill; 2 where one of them was written
    by another version.
    """
    from esteio.drill import OtherVersion, compare

    now, before = _read(newest), _read(other)
    for file, told in ((newest, now), (other, before)):
        if not told.get("faults"):
            typer.echo(_("%(file)s não é o drill.json de um simulado.", file=file), err=True)
            return 1
    try:
        found = compare(now, before)
    except OtherVersion as error:
        typer.echo(_of_other_version(newest if error.which == "now" else other, error), err=True)
        return 2
    _show_moved(found.moved)
    if found.not_comparable:
        typer.echo(_("Sem comparação, porque um dos dois não tem só rodadas válidas delas: %(names)s",
                     names=", ".join(found.not_comparable)))  # fmt: skip
    both = len(found.same) + len({each.fault for each in found.moved})
    typer.echo(_("%(same)s de %(both)s falhas iguais, até um quinto.", same=len(found.same), both=both))
    return 1 if found.moved or not both else 0


def _of_other_version(file: Path, error: OtherVersion) -> str:
    return _(
        "%(file)s é de outra versão do simulado (%(missing)s): não pode ser comparado. Faça o simulado de novo com esta "
        "versão, ou compare-o com a que o escreveu.",
        file=file,
        missing=error.missing,
    )


def _read(file: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):  # the first drill, or a file that somebody else wrote
        return {}
    return told if isinstance(told, dict) else {}


def step_words() -> Mapping[str, str]:
    """What the steps of a drill are called."""
    return {
        "starting": _("serviços"),
        "between": _("até ficar inteiro"),
        "prepare": _("preparo"),
        "calm": _("calma"),
        "proof": _("falha e prova"),
        "lasts": _("duração da falha"),
        "heal": _("conserto"),
        "recovery": _("volta"),
        "look-up": _("conferência"),
    }


def report_words() -> Mapping[str, str]:
    """The words of `esteio.drill.page` in the language of the command."""
    return {
        "Drill": _("Simulado de falhas"),
        "requests/s": _("pedidos/s"),
        "The year": _("O ano"),
        "Faults": _("Falhas"),
        "Fault": _("Falha"),
        "valid runs": _("rodadas válidas"),
        "offered": _("oferecidos"),
        "lost": _("perdidos"),
        "unknown": _("sem resposta"),
        "longest gap": _("maior pausa"),
        "MTTR": "MTTR",
        "page": _("página"),
        "alert": _("aviso"),
        "invalid": _("inválida"),
        "not recovered": _("não voltou"),
        "faults proven, every run valid": _("falhas comprovadas, com todas as rodadas válidas"),
        "requests lost by planned operations": _("pedidos perdidos por operações planejadas"),
        "minutes that the drill took": _("minutos que o simulado durou"),
        "Each bar is the requests that were due in a second, of the valid run that lost most; 0 is the fault.": _(
            "Cada barra são os pedidos de um segundo, da rodada válida que mais perdeu; 0 é a falha."
        ),
        "good": _("bons"),
        "late": _("tarde demais"),
        "lost or wrong": _("perdidos ou errados"),
        "run": _("rodada"),
        "fault": _("falha"),
        "back": _("de volta"),
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
        "Not in these figures, because no rate says how often they come": _(
            "Fora destes números, porque nenhuma taxa diz quantas vezes vêm"
        ),
        "Moved by more than a fifth since the drill before": _("Mudou em mais de um quinto desde o último simulado"),
        "lost in a run": _("perdidos por rodada"),
        "Requests around each fault": _("Pedidos em volta de cada falha"),
        "What the year is made of": _("De que o ano é feito"),
        "minutes a year": _("minutos por ano"),
        "share": _("parte"),
        "how long it lasts": _("quanto dura"),
        "how often: source": _("quantas vezes: fonte"),
        "measured here": _("medido aqui"),
        "assumed": _("suposto"),
    }
