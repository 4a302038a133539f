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
from sispat.settings import Settings, carregar

if TYPE_CHECKING:
    from esteio.maintenance import Maintenance, Notice

__all__ = ["BancoNaoVoltou", "app", "fechado_para_restaurar", "hora"]

_PRAZO = 300.0  # seconds for the restored database to answer, its recovery after a start included
_MOTIVO = gettext_noop("estamos trazendo de volta uma cópia de segurança")  # shown in each reader's language
_MOTIVO_DEPOIS = gettext_noop("a cópia de segurança voltou, e está sendo conferida")

app = typer.Typer(
    help=_("Fecha o sistema por um tempo, com uma página que avisa, e o abre de novo."), no_args_is_help=True
)


class BancoNaoVoltou(SispatError):
    """The restore was done, and the database does not answer since."""

    code = "banco-nao-voltou"

    def __init__(self, prazo: float, causa: str) -> None:
        self.prazo, self.causa = prazo, causa
        super().__init__(
            _(
                "A restauração terminou, mas o banco não respondeu em %(seconds)s s "
                "(%(cause)s). Veja o log de `sispat serve`; "
                "o que havia antes está guardado. O sistema continua fechado até `sispat manutencao desligar`.",
                seconds=f"{prazo:g}",
                cause=causa,
            )
        )


@app.command(
    "ligar",
    help=_("Fecha o sistema até `desligar`: quem entra vê a página de manutenção; o que foi digitado fica nela."),
)
def ligar(
    motivo: Annotated[str, typer.Option("--motivo", help=_("O que as pessoas leem na página."))] = "",
    ate: Annotated[
        str | None, typer.Option("--ate", help=_("Volta prevista: 15:30, ou 2026-03-01T15:30 (SISPAT_TIMEZONE)."))
    ] = None,
) -> None:
    """Close the system until `desligar`: who comes sees the maintenance page, which keeps what was typed."""
    settings = carregar()
    aviso = _chave(settings).turn_on(motivo, hora(ate, settings.timezone) if ate else None)
    typer.echo(_dito(aviso, settings))


@app.command("desligar", help=_("Abre o sistema de novo."))
def desligar() -> None:
    """Open the system again."""
    ligada = _chave(carregar()).turn_off()
    typer.echo(_("O sistema está aberto.") if ligada else _("O sistema já estava aberto."))


@app.command("estado", help=_("Mostra se o sistema está fechado, por quem, desde quando e por quê."))
def estado() -> None:
    """Show whether the system is closed, by whom, since when and why."""
    settings = carregar()
    aviso = _chave(settings).look()
    typer.echo(_dito(aviso, settings) if aviso else _("O sistema está aberto."))


@contextmanager
def fechado_para_restaurar() -> Iterator[None]:
    """Closed within the block; after a restore, until the database answers and its schema is up to date.

    Where that doesn't come about it stays closed until somebody opens it: `BancoNaoVoltou`, `MigrationFailed`.
    """
    settings = carregar()
    chave = _chave(settings)
    with chave.held(_MOTIVO):
        typer.echo(_("O sistema está fechado: quem o usa vê a página de manutenção."), err=True)
        yield
        try:
            _esperar(settings)
        except Exception:
            chave.turn_on(_MOTIVO_DEPOIS)
            raise


def hora(texto: str, fuso: str, agora: datetime | None = None) -> datetime:
    """What `--ate` says, on the clocks of `fuso`: a time of day is the next one."""
    agora = (agora or datetime.now(ZoneInfo(fuso))).astimezone(ZoneInfo(fuso))
    try:
        if len(texto) > len("15:30"):
            dita = datetime.fromisoformat(texto)
            return dita if dita.tzinfo else dita.replace(tzinfo=ZoneInfo(fuso))
        do_dia = datetime.strptime(texto, "%H:%M").time()  # noqa: DTZ007 - the time of day alone
    except ValueError:
        raise typer.BadParameter(
            _("--ate quer uma hora como 15:30 ou 2026-03-01T15:30, não %(given)s", given=repr(texto))
        ) from None
    hoje = agora.replace(hour=do_dia.hour, minute=do_dia.minute, second=0, microsecond=0)
    return hoje if hoje > agora else hoje + timedelta(days=1)


def _chave(settings: Settings) -> Maintenance:
    from sispat.http.maintenance import maintenance_switch

    return maintenance_switch(settings)


def _dito(aviso: Notice, settings: Settings) -> str:
    who = _("%(who)s, processo %(pid)s", who=aviso.who, pid=aviso.pid) if aviso.pid else aviso.who
    since = moment(aviso.since, settings.timezone)
    lines = [_("O sistema está fechado desde %(since)s (%(who)s).", since=since, who=who)]
    if aviso.until:
        lines.append(_("Volta prevista para %(until)s.", until=moment(aviso.until, settings.timezone)))
    if aviso.reason:
        lines.append(_("Motivo: %(reason)s", reason=_(aviso.reason)))
    return " ".join(lines)


def _esperar(settings: Settings) -> None:
    """Until the restored database answers; one of an earlier version is brought up to date, as at a start."""
    import psycopg

    from sispat.cli._preparo import atualizar
    from sispat.cli._servidor import banco_do_servico

    fim = time.monotonic() + _PRAZO
    while True:
        try:
            dsn = banco_do_servico(settings)
            if dsn is not None:  # else the next start will see to it
                atualizar(dsn)
        except psycopg.OperationalError as erro:
            if time.monotonic() > fim:
                raise BancoNaoVoltou(_PRAZO, str(erro).strip().splitlines()[-1]) from erro
            time.sleep(0.2)
        else:
            return
