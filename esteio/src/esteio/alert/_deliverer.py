"""Delivers to one channel what the spool holds for it.

Promises: in order, the first with retries. A notice that the channel refuses is skipped while it takes the ones that follow;
after three refusals in a row the round ends. What it has refused for three days is given up, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from esteio.alert._channels import Channel, Channels
from esteio.alert._errors import NotDelivered
from esteio.alert._spool import Spool, SpooledNotice
from esteio.clock import Clock
from esteio.policy import Exponential, Pipeline, Retry
from esteio.policy.deadline import within

__all__ = ["GIVEN_UP", "RETRY", "Delivered", "Deliverer"]

RETRY = Retry(3, Exponential(1.0, 2.0), idempotent=True, on=(NotDelivered,), budget=None)
GIVEN_UP = 3 * 86400.0  # seconds
_ATTEMPT = 15.0
_LEAST = 1.0  # seconds below which an attempt is not worth its process
_REFUSALS = 3
_logger = logging.getLogger("esteio.alert")


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many notices the channel took, and whether the round ended with one that it refused."""

    sent: int = 0
    stopped: bool = False


class Deliverer:
    """Delivers to `channels` what `spool` holds for them."""

    def __init__(self, spool: Spool, channels: Channels, retry: Retry, clock: Clock) -> None:
        self._spool = spool
        self._channels = channels
        self._retrying = Pipeline("notices", retry, clock=clock, registry=None)
        self._clock = clock

    def deliver(self, channel: Channel, until: float) -> Delivered:
        """Deliver what the spool holds for it, also what is put there meanwhile, until `until` in monotonic seconds."""
        with self._spool.claimed(channel.key, until) as ours:
            return self._deliver_spooled(channel, until) if ours else Delivered()

    def forget(self, orphans: Sequence[SpooledNotice]) -> None:
        """Give up what is owed to channels that nobody names any more, when it is old."""
        now = self._clock.time()
        for owed in orphans:
            if now - owed.notice.at >= GIVEN_UP:
                _logger.warning("notice %r is given up: its channel is no longer named", owed.notice.subject)
                self._spool.remove(owed)

    def _deliver_spooled(self, channel: Channel, until: float) -> Delivered:
        tried: set[str] = set()
        sent = refusals = 0
        while fresh := [owed for owed in self._spool.owed() if owed.key == channel.key and owed.name not in tried]:
            for owed in fresh:
                if refusals == _REFUSALS or until - self._clock.monotonic() < _LEAST:
                    return Delivered(sent, refusals > 0)
                tried.add(owed.name)
                call = self._retrying.call if refusals == 0 else _once
                try:
                    with within(until - self._clock.monotonic(), self._clock):
                        call(self._attempt(channel, owed, until))
                except NotDelivered as error:
                    refusals += 1
                    self._refused(owed, error)
                else:
                    refusals = 0
                    sent += 1
                    self._spool.remove(owed)
        return Delivered(sent, refusals > 0)

    def _attempt(self, channel: Channel, owed: SpooledNotice, until: float) -> Callable[[], None]:
        def attempt() -> None:
            left = min(_ATTEMPT, max(_LEAST, until - self._clock.monotonic()))
            self._channels.send(channel, owed.notice, left)

        return attempt

    def _refused(self, owed: SpooledNotice, error: NotDelivered) -> None:
        now = self._clock.time()
        since = min(owed.refused, now) if owed.refused is not None else now
        if now - since >= GIVEN_UP:
            _logger.error("%s", error)
            _logger.error(
                "notice %r is given up after %.0f h: it was never taken", owed.notice.subject, (now - since) / 3600
            )
            self._spool.remove(owed)
            return
        if owed.refused is None:
            self._spool.refuse(owed, now)
        _logger.warning("%s", error)


def _once(attempt: Callable[[], None]) -> None:
    attempt()
