"""Claim `store away`: a store away for ten minutes under load has no hole 60 s after its return.

The archive ships to two directories; one of them is taken out while somebody writes, and put back. Counted are the segments
that either store lacks after 60 s. `--away` scales the ten minutes.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg
from benchmarks.report import Claim

from esteio.backup.archive import Limit, Segment, WalArchive, gaps
from esteio.backup.archive._segments import WalObject
from esteio.backup.packing import Packing
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.postgres import Dsn

__all__ = ["measure"]

_CAUGHT_UP = 60.0  # seconds after the return
_SIZE = 1 << 24
_PAUSE = 0.2  # between two writes: about 5 MB of WAL a second


def measure(dsn: Dsn, home: Path, seconds: float) -> list[Claim]:
    """The claim, with a store away for `seconds`."""
    near, far = home / "near", home / "far"
    for place in (near, far):
        place.mkdir(parents=True)
    stores = Stores([open_store(str(place)) for place in (near, far)])
    packing = Packing(level=1)
    archive = WalArchive(lambda: dsn, near, stores, Toolbox(18), lambda: packing, limit=Limit(64 << 30), slot="away")
    archive.start()
    ending = threading.Event()
    writing = threading.Thread(target=_write, args=(dsn, ending), daemon=True)
    try:
        writing.start()
        time.sleep(min(10.0, seconds))
        far.rename(home / "out")
        far.write_text("no directory")
        time.sleep(seconds)
        far.unlink()
        (home / "out").rename(far)
        returned = time.monotonic()
        while (lacking := len(_held(near) ^ _held(far))) and time.monotonic() - returned < _CAUGHT_UP:
            time.sleep(0.2)
        took = time.monotonic() - returned
        holes = _holes(near) + _holes(far) + lacking
        print(f"store away: {seconds:g} s, {len(_held(near))} segments; caught up {took:.1f} s after its return")
    finally:
        ending.set()
        writing.join()
        archive.stop(10.0)
        with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
            conn.execute("SELECT pg_drop_replication_slot('away')")
    return [Claim("store away, holes", "segments", "lower", float(holes), target=0.0)]


def _write(dsn: Dsn, ending: threading.Event) -> None:
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS load (filler text)")
        while not ending.wait(_PAUSE):
            conn.execute("INSERT INTO load SELECT repeat(md5(n::text), 8) FROM generate_series(1, 3000) n")


def _held(place: Path) -> set[str]:
    found = (WalObject.parse(path.relative_to(place).as_posix()) for path in place.rglob("wal/**/*.zst"))
    return {each.file for each in found if each is not None and not each.partial}


def _holes(place: Path) -> int:
    segments = [segment for name in _held(place) if (segment := Segment.parse(name, _SIZE))]
    return sum(last.number - first.number + 1 for first, last in gaps(segments))
