"""`sispat migrate` and `sispat demo`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from sispat.kernel.i18n import _

__all__ = ["demo", "logins", "migrate"]


def logins() -> Iterator[str]:
    """The demo's people and their public passwords, one line each."""
    from sispat.demo import LOGINS

    for email, senha, papel in LOGINS:
        yield _("  %(email)s  senha: %(password)s  (%(role)s)", email=email, password=senha, role=papel)


def migrate() -> None:
    """Bring the schema of the database up to date, in one transaction; does nothing where it is."""
    from sispat.cli._preparo import atualizar
    from sispat.cli._servidor import banco_em_uso, encerravel
    from sispat.settings import carregar

    with encerravel(), banco_em_uso(carregar()) as dsn:
        feita = atualizar(dsn)
    if feita.de == feita.para:
        typer.echo(_("O banco já está em dia (versão %(version)s).", version=feita.para))
    else:
        typer.echo(
            _("Banco migrado da versão %(before)s para a %(after)s.", before=feita.de or _("vazia"), after=feita.para)
        )


def demo(
    size: Annotated[int, typer.Option("--size", min=1, max=10_000_000, help=_("Quantos bens criar."))] = 5000,
) -> None:
    """Make an invented city in an empty database; refuses one with other data."""
    from sispat.cli._preparo import atualizar, com_prazo
    from sispat.cli._progresso import Progresso
    from sispat.cli._servidor import banco_em_uso, encerravel
    from sispat.demo import popular
    from sispat.settings import carregar

    with encerravel(), banco_em_uso(carregar()) as dsn:
        atualizar(dsn)
        with Progresso(_("Criando a cidade de demonstração")) as progresso:
            resumo = popular(com_prazo(dsn), tamanho=size, progresso=progresso)
    what = {"assets": resumo.patrimonios, "departments": resumo.setores}
    if resumo.criado:
        typer.echo(_("Demonstração criada: %(assets)s bens em %(departments)s setores.", **what))
    else:
        typer.echo(_("Demonstração já existente: %(assets)s bens em %(departments)s setores.", **what))
    for line in logins():
        typer.echo(line)
