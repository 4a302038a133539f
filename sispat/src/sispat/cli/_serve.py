"""`sispat serve`: from nothing configured to a running service.

Promises, in this order: bad settings and a taken port fail before anything is started; without REDIS_URL the workers
count the limits together in a file; our own PostgreSQL runs when DATABASE_URL is not set; the schema is brought up to
date; the operator, which makes the backups, and the workers start. With a DATABASE_URL that does not answer the
workers start all the same and say "not ready" until it does. Whatever ends the command - Ctrl-C, SIGTERM, an error -
ends everything it started.
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
from sispat.http.backup_state import OPERATOR_STATE, operator_state_file
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import SOURCE, _
from sispat.settings import Settings, carregar

if TYPE_CHECKING:
    from esteio.serve import Service, Supervisor
    from sispat.cli._servidor import BancoEmbutido

__all__ = ["DemoExposta", "PortaOcupada", "serve"]


# What the server itself refuses, before the application sees the request.
_RECUSAS = {
    "bad-request": ("Pedido inválido", "O pedido não é HTTP/1.1 válido."),
    "head-too-large": ("Pedido longo demais", "O endereço e os cabeçalhos são longos demais."),
    "request-too-slow": ("O pedido demorou demais", "O pedido não chegou inteiro a tempo. Envie-o de novo."),
    "overloaded": ("Um momento, por favor", "Há pedidos demais neste instante. Tente de novo em alguns segundos."),
    "too-many-connections": (
        "Um momento, por favor",
        "Há conexões demais neste instante. Tente de novo em alguns segundos.",
    ),
}


class PortaOcupada(SispatError):
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


class DemoExposta(SispatError):
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
    settings = carregar(linha={"host": host, "port": port, "workers": workers})
    if demo and not _so_esta_maquina(settings.host):
        raise DemoExposta(settings.host)
    codigo = _servir(settings, size if demo else None)
    if codigo:
        raise typer.Exit(codigo)


def _servir(settings: Settings, demo: int | None) -> int:
    from esteio.health import measuring
    from sispat.cli._contagem import contagem
    from sispat.cli._preparo import Preparo
    from sispat.cli._servidor import banco, encerravel
    from sispat.kernel import logs

    logs.configure(settings.log_level, settings.log_format)
    for aviso in settings.avisos:
        logging.getLogger("sispat").warning("%s", aviso)
    with (
        encerravel(),
        _escutar(settings) as tomada,
        contagem(settings, tomada.getsockname()[1]),
        measuring(f"sispat-{tomada.getsockname()[1]}-{settings.host}", workers=settings.workers),
        banco(settings, criar=demo is not None) as (dsn, embutido),
    ):
        _ambiente_dos_processos(settings, dsn, tomada)
        preparo = Preparo(dsn, demo, _portas(settings, dsn))
        pronto = preparo.fazer()
        supervisor = _supervisor(settings, tomada, _servicos(settings, embutido), _anuncio(settings, tomada, demo))
        if not pronto:
            preparo.continuar(supervisor.stop)
        try:
            codigo = supervisor.run()
        finally:
            preparo.desistir()
        if preparo.erro is not None:
            raise preparo.erro
        return codigo


def _portas(settings: Settings, dsn: Dsn) -> Callable[[], None]:
    """What is looked at once the database can be asked, before anybody is served."""

    def conferir() -> None:
        from sispat.cli._portas import aviso_de_papel, conferir_papel, conferir_senhas
        from sispat.cli._preparo import com_prazo

        if settings.database_app_url is not None:
            conferir_papel(com_prazo(settings.database_app_url))
        elif settings.database_url is not None:
            logging.getLogger("sispat").warning("%s", aviso_de_papel(dsn))
        if not _so_esta_maquina(settings.host):
            conferir_senhas(com_prazo(dsn), settings.host)

    return conferir


def _escutar(settings: Settings) -> socket.socket:
    from esteio.serve import AddressInUse, bind

    try:
        return bind(settings.host, settings.port)
    except AddressInUse:
        raise PortaOcupada(settings.host, settings.port) from None


def _servicos(settings: Settings, embutido: BancoEmbutido | None) -> list[Service]:
    """In the order in which they start; the operator ends before the database, and has received its last commit."""
    from sispat.cli._operador import operador

    operado = settings.backup or settings.enable_health_monitor
    return [*([embutido] if embutido else []), *([operador(settings)] if operado else [])]


def _ambiente_dos_processos(settings: Settings, dsn: Dsn, tomada: socket.socket) -> None:
    """Workers read the environment; what the command line or this start decided goes there."""
    if settings.database_url is None:
        from sispat.cli._servidor import PAPEL_DO_SERVICO

        os.environ["DATABASE_URL"] = dsn.url  # a local socket: there is no password in it
        os.environ["SISPAT_DATABASE_APP_URL"] = dsn.with_(user=PAPEL_DO_SERVICO).url
    os.environ.pop(OPERATOR_STATE, None)
    if settings.backup:
        os.environ[OPERATOR_STATE] = str(operator_state_file(settings))
    os.environ.update(
        SISPAT_HOST=settings.host,
        SISPAT_PORT=str(tomada.getsockname()[1]),
        SISPAT_WORKERS=str(settings.workers),
    )


def _anuncio(settings: Settings, tomada: socket.socket, demo: int | None) -> Callable[[], None]:
    porta = tomada.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host

    def anunciar() -> None:
        print(_("SISPAT pronto em %(address)s (Ctrl-C encerra)", address=f"http://{host}:{porta}"), flush=True)
        if demo is None:
            return
        from sispat.cli._banco import logins

        print(_("Demonstração: dados inventados, senhas públicas; só esta máquina alcança este endereço."))
        for line in logins():
            print(line, flush=True)

    return anunciar


def _supervisor(
    settings: Settings, tomada: socket.socket, servicos: Sequence[Service], anunciar: Callable[[], None]
) -> Supervisor:
    from esteio.serve import RefusalWords, ServerOptions, Supervisor, Timeouts
    from sispat.kernel import logs

    return Supervisor(
        "sispat.app:app",
        sockets=[tomada],
        workers=settings.workers,
        services=servicos,
        on_ready=anunciar,
        options=ServerOptions(
            forwarded_allow_ips=settings.forwarded_allow_ips,
            refusals=RefusalWords(settings.lang, _RECUSAS if settings.lang == SOURCE else {}),
            log_config=logs.dict_config(settings.log_level, settings.log_format),
        ),
        timeouts=Timeouts(
            healthcheck=settings.worker_timeout,
            graceful_shutdown=settings.graceful_timeout,
            drain_delay=settings.drain_delay,
        ),
    )


def _so_esta_maquina(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
