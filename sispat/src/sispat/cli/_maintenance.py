"""`sispat manutencao`, and the same around a restore.

Promises: what is turned on here stays until it is turned off, also through restarts; a restore turns it off by itself,
even when it is killed; only a database that does not come back leaves it on. Only this machine's processes see it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from sispat.kernel.errors import SispatError
from sispat.kernel.formats import moment
from sispat.kernel.i18n import _, gettext_noop
from sispat.settings import Settings, load_settings

if TYPE_CHECKING:
    from esteio.maintenance import Maintenance, Notice

__all__ = ["DatabaseNotBack", "app", "closed_for_restore", "time_said"]

_ANSWER_LIMIT = 300.0  # seconds for the restored database to answer, its recovery after a start included
_REASON = gettext_noop("estamos trazendo de volta uma cópia de segurança")  # shown in each reader's language
_REASON_AFTER = gettext_noop("a cópia de segurança voltou, e está sendo conferida")

app = typer.Typer(
    help=_("Fecha o sistema por um tempo, com uma página que avisa, e o abre de novo."), no_args_is_help=True
)


class DatabaseNotBack(SispatError):
    """The restore was done, and the database does not answer since."""

    code = "banco-nao-voltou"

    def __init__(self, limit: float, cause: str) -> None:
        self.limit, self.cause = limit, cause
        super().__init__(
            _(
                "A restauração terminou, mas o banco não respondeu em %(seconds)s s "
                "(%(cause)s). Veja o log de `sispat serve`; "
                "o que havia antes está guardado. O sistema continua fechado até `sispat manutencao desligar`.",
                seconds=f"{limit:g}",
                cause=cause,
            )
        )


@app.command(
    "ligar",
    help=_("Fecha o sistema até `desligar`: quem entra vê a página de manutenção; o que foi digitado fica nela."),
)
def ligar(
    reason: Annotated[str, typer.Option("--motivo", help=_("O que as pessoas leem na página."))] = "",
    until: Annotated[
        str | None, typer.Option("--ate", help=_("Volta prevista: 15:30, ou 2026-03-01T15:30 (SISPAT_TIMEZONE)."))
    ] = None,
) -> None:
    """Close the system until `desligar`: who comes sees the maintenance page, which keeps what was typed."""
    settings = load_settings()
    notice = _switch(settings).turn_on(reason, time_said(until, settings.timezone) if until else None)
    typer.echo(_said(notice, settings))


@app.command("desligar", help=_("Abre o sistema de novo."))
def desligar() -> None:
    """Open the system again."""
    was_on = _switch(load_settings()).turn_off()
    typer.echo(_("O sistema está aberto.") if was_on else _("O sistema já estava aberto."))


@app.command("estado", help=_("Mostra se o sistema está fechado, por quem, desde quando e por quê."))
def estado() -> None:
    """Show whether the system is closed, by whom, since when and why."""
    settings = load_settings()
    notice = _switch(settings).look()
    typer.echo(_said(notice, settings) if notice else _("O sistema está aberto."))


@contextmanager
def closed_for_restore() -> Iterator[None]:
    """Closed within the block; after a restore, until the database answers and its schema is up to date.

    Where that doesn't come about it stays closed until somebody opens it: `DatabaseNotBack`, `MigrationFailed`.
    """
    settings = load_settings()
    switch = _switch(settings)
    with switch.held(_REASON):
        typer.echo(_("O sistema está fechado: quem o usa vê a página de manutenção."), err=True)
        yield
        try:
            _wait_for_database(settings)
        except Exception:
            switch.turn_on(_REASON_AFTER)
            raise


def time_said(text: str, zone: str, now: datetime | None = None) -> datetime:
    """What `--ate` says, on the clocks of `zone`: a time of day is the next one."""
    now = (now or datetime.now(ZoneInfo(zone))).astimezone(ZoneInfo(zone))
    try:
        if len(text) > len("15:30"):
            said = datetime.fromisoformat(text)
            return said if said.tzinfo else said.replace(tzinfo=ZoneInfo(zone))
        of_day = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - the time of day alone
    except ValueError:
        raise typer.BadParameter(
            _("--ate quer uma hora como 15:30 ou 2026-03-01T15:30, não %(given)s", given=repr(text))
        ) from None
    today = now.replace(hour=of_day.hour, minute=of_day.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


def _switch(settings: Settings) -> Maintenance:
    from sispat.http.maintenance import maintenance_switch

    return maintenance_switch(settings)


def _said(notice: Notice, settings: Settings) -> str:
    who = _("%(who)s, processo %(pid)s", who=notice.who, pid=notice.pid) if notice.pid else notice.who
    since = moment(notice.since, settings.timezone)
    lines = [_("O sistema está fechado desde %(since)s (%(who)s).", since=since, who=who)]
    if notice.until:
        lines.append(_("Volta prevista para %(until)s.", until=moment(notice.until, settings.timezone)))
    if notice.reason:
        lines.append(_("Motivo: %(reason)s", reason=_(notice.reason)))
    return " ".join(lines)


def _wait_for_database(settings: Settings) -> None:
    """Until the restored database answers; one of an earlier version is brought up to date, as at a start."""
    import psycopg

    from sispat.cli._database import database_of_service
    from sispat.cli._preparation import bring_up_to_date

    deadline = time.monotonic() + _ANSWER_LIMIT
    while True:
        try:
            dsn = database_of_service(settings)
            if dsn is not None:  # else the next start will see to it
                bring_up_to_date(dsn)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise DatabaseNotBack(_ANSWER_LIMIT, str(error).strip().splitlines()[-1]) from error
            time.sleep(0.2)
        else:
            return
