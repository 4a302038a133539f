"""`esteio serve module:app`: the supervisor from the command line.

Promises: what is wrong with the command line, the address or the application is one sentence on stderr and a non-zero exit
code, before anything is left running. Ctrl-C and SIGTERM end everything in order.
"""

# Annotations are evaluated here at once: typer reads them.
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from esteio.cli._reload import Reloader
from esteio.errors import EsteioError

if TYPE_CHECKING:
    from esteio.serve import Service

__all__ = ["serve"]

_NAME = "app"  # of the embedded server's database and of its owner


def serve(
    app: Annotated[str, typer.Argument(help='The ASGI application, as "package.module:attribute".')],
    bind: Annotated[str, typer.Option("--bind", "-b", help="HOST:PORT, or PORT alone; port 0: any free one.")] = (
        "127.0.0.1:8000"
    ),
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", min=1, help="Processes; 2, or 1 with --reload.")
    ] = None,
    factory: Annotated[
        bool, typer.Option("--factory", help="ATTRIBUTE is a function that makes the application.")
    ] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="For development: new workers when a .py file changes.")
    ] = False,
    postgres: Annotated[
        Path | None,
        typer.Option("--postgres", help="Keep an embedded PostgreSQL in this directory; sets DATABASE_URL."),
    ] = None,
    service: Annotated[
        list[str] | None, typer.Option("--service", help="Keep a program running beside the workers: NAME=COMMAND.")
    ] = None,
    drain_delay: Annotated[
        float, typer.Option("--drain-delay", min=0.0, help="Seconds to go on accepting at the end, behind a balancer.")
    ] = 0.0,
    trusted_proxies: Annotated[
        str, typer.Option("--trusted-proxies", help="Whose X-Forwarded-For is believed: addresses, networks, commas.")
    ] = "127.0.0.1,::1",
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help="PEM file, for HTTPS without a proxy; may be replaced at any time."),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="PEM file of its key, without a passphrase.")] = None,
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
) -> None:
    """Serve an ASGI application with workers that are kept alive."""
    from esteio.health import measuring
    from esteio.serve import CertificateFiles, ServerOptions, Supervisor, Timeouts, noted_deaths
    from esteio.serve import bind as listen

    host, port = _address(bind)
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key: give both or none")
    tls = CertificateFiles(certificate, key) if certificate and key else None
    logs = _logs(log_level)
    programs = _programs(service or [])
    sys.path.insert(0, os.getcwd())  # as `python -m` does: the application is usually in the current directory
    with ExitStack() as stack:
        sock = stack.enter_context(listen(host, port))
        number = workers or (1 if reload else 2)
        measured = stack.enter_context(measuring(f"{app}-{sock.getsockname()[1]}", workers=number))
        stack.enter_context(noted_deaths(measured.board.died if measured is not None else None))
        database = [stack.enter_context(_embedded(postgres))] if postgres else []
        supervisor = Supervisor(
            app,
            sockets=[sock],
            workers=number,
            services=[*database, *programs],
            on_ready=lambda: print(
                f"{'https' if tls else 'http'}://{_shown(host)}:{sock.getsockname()[1]} is ready (Ctrl-C ends)",
                flush=True,
            ),
            options=ServerOptions(factory=factory, forwarded_allow_ips=trusted_proxies, log_config=logs, tls=tls),
            timeouts=Timeouts(drain_delay=drain_delay),
        )
        if reload:
            stack.enter_context(Reloader(Path.cwd()))
        code = supervisor.run()
    if code:
        raise typer.Exit(code)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise typer.BadParameter(
            f"--bind {text!r}: give HOST:PORT such as 0.0.0.0:8000 or [::]:8000, or a port to 65535"
        )
    return host or "127.0.0.1", int(port)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _logs(level: str) -> dict[str, Any]:
    """Ours at once, and a configuration for the workers."""
    name = level.upper()
    if name not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise typer.BadParameter(f"--log-level {level!r}: give debug, info, warning or error")
    form = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
    logging.basicConfig(level=name, format=form)
    handler = {"class": "logging.StreamHandler", "formatter": "line"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": form}},
        "handlers": {"stderr": handler},
        "root": {"level": name, "handlers": ["stderr"]},
    }


def _programs(texts: Sequence[str]) -> list["Service"]:
    import shlex

    from esteio.serve import Program

    programs: list[Service] = []
    for text in texts:
        name, _, command = text.partition("=")
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise typer.BadParameter(f"--service {text!r}: {error}") from error
        if not (name and words):
            raise typer.BadParameter(f"--service {text!r}: give NAME=COMMAND, such as 'jobs=python -m myservice.jobs'")
        programs.append(Program(name, words))
    return programs


@contextmanager
def _embedded(directory: Path) -> Iterator["Service"]:
    from esteio.extras import needs

    with needs("embedded"):
        from esteio.postgres.embedded import Embedded
    from esteio.serve import EndsWithUnit

    if os.environ.get("DATABASE_URL"):
        raise _TwoDatabases(directory)
    server = Embedded(directory)
    service = EndsWithUnit(server)
    service.start()
    try:
        server.ensure_database(_NAME, owner=_NAME)
        os.environ["DATABASE_URL"] = server.dsn(_NAME, _NAME).url
        yield service
    finally:
        os.environ.pop("DATABASE_URL", None)
        service.stop(30.0)


class _TwoDatabases(EsteioError):
    """Both DATABASE_URL and --postgres name a database."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(f"--postgres {directory} and DATABASE_URL both name a database; unset one of them")
