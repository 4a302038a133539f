"""Client addresses: who is believed, and which spellings are the same client."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.limit.keys import LOCAL, InvalidNetwork, TrustedProxies, address_key, parse_address

NEAR = TrustedProxies("10.0.0.0/8, 127.0.0.1, 2001:db8:aa::/48")


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:4711", "203.0.113.7"),
        ("::FFFF:CB00:7107", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ('"[2001:db8:1:2::9]"', "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_all_spellings_of_one_client_are_one_key(written: str, key: str) -> None:
    assert address_key(written) == key


@pytest.mark.parametrize(
    "garbage",
    ["", " ", "unknown", "_hidden", "999.1.1.1", "1.2.3", "[::1", "[", "]", "::1::2", "x" * 10_000, "\x00", "é"],
)
def test_garbage_is_neither_an_error_nor_a_key_of_its_own(garbage: str) -> None:
    assert address_key(garbage) in (LOCAL, "::/64")


def test_two_subscribers_of_ipv6_and_two_clients_of_ipv4_inside_ipv6_are_told_apart() -> None:
    assert address_key("2001:db8:0:1::1") != address_key("2001:db8:0:2::1")
    assert address_key("::ffff:203.0.113.7") != address_key("::ffff:203.0.113.8")


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # came directly: whatever it wrote is not believed
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),  # the left was written by the client
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),  # the same in two fields
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["203.0.113.7:1234,10.0.0.2:80"], "203.0.113.7"),
        ("2001:db8:aa::1", ["[2001:db8:1::9]:443"], "2001:db8:1::9"),
        ("10.0.0.1", ["10.0.0.5, 10.0.0.2"], "10.0.0.5"),  # everybody is near: the farthest is the client
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["", " , ,"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7, garbage"], "10.0.0.1"),
        ("10.0.0.1", ["garbage, 203.0.113.7"], "203.0.113.7"),
        ("", ["203.0.113.7"], ""),
        (None, ["203.0.113.7"], ""),
    ],
)
def test_only_trusted_hops_from_the_right_are_believed(peer: str | None, header: list[str], client: str) -> None:
    assert NEAR.client(peer, header) == client


def test_a_unix_socket_is_believed_where_it_is_named() -> None:
    assert TrustedProxies(["unix"]).client("", ["198.51.100.1, 203.0.113.7"]) == "203.0.113.7"
    assert TrustedProxies(["unix"]).client(None) == ""


def test_a_number_of_hops_bounds_who_is_believed() -> None:
    cloud = TrustedProxies(["0.0.0.0/0", "::/0"], hops=1)
    assert cloud.client("192.0.2.1", ["198.51.100.1, 203.0.113.7"]) == "203.0.113.7"
    two = TrustedProxies(["0.0.0.0/0", "::/0"], hops=2)
    assert two.client("192.0.2.1", ["198.51.100.1, 203.0.113.7"]) == "198.51.100.1"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("for=203.0.113.7", "203.0.113.7"),
        ('For="[2001:db8:1::9]:4711"', "2001:db8:1::9"),
        ("for=198.51.100.1, for=203.0.113.7;proto=https;by=10.0.0.1", "203.0.113.7"),
        ('proto=https; for="203.0.113.7:80", for=10.0.0.2', "203.0.113.7"),
        ("for=203.0.113.7, for=_secret", "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
        (";;=,,;for", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_as_rfc_7239_says(header: str, client: str) -> None:
    assert NEAR.client("10.0.0.1", forwarded=[header]) == client


def test_x_forwarded_for_wins_over_forwarded() -> None:
    assert NEAR.client("10.0.0.1", ["203.0.113.7"], ["for=198.51.100.1"]) == "203.0.113.7"


def test_a_header_of_a_million_hops_costs_no_more_than_one_of_thirty_two() -> None:
    header = ["10.0.0.9, " * 1_000_000 + "10.0.0.2"]
    assert NEAR.client("10.0.0.1", header) == "10.0.0.9"


@pytest.mark.parametrize("bad", ["proxy", "10.0.0.0/40", "10.0.0.0/8;127.0.0.1", "*"])
def test_a_network_that_is_none_is_named(bad: str) -> None:
    with pytest.raises(InvalidNetwork, match=r"10\.0\.0\.0/8") as error:
        TrustedProxies([bad])
    assert error.value.value == bad


def test_less_than_one_hop_is_refused() -> None:
    for hops in (0, -1, 33, 1.5, True, float("nan"), "2"):
        with pytest.raises(ValueError, match=f"hops={hops!r}"):
            TrustedProxies(["10.0.0.0/8"], hops=hops)  # type: ignore[arg-type]


@given(st.lists(st.text(max_size=80), max_size=6), st.ip_addresses())
def test_whatever_a_client_writes_its_own_proxy_has_the_last_word(written: list[str], address) -> None:
    client = ipaddress.ip_address(address)
    if any(client in network for network in NEAR._networks if network.version == client.version):
        return
    seen = NEAR.client("10.0.0.1", [*written, str(client)])
    assert address_key(seen) == address_key(str(client))


@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(text: str) -> None:
    parsed = parse_address(text)
    assert parsed is None or address_key(text) == address_key(str(parsed))
    NEAR.client("10.0.0.1", forwarded=[text])
