"""deploy/ansible makes a cluster of three machines, each with a real systemd; done again it changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import patroni as patroni_package
import pytest
from maquina import Machine, reason

from esteio.cluster import Plan, write_files
from esteio.postgres.embedded._account import resolve_account
from esteio.testing.cluster import missing
from esteio.testing.cluster._programs import programs

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(900)]
PLAYS = Path(__file__).parents[3] / "deploy" / "ansible"
NODES = ("a", "b", "c")
BASE = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")


def test_ansible_lint_finds_nothing(debian_program: Callable[[str], str], tmp_path: Path) -> None:
    shutil.copytree(PLAYS, tmp_path / "plays")  # it writes beside what it reads
    command = [
        debian_program("ansible-lint"),
        "--offline",
        "--strict",
        "--profile",
        "production",
        "site.yml",
        "packages.yml",
    ]
    done = subprocess.run(
        command, cwd=tmp_path / "plays", env=ansible_variables(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def ansible_variables(home: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
    }


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Of three nodes, with the programs that are here; its files are below `tmp_path`."""
    account = resolve_account(None)
    # The units see no home directories, where this Python may lie.
    patroni = f"/usr/bin/env PYTHONPATH={Path(patroni_package.__file__).parents[1]} {BASE} -S -m patroni"
    made = Plan.of(
        ",".join(f"{name}=10.77.0.{number}" for number, name in enumerate(NODES, 1)),
        name="sispat",
        virtual_ip="10.77.0.9/24",
        account=account.name,
        watchdog="off",
        programs=replace(programs(account), patroni=patroni),
    )
    write_files(made, tmp_path / "cluster")
    shutil.copytree(PLAYS, tmp_path / "plays")
    return made


@pytest.fixture
def machines(plan: Plan, tmp_path: Path) -> Iterator[dict[str, Machine]]:
    """One for each node, on one network: a's eth0 is the switch."""
    if not BASE.exists() or str(patroni_package.__file__).startswith(("/root", "/home")):
        pytest.skip(f"the units read no home directories, and here {BASE} is not there, or Patroni lies in one")
    if why := reason() or missing():
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    with ExitStack() as stack:
        made = {name: stack.enter_context(Machine(tmp_path)) for name in NODES}
        for name, machine in made.items():
            if name == "a":
                machine("ip", "link", "add", "eth0", "type", "bridge")
            else:
                into_b = ["type", "veth", "peer", "name", "eth0", "netns", str(machine.pid())]
                in_a = ["nsenter", "-t", str(made["a"].pid()), "-n", "ip", "link"]
                subprocess.run([*in_a, "add", f"to-{name}", *into_b], check=True)
                subprocess.run([*in_a, "set", f"to-{name}", "master", "eth0", "up"], check=True)
            # An address of the link of its own: the same name on the same system would get the same one.
            machine("ip", "link", "set", "eth0", "address", f"02:00:00:00:00:0{name}", "up")
            machine("ip", "address", "add", f"{plan.node(name).address}/24", "dev", "eth0")
        yield made


def test_the_playbook_makes_three_machines_a_cluster_and_changes_nothing_when_it_is_run_again(
    debian_program: Callable[[str], str], plan: Plan, machines: dict[str, Machine], tmp_path: Path
) -> None:
    def played(name: str) -> str:
        """Each machine plays its own part, as if it had been reached."""
        words = [
            debian_program("ansible-playbook"),
            "--inventory",
            f"{tmp_path}/cluster/inventory.yml",
            "--limit",
            name,
        ]
        words += [
            "--connection",
            "local",
            "--extra-vars",
            "ansible_become=false ansible_python_interpreter=/usr/bin/python3",
        ]
        return machines[name](*words, f"{tmp_path}/plays/site.yml", **ansible_variables(Path("/tmp"))).stdout

    with ThreadPoolExecutor(len(NODES)) as side_by_side:
        list(side_by_side.map(played, NODES))
    status = [sys.executable, "-m", "esteio", "cluster", "status", "--config", "/etc/esteio-cluster/cluster.toml"]
    machines["a"].until(lambda: machines["a"](*status, check=False).returncode == 0, 90)
    modes = machines["b"]("find", "/etc/esteio-cluster", "-printf", "%u:%g %m\n").stdout
    assert set(modes.splitlines()) == {f"root:{plan.account} 750", f"root:{plan.account} 640"}
    modes = machines["b"]("find", "/etc/esteio-service", "-printf", "%u:%g %m\n").stdout
    assert sorted(modes.split("\n")) == ["", *[f"root:{plan.account} 640"] * 3, f"root:{plan.account} 750"]
    valid = [sys.executable, "-m", "esteio", "cluster", "certificates", "--config", "/etc/esteio-cluster/cluster.toml"]
    # There is no service here that would show the ones of its own.
    assert machines["c"](*valid, check=False).stdout.count("valid for 730 days") == 18
    enabled = machines["b"]("systemctl", "is-enabled", "esteio-etcd", "esteio-patroni", "esteio-keepalived").stdout
    assert enabled.split() == ["enabled"] * 3
    assert "changed=0" in played("b")
