"""Whether a run proves anything. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from esteio.drill._ledger import LedgerCheck
from esteio.drill._measure import Measure
from esteio.drill._request import Request

__all__ = ["OFFERED_SHARE", "Invalid", "reasons"]

OFFERED_SHARE = 0.98


class Invalid(StrEnum):
    """Why a run proves nothing, or proves the worst."""

    STALLED = "load-stalled"
    """The load generator itself stood still."""
    NOT_OFFERED = "load-not-offered"
    """Fewer requests were made than the rates say."""
    UNWELL_BEFORE = "unwell-before"
    """Requests were lost before anything was broken."""
    NO_EFFECT = "fault-did-not-take"
    """Nothing shows that the fault took effect."""
    WRONG = "wrong-answers"
    """Answers came back as good that were not true."""
    LOST_WRITES = "acknowledged-lost"
    """A write that was acknowledged is not there."""
    DOUBLED_WRITES = "written-twice"
    """A write is there more than once."""
    FAILED = "failed"
    """The drill's own step failed: an injection, a heal, the look-up of what is stored."""


def reasons(
    measured: Measure,
    before: Sequence[Request],
    expected: float,
    *,
    stalled: bool,
    took: bool,
    ledger: LedgerCheck,
) -> tuple[Invalid, ...]:
    """All that hold; `expected` is how many requests the rates say for the time measured."""
    found = {
        Invalid.STALLED: stalled,
        Invalid.NOT_OFFERED: measured.offered < OFFERED_SHARE * expected,
        Invalid.UNWELL_BEFORE: not before or sum(not each.good for each in before) > 0.001 * len(before),
        Invalid.NO_EFFECT: not took,
        Invalid.WRONG: measured.wrong > 0,
        Invalid.LOST_WRITES: bool(ledger.missing),
        Invalid.DOUBLED_WRITES: bool(ledger.doubled),
    }
    return tuple(reason for reason, holds in found.items() if holds)
