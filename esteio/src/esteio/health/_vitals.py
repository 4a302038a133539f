"""The numbers of a service for people: rates and percentiles over the time between two readings. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from esteio.health._latency import Latency
from esteio.health._reading import CANCELLED, HTTP, Reading

__all__ = ["VITALS", "Vitals"]

VITALS = {
    "requests.rate": "requests a second",
    "requests.errors": "percent of them that ended in 5xx; those that were cancelled are not counted",
    "requests.active": "requests being answered",
    "requests.p50": "ms",
    "requests.p95": "ms",
    "requests.p99": "ms",
    "workers.count": "processes that live",
    "workers.memory": "MB, of all together",
    "workers.cpu": "percent of one processor, of all together",
    "workers.lag": "ms, the most that an event loop was late in the last ten seconds",
}
"""Names of the series and their units."""


class Vitals:
    """Call it with each reading and its moment, Unix seconds; the first one only has numbers of that moment."""

    def __init__(self) -> None:
        self._before: tuple[float, Latency, Mapping[str, int]] | None = None

    def __call__(self, reading: Reading, now: float) -> dict[str, float]:
        """The newest values by series; none of requests where there were none."""
        workers = reading.workers
        values = {
            "requests.active": float(reading.active),
            "workers.count": float(len(workers)),
            "workers.memory": sum(worker.memory for worker in workers) / 1e6,
            "workers.cpu": sum(worker.cpu_percent for worker in workers),
            "workers.lag": 1000 * max((worker.lag for worker in workers), default=0.0),
        }
        total, outcomes = reading.total(HTTP), reading.outcomes
        before, self._before = self._before, (now, total, outcomes)
        if before is not None and now > before[0]:
            values |= _between(before, total, outcomes, now)
        return values


def _between(
    before: tuple[float, Latency, Mapping[str, int]], total: Latency, outcomes: Mapping[str, int], now: float
) -> dict[str, float]:
    then, earlier, counted = before
    buckets = [new - old for new, old in zip(total.buckets, earlier.buckets, strict=True)]
    if min(buckets) < 0:  # the service was started anew, and its counters with it
        buckets, counted = list(total.buckets), {}
    ended = {outcome: number - counted.get(outcome, 0) for outcome, number in outcomes.items()}
    requests = sum(buckets)
    values = {"requests.rate": requests / (now - then)}
    answered = requests - ended.get(CANCELLED, 0)
    if answered > 0:
        values["requests.errors"] = 100 * ended.get("5xx", 0) / answered
        passed = Latency(0.0, buckets)
        for part, name in ((0.5, "requests.p50"), (0.95, "requests.p95"), (0.99, "requests.p99")):
            values[name] = 1000 * (passed.quantile(part) or 0.0)
    return values
