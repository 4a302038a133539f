"""What may be tried again, and one call's retries. Pure: time, randomness and the budget come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from math import inf, isfinite
from typing import Any, get_args

from esteio.policy._backoff import Backoff, Exponential, Jitter, as_backoff, longest, waits
from esteio.policy._budget import BudgetState
from esteio.policy._errors import NEVER_HANDLED, DeadlineExceeded, Rejected
from esteio.policy._parameters import ExceptionTypes, count, exception_types, flag, function, seconds
from esteio.policy._test_switches import SWITCHES

__all__ = ["GiveUp", "RetryRules", "RetryRun", "ShutFor", "never_shut", "retry_after_of"]

ShutFor = Callable[[], float]
"""Seconds for which a circuit breaker inside lets nothing through."""

_JITTERS: tuple[str, ...] = get_args(Jitter)
_FINAL = (DeadlineExceeded, *NEVER_HANDLED)
_RETRY_AFTER_JITTER = 0.1  # so that callers told the same Retry-After do not all come back at the same moment
_WRAPPERS = 5  # clients wrap the socket's error a few times; more is a chain of its own making


def never_shut() -> float:
    """For retries without a circuit breaker inside."""
    return 0.0


@dataclass(frozen=True, slots=True)
class RetryRules:
    """The part of a `Retry` that decides; see there for what each parameter means."""

    attempts: int | None = 3
    backoff: Backoff | float = field(default=Exponential())
    _: KW_ONLY
    idempotent: bool
    jitter: Jitter = "full"
    on: ExceptionTypes = (Exception,)
    when: Callable[[Exception], bool] | None = None
    result: Callable[[Any], bool] | None = None
    unsent: ExceptionTypes = ()
    retry_after_max: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts is not None:
            count("Retry", "attempts", self.attempts)
        if type(self.backoff) is not Exponential:
            object.__setattr__(self, "backoff", as_backoff(self.backoff))
        if self.jitter not in _JITTERS:
            msg = f"Retry: jitter={self.jitter!r}; pass one of {', '.join(_JITTERS)}"
            raise ValueError(msg)
        flag("Retry", "idempotent", self.idempotent)
        for name in ("on", "unsent"):
            object.__setattr__(self, name, exception_types("Retry", name, getattr(self, name)))
        function("Retry", "when", self.when)
        function("Retry", "result", self.result)
        seconds("Retry", "retry_after_max", self.retry_after_max, zero=True)

    def wants(self, error: Exception) -> bool:
        """Whether `error` may be followed by another attempt."""
        if isinstance(error, _FINAL):
            return False
        if isinstance(error, Rejected):
            return error.retry_after is not None
        allowed = isinstance(error, self.on) if self.idempotent else self._was_not_sent(error)
        return allowed and (self.when is None or bool(self.when(error)))

    def _was_not_sent(self, error: BaseException) -> bool:
        from socket import gaierror  # here: a slow import, needed only when something has failed

        proofs: tuple[type[BaseException], ...] = (
            ConnectionRefusedError,
            gaierror,
            Rejected,
            *exception_types("Retry", "unsent", self.unsent),
        )
        seen: BaseException | None = error
        for _ in range(_WRAPPERS):
            if seen is None:
                return False
            if isinstance(seen, proofs) or getattr(seen, "not_sent", False) is True:
                return True
            seen = seen.__cause__ or seen.__context__
        return False

    def acceptable(self, result: Any) -> bool:
        """Whether `result` ends the retries; without `idempotent` each does, as the call has been made."""
        return self.result is None or not self.idempotent or not self.result(result)

    def longest_pauses(self, number: int) -> float:
        """The most that the waits before `number` further attempts can last together, in seconds."""
        pauses = longest(as_backoff(self.backoff), self.jitter, number)
        return max(pauses, number * self.retry_after_max * (1 + _RETRY_AFTER_JITTER))


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop, for this reason: attempts, deadline, budget, retry_after, rejected, final (an error that is not retried)."""

    reason: str


class RetryRun:
    """Counts attempts and chooses the waits; exists from a call's first failure on and belongs to this call alone."""

    __slots__ = ("_budget", "_random", "_rejected", "_shut_for", "_waits", "attempt", "real", "rules", "started")

    def __init__(
        self,
        rules: RetryRules,
        started: float,
        random: Callable[[], float],
        budget: BudgetState | None,
        shut_for: ShutFor = never_shut,
    ) -> None:
        self.rules = rules
        self.started = started
        self.attempt = 1
        self.real: Exception | None = None  # the last error that was no rejection; whoever ends the run drops it
        self._random = random
        self._budget = budget
        self._shut_for = shut_for
        self._rejected = 0
        self._waits = waits(as_backoff(rules.backoff), rules.jitter, random)

    @property
    def made(self) -> int:
        """Attempts that reached the function, or the one that did not."""
        return max(1, self.attempt - self._rejected)

    def after(self, failure: object, left: float, wall: Callable[[], float]) -> float | GiveUp:
        """Seconds to wait before the next attempt, or why there is none.

        `failure` is the exception or the unacceptable result, `left` the seconds until the deadline, `wall` reads
        the wall clock (for a Retry-After that is a date).
        """
        rules = self.rules
        if isinstance(failure, Rejected):
            self._rejected += 1
        elif isinstance(failure, Exception):
            self.real = failure
        if isinstance(failure, Exception) and not rules.wants(failure):
            return GiveUp("final")
        if self.attempt >= min(rules.attempts or inf, SWITCHES.attempts or inf):
            return GiveUp("attempts")
        wait = self._wait(failure, left, wall)
        if isinstance(wait, GiveUp):
            return wait
        if wait >= left:
            return GiveUp("deadline")
        if self._budget is not None and not self._budget.withdraw():
            return GiveUp("budget")  # asked last: what another rule ends costs the others no retry
        self.attempt += 1
        return wait

    def _wait(self, failure: object, left: float, wall: Callable[[], float]) -> float | GiveUp:
        """The back-off, or longer where the server or a circuit on the way to it says for how long it lets nobody in."""
        wait = next(self._waits)
        asked = retry_after_of(failure, wall)
        shut_for = self._shut_for()
        if isinstance(failure, Rejected) and left == inf:
            return GiveUp("final")  # nobody said how long it may take, so our own rejection is the answer
        if shut_for > wait:
            if left == inf or shut_for >= left:
                return GiveUp("rejected")  # the next attempt would be, after a wait for nothing
            asked = max(shut_for, asked or 0.0)
        if asked is None:
            return wait
        if asked > self.rules.retry_after_max:
            return GiveUp("retry_after")
        return max(wait, asked * (1 + _RETRY_AFTER_JITTER * self._random()))

    def answer(self, error: Exception | None) -> Exception | None:
        """What the caller is to see: why it failed, not that the circuit has opened over it."""
        return self.real if isinstance(error, Rejected) and self.real is not None else error


def _headers_of(thing: object) -> object:
    response = getattr(thing, "response", None)
    return getattr(response if response is not None else thing, "headers", None)


def _seconds_of(text: str, wall: Callable[[], float]) -> float | None:
    try:
        wait = float(text)
    except ValueError:
        from email.utils import parsedate_to_datetime  # here: a slow import, needed only for a date

        try:
            wait = parsedate_to_datetime(text).timestamp() - wall()
        except (ValueError, TypeError):
            return None
    return max(0.0, wait) if isfinite(wait) else None


def retry_after_of(thing: object, wall: Callable[[], float]) -> float | None:
    """Seconds that an error or a response asks to wait (`Retry-After`, RFC 9110, 10.2.3), or None.

    Reads seconds and HTTP dates, from an attribute `retry_after` or from headers as httpx2, requests, aiohttp and urllib
    give them; anything unreadable is None. `wall` reads wall time in Unix seconds.
    """
    asked = getattr(thing, "retry_after", None)
    if isinstance(asked, int | float) and not isinstance(asked, bool):
        return max(0.0, float(asked)) if isfinite(asked) else None
    headers = _headers_of(thing)
    get = getattr(headers, "get", None)
    if not callable(get):
        return None
    text = get("Retry-After") or get("retry-after")
    return _seconds_of(text, wall) if isinstance(text, str) else None
