"""A watcher's whole process: what looks, what decides, what delivers; one at a time for a directory.

Promises: a second one for the same directory is refused, and the lock ends with its process. What looks waits for none of the
others: notices are delivered by a process for each attempt.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from esteio.alert import Channels, Outbox
from esteio.alert.monitor import AlertMonitor, Watched
from esteio.alert.rules import QuietHours, Severity
from esteio.errors import EsteioError
from esteio.health import Measurements
from esteio.serve import Service
from esteio.system import try_lock
from esteio.watch._alerts import definitions, report_of, silences_of
from esteio.watch._config import Config
from esteio.watch._service import Watcher
from esteio.watch._subjects import all_subjects
from esteio.watch._words import WORDS, alert_words

__all__ = ["WatcherRuns", "channels_of", "locked", "prepare", "services"]

_FAST, _MANY = 2.0, 5.0  # seconds between two rounds of the alerts; where there are many
_MANY_FROM = 100


class WatcherRuns(EsteioError):
    """Another process watches with the same `directory`."""

    exit_code = 75

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(f"another watcher runs in {directory}; end it, or give this one a `directory` of its own")


def prepare(config: Config) -> None:
    """Make the directory, which this account alone can read; OSError."""
    config.directory.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def locked(config: Config) -> Iterator[None]:
    """The directory is ours within the block; WatcherRuns, OSError."""
    prepare(config)
    handle = os.open(config.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not try_lock(handle):
            raise WatcherRuns(config.directory)
        yield
    finally:
        os.close(handle)


def channels_of(config: Config) -> Channels:
    """Who is told; ChannelRefused for an address that cannot be used."""
    return Channels(config.notify.urls, escalation=config.notify.escalation, what="[notify] urls or escalation")


def services(config: Config, watcher: Watcher) -> list[Service]:
    """What runs side by side; ChannelRefused for an address that cannot be used."""
    notify, words = config.notify, WORDS[config.watch.language]
    outbox = None
    if notify.urls or notify.escalation:
        outbox = Outbox(config.directory / "notices", channels_of(config))
    subjects = all_subjects(config)
    pages = frozenset(each.name for each in subjects if each.severity is Severity.PAGE)
    watched = Watched(
        lambda: report_of(watcher.engine.sight, pages) if watcher.engine is not None else None,
        Measurements(),
        silences=lambda _: silences_of(watcher.engine.sight) if watcher.engine is not None else (),
        with_us=False,
    )
    quiet = QuietHours(*notify.quiet, config.watch.timezone) if notify.quiet is not None else None
    monitor = AlertMonitor(
        config.directory,
        definitions(subjects, words, notify.clear),
        watched,
        outbox,
        alert_words(words, config.watch.name, config.watch.timezone),
        quiet=quiet,
        every=_MANY if len(subjects) > _MANY_FROM else _FAST,
    )
    return [*([outbox] if outbox is not None else []), watcher, monitor]
