"""Events reach every hook, and a broken hook breaks nothing else."""

import logging

import pytest

from esteio import Event, events


def test_a_hook_receives_events_until_it_unsubscribes() -> None:
    seen: list[Event] = []
    unsubscribe = events.subscribe(seen.append)
    assert events.active()
    events.emit(Event("a"))
    unsubscribe()
    events.emit(Event("b"))
    assert seen == [Event("a")]
    assert not events.active()


def test_a_failing_hook_is_logged_and_the_next_one_still_called(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError(event.name)

    seen: list[Event] = []
    ends = [events.subscribe(broken), events.subscribe(seen.append)]
    try:
        with caplog.at_level(logging.ERROR, "esteio.events"):
            events.emit(Event("a"))
    finally:
        for end in ends:
            end()
    assert seen == [Event("a")]
    assert "broken" in caplog.text
