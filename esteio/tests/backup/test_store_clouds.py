"""Azure and Google Cloud, spoken to by their own clients: whole objects, ranges, parts, and a backup and its verification.

Azure is Microsoft's emulator. Google's client speaks the XML API, which is S3's but for the signature: moto answers it (of
Google's emulators in the registries, none knows that API's deletes and uploads in parts).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from s3_server import Misbehaving, endpoint

from esteio.backup import Backups
from esteio.backup.store import ObjectMissing, Store, StoreDenied, Stores, open_store
from esteio.policy import AttemptFailed
from esteio.postgres import Dsn
from esteio.testing import recorded_events

if TYPE_CHECKING:
    from conftest import Azurite

_BIG = 20_000_000  # more than two parts


@pytest.fixture
def azure(azurite: Azurite, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Store:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azurite.key)
    return open_store(azurite.url(request.node.name))


@pytest.fixture
def google(s3: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> Store:
    def signed(environ: dict[str, Any]) -> None:  # as moto wants it; it looks at no more of it than at the names
        credential = "Credential=key/20260101/us-east-1/s3/aws4_request"
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"

    s3.before = signed
    key = {"gcs_base_url": endpoint(s3.port), "disable_oauth": True, "client_email": "", "private_key": ""}
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps({**key, "private_key_id": ""}))
    return open_store(f"gs://bucket/pasta?endpoint={endpoint(s3.port)}")


@pytest.fixture(params=["azure", "google"])
def cloud(request: pytest.FixtureRequest) -> Store:
    store: Store = request.getfixturevalue(request.param)
    return store


def test_an_object_is_written_listed_read_and_removed(cloud: Store) -> None:
    assert cloud.put("a/são joão", b"content").size == 7
    assert [stored.key for stored in cloud.list()] == ["a/são joão"]
    assert cloud.list("b") == []
    with cloud.get("a/são joão") as source:
        assert (source.read(3), source.read()) == (b"con", b"tent")
    cloud.delete("a/são joão")
    cloud.delete("a/são joão")
    assert cloud.head("a/são joão") is None
    with pytest.raises(ObjectMissing), cloud.get("a/são joão"):
        pass


def test_a_large_object_goes_in_parts_and_is_not_seen_before_its_commit(cloud: Store) -> None:
    piece = os.urandom(1_000_000)
    with cloud.open("big") as upload:
        for _ in range(_BIG // len(piece)):
            upload.write(piece)
        assert cloud.head("big") is None
        assert upload.commit().size == _BIG
    with cloud.get("big") as source:
        assert hashlib.sha256(source.read()).digest() == hashlib.sha256(piece * 20).digest()
    with cloud.open("never") as upload:
        upload.write(piece)
    assert [stored.key for stored in cloud.list()] == ["big"]


def test_a_wrong_key_is_told_at_the_first_answer(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(b"another key" * 6).decode())
    store = open_store(azurite.url("x"))
    for call in (lambda: store.put("a", b"1"), lambda: store.head("a"), store.list, lambda: store.delete("a")):
        with recorded_events() as seen, pytest.raises(StoreDenied, match="credentials"):
            call()
        assert not [event for event in seen if isinstance(event, AttemptFailed)]


def test_a_backup_goes_there_and_is_restored_from_there(cloud: Store, database: Dsn) -> None:
    backups = Backups(database, Stores([cloud]))
    backups.init()
    done = backups.run()
    assert done.verification is not None
    assert done.verification.rows == 5105
    assert backups.check_copies().ok
    assert backups.status().ok
