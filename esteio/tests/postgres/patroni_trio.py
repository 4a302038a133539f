"""Three PostgreSQL servers under Patroni and the etcd they vote in, on loopback, started and ended by a test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml

from esteio.postgres import Dsn
from esteio.postgres.embedded import find_binaries
from esteio.postgres.embedded._account import Account, resolve_account
from esteio.postgres.embedded._binaries import reachable_by

PASSWORD = "only here"
_SECONDS = {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}  # the least Patroni accepts
_PARAMETERS = {
    "shared_buffers": "32MB",
    "max_connections": 40,
    "fsync": "off",  # processes are killed, not machines
    "wal_keep_size": "64MB",
    "log_min_messages": "warning",
}


class Node:
    """One server with its Patroni."""

    def __init__(self, name: str, home: Path, account: Account, store: int, programs: Path) -> None:
        self.name, self.port, self.rest = name, _free_port(), _free_port()
        self._home, self._account = home, account
        self._config = home / "patroni.yml"
        self._process: subprocess.Popen[bytes] | None = None
        self._config.write_text(yaml.safe_dump(self._settings(store, programs)))
        account.own(self._config)

    def start(self) -> None:
        with (self._home / "patroni.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_reaching(self._account), sys.executable, "-m", "patroni", str(self._config)],
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdout=log,
                stderr=log,
                start_new_session=True,
                **({} if _reaching(self._account) else self._account.popen),
            )

    def kill(self) -> None:
        """End Patroni, the server and all its processes, as a machine that loses its power would."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)
            self._process = None

    def log(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join((self._home / "patroni.log").read_text(errors="replace").splitlines()[-15:])
        return ""

    def _processes(self) -> Iterator[psutil.Process]:
        """Patroni's family, which includes the server only until Patroni itself was restarted."""
        if self._process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                patroni = psutil.Process(self._process.pid)
                yield from (patroni, *patroni.children(recursive=True))
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            server = psutil.Process(int((self._home / "data/postmaster.pid").read_text().split("\n", 1)[0]))
            if server.name() == "postgres":
                yield from (server, *server.children(recursive=True))

    def _settings(self, store: int, programs: Path) -> dict[str, Any]:
        return {
            "scope": "trio",
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}"},
            "etcd3": {"host": f"127.0.0.1:{store}"},
            "bootstrap": {
                "dcs": {**_SECONDS, "synchronous_mode": True, "postgresql": {"parameters": _PARAMETERS}},
                "initdb": [
                    {"encoding": "UTF8"},
                    {"locale": "C"},
                    "data-checksums",
                    {"auth": "scram-sha-256"},
                    "no-sync",
                ],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "bin_dir": str(programs),
                "data_dir": str(self._home / "data"),
                "pgpass": str(self._home / "pgpass"),
                "parameters": {"unix_socket_directories": str(self._home)},
                "pg_hba": [
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication all 127.0.0.1/32 scram-sha-256",
                ],
                "authentication": {
                    "superuser": {"username": "postgres", "password": PASSWORD},
                    "replication": {"username": "replicator", "password": PASSWORD},
                },
            },
        }


class Trio:
    """Three nodes of one cluster, and its etcd."""

    def __init__(self, program: Path) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="esteio-trio-"))
        self._home.chmod(0o711)
        self._store_port = _free_port()
        self._program = program
        self._store: subprocess.Popen[bytes] | None = None
        account = resolve_account(None)
        programs = reachable_by(account, find_binaries(18)).directory
        self.nodes = []
        for name in ("a", "b", "c"):
            home = self._home / name
            home.mkdir(mode=0o700)
            account.own(home)
            self.nodes.append(Node(name, home, account, self._store_port, programs))

    @property
    def dsn(self) -> Dsn:
        """The address of all three."""
        hosts = tuple(("127.0.0.1", node.port) for node in self.nodes)
        return Dsn(hosts=hosts, database="postgres", user="postgres", password=PASSWORD)

    def start(self) -> None:
        """Return when there is a leader, a synchronous standby and a third that streams."""
        self._start_store()
        for node in self.nodes:
            node.start()
        self.until(lambda: self._whole(), 90.0)

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
        if self._store is not None:
            self._store.kill()
            self._store.wait(10)
        shutil.rmtree(self._home, ignore_errors=True)

    def leader(self) -> Node | None:
        """Who leads, as the first node that answers says."""
        by_name = {node.name: node for node in self.nodes}
        names = [member["name"] for member in self._members() if member["role"] == "leader" and _up(member)]
        return by_name[names[0]] if names else None

    def until(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {node.name}\n{node.log()}" for node in self.nodes)
                raise TimeoutError(f"not so within {seconds:g} s: {self._members()}\n{logs}")
            time.sleep(0.1)

    def _whole(self) -> bool:
        roles = sorted(member["role"] for member in self._members() if _up(member))
        return roles == ["leader", "replica", "sync_standby"]

    def _members(self) -> list[dict[str, Any]]:
        for node in self.nodes:
            url = f"http://127.0.0.1:{node.rest}/cluster"
            with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(url, timeout=2) as answer:
                return list(json.load(answer)["members"])
        return []

    def _start_store(self) -> None:
        mine, peers = f"http://127.0.0.1:{self._store_port}", f"http://127.0.0.1:{_free_port()}"
        arguments = {
            "name": "one",
            "data-dir": str(self._home / "etcd"),
            "listen-client-urls": mine,
            "advertise-client-urls": mine,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"one={peers}",
            "log-level": "error",
        }
        with (self._home / "etcd.log").open("wb") as log:
            self._store = subprocess.Popen(
                [str(self._program), *(f"--{name}={value}" for name, value in arguments.items())],
                cwd="/",
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.until(self._store_answers, 20.0)

    def _store_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._store_port}/health", timeout=2) as answer:
                return bool(json.load(answer)["health"] == "true")
        except (OSError, ValueError):
            return False


def _up(member: dict[str, Any]) -> bool:
    return member["state"] in ("running", "streaming")


def _reaching(account: Account) -> list[str]:
    """How to run a program as `account` where the interpreter lies in a directory only root can enter."""
    if not account.foreign or account.can_enter(Path(sys.base_prefix)):
        return []
    return [
        "setpriv",
        f"--reuid={account.uid}",
        f"--regid={account.gid}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
