"""Who is asked next, of several servers: decided without a network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.postgres import DatabaseMissing, Dsn, DsnError
from esteio.postgres._hosts import Fleet, Host, Role, Target, role_of
from esteio.postgres._session import session_conninfo, session_hosts


def make_fleet(count: int = 3) -> Fleet:
    return Fleet([Host(name, "") for name in "abcdef"[:count]], lambda: 1.0)


def names(fleet: Fleet, target: Target, now: float = 0.0) -> str:
    return "".join(host.address for host in fleet.candidates(target, now))


@pytest.mark.parametrize(
    ("standby", "read_only", "role"),
    [
        (b"off", b"off", Role.PRIMARY),
        (b"off", b"on", Role.READ_ONLY),
        (b"on", b"off", Role.STANDBY),
        (b"on", b"on", Role.STANDBY),
        (None, None, Role.UNKNOWN),
    ],
)
def test_a_session_tells_its_role_by_its_parameters(standby: bytes | None, read_only: bytes | None, role: Role) -> None:
    parameters = {b"in_hot_standby": standby, b"default_transaction_read_only": read_only}
    assert role_of(parameters.get) is role


@pytest.mark.parametrize(
    ("target", "accepted"),
    [
        ("any", "primary, read-only primary, standby"),
        ("read-write", "primary"),
        ("read-only", "read-only primary, standby"),
        ("primary", "primary, read-only primary"),
        ("standby", "standby"),
        ("prefer-standby", "primary, read-only primary, standby"),
    ],
)
def test_targets_mean_what_they_mean_to_libpq(target: str, accepted: str) -> None:
    roles = [role for role in Role if role is not Role.UNKNOWN and Target(target).accepts(role)]
    assert ", ".join(roles) == accepted


def test_servers_are_asked_in_the_order_of_the_url_until_their_roles_are_known() -> None:
    fleet = make_fleet()
    assert names(fleet, Target.READ_WRITE) == "abc"
    assert not fleet.connected(fleet.hosts[0], Role.STANDBY, Target.READ_WRITE, 0.0)
    assert fleet.connected(fleet.hosts[2], Role.PRIMARY, Target.READ_WRITE, 0.0)
    assert names(fleet, Target.READ_WRITE, 10.0) == "cba"
    assert names(fleet, Target.PREFER_STANDBY, 10.0) == "abc"


def test_a_dead_server_is_left_alone_for_a_while_and_the_others_go_on() -> None:
    fleet = make_fleet()
    fleet.failed(fleet.hosts[0], "no route", 0.0)
    assert names(fleet, Target.READ_WRITE, 0.01) == "bc"
    assert names(fleet, Target.READ_WRITE, 0.03) == "bca"
    report = fleet.report(5.0)[0]
    assert (report.failures, report.down_for, report.error) == (1, 5.0, "no route")


def test_a_standby_is_asked_as_soon_again_after_an_hour_as_after_a_second_and_no_more_often_than_it_can_bear() -> None:
    fleet = make_fleet()
    for now in (0.0, 1.0, 3600.0, 3601.0):
        fleet.connected(fleet.hosts[1], Role.STANDBY, Target.READ_WRITE, now)
        assert names(fleet, Target.READ_WRITE, now + 0.2) == "ac"
        assert "b" in names(fleet, Target.READ_WRITE, now + 0.5), "it may have been promoted"


def test_when_no_server_may_be_asked_the_wait_is_that_of_the_first() -> None:
    fleet = make_fleet(2)
    fleet.failed(fleet.hosts[0], "no route", 0.0)
    fleet.failed(fleet.hosts[1], "no route", 0.015)
    assert names(fleet, Target.ANY, 0.016) == ""
    assert fleet.wait(0.016) == pytest.approx(0.004)
    assert fleet.wait(1.0) == 0.0


def test_a_second_primary_makes_the_first_doubtful() -> None:
    fleet = make_fleet(2)
    fleet.connected(fleet.hosts[0], Role.PRIMARY, Target.READ_WRITE, 0.0)
    fleet.connected(fleet.hosts[1], Role.PRIMARY, Target.READ_WRITE, 0.0)
    assert [host.role for host in fleet.hosts] == [Role.UNKNOWN, Role.PRIMARY]


def test_a_primary_that_a_promotion_left_behind_is_not_written_to_until_the_new_one_is_long_gone() -> None:
    fleet = make_fleet()
    assert fleet.leads(7, 1, 0.0)
    assert fleet.superseded_by(7, 2)
    assert fleet.leads(7, 2, 1.0)
    assert not fleet.leads(7, 1, 20.0)
    fleet.heard_of(7, 2, 25.0)
    fleet.heard_of(7, 1, 50.0)
    assert not fleet.leads(7, 1, 50.0)
    assert not fleet.superseded_by(7, 1)
    assert fleet.leads(7, 1, 60.0), "a backup was restored"
    assert fleet.leads(8, 1, 61.0), "another cluster took its place"


def test_callers_are_told_at_once_only_when_every_server_refuses_us() -> None:
    fleet = make_fleet(2)
    refusal = DatabaseMissing("main", "no such database")
    fleet.failed(fleet.hosts[0], "no such database", 0.0, refusal)
    assert fleet.refusal() is None
    fleet.failed(fleet.hosts[1], "no route", 0.0)
    assert fleet.refusal() is None
    fleet.failed(fleet.hosts[1], "no such database", 1.0, refusal)
    assert fleet.refusal() is refusal
    assert fleet.wait(1.0) >= 1.0, "and it is not asked on and on"
    fleet.connected(fleet.hosts[1], Role.PRIMARY, Target.ANY, 5.0)
    assert fleet.refusal() is None


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["fail", "refuse", *Role])), max_size=40))
def test_no_server_is_forgotten_and_none_is_asked_before_its_time(steps: list[tuple[int, str]]) -> None:
    fleet, now = make_fleet(), 0.0
    for number, what in steps:
        now += 0.01
        host = fleet.hosts[number]
        if what == "fail":
            fleet.failed(host, "gone", now)
        elif what == "refuse":
            fleet.failed(host, "no", now, DatabaseMissing("main", "no"))
        else:
            fleet.connected(host, Role(what), Target.READ_WRITE, now)
        ready = fleet.candidates(Target.READ_WRITE, now)
        assert all(host.retry_at <= now for host in ready)
        assert sorted(host.address for host in fleet.candidates(Target.ANY, now + 100.0)) == ["a", "b", "c"]
        assert (fleet.wait(now) == 0.0) == bool(ready)


def hosts_of(url: str) -> tuple[Target, list[Host]]:
    dsn = Dsn.parse(url)
    return session_hosts(dsn, session_conninfo(dsn, "test", {}))


def test_each_server_of_a_url_gets_its_own_address_and_of_several_the_writable_one_is_wanted() -> None:
    target, hosts = hosts_of("postgresql://joe:secret@db1:5433,[::1],db3/app?sslmode=require")
    assert target is Target.READ_WRITE
    assert [host.address for host in hosts] == ["db1:5433", "::1:5432", "db3:5432"]
    assert "host=db1 " in hosts[0].conninfo
    assert "port=5433" in hosts[0].conninfo
    assert all("sslmode=require" in host.conninfo and "password=secret" in host.conninfo for host in hosts)


def test_a_single_server_is_taken_as_it_is_unless_the_url_wants_more() -> None:
    assert hosts_of("postgresql://db1/app")[0] is Target.ANY
    target, hosts = hosts_of("postgresql://db1/app?target_session_attrs=primary")
    assert target is Target.PRIMARY
    assert "target_session_attrs" not in hosts[0].conninfo, "libpq would turn away what we want to see"


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("target_session_attrs=master", "read-write"),
        ("load_balance_hosts=random", "read_only=True"),
        ("hostaddr=10.0.0.1,10.0.0.2,10.0.0.3", "one for each of the 2 hosts"),
    ],
)
def test_parameters_that_several_servers_cannot_have_are_refused(parameter: str, message: str) -> None:
    with pytest.raises(DsnError, match=message):
        hosts_of(f"postgresql://db1,db2/app?{parameter}")
