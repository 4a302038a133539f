"""What a fault cost is computed from the requests around it, and a run that proves nothing says so."""

from __future__ import annotations

import math
import time

import pytest

from esteio.drill import Invalid, Ledger, LedgerCheck, Measure, Outcome, Request, measure, recovery, seconds_of
from esteio.drill._validity import reasons


def traffic(*, until: float, lost: tuple[float, float] = (0, 0), slow: tuple[float, float] = (0, 0), rate: int = 20):
    """`rate` requests a second from -3 to `until`, the ones due in `lost` refused, in `slow` answered after 0.9 s."""
    made = []
    for number in range(-3 * rate, int(until * rate)):
        due = number / rate
        outcome = Outcome.ERROR if lost[0] <= due < lost[1] else Outcome.GOOD
        took = 0.9 if slow[0] <= due < slow[1] else 0.01
        made.append(Request("list" if number % 2 else "create", not number % 2, due, due + took, outcome))
    return made


def test_a_fault_that_nobody_notices_is_over_at_once() -> None:
    seen = measure(traffic(until=8), 0.0, 8.0, 0.01)
    assert (seen.lost, seen.unknown, seen.mttr) == (0, 0, 0.0)
    assert seen.offered == pytest.approx(160, abs=2)
    assert seen.worst_gap < 0.2


def test_lost_requests_and_the_longest_gap_are_those_after_the_injection() -> None:
    seen = measure(traffic(until=12, lost=(0.5, 2.5)), 0.0, 12.0, 0.01)
    assert (seen.lost, seen.unknown) == (40, 20)
    assert seen.longest_gap["list"] == pytest.approx(2.1, abs=0.11)
    assert seen.mttr == pytest.approx(2.45, abs=0.01)


def test_a_request_under_way_at_the_injection_belongs_to_the_fault() -> None:
    inside = Request("create", True, -0.1, 0.2, Outcome.ERROR, "reset")
    seen = measure([*traffic(until=8), inside], 0.0, 8.0, 0.01)
    assert (seen.lost, seen.unknown) == (1, 1)


def test_slow_answers_are_no_recovery() -> None:
    requests = traffic(until=12, slow=(1.0, 3.0))
    assert recovery(requests, 0.0, 12.0, 0.01) == pytest.approx(2.95, abs=0.01)
    assert recovery(requests, 0.0, 12.0, 0.5) == 0.0, "as slow as before is well"


def test_five_good_seconds_in_a_row_must_have_been_seen_whole() -> None:
    assert recovery(traffic(until=7, lost=(0, 2.5)), 0.0, 7.0, 0.01) == math.inf
    assert recovery(traffic(until=7.6, lost=(0, 2.5)), 0.0, 7.5, 0.01) == pytest.approx(2.45, abs=0.01)


def test_a_second_without_any_request_is_no_good_second() -> None:
    hole = [each for each in traffic(until=8) if not 1.0 <= each.due < 2.5]
    assert recovery(hole, 0.0, 8.0, 0.01) == math.inf


def test_a_relapse_begins_the_five_seconds_anew() -> None:
    requests = traffic(until=12, lost=(4.0, 4.2))
    assert recovery(requests, 0.0, 12.0, 0.01) == pytest.approx(4.15, abs=0.01)


def test_the_seconds_are_counted_from_the_injection() -> None:
    seconds = seconds_of(traffic(until=2, lost=(0, 1)), 0.0)
    assert list(seconds) == [-3, -2, -1, 0, 1]
    assert seconds[0] == {"error": 20}
    assert seconds[1] == {"good": 20}


def test_the_ledger_tells_what_is_missing_what_is_there_twice_and_what_nobody_knew() -> None:
    ledger = Ledger()
    kept, gone, twice, done, undone = (ledger.begin() for _ in range(5))
    for key in (kept, gone, twice):
        ledger.acknowledge(key)
    check = ledger.settle({kept: 1, twice: 2, done: 1})
    assert (check.missing, check.doubled) == ((gone,), (twice,))
    assert (check.unknown_stored, check.unknown_absent) == (1, 1)
    assert not check.holds
    again = ledger.settle({kept: 1, twice: 2})
    assert again.missing == (done,), "it was seen, so it must stay; what was told is not told twice"
    assert undone not in again.missing


def test_writes_of_the_moment_in_which_it_is_looked_are_left_for_the_next_look() -> None:
    ledger = Ledger()
    old, lost, under_way = ledger.begin(), ledger.begin(), ledger.begin()
    ledger.acknowledge(old)
    looked = time.monotonic()
    ledger.acknowledge(lost)  # after `stored` was asked for: it says nothing of this one
    check = ledger.settle({old: 1}, before=looked, undecided_for=60.0)
    assert check == LedgerCheck((), (), 0, 0)
    check = ledger.settle({old: 1})
    assert (check.missing, check.unknown_absent) == ((lost,), 1)
    ledger.acknowledge(under_way)
    assert ledger.settle({old: 1, under_way: 1}).holds


def test_what_a_fault_may_cost_is_counted_and_not_missed() -> None:
    ledger = Ledger()
    early = ledger.begin()
    ledger.acknowledge(early)
    moment = time.monotonic()
    late = ledger.begin()
    ledger.acknowledge(late)
    check = ledger.settle({}, given_up_since=moment)
    assert (check.missing, check.given_up) == ((early,), 1)


GOOD = Measure(1000, 0, 0, 0, {"list": 0.1}, 0.0)
CALM = [Request("list", False, 0.0, 0.01, Outcome.GOOD)] * 100


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"stalled": True}, Invalid.STALLED),
        ({"took": False}, Invalid.NO_EFFECT),
        ({"expected": 1100.0}, Invalid.NOT_OFFERED),
        ({"before": []}, Invalid.UNWELL_BEFORE),
        ({"before": [*CALM, Request("list", False, 0.0, 0.1, Outcome.ERROR)]}, Invalid.UNWELL_BEFORE),
        ({"measured": Measure(1000, 1, 0, 1, {}, 0.0)}, Invalid.WRONG),
        ({"ledger": Ledger.settle(_forgetful := Ledger(), {"a": 2})}, Invalid.DOUBLED_WRITES),
    ],
)
def test_each_way_in_which_a_run_proves_nothing_has_its_reason(changed, reason) -> None:
    whole = {
        "measured": GOOD,
        "before": CALM,
        "expected": 1000.0,
        "stalled": False,
        "took": True,
        "ledger": Ledger().settle({}),
    }
    assert reasons(**whole) == ()
    assert reasons(**whole | changed) == (reason,)
