"""One run: a moment of calm, the fault, its proof, the heal, recovery, and the ledger; the load goes on from run to run.

The good seconds that end a run are the calm of the next one, so that each second of load is waited for once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from esteio.drill._fault import Fault, System
from esteio.drill._ledger import LedgerCheck
from esteio.drill._measure import Measure, measure, percentile, recovery, seconds_of
from esteio.drill._request import Request
from esteio.drill._traffic import Traffic
from esteio.drill._validity import Invalid, reasons

__all__ = ["Run", "Timing", "drill"]

S = TypeVar("S", bound=System)
_LOG = logging.getLogger("esteio.drill")


@dataclass(frozen=True)
class Timing:
    """How long each part of a run takes, in seconds."""

    calm: float = 4.0
    """Load without a lost request before the fault: what "well" looks like."""
    longest_calm: float = 12.0
    """How long that is waited for; without it the run says that something was unwell before."""
    phase: float = 1.0
    """Up to so much longer, at random, so that a fault does not always meet the same moment of a timer."""
    proof: float = 10.0
    """How long a fault may take to show its effect."""
    look: float = 0.1
    """Between two looks at what the service says of itself."""
    stalled_after: float = 0.5
    """A generator that stood still for longer proves nothing."""
    second: float = 1.0
    """Of the five good ones in a row that end a fault."""
    apart: float = 0.0
    """From the end of a run to the next one of the same fault: what a supervisor takes to forgive a failure."""
    settled: float = 0.5
    """The newest requests have no answer yet; so far back the others are judged."""


@dataclass(frozen=True)
class Run:
    """What one run showed."""

    fault: str
    invalid: tuple[Invalid, ...]
    why: str
    """The step that failed, the first wrong answer or lost write; empty in a valid run."""
    measured: Measure | None
    """None where the run ended before anything was broken."""
    p99_before: float = 0.0
    page_after: float | None = None
    """Seconds from the injection until the service said of itself that something is wrong, and in `said` what."""
    said: str = ""
    alert_after: float | None = None
    """Seconds from the injection until an alert arrived."""
    ledger: LedgerCheck = field(default_factory=lambda: LedgerCheck((), (), 0, 0))
    errors: dict[str, int] = field(default_factory=dict)
    """How often each error came, the five most frequent."""
    seconds: dict[int, Counter[str]] = field(default_factory=dict)
    """Requests by the second they were due, counted from the injection, and by outcome."""
    facts: dict[str, float] = field(default_factory=dict)
    """What `Fault.tells` says."""
    steps: dict[str, float] = field(default_factory=dict)
    """Where its time went, seconds: "between", "prepare", "calm", "proof", "lasts", "heal", "recovery", "look-up"."""
    healed_after: float | None = None
    """Seconds from the injection until the cause was gone."""

    @property
    def valid(self) -> bool:
        """Whether it proves anything."""
        return not self.invalid

    @property
    def after_heal(self) -> float | None:
        """Seconds from the heal until the service had recovered, 0 where it had before; infinite where it had not."""
        if self.measured is None or self.healed_after is None:
            return None
        return max(0.0, self.measured.mttr - self.healed_after)


async def drill(
    system: S,
    faults: Sequence[Fault[S]],
    *,
    rounds: int = 3,
    timing: Timing = Timing(),
    on_run: Callable[[Run, int], None] = lambda _run, _round: None,
    between: Callable[[], Awaitable[None]] | None = None,
    rng: random.Random | None = None,
) -> AsyncIterator[Run]:
    """Break `system` in every way, `rounds` times each (or `Fault.rounds`), and yield each run when it is over.

    A round breaks it once in each way, and the same fault comes again after `timing.apart`: three times within seconds would
    measure how a supervisor waits longer before each restart, which no year of single faults sees. `between` is awaited
    before each run: the service has to be whole again. Whatever ends a run early - an error, Ctrl-C - the fault is healed
    first.
    """
    rng = rng or random.Random()  # noqa: S311 - when to strike, no secret
    ended: dict[str, float] = {}
    async with Traffic(system.routes(), stalled_after=timing.stalled_after) as traffic:
        for number in range(rounds):
            for fault in faults:
                if number >= (fault.rounds or rounds):
                    continue
                steps = _Steps()
                with steps("between"):
                    await asyncio.sleep(max(0.0, ended.get(fault.name, -math.inf) + timing.apart - time.monotonic()))
                    if between is not None:
                        await between()
                run = await _one(system, fault, timing, rng, traffic, steps)
                ended[fault.name] = time.monotonic()
                on_run(run, number)
                yield run


class _Steps:
    """How long each step took, also one that failed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began


async def _one(system: S, fault: Fault[S], timing: Timing, rng: random.Random, traffic: Traffic, steps: _Steps) -> Run:
    try:
        return await _broken_under_load(system, fault, timing, rng, traffic, steps)
    except Exception as error:  # noqa: BLE001 - told in the report; the next fault is still drilled
        _LOG.debug("the run of %s failed", fault.name, exc_info=True)
        return Run(fault.name, (Invalid.FAILED,), f"{type(error).__name__}: {error}", None, steps=steps.seconds)


async def _broken_under_load(
    system: S, fault: Fault[S], timing: Timing, rng: random.Random, traffic: Traffic, steps: _Steps
) -> Run:
    with steps("prepare"):
        await fault.prepare(system)
    with steps("calm"):
        calm = await _calm(traffic, timing, rng)
    said_before = await system.unwell()
    injected = time.monotonic()
    p99 = percentile([each.took for each in calm], 99)
    looking = asyncio.create_task(_first_unwell(system, said_before, injected, timing.look))
    try:
        took = await _inject_and_heal(system, fault, timing, steps)
        healed = time.monotonic()
        with steps("recovery"):
            until = await _until_recovered(traffic, fault, timing, injected, p99)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    # What was due before the end has its answer, good or not, once its deadline has passed.
    while traffic.unanswered(until):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(timing.settled / 10)
    requests = traffic.requests
    measured = measure(requests, injected, until, p99, second=timing.second)
    told = await system.told(injected)
    with steps("look-up"):
        ledger = await _looked_up(system, traffic, injected - fault.may_cost if fault.may_cost else math.inf)
    found = reasons(
        measured,
        calm,
        sum(route.rate for route in traffic.routes) * (until - injected),
        stalled=any(moment + lasted >= injected and moment <= until for moment, lasted in traffic.stalls),
        took=took,
        ledger=ledger,
    )
    page_after, said = looking.result() if looking.done() and not looking.cancelled() else (None, "")
    return Run(
        fault.name,
        found,
        _why(found, requests, ledger, calm),
        measured,
        p99,
        page_after,
        said,
        told - injected if told is not None else None,
        ledger,
        dict(Counter(each.why for each in requests if not each.good and each.answered >= injected).most_common(5)),
        seconds_of([each for each in requests if each.due < until], injected),
        dict(await fault.tells(system)),
        steps.seconds,
        healed - injected,
    )


async def _calm(traffic: Traffic, timing: Timing, rng: random.Random) -> list[Request]:
    """The requests of the last `timing.calm` seconds, once none of them was lost, and a random moment more."""
    end = time.monotonic() + timing.longest_calm
    while time.monotonic() < end and not traffic.well_for(timing.calm):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(timing.calm / 20)
    await asyncio.sleep(rng.random() * timing.phase)
    since = time.monotonic() - timing.calm
    traffic.forget(since)  # a drill lasts for a quarter of an hour, and nobody asks for these again
    return [each for each in traffic.requests if each.answered >= since]


async def _looked_up(system: System, traffic: Traffic, given_up_since: float) -> LedgerCheck:
    """The ledger beside what is stored. Writes go on meanwhile: those of the last moments are left for the next look."""
    asked = time.monotonic()
    deadline = max(route.deadline for route in traffic.routes)
    stored = await system.stored()
    return system.ledger.settle(stored, before=asked, undecided_for=deadline, given_up_since=given_up_since)


async def _inject_and_heal(system: S, fault: Fault[S], timing: Timing, steps: _Steps) -> bool:
    """Whether the fault took effect. It is healed whatever happens in between."""
    try:
        with steps("proof"):
            await fault.inject(system)
            took = await _proved(system, fault, timing)
        with steps("lasts"):
            await _while_it_lasts(system, fault, timing)
    finally:
        with steps("heal"):
            await fault.heal(system)
    return took


async def _proved(system: S, fault: Fault[S], timing: Timing) -> bool:
    end = time.monotonic() + (timing.proof if fault.proof is None else fault.proof)
    while not await fault.proves(system):
        if time.monotonic() >= end:
            return False
        await asyncio.sleep(0.02)
    return True


async def _while_it_lasts(system: S, fault: Fault[S], timing: Timing) -> None:
    end = time.monotonic() + fault.lasts
    while (left := end - time.monotonic()) > 0 and not (fault.until and await fault.until(system)):  # noqa: ASYNC110
        await asyncio.sleep(min(left, timing.look) if fault.until else left)


async def _first_unwell(system: S, said_before: str | None, injected: float, every: float) -> tuple[float | None, str]:
    """What it said of itself before the fault, an older one or an overdue backup, is no detection of this one."""
    while True:
        said = await system.unwell()
        if said and said != said_before:
            return time.monotonic() - injected, said
        await asyncio.sleep(every)


async def _until_recovered(traffic: Traffic, fault: Fault[S], timing: Timing, injected: float, p99: float) -> float:
    """Wait until the service has recovered, `fault.patience` at most; the moment up to which it is measured."""
    healed = time.monotonic()
    while True:
        now = time.monotonic()
        until = now - timing.settled
        # A request that hangs has no answer yet, and would be missing among the good ones.
        enough = until - healed >= 5 * timing.second and not traffic.unanswered(until)
        if enough and recovery(traffic.requests, injected, until, p99, second=timing.second) < math.inf:
            return until
        if now - healed >= fault.patience:
            return now
        await asyncio.sleep(timing.second / 4)


def _why(found: Sequence[Invalid], requests: Sequence[Request], ledger: LedgerCheck, calm: Sequence[Request]) -> str:
    if Invalid.WRONG in found:
        return next(each.why for each in requests if each.outcome == "wrong")
    if Invalid.LOST_WRITES in found:
        return f"{len(ledger.missing)} acknowledged writes are missing, the first {ledger.missing[0]}"
    if Invalid.DOUBLED_WRITES in found:
        return f"{len(ledger.doubled)} writes are there twice, the first {ledger.doubled[0]}"
    if Invalid.UNWELL_BEFORE in found:
        return next((each.why for each in calm if not each.good), "no request was answered before the fault")
    return ""
