"""Claim: an upload of 10 MB arrives at the speed of the disk, and a worker's memory grows by 20 MB at most meanwhile.

A PDF, because it is kept as it came: the time has receiving, hashing, looking into it in a process of its own, fsync, rename
and the commit. The floor is a program that hashes the same bytes, writes them to the same disk, and waits for fsync. The
peer is a form of Starlette copied to its place, which looks into nothing. Memory is the peak of the worker (VmHWM) above what
it had before, of one upload at a time and of eight at once.

Tried: a program started for each file, which waits for its end (64.7 MB/s of 373 in quiet; starting Python with what reads
PDFs, and taking it apart, took most of the time); one started while the file is received, and kept ready for a minute, which
ends without taking itself apart; what is written put on the disk (fsync) every 4 MB while the rest comes, instead of all of it
in the end (now: beside the former in one run, busy machine, 417 ms instead of 577, faster in 16 of 25 pairs; in another 588
instead of 636). What is left, in processor time on a busy machine for 10 MB: 35 to 40 ms of the worker
to receive (parser, copies, a wake-up for each 64 KiB), 8 of them sha256; 1 to 9 ms to look into the PDF; then fsync, rename
and commit. A part that is not received in Python would have to come before the worker (a proxy that writes files).

    python -m benchmarks.uploads [--uploads 20] [--megabytes 10]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx2
import pikepdf
from benchmarks.http import HERE, database, free_port, prepare, wait_for
from benchmarks.report import Claim, publish

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

_TARGET_MB = 20.0
_AT_ONCE = 8


def document(megabytes: int) -> bytes:
    """A PDF of this size that nobody has sent before."""
    made = pikepdf.new()
    made.add_blank_page()
    made.Root.Data = made.make_stream(os.urandom(megabytes << 20))
    out = BytesIO()
    made.save(out, compress_streams=False)
    return out.getvalue()


@contextmanager
def one_worker(application: str, dsn: Dsn, folder: Path) -> Iterator[tuple[str, int]]:
    """One process that answers: its address and its pid."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": dsn.url, "SISPAT_DOCUMENTS_DIR": str(folder), "SISPAT_LIMIT_WRITE": "não",
        "SISPAT_LIMIT_UPLOAD": "não", "SISPAT_DOCUMENTS_PER_RECORD": "1000", "SISPAT_UPLOAD_SIZE": "200MB",
        "SISPAT_UPLOAD_TOTAL": "300MB",
        "PYTHONPATH": os.pathsep.join([str(HERE / "peers"), *(path for path in sys.path if path and path != os.getcwd())]),
    }  # fmt: skip
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--no-access-log"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health/ready")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def running(folder: Path) -> Iterator[Embedded]:
    """A PostgreSQL below `folder`."""
    folder.chmod(0o711)  # the server's account has to pass
    server = Embedded(folder / "data")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def send(url: str, headers: dict[str, str], record: dict[str, str], content: bytes) -> float:
    """Seconds of one upload."""
    with httpx2.Client(timeout=120) as client:
        began = time.perf_counter()
        answer = client.post(
            f"{url}/api/uploads", data=record, files={"arquivo": ("nota.pdf", content)}, headers=headers
        )
        assert answer.status_code == 201, answer.text
        return time.perf_counter() - began


def floor(folder: Path, content: bytes) -> float:
    """Seconds to hash `content` and to have it on the disk."""
    began = time.perf_counter()
    hashlib.sha256(content).digest()
    with (folder / f"floor-{time.monotonic_ns()}").open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return time.perf_counter() - began


def peak(pid: int) -> float:
    """The most memory that a process has had since `forget_peak`, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def forget_peak(pid: int) -> float:
    """Begin anew; what it has now, in MB."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak(pid)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=10)
    chosen = parser.parse_args()
    # Below the working folder: the temporary one may be in memory, and be no disk.
    with tempfile.TemporaryDirectory(dir=os.getcwd(), prefix=".uploads-") as kept:
        folder = Path(kept)
        with tempfile.TemporaryDirectory(prefix="uploads-") as data, running(Path(data)) as server:
            dsn = database(server, "uploads", 300)
            token, _, _ = prepare(dsn)
            headers = {"Authorization": f"Bearer {token}"}
            times: dict[str, list[float]] = {"ours": [], "starlette form": [], "floor": []}
            with (
                one_worker("sispat.app:app", dsn, folder / "ours") as (url, pid),
                one_worker("starlette_upload:app", dsn, folder / "peer") as (peer, _),
            ):
                assets = httpx2.get(f"{url}/api/patrimonios", headers=headers).json()["items"]
                record = {"entidade": "patrimonio", "entidade_id": assets[0]["id"]}
                send(url, headers, record, document(1))  # what is loaded once is no upload's
                before = forget_peak(pid)
                for _ in range(chosen.uploads):  # in turn, so that a busy moment hits all alike
                    content = document(chosen.megabytes)
                    times["ours"].append(send(url, headers, record, content))
                    times["starlette form"].append(send(peer, {}, {}, content))
                    times["floor"].append(floor(folder, content))
                one = peak(pid) - before
                before = forget_peak(pid)
                contents = [document(chosen.megabytes) for _ in range(_AT_ONCE)]
                with ThreadPoolExecutor(_AT_ONCE) as threads:
                    list(threads.map(lambda content: send(url, headers, record, content), contents))
                many = peak(pid) - before
    speed = {name: chosen.megabytes / statistics.median(each) for name, each in times.items()}
    publish(
        "uploads",
        [
            Claim(
                "upload, looked into", "MB/s", "higher", speed["ours"], {"starlette form": speed["starlette form"]},
                floor=speed["floor"],
            ),
            Claim("memory of one upload", "MB", "lower", one, target=_TARGET_MB),
            Claim(f"memory of {_AT_ONCE} at once", "MB", "lower", many, target=_TARGET_MB),
        ],
        ["starlette", "pikepdf", "uvicorn"],
    )  # fmt: skip


if __name__ == "__main__":
    main()
