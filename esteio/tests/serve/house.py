"""A supervisor process under test, and clients that count what they lose."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import psutil

import esteio
from esteio.testing.service_manager import ServiceManager

HERE = Path(__file__).parent
SOURCES = Path(esteio.__file__).parent.parent


class House:
    """Started by the constructor, with `manager` as its systemd; `close` leaves nothing of it running."""

    def __init__(self, switches: Path, manager: ServiceManager | None = None, **arguments):
        self.switches = switches
        self.manager = manager
        self.log_path = switches / "log"
        self.records: list[dict] = []
        self._news = threading.Condition()
        self._readers: list[threading.Thread] = []
        self.start(**arguments)

    def start(self, **arguments):
        """Start it, for the first time or after it has ended."""
        words = [sys.executable, str(HERE / "supervise.py"), json.dumps(arguments)]
        path = os.pathsep.join([str(SOURCES), str(HERE)])
        environment = {**os.environ, "PYTHONPATH": path, "SERVED_DIR": str(self.switches)}
        options = {"stdout": subprocess.PIPE, "start_new_session": True, "text": True}
        started = time.monotonic()
        with self.log_path.open("a") as log:
            if self.manager is None:
                self.process = subprocess.Popen(words, env=environment, stderr=log, **options)
            else:
                self.process = self.manager.start(words, environment, stderr=log, **options)
        self._readers.append(threading.Thread(target=self._read, args=(self.process.stdout,)))
        self._readers[-1].start()
        self.port = self.wait("bound", since=started)[0]["port"]

    def _read(self, said):
        with said:
            for line in said:
                with self._news:
                    self.records.append(json.loads(line))
                    self._news.notify_all()

    def seen(self, event, since=0.0, **wanted):
        return [
            r
            for r in self.records
            if r["event"] == event and r["at"] >= since and all(r[k] == v for k, v in wanted.items())
        ]

    def wait(self, event, count=1, since=0.0, timeout=60.0, **wanted):
        with self._news:
            if not self._news.wait_for(lambda: len(self.seen(event, since, **wanted)) >= count, timeout):
                names = [r["event"] for r in self.records]
                raise AssertionError(f"no {count} {event} within {timeout} s; seen {names}\n{self.log()}")
        return self.seen(event, since, **wanted)

    async def until(self, event, count=1, since=0.0, **wanted):
        return await asyncio.to_thread(self.wait, event, count, since, **wanted)

    def log(self):
        return self.log_path.read_text()

    def switch(self, name, on=True):
        (self.switches / name).touch() if on else (self.switches / name).unlink()

    def signal(self, number):
        self.process.send_signal(number)
        return time.monotonic()

    def signal_group(self, number):
        """As the terminal does for Ctrl-C, and systemd for a stop."""
        os.killpg(self.process.pid, number)
        return time.monotonic()

    def family(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, timeout=60.0):
        code = self.process.wait(timeout)
        self._readers[-1].join(timeout)
        return code

    def close(self):
        family = self.family() if self.process.poll() is None else []
        for each in [self.process, *family]:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue
        # What a killed supervisor left: its services, and workers that wait for the next one.
        for pid in [r["pid"] for r in self.records if r["event"] in ("pid", "WorkerStarted")]:
            try:
                process = psutil.Process(pid)
                if process.name() == "sleep" or any("spawn_main" in word for word in process.cmdline()):
                    process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()
        for reader in self._readers:
            reader.join()


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def gone(pids):
    """Wait until none of them runs."""
    end = time.monotonic() + 60.0
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < end, f"still running: {left}"
        await asyncio.sleep(0.05)


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            return


async def connect(port):
    return Connection(*await asyncio.open_connection("127.0.0.1", port))


async def ask(connection, path="/", keep_alive=True):
    """(status, headers, body); ConnectionError or IncompleteReadError when it was lost."""
    more = "" if keep_alive else "connection: close\r\n"
    connection.writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n".encode())
    head = (await connection.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await connection.reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers, body.decode()


async def get(port, path="/"):
    async with asyncio.timeout(20.0):
        connection = await connect(port)
        try:
            return await ask(connection, path, keep_alive=False)
        finally:
            await connection.close()


@dataclass
class Load:
    """`rate` requests a second, each sent in its time whether or not the others are answered; nothing is retried."""

    port: int
    keep_alive: bool
    rate: float = 100.0
    connections: int = 30  # used in turn, so each is idle for 0.3 s between two requests
    sent: int = 0
    pids: set = field(default_factory=set)
    lost: list = field(default_factory=list)  # (when it was sent, why)

    async def __aenter__(self):
        self._idle = deque([await connect(self.port) for _ in range(self.connections if self.keep_alive else 0)])
        self._running = True
        self._requests: set[asyncio.Task] = set()
        self._pacer = asyncio.create_task(self._pace())
        return self

    async def __aexit__(self, *exc):
        self._running = False
        await self._pacer
        await asyncio.gather(*self._requests)
        for connection in self._idle:
            await connection.close()

    async def _pace(self):
        start = time.monotonic()
        while self._running:
            self.sent += 1
            task = asyncio.create_task(self._one())
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)
            await asyncio.sleep(max(0.0, start + self.sent / self.rate - time.monotonic()))

    async def _one(self):
        at = time.monotonic()
        connection = None
        try:
            async with asyncio.timeout(15):
                # The oldest first, so that every one is used now and then.
                while self._idle and connection is None:
                    connection = self._idle.popleft()
                    if connection.reader.at_eof():  # closed in peace while idle: no request is lost by that
                        await connection.close()
                        connection = None
                connection = connection or await connect(self.port)
                status, headers, body = await ask(connection, "/slow?0.01", self.keep_alive)
            assert status == 200
            self.pids.add(int(body.split()[0]))
        except (OSError, EOFError, TimeoutError, AssertionError) as exc:
            self.lost.append((at, repr(exc)))
        else:
            if self.keep_alive and headers.get("connection") != "close":
                self._idle.append(connection)
                return
        if connection is not None:
            await connection.close()
