"""Each check tells well from ill by the real thing, says why, and hangs for nobody."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest

from esteio.health import Check, HistoryReader, Measurements, Monitor, Result, Status, Unwell, checks
from esteio.health._history import History, Observation
from esteio.health.series import Field, State
from esteio.postgres import Database, Dsn
from esteio.testing import ManualClock


@asynccontextmanager
async def server(
    answer: bytes = b"", context: ssl.SSLContext | None = None, silent: bool = False
) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not silent:
            if answer:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
            writer.close()

    served = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield served.sockets[0].getsockname()[1]
    finally:
        served.close()


async def test_http_tells_an_answer_from_another_one_and_from_none() -> None:
    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as port:
        well = await checks.http(f"http://127.0.0.1:{port}/x?y=1", name="web").ask()
        other = await checks.http(f"http://127.0.0.1:{port}", name="web", expect=204).ask()
    assert (well.status, well.unit) == (Status.PASS, "ms")
    assert (other.status, other.reason) == (Status.FAIL, "answered 200, not 204")
    assert (await checks.http(f"http://127.0.0.1:{port}", name="web").ask()).reason == "ConnectionRefusedError"
    with pytest.raises(ValueError, match="file:///etc"):
        checks.http("file:///etc", name="web")


async def test_tcp_tells_a_listener_from_none() -> None:
    async with server() as port:
        assert (await checks.tcp("127.0.0.1", port, name="x").ask()).status is Status.PASS
    assert (await checks.tcp("127.0.0.1", port, name="x").ask()).status is Status.FAIL


def run(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


def gone_process() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def certified(folder: Path, days: int) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate for so many days, and of a client that trusts it."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", str(days), "-subj", "/CN=localhost"]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    return served, ssl.create_default_context(cafile=str(certificate))


async def test_tls_says_for_how_many_days_and_what_a_client_would_refuse(tmp_path: Path) -> None:
    served, trusting = certified(tmp_path, 10)
    async with server(context=served) as port:
        few = await checks.tls("localhost", port, context=trusting, timeout=10).ask()
        enough = await checks.tls("localhost", port, context=trusting, warn_below=5, timeout=10).ask()
        refused = await checks.tls("localhost", port, timeout=10).ask()
        nodes = [("localhost", port), ("127.0.0.1", 1)]  # nobody listens at the second one
        several = await checks.certificates(nodes, lambda: trusting, timeout=20).ask()
        silent = await checks.certificates(nodes[1:], lambda: trusting, timeout=20).ask()
    assert (several.status, several.observed) == (Status.WARN, pytest.approx(10, abs=0.1))
    assert silent.status is Status.FAIL
    assert few.status is Status.WARN
    assert few.observed == pytest.approx(10, abs=0.1)
    assert enough.status is Status.PASS
    assert refused.status is Status.FAIL
    assert "refused" in refused.reason


def dated(folder: Path, days: float) -> Path:
    """Key and certificate of localhost that ends in so many days, or ended before, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"localhost {days}")])  # each its own issuer
    end = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(end - timedelta(days=90)).not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / f"{days}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


async def test_a_certificate_is_told_of_before_it_ends_refused_when_it_has_and_well_once_it_is_renewed(
    tmp_path: Path,
) -> None:
    files = {days: dated(tmp_path, days) for days in (60.0, 10.0, 2.0, -0.01)}
    trusting = ssl.create_default_context()
    for file in files.values():
        trusting.load_verify_locations(file)
    front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    seen = []
    async with server(context=front) as port:
        for days in (60.0, 10.0, 2.0, -0.01, 60.0):
            front.load_cert_chain(files[days])  # as a proxy that was reloaded
            found = await checks.tls("localhost", port, context=trusting, timeout=10).ask()
            seen.append((found.status, found.reason))
    assert [status for status, _ in seen] == [Status.PASS, Status.WARN, Status.FAIL, Status.FAIL, Status.PASS]
    assert "valid for 2.0 days more" in seen[2][1]
    assert seen[3][1] == "the certificate is refused: certificate has expired"


async def test_dns_tells_a_name_from_none() -> None:
    assert (await checks.dns("localhost", timeout=20).ask()).status is Status.PASS
    gone = await checks.dns("name.invalid", timeout=20).ask()
    assert (gone.status, gone.reason) == (Status.FAIL, "the name cannot be resolved")


async def test_disk_says_how_much_is_free_and_that_a_directory_is_gone(tmp_path: Path) -> None:
    place = tmp_path / "data"
    place.mkdir()
    assert (await checks.disk(place, warn_below=0, fail_below=0).ask()).status is Status.PASS
    assert (await checks.disk(place, warn_below=101, fail_below=0).ask()).status is Status.WARN
    assert (await checks.disk(place, warn_below=101, fail_below=101).ask()).status is Status.FAIL
    assert (await checks.disk(tmp_path / "not" / "yet", warn_below=0).ask()).status is Status.PASS
    check = checks.disk(place)
    place.rmdir()
    assert (await check.ask()).reason == "the directory is gone"


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root mounts a file system")
async def test_a_full_disk_fails(tmp_path: Path) -> None:
    if run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)):
        pytest.skip("no file system can be mounted here")
    try:
        check = checks.disk(tmp_path)
        check.cache = 0.0
        assert (await check.ask()).status is Status.PASS
        (tmp_path / "full").write_bytes(bytes(1 << 20))
        full = await check.ask()
        assert (full.status, full.observed) == (Status.FAIL, 0.0)
        assert full.reason.startswith("0.0 % free")
    finally:
        assert run("umount", str(tmp_path)) == 0


async def test_disk_says_in_how_many_days_it_is_full_by_the_least_squares_of_the_history(tmp_path: Path) -> None:
    from esteio.health.checks import _days_left

    day = 86_400.0
    assert _days_left([(0.0, 80.0)]) is None
    assert _days_left([(0.0, 80.0), (1800.0, 70.0)]) is None, "too early to say"
    assert _days_left([(0.0, 80.0), (day, 70.0)]) == pytest.approx(7)
    assert _days_left([(0.0, 70.0), (day, 80.0)]) is None, "it becomes more"
    jumping = [(hour * 3600.0, 80.0 - hour / 3 + (2.0 if hour % 2 else -2.0)) for hour in range(48)]
    assert _days_left(jumping) == pytest.approx(8.3, abs=0.6), "not the two ends alone"

    history, now = History(tmp_path / "h"), time.time()
    free = 100 * shutil.disk_usage(tmp_path).free / shutil.disk_usage(tmp_path).total
    for hour in range(24, 0, -1):
        history.observe(Observation(now - hour * 3600, {"disk:free": free + hour}))
    check = checks.disk(tmp_path, history=HistoryReader(tmp_path / "h"), warn_below=0, fail_below=0, warn_days=1e9)
    found = await check.ask()
    assert found.parts["days left"] == pytest.approx(free / 24, rel=0.1)
    assert found.status is Status.WARN, "within so many days"
    assert "full in" in found.reason


async def test_a_directory_that_vanishes_is_told_and_one_that_is_still_to_be_made_is_not(tmp_path: Path) -> None:
    check = checks.directory(tmp_path / "copies", name="backup:directory")
    check.cache = 0.0
    assert (await check.ask()).observed == 0.0
    (tmp_path / "copies").mkdir()
    assert (await check.ask()).observed == 1.0
    (tmp_path / "copies").rmdir()
    gone = await check.ask()
    assert (gone.status, gone.reason) == (Status.FAIL, "the directory is gone")


async def test_silent_and_killed_processes_are_told_and_so_is_what_only_the_monitor_of_the_host_sees(
    tmp_path: Path,
) -> None:
    history = History(tmp_path / "h")
    with Measurements.create(tmp_path / "m") as made, Measurements(tmp_path / "m") as worker:
        worker.slot.floats[Field.UPDATED] = time.time()
        count, watched = checks.workers(made), checks.watched(made, HistoryReader(tmp_path / "h"), beside=["db:x"])
        count.cache = watched.cache = 0.0
        assert (await count.ask()).observed == 1.0
        worker.slot.floats[Field.UPDATED] = time.time() - 60
        assert (await count.ask()).reason.startswith("a process has been silent for ")
        worker.slot.floats[Field.UPDATED] = time.time() + 60
        made.board.process_ended(killed=True, at=time.time())
        assert (await count.ask()).reason.startswith("a process was killed ")

        assert (await watched.ask()).status is Status.PASS, "it may still begin"
        made.began -= 3600
        assert (await watched.ask()).reason == "no health monitor runs"
        made.board.watched_at = time.time() - 600
        assert (await watched.ask()).reason.startswith("the health monitor has been silent for ")
        made.board.watched_at = time.time() + 60
        unwritten = f"the history {tmp_path / 'h'} says nothing of the last 15 s: is its disk full?"
        assert (await watched.ask()).reason == unwritten, "the monitor lives, and what it sees gets nowhere"
        states = {"db:x": (State.DOWN, "said here"), "tls:x": (State.DOWN, "expired"), "ok:x": (State.UP, "")}
        history.observe(Observation(time.time(), {}, states))
        for service in ("forgotten", *("other",) * 5, "wal archive"):
            made.board.died(service, time.time() if service == "wal archive" else 1.0)
        found = await watched.ask()
        assert (found.status, found.reason) == (Status.WARN, "tls:x: expired; wal archive died and was restarted")


async def test_replication_names_receivers_that_are_away_and_how_far_they_are_behind(postgres_database: str) -> None:
    async with Database(Dsn.parse(postgres_database), min_size=1) as database:
        check = checks.replication(database)
        check.cache, check.timeout = 0.0, 30.0
        async with database.connection() as conn:
            await conn.execute("select pg_create_physical_replication_slot('left_alone', true)")
        try:
            found = await check.ask()
        finally:
            async with database.connection() as conn:
                await conn.execute("select pg_drop_replication_slot('left_alone')")
        assert found.status is Status.WARN
        assert "nobody receives left_alone" in found.reason
        assert found.parts["left_alone"] >= 0.0


class NtpServer(asyncio.DatagramProtocol):
    """Answers `ahead` seconds from now, to the question it was asked or to another one."""

    def __init__(self, ahead: float, wrong: int = 0) -> None:
        self.ahead, self.wrong = ahead, wrong

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        question = int.from_bytes(data[40:48], "big") + self.wrong
        now = round((time.time() + self.ahead + 2_208_988_800) * 2**32)
        answer = bytes([0x24, 2, 0, 0]) + bytes(20) + struct.pack("!QQQ", question, now, now)
        self.transport.sendto(answer, addr)  # type: ignore[attr-defined]


async def test_an_ntp_server_and_the_date_of_a_web_server_are_clocks_to_compare_with() -> None:
    loop = asyncio.get_running_loop()

    async def offset(ahead: float, wrong: int = 0) -> Result:
        transport, _ = await loop.create_datagram_endpoint(lambda: NtpServer(ahead, wrong), ("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        check = checks.clock(checks.ntp_clock("127.0.0.1", port, timeout=20), warn_above=5.0)
        check.timeout = 30
        try:
            return await check.ask()
        finally:
            transport.close()

    assert (await offset(0.0)).status is Status.PASS
    late = await offset(300.0)
    assert (late.status, late.observed) == (Status.FAIL, pytest.approx(300, abs=5))
    assert (await offset(0.0, wrong=1)).reason.endswith("the answer is to another question")

    ahead = formatdate(time.time() + 3600, usegmt=True)
    answer = f"HTTP/1.1 200 OK\r\nDate: {ahead}\r\nContent-Length: 0\r\n\r\n".encode()
    async with server(answer) as port:
        check = checks.clock(checks.http_clock(f"http://127.0.0.1:{port}", timeout=20))
        check.timeout = 30
        assert (await check.ask()).observed == pytest.approx(3600, abs=5)
    with pytest.raises(ValueError, match="with a host"):
        checks.http_clock("ntp://x")


async def test_the_clock_is_compared_with_a_reference_or_with_itself() -> None:
    time_now = ManualClock()

    async def reference() -> float:
        return time_now.time() + 5

    async def far() -> float:
        return time_now.time() - 100

    off = await checks.clock(reference, clock=time_now).ask()
    assert (off.status, off.observed) == (Status.WARN, 5.0)
    assert (await checks.clock(far, clock=time_now).ask()).status is Status.FAIL
    assert (await checks.clock(clock=time_now).ask()).status is Status.PASS


async def test_what_is_too_old_or_never_was_fails(tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    check = checks.heartbeat(beat, name="job", fail_above=60)
    check.cache = 0.0
    assert (await check.ask()).reason == "the heartbeat never happened"
    beat.touch()
    assert (await check.ask()).status is Status.PASS
    os.utime(beat, (time.time() - 90, time.time() - 90))
    assert (await check.ask()).reason == "above 60 s"
    proof = checks.freshness(lambda: time.time() - 7200, name="proof", warn_above=3600)
    assert (await proof.ask()).status is Status.WARN


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        ({"verified_age": 3600}, Status.PASS, ""),
        ({"verified_age": 200_000}, Status.WARN, "above 93600 s"),
        ({"verified_age": None}, Status.FAIL, "no backup was proven yet"),
        ({"verified_age": 60, "amiss": [{"text": "the archive is away"}]}, Status.FAIL, "the archive is away"),
        ({"at": 1.0}, Status.FAIL, "has said nothing for"),
        ({"active": False}, Status.PASS, ""),
        (None, Status.FAIL, "left no word"),
    ],
    ids=["well", "old", "unproven", "in trouble", "silent", "another machine's", "no agent"],
)
async def test_backups_are_as_old_as_their_proof(tmp_path: Path, state: object, status: Status, said: str) -> None:
    if isinstance(state, dict):
        (tmp_path / "s").write_text(json.dumps({"at": time.time(), "active": True, "found": [], "amiss": []} | state))
    result = await checks.backup(tmp_path / "s").ask()
    assert result.status is status
    assert said in result.reason


async def test_a_process_is_there_or_not(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    file.write_text(f"{os.getpid()}\n")
    assert (await checks.process(file, name="me").ask()).observed == os.getpid()
    for text in (f"{gone_process()}", "", "x"):
        file.write_text(text)
        assert (await checks.process(file, name="me").ask()).reason == "it does not run"


async def test_postgres_and_redis_say_milliseconds_and_the_kind_of_an_error() -> None:
    class Pool:
        name = "x"

        async def ping(self, timeout: float = 1.0) -> float:
            return 0.002

    async def refused() -> None:
        raise ConnectionError

    assert (await checks.postgres(Pool()).ask()).observed == 2.0
    assert (await checks.redis(refused).ask()).reason == "ConnectionError"


async def test_a_probe_that_hangs_in_its_thread_holds_one_thread_and_fails_again_at_once() -> None:
    release = threading.Event()
    check = checks.freshness(lambda: release.wait(50) and None, name="stuck")  # type: ignore[func-returns-value]
    check.cache, check.timeout = 0.0, 0.05
    assert (await check.ask()).reason == "no answer within 0.05 s"
    for _ in range(5):
        assert (await check.ask()).reason.startswith("no answer for")
    assert [thread.name for thread in threading.enumerate()].count("health stuck") == 1
    release.set()


async def test_a_report_is_there_in_time_whatever_hangs_and_its_age_is_told() -> None:
    hangs = False

    async def probe() -> float:
        if hangs:
            await asyncio.Event().wait()
        return 1.0

    check = Check("slow:x", probe, timeout=30, cache=0.0)
    monitor = Monitor([check, Check("new:x", asyncio.Event().wait, timeout=30)], patience=0.05)  # type: ignore[arg-type]
    first = await monitor.report()
    assert (first.results["slow:x"].status, first.results["new:x"].status) == (Status.PASS, Status.UNKNOWN)
    assert first.status is Status.UNKNOWN, "not well"
    hangs = True
    second = await monitor.report()
    assert second.results["slow:x"] == first.results["slow:x"], "the last answer, with its time"


async def test_the_causes_are_failures_that_no_other_failure_explains() -> None:
    async def ill() -> float:
        raise Unwell("broken")

    async def well() -> float:
        return 1.0

    monitor = Monitor(
        [
            Check("network", ill),
            Check("database", well, depends_on=("network",)),
            Check("page", ill, depends_on=("database",)),
            Check("disk", ill),
            Check("a", ill, depends_on=("b",)),
            Check("b", ill, depends_on=("a",)),
        ]
    )
    report = await monitor.report()
    assert report.causes == ("network", "disk")
    assert report.results["page"].reason == "broken", "it is measured all the same"
    with pytest.raises(ValueError, match="nothing"):
        Monitor([Check("a", well, depends_on=("nothing",))])
