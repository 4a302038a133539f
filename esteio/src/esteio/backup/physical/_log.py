"""The log that follows a base, brought to where the server replays it.

Promises: several segments on their way at once, in bounded memory; a segment that is completed, shipped or both while
it is read is found where it went; one that has not its full size is `BackupDamaged`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from esteio.backup._errors import BackupDamaged
from esteio.backup._progress import Progress
from esteio.backup.packing import Decryption, PackUnreadable, unpack
from esteio.backup.physical._inventory import Wal
from esteio.backup.physical._shipping import FOLDER, KEYS, PARTIAL, fill_up
from esteio.backup.store import Stores

__all__ = ["Key", "log_key", "place_log"]

Key = Callable[[bytes | None], Decryption | None]
"""Makes what opens encrypted files from their key file, None when they have none."""

_AT_ONCE = 4


def place_log(log: Sequence[Wal], directory: Path, stores: Stores, key: Key, progress: Progress) -> None:
    """Bring the segments `log` into `directory`.

    BackupDamaged, and whatever the stores and the packing raise.
    """
    if not log:
        return
    opened = cache(partial(log_key, stores, key))
    if any(wal.path is None and wal.key is not None and wal.key.endswith(".age") for wal in log):
        opened()  # once, and not in each thread: a passphrase takes a second
    with ThreadPoolExecutor(_AT_ONCE, "esteio log") as pool:
        placing = [pool.submit(_place, wal, directory / wal.segment.name, stores, opened) for wal in log]
        try:
            for number, placed in enumerate(as_completed(placing)):
                placed.result()
                progress("log", number + 1, len(log), "segments")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _place(wal: Wal, target: Path, stores: Stores, opened: Callable[[], Decryption | None]) -> None:
    if wal.path is None or not _copied(wal.path, target):
        key = wal.key or _shipped(wal, stores)
        try:
            with stores.get(key) as source, target.open("wb") as sink:
                unpack(source, sink, opened() if key.endswith(".age") else None)
        except PackUnreadable as error:
            raise BackupDamaged("the log", key.rpartition("/")[2], error.reason) from error
    if wal.partial:
        fill_up(target, wal.segment.size)
    if target.stat().st_size not in {wal.segment.size, 0 if wal.partial else wal.segment.size}:
        raise BackupDamaged("the log", wal.segment.name, f"{target.stat().st_size} bytes, not {wal.segment.size}")


def _copied(path: Path, target: Path) -> bool:
    """Whether a received file was still there; meanwhile it may have been completed, then shipped."""
    for each in (path, path.with_name(path.name.removesuffix(PARTIAL))):
        with suppress(FileNotFoundError):
            shutil.copyfile(each, target)
            return True
    return False


def _shipped(wal: Wal, stores: Stores) -> str:
    name = wal.segment.name
    for key in stores.list(f"{FOLDER}/{name[:8]}"):
        if key.rpartition("/")[2].startswith(f"{name}.zst"):
            return key
    raise BackupDamaged("the log", name, "it is missing")


def log_key(stores: Stores, key: Key) -> Decryption | None:
    """What opens the log: `key` alone, or with the key files that lie beside the log."""
    found = []
    for name in stores.list(f"{FOLDER}/{KEYS}"):
        with stores.get(name) as source:
            found.append(key(source.read()))
    if not found:
        return key(None)
    return Decryption(tuple(identity for each in found if each for identity in each.identities))
