"""`backup init|run|list|verify|check|sync|prune|status|receive-wal|schedule`, for any program that can open its `Backups`."""

# Annotations are evaluated here at once: typer reads them, and they name the words of the caller.
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esteio.cli._bar import Bar
from esteio.cli._copies import bring_copies, read_copies
from esteio.cli._keep import keep
from esteio.cli._notify import Notified, nobody, notify, notify_test, told
from esteio.cli._one import add_one
from esteio.cli._own import Own
from esteio.cli._restore import add_restore
from esteio.cli._schedule import Form, installed, scheduled, show, written
from esteio.cli._show import (
    documents_taken,
    entries_json,
    entries_table,
    operator_says,
    size_text,
    status_json,
    status_lines,
)
from esteio.cli._words import ENGLISH, Words

if TYPE_CHECKING:  # a program that only has these commands among others should not wait for them
    from esteio.backup import Backups, Decision

__all__ = ["Opened", "backup_commands"]


class Kind(StrEnum):
    """What `run` makes."""

    dump = "dump"
    base = "base"
    incremental = "incremental"


Opened = Callable[[bool], AbstractContextManager["Backups"]]
"""Called with whether the database itself is needed; the stores always are."""


def backup_commands(
    opened: Opened,
    words: Words = ENGLISH,
    zone: Callable[[], str] = lambda: "UTC",
    notified: Notified = nobody,
    *,
    own: Own | None = None,
) -> typer.Typer:
    """The commands, saying `words`; `zone` is asked for the timezone of a schedule that names none.

    `notified` is asked who is told how a run ended; `own` is what the program adds to a restore in place.
    """
    app = typer.Typer(name="backup", help=words.backup, no_args_is_help=True)
    _add_init(app, opened, words)
    _add_run(app, opened, words, notified)
    for add in (_add_list, _add_verify, _add_check, _add_sync, _add_prune, _add_unlock, _add_status, _add_receive_wal):
        add(app, opened, words)
    add_restore(app, opened, words, own or Own())
    add_one(app, opened, words)
    _add_schedule(app, opened, words, zone, notified)
    _add_notify(app, words, notified)
    return app


def _add_init(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("init", help=words.init)
    def init(
        encrypted: Annotated[bool | None, typer.Option("--encrypted/--plain", help=words.init_encrypted)] = None,
    ) -> None:
        with opened(False) as backups:
            done = backups.init(encrypted=encrypted)
            marker = backups.marker()
        for store, made in done:
            typer.echo((words.init_made if made else words.init_there).format(store=store))
        if marker is not None and marker.encrypted:
            typer.echo(words.init_only_encrypted)


def _add_run(app: typer.Typer, opened: Opened, words: Words, notified: Notified) -> None:
    @app.command("run", help=words.run)
    def run(
        verify: Annotated[bool, typer.Option("--verify/--no-verify", help=words.no_verify)] = True,
        kind: Annotated[Kind, typer.Option("--kind", help=words.kind)] = Kind.dump,
        gentle: Annotated[bool, typer.Option("--gentle", help=words.gentle)] = False,
        if_leader: Annotated[bool, typer.Option("--if-leader", help=words.if_leader)] = False,
    ) -> None:
        from esteio.backup.agent import leading

        with (
            told(notified, kind.value),
            opened(True) as backups,
            leading(backups.dsn) if if_leader else nullcontext(),
            Bar(words) as bar,
        ):
            _report_run(backups, bar, words, kind=kind.value, verify=verify, gentle=gentle)


def _add_list(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("list", help=words.list)
    def list_(as_json: Annotated[bool, typer.Option("--json", help=words.json)] = False) -> None:
        with opened(False) as backups:
            survey = backups.catalogue.survey()
            windows = backups.cluster.windows()
        for problem in survey.problems:
            typer.echo(words.problem(problem), err=True)
        if as_json:
            typer.echo(entries_json(survey.entries, windows))
        elif survey.entries:
            entries_table(survey.entries, windows, words)
        else:
            typer.echo(words.nothing.format(where=backups.catalogue.where))


def _add_verify(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("verify", help=words.verify)
    def verify(
        backup: Annotated[str, typer.Argument(help=words.any_id)] = "newest",
        everywhere: Annotated[bool, typer.Option("--everywhere", help=words.everywhere, hidden=True)] = False,
    ) -> None:
        with opened(False) as backups, Bar(words) as bar:
            if everywhere:
                typer.echo(words.now_say.format(command="check --read-data"), err=True)
                raise typer.Exit(read_copies(backups, backup, bar, words))
            verification = backups.verify(backup, bar)
        typer.echo(_proven(words, verification.restore_seconds, verification.rows, verification.checked))


def _add_check(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("check", help=words.check_copies)
    def check(
        backup: Annotated[str, typer.Argument(help=words.any_id)] = "newest",
        read_data: Annotated[bool, typer.Option("--read-data", help=words.read_data)] = False,
    ) -> None:
        with opened(False) as backups, Bar(words) as bar:
            raise typer.Exit(read_copies(backups, backup, bar, words, read=read_data))


def _add_sync(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("sync", help=words.sync)
    def sync(
        backup: Annotated[str, typer.Argument(help=words.copy_id)] = "newest",
        read: Annotated[bool, typer.Option("--read-data", help=words.read_first)] = False,
    ) -> None:
        with opened(False) as backups, Bar(words) as bar:
            raise typer.Exit(bring_copies(backups, backup, bar, words, read=read))

    @app.command("copy", hidden=True)
    def copy(backup: str = typer.Argument("newest"), read: Annotated[bool, typer.Option("--read")] = False) -> None:
        typer.echo(words.now_say.format(command="sync"), err=True)
        sync(backup, read)


def _add_prune(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("prune", help=words.prune)
    def prune(
        dry_run: Annotated[bool, typer.Option("--dry-run", help=words.dry_run)] = False,
        yes: Annotated[bool, typer.Option("--yes", help=words.yes_prune)] = False,
    ) -> None:
        with opened(False) as backups:
            planned = backups.prune(dry_run=True)
            if dry_run or not yes:
                _lines(planned, words, dry_run=True)
            removed = sum(not decision.keep for decision in planned)
            if dry_run:
                return
            # Without a backup to remove there may still be log and documents that nothing needs.
            if not yes and not (sys.stdin.isatty() and typer.confirm(words.sure_prune.format(count=removed), err=True)):
                typer.echo(words.not_done, err=True)
                raise typer.Exit(1)
            _lines(backups.prune(), words, dry_run=False)


def _add_unlock(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("unlock", help=words.unlock)
    def unlock(yes: Annotated[bool, typer.Option("--yes", help=words.yes_unlock)] = False) -> None:
        with opened(False) as backups:
            for store, lease in (held := backups.leases()).items():
                typer.echo(
                    words.lease_held.format(
                        store=store, pid=lease.pid, host=lease.host, since=lease.since, expires=lease.expires
                    )
                )
            if not held:
                typer.echo(words.no_lease)
                return
            if not yes and not (sys.stdin.isatty() and typer.confirm(words.sure_unlock, err=True)):
                typer.echo(words.not_done, err=True)
                raise typer.Exit(1)
            for store in backups.unlock():
                typer.echo(words.unlocked.format(store=store))


def _lines(decisions: "Sequence[Decision]", words: Words, *, dry_run: bool) -> None:
    for decision in decisions:
        typer.echo(words.decision(decision, dry_run=dry_run))


def _add_status(app: typer.Typer, opened: Opened, words: Words) -> None:
    @app.command("status", help=words.status)
    def status(
        max_age: Annotated[float | None, typer.Option("--max-age", min=0.1, max=87600, help=words.max_age)] = None,
        as_json: Annotated[bool, typer.Option("--json", help=words.json)] = False,
    ) -> None:
        with opened(False) as backups:
            found = backups.status(timedelta(hours=max_age) if max_age else None)
            found = replace(found, problems=(*found.problems, *operator_says(backups.agent_file)))
        typer.echo(status_json(found) if as_json else "\n".join(status_lines(found, words)))
        raise typer.Exit(found.exit_code)


def _add_receive_wal(app: typer.Typer, opened: Opened, words: Words) -> None:
    def receive(backups: "Backups") -> int:
        service = backups.archive()
        typer.echo(words.archiving.format(directory=service.root))
        return keep(service)

    @app.command("receive-wal", help=words.archive)
    def receive_wal(drop_slot: Annotated[bool, typer.Option("--drop-slot", help=words.drop_slot)] = False) -> None:
        with opened(True) as backups:
            if drop_slot:
                typer.echo(words.slot_dropped if backups.drop_slot() else words.no_slot)
                return
            code = receive(backups)
        raise typer.Exit(code)

    @app.command("archive", hidden=True)
    def archive() -> None:
        typer.echo(words.now_say.format(command="receive-wal"), err=True)
        receive_wal(drop_slot=False)


def _add_notify(app: typer.Typer, words: Words, notified: Notified) -> None:
    @app.command("notify", help=words.notify)
    def notify_(test: Annotated[bool, typer.Option("--test", help=words.notify_test)] = False) -> None:
        done = notify_test(notified, words) if test else notify(notified, words)
        raise typer.Exit(0 if done else 1)


def _add_schedule(app: typer.Typer, opened: Opened, words: Words, zone: Callable[[], str], notified: Notified) -> None:
    @app.command("schedule", help=words.schedule)
    def schedule(
        base: Annotated[str, typer.Option("--base", help=words.base_cron)] = "0 2 * * *",
        incremental: Annotated[str, typer.Option("--incremental", help=words.incremental_cron)] = "",
        dump: Annotated[str, typer.Option("--dump", help=words.dump_cron)] = "0 */6 * * *",
        timezone: Annotated[str | None, typer.Option("--timezone", help=words.timezone)] = None,
        form: Annotated[Form | None, typer.Option("--for", help=words.form)] = None,
        write: Annotated[Path | None, typer.Option("--write", help=words.write)] = None,
        install: Annotated[bool, typer.Option("--install", help=words.install)] = False,
        run: Annotated[bool, typer.Option("--run", help=words.keep_to, hidden=True)] = False,
    ) -> None:
        tasks = scheduled(base, dump, timezone or zone(), incremental)
        if form is None and install:
            raise typer.BadParameter(words.install_for)
        if form is not None:
            installed(tasks, form) if install else written(tasks, form, write)
            if form is Form.windows:
                typer.echo(words.windows_untried, err=True)
            return
        show(tasks, words)
        if run:
            typer.echo(words.now_say.format(command="agent --no-archive"), err=True)
            kinds = ", ".join(task.kind for task in tasks)
            with (
                told(notified, kinds) as notices,
                opened(True) as backups,
            ):
                told_too = (notices.outbox, backups.watch(said=words.problem)) if notices.outbox else ()
                code = keep(*told_too, backups.scheduler(tasks))
            raise typer.Exit(code)


def _report_run(backups: "Backups", bar: Bar, words: Words, *, kind: str, verify: bool, gentle: bool) -> None:
    done = backups.run(bar, kind=kind, verify=verify, gentle=gentle)
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
    for problem in done.lacking:
        typer.echo(words.problem(problem), err=True)
    _say(documents_taken(manifest.details.get("documents", {}), words))
    if done.verification is None:
        typer.echo(words.not_proven)
    else:
        typer.echo(_proven(words, done.verification.restore_seconds, done.verification.rows, done.verification.checked))
    for decision in done.decisions:
        if not decision.keep:
            typer.echo(words.decision(decision, between=" "))


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        typer.echo(line)


def _proven(words: Words, seconds: float, rows: int, checked: tuple[str, ...]) -> str:
    text = words.proven_whole if "every table read" in checked else words.proven
    return text.format(seconds=seconds, rows=rows, checked=", ".join(words.checks.get(each, each) for each in checked))
