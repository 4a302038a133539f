"""Claim: a watcher with 500 probes takes less than 2 % of a processor, and ten that hang delay the others by less than 100 ms.

`watcher`: a real `esteio watch run` with 500 probes over HTTP at their usual interval of 30 s, each of which reads a JSON
document and one of its fields, and ten heartbeats; percent of one processor, its children with it, over the measured
seconds, after every probe was looked at once. `page`: seconds of the processor for one status page of them. `delay`: how much
later than planned a look began, at worst and over all looks, while ten of the probes hang until their limit of 10 s; without
jitter, every 5 s, so that lateness is what is measured. The server that is asked runs in a process of its own.

Run: python -m benchmarks.watch [seconds] [probes]
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from benchmarks.report import Claim, publish

from esteio.clock import SYSTEM, Clock
from esteio.health import Check
from esteio.health._history import History
from esteio.watch import Engine
from esteio.watch._config import Config, HttpProbe, Probe, Watch
from esteio.watch._probes import check_of
from esteio.watch._state import StateFile

HANGING, INTERVAL = 10, 5.0
_SERVER = """
import asyncio
BODY = b'{"status": "pass", "checks": {"db": {"ms": 1}}}'
HEAD = b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\nconnection: close\\r\\n\\r\\n" % len(BODY)
class Answer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        if not data.startswith(b"GET /hang"):
            self.transport.write(HEAD + BODY)
            self.transport.close()
async def main():
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@contextmanager
def target() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def written(folder: Path, target_port: int, port: int, probes: int) -> Path:
    parts = [f'[watch]\nname = "bench"\nlisten = "127.0.0.1:{port}"\ndirectory = "state"\n']
    parts += [
        f'[[http]]\nname = "p{number}"\nurl = "http://127.0.0.1:{target_port}/p{number}"\njson = {{ status = ["pass"] }}\n'
        for number in range(probes)
    ]
    parts += [
        f'[[heartbeat]]\nname = "job{number}"\nkey = "{number:016}"\nschedule = "0 2 * * *"\n'
        for number in range(min(10, 500 - probes))
    ]
    file = folder / "watch.toml"
    file.write_text("".join(parts))
    return file


def processor(process: psutil.Process) -> float:
    """Seconds that it and its children took so far."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def watching(seconds: float, probes: int) -> tuple[float, float, float]:
    """Percent of a processor, MB, and seconds of the processor for a page."""
    with tempfile.TemporaryDirectory() as folder, target() as target_port:
        port = 20_000 + os.getpid() % 10_000
        file = written(Path(folder), target_port, port, probes)
        command = [sys.executable, "-m", "esteio", "watch", "run", "--config", str(file)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as watcher:
            try:
                until_all_are_up(port, probes)
                process = psutil.Process(watcher.pid)
                time.sleep(5.0)
                before, began = processor(process), time.monotonic()
                time.sleep(seconds)
                percent = 100 * (processor(process) - before) / (time.monotonic() - began)
                before = processor(process)
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                    answer.read()
                return percent, process.memory_info().rss / 1e6, processor(process) - before
            finally:
                watcher.terminate()


def until_all_are_up(port: int, probes: int) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/summary.json", timeout=10) as answer:
                if answer.read().count(b'"up"') >= probes:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit("the watcher did not see its target within two minutes")


async def delays(seconds: float, probes: int, port: int, folder: Path) -> list[float]:
    """Milliseconds by which each look of a probe that does not hang began later than planned."""
    asked: dict[str, list[float]] = {}

    def check(probe: Probe, clock: Clock) -> Check:
        made = check_of(probe, clock)
        inner = made.probe

        async def noted() -> float:
            asked.setdefault(probe.name, []).append(time.monotonic())
            return await inner()

        made.probe = noted
        return made

    found = tuple(
        HttpProbe(
            name=f"p{number}",
            url=f"http://127.0.0.1:{port}/{'hang' if number < HANGING else 'p'}{number}",
            interval=INTERVAL,
        )
        for number in range(probes)
    )
    config = Config(folder / "watch.toml", Watch(name="bench", directory=str(folder)), probes=found)
    state, history = StateFile(folder / "watch.sqlite"), History(folder / "history.sqlite")
    engine = Engine(config, state, history, check=check, chance=lambda: 0.5, clock=SYSTEM)
    task = asyncio.create_task(engine.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    state.close()
    history.close()
    return [
        1000 * max(0.0, after - before - INTERVAL)
        for number in range(HANGING, probes)
        for before, after in zip(asked[f"p{number}"], asked[f"p{number}"][1:], strict=False)
    ]


def main(seconds: float = 120.0, probes: int = 490) -> None:
    percent, megabytes, page = watching(seconds, probes)
    with tempfile.TemporaryDirectory() as folder, target() as port:
        late = sorted(asyncio.run(delays(max(seconds / 2, 3 * INTERVAL), probes, port, Path(folder))))
    claims = [
        Claim("watcher", "% of a processor", "lower", percent, target=2.0),
        Claim("memory", "MB", "lower", megabytes),
        Claim("page", "s of a processor", "lower", page),
        Claim("delay, at worst", "ms", "lower", late[-1], target=100.0),
        Claim("delay, 99 of 100", "ms", "lower", late[int(0.99 * (len(late) - 1))]),
    ]
    publish("watch", claims, ("uvicorn", "httptools"))


if __name__ == "__main__":
    main(*(kind(given) for kind, given in zip((float, int), sys.argv[1:], strict=False)))
