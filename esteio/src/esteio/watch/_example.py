"""What a watcher begins with: a file of its configuration, and a unit of systemd."""

from __future__ import annotations

import re
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from esteio.install import ServiceUnit

__all__ = ["example_file", "new_secret", "program", "systemd_unit"]

_FILE = """# What this watcher watches. All options: docs/reference/watch.md. Times are seconds.
# ${{NAME}} in a text is the variable NAME of the environment. `esteio watch check` says what is wrong here.

[watch]
name = "{name}"
title = "Our services"
language = "en"                        # or "pt-BR"
timezone = "UTC"                       # such as "America/Sao_Paulo"
listen = "127.0.0.1:8090"              # "0.0.0.0:8090", so that jobs and other watchers reach it
directory = "{directory}"

[notify]
# Slack, Discord, mail, Telegram ... as apprise writes them: https://appriseit.com/services/
urls = []                              # such as ["${{WEBHOOK_URL}}", "mailtos://it:${{SMTP_PASSWORD}}@smtp.example.org"]

[group]
secret = "{secret}"  # the same in all watchers
# anchors = ["192.0.2.1:53"]           # your router, your provider: while one accepts a connection, this machine has a network

# [[peer]]                             # another watcher, which has this one as its peer
# name = "other"
# url = "http://192.0.2.7:8090"

[[http]]
name = "service"
title = "Our service"
url = "http://127.0.0.1:8000/health"
json = {{ status = ["pass", "warn"] }}
interval = 30
slow = 2

# [[postgres]]
# name = "database"
# url = "${{DATABASE_URL}}"
# role = "primary"

[[heartbeat]]                          # `curl -fsS http://THIS-MACHINE:8090/ping/KEY` at the end of the job
name = "backup"
key = "{key}"
schedule = "0 2 * * *"
grace = 7200

# [[maintenance]]
# probes = ["service"]
# schedule = "0 22 * * 0"
# lasts = 3600
"""


def new_secret() -> str:
    """Letters, digits, - and _."""
    return secrets.token_urlsafe(24)


def example_file(directory: Path = Path("esteio-watch"), *, made: Callable[[], str] = new_secret) -> str:
    """A file with a secret and a key that were `made` for it; a relative `directory` is next to it."""
    host = re.sub(r"[^a-z0-9._-]", "-", socket.gethostname().lower())[:60].lstrip("._-") or "watcher"
    return _FILE.format(name=host, directory=directory, secret=made(), key=made())


def program() -> list[str]:
    """How this program is called, wherever it is called from."""
    called = Path(sys.argv[0])
    return [str(called.absolute())] if called.name == "esteio" else [sys.executable, "-m", "esteio"]


def systemd_unit(config: Path, variables: Path = Path("/etc/esteio-watch.env")) -> str:
    """A unit that runs the watcher with the file `config`, kept running whatever ends it.

    It may write below the directory of that file, where the watcher keeps what it remembers unless `directory` says
    otherwise, and below /var/lib/esteio-watch; of a file in /etc below that alone.
    """
    return ServiceUnit(
        description="Esteio watcher",
        command=[*program(), "watch", "run", "--config", str(config)],
        user="esteio-watch",
        environment_file=variables,
        environment_file_optional=True,
        state_directory="esteio-watch",
        writable=[] if config.is_relative_to("/etc") else [config.parent],
        ordered_end=143,  # of `esteio watch run`, else a unit that was stopped has failed
        watchdog=30,
        stop_timeout=60,
        open_files=8192,
        reload=False,
    ).text
