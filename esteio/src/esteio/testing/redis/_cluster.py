"""A Redis Cluster of three primaries, without replicas."""

from __future__ import annotations

from contextlib import ExitStack

from esteio.testing.redis._server import RedisServer, Started, wait_until

__all__ = ["RedisCluster"]

_SLOTS = 16_384


class RedisCluster(Started):
    """Three servers that share the slots evenly; also a context manager. `servers` are in the order of their slots.

    With `whole` all of them stop serving within about a second when one is down, which is Redis' own default.
    """

    def __init__(self, *, password: str | None = None, whole: bool = False) -> None:
        coverage = "yes" if whole else "no"
        settings = {
            "cluster-enabled": "yes",
            "cluster-node-timeout": "1000",
            "cluster-require-full-coverage": coverage,
        }
        self.servers = [RedisServer(password=password, settings=settings) for _ in range(3)]
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """The address for `RedisStore`, without the password."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def start(self) -> None:
        """Start the servers and hand out the slots; returns when every one of them serves the whole cluster."""
        for server in self.servers:
            self._stack.callback(server.stop)
            server.start()
        share = _SLOTS // len(self.servers) + 1
        for number, server in enumerate(self.servers):
            slots = range(number * share, min((number + 1) * share, _SLOTS))
            with server.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTS", *slots)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)
        wait_until(lambda: all(map(_whole, self.servers)), "the cluster's agreement")

    def stop(self) -> None:
        """End all servers."""
        self._stack.close()


def _whole(server: RedisServer) -> bool:
    with server.client() as client:
        state = client.cluster("INFO")
    wanted = {"cluster_state": "ok", "cluster_slots_assigned": str(_SLOTS), "cluster_known_nodes": "3"}
    return all(state.get(name) == value for name, value in wanted.items())
