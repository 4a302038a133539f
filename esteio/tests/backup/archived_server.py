"""A server with its archive and somebody who writes, to be killed: says a line for each commit that was confirmed.

Run by test_physical_loss.py: HOME is where everything is. Lines: `pids N ...`, `base ID`, then numbers.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import psycopg

from esteio.backup._files import BackupWriter
from esteio.backup.archive import WalArchive
from esteio.backup.base import take_base
from esteio.backup.packing import Packing
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.postgres.embedded import Embedded


def main(home: Path) -> None:
    server = Embedded(home / "data", settings={"shared_buffers": "64MB"})
    server.start()
    stores, toolbox, packing = Stores([open_store(str(home / "disk"))]), Toolbox(18), Packing(level=1)
    archive = WalArchive(server.dsn, home / "disk", stores, toolbox, lambda: packing, ship_every=0.2)
    archive.start()
    print("pid", server.pid, flush=True)
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS written (n int PRIMARY KEY, filler text)")
        draft = BackupWriter(stores, f"base_{time.time_ns()}", packing)
        draft.finish(take_base(draft, toolbox, server.dsn()))
        print("base", draft.id, flush=True)
        for number in itertools.count():
            conn.execute("INSERT INTO written VALUES (%s, repeat(md5(%s::text), 200))", [number, number])
            print(number, flush=True)


main(Path(sys.argv[1]))
