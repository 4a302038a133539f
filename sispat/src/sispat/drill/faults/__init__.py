"""Each way to break the service, by what is broken. A new one is a `Fault` in one of these modules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from esteio.drill import Fault
from sispat.drill.faults import backups, changes, database, disks, environment, outside, overload, processes
from sispat.drill.load import City

__all__ = ["FAULTS", "OWN_SURROUNDINGS", "SHORT"]

_ROUNDS = dict.fromkeys(
    ("workers-killed", "connections-taken", "store-away", "cep-away", "cep-hangs", "redis-killed", "redis-frozen"), 2
) | dict.fromkeys(
    ("worker-leaks", "supervisor-killed", "postgres-frozen", "table-locked", "data-deleted", "table-dropped", "cep-garbage",
     "redis-flushed", "overload", "release", "release-migration-fails", "release-leaks", "release-dies", "release-never-ready",
     "power-cut", "dns-away", "dns-hangs", "redis-failed-over", "clock-leaps", "certificate-expired", "backups-full",
     "disk-slow", "history-full", "disk-full", "log-full"), 1
)  # fmt: skip
"""Where nobody gives a number. Planned for a quarter of an hour for all of them together, which no quiet machine has confirmed
yet: `steps_s` of drill.json says what it took. The others end soonest, with the five good seconds that each round needs."""


def _in_turn(*parts: Sequence[Fault[City]]) -> Iterator[Fault[City]]:
    """One of each part after the other: what was restarted a moment ago would be restarted later the second time."""
    return (fault for turn in zip_longest(*parts) for fault in turn if fault is not None)


FAULTS: tuple[Fault[City], ...] = tuple(
    replace(fault, rounds=_ROUNDS.get(fault.name))
    for part in (
        _in_turn(processes.WORKERS, database.FAULTS, outside.FAULTS, processes.OTHERS),
        backups.FAULTS,
        overload.FAULTS,
        changes.FAULTS,
        environment.FAULTS,
        disks.FAULTS,
    )
    for fault in part
)
"""In the order in which they are drilled: what takes longest and breaks most comes last."""

OWN_SURROUNDINGS = frozenset(fault.name for fault in (*environment.FAULTS, *disks.FAULTS))
"""Those that want disks, names, a clock and Sentinels of the service's own: they are drilled on a second service, so that
the others are measured without them."""

SHORT = (
    "worker-killed", "operator-killed", "receiver-killed", "backend-killed", "postgres-killed", "store-away", "cep-away",
    "reload",
)  # fmt: skip
"""The cheapest: `sispat drill --short`, and the test."""
