"""What to do with the workers, decided without doing it.

Promises: pure and synchronous. Time, random numbers, what workers report and how they end come in; actions go out
through `take`, in order. Each slot always has a member, or a moment when it gets one, until `stop`; it never gives up.
A worker whose loop stands still, that does not start, or does not end in time, is killed once. A roll has at
most one worker more than there are slots and never retires a member before its successor is ready. A worker with
more memory than it may have is replaced in the same way, alone; with twice as much it is killed, before the system kills
whom it chooses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from esteio.events import Event
from esteio.policy._backoff import Exponential
from esteio.serve._events import (
    RollAborted,
    RollFinished,
    WorkerDied,
    WorkerHung,
    WorkerOversized,
    WorkerReady,
    WorkerReplaced,
    WorkerStarted,
    WorkerStopped,
    described,
)
from esteio.serve._settings import Timeouts, restart_delay
from esteio.serve._slot import Action, Kill, Note, Order, Phase, Role, Send, Slot, Spawn, Worker

__all__ = ["WorkerManager"]

_PAUSE = 2.0  # a gap between ticks beyond this many seconds: we were stopped ourselves, silence proves nothing
_FAR_BEYOND = 2  # times the memory limit: it grows faster than a replacement gets ready
_BOOT_STOP = 5.0  # a worker without requests gets no more than this to end


@dataclass(slots=True)
class _Roll:
    queue: deque[Slot]
    began_at: float
    candidate: Worker | None = None
    leaving: Worker | None = None


class WorkerManager:
    """All workers; `now` is always monotonic seconds, `chance` gives random numbers from 0 to 1."""

    def __init__(
        self,
        size: int,
        *,
        timeouts: Timeouts,
        backoff: Exponential,
        chance: Callable[[], float],
        now: float,
        memory_limit: int | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._memory_limit = memory_limit
        self._backoff = backoff
        self._chance = chance
        self._slots = [Slot(index, start_at=now) for index in range(size)]
        self._workers: dict[int, Worker] = {}
        self._numbers = count(1)
        self._indexes = count(size)
        self._roll: _Roll | None = None
        self._actions: list[Action] = []
        self._ticked_at = now
        self.stopping = False
        self.ever_ready = False
        self.ever_served = False

    @property
    def size(self) -> int:
        """How many workers there should be."""
        return len(self._slots)

    @property
    def empty(self) -> bool:
        """Whether no process is left."""
        return not self._workers

    @property
    def ready(self) -> int:
        """How many slots have a worker that is ready."""
        members = [self._workers[slot.member] for slot in self._slots if slot.member is not None]
        return sum(member.phase is Phase.READY for member in members)

    @property
    def rolling(self) -> bool:
        """Whether a roll is under way."""
        return self._roll is not None

    def take(self) -> list[Action]:
        """The actions decided since the last call."""
        taken, self._actions = self._actions, []
        return taken

    # What happened

    def spawned(self, number: int, pid: int) -> None:
        """The process of a `Spawn` runs."""
        worker = self._workers[number]
        worker.pid = pid
        self._note(WorkerStarted(worker.slot.name, pid))

    def heard(self, number: int, phase: Phase, now: float) -> None:
        """A worker reported its phase, so its event loop runs."""
        worker = self._workers.get(number)
        if worker is None:
            return
        worker.heard_at = now
        if phase is worker.phase:
            return
        worker.phase = phase
        self.ever_served = self.ever_served or phase in (Phase.SERVING, Phase.READY)
        worker.ready_at = now if phase is Phase.READY else None
        if phase is Phase.READY:
            self.ever_ready = True
            self._note(WorkerReady(worker.slot.name, worker.pid, now - worker.born_at))
        if phase is Phase.DRAINING and worker.role is Role.MEMBER and not self.stopping:
            # On its own account: somebody's SIGTERM, or its limit of requests. Its place is free already.
            self._vacate(worker, now)

    def weighed(self, number: int, resident: int, now: float) -> None:
        """A worker has `resident` bytes of memory. What is too much is looked at between rolls."""
        worker, limit = self._workers.get(number), self._memory_limit
        if worker is None or limit is None or resident <= limit or worker.kill_reason is not None or self.stopping:
            return
        if resident > _FAR_BEYOND * limit:
            self._note(WorkerOversized(worker.slot.name, worker.pid, resident, limit))
            self._kill(worker, f"killed: {resident // 2**20} MiB of memory, the limit is {limit // 2**20} MiB")
        elif worker.role is Role.MEMBER and self._roll is None and now >= worker.slot.heavy_again_at:
            # Where its replacement does not get ready, or is as heavy at once, not at every look.
            worker.slot.heavy_again_at = now + self._timeouts.ready
            self._note(WorkerOversized(worker.slot.name, worker.pid, resident, limit))
            self._roll = _Roll(deque([worker.slot]), now)

    def exited(self, number: int, exitcode: int | None, now: float, *, reason: str | None = None) -> None:
        """A process is gone; `exitcode` None when it could not even be started."""
        worker = self._workers.pop(number)
        why = worker.kill_reason or reason or described(exitcode)
        if worker.role is Role.LEAVING or self.stopping:
            self._note(WorkerStopped(worker.slot.name, worker.pid, exitcode, why))
            return
        if worker.role is Role.CANDIDATE:
            self._abort_roll(worker, f"died: {why}")
            return
        worker.slot.member = None
        delay = self._charge(worker, now)
        self._note(
            WorkerDied(
                worker.slot.name,
                pid=worker.pid,
                exitcode=exitcode,
                reason=why,
                uptime=now - worker.born_at,
                failures=worker.slot.failures,
                restart_in=delay,
                ever_ready=self.ever_ready,
            )
        )

    def tick(self, now: float) -> None:
        """Time has passed; call it after all that happened was told."""
        gap = now - self._ticked_at
        self._ticked_at = now
        if gap > _PAUSE:
            for worker in self._workers.values():
                worker.heard_at += gap
                worker.paused += gap
                if worker.kill_at is not None:
                    worker.kill_at += gap
        for worker in list(self._workers.values()):
            self._judge(worker, now)
        if self.stopping:
            return
        self._advance_roll(now)
        for slot in self._slots:
            if slot.member is None and now >= slot.start_at and self._candidate_slot() is not slot:
                slot.member = self._spawn(slot, Role.MEMBER, now).number

    # What is wanted

    def roll(self, now: float) -> None:
        """Replace every worker, one at a time; a roll under way begins again, for the code changed again."""
        if self.stopping:
            return
        leaving = None
        if self._roll is not None:
            leaving = self._roll.leaving
            self._dismiss_candidate("no longer wanted")
        self._roll = _Roll(deque(self._slots), now, leaving=leaving)

    def grow(self, now: float) -> None:
        """One worker more."""
        if not self.stopping:
            self._slots.append(Slot(next(self._indexes), start_at=now))

    def shrink(self, now: float) -> bool:
        """One worker fewer; False when there is only one."""
        if self.stopping or len(self._slots) == 1:
            return False
        slot = self._slots.pop()
        if self._candidate_slot() is slot:
            self._dismiss_candidate("its slot was removed")
        if self._roll is not None and slot in self._roll.queue:
            self._roll.queue.remove(slot)
        if slot.member is not None:
            self._retire(self._workers[slot.member], now)
        return True

    def stop(self, now: float) -> None:
        """End all; ready when `empty`."""
        self.stopping = True
        self._roll = None
        for worker in self._workers.values():
            if worker.kill_reason is None:
                self._order(worker, Order.STOP, now)

    def force(self) -> None:
        """Kill all that is left."""
        for worker in self._workers.values():
            self._kill(worker, "killed: the stop was forced")

    # How it is decided

    def _judge(self, worker: Worker, now: float) -> None:
        if worker.kill_reason is not None:
            return
        silent = now - worker.heard_at
        if worker.kill_at is not None and now >= worker.kill_at:
            self._kill(worker, "killed: did not end in time")
        elif worker.loop_runs and silent >= self._timeouts.healthcheck:
            self._note(WorkerHung(worker.slot.name, worker.pid, silent))
            self._kill(worker, f"hung for {silent:.1f} s")
        elif not worker.loop_runs and now - worker.born_at - worker.paused >= self._timeouts.startup:
            self._kill(worker, f"killed: did not start within {self._timeouts.startup:g} s")

    def _advance_roll(self, now: float) -> None:
        roll = self._roll
        if roll is None or (roll.leaving is not None and roll.leaving.number in self._workers):
            return
        candidate = roll.candidate
        if candidate is not None:
            if candidate.phase is Phase.READY:
                self._swap(roll, candidate, now)
            elif candidate.kill_reason is None and now - candidate.born_at - candidate.paused >= self._timeouts.ready:
                self._kill(candidate, f"was not ready within {self._timeouts.ready:g} s")
                self._abort_roll(candidate, candidate.kill_reason or "")
        elif not roll.queue:
            self._note(RollFinished("workers", now - roll.began_at))
            self._roll = None
        else:
            self._begin_step(roll, roll.queue.popleft(), now)

    def _begin_step(self, roll: _Roll, slot: Slot, now: float) -> None:
        if slot.member is not None:
            roll.candidate = self._spawn(slot, Role.CANDIDATE, now)
            return
        slot.failures = 0  # an empty slot has nothing to lose, and what made it fail may be repaired now
        slot.start_at = now

    def _swap(self, roll: _Roll, candidate: Worker, now: float) -> None:
        slot = candidate.slot
        old = self._workers.get(slot.member) if slot.member is not None else None
        candidate.role = Role.MEMBER
        slot.member = candidate.number
        slot.failures = 0
        slot.heavy_again_at = 0.0  # its memory is its own
        roll.candidate = None
        if old is not None:
            self._note(WorkerReplaced(slot.name, old_pid=old.pid, pid=candidate.pid))
            self._retire(old, now)
            roll.leaving = old

    def _abort_roll(self, candidate: Worker, reason: str) -> None:
        candidate.role = Role.LEAVING
        self._roll = None
        self._note(RollAborted(candidate.slot.name, candidate.pid, reason))

    def _candidate_slot(self) -> Slot | None:
        if self._roll is None or self._roll.candidate is None:
            return None
        return self._roll.candidate.slot

    def _dismiss_candidate(self, reason: str) -> None:
        if self._roll is None or self._roll.candidate is None:
            return
        self._roll.candidate.role = Role.LEAVING
        self._kill(self._roll.candidate, reason)
        self._roll.candidate = None

    def _spawn(self, slot: Slot, role: Role, now: float) -> Worker:
        worker = Worker(next(self._numbers), slot, role, born_at=now, heard_at=now)
        self._workers[worker.number] = worker
        self._actions.append(Spawn(worker.number, slot.index))
        return worker

    def _charge(self, worker: Worker, now: float) -> float:
        slot = worker.slot
        if worker.ready_at is not None and now - worker.ready_at >= self._timeouts.stable_after:
            slot.failures = 0
        slot.failures += 1
        delay = restart_delay(self._backoff, slot.failures, self._chance())
        slot.start_at = now + delay
        return delay

    def _vacate(self, worker: Worker, now: float) -> None:
        worker.role = Role.LEAVING
        worker.kill_at = now + self._timeouts.retire_budget
        if worker.slot.member == worker.number:
            worker.slot.member = None

    def _retire(self, worker: Worker, now: float) -> None:
        worker.role = Role.LEAVING
        if worker.kill_reason is None:
            self._order(worker, Order.RETIRE, now)

    def _order(self, worker: Worker, order: Order, now: float) -> None:
        budget = self._timeouts.stop_budget if order is Order.STOP else self._timeouts.retire_budget
        if not worker.loop_runs:
            budget = min(budget, _BOOT_STOP)
        # An earlier deadline stands: a worker that drains already gets no more time by being told again.
        worker.kill_at = min(now + budget, worker.kill_at) if worker.kill_at is not None else now + budget
        self._actions.append(Send(worker.number, order))

    def _kill(self, worker: Worker, reason: str) -> None:
        if worker.kill_reason is None:
            worker.kill_reason = reason
        self._actions.append(Kill(worker.number))

    def _note(self, event: Event) -> None:
        self._actions.append(Note(event))
