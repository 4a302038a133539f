"""`sispat jobs`: does the jobs that are due, and tells people by mail what waits for them, beside the workers.
`sispat tarefas ...` lists and cancels jobs.

`sispat serve` keeps the first running, which starts `sispat job` (`_job`) for each: its memory goes back, its crash stays
there.
Promises: both log in as the workers do. What is done and how is in `kernel.jobs`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from sispat.cli._users import as_operator
from sispat.kernel.i18n import _

if TYPE_CHECKING:
    from esteio.postgres import Database
    from esteio.serve import Program
    from sispat.avisos.sending import MailSender
    from sispat.kernel.context import Context
    from sispat.kernel.jobs.queue import Claim
    from sispat.kernel.jobs.runner import Child
    from sispat.settings import Settings

__all__ = ["app", "jobs", "jobs_service"]

_NICE = 5  # people at their screens come first

app = typer.Typer(help=_("Tarefas: o que é feito em segundo plano, como importações."), no_args_is_help=True)


def jobs() -> None:
    """Do jobs that are due until ended; `sispat serve` starts it by itself."""
    from sispat.kernel import logs
    from sispat.settings import load_settings

    settings = load_settings()
    logs.configure(settings.log_level, settings.log_format)
    asyncio.run(_look_after(settings))


async def _look_after(settings: Settings) -> None:
    import os
    import socket

    from esteio.system import die_with_parent
    from sispat.cli._job import database
    from sispat.kernel.jobs.runner import JobRunner

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def launch(taken: Claim) -> Child:
        command = [sys.executable, "-m", "sispat", "job", str(taken.id), str(taken.turn)]
        return await asyncio.create_subprocess_exec(
            *die_with_parent(command, nice=_NICE), stdin=asyncio.subprocess.DEVNULL
        )

    async with (
        database(settings, "sispat tarefas", connections=settings.jobs + 2) as db,
        asyncio.TaskGroup() as both,
    ):
        name = f"{socket.gethostname()}:{os.getpid()}"
        both.create_task(JobRunner(db, launch, name=name, at_once=settings.jobs).run(stop))
        if settings.mail_url is not None:
            both.create_task(_mails(settings, settings.mail_url.get_secret_value(), db).run(stop))


def _mails(settings: Settings, url: str, db: Database) -> MailSender:
    """Who tells people by mail what waits for them."""
    from sispat.avisos.sending import City, MailSender, Post

    return MailSender(db, City.of(settings), Post(url).send)


def jobs_service() -> Program:
    """The command as a service of the supervisor, in the environment that the workers have."""
    from esteio.serve import Program

    return Program("tarefas", [sys.executable, "-m", "sispat", "jobs"])


@app.command(
    "listar", help=_("Mostra as tarefas, a mais nova primeiro: id, tipo, situação, quem pediu, quando, quanto.")
)
def listar(
    mais: Annotated[int, typer.Option("--mais", min=1, max=200, help=_("Quantas mostrar."))] = 50,
) -> None:
    """Show the jobs, newest first: id, kind, state, who asked, when, how much is done."""
    from sispat.tarefas import actions
    from sispat.tarefas.fields import ListaDeTarefas

    async def read(ctx: Context) -> None:
        rows, _following = await actions.listar(ctx, ListaDeTarefas(limit=mais))
        for row in rows:
            much = f"{row['feito']}/{row['total']}" if row["total"] else ""
            why = (row["erro"] or {}).get("message", "")
            asked = f"{row['pedida_em']:%Y-%m-%d %H:%M}"
            typer.echo("\t".join((str(row["id"]), row["tipo"], row["estado"], row["pessoa"] or "", asked, much, why)))

    as_operator(read)


@app.command("cancelar", help=_("Cancela uma tarefa: a que espera não começa, a que está em andamento é interrompida."))
def cancelar(id_: Annotated[str, typer.Argument(metavar="ID", help=_("O id que `listar` mostra."))]) -> None:
    """Cancel a job: one that waits does not begin, one under way is interrupted."""
    from sispat.tarefas import actions

    try:
        job_id = UUID(id_)
    except ValueError:
        raise typer.BadParameter(
            _("não é um id de tarefa; use o que `sispat tarefas listar` mostra"), param_hint="ID"
        ) from None

    async def act(ctx: Context) -> None:
        row = await actions.cancelar(ctx, job_id)
        typer.echo(_("%(id)s: %(state)s.", id=row["id"], state=row["estado"]))

    as_operator(act)
