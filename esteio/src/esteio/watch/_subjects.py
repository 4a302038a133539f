"""What is watched, with what is known of it; changed by the engine's loop alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from esteio.cron import Cron
from esteio.health import Check, Result, Status
from esteio.health.series import State
from esteio.watch._config import Config, Heartbeat, Peer, Probe
from esteio.watch._confirm import Confirmation, Confirmed, confirm
from esteio.watch._gaps import Gap
from esteio.watch._heartbeat import Beat, Judged, Schedule, Signal, after_gap, judge, receive
from esteio.watch._quorum import View
from esteio.watch._sight import WATCHER, Subject

__all__ = ["Job", "OtherWatcher", "Probed", "all_subjects", "job_of", "other_watcher", "probed"]

_STATES = {Status.PASS: State.UP, Status.WARN: State.DEGRADED, Status.FAIL: State.DOWN}
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


def all_subjects(config: Config) -> list[Subject]:
    """What a watcher with this configuration watches."""
    return [
        *(_probe_subject(each) for each in config.probes),
        *(_job_subject(each) for each in config.heartbeats),
        *(_watcher_subject(each) for each in config.peers),
    ]
