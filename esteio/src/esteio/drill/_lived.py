"""The rates of a year, updated by the incidents that a machine lived. Pure.

Promises: an incident counts once, however many rates have its cause: they share it in proportion to what each was
believed to be. An incident is what somebody could see; a worker that is replaced within a second makes none. So they raise a
rate, and the time without one lowers only a rate whose events nobody can miss (`Rate.noticed`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from esteio.drill._rates import Rate

__all__ = ["update"]


def update(
    rates: Sequence[Rate], incidents: Mapping[str, int], years: float, *, keep: Collection[str] = ()
) -> tuple[Rate, ...]:
    """`rates` after so many `incidents` by cause in `years` of observation; those named in `keep` stay as they are.

    What a rate says of its source then names the incidents, too.
    """
    if years <= 0:
        return tuple(rates)
    return tuple(rate if rate.name in keep else _updated(rate, rates, incidents, years) for rate in rates)


def _updated(rate: Rate, rates: Sequence[Rate], incidents: Mapping[str, int], years: float) -> Rate:
    if not rate.cause:
        return rate
    count = incidents.get(rate.cause, 0)
    alike = [each for each in rates if each.cause == rate.cause]
    whole = sum(each.mean for each in alike)
    share = count * rate.mean / whole if whole else count / len(alike)
    told = f"{rate.source}; here {count} incidents by {rate.cause} in {years:.2g} years, {share:.2g} of them its"
    after = replace(rate, seen=rate.seen + share, seen_years=rate.seen_years + years, source=told, lived=True)
    return after if rate.noticed or after.mean > rate.mean else rate
