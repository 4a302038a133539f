"""`esteio backup run` tells how it ended, also when it could not begin, and nothing of the backup waits for that."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from receivers import HttpReceiver, http_receiver, mail_receiver
from typer.testing import CliRunner

from esteio.alert import Channels, Notice, Outbox
from esteio.backup import Backups
from esteio.backup._lock import Lock
from esteio.backup.store import Stores, open_store
from esteio.cli._main import _app
from esteio.cli.environment import notices_directory, notices_of
from esteio.postgres import Dsn

SECRETS = ("segredo", "senha-do-banco")


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def env(receiver: HttpReceiver, postgres_server, tmp_path: Path) -> Iterator[dict[str, str]]:
    Backups(Dsn(), Stores([open_store(str(tmp_path / "cópias"))])).init(encrypted=False)
    verifications = tempfile.mkdtemp()
    Path(verifications).chmod(0o711)  # the account of the server has to pass
    yield {
        **os.environ,
        "DATABASE_URL": postgres_server.dsn("nenhum").with_(password="senha-do-banco").url,
        "BACKUP_DIR": str(tmp_path / "cópias"),
        "TMPDIR": verifications,
        "WEBHOOK_URL": receiver.url,
    }
    shutil.rmtree(verifications)


def started(env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "esteio", "backup", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)


def called(env: dict[str, str], *arguments: str) -> tuple[object, str]:
    """The same command in this process: its exit code, or the error it ended with; and what it said."""
    done = CliRunner().invoke(_app, ["backup", *arguments], env=env)
    said = f"{done.output} {done.exception}"
    assert not any(secret in said for secret in SECRETS)
    return done.exit_code, said


def lock(env: dict[str, str]) -> Lock:
    return Lock(Path(env["BACKUP_DIR"], ".lock"))


def test_a_proven_backup_is_told_everywhere_and_a_slow_webhook_holds_no_lock(
    env: dict[str, str], receiver: HttpReceiver, postgres_database: str
) -> None:
    env["DATABASE_URL"] = postgres_database
    with psycopg.connect(postgres_database) as conn:
        conn.execute("create table conta as select generate_series(1, 1000) id")
    receiver.wait = 1.0
    with mail_receiver() as mail, http_receiver() as monitor:
        env["NOTIFY_URLS"] = f"  mailto://127.0.0.1:{mail.port}?from=a@cidade.gov.br&to=b@cidade.gov.br "
        env["HEARTBEAT_URL"] = monitor.url
        with started(env, "run") as child:
            while not receiver.asked:
                assert child.poll() is None, child.communicate()
                time.sleep(0.02)
            with lock(env):
                assert child.poll() is None
            said = "".join(child.communicate())
        assert child.returncode == 0, said
        [told] = receiver.notices
        assert told["title"].endswith(": made and proven")
        assert "1000 rows as they should be" in told["message"]
        assert told["type"] == "success"
        assert len(mail.mails) == 1
        assert [method for method, _, _ in monitor.requests] == ["GET"]
    assert not list(Path(env["BACKUP_DIR"], ".notices").glob("*.json"))


def test_a_run_that_fails_is_told_with_the_reason_and_no_secret(env: dict[str, str], receiver: HttpReceiver) -> None:
    with started(env, "run") as child:
        said = "".join(child.communicate())
    assert (child.returncode, said.startswith("Error: "), 'database "nenhum" does not exist' in said) == (1, True, True)
    [told] = receiver.notices
    assert (told["title"], told["type"]) == ("Backup of nenhum FAILED", "failure")
    assert 'database "nenhum" does not exist' in told["message"]
    assert "No backup is known that can be counted on." in told["message"]
    assert not any(secret in told["message"] + said for secret in SECRETS)


def test_a_run_that_cannot_begin_is_told_and_one_that_waits_its_turn_is_not(
    env: dict[str, str], receiver: HttpReceiver
) -> None:
    env |= {"WEBHOOK_URL": "", "HEARTBEAT_URL": receiver.url}
    assert called({**env, "RETENTION_DAYS": "0"}, "run")[0] == 1
    [(_, path, body)] = receiver.requests
    assert path.endswith("/fail")
    assert body.startswith(b"Backup of PostgreSQL FAILED\ndump of PostgreSQL on ")
    assert b"RETENTION_DAYS is '0'" in body
    with lock(env):
        code, said = called(env, "run")
    assert (code, "is at work there" in said, len(receiver.requests)) == (1, True, 1)


def test_a_test_says_of_each_channel_whether_it_arrived(env: dict[str, str], receiver: HttpReceiver) -> None:
    code, said = called({**env, "NOTIFY_URLS": "json://localhost:1/segredo"}, "notify", "--test")
    assert code == 1
    assert receiver.subjects == ["This is a test"]
    assert "http://127.0.0.1/... took it." in said
    assert "json://localhost/... did not take it: " in said
    assert "Connection refused" in said


def test_what_is_left_is_delivered_by_hand_and_nobody_is_told_where_nobody_is_named(
    env: dict[str, str], receiver: HttpReceiver
) -> None:
    outbox = Outbox(notices_directory(env), Channels([receiver.url]))
    outbox.put(Notice("left behind", "", "failure", 1e9))
    assert called(env, "notify") == (0, "1 delivered, 0 still to be delivered.\n None")
    assert receiver.subjects == ["left behind"]
    for arguments in ([], ["--test"]):
        code, said = called({**env, "WEBHOOK_URL": ""}, "notify", *arguments)
        assert (code, "Nobody is told: set NOTIFY_URLS or WEBHOOK_URL." in said) == (1, True)


def test_an_address_that_cannot_be_used_is_refused_before_anything_is_done(env: dict[str, str]) -> None:
    code, said = called({**env, "NOTIFY_URLS": "foo://segredo"}, "run")
    assert (code, "NOTIFY_URLS or WEBHOOK_URL 'foo://...': Unparseable URL foo://***; allowed: " in said) == (1, True)
    code, said = called({**env, "WEBHOOK_URL": "", "HEARTBEAT_URL": "segredo"}, "run")
    assert (code, "HEARTBEAT_URL '...': it is no http:// or https:// address" in said) == (1, True)
    assert [path.name for path in Path(env["BACKUP_DIR"]).iterdir()] == ["store.json"]


def test_who_keeps_to_a_schedule_delivers_what_others_could_not(env: dict[str, str], receiver: HttpReceiver) -> None:
    outbox = Outbox(notices_directory(env), Channels([receiver.url]))
    with started(env, "schedule", "--run", "--dump", "") as child:
        try:
            outbox.put(Notice("left behind", "", "failure", 1e9))
            deadline = time.monotonic() + 30
            while not receiver.requests and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            child.send_signal(signal.SIGTERM)
            said = "".join(child.communicate())
    assert (receiver.subjects, child.returncode) == (["left behind"], 143), said


def test_notices_wait_beside_the_backups_or_where_there_is_no_directory_on_this_machine(tmp_path: Path) -> None:
    place = tmp_path / "c"
    assert notices_directory({"BACKUP_DIR": str(place)}).parent == Path(tempfile.gettempdir())  # it may not be mounted
    Backups(Dsn(), Stores([open_store(str(place))])).init(encrypted=False)
    assert notices_directory({"BACKUP_DIR": str(place)}) == place / ".notices"
    assert notices_directory({"BACKUP_STORES": f"s3://x?endpoint=http://127.0.0.1:1 {place}"}) == place / ".notices"
    assert notices_directory({"BACKUP_STORES": "s3://x s3://"}).name.startswith("esteio-notices-")
    assert notices_of({}).outbox is notices_of({}).heartbeat is None
