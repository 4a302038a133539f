"""`sispat documentos mover`: what people uploaded, from the folder of this machine into the store that several share.

Promises: nothing leaves the folder that was not read back from the store; called again it goes on. Exits with 1 where a file
is not what its name says: such files stay where they are.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _, ngettext

__all__ = ["NoStore", "app"]

app = typer.Typer(help=_("Documentos enviados: onde ficam os conteúdos."), no_args_is_help=True)


class NoStore(SispatError):
    """Nobody said where to."""

    code = "sem-armazem"

    def __init__(self) -> None:
        super().__init__(
            _(
                "SISPAT_DOCUMENTS_STORE não está definida: não se sabe para onde. "
                "Defina-a com o endereço do armazém, como s3://bucket/documentos."
            )
        )


@app.command(
    "mover",
    help=_(
        "Leva os conteúdos da pasta (SISPAT_DOCUMENTS_DIR) para o armazém (SISPAT_DOCUMENTS_STORE), lê cada um de volta e "
        "confere o SHA-256 antes de tirá-lo da pasta; interrompido, continua de onde parou."
    ),
)
def mover(
    keep: Annotated[bool, typer.Option("--manter", help=_("Deixa também na pasta o que levou."))] = False,
) -> None:
    """Bring every content of the folder into the store."""
    from esteio.backup.store import Ranged, open_store
    from sispat.cli._progress import ProgressBar
    from sispat.kernel.files import FolderStore
    from sispat.kernel.files.moving import move
    from sispat.settings import load_settings

    settings = load_settings()
    if settings.documents_store is None:
        raise NoStore
    store = open_store(settings.documents_store)  # as backups are: nobody waits for an answer
    assert isinstance(store, Ranged)
    with ProgressBar(_("Levando os documentos")) as progress:
        done = move(FolderStore(settings.documents), store, keep=keep, progress=progress)
    typer.echo(
        ngettext(
            "%(num)s documento levado a %(store)s (%(size)s MB); %(there)s já estavam lá, conferidos.",
            "%(num)s documentos levados a %(store)s (%(size)s MB); %(there)s já estavam lá, conferidos.",
            done.sent,
            num=done.sent,
            store=store.name,
            size=f"{done.size / 1e6:.1f}",
            there=done.there,
        )
    )
    for path in done.damaged:
        typer.echo(_("Não é o que o nome diz (SHA-256), e ficou onde estava: %(path)s", path=path), err=True)
    if done.damaged:
        typer.echo(_("Uma cópia de segurança traz o certo: sispat backup restore documents."), err=True)
        raise typer.Exit(1)
