"""When a job counts as missing: schedules, grace, summer time, and times in which nobody listened."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.cron import Cron, CronError, CronProblem
from esteio.health.series import State
from esteio.watch._gaps import Gap
from esteio.watch._heartbeat import Beat, Schedule, Signal, after_gap, judge, receive

UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN
HOUR, DAY = 3600.0, 86_400.0
NIGHTLY = Schedule(grace=HOUR, cron=Cron("0 2 * * *", "America/Sao_Paulo"))
HOURLY = Schedule(grace=600.0, every=HOUR)


def at(text: str, zone: str = "America/Sao_Paulo") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def heard(schedule_at: str, zone: str = "America/Sao_Paulo") -> Beat:
    return receive(Beat(0.0), Signal.SUCCESS, at(schedule_at, zone))


def test_a_job_is_up_until_its_next_moment_and_the_grace_after_it_are_over() -> None:
    beat = heard("2026-03-10 02:10")
    assert judge(beat, NIGHTLY, at("2026-03-11 02:59")).state is UP
    assert judge(beat, NIGHTLY, at("2026-03-11 03:00")).state is DOWN
    assert judge(beat, NIGHTLY, at("2026-03-10 02:11")).until == at("2026-03-11 03:00"), "it need not be asked before"
    assert judge(receive(beat, Signal.SUCCESS, at("2026-03-11 09:00")), NIGHTLY, at("2026-03-11 09:01")).state is UP


def test_a_success_a_little_early_by_another_clock_is_that_of_the_moment_to_come() -> None:
    early = heard("2026-03-10 01:59:20")
    assert judge(early, NIGHTLY, at("2026-03-10 12:00")).state is UP
    assert judge(early, NIGHTLY, at("2026-03-11 03:00")).state is DOWN
    assert judge(heard("2026-03-10 01:59:00"), NIGHTLY, at("2026-03-10 12:00")).state is UP
    assert judge(heard("2026-03-10 01:58:59"), NIGHTLY, at("2026-03-10 12:00")).state is DOWN
    much_earlier = heard("2026-03-10 01:30")
    assert judge(much_earlier, NIGHTLY, at("2026-03-10 03:00")).state is DOWN, "somebody ran it by hand"
    minutely = Schedule(grace=20.0, cron=Cron("* * * * *"))
    assert minutely.expected(at("2026-03-10 02:00:30", "UTC")) == at("2026-03-10 02:01", "UTC")


def test_a_job_that_was_never_heard_of_is_unknown_and_down_when_its_first_moment_is_over() -> None:
    new = Beat(at("2026-03-10 12:00"))
    assert judge(new, NIGHTLY, at("2026-03-11 02:59")).state is UNKNOWN
    assert judge(new, NIGHTLY, at("2026-03-11 03:00")).state is DOWN, "the schedule was never installed"
    every = Beat(1000.0)
    assert [judge(every, HOURLY, 1000.0 + HOUR + seconds).state for seconds in (-HOUR, 599.0, 600.0)] == [
        UNKNOWN, UNKNOWN, DOWN,
    ]  # fmt: skip


def test_a_failure_is_down_at_once_with_its_text_until_the_next_success() -> None:
    failed = receive(heard("2026-03-10 02:10"), Signal.FAIL, at("2026-03-10 05:00"), "disk full")
    assert (judge(failed, NIGHTLY, at("2026-03-10 05:00")).state, judge(failed, NIGHTLY, 0.0).reason) == (
        DOWN, "disk full",
    )  # fmt: skip
    started = receive(failed, Signal.START, at("2026-03-10 06:00"))
    assert judge(started, NIGHTLY, at("2026-03-10 06:01")).state is DOWN, "a start proves nothing"
    again = receive(started, Signal.SUCCESS, at("2026-03-10 06:20"))
    assert (judge(again, NIGHTLY, at("2026-03-10 06:20")).state, again.took) == (UP, 1200.0)


def test_a_run_that_starts_and_does_not_end_is_down_after_the_grace_and_never_later_than_a_missing_one() -> None:
    running = receive(heard("2026-03-10 02:10"), Signal.START, at("2026-03-10 20:00"))
    assert judge(running, NIGHTLY, at("2026-03-10 20:59")).state is UP
    late = judge(running, NIGHTLY, at("2026-03-10 21:00"))
    assert (late.state, late.reason) == (DOWN, "it started and did not end in time")
    on_time = judge(receive(running, Signal.START, at("2026-03-11 02:00")), NIGHTLY, at("2026-03-11 03:00"))
    assert (on_time.state, on_time.reason) == (DOWN, "it started and did not end in time")
    assert receive(Beat(0.0, start=5.0), Signal.SUCCESS, 5.0).took == 0.0
    for minutes in range(0, 60, 5):  # one that begins again and again and never ends
        running = receive(running, Signal.START, at(f"2026-03-11 02:{minutes:02}"))
    assert judge(running, NIGHTLY, at("2026-03-11 03:00")).state is DOWN


@pytest.mark.parametrize(
    ("cron", "success", "still_up", "down"),
    [
        # 2026-03-29 02:00 becomes 03:00 in Berlin: the run of 02:30 comes at 03:00, and the next night is as ever.
        ("30 2 * * *", "2026-03-28 02:31", "2026-03-29 03:59", "2026-03-29 04:00"),
        # 2026-10-25 03:00 becomes 02:00: the run of 02:30 comes once.
        ("30 2 * * *", "2026-10-25 02:31", "2026-10-26 03:29", "2026-10-26 03:30"),
        ("0 * * * *", "2026-03-29 01:01", "2026-03-29 03:59", "2026-03-29 04:00"),
    ],
)
def test_summer_time_makes_nobody_late(cron: str, success: str, still_up: str, down: str) -> None:
    schedule = Schedule(grace=HOUR, cron=Cron(cron, "Europe/Berlin"))
    beat = heard(success, "Europe/Berlin")
    assert judge(beat, schedule, at(still_up, "Europe/Berlin")).state is UP
    assert judge(beat, schedule, at(down, "Europe/Berlin")).state is DOWN


def test_what_was_due_while_the_watcher_was_off_for_five_hours_is_unknown_and_the_next_moment_counts() -> None:
    beat = after_gap(heard("2026-03-10 02:10"), NIGHTLY, Gap(at("2026-03-11 00:00"), at("2026-03-11 05:00")))
    assert [judge(beat, NIGHTLY, at(moment)).state for moment in
            ("2026-03-11 05:00", "2026-03-12 02:59", "2026-03-12 03:00")] == [UNKNOWN, UNKNOWN, DOWN]  # fmt: skip
    assert judge(receive(beat, Signal.SUCCESS, at("2026-03-12 02:10")), NIGHTLY, at("2026-03-12 02:11")).state is UP
    every = after_gap(heard("2026-03-11 00:00"), HOURLY, Gap(at("2026-03-11 00:30"), at("2026-03-11 05:30")))
    assert [judge(every, HOURLY, at(moment)).state for moment in
            ("2026-03-11 05:31", "2026-03-11 06:39", "2026-03-11 06:40")] == [UNKNOWN, UNKNOWN, DOWN]  # fmt: skip


def test_a_second_absence_takes_back_no_excuse_of_the_first() -> None:
    beat = after_gap(heard("2026-03-10 02:10"), NIGHTLY, Gap(at("2026-03-11 01:00"), at("2026-03-11 05:00")))
    beat = after_gap(beat, NIGHTLY, Gap(at("2026-03-11 12:00"), at("2026-03-11 12:05")))
    assert judge(beat, NIGHTLY, at("2026-03-11 13:00")).state is UNKNOWN
    assert judge(beat, NIGHTLY, at("2026-03-12 03:00")).state is DOWN


def test_an_absence_that_touched_no_moment_excuses_nothing_and_one_that_was_missed_before_stays_missed() -> None:
    beat = after_gap(heard("2026-03-10 02:10"), NIGHTLY, Gap(at("2026-03-10 12:00"), at("2026-03-10 17:00")))
    assert judge(beat, NIGHTLY, at("2026-03-11 03:00")).state is DOWN
    missed = after_gap(beat, NIGHTLY, Gap(at("2026-03-11 09:00"), at("2026-03-11 14:00")))
    assert judge(missed, NIGHTLY, at("2026-03-11 14:00")).state is DOWN


def test_a_job_that_may_have_come_a_little_early_while_nobody_listened_is_excused() -> None:
    for end, state in (("01:59:30", UNKNOWN), ("01:59:00", UNKNOWN), ("01:58:59", DOWN)):
        beat = after_gap(heard("2026-03-10 02:10"), NIGHTLY, Gap(at("2026-03-11 01:50"), at(f"2026-03-11 {end}")))
        assert judge(beat, NIGHTLY, at("2026-03-11 03:00")).state is state, end


def test_what_is_known_holds_until_its_grace_is_over_also_when_nobody_listened_in_it() -> None:
    beat = after_gap(heard("2026-03-10 02:10"), NIGHTLY, Gap(at("2026-03-11 02:30"), at("2026-03-11 02:40")))
    assert [judge(beat, NIGHTLY, at(f"2026-03-11 {moment}")).state for moment in ("02:45", "02:59", "03:00")] == [
        UP, UP, UNKNOWN,
    ]  # fmt: skip
    at_its_end = after_gap(heard("2026-03-10 02:10"), NIGHTLY, Gap(at("2026-03-11 03:00"), at("2026-03-11 04:00")))
    assert judge(at_its_end, NIGHTLY, at("2026-03-11 04:00")).state is UNKNOWN


def test_a_job_that_was_first_known_in_a_future_that_was_taken_back_is_known_since_now() -> None:
    assert after_gap(Beat(9000.0), HOURLY, Gap(5400.0, 5400.0)).since == 5400.0
    assert after_gap(Beat(9000.0), HOURLY, Gap(9000.0, 20_000.0)).since == 9000.0


def test_a_run_whose_end_may_have_come_while_nobody_listened_is_not_late() -> None:
    running = receive(heard("2026-03-10 02:10"), Signal.START, at("2026-03-10 20:00"))
    back = after_gap(running, NIGHTLY, Gap(at("2026-03-10 20:10"), at("2026-03-10 20:20")))
    assert judge(back, NIGHTLY, at("2026-03-10 22:00")).state is UP


@pytest.mark.parametrize("leap", [HOUR, -HOUR])
def test_a_clock_that_is_set_by_an_hour_makes_nobody_late(leap: float) -> None:
    now = at("2026-03-11 01:40")
    beat = receive(Beat(0.0), Signal.SUCCESS, now - 60)
    for schedule in (HOURLY, Schedule(grace=300.0, cron=Cron("*/30 * * * *")), NIGHTLY):
        moved = after_gap(beat, schedule, Gap(min(now, now + leap), now + leap))
        assert judge(moved, schedule, now + leap).state is not DOWN
        assert (moved.success or 0.0) <= now + leap, "nothing was heard in the future"
        late = now + leap
        while (judged := judge(moved, schedule, late)).state is not DOWN:  # one that stays away is found
            assert judged.until > late
            late = judged.until
        assert late - (now + leap) <= (25 * HOUR if schedule is NIGHTLY else 2 * HOUR)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.floats(0, 3 * DAY), st.floats(0, 8 * HOUR)), max_size=4),
    st.sampled_from([HOURLY, NIGHTLY, Schedule(grace=120.0, cron=Cron("*/20 * * * *"))]),
)
def test_a_job_that_reports_as_it_should_is_never_down_whenever_the_watcher_is_away(
    absences: list[tuple[float, float]], schedule: Schedule
) -> None:
    begin = at("2026-03-10 00:00")
    now, beat = begin, receive(Beat(begin), Signal.SUCCESS, begin)
    due = schedule.expected(begin)
    gaps: list[tuple[float, float]] = []
    for start, lasts in sorted(absences):  # one after the other
        start = max(begin + start, gaps[-1][1] if gaps else 0.0)
        gaps.append((start, start + lasts))
    while now < begin + 4 * DAY:
        now = due + schedule.grace / 2  # the job reports then
        while gaps and gaps[0][1] <= now:
            gap = gaps.pop(0)
            beat = after_gap(beat, schedule, Gap(*gap))
            assert judge(beat, schedule, gap[1]).state is not DOWN
        if not (gaps and gaps[0][0] <= now):
            beat = receive(beat, Signal.SUCCESS, now)
            assert judge(beat, schedule, now).state is UP
        due = schedule.expected(now)


def test_an_expression_or_a_timezone_that_is_not_understood_is_refused_with_what_is_allowed() -> None:
    for expression, zone, problem in (
        ("0 2 * *", "UTC", CronProblem.FIVE_FIELDS), ("0 25 * * *", "UTC", CronProblem.FIELDS),
        ("0 2 * * *", "Brazil/Nowhere", CronProblem.TIMEZONE),
    ):  # fmt: skip
        with pytest.raises(CronError) as caught:
            Cron(expression, zone)
        assert caught.value.problem is problem
