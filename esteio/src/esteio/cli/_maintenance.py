"""`esteio maintenance on|off|state`: the switch in the file that MAINTENANCE_FILE names.

Promises: what is turned on stays until it is turned off. `restore --replace` holds the same switch while it is at work.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from esteio.maintenance import Maintenance, Notice

__all__ = ["app", "closed_for_restore"]

_VARIABLE = "MAINTENANCE_FILE"

app = typer.Typer(name="maintenance", help="Close the service for a while, and open it again.", no_args_is_help=True)


@app.command("on")
def on(
    reason: Annotated[str, typer.Option("--reason", help="What people are told.")] = "",
    until: Annotated[
        str | None, typer.Option("--until", help="When it is expected back, such as 2026-03-01T15:30:00-03:00.")
    ] = None,
) -> None:
    """Close the service until `off`."""
    typer.echo(_said(_switch().turn_on(reason, _moment(until))))


@app.command("off")
def off() -> None:
    """Open the service again."""
    was_on = _switch().turn_off()
    typer.echo("The service is open." if was_on else "The service was open already.")


@app.command("state")
def state() -> None:
    """Whether the service is closed, by whom, since when and why."""
    notice = _switch().look()
    typer.echo(_said(notice) if notice else "The service is open.")


def closed_for_restore() -> AbstractContextManager[object] | None:
    """Closes the service around a restore, where MAINTENANCE_FILE is set."""
    path = os.environ.get(_VARIABLE)
    return Maintenance(Path(path).absolute()).held("a backup is being restored") if path else None


def _switch() -> Maintenance:
    path = os.environ.get(_VARIABLE)
    if not path:
        raise typer.BadParameter(f"{_VARIABLE} is not set; set it to the file that the service asks for")
    return Maintenance(Path(path).absolute())


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter("--until wants a moment with its timezone, such as 2026-03-01T15:30:00-03:00")
    return moment


def _said(notice: Notice) -> str:
    who = f"process {notice.pid} of {notice.who}" if notice.pid else notice.who
    until = f", expected back at {notice.until.isoformat(' ', 'minutes')}" if notice.until else ""
    why = f": {notice.reason}" if notice.reason else ""
    return f"The service is closed since {notice.since.isoformat(' ', 'minutes')} by {who}{until}{why}."
