"""`sispat migrate` and `sispat demo`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from sispat.kernel.i18n import _

__all__ = ["TAKES_AWAY", "demo", "logins", "migrate"]

TAKES_AWAY = 3
"""The exit code of `migrate --check` where the release before could not run beside the new one."""


def logins() -> Iterator[str]:
    """The demo's people and their public passwords, one line each."""
    from sispat.demo import LOGINS

    for email, password, role in LOGINS:
        yield _("  %(email)s  senha: %(password)s  (%(role)s)", email=email, password=password, role=role)


def migrate(
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help=_("Só diz o que falta, e se a versão anterior do programa continuaria funcionando; não muda nada."),
        ),
    ] = False,
) -> None:
    """Bring the schema of the database up to date; does nothing where it is."""
    from sispat.cli._database import database_in_use, terminable
    from sispat.cli._preparation import bring_up_to_date
    from sispat.settings import load_settings

    if check:
        _check()
        return
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


def _check() -> None:
    """Exit code 3 where something is taken away that programs of the release before still use."""
    from esteio.postgres.migrations import contractions
    from sispat.cli._database import database_in_use, terminable
    from sispat.cli._preparation import with_time_limit
    from sispat.kernel.schema import expected_version, pending_sql
    from sispat.settings import load_settings

    with terminable(), database_in_use(load_settings()) as dsn:
        version, sql = pending_sql(with_time_limit(dsn))
    if not sql:
        typer.echo(_("O banco já está em dia (versão %(version)s).", version=version))
        return
    typer.echo(_("O banco está na versão %(before)s e iria para a %(after)s.",
                 before=version or _("vazia"), after=expected_version()))  # fmt: skip
    taken = contractions(sql) if version else []
    for each in taken:
        typer.echo(
            _("A versão anterior do programa deixaria de funcionar: %(statement)s", statement=each.statement), err=True
        )
    if taken:
        raise typer.Exit(TAKES_AWAY)
    typer.echo(_("Só acrescenta: a versão anterior do programa continua funcionando ao lado da nova."))


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
