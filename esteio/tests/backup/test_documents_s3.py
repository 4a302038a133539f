"""Documents in a bucket: one list for each run, and no request for what is there already."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from documents_desk import Desk, tree
from s3_server import Misbehaving, endpoint

from esteio.backup.store import open_store


def test_a_bucket_is_asked_once_what_it_has_and_gets_only_what_is_new(tmp_path: Path, s3: Misbehaving) -> None:
    counted = Counter[str]()

    def count(environ: dict[str, Any]) -> None:
        listing = "list-type" in environ["QUERY_STRING"]
        if ("documents" in environ["QUERY_STRING"]) if listing else ("/documents/" in environ["PATH_INFO"]):
            counted["list" if listing else environ["REQUEST_METHOD"]] += 1

    s3.before = count
    url = f"s3://bucket/pasta?region=us-east-1&endpoint={endpoint(s3.port)}"
    desk = Desk(tmp_path, open_store(str(tmp_path / "cópias")), open_store(url))
    desk.root.mkdir()
    for number in range(30):
        desk.write(f"pasta/{number}", str(number))
    desk.run()
    assert (counted["list"], counted["PUT"]) == (1, 30)
    counted.clear()
    desk.write("novo", "novo")
    made = desk.run()
    assert dict(counted) == {"list": 1, "PUT": 1, "HEAD": 1}
    assert desk.verified(made).ok
    alone = Desk(tmp_path, open_store(url))
    assert tree(alone.back(made)) == tree(desk.documents_dir)
