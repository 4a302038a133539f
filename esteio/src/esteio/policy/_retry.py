"""Retry: definition, and retries around plain and coroutine functions.

Promises: only `Exception`s are looked at, so cancellation passes at once, also out of a wait; the error that
leaves is the function's own, with one note; nothing is kept between calls but the budget.

The first attempt is the hot path: `call(*args)` without keywords saves the copy of an empty dict, a tenth of
the whole cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from math import inf
from typing import Any, ClassVar

from esteio import events
from esteio.policy._budget import RetryBudget, budget_or_none
from esteio.policy._errors import RetriesExhausted
from esteio.policy._events import AttemptFailed, Recovered, RetriesGaveUp
from esteio.policy._outcome import ATTEMPTS_SEEN, Attempts
from esteio.policy._parameters import flag, name_or_none
from esteio.policy._policy import AnyCall, Binding, Bound, Cost, Policy, Snapshot
from esteio.policy._retry_run import GiveUp, RetryRules, RetryRun, ShutFor, never_shut
from esteio.policy._scope import ONLY_RETRYING, OPEN_END, SCOPE, Scope, leave, time_source
from esteio.policy._test_switches import pause, pause_async

__all__ = ["BoundRetry", "Retry"]


@dataclass(frozen=True, slots=True)
class Retry(RetryRules, Policy):
    """Tries again, at most `attempts` times in all.

    `idempotent` must be said. False: only errors that prove that nothing was sent are retried (connection
    refused, name not found, those of `unsent`, any with a true attribute `not_sent`, rejections of our own
    policies). True: exceptions of `on`, unless `when` refuses one, and results for which `result` is true.

    Waits follow `backoff` with `jitter`; a server's `Retry-After` up to `retry_after_max` seconds is
    honoured instead when it is longer, and never undercut: a longer one ends the retries. `budget` bounds
    the retries of all calls together (None: unbounded). Inside another retry there is one attempt only,
    unless `nested`. The last error is raised as it is, with a note and `attempts_of(error)`; the last
    unacceptable result is returned; `wrap=True` raises RetriesExhausted for both. `attempts=None` needs a
    Deadline around it.
    """

    _: KW_ONLY
    budget: RetryBudget | None = field(default=RetryBudget())
    nested: bool = False
    wrap: bool = False
    name: str | None = None

    kind: ClassVar[str] = "retry"

    def __post_init__(self) -> None:
        RetryRules.__post_init__(self)
        budget_or_none("Retry", self.budget)
        flag("Retry", "nested", self.nested)
        flag("Retry", "wrap", self.wrap)
        name_or_none("Retry", self.name)

    def worst(self, inner: Cost) -> Cost:
        """`attempts` times the inner cost, and the longest waits between."""
        if self.attempts is None:
            return Cost(inf, inf)
        pauses = self.longest_pauses(self.attempts - 1)
        return Cost(inner.calls * self.attempts, inner.seconds * self.attempts + pauses)

    def check_inside(self, pipeline: str, outer: Sequence[Policy]) -> None:
        """ValueError for retries without an end."""
        if self.attempts is None and all(policy.kind != "deadline" for policy in outer):
            msg = f"Pipeline {pipeline!r}: Retry(attempts=None) would never end; put a Deadline outside of it"
            raise ValueError(msg)

    def bind(self, binding: Binding) -> BoundRetry:
        """The live half."""
        return BoundRetry(self, binding)


class BoundRetry(Bound[Retry]):
    """The live half of a `Retry`."""

    def __init__(self, definition: Retry, binding: Binding) -> None:
        super().__init__(definition, binding)
        self.budget = binding.budget
        self._random = binding.random
        self._now = time_source(binding.clock)

    def snapshot(self) -> Snapshot:
        """Calls, retries spent and refused by the budget, retries left; without a budget nothing is counted."""
        b = self.budget
        values: dict[str, str | float | int | None] = {}
        if b is not None:
            values = {"calls": b.calls, "retries": b.spent, "refused": b.refused, "left": round(b.left(), 1)}
        return Snapshot("retry", self.name, values)

    def reconfigure(self, definition: Retry) -> None:
        """Other parameters from the next failure on; the budget keeps its balance."""
        if self.budget is not None and definition.budget is not None:
            self.budget.definition = definition.budget
        self.definition = definition

    # -- shared by both shells

    def start(self, shut_for: ShutFor) -> RetryRun:
        """The run of a call whose first attempt has failed."""
        return RetryRun(self.definition, self._now(), self._random, self.budget, shut_for)

    def next_wait(self, run: RetryRun, failure: object, scope: Scope) -> float | None:
        """Seconds until the next attempt; None when `failure` is the end, which is then noted and told."""
        left = inf if scope[0] == inf else scope[0] - scope[1]()
        error = failure if isinstance(failure, Exception) else None
        try:
            verdict = run.after(failure, left, self.clock.time)
        except Exception as mistake:  # of the user's predicate or back-off: the call's error stays visible as context
            mistake.__context__ = mistake.__context__ or error
            error = failure = None  # no cycle by way of the traceback
            raise
        if isinstance(verdict, GiveUp):
            self._give_up(run, verdict.reason, error)
            return None
        if events.active():
            events.emit(AttemptFailed(self.name, run.attempt - 1, self.definition.attempts, verdict, error))
        return verdict

    def overslept(self, run: RetryRun, error: Exception | None, scope: Scope) -> bool:
        """Whether the wait, chosen to end before the deadline, ended after it; that is then the end."""
        if scope[0] == inf or scope[0] > scope[1]():
            return False
        run.attempt -= 1  # the one that was waited for is not made
        self._give_up(run, "deadline", error)
        return True

    def recovered(self, run: RetryRun, result: Any) -> Any:
        """Tell that a later attempt succeeded; hands `result` on."""
        self._seen(run.made)
        if events.active():
            events.emit(Recovered(self.name, run.made, self._now() - run.started))
        return result

    def _give_up(self, run: RetryRun, reason: str, error: Exception | None) -> None:
        answer = run.answer(error)
        if answer is not error:
            error, reason = answer, "rejected"
        self._seen(run.made)
        elapsed = self._now() - run.started
        if error is not None and (reason != "final" or run.attempt > 1):
            _note(error, Attempts(self.name, run.made, elapsed, reason))
        if reason != "final" and events.active():
            events.emit(RetriesGaveUp(self.name, run.made, elapsed, reason, error))

    @staticmethod
    def _seen(attempts: int) -> None:
        seen = ATTEMPTS_SEEN.get()
        if seen is not None:
            seen[0] = attempts

    # -- wrapping

    def wrap(self, call: AnyCall, shut_for: ShutFor = never_shut) -> AnyCall:
        """Retry a plain function; `shut_for`: the seconds for which something inside will let no call through."""
        budget, rest = self.budget, self.rest
        scope, enter, restore = SCOPE.get, SCOPE.set, SCOPE.reset

        def retried(*args: Any, **kwargs: Any) -> Any:
            outer = scope()
            if outer is OPEN_END:
                token = enter(ONLY_RETRYING)
            elif outer[2] and not self.definition.nested:
                return call(*args, **kwargs)
            else:
                token = enter((outer[0], outer[1], True))
            if budget is not None:
                budget.calls += 1
            failure = result = None
            try:
                result = call(*args, **kwargs) if kwargs else call(*args)
            except Exception as error:  # noqa: BLE001 - judged, and raised again by rest()
                failure = error
            except BaseException:
                leave(token)
                raise
            if failure is None and self.definition.result is None:
                restore(token)
                return result
            try:
                return rest(shut_for, call, args, kwargs, failure, result)
            finally:
                failure = None
                leave(token)

        return retried

    def wrap_async(self, call: AnyCall, shut_for: ShutFor = never_shut) -> AnyCall:
        """Retry a coroutine function; see `wrap`."""
        budget, rest = self.budget, self.rest_async
        scope, enter, restore = SCOPE.get, SCOPE.set, SCOPE.reset

        async def retried(*args: Any, **kwargs: Any) -> Any:
            outer = scope()
            if outer is OPEN_END:
                token = enter(ONLY_RETRYING)
            elif outer[2] and not self.definition.nested:
                return await call(*args, **kwargs)
            else:
                token = enter((outer[0], outer[1], True))
            if budget is not None:
                budget.calls += 1
            failure = result = None
            try:
                result = await (call(*args, **kwargs) if kwargs else call(*args))
            except Exception as error:  # noqa: BLE001 - judged, and raised again by rest()
                failure = error
            except BaseException:
                leave(token)
                raise
            if failure is None and self.definition.result is None:
                restore(token)
                return result
            try:
                return await rest(shut_for, call, args, kwargs, failure, result)
            finally:
                failure = None
                leave(token)

        return retried

    def rest(
        self, shut_for: ShutFor, call: AnyCall, args: Any, kwargs: Any, error: Exception | None, result: Any
    ) -> Any:
        """All after the first attempt, which ended with `error` or else `result`."""
        if error is None and self.definition.acceptable(result):
            return result
        run = self.start(shut_for)
        try:
            while (wait := self.next_wait(run, result if error is None else error, SCOPE.get())) is not None:
                pause(self.clock, wait)
                if self.overslept(run, error, SCOPE.get()):
                    break
                error = None
                try:
                    result = call(*args, **kwargs)
                except Exception as failure:  # noqa: BLE001 - judged, and raised again by the loop
                    error = failure
                else:
                    if self.definition.acceptable(result):
                        return self.recovered(run, result)
            return self.end(run, error, result)
        finally:
            error = run.real = None  # their tracebacks hold this frame: no cycle for the collector

    async def rest_async(
        self, shut_for: ShutFor, call: AnyCall, args: Any, kwargs: Any, error: Exception | None, result: Any
    ) -> Any:
        """As `rest`, for coroutine functions."""
        if error is None and self.definition.acceptable(result):
            return result
        run = self.start(shut_for)
        try:
            while (wait := self.next_wait(run, result if error is None else error, SCOPE.get())) is not None:
                await pause_async(self.clock, wait)
                if self.overslept(run, error, SCOPE.get()):
                    break
                error = None
                try:
                    result = await call(*args, **kwargs)
                except Exception as failure:  # noqa: BLE001 - judged, and raised again by the loop
                    error = failure
                else:
                    if self.definition.acceptable(result):
                        return self.recovered(run, result)
            return self.end(run, error, result)
        finally:
            error = run.real = None  # their tracebacks hold this frame: no cycle for the collector

    def end(self, run: RetryRun, error: Exception | None, result: Any) -> Any:
        """Raise the last error or return the last result, or raise the wrapper that the definition asks for."""
        error = run.answer(error)
        try:
            if self.definition.wrap and (error is None or self.definition.wants(error)):
                raise RetriesExhausted(self.name, run.made, self._now() - run.started, result) from error
            if error is not None:
                raise error
            return result
        finally:
            error = None


def _note(error: Exception, attempts: Attempts) -> None:
    """Leave `attempts` on the error, once: the same instance may be raised again and again."""
    prefix = f"{attempts.pipeline!r} gave up after "
    text = f"{prefix}{attempts.count} attempt(s), {attempts.elapsed:.3f} s after the first failure"
    notes = [note for note in getattr(error, "__notes__", []) if not note.startswith(prefix)]
    try:
        error.__notes__ = notes
        error.add_note(f"{text}: {attempts.reason}")
        error.esteio_attempts = attempts  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        return  # an exception class that takes no attributes stays as it is
