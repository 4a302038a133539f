"""Which connection has to go for a new one, decided on names instead of sockets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.serve import ConnectionLimits
from esteio.serve._connections import Connections

ANA, RUI, PROXY = "203.0.113.1", "2001:db8::2", "10.1.2.3"


def make(trusted=(), **limits):
    return Connections(ConnectionLimits(**{"connections": 10, "per_address": 5, **limits}), trusted)


def fill(connections, count, address=ANA, now=0.0, start=0):
    for number in range(start, start + count):
        connections.add(number, address, now)


def test_there_is_room_up_to_the_limit():
    connections = make(per_address=20)
    fill(connections, 10)
    assert connections.surplus(9, 100.0) is None


def test_the_one_that_waits_longest_goes_but_never_a_young_one_nor_one_with_a_request():
    connections = make(per_address=20)
    fill(connections, 11)
    assert connections.surplus(10, 0.5) is None
    assert connections.surplus(10, 1.0) == 0
    connections.serve(0)
    assert connections.surplus(10, 1.0) == 1


def test_who_never_asked_goes_before_who_is_idle_after_a_request():
    connections = make(per_address=20)
    fill(connections, 10)
    for number in range(10):
        connections.wait_idle(number, 0.0)
    connections.wait_for_head(5, 2.0)
    connections.add(10, ANA, 3.0)
    assert connections.surplus(10, 3.0) == 5
    connections.serve(5)
    assert connections.surplus(10, 3.0) == 0


def test_when_four_times_as_many_are_open_the_young_ones_go_too():
    connections = make(per_address=100)
    fill(connections, 40)
    assert connections.surplus(39, 0.1) is None
    connections.add(40, ANA, 0.1)
    assert connections.surplus(40, 0.1) == 0


def test_an_address_beyond_its_limit_gives_up_its_own_longest_waiting_one():
    connections = make()
    fill(connections, 2, RUI)
    fill(connections, 6, ANA, start=10)
    assert connections.surplus(15, 0.0) == 10
    connections.remove(10)
    assert connections.surplus(15, 0.0) is None
    assert not connections.is_refused(15)


def test_an_address_whose_connections_are_all_at_work_is_refused_more():
    connections = make()
    fill(connections, 6)
    for number in range(6):
        connections.serve(number)
    assert connections.surplus(5, 0.0) is None
    assert connections.is_refused(5)


@pytest.mark.parametrize("trusted", ["*", "10.0.0.0/8", " 10.1.2.3 ", "name, 10.1.2.3"])
def test_a_proxys_connections_are_many_peoples(trusted):
    connections = make(trusted.split(","))
    fill(connections, 9, PROXY)
    for number in range(9):
        connections.serve(number)
    assert not connections.is_refused(8)
    assert make().is_refused(8) is False  # unknown: it has left already


def test_a_unix_socket_has_no_address_and_no_limit_of_one():
    connections = make()
    fill(connections, 9, "")
    assert connections.surplus(8, 0.0) is None


def test_late_are_those_whose_request_did_not_arrive_in_time():
    connections = make()
    fill(connections, 3)
    connections.serve(0)
    connections.wait_idle(1, 0.0)
    assert connections.late_heads(9.9) == []
    assert connections.late_heads(10.0) == [2]


@given(st.lists(st.tuples(st.sampled_from("ahisr"), st.integers(0, 7), st.sampled_from([ANA, RUI])), max_size=60))
def test_whatever_happens_the_books_are_those_of_the_open_connections(steps):
    connections, alive, now = make(), {}, 0.0
    for what, number, address in steps:
        now += 0.3
        if what == "a" and number not in alive:
            alive[number] = address
            connections.add(number, address, now)
            surplus = connections.surplus(number, now)
            assert surplus != number
            assert surplus is None or surplus in alive
        elif what == "h":
            connections.wait_for_head(number, now)
        elif what == "i":
            connections.wait_idle(number, now)
        elif what == "s":
            connections.serve(number)
        elif what == "r":
            alive.pop(number, None)
            connections.remove(number)
    assert set(connections) == set(alive)
    assert set(connections._heads) | set(connections._idle) <= set(alive)
    counts = {address: record.count for address, record in connections._addresses.items()}
    assert counts == {a: list(alive.values()).count(a) for a in set(alive.values())}
