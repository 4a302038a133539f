"""What a retry is told: how often, how long to wait, and what may be tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from math import inf
from socket import gaierror
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from esteio.policy._errors import NEVER_HANDLED, DeadlineExceeded, Rejected
from esteio.policy._parameters import ExceptionTypes, count, exception_types, function, seconds
from esteio.policy._policy import Binding, Cost, Policy
from esteio.policy.retry._backoff import Backoff, Exponential, Jitter, as_backoff, longest
from esteio.policy.retry._budget import RetryBudget

if TYPE_CHECKING:
    from esteio.policy.retry._execution import Retrying

__all__ = ["Retry"]

_UNSENT = (ConnectionRefusedError, gaierror, Rejected)
_WISH_JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Retry(Policy):
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
    budget: RetryBudget | None = field(default=RetryBudget())
    nested: bool = False
    wrap: bool = False
    name: str | None = None

    kind: ClassVar[str] = "retry"

    def __post_init__(self) -> None:
        if self.attempts is not None:
            count("Retry", "attempts", self.attempts)
        object.__setattr__(self, "backoff", as_backoff(self.backoff))
        if self.jitter not in get_args(Jitter):
            msg = f"Retry: jitter={self.jitter!r}; pass one of {', '.join(get_args(Jitter))}"
            raise ValueError(msg)
        for name in ("idempotent", "nested", "wrap"):
            if not isinstance(getattr(self, name), bool):
                msg = f"Retry: {name}={getattr(self, name)!r}; pass True or False"
                raise TypeError(msg)
        for name in ("on", "unsent"):
            object.__setattr__(self, name, exception_types("Retry", name, getattr(self, name)))
        function("Retry", "when", self.when)
        function("Retry", "result", self.result)
        seconds("Retry", "retry_after_max", self.retry_after_max, zero=True)

    def wants(self, error: Exception) -> bool:
        """Whether `error` may be followed by another attempt."""
        if isinstance(error, (DeadlineExceeded, *NEVER_HANDLED)):
            return False
        if isinstance(error, Rejected):
            return error.retry_after is not None
        allowed = isinstance(error, self.on) if self.idempotent else self._was_not_sent(error)
        return allowed and (self.when is None or bool(self.when(error)))

    def _was_not_sent(self, error: BaseException) -> bool:
        seen: BaseException | None = error
        for _ in range(5):  # clients wrap the socket's error a few times
            if seen is None:
                return False
            if isinstance(seen, (*_UNSENT, *self._types("unsent"))) or getattr(seen, "not_sent", False) is True:
                return True
            seen = seen.__cause__ or seen.__context__
        return False

    def _types(self, name: str) -> tuple[type[Exception], ...]:
        types: tuple[type[Exception], ...] = getattr(self, name)
        return types

    def worst(self, inner: Cost) -> Cost:
        """`attempts` times the inner cost, and the longest waits between."""
        if self.attempts is None:
            return Cost(inf, inf)
        between = self.attempts - 1
        pauses = longest(as_backoff(self.backoff), self.jitter, between)
        wishes = between * self.retry_after_max * (1 + _WISH_JITTER)
        return Cost(inner.calls * self.attempts, inner.seconds * self.attempts + max(pauses, wishes))

    def bind(self, binding: Binding) -> Retrying:
        """The live half."""
        from esteio.policy.retry._execution import Retrying  # here: definition and execution are apart

        return Retrying(self, binding)
