"""How a failed command ends: one clear block on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from esteio.errors import EsteioError
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import SOURCE, _, language

__all__ = ["Terminated", "report_failures"]

_INTERRUPTED = 130


class Terminated(BaseException):
    """SIGTERM came before there was a supervisor to take it; cleaned up on the way out like Ctrl-C."""


@contextmanager
def report_failures() -> Iterator[None]:
    """Turn what the block raises into a message and an exit."""
    try:
        yield
    except (SispatError, EsteioError) as error:
        _exit(_("Erro:") + f" {_said(error)}", getattr(error, "exit_code", 1), error)
    except SystemExit as ending:
        if ending.code == _INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            _exit(_("Interrompido."), _INTERRUPTED)
        raise
    except KeyboardInterrupt:
        _exit(_("Interrompido."), _INTERRUPTED)
    except Terminated:
        _exit(_("Encerrado."), 143)
    except OSError as error:
        if error.filename is None:
            raise
        file = os.fsdecode(error.filename)
        _exit(
            _(
                "Erro: %(file)s: %(reason)s; crie-o, ou dê a esta conta permissão de usá-lo",
                file=file,
                reason=error.strerror,
            ),
            1,
            error,
        )
    except Exception as error:
        if not _is_of_psycopg(error):
            raise
        _exit(_("Erro: o banco de dados recusou ou não respondeu: %(reason)s", reason=str(error).strip()), 1, error)


def _said(error: SispatError | EsteioError) -> str:
    """What is said of it; the errors of backups and of the maintenance switch are Esteio's, in English."""
    if (
        language() == SOURCE
        and isinstance(error, EsteioError)
        and not sys.modules.keys().isdisjoint(("esteio.backup", "esteio.maintenance"))
    ):
        from sispat.cli._backup_errors import in_portuguese

        return in_portuguese(error)
    return str(error)


def _is_of_psycopg(error: Exception) -> bool:
    """Whether it is psycopg's; asked without importing it where nothing else did."""
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(error, psycopg.Error)


def _debugging() -> bool:
    from sispat.settings import InvalidSettings, load_settings

    try:
        return load_settings().debug
    except InvalidSettings:  # perhaps the very error to be told
        return os.environ.get("SISPAT_DEBUG") == "1"


def _exit(message: str, code: int, error: BaseException | None = None) -> None:
    if error is not None and _debugging():
        raise error
    print(message, file=sys.stderr, flush=True)
    sys.exit(code)
