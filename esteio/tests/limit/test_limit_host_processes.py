"""Several processes, one file: exactly the limit together; killed or stopped, they take nobody along."""

import json
import mmap
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traffic import NAMES

import esteio
from esteio.limit import HostStore, Limit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="locks of open files are Linux'")
KILLS = int(os.environ.get("ESTEIO_KILLS", "12"))
MANY = 1_000_000


class Worker:
    """A process of its own, told what to do line by line."""

    def __init__(self, store: Path, counter: Path) -> None:
        counter.write_bytes(bytes(8))
        with counter.open("r+b") as file:
            self._count = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
        source = str(Path(esteio.__file__).parents[1])
        command = [sys.executable, str(Path(__file__).with_name("host_worker.py")), str(store), str(counter)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": source}
        )

    @property
    def count(self) -> int:
        return self._count[0]

    def tell(self, *command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


class Workers:
    """The store, and workers on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = HostStore.create(folder / "limits", patience=0.05)
        self.workers: list[Worker] = []

    def start(self, number: int) -> list[Worker]:
        new = [Worker(self.store.path, self.folder / f"count {len(self.workers) + n}") for n in range(number)]
        self.workers += new
        assert [each.answer() for each in new] == ["ready"] * number
        return new


@pytest.fixture
def workers_of_host(tmp_path: Path) -> Iterator[Workers]:
    workers_of_host = Workers(tmp_path)
    yield workers_of_host
    for worker in workers_of_host.workers:
        worker.kill()
    workers_of_host.store.close()


def test_four_processes_of_eight_tasks_get_exactly_the_limit(workers_of_host: Workers) -> None:
    workers = workers_of_host.start(4)
    for round_ in range(20):
        for name in NAMES:
            at = time.monotonic() + 0.005
            for worker in workers:
                worker.tell("race", at, f"round {round_}", name, 30, 3)
            passed = [worker.answer() for worker in workers]
            assert sum(passed) == 30, (round_, name, passed)


@pytest.mark.fault
@pytest.mark.untimed
def test_a_process_killed_while_it_decides_loses_nothing_and_blocks_nobody(workers_of_host: Workers) -> None:
    names = [NAMES[n % 2] for n in range(KILLS)]  # gcra and fixed forget as time passes, or at once
    for name in names:
        doomed, other = workers_of_host.start(2)
        for worker in (doomed, other):
            worker.tell("hammer", "key", name, MANY)
            assert worker.answer() == "hammering"
        time.sleep(random.uniform(0.01, 0.1))
        doomed.process.send_signal(signal.SIGKILL)
        doomed.process.wait()
        before = other.count
        deadline = time.monotonic() + 20
        while other.count < before + 100:
            assert time.monotonic() < deadline, "the others stand still"
            time.sleep(0.001)
        other.process.send_signal(signal.SIGKILL)
        other.process.wait()
    for name in set(names):
        limit = Limit(MANY, 3_600, algorithm=name, name="shared")  # type: ignore[arg-type]
        counted = sum(w.count for w, n in zip(workers_of_host.workers[::2], names, strict=True) if n == name)
        counted += sum(w.count for w, n in zip(workers_of_host.workers[1::2], names, strict=True) if n == name)
        decision = workers_of_host.store.hit_now("key", limit)
        assert not decision.degraded
        used = MANY - decision.remaining - 1
        assert counted <= used <= counted + 2 * names.count(name)  # what was decided and not yet counted


@pytest.mark.fault
def test_a_stopped_process_that_holds_a_lock_hangs_nobody(workers_of_host: Workers) -> None:
    (stopped,) = workers_of_host.start(1)
    stopped.tell("hold", "key")
    assert stopped.answer() == "held"
    stopped.process.send_signal(signal.SIGSTOP)
    limit = Limit(10, 3_600, name="shared")
    began = time.monotonic()
    decisions = [workers_of_host.store.hit_now("key", limit) for _ in range(8)]
    assert time.monotonic() - began < 5
    assert [each.allowed for each in decisions] == [True] * 5 + [False] * 3  # the share of one of two
    assert all(each.degraded and "stands still" in each.reason for each in decisions)
    stopped.process.kill()
    stopped.process.wait()
    assert workers_of_host.store.hit_now("key", limit).degraded is False


@pytest.mark.fault
def test_processes_stopped_at_any_moment_hang_nobody(workers_of_host: Workers) -> None:
    (worker,) = workers_of_host.start(1)
    worker.tell("hammer", "key", "window", MANY)
    assert worker.answer() == "hammering"
    limit = Limit(MANY, 3_600, name="shared")
    for _ in range(KILLS):
        worker.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        for _ in range(20):
            workers_of_host.store.hit_now("key", limit)
        assert time.monotonic() - began < 5
        worker.process.send_signal(signal.SIGCONT)
        time.sleep(random.uniform(0.001, 0.01))
