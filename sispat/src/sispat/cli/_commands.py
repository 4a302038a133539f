"""All commands, put together."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sispat.cli import (
    _alerts,
    _api_keys,
    _audit,
    _backup_commands,
    _cluster,
    _database_report,
    _doctor,
    _documents,
    _install,
    _jobs,
    _maintenance,
    _metrics,
    _migrate,
    _operator,
    _serve,
    _settings_table,
    _upgrade,
    _users,
)
from sispat.cli._failures import report_failures
from sispat.drill.command import drill
from sispat.kernel.i18n import _

__all__ = ["run"]

_app = typer.Typer(
    name="sispat",
    help=_("SISPAT: gestão patrimonial da prefeitura."),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_app.command("serve", help=_("Inicia o serviço; sem DATABASE_URL, com um PostgreSQL próprio."))(_serve.serve)
_app.command(
    "operator",
    hidden=True,
    help=_("Faz as cópias de segurança e mede a saúde até ser encerrado; `sispat serve` o inicia sozinho."),
)(_operator.operator)
_app.command("jobs", hidden=True, help=_("Faz as tarefas da fila até ser encerrado; `sispat serve` o inicia sozinho."))(
    _jobs.jobs
)
_app.command("migrate", help=_("Atualiza o esquema do banco, numa só transação; não faz nada quando já está em dia."))(
    _migrate.migrate
)
_app.command("demo", help=_("Cria uma cidade inventada num banco vazio; recusa um banco com outros dados."))(
    _migrate.demo
)
_app.command(
    "install",
    help=_("Instala o serviço nesta máquina (Debian, Ubuntu): conta, pastas, configuração, systemd, proxy com HTTPS."),
)(_install.install)
_app.command("uninstall", help=_("Para o serviço e tira o que `install` fez; dados, cópias e configuração ficam."))(
    _install.uninstall
)
_app.command(
    "upgrade", help=_("Troca de versão sem perder pedidos: ao lado da atual, com cópia provada, e volta se der errado.")
)(_upgrade.upgrade)
_app.command("settings", help=_("Mostra a configuração em vigor e de onde veio cada valor; segredos ficam ocultos."))(
    _settings_table.settings
)
_app.command(
    "doctor",
    help=_("Procura o que quebraria em seguida: configuração, banco, cópias, rede, máquina; não muda nada."),
)(_doctor.doctor)
_app.command(
    "drill",
    help=_(
        "Quebra um SISPAT só seu de muitas maneiras, sob carga: o que se perde, por quanto tempo, e como seria um ano."
    ),
)(drill)
_app.add_typer(_users.app, name="usuario")
_app.add_typer(_api_keys.app, name="chave")
_app.add_typer(_database_report.app, name="banco")
_app.add_typer(_backup_commands.app, name="backup")
_app.add_typer(_maintenance.app, name="manutencao")
_app.add_typer(_metrics.app, name="metrics")
_app.add_typer(_alerts.app, name="alerta")
_app.add_typer(_jobs.app, name="tarefas")
_app.add_typer(_cluster.app, name="cluster")
_app.add_typer(_audit.app, name="auditoria")
_app.add_typer(_documents.app, name="documentos")


@_app.command("version", help=_("Mostra a versão."))
def version() -> None:
    """Show the version."""
    from sispat import __version__

    typer.echo(f"sispat {__version__}")


@_app.callback()
def _global_options(
    debug: Annotated[bool, typer.Option("--debug", help=_("Mostra o erro técnico completo."))] = False,
) -> None:
    if debug:
        os.environ["SISPAT_DEBUG"] = "1"  # workers and settings see it too


def run() -> None:
    """Run the command of `sys.argv` and exit."""
    with report_failures():
        _app()
