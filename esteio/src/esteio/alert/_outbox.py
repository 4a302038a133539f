"""Notices on their way: owed until each channel took them.

Promises: at least once - a notice is removed only after its channel took it, so a crash in between tells it twice. Each
channel has a thread of its own while it is told, and gets its notices in order; one that it refuses while it takes the
next is passed over. What it has refused for three days is given up, and the log says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import random as system_random

from esteio.alert._channels import Channel, Channels
from esteio.alert._deliverer import RETRY, Delivered, Deliverer
from esteio.alert._notice import Notice
from esteio.alert._spool import Spool
from esteio.clock import SYSTEM, Clock
from esteio.policy import Retry

__all__ = ["Delivery", "Outbox"]

_ROUND = 60.0  # seconds that one round of a channel may take
_PAUSES = (10.0, 30.0, 60.0, 120.0, 300.0)  # seconds after the first, second ... round in vain


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of a round: how many were `sent`, and how many are still `owed` to the channels there are."""

    sent: int
    owed: int


class Outbox:
    """Notices for `channels`, kept in `directory`, which several processes may share.

    `retry` is for the first notice of a round; as a service it looks every `every` seconds for what others put there.
    """

    name = "notices"

    def __init__(
        self,
        directory: Path,
        channels: Channels,
        *,
        retry: Retry = RETRY,
        every: float = 5.0,
        random: Callable[[], float] = system_random,
        clock: Clock = SYSTEM,
    ) -> None:
        self.channels = channels
        self.directory = directory
        self._spool = Spool(directory, clock)
        self._deliverer = Deliverer(self._spool, channels, retry, clock)
        self._every = every
        self._random = random
        self._clock = clock
        self._ending = threading.Event()
        self._ending.set()
        self._threads: list[threading.Thread] = []
        self._wakes: list[threading.Event] = []  # one for each channel's thread: what is put here is told at once

    def put(self, notice: Notice, keys: Sequence[str] | None = None, *, token: str | None = None) -> None:
        """Owe `notice` to every channel but those of the escalation, or to those with these `keys`; returns at once.

        With a `token` that is owed already - letters and digits - it is not owed twice. Never raises for a bad disk.
        """
        channels = self.channels.channels
        owed = [each.key for each in channels if (not each.escalation if keys is None else each.key in keys)]
        self._spool.add(notice, owed, token)
        for wake in self._wakes:
            wake.set()

    def owed(self) -> int:
        """How many are owed to the channels there are."""
        keys = self._keys()
        return sum(owed.key in keys for owed in self._spool.owed())

    def deliver(self, within: float = 30.0) -> Delivery:
        """Tell all channels what is owed to them; returns after `within` seconds at the latest, the rest stays owed."""
        until = self._clock.monotonic() + within
        told: list[Delivered] = []
        threads = [
            threading.Thread(target=lambda each=channel: told.append(self._deliver_to(each, until)), daemon=True)
            for channel in self.channels.channels
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - self._clock.monotonic()))
        return Delivery(sum(each.sent for each in told), self.owed())

    # As a service

    def start(self) -> None:
        """Begin to look, for each channel in a thread of its own."""
        self.stop(0.0)
        self._ending = threading.Event()
        self._wakes = [threading.Event() for _ in self.channels.channels]
        self._threads = [
            threading.Thread(
                target=self._work, args=(channel, wake, self._ending), name=f"esteio {self.name}", daemon=True
            )
            for channel, wake in zip(self.channels.channels, self._wakes, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def is_alive(self) -> bool:
        """Whether it looks."""
        return not self._ending.is_set() and all(thread.is_alive() for thread in self._threads)

    def stop(self, timeout: float) -> None:
        """End it; a channel that is being told is waited for up to `timeout` seconds, what is owed stays owed."""
        self._ending.set()
        for wake in self._wakes:
            wake.set()
        until = self._clock.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - self._clock.monotonic()))

    def _work(self, channel: Channel, wake: threading.Event, ending: threading.Event) -> None:
        vain = 0
        while True:
            wake.clear()  # before it looks: what is put meanwhile wakes it again, and so does `stop`
            if ending.is_set():
                return
            told = self._deliver_to(channel, self._clock.monotonic() + _ROUND)
            vain = vain + 1 if told.stopped else 0
            pause = _PAUSES[min(vain, len(_PAUSES)) - 1] * (1 + 0.2 * self._random()) if vain else self._every
            # What is new does not hurry a channel that refuses.
            (ending if vain else wake).wait(pause)

    def _deliver_to(self, channel: Channel, until: float) -> Delivered:
        owed = self._spool.owed()
        keys = self._keys()
        self._deliverer.forget([each for each in owed if each.key not in keys])
        if not any(each.key == channel.key for each in owed):
            return Delivered()
        return self._deliverer.deliver(channel, until)

    def _keys(self) -> set[str]:
        return {channel.key for channel in self.channels.channels}
