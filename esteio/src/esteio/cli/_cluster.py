"""`backup restore --to` and `backup archive`: the whole cluster, to any second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from esteio.cli._bar import Bar
from esteio.cli._show import documents_text
from esteio.cli._words import Words

if TYPE_CHECKING:
    from esteio.backup import Backups

__all__ = ["moment", "recover_cluster"]

_LAST = "last"


def moment(text: str, words: Words) -> datetime | None:
    """What `--to` says; None for the last moment there is."""
    if text == _LAST:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(words.bad_moment) from None
    if found.tzinfo is None:
        raise typer.BadParameter(words.bad_moment)
    return found


def recover_cluster(
    backups: Backups,
    target: datetime | None,
    into: Path,
    confirmed: Callable[[str], bool] | None,
    bar: Bar,
    words: Words,
    *,
    documents: Path | None,
    no_documents: bool,
) -> None:
    """Restore the new data directory `into`; with `confirmed`, put it in the place of the data directory `into`.

    The documents go into the new directory `documents`, or take their place unless `no_documents`.
    """
    kept = None
    if confirmed is None:
        done = backups.recover(into, target, bar, documents=documents)
    else:
        done, kept = backups.recover_in_place(into, confirmed, target, bar, documents=not no_documents)
    bar.pause()
    last = done.last_commit.isoformat(" ", "seconds") if done.last_commit else done.plan.base.details["ended"]
    typer.echo(words.recovered.format(id=done.plan.base.id, directory=into, seconds=done.seconds, last=last))
    if kept is not None:
        typer.echo(words.kept_directory.format(kept=kept))
    for line in documents_text(done.documents, words):
        typer.echo(line)
