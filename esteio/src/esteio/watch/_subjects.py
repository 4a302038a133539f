"""What is watched, with what is known of it; changed by the engine's loop alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from esteio.cron import Cron
from esteio.health import Check, Result, Status
from esteio.health.series import State
from esteio.watch._config import Config, Heartbeat, Maintenance, Peer, Probe
from esteio.watch._confirm import Confirmation, Confirmed, confirm
from esteio.watch._gaps import Gap
from esteio.watch._heartbeat import Beat, Judged, Schedule, Signal, after_gap, judge, receive
from esteio.watch._maintenance import Window
from esteio.watch._quorum import View, agree
from esteio.watch._sight import WATCHER, Seen, Subject

__all__ = ["Job", "OtherWatcher", "Probed", "all_subjects", "job_of", "other_watcher", "probed", "window_of"]

_STATES = {Status.PASS: State.UP, Status.WARN: State.DEGRADED, Status.FAIL: State.DOWN}
_ISOLATED = "this watcher is isolated"
_UNREACHED = Confirmation(failures=3, of=3, recover=1)


@dataclass(slots=True)
class Probed:
    """A probe."""

    subject: Subject
    probe: Probe
    check: Check
    rule: Confirmation
    confirmed: Confirmed = field(default_factory=Confirmed)
    result: Result | None = None
    asked_at: float = float("-inf")
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def state(self) -> State:
        """What this watcher alone sees."""
        return self.confirmed.state

    @property
    def pause(self) -> float:
        """Seconds from one look to the next."""
        return self.probe.retry if self.confirmed.suspect else self.probe.interval

    def would_be_down(self, result: Result) -> bool:
        """Whether this answer confirms that it is down, and it was not."""
        after = confirm(self.confirmed, _STATES[result.status], self.rule)
        return after.state is State.DOWN is not self.confirmed.state

    def answer(self, result: Result) -> None:
        """Take an answer into account."""
        self.result = result
        self.confirmed = confirm(self.confirmed, _STATES[result.status], self.rule)

    def seen(self, own: View, views: Sequence[View], quorum: int | None) -> Seen:
        """What all watchers together see of it; `own` is the view of this one."""
        state, down_from = agree(self.subject.name, own, views, quorum)
        result = self.result
        reason = result.reason if result is not None else ""
        if state is State.UNKNOWN:
            reason = _ISOLATED if own.isolated else ""
        elif down_from and views:
            reason = f"down from {', '.join(down_from)}{f': {reason}' if reason else ''}"
        return Seen(state, reason, result.observed if result else None, result.unit if result else "", down_from)

    def forget(self) -> None:
        """What was seen before says nothing of now: until it answers, or is confirmed to be down, it is unknown."""
        self.confirmed = Confirmed()
        self.wake.set()


@dataclass(slots=True)
class Job:
    """A heartbeat that is expected; judged anew when something was heard, or when the judgement may change."""

    subject: Subject
    schedule: Schedule
    key: str
    beat: Beat
    judged: Judged | None = None

    def at(self, now: float) -> Judged:
        """How it stands."""
        if self.judged is None or now >= self.judged.until:
            self.judged = judge(self.beat, self.schedule, now)
        return self.judged

    def seen(self, now: float, *, isolated: bool) -> Seen:
        """How it stands, where this watcher may be one that nobody can report to."""
        judged, took = self.at(now), self.beat.took
        if isolated and judged.state is State.DOWN and self.beat.fail is None:
            return Seen(State.UNKNOWN, f"{_ISOLATED}: the job may have reported in vain")
        return Seen(judged.state, judged.reason, took, "s" if took is not None else "")

    def receive(self, signal: Signal, now: float, text: str) -> None:
        """It said something."""
        self.beat, self.judged = receive(self.beat, signal, now, text), None

    def after_gap(self, gap: Gap) -> None:
        """Nobody listened."""
        self.beat, self.judged = after_gap(self.beat, self.schedule, gap), None


@dataclass(slots=True)
class OtherWatcher:
    """Another watcher: whether it answers, and what it saw when it last did."""

    subject: Subject
    peer: Peer
    confirmed: Confirmed = field(default_factory=Confirmed)
    view: View | None = None
    reached: bool = False
    """The last time it was asked."""
    reason: str = ""
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pause(self) -> float:
        """Seconds from one question to the next."""
        return self.peer.interval

    def answer(self, view: View | None, reason: str = "") -> None:
        """It answered, or not, because of `reason`."""
        self.reached, self.reason = view is not None, reason
        if view is not None:
            self.view = view
        self.confirmed = confirm(self.confirmed, State.DOWN if view is None else State.UP, _UNREACHED)

    def seen(self, *, isolated: bool) -> Seen:
        """How it stands, where this watcher may be the one that is cut off."""
        state = self.confirmed.state
        if state is State.DOWN and isolated:
            return Seen(State.UNKNOWN, _ISOLATED)
        if state is State.UP and self.view is not None and self.view.isolated:
            return Seen(State.DEGRADED, "it says that it is isolated")
        return Seen(state, self.reason if state is State.DOWN else "")

    @property
    def telling(self) -> View | None:
        """What it saw, as long as it is not surely gone."""
        return self.view if self.confirmed.state is State.UP else None


def probed(probe: Probe, check: Check) -> Probed:
    """A probe of which nothing is known yet."""
    rule = Confirmation(probe.failures, probe.of, probe.recover)
    return Probed(_probe_subject(probe), probe, check, rule)


def job_of(heartbeat: Heartbeat, config: Config, beat: Beat) -> Job:
    """A job, with what is remembered of it."""
    zone = heartbeat.timezone or config.watch.timezone
    cron = Cron(heartbeat.schedule, zone) if heartbeat.schedule else None
    return Job(_job_subject(heartbeat), Schedule(heartbeat.grace, cron, heartbeat.every), heartbeat.key, beat)


def other_watcher(peer: Peer) -> OtherWatcher:
    """Another watcher that was not asked yet."""
    return OtherWatcher(_watcher_subject(peer), peer)


def _probe_subject(probe: Probe) -> Subject:
    kind = type(probe).__name__.removesuffix("Probe").lower()
    confirmed_after = probe.of * (probe.retry + probe.timeout)
    title = probe.title or probe.name
    return Subject(probe.name, title, kind, probe.severity, probe.depends_on, confirmed_after, probe.interval)


def _job_subject(heartbeat: Heartbeat) -> Subject:
    title = heartbeat.title or heartbeat.name
    return Subject(heartbeat.name, title, "heartbeat", heartbeat.severity, heartbeat.depends_on)


def _watcher_subject(peer: Peer) -> Subject:
    name = f"{WATCHER}{peer.name}"
    return Subject(name, name, "watcher", peer.severity, (), 3 * peer.interval, peer.interval)


def window_of(given: Maintenance, timezone: str) -> Window:
    """Announced work; a moment without an offset is one of `timezone`."""

    def moment(value: datetime | None) -> float:
        if value is None:
            return 0.0
        return (value if value.tzinfo is not None else value.replace(tzinfo=ZoneInfo(timezone))).timestamp()

    cron = Cron(given.schedule, timezone) if given.schedule else None
    return Window(given.probes, given.reason, moment(given.begin), moment(given.end), cron, given.lasts)


def all_subjects(config: Config) -> list[Subject]:
    """What a watcher with this configuration watches."""
    return [
        *(_probe_subject(each) for each in config.probes),
        *(_job_subject(each) for each in config.heartbeats),
        *(_watcher_subject(each) for each in config.peers),
    ]
