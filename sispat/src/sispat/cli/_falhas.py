"""How a failed command ends: one clear block on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from esteio.errors import EsteioError
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import SOURCE, _, language

__all__ = ["Encerrado", "relatar"]

_INTERROMPIDO = 130


class Encerrado(BaseException):
    """SIGTERM came before there was a supervisor to take it; cleaned up on the way out like Ctrl-C."""


@contextmanager
def relatar() -> Iterator[None]:
    """Turn what the block raises into a message and an exit."""
    try:
        yield
    except (SispatError, EsteioError) as erro:
        _sair(_("Erro:") + f" {_dito(erro)}", getattr(erro, "exit_code", 1), erro)
    except SystemExit as fim:
        if fim.code == _INTERROMPIDO:  # what typer makes of Ctrl-C, without a word
            _sair(_("Interrompido."), _INTERROMPIDO)
        raise
    except KeyboardInterrupt:
        _sair(_("Interrompido."), _INTERROMPIDO)
    except Encerrado:
        _sair(_("Encerrado."), 143)
    except OSError as erro:
        if erro.filename is None:
            raise
        arquivo = os.fsdecode(erro.filename)
        _sair(
            _(
                "Erro: %(file)s: %(reason)s; crie-o, ou dê a esta conta permissão de usá-lo",
                file=arquivo,
                reason=erro.strerror,
            ),
            1,
            erro,
        )
    except Exception as erro:
        if not _do_banco(erro):
            raise
        _sair(_("Erro: o banco de dados recusou ou não respondeu: %(reason)s", reason=str(erro).strip()), 1, erro)


def _dito(erro: SispatError | EsteioError) -> str:
    """What is said of it; the errors of backups and of the maintenance switch are Esteio's, in English."""
    if (
        language() == SOURCE
        and isinstance(erro, EsteioError)
        and not sys.modules.keys().isdisjoint(("esteio.backup", " esteio.maintenance"))
    ):
        from sispat.cli._backup_errors import in_portuguese

        return in_portuguese(erro)
    return str(erro)


def _do_banco(erro: Exception) -> bool:
    """Whether it is psycopg's; asked without importing it where nothing else did."""
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(erro, psycopg.Error)


def _depurar() -> bool:
    from sispat.settings import ConfiguracaoInvalida, carregar

    try:
        return carregar().debug
    except ConfiguracaoInvalida:  # perhaps the very error to be told
        return os.environ.get("SISPAT_DEBUG") == "1"


def _sair(mensagem: str, codigo: int, erro: BaseException | None = None) -> None:
    if erro is not None and _depurar():
        raise erro
    print(mensagem, file=sys.stderr, flush=True)
    sys.exit(codigo)
