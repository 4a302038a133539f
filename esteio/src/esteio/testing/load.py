"""Requests at a steady rate, whatever becomes of them.

Promises: a request starts when its time has come, not when the one before has ended, so that an outage is
paid for by every request that falls into it; every one is accounted for, with its error. At most
`outstanding` are under way at a time; what does not fit counts as failed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

__all__ = ["Answer", "Load"]

Request = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request; times are seconds of `time.monotonic`."""

    kind: str
    asked: float
    answered: float
    error: BaseException | None

    @property
    def took(self) -> float:
        """Seconds it took."""
        return self.answered - self.asked


class Load:
    """`async with Load(200, {"read": (0.8, read), "write": (0.2, write)}) as load:` - 200 requests a second.

    `kinds` gives each kind its share of the requests and the coroutine function to call. Leaving the block
    stops asking and waits at most `patience` seconds for the answers that are still out.
    """

    def __init__(
        self,
        rate: float,
        kinds: Mapping[str, tuple[float, Request]],
        *,
        outstanding: int = 5000,
        patience: float = 15.0,
    ) -> None:
        self._rate = rate
        self._kinds = dict(kinds)
        self._outstanding = outstanding
        self._patience = patience
        self._under_way: set[asyncio.Task[None]] = set()
        self.answers: list[Answer] = []

    async def __aenter__(self) -> Self:
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
    def failed(self) -> list[Answer]:
        """Those that ended in an error."""
        return [answer for answer in self.answers if answer.error is not None]

    def errors(self) -> Counter[str]:
        """How often each kind of error came."""
        return Counter(type(answer.error).__name__ for answer in self.failed)

    def first_success_after(self, moment: float) -> float | None:
        """Seconds from `moment` until a request was answered well; None when none was."""
        good = [answer.answered for answer in self.answers if answer.error is None and answer.answered >= moment]
        return min(good) - moment if good else None

    def longest(self) -> float:
        """Seconds that the slowest answer took."""
        return max((answer.took for answer in self.answers), default=0.0)

    async def _ask(self) -> None:
        names = list(self._kinds)
        bounds = list(accumulate(share for share, _ in self._kinds.values()))
        due, number = time.monotonic(), 0
        while True:
            # Spread evenly, so that every run asks the same.
            point = (number * 0.6180339887498949) % 1.0 * bounds[-1]
            name = next((name for name, bound in zip(names, bounds, strict=True) if point < bound), names[-1])
            self._start(name)
            number += 1
            due += 1.0 / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _start(self, name: str) -> None:
        if len(self._under_way) >= self._outstanding:
            now = time.monotonic()
            self.answers.append(Answer(name, now, now, OverflowError("too many requests are under way")))
            return
        task = asyncio.create_task(self._one(name))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _one(self, name: str) -> None:
        asked = time.monotonic()
        error: BaseException | None = None
        try:
            await self._kinds[name][1]()
        except asyncio.CancelledError as cut:
            error = cut
            raise
        except Exception as failure:  # noqa: BLE001 - accounted for, whatever it is
            error = failure
        finally:
            self.answers.append(Answer(name, asked, time.monotonic(), error))
