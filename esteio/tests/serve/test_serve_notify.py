"""systemd is told when it asked to be."""

from __future__ import annotations

import socket

from esteio.serve._notify import notify


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
