"""The guides run as they stand: their files, their commands, and what they say is printed."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import psutil
import psycopg
import pytest
from guide import Guide

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def guide() -> Iterator[Callable[..., Guide]]:
    folder = Path(tempfile.mkdtemp(prefix="esteio-guide-"))
    folder.chmod(0o711)  # as root, the account of an embedded server has to pass
    opened: list[Guide] = []

    def open_guide(page: str, **variables: str) -> Guide:
        opened.append(Guide(page, folder, **variables))
        return opened[-1]

    try:
        yield open_guide
    finally:
        for each in opened:
            each.end()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_service_in_one_file_runs_and_survives_the_death_of_its_database(guide) -> None:
    page = guide("tutorial/service-in-one-file.md")
    process = page.start(page.command("python notes.py"))
    page.wait_for("is ready after")
    page.check_console()
    assert '"address"' in page.run(f"curl -s -D - -o /dev/null http://127.0.0.1:{page.port}/notes")
    page.wait_until(lambda: list(page.folder.glob("data/backups/*/proof.json")), "no verified backup")
    postmaster = int((page.folder / "data/postgres/postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    page.wait_for("service PostgreSQL is up again")
    shown = page.consoles[0].partition("$ curl -s http")[2].splitlines()
    assert page.run(f"curl -s --retry 5 --retry-delay 1 http{shown[0]}").strip() == shown[1]
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30)
    _, left = psutil.wait_procs(family, timeout=30)  # multiprocessing's resource tracker ends after what it tracks
    assert not [each for each in left if each.status() != psutil.STATUS_ZOMBIE]


def test_fastapi(guide, postgres_database: str) -> None:
    page = guide("how-to/fastapi.md", DATABASE_URL=postgres_database)
    page.start(page.command("esteio serve"))
    page.wait_for("is ready")
    page.check_console()


def test_flask_beside_its_own_postgres_answers_the_live_probe_while_that_hangs(guide) -> None:
    page = guide("how-to/flask-and-django.md")
    assert page.command("gunicorn counter:app")
    process = page.start(page.command("python run.py"))  # which starts the same
    page.wait_for_port()
    page.check_console(0)
    url = f"http://127.0.0.1:{page.port}"
    frozen = psutil.Process(int((page.folder / "data/postgres/postmaster.pid").read_text().split()[0]))
    with concurrent.futures.ThreadPoolExecutor(60) as threads:
        with frozen_family(frozen):
            posts = [threads.submit(httpx2.post, f"{url}/count/visits", timeout=60) for _ in range(60)]
            concurrent.futures.wait(posts, return_when="FIRST_COMPLETED")
            assert httpx2.get(f"{url}/health/live", timeout=30).text == "live"
            assert frozen.status() == psutil.STATUS_STOPPED, "and not killed as unresponsive meanwhile"
        answers = [post.result() for post in posts]
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 503)
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30)
    _, left = psutil.wait_procs(family, 30)  # multiprocessing's tracker ends a moment after its parent
    assert not left


@contextlib.contextmanager
def frozen_family(parent: psutil.Process) -> Iterator[None]:
    """A process and its children stand still."""
    family = [parent, *parent.children(recursive=True)]
    for each in family:
        each.suspend()
    try:
        yield
    finally:
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()


def test_django(guide, postgres_database: str) -> None:
    page = guide("how-to/flask-and-django.md", DATABASE_URL=postgres_database)
    page.start(page.command("gunicorn --config"))
    page.wait_for_port()
    page.check_console(1)


def test_celery(guide, postgres_database: str, redis_url: str) -> None:
    page = guide("how-to/celery.md", DATABASE_URL=postgres_database, BROKER_URL=redis_url)
    with psycopg.connect(postgres_database) as conn:
        conn.execute((page.folder / "schema.sql").read_text())
    page.start(page.command("celery"))
    page.wait_for("ready.")
    page.check_console()


@pytest.mark.parametrize("server", ["uvicorn", "python bounded.py", "gunicorn"])
def test_other_servers(guide, postgres_database: str, server: str) -> None:
    page = guide("how-to/other-servers.md", DATABASE_URL=postgres_database)
    page.start(page.command(server))
    page.wait_for_port()
    page.check_console()


def test_test_your_service(guide) -> None:
    page = guide("how-to/test-your-service.md")
    assert "5 passed" in page.run(page.command("python -m pytest"))


def test_check_and_monitor(guide, postgres_database: str) -> None:
    page = guide("how-to/check-and-monitor.md", DATABASE_URL=postgres_database)
    page.start(page.command("esteio serve"))
    page.wait_for("is ready")
    page.check_console()
