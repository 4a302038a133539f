"""Where the small files of a set of backups lie: its lock, what its services remember.

Promises: in the first directory among the stores, so that all who share it share them; where no store is a directory, or
it has no marker (a disk that is not mounted), in the temporary one, under a name of their own for each set of stores.
Hidden, so that no backup is taken for them.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from esteio.backup._marker import is_marked
from esteio.backup.store import Stores

__all__ = ["Places"]


class Places:
    """Of the backups in `stores`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @property
    def root(self) -> Path | None:
        """The first directory among the stores."""
        roots = (getattr(store, "root", None) for store in self._stores.stores)
        return next((root for root in roots if isinstance(root, Path)), None)

    @property
    def directory(self) -> Path:
        """The same, or the temporary directory."""
        return self._usable() or Path(tempfile.gettempdir())

    def file(self, name: str) -> Path:
        """The file for `name`."""
        if (root := self._usable()) is not None:
            return root / f".{name}"
        digest = hashlib.sha256("\n".join(store.name for store in self._stores.stores).encode()).hexdigest()[:16]
        return self.directory / f"esteio-backup-{digest}.{name}"

    def _usable(self) -> Path | None:
        return self.root if self.root is not None and is_marked(self.root) else None
