"""`sispat serve`: from nothing configured to a running service.

Promises, in this order: bad settings, an unusable certificate and a taken port fail before anything is started;
without REDIS_URL the workers count the limits together in a file; our own PostgreSQL runs when DATABASE_URL is not
set; the schema is brought up to date; the operator, which makes the backups, and the workers start. With a
DATABASE_URL that does not answer the workers start all the same and say "not ready" until it does. Whatever ends the
command - Ctrl-C, SIGTERM, an error - ends everything it started.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from esteio.postgres import Dsn
from sispat.cli._certificate import certificate_files
from sispat.cli._operator import REPLICATION, operator_service
from sispat.http.backup_state import OPERATOR_STATE, operator_state_file
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import SOURCE, _
from sispat.settings import Settings, load_settings

if TYPE_CHECKING:
    from esteio.serve import CertificateFiles, Service, Supervisor
    from sispat.cli._database import EmbeddedDatabase

__all__ = ["DemoExposed", "PortInUse", "serve"]


# What the server itself refuses, before the application sees the request.
_REFUSALS = {
    "bad-request": ("Pedido inválido", "O pedido não é HTTP/1.1 válido."),
    "head-too-large": ("Pedido longo demais", "O endereço e os cabeçalhos são longos demais."),
    "request-too-slow": ("O pedido demorou demais", "O pedido não chegou inteiro a tempo. Envie-o de novo."),
    "overloaded": ("Um momento, por favor", "Há pedidos demais neste instante. Tente de novo em alguns segundos."),
    "too-many-connections": (
        "Um momento, por favor",
        "Há conexões demais neste instante. Tente de novo em alguns segundos.",
    ),
}


class PortInUse(SispatError):
    """Another program listens where we should."""

    code = "porta-ocupada"

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        super().__init__(
            _(
                "A porta %(port)s de %(host)s já está em uso, talvez por outro SISPAT (quem "
                "a tem: ss -ltnp 'sport = :%(port)s'). "
                "Encerre-o, ou escolha outra porta: `make run PORT=%(other)s` ou `sispat serve --port ...`.",
                port=port,
                host=host,
                other=port + 1 if port < 65535 else 8000,
            )
        )


class DemoExposed(SispatError):
    """The demo's passwords are public, so only this machine may reach it."""

    code = "demo-exposta"

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(
            _(
                "A demonstração tem senhas conhecidas e só atende nesta máquina; “%(host)s” a abriria à rede. "
                "Use --host 127.0.0.1, ou inicie sem --demo.",
                host=host,
            )
        )


def serve(
    demo: Annotated[bool, typer.Option("--demo", help=_("Com uma cidade inventada; só atende nesta máquina."))] = False,
    host: Annotated[str | None, typer.Option("--host", help=_("Endereço em que escutar (SISPAT_HOST)."))] = None,
    port: Annotated[
        int | None, typer.Option("--port", help=_("Porta em que escutar; 0: uma livre (SISPAT_PORT)."))
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", help=_("Quantos processos (SISPAT_WORKERS)."))] = None,
    size: Annotated[
        int, typer.Option("--size", min=1, max=10_000_000, help=_("Quantos bens a demonstração tem."))
    ] = 5000,
) -> None:
    """Start the service; without DATABASE_URL, with a PostgreSQL of its own."""
    settings = load_settings(command_line={"host": host, "port": port, "workers": workers})
    if demo and not _only_this_machine(settings.host):
        raise DemoExposed(settings.host)
    certificate = certificate_files(settings)
    code = _run(settings, size if demo else None, certificate)
    if code:
        raise typer.Exit(code)


def _run(settings: Settings, demo: int | None, certificate: CertificateFiles | None) -> int:
    from esteio.alert.journal import note_events
    from esteio.health import measuring
    from esteio.serve import noted_deaths
    from sispat.cli._database import database, terminable
    from sispat.cli._limit_file import limit_file
    from sispat.cli._preparation import Preparation
    from sispat.kernel import logs
    from sispat.operacao.monitor import journal_of

    logs.configure(settings.log_level, settings.log_format)
    if settings.enable_health_monitor:
        note_events(journal_of(settings))  # which process died: the operator, which tells of it, may be the one
    for warning in settings.warnings:
        logging.getLogger("sispat").warning("%s", warning)
    with (
        terminable(),
        _listen(settings) as listener,
        limit_file(settings, listener.getsockname()[1]),
        measuring(f"sispat-{listener.getsockname()[1]}-{settings.host}", workers=settings.workers) as measurements,
        noted_deaths(measurements.board.died if measurements is not None else None),
        database(settings, create=demo is not None) as (dsn, embedded),
    ):
        _set_environment_of_workers(settings, dsn, listener)
        preparation = Preparation(dsn, demo, _checks(settings, dsn))
        ready = preparation.attempt()
        supervisor = _supervisor(
            settings, listener, _services(settings, embedded), _announcement(settings, listener, demo), certificate
        )
        if not ready:
            preparation.keep_trying(supervisor.stop)
        try:
            code = supervisor.run()
        finally:
            preparation.give_up()
        if preparation.error is not None:
            raise preparation.error
        return code


def _checks(settings: Settings, dsn: Dsn) -> Callable[[], None]:
    """What is looked at once the database can be asked, before anybody is served."""

    def check() -> None:
        from sispat.cli._preparation import with_time_limit
        from sispat.cli._safety_checks import check_passwords, check_service_role, role_warning

        if settings.database_app_url is not None:
            check_service_role(with_time_limit(settings.database_app_url))
        elif settings.database_url is not None:
            logging.getLogger("sispat").warning("%s", role_warning(dsn))
        if not _only_this_machine(settings.host):
            check_passwords(with_time_limit(dsn), settings.host)

    return check


def _listen(settings: Settings) -> socket.socket:
    from esteio.serve import AddressInUse, bind

    try:
        return bind(settings.host, settings.port)
    except AddressInUse:
        raise PortInUse(settings.host, settings.port) from None


def _services(settings: Settings, embedded: EmbeddedDatabase | None) -> list[Service]:
    """In the order in which they start; the operator ends before the database, and has received its last commit.

    What does the jobs ends first, so that the jobs under way go back into the queue.
    """
    from sispat.cli._jobs import jobs_service

    operated = settings.backup or settings.enable_health_monitor
    return [
        *([embedded] if embedded else []),
        *([operator_service(settings)] if operated else []),
        *([jobs_service()] if settings.jobs else []),
    ]


def _set_environment_of_workers(settings: Settings, dsn: Dsn, listener: socket.socket) -> None:
    """Workers read the environment; what the command line or this start decided goes there."""
    if settings.database_url is None:
        from sispat.cli._database import SERVICE_ROLE

        os.environ["DATABASE_URL"] = dsn.url  # a local socket: there is no password in it
        os.environ["SISPAT_DATABASE_APP_URL"] = dsn.with_(user=SERVICE_ROLE).url
    os.environ.pop(REPLICATION, None)  # whoever has it may copy everything: the operator gets it, nobody else
    os.environ.pop(OPERATOR_STATE, None)
    if settings.backup:
        os.environ[OPERATOR_STATE] = str(operator_state_file(settings))
    os.environ.update(
        SISPAT_HOST=settings.host,
        SISPAT_PORT=str(listener.getsockname()[1]),
        SISPAT_WORKERS=str(settings.workers),
    )


def _announcement(settings: Settings, listener: socket.socket, demo: int | None) -> Callable[[], None]:
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host

    def announce() -> None:
        print(
            _("SISPAT pronto em %(address)s (Ctrl-C encerra)", address=f"{settings.scheme}://{host}:{port}"), flush=True
        )
        if demo is None:
            return
        from sispat.cli._migrate import logins

        print(_("Demonstração: dados inventados, senhas públicas; só esta máquina alcança este endereço."))
        for line in logins():
            print(line, flush=True)

    return announce


def _supervisor(
    settings: Settings,
    listener: socket.socket,
    services: Sequence[Service],
    announce: Callable[[], None],
    certificate: CertificateFiles | None,
) -> Supervisor:
    from esteio.serve import RefusalWords, ServerOptions, Supervisor, Timeouts
    from sispat.kernel import logs

    return Supervisor(
        "sispat.app:app",
        sockets=[listener],
        workers=settings.workers,
        services=services,
        on_ready=announce,
        memory_limit=settings.worker_memory,
        options=ServerOptions(
            forwarded_allow_ips=settings.forwarded_allow_ips,
            tls=certificate,
            refusals=RefusalWords(settings.lang, _REFUSALS if settings.lang == SOURCE else {}),
            log_config=logs.dict_config(settings.log_level, settings.log_format),
        ),
        timeouts=Timeouts(
            startup=settings.start_timeout,
            ready=settings.start_timeout,
            healthcheck=settings.worker_timeout,
            graceful_shutdown=settings.graceful_timeout,
            drain_delay=settings.drain_delay,
        ),
    )


def _only_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
