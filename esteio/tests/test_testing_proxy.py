"""The proxy that breaks connections does what its methods say, and nothing else."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from esteio.testing import FlakyProxy


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
        except OSError:
            pass


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    with _Server(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield ("127.0.0.1", server.server_address[1])
        server.shutdown()


@pytest.fixture
def proxy(echo: tuple[str, int]) -> Iterator[FlakyProxy]:
    with FlakyProxy(echo) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FlakyProxy) -> Iterator[socket.socket]:
    with socket.create_connection(proxy.address, timeout=5) as client:
        assert _said(client, b"hello") == b"hello"
        yield client


def _said(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return client.recv(65536)


def _nothing_comes(client: socket.socket) -> bool:
    client.settimeout(0.1)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False


def test_bytes_pass_in_order_and_are_counted(proxy: FlakyProxy, client: socket.socket) -> None:
    data = bytes(range(256)) * 4096
    threading.Thread(target=client.sendall, args=(data,)).start()
    received = b""
    while len(received) < len(data):
        received += client.recv(65536)
    assert received == data
    assert (proxy.accepted, proxy.passed["up"]) == (1, 5 + len(data))


def test_a_cut_ends_every_connection_and_a_new_one_works(proxy: FlakyProxy, client: socket.socket) -> None:
    assert proxy.cut() == 1
    assert client.recv(1) == b""
    with socket.create_connection(proxy.address, timeout=5) as again:
        assert _said(again, b"again") == b"again"


def test_a_reset_is_an_error_to_the_client(proxy: FlakyProxy, client: socket.socket) -> None:
    proxy.cut(reset=True)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_an_answer_can_be_cut_in_its_middle(proxy: FlakyProxy, client: socket.socket) -> None:
    proxy.cut_after(3)
    assert _said(client, b"answer") == b"ans"
    assert client.recv(1) == b""


def test_a_frozen_connection_is_open_and_passes_all_once_healed(proxy: FlakyProxy, client: socket.socket) -> None:
    proxy.freeze("down")
    client.sendall(b"late")
    assert _nothing_comes(client)
    proxy.heal()
    assert client.recv(65536) == b"late"


def test_a_swallowed_answer_never_comes_although_both_ends_are_connected(
    proxy: FlakyProxy, client: socket.socket
) -> None:
    proxy.swallow("down")
    client.sendall(b"lost")
    assert _nothing_comes(client)
    proxy.heal()
    assert _said(client, b"found") == b"found"


def test_corrupted_bytes_are_flipped_and_those_behind_them_are_not(proxy: FlakyProxy, client: socket.socket) -> None:
    proxy.corrupt(2)
    assert _said(client, b"\x00\x0fab") == b"\xff\xf0ab"
    assert _said(client, b"ab") == b"ab"


def test_a_stopped_proxy_refuses_and_a_started_one_has_its_old_address(proxy: FlakyProxy) -> None:
    address = proxy.address
    proxy.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    proxy.start()
    assert proxy.address == address
    with socket.create_connection(address, timeout=5) as client:
        assert _said(client, b"back") == b"back"


def test_an_absent_server_ends_the_clients_connection() -> None:
    with (
        FlakyProxy(("127.0.0.1", 1)) as proxy,
        pytest.raises(ConnectionResetError),  # sometimes before the connection is made
        socket.create_connection(proxy.address, timeout=5) as client,
    ):
        client.recv(1)


def test_it_stands_in_front_of_unix_sockets_too(echo: tuple[str, int], tmp_path: Path) -> None:
    with (
        FlakyProxy(echo, listen=tmp_path / "outer"),
        FlakyProxy(tmp_path / "outer") as proxy,
        socket.create_connection(proxy.address, timeout=5) as client,
    ):
        assert _said(client, b"through") == b"through"
    assert not (tmp_path / "outer").exists()


def test_the_address_of_a_proxy_without_a_port_is_an_error_that_says_so() -> None:
    with pytest.raises(RuntimeError, match="start"):
        _ = FlakyProxy(("127.0.0.1", 1)).address
