"""`backup show|accept|keep|annotate|delete`: what a person looks at, or decides, of one backup."""

# Annotations are evaluated here at once: typer reads them, and they name the words of the caller.
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from esteio.cli._show import age_text, documents_taken, entry_json, size_text
from esteio.cli._words import Words
from esteio.clock import SYSTEM

if TYPE_CHECKING:
    from esteio.backup import Backups, Entry

__all__ = ["add_one"]

Opened = Callable[[bool], AbstractContextManager["Backups"]]


def add_one(app: typer.Typer, opened: Opened, words: Words) -> None:
    """Add them to the commands of `backup_commands`."""
    for add in (_add_show, _add_accept, _add_keep, _add_annotate, _add_delete):
        add(app, opened, words)


def _add_show(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("show", help=words.show)
    def show(
        backup: Annotated[str, typer.Argument(help=words.show_id)] = "newest",
        as_json: Annotated[bool, typer.Option("--json", help=words.json)] = False,
    ) -> None:
        with opened(False) as backups:
            entry = backups.catalogue.find(backup)
            window = backups.cluster.windows().get(entry.id)
        typer.echo(entry_json(entry, window) if as_json else "\n".join(_lines(entry, words)))


def _add_accept(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("accept", help=words.accept)
    def accept(backup: Annotated[str, typer.Argument(help=words.accept_id)]) -> None:
        with opened(False) as backups:
            if backup.isdecimal():
                _accept_cluster(backups, backup, words)
                return
            done = backups.accept(backup)
        for problem in done:
            typer.echo(words.accepted.format(problem=words.problem(problem)))
        if not done:
            typer.echo(words.nothing_to_accept.format(backup=backup), err=True)
            raise typer.Exit(1)


def _accept_cluster(backups: "Backups", cluster: str, words: Words) -> None:
    try:
        backups.accept_cluster(cluster)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(words.cluster_accepted.format(cluster=cluster))


def _add_keep(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("keep", help=words.pin)
    def keep(
        backup: Annotated[str, typer.Argument(help=words.show_id)],
        undo: Annotated[bool, typer.Option("--undo", help=words.unpin)] = False,
    ) -> None:
        with opened(False) as backups:
            done = backups.keep(backup, keep=not undo)
        typer.echo((words.unpinned if undo else words.pinned).format(backup=done))


def _add_annotate(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("annotate", help=words.annotate)
    def annotate(
        backup: Annotated[str, typer.Argument(help=words.show_id)],
        note: Annotated[str, typer.Argument(help=words.note)],
    ) -> None:
        with opened(False) as backups:
            done = backups.annotate(backup, note)
        typer.echo(words.annotated.format(backup=done))


def _add_delete(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("delete", help=words.delete)
    def delete(
        backup: Annotated[str, typer.Argument(help=words.delete_id)],
        yes: Annotated[bool, typer.Option("--yes", help=words.yes_delete)] = False,
    ) -> None:
        with opened(False) as backups:
            if not yes and not (
                sys.stdin.isatty() and typer.confirm(words.sure_delete.format(backup=backup), err=True)
            ):
                typer.echo(words.not_done, err=True)
                raise typer.Exit(1)
            done = backups.delete(backup)
        typer.echo(words.decision(done))
        raise typer.Exit(1 if done.keep else 0)


def _lines(entry: "Entry", words: Words) -> Iterator[str]:
    """All that is known of one backup, the most important first; the end of a failed verification's log last."""
    manifest, verification = entry.manifest, entry.verification
    assert manifest is not None
    age = age_text(SYSTEM.time() - entry.began.timestamp())
    yield words.show_made.format(id=entry.id, kind=manifest.kind, began=entry.began.isoformat(" "), age=age)
    yield words.show_size.format(
        content=size_text(manifest.size), stored=size_text(manifest.stored), seconds=manifest.duration
    )
    yield words.show_server.format(
        version=manifest.server_version,
        database=manifest.database.name if manifest.database else "-",
        encryption=manifest.encryption or "-",
        stores=", ".join(entry.stores) or "-",
    )
    yield from documents_taken(manifest.details.get("documents", {}), words)
    if entry.marks and entry.marks.note:
        yield words.show_note.format(note=entry.marks.note)
    if entry.pinned:
        yield words.pinned.format(backup=entry.id)
    for code, at in (entry.marks.accepted if entry.marks else {}).items():
        yield words.show_accepted.format(code=code, at=at)
    if verification is None:
        yield words.unverified
    else:
        yield words.show_trial.format(at=verification.at, state=words.failed if entry.failed else words.verified)
        for problem in verification.problems:
            yield f"- {words.reason(problem)}"
        if verification.log:
            yield verification.log.strip()
    for defect in entry.defects:
        yield f"- {words.problem(defect.problem)}"
