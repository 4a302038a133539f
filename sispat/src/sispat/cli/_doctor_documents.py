"""The doctor's look at the object store of the documents: a small object is written, read, listed and removed.

Promises: it is written beside the documents, under a name that is none of theirs. What went wrong is said with the action, and
no secret is in it. A store that is silent is given up within the time of an examination.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sispat.settings import Settings

if TYPE_CHECKING:
    from esteio.doctor import Examination, Finding

__all__ = ["documents_store"]

_FOLDER = "saude"  # where the health check looks, too
_TIMEOUT = 1.5  # seconds of one request: with what obstore repeats by itself, less than an examination has


def documents_store(settings: Settings) -> Iterator[Examination]:
    """One where SISPAT_DOCUMENTS_STORE names a store, else none."""
    if settings.documents_store is None:
        return
    from esteio.doctor import Examination

    url = settings.documents_store
    yield Examination("documents:store", lambda: _round_trip(url))


def _round_trip(url: str) -> Iterator[Finding]:
    from esteio.backup.store import StoreDenied, StoreError, open_store
    from sispat.cli._doctor_words import SispatFinding

    store, key, content = (
        open_store(url, timeout=_TIMEOUT, attempts=1),
        f"{_FOLDER}/{secrets.token_hex(8)}",
        secrets.token_bytes(64),
    )
    began, action, same = time.monotonic(), "write", False
    try:
        store.put(key, content)
        action = "read"
        with store.get(key) as source:
            same = source.read() == content
        action = "list"
        same = same and key in {each.key for each in store.list(_FOLDER)}
        action = "remove"
        store.delete(key)
    except StoreError as error:
        denied = isinstance(error, StoreDenied)
        code = SispatFinding.DOCUMENTS_STORE_DENIED if denied else SispatFinding.DOCUMENTS_STORE_FAILS
        yield code.found(store=store.name, action=action, reason=error.reason)
        return
    code = SispatFinding.DOCUMENTS_STORE_SOUND if same else SispatFinding.DOCUMENTS_STORE_ALTERS
    yield code.found(store=store.name, **({"seconds": time.monotonic() - began} if same else {}))
