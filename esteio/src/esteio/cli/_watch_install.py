"""`esteio watch install` and `uninstall`: a watcher as a service of a Debian or Ubuntu machine, with systemd.

Promises: with --dry-run nothing is written, and every file is shown with its path, owner and mode. A second run changes
nothing and says so; what a person changed is kept. The watcher is started by the person who said what it watches.
`uninstall` keeps that and what the watcher remembers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esteio.errors import EsteioError

if TYPE_CHECKING:
    from esteio.install import Installation, Item

__all__ = ["CannotInstall", "install", "uninstall"]

_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))  # of a unit with ProtectHome
_PORT = 8090
_Root = Annotated[
    Path, typer.Option("--root", help="Install below this directory (images, tests): nothing is started.")
]


class CannotInstall(EsteioError):
    """On this machine, by this account, or from where this program lies, it cannot be installed: `reason`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def install(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show each file, with owner and mode; write none.")
    ] = False,
    root: _Root = Path("/"),
) -> None:
    """Make the watcher's account, files and unit on this machine (Debian, Ubuntu); what is there already is left alone."""
    from esteio.install import Installation, firewall_nft, run_command
    from esteio.watch._installation import CONFIG, RECORD, UNIT, account_file, items, program

    if dry_run:
        for item in (account_file(), *items(lambda: "MADE-WHEN-IT-IS-INSTALLED")):
            _show(item)
        return
    _require_root(root)
    here = root.resolve() == Path("/")
    if here and any(Path(program()[0]).is_relative_to(hidden) for hidden in _HIDDEN):
        raise CannotInstall(
            f"{program()[0]} is in a home directory, which the unit may not see; make its environment in /opt/esteio-watch"
        )
    installation = Installation(RECORD, root=root)
    account = account_file()
    changed = _apply(installation, [account])
    below = [] if here else [f"--root={root.resolve()}"]
    run_command(["systemd-sysusers", *below, str(installation.at(account.path).absolute())])
    changed |= _apply(installation, items())
    if not changed:
        typer.echo("Nothing changed.")
    if here:
        if UNIT in changed:
            run_command(["systemctl", "daemon-reload"])
        run_command(["systemctl", "enable", UNIT.name])
    typer.echo(f"Say in {CONFIG} what is watched and who is told; then: esteio-watch check, esteio-watch run --once,")
    typer.echo(f"and systemctl restart {UNIT.stem}. Its log is in journald, which bounds it: journalctl -u {UNIT.stem}")
    typer.echo("Where others shall see its page or report to it (listen), a firewall to review; nothing was applied:")
    typer.echo(firewall_nft((_PORT,)), nl=False)


def uninstall(root: _Root = Path("/")) -> None:
    """Stop the watcher and take away what `install` made; its file, its variables and what it remembers stay."""
    from esteio.install import Installation, run_command
    from esteio.watch._installation import ACCOUNT, CONFIG, DATA, RECORD, UNIT, VARIABLES, account_file, items

    _require_root(root)
    here = root.resolve() == Path("/")
    installation = Installation(RECORD, root=root)
    if here and installation.at(UNIT).exists():
        run_command(["systemctl", "disable", "--now", UNIT.name])
    for item, done in installation.remove((account_file(), *items())):
        typer.echo(f"{item.path}: {done.value}")
    if here:
        run_command(["systemctl", "daemon-reload"])
    kept = [str(path) for path in (CONFIG, VARIABLES, DATA) if installation.at(path).exists()]
    typer.echo(f"These stay: {', '.join(kept) or '-'}, and the account {ACCOUNT}, which owns them.")


def _apply(installation: Installation, items: Sequence[Item]) -> set[Path]:
    """What was changed."""
    from esteio.install import Done

    changed = set[Path]()
    for item, done in installation.apply(items):
        typer.echo(f"{item.path}: {done.value}")
        if done not in (Done.UNCHANGED, Done.KEPT):
            changed.add(item.path)
    return changed


def _show(item: Item) -> None:
    from esteio.install import File, Link

    if isinstance(item, Link):
        typer.echo(f"{item.path} -> {item.target}\n")
        return
    mark = "" if isinstance(item, File) else "/"
    typer.echo(f"{item.path}{mark}  {item.owner}:{item.group} {item.mode:04o}")
    lines = item.text.splitlines() if isinstance(item, File) else []
    typer.echo("".join(f"    {line}\n" for line in lines))


def _require_root(root: Path) -> None:
    if sys.platform != "linux":
        raise CannotInstall(
            f"it is for Debian and Ubuntu with systemd, and this is {sys.platform}; `esteio watch run` runs here too"
        )
    if root.resolve() == Path("/") and os.geteuid() != 0:
        raise CannotInstall("only root installs; --dry-run shows it, and --root installs below a directory of yours")
