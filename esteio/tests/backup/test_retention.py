"""What is kept and what is removed is decided without looking at anything but the list, and each with its reason."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.backup import Retention, Why
from esteio.backup._retention import GRACE, LEAP, Held, decide, doubtful_until, leap

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def held(*days: float, verified: bool = True, **more) -> list[Held]:
    return [Held(f"d{day:g}", NOW - timedelta(days=day), verified=verified, **more) for day in days]


def kept(decisions) -> dict[str, str]:
    return {each.id: each.reason for each in decisions if each.keep}


def removed(decisions) -> dict[str, str]:
    return {each.id: each.reason for each in decisions if not each.keep}


def test_what_is_younger_than_the_days_is_kept_and_the_rest_removed() -> None:
    decisions = decide(held(1, 29.9, 30.1, 400), Retention(days=30, verified=1), NOW)
    assert kept(decisions) == {"d1": "younger than 30 days", "d29.9": "younger than 30 days"}
    assert removed(decisions) == {"d30.1": "older than 30 days", "d400": "older than 30 days"}


def test_the_newest_verified_are_kept_however_old() -> None:
    decisions = decide([*held(100, 200, 300), *held(90, verified=False)], Retention(verified=2), NOW)
    assert kept(decisions) == {
        "d90": "the newest",
        "d100": "one of the newest 2 verified",
        "d200": "one of the newest 2 verified",
    }


def test_nothing_is_removed_while_too_few_are_verified() -> None:
    decisions = decide([*held(100), *held(200, 300, verified=False)], Retention(verified=2), NOW)
    assert removed(decisions) == {}
    assert kept(decisions)["d300"] == "only 1/2 verified backups exist"


def test_a_verified_backup_that_began_exactly_now_is_one_of_those_that_exist() -> None:
    decisions = decide([*held(0, 100), *held(200, verified=False)], Retention(verified=2), NOW)
    assert removed(decisions) == {"d200": "older than 30 days"}


def test_counts_keep_the_newest_of_each_day_week_month_and_year() -> None:
    at = [datetime(2026, 3, day, hour, tzinfo=UTC) for day in range(1, 15) for hour in (2, 14)]
    at += [datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)]
    all_ = [Held(f"{each:%Y-%m-%d %H}", each, verified=True) for each in at]
    decisions = decide(all_, Retention(days=1, daily=3, weekly=2, monthly=2, yearly=2, verified=1), NOW)
    assert kept(decisions) == {
        "2026-03-14 14": "younger than 1 days",
        "2026-03-13 14": "the newest of its day",
        "2026-03-12 14": "the newest of its day",
        "2026-03-08 14": "the newest of its week",
        "2026-01-09 00": "the newest of its month",
        "2024-07-01 00": "the newest of its year",
    }


def test_what_a_kept_backup_needs_is_kept_as_long() -> None:
    chain = [
        Held("full", NOW - timedelta(days=50), verified=True),
        Held("inc1", NOW - timedelta(days=40), verified=True, needs=("full",)),
        Held("inc2", NOW - timedelta(days=2), verified=True, needs=("inc1", "full")),
        Held("other", NOW - timedelta(days=45), verified=True),
    ]
    decisions = decide(chain, Retention(verified=1), NOW)
    assert kept(decisions)["full"] == "needed by inc2"
    assert kept(decisions)["inc1"] == "needed by inc2"
    assert list(removed(decisions)) == ["other"]


def test_unfinished_folders_go_at_once_if_nobody_else_can_be_at_work() -> None:
    left = [*held(0.5, complete=False), *held(-400, complete=False)]
    assert {each.why for each in decide(left, Retention(), NOW, alone=True)} == {Why.ABANDONED}


def test_unfinished_folders_go_after_a_day() -> None:
    decisions = decide([*held(0.5, 2, complete=False, verified=False), *held(1, 1.5)], Retention(), NOW)
    assert kept(decisions)["d0.5"] == "unfinished, but less than a day old"
    assert removed(decisions) == {"d2": "unfinished, and nobody is at work on it"}


def test_a_backup_from_the_future_is_kept_when_the_clock_was_set_back() -> None:
    decisions = decide(held(-400, 100, 200, 300), Retention(verified=2), NOW)
    assert kept(decisions)["d-400"] == "begun in the future of this clock"


@given(
    st.lists(st.tuples(st.integers(-50, 900), st.booleans(), st.booleans()), max_size=30),
    st.builds(
        Retention,
        days=st.integers(1, 400),
        daily=st.integers(0, 9),
        weekly=st.integers(0, 9),
        monthly=st.integers(0, 9),
        yearly=st.integers(0, 9),
        verified=st.integers(1, 5),
    ),
)
def test_never_fewer_verified_than_asked_for_and_one_decision_each(given, retention) -> None:
    all_ = [
        Held(f"{number}", NOW - timedelta(days=days), complete, complete and verified)
        for number, (days, complete, verified) in enumerate(given)
    ]
    decisions = decide(all_, retention, NOW)
    assert sorted(each.id for each in decisions) == sorted(each.id for each in all_)
    proven = {each.id for each in all_ if each.verified}
    left = proven & kept(decisions).keys()
    assert len(left) >= min(len(proven), retention.verified)
    if len(proven) < retention.verified:
        assert not [each for each in all_ if each.complete and each.id in removed(decisions)]
    whole = sorted((each for each in all_ if each.complete), key=lambda each: (each.began, each.id))
    assert not whole or whole[-1].id in kept(decisions)
    assert all(each.reason for each in decisions)


@pytest.mark.parametrize("wrong", [{"days": 0}, {"verified": 0}, {"daily": -1}, {"yearly": 36501}])
def test_a_retention_that_would_keep_nothing_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=rf"Retention: {next(iter(wrong))} is .*; allowed: "):
        Retention(**wrong)


def test_what_is_kept_when_nobody_says_anything() -> None:
    asked = Retention()
    assert (asked.days, asked.verified) == (30, 2)
    assert (asked.daily, asked.weekly, asked.monthly, asked.yearly) == (0, 0, 0, 0)
    decisions = decide([*held(1, 2, 3), *held(29, 31)], Retention(), NOW)
    assert list(removed(decisions)) == ["d31"]
    assert list(removed(decide(held(100, 200, 300), Retention(), NOW))) == ["d300"]


def test_the_last_moment_of_the_last_day_still_counts() -> None:
    second = timedelta(seconds=1)
    ages = {"last": timedelta(days=30), "past": timedelta(days=30) + second}
    old = [Held(name, NOW - age, verified=True) for name, age in ages.items()]
    decisions = decide([*old, *held(1, 2)], Retention(days=30), NOW)
    assert kept(decisions)["last"] == "younger than 30 days"
    assert removed(decisions) == {"past": "older than 30 days"}
    bits = [Held(name, NOW - GRACE - late, complete=False) for name, late in (("last", second * 0), ("past", second))]
    assert list(removed(decide(bits, Retention(), NOW))) == ["past"]


def test_a_backup_that_began_exactly_now_is_of_the_present() -> None:
    decisions = decide(held(0, 100, 200), Retention(verified=2), NOW)
    assert kept(decisions)["d0"] == "younger than 30 days"
    assert list(removed(decisions)) == ["d200"]
    ahead = [Held("ahead", NOW + timedelta(microseconds=1), verified=True), *held(100, 200)]
    assert kept(decide(ahead, Retention(verified=2), NOW))["ahead"] == "begun in the future of this clock"


def test_one_from_the_future_stands_in_for_no_other() -> None:
    ahead = held(-400, -401, -402)
    decisions = decide([*ahead, *held(100, 200, 300)], Retention(verified=2, yearly=1), NOW)
    assert set(kept(decisions)) == {"d-400", "d-401", "d-402", "d100", "d200"}
    few = decide([*ahead, *held(100), *held(200, verified=False)], Retention(verified=2), NOW)
    assert kept(few)["d200"] == "only 1/2 verified backups exist"


def test_a_longer_pause_than_ever_is_taken_for_a_clock_that_leapt() -> None:
    last = NOW - LEAP
    assert leap([last], NOW) is None
    assert leap([last, last - timedelta(days=9)], NOW + timedelta(seconds=1)) == LEAP + timedelta(seconds=1)
    assert leap([NOW + timedelta(days=1)], NOW) is None
    assert doubtful_until(held(90), NOW) is None
    assert doubtful_until(held(90.1), NOW) == NOW
    assert doubtful_until(held(90.1, complete=False), NOW) is None


def test_a_backup_that_began_exactly_now_shows_that_the_clock_did_not_leap() -> None:
    assert leap([NOW - 2 * LEAP, NOW], NOW) is None
    assert doubtful_until(held(180, 0), NOW) is None


def test_as_many_verified_as_asked_for_are_enough_to_remove_the_rest() -> None:
    there = [*held(100, 101), *held(200, verified=False)]
    assert list(removed(decide(there, Retention(verified=2), NOW))) == ["d200"]


def test_what_began_exactly_at_the_doubtful_moment_is_kept() -> None:
    (unfinished,) = held(400, complete=False)
    (decision,) = decide([unfinished], Retention(), NOW, doubtful=unfinished.began)
    assert decision.keep


def test_of_several_leaps_the_newest_counts() -> None:
    assert doubtful_until(held(400, 200, 10, leapt=True), NOW) == NOW - timedelta(days=10)


def test_nothing_from_before_a_leap_goes_while_nobody_said_that_the_clock_is_right() -> None:
    there = [*held(1000, 1001, 1002), *held(1, 2, 3, 400, leapt=False)]
    assert {"d1000", "d1001", "d1002", "d400"} == set(removed(decide(there, Retention(), NOW)))
    there = [*held(1000, 1001, 1002), *held(400, leapt=True), *held(1, 2, 3)]
    doubtful = doubtful_until(there, NOW)
    assert doubtful == NOW - timedelta(days=400)
    assert removed(decide(there, Retention(), NOW, doubtful=doubtful)) == {}
    unfinished = [Held("bits", NOW - timedelta(days=500), complete=False)]
    assert removed(decide([*there, *unfinished], Retention(), NOW, doubtful=doubtful)) == {}
    assert list(removed(decide([*there, *unfinished], Retention(days=2000), NOW))) == ["bits"]


def test_what_somebody_pinned_is_kept_however_old() -> None:
    decisions = decide([*held(400, pinned=True), *held(1, 2, 401)], Retention(), NOW)
    assert kept(decisions)["d400"] == "somebody said `backup keep`"
    assert list(removed(decisions)) == ["d401"]
