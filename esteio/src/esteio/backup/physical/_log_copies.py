"""Every store's copy of the shipped log, read to the last byte.

Promises: nothing is changed. A segment has no list to be compared with, so it is unpacked: zstd's own checksum, and
age's where it is encrypted, find what was changed or cut short. A segment that only some stores have is told as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from esteio.backup._flaws import Flaw
from esteio.backup._problem import Problem, Trouble, why
from esteio.backup._progress import Progress, silent
from esteio.backup.packing import Decryption, PackUnreadable, unpack
from esteio.backup.physical._shipping import FOLDER, PARTIAL
from esteio.backup.store import ObjectMissing, Store, StoreError, Stores

__all__ = ["read_log"]


def read_log(stores: Stores, key: Callable[[], Decryption | None], progress: Progress = silent) -> Sequence[Flaw]:
    """What is wrong with the log, by segment and store; WrongKey when what `key` makes does not open it."""
    objects, away = stores.look(FOLDER)
    asked = [store for store in stores.stores if store.name not in away]
    segments = {name: holders for name, holders in objects.items() if name.count("/") == 2}
    segments = {name: holders for name, holders in segments.items() if not name.startswith(f"{FOLDER}/keys/")}
    total = sum(stored.size for holders in segments.values() for stored in holders.values())
    flaws: list[Flaw] = []
    done = 0
    for name, holders in segments.items():
        found: list[Flaw] = []
        right: list[str] = []
        for store in asked:
            problem = _problem(store, name, key, holds=store.name in holders)
            if problem is None and store.name in holders:
                right.append(store.name)
            elif problem is not None:
                found.append(Flaw(store.name, name, problem))
        flaws += [replace(flaw, right=tuple(right)) for flaw in found]
        done += sum(stored.size for stored in holders.values())
        progress("check", done, total, "bytes")
    return flaws


def _problem(store: Store, name: str, key: Callable[[], Decryption | None], *, holds: bool) -> Problem | None:
    about = {"file": name, "store": store.name}
    if not holds:
        # An unfinished segment is replaced by the whole one, and may be on its way.
        return None if PARTIAL in name else Problem.of(Trouble.LOG_ABSENT, **about)
    try:
        with store.get(name) as source:
            unpack(source, _Nowhere(), key() if name.endswith(".age") else None)
    except ObjectMissing:  # replaced or thinned out meanwhile
        return None
    except PackUnreadable as error:
        return Problem.of(Trouble.LOG_DAMAGED, **about, reason=error.reason)
    except StoreError as error:
        return Problem.of(Trouble.LOG_DAMAGED, **about, reason=why(error))
    return None


class _Nowhere:
    """Takes everything and keeps nothing."""

    def write(self, data: bytes, /) -> int:
        return len(data)
