"""Requests at a steady rate, whatever becomes of them.

Promises: a request starts when its time has come, not when the one before has ended, so that an outage is
paid for by every request that falls into it; every one is accounted for, with its error. At most
`outstanding` are under way at a time; what does not fit counts as failed.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

__all__ = ["Answer", "Load"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of request `number`; times are seconds of `time.monotonic`."""

    number: int
    asked: float
    answered: float
    error: BaseException | None

    @property
    def took(self) -> float:
        """Seconds it took."""
        return self.answered - self.asked


class Load:
    """`async with Load(request, 200) as load:` - awaits `request(number)` 200 times a second, numbered from 0.

    Leaving the block stops asking and waits at most `patience` seconds for the answers that are still out.
    """

    def __init__(
        self,
        request: Callable[[int], Awaitable[object]],
        rate: float,
        *,
        outstanding: int = 5000,
        patience: float = 15.0,
    ) -> None:
        self._request = request
        self._rate = rate
        self._outstanding = outstanding
        self._patience = patience
        self._under_way: dict[asyncio.Task[None], int] = {}  # in the order in which they were due
        self.sent = 0
        self.began = 0.0
        """When number 0 was due; number n is due `n / rate` seconds later."""
        self.answers: list[Answer] = []

    async def __aenter__(self) -> Self:
        self.began = time.monotonic()
        self._asking = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._asking.cancel()
        await asyncio.gather(self._asking, return_exceptions=True)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._patience)
        for task in tuple(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    @property
    def under_way(self) -> int:
        """Requests without an answer."""
        return len(self._under_way)

    @property
    def oldest_due(self) -> float:
        """When the first request that has no answer yet was due; infinite where all have one."""
        return self.began + next(iter(self._under_way.values()), math.inf) / self._rate

    @property
    def failures(self) -> list[BaseException]:
        """The errors of those that failed."""
        return [answer.error for answer in self.answers if answer.error is not None]

    @property
    def slowest(self) -> float:
        """Seconds that the slowest answer took."""
        return max((answer.took for answer in self.answers), default=0.0)

    def errors(self) -> Counter[str]:
        """How often each kind of error came."""
        return Counter(type(error).__name__ for error in self.failures)

    def first_success_after(self, moment: float, among: Callable[[int], bool] = lambda _: True) -> float:
        """Seconds from `moment` to the first good answer, of the numbers that `among` accepts; infinite without one."""
        good = (a.answered for a in self.answers if a.error is None and a.answered >= moment and among(a.number))
        return min(good, default=float("inf")) - moment

    async def _ask(self) -> None:
        while True:
            self._start(self.sent)
            self.sent += 1
            await asyncio.sleep(max(0.0, self.began + self.sent / self._rate - time.monotonic()))

    def _start(self, number: int) -> None:
        if len(self._under_way) >= self._outstanding:
            now = time.monotonic()
            self.answers.append(Answer(number, now, now, OverflowError("too many requests are under way")))
            return
        task = asyncio.create_task(self._one(number))
        self._under_way[task] = number
        task.add_done_callback(self._under_way.pop)

    async def _one(self, number: int) -> None:
        asked = time.monotonic()
        error: BaseException | None = None
        try:
            await self._request(number)
        except asyncio.CancelledError as cut:
            error = cut
            raise
        except Exception as failure:  # noqa: BLE001 - accounted for, whatever it is
            error = failure
        finally:
            self.answers.append(Answer(number, asked, time.monotonic(), error))
