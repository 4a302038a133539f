"""`backup restore cluster`: the whole cluster, to any second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from esteio.cli._bar import Bar
from esteio.cli._own import Own
from esteio.cli._show import documents_text
from esteio.cli._words import Words

if TYPE_CHECKING:
    from esteio.backup import Backups
    from esteio.backup.restore import Recovered, Target
    from esteio.postgres.embedded import Embedded

__all__ = ["Choice", "mapped", "moment", "recover_cluster", "replace_cluster"]

_LAST = "last"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to restore: the cluster with that system identifier (None: the only one) as of `target` (None: the last)."""

    target: datetime | Target | None
    cluster: str | None = None
    documents: bool = True
    delta: bool = False
    """Rewrite only what differs, and keep nothing of before."""
    tablespaces: Mapping[str, Path] = field(default_factory=dict)
    """Where they go, by where they were."""


def moment(text: str, timeline: int | None, words: Words) -> datetime | Target | None:
    """What `--target-time` and `--timeline` say; None for the last moment there is."""
    from esteio.backup.restore import Target

    try:
        target = Target.parse(text)
        found = None if text == _LAST or target else datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(words.bad_moment) from None
    if found is not None and found.tzinfo is None:
        raise typer.BadParameter(words.bad_moment)
    if timeline is None:
        return target or found
    return replace(target or Target(time=found), timeline=timeline)


def mapped(texts: Sequence[str], words: Words) -> Mapping[str, Path]:
    """What `--tablespace-mapping` says."""
    from esteio.backup.restore import parse_mapping

    try:
        return parse_mapping(texts)
    except ValueError:
        raise typer.BadParameter(words.bad_mapping) from None


def recover_cluster(
    backups: Backups,
    which: Choice,
    into: Path,
    bar: Bar,
    words: Words,
    *,
    documents: Path | None,
) -> None:
    """Restore the new data directory `into`, and the documents into the new directory `documents` (None: not)."""
    done = backups.recover(
        into, which.target, bar, documents=documents, cluster=which.cluster, tablespaces=which.tablespaces
    )
    bar.pause()
    _say(done, None, words)


def replace_cluster(
    backups: Backups,
    which: Choice,
    place: Path | Embedded,
    confirm: Callable[[str], bool],
    own: Own,
    bar: Bar,
    words: Words,
) -> None:
    """Restore in the place of a data directory, or of our own server, with the documents or without."""
    target, cluster, documents = which.target, which.cluster, which.documents
    if isinstance(place, Path):
        done, kept = backups.recover_in_place(
            place.absolute(),
            confirm,
            target,
            bar,
            documents=documents,
            cluster=cluster,
            delta=which.delta,
            tablespaces=which.tablespaces,
        )
    else:
        done, kept = backups.recover_server(
            place,
            confirm,
            target,
            bar,
            documents=documents,
            cluster=cluster,
            quiet=own.quiet(),
            tablespaces=which.tablespaces,
        )
    bar.pause()
    _say(done, kept, words)


def _say(done: Recovered, kept: Path | None, words: Words) -> None:
    last = done.last_commit.isoformat(" ", "seconds") if done.last_commit else done.plan.base.details["ended"]
    typer.echo(words.recovered.format(id=done.plan.base.id, directory=done.directory, seconds=done.seconds, last=last))
    if kept is not None:
        typer.echo(words.kept_directory.format(kept=kept))
    for line in documents_text(done.documents, words):
        typer.echo(line)
