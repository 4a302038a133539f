"""An outage is three kinds of lines, however many requests it hits."""

from __future__ import annotations

import logging
import threading

import pytest

from esteio.outage_log import OutageLog
from esteio.testing import ManualClock


class Stage:
    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.caplog = caplog
        self.clock = ManualClock()
        self.due: list = []
        self.log = OutageLog(logging.getLogger("t"), clock=self.clock, later=lambda _, call: self.due.append(call))

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        calls, self.due = self.due, []
        for call in calls:
            call()

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.caplog.records]


@pytest.fixture
def stage(caplog: pytest.LogCaptureFixture) -> Stage:
    return Stage(caplog)


def test_a_thousand_failures_are_a_line_at_the_beginning_counts_and_a_line_at_the_end(stage: Stage) -> None:
    for _ in range(130):
        for _ in range(10):
            stage.log.failed("database", "no answer")
        stage.pass_time(1.0)
    stage.pass_time(10.0)
    assert stage.lines == [
        "database: no answer; more of these are counted, not logged one by one",
        "database: 599 more, 600 within 60 s; last: no answer",
        "database: 600 more, 1200 within 120 s; last: no answer",
        "database: over after 129 s, 1300 in all",
    ]
    assert stage.due == []  # nothing looks on once it is over


def test_two_kinds_are_two_outages_and_a_single_failure_is_a_single_line(stage: Stage) -> None:
    stage.log.failed("a", "x")
    stage.log.failed("b", "y")
    stage.pass_time(10.0)
    assert [line[:4] for line in stage.lines] == ["a: x", "b: y"]
    stage.log.failed("a", "again")
    assert stage.lines[-1].startswith("a: again")


def test_kinds_are_bounded(stage: Stage) -> None:
    for number in range(1000):
        stage.log.failed(str(number), "x")
    assert len(stage.lines) == 101


def test_when_no_thread_can_be_started_the_next_failure_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    tried = []

    def later(_: float, call: object) -> None:
        tried.append(call)
        raise RuntimeError("can't start new thread")

    log = OutageLog(logging.getLogger("t"), later=later)
    log.failed("a", "x")
    log.failed("a", "x")
    assert len(tried) == 2


def test_with_its_own_thread_it_ends_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()

    class Seen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "over after" in record.getMessage():
                ended.set()

    logger = logging.getLogger("t.own")
    logger.setLevel(logging.INFO)
    handler = Seen()
    logger.addHandler(handler)
    try:
        log = OutageLog(logger, quiet=0.05)
        log.failed("a", "x")
        log.failed("a", "x")
        assert ended.wait(10.0)
    finally:
        logger.removeHandler(handler)


@pytest.mark.parametrize("given", [{"every": 0.0}, {"quiet": float("nan")}])
def test_unusable_seconds_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="pass seconds above 0"):
        OutageLog(logging.getLogger("t"), **given)
