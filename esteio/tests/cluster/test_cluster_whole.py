"""When the loss of any one node would cost nothing, and that the machines of tests are as a system with an init is."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from esteio.cluster import PLAN, Node, Plan, Ports, read_plan, write_files
from esteio.cluster.operate import ClusterStatus, Member, status
from esteio.postgres.embedded._account import resolve_account
from esteio.testing.cluster import _init, _programs
from esteio.testing.redis._server import free_port

NODES = [Node(name, f"10.0.0.{number}") for number, name in enumerate("abc", 1)]


def seen(*roles: str, state: str = "streaming", votes: bool = True) -> ClusterStatus:
    return ClusterStatus(
        tuple(
            Member(node, role, "running" if role == "leader" else state, votes=votes)
            for node, role in zip(NODES, roles, strict=True)
        )
    )


def test_a_cluster_is_whole_once_each_standby_confirms_what_is_written() -> None:
    assert seen("leader", "quorum_standby", "quorum_standby").whole
    one = seen("leader", "quorum_standby", "replica")
    assert one.safe
    assert not one.whole, "without b nobody would confirm until c is asked to"
    assert not seen("leader", "quorum_standby", "quorum_standby", state="stopped").whole
    assert not seen("leader", "quorum_standby", "quorum_standby", votes=False).whole
    assert not seen("replica", "quorum_standby", "quorum_standby").whole


class Told(BaseHTTPRequestHandler):
    """What a node's etcd and Patroni say, by path."""

    def do_GET(self) -> None:
        said = json.dumps(self.server.says[self.path]).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


def test_a_node_that_is_cut_off_and_still_takes_itself_for_the_leader_is_not_believed(tmp_path: Path) -> None:
    ports = Ports(etcd_health=free_port(), patroni=free_port())
    write_files(Plan.of("a=127.0.0.31,b=127.0.0.32,c=127.0.0.33", ports=ports), tmp_path)
    plan = read_plan(tmp_path / PLAN)
    with ExitStack() as opened:
        for node in plan.nodes:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(tmp_path / node.name / "tls.crt", tmp_path / node.name / "tls.key")
            leader = "a" if node.name == "a" else "b"
            members = [
                {"name": each, "role": "leader" if each == leader else "replica", "state": "running"} for each in "abc"
            ]
            says = {"/health": {"health": str(node.name != "a").lower()}, "/cluster": {"members": members}}
            for port in (ports.etcd_health, ports.patroni):
                server = opened.enter_context(ThreadingHTTPServer((node.address, port), Told))
                if port == ports.patroni:
                    server.socket = tls.wrap_socket(server.socket, server_side=True)
                server.says = says  # type: ignore[attr-defined]
                opened.callback(server.shutdown)
                threading.Thread(target=server.serve_forever, daemon=True).start()
        seen = status(plan)
    assert seen.leader is not None
    assert seen.leader.node.name == "b"
    assert [each.votes for each in seen.members] == [False, True, True]


@pytest.mark.skipif(sys.platform != "linux", reason="the machines of tests are namespaces of Linux")
def test_who_is_left_without_a_parent_is_the_child_of_our_init_which_takes_note_of_its_end() -> None:
    code = "(sleep 100 >/dev/null & echo $!); exec sleep 100"
    command = [sys.executable, "-I", "-S", str(Path(_init.__file__)), "sh", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as init:
        assert init.stdout is not None
        left = int(init.stdout.readline())
        status = Path(f"/proc/{left}/status")
        end = time.monotonic() + 10
        while f"PPid:\t{init.pid}\n" not in status.read_text():
            assert time.monotonic() < end
            time.sleep(0.01)
        os.kill(left, signal.SIGKILL)
        while status.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        init.terminate()
        assert init.wait(10) == -signal.SIGTERM % 256


def test_of_two_minor_versions_a_cluster_begins_with_the_older_one_and_one_alone_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (installed := _programs.postgres()) is None:
        pytest.skip("there is no PostgreSQL of Debian's: .ci/debian installs it")
    monkeypatch.setattr(_programs, "_MINOR", tmp_path / "postgres-minor")
    place = tmp_path / f"postgres-minor/usr/lib/postgresql/{installed.major}/bin"
    place.mkdir(parents=True)
    account = resolve_account(None)

    def versions(unpacked: str) -> list[str]:
        (place / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {unpacked} (Debian)'\n")
        (place / "postgres").chmod(0o755)
        home = tmp_path / unpacked
        home.mkdir()
        return [each.version for each in _programs.minors(account, home)]

    assert versions(f"{installed.major}.0") == [f"{installed.major}.0", installed.version]
    assert versions(f"{installed.major}.999") == [installed.version, f"{installed.major}.999"]
    assert versions(installed.version) == [installed.version]
