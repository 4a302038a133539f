"""All commands, put together."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sispat.cli import _banco, _chave, _copias, _manutencao, _operador, _relatorio, _serve, _settings, _usuario
from sispat.cli._falhas import relatar

__all__ = ["executar"]

_app = typer.Typer(
    name="sispat",
    help="SISPAT: gestão patrimonial da prefeitura.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_app.command("serve")(_serve.serve)
_app.command("operator", hidden=True)(_operador.operator)
_app.command("migrate")(_banco.migrate)
_app.command("demo")(_banco.demo)
_app.command("settings")(_settings.settings)
_app.add_typer(_usuario.app, name="usuario")
_app.add_typer(_chave.app, name="chave")
_app.add_typer(_relatorio.app, name="banco")
_app.add_typer(_copias.app, name="backup")
_app.add_typer(_manutencao.app, name="manutencao")


@_app.command("version")
def version() -> None:
    """Mostra a versão."""
    from sispat import __version__

    typer.echo(f"sispat {__version__}")


@_app.callback()
def _geral(
    debug: Annotated[bool, typer.Option("--debug", help="Mostra o erro técnico completo.")] = False,
) -> None:
    if debug:
        os.environ["SISPAT_DEBUG"] = "1"  # workers and settings see it too


def executar() -> None:
    """Run the command of `sys.argv` and exit."""
    with relatar():
        _app()
