"""`sispat install` on a machine of its own: a real systemd runs the hardened unit, and people use the command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from maquina import Machine, reason
from pacotes import Made

pytestmark = [
    pytest.mark.fault,
    pytest.mark.untimed,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(reason()), reason=reason() or "-"),
]
BASE = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
RELEASE = Path("/opt/sispat/releases/0.1.0")
LOG = "/var/log/sispat.log"
HOME = ("/root", "/home", "/run/user")


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
    ready = ("curl", "-fsS", "-m", "20", "http://127.0.0.1:8000/api/health/ready")
    machine(*ready)

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
    machine(*ready)
    assert main() == first
    machine("kill", "-9", first)
    machine.until(lambda: main() not in ("0", first), 30)
    machine.until(lambda: machine(*ready, check=False).returncode == 0, 60)
    assert "ana@cidade.gov.br" in machine("sispat", "usuario", "listar").stdout
    watches(machine)
    gone = machine(str(RELEASE / "bin/sispat"), "uninstall").stdout
    assert "/var/lib/sispat" in gone
    assert machine("systemctl", "is-active", "sispat", check=False).stdout.strip() == "inactive"
    assert machine("ls", "/var/lib/sispat/postgres").stdout


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
