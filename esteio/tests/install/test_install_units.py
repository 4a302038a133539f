"""systemd itself reads the units, and says how exposed they are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from esteio.install import ServiceUnit, unit_word
from esteio.watch._example import systemd_unit

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here (apt-get install systemd)")
UNIT = ServiceUnit(
    description="A service",
    command=["/bin/true", "a b", "100%", "$HOME"],
    user="daemon",
    environment_file=Path("/etc/service.env"),
    environment={"NAME": "a value"},
    writable=[Path("/var/lib/service"), Path("/mnt/two words")],
    runtime_directory="service",
    stored_sockets=8,
)


def verified(text: str, directory: Path) -> str:
    """What systemd has against the unit; '' when it takes it as it is."""
    path = directory / "under-test.service"
    path.write_text(text)
    done = subprocess.run(
        [ANALYZE or "", "verify", str(path)], capture_output=True, text=True, timeout=100, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if "under-test" in line]
    return "\n".join(said)


def exposure(text: str, directory: Path) -> float:
    """From 0 to 10, as `systemd-analyze security` counts it."""
    path = directory / "under-test.service"
    path.write_text(text)
    done = subprocess.run(
        [ANALYZE or "", "security", "--offline=yes", "--json=short", str(path)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    rows = json.loads(done.stdout)
    weights = subprocess.run(
        [ANALYZE or "", "security", "--offline=yes", "--threshold=0", str(path)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", weights.stdout)
    assert rows, done.stderr
    assert found, weights.stdout
    return float(found[1])


@needs_systemd
def test_systemd_takes_the_unit_as_it_is(tmp_path: Path) -> None:
    assert verified(UNIT.text, tmp_path) == ""
    broken = UNIT.text.replace("RestartSec=1", "RestartSec=soon")
    assert "Failed to parse" in verified(broken, tmp_path), "this test could not fail"


@needs_systemd
def test_the_exposure_of_a_service_is_low(tmp_path: Path) -> None:
    assert exposure(UNIT.text, tmp_path) <= 2.0
    bare = "[Service]\nExecStart=/bin/true\n"
    assert exposure(bare, tmp_path) > 8.0, "this test could not fail"


@needs_systemd
def test_the_unit_of_a_watcher_is_as_closed(tmp_path: Path) -> None:
    text = systemd_unit(Path("/var/lib/esteio-watch/watch.toml"))
    text = re.sub(r"(?m)^ExecStart=.*", "ExecStart=/bin/true", text)
    text = text.replace("esteio-watch\nGroup=esteio-watch", "daemon\nGroup=daemon")
    assert verified(text, tmp_path) == ""
    assert exposure(text, tmp_path) <= 2.0


def test_what_a_killed_service_left_goes_on_only_where_systemd_holds_sockets_for_it() -> None:
    kept = "KillMode=process\nFileDescriptorStoreMax=8\nRuntimeDirectoryPreserve=restart\n"
    assert kept in UNIT.text
    assert "KillMode=mixed\n" in ServiceUnit(description="A", command=["/bin/true"], user="daemon").text


def test_a_port_below_1024_is_the_only_privilege_there_is() -> None:
    assert "CapabilityBoundingSet=\n" in UNIT.text
    low = ServiceUnit(description="A", command=["/bin/true"], user="daemon", capabilities=["CAP_NET_BIND_SERVICE"])
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n" in low.text


def test_words_are_quoted_so_that_systemd_reads_them_back() -> None:
    assert unit_word('a "b" 100% $HOME \\') == '"a \\"b\\" 100%% $$HOME \\\\"'
