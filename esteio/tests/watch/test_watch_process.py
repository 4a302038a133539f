"""Real watchers: processes, servers and receivers on this machine, killed and stopped."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import pytest
from receivers import http_receiver
from typer.testing import CliRunner
from watching import Running, free_port, running, until

from esteio.cli._watch import app

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(180)]
QUICK = "interval = 1\ntimeout = 5\nretry = 0.5\n"


def command(name: str, watcher: Running, *more: str) -> tuple[int, str]:
    """In this process, as it is the outcome that matters."""
    done = CliRunner().invoke(app, [name, *more, "--config", str(watcher.file)])
    return done.exit_code, done.output


def test_one_problem_is_one_notice_over_a_kill_of_the_watcher_and_one_recovery(tmp_path: Path) -> None:
    with http_receiver() as target, http_receiver() as hook:
        text = f"""
[notify]
urls = ["json://127.0.0.1:{hook.port}/x"]
clear = 1
[[http]]
name = "web"
url = "{target.url}"
{QUICK}
[[tcp]]
name = "behind"
address = "127.0.0.1:{free_port()}"
depends_on = ["web"]
severity = "ticket"
{QUICK}
[[heartbeat]]
name = "job"
key = "0123456789abcdef"
every = 3600
[[maintenance]]
probes = ["behind"]
begin = 2020-01-01T00:00:00
end = 2099-01-01T00:00:00
"""
        with running(tmp_path / "a", text) as watcher:
            until(lambda: watcher.states() == {"web": "up", "behind": "maintenance", "job": "unknown"}, "all states")
            assert watcher.get("/ping/0123456789abcdef/start") == (200, "OK\n")
            assert watcher.get("/ping/0123456789abcdef") == (200, "OK\n")
            assert watcher.get("/ping/0123456789abcdeX")[0] == 404
            assert watcher.get("/ping/0123456789abcdef/nonsense")[0] == 404
            assert watcher.states()["job"] == "up"
            status, page = watcher.get("/")
            assert (status, "No" in page, 'role="status"' in page) == (200, False, True)
            assert watcher.get("/badge/web.svg")[0] == 200
            assert watcher.get("/badge/other.svg")[0] == 404
            assert watcher.get("/peer", b"{}")[0] == 403, "there is no secret"
            assert watcher.command("run")[0] == 75, "a second one for the same directory is refused"
            assert command("check", watcher)[0] == 0
            assert [watcher.signs.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            assert command("acknowledge", watcher, "web")[0] == 2, "it does not fire"
            assert "nobody is told until" in command("silence", watcher, "none-*", "--minutes", "5")[1]
            target.status = 503
            until(lambda: hook.subjects, "the notice")
            notices = tmp_path / "a" / "state" / "notices"
            until(lambda: not list(notices.glob("*.json")), "its removal: killed before, it would come twice")
            assert watcher.states()["web"] == "down"
            watcher.end(signal.SIGKILL)
            assert command("acknowledge", watcher, "web") == (0, "web: you look after it.\n")
            code, said = command("status", watcher)
            assert (code, "down" in said, "last seen working" in said) == (1, True, True), (
                "the page may be gone, not this"
            )
            watcher.again()
            until(lambda: watcher.states()["web"] == "down", "down again")
            assert watcher.states()["job"] == "up", "what it heard is remembered"
            assert watcher.get("/ping/0123456789abcdef/1", b"no space left")[0] == 200
            until(lambda: len(hook.subjects) >= 2, "the notice of the job")
            target.status = 200
            until(lambda: len(hook.subjects) >= 3, "the recovery")
            code, said = command("run", watcher, "--once")
            assert (code, "up           web" in said, "job" in said) == (0, True, False), said
            assert watcher.end(signal.SIGINT) == 130
        assert hook.subjects == [
            "PROBLEM: web does not work", "PROBLEM: job did not report in time, or failed", "Well again: web does not work",
        ]  # fmt: skip
        assert "no space left" in hook.notices[1]["message"]
        log = (tmp_path / "a" / "log").read_text()
        assert "Traceback" not in log, log
        assert "another watcher runs in" in log


def test_two_watchers_watch_each_other_tell_once_and_the_one_that_is_left_tells_on(tmp_path: Path) -> None:
    with http_receiver() as target, http_receiver() as hook, socket.create_server(("127.0.0.1", 0)) as anchor:
        ports = {"a": free_port(), "b": free_port()}

        def text(name: str) -> str:
            other = "ab".replace(name, "")
            return f"""
[notify]
urls = ["json://127.0.0.1:{hook.port}/{name}"]
clear = 1
[group]
secret = "a-secret-of-sixteen"
anchors = ["127.0.0.1:{anchor.getsockname()[1]}"]
[[peer]]
name = "{other}"
url = "http://127.0.0.1:{ports[other]}"
interval = 0.5
[[http]]
name = "web"
url = "{target.url}"
{QUICK}
"""

        def told() -> list[str]:
            return [
                f"{path[-1]}: {notice['title']}"
                for (_, path, _), notice in zip(hook.requests, hook.notices, strict=True)
                if "watcher:b" not in notice["title"]  # which begins after the other one
            ]

        with (
            running(tmp_path / "a", text("a"), ports["a"]) as first,
            running(tmp_path / "b", text("b"), ports["b"]) as second,
        ):
            until(lambda: first.states() == {"web": "up", "watcher:b": "up"}, "b")
            until(lambda: second.states() == {"web": "up", "watcher:a": "up"}, "a")
            target.status = 503
            until(lambda: first.states()["web"] == second.states()["web"] == "down", "down")
            until(told, "the notice")
            target.status = 200
            until(lambda: len(told()) >= 2, "the recovery")
            first.end(signal.SIGKILL)
            until(lambda: second.states()["watcher:a"] == "down", "that a is gone")
            until(lambda: len(told()) >= 3, "the notice that a is gone")
            target.status = 503
            until(lambda: len(told()) >= 4, "the notice of the one that is left")
            assert "watcher:a" in second.get("/")[1]
            assert second.end(signal.SIGTERM) == 143
        assert told() == [
            "a: PROBLEM: web does not work", "a: Well again: web does not work", "b: PROBLEM: watcher:a does not answer",
            "b: PROBLEM: web does not work",
        ]  # fmt: skip


def test_500_probes_go_on_while_a_mail_server_hangs(tmp_path: Path) -> None:
    looks, mails = [0], [0]
    target, smtp = socket.create_server(("127.0.0.1", 0), backlog=1024), socket.create_server(("127.0.0.1", 0))

    def count(server: socket.socket, counted: list[int], held: list[socket.socket] | None = None) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            counted[0] += 1
            if held is None:
                connection.close()
            else:
                held.append(connection)  # never says a word

    hanging: list[socket.socket] = []
    threading.Thread(target=count, args=(target, looks), daemon=True).start()
    threading.Thread(target=count, args=(smtp, mails, hanging), daemon=True).start()
    probes = "".join(
        f'[[tcp]]\nname = "p{number}"\naddress = "127.0.0.1:{target.getsockname()[1]}"\ninterval = 2\nretry = 1\n'
        for number in range(499)
    )
    ill = f'[[tcp]]\nname = "ill"\naddress = "127.0.0.1:{free_port()}"\n{QUICK}'
    notify = f'[notify]\nurls = ["mailto://127.0.0.1:{smtp.getsockname()[1]}?from=a@x.org&to=b@x.org"]\n'
    with running(tmp_path / "a", notify + probes + ill) as watcher:
        until(lambda: mails[0], "the mail")
        before = looks[0]
        until(lambda: looks[0] - before > 1000, "two more looks of each probe")
        states = watcher.states()
        assert states.pop("ill") == "down"
        assert set(states.values()) == {"up"}
    target.close()
    smtp.close()
    for connection in hanging:
        connection.close()
