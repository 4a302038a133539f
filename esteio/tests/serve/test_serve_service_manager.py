"""systemd is told when it asked to be, and who would start a killed supervisor again is known."""

from __future__ import annotations

import socket

from esteio.serve._service_manager import notify, restarted_by, watchdog_interval


def test_the_state_arrives_at_the_socket_of_the_environment(tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(5)
        notify("READY=1")
        assert listener.recv(100) == b"READY=1"


def test_nobody_listening_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")


def test_a_sign_of_life_is_due_twice_within_the_limit_and_only_from_the_process_that_was_asked():
    assert watchdog_interval({"WATCHDOG_USEC": "3000000"}, 7) == 1.5
    assert watchdog_interval({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 7) == 1.5
    assert watchdog_interval({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, 7) is None
    assert watchdog_interval({"WATCHDOG_USEC": "soon"}, 7) is None
    assert watchdog_interval({}, 7) is None


def test_who_starts_it_again_is_systemd_or_a_container_or_nobody():
    assert restarted_by({"INVOCATION_ID": "a"}, 70, 1) == "systemd, if its unit has Restart="
    assert restarted_by({"INVOCATION_ID": "a"}, 70, 60) is None  # a shell within a unit
    assert restarted_by({}, 1, 0) == "the container's restart policy"
    assert restarted_by({}, 70, 60) is None
