"""Brings the contents of a folder into an object store.

Promises: what was brought is read back from the store and compared with its sha256 before anything leaves the folder;
a file that is not what its name says stays, and is told. Killed at any moment nothing is lost, and the next time goes on:
what is in the store already is read and compared, not sent. The service may work meanwhile, with the folder or the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from esteio.backup.store import Ranged
from sispat.kernel.files._folder import FolderStore
from sispat.kernel.files._store import FOLDERS, key_of

__all__ = ["Moved", "move"]

_AT_A_TIME = 8
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Moved:
    """How many contents were sent, of how many bytes; how many were there; and those that are not what their name says."""

    sent: int = 0
    size: int = 0
    there: int = 0
    damaged: tuple[str, ...] = ()
    """The path in the folder, or the name in the store."""


def move(
    folder: FolderStore, store: Ranged, *, keep: bool, progress: Callable[[int, int], object] = lambda _done, _of: None
) -> Moved:
    """Bring every content of `folder`; with `keep` it stays there too. Raises StoreError when the store fails."""
    sent = size = there = 0
    damaged: list[str] = []
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for number in range(FOLDERS):
            progress(number, FOLDERS)
            # Only what is younger than now is left out, which is nothing; a picture alone is what a kill left of a move.
            contents = sorted(folder.old_contents(number, -3600.0))
            for content, done in zip(
                contents, pool.map(lambda each: _brought(folder, store, each), contents), strict=True
            ):
                if isinstance(done, str):
                    damaged.append(done)
                    continue
                sent, size, there = sent + (done > 0), size + done, there + (done == 0)
                if not keep:
                    # The content last: while it is there, the next time finds what is left.
                    for path in (folder.small(content), folder.path(content)):
                        path.unlink(missing_ok=True)
    progress(FOLDERS, FOLDERS)
    return Moved(sent, size, there, tuple(damaged))


def _brought(folder: FolderStore, store: Ranged, content: bytes) -> int | str:
    """The bytes that were sent, 0 where it was there; else what of it is not what its name says."""
    path, key = folder.path(content), key_of(content)
    if not path.exists():
        return 0 if _is(store, key, content) else str(folder.small(content))
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").digest() != content:
            return str(path)
    small, small_key, size = folder.small(content), key_of(content, small=True), path.stat().st_size
    if small.exists() and ((found := store.head(small_key)) is None or found.size != small.stat().st_size):
        store.put(small_key, small)
    if _is(store, key, content):
        return 0
    store.put(key, path)
    return size if _is(store, key, content) else f"{store.name}/{key}"


def _is(store: Ranged, key: str, content: bytes) -> bool:
    """Whether the store has exactly this content."""
    if store.head(key) is None:
        return False
    digest = hashlib.sha256()
    with store.get(key) as source:
        while data := source.read(_CHUNK):
            digest.update(data)
    return digest.digest() == content
