"""`sispat alerta ...`: what is wrong now, what was, and who looks after it.

Promises: it reads and writes only the file of the operator on this machine, so it works while the database is away. What is
said here counts within seconds.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _, using
from sispat.settings import Settings, load_settings

if TYPE_CHECKING:
    from esteio.alert.incidents import Incident
    from esteio.alert.rules import Alert

__all__ = ["NoMonth", "NotFiring", "app"]

_MOST_DAYS = 366
_SILENT = 120.0  # seconds; who decides writes every 30
_LONGEST_SILENCE = 7 * 24 * 60  # minutes: what is forgotten must not stay silent
app = typer.Typer(help=_("Alertas: o que está errado agora, o que esteve, e quem cuida disso."), no_args_is_help=True)


class NoMonth(SispatError):
    """There is no report of such a month."""

    code = "sem-mes"

    def __init__(self, given: str) -> None:
        self.given = given
        super().__init__(_("“%(given)s” não é um mês que já começou. Use ano e mês, como 2026-11.", given=given))


class NotFiring(SispatError):
    """There is no such alert now."""

    code = "sem-alerta"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(_("Não há alerta “%(name)s” agora. Veja os que há com `sispat alerta listar`.", name=name))


@app.command("listar", help=_("Mostra o que está errado agora, um alerta por linha, e a margem de falhas que resta."))
def listar() -> None:
    """Show what is wrong now, and what is left of the budget."""
    from esteio.alert.objectives import Objective, budget
    from sispat.operacao.alerts import alerts_of

    settings, now = load_settings(), time.time()
    alerts = alerts_of(settings)
    decided = alerts.decided_at()
    if decided is None or now - decided > _SILENT:
        since = "—" if decided is None else _moment(decided, settings)
        typer.echo(
            _("Ninguém decide se há alertas (desde %(since)s): o operador não está de pé.", since=since), err=True
        )
    for alert in alerts.firing():
        typer.echo("\t".join(_columns(alert, settings)))
    for silence in alerts.silences(now):
        until = _moment(silence.until, settings)
        typer.echo(
            _("Silêncio: %(pattern)s até %(until)s (%(by)s)", pattern=silence.pattern, until=until, by=silence.by)
        )
    left = budget(Objective(), alerts.ledger(), now).left
    if left is not None:
        typer.echo(_("Margem de falhas que resta dos últimos 30 dias: %(left)s %%", left=f"{100 * left:.0f}"))


@app.command("incidentes", help=_("Mostra os incidentes, um por linha: início, duração, causa, quem viu, evidência."))
def incidentes(
    dias: Annotated[int, typer.Option("--dias", min=1, max=_MOST_DAYS, help=_("De quantos dias."))] = 30,
) -> None:
    """Show the incidents of the last days."""
    from sispat.operacao.alerts import alerts_of

    settings, now = load_settings(), time.time()
    for incident in alerts_of(settings).incidents(now - 86_400 * dias, most=1000):
        typer.echo("\t".join(_of_incident(incident, settings, now)))


@app.command(
    "disponibilidade",
    help=_(
        "Mostra, por período: que porcentagem do tempo observado o serviço esteve de pé; segundos fora, em manutenção, sem se "
        "saber; incidentes; duração média, tempo médio entre eles, demora média até serem vistos, em segundos."
    ),
)
def disponibilidade() -> None:
    """Show the share of the time in which the service was up, with what nobody knows apart."""
    from esteio.alert.incidents import reliability
    from esteio.alert.monitor import uptimes
    from esteio.health import HistoryReader
    from esteio.health.series import State
    from sispat.http.backup_state import history_file
    from sispat.operacao.alerts import alerts_of

    settings, now = load_settings(), time.time()
    alerts = alerts_of(settings)
    for found in uptimes(HistoryReader(history_file(settings)), now):
        share = "—" if found.ratio is None else f"{100 * found.ratio:.4f}"
        apart = (f"{found.seconds[state]:.0f}" for state in (State.DOWN, State.MAINTENANCE, State.UNKNOWN))
        said = reliability(alerts.incidents(now - found.period, most=10_000), found)
        means = ("—" if value is None else f"{value:.0f}" for value in (said.mttr, said.mtbf, said.detection))
        typer.echo("\t".join((f"{found.period / 86_400:.0f} d", share, *apart, str(said.count), *means)))


@app.command(
    "relatorio",
    help=_(
        "Escreve em PDF o relatório de um mês: disponibilidade, margem de falhas, incidentes, manutenções, cópias e "
        "suas provas."
    ),
)
def relatorio(
    mes: Annotated[str, typer.Option("--mes", help=_("Mês, como 2026-11; sem ele, o último que terminou."))] = "",
    arquivo: Annotated[
        Path | None, typer.Option("--arquivo", help=_("Onde escrever; sem ele, relatorio-AAAA-MM.pdf nesta pasta."))
    ] = None,
) -> None:
    """Write the report of a month as PDF."""
    from esteio.alert.report import REPORT_WORDS, Month, MonthError, month_report, report_document, report_pdf
    from esteio.health import HistoryReader
    from esteio.system import atomic_write
    from sispat.cli._notices import NOTICE_WORDS
    from sispat.http.backup_state import history_file
    from sispat.operacao.alerts import alerts_of
    from sispat.operacao.names import alert_titles, check_names

    settings, now = load_settings(), time.time()
    zone = ZoneInfo(settings.timezone)
    try:
        month = Month.parse(mes, zone, now) if mes else Month.of(now, zone).before(zone)
    except MonthError:
        raise NoMonth(mes) from None
    report = month_report(month, HistoryReader(history_file(settings)), alerts_of(settings), now)
    with using(settings.lang):
        words = replace(NOTICE_WORDS[settings.lang], timezone=settings.timezone)
        document = report_document(
            report, REPORT_WORDS[settings.lang], words, service="SISPAT", names=check_names(), titles=alert_titles()
        )
    target = arquivo or Path(f"relatorio-{month.name}.pdf")
    atomic_write(target.absolute(), report_pdf(document, report.until))
    typer.echo(_("%(file)s escrito.", file=target))


@app.command("assumir", help=_("Diz que alguém cuida de um alerta: ele não é repetido nem levado a mais ninguém."))
def assumir(nome: Annotated[str, typer.Argument(help=_("Nome do alerta, como postgres:down."))]) -> None:
    """Somebody looks after an alert."""
    from sispat.operacao.alerts import alerts_of

    try:
        alerts_of(load_settings()).acknowledge(nome, getpass.getuser())
    except KeyError:
        raise NotFiring(nome) from None
    typer.echo(_("%(name)s: assumido.", name=nome))


@app.command(
    "silenciar", help=_("Por um tempo, não avisa dos alertas com este nome; de quem já avisou, avisa da volta.")
)
def silenciar(
    nome: Annotated[str, typer.Argument(help=_("Nome do alerta, ou começo com *, como disk:*."))],
    minutos: Annotated[
        int, typer.Option("--minutos", min=0, max=_LONGEST_SILENCE, help=_("Por quanto tempo; 0 acaba com o silêncio."))
    ] = 120,
    motivo: Annotated[str, typer.Option("--motivo", help=_("Por quê, para quem perguntar."))] = "",
) -> None:
    """Tell nobody of these alerts for a while."""
    from esteio.alert.rules import Silence
    from sispat.operacao.alerts import alerts_of

    settings, until = load_settings(), time.time() + 60 * minutos
    alerts_of(settings).silence(Silence(nome, until, getpass.getuser(), motivo))
    typer.echo(_("%(pattern)s: em silêncio até %(until)s.", pattern=nome, until=_moment(until, settings)))


def _columns(alert: Alert, settings: Settings) -> Iterator[str]:
    yield alert.name
    yield _moment(alert.bad_since or alert.firing_since or 0.0, settings)
    yield _state(alert)
    yield alert.reason


def _state(alert: Alert) -> str:
    if alert.acknowledged:
        return _("assumido por %(by)s", by=alert.acknowledged)
    held = {
        "inhibited": _("explicado por outro"),
        "silenced": _("em silêncio"),
        "maintenance": _("em manutenção"),
        "quiet": _("espera a manhã"),
    }
    return held.get(alert.held, _("avisado") if alert.told else _("aberto"))


def _of_incident(incident: Incident, settings: Settings, now: float) -> Iterator[str]:
    yield _moment(incident.began, settings)
    yield _("%(seconds)s s", seconds=f"{incident.duration(now):.0f}") + (_(", em curso") if incident.open else "")
    yield incident.cause + (_(" (em manutenção)") if incident.maintenance else "")
    yield ", ".join(incident.sources)
    yield "; ".join(f"{each.code} {each.detail}".strip() for each in incident.evidence)


def _moment(at: float, settings: Settings) -> str:
    return f"{datetime.fromtimestamp(at, ZoneInfo(settings.timezone)):%Y-%m-%d %H:%M:%S}"
