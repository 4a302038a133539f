"""Documents in a bucket: one list for each run, and no request for what is there already."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from documents_desk import Desk, tree
from test_store_s3 import Misbehaving, Silent
from werkzeug.serving import make_server

from esteio.backup.store import open_store


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Counter[str]]]:
    """The address of a bucket, and what was asked of its server: methods, the documents' lists apart."""
    app, counted = Misbehaving(), Counter[str]()

    def count(environ: dict[str, Any]) -> None:
        listing = "list-type" in environ["QUERY_STRING"]
        if listing and "documents" not in environ["QUERY_STRING"]:
            return
        if listing or "/documents/" in environ["PATH_INFO"]:
            counted["list" if listing else environ["REQUEST_METHOD"]] += 1

    app.before = count
    made = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    endpoint = f"http://127.0.0.1:{made.port}"
    httpx.post(f"{endpoint}/moto-api/reset")
    assert httpx.put(f"{endpoint}/bucket").status_code == 200
    yield f"s3://bucket/pasta?region=us-east-1&endpoint={endpoint}", counted
    made.shutdown()
    made.server_close()


def test_a_bucket_is_asked_once_what_it_has_and_gets_only_what_is_new(
    tmp_path: Path, requests: tuple[str, Counter[str]]
) -> None:
    url, counted = requests
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
    assert desk.tried(made).ok
    alone = Desk(tmp_path, open_store(url))
    assert tree(alone.back(made)) == tree(desk.documents_dir)
