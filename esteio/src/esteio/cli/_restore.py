"""`backup restore database|cluster|documents`: the plan first, then the question, then the work.

Promises: nothing is touched before the plan is printed and, where something is replaced, the name was typed (or --yes).
The words of the release before - `restore [ID] --in-place`, `--into`, `--to` - do the same for one release, with a hint.
"""

# Annotations are evaluated here at once: typer reads them, and they name the words of the caller.
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from esteio.cli._bar import Bar
from esteio.cli._cluster import Choice, mapped, moment, recover_cluster, replace_cluster
from esteio.cli._own import Own
from esteio.cli._show import age_text, documents_text, size_text
from esteio.cli._words import Words

if TYPE_CHECKING:
    from esteio.backup import Backups, LeftOut, Restored, RestorePlan

__all__ = ["add_restore"]

Opened = Callable[[bool], AbstractContextManager["Backups"]]
_BEFORE = "before"


class _Group(TyperGroup):
    """Hands what names none of its commands to the one of the release before."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_BEFORE, *args]
        return super().parse_args(ctx, args)


def add_restore(app: typer.Typer, opened: Opened, words: Words, own: Own) -> None:
    """Add the group to the commands of `backup_commands`."""
    group = typer.Typer(name="restore", help=words.restore, no_args_is_help=True, cls=_Group)
    _add_database(group, opened, words, own)
    _add_cluster(group, opened, words, own)
    _add_documents(group, opened, words)
    _add_before(group, opened, words, own)
    app.add_typer(group)


def _add_database(group: typer.Typer, opened: Opened, words: Words, own: Own) -> None:
    @group.command("database", help=words.restore_database)
    def database(
        backup: Annotated[str, typer.Argument(help=words.id)] = "latest",
        name: Annotated[str | None, typer.Option("--as", help=words.restore_as)] = None,
        replace: Annotated[bool, typer.Option("--replace", help=words.replace_database)] = False,
        documents: Annotated[Path | None, typer.Option("--documents", help=words.restore_documents_into)] = None,
        no_documents: Annotated[bool, typer.Option("--no-documents", help=words.restore_no_documents)] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help=words.restore_dry_run)] = False,
        yes: Annotated[bool, typer.Option("--yes", help=words.yes)] = False,
    ) -> None:
        if (name is None) == (not replace):
            raise typer.BadParameter(words.as_or_replace)
        _check_documents(documents, no_documents, words, replaces=replace)
        with own.restoring() if own.restoring else opened(True) as backups, Bar(words) as bar:
            into = name or backups.dsn.database or ""
            plan = backups.plan_database(backup)
            _print(_plan(plan, words), (words.plan_replace if replace else words.plan_new).format(name=into))
            if _only_shown(dry_run, words):
                return
            done = _restored(
                backups, plan.backup, name, documents, bar, words, own, yes=yes, keep_documents=no_documents
            )
        _report(done, words)


def _add_cluster(group: typer.Typer, opened: Opened, words: Words, own: Own) -> None:
    @group.command("cluster", help=words.restore_cluster)
    def cluster(
        target_time: Annotated[str, typer.Option("--target-time", "--target", help=words.target_time)] = "last",
        timeline: Annotated[int | None, typer.Option("--timeline", min=1, help=words.timeline)] = None,
        system: Annotated[str | None, typer.Option("--cluster", help=words.cluster)] = None,
        directory: Annotated[Path | None, typer.Option("--directory", help=words.directory)] = None,
        replace: Annotated[bool, typer.Option("--replace", help=words.replace_cluster)] = False,
        data_dir: Annotated[Path | None, typer.Option("--data-dir", help=words.data_dir)] = None,
        delta: Annotated[bool, typer.Option("--delta", help=words.delta)] = False,
        mapping: Annotated[list[str] | None, typer.Option("--tablespace-mapping", help=words.mapping)] = None,
        documents: Annotated[Path | None, typer.Option("--documents", help=words.restore_documents_into)] = None,
        no_documents: Annotated[bool, typer.Option("--no-documents", help=words.restore_no_documents)] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help=words.restore_dry_run)] = False,
        yes: Annotated[bool, typer.Option("--yes", help=words.yes)] = False,
    ) -> None:
        target = moment(target_time, timeline, words)
        server = own.server() if replace and data_dir is None else None
        place = (data_dir or server) if replace else None
        if (directory is None) == (place is None) or (data_dir is not None and not replace):
            raise typer.BadParameter(words.directory_or_replace)
        if delta and data_dir is None:
            raise typer.BadParameter(words.delta_data_dir)
        if delta and mapping:
            raise typer.BadParameter(words.delta_mapping)
        spaces = mapped(mapping or (), words)
        _check_documents(documents, no_documents, words, replaces=replace)
        with opened(False) as backups, Bar(words) as bar:
            shown = directory or data_dir or words.own_server
            plan = backups.plan_cluster(target, str(shown), system)
            place_said = words.plan_delta if delta else words.plan_replace if replace else words.plan_new
            _print(_plan(plan, words), place_said.format(name=shown))
            if _only_shown(dry_run, words):
                return
            if place is not None:
                confirm = partial(_confirmed, yes, words.type_delta if delta else words.type_directory, bar)
                which = Choice(target, system, documents=not no_documents, delta=delta, tablespaces=spaces)
                replace_cluster(backups, which, place, confirm, own, bar, words)
            elif directory is not None:
                which = Choice(target, system, tablespaces=spaces)
                recover_cluster(backups, which, directory.absolute(), bar, words, documents=documents)


def _add_documents(group: typer.Typer, opened: Opened, words: Words) -> None:
    @group.command("documents", help=words.restore_documents)
    def documents(
        directory: Annotated[Path, typer.Argument(help=words.documents_directory)],
        backup: Annotated[str, typer.Option("--backup", help=words.id)] = "latest",
        dry_run: Annotated[bool, typer.Option("--dry-run", help=words.restore_dry_run)] = False,
    ) -> None:
        with opened(False) as backups, Bar(words) as bar:
            plan = backups.plan_database(backup, kind=None)
            _print(_plan(plan, words), words.plan_new.format(name=directory))
            if not _only_shown(dry_run, words):
                _print(documents_text(backups.restore_documents(directory, plan.backup, bar), words))


def _add_before(group: typer.Typer, opened: Opened, words: Words, own: Own) -> None:
    @group.command(_BEFORE, hidden=True)
    def before(
        backup: Annotated[str, typer.Argument(help=words.id)] = "latest",
        into: Annotated[str | None, typer.Option("--into", help=words.into)] = None,
        in_place: Annotated[bool, typer.Option("--in-place", help=words.in_place)] = False,
        yes: Annotated[bool, typer.Option("--yes", help=words.yes)] = False,
        to: Annotated[str | None, typer.Option("--to", help=words.to)] = None,
        timeline: Annotated[int | None, typer.Option("--timeline", min=1, help=words.timeline)] = None,
        cluster: Annotated[str | None, typer.Option("--cluster", help=words.cluster)] = None,
        directory: Annotated[Path | None, typer.Option("--directory", help=words.directory)] = None,
        data_dir: Annotated[Path | None, typer.Option("--data-dir", help=words.data_dir)] = None,
        documents: Annotated[Path | None, typer.Option("--documents", help=words.documents_into)] = None,
        no_documents: Annotated[bool, typer.Option("--no-documents", help=words.no_documents)] = False,
    ) -> None:
        replaces = in_place or data_dir is not None
        if (documents is not None and replaces) or (no_documents and not replaces):
            raise typer.BadParameter(words.documents_or_not)
        if to is not None:
            server = own.server() if in_place else None
            place = data_dir or server
            if (
                (directory is None) == (place is None)
                or (data_dir is not None and in_place)
                or into is not None
                or in_place != (server is not None)
            ):
                raise typer.BadParameter(words.one_of_directories)
            typer.echo(words.now_say.format(command="restore cluster"), err=True)
            target = moment(to, timeline, words)
            with opened(False) as backups, Bar(words) as bar:
                if place is not None:
                    confirm = partial(_confirmed, yes, words.type_directory, bar)
                    which = Choice(target, cluster, documents=not no_documents)
                    replace_cluster(backups, which, place, confirm, own, bar, words)
                elif directory is not None:
                    which = Choice(target, cluster)
                    recover_cluster(backups, which, directory.absolute(), bar, words, documents=documents)
            return
        if documents is not None and into is None:
            typer.echo(words.now_say.format(command="restore documents"), err=True)
            with opened(False) as backups, Bar(words) as bar:
                _print(documents_text(backups.restore_documents(documents, backup, bar), words))
            return
        if (into is None) == (not in_place):
            raise typer.BadParameter(words.one_of)
        typer.echo(words.now_say.format(command="restore database"), err=True)
        with own.restoring() if own.restoring else opened(True) as backups, Bar(words) as bar:
            done = _restored(backups, backup, into, documents, bar, words, own, yes=yes, keep_documents=no_documents)
        _report(done, words)


def _restored(
    backups: "Backups",
    backup: str,
    name: str | None,
    documents: Path | None,
    bar: Bar,
    words: Words,
    own: Own,
    *,
    yes: bool,
    keep_documents: bool,
) -> "Restored":
    """As the new database `name`, or in the place of the present one (None)."""
    if name is not None:
        return backups.restore_into(name, backup, bar, documents=documents)
    confirm = partial(_confirmed, yes, words.type_name, bar)
    return backups.restore_in_place(confirm, backup, bar, documents=not keep_documents, quiet=own.quiet())


def _plan(plan: "RestorePlan", words: Words) -> Iterator[str]:
    """What is restored, how long that takes, and what is lost; what is overwritten is said by the caller."""
    yield words.plan.format(
        id=plan.backup,
        kind=plan.kind,
        began=plan.began.astimezone(UTC).isoformat(" ", "seconds"),
        size=size_text(plan.size),
        documents=plan.documents,
    )
    yield words.plan_unknown if plan.seconds is None else words.plan_seconds.format(seconds=plan.seconds)
    yield words.plan_lost_after if plan.lost is None else words.plan_lost.format(age=age_text(plan.lost))
    if plan.passed_over:
        yield words.plan_passed_over.format(ids=", ".join(plan.passed_over))


def _check_documents(documents: Path | None, no_documents: bool, words: Words, *, replaces: bool) -> None:
    if (documents is not None and replaces) or (no_documents and not replaces):
        raise typer.BadParameter(words.documents_with)


def _only_shown(dry_run: bool, words: Words) -> bool:
    if dry_run:
        typer.echo(words.only_shown)
    return dry_run


def _confirmed(yes: bool, question: str, bar: Bar, name: str) -> bool:
    if yes or not sys.stdin.isatty():
        return yes
    bar.pause()
    return bool(typer.prompt(question.format(name=name), err=True) == name)


def _report(done: "Restored", words: Words) -> None:
    typer.echo(words.restored.format(id=done.backup, database=done.database, seconds=done.seconds, rows=done.rows))
    if done.kept is not None:
        typer.echo(words.kept.format(kept=done.kept))
    _print(documents_text(done.documents, words))
    if done.left_out is not None:
        _print(_left_out(done.left_out, words))


def _left_out(left: "LeftOut", words: Words) -> Iterator[str]:
    """What has to be set by hand, as a plain backup holds no secrets."""
    if left.passwords:
        yield words.left_out_passwords.format(roles=", ".join(left.passwords))
    if left.settings:
        named = (f"{name} ({role})" if role else name for role, name in left.settings)
        yield words.left_out_settings.format(names=", ".join(named))


def _print(lines: Iterator[str] | Sequence[str], *more: str) -> None:
    for line in (*lines, *more):
        typer.echo(line)
