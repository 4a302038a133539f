"""Three data nodes of one plan, each on a machine of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from esteio.cluster import PLAN, Plan, read_plan, write_files
from esteio.cluster._authority import AUTHORITY_KEY, SERVICES, write_certificates
from esteio.cluster._client import AUTHORITY, CERTIFICATE, KEY, ask, context_of
from esteio.cluster.certificates import reload_all, shown
from esteio.cluster.operate import ClusterStatus, status
from esteio.postgres import Dsn
from esteio.postgres.embedded._account import resolve_account
from esteio.postgres.embedded._binaries import stage
from esteio.testing.cluster._machine import Machine, Unit
from esteio.testing.cluster._network import Network, remove_stale, run
from esteio.testing.cluster._programs import minors, programs
from esteio.testing.redis._server import Started

__all__ = ["ClusterTrio"]

_NAMES = ("a", "b", "c")
_VIRTUAL = 200
_ETCD, _SENTINEL = "esteio-etcd", "esteio-sentinel"
_POSTGRES = "postgres"
"""In a machine's directory: a link to where its programs of PostgreSQL are."""


class ClusterTrio(Started):
    """`with ClusterTrio(...) as trio:` - a leader, two standbys, a Redis primary that its Sentinels agree on, all answering.

    `service(machine)` is the command of the service on each machine, run with its service.env and, for what generated files
    say, as the plan's account. With `archive` the log is kept until somebody receives it. `surroundings` gives the environment
    of all programs of a machine, from its directory.
    """

    def __init__(
        self,
        *,
        health: str = "/health",
        environment: Mapping[str, str] | None = None,
        archive: bool = False,
        surroundings: Callable[[Path], Mapping[str, str]] = lambda _: {},
    ) -> None:
        self.account = resolve_account(None)
        self.network = Network()
        self._health, self._environment, self._surroundings = health, dict(environment or {}), surroundings
        self._archive = archive
        self.machines: dict[str, Machine] = {}

    def start(self) -> None:
        """Return when any one machine may be lost."""
        remove_stale()
        self.network.start()
        home, address = self.network.home, self.network.address
        found = programs(self.account)
        self._minors = minors(self.account, home)
        plan = Plan.of(
            ",".join(f"{name}={address(number)}" for number, name in enumerate(_NAMES, 1)),
            name="sispat",
            virtual_ip=f"{address(_VIRTUAL)}/24",
            health=self._health,
            account=self.account.name,
            config_dir=f"{home}/{{node}}",
            service_dir=f"{home}/service.d/{{node}}",
            data_dir=f"{home}/{{node}}/data",
            watchdog="off",  # the machine that would be reset is this one
            clients=address(254),
            archive=self._archive,
            environment=self._environment,
            programs=replace(found, postgres=f"{home}/{{node}}/{_POSTGRES}"),
        )
        write_files(plan, home)
        self.plan = read_plan(home / PLAN)  # we ask as who operates it, as none of the nodes
        home.chmod(0o711)  # the account has to pass
        for number, node in enumerate(self.plan.nodes, 1):
            place = home / node.name
            (place / "data").mkdir(mode=0o700)
            (place / _POSTGRES).symlink_to(self._minors[0].directory)
            around = self._surroundings(place)
            space = self.network.plug(node.name, number)
            self.machines[node.name] = Machine(node.name, node.address, space, place, self.account, around)
        self.hand_over()
        for machine in self.machines.values():
            machine.start_again(_ETCD)  # together, as each waits for the others
        for machine in self.machines.values():
            self.boot(machine)
        self.until(lambda: self.status().whole, 180.0)
        self.until(lambda: bool(self.redis_primary()), 30.0)

    def hand_over(self) -> None:
        """Let the account read what was written for each machine, and for the service on it."""
        for node in self.plan.nodes:
            for place in (self.network.home / node.name, Path(self.plan.filled(self.plan.service_dir, node))):
                for path in (place, *place.iterdir()):
                    if not path.is_symlink():  # what it leads to is the system's
                        self.account.own(path)

    def stop(self) -> None:
        """End and remove everything."""
        self.network.stop()
        for machine in self.machines.values():
            machine.reap()

    def boot(self, machine: Machine) -> None:
        """Start all units of a machine, as its systemd would: what follows etcd waits until that says that it serves."""
        if not machine.runs(_ETCD):
            machine.start_again(_ETCD)
        self.until(lambda: self._etcd_serves(machine), 60.0)
        for file in sorted(machine.home.glob("esteio-*.service")):
            if file.stem != _ETCD:
                machine.start_unit(Unit.read(file))

    def _etcd_serves(self, machine: Machine) -> bool:
        """And has agreed with the others on a version: a Patroni that comes before does without watches."""
        with suppress(OSError, ValueError):
            return str(self._ask_etcd(machine, "version")["etcdcluster"]) not in ("not_decided", "3.0.0")
        return False

    def _ask_etcd(self, machine: Machine, path: str, content: bytes | None = None) -> dict[str, Any]:
        node, port = self.plan.node(machine.name), self.plan.ports.etcd
        return dict(json.loads(ask(self.operator(), node, port, path, 2, content=content)))

    def serve(
        self, machine: Machine, command: Sequence[str], more: Mapping[str, str], *, name: str = "service"
    ) -> None:
        """Start the service of a machine, or another program of it, with its service.env and backup.env."""
        files = [machine.home / each for each in ("service.env", "backup.env")]
        lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
        machine.start(name, command, more=dict(line.split("=", 1) for line in lines) | dict(more))

    # -- how it stands

    @property
    def front(self) -> str:
        """The address that always leads to a living HAProxy."""
        return self.network.address(_VIRTUAL)

    def operator(self) -> ssl.SSLContext:
        """Who operates it: it shows a certificate of the cluster, and believes the nodes alone."""
        return context_of(self.plan)

    def status(self) -> ClusterStatus:
        """As the nodes say."""
        return status(self.plan)

    def leader(self) -> Machine | None:
        """Who takes writes."""
        found = self.status().leader
        return self.machines[found.node.name] if found else None

    def holder(self) -> Machine | None:
        """Who has the shared address."""
        for machine in self.machines.values():
            if f" {self.front}/" in run("ip", "-n", machine.space, "-4", "-o", "addr", "show"):
                return machine
        return None

    def dsn(self, database: str = "sispat", user: str = "postgres") -> Dsn:
        """The address of all three, for the superuser."""
        hosts = tuple((each.address, self.plan.ports.postgres) for each in self.plan.data_nodes)
        believed = (("sslmode", "verify-full"), ("sslrootcert", str(self.network.home / AUTHORITY)))
        return Dsn(hosts=hosts, database=database, user=user, password=self.plan.secrets.superuser, parameters=believed)

    def redis_primary(self) -> Machine | None:
        """Which machine most Sentinels hold for the one with Redis' primary, where two of them know its replicas."""
        answers = [self._sentinel_says(each) for each in self.machines.values()]
        for machine in self.machines.values():
            if answers.count(machine.address) > len(answers) // 2:
                return machine
        return None

    def _sentinel_says(self, machine: Machine) -> str:
        with suppress(IndexError):
            return self._sentinel(machine, f"get-master-addr-by-name {self.plan.name}").split("\r\n")[2]
        return ""

    def _sentinel(self, machine: Machine, order: str) -> str:
        with (
            suppress(OSError),
            socket.create_connection((machine.address, self.plan.ports.sentinel), timeout=1) as plain,
            self.operator().wrap_socket(plain, server_hostname=machine.address) as connection,
        ):
            connection.settimeout(1)
            connection.sendall(f"SENTINEL {order}\r\n".encode())
            return connection.recv(200).decode()
        return ""

    def serials(self) -> dict[tuple[str, str], str]:
        """Which certificate each program shows, by machine and program; empty, where it shows none."""
        return {(each.node.name, each.program): each.serial for each in shown(self.plan)}

    def etcd_leader(self) -> Machine:
        """Which machine's etcd leads the others."""
        for machine in self.machines.values():
            with suppress(OSError, KeyError):
                said = self._etcd(machine, "status")
                if said["leader"] == said["header"]["member_id"]:
                    return machine
        raise LookupError("no etcd leads")

    def until(self, holds: Callable[[], bool], seconds: float) -> None:
        """Wait until it holds; TimeoutError with what the cluster says and the ends of all logs."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"not so within {seconds:g} s: {self.status().members}\n{self._logs()}")
            time.sleep(0.1)

    def _logs(self) -> str:
        logs = sorted(path for machine in self.machines.values() for path in machine.home.glob("*.log"))
        ends = {path: path.read_text(errors="replace").splitlines()[-12:] for path in logs}
        return "\n".join(f"--- {path.parent.name}/{path.name}\n" + "\n".join(lines) for path, lines in ends.items())

    def _etcd(self, machine: Machine, what: str, **given: str) -> dict[str, Any]:
        return self._ask_etcd(machine, f"v3/maintenance/{what}", json.dumps(given).encode())

    # -- what is done to it

    def let_etcd_lead(self, machine: Machine) -> None:
        """Let the etcd of that machine lead the others."""
        member = str(self._etcd(machine, "status")["header"]["member_id"])
        if machine is not (leader := self.etcd_leader()):
            self._etcd(leader, "transfer-leadership", targetID=member)
            self.until(lambda: self.etcd_leader() is machine, 10.0)

    def renew_certificates(self) -> None:
        """Bring new ones to all machines and let programs take them; only Sentinels are started again for it."""
        write_certificates(self.plan, self.network.home, renew=True)
        self.hand_over()
        self._reload()
        for machine in self.machines.values():
            machine.end(_SENTINEL, signal.SIGTERM)
            machine.start_again(_SENTINEL)

    def expire_certificates(self, machine: Machine) -> None:
        """Those of that machine and of its service ended an hour ago; its programs show them at once, as after that hour."""
        home, kept = self.network.home, self.network.home / "ended"
        kept.mkdir(mode=0o700)
        for name in (AUTHORITY, AUTHORITY_KEY):
            shutil.copyfile(home / name, kept / name)
        write_certificates(self.plan, kept, valid=timedelta(hours=-1))
        for place in (machine.name, f"{SERVICES}/{machine.name}"):
            for name in (CERTIFICATE, KEY):
                shutil.copyfile(kept / place / name, home / place / name)  # the account stays the owner
        shutil.rmtree(kept)
        self._reload()
        machine.end(_SENTINEL, signal.SIGTERM)
        machine.start_again(_SENTINEL)

    def _reload(self) -> None:
        for each in reload_all(self.plan):
            if each.problem:
                raise RuntimeError(f"{each.program} of {each.node.name} did not take its certificate: {each.problem}")

    def fail_redis_over(self) -> None:
        """Let the Sentinels choose another Redis primary, while the one there is lives."""
        said = self._sentinel(self.machines[_NAMES[0]], f"FAILOVER {self.plan.name}")
        if not said.startswith("+OK"):
            raise RuntimeError(f"the Sentinel of {_NAMES[0]} refused a failover: {said!r}")

    def kill_postmaster(self, machine: Machine) -> None:
        """SIGKILL to the main process of its PostgreSQL."""
        os.kill(self.postmaster(machine), signal.SIGKILL)

    def postmaster(self, machine: Machine) -> int:
        """The main process of its PostgreSQL, as its pid file says; 0 without one."""
        try:
            return int((machine.home / "data/postgres/postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return 0

    def renew_postgres(self, machine: Machine) -> None:
        """Give that machine other programs of PostgreSQL, as a new package of it would: of the other minor version, where
        there is one, else the same ones in another place. Done again, those of before.

        The server that runs keeps those it was started with.
        """
        link, new = machine.home / _POSTGRES, machine.home / f"{_POSTGRES}.new"
        first = self._minors[0].directory
        new.symlink_to(self._second_postgres() if link.resolve() == first.resolve() else first)
        new.replace(link)

    def _second_postgres(self) -> Path:
        if len(self._minors) > 1:
            return self._minors[1].directory
        copy, first = self.network.home / "postgres-renewed", self._minors[0].directory
        if not copy.exists():
            stage(first.parent, copy)
        return copy / first.parent.parent.name / first.parent.name / first.name

    def postgres_version(self, machine: Machine) -> str:
        """Of the programs that the machine has now, such as 15.18."""
        there = (machine.home / _POSTGRES).resolve()
        return next((e.version for e in self._minors if e.directory.resolve() == there), self._minors[0].version)

    def renewed(self, machine: Machine) -> bool:
        """Whether its server runs the programs that the machine has now."""
        with suppress(OSError):  # it is just being restarted
            running = Path(f"/proc/{self.postmaster(machine)}/exe").readlink()
            return running.parent == (machine.home / _POSTGRES).resolve()
        return False

    def wipe(self, machine: Machine) -> None:
        """Throw its database away, of a machine that was killed."""
        shutil.rmtree(Path(machine.home / "data/postgres"))
