"""Where this installation keeps documents, and whether that place answers.

Promises: what speaks to object stores is loaded where SISPAT_DOCUMENTS_STORE names one, and nowhere else.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from esteio.health import BlockingProbe, Check
from sispat.kernel.files import FileStore, FolderStore
from sispat.settings import Settings

if TYPE_CHECKING:
    from esteio.backup.store import Ranged

__all__ = ["STORE_CHECK", "document_store", "shared_documents", "store_checks"]

STORE_CHECK = "documents:responseTime"
_NOBODY = "saude"  # a folder in which nothing lies: the answer is that of the bucket


def shared_documents(settings: Settings) -> Ranged | None:
    """The object store of the settings; None where documents lie in a folder."""
    if settings.documents_store is None:
        return None
    from sispat.kernel.files.objects import open_documents

    return open_documents(settings.documents_store)


def document_store(settings: Settings) -> FileStore:
    """The contents, in a folder or in the object store of the settings."""
    shared = shared_documents(settings)
    if shared is None:
        return FolderStore(settings.documents)
    from sispat.kernel.files.objects import ObjectFileStore

    return ObjectFileStore(settings.documents, shared)


def store_checks(settings: Settings) -> list[Check]:
    """Whether the object store answers, and lets us in; none where documents lie in a folder, which is on a disk of ours."""
    shared = shared_documents(settings)
    if shared is None:
        return []

    def ask() -> float:
        began = time.perf_counter()
        shared.list(_NOBODY)  # a head of nothing says 404 of a bucket that is not there, too
        return (time.perf_counter() - began) * 1000

    # Without it records are read and written all the same: not essential.
    return [
        Check(STORE_CHECK, BlockingProbe(ask, "documents"), timeout=5.0, cache=15.0, warn_above=2000.0, essential=False)
    ]
