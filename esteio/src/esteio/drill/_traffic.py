"""The load of a drill: each route at its rate, whatever becomes of the requests, and whether the load itself stood still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Self

from esteio.drill._request import Outcome, Request, Route, WrongAnswer
from esteio.testing.load import Answer, Load

__all__ = ["Traffic"]

_LOOK = 0.02  # seconds between two looks at the clock


class Traffic:
    """`async with Traffic(routes) as traffic:` - requests begin with the block; leaving it waits for their answers.

    `stalls` are the moments at which our own event loop stood still for longer than `stalled_after` seconds, with how
    long: an outage seen then may be ours.
    """

    def __init__(self, routes: Sequence[Route], *, stalled_after: float = 0.5) -> None:
        self.routes = tuple(routes)
        self.stalls: list[tuple[float, float]] = []
        self._stalled_after = stalled_after
        self._loads = [(each, _load(each)) for each in routes]
        self._read = [0] * len(self._loads)
        self._requests: list[Request] = []

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self._watch())
        self._began = time.monotonic()
        for _, load in self._loads:
            await load.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        # Each load waits for its own answers: side by side, so that none goes on asking while another waits.
        await asyncio.gather(*(load.__aexit__(None, None, None) for _, load in self._loads))
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)

    @property
    def requests(self) -> list[Request]:
        """Those with an answer, in the order they were due."""
        for place, (route, load) in enumerate(self._loads):
            # Only the new ones: this is asked while the load goes on, and must not hold it up.
            self._requests += [_request(route, load, answer) for answer in load.answers[self._read[place] :]]
            self._read[place] = len(load.answers)
        self._requests.sort(key=_when_due)
        return list(self._requests)

    def unanswered(self, until: float) -> bool:
        """Whether a request that was due before `until` has no answer yet."""
        return any(load.oldest_due < until for _, load in self._loads)

    def well_for(self, seconds: float) -> bool:
        """Whether every request of the last `seconds` was good, and there were some all the time."""
        since = time.monotonic() - seconds
        requests = self.requests
        last = [each for each in requests if each.answered >= since]
        return bool(last) and self._began <= since and all(each.good for each in last)

    def forget(self, before: float) -> None:
        """Drop what was answered before that moment."""
        self._requests = [each for each in self.requests if each.answered >= before]
        self.stalls = [each for each in self.stalls if sum(each) >= before]
        for place, (_, load) in enumerate(self._loads):
            del load.answers[: self._read[place]]
            self._read[place] = 0

    async def _watch(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK)
            now = time.monotonic()
            if now - before - _LOOK > self._stalled_after:
                self.stalls.append((before, now - before))
            before = now


def _load(route: Route) -> Load:
    async def ask(number: int) -> None:
        # Counted from when it was due. Where we are behind, nobody is asked any more: requests that are late already would
        # keep us behind for ever, and the service with us.
        left = load.began + number / route.rate + route.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        async with asyncio.timeout(left):
            await route.request(number)

    load = Load(ask, route.rate, patience=route.deadline + 1)
    return load


def _when_due(request: Request) -> float:
    return request.due


def _request(route: Route, load: Load, answer: Answer) -> Request:
    due = load.began + answer.number / route.rate
    match answer.error:
        case None:
            outcome, why = Outcome.GOOD, ""
        case TimeoutError() | asyncio.CancelledError():
            outcome, why = Outcome.LATE, f"no answer within {route.deadline:g} s"
        case WrongAnswer():
            outcome, why = Outcome.WRONG, str(answer.error)
        case error:
            outcome, why = Outcome.ERROR, f"{type(error).__name__}: {error}"
    # Late also where it came, but too late counted from when it was due: a generator that got to it late hides nothing.
    if outcome is Outcome.GOOD and answer.answered - due > route.deadline:
        outcome, why = Outcome.LATE, f"answered after {answer.answered - due:.1f} s"
    return Request(route.name, route.write, due, answer.answered, outcome, why)
