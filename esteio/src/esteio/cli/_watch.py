"""`esteio watch run|check|init|status|install`: a watcher on another machine.

Promises: everything stands in one file; `check` says all that is wrong in it and tells nobody. `run` ends in order by Ctrl-C
and SIGTERM; a second one for the same directory is refused. What is shown of addresses has no secrets.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
import os
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from esteio.cli._watch_install import install, uninstall

if TYPE_CHECKING:
    from esteio.alert.monitor import Alerts
    from esteio.health.series import Interval
    from esteio.watch import Config

__all__ = ["app"]

_DAY = 86_400.0
_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
_COLOURS = {"up": "green", "degraded": "yellow", "down": "red", "maintenance": "blue", "unknown": "cyan"}
_File = Annotated[
    Path, typer.Option("--config", "-c", envvar="ESTEIO_WATCH_CONFIG", help="The file that says what is watched.")
]
_CONFIG = Path("esteio-watch.toml")

app = typer.Typer(name="watch", help="Watch services from another machine.", no_args_is_help=True)
app.command("install")(install)
app.command("uninstall")(uninstall)


@app.command("run")
def run(
    config: _File = _CONFIG,
    once: Annotated[
        bool, typer.Option("--once", help="Look once, until each state is confirmed; remember and tell nothing.")
    ] = False,
) -> None:
    """Watch until told to end. With --once the exit code is 1 when something is down or unknown."""
    from esteio.cli._keep import keep
    from esteio.watch import Watcher, locked, services

    found = _read(config)
    if once:
        raise typer.Exit(_once(found))
    logging.basicConfig(level=logging.INFO, format=_FORMAT)
    with locked(found):
        code = keep(*services(found, Watcher(found)))
    raise typer.Exit(code)


@app.command("check")
def check(config: _File = _CONFIG) -> None:
    """Read the file and say what is wrong in it; nothing is looked at and nobody is told."""
    from esteio.watch import channels_of
    from esteio.watch._probes import check_of

    found = _read(config)
    for probe in found.probes:
        check_of(probe)  # its driver may be missing
    channels = channels_of(found).channels
    counts = (
        (len(found.probes), "probes"), (len(found.heartbeats), "heartbeats"), (len(found.peers), "other watchers"),
        (len(channels), "channels"),
    )  # fmt: skip
    typer.echo(f"{config} is well: {', '.join(f'{count} {what}' for count, what in counts)}.")
    if not channels:
        typer.echo("Nobody is told: [notify] urls is empty, only the log and the page say what is down.")


@app.command("init")
def init(
    config: _File = _CONFIG,
    unit: Annotated[bool, typer.Option("--unit", help="Print a unit of systemd for this file instead.")] = False,
) -> None:
    """Write a file to begin with, with a secret and a key of its own; one that is there is left alone."""
    from esteio.watch._example import example_file, systemd_unit

    if unit:
        typer.echo(systemd_unit(config.absolute()), nl=False)
        return
    try:
        handle = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it holds secrets
    except FileExistsError:
        typer.echo(f"Error: {config} is there already; name another one with --config, or edit it", err=True)
        raise typer.Exit(1) from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(example_file())
    typer.echo(f"{config} is written. Edit it, then: esteio watch check --config {config}")


@app.command("status")
def status(
    config: _File = _CONFIG, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """How all stands, from what the watcher wrote down; exit code 1 when something is down, or nobody watches."""
    from esteio.health import HistoryReader
    from esteio.watch import all_subjects

    found, now = _read(config), time.time()
    history = HistoryReader(found.directory / "history.sqlite")
    newest, intervals = history.newest(), history.intervals(now - 90 * _DAY, now)
    watched = newest is not None and now - newest <= 60.0
    rows = [(each.name, intervals.get(each.name, [])) for each in all_subjects(found)]
    if as_json:
        _as_json(rows, newest, watched=watched)
    else:
        if not watched:
            since = "it never did" if newest is None else f"last at {_moment(newest, found)}"
            typer.secho(f"Nobody watches here now: {since}. What follows is the last that is known.", fg="red")
        for name, lasting in rows:
            _show(name, lasting, found)
    down = any(lasting and lasting[-1].state.value == "down" for _, lasting in rows)
    raise typer.Exit(1 if down or not watched else 0)


@app.command("acknowledge")
def acknowledge(
    name: Annotated[str, typer.Argument(help="Of the alert, as notices have it.")], config: _File = _CONFIG
) -> None:
    """Say that somebody looks after it: it is repeated and escalated no more."""
    try:
        _alerts(config).acknowledge(name, getpass.getuser())
    except KeyError:
        raise typer.BadParameter(f"{name} is no alert that fires; `esteio watch status` shows what is down") from None
    typer.echo(f"{name}: you look after it.")


@app.command("silence")
def silence(
    pattern: Annotated[str, typer.Argument(help="A name, or a pattern as of a shell, such as 'db-*'.")],
    config: _File = _CONFIG,
    minutes: Annotated[int, typer.Option("--minutes", min=1, max=10_080, help="For how long.")] = 60,
    why: Annotated[str, typer.Option("--why", help="For people.")] = "",
) -> None:
    """Tell nobody that something opened; what recovers is told."""
    from esteio.alert.rules import Silence

    until = time.time() + 60 * minutes
    _alerts(config).silence(Silence(pattern, until, getpass.getuser(), why))
    typer.echo(f"{pattern}: nobody is told until {_moment(until, _read(config))}.")


def _alerts(config: Path) -> Alerts:
    from esteio.alert.monitor import Alerts

    return Alerts(_read(config).directory / "alerts.sqlite")


def _read(path: Path) -> Config:
    from esteio.watch import load

    return load(path, os.environ)


def _once(config: Config) -> int:
    from esteio.health.series import State
    from esteio.watch import look_once

    sight = asyncio.run(look_once(config))
    if sight.isolated:
        typer.secho("This watcher is isolated: what it cannot reach is unknown.", fg="cyan")
    for name, seen in sight.seen.items():
        observed = "" if seen.observed is None else f"{seen.observed:.0f} {seen.unit}"
        _line(name, seen.shown.value, observed, seen.reason)
    good = (State.UP, State.DEGRADED, State.MAINTENANCE)
    return int(any(seen.shown not in good for seen in sight.seen.values()))


def _show(name: str, lasting: list[Interval], config: Config) -> None:
    if not lasting:
        _line(name, "unknown", "", "it was never seen")
        return
    last = lasting[-1]
    good = next((each for each in reversed(lasting) if each.state.value in ("up", "degraded")), None)
    reason = last.reason
    if good is not None and good is not last:
        reason += f"{'; ' if reason else ''}last seen working {_moment(good.until, config)}"
    _line(name, last.state.value, f"since {_moment(last.since, config)}", reason)


def _line(name: str, state: str, detail: str, reason: str) -> None:
    shown = typer.style(f"{state:<12}", fg=_COLOURS[state])
    typer.echo(f"{shown} {name:<24} {detail}{f'  {reason}' if reason else ''}".rstrip())


def _as_json(rows: list[tuple[str, list[Interval]]], newest: float | None, *, watched: bool) -> None:
    states = {
        name: {"state": lasting[-1].state.value, "since": lasting[-1].since, "reason": lasting[-1].reason}
        for name, lasting in rows
        if lasting
    }
    typer.echo(json.dumps({"watched": watched, "newest": newest, "states": states}, ensure_ascii=False, indent=2))


def _moment(at: float, config: Config) -> str:
    return datetime.fromtimestamp(at, ZoneInfo(config.watch.timezone)).strftime("%Y-%m-%d %H:%M:%S")
