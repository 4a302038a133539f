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

from esteio.alert._box import Box
from esteio.alert._channels import Channel, Channels
from esteio.alert._notice import Notice
from esteio.alert._telling import RETRY, Telling
from esteio.clock import SYSTEM, Clock
from esteio.policy import Retry

__all__ = ["Delivery", "Outbox"]

_ROUND = 60.0  # seconds
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
        self._box = Box(directory, clock)
        self._telling = Telling(self._box, channels, retry, clock)
        self._every = every
        self._random = random
        self._clock = clock
        self._vain: dict[str, int] = {}
        self._paused: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, notice: Notice) -> None:
        """Owe `notice` to every channel; returns at once, nobody is told yet. Never raises for a bad disk."""
        self._box.add(notice, [channel.key for channel in self.channels.channels])

    def owed(self) -> int:
        """How many are owed to the channels there are."""
        keys = self._keys()
        return sum(owed.key in keys for owed in self._box.owed())

    def deliver(self, within: float = 30.0) -> Delivery:
        """Tell all channels what is owed to them; returns after `within` seconds at the latest, the rest stays owed."""
        return self._deliver(self.channels.channels, within)

    # As a service

    def start(self) -> None:
        """Begin to look."""
        self.stop(0.0)
        self._ending.clear()
        self._thread = threading.Thread(target=self._work, name=f"esteio {self.name}", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it looks."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """End it; a channel that is being told is waited for up to `timeout` seconds, what is owed stays owed."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self) -> None:
        while not self._ending.is_set():
            now = self._clock.monotonic()
            self._deliver([each for each in self.channels.channels if self._paused.get(each.key, now) <= now], _ROUND)
            self._ending.wait(self._every)

    # A round

    def _deliver(self, channels: Sequence[Channel], within: float) -> Delivery:
        until = self._clock.monotonic() + within
        waiting = self._box.owed()
        self._telling.forget([owed for owed in waiting if owed.key not in self._keys()])
        due = [channel for channel in channels if any(owed.key == channel.key for owed in waiting)]
        sent: list[int] = []
        threads = [threading.Thread(target=self._tell, args=(each, until, sent), daemon=True) for each in due]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - self._clock.monotonic()))
        return Delivery(sum(sent), self.owed())

    def _tell(self, channel: Channel, until: float, sent: list[int]) -> None:
        told = self._telling.tell(channel, until)
        sent.append(told.sent)
        if not told.stopped:
            self._vain.pop(channel.key, None)
            return
        vain = self._vain[channel.key] = self._vain.get(channel.key, -1) + 1
        pause = _PAUSES[min(vain, len(_PAUSES) - 1)] * (1 + 0.2 * self._random())
        self._paused[channel.key] = self._clock.monotonic() + pause

    def _keys(self) -> set[str]:
        return {channel.key for channel in self.channels.channels}
