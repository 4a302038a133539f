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

    for email, password, role in LOGINS:
        yield _("  %(email)s  senha: %(password)s  (%(role)s)", email=email, password=password, role=role)


def migrate() -> None:
    """Bring the schema of the database up to date, in one transaction; does nothing where it is."""
    from sispat.cli._database import database_in_use, terminable
    from sispat.cli._preparation import bring_up_to_date
    from sispat.settings import load_settings

    with terminable(), database_in_use(load_settings()) as dsn:
        done = bring_up_to_date(dsn)
    if done.before == done.after:
        typer.echo(_("O banco já está em dia (versão %(version)s).", version=done.after))
    else:
        typer.echo(
            _(
                "Banco migrado da versão %(before)s para a %(after)s.",
                before=done.before or _("vazia"),
                after=done.after,
            )
        )


def demo(
    size: Annotated[int, typer.Option("--size", min=1, max=10_000_000, help=_("Quantos bens criar."))] = 5000,
) -> None:
    """Make an invented city in an empty database; refuses one with other data."""
    from sispat.cli._database import database_in_use, terminable
    from sispat.cli._preparation import bring_up_to_date, with_time_limit
    from sispat.cli._progress import ProgressBar
    from sispat.demo import populate
    from sispat.settings import load_settings

    with terminable(), database_in_use(load_settings()) as dsn:
        bring_up_to_date(dsn)
        with ProgressBar(_("Criando a cidade de demonstração")) as progress:
            summary = populate(with_time_limit(dsn), size=size, progress=progress)
    what = {"assets": summary.patrimonios, "departments": summary.setores}
    if summary.created:
        typer.echo(_("Demonstração criada: %(assets)s bens em %(departments)s setores.", **what))
    else:
        typer.echo(_("Demonstração já existente: %(assets)s bens em %(departments)s setores.", **what))
    for line in logins():
        typer.echo(line)
