"""A clock that moves only when told to."""

from __future__ import annotations

__all__ = ["ManualClock"]


class ManualClock:
    """A `Clock` whose sleeps return at once and advance it; `slept` remembers each of them, in seconds."""

    def __init__(self, monotonic: float = 0.0, time: float = 1_700_000_000.0) -> None:
        self._monotonic = monotonic
        self._time = time
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Seconds of this clock since its start."""
        return self._monotonic

    def time(self) -> float:
        """Seconds since the epoch by this clock."""
        return self._time

    def advance(self, seconds: float) -> None:
        """Let time pass; ValueError when it would run backwards."""
        if seconds < 0:
            msg = f"ManualClock.advance: seconds={seconds} runs backwards; pass zero or more"
            raise ValueError(msg)
        self._monotonic += seconds
        self._time += seconds

    def set_time(self, time: float) -> None:
        """Set the wall clock, seconds since the epoch, as somebody at the machine may; `monotonic` does not notice."""
        self._time = time

    def sleep(self, seconds: float) -> None:
        """Advance instead of blocking."""
        self.slept.append(seconds)
        self.advance(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Advance instead of suspending."""
        self.sleep(seconds)
