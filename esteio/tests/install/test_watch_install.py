"""`esteio watch install` below a directory of the test: what it makes, keeps and leaves; and systemd's word on the unit."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from esteio.cli._watch import app
from esteio.cli._watch_install import CannotInstall
from esteio.watch import load

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None,
    reason="only root gives files to others, and systemd-sysusers makes the account (apt-get install systemd)",
)
CONFIG = "etc/esteio-watch/watch.toml"
VARIABLES = "etc/esteio-watch/watch.env"
DATA = "var/lib/esteio-watch"
COMMAND = "usr/local/bin/esteio-watch"
UNIT = "etc/systemd/system/esteio-watch.service"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """An empty system, which has its root."""
    root = tmp_path / "machine"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")
    return root


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def installed(root: Path, *more: str) -> str:
    return said("install", "--root", str(root), *more)


def owner(root: Path, file: str) -> tuple[str, str, int]:
    """By the names of the system that it lies in."""
    found = (root / file).stat()
    names = [
        {int(line.split(":")[2]): line.split(":")[0] for line in (root / "etc" / each).read_text().splitlines()}
        for each in ("passwd", "group")
    ]
    return names[0][found.st_uid], names[1][found.st_gid], stat.S_IMODE(found.st_mode)


def files(root: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def test_each_file_has_its_owner_and_mode_and_what_is_written_first_can_be_read(machine: Path) -> None:
    installed(machine)
    assert owner(machine, "etc/esteio-watch") == ("root", "esteio-watch", 0o750)
    assert owner(machine, CONFIG) == owner(machine, VARIABLES) == ("root", "esteio-watch", 0o640)
    assert owner(machine, DATA) == ("esteio-watch", "esteio-watch", 0o750)
    assert owner(machine, COMMAND) == ("root", "root", 0o755)
    assert owner(machine, UNIT) == ("root", "root", 0o644)
    config = load(machine / CONFIG, {})
    assert config.directory == Path("/") / DATA
    secret = tomllib.loads((machine / CONFIG).read_text())["group"]["secret"]
    assert [path for path in files(machine) if secret in path.read_text()] == [machine / CONFIG]
    assert subprocess.run(["sh", "-n", str(machine / COMMAND)], check=False, timeout=10).returncode == 0


def test_a_second_run_changes_nothing_and_what_a_person_changed_is_kept(machine: Path) -> None:
    installed(machine)
    (machine / CONFIG).write_text("# ours\n")
    unit = machine / UNIT
    unit.write_text(unit.read_text() + "# ours\n")
    before = files(machine)
    assert f"/{UNIT}: beside" in installed(machine)
    assert unit.with_name(f"{unit.name}.new").exists()
    assert files(machine).items() >= before.items()
    assert "Nothing changed." in installed(machine)


def test_a_dry_run_shows_every_file_and_no_secret_and_writes_none(machine: Path) -> None:
    shown = installed(machine, "--dry-run")
    assert set(files(machine)) == {machine / "etc/passwd", machine / "etc/group"}
    for file in (CONFIG, VARIABLES, COMMAND, UNIT, "etc/sysusers.d/esteio-watch.conf"):
        assert re.search(rf"(?m)^/{re.escape(file)}  \S+:\S+ 0\d{{3}}$", shown), file
    assert re.search(r'secret = "MADE-WHEN-IT-IS-INSTALLED"', shown)


def test_uninstalling_keeps_what_is_watched_and_what_is_remembered(machine: Path) -> None:
    installed(machine)
    (machine / DATA / "history.sqlite").write_text("dear")
    told = said("uninstall", "--root", str(machine))
    for file in (CONFIG, VARIABLES, DATA):
        assert f"/{file}" in told.splitlines()[-1]
        assert (machine / file).exists()
    assert not (machine / UNIT).exists()
    assert not (machine / COMMAND).exists()
    assert "Nothing changed." not in installed(machine), "and it can be installed again"
    assert (machine / DATA / "history.sqlite").read_text() == "dear"


def test_systemd_takes_the_unit_and_finds_it_hardly_exposed(machine: Path) -> None:
    installed(machine)
    unit, analyze = (machine / UNIT).read_text(), shutil.which("systemd-analyze") or ""
    assert "ReadWritePaths" not in unit, "only its own directory"
    assert "SuccessExitStatus=143\n" in unit, "stopped in order it has not failed"
    found = subprocess.run(
        [analyze, "security", "--offline=yes", "--threshold=20", str(machine / UNIT)],
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert found.returncode == 0, f"more than 2.0: {found.stdout[-300:]}{found.stderr}"
    under_test = machine / "under-test.service"
    there = re.sub(r"(?m)^ExecStart=.*", "ExecStart=/bin/true", unit)
    under_test.write_text(re.sub(r"(?m)^(User|Group)=.*", r"\1=daemon", there))
    done = subprocess.run([analyze, "verify", str(under_test)], capture_output=True, text=True, timeout=50, check=False)
    assert [line for line in (done.stdout + done.stderr).splitlines() if "under-test" in line] == []


def test_who_is_not_root_is_told_what_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    refused = CliRunner().invoke(app, ["install"]).exception
    assert isinstance(refused, CannotInstall)
    assert "only root installs; --dry-run shows it" in str(refused)
