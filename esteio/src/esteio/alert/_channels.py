"""Where notices go.

Promises: an address that cannot be used is refused when it is given, not when it is needed; one that could not be looked
at is no reason to refuse anything. A channel's name is its address without secrets.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from esteio.alert._apprise_client import NoAnswer, run_apprise
from esteio.alert._errors import ChannelRefused, NotDelivered
from esteio.alert._masking import masked
from esteio.alert._notice import Notice

__all__ = ["Channel", "Channels"]

_CHECK = 20.0  # seconds
_logger = logging.getLogger("esteio.alert")


@dataclass(frozen=True, slots=True)
class Channel:
    """One address. `name` is for people, `key` for files: it tells addresses apart, and too little to guess one from.

    `escalation`: it is told only of what nobody looks after.
    """

    name: str
    key: str
    url: str = field(repr=False)
    escalation: bool = False


class Channels:
    """`urls` as apprise reads them; a plain https:// that it does not know receives JSON. Named `sender` where it shows.

    Those of `escalation` are told of pages that nobody acknowledged, of nothing else. ChannelRefused for the first that cannot
    be used, with `what` it was called. Making it takes half a second.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        escalation: Sequence[str] = (),
        sender: str = "Esteio",
        what: str = "notice address",
    ) -> None:
        self._sender = sender
        first = frozenset(urls)
        urls = list(dict.fromkeys((*urls, *escalation)))
        for url, reason in zip(urls, self._checked(urls), strict=True):
            if reason:
                raise ChannelRefused(what, masked(url), reason)
        self.channels = tuple(_named(urls, first))

    def send(self, channel: Channel, notice: Notice, timeout: float = 15.0) -> None:
        """Tell one channel, within `timeout` seconds; NotDelivered when it does not take it."""
        fitted = notice.fitted()
        try:
            [reason] = run_apprise([channel.url], self._sender, timeout, fitted)
        except NoAnswer as error:
            reason = error.reason
        if reason:
            raise NotDelivered(channel.name, fitted.subject, reason)

    def _checked(self, urls: Sequence[str]) -> Sequence[str]:
        try:
            return run_apprise(urls, self._sender, _CHECK) if urls else ()
        except NoAnswer as error:
            _logger.warning("%s", error)  # what is told must not depend on it
            return [""] * len(urls)


def _named(urls: Sequence[str], first: frozenset[str]) -> Iterator[Channel]:
    taken: set[str] = set()
    for url in urls:
        key = digest = hashlib.sha256(url.encode()).hexdigest()[:4]
        number = 1
        while key in taken:
            number += 1
            key = f"{digest}{number}"
        taken.add(key)
        yield Channel(masked(url), key, url, escalation=url not in first)
