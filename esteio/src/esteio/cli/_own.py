"""What a program knows about itself that a restore in its place needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esteio.backup import Backups
    from esteio.postgres.embedded import Embedded

__all__ = ["Own"]


@dataclass(frozen=True, slots=True)
class Own:
    """`quiet` closes the service around what is restored in place (None: it can't be closed).

    `server` is its own embedded server, which `restore cluster --replace` replaces while it runs; None where the
    server is somebody else's. `restoring` opens the backups for the restore of a dump, with a running server, which may be
    an empty one made for it; None: as for every command.
    """

    quiet: Callable[[], AbstractContextManager[object] | None] = lambda: None
    server: Callable[[], Embedded | None] = lambda: None
    restoring: Callable[[], AbstractContextManager[Backups]] | None = None
