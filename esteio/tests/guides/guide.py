"""A guide of docs/, written out and run as its reader would.

A block with `title="NAME"` is a file. A line of a `sh` block is a command; `pip install` is left out. In a `console` block a
line that begins with `$ ` is a command and what follows is all that it prints.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import esteio

DOCS = Path(__file__).parents[3] / "docs"
SOURCES = Path(esteio.__file__).parent.parent
_BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Guide:
    """The files of `page` in `folder`; its port 8000 is a free one, and `DATABASE_URL=...` is left to `variables`."""

    def __init__(self, page: str, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.port = free_port()
        text = (DOCS / page).read_text(encoding="utf-8").replace("8000", str(self.port))
        blocks = _BLOCK.findall(text)
        for _, title, content in blocks:
            if title:
                (folder / title).write_text(content)
        shells = "".join(content for language, title, content in blocks if language == "sh" and not title)
        lines = [line for line in shells.splitlines() if line and not line.startswith(("pip ", "docker "))]
        self.commands = [re.sub(r"^DATABASE_URL=\S+ ", "", line) for line in lines]
        self.consoles = [content for language, _, content in blocks if language == "console"]
        self._variables = {
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(SOURCES),
            "PYTHONUNBUFFERED": "1",
            **variables,
        }
        self._running: list[tuple[subprocess.Popen[str], threading.Thread]] = []
        self.output: list[str] = []

    def command(self, beginning: str) -> str:
        """The page's command that begins so."""
        return next(command for command in self.commands if command.startswith(beginning))

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start what goes on running."""
        process = subprocess.Popen(
            command,
            shell=True,
            cwd=self.folder,
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        reader = threading.Thread(target=self._read, args=(process,))
        reader.start()
        self._running.append((process, reader))
        return process

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)

    def wait_for_port(self) -> None:
        """Until something listens and answers."""
        self.wait_until(lambda: _listens(self.port), "nobody listens")

    def wait_for(self, words: str) -> None:
        """Until what was started has printed `words`."""
        self.wait_until(lambda: words in "".join(self.output), f"not said: {words}")

    def wait_until(self, true, problem: str) -> None:
        end = time.monotonic() + 100
        while not true():
            assert all(process.poll() is None for process, _ in self._running), "".join(self.output)
            assert time.monotonic() < end, problem + "\n" + "".join(self.output)
            time.sleep(0.1)

    def run(self, command: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=self._variables, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}\n{''.join(self.output)}"
        return done.stdout

    def check_console(self, number: int = 0) -> None:
        """Each command of a console block prints what the page says."""
        for part in re.split(r"^\$ ", self.consoles[number], flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            printed = self.run(command).strip()
            assert printed == expected.strip(), f"{command} printed {printed!r}"

    def end(self) -> None:
        """End what still runs, with SIGTERM first."""
        for process, reader in reversed(self._running):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            reader.join(10)
            assert process.stdout is not None
            process.stdout.close()
        self._running.clear()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1.0)
        return sock.connect_ex(("127.0.0.1", port)) == 0
