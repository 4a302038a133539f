"""WAL brought to where the server replays it.

Promises: several segments on their way at once, in bounded memory. A segment that is damaged or missing in one store is
read from another, and put right in the first. One that is completed, shipped or both while it is read is found where it
went. What arrives is of the cluster, the place and the size that it should be, or it is `BackupDamaged`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from esteio import events
from esteio.backup._details import DetailCode, together
from esteio.backup._errors import BackupDamaged, BackupError
from esteio.backup._progress import Progress
from esteio.backup.archive._inventory import Wal
from esteio.backup.archive._records import read_header
from esteio.backup.archive._repair import copy_object, unpack_object
from esteio.backup.archive._segments import FOLDER, KEYS, PARTIAL, WalObject
from esteio.backup.archive._spool import WalMended, fill_up, times_of
from esteio.backup.packing import Decryption, Encryption, Packing, PackingError, PackUnreadable, WrongKey
from esteio.backup.store import AllStoresFailed, ObjectMissing, Store, StoreError, Stores

__all__ = ["Key", "dated", "log_key", "packing_with_known_key", "place_log"]

Key = Callable[[bytes | None], Decryption | None]
"""Makes what opens encrypted files from their key file, None when they have none."""

_AT_ONCE = 4


def place_log(
    log: Sequence[Wal], directory: Path, stores: Stores, key: Key, progress: Progress, *, system: str
) -> None:
    """Bring the segments `log` of the cluster `system` into `directory`.

    BackupDamaged, WrongKey, and AllStoresFailed when no store answers.
    """
    if not log:
        return
    opened = cache(partial(log_key, stores, key))
    if any(wal.path is None and wal.key is not None and wal.key.endswith(".age") for wal in log):
        opened()  # once, and not in each thread: a passphrase takes a second
    placing = _Placing(stores, opened, system)
    with ThreadPoolExecutor(_AT_ONCE, "esteio wal") as pool:
        tasks = [pool.submit(placing.place, wal, directory / wal.segment.name) for wal in log]
        try:
            for number, task in enumerate(as_completed(tasks)):
                task.result()
                progress("log", number + 1, len(log), "segments")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Placing:
    def __init__(self, stores: Stores, opened: Callable[[], Decryption | None], system: str) -> None:
        self._stores = stores
        self._opened = opened
        self._system = system

    def place(self, wal: Wal, target: Path) -> None:
        if wal.path is None or not _copied(wal.path, target) or self._wrong(wal, target):
            self._from_stores(wal, target)
        elif wal.partial:
            fill_up(target, wal.segment.size)

    def _from_stores(self, wal: Wal, target: Path) -> None:
        failed: list[tuple[Store, str, str]] = []
        missing = DetailCode.FILE_MISSING()
        away: dict[str, StoreError] = {}
        for store, key in self._local(wal):
            try:
                reason = self._unpacked(store, key, wal, target)
            except ObjectMissing:
                reason = missing
            except StoreError as error:
                away[store.name] = error
                continue
            if not reason:
                self._mend(failed, store, key)
                return
            failed.append((store, key, reason))
        damaged = [reason for _, _, reason in failed if reason != missing]
        if away and not damaged:
            raise AllStoresFailed(wal.key or wal.segment.name, away)
        raise BackupDamaged("the log", wal.segment.name, together(damaged) or missing)

    def _unpacked(self, store: Store, key: str, wal: Wal, target: Path) -> str:
        """Why it is not as it should be; empty when it is."""
        try:
            with store.get(key) as source, target.open("wb") as sink:
                unpack_object(source, key, sink, self._opened)
        except PackUnreadable as error:
            return error.reason
        named = WalObject.parse(key)
        if named is not None and named.partial:
            fill_up(target, wal.segment.size)
        return self._wrong(wal, target)

    def _local(self, wal: Wal) -> Iterator[tuple[Store, str]]:
        """Where it may be: under the name that was listed; shipped meanwhile, or packed otherwise, under another."""
        if wal.key is not None:
            yield from ((store, wal.key) for store in self._stores.stores)
        for store in self._stores.stores:
            with suppress(StoreError):
                named = (WalObject.parse(stored.key) for stored in store.list(FOLDER))
                fitting = [each for each in named if each is not None and each.file == wal.segment.name]
                fitting = [each for each in fitting if each.key != wal.key and each.system in (None, self._system)]
                for each in sorted(fitting, key=lambda each: (each.partial, each.system is None)):
                    yield store, each.key

    def _wrong(self, wal: Wal, target: Path) -> str:
        """What is wrong with a segment that was brought; empty when nothing is."""
        size = target.stat().st_size
        if size != wal.segment.size and not (wal.partial and size == 0):
            return f"{size} bytes, not {wal.segment.size}"
        with target.open("rb") as file:
            header = read_header(file.read(64))
        if header is None or not self._system:  # one that was just begun has none; PostgreSQL checks each record
            return ""
        if header.system != self._system:
            return f"it is of cluster {header.system}"
        expected = wal.segment.number * wal.segment.size
        return "" if header.position == expected else f"it begins at {header.position}, not at {expected}"

    def _mend(self, failed: Sequence[tuple[Store, str, str]], origin: Store, key: str) -> None:
        """Put right what was found wrong under the same name; what does not succeed is told by the next reading."""
        for store, name, reason in failed:
            if name == key:
                with suppress(StoreError, BackupError, PackingError):
                    copy_object(origin, store, key, self._opened)
                    if events.active():
                        events.emit(WalMended("wal", key, store.name, origin.name, reason))


def dated(log: Sequence[Wal], stores: Stores, opened: Callable[[], Decryption | None]) -> tuple[Wal, ...]:
    """`log` with the times of the segments that bound each timeline, read where their names do not tell them.

    Those are the first, and the last two, of which one may be unfinished. What cannot be read stays without.
    """
    found = list(log)
    for timeline in {wal.segment.timeline for wal in log}:
        numbers = [number for number, wal in enumerate(log) if wal.segment.timeline == timeline]
        for number in dict.fromkeys((numbers[0], *numbers[-2:])):
            wal = log[number]
            if wal.last is None and (wal.partial or not wal.sha256):
                times = _times(wal, stores, opened)
                found[number] = replace(wal, first=times[0], last=times[1]) if times else wal
    return tuple(found)


def _times(wal: Wal, stores: Stores, opened: Callable[[], Decryption | None]) -> tuple[float, float] | None:
    timeline = wal.segment.timeline
    if wal.path is not None:
        for path in (wal.path, wal.path.with_name(wal.path.name.removesuffix(PARTIAL))):
            with suppress(FileNotFoundError):
                return times_of(path, timeline)
    key = wal.key or ""
    with (
        suppress(PackingError, AllStoresFailed, StoreError),
        tempfile.NamedTemporaryFile(prefix="esteio-wal-") as file,
        stores.get(key) as source,
    ):
        unpack_object(source, key, file, opened)
        file.flush()
        return times_of(Path(file.name), timeline)
    return None


def _copied(path: Path, target: Path) -> bool:
    """Whether a received file was still there; meanwhile it may have been completed, then shipped."""
    for each in (path, path.with_name(path.name.removesuffix(PARTIAL))):
        with suppress(FileNotFoundError):
            shutil.copyfile(each, target)
            return True
    return False


def log_key(stores: Stores, key: Key) -> Decryption | None:
    """What opens the WAL: `key` alone, or with the key files that lie beside it."""
    found = []
    refused: WrongKey | None = None
    for name in stores.list(f"{FOLDER}/{KEYS}"):
        with stores.get(name) as source:
            content = source.read()
        try:
            found.append(key(content))
        except WrongKey as error:  # another passphrase's: it was changed
            refused = error
    if refused is not None and not found:
        raise refused
    if not found:
        return key(None)
    return Decryption(tuple(identity for each in found if each for identity in each.identities))


def packing_with_known_key(packing: Packing, stores: Stores, key: Key) -> Packing:
    """`packing` with the key that an earlier archive made, where the stores have one that `key` opens.

    A passphrase makes a new key each time; one for a repository is enough, and each of them has to be kept.
    """
    if packing.encryption is None or packing.encryption.key_file is None:
        return packing
    for name in sorted(stores.list(f"{FOLDER}/{KEYS}")):
        with suppress(PackingError, AllStoresFailed, StoreError), stores.get(name) as source:
            content = source.read()
            opened = key(content)
            again = Encryption.again(opened, content) if opened else None
            if again is not None:
                return replace(packing, encryption=again)
    return packing
