"""Events reach every hook, and a broken hook breaks nothing else."""

import logging
import threading
from collections.abc import Callable

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


def test_each_subscription_of_one_hook_ends_by_itself() -> None:
    seen: list[Event] = []
    hook = seen.append
    first, second = events.subscribe(hook), events.subscribe(hook)
    first()
    first()
    events.emit(Event("a"))
    assert seen == [Event("a")]
    second()
    assert not events.active()


def test_no_hook_is_lost_when_threads_subscribe_at_once() -> None:
    together = threading.Barrier(8)
    ends: list[Callable[[], None]] = []
    seen: list[Event] = []

    def subscribe() -> None:
        together.wait(30)
        ends.extend(events.subscribe(seen.append) for _ in range(50))

    threads = [threading.Thread(target=subscribe) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    events.emit(Event("a"))
    assert len(seen) == 400
    for end in ends:
        end()
    assert not events.active()
