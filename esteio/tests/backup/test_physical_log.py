"""The arithmetic of the log: names, gaps, windows, plans. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.backup import Manifest, Part, RestoreRefused
from esteio.backup.archive import Segment, StoreLag, Wal, WalStatus, gaps
from esteio.backup.archive._inventory import Branch, history_file
from esteio.backup.archive._segments import lsn_bytes
from esteio.backup.restore import Target, Window, first_segment, plan, unneeded, window
from esteio.backup.restore._plan import base_backup_due, leads_on

MIB = 1 << 20
SIZE = 16 * MIB
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def segment(number: int, timeline: int = 1) -> Segment:
    return Segment(timeline, number, SIZE)


def wal(number: int, minutes: float, *, partial: bool = False) -> Wal:
    moment = (NOON + timedelta(minutes=minutes)).timestamp()
    return Wal(segment(number), moment, partial, key=f"wal/{number}", first=moment)


def base(minutes: float, number: int, chain: tuple[str, ...] = (), **changes: Any) -> Manifest:
    """A backup that ended so many minutes after noon, in segment `number`."""
    ended = NOON + timedelta(minutes=minutes)
    details = {
        "ended": ended.isoformat(),
        "timeline": 1,
        "segment_size": SIZE,
        "start_lsn": f"0/{number * SIZE + 40:X}",
        "end_lsn": f"0/{number * SIZE + 400:X}",
        "needs": list(chain),
    }
    return Manifest(
        id=f"b{minutes:g}",
        kind="incremental" if chain else "base",
        began=ended.isoformat(),
        duration=1.0,
        server_version="18.4",
        tool_version="18.4",
        parts=(Part("base.tar.zst", "base", 1000, 100, ""),),
        details={**details, **changes},
    )


@given(st.integers(1, 0xFFFFFFFF), st.integers(0, 1 << 40), st.sampled_from([MIB, SIZE, 1024 * MIB]))
def test_a_segments_name_is_read_back(timeline: int, number: int, size: int) -> None:
    number %= 0xFFFFFFFF * (0x1_0000_0000 // size)
    made = Segment(timeline, number, size)
    assert len(made.name) == 24
    assert Segment.parse(made.name, size) == made


def test_names_and_positions_are_postgresqls_own() -> None:
    """As `pg_walfile_name` says them."""
    assert Segment.holding(1, lsn_bytes("0/2000028"), SIZE).name == "000000010000000000000002"
    assert Segment.holding(3, lsn_bytes("2A/FF000000"), SIZE).name == "000000030000002A000000FF"
    assert Segment.holding(3, lsn_bytes("2A/FF000000"), SIZE).next.name == "000000030000002B00000000"
    for name in ("000000010000000000000002.partial", "00000002.history", "0000000100000000000001FF"):
        assert Segment.parse(name, SIZE) is None
    with pytest.raises(ValueError, match="0/2000028"):
        lsn_bytes("12")


@given(st.sets(st.integers(0, 60), max_size=40), st.integers(0, 60))
def test_gaps_are_exactly_what_is_missing_in_between(numbers: set[int], since: int) -> None:
    found = gaps((segment(number) for number in numbers), segment(since))
    missing = {n for first, last in found for n in range(first.number, last.number + 1)}
    later = {number for number in numbers if number >= since}
    assert missing == (set(range(since, max(later))) - later if later else set())


def test_timelines_have_gaps_of_their_own() -> None:
    assert gaps([segment(1), segment(2), segment(9, 2), segment(10, 2)]) == ()
    assert gaps([segment(1), segment(3), segment(9, 2)]) == ((segment(2), segment(2)),)
    assert gaps([segment(1), segment(3), segment(9, 2), segment(11, 2)], segment(9, 2)) == ((segment(10, 2),) * 2,)


def test_a_base_is_wanted_when_the_newest_does_not_bring_back_the_present() -> None:
    log = [wal(1, 0), wal(3, 10), wal(4, 20)]
    assert base_backup_due(None, sound=True, log=log) == "there is no base backup"
    assert base_backup_due(base(0, 2), sound=True, log=log) is None
    assert base_backup_due(base(0, 2), sound=True, log=()) is None
    assert base_backup_due(base(0, 2), sound=False, log=log) == "b0 failed its verification"
    missing = base_backup_due(base(0, 2), sound=True, log=[*log, wal(7, 30), wal(9, 40)])
    assert missing == "log missing from 000000010000000000000005 to 000000010000000000000008 after b0"
    later = Wal(segment(3, 2), 0.0, True, key="x")
    assert base_backup_due(base(0, 2), sound=True, log=[*log, later]) == "the log went on to timeline 2 after b0"
    assert base_backup_due(base(0, 3, timeline=2), sound=True, log=[*log, wal(9, 50), later]) is None


HISTORY = "1\t0/{:X}\tbefore 2026-03-01 12:25:00+00\n"


def test_after_a_restore_the_way_leads_along_the_newest_timeline_that_had_begun() -> None:
    """Noon: base in 2. Restored at 13:00 to 12:25, in the middle of 4; a base of the abandoned future ended at 12:40."""
    left = 4 * SIZE + 1000
    branch = Branch.parse(2, HISTORY.format(left))
    assert branch.ancestors == ((1, left),)
    known = {2: branch}
    minute = [(NOON + timedelta(minutes=minutes)).timestamp() for minutes in range(80)]
    second = [
        Wal(segment(number, 2), minute[last], False, key="x", first=minute[first])
        for number, first, last in ((4, 60, 65), (5, 66, 70))
    ]
    log = [*(wal(number, (number - 2) * 10) for number in range(3, 9)), *second]
    bases = [base(0, 2), base(40, 6)]

    def way(target: float | None) -> tuple[str, list[str], int | None]:
        moment = None if target is None else NOON + timedelta(minutes=target)
        found = plan(bases, log, moment, name="city", branches=known)
        return (
            found.base.id,
            [w.segment.name[7:8] + w.segment.name[-1:] for w in found.log],
            found.branch and found.branch.timeline,
        )

    assert way(None) == ("b0", ["13", "24", "25"], 2)
    assert way(68) == ("b0", ["13", "24", "25"], 2)
    assert way(60) == ("b0", ["13", "24"], 2)
    assert way(30) == ("b0", ["13", "14", "15", "16"], None)
    assert way(45) == ("b40", ["17"], None)
    with pytest.raises(RestoreRefused, match="to 2026-03-01 13:10:00"):
        way(75)
    assert window(bases[0], log, known).ends == NOON + timedelta(minutes=70)
    assert window(bases[1], log, known).ends == NOON + timedelta(minutes=60)
    other = Wal(segment(1, 4), 0.0, False, key="x")
    beyond = plan(bases, [*log, other], NOON + timedelta(minutes=30), name="city", branches=known).histories
    assert list(beyond) == ["00000002.history", "00000003.history", "00000004.history"]
    assert beyond["00000002.history"] == branch.text
    assert [leads_on(each, log, known) for each in bases] == [True, False], "the second one is of the abandoned future"
    assert leads_on(base(80, 4, timeline=2), log, known), "it is on the new one itself"
    assert not leads_on(bases[0], log, {}), "the history of the new one is not known"
    assert not leads_on(bases[0], [each for each in log if each.segment.number != 3], known), "a gap before the switch"
    assert not leads_on(bases[0], [each for each in log if each != second[0]], known), "and one behind it"
    log.remove(second[0])  # received from the next segment on only
    assert way(None) == ("b40", ["17", "18"], None)
    bases.append(base(80, 5, timeline=2))
    assert way(None) == ("b80", [], None)


def test_a_chosen_timeline_is_followed_and_one_that_no_base_leads_to_is_refused() -> None:
    branch = Branch.parse(2, HISTORY.format(4 * SIZE + 1000))
    begun = (NOON + timedelta(minutes=60)).timestamp()
    log = [
        *(wal(number, (number - 2) * 10) for number in range(3, 9)),
        Wal(segment(4, 2), begun, False, "x", first=begun),
    ]
    found = plan([base(0, 2)], log, Target(timeline=1), name="city", branches={2: branch})
    assert (found.branch, found.log[-1].segment) == (None, segment(8))
    assert plan([base(0, 2)], log, None, name="city", branches={2: branch}).branch == branch
    with pytest.raises(RestoreRefused, match="no base leads to timeline 7"):
        plan([base(0, 2)], log, Target(timeline=7), name="city", branches={2: branch})


def test_a_position_needs_a_base_before_it_and_wal_that_has_it_and_a_name_the_oldest_base() -> None:
    backups, log = [base(0, 2), base(30, 5)], [wal(number, (number - 2) * 10) for number in range(3, 9)]

    def taken(target: Target) -> tuple[str, int]:
        found = plan(backups, log, target, name="city")
        return found.base.id, len(found.log)

    assert taken(Target("lsn", f"0/{4 * SIZE:X}")) == ("b0", 6)
    assert taken(Target("lsn", f"0/{7 * SIZE:X}")) == ("b30", 3)
    assert taken(Target("name", "before")) == ("b0", 6)
    assert taken(Target("xid", "1234")) == ("b0", 6)
    assert taken(Target("immediate")) == ("b30", 0)
    for target in (Target("xid", "1234"), Target(time=NOON)):
        assert plan(backups, log, target, name="city").stop == (None if target.kind == "time" else target)
    for lsn in (SIZE, 9 * SIZE):
        with pytest.raises(RestoreRefused, match="can't be reached"):
            taken(Target("lsn", f"0/{lsn:X}"))


def test_a_base_whose_wal_has_a_gap_is_not_taken_for_a_name() -> None:
    log = [wal(number, (number - 2) * 10) for number in (3, 5, 6, 7)]
    assert plan([base(0, 2), base(30, 5)], log, Target("name", "before"), name="city").base.id == "b30"


def test_without_wal_the_last_position_is_the_end_of_the_base() -> None:
    made = base(0, 2)
    end = lsn_bytes(made.details["end_lsn"])
    assert plan([made], [], Target("lsn", f"0/{end:X}"), name="city").base is made
    with pytest.raises(RestoreRefused, match="can't be reached"):
        plan([made], [], Target("lsn", f"0/{end + 1:X}"), name="city")


def test_a_base_leads_to_a_timeline_that_began_exactly_where_the_base_ended() -> None:
    branch = Branch.parse(2, HISTORY.format(2 * SIZE + 400))
    begun = (NOON + timedelta(minutes=60)).timestamp()
    log = [Wal(segment(number, 2), begun, False, "x", first=begun) for number in (2, 3)]
    found = plan([base(0, 2)], log, None, name="city", branches={2: branch})
    assert (found.branch, found.log) == (branch, tuple(log))


@pytest.mark.parametrize("text", ["xid:", "xid:-1", "xid:1x", "lsn:12", "name:", "name:" + "n" * 64])
def test_a_target_with_a_value_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: xid:1234"):
        Target.parse(text)


def test_targets_are_read_as_they_are_typed() -> None:
    assert Target.parse("xid:1234") == Target("xid", "1234")
    assert Target.parse("lsn:0/3000028") == Target("lsn", "0/3000028")
    assert Target.parse("name:a:b") == Target("name", "a:b")
    assert Target.parse("immediate") == Target("immediate")
    assert Target.parse("2026-03-01T14:30:00-03:00") is None


def test_a_restore_of_a_restore_knows_all_it_comes_from() -> None:
    third = Branch.parse(3, HISTORY.format(4 * SIZE + 8) + "2\t0/6000000\tno recovery target specified\n")
    assert [third.segment(number, SIZE) for number in (3, 4, 5, 6, 7)] == [
        segment(3, 1),
        segment(4, 2),
        segment(5, 2),
        segment(6, 3),
        segment(7, 3),
    ]
    assert (history_file(3), third.left(1), third.left(3)) == ("00000003.history", 4 * SIZE + 8, None)


def test_the_window_ends_where_the_log_has_a_gap() -> None:
    log = [wal(3, 10), wal(4, 20), wal(6, 40)]
    found = window(base(0, 2), log)
    assert (found.begins, found.ends) == (NOON, NOON + timedelta(minutes=20))


def test_without_log_only_the_end_of_the_backup_can_be_reached() -> None:
    made = base(0, 2)
    assert first_segment(made) == segment(3)
    assert plan([made], [], None, name="city").log == ()
    with pytest.raises(RestoreRefused, match="12:00:00"):
        plan([made], [], NOON + timedelta(minutes=1), name="city")


def test_the_newest_base_before_the_target_is_taken() -> None:
    backups = [base(0, 2), base(30, 5)]
    log = [wal(number, (number - 2) * 10) for number in range(3, 10)]
    assert plan(backups, log, NOON + timedelta(minutes=29), name="city").base.id == "b0"
    assert plan(backups, log, NOON + timedelta(minutes=31), name="city").base.id == "b30"
    assert plan(backups, log, None, name="city").base.id == "b30"


def test_a_base_that_failed_its_trial_is_taken_only_when_there_is_no_other() -> None:
    backups, log = [base(0, 2), base(30, 5)], [wal(number, (number - 2) * 10) for number in range(3, 10)]
    found = plan(backups, log, None, name="city", failed={"b30"})
    assert (found.base.id, found.log[-1]) == ("b0", log[-1])
    assert plan(backups, log, None, name="city", failed={"b0", "b30"}).base.id == "b30"


def test_a_target_beyond_the_window_is_refused_with_the_window_and_the_missing_segment() -> None:
    log = [wal(3, 10), wal(5, 30)]
    with pytest.raises(RestoreRefused) as refused:
        plan([base(0, 2)], log, NOON + timedelta(minutes=25), name="city")
    assert "2026-03-01 12:00:00+00:00 to 2026-03-01 12:10:00+00:00" in str(refused.value)
    assert "segment 000000010000000000000004 is missing" in str(refused.value)
    assert "nothing was changed" in str(refused.value)
    for log, missing in (
        ([wal(3, 10), wal(4, 20)], None),
        ([wal(3, 10), wal(4, 20, partial=True)], None),
        ([wal(3, 10), wal(4, 20, partial=True), wal(5, 30), wal(6, 40)], "000000010000000000000004"),
    ):
        with pytest.raises(RestoreRefused) as refused:
            plan([base(0, 2)], log, NOON + timedelta(minutes=50), name="city")
        said = re.search(r"segment (\w+) is missing", str(refused.value))
        assert (said and said[1]) == missing
    with pytest.raises(RestoreRefused, match="12:00:00"):
        plan([base(0, 2)], log, NOON - timedelta(minutes=1), name="city")
    with pytest.raises(RestoreRefused, match="no base backup"):
        plan([], log, None, name="city")


def test_a_target_without_a_timezone_is_refused_and_others_are_converted() -> None:
    log = [wal(3, 10)]
    with pytest.raises(ValueError, match="timezone"):
        plan([base(0, 2)], log, datetime(2026, 3, 1, 12, 5), name="city")  # noqa: DTZ001
    brasilia = datetime(2026, 3, 1, 9, 5, tzinfo=timezone(timedelta(hours=-3)))
    assert plan([base(0, 2)], log, brasilia, name="city").log == (log[0],)


def test_only_the_log_that_is_needed_is_taken() -> None:
    log = [wal(number, (number - 2) * 60) for number in range(3, 20)]
    taken = plan([base(0, 2)], log, NOON + timedelta(minutes=90), name="city").log
    assert [each.segment.number for each in taken] == [3, 4]  # in 4 is the first transaction after it


def test_nothing_follows_an_unfinished_segment() -> None:
    log = [wal(3, 10), wal(4, 20, partial=True), wal(5, 30)]
    assert window(base(0, 2), log).ends == NOON + timedelta(minutes=20)


def test_an_incremental_brings_its_whole_chain_or_is_refused() -> None:
    chain = [base(0, 2), base(10, 3, ("b0",)), base(20, 4, ("b0", "b10"))]
    assert [each.id for each in plan(chain, [], None, name="city").chain] == ["b0", "b10", "b20"]
    with pytest.raises(RestoreRefused, match="b10, which is gone"):
        plan([chain[0], chain[2]], [], None, name="city")


def test_the_status_is_green_only_when_nothing_is_bad() -> None:
    store = {"store": "s", "waiting": 0, "waited": 0.0}
    fields: dict[str, Any] = {
        "at": 1000.0,
        "system": "7",
        "receiving": True,
        "lag": 0,
        "received_at": 990.0,
        "stores": (StoreLag(**store),),
        "spool": 0,
        "spool_limit": 1 << 30,
        "free": 2 << 30,
        "slot": "reserved",
    }
    assert WalStatus(**fields).problems_at(1100.0) == ()
    for change, said in {
        ("receiving", False): "not being received",
        ("received_at", 900.0): "received for 100 s",
        ("stores", (StoreLag(**{**store, "waited": 61.0}),)): "wait for s, the oldest for 61 s",
        ("stores", (StoreLag(**store, error="bucket away"),)): "shipped to s: bucket away",
        ("stores", (StoreLag(**store, error="x", conflict="f"),)): "f is in s with another content",
        ("free", 100 << 20): "100 MiB",
        ("slot", "lost"): "slot is lost",
        ("slot", "missing"): "slot is missing",
        ("spool", 300 << 20): "holds 300 MiB",
        ("spool", 1 << 30): "spool is full, 1024 of 1024 MiB",
    }.items():
        (problem,) = WalStatus(**{**fields, change[0]: change[1]}).problems
        assert said in str(problem)
    assert "nothing for 3 min" in str(WalStatus(**fields).problems_at(1180.0)[0])


@pytest.mark.parametrize(
    ("target", "setting", "said"),
    [
        (Target(), {}, "the last moment"),
        (
            Target(time=datetime(2026, 3, 1, 12, tzinfo=UTC)),
            {"recovery_target_time": "2026-03-01 12:00:00+00:00"},
            None,
        ),
        (Target("immediate"), {"recovery_target": "immediate"}, "immediate"),
        (Target("xid", "12"), {"recovery_target_xid": "12"}, "xid:12"),
        (Target("lsn", "0/3000028"), {"recovery_target_lsn": "0/3000028"}, "lsn:0/3000028"),
        (Target("name", "before"), {"recovery_target_name": "before"}, "name:before"),
    ],
)
def test_a_target_is_said_and_set_as_postgresql_has_it(
    target: Target, setting: dict[str, str], said: str | None
) -> None:
    assert target.setting == setting
    assert str(target) == (said or "2026-03-01 12:00:00+00:00")
    if said and target != Target():
        assert Target.parse(said) == target


def test_a_window_shows_whole_seconds_that_are_within() -> None:
    begins, ends = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC), datetime(2026, 3, 1, 12, 0, 9, 999999, tzinfo=UTC)
    assert str(Window(begins, ends)) == "2026-03-01 12:00:01+00:00 to 2026-03-01 12:00:09+00:00"
    assert str(Window(begins, begins)) == "2026-03-01 12:00:01+00:00 to 2026-03-01 12:00:01+00:00"
    whole = begins.replace(microsecond=0)
    assert str(Window(whole, whole)) == "2026-03-01 12:00:00+00:00 to 2026-03-01 12:00:00+00:00"


def test_the_first_segment_is_the_one_after_the_last_byte_of_the_bases_own_wal() -> None:
    for end, first in ((4 * SIZE, 4), (4 * SIZE + 1, 5), (5 * SIZE - 1, 5), (5 * SIZE, 5)):
        assert first_segment(base(0, 2, end_lsn=f"0/{end:X}")) == segment(first)


def test_the_size_of_a_plan_is_its_chain_and_its_wal_and_the_chain_twice_where_it_is_combined() -> None:
    log = [wal(3, 1), wal(4, 2)]
    assert plan([base(0, 2)], log, None, name="city").size == 1000 + 2 * SIZE
    chain = [base(0, 2), base(1, 3, ("b0",))]
    assert plan(chain, [wal(4, 2)], None, name="city").size == 2 * 2000 + SIZE


def test_a_base_that_ended_exactly_at_the_target_brings_it_back() -> None:
    bases, log = [base(0, 2), base(30, 5)], [wal(number, 10 * number) for number in range(3, 9)]
    assert plan(bases, log, NOON + timedelta(minutes=30), name="city").base.id == "b30"
    assert plan(bases, log, Target("lsn", bases[1].details["end_lsn"]), name="city").base.id == "b30"


def test_the_last_moment_of_the_window_is_reached() -> None:
    last = plan([base(0, 2)], [wal(3, 1)], None, name="city").window.ends
    assert plan([base(0, 2)], [wal(3, 1)], last, name="city").target == last


def test_wal_before_the_first_segment_of_the_oldest_base_is_not_needed() -> None:
    log = [wal(number, number) for number in range(6)]
    kept = [base(10, 4), base(0, 2)]
    assert [each.segment.number for each in unneeded(kept, log)] == [0, 1, 2]
    assert unneeded([], log) == ()
