"""`sispat backup ...`: Esteio's commands, in the words of SISPAT, for our own database.

Promises: the embedded server is started only by the commands that need the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from esteio.cli import Own, backup_commands
from sispat.cli._backup_words import COMMAND_WORDS
from sispat.cli._backups import open_backups
from sispat.cli._maintenance import closed_for_restore
from sispat.cli._notices import backup_notices
from sispat.settings import Settings, load_settings

if TYPE_CHECKING:
    from esteio.backup import Backups
    from esteio.postgres import Dsn
    from esteio.postgres.embedded import Embedded

__all__ = ["app"]


@contextmanager
def _opened(with_database: bool) -> Iterator[Backups]:
    from sispat.cli._database import terminable

    settings = load_settings()
    with terminable(), _database(settings, with_database) as dsn:
        yield open_backups(settings, dsn)


@contextmanager
def _restoring() -> Iterator[Backups]:
    """A dump is restored into a running server: where the database vanished, into an empty one made for it."""
    from sispat.cli._database import terminable

    settings = load_settings()
    with terminable(), _database(settings, True, create=True) as dsn:
        yield open_backups(settings, dsn)


@contextmanager
def _database(settings: Settings, needed: bool, *, create: bool = False) -> Iterator[Dsn]:
    from esteio.postgres import Dsn
    from sispat.cli._database import database_in_use

    if not needed:
        yield settings.database_url or Dsn()
        return
    with database_in_use(settings, create=create) as dsn:
        yield dsn


def _server() -> Embedded | None:
    """Our own server, whether it runs or not."""
    from sispat.cli._database import own_server

    settings = load_settings()
    return own_server(settings) if settings.database_url is None else None


app = backup_commands(
    _opened,
    COMMAND_WORDS,
    lambda: load_settings().timezone,
    backup_notices,
    own=Own(quiet=closed_for_restore, server=_server, restoring=_restoring),
)
