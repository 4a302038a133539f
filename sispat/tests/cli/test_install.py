"""`sispat install` below a directory of the test: what it makes, keeps and leaves; and systemd's word on the unit."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from processos import por_dentro

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None,
    reason="only root gives files to others, and systemd-sysusers makes the account (apt-get install systemd)",
)
NAME = "patrimonio.cidade.sp.gov.br"
ENVIRONMENT = "etc/sispat/sispat.env"
UNIT = "etc/systemd/system/sispat.service"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """An empty system, which has its root."""
    root = tmp_path / "machine"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")
    return root


def installed(root: Path, *more: str) -> str:
    done = por_dentro("install", "--domain", NAME, "--root", str(root), *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def owner(path: Path) -> tuple[str, str, int]:
    """Of a file, by the names of the system that it lies in."""
    root = next(parent for parent in path.parents if (parent / "etc/passwd").exists())
    found = path.stat()
    names = [
        {int(line.split(":")[2]): line.split(":")[0] for line in (root / "etc" / file).read_text().splitlines()}
        for file in ("passwd", "group")
    ]
    return names[0][found.st_uid], names[1][found.st_gid], stat.S_IMODE(found.st_mode)


def test_each_file_has_its_owner_and_mode_and_only_root_and_the_account_read_the_secret(machine: Path) -> None:
    said = installed(machine)
    assert owner(machine / ENVIRONMENT) == ("root", "sispat", 0o640)
    assert owner(machine / "etc/sispat") == ("root", "sispat", 0o750)
    assert owner(machine / "var/lib/sispat") == ("sispat", "sispat", 0o750)
    assert owner(machine / UNIT) == ("root", "root", 0o644)
    assert owner(machine / "usr/local/bin/sispat") == ("root", "root", 0o755)
    secret = re.search(r"SISPAT_SECRET='(\S{40,})'", (machine / ENVIRONMENT).read_text())
    assert secret
    assert secret[1] not in said
    writable = [
        path for path in machine.rglob("*") if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o022
    ]
    assert writable == [], "anybody could write there"
    shown = [path for path in machine.rglob("*") if path.is_file() and secret[1] in path.read_text()]
    assert shown == [machine / ENVIRONMENT]


def test_a_second_run_changes_nothing_and_says_so(machine: Path) -> None:
    installed(machine)
    before = {path: path.lstat().st_mtime_ns for path in machine.rglob("*") if path.is_file()}
    said = installed(machine)
    assert "Nada mudou." in said
    assert {path: path.lstat().st_mtime_ns for path in machine.rglob("*") if path.is_file()} == before


def test_what_a_person_changed_is_kept_with_the_new_one_beside_it(machine: Path) -> None:
    installed(machine)
    unit = machine / UNIT
    unit.write_text(unit.read_text() + "# nosso\n")
    environment = machine / ENVIRONMENT
    environment.write_text(environment.read_text() + "BACKUP_DIR='/mnt/copias'\nSISPAT_PORT='8100'\n")
    said = installed(machine)
    assert unit.read_text().endswith("# nosso\n")
    new = unit.with_name("sispat.service.new").read_text()
    assert 'ReadWritePaths="-/mnt/copias"' in new, "what the settings say is what the unit lets the service write to"
    assert "mudado por alguém" in said
    assert "server 127.0.0.1:8100;" in (machine / "etc/nginx/sites-available/sispat.conf").read_text()
    assert owner(machine / "mnt/copias") == ("sispat", "sispat", 0o750)


def test_a_dry_run_shows_every_file_and_writes_none(machine: Path) -> None:
    before = sorted(machine.rglob("*"))
    said = installed(machine, "--dry-run")
    assert sorted(machine.rglob("*")) == before
    shown = set(re.findall(r"(?m)^(/\S+?)/?  \S+:\S+ 0\d{3}$|^(/\S+) -> ", said))
    assert not re.search(r"SISPAT_SECRET='", said)
    installed(machine)
    made = {f"/{path.relative_to(machine)}" for path in machine.rglob("*") if path.is_file() or path.is_symlink()}
    of_sysusers = {
        path for path in made if path.startswith(("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"))
    }
    of_sysusers |= {path for path in made if path.startswith("/etc/.pwd")}
    assert made - of_sysusers - {"/etc/sispat/installed.json"} <= {name for pair in shown for name in pair}


def test_uninstalling_keeps_data_and_settings_and_says_where(machine: Path) -> None:
    installed(machine)
    precious = machine / "var/lib/sispat/dados"
    precious.write_text("precioso")
    done = por_dentro("uninstall", "--root", str(machine))
    assert done.returncode == 0, done.stderr
    assert precious.read_text() == "precioso"
    assert (machine / ENVIRONMENT).exists(), "without its secret nobody could sign in with a second factor"
    assert not (machine / UNIT).exists()
    assert not (machine / "etc/nginx/sites-available/sispat.conf").exists()
    assert "/var/lib/sispat" in done.stdout
    assert "/etc/sispat/sispat.env" in done.stdout
    assert "Nada mudou." not in installed(machine), "and it can be installed again, on the same data"
    assert precious.read_text() == "precioso"


@pytest.mark.parametrize("proxy", ["nginx", "caddy", "none"])
def test_the_proxy_that_was_asked_for_gets_its_site(machine: Path, proxy: str) -> None:
    said = installed(machine, "--proxy", proxy)
    sites = {"nginx": "etc/nginx/sites-available/sispat.conf", "caddy": "etc/caddy/sispat.caddy"}
    for name, file in sites.items():
        assert (machine / file).exists() == (name == proxy)
    assert ("443" in said) == (proxy != "none"), "the firewall lets in what somebody listens to"


def test_without_a_proxy_the_service_speaks_tls_on_its_own_port(machine: Path) -> None:
    installed(machine, "--proxy", "none", "--certificate", "/etc/ssl/c.pem", "--key", "/etc/ssl/k.pem", "--port", "443")
    environment = (machine / ENVIRONMENT).read_text()
    assert "SISPAT_TLS_CERTIFICATE='/etc/ssl/c.pem'" in environment
    assert "SISPAT_HOST='0.0.0.0'" in environment
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in (machine / UNIT).read_text()


def test_systemd_takes_the_unit_and_finds_it_hardly_exposed(machine: Path) -> None:
    installed(machine)
    unit = (machine / UNIT).read_text()
    analyze = shutil.which("systemd-analyze") or ""
    found = subprocess.run(
        [analyze, "security", "--offline=yes", "--threshold=20", str(machine / UNIT)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert found.returncode == 0, f"more than 2.0: {found.stdout[-300:]}{found.stderr}"
    under_test = machine / "under-test.service"
    under_test.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit).replace("=sispat\n", "=root\n"))
    done = subprocess.run(
        [analyze, "verify", str(under_test)], capture_output=True, text=True, timeout=100, check=False
    )
    assert [line for line in (done.stdout + done.stderr).splitlines() if "under-test" in line] == []


def test_the_command_that_people_type_is_the_services_with_its_settings(machine: Path) -> None:
    installed(machine)
    script = machine / "usr/local/bin/sispat"
    assert subprocess.run(["sh", "-n", str(script)], check=False, timeout=10).returncode == 0
    assert "exec runuser -u sispat -- " in script.read_text()


def test_what_cannot_be_installed_is_said(machine: Path) -> None:
    nameless = por_dentro("install", "--root", str(machine))
    assert nameless.returncode == 2
    assert "--domain" in nameless.stderr
    half = por_dentro("install", "--domain", NAME, "--certificate", "/c", "--root", str(machine))
    assert half.returncode == 2
