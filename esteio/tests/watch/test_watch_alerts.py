"""What is told of what a watcher sees, over hours of a clock that is moved by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from esteio.alert import Channel, Channels, Notice, Outbox
from esteio.alert.monitor import AlertMonitor, Watched
from esteio.alert.rules import Severity
from esteio.health import Measurements
from esteio.health.series import State
from esteio.testing import ManualClock
from esteio.watch._alerts import definitions, report_of, silences_of
from esteio.watch._sight import Seen, Sight, Subject
from esteio.watch._words import WORDS, alert_words

UP, DEGRADED, DOWN, UNKNOWN = State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN


class Silent(Channels):
    """One channel, which is never asked."""

    def __init__(self) -> None:
        super().__init__([])
        self.channels = (Channel("a", "a", ""),)

    def send(self, channel: Channel, notice: Notice, timeout: float = 15.0) -> None:
        """Taken."""


class Watching:
    """An alert monitor over a sight that the test sets."""

    def __init__(self, directory: Path, *subjects: Subject) -> None:
        self.clock = ManualClock()
        self.seen = {each.name: Seen(UP) for each in subjects}
        self.isolated = False
        self.told_by: dict[str, str] = {}
        pages = frozenset(each.name for each in subjects)
        watched = Watched(
            lambda: report_of(self.sight, pages),
            Measurements(),
            silences=lambda _: silences_of(self.sight),
            with_us=False,
        )
        found = definitions(subjects, WORDS["en"], 60.0)
        words = alert_words(WORDS["en"], "school", "UTC")
        self.monitor = AlertMonitor(
            directory, found, watched, Outbox(directory / "notices", Silent()), words, clock=self.clock
        )
        self.rounds(10)

    @property
    def sight(self) -> Sight:
        return Sight(self.clock.time(), self.seen, self.isolated, self.told_by)

    def rounds(self, seconds: float, step: float = 2.0, **states: State) -> list[tuple[str, list[str]]]:
        """What was told, by kind and names of alerts, in rounds every `step` seconds."""
        self.seen |= {name: Seen(state) for name, state in states.items()}
        told = []
        for _ in range(int(seconds / step)):
            told += [
                (str(each.kind), sorted(a.name for a in each.alerts)) for each in self.monitor.round() if each.channels
            ]
            self.clock.advance(step)
        return told


def subject(name: str, kind: str = "http", *parents: str, severity: Severity = Severity.PAGE) -> Subject:
    return Subject(name, name, kind, severity, parents, confirmed_after=45.0, interval=30.0)


@pytest.fixture
def watching(tmp_path: Path) -> Watching:
    ticket = Severity.TICKET
    return Watching(
        tmp_path, subject("web"), subject("mail", severity=ticket), subject("job", "heartbeat", severity=ticket),
        subject("watcher:b", "watcher", severity=ticket),
    )  # fmt: skip


def test_what_is_confirmed_is_told_in_the_next_round_and_its_recovery_a_minute_later(watching: Watching) -> None:
    assert watching.rounds(2, web=DOWN) == [("opened", ["web"])]
    assert watching.rounds(600) == []
    assert watching.rounds(58, web=UP) == []
    assert watching.rounds(10) == [("recovered", ["web"])]


def test_a_hundred_flips_are_one_notice_and_one_recovery(watching: Watching) -> None:
    told = [each for number in range(100) for each in watching.rounds(30, 10, mail=(DOWN, UP)[number % 2])]
    told += watching.rounds(4000, 30, mail=UP)
    assert told == [("opened", ["mail"]), ("recovered", ["mail"])]


def test_200_that_depend_on_one_that_died_are_one_notice_and_one_recovery_also_when_they_are_seen_first(
    tmp_path: Path,
) -> None:
    children = [subject(f"child{number}", "http", "link") for number in range(200)]
    watching = Watching(tmp_path, subject("link"), *children)
    told = watching.rounds(30, 10, **dict.fromkeys((each.name for each in children), DOWN))
    told += watching.rounds(120, 10, link=DOWN)
    told += watching.rounds(30, 10, link=UP)
    told += watching.rounds(300, 30, **dict.fromkeys((each.name for each in children), UP))
    assert told == [("opened", ["link"]), ("recovered", ["link"])]
    assert watching.rounds(70, 10, child7=DOWN) == [("opened", ["child7"])], "and one alone is told"


def test_what_another_watcher_tells_is_told_here_only_when_that_one_is_gone(watching: Watching) -> None:
    watching.told_by = {"web": "a"}
    assert watching.rounds(60, web=DOWN) == []
    watching.told_by = {}
    assert watching.rounds(4) == [("opened", ["web"])]
    watching.told_by = {"web": "a"}
    assert watching.rounds(70, web=UP) == [("recovered", ["web"])], "who was told that it broke is told that it works"


def test_in_maintenance_nothing_opens_and_what_was_told_before_recovers(watching: Watching) -> None:
    assert watching.rounds(2, web=DOWN) == [("opened", ["web"])]
    until = watching.clock.time() + 1000
    watching.seen["web"] = Seen(UP, maintenance=until)
    assert watching.rounds(70) == [("recovered", ["web"])]
    watching.seen["web"] = Seen(DOWN, maintenance=until)
    assert watching.rounds(600) == []
    assert watching.rounds(4, web=DOWN) == [("opened", ["web"])], "it is over, and still true"


def test_an_isolated_watcher_tells_that_and_nothing_else(watching: Watching) -> None:
    assert watching.rounds(2, mail=DOWN) == [("opened", ["mail"])]
    watching.isolated = True
    told = watching.rounds(3600, 20, mail=UNKNOWN, web=UNKNOWN, **{"watcher:b": UNKNOWN})
    assert told == [("opened", ["watch:isolated"])]
    watching.isolated = False
    told = watching.rounds(300, 20, mail=UP, web=UP, **{"watcher:b": UP})
    assert sorted(name for kind, names in told for name in names if kind == "recovered") == ["mail", "watch:isolated"]


def test_degraded_is_a_ticket_when_it_lasts_and_a_job_of_which_nobody_knows_one_after_two_hours(
    watching: Watching,
) -> None:
    assert watching.rounds(280, web=DEGRADED) == []
    assert watching.rounds(60) == [("opened", ["web:degraded"])]
    assert watching.rounds(7000, 50, job=UNKNOWN) == []
    assert watching.rounds(400, 50) == [("opened", ["job:absent"])]
    assert watching.rounds(150, 50, job=UP) == [("recovered", ["job:absent"])]


def test_a_clock_that_leaps_by_an_hour_and_a_watcher_that_was_off_tell_nothing_of_their_own(watching: Watching) -> None:
    for leap in (3600.0, -3600.0):
        watching.clock.set_time(watching.clock.time() + leap)
        assert watching.rounds(60) == []
    watching.clock.advance(5 * 3600.0)
    assert watching.rounds(60) == []
