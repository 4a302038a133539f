"""`backup run|list|verify|restore|prune|status|schedule`, for any program that can open its `Backups`."""

# Annotations are evaluated here at once: typer reads them, and they name the words of the caller.
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esteio.cli._bar import Bar
from esteio.cli._show import age_text, entries_json, entries_table, moment_text, scheduled, size_text, status_json
from esteio.cli._words import ENGLISH, Words

if TYPE_CHECKING:  # a program that only has these commands among others should not wait for them
    from esteio.backup import Backups, Decision

__all__ = ["Opened", "backup_commands"]


class Kind(Enum):
    """What can be backed up."""

    DUMP = "dump"
    BASE = "base"
    INCREMENTAL = "incremental"


class Form(Enum):
    """Whose scheduler makes the backups."""

    CRON = "cron"
    SYSTEMD = "systemd"
    WINDOWS = "windows"


Opened = Callable[[bool], AbstractContextManager["Backups"]]
"""Called with whether the database itself is needed; the stores always are."""


def backup_commands(opened: Opened, words: Words = ENGLISH) -> typer.Typer:
    """The commands, saying `words`."""
    app = typer.Typer(name="backup", help=words.backup, no_args_is_help=True)
    for add in (_add_run, _add_list, _add_verify, _add_restore, _add_prune, _add_status, _add_schedule):
        add(app, opened, words)
    return app


def _add_run(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("run", help=words.run)
    def run(
        kind: Annotated[Kind, typer.Option("--kind", help=words.kind)] = Kind.DUMP,
        verify: Annotated[bool, typer.Option("--verify/--no-verify", help=words.no_verify)] = True,
    ) -> None:
        with opened(True) as backups, Bar(words) as bar:
            _report_run(backups, bar, words, kind.value, verify=verify)


def _add_list(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("list", help=words.list)
    def list_(as_json: Annotated[bool, typer.Option("--json", help=words.json)] = False) -> None:
        with opened(False) as backups:
            entries, windows = backups.entries(), backups.cluster.windows()
        if as_json:
            typer.echo(entries_json(entries, windows))
        elif entries:
            entries_table(entries, words)
            for window in list(windows.values())[-1:]:
                typer.echo(words.window.format(begins=moment_text(window.begins), ends=moment_text(window.ends)))
        else:
            typer.echo(words.nothing.format(where=backups.catalogue.where))


def _add_verify(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("verify", help=words.verify)
    def verify(backup: Annotated[str, typer.Argument(help=words.id)] = "latest") -> None:
        with opened(False) as backups, Bar(words) as bar:
            proof = backups.verify(backup, bar)
        typer.echo(_proven(words, proof.restore_seconds, proof.rows, proof.checked))


def _add_restore(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("restore", help=words.restore)
    def restore(
        backup: Annotated[str, typer.Argument(help=words.id)] = "latest",
        into: Annotated[str | None, typer.Option("--into", help=words.into)] = None,
        in_place: Annotated[bool, typer.Option("--in-place", help=words.in_place)] = False,
        data_dir: Annotated[Path | None, typer.Option("--data-dir", help=words.data_dir)] = None,
        to: Annotated[str | None, typer.Option("--to", help=words.to)] = None,
        yes: Annotated[bool, typer.Option("--yes", help=words.yes)] = False,
    ) -> None:
        if [into is not None, in_place, data_dir is not None].count(True) != 1 or (to and data_dir is None):
            raise typer.BadParameter(words.one_of)
        if data_dir is not None:
            target = _moment(to, words)
            with opened(False) as backups, Bar(words) as bar:
                _report_recovery(backups, bar, words, data_dir, target, yes=yes)
            return
        with opened(True) as backups, Bar(words) as bar:
            if into is not None:
                done = backups.restore_into(into, backup, bar)
            else:
                done = backups.restore_in_place(lambda name: yes or _confirmed(name, bar, words), backup, bar)
        found = words.restored.format(id=done.backup, database=done.database, seconds=done.seconds, rows=done.rows)
        typer.echo(found)
        if done.kept is not None:
            typer.echo(words.kept.format(kept=done.kept))


def _add_prune(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("prune", help=words.prune)
    def prune(dry_run: Annotated[bool, typer.Option("--dry-run", help=words.dry_run)] = False) -> None:
        with opened(False) as backups:
            for decision in backups.prune(dry_run=dry_run):
                typer.echo(_line(decision, words, dry_run=dry_run))


def _add_status(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("status", help=words.status)
    def status(
        max_age: Annotated[float, typer.Option("--max-age", min=0.1, max=87600, help=words.max_age)] = 26.0,
        as_json: Annotated[bool, typer.Option("--json", help=words.json)] = False,
    ) -> None:
        with opened(False) as backups:
            found = backups.status(timedelta(hours=max_age))
        if as_json:
            typer.echo(status_json(found))
        elif found.ok:
            typer.echo(words.ok.format(id=found.verified, age=age_text(found.verified_age or 0)))
        for problem in () if as_json else found.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(0 if found.ok else 1)


def _add_schedule(app: typer.Typer, opened: Opened, words: Words) -> None:  # noqa: ARG001 - one shape for all
    @app.command("schedule", help=words.schedule)
    def schedule(
        context: typer.Context, form: Annotated[Form, typer.Option("--format", help=words.format)] = Form.CRON
    ) -> None:
        program = (context.find_root().info_name or "esteio").rpartition(" ")[2]
        command = [sys.executable, "-m", program, "backup", "run", "--kind"]
        typer.echo(scheduled(form.value, command), nl=False)


def _moment(given: str | None, words: Words) -> datetime | None:
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(words.bad_moment.format(given=given))
    return found


def _report_recovery(
    backups: "Backups", bar: Bar, words: Words, data_dir: Path, target: datetime | None, *, yes: bool
) -> None:
    done, kept = backups.recover_in_place(data_dir, lambda name: yes or _confirmed(name, bar, words), target, bar)
    bar.pause()
    last = moment_text(done.last_commit) if done.last_commit else "?"
    found = words.recovered.format(id=done.plan.base.id, directory=done.directory, seconds=done.seconds, last=last)
    typer.echo(found)
    if kept is not None:
        typer.echo(words.kept_directory.format(kept=kept))


def _report_run(backups: "Backups", bar: Bar, words: Words, kind: str, *, verify: bool) -> None:
    done = backups.run(bar, kind=kind, verify=verify)
    bar.pause()
    manifest = done.manifest
    typer.echo(
        words.made.format(
            id=manifest.id,
            content=size_text(manifest.size),
            stored=size_text(manifest.stored),
            seconds=manifest.duration,
            stores=", ".join(done.stores),
        )
    )
    if done.proof is None:
        typer.echo(words.not_proven)
    else:
        typer.echo(_proven(words, done.proof.restore_seconds, done.proof.rows, done.proof.checked))
    for decision in done.decisions:
        if not decision.keep:
            typer.echo(_line(decision, words, dry_run=False))


def _proven(words: Words, seconds: float, rows: int, checked: tuple[str, ...]) -> str:
    return words.proven.format(
        seconds=seconds, rows=rows, checked=", ".join(words.checks.get(each, each) for each in checked)
    )


def _confirmed(name: str, bar: Bar, words: Words) -> bool:
    if not sys.stdin.isatty():
        return False
    bar.pause()
    return bool(typer.prompt(words.type_name.format(name=name), err=True) == name)


def _line(decision: "Decision", words: Words, *, dry_run: bool) -> str:
    verb = words.keep if decision.keep else words.would_remove if dry_run else words.remove
    return f"{verb}\t{decision.id}\t{decision.reason}"
