"""The fixtures with real servers and a real browser, for the tests of both distributions."""

import base64
import hashlib
import hmac
import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that: tests that interrupt a
# program would wait in vain. A handler of ours is no such inheritance.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["esteio.testing.pytest_plugin"]

# Hypothesis gives an example 200 ms, which a machine that does much else may stand still for; in CI it does not, by itself.
if settings.get_current_profile_name() == "default":
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")

# Seconds of the files that take longest, on two cores at rest (the sums of `--durations=0`). What is not here is taken to
# be shorter. A file that grows beyond 20 s gets a line: one that begins last runs alone at the end, while the other
# processes have nothing left to do. A wrong number costs time and no test.
LONGEST = {
    "sispat/tests/faults/test_drill.py": 175,
    "sispat/tests/test_doors.py": 160,
    "sispat/tests/faults/test_sispat_faults.py": 130,
    "sispat/tests/cli/test_serve.py": 130,
    "sispat/tests/ui/test_navegador_ano.py": 110,
    "sispat/tests/ui/test_navegador_acessivel.py": 100,
    "sispat/tests/faults/test_operador.py": 100,
    "esteio/tests/backup/test_red_stays_red.py": 90,
    "sispat/tests/faults/test_causas.py": 90,
    "sispat/tests/faults/test_upgrade.py": 85,
    "sispat/tests/faults/test_ansible.py": 72,
    "esteio/tests/serve/test_serve_edge.py": 60,
    "sispat/tests/faults/test_restauracao.py": 60,
    "sispat/tests/faults/test_systemd.py": 55,
    "esteio/tests/watch/test_watch_process.py": 45,
    "sispat/tests/faults/test_prometheus.py": 31,
    "sispat/tests/faults/test_dados_sumidos.py": 31,
    "esteio/tests/postgres/test_patroni.py": 30,
    "sispat/tests/faults/test_import_killed.py": 25,
}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, as far as `LONGEST`, their time limits and their sizes tell; and let those that
    wait (faults, the browser) and those that compute take turns, so that the processors always have something to do.
    """
    limit: dict[Path, float] = {}
    waits: set[Path] = set()
    size = Counter(item.path for item in items)
    for item in items:
        mark = item.get_closest_marker("timeout")
        limit[item.path] = max(
            limit.get(item.path, 0.0), float(mark.args[0]) if mark is not None and mark.args else 0.0
        )
        if item.get_closest_marker("fault") or item.get_closest_marker("browser"):
            waits.add(item.path)
    known = {Path(__file__).parent / name: seconds for name, seconds in LONGEST.items()}
    place: dict[Path, float] = {}
    for kind in (waits, size.keys() - waits):
        ordered = sorted(kind, key=lambda path: (-known.get(path, 0), -limit[path], -size[path], path))
        place |= {path: number / len(ordered) for number, path in enumerate(ordered)}
    items.sort(key=lambda item: (place[item.path], item.path))  # a file's tests stay together, in their order


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; without it the test is skipped, and in CI fails."""
    found = shutil.which("chromium")
    if found is None:
        reason = "chromium is not installed (apt-get install chromium)"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def debian_program() -> Callable[[str], str]:
    """The path of a program of Debian's by its name (`.ci/debian`); without it the test is skipped, and in CI fails."""

    def found(name: str) -> str:
        unpacked = Path(__file__).parent / ".venv" / "debian" / "usr"
        for path in (unpacked / "sbin" / name, unpacked / "bin" / name):
            if path.exists():
                return str(path)
        installed = shutil.which(name)
        if installed is None:
            reason = f"{name} is not here (.ci/debian)"
            if os.environ.get("CI", "").lower() in ("1", "true"):
                pytest.fail(reason)
            pytest.skip(reason)
        return installed

    return found


@dataclass(frozen=True)
class Azurite:
    """Microsoft's emulator of Azure's storage, with the container `copias` in it."""

    address: str
    account: str = "devstoreaccount1"
    # Published by Microsoft for its emulator.
    key: str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def url(self, folder: str) -> str:
        """Of a store in the container."""
        return f"az://{self.account}/copias/{folder}?endpoint={self.address}"

    def make_container(self, running: "subprocess.Popen[bytes]") -> None:
        """Once it answers."""
        at, version = f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT", "2021-08-06"
        place = f"/{self.account}/{self.account}/copias"
        signed = f"PUT{chr(10) * 12}x-ms-date:{at}\nx-ms-version:{version}\n{place}\nrestype:container"
        digest = hmac.new(base64.b64decode(self.key), signed.encode(), hashlib.sha256).digest()
        signature = f"SharedKey {self.account}:{base64.b64encode(digest).decode()}"
        headers = {"x-ms-date": at, "x-ms-version": version, "Authorization": signature}
        import httpx2  # here, as the core's own tests import this file where nothing but Esteio is installed

        deadline = time.monotonic() + 60
        while True:
            try:
                made = httpx2.put(f"{self.address}/copias?restype=container", headers=headers)
            except httpx2.TransportError:
                assert running.poll() is None, "azurite ended"
                assert time.monotonic() < deadline, "azurite does not answer"
                time.sleep(0.1)
            else:
                assert made.status_code == 201, made.text
                return


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """It; without it the test is skipped, and in CI fails."""
    node = shutil.which("node")
    program = Path(__file__).parent / ".venv/azurite/node_modules/azurite/dist/src/blob/main.js"
    if node is None or not program.exists():
        assert os.environ.get("CI") != "true", "azurite is not here"
        pytest.skip("azurite is not here (.ci/azurite)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = str(tmp_path_factory.mktemp("azurite"))
    options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--location", place]
    command = [node, str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:  # noqa: S603
        try:
            found = Azurite(f"http://127.0.0.1:{port}/{Azurite.account}")
            found.make_container(running)
            yield found
        finally:
            running.kill()
