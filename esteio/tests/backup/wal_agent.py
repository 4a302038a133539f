"""The archive of a server as a process of its own, to be killed, with stores and a clock that fail on command.

Run by test_wal_faults.py: ADDRESS is the server's, HOME is where everything is. `near.fault`, `far.fault` and `clock` in HOME
are read at each use: slow, full, cut or denied; seconds that the clock is ahead.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from esteio.backup.archive import WalArchive
from esteio.backup.packing import Packing
from esteio.backup.store import Stored, StoreDenied, StoreFull, Stores, StoreUnavailable, Upload
from esteio.backup.store._directory import DirectoryStore
from esteio.backup.tools import Toolbox
from esteio.clock import SystemClock
from esteio.postgres import Dsn


class Faulty(DirectoryStore):
    """A directory that does what its file of faults says."""

    def fault(self) -> str:
        try:
            return self.root.with_suffix(".fault").read_text()
        except FileNotFoundError:
            return ""

    def open(self, key: str) -> Upload:
        if self.fault() == "denied":
            raise StoreDenied(self.name, key, "read-only")
        return _Faulty(self, key, super().open(key))


class _Faulty(Upload):
    def __init__(self, store: Faulty, key: str, upload: Upload) -> None:
        self._store = store
        self._key = key
        self._upload = upload
        self._written = 0

    def write(self, data: bytes, /) -> int:
        fault = self._store.fault()
        self._written += len(data)
        if fault == "slow":
            time.sleep(0.2)
        elif fault == "full":
            raise StoreFull(self._store.name, self._key, "no space")
        elif fault == "cut" and self._written > 1000:
            self._upload.write(data[: len(data) // 2])
            raise StoreUnavailable(self._store.name, self._key, "the connection was cut")
        return self._upload.write(data)

    def commit(self) -> Stored:
        return self._upload.commit()

    def abort(self) -> None:
        self._upload.abort()

    def __enter__(self) -> _Faulty:
        self._upload.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._upload.__exit__(*error)  # type: ignore[arg-type]


class Leaping(SystemClock):
    """The machine's clock, as many seconds ahead as the file says."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def time(self) -> float:
        try:
            return super().time() + float(self._path.read_text() or 0)
        except FileNotFoundError:
            return super().time()


def main(address: str, home: Path) -> None:
    stores = Stores([Faulty(home / "near"), Faulty(home / "far")])
    archive = WalArchive(
        lambda: Dsn.parse(address),
        home / "spool",
        stores,
        Toolbox(18),
        lambda: Packing(level=1),
        heartbeat=0.2,
        ship_every=0.05,
        partial_every=0.5,
        clock=Leaping(home / "clock"),
    )
    archive.start()
    print("started", flush=True)
    ended = threading.Event()
    while archive.is_alive():
        ended.wait(0.05)


main(sys.argv[1], Path(sys.argv[2]))
