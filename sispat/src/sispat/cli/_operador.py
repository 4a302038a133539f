"""`sispat operator`: makes the backups and watches the health, beside the workers. `sispat serve` keeps it running.

Promises: what is done and how is Esteio's (`esteio.cli.operating`); here is what the settings make of it. It starts no
database. With DATABASE_URL there may be other machines on it: one of them makes the backups.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.settings import Settings, carregar

if TYPE_CHECKING:
    from esteio.cli import Operation
    from esteio.serve import Program

__all__ = ["SemServico", "operacao", "operador", "operator"]

_AS_DUAS = "0 2 * * *"


class SemServico(SispatError):
    """No service runs on the data directory."""

    code = "sem-servico"

    def __init__(self, pasta: Path) -> None:
        self.pasta = pasta
        super().__init__(
            _(
                "Nenhum `sispat serve` usa a pasta de dados %(directory)s; ele inicia o operador sozinho. "
                "Inicie-o, ou defina DATABASE_URL.",
                directory=pasta,
            )
        )


def operator() -> None:
    """Make the backups and measure the health until ended; `sispat serve` starts it by itself."""
    from contextlib import ExitStack

    from esteio.cli import operating
    from esteio.serve import ServiceRunner
    from sispat.cli._copias import COMMAND_WORDS, avisados, montar
    from sispat.cli._servidor import banco_do_servico, encerravel
    from sispat.kernel import logs

    settings = carregar()
    logs.configure(settings.log_level, settings.log_format)
    dsn = banco_do_servico(settings)
    if dsn is None:
        raise SemServico(settings.data_dir)
    with encerravel(), ExitStack() as pilha:
        if settings.enable_health_monitor:
            from sispat.operacao.monitor import health_monitor

            # A thread beside the backups: these wait for the leader of several machines, each of which is watched.
            pilha.enter_context(health_monitor(settings, dsn))
        if settings.backup:
            plano, palavras = operacao(settings), COMMAND_WORDS.problem
            zelador = pilha.enter_context(operating(montar(settings, dsn), plano, avisados(settings), palavras))
        else:
            zelador = ServiceRunner(())
        zelador.run()


def operador(settings: Settings) -> Program:
    """The command as a service of the supervisor."""
    from esteio.serve import Program

    # It finds our own database as any command does; an address would hide that the database is ours.
    ambiente = dict(os.environ)
    if settings.database_url is None:
        for nome in ("DATABASE_URL", "SISPAT_DATABASE_APP_URL"):
            ambiente.pop(nome, None)
    return Program("operator", [sys.executable, "-m", "sispat", "operator"], env=ambiente)


def operacao(settings: Settings) -> Operation:
    """What the settings want done."""
    from esteio.cli import Operation, run_command, scheduled

    embutido = settings.database_url is None
    base = settings.backup_base if settings.backup_base != "auto" else _AS_DUAS if embutido else "não"
    vezes = (base, settings.backup_dump, settings.backup_incremental)
    base, dump, incremental = ("" if vez == "não" else vez for vez in vezes)
    return Operation(
        scheduled(base, dump, settings.timezone, incremental),
        run_command,
        archive=settings.backup_archive == "sim" or (settings.backup_archive == "auto" and embutido),
        alone=embutido,
    )
