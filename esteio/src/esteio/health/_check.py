"""One thing that can be well or not.

Promises: an answer never takes longer than the check's own time limit, also when the probe is slow to be cancelled; until
that probe has ended no other one is begun, and the answer stays a failure. A check is asked at most once per `cache` seconds
however many ask, and a probe that raises is an answer, not an error. Before the first answer the status is `UNKNOWN`: not
a number, and not zero.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from esteio.clock import SYSTEM, Clock
from esteio.errors import EsteioError

__all__ = ["Check", "Observed", "Result", "Status", "Unwell"]

_logger = logging.getLogger("esteio.health")


class Status(StrEnum):
    """As draft-inadarei-api-health-check-06 names them, and `unknown` for what has not been asked."""

    PASS = "pass"  # noqa: S105 - the draft's word, no secret
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Unwell(EsteioError):
    """What a probe raises that knows how bad it is: `reason` is public, `observed` the value it saw."""

    def __init__(self, reason: str, *, observed: float | None = None, status: Status = Status.FAIL) -> None:
        self.reason = reason
        self.observed = observed
        self.status = status
        super().__init__(reason)


class Observed(float):
    """What a probe returns that observed several things: the number that is judged, and `parts` by their names."""

    parts: Mapping[str, float]

    def __new__(cls, value: float, parts: Mapping[str, float]) -> Observed:
        made = super().__new__(cls, value)
        made.parts = parts
        return made


@dataclass(frozen=True, slots=True)
class Result:
    """An answer: how well, the observed value in `unit`, when (Unix seconds), and why not; `parts` where there are several."""

    status: Status
    observed: float | None
    unit: str
    time: float
    reason: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)


Probe = Callable[[], Awaitable[float]]


class _NoAnswer(Exception):
    """The time is over."""


def _retrieve(probing: asyncio.Future[float]) -> None:
    """Look at how a probe ended that nobody waits for: else asyncio complains of an exception never retrieved."""
    if not probing.cancelled():
        probing.exception()


@dataclass(slots=True)
class Check:
    """Asks `probe`, which returns an observed value or raises.

    `name` is `component:measurement`. `timeout` and `cache` in seconds. Above `warn_above` the status is
    WARN, above `fail_above` FAIL. `essential`: whether the service is useless without it, so that its failure is the
    service's. `depends_on`: names of checks whose failure explains its own.
    """

    name: str
    probe: Probe
    unit: str = "ms"
    timeout: float = 0.8
    cache: float = 1.0
    warn_above: float | None = None
    essential: bool = True
    clock: Clock = SYSTEM
    fail_above: float | None = None
    depends_on: tuple[str, ...] = ()
    _last: Result | None = field(default=None, init=False)
    _asked_at: float = field(default=0.0, init=False)
    _running: asyncio.Task[Result] | None = field(default=None, init=False)
    _probing: asyncio.Future[float] | None = field(default=None, init=False)

    @property
    def last(self) -> Result:
        """The newest answer, without asking."""
        return self._last or Result(Status.UNKNOWN, None, self.unit, self.clock.time(), "not asked yet")

    async def ask(self) -> Result:
        """The newest answer, asked for if older than `cache`; callers at the same time share one probe."""
        if self._last is not None and self.clock.monotonic() - self._asked_at < self.cache:
            return self._last
        if self._running is None:
            self._running = asyncio.create_task(self._probe(), name=f"health {self.name}")
            self._running.add_done_callback(self._forget)
        # Shielded: one caller that gives up must not take the answer from the others.
        return await asyncio.shield(self._running)

    def _forget(self, _: asyncio.Task[Result]) -> None:
        self._running = None

    async def _probe(self) -> Result:
        status, observed, reason = Status.PASS, None, ""
        try:
            observed = await self._observed()
        except (_NoAnswer, TimeoutError):
            status, reason = Status.FAIL, f"no answer within {self.timeout:g} s"
        except Unwell as unwell:
            status, observed, reason = unwell.status, unwell.observed, unwell.reason
        except Exception as error:  # noqa: BLE001 - whatever a probe raises is the answer
            # The report is public: it names the kind of error; the log has the rest.
            status, reason = Status.FAIL, type(error).__name__
            _logger.warning("health check %s failed: %s", self.name, error)
        else:
            status, reason = self._judged(observed)
        self._asked_at = self.clock.monotonic()
        parts = observed.parts if isinstance(observed, Observed) else {}
        self._last = Result(status, observed, self.unit, self.clock.time(), reason, parts)
        return self._last

    async def _observed(self) -> float:
        """What the probe says; raises `_NoAnswer` at the end of the time, whether or not the probe has ended by then."""
        loop = asyncio.get_running_loop()
        end, left = loop.time() + self.timeout, self._probing
        if left is not None and not left.done() and left.get_loop() is loop:
            await asyncio.wait({left}, timeout=self.timeout)  # given up last time, and not ended yet
            if not left.done():
                raise _NoAnswer
        probing = self._probing = asyncio.ensure_future(self.probe())
        # Not `asyncio.timeout`: that waits for the cleaning up of the cancelled probe, behind a frozen server for seconds.
        try:
            await asyncio.wait({probing}, timeout=max(0.0, end - loop.time()))
        except asyncio.CancelledError:  # the loop ends
            probing.cancel()
            raise
        if not probing.done():
            probing.cancel()
            probing.add_done_callback(_retrieve)
            raise _NoAnswer
        return probing.result()

    def _judged(self, observed: float) -> tuple[Status, str]:
        for status, bound in ((Status.FAIL, self.fail_above), (Status.WARN, self.warn_above)):
            if bound is not None and observed > bound:
                return status, f"above {bound:g} {self.unit}"
        return Status.PASS, ""
