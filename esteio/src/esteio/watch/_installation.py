"""What `esteio watch install` puts on the watcher's machine, every file with its owner and mode. Pure.

Promises: the file that says what is watched and the one of its variables are a person's from the first time on, and only root
and the watcher's account read them. The unit may write to the watcher's own directory and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from esteio.install import Directory, File, Item
from esteio.watch._example import example_file, new_secret, program, systemd_unit

__all__ = ["ACCOUNT", "CONFIG", "DATA", "RECORD", "UNIT", "VARIABLES", "account_file", "items", "program"]

ACCOUNT = "esteio-watch"
CONFIG = Path("/etc/esteio-watch/watch.toml")
VARIABLES = Path("/etc/esteio-watch/watch.env")
DATA = Path("/var/lib/esteio-watch")
RECORD = Path("/etc/esteio-watch/installed.json")
UNIT = Path("/etc/systemd/system/esteio-watch.service")
_VARIABLES = """\
# NAME='value', one a line: what stands as ${NAME} in watch.toml, such as passwords and addresses that are secret.
#WEBHOOK_URL=''
"""
# Whoever types it gets the watcher's file, variables and account; a file that root made would lock the watcher out.
_COMMAND = f"""#!/bin/sh
set -eu
case "${{1:-}}" in install | uninstall) exec PROGRAM watch "$@" ;; esac
if [ "$(id -un)" != {ACCOUNT} ] && [ "$(id -u)" != 0 ]; then
    echo "esteio-watch: run it as root or as the account {ACCOUNT}, which may read {VARIABLES}" >&2
    exit 1
fi
set -a
. {VARIABLES}
ESTEIO_WATCH_CONFIG={CONFIG}
set +a
cd /
[ "$(id -u)" != 0 ] || exec runuser -u {ACCOUNT} -- PROGRAM watch "$@"
exec PROGRAM watch "$@"
"""


def account_file() -> File:
    """What systemd-sysusers makes the account from; before everything that belongs to it."""
    comment = "# The account of the watcher: it signs in nowhere, and owns what the watcher remembers.\n"
    return File(
        Path("/etc/sysusers.d/esteio-watch.conf"),
        f'{comment}u {ACCOUNT} - "Esteio watcher" {DATA} /usr/sbin/nologin\n',
    )


def items(made: Callable[[], str] = new_secret) -> tuple[Item, ...]:
    """Everything else, in the order in which it is made; secrets are `made` for a file that is not there yet."""
    return (
        Directory(CONFIG.parent, group=ACCOUNT, mode=0o750),
        Directory(DATA, owner=ACCOUNT, group=ACCOUNT, mode=0o750, kept=True),
        File(CONFIG, example_file(DATA, made=made), group=ACCOUNT, mode=0o640, first=True),
        File(VARIABLES, _VARIABLES, group=ACCOUNT, mode=0o640, first=True),
        File(Path("/usr/local/bin/esteio-watch"), _COMMAND.replace("PROGRAM", " ".join(program())), mode=0o755),
        File(UNIT, systemd_unit(CONFIG, VARIABLES)),
    )
