"""Objects that no backup needs any more.

Promises: nothing is removed unless the names of every backup that is kept could be read, and nothing that is younger
than a day: it may belong to a backup that is being made elsewhere. No key is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from esteio.backup._folder import Folder
from esteio.backup.documents._listed import names
from esteio.backup.documents._parallel import each
from esteio.backup.documents._place import KEYS
from esteio.backup.store import StoreError, Stores

__all__ = ["remove", "unneeded"]

_YOUNG = timedelta(days=1).total_seconds()


def unneeded(folders: Sequence[Folder], stores: Stores, where: str, now: float) -> list[str]:
    """The objects below `where` that none of `folders` names; `now` is in seconds since the epoch.

    BackupDamaged or AllStoresFailed when the names of one of `folders` cannot be read.
    """
    found = stores.list(where)
    old = {
        name
        for name, holders in found.items()
        if not name.startswith(f"{where}/{KEYS}/")
        and all(now - stored.modified > _YOUNG for stored in holders.values())
    }
    for folder in folders:
        if not old:
            break
        old -= names(folder)
    return sorted(old)


def remove(objects: Sequence[str], stores: Stores) -> dict[str, StoreError]:
    """Remove objects from the stores; what still holds some, and why."""
    failed: dict[str, StoreError] = {}
    for errors in each(stores.delete, objects, lambda: None):
        failed.update(errors)
    return failed
