"""All commands, put together.

Promises: of a command that is named first on the line only its own module is loaded: who starts it waits for it, be it a
person, the supervisor or a test.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from sispat.cli._failures import report_failures
from sispat.kernel.i18n import _

__all__ = ["commands", "run"]

_COMMANDS = {
    "serve": ("sispat.cli._serve:serve", _("Inicia o serviço; sem DATABASE_URL, com um PostgreSQL próprio.")),
    "operator": (
        "sispat.cli._operator:operator",
        _("Faz as cópias de segurança e mede a saúde até ser encerrado; `sispat serve` o inicia sozinho."),
    ),
    "jobs": ("sispat.cli._jobs:jobs", _("Faz as tarefas da fila até ser encerrado; `sispat serve` o inicia sozinho.")),
    "migrate": (
        "sispat.cli._migrate:migrate",
        _("Atualiza o esquema do banco, numa só transação; não faz nada quando já está em dia."),
    ),
    "demo": (
        "sispat.cli._migrate:demo",
        _("Cria uma cidade inventada num banco vazio; recusa um banco com outros dados."),
    ),
    "install": (
        "sispat.cli._install:install",
        _("Instala o serviço nesta máquina (Debian, Ubuntu): conta, pastas, configuração, systemd, proxy com HTTPS."),
    ),
    "uninstall": (
        "sispat.cli._install:uninstall",
        _("Para o serviço e tira o que `install` fez; dados, cópias e configuração ficam."),
    ),
    "upgrade": (
        "sispat.cli._upgrade:upgrade",
        _("Troca de versão sem perder pedidos: ao lado da atual, com cópia provada, e volta se der errado."),
    ),
    "settings": (
        "sispat.cli._settings_table:settings",
        _("Mostra a configuração em vigor e de onde veio cada valor; segredos ficam ocultos."),
    ),
    "doctor": (
        "sispat.cli._doctor:doctor",
        _("Procura o que quebraria em seguida: configuração, banco, cópias, rede, máquina; não muda nada."),
    ),
    "drill": (
        "sispat.drill.command:drill",
        _(
            "Quebra um SISPAT só seu de muitas maneiras, sob carga: o que se perde, por quanto tempo, e como seria um ano."
        ),
    ),
}
_HIDDEN = ("operator", "jobs")  # `sispat serve` starts them
_GROUPS = {
    "usuario": "sispat.cli._users",
    "chave": "sispat.cli._api_keys",
    "banco": "sispat.cli._database_report",
    "backup": "sispat.cli._backup_commands",
    "manutencao": "sispat.cli._maintenance",
    "metrics": "sispat.cli._metrics",
    "alerta": "sispat.cli._alerts",
    "tarefas": "sispat.cli._jobs",
    "cluster": "sispat.cli._cluster",
    "auditoria": "sispat.cli._audit",
    "documentos": "sispat.cli._documents",
}


def commands(named: str = "") -> typer.Typer:
    """The program with the command or group `named`; with all of them where there is none of that name."""
    made = typer.Typer(
        name="sispat",
        help=_("SISPAT: gestão patrimonial da prefeitura."),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_global_options)
    known = named in _COMMANDS or named in _GROUPS
    for name, (place, told) in _COMMANDS.items():
        if not known or name == named:
            module, _colon, function = place.partition(":")
            made.command(name, hidden=name in _HIDDEN, help=told)(getattr(import_module(module), function))
    for name, module in _GROUPS.items():
        if not known or name == named:
            made.add_typer(import_module(module).app, name=name)
    if not known:
        made.command("version", help=_("Mostra a versão."))(_version)
    return made


def _version() -> None:
    """Show the version."""
    from sispat import __version__

    typer.echo(f"sispat {__version__}")


def _global_options(
    debug: Annotated[bool, typer.Option("--debug", help=_("Mostra o erro técnico completo."))] = False,
) -> None:
    if debug:
        os.environ["SISPAT_DEBUG"] = "1"  # workers and settings see it too


def run() -> None:
    """Run the command of `sys.argv` and exit."""
    with report_failures():
        commands(*sys.argv[1:2])()
