"""The state of a pool: decided without a server."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from esteio.postgres._hosts import Role
from esteio.postgres._state import PoolState


@dataclass(eq=False)
class Kept:
    """A connection that does what it is told."""

    generation: int = 0
    expires_at: float = 100.0
    idle_since: float = 0.0
    answered_at: float = -1.0
    role: Role = Role.PRIMARY
    is_cut: bool = False
    ended: bool = False
    busy: bool = False
    now_is: Role = Role.PRIMARY
    dropped: bool = False

    def stale(self) -> bool:
        return self.ended

    def reusable(self) -> bool:
        return not self.busy

    def role_changed(self) -> bool:
        return self.now_is is not self.role

    def drop(self) -> None:
        self.dropped = True


def state(*idle: Kept, used: tuple[Kept, ...] = ()) -> PoolState[Kept]:
    ledger: PoolState[Kept] = PoolState(min_size=2, max_size=4, max_idle=10.0)
    ledger.idle.extend(idle)
    for conn in used:
        ledger.lend(conn)
    return ledger


def test_the_most_recently_used_goes_out_and_what_ended_while_idle_does_not() -> None:
    old, ended = Kept(), Kept(ended=True)
    ledger = state(old, ended)
    assert ledger.take(0.0) is old
    assert ended.dropped
    assert (ledger.lost, ledger.take(0.0), ledger.size) == (1, None, 1)


def test_what_comes_back_unfit_is_closed() -> None:
    for unfit in (Kept(busy=True), Kept(generation=7), Kept(expires_at=1.0), Kept(now_is=Role.STANDBY)):
        ledger = state(used=(unfit,))
        assert not ledger.returned(unfit, 2.0, wanted=False)
        assert unfit.dropped
        assert ledger.size == 0
    fit = Kept()
    assert state(used=(fit,)).returned(fit, 2.0, wanted=True)


def test_a_connection_is_looked_at_when_it_comes_back_only_if_somebody_waits_for_it() -> None:
    ended = Kept(ended=True)
    assert state(used=(ended,)).returned(ended, 2.0, wanted=False), "it is looked at when it is taken"
    assert not state(used=(ended,)).returned(ended, 2.0, wanted=True)


def test_a_changed_role_ends_the_generation() -> None:
    changed, idle = Kept(now_is=Role.READ_ONLY), Kept()
    ledger = state(idle, used=(changed,))
    ledger.returned(changed, 0.0, wanted=False)
    assert (ledger.generation, idle.dropped) == (1, True)


def test_one_sign_closes_what_is_idle_at_once_and_what_is_in_use_when_it_comes_back() -> None:
    first, second, idle = Kept(), Kept(), Kept()
    ledger = state(idle, used=(first, second))
    assert ledger.invalidate(first, 0.0)
    assert idle.dropped
    assert not second.dropped
    assert not ledger.invalidate(second, 0.0), "the same news does not end the next generation"
    assert not ledger.returned(second, 0.0, wanted=False)
    assert ledger.generation == 1


def test_a_connection_we_have_cut_ourselves_says_nothing_of_its_server() -> None:
    cut, idle = Kept(is_cut=True), Kept()
    ledger = state(idle, used=(cut,))
    assert not ledger.invalidate(cut, 0.0)
    assert not idle.dropped


def test_a_server_that_only_read_from_the_start_ends_no_more_than_one_generation_a_second() -> None:
    ledger = state()
    endings = 0
    for step in range(100):
        reader = Kept(generation=ledger.generation, role=Role.STANDBY)
        ledger.lend(reader)
        endings += ledger.invalidate(reader, step / 20)
        ledger.returned(reader, step / 20, wanted=False)
    assert endings == 5


def test_idle_connections_above_the_minimum_end_and_the_expired_do() -> None:
    expired, kept = Kept(expires_at=1.0), [Kept(idle_since=20.0), Kept(idle_since=20.0)]
    long_idle = Kept()
    ledger = state(expired, long_idle, *kept)
    ledger.sweep(25.0)
    assert list(ledger.idle) == kept
    ledger.sweep(90.0)
    assert list(ledger.idle) == kept, "the minimum stays"


@given(st.integers(0, 10), st.integers(0, 4))
def test_no_more_connections_are_wanted_than_allowed_nor_fewer_than_needed(waiting: int, size: int) -> None:
    ledger = state(*(Kept() for _ in range(size)))
    wanted = ledger.wanted(waiting)
    assert size + max(0, wanted) <= 4
    assert wanted >= min(waiting, 4 - size)
    assert size + wanted >= 2


def test_a_connection_that_its_borrower_lost_is_no_longer_counted() -> None:
    lost, held = Kept(), Kept()
    ledger = state(used=(lost, held))
    del lost
    ledger.sweep(0.0)
    assert (ledger.size, ledger.in_use()) == (1, [held])


def test_a_smaller_maximum_closes_what_is_idle_at_once_and_the_rest_when_it_comes_back() -> None:
    idle, first, second = Kept(), Kept(), Kept()
    ledger = state(idle, used=(first, second))
    ledger.resize(0, 1)
    assert idle.dropped
    assert not ledger.returned(first, 0.0, wanted=True)
    assert ledger.returned(second, 0.0, wanted=True)


def test_a_finalizer_that_gives_a_connection_back_does_not_disturb_the_sweep() -> None:
    lost, given_back = Kept(), Kept()
    ledger = state(used=(given_back,))

    def gone() -> None:
        ledger.returned(given_back, 0.0, wanted=False)  # the garbage collector may run at any moment of the sweep

    ledger.used = {id(lost): gone, **ledger.used}  # type: ignore[dict-item] # what a dead reference says when it is asked
    ledger.sweep(0.0)
    assert ledger.used == {}
