"""A watcher as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Running", "free_port", "running", "until"]

PATIENCE = 60.0  # seconds; what is waited for is certain to come
_CODE = "import sys; from esteio.__main__ import main; sys.argv = ['esteio', 'watch', *sys.argv[1:]]; main()"


def until(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` says as soon as that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class Running:
    """`esteio watch run` with a file."""

    def __init__(self, file: Path, port: int) -> None:
        self.file = file
        self.url = f"http://127.0.0.1:{port}"
        self.signs = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # what systemd hears
        self.signs.bind(f"\0esteio-watch-{os.getpid()}-{port}")
        self.signs.settimeout(PATIENCE)
        self.environment = {
            **os.environ, "NOTIFY_SOCKET": f"@esteio-watch-{os.getpid()}-{port}", "WATCHDOG_USEC": "2000000",
        }  # fmt: skip
        self.process = self.begin("run")
        until(self.answers, "the watcher's answer")

    def begin(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        with (self.file.parent / "log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-c", _CODE, command, "--config", str(self.file), *arguments],
                stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment,
            )  # fmt: skip

    def command(self, *arguments: str) -> tuple[int, str]:
        process = self.begin(*arguments)
        out, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, out

    def get(self, path: str, data: bytes | None = None) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", data, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def answers(self) -> bool:
        assert self.process.poll() is None, (self.file.parent / "log").read_text()
        try:
            return self.get("/health")[0] == 200
        except OSError:
            return False

    def states(self) -> dict[str, str]:
        return dict(json.loads(self.get("/summary.json")[1])["states"])

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode

    def again(self) -> None:
        self.process = self.begin("run")
        until(self.answers, "the watcher's answer")


@contextmanager
def running(folder: Path, text: str, port: int = 0) -> Iterator[Running]:
    """A watcher that watches what `text` says; `[watch]` is written here."""
    folder.mkdir(exist_ok=True)
    port = port or free_port()
    file = folder / "watch.toml"
    head = f'[watch]\nname = "{folder.name}"\nlisten = "127.0.0.1:{port}"\ndirectory = "state"\n'
    file.write_text(head + text, encoding="utf-8")
    watcher = Running(file, port)
    try:
        yield watcher
    finally:
        watcher.signs.close()
        if watcher.process.poll() is None:
            watcher.process.kill()
        watcher.process.communicate()
