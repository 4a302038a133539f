"""A primary, its replica, and the three Sentinels that decide which of the two is which."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from esteio.testing.redis._server import RedisServer, Started, binary, free_port, wait_until

__all__ = ["SentinelTrio"]


class SentinelTrio(Started):
    """Two servers and three Sentinels that fail over within about a second; also a context manager.

    `service` is the name the Sentinels know the primary by.
    """

    service = "limits"

    def __init__(self, *, password: str | None = None, down_after: float = 0.5) -> None:
        self._password = password
        self._down_after = down_after
        self.servers = [RedisServer(password=password) for _ in range(2)]
        self.sentinels = [free_port() for _ in range(3)]
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """The address for `RedisStore`, without the password."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.service}"

    @property
    def primary(self) -> RedisServer:
        """The server that most Sentinels hold for the primary now."""
        ports = [self._primary_by(port) for port in self.sentinels]
        return next(s for s in self.servers if ports.count(s.port) > len(ports) // 2)

    def start(self) -> None:
        """Start everything; returns when every Sentinel knows the replica and its peers."""
        first, second = self.servers
        for server in self.servers:
            self._stack.callback(server.stop)
            server.start()
        with second.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", first.port)
        wait_until(lambda: _linked(second), "the replica's first copy")
        for port in self.sentinels:
            self._start_sentinel(port)
        wait_until(lambda: all(map(self._settled, self.sentinels)), "the Sentinels' agreement")

    def stop(self) -> None:
        """End everything."""
        self._stack.close()

    def failed_over(self, before: RedisServer) -> bool:
        """Whether a server other than `before` is the primary by now and takes writes."""
        try:
            after = self.primary
            with after.client() as client:
                return after is not before and client.execute_command("ROLE")[0] == "master"
        except (StopIteration, RedisError, OSError):
            return False

    def _start_sentinel(self, port: int) -> None:
        home = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="esteio-sentinel-")))
        name, first = self.service, self.servers[0]
        lines = [
            "bind 127.0.0.1",
            f"port {port}",
            f"dir {home}",
            f"sentinel monitor {name} 127.0.0.1 {first.port} 2",
            f"sentinel down-after-milliseconds {name} {int(self._down_after * 1000)}",
            f"sentinel failover-timeout {name} 3000",
            *([] if self._password is None else [f"sentinel auth-pass {name} {self._password}"]),
        ]
        configuration = home / "sentinel.conf"
        configuration.write_text("\n".join(lines) + "\n")
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            [binary(), str(configuration), "--sentinel"], stdout=subprocess.DEVNULL, cwd=home
        )
        self._stack.callback(process.wait, 10)
        self._stack.callback(process.kill)

    def _primary_by(self, port: int) -> int:
        try:
            with _sentinel(port) as client:
                answer = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        except (RedisError, OSError):
            return 0
        return int(answer[1]) if answer else 0

    def _settled(self, port: int) -> bool:
        try:
            with _sentinel(port) as client:
                state = client.sentinel_master(self.service)
        except (RedisError, OSError):
            return False
        return int(state["num-slaves"]) == 1 and int(state["num-other-sentinels"]) == len(self.sentinels) - 1


def _sentinel(port: int) -> Redis:
    return Redis(
        host="127.0.0.1",
        port=port,
        decode_responses=True,
        socket_timeout=2.0,
        socket_connect_timeout=2.0,
        retry=Retry(NoBackoff(), 0),
    )


def _linked(replica: RedisServer) -> bool:
    with replica.client() as client:
        return str(client.info("replication").get("master_link_status")) == "up"
