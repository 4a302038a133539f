"""S3 spoken for real on loopback: down, slow, cut, forbidding, forgetful; and several stores at once."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from s3_server import Misbehaving, at, endpoint

from esteio.backup.store import (
    AllStoresFailed,
    ObjectLocked,
    ObjectMissing,
    Store,
    StoreDenied,
    StoreFailed,
    StoreRejected,
    Stores,
    StoreUnavailable,
    StoreUrlError,
    UploadTruncated,
    open_store,
)
from esteio.backup.store._object import ObjectStore, Pacer
from esteio.testing import FlakyProxy, ManualClock, recorded_events

BIG = 20 * 2**20  # three parts


@pytest.fixture
def store(s3: Misbehaving, proxy: FlakyProxy) -> Store:
    return at(proxy)


def content(store: Store, key: str) -> bytes:
    with store.get(key) as download:
        return b"".join(iter(lambda: download.read(1_000_000), b""))


def test_small_large_and_empty_objects_come_back(store: Store) -> None:
    for size in (0, 1, BIG):
        data = os.urandom(size)
        assert store.put(f"id/part {size} ção", data).size == size
        assert content(store, f"id/part {size} ção") == data
    assert [(stored.key, stored.size) for stored in store.list("id")] == [
        ("id/part 0 ção", 0),
        ("id/part 1 ção", 1),
        (f"id/part {BIG} ção", BIG),
    ]
    assert store.list("i") == []


def test_a_stream_appears_at_the_commit_only(store: Store) -> None:
    with store.open("id/x") as upload:
        for _ in range(BIG // 2**20):
            upload.write(os.urandom(2**20))
        assert store.head("id/x") is None
        assert upload.commit().size == BIG
    with store.open("id/y") as upload:
        upload.write(os.urandom(BIG))
    assert [stored.key for stored in store.list()] == ["id/x"]


def test_what_is_missing_is_named(store: Store, proxy: FlakyProxy) -> None:
    assert store.head("nothing") is None
    with pytest.raises(ObjectMissing, match="nothing"), store.get("nothing"):
        pass
    store.delete("nothing")
    with pytest.raises(ObjectMissing, match="no such bucket"):
        at(proxy, "elsewhere").put("x", b"1")


def test_a_server_that_is_down_is_named_after_some_attempts(s3: Misbehaving, proxy: FlakyProxy) -> None:
    store = at(proxy, timeout=2)
    proxy.stop()
    for call in (lambda: store.put("x", b"1"), store.list):  # the others go the same way; each costs a second
        with pytest.raises(StoreUnavailable, match="s3://bucket/folder"):
            call()
    proxy.start()
    assert store.put("x", b"1").size == 1


def test_a_server_that_never_answers_is_given_up(s3: Misbehaving, proxy: FlakyProxy) -> None:
    proxy.freeze()
    with pytest.raises(StoreUnavailable):
        at(proxy, timeout=0.1).put("x", b"1")


def test_a_slow_server_is_waited_for(store: Store, proxy: FlakyProxy) -> None:
    proxy.delay(0.05)
    data = os.urandom(300_000)
    store.put("x", data)
    assert content(store, "x") == data


@pytest.mark.fault
@pytest.mark.untimed
def test_an_upload_that_is_cut_is_made_again(store: Store, proxy: FlakyProxy, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(BIG))
    proxy.cut_after(3_000_000, "up")
    healer = threading.Timer(0.5, proxy.heal)
    healer.start()
    assert store.put("x", source).size == BIG
    healer.join()
    assert content(store, "x") == source.read_bytes()


@pytest.mark.fault
@pytest.mark.untimed
def test_a_download_that_is_cut_goes_on_where_it_was(store: Store, proxy: FlakyProxy) -> None:
    data = os.urandom(BIG)
    store.put("x", data)
    before = proxy.passed["down"]
    proxy.cut_after(BIG - 2_000_000)
    healer = threading.Timer(0.5, proxy.heal)
    healer.start()
    assert content(store, "x") == data
    healer.join()
    assert proxy.passed["down"] - before < 2 * BIG


def test_a_refusal_is_told_at_once_and_names_the_permissions(store: Store, s3: Misbehaving) -> None:
    asked = []
    s3.before = lambda environ: (asked.append(environ["REQUEST_METHOD"]), ("403 Forbidden", "AccessDenied"))[1]
    for call in (lambda: store.put("x", b"1"), store.list, lambda: store.delete("x")):
        asked.clear()
        with pytest.raises(StoreDenied, match="permissions"):
            call()
        assert len(asked) == 1


def test_a_request_that_can_not_be_taken_is_made_once_and_one_that_may_be_taken_later_again(
    store: Store, s3: Misbehaving
) -> None:
    asked: list[str] = []
    calls = (lambda: store.put("x", b"1"), lambda: store.head("x"), store.list)
    for status, code, error in (
        ("400 Bad Request", "AuthorizationHeaderMalformed", StoreRejected),
        ("401 Unauthorized", "InvalidToken", StoreDenied),
        ("400 Bad Request", "RequestTimeout", StoreUnavailable),
    ):
        s3.before = lambda environ, found=(status, code): (asked.append(found[1]), found)[1]  # type: ignore[misc]
        for call in calls if error is not StoreUnavailable else calls[2:]:  # an answer to HEAD has no code
            asked.clear()
            with pytest.raises(error):
                call()
            assert len(asked) == (4 if error is StoreUnavailable else 1), (status, code)


def test_a_server_that_stays_away_is_given_up_after_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between attempts are those of the documentation, not the minute a caller might come back after."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")  # without, its client looks for some in the network
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    clock = ManualClock()
    near = open_store("s3://bucket?region=us-east-1&endpoint=http://127.0.0.1:9", timeout=1)
    assert isinstance(near, ObjectStore)
    with pytest.raises(StoreUnavailable):
        ObjectStore(near.name, near._inner, clock=clock).list()
    assert len(clock.slept) == 3
    assert sum(clock.slept) <= 0.5 + 1 + 2


def test_a_server_error_that_passes_is_ridden_out(store: Store, s3: Misbehaving) -> None:
    left = [2]

    def busy(environ: dict[str, Any]) -> tuple[str, str] | None:
        left[0] -= 1
        return ("503 Slow Down", "SlowDown") if left[0] >= 0 else None

    s3.before = busy
    assert store.put("x", b"1").size == 1


def test_an_upload_of_which_the_server_lost_a_part_is_found_and_removed(store: Store, s3: Misbehaving) -> None:
    def forgetful(environ: dict[str, Any]) -> None:
        if environ["REQUEST_METHOD"] == "PUT":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body[: len(body) // 2])
            environ["CONTENT_LENGTH"] = str(len(body) // 2)
            environ.pop("HTTP_X_AMZ_CHECKSUM_SHA256", None)

    s3.before = forgetful
    with pytest.raises(UploadTruncated, match="1000 bytes were sent, it has 500") as error:
        store.put("x", os.urandom(1000))
    assert (error.value.sent, error.value.kept) == (1000, 500)
    s3.before = None
    assert store.list() == []


def test_a_checksum_goes_with_every_part(store: Store, s3: Misbehaving) -> None:
    seen = []
    s3.before = lambda environ: seen.append(environ.get("HTTP_X_AMZ_CHECKSUM_SHA256"))  # type: ignore[func-returns-value]
    store.put("x", os.urandom(BIG))
    assert sum(value is not None for value in seen) == 3


def test_a_retained_object_is_no_failure_of_the_store(store: Store, s3: Misbehaving) -> None:
    store.put("x", b"1")
    s3.before = lambda environ: (
        ("403 Forbidden", "AccessDenied: object protected by object lock") if "delete" in str(environ) else None
    )
    with pytest.raises(ObjectLocked, match="retention ends"):
        store.delete("x")
    assert store.head("x") is not None


# Several at once


@pytest.fixture
def several(store: Store, tmp_path: Path) -> Stores:
    return Stores([open_store(str(tmp_path / "disk")), store])


def test_all_stores_get_the_same(several: Stores) -> None:
    with several.open("id/x") as upload:
        upload.write(b"1234")
        placed = upload.commit()
    assert list(placed.stored) == [store.name for store in several.stores]
    assert placed.failed == {}
    assert [content(store, "id/x") for store in several.stores] == [b"1234", b"1234"]


def test_a_store_that_fails_on_the_way_is_left_out_and_told(several: Stores, s3: Misbehaving) -> None:
    s3.before = lambda environ: ("403 Forbidden", "AccessDenied")
    with recorded_events() as seen, several.open("id/x") as upload:
        for _ in range(4):
            upload.write(os.urandom(10 * 2**20))
        placed = upload.commit()
    assert list(placed.stored) == [several.stores[0].name]
    assert isinstance(placed.failed[several.stores[1].name], StoreDenied)
    assert [(type(event), event.name) for event in seen if isinstance(event, StoreFailed)] == [
        (StoreFailed, several.stores[1].name)
    ]


def test_what_a_store_missed_is_brought_to_it_later(several: Stores, s3: Misbehaving) -> None:
    s3.before = lambda environ: ("403 Forbidden", "AccessDenied")
    several.put("id/x", b"1234")
    s3.before = None
    several.put("id/y", b"5678")
    assert [placed.key for placed in several.mirror("id")] == ["id/x"]
    assert content(several.stores[1], "id/x") == b"1234"
    assert several.mirror("id") == []


def test_reading_takes_the_first_store_that_has_it(several: Stores) -> None:
    several.stores[1].put("far", b"away")
    with several.get("far") as download:
        assert download.read() == b"away"
    with pytest.raises(AllStoresFailed, match="nowhere"), several.get("nowhere"):
        pass


def test_only_when_all_fail_it_is_an_error(s3: Misbehaving, proxy: FlakyProxy, tmp_path: Path) -> None:
    both = Stores([open_store(str(tmp_path / "missing" / "disk")), at(proxy)])
    s3.before = lambda environ: ("403 Forbidden", "AccessDenied")
    for call in (lambda: both.put("x", b"1"), lambda: both.open("x").commit(), both.list):
        with pytest.raises(AllStoresFailed) as error:
            call()
        assert list(error.value.failures) == [store.name for store in both.stores]


def test_deleting_reaches_all_and_tells_who_keeps_it(several: Stores, s3: Misbehaving) -> None:
    several.put("x", b"1")
    s3.before = lambda environ: ("403 Forbidden", "AccessDenied: object protected by object lock")
    kept = several.delete("x")
    assert [type(error) for error in kept.values()] == [ObjectLocked]
    assert several.stores[0].head("x") is None


def test_the_time_the_parts_and_the_rate_are_part_of_the_address(s3: Misbehaving) -> None:
    address = f"s3://bucket/f?region=us-east-1&endpoint={endpoint(s3.port)}"
    for option in ("timeout=0", "timeout=x", "parallel=17", "parallel=nan", "rate=0"):
        with pytest.raises(StoreUrlError, match=rf"{option.partition('=')[0]} is '.*'; allowed: a number from "):
            open_store(f"{address}&{option}")
    store = open_store(f"{address}&timeout=5&parallel=4&rate=0.5")
    assert store.put("a", b"content").size == 7


def test_a_rate_is_kept_by_all_uploads_together() -> None:
    clock = ManualClock()
    pacer = Pacer(1000.0, clock)
    for _ in range(3):
        pacer.wait(500)
    assert clock.slept == [0.5, 0.5]
    clock.advance(10.0)
    pacer.wait(10_000)
    assert clock.slept == [0.5, 0.5]
    pacer.wait(1)
    assert clock.slept == [0.5, 0.5, 10.0]
    Pacer(None, clock).wait(10**9)
    assert len(clock.slept) == 3
