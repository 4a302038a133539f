"""Hedge: another copy of a call that takes long; the first good answer wins.

Promises: only calls declared idempotent; each extra copy is paid from the retry budget; when the answer is
there, or the caller is cancelled, all other copies are cancelled and waited for, at most `reap` seconds -
one that does not stop by then is watched until it ends, and its error is dropped.
"""

from __future__ import annotations

from asyncio import FIRST_COMPLETED, Task, create_task, wait
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from esteio import events
from esteio.policy._budget import RetryBudget, budget_or_none
from esteio.policy._events import Hedged
from esteio.policy._parameters import count, name_or_none, seconds
from esteio.policy._policy import AnyCall, Binding, Bound, Cost, Policy, Snapshot
from esteio.policy._test_switches import SWITCHES

__all__ = ["Hedge"]


@dataclass(frozen=True, slots=True)
class Hedge(Policy):
    """After `after` seconds without an answer another copy is started, up to `extra` copies more.

    For coroutine functions only, and only with `idempotent=True`. If all copies fail, the first error is raised.
    """

    after: float
    extra: int = 1
    _: KW_ONLY
    idempotent: bool
    reap: float = 1.0
    budget: RetryBudget | None = RetryBudget()  # noqa: RUF009 - immutable
    name: str | None = None

    kind: ClassVar[str] = "hedge"

    def __post_init__(self) -> None:
        seconds("Hedge", "after", self.after)
        seconds("Hedge", "reap", self.reap)
        count("Hedge", "extra", self.extra)
        budget_or_none("Hedge", self.budget)
        name_or_none("Hedge", self.name)
        if self.idempotent is not True:
            msg = f"Hedge: idempotent={self.idempotent!r}; a call that may not run twice is never hedged"
            raise ValueError(msg)

    def worst(self, inner: Cost) -> Cost:
        """All copies, the last one started late."""
        return Cost(inner.calls * (1 + self.extra), inner.seconds + self.after * self.extra + self.reap)

    def bind(self, binding: Binding) -> BoundHedge:
        """The live half."""
        return BoundHedge(self, binding)


class BoundHedge(Bound[Hedge]):
    """The live half of a `Hedge`."""

    def __init__(self, definition: Hedge, binding: Binding) -> None:
        super().__init__(definition, binding)
        self.budget = binding.budget
        self.started = 0
        self.reaping = set[Task[Any]]()

    def snapshot(self) -> Snapshot:
        """Extra copies started, losers that have not ended yet."""
        return Snapshot("hedge", self.name, {"started": self.started, "reaping": len(self.reaping)})

    def wrap(self, call: AnyCall) -> AnyCall:
        """Refused: a plain function can't be run twice at once and stopped."""
        msg = f"Hedge of {self.name!r}: {call!r} is a plain function; hedge coroutine functions only"
        raise TypeError(msg)

    def wrap_async(self, call: AnyCall) -> AnyCall:
        """Hedge a coroutine function."""

        async def hedged(*args: Any, **kwargs: Any) -> Any:
            if self.budget is not None:
                self.budget.calls += 1
            copies = [create_task(call(*args, **kwargs))]
            try:
                return await self._race(call, args, kwargs, copies)
            finally:
                await self._reap(copies)
                copies.clear()  # a failed copy's traceback holds this frame: no cycle for the collector

        return hedged

    async def _race(self, call: AnyCall, args: Any, kwargs: Any, copies: list[Task[Any]]) -> Any:
        running = set(copies)
        more = self.definition.extra
        while running:
            patience = self.definition.after if more else None
            done, running = await wait(running, timeout=patience, return_when=FIRST_COMPLETED)
            for task in done:
                if not task.cancelled() and task.exception() is None:
                    return task.result()
            if not done and more:
                more -= 1
                if self._may_start(len(running) + 1):
                    copies.append(create_task(call(*args, **kwargs)))
                    running.add(copies[-1])
                else:
                    more = 0
        del done, task  # as in hedged()
        return copies[0].result()  # all have failed: raises the first copy's error

    def _may_start(self, number: int) -> bool:
        if SWITCHES.attempts is not None and number > SWITCHES.attempts:
            return False
        if self.budget is not None and not self.budget.withdraw():
            return False
        self.started += 1
        if events.active():
            events.emit(Hedged(self.name, number))
        return True

    async def _reap(self, copies: list[Task[Any]]) -> None:
        losers = {task for task in copies if not task.done()}
        for task in copies:
            if task not in losers:
                self._reaped(task)
                continue
            task.cancel()
            self.reaping.add(task)
            task.add_done_callback(self._reaped)
        if losers:
            await wait(losers, timeout=self.definition.reap)

    def _reaped(self, task: Task[Any]) -> None:
        self.reaping.discard(task)
        if not task.cancelled():
            task.exception()  # seen, so that asyncio does not complain about it
