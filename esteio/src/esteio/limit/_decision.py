"""The answer to a hit.

Promises: immutable, cheap to make (one tuple; seconds are worked out when read), and the same from every store.
"""

from __future__ import annotations

from collections.abc import Iterable

from esteio.limit._limit import Limit
from esteio.limit.algorithms import NEVER

__all__ = ["Decision", "Decisions", "decision"]


class Decision(tuple[bool, Limit, str, int, int, int, int, str, bool]):
    """Whether a hit may pass, what is left, and when more will be. Truthy when allowed."""

    __slots__ = ()

    @property
    def allowed(self) -> bool:
        """Whether the hit may pass; it has been charged then."""
        return self[0]

    @property
    def limit(self) -> Limit:
        """The limit that decided."""
        return self[1]

    @property
    def key(self) -> str:
        """The key as it was passed."""
        return self[2]

    @property
    def cost(self) -> int:
        """The cost as it was passed."""
        return self[3]

    @property
    def remaining(self) -> int:
        """Cost that could still pass now, after this hit."""
        return self[4]

    @property
    def reset_after(self) -> float:
        """Seconds until nothing is used any more, if no other hit comes."""
        return self[5] / 1_000_000

    @property
    def retry_after(self) -> float | None:
        """0.0 when allowed; else seconds until this cost can pass, if no other hit comes; None: never."""
        return None if self[6] == NEVER else self[6] / 1_000_000

    @property
    def degraded(self) -> bool:
        """Whether the shared store could not be asked, so that `limit.on_failure` decided."""
        return self[7] != ""

    @property
    def reason(self) -> str:
        """Why it is degraded; empty when it is not."""
        return self[7]

    @property
    def shadow(self) -> bool:
        """Whether it is allowed only because the limit is not enforced: it would have been denied."""
        return self[8]

    @property
    def impossible(self) -> bool:
        """Whether the cost is above what the limit ever allows: waiting does not help, a smaller cost does."""
        return self[6] == NEVER

    def in_shadow(self) -> Decision:
        """The same, let pass: a denial becomes allowed and `shadow`, its `retry_after` stays; all else is unchanged."""
        return self if self[0] else Decision((True, *self[1:8], True))

    def because(self, reason: str) -> Decision:
        """The same, degraded for `reason`."""
        return Decision((*self[:7], reason, self[8]))

    def __bool__(self) -> bool:
        return self[0]

    def __repr__(self) -> str:
        verdict = "allowed" if self[0] else "denied"
        notes = f", degraded: {self[7]}" if self[7] else ""
        shadow = ", shadow" if self[8] else ""
        return (
            f"<Decision {verdict}: key={self.key!r} limit={str(self.limit)!r} cost={self.cost} remaining={self.remaining} "
            f"reset_after={self.reset_after} retry_after={self.retry_after}{shadow}{notes}>"
        )


def decision(
    allowed: bool,
    limit: Limit,
    key: str,
    cost: int,
    remaining: int,
    reset_us: int,
    retry_us: int,
    reason: str = "",
) -> Decision:
    """A `Decision` from what an algorithm says; stores in a hurry write `Decision((...))` themselves."""
    return Decision((allowed, limit, key, cost, remaining, reset_us, retry_us, reason, False))


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
            return max(denied, key=lambda each: (each.impossible, each[6]))
        return min(self, key=lambda each: (each.shadow is False, each.remaining, -each[5]))

    def __bool__(self) -> bool:
        return self.allowed
