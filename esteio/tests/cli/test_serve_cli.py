"""`esteio serve` as a person runs it: real processes, a real PostgreSQL, a changed file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import esteio
from esteio.cli._reload import changed_files

SOURCES = Path(esteio.__file__).parent.parent
APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b"BODY"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def make():
    return app


number = 7
"""
WITH_DATABASE = """
import os
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from esteio.postgres import Database, Dsn

async def answer(request):
    async with Database(Dsn.parse(os.environ["DATABASE_URL"])) as database:
        return PlainTextResponse(str(await database.fetch_value("SELECT 6 * 7")))

app = Starlette(routes=[Route("/", answer)])
"""


class Running:
    """`esteio serve` with `arguments`, in `folder`; `close` ends it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "esteio", "serve", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def wait(self, words: str) -> str:
        end = time.monotonic() + 100
        while not (match := re.search(words, self.said)):
            assert time.monotonic() < end, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.05)
        return match[0]

    def get(self) -> str:
        with urllib.request.urlopen(self.wait(r"http://[\d.]+:\d+(?= is ready)"), timeout=60) as answer:
            return str(answer.read().decode())

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(100)
        self._reader.join()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="esteio-serve-"))
    folder.chmod(0o711)  # as root, the account of an embedded server has to pass
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run(tmp_path: Path) -> Iterator:
    started = []

    def start(*arguments: str) -> Running:
        started.append(Running(tmp_path, *arguments))
        return started[-1]

    (tmp_path / "service.py").write_text(APP)
    yield start
    for each in started:
        each.close()


def test_an_application_of_the_current_directory_is_served_and_ended_in_order(run) -> None:
    served = run("service:app", "--bind", "0", "--service", "sleeper=sleep 600")
    assert served.get() == "BODY"
    assert "service sleeper started" in served.said
    assert served.end(signal.SIGINT) == 0
    assert "service sleeper stopped" in served.said


def test_a_factory_is_called(run) -> None:
    assert run("service:make", "--factory", "-b", "127.0.0.1:0", "-w", "1").get() == "BODY"


def test_a_change_of_the_code_brings_new_workers_and_broken_code_does_not(run, tmp_path: Path) -> None:
    served = run("service:app", "--bind", "0", "--reload")
    assert served.get() == "BODY"
    (tmp_path / "service.py").write_text(APP.replace("BODY", "NEWER"))
    served.wait("roll finished")
    assert served.get() == "NEWER"
    (tmp_path / "service.py").write_text("this is no Python")
    served.wait("roll aborted")
    assert served.get() == "NEWER"


@pytest.mark.timeout(180)
def test_an_embedded_postgres_is_kept_beside_the_workers(run, tmp_path: Path) -> None:
    (tmp_path / "stored.py").write_text(WITH_DATABASE)
    served = run("stored:app", "--bind", "0", "-w", "1", "--postgres", "data")
    assert served.get() == "42"
    assert served.end() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["service"], "serve setting app='service' is not usable: allowed is \"package.module:attribute\""),
        (["service:ap"], "'service' has no 'ap'; did you mean app?"),
        (["service:number"], "can't be called"),
        (["nowhere:app"], "there is no module 'nowhere' in the current directory"),
        (["service:app", "--bind", "here"], "give HOST:PORT such as 0.0.0.0:8000"),
        (["service:app", "--bind", "198.51.100.1:0"], "cannot listen on 198.51.100.1:0"),
        (["service:app", "--log-level", "loud"], "give debug, info, warning or error"),
        (["service:app", "--service", "jobs"], "give NAME=COMMAND"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(run, arguments: list[str], words: str) -> None:
    bind = [] if "--bind" in arguments else ["--bind", "0"]
    failed = run(*arguments, *bind)
    assert failed.ended() in (1, 2)
    assert words in re.sub(r"[\s│]+", " ", failed.said)
    assert "Traceback" not in failed.said or "importing it raised" in failed.said


def test_a_change_is_a_file_that_came_went_or_has_another_time() -> None:
    assert changed_files({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "d": 1}) == ["b", "c", "d"]
