"""The answer to a hit.

Promises: immutable, cheap to make (what the algorithm said is kept as it is; everything else is worked out when
read), and the same from every store.
"""

# ruff: noqa: SLF001 - decisions are made here, field by field: an __init__ would take twice as long

from __future__ import annotations

from collections.abc import Iterable

from esteio.limit._algorithms import NEVER, Verdict
from esteio.limit._limit import Limit

__all__ = ["Decision", "Decisions", "decided", "noted"]


class Decision:
    """Whether a hit may pass, what is left, and when more will be. Truthy when allowed."""

    __slots__ = ("_cost", "_key", "_limit", "_verdict")

    _cost: int
    _key: str
    _limit: Limit
    _verdict: Verdict

    @property
    def allowed(self) -> bool:
        """Whether the hit may pass; it has been charged then."""
        return self._verdict[1]

    @property
    def limit(self) -> Limit:
        """The limit that decided."""
        return self._limit

    @property
    def key(self) -> str:
        """The key as it was passed."""
        return self._key

    @property
    def cost(self) -> int:
        """The cost as it was passed."""
        return self._cost

    @property
    def remaining(self) -> int:
        """Cost that could still pass now, after this hit."""
        return self._verdict[2]

    @property
    def reset_us(self) -> int:
        """`reset_after` in microseconds."""
        return self._verdict[3]

    @property
    def retry_us(self) -> int:
        """`retry_after` in microseconds; -1: never."""
        return self._verdict[4]

    @property
    def reset_after(self) -> float:
        """Seconds until nothing is used any more, if no other hit comes."""
        return self._verdict[3] / 1_000_000

    @property
    def retry_after(self) -> float | None:
        """0.0 when allowed; else seconds until this cost can pass, if no other hit comes; None: never."""
        return None if self._verdict[4] == NEVER else self._verdict[4] / 1_000_000

    @property
    def degraded(self) -> bool:
        """Whether the shared store could not be asked, so that `limit.on_failure` decided."""
        return self.reason != ""

    @property
    def reason(self) -> str:
        """Why it is degraded; empty when it is not."""
        return ""

    @property
    def shadow(self) -> bool:
        """Whether it is allowed only because the limit is not enforced: it would have been denied."""
        return False

    @property
    def impossible(self) -> bool:
        """Whether the cost is above what the limit ever allows: waiting does not help, a smaller cost does."""
        return self._verdict[4] == NEVER

    def in_shadow(self) -> Decision:
        """The same, let pass: a denial becomes allowed and `shadow`, its `retry_after` stays; all else is unchanged."""
        if self:
            return self
        state, _, remaining, reset, retry = self._verdict
        allowed = state, True, remaining, reset, retry
        return noted(allowed, self._limit, self._key, self._cost, self.reason, shadow=True)

    def because(self, reason: str) -> Decision:
        """The same, degraded for `reason`."""
        return noted(self._verdict, self._limit, self._key, self._cost, reason, shadow=self.shadow)

    def __bool__(self) -> bool:
        return self._verdict[1]

    def _compared(self) -> tuple[object, ...]:
        """All but the state, which differs between stores."""
        return (*self._verdict[1:], self._limit, self._key, self._cost, self.reason, self.shadow)

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if isinstance(other, Decision) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        verdict = "allowed" if self else "denied"
        notes = f", degraded: {self.reason}" if self.reason else ""
        shadow = ", shadow" if self.shadow else ""
        return (
            f"<Decision {verdict}: key={self.key!r} limit={str(self.limit)!r} cost={self.cost} remaining={self.remaining} "
            f"reset_after={self.reset_after} retry_after={self.retry_after}{shadow}{notes}>"
        )


class _NotedDecision(Decision):
    """A decision with something to say about how it came about."""

    __slots__ = ("_reason", "_shadow")

    _reason: str
    _shadow: bool

    @property
    def reason(self) -> str:
        """Why it is degraded; empty when it is not."""
        return self._reason

    @property
    def shadow(self) -> bool:
        """Whether it is allowed only because the limit is not enforced."""
        return self._shadow


_blank = object.__new__


def decided(verdict: Verdict, limit: Limit, key: str, cost: int) -> Decision:
    """What an algorithm says about a hit; the state in `verdict` is not looked at."""
    decision = _blank(Decision)
    decision._verdict = verdict
    decision._limit = limit
    decision._key = key
    decision._cost = cost
    return decision


def noted(verdict: Verdict, limit: Limit, key: str, cost: int, reason: str, *, shadow: bool = False) -> Decision:
    """The same, degraded for a `reason`, or allowed only in `shadow`."""
    decision = _blank(_NotedDecision)
    decision._verdict = verdict
    decision._limit = limit
    decision._key = key
    decision._cost = cost
    decision._reason = reason
    decision._shadow = shadow
    return decision


class Decisions(tuple[Decision, ...]):
    """The answers to the hits of one `hit_all`, in their order. Truthy when all of them may pass.

    When one is denied nothing was charged, and the others say what they would have said alone.
    """

    __slots__ = ()

    def __new__(cls, decisions: Iterable[Decision]) -> Decisions:
        return super().__new__(cls, decisions)

    @property
    def allowed(self) -> bool:
        """Whether all may pass."""
        return all(self)

    @property
    def tightest(self) -> Decision:
        """Of the denied the one with the longest wait (never is longest), or else the one with least remaining."""
        denied = [each for each in self if not each]
        if denied:
            return max(denied, key=lambda each: (each.impossible, each.retry_us))
        return min(self, key=lambda each: (each.shadow is False, each.remaining, -each.reset_us))

    def __bool__(self) -> bool:
        return self.allowed
