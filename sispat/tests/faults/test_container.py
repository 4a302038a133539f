"""deploy/compose: the image is built, of our wheels and Debian's packages, and podman runs it by its Compose files.

Minutes on a busy machine: only where SISPAT_IMAGE is set, as in `make rounds`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from imagem import write_base
from maquina import Machine, reason
from pacotes import RAIZ, Made

from esteio.cluster import Plan, write_files
from esteio.cluster._postgres import patroni

pytestmark = [
    pytest.mark.fault,
    pytest.mark.untimed,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not os.environ.get("SISPAT_IMAGE"), reason="the image is built by `make rounds` (SISPAT_IMAGE=1)"
    ),
]
PATIENCE = 300
# Storage in memory, on what is no overlay itself; no cgroups, as those of the machine are none of ours.
STORAGE = """[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
"""
ENGINE = """[containers]
cgroups = "disabled"
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
"""
# As docs/how-to/three-machines.md has it.
TOLD = {
    "SISPAT_HOST": "{address}",
    "SISPAT_FORWARDED_ALLOW_IPS": "{addresses}",
    "SISPAT_DRAIN_DELAY": "2s",
    "SISPAT_TLS_CERTIFICATE": "{certificate}",
    "SISPAT_TLS_KEY": "{key}",
}
# What a node has beside the service: its files, where they belong, and PostgreSQL, as its Patroni would start it.
NODE = """set -e
ip address add 10.77.0.1/32 dev lo
mkdir -p /etc/esteio-cluster /etc/esteio-service
cp -r "$1"/a/. /etc/esteio-cluster
cp -r "$1"/service.d/a/. /etc/esteio-service
chown -R root:postgres /etc/esteio-cluster
chown -R root:10001 /etc/esteio-service
chmod -R u=rwX,g=rX,o= /etc/esteio-cluster /etc/esteio-service
install -d -o postgres -m 700 /var/lib/esteio-cluster
postgres() { (cd / && runuser -u postgres -- "/usr/lib/postgresql/15/bin/$@"); }
postgres initdb --pgdata /var/lib/esteio-cluster/postgres --auth trust --locale C.UTF-8 > /dev/null
cp "$1"/pg_hba.conf /var/lib/esteio-cluster/postgres
chmod 644 /var/lib/esteio-cluster/postgres/pg_hba.conf
tls="-c ssl=on -c ssl_ca_file=/etc/esteio-cluster/ca.crt"
tls="$tls -c ssl_cert_file=/etc/esteio-cluster/tls.crt -c ssl_key_file=/etc/esteio-cluster/tls.key"
postgres pg_ctl start -w -t 120 -D /var/lib/esteio-cluster/postgres -l /var/lib/esteio-cluster/log \
    -o "-c listen_addresses=10.77.0.1 -c unix_socket_directories=/tmp -c wal_level=replica $tls"
postgres psql -q -X -v ON_ERROR_STOP=1 -h /tmp -f /etc/esteio-cluster/bootstrap.sql
"""
WITH_CERTIFICATE = """select count(*) from pg_stat_ssl join pg_stat_activity using (pid)
where usename = 'sispat' and ssl and client_dn <> ''"""


def missing() -> str:
    """Why no container can be had here; '' where it can."""
    if why := reason():
        return why
    if absent := [each for each in ("podman", "crun") if shutil.which(each) is None]:
        return f"not here: {', '.join(absent)} (.ci/debian)"
    return ""


@pytest.fixture(scope="module")
def folder(made: Made) -> Iterator[Path]:
    """What the image is built from, as in the root of the project, and the base, with what the wheels need."""
    if why := missing():
        pytest.fail(why)  # whoever set SISPAT_IMAGE asked for it
    if sys.base_prefix == "/usr":
        pytest.skip("Debian's own Python looks for packages elsewhere than one in /usr/local")
    directory = made.directory / "image"
    try:
        place = directory / "deploy" / "compose"
        shutil.copytree(RAIZ / "deploy" / "compose", place)
        (directory / "dist").mkdir()
        for each in (*made.first_wheels, RAIZ / "requirements.lock", RAIZ / ".dockerignore"):
            shutil.copy(each, directory / "dist" if each.suffix == ".whl" else directory)
        (place / "sispat.env").write_text(f"SISPAT_SECRET={'s' * 40}\nSISPAT_CITY_NAME=Rio Novo\n")
        told = yaml.safe_load((place / "compose.yaml").read_text())
        assert told["services"]["sispat"].pop("mem_limit"), "without cgroups there is no limit of memory"
        (place / "compose.yaml").write_text(yaml.safe_dump(told))
        write_base(directory / "base.tar", made)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def machine(folder: Path) -> Iterator[Machine]:
    """A machine with podman, and the image in it."""
    with Machine(folder) as booted:
        for place, text in {"storage.conf": STORAGE, "containers.conf": ENGINE}.items():
            booted("tee", f"/etc/containers/{place}", given=text)
        # crun refuses to run beside controllers of both generations, even where it uses none.
        booted("umount", "--lazy", "/sys/fs/cgroup/unified", check=False)
        booted("mkdir", "-p", "/var/lib/containers")
        booted("mount", "-t", "tmpfs", "-o", "size=4g", "containers", "/var/lib/containers")
        booted("podman", "import", "--quiet", str(folder / "base.tar"), "localhost/base:1")
        booted(
            "podman", "build", "--quiet", "--layers=false", "--format", "docker", "--network", "host", "--isolation", "chroot",
            "--build-arg", "BASE=localhost/base:1", "--build-arg", "PIP_NO_INDEX=1", "--tag", "sispat:0.1.0",
            "--file", str(folder / "deploy/compose/Containerfile"), str(folder),
        )  # fmt: skip
        yield booted


@dataclass(frozen=True)
class Composed:
    """The one container of a Compose file."""

    machine: Machine
    file: Path
    address: str = "http://127.0.0.1"

    def __call__(self, *words: str) -> None:
        self.machine(f"{sys.prefix}/bin/podman-compose", "--file", str(self.file), *words)

    def up(self) -> None:
        self("up", "--detach", "--no-build")
        self.until_ready()

    def until_ready(self) -> None:
        self.machine.until(self.is_ready, PATIENCE)

    def is_ready(self) -> bool:
        trusted = ("--cacert", "/etc/esteio-cluster/ca.crt") if self.address.startswith("https") else ()
        asked = (*trusted, f"{self.address}:8000/api/health/ready")
        return self.machine("curl", "-fsS", "-m", "20", *asked, check=False).returncode == 0

    def is_healthy(self) -> bool:
        return self.machine("podman", "healthcheck", "run", self.told(".Id"), check=False).returncode == 0

    def told(self, field: str) -> str:
        (name,) = self.machine("podman", "ps", "--all", "--quiet").stdout.split()
        return self.machine("podman", "inspect", "--format", "{{" + field + "}}", name).stdout.strip()

    def inside(self, *words: str, given: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.machine("podman", "exec", "--interactive", self.told(".Id"), *words, given=given, check=check)

    def add_ana(self) -> None:
        who = ("--email", "ana@cidade.gov.br", "--nome", "Ana", "--papel", "administrador")
        self.inside("sispat", "usuario", "criar", *who, given="uma senha comprida\n")

    def has_ana(self) -> bool:
        return "ana@cidade.gov.br" in self.inside("sispat", "usuario", "listar", check=False).stdout


def test_whatever_is_killed_comes_back_and_the_volumes_outlive_the_container(machine: Machine, folder: Path) -> None:
    sispat = Composed(machine, folder / "deploy/compose/compose.yaml")
    image = json.loads(machine("podman", "image", "inspect", "sispat:0.1.0").stdout)[0]
    assert image["Config"]["StopSignal"] == "SIGTERM"
    sispat("run", "--rm", "-T", "sispat", "sispat", "backup", "init")
    sispat.up()
    machine.until(sispat.is_healthy, PATIENCE)
    process_1_is_the_supervisor_without_privileges(sispat)
    sispat.add_ana()
    sispat.inside("sispat", "backup", "run")

    sispat.inside("sh", "-c", "kill -9 $(head -n 1 /var/lib/sispat/postgres/postmaster.pid)")
    machine.until(lambda: sispat.is_ready() and sispat.has_ana(), PATIENCE)
    left = "cat /proc/[0-9]*/stat | grep -c ') Z '"  # what the dead PostgreSQL left behind, until process 1 reaps it
    machine.until(lambda: sispat.inside("sh", "-c", left, check=False).stdout.strip() == "0", PATIENCE)

    first = sispat.told(".State.Pid")
    machine("kill", "-9", first)
    machine.until(lambda: sispat.told(".State.Pid") not in ("0", first) and sispat.is_ready(), PATIENCE)
    assert sispat.has_ana()

    sispat("stop")
    assert sispat.told(".State.ExitCode") == "0", "it did not end in order"
    sispat("down")
    sispat.up()
    assert sispat.has_ana(), "the volumes went with the container"
    assert "dump" in sispat.inside("sispat", "backup", "list").stdout
    sispat("down", "--volumes")


def process_1_is_the_supervisor_without_privileges(sispat: Composed) -> None:
    assert sispat.inside("cat", "/proc/1/cmdline").stdout.rstrip("\0").split("\0")[-2:] == [
        "/usr/local/bin/sispat",
        "serve",
    ]
    status = sispat.inside("cat", "/proc/1/status").stdout
    for line in ("Uid:\t10001\t10001", "NoNewPrivs:\t1", "CapBnd:\t0000000000000000", "Seccomp:\t2"):
        assert line in status, line
    assert "Read-only file system" in sispat.inside("touch", "/usr/new", check=False).stderr


def test_the_service_of_a_node_of_three_runs_with_what_was_written_for_it(machine: Machine, folder: Path) -> None:
    plan = Plan.of("a=10.77.0.1,b=10.77.0.2,c=10.77.0.3", name="sispat", environment=TOLD)
    write_files(plan, folder / "cluster")
    rules = ["local all all trust", *patroni(plan, plan.nodes[0])["postgresql"]["pg_hba"]]
    (folder / "cluster" / "pg_hba.conf").write_text("\n".join(rules) + "\n")
    machine("bash", "-c", NODE, "node", str(folder / "cluster"))
    sispat = Composed(machine, folder / "deploy/compose/compose.cluster.yaml", "https://10.77.0.1")
    sispat.up()
    machine.until(sispat.is_healthy, PATIENCE)
    sispat.add_ana()
    assert sispat.has_ana()
    seen = machine(
        "/usr/lib/postgresql/15/bin/psql", "-XAt", "-h", "/tmp", "-U", "postgres", "-c", WITH_CERTIFICATE
    ).stdout
    assert int(seen) > 0, "the service shows its certificate"
    sispat("stop")
    assert sispat.told(".State.ExitCode") == "0", "it did not end in order"
    sispat("down", "--volumes")
