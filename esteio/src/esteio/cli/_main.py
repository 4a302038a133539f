"""All commands of `esteio`, and how a failed one ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from esteio import __version__
from esteio.cli import _certificates, _maintenance, _watch
from esteio.cli._backup import backup_commands
from esteio.cli._doctor import doctor
from esteio.cli._metrics import metrics_commands
from esteio.cli._operate_command import add_operate
from esteio.cli._own import Own
from esteio.cli._serve import serve
from esteio.cli._words import ENGLISH
from esteio.errors import EsteioError

if TYPE_CHECKING:
    from esteio.backup import Backups
    from esteio.cli._notify import Notices

__all__ = ["main"]

_app = typer.Typer(
    name="esteio",
    help="High availability for Python services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_INTERRUPTED = 130


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"esteio {__version__}")
        raise typer.Exit


@_app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """High availability for Python services."""


class _Ended(BaseException):
    """SIGTERM or SIGHUP: cleaned up on the way out like Ctrl-C."""


def _opened(database: bool) -> AbstractContextManager[Backups]:
    from esteio.cli.environment import backups_of

    return backups_of(os.environ, database=database)


def _notified() -> Notices:
    from esteio.cli.environment import notices_of

    return notices_of(os.environ)


_backup = backup_commands(_opened, notified=_notified, own=Own(quiet=_maintenance.closed_for_restore))
add_operate(_backup, _opened, ENGLISH, notified=_notified)
_app.command("serve")(serve)
_app.command("doctor")(doctor)
_app.add_typer(_backup, name="backup")
_app.add_typer(_maintenance.app, name="maintenance")
_app.add_typer(_watch.app, name="watch")
_app.add_typer(_certificates.app, name="cluster")  # those of _three, and its own
_app.add_typer(metrics_commands(job="esteio", title="Esteio"), name="metrics")


def main() -> None:
    """Run the command of `sys.argv` and exit."""
    with _endable():
        try:
            _app()
        except EsteioError as error:
            _exit(f"Error: {error}", getattr(error, "exit_code", 1))
        except OSError as error:
            # Of a directory or file that was named; everything else is translated where it happens.
            if error.filename is None:
                raise
            _exit(f"Error: {os.fsdecode(error.filename)}: {error.strerror}; make it, or let this account use it", 1)
        except SystemExit as end:
            if end.code == _INTERRUPTED:  # typer's answer to Ctrl-C, which says nothing
                _exit("Interrupted.", _INTERRUPTED)
            raise
        except KeyboardInterrupt:
            _exit("Interrupted.", _INTERRUPTED)
        except _Ended:
            _exit("Ended.", 143)


@contextmanager
def _endable() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise _Ended

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
    yield


def _exit(message: str, code: int) -> None:
    print(message, file=sys.stderr, flush=True)
    sys.exit(code)
