"""`sispat install` on a machine of its own: a real systemd runs the hardened unit, and people use the command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from maquina import Machine, reason
from pacotes import Made

pytestmark = [
    pytest.mark.fault,
    pytest.mark.untimed,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(reason()), reason=reason() or "-"),
]
BASE = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
RELEASE = Path("/opt/sispat/releases/0.1.0")
LOG = "/var/log/sispat.log"
HOME = ("/root", "/home", "/run/user")
READY = ("curl", "-fsS", "-m", "20", "http://127.0.0.1:8000/api/health/ready")
WORKERS = """
for each in $(cat "/proc/$1/task/$1/children"); do if grep -qa spawn_main "/proc/$each/cmdline"; then echo "$each"; fi; done
"""
# Four people who each ask for a page over a new connection, until there is a file /run/enough.
ASKING = """
import http.client, json, os, threading, time
answers, lost = [], []
def ask():
    while not os.path.exists("/run/enough"):
        connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=60)
        try:
            connection.request("GET", "/entrar")
            answers.append(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            lost.append(repr(error))
        finally:
            connection.close()
        if len(answers) > 20:
            open("/run/asking", "w").close()
        time.sleep(0.05)
people = [threading.Thread(target=ask) for _ in range(4)]
for each in people: each.start()
for each in people: each.join()
print(json.dumps({"answers": answers, "lost": lost}))
"""


@pytest.fixture
def machine(made: Made) -> Iterator[Machine]:
    """A machine with the release in its place, as `pip install` leaves it."""
    if not BASE.exists() or str(made.source).startswith(HOME):
        pytest.skip(f"the unit reads no home directories, and here {BASE} is not there, or the packages lie in one")
    with Machine(made.directory) as booted:
        booted(str(BASE), "-m", "venv", "--without-pip", str(RELEASE))
        booted(
            sys.executable, "-m", "uv", "pip", "install", "--no-deps", "--offline", "--no-cache", "-q",
            "--python", str(RELEASE / "bin/python"), *map(str, made.first_wheels), HOME="/tmp",
        )  # fmt: skip
        # What the wheels need comes from here, by a path that a service may read.
        site = RELEASE / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        booted("sh", "-c", f"cp -a {made.needed}/. {site}/")
        # There is no journald on it.
        booted("mkdir", "-p", "/etc/systemd/system/sispat.service.d")
        logged = f"[Service]\nStandardOutput=append:{LOG}\nStandardError=append:{LOG}\n"
        booted("tee", "/etc/systemd/system/sispat.service.d/log.conf", given=logged)
        yield booted


def test_the_unit_serves_restarts_reloads_and_leaves_data_behind(machine: Machine) -> None:
    done = machine(str(RELEASE / "bin/sispat"), "install", "--domain", "patrimonio.test", check=False)
    log = machine("sh", "-c", f"systemctl status --no-pager sispat; cat {LOG}", check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{log.stdout}{log.stderr}"
    installed = done.stdout
    assert "/etc/systemd/system/sispat.service: criado" in installed
    assert machine("systemctl", "is-active", "sispat").stdout.strip() == "active", "it told systemd that it is ready"
    machine(*READY)

    def main() -> str:
        return machine("systemctl", "show", "-p", "MainPID", "--value", "sispat").stdout.strip()

    status = machine("cat", f"/proc/{main()}/status").stdout
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status
    # The command that people type: the service's account and settings, its database by its own socket.
    machine(
        "sispat", "usuario", "criar", "--email", "ana@cidade.gov.br", "--nome", "Ana", "--papel", "administrador",
        given="uma senha comprida\n",
    )  # fmt: skip
    assert "ana@cidade.gov.br" in machine("sispat", "usuario", "listar").stdout
    assert "Prova" in machine("sispat", "backup", "run").stdout or machine("sispat", "backup", "list").stdout
    owners = machine("find", "/var/lib/sispat", "!", "-user", "sispat").stdout
    assert owners == "", "root's commands left files that lock the service out"
    assert "Nada mudou." in machine(str(RELEASE / "bin/sispat"), "install", "--domain", "patrimonio.test").stdout
    first = main()
    machine("systemctl", "reload", "sispat")
    machine(*READY)
    assert main() == first
    survives_its_supervisor(machine, main)
    leaves_no_process(machine, main)
    assert "ana@cidade.gov.br" in machine("sispat", "usuario", "listar").stdout
    watches(machine)
    gone = machine(str(RELEASE / "bin/sispat"), "uninstall").stdout
    assert "/var/lib/sispat" in gone
    assert machine("systemctl", "is-active", "sispat", check=False).stdout.strip() == "inactive"
    assert machine("ls", "/var/lib/sispat/postgres").stdout


def processes(machine: Machine) -> set[str]:
    """All of the service's account."""
    return set(
        machine("find", "/proc", "-maxdepth", "1", "-user", "sispat", "-printf", "%f ", check=False).stdout.split()
    )


def postmaster(machine: Machine) -> str:
    return machine("head", "-n", "1", "/var/lib/sispat/postgres/postmaster.pid").stdout.strip()


def survives_its_supervisor(machine: Machine, main: Callable[[], str]) -> None:
    """kill -9 of the main process: no request is lost, and PostgreSQL is the same one."""
    first, server = main(), postmaster(machine)
    workers = set(machine("sh", "-c", WORKERS, "sh", first).stdout.split())
    assert len(workers) >= 2
    assert workers <= processes(machine)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(machine, str(BASE), "-c", ASKING)
        try:
            machine.until(lambda: machine("test", "-e", "/run/asking", check=False).returncode == 0, 60)
            machine("kill", "-9", first)
            machine.until(lambda: main() not in ("0", first), 60)
            machine.until(lambda: not workers & processes(machine), 120)  # those of the next one are ready
        finally:
            machine("touch", "/run/enough")
        asked = json.loads(asking.result(120).stdout)
    assert asked["lost"] == []
    assert set(asked["answers"]) == {200}
    assert postmaster(machine) == server
    machine(*READY)


def leaves_no_process(machine: Machine, main: Callable[[], str]) -> None:
    """After a stop there is none, whether or not a supervisor lived, and PostgreSQL was not cut off."""
    machine("systemctl", "stop", "sispat")
    machine.until(lambda: processes(machine) == set(), 60)
    machine("systemctl", "start", "sispat")
    machine("kill", "-9", main())
    machine("systemctl", "stop", "sispat")
    machine.until(lambda: processes(machine) == set(), 120)
    machine("systemctl", "start", "sispat")
    machine(*READY)
    logs = machine("sh", "-c", "cat /var/lib/sispat/postgres/log/*").stdout
    assert "database system was shut down" in logs
    assert "not properly shut down" not in logs


def watches(machine: Machine) -> None:
    """`esteio watch install`, on the same machine: its unit looks at the service and is started again."""
    esteio = str(RELEASE / "bin/esteio")
    assert "/etc/systemd/system/esteio-watch.service: created" in machine(esteio, "watch", "install").stdout
    assert machine("systemctl", "is-active", "esteio-watch", check=False).stdout.strip() == "inactive"
    machine("sed", "-i", "s#8000/health#8000/api/health/ready#; s/^json = .*//", "/etc/esteio-watch/watch.toml")
    assert "is well" in machine("esteio-watch", "check").stdout
    machine("systemctl", "start", "esteio-watch")

    def state() -> str:
        told = machine("esteio-watch", "status", "--json", check=False).stdout
        return str(json.loads(told)["states"].get("service", {}).get("state")) if told else ""

    machine.until(lambda: state() in ("up", "degraded"), 60)  # slow, on a busy machine
    machine("systemctl", "kill", "-s", "KILL", "esteio-watch")
    machine.until(lambda: machine("systemctl", "is-active", "esteio-watch", check=False).stdout.strip() == "active", 60)
    owners = machine("find", "/var/lib/esteio-watch", "!", "-user", "esteio-watch").stdout
    assert owners == "", "root's commands left files that lock the watcher out"
    assert "These stay: /etc/esteio-watch/watch.toml" in machine(esteio, "watch", "uninstall").stdout
    assert machine("systemctl", "is-active", "esteio-watch", check=False).stdout.strip() == "inactive"
