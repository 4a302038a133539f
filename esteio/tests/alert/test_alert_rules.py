"""Who is told of what, and when: one notice and one recovery, whatever flips, dies, is silenced or comes late."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, time
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from esteio.alert.rules import (
    ABSENT,
    Alert,
    Book,
    Condition,
    Kind,
    Message,
    Pacing,
    QuietHours,
    Rule,
    Rules,
    RulesError,
    Severity,
    Signal,
    Silence,
    Surroundings,
    acknowledge,
    evaluate,
)

BAD, WELL, UNKNOWN = Signal(Condition.BAD, "why"), Signal(Condition.WELL), Signal(Condition.UNKNOWN)
ONCE = Pacing(escalate_after=inf, repeat_every=inf)
NOON = 1_800_000_000.0 - 1_800_000_000.0 % 86_400 + 12 * 3600


def page(name: str, *parents: str, fire: float = 10.0, clear: float = 60.0) -> Rule:
    return Rule(name, Severity.PAGE, fire, clear, depends_on=parents, absent_after=inf)


@dataclass
class Watch:
    """A round every `step` seconds; `said` are all messages."""

    rules: Rules
    around: Surroundings = field(default_factory=lambda: Surroundings(channels=("a", "b")))
    now: float = NOON
    step: float = 5.0
    book: Book = field(default_factory=Book)
    said: list[Message] = field(default_factory=list)
    pacing: Pacing = field(default_factory=Pacing)
    ticked: float = 100.0

    def __post_init__(self) -> None:
        self.round()

    def round(self, leap: float = 0.0, **signals: Signal) -> list[Message]:
        everything = {name: signals.get(name, WELL) for name in self.rules if ABSENT not in name}
        self.book, messages = evaluate(
            self.book, self.rules, everything, self.now, self.ticked, self.around, self.pacing
        )
        self.now += self.step + leap
        self.ticked += self.step
        self.said += messages
        return messages

    def rounds(self, seconds: float, **signals: Signal) -> list[str]:
        return [str(m.kind) for _ in range(int(seconds / self.step)) for m in self.round(**signals)]

    def kinds(self, name: str | None = None) -> list[str]:
        return [str(m.kind) for m in self.said for a in m.alerts if name in (None, a.name)]


def test_an_alert_opens_when_it_was_bad_for_its_time_and_recovers_when_it_was_well_for_its_time() -> None:
    watch = Watch(Rules([page("db", fire=30, clear=60)]))
    assert watch.rounds(30, db=BAD) == []
    assert watch.rounds(5, db=BAD) == ["opened"]
    [opened] = watch.said
    assert (opened.severity, opened.channels, opened.alerts[0].bad_since) == (Severity.PAGE, ("a", "b"), NOON + 5)
    assert opened.alerts[0].reason == "why"
    assert watch.rounds(60) == []
    assert watch.rounds(5) == ["recovered"]
    assert watch.book.firing() == []


def test_a_failure_shorter_than_its_time_wakes_nobody() -> None:
    watch = Watch(Rules([page("db", fire=30)]))
    for _ in range(50):
        watch.rounds(25, db=BAD)
        watch.rounds(200)
    assert watch.said == []


@pytest.mark.parametrize(("bad", "well"), [(5, 5), (20, 5), (20, 20), (20, 55), (60, 5), (60, 20), (60, 55)])
def test_a_hundred_flips_are_one_notice_and_one_recovery(bad: float, well: float) -> None:
    watch = Watch(Rules([page("db")]), pacing=ONCE)
    for _ in range(100):
        watch.rounds(bad, db=BAD)
        watch.rounds(well)
    watch.rounds(4000)
    assert watch.kinds() == ["opened", "recovered"]


def test_slow_flips_are_told_a_few_times_and_then_wait_up_to_an_hour_for_peace() -> None:
    watch = Watch(Rules([page("db")]), pacing=ONCE)
    for _ in range(100):
        watch.rounds(60, db=BAD)
        watch.rounds(200)
    watch.rounds(4000)
    assert watch.kinds().count("opened") == watch.kinds().count("recovered") <= 3


def test_two_hundred_dependents_of_one_dead_parent_are_one_notice_and_one_recovery() -> None:
    children = [f"child{number}" for number in range(200)]
    watch = Watch(Rules([page("parent"), *(page(name, "parent") for name in children)]))
    dead = dict.fromkeys(children, BAD)
    watch.rounds(5, **dead)  # the children are seen first
    watch.rounds(300, parent=BAD, **dead)
    watch.rounds(60, **dead)  # and come back last
    watch.rounds(1000)
    assert [(m.kind, [a.name for a in m.alerts]) for m in watch.said] == [
        (Kind.OPENED, ["parent"]),
        (Kind.RECOVERED, ["parent"]),
    ]


def test_a_child_that_is_still_bad_when_its_parent_has_recovered_is_told_then() -> None:
    watch = Watch(Rules([page("parent"), page("middle", "parent"), page("child", "middle")]))
    watch.rounds(100, parent=BAD, child=BAD)  # the one in between is well: the dependency goes through it
    assert watch.kinds("child") == []
    assert watch.book.alerts["child"].held == "inhibited"
    watch.rounds(200, child=BAD)
    assert watch.kinds("child") == ["opened"]


def test_a_child_that_was_down_first_is_told_once_whatever_its_parent_does_later() -> None:
    watch = Watch(Rules([page("parent"), page("child", "parent")]))
    watch.rounds(60, child=BAD)
    watch.rounds(60, child=BAD, parent=BAD)
    watch.rounds(300, child=BAD)
    watch.rounds(300)
    assert watch.kinds("child") == ["opened", "recovered"]


def test_what_was_told_recovers_aloud_though_its_parent_is_down() -> None:
    watch = Watch(Rules([page("parent"), page("child", "parent")]))
    watch.rounds(60, child=BAD)
    watch.rounds(300, parent=BAD)
    assert watch.kinds("child") == ["opened", "recovered"]


def test_what_was_silenced_or_in_maintenance_all_along_says_nothing_when_it_recovers() -> None:
    watch = Watch(Rules([page("disk:free"), page("db")]))
    watch.around = replace(watch.around, silences=(Silence("disk:*", NOON + 10_000),))
    watch.rounds(100, **{"disk:free": BAD})
    watch.rounds(300)
    watch.around = replace(watch.around, silences=(), maintenance=True)
    watch.rounds(100, db=BAD)
    watch.rounds(300)
    assert watch.said == []


def test_what_was_told_before_a_silence_recovers_aloud_in_it_and_what_outlasts_it_is_told_at_its_end() -> None:
    watch = Watch(Rules([page("one"), page("two")]))
    watch.rounds(60, one=BAD)
    watch.around = replace(watch.around, silences=(Silence("*", watch.now + 600),))
    watch.rounds(500, two=BAD)
    assert watch.kinds("one") == ["opened", "recovered"]
    assert watch.kinds("two") == []
    watch.rounds(200, two=BAD)
    assert watch.kinds("two") == ["opened"]


def test_after_a_maintenance_nothing_is_told_again_and_what_came_meanwhile_is_told_once() -> None:
    watch = Watch(Rules([page("old"), page("new")]))
    watch.rounds(60, old=BAD)
    watch.around = replace(watch.around, maintenance=True)
    watch.rounds(300, old=BAD, new=BAD)
    watch.around = replace(watch.around, maintenance=False)
    watch.rounds(300, old=BAD, new=BAD)
    assert (watch.kinds("old"), watch.kinds("new")) == (["opened"], ["opened"])


def test_a_recovery_goes_to_those_that_were_told_and_to_nobody_else() -> None:
    watch = Watch(Rules([page("db")]), Surroundings(channels=("a",)))
    watch.rounds(60, db=BAD)
    watch.around = Surroundings(channels=("a", "b", "c"))
    watch.rounds(300)
    assert [message.channels for message in watch.said] == [("a",), ("a",)]


def test_what_opens_in_one_round_is_one_message_for_each_severity() -> None:
    tickets = [Rule(f"ticket{n}", Severity.TICKET, 10, absent_after=inf) for n in range(3)]
    watch = Watch(Rules([page("one"), page("two"), *tickets]))
    watch.rounds(60, **dict.fromkeys(["one", "two", "ticket0", "ticket1", "ticket2"], BAD))
    assert [(str(m.severity), len(m.alerts)) for m in watch.said] == [("page", 2), ("ticket", 3)]


def test_a_page_nobody_acknowledges_is_escalated_once_then_repeated_and_an_acknowledged_one_is_not() -> None:
    around = Surroundings(channels=("a",), escalation=("boss",))
    watch = Watch(Rules([page("db"), page("web")]), around)
    watch.rounds(60, db=BAD, web=BAD)
    watch.book = acknowledge(watch.book, "web", "maria")
    watch.rounds(6 * 3600, db=BAD, web=BAD)
    assert watch.kinds("db") == ["opened", "escalated", "repeated"]
    assert watch.kinds("web") == ["opened"]
    watch.rounds(300)
    assert [m.channels for m in watch.said if m.kind is Kind.RECOVERED] == [("a", "boss"), ("a",)]
    with pytest.raises(KeyError):
        acknowledge(watch.book, "web", "maria")


def test_a_ticket_waits_for_the_morning_and_a_page_does_not() -> None:
    quiet = QuietHours(time(22), time(7), "America/Sao_Paulo")
    night = NOON + 13 * 3600  # 01:00 UTC, 22:00 in São Paulo
    rules = Rules([page("db"), Rule("disk", Severity.TICKET, 10, absent_after=inf)])
    watch = Watch(rules, Surroundings(channels=("a",), quiet=quiet), now=night, step=30.0)
    watch.rounds(8 * 3600, disk=BAD, db=BAD)
    assert (watch.kinds("db")[0], watch.kinds("disk")) == ("opened", [])
    watch.rounds(2 * 3600, disk=BAD, db=BAD)
    assert watch.kinds("disk") == ["opened"]
    assert not QuietHours(time(1), time(2))(NOON)


@pytest.mark.parametrize(("month", "day"), [(3, 29), (10, 25)])
def test_quiet_hours_begin_and_end_by_the_clock_on_the_wall_also_in_the_night_it_changes(month: int, day: int) -> None:
    lisbon = ZoneInfo("Europe/Lisbon")
    quiet = QuietHours(time(22), time(7), "Europe/Lisbon")

    def at(hour: int, minute: int = 0) -> bool:
        return quiet(datetime(2026, month, day, hour, minute, tzinfo=lisbon).timestamp())

    assert [at(*each) for each in ((6, 59), (7, 0), (21, 59), (22, 0))] == [True, False, False, True]
    night = datetime(2026, month, day, tzinfo=lisbon).timestamp()
    assert all(quiet(night + 60 * minute) for minute in range(5 * 60))
    assert QuietHours(time(1, 30), time(1, 45), "Europe/Lisbon")(night + 95 * 60) is (month == 10)


def test_what_was_told_recovers_aloud_while_it_is_inhibited_and_silenced_at_once() -> None:
    watch = Watch(Rules([page("parent"), page("child", "parent")]))
    watch.rounds(60, child=BAD)  # down before its parent
    watch.around = replace(watch.around, silences=(Silence("*", watch.now + 10_000),))
    watch.rounds(100, child=BAD, parent=BAD)
    watch.rounds(300, parent=BAD)
    assert (watch.kinds("child"), watch.kinds("parent")) == (["opened", "recovered"], [])


def test_values_are_bad_above_one_threshold_and_well_again_at_the_other() -> None:
    memory = Rule("memory", Severity.TICKET, 10, 30, above=400, back_below=350, absent_after=inf)
    watch = Watch(Rules([memory]))
    watch.rounds(60, memory=Signal(value=399.0))
    watch.rounds(60, memory=Signal(value=401.0))
    watch.rounds(600, memory=Signal(value=360.0))
    assert watch.kinds() == ["opened"]
    watch.rounds(60, memory=Signal(value=350.0))
    assert watch.kinds() == ["opened", "recovered"]
    assert memory.judge(Signal(value=float("nan")), was_bad=True) is Condition.UNKNOWN


@pytest.mark.parametrize("leap", [5 * 3600.0, 3600.0, -3600.0, 62.0, -62.0])
def test_after_a_gap_or_a_leap_of_the_clock_the_first_round_only_measures(leap: float) -> None:
    watch = Watch(Rules([page("db")]))
    watch.rounds(10, db=BAD)  # the next one would open it
    watch.round(leap, db=WELL)
    assert watch.round(db=BAD) == []
    watch.rounds(600)
    assert watch.said == []
    watch.rounds(20, db=BAD)
    watch.round(leap)
    assert watch.round() == []
    assert watch.kinds() == ["opened"]  # and no recovery of what nobody saw


def test_rounds_that_are_just_as_far_apart_as_is_allowed_count_and_so_do_two_at_once() -> None:
    watch = Watch(Rules([page("db", fire=50)]), step=60.0)
    watch.rounds(60, db=BAD)
    assert watch.book.alerts["db"].level == pytest.approx(0.6)  # half of the minute: nobody knows when it began
    watch.step = 0.0
    watch.round(db=BAD)
    assert watch.book.alerts["db"].level == 1.0


def test_each_time_it_fires_within_a_day_it_has_to_be_well_for_twice_as_long() -> None:
    watch = Watch(Rules([page("db", fire=10, clear=60)]), pacing=Pacing(longest_clear=200, escalate_after=inf))
    took = []
    for _ in range(4):
        watch.rounds(60, db=BAD)
        begin = watch.now
        while watch.round()[:1] == []:
            assert watch.now - begin < 600
        took.append(watch.said[-1].at - begin)
    assert took == pytest.approx([60, 120, 200, 200], abs=5)
    watch.rounds(86_400)
    watch.rounds(60, db=BAD)
    assert watch.rounds(65) == ["recovered"]


def test_the_newest_firing_is_last_and_each_knows_when_it_was_first_told() -> None:
    watch = Watch(Rules([page("b"), page("a")]))
    watch.rounds(60, b=BAD)
    told_at = watch.book.alerts["b"].told_at
    watch.rounds(5 * 3600, b=BAD, a=BAD)
    assert [alert.name for alert in watch.book.firing()] == ["b", "a"]
    assert told_at == watch.said[0].at == watch.book.alerts["b"].told_at
    assert watch.kinds("b")[-1] == "repeated"


def test_a_child_waits_for_its_linger_after_its_parent_has_recovered() -> None:
    child = replace(page("child", "parent", clear=20), linger=100.0)
    watch = Watch(Rules([page("parent", clear=20), child]))
    watch.rounds(60, parent=BAD, child=BAD)
    watch.rounds(100, child=BAD)  # the parent takes 20 s of them to recover
    assert watch.kinds("child") == []
    watch.rounds(40, child=BAD)
    assert watch.kinds("child") == ["opened"]


def rounds_until(watch: Watch, name: str, kind: str, **signals: Signal) -> int:
    """How many rounds pass until it is said of `name`."""
    for number in range(1, 100):
        if any(str(m.kind) == kind and name in [a.name for a in m.alerts] for m in watch.round(**signals)):
            return number
    raise AssertionError(f"{kind} was never said of {name}")


def test_what_waits_is_told_in_the_round_in_which_its_time_is_over_and_not_before() -> None:
    """Rounds are 5 s apart; each time is asked at a multiple of that and just above one."""
    for wait, rounds in ((15.0, 3), (11.0, 3), (10.0, 2)):
        child = replace(page("child", "parent", fire=0.0, clear=0.0), settle=wait)
        settling = Watch(Rules([page("parent"), child]))
        assert rounds_until(settling, "child", "opened", child=BAD) == 1 + rounds
        lingering = Watch(Rules([page("parent", fire=0.0, clear=0.0), replace(child, settle=0.0, linger=wait)]))
        lingering.rounds(20, parent=BAD, child=BAD)
        assert rounds_until(lingering, "child", "opened", child=BAD) == 1 + rounds
        pacing = Pacing(escalate_after=wait, repeat_every=wait + 5)
        watch = Watch(Rules([page("db", fire=0.0)]), pacing=pacing)
        watch.rounds(5, db=BAD)
        assert rounds_until(watch, "db", "escalated", db=BAD) == rounds
        assert rounds_until(watch, "db", "repeated", db=BAD) == rounds + 1


def test_what_is_shorter_than_its_time_is_forgotten_as_fast_as_a_recovery() -> None:
    watch = Watch(Rules([page("db", fire=100, clear=60)]))
    watch.rounds(55, db=BAD)
    assert watch.book.alerts["db"].level == pytest.approx(0.525)
    watch.rounds(40)
    assert watch.book.alerts["db"].level == 0.0
    assert watch.book.alerts["db"].bad_since is None


def test_a_clock_that_leaps_by_no_more_than_a_gap_is_none_and_two_rounds_at_once_tell_what_is_due() -> None:
    watch = Watch(Rules([page("db", fire=20)]))
    watch.rounds(10, db=BAD)
    watch.round(60.0, db=BAD)
    assert watch.rounds(10, db=BAD) == ["opened"]
    other = Watch(Rules([page("db", fire=0.0)]))
    other.around = replace(other.around, silences=(Silence("*", inf),))
    other.rounds(10, db=BAD)
    other.step = 0.0
    other.round(db=BAD)
    other.around = replace(other.around, silences=())
    assert [m.kind for m in other.round(db=BAD)] == [Kind.OPENED]


def test_what_fired_a_whole_day_ago_makes_no_recovery_longer() -> None:
    rules, pacing = Rules([page("db", clear=60)]), Pacing()
    for ago, fires in ((86_400.0, False), (86_399.0, True)):
        openings = (NOON - ago, NOON - 10)
        firing = Alert("db", 1.0, bad=False, firing_since=NOON - 10, told=("a",), openings=openings)
        book, _ = evaluate(
            Book({"db": firing}, NOON - 60, 0.0), rules, {"db": WELL}, NOON, 60.0, Surroundings(), pacing
        )
        assert book.alerts["db"].firing is fires


def test_a_process_that_begins_anew_does_not_tell_again() -> None:
    watch = Watch(Rules([page("db")]))
    watch.rounds(60, db=BAD)
    alerts = {name: Alert.from_json(alert.to_json()) for name, alert in watch.book.alerts.items()}
    assert alerts == watch.book.alerts
    watch.book, watch.ticked = Book(alerts), 3.0  # another boot: its monotonic clock says something else
    watch.rounds(60, db=BAD)
    watch.rounds(300)
    assert watch.kinds() == ["opened", "recovered"]


def test_what_is_unknown_neither_opens_nor_recovers_and_its_absence_is_an_alert_of_its_own() -> None:
    watch = Watch(Rules([page("parent"), Rule("db", Severity.PAGE, 10, 60, depends_on=("parent",))]))
    watch.rounds(60, db=BAD)
    watch.rounds(3600, db=UNKNOWN)
    assert watch.kinds() == ["opened", "escalated"]  # still the one that was told: nothing is known of its end
    watch.rounds(600)
    watch.rounds(700, db=UNKNOWN)
    assert watch.kinds("db" + ABSENT) == ["opened"]
    watch.rounds(200)
    assert watch.kinds("db" + ABSENT) == ["opened", "recovered"]


def test_a_rule_that_is_gone_recovers_for_those_that_were_told() -> None:
    watch = Watch(Rules([page("db"), page("web")]))
    watch.rounds(60, web=BAD)
    watch.rules = Rules([page("db")])
    watch.rounds(5)
    assert watch.kinds("web") == ["opened", "recovered"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([page("a"), page("a")], "same name"),
        ([page("a", "b")], "no rule"),
        ([page("a", "b"), page("b", "a")], "depends on itself"),
        ([page("a", fire=-1)], "fire_after"),
        ([Rule("a", Severity.PAGE, above=1, back_below=2)], "back_below"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(rules: list[Rule], said: str) -> None:
    with pytest.raises(RulesError, match=said):
        Rules(rules)


PARENTS = {"a": (), "b": ("a",), "c": ("b",), "d": ()}
STEP, FIRE, CLEAR = 5, 10, 20


class Telling(RuleBasedStateMachine):
    """Against a model that, for each alert, goes through all that was ever seen of it, and keeps a list of who was told."""

    def __init__(self) -> None:
        super().__init__()
        self.rules = Rules([page(name, *above, fire=FIRE, clear=CLEAR) for name, above in PARENTS.items()])
        self.book, self.now, self.ticked = Book(), NOON, 0.0
        self.around = Surroundings(channels=("x",))
        self.history: list[tuple[float | None, dict[str, bool | None]]] = []  # seconds since the last, what was seen
        self.told: dict[str, bool] = dict.fromkeys(PARENTS, False)

    @rule(
        seen=st.fixed_dictionaries({name: st.sampled_from([True, False, None]) for name in PARENTS}),
        times=st.integers(1, 12),
    )
    def look(self, seen: dict[str, bool | None], times: int) -> None:
        for _ in range(times):
            self._round(seen, STEP, STEP)

    @rule(gap=st.sampled_from([(5, 7200), (7200, 7200), (5, -7200)]))
    def sleep(self, gap: tuple[float, float]) -> None:
        self._round(dict.fromkeys(PARENTS, True), *gap)

    @rule()
    def die(self) -> None:
        self.book = Book({name: Alert.from_json(alert.to_json()) for name, alert in self.book.alerts.items()})
        self._round(dict.fromkeys(PARENTS, False), None, STEP)

    @rule(on=st.booleans())
    def maintain(self, on: bool) -> None:
        self.around = replace(self.around, maintenance=on)

    @rule(pattern=st.sampled_from(["a", "b", "*"]), seconds=st.integers(0, 100))
    def silence(self, pattern: str, seconds: int) -> None:
        self.around = replace(self.around, silences=(Silence(pattern, self.now + seconds),))

    def _round(self, seen: dict[str, bool | None], tick: float | None, step: float) -> None:
        gap = tick is None or abs(step) > 60 or not self.history
        self.now += step
        self.ticked += tick or 0
        self.history.append((None if gap else float(step), seen))
        signals = {n: UNKNOWN if bad is None else BAD if bad else WELL for n, bad in seen.items()}
        self.book, messages = evaluate(self.book, self.rules, signals, self.now, self.ticked, self.around)
        assert not (gap and messages)
        for message in messages:
            for alert in message.alerts:
                self._check(message.kind, alert.name, seen)
        for name in PARENTS:
            assert self.book.alerts[name].firing is self._fires(name)
            if not gap and not self._fires(name):
                assert not self.told[name], "it is over and nobody was told"
            if not gap and self._fires(name) and seen[name] and not self.told[name]:
                assert self._held(name, seen), "it is bad, nothing is in the way, and nobody was told"

    def _check(self, kind: Kind, name: str, seen: dict[str, bool | None]) -> None:
        if kind is Kind.RECOVERED:
            assert self.told[name]
            assert not self._fires(name)
            self.told[name] = False
        elif kind is Kind.OPENED:
            assert not self.told[name]
            assert self._fires(name)
            assert not self.around.maintenance
            assert not any(silence.covers(name, self.now) for silence in self.around.silences)
            self.told[name] = True
        else:
            assert self.told[name]

    def _held(self, name: str, seen: dict[str, bool | None]) -> bool:
        above, names = list(PARENTS[name]), []
        while above:
            names.append(above.pop())
            above += PARENTS[names[-1]]
        return bool(
            self.around.maintenance
            or any(silence.covers(name, self.now) for silence in self.around.silences)
            or any(self._fires(parent) or seen[parent] for parent in names)
            or (names and self.book.alerts[name].firing_for < 10)
        )

    def _fires(self, name: str) -> bool:
        """Gone through from the beginning."""
        level, fires, bad, openings, now = 0.0, False, False, 0, 0.0
        for passed, seen in self.history:
            if passed is None or seen[name] is None:
                continue
            now += passed
            weight = passed if seen[name] is bad else passed / 2
            bad = bool(seen[name])
            need = min(CLEAR * 2 ** max(0, openings - 1), 3600) if fires else CLEAR
            level = min(1.0, level + weight / FIRE) if bad else max(0.0, level - weight / need)
            if level > 1 - 1e-9 and bad and not fires:
                fires, openings, level = True, openings + 1, 1.0
            elif level < 1e-9 and not bad:
                fires, level = False, 0.0
        return fires


Telling.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestTelling = Telling.TestCase
