"""An address is taken before anything starts, or the error says which and what to do."""

from __future__ import annotations

import socket

import pytest

from esteio.serve import AddressDenied, AddressInUse, AddressUnusable, bind
from esteio.serve._bind import _translated


def test_the_socket_listens_so_nobody_else_can_take_the_port():
    with bind("127.0.0.1", 0) as sock, socket.create_connection(sock.getsockname()):
        port = sock.getsockname()[1]
        with pytest.raises(AddressInUse, match=f"127.0.0.1:{port}.*another port") as caught:
            bind("127.0.0.1", port)
    assert (caught.value.host, caught.value.port) == ("127.0.0.1", port)


def test_the_port_can_be_taken_again_at_once_after_connections_were_served():
    with bind("127.0.0.1", 0) as sock:
        address = sock.getsockname()
        client = socket.create_connection(address)
        sock.setblocking(True)
        accepted, _ = sock.accept()
        accepted.close()
        client.close()
    bind(*address).close()


def test_ipv6_addresses_are_taken_as_such():
    with bind("::1", 0) as sock:
        assert sock.family == socket.AF_INET6


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host.invalid"])
def test_a_host_that_is_not_ours_is_named(host):
    with pytest.raises(AddressUnusable, match=host):
        bind(host, 0)


def test_a_number_that_is_no_port_is_named():
    with pytest.raises(AddressUnusable, match="70000"):
        bind("127.0.0.1", 70000)


def test_permission_denied_tells_about_low_ports():
    # Administrators may take low ports, so the refusal can't be provoked everywhere.
    error = _translated(PermissionError(13, "Permission denied"), "0.0.0.0", 80)
    assert isinstance(error, AddressDenied)
    assert "0.0.0.0:80" in str(error)
    assert "1024" in str(error)
