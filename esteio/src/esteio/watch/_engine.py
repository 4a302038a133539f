"""What asks: a task for each probe and each other watcher, in one event loop.

Promises: no probe waits for another, for a channel or for the disk. What it sees is published as a whole (`sight`), for
any thread. After a time in which it was itself away - suspended, stopped, isolated, with a clock that leapt - all is unknown
until it was looked at again, and down only when that was confirmed anew.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

from esteio.clock import SYSTEM, Clock
from esteio.health import Check, Status
from esteio.health._history import History, Observation
from esteio.health.series import State
from esteio.watch._config import Config, Peer, Probe, TcpProbe
from esteio.watch._gaps import Gap, GapDetector
from esteio.watch._heartbeat import Beat, Signal
from esteio.watch._maintenance import end_of_maintenance
from esteio.watch._peers import PeerRefused, ask_peer
from esteio.watch._probes import check_of
from esteio.watch._probes._checks import in_words
from esteio.watch._quorum import View, is_isolated, telling
from esteio.watch._sight import Sight, Subject
from esteio.watch._state import StateFile
from esteio.watch._subjects import Job, OtherWatcher, Probed, all_subjects, job_of, other_watcher, probed, window_of

__all__ = ["Engine"]

_TICK = 1.0  # seconds: how late at most a heartbeat is missed, a window begins
_PUBLISH = 5.0  # seconds after which what did not change is published again
_OBSERVE = 15.0  # seconds after which what did not change is written again: after 60 s the history calls it unknown
# Seconds between two looks at the anchors, besides those when something is about to be called down; and of one look.
_ANCHOR, _ANCHOR_ISOLATED, _ANCHOR_LIMIT = 30.0, 5.0, 3.0
_UNNOTICED = 60.0  # seconds for which this watcher may have been cut off before it noticed
_SPREAD = 5.0  # seconds over which the first looks are spread
_JITTER = 0.05  # of an interval
_THREADS = 64  # that resolve names: one that hangs holds one of them until the system gives up
_SOON = 0.5  # of `retry`: somebody else's suspicion makes nobody look more often

_logger = logging.getLogger("esteio.watch")

AskPeer = Callable[[Peer, str, str, Sequence[str]], Awaitable[View]]


class Engine:
    """Watches what `config` says until `run` is cancelled; remembers heartbeats in `state`, writes states to `history`.

    `disk` runs what may wait for a disk, one after another.
    """

    def __init__(
        self,
        config: Config,
        state: StateFile,
        history: History,
        *,
        check: Callable[[Probe, Clock], Check] = check_of,
        ask: AskPeer = ask_peer,
        disk: Executor | None = None,
        chance: Callable[[], float] = random.random,
        clock: Clock = SYSTEM,
    ) -> None:
        self.config = config
        self._state = state
        self._history = history
        self._ask = ask
        self._chance = chance
        self._clock = clock
        now = clock.time()
        known = state.beats()
        self.probes = {probe.name: probed(probe, check(probe, clock)) for probe in config.probes}
        self.jobs = {each.name: job_of(each, config, known.get(each.name, Beat(now))) for each in config.heartbeats}
        self.watchers = {peer.name: other_watcher(peer) for peer in config.peers}
        self._windows = [window_of(each, config.watch.timezone) for each in config.maintenance]
        self._anchors = [
            check_of(TcpProbe(name="anchor", address=each, timeout=_ANCHOR_LIMIT), clock)
            for each in config.group.anchors
        ]
        self._anchored: list[bool] | None = None  # not looked yet
        self._witnesses: asyncio.Task[None] | None = None
        self._isolated_since: float | None = None
        self._gaps = GapDetector(now, clock.monotonic())
        self._gap_count = 0
        self._published = float("-inf")
        self._observed = float("-inf")
        self._writing = False
        self._disk = disk or ThreadPoolExecutor(1, thread_name_prefix="esteio watch disk")
        self.sight = Sight(now)
        alive = state.alive_at
        self._away(Gap(now if alive is None else min(alive, now), now))

    # For whoever shows it

    @property
    def subjects(self) -> list[Subject]:
        """All that is watched: probes, jobs, other watchers."""
        return all_subjects(self.config)

    @property
    def view(self) -> View:
        """What this watcher alone sees, for the others."""
        states = {name: each.state for name, each in self.probes.items()}
        return View(self.config.watch.name, states, self._isolated, bool(self.config.notify.urls))

    def suspected(self, names: Iterable[str]) -> None:
        """Another watcher suspects these probes: look at once."""
        for name in names:
            self._look_soon(name)

    async def receive(self, job: Job, signal: Signal, text: str) -> None:
        """A job said something; returns when that is remembered."""
        job.receive(signal, self._clock.time(), text)
        self._publish()
        await self._on_disk(lambda: self._state.save(job.subject.name, job.beat))

    # Working

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="esteio watch name"))
        try:
            async with asyncio.TaskGroup() as group:
                for number, each in enumerate(self.probes.values()):
                    group.create_task(self._watch(each, _SPREAD * number / len(self.probes)), name=each.subject.name)
                for other in self.watchers.values():
                    group.create_task(self._follow(other), name=other.subject.name)
                group.create_task(self._look_at_anchors(), name="anchors")
                group.create_task(self._tick(), name="tick")
        finally:
            self._disk.submit(self._state.alive, self._clock.time())
            self._disk.shutdown(wait=True)

    async def once(self) -> Sight:
        """Look at every probe until its state is confirmed, and at the other watchers once."""
        try:
            await asyncio.gather(
                self._ask_anchors(), *(self._question(each) for each in self.watchers.values()),
                *(self._settle(each) for each in self.probes.values()),
            )  # fmt: skip
            self._publish()
        finally:
            self._disk.shutdown(wait=True)
        return self.sight

    async def _settle(self, probed: Probed) -> None:
        for _ in range(probed.probe.of):
            await self._look(probed)
            if not probed.confirmed.suspect:
                return
            await self._clock.sleep_async(probed.probe.retry)

    async def _watch(self, probed: Probed, wait: float) -> None:
        await self._clock.sleep_async(wait)
        while True:
            began = self._clock.monotonic()
            probed.wake.clear()
            await self._look(probed)
            pause = probed.pause * (1 + _JITTER * (2 * self._chance() - 1))
            await self._until(probed.wake, began + pause)

    async def _look(self, probed: Probed) -> None:
        gaps = self._gap_count
        probed.asked_at = self._clock.monotonic()
        result = await probed.check.ask()
        self._notice_gap()
        if self._gap_count != gaps:
            return  # it says what was before the gap, or its time went by in it
        if probed.would_be_down(result):
            # Before anybody hears of it: the network of this machine may be what is down.
            await self._ask_witnesses()
        was = probed.confirmed
        probed.answer(result)
        if probed.confirmed.suspect and not was.suspect:
            self._suspect(probed)
        if was.state is not probed.confirmed.state:
            self._publish()

    async def _ask_witnesses(self) -> None:
        """Ask anchors and other watchers now, once for all who wait for it."""
        if not (self._anchors or self.watchers):
            return
        if self._witnesses is None or self._witnesses.done():
            self._witnesses = asyncio.ensure_future(self._witnessed())
        await asyncio.shield(self._witnesses)

    async def _witnessed(self) -> None:
        await asyncio.gather(self._ask_anchors(), *(self._question(each) for each in self.watchers.values()))

    def _suspect(self, probed: Probed) -> None:
        """Ask at once what may explain it, and who may see it too."""
        for parent in probed.probe.depends_on:
            self._look_soon(parent)
        for other in self.watchers.values():
            other.wake.set()

    def _look_soon(self, name: str) -> None:
        each = self.probes.get(name)
        if each is not None and self._clock.monotonic() - each.asked_at >= _SOON * each.probe.retry:
            each.wake.set()

    async def _follow(self, other: OtherWatcher) -> None:
        while True:
            began = self._clock.monotonic()
            other.wake.clear()
            await self._question(other)
            await self._until(other.wake, began + other.pause * (1 + _JITTER * (2 * self._chance() - 1)))

    async def _question(self, other: OtherWatcher) -> None:
        suspects = [name for name, each in self.probes.items() if each.confirmed.suspect or each.state is State.DOWN]
        view, reason = None, ""
        try:
            async with asyncio.timeout(other.peer.timeout):
                view = await self._ask(other.peer, self.config.group.secret, self.config.watch.name, suspects)
        except TimeoutError:
            reason = f"no answer within {other.peer.timeout:g} s"
        except PeerRefused as error:
            reason = error.reason
        except (OSError, ValueError) as error:
            reason = in_words(error)
        before = (other.reached, other.view, other.confirmed.state)
        other.answer(view, reason)
        if before != (other.reached, other.view, other.confirmed.state):
            self._publish()

    async def _look_at_anchors(self) -> None:
        while self._anchors:
            await self._ask_anchors()
            await self._clock.sleep_async(_ANCHOR_ISOLATED if self._isolated else _ANCHOR)

    async def _ask_anchors(self) -> None:
        results = await asyncio.gather(*(each.ask() for each in self._anchors))
        self._anchored = [result.status is Status.PASS for result in results]
        self._publish()

    async def _tick(self) -> None:
        while True:
            self._notice_gap()
            now = self._clock.time()
            due = any(job.judged is not None and now >= job.judged.until for job in self.jobs.values())
            if due or self._clock.monotonic() - self._published >= _PUBLISH:
                self._publish()
            await self._clock.sleep_async(_TICK)

    async def _until(self, wake: asyncio.Event, moment: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, moment - self._clock.monotonic())):
                await wake.wait()
        except TimeoutError:
            return

    # Having been away

    def _notice_gap(self) -> None:
        now, ticked = self._clock.time(), self._clock.monotonic()
        if gap := self._gaps.look(now, ticked):
            self._gap_count += 1
            _logger.warning("nobody watched for %.0f s: what was seen before says nothing of now", gap.end - gap.begin)
            self._away(gap)
            self._publish()

    def _away(self, gap: Gap) -> None:
        for each in self.probes.values():
            each.forget()
        for job in self.jobs.values():
            job.after_gap(gap)
            self._disk.submit(self._state.save, job.subject.name, job.beat)

    # Publishing

    def _publish(self) -> None:
        now, ticked = self._clock.time(), self._clock.monotonic()
        self._follow_isolation()
        own, views = self.view, [each.view for each in self.watchers.values() if each.reached and each.view is not None]
        seen = {name: each.seen(own, views, self.config.group.quorum) for name, each in self.probes.items()}
        seen |= {name: job.seen(now, isolated=self._isolated) for name, job in self.jobs.items()}
        seen |= {each.subject.name: each.seen(isolated=self._isolated) for each in self.watchers.values()}
        if self._windows:
            seen = {n: replace(s, maintenance=end_of_maintenance(self._windows, n, now)) for n, s in seen.items()}
        told = [view for other in self.watchers.values() if (view := other.telling) is not None]
        sight = Sight(now, seen, self._isolated, telling(own, told))
        changed = sight.essence != self.sight.essence
        self.sight, self._published = sight, ticked
        if changed and self._writing:
            self._observed = float("-inf")  # written by the next one
        if (changed or ticked - self._observed >= _OBSERVE) and not self._writing:
            self._observed, self._writing = ticked, True
            asyncio.get_running_loop().run_in_executor(self._disk, self._observe, sight).add_done_callback(self._wrote)

    def _observe(self, sight: Sight) -> None:
        known = {n: (s.shown, s.reason) for n, s in sight.seen.items() if s.state is not State.UNKNOWN or s.reason}
        if known:
            self._history.observe(Observation(sight.at, states=known))
        self._state.alive(sight.at)

    def _wrote(self, done: asyncio.Future[None]) -> None:
        self._writing = False
        if not done.cancelled() and (error := done.exception()) is not None:
            _logger.error("what was seen could not be written down", exc_info=error)

    def _follow_isolation(self) -> None:
        reached = sum(each.reached for each in self.watchers.values())
        asked = all(each.reached or each.reason for each in self.watchers.values())
        anchored = self._anchored if self._anchored is not None else []
        isolated = asked and is_isolated(len(self.watchers), reached, anchored)
        if isolated and self._isolated_since is None:
            self._isolated_since = self._clock.time()
        elif not isolated and self._isolated_since is not None:
            begin, self._isolated_since = self._isolated_since, None
            # What failed while it was cut off failed for that, and what was said to it meanwhile was lost.
            self._away(Gap(begin - _UNNOTICED, self._clock.time()))

    @property
    def _isolated(self) -> bool:
        return self._isolated_since is not None

    async def _on_disk(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._disk, work)
