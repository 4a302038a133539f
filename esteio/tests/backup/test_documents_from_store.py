"""Documents that lie in an object store: in each backup, read once, and brought back to where they were."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from documents_desk import Desk
from s3_server import Misbehaving, endpoint

from esteio.backup import BackupError
from esteio.backup._progress import silent
from esteio.backup.store import Store, open_store
from esteio.testing import FlakyProxy


def _at(port: int, folder: str = "uploads") -> Store:
    return open_store(f"s3://bucket/{folder}?region=us-east-1&endpoint={endpoint(port)}", timeout=2.0, attempts=1)


def _desk(home: Path, origin: Store, *stores: Store) -> Desk:
    desk = Desk(home, *stores, origin=origin)
    desk.root.mkdir()
    return desk


def test_each_object_is_read_once_and_comes_back_into_the_store_or_a_directory(tmp_path: Path, s3: Misbehaving) -> None:
    origin, large = _at(s3.port), os.urandom(5 << 20)
    contents = {"ab/one": b"one", "ab/two": b"two", "cd/large": large}
    for key, content in contents.items():
        origin.put(key, content)
    desk = _desk(tmp_path, origin)
    first = desk.run()
    assert (first.details["documents"]["files"], first.details["documents"]["new"]) == (3, 3)
    assert desk.verified(first).ok
    read = Counter[str]()

    def count(environ: dict[str, Any]) -> None:
        if environ["REQUEST_METHOD"] == "GET" and "/uploads/" in environ["PATH_INFO"]:
            read[environ["PATH_INFO"]] += 1

    s3.before = count
    origin.put("ef/three", b"three")
    second = desk.run()
    assert (second.details["documents"]["new"], list(read)) == (1, ["/bucket/uploads/ef/three"])
    s3.before = None
    for key in ("ab/one", "cd/large"):
        origin.delete(key)
    origin.put("ab/two", b"cut")  # another size
    origin.put("ab/two", b"")
    origin.put("later", b"uploaded after the backup")
    with desk.documents.of(second) as beside:
        beside.fetch(silent)
        beside.swap()
        beside.settle()
    assert beside.returned is not None
    assert (beside.returned.files, beside.returned.directory) == (3, "s3://bucket/uploads")
    for key, content in (contents | {"ef/three": b"three", "later": b"uploaded after the backup"}).items():
        with origin.get(key) as source:
            assert source.read() == content, key
    back = desk.back(second)
    assert {str(p.relative_to(back)): p.read_bytes() for p in back.rglob("*") if p.is_file()} == contents | {
        "ef/three": b"three"
    }


def test_a_store_that_is_away_leaves_the_backup_of_the_database_made_and_red(
    tmp_path: Path, s3: Misbehaving, proxy: FlakyProxy
) -> None:
    origin = _at(proxy.address[1])
    for number in range(3):
        origin.put(str(number), b"x")
    desk = _desk(tmp_path, origin)
    desk.run()
    proxy.stop()
    desk.clock.seconds += 60
    away = desk.run()
    verified = desk.verified(away)
    assert not verified.ok
    assert "s3://bucket/uploads" in " ".join(verified.problems)
    assert len(desk.objects()) == 1, "nothing is pruned for it"
    proxy.start()
    desk.clock.seconds += 60
    assert desk.verified(desk.run()).ok


def test_backups_within_the_documents_are_refused(tmp_path: Path, s3: Misbehaving) -> None:
    origin = _at(s3.port, "everything")
    origin.put("a", b"a")
    with pytest.raises(BackupError, match="lie within one another"):
        _desk(tmp_path, origin, _at(s3.port, "everything/backups")).run()
