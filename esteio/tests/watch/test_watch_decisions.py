"""What counts as down, who is isolated, what is announced, when the watcher itself was away: pure decisions."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.cron import Cron
from esteio.health.series import State
from esteio.watch._confirm import Confirmation, Confirmed, confirm
from esteio.watch._gaps import Gap, GapDetector
from esteio.watch._maintenance import Window, end_of_maintenance
from esteio.watch._quorum import View, agree, is_isolated, telling

UP, DEGRADED, DOWN, UNKNOWN = State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN


NOTHING = Confirmed()


def after(answers: str, rule: Confirmation, before: Confirmed = NOTHING) -> Confirmed:
    for answer in answers:
        before = confirm(before, {"+": UP, "~": DEGRADED, "-": DOWN}[answer], rule)
    return before


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ("", UNKNOWN), ("-", UNKNOWN), ("--", UNKNOWN), ("---", DOWN), ("+", UP), ("+--", UP), ("+---", DOWN),
        ("+-+-+-", UP), ("+---+", DOWN), ("+---++", UP), ("+---+-+", DOWN), ("~", DEGRADED), ("+---++--", UP),
    ],
)  # fmt: skip
def test_down_is_three_failures_in_a_row_and_up_two_good_answers(answers: str, state: State) -> None:
    assert after(answers, Confirmation(failures=3, of=3, recover=2)).state is state


@settings(deadline=None)
@given(st.text("+-", max_size=12))
def test_n_of_m_is_down_exactly_when_the_last_m_answers_hold_n_failures(answers: str) -> None:
    rule = Confirmation(failures=2, of=4)
    state, since = UNKNOWN, ""
    for answer in answers:
        if answer == "+":
            state, since = UP, ("" if state is DOWN else since + answer)
        else:
            since += answer
            state = DOWN if since[-4:].count("-") >= 2 else state
    assert after(answers, rule).state is state


def test_where_one_failure_is_enough_one_good_answer_is_too() -> None:
    rule = Confirmation(1, 1, 1)
    assert [after(answers, rule).state for answers in ("-", "-+", "-+-", "-~")] == [DOWN, UP, DOWN, DEGRADED]
    assert after("-+", Confirmation(1, 1, 2)).state is DOWN


def test_a_suspicion_is_what_contradicts_the_state() -> None:
    rule = Confirmation(3, 3, 2)
    assert [after(answers, rule).suspect for answers in ("", "+", "+-", "+---", "+---+")] == [
        True, False, True, False, True,
    ]  # fmt: skip


def view(watcher: str, state: State = UP, *, isolated: bool = False, tells: bool = True) -> View:
    return View(watcher, {"web": state}, isolated, tells)


def test_what_one_of_three_sees_down_is_degraded_and_what_two_see_is_down() -> None:
    for states in product((UP, DOWN), repeat=3):
        own, *others = (view(name, state) for name, state in zip("abc", states, strict=True))
        state, down_from = agree("web", own, others)
        assert down_from == tuple(name for name, each in zip("abc", states, strict=True) if each is DOWN)
        assert state is (UP, DEGRADED, DOWN, DOWN)[len(down_from)]


def test_who_is_isolated_or_has_not_looked_or_does_not_know_the_probe_has_no_vote() -> None:
    down = view("a", DOWN)
    for silent in (view("b", isolated=True), view("b", UNKNOWN), View("b")):
        assert agree("web", down, [silent]) == (DOWN, ("a",))
    assert agree("web", down, [view("b")]) == (DEGRADED, ("a",)), "of two that know, one is not most"
    assert agree("web", view("a", UNKNOWN), [view("b", DOWN)]) == (DOWN, ("b",))
    assert agree("web", down, [view("b", DOWN)], quorum=3)[0] is DEGRADED
    assert agree("web", down, [view("b")], quorum=1)[0] is DOWN


def test_an_isolated_watcher_calls_nothing_down() -> None:
    assert agree("web", view("a", DOWN, isolated=True), []) == (UNKNOWN, ())
    assert agree("web", view("a", UP, isolated=True), [])[0] is UP, "what answers is up, wherever it is asked from"


@pytest.mark.parametrize(
    ("others", "reached", "anchors", "isolated"),
    [
        (0, 0, [], False), (0, 0, [False, False], True), (0, 0, [False, True], False), (1, 0, [], True),
        (1, 1, [], False), (1, 0, [True], False), (1, 0, [False], True), (2, 1, [], False), (2, 0, [], True),
        (3, 1, [], True), (3, 2, [False], False), (4, 2, [], False),
    ],
)  # fmt: skip
def test_who_reaches_neither_most_watchers_nor_an_anchor_is_isolated(
    others: int, reached: int, anchors: list[bool], isolated: bool
) -> None:
    assert is_isolated(others, reached, anchors) is isolated


def test_one_watcher_tells_of_each_probe_the_first_by_name_that_can() -> None:
    a, b, c = view("a"), view("b"), view("c")
    assert [telling(a, [b, c]), telling(b, [a, c]), telling(c, [a, b])] == [{}, {"web": "a"}, {"web": "a"}]
    assert telling(b, [c]) == {}, "the first is gone"
    assert telling(b, [view("a", tells=False), c]) == {}
    assert telling(b, [view("a", isolated=True)]) == {}
    assert telling(b, [View("a", {"other": UP}, tells=True)]) == {}, "it does not watch this one"
    assert telling(view("a", tells=False), [b]) == {"web": "b"}


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans(), st.booleans()), unique_by=lambda each: each[0]))
def test_where_all_reach_each_other_exactly_one_tells(given: list[tuple[str, bool, bool]]) -> None:
    views = [view(name, isolated=isolated, tells=tells) for name, isolated, tells in given]
    connected = [each for each in views if not each.isolated]
    tellers = [each for each in connected if each.tells and not telling(each, [o for o in views if o is not each])]
    assert len(tellers) == min(1, sum(each.tells for each in connected))


def test_a_window_is_once_or_again_and_again_also_through_midnight_and_summer_time() -> None:
    once = Window(("web", "db-*"), begin=1000.0, end=2000.0)
    assert [end_of_maintenance([once], "db-1", now) for now in (999.0, 1000.0, 1999.0, 2000.0)] == [
        None, 2000.0, 2000.0, None,
    ]  # fmt: skip
    assert end_of_maintenance([once], "mail", 1500.0) is None
    # 2026-03-29: in Berlin the clocks go from 02:00 to 03:00.
    nightly = Window(("*",), cron=Cron("30 1 * * *", "Europe/Berlin"), lasts=7200.0)
    begin = Cron("30 1 * * *", "Europe/Berlin").previous(1774747800.0)
    assert nightly.until(begin + 7199) == begin + 7200
    assert nightly.until(begin + 7200) is None
    assert end_of_maintenance([once, Window(("web",), begin=0.0, end=9000.0)], "web", 1500.0) == 9000.0


def test_a_suspended_machine_a_stopped_process_and_a_clock_that_leaps_are_gaps() -> None:
    def looked(wall: float, monotonic: float) -> Gap | None:
        return GapDetector(1e6, 50.0).look(1e6 + wall, 50.0 + monotonic)

    assert looked(1.0, 1.0) is None
    assert looked(25.0, 24.0) is None, "a busy machine"
    assert looked(18_000.0, 2.0) == Gap(1e6, 1e6 + 18_000.0), "suspended: the monotonic clock stood still"
    assert looked(18_000.0, 18_000.0) == Gap(1e6, 1e6 + 18_000.0), "stopped"
    assert looked(3_601.0, 1.0) == Gap(1e6, 1e6 + 3_601.0), "set forward"
    assert looked(-3_599.0, 1.0) == Gap(1e6 - 3_599.0, 1e6 - 3_599.0), "set back"
    assert looked(30.0, 30.0) is looked(31.0, 1.0) is looked(-29.0, 1.0) is None
    assert looked(30.5, 30.5) == Gap(1e6, 1e6 + 30.5)
    detector = GapDetector(0.0, 0.0)
    assert [detector.look(seconds, seconds) for seconds in (25.0, 50.0, 75.0)] == [None] * 3, "from look to look"
