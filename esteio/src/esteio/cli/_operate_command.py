"""`backup agent`: all of it in one container or unit, for a service that has no operator of its own."""

# Annotations are evaluated here at once: typer reads them, and they name the words of the caller.
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from esteio.cli._keep import kept
from esteio.cli._notify import Notified, nobody
from esteio.cli._operate import Operation, operating
from esteio.cli._schedule import run_command, scheduled, show
from esteio.cli._words import Words

if TYPE_CHECKING:
    from esteio.backup import Backups

__all__ = ["add_operate"]


def add_operate(
    app: typer.Typer,
    opened: Callable[[bool], AbstractContextManager["Backups"]],
    words: Words,
    zone: Callable[[], str] = lambda: "UTC",
    notified: Notified = nobody,
) -> None:
    """Add the command to those of `backup_commands`."""

    @app.command("agent", help=words.operate)
    def agent(
        base: Annotated[str, typer.Option("--base", help=words.base_cron)] = "0 2 * * *",
        incremental: Annotated[str, typer.Option("--incremental", help=words.incremental_cron)] = "",
        dump: Annotated[str, typer.Option("--dump", help=words.dump_cron)] = "0 */6 * * *",
        timezone: Annotated[str | None, typer.Option("--timezone", help=words.timezone)] = None,
        archive: Annotated[bool, typer.Option("--archive/--no-archive", help=words.with_archive)] = True,
    ) -> None:
        tasks = scheduled(base, dump, timezone or zone(), incremental)
        show(tasks, words)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
        plan = Operation(tasks, run_command, archive=archive)
        with opened(True) as backups, operating(backups, plan, notified(), words.problem) as runner:
            code = kept(runner)
        raise typer.Exit(code)

    @app.command("operate", hidden=True)
    def operate(
        base: Annotated[str, typer.Option("--base")] = "0 2 * * *",
        dump: Annotated[str, typer.Option("--dump")] = "0 */6 * * *",
        timezone: Annotated[str | None, typer.Option("--timezone")] = None,
        archive: Annotated[bool, typer.Option("--archive/--no-archive")] = True,
    ) -> None:
        typer.echo(words.now_say.format(command="agent"), err=True)
        agent(base, "", dump, timezone, archive)
