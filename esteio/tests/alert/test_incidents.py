"""Incidents open and close by themselves, one for one trouble; uptime is that of a count second by second."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.alert.incidents import (
    CAUSES,
    PERIODS,
    Evidence,
    Incident,
    Sight,
    Source,
    follow,
    reliability,
    uptime,
)
from esteio.health.series import Interval, State

DAY = 86_400
START = 20_000 * DAY
P, R, A = Source.PROBE, Source.REQUESTS, Source.ALERT


class Following:
    """A look every five seconds."""

    def __init__(self) -> None:
        self.at = float(START)
        self.all: dict[int, Incident] = {}
        self.recent: tuple[Evidence, ...] = ()

    def look(self, *bad: Source, seconds: float = 5, since: float | None = None, **more: object) -> None:
        for _ in range(int(seconds / 5)):
            self.at += 5
            sight = Sight(self.at, dict.fromkeys(bad, since or self.at), passed=5.0)
            for each in follow(self.all.get(len(self.all)), replace(sight, **more), self.recent):
                self.all[each.number] = each


def test_what_probes_requests_and_alerts_say_of_the_same_trouble_is_one_incident_with_its_times() -> None:
    it = Following()
    it.look(P)
    it.look(P, R, seconds=20)
    it.look(P, R, A, seconds=20, alerts=("postgres:down",))
    it.look(A, seconds=60)  # the alert takes its time to recover
    it.look(seconds=120)
    [found] = it.all.values()
    assert (found.began, found.sources, found.cause) == (START + 5, (P, R, A), "postgres:down")
    assert found.ended == START + 110
    assert found.duration(it.at) == pytest.approx(105)
    assert found.down == pytest.approx(105, abs=5)
    assert not found.open


def test_an_incident_begins_with_the_first_sign_and_knows_how_late_it_was_seen() -> None:
    it = Following()
    it.look(A, since=START - 40)
    assert (it.all[1].began, it.all[1].detection_delay, it.all[1].down) == (START - 40, 45, 45)


def test_the_cause_is_the_likeliest_of_what_happened_shortly_before() -> None:
    it = Following()
    it.recent = (
        Evidence(START - 3600, "disk-full"),  # too long ago
        Evidence(START - 20, "database-shutdown", "57P01"),
        Evidence(START - 30, "deploy"),
        Evidence(START - 1, "circuit-open", "database"),
    )
    it.look(P, evidence=())
    assert it.all[1].cause == "deploy"
    assert [each.code for each in it.all[1].evidence] == ["database-shutdown", "deploy", "circuit-open"]
    it.look(P, evidence=(Evidence(it.at, "disk-full"),))
    assert it.all[1].cause == "disk-full" == CAUSES[0]


def test_trouble_that_comes_back_within_minutes_is_the_same_and_later_another_one() -> None:
    it = Following()
    it.look(P, seconds=30)
    it.look(seconds=200)
    assert not it.all[1].open
    it.look(P, seconds=30)
    assert len(it.all) == 1
    assert it.all[1].open
    it.look(seconds=900)
    assert it.all[1].down == pytest.approx(60, abs=10)
    assert it.all[1].duration(it.at) == pytest.approx(260, abs=10)
    it.look(P, seconds=30)
    assert len(it.all) == 2


def test_maintenance_has_incidents_of_its_own_that_no_mean_counts() -> None:
    it = Following()
    it.look(P, seconds=60, maintenance=True)
    it.look(P, seconds=60)
    it.look(seconds=300)
    first, second = it.all.values()
    assert (first.maintenance, second.maintenance) == (True, False)
    assert (first.ended, second.began) == (START + 65, START + 65)
    up = uptime(DAY, it.at, [Interval(State.UP, it.at - DAY, it.at)])
    said = reliability(it.all.values(), up)
    assert (said.count, said.mttr, said.mtbf, said.detection) == (1, pytest.approx(60), DAY, 0)
    assert reliability([], up).mttr is None


def test_a_gap_of_our_own_is_no_downtime_and_ends_nothing() -> None:
    it = Following()
    it.look(P, seconds=30)
    it.at += 7200
    it.look(passed=None)
    it.look(passed=None)
    assert it.all[1].open
    assert it.all[1].down == pytest.approx(25, abs=5)


def test_an_incident_is_the_same_after_it_was_written_down() -> None:
    it = Following()
    it.look(P, A, seconds=30, evidence=(Evidence(START, "deploy", "2.1"),))
    assert Incident.from_json(it.all[1].to_json()) == it.all[1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([(), (P,), (R, A)]), st.booleans(), st.integers(1, 40)), max_size=25))
def test_at_most_one_is_open_they_do_not_overlap_and_none_is_down_longer_than_it_lasts(
    plan: list[tuple[tuple[Source, ...], bool, int]],
) -> None:
    it = Following()
    for bad, maintenance, looks in plan:
        it.look(*bad, seconds=5 * looks, maintenance=maintenance)
        found = list(it.all.values())
        assert sum(each.open for each in found) <= 1
        assert all(each.down <= each.duration(it.at) + 1e-6 for each in found)
        assert all(one.ended is not None and one.ended <= two.began for one, two in pairwise(found))
        assert not bad or found[-1].open


# Uptime

states = st.sampled_from(list(State))
runs = st.lists(st.tuples(states, st.integers(1, 40_000)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(runs, st.integers(1, 4 * DAY), st.integers(0, 2 * DAY))
def test_uptime_is_that_of_a_count_second_by_second(runs: list[tuple[State, int]], period: int, late: int) -> None:
    intervals, seconds, at = [], [], START
    for state, length in runs:
        intervals.append(Interval(state, at, at + length))
        seconds += [state] * length
        at += length
    seconds += [State.UNKNOWN] * late
    now = at + late
    window = ([State.UNKNOWN] * max(0, period - len(seconds)) + seconds[-period:]) if period else []
    found = uptime(period, now, intervals)
    assert {state: found.seconds[state] for state in State} == {state: window.count(state) for state in State}
    up, down = window.count(State.UP) + window.count(State.DEGRADED), window.count(State.DOWN)
    assert found.ratio == (up / (up + down) if up + down else None)


@settings(max_examples=40, deadline=None)
@given(runs, st.integers(0, 5))
def test_where_only_the_days_are_left_uptime_is_still_that_of_the_count(
    runs: list[tuple[State, int]], whole: int
) -> None:
    seconds = [state for state, length in runs for _ in range(length)]
    now = START + len(seconds)
    kept = min(len(seconds), 50_000)  # the intervals of the last hours are all that is left of them
    days = {
        START + day * DAY: {state: seconds[day * DAY : (day + 1) * DAY].count(state) for state in State}
        for day in range(len(seconds) // DAY + 1)
    }
    intervals, at = [], now - kept
    for second in range(len(seconds) - kept, len(seconds)):
        if second == len(seconds) - 1 or seconds[second] != seconds[second + 1]:
            intervals.append(Interval(seconds[second], at, START + second + 1))
            at = START + second + 1
    first = min(whole, len(seconds) // DAY)  # a window that begins at midnight is exact
    found = uptime(len(seconds) - first * DAY, now, intervals, days)
    window = seconds[first * DAY :]
    assert {state: found.seconds[state] for state in State} == pytest.approx({s: window.count(s) for s in State})


def test_unknown_time_is_shown_and_counts_for_nobody() -> None:
    found = uptime(
        100, START + 100, [Interval(State.UP, START + 50, START + 99), Interval(State.DOWN, START + 99, START + 100)]
    )
    assert (found.seconds[State.UNKNOWN], found.ratio) == (50, 0.98)
    assert uptime(100, START, []).ratio is None
    assert len(PERIODS) == 5
