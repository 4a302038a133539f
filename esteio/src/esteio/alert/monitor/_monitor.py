"""The service that decides: a round every few seconds, in a thread of its own.

Promises: it waits for no check and no channel - it takes the newest answers of the one and leaves notices for the other.
Whatever a round meets is logged, and the next one comes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from esteio.alert._outbox import Outbox
from esteio.alert.incidents import Evidence, Incident, Sight, Source, follow
from esteio.alert.journal import Journal, JournalReader
from esteio.alert.monitor._definitions import Definition, View
from esteio.alert.monitor._records import BackupRecord
from esteio.alert.monitor._requests import RequestCounter
from esteio.alert.monitor._store import AlertStore
from esteio.alert.monitor._words import ALERT_ENGLISH, AlertWords, alert_notice
from esteio.alert.objectives import Ledger, Minute
from esteio.alert.rules import (
    Alert,
    Book,
    Condition,
    Kind,
    Message,
    Pacing,
    QuietHours,
    Rules,
    Severity,
    Signal,
    Silence,
    Surroundings,
    acknowledge,
    evaluate,
)
from esteio.clock import SYSTEM, Clock
from esteio.health import Measurements, Report, Status
from esteio.health.series import SERVICE

__all__ = ["AlertMonitor", "Watched"]

_EVERY = 2.0  # seconds
_SECOND = 0.25  # seconds: the first round only measures, and what died before it is to be told at once
_FRESH = 30.0  # seconds for which a report says something of now
_WARM_UP = 60.0  # seconds after its start for which what never was well yet is being started, and not broken
_RECENTLY = 600.0  # seconds of what happened that are kept in mind
_SAVE_EVERY = 30.0  # seconds: what changes all the time - levels, durations - is written no oftener
_AWAY = 30.0  # seconds without a round, and without an end in order: everything was down
_EXPLAINED = ("inhibited", "settling")
_PACING = Pacing()
_logger = logging.getLogger("esteio.alert")


@dataclass(frozen=True, slots=True)
class Watched:
    """What it looks at: the newest `report` and its moment (Unix seconds), what the workers measured, whether the service is

    closed for maintenance, the problems of the backups by code and sentence (None: nobody knows), and what else `happened`
    since a moment: it is asked when an incident begins. `backups` are those that are known now, kept for the report.
    `silences`: those that hold at a moment besides those that people asked for. `with_us`: whether what is looked at is on
    this host, so that it was down when everything here was.
    """

    report: Callable[[], tuple[Report, float] | None]
    measurements: Measurements
    closed: Callable[[], bool] = lambda: False
    problems: Callable[[], tuple[tuple[str, str], ...] | None] = lambda: None
    happened: Callable[[float], Iterable[Evidence]] = lambda _: ()
    backups: Callable[[], Iterable[BackupRecord]] = lambda: ()
    silences: Callable[[float], tuple[Silence, ...]] = lambda _: ()
    with_us: bool = True


class AlertMonitor:
    """Keeps its state in `directory` as alerts.sqlite, and reads events.jsonl there; tells by `outbox`, None: only the log.

    A page that nobody acknowledged is told to the channels of the escalation, too (`Channels`), after `pacing.escalate_after`.
    """

    name = "alerts"

    def __init__(
        self,
        directory: Path,
        definitions: Sequence[Definition],
        watched: Watched,
        outbox: Outbox | None = None,
        words: AlertWords = ALERT_ENGLISH,
        *,
        quiet: QuietHours | None = None,
        pacing: Pacing = _PACING,
        every: float = _EVERY,
        clock: Clock = SYSTEM,
    ) -> None:
        self._store = AlertStore(directory / "alerts.sqlite")
        self._definitions = {each.rule.name: each for each in definitions}
        self._rules = Rules(each.rule for each in definitions)
        self._watched = watched
        self._outbox = outbox
        self._words = replace(words, titles={**{n: d.title for n, d in self._definitions.items()}, **words.titles})
        channels = outbox.channels.channels if outbox is not None else ()
        first, second = (tuple(each.key for each in channels if each.escalation is late) for late in (False, True))
        self._around = Surroundings(first, second, quiet=quiet)
        self._pacing = pacing
        self._every = every
        self._clock = clock
        self._journal = Journal(directory / "events.jsonl", clock)
        self._events = JournalReader(self._journal.path, clock=clock)
        self._requests = RequestCounter()
        self._happened: tuple[Evidence, ...] = ()
        self._unwritten: dict[int, Minute] = {}
        self._backups: dict[str, BackupRecord] = {}  # as they are in the file
        self._failing_since: float | None = None
        self._began: float | None = None  # monotonic
        self._were_well: set[str] = set()
        self._saved_at = float("-inf")
        self._turned: tuple[tuple[int, bool], ...] = ()  # the last incident that was written, and whether it goes on
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._book, self._ledger, self._incident = Book(), Ledger(), None  # type: Book, Ledger, Incident | None
        self._loaded = False

    def start(self) -> None:
        """Begin."""
        self.stop(0.0)
        self._ending.clear()
        self._thread = threading.Thread(target=self._work, name=f"esteio {self.name}", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it decides."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """End it."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def __enter__(self) -> AlertMonitor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(5.0)

    def _work(self) -> None:
        pause = min(_SECOND, self._every)
        while not self._ending.is_set():
            try:
                self.round()
            except Exception:
                _logger.exception("a round of the alerts failed; the next one comes in %.0f s", self._every)
            self._ending.wait(pause)
            pause = self._every
        self._store.save(self._clock.time(), self._book.alerts, ended=True, minutes=self._unwritten.values())
        self._store.close()

    def round(self) -> list[Message]:
        """Look, decide, write down, leave for the outbox; what was decided."""
        now = self._clock.time()
        if not self._loaded:
            self._load(now)
        passed = self._clock.monotonic() - self._book.ticked if self._book.ticked is not None else None
        if passed is not None and passed > self._pacing.gap:
            passed = None
        found = self._watched.report()
        report = found[0] if found is not None and now - found[1] <= _FRESH else None
        closed = self._watched.closed()
        fresh = tuple(self._events.read())
        self._happened = tuple(e for e in (*self._happened, *fresh) if now - e.at < _RECENTLY)
        view = self._view(now, report, passed, closed=closed)
        silences, acknowledged = self._store.asked_for(now)
        around = replace(self._around, silences=(*silences, *self._watched.silences(now)), maintenance=closed)
        signals = {name: self._seen(name, definition, view) for name, definition in self._definitions.items()}
        book = self._acknowledged(acknowledged)
        after, messages = evaluate(book, self._rules, signals, now, self._clock.monotonic(), around, self._pacing)
        incidents = self._incidents(after, report, fresh, now, passed, closed=closed)
        self._keep(after, messages, incidents, tuple(acknowledged), now)
        return messages

    # Looking

    def _load(self, now: float) -> None:
        stored = self._store.load(now)
        self._book = Book(stored.alerts)
        self._ledger, self._incident = Ledger(stored.minutes), stored.last_incident
        self._loaded = True
        self._began = self._clock.monotonic()
        if self._watched.with_us and stored.at is not None and not stored.ended and now - stored.at > _AWAY:
            self._journal.note("process-died", f"everything: away for {now - stored.at:.0f} s", now)

    def _view(self, now: float, report: Report | None, passed: float | None, *, closed: bool) -> View:
        reading = self._watched.measurements.read()
        minute = self._requests(reading, now)
        if report is not None and passed is not None and not closed:
            minute = replace(minute, seen=passed, down=passed if self._failing(report) else 0.0)
        changed = {each.at: each for each in self._ledger.add(minute)}
        # What is after them is of a clock that was set back since, and was moved to before it.
        self._unwritten = {at: each for at, each in self._unwritten.items() if at < max(changed)} | changed
        results = report.results if report is not None else {}
        return View(
            now, results, reading.workers, reading.families, self._ledger, self._happened, self._watched.problems()
        )

    def _seen(self, name: str, definition: Definition, view: View) -> Signal:
        """What it sees; for a minute nothing of a probe that has not succeeded since we began: services take their time."""
        signal = definition.see(view)
        if definition.source is not Source.PROBE or signal.condition is not Condition.BAD:
            self._were_well.update([name] if signal.condition is Condition.WELL else [])
            return signal
        known = self._book.alerts.get(name)
        if name in self._were_well or (known is not None and known.firing) or not self._starting():
            return signal
        return Signal(Condition.UNKNOWN, signal.reason)

    def _failing(self, report: Report | None) -> bool:
        """Whether the whole service is down, and not only being started."""
        if report is None or report.status is not Status.FAIL:
            self._were_well.update([SERVICE] if report is not None else [])
            return False
        return SERVICE in self._were_well or self._is_open() or not self._starting()

    def _is_open(self) -> bool:
        return self._incident is not None and self._incident.open

    def _starting(self) -> bool:
        return self._began is not None and self._clock.monotonic() - self._began < _WARM_UP

    def _incidents(
        self, book: Book, report: Report | None, fresh: tuple[Evidence, ...], now: float, passed: float | None, *,
        closed: bool,
    ) -> list[Incident]:  # fmt: skip
        """Those that changed in this round."""
        self._failing_since = (self._failing_since or now) if self._failing(report) else None
        bad: dict[Source, float] = {} if self._failing_since is None else {Source.PROBE: self._failing_since}
        # What another one explains - a window that still holds the failures of an outage - keeps no incident open.
        pages = [
            alert
            for alert in book.firing()
            if alert.bad and alert.held not in _EXPLAINED and self._severity(alert.name) is Severity.PAGE
        ]
        for alert in pages:
            source = self._definitions[alert.name].source if alert.name in self._definitions else Source.ALERT
            bad[source] = min(bad.get(source, now), alert.bad_since or now)
        roots = tuple(a.name for a in pages if not any(p.name in self._rules.ancestors(a.name) for p in pages))
        sight = Sight(now, bad, fresh, roots, closed, passed)
        recent = [each for each in self._happened if each not in fresh]
        if bad and not self._is_open():
            recent += self._watched.happened(now - _RECENTLY)
        recent.sort(key=lambda each: each.at)
        changed = follow(self._incident, sight, tuple(recent))
        if changed:
            self._incident = changed[-1]
        return changed

    def _severity(self, name: str) -> Severity:
        return self._rules[name].severity if name in self._rules else Severity.TICKET

    def _acknowledged(self, acknowledged: Mapping[str, str]) -> Book:
        book = self._book
        for name, by in acknowledged.items():
            if name in book.alerts and book.alerts[name].firing:
                book = acknowledge(book, name, by)
        return book

    # Telling

    def _keep(
        self,
        book: Book,
        messages: Sequence[Message],
        incidents: Sequence[Incident],
        acknowledged: tuple[str, ...],
        now: float,
    ) -> None:
        notices = [(alert_notice(message, self._words), message.channels) for message in messages]
        for message, (notice, _) in zip(messages, notices, strict=True):
            _logger.log(_log_level(message), "%s", notice.subject)
        before, self._book = self._book, book
        due = self._clock.monotonic() - self._saved_at >= _SAVE_EVERY
        backups = {each.name: each for each in self._watched.backups()} if due else self._backups
        turned = tuple((each.number, each.open) for each in incidents[-1:]) or self._turned
        if not (due or notices or acknowledged or turned != self._turned or _decided(before.alerts, book.alerts)):
            return
        minutes = sorted(self._unwritten.values(), key=lambda minute: minute.at)
        told = [(notice, keys) for notice, keys in notices if keys]
        fresh = [each for name, each in backups.items() if self._backups.get(name) != each]
        current = () if self._incident is None else (self._incident,)
        changed = {each.number: each for each in (*incidents, *current)}.values()
        if self._store.save(now, book.alerts, changed, told, minutes, acknowledged=acknowledged, backups=fresh):
            self._saved_at, self._turned, self._backups = self._clock.monotonic(), turned, backups
            self._unwritten = {minute.at: minute for minute in minutes[-1:]}
            self._hand_over()
        elif self._outbox is not None:  # to tell twice after a crash is better than not to tell
            for notice, keys in told:
                self._outbox.put(notice, keys)

    def _hand_over(self) -> None:
        """From the state's file to the outbox. Killed in between, the same file is written again: told at most twice."""
        pending = self._store.pending() if self._outbox is not None else []
        for each in pending:
            assert self._outbox is not None
            self._outbox.put(each.notice, each.keys, token=f"alert{each.id}")
        self._store.forget(pending)


def _decided(before: Mapping[str, Alert], after: Mapping[str, Alert]) -> bool:
    """Whether anything changed that must not be forgotten."""

    def essence(alert: Alert | None) -> tuple[object, ...]:
        if alert is None:
            return (None, None, "", False)
        return (alert.firing_since, alert.told, alert.acknowledged, alert.escalated)

    return any(essence(before.get(name)) != essence(alert) for name, alert in after.items())


def _log_level(message: Message) -> int:
    if message.kind is Kind.RECOVERED:
        return logging.INFO
    return logging.ERROR if message.severity is Severity.PAGE else logging.WARNING
