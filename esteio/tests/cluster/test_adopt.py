"""A single machine's data becomes the first node's: nothing is lost, nothing is half done, and what cannot be is refused."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from esteio.cluster import Plan, Ports, write_files
from esteio.cluster.adopt import Adoption, AdoptionRefused, _move, plan_adoption
from esteio.cluster.operate import status
from esteio.postgres import Dsn
from esteio.postgres.embedded._account import Account, resolve_account
from esteio.testing.cluster import Unit, etcd, postgres, programs
from esteio.testing.postgres import PostgresServer
from esteio.testing.redis._server import free_port


class Nodes:
    """Three nodes of loopback, whose programs run as their units say."""

    def __init__(self, home: Path, account: Account) -> None:
        self.home, self.account = home, account
        self.plan = Plan.of(
            "a=127.0.0.11,b=127.0.0.12,c=127.0.0.13",
            name="city",
            account=account.name,
            config_dir=f"{home}/{{node}}",
            service_dir=f"{home}/service.d/{{node}}",
            data_dir=f"{home}/{{node}}/data",
            watchdog="off",
            clients="127.0.0.0/8",
            ports=Ports(*(free_port() for _ in range(9))),
            programs=programs(account),
        )
        write_files(self.plan, home)
        for node in self.plan.nodes:
            place = home / node.name
            (place / "data").mkdir(mode=0o700)
            file = place / "patroni.yml"
            # All of loopback has one source address.
            file.write_text(file.read_text().replace(f"replicator {node.address}/32", "replicator 127.0.0.0/8"))
            service = Path(self.plan.filled(self.plan.service_dir, node))
            for path in (place, *place.iterdir(), service, *service.iterdir()):
                account.own(path)
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, node: str, unit: str) -> None:
        command = shlex.split(Unit.read(self.home / node / f"esteio-{unit}.service").start)
        if self.account.foreign:  # the account may not be able to enter the directory of our interpreter
            reach = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
            become = [f"--reuid={self.account.uid}", f"--regid={self.account.gid}", "--clear-groups", *reach]
            command = ["setpriv", *become, "--", *command]
        with (self.home / node / f"{unit}.log").open("ab") as log:
            self._running.append(
                subprocess.Popen(
                    command, cwd="/", stdout=log, stderr=log, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
                )
            )

    def stop(self) -> None:
        for each in reversed(self._running):  # Patroni ends its server in order
            each.terminate()
            with suppress(subprocess.TimeoutExpired):
                each.wait(30)
            each.kill()
            each.wait(10)

    def until(self, holds: Callable[[], object], seconds: float = 90.0) -> None:
        end = time.monotonic() + seconds
        while not holds():
            logs = {str(path): path.read_text(errors="replace")[-1500:] for path in self.home.glob("*/*.log")}
            assert time.monotonic() < end, logs
            time.sleep(0.1)

    def adopt(self, source: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "esteio", "cluster", "adopt", "--data-dir", str(source), "--node", "a"]
        config = ["--config", str(self.home / "cluster.toml")]
        return subprocess.run([*command, *config, *options], capture_output=True, text=True, timeout=100, check=False)

    def rows(self, address: str, password: str, user: str) -> int:
        tls = {"sslmode": "verify-full", "sslrootcert": f"{self.home}/ca.crt"}
        tls |= {"sslcert": f"{self.home}/tls.crt", "sslkey": f"{self.home}/tls.key"}
        where = ((address, self.plan.ports.postgres),)
        dsn = Dsn(hosts=where, database="city", user=user, password=password, parameters=tuple(tls.items()))
        with psycopg.connect(dsn.conninfo, connect_timeout=3) as conn:
            found = conn.execute("SELECT count(*) FROM t").fetchone()
        return int(found[0]) if found else -1


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))  # not pytest's: sockets have short names
    home.chmod(0o711)
    made = Nodes(home, resolve_account(None))
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(home)


@pytest.fixture
def single() -> Iterator[PostgresServer]:
    """A running server with a thousand rows of the role `city`, and a person with a password."""
    found = postgres()  # one that knows TLS, as the cluster's: another major is not adopted
    if found is None:
        reason = "no PostgreSQL with TLS (apt-get install postgresql-15)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    server = PostgresServer(major=found.major)
    server.start()
    try:
        server.embedded.ensure_database("city", owner="city")
        with psycopg.connect(server.dsn("city", "city").conninfo) as conn:
            conn.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        with psycopg.connect(server.dsn("city").conninfo) as conn:
            conn.execute("CREATE ROLE person LOGIN PASSWORD 'of-before' IN ROLE city")
        yield server
    finally:
        server.stop()


def _ended(process: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    return True


def test_what_cannot_be_adopted_is_refused_with_what_to_do_and_stays(
    nodes: Nodes, single: PostgresServer, tmp_path: Path
) -> None:
    source = single.embedded.data_dir
    with pytest.raises(AdoptionRefused, match=r"a server runs on it \(process \d+\); stop its service first"):
        plan_adoption(nodes.plan, "a", source)
    with pytest.raises(AdoptionRefused, match="no data directory of PostgreSQL"):
        plan_adoption(nodes.plan, "a", tmp_path)
    process = int((source / "postmaster.pid").read_text().split("\n", 1)[0])
    single.kill()
    nodes.until(lambda: _ended(process))
    with pytest.raises(AdoptionRefused, match="'in production', not 'shut down'"):
        plan_adoption(nodes.plan, "a", source)
    single.embedded.start()
    single.embedded.stop()
    with pytest.raises(AdoptionRefused, match="no node answers, so nobody knows"):
        plan_adoption(nodes.plan, "a", source)
    other = source / "PG_VERSION"
    own = other.read_text()
    other.write_text("9\n")
    with pytest.raises(AdoptionRefused, match="it is of PostgreSQL 9"):
        plan_adoption(nodes.plan, "a", source)
    other.write_text(own)
    single.embedded.start()
    assert single.embedded.is_alive(), "nothing was changed"


def test_from_another_disk_it_is_copied_and_the_old_one_can_start_no_server(nodes: Nodes, tmp_path: Path) -> None:
    source, target = tmp_path / "postgres", nodes.home / "a/data/postgres"
    (source / "base/1").mkdir(parents=True)
    (source / "base/1/1259").write_bytes(b"rows")
    (target.with_name("postgres.adopting") / "half").mkdir(parents=True)  # of one that was killed
    adoption = Adoption(nodes.plan, nodes.plan.node("a"), source, target, "18.0", 4, renamed=False, checksums=True)
    _move(adoption)
    assert (target / "base/1/1259").read_bytes() == b"rows"
    assert target.stat().st_mode & 0o777 == 0o700
    assert {(target / "base/1/1259").stat().st_uid, target.stat().st_uid} == {nodes.account.uid}
    assert (not source.exists(), (adoption.kept / "base/1/1259").exists()) == (True, True)
    assert [each.name for each in target.parent.iterdir()] == ["postgres"]


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(240)
def test_all_that_the_single_machine_had_is_on_two_nodes_of_the_cluster(nodes: Nodes, single: PostgresServer) -> None:
    if etcd() is None:
        reason = "there is no etcd: .ci/debian unpacks Debian's"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    plan, source = nodes.plan, single.embedded.data_dir
    for node in plan.nodes:
        nodes.start(node.name, "etcd")
    nodes.until(lambda: status(plan).quorum)
    single.embedded.stop()
    away = time.monotonic()
    shown = nodes.adopt(source, "--dry-run")
    assert (shown.returncode, f"becomes the data of node a (127.0.0.11), in {nodes.home}/a/data/postgres" in shown.stdout) == (
        0, True,
    ), shown  # fmt: skip
    assert (source / "PG_VERSION").exists()
    done = nodes.adopt(source, "--yes")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert not any(secret in done.stdout for secret in (plan.secrets.superuser, plan.secrets.service))
    assert not source.exists(), "no service starts on it again"
    nodes.start("a", "patroni")
    nodes.until(lambda: (found := status(plan).leader) is not None and found.node.name == "a")
    assert nodes.rows("127.0.0.11", plan.secrets.service, plan.name) == 1000
    print(f"adopted: away for {time.monotonic() - away:.1f} s, two starts of the command included")
    assert nodes.rows("127.0.0.11", "of-before", "person") == 1000, "people keep their passwords"
    nodes.start("b", "patroni")
    nodes.until(lambda: status(plan).safe)
    assert nodes.rows("127.0.0.12", "of-before", "person") == 1000
    again = nodes.adopt(source, "--yes")
    assert (again.returncode, f"its data is in {nodes.home}/a/data/postgres already" in again.stderr) == (1, True), (
        again
    )
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(
            f"host=127.0.0.11 port={plan.ports.postgres} user={plan.name} dbname={plan.name} sslmode=disable"
        )
    again = nodes.adopt(nodes.home / "b/data/postgres")
    assert (again.returncode, "a server runs on it" in again.stderr) == (1, True), again
