"""The programs themselves accept what was generated for them, and three etcds and Sentinels agree by it."""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from esteio.cluster import PLAN, Node, Plan, Ports, Programs, Timings, read_plan, write_files
from esteio.cluster._authority import write_certificates
from esteio.cluster.certificates import reload_all, shown
from esteio.doctor import FindingCode
from esteio.doctor import redis as doctor
from esteio.postgres.embedded import find_binaries
from esteio.testing.cluster import Unit, answered_strangers, etcd, redis
from esteio.testing.redis._server import free_port

_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        reason = f"there is no {name}: .ci/debian installs Debian's"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """On three loopback addresses, so that nodes have the same ports."""
    ports = Ports(*(free_port() for _ in range(9)))
    programs = Programs(
        patroni=f"{sys.executable} -m patroni",
        postgres=str(find_binaries(18).directory),
        etcd=str(etcd() or "etcd"),
        redis=str(redis() or "redis-server"),
    )
    plan = Plan.of(
        "a=127.0.0.11,b=127.0.0.12,c=127.0.0.13",
        virtual_ip="127.0.0.20/8",
        interface="lo",
        health="/ready",
        config_dir=f"{tmp_path}/{{node}}",
        service_dir=f"{tmp_path}/service.d/{{node}}",
        data_dir=f"{tmp_path}/{{node}}/data",
        ports=ports,
        programs=programs,
    )
    write_files(plan, tmp_path)
    for node in plan.nodes:
        (tmp_path / node.name / "data").mkdir(mode=0o700)
    return read_plan(tmp_path / PLAN)


def checked(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    return done.stdout + done.stderr


def test_haproxy_finds_its_configuration_valid_with_a_certificate_too(plan: Plan, tmp_path: Path) -> None:
    haproxy = program("haproxy")
    assert "WARNING" not in checked(haproxy, "-c", "-f", f"{tmp_path}/a/haproxy.cfg").upper()
    pem = tmp_path / "both.pem"
    checked("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
            "-keyout", f"{tmp_path}/key", "-out", f"{tmp_path}/crt")  # fmt: skip
    pem.write_text((tmp_path / "crt").read_text() + (tmp_path / "key").read_text())
    write_files(Plan(plan.nodes, certificate=str(pem), config_dir=f"{tmp_path}/tls/{{node}}"), tmp_path / "tls")
    checked(haproxy, "-c", "-f", f"{tmp_path}/tls/a/haproxy.cfg")


def test_keepalived_and_nftables_find_theirs_valid(plan: Plan, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("both look only for root")
    interface = next(name for _, name in socket.if_nameindex() if name != "lo")  # keepalived takes no other
    write_files(replace(plan, interface=interface), tmp_path)
    checked(program("keepalived"), "--config-test", "--use-file", f"{tmp_path}/b/keepalived.conf")
    for rules in ("firewall", "leaving"):
        checked(program("nft"), "--check", "--file", f"{tmp_path}/c/{rules}.nft")


class Service(BaseHTTPRequestHandler):
    """Ready at once, and says what the browser is said to have spoken; /slow is answered when `may_answer` is set."""

    protocol_version = "HTTP/1.1"
    asked, may_answer = threading.Event(), threading.Event()

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.asked.set()
            self.may_answer.wait(60)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.send_header("Spoken", self.headers.get("X-Forwarded-Proto", ""))
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


class Services(ThreadingHTTPServer):
    """Speaks TLS, and shows what `shows` was told last."""

    request_queue_size = 128

    def __init__(self, node: Node, port: int, place: Path) -> None:
        super().__init__((node.address, port), Service)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.num_tickets = 0  # who comes again by a ticket is shown no certificate
        self.shows(place)
        # The handshake is left to the request's own thread: one that hangs holds nobody up.
        self.socket = self._tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def shows(self, place: Path) -> None:
        self._tls.load_cert_chain(place / "tls.crt", place / "tls.key")

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # who does not believe it ends the handshake


def started_front(plan: Plan, tmp_path: Path, opened: ExitStack) -> tuple[subprocess.Popen[bytes], dict[str, Services]]:
    """HAProxy of a, started as its unit says, and a service of each node."""
    program("haproxy")
    unit = Unit.read(tmp_path / "a" / "esteio-haproxy.service")
    services = {}
    for node in plan.nodes:
        made = services[node.name] = Services(node, plan.ports.service, tmp_path / "service.d" / node.name)
        service = opened.enter_context(made)
        opened.callback(service.shutdown)
        threading.Thread(target=service.serve_forever, daemon=True).start()
    log = opened.enter_context((tmp_path / "haproxy.log").open("wb"))
    haproxy = subprocess.Popen(shlex.split(unit.start), stdout=log, stderr=log)
    opened.callback(haproxy.wait, 10)
    opened.callback(haproxy.kill)
    return haproxy, services


@pytest.fixture
def front(plan: Plan, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Ready, and with patience for a busy machine."""
    write_files(replace(plan, timings=Timings(check=5)), tmp_path)
    with ExitStack() as opened:
        haproxy, _ = started_front(plan, tmp_path, opened)
        opened.callback(Service.may_answer.set)
        end = time.monotonic() + 60
        while not _answers(plan.ports.front):
            assert time.monotonic() < end, (tmp_path / "haproxy.log").read_text()
            time.sleep(0.05)
        yield haproxy


def asked_front(port: int, headers: dict[str, str]) -> tuple[int, str | None]:
    """The status of an answer, and what the service was told that the browser spoke."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as browser:
        browser.request("GET", "/", headers=headers)
        answer = browser.getresponse()
        return answer.status, answer.getheader("Spoken")


def state_of(plan: Plan, name: str) -> str:
    """Of a service, as HAProxy of a sees it: UP or DOWN, and what the last look said."""
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(10)
        admin.connect(f"{plan.filled(plan.data_dir, plan.nodes[0])}/haproxy.sock")
        admin.sendall(b"show stat\n")
        said = b"".join(iter(lambda: admin.recv(1 << 16), b"")).decode()
    rows = csv.DictReader(said.removeprefix("# ").splitlines())
    row = next(each for each in rows if (each["pxname"], each["svname"]) == ("service", name))
    return " ".join(row[each] for each in ("status", "check_status", "last_chk"))


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(300)
def test_the_front_asks_only_who_shows_the_certificate_of_its_node_and_asks_again_once_it_is_renewed(
    plan: Plan, tmp_path: Path
) -> None:
    write_files(replace(plan, virtual_ip=""), tmp_path / "stranger")
    ended = tmp_path / "ended"
    ended.mkdir()
    for name in ("ca.crt", "ca.key"):
        shutil.copyfile(tmp_path / name, ended / name)
    write_certificates(plan, ended, valid=timedelta(hours=-1))
    with ExitStack() as opened:
        _, services = started_front(plan, tmp_path, opened)

        def until(name: str, state: str, says: str) -> None:
            end, seen = time.monotonic() + 90, ""
            while not (seen.startswith(state) and says in seen):
                assert time.monotonic() < end, (seen, (tmp_path / "haproxy.log").read_text()[-2000:])
                time.sleep(0.05)
                with suppress(OSError):  # it has just been started
                    seen = state_of(plan, name)

        # Of another authority; of another node of this one; of this node, and over.
        for place in (tmp_path / "stranger/service.d/c", tmp_path / "service.d/a", ended / "service.d/c"):
            until("c", "UP", "L7OK")
            services["c"].shows(place)
            until("c", "DOWN", "L6RSP")  # the handshake was ended
            services["c"].shows(tmp_path / "service.d/c")
        for node in plan.nodes:
            until(node.name, "UP", "L7OK")
        port = plan.ports.front
        assert [asked_front(port, told) for told in ({}, {"X-Forwarded-Proto": "https"})] == [
            (200, "http"),  # which a service that is asked by TLS would not know
            (200, "https"),  # as who stands before HAProxy says
        ]


def _answers(port: int) -> bool:
    with suppress(OSError, HTTPException), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as said:
        return said.read() == b"ok"
    return False


@pytest.mark.fault
@pytest.mark.untimed
def test_a_front_that_leaves_breaks_no_request_and_ends_each_connection_between_two(
    front: subprocess.Popen[bytes], plan: Plan, tmp_path: Path
) -> None:
    with ExitStack() as opened:
        idle, busy, slow = (
            opened.enter_context(closing(HTTPConnection("127.0.0.1", plan.ports.front, timeout=60))) for _ in range(3)
        )
        for each in (idle, busy):
            each.request("GET", "/")
            assert each.getresponse().read() == b"ok"
        slow.request("GET", "/slow")
        assert Service.asked.wait(60)
        stop = Unit.read(tmp_path / "a" / "esteio-keepalived.service").stop
        steps = [
            shlex.split(each.removeprefix("-")) for each in stop if "/nft " not in each
        ]  # those are for a whole machine
        leaving = threading.Thread(target=lambda: [subprocess.run(each, timeout=60) for each in steps])
        leaving.start()
        told = ""
        while told != "close":
            busy.request("GET", "/")
            answer = busy.getresponse()
            assert (answer.status, answer.read()) == (200, b"ok"), (tmp_path / "haproxy.log").read_text()
            told = answer.getheader("Connection", "")
        assert idle.sock.recv(1) == b"", "who asks nothing meanwhile hears of the end, too"
        assert front.poll() is None, "a request is under way"
        Service.may_answer.set()
        answer = slow.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok")
        assert front.wait(60) == 0
        leaving.join(60)


@pytest.fixture
def running(plan: Plan, tmp_path: Path) -> Iterator[Plan]:
    """etcd, Redis and Sentinel of all nodes, started as their units say."""
    program("etcd") if etcd() is None else None
    program("redis-server") if redis() is None else None
    started = []
    try:
        for node in plan.nodes:
            for name in ("etcd", "redis", "sentinel"):
                unit = Unit.read(tmp_path / node.name / f"esteio-{name}.service")
                for each in unit.before:
                    checked(*shlex.split(each))
                with (tmp_path / node.name / f"{name}.log").open("wb") as log:
                    started.append(subprocess.Popen(shlex.split(unit.start), stdout=log, stderr=log, cwd=tmp_path))
        yield plan
    finally:
        for each in started:
            each.kill()
        for each in started:
            each.wait(10)


def asking(plan: Plan, node: Node, port: int, **more: Any) -> Redis:
    place = plan.place
    assert place is not None
    tls = {"ssl_ca_certs": place / "ca.crt", "ssl_certfile": place / "tls.crt", "ssl_keyfile": place / "tls.key"}
    files = {name: str(path) for name, path in tls.items()}
    return Redis(host=node.address, port=port, ssl=True, socket_timeout=2, **files, **more)


def _settled(plan: Plan) -> bool:
    first = plan.nodes[0]
    with (
        suppress(OSError),
        urllib.request.urlopen(f"http://{first.address}:{plan.ports.etcd_health}/health", timeout=2) as said,
    ):
        if b'"true"' not in said.read():
            return False
        for node in plan.nodes:
            with asking(plan, node, plan.ports.sentinel, decode_responses=True) as sentinel:
                seen = sentinel.sentinel_master(plan.name)
                if (seen["ip"], int(seen["num-slaves"]), int(seen["num-other-sentinels"])) != (first.address, 2, 2):
                    return False
        return True
    return False


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(240)
def test_three_etcds_vote_three_sentinels_know_both_copies_and_patroni_finds_its_file_valid(
    running: Plan, tmp_path: Path
) -> None:
    end = time.monotonic() + 90
    while not _settled_quietly(running):
        logs = {path.name: path.read_text(errors="replace")[-400:] for path in tmp_path.rglob("*.log")}
        assert time.monotonic() < end, logs
        time.sleep(0.1)
    second = running.nodes[1]
    with asking(running, second, running.ports.redis, password=running.secrets.redis) as copy:
        assert copy.info("replication")["master_link_status"] == "up"
    first = tmp_path / "a"
    assert "replicaof" not in (first / "sentinel.conf").read_text(), "what was generated stays as it is"
    assert "known-replica" in (first / "data" / "sentinel.conf").read_text(), "Sentinel writes into its copy"
    of_data_alone = {"patroni", "postgres", "service"}  # they are not running here
    answered = answered_strangers(running, tmp_path / "stranger")
    strangers = [each for each in answered if not each.startswith(("patroni", "service"))]
    assert strangers == []
    before = {(each.node.name, each.program): each for each in shown(running) if each.program not in of_data_alone}
    assert len(before) == 12
    assert all(each.days is not None and 729 < each.days <= 730 for each in before.values()), before
    lines = dict(line.split("=", 1) for line in (tmp_path / "b/service.env").read_text().splitlines())
    assert [each.code for each in doctor.certificates(lines["REDIS_URL"]).look()] == [FindingCode.TLS_VALID] * 3
    found = [each.code for each in doctor.redis(lines["REDIS_URL"], lines["REDIS_PASSWORD"]).look()]
    assert not {FindingCode.REDIS_REFUSED, FindingCode.REDIS_NODE_AWAY, FindingCode.REDIS_NO_REPLICA} & {*found}, found
    write_certificates(running, tmp_path, renew=True)
    assert [each.problem for each in reload_all(running) if each.program == "redis"] == ["", "", ""]
    after = {(each.node.name, each.program): each for each in shown(running) if each.program not in of_data_alone}
    taken = {program for (name, program), each in after.items() if each.serial != before[name, program].serial}
    assert taken == {"etcd", "etcd peer", "redis"}, "Sentinel reads its own when it starts"
    # Patroni's own check asks etcd as well, so it is made here.
    patroni = [sys.executable, "-m", "patroni", "--validate-config", "--ignore-listen-port"]
    checked(*patroni, f"{first}/patroni.yml")
    wrong = first / "wrong.yml"
    wrong.write_text((first / "patroni.yml").read_text().replace("loop_wait: 1", "loop_wait: many"))
    with pytest.raises(AssertionError, match="loop_wait"):
        checked(*patroni, str(wrong))


def _settled_quietly(plan: Plan) -> bool:
    from redis.exceptions import RedisError

    with suppress(RedisError):
        return _settled(plan)
    return False
