"""All commands, put together."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sispat.cli import _banco, _chave, _copias, _doctor, _manutencao, _operador, _relatorio, _serve, _settings, _usuario
from sispat.cli._falhas import relatar
from sispat.kernel.i18n import _

__all__ = ["executar"]

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
)(_operador.operator)
_app.command("migrate", help=_("Atualiza o esquema do banco, numa só transação; não faz nada quando já está em dia."))(
    _banco.migrate
)
_app.command("demo", help=_("Cria uma cidade inventada num banco vazio; recusa um banco com outros dados."))(
    _banco.demo
)
_app.command("settings", help=_("Mostra a configuração em vigor e de onde veio cada valor; segredos ficam ocultos."))(
    _settings.settings
)
_app.command(
    "doctor",
    help=_("Procura o que quebraria em seguida: configuração, banco, cópias, rede, máquina; não muda nada."),
)(_doctor.doctor)
_app.add_typer(_usuario.app, name="usuario")
_app.add_typer(_chave.app, name="chave")
_app.add_typer(_relatorio.app, name="banco")
_app.add_typer(_copias.app, name="backup")
_app.add_typer(_manutencao.app, name="manutencao")


@_app.command("version", help=_("Mostra a versão."))
def version() -> None:
    """Show the version."""
    from sispat import __version__

    typer.echo(f"sispat {__version__}")


@_app.callback()
def _geral(
    debug: Annotated[bool, typer.Option("--debug", help=_("Mostra o erro técnico completo."))] = False,
) -> None:
    if debug:
        os.environ["SISPAT_DEBUG"] = "1"  # workers and settings see it too


def executar() -> None:
    """Run the command of `sys.argv` and exit."""
    with relatar():
        _app()
