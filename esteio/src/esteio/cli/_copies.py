"""`backup check` and `backup sync`: every store's copy, looked at or read, and mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from esteio.cli._bar import Bar
from esteio.cli._words import Words

if TYPE_CHECKING:
    from esteio.backup import Backups, CopyDefect

__all__ = ["bring_copies", "read_copies"]


def read_copies(backups: Backups, backup: str, bar: Bar, words: Words, *, read: bool = True) -> int:
    """Say of each store whether its copy is as it was written; the exit code, 1 when one is not."""
    found = backups.check_copies(backup, bar, read=read)
    bar.pause()
    for store in found.whole:
        typer.echo(words.copy_whole.format(backup=found.backup, store=store))
    for defect in found.defects:
        right = words.right_in.format(stores=", ".join(defect.right)) if defect.right else words.right_nowhere
        typer.echo(f"{_text(defect, words)} ({right})", err=True)
    return 0 if found.ok else 1


def bring_copies(backups: Backups, backup: str, bar: Bar, words: Words, *, read: bool) -> int:
    """Bring what stores lack, and say each file; the exit code, 1 when something is still missing."""
    everything = backup == "all"
    ids = [entry.id for entry in backups.entries() if entry.complete] if everything else [backup]
    code = 0
    for id_ in ids:
        done = backups.copy(id_, bar, read=read)
        bar.pause()
        for file, store in done.files:
            typer.echo(words.brought.format(file=f"{done.backup}/{file}", store=store))
        for defect in done.left:
            typer.echo(_text(defect, words), err=True)
            code = 1
        if not done.files and not done.left:
            typer.echo(words.nothing_to_bring.format(backup=done.backup))
    for each in backups.copy_log(read=read) if everything else ():
        if each.problem is None:
            typer.echo(words.brought.format(file=each.file, store=each.store))
        else:
            typer.echo(words.problem(each.problem), err=True)
            code = 1
    return code


def _text(defect: CopyDefect, words: Words) -> str:
    return words.problem(defect.problem)
